"""Cut: the part of a video that stock cuts; the last cut stays until the new one is good."""
import os
import signal
import stat
import subprocess
import sys
import time
from collections import OrderedDict
from fractions import Fraction

import clips
import fake_ffmpeg
import naive.video as naive_video
import pytest
from accel import files, host
from accel.video import cut, probe, process, tools
from hypothesis import given
from hypothesis import strategies as st
from mainscripts import VideoEd
from program import PROGRAM

pytestmark = pytest.mark.shared_out

COMPARED = ("plain", "ntsc", "film", "vfr", "doubled", "b-frames", "10 bit", "mpeg-4", "with aac", "with pcm",
            "with mp3", "two tracks", "turned right", "bt709", "mpeg-ps")
# Matroska gives every file a random number of its own.
RANDOM = (".mkv",)

STAND_IN = '''#!{python} -IS
import os, resource, subprocess, sys
if "-b:v" not in sys.argv:
    os.execv({real!r}, [{real!r}] + sys.argv[1:])
with open(sys.argv[0] + ".pid", "w") as file:
    file.write(str(os.getpid()))
{then}
'''


Bar = clips.Bar


found = clips.found


kept_clips = clips.kept_clips


@pytest.fixture
def video(tmp_path):
    """A video of two seconds with an old cut beside it."""
    folder = tmp_path / "видео %d"
    folder.mkdir()
    clips.encode(clips.bundled(), folder / "data_src.mp4", clips.frames(50), sounds=["aac"])
    (folder / "data_src_cut.mp4").write_bytes(b"the last cut")
    return folder / "data_src.mp4"


def run(found, source, start="00:00:00.200", end="00:00:00.700", sound=0, bitrate=25):
    return cut.run(found, str(source), start, end, sound, bitrate, Bar)


def state(folder):
    return {name: files.read_bytes(os.path.join(str(folder), name)) for name in sorted(os.listdir(str(folder)))}


def refused(found, video, *words):
    """Cut, which must fail and leave the folder as it is. Return its words."""
    before = state(video.parent)
    with pytest.raises(host.UserError) as caught:
        run(found, video, *words)
    assert state(video.parent) == before
    return str(caught.value)


def stand_in(folder, then):
    path = os.path.join(str(folder), "ffmpeg")
    os.makedirs(str(folder), exist_ok=True)
    real = clips.bundled().ffmpeg
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(STAND_IN.format(python=sys.executable, real=real, then=then.replace("REAL", repr(real))))
    os.chmod(path, stat.S_IRWXU)
    return tools.Tools(path, None)


def packets(found, path):
    """Every packet of a file: stream, times, size and hash."""
    return clips.run([found.ffmpeg, "-v", "error", "-i", "file:" + str(path), "-map", "0", "-c", "copy", "-f",
                      "framemd5", "-"])


def taken(path):
    """Return the content of a file, which is then gone."""
    data = files.read_bytes(path)
    os.remove(path)
    return data


def by_stock_and_us(found, source, *words):
    """Cut a video by stock and by us: whether they are equal, and how many frames there are."""
    output = cut.output_of(str(source))
    naive_video.cut(found.ffmpeg, str(source), *words)
    random = output.endswith(RANDOM)
    expected = packets(found, output) if random else files.read_bytes(output)
    os.remove(output)
    assert run(found, source, *words) == output
    frames = probe.count_frames(found, output)
    same = (packets(found, output) if random else files.read_bytes(output)) == expected
    os.remove(output)
    assert len(os.listdir(os.path.dirname(output))) == 1
    return same, frames


# --- the same as stock ----------------------------------------------------------------------------

@pytest.mark.parametrize("kind", COMPARED)
def test_a_cut_equals_that_of_stock(found, kept_clips, kind):
    same, frames = by_stock_and_us(found, kept_clips(kind, found), "00:00:00.200", "00:00:00.700", 0, 25)
    assert same and frames > 4


@pytest.mark.parametrize("start, end, sound, bitrate", [
    ("0", "0.5", 0, 1), ("00:00", "00:00.4", 1, 100), ("00:00:00.000", "00:00:59.000", 0, 25),
    ("0.52", "100:00:00", 7, 3), ("0.1234567", "0.7654321", 0, 25)])
def test_times_tracks_and_bitrates_as_stock_takes_them(found, kept_clips, start, end, sound, bitrate):
    same, frames = by_stock_and_us(found, kept_clips("two tracks", found), start, end, sound, bitrate)
    assert same and frames >= 10


@pytest.mark.parametrize("sound, codecs", [(0, ["vorbis"]), (1, ["vorbis"]), (2, [])])
def test_a_sound_track_that_is_not_there_is_left_out(found, kept_clips, sound, codecs):
    source = kept_clips("two tracks", found)
    output = run(found, source, sound=sound)
    tracks = probe.probe(found, output).sounds
    os.remove(output)
    assert len(tracks) == len(codecs)


