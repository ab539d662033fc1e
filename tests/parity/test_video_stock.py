"""Stock's own `main.py videoed` and ours on the same clips and frames: the results, byte by byte.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] python -m pytest tests/parity/test_video_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs stock; it needs stock's packages. Both use the ffmpeg of the
PATH, which must be there. Answers are typed, as users type them.
"""
import os
import shutil
import subprocess
import sys

import clips
import cv2
import numpy as np
import pytest
from program import PROGRAM

STOCK = os.environ.get("DFL_STOCK")
STOCK_PYTHON = os.environ.get("DFL_STOCK_PYTHON", sys.executable)
COMMANDS = {"stock": [STOCK_PYTHON, os.path.join(STOCK or "", "main.py")],
            "ours": [sys.executable, os.path.join(PROGRAM, "main.py")]}


def found():
    """Return the Tools of the PATH."""
    both = [one for one in clips.ffmpegs() if one.ffprobe is not None]
    assert both, "ffmpeg and ffprobe must be in the PATH"
    return both[0]


def contents(folder):
    """{path: bytes} of all files of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def both(tmp_path, prepare, words, typed):
    """Run one command by stock and by us, each in a folder of its own. Return both {path: bytes}."""
    results = []
    for name in ("stock", "ours"):
        folder = tmp_path / name
        folder.mkdir()
        prepare(folder)
        variables = dict(os.environ, CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="3", PYTHONIOENCODING="utf-8",
                         XDG_CACHE_HOME=str(tmp_path / "cache"))
        run = subprocess.run(COMMANDS[name] + ["videoed"] + words, input=typed.encode(), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env=variables, cwd=str(folder))
        assert run.returncode == 0, run.stdout.decode("utf-8", "replace")
        results.append(contents(folder))
    return results


def fill(folder, suffix, stems):
    folder.mkdir()
    for number, stem in enumerate(stems):
        noise = np.random.RandomState(number).randint(-9, 10, (clips.HEIGHT, clips.WIDTH, 3))
        image = np.clip(clips.frame(number) + noise, 0, 255).astype(np.uint8)
        (folder / (stem + suffix)).write_bytes(cv2.imencode(suffix, image)[1].tobytes())


if STOCK:
    @pytest.mark.parametrize("kind", ["ntsc", "vfr", "turned right"])
    @pytest.mark.parametrize("extension, fps", [("png", 0), ("png", 7), ("jpg", 0), ("jpg", 7)])
    def test_extracted_frames_are_equal(tmp_path, kind, extension, fps):
        source = clips.make(found(), tmp_path, kind, "data_src")

        def prepare(folder):
            shutil.copy(source, str(folder))
            (folder / "data_src" / "aligned").mkdir(parents=True)
            (folder / "data_src" / "aligned" / "00001.png").write_bytes(b"a face")
            (folder / "data_src" / "notes.txt").write_bytes(b"notes")

        ref, comp = both(tmp_path, prepare, ["extract-video", "--input-file", "data_src.*", "--output-dir", "data_src"],
                         "{}\n{}\n".format(fps, extension))
        assert comp == ref
        assert len(ref) > 8

    @pytest.mark.parametrize("extension", ["png", "jpg"])
    def test_frames_of_before_are_deleted(tmp_path, extension):
        source = clips.make(found(), tmp_path, "slow", "data_src")

        def prepare(folder):
            shutil.copy(source, str(folder))
            (folder / "data_src").mkdir()
            for name in ("00099.png", "x.PNG", "00099.jpg", "x.JPG", "00099.jpeg", "00099.png.txt", "png"):
                (folder / "data_src" / name).write_bytes(b"old")

        ref, comp = both(tmp_path, prepare, ["extract-video", "--input-file", "data_src.*", "--output-dir", "data_src",
                                             "--output-ext", extension, "--fps", "0"], "\n")
        assert comp == ref
        assert len(ref) == 1 + 12 + 5

    @pytest.mark.parametrize("kind, typed", [
        ("plain", "00:00:00.200\n00:00:00.700\n0\n25\n"), ("with aac", "0.1\n0.55\n\n\n"), ("vfr", "0\n1\n3\n2\n"),
        ("with pcm", "00:00:00.3\n00:00:10\n0\n1\n")])
    def test_cuts_are_equal(tmp_path, kind, typed):
        source = clips.make(found(), tmp_path, kind, "data_src")
        ref, comp = both(tmp_path, lambda folder: shutil.copy(source, str(folder)),
                         ["cut-video", "--input-file", os.path.basename(source)], typed)
        assert comp == ref
        assert len(ref) == 2 and all(ref.values())

    @pytest.mark.parametrize("suffix, typed", [(".png", "\n"), (".png", "20\n"), (".jpg", "7\n"), (".jpg", "0\n"),
                                               (".jpeg", "3\n")])
    def test_denoised_frames_are_equal(tmp_path, suffix, typed):
        stems = ["00001", "00002", "frame 9", "frame 10", "лицо", "x%d"]
        ref, comp = both(tmp_path, lambda folder: fill(folder / "data_dst", suffix, stems),
                         ["denoise-image-sequence", "--input-dir", "data_dst"], typed)
        assert comp == ref
        fill(tmp_path / "before", suffix, stems)
        before = contents(tmp_path / "before")
        assert len(ref) == len(stems)
        assert all(ref[os.path.join("data_dst", name)] != before[name] for name in before)
