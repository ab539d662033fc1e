"""Fault injection: a forked child does its work until a chosen file operation kills it or fails.

Every call of the functions below on a path under one root is an operation and has an index, in the
order of the calls. At the index asked for, the shim does one of MODES. A child's syncs are noted, not
made, so hundreds of cases take seconds. POSIX only (os.fork).

    operations = trace(work, root)                  what undisturbed work does, in order
    for at in points(operations, mode, every):      where to cut it
        run(work, root, mode, at)                   then look, and start again, unless the state is one that was met
"""
import builtins
import errno
import gc
import hashlib
import json
import os
import random
import re
import signal
import sys
import traceback

import shared_cases
import tqdm  # noqa: F401  a progress bar loads it, and so no fork has to
from accel import compat, png_pixels

MODES = (
    "kill",          # SIGKILL before the operation; a write is half done
    "eio",           # this operation fails
    "eio-on",        # this one and all after it fail
    "enospc",        # this operation fails if it needs room, else the next that does
    "enospc-on",     # nothing that needs room succeeds any more
    "power",         # power cut: file contents that were not synced are gone
    "power-names",   # and a random choice of the renames, removals and new folders not yet synced
    "power-order",   # and all of those but the last: nothing is in order that was not synced
)
POWER_CUTS = ("power", "power-names", "power-order")
EVERY = {"eio-on": 4, "enospc-on": 4, "power-names": 3, "power-order": 3}    # of the operations; of the others: each

KILLED, DONE, REFUSED, BROKEN = "killed", "done", "refused", "broken"

_NEEDS_ROOM = ("open for writing", "write", "mkdir", "fsync", "rename")
_READS = ("open", "scandir", "listdir")     # what changes nothing
_RANDOM = re.compile(r"[0-9a-f]{32}")


def run(work, root, mode=None, at=None, refusals=()):
    """Run work() in a forked child with a fault. Return (how it ended, operations, text).

    How it ended: DONE, REFUSED (it raised one of `refusals`), BROKEN (another exception), KILLED.
    operations: how many there were (None if killed); text: the traceback or the refusal's words.
    """
    how, operations, words = _run(work, root, mode, at, refusals)
    return how, None if how == KILLED else len(operations), words


def trace(work, root):
    """Return the operations that undisturbed work() makes: list of (kind, base name). The child really does them.

    Numbers and random parts of the names are gone, so that equal ones are operations of one sort.
    """
    how, operations, words = _run(work, root, None, None, ())
    assert how == DONE, words
    return [(kind, re.sub(r"\d+", "#", _RANDOM.sub("*", name))) for kind, name in operations]


def count(work, root):
    """Return how many operations undisturbed work() makes. The child really does them."""
    return len(trace(work, root))


def points(operations, mode, every=None):
    """Return the indices (list of int) at which a fault of this mode makes a difference.

    A process that dies before or after an operation that changes nothing leaves the same; a full disk is met by what
    needs room. every (EVERY[mode] or 1): only every so many of them, and the first of each sort of operation; half of
    the sorts are for the mode beside it in MODES.
    """
    every = EVERY.get(mode, 1) if every is None else every
    changing = [kind not in _READS and (kind != "fsync" or mode != "kill") for kind, _ in operations]
    chosen, sorts = [], []
    for at, (kind, _) in enumerate(operations):
        if mode == "kill" or mode in POWER_CUTS:
            differs = at == 0 or changing[at - 1] or kind == "write"        # a write is left half done
        else:
            differs = kind in _NEEDS_ROOM or not mode.startswith("enospc")
        first = operations[at] not in sorts
        if first:
            sorts.append(operations[at])
        if differs and (at % every == 0 or first and (len(sorts) + MODES.index(mode)) % 2):
            chosen.append(at)
    return shared_cases.mine(chosen)


def state(root):
    """Return a digest (str) of all names and contents in a folder, without the random parts of names and without times.

    What starts again from equal states does the same, and need not be looked at twice.
    """
    found = []
    for folder, _, names in os.walk(str(root)):
        found.append((os.path.relpath(folder, str(root)), ""))
        for path in (os.path.join(folder, name) for name in names):
            with open(path, "rb") as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
            found.append((_RANDOM.sub("*", os.path.relpath(path, str(root))), digest))
    return hashlib.sha256(repr(sorted(found)).encode("utf-8", "backslashreplace")).hexdigest()


