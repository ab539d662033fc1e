"""Oracles for brightness, hue and black pixels, in OpenCV's 8-bit integer arithmetic."""
import numpy as np


def as_bgr8(image):
    """The image as three 8-bit channels: grey counts as three equal ones, 16 bits are scaled, no alpha."""
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        image = np.dstack([image, image, image])
    return image[..., :3]


def brightness(image):
    """Mean over pixels of the largest channel (V of HSV), 0..255."""
    image = as_bgr8(image)
    return int(image.max(axis=2).astype(np.int64).sum()) / (image.shape[0] * image.shape[1])


def hue(image):
    """Mean over pixels of the 8-bit hue, 0..180 for the full turn."""
    total = 0
    pixels, counts = np.unique(as_bgr8(image).reshape(-1, 3), axis=0, return_counts=True)
    for (b, g, r), count in zip(pixels.tolist(), counts.tolist()):
        total += count * pixel_hue(b, g, r)
    return total / (image.shape[0] * image.shape[1])


def pixel_hue(b, g, r):
    """Hue of one pixel: sixths of a turn, in fixed point with 12 fractional bits, rounded."""
    value, spread = max(b, g, r), max(b, g, r) - min(b, g, r)
    if spread == 0:
        return 0
    if value == r:
        sixth = g - b
    elif value == g:
        sixth = b - r + 2 * spread
    else:
        sixth = r - g + 4 * spread
    per_spread = int(round((180 << 12) / (6.0 * spread)))
    hue_value = (sixth * per_spread + (1 << 11)) >> 12
    return hue_value + 180 if hue_value < 0 else hue_value


def black(image):
    """Number of values that are 0, over all channels that the file has."""
    count = 0
    for row in image.reshape(image.shape[0], -1).tolist():
        count += row.count(0)
    return count
