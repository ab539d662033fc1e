"""Deflate streams unpacked by kernels, up to twice as fast as by zlib: for the rows of PNGs, whose size is known.

Bytes whose codes are short are looked up two at a time, and the next 32 bits of the input are always at hand, without
a branch that the processor would have to guess. Whatever breaks a rule is refused, also what zlib would let pass.

Hand-written, since libraries that are as fast do not serve here: the last isal for Python 3.6 holds the interpreter's
lock while it works, and frames are decoded by threads. zlib: RFC 1950; deflate: RFC 1951. Decoders that go the same
way: libdeflate (Biggers), fdeflate (image-rs).
"""
import numpy as np

from .compat import jit
from .deflate_codes import (
    BITS, DISTANCE_BITS, DISTANCES, LONGEST_MATCH, MORE_AT, SYMBOLS, VALUE_AT, adler, bits_at, fill_tables, ranks_of,
    rare_entry, read_lengths, set_fixed_lengths)

SLACK = LONGEST_MATCH + 16          # bytes behind the output that are overwritten
PADDING = 4                         # words of zeros behind the input
# Numbers without a sign: one with a sign beside them would make numba compute with fractions, and each index that may
# be negative costs a branch.
_0, _1, _2, _3, _4, _5, _6, _7, _8, _15, _16, _31, _32, _255 = (
    np.uint64(number) for number in (0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 31, 32, 255))
_MASK, _DISTANCE_MASK = np.uint64((1 << BITS) - 1), np.uint64((1 << DISTANCE_BITS) - 1)
_MORE_AT, _VALUE_AT = np.uint64(MORE_AT), np.uint64(VALUE_AT)
# A distance below 8, and a multiple of it from 8 on, within what has been written when 8 bytes have.
_FARTHER = np.array([0, 9, 10, 9, 12, 10, 12, 14], np.uint64)


