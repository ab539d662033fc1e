"""Stock's own `main.py train` and ours on the same faces: the same batches to the bit, and models that both go on with.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] [DFL_INSTALLED=path/of/DeepFaceLab] \\
        python -m pytest tests/parity/test_train_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs both sides; it needs stock's packages. DFL_INSTALLED: a tree on
which install was run; a copy of it is ours. Without it the overlay is laid over a copy of the stock tree.

Real models are trained on the processor, for a few iterations: this takes twenty minutes. Both sides draw the same
random numbers (tests/parity/train_probe.py); whatever else is stock's stays as it is. Linux only.
"""
import collections
import json
import os
import shutil
import signal
import sys
import time

import numpy as np
import pytest
import train_workspace as tw
from benchmarks import merge_trees

STOCK = os.environ['DFL_STOCK']
PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
INSTALLED = os.environ.get('DFL_INSTALLED')
SIDES = ('stock', 'ours')
GENERATORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'train_generators.py')
MODELS = {model.name: model for model in (tw.SAEHD, tw.QUICK96, tw.XSEG)}
BEGUN, FURTHER = 2, 4          # iterations of the first run, and after the second
FAILURE = 'this face cannot be processed'       # of the probe


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """{side: path of its tree}."""
    folder = tmp_path_factory.mktemp('trees')
    stock = merge_trees.copy_tree(STOCK, str(folder / 'stock'))
    ours = merge_trees.copy_tree(INSTALLED or STOCK, str(folder / 'ours'), overlay=not INSTALLED)
    return {'stock': tw.lay_probe(stock), 'ours': tw.lay_probe(ours)}


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    """A workspace without a model."""
    return tw.build_workspace(tmp_path_factory.mktemp('faces') / 'space')


def train(trees, side, space, model, iteration, *further, **options):
    return tw.train(trees[side], PYTHON, space, model, iteration, *further, **options)


# --- samples ----------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def samples(trees, faces, tmp_path_factory):
    """{side: {case: batches}} of train_generators.py."""
    folder, told = tmp_path_factory.mktemp('samples'), {}
    for side in SIDES:
        result = str(folder / (side + '.json'))
        ended = tw.run_script(PYTHON, [GENERATORS, trees[side], str(faces.src), str(faces.dst), result])
        assert ended.code == 0, ended.shown
        with open(result) as stream:
            told[side] = json.load(stream)
    return told


def test_generators_make_the_same_samples(samples):
    assert len(samples['stock']) >= 40 and not [case for case, batches in samples['stock'].items()
                                                if isinstance(batches, str)]
    assert [case for case, batches in samples['stock'].items() if samples['ours'].get(case) != batches] == []


def test_a_process_makes_what_this_one_makes(samples):
    told = samples['stock']
    beside = [case for case in told if case.endswith(', in a process')]
    assert len(beside) >= 6 and all(told[case] == told[case.split(',')[0]] for case in beside)


def test_samples_differ_from_batch_to_batch(samples):
    """What the test above compares is worth comparing."""
    for case, batches in samples['stock'].items():
        hashes = [described[2] for batch in batches for described in batch]
        assert len(set(hashes)) > len(hashes) // 2, case


# --- models -----------------------------------------------------------------------------------

Trained = collections.namedtuple('Trained', 'spaces ended')
Trained.__doc__ = """{side: Workspace} and {side: Ended} of a model that each side has begun."""


@pytest.fixture(scope='module', params=sorted(MODELS))
def begun(request, trees, faces, tmp_path_factory):
    """(Model, Trained): both sides have trained a new one."""
    model, folder = MODELS[request.param], tmp_path_factory.mktemp(request.param)
    spaces = {side: tw.copy(faces, folder / side) for side in SIDES}
    ended = {side: train(trees, side, spaces[side], model, BEGUN) for side in SIDES}
    yield model, Trained(spaces, ended)
    shutil.rmtree(str(folder))         # hundreds of megabytes


def check_model(space, model, iteration):
    """A model is whole: losses of all iterations, all of its networks, a sample for the preview."""
    data = tw.saved(space, model)
    assert data['iter'] == len(data['loss_history']) == iteration
    assert np.isfinite(data['loss_history']).all()
    files = tw.weights(space, model)
    assert len(files) == model.files and all(len(content) > 1000 for content in files.values())
    arrays = [array for batch in data['sample_for_preview'] for array in batch]
    assert arrays and all(type(array) is np.ndarray and np.isfinite(array).all() for array in arrays)
    return data


def test_a_new_model_gets_the_same_batches(begun):
    model, trained = begun
    data = {side: check_model(trained.spaces[side], model, BEGUN) for side in SIDES}
    batches = [trained.ended[side].batches for side in SIDES]
    assert len(batches[0]) > BEGUN and batches[1] == batches[0]
    assert data['ours'].keys() == data['stock'].keys() and data['ours']['options'] == data['stock']['options']
    for pair in zip(*[data[side]['sample_for_preview'] for side in SIDES]):
        assert all((ours == stock).all() for stock, ours in zip(*pair))


def test_its_processes_are_lean(begun):
    children = begun[1].ended['ours'].children
    assert len(children) >= 2 and len({child['pid'] for child in children}) == len(children)
    assert all(child['threads'] == 1 and not child['tensorflow'] for child in children)


