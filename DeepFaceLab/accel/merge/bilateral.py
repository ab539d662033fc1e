"""Bilateral filter of three float32 channels (Tomasi and Manduchi 1998), by vectors of the processor.

Answers to cv2.bilateralFilter(picture, 0, sigma_colour, sigma_space), up to the last bits of a sum of some 1800
products; OpenCV looks each weight up in a table, which cannot be done for many pixels at once.
"""
import functools
import math

import cv2
import numpy as np

from .. import compat

_FLAT = np.float32(1.1920929e-07)       # of all values: OpenCV returns such a picture as it is
_HALVINGS = 16.0                        # exp(-z) is computed as exp(-z / 16) ** 16,
_FAR = np.float32(1.5)                  # z / 16 up to here: exp(-24) counts as nothing
_SUMS_MAY_BE_REORDERED = {"contract", "nsz", "arcp", "nnan", "ninf"}     # fused multiply-adds, too

_ONE, _C2, _C3, _C4, _C5 = (np.float32(1 / value) for value in (1, 2, 3, 4, 5))


def bilateral(picture, sigma_colour, sigma_space):
    """Return the filtered picture. picture: float32 (H, W, 3), any range. sigma_colour: of the picture's values,
    compared with the sum of the channels' differences. sigma_space: px; pixels up to 1.5 of it away count.
    """
    low, high = float(picture.min()), float(picture.max())
    if not high - low >= _FLAT:         # not a number, too
        return picture.copy()
    radius = max(int(round(sigma_space * 1.5)), 1)
    padded = [cv2.copyMakeBorder(plane, radius, radius, radius, radius, cv2.BORDER_REFLECT_101)
              for plane in cv2.split(picture)]
    gain = np.float32(1.0 / (2.0 * sigma_colour * sigma_colour * _HALVINGS))
    widths, weights = _disc(radius, float(sigma_space))
    result = np.empty(picture.shape, np.float32)
    _filter(padded[0], padded[1], padded[2], widths, weights, gain, result)
    return result


@functools.lru_cache(maxsize=8)
def _disc(radius, sigma):
    """Return how far each row of a disc reaches from its middle, int64 (2 radius + 1,), and the Gaussian weights
    in it, float32 (2 radius + 1, 2 radius + 1).
    """
    places = np.arange(-radius, radius + 1, dtype=np.float64)
    widths = np.array([int(math.sqrt(radius * radius - y * y)) for y in range(-radius, radius + 1)])
    squares = places[:, None] ** 2 + places ** 2
    return widths, np.exp(squares * (-0.5 / (sigma * sigma))).astype(np.float32)


@compat.jit(fastmath=_SUMS_MAY_BE_REORDERED)
def _filter(blue, green, red, widths, weights, gain, result):
    radius = len(widths) // 2
    height, width = result.shape[:2]
    weight = np.empty(width, np.float32)
    sum_weight, sum_blue = np.empty(width, np.float32), np.empty(width, np.float32)
    sum_green, sum_red = np.empty(width, np.float32), np.empty(width, np.float32)
    middle = slice(radius, radius + width)
    for y in range(height):
        own_blue, own_green, own_red = blue[y + radius, middle], green[y + radius, middle], red[y + radius, middle]
        sum_weight[:], sum_blue[:], sum_green[:], sum_red[:] = 0, 0, 0, 0
        for dy in range(len(widths)):
            row_blue, row_green, row_red = blue[y + dy], green[y + dy], red[y + dy]
            for dx in range(radius - widths[dy], radius + widths[dy] + 1):
                beside = slice(dx, dx + width)
                near_blue, near_green, near_red = row_blue[beside], row_green[beside], row_red[beside]
                _weigh(own_blue, own_green, own_red, near_blue, near_green, near_red, weights[dy, dx], gain, weight)
                _add(weight, sum_weight)
                _add_products(weight, near_blue, sum_blue)
                _add_products(weight, near_green, sum_green)
                _add_products(weight, near_red, sum_red)
        for x in range(width):
            result[y, x, 0] = sum_blue[x] / sum_weight[x]
            result[y, x, 1] = sum_green[x] / sum_weight[x]
            result[y, x, 2] = sum_red[x] / sum_weight[x]


@compat.jit(fastmath=_SUMS_MAY_BE_REORDERED)
def _weigh(blue, green, red, other_blue, other_green, other_red, near, gain, weight):
    """Write near * exp(-difference ** 2 / (2 sigma_colour ** 2)) for a row of pixels."""
    for x in range(len(weight)):
        difference = (abs(other_blue[x] - blue[x]) + abs(other_green[x] - green[x]) + abs(other_red[x] - red[x]))
        z = min(difference * difference * gain, _FAR)
        share = _ONE - z * (_ONE - z * (_C2 - z * (_C2 * _C3 - z * (_C2 * _C3 * _C4 - z * (_C2 * _C3 * _C4 * _C5)))))
        share *= share
        share *= share
        share *= share
        share *= share
        weight[x] = share * near


@compat.jit(fastmath=_SUMS_MAY_BE_REORDERED)
def _add_products(weight, values, sums):
    for x in range(len(weight)):
        sums[x] += weight[x] * values[x]


@compat.jit(fastmath=_SUMS_MAY_BE_REORDERED)
def _add(weight, sums):
    for x in range(len(weight)):
        sums[x] += weight[x]
