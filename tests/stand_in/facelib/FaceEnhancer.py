"""Stands in for DeepFaceLab's network of more detail; also laid over a DeepFaceLab tree."""
import cv2


class FaceEnhancer(object):
    """Four times as large, and nothing more to see."""

    def __init__(self, place_model_on_cpu=False, run_on_cpu=False):
        pass

    def enhance(self, inp_img, is_tanh=False, preserve_size=True):
        """Return a face, float32 (h, w, 3) BGR, at four times its size or, if asked, at its own."""
        height, width = inp_img.shape[:2]
        large = cv2.resize(inp_img, (4 * width, 4 * height), interpolation=cv2.INTER_CUBIC)
        return cv2.resize(large, (width, height), interpolation=cv2.INTER_LANCZOS4) if preserve_size else large
