"""What a worker does with a frame: read it, merge its faces, write it."""
import collections
import os

import numpy as np

from .. import files
from . import frames
from . import settings as modes
from .faces import AnswerError

FrameJob = collections.namedtuple("FrameJob", "index path points motion settings wants_picture")
FrameJob.__doc__ = """One frame to merge. index: its place (int). path: of the frame (str). points: (68, 2) arrays, one
a face, may be empty. motion: faces.Motion. settings: Settings. wants_picture: whether the result is shown."""


class FrameError(Exception):
    """A frame that cannot be merged; the message names it and says why."""


class Merging:
    """The work of a worker, a function of a FrameJob."""

    def __init__(self, output, networks):
        """output: output.Output. networks: faces.Networks whose functions may be called in workers."""
        self._output, self._networks = output, networks

    def __call__(self, job):
        """Merge and write a frame. Return the result, uint8 (H, W, 4) BGR and mask, if it is wanted, else None.

        Raises FrameError for a frame that cannot be read, OSError when the result cannot be written.
        """
        stem = os.path.splitext(os.path.basename(job.path))[0]
        if not job.points:
            picture, mask = self._without_face(job, stem)
        else:
            frame = frames.as_bgr8(read_frame(job.path))
            try:
                picture, mask = frames.merge_frame(frame, job.points, job.motion, job.settings, self._networks)
            except AnswerError as error:
                raise FrameError("{}: {}".format(os.path.basename(job.path), error)) from error
            self._output.write(stem, picture, mask)
        return np.concatenate([frames.as_bgr8(picture), mask], axis=2) if job.wants_picture else None

    def _without_face(self, job, stem):
        """Write a frame without a face as it is, with an empty mask."""
        if job.settings.mode == modes.RAW_PREDICT:
            side = self._networks.input_size
            picture = np.zeros((side, side, 3), np.uint8)
        else:
            picture = read_frame(job.path)
        mask = np.zeros(picture.shape[:2] + (1,), np.uint8)
        self._output.write(stem, picture, mask)
        return picture, mask


def read_frame(path):
    """Return a frame as cv2 reads it, unchanged. Raises FrameError, which names it."""
    try:
        picture = files.read_image(path)
    except OSError as error:
        raise FrameError("{} cannot be read: {}".format(os.path.basename(path), error.strerror or error)) from error
    if picture is None:
        raise FrameError("{} is damaged or no image: it cannot be decoded".format(os.path.basename(path)))
    return picture
