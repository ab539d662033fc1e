"""Frames with faces in them, and those faces as an extraction leaves them: input for merging.

One shot: people, drawn by portraits.py, sway, turn and speak before a still ground; every frame has the softness of
a lens and the grain of a camera, so that it is as hard to decode as a real one. The landmarks of every face are
known. The same arguments give the same bytes on the same machine and OpenCV.
"""
import collections
import os

import cv2
import numpy as np

from accel import landmarks as alignment
from benchmarks import portraits

FACE_UNITS = 140.0             # from the brows to the chin, in units of the model
_REACH = 165                   # units around the face's middle that are drawn
_GRAIN = 1.5                   # standard deviation in levels
_TILE = 509                    # side of the grain that is repeated
_PERIOD = 60                   # frames in which a head moves once to and fro

Head = collections.namedtuple("Head", "x y height sway turn")
Head.__doc__ = """Somebody in a shot. x, y: where the middle of the face is, in shares of the frame's width and height.
height: of the face (brows to chin), a share of the frame's height. sway: how far it moves to each side, a share of
the width. turn: of the head to each side, radians."""
Head.__new__.__defaults__ = (0.5, 0.45, 1 / 3.0, 0.08, 0.3)


class Shot(object):
    """People before a ground."""

    def __init__(self, size, heads=(Head(),), seed=0):
        """size: (width, height) of the frames, px. heads: Head of each person."""
        self.width, self.height = size
        self.heads = list(heads)
        random = np.random.RandomState([seed, 11])
        self.ground = _paint_ground(random, self.width, self.height)
        self.actors = [portraits.Actor(np.random.RandomState([seed, 12, number]), self._texture_side(head))
                       for number, head in enumerate(self.heads)]
        tile = random.standard_normal((_TILE, _TILE, 1)) + 0.5 * random.standard_normal((_TILE, _TILE, 3))
        tile = np.round(_GRAIN * tile).astype(np.int16)
        self.grain = cv2.copyMakeBorder(tile, 0, self.height + 64, 0, self.width + 64, cv2.BORDER_WRAP)

    def _texture_side(self, head):
        return int(min(1024, max(160, 3.2 * head.height * self.height)))

    def frame(self, step, present=None):
        """Draw a frame: (uint8 (height, width, 3) BGR, [float64 (68, 2) landmarks, px, of each face]).

        present: numbers of the heads that are there; None: all.
        """
        picture = self.ground.copy()
        marks = []
        for number in range(len(self.heads)) if present is None else present:
            marks.append(self._draw(picture, number, step))
        sigma = max(0.4, self.height / 2700.0)
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
        down, right = np.random.RandomState([13, step]).randint(0, 64, 2)
        grain = self.grain[down:down + self.height, right:right + self.width]
        return cv2.add(picture, grain, dtype=cv2.CV_8U), marks

    def _draw(self, picture, number, step):
        """Draw a head into the picture, in place. Return its landmarks."""
        head, actor = self.heads[number], self.actors[number]
        angle = 2 * np.pi * step / _PERIOD + number
        scale = head.height * self.height / FACE_UNITS
        centre = np.array([head.x * self.width + head.sway * self.width * np.sin(angle),
                           head.y * self.height + 0.3 * head.sway * self.height * np.sin(1.7 * angle)])
        rotation = _rotation(0.1 * np.sin(0.7 * angle), head.turn * np.sin(angle + 0.5), 0.08 * np.sin(1.3 * angle))
        expression = (0, 1, 2, 1)[step // 3 % 4]
        low = np.floor(np.maximum(centre - _REACH * scale, 0)).astype(int)
        high = np.ceil(np.minimum(centre + _REACH * scale, (self.width, self.height))).astype(int)
        if (high > low).all():
            _draw_part(picture, low, high, actor, expression, rotation, centre, scale)
        return (actor.landmarks[expression] @ rotation.T)[:, :2].astype(np.float64) * scale + centre


def _draw_part(picture, low, high, actor, expression, rotation, centre, scale):
    """Draw a head into the part of a picture from corner `low` to `high` (px), which fades out at its edges."""
    part = picture[low[1]:high[1], low[0]:high[0]]
    side = int(max(high - low))
    square = cv2.copyMakeBorder(part, 0, side - part.shape[0], 0, side - part.shape[1], cv2.BORDER_REPLICATE)
    to_view = np.array([[1, 0, low[0] - centre[0]], [0, 1, low[1] - centre[1]]], np.float32) / np.float32(scale)
    light = np.array([0.5, -0.4, -0.8]) / np.linalg.norm([0.5, -0.4, -0.8])
    portraits.render(actor, expression, rotation.astype(np.float32), to_view, side, light, square, 0.55)
    fade = [np.clip((_REACH - np.abs(np.arange(first, last) - middle) / scale) / 30, 0, 1).astype(np.float32)
            for first, last, middle in zip(low, high, centre)]
    weight = (fade[1][:, None] * fade[0][None, :])[..., None]
    drawn = square[:part.shape[0], :part.shape[1]].astype(np.float32)
    part[:] = np.round(part + weight * (drawn - part)).astype(np.uint8)


def _rotation(pitch, yaw, roll):
    """Model to view, turned by pitch, then yaw, then roll (radians): float64 (3, 3)."""
    about_x, about_y, about_z = (cv2.Rodrigues(angle * axis)[0] for angle, axis in zip((pitch, yaw, roll), np.eye(3)))
    return about_z @ about_y @ about_x


def _paint_ground(random, width, height):
    """A blurred room with the detail of natural pictures: uint8 (height, width, 3) BGR."""
    octaves = max(3, int(np.log2(max(width, height))) - 1)
    ground = np.empty((height, width, 3), np.float32)
    ground[:] = random.uniform(70, 150) + random.uniform(-25, 25, 3)
    ground *= (1 + 0.25 * portraits.natural_noise(random, height, width, octaves, 0.7))[..., None]
    for _ in range(12):
        x, y, wide, high = random.uniform(0, 1, 4) * [width, height, width * 0.4, height * 0.4]
        colour = tuple(float(value) for value in random.uniform(15, 230, 3))
        cv2.rectangle(ground, (int(x), int(y)), (int(x + wide), int(y + high)), colour, -1)
    ground = cv2.GaussianBlur(ground, (0, 0), height / 120.0)
    fine = portraits.natural_noise(random, height, width, 6, 0.9)
    return np.clip(ground * (1 + 0.05 * fine)[..., None], 0, 255).astype(np.uint8)


# --- files -----------------------------------------------------------------------------------

def encode(picture, suffix):
    """A picture as the bytes of a file: PNG, or JPG of quality 100."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 100] if suffix.lower() in (".jpg", ".jpeg") else []
    return cv2.imencode(suffix.lower(), picture, options)[1].tobytes()


def aligned_face(picture, marks, size, face_type="whole_face"):
    """Cut a face out as extraction does: (bytes of a JPG without metadata, landmarks in it, matrix)."""
    matrix = alignment.alignment_matrix(marks, size, face_type)
    face = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_CUBIC)
    return encode(face, ".jpg"), cv2.transform(marks[:, None], matrix)[:, 0], matrix


def describe(frame_name, marks, size, face_type="whole_face"):
    """The metadata (dict) that an extraction stores with a face of a frame; marks: in the frame, px."""
    matrix = alignment.alignment_matrix(marks, size, face_type)
    low, high = marks.min(axis=0), marks.max(axis=0)
    rect = np.concatenate([low - 0.06 * (high - low), high + 0.06 * (high - low)]).astype(np.int64)
    return {"face_type": face_type, "landmarks": cv2.transform(marks[:, None], matrix)[:, 0].tolist(),
            "source_filename": frame_name, "source_rect": rect, "source_landmarks": marks.tolist(),
            "image_to_face_mat": matrix}


def write(path, content):
    """Write bytes to a path, whose folder is made if needed."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content)
