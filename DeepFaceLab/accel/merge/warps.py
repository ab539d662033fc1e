"""Affine warps between a frame and a face, done only where the face is, with the whole frame's result.

cv2.warpAffine rounds coordinates to 1/32 px in steps that start at the left edge of what it fills; OpenCV 5 does
not round. A warp of a part alone would be rounded otherwise, and bicubic values on sharp edges would differ by some
levels; so the coordinates of the part are computed here as OpenCV 4.1 computes them for all of the frame.

A window is (left, top, right, bottom) in px of the frame, right and bottom not included.
"""
import math

import cv2
import numpy as np

_COORDINATE_BITS = 10      # of OpenCV's fixed-point coordinates,
_TABLE_BITS = 5            # of which 5 choose the interpolation weights
_COORDINATE_SCALE = 1 << _COORDINATE_BITS
_TABLE_MASK = (1 << _TABLE_BITS) - 1
_HALF_STEP = _COORDINATE_SCALE >> (_TABLE_BITS + 1)
_FAR = 2 ** 30             # farther than any picture; the sum of two still fits into int32
_CUBIC_REACH = 2           # px from a point to the farthest pixel that bicubic interpolation reads

_AS_UNIT = (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(1, 256)


def as_unit_range(pixels):
    """Return uint8 pixels of any shape (H, W, C) as float32 0..1: value / 255."""
    return cv2.LUT(np.ascontiguousarray(pixels), _AS_UNIT)


def inverse(matrix):
    """Return the inverse of a float64 (2, 3) affine matrix, in the arithmetic of cv2.warpAffine."""
    (a, b, c), (d, e, f) = matrix.tolist()
    determinant = a * e - b * d
    scale = 1.0 / determinant if determinant != 0 else 0.0
    a, b, d, e = e * scale, b * -scale, d * -scale, a * scale
    return np.array([[a, b, -a * c - b * f], [d, e, -d * c - e * f]])


def window_of(matrix, box, frame_shape):
    """Return the window of a frame in which a box of a face can show, or None if it lies outside.

    matrix: float64 (2, 3), frame to face. box: (left, top, right, bottom) in px of the face; the reach of bicubic
    interpolation is added here. frame_shape: (H, W, ...).
    """
    if not np.isfinite(matrix).all():
        return None
    left, top, right, bottom = box
    corners = np.array([[left - _CUBIC_REACH, top - _CUBIC_REACH], [right + _CUBIC_REACH, top - _CUBIC_REACH],
                        [right + _CUBIC_REACH, bottom + _CUBIC_REACH], [left - _CUBIC_REACH, bottom + _CUBIC_REACH]],
                       np.float64)
    return _clipped(corners, inverse(matrix), frame_shape)


def source_window(matrix, size, frame_shape):
    """Return the window of a frame that cut_face reads, or None if the face lies outside of the frame."""
    if not np.isfinite(matrix).all():
        return None
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float64)
    return _clipped(corners, inverse(matrix), frame_shape, _CUBIC_REACH)


def _clipped(corners, to_frame, frame_shape, margin=0):
    points = corners.dot(to_frame[:, :2].T) + to_frame[:, 2]
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    if not np.isfinite(low).all() or not np.isfinite(high).all():
        return None
    height, width = frame_shape[:2]
    left, top = max(0, math.floor(low[0]) - 1), max(0, math.floor(low[1]) - 1)
    right, bottom = min(width, math.ceil(high[0]) + 2), min(height, math.ceil(high[1]) + 2)
    return (left, top, right, bottom) if left < right and top < bottom else None


def union(first, second):
    """Return the smallest window that holds two windows; None counts as empty."""
    if first is None or second is None:
        return first or second
    return (min(first[0], second[0]), min(first[1], second[1]), max(first[2], second[2]), max(first[3], second[3]))


def part(image, window, origin=(0, 0)):
    """Return a view of the pixels of a window; origin: where the image's own corner lies in the frame."""
    left, top, right, bottom = window
    return image[top - origin[1]:bottom - origin[1], left - origin[0]:right - origin[0]]


def cut_face(image, matrix, size, origin=(0, 0)):
    """Warp a face out of a frame, of which a window around it is enough, bicubic, black outside of the frame.

    image: float32 (h, w) or (h, w, C). matrix: float64 (2, 3), frame to face. size: side of the face, px.
    origin: (left, top) of the image in its frame. Returns float32 (size, size[, C]).
    Answers to cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_CUBIC).
    """
    return Placement(inverse(matrix), (0, 0, size, size), origin).paste(image)


class Placement:
    """Where the pixels of a window come from in a picture: coordinates of one warp, for use on several pictures."""

    def __init__(self, matrix, window, origin=(0, 0)):
        """matrix: float64 (2, 3), from the window's space to the picture's. window: what is filled. origin: (left,
        top) of the picture in that space, whole px."""
        left, top, right, bottom = window
        x, y = np.arange(left, right), np.arange(top, bottom)
        fixed_x = _fixed_point(matrix[0], x, y, origin[0])
        fixed_y = _fixed_point(matrix[1], x, y, origin[1])
        self._pixels = np.empty(fixed_x.shape + (2,), np.int16)
        self._pixels[..., 0] = fixed_x >> _TABLE_BITS
        self._pixels[..., 1] = fixed_y >> _TABLE_BITS
        fixed_x &= _TABLE_MASK
        fixed_y &= _TABLE_MASK
        fixed_y <<= _TABLE_BITS
        fixed_y |= fixed_x
        self._weights = fixed_y.astype(np.uint16)

    def paste(self, picture):
        """Return the picture as it lies in the window: float32 (h, w[, C]), black where it does not reach.

        picture: float32 (H, W[, C]).
        Answers to cv2.warpAffine(picture, matrix, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC).
        """
        return cv2.remap(picture, self._pixels, self._weights, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)


def _fixed_point(row, x, y, origin):
    """Coordinates in 1/32 px, held to what int16 holds in whole px: int32 (len(y), len(x))."""
    along = np.rint(row[0] * x * _COORDINATE_SCALE)
    down = np.rint((row[1] * y + row[2]) * _COORDINATE_SCALE) + _HALF_STEP - origin * _COORDINATE_SCALE
    along, down = (np.clip(part, -_FAR, _FAR).astype(np.int32) for part in (along, down))
    fixed = down[:, None] + along[None, :]
    fixed >>= _COORDINATE_BITS - _TABLE_BITS
    low, high = -32768 << _TABLE_BITS, (32767 << _TABLE_BITS) + _TABLE_MASK
    ends = along[[0, -1]][:, None] + down[[0, -1]][None, :]  # the sum grows or falls along a line
    ends >>= _COORDINATE_BITS - _TABLE_BITS
    if ends.min() < low or ends.max() > high:
        np.clip(fixed, low, high, out=fixed)
    return fixed
