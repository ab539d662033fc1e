"""All checks of the project: python tests/run.py [words for pytest]

Lint, oldest Python, tests, and the tests of kernels once more without compilation. Every check
runs, whatever became of the one before; the exit code is 0 when all of them passed.
"""
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = ["DeepFaceLab", "benchmarks", "installer", "tests", "tools", "install.py"]
LINT = ["-m", "flake8", "--isolated", "--max-line-length=120", "--select=F,E501,E9,W6",
        "--per-file-ignores=__init__.py:F401"]
OLDEST_PYTHON = ["-c", "import vermin; vermin.main()", "-t=3.6-", "--violations", "--no-tips", "--quiet"]
# Two at a time halve the wait; a file stays together, since its tests share what they have made.
# `-n 0` behind the command: one after another.
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadfile"]
NOTHING_COLLECTED = 5


def run(title, words, **environment):
    """Run Python with these words. Return its exit code."""
    print("\n== {}".format(title), flush=True)
    return subprocess.call([sys.executable] + words, cwd=ROOT, env=dict(os.environ, **environment))


def files_with(mark):
    """Return the files with tests of a mark: collecting the others, too, takes seconds and memory."""
    found = []
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "**", "test_*.py"), recursive=True)):
        with open(path, encoding="utf-8") as stream:
            if "mark." + mark in stream.read():
                found.append(path)
    return found


def run_tests(words):
    """Run the tests. Return the exit code.

    Those marked `light` come first and among themselves: forking a process that holds all tests and what they import
    takes ten times as long, and so does going through all of its objects.
    """
    if words:
        return run("tests", PYTEST + words)
    light = run("tests in light processes", PYTEST + ["-m", "light"] + files_with("light"))
    return run("tests", PYTEST + ["-m", "not light"]) or light


def main(words):
    """Run every check. Return how many failed."""
    codes = {
        "lint": run("lint", LINT + SOURCES),
        "oldest Python": run("oldest Python", OLDEST_PYTHON + SOURCES),
        "tests": run_tests(words),
        "plain kernels": run("tests of kernels, not compiled",
                             PYTEST + ["-m", "kernel"] + (words or files_with("kernel")), NUMBA_DISABLE_JIT="1"),
    }
    if words and codes["plain kernels"] == NOTHING_COLLECTED:
        codes["plain kernels"] = 0  # a choice of tests may hold no kernel
    failed = [title for title, code in codes.items() if code]
    print("\n== " + ("failed: " + ", ".join(failed) if failed else "all checks passed"), flush=True)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
