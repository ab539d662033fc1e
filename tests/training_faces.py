"""Faces as DeepFaceLab writes them, made by hand: JPEG files with metadata, their pickles by Python's own module."""
import pickle

import cv2
import numpy as np


def metadata(seed=0, side=64, **changes):
    """The metadata of a face as stock's extractor writes it, changed; a change to None drops the key."""
    state = np.random.RandomState(seed)
    data = {'face_type': 'whole_face', 'landmarks': (state.rand(68, 2) * side).tolist(),
            'source_filename': '{:05d}.png'.format(seed), 'source_rect': state.randint(0, 900, 4),
            'source_landmarks': (state.rand(68, 2) * 1000).tolist(), 'image_to_face_mat': state.rand(2, 3)}
    data.update(changes)
    return {key: value for key, value in data.items() if value is not None}


def picture(seed=0, side=64):
    """A picture (uint8 (side, side, 3)) that compresses a little."""
    small = np.random.RandomState(seed).randint(0, 256, (8, 8, 3)).astype(np.uint8)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)


def face(data, seed=0, side=64, extension='.jpg', before=b''):
    """A JPEG file (bytes) with this metadata: a dict, or the bytes that stand for it. before: other segments."""
    encoded = cv2.imencode(extension, picture(seed, side))[1].tobytes()
    content = data if isinstance(data, bytes) else pickle.dumps(data, 3)
    app0_end = 4 + int.from_bytes(encoded[4:6], 'big')
    return (encoded[:app0_end] + before + b'\xff\xef' + (len(content) + 2).to_bytes(2, 'big') + content
            + encoded[app0_end:])


def mask(seed=0, side=48):
    """An XSeg mask as it is stored: uint8 (N, 1), an encoded PNG."""
    image = np.random.RandomState(seed).randint(0, 256, (side, side)).astype(np.uint8)
    return cv2.imencode('.png', image)[1].reshape(-1, 1)


def polygons(count=2, seed=0):
    """Polygons as stock's SegIEPolys.dump gives them, those that exclude first."""
    state = np.random.RandomState(seed)
    return {'polys': [{'type': number % 2, 'pts': (state.rand(3 + number, 2) * 64).astype(np.float32)}
                      for number in range(count)]}


def write(folder, count=5, **changes):
    """Write some faces into a folder (a pathlib.Path); return their paths (list of str), sorted."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / '{:05d}_0.jpg'.format(number)
        path.write_bytes(face(metadata(number, **changes), number))
        paths.append(str(path))
    return paths
