"""Costly cases of one kind, shared out between the Pythons: each takes every other one, and together they take all.

For cases whose outcome hangs on files, processes and ffmpeg, not on the version of Python or numpy. A Python with an
even minor number (3.6) takes one half, an odd one (3.11) the other; DFL_ALL_CASES=1 lets each take all.

    pytestmark = pytest.mark.shared_out     the cases of every parametrized test of a file (see conftest.py)
    pytestmark = pytest.mark.shared_out(tests=True)     the tests of a file, whose fixtures are cheap
    for at in mine(points): ...             the rounds of a loop
"""
import os
import sys
import zlib

TURN = sys.version_info[1] % 2


def takes_all():
    return os.environ.get("DFL_ALL_CASES") == "1"


def mine(cases):
    """Return every other one of the cases (list), or all where there is only one."""
    cases = list(cases)
    return cases if takes_all() or len(cases) < 2 else cases[TURN::2]


def mine_of_items(items):
    """Return which items (set) of one parametrized pytest test, or of one file, are this Python's.

    In an order by their names' checksums: in that of their parameters, every other one may mean one value of the last.
    """
    return set(mine(sorted(items, key=lambda item: zlib.crc32(item.name.encode("utf-8", "backslashreplace")))))