@pytest.mark.parametrize("kind", ["plain", "ntsc", "film", "vfr", "doubled", "mpeg-4"])
def test_the_total_of_the_progress_bar(found, kept_clips, kind):
    del Bar.totals[:]
    output = run(found, kept_clips(kind, found), "0.2", "0.6")
    frames = probe.count_frames(found, output)
    os.remove(output)
    # newer ffmpegs no longer fill an mp4 up to the nominal rate
    assert abs(Bar.totals[0] - frames) <= 2 or kind == "doubled" and Bar.totals[0] == 2 * frames


# --- names ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("source, output", [
    ("a.mp4", "a_cut.mp4"), ("a.b.MKV", "a.b_cut.MKV"), ("a", "a_cut"), ("100%.mov", "100%_cut.mov"),
    (".mp4", ".mp4_cut")])
def test_the_name_of_a_cut(source, output):
    assert cut.output_of(os.path.join("folder.x", source)) == os.path.join("folder.x", output)


@pytest.mark.parametrize("name", ["плёнка 脸", "100% %05d", "-i", "a  b", "x" * 200])
def test_names_of_any_kind(tmp_path, monkeypatch, name):
    source = clips.make(clips.bundled(), tmp_path, "plain", name)
    monkeypatch.setattr(tools, "find", clips.bundled)
    VideoEd.cut_video(source, "0", "0.4", 0, 25)
    assert sorted(os.listdir(str(tmp_path))) == sorted([name + ".mp4", name + "_cut.mp4"])
    assert probe.count_frames(clips.bundled(), str(tmp_path / (name + "_cut.mp4"))) == 10


# --- times ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, seconds", [
    ("0", 0), ("00:00:00.000", 0), ("12.25", Fraction(49, 4)), ("2:03", 123), ("02:03", 123), ("1:02:03.5", 3723.5),
    ("100:00:00", 360000), ("10s", 10), ("1500ms", Fraction(3, 2)), ("2us", Fraction(1, 500000)), ("1.", 1),
    (" 00:01:30.500 ", Fraction(181, 2)), ("90", 90), ("0.1", Fraction(1, 10)),
    ("00:00:00.0000001", Fraction(1, 10 ** 7))])
def test_what_is_a_time(text, seconds):
    assert cut.seconds_of(text) == seconds


@pytest.mark.parametrize("text", [
    "", " ", ":", "1:", ":1", "1::2", "-1", "+1", "-00:00:01", ".5", "1,5", "00:00:00,500", "1:2:3:4", "1m",
    "0:60", "1:90", "61:00", "1:1s", "1e3", "abc", "0x10", "00:00:00.5.5", "1 2", "00:100:00", "٣", "00:00:0３", "nan",
    "inf", "-i",
    "00:00:01\n00:00:02"])
def test_what_is_no_time(text):
    with pytest.raises(host.UserError, match="is no time"):
        cut.seconds_of(text)


@given(st.integers(0, 10 ** 6), st.integers(0, 59), st.integers(0, 59), st.text("0123456789", max_size=9))
def test_times_of_any_size(hours, minutes, seconds, digits):
    tail = "{}.{}".format(seconds, digits) if digits else str(seconds)
    exact = seconds + (Fraction(int(digits), 10 ** len(digits)) if digits else 0)
    assert cut.seconds_of(tail) == exact
    assert cut.seconds_of("{}:{}".format(minutes, tail)) == exact + minutes * 60
    assert cut.seconds_of("{}:{:02d}:{}".format(hours, minutes, tail)) == exact + minutes * 60 + hours * 3600


@given(st.text(st.sampled_from("0123456789:. -+es\n٣"), max_size=12))
def test_any_text_is_a_time_or_refused(text):
    try:
        assert cut.seconds_of(text) >= 0
    except host.UserError:
        pass


@pytest.mark.parametrize("start, end, words", [
    ("0.5", "0.5", "The end 0.5 is not after the start 0.5"),
    ("00:00:00.000", "00:00:00.000", "is not after the start"),
    ("00:00:01", "0.5", "The end 0.5 is not after the start 00:00:01"),
    ("2.5", "3", "The video ends before 2.5: it is 2.0 seconds long"),
    ("01:00:00", "02:00:00", "The video ends before 01:00:00"),
    ("x", "1", "x is no time"), ("0", "1m", "1m is no time"), ("-1", "1", "-1 is no time"),
])
def test_times_that_cannot_be_are_refused_before_ffmpeg_starts(tmp_path, video, start, end, words):
    fake = fake_ffmpeg.make(tmp_path / "bin", "real", clips.bundled().ffmpeg)
    assert words in refused(tools.Tools(fake, None), video, start, end)
    assert not fake_ffmpeg.commands(fake, ["-b:v"])


def test_a_minute_of_75_seconds_is_ffmpegs_to_refuse(found, video):
    refused(found, video, "00:00:00", "00:75")


