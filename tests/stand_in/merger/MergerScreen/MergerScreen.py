"""Stands in for DeepFaceLab's window of the interactive merger; also laid over a DeepFaceLab tree.

With the environment variable TINY_KEYS there is no window: its characters are pressed one after the other, each
when the picture of the one before stands still; after the last, Esc. TINY_SHOWN: a file to which a line is
added for each key, with what was shown when it was pressed.
"""
import os
import zlib

import cv2
import numpy as np

ESC = "\x1b"


class Screen(object):
    def __init__(self, initial_scale_to_width=0, initial_scale_to_height=0, image=None, waiting_icon=False, **kwargs):
        self.scale = 1
        self.fit = (initial_scale_to_width, initial_scale_to_height)
        self.waiting_icon = waiting_icon
        self.show_checker_board = False
        self.scrn_manager = None
        self.image = None
        self.drawn = None
        self.set_image(image)

    def set_waiting_icon(self, b):
        self.waiting_icon = b

    def toggle_show_checker_board(self):
        self.show_checker_board = not self.show_checker_board

    def get_image(self):
        return self.image

    def set_image(self, img):
        self.image = img
        if img is not None and any(self.fit):
            wide, high = self.fit
            self.scale = min(1, wide / img.shape[1] if wide else 1, high / img.shape[0] if high else 1)
            self.fit = (0, 0)

    def diff_scale(self, diff):
        self.scale = np.clip(self.scale + diff, 0.1, 4.0)

    def show(self, force=False):
        state = id(self.image), self.waiting_icon, self.scale, self.show_checker_board
        if self.scrn_manager.script is not None or state == self.drawn and not force:
            return
        self.drawn = state
        picture = np.zeros((480, 640, 3), np.uint8) if self.image is None else self.image[..., :3].copy()
        if self.show_checker_board and self.image is not None and self.image.shape[2] == 4:
            picture[self.image[..., 3] == 0] //= 2
        picture = cv2.resize(picture, None, fx=float(self.scale), fy=float(self.scale))
        if self.waiting_icon:
            cv2.rectangle(picture, (0, 0), (20, 20), (255, 255, 255), -1)
        cv2.imshow(self.scrn_manager.wnd_name, picture)


class ScreenManager(object):
    needs_display = "TINY_KEYS" not in os.environ

    def __init__(self, window_name="ScreenManager", screens=None, capture_keys=False):
        self.script = list(os.environ["TINY_KEYS"] + ESC) if "TINY_KEYS" in os.environ else None
        self.wnd_name = window_name
        self.screens = screens or []
        self.current_screen_id = 0
        for screen in self.screens:
            screen.scrn_manager = self
        if self.script is None:
            cv2.namedWindow(window_name)

    def finalize(self):
        if self.script is None:
            cv2.destroyAllWindows()

    def switch_screens(self):
        self.current_screen_id = (self.current_screen_id + 1) % len(self.screens)
        self.get_current().show(force=True)

    def show_current(self):
        self.get_current().show()

    def get_current(self):
        return self.screens[self.current_screen_id]

    def set_current(self, screen):
        self.current_screen_id = self.screens.index(screen)

    def get_key_events(self):
        """Return [(key, character, Ctrl, Alt, Shift)] pressed since the last call; letters are small ones."""
        code = cv2.waitKeyEx(1) if self.script is None else self._next_code()
        if code == -1:
            return []
        character, shift = chr(code) if code <= 255 else "\0", False
        if "A" <= character <= "Z":
            character, shift = character.lower(), True
        elif character in "?<>":
            character, shift = {"?": "/", "<": ",", ">": "."}[character], True
        return [(ord(character) if code <= 255 else code, character, False, False, shift)]

    def _next_code(self):
        screen = self.get_current()
        if not self.script or screen.waiting_icon:
            return -1
        key = self.script.pop(0)
        if "TINY_SHOWN" in os.environ:
            shown = "nothing" if screen.image is None else zlib.crc32(np.ascontiguousarray(screen.image).tobytes())
            with open(os.environ["TINY_SHOWN"], "a") as file:
                file.write("{!r} {} {}\n".format(key, self.current_screen_id, shown))
        return ord(key)
