"""Which encoders work on this machine: each is tried with a few frames, and what came out is kept.

An ffmpeg lists encoders whose card, driver or library is missing; only trying tells.
"""
import atexit
import collections
import json
import os
import shutil
import tempfile
import time

from .. import compat, files, pools
from . import colour, encoders, process, tools

FRAMES = 3
# Drivers come and go; what failed is tried again after a day.
_FAILURE_SECONDS = 24 * 3600
_STALL_SECONDS = 40.0
_IDLE_SECONDS = 20.0    # a driver takes seconds to start
_KEPT = 500
_LARGE_PIXELS = 2560 * 1440

Trial = collections.namedtuple("Trial", "works reason")
Trial.__doc__ = """works: bool; reason: why not (str), None if it works."""


def offered(found, wish, suffix, size, rate, fresh=False):
    """Try the encoders that fit: return an OrderedDict {name: Trial} in the order of encoders.ENCODERS.

    found: Tools; wish: a Wish whose mode the encoders must know (its value is replaced by each one's usual
    quality); suffix: of the result; size: (width, height); rate: Fraction. fresh: believe no earlier trial.
    libaom-av1 is only tried where no libsvtav1 works.
    """
    names = [name for name, encoder in encoders.ENCODERS.items()
             if encoders.refusal(encoder, wish, suffix) is None]
    book = _Book(found.ffmpeg)

    def run(name):
        return trial(found, name, _usual(name, wish), suffix, size, rate, book, fresh)

    def run_all(chosen):
        # four encoders of 7680x4320 at once take 5 GB
        workers = 1 if size[0] * size[1] > _LARGE_PIXELS else min(4, max(2, compat.cpu_count()))
        return {outcome.item: outcome.value if outcome.error is None else Trial(False, str(outcome.error))
                for outcome in pools.map_threads(run, chosen, workers)}
    results = run_all([name for name in names if name != "libaom-av1"])
    if "libaom-av1" in names and not results.get("libsvtav1", Trial(False, None)).works:
        results.update(run_all(["libaom-av1"]))
    book.close()
    return collections.OrderedDict((name, results[name]) for name in names if name in results)


def _usual(name, wish):
    encoder = encoders.ENCODERS[name]
    return wish._replace(value=encoder.qualities[2]) if wish.mode == encoders.QUALITY else wish


def trial(found, name, wish, suffix, size, rate, book=None, fresh=False, believe_failure=True):
    """Return the Trial of one encoder, from an earlier one of the same ffmpeg and kind if there was one.

    fresh: believe no earlier one; believe_failure: False believes only one that worked.
    """
    own_book = book is None
    book = _Book(found.ffmpeg) if own_book else book
    key = json.dumps([name, list(wish), suffix.lower(), list(size)])
    kept = None if fresh else book.get(key)
    if kept is None or not (kept.works or believe_failure):
        kept = _try(found, name, wish, suffix, size, rate)
        book.put(key, kept)
    if own_book:
        book.close()
    return kept


def _try(found, name, wish, suffix, size, rate):
    has = tools.encoders(found.ffmpeg)
    if name not in has:
        return Trial(False, "this ffmpeg was built without it")
    folder = tempfile.mkdtemp(prefix="encoder-trial-")
    _folders.add(folder)
    path = os.path.join(folder, "trial" + suffix)
    try:
        command, (width, height) = trial_command(found, name, wish, suffix, size, rate, path)
        for _ in range(2):       # an encoder that locks up now and then hardly does so twice
            ending = process.run(command, feed=[bytes(width * height * 3)] * FRAMES, stall_seconds=_STALL_SECONDS,
                                 idle_seconds=_IDLE_SECONDS)
            if not ending.stalled:
                break
        if ending.exit_code != 0 or ending.stalled:
            return Trial(False, process.reason(ending))
        unused = [line for line in ending.lines if "AVOption" in line]  # it was of no use
        if unused:
            return Trial(False, "this ffmpeg does not know what it needs: " + unused[0])
        if ending.frames != FRAMES or not os.path.getsize(path):
            return Trial(False, "it lost frames in the trial")
        return Trial(True, None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _folders.discard(folder)


_folders = set()  # of trials that are under way


@atexit.register
def _remove_folders():
    """Remove what is left when the program is interrupted while threads try encoders."""
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def trial_command(found, name, wish, suffix, size, rate, path):
    """Return the command line of a trial (list of str) and the size of the frames that it reads from stdin.

    It is that of a join without sound.
    """
    version = tools.version(found.ffmpeg)
    spoken, pixel_format = encoders.arguments(encoders.ENCODERS[name], wish, suffix, version,
                                              tools.encoders(found.ffmpeg))
    tags, size = colour.choose(size[1]), colour.padded(size, pixel_format)
    return ([found.ffmpeg] + list(process.OPENING) + raw_input(size, rate) + ["-an"] + spoken
            + colour.arguments(tags, pixel_format, version) + encoders.container_arguments(suffix)
            + ["file:" + path]), size


def raw_input(size, rate):
    """Return the arguments for frames from stdin: BGR, uint8, (height, width, 3), one after the other."""
    return ["-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", "{}x{}".format(*size),
            "-framerate", "{}/{}".format(rate.numerator, rate.denominator), "-i", "pipe:0"]


class _Book:
    """The trials that are kept, in one JSON file of the user. Without a place for it, all are forgotten."""

    def __init__(self, ffmpeg):
        status = os.stat(ffmpeg)
        self._program = "{}|{}|{}".format(os.path.realpath(ffmpeg), status.st_size, status.st_mtime_ns)
        self._new = {}
        try:
            self._path = os.path.join(compat.user_cache_folder(), "encoders.json")
        except OSError:
            self._path = None
        self._known = self._read()

    def get(self, key):
        """Return the Trial kept for a key, or None."""
        works, reason, when = self._known.get(self._program + key, (None, None, 0))
        if works is None or not works and not 0 <= time.time() - when < _FAILURE_SECONDS:
            return None
        return Trial(works, reason)

    def put(self, key, result):
        self._new[self._program + key] = [result.works, result.reason, time.time()]

    def close(self):
        """Write what is new."""
        if not self._new or self._path is None:
            return
        everything = self._read()
        for key, (works, _, _) in self._new.items():
            if works:  # the card or driver is there now: what failed without it is worth another try
                kind = key[:key.index(",", len(self._program))]
                everything = {other: entry for other, entry in everything.items()
                              if entry[0] or not other.startswith(kind)}
        everything.update(self._new)
        newest = sorted(everything.items(), key=lambda pair: pair[1][2])[-_KEPT:]
        try:
            files.write_atomic(self._path, json.dumps(dict(newest)).encode("ascii"))
        except OSError:
            pass  # it is only quicker with it

    def _read(self):
        if self._path is None:
            return {}
        try:
            known = json.loads(files.read_bytes(self._path).decode("ascii"))
            return {key: entry for key, entry in known.items()
                    if isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], bool)
                    and isinstance(entry[1], (str, type(None))) and isinstance(entry[2], float)}
        except (OSError, ValueError, AttributeError, RecursionError):
            return {}
