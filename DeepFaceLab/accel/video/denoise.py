"""Frames without noise in the place of the frames, all of them or none.

ffmpeg reads numbered links to the frames in a folder of ours and writes beside them. When all new frames are
on the disk the folder is renamed, which is the moment of decision: before it the old frames stay, after it
every frame is replaced, at the next start if need be.
"""
import contextlib
import errno
import json
import os
import shutil
import struct
import time

from .. import compat, file_lock, files, host
from . import frames, process

WORK, READY = ".denoise.part", ".denoise.done"
_LOCK = ".denoise.lock"
_NAMES, _IN, _OUT = "names.json", "in", "out"
# Seconds between tries on a folder of ours in which an ffmpeg of a killed start still writes its last frames.
_WAITS = (0.1, 0.2, 0.4, 0.8, 1.6)


def command(found, extension, factor):
    """Return the command line (list of str), to be run in our folder: stock's filter and quality.

    extension: of the frames, with its dot; factor: 1 to 20.
    """
    # -xerror: in the place of a frame that it cannot decode ffmpeg would write its neighbour once more
    result = [found.ffmpeg] + list(process.OPENING) + ["-xerror"] + list(process.GUARDED)
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
        handle = file_lock.take(path)
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

    Can be cut anywhere and called again. Raises host.UserError when a frame cannot be replaced; the next call
    then goes on.
    """
    ready = os.path.join(folder, READY)
    changed, done = [], 0
    if os.path.exists(os.path.join(ready, _NAMES)):
        entries = json.loads(files.read_bytes(os.path.join(ready, _NAMES)).decode("utf-8", "surrogateescape"))
        with open_bar(len(entries)) as bar:
            for number, (name, size, written) in enumerate(entries, 1):
                name = os.path.basename(name)  # the list may have been edited
                new = os.path.join(ready, _OUT, _numbered(number, name))
                old = os.path.join(folder, name)
                if os.path.exists(new):
                    if _is_changed(old, (size, written), new):
                        changed.append(name)
                    else:
                        _replace(new, old, len(entries) - number + 1)
                        done += 1
                bar.update(1)
        compat.fsync_directory(folder)
        if os.path.isdir(os.path.join(ready, _OUT)):  # a power cut may have kept the list alone
            compat.fsync_directory(os.path.join(ready, _OUT))
    _clear(ready)
    _clear(os.path.join(folder, WORK))
    return done, changed


def run(found, folder, paths, factor, open_bar):
    """Denoise frames in their order, all of one extension and size, inside `locked`.

    factor: 1 to 20; open_bar(total, title): a progress bar. Raises host.UserError or OSError: the frames are then
    as they were, or, if it was the replacing that failed, `unfinished` tells so and `finish` goes on.
    """
    work = os.path.join(folder, WORK)
    _clear(work)
    try:
        _prepare(work, paths)
        extension = os.path.splitext(paths[0])[1]
        with open_bar(len(paths), "Denoising") as bar:
            ending = process.run(command(found, extension, factor), on_progress=process.bar_updater(bar), cwd=work)
        if ending.exit_code != 0 or ending.stalled:
            raise process.failure(ending, "All frames are as they were. See that each frame can be opened.")
        with open_bar(len(paths), "Saving") as bar:
            _sync(work, paths, bar)
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
        _link(os.path.realpath(path), target)
        entries.append((name,) + _state(path))
    text = json.dumps(entries, ensure_ascii=False).encode("utf-8", "surrogateescape")
    files.write_atomic(os.path.join(work, _NAMES), text)


def _link(path, target):
    """Give a frame a second name; where that cannot be, copy it."""
    try:
        # the second name of a write-protected file could not be removed on Windows without freeing the file itself
        if os.access(path, os.W_OK):
            os.link(path, target)
            return
    except OSError:
        pass  # a file system without links, or another disk
    shutil.copyfile(path, target)


def _sync(work, paths, bar):
    """See that every new frame is there, whole, and on the disk; move a bar. Raises host.UserError.

    On a full disk ffmpeg 4 writes on, empty and halved frames, and ends with 0.
    """
    new = [os.path.join(work, _OUT, _numbered(number, path)) for number, path in enumerate(paths, 1)]
    lost = {name for name, _ in frames.check(new, through=False).broken}
    lost.update(os.path.basename(path) for path in new if frames.kind_of(path) == "tif" and not _is_whole_tif(path))
    if lost:
        raise host.UserError("ffmpeg made {} of {} frames. All frames are as they were. See that each frame can be "
                             "opened, and that the disk has room, then start again.".format(
                                 len(paths) - len(lost), len(paths)))
    for path in new:
        with open(path, "r+b") as stream:
            os.fsync(stream.fileno())
        bar.update(1)
    compat.fsync_directory(os.path.join(work, _OUT))
    compat.fsync_directory(os.path.join(work))


def _is_whole_tif(path):
    """Tell whether a TIF of ffmpeg, which ends with its directory, is there to the end."""
    if not os.path.exists(path):
        return False
    with open(path, "rb") as stream:
        head = stream.read(8)
    if len(head) < 8:
        return False
    place = struct.unpack("<I" if head[:2] == b"II" else ">I", head[4:])[0]
    return 8 <= place < os.path.getsize(path)


def _is_changed(old, state, new):
    """Tell whether a frame was changed since it was denoised; one that holds the new picture was not."""
    return os.path.exists(old) and _state(old) != state and files.read_bytes(old) != files.read_bytes(new)


def _replace(new, old, left):
    try:
        _take_place(new, old)
    except OSError as error:
        raise host.UserError("{} cannot be replaced: {}. All frames are denoised, {:,} are not yet in their places. "
                             "Free the file, then start again to go on.".format(
                                 old, error.strerror or error, left)) from error


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
    """Remove a folder of ours; the list of names first, so that what is left of it means nothing.

    quietly: one try, and what cannot be removed now stays.
    """
    for wait in _WAITS:
        try:
            return _remove(work)
        except OSError as error:
            if quietly:
                return
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES):
                raise
        time.sleep(wait)
    _remove(work)


def _remove(work):
    if not os.path.isdir(work):
        return
    if os.path.exists(os.path.join(work, _NAMES)):
        os.remove(os.path.join(work, _NAMES))
    for below in (_IN, _OUT, ""):  # without its input an ffmpeg that still runs comes to its end
        inner = os.path.join(work, below) if below else work
        if os.path.isdir(inner):
            for name in os.listdir(inner):
                os.remove(os.path.join(inner, name))
            os.rmdir(inner)
