"""Measure this project against DeepFaceLab, or against its own naive oracles.

    python benchmarks/run.py [--stock PATH] [--workspace PATH] [--cases sort.blur,sort.f*] [--quick]

Whole processes, as a user starts them, on fresh copies of a faceset; the candidates take turns; a ratio is
shown only where the results are equal. Prints a table and writes every sample to a JSON file.
"""
import argparse
import errno
import os
import shutil
import signal
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __package__ in (None, ""):                    # run as a script
    sys.path[:1] = [ROOT, os.path.join(ROOT, "DeepFaceLab")]

from benchmarks import cases as all_cases  # noqa: E402
from benchmarks import report, stock_tree, timing, workspace  # noqa: E402
from benchmarks.cases import sort as sort_cases  # noqa: E402
from benchmarks.stock_tree import Unusable  # noqa: E402

QUICK_FACES = 24
SLOW_SECONDS = 60              # a baseline that takes longer is run once
FACES_FOLDERS = ("", "data_src/aligned", "data_dst/aligned")
DEFAULT_JSON = os.path.join(ROOT, "benchmarks", "results.json")


def main(words=None):
    """Run the benchmark. Exit code: 0, 1 (a case failed or differs), 2 (wrong words), 130 (Ctrl-C)."""
    arguments = parse(words)
    folder = None
    try:
        bench = Bench(arguments)
        folder = bench.folder
        return bench.run()
    except Unusable as error:
        say("Error: {}".format(error))
        return 2
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        say("Error: the disk is full. Make room in {}, or name another folder in the environment variable {}."
            .format(tempfile.gettempdir(), "TEMP" if os.name == "nt" else "TMPDIR"))
        return 1
    except KeyboardInterrupt:
        say("\nStopped by Ctrl-C.")
        return 130
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def parse(words):
    parser = argparse.ArgumentParser(description="Measure this project against DeepFaceLab or naive oracles.")
    parser.add_argument("--stock", metavar="PATH",
                        help="a DeepFaceLab: untouched, or one on which install was run")
    parser.add_argument("--stock-python", metavar="EXE", default=sys.executable, help="the Python for it")
    parser.add_argument("--workspace", metavar="PATH", help="your own faces or workspace; never changed")
    parser.add_argument("--cases", metavar="NAMES", default="*", help="such as sort.blur,sort.f*,limit.*")
    parser.add_argument("--faces", type=positive, metavar="N", help="how many faces, for all cases")
    parser.add_argument("--quick", action="store_true", help="few faces, one run each")
    parser.add_argument("--repeats", type=positive, metavar="N", help="runs of each candidate (3)")
    parser.add_argument("--json", metavar="FILE", default=DEFAULT_JSON, help="where the samples go")
    return parser.parse_args(words)


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench(object):
    """One run of the benchmark, in a temporary folder of its own."""

    def __init__(self, arguments):
        self.arguments = arguments
        try:
            self.cases = all_cases.choose(arguments.cases.split(","))
        except ValueError as error:
            raise Unusable(str(error))
        self.stock = stock_tree.find(arguments.stock, arguments.stock_python) if arguments.stock else None
        self.stock_path = None
        self.baseline_kind = "DeepFaceLab" if self.stock else "naive oracle"
        self.own_faces = find_faces(arguments.workspace) if arguments.workspace else None
        self.repeats = arguments.repeats or (1 if arguments.quick else 3)
        self.folder = tempfile.mkdtemp(prefix="benchmark-")
        self.hashes = sort_cases.Hashes()
        self.facesets = {}
        os.mkdir(self.path("temp"))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run(self):
        """Measure all cases, print the table, write the JSON. Return the exit code."""
        started = time.time()
        say("{} cases against {}, in {}".format(len(self.cases), self.stock or "naive oracles", self.folder))
        if self.stock:
            self.stock_path = self.stock.unchanged(self.path("DeepFaceLab"))
        rows = [self.measure(case) for case in self.cases]
        versions = {"ours": report.versions(sys.executable)}
        if self.stock:
            versions["DeepFaceLab"] = report.versions(self.arguments.stock_python)
        print(report.table(rows))
        print()
        print(report.environment(versions))
        print(report.notes(rows, self.baseline_kind))
        self.print_failures(rows)
        took = round(time.time() - started, 1)
        about = {"baseline": self.baseline_kind, "versions": versions, "seconds": took,
                 "faces_from": "user" if self.own_faces else "generated, 320 px, JPG quality 100"}
        try:
            report.write_json(self.arguments.json, rows, about)
            say("Samples: {} ({:.0f} s in all)".format(self.arguments.json, took))
        except OSError as error:
            say("The samples were not written to {}: {}".format(self.arguments.json, error.strerror))
        good = all(row["equal"] in ("yes", "ties", None) and not failures(row) for row in rows)
        return 0 if good else 1

    def print_failures(self, rows):
        for row in rows:
            for who, text in failures(row):
                print("\n{}: {} failed. Its last lines:\n{}".format(row["case"], who, text))
            if row["equal"] == "NO":
                print("\n{}: the results DIFFER, so no ratio is shown.".format(row["case"]))

    # --- faces ---------------------------------------------------------------------------

    def count(self, case):
        """How many faces a case gets."""
        if case.faces == 0:
            return 0
        most = case.stock_faces if self.stock else case.naive_faces
        count = self.arguments.faces or (min(case.faces, QUICK_FACES) if self.arguments.quick else case.faces)
        if most is not None and (self.stock or not self.arguments.faces):
            count = min(count, most)
        return min(count, len(self.own_faces[1])) if self.own_faces else count

    def faceset(self, count):
        """The folder of a faceset of so many faces, made or copied at the first call."""
        if count not in self.facesets:
            folder = self.path("faces", str(count))
            if count == 0:
                os.makedirs(folder)
            elif self.own_faces:
                say("copying {} of your faces".format(count))
                self.copy_own(count, folder)
            else:
                say("making {} faces".format(count))
                workspace.make_faceset(folder, count, progress=Progress(count))
            self.facesets[count] = folder
        return self.facesets[count]

    def copy_own(self, count, folder):
        source, names = self.own_faces
        os.makedirs(folder)
        for i in range(count):           # evenly over the folder
            name = names[i * len(names) // count]
            shutil.copyfile(os.path.join(source, name), os.path.join(folder, name))

    # --- runs ----------------------------------------------------------------------------

    def measure(self, case):
        """All runs of a case: a row for the report (dict)."""
        count = self.count(case)
        pristine = self.faceset(count)
        row = {"case": case.name, "faces": count, "baseline_kind": self.baseline_kind, "equal": None,
               "goal": {"ratio": case.goal, "faces": case.faces, "limit_share": case.share}}
        sides = self.sides(case)
        if "ours" in sides:
            first, _ = self.once(case, "ours", pristine, row, "first start")
            if first is None:
                return row
            row["first_seconds"] = round(first.seconds, 4)
        outcomes = {"baseline": None, "ours": None}
        for turn in range(self.repeats):
            for side in sides:
                before = row.get(side)
                slow = before and side == "baseline" and before["seconds"][0] > SLOW_SECONDS
                if slow or side + "_failed" in row:
                    continue
                title = "run {} of {}".format(turn + 1, self.repeats)
                run, result = self.once(case, side, pristine, row, title)
                if run is None:
                    continue
                add_sample(row, side, run)
                if side in outcomes and outcomes[side] is None:
                    outcomes[side] = result
                    row["equal"] = self.equal(case, outcomes, pristine)
                elif side == "ours" and result != outcomes["ours"]:
                    row["equal"] = "NO"
        return row

    def sides(self, case):
        """Who takes part: {"baseline", "ours", "limit": function(folder) -> command}, in turn."""
        sides = {}
        if case.method is not None:
            if self.stock:
                sides["baseline"] = lambda folder: sort_cases.stock_command(
                    case, folder, self.stock_path, self.arguments.stock_python)
            elif case.faces:
                sides["baseline"] = lambda folder: sort_cases.naive_command(case, folder)
            sides["ours"] = lambda folder: sort_cases.our_command(case, folder)
        if case.limit is not None:
            sides["limit"] = lambda folder: sort_cases.limit_command(case, folder)
        return sides

    def once(self, case, side, pristine, row, title):
        """One run on a fresh copy: (Run, Outcome or None), or (None, None) and the failure in the row."""
        say("{}: {}, {} ...".format(case.name, self.baseline_kind if side == "baseline" else side, title))
        stage = self.path("stage")
        folder = os.path.join(stage, "aligned")
        log = self.path("log")
        os.mkdir(stage)
        try:
            workspace.copy_faceset(pristine, folder)
            asked = side == "baseline" and self.stock
            run = timing.run_process(self.sides(case)[side](folder), log, self.environment(case, side),
                                     case.answers if asked else "")
            if run.exit_code:
                row[side + "_failed"] = run.output or "exit code {}".format(run.exit_code)
                return None, None
            return run, self.outcome(side, folder, log)
        finally:
            shutil.rmtree(stage)

    def outcome(self, side, folder, log):
        if side == "limit":
            return None
        if side == "baseline" and not self.stock:
            with open(log, encoding="utf-8", errors="replace") as stream:
                return sort_cases.naive_outcome(stream.read(), folder, self.hashes)
        return sort_cases.outcome(folder, self.hashes)

    def environment(self, case, side):
        """Temporary files stay in our folder; numba starts a case with an empty cache."""
        variables = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self.path("temp"))
        if side == "ours":
            variables["NUMBA_CACHE_DIR"] = self.path("numba", case.name)
            variables["DFL_DEBUG"] = "1"             # tracebacks, should it fail
        return variables

    def equal(self, case, outcomes, pristine):
        """What the report says about equality, as far as both sides have run (str or None)."""
        if outcomes["baseline"] is None or outcomes["ours"] is None:
            return None

        def values():
            return sort_cases.tie_values(case, pristine, self.hashes, self.path("log"),
                                         self.environment(case, "ours"))
        return sort_cases.compare(outcomes["baseline"], outcomes["ours"], values if case.values else None)


