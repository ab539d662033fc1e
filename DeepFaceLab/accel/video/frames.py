"""The frames of a video: which files they are, what is wrong with them, and their pixels in order."""
import collections
import contextlib
import io
import os
import re
import struct
import zlib

from .. import compat, files, pools

# Pixels that wait for ffmpeg; more does not help, and 3840x2160 takes 25 MB a frame.
_AHEAD_BYTES = 128 * 2 ** 20
# So many bytes of PNG are read through before the start; of more, only heads and ends.
_READ_THROUGH_BYTES = 512 * 2 ** 20
_HEAD_BYTES = 4096
_TAIL_BYTES = 64
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_SAME_KIND = {"jpeg": "jpg", "tiff": "tif"}

Listing = collections.namedtuple("Listing", "paths kind others")
Listing.__doc__ = """paths: list of str in natural order, all of one kind; kind: "png", "jpg" or "tif";
others: {kind: number} of the images that are left out."""

Check = collections.namedtuple("Check", "size broken resized gaps")
Check.__doc__ = """size: (width, height) that most frames have; broken: list of (name, why); resized: list of
(name, (width, height)) of other sizes; gaps: list of (first, last) numbers that are missing."""


class FrameError(Exception):
    """A frame that cannot be read. Its text names it and says why."""


def image_paths(folder):
    """Return the paths of the images directly in a folder, by path; without the companions that macOS makes."""
    return [path for path in files.image_paths(folder) if not os.path.basename(path).startswith("._")]


def kind_of(extension):
    """Return the kind of an extension or name: ".JPEG" -> "jpg"."""
    word = extension.rpartition(".")[2].lower()
    return _SAME_KIND.get(word, word)


def natural_key(name):
    """Return a key by which "9.png" comes before "10.png"."""
    parts = re.split(r"([0-9]+)", os.path.splitext(name)[0])
    parts[1::2] = [int(digits) for digits in parts[1::2]]
    return parts, name


def listing(folder, wanted=None):
    """Return the frames directly in a folder (Listing), all of one kind.

    wanted: the kind to take if the folder has it ("png"); None: the kind of most files, of equally many
    the first of png, jpg, tif. Without any image the paths are empty. Raises OSError.
    """
    groups = collections.OrderedDict((kind, []) for kind in ("png", "jpg", "tif"))
    for path in image_paths(folder):
        groups[kind_of(path)].append(path)
    counts = {kind: len(paths) for kind, paths in groups.items() if paths}
    if not counts:
        return Listing([], wanted or "png", {})
    kind = wanted if wanted in counts else max(counts, key=lambda kind: counts[kind])
    paths = sorted(groups[kind], key=lambda path: natural_key(os.path.basename(path)))
    del counts[kind]
    return Listing(paths, kind, counts)


def check(paths, open_bar=None, through=None):
    """Look at head and end of every frame, without decoding: a Check.

    A file that cannot be opened is a broken one. open_bar(total): a progress bar; through: whether each file is
    read to its end, which shows damage in a PNG; None: if they are few.
    """
    sizes, broken = [], []
    through = _are_few(paths) if through is None else through
    look = _read_through if through else _look
    bar = open_bar(len(paths)) if open_bar is not None else contextlib.suppress()
    with bar:
        for outcome in pools.map_threads(look, paths, workers=min(4, compat.cpu_count()), ahead=256):
            size, why = outcome.value if outcome.error is None else (None, _words(outcome.error))
            sizes.append(size)
            if why is not None:
                broken.append((os.path.basename(outcome.item), why))
            if open_bar is not None:
                bar.update(1)
    known = collections.Counter(size for size in sizes if size is not None)
    usual = known.most_common(1)[0][0] if known else None
    resized = [(os.path.basename(path), size) for path, size in zip(paths, sizes)
               if size is not None and size != usual]
    return Check(usual, broken, resized, gaps(os.path.basename(path) for path in paths))


def gaps(names):
    """Return the numbers that are missing between numbered names: list of (first, last).

    The number of "frame_0012.png" is 12. Names of several beginnings are counted apart; names without
    a number are no frames of a count.
    """
    numbers = collections.OrderedDict()
    for name in names:
        match = re.match(r"(.*?)([0-9]+)\.[^.]*$", name)
        if match:
            numbers.setdefault(match.group(1), set()).add(int(match.group(2)))
    missing = []
    for found in numbers.values():
        ordered = sorted(found)
        missing += [(low + 1, high - 1) for low, high in zip(ordered, ordered[1:]) if high - low > 1]
    return missing


