"""Stock's own `main.py merge` and ours on the same frames and faces: the merged frames and masks, pixel by pixel.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] [DFL_INSTALLED=path/of/DeepFaceLab] \\
        python -m pytest tests/parity/test_merge_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs stock; it needs stock's packages. DFL_INSTALLED: a tree on which
install was run; a copy of it is ours and runs in stock's Python. Without it ours is the repository with
tests/stand_in in the running Python; for the real model Quick96 it is laid over a copy of the stock tree, and the
running Python needs stock's packages, too.

Both sides have the model Tiny and, for XSeg and super resolution, the stand-ins of tests/stand_in: nothing else of
stock is changed, but for its window where keys are pressed. Stock draws random rotations for the colour transfers
idt, sot and mix: their frames are compared by the mean colour of the face. Histogram matching and the reduction to
256 colours go in steps: where the two sides run another OpenCV a few pixels may take another one, and only so many.
"""
import os
import shutil
import subprocess
import sys

import cv2
import merge_workspace as mw
import numpy as np
import pytest
from benchmarks import merge_trees

STOCK = os.environ['DFL_STOCK']
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
INSTALLED = os.environ.get('DFL_INSTALLED')
OUR_PYTHON = STOCK_PYTHON if INSTALLED else sys.executable

MODES = ('original', 'overlay', 'hist-match', 'seamless', 'seamless-hist-match', 'raw-rgb', 'raw-predict')
DEFAULTS = {'mode': 'overlay', 'masked': 'y', 'threshold': 255, 'mask_mode': 4, 'erode': 5, 'blur': 21, 'motion': 0,
            'scale': 0, 'transfer': 'rct', 'sharpen': 0, 'amount': 0, 'super': 0, 'denoise': 0, 'bicubic': 0,
            'degrade': 0}
# Settings that differ from those above. Each mode, mask mode, transfer and degradation is among them.
CASES = [
    {}, {'mode': 'original', 'mask_mode': 2}, {'mode': 'hist-match', 'mask_mode': 3, 'threshold': 200},
    {'mode': 'hist-match', 'masked': 'n', 'mask_mode': 5, 'transfer': '', 'sharpen': 2, 'amount': -40},
    {'mode': 'seamless', 'mask_mode': 1}, {'mode': 'seamless', 'transfer': '', 'mask_mode': 9},
    {'mode': 'seamless-hist-match', 'transfer': 'lct', 'mask_mode': 5},
    {'mode': 'raw-rgb', 'mask_mode': 0, 'scale': 7}, {'mode': 'raw-predict', 'mask_mode': 3, 'super': 40},
    {'transfer': 'lct', 'mask_mode': 1, 'motion': 60, 'sharpen': 1, 'amount': 30, 'scale': -12},
    {'transfer': 'mkl', 'mask_mode': 6, 'super': 60, 'erode': 20, 'blur': 60},
    {'transfer': 'mkl-m', 'mask_mode': 7, 'erode': -15, 'blur': 0},
    {'mask_mode': 8, 'denoise': 30, 'bicubic': 25, 'degrade': 50}, {'mask_mode': 0, 'degrade': 100, 'motion': 20},
]
WHOLE_FRAME = ('denoise', 'bicubic', 'degrade')      # degrade pixels far from the face, too
STEPPED = 0.01                 # share of a frame's pixels that may take another step with another OpenCV
STRETCHED, STRETCHED_LEVELS = 1e-4, 4    # a seamless clone is in whole levels; of a flat face rct then stretches them
PRINT_OPENCV = 'import cv2; print(cv2.__version__)'
SAME_OPENCV = STOCK_PYTHON == OUR_PYTHON or len(
    {subprocess.check_output([python, '-c', PRINT_OPENCV]) for python in (STOCK_PYTHON, OUR_PYTHON)}) == 1


