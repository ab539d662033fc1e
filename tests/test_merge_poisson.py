"""Seamless cloning: equal to OpenCV 4.1.0 with any OpenCV, and to the exact equation within a twentieth of a level."""
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from accel.merge import poisson
from naive import poisson as naive

FROZEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "merge_seamless.npz")
ERROR = 0.05        # level of 255


def assert_exact(frame, patch, mask, result):
    """Assert that truncation alone lies between the result and the exact solution."""
    exact = naive.clone(frame, patch, mask)
    low, high = (np.clip(exact + error, 0, 255).astype(np.uint8) for error in (-ERROR, ERROR))
    assert result.dtype == np.uint8 and result.shape == frame.shape
    assert (result >= low).all() and (result <= high).all()


# --- OpenCV 4.1.0 ----------------------------------------------------------------------------

def frozen_cases():
    return [(number, index) for number, (_, masks) in enumerate(sorted(naive.MASKS.items()))
            for index in range(len(masks))]


@pytest.mark.kernel
@pytest.mark.parametrize("number, index", frozen_cases())
def test_results_of_opencv(number, index):
    with np.load(FROZEN) as kept:
        frame, patch, changes = (kept["{}{}".format(name, number)] for name in ("frame", "patch", "changes"))
        masks = np.unpackbits(kept["masks{}".format(number)])[:changes[..., 0].size].reshape(changes.shape[:3])
    expected = frame + changes[index]
    result = poisson.seamless_clone(frame, patch, masks[index] * np.uint8(255), 0, 0)
    difference = np.abs(result.astype(int) - expected)
    assert changes[index].any()
    assert difference.max() <= 1 and (difference > 0).mean() < 0.002


def test_rounding_of_opencv_in_a_large_box():
    frame, patch, mask = naive.large()
    kept = slice(None, None, naive.LARGE_STEP)
    with np.load(FROZEN) as data:
        expected = data["large"].astype(int)
    inside = mask[kept, kept] > 0
    result = poisson.seamless_clone(frame, patch, mask, 0, 0)[kept, kept]
    assert np.abs(result - expected)[inside].max() <= 1
    # plain colours stay what they are but for the rounding
    assert np.abs(expected - naive.FRAME_COLOUR)[inside].max() > 8


# --- the exact equation ----------------------------------------------------------------------

def test_the_oracle_solves_the_equation():
    frame, patch = (picture.astype(float) for picture in naive.scene(23, 31, 5))
    core = naive.erode(naive.ellipse(23, 31, (14, 11), (15, 11)) > 0)
    result = naive.solve(frame, patch, core, single=False)
    laplacian = (result[:-2, 1:-1] + result[2:, 1:-1] + result[1:-1, :-2] + result[1:-1, 2:] - 4 * result[1:-1, 1:-1])
    np.testing.assert_allclose(laplacian, naive.right_side(frame, patch, core), atol=1e-9)
    assert (result[0] == frame[0]).all() and (result[:, -1] == frame[:, -1]).all() and core.any()


def made_up(random, kind, height, width):
    """A mask of some kind, 0 or 255."""
    if kind == "ellipse":
        return naive.ellipse(height, width, (random.randint(width), random.randint(height)),
                             (random.randint(1, 1 + width), random.randint(1, 1 + height)))
    if kind == "noise":
        return (random.rand(height, width) < random.choice([0.01, 0.5, 0.98, 1])).astype(np.uint8) * np.uint8(255)
    boxes = [(random.randint(width), random.randint(height), random.randint(1, 1 + width),
              random.randint(1, 1 + height)) for _ in range(random.randint(1, 4))]
    return naive.rectangles(height, width, *boxes)


def picture(random, kind, height, width):
    if kind == "scene":
        return naive.scene(height, width, random.randint(1000))[random.randint(2)]
    if kind == "plain":
        return np.full((height, width, 3), random.randint(0, 256, 3), np.uint8)
    return random.choice(np.array([0, 255], np.uint8) if kind == "checks" else np.arange(256, dtype=np.uint8),
                         (height, width, 3))


KINDS = st.sampled_from(["scene", "plain", "checks", "noise"])


@pytest.mark.kernel
@limits(max_examples=150)
@given(st.integers(0, 2 ** 32 - 1), st.integers(1, 34), st.integers(1, 34), KINDS, KINDS,
       st.sampled_from(["ellipse", "noise", "boxes"]))
