"""Trials: only encoders that work here are offered, each is tried once, and what is kept never misleads."""
import json
import os
import stat
import time

import clips
import fake_ffmpeg
import pytest
from accel import compat
from accel.video import encoders, process, tools, trial
from accel.video.encoders import BITRATE, LOSSLESS, QUALITY, Wish
from accel.video.tools import Tools
from accel.video.trial import Trial

pytestmark = pytest.mark.shared_out

SIZE, RATE = (96, 64), clips.NTSC
AS_16_MBIT = Wish(BITRATE, 16, None, None)
WISHES = {mode: Wish(mode, 16 if mode == BITRATE else None, None, None) for mode in (BITRATE, QUALITY, LOSSLESS)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A folder of this test's own for what is kept; its path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dfl-accel" / "encoders.json"


def stand_in(folder, way="real", **more):
    """A fake in place of imageio's ffmpeg; Tools."""
    return Tools(fake_ffmpeg.make(folder, way, real=clips.bundled().ffmpeg, **more), None)


def tried(found):
    """Names of the encoders that were tried."""
    return [call[call.index("-c:v") + 1] for call in fake_ffmpeg.commands(found.ffmpeg, ["-progress"])]


def offered(found, wish=AS_16_MBIT, suffix=".mp4", **more):
    return trial.offered(found, wish, suffix, SIZE, RATE, **more)


def works(results):
    return [name for name in results if results[name].works]


@pytest.fixture
def listed(monkeypatch):
    """Let every ffmpeg list the encoders given."""
    def let(*names):
        monkeypatch.setattr(tools, "encoders", lambda ffmpeg: frozenset(names))
    return let


# --- real ones ------------------------------------------------------------------------------------

@pytest.mark.parametrize("found", clips.ffmpegs(), ids=clips.called)
@pytest.mark.parametrize("mode, suffix", [(BITRATE, ".mp4"), (QUALITY, ".mkv"), (LOSSLESS, ".mkv"), (BITRATE, ".mov"),
                                          (QUALITY, ".webm"), (LOSSLESS, ".avi")])
def test_what_is_offered_works_and_the_rest_says_why(found, mode, suffix):
    results = offered(found, WISHES[mode], suffix)
    assert list(results) == [name for name in encoders.ENCODERS if name in results]
    for name, result in results.items():
        assert encoders.refusal(encoders.ENCODERS[name], WISHES[mode], suffix) is None
        assert (result.reason is None) == result.works, name
        if name not in tools.encoders(found.ffmpeg):
            assert result == Trial(False, "this ffmpeg was built without it")
    for name, kinds in (("libx264", (".mp4", ".mkv", ".mov", ".avi")), ("libx265", (".mp4", ".mkv", ".mov"))):
        assert (name in works(results)) == (suffix in kinds)
    for name in ("h264_nvenc", "hevc_amf", "h264_videotoolbox"):
        assert name not in works(results)  # no machine that tests has such a card


@pytest.mark.parametrize("found", clips.ffmpegs(), ids=clips.called)
def test_odd_sizes_are_tried_as_they_are_joined(found):
    assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", (97, 63), RATE).works


# --- what fails -----------------------------------------------------------------------------------

def test_a_card_that_is_missing_is_not_offered(tmp_path, listed):
    listed("libx264", "h264_nvenc", "hevc_nvenc")
    found = stand_in(tmp_path, "fails encoders", failing=["h264_nvenc", "hevc_nvenc"],
                     words="[h264_nvenc @ 0x1] Cannot load libcuda.so.1")
    results = offered(found)
    assert works(results) == ["libx264"]
    assert results["h264_nvenc"] == results["hevc_nvenc"] == Trial(False, "Cannot load libcuda.so.1")
    assert results["libx265"] == Trial(False, "this ffmpeg was built without it")
    assert sorted(tried(found)) == ["h264_nvenc", "hevc_nvenc", "libx264"]


@pytest.mark.parametrize("way, more, reason", [
    ("dies at once", {"words": "Driver is too old"}, "Driver is too old"), ("writes nothing", {}, "it lost frames"),
    ("reports fewer", {}, "it lost frames"), ("fails at the end", {"words": "Error late"}, "Error late"),
    ("dies reading", {"after": 20000, "words": ""}, "it ended with code 1")])
def test_reasons(tmp_path, way, more, reason):
    result = trial.trial(stand_in(tmp_path, way, **more), "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    assert not result.works and result.reason.startswith(reason)


def test_one_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "_STALL_SECONDS", 0.5)
    started = time.monotonic()
    result = trial.trial(stand_in(tmp_path, "hangs"), "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    assert result == Trial(False, "it no longer moved") and time.monotonic() - started < 3


def test_one_that_locks_up_once_works(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "_IDLE_SECONDS", 1)
    found = stand_in(tmp_path, "hangs once")
    assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE).works
    assert len(tried(found)) == 2


@pytest.mark.parametrize("words", [
    "Codec AVOption crf (The quality) specified for output file #0 (trial.mp4) has not been used for any stream.",
    "[out#0/mp4 @ 0x1] Codec AVOption crf (The quality) has not been used for any stream."])
def test_an_option_that_is_of_no_use_is_a_failure(tmp_path, words):
    found = stand_in(tmp_path, "fails at the end", code=0, words=words)
    result = trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    assert not result.works and "does not know what it needs: " in result.reason and "AVOption crf" in result.reason


def test_a_program_that_no_longer_starts_is_a_reason_too(tmp_path, listed):
    listed("libx264")
    found = stand_in(tmp_path)
    tools.version(found.ffmpeg)
    with open(found.ffmpeg, "w") as file:
        file.write("no program")
    assert "does not start" in offered(found)["libx264"].reason


# --- libaom ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("has, failing, expected, asked", [
    (["libsvtav1", "libaom-av1"], [], ["libsvtav1"], ["libsvtav1"]),
    (["libaom-av1"], [], ["libaom-av1"], ["libaom-av1"]),
    (["libsvtav1", "libaom-av1"], ["libsvtav1"], ["libaom-av1"], ["libsvtav1", "libaom-av1"])])