def typed(settings, workers=2):
    """What is typed at the questions of a merge with these settings, by both sides."""
    given = dict(DEFAULTS, **settings)
    raw, matched = 'raw' in given['mode'], 'hist-match' in given['mode']
    answers = ['n', MODES.index(given['mode'])]
    answers += [given['masked']] if given['mode'] == 'hist-match' else []
    answers += [given['threshold']] if matched else []
    answers += [given['mask_mode']]
    answers += [] if raw else [given['erode'], given['blur'], given['motion']]
    answers += [given['scale']]
    answers += [] if raw else [given['transfer']]
    answers += [given['sharpen']] + ([given['amount']] if given['sharpen'] else [])
    answers += [given['super']]
    answers += [] if raw else [given['denoise'], given['bicubic'], given['degrade']]
    return ''.join('{}\n'.format(answer) for answer in answers + [workers])


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """{'stock', 'ours': (folder of main.py, Python)}."""
    folder = tmp_path_factory.mktemp('trees')
    stock = merge_trees.copy_tree(STOCK, str(folder / 'stock'))
    if INSTALLED:
        ours = merge_trees.copy_tree(INSTALLED, str(folder / 'ours'))
    else:
        ours = mw.build_tree(folder / 'ours')
    for tree in (stock, ours):
        mw.lay_over_deepfacelab(tree)
    return {'stock': (stock, STOCK_PYTHON), 'ours': (ours, OUR_PYTHON)}


def unusual(folder):
    """A moving face near the border, and frames without one, grey, and with alpha."""
    return mw.build_workspace(folder, 7, (318, 181), heads=[mw.Head(0.14, 0.5, 0.4, 0.1)], without_face=(3,),
                              kinds={1: mw.GREY, 4: mw.ALPHA})


def two_heads(folder):
    return mw.build_workspace(folder, 3, heads=[mw.Head(0.35, 0.45, 0.4, 0.02), mw.Head(0.6, 0.5, 0.4, 0.02)], seed=4)


def huge(folder):
    return mw.build_workspace(folder, 2, (200, 230), heads=[mw.Head(0.5, 0.5, 1.5)], suffix='.jpg', seed=5)


@pytest.fixture(scope='module')
def spaces(tmp_path_factory):
    folder = tmp_path_factory.mktemp('spaces')
    return {make.__name__: make(folder / make.__name__) for make in (unusual, two_heads, huge)}


def merge(trees, side, space, folder, answers, further=(), **variables):
    """Merge into a folder of its own. Return what was shown, and the workspace with that folder's paths."""
    own = space._replace(merged=folder / 'merged', masks=folder / 'masks', model=folder / 'model')
    own.model.mkdir(parents=True, exist_ok=True)
    tree, python = trees[side]
    code, shown = mw.run(tree, mw.words(own, *further), answers, python, **variables)
    assert code == 0 and 'Traceback' not in shown, shown
    return shown, own


def apart(one, other):
    return cv2.absdiff(one, other)


def frame_pairs(ref, comp, space):
    """Yield (name, source, stock's frame and mask, our frame and mask) for every frame."""
    pairs = [mw.pictures(place) for place in (ref.merged, ref.masks, comp.merged, comp.masks)]
    names = sorted(name[:-4] + '.png' for name in space.marks)
    assert all(sorted(found) == names for found in pairs)
    for name, marked in space.marks.items():
        source = cv2.imread(str(space.frames / name), cv2.IMREAD_UNCHANGED)
        yield (marked, source) + tuple(found[name[:-4] + '.png'] for found in pairs)


def check_frames(ref, comp, space, settings):
    """Hold both sides to the contract: within 1 level, and outside of the mask the source's pixel."""
    given = dict(DEFAULTS, **settings)
    has_steps = not SAME_OPENCV and (given['degrade'] or 'hist-match' in given['mode'])
    is_stretched = 'seamless' in given['mode'] and given['transfer']
    for marked, source, frame, mask, our_frame, our_mask in frame_pairs(ref, comp, space):
        assert our_frame.shape == frame.shape and our_mask.shape == mask.shape and our_frame.dtype == frame.dtype
        assert apart(mask, our_mask).max() <= 1
        off = apart(frame, our_frame)
        if is_stretched and not has_steps:
            assert (off > 1).mean() <= STRETCHED and off.max() <= STRETCHED_LEVELS
        else:
            assert (off > 1).mean() <= (STEPPED if has_steps else 0)
        if not marked:
            assert (our_frame == frame).all() and not our_mask.any()
        elif given['mode'] != 'raw-predict' and given['mode'] != 'raw-rgb':
            assert mask.any()
            outside = (our_mask == 0) & (mask == 0)
            if source.ndim == 2:
                source = np.dstack([source] * 3)
            if not any(given[name] for name in WHOLE_FRAME):
                assert (our_frame[outside] == source[outside][:, :3]).all()


