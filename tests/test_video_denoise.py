"""Denoise: pictures as stock makes them, and no fault of ffmpeg, of the program or of the disk costs a frame."""
import contextlib
import errno
import json
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
import zlib
from collections import OrderedDict

import clips
import crash_shim
import cv2
import fake_ffmpeg
import naive.video as naive_video
import numpy as np
import pytest
from accel import compat, files, host
from accel.video import denoise, frames, process, tools
from crash_shim import BROKEN, DONE, KILLED, REFUSED
from mainscripts import VideoEd
from program import PROGRAM

pytestmark = pytest.mark.shared_out

ODD_STEMS = ["-rf", "лицо Ёж", "a  b", "%06d", "00002", "000001", "100%", "脸", "Z", "z"]
OUR_NAMES = {denoise.WORK, denoise.READY, ".denoise.lock"}

# Starts the real ffmpeg for the first frames alone, then does something else.
SHORT = '''#!{python} -IS
import os, signal, subprocess, sys, time
if "-progress" not in sys.argv:
    os.execv({real!r}, [{real!r}] + sys.argv[1:])
subprocess.call([{real!r}] + sys.argv[1:-1] + ["-frames:v", "{count}", sys.argv[-1]])
last = sys.argv[-1] % {count}
{then}
'''
# Starts the real ffmpeg at 25 frames a second; its process id goes to a file.
SLOW = '''#!{python} -IS
import os, sys
if "-progress" in sys.argv:
    with open(sys.argv[0] + ".pid", "w") as file:
        file.write(str(os.getpid()))
    sys.argv.insert(sys.argv.index("-i"), "-re")
os.execv({real!r}, [{real!r}] + sys.argv[1:])
'''
# Starts the real ffmpeg on a disk that takes no large files.
NO_ROOM = '''#!{python} -IS
import os, resource, sys
if "-progress" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
os.execv({real!r}, [{real!r}] + sys.argv[1:])
'''


Bar = clips.Bar


found = clips.found


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "frames")


def picture(number, width=clips.WIDTH, height=clips.HEIGHT):
    """A frame with noise in it."""
    noise = np.random.RandomState(number).randint(-9, 10, (height, width, 3))
    return np.clip(clips.frame(number, width, height) + noise, 0, 255).astype(np.uint8)


def fill(folder, stems=tuple("{:05d}".format(number) for number in range(1, 9)), suffix=".png", grey=False):
    os.makedirs(str(folder))
    for number, stem in enumerate(stems):
        image = picture(number)[..., 0] if grey else picture(number)
        write(folder, stem + suffix, cv2.imencode(suffix.lower(), image)[1].tobytes())
    return str(folder)


def write(folder, name, data):
    with open(os.path.join(str(folder), name), "wb") as stream:
        stream.write(data)


def frames_in(folder):
    """Return {name: content} of what is no business of ours alone."""
    return {name: files.read_bytes(os.path.join(folder, name)) for name in sorted(os.listdir(folder))
            if name not in OUR_NAMES}


def state(folder):
    """Return everything in a folder with content, permissions and time."""
    result = {}
    for above, folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(above, name)
            status = os.stat(path)
            result[os.path.relpath(path, folder)] = (files.read_bytes(path), status.st_mode, status.st_mtime_ns)
        result.update((os.path.relpath(os.path.join(above, name), folder), None) for name in folders)
    return result


def denoised(found, folder, factor=7):
    """Denoise with nothing around. Return (how many, names that were changed in between)."""
    with denoise.locked(folder):
        return denoise.run(found, folder, files.image_paths(folder), factor, Bar)


def by_stock(found, folder, factor=7):
    """Return what a copy of the folder looks like when stock has denoised it."""
    copy = os.path.join(os.path.dirname(folder), "by stock")  # which takes a % in a folder's name for a pattern
    shutil.copytree(folder, copy)
    naive_video.denoise(found.ffmpeg, copy, factor)
    result = frames_in(copy)
    shutil.rmtree(copy)
    return result


def command(monkeypatch, capsys, found, folder, factor=7):
    """Start the command as main.py does. Return what it says."""
    monkeypatch.setattr(tools, "find", lambda: found)
    capsys.readouterr()
    VideoEd.denoise_image_sequence(folder, factor)
    return capsys.readouterr().out


