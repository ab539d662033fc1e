"""What detector and aligner make of a picture, over functions that ask the networks.

Answers to S3FDExtractor.extract and FANExtractor.extract of stock. All faces of a picture are asked for together,
and all five samples of each, so that a device gets as much at once as there is.
"""
import cv2
import numpy as np

from .. import landmarks as geometry
from . import boxes, points

_FULL_FACE = 2   # stock's FaceType.FULL
_SECOND_SIZE = 256


def detect(pictures, ask):
    """Return for each picture its faces' rectangles, as boxes.rectangles gives them.

    pictures: list of uint8 (H, W, 3) RGB. ask: function of a list of pictures, returns the detector's outputs of each.
    """
    inputs = [boxes.detector_input(picture) for picture in pictures]
    answers = ask([picture for picture, _ in inputs])
    return [boxes.rectangles(outputs, scale) for outputs, (_, scale) in zip(answers, inputs)]


def align(picture, rects, ask, detect_again=None, several=False):
    """Return the landmarks of each rectangle: list of float64 (68, 2), px, or None where there is nothing to see.

    picture: uint8 (H, W, 3) RGB. ask: function of a list of crops, returns [peaks] of each, as fan.FAN.run does for a
    batch. detect_again: function of a list of pictures, returns the rectangles of each; with it each face is cut out
    upright and looked at once more, five times, if the detector finds one face there. several: five samples now.
    """
    found = _look(picture, rects, ask, several)
    if detect_again is None:
        return found
    upright = [_upright(picture, marks) for marks in found]
    tried = [index for index, face in enumerate(upright) if face is not None]
    if tried:
        faces = detect_again([upright[index][0] for index in tried])
        single = [(index, rects[0]) for index, rects in zip(tried, faces) if len(rects) == 1]
        again = _look_at([(upright[index][0], rect) for index, rect in single], ask, True)
        for (index, _), marks in zip(single, again):
            if marks is not None:
                found[index] = cv2.transform(marks[:, None], cv2.invertAffineTransform(upright[index][1]))[:, 0]
    return found


def _upright(picture, marks):
    """Return the face of these landmarks turned upright, uint8 (256, 256, 3), and its matrix; None if it has none."""
    if marks is None:
        return None
    try:
        matrix = geometry.alignment_matrix(marks, _SECOND_SIZE, _FULL_FACE)
        # Stock names a bicubic warp in the place of the target; what runs is the bilinear one.
        return cv2.warpAffine(picture, matrix, (_SECOND_SIZE, _SECOND_SIZE), flags=cv2.INTER_LINEAR), matrix
    except (cv2.error, ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None


def _look(picture, rects, ask, several):
    return _look_at([(picture, rect) for rect in rects], ask, several)


def _look_at(faces, ask, several):
    """Landmarks of faces, each (picture, rectangle) in a picture of its own, asked for together."""
    looks = []
    for index, (picture, rect) in enumerate(faces):
        crops = [(sample, sample.crop(picture)) for sample in points.samples(rect, several)]
        if all(crop is not None for _, crop in crops):
            looks += [(index, sample, crop) for sample, crop in crops]
    found = [[] for _ in faces]
    if looks:
        for (index, sample, _), (peaks,) in zip(looks, ask([crop for _, _, crop in looks])):
            found[index].append(sample.landmarks(peaks))
    return [np.mean(np.array(marks), 0) if marks else None for marks in found]