def unpack(pieces, size):
    """Return `size` unpacked bytes: uint8 (size), or None if a zlib stream is damaged or holds more or fewer.

    pieces: list of bytes-like, the stream.
    """
    stream_size = sum(map(len, pieces))
    words = np.zeros(stream_size // 8 + PADDING, np.uint64)
    octets, at = words.view(np.uint8), 0
    for piece in pieces:
        octets[at:at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    out = np.empty(size + SLACK, np.uint8)
    return out[:size] if inflate(words, stream_size, out, size) else None


@jit()
def inflate(words, stream_size, out, size):
    """Unpack a zlib stream. Return whether it is whole and gives exactly `size` bytes.

    words: uint64, the bytes of the stream and PADDING; stream_size: of it, bytes; out: uint8 (size + SLACK).
    """
    octets = words.view(np.uint8)
    head, flags = np.int64(octets[0]), np.int64(octets[1])
    if head & 15 != 8 or head >> 4 > 7 or (head * 256 + flags) % 31 or flags & 32 or stream_size < 6:
        return False
    farthest = np.uint64(1) << np.uint64((head >> 4) + 8)
    table, distances = np.empty(1 << BITS, np.uint64), np.empty(1 << DISTANCE_BITS, np.uint64)
    lengths, distance_lengths = np.zeros(SYMBOLS, np.int64), np.zeros(DISTANCES, np.int64)
    limit = 8 * (stream_size - 4)                # bits; the checksum is behind them
    at, place, last = np.int64(16), np.int64(0), False
    while not last:
        kind = np.int64(bits_at(words, at) & _7)
        last = kind & 1 == 1
        at += 3
        if kind >> 1 == 0:
            at, place = _copy_stored(octets, at, limit, out, place, size)
        elif kind >> 1 == 3:
            return False
        else:
            if kind >> 1 == 1:
                set_fixed_lengths(lengths, distance_lengths)
            else:
                at = read_lengths(words, at, limit, lengths, distance_lengths)
            if at < 0 or not fill_tables(lengths, distance_lengths, table, distances):
                return False
            codes = (table, ranks_of(lengths), distances, ranks_of(distance_lengths))
            at, place = _unpack_block(words, at, limit, out, place, size, codes, farthest)
        if at < 0:
            return False
    start = (at + 7) // 8
    return place == size and start == stream_size - 4 and _adler_fits(out, size, octets[start:start + 4])


@jit()
def _copy_stored(octets, at, limit, out, place, size):
    """Unpack a block that is not compressed. Return where the input and the output are then, at -1 a bad one."""
    start = (at + 7) // 8
    if 8 * start + 32 > limit:
        return np.int64(-1), place
    count = np.int64(octets[start]) | np.int64(octets[start + 1]) << 8
    again = np.int64(octets[start + 2]) | np.int64(octets[start + 3]) << 8
    start += 4
    if count ^ 0xffff != again or 8 * (start + count) > limit or place + count > size:
        return np.int64(-1), place
    out[place:place + count] = octets[start:start + count]
    return 8 * (start + count), place + count


# --- compressed blocks: all numbers uint64 ---------------------------------------------------
# `bits` are the next ones of the input, at least `left` of them; halves[word] comes behind these.

@jit()
def _unpack_block(words, at, limit, out, place, size, codes, farthest):
    """Unpack a compressed block. Return where the input and the output are then (int64), at -1 a damaged one.

    codes: table and ranks of bytes and lengths, of distances; farthest: how far back a match may lie (uint64).
    """
    table, ranks, distances, distance_ranks = codes
    halves = words.view(np.uint32)
    place, at, last, size = np.uint64(place), np.uint64(at), np.uint64(limit), np.uint64(size)
    word = at >> _5
    left = _32 - (at & _31)
    bits = np.uint64(halves[word]) >> (at & _31)
    word += _1
    while (word << _5) <= last + left and place <= size:
        bits, word, left = _refill(halves, bits, word, left)
        entry = table[bits & _MASK]
        if _are_bytes(entry):
            place = _put_bytes(out, place, entry)
            bits, left = _drop(bits, left, entry & _15)
            entry = table[bits & _MASK]
            if _are_bytes(entry):
                place = _put_bytes(out, place, entry)
                bits, left = _drop(bits, left, entry & _15)
                continue
            bits, word, left = _refill(halves, bits, word, left)
        if entry == _0:
            entry = rare_entry(bits, ranks, False)
            if _are_bytes(entry):
                place = _put_bytes(out, place, entry)
                bits, left = _drop(bits, left, entry & _15)
                continue
            if entry == _0:
                break
        bits, left = _drop(bits, left, entry & _15)
        if entry >> _VALUE_AT == _0:
            at = (word << _5) - left
            return np.int64(at) if at <= last else np.int64(-1), np.int64(place)
        length, bits, left = _value(entry, bits, left)
        bits, word, left = _refill(halves, bits, word, left)
        entry = distances[bits & _DISTANCE_MASK]
        if entry == _0:
            entry = rare_entry(bits, distance_ranks, True)
            if entry == _0:
                break
        bits, left = _drop(bits, left, entry & _15)
        distance, bits, left = _value(entry, bits, left)
        if distance > place or distance > farthest or place + length > size:
            break
        place = _copy_match(out, place, length, distance)
    return np.int64(-1), np.int64(place)


@jit()
def _refill(halves, bits, word, left):
    """Make `left` at least 32. What is put there and not counted is put there again, the same, by the next call."""
    bits |= np.uint64(halves[word]) << left
    taken = np.uint64(left <= _32)
    return bits, word + taken, left + (taken << _5)


@jit()
def _drop(bits, left, count):
    return bits >> count, left - count


@jit()
def _value(entry, bits, left):
    """Return the length or distance that an entry and the bits behind its code say, then what _drop returns."""
    more = (entry >> _MORE_AT) & _15
    return (entry >> _VALUE_AT) + (bits & ((_1 << more) - _1)), bits >> more, left - more


@jit()
def _are_bytes(entry):
    return ((entry >> _4) & _3) - _1 < _2


@jit()
def _put_bytes(out, place, entry):
    """Write two bytes; where it is only one, the other is overwritten."""
    out[place] = np.uint8((entry >> _8) & _255)
    out[place + _1] = np.uint8((entry >> _16) & _255)
    return place + ((entry >> _4) & _3)


@jit()
def _copy_match(out, place, length, distance):
    """Write again what lies `distance` bytes back, 8 bytes at a time, and some behind it. Return where it ends."""
    end = place + length
    if distance < _8:
        for i in range(8):
            out[place + np.uint64(i)] = out[place + np.uint64(i) - distance]
        place += _8
        distance = _FARTHER[distance]
    while place < end:
        source = place - distance
        a, b, c, d = out[source], out[source + _1], out[source + _2], out[source + _3]
        e, f, g, h = out[source + _4], out[source + _5], out[source + _6], out[source + _7]
        out[place], out[place + _1], out[place + _2], out[place + _3] = a, b, c, d
        out[place + _4], out[place + _5], out[place + _6], out[place + _7] = e, f, g, h
        place += _8
    return end


@jit()
def _adler_fits(out, size, stored):
    """Tell whether the Adler-32 of the output is the one that is stored (uint8 (4,))."""
    low, high = adler(out, size, np.int64(1), np.int64(0))
    wanted = 0
    for octet in stored:
        wanted = wanted << 8 | np.int64(octet)
    return wanted == high << 16 | low
