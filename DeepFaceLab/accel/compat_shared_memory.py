"""Memory that two processes see, in blocks that are made one after the other: POSIX and Windows do it differently.

    place = open_place()               the starter of a process hands it to that process
    memory = place.make(0, size)       there; OSError: no room
    memory = place.find(0, size)       the starter, once it has been told

Python has shared_memory from 3.8 on; what it makes has a name and can outlive its makers. These blocks cannot.
"""
import mmap
import os
import uuid

from . import compat

HEAD = 64   # bytes at the start of a block that belong to this module


def open_place():
    """Return a place for blocks, or None where there is none. Picklable only while a process is started."""
    if compat.is_windows:
        return _NamedPlace()
    ways = [_file_in_memory, _anonymous_memory]
    if not _is_roomy("/dev/shm"):
        ways.reverse()
    for way in ways:
        try:
            return _FilePlace(way())
        except OSError:
            pass
    return None   # no folder of files on a disk instead: the disk would be written to for days


def whole_blocks(size):
    """Return the size of a block that takes `size` bytes beside its head."""
    return -(-(HEAD + size) // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY


class _Place:
    """Blocks of one size (from whole_blocks), counted from 0. A mark in each head tells them from an empty one."""

    def __init__(self):
        self._mark = uuid.uuid4().bytes

    def make(self, index, size):
        """Return a new block as mmap. Raises OSError when there is no room for it."""
        memory = self._reserve(index, size)
        memory[:len(self._mark)] = self._mark
        return memory

    def find(self, index, size):
        """Return, as mmap, the block that the other process has made. Raises OSError when it is gone."""
        memory = self._map(index, size)
        if memory[:len(self._mark)] != self._mark:
            raise OSError("the memory shared with another process is gone")
        return memory

    def close(self):
        """Give the place up; blocks in use stay."""


class _FilePlace(_Place):
    """A file in memory without a name: it is gone when the last process that has it open is."""

    def __init__(self, file):
        super().__init__()
        self._file = file

    def _reserve(self, index, size):
        start = index * size
        try:
            # Without this a lack of memory would show itself in a write to the block, by a signal that kills.
            os.posix_fallocate(self._file.fileno(), start, size)
        except OSError:
            os.ftruncate(self._file.fileno(), start)
            raise
        return self._map(index, size)

    def _map(self, index, size):
        return mmap.mmap(self._file.fileno(), size, offset=index * size)

    def close(self):
        self._file.close()

    def __getstate__(self):
        from multiprocessing import reduction
        return self._mark, reduction.DupFd(self._file.fileno())

    def __setstate__(self, state):
        self._mark, descriptor = state
        self._file = open(descriptor.detach(), "r+b", buffering=0)


def _is_roomy(folder):
    # Half of the memory, as a rule: a limit that keeps us from taking all. In containers it is often 64 MB.
    try:
        status = os.statvfs(folder)
    except OSError:
        return False   # macOS has no such folder
    return status.f_blocks * status.f_frsize >= 1 << 30


def _file_in_memory():
    import tempfile
    return tempfile.TemporaryFile(dir="/dev/shm", prefix="dfl-accel-", buffering=0)


def _anonymous_memory():
    # Linux from 2014 on; Python itself has the call from 3.8 on. Its only limit is the computer's memory.
    import ctypes
    try:
        create = ctypes.CDLL(None, use_errno=True).memfd_create
    except AttributeError as error:
        raise OSError("this system has no memory files") from error
    close_on_exec = 1
    descriptor = create(b"dfl-accel", close_on_exec)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "memfd_create")
    return open(descriptor, "r+b", buffering=0)


class _NamedPlace(_Place):
    """Windows' mappings of the page file: gone with the last process that has one open.

    They are found by a name; whoever asks for one that is gone gets a new, empty one.
    """

    def __init__(self):
        super().__init__()
        self._name = "dfl-accel-{}".format(uuid.uuid4().hex)

    def _map(self, index, size):
        return mmap.mmap(-1, size, tagname="{}-{}".format(self._name, index))

    _reserve = _map
