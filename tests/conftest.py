"""What all tests share: where the code lies, and random input that is the same in every run."""
import os
import signal
import sys

import psutil
import pytest
import shared_cases
from child_processes import is_tracker, words_of
from hypothesis import HealthCheck, settings

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
PROGRAM = os.path.join(ROOT, "DeepFaceLab")

for folder in (ROOT, TESTS, PROGRAM, os.path.join(TESTS, "e2e")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

# A shell lets its background jobs ignore Ctrl-C, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:     # as nohup leaves it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Of a process whose two streams are read from one pipe, what it wrote comes in the order of writing.
os.environ["PYTHONUNBUFFERED"] = "1"

settings.register_profile("ci", derandomize=True, deadline=None, database=None,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")


LEAVE_SECONDS = 5.0       # a process that was killed may be listed a moment longer


@pytest.fixture(autouse=True, scope="module")
def no_process_is_left():
    """A file of tests leaves no process behind, or the next one meets it."""
    yield
    left = [child for child in psutil.Process().children(recursive=True) if not is_tracker(child)]
    _, left = psutil.wait_procs(left, timeout=LEAVE_SECONDS) if left else ([], [])
    told = [words_of(process) for process in left]
    for process in left:
        process.kill()
    assert told == []


def pytest_collection_modifyitems(config, items):
    """Leave out what another run has: see one_of_two_ffmpegs and shared_cases."""
    kept = shared_out(one_of_two_ffmpegs(items))
    left = set(items) - set(kept)
    if left:
        config.hook.pytest_deselected(items=[item for item in items if item in left])
        items[:] = kept


def one_of_two_ffmpegs(items):
    """Where the PATH has a second ffmpeg, with ffprobe, each test meets it once; those of probing, always."""
    met, kept = set(), []
    for item in items:
        found = getattr(getattr(item, "callspec", None), "params", {}).get("found")
        is_second, test = getattr(found, "ffprobe", None) is not None, item.nodeid.partition("[")[0]
        if not is_second or test not in met or "test_video_probe" in test:
            kept.append(item)
        if is_second:
            met.add(test)
    return kept


def shared_out(items):
    """Of the cases of each test that is marked shared_out, or of all tests of a file, this Python's."""
    cases = {}
    for item in items:
        mark = item.get_closest_marker("shared_out")
        if mark is not None and mark.kwargs.get("tests"):
            cases.setdefault(item.nodeid.partition("::")[0], []).append(item)
        elif mark is not None and hasattr(item, "callspec"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    mine = {item for found in cases.values() for item in shared_cases.mine_of_items(found)}
    others = {item for found in cases.values() for item in found} - mine
    return [item for item in items if item not in others]
