"""What test_generator_process lets generator processes do, and a trainer to end in many ways."""
import gc
import multiprocessing
import os
import signal
import sys
import time

import numpy as np

if __name__ in ("__main__", "__mp_main__"):
    HERE = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "DeepFaceLab"))


def batch_of(number, side=64):
    """The batch of this number: every value tells it and the place."""
    picture = np.arange(2 * side * side * 3, dtype=np.float32).reshape(2, side, side, 3) + 7 * number
    return [picture, np.full((2, 1, side, side), number, np.float32)]


def same(a, b):
    """Tell whether two batches are equal, with types, shapes and orders of items in memory."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype.hasobject:
            return a.tolist() == b.tolist()
        if a.size and a.dtype.byteorder != b.dtype.byteorder:   # numpy 1 forgets to turn those of empty arrays
            return False
        return (a.dtype.newbyteorder("=") == b.dtype.newbyteorder("=") and a.shape == b.shape
                and a.flags.f_contiguous == b.flags.f_contiguous and a.tobytes() == b.tobytes())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(*pair) for pair in zip(a, b))
    if isinstance(a, dict):
        return sorted(a) == sorted(b) and all(same(a[key], b[key]) for key in a)
    return a == b


ODD = [
    batch_of(0),
    [np.zeros((0, 3)), np.float64(3).reshape(()), np.arange(6, dtype=">i2").reshape(2, 3)],
    [np.asfortranarray(np.arange(12).reshape(3, 4)), np.arange(24).reshape(4, 6)[::2, ::-1]],
    batch_of(1, side=99),                           # larger than the first
    (np.arange(3), np.arange(4)), {"a": np.arange(3)}, [], "words", 0,
    [np.array(["text", 1], object)], [np.zeros(2, [("x", "f4"), ("y", "i8")])], [np.arange(5), 5],
    [np.ma.masked_array([1, 2], [True, False])],
    batch_of(2),
]


def numbers(count):
    for number in range(count):
        yield batch_of(number)


def odd(_):
    return iter(ODD)


def ends_with_none(_):
    yield 1
    yield None
    yield 2


def counted(made):
    while True:
        made.value += 1
        yield batch_of(made.value)


def fails(_):
    yield batch_of(0)
    raise ValueError("the face has no nose")


def leaves(_):
    yield batch_of(0)
    sys.exit(5)


def cannot_travel(_):
    yield batch_of(0)
    yield lambda: None


def dies(how):
    yield batch_of(0)
    time.sleep(0.2)
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


def idles(_):
    yield os.getpid()
    time.sleep(60)


def state(_):
    import cv2
    yield cv2.getNumThreads(), signal.getsignal(signal.SIGINT) == signal.SIG_IGN, sorted(sys.modules)


class Parameter:
    """Something to look after."""


def forgets(generators):
    """Let go of copies of other generators, as a process that was forked with them does at some time."""
    generators.clear()
    gc.collect()
    yield "forgotten"


def no_room(count):
    """Files of this process may have 1 MB: no shared memory for larger batches."""
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    for number in range(count):
        yield batch_of(number, side=256)


class CannotArrive:
    """Can be pickled, but not be unpickled."""

    def __reduce__(self):
        return _missing, ()


def _missing():
    raise ImportError("no module of that name here")


class EndsInArriving(CannotArrive):
    """The same, with an error that a closed pipe gives, too."""

    def __reduce__(self):
        return _ended, ()


def _ended():
    raise EOFError("the file of this sample ends here")


def ends_in_arriving(_):
    yield batch_of(0)
    yield EndsInArriving()


class Samples:
    """Asks for its generators as DeepFaceLab's sample generators do: they lie in an attribute of the bound object."""

    def __init__(self, generator_class, processes, start=True):
        self.factor = 10
        table = multiprocessing.RawArray("i", list(range(processes)))
        self.queues = [multiprocessing.Queue() for _ in range(processes)]
        self.generators = [generator_class(self.batches, (table, index, queue), start_now=False)
                           for index, queue in enumerate(self.queues)]
        if start:
            generator_class.start_in_parallel(self.generators)

    def batches(self, parameter):
        table, index, queue = parameter
        while True:
            yield table[index] * self.factor + queue.get()

    def __getstate__(self):
        return dict(self.__dict__, queues=None)


def train(method, ending):
    """Be a trainer with two generators that has taken a batch of each; say so with their process ids; end somehow."""
    from core.joblib.SubprocessGenerator import SubprocessGenerator
    multiprocessing.set_start_method(method)
    generators = [SubprocessGenerator(numbers, 100, start_now=False), SubprocessGenerator(idles, start_now=False)]
    SubprocessGenerator.start_in_parallel(generators)
    if ending == "early":
        print("PIDS", *[generator.p.pid for generator in generators], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    batches = [next(generator) for generator in generators]
    print("PIDS", generators[0].p.pid, batches[1], flush=True)
    if ending == "error":
        raise ZeroDivisionError("in the trainer")
    if ending == "sys.exit":
        sys.exit(3)
    if ending == "os._exit":
        os._exit(4)
    if ending == "signal":
        next(generators[1])   # waits


if __name__ == "__main__":
    train(*sys.argv[1:])
