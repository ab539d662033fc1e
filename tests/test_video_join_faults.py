"""Join when ffmpeg misbehaves: the old video stays byte for byte, and the words say what to do."""
import os
import signal
import subprocess
import sys
import threading
import time

import clips
import fake_ffmpeg
import psutil
import pytest
from accel import host
from accel.video import encoders, frames, join, probe, process, tools, trial, whole_file
from program import PROGRAM

pytestmark = pytest.mark.shared_out

OLD = b"the old video" * 1000
STAYS = "out.mp4 is as it was."


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """A folder with frames and an old result."""
    clips.write_frames(tmp_path / "frames", 30)
    (tmp_path / "out.mp4").write_bytes(OLD)
    return tmp_path


def stand_in(folder, way, **options):
    path = fake_ffmpeg.make(folder / "bin", way, real=clips.bundled().ffmpeg, **options)
    return tools.Tools(path, None)


def run(found, folder, name="libx264", reference=None, mode=encoders.BITRATE, value=4):
    """Join the frames. Return the Result and what was shown."""
    paths = frames.listing(str(folder / "frames")).paths
    source = probe.probe(found, reference) if reference else None
    job, _ = join.make_job(found, paths, (96, 64), str(folder / "out.mp4"), reference, source and source.video,
                           source.sounds[0] if source else None, clips.RATE)
    return join.run(found, job, encoders.ENCODERS[name], encoders.Wish(mode, value, None, None),
                    lambda total: host.progress(total=total, leave=False))


def refused(found, folder, **options):
    with pytest.raises(host.UserError) as error:
        run(found, folder, **options)
    assert (folder / "out.mp4").read_bytes() == OLD
    assert [name for name in os.listdir(str(folder)) if name.startswith(".out")] == []
    return str(error.value)


def test_missing(folder):
    found = tools.Tools(str(folder / "bin" / "ffmpeg"), None)
    assert "does not start" in refused(found, folder)


@pytest.mark.parametrize("way, options, words", [
    ("dies at once", {}, "ffmpeg failed (code 1). " + STAYS + " Start again"),
    ("dies reading", {"after": 96 * 64 * 3 * 5 + 17, "words": "Segmentation fault"},
     "ffmpeg failed (code 1). " + STAYS),
    ("dies reading", {"after": 50000, "words": "No space left on device"}, "The disk is full: make room"),
    ("fails at the end", {"code": 69}, "ffmpeg failed (code 69). " + STAYS),
    ("fails at the end", {"words": "av_interleaved_write_frame(): Permission denied"}, "protected or open in another"),
    ("writes garbage", {}, "The new video is not right: what it wrote cannot be read. " + STAYS),
    ("writes nothing", {}, "The new video is not right: what it wrote cannot be read. " + STAYS),
    ("writes garbage", {"frames": 29}, "29 of 30 frames were written"),
    ("reports fewer", {}, "29 of 30 frames were written")])
def test_a_fault_leaves_the_old_video(folder, way, options, words):
    said = refused(stand_in(folder, way, **options), folder)
    assert words in said
    if "words" in options:
        assert "Its last words:\n    " + options["words"] in said


def test_a_hang_is_ended(folder, monkeypatch):
    monkeypatch.setattr(process, "STALL_SECONDS", 0.5)     # twice, since it is started once more
    children = psutil.Process().children(recursive=True)
    started = time.monotonic()
    said = refused(stand_in(folder, "hangs", after=1000), folder)
    assert said.startswith("ffmpeg no longer moved and was stopped. " + STAYS)
    assert time.monotonic() - started < 10
    assert psutil.Process().children(recursive=True) == children


def test_an_encoder_that_locks_up_once_is_started_again(folder, capsys, monkeypatch):
    monkeypatch.setattr(process, "STALL_SECONDS", 60)
    monkeypatch.setattr(process, "IDLE_SECONDS", 1)
    found = stand_in(folder, "hangs once", after=30 * 96 * 64 * 3)
    result = run(found, folder, "libx265")
    assert result.encoder == "libx265"
    assert "/!\\ libx265 stood still and is started once more.\n" in capsys.readouterr().out
    assert len(clips.decode(clips.bundled(), str(folder / "out.mp4"))) == 30
    calls = fake_ffmpeg.commands(found.ffmpeg, ["rawvideo"])
    assert [call[call.index("-c:v") + 1] for call in calls] == ["libx265"] * 2


