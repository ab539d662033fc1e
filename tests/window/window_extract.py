"""The window in which faces are marked by hand: real keys and clicks in, real pictures out."""
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in (os.path.join(ROOT, "DeepFaceLab"), ROOT, os.path.dirname(HERE), HERE):
    if folder not in sys.path:
        sys.path.insert(0, folder)

import extract_driver  # noqa: E402
from accel.extract import manual, manual_view  # noqa: E402
from benchmarks import portrait_frames  # noqa: E402
from display import SIZE as DISPLAY_SIZE, Display, wait_until  # noqa: E402

COUNT, SIZE = 4, (640, 360)
ARROW = 40                   # px around the mouse that its arrow may cover
SCALE = extract_driver.WINDOW_SIZE / (SIZE[1] * 16.0 / 9.0)
FOLDER_OF_PICTURES = os.environ.get("WINDOW_PICTURES")
LEFT, RIGHT, AWAY, TOWARDS = "1", "3", "4", "5"


@pytest.fixture(scope="module")
def display():
    with Display() as shown:
        yield shown


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Return (folder, [(picture, landmarks)])."""
    folder, shot = tmp_path_factory.mktemp("frames"), portrait_frames.Shot(SIZE)
    made = [(picture, marks[0]) for picture, marks in (shot.frame(20 * number) for number in range(COUNT))]
    for number, (picture, _) in enumerate(made):
        cv2.imwrite(str(folder / "{}.png".format(number)), picture)
    (folder / "marks.json").write_text(json.dumps({
        "{}.png".format(number): marks.tolist() for number, (_, marks) in enumerate(made)}))
    return folder, made


class Run:
    """A manual pass and the user before it. With `with`; behind that it has ended: `code`, `marked`, `said`."""

    def __init__(self, display, frames, target, seconds=0):
        self.display, (self.folder, self.frames), self.target = display, frames, target / "marked.json"
        self.views = [manual_view.View(picture, extract_driver.WINDOW_SIZE) for picture, _ in self.frames]
        self.log = target / "log.txt"
        self.mouse = DISPLAY_SIZE                    # where it is on the display
        display.move(*self.mouse)
        with open(str(self.log), "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, os.path.join(HERE, "extract_driver.py"), str(self.folder), str(self.target),
                 str(seconds)], env=display.environment, stdout=log, stderr=subprocess.STDOUT)

    @property
    def said(self):
        return self.log.read_bytes().decode("utf-8", "replace")

    def __enter__(self):
        wait_until(lambda: self.display.window(manual.TITLE) or self.process.poll() is not None, "a window", 60)
        self.window = self.display.window(manual.TITLE)
        assert self.window is not None, self.said
        self.display.wait_until_painted(self.window)
        return self

    def __exit__(self, kind, *error):
        if kind is not None:
            self.keep_picture("extract failure")
            self.process.kill()
        self.code = self.process.wait(20)
        self.marked = json.loads(self.target.read_text()) if self.target.exists() else None
        if kind is not None:
            print(self.said)

    def keep_picture(self, name):
        if FOLDER_OF_PICTURES:
            cv2.imwrite(os.path.join(FOLDER_OF_PICTURES, name + ".png"), self.display.screenshot())

    def press(self, *keys):
        self.display.press(self.window, *keys)

    def move(self, x, y):
        """Move the mouse to a place of the frame, px. Return where it then is: the window has whole pixels."""
        across, down = int(x * SCALE), int(y * SCALE)
        left, top, _, _ = self.display.place(self.window)
        self.mouse = left + across, top + down
        self.display.move(*self.mouse)
        return across / SCALE, down / SCALE

    def is_shown(self, picture):
        """Whether the window shows a picture, but for the arrow of the mouse."""
        left, top, width, height = self.display.place(self.window)
        if (height, width) != picture.shape[:2]:
            return False
        off = (self.display.screenshot()[top:top + height, left:left + width] != picture).any(axis=2)
        x, y = self.mouse[0] - left, self.mouse[1] - top
        off[max(y - ARROW, 0):y + ARROW, max(x - ARROW, 0):x + ARROW] = False
        return not off.any()

    def wait_for(self, number, middle, radius, name=None, landmarks=None, **options):
        """Wait until a frame is on the display with a rectangle and landmarks. Return the rectangle."""
        (x, y), view = middle, self.views[number]
        rect = tuple(int(side) for side in (x - radius, y - radius, x + radius, y + radius))
        points = self.frames[number][1] if landmarks is None else landmarks
        square = extract_driver.FACE_TYPE, extract_driver.IMAGE_SIZE
        picture = view.draw(rect, points, middle, radius, *square, **options)
        wait_until(lambda: self.is_shown(picture), "frame {} with {}".format(number, rect))
        if name:
            self.keep_picture("extract " + name)
        return list(rect)


def test_frames_are_marked_with_keys_and_mouse(display, frames, tmp_path):
    with Run(display, frames, tmp_path) as run:
        first = run.wait_for(0, (0, 0), 100, "1 the first frame")
        at = run.move(300, 180)
        first = run.wait_for(0, at, 100)
        display.click(TOWARDS)                       # the other way Qt would enlarge what the window shows, too
        first = run.wait_for(0, at, 90)
        run.press("Return")
        run.wait_for(1, at, 90)
        at = run.move(330, 150)
        run.wait_for(1, at, 90)
        display.click(LEFT)
        second = run.wait_for(1, at, 90, "2 locked", is_locked=True)
        run.move(100, 100)
        run.press(".")
        run.wait_for(2, at, 90)
        run.press(",")                               # back to the locked face, and on
        middle = (second[0] + second[2]) / 2, (second[1] + second[3]) / 2
        run.wait_for(1, middle, 90, is_locked=True)
        run.press(".")
        run.wait_for(2, middle, 90)
        run.press("space")
        run.wait_for(3, middle, 90)
        run.press("h")
        at = run.move(200, 200)
        run.wait_for(3, at, 90, "3 without help", helps=False)
        display.click(RIGHT)
        to = run.move(300, 200)
        points = at + np.float32(to[0] - at[0]) * manual.template()
        forced = run.wait_for(3, at, to[0] - at[0], "4 forced", landmarks=points, helps=False)
        run.press("Return")
    assert run.code == 0, run.said
    assert [(name, rects) for name, rects, _ in run.marked] == [
        ("0.png", [first]), ("1.png", [second]), ("2.png", []), ("3.png", [forced])]
    for number in (0, 1):
        assert np.array_equal(run.marked[number][2][0], run.frames[number][1])
    np.testing.assert_allclose(run.marked[3][2][0], points, atol=1e-3)
    assert "4/4" in run.said and display.window(manual.TITLE) is None


def test_the_window_is_served_while_landmarks_are_searched(display, frames, tmp_path):
    with Run(display, frames, tmp_path, 0.7) as run:
        run.wait_for(0, (0, 0), 100)
        run.move(100, 100)
        wait_until(lambda: run.said.count("searching") == 2, "a search")
        at = run.move(300, 200)                      # the newest place is searched next
        run.wait_for(0, at, 100)
        assert run.said.count("searching") == 3
        run.press("q")
    assert run.code == 0 and [rects for _, rects, _ in run.marked] == [[]] * COUNT, run.said


@pytest.mark.parametrize("way", ["X button", "Ctrl-C"])
def test_other_ends(display, frames, tmp_path, way):
    with Run(display, frames, tmp_path, 0 if way == "X button" else 4) as run:
        run.wait_for(0, (0, 0), 100)
        at = run.move(300, 200)
        if way == "X button":
            run.wait_for(0, at, 100)
            display.click(LEFT)
            run.wait_for(0, at, 100, is_locked=True)
            display.close_window(run.window)
        else:
            wait_until(lambda: run.said.count("searching") == 2, "a search")
            start = time.monotonic()
            run.process.send_signal(signal.SIGINT)
            assert run.process.wait(20) == 130 and time.monotonic() - start < 2
    if way == "X button":
        assert run.code == 0 and [len(rects) for _, rects, _ in run.marked] == [1, 0, 0, 0], run.said


@pytest.mark.parametrize("variables", [{}, {"DISPLAY": ":987"}])
def test_without_a_display_there_are_words(frames, tmp_path, variables):
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    run = subprocess.Popen([sys.executable, os.path.join(HERE, "extract_driver.py"), str(frames[0]),
                            str(tmp_path / "marked.json")], env=dict(environment, **variables), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    said = run.communicate()[0].decode()
    assert run.returncode == 1 and "needs a window" in said, said
