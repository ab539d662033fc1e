"""Extraction of faces from frames, as a user starts it.

- extract.pipeline: all but the networks: detector and aligner of both sides answer at once, from a table
  (table_networks.py). Generated frames of 1280x720 (PNG) with one face, whole_face of 512 px, JPG quality 100, debug
  images. Frames repeat after some: only their names differ. The limit reads all frames, cuts the faces out and writes
  them and the debug images, on all cores. How long each part of our work takes in one thread is said below the table.
- extract.cpu: the real networks, on the processor, with weights that know the generated frames (marker_networks.py);
  every other frame has a face, so that the detector looks at the others from all four sides. Only with --stock: the
  networks without TensorFlow would take hours.
- extract.own: the same with the weights of the DeepFaceLab of --stock and the first frames of the user's data_dst,
  copied; on his graphics cards, if he has some.

With DeepFaceLab, both run in a copy of its tree, which for ours has this project laid over it.

Equal: the same files; metadata and pixels as near as Tolerance says. Where one Python runs both sides of
extract.pipeline, DeepFaceLab's files and ours are the same bytes.
"""
import collections
import hashlib
import json
import os
import re
import shutil
import sys

import cv2
import numpy as np

from accel import compat, dfl_jpeg
from benchmarks import extract_trees, files, timing
from benchmarks.cases import step
from benchmarks.extract_trees import MARKERS, OWN, TABLE, frames_folder
from benchmarks.stock_tree import Unusable

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = os.path.join(ROOT, "benchmarks", "extract_limit.py")
NAIVE = os.path.join(ROOT, "tests", "naive", "extract.py")
SAMPLES = 4                    # frames whose pixels are compared
FACE_TYPE, SIZE, QUALITY = "whole_face", 512, 100
LEAST_RATE = 8                 # frames, at least, that a rate is told by

Case = collections.namedtuple("Case", step.FIELDS + ("size", "distinct", "networks"))
Case.__doc__ = """A step.Case. size: (width, height) of the frames in px, None where they are the user's. distinct: so
many frames are different, None for all. networks: extract_trees.TABLE, MARKERS or OWN."""

Outcome = collections.namedtuple("Outcome", "hashes metadata folder rate busy")
Outcome.__doc__ = """What an extraction left. hashes: of every file, by its path below the output; metadata: of every
face, by the same; folder: where SAMPLES of the frames have their files kept; rate: frames a second without the start,
None if that cannot be told; busy: percent of its time that our devices computed, None where nothing is said."""

Tolerance = collections.namedtuple("Tolerance", "rect points face debug")
Tolerance.__doc__ = """How far apart two equal results are at most. rect: px; points: mean of the landmarks, a share of
the side of the rectangle or of the face's picture; face, debug: mean of the pictures, levels of 255."""

HD = (1280, 720)
CASES = [
    Case("extract.pipeline", "all but the networks, 1280x720", 300, 40, None, 4, 10, "frames", None, HD, 20, TABLE),
    Case("extract.cpu", "on the CPU, made-up weights", 12, 4, None, None, 1.3, None, None, HD, None, MARKERS),
    Case("extract.own", "your frames, your weights", 24, 4, None, None, None, None, None, None, None, OWN),
]
# Other versions of OpenCV round otherwise when they cut a face out, encode it or draw a line. Networks that compute in
# another order see the same face up to a quarter of a cell elsewhere, of 64 cells: 1/256.
TOLERANCES = {TABLE: Tolerance(0, 1e-5, 0.6, 0.5), MARKERS: Tolerance(1, 1e-3, 1.0, 0.5),
              OWN: Tolerance(2, 0.005, 4.0, 1.0)}


# --- the commands ----------------------------------------------------------------------------

def words(case, source, stage):
    """What comes after main.py, for DeepFaceLab and for ours (list of str): nothing is left to ask but for cards."""
    spoken = ["extract", "--input-dir", frames_folder(source), "--output-dir", aligned(stage), "--detector", "s3fd",
              "--face-type", FACE_TYPE, "--max-faces-from-image", "0", "--image-size", str(SIZE),
              "--jpeg-quality", str(QUALITY), "--output-debug"]
    return spoken + ([] if case.networks == OWN else ["--cpu-only"])


