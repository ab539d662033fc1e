"""Orders that need no pixels: pose, size of the source rectangle, original file name."""
import collections
import math
import os

from . import NotRankable, Ranking, by_value, faces

# Parsing holds the interpreter lock: two threads take 1.7 times as long as one.
PARSING_WORKERS = 1


def pose_of(path, metadata):
    """(pitch, yaw, roll) of a face, radians. Raises NotRankable where its landmarks give none."""
    from .. import landmarks  # here: it loads cv2, which the other orders do without
    # stock passes the image's width
    width = metadata.shape[1] if metadata.shape else faces.read_pixels(path).shape[1]
    pose = landmarks.estimate_pitch_yaw_roll(faces.need(metadata, 'landmarks', path), width)
    if not all(map(math.isfinite, pose)):
        raise NotRankable('{}: its landmarks give no pose'.format(os.path.basename(path)))
    return pose


def _rank(paths, measure, descending=True, workers=None):
    measured = faces.measure(paths, measure, workers=workers)
    return Ranking(by_value(measured.ranked, descending), measured.trashed)


def rank_face_pitch(paths):
    """Faces looking up first. Values: pitch, radians."""
    return _rank(paths, lambda path: pose_of(path, faces.read_metadata(path))[0])


def rank_face_yaw(paths):
    """Faces looking to one side first, to the other last. Values: yaw, radians."""
    return _rank(paths, lambda path: pose_of(path, faces.read_metadata(path))[1])


def rank_source_rect_size(paths):
    """Largest face in its frame first. Values: px² of the rectangle, float32 arithmetic."""
    from .. import landmarks

    def area(path):
        return landmarks.rect_area(faces.need(faces.read_metadata(path), 'source_rect', path))
    return _rank(paths, area, workers=PARSING_WORKERS)


def rank_origname(paths):
    """By the name of the frame that the face was found in."""
    def name(path):
        return str(faces.need(faces.read_metadata(path), 'source_filename', path))
    return _rank(paths, name, descending=False, workers=PARSING_WORKERS)


def split_frame_name(path):
    """(frame, face) of a file named number_number, else None."""
    parts = os.path.splitext(os.path.basename(path))[0].split('_')
    if len(parts) == 2 and parts[0].isdecimal() and parts[1].isdecimal():
        return int(parts[0]), int(parts[1])
    return None


def rank_oneface(paths):
    """Keep the faces that are alone in their frame; those that share it are trashed.

    Looks only at names of the form frame_face. Other files stay. Where nothing is to
    be trashed, both lists are empty, as stock leaves the folder as it is then.
    """
    names = {path: split_frame_name(path) for path in paths}
    faces_of = collections.Counter(name[0] for name in names.values() if name is not None)
    crowded = {path for path, name in names.items() if name is not None and faces_of[name[0]] > 1}
    if not crowded:
        return Ranking([], [])
    return Ranking([(path, 0) for path in paths if path not in crowded],
                   [(path, 'shares its frame with another face') for path in paths if path in crowded])
