"""Colour transfer and histogram matching against stock's own results and against plain oracles.

data/merge_colour.npz: inputs and results of stock with numpy 1.19.3 and OpenCV 4.1.0, np.random.seed(0) before each.
uint16 stands for 0..65535 / 65535. Lab, 8-bit levels and BLAS differ a little between releases.
"""
import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.merge import bilateral, colour_transfer, float_order, histogram_match, transport
from naive import colour_transfer as naive

TESTS = os.path.dirname(os.path.abspath(__file__))
with np.load(os.path.join(TESTS, 'data', 'merge_colour.npz')) as _file:
    GOLDEN = {key: _file[key] for key in _file.files}
NAMES = sorted(key.split('|')[0] for key in GOLDEN if key.endswith('|face'))
TRANSFERS = sorted((key.split('|')[0], int(key[-1])) for key in GOLDEN if '|transfer ' in key)
MATCHES = sorted(tuple(key.split('|')[:1] + key.split('|')[1].split()) for key in GOLDEN
                 if '|masked ' in key or '|match ' in key)
HALF_LEVEL = 2e-3
STORED = 0.5 / 65535


def as_float(stored):
    return stored.astype(np.float32) / np.float32(65535 if stored.dtype == np.uint16 else 255)


def golden_face(name):
    """Return face, target and mask of a golden case."""
    mask = GOLDEN[name + '|mask'].astype(np.float32)[..., None]
    return as_float(GOLDEN[name + '|face']), as_float(GOLDEN[name + '|target']), mask


