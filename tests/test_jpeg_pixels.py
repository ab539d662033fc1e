"""Pixels of JPEGs: whoever decodes them, they are OpenCV's, to the bit, of whole files and of damaged ones."""
import glob
import os
import random
import struct
import sys

import cv2
import pytest
from accel import compat_images, files, jpeg_pixels
from decoded_pictures import assert_same, opencv, picture

TESTS = os.path.dirname(os.path.abspath(__file__))
GOLDEN = sorted(glob.glob(os.path.join(TESTS, "data", "sort", "aligned", "*.jpg")))
FAST = compat_images.fast_jpeg_decoder() is not None
SIZES = [(1, 1), (7, 9), (8, 8), (16, 16), (17, 33), (64, 48), (131, 127)]


def encoded(image, quality=95, *words):
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality] + list(words))[1].tobytes()


def test_the_build_of_deepfacelab_has_it():
    assert FAST == (sys.version_info < (3, 7))
    assert (jpeg_pixels._decoder() is not None) == FAST


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("quality", [1, 30, 75, 95, 100])
def test_what_opencv_writes(size, quality):
    data = encoded(picture(*size), quality)
    assert jpeg_pixels.is_ordinary(data)
    assert_same(data)


def sampled(image, quality, sampling):
    """Encode with a sampling that OpenCV 4.1 cannot choose, a newer one can."""
    if compat_images.opencv_full_chroma() is None:
        return compat_images.simplejpeg_encoder()(image, quality, "BGR", sampling, False)
    return encoded(image, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                   getattr(cv2, "IMWRITE_JPEG_SAMPLING_FACTOR_" + sampling))


@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "411"])
def test_every_sampling(sampling):
    for size in SIZES:
        for quality in (20, 90, 100):
            data = sampled(picture(*size), quality, sampling)
            assert jpeg_pixels.is_ordinary(data) == (sampling in ("444", "422", "420"))
            assert_same(data)


@pytest.mark.parametrize("path", GOLDEN[:12], ids=os.path.basename)
def test_golden_faces(path):
    with open(path, "rb") as file:
        data = file.read()
    assert jpeg_pixels.is_ordinary(data)
    assert_same(data)


def test_what_is_not_ordinary():
    image = picture(40, 50)
    ordinary = encoded(image)
    frame = ordinary.index(b"\xff\xc0")
    adobe = b"\xff\xee\x00\x0eAdobe" + struct.pack(">HHHB", 100, 0, 0, 0)
    others = {
        "progressive": encoded(image, 95, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "grey": encoded(image[..., 0]), "png": cv2.imencode(".png", image)[1].tobytes(),
        "adobe's colours": ordinary[:20] + adobe + ordinary[20:], "no JFIF": ordinary[:2] + ordinary[20:],
        "no height": ordinary[:frame + 5] + b"\0\0" + ordinary[frame + 7:],
        "12 bits": ordinary[:frame + 4] + b"\x0c" + ordinary[frame + 5:],
        "components of other names": ordinary[:frame + 10] + b"R" + ordinary[frame + 11:],
        "only a head": ordinary[:frame + 6], "nothing": b"", "a start": ordinary[:3]}
    for title, data in others.items():
        assert not jpeg_pixels.is_ordinary(data), title
        if data:
            assert_same(data)


def test_sizes_that_opencv_refuses():
    ordinary = encoded(picture(40, 50))
    frame = ordinary.index(b"\xff\xc0")
    huge = ordinary[:frame + 5] + b"\xff\xff\xff\xff" + ordinary[frame + 9:]
    assert not jpeg_pixels.is_ordinary(huge)


def test_damaged_files():
    """Cut short, with bits turned in the picture and in the head: what OpenCV makes of them, or None as it says."""
    turn = random.Random(4)
    for number in range(300):
        data = bytearray(encoded(picture(*turn.choice(SIZES[1:]), seed=number), turn.choice([50, 95])))
        kind = number % 4
        if kind == 0:
            del data[turn.randrange(4, len(data)):]
        elif kind == 1:
            del data[-turn.randrange(1, 60):]
        else:
            for _ in range(turn.randrange(1, 4)):
                data[turn.randrange(2 if kind == 2 else len(data) // 2, len(data))] ^= 1 << turn.randrange(8)
        frame = data.find(b"\xff\xc0")
        if frame > 0 and len(data) > frame + 9 and (data[frame + 5] > 1 or data[frame + 7] > 1):
            continue                                    # a size that takes seconds
        assert_same(bytes(data))


def test_other_flags_are_opencvs():
    data = encoded(picture(30, 40))
    assert files.decode_image(data, cv2.IMREAD_GRAYSCALE).shape == (30, 40)


def test_without_the_other_decoder(monkeypatch):
    jpeg_pixels._decoder.cache_clear()
    monkeypatch.setattr(compat_images, "fast_jpeg_decoder", lambda: None)
    try:
        data = encoded(picture(30, 40))
        assert jpeg_pixels.decode(data) is None
        assert_same(data)
    finally:
        jpeg_pixels._decoder.cache_clear()


def test_a_decoder_of_other_numbers_is_not_used(monkeypatch):
    jpeg_pixels._decoder.cache_clear()
    monkeypatch.setattr(compat_images, "fast_jpeg_decoder", lambda: lambda data, colours: opencv(data) ^ 1)
    monkeypatch.setattr(compat_images, "simplejpeg_encoder", lambda: lambda image, quality, *words: encoded(image,
                                                                                                            quality))
    try:
        assert jpeg_pixels._decoder() is None
    finally:
        jpeg_pixels._decoder.cache_clear()
