"""The benchmark, run as a user does, or in this process."""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN = [sys.executable, os.path.join(ROOT, "benchmarks", "run.py")]


def start(tmp_path, *further):
    """Run it quickly with further words: (exit code, stdout, stderr, JSON or None); it leaves nothing behind."""
    place, samples = tmp_path / "place", tmp_path / "results.json"
    place.mkdir()
    process = subprocess.Popen(RUN + ["--quick", "--json", str(samples)] + list(further), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, universal_newlines=True,
                               env=dict(os.environ, TMPDIR=str(place), TEMP=str(place), TMP=str(place)))
    out, err = process.communicate()
    assert list(place.iterdir()) == []
    return process.returncode, out, err, json.loads(samples.read_text()) if samples.exists() else None


def run_here(tmp_path, monkeypatch, *further):
    """The same in this process, without a picture: (exit code, JSON or None); what it prints is capsys' business."""
    from benchmarks import run
    place, samples = tmp_path / "place", tmp_path / "results.json"
    place.mkdir(exist_ok=True)
    monkeypatch.setattr("tempfile.tempdir", str(place))
    code = run.main(["--quick", "--no-picture", "--json", str(samples)] + list(further))
    assert list(place.iterdir()) == []
    return code, json.loads(samples.read_text()) if samples.exists() else None


def no_first_start(monkeypatch):
    """Let ours start once less in a run against a DeepFaceLab."""
    from benchmarks import run
    monkeypatch.setattr(run.Bench, "first_start", lambda *given: None)


def of_size(monkeypatch, step, **changes):
    """Let the cases of a step (class) be smaller: {name of a field: value}, for those that have one there."""
    from benchmarks import cases
    smaller = [case._replace(**{name: value for name, value in changes.items() if getattr(case, name) is not None})
               for case in step.CASES]
    monkeypatch.setattr(step, "CASES", smaller)
    monkeypatch.setattr(cases, "ALL", [{one.name: one for one in smaller}.get(case.name, case) for case in cases.ALL])


def contents(folder):
    """{path: bytes} of all files below a folder."""
    return {str(path.relative_to(str(folder))): path.read_bytes() for path in sorted(Path(str(folder)).rglob("*"))
            if path.is_file()}


def row(**changes):
    """A row of the table, as a run makes it."""
    made = {"case": "sort.blur", "title": "blur", "step": "sort", "unit": "faces", "faces": 500,
            "baseline_kind": "DeepFaceLab", "equal": "yes", "goal": {"ratio": 60, "faces": 500, "limit_share": None},
            "baseline": {"seconds": [98.7], "megabytes": 900.0},
            "ours": {"seconds": [1.5, 1.4, 1.7], "megabytes": 210.4},
            "limit": {"seconds": [1.0, 1.0, 1.1], "megabytes": None}, "first_seconds": 9.25}
    made.update(changes)
    return made


def content(*rows, **changes):
    """What results.py collects of a run with these rows."""
    machine = {"processor": "Some CPU", "cores": 2, "system": "An OS", "memory_gb": None}
    made = {"format": 1, "finished": "2021-03-04T05:06:07", "machine": machine, "seconds": 12.0,
            "versions": {"ours": {"python": "3.6.8", "numpy": "1.19.3"}, "DeepFaceLab": {}}, "baseline": "DeepFaceLab",
            "cases": list(rows), "notes": [], "command": "python benchmarks/run.py --quick"}
    made.update(changes)
    return made
