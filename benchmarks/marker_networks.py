"""Networks whose answers are known: S3FD.npy, 2DFAN.npy and 3DFAN.npy made by hand for the frames of marker_frames.py.

The real weights cannot be part of this project. These have every name and shape of the real files, so that the
program runs on them unchanged, but few of their numbers are not zero:

* The detector answers to a square, its upper half U coloured, its lower half L coloured. Both colours are found at full
  size, each goes down to a quarter of the size as its strongest value in 4x4 px, and a filter of 7x5 such cells
  compares what is above with what is below: a face on its side or upside down is no face. The finest head gives its
  score; its box is the same for all. The scores fall off slowly around the middle, so that one cell is best.
* The aligner answers, for each of 68 colours, with the square of the distance to it. The body passes the picture on
  at a quarter of its size, the hourglasses add nothing, 1x1 layers make the squares out of straight pieces. A cell
  with something of U, of L or of black in it is punished: the detector's square and what lies outside of a frame.

All that the aligner computes are multiples of 1/16 below 2**20 (its heat maps: divided by 4096) and thus exact in
float32 whatever the order of the sums, and so is the detector up to its norm: rivals for the best place are as far
apart on every machine, or tie on all. Arithmetic of less precision (TF32, half) does not keep that.
`detector_scores` and `heat_maps` compute the same answers without a network.

Also here: the seeded weights, noise made from the names, for which the answers of the original networks are on file.
"""
import collections
import os
import pickle
import zlib

import cv2
import numpy as np

UPPER, LOWER = (255, 0, 0), (0, 255, 255)     # the detector's square, RGB
BOX = 83.7                                    # side of the detector's boxes in px of its input
DISTANT = 300                                 # 2R-G-B beyond which a colour is U, beyond its negative L; U has 510
DARK = 150                                    # R+G+B below which a colour counts as black
TARGET = 125                                  # the aligner's 68 colours' distance from grey, levels
SWAPPED = (61, 67)                            # points that change places in 3DFAN.npy, to tell it from 2DFAN.npy

_GREY = 127.5
_MINUS = (104, 117, 123)                      # what the detector takes off R, G and B
_CONSTANT = 1024.0                            # the norm's other channel: beside it, the answer keeps its proportions
_SHARE = 1 / 64.0                             # of the detector's sums
_SLOPE, _MIDDLE = 0.08, 108.0                 # score = sigmoid(slope * (answer - middle)), about
_LIFT = -2.25                                 # of the box, tenths of 16 px: its bottom gets a tenth longer afterwards
_ROUND = 1.5 * 2 ** 21                        # added and taken off again, leaves multiples of a quarter
_KNOT = 8                                     # px values at which the pieces of a square meet
_UNIT = 4096.0                                # of the heat maps: 64 levels' distance take 1 off
_PUNISH = 512.0                               # levels² for every level of U, L or black
_EPSILON = 1e-5                               # of the batch norms

_BODY = (("conv1_1", 3, 64), ("conv1_2", 64, 64), ("conv2_1", 64, 128), ("conv2_2", 128, 128), ("conv3_1", 128, 256),
         ("conv3_2", 256, 256), ("conv3_3", 256, 256), ("conv4_1", 256, 512), ("conv4_2", 512, 512),
         ("conv4_3", 512, 512), ("conv5_1", 512, 512), ("conv5_2", 512, 512), ("conv5_3", 512, 512),
         ("fc6", 512, 1024), ("fc7", 1024, 1024), ("conv6_1", 1024, 256), ("conv6_2", 256, 512), ("conv7_1", 512, 128),
         ("conv7_2", 128, 256))
_HEADS = (("conv3_3_norm", 256), ("conv4_3_norm", 512), ("conv5_3_norm", 512), ("fc7", 1024), ("conv6_2", 512),
          ("conv7_2", 256))
_STACKS = 4


# --- layouts ---------------------------------------------------------------------------------

