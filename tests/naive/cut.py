"""Oracles for cutting faces out of frames, and for the debug image: stock's steps on whole frames, one by one.

OpenCV's warp, its strokes and its polygons are taken as given: stock's values are defined by them.
"""
import cv2
import numpy as np

from . import landmarks as naive_landmarks

NAMES = {0: 'half_face', 1: 'midfull_face', 2: 'full_face', 3: 'full_face_no_align', 4: 'whole_face', 10: 'head',
         20: 'head_no_align', 100: 'mark_only'}


def prepare(image):
    """uint8 (H, W, 3) of an image of 8 or 16 bits, pixel by pixel; sides even."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    result = np.zeros((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            values = np.atleast_1d(image[y, x]).tolist()
            values = values[:3] if len(values) > 2 else [values[0]] * 3
            result[y, x] = values if image.dtype == np.uint8 else [int(value / 257 + 0.5) for value in values]
    return result


def rotate(image, angle):
    """The image turned clockwise."""
    return np.rot90(image, -angle // 90)


def rotate_back(rect, landmarks, angle, size):
    """(rect, landmarks or None) in the frame: each corner and point turned back, corners in their old order."""
    height, width = size

    def turned_back(x, y):
        return {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}[angle]

    left, top, right, bottom = rect
    if landmarks is None:
        points = None
        if angle == 180:
            return rect, None
    else:
        points = [turned_back(x, y) for x, y in landmarks]
    if angle == 270:    # stock takes left and right from the bottom and the top: those two are in order
        return turned_back(left, bottom) + turned_back(right, top), points
    return turned_back(left, top) + turned_back(right, bottom), points


def square(matrix, size):
    """Corners of the picture in the frame, rounded: four (x, y)."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = [(0, 0), (0, size - 1), (size - 1, size - 1), (size - 1, 0)]
    return [tuple(int(round(row[0] * x + row[1] * y + row[2])) for row in inverse) for x, y in corners]


def oversize(matrix, size, rect):
    """How often the rectangle fits into the square, by area."""
    corners = square(matrix, size)
    return naive_landmarks.polygon_area([x for x, _ in corners], [y for _, y in corners]) / \
        naive_landmarks.rect_area(rect)


def picture(image, matrix, size):
    """The face, linearly interpolated, black outside of the frame."""
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def move(points, matrix):
    """Points taken through a matrix, one by one."""
    return [[row[0] * x + row[1] * y + row[2] for row in matrix.tolist()] for x, y in points]


def draw_face(image, rect, landmarks, matrix, image_size, colour=(0, 255, 0), darken_hull=False):
    """The image (uint8) with one face drawn in; matrix: frame to picture, or None for no square."""
    result = image.copy()
    points = [(int(x), int(y)) for x, y in landmarks]

    def stroke(numbers, is_closed):
        cv2.polylines(result, [np.array([points[number] for number in numbers], np.int32)], is_closed, colour,
                      thickness=1, lineType=cv2.LINE_AA)

    def polygon(corners, of_colour):
        for number in range(len(corners)):
            cv2.line(result, corners[number], corners[(number + 1) % len(corners)], of_colour, thickness=2)

    for numbers in (range(17, 22), range(0, 17), range(22, 27), [*range(27, 36), 30]):
        stroke(numbers, False)
    for numbers in (range(36, 42), range(42, 48), range(48, 68)):
        stroke(numbers, True)
    for numbers in (range(17, 22), range(22, 27), range(48, 68), range(36, 42), range(42, 48), range(27, 36)):
        for number in numbers:
            cv2.circle(result, points[number], 1, colour, 1, lineType=cv2.LINE_AA)
    for number in range(0, 17):
        cv2.circle(result, points[number], 2, colour, lineType=cv2.LINE_AA)
    if darken_hull:
        mask = np.array(naive_landmarks.hull_mask(image.shape, landmarks), np.float32)[..., None]
        result = (result * (1 - mask) + result * mask / 2).astype(np.uint8)

    left, top, right, bottom = [int(side) for side in rect]
    polygon([(left, top), (right, top), (right, bottom), (left, bottom)], (255, 0, 0))
    if matrix is not None:
        polygon(square(matrix, image_size), (0, 0, 255))
        inverse = cv2.invertAffineTransform(matrix)
        near, far = int(image_size * 0.05), int(image_size * 0.1)
        polygon([(int(round(x)), int(round(y))) for x, y in move([(near, 0), (far, far), (0, far)], inverse)],
                (0, 0, 255))
    return result
