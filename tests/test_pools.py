"""Pools: every item ends once and in order, whatever happens to it; nothing stays behind."""
import gc
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pool_jobs
import psutil
import pytest
from accel import pools, process_crew
from accel.pools import Outcome, WorkerError, WorkerStartError, map_processes, map_threads
from hypothesis import given
from hypothesis import strategies as st

pytestmark = [pytest.mark.light, pytest.mark.shared_out]

WORKERS = [1, 2, 8]
JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pool_jobs.py")
HELPERS = ("resource_tracker", "semaphore_tracker")  # multiprocessing's own, which ends with its program


def left_over(process=None):
    """Return the worker processes of a process (ours) that are alive."""
    children = (process or psutil.Process()).children(recursive=True)
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE
            and not any(helper in " ".join(child.cmdline()) for helper in HELPERS)]


@pytest.fixture(autouse=True)
def nothing_left_over():
    gc.collect()
    threads, processes = threading.active_count(), len(left_over())
    yield
    gc.collect()
    assert threading.active_count() == threads
    assert len(left_over()) == processes


def plain(outcomes):
    """Outcomes as comparable tuples: errors by type and text."""
    return [(o.index, o.item, o.value, o.error and (type(o.error), str(o.error))) for o in outcomes]


# --- threads --------------------------------------------------------------------------------------

def serial(func, items):
    """The oracle: one item after the other."""
    ref = []
    for index, item in enumerate(items):
        try:
            ref.append(Outcome(index, item, func(item), None))
        except (Exception, SystemExit) as error:
            ref.append(Outcome(index, item, None, error))
    return ref


@given(items=st.lists(st.one_of(st.integers(-9, 9), st.sampled_from(["error", "unhappy", "system exit"]))),
       workers=st.sampled_from(WORKERS), ahead=st.sampled_from([None, 1, 2, 3, 50]))
def test_threads_equal_a_serial_run(items, workers, ahead):
    ref = serial(pool_jobs.misbehave, items)
    comp = list(map_threads(pool_jobs.misbehave, items, workers, ahead))
    assert plain(comp) == plain(ref)


@pytest.mark.parametrize("workers", WORKERS)
def test_order_is_kept_when_later_items_end_first(workers):
    delays = [0.03, 0.0, 0.02, 0.0, 0.01, 0.0] * 3
    outcomes = list(map_threads(lambda delay: time.sleep(delay) or delay, delays, workers))
    assert [outcome.value for outcome in outcomes] == delays
    assert [outcome.index for outcome in outcomes] == list(range(len(delays)))


@pytest.mark.parametrize("workers, ahead", [(1, None), (2, None), (2, 1), (2, 3), (8, 16), (8, 2)])
def test_no_more_items_are_taken_than_asked_for(workers, ahead):
    taken = []

    def items():
        for number in range(200):
            taken.append(number)
            yield number

    limit = 4 * workers if ahead is None else ahead
    for done, outcome in enumerate(map_threads(pool_jobs.square, items(), workers, ahead), 1):
        if done % 20 == 0:
            time.sleep(0.01)
        assert len(taken) <= done + limit
        assert outcome.value == (done - 1) ** 2
    assert len(taken) == 200


def test_results_do_not_stay_in_memory():
    class Big:
        pass

    alive = weakref.WeakSet()

    def make(number):
        big = Big()
        alive.add(big)
        return big

    most = 0
    for outcome in map_threads(make, range(500), 2, 8):
        most = max(most, len(alive))
    assert most <= 8 + 2 + 2  # ahead, under way, and in the caller's hands


def test_threads_work_at_the_same_time():
    together = threading.Barrier(4, timeout=20)
    outcomes = list(map_threads(lambda _: together.wait(), range(4), 4))
    assert [outcome.error for outcome in outcomes] == [None] * 4


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_the_input_is_raised_after_the_items_before_it(workers):
    def items():
        yield 1
        yield 2
        raise ZeroDivisionError("input")

    got = []
    with pytest.raises(ZeroDivisionError, match="input"):
        for outcome in map_threads(pool_jobs.square, items(), workers):
            got.append(outcome.value)
    assert got == [1, 4]