def _words(error):
    return getattr(error, "strerror", None) or str(error)


def _are_few(paths):
    """Tell whether all frames together are small enough to be read through, from some of them."""
    some = paths[::max(1, len(paths) // 20)]
    sizes = [os.path.getsize(path) for path in some if os.path.exists(path)]
    return sum(sizes) * len(paths) <= _READ_THROUGH_BYTES * max(1, len(some))


def _read_through(path):
    """As _look, of the whole file; and the checksums of a PNG must be right."""
    data = files.read_bytes(path)
    size, why = _look_into(io.BytesIO(data), path)
    if why is None and data.startswith(_PNG) and not _has_right_checksums(memoryview(data)):
        why = "damaged"
    return size, why


def _has_right_checksums(data):
    """Tell whether all parts of a PNG (memoryview) are there and have the checksums that they carry."""
    place = len(_PNG)
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place:place + 4], "big")
        if end + 4 > len(data) or zlib.crc32(data[place + 4:end]) != int.from_bytes(data[end:end + 4], "big"):
            return False
        if data[place + 4:place + 8] == b"IEND":
            return True
        place = end + 4
    return False


def _look(path):
    """Return ((width, height) or None, what is wrong or None)."""
    with open(path, "rb", 0) as stream:
        return _look_into(stream, path)


def _look_into(stream, path):
    head = stream.read(_HEAD_BYTES)
    if not head:
        return None, "0 bytes"
    if kind_of(path) == "tif":
        size = _tif_size(path)
        return size, None if size is not None else "no picture in it"
    tail = head
    if len(head) == _HEAD_BYTES:
        stream.seek(-_TAIL_BYTES, os.SEEK_END)
        tail = stream.read(_TAIL_BYTES)
    if head.startswith(_PNG):
        size = struct.unpack(">II", head[16:24]) if len(head) >= 24 else None
        end = _PNG_END
    elif head.startswith(_JPEG):
        size, end = _jpeg_size(stream, head), _JPEG_END
    else:
        return None, "neither PNG nor JPG"
    if end not in tail:
        # some programs add bytes behind the end
        stream.seek(0)
        if end not in stream.read()[-2 ** 16:]:
            return size, "cut short"
    return size, (None if size is not None and all(size) else "no picture in it")


def _jpeg_size(stream, head):
    """Return (width, height) from the frame header of a JPEG, None if there is none before the scan."""
    place = 2
    while True:
        segment = head[place:place + 10]
        if len(segment) < 10:
            stream.seek(place)
            segment = stream.read(10)
        if len(segment) < 10 or segment[0] != 0xFF:
            return None
        marker = segment[1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", segment[5:9])
            return width, height
        if marker == 0xDA:
            return None
        place += 2 + max(2, struct.unpack(">H", segment[2:4])[0])


def _tif_size(path):
    """Return (width, height) of a TIF, None if it cannot be decoded: its size may stand anywhere."""
    image = files.read_image(path)
    return None if image is None else (image.shape[1], image.shape[0])


def pixels(paths, size, padding=(0, 0)):
    """Yield the frames in order: uint8 (height, width, 3), BGR, C-contiguous.

    They are decoded by threads, a bounded number ahead. size: (width, height); a frame of another size is
    scaled to it, as stock's ffmpeg does. padding: columns and rows to add at the right and lower edge by
    repeating it. 16-bit frames lose their low byte, alpha is left out. Raises FrameError.
    """
    import cv2
    workers = compat.cpu_count()
    frame_bytes = (size[0] + padding[0]) * (size[1] + padding[1]) * 3
    ahead = max(workers, min(32, _AHEAD_BYTES // frame_bytes))
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION  # frames are as they are stored

    def read(path):
        image = files.read_image(path, flags)
        if image is None:
            raise FrameError("{} cannot be decoded".format(os.path.basename(path)))
        if image.shape[:2] != (size[1], size[0]):
            image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        if padding != (0, 0):
            image = cv2.copyMakeBorder(image, 0, padding[1], 0, padding[0], cv2.BORDER_REPLICATE)
        return image
    outcomes = pools.map_threads(read, paths, workers=workers, ahead=ahead)
    try:
        for outcome in outcomes:
            if outcome.error is not None:
                if isinstance(outcome.error, OSError):
                    raise FrameError("{} cannot be read: {}".format(
                        os.path.basename(outcome.item), _words(outcome.error))) from outcome.error
                raise outcome.error
            yield outcome.value
    finally:
        outcomes.close()
