"""Pixels of encoded pictures: whoever decodes them, they are OpenCV's."""
import cv2
import numpy as np
from accel import files

AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
FLAGS = (cv2.IMREAD_UNCHANGED, cv2.IMREAD_COLOR, AS_STORED)


def picture(height, width, seed=0, channels=3):
    """Noise, a smooth ground and hard edges beside each other: uint8 (height, width, channels)."""
    noise = np.random.RandomState(seed).randint(0, 256, (height, width, channels)).astype(np.uint8)
    smooth = cv2.resize(noise[:4, :4], (width, height), interpolation=cv2.INTER_CUBIC).reshape(noise.shape)
    return np.where(np.arange(width)[None, :, None] % 16 < 8, noise, smooth)


def opencv(data, flags=cv2.IMREAD_UNCHANGED):
    """Return what OpenCV makes of a file (bytes): an array, or None where it refuses, by whichever way."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None


def assert_same(data):
    """Of this file (bytes) we read what OpenCV reads, of its own and writeable, for all flags that steps use."""
    for flags in FLAGS:
        expected, found = opencv(data, flags), files.decode_image(data, flags)
        assert (found is None) == (expected is None)
        if expected is not None:
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            assert np.array_equal(found, expected)
            assert found.flags.c_contiguous and found.flags.writeable
