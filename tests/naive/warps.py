"""How OpenCV 4.1 warps a picture: coordinates in steps of 1/32 px, a bicubic mix of 4 x 4 pixels."""
import math

import numpy as np

STEPS = 32
HALF_STEP = 16      # of 1/1024 px


def half_even(value):
    """Round to the nearest whole number, halves to the even one."""
    low = math.floor(value)
    if value - low == 0.5:
        return low if low % 2 == 0 else low + 1
    return math.floor(value + 0.5)


def coordinates(matrix, x, y):
    """Where pixel (x, y) of the result comes from, in whole 1/32 px: (x, y)."""
    return tuple((half_even(row[0] * x * 1024) + half_even((row[1] * y + row[2]) * 1024) + HALF_STEP) >> 5
                 for row in matrix)


def weights(fraction):
    """Keys' cubic with a = -0.75 for the four pixels around a point."""
    a, x = -0.75, fraction
    first = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    second = ((a + 2) * x - (a + 3)) * x * x + 1
    third = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1
    return [first, second, third, 1 - first - second - third]


def warp(picture, matrix, width, height):
    """Fill a picture of (height, width) by an affine matrix that leads from it into `picture`; black outside."""
    result = np.zeros((height, width) + picture.shape[2:])
    for y in range(height):
        for x in range(width):
            at_x, at_y = coordinates(matrix, x, y)
            across, down = weights(at_x % STEPS / STEPS), weights(at_y % STEPS / STEPS)
            for j in range(4):
                for i in range(4):
                    row, column = at_y // STEPS + j - 1, at_x // STEPS + i - 1
                    if 0 <= row < picture.shape[0] and 0 <= column < picture.shape[1]:
                        result[y, x] += down[j] * across[i] * picture[row, column]
    return result
