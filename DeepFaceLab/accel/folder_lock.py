"""One sort at a time in a folder: a lock that the operating system drops with its process."""
import contextlib
import os

from . import compat
from .rename_errors import RenameError, advice, reason

_LOCK = ".sort_lock"
_HELD = set()  # folders that this process has locked


@contextlib.contextmanager
def locked(folder):
    """Keep other sorts out of a folder while the body runs; the same process may nest it.

    Raises RenameError if another process is sorting there or if the folder cannot be written to.
    """
    folder = os.path.realpath(os.fspath(folder))
    if folder in _HELD:
        yield
        return
    path = os.path.join(folder, _LOCK)
    handle = _take_lock(folder, path)
    _HELD.add(folder)
    try:
        yield
    finally:
        _HELD.discard(folder)
        compat.close_and_remove(handle, path)


def _take_lock(folder, path):
    try:
        return take(path)
    except BlockingIOError as error:
        raise RenameError("Another sort is at work in {}. Wait until it has ended, "
                          "then start again.".format(folder)) from error
    except OSError as error:
        raise RenameError("Files in {} cannot be renamed: {}. {}".format(
            folder, reason(error), advice(error))) from error


def take(path):
    """Open a lock file, made if needed, and lock it. Return it; give it up with compat.close_and_remove.

    Raises BlockingIOError when another process holds it, OSError when it cannot be opened.
    """
    while True:
        handle = open(path, "ab")
        try:
            compat.lock_file(handle)
            if os.path.samestat(os.fstat(handle.fileno()), os.stat(path)):
                return handle
            handle.close()  # its last owner has just removed it: take the new one
        except BlockingIOError:
            handle.close()
            raise
        except FileNotFoundError:
            handle.close()
        except OSError:
            return handle  # a network share without locks: nobody can be kept out
