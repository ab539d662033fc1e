"""A display without a screen: Xvfb, keys pressed by xdotool, and pictures of what is on it."""
import ctypes
import os
import shutil
import subprocess
import tempfile
import time

import numpy as np

SIZE = 1600, 1000
_NAMES = {"\t": "Tab", "\x1b": "Escape", ".": "period", ",": "comma", ">": "greater", "<": "less", "/": "slash",
          "?": "question", "-": "minus", "=": "equal", "`": "grave", ";": "semicolon", ":": "colon"}
_WAIT = 20.0          # s for whatever has to happen
_BETWEEN_KEYS = 0.04  # s; OpenCV forgets keys that come faster than it is asked for them


class Display:
    """An X server of its own; use it with `with`."""

    def __enter__(self):
        self._folder = tempfile.mkdtemp(prefix="dfl_display_")
        read, write = os.pipe()
        try:
            self._server = subprocess.Popen(
                ["Xvfb", "-displayfd", str(write), "-screen", "0", "{}x{}x24".format(*SIZE), "-fbdir", self._folder,
                 "-nolisten", "tcp", "-noreset"], pass_fds=(write,), stderr=subprocess.DEVNULL)
        finally:
            os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()      # it says so when it is ready
        if not number:
            raise RuntimeError("Xvfb does not start")
        self.name = ":" + number
        self.environment = dict(os.environ, DISPLAY=self.name)
        self._tool("mousemove", *map(str, SIZE))    # its arrow would be in the pictures
        return self

    def __exit__(self, *error):
        self._server.terminate()
        self._server.wait()
        shutil.rmtree(self._folder)

    # --- what is there -----------------------------------------------------------------------

    def window(self, title):
        """Return the number of the window with this title (int), None if there is none."""
        numbers = self._tool("search", "--onlyvisible", "--name", "^{}$".format(title)).split()
        return int(numbers[-1]) if numbers else None

    def place(self, window):
        """Return (left, top, width, height) of a window, px."""
        lines = self._tool("getwindowgeometry", "--shell", str(window)).splitlines()
        values = dict(line.split("=") for line in lines)
        return tuple(int(values[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))

    def screenshot(self):
        """Return what is on the display: uint8 (H, W, 3) BGR. The server keeps it in a file, in the format of xwd."""
        content = np.fromfile(os.path.join(self._folder, "Xvfb_screen0"), np.uint8)
        head = content[:100].view(">u4")
        size, height, stride, colours = int(head[0]), int(head[5]), int(head[12]), int(head[19])
        start = size + 12 * colours
        rows = content[start:start + height * stride].reshape(height, stride)
        return rows[:, :4 * int(head[4])].reshape(height, -1, 4)[..., :3].copy()

    def where(self, picture):
        """Return (left, top) of a picture, uint8 (h, w, 3), on the display, None if it is not there exactly."""
        shown = self.screenshot()
        height, width = picture.shape[:2]
        first_row = picture[0].tobytes()
        for top in range(shown.shape[0] - height + 1):
            row = shown[top].tobytes()
            start = row.find(first_row)
            while start >= 0:
                left = start // 3
                if start % 3 == 0 and (shown[top:top + height, left:left + width] == picture).all():
                    return left, top
                start = row.find(first_row, start + 1)
        return None

    def wait_until_painted(self, window):
        """Wait until something is to be seen of a window.

        Without a window manager Qt 5 sometimes misses that its window is there; then the window is mapped once more.
        """
        left, top, width, height = self.place(window)
        for _ in range(5):
            try:
                return wait_until(lambda: self.screenshot()[top:top + height, left:left + width].any(), "a picture", 2)
            except AssertionError:
                self._tool("windowunmap", str(window), "windowmap", str(window))
        raise AssertionError("the window stays black")

    # --- what can be done --------------------------------------------------------------------

    def press(self, window, *keys):
        """Press keys one after the other: characters, capitals and the like with Shift."""
        self._tool("windowfocus", str(window))
        for key in keys:
            self._tool("key", _NAMES.get(key, "shift+" + key.lower() if key.isupper() else key))
            time.sleep(_BETWEEN_KEYS)

    def move(self, x, y):
        """Move the mouse to a place of the display, px."""
        self._tool("mousemove", str(x), str(y))

    def click(self, button):
        """Press a button of the mouse, "1" to "3", or turn its wheel: "4" away from the user, "5" towards."""
        self._tool("click", button)
        time.sleep(_BETWEEN_KEYS)

    def close_window(self, window):
        """Do what the X button of a window's frame does."""
        _ask_to_close(self.name, window)

    def _tool(self, *words):
        return subprocess.Popen(["xdotool"] + list(words), env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL).communicate()[0].decode()


def wait_until(look, what, seconds=_WAIT):
    """Return what `look` returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "after {} s there is not yet: {}".format(seconds, what)
        time.sleep(0.05)


# --- closing a window ------------------------------------------------------------------------
# xdotool can destroy a window, but asks no program to close it before 2021.

_CLIENT_MESSAGE = 33


class _Message(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
                ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong),
                ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("rest", ctypes.c_long * 12)]


def _ask_to_close(display_name, window):
    """Send WM_DELETE_WINDOW to a window."""
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x.XOpenDisplay(display_name.encode()))
    message = _Message(type=_CLIENT_MESSAGE, window=window, format=32,
                       message_type=x.XInternAtom(display, b"WM_PROTOCOLS", 0))
    message.data[0] = x.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    x.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
    x.XCloseDisplay(display)
