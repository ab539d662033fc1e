"""Our SampleLoader and Sample against stock's, field by field and bit by bit: DFL_STOCK=<a DeepFaceLab tree>.

Both run in the interpreter DFL_STOCK_PYTHON (by default this one), ours with all of stock around it.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import packed_workspace as pw
import training_faces as make

from accel.training import quick_packed

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
PROGRAM = os.path.join(os.path.dirname(TESTS), 'DeepFaceLab')


def play(folder, tree):
    """Return (stories, the files that it called none) of a session."""
    python = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
    words = [python, os.path.join(HERE, 'loading_session.py'), str(folder), str(tree)]
    said = subprocess.check_output(words, stderr=subprocess.DEVNULL).decode()
    return (json.loads(said.rpartition('STORIES ')[2]),
            sorted(re.findall(r'FaceSamplesLoader: (.*?) is not a dfl image file', said)))


def tree_with_overlay(stock, place):
    """Return a copy of stock's tree with our files laid over it."""
    shutil.copytree(stock, str(place), symlinks=True, ignore=shutil.ignore_patterns('.git', '__pycache__', 'doc'))
    for folder, _, names in os.walk(PROGRAM):
        for name in names:
            if name.endswith('.py'):
                target = os.path.join(str(place), os.path.relpath(folder, PROGRAM))
                os.makedirs(target, exist_ok=True)
                shutil.copyfile(os.path.join(folder, name), os.path.join(target, name))
    return place


def pack(folder, tree):
    """Make a faceset.pak of persons with masks and polygons by the PackedFaceset of a tree; it is read quickly."""
    folder.mkdir()
    pw.fill(folder / 'Боб', 13)
    pw.fill(folder / 'anna b', 30)
    python = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
    words = [python, os.path.join(HERE, 'packing_session.py'), 'pack', str(folder), str(tree)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said = process.communicate(b'y\ny\n')[0]
    assert process.returncode == 0, said
    table = quick_packed.read(folder / 'faceset.pak').table()
    assert len(table) == 43 and not (folder / 'anna b').exists()
    assert {face.person_name for face in table} == {'Боб', 'anna b'}
    assert sum(face.mask is not None for face in table) == 12 and sum(bool(face.polygons) for face in table) == 15


def make_folders(folder, trees):
    """Faces of every kind that stock reads, files that are none, and paks: an older one, and one by each tree."""
    folder.mkdir()
    golden = folder / 'golden'
    golden.mkdir()
    for path in sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg')))[::4]:
        shutil.copyfile(path, str(golden / os.path.basename(path)))
    (golden / 'picture.png').write_bytes(make.face(make.metadata(), extension='.jpg'))
    packed = folder / 'packed'
    packed.mkdir()
    shutil.copyfile(os.path.join(TESTS, 'data', 'faceset_stock.pak'), str(packed / 'faceset.pak'))
    for number, tree in enumerate(trees):
        pack(folder / 'packed by {}'.format(number), tree)
    kinds = folder / 'виды'
    kinds.mkdir()
    (folder / 'empty').mkdir()
    older = [(0, [[1, 2], [3, 4], [5, 6]]), (1, [[7, 8], [9, 1]])]
    for number, changes in enumerate([
            {}, {'xseg_mask': make.mask()}, {'seg_ie_polys': make.polygons(5)}, {'seg_ie_polys': older},
            {'xseg_mask': make.mask(1), 'seg_ie_polys': make.polygons(1)}, {'eyebrows_expand_mod': 1.5},
            {'face_type': None}, {'face_type': 'head'}, {'face_type': 'mark_only'}, {'source_filename': 'кадр.png'},
            {'landmarks': (np.random.RandomState(3).rand(68, 2) * 64).astype(np.float32)}]):
        data = make.metadata(20 - number, **changes)
        (kinds / '{}.jpg'.format(number)).write_bytes(make.face(data, number))


if os.environ.get('DFL_STOCK'):
    def test_stock_and_ours_load_the_same(tmp_path):
        stock = os.environ['DFL_STOCK']
        tree = tree_with_overlay(stock, tmp_path / 'tree')
        make_folders(tmp_path / 'faces', [stock, tree])
        ref, ref_none = play(tmp_path / 'faces', stock)
        comp, comp_none = play(tmp_path / 'faces', tree)
        assert sorted(ref) == sorted(comp)
        for name in ref:
            assert ref[name] == comp[name], name
        assert ref_none == comp_none != []
        assert len(ref['виды']) == 11 and len(ref['packed']) > 1 and len(ref['golden']) > 8
        assert len(ref['packed by 0']) == len(ref['packed by 1']) == 43
