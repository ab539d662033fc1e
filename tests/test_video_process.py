"""Running ffmpeg: what it is fed, what it says, and that nothing of it stays whatever happens."""
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import clips
import fake_ffmpeg
import numpy as np
import psutil
import pytest
from accel import compat, compat_processes, file_lock, host
from accel.video import process, trial
from accel.video.process import Ending, Progress
from child_processes import is_tracker, words_of

pytestmark = pytest.mark.shared_out

DRIVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "video_driver.py")
RAW = trial.raw_input((96, 64), clips.RATE)


found = clips.found


FOREIGN = set()      # processes that are not of the test


@pytest.fixture(autouse=True)
def nothing_left_over():
    FOREIGN.clear()
    FOREIGN.update(psutil.Process().children(recursive=True))
    others = set(threading.enumerate())
    yield
    assert left_over() == []
    deadline = time.monotonic() + 3  # the watcher looks up once a second
    while [thread for thread in set(threading.enumerate()) - others if type(thread).__name__ != "TMonitor"]:  # tqdm's
        assert time.monotonic() < deadline
        time.sleep(0.01)


def left_over(of=None):
    """Return the living processes of the test below one (ours)."""
    children = (of or psutil.Process()).children(recursive=True)
    return [child for child in children
            if child not in FOREIGN and words_of(child) and not is_tracker(child)]


def with_words(words):
    """Return all processes of the machine with these words in their command lines."""
    return [child for child in psutil.process_iter() if words in words_of(child)]


def command(ffmpeg, *words):
    return [str(ffmpeg)] + list(process.OPENING) + list(words)


def to_nothing(ffmpeg):
    return command(ffmpeg, *(RAW + ["-f", "null", "-"]))


class Feed:
    """Frames that tell how many were taken and whether they were closed."""

    def __init__(self, count, block=bytes(96 * 64 * 3), error=None):
        self.taken, self.closed = 0, 0
        self._generator = self._make(count, block, error)

    def __iter__(self):
        return self._generator

    def _make(self, count, block, error):
        try:
            for _ in range(count):
                self.taken += 1
                yield block
            if error is not None:
                raise error
        finally:
            self.closed += 1


# --- a real ffmpeg --------------------------------------------------------------------------------

def test_frames_fed_are_counted_and_encoded(found, tmp_path):
    path, feed, shown = str(tmp_path / "видео.mkv"), Feed(0), []
    feed._generator = (frame for frame in clips.frames(40))
    ending = process.run(command(found.ffmpeg, *(RAW + ["-c:v", "ffv1", "-pix_fmt", "bgr0", "file:" + path])), feed,
                         shown.append)
    assert ending == Ending(0, 40, [], False)
    assert np.array_equal(clips.decode(found, path), clips.frames(40))
    assert shown[-1].frames == 40 and 1.55 <= shown[-1].seconds <= 1.61
    assert [progress.frames for progress in shown] == sorted(progress.frames for progress in shown)


@pytest.mark.parametrize("block", [bytes(18432), bytearray(18432), memoryview(bytes(18432)),
                                   np.zeros((64, 96, 3), np.uint8), np.zeros(9216, np.uint16), bytes(9216)],
                         ids=["bytes", "bytearray", "memoryview", "picture", "16 bit", "halves"])
def test_any_buffer_is_fed(block):
    count = 6 * 18432 // memoryview(block).nbytes
    ending = process.run(to_nothing(clips.bundled().ffmpeg), [block] * count)
    assert (ending.exit_code, ending.frames) == (0, 6)


@pytest.mark.parametrize("feed", [[], iter([]), [b""], [b"", bytes(18432), b""]])
def test_little_or_nothing_to_feed(feed):
    ending = process.run(to_nothing(clips.bundled().ffmpeg), feed)
    assert ending.frames <= 1 and not ending.stalled


def test_progress_is_shown_while_it_works():
    shown = []

    def slow():
        for number in range(15):
            time.sleep(0.1)
            yield bytes(18432)

    assert process.run(to_nothing(clips.bundled().ffmpeg), slow(), shown.append).frames == 15
    assert len(shown) >= 3 and 0 < shown[-2].frames < 15 and shown[-1].frames == 15
    assert all(isinstance(progress, Progress) for progress in shown)


