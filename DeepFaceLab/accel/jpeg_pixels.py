"""The pixels of ordinary JPEGs, in half the time of an old OpenCV.

The OpenCV 4.1 of DeepFaceLab's build decodes by plain C code. Where simplejpeg is there (the installer adds it), its
libjpeg-turbo computes the same numbers by the processor's vector units: baseline DCT, fancy upsampling, the same
rounding. That holds for the kinds of JPEG named here, which are what DeepFaceLab and cameras write; everything else,
and whatever simplejpeg warns about, is left to OpenCV. (Of 66,000 files with turned bits that it did not warn about,
one had other pixels: numbers that no encoder writes do not fit into the 16 bits of the vector units.) JPEG is ITU-T
T.81, annex B.
"""
import functools

from . import compat_images

_SOI_APP0 = b"\xff\xd8\xff\xe0"     # JFIF, so that three components are Y, Cb and Cr
_SOF0 = 0xc0                        # baseline
# APPn but for Adobe's, which may say other colours, and DQT, DHT, DRI, COM.
_PLAIN_SEGMENTS = (frozenset(range(0xe0, 0xf0)) - {0xee}) | {0xdb, 0xc4, 0xdd, 0xfe}
_MOST_SEGMENTS = 64
_SAMPLINGS = (0x11, 0x21, 0x22)     # of Y: 4:4:4, 4:2:2, 4:2:0; newer libraries smooth 4:4:0 where older ones do not
# cv2.IMREAD_UNCHANGED, and IMREAD_COLOR with IMREAD_IGNORE_ORIENTATION; without that, EXIF may turn the picture.
_FLAGS = (-1, 129)
_MOST_PIXELS = 1 << 28              # of larger ones OpenCV refuses some


def decode(data, flags=-1):
    """Return what cv2.imdecode gives for a JPEG file (bytes): uint8 (H, W, 3) BGR.

    None where this is OpenCV's to do.
    """
    if flags not in _FLAGS or not is_ordinary(data):
        return None
    decoder = _decoder()
    if decoder is None:
        return None
    try:
        return decoder(data, "BGR")
    except (ValueError, MemoryError):       # damaged, or a warning: OpenCV says what is left of it
        return None


@functools.lru_cache(maxsize=None)
def _decoder():
    """Return the faster decoder if there is one that gives what this OpenCV gives, else None.

    Forks of DeepFaceLab may have an OpenCV built with another library, so one small picture of each kind is compared.
    """
    decoder = compat_images.fast_jpeg_decoder()
    if decoder is None:
        return None
    import cv2
    import numpy as np
    picture = np.random.RandomState(0).randint(0, 256, (35, 37, 3)).astype(np.uint8)
    for sampling in ("444", "422", "420"):
        data = compat_images.simplejpeg_encoder()(picture, 90, "BGR", sampling, False)
        if not np.array_equal(decoder(data, "BGR"), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)):
            return None
    return decoder


def is_ordinary(data):
    """Tell whether bytes are a JFIF file of 8-bit baseline colour in 4:4:4, 4:2:2 or 4:2:0."""
    if data[:4] != _SOI_APP0:
        return False
    at = 2
    try:
        for _ in range(_MOST_SEGMENTS):
            if data[at] != 0xff:
                return False
            if data[at + 1] == _SOF0:
                return _is_ordinary_frame(data[at + 2:at + 19])
            if data[at + 1] not in _PLAIN_SEGMENTS:
                return False
            at += 2 + (data[at + 2] << 8 | data[at + 3])
    except IndexError:
        pass
    return False


def _is_ordinary_frame(header):
    """Tell it of a frame header: length, bits, height, width, count; number, sampling and table of each component."""
    height, width = header[3] << 8 | header[4], header[5] << 8 | header[6]
    return (header[:3] == b"\x00\x11\x08" and 0 < height * width <= _MOST_PIXELS and header[7:9] == b"\x03\x01"
            and header[9] in _SAMPLINGS and header[11:13] == b"\x02\x11" and header[14:16] == b"\x03\x11")
