"""Frames with faces that the networks of marker_networks.py know: input for extraction with known landmarks.

A face is a square of the detector's two colours and around it 68 discs, one for each colour of the aligner, at the
cells of a 9x9 grid: brows above, jaw around, so that the program's alignment finds it upright and about as large as
the grid. Discs grow paler outwards, colours of the square towards its edges: what is asked has one best place. The
ground is grey, uneven and has the grain of a camera. The same arguments give the same picture with the same OpenCV.

The detector sees frames at half their size, or 640 px wide if that is less, and knows faces of one size there: `unit`
is the scale of a face that fits. Within 0.85 to 1.15 times that, and turned by up to 25 degrees, one is found.
"""
import collections
import functools
import os

import cv2
import numpy as np

from benchmarks import marker_networks, portraits
from benchmarks.portrait_frames import encode, write

REACH = 115.0                  # how far from a face's middle anything of it is drawn, layout px
TOLERANCE = 3.0                # how far off a landmark may be, px times `unit`, in x or y: 2, and 1 more if turned

_CELL = 21.0                   # layout px, as all lengths here
_DISC = 7.5                    # radius
_JITTER = 0.9                  # how far a disc lies from its cell's middle
_SQUARE = 26.5                 # half the side of the detector's square
_ASIDE = (2.3, -2.3)           # where its middle lies: inside a detector's cell once the face is cut out upright
_PEAK = 115                    # distance from grey in a disc's middle, levels
_PALER = 0.4                   # what is lost of it at the edge, a share
_FADE = 0.2                    # what the square's colours lose at its corners, a share
_GREY = 127.5
_GRAIN = 1.2                   # standard deviation in levels
_TILE = 509                    # side of the grain that is repeated
_CELLS = """
 .  18  19  20  22  23  24  25   .
17  37  38  21  27  42  44  26  16
 0  36  40  39  28  29  43  45  15
 1  41  30   .   .   .  47  46  14
 2  50  31   .   .   .  35  52  53
 3  49  48   .   .   .  54  63  13
 4  60  61  32  33  34  51  64  12
 5  59  58  67  66  62  65  55  11
 .   6   7   8  57  56   9  10   .
"""


def _lay_out():
    points = np.empty((68, 2))
    for row, line in enumerate(_CELLS.split("\n")[1:-1]):
        for column, number in enumerate(line.split()):
            if number != ".":
                angle = 2.4 * int(number)
                points[int(number)] = np.array([column - 4, row - 4]) * _CELL
                points[int(number)] += _JITTER * np.array([np.cos(angle), np.sin(angle)])
    return points


LAYOUT = _lay_out()            # float64 (68, 2): the landmarks of an upright face around its middle


class Marker(collections.namedtuple("Marker", "x y angle scale")):
    """A face in a frame. x, y: its middle, px. angle: its turn, degrees clockwise. scale: px for a layout px."""

    __slots__ = ()

    @property
    def matrix(self):
        """From layout to frame: float64 (2, 2) and the middle, float64 (2,)."""
        angle = np.radians(self.angle)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return self.scale * turn, np.array([self.x, self.y], np.float64)

    @property
    def square(self):
        """The middle of the detector's square: float64 (2,), px of the frame."""
        turn, middle = self.matrix
        return turn @ _ASIDE + middle

    @property
    def landmarks(self):
        """float64 (68, 2), px of the frame, as the aligner with 2DFAN.npy should find them."""
        turn, middle = self.matrix
        return LAYOUT @ turn.T + middle

    @property
    def landmarks_3d(self):
        """The same with 3DFAN.npy."""
        points = self.landmarks
        points[list(marker_networks.SWAPPED)] = points[list(marker_networks.SWAPPED[::-1])]
        return points


def unit(size):
    """The scale of a face that the detector knows in frames of (width, height) px."""
    return max(1.0, max(size) / 1280.0)


