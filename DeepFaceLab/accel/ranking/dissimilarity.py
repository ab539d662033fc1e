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
NEAR = 1e-7          # how far one distance of the matrix product may be off
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
    totals = _approximate_dissimilarity(histograms, progress)
    close = np.empty(0, np.int64)
    if count > 1:
        order = np.argsort(totals, kind='stable')
        near = np.diff(totals[order]) <= 2 * NEAR * count
        close = order[np.append(near, False) | np.append(False, near)]
    if len(close):
        parts = np.array_split(close, min(len(close), 4 * cpu_count()))
        exact = choose_exact(len(close) * count)
        for outcome in map_threads(lambda part: exact(histograms, part), parts):
            if outcome.error is not None:
                raise outcome.error
            totals[outcome.item] = outcome.value
    return totals


def _approximate_dissimilarity(histograms, progress):
    """`dissimilarity` by blocks of a matrix product; each pair once, its distance added to both sums."""
    count = len(histograms)
    roots = np.sqrt(histograms.astype(np.float64))
    roots /= np.sqrt(np.maximum(histograms.sum(axis=1, dtype=np.float64, keepdims=True), 1))
    totals = np.zeros(count)
    for start in range(0, count, BLOCK):
        rows = slice(start, min(start + BLOCK, count))
        for other in range(start, count, BLOCK):
            columns = slice(other, min(other + BLOCK, count))
            distances = roots[rows] @ roots[columns].T
            np.subtract(1.0, distances, out=distances)
            np.maximum(distances, 0.0, out=distances)
            np.sqrt(distances, out=distances)
            if other == start:
                np.fill_diagonal(distances, 0.0)
            else:
                totals[columns] += distances.sum(axis=0)
            totals[rows] += distances.sum(axis=1)
        if progress is not None:
            progress(rows.stop - rows.start)
    return totals


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
