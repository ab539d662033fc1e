"""accel.nets.questions with networks that are made up: many who ask, few who answer."""
import threading
import time

import numpy as np
import pytest

from accel import host
from accel.nets import questions

ONE, OTHER = 'one', 'other'
PATIENCE = 20        # s after which something hangs


class Network:
    """Answers with two arrays, made of the pictures' pixels. `seen`: (name, shape) of each batch, in the order in which
    they were begun. With `gate` cleared it answers nothing until that is set."""

    def __init__(self, name=ONE, seen=None, fails=None, seconds=0.0):
        """fails: function of a batch that may raise. seconds: how long a batch takes."""
        self.name, self.seen = name, [] if seen is None else seen
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        self.gate.set()
        self.fails, self._seconds = fails, seconds

    def run(self, pictures):
        assert pictures.dtype == np.uint8 and pictures.ndim == 4
        self.seen.append((self.name, pictures.shape))
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        time.sleep(self._seconds)
        if self.fails is not None:
            self.fails(pictures)
        return [(pictures.astype(np.int64) * np.arange(1, 4)).sum(axis=(1, 2)), pictures[:, 0, 0]]

    def wait_until_it_runs(self):
        assert self.entered.acquire(timeout=PATIENCE)


def picture(number, size=(4, 6)):
    return np.random.RandomState(number).randint(0, 256, size + (3,)).astype(np.uint8)


def right(pictures, answers):
    """Hold answers to those of a network that looks at one picture after another."""
    assert len(answers) == len(pictures)
    for one, answer in zip(pictures, answers):
        assert len(answer) == 2
        assert answer[0].tolist() == (one.astype(np.int64) * np.arange(1, 4)).sum(axis=(0, 1)).tolist()
        assert answer[1].tolist() == one[0, 0].tolist()
    return True


class Asker(threading.Thread):
    """Asks in a thread of its own; `result` is the answers or the exception."""

    def __init__(self, asked, network, pictures):
        super().__init__(daemon=True)
        self._asked, self._network, self.pictures, self.result = asked, network, pictures, None
        self.start()

    def run(self):
        try:
            self.result = self._asked.ask(self._network, self.pictures)
        except Exception as error:
            self.result = error

    def wait(self, timeout=PATIENCE):
        self.join(timeout)
        assert not self.is_alive()
        return self.result


def put(asked, network, pictures):
    """Ask in a thread, and return the Asker when its pictures are in the queue."""
    before = len(asked._waiting)
    asker = Asker(asked, network, pictures)
    wait_until(lambda: len(asked._waiting) == before + len(pictures))
    return asker


def wait_until(condition):
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


def open_questions(network, largest=8, lanes=1, **others):
    """Questions with one lane or several of the same networks."""
    networks = dict({ONE: network}, **others)
    return questions.Questions([networks] * lanes, {name: largest for name in networks})


# --- answers and batches ---

@pytest.mark.parametrize('lanes', [1, 3])
@pytest.mark.parametrize('largest', [1, 5, 8])
def test_answers_come_in_the_order_of_the_pictures(lanes, largest):
    network = Network()
    pictures = [picture(number, ((4, 6), (6, 4), (5, 5))[number % 3]) for number in range(23)]
    with open_questions(network, largest, lanes) as asked:
        assert right(pictures, asked.ask(ONE, pictures))
        assert right(pictures[:1], asked.ask(ONE, tuple(pictures[:1])))
        assert asked.ask(ONE, []) == []
        assert asked.pictures == {ONE: 24} and asked.batches == {ONE: len(network.seen)}
    assert sum(shape[0] for _, shape in network.seen) == 24
    assert all(shape[0] in (1, 2, 4, 8) and shape[0] <= largest for _, shape in network.seen)


def test_whoever_asks_shares_a_batch():
    network = Network()
    with open_questions(network) as asked:
        network.gate.clear()
        first = put_while_idle(asked, network, picture(0))
        askers = [put(asked, ONE, [picture(number)]) for number in range(1, 9)]
        network.gate.set()
        assert all(right(asker.pictures, asker.wait()) for asker in [first] + askers)
    assert [shape[0] for _, shape in network.seen] == [1, 8]


def put_while_idle(asked, network, shown):
    """Keep the only lane busy with a picture. Return the Asker."""
    asker = Asker(asked, network.name, [shown])
    network.wait_until_it_runs()
    return asker


def batches_of(waiting, largest):
    """What one lane makes of a queue of (network, size): the oldest, and all like it, as many as a power of two."""
    waiting, batches = list(waiting), []
    while waiting:
        alike = [place for place, kind in enumerate(waiting) if kind == waiting[0]][:largest]
        count = 1
        while 2 * count <= len(alike):
            count *= 2
        batches.append((waiting[0], count))
        waiting = [kind for place, kind in enumerate(waiting) if place not in alike[:count]]
    return batches


