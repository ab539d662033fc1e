"""Sharpness (CPBD) and motion blur of a face: the measures behind sort by blur.

CPBD: N. D. Narvekar and L. J. Karam, "A No-Reference Image Blur Metric Based on
the Cumulative Probability of Blur Detection", IEEE Transactions on Image
Processing 20(9), 2011; edge widths after P. Marziliano et al., "Perceptual blur
and ringing metrics", Signal Processing: Image Communication 19(2), 2004. The
value answers to DeepFaceLab's ``core.imagelib.estimate_sharpness``, its quirks
included; each is named where it is reproduced.

All that decides is done in integers (Sobel sums, gradients, widths), so the
result does not depend on an order of summation. Rows and columns that are zero
(outside of the face) are not visited.
"""
import math
import threading

import cv2
import numpy as np

from .. import landmarks
from ..compat import jit
from . import Ranking, by_value, canny, faces
from .pixels import as_bgr8, as_gray

BLOCK = 64                                    # px, side of a block
EDGES_NEEDED = int(BLOCK * BLOCK * 0.002) + 1  # more than 0.2 % of its pixels make an edge block
BETA = 3.6                                    # exponent of the psychometric function
LONGEST_SCAN = 100                            # px beyond the first neighbour, to either side
MAX_WIDTH = 2 * (LONGEST_SCAN + 1)
BUCKETS = 64                                  # of 101: probabilities below the just noticeable one


def _blur_buckets():
    """Bucket 0..100 of the probability that the blur of an edge is seen: int64 (2, MAX_WIDTH + 1).

    First row: just noticeable width 5 px (contrast up to 50), second row: 3 px.
    """
    widths = np.arange(MAX_WIDTH + 1)
    rows = []
    for just_noticeable in (5.0, 3.0):
        probability = 1 - np.exp(-abs(widths / just_noticeable) ** BETA)
        rows.append([int(round(float(p) * 100)) for p in probability])
    return np.array(rows, np.int64)


_WEIGHTS = canny.gaussian_weights()
_BUCKET_OF = _blur_buckets()
_COVERAGE_LOCK = threading.Lock()
_COVERAGE = {}


def _coverage(shape):
    """`canny.coverage_table` for a shape; tables of at most 9x9, so few different ones exist."""
    key = tuple(min(side, 2 * canny.RADIUS + 1) for side in shape)
    with _COVERAGE_LOCK:
        if key not in _COVERAGE:
            _COVERAGE[key] = canny.coverage_table(_WEIGHTS, *key)
        return _COVERAGE[key]


def cpbd_sharpness(image):
    """CPBD sharpness of a grey image whose surroundings are masked to zero.

    image: uint8 (H, W), 0..255. Returns a float 0..1, higher is sharper; 0 for
    images without measurable edges and below two pixels a side. Answers to
    stock's ``estimate_sharpness`` of one channel.
    """
    if min(image.shape) < 2:
        return 0.0
    image = np.ascontiguousarray(image)
    widths = edge_widths(image)
    counts = np.zeros(101, np.int64)
    padded = canny.zero_padded(image)
    coverage = _coverage(image.shape)
    if _count_buckets(image, padded, _WEIGHTS, coverage, widths, _BUCKET_OF, counts):
        labels = np.empty(image.shape, np.uint8)
        canny.classify(padded, _WEIGHTS, coverage, 0, 0, labels)
        canny.keep_connected(labels)
        counts[:] = 0
        _count_buckets_of_edges(image, labels, widths, _BUCKET_OF, counts)
    total = counts.sum()
    if total == 0:
        return 0.0
    # numpy's own summation order, as stock has it: equal to the last bit
    return float(np.sum((counts / total)[:BUCKETS]))


