"""The mask of a merged face: chosen by mask mode, eroded and blurred in the face's own space.

A face's side is the network's input side, four times that with super resolution; masks are worked on at four
times the input side always. All masks are float32 0..1.
"""
import cv2
import numpy as np

from .. import landmarks as geometry
from . import settings as modes
from . import warps

XSEG_SIDE = 256
NOISE = 1.0 / 255.0     # what is below cannot be seen and is taken for zero


def choose(frame, points, face, predicted, size, settings, networks):
    """Return the mask of a face as the mask mode says: float32 (size, size), noise removed, or (4 input sides, ...).

    frame: uint8 (H, W, 3) BGR. points: (68, 2), px of the frame. face: matrix, float64 (2, 3), of the frame to the
    face of that size. predicted: (face, mask, mask of the target) of the network, sides `size`, None if the mode
    needs no prediction. networks: see faces.Networks. Answers to the first part of stock's MergeMaskedFace.
    """
    mode = settings.mask_mode
    if mode == modes.FULL:
        mask = np.ones((size, size), np.float32)
    elif mode == modes.DST:
        mask = _hull(frame, points, face, size)
    else:
        masks = []
        if mode in modes.LEARNED:
            masks += {2: [predicted[1]], 3: [predicted[2]]}.get(mode, [predicted[1], predicted[2]])
        if mode in modes.XSEG_OF_PREDICTION:
            seen = cv2.resize(predicted[0], (XSEG_SIDE, XSEG_SIDE), interpolation=cv2.INTER_CUBIC)
            masks.append(_resized(networks.segment(seen), size))
        if mode in modes.XSEG_OF_FRAME:
            matrix = geometry.alignment_matrix(points, XSEG_SIDE, settings.face_type)
            seen = cut_from_frame(frame, matrix, XSEG_SIDE)
            masks.append(_resized(networks.segment(seen), size))
        mask = np.array(masks[0], np.float32)
        for other in masks[1:]:
            mask = np.clip(mask + other, 0, 1) if mode == 5 else mask * other
    mask[mask < NOISE] = 0.0
    return mask


def _resized(mask, size):
    return cv2.resize(np.asarray(mask, np.float32), (size, size), interpolation=cv2.INTER_CUBIC)


def cut_from_frame(frame, matrix, size):
    """Warp a face out of an 8-bit frame: float32 (size, size, 3) 0..1, overshoots of the interpolation included."""
    window = warps.source_window(matrix, size, frame.shape)
    if window is None:
        return np.zeros((size, size, 3), np.float32)
    return warps.cut_face(warps.as_unit_range(warps.part(frame, window)), matrix, size, window[:2])


def _hull(frame, points, matrix, size):
    """The hull of the landmarks, drawn in the frame and warped into the face.

    It is drawn whole, as far as it lies in the frame: where cv2 clips an edge, it rounds otherwise.
    """
    window = warps.source_window(matrix, size, frame.shape)
    if window is None:
        return np.zeros((size, size), np.float32)
    left, top, right, bottom = warps.union(window, _window_of_hull(frame.shape, points))
    hull = geometry.hull_mask((bottom - top, right - left), points, origin=(left, top))
    return np.clip(warps.cut_face(hull.astype(np.float32), matrix, size, (left, top)), 0, 1)


def _window_of_hull(shape, points):
    """The window of a frame that the hull touches, None for none; the raised brows are counted in."""
    low, high = geometry.hull_box(points)
    left, top = (int(max(0, value - 2)) for value in low)
    right, bottom = (int(min(side, value + 3)) for side, value in zip((shape[1], shape[0]), high))
    return (left, top, right, bottom) if left < right and top < bottom else None


def shape_edges(mask, input_size, erode, blur):
    """Erode (or, below zero, dilate) and blur a mask, so that it fades to zero within its square.

    mask: float32 (4 * input_size, same). erode, blur: px. Returns float32 of that shape, 0..1.
    Only the part that is not zero is worked on. Answers to stock's MergeMaskedFace.
    """
    pad = input_size
    padded = mask.shape[0] + 2 * pad
    result = np.zeros_like(mask)
    box = box_of(mask)
    if box is None:
        return result
    reach = abs(erode) // 2 + 1 + blur // 2 + 1
    left, top = (max(0, edge + pad - reach) for edge in box[:2])
    right, bottom = (min(padded, edge + pad + reach) for edge in box[2:])
    work = np.zeros((bottom - top, right - left), np.float32)
    warps.part(work, tuple(edge + pad for edge in box), (left, top))[:] = warps.part(mask, box)
    if erode:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(erode), abs(erode)))
        work = (cv2.erode if erode > 0 else cv2.dilate)(work, kernel)
    _clear_border(work, (left, top), padded, pad + blur // 2)
    if blur:
        side = blur + (1 - blur % 2)
        work = cv2.GaussianBlur(work, (side, side), 0)
    shown = (max(left, pad), max(top, pad), min(right, padded - pad), min(bottom, padded - pad))
    if shown[0] < shown[2] and shown[1] < shown[3]:
        part = np.clip(warps.part(work, shown, (left, top)), 0, 1)
        warps.part(result, tuple(edge - pad for edge in shown))[:] = part
    return result


def _clear_border(work, origin, side, border):
    """Set to zero what lies within `border` px of the edges of a square of which `work` is a part."""
    left, top = origin
    inner = (border - left, border - top, side - border - left, side - border - top)
    work[:max(0, inner[1])] = 0
    work[max(0, inner[3]):] = 0
    work[:, :max(0, inner[0])] = 0
    work[:, max(0, inner[2]):] = 0


def box_of(mask):
    """Return (left, top, right, bottom) of what is not zero in a mask, None if all is."""
    left, top, width, height = cv2.boundingRect((mask != 0).astype(np.uint8))
    return (left, top, left + width, top + height) if width else None