KINDS = [(name, size) for name in (ONE, OTHER) for size in ((4, 6), (6, 4), (2, 2))]
QUEUES = [[KINDS[0]] * 2 + [KINDS[3], KINDS[0]]] + [
    [KINDS[random.randint(6)] for _ in range(random.randint(2, 40))]
    for random in map(np.random.RandomState, range(12))]


@pytest.mark.parametrize('queue', QUEUES, ids=len)
def test_the_oldest_come_first_with_their_like(queue):
    """None is overtaken by a younger one, but for those that share the batch of an older one."""
    seen = []
    one, other = Network(ONE, seen), Network(OTHER, seen)
    with open_questions(one, other=other) as asked:
        one.gate.clear()
        first, askers, begin = put_while_idle(asked, one, picture(0, (9, 9))), [], 0
        while begin < len(queue):          # a question is about one network; some are about several pictures
            end = begin + 1
            while end < len(queue) and queue[end][0] == queue[begin][0] and end % 3:
                end += 1
            askers.append(put(asked, queue[begin][0],
                              [picture(number, queue[number][1]) for number in range(begin, end)]))
            begin = end
        one.gate.set()
        assert all(right(asker.pictures, asker.wait()) for asker in [first] + askers)
    comp = [((name, shape[1:3]), shape[0]) for name, shape in seen[1:]]
    assert comp == batches_of(queue, 8)


def test_lanes_answer_at_the_same_time():
    both = threading.Barrier(2)

    def meet(pictures):
        both.wait(PATIENCE)

    network = Network()
    with open_questions(network, 1, lanes=2) as asked:
        asked.ask(ONE, [picture(0)])
        time.sleep(0.05)                 # both wait again
        network.fails = meet
        assert right([picture(1), picture(2)], asked.ask(ONE, [picture(1), picture(2)]))


def test_every_lane_has_its_own_networks():
    lanes = [Network(fails=lambda pictures: time.sleep(0.01)) for _ in range(3)]
    with questions.Questions([{ONE: network} for network in lanes], {ONE: 2}) as asked:
        pictures = [picture(number) for number in range(40)]
        assert right(pictures, asked.ask(ONE, pictures))
    assert all(len(network.seen) >= 2 for network in lanes)


# --- failures ---

def at_most(most, error=MemoryError):
    def fail(pictures):
        if len(pictures) > most:
            raise error('out of memory\nand more')
    return fail


@pytest.mark.parametrize('most', [1, 2, 4])
@pytest.mark.parametrize('error', [MemoryError, RuntimeError])
def test_a_batch_that_fails_is_tried_in_halves(most, error):
    network = Network(fails=at_most(most, error))
    pictures = [picture(number) for number in range(13)]
    with open_questions(network) as asked:
        assert right(pictures, asked.ask(ONE, pictures))
        tried = len(network.seen)
        assert right(pictures, asked.ask(ONE, pictures))
        assert max(shape[0] for _, shape in network.seen[tried:]) == most     # it was learnt
        assert asked.pictures == {ONE: 26}
    assert max(shape[0] for _, shape in network.seen) == 8


def test_another_network_keeps_its_batches():
    network, other = Network(fails=at_most(1)), Network(OTHER)
    pictures = [picture(number) for number in range(8)]
    with open_questions(network, other=other) as asked:
        assert right(pictures, asked.ask(ONE, pictures)) and right(pictures, asked.ask(OTHER, pictures))
    assert other.seen == [(OTHER, (8, 4, 6, 3))]


def test_only_who_asked_is_told_of_a_picture_that_fails():
    def fail(pictures):
        if (pictures[:, 0, 0, 0] == 66).any():
            raise ValueError('Resource exhausted: OOM when allocating\n\nlong story')

    network, spoilt = Network(fails=fail), picture(3, (40, 60))
    spoilt[0, 0, 0] = 66
    sound = [picture(number, (40, 60)) for number in range(10, 16)]
    assert all(one[0, 0, 0] != 66 for one in sound)
    with open_questions(network) as asked:
        network.gate.clear()
        first = put_while_idle(asked, network, picture(0))
        askers = [put(asked, ONE, [one]) for one in sound[:3]]
        unlucky = put(asked, ONE, [sound[3], spoilt, sound[4]])
        askers.append(put(asked, ONE, [sound[5], sound[0]]))
        network.gate.set()
        assert all(right(asker.pictures, asker.wait()) for asker in [first] + askers)
        error = unlucky.wait()
        assert isinstance(error, host.UserError) and isinstance(error.__cause__, ValueError)
        assert '60x40' in str(error) and 'Resource exhausted: OOM when allocating' in str(error)
        assert 'long story' not in str(error) and 'CPU' in str(error) and '\n' not in str(error)
        assert right(sound, asked.ask(ONE, sound))       # and the work goes on


