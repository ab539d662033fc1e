"""Blur, sharpening, denoising, rescaling and fewer colours: stock's own results (data/merge_colour.npz) and oracles."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.merge import degrade, warps
from naive import degrade as naive
from test_merge_colour import GOLDEN, STORED, as_float

FACE, FRAME = as_float(GOLDEN['degrade|face']), GOLDEN['degrade|frame']


def golden(kind):
    """Return the words behind a kind of degradation, sorted, and the result of each."""
    found = {key[8:]: value for key, value in GOLDEN.items() if key.startswith('degrade|' + kind + ' ')}
    return [(tuple(key.split()[1:]), found[key]) for key in sorted(found)]


@pytest.mark.parametrize('words, stored', golden('motion'))
def test_motion_blur_is_that_of_stock(words, stored):
    result = degrade.motion_blur(FACE, int(words[0]), float(words[1]))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, as_float(stored), rtol=0, atol=STORED + 2e-6)


@pytest.mark.parametrize('size', [2, 3, 11, 12, 13, 30])
@pytest.mark.parametrize('angle', [0.0, -90.0, 31.7])
def test_motion_blur(size, angle):
    face = FACE[:15, :9].copy()
    np.testing.assert_allclose(degrade.motion_blur(face, size, angle), naive.correlate(face, naive.line(size, angle)),
                               rtol=0, atol=2e-6)


@pytest.mark.parametrize('words, stored', golden('sharpen'))
def test_blur_sharpen_is_that_of_stock(words, stored):
    mode, amount = (int(word) for word in words)
    face = FACE[:20, :18].copy()
    result = degrade.blur_sharpen(face, mode, amount)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, stored, rtol=0, atol=1e-6 * max(amount, 1))


@pytest.mark.parametrize('mode, amount', [(1, 7), (2, 7)])
def test_sharpen(mode, amount):
    np.testing.assert_allclose(degrade.blur_sharpen(FACE, mode, amount), naive.sharpen(FACE, mode, amount),
                               rtol=0, atol=1e-5)


@pytest.mark.parametrize('amount', [-1, -9, -10, -25])
def test_smoothing(amount):
    np.testing.assert_allclose(degrade.blur_sharpen(FACE, 0, amount), naive.repeated_median(FACE, -amount, 10),
                               rtol=0, atol=1e-7)


def test_nothing_to_sharpen():
    assert (degrade.blur_sharpen(FACE, 0, 50) == FACE).all() and (degrade.blur_sharpen(FACE, 1, 0) == FACE).all()


@pytest.mark.parametrize('words, stored', golden('denoise'))
def test_denoise_is_that_of_stock(words, stored):
    result = degrade.denoise(FRAME, int(words[0]))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, as_float(stored), rtol=0, atol=STORED + 1e-6)


@pytest.mark.parametrize('power', [0, 1, 45, 90, 103, 120])
def test_denoise(power):
    frame = FRAME[:17, :14].copy()
    np.testing.assert_allclose(degrade.denoise(frame, power),
                               naive.repeated_median(warps.as_unit_range(frame), power, 100), rtol=0, atol=2e-7)


@given(st.integers(0, 2 ** 32 - 1), st.integers(1, 130))
@settings(max_examples=30)
def test_a_window_of_a_denoised_frame(seed, power):
    random = np.random.RandomState(seed)
    height, width = random.randint(4, 60, 2)
    frame = random.randint(0, 256, (height, width, 3)).astype(np.uint8)
    left, top = random.randint(0, width - 1), random.randint(0, height - 1)
    right, bottom = random.randint(left + 1, width + 1), random.randint(top + 1, height + 1)
    part = degrade.denoise(frame, power, (left, top, right, bottom))
    assert part.flags['C_CONTIGUOUS']
    np.testing.assert_array_equal(part, degrade.denoise(frame, power)[top:bottom, left:right])


@pytest.mark.parametrize('words, stored', golden('bicubic'))
def test_bicubic_rescale_is_that_of_stock(words, stored):
    result = degrade.bicubic_rescale(warps.as_unit_range(FRAME), int(words[0]))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, stored, rtol=0, atol=1e-5)


def test_a_tiny_frame_keeps_a_pixel():
    frame = warps.as_unit_range(FRAME)
    assert np.ptp(degrade.bicubic_rescale(frame, 100).reshape(-1, 3), axis=0).max() < 1e-5


@pytest.mark.parametrize('words, stored', golden('colours'))
def test_reduced_colours_are_those_of_stock(words, stored):
    result = degrade.reduce_colours(warps.as_unit_range(FRAME), int(words[0]))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, as_float(stored))
    assert len(np.unique(result.reshape(-1, 3), axis=0)) <= int(words[0])


def test_colours_are_cut_to_levels_and_kept_where_they_are_few():
    image = np.array([[[0.999, 0.5, 0.0], [1.0, 254.99 / 255, 1 / 255]]], np.float32)
    np.testing.assert_array_equal(degrade.reduce_colours(image) * 255, [[[254, 127, 0], [255, 254, 1]]])
