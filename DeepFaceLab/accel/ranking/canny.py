"""Canny edges, as the sharpness metric needs them: "has this block enough of them?"

Canny (1986) with sigma 1 and the thresholds 0.1 and 0.2, as scikit-image 0.14.2
(the version that DeepFaceLab ships) finds them in a float image of the range
0..255. Later releases take the magnitude as a plain root of squares: there a pixel
exactly as strong as its neighbour may change sides in the last bit.

The metric asks of every 64x64 block only whether at least nine of its pixels
are edges. A local maximum above the high threshold is an edge whatever its
surroundings are, so a block is read a few rows at a time until nine of those
are found; only a block that stays undecided needs the hysteresis of the whole
image.
"""
import math

import numpy as np

from ..compat import jit

LOW_THRESHOLD = 0.1
HIGH_THRESHOLD = 0.2
RADIUS = 4       # of the Gaussian: 4 sigma
STRIP = 4        # rows examined at once

NONE, WEAK, STRONG = 0, 1, 2


def gaussian_weights():
    """Half of the normalised Gaussian of sigma 1, centre first: float64 (RADIUS + 1,)."""
    x = np.arange(-RADIUS, RADIUS + 1)
    phi = np.exp(-0.5 * x ** 2)
    return (phi / phi.sum())[RADIUS:].copy()


def zero_padded(image):
    """Copy of a uint8 (H, W) image with RADIUS zeros around it: uint8 (H + 8, W + 8)."""
    padded = np.zeros((image.shape[0] + 2 * RADIUS, image.shape[1] + 2 * RADIUS), np.uint8)
    padded[RADIUS:-RADIUS, RADIUS:-RADIUS] = image
    return padded


def coverage_table(weights, height, width):
    """Part of the kernel that lies inside the image: float64 (min(height, 9), min(width, 9)).

    All pixels at least RADIUS away from the borders share the middle row and
    column. scikit-image divides by it (its mask is all ones).
    """
    ones = np.ones((min(height, 2 * RADIUS + 1), min(width, 2 * RADIUS + 1)), np.uint8)
    table = np.empty(ones.shape)
    _blur(zero_padded(ones), weights, 0, 0, table)
    return table


@jit()
def _blur(padded, weights, top, left, out):
    """Gaussian sums of the window that starts at (top, left) into out, zeros outside of the image."""
    rows, columns = out.shape
    vertical = np.empty(columns + 2 * RADIUS)
    for row in range(rows):
        y = top + row + RADIUS
        for x in range(columns + 2 * RADIUS):
            total = padded[y, left + x] * weights[0]
            for tap in range(RADIUS, 0, -1):
                total += (float(padded[y - tap, left + x]) + float(padded[y + tap, left + x])) * weights[tap]
            vertical[x] = total
        for x in range(columns):
            total = vertical[x + RADIUS] * weights[0]
            for tap in range(RADIUS, 0, -1):
                total += (vertical[x + RADIUS - tap] + vertical[x + RADIUS + tap]) * weights[tap]
            out[row, x] = total


@jit()
def _table_index(position, size, known):
    """Row (column) of the coverage table for a row (column) of the image."""
    if position < RADIUS or size <= known:
        return min(position, known - 1)
    return max(RADIUS, known - (size - position))


@jit()
def _normalise(smoothed, coverage, top, left, height, width):
    """Divide the Gaussian sums of a window by the kernel's part inside the image, in place."""
    epsilon = 2.220446049250313e-16
    for row in range(smoothed.shape[0]):
        line = coverage[_table_index(top + row, height, coverage.shape[0])]
        for column in range(smoothed.shape[1]):
            smoothed[row, column] /= line[_table_index(left + column, width, coverage.shape[1])] + epsilon


@jit()
def _is_local_maximum(magnitude, di, dj, y, x):
    """Non-maximum suppression: is the magnitude at (y, x) at least that of its two neighbours?

    ``di``, ``dj``: derivatives down and to the right. The neighbours lie along the
    gradient, interpolated between two pixels; of two sectors that share a
    border, scikit-image lets the later one decide.
    """
    steep = abs(di) >= abs(dj)
    flat = abs(di) <= abs(dj)
    opposed = (di <= 0 and dj >= 0) or (di >= 0 and dj <= 0)
    m = magnitude[y, x]
    if opposed and steep:
        w = abs(dj) / abs(di)
        ahead = magnitude[y - 1, x + 1] * w + magnitude[y - 1, x] * (1 - w)
        behind = magnitude[y + 1, x - 1] * w + magnitude[y + 1, x] * (1 - w)
    elif opposed and flat:
        w = abs(di) / abs(dj)
        ahead = magnitude[y - 1, x + 1] * w + magnitude[y, x + 1] * (1 - w)
        behind = magnitude[y + 1, x - 1] * w + magnitude[y, x - 1] * (1 - w)
    elif flat:
        w = abs(di) / abs(dj)
        ahead = magnitude[y + 1, x + 1] * w + magnitude[y, x + 1] * (1 - w)
        behind = magnitude[y - 1, x - 1] * w + magnitude[y, x - 1] * (1 - w)
    else:
        w = abs(dj) / abs(di)
        ahead = magnitude[y + 1, x + 1] * w + magnitude[y + 1, x] * (1 - w)
        behind = magnitude[y - 1, x - 1] * w + magnitude[y - 1, x] * (1 - w)
    return ahead <= m and behind <= m


