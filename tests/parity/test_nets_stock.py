"""Stock's own S3FDExtractor and FANExtractor and ours, on the same weights and pictures, in stock's Python.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] python -m pytest tests/parity/test_nets_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs both sides; it needs stock's packages. Both get a copy of the stock
tree, ours with the overlay laid over it, and weights into facelib: noise made from the names, which makes the most of
every layer, and those that know the faces of benchmarks/marker_frames.py.
"""
import os
import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest
from benchmarks import marker_frames, marker_networks, merge_trees, stock_tree

HERE = os.path.dirname(os.path.abspath(__file__))
STOCK = os.environ['DFL_STOCK']
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
GOLDEN = os.path.join(os.path.dirname(HERE), 'data', 'nets', 'frame.png')
FILES = ('S3FD.npy', '2DFAN.npy', '3DFAN.npy')
OUTPUTS, PIXELS = 1e-4, 1e-3          # how far outputs of networks and landmarks may be apart

# Rectangles within the golden frame of 320x240 px, across its border, beside it, far off, and none at all.
GIVEN = [(60, 30, 180, 170), (10, 10, 90, 110), (-40, -30, 90, 80), (250, 150, 420, 330), (0, 0, 320, 240),
         (5, 5, 7, 8), (-60, 20, -40, 40), (350, 20, 380, 50), (20, 270, 50, 300), (-31, 0, -11, 20),
         (5000, 10, 5040, 50), (-5000, -5000, -4900, -4900), (9, 9, 9, 9), (90, 90, 40, 40), (90, 20, 80, 200),
         (-10 ** 7, 0, 10 ** 7, 9)]


def seeded():
    frame = cv2.imread(GOLDEN)
    rgb = frame[..., ::-1]
    sizes = [(160, 120), (320, 180), (64, 36), (33, 65), (160, 10), (20, 64), (65, 1)]
    return {'frames': {'golden': frame, 'small': cv2.resize(frame, (128, 140)), 'wide': cv2.resize(frame, (1400, 300))},
            'seen': {'{}x{}'.format(*size): cv2.resize(rgb, size) for size in sizes},
            'crops': np.stack([cv2.resize(rgb, (256, 256)), cv2.resize(rgb[60:, 90:], (256, 256))]),
            'rects': {'golden': GIVEN}, 'three_d': False}


def markers():
    frames = {}
    for number, (size, count) in enumerate([((960, 540), 3), ((1366, 768), 2), ((1920, 1080), 3), ((641, 479), 1)]):
        frames['{}x{}'.format(*size)] = marker_frames.draw_frame(size, marker_frames.place(size, count, number), number)
    close = [marker_frames.Marker(250 + 60 * number, 240, 5 * number, 1.0) for number in range(3)]
    frames['on top of each other'] = marker_frames.draw_frame((640, 480), close)
    frames['cut off'] = marker_frames.draw_frame((640, 480), [marker_frames.Marker(20, 240, 0, 1.0)], 4)
    frames['none'] = marker_frames.draw_frame((640, 480), [], 5)
    rgb = frames['960x540'][..., ::-1]
    return {'frames': frames, 'seen': {'half': cv2.resize(rgb, (480, 270))},
            'crops': np.stack([cv2.resize(rgb[:256, :256], (256, 256))]), 'rects': {}, 'three_d': False}


def markers_in_3d():
    pictures = markers()
    name = '960x540'
    return dict(pictures, three_d=True, frames={name: pictures['frames'][name]})


def write_seeded(folder):
    os.makedirs(folder)
    for name in FILES:
        layout = marker_networks.detector_layout() if name == 'S3FD.npy' else marker_networks.aligner_layout()
        marker_networks.save(os.path.join(folder, name), marker_networks.seeded_weights(layout))


KINDS = {'seeded': (seeded, write_seeded), 'markers': (markers, marker_networks.write),
         'markers, 3D': (markers_in_3d, marker_networks.write)}