def noisy(seed, height=12, width=10):
    """Face and target with smooth parts and noise, and a mask that leaves a border and a corner out."""
    random = np.random.RandomState(seed)
    ramps = np.indices((height, width)).transpose(1, 2, 0) / np.float32(max(height, width))
    face, target = (np.clip(ramps.dot(random.uniform(-1, 1, (2, 3))) * 0.6 + 0.4 + random.normal(0, 0.1, (
        height, width, 3)), 0, 1).astype(np.float32) for _ in range(2))
    mask = np.zeros((height, width, 1), np.float32)
    mask[1:-1, 1:] = 1
    mask[:height // 3, :width // 3] = 0
    return face, target, mask


@pytest.mark.parametrize('name, method', TRANSFERS)
def test_transfer_is_that_of_stock(name, method):
    face, target, mask = golden_face(name)
    given_arrays = [array.copy() for array in (face, target, mask)]
    np.random.seed(0)
    result = colour_transfer.transfer(method, face, target, mask)
    assert result.dtype == np.float32 and result.shape == face.shape and result is not face
    difference = np.abs(result - as_float(GOLDEN['{}|transfer {}'.format(name, method)]))
    if method == colour_transfer.MIX_MASKED:    # whole levels, of which one of Lab is up to three of BGR
        assert np.mean(difference > HALF_LEVEL) <= 2e-3 and difference.max() <= 3.5 / 255
    else:
        assert difference.max() <= 1e-4
    assert all((array == before).all() for array, before in zip((face, target, mask), given_arrays))


def test_random_numbers_come_from_where_one_wants():
    face, target, mask = noisy(1)
    for method in (colour_transfer.IDT, colour_transfer.SOT_MASKED, colour_transfer.MIX_MASKED):
        np.random.seed(3)
        first = colour_transfer.transfer(method, face, target, mask)
        second = colour_transfer.transfer(method, face, target, mask)
        own = colour_transfer.transfer(method, face, target, mask, np.random.RandomState(3))
        assert (first == own).all() and not (first == second).all()


def test_rotations_are_those_of_scipy():
    rotations = transport.random_rotations(20, np.random.RandomState(7))
    np.testing.assert_allclose(rotations, GOLDEN['degrade|rotations 7'], rtol=0, atol=1e-7)


@pytest.mark.parametrize('face', [np.zeros((9, 9, 3)), np.full((9, 9, 3), 0.4), np.full((9, 9, 3), np.nan)])
def test_a_face_that_stock_would_blacken_is_left_as_it_is(face):
    face = face.astype(np.float32)
    target, mask = noisy(2, 9, 9)[1:]
    if face.any():
        mask[:] = 1
    result = colour_transfer.transfer(colour_transfer.RCT, face, target, mask)
    np.testing.assert_array_equal(result, face)
    assert result is not face


@pytest.mark.parametrize('method', sorted(colour_transfer.METHODS))
def test_one_value_that_is_no_number_does_no_harm(method):
    face, target, mask = noisy(3)
    face[5, 5, 1] = np.nan
    np.testing.assert_array_equal(colour_transfer.transfer(method, face, target, mask), face)
    face[5, 5, 1] = -np.inf
    target[5, 5, 1] = np.inf
    np.testing.assert_array_equal(colour_transfer.transfer(method, face, target, mask), face)


@pytest.mark.parametrize('method', sorted(colour_transfer.METHODS))
def test_an_empty_mask_and_a_single_pixel(method):
    face, target, mask = noisy(4)
    for area in (np.zeros_like(mask), np.pad(np.ones((1, 1, 1), np.float32), [(0, 11), (0, 9), (0, 0)], 'constant')):
        np.random.seed(0)
        result = colour_transfer.transfer(method, face, target, area)
        assert np.isfinite(result).all() and result.min() >= 0 and result.max() <= 1 + 1e-6


def test_an_unknown_method_is_refused():
    face, target, mask = noisy(5)
    for number in (0, 9):
        with pytest.raises(ValueError):
            colour_transfer.transfer(number, face, target, mask)


@pytest.mark.parametrize('seed', range(3))
def test_linear_transfers(seed):
    face, target, mask = noisy(seed)
    for method, wanted in ((colour_transfer.RCT, naive.rct(face, target, mask)),
                           (colour_transfer.LCT, naive.lct(face, target)),
                           (colour_transfer.MKL, naive.mkl(face, target)),
                           (colour_transfer.MKL_MASKED, naive.mkl(face * mask, target * mask))):
        np.testing.assert_allclose(colour_transfer.transfer(method, face, target, mask), wanted, rtol=0, atol=2e-5)


def test_mkl_of_a_grey_face():
    face, target, mask = noisy(10, 40, 40)
    face = np.repeat(face[..., :1], 3, axis=2)
    wanted = naive.mkl_singular(face, target)
    np.testing.assert_allclose(colour_transfer.transfer(colour_transfer.MKL, face, target, mask), wanted,
                               rtol=0, atol=1e-4)


@pytest.mark.kernel
@given(st.integers(0, 2 ** 32 - 1))
@settings(max_examples=4)
def test_idt(seed):
    face, target, mask = noisy(seed)
    random = np.random.RandomState(seed)
    rotations = np.array([naive.rotation(lambda count: random.normal(size=count)) for _ in range(20)])
    for method, wanted in ((colour_transfer.IDT, naive.idt(face, target, rotations.astype(np.float32))),
                           (colour_transfer.IDT_MASKED, naive.idt(face * mask, target * mask,
                                                                  rotations.astype(np.float32)))):
        result = colour_transfer.transfer(method, face, target, mask, np.random.RandomState(seed))
        # a value at the edge of the first bin may fall on either side
        assert np.mean(np.abs(result - wanted) > 1e-6) <= 0.01


@pytest.mark.parametrize('levels', [3, 20, 10 ** 6])
def test_sot(levels):
    face, target, mask = noisy(6, 20, 24)
    face, target = (np.float32(np.floor(part * levels)) / np.float32(levels) * mask for part in (face, target))
    wanted = naive.sot(face, target, 2, 3, np.random.RandomState(1))
    result = transport.sliced_transfer(face, target, 2, 3, 0.0, np.random.RandomState(1))
    np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-6)


def test_ties_left_to_chance_move_little():
    face, target, mask = noisy(7, 40, 40)
    exact, near = (transport.sliced_transfer(face * mask, target * mask, 4, 10, tolerance, np.random.RandomState(1))
                   for tolerance in (0.0, 1e-5))
    assert np.abs(exact - near).max() <= 1e-4
    careless = transport.sliced_transfer(face * mask, target * mask, 4, 10, 1.0, np.random.RandomState(1))
    assert np.abs(exact - careless).max() > 1e-4


@pytest.mark.kernel
@pytest.mark.parametrize('shape, sigmas', [((7, 5), (5.0, 1.4)), ((3, 9), (0.1, 2.0)), ((1, 4), (40.0, 1.0))])
def test_bilateral(shape, sigmas):
    picture = np.random.RandomState(8).normal(0, 1, shape + (3,)).astype(np.float32)
    result = bilateral.bilateral(picture, *sigmas)
    np.testing.assert_allclose(result, naive.bilateral(picture, *sigmas), rtol=0, atol=2e-6)
    if min(shape) > 1:
        np.testing.assert_allclose(result, cv2.bilateralFilter(picture, 0, *sigmas), rtol=0, atol=1e-4)
    flat = np.full((4, 5, 3), 0.3, np.float32)
    assert (bilateral.bilateral(flat, 5.0, 2.0) == flat).all()