def test_libaom_only_where_no_libsvtav1_works(tmp_path, listed, monkeypatch, has, failing, expected, asked):
    listed(*has)
    seen = []

    def run(command, feed=None, stall_seconds=None, idle_seconds=None):
        name = command[command.index("-c:v") + 1]
        seen.append(name)
        with open(command[-1][len("file:"):], "wb") as file:
            file.write(b"x")
        return process.Ending(1 if name in failing else 0, trial.FRAMES, [], False)

    monkeypatch.setattr(process, "run", run)
    results = offered(stand_in(tmp_path), suffix=".webm")
    assert works(results) == expected and seen == asked
    assert list(results) == [name for name in encoders.ENCODERS if name in results]


# --- what is kept ---------------------------------------------------------------------------------

def test_a_second_time_nothing_is_started(tmp_path, listed, cache):
    listed("libx264", "libx265", "h264_nvenc")
    found = stand_in(tmp_path / "папка 脸", "fails encoders", failing=["h264_nvenc"], words="нет карты: cannot")
    first = offered(found)
    assert len(tried(found)) == 3
    fake_ffmpeg.forget(found.ffmpeg)
    assert offered(found) == first and tried(found) == []
    assert first["h264_nvenc"].reason == "нет карты: cannot"
    cache.read_bytes().decode("ascii")
    assert not [name for name in os.listdir(str(cache.parent)) if name != "encoders.json"]


@pytest.mark.parametrize("change", ["size", "time", "path", "wish", "suffix", "frame", "fresh"])
def test_what_is_tried_again(tmp_path, change):
    found = stand_in(tmp_path / "one")
    arguments = dict(wish=AS_16_MBIT, suffix=".mp4", size=SIZE, rate=RATE)
    trial.trial(found, "libx264", **arguments)
    if change == "size":
        with open(found.ffmpeg, "a") as file:
            file.write("\n# a newer release\n")
        os.utime(found.ffmpeg, (1e9, 1e9))
    elif change == "time":
        os.utime(found.ffmpeg, (1e9, 1e9))
    elif change == "path":
        found = stand_in(tmp_path / "two")
    elif change == "wish":
        arguments["wish"] = Wish(LOSSLESS, None, None, None)
    elif change == "suffix":
        arguments["suffix"] = ".mkv"
    elif change == "frame":
        arguments["size"] = (128, 96)
    fake_ffmpeg.forget(found.ffmpeg)
    assert trial.trial(found, "libx264", fresh=change == "fresh", **arguments).works
    assert len(tried(found)) == 1


