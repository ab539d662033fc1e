"""Histogram similarity: an exact chain, with almost every pair left uncomputed.

The distance of two histograms p, q is sqrt(1 - BC), BC = sum(sqrt(p q)) of the
normalised histograms (Bhattacharyya, 1943; the metric is Hellinger's). Merging
bins never lowers BC (Cauchy-Schwarz), so histograms of few bins give a lower
bound of the distance. `greedy_chain` discards a candidate as soon as a bound
is above the best distance found, and compares what is left with stock's own
arithmetic (``cv2.compareHist``, to the last bit), so that its order is stock's.
"""
import math

import numpy as np

from .. import host
from ..compat import jit
from . import Ranking, faces
from .pixels import as_bgr8, channel_histogram

BINS = 256
COARSE = 8          # bins a channel of the first bound
MEDIUM = 32         # bins a channel of the second bound
CHUNK = 20000       # files that stock chains at once
MOST_CHUNKS = 12
SLACK = 2e-5        # of 1 - BC: more than a float32 sum of 256 products can be off (256 * 2**-24)
SCAN = 1024         # candidates whose first bound is computed at once
FLT_EPSILON = 1.1920928955078125e-07


def rank_hist(paths):
    """Each face followed by the one with the most similar colours, chunk by chunk. Values: positions."""
    def measure(path):
        image = faces.read_pixels(path)
        if image.ndim == 2 or image.shape[2] < 3:
            image = as_bgr8(image)
        return [channel_histogram(image, channel) for channel in range(3)]

    measured, histograms = faces.measure_rows(paths, measure, (3, BINS))
    kept = [path for path, _ in measured.ranked]
    order = []
    with host.progress(total=len(kept), desc='Sorting') as bar:
        for start, end in chunk_bounds(len(kept)):
            order += [start + index for index in greedy_chain(histograms[start:end], bar.update)]
            bar.update(1)
    return Ranking([(kept[index], place) for place, index in enumerate(order)], measured.trashed)


def chunk_bounds(count):
    """Where the folder is cut, as stock cuts it because of the time it takes: list of (start, end).

    Chunks of 20,000 files and the rest; above 12 chunks, 11 larger ones and the
    rest. Answers to stock's ``HistSsimSubprocessor``.
    """
    size = CHUNK
    whole = count // size
    if whole > MOST_CHUNKS:
        size = int(count / 11.9)
        whole = count // size
    cuts = [i * size for i in range(whole + 1)] + [count]
    return [(start, end) for start, end in zip(cuts, cuts[1:]) if end > start]


