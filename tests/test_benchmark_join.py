"""The benchmark of join: frames that give an encoder work, results compared as they are seen, one ffmpeg for all."""
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from benchmark_command import RUN, contents, no_first_start, of_size, run_here, start

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from accel import host  # noqa: E402
from accel.video import probe, tools  # noqa: E402
from benchmarks import cases, frames, report, run, stock_tree, timing  # noqa: E402
from benchmarks.cases import join as join_cases  # noqa: E402
from naive import join as naive_join  # noqa: E402

pytestmark = pytest.mark.shared_out(tests=True)

FFMPEG = tools.find().ffmpeg
SIZE = (128, 72)
COUNT = 12


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with COUNT frames in frames/ and their clip, data_dst.mp4."""
    folder = tmp_path_factory.mktemp("scene")
    frames.make_frames(str(folder / "frames"), COUNT, SIZE, ".png", seed=1)
    frames.make_reference(FFMPEG, str(folder / "data_dst.mp4"), COUNT)
    return folder


# --- input -----------------------------------------------------------------------------------

def test_same_seed_same_frames(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert frames.make_frames(str(tmp_path / name), 3, (64, 48), ".png", seed) == [
            "00001.png", "00002.png", "00003.png"]
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


@pytest.mark.parametrize("suffix, least", [(".png", 0.4), (".jpg", 0.15)])
def test_frames_move_and_are_not_small(tmp_path, suffix, least):
    names = frames.make_frames(str(tmp_path), 4, (320, 180), suffix)
    pictures = [cv2.imread(str(tmp_path / name)).astype(int) for name in names]
    assert {picture.shape for picture in pictures} == {(180, 320, 3)}
    assert all((tmp_path / name).stat().st_size > least * 320 * 180 * 3 for name in names)
    assert all(np.abs(a - b).mean() > 2 for a, b in zip(pictures, pictures[1:]))
    assert all(picture.std() > 20 for picture in pictures)


def test_the_reference_has_sound_and_as_many_frames(scene):
    found = probe.probe(tools.find(), str(scene / "data_dst.mp4"))
    assert found.sounds and found.video.average_rate == frames.RATE
    assert probe.count_frames(tools.find(), str(scene / "data_dst.mp4")) == COUNT


def test_decoded_frames_for_the_limit(scene, tmp_path):
    names = sorted(os.listdir(str(scene / "frames")))
    frames.make_raw(FFMPEG, str(scene / "frames"), names, SIZE, str(tmp_path / "raw"))
    assert (tmp_path / "raw").stat().st_size == COUNT * SIZE[0] * SIZE[1] * 3 // 2
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(stock_tree.Unusable, match="ffmpeg could not prepare"):
        frames.make_raw(FFMPEG, str(tmp_path), ["1.png"], SIZE, str(tmp_path / "raw"))


def test_many_names_of_few_files(tmp_path):
    case, = cases.choose(["join.start-20000"])
    names = join_cases.make_tiny(str(tmp_path), 200, case)
    assert names == sorted(os.listdir(str(tmp_path))) and len(names) == 200
    assert len({os.stat(str(tmp_path / name)).st_ino for name in names}) == join_cases.TINY_FILES


# --- the oracle, and equality ----------------------------------------------------------------

def encode(folder, output, *words, rate="25", before=()):
    """Encode the frames of a folder by ffmpeg, with further words."""
    frames.run_ffmpeg([FFMPEG, "-framerate", rate, "-i", str(folder / "%05d.png")] + list(before) + list(words)
                      + [str(output)])
    return join_cases.look_at(FFMPEG, str(output))


@pytest.fixture(scope="module")
def joined(scene, tmp_path_factory):
    """What the naive oracle makes of the scene, looked at."""
    output = str(tmp_path_factory.mktemp("joined") / "result.mp4")
    assert naive_join.main([FFMPEG, str(scene / "frames"), output, "25", "--sound",
                            str(scene / "data_dst.mp4")]) == 0
    return join_cases.look_at(FFMPEG, output)


H264 = ("-c:v", "libx264", "-b:v", "16M", "-pix_fmt", "yuv420p")
TO_709 = ("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p")
TAGGED_709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


def test_the_oracle_joins_all_frames_in_order(scene, joined):
    assert joined.size == SIZE and joined.rate == "25" and joined.sound and len(joined.cells) == COUNT
    for index, name in enumerate(sorted(os.listdir(str(scene / "frames")))):
        picture = cv2.resize(cv2.imread(str(scene / "frames" / name)), join_cases.SEEN, interpolation=cv2.INTER_AREA)
        cells = picture[..., ::-1].reshape(4, 9, 4, 16, 3).mean(axis=(1, 3))
        assert np.abs(cells - joined.cells[index]).max() < 2


def sound(scene):
    return ["-i", str(scene / "data_dst.mp4"), "-map", "0:v", "-map", "1:a", "-c:a", "copy"]


def test_other_colours_inside_that_are_seen_the_same_are_equal(scene, joined, tmp_path):
    ours = encode(scene / "frames", tmp_path / "r.mp4", *H264 + TO_709 + TAGGED_709, before=sound(scene))
    assert join_cases.compare(joined, ours, COUNT) == "yes"
    assert join_cases.compare(joined, ours, COUNT + 1) == "NO"


def test_colours_with_wrong_tags_differ(scene, joined, tmp_path):
    wrong = ("-vf", TO_709[1] + ",setparams=colorspace=smpte170m", "-colorspace", "smpte170m")
    ours = encode(scene / "frames", tmp_path / "r.mp4", *H264 + wrong, before=sound(scene))
    assert ours[:3] == joined[:3]
    assert join_cases.compare(joined, ours, COUNT) == "NO"


@pytest.mark.parametrize("rate, silent, further", [
    ("30", False, ()), ("25", True, ()), ("25", False, ("-frames:v", str(COUNT - 1))),
    ("25", False, ("-s", "130x72")), ("25", False, ("-vf", "negate")), ("25", False, ("-vf", "reverse"))], ids=str)
def test_what_else_differs(scene, joined, tmp_path, rate, silent, further):
    ours = encode(scene / "frames", tmp_path / "r.mp4", *H264 + further, rate=rate,
                  before=[] if silent else sound(scene))
    assert join_cases.compare(joined, ours, COUNT) == "NO"


def test_no_video(tmp_path):
    assert join_cases.look_at(FFMPEG, str(tmp_path / "nothing.mp4")) is None
    (tmp_path / "r.mp4").write_bytes(b"no video")
    assert join_cases.look_at(FFMPEG, str(tmp_path / "r.mp4")) is None


# --- to the first frame ----------------------------------------------------------------------

def test_a_video_has_begun(tmp_path):
    assert not join_cases.has_begun(str(tmp_path))
    (tmp_path / "result.mp4").write_bytes(b"")
    (tmp_path / "notes").mkdir()
    assert not join_cases.has_begun(str(tmp_path))
    (tmp_path / ".result.part.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    assert join_cases.has_begun(str(tmp_path))


BEGIN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(0.4)
open(sys.argv[1] + ".begun", "w").close()
time.sleep(60)
"""


