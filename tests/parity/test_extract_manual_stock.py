"""Stock's own manual pass and ours, with the same scripts of keys and mouse: what is marked, and what is shown.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] python -m pytest tests/parity/test_extract_manual_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs stock; it needs stock's packages. Pictures are compared where its
OpenCV and Pillow are those of the running Python.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import marking_script as ms
import numpy as np
import pytest
from benchmarks import portrait_frames
from marking_player import Item, play

STOCK = os.environ['DFL_STOCK']
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
VERSIONS = 'import cv2, PIL; print(cv2.__version__, PIL.__version__)'
SAME_VERSIONS = len({subprocess.check_output([python, '-c', VERSIONS])
                     for python in (STOCK_PYTHON, sys.executable)}) == 1
FULL, FULL_NO_ALIGN, WHOLE_FACE, HEAD = 2, 3, 4, 10

CASES = {name: (script, 'even', 0, WHOLE_FACE, 512) for name, script in ms.SCRIPTS.items()}
CASES.update({'random {}'.format(seed): (ms.random_script(seed, (400, 225)), frames, size, face_type, 256)
              for seed, frames, size, face_type in [(0, 'odd', 400, HEAD), (1, 'even', 400, FULL),
                                                    (2, 'odd', 400, FULL_NO_ALIGN), (3, 'even', 1368, WHOLE_FACE),
                                                    (4, 'odd', 0, WHOLE_FACE), (5, 'even', 0, HEAD)]})


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
    """{kind of frames: paths}: of one size, or all different: odd sides, grey, with alpha, low."""
    folder = tmp_path_factory.mktemp('frames')
    pictures = {'even': [], 'odd': []}
    shot = portrait_frames.Shot((320, 180))
    pictures['even'] = [shot.frame(step)[0] for step in range(4)]
    for number, size in enumerate([(321, 181), (240, 135), (150, 200), (200, 60)]):
        picture = portrait_frames.Shot(size, seed=number).frame(0)[0]
        pictures['odd'].append([picture, picture[..., 1], np.dstack([picture, picture[..., 0]]), picture][number])
    paths = {}
    for kind, made in pictures.items():
        paths[kind] = [str(folder / '{} {}.png'.format(kind, number)) for number in range(len(made))]
        for path, picture in zip(paths[kind], made):
            assert cv2.imwrite(path, picture)
    return paths


@pytest.fixture(scope='module')
def stock(frames, tmp_path_factory):
    """Return the folder in which stock has left each case."""
    folder = tmp_path_factory.mktemp('stock')
    jobs = [{'script': script, 'frames': frames[kind], 'window_size': window_size, 'face_type': face_type,
             'image_size': image_size, 'folder': str(folder / name)}
            for name, (script, kind, window_size, face_type, image_size) in CASES.items()]
    (folder / 'jobs.json').write_text(json.dumps(jobs))
    session = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'marking_session.py')
    subprocess.check_call([STOCK_PYTHON, session, STOCK, str(folder / 'jobs.json')])
    return folder


@pytest.mark.parametrize('name', sorted(CASES))
def test_marks_and_pictures_are_those_of_stock(name, frames, stock):
    script, kind, window_size, face_type, image_size = CASES[name]
    ref = json.loads((stock / name / 'marked.json').read_text())
    landmarks = ms.Landmarks()
    items = [Item(Path(path)) for path in frames[kind]]
    marked, window, progress = play(items, script, landmarks, face_type, image_size, window_size)
    comp = [[item.filepath.name, [list(rect) for rect in item.rects], [str(points.dtype) for points in item.landmarks]]
            for item in marked]
    assert comp == [[file, rects, dtypes] for file, rects, _, dtypes in ref['marked']]
    assert landmarks.calls == ref['calls'] and progress == ref['progress']
    for item, (_, _, points, _) in zip(marked, ref['marked']):
        np.testing.assert_allclose(np.array(item.landmarks), np.array(points), rtol=0,
                                   atol=0 if SAME_VERSIONS else 1e-3)
    if SAME_VERSIONS:
        shown = sorted((stock / name).glob('*.npy'))
        assert len(shown) == len(window.shown) >= 2
        for path, picture in zip(shown, window.shown):
            assert np.array_equal(picture, np.load(str(path))), path.name
