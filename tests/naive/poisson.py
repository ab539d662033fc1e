"""Seamless cloning as cv2.seamlessClone of OpenCV 4.1.0 does it, in float64, with sine transforms as dense matrices.

`python tests/naive/poisson.py FILE` freezes results of the real one into an .npz; it asks for OpenCV 4.1.0.
"""
import sys

import numpy as np


def boxes(mask):
    """Return (mask without the frame's outermost pixels, where its box is, where it is put): pairs of slices.

    mask: bool (H, W). Raises ValueError where OpenCV fails.
    """
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    if not len(rows):
        raise ValueError("empty")
    centre = [lines[0] + (lines[-1] - lines[0] + 1) // 2 for lines in (rows, columns)]
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1]
    source, target = [], []
    for axis, middle in enumerate(centre):
        lines = np.nonzero(inner.any(1 - axis))[0]
        if not len(lines) or lines[-1] - lines[0] < 2:
            raise ValueError("small")
        side = lines[-1] - lines[0] + 1
        source.append(slice(lines[0], lines[-1] + 1))
        target.append(slice(middle - side // 2, middle - side // 2 + side))
    return inner, tuple(source), tuple(target)


def erode(mask):
    """Take away what is less than three pixels from the outside of the mask."""
    for _ in range(3):
        wide = np.pad(mask, 1, "constant")
        mask = np.all([wide[y:y + mask.shape[0], x:x + mask.shape[1]] for y in range(3) for x in range(3)], axis=0)
    return mask


def gradients(picture):
    """Return the forward differences across and down, zero in the last column and row."""
    across, down = np.zeros_like(picture), np.zeros_like(picture)
    across[:, :-1] = picture[:, 1:] - picture[:, :-1]
    down[:-1] = picture[1:] - picture[:-1]
    return across, down


def right_side(under, patch, core):
    """Return the divergence of the gradients, the patch's in the core, the frame's elsewhere: (h - 2, w - 2, 3)."""
    across, down = (np.where(core[..., None], new, old) for new, old in zip(gradients(patch), gradients(under)))
    return (across[1:-1, 1:-1] - across[1:-1, :-2]) + (down[1:-1, 1:-1] - down[:-2, 1:-1])


def eigenvalues(side, single):
    turns = np.pi / (side - 1) * np.arange(1, side - 1)
    if single:
        return np.float32(2) * np.cos(turns).astype(np.float32)
    return -4 * np.sin(turns / 2) ** 2


def solve(under, patch, core, single=True):
    """Return the clone in its box before it is cut to 0..255: float64 (h, w, 3).

    under, patch: float64 (h, w, 3). core: bool (h, w). single: with the eigenvalues rounded as OpenCV rounds them.
    """
    height, width = core.shape
    border = under.copy()
    border[1:-1, 1:-1] = 0
    right = right_side(under, patch, core)
    right = right - (border[:-2, 1:-1] + border[2:, 1:-1] + border[1:-1, :-2] + border[1:-1, 2:])
    down, across = eigenvalues(height, single), eigenvalues(width, single)
    if single:
        divisor = (across + down[:, None] - np.float32(4)).astype(np.float64)
    else:
        divisor = across + down[:, None]
    sines_y, sines_x = (np.sin(np.pi / (side - 1) * np.outer(np.arange(1, side - 1), np.arange(1, side - 1)))
                        for side in (height, width))
    result = under.copy()
    for channel in range(3):
        waves = sines_y.dot(right[..., channel]).dot(sines_x) / divisor
        result[1:-1, 1:-1, channel] = sines_y.dot(waves).dot(sines_x) * (4.0 / ((height - 1) * (width - 1)))
    return result


def clone(frame, patch, mask):
    """Return the whole frame with the patch cloned in, not yet cut to 0..255: float64 (H, W, 3).

    frame, patch: uint8 (H, W, 3). mask: uint8 (H, W). Raises ValueError where OpenCV fails.
    """
    inner, source, target = boxes(mask != 0)
    result = frame.astype(np.float64)
    result[target] = solve(result[target], patch[source].astype(np.float64), erode(inner)[source])
    return result


# --- frozen results --------------------------------------------------------------------------

def scene(height, width, seed):
    """A frame and a patch: soft slopes with a little noise, uint8 (height, width, 3) each."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width, :1][:2]
    channel = np.arange(3)
    frame = 120 + 60 * np.sin(x / 9.0 + channel) * np.cos(y / 13.0) + random.randint(-3, 4, (height, width, 3))
    patch = 100 + 90 * np.cos(x / 17.0 - channel) * np.sin(y / 7.0) + random.randint(-3, 4, (height, width, 3))
    return frame.astype(np.uint8), patch.astype(np.uint8)


def ellipse(height, width, centre, axes):
    """A mask: uint8 (height, width), 0 or 255. centre, axes: (x, y)."""
    y, x = np.mgrid[:height, :width]
    inside = ((x - centre[0]) / float(axes[0])) ** 2 + ((y - centre[1]) / float(axes[1])) ** 2 <= 1
    return inside.astype(np.uint8) * np.uint8(255)


def rectangles(height, width, *boxes_of_it):
    """A mask of boxes (left, top, width, height)."""
    mask = np.zeros((height, width), np.uint8)
    for left, top, across, down in boxes_of_it:
        mask[top:top + down, left:left + across] = 255
    return mask


MASKS = {
    (61, 83): [
        ellipse(61, 83, (40, 30), (17, 22)), ellipse(61, 83, (6, 8), (20, 15)), ellipse(61, 83, (80, 50), (14, 19)),
        rectangles(61, 83, (10, 10, 40, 41)), rectangles(61, 83, (0, 0, 31, 30)),
        rectangles(61, 83, (52, 31, 31, 30)), rectangles(61, 83, (0, 0, 83, 61)),
        rectangles(61, 83, (20, 20, 7, 9), (45, 22, 11, 20))],
    (48, 50): [
        ellipse(48, 50, (25, 20), (13, 19)), rectangles(48, 50, (0, 0, 50, 48)),
        rectangles(48, 50, (0, 0, 50, 1), (5, 12, 17, 20)), rectangles(48, 50, (33, 10, 17, 20), (3, 12, 14, 14))]}
LARGE = ((2160, 2110), (1040, 1083), (1002, 1078))    # frame, centre and axes of an ellipse
FRAME_COLOUR, PATCH_COLOUR = (255, 200, 128), (0, 90, 255)
LARGE_STEP = 24     # px between the pixels that are kept of the large clone


def large():
    """Plain colours under a face that fills a 4K frame: the rounding of the longest waves, seen alone."""
    shape = LARGE[0] + (3,)
    return np.full(shape, FRAME_COLOUR, np.uint8), np.full(shape, PATCH_COLOUR, np.uint8), ellipse(
        *(LARGE[0] + LARGE[1:]))


def freeze(path):
    import cv2
    if cv2.__version__ != "4.1.0":
        sys.exit("This is OpenCV {}, not 4.1.0.".format(cv2.__version__))

    def real(frame, patch, mask):
        left, top, width, height = cv2.boundingRect(mask)
        centre = int(left + width / 2), int(top + height / 2)
        return cv2.seamlessClone(patch, frame, mask, centre, cv2.NORMAL_CLONE)
    kept = {}
    for number, ((height, width), masks) in enumerate(sorted(MASKS.items())):
        frame, patch = scene(height, width, number)
        kept.update({"frame{}".format(number): frame, "patch{}".format(number): patch,
                     "masks{}".format(number): np.packbits(np.array(masks) != 0),
                     "changes{}".format(number): np.array([real(frame, patch, mask) for mask in masks]) - frame})
    kept["large"] = real(*large())[::LARGE_STEP, ::LARGE_STEP]
    np.savez_compressed(path, **kept)


if __name__ == "__main__":
    freeze(sys.argv[1])
