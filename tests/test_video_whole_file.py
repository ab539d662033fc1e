"""The place of a new video: one writer, no leftovers, and at any moment the whole old or the whole new file."""
import errno
import os
import signal
import subprocess
import sys

import crash_shim
import pytest
from accel import compat, files, host
from accel.video.whole_file import WholeFile
from crash_shim import BROKEN, DONE, KILLED, REFUSED
from program import PROGRAM

pytestmark = pytest.mark.light

OLD, NEW = b"old video " * 20, b"new video " * 30
NAMES = ["result.mp4", "результат 脸.mov", "100% %05d.mkv", "-i.avi", "a  b.mp4", "noext", "dots...mp4", ".mp4",
         "x" * 200 + ".mp4"]


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "folder" / "result.mp4", OLD)


def write(path, data):
    path = str(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(data)
    return path


def replaced(path, data=NEW):
    """Put a new file in the place of another."""
    with WholeFile(path) as place:
        write(place.part, data)
        place.keep()


def listed(path):
    return sorted(os.listdir(os.path.dirname(path)))


def refused(path):
    """Expect a place that cannot be had and changes nothing. Return the words."""
    folder = os.path.dirname(path)
    before = sorted(os.listdir(folder)) if os.path.isdir(folder) else None
    with pytest.raises(host.UserError) as caught:
        with WholeFile(path):
            raise AssertionError("work has begun")
    assert (sorted(os.listdir(folder)) if os.path.isdir(folder) else None) == before
    return str(caught.value)


# --- in peace -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exists", [True, False])
def test_a_new_file_takes_its_name(tmp_path, name, exists):
    path = str(tmp_path / "папка %d" / name)
    if exists:
        write(path, OLD)
    replaced(path)
    assert files.read_bytes(path) == NEW and listed(path) == [name]


def test_the_part_has_the_suffix_and_another_beginning(path):
    """ffmpeg tells the kind of file by its suffix, and other steps take the first file of a name."""
    with WholeFile(path) as place:
        assert os.path.basename(place.part) == ".result.part.mp4"
        assert os.path.dirname(place.part) == os.path.dirname(path)
        assert os.path.getsize(place.part) == 0 and files.read_bytes(path) == OLD
        assert listed(path) == [".result.mp4.lock", ".result.part.mp4", "result.mp4"]


def test_without_keep_the_new_one_goes(path):
    with WholeFile(path) as place:
        write(place.part, NEW)
    assert listed(path) == ["result.mp4"] and files.read_bytes(path) == OLD


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_error_the_new_one_goes(path, error):
    with pytest.raises(error):
        with WholeFile(path) as place:
            write(place.part, NEW)
            raise error
    assert listed(path) == ["result.mp4"] and files.read_bytes(path) == OLD
    replaced(path)


def test_folders_are_made(tmp_path):
    path = str(tmp_path / "a" / "b" / "result.mp4")
    replaced(path)
    assert files.read_bytes(path) == NEW


def test_what_a_killed_start_has_left_is_taken_over(path):
    write(os.path.join(os.path.dirname(path), ".result.part.mp4"), b"half")
    write(os.path.join(os.path.dirname(path), ".result.mp4.lock"), b"")
    with WholeFile(path) as place:
        assert os.path.getsize(place.part) == 0
    assert listed(path) == ["result.mp4"]


def test_a_part_that_is_a_link_leads_nowhere(tmp_path, path):
    victim = write(tmp_path / "victim", b"precious")
    os.symlink(victim, os.path.join(os.path.dirname(path), ".result.part.mp4"))
    replaced(path)
    assert files.read_bytes(victim) == b"precious" and files.read_bytes(path) == NEW


def test_a_link_stays_a_link(tmp_path):
    target = write(tmp_path / "elsewhere" / "video.mp4", OLD)
    link = str(tmp_path / "result.mp4")
    os.symlink(target, link)
    with WholeFile(link) as place:
        assert os.path.dirname(place.part) == os.path.dirname(os.path.realpath(target))
        write(place.part, NEW)
        place.keep()
    assert os.path.islink(link) and files.read_bytes(target) == NEW
    assert listed(target) == ["video.mp4"] and listed(link) == ["elsewhere", "result.mp4"]


def test_a_link_to_nothing_makes_what_it_leads_to(tmp_path):
    link = str(tmp_path / "result.mp4")
    os.symlink(str(tmp_path / "later" / "video.mp4"), link)
    replaced(link)
    assert os.path.islink(link) and files.read_bytes(link) == NEW


# --- what cannot be -------------------------------------------------------------------------------

def test_a_folder_of_that_name(tmp_path):
    (tmp_path / "result.mp4").mkdir()
    assert "is a folder" in refused(str(tmp_path / "result.mp4"))


def test_a_write_protected_file(path, monkeypatch):
    os.chmod(path, 0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the super-user may write to all files
    assert "is write-protected" in refused(path)
    assert files.read_bytes(path) == OLD


def test_a_file_in_the_place_of_the_folder(path):
    with pytest.raises(host.UserError, match="cannot be written to"):
        with WholeFile(os.path.join(path, "result.mp4")):
            pass
    assert files.read_bytes(path) == OLD


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_takes_no_files(path, monkeypatch, code):
    def no_lock(path):
        raise OSError(code, os.strerror(code), path)
    monkeypatch.setattr("accel.file_lock.take", no_lock)
    assert os.strerror(code) in refused(path)


def test_a_part_that_cannot_be_made(path, monkeypatch):
    """A folder of that name is in the way: the lock is given up."""
    os.mkdir(os.path.join(os.path.dirname(path), ".result.part.mp4"))
    assert "cannot be written to" in refused(path)


def test_a_name_that_is_too_long_with_its_mark(tmp_path):
    assert "is too long. Give a shorter one." in refused(str(tmp_path / ("x" * 251 + ".mp4")))


def test_two_writers_in_one_process(path):
    with WholeFile(path) as place:
        write(place.part, NEW)
        with pytest.raises(host.UserError, match="being written by another window"):
            with WholeFile(path):
                pass
        assert files.read_bytes(place.part) == NEW
        with WholeFile(path + "2.mp4"):
            pass
        place.keep()
    assert files.read_bytes(path) == NEW and listed(path) == ["result.mp4"]


def test_two_writers_in_two_processes(path):
    held = subprocess.Popen([sys.executable, "-c", (
        "import sys\nsys.path.insert(0, sys.argv[1])\nfrom accel.video.whole_file import WholeFile\n"
        "with WholeFile(sys.argv[2]) as place:\n    print('held', flush=True)\n    sys.stdin.read()\n"), PROGRAM, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert held.stdout.readline() == b"held\n"
    assert "being written by another window" in refused(path)
    held.send_signal(signal.SIGKILL)
    held.communicate()
    assert files.read_bytes(path) == OLD
    replaced(path)
    assert files.read_bytes(path) == NEW and listed(path) == ["result.mp4"]


# --- held open by another program -----------------------------------------------------------------

@pytest.mark.parametrize("taken, other", [
    ([], "result_new.mp4"), (["result_new.mp4"], "result_new2.mp4"),
    (["result_new.mp4", "result_new2.mp4"], "result_new3.mp4")])
def test_a_file_held_open_gets_the_new_one_beside_it(path, monkeypatch, taken, other):
    for name in taken:
        write(os.path.join(os.path.dirname(path), name), b"another")

    def held(source, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", held)
        patch.setattr(files, "_BUSY_WAITS", (0.001, 0.001))
        with pytest.raises(host.UserError) as caught:
            replaced(path)
    assert "is open in another program, so the new video is {}.".format(
        os.path.join(os.path.dirname(path), other)) in str(caught.value)
    assert files.read_bytes(path) == OLD
    assert files.read_bytes(os.path.join(os.path.dirname(path), other)) == NEW
    assert listed(path) == sorted(["result.mp4", other] + taken)
    assert all(files.read_bytes(os.path.join(os.path.dirname(path), name)) == b"another" for name in taken)


def test_a_file_held_open_for_a_moment(path, monkeypatch):
    real, tries = os.replace, []

    def held(source, target):
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
        real(source, target)
    monkeypatch.setattr(os, "replace", held)
    monkeypatch.setattr(files, "_BUSY_WAITS", (0.001,) * 5)
    replaced(path)
    assert files.read_bytes(path) == NEW and listed(path) == ["result.mp4"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EEXIST, errno.EIO])
def test_where_the_new_one_is_told_even_if_no_name_is_to_be_had(path, monkeypatch, code):
    def no_name(source, target):
        raise OSError(code, os.strerror(code), target)

    def held(source, target):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    monkeypatch.setattr(files, "_BUSY_WAITS", ())
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", held)
        patch.setattr(compat, "rename_no_replace", no_name)
        with pytest.raises(host.UserError) as caught:
            replaced(path)
    told = os.path.join(os.path.dirname(path), ".result.part.mp4")
    assert "so the new video is {}.".format(told) in str(caught.value)
    assert files.read_bytes(told) == NEW and files.read_bytes(path) == OLD


# --- every operation ------------------------------------------------------------------------------

@pytest.fixture
def no_real_sync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # the shim notes syncs; nobody cuts our own power


@pytest.mark.parametrize("old", [OLD, None])
def test_a_name_is_whole_at_every_operation(tmp_path, no_real_sync, old):
    path = str(tmp_path / "folder" / "result.mp4")

    def fresh():
        for name in os.listdir(os.path.dirname(path)) if os.path.isdir(os.path.dirname(path)) else []:
            os.remove(os.path.join(os.path.dirname(path), name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if old is not None:
            write(path, old)

    def content():
        return files.read_bytes(path) if os.path.exists(path) else None

    def work():
        replaced(path)
        os.listdir(os.path.dirname(path))  # whoever looks then sees it for good

    fresh()
    operations = crash_shim.trace(work, str(tmp_path))
    last = len(operations) - 1
    assert last > 7
    ends = set()
    for mode in crash_shim.MODES:
        for at in crash_shim.points(operations, mode):
            fresh()
            how, _, words = crash_shim.run(work, str(tmp_path), mode, at, (host.UserError, OSError))
            assert how != BROKEN, (mode, at, words)
            assert content() in (old, NEW), (mode, at)
            assert content() == NEW or how != DONE and at < last, (mode, at)
            assert set(listed(path)) <= {"result.mp4", ".result.part.mp4", ".result.mp4.lock"}, (mode, at)
            if how == REFUSED and at < last and mode in ("eio", "enospc"):
                assert set(listed(path)) <= {"result.mp4"}, (mode, at, words)
            replaced(path)
            assert listed(path) == ["result.mp4"] and content() == NEW, (mode, at)
            ends.add(how)
    assert ends == {KILLED, DONE, REFUSED}


def test_the_new_file_has_the_permissions_of_the_old_one(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with WholeFile(str(path)) as place:
        with open(place.part, "wb") as file:
            file.write(b"new")
        place.keep()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)
