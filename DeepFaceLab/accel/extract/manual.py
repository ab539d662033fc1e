"""Marking faces by hand, frame by frame, in a window: stock's manual pass.

Answers to ExtractSubprocessor of stock's mainscripts.Extractor with type 'landmarks-manual'. For the same keys and
movements of the mouse, and the same landmarks found, what is marked is equal to stock's, its habits included:
  - What came while landmarks were searched is obeyed afterwards: the whole way of the mouse, but of the keys the last.
  - Keys come after the mouse, and after `h` and `a` the position of the mouse is forgotten; both show with the next
    movement, as does a frame to which `,` goes back and that was skipped.
  - Where no landmarks are found, the points stay where they were, in the last frame, too.
  - Only a locked face is kept when `,` `.` or `q` leave its frame. A frame that has one is passed over, unless
    `,` or `.` leads there; then its face is locked, and waits for a click.
  - The last frame ends the pass: there is no way back from it.
What differs: a frame that cannot be read is named and left without a face; Enter does nothing before there are any
points; a closed window counts as `q`, where stock opens one that is deaf to the mouse; an error while landmarks are
searched is told and counts as none found, where stock ends the pass with the frames marked so far.
"""
import collections
import math
import queue
import threading
import traceback

import cv2
import numpy as np

from .. import host
from ..landmark_tables import ALIGN_INDEXES, ALIGN_MODEL
from . import manual_view
from .window import LEFT_DOWN, RIGHT_DOWN, WHEEL, Window

TITLE = "Manual pass"
# s for one look at the window: while there is nothing to do, while landmarks are searched, and before that
IDLE, BUSY, SHORT = 0.01, 0.005, 0.001
CONFIRM, SKIP, PREVIOUS, NEXT, QUIT, HELP, ACCURACY = "\r", " ", ",", ".", "q", "h", "a"
_CONFIRM_TOO = "\n"

_FIRST_RADIUS, _LEAST_RADIUS, _LAST_FINE_RADIUS = 100, 5, 40     # half of the rectangle's side, px of the frame
_FINE_STEP, _LARGEST_STEP, _STEPS = 1, 10, 10                     # of the wheel: px, px, part of the radius

_LOOK_UP = 0.25              # s; Windows does not wake a waiting main thread for Ctrl-C
_NOSE_TIP = 30
# What ALIGN_MODEL lacks of the mean face: the mouth, as (x, y) of the same square.
_MOUTH = {49: (0.340985, 0.745405), 50: (0.428858, 0.727388), 51: (0.490127, 0.742578), 52: (0.551395, 0.727388),
          53: (0.639268, 0.745405), 55: (0.642159, 0.864805), 56: (0.556721, 0.902192), 57: (0.490127, 0.909281),
          58: (0.423532, 0.902192), 59: (0.338094, 0.864805), 60: (0.290379, 0.784792), 61: (0.428096, 0.778746),
          62: (0.490127, 0.785343), 63: (0.552157, 0.778746), 64: (0.689874, 0.784792), 65: (0.553364, 0.824182),
          66: (0.490127, 0.831803), 67: (0.42689, 0.824182)}


def mark(items, find_landmarks, face_type, image_size, window_size, window=None):
    """Let the user mark one face in each frame. Return the items (list), as stock orders them.

    items: objects with filepath (pathlib.Path), rects and landmarks (lists, to which the marked face is added:
    four ints, px, and (68, 2) float64 or float32, px). find_landmarks: function of an image, uint8 (H, W, 3) BGR of
    even sides and the same object for the same frame, a rect and whether to be accurate, which returns the landmarks,
    float64 (68, 2), px, or None; it is called in a thread of its own, one call at a time, while the window is served.
    face_type, image_size: of the square that is drawn; see debug_image.draw_face. window_size: width in which a frame
    of 16:9 is shown, px; 0: as large as it is. window: an object with the methods of window.Window.
    Raises host.UserError where no window can be opened.
    """
    items = list(items)
    if not items:
        return items
    window = Window(TITLE) if window is None else window
    searcher, reader = _Worker(), _Worker()
    try:
        with host.progress(total=len(items)) as bar:
            frames = _Frames(reader, window_size)
            return _Pass(items, window, frames, searcher, find_landmarks, bar, (face_type, image_size)).run()
    finally:
        searcher.close()
        reader.close()
        window.close()


