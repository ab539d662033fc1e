"""The files of the overlay, as this copy of the project holds them."""
import hashlib
import os
import re

from accel import files, host

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.join(ROOT, "DeepFaceLab")
LAST = ("command_line.py", "main.py")    # put there last and taken off first: all else works without them


def sha256(content):
    """Return the SHA-256 of bytes as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def version():
    """Return the overlay's version (str)."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as stream:
        return re.search(r'^version = "(.+)"$', stream.read(), re.MULTILINE).group(1)


def load(source=SOURCE):
    """Return {path below the tree, with forward slashes: content (bytes)} in the order of putting them there.

    The engine comes first, then the modules that use it, main.py last: whenever it stops in between, every
    module that is there finds what it imports. Raises host.UserError when this copy is not whole.
    """
    found = {}
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                found[os.path.relpath(path, source).replace(os.sep, "/")] = files.read_bytes(path)
    if not {"accel/host.py", "main.py", "mainscripts/Sorter.py"} <= set(found):
        raise host.UserError("{} does not hold the overlay. Unpack the whole archive and start install from there."
                             .format(source))
    return {path: found[path] for path in in_order(found)}


def in_order(paths):
    """Return paths in the order of putting the files there (list of str)."""
    return sorted(paths, key=lambda path: (not path.startswith("accel/"), path in LAST and LAST.index(path) + 1,
                                           path))
