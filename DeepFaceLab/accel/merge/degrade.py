"""Blur, sharpening and the degradations that let a face and its frame look alike.

Each answers to stock: core.imagelib.blursharpen, core.imagelib.reduce_colors, and the two degradations that
merger.MergeMasked does by itself. Values are BGR 0..1 unless said otherwise; what stock does not clip is not clipped.
"""
import cv2
import numpy as np

from .. import compat
from . import warps

_MEDIAN_SIZE = 5
_MEDIAN_REACH = _MEDIAN_SIZE // 2
_STEP = 10                      # of denoise power and of blur amount: what a pass takes away
_WHOLE_BLUR, _WHOLE_DENOISE = 10, 100       # from here on a pass is not mixed with what was there before
BOX, GAUSSIAN = 1, 2            # stock's sharpen_mode
_SHARPEN_SIZE = 3
_SUBPIXELS = 32                 # steps of a pixel in which OpenCV 4.1 turns a picture
_FIXED_POINT = 1024             # and of its coordinates before that
_SPARSE_FROM = 12               # px: OpenCV filters larger kernels by a Fourier transform
_BICUBIC_FULL = 101.0
_LEVELS = np.float32(255)
_SUMS_MAY_BE_REORDERED = {"contract", "nsz"}        # fused multiply-adds


def motion_blur(face, size, angle):
    """Blur a face along a line: float32 (H, W, 3). size: the line's length, px. angle: degrees, counterclockwise.

    The line is turned as OpenCV 4.1 turns it; larger lines are added up point by point, which is faster than a
    Fourier transform and equal to it up to its rounding.
    """
    kernel = _line(int(size), float(angle))
    if size < _SPARSE_FROM:
        return cv2.filter2D(face, -1, kernel)
    height, width = face.shape[:2]
    before = int(size) // 2
    after = int(size) - 1 - before
    padded = cv2.copyMakeBorder(face, before, after, before, after, cv2.BORDER_REFLECT_101)
    rows, columns = np.nonzero(kernel)
    result = np.zeros((height, width * 3), np.float32)
    _add_shifted(padded.reshape(padded.shape[0], -1), rows, columns * 3, kernel[rows, columns], result)
    return result.reshape(height, width, 3)


@compat.jit(fastmath=_SUMS_MAY_BE_REORDERED)
def _add_shifted(padded, rows, columns, weights, result):
    for y in range(result.shape[0]):
        total = result[y]
        for i in range(len(weights)):
            _add_products(padded[y + rows[i], columns[i]:columns[i] + len(total)], weights[i], total)


@compat.jit(fastmath=_SUMS_MAY_BE_REORDERED)
def _add_products(values, weight, total):
    for x in range(len(total)):
        total[x] += values[x] * weight


def _line(size, angle):
    """Return a horizontal line turned about the middle, of sum 1: float32 (size, size).

    Answers to cv2.warpAffine of OpenCV 4.1, bilinear; OpenCV 5 does not round to 1/32 px.
    """
    turn = warps.inverse(cv2.getRotationMatrix2D((size / 2 - 0.5, size / 2 - 0.5), angle, 1.0))
    places = np.arange(size, dtype=np.float64)
    row = (size - 1) // 2
    across, down = (_where_from(turn[axis], places) for axis in (0, 1))
    # of each point's four neighbours only the two in the row of the line count
    left, top = across // _SUBPIXELS, down // _SUBPIXELS
    share_x = (across % _SUBPIXELS).astype(np.float32) / np.float32(_SUBPIXELS)
    share_y = (down % _SUBPIXELS).astype(np.float32) / np.float32(_SUBPIXELS)
    weight_x = (((left >= 0) & (left < size)) * (1 - share_x) + ((left >= -1) & (left < size - 1)) * share_x)
    weight_y = (top == row) * (1 - share_y) + (top == row - 1) * share_y
    kernel = (weight_x * weight_y).astype(np.float32)
    return kernel * np.float32(1.0 / float(kernel.sum()))


def _where_from(turn, places):
    """Return one coordinate of every point's source, in 1/32 px: int64 (size, size)."""
    along = np.rint(turn[0] * places * _FIXED_POINT)
    down = np.rint((turn[1] * places + turn[2]) * _FIXED_POINT) + _FIXED_POINT // _SUBPIXELS // 2
    return (down[:, None] + along).astype(np.int64) // (_FIXED_POINT // _SUBPIXELS)