class _Pass:
    """The user's way through the frames: those to do, those done, and the face that is being marked."""

    def __init__(self, items, window, frames, searcher, find_landmarks, bar, square):
        self._todo, self._done = collections.deque(items), []
        self._window, self._frames, self._bar, self._square = window, frames, bar, square
        self._searcher, self._find_landmarks = searcher, find_landmarks
        self._view = None
        self._mouse, self._keys = [], []                 # what came and was not obeyed yet
        self._middle, self._radius = (0, 0), _FIRST_RADIUS
        self._pointer = self._middle                     # where the mouse wants the middle
        self._rect, self._landmarks = None, None
        self._is_locked = self._is_forced = False        # forced: the mouse draws the landmarks
        self._is_accurate = self._helps = True
        self._must_search = True
        self._drawn = None                               # what a forced face was drawn of last

    def run(self):
        key = None                                       # that led to the frame
        while self._todo:
            item, returns = self._todo[0], key in (PREVIOUS, NEXT)
            if not item.rects or returns:
                self._view = self._frames.view(item.filepath)
            if item.rects and not returns or self._view is None:
                self._finish()
                continue
            if item.rects:
                self._take_up(item)
            key = self._mark(item)
        return self._done

    # --- frames ------------------------------------------------------------------------------

    def _finish(self):
        self._done.append(self._todo.popleft())
        self._show_progress(1)
        self._must_search, self._is_locked = True, False

    def _go_back(self):
        """Return to the last frame that can be shown."""
        while True:
            item = self._done.pop()
            self._todo.appendleft(item)
            self._show_progress(-1)
            if item.filepath not in self._frames.unreadable:
                return

    def _can_go_back(self):
        return any(item.filepath not in self._frames.unreadable for item in self._done)

    def _show_progress(self, step):
        self._bar.n += step
        self._bar.refresh()

    def _take_up(self, item):
        """Go on with the face that a frame has: it is locked."""
        self._rect, self._landmarks = item.rects[-1], item.landmarks[-1]
        del item.rects[:], item.landmarks[:]
        left, top, right, bottom = self._rect
        self._middle, self._radius = ((left + right) / 2, (top + bottom) / 2), (right - left) / 2
        self._is_locked = True
        self._redraw()

    # --- one frame ---------------------------------------------------------------------------

    def _mark(self, item):
        """Obey the user until a key leads to another frame. Return that key."""
        while True:
            self._look(SHORT if self._must_search else IDLE)
            if not self._is_forced:
                self._pointer = self._middle
            radius = self._follow(self._mouse)
            key = self._keys[-1] if self._keys else None
            self._mouse, self._keys = [], []
            if self._window.is_closed():
                key = QUIT
            if key in (HELP, ACCURACY):
                self._helps ^= key == HELP
                self._is_accurate ^= key == ACCURACY
                continue
            if self._leave(key, item):
                return key
            if self._is_forced:
                self._force()
            elif self._pointer != self._middle or radius != self._radius or self._must_search:
                self._middle, self._radius = self._pointer, radius
                self._rect = self._rect_around()
                self._find()

    def _look(self, seconds):
        mouse, keys = self._window.poll(seconds)
        self._mouse += mouse
        self._keys += keys

    def _follow(self, events):
        """Do what the mouse did. Return the radius that the wheel wants."""
        radius = self._radius
        for event in events:
            if event.kind == WHEEL and not self._is_locked:
                step = _FINE_STEP if radius <= _LAST_FINE_RADIUS else min(max(radius / _STEPS, 1), _LARGEST_STEP)
                radius = max(_LEAST_RADIUS, radius + (step if event.flags > 0 else -step))
            elif event.kind == LEFT_DOWN:
                if self._is_forced:
                    self._middle = self._pointer
                    self._is_forced, self._is_locked = False, True
                    self._redraw()
                else:
                    self._is_locked = not self._is_locked
                    self._must_search = True
            elif event.kind == RIGHT_DOWN:
                self._is_forced = not self._is_forced
                self._is_locked = self._is_locked and not self._is_forced
            elif not self._is_locked:
                (height, width), scale = self._view.size, self._view.scale
                self._pointer = (min(max(event.x, 0), width - 1) / scale, min(max(event.y, 0), height - 1) / scale)
        return radius

    def _leave(self, key, item):
        """Do what a key says of the whole frame. Return whether it leads to another one."""
        if key in (CONFIRM, _CONFIRM_TOO) and self._landmarks is not None:
            self._keep(item)
            self._finish()
        elif key == SKIP:
            self._finish()
        elif key == PREVIOUS and self._can_go_back():
            self._keep_if_locked(item)
            self._go_back()
        elif key == NEXT:
            self._keep_if_locked(item)
            self._finish()
        elif key == QUIT:
            self._keep_if_locked(item)
            while self._todo:
                self._finish()
        else:
            return False
        return True

    def _keep_if_locked(self, item):
        if self._is_locked and self._landmarks is not None:
            self._keep(item)
        self._is_locked = False

    def _keep(self, item):
        item.rects.append(self._rect)
        item.landmarks.append(self._landmarks)

    # --- the face ----------------------------------------------------------------------------

    def _rect_around(self):
        (x, y), radius = self._middle, self._radius
        return int(x - radius), int(y - radius), int(x + radius), int(y + radius)

    def _find(self):
        """Search landmarks in the rectangle while the window is served."""
        search = self._searcher.begin(self._find_landmarks, self._view.image, self._rect, self._is_accurate)
        while not search.is_done():
            self._look(BUSY)
        try:
            found = search.result()
        except Exception as error:
            host.log_err("In {} no landmarks could be searched: {}".format(self._todo[0].filepath.name, error))
            host.log_details("".join(traceback.format_exception(type(error), error, error.__traceback__)))
            found = None
        if found is not None:
            self._landmarks = found
        self._redraw()
        if len(self._todo) > 1:
            self._frames.read_ahead(self._todo[1].filepath)

    def _force(self):
        """Lay the mean face around the middle, its nose there, as large and turned as the way to the mouse says."""
        drawn = self._view, self._middle, self._pointer, self._is_locked, self._helps
        if drawn == self._drawn:
            return
        way = np.float32(self._pointer) - np.float32(self._middle)
        length = np.linalg.norm(way)
        self._radius = float(length)
        self._rect = self._rect_around()
        if length > 0:
            x, y = way / length
            turn = cv2.getRotationMatrix2D((0, 0), -float(np.arctan2(y, x)) * 180 / math.pi, self._radius)
            turn[:, 2] += self._middle
            self._landmarks = cv2.transform(template()[:, None], turn)[:, 0]
        self._redraw()
        self._drawn = drawn

    def _redraw(self):
        self._window.show(self._view.draw(self._rect, self._landmarks, self._middle, self._radius, *self._square,
                                          is_locked=self._is_locked, helps=self._helps))
        self._must_search, self._drawn = False, None


