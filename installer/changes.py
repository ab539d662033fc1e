"""Putting the overlay's files into a tree and taking them off again.

At any moment each file of the tree is a whole one, the old or the new, and everything that was replaced lies in
the folder of kept files. The manifest is on the disk before the first file moves; files are put there in an order
in which every module finds what it imports, and taken off in the reverse one. So a tree left half done works,
and doing the same again, or the opposite, completes it.

All functions raise host.UserError for what the user can mend.
"""
import contextlib
import os
import stat

from accel import compat, file_lock, files, host
from accel.os_errors import advice, reason
from installer import overlay, plan
from installer import record as records
from installer.overlay import sha256
from installer.record import Entry, Original

KEPT, INCOMING, ASIDE = "files", "incoming", "changed"
LOCK, TEMPORARY, READ_ME = ".lock", ".tmp", "READ ME.txt"
READ_ME_TEXT = (b"Here are the files of DeepFaceLab in whose places the files of the accelerating overlay are now.\r\n"
                b"Leave this folder as it is: uninstalling puts them back from here.\r\n")


@contextlib.contextmanager
def locked(build):
    """Keep other installers out of a tree while the body runs, and turn OSErrors into words."""
    try:
        _make_folder(build.kept)
        handle = file_lock.take(os.path.join(build.kept, LOCK))
    except BlockingIOError as error:
        raise host.UserError("Another installation is at work in {}. Wait until it has ended, then start again."
                             .format(build.tree)) from error
    except OSError as error:
        raise host.UserError("Nothing can be written beside {}: {}. {}".format(
            build.tree, reason(error), advice(error))) from error
    try:
        if not compat.same_device(build.kept, build.tree):
            raise host.UserError("{} is on another disk than the folder around it, so files cannot be put there in "
                                 "one step. Give the folder as it lies on its own disk. Nothing was changed."
                                 .format(build.tree))
        yield
    except BrokenPipeError:
        raise                                # nobody reads what is said; the files have nothing to do with it
    except OSError as error:
        raise host.UserError("{}. {} What is there now works; the same command completes it.".format(
            reason(error), advice(error))) from error
    finally:
        compat.close_and_remove(handle, os.path.join(build.kept, LOCK))
        _remove_empty(build.kept)            # stays while anything is kept


# --- putting there ---------------------------------------------------------------------------

def install(build, record, steps, new):
    """Keep what is to be replaced, then put the overlay's files there. The record ends in state TESTING.

    steps: the Plan; new: {path: content}. Returns the full paths of files that were edited by hand and lie aside
    now.
    """
    placed = steps.paths(plan.ADD, plan.REPLACE, plan.SAME)
    aside = Aside(build)
    for path in placed:
        record.files[path] = _entry(build, record.files.get(path), path, sha256(new[path]), aside)
    _write(build.kept, os.path.join(build.kept, READ_ME), READ_ME_TEXT)
    record.theirs = {step.path: step.reason for step in steps.steps if step.action == plan.THEIRS}
    withdrawn = [path for path in record.files if path not in new or path not in placed]
    with _staged(build) as staging:
        moves = [(path, staging.add(new[path], record.files[path].original))
                 for path in steps.paths(plan.ADD, plan.REPLACE)]
        back = _stage_originals(build, record, withdrawn, staging)
        record.state = records.INSTALLING        # from here on files move
        record.save(build.kept)
        for path, staged in moves:
            _put(build, path, staged)
        _take_off(build, record, withdrawn, back, aside)
    for path in withdrawn:
        del record.files[path]
    _remove_caches(build, withdrawn)
    record.state = records.TESTING
    record.save(build.kept)
    return aside.paths


def finish(build, record):
    """Say in the record that all is done and tested."""
    record.state = records.INSTALLED
    record.save(build.kept)


def _entry(build, entry, path, digest, aside):
    """The Entry of a file that is about to be placed; what stands there now is kept."""
    there = plan.read(build.tree, path)
    if os.path.islink(_place(build.tree, path)):
        raise host.UserError("{} is a link. Put the file itself there, then start again. Nothing was changed."
                             .format(_place(build.tree, path)))
    ours, original = entry or ([], None)
    if entry is None:
        original = there if there is None else _keep(build, path, there)
    elif there is not None and sha256(there) not in ours:
        if original is not None and sha256(there) == original.sha256:
            original = _keep(build, path, there)     # there again; and its kept copy may have been lost
        elif plan.is_edited(path, there):
            aside.put(path, there)
        else:
            original = _keep(build, path, there)     # a newer DeepFaceLab was copied over this tree
    return Entry([known for known in ours if known != digest] + [digest], original)


