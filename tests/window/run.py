"""The interactive merger's window on a virtual display: python tests/window/run.py [FOLDER] [words for pytest]

FOLDER gets pictures of the display. Debian's packages of Xvfb and xdotool are installed when they are missing and
this may be done (root, apt-get). The exit code is 0 when all tests passed.

    DFL_INSTALLED=path/of/DeepFaceLab   a tree on which the overlay lies, or
    DFL_STOCK=path/of/DeepFaceLab       a tree of stock, over a copy of which it is laid,

in the place of the overlay with stand-ins for DeepFaceLab's window; the running Python needs that tree's packages.
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = {"Xvfb": "xvfb", "xdotool": "xdotool"}


def missing_packages():
    """Return the Debian packages of the programs that are not there."""
    return sorted(package for program, package in NEEDED.items() if not shutil.which(program))


def installed():
    """Install what is missing. Return whether all is there."""
    packages = missing_packages()
    if not packages:
        return True
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("== installing {}".format(" ".join(packages)), flush=True)
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.call(["apt-get", "update", "-qq"], env=environment)
        subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + packages, env=environment)
    if missing_packages():
        print("These tests need a virtual display. Install it and start again. On Debian:\n"
              "    apt-get install --no-install-recommends " + " ".join(packages), file=sys.stderr)
        return False
    return True


def main(words):
    """Run the tests. Return the exit code of pytest."""
    if not installed():
        return 1
    environment = dict(os.environ)
    if words and not words[0].startswith("-"):
        folder = os.path.abspath(words.pop(0))
        os.makedirs(folder, exist_ok=True)
        environment["WINDOW_PICTURES"] = folder
    return subprocess.call([sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
                            os.path.join(HERE, "window_merge.py")] + words, env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
