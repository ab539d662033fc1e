"""Merge the faces of a folder in the obvious way: whole frames of floats, one after the other, in one process.

    python tests/naive/merge.py FRAMES ALIGNED OUTPUT MASKS [--mode MODE] [--mask-mode N] [--erode N] [--blur N]
                                [--transfer none|rct]

Modes original, overlay and seamless; mask modes 0 to 5; whole_face; the network is that of tests/stand_in. Results
are PNGs. OpenCV's warping, resizing, blurring and cloning are taken as given. All pictures are BGR; within a
function they are float32 in 0..1. First all faces are read, as a merge has to: where they are tells their metadata.
"""
import argparse
import os
import sys

import cv2
import numpy as np

if __package__ in (None, ''):                    # run as a script
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from naive import landmarks as naive_landmarks  # noqa: E402
from naive import metadata  # noqa: E402

SIDE = 64                   # of the network's faces, px
FINE = 4 * SIDE             # of the mask that is worked on
NOISE = 1 / 255.0           # less than that in a mask is none
EXTENSIONS = ('.jpg', '.jpeg', '.png', '.tif', '.tiff')


def soft_ellipse(side):
    mask = np.zeros((side, side), np.float32)
    cv2.ellipse(mask, (side // 2, side // 2), (side * 2 // 5, side * 9 // 20), 0, 0, 360, 1, -1)
    return cv2.GaussianBlur(mask, (15, 15), 0)


def predict(face):
    """What the network answers for a face: another face, its mask, the mask of the given one."""
    mask = soft_ellipse(len(face))
    return np.clip(face[..., ::-1] * 0.8 + 0.1, 0, 1), mask, mask * 0.9


def cubic(picture, side):
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)


def into_frame(picture, matrix, width, height):
    """A face, or its mask, laid where it belongs in a frame; black around it."""
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC)


def working_mask(mode, frame_shape, points, prediction):
    """The mask of the chosen kind, (SIDE, SIDE)."""
    _, mask, target_mask = prediction
    if mode == 1:
        hull = np.array(naive_landmarks.hull_mask(frame_shape, points), np.float32)
        matrix = np.array(naive_landmarks.alignment_matrix(points, SIDE, 'whole_face'))
        return np.clip(cv2.warpAffine(hull, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC), 0, 1)
    chosen = {0: np.ones_like(mask), 2: mask, 3: target_mask, 4: mask * target_mask,
              5: np.clip(mask + target_mask, 0, 1)}[mode]
    return np.where(chosen < NOISE, np.float32(0), chosen)


def shape_edges(mask, erode, blur):
    """Shrink or grow a mask, (FINE, FINE), clear what lies too near to its border, and blur it."""
    mask = np.pad(mask, SIDE, mode='constant')
    if erode:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(erode), abs(erode)))
        mask = cv2.erode(mask, kernel) if erode > 0 else cv2.dilate(mask, kernel)
    border = SIDE + blur // 2
    cleared = np.zeros_like(mask)
    cleared[border:-border, border:-border] = mask[border:-border, border:-border]
    if blur:
        cleared = cv2.GaussianBlur(cleared, (blur | 1, blur | 1), 0)
    return np.clip(cleared[SIDE:-SIDE, SIDE:-SIDE], 0, 1)


def transfer_colours(face, model, mask):
    """Reinhard et al. 2001: mean and deviation of each CIELAB channel as in `model`, both counted in the mask."""
    face, model = cv2.cvtColor(face, cv2.COLOR_BGR2LAB), cv2.cvtColor(model, cv2.COLOR_BGR2LAB)
    result = np.empty_like(face)
    for channel, (low, high) in enumerate([(0, 100), (-127, 127), (-127, 127)]):
        mine = np.where(mask > 0, face[..., channel], np.float32(0))
        theirs = np.where(mask > 0, model[..., channel], np.float32(0))
        moved = (face[..., channel] - mine.mean()) * theirs.std() / mine.std() + theirs.mean()
        result[..., channel] = np.clip(moved, low, high)
    return np.clip(cv2.cvtColor(result, cv2.COLOR_LAB2BGR), 0, 1)


def clone_seamlessly(face, frame, mask):
    """Poisson cloning of a frame-sized face picture where the mask is highest."""
    for tenth in range(1, 10):
        area = mask > tenth / 10.0
        if area.any():
            break
    area = area.astype(np.uint8) * 255
    left, top, width, height = cv2.boundingRect(area)
    done = cv2.seamlessClone((face * 255).astype(np.uint8), (frame * 255).round().astype(np.uint8), area,
                             (int(left + width / 2), int(top + height / 2)), cv2.NORMAL_CLONE)
    return done.astype(np.float32) / 255