class Progress(object):
    """Says now and then how far the faces are."""

    def __init__(self, total):
        self.total, self.told = total, time.time()

    def __call__(self, done):
        if time.time() - self.told > 5:
            self.told = time.time()
            say("  {} of {}".format(done, self.total))


def add_sample(row, side, run):
    """Put the figures of one run into a row."""
    result = row.setdefault(side, {"seconds": [], "megabytes": None})
    result["seconds"].append(round(run.seconds, 4))
    if run.megabytes is not None:
        result["megabytes"] = round(max(run.megabytes, result["megabytes"] or 0), 1)


def failures(row):
    """Who failed in a row, and the last lines of it: list of (str, str)."""
    sides = ("baseline", "ours", "limit")
    return [(side, row[side + "_failed"]) for side in sides if side + "_failed" in row]


def find_faces(path):
    """The user's faces: (folder, sorted names). Raises Unusable."""
    for below in FACES_FOLDERS:
        folder = os.path.join(path, *below.split("/"))
        if os.path.isdir(folder):
            names = sorted(name for name in os.listdir(folder)
                           if name.lower().endswith(sort_cases.IMAGE_SUFFIXES)
                           and os.path.isfile(os.path.join(folder, name)))
            if names:
                return folder, names
    raise Unusable("{} has no faces: --workspace wants a folder of faces, or one with data_src/aligned."
                   .format(path))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the temporary folder goes
    sys.exit(main())
