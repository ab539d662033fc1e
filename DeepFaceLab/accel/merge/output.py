"""Where a merge writes to: file names, whole files, what an earlier merge left, and what must not be there."""
import contextlib
import os
import shutil

from .. import files, host
from ..os_errors import advice, reason
from ..output_folder import OutputFolder, write_together
from .encoding import JPG, PNG, encode, encode_png

_STEP = "merge"
_STAMP = ".merge_run"                 # says which run or session the frames beside it are of
_PNG_HEAD, _JPG_HEAD = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_PNG_TAIL, _JPG_TAIL = b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd9"


class Output:
    """Where merged frames and their masks go, by the stem of the frame's name. Workers share one.

    With `with`, other merges are kept out of both folders, and what a killed one left is removed first; that raises
    host.UserError. format: one of encoding.FORMATS, may be set later; masks are png always.
    """

    def __init__(self, folder, mask_folder, format=PNG):
        self.folder, self.mask_folder, self.format = os.fspath(folder), os.fspath(mask_folder), format
        self._frames, self._masks = OutputFolder(folder, _STEP), OutputFolder(mask_folder, _STEP)
        self._locks = None

    def __enter__(self):
        _refuse_one_folder(self.folder, self.mask_folder)   # here both exist, and the disk tells
        with contextlib.ExitStack() as locks:
            for folder in (self._frames, self._masks):
                locks.enter_context(folder)
            self._locks = locks.pop_all()
        return self

    def __exit__(self, *error):
        self._locks.close()

    def image_path(self, stem):
        """Return the path of a merged frame (str)."""
        return self._frames.path(stem + "." + self.format)

    def mask_path(self, stem):
        """Return the path of a frame's mask (str)."""
        return self._masks.path(stem + ".png")

    def write(self, stem, image, mask):
        """Write a frame and its mask. Each name is the whole old or the whole new file at any moment.

        image: as encode_png takes it; mask: uint8 (H, W, 1). Both are encoded and on the disk before the first takes
        its name; the frame takes its own last. A frame of that stem in the other format goes. Raises OSError when
        the disk is full or a viewer keeps a file open, and as `encode`; what has no new file then has its old one.
        """
        write_together([(self._masks, stem + ".png", encode_png(mask)),
                        (self._frames, stem + "." + self.format, encode(image, self.format))])
        if os.path.isfile(self._twin_path(stem)):
            self._frames.sync()      # a power cut must not take the new name and leave the removal
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
            for folder in (self._frames, self._masks):
                folder.sync()
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
        """Return the path of a frame's file in the other format."""
        return self._frames.path(stem + "." + (JPG if self.format == PNG else PNG))


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
