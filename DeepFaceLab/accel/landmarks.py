"""Geometry of 68-point faces: pose, alignment matrix, hull mask, areas.

Every function answers to one of stock's `facelib.LandmarksProcessor` or `core.mathlib` and keeps its
arithmetic, float32 where stock's (under numpy 1.19) is float32: results are bit-equal to stock's for equal
numpy and OpenCV. Another version changes them as it changes stock's own: the `solvePnP` of OpenCV 5 moves
angles by up to 5e-5 rad on ordinary faces, another BLAS moves `*_no_align` matrices by up to 3e-5 px (a
float32 dot product).

Safe to call from many threads: the module keeps constants only. Imports cv2 and numpy.
"""
import functools
import math

import cv2
import numpy as np

from . import landmark_tables as tables

_HALF_PI = math.pi / 2.0

_POSE_INDEXES = np.array(tables.POSE_INDEXES)
_POSE_MODEL = np.array(tables.POSE_MODEL, np.float32)
_NO_DISTORTION = np.zeros((4, 1))

_ALIGN_INDEXES = np.array(tables.ALIGN_INDEXES)
_ALIGN_MODEL = np.array(tables.ALIGN_MODEL, np.float32)
_ALIGN_MEAN = _ALIGN_MODEL.mean(axis=0)
_ALIGN_CENTRED_T = (_ALIGN_MODEL - _ALIGN_MEAN).T
# corners of the unit square (left top, right top, right bottom, left bottom) and its centre, as
# cv2.transform takes them
_UNIT_SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.5)], np.float32)[:, None, :]

_HULL_PARTS = [np.array(part) for part in tables.HULL_PARTS]


def estimate_pitch_yaw_roll(landmarks, size=256):
    """Pose of an aligned face from 68 landmarks by a perspective-n-point fit to a 3-D head.

    landmarks: (68, 2) numbers, px of the aligned image. size: the image's side, px (stock passes its width).
    Returns (pitch, yaw, roll), float radians in -pi/2..pi/2.
    Raises cv2.error where the solver cannot work (values that are not numbers), as stock's does.
    Answers to `LandmarksProcessor.estimate_pitch_yaw_roll`.
    """
    points = np.asarray(landmarks)[_POSE_INDEXES].astype(np.float32)
    rotation = cv2.Rodrigues(cv2.solvePnP(_POSE_MODEL, points, _camera_matrix(size), _NO_DISTORTION)[1])[0]
    r00, r10 = rotation[:2, 0]  # numpy scalars: the sum is done in the solver's own float32, as in stock
    cos_yaw = math.sqrt(r00 * r00 + r10 * r10)
    _, (_, r11, r12), (r20, r21, r22) = rotation.tolist()
    yaw = math.atan2(-r20, cos_yaw)
    if cos_yaw < 1e-6:  # looking straight aside: pitch and roll are one turn, all of it counted as pitch
        pitch, roll = math.atan2(-r12, r11), 0.0
    else:
        pitch, roll = math.atan2(r21, r22), math.atan2(r10, r00)
    return -_clip_to_quarter_turn(pitch), _clip_to_quarter_turn(yaw), _clip_to_quarter_turn(roll)


@functools.lru_cache(maxsize=64)
def _camera_matrix(size):
    """Pinhole camera, float32 (3, 3): focal length of one image side, axis through the middle."""
    return np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]], np.float32)


def _clip_to_quarter_turn(angle):
    if angle > _HALF_PI:
        return _HALF_PI
    if angle < -_HALF_PI:
        return -_HALF_PI
    return angle


def hull_mask(shape, landmarks, eyebrows_expand_mod=1.0, origin=(0, 0)):
    """Mask of the face's hull: union of eight convex parts over 68 landmarks, brows raised.

    shape: (h, w) or (h, w, channels), px.
    landmarks: (68, 2) numbers, px, may lie outside; fractions are cut off.
    eyebrows_expand_mod: how far the brows are raised, in half distances from the eye.
    origin: (x, y) of the mask's first pixel, whole px: a part of the image can be asked for.
    Returns uint8 (h, w), 1 inside, 0 outside. Raises ValueError unless there are 68 landmarks.
    Answers to `LandmarksProcessor.get_image_hull_mask`, whose mask is float32 (h, w, 1) of the same values.
    """
    points = _raise_brows(landmarks, eyebrows_expand_mod).astype(np.int32) - np.array(origin, np.int32)
    mask = np.zeros(shape[:2], np.uint8)
    for part in _HULL_PARTS:
        cv2.fillConvexPoly(mask, cv2.convexHull(points[part]), 1)
    return mask