def our_command(case, source, stage, tree, log):
    """The command line of this project (list of str). log: path of a file that it adds to."""
    return [sys.executable, os.path.join(tree, "main.py")] + words(case, source, stage) + ["--yes", "--log", log]


def stock_command(case, source, stage, tree, python):
    """The command line of a DeepFaceLab tree (list of str)."""
    return [python, os.path.join(tree, "main.py")] + words(case, source, stage)


def naive_command(source, stage):
    """The command line of the naive oracle (list of str)."""
    return [sys.executable, NAIVE, frames_folder(source), aligned(stage), debug(stage), "--face-type", FACE_TYPE,
            "--image-size", str(SIZE), "--jpeg-quality", str(QUALITY)]


def limit_command(source, stage):
    """The command line of what the case cannot beat (list of str)."""
    return [sys.executable, LIMIT, frames_folder(source), aligned(stage), debug(stage)]


def aligned(stage):
    return os.path.join(stage, "aligned")


def debug(stage):
    return os.path.join(stage, "aligned_debug")


# --- what came out ---------------------------------------------------------------------------

def rate(paths):
    """Frames a second (float) by when their files were written; None for too few.

    The first frames, one a core, do not count: several workers begin them together.
    """
    times = sorted(os.stat(path).st_mtime_ns for path in paths)[compat.cpu_count() - 1:]
    span = (times[-1] - times[0]) / 1e9 if times else 0
    return (len(times) - 1) / span if len(times) > LEAST_RATE and span > 0 else None


def busy_share(log):
    """Percent of its time that our devices computed (float), by the log of a run; None where it says nothing."""
    try:
        with open(log, encoding="utf-8", errors="replace") as stream:
            found = re.findall(r"devices busy ([0-9.]+)%", stream.read())
    except OSError:
        return None
    return float(found[-1]) if found else None


def files_below(stage):
    """The pictures in both output folders: sorted list of (path below the stage)."""
    return sorted(os.path.join(os.path.basename(folder), name) for folder in (aligned(stage), debug(stage))
                  if os.path.isdir(folder) for name in files.image_names(folder))