def test_a_link_is_the_same_program(tmp_path):
    found = stand_in(tmp_path)
    os.symlink(found.ffmpeg, str(tmp_path / "link"))
    trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    trial.trial(Tools(str(tmp_path / "link"), None), "libx264", AS_16_MBIT, ".MP4", SIZE, clips.RATE)
    assert len(tried(found)) == 1


@pytest.mark.parametrize("works_now, age, again", [(False, 3600, False), (False, 25 * 3600, True),
                                                   (False, -3600, True), (True, 25 * 3600, False)])
def test_failures_are_believed_for_a_day(tmp_path, monkeypatch, works_now, age, again):
    found = stand_in(tmp_path, "real" if works_now else "dies at once")
    trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    now = time.time()
    monkeypatch.setattr(trial.time, "time", lambda: now + age)
    trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    assert len(tried(found)) == (2 if again else 1)


BROKEN = [b"", b"{", b"\xff\xfe", b"[]", b"null", b"3", b'{"a": 1}', b'{"a": [1, 2, 3]}',
          b'{"a": {"x": 1, "y": 2, "z": 3}}', b'{"a": "abc"}', b'{"a": [true, 5, 1.0]}',
          b'{"a": [true, null, NaN]}', b"[" * 100000, b'{"a": []}']


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_ignored_and_replaced(tmp_path, cache, content):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content)
    found = stand_in(tmp_path)
    for _ in range(2):
        assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE) == Trial(True, None)
    assert len(tried(found)) == 1


@pytest.mark.parametrize("entry", [["yes", None, 1.0], [True, None], [1, None, 1.0], [True, None, "x"]])
def test_a_broken_entry_is_ignored(tmp_path, cache, entry):
    found = stand_in(tmp_path)
    trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    cache.write_text(json.dumps({key: entry for key in json.loads(cache.read_text())}))
    assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE).works
    assert len(tried(found)) == 2


@pytest.mark.parametrize("obstacle", ["a file", "a folder", "cannot be made", "protected"])
def test_without_a_place_all_is_forgotten(tmp_path, monkeypatch, cache, obstacle):
    if obstacle == "a file":
        cache.parent.parent.write_text("in the way")
    elif obstacle == "a folder":
        cache.mkdir(parents=True)
    else:
        def refuse(*arguments):
            raise PermissionError(13, "denied")
        target = (compat, "user_cache_folder") if obstacle == "cannot be made" else (trial.files, "write_atomic")
        monkeypatch.setattr(target[0], target[1], refuse)
    found = stand_in(tmp_path)
    for _ in range(2):
        assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE).works
    assert len(tried(found)) == 2


def test_the_file_does_not_grow_without_end(tmp_path, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({str(number): [True, None, float(number)] for number in range(2000)}))
    trial.trial(stand_in(tmp_path), "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    kept = json.loads(cache.read_text())
    assert len(kept) == 500 and "1999" in kept and "1500" not in kept


def test_two_programs_do_not_forget_each_others_trials(tmp_path):
    first, second = stand_in(tmp_path / "one"), stand_in(tmp_path / "two")
    books = [trial._Book(found.ffmpeg) for found in (first, second)]
    for found, book in zip((first, second), books):
        trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE, book)
    for book in books:
        book.close()
    for found in (first, second):
        fake_ffmpeg.forget(found.ffmpeg)
        assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE).works and tried(found) == []


def test_nothing_stays_in_the_temp_folder(tmp_path, monkeypatch):
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    for way in ("real", "dies at once", "writes garbage"):
        trial.trial(stand_in(tmp_path / way.replace(" ", "_"), way), "libx264", AS_16_MBIT, ".mp4", SIZE, RATE)
    assert os.listdir(str(tmp_path / "temp")) == []


