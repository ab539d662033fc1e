"""The choice behind "best faces": varied in yaw and pitch, sharp, unlike each other.

Faces are put into 128 bins of yaw; of each bin the sharpest are kept, put into
bins of pitch, ordered by how unlike the others of their bin they are, and taken
in turn from all bins of pitch. Answers to stock's ``sort_best``.
"""
import collections
import math
import os

import numpy as np

from .. import host, landmarks
from ..pools import map_threads
from . import NotRankable, Ranking, dissimilarity, faces
from .metadata import pose_of
from .pixels import as_gray, channel_histogram

YAW_BINS = 128
YAW_LIMIT = 1.2        # radians: the largest yaw that the landmarks of 2DFAN give
SHARP_FACTOR = 10      # faces kept by sharpness for each face that is chosen

Face = collections.namedtuple('Face', 'path sharpness histogram yaw pitch')
Face.__doc__ = """What the choice needs of a face.

path; sharpness: float (CPBD, or px² of the source rectangle); histogram: float32 (256,)
of the grey image; yaw, pitch: radians, as stock stores them.
"""


def rank_best(paths, target_count, by_size=False):
    """Choose about ``target_count`` faces; the others are trashed.

    ``by_size``: sharpness is replaced by the size of the source rectangle, which
    needs no edges and is faster. Returns Ranking, the values are the positions.
    """
    if not by_size:
        # Loaded before the threads start: where numba is missing, one of two that import at once gets an error
        # that does not say so.
        from . import sharpness  # noqa: F401
    measured = faces.measure(paths, lambda path: measure_face(path, by_size))
    chosen, rejected = choose_best([face for _, face in measured.ranked], target_count)
    return Ranking([(face.path, place) for place, face in enumerate(chosen)],
                   measured.trashed + [(face.path, 'not among the best faces') for face in rejected])


def measure_face(path, by_size):
    """`Face` of an image file. Raises NotRankable and OSError."""
    metadata, image = faces.read_face(path)
    if image.ndim == 2:
        raise NotRankable('{} is grey: best faces are chosen among colour pictures'.format(os.path.basename(path)))
    gray = as_gray(image)
    points = faces.need(metadata, 'landmarks', path)
    if by_size:
        value = landmarks.rect_area(faces.need(metadata, 'source_rect', path))
    else:
        from . import sharpness  # here: it loads numba
        value = sharpness.cpbd_sharpness(sharpness.masked(gray, points))
    pitch, yaw, _ = pose_of(path, metadata)
    return Face(path, value, channel_histogram(gray, 0), yaw, pitch)


def choose_best(candidates, target_count):
    """Divide faces into chosen and rejected ones: (list of Face, list of Face).

    A target of 64 or less rounds to no face per bin of yaw, for which stock trashes
    every file; then as few per bin as give the target are chosen, and of
    those as many as were asked for, evenly spread.
    """
    per_bin = round(target_count / YAW_BINS)
    if per_bin > 0 or not candidates or target_count <= 0:
        return _choose(candidates, per_bin)
    per_bin = 1
    chosen, rejected = _choose(candidates, per_bin)
    while len(chosen) < target_count and len(chosen) < len(candidates):
        per_bin += 1
        chosen, rejected = _choose(candidates, per_bin)
    if len(chosen) > target_count:
        kept = {i * len(chosen) // target_count for i in range(target_count)}
        rejected = rejected + [face for i, face in enumerate(chosen) if i not in kept]
        chosen = [face for i, face in enumerate(chosen) if i in kept]
    return chosen, rejected


def _choose(candidates, per_bin):
    """Stock's choice of ``per_bin`` faces for each bin of yaw, and more where other bins lack some."""
    yaw_bins = _into_bins(candidates, [-face.yaw for face in candidates],
                          np.linspace(-YAW_LIMIT, YAW_LIMIT, YAW_BINS))
    lack = sum(max(per_bin - len(members), 0) for members in yaw_bins)
    per_bin += lack // YAW_BINS

    rejected = []
    grids = []
    for members in yaw_bins:
        members = sorted(members, key=lambda face: face.sharpness, reverse=True)
        rejected += members[per_bin * SHARP_FACTOR:]
        members = members[:per_bin * SHARP_FACTOR]
        edges = np.linspace(-math.pi / 2, math.pi / 2, per_bin)
        grids.append(_into_bins(members, [face.pitch for face in members], edges))

    crowded = [(grid, i) for grid in grids for i, members in enumerate(grid) if len(members) > 1]
    exact = dissimilarity.choose_exact(sum(len(grid[i]) ** 2 for grid, i in crowded))
    with host.progress(total=len(crowded), desc='Sort by hist-dissim') as bar:
        for outcome in map_threads(lambda place: _unlike_first(place[0][place[1]], exact), crowded):
            if outcome.error is not None:
                raise outcome.error
            grid, i = outcome.item
            grid[i] = outcome.value
            bar.update(1)

    chosen = []
    for grid in grids:
        taken = list(_in_turns(grid))
        chosen += taken[:per_bin]
        left = {face.path for face in taken[per_bin:]}
        rejected += [face for members in grid for face in members if face.path in left]
    return chosen, rejected


def _into_bins(members, values, edges):
    """Lists of members by value: bin i holds edges[i] <= value < edges[i + 1].

    The first bin also takes all below it, the last one all from its edge on.
    """
    bins = [[] for _ in edges]
    if bins:
        places = np.searchsorted(edges, values, side='right') - 1
        for member, place in zip(members, places):
            bins[max(place, 0)].append(member)
    return bins


def _unlike_first(members, exact):
    """Members by the sum of their histograms' distances to the others, largest first."""
    histograms = np.stack([face.histogram for face in members])
    totals = exact(histograms, np.arange(len(members)))
    order = sorted(range(len(members)), key=lambda i: totals[i], reverse=True)
    return [members[i] for i in order]


def _in_turns(grid):
    """All members: the first of every list, then the second of every list, and so on."""
    for depth in range(max([len(members) for members in grid] or [0])):
        for members in grid:
            if depth < len(members):
                yield members[depth]
