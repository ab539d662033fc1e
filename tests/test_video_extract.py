"""Extract: pictures as stock makes them, each whole or not there, and none of before lost without need."""
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import OrderedDict

import clips
import cv2
import fake_ffmpeg
import naive.video as naive_video
import pytest
from accel import files, host
from accel.video import extract, frames, probe, process, tools
from mainscripts import VideoEd
from program import PROGRAM

pytestmark = pytest.mark.shared_out

COMPARED = ("plain", "ntsc", "vfr", "doubled", "odd size", "yuv444p", "10 bit", "turned right", "with aac", "bt709")
FORMATS = [("png", 0), ("jpg", 7), ("png", 7), ("jpg", 0)]
# Files that do not say how long they are, or whose sound is longer than their pictures.
UNSURE = ("mpeg-ps", "two tracks")

# Does something to the real ffmpeg when it is to write pictures.
STAND_IN = '''#!{python} -IS
import os, resource, signal, subprocess, sys, time
if "image2" not in sys.argv:
    os.execv({real!r}, [{real!r}] + sys.argv[1:])
with open(sys.argv[0] + ".pid", "w") as file:
    file.write(str(os.getpid()))
slow = sys.argv[1:]
slow.insert(slow.index("-i"), "-re")
{then}
'''


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    yield
    host.set_unattended(False)


found = clips.found


kept_clips = clips.kept_clips


@pytest.fixture
def workspace(tmp_path):
    """A folder with a video of two seconds and a folder of older frames."""
    folder = tmp_path / "work"
    clips.encode(clips.bundled(), make_folder(folder) + "/data_src.mp4", clips.frames(50))
    for name in ("00001.png", "00099.png", "old.PNG", "-x.png", "00001.jpg", "notes.txt", "aligned/00001.png"):
        path = folder / "data_src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"old " + name.encode())
    return folder


OLD_PNG = ["-x.png", "00001.png", "00099.png", "old.PNG"]
NEVER_TOUCHED = ["00001.jpg", "aligned", "notes.txt"]


def make_folder(path):
    os.makedirs(str(path), exist_ok=True)
    return str(path)


def bar(total):
    return host.progress(total=total, leave=False)


def contents(folder):
    """Return {name: content}, of folders None."""
    folder = str(folder)
    return {name: None if os.path.isdir(os.path.join(folder, name)) else files.read_bytes(os.path.join(folder, name))
            for name in sorted(os.listdir(folder))}


def state(folder):
    return {os.path.relpath(os.path.join(above, name), str(folder)): files.read_bytes(os.path.join(above, name))
            for above, _, names in os.walk(str(folder)) for name in names}


def command(monkeypatch, source, folder, *words, found=None, **options):
    monkeypatch.setattr(tools, "find", lambda: found or clips.bundled())
    VideoEd.extract_video(str(source), str(folder), *words, **options)


def refused(monkeypatch, workspace, *words, found=None, source=None, **options):
    """Start the command, which must refuse and change nothing. Return its words."""
    before = state(workspace)
    host.set_unattended(True)
    with pytest.raises(host.UserError) as caught:
        command(monkeypatch, source or workspace / "data_src.mp4", workspace / "data_src", *words, found=found,
                **options)
    assert state(workspace) == before
    return str(caught.value)


def stand_in(folder, then, real=None):
    """Write a stand-in for ffmpeg; return Tools with it."""
    path = os.path.join(make_folder(folder), "ffmpeg")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(STAND_IN.format(python=sys.executable, real=real or clips.bundled().ffmpeg,
                                     then=then.replace("REAL", repr(real or clips.bundled().ffmpeg))))
    os.chmod(path, stat.S_IRWXU)
    return tools.Tools(path, None)


def assert_all_whole(folder, extension):
    """Each picture in a folder can be decoded to its last row, and nothing of ours is beside them."""
    names = [name for name in os.listdir(str(folder)) if os.path.isfile(os.path.join(str(folder), name))]
    assert not [name for name in names if name.endswith(".tmp")]
    paths = [os.path.join(str(folder), name) for name in names if name.endswith(extension)]
    assert not frames.check(paths).broken
    assert all(cv2.imread(path) is not None for path in paths)
    return len(paths)


