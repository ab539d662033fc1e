"""A sort, its recovery, its undo and a save, cut short or failing at every file operation."""
import os
import random
import shutil
import signal
import time

import crash_shim
import pytest
from accel import files, renames
from crash_shim import BROKEN, DONE, KILLED, REFUSED
from sort_by_content import contents, make_faces, rank, snapshot, sort

pytestmark = pytest.mark.light

FACES = 8
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "sort", "aligned")


class Workspace:
    """A folder of faces that can be made anew, and what it looks like after sorts in peace."""

    def __init__(self, tmp_path, faces=FACES):
        self.root = str(tmp_path / "workspace")
        self.folder = os.path.join(self.root, "aligned")
        template = str(tmp_path / "template")
        os.mkdir(template)
        make_faces(os.path.join(template, "aligned"), faces)
        self.faces = snapshot(template)
        self.known = {}

    def fresh(self, *methods):
        """Make the folder anew and sort it in peace by each of the methods."""
        self.make(self.root, methods)

    def make(self, root, methods):
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(os.path.join(root, "aligned"))
        for path, content in self.faces.items():
            with open(os.path.join(root, path), "wb") as stream:
                stream.write(content)
        for method in methods:
            sort(os.path.join(root, "aligned"), method)

    def sorting(self, method):
        """Return a function that moves the files by a method, ranked already."""
        lists = rank(self.folder, method)
        return lambda: renames.apply_order(self.folder, *lists)

    def after(self, *methods):
        """Return the snapshot after sorts in peace; remembered."""
        if methods not in self.known:
            elsewhere = self.root + "_elsewhere"
            self.make(elsewhere, methods)
            self.known[methods] = snapshot(elsewhere)
        return self.known[methods]

    def expect_nothing_lost(self):
        assert contents(snapshot(self.root)) == contents(self.after()), "a face is lost or empty"

    def expect_second_alone(self, how, first, second):
        """Sort by `second` after a crash: names must be as if the first had not run, or had ended."""
        self.expect_nothing_lost()
        renames.recover(self.folder)
        finished = files_of(snapshot(self.root)) == files_of(self.after(first))
        assert finished or files_of(snapshot(self.root)) == files_of(self.after())
        assert finished or how != DONE, "it said that it had ended well"
        sort(self.folder, second)
        expected = self.after(first, second) if finished else self.after(second)
        assert files_of(snapshot(self.root)) == files_of(expected)


def files_of(found):
    return {path: content for path, content in found.items() if content is not None}


@pytest.fixture(autouse=True)
def no_real_sync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # the shim notes syncs; nobody cuts our own power


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def cases(operations, modes=crash_shim.MODES):
    return [(mode, at) for mode in modes for at in crash_shim.points(operations, mode)]


@pytest.mark.parametrize("first, second", [("up", "up"), ("up", "middle")])
def test_sort_cut_at_every_operation(workspace, first, second):
    workspace.fresh()
    operations = crash_shim.trace(workspace.sorting(first), workspace.root)
    assert len(operations) > 30
    ends = set()
    for mode, at in cases(operations):
        workspace.fresh()
        how, _, words = crash_shim.run(workspace.sorting(first), workspace.root, mode, at,
                                       (renames.RenameError,))
        assert how != BROKEN, (mode, at, words)
        assert (how == KILLED) == (mode == "kill" or mode in crash_shim.POWER_CUTS), (mode, at)
        workspace.expect_second_alone(how, first, second)
        ends.add(how)
    assert ends == {KILLED, DONE, REFUSED}


def test_failure_restores_names_at_once_and_says_so(workspace):
    workspace.fresh()
    operations = crash_shim.trace(workspace.sorting("up"), workspace.root)
    refused, tried = 0, cases(operations, ("eio", "enospc"))
    for mode, at in tried:
        workspace.fresh()
        how, _, words = crash_shim.run(workspace.sorting("up"), workspace.root, mode, at,
                                       (renames.RenameError,))
        if how == REFUSED and ("Nothing was renamed" in words or "the name it had before" in words):
            assert snapshot(workspace.root) == workspace.after(), (mode, at, words)
            refused += 1
    assert refused > len(tried) / 2


@pytest.mark.parametrize("first_cut", range(4, 36, 7))
def test_recovery_cut_at_every_operation(workspace, first_cut):
    def cut_once():
        workspace.fresh()
        return crash_shim.run(workspace.sorting("up"), workspace.root, "kill", first_cut)[0]

    assert cut_once() == KILLED
    operations = crash_shim.trace(lambda: renames.recover(workspace.folder), workspace.root)
    for mode, at in cases(operations, ("kill", "eio") + crash_shim.POWER_CUTS):
        cut_once()
        how, _, words = crash_shim.run(lambda: renames.recover(workspace.folder), workspace.root, mode, at,
                                       (renames.RenameError,))
        assert how != BROKEN, (mode, at, words)
        workspace.expect_second_alone(KILLED, "up", "middle")


def test_undo_cut_at_every_operation(workspace):
    workspace.fresh("middle")
    operations = crash_shim.trace(lambda: renames.undo(workspace.folder), workspace.root)
    for mode, at in cases(operations):
        workspace.fresh("middle")
        how, _, words = crash_shim.run(lambda: renames.undo(workspace.folder), workspace.root, mode, at,
                                       (renames.RenameError,))
        assert how != BROKEN, (mode, at, words)
        workspace.expect_nothing_lost()
        renames.recover(workspace.folder)
        undone = files_of(snapshot(workspace.root)) == workspace.after()
        assert undone or files_of(snapshot(workspace.root)) == workspace.after("middle"), (mode, at)
        assert undone or how != DONE
        if undone:
            with pytest.raises(renames.RenameError):
                renames.undo(workspace.folder)
        else:
            renames.undo(workspace.folder)
        assert files_of(snapshot(workspace.root)) == workspace.after(), (mode, at)


