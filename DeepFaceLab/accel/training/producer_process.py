"""The process that makes batches of training samples: what runs there, from its start to its end.

Three threads: this one makes batches, one talks (a large batch that goes through the pipe must not stop the work),
one listens, and ends everything as soon as the trainer is gone.
"""
import os
import pickle
import queue
import signal
import threading
import traceback
from multiprocessing.reduction import ForkingPickler

from .. import compat_shared_memory
from . import batches

# The first word of a message: what follows it.
SLOT = "slot"          # slot, size of its block, batches.Layout
BATCH = "batch"        # the batch itself
FAILURE = "failure"    # the error in words, the traceback as text
END = "end"            # nothing


class Job:
    """A generator function and its parameter on the way to their process.

    They are unpickled only when they are asked for, so that an error there can be told.
    """

    def __init__(self, generator_func, user_param):
        self._parts = generator_func, user_param

    def begin(self):
        """Return the iterator over the batches."""
        generator_func, user_param = pickle.loads(self._parts) if isinstance(self._parts, bytes) else self._parts
        return generator_func(user_param)

    def forget(self):
        """Let go of both: the trainer needs them no more."""
        self._parts = None

    def __getstate__(self):
        return bytes(ForkingPickler.dumps(self._parts))

    def __setstate__(self, data):
        self._parts = data


def serve(pipe, place, job, ahead, most_slots):
    """Make batches until the generator or the trainer ends.

    pipe: multiprocessing connection to the trainer; place: of compat_shared_memory, or None; job: Job; ahead: how many
    batches to make unasked; most_slots: how many may lie in shared memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)   # Ctrl-C reaches all; the trainer decides, and its end is ours
    line = _Line(pipe, ahead)
    try:
        import cv2
        # There is a process for every core or two. (Not 1: that waits for threads which a forked process lacks.)
        cv2.setNumThreads(0)
        slots = _Slots(place, most_slots)
        iterator = job.begin()
        while True:
            slots.take_back(line.await_wish())
            batch = next(iterator, None)
            if batch is None:
                break
            line.say(slots.message(batch))
            del batch
        line.say(_pickled(END))
    except BaseException as error:
        line.say(_failure(error))
    line.finish()


class _Line:
    """The pipe to the trainer, with a thread for each direction."""

    def __init__(self, pipe, ahead):
        self._pipe = pipe
        self._words = queue.Queue()
        self._wishes = queue.Queue()     # for each batch to make: the slots that were given back before it
        for _ in range(ahead):
            self._wishes.put([])
        threading.Thread(target=self._listen, daemon=True).start()
        self._talker = threading.Thread(target=self._talk, daemon=True)
        self._talker.start()

    def await_wish(self):
        """Wait until another batch is wanted. Return a list of the slots that are free again."""
        return self._wishes.get()

    def say(self, message):
        """Send a message (bytes), soon."""
        self._words.put(message)

    def finish(self):
        """Wait until everything is sent."""
        self._words.put(None)
        self._talker.join()

    def _listen(self):
        while True:
            try:
                self._wishes.put(self._pipe.recv())
            except (EOFError, OSError):
                os._exit(1)   # the trainer is gone, however it went: nobody wants what the other thread makes

    def _talk(self):
        while True:
            message = self._words.get()
            if message is None:
                return
            try:
                self._pipe.send_bytes(message)
            except OSError:
                os._exit(1)
            except Exception as error:   # Python 3.6 on a message of 2 GB
                self._pipe.send_bytes(_failure(error))


class _Slots:
    """Places of one batch each in shared memory, as large as the first batch; made only as they are needed."""

    def __init__(self, place, most):
        self._place, self._most = place, most
        self._size = None                # of a block
        self._blocks = []                # of mmap
        self._free = []

    def take_back(self, slots):
        """Use these slots again."""
        self._free += slots

    def message(self, batch):
        """Return the message that brings a batch to the trainer."""
        layout = batches.layout_of(batch)
        slot = self._slot(layout.size) if layout is not None else None
        if slot is None:
            return _pickled(BATCH, batch)
        batches.write(batch, layout, self._blocks[slot], compat_shared_memory.HEAD)
        return _pickled(SLOT, slot, self._size, layout)

    def _slot(self, size):
        if self._size is None:
            self._size = compat_shared_memory.whole_blocks(size)
        if compat_shared_memory.HEAD + size > self._size:
            return None
        if self._free:
            return self._free.pop()      # the one used last: the processor may still remember it
        slot = len(self._blocks)
        if self._place is None or slot == self._most:
            return None
        try:
            self._blocks.append(self._place.make(slot, self._size))
        except OSError:
            self._place = None           # it is full; what there is of it is used on
            return None
        return slot


def _pickled(*message):
    return bytes(ForkingPickler.dumps(message))


def _failure(error):
    words = "".join(traceback.format_exception_only(type(error), error)).strip()
    return _pickled(FAILURE, words, "".join(traceback.format_exception(type(error), error, error.__traceback__)))
