"""The tests of install.bat with a real cmd.exe, that of wine: python tests/windows/run.py [words for pytest]

Debian's packages of wine and of a compiler for Windows are installed when they are missing and this may be
done (root, apt-get). The exit code is 0 when all tests passed.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from wine_build import COMPILER, HERE, Wine

NEEDED = {"wine": ("wine", "wine64"), "wineserver": ("wine", "wine64"), COMPILER: ("gcc-mingw-w64-x86-64-win32",)}


def missing_packages():
    """Return the Debian packages of the programs that are not there."""
    return sorted({package for program, packages in NEEDED.items() if not shutil.which(program)
                   for package in packages})


def installed():
    """Install what is missing. Return whether all is there."""
    packages = missing_packages()
    if not packages:
        return True
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("== installing {}".format(" ".join(packages)), flush=True)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + packages
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.call(["apt-get", "update", "-qq"], env=environment)
        subprocess.call(install, env=environment)
    if missing_packages():
        print("These tests need wine and a compiler for Windows. Install them and start again. On Debian:\n"
              "    apt-get install --no-install-recommends " + " ".join(packages), file=sys.stderr)
        return False
    return True


def main(words):
    """Run the tests. Return the exit code of pytest."""
    if not installed():
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
