"""Packs the faces of a folder into a faceset.pak.

The pak is written beside the old one, brought to the disk, read back and compared; only then it takes the name. What
was packed is deleted by `packed_files`, if that is wanted. Answers to stock's samplelib.PackedFaceset.pack.
"""
import collections
import hashlib
import os
import struct

import numpy as np

from .. import faceset, files, host, pickle_writer
from ..os_errors import advice, reason
from ..output_folder import OutputFolder

from . import loading, pack_marks
from .face_table import Builder

STEP = "packing"

Image = collections.namedtuple("Image", "path person")
Image.__doc__ = "A file to pack. path: str. person: name (str) of its folder in a person faceset, else None."

Packed = collections.namedtuple("Packed", "path person size changed head_size head_digest")
Packed.__doc__ = """A file that was packed, or is about to be. size: bytes. changed: time of its last change in ns.
head_size, head_digest: how many bytes were read for its metadata, and their hash."""

_NUMBER = struct.Struct("<Q")
_PIECE = 1 << 20          # bytes that are read at once
_FACE = 1                 # stock's SampleType.FACE

# What Windows takes for no name of a file, whatever follows behind a dot.
_NOT_IN_NAMES = frozenset("<>:\"/\\|?*") | frozenset(map(chr, range(32)))
_DEVICES = frozenset(["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"] + [
    port + number for port in ("COM", "LPT") for number in "0123456789\xb9\xb2\xb3"])


def pak_path(folder):
    """Return the path (str) of the faceset.pak in a folder; what a link leads to, where it is one."""
    path = os.path.join(os.fspath(folder), faceset.PAK_NAME)
    return os.path.realpath(path) if os.path.islink(path) else path


def workplace(folder):
    """Return the OutputFolder of a folder of faces: to be entered before anything is packed or unpacked in it."""
    return OutputFolder(folder, STEP)


def images_of(folder, persons=None):
    """Return the images of a folder (list of Image), or of its folders `persons` (list of str), in stock's order."""
    folder = os.fspath(folder)
    if persons is None:
        return [Image(path, None) for path in files.image_paths(folder)]
    return [Image(path, person) for person in persons for path in files.image_paths(os.path.join(folder, person))]


def missing_from(folder, images):
    """Return (number of faces in the faceset.pak that are none of these files, number of all its faces).

    images: list of Image. A file is a face if it has its person, its name and its content. Raises faceset.FacesetError,
    and OSError if the pak cannot be read.
    """
    paths = {(image.person, os.path.basename(image.path)): image.path for image in images}
    index = faceset.read_index(pak_path(folder))
    missing = 0
    for number, config in enumerate(host.progress(index.configs, "Comparing", leave=False, delay=1)):
        path = paths.get((config.get("person_name"), config["filename"]))
        missing += path is None or not has_content(path, index, number)
    return missing, len(index.configs)


def has_content(path, index, number):
    """Tell whether a file has the content of the face `number` of a faceset.Index; one that cannot be read has not."""
    begin, end = index.spans[number]
    try:
        if os.path.getsize(path) != end - begin:
            return False
        content = files.read_bytes(path)
    except OSError:
        return False
    return content == faceset.read_item(index, number)


# --- what the list says of a face -------------------------------------------------------------

def config_of(metadata, path, person=None):
    """Return what the list of a pak says of a face (dict, as Sample.get_config of stock).

    metadata: dfl_jpeg.Metadata of the file, or what was raised instead. Landmarks are pickle_writer.Points; the two
    enums EnumMembers. Raises ValueError for whatever training leaves out: `loading` itself is asked, so that no face
    is packed, and deleted then, that nobody would see any more.
    """
    face = loading.read_face(_AlreadyRead(metadata), path)
    loading.add(Builder(), face)
    if not face.shape:
        raise ValueError("is not a dfl image file: its size is not known")
    eyebrows = metadata.data.get("eyebrows_expand_mod")
    return {
        "sample_type": _member(faceset.SAMPLE_TYPE, _FACE),
        "filename": os.path.basename(path),
        "face_type": _member(faceset.FACE_TYPE, face.face_type),
        "shape": face.shape,
        "landmarks": pickle_writer.Points(np.array(face.landmarks, np.float64)),
        "seg_ie_polys": {"polys": [{"type": int(kind), "pts": points} for kind, points in face.polygons]},
        "xseg_mask": None,
        "xseg_mask_compressed": face.mask,
        "eyebrows_expand_mod": eyebrows if isinstance(eyebrows, (int, float)) else face.eyebrows_expand_mod,
        "source_filename": face.source_filename,
        "person_name": person,
    }


class _AlreadyRead:
    """A quick_metadata.Reader of a file that has been read. metadata: as for config_of."""

    def __init__(self, metadata):
        self._metadata = metadata

    def read(self, path):
        if isinstance(self._metadata, Exception):
            raise self._metadata
        return self._metadata


_MEMBERS = {}   # one object for each: the list names it once


def _member(names, number):
    key = names, number
    if key not in _MEMBERS:
        _MEMBERS[key] = pickle_writer.EnumMember(names[0], names[1], number)
    return _MEMBERS[key]


# --- packing ----------------------------------------------------------------------------------

class _Unreliable(Exception):
    """What was read is not what was there before."""


