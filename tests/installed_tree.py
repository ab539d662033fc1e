"""A tree with the overlay in it and all of its kernels compiled: made once, by the first test of a run that asks.

    made = compiled(tmp_path_factory)      the tree, and in `first` what the self-test said while it compiled them
    made.give_kernels(tree)                another tree of the same sources gets these kernels, too
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from accel import compat
from program import PROGRAM

SELF_TEST = os.path.join(os.path.dirname(PROGRAM), "installer", "self_test.py")


class Installed(object):
    """A copy of the overlay in a folder of its own, with a cache of kernels and temporary files beside it."""

    def __init__(self, place):
        self.place, self.tree = place, place / "Моя папка" / "Deep Face Lab"
        self.cache, self.temp, self.details = place / "cache", place / "temp", place / "details.txt"
        self.pristine, self.note = place.parent / "kernels", place.parent / "first.json"
        self.environment = dict(os.environ, NUMBA_CACHE_DIR=str(self.cache), PYTHONIOENCODING="utf-8",
                                **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temp)))
        self.environment.pop("NUMBA_DISABLE_JIT", None)

    def make(self):
        """Copy the overlay, let the self-test compile its kernels, and keep a second set of them."""
        self.place.mkdir(parents=True)
        self.temp.mkdir()
        shutil.copytree(PROGRAM, str(self.tree), ignore=shutil.ignore_patterns("__pycache__"))
        first = self.self_test()
        shutil.copytree(str(self.cache), str(self.pristine))
        self.note.write_text(json.dumps(first), encoding="utf-8")

    @property
    def first(self):
        """(exit code, output, details) of the self-test that compiled the kernels."""
        return json.loads(self.note.read_text(encoding="utf-8"))

    def run(self, *command, **variables):
        """Run Python with these words: (exit code, output of both streams)."""
        process = subprocess.Popen([sys.executable] + list(command), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=dict(self.environment, **variables))
        output = process.communicate()[0].decode("utf-8", "replace")
        return process.returncode, output

    def self_test(self, *words, **variables):
        """Run the self-test: (exit code, output, details); nothing may be left in the folder of temporary files."""
        if self.details.exists():
            self.details.unlink()
        code, output = self.run(SELF_TEST, str(self.tree), "--details", str(self.details), *words, **variables)
        assert list(self.temp.iterdir()) == []
        assert "Traceback" not in output
        details = self.details.read_text(encoding="utf-8") if self.details.exists() else ""
        return code, output, details

    def kernels(self):
        """{path: time} of all compiled kernels of this tree (other tests compile those of the repository meanwhile)."""
        found = {}
        for folder, _, names in os.walk(str(self.place)):
            for name in names:
                if name.endswith((".nbc", ".nbi")):
                    path = os.path.join(folder, name)
                    found[path] = os.stat(path).st_mtime_ns
        return found

    def give_kernels(self, tree, but=()):
        """Put the kernels beside the modules of another tree (str), but for those of some modules.

        A kernel belongs to sources of a certain time, so the other tree's get the times of ours.
        """
        for above, folders, names in os.walk(str(self.tree / "accel")):
            folders[:] = [name for name in folders if name != "__pycache__"]
            other = os.path.join(tree, os.path.relpath(above, str(self.tree)))
            for name in names:
                status = os.stat(os.path.join(above, name))
                os.utime(os.path.join(other, name), ns=(status.st_atime_ns, status.st_mtime_ns))
            # numba calls the folder of a package by its name and a hash of its path
            for cached in self.pristine.glob(os.path.basename(above) + "_*/*.nbc"):
                if cached.name.split(".")[0] not in but:
                    os.makedirs(os.path.join(other, "__pycache__"), exist_ok=True)
                    shutil.copy2(str(cached), os.path.join(other, "__pycache__"))


def compiled(tmp_path_factory):
    """Return the Installed of this run of pytest, whose workers all have the same one."""
    base = Path(str(tmp_path_factory.getbasetemp()))
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled once"
    folder.mkdir(exist_ok=True)
    made = Installed(folder / "installed")
    with open(str(folder / "lock"), "ab") as handle:
        while True:
            with contextlib.suppress(BlockingIOError):
                compat.lock_file(handle)
                break
            time.sleep(0.1)
        if not made.note.exists():
            made.make()
    return made
