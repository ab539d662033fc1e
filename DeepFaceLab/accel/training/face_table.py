"""The metadata of many faces in memory that the trainer's processes share, a little more than its landmarks a
face.

A table is made once, by a Builder, and only read then. It lies in blocks of a few MB: records of one size, and behind
them what has no fixed size (names, polygons, XSeg masks as they are encoded). Each block is memory of
multiprocessing's own, so that a process which is given the table maps it and copies nothing.

Answers to stock's core.mplib.MPSharedList, which keeps a pickle of every face.
"""
import bisect
import collections
import struct
from multiprocessing import heap

import numpy as np

from .. import host

Face = collections.namedtuple("Face", "filename face_type shape landmarks polygons mask eyebrows_expand_mod "
                                      "source_filename person_name packed")
Face.__doc__ = """What is known of a face.

filename: path, or name in a faceset.pak (str). face_type: number of stock's FaceType. shape: (height, width, channels)
in px, or None. landmarks: (68, 2), px. polygons: list of (type, float32 (N, 2) px). mask: uint8 array, an encoded
XSeg mask, or None. eyebrows_expand_mod: float. source_filename, person_name: str or None. packed: (path, offset, size)
of the file in a faceset.pak, or None."""

_BLOCK_BYTES = 1 << 25    # a block is copied once, when it is full: this much is needed twice
_LANDMARKS = 68
_LANDMARK_TYPES = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.int32))

# height, width, channels; face type, type of the landmarks, dimensions of the mask; eyebrows; offset and size in the
# pak; begin in the heap; sizes of filename, source, person, polygons, mask there. A size of -1 stands for None.
_HEAD = struct.Struct("<3IiBB2xdQqQ5i8x")
_RECORD_BYTES = _HEAD.size + _LANDMARKS * 2 * 8
_POLYGON = struct.Struct("<iI")


class FaceTable:
    """A sequence of Faces that never changes. Sharable: an argument of multiprocessing.Process.

    Tables can be added, and summed with sum(). Answers to stock's MPSharedList.
    """

    def __init__(self, blocks=(), order=None):
        """blocks: of Builder. order: int array of the places of the faces in the blocks, None for all as they lie."""
        self._blocks = tuple(blocks)
        self._order = order
        self._ends = []    # how many faces there are up to the end of each block
        for block in self._blocks:
            self._ends.append(block.count + (self._ends[-1] if self._ends else 0))

    def __len__(self):
        if self._order is not None:
            return len(self._order)
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index):
        """Return the Face at an index (int, negative ones from the end); ValueError if there is none, as in stock."""
        block, place = self._find(index)
        return self.made(block.face(place))

    def __iter__(self):
        for index in range(len(self)):
            yield self[index]

    def __add__(self, other):
        if isinstance(other, int):
            return self    # sum() begins with 0
        if not isinstance(other, FaceTable):
            raise ValueError("a table of faces and {} cannot be added".format(type(other).__name__))
        order = None
        if self._order is not None or other._order is not None:
            behind = self._ends[-1] if self._ends else 0
            order = np.concatenate((self._places(), other._places() + behind))
        return type(self)(self._blocks + other._blocks, order)

    def __radd__(self, other):
        return self + other

    def made(self, face):
        """Return what [i] gives for a Face: for classes that give something else."""
        return face

    def source_filename(self, index):
        """Return the source_filename of the face at an index, without reading the rest of it."""
        block, place = self._find(index)
        return block.source_filename(place)

    def reordered(self, order):
        """Return a table of the same memory with the faces at these indexes, in this order."""
        return type(self)(self._blocks, self._places()[np.asarray(order, np.int64)])

    @property
    def nbytes(self):
        """Bytes of shared memory; a block that is in here twice counts once."""
        return sum(block.size for block in set(self._blocks))

    def _places(self):
        return np.arange(len(self)) if self._order is None else self._order

    def _find(self, index):
        count = len(self)
        if index < 0:
            index += count
        if not 0 <= index < count:
            raise ValueError("there is no face {:,}: there are {:,}".format(index, count))
        if self._order is not None:
            index = int(self._order[index])
        number = bisect.bisect_right(self._ends, index)
        return self._blocks[number], index - (self._ends[number - 1] if number else 0)


