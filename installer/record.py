"""manifest.json: what was put where, what stood there before, and how far it has come."""
import collections
import json
import os
import re

from accel import files, host

NAME = "manifest.json"
FORMAT = 1

# How far an installation has come. After INSTALLING and UNINSTALLING the tree may be half one, half the other;
# every module in it works then, too.
INSTALLING, TESTING, INSTALLED, UNINSTALLING = "installing", "testing", "installed", "uninstalling"

Original = collections.namedtuple("Original", "sha256 size mtime_ns mode kept")
Original.__doc__ = """A file that was replaced. kept: where its content is, below the folder of kept files."""

Entry = collections.namedtuple("Entry", "ours original")
Entry.__doc__ = """A file of the tree. ours: SHA-256 of everything that we have put there, the newest last;
original: Original, or None where there was no file."""


class Record:
    """What the manifest holds. Paths are below the tree, with forward slashes."""

    def __init__(self):
        self.state = None            # None: nothing was ever installed
        self.version = ""            # of the overlay
        self.found = ""              # which DeepFaceLab it was
        self.python = ""             # that packages were added to; see set_python
        self.files = {}              # {path: Entry}
        self.theirs = {}             # {path: reason} of a fork's files that stayed
        self.packages = {}           # {name: version} that pip has added
        self.packages_before = None  # while pip is at work: list of the names that were there before

    def save(self, kept):
        """Write it into the folder of kept files, whole or not at all. Raises OSError."""
        content = {
            "format": FORMAT, "state": self.state, "version": self.version, "found": self.found,
            "python": self.python, "theirs": self.theirs, "packages": self.packages,
            "packages_before": self.packages_before,
            "files": {path: {"ours": entry.ours, "original": entry.original and entry.original._asdict()}
                      for path, entry in self.files.items()}}
        text = json.dumps(content, indent=1, sort_keys=True)
        files.write_atomic(os.path.join(kept, NAME), text.encode("ascii"), os.path.join(kept, NAME + ".tmp"))

    def set_python(self, build):
        """Remember a Build's Python; below the build's folder by its place there, since builds are moved and copied."""
        inside = os.path.dirname(build.tree) + os.sep
        self.python = build.python[len(inside):] if build.python.startswith(inside) else build.python

    def find_python(self, build):
        """Return the full path of the Python that packages were added to; a Build's own if that is gone."""
        path = os.path.join(os.path.dirname(build.tree), self.python)
        return path if self.python and os.path.isfile(path) else build.python

    @classmethod
    def load(cls, kept):
        """Return the Record in a folder of kept files; an empty one where there is none.

        Raises host.UserError for a manifest that cannot be read or is not one: what stands in it decides which
        files are removed, so nothing is guessed.
        """
        record = cls()
        try:
            text = files.read_bytes(os.path.join(kept, NAME))
        except (FileNotFoundError, NotADirectoryError):
            return record
        try:
            content = json.loads(text.decode("utf-8"))
            if content["format"] != FORMAT:
                raise ValueError("format {}".format(content["format"]))
            for name in ("state", "version", "found", "python"):
                setattr(record, name, _checked(content[name], str))
            record.theirs = {_path(path): _checked(reason, str) for path, reason in content["theirs"].items()}
            record.packages = {_checked(name, str): _checked(number, str)
                               for name, number in content["packages"].items()}
            before = content["packages_before"]
            record.packages_before = before and [_checked(name, str) for name in before]
            record.files = {_path(path): _entry(entry) for path, entry in content["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise host.UserError(
                "{} cannot be used ({}). If a newer version of this overlay has written it, use that version. Else "
                "copy the files of {} back by hand.".format(os.path.join(kept, NAME), error, kept)) from error
        return record


def _entry(content):
    original = content["original"]
    if original is not None:
        original = Original(_checked(original["sha256"], str), _checked(original["size"], int),
                            _checked(original["mtime_ns"], int), _checked(original["mode"], int),
                            _path(original["kept"]))
    return Entry([_checked(digest, str) for digest in content["ours"]], original)


def _checked(value, kind):
    if not isinstance(value, kind):
        raise ValueError("{!r} is no {}".format(value, kind.__name__))
    return value


def _path(text):
    """A path that stays below its folder, on every system."""
    if not re.match(r"^[^\\:\0]+$", _checked(text, str)) or any(
            part in ("", ".", "..") for part in text.split("/")):
        raise ValueError("path {!r}".format(text))
    return text
