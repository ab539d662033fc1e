"""A picture of words, for a window that shows nothing but pictures."""
import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SCALE, _LINE, _MARGIN = 0.55, 24, 20     # size of the letters; px
_COLOUR = (220, 220, 220)


def draw(lines, width=640, height=480):
    """Return lines of text (str) on black: uint8 (H, W, 3) BGR, at least width x height px, larger if they need it.

    Letters that are not ASCII become question marks: OpenCV has no others.
    """
    lines = [line.encode("ascii", "replace").decode("ascii") for line in lines]
    widths = [cv2.getTextSize(line, _FONT, _SCALE, 1)[0][0] for line in lines]
    width = max([width] + [length + 2 * _MARGIN for length in widths])
    height = max(height, _LINE * len(lines) + 2 * _MARGIN)
    picture = np.zeros((height, width, 3), np.uint8)
    for number, line in enumerate(lines):
        cv2.putText(picture, line, (_MARGIN, _MARGIN + _LINE * (number + 1) - _LINE // 3), _FONT, _SCALE, _COLOUR, 1,
                    cv2.LINE_AA)
    return picture
