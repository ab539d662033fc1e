"""Detector and aligner that look nothing up but a stamp in the frame's corner: they answer at once, without TensorFlow.

`stamp` draws black and white blocks into a frame; they tell its number, how many faces it has and on which side those
stand. From that follow rectangles and landmarks, by whole numbers and plain arithmetic: the same on every machine,
Python and numpy. A copy of this file can take the place of

    accel/nets/loading.py                          load, Networks
    facelib/S3FDExtractor.py, FANExtractor.py      the classes of these names, of stock

so that both sides of a comparison find the same faces. Imports nothing but numpy.

TABLE_SECONDS, an environment variable: how long the detector looks at a picture (0).
"""
import binascii
import collections
import os
import threading
import time

import numpy as np

BLOCK, COLUMNS, ROWS = 8, 8, 5            # px of a block, blocks: JPG keeps what lies on its own blocks of 8x8 px
WIDTH, HEIGHT = BLOCK * COLUMNS, BLOCK * ROWS     # of the stamp, px
TURNS = (0, 90, 180, 270)
DETECTOR, ALIGNER = "detector", "aligner"

_NUMBER, _FACES, _TURN, _CHECK = 18, 4, 2, 16    # bits
_LEAST_SPREAD = 60                        # levels between black and white

# A face around (0, 0), its rectangle from -1 to 1: ends of each arc, number of points, sag.
_ARCS = (((-0.75, -0.2), (0.75, -0.2), 17, 0.95), ((-0.62, -0.4), (-0.18, -0.4), 5, -0.1),
         ((0.18, -0.4), (0.62, -0.4), 5, -0.1), ((0.0, -0.25), (0.0, 0.12), 4, 0.0),
         ((-0.16, 0.2), (0.16, 0.2), 5, 0.04), ((-0.5, -0.22), (-0.22, -0.22), 6, -0.07),
         ((0.22, -0.22), (0.5, -0.22), 6, -0.07),
         ((-0.3, 0.42), (0.3, 0.42), 20, 0.14))


class Stamp(collections.namedtuple("Stamp", "number faces turn")):
    """number: below 262,144; faces: below 16; turn: the side on which they stand, degrees clockwise, one of TURNS."""
    __slots__ = ()


class Stopped(Exception):
    """The work ends: what was asked is given up."""


# --- stamps ----------------------------------------------------------------------------------

def stamp(picture, number, faces=1, turn=0):
    """Draw a stamp into the left top corner, in place. Raises ValueError for numbers that it cannot tell.

    picture: uint8 or uint16 (H, W) or (H, W, channels), at least 64x40 px; a fourth channel stays as it is.
    """
    if not (0 <= number < 1 << _NUMBER and 0 <= faces < 1 << _FACES and turn in TURNS):
        raise ValueError("a stamp cannot tell {}, {}, {}".format(number, faces, turn))
    if picture.shape[0] < HEIGHT or picture.shape[1] < WIDTH:
        raise ValueError("a stamp needs {}x{} px".format(WIDTH, HEIGHT))
    told = (number << _FACES | faces) << _TURN | TURNS.index(turn)
    bits = bin(1 << _NUMBER + _FACES + _TURN + _CHECK | told << _CHECK | _check(told))[3:]
    blocks = np.array([bit == "1" for bit in bits]).reshape(ROWS, COLUMNS)
    white = np.iinfo(picture.dtype).max
    drawn = np.where(blocks, white, 0).astype(picture.dtype).repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    if picture.ndim == 2:
        picture[:HEIGHT, :WIDTH] = drawn
    else:
        picture[:HEIGHT, :WIDTH, :3] = drawn[..., None]


def read_stamp(picture):
    """Return the Stamp of a picture and by how many degrees clockwise it was turned since; (None, 0) without one.

    picture: uint8 (H, W, channels).
    """
    for quarter, turned in enumerate(TURNS):
        corner = np.rot90(picture, quarter)[:HEIGHT, :WIDTH]
        if corner.shape[:2] == (HEIGHT, WIDTH):
            levels = corner.reshape(ROWS, BLOCK, COLUMNS, BLOCK, -1).mean(axis=(1, 3, 4)).ravel()
            middle = (levels.min() + levels.max()) / 2
            told = int("".join("1" if level > middle else "0" for level in levels), 2)
            told, check = told >> _CHECK, told & (1 << _CHECK) - 1
            if np.abs(levels - middle).min() * 2 > _LEAST_SPREAD and check == _check(told):
                return Stamp(told >> _TURN + _FACES, told >> _TURN & (1 << _FACES) - 1, TURNS[told & 3]), turned
    return None, 0


def _check(told):
    return binascii.crc_hqx(told.to_bytes(4, "big"), 0x1D0F)


# --- faces -----------------------------------------------------------------------------------

