"""The frames of a video to pictures in a folder."""
import contextlib
import os
import re

from .. import compat, file_lock, files, host
from . import frames, probe, process, tools

_FRAME = r"\d{5,}\."
_LOCK = ".extract.lock"


def command(found, source, extension, fps, hwaccel=None, first_only=False):
    """Return the command line (list of str), to be run in the folder of the frames.

    extension: "png" or "jpg"; fps: frames of each second, 0 for all; hwaccel: a name for -hwaccel, or None;
    first_only: decode one frame and write nothing. Stock's command, but for the folder: a % in its name
    would be taken for a pattern.
    """
    result = [found.ffmpeg] + list(process.OPENING)
    if hwaccel is not None:
        result += ["-hwaccel", hwaccel]
    result += list(process.GUARDED) + ["-i", "file:" + source]
    # for JPG, ffmpeg makes yuvj444p of stock's rgb24, with a warning
    result += ["-pix_fmt", "yuvj444p" if extension == "jpg" else "rgb24"]
    if fps:
        result += ["-r", str(fps)]
    if extension == "jpg":
        result += ["-q:v", "2"]
    if first_only:
        return result + ["-an", "-frames:v", "1", "-f", "null", "-"]
    return result + ["-f", "image2", "-atomic_writing", "1", "%05d." + extension]


def old_frames(folder, extension):
    """Return the paths of the files of this extension directly in a folder: what stock deletes."""
    with os.scandir(folder) as entries:
        return sorted(entry.path for entry in entries
                      if entry.name.lower().endswith("." + extension.lower()) and entry.is_file())


def begin(found, source, extension, fps, hwaccel=None):
    """Decode one frame, to see that the work can start. Raises host.UserError."""
    if hwaccel is not None and hwaccel != "auto" and hwaccel not in tools.hardware_decoders(found.ffmpeg):
        raise host.UserError("This ffmpeg cannot decode by {}. It knows: {}.".format(
            hwaccel, ", ".join(sorted(tools.hardware_decoders(found.ffmpeg))) or "none"))
    ending = process.run(command(found, source, extension, fps, hwaccel, first_only=True))
    if ending.exit_code != 0 or ending.stalled or not ending.frames:
        raise process.failure(ending, "Nothing was changed.")


@contextlib.contextmanager
def locked(folder):
    """Keep other extractions out of a folder while the body runs; yields the lock for `run`.

    Raises host.UserError when one is at work, or when the folder cannot be written to.
    """
    path = os.path.join(folder, _LOCK)
    try:
        handle = file_lock.take(path)
    except BlockingIOError as error:
        raise host.UserError("Frames are still being written into {}, by another window or by the ffmpeg of one that "
                             "was closed. Wait until it has ended, then start again.".format(folder)) from error
    except OSError as error:
        raise host.UserError("{} cannot be written to: {}. Free the folder, then start again.".format(
            folder, error.strerror or error)) from error
    try:
        yield handle
    finally:
        compat.close_and_remove(handle, path)


def run(found, source, folder, extension, fps, open_bar, hwaccel=None, lock=None):
    """Write the frames into a folder that has none of this extension; return how many (int).

    lock: what `locked` yields; ffmpeg holds it, too, should it outlive this program. Each picture is there whole
    or not at all. Raises host.UserError, with the frames so far left in place.
    """
    _remove_halves(folder, extension)
    pictures = _Pictures(folder, extension)
    try:
        with open_bar(_expected(found, source, fps)) as bar:
            show = process.bar_updater(bar)

            def follow(progress):
                show(progress)
                pictures.look()
            ending = process.run(command(found, source, extension, fps, hwaccel), on_progress=follow, cwd=folder,
                                 held=lock)
            if ending.exit_code == 0:
                process.fill_bar(bar, ending.frames)
        if ending.exit_code == 0 and not ending.stalled:
            _name_the_rest(folder, extension)
            pictures.look()
    finally:
        _remove_halves(folder, extension)
        pictures.remove_broken()
    written = pictures.written()
    kept = "{:,} frames are in {}.".format(written, folder)
    if ending.exit_code != 0 or ending.stalled:
        raise process.failure(ending, kept)
    if written < ending.frames:
        raise host.UserError("ffmpeg tells of {:,} frames, but {} Make room on the disk, close programs that show the "
                             "frames, then start again.".format(ending.frames, kept))
    return written


def _expected(found, source, fps):
    try:
        return expected(probe.probe(found, source).video, fps)
    except host.UserError:
        return None  # a song with a cover, say: ffmpeg may know what to do with it all the same


def expected(video, fps):
    """Return how many frames a video will give (int), None when nobody knows."""
    if fps and video.seconds:
        return int(round(video.seconds * fps))
    if video.frames is not None and video.nominal_rate == video.average_rate:
        return video.frames
    if video.seconds and video.nominal_rate:
        return int(round(video.seconds * float(video.nominal_rate)))
    return video.frames


class _Pictures:
    """Looks at each picture that has got its name: on a full disk ffmpeg 4 writes on, and ends with 0."""

    def __init__(self, folder, extension):
        self._folder = folder
        self._suffix = "." + extension
        self._name = "{:05d}" + self._suffix
        self._known = frames.kind_of(extension) in ("png", "jpg")
        self._seen = 0
        self._broken = []

    def look(self):
        """Look at the pictures that are new. Raises host.UserError when one is not whole."""
        new = []
        while os.path.exists(self._path(self._seen + 1)):
            self._seen += 1
            new.append(self._path(self._seen))
        if self._known:
            self._broken += [os.path.join(self._folder, name) for name, _ in frames.check(new, through=False).broken]
        else:
            self._broken += [path for path in new if os.path.getsize(path) == 0]
        if self._broken:
            raise host.UserError("{} could not be written whole. The frames before it are in their places. Make room "
                                 "on the disk, then start again.".format(self._broken[0]))

    def written(self):
        """Return how many pictures of ours there are (int)."""
        return sum(re.match(_FRAME, name) is not None and os.path.splitext(name)[1] == self._suffix
                   for name in os.listdir(self._folder))

    def remove_broken(self):
        """Remove the pictures that are not whole."""
        try:
            self.look()
        except host.UserError:
            for path in self._broken:
                files.remove_if_there(path)

    def _path(self, number):
        return os.path.join(self._folder, self._name.format(number))


def _halves(folder, extension):
    """Return the paths of what ffmpeg has not yet given its name."""
    pattern = re.compile(_FRAME + re.escape(extension) + r"\.tmp$")
    return [os.path.join(folder, entry) for entry in sorted(os.listdir(folder)) if pattern.match(entry)]


def _name_the_rest(folder, extension):
    """Name the pictures that ffmpeg could not name: on Windows a virus scanner may have held them."""
    for path in _halves(folder, extension):
        files.retry_busy(os.replace, path, path[:-len(".tmp")])


def _remove_halves(folder, extension):
    for path in _halves(folder, extension):
        files.remove_if_there(path)
