"""Sort: every method as a user starts it, the start-up, and what no sort can beat.

All candidates get a folder that they may rename in.
"""
import collections
import hashlib
import json
import math
import os
import shutil
import sys

from benchmarks import workspace
from benchmarks.cases import step
from benchmarks.stock_tree import Unusable

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "DeepFaceLab")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
SIZE, NAIVE_SIZE = 320, 160    # px, of generated faces
FACES_FOLDERS = ("", "data_src/aligned", "data_dst/aligned")
SAME_VALUE = 1e-6              # relative: rounding noise, below which DeepFaceLab itself separates nothing

Case = collections.namedtuple("Case", step.FIELDS + (
    "method", "stock_words", "answers", "our_words", "naive_words", "values"))
Case.__doc__ = """A step.Case. limit: a word of limits.py, or "start" for the start of Python. method: of sort,
None for a limit alone. stock_words, answers: DeepFaceLab's command line after the folder, and what it reads
from stdin. our_words, naive_words: ours. values: the method whose values show which faces tie, or None."""

Outcome = collections.namedtuple("Outcome", "names contents trash")
Outcome.__doc__ = """What a sort left. names: of the images in the folder, sorted; contents: their hashes in
that order; trash: {name: hash} of the trash folder."""


def _case(key, title, faces, goal, limit, naive_faces, stock_faces=None, method=None, values=None, answers="\n",
          stock_words=None, our_words=(), naive_words=(), share=None):
    method = method or key
    if stock_words is None:
        stock_words = ("--by", method)
    return Case("sort." + key, title, faces, step.QUICK_ITEMS, stock_faces, naive_faces, goal, limit, share, method,
                stock_words, answers, ("--by", method, "--yes") + our_words, (method,) + naive_words, values)


def _limit(word, title, faces):
    return Case("limit." + word, title, faces, step.QUICK_ITEMS, None, 200, None, word, None, None, None, "", None,
                None, None)


# DeepFaceLab offers no --by for "best faces": their numbers are typed, then the default target is taken.
# Its absdiff computes n x n differences of float pictures, on one 2-core machine 8 minutes for 1,000 faces.
# The naive oracles get few faces, of four numbers only: faces of one number are made once for all cases.
CASES = [
    _case("start", "start of sort, empty folder", 0, 6, "start", None, method="face-yaw"),
    _case("blur", "blur", 500, 60, "decode", 12, values="blur"),
    _case("motion-blur", "motion blur", 500, 6, "decode", 24, values="motion-blur"),
    _case("face-yaw", "face yaw", 2000, 25, "heads", 200),
    _case("face-pitch", "face pitch", 2000, 25, "heads", 200),
    _case("face-source-rect-size", "face rect size", 2000, 30, "heads", 200),
    _case("hist", "histogram similarity", 2000, 10, "decode", 100),
    _case("hist-dissim", "histogram dissimilarity", 2000, 20, "decode", 100, values="hist-dissim"),
    _case("brightness", "brightness", 2000, 3, "decode", 100, share=1.2),
    _case("hue", "hue", 2000, 3, "decode", 24, share=1.2),
    _case("black", "black pixels", 2000, 3, "decode", 100, share=1.2),
    _case("origname", "original filename", 2000, 30, "heads", 200),
    _case("oneface", "one face in image", 2000, 6, "start", 200),
    _case("absdiff", "absolute difference, similar", 2000, 50, "decode", 24, stock_faces=250, answers="y\ncpu\n",
          our_words=("--similar",)),
    _case("absdiff-dissimilar", "absolute difference, dissimilar", 2000, 50, "decode", 24, stock_faces=250,
          method="absdiff", answers="n\ncpu\n", our_words=("--dissimilar",), naive_words=("--dissimilar",)),
    _case("final", "best faces", 500, 60, "decode", 12, values="blur", stock_words=(), answers="13\n\n"),
    _case("final-fast", "best faces faster", 500, 6, "decode", 100, values="face-source-rect-size", stock_words=(),
          answers="14\n\n"),
    _limit("heads", "only read the heads of the files", 2000),
    _limit("decode", "only decode the files", 2000),
]


