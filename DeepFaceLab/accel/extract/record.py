"""The record of an extraction: which frames are done, with how many faces, in a file beside the faces.

A text file, one JSON value a line: the options first, then [name, size in bytes, time of change in ns, faces] of every
frame. A line is written after its faces are on the disk; so a run that was cut short anywhere goes on exactly where
the record ends, and does once more only what it had not noted yet. A frame that was changed since counts as not done.
"""
import collections
import json
import os
import time

from .. import files

NAME = ".extraction"
UNKNOWN = -1     # faces of a frame that was done before there was a record
_VERSION = 1
_PART = NAME + ".part"
_SECONDS = 1.0   # between two syncs of folder and record: what a power cut may cost


Frame = collections.namedtuple("Frame", "size changed faces")


class Record:
    """The record in one folder. Reading changes nothing; `open` begins to write."""

    def __init__(self, folder, debug_folder=None):
        """folder: output_folder.OutputFolder of the faces, and of the debug images if there are any.

        Raises OSError when there is a record that cannot be read.
        """
        self._folder = folder
        self._folders = [folder] if debug_folder is None else [folder, debug_folder]
        self._stream = None
        self._notes = []         # lines whose files are written, but perhaps not on the disk yet
        self._noted = 0.0
        self.options, self.frames = self._read()

    def is_done(self, path):
        """Tell whether this very frame is in the record."""
        frame = self.frames.get(os.path.basename(path))
        if frame is None:
            return False
        try:
            return _facts(path) == frame[:2]
        except OSError:
            return False

    def without_face(self, paths):
        """Return those of the frames (list of paths) that are done and have no face."""
        return [path for path in paths if self.is_done(path) and not self.frames[os.path.basename(path)].faces]

    def open(self, options, keep):
        """Begin to write. options: dict of plain values; keep: go on with the frames that are done. Raises OSError."""
        self.options = options
        self.frames = self.frames if keep else {}
        lines = [json.dumps([_VERSION, options], sort_keys=True)]
        lines += [json.dumps([name] + list(frame)) for name, frame in sorted(self.frames.items())]
        self._sync()   # what was deleted must not come back beside a record that knows nothing of it
        files.write_atomic(self._folder.path(NAME), _as_bytes(lines), self._folder.path(_PART))
        self._stream = open(self._folder.path(NAME), "ab")
        self._noted = time.monotonic()

    def note(self, path, faces):
        """Note that a frame is done and its files are written. Raises OSError."""
        if self._stream is None:
            return
        try:
            frame = Frame(*_facts(path), faces=faces)
        except OSError:
            return   # it is gone: there is nothing to go on with
        self.frames[os.path.basename(path)] = frame
        self._notes.append(json.dumps([os.path.basename(path)] + list(frame)))
        if time.monotonic() - self._noted >= _SECONDS:
            self.flush()

    def flush(self):
        """Bring what was noted to the disk, after what it is about. Raises OSError."""
        if self._stream is not None and self._notes:
            self._sync()
            self._stream.write(_as_bytes(self._notes))
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._notes = []
        self._noted = time.monotonic()

    def _sync(self):
        for folder in self._folders:
            folder.sync()

    def close(self):
        """Flush, and end writing. Raises OSError; the record is closed all the same."""
        try:
            self.flush()
        finally:
            if self._stream is not None:
                self._stream.close()
            self._stream = None

    def remove(self):
        """Forget everything."""
        for name in (NAME, _PART):
            files.remove_if_there(self._folder.path(name))
        self.options, self.frames = None, {}

    def _read(self):
        """Return (options or None, {name: Frame}); what is no record, or of a later version, is none."""
        try:
            first, *lines = files.read_bytes(self._folder.path(NAME)).decode("ascii").split("\n")
            version, options = json.loads(first)
            if version != _VERSION or not isinstance(options, dict):
                return None, {}
        except (FileNotFoundError, ValueError, TypeError, RecursionError):
            return None, {}
        frames = {}
        for line in lines:
            try:
                name, *facts = json.loads(line)
                if isinstance(name, str) and len(facts) == 3 and all(type(fact) is int for fact in facts):
                    frames[name] = Frame(*facts)
            except (ValueError, TypeError, RecursionError):
                pass   # cut off by a kill: its frame is done again
        return options, frames


def _facts(path):
    about = os.stat(path)
    return about.st_size, about.st_mtime_ns


def _as_bytes(lines):
    return "".join(line + "\n" for line in lines).encode("ascii")
