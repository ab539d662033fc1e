"""Oracles for sorting by histogram similarity and dissimilarity."""
import math

import numpy as np


def histogram(plane):
    """Number of pixels of each value 0..255, int list of 256; higher ones (16-bit images) do not count."""
    counts = [0] * 256
    values, numbers = np.unique(plane, return_counts=True)
    for value, number in zip(values.tolist(), numbers.tolist()):
        if 0 <= value < 256:
            counts[int(value)] += number
    return counts


def bhattacharyya(p, q):
    """Bhattacharyya distance of two histograms: sqrt(1 - sum(sqrt(p q)) / sqrt(sum(p) sum(q))), 0 to 1.

    As OpenCV's compareHist: an empty histogram is not normalised, and rounding below 0 counts as 0.
    """
    overlap = 0.0
    for a, b in zip(p, q):
        if a and b:
            overlap += math.sqrt(a * b)
    product = float(sum(p)) * float(sum(q))
    normalise = 1.0 / math.sqrt(product) if product > 1.1920929e-07 else 1.0
    return math.sqrt(max(1.0 - overlap * normalise, 0.0))


def similarity_chain(histograms):
    """Greedy chain from item 0: each next item is the nearest of those left.

    histograms: a list of items, each a list of 256-bin histograms (three: B, G, R); the distance is the sum
    over them. The next item swaps places with the nearest one, the first of several equals; so the items
    left over are not in their old order. Returns the items' indexes.
    """
    order = list(range(len(histograms)))
    for i in range(len(order) - 1):
        nearest, smallest = i + 1, math.inf
        for j in range(i + 1, len(order)):
            distance = 0
            for p, q in zip(histograms[order[i]], histograms[order[j]]):
                distance += bhattacharyya(p, q)
            if distance < smallest:
                nearest, smallest = j, distance
        order[i + 1], order[nearest] = order[nearest], order[i + 1]
    return order


def chunks(count, size=20000):
    """(start, stop) of the parts that are chained by themselves: whole parts of 20,000, then the rest.

    Above 13 * 20,000 items the parts grow, so that there are about twelve.
    """
    whole = count // size
    if whole > 12:
        size = int(count / 11.9)
        whole = count // size
    return [(k * size, (k + 1) * size) for k in range(whole)] + [(whole * size, count)]


def similarity_order(histograms, size=20000):
    """Chains of all chunks, one after the other: item indexes."""
    order = []
    for start, stop in chunks(len(histograms), size):
        order += [start + k for k in similarity_chain(histograms[start:stop])]
    return order


def dissimilarities(histograms):
    """For each histogram the sum of its distances to all others: floats."""
    sums = []
    for i, p in enumerate(histograms):
        total = 0
        for j, q in enumerate(histograms):
            if i != j:
                total += bhattacharyya(p, q)
        sums.append(total)
    return sums


def dissimilarity_order(histograms):
    """Item indexes by falling sum of distances, equals in the given order."""
    sums = dissimilarities(histograms)
    return sorted(range(len(sums)), key=lambda i: sums[i], reverse=True)
