"""The interactive merger's states: as stock's for every sequence of keys, and what to do with frames that fail."""
import naive.timeline
import pytest
from accel.merge import timeline
from hypothesis import given, settings
from hypothesis import strategies as st


class Config:
    """Settings of one number, from 0 to 6."""

    def __init__(self, value=0):
        self.value = value

    def copy(self):
        return Config(self.value)

    def __eq__(self, other):
        return isinstance(other, Config) and self.value == other.value

    def add(self, step):
        self.value = min(max(self.value + step, 0), 6)


class Frame:
    def __init__(self):
        self.cfg, self.image, self.error = None, None, None
        self.is_done = self.is_processing = self.is_shown = False


KEYS = {"w": lambda cfg, shift: cfg.add(5 if shift else 1), "s": lambda cfg, shift: cfg.add(-5 if shift else -1)}
NONE, TAKE, GIVE, ALL = "none", "take", "give", "all"     # what the workers do after a key


def new(count, ahead, position=0):
    frames = [Frame() for _ in range(count)]
    frames[position].cfg = Config()
    return timeline.Timeline(frames, ahead, KEYS, position)


def state(line):
    """Everything that counts of a Timeline; a frame that is to get settings is not done, whatever stock has noted."""
    return line.frames_idxs, line.frames_done_idxs, line.runs_to_end, [
        (frame.cfg and frame.cfg.value, frame.is_done, frame.is_processing, frame.is_shown) for frame in line.frames]


def reference_state(line):
    return line.todo, line.behind, line.running, [
        (frame["cfg"] and frame["cfg"].value, frame["done"] and frame["cfg"] is not None, frame["working"],
         frame["shown"]) for frame in line.frames]


def turn(line, key, shift=False):
    """Show what is to be shown and press a key. Return the number of the frame that was shown, or None."""
    frame = line.to_show()
    if frame is not None:
        frame.is_shown = True
    line.tick(key, shift)
    return None if frame is None else line.frames.index(frame)


def finish_all(line):
    """Merge what there is to merge. Return the numbers of the frames."""
    merged = []
    job = line.next_job()
    while job is not None:
        merged.append(job[0])
        line.finished(*job, picture="picture {}".format(job[0]))
        job = line.next_job()
    return merged


STEPS = st.lists(st.tuples(st.sampled_from([None, "w", "s", ",", "m", ".", ".", "/", "-"]),
                           st.sampled_from([False, False, True]),
                           st.sampled_from([NONE, TAKE, GIVE, ALL, ALL, ALL])), max_size=60)


@given(st.integers(1, 6), st.integers(1, 4), STEPS, st.randoms())
@settings(max_examples=500)
def test_every_sequence_of_keys_is_as_in_stock(count, ahead, steps, random):
    ref = naive.timeline.Timeline([Config()] + [None] * (count - 1), ahead, KEYS)
    comp = new(count, ahead)
    in_work = []

    def take():
        job = comp.next_job()
        assert job == ref.take()
        in_work.extend([job] if job else [])
        return job is not None

    def give():
        if in_work:
            number, cfg = in_work.pop(random.randrange(len(in_work)))
            ref.give(number, cfg)
            comp.finished(number, cfg)

    for key, shift, work in steps:
        assert turn(comp, key, shift) == ref.turn(key, shift)
        assert state(comp) == reference_state(ref)
        if work == TAKE:
            take()
        elif work == GIVE:
            give()
        while work == ALL and (take() or in_work):
            give()
        assert state(comp) == reference_state(ref)


@given(st.integers(1, 6), st.integers(0, 6), st.booleans(), st.sets(st.integers(0, 5)), st.data())
@settings(max_examples=100)
def test_a_session_is_gone_on_with_as_in_stock(count, behind, retrained, missing, data):
    behind = min(behind, count)
    # frames without settings are at the end, and all behind the user are done
    known = data.draw(st.integers(min(behind + 1, count), count))
    done = [number < behind or number < known and data.draw(st.booleans()) for number in range(count)]
    ref = naive.timeline.Timeline([Config(number) if number < known else None for number in range(count)], 2, KEYS)
    frames = [Frame() for _ in range(count)]
    for number, frame in enumerate(frames):
        frame.cfg = Config(number) if number < known else None
        frame.is_done = ref.frames[number]["done"] = done[number]
        frame.is_shown = ref.frames[number]["shown"] = False
    ref.restore(range(behind, count), range(behind), retrained, missing | {
        number for number in range(count) if not done[number] and number >= behind})
    position = timeline.restore(frames, behind, retrained, lambda index: index not in missing, Config())
    assert state(timeline.Timeline(frames, 2, KEYS, position)) == reference_state(ref)


def test_settings_that_are_missing_come_from_the_frame_before():
    frames = [Frame() for _ in range(4)]
    frames[1].cfg = Config(3)
    assert timeline.restore(frames, 3, False, lambda index: True, Config(5)) == 0
    assert frames[0].cfg.value == 5
    for frame in frames[:3]:
        frame.is_done = True
    assert timeline.restore(frames, 3, False, lambda index: True, Config(5)) == 3
    assert frames[3].cfg.value == 3 and frames[3].cfg is not frames[1].cfg


