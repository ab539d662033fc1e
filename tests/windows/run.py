"""The tests of install.bat with a real cmd.exe, that of wine: python tests/windows/run.py [words for pytest]

Debian's packages of wine and of a compiler for Windows are installed when they are missing and this may be
done (root, apt-get). The exit code is 0 when all tests passed.
"""
import os
import subprocess
import sys
import tempfile

from wine_build import COMPILER, HERE, Wine

sys.path.append(os.path.dirname(HERE))

from debian_packages import installed  # noqa: E402

NEEDED = {"wine": ("wine", "wine64"), "wineserver": ("wine", "wine64"), COMPILER: ("gcc-mingw-w64-x86-64-win32",)}


def main(words):
    """Run the tests. Return the exit code of pytest."""
    if not installed(NEEDED, "wine and a compiler for Windows"):
        return 1
    with tempfile.TemporaryDirectory(prefix="dfl_wine_") as folder:
        with Wine(folder) as wine:
            files = ["cmd_install.py", "cmd_whole.py"]
            if wine.expands_late():
                files.append("cmd_drop.py")
            else:
                print("== cmd_drop.py is left out: this wine does not know !NAME:text=text!, wine 10 does", flush=True)
            return subprocess.call([sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
                                   + [os.path.join(HERE, name) for name in files] + words,
                                   env=dict(os.environ, WINE_TEST_FOLDER=folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
