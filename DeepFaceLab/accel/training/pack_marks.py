"""Marks in a folder: that the files in its faceset.pak are being deleted, or that it is being unpacked.

A mark holds for one pak only, that of which it has the identity: whoever moves the pak away and packs anew has nothing
deleted, and nothing unpacked, because of an earlier one.
"""
import hashlib
import os

from .. import files, host
from ..os_errors import advice, reason

DELETES = ".packing_deletes"
UNPACKS = ".packing_unpacks"

_PIECE = 1 << 20    # bytes


def put(place, mark, pak):
    """Write a mark for a pak, whole and on the disk. place: OutputFolder; mark: its name. Raises OSError."""
    files.write_atomic(place.path(mark), _identity(pak), place.part_path())


def holds(place, mark, pak):
    """Tell whether there is a mark for this very pak. One for another is removed. Raises host.UserError."""
    path = place.path(mark)
    try:
        marked = files.read_bytes(path)
        if marked == _identity(pak):
            return True
    except FileNotFoundError:    # the mark or the pak
        return False
    except OSError as error:
        raise host.UserError("{} cannot be read: {}. Move it away, then start again. {}".format(
            error.filename or pak, reason(error), advice(error))) from error
    files.remove_if_there(path)
    return False


def remove(place, mark):
    """Take a mark away, if there is one."""
    files.remove_if_there(place.path(mark))


def remove_all(place):
    """Take all marks away before a new pak takes the name, whatever happens then. Raises OSError."""
    there = [mark for mark in (DELETES, UNPACKS) if os.path.lexists(place.path(mark))]
    for mark in there:
        remove(place, mark)
    if there:
        place.sync()


def _identity(pak):
    """Return what tells a pak from others (bytes): its size, and a hash of its first and its last MB."""
    digest = hashlib.blake2b(digest_size=16)
    with open(pak, "rb", buffering=0) as stream:
        size = os.fstat(stream.fileno()).st_size
        for begin in (0, max(0, size - _PIECE)):
            stream.seek(begin)
            digest.update(stream.read(_PIECE))
    return "{} {}\n".format(size, digest.hexdigest()).encode()
