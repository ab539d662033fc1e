"""Generator processes: batches in order, a bounded number ahead, errors in words, and nothing stays behind."""
import gc
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref

import generator_jobs
import numpy as np
import psutil
import pytest
from accel import compat_shared_memory
from accel.training import producer
from core.joblib.SubprocessGenerator import SubprocessGenerator

pytestmark = [pytest.mark.light, pytest.mark.shared_out]

JOBS = generator_jobs.__file__
HELPERS = ("resource_tracker", "semaphore_tracker")   # multiprocessing's own, which ends with its program
METHODS = [method for method in ("spawn", "fork") if method in multiprocessing.get_all_start_methods()]
PROMPT = 20.0                                         # seconds; on a busy machine a process starts slowly


def left_over():
    """Return our child processes that are alive."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
            and not any(helper in " ".join(child.cmdline()) for helper in HELPERS)]


def await_end(*pids):
    """Wait until these processes have ended; fail when that takes long."""
    deadline = time.monotonic() + PROMPT
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        assert time.monotonic() < deadline, pids
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def nothing_left_over():
    gc.collect()
    processes, threads = len(left_over()), threading.active_count()
    yield
    gc.collect()
    assert len(left_over()) == processes
    assert threading.active_count() == threads


def start_as(method):
    multiprocessing.set_start_method(method, force=True)


@pytest.fixture(autouse=True)
def own_start_method():
    before = multiprocessing.get_start_method(allow_none=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.fixture(params=METHODS)
def method(request):
    start_as(request.param)


@pytest.fixture
def fast():
    """The start method that takes the least time, for tests that do not depend on it."""
    start_as(METHODS[-1])


# --- batches --------------------------------------------------------------------------------------

def test_batches_of_all_kinds_in_order(method):
    comp = list(SubprocessGenerator(generator_jobs.odd))
    assert generator_jobs.same(comp, pickle.loads(pickle.dumps(generator_jobs.ODD, 4)))


@pytest.mark.parametrize("prefetch", [0, 1, 2, 7, -1])
def test_so_many_batches_are_made_ahead(fast, prefetch):
    made = multiprocessing.RawValue("i")
    generator = SubprocessGenerator(generator_jobs.counted, made, prefetch=prefetch)
    for taken in range(4):
        wanted = taken + max(0, prefetch) + 1
        deadline = time.monotonic() + PROMPT
        while made.value < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(0.05)
        assert made.value == wanted
        next(generator)


def test_the_process_starts_when_it_is_told_to(fast):
    generator = SubprocessGenerator(generator_jobs.numbers, 3, start_now=False)
    assert not generator._is_started() and generator.p is None
    assert generator_jobs.same(next(generator), generator_jobs.batch_of(0))     # the first batch starts it, too
    assert generator._is_started() and generator.p.daemon
    process = generator.p
    generator._start()
    assert generator.p is process and iter(generator) is generator


def is_view(batch):
    return not any(array.flags.owndata or array.base is None for array in batch)


def test_arrays_look_into_shared_memory_and_stay_what_they_are(fast):
    generator = SubprocessGenerator(generator_jobs.numbers, 40)
    kept = list(generator)
    assert [is_view(batch) for batch in kept] == [True] * producer.MOST_LENT + [False] * (40 - producer.MOST_LENT)
    for number, batch in enumerate(kept):
        assert generator_jobs.same(batch, generator_jobs.batch_of(number))
        batch[0] += 1                                  # as with stock's, they are the trainer's to change
    assert len(generator._producer._blocks) <= 2 + 1 + producer.MOST_LENT


def test_who_keeps_the_first_and_the_last_gets_no_copies(fast):
    generator = SubprocessGenerator(generator_jobs.numbers, 40)
    first = last = next(generator)
    for number in range(1, 40):
        last = next(generator)
        assert is_view(last)
        assert generator_jobs.same(last, generator_jobs.batch_of(number))
    assert generator_jobs.same(first, generator_jobs.batch_of(0))
    assert len(generator._producer._blocks) <= 2 + 1 + producer.MOST_LENT


def test_a_part_of_a_batch_keeps_it_and_its_end_frees_it(fast):
    generator = SubprocessGenerator(generator_jobs.numbers, 60)
    part = next(generator)[1][1, :, 5:9].T
    for number in range(1, 20):
        next(generator)
    assert (part == 0).all() and generator._producer._lent <= 2
    del part
    kept = [next(generator) for _ in range(producer.MOST_LENT)]
    assert all(is_view(batch) for batch in kept)
    for number in range(23, 60):
        assert generator_jobs.same(next(generator), generator_jobs.batch_of(number))


def test_batches_outlive_their_generator(method):
    generator = SubprocessGenerator(generator_jobs.numbers, 100)
    kept, pid = [next(generator) for _ in range(5)], generator.p.pid
    del generator
    gc.collect()
    await_end(pid)
    assert generator_jobs.same(kept, [generator_jobs.batch_of(number) for number in range(5)])


def test_without_room_for_shared_memory_batches_go_through_the_pipe(fast):
    generator = SubprocessGenerator(generator_jobs.no_room, 8)
    for number, batch in enumerate(generator):
        assert generator_jobs.same(batch, generator_jobs.batch_of(number, side=256))
    assert number == 7 and generator._producer._blocks == {}


def test_without_shared_memory_batches_go_through_the_pipe(method, monkeypatch):
    monkeypatch.setattr(compat_shared_memory, "open_place", lambda: None)
    comp = list(SubprocessGenerator(generator_jobs.numbers, 6))
    assert generator_jobs.same(comp, [generator_jobs.batch_of(number) for number in range(6)])


def test_sample_generators_that_own_their_generators(method):
    samples = generator_jobs.Samples(SubprocessGenerator, 2)
    for number in range(4):
        for index, queue in enumerate(samples.queues):
            queue.put(number)
            assert next(samples.generators[index]) == 10 * index + number


def test_the_process_leaves_cores_and_ctrl_c_to_the_trainer(method):
    threads, ignores_ctrl_c, modules = next(SubprocessGenerator(generator_jobs.state))
    assert threads == 1 and ignores_ctrl_c
    assert "tensorflow" not in modules and "core.leras" not in modules


# --- ends -----------------------------------------------------------------------------------------

def test_the_end_comes_again_and_again(method):
    generator = SubprocessGenerator(generator_jobs.numbers, 1)
    next(generator)
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(generator)
    assert generator.p.exitcode == 0


def test_none_ends_the_batches(fast):
    assert list(SubprocessGenerator(generator_jobs.ends_with_none)) == [1]


@pytest.mark.parametrize("job, words", [
    (generator_jobs.fails, "ValueError: the face has no nose"), (generator_jobs.leaves, "SystemExit: 5"),
    (generator_jobs.cannot_travel, "lambda")])
def test_an_error_comes_with_the_traceback_of_the_process(fast, job, words):
    check_error(SubprocessGenerator(job), job.__name__, words)


def check_error(generator, function, words):
    """After one batch the generator fails with these words, each time, and a traceback that names the function."""
    assert generator_jobs.same(next(generator), generator_jobs.batch_of(0))
    for _ in range(3):
        with pytest.raises(producer.ProducerError) as caught:
            next(generator)
        assert words in str(caught.value)
        assert words in str(caught.value.__cause__) and "Traceback" in str(caught.value.__cause__)
        assert function in str(caught.value.__cause__)


def test_an_error_in_a_spawned_process(method):
    check_error(SubprocessGenerator(generator_jobs.fails), "fails", "ValueError: the face has no nose")


@pytest.mark.parametrize("how, code", [("exit", "3"), ("kill", "-9")])
def test_a_process_that_dies_is_told_in_words(fast, how, code):
    generator = SubprocessGenerator(generator_jobs.dies, how)
    assert generator_jobs.same(next(generator), generator_jobs.batch_of(0))
    for _ in range(2):
        with pytest.raises(producer.ProducerError, match=r"exit code {}\).*memory".format(code)):
            next(generator)


def test_a_process_killed_while_the_trainer_waits(method):
    generator = SubprocessGenerator(generator_jobs.idles)
    pid = next(generator)
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    killer.start()
    started = time.monotonic()
    with pytest.raises(producer.ProducerError, match="exit code -9"):
        next(generator)
    killer.join()
    assert time.monotonic() - started < 5


def test_a_death_is_noticed_though_the_pipe_stays_open(fast, monkeypatch):
    kept, make = [], multiprocessing.Pipe

    def pipe():
        ends = make()
        kept.append(os.dup(ends[1].fileno()))          # on Windows, the starter has a copy for a while
        return ends

    monkeypatch.setattr(multiprocessing, "Pipe", pipe)
    monkeypatch.setattr(producer, "_LOOK_SECONDS", PROMPT)
    generator = SubprocessGenerator(generator_jobs.dies, "kill")
    next(generator)
    started = time.monotonic()
    with pytest.raises(producer.ProducerError, match="exit code -9"):
        next(generator)
    assert time.monotonic() - started < PROMPT / 2
    os.close(kept[0])


def test_a_death_of_which_nothing_tells_is_noticed(fast, monkeypatch):
    generator = SubprocessGenerator(generator_jobs.dies, "kill")
    next(generator)
    monkeypatch.setattr(multiprocessing.connection, "wait", lambda _, seconds: time.sleep(seconds / 10) or [])
    monkeypatch.setattr(generator._producer, "_pipe", Deaf(generator._producer._pipe))
    with pytest.raises(producer.ProducerError, match="exit code -9"):
        next(generator)


class Deaf:
    """An end of a pipe that never has anything."""

    def __init__(self, pipe):
        self.send, self.close = pipe.send, pipe.close

    def poll(self):
        return False


def test_batches_made_before_a_death_can_be_taken(fast):
    generator = SubprocessGenerator(generator_jobs.numbers, 100)
    next(generator)
    time.sleep(0.3)
    os.kill(generator.p.pid, signal.SIGKILL)
    generator.p.join()
    for number in range(1, 4):
        assert generator_jobs.same(next(generator), generator_jobs.batch_of(number))
    with pytest.raises(producer.ProducerError, match="exit code -9"):
        next(generator)


def test_what_cannot_be_pickled_is_told_at_the_start():
    start_as("spawn")
    with pytest.raises(producer.ProducerError, match="could not start.*lambda"):
        SubprocessGenerator(lambda _: iter([]))
    generators = [SubprocessGenerator(generator_jobs.numbers, 3, start_now=False),
                  SubprocessGenerator(generator_jobs.numbers, lambda: 0, start_now=False)]
    with pytest.raises(producer.ProducerError, match="could not start.*lambda"):
        SubprocessGenerator.start_in_parallel(generators)
    for generator in generators:
        with pytest.raises(producer.ProducerError):
            next(generator)


def test_what_cannot_be_unpickled_is_told_with_its_traceback():
    start_as("spawn")
    generator = SubprocessGenerator(generator_jobs.numbers, generator_jobs.CannotArrive())
    with pytest.raises(producer.ProducerError, match="no module of that name here") as caught:
        next(generator)
    assert "_missing" in str(caught.value.__cause__)


def test_a_batch_that_cannot_be_unpickled_is_not_taken_for_a_death(fast):
    generator = SubprocessGenerator(generator_jobs.ends_in_arriving)
    next(generator)
    for _ in range(2):
        with pytest.raises(producer.ProducerError, match="could not be received.*the file of this sample ends here"):
            next(generator)


def test_what_the_process_was_given_is_not_kept(fast):
    parameter = generator_jobs.Parameter()
    watch = weakref.ref(parameter)
    generator = SubprocessGenerator(generator_jobs.idles, parameter)
    del parameter
    gc.collect()
    assert watch() is None and next(generator) == generator.p.pid


def test_a_forked_copy_of_a_generator_ends_nothing(fast):
    generators = [SubprocessGenerator(generator_jobs.numbers, 9)]
    assert next(SubprocessGenerator(generator_jobs.forgets, generators)) == "forgotten"
    assert generator_jobs.same(list(generators[0]), [generator_jobs.batch_of(number) for number in range(9)])


def test_a_collected_generator_ends_its_process(fast):
    samples = generator_jobs.Samples(SubprocessGenerator, 2)
    pids = [generator.p.pid for generator in samples.generators]
    del samples
    gc.collect()
    await_end(*pids)


def test_ctrl_c_while_waiting_spoils_nothing(fast):
    generator = SubprocessGenerator(generator_jobs.counted, multiprocessing.RawValue("i"))
    waiting = SubprocessGenerator(generator_jobs.idles)
    next(waiting)
    for number in range(1, 4):
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            next(waiting)
        timer.join()
        assert generator_jobs.same(next(generator), generator_jobs.batch_of(number))
    assert psutil.Process(waiting.p.pid).is_running()


# --- the trainer's own end ------------------------------------------------------------------------

SOFT = [("done", None, 0), ("error", None, 1), ("sys.exit", None, 3)]      # in which Python has a last word
HARD = [("os._exit", None, 4), ("signal", signal.SIGKILL, -9), ("signal", signal.SIGTERM, -15), ("early", None, -9)]
CTRL_C = ("signal", signal.SIGINT, None)
ENDINGS = [(METHODS[-1],) + ending for ending in SOFT + HARD + [CTRL_C]]
ENDINGS += [("spawn",) + ending for ending in (SOFT[0], HARD[0], HARD[1], HARD[3], CTRL_C)]


@pytest.mark.parametrize("method_name, ending, number, code", ENDINGS)
def test_no_process_survives_the_trainer(method_name, ending, number, code):
    trainer = subprocess.Popen([sys.executable, JOBS, method_name, ending], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    pids = [int(word) for word in trainer.stdout.readline().split()[1:]]
    if number == signal.SIGINT:
        os.killpg(trainer.pid, number)                # the terminal sends it to all
    elif number is not None:
        trainer.send_signal(number)
    errors = trainer.communicate(timeout=PROMPT)[1].decode()
    await_end(*pids)
    assert len(pids) == 2
    assert code is None or trainer.returncode == code
    assert errors.count("Traceback") == (number == signal.SIGINT or ending == "error"), errors


def test_importing_it_is_light():
    words = "import sys; sys.path[:0] = [{!r}]; import core.joblib.SubprocessGenerator; print(sorted(sys.modules))"
    program = os.path.dirname(os.path.dirname(os.path.dirname(sys.modules[SubprocessGenerator.__module__].__file__)))
    modules = subprocess.check_output([sys.executable, "-c", words.format(program)]).decode()
    assert not any("'{}'".format(name) in modules for name in ("cv2", "tensorflow", "numba"))
    assert np.__name__ in modules