def merge_face(frame, points, mode='overlay', mask_mode=4, erode=0, blur=0, transfer='rct'):
    """Merge one face, (68, 2) px, into a frame: (frame, mask (h, w))."""
    height, width = frame.shape[:2]
    matrix = np.array(naive_landmarks.alignment_matrix(points, SIDE, 'whole_face'))
    fine_matrix = np.array(naive_landmarks.alignment_matrix(points, FINE, 'whole_face'))
    model = np.clip(cv2.warpAffine(frame, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC), 0, 1)
    prediction = predict(model)
    face = prediction[0]
    fine_mask = shape_edges(cubic(working_mask(mask_mode, frame.shape, points, prediction), FINE), erode, blur)
    mask = np.clip(into_frame(fine_mask, fine_matrix, width, height), 0, 1)
    mask[mask < NOISE] = 0
    rows, columns = np.nonzero(mask >= 0.1)
    if mode == 'original' or not len(rows) or min(np.ptp(rows), np.ptp(columns)) < 4:
        return frame, mask
    if mode == 'overlay' and transfer == 'rct':
        face = transfer_colours(face, model, cubic(fine_mask, SIDE))
    laid = np.clip(into_frame(face, matrix, width, height), 0, 1)
    if mode == 'seamless':
        laid = clone_seamlessly(laid, frame, mask)
    weight = mask[..., None]
    merged = frame * (1 - weight) + laid * weight
    if mode == 'seamless' and transfer == 'rct':
        again = cv2.warpAffine(merged, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
        again = transfer_colours(again, model, cubic(fine_mask, SIDE))
        merged = np.clip(frame * (1 - weight) + into_frame(again, matrix, width, height) * weight, 0, 1)
    return merged, mask


def merge_frame(picture, faces, **settings):
    """Merge all faces, each (68, 2) px, into an 8-bit frame: (8-bit frame, 8-bit mask)."""
    frame = picture.astype(np.float32) / 255
    merged, mask = None, None
    for points in faces:
        one, its_mask = merge_face(frame, points, **settings)
        if merged is None:
            merged, mask = one, its_mask
        else:
            merged = merged * (1 - its_mask[..., None]) + one * its_mask[..., None]
            mask = np.clip(mask + its_mask, 0, 1)
    result = (merged * 255).astype(np.uint8)
    untouched = mask == 0
    result[untouched] = picture[untouched]
    return result, (mask * 255).astype(np.uint8)


def faces_of_frames(aligned):
    """The landmarks of all faces of a folder: {stem of the frame: [(68, 2) px]}."""
    found = {}
    for name in sorted(os.listdir(aligned)):
        data = metadata.read_metadata(os.path.join(aligned, name))[1]
        if data:
            stem = os.path.splitext(data['source_filename'])[0]
            found.setdefault(stem, []).append(np.array(data['source_landmarks']))
    return found


def merge_folder(frames, aligned, output, masks, **settings):
    """Merge all frames of a folder; one without a face is only copied."""
    faces = faces_of_frames(aligned)
    for name in sorted(os.listdir(frames)):
        stem, extension = os.path.splitext(name)
        if extension.lower() not in EXTENSIONS:
            continue
        picture = cv2.imread(os.path.join(frames, name))
        if stem in faces:
            picture, mask = merge_frame(picture, faces[stem], **settings)
        else:
            mask = np.zeros(picture.shape[:2], np.uint8)
        cv2.imwrite(os.path.join(output, stem + '.png'), picture)
        cv2.imwrite(os.path.join(masks, stem + '.png'), mask)


def main(words=None):
    parser = argparse.ArgumentParser()
    for name in ('frames', 'aligned', 'output', 'masks'):
        parser.add_argument(name)
    parser.add_argument('--mode', choices=['original', 'overlay', 'seamless'], default='overlay')
    parser.add_argument('--mask-mode', type=int, choices=range(6), default=4)
    parser.add_argument('--erode', type=int, default=0)
    parser.add_argument('--blur', type=int, default=0)
    parser.add_argument('--transfer', choices=['none', 'rct'], default='rct')
    merge_folder(**vars(parser.parse_args(words)))


if __name__ == '__main__':
    main()
