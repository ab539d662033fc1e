"""One face merged into its frame: cut out, swapped by the network, matched in colour, put back.

Everything is done in the part of the frame that the face and its mask touch; only the degradations (denoise,
bicubic, colours) change all of the frame, as in stock. Answers to stock's merger.MergeMasked.
"""
import collections

import cv2
import numpy as np

from .. import landmarks as geometry
from . import blend, colour_transfer, degrade, histogram_match, masks, poisson, warps
from . import settings as modes

MIN_REGION = 4          # px: smaller faces are left as they are
SEEN = 0.1              # of a mask: from here on it counts for the size of the region

Networks = collections.namedtuple("Networks", "input_size predict segment enhance")
Networks.__doc__ = """The networks that a merge asks, each a function for one face.

input_size: side of the predictor's input, px. predict(float32 (input_size, input_size, 3) BGR 0..1) returns the
swapped face, its mask and the mask of the target, float32 of that side. segment(float32 (256, 256, 3)) returns a
float32 mask (256, 256[, 1]). enhance(float32 (s, s, 3)) returns float32 (4 s, 4 s, 3)."""

Motion = collections.namedtuple("Motion", "power degrees")
Motion.__doc__ = """How far a face moves between the frames before and after it: px of a 256 px face, degrees."""

Patch = collections.namedtuple("Patch", "window picture mask everywhere")
Patch.__doc__ = """What a face changes. window: of the frame, None for nothing. picture: float32 (h, w, 3) 0..1.
mask: float32 (h, w). everywhere: whether pixels outside of the mask change, too."""

class AnswerError(ValueError):
    """A network gave something that is no picture."""


NOTHING = Patch(None, None, None, False)


class Background:
    """A frame and what its faces share: its degraded copy is made once."""

    def __init__(self, frame):
        """frame: uint8 (H, W, 3) BGR."""
        self.frame = frame
        self._degraded = {}

    def degraded(self, settings):
        """Return the frame after denoising and bicubic rescaling: float32 (H, W, 3) 0..1."""
        key = settings.image_denoise_power, settings.bicubic_degrade_power
        if key not in self._degraded:
            picture = degrade.denoise(self.frame, key[0]) if key[0] else warps.as_unit_range(self.frame)
            self._degraded[key] = degrade.bicubic_rescale(picture, key[1]) if key[1] else picture
        return self._degraded[key]


def merge_face(background, points, motion, settings, networks):
    """Return the Patch of one face. points: (68, 2), px of the frame. motion: Motion. settings: Settings.

    In mode raw-predict the window is None and picture and mask have the side of the face.
    """
    face = _Face(background, np.asarray(points), settings, networks)
    if settings.mode == modes.RAW_PREDICT:
        return Patch(None, np.clip(face.predicted[0], 0, 1), face.mask, True)
    if settings.mode == modes.RAW_RGB:
        return face.raw_rgb()
    window, mask = face.mask_in_frame()
    if window is None:
        return NOTHING
    under = warps.as_unit_range(warps.part(background.frame, window))
    if settings.mode == modes.ORIGINAL or not _is_large_enough(mask):
        return Patch(window, under, mask, False)
    merged = _first_pass(face, window, under, mask)
    if settings.has_second_pass:
        merged = _second_pass(face, window, under, merged, mask, motion)
    elif settings.changes_whole_frame:
        merged = face.in_whole_frame(warps.as_unit_range(background.frame), window, merged)
    if settings.changes_whole_frame:
        return face.whole_patch(window, mask, merged)
    return Patch(window, merged, mask, False)


