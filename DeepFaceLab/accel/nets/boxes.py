"""From a picture to what the detector looks at, and from its answer to rectangles of faces.

Stock's arithmetic (facelib.S3FDExtractor), with its float32 and its float64 in the same places, over all candidates
at once instead of one after another.
"""
import cv2
import numpy as np

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
    # What is no face comes after all faces and takes none of them out.
    order = order[candidates[order, 4] >= _FACE]
    return candidates[_suppress(candidates, order, _OVERLAP), :4].astype(np.int64).tolist()


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
    """Indexes of the boxes that no better one covers, in order (list of int).

    boxes: float64 (N, 5); order: int (N,), best first; overlap: the intersection's part of the union from which a box
    counts as covered. Greedy non-maximum suppression, sides counted with both end pixels; a few dozen boxes at most
    stay, so that it takes a millisecond without compiled code.
    """
    low, high = boxes[:, :2], boxes[:, 2:4]
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    kept = []
    while len(order):
        best, others = order[0], order[1:]
        kept.append(best)
        sides = np.maximum(0.0, np.minimum(high[best], high[others]) - np.maximum(low[best], low[others]) + 1)
        shared = sides[:, 0] * sides[:, 1]
        order = others[shared / (areas[best] + areas[others] - shared) <= overlap]
    return kept
