"""Ordered, bounded pools: every item ends exactly once, as a value or as an error, in input order.

Threads first: cv2, numba with nogil and file access release the interpreter lock, and threads share
memory and start in microseconds. Processes only for work that holds the lock.
"""
import atexit
import collections
import threading
import time
import weakref

from . import compat, process_crew
from .process_crew import WorkerError, WorkerStartError

__all__ = ["Outcome", "WorkerError", "WorkerStartError", "map_processes", "map_threads"]

Outcome = collections.namedtuple("Outcome", "index item value error")
Outcome.__doc__ = """How one item ended.

index: its place in the input (int); item: as given; value: what the function returned, None if it
failed; error: the exception that ended it, else None.
"""

# Windows does not wake a waiting main thread for Ctrl-C: it has to look up now and then.
_LOOK_UP_SECONDS = 0.25
# What is left of the two seconds in which a cancelled pool has to stop.
_STOP_SECONDS = 1.5


def map_threads(func, items, workers=None, ahead=None):
    """Yield Outcome(index, item, value, error) of func(item) for every item, in input order.

    items: any iterable, taken lazily and from one thread at a time, at most `ahead` (default: four a
    worker) beyond what the caller has taken. workers: threads, default one a core; with one, the work
    is done in the caller's thread. Whatever func raises becomes an Outcome's error; what `items`
    raises is raised here, after the outcomes of the items before it. Closing the generator, or
    Ctrl-C, starts no further item and waits for those under way (at most 1.5 s).
    """
    workers = compat.cpu_count() if workers is None else workers
    if workers < 1 or (ahead is not None and ahead < 1):
        raise ValueError("a pool needs at least one worker and one item ahead")
    if workers == 1:
        return _map_serial(func, items)
    return _map_parallel(_ThreadPool(func, items, 4 * workers if ahead is None else ahead), workers)


def map_processes(func, items, workers=None, timeout=None, tries=3, initializer=None, initargs=()):
    """As map_threads, but func runs in worker processes. For work that holds the interpreter lock.

    func, initializer (called with initargs when a worker starts), items and values must be picklable,
    func and initializer by name. A worker that dies, or gives no answer for `timeout` seconds (None: as
    long as it takes), is replaced and the item tried again in the fresh one; after `tries` the
    Outcome's error is a WorkerError that says how it ended. What func raises is that error at once,
    with the worker's traceback as its cause. A worker that cannot start is a WorkerStartError, raised
    here, that says why. Closing the generator, or Ctrl-C, kills the workers.
    """
    workers = compat.cpu_count() if workers is None else workers
    if workers < 1 or tries < 1:
        raise ValueError("a pool needs at least one worker and one try")
    crew = process_crew.Crew(func, timeout, tries, initializer, initargs)
    return _map_by_crew(crew, _ThreadPool(crew.call, items, 4 * workers), workers)


def _map_by_crew(crew, pool, workers):
    outcomes = _map_parallel(pool, workers)
    try:
        for outcome in outcomes:
            if isinstance(outcome.error, WorkerStartError):
                raise outcome.error
            yield outcome
        crew.dismiss()
    finally:
        crew.kill()
        outcomes.close()


def _map_serial(func, items):
    for index, item in enumerate(items):
        yield _run(func, index, item)


def _map_parallel(pool, workers):
    try:
        pool.start(workers)
        batch = pool.take()
        while batch:
            yield from batch
            batch = pool.take()
    finally:
        pool.stop()


def _run(func, index, item):
    try:
        return Outcome(index, item, func(item), None)
    except BaseException as error:  # a library's SystemExit must not end a thread unseen either
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        return Outcome(index, item, None, error)


class _ThreadPool:
    """Threads that take items from one iterator and hand back outcomes in order.

    One lock guards everything; a worker takes it once an item, to hand in an outcome and to fetch
    the next item, so that little time is lost even on items of 100 microseconds.
    """

    def __init__(self, func, items, ahead):
        self._func = func
        self._items = enumerate(items)
        self._batch = max(1, ahead // 4)  # outcomes handed over at once
        self._limit = ahead - (self._batch - 1)  # those the caller has not seen are ahead, too
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)  # the outcome that the caller waits for is there
        self._room = threading.Condition(self._lock)  # the caller has taken outcomes, or it is over
        self._done = {}
        self._wanted = 0  # index of the outcome that the caller gets next
        self._begun = 0  # items taken so far
        self._ended = False  # no item is to be begun any more
        self._failure = None  # what the iterator raised
        self._threads = []

    def start(self, workers):
        _RUNNING.add(self)
        for _ in range(workers):
            thread = threading.Thread(target=self._work, daemon=True)
            thread.start()
            self._threads.append(thread)

    def take(self):
        """Return the next outcomes (list), empty at the end. Raises what the iterator raised."""
        with self._lock:
            while self._wanted not in self._done:
                if self._ended and self._wanted == self._begun:
                    if self._failure is not None:
                        raise self._failure
                    return []
                self._ready.wait(_LOOK_UP_SECONDS)
            batch = []
            while self._wanted in self._done and len(batch) < self._batch:
                batch.append(self._done.pop(self._wanted))
                self._wanted += 1
            self._room.notify(len(batch))
            return batch

    def stop(self):
        with self._lock:
            self._end()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        _RUNNING.discard(self)

    def _work(self):
        while True:
            with self._lock:
                job = self._next_job()
            if job is None:
                return
            outcome = _run(self._func, *job)
            with self._lock:
                self._done[outcome.index] = outcome
                if outcome.index == self._wanted:
                    self._ready.notify()
            del job, outcome  # nothing of an item may stay in memory while the thread waits

    def _next_job(self):
        while not self._ended and self._begun - self._wanted >= self._limit:
            self._room.wait()
        if self._ended:
            return None
        try:
            job = next(self._items)
        except StopIteration:
            self._end()
            return None
        except BaseException as error:  # raised to the caller by take
            self._failure = error
            self._end()
            return None
        self._begun += 1
        return job

    def _end(self):
        self._ended = True
        self._room.notify_all()
        self._ready.notify()


_RUNNING = weakref.WeakSet()


@atexit.register
def _stop_all():
    # The interpreter must not be taken down under threads that are still in C code.
    for pool in list(_RUNNING):
        pool.stop()
