"""Programs that tests need and pip does not bring: installed by apt where that may be done.

    python tests/debian_packages.py        all that the tests beside pytest's need, before they are started
"""
import os
import runpy
import shutil
import subprocess
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))


def installed(needed, what):
    """Install the programs that are missing. Return whether all are there.

    needed: {program: its Debian packages (tuple of str)}; done only by root, where there is apt-get. what: they are,
    for a user who has to install them.
    """
    packages = _missing(needed)
    if not packages:
        return True
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("== installing {}".format(" ".join(packages)), flush=True)
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.call(["apt-get", "update", "-qq"], env=environment)
        subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + packages, env=environment)
    if _missing(needed):
        print("These tests need {}. Install it and start again. On Debian:\n"
              "    apt-get install --no-install-recommends {}".format(what, " ".join(packages)), file=sys.stderr)
        return False
    return True


def _missing(needed):
    return sorted({package for program, packages in needed.items() if not shutil.which(program)
                   for package in packages})


def main():
    """Install what tests/windows and tests/window need. Return the exit code."""
    needed = {}
    for name in ("windows", "window"):
        sys.path.insert(0, os.path.join(TESTS, name))          # as if the script were started there
        needed.update(runpy.run_path(os.path.join(TESTS, name, "run.py"))["NEEDED"])
    return 0 if installed(needed, "wine, a compiler for Windows and a virtual display") else 1


if __name__ == "__main__":
    sys.exit(main())
