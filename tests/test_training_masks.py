"""Masks of a face in its own picture: rows alone against the whole, odd landmarks, segmentations."""
import cv2
import numpy as np
import pytest
import samples_cases
from accel.training import masks
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import samples as naive

shapes = st.sampled_from([(32, 32), (33, 50), (64, 64), (100, 64), (129, 128), (201, 201)])


def points_in(shape, seed, off):
    return samples_cases.points_of(shape[1], shape[0], np.random.RandomState(seed)) + np.array(off) * shape[::-1]


class Face:
    """As much of a Sample as masks ask for."""

    def __init__(self, points, mask=None, brows=1.0):
        self.landmarks, self.eyebrows_expand_mod, self._mask = points, brows, mask

    def get_xseg_mask(self):
        return self._mask


@settings(max_examples=60)
@given(shapes, st.integers(0, 2 ** 32 - 1), st.tuples(*[st.sampled_from([0, 0, -0.3, 0.35, -1.0, 1.0, 5.0])] * 2))
def test_against_whole_masks(shape, seed, off):
    """Also where eyes or mouth lie across the border or far outside."""
    points = points_in(shape, seed, off)
    assert (masks.eyes(points, shape) == naive.mask_of({'landmarks': points}, shape, 2)).all()
    face = {'landmarks': points, 'eyebrows_expand_mod': 1.0}
    hull = masks.whole_face(Face(points), shape)
    assert hull.dtype == np.float32 and (hull == naive.face_mask(face, shape)).all()
    both = masks.eyes_and_mouth(points, shape, hull)
    assert both.dtype == np.float32 and (both == naive.mask_of(face, shape, 3)).all()


def test_eyes_and_mouth_are_there():
    points = points_in((256, 256), 1, (0, 0))
    eyes = masks.eyes(points, (256, 256, 3))
    both = masks.eyes_and_mouth(points, (256, 256, 3), np.ones((256, 256, 1), np.float32))
    assert eyes.shape == both.shape == (256, 256, 1)
    for part, in_eyes in ((slice(36, 42), True), (slice(42, 48), True), (slice(60, 68), False)):
        x, y = points[part].mean(axis=0).astype(int)
        assert both[y, x] > 0.5 and (eyes[y, x] > 0.5) == in_eyes
    assert eyes.max() <= 1 and both.max() <= 1


def test_eyes_that_meet_the_mouth_stay_below_one():
    points = np.full((68, 2), 50.0) + np.random.RandomState(0).uniform(-20, 20, (68, 2))
    both = masks.eyes_and_mouth(points, (128, 128), np.ones((128, 128, 1), np.float32))
    assert both.max() == 1
    assert (both == naive.mask_of({'landmarks': points, 'xseg_mask_compressed': cv2.imencode(
        '.png', np.full((128, 128), 255, np.uint8))[1]}, (128, 128), 3)).all()


def test_parts_outside_of_the_face_are_left_out():
    points = points_in((128, 128), 4, (0, 0))
    face = np.zeros((128, 128, 1), np.float32)
    face[:, :64] = 0.25
    both = masks.eyes_and_mouth(points, (128, 128), face)
    assert both[:, :64].max() > 0.5 and both[:, 64:].max() == 0


@pytest.mark.parametrize('side', [(60, 60), (128, 128), (90, 128), (128, 60)])
def test_segmentations_of_other_sizes(side):
    """Cubic scaling goes beyond 0..1, which is cut."""
    mask = (np.random.RandomState(5).rand(*side) > 0.5).astype(np.float32)[..., None]
    made = masks.whole_face(Face(points_in((128, 128), 1, (0, 0)), mask), (128, 128, 3))
    wanted = mask
    if side != (128, 128):
        wanted = np.clip(cv2.resize(mask, (128, 128), interpolation=cv2.INTER_CUBIC), 0, 1)[..., None]
    assert made.shape == (128, 128, 1) and made.dtype == np.float32 and (made == wanted).all()


def test_a_segmentation_in_colour():
    mask = np.random.RandomState(5).rand(64, 64, 3).astype(np.float32)
    face = Face(points_in((64, 64), 1, (0, 0)), mask)
    assert (masks.whole_face(face, (64, 64, 3)) == mask).all()
    assert masks.whole_face(face, (64, 65, 3)).shape == (64, 65, 1)
    assert masks.eyes_and_mouth(face.landmarks, (64, 64), mask).shape == (64, 64, 3)


def test_a_mask_is_not_the_samples_own():
    mask = np.full((64, 64, 1), 0.5, np.float32)
    masks.whole_face(Face(None, mask), (64, 64, 3))[:] = 7
    assert (mask == 0.5).all()


@pytest.mark.parametrize('values', [
    np.array([[-1, -0.0, 0.0, 1e-30, 0.5, 1, 1.0000001, 9, np.inf, -np.inf]], np.float32),
    np.random.RandomState(1).uniform(-2, 3, (33, 37, 3)).astype(np.float32),
    np.random.RandomState(1).uniform(-2, 3, (33, 37, 3)).astype(np.float32)[:, ::-1],
    np.random.RandomState(1).uniform(-2, 3, (3, 7)), np.zeros((0, 4, 3), np.float32)])
def test_clipped_is_clip(values):
    before, made = values.copy(), masks.clipped(values)
    wanted = np.clip(values, 0, 1)
    assert made.dtype == wanted.dtype and made.shape == wanted.shape
    assert (made == wanted).all() and not np.signbit(made).any()
    assert (values == before).all() and not np.shares_memory(made, values)


@pytest.mark.parametrize('function', [masks.eyes, lambda points, shape: masks.eyes_and_mouth(
    points, shape, np.ones(shape + (1,), np.float32))])
def test_what_cannot_be_done(function):
    with pytest.raises(ValueError, match='68 landmarks, not 5'):
        function(np.zeros((5, 2)), (64, 64))
    with pytest.raises(cv2.error):        # as stock: a brush of 1/32 of the height is none
        function(np.full((68, 2), 5.0), (31, 64))
