"""The colours of a swapped face made those of the face that it covers: stock's eight methods.

`transfer` answers to what stock's merger.MergeMasked does for a number of color_transfer_mode, with the functions
of core.imagelib.color_transfer. Statistics are taken in float64; where stock's float32 sums are coarse enough to be
seen (the mean of an image's pixels one after the other) they are repeated. All pictures are float32 (H, W, 3) BGR
0..1, face and target of one size; masks float32 (H, W, 1), 0 or 1.
"""
import collections
import functools
import math

import cv2
import numpy as np

from .. import compat
from . import transport

RCT, LCT, MKL, MKL_MASKED, IDT, IDT_MASKED, SOT_MASKED, MIX_MASKED = range(1, 9)

_MASK_CUTOFF = np.float32(0.5)
_FLAT_DEVIATION = 1e-4          # of Lab: below, stock's deviation is the rounding of its mean
_LAB_LOW, _LAB_HIGH = np.array([0, -127, -127], np.float32), np.array([100, 127, 127], np.float32)
_LINEAR_EPS = 1e-5              # of the squares of colours 0..1, keeps flat faces apart from a division by zero
_SINGULAR = 1e-9                # of a covariance: the least eigenvalue by the largest
_EPS = float(np.finfo(float).eps)
_SOT_STEPS, _SOT_BATCH = 10, 30
_SOT_TOLERANCE = 1e-5           # leaves the result within some 1e-5 of stock's
_MIX_STEPS, _MIX_BATCH = 10, 5
_MIX_LIGHTNESS = 100            # of 255, while only the other two of Lab are matched
_ONE, _ZERO = np.float32(1), np.float32(0)
_LEVELS = np.float32(255)
_UNIT = np.arange(256, dtype=np.float32) / _LEVELS


def transfer(method, face, target, mask, random=None):
    """Return the face with the target's colours, a new float32 (H, W, 3) array in 0..1.

    method: 1 to 8, see METHODS. mask: float32 (H, W, 1), 1 where the face is; methods 2, 3 and 5 do not look at it.
    random: what draws the directions of idt, sot and mix, a RandomState; None for numpy's global state, as in
    stock. Where stock's answer is not a number and shows black (a face with no deviation at all in one of Lab's
    channels, for rct; input that is not a number) the face is returned as it is. Raises ValueError for another
    method.
    """
    if method not in METHODS:
        raise ValueError("no colour transfer has the number {}".format(method))
    face, target = np.ascontiguousarray(face, np.float32), np.ascontiguousarray(target, np.float32)
    with np.errstate(all="ignore"):
        if not np.isfinite(face.sum() + target.sum()):      # one is not a number or infinite, or two are and cancel
            return face.copy()
    mask = np.ascontiguousarray(mask, np.float32).reshape(face.shape[:2])
    return METHODS[method](face, target, mask, np.random if random is None else random)


def _rct(face, target, mask, random):
    """Reinhard et al. 2001, the means and deviations of Lab; stock counts pixels outside of the mask as black."""
    lab, target_lab = cv2.cvtColor(face, cv2.COLOR_BGR2LAB), cv2.cvtColor(target, cv2.COLOR_BGR2LAB)
    inside = (mask >= _MASK_CUTOFF).astype(np.uint8)
    own = _lab_statistics(lab, inside)
    if not (own[1] >= _FLAT_DEVIATION).all():
        own = _stock_statistics(lab, inside)
        if not (own[1] > 0).all():
            return face.copy()
    _move_and_stretch(lab, own, _lab_statistics(target_lab, inside), _LAB_LOW, _LAB_HIGH)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)


def _lab_statistics(lab, inside):
    """Return the means and the deviations, float32 (2, 3), of a picture that counts as 0 outside of a uint8 mask."""
    share = cv2.countNonZero(inside) / float(inside.size)
    means, deviations = cv2.meanStdDev(lab, mask=inside)
    squares = (deviations ** 2 + means ** 2) * share
    means *= share
    return np.array([means[:, 0], np.sqrt(np.maximum(squares - means ** 2, 0.0))[:, 0]], np.float32)


def _stock_statistics(lab, inside):
    """The same by numpy's float32 sums, whose rounding is what stock divides by where a channel is flat."""
    seen = lab.copy()
    seen[inside == 0] = 0
    channels = [seen[..., channel] for channel in range(3)]
    return np.array([[channel.mean() for channel in channels], [channel.std() for channel in channels]], np.float32)


def _move_and_stretch(picture, own, wanted, low, high):
    """Give each channel another mean and deviation, float32 (2, 3) both, and clip it; in place."""
    values = picture.reshape(-1, 3)
    for channel in range(3):
        _stretch(values, channel, own[:, channel], wanted[:, channel], low[channel], high[channel])


