"""From a frame, rectangles and landmarks to face pictures with their metadata, and what a frame needs before that.

Answers to `final_stage`, `rects_stage` and `landmarks_stage` of stock's mainscripts.Extractor: for equal numpy and
OpenCV the pixels, numbers and files are equal to stock's. Safe to call from many threads.
"""
from collections import namedtuple

import cv2
import numpy as np

from .. import dfl_jpeg
from .. import landmarks as geometry
from ..landmark_tables import FACE_TYPE_NUMBERS

FULL_NO_ALIGN, MARK_ONLY = 3, 100
FACE_TYPES = dict(FACE_TYPE_NUMBERS)  # stock's number: its name in the metadata
FACE_TYPES[MARK_ONLY] = 'mark_only'

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_NO_COORDINATE = 1 << 31
_LARGEST = 4  # areas of the rectangle; of more the landmarks are taken to be wrong


class FaceSettings(namedtuple('FaceSettings', 'face_type image_size jpeg_quality')):
    """face_type: a number of FACE_TYPES; image_size: side of a face's picture, px; jpeg_quality: 1 to 100."""
    __slots__ = ()


class Face(namedtuple('Face', 'picture landmarks rect source_landmarks matrix')):
    """picture: uint8 (H, W, 3) BGR. landmarks: (68, 2) in it, px. rect: integers (4,), px, and source_landmarks:
    (68, 2), px, as they were found in the frame. matrix: float64 (2, 3), frame to picture; None for mark_only, where
    the picture is the frame itself, not a copy."""
    __slots__ = ()


def prepare(image):
    """Return a decoded image as stock works on it: three channels, even width and height.

    image: uint8 or uint16 (H, W) or (H, W, channels), BGR, as files.decode_image gives it, or None.
    Returns uint8 (H, W, 3) BGR in one piece, in the memory of `image` where nothing is to be done. Grey is repeated,
    alpha dropped, an odd last row or column cut off. 16 bits are rounded to 8; stock takes them for 8-bit values, so
    that it searches in numbers up to 65535 and writes white faces.
    Raises ValueError for what is no such image, or has no pixel left.
    Answers to `normalize_channels` and `cut_odd_image` of stock's core.imagelib.
    """
    if image is None:
        raise ValueError('it cannot be read as an image')
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3):
        raise ValueError('it has not 8 or 16 bits a channel ({} {})'.format(image.dtype, image.shape))
    height, width = (side - side % 2 for side in image.shape[:2])
    if not height or not width:
        raise ValueError('it has {} x {} pixels: too small'.format(*image.shape[1::-1]))
    image = image[:height, :width]
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257).reshape(image.shape)  # 257 is odd: there are no ties
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels < 3:
        return cv2.cvtColor(np.ascontiguousarray(image.reshape(height, width, -1)[..., 0]), cv2.COLOR_GRAY2BGR)
    if channels == 4:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    return np.ascontiguousarray(image[..., :3])


def rotate(image, angle):
    """Return an image turned clockwise by 0, 90, 180 or 270 degrees, in one piece; for 0 it is `image` itself.

    image: uint8 (H, W, 3). Answers to the turned views of stock's `rects_stage`.
    """
    return cv2.rotate(image, _TURNS[angle]) if angle else image


def rotate_back(rect, landmarks, angle, size):
    """Return rectangle and landmarks of a frame, of those found in it turned by `rotate`.

    rect: four numbers, px. landmarks: (68, 2) numbers, px, or None. angle: as for `rotate`. size: (height, width) of
    the frame before it was turned, px.
    As in stock the rectangle's corners are turned but not put in order again, so that a right edge may lie left of
    the left one, and it stays as it is where half a turn found no landmarks. Answers to stock's `landmarks_stage`.
    """
    left, top, right, bottom = rect
    height, width = size
    if angle == 90:
        rect = top, height - left, bottom, height - right
    elif angle == 180 and landmarks is not None:
        rect = width - left, height - top, width - right, height - bottom
    elif angle == 270:
        rect = width - bottom, left, width - top, right
    if landmarks is not None and angle:
        landmarks = np.array(landmarks if angle == 180 else landmarks[:, ::-1])
        if angle != 90:
            landmarks[:, 0] = width - landmarks[:, 0]
        if angle != 270:
            landmarks[:, 1] = height - landmarks[:, 1]
    return rect, landmarks