# --- the commands ----------------------------------------------------------------------------

def our_command(case, folder):
    """The command line of this project (list of str)."""
    program = os.path.join(PROGRAM, "main.py")
    return [sys.executable, program, "sort", "--input-dir", folder] + list(case.our_words)


def stock_command(case, folder, tree, python):
    """The command line of a DeepFaceLab tree (list of str)."""
    return [python, os.path.join(tree, "main.py"), "sort", "--input-dir", folder] + list(case.stock_words)


def naive_command(case, folder):
    """The command line of the naive oracle, which prints an order and moves nothing (list of str)."""
    method = list(case.naive_words)
    return [sys.executable, os.path.join(ROOT, "tests", "naive", "sort.py"), method[0], folder] + method[1:]


def limit_command(case, folder):
    """The command line of what the case cannot beat (list of str)."""
    if case.limit == "start":
        return step.start_of_python()
    return [sys.executable, os.path.join(ROOT, "benchmarks", "limits.py"), case.limit, folder]


# --- what came out ---------------------------------------------------------------------------

class Hashes(object):
    """Content hashes of files; a file that only got another name is not read again."""

    def __init__(self):
        self._known = {}

    def of(self, path):
        """The hash of a file's content (str)."""
        state = os.stat(path)
        key = state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns
        if key not in self._known:
            with open(path, "rb") as stream:
                self._known[key] = hashlib.sha1(stream.read()).hexdigest()
        return self._known[key]


def outcome(folder, hashes):
    """What a sort made of a folder and of the trash folder beside it: an Outcome."""
    names = _image_names(folder)
    trash = folder + "_trash"
    trashed = _image_names(trash) if os.path.isdir(trash) else []
    return Outcome(names, [hashes.of(os.path.join(folder, name)) for name in names],
                   {name: hashes.of(os.path.join(trash, name)) for name in trashed})


def naive_outcome(text, folder, hashes):
    """What an untouched folder would be after the order that the naive oracle printed: an Outcome."""
    printed = json.loads(text.splitlines()[-1])
    if not printed["sorted"] and not printed["trash"]:
        return outcome(folder, hashes)
    contents = {name: hashes.of(os.path.join(folder, name)) for name in _image_names(folder)}
    names = ["{:05d}{}".format(i, os.path.splitext(name)[1]) for i, name in enumerate(printed["sorted"])]
    return Outcome(names, [contents[name] for name in printed["sorted"]],
                   {name: contents[name] for name in printed["trash"]})


def _image_names(folder):
    return sorted(name for name in os.listdir(folder) if name.lower().endswith(IMAGE_SUFFIXES))


def compare(theirs, ours, values=None):
    """How two Outcomes relate: "yes", "ties" or "NO".

    "ties": they differ only where faces have the same value (relative difference below SAME_VALUE).
    DeepFaceLab appends results of its processes as they arrive, so among equal values its order is another
    one in each run; and a sum of rounded numbers may order two equal faces either way. values: a function
    that returns {hash: value}, asked for only if the outcomes are not the same.
    """
    if theirs == ours:
        return "yes"
    everything = [sorted(side.contents + list(side.trash.values())) for side in (theirs, ours)]
    if everything[0] != everything[1] or theirs.names != ours.names or values is None:
        return "NO"
    known = values()
    pairs = list(zip(theirs.contents, ours.contents))
    pairs += zip(_by_value(theirs.trash, known), _by_value(ours.trash, known))
    different = [pair for pair in pairs if pair[0] != pair[1]]
    tied = all(a in known and b in known and math.isclose(known[a], known[b], rel_tol=SAME_VALUE)
               for a, b in different)
    return "ties" if tied else "NO"


def _by_value(trash, values):
    return sorted(trash.values(), key=lambda content: (values.get(content, 0), content))