def template():
    """Return the mean face with the tip of its nose at (0, 0): float32 (68, 2). The jaw is one point, as in stock."""
    points = np.zeros((68, 2), np.float32)
    for table in (dict(zip(ALIGN_INDEXES, ALIGN_MODEL)), _MOUTH):
        for index, point in table.items():
            points[index] = point
    return points - points[_NOSE_TIP]


# --- frames and threads ----------------------------------------------------------------------

class _Frames:
    """Reads frames, one of them ahead.

    unreadable: paths that were tried in vain.
    """

    def __init__(self, worker, window_size):
        self.unreadable = set()
        self._worker, self._window_size = worker, window_size
        self._path, self._view = None, None          # what was opened last
        self._next_path, self._next = None, None     # what is read ahead, and its task

    def view(self, path):
        """Return the manual_view.View of a frame, the same as long as no other is asked for.

        None for one that cannot be read; why is told once.
        """
        if path != self._path and path not in self.unreadable:
            self.read_ahead(path)
            task, self._next_path, self._next = self._next, None, None
            try:
                self._path, self._view = path, task.result()
            except (OSError, ValueError, cv2.error, MemoryError) as error:
                self.unreadable.add(path)
                host.log_err("{} is left without a face: {}".format(path, error))
        return None if path in self.unreadable else self._view

    def read_ahead(self, path):
        """Begin to read a frame, unless that was begun."""
        if path != self._next_path and path != self._path and path not in self.unreadable:
            self._next_path, self._next = path, self._worker.begin(self._open, path)

    def _open(self, path):
        return manual_view.View(manual_view.read(path), self._window_size)


class _Worker:
    """One thread that does one task after the other. Ctrl-C does not wait for it."""

    def __init__(self):
        self._tasks = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self, function, *arguments):
        """Return the _Task."""
        task = _Task(function, arguments)
        self._tasks.put(task)
        return task

    def close(self):
        self._tasks.put(None)

    def _run(self):
        for task in iter(self._tasks.get, None):
            task.run()


class _Task:
    def __init__(self, function, arguments):
        self._function, self._arguments = function, arguments
        self._value = self._error = None
        self._is_done = threading.Event()

    def run(self):
        try:
            self._value = self._function(*self._arguments)
        except BaseException as error:
            self._error = error
        self._is_done.set()

    def is_done(self):
        return self._is_done.is_set()

    def result(self):
        """Wait for the result. Return what the function returned, or raise what it raised."""
        while not self._is_done.wait(_LOOK_UP):
            pass
        if self._error is not None:
            raise self._error
        return self._value