def test_frames_lost_in_the_file_are_noticed(folder, monkeypatch):
    """ffmpeg tells of all frames, and the file holds fewer."""
    real = clips.bundled()
    monkeypatch.setattr(join.probe, "count_frames", lambda found, path: 28)
    assert "the new file holds 28 of 30 frames" in refused(real, folder)


@pytest.mark.parametrize("name", ["libx265", "libaom-av1", "h264_nvenc", "hevc_nvenc", "av1_nvenc", "h264_amf",
                                  "hevc_amf", "h264_qsv", "hevc_qsv", "h264_videotoolbox", "hevc_videotoolbox"])
@pytest.mark.parametrize("mode", [encoders.BITRATE, encoders.QUALITY])
def test_an_encoder_that_fails_is_replaced_with_its_reason(folder, capsys, name, mode):
    found = stand_in(folder, "fails encoders", failing=[name],
                     words="[{} @ 0x5581] No capable devices found".format(name))
    encoder = encoders.ENCODERS[name]
    result = run(found, folder, name, mode=mode, value=9 if mode == encoders.BITRATE else encoder.qualities[2])
    assert result.encoder == "libx264"
    shown = capsys.readouterr().out
    assert "/!\\ {} failed here: No capable devices found. libx264 is used instead.\n".format(name) in shown
    assert len(clips.decode(clips.bundled(), str(folder / "out.mp4"))) == 30
    asked, instead = [call for call in fake_ffmpeg.commands(found.ffmpeg, ["-progress"]) if "rawvideo" in call]
    assert asked[asked.index("-c:v") + 1] == name and instead[instead.index("-c:v") + 1] == "libx264"
    # the numbers of one encoder mean nothing to the other
    if mode == encoders.QUALITY:
        assert instead[instead.index("-crf") + 1] == "18"
    else:
        assert instead[instead.index("-b:v") + 1] == "9M"


def test_a_full_disk_is_not_tried_with_another_encoder(folder):
    found = stand_in(folder, "fails encoders", failing=["libx265"], words="out.mp4: No space left on device")
    assert "The disk is full" in refused(found, folder, name="libx265")


def test_when_nothing_works_the_last_reason_is_told(folder, capsys):
    found = stand_in(folder, "fails encoders", failing=["libx265", "libx264"], words="broken library")
    assert "ffmpeg failed (code 1). " + STAYS in refused(found, folder, name="libx265")
    assert "libx265 failed here: broken library. libx264 is used instead." in capsys.readouterr().out


def test_sound_that_cannot_be_copied_is_encoded(folder, capsys):
    reference = clips.make(clips.bundled(), folder, "with aac", name="reference")
    found = stand_in(folder, "dies at once", when=("-c:a", "copy"), words="Could not find tag for codec")
    result = run(found, folder, reference=reference)
    assert (result.encoder, result.copied) == ("libx264", False)
    assert "The sound cannot be copied (Could not find tag for codec) and is encoded as AAC." in capsys.readouterr().out
    assert [sound.codec for sound in probe.probe(clips.bundled(), str(folder / "out.mp4")).sounds] == ["aac"]


def test_who_wants_no_loss_gets_none_from_libx264_either(folder):
    """FFV1 knows no bitrate; what is asked of it is asked of the other, too."""
    found = stand_in(folder, "fails encoders", failing=["ffv1"])
    paths = frames.listing(str(folder / "frames")).paths
    job, _ = join.make_job(found, paths, (96, 64), str(folder / "out.mkv"), None, None, None, clips.RATE)
    result = join.run(found, job, encoders.ENCODERS["ffv1"], encoders.Wish(encoders.BITRATE, 4, None, None),
                      lambda total: host.progress(total=total, leave=False))
    assert (result.encoder, result.pixel_format) == ("libx264", "bgr24")
    back = clips.decode(clips.bundled(), str(folder / "out.mkv"))
    assert all((picture == original).all() for picture, original in zip(back, clips.frames(30)))


