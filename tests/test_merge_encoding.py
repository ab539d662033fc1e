"""Pictures as files: PNG keeps every value, JPG is of full quality and without subsampling where an encoder can."""
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
from accel import compat_images, files, host
from accel.merge import encoding
from kernel_images import psnr, textured
from naive import png as naive_png
from program import PROGRAM


def frame(height=48, width=65):
    return textured(height, width, seed=1, channels=3)


def decode(data):
    return files.decode_image(data)


def sampling(data):
    """Return the sampling factors, e.g. (2, 1), of each component in a JPG's SOF segment."""
    at = 2
    while data[at + 1] not in (0xc0, 0xc1, 0xc2):
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    return [divmod(data[at + 11 + 3 * k], 16) for k in range(data[at + 9])]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(31, 17), (31, 17, 1), (31, 17, 3), (31, 17, 4)])
def test_png_keeps_every_value(dtype, shape):
    """As stock: 16 bits stay 16 bits, alpha stays, grey stays grey."""
    ref = np.random.RandomState(2).randint(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    for data in (encoding.encode_png(ref), encoding.encode_png_opencv(ref)):
        comp = decode(data)
        assert comp.dtype == dtype and np.array_equal(comp, ref[..., 0] if shape[2:] == (1,) else ref)


def test_which_encoder_writes_a_png(monkeypatch):
    monkeypatch.setattr(encoding, "encode_png_opencv", lambda image: b"opencv")
    assert np.array_equal(naive_png.decode(encoding.encode_png(frame(9, 7))), frame(9, 7))
    assert np.array_equal(naive_png.decode(encoding.encode_png(frame(9, 7)[..., 0])), frame(9, 7)[..., :1])
    assert encoding.encode_png(frame(9, 7).astype(np.uint16)) == b"opencv"


def test_jpeg_of_full_quality_without_subsampling():
    ref = cv2.resize(frame(16, 22), (220, 160), interpolation=cv2.INTER_CUBIC)
    ref[40:80] = np.random.RandomState(3).randint(0, 256, (40, 220, 3))       # colours that subsampling destroys
    data = encoding.encode_jpeg(ref)
    assert sampling(data) == [(1, 1)] * 3 and encoding.jpeg_note() is None
    assert psnr(decode(data), ref) > 45
    half = cv2.imencode(".jpg", ref, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    assert sampling(half) == [(2, 2), (1, 1), (1, 1)] and psnr(decode(half), ref) < 30


def test_jpeg_by_each_encoder(monkeypatch):
    """Whichever is there: by OpenCV with its option, by simplejpeg, and by OpenCV without, with a note."""
    ref = cv2.resize(frame(16, 22), (220, 160), interpolation=cv2.INTER_CUBIC)
    taken = []

    def simplejpeg(image, *words):
        taken.append((image.flags.c_contiguous, words))
        return b"simplejpeg"

    monkeypatch.setattr(compat_images, "simplejpeg_encoder", lambda: simplejpeg)
    monkeypatch.setattr(compat_images, "opencv_full_chroma", lambda: None)
    assert encoding.encode_jpeg(np.asfortranarray(ref)) == b"simplejpeg" and encoding.jpeg_note() is None
    assert taken == [(True, (100, "BGR", "444", False))]
    monkeypatch.setattr(compat_images, "simplejpeg_encoder", lambda: None)
    data = encoding.encode_jpeg(ref)
    assert sampling(data) == [(2, 2), (1, 1), (1, 1)] and psnr(decode(data), ref) > 40
    assert "4:2:0" in encoding.jpeg_note() and "simplejpeg" in encoding.jpeg_note()
    monkeypatch.setattr(compat_images, "opencv_full_chroma", lambda: [int(cv2.IMWRITE_JPEG_PROGRESSIVE), 1])
    assert encoding.jpeg_note() is None and b"\xff\xc2" in encoding.encode_jpeg(ref)     # its options reach OpenCV


def test_one_of_the_encoders_of_full_chroma_is_there():
    assert compat_images.opencv_full_chroma() is not None or compat_images.simplejpeg_encoder() is not None
    if compat_images.opencv_full_chroma() is not None:
        assert sampling(encoding.encode_jpeg_opencv(frame())) == [(1, 1)] * 3
    else:
        assert sampling(encoding.encode_jpeg_simplejpeg(frame())) == [(1, 1)] * 3


@pytest.mark.parametrize("text, there", [
    ("def encode_jpeg(): pass", True), ("raise ImportError('no')", False), ("raise OSError('no library')", False),
    ("raise ValueError('numpy.ndarray size changed')", False)])
def test_a_simplejpeg_that_does_not_work_is_none(tmp_path, text, there):
    (tmp_path / "simplejpeg.py").write_text(text)
    code = ("import sys; sys.path[:0] = sys.argv[1:]\n"
            "from accel import compat_images; print(compat_images.simplejpeg_encoder())")
    said = subprocess.check_output([sys.executable, "-c", code, str(tmp_path), PROGRAM])
    assert (said.strip() != b"None") == there


def test_jpeg_of_other_pictures_is_eight_bit_bgr():
    wide = np.random.RandomState(4).randint(0, 65536, (2, 3, 3)).astype(np.uint16).repeat(16, 0).repeat(16, 1)
    ref = np.round(wide / 257.0)
    assert np.abs(decode(encoding.encode_jpeg(wide)) - ref).max() <= 3
    grey = textured(32, 48, seed=5)
    comp = decode(encoding.encode_jpeg(grey))
    assert comp.shape == (32, 48, 3) and np.abs(comp - grey[..., None].astype(int)).max() <= 3
    four = textured(32, 48, seed=6, channels=4)
    assert encoding.encode_jpeg(four) == encoding.encode_jpeg(four[..., :3])


def test_a_picture_too_long_for_jpeg():
    assert decode(encoding.encode_jpeg(np.zeros((1, 65500, 3), np.uint8))).shape == (1, 65500, 3)
    for shape in ((1, 65501, 3), (65501, 1, 3)):
        with pytest.raises(host.UserError, match="65,50[01].*png"):
            encoding.encode_jpeg(np.zeros(shape, np.uint8))
    wide = np.zeros((1, 70000, 1), np.uint8)
    assert np.array_equal(naive_png.decode(encoding.encode_png(wide)), wide)


def test_no_picture():
    for encode in (encoding.encode_png, encoding.encode_jpeg_opencv, encoding.encode_jpeg_simplejpeg):
        with pytest.raises(ValueError, match="cannot be saved"):
            encode(np.zeros((0, 5, 3), np.uint8))