def test_a_cut_behind_the_last_frame(found, tmp_path):
    """The sound is longer than the picture, so there is nothing to see there."""
    source = tmp_path / "clip.mkv"
    clips.run([found.ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=0.5", "-f", "lavfi", "-i",
               "sine=d=2", str(source)])
    before = state(tmp_path)
    with pytest.raises(host.UserError):
        run(found, source, "1.0", "1.5")
    assert state(tmp_path) == before


# --- the last cut stays ---------------------------------------------------------------------------

FAULTS = OrderedDict([
    ("missing", ("does not start", None)),
    ("dies at once", ("it broke", dict(way="dies at once"))),
    ("hangs", ("no longer moved", dict(way="hangs"))),
    ("fails at the end", ("it broke", dict(way="fails at the end"))),
    ("writes garbage", ("frames are missing", dict(way="writes garbage", frames=12, when=("-b:v",)))),
    ("writes nothing", ("frames are missing", dict(way="writes nothing", frames=12, when=("-b:v",)))),
    ("writes no frame", ("frames are missing", dict(way="writes nothing", frames=0, when=("-b:v",)))),
    ("reports fewer", ("frames are missing", dict(way="reports fewer", when=("-b:v",)))),
    ("loses frames", ("frames are missing", dict(way="reports fewer", when=("null",)))),
    ("cannot read it again", ("frames are missing", dict(way="dies at once", when=("null",)))),
    ("leaves a child", ("code 1", dict(way="leaves a child"))),
])


@pytest.mark.parametrize("fault", FAULTS)
def test_the_last_cut_stays_when_ffmpeg(fault, tmp_path, monkeypatch, video):
    monkeypatch.setattr(process, "STALL_SECONDS", 0.5)
    words, way = FAULTS[fault]
    bad = fake_ffmpeg.make(tmp_path / "bin", real=clips.bundled().ffmpeg, **way) if way else str(tmp_path / "none")
    told = refused(tools.Tools(bad, None), video)
    assert words in told and (fault == "missing" or "data_src_cut.mp4 is as it was." in told)
    os.remove(cut.output_of(str(video)))
    assert fault == "missing" or "Nothing was written." in refused(tools.Tools(bad, None), video)


@pytest.mark.parametrize("size", [0, 1000])
def test_the_last_cut_stays_when_the_disk_is_full(tmp_path, video, size):
    then = "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\nos.execv(REAL, [REAL] + sys.argv[1:])".format(size)
    assert "data_src_cut.mp4 is as it was." in refused(stand_in(tmp_path / "bin", then), video)


@pytest.mark.parametrize("kind", ["odd size", "vp9"])
def test_what_stock_cannot_cut_either_leaves_the_last_cut(found, tmp_path, kept_clips, kind):
    source = tmp_path / os.path.basename(kept_clips(kind, found))
    source.write_bytes(files.read_bytes(kept_clips(kind, found)))
    (tmp_path / os.path.basename(cut.output_of(str(source)))).write_bytes(b"the last cut")
    before = state(tmp_path)
    with pytest.raises(host.UserError, match="is as it was"):
        run(found, source)
    assert state(tmp_path) == before


@pytest.mark.parametrize("data", [b"", b"no video " * 999])
def test_the_last_cut_stays_when_the_input_is_no_video(found, video, data):
    video.write_bytes(data)
    assert "is no video" in refused(found, video)


def test_missing_input(monkeypatch, tmp_path):
    with pytest.raises(host.UserError, match="input_file not found"):
        VideoEd.cut_video(str(tmp_path / "none.mp4"), "0", "1", 0, 25)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_last_cut_stays_when_the_program_is_stopped(tmp_path, video, how):
    slow = stand_in(tmp_path / "bin", "words = sys.argv[1:]\nwords.insert(words.index('-ss'), '-re')\n"
                                      "os.execv(REAL, [REAL] + words)")
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ.get("PATH", "")])
    words = ["videoed", "cut-video", "--input-file", str(video), "--from-time", "0", "--to-time", "1.9",
             "--audio-track-id", "0", "--bitrate", "25"]
    running = subprocess.Popen([sys.executable, "-W", "ignore", os.path.join(PROGRAM, "main.py")] + words,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=dict(os.environ, PATH=path), start_new_session=True)
    before = state(video.parent)
    part = video.parent / ".data_src_cut.part.mp4"
    deadline = time.monotonic() + 20
    while not (os.path.exists(slow.ffmpeg + ".pid") and part.exists()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.1)
    began = time.monotonic()
    os.killpg(running.pid, how)
    running.communicate(timeout=20)
    assert time.monotonic() - began < 2.0 and running.returncode != 0
    if how == signal.SIGINT:
        assert state(video.parent) == before
    else:
        assert taken(str(video.parent / "data_src_cut.mp4")) == b"the last cut"
        run(clips.bundled(), video)
        assert sorted(state(video.parent)) == ["data_src.mp4", "data_src_cut.mp4"]