def refused(monkeypatch, found, folder, factor=7):
    """Start the command, which must refuse and leave all as it is. Return its words."""
    before = state(folder)
    monkeypatch.setattr(tools, "find", lambda: found)
    with pytest.raises(host.UserError) as caught:
        VideoEd.denoise_image_sequence(folder, factor)
    assert state(folder) == before
    return str(caught.value)


def script(folder, template, name="ffmpeg", **settings):
    """Write a stand-in for ffmpeg; return Tools with it."""
    os.makedirs(str(folder), exist_ok=True)
    path = os.path.join(str(folder), name)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(template.format(python=sys.executable, real=clips.bundled().ffmpeg, **settings))
    os.chmod(path, stat.S_IRWXU)
    return tools.Tools(path, None)


# --- the same as stock ----------------------------------------------------------------------------

@pytest.mark.parametrize("suffix, factor, grey", [
    (".png", 7, False), (".png", 1, False), (".png", 20, False), (".png", 7, True), (".jpg", 7, False),
    (".jpg", 20, False), (".jpg", 7, True), (".jpeg", 7, False), (".JPG", 7, False), (".PNG", 7, False),
    (".tif", 7, False), (".tiff", 7, True)])
def test_pictures_equal_those_of_stock(found, tmp_path, suffix, factor, grey):
    folder = fill(tmp_path / "кадры %d -x", ODD_STEMS, suffix, grey)
    old, expected = frames_in(folder), by_stock(found, folder, factor)
    assert denoised(found, folder, factor) == (len(ODD_STEMS), [])
    assert frames_in(folder) == expected
    assert set(expected) == set(old) and all(expected[name] != old[name] for name in old)
    assert not OUR_NAMES & set(os.listdir(folder))


def test_one_frame_and_names_of_any_length(found, tmp_path):
    folder = fill(tmp_path / "f", ["x" * 251], ".png")
    expected = by_stock(found, fill(tmp_path / "g", ["x"], ".png"))
    denoised(found, folder)
    assert list(frames_in(folder).values()) == list(expected.values())


@pytest.mark.parametrize("factor, taken", [(-3, 1), (0, 1), (21, 20), (1000, 20)])
def test_factor_is_1_to_20(tmp_path, monkeypatch, capsys, folder, factor, taken):
    expected = by_stock(clips.bundled(), folder, taken)
    assert "8 frames are denoised." in command(monkeypatch, capsys, clips.bundled(), folder, factor)
    assert frames_in(folder) == expected


# --- faults of ffmpeg -----------------------------------------------------------------------------

FAULTS = OrderedDict([
    ("missing", ("does not start", None)),
    ("dies at once", ("No space left", dict(way="dies at once", words="out/000001.png: No space left on device"))),
    ("killed at once", ("code -9", "os.kill(os.getpid(), signal.SIGKILL)")),
    ("hangs at once", ("no longer moved", dict(way="hangs"))),
    ("fails at the end", ("it broke", dict(way="fails at the end"))),
    ("writes garbage", ("0 of 8", dict(way="writes garbage", frames=8))),
    ("writes nothing", ("0 of 8", dict(way="writes nothing", frames=8))),
    ("fewer frames", ("3 of 8", "pass")),
    ("dies in the middle", ("code 3", "sys.exit(3)")),
    ("killed in the middle", ("code -9", "os.kill(os.getpid(), signal.SIGKILL)")),
    ("hangs in the middle", ("no longer moved", "time.sleep(60)")),
    ("an empty frame", ("7 of 8", "open(last, 'wb').close()")),
    ("half a frame", ("7 of 8", "os.truncate(last, os.path.getsize(last) // 2)")),
    ("a frame is no picture", ("7 of 8", "open(last, 'wb').write(b'x' * 9999)")),
    ("a frame gone", ("7 of 8", "os.remove(last)")),
])


@pytest.mark.parametrize("fault", FAULTS)
def test_frames_are_as_they_were_when_ffmpeg(fault, tmp_path, monkeypatch, folder):
    monkeypatch.setattr(process, "STALL_SECONDS", 0.6)
    words, way = FAULTS[fault]
    if way is None:
        bad = tools.Tools(str(tmp_path / "none"), None)
    elif isinstance(way, dict):
        bad = tools.Tools(fake_ffmpeg.make(tmp_path / "bin", real=clips.bundled().ffmpeg, **way), None)
    else:
        bad = script(tmp_path / "bin", SHORT, count=8 if words == "7 of 8" else 3, then=way)
    assert words in refused(monkeypatch, bad, folder)
    expected = by_stock(clips.bundled(), folder)
    denoised(clips.bundled(), folder)
    assert frames_in(folder) == expected


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("size", [0, 1000])
def test_frames_are_as_they_were_when_the_disk_is_full(tmp_path, monkeypatch, size, suffix):
    """ffmpeg 4 writes empty and halved frames then, and ends with 0."""
    folder = fill(tmp_path / "frames", suffix=suffix)
    for number, found in enumerate(clips.ffmpegs()):
        full = script(tmp_path / str(number), NO_ROOM.replace("{real!r}", repr(found.ffmpeg)), size=size)
        assert "frames are as they were" in refused(monkeypatch, full, folder)


