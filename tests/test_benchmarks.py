"""The benchmark: facesets that look and read like real ones, and ratios only where results are equal."""
import errno
import json
import os
import pickle
import re
import signal
import struct
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from benchmark_command import RUN, content, contents, row, run_here, start

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from accel import landmarks as alignment  # noqa: E402
from benchmarks import cases, report, run, timing, workspace  # noqa: E402
from benchmarks.cases import sort as sort_cases  # noqa: E402
from naive import metadata as naive_metadata  # noqa: E402

pytestmark = pytest.mark.shared_out(tests=True)

SECOND_PERSON_SEED = 4


def metadata_of(path):
    """The metadata of a face, read by hand; {} where there is none."""
    data = path.read_bytes()
    at = data.find(b"\xff\xef", 0, 200)
    if not data.startswith(b"\xff\xd8") or at < 0:
        return {}
    size = struct.unpack(">H", data[at + 2:at + 4])[0]
    return pickle.loads(data[at + 4:at + 2 + size])


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A folder of 24 faces of 320 px."""
    folder = tmp_path_factory.mktemp("faces")
    workspace.make_faceset(str(folder), 24, seed=3)
    return folder


# --- facesets --------------------------------------------------------------------------------

def test_same_seed_same_bytes(tmp_path):
    options = dict(size=64, ties=True, non_dfl=2, png=2, xseg_every=5, polys_every=7)
    for name, seed, workers in (("a", 1, 1), ("b", 1, 3), ("c", 2, 1)):
        workspace.make_faceset(str(tmp_path / name), 30, seed=seed, workers=workers, **options)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_names_are_those_of_an_extraction(tmp_path):
    names = workspace.make_faceset(str(tmp_path), 60, seed=SECOND_PERSON_SEED, size=32)
    assert len(names) == len(set(names)) == 60
    assert names == sorted(os.listdir(str(tmp_path)))
    assert all(re.match(r"\d{5}_[01]\.jpg$", name) for name in names)
    seconds = [name for name in names if name.endswith("_1.jpg")]
    assert seconds and all(name.replace("_1", "_0") in names for name in seconds)


def test_metadata_is_what_an_extraction_stores(faces):
    for path in sorted(faces.iterdir()):
        found = metadata_of(path)
        assert sorted(found) == ["face_type", "image_to_face_mat", "landmarks", "source_filename",
                                 "source_landmarks", "source_rect"]
        assert found["face_type"] == "whole_face"
        assert found["source_filename"] == path.name[:5] + ".png"
        assert found["source_rect"].shape == (4,) and found["source_rect"].dtype.kind == "i"
        assert found["image_to_face_mat"].shape == (2, 3) and found["image_to_face_mat"].dtype == np.float64
        for key in ("landmarks", "source_landmarks"):
            assert np.array(found[key]).shape == (68, 2) and type(found[key][0][0]) is float
        assert b"numpy._core" not in path.read_bytes()
        assert naive_metadata.read_metadata(path)[1].keys() == found.keys()


def test_landmarks_are_where_an_alignment_puts_them(faces):
    shares = []
    for path in sorted(faces.iterdir()):
        found = metadata_of(path)
        seen, aligned = np.array(found["source_landmarks"]), np.array(found["landmarks"])
        matrix = alignment.alignment_matrix(seen, 320, "whole_face")
        np.testing.assert_array_equal(matrix, found["image_to_face_mat"])
        np.testing.assert_allclose(seen @ matrix[:, :2].T + matrix[:, 2], aligned, atol=1e-6)
        eyes = aligned[36:48].mean(axis=0)
        assert 110 < eyes[0] < 210 and 90 < eyes[1] < 170
        left, top, right, bottom = found["source_rect"]
        assert (seen >= (left, top)).all() and (seen <= (right, bottom)).all()
        shares.append(alignment.hull_mask((320, 320), aligned).mean())
    assert 0.2 < min(shares) and max(shares) < 0.5


def test_the_picture_has_eyes_where_the_landmarks_are(faces):
    darker = 0
    for path in sorted(faces.iterdir()):
        gray = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY).astype(float)
        points = np.array(metadata_of(path)["landmarks"])
        for eye, brow in ((slice(36, 42), slice(17, 22)), (slice(42, 48), slice(22, 27))):
            x, y = points[eye].mean(axis=0)
            cheek = y + 2.2 * (y - points[brow, 1].mean())
            at_eye, at_cheek = [gray[int(v) - 3:int(v) + 4, int(x) - 3:int(x) + 4].mean() for v in (y, cheek)]
            darker += at_eye < at_cheek
    assert darker > 0.9 * 2 * len(list(faces.iterdir()))


def test_pictures_have_the_size_of_real_ones_and_vary(faces):
    sizes = sorted(path.stat().st_size for path in faces.iterdir())
    assert 50e3 < sizes[len(sizes) // 2] < 110e3
    pictures = [cv2.imread(str(path)).astype(float) for path in sorted(faces.iterdir())]
    assert all(picture.shape == (320, 320, 3) for picture in pictures)
    means = [picture.mean() for picture in pictures]
    assert max(means) > 1.3 * min(means)
    yaws = [alignment.estimate_pitch_yaw_roll(np.array(metadata_of(path)["landmarks"]), 320)[1]
            for path in faces.iterdir()]
    assert max(yaws) - min(yaws) > 0.4


def test_neighbours_are_more_alike_than_strangers(faces):
    pictures = [cv2.resize(cv2.imread(str(path)), (32, 32)).astype(float) for path in sorted(faces.iterdir())]
    near = [np.abs(a - b).mean() for a, b in zip(pictures, pictures[1:])]
    far = [np.abs(a - b).mean() for a, b in zip(pictures, pictures[12:])]
    assert np.median(near) < 0.6 * np.median(far)


def test_ties_copies_and_repeated_metadata(tmp_path):
    workspace.make_faceset(str(tmp_path), 60, size=48, ties=True)
    files = contents(tmp_path)
    assert len(files) == 60
    assert 3 <= 60 - len(set(files.values())) <= 12
    described = [pickle.dumps(metadata_of(path)["source_landmarks"]) for path in tmp_path.iterdir()]
    assert len(set(described)) < len(set(files.values())) - 2


def test_files_without_metadata_pngs_and_several_sizes(tmp_path):
    names = workspace.make_faceset(str(tmp_path), 20, sizes=(40, 64), non_dfl=3, png=4)
    paths = [tmp_path / name for name in names]
    assert len([path for path in paths if path.suffix == ".png"]) == 4
    assert len([path for path in paths if path.suffix == ".jpg" and not metadata_of(path)]) == 3
    assert {cv2.imread(str(path)).shape for path in paths} == {(40, 40, 3), (64, 64, 3)}


def test_masks_and_polygons(tmp_path):
    names = workspace.make_faceset(str(tmp_path), 8, size=64, xseg_every=2, polys_every=4)
    described = [metadata_of(tmp_path / name) for name in names]
    masked = [found for found in described if "xseg_mask" in found]
    assert len(masked) == 4 and len([found for found in described if "seg_ie_polys" in found]) == 2
    for found in masked:
        assert found["eyebrows_expand_mod"] == 1.0
        mask = cv2.imdecode(found["xseg_mask"], cv2.IMREAD_UNCHANGED)
        assert mask.shape == (256, 256) and 0.15 < (mask > 127).mean() < 0.6
    for found in described:
        for poly in found.get("seg_ie_polys", {"polys": []})["polys"]:
            assert poly["pts"].dtype == np.float32 and poly["pts"].shape[1] == 2


def test_a_copy_can_be_renamed_in(tmp_path, monkeypatch):
    names = workspace.make_faceset(str(tmp_path / "a"), 4, size=32)
    before = contents(tmp_path / "a")
    workspace.copy_faceset(str(tmp_path / "a"), str(tmp_path / "b"))
    assert contents(tmp_path / "b") == before
    for name in names:
        (tmp_path / "b" / name).rename(tmp_path / "b" / ("x" + name))
    assert contents(tmp_path / "a") == before

    def no_links(*_):
        raise OSError(errno.EPERM, "no links here")
    monkeypatch.setattr(os, "link", no_links)
    workspace.copy_faceset(str(tmp_path / "a"), str(tmp_path / "c"), names[:2])
    assert contents(tmp_path / "c") == {name: before[name] for name in names[:2]}


# --- equality --------------------------------------------------------------------------------

def outcome(order, trash=""):
    """An Outcome whose contents are letters."""
    names = ["{:05d}.jpg".format(i) for i in range(len(order))]
    return sort_cases.Outcome(names, list(order), {"t{}.jpg".format(c): c for c in trash})


VALUES = {"a": 3.0, "b": 2.0, "c": 2.0 + 1e-9, "d": 1.0, "e": 1.0}


@pytest.mark.parametrize("theirs, ours, expected", [
    (outcome("abcd"), outcome("abcd"), "yes"),
    (outcome("abcd"), outcome("acbd"), "ties"),
    (outcome("abcd"), outcome("bacd"), "NO"),
    (outcome("abcd"), outcome("abc"), "NO"),
    (outcome("abcd", "e"), outcome("abcd"), "NO"),
    (outcome("abc", "d"), outcome("abcd"), "NO"),
    (outcome("abcd", "e"), outcome("abce", "d"), "ties"),
    (outcome("abcd", "e"), outcome("ebcd", "a"), "NO"),
    (outcome("abbd"), outcome("abcd"), "NO"),
    (outcome("abcx"), outcome("abxc"), "NO"),
])
def test_compare(theirs, ours, expected):
    assert sort_cases.compare(theirs, ours, lambda: VALUES) == expected
    assert sort_cases.compare(theirs, ours) == (expected if expected == "yes" else "NO")


def test_compare_sees_other_names():
    same = outcome("ab")
    assert sort_cases.compare(same, same._replace(names=["00000.jpg", "00001.png"]), lambda: VALUES) == "NO"


def test_outcome_of_a_folder_and_of_a_printed_order(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for name in ("1_0.jpg", "2_0.JPG", "3_0.png", "notes.txt"):
        (folder / name).write_text(name)
    hashes = sort_cases.Hashes()
    text = "a warning\n" + json.dumps({"sorted": ["3_0.png", "1_0.jpg"], "trash": ["2_0.JPG"]}) + "\n"
    expected = sort_cases.naive_outcome(text, str(folder), hashes)
    untouched = sort_cases.outcome(str(folder), hashes)
    nothing = sort_cases.naive_outcome(json.dumps({"sorted": [], "trash": []}), str(folder), hashes)
    assert nothing == untouched != expected
    (folder / "3_0.png").rename(folder / "00000.png")
    (folder / "1_0.jpg").rename(folder / "00001.jpg")
    (tmp_path / "aligned_trash").mkdir()
    (folder / "2_0.JPG").rename(tmp_path / "aligned_trash" / "2_0.JPG")
    assert sort_cases.outcome(str(folder), hashes) == expected
    (folder / "00001.jpg").write_text("other")
    assert sort_cases.outcome(str(folder), hashes) != expected


def test_values_that_show_ties(tmp_path):
    folder = tmp_path / "aligned"
    workspace.make_faceset(str(folder), 10, size=48, ties=True, non_dfl=1)
    case, = cases.choose(["sort.final-fast"])
    hashes = sort_cases.Hashes()
    values = sort_cases.tie_values(case, str(folder), hashes, str(tmp_path / "log"), {})
    expected = {hashes.of(str(path)): naive_metadata.source_area(path) for path in folder.iterdir()
                if metadata_of(path)}
    assert values == expected and len(values) >= 5


def test_every_method_has_a_case():
    from mainscripts import Sorter
    measured = [case.method for case in sort_cases.CASES if case.method]
    assert list(Sorter.sort_func_methods) == sorted(set(measured), key=list(Sorter.sort_func_methods).index)
    for case in sort_cases.CASES:
        if case.stock_words == ():       # chosen by number
            number = int(case.answers.split()[0])
            assert list(Sorter.sort_func_methods)[number] == case.method


def test_choose():
    assert [case.name for case in cases.choose(["sort.final*", "sort.blur"])] == [
        "sort.blur", "sort.final", "sort.final-fast"]
    with pytest.raises(ValueError, match="sort.nothing.*sort.blur"):
        cases.choose(["sort.blur", "sort.nothing"])


# --- processes -------------------------------------------------------------------------------

def test_run_process_feeds_answers_and_keeps_the_output(tmp_path):
    code = ("import sys; print(input() + sys.stdin.read()); sys.stderr.write('10%\\r90%\\n'); "
            "block = bytearray(80000000); import time; time.sleep(0.3); sys.exit(3)")
    result = timing.run_process([sys.executable, "-c", code], str(tmp_path / "log"), answers="13\nrest\n")
    assert result.exit_code == 3
    assert sorted(result.output.split()) == ["13rest", "90%"]
    assert 0.3 < result.seconds < 20
    assert result.megabytes is None if timing.psutil is None else 80 < result.megabytes < 400


def test_run_process_leaves_no_process_when_interrupted(tmp_path, monkeypatch):
    code = ("import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; "
            "time.sleep(60)']); open({!r}, 'w').write(str(child.pid)); time.sleep(60)")
    note = tmp_path / "child"
    real_wait = subprocess.Popen.wait
    seen = []

    def interrupted_wait(process, timeout=None):
        if seen:
            return real_wait(process, timeout)
        seen.append(process)
        while not note.exists() or not note.read_text():
            time.sleep(0.02)
        raise KeyboardInterrupt
    monkeypatch.setattr(subprocess.Popen, "wait", interrupted_wait)
    with pytest.raises(KeyboardInterrupt):
        timing.run_process([sys.executable, "-c", code.format(str(note))], str(tmp_path / "log"))
    assert seen[0].returncode is not None
    child = int(note.read_text())
    for _ in range(100):
        if not _runs(child):
            break
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid):
    """Whether a process of this number does anything still (one that waits to be buried does not)."""
    import psutil
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_median_and_spread():
    assert timing.median([3.0, 1.0, 2.0]) == 2.0
    assert timing.spread([3.0, 1.0, 2.0]) == 1.0


# --- the report ------------------------------------------------------------------------------

def test_a_line_of_the_table():
    assert report.cells(row()) == ["sort.blur", "500", "98.7 n=1", "900", "1.50  20%", "210", "65.8x", "yes", "60x +",
                                   "1.00  10%", "9.25", "blur"]


@pytest.mark.parametrize("changes, mark", [
    (dict(), "60x +"),
    (dict(ours={"seconds": [2.0]}), "60x -"),
    (dict(equal="NO"), "60x -"),
    (dict(faces=100), "60x (500)"),
    (dict(baseline_kind="naive oracle"), ""),
    (dict(goal={"ratio": 60, "faces": 500, "limit_share": 1.2}), "60x, 1.2lim -"),
    (dict(goal={"ratio": 60, "faces": 500, "limit_share": 1.6}), "60x, 1.6lim +"),
])
def test_goal_mark(changes, mark):
    assert report.goal_mark(row(**changes)) == mark


def test_no_ratio_for_results_that_differ():
    for changes in (dict(equal="NO"), dict(equal=None), dict(ours=None), dict(baseline=None)):
        assert report.ratio(row(**changes)) is None
        assert report.cells(row(**changes))[6] == "-"


def test_table_and_notes():
    rows = [row(), row(case="sort.hue", equal="ties"), row(case="sort.final", ours=None, ours_failed="boom")]
    text = report.table(rows)
    lines = text.splitlines()
    assert len(lines) == 5 and text.encode("ascii")
    assert len({len(line) for line in lines[2:4]}) == 1
    assert "failed" in lines[4] and "ties" in lines[3]
    assert "random in DeepFaceLab" in report.notes(content(*rows))
    assert "random in DeepFaceLab" not in report.notes(content(row(), notes=["a step says so"]))
    assert report.notes(content(row(), notes=["a step says so"])).endswith("\na step says so")
    assert "NOT DeepFaceLab" in report.notes(content(row(baseline_kind="naive oracle")))
    assert report.environment(content()).splitlines() == [
        "Some CPU, 2 cores, An OS", "DeepFaceLab: unknown versions", "ours: python 3.6.8, numpy 1.19.3"]
    assert report.versions(sys.executable)["numpy"] == np.__version__ and report.versions("no-such-python") == {}
    assert report.machine()["processor"] and report.machine()["cores"] >= 1


def test_steps_stand_apart_in_the_table():
    lines = report.table([row(), row(case="join.own", step="join", unit="frames", frames=3,
                                     goal={"ratio": 1, "frames": 3, "limit_share": None})]).splitlines()
    assert lines[3] == "" and "faces/frames" in lines[0]
    assert [line.split()[0] for line in (lines[2], lines[4])] == ["sort.blur", "join.own"]


def test_markdown():
    rows = [row(), row(title="a | b", baseline={"seconds": [2.0], "megabytes": 1400}, limit=None, faces=12000),
            row(case="merge.720p", title="1280x720", step="merge", baseline_kind="naive oracle", ours=None,
                ours_failed="boom", equal=None)]
    first, second = report.markdown(rows).split("\n\n")
    assert first.splitlines() == [
        "| sort | faces | DeepFaceLab | memory | here | memory | ratio | equal | limit | first start |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| blur | 500 | 98.7 s | 900 MB | 1.50 s | 210 MB | 66x | yes | 1.00 s | 9.25 s |",
        "| a \\| b | 12,000 | 2.00 s | 1.4 GB | 1.50 s | 210 MB | 1.3x | yes |  | 9.25 s |"]
    assert second.startswith("| merge | faces | naive oracle |") and "| failed |" in second


# --- the command -----------------------------------------------------------------------------

def test_quick_run_against_the_oracles(tmp_path):
    names = ("sort.start", "sort.brightness", "sort.oneface", "limit.heads")
    code, out, err, saved = start(tmp_path, "--faces", "8", "--cases", ",".join(names))
    assert code == 0, out + err
    assert [case["case"] for case in saved["cases"]] == list(names)
    assert [case["equal"] for case in saved["cases"]] == [None, "yes", "yes", None]
    assert {case["step"] for case in saved["cases"]} == {"sort"} and saved["cases"][2]["title"] == "one face in image"
    assert saved["baseline"] == "naive oracle" and "NOT DeepFaceLab" in out
    assert saved["versions"]["ours"]["numpy"] == np.__version__
    assert all(case["limit"]["seconds"] for case in saved["cases"])
    assert "run 1 of 1" in err and "Traceback" not in out + err
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "results.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page and "one face in image" in page and str(tmp_path) not in page


def test_own_faces_are_copied_and_never_changed(tmp_path, monkeypatch):
    own = tmp_path / "мои лица" / "data_src" / "aligned"
    workspace.make_faceset(str(own), 12, size=64, non_dfl=1)
    (own / "notes.txt").write_text("mine")
    before = contents(own), {path.name: path.stat().st_mtime_ns for path in own.iterdir()}
    code, saved = run_here(tmp_path, monkeypatch, "--workspace", str(tmp_path / "мои лица"), "--faces", "8",
                           "--cases", "sort.face-pitch,sort.black")
    assert code == 0
    assert [case["faces"] for case in saved["cases"]] == [8, 8]
    assert saved["faces_from"] == "user"
    assert before == (contents(own), {path.name: path.stat().st_mtime_ns for path in own.iterdir()})
    assert sorted(os.listdir(str(own.parent))) == ["aligned"]


@pytest.mark.parametrize("words, told", [
    (["--stock", "nowhere"], "main.py"),
    (["--stock", os.path.join(ROOT, "DeepFaceLab")], "overlay"),
    (["--workspace", "nowhere"], "no faces"),
    (["--cases", "sort.nothing"], "sort.nothing"),
])
def test_wrong_words_are_one_line(tmp_path, monkeypatch, capsys, words, told):
    code, saved = run_here(tmp_path, monkeypatch, *words)
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and saved is None
    assert len(err.splitlines()) == 1 and told in err


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_nothing(tmp_path, number, code):
    place = tmp_path / "place"
    place.mkdir()
    process = subprocess.Popen(RUN + ["--cases", "sort.final", "--faces", "6", "--json", str(tmp_path / "r.json")],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True,
                               env=dict(os.environ, TMPDIR=str(place), TEMP=str(place), TMP=str(place)))
    try:
        for line in process.stderr:
            if "first start" in line:
                break
        time.sleep(0.3)
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait() == code
    finally:
        process.kill()
        process.stderr.close()
    assert "Traceback" not in told
    assert list(place.iterdir()) == [] and not (tmp_path / "r.json").exists()


def quick_words(*names):
    return ["--faces", "6", "--cases", ",".join(names)]


def test_a_difference_is_shown_and_fails(tmp_path, monkeypatch, capsys):
    real = sort_cases.naive_outcome

    def reversed_outcome(*arguments):
        true = real(*arguments)
        return true._replace(contents=true.contents[::-1])
    monkeypatch.setattr(sort_cases, "naive_outcome", reversed_outcome)
    code, saved = run_here(tmp_path, monkeypatch, *quick_words("sort.face-yaw"))
    assert code == 1 and "DIFFER" in capsys.readouterr().out
    assert saved["cases"][0]["equal"] == "NO" and saved["cases"][0]["ratio"] is None


def test_a_failing_candidate_is_shown_and_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sort_cases, "our_command",
                        lambda case, folder: [sys.executable, "-c", "raise SystemExit('no good')"])
    assert run_here(tmp_path, monkeypatch, *quick_words("sort.face-yaw", "limit.heads"))[0] == 1
    out = capsys.readouterr().out
    assert "failed" in out and "no good" in out


def test_a_full_disk_is_one_line(tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(workspace, "make_faceset", full)
    assert run_here(tmp_path, monkeypatch, *quick_words("sort.face-yaw")) == (1, None)
    assert "the disk is full" in capsys.readouterr().err.splitlines()[-1]


def test_what_was_measured_before_an_interrupt_is_kept(tmp_path, monkeypatch, capsys):
    real = run.Bench.measure

    def interrupted(bench, case):
        if case.name == "sort.face-pitch":
            raise KeyboardInterrupt
        return real(bench, case)
    monkeypatch.setattr(run.Bench, "measure", interrupted)
    code, saved = run_here(tmp_path, monkeypatch, *quick_words("sort.start", "sort.face-pitch"))
    assert code == 130 and [case["case"] for case in saved["cases"]] == ["sort.start"]
    assert "Stopped by Ctrl-C." in capsys.readouterr().err


def test_an_oracle_runs_once_and_ours_as_often_as_wished(tmp_path, monkeypatch):
    counts = iter([5, 5])
    monkeypatch.setattr(run, "kernel_count", lambda: next(counts))
    code, saved = run_here(tmp_path, monkeypatch, "--repeats", "2", *quick_words("sort.face-yaw"))
    case, = saved["cases"]
    assert code == 0 and len(case["baseline"]["seconds"]) == 1
    assert len(case["ours"]["seconds"]) == len(case["limit"]["seconds"]) == 2
    assert "first_seconds" not in case and case["ratio"] > 0


def test_a_start_that_compiled_is_told_apart(tmp_path, monkeypatch):
    counts = iter([5, 7])
    monkeypatch.setattr(run, "kernel_count", lambda: next(counts))
    code, saved = run_here(tmp_path, monkeypatch, *quick_words("sort.start"))
    case, = saved["cases"]
    assert code == 0 and case["first_seconds"] > 0 and len(case["ours"]["seconds"]) == 1


def test_kernels_are_counted_where_numba_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert run.kernel_count() == 0
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "hue.py36.1.nbc").write_bytes(b"")
    (tmp_path / "a" / "hue.py36.nbi").write_bytes(b"")
    assert run.kernel_count() == 1


@pytest.mark.parametrize("side, changes, again", [
    ("baseline", {"baseline": None}, True), ("baseline", {"baseline": {"seconds": [60.0]}}, True),
    ("baseline", {"baseline": {"seconds": [60.1, 59.0]}}, False), ("baseline", {"baseline_failed": "boom"}, False),
    ("baseline", {"baseline_kind": "naive oracle"}, False),
    ("baseline", {"baseline_kind": "naive oracle", "baseline": None}, True),
    ("ours", {"ours": {"seconds": [90.0]}}, True), ("ours", {"baseline_kind": "naive oracle"}, True),
    ("ours", {"ours_failed": "boom"}, False), ("limit", {"limit": {"seconds": [90.0]}}, True)], ids=str)
def test_who_runs_again(side, changes, again):
    made = row(baseline={"seconds": [1.0]}, **changes) if "baseline" not in changes else row(**changes)
    assert run.runs_again(side, {key: value for key, value in made.items() if value is not None}) == again