def _keep(build, path, content):
    """Copy a file of the tree into the folder of kept files and return its Original."""
    status = os.stat(_place(build.tree, path))
    kept, turn = "{}/{}".format(KEPT, path), 1
    while plan.read(build.kept, kept) not in (None, content):
        turn += 1
        kept = "{}-{}/{}".format(KEPT, turn, path)
    target = _place(build.kept, kept)
    if plan.read(build.kept, kept) is None:
        _write(build.kept, target, content)
    with contextlib.suppress(OSError):       # some mounts let nobody set times or permissions
        os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
    return Original(sha256(content), len(content), status.st_mtime_ns, stat.S_IMODE(status.st_mode), kept)


# --- taking off ------------------------------------------------------------------------------

def uninstall(build, record):
    """Put the kept files back and remove what was added; discard then ends it.

    A file that came from elsewhere since, with a newer DeepFaceLab, stays. Returns the full paths of files that
    were edited by hand and lie aside now. Nothing is changed when a kept file that is needed is damaged or gone.
    """
    aside = Aside(build)
    paths = overlay.in_order(record.files)[::-1]
    with _staged(build) as staging:
        back = _stage_originals(build, record, paths, staging)
        if record.state is not None:
            record.state = records.UNINSTALLING
            record.save(build.kept)
        _take_off(build, record, paths, back, aside)
    _remove_caches(build, paths)
    return aside.paths


def discard(build):
    """Remove the folder of kept files after everything was put back.

    A kept file goes only if the tree holds the same content in its place. Returns the full paths of those that
    stay; what was edited by hand stays, too.
    """
    _remove_tree(os.path.join(build.kept, INCOMING))
    left = []
    for name in sorted(os.listdir(build.kept)):
        if name == KEPT or name.startswith(KEPT + "-"):
            left += _remove_copies(os.path.join(build.kept, name), build.tree)
    for name in (READ_ME, TEMPORARY, records.NAME + ".tmp", records.NAME):
        files.remove_if_there(os.path.join(build.kept, name))
    return left


def _remove_copies(folder, tree):
    """Remove the files below a folder that the tree holds, too, and folders that are empty then."""
    left = []
    for below, _, names in os.walk(folder, topdown=False):
        for name in sorted(names):
            path = os.path.join(below, name)
            if plan.read(tree, os.path.relpath(path, folder).replace(os.sep, "/")) == files.read_bytes(path):
                files.remove_if_there(path)
            else:
                left.append(path)
        _remove_empty(below)
    return left


def _remove_tree(folder):
    """Remove a folder of ours with all in it; unlike shutil.rmtree, on Windows write-protected files, too."""
    for below, folders, names in os.walk(folder, topdown=False):
        for name in names:
            files.remove_if_there(os.path.join(below, name))
        _remove_empty(below)


def _remove_empty(folder):
    """Remove a folder; it stays while anything is in it. Return whether it is gone."""
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True


def _stage_originals(build, record, paths, staging):
    """Stage the kept files of those paths at which something else stands. Returns {path: staged file}."""
    back, damaged = {}, []
    for path in paths:
        original, there = record.files[path].original, plan.read(build.tree, path)
        if original is None or _is_foreign(record, path, there) or (
                there is not None and sha256(there) == original.sha256):
            continue
        content = plan.read(build.kept, original.kept)
        if content is None or sha256(content) != original.sha256:
            damaged.append(path)
        else:
            back[path] = staging.add(content, original, original.mtime_ns)
    if damaged:
        raise host.UserError(
            "The kept files in {} are damaged or gone: {}. Nothing was changed. Copy these files from a DeepFaceLab "
            "of the same version into {}, then start again.".format(build.kept, ", ".join(damaged), build.tree))
    return back


