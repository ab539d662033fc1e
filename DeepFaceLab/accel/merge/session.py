"""The session of an interactive merge on disk: settings of every frame, what is done, where the user was.

Two files. `save` writes all of it as JSON, whole or not at all, and starts a journal beside it; the journal takes
a short line when a frame is begun and when it is done, so that a program killed at any moment loses the frames in
work alone, and all of it has to be written only when the user has changed something. Every save has a new name
(`id`), which its journal begins with: a journal of an earlier save counts for nothing, nor does what follows a
line that a power cut has torn.

A session may come from a stranger: all that is in it is checked, and it names files by their last component only.
Stock's own session, merger_session.dat, is read too (`load_stock`), through `safe_pickle`.
"""
import collections
import json
import os
import uuid

import numpy as np

from .. import compat, files, landmark_tables, safe_pickle
from .settings import TYPES, Settings, parse

FORMATS = ("png", "jpg")
VERSION = 1
_MAX_BYTES = 1 << 28         # a session of 60,000 frames takes 2 MB
_MAX_STOCK_BYTES = 1 << 31   # and 90 MB in stock's form
_MAX_TEXT = 1000             # letters of a name or a fingerprint

Session = collections.namedtuple("Session", "model_iter output_format fingerprint frames frames_idxs frames_done_idxs")
Session.__doc__ = """A session.

model_iter: iterations of the model that merged (int). output_format: one of FORMATS. fingerprint: str, what the
caller tells its input by; "" in stock's sessions. frames: list of FrameState, in the order of their paths.
frames_idxs, frames_done_idxs: lists of int, the frames before the user, the next one first, and those behind him,
the latest last; each frame is in one of them, once.
"""
FrameState = collections.namedtuple("FrameState", "name done settings")
FrameState.__doc__ = """A frame. name: of its file (str). done: whether its output is there and was made with
`settings` (bool). settings: Settings, None where they are those of the frame before, so not done either."""

# What stock's constructor of a configuration sets: an older version's session lacks the newer settings.
_CONSTRUCTED = Settings(face_type=2, mode="overlay", masked_hist_match=True, hist_match_threshold=238, mask_mode=4,
                        erode_mask_modifier=0, blur_mask_modifier=0, motion_blur_power=0, output_face_scale=0,
                        super_resolution_power=0, color_transfer_mode=1, image_denoise_power=0,
                        bicubic_degrade_power=0, color_degrade_power=0, sharpen_mode=0, blursharpen_amount=0)
_FACE_TYPES = frozenset(number for number, name in landmark_tables.FACE_TYPE_NUMBERS.items()
                        if not landmark_tables.FACE_TYPES[name][1])

_FRAME = "merger.InteractiveMergerSubprocessor", "InteractiveMergerSubprocessor.Frame"
_FRAME_INFO = "merger.FrameInfo", "FrameInfo"
_CONFIG = "merger.MergerConfig", "MergerConfigMasked"
_PATHS = tuple((module, name) for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath"))
_STOCK_RECORDS = (_FRAME, _FRAME_INFO, _CONFIG) + _PATHS
_STOCK_ENUMS = (("facelib.FaceType", "FaceType"),)


class SessionError(ValueError):
    """A session that is damaged or is none. Has `path` and `reason` (str)."""

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self):
        return "{}: this saved session is damaged and cannot be used ({})".format(self.path, self.reason)


class _Damaged(Exception):
    """What is wrong with a session, in words."""


# --- writing ---------------------------------------------------------------------------------

def save(path, session):
    """Write a Session to `path` (JSON), whole or not at all; return the Journal that goes on from it.

    Close the Journal of the save before first. Raises OSError: then the old session and its journal count.
    """
    name = uuid.uuid4().hex
    numbers = collections.OrderedDict()
    for frame in session.frames:
        if frame.settings is not None:
            numbers.setdefault(frame.settings, len(numbers))
    document = collections.OrderedDict([
        ("version", VERSION), ("id", name), ("model_iter", int(session.model_iter)),
        ("output_format", session.output_format), ("fingerprint", session.fingerprint),
        ("settings", [_plain(settings) for settings in numbers]),
        ("settings_of_frames", _runs([numbers.get(frame.settings) for frame in session.frames])),
        ("done", _ranges([index for index, frame in enumerate(session.frames)
                          if frame.done and frame.settings is not None])),
        ("frames_idxs", _ranges(session.frames_idxs)), ("frames_done_idxs", _ranges(session.frames_done_idxs)),
        ("frames", [frame.name for frame in session.frames])])
    files.write_atomic(path, json.dumps(document).encode("ascii"), os.fspath(path) + ".part")
    return Journal(path, name)


