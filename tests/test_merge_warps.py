"""Warps of parts against warps of all: the same pixels, and those of OpenCV 4.1."""
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.merge import warps
from naive import warps as naive


def similarity(random, size, frame_size, near=0):
    """A matrix from a frame to a face of `size` px whose middle lies in the frame or up to `near` px outside."""
    angle, scale = random.uniform(0, 7), random.uniform(0.2, 2)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = random.uniform([-near, -near], [frame_size[0] + near, frame_size[1] + near])
    return np.column_stack([turn, size / 2 - turn.dot(middle)])


@given(st.integers(0, 2 ** 32 - 1))
def test_a_window_is_a_part_of_the_whole(seed):
    random = np.random.RandomState(seed)
    width, height, size = (int(side) for side in random.randint(5, 90, 3))
    matrix = similarity(random, size, (width, height), near=30)
    face = random.rand(size, size, 3).astype(np.float32)
    whole = warps.Placement(matrix, (0, 0, width, height)).paste(face)
    window = warps.window_of(matrix, (0, 0, size, size), (height, width))
    seen = np.zeros_like(whole)
    if window is not None:
        warps.part(seen, window)[:] = warps.Placement(matrix, window).paste(face)
    assert (seen == whole).all()


@given(st.integers(0, 2 ** 32 - 1))
def test_a_face_is_cut_from_a_part_as_from_the_whole(seed):
    random = np.random.RandomState(seed)
    width, height, size = (int(side) for side in random.randint(5, 90, 3))
    matrix = similarity(random, size, (width, height), near=60)
    frame = random.rand(height, width, 3).astype(np.float32)
    whole = warps.cut_face(frame, matrix, size)
    window = warps.source_window(matrix, size, frame.shape)
    if window is None:
        assert not whole.any()
    else:
        assert (warps.cut_face(warps.part(frame, window).copy(), matrix, size, window[:2]) == whole).all()


@pytest.mark.parametrize("seed", range(4))
def test_against_the_oracle(seed):
    random = np.random.RandomState(seed)
    frame = random.rand(23, 31, 3).astype(np.float32)
    matrix = similarity(random, 17, (31, 23))
    cut = warps.cut_face(frame, matrix, 17)
    np.testing.assert_allclose(cut, naive.warp(frame, warps.inverse(matrix), 17, 17), atol=2e-6)
    pasted = warps.Placement(matrix, (0, 0, 31, 23)).paste(cut)
    np.testing.assert_allclose(pasted, naive.warp(cut, matrix, 31, 23), atol=2e-6)


def test_far_and_endless_matrices():
    face = np.ones((8, 8), np.float32)
    far = np.array([[1e6, 0, 0], [0, 1e6, 1e9]])
    assert np.isfinite(warps.Placement(far, (0, 0, 9, 7)).paste(face)).all()
    for value in (np.nan, np.inf):
        matrix = np.full((2, 3), value)
        assert warps.window_of(matrix, (0, 0, 8, 8), (20, 20)) is None
        assert warps.source_window(matrix, 8, (20, 20)) is None


def test_a_face_beyond_40000_px():
    """int16 holds coordinates of a window, not those of a very wide panorama."""
    frame = np.zeros((20, 40100, 1), np.float32)
    frame[5:15, 40050:40060] = 1
    matrix = np.array([[1.0, 0, -40045.0], [0, 1.0, 0]])
    window = warps.source_window(matrix, 20, frame.shape)
    cut = warps.cut_face(warps.part(frame, window).copy(), matrix, 20, window[:2])
    assert (cut[5:15, 5:15] == 1).all() and cut.sum() == 100


def test_inverse_is_that_of_opencv():
    random = np.random.RandomState(7)
    for _ in range(50):
        matrix = similarity(random, 256, (1920, 1080))
        np.testing.assert_allclose(warps.inverse(matrix), cv2.invertAffineTransform(matrix), rtol=1e-13, atol=1e-10)
    assert (warps.inverse(np.zeros((2, 3))) == 0).all()


def test_unit_range_is_a_division():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert (warps.as_unit_range(np.repeat(pixels, 3, 2)) == np.repeat(pixels, 3, 2).astype(np.float32) / 255.0).all()
    assert (warps.as_unit_range(np.repeat(pixels, 3, 2)[::2, ::2])[..., 0]
            == pixels[::2, ::2, 0].astype(np.float32) / 255.0).all()


def test_union():
    assert warps.union(None, (1, 2, 3, 4)) == warps.union((1, 2, 3, 4), None) == (1, 2, 3, 4)
    assert warps.union((1, 2, 3, 4), (0, 3, 2, 9)) == (0, 2, 3, 9)
