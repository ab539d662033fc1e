"""The compiled unpacking of zlib streams, against zlib: the same bytes, or a refusal."""
import random
import zlib

import numpy as np
import pytest
from accel import inflate
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.kernel

STRATEGIES = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, 3, 4]      # Z_RLE and Z_FIXED have no name


@pytest.fixture(autouse=True)
def wrap_around():
    with np.errstate(over="ignore"):               # bits that a shift drops
        yield


def packed(data, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, window=15, memory=9):
    packing = zlib.compressobj(level, zlib.DEFLATED, window, memory, strategy)
    return packing.compress(data) + packing.flush()


def unpacked(stream, size):
    """Return bytes or None."""
    found = inflate.unpack([stream], size)
    return None if found is None else found.tobytes()


def content(kind, size, seed=0):
    """Return bytes that are packed by single bytes, by short runs, by long matches."""
    chance = np.random.RandomState(seed)
    if kind == "noise":
        return chance.randint(0, 256, size).astype(np.uint8).tobytes()
    if kind == "few values":
        return (chance.standard_exponential(size) * 3).astype(np.uint8).tobytes()
    if kind == "runs":
        return np.repeat(chance.randint(0, 4, size), chance.randint(1, 400, size)).astype(np.uint8).tobytes()[:size]
    words = [chance.randint(0, 256, length).astype(np.uint8).tobytes() for length in range(1, 20)]
    return b"".join(words[chance.randint(len(words))] for _ in range(size // 5))[:size]


@pytest.mark.parametrize("kind", ["noise", "few values", "runs", "words"])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("level", [0, 6])
def test_what_zlib_packs(kind, strategy, level):
    for size in (1, 700):
        data = content(kind, size)
        assert unpacked(packed(data, level, strategy), len(data)) == data


@pytest.mark.parametrize("window, memory", [(9, 1), (11, 9), (15, 1)])
def test_small_windows_and_blocks(window, memory):
    data = content("words", 4000)
    assert unpacked(packed(data, 9, window=window, memory=memory), len(data)) == data


@given(st.binary(max_size=300), st.integers(0, 9), st.sampled_from(STRATEGIES), st.integers(1, 5))
def test_any_bytes(data, level, strategy, times):
    data *= times
    assert unpacked(packed(data, level, strategy), len(data)) == data


@pytest.mark.parametrize("distance", list(range(1, 21)) + [255, 256, 257, 1024, 4097])
def test_matches_of_every_length(distance):
    """Near ones overlap what they write."""
    pattern = content("noise", distance, seed=distance)
    for length in list(range(3, 30)) + [127, 128, 257, 258, 259, 600]:
        data = (pattern * (length // distance + 2))[:distance + length] + b"!"
        assert unpacked(packed(data, 9), len(data)) == data


def test_matches_from_as_far_as_there_are():
    word = content("noise", 300, seed=1)
    data = word + bytes(32768 - 300) + word + bytes(40) + word
    assert unpacked(packed(data, 9), len(data)) == data


def test_codes_of_up_to_15_bits():
    """Bytes and distances so uneven that rare ones have codes longer than a table is wide."""
    counts = [1, 1]
    while len(counts) < 16:
        counts.append(counts[-1] + counts[-2])
    data = bytearray(b"".join(bytes([value]) * count for value, count in enumerate(counts)))
    random.Random(3).shuffle(data)
    stream = packed(bytes(data), 9, zlib.Z_HUFFMAN_ONLY)
    assert unpacked(stream, len(data)) == bytes(data)
    farther = bytearray()
    chance = random.Random(5)
    for number in range(3000):
        back = min(len(farther), 1 << int(min(14, chance.expovariate(0.7))))
        farther += farther[len(farther) - back:][:chance.randint(3, 6)] if back > 6 else bytes([chance.randrange(256)])
    assert unpacked(packed(bytes(farther), 9), len(farther)) == bytes(farther)


def test_a_stream_in_pieces():
    data = content("words", 2000)
    stream = packed(data)
    for size in (1, 2, 7, 500):
        pieces = [memoryview(stream)[at:at + size] for at in range(0, len(stream), size)]
        assert inflate.unpack(pieces, len(data)).tobytes() == data


@pytest.mark.parametrize("kind", ["noise", "runs", "words"])
@pytest.mark.parametrize("level", [0, 9])
def test_another_size_is_refused(kind, level):
    data = content(kind, 500)
    for size in (0, 1, 242, 499, 501, 1000):
        assert unpacked(packed(data, level), size) is None


def test_nothing_is_a_stream_too():
    assert unpacked(packed(b""), 0) == b""
    assert unpacked(b"", 0) is None and unpacked(b"\x78\x9c", 0) is None


def test_cut_short_or_with_words_behind():
    data = content("words", 120)
    for level in (0, 6):
        stream = packed(data, level)
        for size in range(len(stream)):
            assert unpacked(stream[:size], len(data)) is None
        assert unpacked(stream + b"\0", len(data)) is None


def damaged(turn, stream):
    """Turn some bits, then let the checksum fit what zlib makes of it, so that only the damage can be refused."""
    changed = bytearray(stream)
    for _ in range(turn.randrange(1, 4)):
        changed[turn.randrange(2, len(changed) - 4)] ^= 1 << turn.randrange(8)
    raw = zlib.decompressobj(-15)
    try:
        data = raw.decompress(bytes(changed[2:]))
    except zlib.error:
        return bytes(changed), None
    if not raw.eof:
        return bytes(changed), None
    changed[len(changed) - len(raw.unused_data):] = zlib.adler32(data).to_bytes(4, "big")
    return bytes(changed), data


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_damage_is_refused_or_read_as_zlib_reads_it(strategy):
    turn = random.Random(strategy)
    read = 0
    for number in range(24):
        kind = ("few values", "runs", "words")[number % 3]
        stream, data = damaged(turn, packed(content(kind, 200, seed=number), turn.choice([1, 9]), strategy))
        if data is None:
            assert unpacked(stream, 200) is None
        else:
            assert unpacked(stream, len(data)) in (data, None)
            read += unpacked(stream, len(data)) is not None
    assert read > 0


# --- streams that zlib does not write ---------------------------------------------------------

def written(*fields, head=b"\x78\x01", data=b""):
    """Return a zlib stream of bits: each field is (value, bits), the lowest first, or a text of 0 and 1 in order."""
    bits = "".join(field if isinstance(field, str) else format(field[0], "0{}b".format(field[1]))[::-1]
                   for field in fields)
    body = bytes(int(bits[at:at + 8][::-1], 2) for at in range(0, len(bits), 8))
    return head + body + zlib.adler32(data).to_bytes(4, "big")


A = "10010001"                                     # "a" in the fixed code
FIXED, FIXED_END = (3, 3), "0000000"


def test_the_fixed_code():
    assert unpacked(written(FIXED, A, A, FIXED_END, data=b"aa"), 2) == b"aa"
    assert unpacked(written(FIXED, A, "0000001", "00000", FIXED_END, data=b"aaaa"), 4) == b"aaaa"


@pytest.mark.parametrize("what, fields", [
    ("no such kind of block", [(7, 3)]), ("a length that does not exist", [FIXED, A, "11000110", "00000", FIXED_END]),
    ("a distance that does not exist", [FIXED, A, "0000001", "11110", FIXED_END]),
    ("a match from before the beginning", [FIXED, A, "0000001", "00001", FIXED_END]),
    ("a stored block of two lengths", [(1, 3), (0, 5), (1, 16), (1, 16), (97, 8)]),
    ("no end", [FIXED, A, A, A, A, A])])
def test_what_breaks_a_rule(what, fields):
    for data in (b"a", b"aa", b"aaaa"):
        stream = written(*fields, data=data)
        with pytest.raises(zlib.error):
            zlib.decompress(stream)
        for size in (1, 2, 4):
            assert unpacked(stream, size) is None


@pytest.mark.parametrize("head", [b"\x78\x02", b"\x79\x5c", b"\x88\x1c", b"\x78\x20"])
def test_heads_that_are_none(head):
    """A wrong sum, another method, a window too large, a dictionary."""
    assert unpacked(written(FIXED, A, FIXED_END, data=b"a"), 1) == b"a"
    assert unpacked(written(FIXED, A, FIXED_END, head=head, data=b"a"), 1) is None


def test_a_match_from_outside_the_window_that_the_head_names():
    data = content("noise", 600)
    data += data[:300]
    stream = packed(data, 9, window=10)
    assert unpacked(stream, len(data)) == data
    smaller = 0x08
    head = bytes([smaller, 31 - smaller * 256 % 31])
    assert unpacked(head + stream[2:], len(data)) is None


def described(lengths, order=(16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)):
    """Return the fields of a block's head with these code lengths of bytes and of distances (two lists)."""
    symbols, distances = lengths
    # each length by itself: sixteen of them, 0 to 15, with four bits each
    fields = [(5, 3), (len(symbols) - 257, 5), (len(distances) - 1, 5), (15, 4)]
    fields += [(0, 3) if which >= 16 else (4, 3) for which in order]
    return fields + [format(length, "04b") for length in symbols + distances]


def lengths_of(of, count):
    return [of.get(symbol, 0) for symbol in range(count)]


@pytest.mark.parametrize("symbols, distances, codes", [
    ({97: 1, 256: 1}, {0: 0}, ["0", "1"]),                                   # no distance at all
    ({97: 1, 256: 2, 257: 2}, {0: 1}, ["0", "11", "0", "10"]),               # one distance alone: a, 3 of it, end
    ({97: 1, 256: 2, 257: 2}, {0: 1, 1: 1}, ["0", "11", "0", "10"])])
def test_sets_of_codes_that_can_be(symbols, distances, codes):
    fields = described((lengths_of(symbols, 258), lengths_of(distances, 2)))
    data = b"a" * (4 if 257 in symbols else 1)
    stream = written(*fields + codes, data=data)
    assert zlib.decompress(stream) == data and unpacked(stream, len(data)) == data


@pytest.mark.parametrize("symbols, distances", [
    ({97: 1, 98: 1, 256: 1}, {0: 1}), ({97: 2, 256: 2}, {0: 1}), ({97: 1, 256: 1}, {0: 2}),
    ({97: 1, 256: 1}, {0: 1, 1: 1, 2: 1}), ({97: 1, 98: 1}, {0: 1}), ({97: 1, 256: 1}, {0: 2, 1: 2})])
def test_sets_of_codes_that_cannot_be(symbols, distances):
    """Too many codes, too few, no end."""
    stream = written(*described((lengths_of(symbols, 258), lengths_of(distances, 3))) + ["0", "1"], data=b"a")
    with pytest.raises(zlib.error):
        zlib.decompress(stream)
    assert unpacked(stream, 1) is None
