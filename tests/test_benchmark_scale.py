"""The benchmark of growth: faces that all differ, exponents without the start, what is too much is said."""
import os
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from benchmark_command import run_here

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from benchmarks import cases, run, scale, scale_input, scale_report  # noqa: E402
from naive import metadata as naive_metadata  # noqa: E402


def growth(name="sort.hue", sizes=(1000, 10000)):
    case, = cases.choose([name])
    bench = SimpleNamespace(step_of={name: SimpleNamespace(title=lambda case: case.title, prepare_trees=lambda: None)},
                            stock=None)
    return scale.Growth(bench, case, SimpleNamespace(sizes=sizes))


def judged(name, small, large, sizes=(1000, 10000), megabytes=100.0):
    made = growth(name)
    rows = [made.row("ours", size, seconds=seconds, start=1.0, megabytes=megabytes)
            for size, seconds in zip(sizes, (small, large))]
    for row, before in zip(rows, [None] + rows):
        made.judge(row, before)
    return rows[1]["exponent"], rows[1]["exceeds"]


def test_faces_all_differ_and_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(scale_input, "DISTINCT", 4)
    told = []
    for name in ("a", "b"):
        scale_input.make(str(tmp_path / name), 130, str(tmp_path / ("drawn " + name)), told.append)
    names = sorted(os.listdir(str(tmp_path / "a")))
    assert names == ["{:06d}_0.jpg".format(number) for number in range(130)] and told == [130, 130]
    contents = [[(tmp_path / folder / name).read_bytes() for name in names] for folder in ("a", "b")]
    assert contents[0] == contents[1] and len(set(contents[0])) == 130
    found = [naive_metadata.read_metadata(tmp_path / "a" / name) for name in names[::10]]
    assert {shape for shape, _ in found} == {(64, 64, 3)}
    for key in ("landmarks", "source_landmarks", "source_rect", "source_filename"):
        assert len({str(data[key]) for _, data in found}) == 13
    pictures = [cv2.imread(str(tmp_path / "a" / name)) for name in names[::10]]
    assert len({picture.tobytes() for picture in pictures}) == 13 and np.std([p.mean() for p in pictures]) > 5


def test_exponents_are_of_the_time_without_the_start():
    assert judged("sort.hue", 2.0, 11.0) == (1.0, "")
    assert judged("sort.hue", 1.1, 2.0) == (None, "")              # too short to tell
    assert judged("sort.hue", 2.0, 21.0) == (1.301, "time a face grows")
    assert judged("sort.hist", 2.0, 21.0) == (1.301, "")
    assert judged("sort.hist", 2.0, 201.0) == (2.301, "time a face grows")


def test_memory_that_is_allowed():
    assert judged("sort.hue", 2.0, 11.0, megabytes=629.0)[1] == ""
    assert judged("sort.hue", 2.0, 11.0, megabytes=631.0)[1] == "more than 630 MB"
    assert judged("sort.absdiff", 2.0, 11.0, megabytes=2000.0)[1] == ""
    assert judged("sort.hue", 2.0, 11.0, megabytes=None)[1] == ""


@pytest.mark.parametrize("name, exponent, seconds", [
    ("sort.hue", None, 11.0), ("sort.hue", 0.9, 11.0), ("sort.hue", 1.2, 16.8), ("sort.hist", None, 32.6),
    ("sort.hist", 1.1, 21.0), ("sort.hist", 2.4, 101.0)])
def test_how_long_a_size_will_take(name, exponent, seconds):
    before = {"faces": 1000, "seconds": 2.0, "start": 1.0, "exponent": exponent}
    assert growth(name).expected(before, 10000) == pytest.approx(seconds, rel=0.01)
    assert growth(name).expected(None, 10000) is None


def test_a_size_that_takes_too_long_is_left_out(monkeypatch):
    made, ran = growth("sort.absdiff", (1000, 10000, 100000)), []

    def instant(side, size, start):
        ran.append(size)
        row = made.row(side, size, seconds=1.0 + size / 1000.0, start=start, megabytes=None)
        if start is not None:
            made.rows.append(row)
        return row
    monkeypatch.setattr(made, "run", instant)
    made.measure("ours")
    assert ran == [10, 10, 1000, 10000]
    assert [row.get("left_out") for row in made.rows] == [None, None, "it would take 161 s or more"]


def test_the_table():
    made = growth("sort.hue")
    rows = [made.row("baseline", 1000, seconds=3.0, start=2.0, megabytes=300.0),
            made.row("ours", 1000, seconds=0.5, start=0.4, megabytes=None, equal="yes"),
            made.row("ours", 10000, seconds=2.4, start=0.4, megabytes=99.0, exponent=1.3, exceeds="time a face grows"),
            made.row("ours", 100000, left_out="it would take 900 s or more"), made.row("ours", 7, ours_failed="boom")]
    assert [scale_report.is_bad(row) for row in rows] == [False, False, True, False, True]
    assert scale_report.cells(rows[0]) == ["sort.hue", "DeepFaceLab", "1,000", "3.00", "1000.0", "", "300", "", ""]
    text = scale_report.table(rows)
    assert "us a face" in text and "it would take 900 s" in text and "failed" in text
    assert "| sort.hue | ours | 10,000 | 2.40 | 200.0 | 1.30 | 99 |  | time a face grows |" in (
        scale_report.markdown(rows).splitlines())


def test_sizes_are_sorted_numbers(capsys):
    assert run.parse(["--sizes", "40,20,40"]).sizes == (20, 40) and run.parse([]).sizes == scale.SIZES
    for wrong in ("0", "a", ""):
        with pytest.raises(SystemExit):
            run.parse(["--sizes", wrong])


def test_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scale_input, "DISTINCT", 4)
    words = ("--scale", "--sizes", "20", "--cases", "sort.origname,train.load")
    code, saved = run_here(tmp_path, monkeypatch, *words)
    assert code == 0 and saved["cases"] == []
    assert [(row["case"], row["faces"]) for row in saved["scale"]] == [
        ("sort.origname", 20), ("train.load", 20)]
    assert all(row["seconds"] > 0 and row["start"] > 0 for row in saved["scale"])
    assert "sort.origname" in capsys.readouterr().out


@pytest.mark.parametrize("words, told", [(("--cases", "sort.*"), "not sort.start"),
                                         (("--workspace", "."), "--workspace")])
def test_what_cannot_be_scaled_is_one_line(tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.setattr(run.Bench, "steps", lambda bench: [])
    code, saved = run_here(tmp_path, monkeypatch, "--scale", *words)
    assert code == 2 and saved is None and told in capsys.readouterr().err.splitlines()[-1]
