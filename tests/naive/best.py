"""Oracle for the selection of "best faces": from a grid of yaw and pitch, the sharpest and most different."""
import math

import numpy as np

from .histogram import dissimilarity_order

YAW_BINS = 128


def select(faces, target):
    """Choose about `target` faces.

    faces: list of dicts with `sharpness` (or area), `hist` (256 counts), `yaw` and `pitch` (rad), in name
    order; target: 1 or more.
    Returns (chosen, trashed): indexes into faces. As in stock, but for a target so small that stock would
    choose nobody (64 and less): then as many as were asked for, spread evenly over the smallest selection
    that has them.
    """
    bins = yaw_bins(faces)
    per_bin = round(target / YAW_BINS)  # halves to the even number: 64 / 128 is 0
    if per_bin >= 1:
        return pick(faces, bins, per_bin)
    chosen, trashed = [], []
    while len(chosen) < min(target, len(faces)):
        per_bin += 1
        chosen, trashed = pick(faces, bins, per_bin)
    wanted = min(target, len(chosen))
    kept = [chosen[i * len(chosen) // wanted] for i in range(wanted)]
    return kept, trashed + [i for i in chosen if i not in kept]


def yaw_bins(faces):
    """Face indexes in each of 128 bins of -yaw from -1.2 to 1.2 rad; the outermost bins take all beyond."""
    edges = np.linspace(-1.2, 1.2, YAW_BINS)
    bins = []
    for k in range(YAW_BINS):
        low = -math.inf if k == 0 else edges[k]
        high = math.inf if k == YAW_BINS - 1 else edges[k + 1]
        bins.append([i for i, face in enumerate(faces) if low <= -face['yaw'] < high])
    return bins


def pick(faces, bins, per_bin):
    """(chosen, trashed) when each yaw bin may give `per_bin` faces, and more where others have too few."""
    lack = sum(max(per_bin - len(members), 0) for members in bins)
    per_bin += lack // YAW_BINS
    chosen, trashed = [], []
    sharpest = []
    for members in bins:
        members = sorted(members, key=lambda i: faces[i]['sharpness'], reverse=True)
        sharpest.append(members[:per_bin * 10])
        trashed += members[per_bin * 10:]
    for members in sharpest:
        cells = []
        for cell in pitch_cells(faces, members, per_bin):
            order = dissimilarity_order([faces[i]['hist'] for i in cell])
            cells.append([cell[k] for k in order])
        # one from each pitch cell in turn, until the bin has given its share
        wanted = min(per_bin, len(members))
        while wanted > 0:
            for cell in cells:
                if cell and wanted > 0:
                    chosen.append(cell.pop(0))
                    wanted -= 1
        for cell in cells:
            trashed += cell
    return chosen, trashed


def pitch_cells(faces, members, count):
    """The members in `count` cells of pitch from -pi/2 to pi/2.

    The last of several cells holds only what is at pi/2, as in stock; a single cell holds all.
    """
    edges = np.linspace(-math.pi / 2, math.pi / 2, count)
    cells = []
    for k in range(count):
        low = -math.inf if k == 0 else edges[k]
        high = edges[k + 1] if k < count - 1 else math.inf
        cells.append([i for i in members if low <= faces[i]['pitch'] < high])
    return cells
