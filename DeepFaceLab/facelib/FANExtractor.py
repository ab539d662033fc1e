"""Stock's aligner by its name, over accel.nets: for the modules of DeepFaceLab that ask for it."""
import functools
from pathlib import Path

import numpy as np

from accel.nets import devices, faces, fan, weights


class FANExtractor:
    """Finds the 68 landmarks of faces."""

    def __init__(self, landmarks_3D=False, place_model_on_cpu=False):
        """landmarks_3D: those of 3DFAN.npy, which go around the head. place_model_on_cpu: keep the weights in the
        computer's memory. Raises host.UserError without the file."""
        device = devices.current(weights_on_cpu=place_model_on_cpu)
        path = Path(__file__).parent / ("3DFAN.npy" if landmarks_3D else "2DFAN.npy")
        self.model = fan.FAN(weights.read(path), device)

    def extract(self, input_image, rects, second_pass_extractor=None, is_bgr=True, multi_sample=False):
        """Return the landmarks of each rectangle, float64 (68, 2) in px, or None.

        input_image: uint8 (H, W, 3), BGR unless is_bgr is False. rects: list of (left, top, right, bottom), px.
        second_pass_extractor: a detector with stock's `extract`; with it each face is cut out and looked at again.
        multi_sample: the mean of five looks.
        """
        if not len(rects):
            return []
        picture = np.ascontiguousarray(input_image[..., ::-1] if is_bgr else input_image)
        again = None if second_pass_extractor is None else functools.partial(_rects_of, second_pass_extractor)
        return faces.align(picture, rects, self._ask, again, multi_sample)

    def _ask(self, crops):
        return [[peaks] for peaks in self.model.run(np.stack(crops))[0]]


def _rects_of(detector, pictures):
    return [detector.extract(picture, is_bgr=False) for picture in pictures]