def _is_foreign(record, path, there):
    """Tell whether a file came from elsewhere: a newer DeepFaceLab, or a fork, was copied over the overlay."""
    entry = record.files[path]
    return (there is not None and sha256(there) not in entry.ours and not plan.is_edited(path, there)
            and not (entry.original and sha256(there) == entry.original.sha256))


def _take_off(build, record, paths, back, aside):
    """At each path put the staged original, or remove what we have added; what came from elsewhere stays."""
    for path in paths:
        entry, there = record.files[path], plan.read(build.tree, path)
        if _is_foreign(record, path, there):
            continue
        original_there = there is not None and entry.original and sha256(there) == entry.original.sha256
        if there is not None and not original_there and sha256(there) not in entry.ours:
            aside.put(path, there)
        if path in back:
            _put(build, path, back[path])
        elif entry.original is None and there is not None:
            files.make_writable(_place(build.tree, path))
            files.retry_busy(os.remove, _place(build.tree, path))
        compat.fsync_directory(_existing(os.path.dirname(_place(build.tree, path))))


def _remove_caches(build, paths):
    """Remove what Python and numba have compiled from files at these paths, and folders that are empty then."""
    for path in paths:
        folder, name = os.path.split(_place(build.tree, path))
        caches = os.path.join(folder, "__pycache__")
        prefix = name[:-len("py")]
        for cached in os.listdir(caches) if os.path.isdir(caches) else ():
            if cached.startswith(prefix) and cached.endswith((".pyc", ".nbi", ".nbc")):
                files.remove_if_there(os.path.join(caches, cached))
        _remove_empty(caches)
        while folder != build.tree and _remove_empty(folder):
            folder = os.path.dirname(folder)
        compat.fsync_directory(_existing(folder))


# --- single files ----------------------------------------------------------------------------

class Aside:
    """Where files that somebody edited by hand are put before ours take their places."""

    def __init__(self, build):
        self._kept = build.kept
        self.paths = []

    def put(self, path, content):
        """Keep a content (bytes); the same one only once."""
        turn = 1
        while plan.read(self._kept, self._name(turn, path)) not in (None, content):
            turn += 1
        target = _place(self._kept, self._name(turn, path))
        _write(self._kept, target, content)
        self.paths.append(target)

    @staticmethod
    def _name(turn, path):
        return "{}/{}/{}".format(ASIDE, turn, path)


class _Staging:
    """New files on the tree's own volume, written and synced, so that putting them there is only a rename."""

    def __init__(self, folder):
        self._folder = folder
        self._count = 0

    def add(self, content, original=None, mtime_ns=None):
        """Write one file with the permissions of the one that it replaces. Return its path."""
        self._count += 1
        path = os.path.join(self._folder, "{:04d}".format(self._count))
        files.write_atomic(path, content)
        with contextlib.suppress(OSError):
            if original is not None:
                os.chmod(path, original.mode | stat.S_IWUSR)
            if mtime_ns is not None:
                os.utime(path, ns=(mtime_ns, mtime_ns))
                os.chmod(path, original.mode)
        return path


@contextlib.contextmanager
def _staged(build):
    folder = os.path.join(build.kept, INCOMING)
    _remove_tree(folder)                     # one that was cut short has left it
    _make_folder(folder)
    try:
        yield _Staging(folder)
        compat.fsync_directory(folder)       # a rename is safe when both of its folders are
    finally:
        _remove_tree(folder)


def _put(build, path, staged):
    target = _place(build.tree, path)
    _make_folder(os.path.dirname(target))
    files.make_writable(target)
    files.retry_busy(os.replace, staged, target)
    compat.fsync_directory(os.path.dirname(target))


def _write(kept, target, content):
    """Write a file below the folder of kept files; cut short, it leaves only the one temporary file there."""
    _make_folder(os.path.dirname(target))
    files.make_writable(target)
    files.write_atomic(target, content, os.path.join(kept, TEMPORARY))


def _make_folder(path):
    """Make a folder and those above it, so that a power cut does not lose them."""
    if not os.path.isdir(path):
        _make_folder(os.path.dirname(path))
        os.mkdir(path)
        compat.fsync_directory(os.path.dirname(path))


def _place(folder, path):
    return os.path.join(folder, *path.split("/"))


def _existing(folder):
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
