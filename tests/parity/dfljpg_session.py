"""Plays one session with a DFLJPG class and prints all that it answered and wrote, as JSON.

    python dfljpg_session.py FOLDER IMPORTED_FROM...

Works on the files of FOLDER in place. IMPORTED_FROM: folders for sys.path, of which the first that has
DFLIMG gives the class. The same session with stock's and with ours shall print the same.
"""
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np


def digest(data):
    return hashlib.sha1(bytes(data)).hexdigest()


def shown(value):
    """A value as JSON, exact."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), digest(value.tobytes())]
    if isinstance(value, dict):
        return [[key, shown(one)] for key, one in value.items()]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__] + [shown(one) for one in value]
    return repr(value)


def answers(face):
    """All that a face says about itself."""
    told = {name: shown(getattr(face, 'get_' + name)()) for name in (
        'dict', 'shape', 'img', 'face_type', 'eyebrows_expand_mod', 'source_filename', 'source_rect',
        'image_to_face_mat', 'xseg_mask', 'xseg_mask_compressed')}
    if face.has_data():
        told['landmarks'] = shown([face.get_landmarks(), face.get_source_landmarks()])
    told['has'] = [face.has_data(), face.has_seg_ie_polys(), face.has_xseg_mask()]
    told['polys'] = shown(face.get_seg_ie_polys().dump())
    return told


def change_everything(face, SegIEPolys, random):
    """Set every value, as stock's tools do."""
    face.set_face_type('head')
    face.set_landmarks(random.rand(68, 2))
    face.set_eyebrows_expand_mod(1.25)
    face.set_source_rect([1, 2, 300, 70000])
    face.set_source_landmarks(random.rand(68, 2).tolist())
    face.set_image_to_face_mat(random.rand(2, 3))
    face.set_source_filename('кадр 1.png')
    polys = SegIEPolys()
    for kind in (1, 0):
        poly = polys.add_poly(kind)
        for x, y in random.rand(5, 2) * 100:
            poly.add_pt(x, y)
    face.set_seg_ie_polys(polys)
    size = int(random.randint(40, 300))
    face.set_xseg_mask(random.rand(size, size, 3)[..., :random.randint(1, 4)])


def session(path, DFLIMG, SegIEPolys, random):
    """The story of one file."""
    face = DFLIMG.load(path)
    if face is None:
        return [None]
    story = [answers(face)]
    face.save()
    story.append(digest(path.read_bytes()))
    change_everything(face, SegIEPolys, random)
    face.save()
    story += [digest(path.read_bytes()), answers(DFLIMG.load(path))]
    face.set_xseg_mask(None)
    face.set_seg_ie_polys(SegIEPolys())
    face.set_source_rect(None)
    face.save()
    comp = DFLIMG.load(path, loader_func=lambda name: path.read_bytes())
    return story + [digest(path.read_bytes()), answers(comp)]


def main(folder, imported_from):
    sys.path[:0] = imported_from
    from core.imagelib import SegIEPolys
    from DFLIMG import DFLIMG
    stories = {}
    for index, name in enumerate(sorted(os.listdir(folder))):
        random = np.random.RandomState(index)
        stories[name] = session(Path(folder) / name, DFLIMG, SegIEPolys, random)
    print('STORIES ' + json.dumps(stories))


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:])
