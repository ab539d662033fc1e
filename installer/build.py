"""Where a DeepFaceLab lies, and what runs it."""
import collections
import glob
import itertools
import os
import re
import shutil
import subprocess
import sys

from accel import compat, host

Build = collections.namedtuple("Build", "tree kept python python_from ffmpeg")
Build.__doc__ = """A DeepFaceLab to work on. tree: full path of the folder of its main.py; kept: of the folder
beside it that keeps the replaced files; python: full path of the Python that runs it; python_from: how that was
found; ffmpeg: full path or None."""

BESIDE = ("", "DeepFaceLab", "_internal/DeepFaceLab")     # where main.py lies below a folder that is given
TREE_FOLDERS = ("mainscripts", "models")                  # what tells DeepFaceLab from this overlay alone
ENVIRONMENTS = (".venv", "venv", "env")
CONDA_HOMES = ("~/anaconda3", "~/miniconda3", "~/miniforge3", "~/mambaforge", "/opt/conda", "/opt/miniconda3",
               "/opt/anaconda3")


def find(path, python=None):
    """Return the Build at a path: its root, `_internal`, the DeepFaceLab folder, or something inside a root.

    python: the interpreter to use, when the user named one. Raises host.UserError.
    """
    tree = os.path.realpath(find_tree(path))
    executable, found = (named_python(python), "as asked") if python else find_python(tree)
    return Build(tree, tree + "_original", executable, found, find_ffmpeg(tree))


def find_tree(path):
    """Return the folder of DeepFaceLab's main.py at or below a path. Raises host.UserError."""
    given = os.path.abspath(os.path.expanduser(path))
    folder = given if os.path.isdir(given) else os.path.dirname(given)
    if not os.path.exists(given):
        raise host.UserError("There is no folder {}. Give the folder of DeepFaceLab: the one that holds _internal, "
                             "or the one that holds main.py.".format(given))
    above = [folder, os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))]
    for start in above:
        for below in BESIDE:
            tree = os.path.join(start, *below.split("/")) if below else start
            if is_tree(tree):
                return tree
    if os.path.isfile(os.path.join(folder, "accel", "host.py")):
        raise host.UserError("{} is this overlay itself, without a DeepFaceLab. Give the folder of your DeepFaceLab."
                             .format(folder))
    raise host.UserError("{} is no DeepFaceLab: neither it nor its _internal holds DeepFaceLab's main.py with "
                         "mainscripts and models beside it. Give the folder of your DeepFaceLab.".format(folder))


def is_tree(folder):
    """Tell whether a folder is that of DeepFaceLab's main.py, with or without this overlay."""
    return os.path.isfile(os.path.join(folder, "main.py")) and all(
        os.path.isdir(os.path.join(folder, name)) for name in TREE_FOLDERS)


# --- Python ----------------------------------------------------------------------------------

def named_python(name):
    """Return the full path of a Python that the user named. Raises host.UserError."""
    path = shutil.which(os.path.expanduser(name))
    if path is None:
        raise host.UserError("There is no Python {}. Give --python the file that runs DeepFaceLab.".format(name))
    return os.path.abspath(path)


def find_python(tree):
    """Return (full path, words on where it was found) of the Python that runs a tree.

    In this order: what setenv.bat of this very build has set, the python folder of a Windows build, an
    environment inside the build, what scripts/env.sh of the Linux scripts names, the active environment, one
    beside a clone, the Python that runs this.
    """
    for path, found in _candidates(tree):
        path = path and shutil.which(path)
        if path:
            return os.path.abspath(path), found
    return sys.executable, "the one that runs this; --python names another"


def _candidates(tree):
    parent, root = os.path.dirname(tree), os.environ.get("DFL_ROOT", "")
    if os.path.isdir(root) and os.path.samefile(root, tree):
        yield os.environ.get("PYTHON_EXECUTABLE"), "from setenv.bat"
    for path in _environments(tree):
        yield path, "in the build"
    scripts = [os.path.join(parent, "env.sh"), os.path.join(parent, "scripts", "env.sh"),
               os.path.join(os.path.dirname(parent), "env.sh")]
    setenv = os.path.join(parent, "setenv.bat")
    is_build = os.path.basename(parent) == "_internal" or any(map(os.path.isfile, scripts[:2] + [setenv]))
    if is_build:                         # else what lies beside a clone may belong to anything
        for path in itertools.chain(_pythons(parent), _environments(parent)):
            yield path, "in the build"
    for path in scripts:
        yield from _from_env_sh(path)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if os.environ.get(name):
            yield environment_python(os.environ[name]), "the active environment"
    for path in _environments(parent):
        yield path, "beside it"


def _pythons(folder):
    """Yield the Pythons of a Windows build, newest first."""
    for pattern in ("python*/python.exe", "python*/bin/python3"):
        yield from sorted(glob.glob(os.path.join(glob.escape(folder), pattern)), reverse=True)


def _environments(folder):
    for name in ENVIRONMENTS:
        yield environment_python(os.path.join(folder, name))


def environment_python(folder):
    """Return the path at which a virtual or conda environment has its Python, or would have it."""
    paths = [os.path.join(folder, *place.split("/")) for place in compat.pythons_of_environment]
    return next((path for path in paths if os.path.isfile(path)), paths[0])


def _from_env_sh(path):
    """Yield what the Linux scripts run: `source DIR/bin/activate`, `conda activate NAME`, DFL_PYTHON."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        return
    found = "from {}".format(os.path.basename(path))
    folder = os.path.dirname(path)
    for name in re.findall(r"^[^#\n]*(?:source|\.) +[\"']?([^\"'\s]+)/bin/activate", text, re.MULTILINE):
        for start in (folder, os.path.dirname(folder)):
            yield environment_python(os.path.join(start, os.path.expanduser(name))), found
    for name in re.findall(r"^[^#\n]*conda activate +([\w.-]+)", text, re.MULTILINE):
        for home in (os.path.dirname(os.path.dirname(os.environ.get("CONDA_EXE", ""))),) + CONDA_HOMES:
            if home:
                yield environment_python(os.path.join(os.path.expanduser(home), "envs", name)), found
    for name in re.findall(r"^[^#\n]*DFL_PYTHON=[\"']?([^\"'\s]+)", text, re.MULTILINE):
        if name not in ("python", "python3"):             # such a word means the active one
            yield name, found


# --- ffmpeg ----------------------------------------------------------------------------------

def find_ffmpeg(tree):
    """Return the full path of the ffmpeg that a tree runs: the build's, else that of the PATH, else None."""
    inside = shutil.which("ffmpeg", path=os.path.join(os.path.dirname(tree), "ffmpeg"))
    return inside or shutil.which("ffmpeg")


def ffmpeg_version(path):
    """Return the version that an ffmpeg tells (str), or None when it does not run."""
    try:
        out = subprocess.run([path, "-version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(rb"ffmpeg version (\S+)", out)
    return match and match.group(1).decode("ascii", "replace")
