"""What reads, writes and draws images besides OpenCV, and what OpenCV can do by itself: compat's other half."""
import functools


def pillow():
    """Return Pillow's modules (Image, ImageDraw, ImageFont), or None without it."""
    try:
        from PIL import Image, ImageDraw, ImageFont   # part of DeepFaceLab's build, an extra elsewhere
    except ImportError:
        return None
    return Image, ImageDraw, ImageFont


def opencv_converts_hsv_slowly():
    """Tell whether cv2.cvtColor to HSV is scalar code: 4.1 takes 0.55 ms for 320 px, 5.0 takes 0.05 ms."""
    import cv2
    return int(cv2.__version__.split(".")[0]) < 5


def opencv_full_chroma():
    """Return the options with which cv2.imencode writes a JPEG without chroma subsampling, None before OpenCV 4.7."""
    import cv2
    if hasattr(cv2, "IMWRITE_JPEG_SAMPLING_FACTOR"):
        return [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return None


@functools.lru_cache(maxsize=None)
def _simplejpeg():
    """Return the module, there for the OpenCV 4.1 of Python 3.6, or None without one that works."""
    try:
        import simplejpeg
    except (ImportError, OSError, ValueError, RuntimeError):    # ValueError: built for another numpy
        return None
    return simplejpeg


def simplejpeg_encoder():
    """Return simplejpeg.encode_jpeg, or None without a simplejpeg that works."""
    return getattr(_simplejpeg(), "encode_jpeg", None)


@functools.lru_cache(maxsize=None)
def fast_jpeg_decoder():
    """Return simplejpeg.decode_jpeg where OpenCV's own is slow: 4.1 takes 2.0 ms for 320 px, that 1.1 ms; else None."""
    import cv2
    return getattr(_simplejpeg(), "decode_jpeg", None) if cv2.__version__.startswith("4.1.") else None