def hull_box(landmarks, eyebrows_expand_mod=1.0):
    """Lowest and highest coordinates of what hull_mask draws: two int64 (2,), x and y, px. Arguments as there."""
    points = _raise_brows(landmarks, eyebrows_expand_mod)
    return points.min(axis=0), points.max(axis=0)


def _raise_brows(landmarks, eyebrows_expand_mod):
    """Landmarks, int64 (68, 2), with the brows moved away from the eyes; each step rounds to zero or down."""
    points = np.asarray(landmarks).astype(np.int64)
    if points.shape[0] != 68:
        raise ValueError(f'a hull needs 68 landmarks, not {points.shape[0]}')
    # a quarter of the way from the eyes' outer corners to the jaw's ends
    left_quarter = (points[36] + (points[36] + points[0]) // 2) // 2
    right_quarter = (points[45] + (points[16] + points[45]) // 2) // 2
    eyes = np.empty((10, 2), np.int64)
    eyes[0] = left_quarter
    eyes[1:5] = points[36:40]
    eyes[5:9] = points[42:46]
    eyes[9] = right_quarter
    brows = points[17:27]
    points[17:27] = brows + eyebrows_expand_mod * 0.5 * (brows - eyes)
    return points


def alignment_matrix(landmarks, output_size, face_type, scale=1.0):
    """Affine matrix from image to aligned face, fitted to 33 of the 68 landmarks.

    landmarks: (68, 2) numbers, px of the image; the fit is done in their dtype.
    output_size: side of the face, px.
    face_type: a name or number of `landmark_tables.FACE_TYPES` (any case; stock's enum is a number).
    scale: above 1 shows less around the face.
    Returns float64 (2, 3), to be used as cv2.warpAffine's matrix; NaN where all landmarks are one point.
    Raises ValueError for a face type without an alignment; numpy.linalg.LinAlgError or cv2.error may come of
    landmarks that are not finite.
    Answers to `LandmarksProcessor.get_transform_mat`.
    """
    name = _face_type_name(face_type)
    padding, upright = tables.FACE_TYPES[name]
    landmarks = np.asarray(landmarks)
    to_unit = fit_similarity(landmarks)
    square = cv2.transform(_UNIT_SQUARE, cv2.invertAffineTransform(to_unit))[:, 0]
    left_top, right_top, right_bottom, left_bottom, centre = square

    down, _ = _direction(right_bottom - left_top)
    up, _ = _direction(right_top - left_bottom)
    diagonal = _length(left_top - right_bottom)
    # stock multiplies in float64, then numpy 1.19 brings the factor down to the arrays' float32
    reach = np.float32((1.0 / scale) * (float(diagonal) * (padding * math.sqrt(2.0) + 0.5)))
    centre = _shifted_centre(name, centre, square, landmarks, to_unit)

    corners = np.array([centre - down * reach, centre + up * reach, centre + down * reach])
    if upright:
        area = polygon_area(*np.vstack([corners, centre - up * reach]).T)
        half = np.float32(math.sqrt(area) / 2)
        corners = centre + np.array([(-half, -half), (half, -half), (half, half)])
    target = np.array([(0, 0), (output_size, 0), (output_size, output_size)], np.float32)
    return cv2.getAffineTransform(corners, target)


def _face_type_name(face_type):
    name = face_type.lower() if isinstance(face_type, str) else tables.FACE_TYPE_NUMBERS.get(face_type)
    if name not in tables.FACE_TYPES:
        raise ValueError(f'{face_type!r} is not a face type with an alignment')
    return name


def _shifted_centre(name, centre, square, landmarks, to_unit):
    """Centre of the face, float32 (2,), px: raised for whole_face and head, moved with the yaw for head."""
    left_top, right_top, _, left_bottom, _ = square
    upward, height = _direction(left_top - left_bottom)
    if name == 'whole_face':  # 7 % more forehead
        return centre + upward * height * np.float32(0.07)
    if name == 'head':
        yaw = averaged_yaw(cv2.transform(landmarks[:, None], to_unit)[:, 0])
        yaw *= abs(math.tanh(yaw * 2))  # almost no shift for frontal faces
        leftward, width = _direction(left_top - right_top)
        centre = centre - leftward * np.float32(yaw * float(width) / 2.0)
        return centre + upward * height * np.float32(0.50)
    return centre


def _length(vector):
    return np.sqrt(np.dot(vector, vector))


def _direction(vector):
    """Unit vector and length, both float32."""
    length = _length(vector)
    return vector / length, length


def averaged_yaw(landmarks):
    """Yaw as the difference of the nose bridge's mean distances from the two jaw ends.

    landmarks: (68, 2) numbers. Returns a float in their unit, positive when the left part is narrower.
    Answers to `LandmarksProcessor.estimate_averaged_yaw`.
    """
    x = np.asarray(landmarks)[:, 0]
    left = float((x[27] - x[0]) + (x[28] - x[1]) + (x[29] - x[2])) / 3.0
    right = float((x[16] - x[27]) + (x[15] - x[28]) + (x[14] - x[29])) / 3.0
    return right - left


def fit_similarity(landmarks):
    """Least-squares similarity (rotation, one scale, shift) from 68 landmarks to the mean face.

    landmarks: float (68, 2), px.
    Returns float64 (2, 3), px to the unit square; NaN where they are all one point.
    Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns",
    doi 10.1109/34.88573, equations 38 to 43. Answers to `core.mathlib.umeyama` with scale.
    """
    points = landmarks[_ALIGN_INDEXES]
    mean = points.mean(axis=0)
    centred = points - mean
    covariance = np.dot(_ALIGN_CENTRED_T, centred) / len(points)
    u, s, v = np.linalg.svd(covariance)
    rank = np.count_nonzero(s > s.max() * 2 * np.finfo(s.dtype).eps)
    if rank == 0:
        return np.full((2, 3), np.nan)

    signs = np.array([1.0, -1.0 if np.linalg.det(covariance) < 0 else 1.0])
    if rank == 2:
        rotation = np.dot(u, np.dot(np.diag(signs), v))
    elif np.linalg.det(u) * np.linalg.det(v) > 0:  # all on one line: keep the turn that does not mirror
        rotation = np.dot(u, v).astype(np.float64)
    else:
        rotation = np.dot(u, np.dot(np.diag([1.0, -1.0]), v))
    scale = 1.0 / centred.var(axis=0).sum() * np.dot(s, signs)
    matrix = np.empty((2, 3))
    matrix[:, 2] = _ALIGN_MEAN - scale * np.dot(rotation, mean)
    matrix[:, :2] = rotation * scale
    return matrix


def polygon_area(x, y):
    """Area of a polygon by the shoelace formula.

    x, y: (n,) arrays of one dtype, px, corners in order. Returns a float, px², never negative; the sums are
    done in the arrays' dtype. Answers to `core.mathlib.polygon_area`.
    """
    return 0.5 * float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def rect_area(source_rect):
    """Area of a face's rectangle in its source frame.

    source_rect: (left, top, right, bottom), numbers, px, sequence or array. Returns a float, px², in stock's
    float32 arithmetic, so that large frames tie as in stock.
    Answers to the value of `Sorter.sort_by_face_source_rect_size`.
    """
    left, top, right, bottom = source_rect
    # the two products of the shoelace formula, each corner beside its neighbour
    x, y_before, y, x_before = np.array([(left, right, right, left), (bottom, top, top, bottom),
                                         (top, top, bottom, bottom), (left, left, right, right)], np.float32)
    return 0.5 * float(abs(np.dot(x, y_before) - np.dot(y, x_before)))