@compat.jit()
def _stretch(values, channel, own, wanted, low, high):
    mean, deviation, wanted_mean, wanted_deviation = own[0], own[1], wanted[0], wanted[1]
    for i in range(len(values)):
        value = (values[i, channel] - mean) * wanted_deviation / deviation + wanted_mean
        values[i, channel] = min(max(value, low), high)


def _lct(face, target, mask, random):
    """A linear map between the principal axes of both."""
    mean, target_mean = face.mean(axis=0).mean(axis=0), target.mean(axis=0).mean(axis=0)
    root, target_root = (_root(_covariance(picture, middle) + _LINEAR_EPS * np.eye(3))
                         for picture, middle in ((face, mean), (target, target_mean)))
    matrix = target_root.dot(np.linalg.inv(root))
    return _map_colours(face, np.ones(face.shape[:2], np.float32), mean, matrix, target_mean.astype(np.float64))


def _root(matrix):
    """Return the square root of a symmetric matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors.dot(np.sqrt(np.diag(values))).dot(vectors.T)


@compat.jit()
def _covariance(picture, mean):
    """Return the mean products of the differences from a mean, which are float32: float64 (3, 3)."""
    products = np.zeros((3, 3))
    first = second = third = 0.0
    first_second = first_third = second_third = 0.0
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            blue = np.float64(picture[y, x, 0] - mean[0])
            green = np.float64(picture[y, x, 1] - mean[1])
            red = np.float64(picture[y, x, 2] - mean[2])
            first += blue * blue
            second += green * green
            third += red * red
            first_second += blue * green
            first_third += blue * red
            second_third += green * red
    products[0, 0], products[1, 1], products[2, 2] = first, second, third
    products[0, 1] = products[1, 0] = first_second
    products[0, 2] = products[2, 0] = first_third
    products[1, 2] = products[2, 1] = second_third
    return products / (picture.shape[0] * picture.shape[1])


@compat.jit()
def _map_colours(picture, mask, mean, matrix, target_mean):
    """Return clip(matrix (picture * mask - mean) + target_mean, 0, 1): float32 (H, W, 3).

    mask: float32 (H, W). mean: float32 (3,). matrix: float64 (3, 3). target_mean: float64 (3,).
    """
    result = np.empty(picture.shape, np.float32)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            blue = np.float64(picture[y, x, 0] * mask[y, x] - mean[0])
            green = np.float64(picture[y, x, 1] * mask[y, x] - mean[1])
            red = np.float64(picture[y, x, 2] * mask[y, x] - mean[2])
            for channel in range(3):
                value = np.float32(matrix[channel, 0] * blue + matrix[channel, 1] * green
                                   + matrix[channel, 2] * red + target_mean[channel])
                result[y, x, channel] = min(max(value, _ZERO), _ONE)
    return result


def _mkl(face, target, mask, random):
    return _mkl_masked(face, target, np.ones_like(mask), random)


def _mkl_masked(face, target, mask, random):
    """The linear Monge-Kantorovitch map: Pitie and Kokaram 2007."""
    mean, covariance = _moments(face, mask)
    target_mean, target_covariance = _moments(target, mask)
    values, vectors = np.linalg.eig(covariance)
    if not values.min() > _SINGULAR * values.max():
        # what stock then shows hangs on the last bits of its covariance
        covariance, target_covariance = (np.cov(_masked(picture, mask).reshape(-1, 3).T) for picture in (face, target))
        values, vectors = np.linalg.eig(covariance)
    deviations = np.sqrt(values.clip(_EPS, None))
    stretch, shrink = np.diag(deviations), np.diag(1.0 / deviations)
    inner_values, inner_vectors = np.linalg.eig(_product(stretch, vectors.T, target_covariance, vectors, stretch))
    matrix = _product(vectors, shrink, inner_vectors, np.diag(np.sqrt(inner_values.clip(_EPS, None))),
                      inner_vectors.T, shrink, vectors.T)
    # eig of a matrix that rounding has left unsymmetric may say complex; stock drops the imaginary part, too
    return _map_colours(face, mask, mean, np.ascontiguousarray(matrix.real.T), target_mean.astype(np.float64))


def _product(*matrices):
    return functools.reduce(np.dot, matrices)


@compat.jit()
def _moments(picture, mask):
    """Return the mean and the covariance of picture * mask: float32 (3,), float64 (3, 3).

    The mean is added up pixel by pixel in float32, as numpy does along the first axis: coarse for large faces, and
    so are stock's colours.
    """
    height, width = mask.shape
    coarse, exact = np.zeros(3, np.float32), np.zeros(3)
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                value = picture[y, x, channel] * mask[y, x]
                coarse[channel] += value
                exact[channel] += np.float64(value)
    exact /= mask.size
    coarse /= np.float32(mask.size)
    products = np.zeros((3, 3))
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                difference = np.float64(picture[y, x, channel] * mask[y, x]) - exact[channel]
                for other in range(channel + 1):
                    products[channel, other] += difference * (
                        np.float64(picture[y, x, other] * mask[y, x]) - exact[other])
    for channel in range(3):
        for other in range(channel + 1):
            products[channel, other] /= mask.size - 1
            products[other, channel] = products[channel, other]
    return coarse, products


def _idt(face, target, mask, random):
    return _idt_masked(face, target, np.ones_like(mask), random)


def _idt_masked(face, target, mask, random):
    """The pixels outside of the mask, all black, are one pixel of some weight."""
    inside = mask.reshape(-1) != 0
    black = inside.size - int(np.count_nonzero(inside))
    rotations = transport.random_rotations(transport.ROTATIONS, random)
    moved = transport.iterative_transfer(_pixels(face, mask, black), _pixels(target, mask, black), max(black, 1),
                                         rotations)
    return _laid_out(moved, mask)


@compat.jit()
def _pixels(picture, mask, black):
    """Return the pixels inside of a mask, and a black one if there are some outside: float32 (3, N)."""
    count = mask.size - black
    pixels = np.zeros((3, count + (1 if black else 0)), np.float32)
    place = 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if mask[y, x] != 0:
                for channel in range(3):
                    pixels[channel, place] = picture[y, x, channel] * mask[y, x]
                place += 1
    return pixels


@compat.jit()
def _laid_out(pixels, mask):
    """Return what _pixels took as a picture, clipped: float32 (H, W, 3)."""
    result = np.empty((mask.shape[0], mask.shape[1], 3), np.float32)
    last = pixels.shape[1] - 1
    place = 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            source = place if mask[y, x] != 0 else last
            for channel in range(3):
                result[y, x, channel] = min(max(pixels[channel, source], _ZERO), _ONE)
            place += mask[y, x] != 0
    return result


def _sot_masked(face, target, mask, random):
    moved = transport.sliced_transfer(_masked(face, mask), _masked(target, mask), _SOT_STEPS, _SOT_BATCH,
                                      _SOT_TOLERANCE, random)
    return np.clip(moved, 0.0, 1.0)


@compat.jit()
def _masked(picture, mask):
    result = np.empty(picture.shape, np.float32)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            for channel in range(3):
                result[y, x, channel] = picture[y, x, channel] * mask[y, x]
    return result


def _mix_masked(face, target, mask, random):
    """Lightness by a linear map, the other two of 8-bit Lab by sot.

    Its result is cut to whole levels, so that a last bit can be seen: nothing is left to chance here.
    """
    lab, target_lab = (cv2.cvtColor(_levels(_masked(picture, mask)), cv2.COLOR_BGR2LAB) for picture in (face, target))
    lightness = cv2.LUT(np.ascontiguousarray(lab[..., 0]), _lightness_table(lab[..., 0], target_lab[..., 0]))
    lab[..., 0] = target_lab[..., 0] = _MIX_LIGHTNESS
    moved = transport.sliced_transfer(
        *(cv2.cvtColor(picture, cv2.COLOR_LAB2BGR).astype(np.float32) for picture in (lab, target_lab)),
        steps=_MIX_STEPS, batch=_MIX_BATCH, tolerance=0.0, random=random,
        smooth=_bilateral_of_opencv)
    lab = cv2.cvtColor(np.clip(moved, 0, 255).astype(np.uint8), cv2.COLOR_BGR2LAB)
    lab[..., 0] = lightness
    return cv2.LUT(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), _UNIT)


def _bilateral_of_opencv(picture, sigma_colour, sigma_space):
    return cv2.bilateralFilter(picture, 0, sigma_colour, sigma_space)


def _levels(picture):
    return np.clip(picture * _LEVELS, 0, 255).astype(np.uint8)


def _lightness_table(levels, target_levels):
    """Return what a linear map of one channel makes of each of its 256 levels: uint8 (1, 256)."""
    means, roots = [], []
    for plane in (levels, target_levels):
        plane = cv2.LUT(np.ascontiguousarray(plane), _UNIT)[..., None]
        mean = plane.mean(axis=0).mean(axis=0)
        square = np.float32(np.square(plane - mean).sum(dtype=np.float64)) / np.float32(plane.size)
        means.append(mean[0])
        roots.append(math.sqrt(float(square) + _LINEAR_EPS))
    matched = (_UNIT - means[0]).astype(np.float64) * (roots[1] * (1.0 / roots[0])) + float(means[1])
    matched = np.clip(matched, 0, 1).astype(np.float32) * _LEVELS
    return np.clip(matched, 0, 255).astype(np.uint8).reshape(1, 256)


# Stock's numbers; each takes face, target, mask float32 (H, W) and what draws random numbers.
METHODS = collections.OrderedDict([
    (RCT, _rct), (LCT, _lct), (MKL, _mkl), (MKL_MASKED, _mkl_masked), (IDT, _idt), (IDT_MASKED, _idt_masked),
    (SOT_MASKED, _sot_masked), (MIX_MASKED, _mix_masked)])
