"""Brightness, hue and black pixels against oracles of plain loops and OpenCV."""
import cv2
import numpy as np
import pytest

from accel.ranking import hue, pixels
from kernel_images import textured
from naive import pixels as naive

SHAPES = [(7, 5, 3), (8, 8, 4), (1, 1, 3), (31, 17, 3)]


@pytest.mark.parametrize('shape', SHAPES)
def test_mean_brightness(shape):
    image = textured(*shape[:2], seed=1, channels=shape[2])
    assert pixels.mean_brightness(image) == naive.brightness(image)
    assert pixels.mean_brightness(image) == np.mean(cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[..., 2].flatten())


@pytest.mark.kernel
@pytest.mark.parametrize('shape', SHAPES)
def test_mean_hue(shape):
    image = np.random.RandomState(2).randint(0, 256, shape).astype(np.uint8)
    assert hue.mean_hue(image) == pixels.mean_hue_cv2(image) == naive.hue(image)
    assert hue.mean_hue(image) == np.mean(cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[..., 0].flatten())


def test_hue_of_every_colour():
    """All 2**24 colours, 256 to a call: the sums are OpenCV's."""
    green, red = np.meshgrid(np.arange(256), np.arange(256), indexing='ij')
    image = np.empty((256, 256, 3), np.uint8)
    image[..., 1], image[..., 2] = green, red
    for blue in range(256):
        image[..., 0] = blue
        ref = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[..., 0]
        assert hue.mean_hue(image) * ref.size == ref.astype(np.int64).sum()


@pytest.mark.parametrize('shape', SHAPES + [(9, 4)])
def test_count_black(shape):
    image = np.random.RandomState(3).randint(0, 3, shape).astype(np.uint8)
    assert pixels.count_black(image) == naive.black(image) == image[image == 0].size
    assert pixels.count_black(image.astype(np.uint16)) == naive.black(image)


@pytest.mark.parametrize('image', [textured(6, 5, 4), textured(6, 5, 4)[..., None],
                                   textured(6, 5, 4, 3).astype(np.uint16) * 257,
                                   textured(6, 5, 4).astype(np.uint16) * 257], ids=['2d', '1ch', '16bit', '16bit-2d'])
def test_as_bgr8_of_unusual_images(image):
    comp = pixels.as_bgr8(image)
    assert comp.dtype == np.uint8 and comp.shape == (6, 5, 3)
    np.testing.assert_array_equal(comp, naive.as_bgr8(image).reshape(comp.shape))
    assert pixels.as_gray(image).shape == (6, 5)
    assert pixels.as_gray(image).dtype == (np.uint16 if image.dtype == np.uint16 and image.shape[2:] else np.uint8)


def test_as_bgr8_does_not_copy_ordinary_images():
    image = textured(4, 4, 1, 3)
    assert pixels.as_bgr8(image) is image


@pytest.mark.parametrize('many', [1, 10 ** 6])
def test_rank_hue_is_the_same_with_either_backend(tmp_path, monkeypatch, many):
    monkeypatch.setattr(pixels, 'MANY', many)
    monkeypatch.setattr(pixels.compat_images, 'opencv_converts_hsv_slowly', lambda: True)
    paths = []
    for i in range(5):
        paths.append(str(tmp_path / '{}.png'.format(i)))
        cv2.imwrite(paths[-1], textured(20, 30, i, 3))
    ref = sorted(paths, key=lambda path: naive.hue(cv2.imread(path)), reverse=True)
    assert [path for path, _ in pixels.rank_hue(paths).ordered] == ref
