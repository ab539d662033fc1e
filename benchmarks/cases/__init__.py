"""What is measured: `ALL` holds the cases of every step, in the order of the table."""
import fnmatch

from benchmarks.cases import sort

ALL = sort.CASES


def choose(patterns):
    """The cases whose names fit one of the patterns ("sort.blur", "sort.*"), in the order of ALL.

    Raises ValueError for a pattern that fits none.
    """
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(case.name, pattern) for case in ALL):
            raise ValueError("no case is called {}; there are: {}".format(
                pattern, ", ".join(case.name for case in ALL)))
    return [case for case in ALL if any(fnmatch.fnmatchcase(case.name, pattern) for pattern in patterns)]
