"""The codes of deflate: their lengths, the tables that a decoder looks them up in; and the checksum of zlib.

Kernels. Deflate: RFC 1951; zlib: RFC 1950.
"""
import numpy as np

from .compat import jit

LONGEST_CODE = 15                   # bits
BITS, DISTANCE_BITS = 10, 9         # of the input, looked up at once: tables of more take longer to fill than they save
LENGTH_CODE_BITS = 7                # of the codes that tell the lengths of codes
LONGEST_MATCH = 258
END = 256                           # the symbol for the end of a block
SYMBOLS, DISTANCES = 288, 32        # as many as the fixed codes have
ORDER_OF_LENGTHS = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])     # 3.2.7

# An entry of a table (uint64). Bits 0-3: how many bits the code has, 0 where longer ones begin; 4-5: ONE byte, TWO of
# them, or the LENGTH of a match. Bytes: bits 8-15 and 16-23. Lengths and distances: from MORE_AT on how many bits
# follow (four bits), from VALUE_AT on the smallest value; the length 0 is the end of a block.
ONE, TWO, LENGTH = 1, 2, 3
MORE_AT, VALUE_AT = 6, 12

_0, _1, _2, _3, _4, _6, _8, _15, _63 = (np.uint64(number) for number in (0, 1, 2, 3, 4, 6, 8, 15, 63))
_SECOND_BYTE = np.uint64(0xff00)
_ADLER = 65521                      # modulus of RFC 1950


@jit()
def bits_at(words, at):
    """Return the 64 bits (uint64) that begin at bit `at`."""
    word, shift = np.uint64(at) >> _6, np.uint64(at) & _63
    return (words[word] >> shift) | ((words[word + _1] << _1) << (_63 - shift))


@jit()
def set_fixed_lengths(lengths, distance_lengths):
    """Write the code lengths of RFC 1951, 3.2.6."""
    lengths[:144], lengths[144:256], lengths[256:280], lengths[280:] = 8, 9, 7, 8
    distance_lengths[:] = 5


@jit()
def read_lengths(words, at, limit, lengths, distance_lengths):
    """Read the code lengths of a block (RFC 1951, 3.2.7). Return where the input is then, -1 for bad ones."""
    head = np.int64(bits_at(words, at) & np.uint64(0x3fff))
    symbols, distances, count = (head & 31) + 257, ((head >> 5) & 31) + 1, ((head >> 10) & 15) + 4
    at += 14
    told = np.zeros(19, np.int64)
    for i in range(count):
        told[ORDER_OF_LENGTHS[i]] = np.int64(bits_at(words, at) & np.uint64(7))
        at += 3
    if symbols > 286 or distances > 30 or _free_codes(told) != 0:
        return np.int64(-1)
    table = np.empty(1 << LENGTH_CODE_BITS, np.uint64)
    _fill(told, table, LENGTH_CODE_BITS, False)
    both = np.zeros(SYMBOLS + DISTANCES, np.int64)
    place, end = 0, symbols + distances
    while place < end:
        if at > limit:
            return np.int64(-1)
        bits = bits_at(words, at)
        entry = np.int64(table[bits & np.uint64((1 << LENGTH_CODE_BITS) - 1)])
        symbol, used = entry >> 8, entry & 15
        value, more, least = symbol, 0, 1
        if symbol == 16:
            if place == 0:
                return np.int64(-1)
            value, more, least = both[place - 1], 2, 3
        elif symbol == 17:
            value, more, least = 0, 3, 3
        elif symbol == 18:
            value, more, least = 0, 7, 11
        times = least + (np.int64(bits >> np.uint64(used)) & ((1 << more) - 1))
        at += used + more
        if place + times > end:
            return np.int64(-1)
        both[place:place + times] = value
        place += times
    lengths[:symbols], lengths[symbols:] = both[:symbols], 0
    distance_lengths[:distances], distance_lengths[distances:] = both[symbols:end], 0
    return at if lengths[END] else np.int64(-1)


@jit()
def _free_codes(lengths):
    """Return how many codes of 15 bits are left over: 0 for a complete set, fewer for one that cannot be."""
    free = 1 << LONGEST_CODE
    for length in lengths:
        if length:
            free -= 1 << (LONGEST_CODE - length)
    return free


@jit()
def fill_tables(lengths, distance_lengths, table, distances):
    """Fill both tables. Return whether both sets of codes can be.

    They have to be complete, but for a distance alone, whose code has one bit, and for none at all.
    """
    free = _free_codes(distance_lengths)
    alone = np.sum(distance_lengths) <= 1 and free >= 1 << (LONGEST_CODE - 1)
    if _free_codes(lengths) != 0 or (free != 0 and not alone):
        return False
    _fill(lengths, table, BITS, False)
    _fill(distance_lengths, distances, DISTANCE_BITS, True)
    _pair(table)
    return True