@pytest.mark.parametrize('settings', CASES, ids=str)
def test_merged_frames_are_equal(trees, spaces, tmp_path, settings):
    results = [merge(trees, side, spaces['unusual'], tmp_path / side, typed(settings))[1]
               for side in ('stock', 'ours')]
    check_frames(results[0], results[1], spaces['unusual'], settings)


@pytest.mark.parametrize('settings', [{}, {'mode': 'seamless'}], ids=str)
@pytest.mark.parametrize('name', ['two_heads', 'huge'])
def test_several_and_huge_faces(trees, spaces, tmp_path, name, settings):
    results = [merge(trees, side, spaces[name], tmp_path / side, typed(settings))[1] for side in ('stock', 'ours')]
    check_frames(results[0], results[1], spaces[name], settings)


@pytest.mark.parametrize('transfer', ['idt', 'idt-m', 'sot-m', 'mix-m'])
def test_random_transfers_give_the_same_colours(trees, spaces, tmp_path, transfer):
    space = spaces['two_heads']
    results = [merge(trees, side, space, tmp_path / side, typed({'transfer': transfer}))[1]
               for side in ('stock', 'ours')]
    for _, source, frame, mask, our_frame, our_mask in frame_pairs(results[0], results[1], space):
        assert apart(mask, our_mask).max() <= 1
        inside, outside = mask > 127, (mask == 0) & (our_mask == 0)
        means = [picture[inside].mean(axis=0) for picture in (frame, our_frame)]
        assert np.abs(means[0] - means[1]).max() < 3
        assert (our_frame[outside] == source[outside]).all()


def test_a_packed_faceset(trees, tmp_path):
    space = mw.build_workspace(tmp_path / 'space', 4)
    mw.pack(space)
    results = [merge(trees, side, space, tmp_path / side, typed({'motion': 70})) for side in ('stock', 'ours')]
    assert all('Using packed faceset' in shown for shown, _ in results)
    check_frames(results[0][1], results[1][1], space, {'motion': 70})


# --- what is shown and asked ------------------------------------------------------------------

def questions(shown):
    """The lines of a run that ask and offer, up to the first progress bar."""
    return [line for line in shown.split('Collecting')[0].splitlines() if ' : ' in line or line.startswith('(')]


@pytest.mark.parametrize('settings', [{}, {'mode': 'hist-match', 'sharpen': 1, 'amount': 9}, {'mode': 'raw-rgb'}],
                         ids=str)
def test_the_questions_are_stocks_then_ours(trees, spaces, tmp_path, settings):
    shown = [questions(merge(trees, side, spaces['two_heads'], tmp_path / side, typed(settings))[0])
             for side in ('stock', 'ours')]
    workers = [[line for line in lines if 'Number of workers' in line] for lines in shown]
    assert len(workers[0]) == len(workers[1]) == 1 and workers[1][0].split(']', 1)[1] == workers[0][0].split(']', 1)[1]
    last = len(shown[0]) - 1
    assert shown[1][:last] == shown[0][:last]
    assert all('format' in line for line in shown[1][last + 1:])


# --- the window -------------------------------------------------------------------------------

KEYS = ['\t1wwwweeeeecx.', '\tWEE33.,cc/nYY.hh/', '\t3.2q>']
# each continues what the one before has left, with a model that has been trained no further
LEFT_OFF = ['\t1WEE..c.', '\t,x/>']


@pytest.fixture(scope='module')
def window_trees(trees, tmp_path_factory):
    """The trees, with the window whose keys are pressed by a script."""
    folder = tmp_path_factory.mktemp('window')
    result = {}
    for side, (tree, python) in trees.items():
        copy = shutil.copytree(tree, str(folder / side), symlinks=True)
        mw.lay_over_deepfacelab(copy, window=True)
        result[side] = copy, python
    return result


def press(trees, side, space, folder, keys, answers='y\n2\n', **variables):
    return merge(trees, side, space, folder, answers, TINY_KEYS=keys, **variables)[1]


