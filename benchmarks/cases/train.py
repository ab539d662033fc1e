"""Training without its network: loading the faces, making samples of them, and waiting for samples.

- train.load: the faces of data_src are loaded, timed from the start of the process until they are there. Generated
  faces of 512 px, every other one with an XSeg mask; after some, further names are links to the same files. The limit
  reads the heads of the files.
- train.samples: two generators, for data_src and data_dst, with one process each, make what SAEHD asks for with its
  default options at 256 px: the face warped, the face, its mask, the mask of eyes and mouth; in batches of 8. Timed is
  the making of so many samples, after some that are not. The limit only decodes as many faces, on two threads.
- train.wait: the same with as many processes as SAEHD starts on this machine, and a stand-in for the network which
  takes its time for each iteration. The limit is that time. Told is how much of an iteration is spent waiting.

With DeepFaceLab, both run in a copy of its tree, which for ours has this project laid over it, and its own
SampleGeneratorFace asks for the samples. The user's faces are linked or copied, at most 200 of each folder for samples.

Equal: the fields of all loaded faces; the first batches of both generators, whose random numbers come from seeds. Where
one Python runs both sides, batches are equal to the bit.
"""
import collections
import json
import os
import shutil
import sys

import numpy as np

from accel import compat
from benchmarks import merge_trees, train_input, train_settings
from benchmarks.cases import step
from benchmarks.stock_tree import Unusable

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAIVE = os.path.join(ROOT, "tests", "naive", "train.py")
DISTINCT, SAMPLE_FACES = 200, 48          # faces that are different; of each folder where samples are made
FACE_SIZE, NAIVE_FACE_SIZE, NAIVE_FACES = 512, 256, 12
BATCH, RESOLUTION, NETWORK = 8, 256, 0.3
NAIVE_BATCH, NAIVE_RESOLUTION, NAIVE_NETWORK = 2, 128, 0.05
LEVEL = 1 / 255.0                         # as far apart as samples of equal results may be in the mean

Case = collections.namedtuple("Case", step.FIELDS + ("kind",))
Case.__doc__ = """A step.Case; its items are the faces that are loaded or made samples of. kind: "load", "samples" or
"wait"."""

Outcome = collections.namedtuple("Outcome", "hashes kept")
Outcome.__doc__ = """What came out. hashes: of the fields of loaded faces (dict), or of the arrays of the first batches
(list). kept: the first faces of those arrays (list), None for a load."""

Figures = collections.namedtuple("Figures", "seconds start waited faces alone child")
Figures.__doc__ = """What a run told of itself. seconds: of loading alone, or of all timed batches; start: seconds from
the start of the process to the loaded faces or the first batches; waited: seconds for samples, None for a load; faces:
so many; alone, child: MB of the trainer and of the largest of its children, None if unknown."""

CASES = [
    Case("train.load", "loading faces, to the loaded list", 10000, 60, None, 24, 30, "heads", None, "load"),
    Case("train.samples", "making samples, two processes", 960, 96, None, 8, 2, "decode", None, "samples"),
    Case("train.wait", "iterations with a stand-in network", 640, 96, None, 8, 1, "network", 1.02, "wait"),
]


# --- the commands ----------------------------------------------------------------------------

def driver_command(python, tree, case, source, stage, settings):
    """The command line of either side (list of str). settings: train_settings.Settings, not used by a load."""
    driver = os.path.join(ROOT, "benchmarks", "train_driver.py")
    return [python, driver, tree] + _words(case, source, stage, settings)


def naive_command(case, source, stage, settings):
    """The command line of the naive oracle (list of str)."""
    return [sys.executable, NAIVE] + _words(case, source, stage, settings)


def _words(case, source, stage, settings):
    if case.kind == "load":
        return ["load", source, stage]
    return ["take", source, stage, json.dumps(settings._asdict())]


def limit_command(case, source, stage, settings):
    """The command line of what the case cannot beat (list of str)."""
    if case.limit == "heads":
        return [sys.executable, os.path.join(ROOT, "benchmarks", "limits.py"), "heads",
                train_settings.faces_folder(source, "data_src")]
    return [sys.executable, os.path.join(ROOT, "benchmarks", "train_limit.py"), case.limit, source, stage,
            json.dumps(settings._asdict())]


# --- what came out ---------------------------------------------------------------------------