def detector_layout():
    """Names and shapes of S3FD.npy: OrderedDict {name: tuple}."""
    layout = collections.OrderedDict()
    for name, inputs, outputs in _BODY:
        _conv(layout, name, 1 if name in ("fc7", "conv6_1", "conv7_1") else 3, inputs, outputs)
    for name, channels in _HEADS[:3]:
        layout[name + "/weight:0"] = (1, 1, 1, channels)
    for number, (name, channels) in enumerate(_HEADS):
        _conv(layout, name + "_mbox_conf", 3, channels, 2 if number else 4)
        _conv(layout, name + "_mbox_loc", 3, channels, 4)
    return layout


def aligner_layout():
    """Names and shapes of 2DFAN.npy and of 3DFAN.npy: OrderedDict {name: tuple}."""
    layout = collections.OrderedDict()
    _conv(layout, "conv1", 7, 3, 64)
    _norm(layout, "bn1", 64)
    for name, inputs, outputs in (("conv2", 64, 128), ("conv3", 128, 128), ("conv4", 128, 256)):
        _block(layout, name, inputs, outputs)
    for stack in range(_STACKS):
        _hourglass(layout, "m_{}".format(stack), 4)
    for stack in range(_STACKS):
        _block(layout, "top_m_{}".format(stack), 256, 256)
    for stack in range(_STACKS):
        _conv(layout, "conv_last_{}".format(stack), 1, 256, 256)
    for stack in range(_STACKS):
        _norm(layout, "bn_end_{}".format(stack), 256)
    for name, inputs, outputs, count in (("l", 256, 68, 4), ("bl", 256, 256, 3), ("al", 68, 256, 3)):
        for stack in range(count):
            _conv(layout, "{}_{}".format(name, stack), 1, inputs, outputs)
    return layout


def _conv(layout, name, side, inputs, outputs, bias=True):
    layout[name + "/weight:0"] = (side, side, inputs, outputs)
    if bias:
        layout[name + "/bias:0"] = (outputs,)


def _norm(layout, name, channels):
    for part in ("weight", "bias", "running_mean", "running_var"):
        layout["{}/{}:0".format(name, part)] = (channels,)


def _block(layout, name, inputs, outputs):
    sizes = (inputs, outputs // 2, outputs // 4, outputs // 4)
    for number in (1, 2, 3):
        _norm(layout, "{}/bn{}".format(name, number), sizes[number - 1])
        _conv(layout, "{}/conv{}".format(name, number), 3, sizes[number - 1], sizes[number], bias=False)
    if inputs != outputs:
        _norm(layout, name + "/down_bn1", inputs)
        _conv(layout, name + "/down_conv1", 1, inputs, outputs, bias=False)


def _hourglass(layout, name, depth):
    _block(layout, name + "/b1", 256, 256)
    _block(layout, name + "/b2", 256, 256)
    (_hourglass(layout, name + "/b2_plus", depth - 1) if depth > 1 else _block(layout, name + "/b2_plus", 256, 256))
    _block(layout, name + "/b3", 256, 256)


# --- weights ---------------------------------------------------------------------------------

def seeded_weights(layout):
    """Noise made from the names: {name: float32 array of the layout's shape}, for comparing whole networks.

    layout: {name: shape}. Variances are 1, means 0, norms' factors 1 (10 where there is one for each channel in a
    4-d array), convolutions normal with the deviation sqrt(2 / inputs), all else with 0.1.
    """
    weights = {}
    for name, shape in layout.items():
        random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7fffffff)
        if "running_var" in name or ("bn" in name and "weight" in name):
            values = np.ones(shape)
        elif "running_mean" in name:
            values = np.zeros(shape)
        elif len(shape) == 4 and tuple(shape[:3]) == (1, 1, 1):
            values = np.full(shape, 10.0)
        else:
            values = random.randn(*shape) * (np.sqrt(2.0 / np.prod(shape[:3])) if len(shape) == 4 else 0.1)
        weights[name] = values.astype(np.float32)
    return weights