class _Block:
    """A part of a table: `count` records, and the heap behind them."""

    def __init__(self, count, records, heap_bytes, folder, pak):
        """folder: what all file names begin with. pak: path of the faceset.pak, or None."""
        self.count = count
        self.size = len(records) + len(heap_bytes)
        self.folder = folder
        self.pak = pak
        try:
            self.memory = heap.Arena(self.size)
        except (OSError, MemoryError) as error:
            raise host.UserError("There is no room for {:,} MB of metadata of faces ({}). Close other programs, or "
                                 "make room in the folder of temporary files.".format((self.size >> 20) + 1, error))
        self.memory.buffer[:len(records)] = records
        self.memory.buffer[len(records):self.size] = heap_bytes

    def face(self, place):
        """Return the Face of the record at a place (int)."""
        memory = self.memory.buffer
        at = place * _RECORD_BYTES
        (height, width, channels, face_type, landmark_type, dimensions, eyebrows, offset, size, begin, name_size,
         source_size, person_size, polygons_size, mask_size) = _HEAD.unpack_from(memory, at)
        landmarks = np.frombuffer(memory, np.float64, 2 * _LANDMARKS, at + _HEAD.size).astype(
            _LANDMARK_TYPES[landmark_type]).reshape(_LANDMARKS, 2)
        begin += self.count * _RECORD_BYTES
        name = self.folder + _text(memory, begin, name_size)
        begin += name_size
        source = _text(memory, begin, source_size)
        begin += max(source_size, 0)
        person = _text(memory, begin, person_size)
        begin += max(person_size, 0)
        polygons = _read_polygons(memory[begin:begin + polygons_size]) if polygons_size else []
        begin += polygons_size
        mask = None
        if mask_size > 0:
            mask = np.frombuffer(memory, np.uint8, mask_size, begin).reshape((-1, 1)[:dimensions]).copy()
        return Face(name, face_type, (height, width, channels) if channels else None, landmarks, polygons, mask,
                    eyebrows, source, person, (self.pak, offset, size) if size >= 0 else None)

    def source_filename(self, place):
        """Return that of the record at a place."""
        fields = _HEAD.unpack_from(self.memory.buffer, place * _RECORD_BYTES)
        return _text(self.memory.buffer, fields[9] + self.count * _RECORD_BYTES + fields[10], fields[11])


class Builder:
    """Takes Faces one after the other; they are held compactly at once."""

    def __init__(self, folder="", pak=None):
        """folder: what all file names begin with, kept once. pak: path of the faceset.pak that has them, or None."""
        self._folder = folder
        self._pak = pak
        self._blocks = []
        self._begin()

    def _begin(self):
        self._count, self._records, self._heap = 0, bytearray(), bytearray()

    def append(self, face):
        """Add a Face. Raises ValueError if something in it cannot be kept; then nothing is added."""
        if not face.filename.startswith(self._folder):
            raise ValueError("it is in another folder")
        parts = [_bytes(face.filename[len(self._folder):]), _bytes(face.source_filename), _bytes(face.person_name),
                 _polygon_bytes(face.polygons)]
        dimensions = 1
        if face.mask is not None:
            mask = np.asarray(face.mask)
            if mask.dtype != np.uint8 or not mask.size or mask.shape not in ((mask.size,), (mask.size, 1)):
                raise ValueError("its XSeg mask is no encoded picture")
            parts.append(mask.tobytes())
            dimensions = mask.ndim
        else:
            parts.append(None)
        landmarks = np.asarray(face.landmarks)
        if landmarks.shape != (_LANDMARKS, 2) or landmarks.dtype not in _LANDMARK_TYPES:
            raise ValueError("its landmarks are not {} points".format(_LANDMARKS))
        height, width, channels = face.shape or (0, 0, 0)
        offset, size = face.packed[1:] if face.packed else (0, -1)
        try:
            head = _HEAD.pack(height, width, channels, face.face_type, _LANDMARK_TYPES.index(landmarks.dtype),
                              dimensions, face.eyebrows_expand_mod, offset, size, len(self._heap),
                              *(-1 if part is None else len(part) for part in parts))
        except struct.error as error:
            raise ValueError("a number in it is no such number ({})".format(error))
        self._records += head
        self._records += landmarks.astype(np.float64).tobytes()
        for part in parts:
            self._heap += part or b""
        self._count += 1
        if len(self._records) + len(self._heap) >= _BLOCK_BYTES:
            self._finish_block()

    def table(self, kind=FaceTable):
        """Return all Faces so far as a FaceTable, or as a class below it."""
        if self._count:
            self._finish_block()
        return kind(self._blocks)

    def _finish_block(self):
        self._blocks.append(_Block(self._count, self._records, self._heap, self._folder, self._pak))
        self._begin()


def _bytes(text):
    # Names may be what no encoding has (Linux) or half of a letter (Windows).
    return None if text is None else text.encode("utf-8", "surrogatepass")


def _text(memory, begin, size):
    return None if size < 0 else str(memory[begin:begin + size], "utf-8", "surrogatepass")


def _polygon_bytes(polygons):
    pieces = []
    for kind, points in polygons:
        points = np.asarray(points, np.float32).reshape(-1, 2)
        pieces += [_POLYGON.pack(kind, len(points)), points.tobytes()]
    return b"".join(pieces)


def _read_polygons(data):
    """Return the list of (type, points) in some bytes."""
    polygons, at = [], 0
    while at < len(data):
        kind, count = _POLYGON.unpack_from(data, at)
        at += _POLYGON.size
        polygons.append((kind, np.frombuffer(data, np.float32, 2 * count, at).reshape(count, 2).copy()))
        at += 8 * count
    return polygons