def edge_widths(image):
    """Width of every horizontal edge: uint8 (H, W) px, at most 202, 0 where there is none.

    image: uint8 (H, W). Marziliano's method on Sobel edges thinned along rows
    and columns; answers to stock's ``marziliano_method(sobel(image), image)``.
    """
    widths = np.zeros(image.shape, np.uint8)
    top, bottom, left, right = _bounds(image)
    if bottom <= top or not _has_direction(image):
        return widths
    strength = _sobel_energy(image, top, bottom, left, right)
    # stock: zero where (g / 8)^2 <= 2 * sqrt(mean((g / 8)^2)); every term is exact
    mean = (int(strength.sum(dtype=np.int64)) / 64.0) / image.size
    _measure_widths(image, strength, 2 * math.sqrt(mean), top, left, widths)
    return widths


@jit()
def _bounds(image):
    """Rows and columns that are not all zero: (top, bottom, left, right), the ends exclusive."""
    height, width = image.shape
    top, bottom, left, right = height, 0, width, 0
    for y in range(height):
        x = 0
        while x < width and image[y, x] == 0:
            x += 1
        if x == width:
            continue
        top = min(top, y)
        bottom = y + 1
        left = min(left, x)
        x = width
        while image[y, x - 1] == 0:
            x -= 1
        right = max(right, x)
    return top, bottom, left, right


@jit()
def _has_direction(image):
    """Whether any gradient angle differs from 0, without which stock measures nothing.

    The angle of stock stays 0 where the horizontal derivative is 0, so only a
    negative horizontal derivative, or a positive one with a vertical one, counts.
    """
    height, width = image.shape
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            gx = np.int32(image[y, min(x + 1, width - 1)]) - np.int32(image[y, max(x - 1, 0)])
            if gx < 0 or (gx > 0 and image[below, x] != image[above, x]):
                return True
    return False


@jit()
def _sobel_energy(image, top, bottom, left, right):
    """Squared horizontal Sobel sum around the rows and columns that are not zero: int32.

    Covers one pixel more on each side (cut by the image, whose border pixels are
    repeated outwards), beyond which all is zero. Element [0, 0] belongs to
    (max(top - 1, 0), max(left - 1, 0)).
    """
    height, width = image.shape
    y0, y1 = max(top - 1, 0), min(bottom + 1, height)
    x0, x1 = max(left - 1, 0), min(right + 1, width)
    energy = np.empty((y1 - y0, x1 - x0), np.int32)
    column = np.empty(x1 - x0 + 2, np.int32)
    for y in range(y0, y1):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(x0, x1):
            column[x - x0 + 1] = (np.int32(image[above, x]) + 2 * np.int32(image[y, x])
                                  + np.int32(image[below, x]))
        for x, at in ((max(x0 - 1, 0), 0), (min(x1, width - 1), x1 - x0 + 1)):
            column[at] = np.int32(image[above, x]) + 2 * np.int32(image[y, x]) + np.int32(image[below, x])
        for x in range(x1 - x0):
            g = column[x + 2] - column[x]
            energy[y - y0, x] = g * g
    return energy


@jit()
def _measure_widths(image, energy, threshold, top, left, widths):
    """Scan from every thinned Sobel edge to the ends of its slope.

    ``threshold``: of (g / 8)^2. Only gradients within 22.5 degrees of the
    horizontal are measured; the others keep 0. (|gy| <= tan(22.5) |gx| is
    compared as (|gx| + |gy|)^2 < 2 gx^2: no rounding, and never equal.)
    """
    height, width = image.shape
    y0, x0 = max(top - 1, 0), max(left - 1, 0)
    rows, columns = energy.shape
    # the smallest integer energy above the threshold: compares like stock's floats
    lowest = np.int32(math.floor(threshold * 64.0))
    while lowest / 64.0 <= threshold:
        lowest += 1
    for y in range(max(1, y0), min(height - 1, y0 + rows)):
        for x in range(max(1, x0), min(width - 1, x0 + columns)):
            e = energy[y - y0, x - x0]
            if e < lowest:
                continue
            if not (_exceeds(e, energy, y - y0, x - x0 - 1, lowest)
                    and _exceeds(e, energy, y - y0, x - x0 + 1, lowest)):
                if not (_exceeds(e, energy, y - y0 - 1, x - x0, lowest)
                        and _exceeds(e, energy, y - y0 + 1, x - x0, lowest)):
                    continue
            gx = np.int32(image[y, x + 1]) - np.int32(image[y, x - 1])
            gy = abs(np.int32(image[y + 1, x]) - np.int32(image[y - 1, x]))
            if gx == 0 or (abs(gx) + gy) ** 2 < 2 * gx * gx:
                rising = 1 if gx >= 0 else -1
                widths[y, x] = (_slope_length(image[y], x, -1, -rising)
                                + _slope_length(image[y], x, 1, rising))


