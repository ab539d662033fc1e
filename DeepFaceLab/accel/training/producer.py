"""Batches of training samples made by a process of their own, ahead of the training: the trainer's side.

The process makes `prefetch` + 1 batches and waits; for each one taken it makes another. They lie in memory that both
see; through the pipe go only words about them (producer_process.py is the other end). The trainer's arrays look into
that memory, and their place is used again when the last of them is gone.
"""
import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.util
import os
import pickle
import threading
import weakref

from .. import compat, compat_shared_memory, process_crew
from . import batches, producer_process

# Batches in the trainer's hands without a copy: DeepFaceLab keeps its first one for previews, the last one, and takes
# a new one. Who keeps more gets copies.
MOST_LENT = 3

_LOOK_SECONDS = 1.0       # how often a process that says nothing is looked for
_FAREWELL_SECONDS = 2.0

_forking = threading.Lock()


class ProducerError(Exception):
    """The process that makes training samples failed, died or could not start. Its cause has the process' traceback."""

    told = "The training cannot go on without new samples."   # what main.py says before it


class _Gone(Exception):
    """Nobody is at the other end of the pipe."""


class Producer:
    """An iterator over the batches of generator_func(user_param), which runs in a process of its own.

    generator_func: function that returns an iterator; user_param: its parameter, with what may only be pickled while
    a process is started (shared memory, queues). prefetch: see above; below 0 counts as 0. A batch: any object that
    can be pickled; lists of plain numpy arrays go through shared memory. None ends the batches, as in stock's
    SubprocessGenerator, to whose process and queues this answers.
    """

    def __init__(self, generator_func, user_param, prefetch):
        self._job = producer_process.Job(generator_func, user_param)
        self._ahead = max(0, prefetch) + 1
        self._lock = threading.Lock()
        self._process = self._pipe = self._place = self._end = None
        self._failure = None                     # (sentence, traceback or None)
        self._is_over = False
        self._blocks = {}
        self._lent = 0
        self._returned = collections.deque()     # slots whose last view is gone

    @property
    def process(self):
        """The multiprocessing.Process; None before the start."""
        return self._process

    def start(self):
        """Start the process, unless that has been done. Raises ProducerError."""
        with self._lock:
            self._start()

    def __iter__(self):
        return self

    def __next__(self):
        """Return the next batch; wait for it. Raises ProducerError and StopIteration, each time anew."""
        with self._lock:
            self._start()
            if self._is_over:
                raise StopIteration
            message = self._receive()
            freed = self._slots_returned()
            if message[0] == producer_process.END:
                self._is_over = True
                self._finish()
                raise StopIteration
            if message[0] == producer_process.FAILURE:
                self._finish()
                self._fail("The process that makes training samples failed: " + message[1], message[2])
            if message[0] == producer_process.SLOT:
                batch = self._batch_of_slot(freed, *message[1:])
            else:
                batch = message[1]
            self._ask_for_more(freed)
            return batch

    def close(self):
        """End the process; batches that are there already go on living."""
        with self._lock:
            if not self._is_over and self._failure is None:
                self._failure = ("The process that makes training samples has been closed.", None)
            if self._end is not None:
                self._end()

    # --- start and end -----------------------------------------------------------------------------

    def _start(self):
        if self._failure is not None:
            self._fail(*self._failure)
        if self._process is not None or self._is_over:
            return
        try:
            if multiprocessing.get_start_method() == "fork":
                with _forking:   # a process forked meanwhile would keep the ends of this one's pipe open
                    self._launch()
            else:
                self._launch()
        except Exception as error:   # what cannot be pickled, no memory, too many processes
            self._failure = ("A process that makes training samples could not start: {!r}".format(error), None)
            raise ProducerError(self._failure[0]) from error

    def _launch(self):
        self._pipe, far_end = multiprocessing.Pipe()
        self._place = compat_shared_memory.open_place()
        # A forked child has copies of our ends; with them it would never hear that we are gone.
        multiprocessing.util.register_after_fork(self, Producer._forget_in_child)
        process = multiprocessing.Process(
            target=producer_process.serve, daemon=True,
            args=(far_end, self._place, self._job, self._ahead, self._ahead + MOST_LENT))
        self._end = weakref.finalize(self, _end, os.getpid(), self._pipe, self._place, process)
        self._end.atexit = False   # multiprocessing ends its daemons then
        try:
            process.start()
        except BaseException:
            self._end()
            raise
        finally:
            far_end.close()
            self._job.forget()
        self._process = process

    def _forget_in_child(self):
        if self._pipe is not None:
            self._pipe.close()

    def _finish(self):
        self._process.join(_FAREWELL_SECONDS)   # it ends by itself; killed, it could hold a lock of shared queues
        self._end()

    def _fail(self, sentence, text):
        self._failure = (sentence, text)
        raise ProducerError(sentence) from (text and process_crew.WorkerTraceback(text))

    # --- words through the pipe --------------------------------------------------------------------

    def _receive(self):
        while True:
            ready = multiprocessing.connection.wait([self._pipe, self._process.sentinel], _LOOK_SECONDS)
            # In some forks the sentinel does not tell; in some deaths there is something left to read.
            if not ready and self._process.exitcode is None:
                continue
            try:
                with self._receiving():
                    return pickle.loads(self._received_bytes(self._pipe in ready))
            except _Gone:
                pass
            self._process.join(_FAREWELL_SECONDS)
            code = self._process.exitcode
            self._end()
            self._fail("A process that makes training samples ended before its time (exit code {}). If there is "
                       "nothing about it above, the memory was probably used up: close other programs or choose a "
                       "smaller batch size, and start the training again.".format(code), None)

    def _received_bytes(self, is_there):
        try:
            if is_there or self._pipe.poll():
                return self._pipe.recv_bytes()
            raise EOFError
        except (EOFError, OSError) as error:
            raise _Gone from error

    @contextlib.contextmanager
    def _receiving(self):
        """End all if a message is read by half, or cannot be understood: Ctrl-C, no memory, what is no pickle."""
        try:
            yield
        except _Gone:
            raise
        except BaseException as error:
            self._failure = ("A batch of training samples could not be received: {!r}".format(error), None)
            self._end()
            if isinstance(error, Exception):
                raise ProducerError(self._failure[0]) from error
            raise

    def _ask_for_more(self, freed):
        try:
            self._pipe.send(freed)
        except OSError:
            pass   # it has ended; what it has made can still be taken, and after that comes the reason

    # --- slots -------------------------------------------------------------------------------------

    def _slots_returned(self):
        freed = []
        while self._returned:
            freed.append(self._returned.popleft())
        self._lent -= len(freed)
        return freed

    def _batch_of_slot(self, freed, slot, block_size, layout):
        if slot not in self._blocks:
            try:
                self._blocks[slot] = self._place.find(slot, block_size)
            except OSError as error:
                self._end()
                self._fail("A process that makes training samples ended, and its batch with it: {}".format(error), None)
        memory = self._blocks[slot]
        if self._lent >= MOST_LENT:
            freed.append(slot)
            return batches.copy(layout, memory, compat_shared_memory.HEAD)
        batch, owner = batches.lend(layout, memory, compat_shared_memory.HEAD)
        weakref.finalize(owner, self._returned.append, slot).atexit = False
        self._lent += 1
        return batch


def _end(starter, pipe, place, process):
    """End the process at once and let go of what belongs to it."""
    if os.getpid() != starter:
        return   # a forked copy of the producer: not its process to end
    pipe.close()
    if process.pid is not None:
        compat.kill_process(process)
        process.join(_FAREWELL_SECONDS)
    if place is not None:
        place.close()
