"""One window of OpenCV: pictures out, keys and the mouse in.

Answers to the windows of stock's core.interact. All of it belongs in the thread that made the window.
"""
import os
import time
from collections import namedtuple

import cv2

from .. import compat, host

MOVE, LEFT_DOWN, RIGHT_DOWN, WHEEL = cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONDOWN, cv2.EVENT_RBUTTONDOWN, \
    cv2.EVENT_MOUSEWHEEL

_KEY_BITS = 0xFFFF               # above them GTK tells of Shift, NumLock and the like
_ENTER_OF_KEYPAD = 0xFF8D        # as GTK calls it
_UNSHIFTED = {"<": ",", ">": ".", "?": "/"}


class MouseEvent(namedtuple("MouseEvent", "x y kind flags")):
    """x, y: px of the picture, which may lie outside. kind: MOVE, LEFT_DOWN, RIGHT_DOWN, WHEEL or another of OpenCV's
    numbers. flags: OpenCV's; above 0 when the wheel was turned away from the user."""
    __slots__ = ()


class Window:
    """A window, which opens with the first picture."""

    def __init__(self, title):
        """Raises host.UserError where no window can be opened."""
        check_display()
        self._title = title
        self._mouse = []
        self._is_open = False        # whether it was made
        self._was_visible = False

    def show(self, picture):
        """Show a picture, uint8 (H, W, 3) BGR. A window that the user has closed stays closed."""
        if self.is_closed():
            return
        if not self._is_open:
            # Qt's larger window has a menu on the right button, which would take the next click or key
            cv2.namedWindow(self._title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
            cv2.setMouseCallback(self._title, self._add)
            self._is_open = True
        cv2.imshow(self._title, picture)

    def poll(self, seconds):
        """Serve the window for some time, until a key is pressed. Return what the user did meanwhile.

        seconds: about as long; OpenCV counts ms. Returns (list of MouseEvent, list of keys). A key is a character;
        letters are small, and with Shift , . and / are what they are without.
        """
        if not self._is_open or self.is_closed():
            time.sleep(seconds)      # without a window OpenCV does not wait
            return [], []
        key = character(cv2.waitKeyEx(max(1, int(seconds * 1000))))
        mouse, self._mouse = self._mouse, []
        return mouse, [] if key is None else [key]

    def _add(self, kind, x, y, flags, _):
        self._mouse.append(MouseEvent(x, y, kind, flags))

    def is_closed(self):
        """Tell whether the user has closed the window. Some systems cannot tell: then it is not closed."""
        if not self._is_open:
            return False
        try:
            visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:            # there is no window any more
            visible = False
        self._was_visible = self._was_visible or visible
        return self._was_visible and not visible

    def close(self):
        """Close the window."""
        if self._is_open and not self.is_closed():
            cv2.destroyWindow(self._title)
            cv2.waitKeyEx(1)         # it goes with the next look at it
        self._is_open = False


def character(code):
    """Return the character of what cv2.waitKeyEx gave (int), None for no key or one without a character."""
    if code == -1:
        return None
    code &= _KEY_BITS
    if code == _ENTER_OF_KEYPAD:
        return "\r"
    if not 0 < code <= 255:
        return None
    key = chr(code)
    return key.lower() if "A" <= key <= "Z" else _UNSHIFTED.get(key, key)


# --- whether there is a display --------------------------------------------------------------

def check_display():
    """Raise host.UserError where no window can be opened, as far as that can be told without opening one.

    Where OpenCV finds no display it ends the whole program.
    """
    if host.is_colab():
        raise host.UserError("Marking by hand needs a window, and a notebook has none. Mark these frames on a computer "
                             "with a display, or let the detector find the faces.")
    if not compat.has_display():
        raise host.UserError("Marking by hand needs a window, and there is no display (DISPLAY is {}). Start this step "
                             "on a desktop, or log in with `ssh -X`.".format(os.environ.get("DISPLAY") or "not set"))
    try:
        cv2.waitKeyEx(1)             # gives -1 at once: there is no window
    except cv2.error as error:
        raise host.UserError("Marking by hand needs a window, and this OpenCV has none. Replace the package "
                             "opencv-python-headless by opencv-python.") from error
