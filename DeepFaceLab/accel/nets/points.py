"""From a face's rectangle to what the aligner looks at, and from its answer to 68 landmarks in the picture.

Stock's arithmetic (facelib.FANExtractor), float64, for all landmarks at once.
"""
import cv2
import numpy as np

from .fan import MAP_SIZE, SIZE

_SIDE = 200.0      # px of a crop of scale 1,
_FACE = 195.0      # which belongs to a face whose width and height together have this many px
# Where five samples of one face are centred, relative to its middle, px.
_SAMPLES = ((0, 0), (-1, -1), (1, -1), (1, 1), (-1, 1))


class Sample:
    """One look at a face: a square around `centre` (float64 (2,), px), `scale` times 200 px wide."""

    def __init__(self, centre, scale):
        self.centre, self.scale = centre, scale

    def crop(self, image):
        """Return the square, uint8 (256, 256, 3), black where the picture (uint8 (H, W, 3)) does not reach.

        None where stock has nothing to look at: a square of no size or of one that no memory holds, and most squares
        beside the picture.
        """
        try:
            to_image = self._to_image(float(SIZE))
            (left, top), (right, bottom) = (np.matmul(to_image, corner)[:2].astype(np.int64).tolist()
                                            for corner in (_FIRST, _LAST))
            height, width = image.shape[:2]
            if not (_is_seen(left, right, width) and _is_seen(top, bottom, height)):
                return None
            square = np.zeros((bottom - top, right - left, image.shape[2]), np.uint8)
        except (ArithmeticError, ValueError, MemoryError, np.linalg.LinAlgError):
            return None
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if x0 < x1 and y0 < y1:
            square[y0 - top:y1 - top, x0 - left:x1 - left] = image[y0:y1, x0:x1]
        return cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)

    def landmarks(self, peaks):
        """Return float64 (68, 2), px of the picture, from the peaks of a crop's heat maps, as fan.FAN.run has them."""
        places = np.ones((len(peaks), 3, 1))
        places[:, :2, 0] = peaks.astype(np.float64) + 0.5
        return np.matmul(self._to_image(MAP_SIZE), places)[:, :2, 0]

    def _to_image(self, resolution):
        """Matrix, float64 (3, 3), from the square shown in `resolution` px to the picture."""
        side = _SIDE * self.scale
        to_square = np.eye(3)
        to_square[0, 0] = to_square[1, 1] = resolution / side
        to_square[:2, 2] = [resolution * (-middle / side + 0.5) for middle in self.centre]
        return np.linalg.inv(to_square)


_FIRST = np.array([1.0, 1.0, 1.0])
_LAST = np.array([float(SIZE), float(SIZE), 1.0])


def _is_seen(low, high, length):
    """Whether stock takes a square from low to high out of a picture of this length, along one axis.

    Beside the picture its slices have negative ends, which count from the other side: near it they do not fit each
    other, far from it both are empty, and it sees a black square.
    """
    if high < 0:
        return low < high <= 1 - length
    return low < high and (low <= length or high - low <= low - length)


def samples(rect, several=False):
    """Return the Samples of a face: one, or five whose mean counts. rect: left, top, right, bottom, px."""
    left, top, right, bottom = rect
    scale = (right - left + bottom - top) / _FACE
    middle = np.array([(left + right) / 2.0, (top + bottom) / 2.0])
    return [Sample(middle + step, scale) for step in np.array(_SAMPLES)[:5 if several else 1]]
