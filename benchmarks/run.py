"""Measure this project against DeepFaceLab, or against its own naive oracles.

    python benchmarks/run.py [--stock PATH] [--workspace PATH] [--cases sort.blur,sort.f*] [--quick]
    python benchmarks/run.py --scale [--stock PATH] [--sizes 1000,10000,100000]
    python benchmarks/run.py --render FILE.json [FILE.json ...] [--markdown]

Whole processes, as a user starts them, on fresh copies of faces or frames; the candidates take turns; a ratio
is shown only where the results are equal. Prints a table and writes every sample to a JSON file, beside it a
picture and a report in HTML. What the candidates are, and what their results, is said by the module of each step
in cases/.
"""
import argparse
import collections
import errno
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __package__ in (None, ""):                    # run as a script
    sys.path[:1] = [ROOT, os.path.join(ROOT, "DeepFaceLab")]

try:
    from benchmarks import cases as all_cases  # noqa: E402
    from benchmarks import privacy, report, results, scale, stock_tree, timing  # noqa: E402
    from benchmarks.cases.step import say  # noqa: E402
    from benchmarks.stock_tree import Unusable  # noqa: E402
except ImportError as missing:
    sys.exit("Error: {}. Install what is needed: \"{}\" -m pip install -r \"{}\"".format(
        missing, sys.executable, os.path.join(ROOT, "requirements.txt")))

SLOW_SECONDS = 60              # a baseline that takes longer is run once; so is a naive oracle, whose times say little
DEFAULT_JSON = os.path.join(ROOT, "benchmarks", "results.json")
KERNEL_SUFFIX = ".nbc"         # of the files in which numba keeps what it has compiled
OWN_MATERIAL = """\
With --workspace, yours is copied or linked, never changed: faces in data_src/aligned (else data_dst/aligned, or the
folder itself) are sorted and loaded for training; frames in data_dst with their faces in data_dst/aligned are merged,
with a stand-in for the network; frames in data_dst are extracted, if --stock names a DeepFaceLab with its weights;
frames in data_dst/merged with data_dst.* are joined. All else is generated. Against DeepFaceLab on a whole run takes
about an hour; --cases and --render let it be done in parts."""


def main(words=None):
    """Run the benchmark. Exit code: 0, 1 (a case failed or differs), 2 (wrong words), 130 (Ctrl-C)."""
    words = sys.argv[1:] if words is None else words
    arguments = parse(words)
    folder = None
    try:
        if arguments.render:
            return results.render(arguments.render, arguments.json, arguments.markdown, privacy.Scrubber(),
                                  not arguments.no_picture)
        bench = Bench(arguments, words)
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
    parser = argparse.ArgumentParser(description="Measure this project against DeepFaceLab or naive oracles.",
                                     epilog=OWN_MATERIAL, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", metavar="PATH",
                        help="a DeepFaceLab: untouched, or one on which install was run")
    parser.add_argument("--stock-python", metavar="EXE", default=sys.executable, help="the Python for it")
    parser.add_argument("--workspace", metavar="PATH",
                        help="your own faces, or a workspace with faces and frames; never changed")
    parser.add_argument("--cases", metavar="NAMES", help="such as sort.blur,sort.f*,join.*")
    parser.add_argument("--faces", type=positive, metavar="N", help="how many faces, for all cases with faces")
    parser.add_argument("--frames", type=positive, metavar="N", help="how many frames, for all cases with frames")
    parser.add_argument("--quick", action="store_true", help="few faces and frames, one run each")
    parser.add_argument("--repeats", type=positive, metavar="N",
                        help="runs of each candidate (3 with --stock, else 1; a naive oracle: 1)")
    parser.add_argument("--scale", action="store_true",
                        help="instead: how time and memory grow with the number of faces, of 64 px (10 to 15 minutes)")
    parser.add_argument("--sizes", type=sizes, metavar="N,N", default=scale.SIZES,
                        help="numbers of faces for --scale ({})".format(",".join(map(str, scale.SIZES))))
    parser.add_argument("--render", nargs="+", metavar="FILE",
                        help="measure nothing: show and draw saved samples again; several files become one, in which "
                             "cases of later ones replace those of earlier ones")
    parser.add_argument("--markdown", action="store_true", help="print tables in Markdown and nothing else")
    parser.add_argument("--json", metavar="FILE",
                        help="where the samples go, and beside them picture (.png) and report (.html); "
                             "benchmarks/results.json if not said")
    parser.add_argument("--no-picture", action="store_true", help="draw none")
    return parser.parse_args(words)


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def sizes(text):
    return tuple(sorted({positive(part) for part in text.split(",")}))


