"""Oracles for the CPBD sharpness and for motion blur.

CPBD: Narvekar and Karam 2011; the details are those of stock's `core.imagelib.estimate_sharpness`, with the
Canny of scikit-image 0.14.2. Later releases take the gradient's magnitude as a plain root of squares and
suppress non-maxima in compiled code, so pixels exactly as strong as a neighbour may change sides.
Images are uint8 (h, w) unless said otherwise.
"""
import math

import cv2
import numpy as np

from . import landmarks as naive_landmarks


def estimate_sharpness(gray):
    """CPBD of a uint8 (h, w) image: 0.0 (blurred, or no edges at all) to 1.0."""
    height, width = gray.shape
    if height < 64 or width < 64:  # no whole block
        return 0.0
    edges = canny(gray)
    widths = edge_widths(gray, thinned_sobel(gray))
    buckets = [0] * 101
    for top in range(0, height - 63, 64):  # rows and columns beyond the last whole block do not count
        for left in range(0, width - 63, 64):
            block = (slice(top, top + 64), slice(left, left + 64))
            if np.count_nonzero(edges[block]) <= 64 * 64 * 0.002:
                continue
            contrast = int(gray[block].max()) - int(gray[block].min())
            just_noticeable = 5 if contrast <= 50 else 3
            for edge_width in widths[block].ravel():
                if edge_width != 0:
                    probability = 1 - math.exp(-(edge_width / just_noticeable) ** 3.6)
                    buckets[int(round(probability * 100))] += 1
    total = sum(buckets)
    if total == 0:
        return 0.0
    # numpy's order of summation decides the last bit
    return float(np.sum((np.array(buckets) / total)[:64]))


def masked_sharpness(image, landmarks):
    """Sharpness of the face inside its hull: uint8 (h, w, 3) BGR or (h, w), landmarks (68, 2) px."""
    return estimate_sharpness(_gray(masked(image, landmarks)))


def motion_blur(image, landmarks):
    """Variance, over pixels and channels, of the 11-tap Laplacian of the masked face; exact, rounded once."""
    picture = masked(image, landmarks)
    if picture.ndim == 2:
        picture = picture[..., None]
    # second derivative and smoothing of Sobel's family: rows of Pascal's triangle
    smooth = _pascal(10)
    second = np.convolve([1, -2, 1], _pascal(8))
    total, squares = 0, 0
    for channel in range(picture.shape[2]):
        padded = np.pad(picture[..., channel].astype(np.int64), 5, mode='reflect')
        response = (_correlate(_correlate(padded, second, 1), smooth, 0) +
                    _correlate(_correlate(padded, smooth, 1), second, 0))
        total += int(response.sum())
        squares += sum(int(v) * int(v) for v in response.ravel())
    count = picture.size
    return (count * squares - total * total) / (count * count)


def masked(image, landmarks):
    """The image with zeros outside of the face's hull."""
    mask = np.array(naive_landmarks.hull_mask(image.shape, landmarks), np.uint8)
    return image * (mask if image.ndim == 2 else mask[..., None])


def _gray(image):
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def _pascal(n):
    row = [1]
    for _ in range(n):
        row = [a + b for a, b in zip([0] + row, row + [0])]
    return row


def _correlate(padded, taps, axis):
    """Sum of shifted copies; the result is shorter by len(taps) - 1 along the axis."""
    length = padded.shape[axis] - len(taps) + 1
    result = 0
    for k, tap in enumerate(taps):
        result = result + int(tap) * np.take(padded, range(k, k + length), axis=axis)
    return result


# --- edges that decide which blocks count: Canny ---

