"""Which faces belong to which frame, and how the face moves there: what a merge has to know before it starts.

Faces name their frame by `source_filename`; the stem of it counts. The motion of a frame's face is the way of its
centre from the frame before to the frame behind. Answers to the middle of stock's mainscripts.Merger, messages
included, which fits every face three times: here all faces are fitted at once.
"""
import collections
import itertools
import math
import os

import cv2
import numpy as np

from .. import faceset, host, landmark_tables, landmarks

Alignments = collections.namedtuple("Alignments", "of_frame has_several left_out")
Alignments.__doc__ = """of_frame: dict, stem of a frame's name -> list of (68, 2) arrays, px of the frame, as stored.
has_several: whether any frame has more than one face, known frame or not. left_out: number of files that are no
faces of any frame, each of which has been named."""

Facts = collections.namedtuple("Facts", "landmarks_list motion_deg motion_power")
Facts.__doc__ = """A frame. landmarks_list: list of (68, 2) arrays, empty without a face. motion_deg: direction of the
motion, degrees, up is positive; motion_power: its length, px; both 0 where it is not known. As stock's FrameInfo."""

PROGRESS = "Collecting alignments"
_SIDE = 256
_FARTHEST = 1e6           # px; a landmark that lies farther away is no position
_ALIGN = np.array(landmark_tables.ALIGN_INDEXES)
_MODEL = np.array(landmark_tables.ALIGN_MODEL, np.float32)
_MODEL_MEAN = _MODEL.mean(axis=0)
_PADDING = landmark_tables.FACE_TYPES["full_face"][0]
_MIDDLE = _SIDE // 2 - 1  # px of the aligned face, across and down


def collect(faces):
    """Sort faces by their frames, and tell the user of those that have none or share theirs.

    faces: iterable of faceset.Face. Returns Alignments; raises what iterating raises.
    """
    found, left_out = [], 0
    for face in faces:
        problem, entry = face.problem, None
        if problem is None:
            problem, entry = _entry(face)
        if problem is None:
            found.append(entry)
        else:
            host.log_err(problem)
            left_out += 1
    usable = _usable([points for _, points, _, _ in found])
    of_frame = {}
    for (stem, points, name, source), good in zip(found, usable):
        if good:
            of_frame.setdefault(stem, []).append((points, name, source))
        else:
            host.log_err("{}: its landmarks in the frame are no positions of a face".format(name))
            left_out += 1
    several = [group for group in of_frame.values() if len(group) > 1]
    if several:
        _warn(several)
    return Alignments({stem: [points for points, _, _ in group] for stem, group in of_frame.items()},
                      bool(several), left_out)


def frame_facts(frames, alignments):
    """Return the Facts (list) of frames, in their order.

    frames: paths. alignments: Alignments.
    """
    groups = [alignments.of_frame.get(_stem(os.path.basename(os.fspath(path))), ()) for path in frames]
    if alignments.has_several:
        host.log_info("Warning: multiple faces detected. Motion blur will not be used.")
        host.log_info("")
        return [Facts(list(group), 0, 0) for group in groups]
    degrees, power = _motion([group[0] if group else None for group in groups])
    return [Facts(list(group), *motion) for group, motion in zip(groups, zip(degrees.tolist(), power.tolist()))]


def prepare(frames, folder):
    """Return (Facts of the frames, Alignments) for the faces of a folder or of the faceset.pak in it.

    Raises faceset.FacesetError and OSError as faceset.faces.
    """
    if os.path.exists(os.path.join(os.fspath(folder), faceset.PAK_NAME)):
        host.log_info("Using packed faceset.")
    alignments = collect(faceset.faces(folder, PROGRESS))
    return frame_facts(frames, alignments), alignments


def _entry(face):
    """Return (None, (stem of the frame, points, name of the face, name of the frame)) or (problem, None)."""
    source = face.metadata.get("source_filename")
    name = faceset.last_component(source)
    if name is None:
        said = "nothing" if source is None else ascii(source)[:80]
        return "{} does not say which frame it comes from (it says {})".format(face.name, said), None
    points = _points(face.metadata.get("source_landmarks"))
    if points is None:
        return "{} has no 68 landmarks in its frame".format(face.name), None
    return None, (_stem(name), points, face.name, name)


def _points(value):
    """Return stored landmarks as an array of numbers (68, 2), None if they are none; lists as float64."""
    if isinstance(value, np.ndarray):
        return value if value.shape == (68, 2) and value.dtype.kind in "iuf" else None
    try:
        if type(value) in (list, tuple) and len(value) == 68 and set(map(len, value)) == {2}:
            # five times as fast as np.array of numpy 1.19
            return np.fromiter(itertools.chain.from_iterable(value), np.float64, 136).reshape(68, 2)
    except (TypeError, ValueError, OverflowError):
        pass
    return None


