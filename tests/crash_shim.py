"""Fault injection: a forked child does its work until a chosen file operation kills it or fails.

Every call of the functions below on a path under one root is an operation and has an index, in the
order of the calls. At the index asked for, the shim does one of MODES. A child's syncs are noted, not
made, so hundreds of cases take seconds. POSIX only (os.fork).
"""
import builtins
import errno
import os
import random
import signal
import sys
import traceback

from accel import compat

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

KILLED, DONE, REFUSED, BROKEN = "killed", "done", "refused", "broken"

_NEEDS_ROOM = ("open for writing", "write", "mkdir", "fsync", "rename")


def run(work, root, mode=None, at=None, refusals=()):
    """Run work() in a forked child with a fault. Return (how it ended, operations, text).

    How it ended: DONE, REFUSED (it raised one of `refusals`), BROKEN (another exception), KILLED.
    operations: how many there were (None if killed); text: the traceback or the refusal's words.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status, words = 70, ""
        try:
            shim = _Shim(root, mode, at)
            shim.install()
            try:
                work()
                status = 0
            except refusals as refusal:
                status, words = 71, str(refusal)
            except BaseException:
                words = traceback.format_exc()
            report = "{}\n{}".format(shim.count, words).encode("utf-8", "backslashreplace")
            shim.real["os.write"](writer, report[:60000])
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        count, _, words = stream.read().decode("utf-8").partition("\n")
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return KILLED, None, ""
    return {0: DONE, 71: REFUSED}.get(os.WEXITSTATUS(status), BROKEN), int(count or 0), words


def count(work, root):
    """Return how many operations undisturbed work() makes. The child really does them."""
    how, operations, words = run(work, root)
    assert how == DONE, words
    return operations


class _Shim:
    def __init__(self, root, mode, at):
        self.root = os.path.realpath(str(root))
        self.mode, self.at, self.count = mode, at, 0
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
        index, self.count = self.count, self.count + 1
        self.busy = True
        try:
            if self.at is not None and index >= self.at:
                self.strike(kind, index, path, torn)
            return act()
        finally:
            self.busy = False

    def inside(self, path):
        if isinstance(path, int):
            path = self.fds.get(path)
            if path is None:
                return False
        path = os.path.abspath(os.fsdecode(path))
        return path == self.root or path.startswith(self.root + os.sep)

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
