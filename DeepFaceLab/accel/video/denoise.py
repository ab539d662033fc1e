"""Frames without noise in the place of the frames, all of them or none.

ffmpeg reads numbered links to the frames in a folder of ours and writes beside them. When all new frames are
on the disk the folder is renamed, which is the moment of decision: before it the old frames stay, after it
every frame is replaced, at the next start if need be.
"""
import contextlib
import json
import os
import shutil

from .. import compat, files, folder_lock, host
from . import frames, process

WORK, READY = ".denoise.part", ".denoise.done"
_LOCK = ".denoise.lock"
_NAMES, _IN, _OUT = "names.json", "in", "out"


def command(found, extension, factor):
    """Return the command line (list of str), to be run in our folder: stock's filter and quality.

    extension: of the frames, with its dot; factor: 1 to 20.
    """
    result = [found.ffmpeg] + list(process.OPENING) + list(process.GUARDED)
    result += ["-f", "image2", "-i", "{}/%06d{}".format(_IN, extension),
               "-vf", "hqdn3d={0}:{0}:5:5".format(factor)]
    if extension == ".jpg":
        result += ["-q:v", "2"]
    return result + ["-f", "image2", "{}/%06d{}".format(_OUT, extension)]


@contextlib.contextmanager
def locked(folder):
    """Keep other denoising out of a folder. Raises host.UserError when it is at work or cannot be written to."""
    path = os.path.join(folder, _LOCK)
    try:
        handle = folder_lock.take(path)
    except BlockingIOError as error:
        raise host.UserError("The frames in {} are being denoised in another window. Wait until it has ended.".format(
            folder)) from error
    except OSError as error:
        raise host.UserError("{} cannot be written to: {}. Free the folder, then start again.".format(
            folder, error.strerror or error)) from error
    try:
        yield
    finally:
        compat.close_and_remove(handle, path)


def unfinished(folder):
    """Tell whether frames are ready that have not yet all taken their places."""
    return os.path.isdir(os.path.join(folder, READY))


def finish(folder, open_bar):
    """Put the ready frames in their places; return (how many, names of frames changed since and left alone).

    Can be cut anywhere and called again.
    """
    ready = os.path.join(folder, READY)
    changed, done = [], 0
    if os.path.exists(os.path.join(ready, _NAMES)):
        entries = json.loads(files.read_bytes(os.path.join(ready, _NAMES)).decode("utf-8", "surrogateescape"))
        with open_bar(len(entries)) as bar:
            for number, (name, size, time) in enumerate(entries, 1):
                name = os.path.basename(name)  # the list may have been edited
                new = os.path.join(ready, _OUT, _numbered(number, name))
                old = os.path.join(folder, name)
                if os.path.exists(new):
                    if os.path.exists(old) and _state(old) != (size, time):
                        changed.append(name)
                    else:
                        _take_place(new, old)
                        done += 1
                bar.update(1)
        compat.fsync_directory(folder)
        compat.fsync_directory(os.path.join(ready, _OUT))
    _clear(ready)
    return done, changed


def run(found, folder, paths, factor, open_bar):
    """Denoise frames in their order, all of one extension and size, inside `locked`.

    factor: 1 to 20; open_bar(total, title): a progress bar. On any error (host.UserError, OSError) or end the
    frames are as they were. Raises host.UserError.
    """
    work = os.path.join(folder, WORK)
    _clear(work)
    try:
        _prepare(work, paths)
        extension = os.path.splitext(paths[0])[1]
        with open_bar(len(paths), "Denoising") as bar:
            ending = process.run(command(found, extension, factor), on_progress=process.bar_updater(bar), cwd=work)
        if ending.exit_code != 0 or ending.stalled:
            raise process.failure(ending, "All frames are as they were.")
        _sync(work, paths)
        os.rename(work, os.path.join(folder, READY))
        compat.fsync_directory(folder)
    except BaseException:
        _clear(work, quietly=True)
        raise
    return finish(folder, lambda total: open_bar(total, "Replacing"))


def _numbered(number, name):
    return "{:06d}{}".format(number, os.path.splitext(name)[1])


def _state(path):
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _prepare(work, paths):
    for below in (work, os.path.join(work, _IN), os.path.join(work, _OUT)):
        os.mkdir(below)
    entries = []
    for number, path in enumerate(paths, 1):
        name = os.path.basename(path)
        target = os.path.join(work, _IN, _numbered(number, name))
        try:
            os.link(path, target)
        except OSError:  # a file system without links, or a link that leads elsewhere
            shutil.copyfile(path, target)
        entries.append((name,) + _state(path))
    text = json.dumps(entries, ensure_ascii=False).encode("utf-8", "surrogateescape")
    files.write_atomic(os.path.join(work, _NAMES), text)


def _sync(work, paths):
    """See that every new frame is there, and on the disk. Raises host.UserError."""
    missing = 0
    for number, path in enumerate(paths, 1):
        new = os.path.join(work, _OUT, _numbered(number, path))
        if not os.path.exists(new) or not os.path.getsize(new):
            missing += 1
            continue
        with open(new, "r+b") as stream:
            os.fsync(stream.fileno())
    if missing:
        raise host.UserError("ffmpeg made {} of {} frames. All frames are as they were. See that each frame can be "
                             "opened, and that the disk has room, then start again.".format(
                                 len(paths) - missing, len(paths)))
    compat.fsync_directory(os.path.join(work, _OUT))
    compat.fsync_directory(os.path.join(work))


def _take_place(new, old):
    if os.path.islink(old):
        old = os.path.realpath(old)
        if not compat.same_device(new, os.path.dirname(old)):
            files.write_atomic(old, files.read_bytes(new))
            os.remove(new)
            return
    if os.path.exists(old):
        os.chmod(new, os.stat(old).st_mode & 0o7777)
        files.make_writable(old)
    files.retry_busy(os.replace, new, old)


def _clear(work, quietly=False):
    """Remove a folder of ours; the list of names first, so that what is left of it means nothing."""
    try:
        if not os.path.isdir(work):
            return
        if os.path.exists(os.path.join(work, _NAMES)):
            os.remove(os.path.join(work, _NAMES))
        for below in (_IN, _OUT, ""):
            inner = os.path.join(work, below) if below else work
            if os.path.isdir(inner):
                for name in os.listdir(inner):
                    os.remove(os.path.join(inner, name))
                os.rmdir(inner)
    except OSError:
        if not quietly:
            raise
