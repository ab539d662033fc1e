"""Files as users have them: any name, any letter, and a write that is whole or did not happen."""
import os
import time
import uuid

from . import compat, jpeg_pixels, png_pixels

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

# Seconds between tries on a file that another program (a viewer, a virus scanner) holds open.
_BUSY_WAITS = (0.05, 0.1, 0.2, 0.3, 0.4)


def image_paths(folder):
    """Return the paths (list of str) of the images directly in `folder`, sorted by path.

    An image is a file whose name ends in .jpg, .jpeg, .png, .tif or .tiff, in any case; a folder of
    such a name is none. A missing folder has no images. Raises OSError if it cannot be listed.
    Answers to stock's core.pathex.get_image_paths.
    """
    try:
        entries = os.scandir(os.fspath(folder))
    except FileNotFoundError:
        return []
    with entries:
        return sorted(entry.path for entry in entries if is_image_name(entry.name) and entry.is_file())


def is_image_name(name):
    """Tell whether a file of this name is taken for an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def read_bytes(path):
    """Return the whole content of a file (bytes). Raises OSError."""
    with open(path, "rb") as stream:
        return stream.read()


def write_atomic(path, data, temp_path=None):
    """Write `data` (bytes) to `path` so that the file is always the whole old or the whole new one.

    The bytes go to a new file in the same folder, reach the disk, and take the name in one step. A
    link is followed; permission bits of the old file are kept. On any error (OSError: full disk,
    no permission, a file that stays open in another program) the old file is as it was and the new
    one is gone; only if the disk fails in the very last step, the syncing of the folder, the new
    file stands and the error is raised all the same. `temp_path`: name for the new file until then,
    for a caller who wants to know it.
    """
    path = os.fspath(path)
    if os.path.islink(path):
        path = os.path.realpath(path)
    folder = os.path.dirname(path) or os.curdir
    if temp_path is None:
        temp_path = os.path.join(folder, ".{}.tmp".format(uuid.uuid4().hex))
    remove_if_there(temp_path)  # of a known name one may be left, or a link that leads elsewhere
    try:
        with open(temp_path, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        copy_permissions(path, temp_path)
        retry_busy(os.replace, temp_path, path)
    except BaseException:
        remove_if_there(temp_path)
        raise
    compat.fsync_directory(folder)


def copy_permissions(path, temp_path):
    """Give a new file the permission bits of the one that it is going to replace, if there is one."""
    try:
        os.chmod(temp_path, os.stat(path).st_mode & 0o7777)
    except OSError:
        pass  # there is no old file, or its file system has no permissions: the user's default is right


def remove_if_there(path):
    """Remove a temporary file of ours; what cannot be removed now stays and harms nobody."""
    try:
        try:
            os.remove(path)
        except PermissionError:
            os.chmod(path, 0o600)  # Windows keeps write-protected files
            os.remove(path)
    except OSError:
        pass


def make_writable(path):
    """Take a write protection off a file, if there is one: Windows neither replaces nor removes such files."""
    if os.path.exists(path) and not os.access(path, os.W_OK):
        os.chmod(path, 0o600)


def retry_busy(action, *arguments):
    """Call action(*arguments); for about a second try again while a file is in use.

    Windows refuses to rename what a viewer or a virus scanner has open. Raises the last OSError.
    """
    for wait in _BUSY_WAITS:
        try:
            return action(*arguments)
        except PermissionError:
            time.sleep(wait)
    return action(*arguments)


def read_image(path, flags=-1):
    """Read an image from a path in any language; None if the content cannot be decoded.

    Returns and flags as decode_image. Raises OSError if the file cannot be read.
    Answers to stock's core.cv2ex.cv2_imread.
    """
    return decode_image(read_bytes(path), flags)


def decode_image(data, flags=-1):
    """Decode the bytes of an image file; None if they are not one.

    Returns uint8 or uint16 (H, W) or (H, W, C), BGR(A), as cv2.imdecode gives it for `flags`
    (-1: cv2.IMREAD_UNCHANGED).
    """
    if not data:
        return None  # cv2 raises for nothing and for absurd sizes; other broken data gives None
    import cv2
    import numpy as np
    for ordinary in (jpeg_pixels, png_pixels):
        image = ordinary.decode(data, flags)
        if image is not None:
            return image
    try:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error:
        return None
