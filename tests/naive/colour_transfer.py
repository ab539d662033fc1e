"""Oracles for colour transfer and histogram matching: the published methods, with the details that stock gave them.

Pictures are float32 (h, w, 3) BGR 0..1, masks float32 (h, w, 1) of 0 and 1. OpenCV's Lab is taken as given.
"""
import math

import cv2
import numpy as np

EPS = float(np.finfo(float).eps)


def quicksort_order(values):
    """The order in which numpy 1.19's np.argsort leaves values: a list of indexes."""
    order = list(range(len(values)))

    def less(a, b):
        return values[a] < values[b]

    def exchange(i, j):
        order[i], order[j] = order[j], order[i]

    def sort(first, last, depth):
        if depth < 0:
            order[first:last + 1] = heap_order(order[first:last + 1], less)
            return
        parts = []
        while last - first > 15:
            middle = first + (last - first) // 2
            if less(order[middle], order[first]):
                exchange(middle, first)
            if less(order[last], order[middle]):
                exchange(last, middle)
            if less(order[middle], order[first]):
                exchange(middle, first)
            pivot = order[middle]
            i, j = first, last - 1
            exchange(middle, j)
            while True:
                i += 1
                while less(order[i], pivot):
                    i += 1
                j -= 1
                while less(pivot, order[j]):
                    j -= 1
                if i >= j:
                    break
                exchange(i, j)
            exchange(i, last - 1)
            depth -= 1
            if i - first < last - i:
                parts.append((i + 1, last, depth))
                last = i - 1
            else:
                parts.append((first, i - 1, depth))
                first = i + 1
        order[first:last + 1] = sorted(order[first:last + 1], key=lambda index: values[index])  # both are stable
        for part in reversed(parts):
            sort(*part)

    sort(0, len(order) - 1, 2 * (len(order).bit_length() - 1))
    return order


def heap_order(items, less):
    """Heapsort with the root at 1; a parent of two equal children takes the left one."""
    heap, count, result = [None] + items, len(items), []

    def sink(place, item):
        while 2 * place <= count:
            child = 2 * place
            if child < count and less(heap[child], heap[child + 1]):
                child += 1
            if not less(item, heap[child]):
                break
            heap[place] = heap[child]
            place = child
        heap[place] = item

    for place in range(count // 2, 0, -1):
        sink(place, heap[place])
    while count > 1:
        item, top = heap[count], heap[1]
        count -= 1
        result.append(top)
        sink(1, item)
    return [heap[1]] * (len(items) > 0) + result[::-1]


def rct(face, target, mask):
    """Means and deviations in Lab; pixels outside of the mask count as (0, 0, 0)."""
    face, target = cv2.cvtColor(face, cv2.COLOR_BGR2LAB), cv2.cvtColor(target, cv2.COLOR_BGR2LAB)
    result = np.empty_like(face)
    for channel, (low, high) in enumerate([(0, 100), (-127, 127), (-127, 127)]):
        own = np.where(mask[..., 0] < 0.5, 0, face[..., channel]).astype(np.float64)
        wanted = np.where(mask[..., 0] < 0.5, 0, target[..., channel]).astype(np.float64)
        moved = (face[..., channel] - own.mean()) / own.std() * wanted.std() + wanted.mean()
        result[..., channel] = np.clip(moved, low, high)
    return cv2.cvtColor(result, cv2.COLOR_LAB2BGR)


def _covariance(pixels):
    differences = pixels - pixels.mean(axis=0)
    return differences.T.dot(differences) / len(pixels)


def _root(matrix, least=0.0):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, least))).dot(vectors.T)


def _linear(face, target, matrix):
    moved = (_pixels(face) - _pixels(face).mean(axis=0)).dot(matrix.T) + _pixels(target).mean(axis=0)
    return np.clip(moved, 0, 1).reshape(face.shape)


def _pixels(picture):
    return picture.reshape(-1, 3).astype(np.float64)


def lct(face, target):
    """From the principal axes of the face to those of the target."""
    own, wanted = (_root(_covariance(_pixels(picture)) + 1e-5 * np.eye(3)) for picture in (face, target))
    return _linear(face, target, wanted.dot(np.linalg.inv(own)))


def mkl(face, target):
    """The linear map that moves the least; for faces whose colours fill the space."""
    root = _root(_covariance(_pixels(face)), EPS)
    inner = _root(root.dot(_covariance(_pixels(target))).dot(root), EPS)
    inverse = np.linalg.inv(root)
    return _linear(face, target, inverse.dot(inner).dot(inverse))


def mkl_singular(face, target):
    """The same for faces whose colours lie on a line or plane, where it hangs on last bits: stock's own steps."""
    own, wanted = face.reshape(-1, 3), target.reshape(-1, 3)
    variances, axes = np.linalg.eig(np.cov(own.T))
    lengths = np.sqrt(np.maximum(variances, EPS))
    grow, shrink = np.diag(lengths), np.diag(1 / lengths)
    inner = grow.dot(axes.T).dot(np.cov(wanted.T)).dot(axes).dot(grow)
    variances, inner_axes = np.linalg.eig(inner)
    root = np.diag(np.sqrt(np.maximum(variances.real, EPS)))
    matrix = axes.dot(shrink).dot(inner_axes).dot(root).dot(inner_axes.T).dot(shrink).dot(axes.T).real
    moved = (own - own.mean(axis=0)).dot(matrix) + wanted.mean(axis=0)
    return np.clip(moved, 0, 1).reshape(face.shape)


