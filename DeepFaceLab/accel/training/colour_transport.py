"""The transfers of colours that sort and count along random directions, equal to stock's to the last bit.

idt: Pitie, Kokaram and Dahyot 2005, "N-dimensional probability density function transfer". sot: Rabin et al. 2011,
sliced transport. Both draw their directions from numpy's global state. The steps along one direction are those of
accel.merge.transport; rotations and norms come from the BLAS, whose last bits hang on the processor, as in stock.
"""
import cv2
import numpy as np

from .. import compat
from ..merge import transport

_SOT_STEPS, _SOT_BATCH = 10, 5
_SIGMA_SPACE, _SIGMA_VALUE = 16.0, 5.0      # of sot's smoothing: px, and of the picture's values
_RELAXATION = np.float32(1 / transport.ROTATIONS)
_DOUBT = 2.0 ** -47                         # of a solution in float64, by whichever method: 64 roundings (up to 6 seen)
_NOT_FINITE = np.uint32(0x7f800000)         # the exponent of such a float32


def check_finite(image, target):
    """Raise ValueError for pictures, float32 (H, W, 3), with values that are infinite or not numbers."""
    if _largest_exponent(image.reshape(-1).view(np.uint32)) >= _NOT_FINITE or (
            _largest_exponent(target.reshape(-1).view(np.uint32)) >= _NOT_FINITE):
        raise ValueError("the colours of a picture are not finite")


@compat.jit()
def _largest_exponent(bits):
    largest = np.uint32(0)
    for i in range(len(bits)):
        largest = max(largest, bits[i] & _NOT_FINITE)
    return largest


def idt(image, target):
    """Return an image with the histograms of a target along 20 random axes: float32 (H, W, 3) in 0..1.

    image, target: float32 (H, W, 3). Answers to stock's color_transfer_idt. Raises ValueError for values that are
    not finite.
    """
    check_finite(image, target)
    pixels, goals = image.reshape(-1, 3).T, target.reshape(-1, 3).T
    rotations = transport.random_rotations(transport.ROTATIONS, np.random)
    moves, moved = np.empty(pixels.shape, np.float32), np.empty(pixels.shape, np.float32)
    for rotation in rotations:
        _match_histograms(np.dot(rotation, pixels), np.dot(rotation, goals), moves)
        inverse = np.linalg.inv(rotation.astype(np.float64))
        if _turn_back(moves, inverse, np.ascontiguousarray(pixels), moved, _DOUBT):
            moved = _RELAXATION * np.linalg.solve(rotation, moves) + pixels
        pixels, moved = moved, np.empty_like(moved)
    return np.clip(pixels.T.reshape(image.shape), 0, 1)


@compat.jit()
def _match_histograms(turned, goals, moves):
    """Write how far pixels move along each axis: float32 (3, N). turned: float32 (3, N). goals: float32 (3, M)."""
    bins, no_bins = np.empty(turned.shape[1], np.int32), np.empty(goals.shape[1], np.int32)
    edges = np.empty(transport.BINS + 1, np.float32)
    values, slopes = np.empty(transport.BINS), np.empty(transport.BINS)
    for axis in range(3):
        low, high = transport.value_range(turned[axis], goals[axis])
        low, scale = transport.make_edges(low, high, edges)
        shares = transport.cumulative_shares(turned[axis], low, scale, edges, 1, bins)
        goal_shares = transport.cumulative_shares(goals[axis], low, scale, edges, 1, no_bins)
        transport.invert_shares(shares, goal_shares, edges, values, slopes)
        transport.move_along(turned[axis], bins, edges, values, slopes, moves[axis])


@compat.jit()
def _turn_back(moves, inverse, pixels, moved, doubt):
    """Write pixels + inverse moves / 20: float32 (3, N). Return how many products are in doubt.

    In doubt is what is rounded to another float32 when the float64 is a little less or more, `doubt` of the sum of
    the moves' sizes: then the linear system has to be solved as in stock.
    """
    doubtful = 0
    for channel in range(3):
        for i in range(moves.shape[1]):
            first, second, third = np.float64(moves[0, i]), np.float64(moves[1, i]), np.float64(moves[2, i])
            total = inverse[channel, 0] * first + inverse[channel, 1] * second + inverse[channel, 2] * third
            margin = doubt * (abs(first) + abs(second) + abs(third))
            least = np.float32(total - margin)
            doubtful += least != np.float32(total + margin)
            moved[channel, i] = pixels[channel, i] + _RELAXATION * least
    return doubtful


def sot(image, target):
    """Return an image whose pixels went where those of a target lie, in rank, along 50 random directions.

    image, target: float32 (H, W, 3). Returns float32 (H, W, 3) in 0..1. Answers to stock's color_transfer_sot. Raises
    ValueError when the sizes differ and for values that are not finite.
    """
    if image.shape != target.shape:
        raise ValueError("src and trg shapes must be equal")
    check_finite(image, target)     # OpenCV would look beyond its tables
    directions = np.random.normal(size=(_SOT_STEPS, _SOT_BATCH, 3)).astype(np.float32)
    for direction in directions.reshape(-1, 3):
        direction /= np.linalg.norm(direction)
    planes = [np.ascontiguousarray(picture.reshape(-1, 3).T) for picture in (image, target)]
    difference = transport.slide(planes[0], planes[1], directions, transport.AS_NUMPY) - planes[0]
    difference = np.ascontiguousarray(difference.T).reshape(image.shape)
    return np.clip(image + cv2.bilateralFilter(difference, 0, _SIGMA_VALUE, _SIGMA_SPACE), 0.0, 1.0)