def test_both_sides_go_on_with_our_model(begun, trees, tmp_path):
    model, trained = begun
    spaces = {side: tw.copy(trained.spaces['ours'], tmp_path / side) for side in SIDES}
    ended = {side: train(trees, side, spaces[side], model, FURTHER) for side in SIDES}
    assert ended['ours'].batches == ended['stock'].batches and ended['ours'].batches
    assert 'first run' not in ended['ours'].shown
    losses = [check_model(spaces[side], model, FURTHER)['loss_history'] for side in SIDES]
    assert losses[0][:BEGUN] == losses[1][:BEGUN]
    # from the next one on the networks differ: some leave out random weights
    np.testing.assert_allclose(losses[1][BEGUN], losses[0][BEGUN], rtol=1e-4)
    assert tw.weights(spaces['ours'], model) != tw.weights(trained.spaces['ours'], model)


@pytest.mark.parametrize('packer, trainer', [('stock', 'ours'), ('ours', 'stock')])
def test_a_packed_faceset_gives_the_same_batches(trees, faces, tmp_path, packer, trainer):
    loose, packed = tw.copy(faces, tmp_path / 'loose'), tw.copy(faces, tmp_path / 'packed')
    for place in (packed.src, packed.dst):
        count = len(list(place.iterdir()))
        ended = tw.run(trees[packer], PYTHON, packed, ['util', '--input-dir', str(place), '--pack-faceset'], ['y'])
        assert ended.code == 0 and 'Traceback' not in ended.shown, ended.shown
        assert [path.name for path in place.iterdir()] == ['faceset.pak'], count
    ended = [train(trees, trainer, space, tw.SAEHD, 1) for space in (loose, packed)]
    assert ended[1].shown.count(' packed faces from ') == 2
    assert ended[0].batches == ended[1].batches and len(ended[0].batches) > 1


# --- how a training ends ----------------------------------------------------------------------

@pytest.fixture(scope='module')
def small(trees, faces, tmp_path_factory):
    """A workspace with a model to go on with: quickly started."""
    space = tw.copy(faces, tmp_path_factory.mktemp('small') / 'space')
    train(trees, 'ours', space, tw.SAEHD, 1)
    return space


def end_of(trees, small, folder, how):
    """Train without an end in sight, until a process of a generator ends as the probe is told. Return an Ended."""
    space = tw.copy(small, folder)
    return tw.run(trees['ours'], PYTHON, space, tw.words(space, tw.SAEHD), timeout=120, TRAIN_DIES=how, DFL_DEBUG="1")


@pytest.mark.parametrize('batch', [1, 8])
def test_a_failed_generator_ends_the_training(trees, small, tmp_path, batch):
    ended = end_of(trees, small, tmp_path / 'space', 'raise {}'.format(batch))
    assert ended.code == 1 and FAILURE in ended.shown and 'train_probe.py' in ended.shown, ended.shown
    assert (len(ended.batches) > 0) == (batch > 1)


@pytest.mark.parametrize('batch', [1, 8])
def test_a_killed_generator_ends_the_training(trees, small, tmp_path, batch):
    ended = end_of(trees, small, tmp_path / 'space', 'kill {}'.format(batch))
    assert ended.code == 1 and 'Error' in ended.shown and str(int(signal.SIGKILL)) in ended.shown, ended.shown


def test_a_damaged_face_is_named(trees, small, tmp_path):
    """Its head is read when the faces are loaded, its picture in the middle of the training."""
    space = tw.copy(small, tmp_path / 'space')
    damaged = sorted(space.src.iterdir())[3]
    damaged.write_bytes(tw.without_picture(damaged.read_bytes()))
    ended = tw.run(trees['ours'], PYTHON, space, tw.words(space, tw.SAEHD), timeout=120)
    assert ended.code == 1 and str(damaged) in ended.shown, ended.shown


def test_no_faces_at_all(trees, small, tmp_path):
    space = tw.copy(small, tmp_path / 'space')
    shutil.rmtree(str(space.dst))
    ended = tw.run(trees['ours'], PYTHON, space, tw.words(space, tw.SAEHD), timeout=120)
    assert ended.code == 1 and 'No training data provided.' in ended.shown, ended.shown


def interrupt(trees, space, how, whole):
    """Send a signal in the middle of a training. Return (exit code, what was shown, seconds until it had ended)."""
    process = tw.start(trees['ours'], PYTHON, space, tw.words(space, tw.SAEHD))
    try:
        process.stdin.close()
        until = time.time() + 120
        while len(tw.notes_of(space)) < 5:
            assert process.poll() is None and time.time() < until, process.stdout.read().decode()
            time.sleep(0.1)
        begun = time.time()
        (os.killpg if whole else os.kill)(process.pid, how)
        shown = process.stdout.read().decode('utf-8', 'replace')        # all that wrote there have ended
        code, seconds = process.wait(60), time.time() - begun
    finally:
        left = tw.end_session(process)
    assert left == []
    return code, shown, seconds


@pytest.mark.parametrize('whole', [True, False], ids=['console', 'trainer alone'])
def test_ctrl_c_saves_and_ends(trees, small, tmp_path, whole):
    space = tw.copy(small, tmp_path / 'space')
    code, shown, _ = interrupt(trees, space, signal.SIGINT, whole)
    assert code == 0 and 'Traceback' not in shown, shown
    data = tw.saved(space, tw.SAEHD)
    assert data['iter'] > 1
    check_model(space, tw.SAEHD, data['iter'])


@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_a_killed_trainer(trees, small, tmp_path, how):
    space = tw.copy(small, tmp_path / 'space')
    code, _, seconds = interrupt(trees, space, how, whole=False)
    assert code == -how and seconds < 5