@pytest.mark.parametrize("workers", WORKERS)
def test_closing_stops_the_threads(workers):
    begun = []
    outcomes = map_threads(lambda number: begun.append(number) or time.sleep(0.02), range(1000), workers)
    next(outcomes)
    started = time.monotonic()
    outcomes.close()
    assert time.monotonic() - started < 2
    count = len(begun)
    time.sleep(0.1)
    assert len(begun) == count < 50


def test_closing_does_not_wait_for_a_thread_that_hangs():
    release, others = threading.Event(), set(threading.enumerate())
    outcomes = map_threads(lambda number: number and release.wait(20), range(3), 2)
    next(outcomes)
    started = time.monotonic()
    outcomes.close()
    assert time.monotonic() - started < 2
    release.set()
    while set(threading.enumerate()) - others:
        assert time.monotonic() - started < 10
        time.sleep(0.01)


def test_threads_that_were_never_asked_for():
    map_threads(pool_jobs.square, range(5), 2).close()
    assert list(map_threads(pool_jobs.square, [], 8)) == []


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 2, "ahead": 0}])
def test_impossible_sizes_are_refused(options):
    with pytest.raises(ValueError):
        map_threads(pool_jobs.square, [1], **options)


def test_ctrl_c_inside_the_only_worker_is_not_an_outcome():
    def interrupted(number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(map_threads(interrupted, [1], 1))
    assert isinstance(next(map_threads(interrupted, [1], 2)).error, KeyboardInterrupt)


# --- processes ------------------------------------------------------------------------------------

DIED = (WorkerError, "the worker process died (exit code {}); tried 2 times")
HUNG = (WorkerError, "the worker process gave no answer for 0.5 seconds; tried 2 times")
ENDS = {
    "error": (ValueError, "boom"),
    "unhappy": (RuntimeError, "Unhappy: 1"),
    "system exit": (SystemExit, "3"),
    "os exit": (DIED[0], DIED[1].format(3)),
    "sigkill": (DIED[0], DIED[1].format(-9)),
    "segfault": (DIED[0], DIED[1].format(-11)),
    "lambda": (AttributeError, None),
    "lock": (TypeError, None),
    "trap": (ValueError, "the trap"),
    "hang": HUNG,
    "deaf hang": HUNG,
}


@pytest.mark.parametrize("workers", WORKERS)
def test_processes_whatever_happens_to_them(workers):
    items = []
    for number, way in enumerate(sorted(ENDS)):
        items += [number, way]
    outcomes = list(map_processes(pool_jobs.misbehave, items + [99], workers, timeout=0.5, tries=2))
    assert [(outcome.index, outcome.item) for outcome in outcomes] == list(enumerate(items + [99]))
    for outcome in outcomes:
        if isinstance(outcome.item, int):
            assert (outcome.value, outcome.error) == (outcome.item ** 2, None)
        else:
            kind, text = ENDS[outcome.item]
            assert outcome.value is None and type(outcome.error) is kind, outcome
            assert text is None or str(outcome.error) == text


def test_an_item_is_tried_again_in_a_fresh_worker(tmp_path):
    items = [(way, str(tmp_path / way)) for way in ("os exit", "sigkill", "hang")]
    outcomes = list(map_processes(pool_jobs.misbehave, items, 2, timeout=0.5))
    assert [(outcome.value, outcome.error) for outcome in outcomes] == [("well in the end", None)] * 3


def test_an_error_in_a_worker_shows_where_it_was_raised():
    outcome, = map_processes(pool_jobs.misbehave, ["error"], 1)
    assert "in raise_error" in str(outcome.error.__cause__)


@pytest.mark.parametrize("workers", WORKERS)
def test_processes_equal_a_serial_run(workers):
    ref = serial(pool_jobs.square, range(40))
    comp = list(map_processes(pool_jobs.square, range(40), workers))
    assert plain(comp) == plain(ref)


def test_an_item_that_cannot_be_sent_is_its_own_error():
    outcomes = list(map_processes(pool_jobs.square, [2, threading.Lock(), 3, pool_jobs.Trap(), 4], 2))
    assert [outcome.value for outcome in outcomes] == [4, None, 9, None, 16]
    assert isinstance(outcomes[1].error, TypeError) and "trap" in str(outcomes[3].error)


def test_the_initializer_runs_in_every_worker():
    outcomes = map_processes(pool_jobs.remembered, range(6), 2, initializer=pool_jobs.remember,
                             initargs=("x",))
    assert [outcome.value for outcome in outcomes] == [("x", number) for number in range(6)]


@pytest.mark.parametrize("func, options, why", [
    (pool_jobs.square, {"initializer": pool_jobs.start_badly}, "the paging file is too small"),
    (pool_jobs.square, {"initializer": pool_jobs.start_never}, "exit code 7"),
    (lambda number: number, {}, "lambda"),
    (pool_jobs.square, {"initializer": pool_jobs.remember, "initargs": (pool_jobs.Trap(),)}, "the trap")])
@pytest.mark.parametrize("workers", WORKERS)
def test_workers_that_cannot_start_say_why(workers, func, options, why):
    started = time.monotonic()
    with pytest.raises(WorkerStartError, match=why):
        list(map_processes(func, range(20), workers, **options))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("workers", WORKERS)
def test_closing_kills_the_processes(workers):
    outcomes = map_processes(pool_jobs.misbehave, [1] + ["deaf hang"] * 9, workers)
    next(outcomes)
    started = time.monotonic()
    outcomes.close()
    assert time.monotonic() - started < 2
    assert left_over() == []


# --- Ctrl-C ---------------------------------------------------------------------------------------

def test_the_exit_code_is_known_though_another_thread_asked_first(monkeypatch):
    lock, asked, waitpid = threading.Lock(), threading.Event(), os.waitpid
    worker = process_crew._Worker((pool_jobs.square, pool_jobs.start_never, ()), lock)
    multiprocessing.connection.wait([worker.process.sentinel])

    def slow_waitpid(*words):
        result = waitpid(*words)
        asked.set()
        time.sleep(0.2)
        return result

    def start_another():
        with lock:
            multiprocessing.active_children()  # asks after all processes, as each start of one does

    monkeypatch.setattr(os, "waitpid", slow_waitpid)
    other = threading.Thread(target=start_another)
    other.start()
    assert asked.wait(10)
    assert worker._death() == "died (exit code 7)"
    other.join()
    worker.say_goodbye()


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_ctrl_c_ends_everything_within_two_seconds(kind):
    program = subprocess.Popen([sys.executable, JOBS, kind], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert program.stdout.readline() == b"working\n"
        workers = left_over(psutil.Process(program.pid))
        assert bool(workers) == (kind == "processes")
        started = time.monotonic()
        os.killpg(program.pid, signal.SIGINT)  # as a console does: to the program and to its workers
        assert program.stdout.read() == b"interrupted\n"
        assert program.wait(10) == 130
        assert time.monotonic() - started < 2
        assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def test_workers_end_when_their_program_is_killed():
    program = subprocess.Popen([sys.executable, JOBS, "short processes"], stdout=subprocess.PIPE)
    assert program.stdout.readline() == b"working\n"
    workers = left_over(psutil.Process(program.pid))
    program.kill()
    program.wait()
    program.stdout.close()
    assert len(workers) > 0
    deadline = time.monotonic() + 10
    while any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_pools_of_a_program_that_just_ends_are_stopped():
    words = "import sys; sys.path.insert(0, sys.argv[1])\n" \
            "from accel import pools\nimport time\n" \
            "outcomes = pools.map_threads(lambda n: time.sleep(0.05), range(10 ** 6), 4)\nnext(outcomes)\n"
    started = time.monotonic()
    subprocess.check_call([sys.executable, "-c", words, os.path.dirname(os.path.dirname(pools.__file__))])
    assert time.monotonic() - started < 5