def detector_weights():
    """What S3FD.npy holds: {name: float32 array}."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in detector_layout().items()}
    apart = np.float32([2, -1, -1])
    for channel, sign in ((0, 1), (1, -1)):
        weights["conv1_1/weight:0"][1, 1, :, channel] = sign * apart
        weights["conv1_1/bias:0"][channel] = sign * np.dot(apart, _MINUS) - DISTANT
        for name in ("conv1_2", "conv2_1", "conv2_2"):
            weights[name + "/weight:0"][1, 1, channel, channel] = 1
        weights["conv3_1/weight:0"][:, :, channel, channel] = 1
        for row in (0, 2):                                                      # U above, U below, L above, L below
            weights["conv3_2/weight:0"][row, :, channel, 2 * channel + row // 2] = 1
    for channel, row, sign in ((0, 0, 1), (3, 2, 1), (1, 2, -1), (2, 0, -1)):
        weights["conv3_3/weight:0"][row, 1, channel, 0] = sign * _SHARE
    weights["conv3_3/bias:0"][1] = _CONSTANT
    for name, _ in _HEADS[:3]:
        weights[name + "/weight:0"][:] = 1
    weights["conv3_3_norm/weight:0"][..., 0] = _CONSTANT
    weights["conv3_3_norm_mbox_conf/weight:0"][1, 1, 0, 3] = _SLOPE
    weights["conv3_3_norm_mbox_conf/bias:0"][:] = (-1.0, 0.0, -0.5, -_SLOPE * _MIDDLE)    # the second ground is largest
    weights["conv3_3_norm_mbox_loc/bias:0"][:] = (0, _LIFT, _box_exponent(), _box_exponent())
    for name, _ in _HEADS[1:]:
        weights[name + "_mbox_conf/bias:0"][:] = (4, -4)
    return weights


def _box_exponent():
    return np.log(BOX / 16) / 0.2


def colours():
    """The aligner's 68 colours as directions from grey: float64 (68, 3), RGB, unit vectors, at least 20 degrees apart.

    They keep 22 degrees from the directions of U, L and black.
    """
    count = 77                              # evenly spread over the sphere; nine of them lie too close to U, L or black
    place = np.arange(count) + 0.5
    height, turn = 1 - 2 * place / count, place * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height ** 2)
    sphere = np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], axis=1)
    taken = np.array([UPPER, LOWER, (0, 0, 0)]) - _GREY
    closeness = (sphere @ taken.T).max(axis=1)
    return sphere[np.sort(np.argsort(closeness)[:68])]


def _targets(three_d):
    targets = np.round(_GREY + TARGET * colours())
    if three_d:
        targets[list(SWAPPED)] = targets[list(SWAPPED[::-1])]
    return targets


def aligner_weights(three_d=False):
    """What 2DFAN.npy or, for three_d, 3DFAN.npy holds: {name: float32 array}."""
    weights = {}
    for name, shape in aligner_layout().items():
        weights[name] = np.zeros(shape, np.float32)
        if "bn" in name and name.endswith("/weight:0"):
            weights[name][:] = 1
        elif "running_var" in name:
            weights[name][:] = np.float32(1 - _EPSILON)           # 1 with the epsilon
    used = np.arange(6)                                           # R, G, B, and how much U, L, black
    apart = np.array([2, -1, -1])
    taps = np.concatenate([np.eye(3), [apart, -apart, (-1, -1, -1)]]).T * (255 / 4.0)     # (3, 6)
    weights["conv1/weight:0"][3:5, 3:5, :, :6] = taps             # the mean of 2x2 px
    weights["conv1/bias:0"][:6] = _ROUND + np.array([0, 0, 0, -DISTANT, -DISTANT, DARK])
    weights["bn1/running_mean:0"][:6] = _ROUND
    for name in ("conv2/down_conv1", "conv4/down_conv1"):
        weights[name + "/weight:0"][0, 0, used, used] = 1
    for name in weights:
        if name.endswith("/b3/conv1/weight:0"):                   # takes off again what it is added to
            weights[name][1, 1, used, used] = -1
    stack = _STACKS - 1
    knots = np.arange(_KNOT, 256, _KNOT)
    rest, bends = weights["conv_last_{}/weight:0".format(stack)], weights["conv_last_{}/bias:0".format(stack)]
    answers = weights["l_{}/weight:0".format(stack)][0, 0]
    rest[0, 0, used, used] = 1
    for channel in range(3):
        places = 6 + channel * len(knots) + np.arange(len(knots))
        rest[0, 0, channel, places] = 1
        bends[places] = -knots
        answers[places] = -2 * _KNOT / _UNIT                      # together with the first piece: minus the square
    targets = _targets(three_d)
    answers[:3] = (2 * targets.T - _KNOT) / _UNIT
    answers[3:6] = -_PUNISH / _UNIT
    weights["l_{}/bias:0".format(stack)][:] = 1 - (targets ** 2).sum(axis=1) / _UNIT
    return weights


def write(folder):
    """Write S3FD.npy, 2DFAN.npy and 3DFAN.npy into a folder (made if missing). Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    for name, make in (("S3FD.npy", detector_weights), ("2DFAN.npy", aligner_weights),
                       ("3DFAN.npy", lambda: aligner_weights(three_d=True))):
        save(os.path.join(folder, name), make())


