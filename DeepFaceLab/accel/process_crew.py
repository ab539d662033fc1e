"""Worker processes, one for each thread that has work for one: started, asked, replaced, dismissed.

A death or a hang so concerns one item only. Libraries share a pipe among workers: there a dying
worker takes innocent items with it, and on Python 3.6 a pool whose workers cannot start waits for ever.
"""
import threading
import time
import traceback

from . import compat

_START_SECONDS = 300.0  # on a slow disk the imports of a worker take their time
_FAREWELL_SECONDS = 1.0


class WorkerError(Exception):
    """An item whose worker process died or hung, each time that it was tried."""


class WorkerStartError(Exception):
    """A worker process that could not start."""


class WorkerTraceback(Exception):
    """The traceback of an error in a worker, as text; the cause of the error handed to the caller."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __str__(self):
        return "\n" + self.text


class _Lost(Exception):
    """A worker died or hung; says how."""


class Crew:
    """The worker processes of one pool. Each thread that calls has its own."""

    def __init__(self, func, timeout, tries, initializer, initargs):
        self._job = (func, initializer, tuple(initargs))
        self._timeout = timeout
        self._tries = tries
        self._own = threading.local()
        self._lock = threading.Lock()  # multiprocessing's own bookkeeping is not made for threads
        self._workers = []
        self._killed = False

    def call(self, item):
        """Return func(item) from a worker. Raises what func raised, WorkerError or WorkerStartError."""
        for attempt in range(self._tries):
            try:
                return self._worker().ask(item, self._timeout)
            except _Lost as lost:
                how = str(lost)
                self._bury()
        raise WorkerError("the worker process {}; tried {} times".format(how, self._tries))

    def dismiss(self):
        """Let all workers end by themselves; kill what is still there after a second."""
        for worker in self._workers:
            worker.say_goodbye()
        deadline = time.monotonic() + _FAREWELL_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self):
        """End all workers now, whatever they are doing."""
        with self._lock:
            self._killed = True
            for worker in self._workers:
                worker.kill()
            self._workers = []

    def _worker(self):
        worker = getattr(self._own, "worker", None)
        if worker is None:
            with self._lock:
                if self._killed:
                    raise WorkerError("the work was cancelled")
                worker = _Worker(self._job, self._lock)
                self._workers.append(worker)
            worker.await_start()
            self._own.worker = worker
        return worker

    def _bury(self):
        with self._lock:
            self._own.worker.kill()
            if self._own.worker in self._workers:
                self._workers.remove(self._own.worker)
        self._own.worker = None


class _Worker:
    """One process at the other end of a pipe."""

    def __init__(self, job, lock):
        import multiprocessing
        from multiprocessing.reduction import ForkingPickler
        # A forked copy of a process with threads can hang; Windows can only spawn.
        spawning = multiprocessing.get_context("spawn")
        self._lock = lock
        self._pipe, far_end = spawning.Pipe()
        try:
            job = bytes(ForkingPickler.dumps(job))
            self.process = spawning.Process(target=_serve, args=(far_end, job), daemon=True)
            self.process.start()
        except Exception as error:  # unpicklable function, no memory, too many processes
            self._pipe.close()
            raise WorkerStartError("A worker process could not start: {!r}".format(error)) from error
        finally:
            far_end.close()

    def await_start(self):
        try:
            error_text = self._answer(_START_SECONDS)
        except _Lost as lost:
            raise WorkerStartError("A worker process could not start: it {}.".format(lost)) from lost
        if error_text is not None:
            raise WorkerStartError("A worker process could not start: {}".format(error_text))

    def ask(self, item, timeout):
        try:
            self._pipe.send(item)
        except OSError as error:
            raise _Lost(self._death()) from error
        value, error, text = self._answer(timeout)
        if error is not None:
            raise error from WorkerTraceback(text)
        return value

    def _answer(self, timeout):
        from multiprocessing.connection import wait
        ready = wait([self._pipe, self.process.sentinel], timeout)
        if not ready:
            raise _Lost("gave no answer for {:g} seconds".format(timeout))
        try:
            if self._pipe in ready or self._pipe.poll():
                return self._pipe.recv()
        except (EOFError, OSError):
            pass
        raise _Lost(self._death())

    def _death(self):
        # starting another process asks after all dead ones: without the lock it may take the exit code away
        with self._lock:
            self.process.join(_FAREWELL_SECONDS)
            return "died (exit code {})".format(self.process.exitcode)

    def say_goodbye(self):
        self._pipe.close()

    def kill(self):
        compat.kill_process(self.process)
        self.process.join(_FAREWELL_SECONDS)


def _serve(pipe, job):
    """What a worker process does: get ready, say so, then one answer for each item, until the pipe ends."""
    import pickle
    import signal
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the caller decides and kills us
    try:
        func, initializer, initargs = pickle.loads(job)
        if initializer is not None:
            initializer(*initargs)
    except BaseException:
        pipe.send(traceback.format_exc())
        return
    pipe.send(None)
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        except BaseException as error:
            answer = _failure(error)
        else:
            answer = _answer_to(func, item)
        try:
            pipe.send(answer)
        except OSError:
            return  # nobody is there any more
        except BaseException as error:
            pipe.send(_failure(error))


def _answer_to(func, item):
    try:
        return func(item), None, None
    except BaseException as error:
        return _failure(error)


def _failure(error):
    import pickle
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # one that cannot travel is told in words
        error = RuntimeError("{}: {}".format(type(error).__name__, error))
    return None, error, text