@jit()
def classify(padded, weights, coverage, top, left, out):
    """Label the pixels of a window: NONE, WEAK (local maximum above the low threshold) or STRONG.

    ``padded``: `zero_padded` image; ``out``: uint8 (rows, columns), the window
    that starts at (top, left) of the image. Pixels on the image's border are NONE.
    """
    height, width = padded.shape[0] - 2 * RADIUS, padded.shape[1] - 2 * RADIUS
    rows, columns = out.shape
    # Sobel of the neighbours reaches two pixels beyond the window
    y0, y1 = max(top - 2, 0), min(top + rows + 2, height)
    x0, x1 = max(left - 2, 0), min(left + columns + 2, width)
    smoothed = np.empty((y1 - y0, x1 - x0))
    _blur(padded, weights, y0, x0, smoothed)
    _normalise(smoothed, coverage, y0, x0, height, width)

    shape = smoothed.shape
    down = np.zeros(shape)
    right = np.zeros(shape)
    magnitude = np.zeros(shape)
    for y in range(max(top - 1, 0) - y0, min(top + rows + 1, height) - y0):
        above, below = max(y - 1, 0), min(y + 1, shape[0] - 1)
        for x in range(max(left - 1, 0) - x0, min(left + columns + 1, width) - x0):
            before, after = max(x - 1, 0), min(x + 1, shape[1] - 1)
            d_left = smoothed[below, before] - smoothed[above, before]
            d_middle = smoothed[below, x] - smoothed[above, x]
            d_right = smoothed[below, after] - smoothed[above, after]
            down[y, x] = d_middle * 2 + (d_left + d_right)
            d_above = smoothed[above, after] - smoothed[above, before]
            d_here = smoothed[y, after] - smoothed[y, before]
            d_below = smoothed[below, after] - smoothed[below, before]
            right[y, x] = d_here * 2 + (d_above + d_below)
            magnitude[y, x] = math.hypot(down[y, x], right[y, x])

    for row in range(rows):
        for column in range(columns):
            out[row, column] = NONE
            y, x = top + row, left + column
            if y == 0 or x == 0 or y == height - 1 or x == width - 1:
                continue
            m = magnitude[y - y0, x - x0]
            if m < LOW_THRESHOLD:
                continue
            if _is_local_maximum(magnitude, down[y - y0, x - x0], right[y - y0, x - x0], y - y0, x - x0):
                out[row, column] = STRONG if m >= HIGH_THRESHOLD else WEAK


@jit()
def keep_connected(labels):
    """Hysteresis: WEAK pixels that touch a STRONG one (8-connected, over others) become STRONG, in place."""
    height, width = labels.shape
    stack = np.empty((height * width, 2), np.int64)
    size = 0
    for y in range(height):
        for x in range(width):
            if labels[y, x] == STRONG:
                stack[size, 0], stack[size, 1] = y, x
                size += 1
    while size > 0:
        size -= 1
        y, x = stack[size, 0], stack[size, 1]
        for ny in range(max(y - 1, 0), min(y + 2, height)):
            for nx in range(max(x - 1, 0), min(x + 2, width)):
                if labels[ny, nx] == WEAK:
                    labels[ny, nx] = STRONG
                    stack[size, 0], stack[size, 1] = ny, nx
                    size += 1


def canny_edges(image):
    """Edges of a whole image.

    image: uint8 (H, W) 0..255. Returns bool (H, W). Answers to
    ``skimage.feature.canny(image.astype(float))`` of scikit-image 0.14.2.
    """
    weights = gaussian_weights()
    labels = np.empty(image.shape, np.uint8)
    classify(zero_padded(image), weights, coverage_table(weights, *image.shape), 0, 0, labels)
    keep_connected(labels)
    return labels == STRONG


@jit()
def block_has_edges(padded, weights, coverage, top, left, size, first, needed):
    """Whether at least ``needed`` pixels of the block at (top, left) are edges: 1, 0, or -1 if undecided.

    ``size``: side of the block, px, a multiple of STRIP; ``first``: row of the block
    to begin with, best one with strong gradients. Undecided blocks need `keep_connected`.
    """
    strong = 0
    weak = 0
    strip = np.empty((STRIP, size), np.uint8)
    for step in range(0, size, STRIP):
        row = top + (first // STRIP * STRIP + step) % size
        if _is_blank(padded, row, left, size):
            continue
        classify(padded, weights, coverage, row, left, strip)
        for label in strip.flat:
            if label == STRONG:
                strong += 1
            elif label == WEAK:
                weak += 1
        if strong >= needed:
            return 1
    return -1 if strong + weak >= needed else 0


@jit()
def _is_blank(padded, row, left, size):
    """Whether all that a strip depends on (the Gaussian and two pixels more) is zero: it has no edges."""
    reach = 2  # padded already begins RADIUS px earlier
    for y in range(max(row - reach, 0), min(row + STRIP + 2 * RADIUS + reach, padded.shape[0])):
        for x in range(max(left - reach, 0), min(left + size + 2 * RADIUS + reach, padded.shape[1])):
            if padded[y, x] != 0:
                return False
    return True
