"""Oracles for packing: what the list of a faceset.pak says of a face, and where the bytes of the faces lie."""
import struct

import numpy as np

FACE_TYPES = {'half_face': 0, 'midfull_face': 1, 'full_face': 2, 'full_face_no_align': 3, 'whole_face': 4, 'head': 10,
              'head_no_align': 20, 'mark_only': 100}


def config_of(shape, data, name, person):
    """The dict of one face, enums as ints. data: its metadata."""
    polygons = []
    for wanted in (1, 0):
        for polygon in data.get('seg_ie_polys', {'polys': []})['polys']:
            if polygon['type'] == wanted:
                polygons.append({'type': wanted, 'pts': np.array(polygon['pts'], np.float32)})
    return {
        'sample_type': 1, 'filename': name, 'face_type': FACE_TYPES[data.get('face_type', 'full_face')], 'shape': shape,
        'landmarks': [[float(x), float(y)] for x, y in data['landmarks']], 'seg_ie_polys': {'polys': polygons},
        'xseg_mask': None, 'xseg_mask_compressed': data.get('xseg_mask'),
        'eyebrows_expand_mod': data.get('eyebrows_expand_mod', 1.0), 'source_filename': data.get('source_filename'),
        'person_name': person}


def tail(list_length, contents):
    """What follows the list: offsets from the start of the data, but for the last: from the start of the file."""
    offsets, position = [], 0
    for content in contents:
        offsets.append(position)
        position += len(content)
    offsets.append(16 + list_length + 8 * (len(contents) + 1) + position)
    return b''.join(struct.pack('<Q', offset) for offset in offsets) + b''.join(contents)
