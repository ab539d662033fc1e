"""Sharpness, motion blur and their edges against oracles of plain loops."""
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.ranking import canny, sharpness
from kernel_images import adversarial, masked_disc, textured
from naive import sharpness as naive

pytestmark = pytest.mark.kernel

SHAPES = [(64, 64), (70, 131), (9, 5), (2, 3), (128, 65)]
CASES = [(shape, name) for shape in SHAPES for name in sorted(adversarial(4, 4))]


@pytest.mark.parametrize('shape, name', CASES)
def test_cpbd_sharpness(shape, name):
    image = adversarial(*shape)[name]
    assert sharpness.cpbd_sharpness(image) == naive.estimate_sharpness(image)


@pytest.mark.parametrize('shape, name', CASES)
def test_edge_widths(shape, name):
    image = adversarial(*shape)[name]
    ref = naive.edge_widths(image, naive.thinned_sobel(image))
    np.testing.assert_array_equal(sharpness.edge_widths(image), ref)


# Where neighbours along the gradient are exactly as strong ('board', 'steps', 'rising' ...), the last bit of
# math.hypot decides, which differs between numba and C; blocks of such images are decided alike all the same.
@pytest.mark.parametrize('name', ['noise', 'faint', 'cut', 'disc', 'black', 'white'])
@pytest.mark.parametrize('shape', SHAPES)
def test_canny_edges(shape, name):
    image = adversarial(*shape)[name]
    np.testing.assert_array_equal(canny.canny_edges(image), naive.canny(image))


@settings(max_examples=15)
@given(seed=st.integers(0, 10 ** 6), height=st.integers(64, 140), width=st.integers(64, 140),
       contrast=st.sampled_from([1, 4, 255]))
def test_cpbd_sharpness_of_random_images(seed, height, width, contrast):
    image = textured(height, width, seed) // (256 // (contrast + 1))
    assert sharpness.cpbd_sharpness(image) == naive.estimate_sharpness(image)


def test_a_block_is_decided_by_strong_and_weak_edges():
    # faint and sparse, so that some of the maxima lie between the thresholds
    image = (np.random.RandomState(5).random_sample((64, 64)) < 0.02).astype(np.uint8)
    weights = canny.gaussian_weights()
    padded, table = canny.zero_padded(image), canny.coverage_table(weights, 64, 64)
    labels = np.empty(image.shape, np.uint8)
    canny.classify(padded, weights, table, 0, 0, labels)
    strong, weak = (labels == canny.STRONG).sum(), (labels == canny.WEAK).sum()
    assert strong > 0 and weak > 0

    def decide(needed, first=0):
        return canny.block_has_edges(padded, weights, table, 0, 0, 64, first, needed)
    for first in (0, 21, 63):
        assert decide(strong, first) == 1
        assert decide(strong + 1, first) == decide(strong + weak, first) == -1
        assert decide(strong + weak + 1, first) == 0


@pytest.mark.parametrize('name', ['noise', 'faint', 'cut', 'disc', 'black'])
def test_undecided_images_get_the_same_value_from_all_their_edges(name, monkeypatch):
    image = adversarial(130, 70)[name]
    monkeypatch.setattr(sharpness, '_count_buckets', lambda *words: True)
    assert sharpness.cpbd_sharpness(image) == naive.estimate_sharpness(image)


def test_cpbd_takes_views_and_leaves_them_alone():
    image = textured(150, 150, 3)
    view = image[5:140:1, 3:140][:, ::-1]
    before = image.copy()
    assert sharpness.cpbd_sharpness(view) == naive.estimate_sharpness(np.ascontiguousarray(view))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize('channels', [0, 1, 3, 4])
@pytest.mark.parametrize('centre, radius', [((0.5, 0.5), 0.3), ((0.0, 0.0), 0.5), ((1.0, 0.4), 0.4), ((0.5, 0.5), 2)])
def test_motion_blur(channels, centre, radius):
    image = masked_disc(textured(61, 47, channels, channels), centre, radius)
    ref = cv2.Laplacian(image, cv2.CV_64F, ksize=11).var()
    assert sharpness.motion_blur(image) == pytest.approx(ref, rel=1e-9)


@pytest.mark.parametrize('height, width', [(1, 1), (1, 9), (3, 2), (12, 5)])
def test_motion_blur_of_small_images(height, width):
    image = np.random.RandomState(height).randint(1, 255, (height, width, 3)).astype(np.uint8)
    ref = cv2.Laplacian(image, cv2.CV_64F, ksize=11).var()
    assert sharpness.motion_blur(image) == pytest.approx(ref, rel=1e-9)


def test_nothing_to_measure():
    black = np.zeros((80, 80, 3), np.uint8)
    assert sharpness.motion_blur(black) == 0
    assert sharpness.cpbd_sharpness(black[..., 0]) == 0
    assert sharpness.cpbd_sharpness(np.full((1, 1), 9, np.uint8)) == 0