def pack(place, folder, images):
    """Write the faceset.pak of a folder. Return what is in it (list of Packed), in its order.

    place: the entered `workplace` of the folder. images: list of Image; what is no DFL image is told and left out.
    Two passes, one face in memory at a time. The old pak is as it was until the new one is whole, on the disk, and
    read back. Raises host.UserError: no face, a name that is none on all systems, a full disk, a file that changes
    meanwhile.
    """
    pak = pak_path(folder)
    there = os.path.dirname(pak)
    try:
        _check_names(images)
        if os.path.samefile(there, place.folder):
            return _pack(place, place, pak, images)
        with OutputFolder(there, STEP) as place_of_pak:   # the faceset.pak is a link
            return _pack(place, place_of_pak, pak, images)
    except OSError as error:
        raise host.UserError("{} could not be packed: {}. {}".format(folder, reason(error), advice(error))) from error
    except _Unreliable as error:
        raise host.UserError("{} could not be packed: {}.".format(folder, error)) from error


def _check_names(images):
    """Refuse names that not all systems have: such a pak could neither be unpacked nor trained from there."""
    for image in images:
        name = os.path.basename(image.path)
        for one in (name, image.person) if name.lower().endswith(faceset.SUFFIXES) else ():
            if one is not None and not _is_name_everywhere(one):
                raise host.UserError("The name {} cannot be packed: it is none on all systems, and could not be "
                                     "unpacked. Rename it, then start again.".format(ascii(one)))


def _is_name_everywhere(name):
    return (faceset.last_component(name) == name and _NOT_IN_NAMES.isdisjoint(name) and name[-1] not in " ."
            and name.partition(".")[0].rstrip(" ").upper() not in _DEVICES)


def _pack(place_of_marks, place, pak, images):
    part = place.part_path()
    try:
        with open(part, "xb") as stream:
            packed, digests = _write(stream, images)
            if not packed:
                raise host.UserError("There is no DFL image to pack, so {} was not written. Give the folder of the "
                                     "aligned faces.".format(pak))
            stream.flush()
            os.fsync(stream.fileno())
        _read_back(part, [face.size for face in packed], digests)
        files.copy_permissions(pak, part)
        files.make_writable(pak)
        pack_marks.remove_all(place_of_marks)
        files.retry_busy(os.replace, part, pak)
    finally:
        files.remove_if_there(part)
    place.sync()
    return packed


def _write(stream, images):
    """Write a pak. Return (list of Packed, hashes: of the list, then of each face)."""
    stream.write(_NUMBER.pack(faceset.VERSION) + bytes(8))
    packed, whole_list, length = [], hashlib.blake2b(digest_size=16), 0
    writer = pickle_writer.ListWriter()
    for image in host.progress(images, "Loading samples"):
        face, metadata = _first_look(image)
        try:
            config = config_of(metadata, image.path, image.person)
        except ValueError as error:   # as `loading` says it
            host.log_err("FaceSamplesLoader: {} {}.".format(image.path, error))
            continue
        length += _write_piece(stream, writer.add(config), whole_list)
        packed.append(face)
    length += _write_piece(stream, writer.end(), whole_list)
    # Stock writes the last offset from the start of the file and not of the data: so do we.
    table, start = [0], 16 + length + 8 * (len(packed) + 1)
    for face in packed:
        table.append(table[-1] + face.size)
    table[-1] += start
    if packed:
        stream.write(b"".join(map(_NUMBER.pack, table)))
    digests = [whole_list.digest()]
    for face in host.progress(packed, "Packing"):
        data = _second_look(face)
        digests.append(_digest(data))
        stream.write(data)
    stream.seek(8)
    stream.write(_NUMBER.pack(length))
    return packed, digests


def _write_piece(stream, piece, digest):
    stream.write(piece)
    digest.update(piece)
    return len(piece)


def _digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def _first_look(image):
    """Return (Packed, metadata for config_of) of a file, of which only the head is read. Raises OSError."""
    with open(image.path, "rb", buffering=0) as stream:
        about, head = os.fstat(stream.fileno()), b""
        try:
            metadata, head = faceset.read_head(stream, (0, about.st_size), image.path)
        except ValueError as error:   # no JPEG, or unsafe metadata
            metadata = error
    return Packed(image.path, image.person, about.st_size, about.st_mtime_ns, len(head), _digest(head)), metadata


def _second_look(face):
    """Return the bytes of a file, which has to be as it was at the first look."""
    with open(face.path, "rb", buffering=0) as stream:
        data = stream.read()
        about = os.fstat(stream.fileno())
    if (about.st_size, about.st_mtime_ns, len(data)) != (face.size, face.changed, face.size) \
            or _digest(data[:face.head_size]) != face.head_digest:
        raise _Unreliable("{} has been changed meanwhile. Nothing was deleted; start again when nothing else works in "
                          "this folder".format(face.path))
    return data


def _read_back(path, sizes, digests):
    """Raise _Unreliable unless a pak has a list and faces of these hashes, faces of these sizes."""
    with open(path, "rb", buffering=0) as stream:
        header = stream.read(16)
        length = _NUMBER.unpack(header[8:])[0] if len(header) == 16 else -1
        whole_list, left = hashlib.blake2b(digest_size=16), length
        while left > 0:
            piece = stream.read(min(left, _PIECE))
            if not piece:
                break
            whole_list.update(piece)
            left -= len(piece)
        table = stream.read(8 * (len(sizes) + 1))
        start = stream.tell()
        offsets = [offset for offset, in _NUMBER.iter_unpack(table)]
        good = header[:8] == _NUMBER.pack(faceset.VERSION) and whole_list.digest() == digests[0]
        good = good and start == 16 + length + len(table) and offsets[-1:] == [os.fstat(stream.fileno()).st_size]
        position = 0
        for offset, size, digest in zip(offsets, sizes, digests[1:]):
            good = good and offset == position and _digest(stream.read(size)) == digest
            position += size
        good = good and offsets[-1] == start + position and len(digests) == len(sizes) + 1
    if not good:
        raise _Unreliable("what was written to the disk reads back differently, so nothing was replaced or deleted. "
                          "Check the disk and the memory of this computer")
