"""Compiles every kernel of the installed sorts, so that no later sort has to.

The sort methods themselves rank a few pictures, moving no file: so each kernel is compiled for the very
types that it meets in earnest. What only many faces or rare pictures lead to is reached by setting the
thresholds of the method aside; they are read by plain Python, never by a kernel.
"""
import collections
import contextlib
import importlib
import os
import shutil
import sys

from installer.self_test_report import Wrong

SIDE = 96       # px: a block of the sharpness metric (64 px) and a rest
FACES = 3       # each of them twice: only between equals all bounds of absdiff leave a choice
SEED = 5

Step = collections.namedtuple("Step", "method like folders answers aside")
Step.__doc__ = """One line of the progress. method: key of the Sorter's registry; like: what to add to its name;
folders: of pictures to rank; answers: to the method's questions; aside: what to set aside, a list of (module of
accel.ranking, name, function from the value that it has to the one that it gets)."""


def _none(_threshold):
    return -1


def _then_undecided(count_buckets):
    """Let every picture take the way of those whose edges cannot be counted block by block."""
    def count(*words):
        count_buckets(*words)
        return True
    return count


_UNDECIDED = ("sharpness", "_count_buckets", _then_undecided)
_ANY_PAIRS = ("dissimilarity", "FEW_PAIRS", _none)
_ANY_COUNT = ("pixels", "MANY", _none)
_BOTH = ("faces", "deep")

STEPS = (
    Step("blur", "", ("faces",), {}, (_UNDECIDED,)),
    Step("motion-blur", "", ("faces",), {}, ()),
    Step("hist", "", ("faces",), {}, ()),
    Step("hist-dissim", "", ("faces",), {}, (_ANY_PAIRS,)),
    Step("hue", "", ("faces",), {}, (_ANY_COUNT,)),
    Step("absdiff", ", similar", _BOTH, {"similar": True}, ()),
    Step("absdiff", ", dissimilar", _BOTH, {"similar": False}, ()),
    Step("final", "", ("faces",), {"target_count": 2000}, (_UNDECIDED, _ANY_PAIRS)),
    Step("final-fast", "", ("faces",), {"target_count": 2000}, (_ANY_PAIRS,)),
)

# Without numba: what cannot run at all, and what cannot run on many faces.
NEED_NUMBA = ("blur", "motion-blur", "hist", "absdiff", "final")
NEED_NUMBA_FOR_MANY = ("hist-dissim", "hue", "final-fast")


def compile_all(report, place):
    """Compile what every step reaches, and say so. place: an empty folder (str) for the pictures."""
    if not report.check("Preparing", make_pictures, place):
        return
    from mainscripts import Sorter
    for number, step in enumerate(STEPS, 1):
        name = Sorter.sort_func_methods[step.method][0] + step.like
        title = "Compiling ({} of {}): {}".format(number, len(STEPS), name)
        report.say(title + " ...")
        for folder in step.folders:
            report.check(title, _compile, step, Sorter, os.path.join(place, folder))


def _compile(step, sorter, folder):
    with _set_aside(step.aside):
        ordered, trashed = sorter.sort_func_methods[step.method][1](folder, **step.answers)
    # an error while a face is measured only sends that face to the trash
    if trashed or len(ordered) != 2 * FACES:
        raise Wrong(str(trashed[0][1]).splitlines()[0] if trashed else "faces are missing")


@contextlib.contextmanager
def _set_aside(changes):
    changed = []
    try:
        for module_name, name, change in changes:
            module = importlib.import_module("accel.ranking." + module_name)
            before = getattr(module, name)
            setattr(module, name, change(before))
            changed.append((module, name, before))
        yield
    finally:
        for module, name, before in reversed(changed):
            setattr(module, name, before)


def make_pictures(place):
    """Make two folders of a few pictures of one size, each twice: `faces` (8-bit) and `deep` (16-bit PNGs)."""
    import cv2
    import numpy as np
    from benchmarks import workspace
    from mainscripts import Sorter  # noqa: F401 - here, where its failure is one line
    faces, deep = os.path.join(place, "faces"), os.path.join(place, "deep")
    names = workspace.make_faceset(faces, FACES, seed=SEED, size=SIDE)
    os.mkdir(deep)
    for number, name in enumerate(names):
        path = os.path.join(faces, name)
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        png = cv2.imencode(".png", picture.astype(np.uint16) * 257)[1].tobytes()
        for copy in ("first", "second"):
            with open(os.path.join(deep, "{}_{}.png".format(number, copy)), "wb") as file:
                file.write(png)
        shutil.copyfile(path, os.path.join(faces, "copy_of_" + name))


def compiled_here():
    """Return the names (sorted list of str) of the kernels that this process did not find compiled on the disk."""
    found = set()
    for name, module in list(sys.modules.items()):
        if name.startswith("accel."):
            for kernel in vars(module).values():
                if getattr(getattr(kernel, "stats", None), "cache_misses", None):
                    found.add(kernel.__name__)
    return sorted(found)
