"""Merge: faces into frames, as a user starts it, and what no merge can beat: reading and writing the frames.

- merge.720p, .2160p (only with --stock), .seamless: generated frames with one face of a third of their height; mode
  overlay with colour transfer rct, or seamless (3840x2160, but 1280x720 against the naive oracle); mask mode 4,
  erode 5, blur 21; DeepFaceLab writes png, ours jpg; both with the number of workers that they propose. Frames repeat
  after some: only their names differ. The limit reads all frames and writes them as jpg, on all cores.
- merge.prepare: 2,000 faces, each of a frame of its own, timed from the start of the process until the first merged
  frame is in its folder; then all is killed. The part of it after the model is loaded, in which the faces are looked
  through, is named below the table; the rest is the start of Python and TensorFlow. The limit reads the heads of
  the faces.
- merge.own: the first frames of the user's data_dst, copied, and the faces in data_dst/aligned that belong to them.

The network is a stand-in that takes no time (tests/stand_in, models.Model_Tiny): a real one takes the same time on
both sides. With DeepFaceLab, both run in a copy of its tree, which for ours has this project laid over it.

Equal: of some frames, ours as png is within 1 level of DeepFaceLab's, and the frame's own pixel outside of the
mask; masks are within 1 level; and the jpg that was timed is that png but for what its quality of 100 costs.
"""
import collections
import os
import shutil
import sys

import cv2

from benchmarks import merge_input, merge_trees, timing
from benchmarks.cases import step
from benchmarks.stock_tree import Unusable

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLES = 4                    # frames whose pixels are compared
STOCK_LEVELS = 1               # of 255: as far apart as two pixels of equal results may be
# OpenCV 5 turns pictures in other steps than OpenCV 4 and the engine do, which shows at the finest detail
NAIVE_LEVELS, NAIVE_MEAN = 12, 0.4
JPG_MEAN = 1.6                 # levels that a jpg of quality 100 is off a grainy picture, in the mean

Case = collections.namedtuple("Case", step.FIELDS + ("size", "naive_size", "distinct", "mode", "kind"))
Case.__doc__ = """A step.Case. size: (width, height) of the frames in px, None where they are the user's; naive_size: of
those for the naive oracle, None for a case that it is spared. distinct: so many frames are different. mode: of merging.
kind: "whole": to the end; "start": to the first frame; "own"."""

Outcome = collections.namedtuple("Outcome", "names folder rate prepared")
Outcome.__doc__ = """What a merge left. names: stems of all frames and masks that came out; folder: where SAMPLES of
them are kept; rate: frames a second from the first to the last, None if that cannot be told; prepared: seconds
from the loaded model to the first face at the network, None without the stand-in model."""

HD, UHD, SMALL = (1280, 720), (3840, 2160), (320, 180)
CASES = [
    Case("merge.prepare", "many faces, to the first merged frame", 2000, 60, None, 60, None, "heads", None, SMALL,
         SMALL, 24, "overlay", "start"),
    Case("merge.720p", "1280x720", 300, 8, None, 10, 4, "frames", None, HD, HD, 20, "overlay", "whole"),
    Case("merge.2160p", "3840x2160", 60, 2, None, None, 3.5, "frames", None, UHD, None, 5, "overlay", "whole"),
    Case("merge.seamless", "seamless, 3840x2160", 40, 2, None, 2, 3, "frames", None, UHD, HD, 5, "seamless", "whole"),
    Case("merge.own", "your frames", 100, 8, None, 4, None, "frames", None, None, None, None, "overlay", "own"),
]
MODES = {"overlay": "1", "seamless": "3"}
SETTINGS = ("mask_mode=4", "erode_mask_modifier=5", "blur_mask_modifier=21", "color_transfer_mode=rct")
# mode and mask mode, erode, blur, motion blur, scale; then rct, sharpen, super resolution, three kinds of degrading
TYPED = "n\n{}\n4\n5\n21\n0\n0\nrct\n0\n0\n0\n0\n0\n\n"


# --- the commands ----------------------------------------------------------------------------

