"""Programs that tests need and pip does not bring: installed by apt where that may be done."""
import os
import shutil
import subprocess
import sys


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
