"""The window of the interactive merger: real keys in, real pictures out, and sessions that outlive the program."""
import os
import signal
import sys
import threading

import cv2
import numpy as np
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in (os.path.join(ROOT, "DeepFaceLab"), ROOT, os.path.dirname(HERE), HERE):
    if folder not in sys.path:
        sys.path.insert(0, folder)

import merge_workspace  # noqa: E402
from accel.merge import output, session  # noqa: E402
from benchmarks import merge_trees  # noqa: E402
from display import Display, wait_until  # noqa: E402

TAB, ESC, RUN, FIRST = "\t", "\x1b", ">", "<"
OPTIONS = ("--workers", "2", "--output-format", "png", "--cpu-only")
FOLDER_OF_PICTURES = os.environ.get("WINDOW_PICTURES")
INSTALLED, STOCK = os.environ.get("DFL_INSTALLED"), os.environ.get("DFL_STOCK")


@pytest.fixture(scope="module")
def display():
    with Display() as shown:
        yield shown


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("tree") / "DeepFaceLab")
    if not (INSTALLED or STOCK):
        return merge_workspace.build_tree(folder)
    merge_trees.copy_tree(INSTALLED or STOCK, folder, overlay=not INSTALLED)
    merge_workspace.lay_over_deepfacelab(folder)
    return folder


class Run:
    """A merge and the user before its window. With `with`; behind that it has ended, and `code` is its exit code."""

    def __init__(self, display, tree, space, answers="", **variables):
        self.display, self.space, self.window = display, space, None
        self.process = merge_workspace.start(tree, merge_workspace.words(space, "--interactive", *OPTIONS),
                                             DISPLAY=display.name, **variables)
        self.process.stdin.write(answers.encode())
        self.process.stdin.close()
        self._said = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in iter(lambda: self.process.stdout.read1(4096), b""):
            self._said.append(line)

    @property
    def said(self):
        return b"".join(self._said).decode("utf-8", "replace")

    def __enter__(self):
        wait_until(lambda: self.display.window("Merger") or self.process.poll() is not None, "a window", 60)
        self.window = self.display.window("Merger")
        assert self.window is not None, self.said
        return self

    def __exit__(self, kind, *error):
        if kind is not None:
            self.keep_picture("failure")
            self.process.kill()
        self.code = self.process.wait(20)
        self._reader.join()
        self.process.stdout.close()
        if kind is not None:
            print(self.said)

    def keep_picture(self, name):
        """Save what is on the display, for people."""
        if FOLDER_OF_PICTURES:
            cv2.imwrite(os.path.join(FOLDER_OF_PICTURES, name + ".png"), self.display.screenshot())

    def press(self, *keys):
        self.display.press(self.window, *keys)

    # --- merged frames, from 1

    def path(self, number):
        return os.path.join(str(self.space.merged), "{:05}.png".format(number))

    def is_shown(self, number, scale=1.0):
        picture = cv2.imread(self.path(number))
        if picture is None:
            return False
        if scale != 1:
            picture = cv2.resize(picture, (int(picture.shape[1] * scale), int(picture.shape[0] * scale)))
        return self.display.where(picture) is not None

    def wait_for(self, number, name=None):
        """Wait until a merged frame is on the display as its file has it."""
        wait_until(lambda: self.is_shown(number), "frame {} on the display".format(number))
        if name:
            self.keep_picture(name)

    def open(self, number):
        """Leave the help, with which it begins."""
        wait_until(lambda: os.path.exists(self.path(number)), "a merged frame", 90)     # kernels may be compiled
        self.press_tab(lambda: self.is_shown(number))

    def press_tab(self, is_fine):
        """Press Tab until something is so: Qt takes some for itself, to go from button to button."""
        for _ in range(4):
            self.press(TAB)
            try:
                wait_until(is_fine, "the other picture", 2)
                return
            except AssertionError:
                pass
        raise AssertionError("Tab shows no other picture")

    def set(self, key, words):
        """Press a key and wait until the program says that a setting has its new value."""
        start = len(self.said)
        self.press(key)
        wait_until(lambda: words in self.said[start:], words)

    def change(self, number, *keys):
        """Press keys that change a frame, and wait until it is shown so."""
        before = cv2.imread(self.path(number))
        self.press(*keys)
        wait_until(lambda: (cv2.imread(self.path(number)) != before).any(), "a change by " + "".join(keys))
        self.wait_for(number)

    def merged(self):
        """Return the names of the frames of which picture and mask are there."""
        kept = output.Output(str(self.space.merged), str(self.space.masks))
        return {name for name in self.space.marks if kept.is_done(name[:-4])}


