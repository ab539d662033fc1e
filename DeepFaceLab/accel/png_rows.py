"""Rows of a PNG as it stores them, turned back into pixels: kernels of png_pixels.

A row begins with a byte that names its filter: what was subtracted from every byte before it was compressed, and has
to be added again, modulo 256. Each colour depends on the pixel on its left, so the three go side by side.

PNG: W3C Recommendation, second edition, chapter 9. The predictor of Paeth (1991) as a median of three, without
branches that a processor would guess wrongly: stb_image.
"""
import numpy as np

from .compat import jit

NONE, SUB, UP, AVERAGE, PAETH = range(5)


def as_picture(rows, height, width):
    """Return a picture: uint8 (height, width, 3), BGR; None where a row names a filter that does not exist.

    rows: uint8, height times a filter and width pixels, RGB.
    """
    picture = np.empty((height, width, 3), np.uint8)
    return picture if unfilter(rows, width, picture.reshape(-1)) else None


@jit()
def unfilter(rows, width, picture):
    """Turn rows (uint8, H * (1 + 3 * width), RGB) into a picture (uint8, H * 3 * width, BGR, overwritten).

    Returns whether every row has a filter that exists.
    """
    size = 3 * width
    above = np.zeros(size, np.uint8)
    for y in range(picture.size // size):
        start = y * (size + 1)
        stored, out = rows[start + 1:start + 1 + size], picture[y * size:(y + 1) * size]
        kind = rows[start]
        if kind == NONE:
            _turn(stored, out)
        elif kind == SUB:
            _add_left(stored, out)
        elif kind == UP:
            _add_above(stored, above, out)
        elif kind == AVERAGE:
            _add_average(stored, above, out)
        elif kind == PAETH:
            _add_nearest(stored, above, out)
        else:
            return False
        above = out
    return True


@jit()
def _turn(stored, out):
    for x in range(out.size // 3):
        out[3 * x] = stored[3 * x + 2]
        out[3 * x + 1] = stored[3 * x + 1]
        out[3 * x + 2] = stored[3 * x]


@jit()
def _add_left(stored, out):
    blue, green, red = np.uint8(0), np.uint8(0), np.uint8(0)
    for x in range(out.size // 3):
        red += stored[3 * x]
        green += stored[3 * x + 1]
        blue += stored[3 * x + 2]
        out[3 * x], out[3 * x + 1], out[3 * x + 2] = blue, green, red


@jit()
def _add_above(stored, above, out):
    for x in range(out.size // 3):
        out[3 * x] = stored[3 * x + 2] + above[3 * x]
        out[3 * x + 1] = stored[3 * x + 1] + above[3 * x + 1]
        out[3 * x + 2] = stored[3 * x] + above[3 * x + 2]


@jit()
def _add_average(stored, above, out):
    blue, green, red = np.int64(0), np.int64(0), np.int64(0)
    for x in range(out.size // 3):
        red = (stored[3 * x] + ((red + above[3 * x + 2]) >> 1)) & 255
        green = (stored[3 * x + 1] + ((green + above[3 * x + 1]) >> 1)) & 255
        blue = (stored[3 * x + 2] + ((blue + above[3 * x]) >> 1)) & 255
        out[3 * x], out[3 * x + 1], out[3 * x + 2] = blue, green, red


@jit()
def _add_nearest(stored, above, out):
    blue, green, red = 0, 0, 0
    blue_before, green_before, red_before = 0, 0, 0      # above them, one to the left
    for x in range(out.size // 3):
        blue_above, green_above, red_above = (
            np.int64(above[3 * x]), np.int64(above[3 * x + 1]), np.int64(above[3 * x + 2]))
        red = (stored[3 * x] + _nearest(red, red_above, red_before)) & 255
        green = (stored[3 * x + 1] + _nearest(green, green_above, green_before)) & 255
        blue = (stored[3 * x + 2] + _nearest(blue, blue_above, blue_before)) & 255
        out[3 * x], out[3 * x + 1], out[3 * x + 2] = blue, green, red
        blue_before, green_before, red_before = blue_above, green_above, red_above


@jit()
def _nearest(left, above, corner):
    """Return which of the three is nearest to left + above - corner; of equals the first."""
    middle = 3 * corner - left - above
    low, high = min(left, above), max(left, above)
    nearest = low if high <= middle else corner
    return high if middle <= low else nearest
