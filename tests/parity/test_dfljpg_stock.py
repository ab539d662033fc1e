"""Our DFLJPG against stock's, call by call and byte by byte: DFL_STOCK=<a DeepFaceLab tree>.

Both run in the interpreter DFL_STOCK_PYTHON (by default this one), ours with stock's core around it.
"""
import glob
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
PROGRAM = os.path.join(os.path.dirname(TESTS), 'DeepFaceLab')


def play(folder, imported_from):
    """Return what the session printed."""
    python = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
    words = [python, os.path.join(HERE, 'dfljpg_session.py'), str(folder)] + imported_from
    return json.loads(subprocess.check_output(words).decode().rpartition('STORIES ')[2])


def make_faces(folder):
    """Golden faces, and files of other kinds that stock reads or refuses."""
    folder.mkdir()
    golden = sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg')))
    for path in golden[::3]:
        shutil.copyfile(path, str(folder / os.path.basename(path)))
    image = np.random.RandomState(0).randint(0, 255, (60, 50, 3)).astype(np.uint8)
    with open(golden[0], 'rb') as file:
        face = file.read()
    kinds = {
        'plain.jpg': cv2.imencode('.jpg', image)[1].tobytes(),
        'grey.jpg': cv2.imencode('.jpg', image[..., 0])[1].tobytes(),
        'progressive.jpg': cv2.imencode('.jpg', image, [int(cv2.IMWRITE_JPEG_PROGRESSIVE), 1])[1].tobytes(),
        'other app.jpg': face[:2] + b'\xff\xe1\x00\x08Exif\x00\x00' + face[2:],
        'png.jpg': cv2.imencode('.png', image)[1].tobytes(),
        'picture.png': cv2.imencode('.png', image)[1].tobytes(),
        'text.jpg': b'hello', 'cut in its metadata.jpg': face[:3000],
    }
    for name, data in kinds.items():
        (folder / name).write_bytes(data)


if os.environ.get('DFL_STOCK'):
    def test_stock_and_ours_tell_the_same_story(tmp_path):
        stock = os.environ['DFL_STOCK']
        make_faces(tmp_path / 'a')
        make_faces(tmp_path / 'b')
        ref = play(tmp_path / 'a', [stock])
        comp = play(tmp_path / 'b', [PROGRAM, stock])
        assert sorted(ref) == sorted(comp)
        for name in ref:
            assert ref[name] == comp[name], name
        assert sum(story != [None] for story in ref.values()) >= 18
