"""What a merge writes: encoders, file names, whole files, and what must not be where they go.

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
import contextlib
import os
import re
import shutil
import uuid

import cv2
import numpy as np

from .. import compat, files, folder_lock, host
from ..rename_errors import advice, reason
from . import png

PNG, JPG = FORMATS = ("png", "jpg")
JPG_QUALITY = 100
JPG_LONGEST_SIDE = 65500              # px: that is libjpeg's limit, the format's own is 65,535

_LOCK = ".merge_lock"
_STAMP = ".merge_run"                 # says which run or session the frames beside it are of
_PART = ".merge-{}.part"              # a file that is being written
_IS_PART = re.compile(r"\.merge-[0-9a-f]{32}\.part\Z")
_PNG_HEAD, _JPG_HEAD = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_PNG_TAIL, _JPG_TAIL = b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd9"


# --- encoders --------------------------------------------------------------------------------

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
    if compat.opencv_full_chroma() is None and compat.simplejpeg_encoder() is not None:
        return encode_jpeg_simplejpeg(image)
    return encode_jpeg_opencv(image)


def encode_jpeg_opencv(image):
    """Return a JPG file (bytes) of a uint8 (H, W, 3) picture: 4:4:4, but 4:2:0 before OpenCV 4.7."""
    options = [int(cv2.IMWRITE_JPEG_QUALITY), JPG_QUALITY] + (compat.opencv_full_chroma() or [])
    return _encode_by_opencv(".jpg", image, options)


def encode_jpeg_simplejpeg(image):
    """Return a JPG file (bytes), 4:4:4, of a uint8 (H, W, 3) picture. Raises ValueError."""
    if not image.size:
        raise ValueError("a picture of no pixels cannot be saved")
    return compat.simplejpeg_encoder()(np.ascontiguousarray(image), JPG_QUALITY, "BGR", "444", False)


def jpeg_note():
    """Return what a user should know before he chooses JPG (str), None if there is nothing."""
    if compat.opencv_full_chroma() is not None or compat.simplejpeg_encoder() is not None:
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


# --- files -----------------------------------------------------------------------------------

class Output:
    """Where merged frames and their masks go, by the stem of the frame's name. Workers share one.

    With `with`, other merges are kept out of both folders, and what a killed one left is removed first; that raises
    host.UserError. format: one of FORMATS, may be set later; masks are png always.
    """

    def __init__(self, folder, mask_folder, format=PNG):
        self.folder, self.mask_folder, self.format = os.fspath(folder), os.fspath(mask_folder), format
        self._locks = None

    def __enter__(self):
        _refuse_one_folder(self.folder, self.mask_folder)   # here both exist, and the disk tells
        with contextlib.ExitStack() as locks:
            for folder in (self.folder, self.mask_folder):
                locks.callback(_locked(folder))
                _remove_parts(folder)
            self._locks = locks.pop_all()
        return self

    def __exit__(self, *error):
        self._locks.close()

    def image_path(self, stem):
        """Return the path of a merged frame (str)."""
        return os.path.join(self.folder, "{}.{}".format(stem, self.format))

    def mask_path(self, stem):
        """Return the path of a frame's mask (str)."""
        return os.path.join(self.mask_folder, stem + ".png")

    def write(self, stem, image, mask):
        """Write a frame and its mask. Each name is the whole old or the whole new file at any moment.

        image: as encode_png takes it; mask: uint8 (H, W, 1). Both are encoded and on the disk before the first takes
        its name; the frame takes its own last. A frame of that stem in the other format goes. Raises OSError when
        the disk is full or a viewer keeps a file open, and as `encode`; what has no new file then has its old one.
        """
        contents = (self.mask_path(stem), encode_png(mask)), (self.image_path(stem), encode(image, self.format))
        parts = []
        try:
            for path, content in contents:
                parts.append(os.path.join(os.path.dirname(path), _PART.format(uuid.uuid4().hex)))
                _write_synced(parts[-1], content)
            for part, (path, _) in zip(parts, contents):
                files.retry_busy(os.replace, part, path)
        except BaseException:
            for part in parts:
                files.remove_if_there(part)
            raise
        if os.path.isfile(self._twin_path(stem)):
            compat.fsync_directory(self.folder)       # a power cut must not take the new name and leave the removal
            files.retry_busy(os.remove, self._twin_path(stem))

    def is_done(self, stem):
        """Tell whether a frame and its mask are there, whole as far as head and tail show, and no twin is left."""
        return is_whole(self.image_path(stem)) and is_whole(self.mask_path(stem)) and not os.path.isfile(
            self._twin_path(stem))

    def earlier_images(self):
        """Return the paths (list of str) of all images in both folders."""
        return files.image_paths(self.folder) + files.image_paths(self.mask_folder)

    def delete_earlier(self):
        """Delete all images in both folders, for good: after a power cut, none must pass for a new one.

        Raises host.UserError. Stock deletes them, too.
        """
        try:
            self.set_stamp(None)   # first: what is left half-way belongs to nobody
            for path in self.earlier_images():
                files.make_writable(path)
                files.retry_busy(os.remove, path)
            for folder in (self.folder, self.mask_folder):
                compat.fsync_directory(folder)
        except OSError as error:
            raise host.UserError("An earlier image cannot be deleted: {}. {}".format(reason(error), advice(error))) \
                from error

    def stamp(self):
        """Return the name (str) of the run or session that the frames in the folder are of, None if they have none."""
        try:
            return files.read_bytes(os.path.join(self.folder, _STAMP)).decode("ascii", "replace")
        except FileNotFoundError:
            return None

    def set_stamp(self, name):
        """Give the frames in the folder to a run or session (str), or to none (None). Raises OSError."""
        path = os.path.join(self.folder, _STAMP)
        if name is not None:
            files.write_atomic(path, name.encode("ascii"), path + ".part")
            return
        for old in (path, path + ".part"):
            files.remove_if_there(old)

    def space_warning(self, frame_paths):
        """Return words for the user (str) if all frames will hardly fit on the disk, else None.

        The first, middle and last frame are encoded in this format and stand for all; what earlier images take
        counts as free. Frames that cannot be read say nothing.
        """
        sizes = [size for size in map(self._size_of, {frame_paths[0], frame_paths[len(frame_paths) // 2],
                                                      frame_paths[-1]} if frame_paths else ()) if size]
        if not sizes:
            return None
        needed = sum(sizes) // len(sizes) * len(frame_paths)
        try:
            free = shutil.disk_usage(self.folder).free
            if needed > free:
                free += sum(map(os.path.getsize, self.earlier_images()))
        except OSError:
            return None
        if needed <= free:
            return None
        return "The merged frames will take about {:,} MB, and {:,} MB are free in {}. Make room before the disk is " \
               "full{}.".format(needed // 10 ** 6 + 1, free // 10 ** 6, self.folder,
                                ", or choose jpg, which takes about two thirds" if self.format == PNG else "")

    def _size_of(self, frame_path):
        """Return how many bytes a frame and its mask take (int), None if that cannot be told."""
        try:
            frame = files.read_image(frame_path)
            # a mask, whose face takes a tenth of the frame, has one byte in 60 pixels
            return None if frame is None else len(encode(frame, self.format)) + frame.shape[0] * frame.shape[1] // 60
        except (OSError, ValueError, host.UserError):
            return None

    def _twin_path(self, stem):
        """The path of a frame's file in the other format."""
        return os.path.join(self.folder, "{}.{}".format(stem, JPG if self.format == PNG else PNG))


def is_whole(path):
    """Tell whether a file begins and ends as its kind does (png by its name, else jpg). Reads 20 bytes."""
    head, tail = (_PNG_HEAD, _PNG_TAIL) if path.endswith(".png") else (_JPG_HEAD, _JPG_TAIL)
    try:
        with open(path, "rb") as stream:
            if stream.read(len(head)) != head:
                return False
            stream.seek(-len(tail), os.SEEK_END)
            return stream.read() == tail
    except OSError:
        return False


def _write_synced(path, content):
    """Write a new file and see it on the disk, so that no name is ever given to an empty one.

    Syncing costs 0.6 ms a frame of 1280x720 with its mask, 2 to 3 ms of 3840x2160 (virtual disk, ext4, two threads):
    a fiftieth of a frame's time. The folder is not synced: a frame whose name a power cut takes is merged again.
    """
    with open(path, "xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


# --- folders ---------------------------------------------------------------------------------

def check_folders(frames, merged, masks, aligned, models=None):
    """Raise host.UserError if a merge would write among what it reads, or frames and masks into one folder.

    All are paths (str) of folders; they need not exist. Links are followed, and letters compared as the disk does.
    """
    for name, folder in (("output", merged), ("mask", masks)):
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise host.UserError("The {} folder {} is a file. Give another folder.".format(name, folder))
        for other_name, other in (("input", frames), ("aligned", aligned), ("model", models)):
            if other is not None and _is_same(folder, other):
                raise host.UserError(
                    "The {0} folder and the {1} folder are the same: {2}. Earlier images in the {0} folder are "
                    "deleted, so nothing was started. Give another folder with {3}.".format(
                        name, other_name, folder, "--output-dir" if name == "output" else "--output-mask-dir"))
    _refuse_one_folder(merged, masks)


def _refuse_one_folder(merged, masks):
    if _is_same(merged, masks):
        raise host.UserError("Merged frames and masks have the same names and cannot go to one folder, {}. Give "
                             "another folder with --output-mask-dir.".format(masks))


def _is_same(folder, other):
    if os.path.exists(folder) and os.path.exists(other):
        return os.path.samefile(folder, other)
    return os.path.normcase(os.path.realpath(folder)) == os.path.normcase(os.path.realpath(other))


def _locked(folder):
    """Keep other merges out of a folder. Return a function that lets them in again. Raises host.UserError."""
    path = os.path.join(folder, _LOCK)
    try:
        handle = folder_lock.take(path)
    except BlockingIOError as error:
        raise host.UserError("Another merge is writing to {}. Wait until it has ended, then start again."
                             .format(folder)) from error
    except OSError as error:
        raise host.UserError("{} cannot be written to: {}. {}".format(folder, reason(error), advice(error))) from error
    return lambda: compat.close_and_remove(handle, path)


def _remove_parts(folder):
    """Remove what a killed merge had begun to write; nobody else writes here now."""
    with os.scandir(folder) as entries:
        parts = [entry.path for entry in entries if _IS_PART.match(entry.name)]
    for path in parts:
        files.remove_if_there(path)