@pytest.mark.parametrize("number", [0, 4, 7])
def test_a_damaged_frame_is_not_replaced_by_its_neighbour(found, monkeypatch, folder, number):
    path = files.image_paths(folder)[number]
    data = bytearray(files.read_bytes(path))
    middle = len(data) // 2
    data[middle:middle + 200] = bytes((7 * value + 1) % 256 for value in data[middle:middle + 200])
    write(folder, os.path.basename(path), bytes(data))
    name = os.path.basename(path)
    assert "These frames cannot be read: {} (damaged).".format(name) in refused(monkeypatch, found, folder)
    monkeypatch.setattr(frames, "_READ_THROUGH_BYTES", 0)        # as of a folder that is too large for it
    assert "See that each frame can be opened" in refused(monkeypatch, found, folder)


@pytest.mark.parametrize("name, data, words", [
    ("00003.png", b"", "00003.png (0 bytes)"),
    ("00003.png", b"no picture", "00003.png (neither PNG nor JPG)"),
    ("00009.jpg", b"\xff\xd8\xff", "same extension"),
    ("00009.PNG", b"", "same extension"),
    ("00009.png", cv2.imencode(".png", picture(0, 32, 32))[1].tobytes(), "00009.png (32x32)"),
])
def test_what_cannot_be_denoised_is_named_before(tmp_path, monkeypatch, folder, name, data, words):
    write(folder, name, data)
    fake = fake_ffmpeg.make(tmp_path / "bin", "real", clips.bundled().ffmpeg)
    assert words in refused(monkeypatch, tools.Tools(fake, None), folder)
    assert not fake_ffmpeg.commands(fake)