def _run(work, root, mode, at, refusals):
    """As `run`, but with the operations: list of (kind, base name), empty if killed."""
    png_pixels._kernels.get(0)      # where another test has loaded numba, every fork would load these by itself
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status, words = 70, ""
        try:
            gc.disable()        # it would touch, and so copy, all that the test process holds
            shim = _Shim(root, mode, at)
            shim.install()
            try:
                work()
                status = 0
            except refusals as refusal:
                status, words = 71, str(refusal)
            except BaseException:
                words = traceback.format_exc()
            shim.busy = True
            with os.fdopen(writer, "wb") as stream:
                stream.write(json.dumps([shim.operations, words]).encode("ascii"))
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        report = stream.read()
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return KILLED, [], ""
    operations, words = json.loads(report.decode("ascii")) if report else ([], "")
    return {0: DONE, 71: REFUSED}.get(os.WEXITSTATUS(status), BROKEN), [tuple(each) for each in operations], words


class _Shim:
    def __init__(self, root, mode, at):
        self.root = os.path.realpath(str(root))
        self.mode, self.at = mode, at
        self.operations = []  # (kind, base name) of each so far
        self.real = {}
        self.busy = False  # inside an operation: what it calls is part of it
        self.fds = {}  # open file descriptor -> path
        self.synced_size = {}  # inode of a file with unsynced content -> bytes that are safe
        self.names = []  # unsynced changes of names: (folders still to sync, how to take it back)

    # --- patching ---

    def install(self):
        for name in ("open", "write", "fsync", "rename", "replace", "unlink", "remove", "mkdir", "rmdir",
                     "link", "truncate", "scandir", "listdir"):
            self.real["os." + name] = getattr(os, name)
            setattr(os, name, getattr(self, "os_" + name, None) or self.plain(name))
        self.real["open"] = builtins.open
        builtins.open = self.open
        self.real["rename_no_replace"] = compat.rename_no_replace
        compat.rename_no_replace = self.rename_no_replace

    def plain(self, name):
        real = self.real["os." + name]

        def patched(path, *arguments, **options):
            return self.operation(name, path, lambda: real(path, *arguments, **options))
        return patched

    def operation(self, kind, path, act, torn=None):
        if self.busy or not self.inside(path):
            return act()
        index = len(self.operations)
        self.operations.append((kind, os.path.basename(self.path_of(path))))
        self.busy = True
        try:
            if self.at is not None and index >= self.at:
                self.strike(kind, index, path, torn)
            return act()
        finally:
            self.busy = False

    def inside(self, path):
        path = self.path_of(path)
        return path == self.root or path.startswith(self.root + os.sep)

    def path_of(self, path):
        """Return the full path (str) of a path or of an open file's descriptor; "" for one that is not known."""
        if isinstance(path, int):
            return self.fds.get(path, "")
        return os.path.abspath(os.fsdecode(path))

    # --- faults ---

    def strike(self, kind, index, path, torn):
        if self.mode == "kill" or self.mode in POWER_CUTS:
            if torn is not None:
                torn()
            if self.mode in POWER_CUTS:
                try:
                    self.cut_power()
                except Exception:
                    traceback.print_exc()
                    os._exit(72)  # the shim is wrong: BROKEN
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "eio" and index == self.at or self.mode == "eio-on":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path if isinstance(path, str) else None)
        if self.mode.startswith("enospc") and kind in _NEEDS_ROOM:
            if self.mode == "enospc":
                self.at = sys.maxsize
            if torn is not None:
                torn()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path if isinstance(path, str) else None)

    def cut_power(self):
        unsynced = [take_back for folders, take_back in self.names if folders]
        if self.mode == "power-names":
            chance = random.Random(self.at)
            unsynced = [take_back for take_back in unsynced if chance.random() < 0.5]
        elif self.mode == "power-order":
            unsynced = unsynced[:-1]
        else:
            unsynced = []
        for take_back in reversed(unsynced):
            take_back()
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                inode = os.stat(path).st_ino
                if inode in self.synced_size:
                    self.real["os.truncate"](path, self.synced_size[inode])

    # --- contents ---

    def open(self, path, mode="r", *arguments, **options):
        kind = "open" if mode.startswith("r") and "+" not in mode else "open for writing"
        if isinstance(path, int) or not self.inside(path):
            return self.real["open"](path, mode, *arguments, **options)
        stream = self.operation(kind, path, lambda: self.real["open"](path, mode, *arguments, **options))
        self.fds[stream.fileno()] = os.path.abspath(os.fsdecode(path))
        if kind == "open":
            return stream
        inode = os.fstat(stream.fileno()).st_ino
        if mode.startswith(("w", "x")):
            self.synced_size[inode] = 0
        return _Stream(self, stream, path)

    def os_open(self, path, flags, *arguments, **options):
        fd = self.operation("open", path, lambda: self.real["os.open"](path, flags, *arguments, **options))
        self.fds[fd] = os.path.abspath(os.fsdecode(path))
        return fd

    def os_fsync(self, fd):
        return self.operation("fsync", fd, lambda: self.note_sync(fd))

    def note_sync(self, fd):
        path = self.fds[fd]
        self.synced_size.pop(os.fstat(fd).st_ino, None)
        for folders, _ in self.names:
            folders.discard(path)

    # --- names ---

    def os_rename(self, source, target):
        return self.move("os.rename", source, target)

    def os_replace(self, source, target):
        return self.move("os.replace", source, target)

    def rename_no_replace(self, source, target):
        return self.move("rename_no_replace", source, target)

    def move(self, function, source, target):
        if self.busy:
            return self.real[function](source, target)
        replaced = self.content(target)

        def take_back():
            if os.path.lexists(target) and not os.path.lexists(source) and os.path.isdir(_parent(source)):
                self.real["os.rename"](target, source)
                if replaced is not None:
                    self.create(target, replaced)

        def act():
            self.real[function](source, target)
            self.names.append(({_parent(source), _parent(target)}, take_back))
        return self.operation("rename", source, act)

    def os_unlink(self, path):
        return self.delete("os.unlink", path)

    def os_remove(self, path):
        return self.delete("os.remove", path)

    def delete(self, function, path):
        old = self.content(path)

        def take_back():
            if not os.path.lexists(path) and os.path.isdir(_parent(path)):
                self.create(path, old)

        def act():
            self.real[function](path)
            self.names.append(({_parent(path)}, take_back))
        return self.operation("remove", path, act)

    def os_mkdir(self, path, *arguments):
        def take_back():
            if os.path.isdir(path) and not os.listdir(path):
                self.real["os.rmdir"](path)

        def act():
            self.real["os.mkdir"](path, *arguments)
            self.names.append(({_parent(path)}, take_back))
        return self.operation("mkdir", path, act)

    def os_rmdir(self, path):
        def take_back():
            if not os.path.lexists(path) and os.path.isdir(_parent(path)):
                self.real["os.mkdir"](path)

        def act():
            self.real["os.rmdir"](path)
            self.names.append(({_parent(path)}, take_back))
        return self.operation("rmdir", path, act)

    def content(self, path):
        if not os.path.isfile(path):
            return None
        with self.real["open"](path, "rb") as stream:
            return stream.read()

    def create(self, path, content):
        with self.real["open"](path, "wb") as stream:
            stream.write(content)


def _parent(path):
    return os.path.dirname(os.path.abspath(os.fsdecode(path)))


class _Stream:
    """A file open for writing whose writes are operations."""

    def __init__(self, shim, stream, path):
        self._shim, self._stream, self._path = shim, stream, path

    def write(self, data):
        def torn():
            self._stream.write(data[:len(data) // 2])
            self._stream.flush()
        inode = os.fstat(self._stream.fileno()).st_ino
        self._shim.synced_size.setdefault(inode, os.fstat(self._stream.fileno()).st_size)
        return self._shim.operation("write", self._path, lambda: self._stream.write(data), torn)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stream.close()

    def __getattr__(self, name):
        return getattr(self._stream, name)
