"""The faces of an ordinary faceset.pak, quickly: from its list straight into a table, without a dict for each.

DeepFaceLab writes all of its lists alike: a pickle (protocol 4, in frames) of a list of flat dicts with the same keys.
Here that shape alone is known, and followed opcode by opcode as `accel.safe_pickle` does; whatever else comes is left
to `accel.faceset`, so what that refuses is refused. The list is read in pieces, and of a face only what later ones may
fetch from the memo stays: texts, names, sizes, numpy types.
"""
import collections
import os
import struct
from io import FileIO

import numpy as np

from .. import faceset
from .face_table import Builder, Face
from .packed_values import LANDMARKS_BYTES, POINT_BYTES, POINTS, Unusual, Values

_PIECE = 1 << 20    # bytes that are read at once
_AHEAD = 1 << 18    # bytes of the longest face; all metadata of a JPEG ends at 65,535

_U8 = struct.Struct("<Q").unpack

# What `pickle_reader` charges for these at most, without the texts, bytes and arrays in them.
_FACE_CHARGE, _POLYGON_CHARGE = 3600, 700

_OPCODE_BYTES = {code: 1 for code in b"}](N\x88\x89\x85\x86\x87teusaRb\x93\x94"}
_OPCODE_BYTES.update({0x4b: 2, 0x68: 2, 0x4d: 3, 0x4a: 5, 0x6a: 5, 0x47: 9})    # K h M J j G
_SIZE_BYTES = {0x8c: 1, 0x43: 1, 0x58: 4, 0x42: 4}    # texts and bytes: of their sizes


def read(path):
    """Return a Builder of all faces in a faceset.pak, None for a pak that is unusual, damaged or refused.

    Each face is what `faceset.read_index` says of it. Takes a few MB more than the Builder.
    """
    path = os.fspath(path)
    try:
        with FileIO(path) as stream:
            return _read(stream, path)
    except (Unusual, faceset.Refused, LookupError, ValueError, struct.error, OSError, MemoryError):
        return None


def _read(stream, path):
    size = os.fstat(stream.fileno()).st_size
    version, length = struct.unpack("<QQ", stream.read(16))
    if version != faceset.VERSION or length > size - 16:
        raise Unusual
    spans = _spans(stream, length, size)
    stream.seek(16)
    faces, builder = _Faces(_List(stream, length), length), Builder(pak=path)
    for begin, end in spans:
        builder.append(faces.next((path, begin, end - begin)))
    faces.end()
    return builder


