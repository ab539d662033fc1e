"""Masks: chosen by their mode, and edges worked on only where there is something."""
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel import landmarks
from accel.merge import faces, masks, settings, warps
from benchmarks import portraits
from naive import masks as naive

SIDE = 8            # of the network's input, px: masks are 32 px wide


def blob(random, kind):
    mask = np.zeros((4 * SIDE, 4 * SIDE), np.float32)
    if kind == "full":
        mask[:] = 1
    elif kind == "border":
        mask[:, :5] = 0.7
    elif kind == "point":
        mask[tuple(random.randint(0, 4 * SIDE, 2))] = 1
    elif kind == "soft":
        centre = tuple(int(part) for part in random.randint(4, 28, 2))
        cv2.ellipse(mask, centre, (9, 6), 30, 0, 360, 1, -1)
        mask = cv2.GaussianBlur(mask, (5, 5), 0)
    elif kind == "noise":
        mask = random.rand(4 * SIDE, 4 * SIDE).astype(np.float32) - 0.1
    return mask


@given(st.integers(0, 2 ** 32 - 1), st.sampled_from(["empty", "full", "border", "point", "soft", "noise"]),
       st.integers(-40, 40), st.integers(0, 70))
def test_edges_are_those_of_the_whole_square(seed, kind, erode, blur):
    mask = blob(np.random.RandomState(seed), kind)
    if kind == "noise":
        mask = np.maximum(mask, 0)
    given_mask = mask.copy()
    shaped = masks.shape_edges(mask, SIDE, erode, blur)
    np.testing.assert_allclose(shaped, naive.shape_edges(mask, SIDE, erode, blur), atol=1e-6)
    assert (mask == given_mask).all() and shaped.dtype == np.float32 and shaped.shape == mask.shape


def test_edges_of_extreme_settings():
    mask = np.ones((4 * SIDE, 4 * SIDE), np.float32)
    for erode, blur in ((400, 0), (-400, 400), (0, 400), (-1, 1), (1, 2)):
        np.testing.assert_allclose(masks.shape_edges(mask, SIDE, erode, blur),
                                   naive.shape_edges(mask, SIDE, erode, blur), atol=1e-6)


def test_box():
    mask = np.zeros((20, 30), np.float32)
    assert masks.box_of(mask) is None
    mask[3, 4] = 0.1
    mask[10, 20] = -0.1
    assert masks.box_of(mask) == (4, 3, 21, 11)


# --- which mask ------------------------------------------------------------------------------

FRAME = np.full((100, 120, 3), 90, np.uint8)
POINTS = portraits.flat_landmarks().astype(np.float64) * 0.3 + [60, 50]
TO_FACE = landmarks.alignment_matrix(POINTS, 32, "whole_face")


def choose(mode, predicted=None, asked=None):
    def segment(face):
        assert face.shape == (masks.XSEG_SIDE, masks.XSEG_SIDE, 3)
        asked.append(float(face.mean()))
        return np.full(face.shape[:2] + (1,), 0.5 if len(asked) == 1 else 0.25, np.float32)
    values = settings.Settings.of(type("Config", (), dict(settings.ENTER, mode="overlay", face_type=4,
                                                          mask_mode=mode)))
    return masks.choose(FRAME, POINTS, TO_FACE, predicted, 32, values, faces.Networks(32, None, segment, None))


def prediction():
    return (np.zeros((32, 32, 3), np.float32), np.full((32, 32), 0.8, np.float32), np.full((32, 32), 0.5, np.float32))


@pytest.mark.parametrize("mode, value", [(0, 1.0), (2, 0.8), (3, 0.5), (4, 0.4), (5, 1.0)])
def test_masks_of_the_network(mode, value):
    np.testing.assert_allclose(choose(mode, prediction()), value, atol=1e-6)


@pytest.mark.parametrize("mode, value, seen", [(6, 0.5, 1), (7, 0.5, 1), (8, 0.125, 2), (9, 0.4 * 0.125, 2)])
def test_masks_of_xseg(mode, value, seen):
    asked = []
    np.testing.assert_allclose(choose(mode, prediction(), asked), value, atol=1e-6)
    assert len(asked) == seen
    # the prediction is black, the frame grey
    assert [mean > 0.1 for mean in asked] == {6: [False], 7: [True]}.get(mode, [False, True])


def test_the_hull_of_the_landmarks():
    mask = choose(1)
    assert mask.shape == (32, 32) and mask.max() == 1 and 0.2 < mask.mean() < 0.9
    assert mask[16, 16] == 1 and mask[0, 0] == 0
    values = settings.Settings.of(type("Config", (), dict(settings.ENTER, mode="overlay", face_type=4)))
    far = POINTS + 5000
    assert not masks.choose(FRAME, far, landmarks.alignment_matrix(far, 32, 4), None, 32, values, None).any()


def test_noise_is_removed_and_the_prediction_kept():
    faint = np.full((32, 32), 0.003, np.float32)
    assert not choose(2, (None, faint, faint)).any()
    assert (faint == np.float32(0.003)).all()


@given(st.integers(0, 2 ** 32 - 1), st.sampled_from(["half_face", "midfull_face", "full_face", "whole_face"]))
def test_a_hull_that_its_square_cuts(seed, face_type):
    """cv2 clips edges at the border of what it draws in, and rounds there."""
    random = np.random.RandomState(seed)
    points = portraits.flat_landmarks() * random.uniform(0.1, 0.6) + random.uniform(0, 100, 2)
    points = (points + random.normal(0, 2, points.shape)).astype(np.float64)
    matrix = landmarks.alignment_matrix(points, 32, face_type)
    whole = landmarks.hull_mask(FRAME.shape, points).astype(np.float32)
    values = settings.Settings.of(type("Config", (), dict(settings.ENTER, mode="overlay", face_type=4)))
    mask = masks.choose(FRAME, points, matrix, None, 32, values, None)
    wanted = np.clip(warps.cut_face(whole, matrix, 32), 0, 1)
    wanted[wanted < masks.NOISE] = 0
    assert (mask == wanted).all()
