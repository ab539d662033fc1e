"""Frames merged in parts against frames merged as a whole: borders, several faces, sizes, channels, degradations.

The frames are smooth: OpenCV 5, with which the oracle warps, does not round coordinates to 1/32 px. What is left of
that, and grows where colours are stretched, is allowed for with such an OpenCV only.
"""
import types

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from accel.merge import blend, faces, frames, settings, warps
from benchmarks import portraits
from merger import MergeMasked
from naive import merge as naive

LEVELS = 1 if cv2.__version__.startswith("4.1.") else 10
FLAT = portraits.flat_landmarks().astype(np.float64)
BASE = dict(settings.ENTER, face_type=4, mode="overlay", mask_mode=4)


def networks(size=naive.SIDE):
    return faces.Networks(size, naive.predict, lambda face: np.ones(face.shape[:2] + (1,), np.float32),
                          lambda face: cv2.resize(face, (4 * face.shape[1], 4 * face.shape[0])))


def smooth_frame(random, height, width, channels=3):
    small = random.rand(4, 5, channels) * 200 + 20
    frame = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)
    return np.clip(frame, 0, 255).astype(np.uint8)


def face_at(x, y, scale=0.35, angle=0.0):
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return FLAT.dot(turn) * scale + [x, y]


def merge(frame, points, motion=(0.0, 0.0), size=naive.SIDE, **changes):
    values = settings.Settings(**dict(BASE, **changes))
    return frames.merge_frame(frames.as_bgr8(frame.copy()), points, faces.Motion(*motion), values, networks(size))


def apart(one, other):
    return int(np.abs(one.astype(np.int16) - other.astype(np.int16)).max())


def assert_as_the_whole(frame, points, **theirs):
    ours = {"mode": theirs.get("mode", "overlay"), "mask_mode": theirs.get("mask_mode", 4),
            "erode_mask_modifier": theirs.get("erode", 0), "blur_mask_modifier": theirs.get("blur", 0),
            "color_transfer_mode": int(theirs.get("transfer", "rct") == "rct")}
    picture, mask = merge(frame, points, **ours)
    wanted, wanted_mask = naive.merge_frame(frame, points, **theirs)
    assert apart(picture, wanted) <= LEVELS and apart(mask[..., 0], wanted_mask) <= LEVELS
    if len(points) == 1:
        assert (picture[mask[..., 0] == 0] == frame[mask[..., 0] == 0]).all()
    return mask


@examples(max_examples=25)
@given(st.integers(0, 2 ** 32 - 1), st.integers(-40, 240), st.integers(-40, 200), st.floats(0.1, 1.5),
       st.floats(-3, 3), st.sampled_from(["none", "rct"]), st.integers(-20, 30), st.integers(0, 40))
def test_a_face_anywhere(seed, x, y, scale, angle, transfer, erode, blur):
    frame = smooth_frame(np.random.RandomState(seed), 161, 203)
    assert_as_the_whole(frame, [face_at(x, y, scale, angle)], transfer=transfer, erode=erode, blur=blur)


@pytest.mark.parametrize("theirs", [{"mode": "original"}, {"mask_mode": 0}, {"mask_mode": 1}, {"mask_mode": 2},
                                    {"mask_mode": 3}, {"mask_mode": 5}, {"transfer": "none", "blur": 60}], ids=str)
def test_modes(theirs):
    frame = smooth_frame(np.random.RandomState(3), 150, 181)
    mask = assert_as_the_whole(frame, [face_at(90, 75)], **theirs)
    assert mask.any()


@pytest.mark.parametrize("second", [(95, 80), (140, 60), (400, 400)], ids=["one above the other", "beside", "away"])
def test_two_faces(second):
    frame = smooth_frame(np.random.RandomState(4), 150, 231)
    assert_as_the_whole(frame, [face_at(90, 75), face_at(*second)], blur=15)
    assert_as_the_whole(frame, [face_at(*second), face_at(90, 75), face_at(60, 60, 0.2)], transfer="none")


