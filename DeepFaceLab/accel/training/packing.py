"""Packs the faces of a folder into a faceset.pak.

The pak is written beside the old one, brought to the disk, read back and compared; only then it takes the name. What
was packed is deleted by `packed_files`, if that is wanted. Answers to stock's samplelib.PackedFaceset.pack.
"""
import collections
import hashlib
import os
import struct

import numpy as np

from accel import faceset, files, host, landmark_tables, pickle_writer
from accel.output_folder import OutputFolder
from accel.rename_errors import advice, reason

STEP = "packing"

Image = collections.namedtuple("Image", "path person")
Image.__doc__ = "A file to pack. path: str. person: name (str) of its folder in a person faceset, else None."

Packed = collections.namedtuple("Packed", "path person size changed head_size head_digest")
Packed.__doc__ = """A file that was packed, or is about to be. size: bytes. changed: time of its last change in ns.
head_size, head_digest: how many bytes were read for its metadata, and their hash."""

_NUMBER = struct.Struct("<Q")
_PIECE = 1 << 20          # bytes that are read at once
_FACE = 1                 # stock's SampleType.FACE
_FACE_TYPES = dict({name: number for number, name in landmark_tables.FACE_TYPE_NUMBERS.items()}, mark_only=100)


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


def missing_from(folder, names):
    """Return (number of faces in the faceset.pak whose file name is none of `names`, number of all its faces)."""
    known = set(names)
    packed = [config["filename"] for config in faceset.read_index(pak_path(folder)).configs]
    return sum(name not in known for name in packed), len(packed)


# --- what the list says of a face -------------------------------------------------------------

def config_of(metadata, name, person=None):
    """Return what the list of a pak says of a face (dict, as Sample.get_config of stock), None if it is no face.

    metadata: dfl_jpeg.Metadata of the file. Landmarks are pickle_writer.Points; the two enums EnumMembers.
    """
    data = metadata.data
    face_type = data.get("face_type", "full_face")
    landmarks = _landmarks(data.get("landmarks"))
    if type(face_type) is not str or face_type.lower() not in _FACE_TYPES or landmarks is None or not metadata.shape:
        return None
    mask = data.get("xseg_mask")
    eyebrows = data.get("eyebrows_expand_mod")
    source = data.get("source_filename")
    return {
        "sample_type": _member(faceset.SAMPLE_TYPE, _FACE),
        "filename": name,
        "face_type": _member(faceset.FACE_TYPE, _FACE_TYPES[face_type.lower()]),
        "shape": metadata.shape,
        "landmarks": landmarks,
        "seg_ie_polys": {"polys": _polygons(data.get("seg_ie_polys"))},
        "xseg_mask": None,
        "xseg_mask_compressed": mask if isinstance(mask, np.ndarray) else None,
        "eyebrows_expand_mod": eyebrows if isinstance(eyebrows, (int, float)) else 1.0,
        "source_filename": source if type(source) is str else None,
        "person_name": person,
    }


_MEMBERS = {}   # one object for each: the list names it once


def _member(names, number):
    key = names, number
    if key not in _MEMBERS:
        _MEMBERS[key] = pickle_writer.EnumMember(names[0], names[1], number)
    return _MEMBERS[key]


def _landmarks(value):
    """Return landmarks as they are written, None for what are none."""
    try:
        points = np.array(value, np.float64)
    except (ValueError, TypeError):
        return None
    return pickle_writer.Points(points) if points.ndim == 2 and points.shape[1] == 2 else None


def _polygons(value):
    """Return XSeg's polygons (list of dict), those that include first, as stock. Damaged ones are left out."""
    given = value.get("polys") if type(value) is dict else value
    polygons = []
    for polygon in given if type(given) is list else ():
        kind, points = _polygon(polygon)
        if kind in (0, 1):
            polygons.append({"type": int(kind), "pts": points})
    return sorted(polygons, key=lambda polygon: -polygon["type"])


def _polygon(value):
    """Return (type, float32 (N, 2)) of a polygon, in its present or its older form; (None, None) for what is none."""
    try:
        kind, points = (value["type"], value.get("pts")) if type(value) is dict else value
        return kind, np.array([] if points is None else points, np.float32).reshape(-1, 2)
    except (KeyError, TypeError, ValueError):
        return None, None


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
        if os.path.samefile(there, place.folder):
            return _pack(place, pak, images)
        with OutputFolder(there, STEP) as place_of_pak:   # the faceset.pak is a link
            return _pack(place_of_pak, pak, images)
    except OSError as error:
        raise host.UserError("{} could not be packed: {}. {}".format(folder, reason(error), advice(error))) from error
    except _Unreliable as error:
        raise host.UserError("{} could not be packed: {}.".format(folder, error)) from error


def _pack(place, pak, images):
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
        packing = _first_look(image)
        if packing is None:
            host.log_err("FaceSamplesLoader: {} is not a dfl image file.".format(image.path))
            continue
        face, config = packing
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
    """Return (Packed, config) of a file, of which only the head is read; None for what is no DFL image."""
    name = os.path.basename(image.path)
    if not name.lower().endswith(faceset.SUFFIXES):
        return None
    for one in (name, image.person):
        if one is not None and faceset.last_component(one) != one:
            raise host.UserError("The name {} cannot be packed: it is none on all systems, and could not be unpacked. "
                                 "Rename it, then start again.".format(ascii(one)))
    with open(image.path, "rb", buffering=0) as stream:
        about = os.fstat(stream.fileno())
        try:
            metadata, head = faceset.read_head(stream, (0, about.st_size), image.path)
            config = config_of(metadata, name, image.person) if metadata.data else None
        except ValueError:   # no JPEG, or unsafe metadata
            return None
    if config is None:
        return None
    return Packed(image.path, image.person, about.st_size, about.st_mtime_ns, len(head), _digest(head)), config


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