def cut_faces(image, rects, landmarks, settings, manual=False):
    """Return the Faces (list) of a frame, in the order of their rectangles.

    image: uint8 (H, W, 3) BGR. rects: four integers, px, of each face. landmarks: float (68, 2), px, of each face, or
    None, which leaves it out. settings: FaceSettings.
    manual: keep all. Otherwise, for types up to full_face_no_align, a face is dropped whose square in the frame has
    more than four times the area of its rectangle.
    Raises ValueError where landmarks are not 68 points, or all one point; stock fails on the former when it draws the
    debug image, and saves a picture of one colour and metadata of NaN for the latter.
    """
    found = [_cut(image, np.array(rect), as_points(points), settings, manual)
             for rect, points in zip(rects, landmarks) if points is not None]
    return [face for face in found if face is not None]


def _cut(image, rect, points, settings, manual):
    if settings.face_type == MARK_ONLY:
        return Face(image, points, rect, points, None)
    size = settings.image_size
    matrix = face_matrix(points, size, settings.face_type)
    if matrix is None:
        raise ValueError('a face has landmarks that are all one point')
    if not manual and settings.face_type <= FULL_NO_ALIGN:
        square = square_in_frame(matrix, size).astype(np.float32)
        if geometry.polygon_area(square[:, 0], square[:, 1]) > _LARGEST * geometry.rect_area(rect):
            return None
    # Stock names a finer interpolation in the place of another argument: what it gets is linear.
    picture = cv2.warpAffine(image, matrix, (size, size))
    return Face(picture, cv2.transform(points[:, None], matrix)[:, 0], rect, points, matrix)


def as_points(landmarks):
    """Return landmarks as an array; raise ValueError where they are not 68 points.

    landmarks: (68, 2) numbers, px, array or list. No point lies 2**31 px away: OpenCV draws in 32 bits.
    """
    points = np.asarray(landmarks)
    if points.shape != (68, 2) or not (np.isfinite(points).all() and np.abs(points).max() < _NO_COORDINATE):
        raise ValueError('a face has landmarks that are not 68 points')
    return points


def face_matrix(points, image_size, face_type):
    """Return the matrix from a frame to a face's picture, float64 (2, 3); None if the landmarks are all one point.

    points: (68, 2) numbers, px. image_size: side of the picture, px. face_type: a number of FACE_TYPES but mark_only.
    """
    with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
        matrix = geometry.alignment_matrix(points, image_size, face_type)
    return matrix if np.isfinite(matrix).all() else None


def square_in_frame(matrix, size):
    """Return the corners of a face's picture in its frame: int32 (4, 2), px, rounded, counterclockwise from left top.

    matrix: float64 (2, 3), frame to picture. size: side of the picture, px.
    """
    return transform_back([(0, 0), (0, size - 1), (size - 1, size - 1), (size - 1, 0)], matrix)


def transform_back(points, matrix):
    """Return whole points of a picture in its frame, int32 (n, 2), px, rounded.

    points: n pairs of integers, px. matrix: float64 (2, 3), frame to picture.
    Answers to stock's `LandmarksProcessor.transform_points` for integers, inverted.
    """
    return cv2.transform(np.array(points, np.int32)[:, None], cv2.invertAffineTransform(matrix))[:, 0]


def encode(face, settings, source_name):
    """Return the JPG file (bytes) of a Face with its metadata.

    settings: FaceSettings. source_name: name of the frame's file, without its folder.
    Raises ValueError if the picture cannot be encoded.
    """
    return dfl_jpeg.replace_metadata(encode_jpg(face.picture, settings.jpeg_quality), {
        'face_type': FACE_TYPES[settings.face_type],
        'landmarks': face.landmarks.tolist(),
        'source_filename': source_name,
        'source_rect': face.rect,
        'source_landmarks': face.source_landmarks.tolist(),
        'image_to_face_mat': face.matrix}, source_name)


def encode_jpg(image, quality):
    """Return an image as a JPG file (bytes). image: uint8 (H, W, 3) BGR; quality: 1 to 100. Raises ValueError."""
    try:
        done, content = cv2.imencode('.jpg', image, [int(cv2.IMWRITE_JPEG_QUALITY), quality])
    except cv2.error as error:
        raise ValueError('a picture cannot be saved as JPG: {}'.format(error)) from error
    if not done:
        raise ValueError('a picture cannot be saved as JPG')
    return content.tobytes()
