"""PNG files decoded by the letter of the standard, and Huffman codes by a heap."""
import heapq
import struct
import zlib

import numpy as np


def decode(data):
    """Return the pixels of a PNG of 8 bits, grey or RGB, uncut: uint8 (H, W, 1 or 3), BGR; everything is checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        name, content = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        assert len(content) == size
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(name + content)
        chunks.append((name, content))
        at += 12 + size
    assert [name for name, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"] and chunks[2][1] == b""
    width, height, depth, kind, compression, filters, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, compression, filters, interlace) == (8, 0, 0, 0)
    channels = {0: 1, 2: 3}[kind]
    inflater = zlib.decompressobj()                # checks the Adler-32, too
    rows = inflater.decompress(chunks[1][1]) + inflater.flush()
    assert inflater.eof and inflater.unused_data == b"" and len(rows) == height * (width * channels + 1)
    pixels = []
    above = [0] * (width * channels)
    for y in range(height):
        row = rows[y * (width * channels + 1):(y + 1) * (width * channels + 1)]
        above = unfilter(row[0], list(row[1:]), above, channels)
        pixels.append(above)
    return np.array(pixels, np.uint8).reshape(height, width, channels)[..., ::-1]


def unfilter(kind, row, above, channels):
    """Return the bytes of a row from their differences."""
    for x in range(len(row)):
        left = row[x - channels] if x >= channels else 0
        corner = above[x - channels] if x >= channels else 0
        nearest = min((left, above[x], corner), key=lambda value: abs(left + above[x] - corner - value))
        row[x] = (row[x] + {0: 0, 1: left, 2: above[x], 3: (left + above[x]) // 2, 4: nearest}[kind]) % 256
    return row


def huffman_cost(frequencies):
    """Return how many bits the best code takes for symbols that occur so often, at least two of them."""
    heap = [frequency for frequency in frequencies if frequency]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    return cost


def codes(lengths):
    """Return {symbol: code as a text of 0 and 1}: RFC 1951, 3.2.2."""
    code, found = 0, {}
    for bits in range(1, 16):
        for symbol, length in enumerate(lengths):
            if length == bits:
                found[symbol] = format(code, "0{}b".format(bits))
                code += 1
        code <<= 1
    return found
