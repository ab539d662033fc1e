"""Oracle for the samples of a folder: whole files, plain dicts, Python's own pickle. For files of the tests alone."""
import os

import cv2
import numpy as np

from . import metadata

FACE_TYPES = {'half_face': 0, 'midfull_face': 1, 'full_face': 2, 'full_face_no_align': 3, 'whole_face': 4, 'head': 10,
              'head_no_align': 20, 'mark_only': 100}


def image_paths(folder, subdirs):
    """Paths of the images of a folder and, with subdirs, of those below it; links to folders are not followed."""
    found = []
    for inside, folders, names in os.walk(str(folder)):
        if not subdirs:
            folders[:] = []
        found += [os.path.join(inside, name) for name in names
                  if name.lower().endswith(('.jpg', '.jpeg', '.png', '.tif', '.tiff'))]
    return sorted(found)


def sorted_polygons(listed):
    """(type, points) of each polygon: those that include, then those that exclude, each in their order."""
    pairs = [(one['type'], one['pts']) for one in listed['polys']] if isinstance(listed, dict) else listed or []
    return ([(kind, points) for kind, points in pairs if kind == 1]
            + [(kind, points) for kind, points in pairs if kind == 0])


def load(path):
    """What is known of a face (dict), None for a file that is none."""
    shape, data = metadata.read_metadata(path)
    if not data:
        return None
    return {'filename': path, 'face_type': FACE_TYPES[data.get('face_type', 'full_face').lower()], 'shape': shape,
            'landmarks': np.array(data['landmarks']), 'polygons': sorted_polygons(data.get('seg_ie_polys')),
            'mask': data.get('xseg_mask'), 'eyebrows_expand_mod': data.get('eyebrows_expand_mod', 1.0),
            'source_filename': data.get('source_filename')}


def load_bgr(path):
    """The picture, float32, 0 to 1."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32) / 255.0
