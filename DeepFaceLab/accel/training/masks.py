"""Masks of a training face in its own picture: the whole face, the eyes, the eyes and the mouth.

All are float32 (H, W, 1), 0..1, and equal to stock's to the bit for equal OpenCV.
"""
import cv2
import numpy as np

from .. import landmarks as geometry

_EYES = (slice(36, 42), slice(42, 48))
_MOUTH = (slice(60, 68),)


def whole_face(sample, shape):
    """The mask of the face: the segmentation that the sample has, else the hull of its landmarks.

    sample: stock's Sample. shape: (H, W, ...) of its picture; a segmentation of another size is scaled to that.
    Returns float32 (H, W, C), C above 1 only for a segmentation of that size with more channels. Raises ValueError
    for a hull unless there are 68 landmarks.
    """
    mask = sample.get_xseg_mask()
    if mask is None:
        hull = geometry.hull_mask(shape, sample.landmarks, sample.eyebrows_expand_mod)
        return hull[..., None].astype(np.float32)
    height, width = shape[:2]
    if mask.shape[:2] != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC)
        mask = mask[..., None] if mask.ndim == 2 else mask[..., :1]
    return clipped(mask)


def eyes(landmarks, shape):
    """Both eyes, widened by 1/32 of the height and blurred.

    landmarks: (68, 2) numbers, px. shape: (H, W, ...). Raises ValueError unless there are 68 landmarks, cv2.error for
    pictures less than 32 px high. Answers to `LandmarksProcessor.get_image_eye_mask`.
    """
    mask = np.zeros(shape[:2] + (1,), np.float32)
    first, last = _add_soft(mask[..., 0], landmarks, _EYES)
    mask[first:last] = clipped(mask[first:last])
    return mask


def eyes_and_mouth(landmarks, shape, face):
    """Both eyes and the opening of the mouth, as `eyes`, where the face's mask is not zero.

    face: float32 (H, W, C), see whole_face. Returns float32 of that shape.
    """
    soft = np.zeros(shape[:2], np.float32)
    reached = _add_soft(soft, landmarks, _EYES) + _add_soft(soft, landmarks, _MOUTH)
    first, last = min(reached), max(reached)
    mask = np.zeros(face.shape, np.float32)
    mask[first:last] = clipped(soft[first:last])[..., None] * (face[first:last] != 0)
    return mask


def clipped(values):
    """Return values of a picture or mask, held to 0..1, as a new array: np.clip's result, in a fifth of its time.

    values: float32 (H, W, C) or (H, W), none of them NaN.
    """
    if values.dtype != np.float32 or not values.flags.c_contiguous or not values.size:
        return np.clip(values, 0, 1)
    flat = cv2.threshold(values.reshape(len(values), -1), 0, 0, cv2.THRESH_TOZERO)[1]
    return cv2.threshold(flat, 1, 0, cv2.THRESH_TRUNC, flat)[1].reshape(values.shape)


def _add_soft(mask, landmarks, parts):
    """Add the hulls of some landmarks, widened and blurred, to a mask. Return the first row reached, and the last + 1.

    Only those rows are worked on, in their whole width, so that each pixel meets the same instructions as in a mask
    that is worked on as a whole: OpenCV's vectors and what is left of a line may round differently.
    """
    if len(landmarks) != 68:
        raise ValueError('a mask of eyes or mouth needs 68 landmarks, not {}'.format(len(landmarks)))
    points = np.asarray(landmarks).astype(np.int64).astype(np.int32)
    height = mask.shape[0]
    brush, blur = height // 32, height // 16
    blur += 1 - blur % 2
    drawn = np.zeros(mask.shape, np.uint8)
    for part in parts:
        cv2.fillConvexPoly(drawn, cv2.convexHull(points[part]), 1)
    brush_mask = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (brush, brush))
    rows = np.concatenate([points[part, 1] for part in parts])
    reach = brush + blur // 2 + 1
    first = min(max(0, int(rows.min()) - reach), height - 1)
    last = max(min(height, int(rows.max()) + reach + 1), first + 1)
    soft = cv2.dilate(drawn[first:last], brush_mask).astype(np.float32)
    mask[first:last] += cv2.GaussianBlur(soft, (blur, blur), 0)
    return first, last
