"""Files by which a process keeps others out of its work: the operating system drops the lock with the process."""
import os

from . import compat


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