def blur_sharpen(face, sharpen_mode, amount):
    """Sharpen (amount 1..100) or smooth (-100..-1) a face: float32 (H, W, 3), not clipped.

    sharpen_mode: 0 none, 1 box, 2 gaussian; smoothing has no mode: a median of 5 x 5 for every 10 of the amount.
    """
    if amount > 0 and sharpen_mode == BOX:
        middle = np.zeros((_SHARPEN_SIZE, _SHARPEN_SIZE), np.float32)
        middle[_SHARPEN_SIZE // 2, _SHARPEN_SIZE // 2] = 1
        box = np.ones_like(middle) / np.float32(_SHARPEN_SIZE ** 2)
        return cv2.filter2D(face, -1, middle + (middle - box) * np.float32(amount))
    if amount > 0 and sharpen_mode == GAUSSIAN:
        blurred = cv2.GaussianBlur(face, (_SHARPEN_SIZE, _SHARPEN_SIZE), 0)
        return cv2.addWeighted(face, 1.0 + 0.5 * amount, blurred, -0.5 * amount, 0)
    if amount < 0:
        return _mix_with_medians(face, [_share(left, _WHOLE_BLUR) for left in range(-int(amount), 0, -_STEP)])
    return face


def _share(left, whole):
    """How much of a pass's result is taken, 0..1, when so much power is left."""
    return 1.0 if left >= whole else (left % whole) / float(whole)


def _mix_with_medians(picture, shares):
    for share in shares:
        median = cv2.medianBlur(picture, _MEDIAN_SIZE)
        if share < 1.0:
            _mix_into(median, picture, np.float32(1.0 - share), np.float32(share))
        picture = median
    return picture


@compat.jit()
def _mix_into(median, picture, rest, share):
    for y in range(picture.shape[0]):
        own, other = median[y].reshape(-1), picture[y].reshape(-1)
        for x in range(len(own)):
            own[x] = other[x] * rest + own[x] * share


def denoise(frame, power, window=None):
    """Take the noise out of a frame by repeated medians of 5 x 5: float32 (H, W, 3) 0..1.

    frame: uint8 (H, W, 3). power: 0..500; 100 and above are 1, 2, ... whole passes before the partial ones.
    window: (left, top, right, bottom), px, for a part alone, the same pixels as in the whole frame's result.
    """
    shares = [_share(left, _WHOLE_DENOISE) for left in range(int(power), 0, -_STEP)]
    height, width = frame.shape[:2]
    left, top, right, bottom = window or (0, 0, width, height)
    reach = _MEDIAN_REACH * len(shares)
    begin_x, begin_y = max(left - reach, 0), max(top - reach, 0)
    part = np.ascontiguousarray(frame[begin_y:bottom + reach, begin_x:right + reach])
    whole = shares.count(1.0)
    for _ in range(whole):      # a median is one of the values: it is the same for 8-bit levels as for their fractions
        part = cv2.medianBlur(part, _MEDIAN_SIZE)
    part = _mix_with_medians(warps.as_unit_range(part), shares[whole:])
    return np.ascontiguousarray(part[top - begin_y:bottom - begin_y, left - begin_x:right - begin_x])


def bicubic_rescale(frame, power):
    """Scale a frame down and up again: float32 (H, W, 3), which bicubic overshoot may leave 0..1.

    frame: float32 (H, W, 3). power: 0..100. Where stock would fail, as nothing is left of a tiny frame, 1 px is.
    """
    height, width = frame.shape[:2]
    scale = 1.0 - power / _BICUBIC_FULL
    smaller = max(int(width * scale), 1), max(int(height * scale), 1)
    return cv2.resize(cv2.resize(frame, smaller, interpolation=cv2.INTER_CUBIC), (width, height),
                      interpolation=cv2.INTER_CUBIC)


def reduce_colours(image, colours=256):
    """Return an image in a few colours of its own, by Pillow's median cut: float32 (H, W, 3) 0..1.

    image: float32 (H, W, 3), cut (not rounded) to 8 bits first. colours: 1..256.
    """
    from PIL import Image       # only who degrades colours waits for it
    indexed = Image.fromarray(_as_rgb8(np.ascontiguousarray(image, np.float32))).convert(
        "P", palette=Image.ADAPTIVE, colors=colours)
    palette = np.array(indexed.getpalette(), np.float32).reshape(-1, 3)[:, ::-1] / _LEVELS
    return _look_up(np.asarray(indexed), np.ascontiguousarray(palette))


@compat.jit()
def _as_rgb8(image):
    result = np.empty(image.shape, np.uint8)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            for channel in range(3):
                result[y, x, 2 - channel] = np.int32(image[y, x, channel] * _LEVELS) & 255
    return result


@compat.jit()
def _look_up(indexes, palette):
    result = np.empty(indexes.shape + (3,), np.float32)
    for y in range(indexes.shape[0]):
        for x in range(indexes.shape[1]):
            for channel in range(3):
                result[y, x, channel] = palette[indexes[y, x], channel]
    return result