@pytest.mark.parametrize('answers', [[np.zeros(0)], [None], None])
def test_a_network_that_does_not_answer_every_picture_is_an_error(answers):
    """Not a thread that dies, and somebody who waits for ever."""
    network = Network()
    network.run = lambda pictures: answers
    with open_questions(network, 2) as asked:
        assert isinstance(Asker(asked, ONE, [picture(1), picture(2)]).wait(3), host.UserError)
        del network.run
        assert right([picture(3)], Asker(asked, ONE, [picture(3)]).wait(3))


def test_a_network_that_is_not_there_is_an_error():
    with open_questions(Network()) as asked:
        assert isinstance(Asker(asked, 'third', [picture(1)]).wait(3), KeyError)
        assert right([picture(3)], Asker(asked, ONE, [picture(3)]).wait(3))


# --- the end ---

def test_the_end_is_told_to_all_who_wait():
    network = Network()
    asked = open_questions(network)
    network.gate.clear()
    askers = [put_while_idle(asked, network, picture(0))] + [put(asked, ONE, [picture(1)]) for _ in range(3)]
    begun = time.monotonic()
    asked.stop()
    assert all(isinstance(asker.wait(1), questions.Stopped) for asker in askers)
    assert time.monotonic() - begun < 1
    asked.close()
    assert time.monotonic() - begun < 2      # the network is busy for ever
    with pytest.raises(questions.Stopped):
        asked.ask(ONE, [picture(2)])
    network.gate.set()
    asked.close()
    assert len(network.seen) == 1


def test_nothing_is_tried_again_after_the_end():
    network = Network(fails=at_most(0))
    asked = open_questions(network)
    network.gate.clear()
    asker = Asker(asked, ONE, [picture(number) for number in range(8)])
    network.wait_until_it_runs()
    asked.stop()
    network.gate.set()
    assert isinstance(asker.wait(1), (questions.Stopped, host.UserError))
    asked.close()
    assert len(network.seen) == 1


def test_closing_before_the_first_question():
    before = threading.active_count()
    asked = open_questions(Network(), lanes=2)
    assert threading.active_count() == before
    asked.close()
    with pytest.raises(questions.Stopped):
        asked.ask(ONE, [picture(1)])
    wait_until(lambda: threading.active_count() == before)


def test_no_thread_is_left():
    before = threading.active_count()
    for _ in range(5):
        with open_questions(Network(), lanes=4) as asked:
            asked.ask(ONE, [picture(1)])
            asked.ask(ONE, [picture(2)])
            assert threading.active_count() == before + 4
        assert threading.active_count() == before


def test_an_exception_closes_it():
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        with open_questions(Network()) as asked:
            asked.ask(ONE, [picture(1)])
            raise KeyboardInterrupt
    assert threading.active_count() == before


# --- how busy ---

def test_busy_share():
    network = Network(seconds=0.06)
    with open_questions(network) as asked:
        assert asked.busy_share() == asked.seconds() == 0.0
        asked.ask(ONE, [picture(number) for number in range(8)])
        asked.ask(ONE, [picture(1)])
        time.sleep(0.12)
        asked.ask(ONE, [picture(1)])
    assert asked.seconds() == pytest.approx(0.30, abs=0.12) and 0.35 < asked.busy_share() < 0.75


@pytest.mark.parametrize('devices, share', [(None, 0.5), ([0, 0], 1.0), ([0, 1], 0.5), ([1, 1], 0.5)])
def test_busy_share_of_devices(devices, share):
    """One picture at a time for two lanes: half of two devices, all of one."""
    network = Network(seconds=0.04)
    with questions.Questions([{ONE: network}] * 2, {ONE: 8}, devices) as asked:
        for number in range(4):
            asked.ask(ONE, [picture(number)])
    assert asked.busy_share() == pytest.approx(share, abs=0.15) and asked.busy_share() <= 1


def test_two_lanes_of_one_device_count_once():
    network = Network(seconds=0.05)
    with questions.Questions([{ONE: network}] * 2, {ONE: 1}, [0, 0]) as asked:
        asked.ask(ONE, [picture(number) for number in range(6)])
    assert asked.seconds() == pytest.approx(0.15, abs=0.1) and 0.8 < asked.busy_share() <= 1


# --- all at once ---

def test_many_threads_get_what_one_would():
    """Thirty-two threads with pictures of four sizes, for two networks that do not stand every batch."""
    network, other = Network(fails=at_most(4)), Network(OTHER)
    failures = []

    def work(seed):
        try:
            random = np.random.RandomState(seed)
            for step in range(25):
                sizes = [((4, 6), (6, 4), (5, 5), (4, 7))[random.randint(4)] for _ in range(random.randint(0, 7))]
                pictures = [picture(1000 * seed + step, size) for size in sizes]
                right(pictures, asked.ask((ONE, OTHER)[random.randint(2)], pictures))
                count[seed] += len(pictures)
        except BaseException as error:
            failures.append(error)
            raise

    count = [0] * 32
    with open_questions(network, 8, lanes=3, other=other) as asked:
        threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert not failures and sum(asked.pictures.values()) == sum(count) > 1000
        assert not asked._waiting and 0 <= asked.busy_share() <= 1
