"""What went wrong with a file, and what a user can do about it, in words, from an OSError."""
import errno
import os

_AGAIN = "start again"
# (what has happened, what to do about it)
_FULL = "The disk is full", "make room, then start again"
_PROTECTED = ("A file or folder is protected or open in another program",
              "close programs that show it, see that the folder may be written to, then start again")
_READ_ONLY = "The disk is read-only", "choose another folder or unlock the disk, then start again"
_FAULTY = "The disk reports a fault", "copy your files to another disk before you go on"
_LONG = "A path is too long", "use shorter names, or a folder nearer to the top of the disk, then start again"
_GONE = ("A file or folder is not where it should be",
         "check the names, and that nobody moves them, then start again")
_KIND = ("There is a file where a folder should be, or the other way round",
         "move what has that name away, then start again")

# What lies at the machine, whatever the program does.
OF_THE_MACHINE = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EACCES: _PROTECTED, errno.EPERM: _PROTECTED,
                  errno.EBUSY: _PROTECTED, errno.EROFS: _READ_ONLY, errno.EIO: _FAULTY, errno.ENAMETOOLONG: _LONG}
_WORDS = dict(OF_THE_MACHINE)
_WORDS.update({errno.ENOENT: _GONE, errno.EISDIR: _KIND, errno.ENOTDIR: _KIND, errno.EEXIST: _KIND})


def reason(error):
    """Return what went wrong with which file, from an OSError (str)."""
    names = [os.path.basename(name) for name in (error.filename, error.filename2) if isinstance(name, str)]
    return " -> ".join(names) + (": " if names else "") + (error.strerror or str(error))


def advice(error):
    """Return what the user can do about an OSError (str, one sentence)."""
    known = _WORDS.get(error.errno)
    words = known[1] if known is not None and known is not _GONE else _AGAIN
    return words[0].upper() + words[1:] + "."


def explained(number):
    """Return what has happened and what to do about it (str, one sentence), from an errno; None for unknown ones."""
    known = _WORDS.get(number)
    return None if known is None else "{}: {}.".format(*known)