def _spans(stream, length, size):
    """Return the (begin, end) of each face: how many there are is told by the last offset, the end of the file."""
    table = 16 + length
    stream.seek(table)
    most = min(length // LANDMARKS_BYTES + 1, (size - table) // 8)
    offsets = np.frombuffer(stream.read(8 * most), "<i8")
    start = table + 8 * np.arange(1, len(offsets) + 1, dtype=np.int64)
    ends = np.flatnonzero((offsets == size) | (offsets == size - start))    # see faceset.spans
    if not len(ends):
        raise Unusual
    offsets = offsets[:ends[0] + 1].tolist()
    if min(offsets) < 0:
        raise Unusual
    return faceset.spans(offsets, table + 8 * len(offsets), size)


class _List:
    """The bytes of a pickled list behind its PROTO, without the FRAME opcodes."""

    def __init__(self, stream, length):
        self._stream = stream
        self.left = length            # bytes that have not been read
        self.frame_begins = collections.deque()    # where frames begin in what is returned; to be taken out of it
        self._position = 0
        self._frame_left = None       # bytes; None for a list without frames
        begin = self._exactly(3)
        if begin[:2] != b"\x80\x04":
            raise Unusual
        self._begin = begin[2:]
        if self._begin == b"\x95":
            self._begin_frame(self._begin + self._exactly(8))
            self._begin = b""

    def read(self, size):
        """Return about this many bytes, fewer only at the end."""
        pieces = [self._begin]
        self._position += len(self._begin)
        self._begin = b""
        while size > 0 and self.left:
            if self._frame_left == 0:
                self._begin_frame(self._exactly(9))
            piece = self._exactly(min(size, self.left if self._frame_left is None else self._frame_left))
            if self._frame_left is not None:
                self._frame_left -= len(piece)
            self._position += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _begin_frame(self, opcode):
        self._frame_left = _U8(opcode[1:])[0]
        if opcode[0] != 0x95 or not 0 < self._frame_left <= self.left:
            raise Unusual
        self.frame_begins.append(self._position)

    def _exactly(self, size):
        piece = self._stream.read(min(size, self.left))
        if not piece or len(piece) != size:
            raise Unusual
        self.left -= size
        return piece


class _Faces(Values):
    """Reads face by face. source: _List; length: of the list, in bytes."""

    def __init__(self, source, length):
        super().__init__(source.read(_PIECE))
        self.source = source
        self.before = 0          # bytes of the list before `data`
        self.at = self.step(0, b"]\x94")
        self.stored = 1
        self.in_batch = False    # items come between MARK and APPENDS
        self.charged = 200
        self.limit = 6 * length + 900000    # as in pickle_reader

    def _read_on(self):
        """Have the next face in `data` as a whole."""
        if len(self.data) - self.at < _AHEAD and self.source.left:
            self.data = self.data[self.at:] + self.source.read(_PIECE)
            self.before += self.at
            self.at = 0

    def next(self, packed):
        """Return the next Face. packed: of it."""
        self._read_on()
        data, begin = self.data, self.at
        if data[begin] == 0x28 and not self.in_batch:
            self.in_batch = True
            begin += 1
        elif self.in_batch and data[begin] == 0x65:
            begin = self.step(begin, b"e(")
        fields, at = self.fields(begin)
        if not self.in_batch:
            at = self.step(at, b"a")
        self.at = at
        frames = self.source.frame_begins
        while frames and frames[0] - self.before <= at:
            self.check_frame(frames.popleft() - self.before, begin)
        self.charged += _FACE_CHARGE
        if self.charged > self.limit:
            raise Unusual
        return _face(fields, packed)

    def end(self):
        """Take the end of the list."""
        self._read_on()
        if self.data[self.at:] != (b"e." if self.in_batch else b"."):
            raise Unusual

    def check_frame(self, frame, at):
        """Check that a frame, which begins at `frame`, begins between opcodes. at: where a face begins."""
        while at < frame:
            if at == self.points:
                at += min((frame - at) // POINT_BYTES, POINTS) * POINT_BYTES
            if at < frame:
                at = self.behind(at)
            if at > frame:
                raise Unusual

    def behind(self, at):
        """Return the position behind an opcode."""
        data, code = self.data, self.data[at]
        size = _SIZE_BYTES.get(code)
        if size is None:
            return at + _OPCODE_BYTES[code]
        return at + 1 + size + int.from_bytes(data[at + 1:at + 1 + size], "little")

    # --- dicts ---

    def fields(self, at):
        """Read the dict of a face."""
        at = self.step(at, b"}\x94(")
        self.stored += 1
        data, memo = self.data, self.memo
        fields = {}
        while data[at] != 0x75:    # SETITEMS
            if data[at] == 0x68:
                key = memo[data[at + 1]]
                at += 2
            else:
                key, at = self.text(at)
            if key in fields:
                raise Unusual
            fields[key], at = _READERS[key](self, at)
        return fields, at + 1

    def polygons(self, at):
        """Read the dict of XSeg's polygons as a list of (type, points)."""
        if self.data[at] == 0x4e:
            return [], at + 1
        at = self.step(at, b"}\x94")
        self.stored += 1
        key, at = self.text(at)
        if key != "polys":
            raise Unusual
        at = self.step(at, b"]\x94")
        self.stored += 1
        found = []
        if self.data[at] == 0x28:
            at += 1
            while self.data[at] != 0x65:
                polygon, at = self.polygon(at)
                found.append(polygon)
            at += 1
        elif self.data[at] == 0x7d:
            polygon, at = self.polygon(at)
            found, at = [polygon], self.step(at, b"a")
        return found, self.step(at, b"s")

    def polygon(self, at):
        self.charged += _POLYGON_CHARGE
        at = self.step(at, b"}\x94(")
        self.stored += 1
        key, at = self.text(at)
        if key != "type":
            raise Unusual
        number, at = self.number(at)
        key, at = self.text(at)
        if key != "pts" or number not in (0, 1):
            raise Unusual
        points, at = self.array(at)
        if points.ndim != 2 or points.shape[1] != 2 or points.dtype != np.float32:
            raise Unusual
        return (number, points), self.step(at, b"u")


_READERS = {"sample_type": Values.sample_type, "filename": Values.text_or_none, "face_type": Values.face_type,
            "shape": Values.shape, "landmarks": Values.landmarks, "seg_ie_polys": _Faces.polygons,
            "xseg_mask": Values.none, "xseg_mask_compressed": Values.array_or_none,
            "eyebrows_expand_mod": Values.float_or_none, "source_filename": Values.text_or_none,
            "person_name": Values.text_or_none}


def _face(fields, packed):
    """Return the Face of the fields of a dict."""
    name, person = fields["filename"], fields.get("person_name")
    name = faceset.last_component(name)
    if person is not None:
        person = faceset.last_component(person)
        if person is None:
            raise Unusual
    if name is None:
        raise Unusual
    polygons = fields.get("seg_ie_polys") or []
    if len(polygons) > 1:
        polygons = [polygon for kind in (1, 0) for polygon in polygons if polygon[0] == kind]
    eyebrows = fields.get("eyebrows_expand_mod")
    return Face(name, fields["face_type"], fields.get("shape"), fields["landmarks"], polygons,
                fields.get("xseg_mask_compressed"), 1.0 if eyebrows is None else float(eyebrows),
                fields.get("source_filename"), person, packed)
