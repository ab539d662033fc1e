"""Each channel's histogram made that of the target.

`match` answers to stock's core.imagelib.color_hist_match, `match_masked` to what merger.MergeMasked does in mode
hist-match. np.unique sorts a channel and looks every pixel up again; here it is sorted once, by radix. Results are
bit-equal to stock's.
"""
import numpy as np

from .. import compat
from . import float_order

_INDEX, _KEY = np.uint64(0xffffffff), np.uint64(32)     # of a pair: a mask, and a shift
_ONE = np.float32(1)
_ALL = 255.0                # the threshold at which all of the target's histogram is used


def match(face, target, threshold):
    """Return the face with the target's histograms: float32 (H, W, 3), values of the target or between two of them.

    face, target: float32 (H, W, 3) BGR, any range. threshold: 0..255; below 255 the brightest part of the target's
    histogram is left out.
    """
    return _match(np.ascontiguousarray(face, np.float32), np.ascontiguousarray(target, np.float32), float(threshold))


def match_masked(face, target, mask, threshold):
    """The same with white outside of a mask, in both: float32 (H, W, 1), 0 or 1. Values of the face above 1 are 1."""
    mask = np.ascontiguousarray(mask, np.float32).reshape(face.shape[:2])
    return _match(_on_white(np.ascontiguousarray(face, np.float32), mask, True),
                  _on_white(np.ascontiguousarray(target, np.float32), mask, False), float(threshold))


@compat.jit()
def _on_white(picture, mask, clip):
    result = np.empty(picture.shape, np.float32)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            white = _ONE - mask[y, x]
            for channel in range(3):
                value = picture[y, x, channel] * mask[y, x] + white
                result[y, x, channel] = min(value, _ONE) if clip else value
    return result


@compat.jit()
def _match(face, target, threshold):
    count, target_count = face.shape[0] * face.shape[1], target.shape[0] * target.shape[1]
    most = max(count, target_count)
    result = np.empty(face.shape, np.float32)
    values = np.empty(most, np.float32)
    keys, spare_keys = np.empty(most, np.uint32), np.empty(most, np.uint32)
    pairs, spare_pairs = np.empty(count, np.uint64), np.empty(count, np.uint64)
    begins = np.empty((float_order.DIGITS, float_order.BUCKETS), np.int64)
    goals, goal_ends = np.empty(target_count, np.float32), np.empty(target_count, np.int64)
    for channel in range(3):
        _take(target, channel, values)
        float_order.to_keys(values[:target_count], keys[:target_count])
        float_order.sort_values(keys[:target_count], spare_keys[:target_count], begins, values[:target_count])
        different = _unique(values[:target_count], goals, goal_ends)
        _take(face, channel, values)
        float_order.to_keys(values[:count], keys[:count])
        float_order.stable_sort(keys[:count], spare_pairs, begins, pairs)
        _follow(pairs, goals[:different], goal_ends[:different], threshold, result.reshape(-1, 3)[:, channel])
    return result


@compat.jit()
def _take(picture, channel, values):
    place = 0
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            values[place] = picture[y, x, channel]
            place += 1


@compat.jit()
def _unique(values, different, ends):
    """Write the different ones of sorted values, and how many values there are up to each. Return their count."""
    count = 0
    for i in range(len(values)):
        if i + 1 == len(values) or values[i + 1] != values[i]:
            different[count] = values[i]
            ends[count] = i + 1
            count += 1
    return count


@compat.jit()
def _follow(pairs, goals, ends, threshold, result):
    """Give each value of the face that of the target with the same share of pixels up to it, between two linearly."""
    count, all_goals = len(pairs), ends[-1]
    place, first = -1, 0
    while first < count:
        key = pairs[first] >> _KEY
        last = first
        while last + 1 < count and pairs[last + 1] >> _KEY == key:
            last += 1
        share = threshold * (last + 1) / count
        while place + 1 < len(goals) and _ALL * ends[place + 1] / all_goals <= share:
            place += 1
        if place < 0:
            value = np.float64(goals[0])
        elif place == len(goals) - 1 or _ALL * ends[place] / all_goals == share:
            value = np.float64(goals[place])
        else:
            begin, end = _ALL * ends[place] / all_goals, _ALL * ends[place + 1] / all_goals
            rise = (np.float64(goals[place + 1]) - np.float64(goals[place])) / (end - begin)
            value = rise * (share - begin) + np.float64(goals[place])
        for i in range(first, last + 1):
            result[pairs[i] & _INDEX] = value
        first = last + 1
