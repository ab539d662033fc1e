"""PNG files of frames and masks, written about four times faster than by OpenCV, and no larger.

The pixels are differences to the pixel above (PNG's filter Up) or on the left (Sub), as strips of about 128 KB. Of
a strip, runs of one byte become "repeat the last byte", all else stays single bytes, and both get the Huffman code
that fits this strip. That is what zlib does with its strategy Z_RLE, which OpenCV takes; it asks more of every byte.

PNG: W3C Recommendation, second edition; deflate: RFC 1951; zlib: RFC 1950. Fast writers that go the same way:
fpng (Geldreich), fdeflate (image-rs).
"""
import struct
import zlib

import numpy as np

from ..compat import jit
from ..deflate_codes import END, ORDER_OF_LENGTHS, adler

STRIP_BYTES = 1 << 17
SUB, UP = 1, 2                      # names of the PNG filters in a row's first byte
LONGEST_CODE = 11                   # bits; then two symbols, 16 bits each at most, and 31 left over fit in 64
LONGEST_LENGTH_CODE = 7             # bits, of the code that tells the lengths of the codes: fixed by RFC 1951
SHORTEST_RUN, LONG_RUN, LONGEST_RUN = 3, 130, 258    # between the last two are none: they would take 17 bits
SYMBOLS = 286                       # of deflate: bytes, END, lengths of runs
RUNS = 256                          # token of the shortest run; the tokens below are bytes
TOKENS = RUNS + LONG_RUN - SHORTEST_RUN + 3          # then the longest run and, last of all, END

_BLOCK_MEMORY = 1024                # bytes that the codes of a strip take at most in the file
_WORD, _WORD_BITS = np.uint64(0xffffffff), np.uint64(32)