def test_a_folder_without_images(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert "no images" in refused(monkeypatch, clips.bundled(), str(tmp_path / "empty"))


def test_a_full_disk_before_ffmpeg_starts(monkeypatch, folder):
    before = state(folder)

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    monkeypatch.setattr(files, "write_atomic", full)
    with pytest.raises(OSError):
        denoised(clips.bundled(), folder)
    assert state(folder) == before


# --- where frames lie and what they are -----------------------------------------------------------

def test_permissions_are_kept(monkeypatch, capsys, folder):
    paths = files.image_paths(folder)
    for path, mode in zip(paths, (0o444, 0o400, 0o640, 0o600)):
        os.chmod(path, mode)
    before = [os.stat(path).st_mode for path in paths]
    expected = by_stock(clips.bundled(), folder)
    command(monkeypatch, capsys, clips.bundled(), folder)
    assert frames_in(folder) == expected
    assert [os.stat(path).st_mode for path in paths] == before


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("one_device", [True, False])
def test_a_link_stays_a_link(tmp_path, monkeypatch, folder, one_device, relative):
    if not one_device:
        monkeypatch.setattr(compat, "same_device", lambda a, b: False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = os.path.join(folder, "00003.png")
    os.rename(path, str(elsewhere / "picture.png"))
    os.symlink("../elsewhere/picture.png" if relative else str(elsewhere / "picture.png"), path)
    expected = by_stock(clips.bundled(), folder)
    denoised(clips.bundled(), folder)
    assert frames_in(folder) == expected
    assert os.path.islink(path) and os.listdir(str(elsewhere)) == ["picture.png"]


def test_a_disk_without_links_takes_copies(monkeypatch, folder):
    def no_links(source, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    monkeypatch.setattr(os, "link", no_links)
    expected = by_stock(clips.bundled(), folder)
    denoised(clips.bundled(), folder)
    assert frames_in(folder) == expected


def test_two_windows_at_once(monkeypatch, folder):
    with denoise.locked(folder):
        before = frames_in(folder)
        monkeypatch.setattr(tools, "find", clips.bundled)
        with pytest.raises(host.UserError, match="in another window"):
            VideoEd.denoise_image_sequence(folder, 7)
        assert frames_in(folder) == before
    assert not OUR_NAMES & set(os.listdir(folder))


def test_a_folder_that_cannot_be_written_to(monkeypatch, folder):
    def protected(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    monkeypatch.setattr(denoise.file_lock, "take", protected)
    assert "cannot be written to" in refused(monkeypatch, clips.bundled(), folder)


# --- cut short when all frames were ready ---------------------------------------------------------

def cut_while_replacing(monkeypatch, folder, after=3):
    """Denoise until some frames are in their places; return the frames of before."""
    before = frames_in(folder)
    real, count = denoise._take_place, []

    def take_place(new, old):
        if len(count) == after:
            raise KeyboardInterrupt
        count.append(old)
        real(new, old)
    with monkeypatch.context() as patch:
        patch.setattr(denoise, "_take_place", take_place)
        with pytest.raises(KeyboardInterrupt):
            denoised(clips.bundled(), folder)
    return before


def test_the_next_start_finishes_and_does_not_denoise_twice(tmp_path, monkeypatch, capsys, folder):
    expected = by_stock(clips.bundled(), folder)
    before = cut_while_replacing(monkeypatch, folder)
    mixed = frames_in(folder)
    assert [mixed[name] == expected[name] for name in sorted(mixed)] == [True] * 3 + [False] * 5
    assert all(mixed[name] in (before[name], expected[name]) for name in mixed)
    fake = fake_ffmpeg.make(tmp_path / "bin", "real", clips.bundled().ffmpeg)
    said = command(monkeypatch, capsys, tools.Tools(fake, None), folder)
    assert "it is finished now, the last 5 frames are in place" in said
    assert frames_in(folder) == expected
    assert not fake_ffmpeg.commands(fake)
    assert not OUR_NAMES & set(os.listdir(folder))


def test_frames_changed_in_between_are_left(monkeypatch, capsys, folder):
    expected = by_stock(clips.bundled(), folder)
    cut_while_replacing(monkeypatch, folder)
    write(folder, "00006.png", b"a picture of the user")
    write(folder, "00002.png", b"in its place already, and changed since")
    said = command(monkeypatch, capsys, clips.bundled(), folder)
    expected["00006.png"] = b"a picture of the user"
    expected["00002.png"] = b"in its place already, and changed since"
    assert frames_in(folder) == expected
    assert "changed in the meantime and are left as they are: 00006.png." in said
    assert not OUR_NAMES & set(os.listdir(folder))


def test_a_frame_that_was_written_and_not_moved_is_no_changed_one(monkeypatch, capsys, folder):
    """As a link to another disk leaves it, when it is cut between the two."""
    expected = by_stock(clips.bundled(), folder)
    cut_while_replacing(monkeypatch, folder)
    write(folder, "00004.png", expected["00004.png"])
    assert "changed" not in command(monkeypatch, capsys, clips.bundled(), folder)
    assert frames_in(folder) == expected


def test_a_frame_that_is_held_open_waits_for_the_next_start(monkeypatch, capsys, folder):
    expected = by_stock(clips.bundled(), folder)
    real = os.replace

    def replace(source, target):
        if target.endswith("00004.png"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
        real(source, target)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        patch.setattr(files, "_BUSY_WAITS", (0.001,))
        with pytest.raises(host.UserError, match="00004.png cannot be replaced: .* 5 are not yet in their places"):
            denoised(clips.bundled(), folder)
    assert denoise.unfinished(folder)
    command(monkeypatch, capsys, clips.bundled(), folder)
    assert frames_in(folder) == expected


def test_the_list_of_names_leads_nowhere_else(tmp_path, monkeypatch, folder):
    cut_while_replacing(monkeypatch, folder)
    write(tmp_path, "victim.png", b"precious")
    listed = os.path.join(folder, denoise.READY, "names.json")
    entries = json.loads(files.read_bytes(listed).decode("utf-8"))
    status = os.stat(str(tmp_path / "victim.png"))
    entries[5] = ["../victim.png", status.st_size, status.st_mtime_ns]
    write(folder, os.path.join(denoise.READY, "names.json"), json.dumps(entries).encode("utf-8"))
    denoise.finish(folder, Bar)
    assert files.read_bytes(str(tmp_path / "victim.png")) == b"precious"


# --- Ctrl-C and kills -----------------------------------------------------------------------------

def start(folder, programs):
    """Start the command as a process of its own, with an ffmpeg of ours first in the PATH."""
    path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
    return subprocess.Popen([sys.executable, "-W", "ignore", os.path.join(PROGRAM, "main.py"), "videoed",
                             "denoise-image-sequence", "--input-dir", folder, "--factor", "7"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=dict(os.environ, PATH=path), start_new_session=True)


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.002)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError), open("/proc/{}/stat".format(pid)) as stream:
        return stream.read().rpartition(")")[2].split()[0] != "Z"  # nobody collects it in a bare container
    return True


def wait_for_new_frames(folder, count=3):
    out = os.path.join(folder, denoise.WORK, "out")
    wait_for(lambda: os.path.isdir(out) and len(os.listdir(out)) >= count)


@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_ends_all_within_two_seconds(tmp_path, whole_group):
    folder = fill(tmp_path / "frames", ["{:05d}".format(number) for number in range(100)])
    before = state(folder)
    slow = script(tmp_path / "bin", SLOW)
    running = start(folder, tmp_path / "bin")
    wait_for_new_frames(folder)
    began = time.monotonic()
    if whole_group:
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(signal.SIGINT)
    err = running.communicate(timeout=20)[1].decode("utf-8", "replace")
    assert time.monotonic() - began < 2.0
    assert running.returncode in (130, 1) and (running.returncode == 130) == ("Stopped by Ctrl-C" in err)
    assert not is_alive(int(files.read_bytes(slow.ffmpeg + ".pid")))
    assert state(folder) == before


def test_a_start_beside_the_ffmpeg_of_a_killed_one(tmp_path, monkeypatch, capsys):
    folder = fill(tmp_path / "frames", ["{:05d}".format(number) for number in range(100)])
    before, expected = frames_in(folder), by_stock(clips.bundled(), folder)
    slow = script(tmp_path / "bin", SLOW)
    running = start(folder, tmp_path / "bin")
    wait_for_new_frames(folder)
    running.kill()
    running.communicate()
    assert frames_in(folder) == before
    command(monkeypatch, capsys, clips.bundled(), folder)
    assert frames_in(folder) == expected
    assert not OUR_NAMES & set(os.listdir(folder))
    wait_for(lambda: not is_alive(int(files.read_bytes(slow.ffmpeg + ".pid"))))


def test_a_folder_of_ours_that_is_still_written_to_is_tried_again(monkeypatch, folder):
    out = os.path.join(folder, denoise.WORK, "out")
    os.makedirs(out)
    expected, real, late = by_stock(clips.bundled(), folder), os.rmdir, []

    def rmdir(path):
        if path == out and len(late) < 3:
            late.append(path)
            write(out, "000009.png", b"the last frame of a start that was killed")
        real(path)
    monkeypatch.setattr(denoise, "_WAITS", (0.001,) * 3)
    monkeypatch.setattr(os, "rmdir", rmdir)
    denoised(clips.bundled(), folder)
    assert len(late) == 3 and frames_in(folder) == expected


def test_kills_at_any_moment(tmp_path, monkeypatch, capsys):
    template = fill(tmp_path / "template")
    before, expected = frames_in(template), by_stock(clips.bundled(), template)
    script(tmp_path / "bin", "#!{python} -IS\nimport os, sys\nos.execv({real!r}, [{real!r}] + sys.argv[1:])\n")
    chance = random.Random(3)
    killed = finished = 0
    folder = str(tmp_path / "frames")
    for attempt in range(90):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        running = start(folder, tmp_path / "bin")
        moment = [denoise.WORK, os.path.join(denoise.WORK, "out", "000001.png"), denoise.READY][attempt % 3]
        while running.poll() is None and not os.path.lexists(os.path.join(folder, moment)):
            time.sleep(0.0003)
        time.sleep(chance.random() * (0.002 if moment == denoise.READY else 0.06))
        running.kill()
        running.communicate()
        if running.returncode == 0:
            continue
        killed += 1
        found = frames_in(folder)
        assert set(found) == set(before)
        assert all(found[name] in (before[name], expected[name]) for name in found)
        unfinished = denoise.unfinished(folder)
        assert unfinished or found in (before, expected)
        if unfinished or found == before:
            said = command(monkeypatch, capsys, clips.bundled(), folder)
            assert ("it is finished now" in said) == unfinished
        finished += unfinished
        assert frames_in(folder) == expected
        if killed >= 10 and finished >= 2:
            break
    assert killed >= 10 and finished >= 2


# --- every operation on files ---------------------------------------------------------------------

class Small:
    """Four frames that are denoised in Python."""

    names = ["00001.png", "b %d.png", "c.png", "ы.png"]

    def __init__(self, tmp_path):
        self.root = str(tmp_path / "frames")
        self.old = {name: b"picture of " + name.encode("utf-8") * number for number, name in enumerate(self.names, 1)}
        self.new = {name: picture_of(data) for name, data in self.old.items()}

    def fresh(self):
        shutil.rmtree(self.root, ignore_errors=True)
        os.mkdir(self.root)
        for name, data in self.old.items():
            write(self.root, name, data)
        self.give_times_back()

    def give_times_back(self):
        """Give frames of before their time: what the shim takes back after a power cut has a new one."""
        for name, data in frames_in(self.root).items():
            if data == self.old[name]:
                os.utime(os.path.join(self.root, name), (1e9, 1e9))

    def start(self):
        with denoise.locked(self.root):
            if denoise.unfinished(self.root):
                denoise.finish(self.root, Bar)
            else:
                denoise.run(tools.Tools("ffmpeg", None), self.root, files.image_paths(self.root), 7, Bar)

    def expect_all_or_nothing(self, how, case, words=""):
        """Look at what a fault has left, then start in peace."""
        assert how != BROKEN, (case, words)
        found = frames_in(self.root)
        assert set(found) == set(self.names), (case, "a frame is lost")
        assert all(found[name] in (self.old[name], self.new[name]) for name in found), (case, "a frame is neither")
        unfinished = denoise.unfinished(self.root)
        assert unfinished or found in (self.old, self.new), (case, "a mixture that nobody can finish")
        assert how != DONE or found == self.new, (case, "it said that it had ended well")
        self.give_times_back()
        if unfinished or found == self.old:
            self.start()
            assert set(os.listdir(self.root)) == set(self.names), (case, "leftovers")
        assert frames_in(self.root) == self.new, case


def picture_of(data):
    """A picture that is whole for those who look at its parts."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"tEXt", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(inner)) + kind + inner + struct.pack(">I", zlib.crc32(kind + inner))
        for kind, inner in parts)


def denoise_in_python(command, on_progress=None, cwd=None):
    """Stands in for process.run: a fault of the disk is ffmpeg's own then."""
    try:
        inside, outside = os.path.join(cwd, "in"), os.path.join(cwd, "out")
        names = sorted(os.listdir(inside))
        for name in names:
            data = files.read_bytes(os.path.join(inside, name))
            with open(os.path.join(outside, name), "wb") as stream:
                stream.write(picture_of(data))
    except OSError as error:
        return process.Ending(1, 0, [error.strerror], False)
    return process.Ending(0, len(names), [], False)


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # the shim notes syncs; nobody cuts our own power
    monkeypatch.setattr(process, "run", denoise_in_python)
    monkeypatch.setattr(denoise, "_WAITS", ())
    monkeypatch.setattr(compat, "cpu_count", lambda: 1)  # threads would share the operations anew in every run
    return Small(tmp_path)


@pytest.mark.light
def test_denoising_cut_at_every_operation(small):
    small.fresh()
    operations = crash_shim.trace(small.start, small.root)
    assert len(operations) > 60 and frames_in(small.root) == small.new
    ends = set()
    for mode in crash_shim.MODES:
        for at in crash_shim.points(operations, mode):
            small.fresh()
            how, _, words = crash_shim.run(small.start, small.root, mode, at, (host.UserError, OSError))
            assert how != KILLED or mode == "kill" or mode in crash_shim.POWER_CUTS
            small.expect_all_or_nothing(how, (mode, at), words)
            ends.add(how)
    assert ends == {KILLED, DONE, REFUSED}


@pytest.mark.light
def test_finishing_cut_at_every_operation(small):
    def cut_once():
        small.fresh()
        crash_shim.run(small.start, small.root, "kill", first)
        return denoise.unfinished(small.root)

    small.fresh()
    operations = crash_shim.trace(small.start, small.root)
    firsts = []
    for first in crash_shim.points(operations, "kill"):
        if cut_once():
            firsts.append(first)
    assert len(firsts) > 5
    for first in (firsts[0], firsts[len(firsts) // 2]):
        cut_once()
        operations = crash_shim.trace(small.start, small.root)
        for mode in ("kill", "eio", "power-order"):
            for at in crash_shim.points(operations, mode):
                cut_once()
                how, _, words = crash_shim.run(small.start, small.root, mode, at, (host.UserError, OSError))
                small.expect_all_or_nothing(how, (first, mode, at), words)
