"""How time and memory grow with the number of faces: `run.py --scale`.

Sorts, and the loading of faces for training, with as many generated faces of 64 px as wished (scale_input.py), as whole
processes in turn of size. The start of the program is the time of the same with a handful of faces, and is taken off
before times a face and exponents are computed. What would take too long by the size before it is left out, and said so.
With DeepFaceLab it takes part while it is quick enough, and results are compared.
"""
import math
import os

from benchmarks import scale_input, scale_report, train_settings, workspace
from benchmarks.cases import step as steps
from benchmarks.cases.step import say
from benchmarks.stock_tree import Unusable

SIZES = (1000, 10000, 100000)
CASES = ("sort.face-yaw,sort.origname,sort.brightness,sort.hue,sort.blur,sort.hist,sort.hist-dissim,sort.absdiff,"
         "sort.final-fast,train.load")
SUPERLINEAR = ("sort.hist", "sort.hist-dissim", "sort.absdiff", "sort.absdiff-dissimilar")
TABLES = ("sort.absdiff", "sort.absdiff-dissimilar")     # they hold more than memory allows the others
FEW = 10                       # faces of the start
LONGEST = {"ours": 150, "baseline": 60}                  # s that a run may take
CLEAR = 0.3                    # s without the start, below which no exponent is told
MEGABYTES, KILOBYTES_A_FACE = 600, 3


def measure(bench, rows):
    """Measure all cases of a run, and put the rows of each into a list: see scale_report. Raises Unusable, OSError."""
    if bench.arguments.workspace:
        raise Unusable("--scale makes its own faces: leave --workspace out.")
    chosen = [case for case in bench.cases if case.name == "train.load" or getattr(case, "method", None) and case.items]
    if len(chosen) < len(bench.cases):
        raise Unusable("--scale measures sorts of faces and train.load only, not {}.".format(
            ", ".join(case.name for case in bench.cases if case not in chosen)))
    faces = Faces(bench, bench.arguments.sizes)
    for case in chosen:
        made = Growth(bench, case, faces)
        for side in ("baseline", "ours") if bench.stock else ("ours",):
            made.measure(side)
        rows += made.rows


class Faces(object):
    """The faces of all sizes, made once, in folders of links."""

    def __init__(self, bench, sizes):
        self.bench, self.sizes = bench, sizes
        self.pool = bench.path("many faces")
        say("making {:,} faces".format(max(sizes)))
        scale_input.make(self.pool, max(max(sizes), FEW), bench.path("drawn faces"), steps.Progress(max(sizes)))
        self.names = sorted(os.listdir(self.pool))

    def folder(self, case, count):
        """The folder of so many faces as the step of a case wants it."""
        if case.name != "train.load":
            folder = target = self.bench.path("faces", str(count))
        else:
            folder = self.bench.path("faces for training", str(count))
            target = train_settings.faces_folder(folder, train_settings.FOLDERS[0])
        if not os.path.isdir(target):
            workspace.copy_faceset(self.pool, target, self.names[:count])
        return folder


class Growth(object):
    """One case, all sizes, both sides."""

    def __init__(self, bench, case, faces):
        self.bench, self.case, self.faces = bench, case, faces
        self.step = bench.step_of[case.name]
        self.rows, self.outcomes = [], {}

    def measure(self, side):
        """Run a side with every size, as far as it is quick enough."""
        self.step.prepare_trees()
        start = self.run(side, FEW, None)
        if side == "ours" and start is not None:          # the first one has compiled
            start = self.run(side, FEW, None)
        before = None
        for size in self.faces.sizes:
            expected = start and self.expected(before, size)
            if start is None:
                self.rows.append(self.row(side, size, left_out="it does not start"))
            elif expected is not None and expected > LONGEST[side]:
                self.rows.append(self.row(side, size, left_out="it would take {:.0f} s or more".format(expected)))
                continue
            else:
                row = self.run(side, size, start["seconds"])
                if row is not None:
                    self.judge(row, before)
                before = row or before
            if start is None or row is None:
                return

    def expected(self, before, size):
        """Seconds that a size will take by the size before it (float), None where nothing tells."""
        if before is None:
            return None
        known = before["exponent"]
        if known is None:
            exponent = 1.5 if self.case.name in SUPERLINEAR else 1
        else:
            exponent = min(2.0, known + 0.2) if self.case.name in SUPERLINEAR else max(1, known)
        return before["start"] + (before["seconds"] - before["start"]) * (size / before["faces"]) ** exponent

    def row(self, side, size, **known):
        made = {"case": self.case.name, "title": self.step.title(self.case), "side": side, "faces": size,
                "exponent": None, "equal": None, "exceeds": "", "seconds": None, "start": None, "megabytes": None}
        made.update(known)
        return made

    def run(self, side, size, start):
        """One run: its row, kept unless start (seconds) is None; None if it failed, which is kept, too."""
        row = self.row(side, size, start=start)
        source = self.faces.folder(self.case, size)
        run, made = self.bench.once(self.case, side, source, row, "{:,} faces".format(size))
        if run is None or start is not None:
            self.rows.append(row)
        if run is None:
            return None
        row.update(seconds=round(run.seconds, 4), megabytes=run.megabytes and round(run.megabytes, 1))
        if start is not None:
            self.outcomes[side, size] = made
            theirs = self.outcomes.get(("baseline", size))
            if side == "ours" and theirs is not None:
                row["equal"] = self.step.compare(self.case, theirs, made, source)
        return row

    def judge(self, row, before):
        """Put the exponent from the size before, and what is more than allowed, into a row."""
        if before is not None:
            nets = [one["seconds"] - one["start"] for one in (before, row)]
            if min(nets) >= CLEAR:
                row["exponent"] = round(math.log(nets[1] / nets[0]) / math.log(row["faces"] / before["faces"]), 3)
        if row["side"] == "baseline":
            return
        exceeds = []
        most = 2 if self.case.name in SUPERLINEAR else scale_report.GROWTH
        if row["exponent"] is not None and row["exponent"] > most:
            exceeds.append("time a face grows")
        allowed = MEGABYTES + KILOBYTES_A_FACE * row["faces"] / 1000
        if self.case.name not in TABLES and (row["megabytes"] or 0) > allowed:
            exceeds.append("more than {:.0f} MB".format(allowed))
        row["exceeds"] = ", ".join(exceeds)
