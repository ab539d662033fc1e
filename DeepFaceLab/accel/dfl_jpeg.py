"""Reads and replaces the metadata that DeepFaceLab keeps in JPEG files; the picture is never decoded.

The metadata is a pickled dict in an APP15 segment of the file's head. A JPEG file is a row of segments
(FF, marker, big-endian length with its own two bytes, content) up to the first scan; JPEG is ITU-T T.81,
annex B. Answers to DFLIMG.DFLJPG of stock, which steps byte by byte through the scan as well.
"""
from collections import namedtuple
from io import FileIO

from . import safe_pickle

MAX_METADATA_BYTES = 65533  # a segment's length has 16 bits and counts itself
_FIRST_READ = 8192          # bytes; the head of an ordinary face has 4 to 6 thousand
_MAX_HEAD = 1 << 24         # bytes; more before the picture is no photograph's head
_MAX_MARKERS = 10000        # and so are more segments and fill bytes

_SOI, _EOI, _SOS, _APP0, _APP15 = 0xd8, 0xd9, 0xda, 0xe0, 0xef
_FRAME_MARKERS = frozenset(range(0xc0, 0xd0)) - {0xc4, 0xc8, 0xcc}  # SOFn; those three are DHT, JPG and DAC
_WITHOUT_LENGTH = frozenset(range(0xd0, 0xd8)) | {0x01}             # RSTn and TEM


class Metadata(namedtuple('Metadata', 'shape data')):
    """shape: (height, width, 3) in px (3 for grey ones too, as in stock), None if the file ends before it;
    data: dict, {} without DFL metadata."""
    __slots__ = ()


class NotJpegError(ValueError):
    """The file is no JPEG, or its head is broken. Has `source` and `reason` (str)."""

    def __init__(self, source, reason):
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self):
        return '{}: this is not a valid JPG file ({})'.format(self.source, self.reason)


class MetadataTooLongError(ValueError):
    """The metadata does not fit into a JPEG segment."""


def read_metadata(path):
    """Return the Metadata of a JPEG file, of which only the head is read.

    Raises OSError, NotJpegError, and safe_pickle.UnsafePickleError for metadata that is no plain data.
    """
    with FileIO(path) as stream:
        head = stream.read(_FIRST_READ)
        shape, segments, needed = _walk(head, path)
        while needed:
            more = stream.read(max(needed - len(head), len(head)))
            if not more:
                break
            head += more
            shape, segments, needed = _walk(head, path)
    return Metadata(shape, _read_data(head, segments, path))


def parse(data, source):
    """Return the Metadata of a JPEG file given as bytes (all of it, or its head).

    source names the file in errors. Raises NotJpegError and safe_pickle.UnsafePickleError.
    """
    shape, segments, _ = _walk(data, source)
    return Metadata(shape, _read_data(data, segments, source))


def replace_metadata(data, metadata, source='image'):
    """Return a JPEG file (bytes) with other metadata (dict), every byte of the rest as it was.

    The new APP15 segment stands after the last other APPn segment; keys whose value is None are left out.
    source names the file in errors. Raises MetadataTooLongError; ValueError if a value is not plain data;
    NotJpegError. Answers to DFLJPG.dump of stock.
    """
    _, segments, needed = _walk(data, source)
    if needed:
        raise NotJpegError(source, 'it ends before its picture begins')
    content = safe_pickle.dumps({key: value for key, value in metadata.items() if value is not None})
    if len(content) > MAX_METADATA_BYTES:
        raise MetadataTooLongError(
            '{}: the metadata of this face takes {:,} bytes, but a JPG file can hold {:,}. '
            'The file is as it was. Remove its XSeg mask or some of its polygons, then save again.'.format(
                source, len(content), MAX_METADATA_BYTES))
    insert_at = 2
    replaced = []
    for marker, begin, end in segments:
        if marker == _APP15 and _is_pickle(data[begin:end]):
            replaced.append((begin - 4, end, b''))
        else:
            insert_at = end
    replaced.append((insert_at, insert_at, b'\xff\xef' + (len(content) + 2).to_bytes(2, 'big') + content))
    pieces = []
    copied = 0
    for begin, end, piece in sorted(replaced):
        pieces += data[copied:begin], piece
        copied = end
    return b''.join(pieces) + data[copied:]


def _walk(data, source):
    """Step through the segments before the picture.

    Returns (shape or None, [(marker, begin, end) of the content of each APPn], 0 or the number of bytes that
    `data` has to have for the next step).
    """
    if data[:2] != b'\xff\xd8':
        raise NotJpegError(source, 'it does not begin like one')
    shape, segments, pos = None, [], 2
    try:
        for _ in range(_MAX_MARKERS):
            if data[pos] != 0xff:
                raise NotJpegError(source, 'there is no marker at byte {}'.format(pos))
            marker = data[pos + 1]
            if marker == 0xff:  # a fill byte
                pos += 1
                continue
            if marker == _SOS or marker == _EOI:
                return shape, segments, 0
            if marker in _WITHOUT_LENGTH:
                pos += 2
                continue
            length = data[pos + 2] << 8 | data[pos + 3]
            if length < 2 or marker == 0 or marker == _SOI:
                raise NotJpegError(source, 'there is a broken segment at byte {}'.format(pos))
            end = pos + 2 + length
            if _APP0 <= marker <= _APP15:
                segments.append((marker, pos + 4, end))
            elif marker in _FRAME_MARKERS and length >= 8:
                shape = data[pos + 5] << 8 | data[pos + 6], data[pos + 7] << 8 | data[pos + 8], 3
            pos = end
            if pos > _MAX_HEAD:
                break
    except IndexError:
        return shape, segments, pos + 10  # a marker, a length, a size
    raise NotJpegError(source, 'what stands before its picture is too long')


def _read_data(data, segments, source):
    """Return the dict of the last APP15 segment that is one of DeepFaceLab's, {} if none is."""
    result = refused = None
    for marker, begin, end in segments:
        if marker != _APP15:
            continue
        content = data[begin:end]
        try:
            value = safe_pickle.loads(content, source)
        except safe_pickle.UnsafePickleError as error:
            if _is_pickle(content):
                raise
            # Other programs use APP15 too; what ends like a pickle deserves a message if it is alone.
            if content.endswith(b'.'):
                refused = error
            continue
        if type(value) is dict:
            result = value
    if refused is not None and result is None:
        raise refused
    return result or {}


def _is_pickle(content):
    """Tell whether an APP15 segment begins as DeepFaceLab's do: with opcode PROTO, protocol 2 or later."""
    return content[:1] == b'\x80' and content[1:2] in (b'\x02', b'\x03', b'\x04', b'\x05')
