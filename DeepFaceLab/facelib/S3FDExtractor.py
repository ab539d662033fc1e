"""Stock's face detector by its name, over accel.nets: for the modules of DeepFaceLab that ask for it."""
from pathlib import Path

import numpy as np

from accel.nets import boxes, devices, faces, s3fd, weights


class S3FDExtractor:
    """Finds faces in pictures. Can be used as a context manager."""

    def __init__(self, place_model_on_cpu=False):
        """place_model_on_cpu: keep the weights in the computer's memory. Raises host.UserError without S3FD.npy."""
        device = devices.current(weights_on_cpu=place_model_on_cpu)
        self.model = s3fd.S3FD(weights.read(Path(__file__).parent / "S3FD.npy"), device)

    def __enter__(self):
        return self

    def __exit__(self, exc_type=None, exc_value=None, traceback=None):
        return False

    def extract(self, input_image, is_bgr=True, is_remove_intersects=False):
        """Return the faces' rectangles, (left, top, right, bottom) in px, the largest first.

        input_image: uint8 (H, W, 3), BGR unless is_bgr is False. is_remove_intersects: without those that touch the
        next larger one.
        """
        picture = np.ascontiguousarray(input_image[..., ::-1] if is_bgr else input_image)
        rects = [tuple(rect) for rect in faces.detect([picture], self._ask)[0]]
        return boxes.without_intersecting(rects) if is_remove_intersects else rects

    def _ask(self, pictures):
        return [[output[0] for output in self.model.run(picture[None])] for picture in pictures]
