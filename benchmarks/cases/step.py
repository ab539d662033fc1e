"""What run.py asks of a step of DeepFaceLab: the base of the classes beside this file.

A step knows its cases, its input, the command of each candidate, and what makes two results equal; run.py
knows turns, repeats and the clock. How to add one is said in __init__.py.
"""
import collections
import os
import sys
import time

from benchmarks import timing
from benchmarks.stock_tree import Unusable

QUICK_ITEMS = 24
FIELDS = ("name", "title", "items", "quick_items", "stock_items", "naive_items", "goal", "limit", "share")
Case = collections.namedtuple("Case", FIELDS)
Case.__doc__ = """One line of the table; the cases of a step have more fields, for itself. name: of the line;
title: what is measured, in a few words for a reader who knows DeepFaceLab.
items: how many faces or frames by default, 0 for none at all. quick_items: at most so many with --quick.
stock_items, naive_items: at most so many where the baseline is DeepFaceLab, the naive oracle; None: as many as
wished. goal: how many times faster than DeepFaceLab it shall be, or None. limit: the step's word for what
cannot be beaten, or None for no limit. share: how many times its limit it may take, or None."""


class Step(object):
    """One step in one run of the benchmark. Subclasses set UNIT and CASES and fill in what raises below.

    bench: the run. It has arguments (parsed words), stock (a stock_tree.Stock, None for naive oracles),
    stock_path (the tree to start), path(*names) (in its temporary folder) and environment(case, side).
    A side is "baseline", "ours" or "limit". Any method may raise stock_tree.Unusable, a line for the user: in
    check() it ends the run, later it fails the case.
    """

    UNIT = "faces"                 # what the items are: a key of the JSON, a column, and an option of run.py
    CASES = ()

    def __init__(self, bench):
        self.bench = bench

    # --- before the first run ------------------------------------------------------------

    def check(self):
        """Called once before anything is measured, if a case of this step was chosen."""

    def workspace(self):
        """The folder that the user gave with --workspace (str), None without one. Raises Unusable."""
        path = self.bench.arguments.workspace
        if path and not os.path.isdir(path):
            raise Unusable("there is no folder {}: --workspace wants yours.".format(path))
        return path or None

    def applies(self, case):
        """Whether a chosen case is measured in this run (bool)."""
        return True

    def title(self, case):
        """What a case measures in this run, in a few words (str)."""
        return case.title

    def own_items(self, case):
        """How many items of the user's a case can have, None where it makes its own."""
        return None

    def count(self, case):
        """How many items a case gets in this run (int)."""
        if case.items == 0:
            return 0
        wished = getattr(self.bench.arguments, self.UNIT)
        quick = min(case.items, case.quick_items) if self.bench.arguments.quick else case.items
        most = case.stock_items if self.bench.stock else case.naive_items
        count = wished or quick
        if most is not None and (self.bench.stock or not wished):
            count = min(count, most)
        own = self.own_items(case)
        return count if own is None else min(count, own)

    def prepare(self, case, count):
        """Return the folder of a case's input, made or copied if need be; no run changes it."""
        raise NotImplementedError

    def prepare_trees(self):
        """Make what the commands start, if that is not there as it is; may be called again."""

    def sides(self, case):
        """Who takes part, in turn (list of str)."""
        raise NotImplementedError

    # --- a run ---------------------------------------------------------------------------

    def lay_out(self, case, source, stage):
        """Put what a run changes, from the folder of prepare(), into the fresh folder `stage`."""

    def command(self, case, side, source, stage):
        """The command line of a side (list of str)."""
        raise NotImplementedError

    def answers(self, case, side):
        """What a side reads from stdin (str)."""
        return ""

    def environment(self, case, side):
        """Variables for a side, beside those that all have (dict of str)."""
        return {}

    def until(self, case, side, stage):
        """A function that tells when a side has done what is measured and may be killed; None: when it ends."""
        return None

    def taken(self, case, side, run, stage):
        """The seconds that a run counts with, a timing.Run that ended well: by default of the whole process."""
        return run.seconds

    def outcome(self, case, side, stage, log_path):
        """What a side made, for compare(); log_path: of the file with its output. Not asked of "limit"."""
        raise NotImplementedError

    # --- after it ------------------------------------------------------------------------

    def compare(self, case, theirs, ours, source):
        """How the outcomes of the baseline and of ours relate: "yes", "ties" or "NO"."""
        return "yes" if theirs == ours else "NO"

    def repeats(self, first, again):
        """Whether ours made the same in two runs (bool)."""
        return first == again

    def finish(self, case):
        """Called when a case has been measured: the place to remove large input."""

    def about(self):
        """What the JSON says of this step beside its cases (dict)."""
        return {}

    def notes(self):
        """Lines below the table (list of str)."""
        return []


def say(text):
    """Tell the user how far it is."""
    print(text, file=sys.stderr, flush=True)


class Progress(object):
    """Says now and then how far something is."""

    def __init__(self, total):
        self.total, self.told = total, time.time()

    def __call__(self, done):
        if time.time() - self.told > 5:
            self.told = time.time()
            say("  {} of {}".format(done, self.total))


def start_of_python():
    """The command of the limit of everything that does nearly nothing (list of str)."""
    return [sys.executable, "-c", "pass"]


def last_line(log_path):
    """The last line of a log (str)."""
    with open(log_path, encoding="utf-8", errors="replace") as stream:
        return stream.read().splitlines()[-1]


def run_script(code, words, log_path, environment):
    """Run Python code with words as arguments, on this project: the last line it prints (str), None if it fails."""
    run = timing.run_process([sys.executable, "-c", code] + words, log_path, environment)
    return None if run.exit_code else last_line(log_path)