def test_a_frame_that_is_shown_again_after_a_restart_is_shown():
    frames = [Frame() for _ in range(2)]
    for frame in frames:
        frame.cfg, frame.is_done, frame.is_shown = Config(), True, True
    line = timeline.Timeline(frames, 2, KEYS, timeline.restore(frames, 2, False, lambda index: True, Config()))
    assert line.to_show() is frames[0]    # stock shows black here


def test_a_result_of_older_settings_is_dropped_and_the_frame_merged_again():
    line = new(2, 2)
    job = line.next_job()
    assert line.tick("w") is True
    assert line.next_job() is None        # it is still in work
    assert line.finished(*job, picture="old") is False
    assert line.frames[0].image is None and not line.frames[0].is_done
    index, cfg = line.next_job()
    assert (index, cfg.value) == (0, 1)
    assert line.finished(index, cfg, "new") is True
    assert line.frames[0].image == "new" and line.to_show() is line.frames[0]


def test_an_error_of_older_settings_is_dropped_too():
    line = new(2, 2)
    job = line.next_job()
    line.tick("w")
    assert line.finished(*job, error="no") is False
    assert line.frames[0].error is None and line.next_job() is not None


def test_pictures_are_kept_near_the_current_frame_only():
    line = new(9, 3)
    for _ in range(6):
        finish_all(line)
        line.tick(".")
    finish_all(line)
    assert [frame.image is not None for frame in line.frames] == [False] * 6 + [True] * 3
    line.tick(",")
    assert [frame.image is not None for frame in line.frames] == [False] * 7 + [True] + [False]   # and not where he was
    line.tick(",", True)
    assert not any(frame.image for frame in line.frames)


def test_the_picture_of_a_frame_that_was_left_is_not_kept():
    line = new(5, 3)
    finish_all(line)
    line.tick(".")
    jobs = [line.next_job() for _ in range(3)]
    line.finished(*jobs[0], picture="1")
    line.finished(*jobs[1], picture="2")
    line.tick(",")
    line.finished(*jobs[2], picture="3")
    assert [frame.image for frame in line.frames] == [None, None, "2", None, None]
    assert line.frames[3].is_done


# --- frames that fail ------------------------------------------------------------------------

def failed_at_first(count=5, ahead=2):
    line = new(count, ahead)
    assert line.finished(*line.next_job(), error="unreadable") is True
    return line


def test_a_failed_frame_is_shown_and_not_tried_for_ever():
    line = failed_at_first()
    frame = line.frames[0]
    assert (frame.is_done, frame.error, line.to_show()) == (False, "unreadable", frame)
    assert line.next_job() is None


@pytest.mark.parametrize("key", [".", "/"])
def test_the_user_goes_on_without_a_failed_frame(key):
    line = failed_at_first()
    line.tick("w")
    finish = line.next_job()
    assert finish[1].value == 1           # other settings are tried
    line.finished(*finish, error="still unreadable")
    line.tick(key)
    assert line.position == 1 and line.current.cfg.value == 1
    assert finish_all(line) == [1, 2]
    assert line.frames[0].error == "still unreadable"


@pytest.mark.parametrize("key", [",", "m"])
def test_whoever_comes_back_sees_it_tried_again(key):
    line = failed_at_first()
    line.tick(".")
    finish_all(line)
    line.tick(key)
    assert line.position == 0 and finish_all(line) == [0]
    assert line.frames[0].is_done and line.frames[0].error is None


def test_whoever_comes_to_a_frame_that_failed_ahead_sees_it_tried_again():
    line = new(3, 2)
    finish_all(line)
    line.tick(".")
    jobs = [line.next_job(), line.next_job()]
    line.finished(*jobs[0])
    line.finished(*jobs[1], error="unreadable")
    assert line.next_job() is None
    line.tick(".")
    assert line.position == 2 and finish_all(line) == [2]


def run_to_end(line, failing=()):
    for _ in range(100):
        job = line.next_job()
        while job is not None:
            line.finished(*job, error="unreadable" if job[0] in failing else None)
            job = line.next_job()
        if not line.runs_to_end:
            return
        line.tick()
    raise AssertionError("it does not end")


def test_frames_go_by_past_those_that_fail():
    line = new(6, 2)
    line.tick(".", True)
    run_to_end(line, failing={0, 3, 5})
    assert line.position == 6 and not line.runs_to_end and line.to_show() is None
    assert [frame.is_done for frame in line.frames] == [False, True, True, False, True, False]


def test_letting_frames_go_by_tries_failed_ones_again():
    line = failed_at_first()
    line.tick(".", True)
    assert line.position == 0
    run_to_end(line)
    assert line.position == 5 and all(frame.is_done for frame in line.frames)


def test_a_failed_frame_is_where_a_session_goes_on():
    line = new(4, 1)
    line.tick(".", True)
    run_to_end(line, failing={2})
    assert timeline.restore(line.frames, 4, False, lambda index: True, Config()) == 0
    assert timeline.restore(line.frames, 3, False, lambda index: True, Config()) == 2


def test_a_job_that_is_put_back_is_given_out_again():
    line = new(2, 2)
    job = line.next_job()
    assert line.next_job() is None
    line.put_back(job[0])
    assert line.next_job() == job