def test_undo_cut_then_another_sort(workspace):
    workspace.fresh("middle")
    operations = crash_shim.trace(lambda: renames.undo(workspace.folder), workspace.root)
    for _, at in cases(operations, ["kill"]):
        workspace.fresh("middle")
        crash_shim.run(lambda: renames.undo(workspace.folder), workspace.root, "kill", at)
        sort(workspace.folder, "up")
        assert files_of(snapshot(workspace.root)) in (workspace.after("up"), workspace.after("middle", "up"))


def test_sort_with_trash_on_another_volume_cut_at_every_operation(workspace, monkeypatch):
    """Moves between two folders are refused as if they lay on two volumes: copies have to do."""
    from accel import compat
    rename = compat.rename_no_replace

    def rename_on_one_volume(source, target):
        if os.path.dirname(source) != os.path.dirname(target):
            raise OSError(18, os.strerror(18), source, None, target)
        rename(source, target)

    monkeypatch.setattr(compat, "rename_no_replace", rename_on_one_volume)
    workspace.fresh()
    operations = crash_shim.trace(workspace.sorting("up"), workspace.root)
    for mode, at in cases(operations, ("kill", "eio", "enospc-on") + crash_shim.POWER_CUTS):
        workspace.fresh()
        how, _, words = crash_shim.run(workspace.sorting("up"), workspace.root, mode, at,
                                       (renames.RenameError,))
        assert how != BROKEN, (mode, at, words)
        there = contents(snapshot(workspace.root))
        assert set(there) >= set(contents(workspace.after())), "a face is lost"
        renames.recover(workspace.folder)
        workspace.expect_second_alone(how, "up", "middle")


def test_atomic_write_cut_at_every_operation(tmp_path):
    path = str(tmp_path / "face.jpg")

    def save():
        files.write_atomic(path, b"new " * 1000)

    def old():
        shutil.rmtree(str(tmp_path))
        os.mkdir(str(tmp_path))
        with open(path, "wb") as stream:
            stream.write(b"old")

    old()
    operations = crash_shim.trace(save, tmp_path)
    for mode, at in cases(operations):
        old()
        how, _, words = crash_shim.run(save, tmp_path, mode, at, (OSError,))
        assert how != BROKEN, words
        content = files.read_bytes(path)
        assert content in (b"old", b"new " * 1000), (mode, at)
        assert how != DONE or content != b"old"
        if how == REFUSED and at < len(operations) - 2:  # the last two sync the folder
            assert content == b"old"
        if how == REFUSED and mode != "eio-on":
            assert os.listdir(str(tmp_path)) == ["face.jpg"], (mode, at)


def test_dfl_save_cut_at_every_operation(tmp_path):
    from accel import host
    from DFLIMG import DFLJPG
    names = sorted(os.listdir(DATA))
    old = next(data for data in (files.read_bytes(os.path.join(DATA, name)) for name in names)
               if b"source_filename" in data)
    path = str(tmp_path / "face.jpg")
    files.write_atomic(path, old)
    face = DFLJPG.load(path)
    face.dfl_dict["source_filename"] = "another frame.png"
    operations = crash_shim.trace(face.save, tmp_path)
    new = files.read_bytes(path)
    assert new != old and DFLJPG.load(path).get_source_filename() == "another frame.png"
    for mode, at in cases(operations):
        files.write_atomic(path, old)
        how, _, words = crash_shim.run(face.save, tmp_path, mode, at, (host.UserError,))
        assert how != BROKEN, words
        assert files.read_bytes(path) in (old, new), (mode, at)
        assert how != DONE or files.read_bytes(path) == new


# --- real kills ----------------------------------------------------------------------------------

def start_sort(folder, method):
    """Start a sort as its own process. Return its id."""
    pid = os.fork()
    if pid == 0:
        try:
            sort(folder, method)
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def wait_for_journal(folder, seconds):
    journals = [os.path.join(folder, name) for name in (".sort_journal_away", ".sort_journal_final")]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not any(os.path.exists(path) for path in journals):
        time.sleep(0.0002)


def test_hundred_kills_of_a_sorting_process(tmp_path):
    workspace = Workspace(tmp_path, faces=100)
    started = time.monotonic()
    workspace.fresh()
    assert os.waitpid(start_sort(workspace.folder, "up"), 0)[1] == 0
    whole_run = time.monotonic() - started
    chance = random.Random(5)
    killed = cut_short = 0
    while killed < 100 or cut_short < 20:
        workspace.fresh()
        pid = start_sort(workspace.folder, "up")
        if chance.random() < 0.2:
            time.sleep(chance.random() * whole_run)
        else:
            wait_for_journal(workspace.folder, whole_run)
            time.sleep(chance.random() * 0.006)
        os.kill(pid, signal.SIGKILL)
        if not os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
            continue
        killed += 1
        workspace.expect_nothing_lost()
        cut_short += renames.recover(workspace.folder) is not None
        workspace.expect_second_alone(KILLED, "up", chance.choice(["up", "down", "middle"]))
