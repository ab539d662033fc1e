"""Colours moved by one-dimensional optimal transport, along many random directions of the colour space.

idt: Pitie, Kokaram and Dahyot 2005, "N-dimensional probability density function transfer", stock's
color_transfer_idt. sot: Rabin et al. 2011, sliced transport, stock's color_transfer_sot. The arithmetic is stock's
in float32, with the fused products of a BLAS on processors that have them: up to a last bit here and there the
results are those of stock with numpy 1.19.

Pixels are float32 (3, N): a row a channel.
"""
import math

import numpy as np

from .. import compat
from . import float_order
from .bilateral import bilateral

ROTATIONS = 20
BINS = 256
_SIGMA_SPACE, _SIGMA_VALUE = 16.0, 5.0      # of sot's smoothing: px, and of the picture's values
_RELAXATION = np.float32(1 / ROTATIONS)
AS_NUMPY = -1.0                                         # for slide
_INDEX, _KEY = np.uint64(0xffffffff), np.uint64(32)     # of a pair: a mask, and a shift


def random_rotations(count, random):
    """Return `count` rotations, uniform in SO(3): float32 (count, 3, 3).

    random: np.random or a RandomState; 5 normal draws a rotation, as many and as used by scipy 1.4.1's
    special_ortho_group. Products of Householder reflections (Stewart 1980; Mezzadri 2007).
    """
    rotations = np.empty((count, 3, 3), np.float32)
    for rotation, draws in zip(rotations, random.normal(size=(count, 5))):
        matrix, signs = np.eye(3), []
        for column, draw in enumerate((draws[:3], draws[3:])):
            square = draw.dot(draw)
            sign = -1.0 if draw[0] < 0 else 1.0
            first = draw[0] + sign * math.sqrt(square)
            length = math.sqrt((square - draw[0] ** 2 + first ** 2) / 2.0)
            mirror = np.append(first, draw[1:]) / length
            matrix[:, column:] -= np.outer(matrix[:, column:].dot(mirror), mirror)
            signs.append(sign)
        rotation[:] = np.array(signs + [signs[0] * signs[1]])[:, None] * matrix
    return rotations


def iterative_transfer(face, target, weight, rotations):
    """Return a face's pixels after idt: float32 (3, N).

    face: float32 (3, N). target: float32 (3, M). weight: for how many pixels the last of both stands (black ones
    outside of a mask). rotations: float32 (R, 3, 3).
    """
    inverses = np.linalg.inv(rotations.astype(np.float64))
    return _iterate(face, target, weight, rotations, inverses)


@compat.jit()
def _iterate(face, target, weight, rotations, inverses):
    face = face.copy()
    moves = np.empty_like(face)
    along, target_along = np.empty(face.shape[1], np.float32), np.empty(target.shape[1], np.float32)
    bins, no_bins = np.empty(face.shape[1], np.int32), np.empty(target.shape[1], np.int32)
    edges, values, slopes = np.empty(BINS + 1, np.float32), np.empty(BINS), np.empty(BINS)
    for step in range(len(rotations)):
        for axis in range(3):
            _project(face, rotations[step, axis], along)
            _project(target, rotations[step, axis], target_along)
            low, high = value_range(along, target_along)
            low, scale = make_edges(low, high, edges)
            shares = cumulative_shares(along, low, scale, edges, weight, bins)
            target_shares = cumulative_shares(target_along, low, scale, edges, weight, no_bins)
            invert_shares(shares, target_shares, edges, values, slopes)
            move_along(along, bins, edges, values, slopes, moves[axis])
        _turn_back(moves, inverses[step], face)
    return face


@compat.jit()
def _project(pixels, direction, along):
    """Write the scalar products, each a chain of fused products: float32 (N,)."""
    first, second, third = direction[0], np.float64(direction[1]), np.float64(direction[2])
    for i in range(len(along)):
        # float64 holds the product of two float32 exactly, so only the sum is rounded
        total = np.float32(second * np.float64(pixels[1, i]) + np.float64(first * pixels[0, i]))
        along[i] = np.float32(third * np.float64(pixels[2, i]) + np.float64(total))