def test_a_face_larger_than_the_frame():
    frame = smooth_frame(np.random.RandomState(5), 61, 75)
    mask = assert_as_the_whole(frame, [face_at(37, 30, 2.0)])
    assert (mask > 0).all()


def test_a_face_outside_and_one_too_small_change_nothing():
    frame = smooth_frame(np.random.RandomState(6), 60, 70)
    for points in (face_at(2000, 30), face_at(35, 30, 0.005)):
        picture, mask = merge(frame, [points], color_transfer_mode=1, color_degrade_power=50)
        assert (picture == frame).all()


@pytest.mark.parametrize("changes", [{"color_degrade_power": 100}, {"bicubic_degrade_power": 50},
                                     {"image_denoise_power": 30}], ids=str)
def test_degradations_change_all_of_the_frame(changes):
    random = np.random.RandomState(7)
    frame = random.randint(0, 256, (80, 90, 3)).astype(np.uint8)
    picture, mask = merge(frame, [face_at(45, 40, 0.1)], **changes)
    outside = mask[..., 0] == 0
    assert outside.mean() > 0.5 and (picture[outside] != frame[outside]).any(axis=1).mean() > 0.2
    # two faces share the degraded frame
    twice, _ = merge(frame, [face_at(45, 40, 0.1), face_at(20, 20, 0.1)], **changes)
    both = twice[60:, 60:].astype(int) - picture[60:, 60:]
    assert np.abs(both).max() <= 1


def test_raw_predict_is_what_the_network_gave():
    frame = smooth_frame(np.random.RandomState(8), 120, 130)
    picture, mask = merge(frame, [face_at(60, 60)], mode="raw-predict")
    assert picture.shape == (naive.SIDE, naive.SIDE, 3) and mask.shape == (naive.SIDE, naive.SIDE, 1)
    larger, _ = merge(frame, [face_at(60, 60), face_at(70, 60)], mode="raw-predict", super_resolution_power=30)
    assert larger.shape == (4 * naive.SIDE, 4 * naive.SIDE, 3)


def test_raw_rgb_shows_the_whole_square():
    frame = smooth_frame(np.random.RandomState(9), 200, 220)
    picture, mask = merge(frame, [face_at(110, 90, 0.3)], mode="raw-rgb")
    changed = (picture != frame).any(axis=2)
    assert changed.sum() > (mask > 0).sum() > 0
    assert (picture[~changed] == frame[~changed]).all()


@pytest.mark.parametrize("changes", [
    {"mode": mode} for mode in ("hist-match", "seamless", "seamless-hist-match")] + [
    {"color_transfer_mode": number} for number in range(9)] + [
    {"motion_blur_power": 80}, {"blursharpen_amount": 50, "sharpen_mode": 2}, {"super_resolution_power": 40},
    {"output_face_scale": -30}], ids=str)
@pytest.mark.parametrize("place", [(60, 50, 0.3), (0, 0, 0.5), (119, 99, 0.8), (60, 50, 0.02)], ids=str)
def test_nothing_fails_at_a_border(changes, place):
    frame = smooth_frame(np.random.RandomState(10), 100, 120)
    np.random.seed(1)
    picture, mask = merge(frame, [face_at(*place)], motion=(20.0, 40.0), **changes)
    assert picture.shape == frame.shape and mask.shape == (100, 120, 1)
    assert (picture[mask[..., 0] == 0] == frame[mask[..., 0] == 0]).all()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_an_answer_that_is_no_number(part):
    def broken(face):
        answer = list(naive.predict(face))
        answer[part] = answer[part] * np.float32(np.nan)
        return answer
    frame = smooth_frame(np.random.RandomState(14), 90, 110)
    values = settings.Settings(**BASE)
    with pytest.raises(faces.AnswerError, match="no numbers"):
        frames.merge_frame(frame, [face_at(55, 45)], faces.Motion(0.0, 0.0), values,
                           networks()._replace(predict=broken))


