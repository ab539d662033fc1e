"""Chain by the sum of absolute differences, exact, without the table of all pairs.

Every image is summed over blocks of 64, 16 and 8 pixels. For two images, the sum of
the differences of their block sums is a lower bound of the distance; adding how
far either image deviates from its own block means gives an upper bound:
sum|a - b| <= sum|A - B| + dev(a) + dev(b). Where the ranges of two blocks overlap by
v only, |A - B| + 2 pixels v is another one, which is exact for blocks apart. Only
candidates that the bounds cannot tell apart are compared pixel by pixel, the
most promising first.

Memory: the block sums of every face (320 px in colour: 12.5 KB a face, 32 KB by
dissimilarity, which needs the ranges) and the pixels of the faces compared last
(CACHE_BYTES in all; others are decoded again).
Stock fills a file with all n² distances as float32 sums, which round them to about
seven digits; here they are integers, and equal ones are taken by file name.
"""
import collections
import os

import numpy as np

from .. import host
from ..compat import cpu_count, jit
from ..pools import map_threads
from . import NotRankable, Ranking, faces

LEVELS = (64, 16, 8)           # px, sides of the blocks, coarse to fine
CACHE_BYTES = 256 * 2 ** 20    # of decoded pixels


class DifferentSizes(host.UserError):
    """The folder holds images of more than one size, between which there is no distance."""


def rank_absdiff(paths, similar=True):
    """Each face followed by the most similar one that is left, or by the least similar one.

    Returns Ranking; the values are the positions. Raises DifferentSizes. Answers to
    stock's ``sort_by_absdiff``.
    """
    tables, trashed = _load(paths, similar)
    if tables is None:
        return Ranking([], trashed)
    with host.progress(total=len(tables.paths), desc='Sorting') as bar:
        order = absdiff_chain(tables, similar, bar.update)
    return Ranking([(tables.paths[index], place) for place, index in enumerate(order)], trashed)