def words(source, stage):
    """What comes after main.py, for DeepFaceLab and for ours (list of str)."""
    return ["merge", "--input-dir", merge_input.frames_folder(source), "--output-dir", merged(stage),
            "--output-mask-dir", masks(stage), "--aligned-dir", merge_input.aligned_folder(source),
            "--model-dir", os.path.join(stage, "model"), "--model", "Tiny"]


def our_command(case, source, stage, tree, suffix):
    """The command line of this project (list of str). suffix: "png" or "jpg"."""
    command = [sys.executable, os.path.join(tree, "main.py")] + words(source, stage)
    for setting in ("mode=" + case.mode,) + SETTINGS:
        command += ["--set", setting]
    return command + ["--output-format", suffix, "--yes"]


def stock_command(source, stage, tree, python):
    """The command line of a DeepFaceLab tree (list of str)."""
    return [python, os.path.join(tree, "main.py")] + words(source, stage)


def naive_command(case, source, stage):
    """The command line of the naive oracle (list of str)."""
    return [sys.executable, os.path.join(ROOT, "tests", "naive", "merge.py"), merge_input.frames_folder(source),
            merge_input.aligned_folder(source), merged(stage), masks(stage), "--mode", case.mode,
            "--mask-mode", "4", "--erode", "5", "--blur", "21"]


def limit_command(case, source, stage):
    """The command line of what the case cannot beat (list of str)."""
    if case.limit == "heads":
        return [sys.executable, os.path.join(ROOT, "benchmarks", "limits.py"), "heads",
                merge_input.aligned_folder(source)]
    return [sys.executable, os.path.join(ROOT, "benchmarks", "merge_limit.py"), merge_input.frames_folder(source),
            merged(stage), masks(stage)]


def merged(stage):
    return os.path.join(stage, "merged")


def masks(stage):
    return os.path.join(stage, "merged_mask")


# --- what came out ---------------------------------------------------------------------------

def has_begun(folder):
    """Whether a merged frame is in its folder (bool)."""
    return any(entry.name.endswith((".png", ".jpg")) and not entry.name.startswith(".") and entry.stat().st_size
               for entry in os.scandir(folder))


def files_of(folder):
    """The merged frames of a folder: {stem: path}."""
    return {os.path.splitext(name)[0]: os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.endswith((".png", ".jpg")) and not name.startswith(".")}


def rate(paths):
    """Frames a second from the first file to the last (float), None for fewer than ten: workers begin together."""
    times = sorted(os.stat(path).st_mtime_ns for path in paths)
    span = (times[-1] - times[0]) / 1e9 if times else 0
    return (len(times) - 1) / span if len(times) >= 10 and span > 0 else None


def prepared(log_path):
    """Seconds from the loaded model to the first face at the network, by the model's own log; None without one."""
    try:
        with open(log_path) as stream:
            first, second = [float(line.split()[1]) for line in stream.read().splitlines()[:2]]
    except (OSError, ValueError):
        return None
    return second - first


