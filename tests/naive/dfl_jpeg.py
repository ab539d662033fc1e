"""Oracle for the structure of JPEG files: ITU-T T.81 annex B, segment by segment.

Metadata is unpickled as it comes: only for files that the tests made themselves.
"""
import pickle

STANDALONE = [0x01] + list(range(0xD0, 0xDA))  # TEM, RST0 to RST7, SOI, EOI


def segments(data):
    """Split a JPEG file (bytes) into its head's segments and the rest, which begins with SOS or EOI.

    Returns (list of (fill bytes, marker, content or None for a marker alone), rest).
    """
    found, position = [], 0
    while True:
        fill = 0
        assert data[position] == 0xFF, 'no marker'
        while data[position + fill + 1] == 0xFF:
            fill += 1
        marker = data[position + fill + 1]
        if marker in (0xDA, 0xD9):
            return found, data[position:]
        position += fill + 2
        if marker in STANDALONE:
            found.append((fill, marker, None))
        else:
            length = data[position] * 256 + data[position + 1]
            found.append((fill, marker, data[position + 2:position + length]))
            position += length


def join(found, rest):
    """The JPEG file (bytes) of what `segments` returned."""
    data = b''
    for fill, marker, content in found:
        data += b'\xff' * (fill + 1) + bytes([marker])
        if content is not None:
            data += (len(content) + 2).to_bytes(2, 'big') + content
    return data + rest


def metadata(data):
    """(shape, data) of a JPEG file: (h, w, 3) of its frame header, the dict of its last DFL segment or {}."""
    shape, result = None, {}
    for _, marker, content in segments(data)[0]:
        if marker in (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF):
            shape = (content[1] * 256 + content[2], content[3] * 256 + content[4], 3)
        if marker == 0xEF and is_pickle(content):
            result = pickle.loads(content)
    return shape, result


def is_pickle(content):
    """Whether an APP15 segment is one of DeepFaceLab's."""
    return content[:1] == b'\x80' and content[1] in (2, 3, 4, 5)


def replace(data, content):
    """The JPEG file with a new APP15 segment behind the last APPn (or SOI), and without its old DFL ones."""
    found, rest = segments(data)
    old = [marker == 0xEF and is_pickle(text) for _, marker, text in found]
    place = 0
    for index, (_, marker, _) in enumerate(found):
        if 0xE0 <= marker <= 0xEF and not old[index]:
            place = index + 1
    result = b'\xff\xd8'
    for index, one in enumerate(found[1:], 1):
        if index == max(place, 1):
            result += join([(0, 0xEF, content)], b'')
        # Fill bytes may stand before any marker; those of a segment that goes are the next one's.
        result += b'\xff' * one[0] if old[index] else join([one], b'')
    if max(place, 1) == len(found):
        result += join([(0, 0xEF, content)], b'')
    return result + rest
