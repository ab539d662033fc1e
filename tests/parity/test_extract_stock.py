"""Stock's own `main.py extract` and ours on the same frames: the same files, pixels and metadata.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] [DFL_INSTALLED=path/of/DeepFaceLab] \\
        python -m pytest tests/parity/test_extract_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs both sides; it needs stock's packages. DFL_INSTALLED: a tree on
which install was run; a copy of it is ours. Without it the overlay is laid over a copy of the stock tree.

Once the real networks of both sides look at 66 frames, with the weights of benchmarks/marker_networks.py (minutes on a
processor). All else is compared with networks that answer at once (benchmarks/table_networks.py).
"""
import collections
import os
import shutil
import sys
from pathlib import Path

import extract_workspace as ew
import numpy as np
import pytest
from benchmarks import marker_frames, merge_trees
from extract_workspace import Shot

STOCK = os.environ['DFL_STOCK']
PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
INSTALLED = os.environ.get('DFL_INSTALLED')
SIDES = ('stock', 'ours')
ANSWERS = '\n\n256\n\n'         # face type, most faces, size, quality


def build_trees(folder):
    """{side: path of its tree}, without networks."""
    stock = merge_trees.copy_tree(STOCK, str(folder / 'stock'))
    ours = merge_trees.copy_tree(INSTALLED or STOCK, str(folder / 'ours'), overlay=not INSTALLED)
    return {'stock': stock, 'ours': ours}


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """Both trees with the table."""
    found = build_trees(tmp_path_factory.mktemp('trees'))
    ew.lay_table_over_stock(found['stock'])
    shutil.copyfile(ew.TABLE, os.path.join(found['ours'], 'accel', 'nets', 'loading.py'))
    return found


@pytest.fixture(scope='module')
def real_trees(tmp_path_factory):
    """Both trees with real networks that know marker frames."""
    folder = tmp_path_factory.mktemp('real')
    found = build_trees(folder)
    weights = ew.weights(folder / 'weights')
    for tree in found.values():
        ew.link_weights(weights, tree)
    return found


def own(space, side):
    """The workspace with output folders that belong to one side."""
    folder = space.folder / side
    return space._replace(aligned=folder / 'aligned', debug=folder / 'aligned_debug')


def extract(trees, side, space, typed=ANSWERS, *further, code=0, line='4', timeout=900):
    """Extract into a side's own folders. Return what was shown."""
    spoken = ew.words(own(space, side), '--cpu-only', *further, line=line)
    ended, shown = ew.run(trees[side], spoken, typed, PYTHON, timeout=timeout)
    assert ended == code and (side == 'stock' or 'Traceback' not in shown), shown
    return shown


def both(trees, space, typed=ANSWERS, *further, **options):
    return [extract(trees, side, space, typed, *further, **options) for side in SIDES]


def check_equal(space):
    """Same names, pixels and metadata on both sides. Return how many files there are, and how many are equal bytes."""
    count, same = 0, 0
    for place in ('aligned', 'debug'):
        stock, ours = (ew.files(getattr(own(space, side), place)) for side in SIDES)
        assert sorted(stock) == sorted(ours)
        for name in stock:
            count, same = count + 1, same + (stock[name] == ours[name])
            paths = [getattr(own(space, side), place) / name for side in SIDES]
            assert (ew.picture_at(paths[0]) == ew.picture_at(paths[1])).all(), name
            if place == 'aligned':
                check_metadata(*[ew.about(path) for path in paths])
    return count, same


def check_metadata(ref, comp):
    assert list(ref) == list(comp)
    for key, value in ref.items():
        assert type(comp[key]) is type(value)
        if isinstance(value, (str, type(None))):
            assert comp[key] == value
        elif key == 'source_rect':
            assert comp[key].dtype == value.dtype and (comp[key] == value).all()
        else:
            np.testing.assert_allclose(comp[key], value, rtol=1e-6, atol=1e-6)


# --- the networks -----------------------------------------------------------------------------

