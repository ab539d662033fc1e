"""Orders by what the pixels are: brightness, hue, black pixels. All sums are exact integers."""
import cv2
import numpy as np

from .. import compat_images
from . import Ranking, by_value, faces

cv2.setNumThreads(1)  # the pool already has a thread for every core: 8 % of a sort by blur

MANY = 1200  # faces of 320 px above which the kernel of `hue` repays its loading


def as_bgr8(image):
    """Eight-bit colour of any image that OpenCV reads.

    uint8 images of three or four channels are returned as they are. Stock stops at the
    others: here grey counts as three equal channels, 16 bits are scaled down.
    Returns uint8 (H, W, 3 or 4) BGR(A).
    """
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.clip(image, 0, 255).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return image


def as_gray(image):
    """Grey image of any image that OpenCV reads: (H, W), uint8, or uint16 for 16-bit colour, as in stock."""
    if image.ndim == 2 or image.shape[2] < 3:
        image = as_bgr8(image)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def channel_histogram(image, channel):
    """Histogram of one channel: float32 (256,) counts of an image (H, W[, C])."""
    return cv2.calcHist([image], [channel], None, [256], [0, 256]).reshape(256)


def mean_brightness(image):
    """Mean of max(B, G, R), 0..255, of a uint8 (H, W, 3 or 4) image: the V of HSV."""
    blue, green, red = cv2.split(image)[:3]
    value = cv2.max(cv2.max(blue, green), red)
    return cv2.sumElems(value)[0] / value.size


def mean_hue_cv2(image):
    """Mean hue, 0..179 (half degrees), of a uint8 (H, W, 3 or 4) BGR(A) image; `hue.mean_hue` is its equal."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    return cv2.sumElems(hsv)[0] / (hsv.shape[0] * hsv.shape[1])


def count_black(image):
    """Number of zeros among all channels of all pixels of an image (H, W[, C])."""
    return int(image.size - cv2.countNonZero(image.reshape(image.shape[0], -1)))


def rank_brightness(paths):
    """Brightest first. Values: mean of V, 0..255."""
    return _rank(paths, lambda path: mean_brightness(as_bgr8(faces.read_pixels(path))), True)


def rank_hue(paths):
    """Highest mean hue first. Values: 0..179."""
    mean_hue = mean_hue_cv2
    if compat_images.opencv_converts_hsv_slowly() and len(paths) >= MANY:
        from .hue import mean_hue  # here: loading numba takes as long as it saves on MANY faces
    return _rank(paths, lambda path: mean_hue(as_bgr8(faces.read_pixels(path))), True)


def rank_black(paths):
    """Fewest black values first. Values: zeros among all channels."""
    return _rank(paths, lambda path: count_black(faces.read_pixels(path)), False)


def _rank(paths, measure, descending):
    measured = faces.measure(paths, measure)
    return Ranking(by_value(measured.ranked, descending), measured.trashed)
