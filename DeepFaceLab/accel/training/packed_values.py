"""The values in the list of an ordinary faceset.pak: what DeepFaceLab writes of a face, opcode by opcode.

Each is what `accel.safe_pickle` makes of it, but for landmarks, which become an array at once, and numbers of enums.
"""
import struct
from sys import getsizeof

import numpy as np

from .. import faceset, pickle_values
from ..pickle_values import DTYPE, NDARRAY, RECONSTRUCT, Marker

_U2 = struct.Struct("<H").unpack_from
_U4 = struct.Struct("<I").unpack_from
_I4 = struct.Struct("<i").unpack_from
_F8 = struct.Struct(">d").unpack_from

# A point is ] MEMOIZE ( G x G y e, a list of two floats; landmarks are a list of those.
POINTS, POINT_BYTES, _X, _X_TO_Y = 68, 22, 4, 9
_POINT_OPCODES = [(at, bytes([code]) * POINTS) for at, code in zip((0, 1, 2, 3, 12, 21), b"]\x94(GGe")]
LANDMARKS_BYTES = 4 + POINTS * POINT_BYTES

_SAMPLE_TYPE, _FACE_TYPE = (Marker(*name) for name in faceset.ENUMS)
_MARKERS = dict(pickle_values.MARKERS)
_MARKERS.update(zip(faceset.ENUMS, (_SAMPLE_TYPE, _FACE_TYPE)))
_DTYPES = {("u1", "|"): np.dtype(np.uint8), ("f4", "<"): np.dtype("<f4")}

# What `pickle_reader` charges for these at most, without the texts and bytes in them.
_MEMBER_CHARGE, _NAME_CHARGE, _FETCH_CHARGE = 450, 60, 410
_ARRAY_CHARGE, _DTYPE_CHARGE = 1900, 700


class Unusual(Exception):
    """Something that is not known here."""


