"""One frame merged: its faces one after the other, into an 8-bit picture and an 8-bit mask."""
import numpy as np

from . import blend, faces, warps
from . import settings as modes


def as_bgr8(frame):
    """Return a frame as it was read (uint8 or uint16, 1, 3 or 4 channels) as uint8 (H, W, 3) BGR.

    Grey is repeated, alpha dropped. 16 bits are rounded to 8; stock takes them for 8-bit values and shows white.
    """
    if frame.dtype == np.uint16:
        frame = ((frame.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if frame.ndim == 2:
        frame = frame[..., None]
    if frame.shape[2] < 3:
        return np.repeat(frame[..., :1], 3, axis=2)
    return np.ascontiguousarray(frame[..., :3])


def merge_frame(frame, points, motion, settings, networks):
    """Merge all faces into a frame.

    frame: uint8 (H, W, 3) BGR; it may be changed and returned. points: a (68, 2) array of each face, px, at least
    one. motion: faces.Motion. settings: Settings. networks: faces.Networks.
    Returns (uint8 (H, W, 3), uint8 (H, W, 1)), the merged frame and its mask; in mode raw-predict the picture that
    the network gave, and its mask. Pixels that no mask touches keep their values.
    Answers to stock's merger.MergeMasked, whose result is one picture of four channels.
    """
    background = faces.Background(frame)
    patches = [faces.merge_face(background, face, motion, settings, networks) for face in points]
    if settings.mode == modes.RAW_PREDICT:
        return _raw(patches)
    patches = _combined(frame, patches)
    mask = np.zeros(frame.shape[:2] + (1,), np.uint8)
    for patch in patches:
        blend.lay_down(frame, patch.window, patch.picture, patch.mask, patch.everywhere)
        warps.part(mask, patch.window)[..., 0] = patch.mask * 255
    return frame, mask


def _combined(frame, patches):
    """Return the patches as they look one above the other: each holds all that lies below it.

    Stock mixes every face but the first in once more by its mask, whether they meet or not.
    """
    done = []
    for number, patch in enumerate(patches):
        if patch.window is None:
            continue
        if number:
            patch = _above(frame, patch, done)
        done.append(patch)
    return done


def _above(frame, patch, below):
    """Return a patch mixed by its mask into the frame and the patches below it."""
    under, mask = warps.as_unit_range(warps.part(frame, patch.window)), patch.mask.copy()
    for lower in below:
        shared = _intersection(patch.window, lower.window)
        if shared is not None:
            origin, lower_origin = patch.window[:2], lower.window[:2]
            warps.part(under, shared, origin)[:] = warps.part(lower.picture, shared, lower_origin)
            warps.part(mask, shared, origin)[:] = np.clip(
                warps.part(lower.mask, shared, lower_origin) + warps.part(patch.mask, shared, origin), 0, 1)
    return patch._replace(picture=blend.mix(under, patch.picture, patch.mask), mask=mask, everywhere=True)


def _intersection(first, second):
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def _raw(patches):
    """Combine what the network gave for each face, as stock does: the later above the earlier by its mask."""
    picture, mask = patches[0].picture, patches[0].mask
    for patch in patches[1:]:
        picture = blend.mix(picture, patch.picture, patch.mask)
        mask = np.clip(mask + patch.mask, 0, 1)
    return (picture * 255).astype(np.uint8), (mask * 255).astype(np.uint8)[..., None]
