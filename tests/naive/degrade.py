"""Oracles for blur, sharpening and degradations: plain windows over padded pictures, in float64."""
import math

import numpy as np

from .colour_transfer import reflected
from .warps import half_even


def median(picture):
    """The middle of the 25 values around each pixel, channel by channel; the border is repeated."""
    padded = np.pad(picture, [(2, 2), (2, 2), (0, 0)], mode='edge')
    height, width = picture.shape[:2]
    windows = [padded[y:y + height, x:x + width] for y in range(5) for x in range(5)]
    return np.sort(windows, axis=0)[12]


def repeated_median(picture, power, whole):
    """Medians while power is left, 10 less each time; one with less than `whole` left counts by that share."""
    while power > 0:
        blurred = median(picture)
        if power >= whole:
            picture = blurred
        else:
            share = power % whole / whole
            picture = picture * np.float32(1 - share) + blurred * np.float32(share)
        power -= 10
    return picture


def correlate(picture, kernel):
    """Sum of the pixels around each one, weighted; the middle of even kernels is right of the middle."""
    size = len(kernel)
    before = size // 2
    rows, columns = (reflected(length, size)[size - before:size - before + length + size - 1]
                     for length in picture.shape[:2])
    padded = picture.astype(np.float64)[rows][:, columns]
    result = np.zeros(picture.shape)
    for y in range(size):
        for x in range(size):
            result += kernel[y, x] * padded[y:y + picture.shape[0], x:x + picture.shape[1]]
    return result


def line(size, angle):
    """A line of 1 px through the middle, turned counterclockwise in steps of 1/32 px, of sum 1."""
    middle = size / 2 - 0.5
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    row = (size - 1) // 2
    kernel = np.zeros((size, size))
    for y in range(size):
        for x in range(size):
            at_x = _in_steps(cosine * x, -sine * y + (middle - cosine * middle + sine * middle))
            at_y = _in_steps(sine * x, cosine * y + (middle - sine * middle - cosine * middle))
            for neighbour in (0, 1):
                column = at_x // 32 + neighbour
                if 0 <= column < size:
                    share = at_x % 32 / 32 if neighbour else 1 - at_x % 32 / 32
                    kernel[y, x] += share * max(0.0, 1 - abs(at_y / 32 - row))
    return kernel / kernel.sum()


def _in_steps(along, across):
    return (half_even(along * 1024) + half_even(across * 1024) + 16) >> 5


def sharpen(picture, mode, amount):
    """The picture and `amount` times what a box (1) takes away from it, or half as much of a gaussian (2)."""
    bell = np.array([0.25, 0.5, 0.25])
    blurred = correlate(picture, np.full((3, 3), 1 / 9) if mode == 1 else np.outer(bell, bell))
    return picture + (picture - blurred) * amount * (1 if mode == 1 else 0.5)
