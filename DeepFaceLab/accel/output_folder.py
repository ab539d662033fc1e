"""A folder that one step at a time writes its results to, whole file by whole file."""
import contextlib
import os
import re
import uuid

from . import compat, file_lock, files, host
from .os_errors import advice, reason


def make(folder, option):
    """Make a folder (path) and those above it, if needed. Raises host.UserError; option: what the user gives it by."""
    if os.path.isfile(str(folder)):
        raise host.UserError("{} is a file, and a folder is needed. Give another {}.".format(folder, option))
    try:
        os.makedirs(str(folder), exist_ok=True)
    except OSError as error:
        raise host.UserError("{} cannot be made: {}. Give another {}.".format(
            folder, error.strerror or error, option)) from error


class OutputFolder:
    """With `with`, other processes of the same step are kept out, and what a killed one left half-written is removed.

    Threads may share one. Entering raises host.UserError.
    """

    def __init__(self, folder, step):
        """folder: path of an existing folder. step: the step's name in English, one word: "merge"."""
        self.folder = os.fspath(folder)
        self.step = step
        self._part = ".{}-{{}}.part".format(step)
        self._is_part = re.compile(r"\.{}-[0-9a-f]{{32}}\.part\Z".format(step))
        self._unlock = None

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock())
            with os.scandir(self.folder) as entries:
                parts = [entry.path for entry in entries if self._is_part.match(entry.name)]
            for path in parts:
                files.remove_if_there(path)
            self._unlock = undo.pop_all()
        return self

    def __exit__(self, *error):
        self._unlock.close()

    def path(self, name):
        """Return the path (str) of a file in the folder."""
        return os.path.join(self.folder, name)

    def part_path(self):
        """Return a new path (str) for a file that is being written."""
        return self.path(self._part.format(uuid.uuid4().hex))

    def sync(self):
        """Make the names in the folder survive a power cut. Raises OSError."""
        compat.fsync_directory(self.folder)

    def _lock(self):
        path = self.path(".{}_lock".format(self.step))
        try:
            handle = file_lock.take(path)
        except BlockingIOError as error:
            raise host.UserError("Another {} is writing to {}. Wait until it has ended, then start again.".format(
                self.step, self.folder)) from error
        except OSError as error:
            raise host.UserError("{} cannot be written to: {}. {}".format(
                self.folder, reason(error), advice(error))) from error
        return lambda: compat.close_and_remove(handle, path)


def write_together(contents):
    """Write files, none of which takes its name before all are on the disk; in their order then.

    contents: list of (OutputFolder, name, bytes). Each name is the whole old or the whole new file at any moment.
    Raises OSError (a full disk, a file that a viewer keeps open); what has no new file then has its old one.
    """
    parts = []
    try:
        for folder, _, content in contents:
            parts.append(folder.part_path())
            write_synced(parts[-1], content)
        for part, (folder, name, _) in zip(parts, contents):
            files.retry_busy(os.replace, part, folder.path(name))
    except BaseException:
        for part in parts:
            files.remove_if_there(part)
        raise


def write_synced(path, content):
    """Write a new file and see it on the disk, so that no name is ever given to an empty one.

    Syncing costs 0.6 ms a frame of 1280x720 with its mask, 2 to 3 ms of 3840x2160 (virtual disk, ext4, two threads).
    The folder is not synced: whoever notes that a file is done does that first (OutputFolder.sync).
    """
    with open(path, "xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
