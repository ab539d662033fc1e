"""The sort methods' measures and orders, one module a family.

metadata    pose, rectangle size, original name: from the head of the file alone
pixels      brightness, hue, black pixels (hue: the kernel for many faces)
sharpness   CPBD and motion blur (canny: the edges that CPBD asks for)
histogram   similarity chain of histograms
dissimilarity   sums of the distances of histograms
absdiff     chain by the sum of absolute differences
best        the choice behind "best faces"
faces       reads and measures every face of a folder, on all cores

Imports nothing by itself: cv2 and numba are loaded by the modules that need them.
"""
import collections

Ranking = collections.namedtuple('Ranking', 'ordered trashed')
Ranking.__doc__ = """An order of files.

ordered: list of (path, value), in their new order; trashed: list of (path, reason) of the
files that could not be ranked or were not chosen.
"""


class NotRankable(Exception):
    """A file that has to leave the order; the text says why, the file's name first."""


def by_value(measured, descending=True):
    """Sort (path, value) pairs by value; equal values keep the order of their file names."""
    return sorted(measured, key=lambda pair: pair[1], reverse=descending)
