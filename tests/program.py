"""Runs main.py in a folder of its own, among stand-ins for the modules that its commands call."""
import json
import os
import shutil
import subprocess
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(os.path.dirname(TESTS), "DeepFaceLab")

# Takes the place of one module: each call of its functions is written to calls.txt.
RECORDER = """
import json, multiprocessing, os, pathlib, sys

def simple(value):
    if isinstance(value, pathlib.Path):
        return "Path " + str(value)
    if isinstance(value, (list, tuple)):
        return [simple(part) for part in value]
    return value

class Recorder:
    def __init__(self, name):
        self.__dict__["__name__"] = name
        self.__dict__["__path__"] = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Recorder(self.__name__ + "." + name)

    def __call__(self, *arguments, **options):
        call = [self.__name__, simple(arguments), {key: simple(value) for key, value in options.items()}]
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "calls.txt"), "a") as file:
            file.write(json.dumps(call, sort_keys=True) + "\\n")
        print("method", multiprocessing.get_start_method(allow_none=True))
        return int(os.environ.get("ANSWER", "0"))
"""
STAND_IN = "import sys, recorder\nsys.modules[__name__] = recorder.Recorder(__name__)\n"
SCRIPTS = ("Extractor", "Util", "Trainer", "ExportDFM", "Merger", "VideoEd", "FacesetEnhancer",
           "FacesetResizer", "XSegUtil", "dev_misc")


class Program:
    """A copy of our main.py (or of another one) with stand-ins beside it."""

    def __init__(self, folder, files=("main.py", "command_line.py", "accel"), source=PROGRAM):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            copy = shutil.copytree if os.path.isdir(os.path.join(source, name)) else shutil.copy
            copy(os.path.join(source, name), str(folder / name))
        (folder / "temp").mkdir()

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def sorter(self, text):
        """Let `text` be the body of Sorter.main."""
        body = "".join("    {}\n".format(line) for line in text.splitlines())
        self.write("mainscripts/Sorter.py", "import os, sys, time\nfrom accel import host\n"
                   "def main(**options):\n" + body)

    def add_deepfacelab(self):
        self.write("recorder.py", RECORDER)
        for name in ["mainscripts/{}.py".format(script) for script in SCRIPTS] + [
                "core/leras.py", "samplelib.py", "XSegEditor/XSegEditor.py"]:
            self.write(name, STAND_IN)
        self.write("models/Model_SAEHD/__init__.py", "")
        self.write("models/model_Quick96/__init__.py", "")

    def add_what_commands_ask_for(self):
        """Files without which a command of DeepFaceLab's own is not begun, for the lines of command_calls.json."""
        for name in ("b/XSeg_256.npy", "c/new_SAEHD_data.dat", "facelib/FaceEnhancer.npy", "a/meta.dat"):
            self.write(name, "")

    def calls(self):
        """Return what the stand-ins were called with, and forget it."""
        path = self.folder / "calls.txt"
        if not path.exists():
            return []
        calls = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        return calls

    def start(self, *words, **environment):
        variables = dict(os.environ, TMPDIR=str(self.folder / "temp"), **environment)
        return subprocess.Popen([sys.executable, "-W", "ignore", str(self.folder / "main.py")] + list(words),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                cwd=str(self.folder), env=variables)

    def run(self, *words, typed=b"", **environment):
        """Return (exit code, stdout, stderr) of one command line."""
        process = self.start(*words, **environment)
        out, err = process.communicate(typed, timeout=60)
        return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