@compat.jit()
def value_range(values, others):
    """Return the lowest and the highest value of both arrays, float32 (N,) and (M,); N is at least 1."""
    low = high = values[0]
    for i in range(len(values)):
        low, high = min(low, values[i]), max(high, values[i])
    for i in range(len(others)):
        low, high = min(low, others[i]), max(high, others[i])
    return low, high


@compat.jit()
def make_edges(low, high, edges):
    """Write the edges of np.histogram's bins, float32 (BINS + 1,). Return the first and bins per unit, float32."""
    begin, end = np.float64(low), np.float64(high)
    if begin == end:
        begin, end = begin - 0.5, end + 0.5
    step = (end - begin) / BINS
    for i in range(BINS):
        edges[i] = np.float32(i * step + begin)
    edges[BINS] = np.float32(end)
    width = np.float64(high - low) if high > low else 1.0
    return np.float32(begin), np.float32(BINS / width)


@compat.jit()
def cumulative_shares(along, low, scale, edges, weight, bins):
    """Write each pixel's bin; return which share of all lies up to each bin's end, float32 (BINS,)."""
    for i in range(len(along)):
        bins[i] = np.int32((along[i] - low) * scale)
    counts = np.zeros((2, BINS), np.int64)      # two, as neighbours fall into one bin and would wait for each other
    for i in range(len(along)):
        value = along[i]
        bin_ = min(max(bins[i], 0), BINS - 1)
        if value < edges[bin_]:                 # the product was rounded
            bin_ = max(bin_ - 1, 0)
        if value >= edges[bin_ + 1] and bin_ != BINS - 1:
            bin_ += 1
        bins[i] = bin_
        counts[i & 1, bin_] += 1
    counts[0, bins[len(along) - 1]] += weight - 1
    shares = np.empty(BINS, np.float32)
    total = np.int64(0)
    for i in range(BINS):
        total += counts[0, i] + counts[1, i]
        shares[i] = total
    whole = shares[BINS - 1]
    for i in range(BINS):
        shares[i] /= whole
    return shares


@compat.jit()
def invert_shares(shares, target_shares, edges, values, slopes):
    """Write where each bin's end goes, and how values grow from one to the next: float64 (BINS,) both.

    Each is np.interp(share, target_shares, edges[1:]).
    """
    place = -1
    for i in range(BINS):
        share = np.float64(shares[i])
        while place + 1 < BINS and np.float64(target_shares[place + 1]) <= share:
            place += 1
        if place < 0:
            values[i] = edges[1]
        elif place == BINS - 1 or target_shares[place] == shares[i]:
            values[i] = edges[place + 1]
        else:
            begin = np.float64(target_shares[place])
            rise = ((np.float64(edges[place + 2]) - np.float64(edges[place + 1]))
                    / (np.float64(target_shares[place + 1]) - begin))
            values[i] = rise * (share - begin) + np.float64(edges[place + 1])
    for i in range(BINS - 1):
        run = np.float64(edges[i + 2]) - np.float64(edges[i + 1])
        slopes[i] = (values[i + 1] - values[i]) / run if run > 0 else 0.0
    slopes[BINS - 1] = 0.0


@compat.jit()
def move_along(along, bins, edges, values, slopes, moves):
    """Write how far each pixel moves: np.interp(along, edges[1:], values, left=0) - along."""
    for i in range(len(along)):
        value = along[i]
        place = bins[i] - 1
        while place + 2 <= BINS and value >= edges[place + 2]:      # the last edge; edges that are the same
            place += 1
        # stock has no edge before the first bin, so that its pixels go to 0
        moved = 0.0 if place < 0 else slopes[place] * (np.float64(value) - np.float64(edges[place + 1])) + values[place]
        moves[i] = np.float32(moved) - value


