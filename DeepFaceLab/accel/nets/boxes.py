"""From a picture to what the detector looks at, and from its answer to rectangles of faces.

Stock's arithmetic (facelib.S3FDExtractor), with its float32 and its float64 in the same places, over all candidates
at once instead of one after another.
"""
import cv2
import numpy as np

from ..compat import jit

_LONGEST = 640         # px that the detector sees of a picture's longer side, at most;
_SHORTEST = 64         # at least,
_HALVED_BELOW = 1280   # and half of the side where that is less
_STRIDES = (4, 8, 16, 32, 64, 128)
_CANDIDATE = 0.05      # score from which a place takes part
_FACE = 0.5            # score of a face
_OVERLAP = 0.3         # shared part of two boxes from which the weaker one is the same face
_SMALLEST = 40         # px; faces with a shorter side do not count
_CHIN = 0.1            # part of the height added below


def detector_input(image):
    """Return the picture that the detector gets and how much smaller it is (float).

    image: uint8 (H, W, 3). Returns uint8 (h, w, 3), bilinear.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    scale = longer / max(_SHORTEST, _LONGEST if longer >= _HALVED_BELOW else longer / 2)
    return cv2.resize(image, (int(width / scale), int(height / scale)), interpolation=cv2.INTER_LINEAR), scale


def rectangles(outputs, scale):
    """Return the faces that a detector's answer shows, the largest first.

    outputs: of one picture, as s3fd.S3FD.run gives them for a batch: [scores (h, w), places (h, w, 4)] of six strides.
    scale: of detector_input. Returns a list of [left, top, right, bottom], int, px of the picture; they may lie
    outside. Answers to S3FDExtractor.extract and refine.
    """
    faces = []
    for box in _boxes(outputs):
        left, top, right, bottom = [edge * scale for edge in box]
        height = bottom - top
        if min(right - left, height) >= _SMALLEST:
            faces.append([int(edge) for edge in (left, top, right, bottom + height * _CHIN)])
    # Ties keep the order of the scores: a stable sort, as stock's.
    return sorted(faces, key=_area, reverse=True)


def _area(face):
    left, top, right, bottom = face
    return (right - left) * (bottom - top)


def without_intersecting(faces):
    """Return the rectangles without those that touch the one before them in the list, from the last on.

    Answers to S3FDExtractor.extract with is_remove_intersects.
    """
    kept = list(faces)
    for index in range(len(kept) - 1, 0, -1):
        left, top, right, bottom = kept[index]
        left_before, top_before, right_before, bottom_before = kept[index - 1]
        if min(right, right_before) >= max(left, left_before) and min(bottom, bottom_before) >= max(top, top_before):
            kept.pop(index)
    return kept


def _boxes(outputs):
    """Boxes of faces, the surest first: list of [left, top, right, bottom], int, px of the detector's picture."""
    candidates = np.concatenate([_candidates(scores, places, stride) for scores, places, stride
                                 in zip(outputs[::2], outputs[1::2], _STRIDES)])
    if not len(candidates):
        return []
    # The order of equal scores is that of numpy's unstable sort, read backwards, as in stock.
    order = candidates[:, 4].argsort()[::-1]
    kept = candidates[_suppress(candidates, order, _OVERLAP)]
    return kept[kept[:, 4] >= _FACE, :4].astype(np.int64).tolist()


def _candidates(scores, places, stride):
    """Boxes of one stride: float64 (n, 5), left, top, right, bottom, score; line by line."""
    rows, columns = np.nonzero(scores > _CANDIDATE)
    found = np.empty((len(rows), 5))
    if len(rows):
        place = places[rows, columns]
        prior = stride * 4.0
        centre = np.stack([columns * float(stride) + stride / 2, rows * float(stride) + stride / 2], axis=1)
        centre += (place[:, :2] * np.float32(0.1)).astype(np.float64) * prior
        size = prior * np.exp(place[:, 2:] * np.float32(0.2)).astype(np.float64)
        found[:, :2] = centre - size / 2
        found[:, 2:4] = size + found[:, :2]
        found[:, 4] = scores[rows, columns]
    return found


def _suppress(boxes, order, overlap):
    """Indexes of the boxes that no better one covers, in order: int64 (n,).

    boxes: float64 (N, 5); order: int64 (N,), best first; overlap: the intersection's part of the union from which a
    box counts as covered. Greedy non-maximum suppression, sides counted with both end pixels.
    """
    return _suppress_serial(np.ascontiguousarray(boxes), order.astype(np.int64), overlap)


@jit()
def _suppress_serial(boxes, order, overlap):
    """Walk down the order; each kept box takes those that it covers out: covered = w h / (A + B - w h) > overlap."""
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    left_over = np.ones(len(order), np.bool_)
    kept = np.empty(len(order), np.int64)
    count = 0
    for rank in range(len(order)):
        if not left_over[rank]:
            continue
        best = order[rank]
        kept[count] = best
        count += 1
        for lower in range(rank + 1, len(order)):
            other = order[lower]
            width = max(0.0, min(boxes[best, 2], boxes[other, 2]) - max(boxes[best, 0], boxes[other, 0]) + 1)
            height = max(0.0, min(boxes[best, 3], boxes[other, 3]) - max(boxes[best, 1], boxes[other, 1]) + 1)
            shared = width * height
            if not shared / (areas[best] + areas[other] - shared) <= overlap:
                left_over[lower] = False
    return kept[:count]
