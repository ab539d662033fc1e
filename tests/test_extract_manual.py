"""Marking by hand with a scripted window: what is marked, what is shown, and what goes wrong."""
import threading
import time

import cv2
import marking_script as ms
import numpy as np
import pytest
from accel import host
from accel.extract import cut, debug_image, manual, manual_view
from accel.extract import window as window_module
from accel.landmark_tables import ALIGN_MODEL
from marking_player import Item, Window, play
from marking_script import do
from naive import manual as naive

WHOLE_FACE, IMAGE_SIZE = 4, 256
WIDTH, HEIGHT = 320, 180


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Four frames."""
    folder, random = tmp_path_factory.mktemp("frames"), np.random.RandomState(1)
    names = [folder / "{:05}.png".format(number) for number in range(4)]
    for name in names:
        assert cv2.imwrite(str(name), frame(random))
    return names


def frame(random, height=HEIGHT, width=WIDTH):
    small = random.randint(0, 256, (height // 9, width // 9, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def mark(paths, script, landmarks=None, **options):
    """Return [(name, rects, landmarks)] of the marked frames, and the window."""
    items = [Item(path) for path in paths]
    marked, window, _ = play(items, script, ms.Landmarks() if landmarks is None else landmarks, **options)
    assert sorted(item.filepath.name for item in marked) == sorted(path.name for path in paths)
    return [(item.filepath.name, item.rects, item.landmarks) for item in marked], window


# --- as stock does ---------------------------------------------------------------------------

RANDOM = {"random {}".format(seed): ms.random_script(seed, (WIDTH * 5 // 4, HEIGHT * 5 // 4)) for seed in range(40)}


@pytest.mark.parametrize("name", sorted(ms.SCRIPTS) + sorted(RANDOM))
def test_marks_are_those_of_the_plain_pass(name, paths):
    script, window_size = (RANDOM[name], 400) if name in RANDOM else (ms.SCRIPTS[name], 0)
    images = {path.name: cut.prepare(cv2.imread(str(path))) for path in paths}
    landmarks = ms.Landmarks()
    frames = [{"name": path.name, "rects": [], "landmarks": []} for path in paths]
    ref = naive.mark(frames, ms.Script(script), lambda frame, rect, accurate: landmarks.find(
        images[frame["name"]], rect, accurate), (400, 225) if window_size else (WIDTH, HEIGHT),
        1.25 if window_size else 1.0, ALIGN_MODEL)
    own = ms.Landmarks()
    comp, _ = mark(paths, script, own, window_size=window_size)
    assert [(file, rects) for file, rects, _ in comp] == [(item["name"], item["rects"]) for item in ref]
    assert own.calls == landmarks.calls
    for (_, _, points), item in zip(comp, ref):
        np.testing.assert_allclose(np.array(points), np.array(item["landmarks"]), rtol=1e-4, atol=1e-3)


def test_what_single_keys_and_buttons_do(paths):
    found = ms.Landmarks(misses=False)
    marked, window = mark(paths, [
        do(ms.move(100, 80)), do(keys="\r"),                                              # 0: around the mouse
        do(), do(ms.wheel()), do(ms.wheel(ms.TOWARDS), keys="a"), do(ms.move(101, 80)), do(keys="\r"),   # 1: larger
        do(keys=" "),                                                                     # 2: skipped at once
        do(), do(ms.click(9, 9)), do(ms.move(50, 50)), do(keys=".")], found)              # 3: locked, so kept
    assert [rects for _, rects, _ in marked] == [[(0, -20, 200, 180)], [(-9, -30, 211, 190)], [], [(-9, -30, 211, 190)]]
    assert [call[2:] for call in found.calls] == [
        [[-100, -100, 100, 100], True], [[0, -20, 200, 180], True], [[0, -20, 200, 180], True],
        [[-10, -30, 210, 190], True]] + [[[-9, -30, 211, 190], False]] * 3
    assert len(window.shown) == 7
    assert all(points[0].dtype == np.float64 for _, rects, points in marked if rects)


def test_forced_landmarks(paths):
    marked, window = mark(paths[:1], [do(ms.move(100, 80)), do(ms.click(100, 80, ms.RIGHT)), do(ms.move(100, 130)),
                                      do(ms.click(100, 130)), do(ms.move(10, 10)), do(keys="\r")])
    (_, rects, (points,)), = marked
    assert rects == [(50, 30, 150, 130)] and points.dtype == np.float32
    # downwards is a quarter turn: what is right of the nose comes below it, what is below comes left
    np.testing.assert_allclose(points, (100, 80) + 50 * manual.template()[:, ::-1] * (-1, 1), atol=1e-3)
    assert (window.shown[-1] == (255, 255, 0)).all(axis=2).any()


def test_forced_landmarks_are_drawn_when_something_changes(paths):
    left, right = ms.click(160, 90), ms.click(160, 90, ms.RIGHT)
    window, drawn = Window([do(ms.move(160, 90)), do(left), do(keys="."), do(right), do(left), do(right),
                            do(ms.move(230, 90)), do(), do(), do(keys=","), do(), do(right, right), do(), do(keys="h"),
                            do(), do(keys="q")]), []
    window.show = drawn.append
    mark(paths, None, window=window)
    # searched twice, locked; forced, locked, forced (all of one colour), moved; taken up, drawn by the mouse again;
    # unlocked; without help
    cyan = [bool((picture == (255, 255, 0)).all(axis=2).any()) for picture in drawn]
    assert cyan[:3] + cyan[6:] == [False, False, True, False, True, True, False, False]


def test_what_comes_while_searching_is_obeyed_afterwards(paths):
    """Of the keys the last, of the mouse all."""
    landmarks = ms.Landmarks(misses=False)
    marked, _ = mark(paths, [do(ms.move(100, 80)), do(ms.move(1, 1), keys=" ", busy=True),
                             do(ms.wheel(), ms.wheel(), keys="x", busy=True), do(), do(keys="\r"), do(), do(keys="q")],
                     landmarks)
    assert [rect for _, _, rect, _ in landmarks.calls] == [
        [-100, -100, 100, 100], [0, -20, 200, 180], [-119, -119, 121, 121], [-119, -119, 121, 121]]
    assert [rects for _, rects, _ in marked] == [[(-119, -119, 121, 121)], [], [], []]


def test_frames_that_are_marked_already_are_passed_over(paths):
    points = np.random.RandomState(4).uniform(30, 90, (68, 2))
    items = [Item(path, [(30, 30, 90, 90)], [points]) for path in paths[:3]] + [Item(paths[3])]
    items[2].rects, items[2].landmarks = items[2].rects * 2, items[2].landmarks * 2
    marked, window, told = play(items, [do(keys=","), do(ms.click(1, 1)), do(keys=","), do(keys="q")], ms.Landmarks())
    assert marked == items and told == [4, 1, 1, 1, -1, -1, 1, 1, 1]
    assert [len(item.rects) for item in items] == [1, 1, 0, 0] and items[1].landmarks[0] is points


# --- what is shown ---------------------------------------------------------------------------

def view(window_size=0, height=HEIGHT, width=WIDTH):
    return manual_view.View(frame(np.random.RandomState(6), height, width), window_size)


POINTS = np.random.RandomState(8).uniform(-12, 12, (68, 2))


def test_view_of_a_large_face():
    shown = view(640)
    assert shown.size == (360, 640) and shown.scale == 2.0
    points = POINTS * 4 + (150, 90)
    ref = cv2.resize(shown.image, (640, 360), interpolation=cv2.INTER_LINEAR)
    debug_image.draw_face(ref, (200, 80, 400, 280), (points * 2).astype(int), WHOLE_FACE, IMAGE_SIZE, (255, 255, 0))
    comp = shown.draw((100, 40, 200, 140), points, (150, 90), 50, WHOLE_FACE, IMAGE_SIZE, True, helps=False)
    assert np.array_equal(comp, ref)
    helped = shown.draw((100, 40, 200, 140), points, (150, 90), 50, WHOLE_FACE, IMAGE_SIZE, True)
    assert not np.array_equal(helped[:100], ref[:100]) and np.array_equal(helped[100:], ref[100:])
    assert 0.02 < (manual_view.help_picture(360, 640)[:100] > 128).mean() < 0.3


def test_view_of_a_small_face_is_enlarged():
    """Its rectangle fills the middle half of the window's height; the blue one stays where it was."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[70:110, 100:140] = 200
    shown = manual_view.View(image, 0)
    comp = shown.draw(None, None, (120, 90), 20, WHOLE_FACE, IMAGE_SIZE, helps=False)
    assert (comp[50:130, 120:200, 2] == 200).all()
    assert not comp[:40].any() and not comp[140:].any() and not comp[:, 210:].any()
    comp = shown.draw((100, 70, 140, 110), POINTS + (120, 90), (120, 90), 20, WHOLE_FACE, IMAGE_SIZE, helps=False)
    green = np.nonzero((comp == (0, 255, 0)).all(axis=2))
    assert 30 < np.ptp(green[0]) < 110 and 30 < np.ptp(green[1]) < 110
    assert (comp[70, 100:141] == (255, 0, 0)).all() and (comp[70:111, 100] == (255, 0, 0)).all()
    assert (shown.draw(None, None, (120, 90), 40, WHOLE_FACE, IMAGE_SIZE, helps=False) == 200).sum() > 40 * 40 * 3
    at_large = shown.draw(None, None, (120, 90), 41, WHOLE_FACE, IMAGE_SIZE, helps=False)
    assert (at_large[70:110, 100:140] == 200).all() and (at_large == 200).sum() == 40 * 40 * 3


