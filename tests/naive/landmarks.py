"""Oracles for pose, alignment matrix, hull mask and areas.

OpenCV's solver, hull and polygon filling are taken as given: stock's values are defined by them.
"""
import json
import math
from pathlib import Path

import cv2
import numpy as np

_MODEL = json.loads((Path(__file__).resolve().parent.parent / 'data' / 'face_model.json').read_text())

PADDING = {'half_face': 0.0, 'midfull_face': 0.0675, 'full_face': 0.2109375, 'full_face_no_align': 0.2109375,
           'whole_face': 0.40, 'head': 0.70, 'head_no_align': 0.70}


def estimate_pitch_yaw_roll(landmarks, size):
    """(pitch, yaw, roll), rad, of (68, 2) landmarks in a square image of `size` px."""
    used = [i for i in range(68) if i < 27 or 30 <= i < 36]
    model = np.array([_MODEL['head_3d'][i] for i in used], np.float32)
    image = np.array([landmarks[i] for i in used]).astype(np.float32)
    camera = np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]], np.float32)
    _, vector, _ = cv2.solvePnP(model, image, camera, np.zeros((4, 1)))
    r = cv2.Rodrigues(vector)[0]
    cosine = math.sqrt(r[0, 0] * r[0, 0] + r[1, 0] * r[1, 0])
    if cosine < 1e-6:
        angles = [math.atan2(-r[1, 2], r[1, 1]), math.atan2(-r[2, 0], cosine), 0.0]
    else:
        angles = [math.atan2(r[2, 1], r[2, 2]), math.atan2(-r[2, 0], cosine), math.atan2(r[1, 0], r[0, 0])]
    pitch, yaw, roll = [float(np.clip(angle, -math.pi / 2, math.pi / 2)) for angle in angles]
    return -pitch, yaw, roll


def raised_brows(landmarks, expand):
    """Landmarks as integers, the ten brow points moved away from the eyes by `expand` half distances."""
    points = [[int(x), int(y)] for x, y in landmarks]

    def middle(a, b):
        return [(a[0] + b[0]) // 2, (a[1] + b[1]) // 2]

    left_corner = middle(points[36], middle(points[36], points[0]))
    right_corner = middle(points[45], middle(points[16], points[45]))
    eyes = [left_corner, points[36], points[37], points[38], points[39],
            points[42], points[43], points[44], points[45], right_corner]
    raised = [list(point) for point in points]
    for k in range(10):
        for axis in (0, 1):
            brow = points[17 + k][axis]
            raised[17 + k][axis] = int(brow + expand * 0.5 * (brow - eyes[k][axis]))
    return raised


def hull_mask(shape, landmarks, eyebrows_expand_mod=1.0):
    """1 inside of the face, 0 outside: int list of rows, (h, w)."""
    p = raised_brows(landmarks, eyebrows_expand_mod)
    chin = [p[8]]
    parts = [p[0:9] + [p[17]], p[8:17] + [p[26]], p[17:20] + chin, p[24:27] + chin, p[19:25] + chin,
             p[17:22] + [p[27]] + p[31:36] + chin, p[22:27] + [p[27]] + p[31:36] + chin, p[27:36]]
    mask = np.zeros((shape[0], shape[1], 1), np.float32)
    for part in parts:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.array(part, np.int32)), (1,))
    return [[int(v) for v in row] for row in mask[..., 0]]


def similarity(points, targets):
    """Least-squares similarity by complex numbers: target = a * point + b, no mirroring. Returns (a, b)."""
    z = [complex(x, y) for x, y in points]
    t = [complex(x, y) for x, y in targets]
    z_mean, t_mean = sum(z) / len(z), sum(t) / len(t)
    a = (sum((tk - t_mean) * (zk - z_mean).conjugate() for zk, tk in zip(z, t)) /
         sum(abs(zk - z_mean) ** 2 for zk in z))
    return a, t_mean - a * z_mean


def alignment_matrix(landmarks, output_size, face_type, scale=1.0):
    """Image-to-face matrix, (2, 3) rows of float64, for landmarks that look like a face (not mirrored).

    In double precision throughout, so equal to stock's float32 corners only within about 1e-4 px.
    """
    a, b = similarity([landmarks[i] for i in range(17, 49)] + [landmarks[54]], _MODEL['mean_face_2d'])

    def to_image(u):
        return (u - b) / a

    corner = [to_image(u) for u in (0, 1, 1 + 1j, 1j)]
    centre = to_image(0.5 + 0.5j)
    down, right = corner[3] - corner[0], corner[1] - corner[0]
    if face_type == 'whole_face':
        centre -= 0.07 * down
    if face_type == 'head':
        x = [(a * complex(*point) + b).real for point in landmarks]
        left_part = (x[27] - x[0] + x[28] - x[1] + x[29] - x[2]) / 3
        right_part = (x[16] - x[27] + x[15] - x[28] + x[14] - x[29]) / 3
        yaw = right_part - left_part
        centre += right * yaw * abs(math.tanh(2 * yaw)) / 2 - 0.5 * down

    # half of the diagonal of the padded square; the padding counts from each side
    half_diagonal = abs(corner[2] - corner[0]) * (0.5 + PADDING[face_type] * math.sqrt(2)) / scale
    side = half_diagonal * math.sqrt(2)
    turn = 1 if face_type.endswith('no_align') else right / abs(right)
    if face_type.endswith('no_align'):
        side = 2 * (math.sqrt(side * side) / 2)
    left_top = centre - turn * (1 + 1j) * side / 2
    zoom = output_size / side / turn
    shift = -zoom * left_top
    return [[zoom.real, -zoom.imag, shift.real], [zoom.imag, zoom.real, shift.imag]]


def polygon_area(x, y):
    """Area by the shoelace formula, exact for integers."""
    twice = 0
    for k in range(len(x)):
        twice += x[k] * y[k - 1] - y[k] * x[k - 1]
    return abs(twice) / 2


def rect_area(source_rect):
    """Area of (l, t, r, b) as width times height, exact; stock's float32 agrees below 2**24."""
    left, top, right, bottom = [int(v) for v in source_rect]
    return float(abs((right - left) * (bottom - top)))