@compat.jit()
def _turn_back(moves, inverse, face):
    for i in range(face.shape[1]):
        x, y, z = np.float64(moves[0, i]), np.float64(moves[1, i]), np.float64(moves[2, i])
        for channel in range(3):
            move = np.float32(inverse[channel, 0] * x + inverse[channel, 1] * y + inverse[channel, 2] * z)
            face[channel, i] += _RELAXATION * move


def sliced_transfer(face, target, steps, batch, tolerance, random, smooth=bilateral):
    """Return a face after sot: float32 (H, W, 3), not clipped.

    face, target: float32 (H, W, 3). batch: directions a step; random: np.random or a RandomState that draws them.
    tolerance: how far equal pixels are sent apart, on average of all pixels, before their order is looked for in
    numpy's quicksort, in the picture's values; below, the first pixel comes first. 0.0 leaves nothing to chance.
    smooth: a bilateral filter, called with the picture, sigma of values and sigma of space.
    """
    directions = random.normal(size=(steps, batch, 3)).astype(np.float32)
    squares = (directions * directions).astype(np.float64).sum(axis=-1)
    directions /= np.sqrt(squares.astype(np.float32))[..., None]
    planes = [np.ascontiguousarray(picture.reshape(-1, 3).T) for picture in (face, target)]
    moved = slide(planes[0], planes[1], directions, tolerance)
    difference = np.ascontiguousarray((moved - planes[0]).T).reshape(face.shape)
    return face + smooth(difference, _SIGMA_VALUE, _SIGMA_SPACE)


@compat.jit()
def slide(face, target, directions, tolerance):
    """Return pixels moved along directions, in steps of some: float32 (3, N).

    face, target: float32 (3, N). directions: float32 (steps, directions a step, 3), of length 1. tolerance: see
    sliced_transfer; AS_NUMPY always takes the order of numpy's quicksort.
    """
    count = face.shape[1]
    face = face.copy()
    moves = np.empty_like(face)
    along, goals, sorted_goals = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    keys, spare_keys = np.empty(count, np.uint32), np.empty(count, np.uint32)
    pairs, spare_pairs = np.empty(count, np.uint64), np.empty(count, np.uint64)
    begins = np.empty((float_order.DIGITS, float_order.BUCKETS), np.int64)
    batch = directions.shape[1]
    for step in range(len(directions)):
        moves[:] = 0
        for i in range(batch):
            direction = directions[step, i]
            _project_plainly(target, direction, goals)
            float_order.to_keys(goals, keys)
            float_order.sort_values(keys, spare_keys, begins, sorted_goals)
            _project_plainly(face, direction, along)
            float_order.to_keys(along, keys)
            is_settled = False
            if tolerance >= 0:
                float_order.stable_sort(keys, spare_pairs, begins, pairs)
                is_settled = _spread_of_ties(pairs, sorted_goals) <= tolerance * count
            if not is_settled:
                float_order.quicksort(keys, pairs)
            for place in range(count):
                goals[pairs[place] & _INDEX] = sorted_goals[place]
            _add_moves(along, goals, direction, moves)
        for channel in range(3):
            for k in range(count):
                face[channel, k] += moves[channel, k] / np.float32(batch)
    return face


@compat.jit()
def _spread_of_ties(pairs, goals):
    """Add up how far pixels with equal values are sent apart: float64. goals: float32 (N,), in rising order."""
    total = np.float64(0)
    first = 0
    for place in range(1, len(pairs) + 1):
        if place == len(pairs) or pairs[place] >> _KEY != pairs[first] >> _KEY:
            if place - first > 1:
                total += np.float64(goals[place - 1] - goals[first]) * (place - first)
            first = place
    return total


@compat.jit()
def _project_plainly(pixels, direction, along):
    blue, green, red = pixels[0], pixels[1], pixels[2]
    for i in range(len(along)):
        along[i] = (blue[i] * direction[0] + green[i] * direction[1]) + red[i] * direction[2]


@compat.jit()
def _add_moves(along, goals, direction, moves):
    for channel in range(3):
        part, total = direction[channel], moves[channel]
        for i in range(len(along)):
            total[i] += (goals[i] - along[i]) * part
