"""An extraction that is killed, fails, runs out of disk or of power at each of its operations on files.

Whatever happens: the frames are as they were, every face and debug image is whole, of before or of now, and going on
gives what an undisturbed extraction gives.
"""
import os
import random
import shutil
import signal
import time

import crash_shim
import cv2
import extract_workspace as ew
import pytest
from accel import host
from accel.extract import record, run
from extract_workspace import Shot

pytestmark = pytest.mark.light

SHOTS = [Shot((160, 130)), Shot((160, 130), 2), Shot((160, 130), 0), Shot(kind=ew.TEXT), Shot((160, 130), kind=ew.GREY)]
EVERY = {"kill": 1, "power": 11, "power-names": 7, "power-order": 7, "eio": 7, "eio-on": 13, "enospc": 11,
         "enospc-on": 13}      # see crash_shim.points
OPTIONS = {"output_debug": True, "image_size": 32}
OLD = ("00001_0.jpg", "00077_0.jpg")       # faces of an earlier extraction: one name comes again, one does not


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """Five frames, and faces and debug images of an earlier extraction by stock."""
    space = ew.build_workspace(tmp_path_factory.mktemp("before") / "space", SHOTS)
    space = space._replace(aligned=space.folder / "faces" / "aligned", debug=space.folder / "faces" / "aligned_debug")
    for place, names in ((space.aligned, OLD), (space.debug, [name.replace("_0", "") for name in OLD])):
        place.mkdir(parents=True)
        for name in names:
            (place / name).write_bytes(b"\xff\xd8 of before \xff\xd9")
    (space.aligned / "mine.txt").write_bytes(b"mine")
    return space


def root(space):
    """Where operations count: not among the frames, which are only read."""
    return space.aligned.parent


def extraction(space, every_note=False, **options):
    """Return a function that extracts in this process, a forked one. every_note: each comes to the disk at once."""
    def work():
        cv2.setNumThreads(0)                       # a fork has none of OpenCV's threads
        host.set_unattended(True)                  # all questions get their defaults
        run.threads_for = lambda *arguments: 1     # the same operations in the same order
        record._SECONDS = 0.0 if every_note else 1000.0
        ew.extract(space, **dict(OPTIONS, **options))
    return work


def fresh(before, folder):
    """A copy of the workspace at a path that is the same in every run."""
    if folder.exists():
        shutil.rmtree(str(folder))
    shutil.copytree(str(before.folder), str(folder))
    moved = {name: folder / getattr(before, name).relative_to(str(before.folder))
             for name in ("frames", "aligned", "debug")}
    for name in os.listdir(str(before.frames)):                  # frames count as changed by their times
        about = os.stat(str(before.frames / name))
        os.utime(str(moved["frames"] / name), ns=(about.st_atime_ns, about.st_mtime_ns))
    return before._replace(folder=folder, **moved)


def outputs(space):
    return {place.name: ew.files(place) for place in (space.aligned, space.debug)}


def frames(space):
    return {name: (space.frames / name).read_bytes() for name in space.shots}


def hidden(space):
    """What is left beside pictures, but for the record."""
    return [name for place in (space.aligned, space.debug) for name in os.listdir(str(place))
            if name.startswith(".") and name != record.NAME]


@pytest.fixture(scope="module")
def after(before, tmp_path_factory):
    """(outputs of an undisturbed extraction, {whether every note is brought to the disk: its operations})."""
    operations = {}
    for every_note in (False, True):
        space = fresh(before, tmp_path_factory.mktemp("after") / "space")
        operations[every_note] = crash_shim.trace(extraction(space, every_note), root(space))
    assert hidden(space) == [] and len(outputs(space)["aligned"]) == 4 + 1 and len(outputs(space)["aligned_debug"]) == 4
    return outputs(space), operations


@pytest.fixture(scope="module")
def known_states():
    """crash_shim.state of what was gone on with, whatever has made it."""
    return set()


