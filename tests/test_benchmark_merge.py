"""The benchmark of merge: frames with faces where the metadata says, trees alike for both, results held to pixels."""
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from benchmark_command import contents, no_first_start, of_size, run_here, start

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from accel import landmarks as alignment  # noqa: E402
from benchmarks import cases, merge_input, merge_trees, portrait_frames  # noqa: E402
from benchmarks.cases import merge as merge_cases  # noqa: E402
from naive import merge as naive_merge  # noqa: E402
from naive import metadata as naive_metadata  # noqa: E402

pytestmark = pytest.mark.shared_out(tests=True)

GOLDEN = Path(ROOT, "tests", "data", "merge")


# --- frames -----------------------------------------------------------------------------------

def test_same_seed_same_frames():
    pictures = [portrait_frames.Shot((160, 90), seed=seed).frame(4)[0] for seed in (1, 1, 2)]
    assert (pictures[0] == pictures[1]).all() and (pictures[0] != pictures[2]).any()


@pytest.mark.parametrize("size", [(320, 180), (161, 243)])
def test_faces_are_where_the_landmarks_are_and_move(size):
    shot = portrait_frames.Shot(size)
    seen = [shot.frame(step) for step in range(0, 40, 4)]
    for picture, (marks,) in seen:
        assert picture.shape == (size[1], size[0], 3) and marks.shape == (68, 2)
        height = marks[:, 1].max() - marks[:, 1].min()
        assert 0.28 < height / size[1] < 0.4
        gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(float)
        hull = alignment.hull_mask(gray.shape, marks).astype(bool)
        blue, _, red = [channel[hull].mean() for channel in cv2.split(picture)]
        assert red > blue + 25                          # skin
        for eye in (marks[36:42], marks[42:48]):
            x, y = eye.mean(axis=0)
            assert gray[int(y), int(x)] < gray[hull].mean() - 10
    assert np.ptp([marks[30] for _, (marks,) in seen], axis=0).min() > 2


def test_frames_are_as_hard_to_decode_as_real_ones():
    picture, _ = portrait_frames.Shot((640, 360)).frame(0)
    assert 0.35 < len(portrait_frames.encode(picture, ".png")) / picture.size < 0.7


def test_a_head_that_is_larger_beside_or_absent():
    heads = [portrait_frames.Head(0.5, 0.5, 2.0), portrait_frames.Head(4.0, 0.5, 0.3), portrait_frames.Head()]
    shot = portrait_frames.Shot((97, 61), heads)
    assert shot.frame(0)[0].shape == (61, 97, 3) and len(shot.frame(0)[1]) == 3
    picture, marks = shot.frame(0, ())
    assert marks == [] and (picture != shot.frame(0, (2,))[0]).any()


# --- workspaces -------------------------------------------------------------------------------

def test_many_frames_of_few_pictures(tmp_path):
    merge_input.make(str(tmp_path), 7, (128, 72), 3)
    names = ["{:05d}.png".format(number) for number in range(1, 8)]
    assert sorted(path.name for path in (tmp_path / "data_dst").glob("*.png")) == names
    assert len({(tmp_path / "data_dst" / name).read_bytes() for name in names}) == 3
    for name in names:
        face = tmp_path / "data_dst" / "aligned" / (name[:5] + "_0.jpg")
        shape, data = naive_metadata.read_metadata(face)
        assert shape == (320, 320, 3) and data["source_filename"] == name and data["face_type"] == "whole_face"
        frame = cv2.imread(str(tmp_path / "data_dst" / name))
        cut = cv2.warpAffine(frame, data["image_to_face_mat"], (320, 320), flags=cv2.INTER_CUBIC)
        assert cv2.absdiff(cut, cv2.imread(str(face))).mean() < 4


def test_faces_with_metadata_of_their_own(tmp_path):
    merge_input.make(str(tmp_path), 12, (128, 72), 4, (320, 180))
    found = [naive_metadata.read_metadata(path)[1]["source_landmarks"]
             for path in (tmp_path / "data_dst" / "aligned").iterdir()]
    assert len({json.dumps(points) for points in found}) == 12
    assert all((np.array(points).mean(axis=0) < (128, 72)).all() for points in found)


