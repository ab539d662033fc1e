"""One frame from its file to the files of its faces. Runs in many threads at once, which share the networks.

Answers to ExtractSubprocessor.Cli of stock: the same stages in the same order, rectangles, landmarks, files.
"""
import collections
import os
from pathlib import Path

import cv2

from .. import files, output_folder
from . import cut, debug_image

_SMALLEST = 128                       # px; stock looks for no faces in smaller frames
_TURNS = (90, 270, 180)               # tried in this order when there is no face upright

RECTS, LANDMARKS, FINAL = "rects", "landmarks", "final"
ALL = (RECTS, LANDMARKS, FINAL)


class FrameError(Exception):
    """A frame that cannot be read: its name and the reason, in words for the user."""


class FrameData:
    """A frame on its way: stock's ExtractSubprocessor.Data, whose names other code of DeepFaceLab uses.

    filepath: pathlib Path. rects: list of (left, top, right, bottom), px; rects_rotation: degrees by which the frame
    was turned to find them; landmarks: list of float64 (68, 2) or None, px. landmarks_accurate: look twice at each
    face. manual: marked by hand. force_output_path: folder for these faces, if it is another. final_output_files:
    paths of the faces; faces_detected: their number.
    """

    rects_rotation = faces_detected = 0

    def __init__(self, filepath=None, rects=None, landmarks=None, landmarks_accurate=True, manual=False,
                 force_output_path=None, final_output_files=None):
        self.filepath, self.force_output_path = filepath, force_output_path
        self.landmarks_accurate, self.manual = landmarks_accurate, manual
        self.rects, self.landmarks, self.final_output_files = rects or [], landmarks or [], final_output_files or []


Plan = collections.namedtuple("Plan", "stages faces most_faces turns_together")
Plan.__doc__ = """stages: some of ALL; faces: cut.FaceSettings; most_faces: of one frame, 0 or None for all of them;
turns_together: ask for the three turned frames at once, for devices that gain from it."""


class FrameWork:
    """What is done with every frame: call it with a FrameData, which it fills in and returns."""

    def __init__(self, plan, networks, output, debug_output=None):
        """plan: Plan. networks: nets.loading.Networks, None if no stage needs them. output, debug_output:
        output_folder.OutputFolder for the faces and, or None, for frames with landmarks drawn in."""
        self._plan, self._networks = plan, networks
        self._output, self._debug_output = output, debug_output

    def __call__(self, data):
        """Raises FrameError, OSError when its files cannot be written, host.UserError when the networks fail."""
        stages = self._plan.stages
        if LANDMARKS in stages and RECTS not in stages and not data.rects:
            return data
        image = read_frame(data.filepath)
        if RECTS in stages:
            self._find_rects(data, image)
        if LANDMARKS in stages:
            self._find_landmarks(data, image)
        if FINAL in stages:
            self._write(data, image)
        return data

    def stop(self):
        """Let frames that wait for the networks end, with an error."""
        if self._networks is not None:
            self._networks.stop()

    def _find_rects(self, data, image):
        data.rects = []
        if min(image.shape[:2]) >= _SMALLEST:
            for turns in ((0,), _TURNS) if self._plan.turns_together else ((0,),) + tuple((turn,) for turn in _TURNS):
                pictures = [as_rgb(cut.rotate(image, turn)) for turn in turns]
                for turn, rects in zip(turns, self._networks.faces_in(pictures)):
                    if rects and not data.rects:
                        data.rects, data.rects_rotation = rects, turn
                if data.rects:
                    break
        if self._plan.most_faces is not None and self._plan.most_faces > 0:
            data.rects = data.rects[:self._plan.most_faces]

    def _find_landmarks(self, data, image):
        picture = as_rgb(cut.rotate(image, data.rects_rotation))
        data.landmarks = self._networks.landmarks_of(picture, data.rects, data.landmarks_accurate)
        if data.rects_rotation:
            turned = [cut.rotate_back(rect, marks, data.rects_rotation, image.shape[:2])
                      for rect, marks in zip(data.rects, data.landmarks)]
            data.rects, data.landmarks = (list(values) for values in zip(*turned)) if turned else ([], [])

    def _write(self, data, image):
        name, settings = os.path.basename(str(data.filepath)), self._plan.faces
        output = self._output
        if data.force_output_path is not None:
            output = output_folder.OutputFolder(data.force_output_path, "extract")
        try:
            found = cut.cut_faces(image, data.rects, data.landmarks, settings, data.manual)
            stem = data.filepath.stem
            contents = [(output, "{}_{}.jpg".format(stem, index), cut.encode(face, settings, name))
                        for index, face in enumerate(found)]
            if self._debug_output is not None:
                debug_image.draw_faces(image, found, settings)   # nothing else needs the frame any more
                contents.append((self._debug_output, stem + ".jpg", debug_image.encode(image)))
        except ValueError as error:
            raise FrameError("{}: {}".format(name, error)) from error
        output_folder.write_together(contents)
        data.final_output_files = [Path(output.path(name)) for folder, name, _ in contents if folder is output]
        data.faces_detected = len(found)


def read_frame(path):
    """Return a frame as stock works on it: uint8 (H, W, 3) BGR, H and W even. Raises FrameError."""
    name = os.path.basename(str(path))
    try:
        return cut.prepare(files.read_image(str(path)))
    except OSError as error:
        raise FrameError("{} cannot be opened: {}".format(name, error.strerror or error)) from error
    except ValueError as error:
        raise FrameError("{}: {}".format(name, error)) from error


def as_rgb(image):
    """Return uint8 (H, W, 3) BGR as RGB, in one piece."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
