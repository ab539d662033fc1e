"""A model without a network: it has the interface that merging uses, and its faces are known arithmetic.

It works in a DeepFaceLab tree, where it loads TensorFlow for the processor as a real model does, and without one.
Environment variables change it for tests: TINY_ITER (iterations it claims), TINY_SIZE (side of its faces, px),
TINY_BATCH=1 (more than one face at a time raises), TINY_SLEEP (seconds a call takes), TINY_FAIL=N (call number N
raises), TINY_LOG (a file to which it adds a line "what time": "ready" when it is loaded, then how many faces each
call had).
"""
import os
import threading
import time

import cv2
import numpy as np

import merger
from facelib import FaceType

try:
    from core.leras import nn
except ImportError:
    nn = None


def soft_ellipse(height, width):
    """An upright ellipse with soft edges in the middle: float32 (height, width), 0..1."""
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, (width // 2, height // 2), (width * 2 // 5, height * 9 // 20), 0, 0, 360, 1, -1)
    return cv2.GaussianBlur(mask, (15, 15), 0)


class Model(object):
    """Takes the place of a class derived from DeepFaceLab's ModelBase."""

    def __init__(self, is_training=False, saved_models_path=None, force_gpu_idxs=None, force_model_name=None,
                 cpu_only=False, **others):
        assert not is_training and saved_models_path.is_dir()
        self.saved_models_path = saved_models_path
        self.model_name = (force_model_name or "tiny") + "_Tiny"
        self.resolution = int(os.environ.get("TINY_SIZE", "64"))
        self.face_type = FaceType.WHOLE_FACE
        self.model_data_format = "NHWC"
        self.iter = int(os.environ.get("TINY_ITER", "1000"))
        self.calls = 0
        self.thread = threading.get_ident()
        if nn is not None:
            nn.initialize(nn.DeviceConfig.CPU())
        print("Tiny model of {} iterations.".format(self.iter))

    def AE_merge(self, faces):
        """The "graph". faces: float32 (n, s, s, 3) BGR 0..1.

        Returns [faces (n, s, s, 3), masks of the target (n, s, s, 1), masks (n, s, s, 1)], as the graphs of
        DeepFaceLab's models do.
        """
        if threading.get_ident() != self.thread:
            raise RuntimeError("a model belongs to the thread that made it")
        side = self.resolution
        if faces.dtype != np.float32 or faces.shape[1:] != (side, side, 3) or not 0 <= faces.min() <= faces.max() <= 1:
            raise ValueError("not what a model takes: {} {}".format(faces.dtype, faces.shape))
        self._note(len(faces))
        self.calls += 1
        if str(self.calls) == os.environ.get("TINY_FAIL"):
            raise RuntimeError("call {} fails".format(self.calls))
        if len(faces) > 1 and os.environ.get("TINY_BATCH") == "1":
            raise ValueError("one face at a time")
        time.sleep(float(os.environ.get("TINY_SLEEP", "0")))
        mask = np.stack([soft_ellipse(side, side)[..., None]] * len(faces))
        return [np.clip(faces[..., ::-1] * np.float32(0.8) + np.float32(0.1), 0, 1), mask * np.float32(0.9), mask]

    def predictor_func(self, face=None):
        """Answer for one face, float32 (s, s, 3): (face, its mask, the target's mask)."""
        picture, target_mask, mask = self.AE_merge(face[None])
        return picture[0], mask[0][..., 0], target_mask[0][..., 0]

    def get_MergerConfig(self):
        self._note("ready")
        return (self.predictor_func, (self.resolution, self.resolution, 3),
                merger.MergerConfigMasked(face_type=self.face_type, default_mode="overlay"))

    def get_iter(self):
        return self.iter

    def get_model_name(self):
        return self.model_name

    def get_strpath_storage_for_file(self, filename):
        return str(self.saved_models_path / (self.get_model_name() + "_" + filename))

    def finalize(self):
        if nn is not None:
            nn.close_session()

    def _note(self, what):
        if "TINY_LOG" in os.environ:
            with open(os.environ["TINY_LOG"], "a") as file:
                file.write("{} {:.4f}\n".format(what, time.time()))