@pytest.fixture(scope='module', params=sorted(KINDS))
def told(request, tmp_path_factory):
    """(kind of weights, the pictures, what stock said, what ours said)."""
    folder = tmp_path_factory.mktemp('nets')
    make, write = KINDS[request.param]
    pictures, results = make(), []
    write(str(folder / 'weights'))
    (folder / 'pictures').write_bytes(pickle.dumps(pictures, 4))
    for side in ('stock', 'ours'):
        tree = merge_trees.copy_tree(STOCK, str(folder / side), overlay=side == 'ours')
        for name in FILES:
            path = os.path.join(tree, 'facelib', name)
            if os.path.exists(path):
                os.remove(path)
            stock_tree.place(str(folder / 'weights' / name), path)
        subprocess.check_call([STOCK_PYTHON, '-W', 'ignore', os.path.join(HERE, 'nets_session.py'), tree,
                               str(folder / 'pictures'), str(folder / (side + '.result'))],
                              stdin=subprocess.DEVNULL, env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3'))
        results.append(pickle.loads((folder / (side + '.result')).read_bytes()))
    return (request.param, pictures) + tuple(results)


def test_signatures(told):
    _, _, ref, comp = told
    assert comp['signatures'] == ref['signatures'] and len(ref['signatures']) == 6


def is_near(ref, comp):
    """Whether outputs are within 1e-4, of the largest one where that is above 1."""
    return ref.shape == comp.shape and ref.dtype == comp.dtype and (
        not ref.size or np.abs(ref - comp).max() <= OUTPUTS * max(1.0, np.abs(ref).max()))


def test_outputs_of_the_networks(told):
    _, pictures, ref, comp = told
    assert sorted(ref['outputs']) == sorted(comp['outputs']) == sorted(pictures['seen'])
    for name, outputs in ref['outputs'].items():
        assert len(outputs) == len(comp['outputs'][name]) == 12
        assert all(is_near(one, other) for one, other in zip(outputs, comp['outputs'][name])), name
    assert len(ref['maps']) == len(comp['maps']) == len(pictures['crops'])
    for one, other in zip(ref['maps'], comp['maps']):
        assert is_near(one, other)
        assert (one.reshape(68, -1).argmax(axis=1) == other.reshape(68, -1).argmax(axis=1)).all()


@pytest.mark.parametrize('asked', ['rects', 'rects of RGB', 'apart'])
def test_rectangles(told, asked):
    kind, pictures, ref, comp = told
    ref, comp = ref[asked], comp[asked]
    assert sorted(ref) == sorted(comp) == sorted(pictures['frames'])
    for name, rects in ref.items():
        assert type(comp[name]) is type(rects) is list
        assert [type(rect) for rect in comp[name]] == [type(rect) for rect in rects]
        assert {type(edge) for rect in comp[name] for edge in rect} <= {int}
        if kind != 'seeded':
            assert comp[name] == rects, name
        else:
            assert len(comp[name]) == len(rects) > 4
            np.testing.assert_allclose(np.array(comp[name], float), np.array(rects, float), rtol=OUTPUTS, atol=2)
    if kind == 'markers' and asked == 'rects':
        assert [len(ref[name]) for name in ('960x540', '1366x768', '1920x1080', '641x479', 'none')] == [3, 2, 3, 1, 0]


def test_landmarks(told):
    kind, _, ref, comp = told
    ref, comp = ref['marks'], comp['marks']
    assert ref.pop('nothing') == comp.pop('nothing') == [[], []]
    assert sorted(ref, key=str) == sorted(comp, key=str)
    for name, faces in ref.items():
        assert type(faces) is type(comp[name]) is list
        assert [points is None for points in faces] == [points is None for points in comp[name]], name
        for one, other in zip(faces, comp[name]):
            if one is not None:
                assert one.dtype == other.dtype == np.float64 and one.shape == other.shape == (68, 2)
                # absurd rectangles of noise differ by 1e-5 of their size
                far = 1e-5 * np.abs(one).max() if kind == 'seeded' and 'found' in name[1] else 0
                assert np.abs(one - other).max() <= max(PIXELS, far), name
    if kind != 'seeded':
        first, second = ref['960x540', 'found'], ref['960x540', 'found, looked at twice']
        assert len(first) == 3 and all((one != other).any() for one, other in zip(first, second))
        marks = marker_frames.place((960, 540), 3, 0)
        pairs = marker_frames.match(second, marks, three_d=kind == 'markers, 3D')
        assert all(off < marker_frames.TOLERANCE for _, off in pairs)
    else:
        given = [points is None for points in ref['golden', 'given']]
        assert given[:6] == [False] * 6 and given[6:9] == [True] * 3 and given[12:14] == [True] * 2
        assert given[9:12] == [False] * 3       # seen as black
        assert ref['golden', 'five times'][9] is None
        assert ref['golden', 'again: one'][0].tolist() != ref['golden', 'given'][0].tolist()


def test_what_a_second_detector_is_shown(told):
    """Faces turned upright, as RGB; only what the first look has found."""
    _, _, ref, comp = told
    for name, calls in ref['asked'].items():
        assert len(calls) == len(comp['asked'][name]) == 4
        for (picture, *options), (our_picture, *our_options) in zip(calls, comp['asked'][name]):
            assert options == our_options and (picture == our_picture).all() and picture.dtype == our_picture.dtype
