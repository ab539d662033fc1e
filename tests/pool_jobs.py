"""What test_pools lets pools do: functions that worker processes can import, and a program to interrupt."""
import ctypes
import os
import signal
import sys
import threading
import time

if __name__ == "__main__":
    HERE = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "DeepFaceLab"))

SECONDS = 30


class Unhappy(Exception):
    """An error that pickle cannot bring back."""

    def __init__(self, one, two):
        super().__init__(one)


class Trap:
    """A value that can be sent and not be received."""

    def __reduce__(self):
        return _spring, ()


def _spring():
    raise ValueError("the trap")


def square(number):
    return number * number


def misbehave(item):
    """Square a number; a word is a way to fail, and (word, path) fails only while path is missing."""
    if isinstance(item, tuple):
        word, path = item
        if os.path.exists(path):
            return "well in the end"
        open(path, "w").close()
        item = word
    if isinstance(item, str):
        return WAYS[item]()
    return square(item)


def raise_error():
    raise ValueError("boom")


def raise_unhappy():
    raise Unhappy(1, 2)


WAYS = {
    "error": raise_error,
    "unhappy": raise_unhappy,
    "system exit": lambda: sys.exit(3),
    "os exit": lambda: os._exit(3),
    "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "lambda": lambda: (lambda: 0),
    "lock": threading.Lock,
    "trap": Trap,
    "hang": lambda: time.sleep(SECONDS),
    "deaf hang": lambda: (signal.signal(signal.SIGTERM, signal.SIG_IGN), time.sleep(SECONDS)),
}


def sleep(seconds):
    time.sleep(seconds)


def start_badly():
    raise RuntimeError("the paging file is too small")


def start_never():
    os._exit(7)


def remember(value):
    global _REMEMBERED
    _REMEMBERED = value


def remembered(item):
    return _REMEMBERED, item


def main(kind):
    """Work for minutes in a pool of threads, of processes, or of processes with short items, till Ctrl-C."""
    from accel import pools
    started = pools.map_threads if kind == "threads" else pools.map_processes
    outcomes = started(sleep, [0.0] + [SECONDS if kind == "processes" else 0.3] * 1000, 2)
    next(outcomes)
    try:
        print("working", flush=True)  # inside: the interruption may come before it returns
        for _ in outcomes:
            pass
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1])