def rotation(draw):
    """A random rotation from a function draw(n) of n normal numbers, by two reflections."""
    result, signs = np.eye(3), []
    for dimensions in (3, 2):
        vector = draw(dimensions)
        sign = -1.0 if vector[0] < 0 else 1.0
        mirror = vector.copy()
        mirror[0] += sign * math.sqrt((vector ** 2).sum())
        padded = np.append(np.zeros(3 - dimensions), mirror / math.sqrt((mirror ** 2).sum()))
        result = result.dot(np.eye(3) - 2 * np.outer(padded, padded))
        signs.append(sign)
    return np.diag(signs + [signs[0] * signs[1]]).dot(result)


def idt(face, target, rotations):
    """20 times: rotate, match the three histograms of 256 bins, go a 20th of the way."""
    own, wanted = face.reshape(-1, 3).T, target.reshape(-1, 3).T
    for turn in rotations:
        turned, goals = _fused_product(turn, own), _fused_product(turn, wanted)
        moved = np.array([_match_bins(turned[axis], goals[axis]) for axis in range(3)], np.float32)
        back = np.linalg.solve(turn.astype(np.float64), (moved - turned).astype(np.float64)).astype(np.float32)
        own = np.float32(0.05) * back + own
    return np.clip(own.T, 0, 1).reshape(face.shape)


def _fused_product(matrix, pixels):
    """A matrix product of float32 in which every sum, and no product but the first, is rounded."""
    total = matrix[:, :1] * pixels[0]
    for k in (1, 2):
        exact = matrix[:, k:k + 1].astype(np.float64) * pixels[k].astype(np.float64)
        total = (exact + total.astype(np.float64)).astype(np.float32)
    return total


def _match_bins(values, goals):
    low, high = np.float64(min(values.min(), goals.min())), np.float64(max(values.max(), goals.max()))
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.array([low + i * ((high - low) / 256) for i in range(256)] + [high], np.float64).astype(np.float32)
    shares = []
    for part in (values, goals):
        bins = np.minimum(np.searchsorted(edges, part, side='right') - 1, 255)
        sums = np.cumsum(np.bincount(bins, minlength=256)).astype(np.float32)
        shares.append(sums / sums[-1])
    wanted = np.interp(shares[0], shares[1], edges[1:])
    return np.interp(values, edges[1:], wanted, left=0)


def sot(face, target, steps, batch, random):
    """In each step the mean of what sorting along some directions asks for; then smoothed."""
    own, wanted = face.reshape(-1, 3).copy(), target.reshape(-1, 3)
    for _ in range(steps):
        moves = np.zeros_like(own)
        for _ in range(batch):
            direction = random.normal(size=3).astype(np.float32)
            direction /= np.float32(math.sqrt(np.float32(sum(float(part * part) for part in direction))))
            along, goals = ((pixels[:, 0] * direction[0] + pixels[:, 1] * direction[1]) + pixels[:, 2] * direction[2]
                            for pixels in (own, wanted))
            order = quicksort_order(along)
            for channel in range(3):
                moves[order, channel] += (np.sort(goals) - along[order]) * direction[channel]
        own += moves / np.float32(batch)
    return face + bilateral(own.reshape(face.shape) - face, 5.0, 16.0)


def bilateral(picture, sigma_colour, sigma_space):
    """Each pixel the mean of a disc, weighted by distance and by the sum of the channels' differences."""
    radius = int(round(1.5 * sigma_space))
    height, width = picture.shape[:2]
    rows, columns = (reflected(length, radius) for length in (height, width))
    padded = picture.astype(np.float64)[rows][:, columns]
    total, weights = np.zeros(picture.shape), np.zeros((height, width, 1))
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx > radius * radius:
                continue
            other = padded[radius + dy:radius + dy + height, radius + dx:radius + dx + width]
            difference = np.abs(other - picture).sum(axis=2, keepdims=True)
            weight = np.exp(-(dy * dy + dx * dx) / (2 * sigma_space ** 2) - difference ** 2 / (2 * sigma_colour ** 2))
            total += weight * other
            weights += weight
    return (total / weights).astype(np.float32)


def reflected(length, beyond):
    """Indexes from -beyond to length + beyond, reflected at the middle of the outermost pixels."""
    period = max(2 * (length - 1), 1)
    places = np.arange(-beyond, length + beyond) % period
    return np.minimum(places, period - places) if length > 1 else np.zeros(length + 2 * beyond, int)


def histogram_match(face, target, threshold):
    """Each value becomes that of the target below which the same share of pixels lies."""
    result = np.empty_like(face)
    for channel in range(3):
        own, wanted = np.sort(face[..., channel].ravel()), np.sort(target[..., channel].ravel())
        values = np.unique(wanted)
        shares = 255 * np.searchsorted(wanted, values, side='right') / len(wanted)
        for y in range(face.shape[0]):
            for x in range(face.shape[1]):
                share = threshold * np.searchsorted(own, face[y, x, channel], side='right') / len(own)
                result[y, x, channel] = np.interp(share, shares, values)
    return result