def test_view_of_unusual_frames(tmp_path):
    for name, made, expected in [
            ("grey", np.full((91, 61), 9, np.uint8), 9), ("alpha", np.full((91, 61, 4), 9, np.uint8), 9),
            ("deep", np.full((91, 61, 3), 9 * 257 + 128, np.uint16), 9),
            ("deep grey", np.full((91, 61), 10 * 257 - 128, np.uint16), 10)]:
        assert cv2.imwrite(str(tmp_path / (name + ".png")), made)
        whole = manual_view.read(tmp_path / (name + ".png"))
        assert whole.shape == (91, 61, 3) and whole.dtype == np.uint8 and (whole == expected).all()
        shown = manual_view.View(whole, 0)
        assert shown.size == (91, 61) and shown.image.shape == (90, 60, 3) and shown.image.flags.c_contiguous
        comp = shown.draw((1, 2, 50, 60), None, (25, 30), 0, WHOLE_FACE, IMAGE_SIZE)
        assert comp.shape == (91, 61, 3)
    low = manual_view.View(frame(np.random.RandomState(6), 18, 3600), 320)
    assert low.draw(None, None, (1, 1), 100, WHOLE_FACE, IMAGE_SIZE).shape == low.size + (3,) and low.size[0] == 180
    assert manual_view.help_picture(4, 3).shape == (4, 3, 3)
    narrow = manual_view.help_picture(120, 60)
    assert narrow[:, :59].any() and not narrow[:, 59].any() and not narrow[96:].any()
    with pytest.raises(ValueError):
        manual_view.View(np.zeros((1, 1, 3), np.uint8), 0)


