"""Stock's own SampleProcessor, gen_warp_params and warp_by_params and ours, on the same faces and seeds.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] python -m pytest tests/parity/test_samples_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs both sides; it needs stock's packages and numba. Both get a copy of
the stock tree, ours with the overlay laid over it. All arrays must be equal to the bit.
"""
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import samples_cases
from benchmarks import merge_trees

HERE = os.path.dirname(os.path.abspath(__file__))
STOCK = os.environ['DFL_STOCK']
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
CASES = samples_cases.cases()


@pytest.fixture(scope='module')
def told(tmp_path_factory):
    """(what stock said, what ours said)."""
    folder = tmp_path_factory.mktemp('samples')
    given = {'faces': samples_cases.make_faces(folder), 'cases': CASES, 'warps': samples_cases.warp_cases()}
    (folder / 'cases').write_bytes(pickle.dumps(given, 4))
    results = []
    for side in ('stock', 'ours'):
        tree = merge_trees.copy_tree(STOCK, str(folder / side), overlay=side == 'ours')
        subprocess.check_call([STOCK_PYTHON, '-W', 'ignore', os.path.join(HERE, 'samples_session.py'), tree,
                               str(folder / 'cases'), str(folder / (side + '.result'))], stdin=subprocess.DEVNULL)
        results.append(pickle.loads((folder / (side + '.result')).read_bytes()))
    return results


def differences(ref, comp, where=''):
    """What is not equal to the bit: type, shape or value (0.0 and -0.0 are one)."""
    if isinstance(ref, np.ndarray) or isinstance(comp, np.ndarray):
        if type(ref) is not type(comp) or ref.dtype != comp.dtype or ref.shape != comp.shape:
            return ['{}: {} {} / {} {}'.format(where, getattr(ref, 'dtype', ref), getattr(ref, 'shape', ''),
                                               getattr(comp, 'dtype', comp), getattr(comp, 'shape', ''))]
        same = (ref == comp) | ((ref != ref) & (comp != comp))
        return [] if same.all() else ['{}: {} of {} values, by {}'.format(
            where, (~same).sum(), same.size, np.abs(ref.astype(float) - comp)[~same].max())]
    if isinstance(ref, float) and isinstance(comp, float):   # numpy's are floats
        return [] if ref == comp or ref != ref else ['{}: {} / {}'.format(where, ref, comp)]
    if type(ref) is not type(comp):
        return ['{}: {} / {}'.format(where, ref, comp)]
    if isinstance(ref, dict):
        keys = [] if sorted(ref) == sorted(comp) else ['{}: {} / {}'.format(where, sorted(ref), sorted(comp))]
        return keys or sum((differences(ref[key], comp[key], '{}.{}'.format(where, key)) for key in ref), [])
    if isinstance(ref, (list, tuple)):
        length = [] if len(ref) == len(comp) else ['{}: {} / {} long'.format(where, len(ref), len(comp))]
        return length or sum((differences(one, other, '{}[{}]'.format(where, index))
                              for index, (one, other) in enumerate(zip(ref, comp))), [])
    return [] if ref == comp else ['{}: {} / {}'.format(where, ref, comp)]


def is_error(made):
    return isinstance(made, tuple) and made[0] == 'error'


@pytest.mark.parametrize('name', sorted(CASES))
def test_processed(told, name):
    ref, comp = (side['processed'][name] for side in told)
    if is_error(ref[0]) and is_error(comp[0]):
        assert comp[0][1] == ref[0][1]
        if ref[0][1] == 'ValueError':
            assert comp[0][2] == ref[0][2]
        assert comp[1] == ref[1]
        return
    assert differences(ref, comp) == []


def test_warped(told):
    ref, comp = (side['warped'] for side in told)
    assert len(ref) > 40
    assert differences(ref, comp) == []


def test_signatures(told):
    assert told[0]['signatures'] == told[1]['signatures']
