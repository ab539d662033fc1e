"""Dissimilarity of histograms: how far each is from all others, in the order that stock would give.

The distance is that of `histogram`. Needs numba only where many sums have to be exact.
"""
import cv2
import numpy as np

from .. import host, landmarks
from ..compat import cpu_count
from ..pools import map_threads
from . import Ranking, by_value, faces
from .pixels import as_gray, channel_histogram

BLOCK = 512          # faces whose distances to BLOCK others are computed at once
# How far 1 - d ** 2, a sum of 256 products, may be off here and in stock together: 540 roundings of 2 ** -53, and more.
SQUARE_ERROR = 1e-13
NEAR = 0.01          # a distance d from here on is off by less than SQUARE_ERROR / d, one below by less than its root
SUM_ERROR = 4e-16    # of the square of the number of faces: both sums of so many distances of at most 1
FEW_PAIRS = 150000   # OpenCV compares so many while numba loads (3 us each, 0.45 s)


def rank_hist_dissim(paths):
    """Least similar to all others first. Values: sums of distances of the masked grey histograms."""
    def measure(path):
        gray = as_gray(faces.read_pixels(path))
        try:
            points = faces.need(faces.read_metadata(path), 'landmarks', path)
        except faces.NotDflImage as error:
            if error.refused is not None:
                host.log_err(str(error))
        else:
            gray = cv2.bitwise_and(gray, gray, mask=landmarks.hull_mask(gray.shape, points))
        return channel_histogram(gray, 0)

    measured, histograms = faces.measure_rows(paths, measure, (256,))
    with host.progress(total=len(histograms), desc='Sorting') as bar:
        totals = dissimilarity(histograms, bar.update)
    return Ranking(by_value([(path, float(total)) for (path, _), total in zip(measured.ranked, totals)]),
                   measured.trashed)


def dissimilarity(histograms, progress=None):
    """Sum of the distances of every histogram to all others.

    histograms: float32 (N, 256) counts. Returns float64 (N,). A matrix product
    gives all sums with a small error; those that lie closer to another one than
    their errors are summed again as stock does (`choose_exact`), so that
    sorting by the result gives stock's order. ``progress``: called with a number
    of faces done. Answers to stock's ``HistDissimSubprocessor``.
    """
    count = len(histograms)
    totals, errors = _approximate_dissimilarity(histograms, progress)
    close = _overlapping(totals - errors, totals + errors)
    if len(close):
        parts = np.array_split(close, min(len(close), 4 * cpu_count()))
        exact = choose_exact(len(close) * count)
        for part, exact_totals in _in_threads(lambda part: exact(histograms, part), parts):
            totals[part] = exact_totals
    return totals


def _in_threads(function, items):
    """Yield (item, function(item)) of all items in order."""
    for outcome in map_threads(function, items):
        if outcome.error is not None:
            raise outcome.error
        yield outcome.item, outcome.value


def _overlapping(lows, highs):
    """Indexes (int64) of the intervals (two float64 (N,)) that have a point in common with another one."""
    order = np.argsort(lows, kind='stable')
    lows, highs = lows[order], highs[order]
    with_a_later = np.append(highs[:-1] >= lows[1:], False)
    with_an_earlier = np.append(False, np.maximum.accumulate(highs)[:-1] >= lows[1:])
    return order[(with_a_later | with_an_earlier)[:len(order)]]


def _approximate_dissimilarity(histograms, progress):
    """`dissimilarity` by blocks of a matrix product: (sums, how far each may be off), float64 (N,) each."""
    count = len(histograms)
    roots = np.sqrt(histograms.astype(np.float64))
    roots /= np.sqrt(np.maximum(histograms.sum(axis=1, dtype=np.float64, keepdims=True), 1))
    totals, near = np.zeros(count), np.zeros(count)
    for start, (block_totals, block_near) in _in_threads(
            lambda start: _distances_from(roots, start), range(0, count, BLOCK)):
        totals[start:] += block_totals
        near[start:] += block_near
        if progress is not None:
            progress(min(BLOCK, count - start))
    return totals, count * SQUARE_ERROR / NEAR + near * SQUARE_ERROR ** 0.5 + SUM_ERROR * count ** 2


def _distances_from(roots, start):
    """Each pair of a face of the block with one from `start` on, once: what it adds to the sums of both.

    roots: float64 (N, 256), of shares. Returns float64 (N - start,) twice: distances, and how many are below NEAR.
    """
    block = roots[start:start + BLOCK]
    totals, near = np.zeros(len(roots) - start), np.zeros(len(roots) - start)
    for other in range(0, len(totals), BLOCK):
        columns = slice(other, other + BLOCK)
        distances = block @ roots[start + other:start + other + BLOCK].T
        np.subtract(1.0, distances, out=distances)
        np.maximum(distances, 0.0, out=distances)
        np.sqrt(distances, out=distances)
        if other == 0:
            np.fill_diagonal(distances, 0.0)
            near[:len(block)] -= 1               # to itself
        else:
            totals[columns] += distances.sum(axis=0)
        totals[:len(block)] += distances.sum(axis=1)
        if distances.min() < NEAR:
            below = distances < NEAR
            near[columns] += below.sum(axis=0) if other else 0
            near[:len(block)] += below.sum(axis=1)
    return totals, near


def choose_exact(pairs):
    """The function that sums about so many distances soonest: both give stock's sums to the last bit.

    It is called as exact(histograms, indexes): float32 (N, 256) counts and (M,) int
    give float64 (M,), the sums of the distances of some histograms to all others.
    """
    if pairs <= FEW_PAIRS:
        return exact_dissimilarity_cv2
    from .histogram import exact_dissimilarity_numba
    return exact_dissimilarity_numba


def exact_dissimilarity_cv2(histograms, indexes):
    """See `choose_exact`."""
    totals = np.zeros(len(indexes))
    for place, index in enumerate(indexes):
        total = 0.0
        for other in range(len(histograms)):
            if other != index:
                total += cv2.compareHist(histograms[index], histograms[other], cv2.HISTCMP_BHATTACHARYYA)
        totals[place] = total
    return totals