def rects_of(number, faces, size):
    """Return the rectangles of a frame turned so that its faces stand upright, the largest first.

    size: (width, height), px, of the turned frame. Returns a list of (left, top, right, bottom), int, px.
    """
    width, height = size
    found = []
    for face in range(faces):
        room = width // faces
        side = min(room, height) * (40 + _number(number, face, 1) % 41) // 100
        left = room * face + _number(number, face, 2) % (room - side + 1)
        top = _number(number, face, 3) % (height - side + 1)
        found.append((left, top, left + side, top + side))
    return sorted(found, key=lambda rect: (rect[0] - rect[2], rect))


def landmarks_in(rect, number, accurate=True, three_d=False):
    """Return the landmarks of a rectangle: float64 (68, 2), px. accurate, three_d: others are a little elsewhere."""
    left, top, right, bottom = (int(side) for side in rect)
    seed = _number(number, left, top, right, bottom, int(accurate), int(three_d))
    tilt = (seed % 61 - 30) / 100.0
    cosine, sine = (1 - tilt * tilt) / (1 + tilt * tilt), 2 * tilt / (1 + tilt * tilt)
    noise = [(_number(seed, index) % 1001 - 500) / 25000.0 for index in range(2 * len(_FACE))]
    points = []
    for index, (x, y) in enumerate(_FACE):
        x, y = x + noise[2 * index], y + noise[2 * index + 1]
        points.append(((left + right) / 2.0 + (cosine * x - sine * y) * (right - left) / 2.0,
                       (top + bottom) / 2.0 + (sine * x + cosine * y) * (bottom - top) / 2.0))
    return np.array(points)


def _number(*numbers):
    """An int that says nothing of the others but is the same every time (32 bits)."""
    result = 2166136261
    for number in numbers:
        result = ((result ^ number & 0xFFFFFFFF) * 16777619 + 12345) & 0xFFFFFFFF
        result = (result ^ result >> 15) * 2246822519 & 0xFFFFFFFF
        result ^= result >> 13
    return result


def _lay_out():
    points = []
    for (x, y), (last_x, last_y), count, sag in _ARCS:
        for index in range(count):
            share = index / (count - 1.0)
            points.append((x + (last_x - x) * share, y + (last_y - y) * share + 4 * sag * share * (1 - share)))
    return points


_FACE = _lay_out()


def rects_in(picture):
    """Return the rectangles (list) in a picture, uint8 (H, W, 3): none unless its faces stand upright in it."""
    found, turned = read_stamp(picture)
    if found is None or (found.turn + turned) % 360:
        return []
    return rects_of(found.number, found.faces, picture.shape[1::-1])


def landmarks_of(picture, rects, accurate=True, three_d=False):
    """Return the landmarks (list of float64 (68, 2), px) of rectangles of a picture, with a stamp or without."""
    found, turned = read_stamp(picture)
    number = 0 if found is None else found.number * 4 + turned // 90
    return [landmarks_in(rect, number, accurate, three_d) for rect in rects]


# --- in the place of accel.nets.loading ------------------------------------------------------

class Networks(object):
    """What accel.nets.loading.Networks is to an extraction."""

    def __init__(self, three_d=False, seconds=0.0):
        self._three_d, self._seconds = three_d, seconds
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._begun = self._last = None
        self.pictures, self.batches = collections.Counter(), collections.Counter()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def faces_in(self, pictures):
        self._count(DETECTOR, len(pictures))
        if self._stop.wait(self._seconds * len(pictures)) if self._seconds else self._stop.is_set():
            raise Stopped()
        return [rects_in(picture) for picture in pictures]

    def landmarks_of(self, picture, rects, accurate=True):
        self._count(ALIGNER, len(rects))
        return landmarks_of(picture, rects, accurate, self._three_d)

    def stop(self):
        self._stop.set()

    def close(self):
        self.stop()

    def busy_share(self):
        return 0.0

    def seconds(self):
        return 0.0 if self._begun is None else self._last - self._begun

    def _count(self, name, pictures):
        with self._lock:
            self._last = time.time()
            self._begun = self._begun or self._last
            self.pictures[name] += pictures
            self.batches[name] += 1


def load(folder, devices, three_d=False):
    """Return the Networks. folder, devices: not looked at."""
    return Networks(three_d, float(os.environ.get("TABLE_SECONDS", 0)))


# --- in the place of stock's facelib ---------------------------------------------------------

class S3FDExtractor(object):
    """Stock's detector by its name and arguments."""

    def __init__(self, place_model_on_cpu=False):
        self._seconds = float(os.environ.get("TABLE_SECONDS", 0))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def extract(self, input_image, is_bgr=True, is_remove_intersects=False):
        time.sleep(self._seconds)
        return rects_in(input_image)


class FANExtractor(object):
    """Stock's aligner by its name and arguments."""

    def __init__(self, landmarks_3D=False, place_model_on_cpu=False):
        self._three_d = landmarks_3D

    def extract(self, input_image, rects, second_pass_extractor=None, is_bgr=True, multi_sample=False):
        return landmarks_of(input_image, rects, second_pass_extractor is not None, self._three_d)
