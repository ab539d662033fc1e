"""Which files are the frames, and what is seen of them without decoding."""
import os
import random

import clips
import cv2
import numpy as np
import pytest
from accel.video import frames
from hypothesis import given, strategies


@pytest.mark.parametrize("word, kind", [("png", "png"), (".PNG", "png"), ("jpg", "jpg"), (".jpeg", "jpg"),
                                        ("a.b.JPEG", "jpg"), ("tif", "tif"), (".TIFF", "tif"), ("bmp", "bmp")])
def test_kind_of(word, kind):
    assert frames.kind_of(word) == kind


@pytest.mark.parametrize("names", [
    ["00001.png", "00002.png", "00010.png"], ["1.png", "2.png", "10.png"], ["99999.png", "100000.png"],
    ["a1.png", "a2.png", "b1.png"], ["1.png", "01.png", "2.png"][1:], ["frame.png", "frame1.png", "frame 2.png"][:2],
    ["2_1.png", "2_10.png", "10_1.png"], ["кадр 2.png", "кадр 10.png"]])
def test_natural_order(names):
    shuffled = list(names)
    random.Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=frames.natural_key) == names


@given(strategies.lists(strategies.text(), max_size=8))
def test_natural_order_is_total(names):
    assert sorted(sorted(names, reverse=True), key=frames.natural_key) == sorted(names, key=frames.natural_key)


@given(strategies.lists(strategies.integers(0, 10 ** 7), unique=True))
def test_natural_order_of_numbers_is_theirs(numbers):
    names = ["{}.png".format(number) for number in numbers]
    assert sorted(names, key=frames.natural_key) == ["{}.png".format(number) for number in sorted(numbers)]


@given(strategies.sets(strategies.integers(0, 60)))
def test_gaps_are_the_numbers_that_are_not_there(numbers):
    missing = set()
    for first, last in frames.gaps("{:05d}.png".format(number) for number in numbers):
        assert first <= last
        missing |= set(range(first, last + 1))
    inside = set(range(min(numbers), max(numbers) + 1)) if numbers else set()
    assert missing == inside - numbers


def test_gaps_count_each_beginning_apart():
    assert frames.gaps(["a_1.png", "a_3.png", "b_1.png", "b_2.png", "cover.png"]) == [(2, 2)]


def test_listing(tmp_path):
    for name in ("2.png", "10.png", "1.JPG", "3.jpeg", "4.jpg", "x.txt", "5.tif"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "6.png").mkdir()
    (tmp_path / "._7.png").write_bytes(b"what macOS leaves on other disks")

    def found(wanted=None):
        listed = frames.listing(str(tmp_path), wanted)
        return [os.path.basename(path) for path in listed.paths], listed.kind, dict(listed.others)
    assert found() == (["1.JPG", "3.jpeg", "4.jpg"], "jpg", {"png": 2, "tif": 1})
    assert found("png") == (["2.png", "10.png"], "png", {"jpg": 3, "tif": 1})
    assert found("bmp")[1] == "jpg"
    assert frames.listing(str(tmp_path / "6.png")) == ([], "png", {})


# --- heads and ends --------------------------------------------------------------------------

def looked(path):
    return frames._look(str(path))


@pytest.mark.parametrize("suffix, options", [
    (".png", []), (".jpg", []), (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]),
    (".png", [cv2.IMWRITE_PNG_COMPRESSION, 0])])