Kind = collections.namedtuple('Kind', 'size faces turn suffix look count')
ALPHA, GREY = 'alpha', 'grey'
KINDS = [Kind(*kind) for kind in (
    ((640, 480), 1, 0, '.png', None, 8), ((640, 480), 1, 0, '.jpg', None, 6), ((640, 480), 0, 0, '.jpg', None, 3),
    ((960, 540), 3, 0, '.png', None, 5), ((960, 540), 1, 0, '.jpg', None, 4), ((1280, 720), 3, 0, '.jpg', None, 4),
    ((1280, 720), 2, 0, '.png', None, 3), ((1920, 1080), 3, 0, '.jpg', None, 3), ((1920, 1080), 1, 0, '.png', None, 2),
    ((3840, 2160), 2, 0, '.jpg', None, 1), ((721, 405), 2, 0, '.png', None, 3), ((641, 481), 1, 0, '.png', None, 2),
    ((480, 640), 1, 0, '.jpg', None, 3), ((540, 961), 2, 0, '.png', None, 2), ((640, 480), 1, 90, '.jpg', None, 2),
    ((480, 640), 1, 90, '.png', None, 2), ((640, 480), 1, 180, '.jpg', None, 2), ((960, 540), 3, 180, '.png', None, 1),
    ((480, 640), 1, 270, '.png', None, 2), ((721, 405), 1, 270, '.jpg', None, 1), ((640, 480), 1, 0, '.png', ALPHA, 3),
    ((640, 480), 1, 90, '.png', ALPHA, 1), ((480, 360), 1, 0, '.png', GREY, 2), ((120, 400), 0, 0, '.png', None, 1))]


def write_marker_frames(folder, kinds, seed):
    """{file name: its Markers}; a grey frame shows nobody to these networks."""
    known = {}
    for kind in kinds:
        for _ in range(kind.count):
            number = len(known) + 1
            name = '{:05d}{}'.format(number, kind.suffix)
            known[name] = marker_frames.place(kind.size, kind.faces, seed + number, kind.turn)
            picture = marker_frames.draw_frame(kind.size, known[name], seed + number)
            if kind.look == GREY:
                picture, known[name] = picture[..., 1], []
            elif kind.look == ALPHA:
                picture = np.dstack([picture, picture[..., 0]])
            marker_frames.write(str(folder / name), marker_frames.encode(np.ascontiguousarray(picture), kind.suffix))
    return known


def marker_space(folder, kinds, seed=40):
    space = ew.Workspace(folder, folder / 'data_dst', None, None, None)
    known = write_marker_frames(space.frames, kinds, seed)
    return space, known


def test_the_networks_see_the_same_in_all_frames(real_trees, tmp_path, capsys):
    space, known = marker_space(tmp_path, KINDS)
    assert len(known) >= 60
    both(real_trees, space, '\n256\n\n', line='5')
    count, same = check_equal(space)
    faces = sum(len(markers) for markers in known.values())
    with capsys.disabled():
        print('\n{} frames, {} faces: {} files are equal, {} of them byte by byte'.format(
            len(known), faces, count, same))
    assert count == faces + len(known)
    for name, markers in known.items():
        paths = sorted(own(space, 'stock').aligned.glob(Path(name).stem + '_*.jpg'))
        found = [np.array(ew.about(path)['source_landmarks']) for path in paths]
        size = max((marker.scale for marker in markers), default=1)
        assert all(error < 3 * size for _, error in marker_frames.match(found, markers))


def test_the_networks_see_the_same_in_heads(real_trees, tmp_path):
    kinds = [Kind((640, 480), 1, 0, '.jpg', None, 2), Kind((960, 540), 3, 0, '.png', None, 1),
             Kind((480, 640), 1, 90, '.png', None, 1)]
    space, known = marker_space(tmp_path, kinds, seed=7)
    both(real_trees, space, 'head\n\n300\n\n\n')
    assert check_equal(space)[0] == sum(len(markers) for markers in known.values())


# --- all else ---------------------------------------------------------------------------------

SHOTS = [Shot(), Shot(faces=0), Shot((480, 270), 3), Shot((301, 203), 2), Shot(kind=ew.GREY),
         Shot(kind=ew.ALPHA, faces=2), Shot(turn=90), Shot((480, 270), 2, 180), Shot((270, 480), 2, 270),
         Shot((120, 300)), Shot((301, 203), 1, 90), Shot((203, 301), 1, 270), Shot((1921, 1081), 4),
         Shot(kind=ew.EMPTY), Shot(kind=ew.TEXT)]


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
    """A folder of stamped frames, jpg and png, some with the same stem."""
    space = ew.build_workspace(tmp_path_factory.mktemp('frames'), SHOTS)
    ew.build_workspace(space.folder, SHOTS[:12], '.jpg', first=101)
    names = ['00001.jpg', 'плёнка 1.png', 'a.b_2.jpg', 'c d.PNG', 'e.tif']
    ew.build_workspace(space.folder, [Shot(faces=2)] * 5, names=names, first=201)
    return space


def here(frames, folder):
    """The frames with output folders elsewhere."""
    return frames._replace(folder=folder)


