"""Plays a script of marking_script in our manual pass."""
import threading
import time

import marking_script
import numpy as np
from accel import host
from accel.extract import manual
from accel.extract.window import MouseEvent


class Item:
    landmarks_accurate = True

    def __init__(self, path, rects=(), landmarks=()):
        self.filepath, self.rects, self.landmarks = path, list(rects), list(landmarks)


class Window:
    """Plays a script. Batches that come while landmarks are searched come then, before they are found."""

    def __init__(self, batches):
        self.script, self.shown, self.closed, self.polled = marking_script.Script(batches), [], False, []
        self.told_all = threading.Event()
        self.is_left = False           # whether the user has closed it

    def show(self, picture):
        assert not self.closed and picture.dtype == np.uint8
        if not self.shown or not np.array_equal(self.shown[-1], picture):
            self.shown.append(picture.copy())

    def poll(self, seconds):
        self.polled.append(seconds)
        if seconds in (manual.IDLE, manual.SHORT):
            self.told_all.clear()
            batch = self.script.idle()
        else:
            batch = self.script.busy()
            if batch is None:
                self.told_all.set()
                time.sleep(0.0005)
                return [], []
        return [MouseEvent(*event) for event in batch[0]], list(batch[1])

    def is_closed(self):
        return self.is_left

    def close(self):
        self.closed = True


def play(items, script, landmarks, face_type=4, image_size=256, window_size=0, window=None):
    """Mark items by a script. Return the items, the window, and what the progress bar was told."""
    window = Window(script) if window is None else window

    def find(image, rect, accurate):
        window.told_all.wait(20)
        return landmarks.find(image, rect, accurate)

    bar = Bar()
    before, host.progress = host.progress, bar.open
    try:
        marked = manual.mark(items, find, face_type, image_size, window_size, window)
    finally:
        host.progress = before
    assert window.closed
    return marked, window, bar.told


class Bar:
    """Notes how many frames there are, and every step."""

    def open(self, total):
        self.told, self._n = [total], 0
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    n = property(lambda self: self._n)

    @n.setter
    def n(self, value):
        self.told.append(value - self._n)
        self._n = value

    def refresh(self):
        pass