# --- the same as stock ----------------------------------------------------------------------------

@pytest.mark.parametrize("kind", COMPARED)
def test_pictures_equal_those_of_stock(found, tmp_path, kept_clips, kind):
    source = kept_clips(kind, found)
    for extension, fps in FORMATS if kind in ("plain", "vfr") else FORMATS[:2]:
        expected = tmp_path / "stock {} {}".format(extension, fps)
        folder = tmp_path / "ours {} {}".format(extension, fps)
        assert naive_video.extract(found.ffmpeg, source, str(expected), extension, fps) == 0
        count = extract.run(found, source, make_folder(folder), extension, fps, bar)
        assert contents(folder) == contents(expected)
        assert count == len(contents(expected)) > 4


@pytest.mark.parametrize("kind", clips.KINDS)
def test_total_of_the_progress_bar(found, kept_clips, kind):
    source = kept_clips(kind)
    video = probe.probe(found, source).video
    if kind in UNSURE:
        assert extract.expected(video, 0) in range(12, 60)
        return
    assert extract.expected(video, 0) == decoded_frames(found, source)
    if kind not in ("plain", "ntsc", "fast", "slow", "vfr", "doubled"):
        return
    # the last frame of the video is held, for one or two frames more
    assert 0 <= decoded_frames(found, source, "-r", "7") - extract.expected(video, 7) <= 2


def decoded_frames(found, source, *words):
    run = [found.ffmpeg] + list(process.OPENING) + ["-i", source] + list(words) + ["-f", "image2", "-"]
    return process.run(run[:-3] + ["-an", "-c:v", "rawvideo", "-f", "image2", "-update", "1", os.devnull]).frames


def test_nobody_knows_the_total():
    nothing = probe.Video(0, 1, 1, 0, None, None, None, None, None, None)
    assert extract.expected(nothing, 0) is extract.expected(nothing, 7) is None


# --- where files lie and what they are called -----------------------------------------------------

@pytest.mark.parametrize("name", ["плёнка 脸", "100% %05d", "-i", "a  b", "x.y", "x" * 200])
def test_names_of_any_kind(tmp_path, monkeypatch, name):
    source = clips.make(clips.bundled(), tmp_path, "slow", name)
    folder = tmp_path / "нет %d" / name
    command(monkeypatch, source, folder, "png", 0)
    assert sorted(contents(folder)) == ["{:05d}.png".format(number) for number in range(1, 13)]


@pytest.mark.parametrize("extension", ["png", "jpg"])
def test_the_folder_and_those_above_it_are_made(tmp_path, monkeypatch, kept_clips, extension):
    command(monkeypatch, kept_clips("slow"), tmp_path / "a" / "b" / "c", extension, 0)
    assert assert_all_whole(tmp_path / "a" / "b" / "c", extension) == 12


def test_files_of_the_extension_alone_are_deleted(monkeypatch, workspace):
    before = contents(workspace / "data_src")
    host.set_unattended(True)
    command(monkeypatch, workspace / "data_src.mp4", workspace / "data_src", "png", 0)
    after = contents(workspace / "data_src")
    assert sorted(set(after) - set(NEVER_TOUCHED)) == ["{:05d}.png".format(number) for number in range(1, 51)]
    assert all(after[name] == before[name] for name in NEVER_TOUCHED)
    assert contents(workspace / "data_src" / "aligned") == {"00001.png": b"old aligned/00001.png"}


def test_halves_of_a_start_that_was_killed_are_removed(tmp_path, monkeypatch, kept_clips):
    folder = tmp_path / "frames"
    for name in ("00007.png.tmp", "123456.png.tmp", "notes.png.tmp", "0001.png.tmp", "00001.jpg.tmp"):
        with open(os.path.join(make_folder(folder), name), "wb"):
            pass
    command(monkeypatch, kept_clips("slow"), folder, "png", 0)
    assert sorted(name for name in os.listdir(str(folder)) if name.endswith(".tmp")) == [
        "00001.jpg.tmp", "0001.png.tmp", "notes.png.tmp"]


# --- the question ---------------------------------------------------------------------------------