def test_own_frames_with_their_faces(tmp_path):
    own, folder = tmp_path / "own", tmp_path / "copy"
    assert merge_input.find_own(str(own)) is None
    merge_input.make(str(own), 5, (64, 48), 5)
    (own / "data_dst" / "aligned" / "notes.txt").write_text("mine")
    before = contents(own)
    found = merge_input.find_own(str(own))
    assert found == (str(own), ["0000{}.png".format(number) for number in range(1, 6)])
    merge_input.copy_own(found, str(folder), 2)
    kept = contents(folder)
    assert sorted(Path(path).name for path in kept) == ["00001.png", "00001_0.jpg", "00002.png", "00002_0.jpg"]
    assert contents(own) == before and all(before[path] == content for path, content in kept.items())


# --- trees ------------------------------------------------------------------------------------

def test_a_tree_without_deepfacelab(tmp_path):
    tree = Path(merge_trees.build_tree(str(tmp_path / "tree")))
    for path in ("main.py", "accel/host.py", "mainscripts/Merger.py", "models/Model_Tiny/Model.py",
                 "merger/MergerConfig.py", "merger/MergerScreen/MergerScreen.py", "facelib/XSegNet.py"):
        assert (tree / path).is_file(), path


def test_both_sides_have_the_same_tree_but_for_the_overlay(tmp_path):
    stock = tmp_path / "stock"
    for path, content in (("main.py", "old"), ("core/leras.py", "core"), ("models/Model_AMP/Model.py", "amp"),
                          ("__pycache__/x.pyc", "no"), (".git/HEAD", "no")):
        (stock / path).parent.mkdir(parents=True, exist_ok=True)
        (stock / path).write_text(content)
    (stock / "facelib").mkdir()
    (stock / "facelib" / "S3FD.npy").write_bytes(bytes(2 ** 20 + 1))
    before = contents(stock)
    baseline, ours = [contents(merge_trees.copy_tree(str(stock), str(tmp_path / name), overlay=overlay))
                      for name, overlay in (("baseline", False), ("ours", True))]
    assert contents(stock) == before
    assert baseline["main.py"] == b"old" and b"command_line" in ours["main.py"]
    assert sorted(set(baseline) - set(before)) == ["models/Model_Tiny/Model.py", "models/Model_Tiny/__init__.py"]
    assert set(baseline) < set(ours) and "accel/host.py" in ours and "merger/MergerConfig.py" not in ours
    assert not [path for path in list(baseline) + list(ours) if "pyc" in path or "git" in path]


# --- the oracle -------------------------------------------------------------------------------

ORACLE_CASES = [
    ("case01_frame0.png", {}), ("case01_frame1.png", {}), ("case00_frame1.png", {"mode": "original"}),
    ("case03_frame0.png", {"mode": "seamless"}), ("case06_frame0.png", {"mask_mode": 0}),
    ("case07_frame0.png", {"mask_mode": 1}), ("case08_frame2.png", {"mask_mode": 2}),
    ("case11_frame0.png", {"mask_mode": 5}), ("case16_frame1.png", {"transfer": "none"}),
    ("case28_frame1.png", {"erode": -15, "blur": 0}), ("case29_frame0.png", {"erode": 0, "blur": 101})]


@pytest.mark.parametrize("result, settings", ORACLE_CASES, ids=str)
def test_the_oracle_merges_as_deepfacelab(result, settings):
    known = json.loads((GOLDEN / "expected.json").read_text())
    case, = [case for case in known["cases"] if case["result"] == result]
    given, ref = known["frames"][case["frame"]], cv2.imread(str(GOLDEN / result), cv2.IMREAD_UNCHANGED)
    frame = cv2.imread(str(GOLDEN / given["file"]))
    picture, mask = naive_merge.merge_frame(frame, [np.array(face) for face in given["landmarks"]],
                                            **dict(dict(mask_mode=4, erode=5, blur=21), **settings))
    inside = ref[..., 3] > 0
    most = merge_cases.NAIVE_LEVELS
    for one, other in ((picture, ref[..., :3]), (mask, ref[..., 3])):
        apart = cv2.absdiff(one, np.ascontiguousarray(other))
        assert apart.max() <= most and apart[inside].mean() <= merge_cases.NAIVE_MEAN
    assert (picture[mask == 0] == frame[mask == 0]).all()