def same_batches(theirs, ours, strict):
    """Whether the first batches of two Outcomes are equal (bool). strict: to the bit."""
    if theirs.hashes == ours.hashes:
        return True
    if strict or len(theirs.kept) != len(ours.kept):
        return False
    return all(one.dtype == other.dtype and one.shape == other.shape and
               np.abs(np.subtract(one, other, dtype=np.float64)).mean() <= LEVEL
               for one, other in zip(theirs.kept, ours.kept))


def same_shapes(theirs, ours):
    """Whether the first batches of two Outcomes have arrays of the same types and shapes (bool)."""
    return [array.split(") ")[0] for array in theirs.hashes] == [array.split(") ")[0] for array in ours.hashes]


def figures(report, run):
    """What a run told of itself, from its report.json (dict): Figures."""
    return Figures(report["seconds"], report.get("ready", report.get("ended")) - run.started, report.get("waited"),
                   report["faces"], run.alone, run.child)


# --- the step --------------------------------------------------------------------------------

class Train(step.Step):
    """Trainings with generated faces, or with the user's."""

    UNIT = "faces"
    CASES = CASES

    def __init__(self, bench):
        step.Step.__init__(self, bench)
        self.own = None            # the user's faces: two lists of paths
        self.pool = None           # paths of generated faces
        self.trees = {}            # {side: folder of main.py}
        self.figures = {}          # {(name of a case, side): [Figures]}

    def check(self):
        path = self.workspace()
        self.own = path and train_input.find_own(path)
        if path and not self.own:
            step.say("{} has no faces in data_src/aligned or data_dst/aligned: faces are generated for training."
                     .format(path))

    def own_items(self, case):
        return len(self.own[0]) if self.own and case.kind == "load" else None

    def count(self, case):
        count = step.Step.count(self, case)
        if case.kind == "load":
            return count
        batch = len(train_settings.FOLDERS) * (BATCH if self.bench.stock else NAIVE_BATCH)
        return -(-count // batch) * batch                  # whole rounds

    def settings(self, case):
        """How batches are taken in this run: train_settings.Settings."""
        stock, waits = self.bench.stock, case.kind == "wait"
        batch, resolution, network = (BATCH, RESOLUTION, NETWORK) if stock else (
            NAIVE_BATCH, NAIVE_RESOLUTION, NAIVE_NETWORK)
        processes = max(1, compat.cpu_count() // 2) if waits and stock else 1
        return train_settings.Settings(batch, resolution, processes,
                                       self.count(case) // (batch * len(train_settings.FOLDERS)),
                                       network if waits else None)

    def prepare(self, case, count):
        self.prepare_trees()
        folder = self.bench.path("faces for training", case.name)
        if case.kind == "load":
            paths = train_input.spread(self.own[0], count) if self.own else train_input.repeated(
                self.faces(min(count, DISTINCT)), count)
            train_input.lay_out(folder, paths, [])
        elif self.own:
            train_input.lay_out(folder, *[train_input.spread(paths, min(len(paths), DISTINCT)) for paths in self.own])
        else:
            many = SAMPLE_FACES if self.bench.stock else NAIVE_FACES
            paths = self.faces(2 * many)
            train_input.lay_out(folder, paths[:many], paths[many:2 * many])
        return folder

    def faces(self, count):
        """Paths of at least so many generated faces, made once."""
        if self.pool is None or len(self.pool) < count:
            step.say("making {} faces".format(count))
            size = FACE_SIZE if self.bench.stock else NAIVE_FACE_SIZE
            self.pool = train_input.make_pool(self.bench.path("faces for training", str(count)), count, size,
                                              bool(self.bench.stock), step.Progress(count))
        return self.pool

    def prepare_trees(self):
        if not self.trees:
            self.trees = {"ours": merge_trees.PROGRAM} if not self.bench.stock else merge_trees.build_both(
                self.bench.path("trees for training"), self.bench.stock_path)

    def sides(self, case):
        # the naive oracle unpickles metadata as it comes: nothing for files that it does not know
        return (["baseline"] if self.bench.stock or not self.own else []) + ["ours", "limit"]

    # --- a run -------------------------------------------------------------------------------

    def command(self, case, side, source, stage):
        settings = None if case.kind == "load" else self.settings(case)
        if side == "limit":
            return limit_command(case, source, stage, settings)
        if side == "baseline" and not self.bench.stock:
            return naive_command(case, source, stage, settings)
        python = sys.executable if side == "ours" else self.bench.arguments.stock_python
        return driver_command(python, self.trees[side], case, source, stage, settings)

    def environment(self, case, side):
        return {"TF_CPP_MIN_LOG_LEVEL": "3"}

    def taken(self, case, side, run, stage):
        if not os.path.exists(os.path.join(stage, train_settings.REPORT)):
            if (case.kind, side) == ("load", "limit"):
                return run.seconds
            raise Unusable("No samples came out.\n{}".format(run.output))
        report = train_settings.read_report(stage)
        if side == "limit":
            return report["seconds"]
        told = figures(report, run)
        self.figures.setdefault((case.name, side), []).append(told)
        return told.start if case.kind == "load" else told.seconds

    def outcome(self, case, side, stage, log_path):
        report = train_settings.read_report(stage)
        if case.kind == "load":
            return Outcome(dict(report["fields"], faces=report["faces"]), None)
        with np.load(os.path.join(stage, train_settings.FIRST)) as kept:
            return Outcome(report["arrays"], [kept[name] for name in kept.files])

    # --- after a case ------------------------------------------------------------------------

    def compare(self, case, theirs, ours, source):
        if case.kind == "load":
            different = sorted(name for name in set(theirs.hashes) | set(ours.hashes)
                               if theirs.hashes.get(name) != ours.hashes.get(name))
            if different:
                step.say("These fields of the loaded faces differ: {}".format(", ".join(different)))
            return "NO" if different else "yes"
        if self.settings(case).processes > 1:              # which process gets which faces is a matter of luck
            return "yes" if same_shapes(theirs, ours) else "NO"
        return "yes" if same_batches(theirs, ours, self.is_strict()) else "NO"

    def is_strict(self):
        """Whether batches of both sides must be equal to the bit (bool)."""
        return not self.bench.stock or shutil.which(self.bench.arguments.stock_python) == shutil.which(sys.executable)

    def repeats(self, first, again):
        if isinstance(first.hashes, dict):
            return first.hashes == again.hashes
        return same_shapes(first, again)

    def finish(self, case):
        shutil.rmtree(self.bench.path("faces for training", case.name), ignore_errors=True)

    def about(self):
        return {"train": {"{} of {}".format(*key): [told._asdict() for told in made]
                          for key, made in sorted(self.figures.items())},
                "train_faces_from": "user" if self.own else "generated, JPG quality 100"}

    def notes(self):
        lines = [TIMED_NOTE]
        for case in CASES:
            theirs, ours = (middle(self.figures.get((case.name, side), [])) for side in ("baseline", "ours"))
            if theirs and ours:
                lines += [told_of(case, theirs, ours), memory_of(case, theirs, ours)]
        return [line for line in lines if line]


TIMED_NOTE = """\
train: faces are loaded when the program has them, its end is not timed. Of the others only so many samples, while the
generators run, are timed, not the start; first s is that of such a part, too."""


def middle(made):
    """The Figures of the run in the middle, by time, without the first of several, which was the first start, too."""
    later = sorted(made[1:] or made, key=lambda told: told.seconds)
    return later[(len(later) - 1) // 2] if later else None


def told_of(case, theirs, ours):
    """A line below the table with what its column of seconds does not say (str)."""
    if case.kind == "load":
        return "{}: loading alone {:.2f} s, ours {:.3f} s: {:.1f}x".format(
            case.name, theirs.seconds, ours.seconds, theirs.seconds / ours.seconds)
    if case.kind == "samples":
        rates = [told.faces / told.seconds for told in (theirs, ours)]
        return ("{}: samples a second {:.1f}, ours {:.1f}: {:.1f}x; from the start of the program to the first batches "
                "{:.1f} s, ours {:.1f} s".format(case.name, rates[0], rates[1], rates[1] / rates[0], theirs.start,
                                                 ours.start))
    return "{}: of the time of an iteration, waiting for samples {:.2f} %, ours {:.2f} %".format(
        case.name, *[100 * told.waited / told.seconds for told in (theirs, ours)])


def memory_of(case, theirs, ours):
    """A line with the peak memory of the processes (str), empty where it is unknown."""
    if None in (theirs.alone, theirs.child, ours.alone, ours.child):
        return ""
    return "{}: peak memory of the trainer {:.0f} MB, ours {:.0f} MB; of its largest child {:.0f}, {:.0f} MB".format(
        case.name, theirs.alone, ours.alone, theirs.child, ours.child)
