"""Every step killed at a random moment and started again, as a user would: it ends with the files of a run in peace.

DFL_E2E_KILLS: how often each step is killed (1), or as often as it takes to hit work that is half done; with more of
them, use -s to see what they hit. DFL_E2E_SEED: the seed of their moments, which a failure shows. A kill takes all
processes at once, as a power cut does, or the first one alone.
"""
import collections
import os
import random
import shutil
import sys

import pytest
import walk as steps
from typist import Kill

pytestmark = pytest.mark.shared_out

KILLS = int(os.environ.get("DFL_E2E_KILLS", "1"))
SEED = int(os.environ.get("DFL_E2E_SEED", random.SystemRandom().randrange(1 << 30)))
TRIES = 40                     # for one kill, which may come too late, and for the first one that hits half-done work
OLD = b"a video of before"
VIDEO = "result.mp4"
NOTHING_DONE, HALF_DONE, ALL_DONE = "nothing done", "half done", "all done"
NOTHING_TO_PACK = "There is no DFL image to pack"
PAK = os.path.join("data_dst", "aligned", "faceset.pak")
# Beside the model, until the merge has ended; the second one for as long as it is being written.
MERGER_STATE = ("_merger_run.json", "_merger_run.json.part")
KEYS = ("3", "5", "5.2 absdiff", "5.2 pack", "5.2 unpack", "7", "8 mp4")
# What is asked only at a second start.
AGAIN = ("Delete them", "Continue extraction", "will be deleted", "Press enter", "earlier merge")

State = collections.namedtuple("State", "saved before after seconds changes")
State.__doc__ = """A step of the walk in peace. saved: folder with the workspace before it; before, after: its files
(walk.contents); seconds, changes: of its typist.Run."""


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed") / "Моя папка (2)"
    space = steps.build(folder / "workspace", steps.STAMPS)
    (space.folder / VIDEO).write_bytes(OLD)
    return steps.Walk(steps.table_tree(folder / "tree"), sys.executable, space, folder)


@pytest.fixture(scope="module")
def in_peace(walk):
    """{step: State}."""
    states = collections.OrderedDict()
    for key in KEYS:
        saved, before = walk.temp.parent / "before {}".format(key), steps.contents(walk.space.folder)
        shutil.copytree(str(walk.space.folder), str(saved))
        run = walk.step(key, watched=walk.space.folder, thinking=0.05)
        states[key] = State(saved, before, steps.contents(walk.space.folder), run.seconds, run.changes)
        assert before != states[key].after
    steps.check_video(walk.space, VIDEO, "merged", 3)
    return states


def fresh(walk, state):
    """The workspace as it was before a step; frames keep their times, by which an extraction knows them."""
    shutil.rmtree(str(walk.space.folder))
    shutil.copytree(str(state.saved), str(walk.space.folder))
    shutil.rmtree(str(walk.temp))              # what a killed program left there is the system's to remove
    walk.temp.mkdir()


def moments(state, chance):
    """Yield Kills: two at or soon after some change in the workspace, one at any time after the first sign of life."""
    while True:
        for seconds in (0, chance.uniform(0, 0.02)):
            yield Kill(chance.randint(1, max(1, state.changes - 1)), seconds, chance.random() < 0.5)
        yield Kill(0, chance.uniform(0, state.seconds), chance.random() < 0.5)


def killed(walk, key, state, kills):
    """Start a step and kill it. Return what the workspace holds then (dict) and how it was killed (Kill)."""
    for _ in range(TRIES):
        fresh(walk, state)
        kill = next(kills)
        run = walk.start(key, kill=kill, watched=walk.space.folder, thinking=0.05)
        if run.code == -9:
            return steps.contents(walk.space.folder), kill
        assert run.code == 0, run.shown
    raise AssertionError("{} was over before any of {} kills".format(key, TRIES))


def check_nothing_lost(walk, found, state):
    """Every file that a user sees is whole, one of before or one of now, and no picture is lost."""
    known = set(state.before.values()) | set(state.after.values())
    for name, content in found.items():
        if not is_ours(name) and os.path.basename(name) != VIDEO:
            assert content in known, (name, len(content))
    if PAK not in found:
        kept = set(state.before.values()) & set(state.after.values())
        assert kept <= set(found.values())
    if found[VIDEO] not in known:
        steps.check_video(walk.space, VIDEO, "merged", 3)


def is_ours(name):
    """Tell whether a file is no result: the program's own, for as long as it works."""
    return os.path.basename(name).startswith(".") or name.endswith((".tmp",) + MERGER_STATE)


def outcome(found, state):
    """Tell what a kill has hit; a lock that is left holds nothing."""
    found = {name: content for name, content in found.items() if not name.endswith("lock")}
    if found == state.before:
        return NOTHING_DONE
    return ALL_DONE if found == state.after else HALF_DONE


@pytest.mark.parametrize("key", KEYS)
def test_killed_and_started_again(walk, in_peace, key):
    state, hits = in_peace[key], collections.Counter()
    kills = moments(state, random.Random("{} {}".format(SEED, key)))
    while sum(hits.values()) < KILLS or not hits[HALF_DONE]:
        found, kill = killed(walk, key, state, kills)
        hit = outcome(found, state)
        hits[hit] += 1
        told = "{}, seed {}, {} after {}".format(key, SEED, kill, dict(hits))
        assert sum(hits.values()) < KILLS + TRIES, told
        check_nothing_lost(walk, found, state)
        start_again(walk, key, hit, told)
        check_as_in_peace(walk, state, told)
    print("{}: seed {}, {}".format(key, SEED, dict(hits)))


def start_again(walk, key, hit, told):
    """Do what the user does then: the same again, with Enter for what is asked only now."""
    run = walk.start(key)
    assert "Traceback" not in run.shown, told + "\n" + run.shown
    # who packs what has been packed to the end is told so, and nothing happens
    assert run.code == 0 or hit == ALL_DONE and NOTHING_TO_PACK in run.shown, told + "\n" + run.shown
    expected = steps.STEPS[key].asked + AGAIN
    assert [one for one in run.asked if not any(part in one for part in expected)] == [], told


def check_as_in_peace(walk, state, told):
    """The same files with the same bytes; a video with the same frames."""
    found = steps.contents(walk.space.folder)
    assert sorted(found) == sorted(state.after), told
    different = [name for name in found if found[name] != state.after[name]]
    assert set(different) <= {VIDEO}, (told, different)
    if different:
        steps.check_video(walk.space, VIDEO, "merged", 3)
