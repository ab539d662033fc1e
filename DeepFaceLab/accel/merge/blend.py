"""Mixing a face into a frame by its mask, pixel by pixel, in stock's float32 arithmetic.

numpy would make a temporary array a step, and is slow where a mask of one channel meets pictures of three. The
kernels take whole arrays in C order only, so that each is compiled once.
"""
import numpy as np

from .. import compat

_ONE = np.float32(1)
_LEVELS = np.float32(255)


def mix(under, over, mask):
    """Return under * (1 - mask) + over * mask: float32 (H, W, 3).

    under, over: float32 (H, W, 3). mask: float32 (H, W), 0..1.
    """
    return _mix(np.ascontiguousarray(under), np.ascontiguousarray(over), np.ascontiguousarray(mask))


def lay_down(frame, window, picture, mask, everywhere):
    """Write a picture into a window of an 8-bit frame where its mask is above zero: trunc(255 * value).

    frame: uint8 (H, W, 3) in C order, changed. window: (left, top, right, bottom). picture: float32 (h, w, 3), held
    to 0..1. mask: float32 (h, w). everywhere: write also where the mask is zero.
    """
    _lay_down(frame, int(window[0]), int(window[1]), np.ascontiguousarray(picture), np.ascontiguousarray(mask),
              bool(everywhere))


def clean(mask, noise):
    """Hold a warped mask to 0..1, in place, and set to zero what is below `noise`. mask: float32 (H, W), C order."""
    _clean(mask, np.float32(noise))


@compat.jit()
def _mix(under, over, mask):
    height, width = mask.shape
    result = np.empty((height, width, 3), np.float32)
    for y in range(height):
        for x in range(width):
            share = mask[y, x]
            rest = _ONE - share
            for channel in range(3):
                result[y, x, channel] = under[y, x, channel] * rest + over[y, x, channel] * share
    return result


@compat.jit()
def _lay_down(frame, left, top, picture, mask, everywhere):
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            if everywhere or mask[y, x] > 0:
                for channel in range(3):
                    value = picture[y, x, channel] * _LEVELS
                    frame[top + y, left + x, channel] = np.uint8(min(max(value, np.float32(0)), _LEVELS))


@compat.jit()
def _clean(mask, noise):
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            value = mask[y, x]
            if value > _ONE:
                mask[y, x] = _ONE
            elif not value >= noise:
                mask[y, x] = np.float32(0)