class Journal:
    """What has become of single frames since the last save. A line is with the system when the call returns: it
    outlives this program, not a power cut. For one thread."""

    def __init__(self, path, name):
        """path: of the session; name: the id of its save. Removes an older journal; raises OSError."""
        self._path = journal_path(path)
        self._name = name
        self._numbers = {}
        self._stream = None
        files.remove_if_there(self._path)

    def begun(self, index):
        """Note that a frame's output is about to be written, so that it is not done any more. Raises OSError."""
        self._write([index, None])

    def done(self, index, settings):
        """Note that a frame's output is there, made with these Settings. Raises OSError."""
        number = self._numbers.get(settings)
        if number is None:
            self._write(_plain(settings))
            number = self._numbers[settings] = len(self._numbers)
        self._write([index, number])

    def close(self):
        """Close the file."""
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                stream.close()
        except OSError:
            pass  # of a line that the disk did not take, whose own call has raised

    def _write(self, line):
        if self._stream is None:
            self._stream = open(self._path, "wb")
            self._write(self._name)
        self._stream.write(json.dumps(line).encode("ascii") + b"\n")
        self._stream.flush()  # what a full disk does not take is tried again with the next line


def journal_path(path):
    """Return the path of the journal beside a session's file (str)."""
    return os.fspath(path) + ".journal"


def remove(path):
    """Remove a session with its journal, if they are there."""
    files.remove_if_there(path)
    files.remove_if_there(journal_path(path))


def _plain(settings):
    return collections.OrderedDict((name, kind(getattr(settings, name))) for name, kind in TYPES.items())


def _ranges(indexes):
    """Return a list of int as [[first, last], ...], each a run of numbers that count up."""
    ranges = []
    for index in indexes:
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ranges


def _runs(values):
    """Return a list as [[value, how many], ...]."""
    runs = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return runs


# --- reading ---------------------------------------------------------------------------------

def load(path):
    """Return the Session that `save` and its Journal wrote. Raises SessionError and OSError."""
    try:
        document = _parse_json(_read(path, _MAX_BYTES))
        if type(document) is not dict or type(document.get("version")) is not int or document["version"] != VERSION:
            raise _Damaged("it is not of a version known here")
        session = _session_of(document)
    except _Damaged as error:
        raise SessionError(os.fspath(path), str(error))
    return session._replace(frames=_with_journal(path, document.get("id"), session.frames))


def _read(path, limit):
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size > limit:
            raise _Damaged("it is too large for one")
        return stream.read()


