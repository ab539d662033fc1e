"""Decoders of the pickle opcodes that push one plain value.

Each takes the stream (bytes) and the position of the opcode's argument, and returns the value and the
position of the next opcode. Raises Refused, or IndexError, struct.error or ValueError for damaged streams.
"""
import codecs
import struct

from .pickle_values import MAX_INT_BYTES, Refused

_MAX_LINE = 700  # bytes of a number or a name as text; int('9' * 10 ** 6) takes seconds

_U2 = struct.Struct('<H').unpack_from
_U4 = struct.Struct('<I').unpack_from
_I4 = struct.Struct('<i').unpack_from
_F8 = struct.Struct('>d').unpack_from


def take(data, begin, size):
    """Return `size` bytes of the stream and the position after them; refuse if there are fewer."""
    end = begin + size
    if end > len(data):
        raise Refused('a length beyond its end')
    return data[begin:end], end


def take_line(data, pos, longest=_MAX_LINE):
    """Return a line (bytes, without its end) of the stream and the position after it."""
    end = data.find(b'\n', pos, pos + longest + 1)
    if end < 0:
        raise Refused('a text argument without an end')
    return data[pos:end], end + 1


def take_index(data, pos):
    """Return the memo index that a line of the stream holds, and the position after it."""
    line, pos = take_line(data, pos, 12)
    if not line.isdigit():
        raise Refused('a memo index that is no number')
    return int(line), pos


def _binunicode(data, pos):
    raw, pos = take(data, pos + 4, _U4(data, pos)[0])
    return str(raw, 'utf-8', 'surrogatepass'), pos


def _short_binunicode(data, pos):
    raw, pos = take(data, pos + 1, data[pos])
    return str(raw, 'utf-8', 'surrogatepass'), pos


def _unicode_line(data, pos):
    line, pos = take_line(data, pos, len(data))
    return codecs.raw_unicode_escape_decode(line)[0], pos


def _binbytes(data, pos):
    return take(data, pos + 4, _U4(data, pos)[0])


def _short_binbytes(data, pos):
    return take(data, pos + 1, data[pos])


def _binfloat(data, pos):
    return _F8(data, pos)[0], pos + 8


def _float_line(data, pos):
    line, pos = take_line(data, pos, 40)
    if b'_' in line or line != line.strip():
        raise Refused('a text that is no ordinary float')  # float() is more generous than pickle
    return float(line), pos


def _binint2(data, pos):
    return _U2(data, pos)[0], pos + 2


def _binint(data, pos):
    return _I4(data, pos)[0], pos + 4


def _long1(data, pos):
    raw, pos = take(data, pos + 1, data[pos])
    return int.from_bytes(raw, 'little', signed=True), pos


def _int_line(data, pos):
    line, pos = take_line(data, pos)
    if line == b'00' or line == b'01':
        return line == b'01', pos  # how protocols 0 and 1 write bool
    return _parse_int(line), pos


def _long_line(data, pos):
    line, pos = take_line(data, pos)
    return _parse_int(line[:-1] if line.endswith(b'L') else line), pos


def _parse_int(line):
    digits = line[1:] if line.startswith(b'-') else line
    if not digits.isdigit() or len(digits) > 2 * MAX_INT_BYTES or digits[:1] == b'0' != digits:
        raise Refused('a text that is no ordinary int')
    return int(line)


DECODERS = {
    ord('X'): _binunicode, 0x8c: _short_binunicode, ord('V'): _unicode_line,
    ord('B'): _binbytes, ord('C'): _short_binbytes,
    ord('G'): _binfloat, ord('F'): _float_line,
    ord('M'): _binint2, ord('J'): _binint, 0x8a: _long1, ord('I'): _int_line, ord('L'): _long_line,
}