def samples(names):
    """Some of the names, evenly over all of them (list)."""
    count = min(SAMPLES, len(names))
    return [names[index * len(names) // count] for index in range(count)]


def keep(stage, folder, names):
    """Move the files of these stems out of a stage into a new folder."""
    for place in (merged, masks):
        os.makedirs(place(folder))
        found = files_of(place(stage))
        for name in names:
            os.replace(found[name], os.path.join(place(folder), os.path.basename(found[name])))


def read(folder, name):
    """A merged frame and its mask: (uint8 (H, W, 3), uint8 (H, W))."""
    paths = [files_of(place(folder))[name] for place in (merged, masks)]
    return tuple(cv2.imread(path, flag) for path, flag in zip(paths, (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE)))


def levels_apart(one, other):
    """How far apart the pixels of two pictures of one size are: uint8, of the same shape."""
    return cv2.absdiff(one, other)


def same_frame(theirs, ours, jpg, source, strict):
    """Whether a frame came out equal (bool). theirs, ours: (picture, mask); jpg: our picture as it was timed;
    source: the frame; strict: theirs are DeepFaceLab's, not the naive oracle's."""
    if len({picture.shape for picture in (theirs[0], ours[0], jpg)}) > 1 or theirs[1].shape != ours[1].shape:
        return False
    apart, of_masks = levels_apart(theirs[0], ours[0]), levels_apart(theirs[1], ours[1])
    most, mean = (STOCK_LEVELS, STOCK_LEVELS) if strict else (NAIVE_LEVELS, NAIVE_MEAN)
    inside = ours[1] > 0
    untouched = (ours[1] == 0) & (theirs[1] == 0)
    return bool(inside.any() and apart.max() <= most and apart[inside].mean() <= mean and of_masks.max() <= most
                and of_masks[inside].mean() <= mean and (ours[0][untouched] == source[untouched]).all()
                and levels_apart(jpg, ours[0]).mean() <= JPG_MEAN)


# --- the step --------------------------------------------------------------------------------

class Merge(step.Step):
    """Merges of generated frames, or of copies of the user's."""

    UNIT = "frames"
    CASES = CASES

    def __init__(self, bench):
        step.Step.__init__(self, bench)
        self.own = None            # the user's frames: (workspace, names)
        self.trees = {}            # {side: folder of main.py}
        self.outcomes = {}         # {(name of a case, side): [Outcome]}

    def check(self):
        path = self.workspace()
        if path is None:
            return
        self.own = merge_input.find_own(path)
        if self.own is None:
            step.say("{} has no frames in data_dst with faces in data_dst/aligned: frames are generated."
                     .format(path))

    def applies(self, case):
        if case.kind == "whole" and not self.bench.stock and case.naive_size is None:
            return False
        return case.kind == "start" or (case.kind == "own") == (self.own is not None)

    def title(self, case):
        if case.size is None or self.bench.stock or case.size == case.naive_size:
            return case.title
        return case.title.replace("{}x{}".format(*case.size), "{}x{}".format(*case.naive_size))

    def own_items(self, case):
        return len(self.own[1]) if case.kind == "own" else None

    def prepare(self, case, count):
        self.prepare_trees()
        folder = self.bench.path("frames", case.name)
        step.say("{} {} frames".format("copying" if case.kind == "own" else "making", count))
        if case.kind == "own":
            merge_input.copy_own(self.own, folder, count)
        else:
            many = case.kind == "start"
            size = case.size if self.bench.stock else case.naive_size
            merge_input.make(folder, count, size, case.distinct, merge_input.LARGE if many else None)
        return folder

    def prepare_trees(self):
        if not self.trees:
            self.trees = merge_trees.build_both(self.bench.path("trees"), self.bench.stock_path)

    def sides(self, case):
        # the naive oracle unpickles metadata as it comes: nothing for files that it does not know
        trusted = self.bench.stock or case.kind != "own"
        return (["baseline"] if trusted else []) + ["ours", "limit"]

    def lay_out(self, case, source, stage):
        for folder in (merged(stage), masks(stage), os.path.join(stage, "model")):
            os.mkdir(folder)           # a merge only reads its frames: all use the same
        for side in self.sides(case):
            if os.path.exists(self.calls(side)):
                os.remove(self.calls(side))

    def calls(self, side):
        return self.bench.path("calls of " + side)

    def command(self, case, side, source, stage):
        if side == "ours":
            return our_command(case, source, stage, self.trees[side], "jpg")
        if side == "limit":
            return limit_command(case, source, stage)
        if not self.bench.stock:
            return naive_command(case, source, stage)
        return stock_command(source, stage, self.trees[side], self.bench.arguments.stock_python)

    def answers(self, case, side):
        return TYPED.format(MODES[case.mode]) if side == "baseline" and self.bench.stock else ""

    def environment(self, case, side):
        """No graphics card for anybody: the stand-in of the network has no use for one."""
        return {"TINY_LOG": self.calls(side), "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}

    def until(self, case, side, stage):
        if case.kind != "start" or side == "limit":
            return None
        return lambda: has_begun(merged(stage))

    def outcome(self, case, side, stage, log_path):
        found = files_of(merged(stage))
        if not found:              # DeepFaceLab ends with 0 when its merger has failed
            raise Unusable("No frame came out.\n{}".format(timing.last_text(log_path)))
        made = self.outcomes.setdefault((case.name, side), [])
        folder = self.bench.path("kept", case.name, "{} {}".format(side, len(made)))
        names = sorted(set(found) & set(files_of(masks(stage))))
        result = Outcome(names, folder, rate(found.values()), prepared(self.calls(side)))
        if case.kind != "start":
            keep(stage, folder, samples(names))
        made.append(result)
        return result

    # --- after a case --------------------------------------------------------------------

    def compare(self, case, theirs, ours, source):
        if case.kind == "start":
            return "yes"
        names = sorted(os.path.splitext(name)[0] for name in os.listdir(merge_input.frames_folder(source))
                       if name != "aligned")
        if not theirs.names == ours.names == names:
            return "NO"
        lossless = self.merge_again(case, source, samples(names))
        same = lossless is not None and all(self.same(case, name, theirs, ours, lossless, source)
                                            for name in samples(names))
        return "yes" if same else "NO"

    def same(self, case, name, theirs, ours, lossless, source):
        path = merge_input.frame_path(source, name)
        frame = cv2.imread(path, cv2.IMREAD_COLOR)
        jpg = read(ours.folder, name)[0]
        png, mask = read(lossless, name)
        if not mask.any():         # a frame of the user's without a face
            return (png == frame).all() and levels_apart(png, jpg).mean() <= JPG_MEAN
        return same_frame(read(theirs.folder, name), (png, mask), jpg, frame, bool(self.bench.stock))

    def merge_again(self, case, source, names):
        """Let ours merge some frames to png, untimed: their stage, None if it fails."""
        few, stage = self.bench.path("few", "input"), self.bench.path("few")
        os.makedirs(merge_input.frames_folder(few))
        try:
            shutil.copytree(merge_input.aligned_folder(source), merge_input.aligned_folder(few))
            for name in names:
                shutil.copy(merge_input.frame_path(source, name), merge_input.frames_folder(few))
            self.lay_out(case, few, stage)
            command = our_command(case, few, stage, self.trees["ours"], "png")
            run = timing.run_process(command, self.bench.path("log"), self.bench.environment(case, "ours"))
            if run.exit_code or sorted(files_of(merged(stage))) != sorted(names):
                step.say("Merging to png failed: {}".format(run.output))
                return None
            folder = self.bench.path("kept", case.name, "png")
            keep(stage, folder, names)
            return folder
        finally:
            shutil.rmtree(stage)

    def repeats(self, first, again):
        if not os.path.isdir(first.folder):      # to the first frame only
            return True
        return first.names == again.names and all(
            _content(place(first.folder), name) == _content(place(again.folder), name)
            for place in (merged, masks) for name in samples(first.names))

    def finish(self, case):
        for folder in ("frames", "kept"):
            shutil.rmtree(self.bench.path(folder, case.name), ignore_errors=True)

    def about(self):
        return {"merge": {name: {"frames_a_second": timing.middle([one.rate for one in made]),
                                 "seconds_from_model_to_first_face": timing.middle([one.prepared for one in made])}
                          for name, made in (("{} of {}".format(*key), made)
                                             for key, made in sorted(self.outcomes.items()))},
                "merge_frames_from": "user" if self.own else "generated, png"}

    def notes(self):
        lines = []
        for case in CASES:
            both = [self.outcomes.get((case.name, side)) for side in ("baseline", "ours")]
            if None in both:
                continue
            starts = case.kind == "start"
            values = [timing.middle([one.prepared if starts else one.rate for one in made]) for made in both]
            if None in values:
                continue
            theirs, ours = values
            if starts:
                lines.append("{}: from the loaded model to the first face at the network {:.2f} s, ours {:.3f} s: "
                             "{:.1f}x".format(case.name, theirs, ours, theirs / ours))
            else:
                lines.append("{}: frames a second, without the start {:.1f}, ours {:.1f}: {:.1f}x".format(
                    case.name, theirs, ours, ours / theirs))
        return lines


def _content(folder, name):
    with open(files_of(folder)[name], "rb") as stream:
        return stream.read()