def test_help_without_pillow(monkeypatch):
    monkeypatch.setattr(manual_view.compat_images, "pillow", lambda: None)
    picture = manual_view.help_picture.__wrapped__(200, 400)
    rows = (picture > 128).any(axis=(1, 2))
    assert all(rows[16 * line:16 * line + 16].any() for line in range(6)) and not rows[100:].any()


def test_frames_of_one_width_and_several_heights(tmp_path):
    names = [tmp_path / "1.png", tmp_path / "2.png"]
    for name, height in zip(names, (120, 150)):
        cv2.imwrite(str(name), frame(np.random.RandomState(2), height))
    marked, window = mark(names, [do(keys="\r"), do(), do(keys="\r")])
    assert [len(rects) for _, rects, _ in marked] == [1, 1] and len(window.shown) == 2


# --- what goes wrong -------------------------------------------------------------------------

@pytest.fixture()
def told(monkeypatch):
    lines = []
    monkeypatch.setattr(host, "log_err", lines.append)
    return lines


def test_frames_that_cannot_be_read_are_named_and_left_out(paths, tmp_path, told):
    broken = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    broken[0].write_bytes(b"")
    broken[1].write_bytes(paths[0].read_bytes()[:500])
    frames = [broken[0], paths[0], broken[1], paths[1], broken[2]]                    # the last does not exist
    marked, _ = mark(frames, [do(ms.move(90, 90)), do(keys=","), do(keys="."), do(ms.move(80, 80)), do(keys=","),
                              do(keys="\r"), do(keys="\r")], ms.Landmarks(misses=False))
    assert [(name, len(rects)) for name, rects, _ in marked] == [
        ("a.png", 0), ("00000.png", 1), ("b.png", 0), ("00001.png", 1), ("c.png", 0)]
    assert [sum(path.name in line for line in told) for path in broken] == [1, 1, 1] and len(told) == 3
    marked, window = mark(broken, [])
    assert [rects for _, rects, _ in marked] == [[], [], []] and not window.shown