def test_libx264_is_no_way_out_for_a_file_that_cannot_hold_it(folder):
    found = stand_in(folder, "real")
    job = join.Job([], (96, 64), clips.RATE, None, None, None, str(folder / "out.webm"))
    wish = encoders.Wish(encoders.BITRATE, 4, None, None)
    ways = join.attempts(found, job, encoders.ENCODERS["libaom-av1"], wish, False)
    assert [way.encoder.name for way in ways] == ["libaom-av1"]


def test_an_encoder_that_dies_late_keeps_the_copied_sound(folder, capsys):
    reference = clips.make(clips.bundled(), folder, "with aac", name="reference")
    found = stand_in(folder, "fails encoders", failing=["libx265"])
    result = run(found, folder, "libx265", reference=reference)
    assert (result.encoder, result.copied) == ("libx264", True)
    encodings = [call for call in fake_ffmpeg.commands(found.ffmpeg, ["-progress"]) if "rawvideo" in call]
    assert len(encodings) == 2                   # each encoder once
    assert "/!\\ libx265 failed here: it broke. libx264 is used instead." in capsys.readouterr().out


def test_a_frame_that_vanishes_stops_without_a_second_try(folder):
    reference = clips.make(clips.bundled(), folder, "with aac", name="reference")
    paths = frames.listing(str(folder / "frames")).paths
    os.remove(paths[12])
    found = stand_in(folder, "real")
    job, _ = join.make_job(found, paths, (96, 64), str(folder / "out.mp4"), reference, None,
                           probe.probe(found, reference).sounds[0], clips.RATE)
    with pytest.raises(host.UserError, match="00013.png cannot be read: No such file.*the old video is as it was"):
        join.run(found, job, encoders.ENCODERS["libx265"], encoders.Wish(encoders.BITRATE, 4, None, None),
                 lambda total: host.progress(total=total, leave=False))
    assert (folder / "out.mp4").read_bytes() == OLD
    assert len([call for call in fake_ffmpeg.commands(found.ffmpeg, ["-progress"]) if "rawvideo" in call]) == 1


# --- the trial before ------------------------------------------------------------------------

