"""Stock's own `main.py sort` and ours on copies of one generated folder: the results, byte by byte.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] [DFL_INSTALLED=path/of/DeepFaceLab] \\
        python -m pytest tests/parity/test_sort_stock.py

DFL_INSTALLED: a tree on which install was run; it takes the place of the repository, and runs in stock's Python.

DFL_STOCK_PYTHON (default: the running Python) runs stock; it needs stock's packages, TensorFlow and h5py too.
Stock's worker processes hand in results as they finish, so its order of equal values is random; it is told
here that the machine has one processor, and then works through the files by name. Nothing else is changed.

Equality is exact where both sides run the same OpenCV. Another one may turn a face by 1e-4 rad (its pose
solver stops elsewhere), which can swap two faces: the four methods that use the pose are then compared by
their values.
"""
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from accel import dfl_jpeg
from benchmarks import workspace
from naive import metadata as naive_metadata

STOCK = Path(os.environ['DFL_STOCK'])
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
INSTALLED = os.environ.get('DFL_INSTALLED')
OURS = Path(INSTALLED or Path(__file__).resolve().parent.parent.parent / 'DeepFaceLab')
OUR_PYTHON = STOCK_PYTHON if INSTALLED else sys.executable

ONE_PROCESSOR = '''
import multiprocessing, os, runpy, sys
multiprocessing.cpu_count = lambda: 1
sys.argv.pop(0)
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name='__main__')
'''

POSE_TOLERANCE = 1e-4

METHODS = ['blur', 'motion-blur', 'face-yaw', 'face-pitch', 'face-source-rect-size', 'hist', 'hist-dissim',
           'brightness', 'hue', 'black', 'origname', 'oneface', 'absdiff', 'final', 'final-fast']
# a method and what is typed at its own question
CASES = [('blur', ''), ('motion-blur', ''), ('face-yaw', ''), ('face-pitch', ''),
         ('face-source-rect-size', ''), ('hist', ''), ('hist-dissim', ''), ('brightness', ''), ('hue', ''),
         ('black', ''), ('origname', ''), ('oneface', ''), ('final', '2000'), ('final', '256'),
         ('final-fast', '2000'), ('final-fast', '130')]
USING_POSE = ('face-yaw', 'face-pitch', 'final', 'final-fast')


@pytest.fixture(scope='module')
def faceset(tmp_path_factory):
    """330 faces of three sizes, with ties, metadata of every kind, and files without any."""
    folder = tmp_path_factory.mktemp('faces') / 'aligned'
    workspace.make_faceset(str(folder), 330, seed=11, sizes=[96, 128, 160], quality=95, ties=True, non_dfl=6,
                           png=6, xseg_every=7, polys_every=11)
    return folder


@pytest.fixture(scope='module')
def one_size(tmp_path_factory):
    """60 different faces of one size: absdiff takes no other, and stock leaves its ties undefined."""
    folder = tmp_path_factory.mktemp('one_size') / 'aligned'
    workspace.make_faceset(str(folder), 60, seed=12, size=96)
    return folder


@pytest.fixture(scope='module')
def odd_files(tmp_path_factory):
    """Faces among images of other depths and channels that stock's hist, hist-dissim and black can read."""
    folder = tmp_path_factory.mktemp('odd') / 'aligned'
    names = workspace.make_faceset(str(folder), 24, seed=13, size=96)
    image = cv2.imread(str(folder / names[0]))
    cv2.imwrite(str(folder / 'alpha.png'), np.dstack([image, image[..., 0]]))
    cv2.imwrite(str(folder / 'deep.png'), image.astype(np.uint16) * 30)
    cv2.imwrite(str(folder / 'pixel.png'), image[40:41, 40:41])
    return folder


@pytest.fixture(scope='module')
def grey_face(tmp_path_factory):
    """Faces of which one is a grey JPG: stock's loader of the best faces cannot take it, and trashes it."""
    folder = tmp_path_factory.mktemp('grey') / 'aligned'
    names = workspace.make_faceset(str(folder), 24, seed=14, size=96)
    grey = cv2.imencode('.jpg', cv2.imread(str(folder / names[5]), cv2.IMREAD_GRAYSCALE))[1].tobytes()
    metadata = naive_metadata.read_metadata(folder / names[5])[1]
    (folder / names[5]).write_bytes(dfl_jpeg.replace_metadata(grey, metadata))
    return folder


