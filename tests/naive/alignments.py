"""Oracle for what a merge has to know before it starts: faces by frame, and their motion. In double precision."""
import math
from pathlib import Path

from . import landmarks as naive_landmarks
from . import metadata as naive_metadata


def faces_by_frame(paths):
    """Dict: stem of a frame -> list of the landmarks of its faces, [68][2]; files that are no faces left out."""
    result = {}
    for path in paths:
        data = naive_metadata.read_metadata(path)[1]
        if data and 'source_filename' in data:
            stem = Path(data['source_filename']).stem
            result.setdefault(stem, []).append([[float(x), float(y)] for x, y in data['source_landmarks']])
    return result


def centre(face):
    """(x, y) in the frame, px, of the pixel (127, 127) of the face aligned as full_face to 256 px."""
    (a, b, c), (d, e, f) = naive_landmarks.alignment_matrix(face, 256, 'full_face')
    x, y = 127 - c, 127 - f
    determinant = a * e - b * d
    return (e * x - b * y) / determinant, (a * y - d * x) / determinant


def motions(faces):
    """(degrees, px) of each frame, from the whole px of the centres before and behind it.

    faces: landmarks of the first face of each frame, None without one.
    """
    result = []
    for i in range(len(faces)):
        trio = [faces[max(i - 1, 0)], faces[i], faces[min(i + 1, len(faces) - 1)]]
        if None in trio:
            result.append((0, 0))
            continue
        (x0, y0), _, (x1, y1) = [[round(value) for value in centre(face)] for face in trio]
        result.append((-math.degrees(math.atan2(y1 - y0, x1 - x0)), math.hypot(x1 - x0, y1 - y0)))
    return result
