"""Pictures to the bytes of their files: PNG without loss, JPG of full quality.

Encoders, on one core of 2.6 GHz, in ms and, as shares of what stock writes, in size (frames: of an H.264 video,
generated, an upscaled picture with noise; OpenCV 4.1.0 / 5.0.0):

                                          1280x720            3840x2160          size
    PNG, cv2's defaults (stock)           21-25 / 18-21       165-190 / 150-185  1
         compression 1, Z_RLE             37-43 / 33-41                          0.78-0.93
         compression 1, default           42-50 / 37-45                          0.93-1.06
         compression 3, default           75-90 / 56-74                          0.85-1.02
         compression 0                    24-28 / 19-22                          1.9-3.1
         filter Up, Z_RLE (5.0 only)      -     / 15-21                          0.78-1.04
         png.encode                       5-6   / 5-6         46-50 / 47-50      0.72-1.03
    mask cv2's defaults (stock)           1.5   / 1.3         14    / 12         1
         compression 1, Z_RLE             5.1   / 4.5                            0.75
         png.encode                       0.5   / 0.6         5     / 6          0.69-0.83
    JPG  quality 100, 4:2:0, cv2          4.6-6 / 2.4-2.9     51    / 26         0.43-0.45
         quality 100, 4:4:4, cv2          -     / 3.9-5.3     -     / 47         0.59-0.79
         quality 100, 4:4:4, simplejpeg   3.7-5.7 / 3.9-5.3   46    / 47         0.59-0.79

(Levels above 3 of cv2 cost 3 to 80 times stock's time for 2 to 29 % less.) cv2's own defaults leave libpng's choice
of filters out; any option brings it back in 4.1, so that every option there is slower than none. All encoders let
other threads run. At 4:4:4 the picture is 2 to 3 dB nearer to the original (PSNR 50.3 to 51.8) than at 4:2:0.
"""
import cv2
import numpy as np

from .. import compat_images, host
from . import png

PNG, JPG = FORMATS = ("png", "jpg")
JPG_QUALITY = 100
JPG_LONGEST_SIDE = 65500              # px: that is libjpeg's limit, the format's own is 65,535


def encode(image, kind):
    """Return a picture as the bytes of a file. kind: one of FORMATS."""
    return encode_png(image) if kind == PNG else encode_jpeg(image)


def encode_png(image):
    """Return a PNG file (bytes) with exactly these pixels.

    image: uint8 or uint16 (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA. Raises ValueError if it cannot be one.
    The table above decided: what the compiled encoder can do, it does.
    """
    image = image[..., None] if image.ndim == 2 else image
    if image.dtype == np.uint8 and image.shape[2] in (1, 3) and image.size:
        return encode_png_compiled(image)
    return encode_png_opencv(image)


def encode_png_compiled(image):
    """Return a PNG file (bytes) of a uint8 (H, W, 1) or (H, W, 3) BGR picture."""
    return png.encode(image)


def encode_png_opencv(image):
    """Return a PNG file (bytes) of whatever cv2 takes, as stock writes it. Raises ValueError."""
    return _encode_by_opencv(".png", image, [])


def encode_jpeg(image):
    """Return a JPG file (bytes) of quality 100, without chroma subsampling where an encoder can (jpeg_note).

    image: as encode_png. JPG holds 8 bits and no alpha: 16 bits are rounded to 8, alpha is dropped. Grey becomes BGR,
    so that all frames of a video are of one kind. Raises host.UserError for a side of more than 65,500 px, ValueError.
    The table above decided: as fast as each other, and the same bytes; simplejpeg only for an old OpenCV.
    """
    if max(image.shape[:2]) > JPG_LONGEST_SIDE:
        raise host.UserError("A JPG has at most {:,} pixels a side, this frame has {:,} x {:,}. Start again with the "
                             "output format png.".format(JPG_LONGEST_SIDE, image.shape[1], image.shape[0]))
    from .frames import as_bgr8       # with all that merges a frame; folders are checked before
    image = as_bgr8(image)
    if compat_images.opencv_full_chroma() is None and compat_images.simplejpeg_encoder() is not None:
        return encode_jpeg_simplejpeg(image)
    return encode_jpeg_opencv(image)


def encode_jpeg_opencv(image):
    """Return a JPG file (bytes) of a uint8 (H, W, 3) picture: 4:4:4, but 4:2:0 before OpenCV 4.7."""
    options = [int(cv2.IMWRITE_JPEG_QUALITY), JPG_QUALITY] + (compat_images.opencv_full_chroma() or [])
    return _encode_by_opencv(".jpg", image, options)


def encode_jpeg_simplejpeg(image):
    """Return a JPG file (bytes), 4:4:4, of a uint8 (H, W, 3) picture. Raises ValueError."""
    if not image.size:
        raise ValueError("a picture of no pixels cannot be saved")
    return compat_images.simplejpeg_encoder()(np.ascontiguousarray(image), JPG_QUALITY, "BGR", "444", False)


def jpeg_note():
    """Return what a user should know before he chooses JPG (str), None if there is nothing."""
    if compat_images.opencv_full_chroma() is not None or compat_images.simplejpeg_encoder() is not None:
        return None
    return "JPG frames will have half the colour resolution (4:2:0): this OpenCV ({}) writes no other. The Python " \
           "package simplejpeg mends that, so does OpenCV 4.7 or later; png loses nothing.".format(cv2.__version__)


def _encode_by_opencv(suffix, image, options):
    try:
        done, encoded = cv2.imencode(suffix, image, options)
    except cv2.error as error:
        raise ValueError("a picture {} {} cannot be saved as {}: {}".format(
            image.dtype, image.shape, suffix, error)) from error
    if not done:
        raise ValueError("a picture {} {} cannot be saved as {}".format(image.dtype, image.shape, suffix))
    return encoded.tobytes()