def saved(space):
    return session.load(str(space.model / "tiny_Tiny_merger_session.json"))


def calls(log):
    """Return how many faces the model was asked for."""
    return sum(int(line.split()[0]) for line in open(str(log)) if not line.startswith("ready"))


@pytest.fixture(scope="module")
def merged_by_keys(display, tree, tmp_path_factory):
    """A workspace with a session: frame 1 with settings of its own, 2 with others, which the rest has, too."""
    space = merge_workspace.build_workspace(tmp_path_factory.mktemp("workspace") / "space", 6)
    with Run(display, tree, space) as run:
        wait_until(lambda: display.place(run.window)[3] >= 480, "a window that is as large as the help")
        assert display.place(run.window)[2] >= 640
        wait_until(lambda: os.path.exists(run.path(1)), "a merged frame", 90)
        run.keep_picture("1 help")
        run.open(1)
        run.keep_picture("2 frame 1, overlay")
        run.change(1, "3")
        run.change(1, *"wwwww")
        run.change(1, *"eeeeeeeee")
        run.keep_picture("3 frame 1, seamless, erode 5, blur 9")
        run.press(".")
        run.wait_for(2)
        run.change(2, "1", "c", "c")
        run.press(",")
        run.wait_for(1)
        run.press("/")                                # frame 2 gets the settings of frame 1 again,
        run.wait_for(2)
        run.change(2, *"cc")                          # and others, which go to all the frames behind it
        run.press("?")
        run.wait_for(3, "4 frame 3 with the settings of frame 2")
        run.press(RUN)
        wait_until(lambda: "6/6" in run.said.rpartition("Merging:")[2], "all frames")
        run.keep_picture("5 all frames went by")
        run.press(FIRST)
        run.wait_for(1)
        run.press("=", "=", "=", "=", "=")
        wait_until(lambda: run.is_shown(1, 1.5), "a larger picture")
        run.keep_picture("6 frame 1, enlarged")
        run.press("-", "-", "-", "-", "-")
        run.wait_for(1)
        run.press("v")
        wait_until(lambda: not run.is_shown(1), "a checker board")
        run.keep_picture("7 frame 1, checker board")
        run.press("v")
        run.wait_for(1)
        run.press_tab(lambda: not run.is_shown(1))
        run.press(ESC)
    assert run.code == 0, run.said
    assert display.window("Merger") is None and "Session is saved to model/" in run.said
    return space


def test_keys_make_a_session(merged_by_keys):
    kept = saved(merged_by_keys)
    assert kept.frames_idxs == [0, 1, 2, 3, 4, 5] and all(frame.done for frame in kept.frames)
    first, second = kept.frames[0].settings, kept.frames[1].settings
    assert (first.mode, first.erode_mask_modifier, first.blur_mask_modifier, first.color_transfer_mode) == (
        "seamless", 5, 9, 1)
    assert second == first._replace(color_transfer_mode=3)
    assert [frame.settings for frame in kept.frames[2:]] == [second] * 4


def test_frames_are_merged_as_without_a_window(merged_by_keys, tree, tmp_path):
    space = merged_by_keys._replace(merged=tmp_path / "merged", masks=tmp_path / "masks")
    settings = saved(merged_by_keys).frames[1].settings._asdict()
    words = [word for name, value in sorted(settings.items()) if name != "face_type"
             for word in ("--set", "{}={}".format(name, value))]
    code, said = merge_workspace.run(tree, merge_workspace.words(space, "--yes", *(OPTIONS + tuple(words))))
    assert code == 0, said
    for folder, other in ((merged_by_keys.merged, space.merged), (merged_by_keys.masks, space.masks)):
        ref, comp = merge_workspace.pictures(other), merge_workspace.pictures(folder)
        assert sorted(ref) == sorted(comp) and len(ref) == 6
        assert all(np.array_equal(ref[name], comp[name]) for name in sorted(ref)[1:])