@jit()
def _exceeds(e, energy, y, x, lowest):
    """Whether energy e is above its neighbour's, which counts as 0 below the threshold and outside."""
    if y < 0 or x < 0 or y >= energy.shape[0] or x >= energy.shape[1] or energy[y, x] < lowest:
        return True
    return e > energy[y, x]


@jit()
def _slope_length(line, x, step, sign):
    """Pixels from x along step while the line goes on rising (sign 1) or falling (-1), 1..101."""
    inner = x + step
    length = 1
    while length <= LONGEST_SCAN:
        outer = inner + step
        if outer < 0 or outer >= len(line) or sign * (np.int32(line[outer]) - np.int32(line[inner])) <= 0:
            break
        inner = outer
        length += 1
    return length


@jit()
def _first_row_with_widths(widths, top, left):
    """First row of a block that has a measured edge, counted from its top; BLOCK if there is none."""
    for y in range(BLOCK):
        for x in range(left, left + BLOCK):
            if widths[top + y, x] != 0:
                return y
    return BLOCK


@jit()
def _count_block(image, widths, bucket_of, top, left, counts):
    """Add the widths of one edge block to the histogram of blur probabilities."""
    lowest, highest = 255, 0
    for y in range(top, top + BLOCK):
        for x in range(left, left + BLOCK):
            lowest = min(lowest, image[y, x])
            highest = max(highest, image[y, x])
    row = bucket_of[0 if highest - lowest <= 50 else 1]
    for y in range(top, top + BLOCK):
        for x in range(left, left + BLOCK):
            if widths[y, x] != 0:
                counts[row[widths[y, x]]] += 1


@jit()
def _count_buckets(image, padded, weights, coverage, widths, bucket_of, counts):
    """Histogram over all edge blocks; pixels beyond the last whole block are ignored, as in stock.

    Returns True as soon as a block can't be decided without hysteresis (counts
    are then incomplete).
    """
    for top in range(0, image.shape[0] - BLOCK + 1, BLOCK):
        for left in range(0, image.shape[1] - BLOCK + 1, BLOCK):
            first = _first_row_with_widths(widths, top, left)
            if first == BLOCK:
                continue
            edges = canny.block_has_edges(padded, weights, coverage, top, left, BLOCK, first, EDGES_NEEDED)
            if edges < 0:
                return True
            if edges == 1:
                _count_block(image, widths, bucket_of, top, left, counts)
    return False


@jit()
def _count_buckets_of_edges(image, labels, widths, bucket_of, counts):
    """As `_count_buckets`, with the edges of the whole image known."""
    for top in range(0, image.shape[0] - BLOCK + 1, BLOCK):
        for left in range(0, image.shape[1] - BLOCK + 1, BLOCK):
            edges = 0
            for y in range(top, top + BLOCK):
                for x in range(left, left + BLOCK):
                    if labels[y, x] == canny.STRONG:
                        edges += 1
            if edges >= EDGES_NEEDED:
                _count_block(image, widths, bucket_of, top, left, counts)


TAPS = 11             # of stock's Laplacian
REACH = TAPS // 2     # px that it sees to every side


