"""Threads and the one network: every job ends once, questions are answered together, nothing hangs."""
import threading
import time

import numpy as np
import pytest

from accel.merge import prediction, workers


def finish(crew, count, seconds=10):
    """Poll until so many jobs have ended: their outcomes."""
    outcomes, deadline = [], time.monotonic() + seconds
    while len(outcomes) < count:
        assert time.monotonic() < deadline, "the jobs do not end"
        outcomes += crew.poll(0.05)
    return outcomes


@pytest.fixture
def crew_of():
    made = []

    def make(work, count):
        made.append(workers.Workers(work, count))
        return made[-1]
    yield make
    for crew in made:
        crew.close()
        assert not any(thread.is_alive() for thread in crew._threads)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_every_job_ends_once(crew_of, count):
    def work(job):
        if job % 7 == 3:
            raise KeyError(job)
        return job * 2
    crew = crew_of(work, count)
    for job in range(60):
        crew.submit(job)
    assert crew.busy == 60
    outcomes = finish(crew, 60)
    assert crew.busy == 0 and len(crew._threads) == min(count, 60)
    assert sorted(outcome.item for outcome in outcomes) == list(range(60))
    for item, value, error in (outcome[1:] for outcome in outcomes):
        assert (isinstance(error, KeyError) and value is None) if item % 7 == 3 else (value == item * 2 and not error)


def test_a_network_is_asked_in_the_polling_thread_and_in_batches(crew_of):
    asked = []

    def network(pictures):
        asked.append((threading.current_thread(), list(pictures)))
        time.sleep(0.02)                       # meanwhile the others come to ask, too
        return [picture + 100 for picture in pictures]
    crew = crew_of(lambda job: ask(ask(job)), 12)
    ask = crew.network(network)
    for job in range(40):
        crew.submit(job)
    outcomes = finish(crew, 40)
    assert sorted(outcome.value for outcome in outcomes) == [job + 200 for job in range(40)]
    assert {thread for thread, _ in asked} == {threading.current_thread()}
    sizes = [len(pictures) for _, pictures in asked]
    assert sum(sizes) == 80 and max(sizes) == workers.MAX_BATCH


def test_two_networks_do_not_mix(crew_of):
    crew = crew_of(lambda job: (first(job), second(job)), 4)
    first, second = (crew.network(workers.one_by_one(lambda picture, name=name: (name, picture))) for name in "ab")
    for job in range(10):
        crew.submit(job)
    assert {outcome.value for outcome in finish(crew, 10)} == {(("a", job), ("b", job)) for job in range(10)}


@pytest.mark.parametrize("answers", [lambda pictures: 1 / 0, lambda pictures: [], lambda pictures: None])
def test_a_network_that_fails_is_the_error_of_its_frames(crew_of, answers):
    crew = crew_of(lambda job: ask(job), 2)
    ask = crew.network(answers)
    crew.submit(1)
    crew.submit(2)
    assert all(outcome.error is not None for outcome in finish(crew, 2))


def test_ctrl_c_while_the_network_runs(crew_of):
    def interrupted(pictures):
        raise KeyboardInterrupt()
    answered = []
    crew = crew_of(lambda job: answered.append(ask(job)), 2)
    ask = crew.network(interrupted)
    crew.submit(1)
    crew.submit(2)
    with pytest.raises(KeyboardInterrupt):
        finish(crew, 1)
    crew.close()
    assert answered == []                      # nobody goes on with an answer that never came


def test_closing_gives_up_who_waits_for_an_answer():
    crew = workers.Workers(lambda job: ask(job), 3)
    ask = crew.network(lambda pictures: pictures)
    for job in range(6):
        crew.submit(job)
    time.sleep(0.1)
    begun = time.monotonic()
    crew.close()
    assert time.monotonic() - begun < 1.5 and not any(thread.is_alive() for thread in crew._threads)


def test_polling_waits_no_longer_than_asked(crew_of):
    crew = crew_of(time.sleep, 1)
    for seconds in (0, 0.05):
        begun = time.monotonic()
        assert crew.poll(seconds) == []
        assert time.monotonic() - begun < seconds + 0.2
    crew.submit(0.01)
    begun = time.monotonic()
    assert len(crew.poll(5)) == 1 and time.monotonic() - begun < 2


# --- the predictor ---------------------------------------------------------------------------

def faces(count):
    return [np.full((4, 4, 3), number / 10, np.float32) for number in range(count)]


def one(face):
    return 1 - face, face[..., 0], face[..., 0] / 2


class Graph:
    """A model's graph: the target's mask comes before the face's, as in stock's models."""

    def __init__(self, most=99, swapped=False, shift=0.0):
        self.most, self.swapped, self.shift, self.sizes = most, swapped, shift, []

    def __call__(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.most:
            raise ValueError("the batch is too large")
        masks = [batch[..., :1] / 2, batch[..., :1]]
        return [1 - batch + self.shift] + (masks[::-1] if self.swapped else masks)


def assert_answers(answers, asked):
    assert len(answers) == len(asked)
    for answer, face in zip(answers, asked):
        for got, wanted in zip(answer, one(face)):
            np.testing.assert_allclose(got, wanted, atol=1e-6)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_graph_that_takes_batches(swapped):
    graph = Graph(swapped=swapped)
    predictor = prediction.Predictor(one, graph)
    assert_answers(predictor(faces(1)), faces(1))
    assert graph.sizes == []
    for count in (3, 5, 1, 8):
        assert_answers(predictor(faces(count)), faces(count))
    assert set(graph.sizes) == {3, 5, 8}


@pytest.mark.parametrize("graph", [None, Graph(most=1), Graph(shift=0.1)])
def test_a_graph_that_does_not(graph):
    predictor = prediction.Predictor(one, graph)
    for count in (2, 4):
        assert_answers(predictor(faces(count)), faces(count))
    assert graph is None or set(graph.sizes) <= {2}      # tried once, with the first faces


def test_a_graph_whose_memory_ends():
    graph = Graph(most=4)
    predictor = prediction.Predictor(one, graph)
    for count in (3, 6, 3):
        assert_answers(predictor(faces(count)), faces(count))
    assert graph.sizes == [3, 6]
