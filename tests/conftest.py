"""What all tests share: where the code lies, and random input that is the same in every run."""
import os
import signal
import sys

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

settings.register_profile("ci", derandomize=True, deadline=None, database=None,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")


def pytest_collection_modifyitems(config, items):
    """Where the PATH has a second ffmpeg, with ffprobe, each test meets it once; those of probing, always."""
    met, kept, left = set(), [], []
    for item in items:
        found = getattr(getattr(item, "callspec", None), "params", {}).get("found")
        test = item.nodeid.partition("[")[0]
        if getattr(found, "ffprobe", None) is None or test not in met or "test_video_probe" in test:
            kept.append(item)
        else:
            left.append(item)
        if getattr(found, "ffprobe", None) is not None:
            met.add(test)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
