"""The pixels of ordinary PNGs, one and a half to two times as fast as OpenCV decodes them.

Kernels of ours unpack the rows (inflate) and turn them into pixels (png_rows). That holds for what ffmpeg and OpenCV
write for frames: 8-bit colour without transparency, not interlaced. All else, and whatever is damaged, is left to
OpenCV. PNG: W3C Recommendation, second edition.
"""
import struct
import sys
import threading
import zlib

from . import compat

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN = (8, 2, 0, 0, 0)            # bits, RGB, and the one way there is to compress, to filter, not to interlace
_LONGEST_SIDE = 1 << 16             # px; OpenCV refuses some larger ones
_MOST_PIXELS = 1 << 28
# What may stand before the pixels and does not change them; a tRNS, for one, would.
_HARMLESS = (b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"tIME", b"tEXt")
# cv2.IMREAD_UNCHANGED, IMREAD_COLOR, and that with IMREAD_IGNORE_ORIENTATION: of ordinary PNGs they make the same.
_FLAGS = (-1, 1, 129)
_PATIENCE = 100 << 20               # pixels: what is saved of these is about what loading numba costs, 0.7 s


def decode(data, flags=-1):
    """Return what cv2.imdecode gives for a PNG file (bytes): uint8 (H, W, 3) BGR.

    None where this is OpenCV's to do, as it is for the first pictures: numba is loaded only where that pays.
    """
    if flags not in _FLAGS or data[:8] != _SIGNATURE:
        return None
    found = _parts(data)
    if found is None:
        return None
    (height, width), pieces = found
    inflate, png_rows = _kernels.get(height * width)
    rows = None if inflate is None else inflate.unpack(pieces, height * (1 + 3 * width))
    return None if rows is None else png_rows.as_picture(rows, height, width)


def _parts(data):
    """Return ((height, width), compressed rows in pieces) of an ordinary PNG file that is whole, else None."""
    size, pieces, at, name = None, [], len(_SIGNATURE), None
    view = memoryview(data)
    while name != b"IEND":
        if len(data) < at + 12:
            return None
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or (name == b"IHDR") != (size is None):
            return None
        if name in (b"IHDR", b"IDAT", b"IEND"):
            if zlib.crc32(view[at + 4:end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
                return None
            if name == b"IHDR":
                size = _size(data[at + 8:end - 4])
                if size is None:
                    return None
            elif name == b"IDAT":
                pieces.append(view[at + 8:end - 4])
            elif length or not pieces:
                return None
        elif name not in _HARMLESS or pieces:
            return None
        at = end
    return size, pieces


def _size(header):
    """Return (height, width) as the content of IHDR (bytes) tells it, None if the picture is not ordinary."""
    if len(header) != 13:
        return None
    width, height = struct.unpack_from(">II", header)
    ordinary = (tuple(header[8:]) == _PLAIN and 0 < height < _LONGEST_SIDE and 0 < width < _LONGEST_SIDE
                and height * width <= _MOST_PIXELS)
    return (height, width) if ordinary else None


class _Kernels:
    """The modules with kernels, loaded when numba is there already, or when OpenCV has decoded for as long as that."""

    def __init__(self):
        self._modules, self._waited, self._loading = None, 0, threading.Lock()

    def get(self, pixels):
        """Return the modules (inflate, png_rows), (None, None) as long as there are none. pixels: to be decoded."""
        if self._modules is None and self._loading.acquire(False):      # others do not wait: they have OpenCV
            try:
                self._waited += pixels
                if "numba" in sys.modules or self._waited > _PATIENCE:
                    self._modules = _load()
            finally:
                self._loading.release()
        return self._modules or (None, None)


def _load():
    """Return the modules, compiled; (None, None) without a compiler."""
    if not compat.has_compiler():
        return None, None
    from . import inflate, png_rows
    png_rows.as_picture(inflate.unpack([zlib.compress(b"\0\1\2\3")], 4), 1, 1)
    return inflate, png_rows


_kernels = _Kernels()