def check_whole(space, before, after):
    for place, found in outputs(space).items():
        for name, content in found.items():
            known = [outputs(before)[place].get(name), after[place].get(name)]
            assert content in known, (place, name, len(content))


def go_on(space):
    """The run that a user starts afterwards."""
    return extraction(space, continue_extraction=True)


@pytest.mark.parametrize("mode", crash_shim.MODES)
def test_cut_at_every_operation(before, after, known_states, tmp_path, mode):
    expected, operations = after
    ended = set()
    # if notes wait, there is little between the first operations and the last
    cases = [(at, True) for at in crash_shim.points(operations[True], mode, EVERY[mode])]
    cases += [(at, False) for at in range(1, len(operations[False]), 5 * EVERY[mode])]
    for at, every_note in cases:
        space = fresh(before, tmp_path / "space")
        how, _, words = crash_shim.run(extraction(space, every_note), root(space), mode, at, (host.UserError, OSError))
        ended.add(how)
        assert how != crash_shim.BROKEN, (at, words)
        assert frames(space) == frames(before) and (space.aligned / "mine.txt").read_bytes() == b"mine"
        check_whole(space, before, expected)
        if how == crash_shim.DONE:
            assert outputs(space) == expected, at
        if crash_shim.state(space.folder) in known_states:
            continue
        known_states.add(crash_shim.state(space.folder))
        how, _, words = crash_shim.run(go_on(space), root(space), refusals=(host.UserError, OSError))
        assert how == crash_shim.DONE, (at, words)
        assert hidden(space) == [] and frames(space) == frames(before), at
        assert outputs(space) == expected, (at, sorted(outputs(space)["aligned"]))
    assert ended & {crash_shim.KILLED, crash_shim.REFUSED}


@pytest.mark.parametrize("mode", ["kill", "power-order"])
def test_cut_while_going_on(before, after, tmp_path, mode):
    """A first run that did half, a second one that is cut, a third that goes on: what was deleted stays deleted."""
    expected, operations = after
    half = fresh(before, tmp_path / "half")
    how, _, _ = crash_shim.run(extraction(half, True), root(half), "kill", len(operations[True]) * 2 // 3)
    assert how == crash_shim.KILLED
    assert (half.aligned / "00001_0.jpg").exists()
    os.remove(str(half.aligned / "00001_0.jpg"))
    at, how = 0, None
    while how != crash_shim.DONE:
        space = fresh(half, tmp_path / "space")
        how, _, words = crash_shim.run(extraction(space, True, continue_extraction=True), root(space), mode, at)
        assert how in (crash_shim.KILLED, crash_shim.DONE), words
        check_whole(space, before, expected)
        done, _, words = crash_shim.run(go_on(space), root(space))
        assert done == crash_shim.DONE, words
        found = outputs(space)
        assert dict(found["aligned"], **{"00001_0.jpg": expected["aligned"]["00001_0.jpg"]}) == expected["aligned"]
        assert found["aligned_debug"] == expected["aligned_debug"]
        at += 7
    assert at > 20


def test_killed_at_random_moments(before, after, tmp_path):
    """Real processes with all their threads."""
    expected, _ = after
    chance, killed, tried = random.Random(6), 0, 0
    while killed < 10 and tried < 40:
        if tried % 4 == 0:
            space = fresh(before, tmp_path / "space")
        pid = os.fork()
        if pid == 0:
            try:
                cv2.setNumThreads(0)
                host.set_unattended(True)
                record._SECONDS = 0.0
                os.environ["TABLE_SECONDS"] = "0.01"
                ew.extract(space, continue_extraction=tried % 4 != 0, **OPTIONS)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, 0.08))
        os.kill(pid, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        assert frames(space) == frames(before)
        check_whole(space, before, expected)
        tried += 1
        if tried % 4 == 0:
            how, _, words = crash_shim.run(go_on(space), root(space))
            assert how == crash_shim.DONE, words
            assert outputs(space) == expected and hidden(space) == []
    assert killed == 10