def test_working_folder(found, tmp_path):
    (tmp_path / "100%d").mkdir()
    ending = process.run(command(found.ffmpeg, *(RAW + ["-f", "image2", "%02d.png"])), clips.frames(3),
                         cwd=str(tmp_path / "100%d"))
    assert ending.exit_code == 0
    assert sorted(os.listdir(str(tmp_path / "100%d"))) == ["01.png", "02.png", "03.png"]


def test_a_feed_that_fails_ends_ffmpeg(found, tmp_path):
    feed = Feed(5, error=ZeroDivisionError("frame 6"))
    with pytest.raises(ZeroDivisionError, match="frame 6"):
        process.run(command(found.ffmpeg, *(RAW + [str(tmp_path / "a.mkv")])), feed)
    assert (feed.taken, feed.closed) == (5, 1)


def test_a_progress_bar_that_fails_ends_ffmpeg():
    def fail(progress):
        raise RuntimeError("no console")

    def slow():
        for number in range(400):
            time.sleep(0.01)
            yield bytes(18432)

    started = time.monotonic()
    with pytest.raises(RuntimeError, match="no console"):
        process.run(to_nothing(clips.bundled().ffmpeg), slow(), fail)
    assert time.monotonic() - started < 3


def test_a_feed_that_fails_ends_one_that_hangs(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        process.run(to_nothing(fake_ffmpeg.make(tmp_path, "hangs")), Feed(2, error=KeyboardInterrupt()))


def test_a_console_that_stands_still_loses_no_frame():
    held = []

    def show(progress):  # a text that is being marked in a console of Windows holds up whoever prints
        if not held:
            held.append(time.sleep(2.5))

    def slow():
        for number in range(30):  # the first report comes after half a second, the last after the end
            time.sleep(0.03)
            yield bytes(18432)

    assert process.run(to_nothing(clips.bundled().ffmpeg), slow(), show) == Ending(0, 30, [], False)


# --- one that misbehaves --------------------------------------------------------------------------

def test_a_program_that_is_not_there(tmp_path):
    (tmp_path / "ffmpeg").write_bytes(b"no program")
    for path in (tmp_path / "missing", tmp_path / "ffmpeg", tmp_path):
        with pytest.raises(host.UserError, match="does not start: .*Put a working ffmpeg there"):
            process.run(to_nothing(path), Feed(1))


@pytest.mark.parametrize("way, after", [("dies at once", 0), ("dies reading", 5 * 18432 + 7)])
def test_dying_early_takes_no_more_of_a_large_feed(tmp_path, way, after):
    feed = Feed(10 ** 6)
    path = fake_ffmpeg.make(tmp_path, way, code=3, after=after, words="пропало")
    ending = process.run(to_nothing(path), feed)
    assert ending == Ending(3, 0, ["пропало"], False)
    assert feed.closed == 1 and feed.taken < 20


def test_failing_at_the_end_is_told(tmp_path):
    path = fake_ffmpeg.make(tmp_path, "fails at the end", real=clips.bundled().ffmpeg, code=5, words="late")
    assert process.run(to_nothing(path), Feed(7)) == Ending(5, 7, ["late"], False)


def test_a_program_killed_from_outside(tmp_path):
    path = fake_ffmpeg.make(tmp_path, "hangs")

    def feed():
        yield bytes(10)
        left_over()[0].kill()
        while True:
            yield bytes(10 ** 6)

    assert process.run(to_nothing(path), feed()).exit_code == -signal.SIGKILL


@pytest.mark.parametrize("speaks", [False, True])
@pytest.mark.parametrize("count", [None, 1, 10 ** 6])
def test_a_stall_ends_it(tmp_path, count, speaks):
    path = fake_ffmpeg.make(tmp_path, "hangs", speaks=speaks)
    feed = None if count is None else Feed(count)
    started = time.monotonic()
    ending = process.run(to_nothing(path), feed, stall_seconds=0.5)
    assert ending.stalled and ending.exit_code != 0 and 0.4 < time.monotonic() - started < 3
    assert feed is None or feed.closed == 1
    assert process.reason(ending) == "it no longer moved"


@pytest.mark.parametrize("speaks", [False, True])
def test_one_that_leaves_the_processor_alone_is_ended_soon(tmp_path, speaks):
    """As a locked-up encoder does, after all frames were taken."""
    path = fake_ffmpeg.make(tmp_path, "hangs", speaks=speaks, after=96 * 64 * 3)
    started = time.monotonic()
    ending = process.run(to_nothing(path), Feed(1), stall_seconds=60, idle_seconds=2)
    assert ending.stalled and 2 < time.monotonic() - started < 12


def test_one_that_uses_the_processor_is_waited_for(tmp_path):
    path = fake_ffmpeg.make(tmp_path, "hangs", works=True)
    started = time.monotonic()
    ending = process.run(to_nothing(path), stall_seconds=3, idle_seconds=0.4)
    assert ending.stalled and 3 < time.monotonic() - started < 8


def test_one_that_moves_data_is_waited_for(tmp_path):
    """As at the end of a long video on a slow share, when its head is put before all else."""
    path = fake_ffmpeg.make(tmp_path, "copies", code=0)
    assert process.run(to_nothing(path), stall_seconds=1, idle_seconds=0.5) == Ending(0, 0, [], False)


def test_one_that_waits_for_another_is_waited_for(tmp_path):
    """Some ffmpegs in a PATH are small programs that start the real one."""
    path = fake_ffmpeg.make(tmp_path, "starts another", code=0)
    assert process.run(to_nothing(path), Feed(3, bytes(10 ** 7)), idle_seconds=0.5) == Ending(0, 0, [], False)


def test_where_no_system_tells_of_its_work_it_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(compat_processes, "work_of", lambda pid: None)
    path = fake_ffmpeg.make(tmp_path, "hangs")
    started = time.monotonic()
    ending = process.run(to_nothing(path), stall_seconds=1.5, idle_seconds=0.2)
    assert ending.stalled and time.monotonic() - started > 1.4


def test_a_console_that_holds_is_no_stall(tmp_path):
    """Marking text in a Windows console holds whoever writes to it, for hours if need be."""
    path = fake_ffmpeg.make(tmp_path, "reports fewer", real=clips.bundled().ffmpeg, fewer=0)
    assert process.run(to_nothing(path), Feed(5), lambda progress: time.sleep(1.5), stall_seconds=0.5) == Ending(
        0, 5, [], False)


def test_a_lock_lasts_as_long_as_ffmpeg(tmp_path):
    """Should we be killed, an ffmpeg that works on keeps the next start out of the folder."""
    path = fake_ffmpeg.make(tmp_path, "hangs")
    lock = file_lock.take(str(tmp_path / "lock"))
    thread = threading.Thread(target=process.run, args=(to_nothing(path),), kwargs={"held": lock, "stall_seconds": 3})
    thread.start()
    while not left_over():
        time.sleep(0.01)
    time.sleep(0.3)
    lock.close()
    with pytest.raises(BlockingIOError):
        file_lock.take(str(tmp_path / "lock"))
    left_over()[0].kill()
    thread.join()
    compat.close_and_remove(file_lock.take(str(tmp_path / "lock")), str(tmp_path / "lock"))


def test_a_slow_feed_is_no_stall():
    def slow():
        for number in range(3):
            time.sleep(0.6)
            yield bytes(18432)

    assert process.run(to_nothing(clips.bundled().ffmpeg), slow(), stall_seconds=0.4) == Ending(0, 3, [], False)


def test_a_child_that_keeps_the_pipes_open_does_not_hold_us_up(tmp_path):
    path = fake_ffmpeg.make(tmp_path, "leaves a child", code=0)
    started = time.monotonic()
    assert process.run(to_nothing(path)).exit_code == 0
    assert time.monotonic() - started < 3
    os.kill(fake_ffmpeg.child_of(path), signal.SIGKILL)


def test_words_without_end_take_no_memory(tmp_path):
    path = fake_ffmpeg.make(tmp_path, "chatters", words="a warning " * 30, times=30000)
    tracemalloc.start()
    try:
        ending = process.run(to_nothing(path), [])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2 * 2 ** 20
    assert ending.lines == [("a warning " * 30).strip()] * 30


def test_a_line_without_end_takes_no_memory(tmp_path):
    path = fake_ffmpeg.make(tmp_path, "dies at once", words="x" * 20000000)
    tracemalloc.start()
    try:
        ending = process.run(to_nothing(path), [])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2 * 2 ** 20 and ending.lines[-1] == "x" * 300 and len(ending.lines) == 30


# --- Ctrl-C ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["feed", "hang", "ask", "thread"])
def test_ctrl_c_leaves_no_process(tmp_path, way):
    ffmpeg = clips.bundled().ffmpeg if way == "feed" else fake_ffmpeg.make(tmp_path, "hangs")
    program = subprocess.Popen([sys.executable, DRIVER, way, ffmpeg], stdout=subprocess.PIPE)
    try:
        assert program.stdout.readline() == b"working\n"
        deadline = time.monotonic() + 5
        children = left_over(psutil.Process(program.pid))
        while not children and way == "ask":
            assert time.monotonic() < deadline
            children = left_over(psutil.Process(program.pid))
        assert len(children) == 1
        time.sleep(0.05)
        started = time.monotonic()
        program.send_signal(signal.SIGINT)  # to it alone: what it started must not need a Ctrl-C of its own
        assert program.stdout.read().endswith(b"interrupted\n")
        assert program.wait(10) == 130
        assert time.monotonic() - started < 2
        assert not [child for child in children if words_of(child)]
        assert with_words(str(tmp_path)) == []
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


# --- words for the user ---------------------------------------------------------------------------

OLD_NVENC = ["[h264_nvenc @ 0x560321856cc0] Cannot load libcuda.so.1",
             "Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0 - maybe "
             "incorrect parameters such as bit_rate, rate, width or height", "Conversion failed!"]
NEW_NVENC = ["[h264_nvenc @ 000001f21ea32c00] Driver does not support the required nvenc API version.",
             "[vost#0:0/h264_nvenc @ 0x555f41eb5480] [enc:h264_nvenc @ 0x555f41eb5ec0] Error while opening encoder - "
             "maybe incorrect parameters such as bit_rate, rate, width or height.",
             "[vf#0:0 @ 0x555f41ed1500] Error sending frames to consumers: Operation not permitted",
             "[vf#0:0 @ 0x555f41ed1500] Task finished with error code: -1 (Operation not permitted)",
             "[vf#0:0 @ 0x555f41ed1500] Terminating thread with return code -1 (Operation not permitted)",
             "[vost#0:0/h264_nvenc @ 0x555f41eb5480] [enc:h264_nvenc @ 0x555f41eb5ec0] Could not open encoder before "
             "EOF",
             "[vost#0:0/h264_nvenc @ 0x555f41eb5480] Task finished with error code: -22 (Invalid argument)",
             "[vost#0:0/h264_nvenc @ 0x555f41eb5480] Terminating thread with return code -22 (Invalid argument)",
             "[out#0/mp4 @ 0x555f41eb4700] Nothing was written into output file, because at least one of its streams "
             "received no packets."]
FULL = ["[out#0/mp4 @ 0x55a1] Could not write header (incorrect codec parameters ?): No space left on device",
        "[vf#0:0 @ 0x55a2] Error sending frames to consumers: No space left on device", "Conversion failed!"]


@pytest.mark.parametrize("lines, why, advice", [
    (OLD_NVENC, "Cannot load libcuda.so.1", "Start again; if it fails again, add --log FILE"),
    (NEW_NVENC, "Driver does not support the required nvenc API version.", "Start again; if it fails again"),
    (["Unrecognized option 'foo'.", "Error splitting the argument list: Option not found"],
     "Unrecognized option 'foo'.", "Start again; if it"),
    (["Missing argument for option 'c:v'.", "Error splitting the argument list: Invalid argument"],
     "Missing argument for option 'c:v'.", "Start again"),
    (["Unknown encoder 'h265'"], "Unknown encoder 'h265'", "This ffmpeg lacks it: choose another encoder."),
    (["[vost#0:0 @ 0x55] Unknown encoder 'h265'", "[vost#0:0 @ 0x55] Error selecting an encoder",
      "Error opening output files: Encoder not found"], "Unknown encoder 'h265'", "This ffmpeg lacks it"),
    (["[libx264 @ 0x14] width not divisible by 2 (95x64)", "Error initializing output stream 0:0 -- "],
     "width not divisible by 2 (95x64)", "Its width or height is an odd number"),
    (FULL, "Could not write header (incorrect codec parameters ?): No space left on device",
     "The disk is full: make room"),
    (["av_interleaved_write_frame(): No space left on device",
      "Error writing trailer of a.mp4: No space left on device"],
     "av_interleaved_write_frame(): No space left on device", "The disk is full"),
    (["a.mp4: Permission denied"], "a.mp4: Permission denied", "protected or open in another program"),
    (["[out#0/mp4 @ 0x5] Error opening output a.mp4: Permission denied", "Error opening output file a.mp4."],
     "Error opening output a.mp4: Permission denied", "protected or open"),
    (["av_interleaved_write_frame(): Input/output error"], "av_interleaved_write_frame(): Input/output error",
     "copy your files to another disk"),
    (["[libx265 @ 0x1] malloc of size 100 failed", "Cannot allocate memory"], "malloc of size 100 failed",
     "There is not enough memory"),
    (["[mov,mp4,m4a,3gp,3g2,mj2 @ 0x1] moov atom not found", "a.mp4: Invalid data found when processing input"],
     "moov atom not found", "The video is damaged or is none"),
    (["[in#0 @ 0x55] Error opening input: No such file or directory", "Error opening input file no.mp4.",
      "Error opening input files: No such file or directory"], "Error opening input: No such file or directory",
     "See that the file is still there"),
    (["[swscaler @ 0x1] deprecated pixel format used", "[libx264 @ 0x1] Error setting preset/tune nope/(null)."],
     "Error setting preset/tune nope/(null).", "Leave --preset and --pix-fmt out"),
    (["Unknown pixel format requested: warp."], "Unknown pixel format requested: warp.",
     "Leave --preset and --pix-fmt out"),
    (["[xyz @ 0x1] Unable to find a suitable output format for 'file:a.xyz'"],
     "Unable to find a suitable output format for 'file:a.xyz'", "This kind of file cannot hold it"),
    (["Output file #0 does not contain any stream"], "Output file #0 does not contain any stream", "no picture in it"),
    (["[swscaler @ 0x1] deprecated pixel format used"], "deprecated pixel format used", "Start again"),
    ([], "it ended with code 1", "Start again")])
def test_reasons_and_failures(lines, why, advice):
    ending = Ending(1, 0, lines, False)
    assert process.reason(ending) == why
    error = process.failure(ending, "The old video is as it was.")
    assert isinstance(error, host.UserError)
    head, _, words = str(error).partition("\nIts last words:\n")
    assert head.startswith("ffmpeg failed (code 1). The old video is as it was. ") and advice in head
    assert bool(words) == bool(lines) and (not lines or why in words) and len(words.splitlines()) <= 6


def test_a_cause_far_up_is_advised_upon():
    ending = Ending(1, 0, FULL[:1] + ["[x @ 0x1] something else"] * 10, False)
    assert "The disk is full" in str(process.failure(ending, "Kept."))


def test_a_stall_in_words():
    assert str(process.failure(Ending(-9, 5, [], True), "Kept.")).startswith(
        "ffmpeg no longer moved and was stopped. Kept. Start again")


@pytest.mark.parametrize("words, why", [
    (["-c:v", "libx264", "-preset", "nope"], "invalid preset 'nope'"), (["-c:v", "nosuch"], "Unknown encoder 'nosuch'"),
    (["-nosuch", "1"], "Unrecognized option 'nosuch'"),
    (["-c:v", "libx264", "-pix_fmt", "yuv420p", "-vf", "crop=95:63:0:0:exact=1"], "not divisible by 2")])
def test_reasons_of_a_real_one(found, tmp_path, words, why):
    ending = process.run(command(found.ffmpeg, *(RAW + words + [str(tmp_path / "a.mkv")])), Feed(3))
    assert ending.exit_code != 0 and why in process.reason(ending), ending


def test_reasons_of_real_files(found, tmp_path):
    for name, why in (("missing.mp4", "No such file"), ("broken.mp4", "moov atom not found")):
        if name == "broken.mp4":
            (tmp_path / name).write_bytes(b"")
        ending = process.run(command(found.ffmpeg, "-i", str(tmp_path / name), "-f", "null", "-"))
        assert ending.exit_code != 0 and why in process.reason(ending)


@pytest.mark.parametrize("told, progress", [
    ({"frame": "12", "out_time_us": "480000", "speed": "1.5x"}, Progress(12, 0.48, 1.5)),
    ({"frame": "12", "out_time_ms": "480000", "speed": "N/A"}, Progress(12, 0.48, None)),
    ({"out_time_us": "N/A", "speed": "1.2e+03x"}, Progress(0, 0.0, 1200.0)), ({}, Progress(0, 0.0, None)),
    ({"frame": "x", "out_time_us": "-2077252342922", "speed": ""}, Progress(0, 0.0, None))])
def test_figures(told, progress):
    assert process._progress(told) == progress


def test_the_bar_moves_to_where_ffmpeg_is():
    with host.progress(total=10) as bar:
        update = process.bar_updater(bar)
        for frames, speed in ((3, None), (7, 2.0), (7, 0.5), (10, 1.0)):
            update(Progress(frames, 1.0, speed))
            assert bar.n == frames
        assert "1.00x" in str(bar)
