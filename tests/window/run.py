"""The program's windows on a virtual display: python tests/window/run.py [FOLDER] [words for pytest]

FOLDER gets pictures of the display. Debian's packages of Xvfb and xdotool are installed when they are missing and
this may be done (root, apt-get). The exit code is 0 when all tests passed.

    DFL_INSTALLED=path/of/DeepFaceLab   a tree on which the overlay lies, or
    DFL_STOCK=path/of/DeepFaceLab       a tree of stock, over a copy of which it is laid,

in the place of the overlay with stand-ins for DeepFaceLab's window, for the interactive merger; the running Python
needs that tree's packages.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

from debian_packages import installed  # noqa: E402

NEEDED = {"Xvfb": ("xvfb",), "xdotool": ("xdotool",)}


def main(words):
    """Run the tests. Return the exit code of pytest."""
    if not installed(NEEDED, "a virtual display"):
        return 1
    environment = dict(os.environ)
    if words and not words[0].startswith("-"):
        folder = os.path.abspath(words.pop(0))
        os.makedirs(folder, exist_ok=True)
        environment["WINDOW_PICTURES"] = folder
    return subprocess.call([sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
                            os.path.join(HERE, "window_merge.py"), os.path.join(HERE, "window_extract.py")] + words,
                           env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