def motion_blur(image):
    """Variance of the Laplacian of 11x11 taps of a masked image: lower where motion smears it.

    image: uint8 (H, W) or (H, W, C), masked to zero around the face. Returns a float.
    Answers to ``cv2.Laplacian(image, cv2.CV_64F, ksize=11).var()`` within 1e-11 of the
    value (rounding of the two sums). Only the part around the face is filtered; all
    else is zero.
    """
    planes = image.reshape(image.shape[0], image.shape[1], -1)
    top, bottom, left, right = _bounds(planes.reshape(image.shape[0], -1))
    if bottom <= top:
        return 0.0
    left, right = left // planes.shape[2], -(-right // planes.shape[2])
    # one pixel more than the filter sees, so that reflecting repeats zeros inside of the image
    part = image[max(top - REACH - 1, 0):bottom + REACH + 1, max(left - REACH - 1, 0):right + REACH + 1]
    part = cv2.copyMakeBorder(part, REACH, REACH, REACH, REACH, cv2.BORDER_REFLECT_101)
    total, squares = _laplacian_sums(part.reshape(part.shape[0], part.shape[1], -1))
    mean = total / image.size
    return squares / image.size - mean * mean


@jit()
def _laplacian_sums(planes):
    """Sum and sum of squares of the 11x11 Laplacian where it fits into uint8 (H, W, C) planes.

    Both second derivatives of size 11 are an 8-fold [1 1] smoothing of their 3x3 form, so
    their sum is that smoothing of [[2 0 2] [0 -8 0] [2 0 2]], in integers below 2**28.
    """
    height, width, channels = planes.shape
    rows, columns = height - 2, (width - 2) * channels
    flat = planes.reshape(height, width * channels)
    field = np.empty((rows, columns), np.int32)
    for y in range(rows):
        above, here, below = flat[y], flat[y + 1], flat[y + 2]
        for x in range(columns):
            after = x + 2 * channels
            field[y, x] = (2 * (np.int32(above[x]) + np.int32(above[after])
                                + np.int32(below[x]) + np.int32(below[after]))
                           - 8 * np.int32(here[x + channels]))
    for _ in range(4):
        rows -= 2
        for y in range(rows):
            for x in range(columns):
                field[y, x] += 2 * field[y + 1, x] + field[y + 2, x]
    total = 0.0
    squares = 0.0
    for y in range(rows):
        line = field[y]
        length = columns
        for _ in range(4):
            length -= 2 * channels
            for x in range(length):
                line[x] += 2 * line[x + channels] + line[x + 2 * channels]
        for x in range(length):
            value = np.float64(line[x])
            total += value
            squares += value * value
    return total, squares


def masked(image, points):
    """An image with zeros outside of the face's hull: uint8 (H, W[, C]); points: (68, 2) landmarks."""
    mask = landmarks.hull_mask(image.shape, points)
    return cv2.bitwise_and(image, image, mask=mask)


def rank_blur(paths):
    """Sharpest face first; faces without any measurable edge are trashed, as in stock. Values: CPBD."""
    def measure(path):
        metadata, image = faces.read_face(path)
        return cpbd_sharpness(masked(as_gray(image), faces.need(metadata, 'landmarks', path)))
    return _rank(paths, measure)


def rank_motion_blur(paths):
    """Least motion blur first; a face whose value is 0 is trashed, as in stock. Values: variance."""
    def measure(path):
        metadata, image = faces.read_face(path)
        return motion_blur(masked(as_bgr8(image), faces.need(metadata, 'landmarks', path)))
    return _rank(paths, measure)


def _rank(paths, measure):
    measured = faces.measure(paths, measure, desc='')
    trashed = measured.trashed + [(path, 'nothing to measure') for path, value in measured.ranked if value == 0]
    return Ranking(by_value([pair for pair in measured.ranked if pair[1] != 0]), trashed)
