"""Oracle for the detector's rectangles: stock's extract, refine and refine_nms, one place of one head after another.

float32 where stock has it (offsets, sizes and scores as the network gives them), float64 elsewhere. Taken as given:
numpy's order of equal scores and its float32 exponential, OpenCV's resizing.
"""
import math

import cv2
import numpy as np

LOWEST = -2 ** 63      # what a float64 that is no int64 becomes as one


def input_size(width, height):
    """(width, height, how much smaller) of the picture that the detector gets."""
    longer = max(width, height)
    wanted = 640 if longer >= 1280 else longer / 2
    if wanted < 64:
        wanted = 64
    smaller = longer / wanted
    return int(width / smaller), int(height / smaller), smaller


def detector_input(image):
    """(picture, how much smaller it is)."""
    width, height, smaller = input_size(image.shape[1], image.shape[0])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), smaller


def candidate(column, row, stride, place):
    """[left, top, right, bottom] of one place; place: four float32."""
    side = stride * 4
    result = [0.0] * 4
    for axis, middle in ((0, column * stride + stride / 2), (1, row * stride + stride / 2)):
        middle = middle + float(place[axis] * np.float32(0.1)) * side
        length = side * float(np.exp(place[2 + axis] * np.float32(0.2)))
        result[axis] = middle - length / 2
        result[2 + axis] = length + result[axis]
    return result


def candidates(outputs):
    """[left, top, right, bottom, score] of every place that takes part: head by head, line by line."""
    found = []
    for head in range(len(outputs) // 2):
        scores, places = outputs[2 * head], outputs[2 * head + 1]
        for row in range(scores.shape[0]):
            for column in range(scores.shape[1]):
                if scores[row, column] > np.float32(0.05):
                    found.append(candidate(column, row, 2 ** (head + 2), places[row, column])
                                 + [float(scores[row, column])])
    return found


def first_of(one, other, is_first):
    """One of two numbers, and no number as soon as one is none."""
    if math.isnan(one) or math.isnan(other):
        return math.nan
    return one if is_first(one, other) else other


def larger(one, other):
    return first_of(one, other, lambda a, b: a > b)


def smaller(one, other):
    return first_of(one, other, lambda a, b: a < b)


def area(box):
    return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)


def is_covered(box, better):
    """Whether more than 0.3 of both together is shared; what cannot be told counts as covered."""
    width = larger(0.0, smaller(box[2], better[2]) - larger(box[0], better[0]) + 1)
    height = larger(0.0, smaller(box[3], better[3]) - larger(box[1], better[1]) + 1)
    together = area(better) + area(box) - width * height
    share = width * height / together if together else math.nan
    return not share <= 0.3


def suppress(boxes):
    """The boxes that no better one covers, the surest first; all candidates take part, faces or not."""
    order = np.array([box[4] for box in boxes]).argsort()[::-1].tolist()
    kept = []
    for number in order:
        if not any(is_covered(boxes[number], better) for better in kept):
            kept.append(boxes[number])
    return kept


def whole(number):
    """A float64 as int64: fractions cut off."""
    return int(number) if -2.0 ** 63 <= number < 2.0 ** 63 else LOWEST


def rectangles(outputs, scale, found=None):
    """[left, top, right, bottom] of the faces, px, the largest first. found: the candidates, if known."""
    faces = []
    for box in suppress(candidates(outputs) if found is None else found):
        if box[4] < 0.5:
            continue
        left, top, right, bottom = [whole(edge) * scale for edge in box[:4]]
        height = bottom - top
        if right - left < 40 or height < 40:
            continue
        faces.append([int(left), int(top), int(right), int(bottom + height * 0.1)])
    by_size = []
    for face in faces:      # behind all that are as large
        size = (face[2] - face[0]) * (face[3] - face[1])
        place = len(by_size)
        while place and by_size[place - 1][0] < size:
            place -= 1
        by_size.insert(place, (size, face))
    return [face for _, face in by_size]


def touch(one, other):
    return (min(one[2], other[2]) - max(one[0], other[0]) >= 0) and (min(one[3], other[3]) - max(one[1], other[1]) >= 0)


def without_intersecting(faces):
    """The first one, and those that do not touch the one before them."""
    return faces[:1] + [face for before, face in zip(faces, faces[1:]) if not touch(before, face)]
