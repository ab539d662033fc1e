"""The metadata of ordinary faces, quickly: what trainers and sorts need, without the objects that they do not.

DeepFaceLab writes all of its faces alike: a JPEG whose head has one APP15 segment, in it a pickle (protocol 3) of a
flat dict with texts, points, a rectangle and arrays. Here that shape alone is known, and followed byte by byte as
`accel.dfl_jpeg` and `accel.safe_pickle` do; whatever else comes is left to them, so what they refuse is refused.
Landmarks become an array at once; points that nobody asks for are only looked through.
"""
import functools
import re
import struct
from io import FileIO

from . import dfl_jpeg, pickle_values

_FIRST_READ = 8192      # bytes; the head of a face without an XSeg mask has 4 to 6 thousand
_MOST_READ = 1 << 17
_SOI_APP0, _APP15, _SOS = b"\xff\xd8\xff\xe0", 0xef, 0xda
_FRAMES = (0xc0, 0xc1, 0xc2)
_PLAIN_SEGMENTS = frozenset(range(0xe0, 0xef)) | {0xdb, 0xc4, 0xdd, 0xfe}    # APPn, DQT, DHT, DRI, COM

# Opcodes: ] EMPTY_LIST, q BINPUT, ( MARK, G BINFLOAT, e APPENDS; all points of a face are such lists in a list.
_POINTS = re.compile(rb"(?s)\]q.\((?:\]q.\(G.{8}G.{8}e){68}e")
_POINT_BYTES = 23
_RECTANGLE = re.compile(rb"(?s)\]q(.)\((?:K.|M..|J....|G.{8}){4}e")
_NUMBERS = {code[0]: (struct.Struct(how).unpack_from, 1 + struct.calcsize(how))
            for code, how in ((b"K", "<B"), (b"M", "<H"), (b"J", "<i"), (b"G", ">d"))}
_RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
_SIZE = struct.Struct("<I").unpack_from
_BYTE_VALUES = bytes(range(256))


class Reader:
    """Reads one file after the other; how much of one was needed is a guess for the next."""

    def __init__(self):
        self._ahead = _FIRST_READ

    def read(self, path):
        """Return the dfl_jpeg.Metadata of a JPEG file; its data may lack lists but for landmarks and source_rect.

        landmarks may be a float64 (68, 2) array instead of lists. Raises as dfl_jpeg.read_metadata.
        """
        with FileIO(path) as stream:
            head = stream.read(self._ahead)
            found = _walk(head)
            if found is None and len(head) == self._ahead < _MOST_READ:
                head += stream.read(_MOST_READ - self._ahead)
                found = _walk(head)
        if found is None:
            return dfl_jpeg.read_metadata(path)
        shape, begin, end, needed = found
        self._ahead = max(_FIRST_READ, needed + needed // 4)
        data = plain_data(head[begin:end])
        return dfl_jpeg.parse(head, path) if data is None else dfl_jpeg.Metadata(shape, data)


def _walk(head):
    """Return (shape, begin and end of the content of APP15, where the picture begins); None for an unusual head."""
    if head[:4] != _SOI_APP0:
        return None
    shape, content, at = None, None, 2
    try:
        while True:
            marker, length = head[at + 1], head[at + 2] << 8 | head[at + 3]
            if head[at] != 0xff or length < 2:
                return None
            end = at + 2 + length
            if marker == _APP15:
                if content is not None:
                    return None
                content = at + 4, end
            elif marker in _FRAMES:
                if length < 8:
                    return None
                shape = head[at + 5] << 8 | head[at + 6], head[at + 7] << 8 | head[at + 8], 3
            elif marker == _SOS:
                return None if shape is None or content is None else (shape, content[0], content[1], end)
            elif marker not in _PLAIN_SEGMENTS:
                return None
            at = end
    except IndexError:
        return None


def plain_data(pickled):
    """Return the dict in a pickle (bytes) of the usual shape, None for all else.

    Each value equals what `accel.safe_pickle.loads` reads, but landmarks are float64 (68, 2), and lists that nobody
    needs are left out: all but these and source_rect.
    """
    if pickled[:6] != b"\x80\x03}q\0(" or b"seg_ie_polys" in pickled:
        return None
    data, memo, at = {}, [None], 6
    try:
        while pickled[at] != 0x75:    # SETITEMS
            key, at = _short_text(pickled, at, memo)
            value, at = _value(pickled, at, memo, key)
            if value is not None:
                data[key] = value
            else:
                data.pop(key, None)
    except (IndexError, struct.error, _Unusual, UnicodeDecodeError, pickle_values.Refused):
        return None
    return data if pickled[at + 1:at + 2] == b"." else None


class _Unusual(Exception):
    """Something that is not known here."""


def _short_text(pickled, at, memo):
    """Read a text and put it into the memo: BINUNICODE or BINGET."""
    if pickled[at] == 0x68:
        text = memo[pickled[at + 1]]
        if type(text) is not str:
            raise _Unusual
        return text, at + 2
    end = at + 5 + _SIZE(pickled, at + 1)[0]
    if pickled[at] != 0x58 or pickled[end] != 0x71 or pickled[end + 1] != len(memo):
        raise _Unusual
    text = str(pickled[at + 5:end], "utf-8", "surrogatepass")
    memo.append(text)
    return text, end + 2


def _value(pickled, at, memo, key):
    """Read the value of a key; None stands for a list that is not needed."""
    op = pickled[at]
    if op == 0x5d:
        return _list(pickled, at, memo, key)
    if op == 0x58:
        return _short_text(pickled, at, memo)
    if op == 0x47:
        return struct.unpack_from(">d", pickled, at + 1)[0], at + 9
    if op == 0x63 and pickled.startswith(_RECONSTRUCT, at):
        at += len(_RECONSTRUCT)
    elif op == 0x68 and memo[pickled[at + 1]] is pickle_values.RECONSTRUCT:
        at += 2
    else:
        raise _Unusual
    whole = pickle_values.read_whole_array(pickled, at, memo)
    if whole is None:
        raise _Unusual
    return whole


def _list(pickled, at, memo, key):
    """Read 68 points or four numbers, or only step over them."""
    first = len(memo)
    match = _POINTS.match(pickled, at)
    if match is None:
        match = _RECTANGLE.match(pickled, at)
        if key == "landmarks" or match is None or match.group(1)[0] != first:
            raise _Unusual
        memo.append(None)
        return _four_numbers(pickled, at + 4) if key == "source_rect" else None, match.end()
    if pickled[at + 2] != first or pickled[at + 6:match.end() - 1:_POINT_BYTES] != _BYTE_VALUES[first + 1:first + 69]:
        raise _Unusual    # memo indexes that do not just count up
    memo += [None] * 69
    if key == "source_rect":
        raise _Unusual
    return _points(pickled, at + 4) if key == "landmarks" else None, match.end()


def _four_numbers(pickled, at):
    found = []
    for _ in range(4):
        unpack, size = _NUMBERS[pickled[at]]
        found += unpack(pickled, at + 1)
        at += size
    return found


def _points(pickled, at):
    import numpy as np    # here: the orders by file names do without it
    points = np.frombuffer(pickled, _point(), 68, at)
    landmarks = np.empty((68, 2))
    landmarks[:, 0], landmarks[:, 1] = points["x"], points["y"]
    return landmarks


@functools.lru_cache(maxsize=None)
def _point():
    """Return the dtype of a point among the bytes of a list of them."""
    import numpy as np
    return np.dtype([("", "V5"), ("x", ">f8"), ("", "V1"), ("y", ">f8"), ("", "V1")])