@pytest.mark.parametrize("size", [(1, 1), (33, 20), (700, 300)])
def test_size_and_end(tmp_path, suffix, options, size):
    path = tmp_path / ("x" + suffix)
    rng = np.random.RandomState(1)
    for image in (rng.randint(0, 256, size[::-1] + (3,)).astype(np.uint8), np.zeros(size[::-1], np.uint8)):
        cv2.imwrite(str(path), image, options)
        whole = path.read_bytes()
        assert looked(path) == (size, None)
        path.write_bytes(whole + b"what some cameras add" * 1000)
        assert looked(path) == (size, None)
        for cut in (len(whole) - 3, len(whole) // 2, 40, 9, 3):
            path.write_bytes(whole[:cut])
            assert looked(path)[1] is not None, cut


def test_heads_full_of_metadata(tmp_path):
    """A face or a camera has segments of any length before the size, thumbnails with sizes of their own too."""
    path = tmp_path / "x.jpg"
    cv2.imwrite(str(path), np.zeros((30, 50, 3), np.uint8))
    whole = path.read_bytes()
    for length in (2, 100, 4080, 4085, 4090, 65535):
        inner = (b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x01\x00\x01" * 6000)[:length - 2]
        segment = b"\xff\xef" + bytes([length >> 8, length & 255]) + inner
        for times in (1, 3):
            path.write_bytes(whole[:2] + segment * times + b"\xff" * 3 + whole[2:])
            assert looked(path) == ((50, 30), None)


def test_what_is_no_picture(tmp_path):
    for content, words in ((b"", "0 bytes"), (b"x", "neither PNG nor JPG"), (b"GIF89a" * 99, "neither PNG nor JPG"),
                           (b"\xff\xd8\xff\xd9", "no picture in it"),
                           (b"\xff\xd8\xff\xda\x00\x08" + b"\0" * 99 + b"\xff\xd9", "no picture in it")):
        (tmp_path / "x.png").write_bytes(content)
        assert looked(tmp_path / "x.png") == (None, words)


@pytest.fixture(scope="module")
def one_path(tmp_path_factory):
    return str(tmp_path_factory.mktemp("heads") / "x.jpg")


@given(tail=strategies.binary(max_size=300))
def test_hostile_heads_end(one_path, tail):
    with open(one_path, "wb") as file:
        file.write(b"\xff\xd8\xff" + tail)
    size, words = frames._look(one_path)
    assert words is not None or size is not None


def test_a_damaged_png_is_seen_by_its_checksums(tmp_path, monkeypatch):
    paths = clips.write_frames(tmp_path, 6)
    for name, place in (("00002.png", 20), ("00003.png", 60), ("00005.png", 45)):
        data = bytearray((tmp_path / name).read_bytes())
        data[place] ^= 1
        (tmp_path / name).write_bytes(bytes(data))
    data = (tmp_path / "00006.png").read_bytes()
    (tmp_path / "00006.png").write_bytes(data + b"more behind the end")
    broken = [("00002.png", "damaged"), ("00003.png", "damaged"), ("00005.png", "damaged")]
    assert frames.check(paths).broken == broken
    monkeypatch.setattr(frames, "_READ_THROUGH_BYTES", sum(map(os.path.getsize, paths)) // 2)
    assert frames.check(paths).broken == []       # too many to be read through


@pytest.mark.parametrize("dtype, shape", [(np.uint8, (20, 33, 3)), (np.uint16, (20, 33)), (np.uint8, (1, 1))])
def test_size_of_a_tif(tmp_path, dtype, shape):
    cv2.imwrite(str(tmp_path / "x.tif"), np.zeros(shape, dtype))
    assert looked(tmp_path / "x.tif") == ((shape[1], shape[0]), None)
    (tmp_path / "x.tif").write_bytes(b"II*\0 no tif at all")
    assert looked(tmp_path / "x.tif")[1] == "no picture in it"


def test_a_bar_follows_the_check(tmp_path):
    moved = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            moved.append("end")

        def update(self, step):
            moved.append(step)
    frames.check(clips.write_frames(tmp_path, 4), lambda total: moved.append(total) or Bar())
    assert moved == [4, 1, 1, 1, 1, "end"]


def test_check_of_a_folder(tmp_path):
    paths = clips.write_frames(tmp_path, 12)
    clips.write_frames(tmp_path, 1, 30, 20, first=3)
    open(paths[5], "wb").close()
    os.remove(paths[7])
    paths.append(str(tmp_path / "00099.png"))
    about = frames.check(paths)
    assert about.size == (96, 64)
    assert about.resized == [("00003.png", (30, 20))]
    assert [name for name, _ in about.broken] == ["00006.png", "00008.png", "00099.png"]
    assert about.broken[0][1] == "0 bytes" and "No such file" in about.broken[1][1]
    assert about.gaps == [(13, 98)]


def test_a_folder_of_broken_frames(tmp_path):
    for number in range(3):
        (tmp_path / "{}.png".format(number)).write_bytes(b"")
    about = frames.check(frames.listing(str(tmp_path)).paths)
    assert about.size is None and len(about.broken) == 3
