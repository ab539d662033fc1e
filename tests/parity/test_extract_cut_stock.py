"""Our cutting and drawing of faces against stock's stages, file by file: DFL_STOCK=<a DeepFaceLab tree>.

Stock runs in the interpreter DFL_STOCK_PYTHON (by default this one), ours in that one and in the running one: with
equal OpenCV and numpy all bytes are equal; with others the numbers are within 1e-4 and the pictures look the same.
"""
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from naive import dfl_jpeg as naive_jpeg
from program import PROGRAM

HERE = os.path.dirname(os.path.abspath(__file__))
STOCK = os.environ.get('DFL_STOCK')
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
PRINT_VERSIONS = 'import cv2, numpy; print(cv2.__version__, numpy.__version__)'
# How far pictures made by two versions of OpenCV may lie apart: in the mean, and by more than LEVELS in a share of
# the pixels, which for debug images are the edges of strokes.
MEAN, LEVELS, SHARE = 2, 50, {False: 1e-4, True: 0.02}


def play(side, folder, python=STOCK_PYTHON):
    """Run the session. Return {path below the folder: bytes} of what it left."""
    words = [python, '-W', 'ignore', os.path.join(HERE, 'extract_cut_session.py'), side, str(folder),
             {'stock': STOCK, 'ours': PROGRAM}[side]]
    subprocess.check_output(words, stdin=subprocess.DEVNULL)
    return {str(path.relative_to(str(folder))): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def versions(python):
    return subprocess.check_output([python, '-c', PRINT_VERSIONS])


def decoded(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).astype(int)


def check_file(name, ref, comp):
    """Hold files made by two versions of OpenCV to what they have in common."""
    if name.endswith('.json'):
        assert json.loads(ref.decode()) == json.loads(comp.decode()), name
        return
    off = np.abs(decoded(ref) - decoded(comp))
    assert off.mean() <= MEAN and (off > LEVELS).mean() <= SHARE['debug' in name], (name, off.mean(), off.max())
    data, our_data = naive_jpeg.metadata(ref)[1], naive_jpeg.metadata(comp)[1]
    assert list(data) == list(our_data), name
    for key, value in data.items():
        if isinstance(value, str):
            assert value == our_data[key], (name, key)
        else:
            np.testing.assert_allclose(our_data[key], value, rtol=1e-4, atol=1e-4, err_msg=name + key)


if STOCK:
    @pytest.fixture(scope='module')
    def by_stock(tmp_path_factory):
        return play('stock', tmp_path_factory.mktemp('cut') / 'stock')

    def test_every_file_equals_stocks(by_stock, tmp_path):
        ours = play('ours', tmp_path / 'ours')
        assert sorted(ours) == sorted(by_stock)
        assert sum(name.endswith('_0.jpg') for name in ours) > 20
        for name in by_stock:
            assert ours[name] == by_stock[name], name

    def test_the_running_opencv_comes_near(by_stock, tmp_path):
        ours = play('ours', tmp_path / 'ours', sys.executable)
        assert sorted(ours) == sorted(by_stock)
        is_same = versions(sys.executable) == versions(STOCK_PYTHON)
        for name in by_stock:
            if is_same:
                assert ours[name] == by_stock[name], name
            else:
                check_file(name, by_stock[name], ours[name])
