"""The faces of a folder: JPG files, or one faceset.pak that holds them all. Their metadata, never their pixels.

faceset.pak, little-endian: version 1 and the length of the list (8 bytes each); the list, a pickled list of dicts,
one a face; an offset for each face and one for the end (8 bytes each), from the start of the data; the data, the
JPG files one after the other. Such files are passed around, so nothing in one is believed: names count by their
last component only, offsets have to lie in the file and in order, the list is read by `safe_pickle`.

Answers to stock's samplelib.PackedFaceset.load and to what its merger and its trainer read from a folder of faces.
"""
import collections
import os
import re
import struct

from . import compat, dfl_jpeg, files, host, safe_pickle

PAK_NAME = "faceset.pak"
VERSION = 1

Face = collections.namedtuple("Face", "name path metadata problem")
Face.__doc__ = """A file that should be a face. name: its name (str). path: of the file, or of the pak that it is in.
metadata: dict, None with a problem. problem: str, None with metadata; what a user reads of it, the name first."""

Index = collections.namedtuple("Index", "path configs spans")
Index.__doc__ = """What a faceset.pak holds. configs: list of dict, as packed, but that `filename` and `person_name`
are last components, and stock's two enums are ints. spans: list of (begin, end), bytes of the file."""

# The two enums of stock that a list names, read as ints.
SAMPLE_TYPE, FACE_TYPE = ENUMS = ("samplelib.Sample", "SampleType"), ("facelib.FaceType", "FaceType")
SUFFIXES = (".jpg", ".jpeg")
_NUMBER = struct.Struct("<Q")
_HEADS = (8192, 1 << 18, 1 << 24)  # bytes: ordinary heads have 4 to 6 thousand, XSeg masks up to 65 more
_DRIVE = re.compile(r"[A-Za-z]:")


class FacesetError(host.UserError):
    """A faceset.pak that is damaged or refused."""


def last_component(name):
    """Return the last component of a name (str) out of a file of a stranger, None if it has none to be used.

    Components end at / and \\ on every system; absolute names, drive letters and names with .. have none.
    """
    if type(name) is not str or name[:1] in ("/", "\\") or _DRIVE.match(name):
        return None
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[-1] in ("", ".") or not set(parts[-1]).isdisjoint(compat.not_in_names):
        return None
    return parts[-1]


def faces(folder, progress=None):
    """Yield a Face for each image of a folder, by path, or for each face in its faceset.pak, in its order.

    progress: the text of a progress bar, None for none. Raises FacesetError, and OSError if the folder cannot be
    listed; a file that cannot be read is a Face with a problem.
    """
    pak = os.path.join(os.fspath(folder), PAK_NAME)
    if os.path.exists(pak):
        return _packed_faces(pak, progress)
    return _with_progress(files.image_paths(folder), _loose_face, progress)


def _with_progress(items, read, progress):
    # One thread: parsing holds the interpreter lock, and two of them take 1.7 times as long.
    if progress is None:
        yield from map(read, items)
        return
    with host.progress(items, progress) as bar:
        yield from map(read, bar)


def _loose_face(path):
    return _face(os.path.basename(path), path, lambda: dfl_jpeg.read_metadata(path))


def _packed_faces(path, progress):
    index = read_index(path)
    items = list(zip((config["filename"] for config in index.configs), index.spans))
    del index  # ten times as large
    with _opened(path) as stream:
        def packed_face(item):
            return _face(item[0], path, lambda: read_head(stream, item[1], item[0])[0])
        yield from _with_progress(items, packed_face, progress)


def _face(name, path, read):
    """Return the Face whose Metadata `read` returns."""
    problem = "{} is not a dfl image file".format(name)
    if not name.lower().endswith(SUFFIXES):
        return Face(name, path, None, problem)
    try:
        metadata = read().data
    except dfl_jpeg.NotJpegError:
        metadata = None
    except safe_pickle.UnsafePickleError as error:
        metadata = None
        problem += ": its metadata is damaged or unsafe and was refused ({})".format(error.reason)
    except OSError as error:
        metadata = None
        problem = "{} cannot be read: {}".format(name, error.strerror or error)
    return Face(name, path, metadata, None) if metadata else Face(name, path, None, problem)