def test_the_saved_session_goes_on(merged_by_keys, display, tree, tmp_path):
    before = merge_workspace.contents(merged_by_keys.merged)
    with Run(display, tree, merged_by_keys, "\n", TINY_LOG=str(tmp_path / "log")) as run:
        run.open(1)
        run.press(".")
        run.wait_for(2)
        run.press(".")
        run.wait_for(3)
        run.press(ESC)
    assert run.code == 0 and "Use saved session?" in run.said, run.said
    assert merge_workspace.contents(merged_by_keys.merged) == before and calls(tmp_path / "log") == 0
    assert saved(merged_by_keys).frames_idxs == [2, 3, 4, 5]
    with Run(display, tree, merged_by_keys, "y\n", TINY_LOG=str(tmp_path / "log")) as run:
        run.open(3)
        run.change(3, "s")
        run.press(ESC)
    assert run.code == 0 and calls(tmp_path / "log") == 1
    kept = saved(merged_by_keys)
    assert kept.frames_idxs == [2, 3, 4, 5] and kept.frames[2].settings.erode_mask_modifier == 4
    assert kept.frames[3].settings.erode_mask_modifier == 5


def test_a_killed_merge_loses_the_frames_in_work_alone(display, tree, tmp_path):
    space = merge_workspace.build_workspace(tmp_path / "space", 12)
    with Run(display, tree, space, TINY_SLEEP="0.2") as run:
        run.open(1)
        run.change(1, "3")
        for number in range(9):
            run.set("e", "blur_mask_modifier: {}\n".format(number + 1))
        run.wait_for(1)
        run.press(RUN)
        wait_until(lambda: len(run.merged()) >= 5, "five frames")
        run.process.send_signal(signal.SIGKILL)
    assert run.code == -signal.SIGKILL
    there = run.merged()
    done = {frame.name for frame in saved(space).frames if frame.done}
    assert done <= there and len(there - done) <= 2 and len(done) >= 3
    kept = {name: os.stat(str(space.merged / name)).st_mtime_ns for name in done}
    with Run(display, tree, space, "\n") as run:
        run.open(saved(space).frames_idxs[0] + 1)
        run.press(RUN)
        wait_until(lambda: "12/12" in run.said.rpartition("Merging:")[2], "all frames")
        run.press(ESC)
    assert run.code == 0, run.said
    assert kept == {name: os.stat(str(space.merged / name)).st_mtime_ns for name in done}
    kept = saved(space)
    assert all(frame.done and frame.settings == kept.frames[0].settings for frame in kept.frames)
    assert (kept.frames[0].settings.mode, kept.frames[0].settings.blur_mask_modifier) == ("seamless", 9)


def test_a_frame_that_cannot_be_merged(display, tree, tmp_path):
    space = merge_workspace.build_workspace(tmp_path / "space", 3, kinds={1: merge_workspace.CORRUPT})
    with Run(display, tree, space) as run:
        run.open(1)
        run.press(".")
        wait_until(lambda: "00002.png is damaged" in run.said and not run.is_shown(1), "words")
        run.keep_picture("8 a frame that cannot be merged")
        run.press(".")
        run.wait_for(3)
        run.press(ESC)
    assert run.code == 1 and "1 of 3 frames could not be merged" in run.said, run.said
    assert "Session is saved" in run.said


@pytest.mark.parametrize("way", ["X button", "Ctrl-C"])
def test_other_ends_save_the_session(display, tree, tmp_path, way):
    space = merge_workspace.build_workspace(tmp_path / "space", 2)
    with Run(display, tree, space) as run:
        run.open(1)
        run.change(1, "3")
        if way == "X button":
            display.close_window(run.window)
        else:
            run.process.send_signal(signal.SIGINT)
    assert run.code == (0 if way == "X button" else 130), run.said
    assert saved(space).frames[0].settings.mode == "seamless" and "Session is saved" in run.said