class Nothing(ms.Landmarks):
    def __init__(self, count, error=None):
        super().__init__(misses=False)
        self.count, self.error = count, error

    def find(self, *question):
        found = super().find(*question)
        if len(self.calls) > self.count:
            return found
        if self.error is not None:
            raise self.error
        return None


@pytest.mark.parametrize("error", [None, ValueError("no memory left")])
def test_before_any_landmarks_only_the_rectangle_is_shown_and_nothing_kept(paths, told, error):
    marked, window = mark(paths, [do(ms.move(160, 90), *[ms.wheel(ms.TOWARDS)] * 2), do(keys="\r"),
                                  do(ms.click(160, 90)), do(keys="."), do(ms.click(99, 99)), do(keys="q")],
                          Nothing(9, error))
    assert [rects for _, rects, _ in marked] == [[], [], [], []] and len(window.shown) > 2
    assert all((picture == (255, 0, 0)).all(axis=2).any() for picture in window.shown)
    assert not (window.shown[-1] == (0, 255, 0)).all(axis=2).any()
    assert bool(told) == (error is not None) and all("00000.png" in told[0] and "no memory" in line for line in told)
    marked, _ = mark(paths, [do(keys="\r"), do(ms.move(99, 99)), do(keys="\r"), do(keys="q")], Nothing(1, error))
    assert [rects for _, rects, _ in marked] == [[(-1, -1, 199, 199)], [], [], []]


def test_a_closed_window_ends_the_pass_as_q_does(paths, told):
    def mark_until_closed(script, when):
        window = Window(script)
        window.show = lambda picture, show=window.show: (show(picture), setattr(
            window, "is_left", len(window.shown) == when))
        return mark(paths, script, window=window)[0]

    confirmed = mark_until_closed([do(keys="\r"), do(), do(keys="\r"), do()], 3)
    assert [len(rects) for _, rects, _ in confirmed] == [1, 1, 0, 0]
    locked = mark_until_closed([do(keys="\r"), do(), do(ms.click(5, 5)), do(keys=" ")], 3)
    assert [len(rects) for _, rects, _ in locked] == [1, 1, 0, 0]


def test_landmarks_are_searched_in_another_thread(paths):
    seen = []

    class Watched(ms.Landmarks):
        def find(self, image, rect, accurate):
            seen.append((threading.current_thread() is threading.main_thread(), image))
            time.sleep(0.05)
            return super().find(image, rect, accurate)

    _, window = mark(paths[:2], [do(ms.move(90, 90)), do(keys="\r"), do(), do(keys="\r")], Watched())
    assert [is_main for is_main, _ in seen] == [False] * 3
    assert seen[0][1] is seen[1][1] and seen[0][1] is not seen[2][1]
    assert window.polled.count(manual.BUSY) > 3 and manual.IDLE > manual.BUSY >= 0.002 > manual.SHORT
    assert [seconds for seconds in window.polled if seconds != manual.BUSY] == [
        manual.SHORT, manual.IDLE, manual.IDLE, manual.SHORT, manual.IDLE]


def test_the_next_frame_is_read_while_the_user_looks(paths, monkeypatch):
    read, is_read = [], threading.Event()

    class Patient(Window):
        def poll(self, seconds):
            if seconds == manual.IDLE and len(self.shown) == 1:
                assert is_read.wait(20)
            return super().poll(seconds)

    def noted(path, read_one=manual_view.read):
        read.append((path.name, threading.current_thread() is threading.main_thread()))
        if len(read) == 2:
            is_read.set()
        return read_one(path)

    monkeypatch.setattr(manual_view, "read", noted)
    script = [do(keys="\r"), do(), do(keys=","), do(), do(keys=" "), do(keys="q")]
    marked, _ = mark(paths, script, window=Patient(script))
    assert [len(rects) for _, rects, _ in marked] == [0, 0, 0, 0]
    assert read == [("0000{}.png".format(number), False) for number in (0, 1, 2, 0, 1)]


def test_ctrl_c_closes_the_window_and_does_not_wait(paths):
    window, release = Window([]), threading.Event()
    window.poll = lambda seconds: interrupt() if seconds == manual.BUSY else ([], [])

    def interrupt():
        raise KeyboardInterrupt()

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        manual.mark([Item(paths[0])], lambda *question: release.wait(20), WHOLE_FACE, IMAGE_SIZE, 0, window)
    release.set()
    assert window.closed and time.monotonic() - start < 2


