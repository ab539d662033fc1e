"""The colours of a sample made those of another picture, or shifted at random: stock's arithmetic to the last bit.

`transfer` answers to stock's core.imagelib.color_transfer, `shift_hsv` to what samplelib.SampleProcessor does for
random_hsv_shift_amount. What a network learns from must not hang on who made it: sums are taken in the order in which
numpy 1.19 takes them, and matrices that hang on the order within a BLAS come from the same calls as in stock.
(accel.merge.colour_transfer has more methods and masks, and is equal within a level.)

All pictures are float32 (H, W, 3) BGR, about 0..1: resizing may go a little beyond.
"""
import collections

import cv2
import numpy as np

from .. import compat
from . import colour_transport

_EPS = float(np.finfo(float).eps)
_LINEAR_EPS = 1e-5                          # of the squares of colours 0..1
_LAB_BOUNDS = np.array([[0, -127, -127], [100, 127, 127]], np.float32)
_FULL_CIRCLE = np.float32(360)
_PART, _LEAF = 8192, 128                    # of numpy's sums, in pixels
_LANES = 24                                 # eight pixels
_DOUBT = 2.0 ** -49                         # of a float64 sum of four products, whose order is not known: 16 roundings
_ZERO, _ONE = np.float32(0), np.float32(1)


def transfer(mode, image, target):
    """Return the image with the target's colours, a new float32 (H, W, 3) array in 0..1.

    mode: one of MODES. image, target: of one size (lct, rct, mkl and idt take any). idt and sot draw their directions
    from numpy's global state, as many as in stock. A picture without any deviation gives what it gives in stock,
    numbers or not. Raises ValueError for another mode, for sizes that differ (sot) and for values that are not finite
    (rct, idt, sot: there stock ends its process, but for idt), numpy.linalg.LinAlgError for them and for a single
    pixel (mkl); lct then gives no numbers, or LinAlgError.
    """
    if mode not in MODES:
        raise ValueError("unknown ct_mode {}".format(mode))
    with np.errstate(all="ignore"):
        return MODES[mode](np.ascontiguousarray(image, np.float32), np.ascontiguousarray(target, np.float32))


def _rct(image, target):
    """Reinhard et al. 2001: the means and deviations of Lab."""
    colour_transport.check_finite(image, target)        # OpenCV would look beyond its tables
    lab, target_lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB), cv2.cvtColor(target, cv2.COLOR_BGR2LAB)
    _stretch(lab.reshape(-1), _statistics(lab), _statistics(target_lab), _LAB_BOUNDS)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)