class Bench(object):
    """One run of the benchmark, in a temporary folder of its own."""

    def __init__(self, arguments, words=()):
        self.arguments, self.words = arguments, words
        try:
            self.cases = all_cases.choose((arguments.cases or (scale.CASES if arguments.scale else "*")).split(","))
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
        """Measure all cases, print the tables, write the files. Return the exit code."""
        started = time.time()
        baseline = self.stock or ("nothing else" if self.arguments.scale else "naive oracles")
        say("{} cases against {}, in {}".format(len(self.cases), baseline, self.folder))
        if self.stock:
            self.stock_path = self.stock.unchanged(self.path("DeepFaceLab"))
        rows, scaled = [], []
        try:
            if self.arguments.scale:
                scale.measure(self, scaled)
            else:
                for case in self.cases:
                    rows.append(self.measure(case))
        except BaseException:
            if rows or scaled:               # what took long is kept
                self.write(rows, scaled, started, self.about(whole=False))
            raise
        content = self.write(rows, scaled, started, self.about())
        return 0 if results.is_good(content) else 1

    def write(self, rows, scaled, started, about):
        """Show and write what was measured. Return the content of the JSON."""
        content = results.collect(rows, about)
        if scaled:
            content["scale"] = scaled
        results.show(content, self.arguments.markdown)
        content["seconds"] = round(time.time() - started, 1)
        results.write(self.arguments.json or DEFAULT_JSON, content, privacy.Scrubber(self.places()),
                      not self.arguments.no_picture)
        return content

    def about(self, whole=True):
        """What the JSON says of the whole run (dict). whole: also what the steps add."""
        found = {"ours": report.versions(sys.executable)}
        if self.stock:
            found["DeepFaceLab"] = report.versions(self.arguments.stock_python)
        about = {"baseline": self.baseline_kind, "versions": found,
                 "command": " ".join(["python benchmarks/run.py"] + [shlex.quote(word) for word in self.words])}
        if whole and not self.arguments.scale:
            for step in self.steps():
                about.update(step.about())
            about["notes"] = [line for step in self.steps() for line in step.notes()]
        return about

    def places(self):
        """Folders that nobody else shall read of: {path: what it is}."""
        given = self.arguments
        named = {given.stock: "DeepFaceLab", self.stock and self.stock.tree: "DeepFaceLab",
                 given.workspace: "workspace", self.folder: "run",
                 os.path.dirname(os.path.abspath(given.json or DEFAULT_JSON)): "results"}
        for name, python in (("python", sys.executable), ("DeepFaceLab's python", given.stock_python)):
            named[shutil.which(python)] = name
        return {path: name for path, name in named.items() if path}

    # --- runs ----------------------------------------------------------------------------

    def measure(self, case):
        """All runs of a case: a row for the report (dict)."""
        step = self.step_of[case.name]
        row = {"case": case.name, "title": step.title(case), "step": type(step).__name__.lower(), "unit": step.UNIT,
               "baseline_kind": self.baseline_kind, "equal": None,
               "goal": {"ratio": case.goal, step.UNIT: case.items, "limit_share": case.share}}
        row[step.UNIT] = step.count(case)
        try:
            sides, source = step.sides(case), step.prepare(case, row[step.UNIT])
            first = self.first_start(case, source, row) if "ours" in sides else None
            self.take_turns(case, sides, source, row, first)
        except Unusable as error:
            row["ours_failed"] = str(error)
        finally:
            step.finish(case)
        return row

    def first_start(self, case, source, row):
        """Start ours once more than its turns, for how long it takes when numba compiles.

        Against a naive oracle only where it did compile: else this was the first turn, and (Run, what it made) is
        returned, otherwise None.
        """
        before = None if self.stock else kernel_count()
        run, made = self.once(case, "ours", source, row, "first start")
        if run is None:
            return None
        if before is not None and kernel_count() == before:
            return run, made
        row["first_seconds"] = round(run.seconds, 4)
        return None

    def take_turns(self, case, sides, source, row, first):
        """Let every side of a case run as often as wished, and put what they took and made into the row.

        first: the first turn of ours, (Run, what it made), None if that is to come.
        """
        step, outcomes = self.step_of[case.name], {}
        for turn in range(self.repeats):
            for side in sides:
                if not runs_again(side, row):
                    continue
                if side == "ours" and first is not None:
                    (run, result), first = first, None
                else:
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
        """Temporary files stay in our folder; with DeepFaceLab, numba starts a case with an empty cache.

        Against the naive oracle kernels are kept where they always are: most cases compile the same ones.
        """
        variables = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self.path("temp"))
        if side == "ours":
            if self.stock:
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


def kernel_count():
    """How many kernels numba has kept, where it keeps them for this project (int)."""
    folders = [os.environ.get("NUMBA_CACHE_DIR") or os.path.join(ROOT, "DeepFaceLab")]
    return sum(name.endswith(KERNEL_SUFFIX) for folder in folders for _, _, names in os.walk(folder) for name in names)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the temporary folder goes
    sys.exit(main())