def canny(gray):
    """Canny's edges, bool (h, w): sigma 1, thresholds 0.1 and 0.2, which is next to nothing of 0..255."""
    height, width = gray.shape
    down, right = smoothed_gradient(gray)
    strength = np.hypot(down, right)
    low = set()
    for row, column in np.argwhere(strength >= 0.1):
        inside = 0 < row < height - 1 and 0 < column < width - 1
        if inside and is_local_maximum(strength, down[row, column], right[row, column], row, column):
            low.add((row, column))
    # hysteresis: from the strong pixels through all that touch them
    waiting = [(row, column) for row, column in low if strength[row, column] >= 0.2]
    edges = np.zeros((height, width), bool)
    while waiting:
        row, column = waiting.pop()
        if (row, column) in low:
            low.remove((row, column))
            edges[row, column] = True
            waiting += [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return edges


def is_local_maximum(strength, down, right, row, column):
    """Is the pixel as strong as both neighbours along its gradient, each interpolated between two pixels?"""
    here = strength[row, column]
    step = 1 if down * right >= 0 else -1  # does the gradient point to the lower right or to the upper right?
    if abs(down) >= abs(right):
        weight = abs(right) / abs(down)
        straight = (strength[row + 1, column], strength[row - 1, column])
    else:
        weight = abs(down) / abs(right)
        straight = (strength[row, column + step], strength[row, column - step])
    diagonal = (strength[row + 1, column + step], strength[row - 1, column - step])
    return all(d * weight + s * (1 - weight) <= here for d, s in zip(diagonal, straight))


def smoothed_gradient(gray):
    """Sobel derivatives (down, to the right), float64 (h, w), of the image smoothed by a Gaussian of sigma 1.

    The Gaussian is cut at 4 px, sees zeros beyond the border, and is divided by its part inside the image.
    """
    weights = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    weights /= weights.sum()

    def blur(picture):
        for axis in (0, 1):
            margins = [(4, 4) if a == axis else (0, 0) for a in (0, 1)]
            padded = np.pad(picture, margins, mode='constant')
            shifted = [np.take(padded, range(k, k + picture.shape[axis]), axis=axis) for k in range(9)]
            picture = shifted[4] * weights[4]
            for k in range(4):  # the outermost pair first
                picture = picture + (shifted[k] + shifted[8 - k]) * weights[k]
        return picture

    smoothed = blur(gray.astype(np.float64)) / (blur(np.ones(gray.shape)) + np.finfo(float).eps)
    p = np.pad(smoothed, 1, mode='edge')
    vertical = p[2:, :] - p[:-2, :]
    horizontal = p[:, 2:] - p[:, :-2]
    down = vertical[:, 1:-1] * 2 + (vertical[:, :-2] + vertical[:, 2:])
    right = horizontal[1:-1, :] * 2 + (horizontal[:-2, :] + horizontal[2:, :])
    return down, right


# --- edges whose widths are measured: thinned Sobel ---

def thinned_sobel(gray):
    """Pixels whose horizontal derivative is strong, more than on both sides or than above and below."""
    height, width = gray.shape
    p = np.pad(gray.astype(np.int64), 1, mode='edge')
    eighths = (p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:]) - (p[:-2, :-2] + 2 * p[1:-1, :-2] + p[2:, :-2])
    squares = (eighths / 8) ** 2
    threshold = 2 * math.sqrt(squares.sum() / squares.size)  # a root, though of the squares: as in stock
    strong = np.pad(np.where(squares <= threshold, 0, squares), 1, mode='constant').tolist()
    thin = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            here = strong[row + 1][column + 1]
            above, below = strong[row][column + 1], strong[row + 2][column + 1]
            before, after = strong[row + 1][column], strong[row + 1][column + 2]
            thin[row, column] = (here > before and here > after) or (here > above and here > below)
    return thin


def edge_widths(gray, edges):
    """Width in px of each edge whose gradient is horizontal (within 22.5 degrees), else 0: int (h, w)."""
    height, width = gray.shape
    image = gray.astype(np.float64)
    gradient_down, gradient_right = np.gradient(image)
    widths = np.zeros((height, width), int)
    # stock measures nothing at all unless some angle differs from 0
    angled = (gradient_right != 0) & ((gradient_down != 0) | (gradient_right < 0))
    if not angled.any():
        return widths
    rows = image.tolist()
    for row, column in np.argwhere(edges):
        if not (0 < row < height - 1 and 0 < column < width - 1):
            continue
        down, right = gradient_down[row, column], gradient_right[row, column]
        # a vertical gradient leaves the angle at 0, so such a pixel counts as rising to the right: as in
        # stock
        angle = math.degrees(math.atan2(down, right)) if right != 0 else 0.0
        sector = int(round(angle / 45))
        if sector == 0:
            widths[row, column] = scan(rows[row], column, -1, -1) + scan(rows[row], column, +1, +1)
        elif sector in (-4, 4):
            widths[row, column] = scan(rows[row], column, -1, +1) + scan(rows[row], column, +1, -1)
    return widths


def scan(line, column, step, slope):
    """Pixels, 1 to 101, from the column in direction `step` while values fall (slope -1) or rise (+1)."""
    for margin in range(101):
        inner = column + step * (1 + margin)
        outer = inner + step
        if outer < 0 or outer >= len(line) or (line[outer] - line[inner]) * slope <= 0:
            break
    return margin + 1