def _parse_json(raw):
    def whole_number(text):
        return int(text) if len(text) < 20 else _refuse("a number of too many digits")
    try:
        return json.loads(raw.decode("ascii"), parse_int=whole_number, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise _Damaged("it is cut short or damaged")


def _refuse(text):
    raise _Damaged("it holds {}".format(text[:40]))


def _session_of(document):
    names = _listed(document, "frames")
    count = len(names)
    table = [_settings_of(values, strict=True) for values in _listed(document, "settings")]
    settings = []
    for run in _listed(document, "settings_of_frames"):
        number, length = _pair(run)
        if not _is_index(length, count - len(settings) + 1) or number is not None and not _is_index(number, len(table)):
            raise _Damaged("settings of a frame that is not there")
        settings += [None if number is None else table[number]] * length
    if len(settings) != count:
        raise _Damaged("not every frame has its settings")
    done = set(_indexes(document, "done", count))
    frames = [FrameState(_name(name), index in done, settings[index]) for index, name in enumerate(names)]
    session = Session(document.get("model_iter"), document.get("output_format"), document.get("fingerprint"), frames,
                      _indexes(document, "frames_idxs", count), _indexes(document, "frames_done_idxs", count))
    return _checked(session)


def _checked(session):
    if not _is_index(session.model_iter, 1 << 62):
        raise _Damaged("the model's iterations are no number")
    if session.output_format not in FORMATS:
        raise _Damaged("an unknown output format")
    if type(session.fingerprint) is not str or len(session.fingerprint) > _MAX_TEXT:
        raise _Damaged("the fingerprint is no text")
    order = session.frames_idxs + session.frames_done_idxs
    if not all(_is_index(index, len(session.frames)) for index in order) or len(order) != len(session.frames) \
            or len(set(order)) != len(order):
        raise _Damaged("the order of the frames is not complete")
    if any(frame.done and frame.settings is None for frame in session.frames):
        raise _Damaged("a frame is done without settings")
    return session


def _listed(document, key):
    value = document.get(key)
    if type(value) is not list:
        raise _Damaged("'{}' is missing".format(key))
    return value


def _pair(value):
    if type(value) is not list or len(value) != 2:
        raise _Damaged("a range that is none")
    return value


def _is_index(value, count):
    return type(value) is int and 0 <= value < count


def _indexes(document, key, count):
    """Return the list of int that `_ranges` has written."""
    indexes = []
    for pair in _listed(document, key):
        first, last = _pair(pair)
        if not _is_index(first, count) or not _is_index(last, count) or last < first \
                or len(indexes) + last - first >= count:
            raise _Damaged("'{}' names frames that are not there".format(key))
        indexes += range(first, last + 1)
    return indexes


def _name(value):
    if type(value) is not str or not 0 < len(value) <= _MAX_TEXT or value in (".", "..") \
            or any(letter in compat.not_in_names for letter in value):
        raise _Damaged("a frame's name is none")
    return value


def _settings_of(values, strict):
    """Return the Settings that a dict of attributes holds; strict: whether others in it are refused."""
    if type(values) is not dict or strict and not TYPES.keys() >= values.keys():
        raise _Damaged("unknown settings")
    found = {}
    for name, kind in TYPES.items():
        if name in values:
            found[name] = _setting(name, kind, values[name])
    return _CONSTRUCTED._replace(**found)


def _setting(name, kind, value):
    """Return a setting's value as a plain one; numpy's are fine, as stock has them."""
    if kind is int and isinstance(value, np.integer) or kind is bool and isinstance(value, np.bool_):
        value = value.item()
    if type(value) is kind:
        try:
            if name != "face_type":
                return parse("{}={}".format(name, value))[1]
            if value in _FACE_TYPES:
                return value
        except ValueError:
            pass
    raise _Damaged("{} has a value that it cannot have".format(name))


def _with_journal(path, name, frames):
    """Return the FrameStates as the journal of the save called `name` has gone on from them."""
    try:
        lines = _read(journal_path(path), _MAX_BYTES).split(b"\n")[:-1]
        if not lines or type(name) is not str or _parse_json(lines[0]) != name:
            return frames
        frames, table = list(frames), []
        for line in lines[1:]:
            value = _parse_json(line)
            if type(value) is dict:
                table.append(_settings_of(value, strict=True))
                continue
            index, number = _pair(value)
            if not _is_index(index, len(frames)) or number is not None and not _is_index(number, len(table)):
                break
            frames[index] = frames[index]._replace(done=False) if number is None else \
                frames[index]._replace(done=True, settings=table[number])
    except (OSError, _Damaged):
        pass  # no journal, or its end was torn: what is read so far is right
    return frames


# --- stock's session -------------------------------------------------------------------------

def load_stock(path):
    """Return the Session of stock's merger_session.dat; its output is png. Raises SessionError and OSError."""
    try:
        content = safe_pickle.loads(_read(path, _MAX_STOCK_BYTES), path, _STOCK_ENUMS, _STOCK_RECORDS)
        if type(content) is not dict:
            raise _Damaged("it is no session")
        frames = [_stock_frame(frame) for frame in _listed(content, "frames")]
        return _checked(Session(content.get("model_iter"), "png", "", frames, _listed(content, "frames_idxs"),
                                _listed(content, "frames_done_idxs")))
    except safe_pickle.UnsafePickleError as error:
        raise SessionError(os.fspath(path), error.reason)
    except _Damaged as error:
        raise SessionError(os.fspath(path), str(error))


def _stock_frame(record):
    frame = _attributes(record, _FRAME)
    config, done = frame.get("cfg"), frame.get("is_done")
    settings = None if config is None else _settings_of(_attributes(config, _CONFIG), strict=False)
    if type(done) is not bool:
        raise _Damaged("a frame that is neither done nor not")
    name = _last_name(_attributes(frame.get("frame_info"), _FRAME_INFO).get("filepath"))
    # settings that are to be taken over from another frame make a frame not done, which stock may not have noted yet
    return FrameState(name, done and settings is not None, settings)


def _attributes(record, kind):
    if type(record) is not safe_pickle.Record or (record.module, record.name) != kind:
        raise _Damaged("a {} is missing".format(kind[1]))
    return record.state


def _last_name(path):
    """Return the name of a file (str) from the record of its path, whose arguments are its parts."""
    if type(path) is not safe_pickle.Record or (path.module, path.name) not in _PATHS or not path.arguments \
            or type(path.arguments[-1]) is not str:
        raise _Damaged("a frame's path is missing")
    name = path.arguments[-1].rpartition("/")[2]
    return _name(name.rpartition("\\")[2] if path.name == "WindowsPath" else name)