PRINT_VALUES = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from mainscripts import Sorter
rows, _ = Sorter.sort_func_methods[sys.argv[2]][1](Path(sys.argv[3]))
print("\\n" + json.dumps([[str(row[0]), float(row[1])] for row in rows]))
"""


def tie_values(case, folder, hashes, log_path, environment):
    """The values by which a method ranked the faces of an untouched folder: {hash: value}."""
    line = step.run_script(PRINT_VALUES, [PROGRAM, case.values, folder], log_path, environment)
    return {} if line is None else {hashes.of(path): value for path, value in json.loads(line)}


# --- the step --------------------------------------------------------------------------------

class Sort(step.Step):
    """Sorts of generated faces, or of copies of the user's."""

    UNIT = "faces"
    CASES = CASES

    def __init__(self, bench):
        step.Step.__init__(self, bench)
        self.hashes = Hashes()
        self.own = None            # the user's faces: (folder, names)
        self.facesets = {}

    def check(self):
        if self.bench.arguments.workspace:
            self.own = find_faces(self.bench.arguments.workspace)

    def own_items(self, case):
        return len(self.own[1]) if self.own else None

    def prepare(self, case, count):
        if count not in self.facesets:
            folder = self.bench.path("faces", str(count))
            if count == 0:
                os.makedirs(folder)
            elif self.own:
                step.say("copying {} of your faces".format(count))
                self.copy_own(count, folder)
            else:
                step.say("making {} faces".format(count))
                workspace.make_faceset(folder, count, size=self.size(), progress=step.Progress(count))
            self.facesets[count] = folder
        return self.facesets[count]

    def size(self):
        """The side of the generated faces in this run (int, px): naive oracles are slow."""
        return SIZE if self.bench.stock else NAIVE_SIZE

    def copy_own(self, count, folder):
        source, names = self.own
        os.makedirs(folder)
        for i in range(count):           # evenly over the folder
            name = names[i * len(names) // count]
            shutil.copyfile(os.path.join(source, name), os.path.join(folder, name))

    def sides(self, case):
        sides = []
        if case.method is not None:
            # the naive oracle needs faces: it has no start-up worth measuring
            sides = ["baseline", "ours"] if self.bench.stock or case.items else ["ours"]
        return sides + (["limit"] if case.limit is not None else [])

    def lay_out(self, case, source, stage):
        workspace.copy_faceset(source, _faces(stage))

    def command(self, case, side, source, stage):
        if side == "ours":
            return our_command(case, _faces(stage))
        if side == "limit":
            return limit_command(case, _faces(stage))
        if self.bench.stock:
            return stock_command(case, _faces(stage), self.bench.stock_path, self.bench.arguments.stock_python)
        return naive_command(case, _faces(stage))

    def answers(self, case, side):
        return case.answers if side == "baseline" and self.bench.stock else ""

    def outcome(self, case, side, stage, log_path):
        if side == "baseline" and not self.bench.stock:
            with open(log_path, encoding="utf-8", errors="replace") as stream:
                return naive_outcome(stream.read(), _faces(stage), self.hashes)
        return outcome(_faces(stage), self.hashes)

    def compare(self, case, theirs, ours, source):
        def values():
            return tie_values(case, source, self.hashes, self.bench.path("log"),
                              self.bench.environment(case, "ours"))
        return compare(theirs, ours, values if case.values else None)

    def about(self):
        generated = "generated, {} px, JPG quality 100".format(self.size())
        return {"faces_from": "user" if self.own else generated}


def _faces(stage):
    return os.path.join(stage, "aligned")


def find_faces(path):
    """The user's faces: (folder, sorted names). Raises Unusable."""
    for below in FACES_FOLDERS:
        folder = os.path.join(path, *below.split("/"))
        if os.path.isdir(folder):
            names = [name for name in _image_names(folder) if os.path.isfile(os.path.join(folder, name))]
            if names:
                return folder, names
    raise Unusable("{} has no faces: --workspace wants a folder of faces, or one with data_src/aligned."
                   .format(path))
