"""The DeepFaceLab to compare with: an untouched tree, or an installed one as it was before the installation.

The installation keeps every file that it replaced in <tree>_original, with a manifest of all files that it
put there. From both the tree of before is built, in the benchmark's own folder; the installed one stays as it is.
"""
import hashlib
import os
import shutil

from accel import host
from installer import record as records

TREES_BELOW = ("", "DeepFaceLab", "_internal/DeepFaceLab")     # of what a user may call his DeepFaceLab
KEPT_SUFFIX = "_original"
NOT_NEEDED = ("__pycache__", ".git")
LINKED_BYTES = 2 ** 20         # files above are linked: the weights of the networks have 90 MB each


class Unusable(Exception):
    """Something the user gave does not fit; the message is one line that says what to do."""


class Stock(object):
    """A DeepFaceLab to compare with.

    tree: full path (str) of the folder of its main.py. originals: {path: path of the kept original (str), None
    for a file that the overlay added}, paths with / and relative to the tree; None if it is untouched.
    """

    def __init__(self, tree, originals=None):
        self.tree, self.originals = tree, originals

    def __str__(self):
        return self.tree if self.originals is None else self.tree + " as it was before the installation"

    def unchanged(self, folder):
        """Return the path of a tree without the overlay: its own, or one built in a new folder.

        Raises Unusable if a kept original cannot be had, and OSError, for instance when the disk is full.
        """
        if self.originals is None:
            return self.tree
        _copy_tree(self.tree, folder, self.originals)
        for path, kept in self.originals.items():
            if kept is not None:
                place(kept, os.path.join(folder, *path.split("/")))
        if not os.path.isfile(os.path.join(folder, "main.py")):
            raise Unusable("{} holds no main.py without the overlay: run install again.".format(self.tree))
        return folder


def find(path, python):
    """Return the Stock that a user means by a path; python: the interpreter for it. Raises Unusable.

    path: the DeepFaceLab folder itself, the `_internal` above it, or the build's root.
    """
    above = os.path.abspath(path)
    trees = [os.path.normpath(os.path.join(above, *below.split("/"))) for below in TREES_BELOW]
    tree = next((tree for tree in trees if os.path.isfile(os.path.join(tree, "main.py"))), None)
    if tree is None:
        raise Unusable("{} holds no main.py: --stock wants the DeepFaceLab folder, or the one it was unpacked to."
                       .format(above))
    if shutil.which(python) is None:
        raise Unusable("there is no {}: --stock-python wants the Python that runs DeepFaceLab.".format(python))
    if not os.path.isdir(os.path.join(tree, "accel")):
        return Stock(tree)
    return Stock(tree, _originals(tree))


def _originals(tree):
    """Read and check what an installation has kept: see Stock. Raises Unusable."""
    kept = tree + KEPT_SUFFIX
    try:
        record = records.Record.load(kept)
    except host.UserError as error:
        raise Unusable(str(error))
    if record.state is None:
        raise Unusable("{} already holds this overlay, and {} is not there to tell the originals: --stock wants an "
                       "untouched DeepFaceLab, or one on which install was run."
                       .format(tree, os.path.join(kept, records.NAME)))
    if record.state != records.INSTALLED:
        raise Unusable("the installation in {} was cut short (its state is {!r}): run install again.".format(
            tree, record.state))
    originals = {}
    for path, entry in record.files.items():
        originals[path] = entry.original and os.path.join(kept, *entry.original.kept.split("/"))
        if entry.original is not None and _sha256(originals[path]) != entry.original.sha256:
            raise Unusable("the kept original of {} in {} is missing or was changed: --stock wants an untouched "
                           "DeepFaceLab.".format(path, kept))
    return originals


def _sha256(path):
    """Return the hash (str) of a file's content, None if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(2 ** 20), b""):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def _copy_tree(tree, folder, left_out):
    """Give every file of a tree a second one in a new folder, but for those left out (paths with /)."""
    left_out = {os.path.normcase(path) for path in left_out}
    for above, subfolders, names in os.walk(tree):
        subfolders[:] = [name for name in subfolders if name not in NOT_NEEDED]
        for name in names:
            source = os.path.join(above, name)
            relative = os.path.relpath(source, tree)
            if os.path.normcase(relative.replace(os.sep, "/")) not in left_out and os.path.isfile(source):
                place(source, os.path.join(folder, relative))


def place(source, target):
    """Copy a file to a new path; a large one becomes a hard link where that is possible. Raises OSError."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    # the link of a write-protected file could not be removed on Windows without unprotecting the file itself
    if os.path.getsize(source) > LINKED_BYTES and os.access(source, os.W_OK):
        try:
            os.link(source, target)
            return
        except OSError:
            pass               # another disk, or a file system without links
    shutil.copyfile(source, target)