def test_any_frame(seed, height, width, frame_kind, patch_kind, mask_kind):
    random = np.random.RandomState(seed)
    frame, patch = (picture(random, kind, height, width) for kind in (frame_kind, patch_kind))
    mask = made_up(random, mask_kind, height, width)
    try:
        naive.boxes(mask > 0)
    except ValueError:
        with pytest.raises(ValueError):
            poisson.seamless_clone(frame, patch, mask, 0, 0)
    else:
        assert_exact(frame, patch, mask, poisson.seamless_clone(frame, patch, mask, 0, 0))


@pytest.mark.parametrize("height, width", [(213, 213), (214, 199), (361, 241), (3, 500), (500, 3), (4, 380), (600, 9),
                                           (12, 600), (130, 514)])
@pytest.mark.parametrize("colours", ["noise", "black on white", "opposite slopes"])
def test_hard_boxes(height, width, colours):
    """Sides next to primes, one side tiny, patches that have nothing to do with the frame; pixels all around."""
    random = np.random.RandomState(height + width)
    shape = (height + 2, width + 2, 3)
    if colours == "noise":
        frame, patch = picture(random, "noise", *shape[:2]), picture(random, "checks", *shape[:2])
    elif colours == "black on white":
        frame, patch = np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)
    else:
        slope = np.linspace(0, 255, shape[1]).astype(np.uint8)[None, :, None]
        frame, patch = np.broadcast_to(slope, shape), np.broadcast_to(slope[:, ::-1], shape)
    mask = naive.rectangles(shape[0], shape[1], (1, 1, width, height))
    mask[random.randint(0, shape[0], 20), random.randint(0, shape[1], 20)] = 0
    mask[1, 1:3] = mask[1:3, 1] = mask[-2, -2] = 255
    assert_exact(frame, patch, mask, poisson.seamless_clone(frame, patch, mask, 0, 0))


# --- the call --------------------------------------------------------------------------------

@pytest.mark.kernel
@pytest.mark.parametrize("centre", [(30, 25), (9, 30), (75, 30), (40, 4), (40, 55), (2, 2), (80, 58)])
def test_a_window_is_a_part_of_the_frame(centre):
    """Also where the mask touches an edge of the frame, and where it touches one of the window only."""
    frame, patch = naive.scene(61, 83, 1)
    mask = naive.ellipse(61, 83, centre, (16, 11))
    whole = poisson.seamless_clone(frame, patch, mask, 0, 0)
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    for room in (0, 5):
        top, left = max(0, rows[0] - room), max(0, columns[0] - room)
        window = slice(top, rows[-1] + 1 + room), slice(left, columns[-1] + 1 + room)
        part = poisson.seamless_clone(frame, patch[window], mask[window], left, top)
        assert (part == whole[window]).all()


def test_inputs_are_only_read():
    wide_frame, wide_patch = naive.scene(61, 166, 2)
    frame, patch, mask = wide_frame[:, ::2], wide_patch[:, ::2], naive.ellipse(61, 83, (0, 30), (30, 20))
    for array in (frame, patch, mask):
        array.setflags(write=False)
    before = [array.copy() for array in (wide_frame, wide_patch, mask)]
    result = poisson.seamless_clone(frame, patch, mask, 0, 0)
    assert all((a == b).all() for a, b in zip(before, (wide_frame, wide_patch, mask)))
    assert not np.shares_memory(result, wide_frame)
    assert_exact(frame, patch, mask, result)


@pytest.mark.parametrize("box", [(5, 5, 0, 0), (5, 5, 1, 20), (5, 5, 20, 1), (5, 5, 2, 20), (5, 5, 20, 2),
                                 (0, 5, 3, 20), (5, 0, 20, 3), (28, 5, 3, 20), (5, 38, 20, 3), (0, 0, 1, 1)])
def test_too_little_of_the_mask(box):
    frame, patch = naive.scene(41, 31, 3)
    with pytest.raises(ValueError):
        poisson.seamless_clone(frame, patch, naive.rectangles(41, 31, box), 0, 0)


def test_many_threads():
    frame, patch = naive.scene(120, 150, 4)
    masks = [naive.ellipse(120, 150, (60 + 2 * number, 60), (50, 30 + number)) for number in range(8)]
    alone = [poisson.seamless_clone(frame, patch, mask, 0, 0) for mask in masks]
    together = [None] * len(masks)

    def work(number):
        for _ in range(5):
            together[number] = poisson.seamless_clone(frame, patch, masks[number], 0, 0)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(masks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((a == b).all() for a, b in zip(alone, together))