@jit()
def _fill(lengths, table, bits, are_distances):
    """Fill a table of 2 ** bits entries; 0 where a longer code begins."""
    table[:] = 0
    following = np.zeros(LONGEST_CODE + 2, np.int64)
    for length in lengths:
        if length:
            following[length + 1] += 1
    for length in range(1, LONGEST_CODE + 1):
        following[length] = (following[length] + following[length - 1]) << 1
    for symbol in range(lengths.size):
        length = lengths[symbol]
        if length == 0:
            continue
        code = following[length]
        following[length] += 1
        if length <= bits:
            turned = 0
            for _ in range(length):
                turned = (turned << 1) | (code & 1)
                code >>= 1
            entry = _distance_entry(symbol, length) if are_distances else _entry(symbol, length)
            for place in range(turned, table.size, 1 << length):
                table[place] = entry


@jit()
def _pair(table):
    """Let an entry stand for two bytes where both codes fit."""
    for place in range(table.size - 1, -1, -1):     # what is looked at has fewer bits, and is no pair yet
        entry = table[place]
        used = entry & _15
        if (entry >> _4) & _3 == _1:
            other = table[np.uint64(place) >> used]
            both = used + (other & _15)
            if (other >> _4) & _3 == _1 and both <= np.uint64(BITS):
                table[place] = both | _2 << _4 | (entry & _SECOND_BYTE) | (other & _SECOND_BYTE) << _8


@jit()
def _entry(symbol, used):
    """Return the entry (uint64) of a byte, a length or END; 0 of what does not exist. used: bits of its code."""
    if symbol < END:
        return np.uint64(used | ONE << 4 | symbol << 8)
    more, value = 0, 0
    if symbol > 285:
        return _0
    if symbol == 285:
        value = LONGEST_MATCH
    elif symbol > END:
        step = symbol - 257
        more = max(0, step // 4 - 1)
        value = 3 + (step if step < 8 else (4 + step % 4) << more)
    return np.uint64(used | LENGTH << 4 | more << MORE_AT | value << VALUE_AT)


@jit()
def _distance_entry(symbol, used):
    """Return the entry (uint64) of a distance, 0 of what does not exist. used: bits of its code."""
    if symbol > 29:
        return _0
    more = max(0, symbol // 2 - 1)
    value = 1 + (symbol if symbol < 4 else (2 + symbol % 2) << more)
    return np.uint64(used | more << MORE_AT | value << VALUE_AT)


@jit()
def ranks_of(lengths):
    """Return (how many codes of each length there are, the symbols in the order of their codes): int64."""
    counts, ordered = np.zeros(LONGEST_CODE + 1, np.int64), np.empty(lengths.size, np.int64)
    for length in lengths:
        counts[length] += 1
    counts[0] = 0
    place = 0
    for length in range(1, LONGEST_CODE + 1):
        if counts[length]:
            for symbol in range(lengths.size):
                if lengths[symbol] == length:
                    ordered[place] = symbol
                    place += 1
    return counts, ordered


@jit()
def _rare_symbol(bits, ranks):
    """Return (symbol, bits of its code) of any code, by counting (RFC 1951, 3.2.2); -1 for none."""
    counts, ordered = ranks
    code, first, before = 0, 0, 0
    for length in range(1, LONGEST_CODE + 1):
        code |= np.int64(bits & _1)
        bits >>= _1
        if code - first < counts[length]:
            return ordered[before + code - first], length
        before += counts[length]
        first = (first + counts[length]) << 1
        code <<= 1
    return np.int64(-1), 0


@jit()
def rare_entry(bits, ranks, are_distances):
    """Return the entry of any code, 0 where there is none."""
    symbol, used = _rare_symbol(bits, ranks)
    if symbol < 0:
        return _0
    return _distance_entry(symbol, used) if are_distances else _entry(symbol, used)


@jit()
def adler(data, size, low, high):
    """Continue an Adler-32: low = 1 + sum of bytes, high = sum of all values that low has had, both mod 65521."""
    for start in range(0, size, 4096):
        part = data[start:min(size, start + 4096)]
        total, weighted = 0, 0
        for i in range(part.size):
            total += np.int64(part[i])
            weighted += i * np.int64(part[i])
        high = (high + part.size * (low + total) - weighted) % _ADLER
        low = (low + total) % _ADLER
    return low, high
