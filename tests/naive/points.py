"""Oracle for the aligner's landmarks: stock's extract, crop, transform and get_pts_from_predict, one crop, one landmark
after another.

Taken as given: numpy's inverse and product of 3x3 matrices, and what OpenCV makes of pictures.
"""
import cv2
import numpy as np

STEPS = ((0, 0), (-1, -1), (1, -1), (1, 1), (-1, 1))     # px, from the middle to where each sample is centred
LIMIT = 2 ** 31                                          # px; stock counts the sides of crops in 32 bits


def looks(rect, several):
    """[(middle (x, y), scale)] of the samples of a face."""
    left, top, right, bottom = rect
    scale = (right - left + bottom - top) / 195.0
    return [(((left + right) / 2.0 + x, (top + bottom) / 2.0 + y), scale) for x, y in STEPS[:5 if several else 1]]


def in_picture(point, middle, scale, resolution):
    """A point of the square, which shows `resolution` px, in the picture: float64 (2,). Raises ZeroDivisionError."""
    side = 200.0 * scale
    matrix = np.array([[resolution / side, 0, resolution * (-middle[0] / side + 0.5)],
                       [0, resolution / side, resolution * (-middle[1] / side + 0.5)],
                       [0, 0, 1]])
    return np.matmul(np.linalg.inv(matrix), np.array([point[0], point[1], 1.0]))[:2]


def are_alike(low, high, length):
    """Whether stock's slices of picture and square fit each other along one axis.

    Their ends may be negative, beside the picture, and then count from the other side. One line fits none.
    """
    of_picture = range(length)[max(0, low):min(high, length)]
    of_square = range(high - low)[max(0, -low):min(high, length) - low]
    return len(of_picture) in (len(of_square), 1)


def corners(middle, scale):
    """[left, top, right, bottom] of the square, int, or None for one without a size."""
    try:
        first, last = [in_picture((place, place), middle, scale, 256.0) for place in (1, 256.0)]
    except (ZeroDivisionError, np.linalg.LinAlgError):
        return None
    edges = [float(number) for number in (first[0], first[1], last[0], last[1])]
    if any(not abs(edge) < 2.0 ** 62 for edge in edges):
        return None
    return [int(edge) for edge in edges]


def crop(image, middle, scale):
    """uint8 (256, 256, 3) of the square, black outside of the picture; None where stock fails."""
    edges = corners(middle, scale)
    if edges is None:
        return None
    left, top, right, bottom = edges
    width, height = right - left, bottom - top
    if width <= 0 or height <= 0 or width >= LIMIT or height >= LIMIT:
        return None
    if not (are_alike(left, right, image.shape[1]) and are_alike(top, bottom, image.shape[0])):
        return None
    try:
        square = np.zeros((height, width, 3), np.uint8)
    except MemoryError:
        return None
    for y in range(max(top, 0), min(bottom, image.shape[0])):
        for x in range(max(left, 0), min(right, image.shape[1])):
            square[y - top, x - left] = image[y, x]
    return cv2.resize(square, (256, 256), interpolation=cv2.INTER_LINEAR)


def peak(heat_map):
    """(x, y) of the highest place, the first of equal ones, drawn by a quarter to its higher neighbours."""
    lines = heat_map.tolist()
    best = x = y = None
    for row, line in enumerate(lines):
        for column, value in enumerate(line):
            if best is None or value > best:
                best, x, y = value, column, row
    if not (0 < x < len(lines[0]) - 1 and 0 < y < len(lines) - 1):
        return x, y

    def drawn(lower, higher):
        return (higher > lower) * 0.25 - (higher < lower) * 0.25

    return x + drawn(lines[y][x - 1], lines[y][x + 1]), y + drawn(lines[y - 1][x], lines[y + 1][x])


def landmarks(peaks, middle, scale):
    """(x, y) of each peak in the picture: float64 (n, 2)."""
    return np.array([in_picture((x + 0.5, y + 0.5), middle, scale, 64) for x, y in peaks])


def look_at(image, rect, network, several):
    """Landmarks of a face, or None. network: function of a crop, returns [(x, y) of each peak]."""
    found = []
    for middle, scale in looks(rect, several):
        square = crop(image, middle, scale)
        if square is None:
            return None
        found.append(landmarks(network(square), middle, scale))
    return np.mean(np.array(found), 0)


def align(image, rects, network, detector=None, several=False, matrix_of=None):
    """Landmarks of each face, or None. detector: function of a picture, returns rectangles: with it, faces of which it
    finds one when they are turned upright by the matrix matrix_of(landmarks) are looked at again there."""
    result = []
    for rect in rects:
        points = look_at(image, rect, network, several)
        if points is not None and detector is not None:
            matrix = matrix_of(points)
            upright = cv2.warpAffine(image, matrix, (256, 256), flags=cv2.INTER_LINEAR)
            seen = detector(upright)
            again = look_at(upright, seen[0], network, True) if len(seen) == 1 else None
            if again is not None:
                back = cv2.invertAffineTransform(matrix)
                points = cv2.transform(again.reshape(68, 1, 2), back).reshape(68, 2)
        result.append(points)
    return result