def test_old_frames_go_when_asked_and_stay_when_told(monkeypatch, workspace):
    questions = []

    def ask(prompt, default, help_message=None):
        questions.append((prompt, default, sorted(contents(workspace / "data_src"))))
        return False
    monkeypatch.setattr(host, "ask_bool", ask)
    before = state(workspace)
    with pytest.raises(host.UserError, match="Nothing was changed"):
        command(monkeypatch, workspace / "data_src.mp4", workspace / "data_src", "png", 0)
    assert state(workspace) == before
    assert questions == [("{} holds 4 earlier png files. Delete them?".format(workspace / "data_src"), True,
                          sorted(OLD_PNG + NEVER_TOUCHED + [".extract.lock"]))]


def test_without_old_frames_nothing_is_asked(tmp_path, monkeypatch, kept_clips):
    monkeypatch.setattr(host, "ask_bool", None)
    command(monkeypatch, kept_clips("slow"), tmp_path / "frames", "png", 0)


# --- what cannot be -------------------------------------------------------------------------------

FAULTS = OrderedDict([
    ("missing", ("does not start", None)),
    ("dies at once", ("it broke", dict(way="dies at once"))),
    ("hangs", ("no longer moved", dict(way="hangs"))),
    ("fails at the end", ("it broke", dict(way="fails at the end"))),
    ("decodes nothing", ("Nothing was changed", dict(way="writes nothing", frames=0))),
])


@pytest.mark.parametrize("fault", FAULTS)
def test_old_frames_stay_when_ffmpeg(fault, tmp_path, monkeypatch, workspace):
    monkeypatch.setattr(process, "STALL_SECONDS", 0.5)
    words, way = FAULTS[fault]
    bad = fake_ffmpeg.make(tmp_path / "bin", real=clips.bundled().ffmpeg, **way) if way else str(tmp_path / "none")
    assert words in refused(monkeypatch, workspace, "png", 0, found=tools.Tools(bad, None))


def test_an_ffprobe_that_is_broken_is_not_needed(tmp_path, monkeypatch, workspace):
    broken = fake_ffmpeg.make(tmp_path / "bin", "dies at once", when=(), name="ffprobe")
    monkeypatch.setattr(tools, "find", lambda: tools.Tools(clips.bundled().ffmpeg, broken))
    host.set_unattended(True)
    VideoEd.extract_video(str(workspace / "data_src.mp4"), str(workspace / "new"), "png", 0)
    assert len(contents(workspace / "new")) == 50