def _stem(name):
    """Return a file's name without its suffix, as pathlib's stem."""
    dot = name.rfind(".")
    return name[:dot] if 0 < dot < len(name) - 1 else name


def _usable(all_points):
    """Tell of each (68, 2) array whether it can be a face: finite, near, and not one single point."""
    if not all_points:
        return []
    points = np.array(all_points, np.float64)
    near = (np.abs(points) < _FARTHEST).all(axis=(1, 2))
    fitted = points[:, _ALIGN]
    return near & (fitted != fitted[:, :1]).any(axis=(1, 2))


def _warn(several):
    host.log_info("")
    host.log_info("Warning: multiple faces detected. Only one alignment file should refer one source file.")
    host.log_info("")
    for group in several:
        for _, name, source in group:
            host.log_info("alignment {} refers to {} ".format(name, source))
        host.log_info("")
    host.log_info("It is strongly recommended to process the faces separatelly.")
    host.log_info("Use 'recover original filename' to determine the exact duplicates.")
    host.log_info("")


# --- motion ----------------------------------------------------------------------------------

def _motion(faces):
    """Direction (degrees) and length (px) of each frame's motion, float64 (N,).

    faces: list of (68, 2) arrays or None. The first and the last frame stand for their missing neighbours.
    """
    degrees, power = np.zeros(len(faces)), np.zeros(len(faces))
    rows = np.array([index for index, face in enumerate(faces) if face is not None], int)
    if not len(rows):
        return degrees, power
    centres = np.full((len(faces), 2), np.nan)
    centres[rows] = face_centres([faces[row] for row in rows])
    before, behind = np.vstack([centres[:1], centres[:-1]]), np.vstack([centres[1:], centres[-1:]])
    way = behind - before
    known = np.isfinite(way).all(axis=1) & np.isfinite(centres).all(axis=1)
    across, down = way[known].T
    length = np.sqrt(across * across + down * down)
    power[known] = length
    length[length == 0] = 1
    degrees[known] = -np.arctan2(down / length, across / length) * 180 / math.pi
    return degrees, power


def face_centres(faces):
    """Where the middle of the aligned face (full_face, 256 px) lies in the frame.

    faces: list of n (68, 2) arrays, px. Returns float64 (n, 2), whole px, as stock rounds them; NaN where a fit is
    impossible. Equals the way over landmarks.alignment_matrix: float32 where stock's corners are float32.
    Umeyama 1991, doi 10.1109/34.88573: in the plane his rotation and scale are one complex number, the sum of
    model times conjugate points over the sum of squares.
    """
    points = np.array([face[_ALIGN] for face in faces], np.float64)
    points = points[..., 0] + 1j * points[..., 1]
    model = (_MODEL - _MODEL_MEAN).astype(np.float64)
    model = model[:, 0] + 1j * model[:, 1]
    mean = points.mean(axis=1)
    points -= mean[:, None]
    with np.errstate(all="ignore"):
        turn = (points.conj() @ model) / (points.real ** 2 + points.imag ** 2).sum(axis=1)
        shift = complex(*_MODEL_MEAN) - turn * mean
        turn, shift = 1 / turn, -shift / turn  # from the model to the frame
        middle = _middle(turn, shift)
    middle[~np.isfinite(middle).all(axis=1)] = np.nan
    for row, face in enumerate(faces):
        if face.dtype == np.float32:  # stock fits these in float32
            matrix = cv2.invertAffineTransform(landmarks.alignment_matrix(face, _SIDE, "full_face"))
            middle[row] = np.rint(matrix @ (_MIDDLE, _MIDDLE, 1))
    return middle


def _middle(turn, shift):
    """Whole px of the middle for each model-to-frame transform, complex (n,) each."""
    cosine, sine = turn.real.astype(np.float32), turn.imag.astype(np.float32)
    shift = np.stack([shift.real, shift.imag], axis=1).astype(np.float32)
    half = np.float32(0.5)
    corner = np.stack([cosine - sine, sine + cosine], axis=1) + shift
    centre = np.stack([half * cosine - half * sine, half * sine + half * cosine], axis=1) + shift
    diagonal = corner - shift
    length = np.sqrt((diagonal * diagonal).sum(axis=1))
    reach = (length.astype(np.float64) * (_PADDING * math.sqrt(2.0) + 0.5)).astype(np.float32)
    step = diagonal / length[:, None] * reach[:, None]
    begin, end = (centre - step).astype(np.float64), (centre + step).astype(np.float64)
    return np.rint(begin + (end - begin) * (_MIDDLE / _SIDE))
