"""Threads that work on pictures ask the networks; one thread a lane of a device answers whatever waits.

A question holds pictures for one network; pictures of one size are answered together, whoever asked, as many as a
batch may have. So a device has its next batch ready while the threads are busy with files and pixels, and no thread
needs a network of its own. Stock starts a process, with TensorFlow in it, for every device and asks picture by picture.
"""
import collections
import threading
import time

import numpy as np

from .. import host

_LOOK_UP_SECONDS = 0.25   # Windows does not wake a waiting main thread for Ctrl-C
_STOP_SECONDS = 1.5       # Ctrl-C has to end everything within two


class Stopped(Exception):
    """The work ends: what was asked is given up."""


class _Question:
    def __init__(self, count):
        self.answers = [None] * count
        self.left = count
        self.error = None


_Item = collections.namedtuple("_Item", "network picture question place")


class Questions:
    """Networks on devices, open to any number of threads. Use as a context manager, or call close."""

    def __init__(self, lanes, largest, devices=None):
        """lanes: list of {network's name: object whose run(pictures) takes uint8 (n, H, W, 3) and returns a list of
        arrays of n answers}, each of which one thread serves. largest: {name: most pictures in a batch}. devices: list
        of the numbers, from 0, of the lanes' devices; two lanes of one keep it busy. Default: each its own."""
        self._lanes = lanes
        self._devices = list(range(len(lanes))) if devices is None else list(devices)
        self._largest = dict(largest)
        self._waiting = collections.deque()
        self._lock = threading.Lock()
        self._something = threading.Condition(self._lock)   # a question has come
        self._answered = threading.Condition(self._lock)
        self._threads = []
        self._stopped = False
        self.pictures = collections.Counter()   # answered, by network
        self.batches = collections.Counter()
        self.busy = [0.0] * (max(self._devices) + 1)   # seconds that each device ran a network
        self._running = [0] * len(self.busy)           # lanes of each device that do so now,
        self._since = [0.0] * len(self.busy)           # and from when on
        self._first = self._last = None         # when work began, and ended so far

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def ask(self, network, pictures):
        """Return the answers (list of lists of arrays, one an output) to pictures, uint8 (H, W, 3) of any sizes.

        Waits for them. Raises Stopped after close, host.UserError when the network cannot run.
        """
        question = _Question(len(pictures))
        with self._lock:
            self._largest[network]   # a KeyError here, not in the thread of a lane
            self._start()
            for place, picture in enumerate(pictures):
                self._waiting.append(_Item(network, picture, question, place))
            self._something.notify(len(pictures))
            while question.left and question.error is None:
                if self._stopped:
                    raise Stopped()
                self._answered.wait(_LOOK_UP_SECONDS)
        if question.error is not None:
            raise question.error
        return question.answers

    def busy_share(self):
        """Return the part of the time, 0..1, in which the devices ran networks, from the first question on."""
        seconds = self.seconds()
        return sum(self.busy) / (len(self.busy) * seconds) if seconds else 0.0

    def seconds(self):
        """Return the time from the first question to the last answer, in seconds."""
        return 0.0 if self._first is None else self._last - self._first

    def stop(self):
        """Give up what waits; whoever asked is told so. Does not wait for what the networks look at just now."""
        with self._lock:
            self._stopped = True
            self._waiting.clear()
            self._something.notify_all()
            self._answered.notify_all()

    def close(self):
        """Stop, and wait for the threads, at most 1.5 s."""
        self.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- lanes ---

    def _start(self):
        if not self._threads:
            self._first = self._last = time.monotonic()
            for number in range(len(self._lanes)):
                thread = threading.Thread(target=self._serve, args=(number,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, number):
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            self._count(self._devices[number], 1)
            self._answer(self._lanes[number], batch)
            self._count(self._devices[number], -1)

    def _count(self, device, step):
        """Note that a lane of a device begins (1) or ends (-1) to run a network."""
        with self._lock:
            now = time.monotonic()
            if self._running[device]:
                self.busy[device] += now - self._since[device]
            self._running[device] += step
            self._since[device] = now
            if step < 0:
                self._last = now

    def _next_batch(self):
        """Return the oldest items of one kind, or None at the end."""
        with self._lock:
            while not self._waiting and not self._stopped:
                self._something.wait()
            if self._stopped:
                return None
            first = self._waiting[0]
            alike = [place for place, item in enumerate(self._waiting)
                     if item.network == first.network and item.picture.shape == first.picture.shape]
            count = min(len(alike), self._largest[first.network])
            # A graphics card prepares itself for every new size of a batch: there are few of them.
            del alike[1 << (count.bit_length() - 1):]
            batch = [self._waiting[place] for place in alike]
            for place in reversed(alike):
                del self._waiting[place]   # what is left keeps its place
            return batch

    def _answer(self, lane, batch):
        network = batch[0].network
        try:
            outputs = lane[network].run(np.stack([item.picture for item in batch]))
            answers = [[output[index] for output in outputs] for index in range(len(batch))]
        except Exception as error:
            if len(batch) > 1 and not self._stopped:
                # Most likely the device's memory: half of it is tried, now and from now on.
                half = len(batch) // 2
                self._largest[network] = min(self._largest[network], half)
                self._answer(lane, batch[:half])
                self._answer(lane, batch[half:])
            else:
                self._fail(batch, error)
            return
        with self._lock:
            self.pictures[network] += len(batch)
            self.batches[network] += 1
            for item, answer in zip(batch, answers):
                item.question.answers[item.place] = answer
                item.question.left -= 1
            self._answered.notify_all()

    def _fail(self, batch, error):
        told = host.UserError("The network cannot look at a picture of {}x{} ({}). If the device's memory is short, "
                              "close other programs, or extract on the CPU.".format(
                                  batch[0].picture.shape[1], batch[0].picture.shape[0], _first_line(error)))
        told.__cause__ = error
        with self._lock:
            for item in batch:
                item.question.error = told
            self._answered.notify_all()


def _first_line(error):
    return "{}: {}".format(type(error).__name__, (str(error).strip() or "?").splitlines()[0][:200])