def test_a_process_is_timed_until_and_killed_with_its_children(tmp_path):
    import psutil
    note = str(tmp_path / "note")
    result = timing.run_process([sys.executable, "-c", BEGIN, note], str(tmp_path / "log"),
                                until=lambda: os.path.exists(note + ".begun"))
    assert result.exit_code == 0 and 0.4 < result.seconds < 20
    with open(note) as stream:
        child = int(stream.read())
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    raise AssertionError("the child still runs")


def test_a_process_that_ends_before_has_its_own_code(tmp_path):
    result = timing.run_process([sys.executable, "-c", "raise SystemExit(3)"], str(tmp_path / "log"),
                                until=lambda: False)
    assert result.exit_code == 3


def test_memory_of_children_counts(tmp_path):
    code = ("import subprocess, sys; subprocess.check_call([sys.executable, '-c', "
            "'block = bytearray(200000000); import time; time.sleep(0.4)'])")
    assert 200 < timing.run_process([sys.executable, "-c", code], str(tmp_path / "log")).megabytes < 500


# --- commands and tools ----------------------------------------------------------------------

def test_the_words(tmp_path):
    stage, folder = str(tmp_path / "stage"), tmp_path / "in"
    folder.mkdir()
    given = join_cases.Input(str(folder), ["1.png"], Fraction(25), True, SIZE, "raw.yuv")
    spoken = ["videoed", "video-from-sequence", "--input-dir", str(folder / "frames"), "--output-file",
              os.path.join(stage, "video", "result.mp4"), "--bitrate", "16"]
    assert join_cases.words(given, stage) == spoken + ["--fps", "25"]
    (folder / "data_dst.mov").write_bytes(b"")
    spoken += ["--reference-file", str(folder / "data_dst.*"), "--include-audio"]
    assert join_cases.stock_command(given, stage, "tree", "python")[2:] == spoken
    assert join_cases.our_command(given, stage)[2:] == spoken + ["--codec", "libx264", "--yes"]
    assert join_cases.naive_command(given, stage, "ff")[-2:] == ["--sound", str(folder / "data_dst.mov")]
    case, = cases.choose(["join.2160p-png"])
    assert "raw.yuv" in join_cases.limit_command(case, given, "ff")