# --- the command ----------------------------------------------------------------------------------

def test_what_is_run_is_the_command(tmp_path, listed):
    listed("libx264", "libx264rgb", "libx265", "h264_nvenc", "ffv1")
    found = stand_in(tmp_path, "fails encoders", failing=["h264_nvenc"])
    for mode, suffix in ((BITRATE, ".mp4"), (QUALITY, ".mkv"), (LOSSLESS, ".mkv")):
        fake_ffmpeg.forget(found.ffmpeg)
        results = offered(found, WISHES[mode], suffix)
        ran = {}
        for call in fake_ffmpeg.commands(found.ffmpeg, ["-progress"]):
            ran[call[call.index("-c:v") + 1].replace("libx264rgb", "libx264")] = call
        assert set(ran) == {name for name in results if name in tools.encoders(found.ffmpeg)}
        for name, call in ran.items():
            wish = trial._usual(name, WISHES[mode])
            expected, size = trial.trial_command(found, name, wish, suffix, SIZE, RATE, "PATH")
            assert call[:-1] == expected[:-1] and call[-1].endswith("trial" + suffix) and size == SIZE


def test_the_command_word_for_word(listed, monkeypatch):
    listed("libx264")
    monkeypatch.setattr(tools, "version", lambda ffmpeg: (5, 1))
    words, size = trial.trial_command(Tools("ffmpeg", None), "libx264", AS_16_MBIT, ".mp4", (97, 63), RATE, "a.mp4")
    assert size == (98, 64)
    assert words == [
        "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-nostats", "-progress", "pipe:1", "-y",
        "-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", "98x64", "-framerate", "30000/1001", "-i", "pipe:0",
        "-an", "-c:v", "libx264", "-b:v", "16M",
        "-vf", "scale=out_color_matrix=bt601:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p,"
               "setparams=range=tv:colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m",
        "-pix_fmt", "yuv420p", "-color_range", "tv", "-colorspace", "smpte170m", "-color_primaries", "smpte170m",
        "-color_trc", "smpte170m", "-movflags", "+faststart+write_colr", "file:a.mp4"]


def test_the_stand_in_is_what_it_seems(tmp_path):
    found = stand_in(tmp_path)
    assert os.stat(found.ffmpeg).st_mode & stat.S_IXUSR
    assert tools.version(found.ffmpeg) == tools.version(clips.bundled().ffmpeg)


def test_what_works_now_forgets_what_failed_before(tmp_path):
    """--list-codecs tries another size than the join: a driver that was installed since must not stay unknown."""
    found = stand_in(tmp_path, "dies at once")
    for name in ("libx264", "libx265"):
        for size in ((96, 64), (128, 96)):
            trial.trial(found, name, AS_16_MBIT, ".mp4", size, RATE)
    with open(found.ffmpeg) as file:
        broken = file.read()
    times = os.stat(found.ffmpeg)
    script = broken.replace('"way": "dies at once"', '"way": "real"') + "#"
    with open(found.ffmpeg, "w") as file:                   # the same file to those who look at size and time
        file.write(script[:len(broken)].ljust(len(broken), "#"))
    os.utime(found.ffmpeg, ns=(times.st_atime_ns, times.st_mtime_ns))
    fake_ffmpeg.forget(found.ffmpeg)
    assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", (160, 96), RATE).works
    assert trial.trial(found, "libx264", AS_16_MBIT, ".mp4", (96, 64), RATE).works
    assert not trial.trial(found, "libx265", AS_16_MBIT, ".mp4", (96, 64), RATE).works     # nothing is known of it
    assert tried(found) == ["libx264", "libx264"]


def test_who_asks_for_an_encoder_does_not_get_an_old_failure(tmp_path):
    found = stand_in(tmp_path, "dies at once")
    for believe, times in ((True, 1), (True, 1), (False, 2), (False, 3)):
        trial.trial(found, "libx264", AS_16_MBIT, ".mp4", SIZE, RATE, believe_failure=believe)
        assert len(tried(found)) == times
