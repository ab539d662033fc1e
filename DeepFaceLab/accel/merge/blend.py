"""Mixing a face into a frame by its mask, pixel by pixel, in stock's float32 arithmetic.

numpy would make a temporary array a step, and is slow where a mask of one channel meets pictures of three.
"""
import numpy as np

from .. import compat

_ONE = np.float32(1)
_LEVELS = np.float32(255)


@compat.jit()
def mix(under, over, mask):
    """Return under * (1 - mask) + over * mask: float32 (H, W, 3).

    under, over: float32 (H, W, 3). mask: float32 (H, W), 0..1.
    """
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
def lay_down(frame, picture, mask, everywhere):
    """Write a picture into a part of an 8-bit frame where its mask is above zero: trunc(255 * value).

    frame: uint8 (H, W, 3), changed. picture: float32 (H, W, 3), held to 0..1. mask: float32 (H, W).
    everywhere: write also where the mask is zero.
    """
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            if everywhere or mask[y, x] > 0:
                for channel in range(3):
                    value = picture[y, x, channel] * _LEVELS
                    frame[y, x, channel] = np.uint8(min(max(value, np.float32(0)), _LEVELS))


@compat.jit()
def clean(mask, noise):
    """Hold a warped mask to 0..1, in place, and set to zero what is below `noise`. mask: float32 (H, W)."""
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            value = mask[y, x]
            if value > _ONE:
                mask[y, x] = _ONE
            elif not value >= noise:
                mask[y, x] = np.float32(0)
