"""The faces of a folder, or of a faceset.pak, as a FaceTable: their metadata, never their pixels.

Of a file only the head is read. Files that are no faces are told and left out. Answers to what stock's
samplelib.SampleLoader and its FaceSamplesLoaderSubprocessor load, in the same order.
"""
import os
from pathlib import Path

import numpy as np

from . import quick_packed
from .. import dfl_jpeg, faceset, files, host, landmark_tables, safe_pickle
from ..quick_metadata import Reader
from .face_table import Builder, Face, FaceTable

PROGRESS = "Loading samples"

_FACE_TYPES = dict({name: number for number, name in landmark_tables.FACE_TYPE_NUMBERS.items()}, mark_only=100)
_SUFFIXES = (".jpg", ".jpeg")
_POLYGON_TYPES = (1, 0)   # stock's INCLUDE and EXCLUDE: all of the first come before all of the second


def image_paths(folder, subdirs=False):
    """Return the paths (list of str) of the images in a folder, and with subdirs in those below it, sorted by path.

    Links to folders are not followed. A missing folder has none. Raises OSError if one cannot be listed.
    Answers to stock's core.pathex.get_image_paths.
    """
    folder = str(Path(folder))
    if not subdirs:
        return files.image_paths(folder)
    found = []
    folders = [folder]
    while folders:
        inside = folders.pop()
        found += files.image_paths(inside)
        if os.path.isdir(inside):
            with os.scandir(inside) as entries:
                folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(found)


def load_faces(paths, kind=FaceTable):
    """Return the faces in these files as a FaceTable, or as a class below it, with a progress bar.

    paths: list of str. What is no face, or cannot be read, is logged and left out.
    """
    builder, reader = Builder(_common_folder(paths)), Reader()
    with host.progress(paths, PROGRESS) as bar:
        for path in bar:
            try:
                add(builder, read_face(reader, path))
            except NoFace as error:
                host.log_err("FaceSamplesLoader: {} {}.".format(path, error))
    return builder.table(kind)


def load_packed(path, kind=FaceTable):
    """Return the faces in a faceset.pak as a FaceTable, or as a class below it. Raises faceset.FacesetError."""
    builder = quick_packed.read(path)
    if builder is None:
        builder = _read_packed_carefully(path)
    return builder.table(kind)


def _read_packed_carefully(path):
    """Return a Builder with the faces in a faceset.pak; what is no face is logged and left out."""
    index = faceset.read_index(path)
    builder = Builder(pak=index.path)
    configs, spans = index.configs, index.spans
    for number, (begin, end) in enumerate(spans):
        config = configs[number]
        configs[number] = None   # it is ten times as large as what is kept of it
        try:
            add(builder, _packed_face(config, (index.path, begin, end - begin)))
        except NoFace as error:
            host.log_err("FaceSamplesLoader: {} in {} {}.".format(config["filename"], path, error))
    return builder


class NoFace(ValueError):
    """Why a file is left out, in words that go on after its name."""

    def __init__(self, reason=None):
        super().__init__("is not a dfl image file" + (": " + reason if reason else ""))


def add(builder, face):
    """Give a Face to a Builder. Raises NoFace if something in it cannot be kept."""
    try:
        builder.append(face)
    except ValueError as error:
        raise NoFace(str(error))


def _common_folder(paths):
    """Return what all paths begin with, up to its last separator."""
    common = os.path.commonprefix(paths)
    return common[:len(common) - len(os.path.basename(common))]


def read_face(reader, path):
    """Return the Face in a file. reader: what has read(path), as quick_metadata.Reader. Raises NoFace."""
    if not path.lower().endswith(_SUFFIXES):
        raise NoFace()
    try:
        shape, data = reader.read(path)
    except dfl_jpeg.NotJpegError:
        raise NoFace()
    except safe_pickle.UnsafePickleError as error:
        raise NoFace("its metadata is damaged or unsafe and was refused ({})".format(error.reason))
    except OSError as error:
        raise NoFace("it cannot be read ({})".format(error.strerror or error))
    if not data:
        raise NoFace()
    return _face(path, shape, data, _face_type(data.get("face_type", "full_face")), data.get("xseg_mask"), None)


def _packed_face(config, packed):
    """Return the Face of an entry of a faceset.pak. Raises NoFace."""
    shape = config.get("shape")
    if shape is not None and not (type(shape) in (tuple, list) and len(shape) == 3):
        raise NoFace("its size is none")
    mask = config.get("xseg_mask_compressed")
    face_type = config.get("face_type")
    if type(face_type) is not int:
        raise NoFace("its face type is none")
    return _face(config["filename"], shape, config, face_type, mask, packed)


def _face(name, shape, data, face_type, mask, packed):
    """Return the Face of metadata (dict)."""
    eyebrows = data.get("eyebrows_expand_mod")
    try:
        return Face(name, face_type, shape, _landmarks(data["landmarks"]), _polygons(data.get("seg_ie_polys")), mask,
                    1.0 if eyebrows is None else float(eyebrows), _text(data.get("source_filename")),
                    _text(data.get("person_name")), packed)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise NoFace("its metadata is damaged ({!r})".format(error))


def _face_type(name):
    number = _FACE_TYPES.get(name.lower()) if type(name) is str else None
    if number is None:
        raise NoFace("its face type {} is not known".format(ascii(name)[:40]))
    return number


def _landmarks(listed):
    if type(listed) is list and set(map(len, listed)) == {2}:    # ten times as fast as np.array(listed)
        return np.array([number for point in listed for number in point]).reshape(-1, 2)
    return np.array(listed)


def _text(value):
    return value if type(value) is str else None


def _polygons(listed):
    """Return the polygons of metadata as list of (type, points). listed: as stock's SegIEPolys.load takes it."""
    if type(listed) is dict:
        pairs = [(polygon.get("type"), polygon.get("pts")) for polygon in listed["polys"]]
    elif type(listed) is list:
        pairs = listed
    else:
        return []
    groups = {kind: [] for kind in _POLYGON_TYPES}
    for kind, points in pairs:
        groups[kind].append((int(kind), np.float32([] if points is None else points).reshape(-1, 2)))
    return [polygon for kind in _POLYGON_TYPES for polygon in groups[kind]]