@pytest.mark.parametrize('options', [
    ['--face-type', 'full_face', '--image-size', '200', '--jpeg-quality', '75'],
    ['--face-type', 'whole_face', '--image-size', '256', '--jpeg-quality', '100', '--max-faces-from-image', '1'],
    ['--face-type', 'head', '--image-size', '384', '--jpeg-quality', '90'],
    ['--face-type', 'mark_only', '--image-size', '256', '--jpeg-quality', '90'],
    ['--face-type', 'half_face', '--image-size', '128', '--jpeg-quality', '1', '--max-faces-from-image', '2']],
    ids=lambda options: options[1])
def test_all_types(trees, frames, tmp_path, options):
    space = here(frames, tmp_path)
    shown = both(trees, space, '\n\n\n', '--output-debug', *options)
    count, same = check_equal(space)
    assert count == same > 40                        # the same bytes: nothing but plain arithmetic is between
    for line in ('Images found: ', 'Faces detected: '):
        assert len({part.splitlines()[0] for part in (one.split(line)[1] for one in shown)}) == 1


@pytest.mark.parametrize('first', SIDES)
def test_a_folder_that_was_cut_short_is_gone_on_with(trees, tmp_path, first):
    """From 128 faces back, whoever made it; our record, where there is one, is left out."""
    space = ew.build_workspace(tmp_path, [Shot(faces=3, size=(300, 150))] * 60)
    extract(trees, first, space)
    place = own(space, first).aligned
    for path in list(place.glob('*.jpg')):
        if int(path.name[:5]) > 55:
            path.unlink()
    whole = ew.files(place)
    for side in SIDES:
        if side != first:
            shutil.copytree(str(place), str(own(space, side).aligned))
        with open(str(own(space, side).aligned / '00001_0.jpg'), 'wb') as stream:
            stream.write(b'far before the last 128')
        record = own(space, side).aligned / ew.RECORD
        if record.exists():
            record.unlink()
    shown = both(trees, space, 'y\n' + ANSWERS)
    assert all('Images found:        48' in one for one in shown), shown
    count, same = check_equal_but(space, '00001_0.jpg')
    assert count == same == 180 - 1 and len(whole) == 165


def check_equal_but(space, name):
    for side in SIDES:
        (own(space, side).aligned / name).unlink()
    return check_equal(space)


# --- questions --------------------------------------------------------------------------------

def asked(shown):
    """What is shown up to the first frame: questions, answers and choices; not what else one of both says."""
    lines = shown.split('Extracting faces...')[0].split('Running on')[0].splitlines()
    return [line for line in lines if ' : ' in line or line.startswith(('[', 'Choose'))]


@pytest.mark.parametrize('typed', ['', '\n\n\n\n\n\n\n', 'f\n2\n300\n70\n0\ny\n', '?\nhead\n?\n\n?\n\n?\n\n\nn\n',
                                   'x\nwf\nx\n99\n0\n-3\n?\n'], ids=repr)
def test_questions_without_earlier_faces(trees, tmp_path, typed):
    space = ew.build_workspace(tmp_path, 2)
    shown = []
    for side in SIDES:
        spoken = ['extract', '--input-dir', str(space.frames), '--output-dir', str(own(space, side).aligned)]
        ended, told = ew.run(trees[side], spoken, typed, PYTHON, timeout=120)     # without a GPU no device is asked
        assert ended == 0 and 'Extracting faces...' in told, told
        shown.append(told)
    assert asked(shown[0]) == asked(shown[1]) and len(asked(shown[0])) >= 8
    check_equal(space)


@pytest.mark.parametrize('count, typed', [(128, '\n'), (129, 'y\n'), (129, 'n\n\n'), (150, '')])
def test_questions_about_earlier_faces(trees, tmp_path, count, typed):
    space = ew.build_workspace(tmp_path, [Shot((130, 130))] * 130)
    for side in SIDES:
        own(space, side).aligned.mkdir(parents=True)
        for number in range(count):
            (own(space, side).aligned / '{:05d}_{}.jpg'.format(number % 130 + 1, number // 130)).write_bytes(b'a face')
    shown = both(trees, space, typed + ANSWERS if typed else '')
    assert [asked(one) for one in shown][0] == asked(shown[1])
    assert ('Continue extraction?' in shown[0]) == (count > 128)
    assert len({'contains files!' in one for one in shown}) == 1
    stock, ours = (ew.files(own(space, side).aligned) for side in SIDES)
    assert stock == ours and len(stock) >= 130