@pytest.fixture(scope='module')
def same_opencv():
    version = subprocess.check_output([STOCK_PYTHON, '-c', 'import cv2; print(cv2.__version__)'])
    return version.decode().strip() == cv2.__version__


def sorted_by(command, folder, copy, method, typed):
    """Run `COMMAND sort` on a copy of the folder: {'kept' or 'trash': {name: content}}.

    The method is chosen by its number, as users do (stock's --by does not know all of them).
    """
    workspace.copy_faceset(str(folder), str(copy))
    typed = '{}\n{}\n'.format(METHODS.index(method), typed)
    environment = dict(os.environ, CUDA_VISIBLE_DEVICES='-1', TF_CPP_MIN_LOG_LEVEL='3')
    run = subprocess.run(command + ['sort', '--input-dir', str(copy)], input=typed.encode(),
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
                         cwd=str(copy.parent))
    assert run.returncode == 0, run.stdout.decode(errors='replace')
    trash = copy.parent / (copy.stem + '_trash')
    return {'kept': contents(copy), 'trash': contents(trash) if trash.is_dir() else {}}


def contents(folder):
    """{name: bytes} of the images of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())
            if path.suffix.lower() in ('.jpg', '.png')}


def both(tmp_path, folder, method, typed):
    results = []
    for name, command in (('stock', [STOCK_PYTHON, '-c', ONE_PROCESSOR, str(STOCK / 'main.py')]),
                          ('ours', [OUR_PYTHON, str(OURS / 'main.py')])):
        (tmp_path / name).mkdir()
        results.append(sorted_by(command, folder, tmp_path / name / 'aligned', method, typed))
    return results


def assert_nothing_lost(result, folder):
    everything = sorted(list(result['kept'].values()) + list(result['trash'].values()))
    assert everything == sorted(contents(folder).values())


def assert_equal(ref, comp):
    for part in ('kept', 'trash'):
        assert list(comp[part]) == list(ref[part])
        different = [name for name in ref[part] if ref[part][name] != comp[part][name]]
        assert not different


@pytest.mark.parametrize('method, typed', CASES, ids=['-'.join(filter(None, case)) for case in CASES])
def test_folders_are_equal(tmp_path, faceset, same_opencv, method, typed):
    ref, comp = both(tmp_path, faceset, method, typed)
    assert_nothing_lost(ref, faceset)
    assert_nothing_lost(comp, faceset)
    if same_opencv or method not in USING_POSE:
        assert_equal(ref, comp)
    elif method.startswith('face'):
        assert comp['trash'] == ref['trash']
        values = [pose_values(tmp_path / name, method) for name in ('ours', 'stock')]
        assert values[0] == pytest.approx(values[1], abs=2 * POSE_TOLERANCE)
    else:  # a face at the edge of a cell of the grid may change cells
        assert len(comp['kept']) == len(ref['kept'])
        swapped = set(comp['kept'].values()) ^ set(ref['kept'].values())
        assert len(swapped) <= 0.02 * len(contents(faceset))


def pose_values(root, method):
    angle = ('face-pitch', 'face-yaw').index(method)
    return [naive_metadata.pose(root / 'aligned' / name)[angle] for name in contents(root / 'aligned')]


@pytest.mark.parametrize('similar', ['y', 'n'])
def test_absdiff_of_one_size(tmp_path, one_size, similar):
    ref, comp = both(tmp_path, one_size, 'absdiff', similar)
    assert_nothing_lost(ref, one_size)
    assert_equal(ref, comp)


@pytest.mark.parametrize('method', ['hist', 'hist-dissim', 'black'])
def test_images_of_other_depths_and_channels(tmp_path, odd_files, method):
    ref, comp = both(tmp_path, odd_files, method, '')
    assert_nothing_lost(ref, odd_files)
    assert_equal(ref, comp)


@pytest.mark.parametrize('method', ['final', 'final-fast'])
def test_a_grey_face_is_not_among_the_best(tmp_path, grey_face, method):
    ref, comp = both(tmp_path, grey_face, method, '256')
    assert len(ref['trash']) >= 1
    assert list(comp['trash']) == list(ref['trash'])
