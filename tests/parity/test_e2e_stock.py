"""One workspace through every step, by stock and by an installed overlay: real networks, a real training of Quick96.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] [DFL_INSTALLED=path/of/DeepFaceLab] \\
        python -m pytest tests/parity/test_e2e_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs both sides; it needs stock's packages, and gets numba and simplejpeg
if it lacks them. DFL_INSTALLED: a tree on which install was run; a copy of it is ours. Without it install.py is run on
a copy of the stock tree.

The clips show faces that the networks know by the weights of benchmarks/marker_networks.py. Stock sorts as on a machine
with one processor (see test_sort_stock.py). The model is trained on our side; both merge with it. On two quiet cores
all of it takes four minutes. Linux only.
"""
import collections
import os
import shutil
import subprocess
import sys

import clips
import cv2
import extract_workspace as ew
import numpy as np
import pytest
import train_workspace as tw
import walk as steps
from benchmarks import merge_trees
from test_extract_stock import check_metadata
from test_sort_stock import ONE_PROCESSOR

STOCK = os.environ['DFL_STOCK']
PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
INSTALLED = os.environ.get('DFL_INSTALLED')
INSTALL = os.path.join(merge_trees.ROOT, 'install.py')
SIDES = ('stock', 'ours')
COUNTS = {'data_src': 4, 'data_dst': 6}
ITERATIONS = 2
PATIENCE = 1200                # seconds for a step
NETWORK = ('--force-model-name', 'new', '--cpu-only')

_TRAIN = ('train', '--training-data-src-dir', '{}/data_src/aligned', '--training-data-dst-dir', '{}/data_dst/aligned',
          '--model-dir', '{}/model', '--model', 'Quick96', '--no-preview') + NETWORK
