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
STATES = (INSTALLING, TESTING, INSTALLED, UNINSTALLING)

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
        self.files = {}              # {path: Entry}
        self.theirs = {}             # {path: reason} of a fork's files that stayed
        self.packages = {}           # {Python: {name: version}} that pip has added; Python: see python_key
        self.pending = None          # while pip is at work: (Python, names that were there before)

    def save(self, kept):
        """Write it into the folder of kept files, whole or not at all. Raises OSError."""
        path = os.path.join(kept, NAME)
        files.make_writable(path)
        files.write_atomic(path, self.text().encode("ascii"), path + ".tmp")

    def text(self):
        """Return the manifest as JSON."""
        content = {
            "format": FORMAT, "state": self.state, "version": self.version, "found": self.found,
            "theirs": self.theirs, "packages": self.packages, "pending": self.pending,
            "files": {path: {"ours": entry.ours, "original": entry.original and entry.original._asdict()}
                      for path, entry in self.files.items()}}
        return json.dumps(content, indent=1, sort_keys=True)

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
            for name in ("state", "version", "found"):
                setattr(record, name, _checked(content[name], str))
            if record.state not in STATES:
                raise ValueError("state {!r}".format(record.state))
            record.theirs = {_path(path): _checked(reason, str) for path, reason in content["theirs"].items()}
            record.packages = {_checked(python, str): {_checked(name, str): _checked(number, str)
                                                       for name, number in added.items()}
                               for python, added in content["packages"].items()}
            if content["pending"] is not None:
                python, names = content["pending"]
                record.pending = _checked(python, str), [_checked(name, str) for name in names]
            record.files = {_path(path): _entry(entry) for path, entry in content["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise host.UserError(
                "{} cannot be used ({}). If a newer version of this overlay has written it, use that version. Else "
                "copy the files of {} back by hand.".format(os.path.join(kept, NAME), error, kept)) from error
        return record


def python_key(build):
    """Return how a Build's Python is remembered: below the build's folder by its place there.

    Builds are moved and copied, and then it is the Python of the new place that counts.
    """
    inside = os.path.dirname(build.tree) + os.sep
    return build.python[len(inside):] if build.python.startswith(inside) else build.python


def python_path(build, key):
    """Return the full path of a remembered Python."""
    return os.path.join(os.path.dirname(build.tree), key)


def _entry(content):
    if not content["ours"]:
        raise ValueError("an empty list of hashes")
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