class BlockTables(object):
    """Block sums and deviations of images of one size, and their pixels on demand.

    sums: for each of LEVELS an unsigned (N, blocks); deviations: int64 (N, len(LEVELS));
    spreads, lows, highs: unsigned (N, blocks of the finest level), the deviation (rounded
    up), lowest and highest value of each block; without rows if ``similar``.
    """

    def __init__(self, read, paths, first, similar):
        self._read = read
        self.paths = list(paths)
        self.shape, self.dtype = first.shape, first.dtype
        channels = first.shape[2] if first.ndim == 3 else 1
        self.sums = []
        for side in LEVELS:
            blocks = channels * -(-first.shape[0] // side) * -(-first.shape[1] // side)
            fits = first.dtype == np.uint8 and side * side * 255 < 2 ** 16
            self.sums.append(np.empty((len(paths), blocks), np.uint16 if fits else np.uint32))
        self.deviations = np.empty((len(paths), len(LEVELS)), np.int64)
        ranges = (0 if similar else len(paths), self.sums[-1].shape[1])
        self.spreads = np.empty(ranges, self.sums[-1].dtype)
        self.lows = np.empty(ranges, first.dtype)
        self.highs = np.empty(ranges, first.dtype)
        self._pixels = collections.OrderedDict()
        self._capacity = max(4 * cpu_count(), CACHE_BYTES // first.nbytes)

    def fill(self, row, image):
        """Compute the block sums of one image, and keep its pixels while there is room."""
        planes = image.reshape(image.shape[0], image.shape[1], -1)
        for level, side in enumerate(LEVELS):
            self.deviations[row, level] = _sum_blocks(planes, side, self.sums[level][row])
        if len(self._pixels) < self._capacity:
            self._pixels[row] = image
        if len(self.lows):
            _block_ranges(planes, LEVELS[-1], self.sums[-1][row], self.spreads[row], self.lows[row], self.highs[row])

    def keep(self, rows):
        """Drop all rows but these."""
        self.paths = [self.paths[row] for row in rows]
        self.sums = [sums[rows] for sums in self.sums]
        self.deviations = self.deviations[rows]
        self._pixels.clear()
        if len(self.lows):
            self.spreads, self.lows, self.highs = self.spreads[rows], self.lows[rows], self.highs[rows]

    def pixels(self, rows):
        """Images of some rows: list of arrays, decoded on all cores unless they are still known."""
        missing = [row for row in rows if row not in self._pixels]
        for outcome in map_threads(lambda row: self._read(self.paths[row]), missing) if missing else ():
            if outcome.error is not None:
                raise outcome.error
            self._pixels[outcome.item] = outcome.value
        images = []
        for row in rows:
            images.append(self._pixels[row])
            self._pixels.move_to_end(row)
        while len(self._pixels) > self._capacity:
            self._pixels.popitem(last=False)
        return images


def _load(paths, similar):
    """Block tables of all images that can be read: (BlockTables or None, trashed)."""
    tables = None
    sizes = {}

    def measure(path):
        image = faces.read_pixels(path)
        sizes[path] = (image.shape, image.dtype)
        if tables is not None and sizes[path] == (tables.shape, tables.dtype):
            tables.fill(row_of[path], image)

    for first in paths:
        try:
            image = faces.read_pixels(first)
        except (NotRankable, OSError):
            continue
        tables = BlockTables(faces.read_pixels, paths, image, similar)
        break
    row_of = {path: row for row, path in enumerate(paths)}
    measured = faces.measure(paths, measure, 'Computing')
    if tables is None:
        return None, measured.trashed
    others = [path for path, _ in measured.ranked if sizes[path] != (tables.shape, tables.dtype)]
    if others:
        raise DifferentSizes(_explain_sizes(first, others[0], sizes, len(others)))
    if measured.trashed:
        tables.keep([row_of[path] for path, _ in measured.ranked])
    return tables, measured.trashed


def _explain_sizes(first, other, sizes, count):
    def describe(path):
        shape, dtype = sizes[path]
        return '{} is {}x{}, {} channel(s), {}'.format(
            os.path.basename(path), shape[1], shape[0], shape[2] if len(shape) == 3 else 1, dtype)
    return ('Sorting by absolute pixel difference needs faces of one size: {}, but {} ({} file(s) differ from '
            'the first). Nothing was changed. Move them to another folder, or bring them to one size with '
            '"faceset resize", and sort again.'.format(describe(first), describe(other), count))


def absdiff_chain(tables, similar=True, progress=None):
    """Order in which every image is followed by the nearest (or the farthest) of those left.

    ``tables``: BlockTables of N images. Returns a list of N rows, starting with 0.
    Among equal distances the lowest row is taken if similar, the highest if not
    (where a stable sort of stock's distances has them). ``progress``: called with
    a number of images done.
    """
    current = 0
    order = [0]
    left = np.arange(1, len(tables.paths))
    while len(left):
        rows, bounds = _candidates(tables, current, left, similar)
        current = _choose(tables, current, rows, bounds, similar)
        order.append(current)
        left = left[left != current]
        if progress is not None:
            progress(1)
    if progress is not None:
        progress(1)
    return order


def _candidates(tables, current, left, similar):
    """Rows that the bounds cannot exclude, and their best possible distances, best first."""
    coarse, middle, fine = tables.sums
    bounds = np.empty(len(left), np.int64)
    if similar:
        _select_near(coarse, middle, fine, tables.deviations, current, left, bounds)
    else:
        _select_far(coarse, middle, fine, tables.deviations, tables.spreads, tables.lows, tables.highs,
                    LEVELS[-1] ** 2, current, left, bounds)
    kept = np.flatnonzero(bounds >= 0)
    rows, bounds = left[kept], bounds[kept]
    by_bound = np.argsort(bounds if similar else -bounds, kind='stable')
    return rows[by_bound], bounds[by_bound]


def _choose(tables, current, rows, bounds, similar):
    """Compare pixels in the order of the bounds until no bound can beat the best."""
    sign = 1 if similar else -1
    if len(rows) == 1:
        return int(rows[0])
    own = tables.pixels([current])[0]
    best_row, best = None, None
    batch = 2 * cpu_count()
    for start in range(0, len(rows), batch):
        if best is not None and sign * bounds[start] > sign * best:
            break
        part = [int(row) for row in rows[start:start + batch]]
        for row, image in zip(part, tables.pixels(part)):
            distance = int(_distance(own.reshape(-1), image.reshape(-1)))
            if best is None or (sign * distance, sign * row) < (sign * best, sign * best_row):
                best_row, best = row, distance
    return best_row


@jit()
def _sum_blocks(planes, side, sums):
    """Sums over blocks of ``side`` px of every channel into ``sums``; returns the deviation, rounded up.

    planes: uint8 or uint16 (H, W, C). The deviation is the sum of the differences of
    the pixels from their block's mean.
    """
    height, width, channels = planes.shape
    deviation = 0
    at = 0
    for top in range(0, height, side):
        bottom = min(top + side, height)
        for left in range(0, width, side):
            right = min(left + side, width)
            pixels = (bottom - top) * (right - left)
            for channel in range(channels):
                total = 0
                for y in range(top, bottom):
                    for x in range(left, right):
                        total += np.int64(planes[y, x, channel])
                apart = 0
                for y in range(top, bottom):
                    for x in range(left, right):
                        apart += abs(np.int64(planes[y, x, channel]) * pixels - total)
                deviation += (apart + pixels - 1) // pixels
                sums[at] = total
                at += 1
    return deviation


@jit()
def _block_ranges(planes, side, sums, spreads, lows, highs):
    """Deviation (rounded up), lowest and highest value of every block whose sums are known."""
    height, width, channels = planes.shape
    at = 0
    for top in range(0, height, side):
        bottom = min(top + side, height)
        for left in range(0, width, side):
            right = min(left + side, width)
            pixels = (bottom - top) * (right - left)
            for channel in range(channels):
                low = high = planes[top, left, channel]
                apart = 0
                for y in range(top, bottom):
                    for x in range(left, right):
                        value = planes[y, x, channel]
                        low = min(low, value)
                        high = max(high, value)
                        apart += abs(np.int64(value) * pixels - np.int64(sums[at]))
                spreads[at] = (apart + pixels - 1) // pixels
                lows[at] = low
                highs[at] = high
                at += 1


@jit()
def _distance_by_ranges(sums_a, sums_b, spreads_a, spreads_b, lows_a, lows_b, highs_a, highs_b, pixels):
    """Upper bound of the distance from sums, spreads and ranges of blocks of at most ``pixels`` px."""
    total = np.int64(0)
    for i in range(len(sums_a)):
        apart = np.int64(sums_a[i]) - np.int64(sums_b[i])
        if apart >= 0:
            overlap = np.int64(highs_b[i]) - np.int64(lows_a[i])
        else:
            overlap = np.int64(highs_a[i]) - np.int64(lows_b[i])
        slack = np.int64(spreads_a[i]) + np.int64(spreads_b[i])
        total += abs(apart) + min(slack, 2 * pixels * max(overlap, np.int64(0)))
    return total


@jit()
def _distance(a, b):
    """Sum of absolute differences of two unsigned (N,) arrays: block sums, or pixels.

    On 320 px faces four times as fast as ``cv2.norm`` of OpenCV 4.1, whose L1 norm has no vector code.
    """
    total = np.int64(0)
    for i in range(len(a)):
        total += abs(np.int64(a[i]) - np.int64(b[i]))
    return total


@jit()
def _select_near(coarse, middle, fine, deviations, current, left, bounds):
    """Lower bounds of the candidates that may be nearest; -1 for the others."""
    guess = 0
    for k in range(len(left)):
        bounds[k] = _distance(coarse[current], coarse[left[k]])
        if bounds[k] < bounds[guess]:
            guess = k
    limit = _distance(fine[current], fine[left[guess]]) + deviations[current, 2] + deviations[left[guess], 2]
    for k in range(len(left)):
        if bounds[k] > limit:
            continue
        j = left[k]
        bounds[k] = max(bounds[k], _distance(middle[current], middle[j]))
        if bounds[k] > limit:
            continue
        bounds[k] = max(bounds[k], _distance(fine[current], fine[j]))
        limit = min(limit, bounds[k] + deviations[current, 2] + deviations[j, 2])
    for k in range(len(left)):
        if bounds[k] > limit:
            bounds[k] = -1


@jit()
def _select_far(coarse, middle, fine, deviations, spreads, lows, highs, pixels, current, left, bounds):
    """Upper bounds of the candidates that may be farthest; -1 for the others."""
    guess = 0
    for k in range(len(left)):
        bounds[k] = _distance(coarse[current], coarse[left[k]])
        if bounds[k] > bounds[guess]:
            guess = k
    limit = _distance(fine[current], fine[left[guess]])
    for k in range(len(left)):
        j = left[k]
        bounds[k] += deviations[current, 0] + deviations[j, 0]
        if bounds[k] < limit:
            continue
        bound = _distance(middle[current], middle[j]) + deviations[current, 1] + deviations[j, 1]
        bounds[k] = min(bounds[k], bound)
        if bounds[k] < limit:
            continue
        distance = _distance(fine[current], fine[j])
        limit = max(limit, distance)
        bounds[k] = min(bounds[k], distance + deviations[current, 2] + deviations[j, 2])
        if bounds[k] < limit:
            continue
        bound = _distance_by_ranges(fine[current], fine[j], spreads[current], spreads[j], lows[current], lows[j],
                                    highs[current], highs[j], pixels)
        bounds[k] = min(bounds[k], bound)
    for k in range(len(left)):
        if bounds[k] < limit:
            bounds[k] = -1