# --- faceset.pak -----------------------------------------------------------------------------

def read_index(path):
    """Return the Index of a faceset.pak. Raises FacesetError, also where it cannot be read at all."""
    path = os.fspath(path)
    try:
        with _opened(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            version = _NUMBER.unpack(_exactly(stream, 8))[0]
            if version != VERSION:
                raise Refused("it is of version {:,}, this program knows {}".format(version, VERSION))
            length = _NUMBER.unpack(_exactly(stream, 8))[0]
            if length > size - 16:
                raise Refused("its list is said to be longer than the file")
            configs = safe_pickle.loads(_exactly(stream, length), path, ENUMS)
            _check_configs(configs)
            table = 8 * (len(configs) + 1)
            if 16 + length + table > size:
                raise Refused("it ends in its list of offsets")
            offsets = struct.unpack("<{}Q".format(len(configs) + 1), _exactly(stream, table))
    except (Refused, MemoryError, safe_pickle.UnsafePickleError) as error:
        raise _damaged(path, getattr(error, "reason", None) or str(error) or "it does not fit into memory")
    try:
        return Index(path, configs, spans(offsets, 16 + length + table, size))
    except Refused as error:
        raise _damaged(path, str(error))


def read_item(index, number):
    """Return the packed file (bytes) of the face `number` of an Index. Safe in any thread. Raises FacesetError."""
    begin, end = index.spans[number]
    try:
        with _opened(index.path) as stream:
            stream.seek(begin)
            return _exactly(stream, end - begin)
    except Refused as error:
        raise _damaged(index.path, str(error))


class Refused(Exception):
    """What is wrong with a pak, in words."""


def _damaged(path, reason):
    return FacesetError("{} is damaged and cannot be used ({}). Copy it again from where it came from, or remove it "
                        "and put the face images into the folder.".format(path, reason))


def _opened(path):
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise FacesetError("{} cannot be read: {}. See that it is a file that may be read, then start again.".format(
            path, error.strerror or error))


def _exactly(stream, size):
    """Read `size` bytes, which the file is known to have."""
    pieces = []
    while size:
        piece = stream.read(size)
        if not piece:
            raise Refused("it is cut short")
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _check_configs(configs):
    """Refuse a list that is none of faces; replace names by their last components."""
    if type(configs) is not list:
        raise Refused("its list is none")
    for config in configs:
        if type(config) is not dict:
            raise Refused("a face in its list is none")
        name = last_component(config.get("filename"))
        if name is None:
            raise Refused("the name {} of a face".format(ascii(config.get("filename"))[:80]))
        config["filename"] = name
        if config.get("person_name") is not None:
            person = last_component(config["person_name"])
            if person is None:
                raise Refused("the name {} of a person".format(ascii(config["person_name"])[:80]))
            config["person_name"] = person


def spans(offsets, start, size):
    """Return the (begin, end) of each face in a pak, bytes of the file. Raises Refused.

    offsets: as the pak has them (sequence of int, >= 0); start: where its data begins; size: of the file, bytes.
    Stock writes the last offset, the end, from the start of the file instead of the data: both are taken.
    """
    end = start + offsets[-1] if start + offsets[-1] <= size else offsets[-1]
    begins = [start + offset for offset in offsets[:-1]] + [end]
    if end > size or any(this > following for this, following in zip(begins, begins[1:])):
        raise Refused("its faces lie outside the file or in no order: it is cut short, or was made by something else")
    return list(zip(begins, begins[1:]))


def read_head(stream, span, name):
    """Return (dfl_jpeg.Metadata, bytes) of a face: from as little of it as has all that is before the picture.

    stream: an open file, unbuffered; span: (begin, end) of the face in it; the bytes are those that were read. name:
    for errors. Raises OSError, dfl_jpeg.NotJpegError, safe_pickle.UnsafePickleError.
    """
    begin, end = span
    for limit in _HEADS:
        limit = min(limit, end - begin)
        stream.seek(begin)
        head = stream.read(limit)
        is_all = limit in (end - begin, _HEADS[-1])
        try:
            metadata = dfl_jpeg.parse(head, name)
        except safe_pickle.UnsafePickleError:
            if is_all:
                raise
            continue
        if metadata.data and metadata.shape or is_all:
            break
    return metadata, head