def encode(image):
    """Return a PNG file (bytes) with exactly these pixels.

    image: uint8 (H, W, 1), or (H, W, 3) BGR; H and W at least 1. Raises ValueError for anything else.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise ValueError("not an 8-bit image of one or three channels: {} {}".format(image.dtype, image.shape))
    height, width, channels = image.shape
    row = width * channels + 1
    rows = max(1, STRIP_BYTES // row)
    # A token of at most 16 bits stands for at least one byte.
    words = np.empty(height * row // 2 + (height // rows + 1) * (_BLOCK_MEMORY // 4) + 1, "<u4")
    size, checksum = _deflate_image(np.ascontiguousarray(image).reshape(-1), height, width, channels, rows, words)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    stream = (b"\x78\x01", memoryview(words).cast("B")[:size], struct.pack(">I", checksum))
    return b"".join([b"\x89PNG\r\n\x1a\n"] + _chunk(b"IHDR", header) + _chunk(b"IDAT", *stream) + _chunk(b"IEND"))


def _chunk(name, *pieces):
    """Return the parts (list of bytes-like) of a PNG chunk."""
    checksum = zlib.crc32(name)
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    return [struct.pack(">I", sum(map(len, pieces))), name] + list(pieces) + [struct.pack(">I", checksum)]


def _token_tables():
    """For every token: its deflate symbol, how many more bits follow, and their value; RFC 1951, 3.2.5."""
    symbols, counts, values = (np.zeros(TOKENS, np.int64) for _ in range(3))
    symbols[:RUNS] = np.arange(RUNS)
    for run in range(SHORTEST_RUN, LONG_RUN + 1):
        count = max(0, (run - SHORTEST_RUN).bit_length() - 3)
        above = run - SHORTEST_RUN - (4 << count if count else 0)
        token = RUNS + run - SHORTEST_RUN
        symbols[token] = 257 + 4 * count + (above >> count) + (4 if count else 0)
        counts[token], values[token] = count, above & ((1 << count) - 1)
    symbols[TOKENS - 2], symbols[TOKENS - 1] = 285, END
    return symbols, counts, values


TOKEN_SYMBOL, TOKEN_MORE, TOKEN_VALUE = _token_tables()


# --- kernels: the whole image ----------------------------------------------------------------

@jit()
def _deflate_image(pixels, height, width, channels, rows, words):
    """Filter and compress all rows, strip by strip, into `words` (uint32, little-endian).

    pixels: uint8 (H * W * channels). Returns the number of bytes, and the Adler-32 of the filtered rows.
    """
    row = width * channels + 1
    strip = np.empty(rows * row, np.uint8)
    tokens = np.empty(rows * row + 1, np.uint16)
    low, high = np.int64(1), np.int64(0)        # of plain ones numba would compile what is called with them twice
    place, left, count = np.int64(0), np.uint64(0), np.uint64(0)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        size = (bottom - top) * row
        _filter_strip(pixels, top, bottom, width, channels, strip)
        low, high = adler(strip, size, low, high)
        how_many, frequencies = _tokenise(strip, size, tokens)
        code, place, left, count = _start_block(frequencies, bottom == height, words, place, left, count)
        place, left, count = _put_tokens(tokens, how_many, code, words, place, left, count)
    words[place] = left & _WORD
    return 4 * place + (np.int64(count) + 7) // 8, (high << 16) | low


# --- kernels: filters ------------------------------------------------------------------------

@jit()
def _filter_strip(pixels, top, bottom, width, channels, out):
    """Write rows as PNG filters them: a byte that names the filter, then RGB or grey differences."""
    size = width * channels
    left_is_nearer = _left_is_nearer(pixels, top, bottom, width, channels)
    for y in range(top, bottom):
        row = pixels[y * size:(y + 1) * size]
        target = out[(y - top) * (size + 1):(y - top + 1) * (size + 1)]
        if left_is_nearer or y == 0:
            target[0] = SUB
            for k in range(channels):
                target[1 + k] = row[channels - 1 - k]
            _subtract(row[channels:], row[:size - channels], channels, target[1 + channels:])
        else:
            target[0] = UP
            _subtract(row, pixels[(y - 1) * size:y * size], channels, target[1:])


@jit()
def _subtract(row, near, channels, target):
    """target = row - near (mod 256), with the order of the channels turned round."""
    if channels == 1:
        for x in range(row.size):
            target[x] = row[x] - near[x]
    else:
        for x in range(row.size // 3):
            target[3 * x] = row[3 * x + 2] - near[3 * x + 2]
            target[3 * x + 1] = row[3 * x + 1] - near[3 * x + 1]
            target[3 * x + 2] = row[3 * x] - near[3 * x]


@jit()
def _left_is_nearer(pixels, top, bottom, width, channels):
    """Tell whether pixels are clearly nearer to their left neighbours than to those above: one row in 7 is asked.

    Up is preferred: what a video has left out is there the same row by row and gives runs of zeros.
    """
    size = width * channels
    to_left, to_above = 0, 0
    for y in range(max(1, top), bottom, 7):
        row, above = pixels[y * size:(y + 1) * size], pixels[(y - 1) * size:y * size]
        for x in range(channels, size):
            to_left += abs(np.int64(row[x]) - np.int64(row[x - channels]))
            to_above += abs(np.int64(row[x]) - np.int64(above[x]))
    return 3 * to_left < 2 * to_above


# --- kernels: tokens -------------------------------------------------------------------------

@jit()
def _tokenise(data, size, tokens):
    """Turn bytes into tokens: a byte, or "the last byte, this many times again".

    data: uint8; tokens: uint16, room for `size` and END. Returns the number of tokens, END included, and how often
    each occurs. Between two bytes that begin no run the second is not asked whether it does: a little is lost,
    and time won.
    """
    # Two tables for the bytes, and unsigned places: either halves the time.
    frequencies, others = np.zeros(TOKENS, np.int32), np.zeros(256, np.int32)
    one, two, shortest = np.uint64(1), np.uint64(2), np.uint64(SHORTEST_RUN)
    end, place, count = np.uint64(size), np.uint64(1), np.uint64(1)
    last = data[0]
    tokens[0] = last
    frequencies[last] += 1
    while place + shortest <= end:
        first, second = data[place], data[place + one]
        if (first ^ last) | (second ^ last) | (data[place + two] ^ last) == 0:
            token, run = _run(data, place, end)
            tokens[count] = token
            frequencies[token] += 1
            count += one
            place += run
        else:
            tokens[count], tokens[count + one] = first, second
            frequencies[first] += 1
            others[second] += 1
            count += two
            place += two
            last = second
    while place < end:
        tokens[count] = data[place]
        frequencies[data[place]] += 1
        count += one
        place += one
    tokens[count] = TOKENS - 1
    frequencies[TOKENS - 1] = 1
    frequencies[:256] += others
    return np.int64(count) + 1, frequencies


@jit()
def _run(data, place, end):
    """Return the token of the run that begins here, whose shortest length is sure, and its length (uint64)."""
    last = data[place]
    beyond, limit = place + np.uint64(SHORTEST_RUN), min(end, place + np.uint64(LONGEST_RUN))
    while beyond < limit and data[beyond] == last:
        beyond += np.uint64(1)
    run = beyond - place
    if run == np.uint64(LONGEST_RUN):
        return np.uint16(TOKENS - 2), run
    run = min(run, np.uint64(LONG_RUN))
    return np.uint16(run + np.uint64(RUNS - SHORTEST_RUN)), run


# --- kernels: bits ---------------------------------------------------------------------------
# What is put goes to `words` at `place`; `left` holds `count` bits, fewer than 32, that fill no word yet.

@jit()
def _put(value, bits, words, place, left, count):
    """Append at most 32 bits, the lowest first."""
    left |= np.uint64(value) << count
    count += np.uint64(bits)
    if count >= _WORD_BITS:
        words[place] = left & _WORD
        place += 1
        left >>= _WORD_BITS
        count -= _WORD_BITS
    return place, left, count


@jit()
def _put_tokens(tokens, how_many, code, words, place, left, count):
    """Append the codes of tokens. code: uint64, for every token its bits and, from bit 32 on, how many they are."""
    for i in range(0, how_many - 1, 2):
        first, second = code[tokens[i]], code[tokens[i + 1]]
        bits = first >> _WORD_BITS
        left |= ((first & _WORD) | ((second & _WORD) << bits)) << count
        count += bits + (second >> _WORD_BITS)
        if count >= _WORD_BITS:
            words[place] = left & _WORD
            place += 1
            left >>= _WORD_BITS
            count -= _WORD_BITS
    if how_many % 2:
        last = code[tokens[how_many - 1]]
        place, left, count = _put(last & _WORD, last >> _WORD_BITS, words, place, left, count)
    return place, left, count


# --- kernels: Huffman codes ------------------------------------------------------------------

@jit()
def _start_block(frequencies, is_last, words, place, left, count):
    """Append the head of a block: its code. Return the code as _put_tokens takes it, then what _put returns."""
    of_symbols = np.zeros(SYMBOLS, np.int64)
    for token in range(TOKENS):
        of_symbols[TOKEN_SYMBOL[token]] += frequencies[token]
    lengths = _code_lengths(of_symbols, LONGEST_CODE)
    codes = _codes(lengths)
    place, left, count = _put_code(lengths, is_last, words, place, left, count)
    table = np.empty(TOKENS, np.uint64)
    for token in range(TOKENS):
        symbol = TOKEN_SYMBOL[token]
        bits = lengths[symbol]
        value = codes[symbol] | (TOKEN_VALUE[token] << bits)
        bits += TOKEN_MORE[token]
        if token >= RUNS and token < TOKENS - 1:
            bits += 1                            # the distance, always 1: its code is one 0
        table[token] = np.uint64(value) | (np.uint64(bits) << _WORD_BITS)
    return table, place, left, count


@jit()
def _put_code(lengths, is_last, words, place, left, count):
    """Append how a block begins: RFC 1951, 3.2.7, with every length told by itself."""
    told = np.zeros(19, np.int64)
    for length in lengths:
        told[length] += 1
    told[1] += 1                                 # that of the one distance
    lengths_of_told = _code_lengths(told, LONGEST_LENGTH_CODE)
    codes_of_told = _codes(lengths_of_told)
    kind = (1 if is_last else 0) | (2 << 1)
    for value, bits in ((kind, 3), (SYMBOLS - 257, 5), (0, 5), (19 - 4, 4)):
        place, left, count = _put(value, bits, words, place, left, count)
    for length in ORDER_OF_LENGTHS:
        place, left, count = _put(lengths_of_told[length], 3, words, place, left, count)
    for length in lengths:
        place, left, count = _put(codes_of_told[length], lengths_of_told[length], words, place, left, count)
    return _put(codes_of_told[1], lengths_of_told[1], words, place, left, count)


@jit()
def _code_lengths(frequencies, longest):
    """Return how many bits each symbol's code has, 0 for those that do not occur; at least two must.

    Huffman's way with two queues. While a code is too long, the frequencies are halved (rounded up) and all is
    done again: a little more than the best code of limited length, and short.
    """
    lengths = np.zeros(frequencies.size, np.int64)
    keys = np.empty(frequencies.size, np.int64)      # frequency and symbol as one number
    count = 0
    for symbol in range(frequencies.size):
        if frequencies[symbol]:
            keys[count] = frequencies[symbol] * SYMBOLS + symbol
            count += 1
    keys = keys[:count]
    while True:
        _sort(keys)
        depths = _depths(keys)
        if depths[0] <= longest:
            for i in range(count):
                lengths[keys[i] % SYMBOLS] = depths[i]
            return lengths
        for i in range(count):
            keys[i] = (keys[i] // SYMBOLS + 1) // 2 * SYMBOLS + keys[i] % SYMBOLS


@jit()
def _sort(keys):
    """Sort in place (Shell 1959): as fast as np.sort for so few, and compiled in a tenth of the time."""
    for gap in (121, 40, 13, 4, 1):
        for i in range(gap, keys.size):
            key, at = keys[i], i
            while at >= gap and keys[at - gap] > key:
                keys[at] = keys[at - gap]
                at -= gap
            keys[at] = key


@jit()
def _depths(keys):
    """Return how deep each leaf lies in the Huffman tree, for sorted keys as _code_lengths makes them."""
    leaves = keys.size
    weights = keys // SYMBOLS
    of_nodes, parents = np.empty(leaves - 1, np.int64), np.empty(2 * leaves - 1, np.int64)
    leaf, node = 0, 0
    for new in range(leaves - 1):
        of_nodes[new] = 0
        for _ in range(2):
            if leaf < leaves and (node >= new or weights[leaf] <= of_nodes[node]):
                of_nodes[new] += weights[leaf]
                parents[leaf] = new
                leaf += 1
            else:
                of_nodes[new] += of_nodes[node]
                parents[leaves + node] = new
                node += 1
    depth_of_nodes = np.zeros(leaves - 1, np.int64)
    for k in range(leaves - 3, -1, -1):
        depth_of_nodes[k] = depth_of_nodes[parents[leaves + k]] + 1
    return depth_of_nodes[parents[:leaves]] + 1


@jit()
def _codes(lengths):
    """Return the codes (RFC 1951, 3.2.2) for code lengths, their bits turned round as deflate writes them."""
    following = np.zeros(17, np.int64)
    for length in lengths:
        if length:
            following[length + 1] += 1
    for bits in range(1, 17):
        following[bits] = (following[bits] + following[bits - 1]) << 1
    codes = np.zeros(lengths.size, np.int64)
    for symbol in range(lengths.size):
        code = following[lengths[symbol]]
        following[lengths[symbol]] += 1
        for _ in range(lengths[symbol]):
            codes[symbol] = (codes[symbol] << 1) | (code & 1)
            code >>= 1
    return codes