_MERGE = steps.STEPS['7']
STEPS = collections.OrderedDict(steps.STEPS)
STEPS['6'] = steps.Step(_TRAIN + tuple(tw.until(ITERATIONS)))
STEPS['7'] = _MERGE._replace(words=_MERGE.words[:-1] + ('Quick96',) + NETWORK)


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """{side: path of its tree}, with weights for both."""
    folder = tmp_path_factory.mktemp('e2e trees')
    trees = {'stock': merge_trees.copy_tree(STOCK, str(folder / 'stock')),
             'ours': merge_trees.copy_tree(INSTALLED or STOCK, str(folder / '_internal' / 'DeepFaceLab'))}
    weights = ew.weights(folder / 'weights')
    for tree in trees.values():
        ew.link_weights(weights, tree)
    if not INSTALLED:
        run = subprocess.run([sys.executable, INSTALL, trees['ours'], '--python', PYTHON, '--yes'],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = run.stdout.decode('utf-8', 'replace')
        assert run.returncode == 0 and 'Installed and tested.' in said, said
    return trees


@pytest.fixture(scope='module')
def walks(trees, tmp_path_factory):
    """{side: its Walk}, over copies of one workspace; nobody has done a step yet."""
    folder = tmp_path_factory.mktemp('e2e')
    space = steps.build(folder / 'ours' / 'workspace', steps.MARKERS, COUNTS)
    shutil.copytree(str(space.folder), str(folder / 'stock' / 'workspace'))
    spaces = {'ours': space, 'stock': space._replace(folder=folder / 'stock' / 'workspace')}
    return {side: steps.Walk(trees[side], PYTHON, spaces[side], folder / side) for side in SIDES}


def step(walks, key):
    """One step on both sides: the questions are stock's, then ours. Return what both have shown."""
    run = walks['ours'].step(key, STEPS, timeout=PATIENCE)
    one_processor = key[:3] in ('4.2', '5.2')
    walk = walks['stock']
    launcher = walk.launcher
    if one_processor:
        walk.launcher = launcher[:4] + ['-c', ONE_PROCESSOR] + launcher[4:]
    stock = walk.start(key, STEPS, timeout=PATIENCE)
    walk.launcher = launcher
    assert stock.code == 0 and 'Traceback' not in stock.shown, stock.shown
    asked = [[question.splitlines()[-1].partition('] ')[2] for question in one.asked] for one in (stock, run)]
    assert asked[0] == asked[1][:len(asked[0])]
    return stock.shown, run.shown


def folders(walks, name):
    return [walks[side].space.folder / name for side in SIDES]


def check_equal(walks, name):
    """Both sides have the same files, byte by byte. Return how many."""
    stock, ours = [steps.contents(folder) for folder in folders(walks, name)]
    assert sorted(ours) == sorted(stock)
    assert [path for path in stock if ours[path] != stock[path]] == []
    return len(ours)


def check_same_faces(walks, name, suffix='.jpg'):
    """Both sides have the same faces under the same names: pixels, and metadata."""
    stock, ours = folders(walks, name)
    names = [path for path in steps.names(stock) if path.endswith(suffix)]
    assert names == steps.names(ours) and names
    for face in names:
        assert (ew.picture_at(stock / face) == ew.picture_at(ours / face)).all()
        check_metadata(ew.about(stock / face), ew.about(ours / face))


def test_both_sides_walk(walks):
    frames_and_faces(walks)
    sorted_and_packed(walks)
    trained(walks)
    merged(walks)
    joined(walks)


def frames_and_faces(walks):
    for taken, extracted, name, suffix in (('2', '4', 'data_src', '.jpg'), ('3', '5', 'data_dst', '.png')):
        step(walks, taken)
        assert check_equal(walks, name) == COUNTS[name]
        shown = step(walks, extracted)
        assert len({one.split('Faces detected:')[1].split()[0] for one in shown}) == 1
        steps.check_faces(walks['ours'].space, name, suffix)
        check_same_faces(walks, name + '/aligned')
    stock, ours = folders(walks, 'data_dst/aligned_debug')
    assert steps.names(stock) == steps.names(ours)
    assert all((ew.picture_at(stock / name) == ew.picture_at(ours / name)).all() for name in steps.names(ours))


def sorted_and_packed(walks):
    for key, name in (('4.2 hist', 'data_src'), ('4.2 final', 'data_src'), ('5.2 absdiff', 'data_dst')):
        step(walks, key)
        check_same_faces(walks, name + '/aligned')
    step(walks, '5.2 pack')
    assert [steps.names(folder) for folder in folders(walks, 'data_dst/aligned')] == [['faceset.pak']] * 2
    step(walks, '5.2 unpack')
    check_same_faces(walks, 'data_dst/aligned')
    step(walks, '5.2 origname')
    check_same_faces(walks, 'data_dst/aligned')


def trained(walks):
    """A new model, which stock then finds in its own workspace."""
    ours, stock = walks['ours'], walks['stock']
    run = ours.step('6', STEPS, timeout=PATIENCE)
    assert 'Reached target' in run.shown, run.shown
    space = tw.Workspace(None, None, None, ours.space.folder / 'model', None)
    data = tw.saved(space, tw.QUICK96)
    assert data['iter'] == len(data['loss_history']) == ITERATIONS and np.isfinite(data['loss_history']).all()
    assert len(tw.weights(space, tw.QUICK96)) == tw.QUICK96.files
    shutil.rmtree(str(stock.space.folder / 'model'))
    shutil.copytree(str(space.model), str(stock.space.folder / 'model'))


def merged(walks):
    """Within one level, and the frame's own pixels outside of the mask."""
    step(walks, '7')
    place = walks['ours'].space.folder / 'data_dst'
    frames = steps.numbered(COUNTS['data_dst'], '.png')
    for folder in folders(walks, 'data_dst/merged') + folders(walks, 'data_dst/merged_mask'):
        assert steps.names(folder) == frames
    for number, name in enumerate(frames, 1):
        pictures, masks = ([ew.picture_at(folder / name) for folder in folders(walks, 'data_dst/' + kind)]
                           for kind in ('merged', 'merged_mask'))
        assert cv2.absdiff(*pictures).max() <= 1 and cv2.absdiff(*masks).max() <= 1
        outside = (masks[0] == 0) & (masks[1] == 0)
        assert (pictures[1][outside] == ew.picture_at(place / name)[outside]).all()
        assert masks[1].any() == (number != steps.FACELESS)


def joined(walks):
    """Encoders are told other things on both sides; the frames are the same, and the sound is there."""
    for key, name, folder, tolerance in (('8 mp4', 'result.mp4', 'merged', 3),
                                         ('8 mask', 'result_mask.mp4', 'merged_mask', 0)):
        step(walks, key)
        steps.check_video(walks['ours'].space, name, folder, tolerance)
        back = [clips.decode(steps.tools(), path) for path in folders(walks, name)]
        assert len(back[0]) == len(back[1])
        sounds = [clips.sound_length(steps.tools(), path) for path in folders(walks, name)]
        assert abs(sounds[0] - sounds[1]) < 0.1
