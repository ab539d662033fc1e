"""The benchmark, run as a user does."""
import json
import os
import subprocess
import sys

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
