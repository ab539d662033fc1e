"""Every sort method end to end through the engine, and what it does with files that are no faces."""
import os

import cv2
import numpy as np
import pytest

from accel import dfl_jpeg, safe_pickle
from accel.ranking import faces, metadata
from benchmarks.workspace import make_faceset
from mainscripts import Sorter
from naive import metadata as naive_metadata
from naive import sort as naive_sort

OPTIONS = [(method, {}) for method in Sorter.sort_func_methods if method != 'absdiff'] + [
    ('absdiff', {'similar': True}), ('absdiff', {'similar': False}), ('final', {'target_count': 12}),
    ('final-fast', {'target_count': 200})]


@pytest.fixture(scope='module')
def faceset(tmp_path_factory):
    """Faces with ties, pictures without metadata and PNGs, a face cut short, and files that no program can read."""
    folder = tmp_path_factory.mktemp('faceset') / 'aligned'
    make_faceset(str(folder), 40, seed=11, size=96, ties=True, non_dfl=2, png=2)
    (folder / '90000_0.jpg').write_bytes(b'')
    (folder / '90001_0.jpg').write_bytes((folder / sorted(os.listdir(str(folder)))[0]).read_bytes()[:7000])
    (folder / '90002_0.png').write_bytes(b'not a picture')
    (folder / 'notes.txt').write_text('stays')
    return folder


@pytest.mark.parametrize('method, options', OPTIONS)
def test_orders_are_the_oracles(faceset, method, options):
    naive_options = {'target' if key == 'target_count' else key: value for key, value in options.items()}
    ref, ref_trashed = naive_sort.rank(method, faceset, **naive_options)
    kept, trashed = Sorter.sort_func_methods[method][1](faceset, **options)
    assert [os.path.basename(entry[0]) for entry in kept] == ref
    assert sorted(os.path.basename(entry[0]) for entry in trashed) == sorted(ref_trashed)


def write_face(path, image, **values):
    encoded = cv2.imencode('.jpg', image)[1].tobytes()
    path.write_bytes(dfl_jpeg.replace_metadata(encoded, dict(values)) if values else encoded)
    return str(path)


GREY = np.full((40, 40, 3), 90, np.uint8)


def test_faces_without_what_a_method_needs_are_trashed_with_a_reason(tmp_path, capsys):
    path = write_face(tmp_path / 'a.jpg', GREY, face_type='whole_face')
    for rank, key in [(metadata.rank_face_yaw, 'landmarks'), (metadata.rank_source_rect_size, 'source_rect'),
                      (metadata.rank_origname, 'source_filename')]:
        ranking = rank([path])
        assert ranking.ordered == []
        assert ranking.trashed == [(path, "a.jpg has no '{}' in its metadata".format(key))]
        assert "a.jpg has no '{}'".format(key) in capsys.readouterr().out


def test_an_unsafe_pickle_is_no_face_and_stops_nothing(tmp_path, capsys):
    good = write_face(tmp_path / 'good.jpg', GREY, source_filename='b.png')
    evil = b"cos\nsystem\n(S'exit 1'\ntR."
    encoded = cv2.imencode('.jpg', GREY)[1].tobytes()
    bad = tmp_path / 'bad.jpg'
    bad.write_bytes(encoded[:2] + b'\xff\xef' + (len(evil) + 2).to_bytes(2, 'big') + evil + encoded[2:])
    with pytest.raises(safe_pickle.UnsafePickleError):
        dfl_jpeg.read_metadata(str(bad))
    ranking = metadata.rank_origname([str(bad), good])
    assert ranking.ordered == [(good, 'b.png')]
    assert [path for path, _ in ranking.trashed] == [str(bad)]
    assert 'bad.jpg is not a dfl image file' in capsys.readouterr().out
    kept, trashed = Sorter.sort_by_hist_dissim(tmp_path)
    assert [entry[0] for entry in kept] == [str(bad)]  # ranked by its pixels, as stock ranks other pictures
    assert [entry[0] for entry in trashed] == [good]
    assert 'bad.jpg is not a dfl image file' in capsys.readouterr().out


@pytest.mark.parametrize('suffix', ['.jpg', '.JPG', '.jpeg', '.JPEG'])
def test_every_spelling_of_jpg_is_a_face(tmp_path, suffix):
    path = write_face(tmp_path / ('a' + suffix), GREY, source_filename='x.png')
    assert faces.read_metadata(path).data == {'source_filename': 'x.png'}


@pytest.mark.parametrize('names, kept', [
    (['1_0', '2_0'], None),
    (['1_0', '1_1', '2_0', 'other', '3_4'], ['2_0', '3_4', 'other']),
    (['00001_0', '1_0', '2_0_0', '1_x', '\u00b2_0'], ['1_x', '2_0_0', '\u00b2_0']),
])
def test_one_face_in_image(names, kept):
    paths = ['{}.jpg'.format(name) for name in sorted(names)]
    ranking = metadata.rank_oneface(paths)
    ref_kept, ref_trashed = naive_metadata.one_face(paths)
    if kept is None:
        assert (ranking.ordered, ranking.trashed) == ([], []) and ref_kept is None
    else:
        assert [path for path, _ in ranking.ordered] == ref_kept == ['{}.jpg'.format(name) for name in kept]
        assert [path for path, _ in ranking.trashed] == ref_trashed


def test_landmarks_without_a_pose_are_trashed(tmp_path):
    path = write_face(tmp_path / 'a.jpg', GREY, landmarks=[[float('nan')] * 2] * 68)
    ranking = metadata.rank_face_pitch([path])
    assert ranking.ordered == [] and ranking.trashed[0][0] == path


def test_best_faces_trashes_grey_pictures_as_stock_does(tmp_path):
    points = np.random.RandomState(1).randint(5, 35, (68, 2)).tolist()
    colour = write_face(tmp_path / 'a.jpg', GREY, landmarks=points, source_rect=[0, 0, 9, 9])
    grey = write_face(tmp_path / 'b.jpg', GREY[..., 0], landmarks=points, source_rect=[0, 0, 9, 9])
    kept, trashed = Sorter.sort_best_faster(tmp_path, target_count=5)
    assert [entry[0] for entry in kept] == [colour]
    assert [entry[0] for entry in trashed] == [grey]


def test_a_missing_package_sends_no_face_to_trash(faceset):
    def without_package(path):
        raise ModuleNotFoundError("No module named 'numba'", name='numba')
    paths = [str(path) for path in sorted(faceset.iterdir())]
    with pytest.raises(ModuleNotFoundError):
        faces.measure(paths, without_package)