def digest(path):
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def stem_of(path):
    """The stem of the frame that a file is of: "aligned/00001_0.jpg" is of 00001."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return stem.rpartition("_")[0] if is_face(path) else stem


def is_face(path):
    return os.path.dirname(path) == "aligned"


def take_in(stage, folder, log, with_busy):
    """The Outcome of a stage, whose samples are moved into a new folder."""
    paths = files_below(stage)
    frames = [path for path in paths if not is_face(path)]
    count = min(SAMPLES, len(frames))
    kept = {stem_of(frames[index * len(frames) // count]) for index in range(count)}
    hashes = {path: digest(os.path.join(stage, path)) for path in paths}
    metadata = {path: dfl_jpeg.read_metadata(os.path.join(stage, path)).data for path in paths if is_face(path)}
    result = Outcome(hashes, metadata, folder, rate(os.path.join(stage, path) for path in frames),
                     busy_share(log) if with_busy else None)
    for path in paths:
        if stem_of(path) in kept:
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            os.replace(os.path.join(stage, path), os.path.join(folder, path))
    return result


# --- equality --------------------------------------------------------------------------------

def same(theirs, ours, stems, tolerance, strict):
    """Whether two Outcomes are equal (bool). stems: of all frames; tolerance: Tolerance; strict: to the byte."""
    if set(theirs.hashes) != set(ours.hashes) or {stem_of(path) for path in ours.hashes if not is_face(path)} != set(
            stems):
        return False
    if theirs.hashes == ours.hashes:
        return True
    return not strict and all(same_metadata(theirs.metadata[path], found, tolerance)
                              for path, found in ours.metadata.items()) and same_pictures(theirs, ours, tolerance)


def same_metadata(theirs, ours, tolerance):
    """Whether the metadata of two faces is equal (bool): dicts."""
    if list(theirs) != list(ours) or any(theirs[key] != ours[key] for key in ("face_type", "source_filename")):
        return False
    rects = [np.array(one["source_rect"], float) for one in (theirs, ours)]
    if rects[0].shape != rects[1].shape or np.abs(rects[0] - rects[1]).max() > tolerance.rect:
        return False
    side = np.abs(rects[0][2:] - rects[0][:2]).max()
    for key, allowed in (("source_landmarks", tolerance.points * side), ("landmarks", tolerance.points * SIZE)):
        if not near(theirs[key], ours[key], allowed):
            return False
    moved = [cv2.transform(np.array(theirs["source_landmarks"], float)[:, None], one["image_to_face_mat"])[:, 0]
             for one in (theirs, ours)]
    return near(moved[0], moved[1], tolerance.points * SIZE)


def near(points, others, allowed):
    """Whether points lie not more than `allowed` from each other, in the mean (bool). (n, 2) numbers."""
    points, others = np.array(points, float), np.array(others, float)
    return points.shape == others.shape and np.hypot(*(points - others).T).mean() <= allowed


def same_pictures(theirs, ours, tolerance):
    """Whether the pictures of the samples are equal (bool)."""
    for path in files_below(ours.folder):
        pictures = [cv2.imread(os.path.join(one.folder, path)) for one in (theirs, ours)]
        if any(picture is None for picture in pictures) or pictures[0].shape != pictures[1].shape:
            return False
        if cv2.absdiff(*pictures).mean() > (tolerance.face if is_face(path) else tolerance.debug):
            return False
    return True


# --- the step --------------------------------------------------------------------------------

class Extract(step.Step):
    """Extractions from generated frames, or from copies of the user's."""

    UNIT = "frames"
    CASES = CASES

    def __init__(self, bench):
        step.Step.__init__(self, bench)
        self.own = None            # the user's frames: (folder, names)
        self.trees = {}            # {(networks, side): folder of main.py}
        self.outcomes = {}         # {(name of a case, side): [Outcome]}
        self.parts = {}            # {part: milliseconds a frame in one thread}

    def check(self):
        path = self.workspace()
        self.own = path and extract_trees.find_own(path)
        if path and not self.own:
            step.say("{} has no frames in data_dst: no extraction of yours is measured.".format(path))
        elif path and not self.bench.stock:
            step.say("Your frames are extracted only with --stock: its networks have the weights.")
        elif path and not extract_trees.has_weights(self.bench.stock.tree):
            step.say("Your frames are not extracted: {} lacks {} in facelib.".format(
                self.bench.stock.tree, " and ".join(extract_trees.missing_weights(self.bench.stock.tree))))

    def applies(self, case):
        if case.networks == TABLE:
            return True
        own = bool(self.bench.stock and self.own and extract_trees.has_weights(self.bench.stock.tree))
        return own if case.networks == OWN else bool(self.bench.stock and not own)

    def own_items(self, case):
        return len(self.own[1]) if case.networks == OWN else None

    def prepare(self, case, count):
        self.make_trees(case.networks)
        folder = self.bench.path("frames", case.name)
        step.say("{} {} frames".format("copying" if case.networks == OWN else "making", count))
        if case.networks == OWN:
            extract_trees.copy_own(self.own, folder, count)
        elif case.networks == MARKERS:
            extract_trees.make_markers(folder, count, case.size)
        else:
            extract_trees.make_stamped(folder, count, case.size, case.distinct)
            self.measure_parts(case, folder)
        return folder

    def make_trees(self, networks):
        weights = self.bench.path("weights")
        if networks == MARKERS and not os.path.isdir(weights):
            step.say("making the weights of the networks")
            extract_trees.write_weights(weights)
        for side in ("baseline", "ours") if self.bench.stock else ("ours",):
            if (networks, side) not in self.trees:
                self.trees[networks, side] = extract_trees.build(
                    self.bench.path("trees for extract", networks, side), networks, self.bench.stock_path,
                    side == "ours", weights)

    def measure_parts(self, case, folder):
        """Measure the parts of our work on the frames in a folder; they stay unknown if that fails."""
        stage = self.bench.path("parts")
        run = timing.run_process([sys.executable, LIMIT, "--parts", frames_folder(folder), stage],
                                 self.bench.path("log"), self.bench.environment(case, "ours"))
        shutil.rmtree(stage, ignore_errors=True)
        if run.exit_code:
            step.say("The parts of the work were not measured: {}".format(run.output))
        else:
            self.parts = json.loads(step.last_line(self.bench.path("log")))

    def sides(self, case):
        return ["baseline", "ours"] + (["limit"] if case.limit else [])

    # --- a run -------------------------------------------------------------------------------

    def lay_out(self, case, source, stage):
        for folder in (aligned(stage), debug(stage)):
            os.mkdir(folder)           # an extraction only reads its frames: all use the same
        if os.path.exists(self.log()):
            os.remove(self.log())

    def log(self):
        return self.bench.path("log of extract")

    def command(self, case, side, source, stage):
        if side == "ours":
            return our_command(case, source, stage, self.trees[case.networks, side], self.log())
        if side == "limit":
            return limit_command(source, stage)
        if not self.bench.stock:
            return naive_command(source, stage)
        return stock_command(case, source, stage, self.trees[case.networks, side], self.bench.arguments.stock_python)

    def answers(self, case, side):
        return "\n" if case.networks == OWN and side == "baseline" else ""     # which cards: all of them

    def environment(self, case, side):
        variables = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        if case.networks != OWN:
            variables["CUDA_VISIBLE_DEVICES"] = "-1"
        return variables

    def outcome(self, case, side, stage, log_path):
        if not os.listdir(debug(stage)):       # DeepFaceLab ends with 0 when its extractor has failed
            raise Unusable("No frame came out.\n{}".format(timing.last_text(log_path)))
        made = self.outcomes.setdefault((case.name, side), [])
        folder = self.bench.path("kept", case.name, "{} {}".format(side, len(made)))
        made.append(take_in(stage, folder, self.log(), side == "ours" and case.networks != TABLE))
        return made[-1]

    # --- after a case ------------------------------------------------------------------------

    def compare(self, case, theirs, ours, source):
        stems = [os.path.splitext(name)[0] for name in files.image_names(frames_folder(source))]
        return "yes" if same(theirs, ours, stems, TOLERANCES[case.networks], self.is_strict(case)) else "NO"

    def is_strict(self, case):
        """Whether both sides must have written the same bytes (bool)."""
        python = self.bench.arguments.stock_python
        return bool(case.networks == TABLE and self.bench.stock and shutil.which(python) == shutil.which(
            sys.executable))

    def repeats(self, first, again):
        return first.hashes == again.hashes

    def finish(self, case):
        for folder in ("frames", "kept"):
            shutil.rmtree(self.bench.path(folder, case.name), ignore_errors=True)

    def about(self):
        return {"extract": {"{} of {}".format(*key): {
            "frames_a_second": timing.middle([one.rate for one in made]),
            "devices_busy_percent": timing.middle([one.busy for one in made])} for key, made in sorted(
                self.outcomes.items())}, "extract_milliseconds_a_frame_in_one_thread": self.parts}

    def notes(self):
        lines = []
        for case in CASES:
            theirs, ours = (self.outcomes.get((case.name, side), []) for side in ("baseline", "ours"))
            rates = [timing.middle([one.rate for one in made]) for made in (theirs, ours)]
            if None not in rates:
                lines.append("{}: frames a second, without the start {:.2f}, ours {:.2f}: {:.1f}x".format(
                    case.name, rates[0], rates[1], rates[1] / rates[0]))
            busy = timing.middle([one.busy for one in ours])
            if busy is not None:
                lines.append("{}: our devices computed {:.1f} % of the time between first and last question".format(
                    case.name, busy))
        if self.parts:
            lines.append("extract.pipeline: one thread of ours takes {:.1f} ms a frame: {}".format(
                sum(self.parts.values()), ", ".join("{} {:.1f}".format(*part) for part in self.parts.items())))
        return lines
