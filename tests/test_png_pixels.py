"""Pixels of PNGs: whoever decodes them, they are OpenCV's, of whole files, of damaged ones and of unusual ones."""
import glob
import os
import random
import struct
import subprocess
import sys
import threading
import zlib

import clips
import cv2
import numpy as np
import psutil
import pytest
from accel import files, png_pixels
from accel.merge import png
from decoded_pictures import assert_same, opencv, picture
from program import PROGRAM

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIZES = [(1, 1), (1, 40), (40, 1), (7, 9), (64, 48), (131, 127)]


@pytest.fixture(autouse=True)
def loaded(monkeypatch):
    """The kernels are there from the first picture on."""
    kernels = png_pixels._Kernels()
    assert kernels.get(png_pixels._PATIENCE + 1) != (None, None)
    monkeypatch.setattr(png_pixels, "_kernels", kernels)


def assert_ours(data):
    assert png_pixels.decode(data) is not None
    assert_same(data)


def assert_opencvs(data):
    assert png_pixels.decode(data) is None
    if data:
        assert_same(data)


def chunk(name, content=b""):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def made(height=5, width=4, rows=None, bits=8, kind=2, before=(), pieces=1, stream=None, after=(), end=chunk(b"IEND"),
         compression=0, filters=0, interlace=0):
    """Return a PNG file (bytes). before, after: chunks round the pixels; pieces: how many IDATs."""
    if rows is None:
        chance = np.random.RandomState(height * width)
        rows = b"".join(bytes([y % 5]) + chance.randint(0, 256, 3 * width).astype(np.uint8).tobytes()
                        for y in range(height))
    if stream is None:
        stream = zlib.compress(rows)
    size = -(-len(stream) // pieces)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, compression, filters, interlace)
    return b"".join([SIGNATURE, chunk(b"IHDR", header)] + list(before) + [
        chunk(b"IDAT", stream[at:at + size]) for at in range(0, len(stream), size)] + list(after) + [end])


@pytest.mark.parametrize("size", SIZES)
def test_what_opencv_writes(size):
    for strategy in range(5):
        assert_ours(cv2.imencode(".png", picture(*size), [cv2.IMWRITE_PNG_STRATEGY, strategy])[1].tobytes())
    assert_ours(cv2.imencode(".png", picture(*size), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())


@pytest.mark.parametrize("size", SIZES)
def test_what_we_write(size):
    assert_ours(png.encode(picture(*size)))


@pytest.mark.parametrize("found", clips.ffmpegs(), ids=clips.called)
@pytest.mark.parametrize("filters", ["none", "sub", "up", "avg", "paeth", "mixed"])
def test_what_ffmpeg_writes(tmp_path, found, filters):
    for number, size in enumerate(((48, 64), (131, 127))):
        source, target = str(tmp_path / "source.png"), str(tmp_path / "{}.png".format(number))
        cv2.imwrite(source, picture(*size))
        clips.run([found.ffmpeg, "-v", "error", "-i", source, "-pred", filters, target])
        assert_ours(files.read_bytes(target))


def test_frames_of_a_video(tmp_path):
    """With the tags of their colours, which newer ffmpegs write into them."""
    found = clips.bundled()
    clips.encode(found, tmp_path / "video.mp4", clips.frames(2), colour=("bt709", "bt709", "bt709"))
    clips.run([found.ffmpeg, "-v", "error", "-i", str(tmp_path / "video.mp4"), str(tmp_path / "%d.png")])
    names = sorted(glob.glob(str(tmp_path / "*.png")))
    assert len(names) == 2
    for name in names:
        assert_ours(files.read_bytes(name))


@pytest.mark.parametrize("pieces", [1, 2, 3, 50])
def test_rows_in_pieces(pieces):
    assert_ours(made(20, 30, pieces=pieces))


def test_tags_that_change_no_pixel():
    assert_ours(made(before=[
        chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", struct.pack(">8I", *range(10000, 90000, 10000))),
        chunk(b"sRGB", b"\0"), chunk(b"cICP", b"\1\1\0\1"), chunk(b"pHYs", struct.pack(">IIB", 1, 1, 0)),
        chunk(b"tEXt", b"Software\0words"), chunk(b"tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5))]))


@pytest.mark.parametrize("suffix, image", [
    (".png", picture(20, 30, channels=1)), (".png", picture(20, 30, channels=4)),
    (".png", picture(20, 30).astype(np.uint16) * 257), (".jpg", picture(20, 30)), (".bmp", picture(20, 30))])
def test_other_kinds(suffix, image):
    assert_opencvs(cv2.imencode(suffix, image)[1].tobytes())


def test_other_flags():
    data = made()
    assert png_pixels.decode(data, cv2.IMREAD_GRAYSCALE) is None
    assert np.array_equal(files.decode_image(data, cv2.IMREAD_GRAYSCALE), opencv(data, cv2.IMREAD_GRAYSCALE))


def test_what_is_not_ordinary():
    rows = b"".join(bytes([0] + [7, 8, 9] * 4) for _ in range(5))
    palette = chunk(b"PLTE", bytes(range(30)))
    ordinary = made()
    others = {
        "a transparent colour": made(rows=rows, before=[chunk(b"tRNS", b"\0\7\0\x08\0\x09")]),
        "a palette": made(rows=b"\0\1\2\3\4" * 5, kind=3, before=[palette]),
        "a palette to choose from": made(before=[palette]), "two bits": made(rows=b"\0\1" * 5, bits=2, kind=0),
        "interlaced": made(1, 1, rows=b"\0\1\2\3", interlace=1), "another compression": made(compression=1),
        "other filters": made(filters=1), "no pixels": made(0, 4, stream=b"12345678"),
        "text behind the pixels": made(after=[chunk(b"tEXt", b"Software\0words")]),
        "frames that move": made(before=[chunk(b"acTL", struct.pack(">II", 1, 0))]),
        "a turn": made(before=[chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0")]),
        "a chunk that must be known": made(before=[chunk(b"ABCD")]),
        "a short head": SIGNATURE + chunk(b"IHDR", b"\0" * 9),
        "two heads": ordinary[:33] + ordinary[8:33] + ordinary[33:], "pixels first": SIGNATURE + ordinary[33:],
        "no rows": SIGNATURE + ordinary[8:33] + chunk(b"IEND"), "a filter that does not exist": made(rows=b"\7" * 65),
        "an end that is none": made(end=chunk(b"IEND", b"1")), "no end": made(end=b""),
        "a row too few": made(6, 4, rows=rows), "a row too many": made(4, 4, rows=rows),
        "words behind the rows": made(stream=zlib.compress(rows) + b"words"),
        "a wrong sum of the rows": made(stream=zlib.compress(rows)[:-1] + b"?"),
        "a stream cut short": made(stream=zlib.compress(rows)[:-6]), "no stream": made(stream=b"abcdefgh"),
        "only a signature": SIGNATURE, "a start": SIGNATURE[:5], "nothing": b""}
    for title, data in others.items():
        assert png_pixels.decode(data) is None, title
        if data:
            assert_same(data)
    wrong = bytearray(ordinary)
    wrong[-16] ^= 1                                     # the checksum of the pixels
    assert_opencvs(bytes(wrong))


@pytest.mark.parametrize("height, width", [(1 << 16, 1), (1, 1 << 16), (1 << 15, 1 << 15)])
def test_sizes_that_opencv_may_refuse(height, width):
    assert png_pixels.decode(made(height, width, rows=b"")) is None


def test_damaged_files():
    """Cut short, with bits turned, with and without checksums that fit again: what OpenCV makes of them."""
    turn = random.Random(4)
    for number in range(400):
        data = bytearray(made(*turn.choice(SIZES[1:5])))
        kind = number % 4
        if kind == 0:
            del data[turn.randrange(1, len(data)):]
        elif kind == 1:
            data[turn.randrange(33, len(data))] ^= 1 << turn.randrange(8)
        else:
            start, end = data.index(b"IDAT") + 4, data.index(b"IEND") - 8
            for _ in range(turn.randrange(1, 3)):
                data[turn.randrange(start, end)] ^= 1 << turn.randrange(8)
            if kind == 3:                               # a good sum of whatever rows come out
                with_sum = zlib.decompressobj(-15)
                try:
                    rows = with_sum.decompress(bytes(data[start + 2:end - 4]))
                    data[end - 4:end] = struct.pack(">I", zlib.adler32(rows))
                except zlib.error:
                    pass
            data[end:end + 4] = struct.pack(">I", zlib.crc32(bytes(data[start - 4:end])))
        assert_same(bytes(data))


def test_a_little_file_of_endless_rows():
    """No more is unpacked than the picture has."""
    before = psutil.Process().memory_info().rss
    assert_opencvs(made(stream=zlib.compress(bytes(3 * 10 ** 8))))
    assert psutil.Process().memory_info().rss - before < 10 ** 8


# --- when the kernels are there ---------------------------------------------------------------

def test_opencv_decodes_until_numba_pays():
    """In a process without numba: the first pictures are OpenCV's, and none is lost; with it, all are ours at once."""
    code = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        import cv2, numpy
        from accel import files, png_pixels
        data = cv2.imencode(".png", numpy.zeros((10, 10, 3), numpy.uint8))[1].tobytes()
        png_pixels._PATIENCE = 250
        ours = [png_pixels.decode(data) is not None for _ in range(2)]
        assert "numba" not in sys.modules
        ours += [png_pixels.decode(data) is not None for _ in range(2)]
        assert files.decode_image(data).shape == (10, 10, 3)
        png_pixels._kernels = png_pixels._Kernels()
        print(ours + [png_pixels.decode(data) is not None])
    """
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    out = subprocess.check_output([sys.executable, "-c", code, PROGRAM], env=environment)
    assert out.decode().strip() == "[False, False, True, True, True]"


def test_nobody_waits_for_the_kernels(monkeypatch):
    data, begun, go_on = made(), threading.Event(), threading.Event()
    load = png_pixels._load

    def slowly():
        begun.set()
        assert go_on.wait(30)
        return load()
    monkeypatch.setattr(png_pixels, "_load", slowly)
    monkeypatch.setattr(png_pixels, "_kernels", png_pixels._Kernels())
    thread = threading.Thread(target=png_pixels.decode, args=(data,))
    thread.start()
    assert begun.wait(30)
    assert png_pixels.decode(data) is None
    go_on.set()
    thread.join(30)
    assert png_pixels.decode(data) is not None


@pytest.mark.parametrize("problem", [None, ImportError("no numba")])
def test_without_kernels(monkeypatch, problem):
    """Not compiled, they would be slower than OpenCV; without numba there are none."""
    import numba
    if problem is None:
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    else:
        monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(png_pixels, "_kernels", png_pixels._Kernels())
    for _ in range(2):
        assert png_pixels.decode(made()) is None
    assert_same(made())
