"""Cores, locks, consoles, and a kernel cache that never breaks a run."""
import json
import os
import shutil
import subprocess
import sys

import pytest
from accel import compat, compat_processes
from program import PROGRAM

# A kernel, one that it calls from another module, and a program that tells what the cache did.
KERNEL = """
from .compat import jit
from .inner import square

@jit()
def total(values):
    result = values[0] - values[0]
    for value in values:
        result += square(value)
    return result
"""
INNER = """
from .compat import jit

@jit()
def square(value):
    return value * value
"""
START = """
import json, sys
import numpy
from accel import kernel
answers = [float(kernel.total(numpy.arange(5).astype(kind))) for kind in sys.argv[1:]]
cache = getattr(kernel.total, "_cache", None)
stats = getattr(kernel.total, "stats", None)
print(json.dumps({"answers": answers, "folder": getattr(cache, "cache_path", None),
                  "hits": sum(stats.cache_hits.values()) if stats else None}))
"""
IMPORT = "import sys; sys.path.insert(0, sys.argv[1]); from accel import compat; "


class Copy:
    """A copy of the part of the engine that compiles, in a folder of its own."""

    def __init__(self, folder):
        self.package = folder / "accel"
        self.package.mkdir(parents=True)
        for name in ("__init__.py", "compat.py", "kernel_cache.py"):
            shutil.copy(os.path.join(PROGRAM, "accel", name), str(self.package / name))
        (self.package / "kernel.py").write_text(KERNEL)
        (self.package / "inner.py").write_text(INNER)
        (folder / "start.py").write_text(START)
        self.home = folder / "home"
        self.temp = folder / "temp"
        self.home.mkdir()
        self.temp.mkdir()
        self.folder = folder

    def start(self, *kinds, **environment):
        variables = dict(os.environ, HOME=str(self.home), XDG_CACHE_HOME=str(self.home / "cache"),
                         TMPDIR=str(self.temp), **environment)
        for name in ("NUMBA_DISABLE_JIT", "NUMBA_CACHE_DIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
            if name not in environment:
                variables.pop(name, None)
        return subprocess.Popen([sys.executable, str(self.folder / "start.py")] + list(kinds or ["f8"]),
                                env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *kinds, **environment):
        return finish(self.start(*kinds, **environment))

    def close_program_folder(self):
        # A file in the folder's place stops every user, root too.
        cache = self.package / "__pycache__"
        if cache.exists():
            shutil.rmtree(str(cache))
        cache.write_text("")


def finish(process):
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    return json.loads(out.decode())


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path / "Программа 漢 %PATH%")


def test_second_start_compiles_nothing_whatever_the_path(copy):
    first = copy.run()
    assert first == {"answers": [30.0], "folder": str(copy.package / "__pycache__"), "hits": 0}
    assert copy.run() == dict(first, hits=1)


def test_program_folder_read_only_user_folder_used(copy):
    copy.close_program_folder()
    first = copy.run()
    assert first["answers"] == [30.0] and first["folder"].startswith(str(copy.home))
    assert copy.run() == dict(first, hits=1)


def test_user_folder_closed_too_private_temp_folder_used(copy):
    copy.close_program_folder()
    copy.home.rmdir()
    copy.home.write_text("")
    first = copy.run()
    assert first["answers"] == [30.0] and first["folder"].startswith(str(copy.temp))
    assert copy.run() == dict(first, hits=1)
    private, = copy.temp.iterdir()
    assert compat.is_windows or private.stat().st_mode & 0o077 == 0


def test_no_folder_at_all_runs_without_cache(copy):
    copy.close_program_folder()
    copy.home.rmdir()
    copy.home.write_text("")
    (copy.temp / "dfl-accel-{}".format(os.getuid())).write_text("")
    assert copy.run() == {"answers": [30.0], "folder": None, "hits": 0}


def test_folder_the_user_chose(copy):
    chosen = copy.folder / "chosen"
    answer = copy.run(NUMBA_CACHE_DIR=str(chosen))
    assert answer["folder"].startswith(str(chosen))


def test_two_processes_at_once(copy):
    both = [copy.start("f8", "i8"), copy.start("i4", "f8"), copy.start("f4", "i8")]
    assert [finish(process)["answers"] for process in both] == [[30.0, 30.0]] * 3
    assert copy.run("f8", "i8", "i4", "f4")["hits"] == 4


def test_torn_cache_is_compiled_again(copy):
    copy.run()
    for tear in (lambda content: b"", lambda content: b"\0" * 5000, lambda content: content[:-9] + b"\0" * 9):
        files = list((copy.package / "__pycache__").glob("*.nbc"))
        assert len(files) >= 1
        for path in files:
            path.write_bytes(tear(path.read_bytes()))
        assert copy.run()["hits"] == 0
    assert copy.run()["hits"] == 1


