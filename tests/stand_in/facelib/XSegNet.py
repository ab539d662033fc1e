"""Stands in for DeepFaceLab's XSeg network; also laid over a DeepFaceLab tree."""
import cv2
import numpy as np


class XSegNet(object):
    """Finds an ellipse in every face."""

    def __init__(self, name, resolution=256, load_weights=True, weights_file_root=None, training=False,
                 place_model_on_cpu=False, run_on_cpu=False, **others):
        self.resolution = resolution

    def extract(self, input_image):
        """Return the mask, float32 (s, s, 1) 0..1, of a face, float32 (s, s, 3) BGR 0..1."""
        side = self.resolution
        if input_image.dtype != np.float32 or input_image.shape != (side, side, 3):
            raise ValueError("not what XSeg takes: {} {}".format(input_image.dtype, input_image.shape))
        mask = np.zeros((side, side), np.float32)
        cv2.ellipse(mask, (side // 2, side // 2), (side * 2 // 5, side * 9 // 20), 0, 0, 360, 1, -1)
        return cv2.GaussianBlur(mask, (15, 15), 0)[..., None]