def merged_roots(histograms, bins):
    """Square roots of normalised histograms whose neighbouring bins are merged.

    histograms: float32 (N, C, 256) counts. Returns float32 (N, C, bins); zeros
    where a histogram is empty.
    """
    count, channels = histograms.shape[:2]
    roots = np.empty((count, channels, bins), np.float32)
    for start in range(0, count, SCAN):  # in parts: float64 takes twice the memory
        part = histograms[start:start + SCAN].reshape(-1, channels, bins, BINS // bins)
        merged = part.sum(axis=3, dtype=np.float64)
        roots[start:start + SCAN] = np.sqrt(merged / np.maximum(merged.sum(axis=2, keepdims=True), 1))
    return roots


def greedy_chain(histograms, progress=None):
    """Order in which every histogram is followed by the most similar one that is left.

    histograms: float32 (N, C, 256), counts below 2**24. Returns int64 (N,):
    indexes, the first is 0. Among equals the one that stock would meet first
    wins; as in stock, the chosen one changes places with the next in line.
    ``progress``: called with a number of faces done. Answers to stock's
    ``HistSsimSubprocessor``.
    """
    count, channels = histograms.shape[:2]
    order = np.arange(count, dtype=np.int64)
    if count < 3:
        return order
    state = _ChainState(histograms, order)
    step = max(1, count // 200)
    for start in range(0, count - 1, step):
        end = min(start + step, count - 1)
        _extend_chain(state.counts, state.roots, state.medium, state.coarse, order, start, end)
        if progress is not None:
            progress(end - start)
    return order


class _ChainState(object):
    """The arrays of a chain in work; the kernel keeps them in the order of the chain."""

    def __init__(self, histograms, order):
        count, channels = histograms.shape[:2]
        self.counts = histograms.copy()
        self.roots = merged_roots(histograms, BINS)
        self.medium = merged_roots(histograms, MEDIUM)
        # (C * COARSE, N): the first bound runs along the candidates
        self.coarse = np.ascontiguousarray(merged_roots(histograms, COARSE).reshape(count, -1).T)


@jit()
def bhattacharyya(p, q):
    """Distance of two histograms: float32 (256,) each. Bit-equal to ``cv2.compareHist``."""
    # two running sums, as OpenCV keeps them in the two halves of a vector
    even = 0.0
    odd = 0.0
    sum_p = 0.0
    sum_q = 0.0
    for i in range(0, BINS, 2):
        even += math.sqrt(np.float64(p[i]) * np.float64(q[i]))
        odd += math.sqrt(np.float64(p[i + 1]) * np.float64(q[i + 1]))
        sum_p += np.float64(p[i]) + np.float64(p[i + 1])
        sum_q += np.float64(q[i]) + np.float64(q[i + 1])
    product = sum_p * sum_q
    scale = 1.0 / math.sqrt(product) if product > FLT_EPSILON else 1.0
    return math.sqrt(max(1.0 - (even + odd) * scale, 0.0))


@jit(fastmath=True)
def _lower_bound(a, b):
    """Lower bound of the distance, all channels: float32 (C, bins) roots each."""
    bound = np.float32(0)
    for channel in range(a.shape[0]):
        total = np.float32(0)
        for i in range(a.shape[1]):
            total += a[channel, i] * b[channel, i]
        bound += np.sqrt(max(np.float32(1 - SLACK) - total, np.float32(0)))
    return bound


@jit()
def _distance(p, q):
    """Stock's score of two faces: the sum of the channels' distances."""
    score = bhattacharyya(p[0], q[0])
    for channel in range(1, p.shape[0]):
        score += bhattacharyya(p[channel], q[channel])
    return score


@jit(fastmath=True)
def _scan_coarse(coarse, channels, current, first, bounds):
    """First bound of all candidates from ``first`` on; returns where it is lowest."""
    bins = coarse.shape[0] // channels
    count = coarse.shape[1]
    best = first
    total = np.empty(SCAN, np.float32)
    for start in range(first, count, SCAN):
        end = min(start + SCAN, count)
        bounds[start:end] = 0
        for channel in range(channels):
            total[:end - start] = 0
            for bin_ in range(channel * bins, (channel + 1) * bins):
                weight = coarse[bin_, current]
                row = coarse[bin_]
                for j in range(end - start):
                    total[j] += weight * row[start + j]
            for j in range(end - start):
                bounds[start + j] += np.sqrt(max(np.float32(1 - SLACK) - total[j], np.float32(0)))
        for j in range(start, end):
            if bounds[j] < bounds[best]:
                best = j
    return best


@jit()
def _nearest(counts, roots, medium, bounds, current, first, guess):
    """Index from ``first`` on with the lowest score, the lowest index among equals."""
    best = guess
    best_score = _distance(counts[current], counts[guess])
    for j in range(first, len(counts)):
        if bounds[j] > best_score or j == guess:
            continue
        if _lower_bound(medium[current], medium[j]) > best_score:
            continue
        if _lower_bound(roots[current], roots[j]) > best_score:
            continue
        score = _distance(counts[current], counts[j])
        if score < best_score or (score == best_score and j < best):
            best, best_score = j, score
    return best


@jit()
def _swap_rows(array, a, b):
    for c in range(array.shape[1]):
        for i in range(array.shape[2]):
            value = array[a, c, i]
            array[a, c, i] = array[b, c, i]
            array[b, c, i] = value


@jit()
def _extend_chain(counts, roots, medium, coarse, order, start, end):
    """Place the successors of positions start..end-1; all arrays follow the order."""
    bounds = np.empty(len(counts), np.float32)
    for current in range(start, end):
        after = current + 1
        guess = _scan_coarse(coarse, counts.shape[1], current, after, bounds)
        nearest = _nearest(counts, roots, medium, bounds, current, after, guess)
        if nearest != after:
            _swap_rows(counts, after, nearest)
            _swap_rows(roots, after, nearest)
            _swap_rows(medium, after, nearest)
            for bin_ in range(coarse.shape[0]):
                value = coarse[bin_, after]
                coarse[bin_, after] = coarse[bin_, nearest]
                coarse[bin_, nearest] = value
            order[after], order[nearest] = order[nearest], order[after]


@jit()
def exact_dissimilarity_numba(histograms, indexes):
    """See `dissimilarity.choose_exact`."""
    totals = np.zeros(len(indexes))
    for k in range(len(indexes)):
        for j in range(len(histograms)):
            if j != indexes[k]:
                totals[k] += bhattacharyya(histograms[indexes[k]], histograms[j])
    return totals