def program(path):
    """Put a stand-in for a program somewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sys.executable, str(path))
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(os.name == "nt", reason="programs have a suffix there")
def test_one_ffmpeg_for_all(tmp_path, monkeypatch):
    stock = stock_tree.Stock(str(tmp_path / "_internal" / "DeepFaceLab"))
    theirs = program(tmp_path / "_internal" / "ffmpeg" / "ffmpeg")
    assert join_cases.find_tools(stock, "nowhere") == (theirs, None)
    package = program(tmp_path / "package" / "ffmpeg-linux64-v4.2.2")
    monkeypatch.setattr(tools, "find", lambda: tools.Tools(package, None))
    mine = str(tmp_path / "new" / "ffmpeg")
    assert join_cases.find_tools(None, str(tmp_path / "new")) == (mine, None)
    assert os.access(mine, os.X_OK)


@pytest.fixture
def small(monkeypatch):
    of_size(monkeypatch, join_cases.Join, size=SIZE)
    monkeypatch.setattr(join_cases, "SIZE_FOR_ORACLE", SIZE)


@pytest.fixture
def few_encoders(monkeypatch):
    """Trying all encoders takes seconds."""
    monkeypatch.setattr(join_cases, "PRINT_ENCODERS", "print('[\"libx264\"]')")


def test_no_ffmpeg_is_told(tmp_path, monkeypatch, capsys):
    def none():
        raise host.UserError("ffmpeg is missing.")
    monkeypatch.setattr(tools, "find", none)
    code, saved = run_here(tmp_path, monkeypatch, "--frames", "3", "--cases", "join.720p-png")
    assert code == 1 and "ffmpeg is missing." in capsys.readouterr().out
    assert saved["encoders"] is None and saved["cases"][0]["ratio"] is None


def stock(folder, code):
    """Make a tree that is called DeepFaceLab."""
    folder.mkdir()
    (folder / "main.py").write_text(code)
    return str(folder)


def test_no_ffprobe_is_told(tmp_path, monkeypatch, capsys, few_encoders, small):
    found = tools.find()._replace(ffprobe=None)
    monkeypatch.setattr(join_cases, "find_tools", lambda *_: found)
    tree = stock(tmp_path / "stock", "raise SystemExit('started')")
    no_first_start(monkeypatch)
    words = ("--frames", "3", "--cases", "join.720p-jpg", "--stock", tree)
    assert run_here(tmp_path, monkeypatch, *words)[0] == 1
    out = capsys.readouterr().out
    assert "DeepFaceLab needs ffprobe beside ffmpeg" in out and "started" not in out


def test_a_baseline_that_makes_no_video_has_failed(tmp_path, monkeypatch, capsys, few_encoders, small):
    monkeypatch.setattr(join_cases, "find_tools", lambda *_: tools.find()._replace(ffprobe="ffprobe"))
    tree = stock(tmp_path / "stock", "print('ffmpeg fail')")
    no_first_start(monkeypatch)
    words = ("--frames", "3", "--cases", "join.720p-jpg,join.start*", "--stock", tree)
    code, saved = run_here(tmp_path, monkeypatch, *words)
    out = capsys.readouterr().out
    assert out.count("No video came out.\nffmpeg fail") == 2 and "DIFFER" not in out
    assert code == 1 and [case["equal"] for case in saved["cases"]] == [None, None]


def test_a_difference_is_shown_and_fails(tmp_path, monkeypatch, capsys, few_encoders, small):
    real = join_cases.naive_command
    monkeypatch.setattr(join_cases, "naive_command", lambda given, stage, ffmpeg: real(
        given._replace(rate=Fraction(30)), stage, ffmpeg))
    code, saved = run_here(tmp_path, monkeypatch, "--frames", "3", "--cases", "join.720p-jpg")
    assert code == 1 and "DIFFER" in capsys.readouterr().out and saved["cases"][0]["equal"] == "NO"


# --- the command -----------------------------------------------------------------------------

def test_quick_run_against_the_oracle(tmp_path):
    names = ["join.720p-jpg", "join.start-20000"]
    chosen = ",".join(names + ["sort.start"])
    code, out, err, saved = start(tmp_path, "--frames", "4", "--no-picture", "--cases", chosen)
    assert code == 0, out + err
    assert [case["case"] for case in saved["cases"]] == ["sort.start"] + names
    assert [case["unit"] for case in saved["cases"]] == ["faces"] + 2 * ["frames"]
    assert all(case["equal"] == "yes" and case["frames"] == 4 for case in saved["cases"][1:])
    assert all(case["limit"]["seconds"] for case in saved["cases"])
    assert saved["faces_from"].startswith("generated") and saved["frames_from"].startswith("generated")
    assert "libx264" in saved["encoders"] and saved["ffmpeg"] in out
    assert "faces/frames" in out.splitlines()[0] and "Encoders that work here: libx264" in out


def test_png_frames(tmp_path, monkeypatch, few_encoders, small):
    code, saved = run_here(tmp_path, monkeypatch, "--frames", "3", "--cases", "join.720p-png")
    assert code == 0 and [case["equal"] for case in saved["cases"]] == ["yes"]


def test_large_frames_are_for_deepfacelab_only():
    def applying(stock):
        join = join_cases.Join(SimpleNamespace(stock=stock))
        return {case.name for case in join_cases.CASES if join.applies(case)}
    assert applying(True) - applying(None) == {"join.2160p-png", "join.2160p-jpg"}
    assert "join.720p-png" in applying(None)


def test_own_frames_are_copied_and_never_changed(tmp_path, monkeypatch, few_encoders):
    own = tmp_path / "мой проект"
    frames.make_frames(str(own / "data_dst" / "merged"), 9, (80, 60), ".jpg")
    (own / "data_dst" / "merged" / "1.png").write_bytes(b"left over")
    frames.make_reference(FFMPEG, str(own / "data_dst.mkv"), 9)
    before = contents(own)
    code, saved = run_here(tmp_path, monkeypatch, "--frames", "5", "--cases", "join.*", "--workspace", str(own))
    assert code == 0 and [(case["case"], case["frames"], case["equal"]) for case in saved["cases"]] == [
        ("join.own", 5, "yes"), ("join.start-20000", 5, "yes")]
    assert saved["frames_from"] == "user"
    assert contents(own) == before


def test_all_own_frames_when_there_are_few(tmp_path, monkeypatch, few_encoders):
    frames.make_frames(str(tmp_path / "data_dst" / "merged"), 3, (81, 61), ".png")     # odd: 4:2:0 is padded or cut
    frames.make_reference(FFMPEG, str(tmp_path / "data_dst.mp4"), 3)
    case, = run_here(tmp_path, monkeypatch, "--cases", "join.own", "--workspace", str(tmp_path))[1]["cases"]
    assert case["frames"] == 3 and case["ours"]["seconds"] and case["limit"]["seconds"]


@pytest.mark.parametrize("words, told", [
    (["--cases", "join.own"], "join.own cannot be measured"),
    (["--cases", "join.*", "--workspace", "nowhere"], "no folder nowhere"),
])
def test_wrong_words_are_one_line(tmp_path, monkeypatch, capsys, words, told):
    code, _ = run_here(tmp_path, monkeypatch, *words)
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert len(err.splitlines()) == 1 and told in err


def test_faces_without_frames_leave_join_with_its_own(tmp_path, capsys):
    join = join_cases.Join(SimpleNamespace(stock=None, arguments=SimpleNamespace(workspace=str(tmp_path))))
    join.check()
    assert "join.720p-jpg" in [case.name for case in join.CASES if join.applies(case)]
    assert "no frames in data_dst/merged" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="no process gets Ctrl-C alone there")
@pytest.mark.parametrize("moment, count", [("making", 40), ("first start", 8)])
def test_an_interrupt_leaves_nothing(tmp_path, moment, count):
    place = tmp_path / "place"
    place.mkdir()
    words = ["--cases", "join.720p-png", "--frames", str(count), "--json", str(tmp_path / "r.json")]
    process = subprocess.Popen(RUN + words,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True,
                               env=dict(os.environ, TMPDIR=str(place), TEMP=str(place), TMP=str(place)))
    try:
        for line in process.stderr:
            if moment in line:
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait() == 130
    finally:
        process.kill()
        process.stderr.close()
    assert "Traceback" not in told
    assert list(place.iterdir()) == [] and not (tmp_path / "r.json").exists()


# --- what run.py asks of every step ----------------------------------------------------------

def test_every_case_says_what_the_table_needs():
    names = [case.name for case in cases.ALL]
    assert len(names) == len(set(names))
    for step in cases.STEPS:
        assert step.UNIT in report.UNITS and hasattr(run.parse([]), step.UNIT)
        for case in step.CASES:
            assert case.items >= 0 and case.quick_items > 0
            assert case.goal is None or case.goal > 0