def _statistics(picture):
    """Return the means and the deviations of the channels as numpy gives them: float32 (2, 3)."""
    values = picture.reshape(-1)
    count = np.float32(len(values) // 3)
    means = _sums(values, np.zeros(3, np.float32), False) / count
    return np.array([means, np.sqrt(_sums(values, means, True) / count)])


@compat.jit()
def _sums(values, middles, squared):
    """Return the sums of three channels, or of (value - middle) ** 2: float32 (3,), in the order of numpy 1.19.

    values: float32 (3 N,), a pixel after the other. 8192 pixels after the other are summed up: each part as the sum of
    its first half, a multiple of 8, and of the rest; up to 128 as eight sums, in turn, and what is left over.
    """
    waiting, sums = np.empty(32, np.int64), np.empty(16, np.float32)
    totals = np.zeros(3, np.float32)
    for channel in range(3):
        own = values[channel:]
        first = 0
        while 3 * first < len(own):
            waiting[0] = min((len(own) + 2) // 3 - first, _PART)
            to_do, done = 1, 0
            while to_do:
                to_do -= 1
                count = waiting[to_do]
                if count == 0:                      # both halves are done
                    done -= 1
                    sums[done - 1] += sums[done]
                elif count > _LEAF:
                    half = count // 2
                    half -= half % 8
                    waiting[to_do], waiting[to_do + 1], waiting[to_do + 2] = 0, count - half, half
                    to_do += 3
                else:
                    sums[done] = _sum_leaf(own[3 * first:], count, middles[channel], squared)
                    first += count
                    done += 1
            totals[channel] += sums[0]
    return totals


@compat.jit()
def _square(value):
    return value * value


@compat.jit()
def _sum_leaf(values, count, middle, squared):
    """Return the sum of each third of the values, `count` of them."""
    a = b = c = d = e = f = g = h = _ZERO
    whole = 3 * (count - count % 8)
    if squared:
        for i in range(0, whole, 24):
            a += _square(values[i] - middle)
            b += _square(values[i + 3] - middle)
            c += _square(values[i + 6] - middle)
            d += _square(values[i + 9] - middle)
            e += _square(values[i + 12] - middle)
            f += _square(values[i + 15] - middle)
            g += _square(values[i + 18] - middle)
            h += _square(values[i + 21] - middle)
    else:
        for i in range(0, whole, 24):
            a += values[i]
            b += values[i + 3]
            c += values[i + 6]
            d += values[i + 9]
            e += values[i + 12]
            f += values[i + 15]
            g += values[i + 18]
            h += values[i + 21]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, 3 * count, 3):
        total += _square(values[i] - middle) if squared else values[i]
    return total


@compat.jit(error_model="numpy")
def _stretch(values, own, wanted, bounds):
    """Give each channel another mean and deviation, float32 (2, 3) both, and clip it: in place, float32 (3 N,)."""
    lanes = np.empty((6, _LANES), np.float32)
    for i in range(_LANES):
        channel = i % 3
        lanes[0, i], lanes[1, i], lanes[2, i] = own[0, channel], wanted[1, channel], own[1, channel]
        lanes[3, i], lanes[4, i], lanes[5, i] = wanted[0, channel], bounds[0, channel], bounds[1, channel]
    mean, wanted_deviation, deviation, wanted_mean, low, high = (
        lanes[0], lanes[1], lanes[2], lanes[3], lanes[4], lanes[5])
    for first in range(0, len(values), _LANES):
        part = values[first:first + _LANES]
        for i in range(len(part)):
            value = (part[i] - mean[i]) * wanted_deviation[i] / deviation[i] + wanted_mean[i]
            value = low[i] if value <= low[i] else value    # what is not a number stays so
            part[i] = high[i] if value >= high[i] else value


def _lct(image, target):
    """A linear map between the principal axes of both."""
    target_mean = target.mean(0).mean(0)
    planes, root = _axes(image, image.mean(0).mean(0))
    target_root = _axes(target, target_mean)[1]
    matrix = target_root.dot(np.linalg.inv(root))
    result = _map(planes, matrix, target_mean, image.shape)
    if result is None:
        moved = matrix.dot(planes).T.reshape(image.shape) + target_mean
        result = np.clip(moved, 0, 1).astype(np.float32)
    return result


def _axes(picture, mean):
    """Return the differences from the mean, float32 (3, N), and a square root of their covariance, float64 (3, 3)."""
    planes = _centre(picture.reshape(-1, 3), mean)
    covariance = planes.dot(planes.T) / planes.shape[1] + _LINEAR_EPS * np.eye(3)
    values, vectors = np.linalg.eigh(covariance)
    return planes, vectors.dot(np.sqrt(np.diag(values))).dot(vectors.T)


@compat.jit()
def _centre(pixels, mean):
    """Return the differences of pixels (N, 3) from a mean as planes (3, N): float32 all."""
    planes = np.empty((3, len(pixels)), np.float32)
    for channel in range(3):
        middle, plane = mean[channel], planes[channel]
        for i in range(len(pixels)):
            plane[i] = pixels[i, channel] - middle
    return planes


def _map(planes, matrix, mean, shape):
    """Return clip(matrix planes + mean, 0, 1), float32 of a shape (H, W, 3), or None where only the BLAS can tell.

    planes: float32 (3, N). matrix: float64 (3, 3). mean: float32 (3,).
    """
    mapped = np.empty_like(planes)
    if _map_planes(planes, np.ascontiguousarray(matrix), mean.astype(np.float64), mapped, _DOUBT):
        return None
    return cv2.merge(list(mapped.reshape(3, shape[0], shape[1])))


@compat.jit()
def _map_planes(planes, matrix, mean, mapped, doubt):
    """Write clip(matrix planes + mean, 0, 1): float32 (3, N). Return how many values are in doubt.

    In doubt is what is rounded to another float32 when the float64 is a little less or more, `doubt` of the sum of
    the terms' sizes: a BLAS may add up in another order, and round a product and a sum once or twice.
    """
    doubtful = 0
    for channel in range(3):
        blue, green, red, wanted = matrix[channel, 0], matrix[channel, 1], matrix[channel, 2], mean[channel]
        row = mapped[channel]
        for i in range(planes.shape[1]):
            first, second = blue * np.float64(planes[0, i]), green * np.float64(planes[1, i])
            third = red * np.float64(planes[2, i])
            total = first + second + third + wanted
            margin = doubt * (abs(first) + abs(second) + abs(third) + abs(wanted))
            least, most = np.float32(total - margin), np.float32(total + margin)
            least = _ZERO if least <= _ZERO else least
            most = _ZERO if most <= _ZERO else most
            least = _ONE if least >= _ONE else least
            most = _ONE if most >= _ONE else most
            doubtful += least != most       # also where there is no number
            row[i] = least
    return doubtful


def _mkl(image, target):
    """The linear Monge-Kantorovitch map: Pitie and Kokaram 2007."""
    mean, covariance = _moments(image)
    target_mean, target_covariance = _moments(target)
    values, vectors = np.linalg.eig(covariance)
    deviations = np.diag(np.sqrt(values.clip(_EPS, None)))
    inverse = np.diag(1.0 / np.diag(deviations))
    inner = _product(deviations, vectors.T, target_covariance, vectors, deviations)
    inner_values, inner_vectors = np.linalg.eig(inner)
    inner_deviations = np.diag(np.sqrt(inner_values.clip(_EPS, None)))
    matrix = _product(vectors, inverse, inner_vectors, inner_deviations, inner_vectors.T, inverse, vectors.T)
    result = None
    if not np.iscomplexobj(matrix):         # rounding leaves the inner matrix unsymmetric
        result = _map(_centre(image.reshape(-1, 3), mean), matrix.T, target_mean, image.shape)
    if result is None:
        moved = np.dot(image.reshape(-1, 3) - mean, matrix) + target_mean
        result = np.clip(moved.real.reshape(image.shape).astype(np.float32), 0, 1)
    return result


def _product(*matrices):
    product = matrices[0]
    for matrix in matrices[1:]:
        product = np.dot(product, matrix)
    return product


def _moments(picture):
    """Return the mean of float32 sums, float32 (3,), and np.cov of the channels, float64 (3, 3)."""
    pixels = picture.reshape(-1, 3)
    centred = np.empty(pixels.shape)
    mean = _centre_exactly(pixels, centred)
    return mean, np.dot(centred.T, centred) * np.true_divide(1, len(pixels) - 1)


@compat.jit()
def _centre_exactly(pixels, centred):
    """Write the differences of pixels (N, 3) from their mean, float64. Return the mean of coarse sums, float32 (3,).

    Both means are of sums of one pixel after the other.
    """
    coarse, exact = np.zeros(3, np.float32), np.zeros(3)
    for i in range(len(pixels)):
        for channel in range(3):
            coarse[channel] += pixels[i, channel]
            exact[channel] += np.float64(pixels[i, channel])
    exact /= len(pixels)
    for i in range(len(pixels)):
        for channel in range(3):
            centred[i, channel] = np.float64(pixels[i, channel]) - exact[channel]
    return coarse / np.float32(len(pixels))


def shift_hsv(image, amount, random):
    """Return an image with hue, saturation and value shifted by up to half of an amount: float32 (H, W, 3) in 0..1.

    amount: of 1, and of the circle of hues; these shift by whole degrees, at least by -1, 0 or 1. random: a
    RandomState, of which one randint and two numbers 0..1 are taken.
    """
    degrees = max(1, int(360 * amount * 0.5))
    hue = random.randint(-degrees, degrees + 1)
    saturation = (random.random_sample() - 0.5) * amount
    value = (random.random_sample() - 0.5) * amount
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    _shift(hsv.reshape(-1, 3), np.float32(hue), np.float32(saturation), np.float32(value))
    result = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    _clip(result.reshape(-1))
    return result


@compat.jit()
def _shift(pixels, hue, saturation, value):
    for i in range(len(pixels)):
        angle = pixels[i, 0] + hue
        while angle >= _FULL_CIRCLE:        # differences that are exact, as those of fmod
            angle -= _FULL_CIRCLE
        while angle <= -_FULL_CIRCLE:
            angle += _FULL_CIRCLE
        pixels[i, 0] = angle + _FULL_CIRCLE if angle < 0 else angle
        pixels[i, 1] += saturation
        pixels[i, 2] += value
        for channel in range(1, 3):
            shifted = pixels[i, channel]
            pixels[i, channel] = _ZERO if shifted <= _ZERO else _ONE if shifted >= _ONE else shifted


@compat.jit()
def _clip(values):
    for i in range(len(values)):
        value = values[i]
        values[i] = _ZERO if value <= _ZERO else _ONE if value >= _ONE else value


MODES = collections.OrderedDict([
    ("lct", _lct), ("rct", _rct), ("mkl", _mkl), ("idt", colour_transport.idt), ("sot", colour_transport.sot)])