class _Face:
    """One face of one frame with its matrices, its prediction and its mask."""

    def __init__(self, background, points, settings, networks):
        self.background, self.points, self.settings, self.networks = background, points, settings, networks
        self.input_size = networks.input_size
        self.mask_size = 4 * self.input_size
        self.size = self.mask_size if settings.super_resolution_power else self.input_size
        kind = settings.face_type
        scale = 1.0 + 0.01 * settings.output_face_scale
        self.to_face = geometry.alignment_matrix(points, self.size, kind)
        self.to_placed = self.to_face if scale == 1.0 else geometry.alignment_matrix(points, self.size, kind, scale)
        self.to_mask = (self.to_placed if self.mask_size == self.size
                        else geometry.alignment_matrix(points, self.mask_size, kind, scale))
        self.target = np.clip(masks.cut_from_frame(background.frame, self.to_face, self.size), 0, 1)
        self.predicted = self._predict() if settings.needs_prediction else None
        self._make_mask()

    def _predict(self):
        """Ask the network: the face, its mask and the target's mask, all of side `size`, 0..1."""
        power = self.settings.super_resolution_power
        answer = self.networks.predict(cv2.resize(self.target, (self.input_size, self.input_size)))
        face, mask, target_mask = (np.clip(np.asarray(part, np.float32), 0, 1) for part in answer)
        if not all(np.isfinite(part).all() for part in (face, mask, target_mask)):
            raise AnswerError("the model's answer holds values that are no numbers; its files are damaged, or its "
                              "training has collapsed: take an older backup")
        if power:
            sides = (self.size, self.size)
            share = power / 100.0
            enhanced = np.asarray(self.networks.enhance(face), np.float32)
            face = np.clip(cv2.resize(face, sides) * (1.0 - share) + enhanced * share, 0, 1)
            mask = cv2.resize(mask, sides, interpolation=cv2.INTER_CUBIC)
            target_mask = cv2.resize(target_mask, sides, interpolation=cv2.INTER_CUBIC)
        return face, mask, target_mask

    def _make_mask(self):
        """Set large_mask, of side mask_size, and mask, of side `size`."""
        settings = self.settings
        mask = masks.choose(self.background.frame, self.points, self.to_face, self.predicted, self.size, settings,
                            self.networks)
        if self.size != self.mask_size:
            mask = cv2.resize(mask, (self.mask_size, self.mask_size), interpolation=cv2.INTER_CUBIC)
        if not settings.is_raw:
            mask = masks.shape_edges(mask, self.input_size, settings.erode_mask_modifier, settings.blur_mask_modifier)
        self.large_mask = mask
        if self.size != self.mask_size:
            mask = cv2.resize(mask, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
        self.mask = mask

    def area(self):
        """Where the mask is above zero: float32 (size, size, 1)."""
        area = self.mask.copy()
        area[area > 0] = 1.0
        return area[..., None]

    def mask_in_frame(self):
        """Return (window, mask float32 (h, w)) of the mask in the frame, (None, None) if it is empty there."""
        box = masks.box_of(self.large_mask)
        window = None if box is None else warps.window_of(self.to_mask, box, self.background.frame.shape)
        if window is None:
            return None, None
        mask = warps.Placement(self.to_mask, window).paste(self.large_mask)
        blend.clean(mask, masks.NOISE)
        return window, mask

    def raw_rgb(self):
        """The prediction as a square in the frame; the mask is what would have been used."""
        whole = (0, 0, self.size, self.size)
        window = warps.window_of(self.to_placed, whole, self.background.frame.shape)
        mask_window, mask = self.mask_in_frame()
        if window is None and mask_window is None:
            return NOTHING
        both = warps.union(window, mask_window)
        picture = warps.as_unit_range(warps.part(self.background.frame, both))
        if window is not None:
            placement = warps.Placement(self.to_placed, window)
            square = placement.paste(np.ones((self.size, self.size), np.float32))
            inner = warps.part(picture, window, both[:2])
            inner[:] = np.clip(blend.mix(inner, placement.paste(self.predicted[0]), square), 0, 1)
        return Patch(both, picture, _widened(mask, mask_window, both), True)

    def in_whole_frame(self, picture, window, part):
        """Put a part into a whole picture (float32, changed) and return it."""
        warps.part(picture, window)[:] = part
        return picture

    def whole_patch(self, window, mask, picture):
        """The Patch of a face whose settings change all of the frame; colours are reduced last."""
        power = self.settings.color_degrade_power
        if power:
            reduced = degrade.reduce_colours(picture)
            share = power / 100.0
            picture = reduced if power == 100 else picture * (1.0 - share) + reduced * share
        height, width = picture.shape[:2]
        whole = (0, 0, width, height)
        return Patch(whole, picture, _widened(mask, window, whole), True)


def _widened(mask, window, wider):
    """Return a mask in a wider window: float32, zero outside of its own."""
    result = np.zeros((wider[3] - wider[1], wider[2] - wider[0]), np.float32)
    if window is not None:
        warps.part(result, window, wider[:2])[:] = mask
    return result


def _is_large_enough(mask):
    left, top, width, height = cv2.boundingRect((mask >= SEEN).astype(np.uint8))
    return min(width, height) > MIN_REGION


def _first_pass(face, window, under, mask):
    """Match colours, place the face and mix it in: float32 (h, w, 3) of the window."""
    settings = face.settings
    picture = face.predicted[0]
    if not settings.is_seamless and settings.color_transfer_mode:
        picture = colour_transfer.transfer(settings.color_transfer_mode, picture, face.target, face.area())
    if settings.mode == modes.HIST_MATCH:
        area = face.area() if settings.masked_hist_match else np.ones_like(face.mask)[..., None]
        picture = histogram_match.match_masked(picture, face.target, area, settings.hist_match_threshold)
    placed = np.clip(warps.Placement(face.to_placed, window).paste(picture), 0, 1)
    if settings.is_seamless:
        placed = _seamless(face.background.frame, placed, mask, window)
    return blend.mix(under, placed, mask)


def _seamless(frame, placed, mask, window):
    """Clone the face into the frame; where that cannot be done it stays as it is, as in stock."""
    for tenths in range(1, 10):
        core = (mask > tenths / 10.0).astype(np.uint8) * np.uint8(255)
        if core.any():
            break
    try:
        cloned = poisson.seamless_clone(frame, (placed * 255).astype(np.uint8), core, window[0], window[1])
    except ValueError:
        return placed
    return warps.as_unit_range(cloned)


def _second_pass(face, window, under, merged, mask, motion):
    """Cut the face out of the merged frame, work on it and put it back.

    Returns float32 (h, w, 3) of the window, of the whole frame where that is degraded.
    """
    settings, frame = face.settings, face.background.frame
    around = warps.union(window, warps.source_window(face.to_face, face.size, frame.shape))
    scene = warps.as_unit_range(warps.part(frame, around))
    warps.part(scene, window, around[:2])[:] = merged
    picture = _work_on(warps.cut_face(scene, face.to_face, face.size, around[:2]), face, motion)
    back = warps.Placement(face.to_face, window).paste(picture)
    if not settings.changes_whole_frame:
        return np.clip(blend.mix(under, back, mask), 0, 1)
    whole = np.clip(face.background.degraded(settings), 0, 1)
    degraded = warps.part(face.background.degraded(settings), window)
    return face.in_whole_frame(whole, window, np.clip(blend.mix(degraded, back, mask), 0, 1))


def _work_on(picture, face, motion):
    """The second pass on the face itself: float32 (size, size, 3)."""
    settings = face.settings
    if settings.is_seamless and settings.color_transfer_mode:
        picture = colour_transfer.transfer(settings.color_transfer_mode, picture, face.target, face.area())
    if settings.mode == modes.SEAMLESS_HIST_MATCH:
        picture = histogram_match.match(picture, face.target, settings.hist_match_threshold)
    length = int(motion.power * (settings.motion_blur_power / 100.0))
    if length >= 1:
        length = min(max(length + 1, 2), 50) * (2 if settings.super_resolution_power else 1)
        picture = degrade.motion_blur(picture, length, motion.degrees)
    if settings.blursharpen_amount:
        picture = degrade.blur_sharpen(picture, settings.sharpen_mode, settings.blursharpen_amount)
    return picture
