"""The debug image: a frame with the rectangle, the landmarks and the square of each of its faces drawn in.

Answers to stock's `LandmarksProcessor.draw_rect_landmarks`, pixel by pixel for equal OpenCV. Safe to call from many
threads for different images.
"""
import cv2
import numpy as np

from .. import landmarks as geometry
from . import cut

JPEG_QUALITY = 50

_JAW, _RIGHT_BROW, _LEFT_BROW, _NOSE = range(0, 17), range(17, 22), range(22, 27), range(27, 36)
_RIGHT_EYE, _LEFT_EYE, _MOUTH = range(36, 42), range(42, 48), range(48, 68)
# Landmark numbers of each stroke. Strokes are blended at their edges, so their order shows.
_OPEN = [np.array(part) for part in (_RIGHT_BROW, _JAW, _LEFT_BROW, list(_NOSE) + [30])]
_CLOSED = [np.array(part) for part in (_RIGHT_EYE, _LEFT_EYE, _MOUTH)]
_SMALL_DOTS = np.concatenate([_RIGHT_BROW, _LEFT_BROW, _MOUTH, _RIGHT_EYE, _LEFT_EYE, _NOSE])
_LARGE_DOTS = np.array(_JAW)

_RECT_COLOUR, _SQUARE_COLOUR = (255, 0, 0), (0, 0, 255)


def draw_faces(image, faces, settings):
    """Draw all faces of a frame into it, as its debug image has them: their hulls darkened; nothing for mark_only.

    image: uint8 (H, W, 3) BGR in one piece, drawn on in place. faces: list of cut.Face; settings: cut.FaceSettings.
    """
    if settings.face_type != cut.MARK_ONLY:
        for face in faces:
            draw_face(image, face.rect, face.source_landmarks, settings.face_type, settings.image_size,
                      darken_hull=True, matrix=face.matrix)


def draw_face(image, rect, landmarks, face_type, image_size, colour=(0, 255, 0), darken_hull=False, matrix=None):
    """Draw one face: its landmarks, its rectangle, and the square that is cut out, with a mark at the top left corner.

    image: uint8 (H, W, 3) BGR in one piece, drawn on in place. rect: four numbers, px. landmarks: (68, 2) numbers, px,
    array or list; they may lie anywhere. face_type: a number of cut.FACE_TYPES; mark_only has no square, and no
    square is drawn for landmarks that are all one point. image_size: side of the face's picture, px.
    colour: of the landmarks, BGR. darken_hull: halve the brightness inside of the face (landmarks too, as in stock).
    matrix: float64 (2, 3), frame to picture, if it is known already.
    Raises ValueError unless the landmarks are 68 points; nothing has been drawn then.
    """
    landmarks = cut.as_points(landmarks)
    if matrix is None and face_type != cut.MARK_ONLY:
        matrix = cut.face_matrix(landmarks, image_size, face_type)
    points = landmarks.astype(np.int32)
    _draw_landmarks(image, points, colour)
    if darken_hull:
        _darken_hull(image, points)
    left, top, right, bottom = (int(side) for side in rect)
    _draw_polygon(image, [(left, top), (right, top), (right, bottom), (left, bottom)], _RECT_COLOUR)
    if matrix is not None:
        _draw_polygon(image, cut.square_in_frame(matrix, image_size).tolist(), _SQUARE_COLOUR)
        near, far = int(image_size * 0.05), int(image_size * 0.1)
        mark = cut.transform_back([(near, 0), (far, far), (0, far)], matrix)
        _draw_polygon(image, mark.tolist(), _SQUARE_COLOUR)


def encode(image):
    """Return a debug image as stock saves it: a JPG file (bytes) of low quality. Raises ValueError."""
    return cut.encode_jpg(image, JPEG_QUALITY)


def _draw_landmarks(image, points, colour):
    """Draw landmarks, int32 (68, 2), px, as strokes and dots."""
    cv2.polylines(image, [points[part] for part in _OPEN], False, colour, 1, cv2.LINE_AA)
    cv2.polylines(image, [points[part] for part in _CLOSED], True, colour, 1, cv2.LINE_AA)
    for x, y in points[_SMALL_DOTS].tolist():
        cv2.circle(image, (x, y), 1, colour, 1, cv2.LINE_AA)
    for x, y in points[_LARGE_DOTS].tolist():
        cv2.circle(image, (x, y), 2, colour, 1, cv2.LINE_AA)


def _darken_hull(image, points):
    """Halve the values inside of the face's hull, rounded down."""
    lowest, highest = geometry.hull_box(points)
    height, width = image.shape[:2]
    left, top = max(int(lowest[0]), 0), max(int(lowest[1]), 0)
    right, bottom = min(int(highest[0]) + 1, width), min(int(highest[1]) + 1, height)
    if left < right and top < bottom:
        mask = geometry.hull_mask((bottom - top, right - left), points, origin=(left, top))
        part = image[top:bottom, left:right]
        cv2.copyTo(part >> 1, mask, part)


def _draw_polygon(image, corners, colour):
    for number, corner in enumerate(corners):
        cv2.line(image, tuple(corners[number - 1]), tuple(corner), colour, 2)
