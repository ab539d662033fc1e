"""What went wrong with a file, and what a user can do about it, in words, from an OSError."""
import errno
import os


def reason(error):
    """Return what went wrong with which file, from an OSError (str)."""
    names = [os.path.basename(name) for name in (error.filename, error.filename2) if isinstance(name, str)]
    return " -> ".join(names) + (": " if names else "") + (error.strerror or str(error))


def advice(error):
    """Return what the user can do about an OSError (str, one sentence)."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Make room on the disk, then start again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS):
        return ("Close programs that show these files, see that the folder may be written to, "
                "then start again.")
    if error.errno == errno.EIO:
        return "The disk reports a fault: copy the folder to another disk before you go on."
    if error.errno in (errno.EISDIR, errno.ENOTDIR):
        return "Move what has that name away, then start again."
    if error.errno == errno.ENAMETOOLONG:
        return "The path is too long: move the folder nearer to the top of the disk, then start again."
    return "Start again."