@pytest.mark.parametrize("data", [b"", b"no video " * 999, None])
def test_old_frames_stay_when_the_input_is_no_video(monkeypatch, workspace, data):
    if data is None:
        data = files.read_bytes(str(workspace / "data_src.mp4"))
        data = data[:len(data) // 3]  # the index at its end is gone
    (workspace / "film.mp4").write_bytes(data)
    for found in clips.ffmpegs():
        words = refused(monkeypatch, workspace, "png", 0, found=found, source=workspace / "film.mp4")
        assert "The video is damaged or is none" in words


def test_old_frames_stay_when_the_input_has_sound_alone(monkeypatch, workspace):
    clips.run([clips.bundled().ffmpeg, "-v", "error", "-f", "lavfi", "-i", "sine=d=0.2", str(workspace / "s.wav")])
    assert "no picture in it" in refused(monkeypatch, workspace, "png", 0, source=workspace / "s.wav")


@pytest.mark.parametrize("options, words", [
    (dict(source="missing.mp4"), "input_file not found"),
    (dict(source="missing.*"), "input_file not found"),
    (dict(fps=-1), "-1 frames a second cannot be"),
    (dict(output_ext="p/../ng"), "is no image format"),
    (dict(output_ext="%d"), "is no image format"),
    (dict(output_ext=""), "is no image format"),
    (dict(hwaccel="no such"), "This ffmpeg cannot decode by no such. It knows: "),
    (dict(hwaccel="-i"), "This ffmpeg cannot decode by -i. It knows: "),
])
def test_what_cannot_be_is_refused(monkeypatch, workspace, options, words):
    options = dict(dict(output_ext="png", fps=0), **options)
    if "source" in options:
        options["source"] = workspace / options["source"]
    told = refused(monkeypatch, workspace, **options)
    assert words in told
    if "hwaccel" in options:
        names = tools.hardware_decoders(clips.bundled().ffmpeg)
        assert all(name in told for name in names)


def test_decoding_by_what_this_machine_has(found, tmp_path, kept_clips, monkeypatch):
    expected = tmp_path / "stock"
    naive_video.extract(found.ffmpeg, kept_clips("slow"), str(expected), "png", 0)
    command(monkeypatch, kept_clips("slow"), tmp_path / "ours", "png", 0, hwaccel="auto", found=found)
    assert sorted(contents(tmp_path / "ours")) == sorted(contents(expected))


# --- cut short ------------------------------------------------------------------------------------

SHORTS = OrderedDict([
    ("is killed", ("ffmpeg failed (code -9). 3 frames are in",
                   "subprocess.call([REAL] + sys.argv[1:-1] + ['-frames:v', '3', sys.argv[-1]])\n"
                   "os.kill(os.getpid(), signal.SIGKILL)")),
    ("fails", ("ffmpeg failed (code 3). 3 frames are in",
               "subprocess.call([REAL] + sys.argv[1:-1] + ['-frames:v', '3', sys.argv[-1]])\nsys.exit(3)")),
    ("hangs", ("no longer moved and was stopped. 3 frames are in",
               "subprocess.call([REAL] + sys.argv[1:-1] + ['-frames:v', '3', sys.argv[-1]])\ntime.sleep(60)")),
    ("leaves a half", ("3 frames are in",
                       "subprocess.call([REAL] + sys.argv[1:-1] + ['-frames:v', '3', sys.argv[-1]])\n"
                       "open(sys.argv[-1] % 4 + '.tmp', 'wb').write(b'half')\nsys.exit(1)")),
    ("leaves an empty picture", ("00050.png could not be written whole",
                                 "done = subprocess.run([REAL] + sys.argv[1:], stdout=subprocess.PIPE)\n"
                                 "open(sys.argv[-1] % 50, 'wb').close()\nos.write(1, done.stdout)")),
    ("leaves half a picture", ("00020.png could not be written whole",
                               "done = subprocess.run([REAL] + sys.argv[1:], stdout=subprocess.PIPE)\n"
                               "os.truncate(sys.argv[-1] % 20, 200)\nos.write(1, done.stdout)")),
    ("loses a picture", ("ffmpeg tells of 50 frames, but 49 frames are in",
                         "done = subprocess.run([REAL] + sys.argv[1:], stdout=subprocess.PIPE)\n"
                         "os.remove(sys.argv[-1] % 20)\nos.write(1, done.stdout)")),
])


@pytest.mark.parametrize("fault", SHORTS)
def test_pictures_are_whole_or_not_there_when_ffmpeg(fault, tmp_path, monkeypatch, workspace):
    monkeypatch.setattr(process, "STALL_SECONDS", 0.7)
    words, then = SHORTS[fault]
    host.set_unattended(True)
    with pytest.raises(host.UserError) as caught:
        command(monkeypatch, workspace / "data_src.mp4", workspace / "data_src", "png", 0,
                found=stand_in(tmp_path / "bin", then))
    assert words in str(caught.value)
    assert assert_all_whole(workspace / "data_src", ".png") == (3 if "3 frames" in words else 49)


@pytest.mark.parametrize("extension", ["png", "jpg"])
@pytest.mark.parametrize("size", [0, 300])
def test_a_full_disk_leaves_no_broken_pictures(found, tmp_path, monkeypatch, workspace, size, extension):
    """ffmpeg 4 writes empty and halved frames then, and ends with 0."""
    then = "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\nos.execv(REAL, [REAL] + sys.argv[1:])".format(size)
    host.set_unattended(True)
    with pytest.raises(host.UserError) as caught:
        command(monkeypatch, workspace / "data_src.mp4", workspace / "data_src", extension, 0,
                found=stand_in(tmp_path / "bin", then, found.ffmpeg))
    assert "ffmpeg failed" in str(caught.value) or "Make room on the disk" in str(caught.value)
    assert assert_all_whole(workspace / "data_src", "." + extension) < 50


def start(workspace, programs):
    """Start the command as a process of its own, with an ffmpeg of ours first in the PATH."""
    path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
    return subprocess.Popen([sys.executable, "-W", "ignore", os.path.join(PROGRAM, "main.py"), "videoed",
                             "extract-video", "--input-file", str(workspace / "data_src.*"), "--output-dir",
                             str(workspace / "new"), "--output-ext", "png", "--fps", "0"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=dict(os.environ, PATH=path), start_new_session=True)


def wait_for_pictures(workspace, count=4):
    deadline = time.monotonic() + 20
    while not (workspace / "new" / "{:05d}.png".format(count)).exists():
        assert time.monotonic() < deadline, "no picture came"
        time.sleep(0.005)


def is_alive(pid):
    try:
        os.kill(pid, 0)
        with open("/proc/{}/stat".format(pid)) as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_ends_all_within_two_seconds(tmp_path, workspace, whole_group):
    slow = stand_in(tmp_path / "bin", "os.execv(REAL, [REAL] + slow)")
    running = start(workspace, tmp_path / "bin")
    wait_for_pictures(workspace)
    began = time.monotonic()
    if whole_group:
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(signal.SIGINT)
    err = running.communicate(timeout=20)[1].decode("utf-8", "replace")
    assert time.monotonic() - began < 2.0
    assert (running.returncode == 130) == ("Stopped by Ctrl-C" in err) and running.returncode != 0
    assert not is_alive(int(files.read_bytes(slow.ffmpeg + ".pid")))
    assert assert_all_whole(workspace / "new", ".png") >= 4


def test_a_picture_that_is_cut_short_has_not_got_its_name(found, tmp_path, kept_clips):
    """ffmpeg is killed when a picture gets longer than 200 bytes."""
    killing = stand_in(tmp_path / "bin", "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
                                         "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
                                         "os.execv(REAL, [REAL] + sys.argv[1:])", found.ffmpeg)
    folder = make_folder(tmp_path / "frames")
    ending = process.run(extract.command(killing, kept_clips("slow"), "png", 0), cwd=folder)
    assert ending.exit_code == -signal.SIGXFSZ
    assert [name for name in os.listdir(folder)] == ["00001.png.tmp"]


@pytest.mark.parametrize("moment", [0.0, 0.013, 0.029])
def test_a_killed_ffmpeg_leaves_whole_pictures(tmp_path, workspace, moment):
    slow = stand_in(tmp_path / "bin", "os.execv(REAL, [REAL] + slow)")
    running = start(workspace, tmp_path / "bin")
    wait_for_pictures(workspace)
    time.sleep(moment)
    os.kill(int(files.read_bytes(slow.ffmpeg + ".pid")), signal.SIGKILL)
    err = running.communicate(timeout=20)[1].decode("utf-8", "replace")
    assert running.returncode == 1
    count = assert_all_whole(workspace / "new", ".png")
    assert 4 <= count < 50 and "{} frames are in".format(count) in err


def test_a_new_start_after_a_kill_of_everything(tmp_path, monkeypatch, workspace):
    stand_in(tmp_path / "bin", "os.execv(REAL, [REAL] + slow)")
    running = start(workspace, tmp_path / "bin")
    wait_for_pictures(workspace)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    (workspace / "new" / "00033.png.tmp").write_bytes(b"half")
    host.set_unattended(True)
    command(monkeypatch, workspace / "data_src.mp4", workspace / "new", "png", 0)
    expected = tmp_path / "stock"
    naive_video.extract(clips.bundled().ffmpeg, str(workspace / "data_src.mp4"), str(expected), "png", 0)
    assert contents(workspace / "new") == contents(expected)


def test_frames_of_before_that_cannot_be_deleted(monkeypatch, workspace):
    """The first that stays is told; nothing is written over it."""
    def protected(path):
        raise PermissionError(13, os.strerror(13), path)
    before = state(workspace)
    host.set_unattended(True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "remove", protected)
        with pytest.raises(OSError):
            command(patch, workspace / "data_src.mp4", workspace / "data_src", "png", 0)
    os.remove(str(workspace / "data_src" / ".extract.lock"))      # nothing could be removed, the lock neither
    assert state(workspace) == before
    shutil.rmtree(str(workspace))