def sorted_by_kernels(values):
    """Return (order of numpy's quicksort, stable order, sorted values)."""
    count = len(values)
    values, keys = values.astype(np.float32), np.empty(count, np.uint32)
    pairs, spare = np.empty(count, np.uint64), np.empty(count, np.uint64)
    begins = np.empty((float_order.DIGITS, float_order.BUCKETS), np.int64)
    result = np.empty(count, np.float32)
    float_order.to_keys(values, keys)
    float_order.quicksort(keys, pairs)
    quick = (pairs & np.uint64(0xffffffff)).astype(int)
    float_order.stable_sort(keys, spare, begins, pairs)
    stable = (pairs & np.uint64(0xffffffff)).astype(int)
    float_order.sort_values(keys, np.empty(count, np.uint32), begins, result)
    return quick, stable, result


@pytest.mark.kernel
@pytest.mark.parametrize('name', sorted(key[14:] for key in GOLDEN if key.startswith('degrade|order ')))
def test_quicksort_leaves_ties_as_numpy_did(name):
    values = GOLDEN['degrade|order ' + name]        # the killer drives quicksort so deep that heapsort takes over
    assert list(sorted_by_kernels(values)[0]) == list(GOLDEN['degrade|argsort ' + name])
    assert naive.quicksort_order(values) == list(GOLDEN['degrade|argsort ' + name])


@pytest.mark.kernel
@given(st.lists(st.sampled_from([0.0, -0.0, 1.5, -2.0, 3e-42, -1e-3, 7.0, float('inf')]) | st.floats(
    -2, 2, allow_nan=False, width=32), min_size=1, max_size=300))
@settings(max_examples=40)
def test_orders(values):
    quick, stable, result = sorted_by_kernels(np.array(values, np.float32))
    values = np.array(values, np.float32)
    assert list(quick) == naive.quicksort_order(values)
    assert list(stable) == list(np.argsort(values, kind='mergesort'))
    assert list(result) == list(np.sort(values))


@pytest.mark.parametrize('count', [64, 129, 1000, 5000])
def test_orders_of_many(count):
    random = np.random.RandomState(count)
    for values in (random.normal(size=count), np.round(random.normal(size=count) * 5)):
        quick, stable, result = sorted_by_kernels(values)
        values = values.astype(np.float32)
        assert list(quick) == naive.quicksort_order(values)
        assert list(stable) == list(np.argsort(values, kind='mergesort'))
        assert list(result) == list(np.sort(values))


@pytest.mark.parametrize('name, kind, threshold', MATCHES)
def test_histograms_are_those_of_stock(name, kind, threshold):
    face, target, mask = golden_face(name)
    result = (histogram_match.match_masked(face, target, mask, int(threshold)) if kind == 'masked'
              else histogram_match.match(face, target, int(threshold)))
    assert result.dtype == np.float32
    wanted = as_float(GOLDEN['{}|{} {}'.format(name, kind, threshold)])
    np.testing.assert_allclose(result, wanted, rtol=0, atol=STORED * 1.01)


@pytest.mark.kernel
@given(st.integers(0, 2 ** 32 - 1), st.integers(0, 255), st.sampled_from([2, 9, 10 ** 6]))
@settings(max_examples=10)
def test_histogram_match(seed, threshold, levels):
    face, target, mask = noisy(seed)
    face, target = (np.float32(np.floor(part * levels)) / np.float32(levels) for part in (face, target[:9]))
    np.testing.assert_array_equal(histogram_match.match(face, target, threshold),
                                  naive.histogram_match(face, target, threshold))


@pytest.mark.kernel
def test_histogram_match_on_white():
    face, target, mask = noisy(9)
    face[4, 4] = 1.25
    white = 1 - mask
    np.testing.assert_array_equal(
        histogram_match.match_masked(face, target, mask, 200),
        naive.histogram_match(np.minimum(face * mask + white, 1), target * mask + white, 200))
    face[4, 4] = np.nan
    assert histogram_match.match(face, target, 255).shape == face.shape
