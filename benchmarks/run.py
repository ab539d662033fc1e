"""Measure this project against DeepFaceLab, or against its own naive oracles.

    python benchmarks/run.py [--stock PATH] [--workspace PATH] [--cases sort.blur,sort.f*] [--quick]

Whole processes, as a user starts them, on fresh copies of faces or frames; the candidates take turns; a ratio
is shown only where the results are equal. Prints a table and writes every sample to a JSON file. What the
candidates are, and what their results, is said by the module of each step in cases/.
"""
import argparse
import collections
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
from benchmarks import report, stock_tree, timing  # noqa: E402
from benchmarks.cases.step import say  # noqa: E402
from benchmarks.stock_tree import Unusable  # noqa: E402

SIDES = ("baseline", "ours", "limit")
SLOW_SECONDS = 60              # a baseline that takes longer is run once; so is a naive oracle, whose times say little
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
    parser.add_argument("--workspace", metavar="PATH",
                        help="your own faces, or a workspace with faces and frames; never changed")
    parser.add_argument("--cases", metavar="NAMES", default="*", help="such as sort.blur,sort.f*,join.*")
    parser.add_argument("--faces", type=positive, metavar="N", help="how many faces, for all cases with faces")
    parser.add_argument("--frames", type=positive, metavar="N", help="how many frames, for all cases with frames")
    parser.add_argument("--quick", action="store_true", help="few faces and frames, one run each")
    parser.add_argument("--repeats", type=positive, metavar="N",
                        help="runs of each candidate (3 with --stock, else 1; a naive oracle: 1)")
    parser.add_argument("--json", metavar="FILE", default=DEFAULT_JSON, help="where the samples go")
    return parser.parse_args(words)


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


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
        self.repeats = arguments.repeats or (3 if arguments.stock and not arguments.quick else 1)
        self.folder = None
        self.step_of = {case.name: step for step in [kind(self) for kind in all_cases.STEPS] for case in step.CASES}
        for step in self.steps():
            step.check()
        chosen = self.cases
        self.cases = [case for case in chosen if self.step_of[case.name].applies(case)]
        if not self.cases:
            raise Unusable("{} cannot be measured with these options: see --stock and --workspace.".format(
                ", ".join(case.name for case in chosen)))
        self.folder = tempfile.mkdtemp(prefix="benchmark-")
        os.mkdir(self.path("temp"))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def steps(self):
        """The steps that have a case in this run (list)."""
        return list(collections.OrderedDict.fromkeys(self.step_of[case.name] for case in self.cases))

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
        about = {"baseline": self.baseline_kind, "versions": versions}
        for step in self.steps():
            about.update(step.about())
        print(report.table(rows))
        print()
        print(report.environment(versions))
        print(report.notes(rows, self.baseline_kind, [line for step in self.steps() for line in step.notes()]))
        self.print_failures(rows)
        about["seconds"] = round(time.time() - started, 1)
        try:
            report.write_json(self.arguments.json, rows, about)
            say("Samples: {} ({:.0f} s in all)".format(self.arguments.json, about["seconds"]))
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

    # --- runs ----------------------------------------------------------------------------

    def measure(self, case):
        """All runs of a case: a row for the report (dict)."""
        step = self.step_of[case.name]
        row = {"case": case.name, "unit": step.UNIT, "baseline_kind": self.baseline_kind, "equal": None,
               "goal": {"ratio": case.goal, step.UNIT: case.items, "limit_share": case.share}}
        row[step.UNIT] = step.count(case)
        try:
            sides, source = step.sides(case), step.prepare(case, row[step.UNIT])
            if "ours" in sides and step.starts_cold(case):
                first, _ = self.once(case, "ours", source, row, "first start")
                if first is None:
                    return row
                row["first_seconds"] = round(first.seconds, 4)
            self.take_turns(case, sides, source, row)
        except Unusable as error:
            row["ours_failed"] = str(error)
        finally:
            step.finish(case)
        return row

    def take_turns(self, case, sides, source, row):
        """Let every side of a case run as often as wished, and put what they took and made into the row."""
        step, outcomes = self.step_of[case.name], {}
        for turn in range(self.repeats):
            for side in sides:
                if not runs_again(side, row):
                    continue
                run, result = self.once(case, side, source, row, "run {} of {}".format(turn + 1, self.repeats))
                if run is None:
                    continue
                add_sample(row, side, run)
                if side == "limit":
                    continue
                if side not in outcomes:
                    outcomes[side] = result
                    if len(outcomes) == 2:
                        row["equal"] = step.compare(case, outcomes["baseline"], outcomes["ours"], source)
                elif side == "ours" and not step.repeats(outcomes["ours"], result):
                    row["equal"] = "NO"

    def once(self, case, side, source, row, title):
        """One run on fresh input: (Run, what it made), or (None, None) and the failure in the row."""
        say("{}: {}, {} ...".format(case.name, self.baseline_kind if side == "baseline" else side, title))
        step, stage, log = self.step_of[case.name], self.path("stage"), self.path("log")
        os.mkdir(stage)
        try:
            step.lay_out(case, source, stage)
            run = timing.run_process(step.command(case, side, source, stage), log, self.environment(case, side),
                                     step.answers(case, side), step.until(case, side, stage))
            if run.exit_code:
                row[side + "_failed"] = run.output or "exit code {}".format(run.exit_code)
                return None, None
            run = run._replace(seconds=step.taken(case, side, run, stage))
            return run, None if side == "limit" else step.outcome(case, side, stage, log)
        except Unusable as error:
            row[side + "_failed"] = str(error)
            return None, None
        finally:
            remove(stage)

    def environment(self, case, side):
        """Temporary files stay in our folder; numba starts a case with an empty cache."""
        variables = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self.path("temp"))
        if side == "ours":
            variables["NUMBA_CACHE_DIR"] = self.path("numba", case.name)
            variables["DFL_DEBUG"] = "1"             # tracebacks, should it fail
        variables.update(self.step_of[case.name].environment(case, side))
        return variables


def runs_again(side, row):
    """Whether a side of a row runs in a further turn (bool): not one that failed, nor a baseline that said enough."""
    if side + "_failed" in row:
        return False
    if side != "baseline" or side not in row:
        return True
    return row["baseline_kind"] == "DeepFaceLab" and row["baseline"]["seconds"][0] <= SLOW_SECONDS


def remove(folder):
    """Remove a folder. Raises OSError if it cannot be for two seconds."""
    for _ in range(40):
        try:
            shutil.rmtree(folder)
            return
        except OSError:            # Windows: a program that was killed lets go of its files a moment later
            time.sleep(0.05)
    shutil.rmtree(folder)


def add_sample(row, side, run):
    """Put the figures of one run into a row."""
    result = row.setdefault(side, {"seconds": [], "megabytes": None})
    result["seconds"].append(round(run.seconds, 4))
    if run.megabytes is not None:
        result["megabytes"] = round(max(run.megabytes, result["megabytes"] or 0), 1)


def failures(row):
    """Who failed in a row, and the last lines of it: list of (str, str)."""
    return [(side, row[side + "_failed"]) for side in SIDES if side + "_failed" in row]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the temporary folder goes
    sys.exit(main())
