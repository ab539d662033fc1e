"""Workspaces for the cases of merge: frames with faces, generated or the user's own, and the faces' files.

A workspace is a folder with data_dst, in it the frames, and data_dst/aligned.
"""
import os
import shutil

import numpy as np

from accel import dfl_jpeg
from benchmarks import files, portrait_frames, workspace
from benchmarks.stock_tree import Unusable

FACE_SIZE = 320
PACKED = "faceset.pak"
LARGE = (1280, 720)            # px: faces cut out of such frames look like real ones


def frames_folder(folder):
    return os.path.join(folder, "data_dst")


def aligned_folder(folder):
    return os.path.join(folder, "data_dst", "aligned")


def frame_path(folder, stem):
    """The path of a frame in a workspace, whatever its suffix."""
    return next(entry.path for entry in os.scandir(frames_folder(folder))
                if entry.is_file() and os.path.splitext(entry.name)[0] == stem)


def make(folder, count, size, distinct, faces_from=None):
    """Make `count` frames (PNG) of one shot and the face of each. Raises OSError, for instance when the disk is full.

    size: (width, height) of the frames. distinct: so many are different, the others further names of them.
    faces_from: size of the frames that the pictures of the faces are cut out of, if not of the ones made; then every
    face has metadata of its own.
    """
    shot = portrait_frames.Shot(size)
    large = shot if faces_from is None else portrait_frames.Shot(faces_from)
    random = np.random.RandomState(5)
    faces = []
    for number in range(count):
        name = "{:05d}.png".format(number + 1)
        if number < distinct:
            picture, (marks,) = shot.frame(number)
            portrait_frames.write(os.path.join(frames_folder(folder), name), portrait_frames.encode(picture, ".png"))
            if large is not shot:
                picture, (large_marks,) = large.frame(number)
            face = portrait_frames.aligned_face(picture, marks if large is shot else large_marks, FACE_SIZE)[0]
            faces.append((face, marks))
        else:
            files.give_second_name(os.path.join(frames_folder(folder), "{:05d}.png".format(number % distinct + 1)),
                                   os.path.join(frames_folder(folder), name))
        face, marks = faces[number % distinct]
        if large is not shot:
            marks = marks + random.normal(0, 0.3, 2)
        metadata = portrait_frames.describe(name, marks, FACE_SIZE)
        portrait_frames.write(os.path.join(aligned_folder(folder), name[:5] + "_0.jpg"),
                              workspace.with_metadata(face, metadata))


# --- the user's ------------------------------------------------------------------------------

def find_own(path):
    """The user's frames and faces: (workspace, sorted names of frames), None where there are none."""
    if not os.path.isdir(aligned_folder(path)) or not os.listdir(aligned_folder(path)):
        return None
    names = files.image_names(frames_folder(path))
    return (path, names) if names else None


def copy_own(own, folder, count):
    """Copy the user's first frames, and the faces in them. Raises Unusable."""
    above, names = own
    os.makedirs(aligned_folder(folder))
    for name in names[:count]:
        shutil.copyfile(os.path.join(frames_folder(above), name), os.path.join(frames_folder(folder), name))
    stems = {os.path.splitext(name)[0] for name in names[:count]}
    found = 0
    for entry in os.scandir(aligned_folder(above)):
        if entry.name == PACKED or entry.is_file() and _frame_of(entry.path) in stems:
            shutil.copyfile(entry.path, os.path.join(aligned_folder(folder), entry.name))
            found += 1
    if not found:
        raise Unusable("no face in {} is of the frames beside it.".format(aligned_folder(above)))


def _frame_of(path):
    """The stem of the frame that a face came from (str), None for another file."""
    if not path.lower().endswith((".jpg", ".jpeg")):
        return None
    try:
        name = dfl_jpeg.read_metadata(path).data.get("source_filename")
    except (OSError, ValueError):
        return None
    return name and os.path.splitext(os.path.basename(name))[0]
