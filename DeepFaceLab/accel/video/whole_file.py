"""A new video takes its name only when it is good; until then the old one is as it was."""
import errno
import os

from .. import compat, file_lock, files, host

_TRIES = 8  # of about a second each


class WholeFile:
    """The place of a new file: `part` is written, `keep` gives it its name; without keep it goes again.

    Used with `with`. One process at a time writes to a name. Raises host.UserError when the folder or the
    old file cannot be written to, before any work has begun.
    """

    def __init__(self, path):
        self.path = os.path.realpath(path)
        folder, name = os.path.split(self.path)
        stem, suffix = os.path.splitext(name)
        # ffmpeg tells the kind of file by the suffix; other steps look for "data_dst.*".
        self.part = os.path.join(folder, ".{}.part{}".format(stem, suffix))
        self._lock_path = os.path.join(folder, ".{}.lock".format(name))
        self._lock = None

    def __enter__(self):
        folder, name = os.path.split(self.path)
        if os.path.isdir(self.path):
            raise host.UserError("{} is a folder. Give the name of a file.".format(self.path))
        if os.path.exists(self.path) and not os.access(self.path, os.W_OK):
            raise host.UserError("{} is write-protected. Take the protection off, or choose another name.".format(
                self.path))
        try:
            os.makedirs(folder, exist_ok=True)
            self._lock = file_lock.take(self._lock_path)
            try:
                files.remove_if_there(self.part)
                with open(self.part, "xb"):
                    pass
            except BaseException:
                self._unlock()
                raise
        except BlockingIOError as error:
            raise host.UserError("{} is being written by another window. Wait until it has ended, then start again."
                                 .format(self.path)) from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise host.UserError("The name {} is too long. Give a shorter one.".format(name)) from error
            raise host.UserError("{} cannot be written to: {}. Choose another folder, or free this one.".format(
                folder, error.strerror or error)) from error
        return self

    def keep(self):
        """Give the finished file its name, on the disk for good.

        Raises host.UserError when the old one is held open by another program (Windows); the new one then has
        a name beside it, which the error tells.
        """
        with open(self.part, "r+b") as stream:
            os.fsync(stream.fileno())
        files.copy_permissions(self.path, self.part)
        try:
            _patiently(os.replace, self.part, self.path)
        except PermissionError as error:
            raise host.UserError("{} is open in another program, so the new video is {}. Close that program and rename "
                                 "it.".format(self.path, self._keep_beside())) from error
        compat.fsync_directory(os.path.dirname(self.path))

    def _keep_beside(self):
        """Give the finished file a free name beside the one that is not to be had. Return its path."""
        stem, suffix = os.path.splitext(self.path)
        number, other = 2, stem + "_new" + suffix
        while os.path.lexists(other):
            number, other = number + 1, "{}_new{}{}".format(stem, number, suffix)
        try:
            _patiently(compat.rename_no_replace, self.part, other)
        except OSError:
            other, self.part = self.part, None  # it stays as it is called
        return other

    def __exit__(self, *error):
        if self.part is not None:
            files.remove_if_there(self.part)
        self._unlock()

    def _unlock(self):
        if self._lock is not None:
            compat.close_and_remove(self._lock, self._lock_path)
            self._lock = None


def refuse_input(path, inputs):
    """Raise host.UserError if the file to be written is one of those that are read, also by a link."""
    for given in inputs:
        if os.path.exists(path) and os.path.exists(given) and os.path.samefile(path, given):
            raise host.UserError("{} is the file that is read; the new video would take its place. Choose another name."
                                 .format(path))


def _patiently(rename, source, target):
    """Rename a file that took hours; a virus scanner may look at it for a while. Raises the last OSError."""
    for _ in range(_TRIES - 1):
        try:
            return files.retry_busy(rename, source, target)
        except PermissionError:
            pass
    return files.retry_busy(rename, source, target)
