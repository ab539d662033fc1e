"""What is measured: a module a step of DeepFaceLab, STEPS names their classes in the order of the table.

A new step is a module with a subclass of step.Step, listed in STEPS. It says

- UNIT: what its items are called, and CASES: the lines of the table (step.FIELDS, then what it needs itself);
- prepare(): its input, made or copied once, and lay_out(): what of it every run gets anew, in a fresh folder;
- sides(), command(): who takes part ("baseline", "ours", "limit") and how each is started;
- outcome(), compare(): what came out, and when two of them are equal.

All else has a default. step.py says what every method gets and returns.
"""
import fnmatch

from benchmarks.cases import extract, join, merge, sort, train

STEPS = (sort.Sort, extract.Extract, train.Train, merge.Merge, join.Join)
ALL = [case for step in STEPS for case in step.CASES]


def choose(patterns):
    """The cases whose names fit one of the patterns ("sort.blur", "sort.*"), in the order of ALL.

    Raises ValueError for a pattern that fits none.
    """
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(case.name, pattern) for case in ALL):
            raise ValueError("no case is called {}; there are: {}".format(
                pattern, ", ".join(case.name for case in ALL)))
    return [case for case in ALL if any(fnmatch.fnmatchcase(case.name, pattern) for pattern in patterns)]