def done_frames(ref, comp, space):
    """Both sides' frames and masks that came out at all, as pairs."""
    for place in ('merged', 'masks'):
        found = [mw.pictures(getattr(side, place)) for side in (ref, comp)]
        yield from ((found[0][name], found[1][name]) for name in sorted(set(found[0]) & set(found[1])))


@pytest.mark.parametrize('keys', KEYS)
def test_keys_do_what_they_do_in_stock(window_trees, spaces, tmp_path, keys):
    space = spaces['unusual']
    ref, comp = [press(window_trees, side, space, tmp_path / side, keys) for side in ('stock', 'ours')]
    pairs = list(done_frames(ref, comp, space))
    assert len(pairs) >= 4
    assert all(one.shape == other.shape and apart(one, other).max() <= 1 for one, other in pairs)
    if keys.endswith('>'):
        assert len(pairs) == 2 * len(space.marks)


@pytest.mark.parametrize('first, then', [('stock', 'ours'), ('ours', 'ours')])
def test_a_session_is_gone_on_with(window_trees, spaces, tmp_path, first, then):
    space = spaces['unusual']
    for side, place in (('stock', 'all by stock'), (first, 'changed hands')):
        press(window_trees, side, space, tmp_path / place, LEFT_OFF[0])
    ref = press(window_trees, 'stock', space, tmp_path / 'all by stock', LEFT_OFF[1], 'y\n2\ny\n')
    comp = press(window_trees, then, space, tmp_path / 'changed hands', LEFT_OFF[1], 'y\n2\n\ny\n')
    pairs = list(done_frames(ref, comp, space))
    assert len(pairs) == 2 * len(space.marks)
    assert all(one.shape == other.shape and apart(one, other).max() <= 1 for one, other in pairs)


# --- a real model -----------------------------------------------------------------------------

MAKE_QUICK96 = '''
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
if __name__ == '__main__':
    import multiprocessing
    multiprocessing.set_start_method('spawn')
    from core.leras import nn
    nn.initialize_main_env()
    import models
    model = models.import_model('Quick96')(is_training=False, saved_models_path=Path(sys.argv[2]),
                                           force_model_name='new', cpu_only=True)
    model.set_iter(1)
    model.save()
'''


@pytest.fixture(scope='module')
def quick96(tmp_path_factory, trees):
    """(trees, folder of a Quick96 model with the random weights that training begins with)."""
    folder = tmp_path_factory.mktemp('quick96')
    script = folder / 'make.py'
    script.write_text(MAKE_QUICK96)
    (folder / 'model').mkdir()
    subprocess.check_call([STOCK_PYTHON, str(script), trees['stock'][0], str(folder / 'model')],
                          stdin=subprocess.DEVNULL, env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3'))
    both = dict(trees)
    if not INSTALLED:
        both['ours'] = merge_trees.copy_tree(STOCK, str(folder / 'ours'), overlay=True), OUR_PYTHON
    return both, folder / 'model'


@pytest.mark.parametrize('settings', [{'mask_mode': 2}, {'mode': 'seamless', 'mask_mode': 1}], ids=str)
def test_a_real_model(quick96, spaces, tmp_path, settings):
    both, model = quick96
    results = []
    for side in ('stock', 'ours'):
        shutil.copytree(str(model), str(tmp_path / side / 'model'))
        words = ['--model', 'Quick96', '--force-model-name', 'new', '--cpu-only']
        results.append(merge(both, side, spaces['two_heads'], tmp_path / side, typed(settings), words)[1])
    check_frames(results[0], results[1], spaces['two_heads'], settings)
    sets = ['--set', 'mode=' + settings.get('mode', 'overlay'), '--set', 'mask_mode={}'.format(settings['mask_mode']),
            '--set', 'erode_mask_modifier=5', '--set', 'blur_mask_modifier=21', '--set', 'color_transfer_mode=rct']
    shutil.copytree(str(model), str(tmp_path / 'unattended' / 'model'))
    alone = merge(both, 'ours', spaces['two_heads'], tmp_path / 'unattended', '', words + ['--yes'] + sets)[1]
    assert mw.contents(alone.merged) == mw.contents(results[1].merged)
    assert mw.contents(alone.masks) == mw.contents(results[1].masks)
