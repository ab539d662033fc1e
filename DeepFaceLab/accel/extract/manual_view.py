"""What the window of the manual pass shows: the frame, the face being marked, the help.

Answers to the pictures of stock's ExtractSubprocessor, pixel by pixel for equal OpenCV and Pillow.
"""
import functools

import cv2
import numpy as np

from .. import compat_images, files
from . import cut, debug_image

HELP = ["[L Mouse click] - lock/unlock selection. [Mouse wheel] - change rect",
        "[R Mouse Click] - manual face rectangle",
        "[Enter] / [Space] - confirm / skip frame",
        "[,] [.]- prev frame, next frame. [Q] - skip remaining frames",
        "[a] - accuracy on/off (more fps)",
        "[h] - hide this help"]
_HELP_HEIGHT = 100           # px, less in lower windows
_LAST_ZOOMED = 40            # px of the frame; faces of this radius and smaller are shown enlarged
_COLOUR, _LOCKED_COLOUR, _RECT_COLOUR = (0, 255, 0), (255, 255, 0), (255, 0, 0)


class View:
    """A frame as the window shows it.

    image: uint8 (H, W, 3) BGR of even sides, what landmarks are searched in. size: (height, width) of the picture
    that is shown, px. scale: how much larger than the frame it is.
    """

    def __init__(self, image, window_size):
        """image: uint8 (H, W, 3) BGR, the whole frame. window_size: width that a picture of 16:9 is shown in, px;
        0: as large as it is. Raises ValueError if the image is too small to search in it."""
        self.image = cut.prepare(image)
        height, width = image.shape[:2]
        self.scale = window_size / (height * (16.0 / 9.0)) if window_size else 1.0
        self.size = max(1, int(height * self.scale)), max(1, int(width * self.scale))
        self._picture = cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_LINEAR)

    def draw(self, rect, landmarks, middle, radius, face_type, image_size, is_locked=False, helps=True):
        """Return the picture with a face drawn in: uint8 (h, w, 3) BGR.

        rect: (left, top, right, bottom), px of the frame, or None. landmarks: (68, 2) numbers, px of the frame, or
        None. middle: (x, y), px of the frame, and radius: half of the rectangle's side, px; a small one is shown
        enlarged, but the rectangle stays in its place, as in stock. helps: with the help at the top.
        """
        picture = cv2.add(self._picture, help_picture(*self.size)) if helps else self._picture.copy()
        rect = None if rect is None else (np.array(rect) * self.scale).astype(np.int32).tolist()
        if landmarks is not None:
            landmarks = (np.asarray(landmarks) * self.scale).astype(np.int32)
        if radius <= _LAST_ZOOMED:
            matrix = self._zoom(middle, radius)
            picture = cv2.warpAffine(picture, matrix, self.size[::-1])
            if landmarks is not None:
                landmarks = cv2.transform(landmarks[:, None], matrix)[:, 0]
        if landmarks is not None:
            colour = _LOCKED_COLOUR if is_locked else _COLOUR
            debug_image.draw_face(picture, rect, landmarks, face_type, image_size, colour)
        elif rect is not None:
            cv2.rectangle(picture, tuple(rect[:2]), tuple(rect[2:]), _RECT_COLOUR, 2)
        return picture

    def _zoom(self, middle, radius):
        """Return the matrix, float64 (2, 3), that brings the rectangle to half of the window's shorter side.

        All zeros for a radius of 0: the picture is of one colour then.
        """
        (x, y), (height, width) = middle, self.size
        shown = np.float32([(x - radius, y - radius), (x + radius, y - radius), (x - radius, y + radius)]) * self.scale
        across, down, quarter = width / 2, height / 2, min(width, height) / 4
        enlarged = [(across - quarter, down - quarter), (across + quarter, down - quarter),
                    (across - quarter, down + quarter)]
        return cv2.getAffineTransform(shown, np.float32(enlarged))


def read(path):
    """Return the frame in a file as stock shows it: uint8 (H, W, 3) BGR, whole.

    Grey is repeated, alpha dropped, 16 bits are rounded to 8. Raises OSError, and ValueError for what is no image.
    """
    image = files.read_image(path)
    if image is None:
        raise ValueError("it cannot be read as an image")
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257).reshape(image.shape)
    if image.ndim == 2 or image.shape[2] < 3:
        return cv2.cvtColor(np.ascontiguousarray(image.reshape(image.shape[:2] + (-1,))[..., 0]), cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(image[..., :3])


# --- help ------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=4)
def help_picture(height, width):
    """Return the help in white on black: uint8 (height, width, 3), not to be changed."""
    picture = np.zeros((height, width, 3), np.uint8)
    step = min(_HELP_HEIGHT, height) // len(HELP)
    strip = picture[:, :width - 1]       # stock leaves out the last column and row
    for number, text in enumerate(HELP):
        line = strip[min(number * step, height - 1):min((number + 1) * step, height - 1)]
        if line.size:
            line[:] = _text(text, *line.shape[:2])
    return picture


def _text(text, height, width):
    """Return a line of text: uint8 (height, width, 3). Courier where the system has it."""
    drawing = compat_images.pillow()
    if drawing is None:
        picture = np.zeros((height, width, 3), np.uint8)
        cv2.putText(picture, text, (0, height - 4), cv2.FONT_HERSHEY_SIMPLEX, height / 32.0, (255, 255, 255), 1,
                    cv2.LINE_AA)
        return picture
    Image, ImageDraw, ImageFont = drawing
    try:
        font = ImageFont.truetype("cour.ttf", size=height - 2, encoding="unic")
    except (OSError, ValueError):
        font = ImageFont.load_default()
    canvas = Image.new("RGB", (width, height), (0, 0, 0))
    ImageDraw.Draw(canvas).text((0, 0), text, font=font, fill=(255, 255, 255))
    return (np.asarray(canvas) / 255 * 255).astype(np.uint8)     # stock's way there and back, which rounds down