# --- what frames are made of -----------------------------------------------------------------

def test_channels_and_depths():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = np.dstack([grey, grey // 2, grey // 3])
    assert (frames.as_bgr8(grey) == grey[..., None]).all() and frames.as_bgr8(grey).shape == (16, 16, 3)
    assert (frames.as_bgr8(np.dstack([colour, grey])) == colour).all()
    assert (frames.as_bgr8(np.dstack([grey, grey // 2])) == grey[..., None]).all()
    assert (frames.as_bgr8(colour.astype(np.uint16) * 257) == colour).all()
    assert frames.as_bgr8(np.full((2, 2), 65535, np.uint16)).max() == 255
    for frame in (grey, colour, np.dstack([colour, grey])):
        assert frames.as_bgr8(frame).flags.c_contiguous


# --- stock's functions -----------------------------------------------------------------------

def test_the_functions_of_stock(tmp_path):
    frame, points = smooth_frame(np.random.RandomState(11), 90, 110), face_at(55, 45, 0.3)
    cv2.imwrite(str(tmp_path / "a.png"), frame)
    info = types.SimpleNamespace(filepath=tmp_path / "a.png", landmarks_list=[points], motion_power=0, motion_deg=0)
    config = types.SimpleNamespace(**dict(BASE, color_transfer_mode=1))

    def enhance(face, is_tanh, preserve_size):
        raise AssertionError("no super resolution was asked for")
    both = MergeMasked.MergeMasked(naive.predict, (64, 64, 3), enhance, None, config, info)
    picture, mask = merge(frame, [points], color_transfer_mode=1)
    assert (both[..., :3] == picture).all() and (both[..., 3:] == mask).all()
    one, its_mask = MergeMasked.MergeMaskedFace(naive.predict, (64, 64, 3), enhance, None, config, info, frame,
                                                warps.as_unit_range(frame), points)
    assert one.dtype == its_mask.dtype == np.float32 and its_mask.shape == (90, 110, 1)
    assert apart((one * 255).astype(np.uint8), picture) <= 1
    assert apart((its_mask * 255).astype(np.uint8), mask) == 0


# --- kernels ---------------------------------------------------------------------------------

@pytest.mark.kernel
def test_mixing():
    random = np.random.RandomState(12)
    under, over = (random.rand(7, 9, 3).astype(np.float32) for _ in range(2))
    mask = random.rand(7, 9).astype(np.float32)
    share = mask[..., None]
    assert (blend.mix(under, over, mask) == under * (1 - share) + over * share).all()
    turned = blend.mix(under[:, ::-1], over, mask[::-1])
    assert (turned == under[:, ::-1] * (1 - share[::-1]) + over * share[::-1]).all()


@pytest.mark.kernel
@pytest.mark.parametrize("everywhere", [False, True])
def test_laying_down(everywhere):
    random = np.random.RandomState(13)
    frame = random.randint(0, 256, (9, 12, 3)).astype(np.uint8)
    picture = (random.rand(4, 5, 3) * 1.4 - 0.2).astype(np.float32)
    mask = np.maximum(random.rand(4, 5) - 0.4, 0).astype(np.float32)
    wanted = frame.copy()
    part = wanted[2:6, 3:8]
    where = (mask > 0) | everywhere
    part[where] = (np.clip(picture, 0, 1)[where] * np.float32(255)).astype(np.uint8)
    blend.lay_down(frame, (3, 2, 8, 6), picture, mask, everywhere)
    assert (frame == wanted).all()


@pytest.mark.kernel
def test_cleaning():
    mask = np.array([[-1, 0, 0.003, 1 / 255.0, 0.5, 1, 7, np.nan]], np.float32)
    blend.clean(mask, 1 / 255.0)
    assert mask.tolist() == [[0, 0, 0, float(np.float32(1 / 255.0)), 0.5, 1, 1, 0]]