def test_without_frames_there_is_no_window(monkeypatch):
    monkeypatch.setattr(manual, "Window", None)
    assert manual.mark([], None, WHOLE_FACE, IMAGE_SIZE, 0) == []


# --- the window ------------------------------------------------------------------------------

def test_characters_of_keys():
    letters = {13: "\r", 10: "\n", 32: " ", 27: "\x1b", ord("Q"): "q", ord("a"): "a"}
    signs = {ord(","): ",", ord("<"): ",", ord("."): ".", ord(">"): ".", ord("?"): "/"}
    others = {0x100000 + 13: "\r", 0xFF8D: "\r", 0xFF51: None, 0x250000: None, -1: None}
    for expected in (letters, signs, others):
        assert {code: window_module.character(code) for code in expected} == expected


class Highgui:
    """Stands for OpenCV's windows."""

    def __init__(self, monkeypatch):
        self.calls, self.keys, self.visible, self.callback = [], [], 1.0, None
        for name in ("namedWindow", "imshow", "destroyWindow"):
            monkeypatch.setattr(cv2, name, lambda title, *rest, name=name: self.calls.append(name))
        monkeypatch.setattr(cv2, "setMouseCallback", lambda title, callback: setattr(self, "callback", callback))
        monkeypatch.setattr(cv2, "waitKeyEx", self.wait)
        monkeypatch.setattr(cv2, "getWindowProperty", self.property)
        monkeypatch.setenv("DISPLAY", "far.example:0")

    def wait(self, milliseconds):
        self.calls.append(milliseconds)
        for event in range(2 if self.callback else 0):
            self.callback(event, 10 + event, 20, 30, None)
        return self.keys.pop(0) if self.keys else -1

    def property(self, title, number):
        assert (title, number) == ("Title", cv2.WND_PROP_VISIBLE)
        if self.visible is None:
            raise cv2.error("there is no such window")
        return self.visible


def test_window_opens_with_the_first_picture_and_tells_what_happens(monkeypatch):
    gui = Highgui(monkeypatch)
    window = window_module.Window("Title")
    assert window.poll(0.001) == ([], []) and gui.calls == [1] and not window.is_closed()
    picture = np.zeros((2, 2, 3), np.uint8)
    window.show(picture)
    window.show(picture)
    gui.keys = [ord("Q"), 0xFF51]
    events = [window_module.MouseEvent(10, 20, window_module.MOVE, 30),
              window_module.MouseEvent(11, 20, window_module.LEFT_DOWN, 30)]
    assert window.poll(0.0001) == (events, ["q"]) and window.poll(0.02) == (events, [])
    assert gui.calls == [1, "namedWindow", "imshow", "imshow", 1, 20]
    gui.visible = 0.0
    assert window.is_closed()
    window.show(picture)
    assert window.poll(0.001) == ([], [])
    window.close()
    assert gui.calls == [1, "namedWindow", "imshow", "imshow", 1, 20]


@pytest.mark.parametrize("closed", [0.0, None, -1.0])
def test_window_that_is_not_visible_yet_is_not_closed(monkeypatch, closed):
    gui = Highgui(monkeypatch)
    gui.visible = closed
    window = window_module.Window("Title")
    window.show(np.zeros((2, 2, 3), np.uint8))
    assert not window.is_closed()
    gui.visible = 1.0
    assert not window.is_closed()
    gui.visible = closed
    assert window.is_closed()
    gui.visible = 1.0
    window.close()
    assert gui.calls[-2:] == ["destroyWindow", 1]


def test_without_a_display_there_are_words(monkeypatch, tmp_path):
    gui = Highgui(monkeypatch)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for display in ("", ":987", "unix:987.0"):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(host.UserError, match="no display"):
            window_module.Window("Title")
    monkeypatch.delenv("DISPLAY")
    with pytest.raises(host.UserError, match="not set"):
        window_module.Window("Title")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert window_module.Window("Title") and gui.calls == [1]

    def missing(milliseconds):
        raise cv2.error("The function is not implemented. Rebuild the library")

    monkeypatch.setattr(cv2, "waitKeyEx", missing)
    with pytest.raises(host.UserError, match="opencv-python"):
        window_module.Window("Title")
    monkeypatch.setattr(host, "is_colab", lambda: True)
    with pytest.raises(host.UserError, match="notebook"):
        window_module.Window("Title")
