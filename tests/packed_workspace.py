"""Folders of small faces to pack, and what is in them."""
import collections
import hashlib
import os

import cv2
import numpy as np
from accel import dfl_jpeg, faceset
from naive import faceset as naive_faceset

TYPES = ('whole_face', 'full_face', 'head', 'half_face', 'midfull_face', 'head_no_align')


def picture(number, size=24):
    """A small JPG (bytes) that no other number gives."""
    image = np.random.RandomState(number).randint(0, 255, (size, size + number % 3, 3)).astype(np.uint8)
    return cv2.imencode('.jpg', image)[1].tobytes()


def face(number, **changes):
    """A face (bytes): every third has polygons, every fourth an XSeg mask. changes: of its metadata."""
    random = np.random.RandomState(number)
    data = {'face_type': TYPES[number % len(TYPES)], 'landmarks': (random.rand(68, 2) * 24).tolist(),
            'source_filename': '{:05}.png'.format(number), 'source_rect': [1, 2, 30, 40],
            'source_landmarks': random.rand(68, 2).tolist(), 'eyebrows_expand_mod': 1.0 + number % 2 / 4}
    if number % 3 == 0:
        data['seg_ie_polys'] = {'polys': [{'type': kind, 'pts': random.rand(count, 2).astype(np.float32)}
                                          for kind, count in ((0, 3), (1, 5), (0, 0))]}
    if number % 4 == 0:
        data['xseg_mask'] = cv2.imencode('.png', (random.rand(16, 16) * 255).astype(np.uint8))[1]
    return dfl_jpeg.replace_metadata(picture(number), dict(data, **changes))


def fill(folder, count, first=0):
    """Write faces into a folder, which is made. Return {name: bytes}."""
    os.makedirs(str(folder), exist_ok=True)
    written = {'{:05}_0.jpg'.format(number): face(number) for number in range(first, first + count)}
    for name, content in written.items():
        (folder / name).write_bytes(content)
    return written


def tree(folder):
    """{path below a folder: bytes} of all its files."""
    found = {}
    for place, _, names in os.walk(str(folder)):
        for name in names:
            path = os.path.join(place, name)
            with open(path, 'rb') as stream:
                found[os.path.relpath(path, str(folder)).replace(os.sep, '/')] = stream.read()
    return found


def contents(folder):
    """Counter of the hashes of all files in a folder; of a faceset.pak, of what is in it."""
    found = collections.Counter()
    for name, content in tree(folder).items():
        packed = [content]
        if os.path.basename(name) == faceset.PAK_NAME:
            packed = [raw for _, raw in naive_faceset.read(os.path.join(str(folder), name))]
        found.update(hashlib.sha1(one).hexdigest() for one in packed)
    return found