def start(folder, *words, typed=b"", **variables):
    environment = dict(os.environ, PATH=str(folder / "bin") + os.pathsep + os.environ["PATH"], **variables)
    return subprocess.Popen([sys.executable, "-W", "ignore", os.path.join(PROGRAM, "main.py"), "videoed",
                             "video-from-sequence", "--input-dir", str(folder / "frames"), "--output-file",
                             str(folder / "out.mp4"), "--fps", "25", "--bitrate", "4"] + list(words),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def test_a_card_that_is_missing_is_not_offered_and_not_used(folder):
    """All from the command line: the list without it, the option with its reason, the trial kept."""
    listed = ["h264_nvenc", "libx265"]
    found = stand_in(folder, "fails encoders", failing=listed, words="[x @ 0x1] Cannot load nvcuda.dll")
    out, _ = start(folder).communicate(b"0\n\n", timeout=60)
    assert b"[0] libx264: H.264" in out and b"[1] libx265" not in out
    assert b"libx265 (Cannot load nvcuda.dll)" in out
    trials = len(fake_ffmpeg.commands(found.ffmpeg, ["libx265"]))
    out, err = start(folder, "--codec", "libx265").communicate(timeout=60)
    assert b"/!\\ libx265 does not work here: Cannot load nvcuda.dll. libx264 is used instead.\n" in out, err
    assert b"30 frames, 96x64, 25 frames a second, libx264" in out
    # who names an encoder may have mended it, so that it is tried again
    assert (trials, len(fake_ffmpeg.commands(found.ffmpeg, ["libx265"]))) == (1, 2)


def test_a_codec_that_this_ffmpeg_lacks(folder):
    out, err = start(folder, "--codec", "h264_videotoolbox").communicate(timeout=60)
    assert (b"h264_videotoolbox does not work here: this ffmpeg was built without it. libx264 is used instead."
            in out), err


def test_without_libx264_the_next_that_works_is_taken(folder, monkeypatch, capsys):
    from mainscripts import VideoEd
    monkeypatch.setattr(tools, "encoders", lambda ffmpeg: frozenset(["libx265"]))
    monkeypatch.setattr(tools, "find", clips.bundled)
    host.set_unattended(True)
    try:
        VideoEd.video_from_sequence(str(folder / "frames"), str(folder / "out.mp4"), fps=25, ext="png", lossless=False)
    finally:
        host.set_unattended(False)
    out = capsys.readouterr().out
    assert "libx264 does not work here: this ffmpeg was built without it. libx265 is used instead." in out
    assert "25 frames a second, libx265" in out


# --- cut short from outside ------------------------------------------------------------------

def many_frames(folder):
    """Enough frames that a join takes a while: links to the first ones."""
    for number in range(31, 3000):
        os.link(str(folder / "frames" / "{:05d}.png".format(number % 30 + 1)),
                str(folder / "frames" / "{:05d}.png".format(number)))


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ctrl_c_leaves_nothing_behind(folder):
    many_frames(folder)
    stand_in(folder, "real")
    process_ = start(folder, "--yes", "--preset", "placebo")
    part = folder / ".out.part.mp4"
    wait_for(lambda: part.exists() and psutil.Process(process_.pid).children())
    children = psutil.Process(process_.pid).children(recursive=True)
    time.sleep(0.5)
    begun = time.monotonic()
    process_.send_signal(signal.SIGINT)
    _, err = process_.communicate(timeout=20)
    assert time.monotonic() - begun < 2
    assert process_.returncode == 130 and b"Stopped by Ctrl-C" in err and b"Traceback" not in err
    assert psutil.wait_procs(children, timeout=2)[1] == []
    assert (folder / "out.mp4").read_bytes() == OLD
    assert set(os.listdir(str(folder))) - {"cache"} == {"bin", "frames", "out.mp4"}


def test_a_kill_leaves_the_old_video_and_the_next_start_works(folder):
    many_frames(folder)
    stand_in(folder, "real")
    for delay in (0.0, 0.3, 0.8):
        process_ = start(folder, "--yes", "--preset", "placebo")
        wait_for(lambda: (folder / ".out.part.mp4").exists())
        time.sleep(delay)
        children = psutil.Process(process_.pid).children(recursive=True)
        process_.kill()
        process_.communicate()
        assert psutil.wait_procs(children, timeout=20)[1] == []       # ffmpeg ends with its stdin
        assert (folder / "out.mp4").read_bytes() == OLD
    for path in sorted((folder / "frames").iterdir())[30:]:
        path.unlink()
    out, err = start(folder, "--yes").communicate(timeout=60)
    assert b": 30 frames" in out, err
    assert set(os.listdir(str(folder))) - {"cache"} == {"bin", "frames", "out.mp4"}


def test_two_windows_do_not_write_one_video(folder):
    with whole_file.WholeFile(str(folder / "out.mp4")):
        _, err = start(folder, "--yes").communicate(timeout=60)
    assert b"out.mp4 is being written by another window. Wait until it has ended" in err
    assert (folder / "out.mp4").read_bytes() == OLD


def test_threads_and_processes_end(folder):
    before, children = threading.active_count(), psutil.Process().children(recursive=True)
    run(clips.bundled(), folder)
    assert psutil.Process().children(recursive=True) == children
    wait_for(lambda: threading.active_count() <= before, 5)


def test_the_command_of_a_trial_is_that_of_the_join(folder):
    """So that what works in the trial works in the join: only path, sound and size of the data differ."""
    found = stand_in(folder, "real")
    run(found, folder)
    wish = encoders.Wish(encoders.BITRATE, 4, None, None)
    ours = [call for call in fake_ffmpeg.commands(found.ffmpeg, ["rawvideo"])][-1]
    tried, size = trial.trial_command(found, "libx264", wish, ".mp4", (96, 64), clips.RATE, "x.mp4")
    assert size == (96, 64)
    assert [word for word in tried if word != "-an"][:-1] == ours[:-1]
