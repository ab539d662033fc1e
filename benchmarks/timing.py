"""Whole processes, timed: wall time, peak memory, and the output for when they fail."""
import collections
import os
import signal
import statistics
import subprocess
import threading
import time

try:
    import psutil
except ImportError:                  # an extra of the benchmark: without it no memory is shown
    psutil = None

SAMPLE_SECONDS = 0.02
FAMILY_SECONDS = 0.1                 # how often child processes are listed
FAMILY_SHARE = 0.02                  # of one core that the listing may take: it costs 1 to 30 ms
LOOK_SECONDS = 0.002                 # how often `until` is asked

Run = collections.namedtuple("Run", "seconds megabytes exit_code output started alone child")
Run.__doc__ = """One finished process. seconds: wall time; megabytes: peak of the resident memory of it and
its children together (pages that they share count in each), None without psutil; output: its last text; started:
time.time() of its start; alone, child: as megabytes, of itself and of the largest of its children, 0 without one."""


def run_process(command, log_path, environment=None, answers="", until=None):
    """Run a command (list of str) to its end and return a Run.

    answers: what stdin holds; after it stdin is at its end. log_path: file that takes its output. until: a
    function; when it returns True the time is taken, and the process and its children are killed (exit code 0).
    When this is interrupted, they are killed, too. Raises OSError if it cannot be started.
    """
    with open(log_path + ".stdin", "w") as stream:
        stream.write(answers)
    with open(log_path + ".stdin", "rb") as stdin, open(log_path, "wb") as log:
        began, started = time.time(), time.perf_counter()
        process = subprocess.Popen(command, stdin=stdin, stdout=log, stderr=subprocess.STDOUT,
                                   env=dict(os.environ, **(environment or {})), start_new_session=True)
        meter = _MemoryMeter(process.pid)
        try:
            meter.start()
            reached = _wait(process, until)
            seconds = time.perf_counter() - started
            if reached:
                _kill_family(process)
        except BaseException:
            _kill_family(process)
            raise
        finally:
            meter.stop()
    return Run(seconds, meter.megabytes, 0 if reached else process.returncode, last_text(log_path), began,
               meter.alone, meter.child)


def _wait(process, until):
    """Wait for a process to end (return False), or for `until` to become true (return True)."""
    if until is None:
        process.wait()               # without a timeout: with one, Python polls
        return False
    while process.poll() is None:
        if until():
            return True
        time.sleep(LOOK_SECONDS)
    return False


def last_text(path, size=3000):
    """The last lines of a log (str); of a progress bar only its last state."""
    with open(path, "rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - size))
        text = stream.read().decode("utf-8", "replace")
    return "\n".join(line.rstrip().rsplit("\r", 1)[-1] for line in text.split("\n")).strip()


def _kill_family(process):
    """Kill a process that was started in a session of its own, and all that it started."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    else:                            # Windows
        subprocess.call(["taskkill", "/F", "/T", "/PID", str(process.pid)],
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.wait()


class _MemoryMeter(object):
    """Samples the memory of a process and its children in a thread."""

    def __init__(self, pid):
        self.megabytes = self.alone = self.child = None
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self):
        if psutil is not None:
            self._thread.start()

    def stop(self):
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self):
        try:
            root = psutil.Process(self._pid)
        except psutil.Error:
            return
        family, due = [root], time.perf_counter() + SAMPLE_SECONDS
        while not self._stop.wait(SAMPLE_SECONDS):
            began = time.perf_counter()
            if began > due:
                try:
                    family = [root] + root.children(recursive=True)
                except psutil.Error:
                    return
                took = time.perf_counter() - began
                due = began + max(FAMILY_SECONDS, took / FAMILY_SHARE)
            each = [_resident(member) / 1e6 for member in family]
            self.megabytes = max(self.megabytes or 0, sum(each))
            self.alone = max(self.alone or 0, each[0])
            self.child = max(self.child or 0, max(each[1:] or [0]))


def _resident(member):
    try:
        return member.memory_info().rss
    except psutil.Error:             # it has ended
        return 0


def median(samples):
    """The median of some seconds (float)."""
    return statistics.median(samples)


def middle(values):
    """The median of some values, None where there are none or one of them is None."""
    return None if not values or None in values else median(values)


def spread(samples):
    """How far samples lie apart: (largest - smallest) / median (float)."""
    return (max(samples) - min(samples)) / max(median(samples), 1e-9)
