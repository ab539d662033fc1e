"""Oracles for reading DFL metadata and for the sorts that need nothing else.

Metadata is unpickled as it comes: only for files that the tests made themselves.
"""
import pickle
import re
from pathlib import Path

from . import landmarks as naive_landmarks


def read_metadata(path):
    """(shape, data) of a JPG: (h, w, 3) or None, and the dict of its APP15 segment or {}."""
    data = Path(str(path)).read_bytes()
    shape, found = None, {}
    if Path(str(path)).suffix.lower() not in ('.jpg', '.jpeg') or data[:2] != b'\xff\xd8':
        return shape, found
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        length = int.from_bytes(data[position + 2:position + 4], 'big')
        body = data[position + 4:position + 2 + length]
        if marker == 0xDA:  # the scan: nothing of interest follows
            break
        if marker == 0xEF:
            found = pickle.loads(body)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            shape = (int.from_bytes(body[1:3], 'big'), int.from_bytes(body[3:5], 'big'), 3)
        position += 2 + length
    return shape, found


def pose(path):
    """(pitch, yaw, roll), rad, or None for a file without DFL data."""
    shape, data = read_metadata(path)
    if not data:
        return None
    return naive_landmarks.estimate_pitch_yaw_roll(data['landmarks'], shape[1])


def source_area(path):
    """Area of the face in its frame, px², or None for a file without DFL data."""
    data = read_metadata(path)[1]
    return naive_landmarks.rect_area(data['source_rect']) if data else None


def source_filename(path):
    """Name of the frame that the face came from, or None for a file without DFL data."""
    data = read_metadata(path)[1]
    return data['source_filename'] if data else None


def one_face(names):
    """(kept, trashed): files named number_number that share the first number with another go to trash.

    Both in the given order; (None, None) when there is nothing to trash, and then nothing is renamed either.
    """
    def number(name):
        match = re.match(r'^([0-9]+)_[0-9]+$', Path(name).stem)
        return int(match.group(1)) if match else None

    trashed = []
    for name in names:
        others = [other for other in names if other != name]
        if number(name) is not None and number(name) in [number(other) for other in others]:
            trashed.append(name)
    if not trashed:
        return None, None
    return [name for name in names if name not in trashed], trashed