class Values:
    """Reads values. Such a method takes the position of a value in `data`, and returns it and the next position.

    They raise Unusual, LookupError, ValueError or struct.error for what is not known here.
    """

    def __init__(self, data):
        self.data = data      # bytes
        self.points = 0       # where the points of the last landmarks begin
        self.memo = {}        # what may be fetched, by its index
        self.stored = 0       # the next index
        self.charged = 0      # bytes, see above

    def step(self, at, opcodes):
        """Return the position behind these opcodes (bytes), which have to come."""
        if not self.data.startswith(opcodes, at):
            raise Unusual
        return at + len(opcodes)

    def store(self, value):
        self.memo[self.stored] = value
        self.stored += 1

    # --- texts and numbers ---

    def text_or_fetched(self, at):
        """Read a text, or whatever is fetched from the memo."""
        data = self.data
        code = data[at]
        if code == 0x8c:
            begin = at + 2
            end = begin + data[at + 1]
        elif code == 0x58:
            begin = at + 5
            end = begin + _U4(data, at + 1)[0]
        else:
            return self.fetched(at)
        if data[end] != 0x94:
            raise Unusual
        text = str(data[begin:end], "utf-8", "surrogatepass")
        self.charged += getsizeof(text)
        self.store(text)
        return text, end + 1

    def fetched(self, at):
        code = self.data[at]
        if code == 0x68:
            value, at = self.memo[self.data[at + 1]], at + 2
        elif code == 0x6a:
            value, at = self.memo[_U4(self.data, at + 1)[0]], at + 5
        else:
            raise Unusual
        self.charged += 8 + len(value) if type(value) is str else _FETCH_CHARGE if type(value) is tuple else 9
        return value, at

    def text(self, at):
        text, at = self.text_or_fetched(at)
        if type(text) is not str:
            raise Unusual
        return text, at

    def text_or_none(self, at):
        return (None, at + 1) if self.data[at] == 0x4e else self.text(at)

    def none(self, at):
        return None, self.step(at, b"N")

    def number(self, at):
        """Read an int."""
        data = self.data
        code = data[at]
        if code == 0x4b:
            return data[at + 1], at + 2
        if code == 0x4d:
            return _U2(data, at + 1)[0], at + 3
        if code == 0x4a:
            return _I4(data, at + 1)[0], at + 5
        raise Unusual

    def float_or_none(self, at):
        if self.data[at] == 0x47:
            return _F8(self.data, at + 1)[0], at + 9
        if self.data[at] == 0x4e:
            return None, at + 1
        return self.number(at)

    def shape(self, at):
        """Read (height, width, channels), or None."""
        code = self.data[at]
        if code == 0x4e:
            return None, at + 1
        if code == 0x68 or code == 0x6a:
            shape, at = self.fetched(at)
            if type(shape) is not tuple:
                raise Unusual
            return shape, at
        height, at = self.number(at)
        width, at = self.number(at)
        channels, at = self.number(at)
        at = self.step(at, b"\x87\x94")
        shape = height, width, channels
        self.store(shape)
        return shape, at

    def landmarks(self, at):
        """Read 68 points as an array."""
        begin = self.step(at, b"]\x94(")
        end = at + LANDMARKS_BYTES - 1
        points = self.data[begin:end]
        self.points = begin
        for place, codes in _POINT_OPCODES:
            if points[place::POINT_BYTES] != codes:
                raise Unusual
        end = self.step(end, b"e")
        self.stored += 1 + POINTS
        return np.ndarray((POINTS, 2), ">f8", points, _X, (POINT_BYTES, _X_TO_Y)).astype(np.float64), end

    # --- names, and what is made with them ---

    def named(self, at):
        """Read a name (Marker), or fetch something else that is no text."""
        module, at = self.text_or_fetched(at)
        if type(module) is not str:
            return module, at
        name, at = self.text(at)
        at = self.step(at, b"\x93\x94")
        marker = _MARKERS[module, name]
        self.charged += _NAME_CHARGE
        self.store(marker)
        return marker, at

    def member(self, at, kind):
        """Read a member of an enum as an int; in the memo no other ints are kept."""
        marker, at = self.named(at)
        if type(marker) is int:
            return marker, at
        number, at = self.number(at)
        at = self.step(at, b"\x85\x94R\x94")
        if marker is not kind:
            raise Unusual
        self.charged += _MEMBER_CHARGE
        self.stored += 1
        self.store(number)
        return number, at

    def sample_type(self, at):
        return self.member(at, _SAMPLE_TYPE)

    def face_type(self, at):
        return self.member(at, _FACE_TYPE)

    def array_or_none(self, at):
        return (None, at + 1) if self.data[at] == 0x4e else self.array(at)

    def array(self, at):
        """Read an array of one or two dimensions, of one of _DTYPES."""
        self.charged += _ARRAY_CHARGE
        function, at = self.named(at)
        kind, at = self.named(at)
        at = self.step(at, b"K\0\x85\x94")
        self.stored += 1
        code, at = self.raw(at)
        at = self.step(at, b"\x87\x94R\x94(K\1")
        if function is not RECONSTRUCT or kind is not NDARRAY or code != b"b":
            raise Unusual
        self.stored += 2
        count, at = self.number(at)
        shape = count,
        if self.data[at] != 0x85:
            width, at = self.number(at)
            shape = count, width
        at = self.step(at, b"\x85\x94" if len(shape) == 1 else b"\x86\x94")
        self.stored += 1
        dtype, at = self.dtype(at)
        raw, at = self.raw(self.step(at, b"\x89"))
        at = self.step(at, b"t\x94b")
        self.stored += 1
        if min(shape) < 0 or count * shape[-1] ** (len(shape) - 1) * dtype.itemsize != len(raw):
            raise Unusual
        return np.ndarray(shape, dtype, raw), at

    def dtype(self, at):
        dtype, at = self.named(at)
        if isinstance(dtype, np.dtype):
            return dtype, at
        code, at = self.text(at)
        at = self.step(at, b"\x89\x88\x87\x94R\x94(K\3")
        index = self.stored + 1
        self.stored += 2
        order, at = self.text(at)
        at = self.step(at, b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t\x94b")
        if dtype is not DTYPE:
            raise Unusual
        self.stored += 1
        self.charged += _DTYPE_CHARGE
        self.memo[index] = _DTYPES[code, order]
        return self.memo[index], at

    def raw(self, at):
        """Read bytes."""
        data = self.data
        code = data[at]
        if code == 0x43:
            begin = at + 2
            end = begin + data[at + 1]
        elif code == 0x42:
            begin = at + 5
            end = begin + _U4(data, at + 1)[0]
        else:
            raw, at = self.fetched(at)
            if type(raw) is not bytes:
                raise Unusual
            return raw, at
        if data[end] != 0x94:
            raise Unusual
        raw = data[begin:end]
        self.charged += len(raw)
        if len(raw) < 2:    # Python has one object for each of these
            self.memo[self.stored] = raw
        self.stored += 1
        return raw, end + 1