def save(path, weights):
    """Write {name: array} as the program's own files are: a pickle of protocol 4."""
    with open(path, "wb") as stream:
        pickle.dump(weights, stream, 4)


# --- the same answers without networks -------------------------------------------------------

def detector_scores(picture):
    """Scores of the detector's finest head; all others are below 0.05 everywhere.

    picture: uint8 (h, w, 3) RGB, the detector's input. Returns float64 (h // 4, w // 4): of the box around the middle
    of each 4x4 px.
    """
    rows, columns = picture.shape[0] // 4, picture.shape[1] // 4
    values = picture[:4 * rows, :4 * columns].astype(np.float64) @ (2.0, -1.0, -1.0)
    blocks = values.reshape(rows, 4, columns, 4)
    upper = np.maximum(blocks.max(axis=(1, 3)) - DISTANT, 0)
    lower = np.maximum(-blocks.min(axis=(1, 3)) - DISTANT, 0)
    kernel = np.zeros((7, 5))
    kernel[:3], kernel[4:] = (1, 2, 3, 2, 1), (-1, -2, -3, -2, -1)
    answer = np.maximum(cv2.filter2D(upper - lower, -1, kernel, borderType=cv2.BORDER_CONSTANT) * _SHARE, 0)
    answer *= _CONSTANT / np.sqrt(answer ** 2 + _CONSTANT ** 2)
    return 1 / (1 + np.exp(-_SLOPE * (answer - _MIDDLE)))


def heat_maps(picture, three_d=False):
    """Heat maps of the aligner for one crop: float64 (68, 64, 64), exactly the network's.

    picture: uint8 (256, 256, 3) RGB.
    """
    fine = picture.astype(np.float64).reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    apart = fine @ (2.0, -1.0, -1.0)
    signs = np.stack([apart - DISTANT, -apart - DISTANT, DARK - fine.sum(axis=-1)], axis=-1)
    coarse = np.concatenate([fine, np.maximum(signs, 0)], axis=-1).reshape(64, 2, 64, 2, 6).mean(axis=(1, 3))
    colour, punished = coarse[..., :3], coarse[..., 3:].sum(axis=-1)
    piece = np.floor(colour / _KNOT)
    squares = ((2 * piece + 1) * colour - piece * (piece + 1) * _KNOT) * _KNOT      # between knots a straight line
    targets = _targets(three_d)
    distance = squares.sum(axis=-1) + _PUNISH * punished
    own = np.moveaxis(colour @ (2 * targets.T), -1, 0) - (targets ** 2).sum(axis=1)[:, None, None]
    return 1 + (own - distance) / _UNIT


def heat_margins(maps):
    """How clearly heat maps decide: (the best cell above the second best, what a quarter cell's direction hangs on).

    maps: float (68, 64, 64). Both are the smallest of all points, the second over x and y: the program moves a point
    by a quarter of a cell to the side whose neighbour is higher. Peaks at the edge count for the first only.
    """
    best, step = np.inf, np.inf
    for answer in np.asarray(maps, np.float64):
        first, second = np.sort(answer, axis=None)[:-3:-1]
        best = min(best, first - second)
        row, column = np.unravel_index(answer.argmax(), answer.shape)
        if 0 < row < answer.shape[0] - 1 and 0 < column < answer.shape[1] - 1:
            step = min(step, abs(answer[row, column + 1] - answer[row, column - 1]),
                       abs(answer[row + 1, column] - answer[row - 1, column]))
    return best, step