def place(size, count, seed=0, turn=0):
    """Put faces side by side: list of Marker, each within its own part of the frame, turned and sized a little.

    size: (width, height), px. count: of faces. turn: all faces stand on that side, degrees clockwise (0, 90, 180 or
    270). Raises ValueError when they do not fit.
    """
    random = np.random.RandomState([seed, 21])
    columns = min(range(1, count + 1), key=lambda wide: _crowd(size, count, wide)) if count else 1
    room = np.array([size[0] / float(columns), size[1] / float(-(-count // columns))]) if count else None
    markers = []
    for number in range(count):
        scale = random.uniform(0.92, 1.08) * unit(size)
        slack = room / 2 - (REACH + 4) * scale
        if (slack < 0).any():
            raise ValueError("{} faces do not fit into {}x{} px".format(count, *size))
        middle = (np.array([number % columns, number // columns]) + 0.5) * room + random.uniform(-1, 1, 2) * slack
        markers.append(_decided(Marker(middle[0], middle[1], turn + random.uniform(-12, 12), scale), size, turn))
    return markers


def _decided(marker, size, turn):
    """The marker moved by up to 3.2 px (times unit) so that its square lies well within one of the detector's cells.

    Those are counted in the frame as the detector sees it, turned upright, from the left and the top.
    """
    cell = 8 * unit(size)
    moved = [marker.x, marker.y]
    for axis, from_far_side in enumerate((turn in (90, 180), turn in (180, 270))):
        place_there = marker.square[axis] + 0.5
        if from_far_side:
            place_there = size[axis] - place_there
        aside = place_there % cell - cell / 2                    # from the middle of the cell
        moved[axis] += 0.8 * aside if from_far_side else -0.8 * aside
    return marker._replace(x=moved[0], y=moved[1])


def _crowd(size, count, columns):
    return max(columns / float(size[0]), -(-count // columns) / float(size[1]))


def draw_frame(size, markers, seed=0):
    """Draw a frame: uint8 (height, width, 3) BGR.

    size: (width, height), px. markers: Marker of each face, empty for none; what lies outside is cut off.
    """
    width, height = size
    random = np.random.RandomState([seed, 22])
    ground = np.full((height // 8 + 2, width // 8 + 2, 3), _GREY, np.float32)
    ground += random.uniform(-6, 6, 3).astype(np.float32)
    ground += 9 * np.clip(portraits.natural_noise(random, ground.shape[0], ground.shape[1], 5), -2.5, 2.5)[..., None]
    picture = cv2.resize(np.round(ground).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    for marker in markers:
        _draw_square(picture, marker)
        _draw_discs(picture, marker)
    down, right = random.randint(0, _TILE, 2)
    rows, columns = ((first + np.arange(count)) % _TILE for first, count in ((down, height), (right, width)))
    return cv2.add(picture, np.take(np.take(_grain(), rows, axis=0), columns, axis=1), dtype=cv2.CV_8U)


@functools.lru_cache(maxsize=1)
def _grain():
    return np.round(_GRAIN * np.random.RandomState(23).standard_normal((_TILE, _TILE, 3))).astype(np.int16)


def _part(picture, middle, reach):
    """The part of a picture within `reach` px of a point, and its pixels' x and y from there; None outside."""
    low = np.maximum(np.floor(np.asarray(middle) - reach).astype(int), 0)
    high = np.minimum(np.ceil(np.asarray(middle) + reach).astype(int) + 1, (picture.shape[1], picture.shape[0]))
    if (high <= low).any():
        return None, None, None
    x = np.arange(low[0], high[0], dtype=np.float32)[None, :] - np.float32(middle[0])
    y = np.arange(low[1], high[1], dtype=np.float32)[:, None] - np.float32(middle[1])
    return picture[low[1]:high[1], low[0]:high[0]], x, y


def _blend(part, covered, strength, direction):
    """Lay grey moved along a direction (RGB, levels) times `strength` over a part, where and as far as covered."""
    covered = np.clip(covered, 0, 1)[..., None]
    colour = np.float32(_GREY) + strength[..., None] * np.float32(direction[::-1])
    part[:] = np.clip(np.round(part + covered * (colour - part)), 0, 255).astype(np.uint8)


def _draw_square(picture, marker):
    turn, _ = marker.matrix
    part, x, y = _part(picture, marker.square, 1.5 * _SQUARE * marker.scale)
    if part is None:
        return
    (across_x, across_y), (down_x, down_y) = (np.linalg.inv(turn)).astype(np.float32)
    across, down = across_x * x + across_y * y, down_x * x + down_y * y
    outside = np.maximum(np.abs(across), np.abs(down)) - np.float32(_SQUARE)
    strength = 1 - _FADE * (np.abs(across) + np.abs(down)) / (2 * _SQUARE)
    covered = 0.5 - outside * marker.scale
    lower = np.clip(0.5 + down * marker.scale, 0, 1)                     # the other colour is the opposite
    _blend(part, covered, strength * (1 - 2 * lower), np.array(marker_networks.UPPER) - _GREY)


def _draw_discs(picture, marker):
    for point, direction in zip(marker.landmarks, marker_networks.colours()):
        part, x, y = _part(picture, point, _DISC * marker.scale + 2)
        if part is None:
            continue
        distance = np.sqrt(x * x + y * y) / np.float32(marker.scale)
        strength = 1 - _PALER * np.minimum(distance / _DISC, 1)
        _blend(part, 0.5 + (_DISC - distance) * marker.scale, strength, _PEAK * direction)


# --- workspaces ------------------------------------------------------------------------------

Shots = collections.namedtuple("Shots", "size faces turn")
Shots.__doc__ = """Frames of one kind. size: (width, height), px. faces: how many are in each frame, a list with a
number for each frame. turn: the side on which the faces stand, degrees clockwise."""
Shots.__new__.__defaults__ = ((640, 480), (1,), 0)

DEFAULT = (Shots((640, 480), (1, 0)), Shots((960, 540), (3,)), Shots((1280, 720), (2,)), Shots((640, 480), (1,), 90),
           Shots((640, 480), (1,), 180), Shots((480, 640), (1,), 270))


def build_workspace(folder, shots=DEFAULT, suffix=".png", seed=0):
    """Write frames data_src/00001.png and on into a folder. Return {file name: [Marker of each face]}.

    suffix: ".png", or ".jpg" for quality 100. Raises OSError.
    """
    markers = {}
    for shot in shots:
        for count in shot.faces:
            number = len(markers) + 1
            name = "{:05d}{}".format(number, suffix)
            markers[name] = place(shot.size, count, seed + number, shot.turn)
            picture = draw_frame(shot.size, markers[name], seed + number)
            write(os.path.join(str(folder), "data_src", name), encode(picture, suffix))
    return markers


def match(found, markers, three_d=False):
    """Tell which face is which: for each marker (its number in `found`, a landmark's largest distance in x or y, px).

    found: list of (68, 2) landmarks. Raises ValueError unless there is exactly one for each marker.
    """
    known = [marker.landmarks_3d if three_d else marker.landmarks for marker in markers]
    pairs = []
    for points in known:
        errors = [np.abs(np.asarray(other) - points).max() for other in found]
        best = int(np.argmin(errors)) if errors else -1
        pairs.append((best, errors[best] if errors else None))
    if sorted(number for number, _ in pairs) != list(range(len(found))):
        raise ValueError("{} faces found, {} known, pairs {}".format(len(found), len(markers), pairs))
    return pairs