def test_changed_kernel_of_another_module_is_seen(copy):
    copy.run()
    (copy.package / "inner.py").write_text(INNER.replace("value * value", "value + 1000"))
    assert copy.run()["answers"] == [5010.0]


def test_plain_python_without_compilation(copy):
    assert copy.run(NUMBA_DISABLE_JIT="1") == {"answers": [30.0], "folder": None, "hits": None}


def test_full_disk_while_compiling(copy):
    limited = ("import resource, runpy, signal\n"
               "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
               "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n")
    start = copy.folder / "start.py"
    start.write_text(limited + start.read_text())
    answer = copy.run()
    assert (answer["answers"], answer["hits"]) == ([30.0], 0)
    assert not list((copy.package / "__pycache__").glob("*.nbc*"))


def test_temp_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = compat.private_temp_folder()
    assert compat.private_temp_folder() == path
    os.chmod(path, 0o777)
    with pytest.raises(PermissionError):
        compat.private_temp_folder()
    os.rmdir(path)
    (tmp_path / "elsewhere").mkdir()
    os.symlink(str(tmp_path / "elsewhere"), path)
    with pytest.raises(PermissionError):
        compat.private_temp_folder()


def test_cpu_count():
    assert 1 <= compat.cpu_count() <= os.cpu_count()


def test_what_another_process_has_worked():
    def work(code):
        with subprocess.Popen([sys.executable, "-ISc", "import time\n" + code + "\nprint(1, flush=True)\ninput()"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.read(1)
            found = compat_processes.work_of(process.pid)
            process.kill()
        return found

    idle = work("time.sleep(0.5)")
    assert 0 <= idle.seconds < 0.4
    assert 0.45 < work("while time.process_time() < 0.5: pass").seconds < 2
    written = work("with open({!r}, 'wb', 0) as stream: stream.write(bytes(10 ** 6))".format(os.devnull)).bytes
    assert 9e5 < written - idle.bytes < 2e6
    ended = subprocess.Popen([sys.executable, "-ISc", "pass"])
    ended.wait()
    assert compat_processes.work_of(ended.pid) is None


def test_lowest_priority():
    code = IMPORT + "import os; print(compat.set_lowest_priority(), os.nice(0))"
    out = subprocess.check_output([sys.executable, "-c", code, PROGRAM])
    assert out.split() == [b"True", b"19"]


def test_lock_is_exclusive_and_released(tmp_path):
    path = str(tmp_path / "lock")
    with open(path, "wb") as first, open(path, "r+b") as second:
        compat.lock_file(first)
        with pytest.raises(BlockingIOError):
            compat.lock_file(second)
        first.close()
        compat.lock_file(second)
    with open(path, "r+b") as third:
        compat.lock_file(third)


def test_folders(tmp_path):
    compat.fsync_directory(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        compat.fsync_directory(str(tmp_path / "missing"))
    (tmp_path / "a").mkdir()
    assert compat.same_device(str(tmp_path), str(tmp_path / "a"))
    assert not compat.same_device(str(tmp_path), "/proc")


@pytest.mark.parametrize("encoding", ["ascii", "cp866", "cp1251", "utf-8"])
def test_console_takes_any_text(encoding):
    code = IMPORT + "compat.make_console_safe(); " \
                    "print('\\u0444 \\u6f22 \\udcff'); print('\\u0444', file=sys.stderr)"
    process = subprocess.Popen([sys.executable, "-c", code, PROGRAM], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=dict(os.environ, PYTHONIOENCODING=encoding))
    out, err = process.communicate()
    expected = "\u0444 \u6f22 \udcff".encode(encoding, "backslashreplace")
    assert (process.returncode, out.strip()) == (0, expected)
    assert err.strip() == "\u0444".encode(encoding, "backslashreplace")


def test_console_without_buffer_stays_so():
    code = IMPORT + "compat.make_console_safe(); print('at once'); print('too', file=sys.__stderr__); input()"
    process = subprocess.Popen([sys.executable, "-u", "-c", code, PROGRAM], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (process.stdout.readline().strip(), process.stderr.readline().strip()) == (b"at once", b"too")
    assert process.communicate(b"\n", timeout=60) == (b"", b"") and process.returncode == 0


def test_console_that_is_not_there():
    code = IMPORT + "sys.stdout = sys.stderr = None; compat.make_console_safe(); " \
                    "print('nobody'); sys.stderr.write('hears')"
    assert subprocess.check_output([sys.executable, "-c", code, PROGRAM], stderr=subprocess.STDOUT) == b""