# --- equality ---------------------------------------------------------------------------------

@pytest.fixture
def results():
    """What both sides make of a frame: a dict of same_frame's words, all equal."""
    source = portrait_frames.Shot((96, 64)).frame(0)[0]
    mask = np.zeros((64, 96), np.uint8)
    mask[20:50, 30:70] = 200
    picture = source.copy()
    picture[mask > 0] //= 2
    return {"theirs": (picture.copy(), mask.copy()), "ours": (picture, mask), "jpg": picture.copy(), "source": source}


def off(picture, area, levels):
    picture[area] = np.clip(picture[area].astype(int) + levels, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("strict", [True, False])
def test_results_a_level_apart_are_the_same(results, strict):
    assert merge_cases.same_frame(strict=strict, **results)
    off(results["theirs"][0], (slice(0, 4), slice(0, 9)), -1)         # DeepFaceLab cuts fractions off everywhere
    off(results["theirs"][1], (slice(20, 25), slice(40, 45)), 1)
    assert merge_cases.same_frame(strict=strict, **results)


INSIDE, OUTSIDE = (slice(25, 45), slice(35, 60)), (slice(0, 2), slice(0, 3))


@pytest.mark.parametrize("strict, who, which, area, levels", [
    (True, "theirs", 0, INSIDE, 2), (True, "theirs", 1, INSIDE, 2), (True, "theirs", 0, OUTSIDE, 2),
    (False, "theirs", 0, INSIDE, 3), (False, "theirs", 1, INSIDE, 3), (False, "theirs", 0, OUTSIDE, 40),
    (True, "ours", 0, OUTSIDE, 1), (False, "ours", 0, OUTSIDE, 1)])
def test_what_differs(results, strict, who, which, area, levels):
    off(results[who][which], area, levels)
    assert not merge_cases.same_frame(strict=strict, **results)


def test_a_jpg_of_something_else_differs(results):
    results["jpg"] = np.ascontiguousarray(results["jpg"][::-1])
    assert not merge_cases.same_frame(strict=True, **results)


def test_nothing_merged_differs(results):
    for _, mask in (results["theirs"], results["ours"]):
        mask[:] = 0
    results["theirs"] = results["ours"] = results["source"], results["ours"][1]
    assert not merge_cases.same_frame(strict=True, **dict(results, jpg=results["source"]))


# --- figures ----------------------------------------------------------------------------------

def test_frames_a_second_are_told_by_the_files(tmp_path):
    paths = []
    for number in range(11):
        paths.append(str(tmp_path / str(number)))
        Path(paths[-1]).write_bytes(b"")
        os.utime(paths[-1], (100, 100 + number * 0.5))
    assert merge_cases.rate(paths) == pytest.approx(2.0)
    assert merge_cases.rate(paths[:9]) is None and merge_cases.rate([]) is None


def test_the_time_to_the_first_face(tmp_path):
    log = tmp_path / "calls"
    assert merge_cases.prepared(str(log)) is None
    log.write_text("ready 12.5\n")
    assert merge_cases.prepared(str(log)) is None
    log.write_text("ready 12.5\n1 14.0\n3 15.0\n")
    assert merge_cases.prepared(str(log)) == 1.5


def test_samples_are_spread():
    assert merge_cases.samples(list(range(100))) == [0, 25, 50, 75]
    assert merge_cases.samples([1, 2]) == [1, 2] and merge_cases.samples([]) == []


def test_a_merge_has_begun(tmp_path):
    (tmp_path / ".merge-1.part").write_bytes(b"half")
    (tmp_path / "00001.png").write_bytes(b"")
    assert not merge_cases.has_begun(str(tmp_path))
    (tmp_path / "00001.png").write_bytes(b"a")
    assert merge_cases.has_begun(str(tmp_path))


# --- the command ------------------------------------------------------------------------------

def test_quick_run_against_the_oracle(tmp_path):
    code, out, err, saved = start(tmp_path, "--frames", "2", "--no-picture", "--cases", "merge.prepare")
    assert code == 0, out + err
    assert [case["case"] for case in saved["cases"]] == ["merge.prepare"]
    assert all(case["equal"] == "yes" and case["frames"] == 2 and case["limit"]["seconds"] for case in saved["cases"])
    assert saved["merge"]["merge.prepare of ours"]["seconds_from_model_to_first_face"] > 0


def test_frames_are_compared_pixel_by_pixel(tmp_path, monkeypatch):
    of_size(monkeypatch, merge_cases.Merge, naive_size=(320, 180))
    code, saved = run_here(tmp_path, monkeypatch, "--frames", "2", "--cases", "merge.seamless")
    case, = saved["cases"]
    assert code == 0 and (case["equal"], case["frames"], case["title"]) == ("yes", 2, "seamless, 320x180")


def test_large_frames_are_for_deepfacelab_only():
    def applying(stock):
        merge = merge_cases.Merge(SimpleNamespace(stock=stock))
        return {case.name: merge.title(case) for case in merge_cases.CASES if merge.applies(case)}
    assert sorted(applying(None)) == ["merge.720p", "merge.prepare", "merge.seamless"]
    assert sorted(applying(True)) == ["merge.2160p", "merge.720p", "merge.prepare", "merge.seamless"]
    assert [applying(stock)["merge.seamless"] for stock in (None, True)] == [
        "seamless, 1280x720", "seamless, 3840x2160"]


def test_own_frames_are_copied_and_never_changed(tmp_path, monkeypatch):
    own = tmp_path / "мой проект"
    merge_input.make(str(own), 3, (160, 90), 3)
    before = contents(own)
    code, saved = run_here(tmp_path, monkeypatch, "--frames", "2", "--cases", "merge.own", "--workspace", str(own))
    case, = saved["cases"]
    assert code == 0 and case["frames"] == 2 and case["ours"]["seconds"] and "baseline" not in case
    assert saved["merge_frames_from"] == "user" and contents(own) == before


def test_a_difference_is_shown_and_fails(tmp_path, monkeypatch, capsys):
    real = merge_cases.naive_command
    monkeypatch.setattr(merge_cases, "naive_command", lambda *given: real(*given) + ["--blur", "60"])
    of_size(monkeypatch, merge_cases.Merge, naive_size=(320, 180))
    code, saved = run_here(tmp_path, monkeypatch, "--frames", "1", "--cases", "merge.720p")
    assert code == 1 and "DIFFER" in capsys.readouterr().out and saved["cases"][0]["equal"] == "NO"


def test_a_baseline_that_makes_no_frame_has_failed(tmp_path, monkeypatch, capsys):
    stock = tmp_path / "stock"
    stock.mkdir()
    (stock / "main.py").write_text("print('Error while merging')")
    build, copy = merge_trees.build_tree, merge_trees.copy_tree
    monkeypatch.setattr(merge_trees, "copy_tree", lambda tree, folder, overlay=False:
                        build(folder) if overlay else copy(tree, folder))
    no_first_start(monkeypatch)
    monkeypatch.setattr(merge_cases.Merge, "environment", lambda self, case, side: {"NUMBA_CACHE_DIR": ""})
    assert run_here(tmp_path, monkeypatch, "--frames", "2", "--cases", "merge.prepare", "--stock", str(stock))[0] == 1
    out = capsys.readouterr().out
    assert "No frame came out.\nError while merging" in out and "DIFFER" not in out


def test_the_words(tmp_path):
    case, = cases.choose(["merge.seamless"])
    spoken = merge_cases.our_command(case, "in", "stage", "tree", "jpg")
    assert spoken[1:3] == [os.path.join("tree", "main.py"), "merge"] and spoken[-1] == "--yes"
    assert spoken[2:2 + len(merge_cases.words("in", "stage"))] == merge_cases.words("in", "stage")
    assert "mode=seamless" in spoken and "color_transfer_mode=rct" in spoken and "--workers" not in spoken
    assert merge_cases.stock_command("in", "stage", "tree", "py") == (
        ["py", os.path.join("tree", "main.py")] + merge_cases.words("in", "stage"))
