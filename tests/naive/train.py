"""Load faces and make batches of them in the obvious way: one after the other, every output from the file anew.

    python tests/naive/train.py load WORKSPACE STAGE
    python tests/naive/train.py take WORKSPACE STAGE SETTINGS

The oracle of the benchmark: it writes what benchmarks/train_driver.py writes, for faces of type whole_face and outputs
of 64 px and more, of that type: pictures in colour, warped or not, the mask of the face and the mask of eyes and mouth.
OpenCV's warping, resizing, dilating and blurring are taken as given.
"""
import json
import os
import sys
import time

import cv2
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if __package__ in (None, ''):                    # run as a script
    sys.path[:1] = [os.path.join(ROOT, 'tests'), ROOT]

from benchmarks import train_settings  # noqa: E402
from naive import landmarks as naive_landmarks  # noqa: E402
from naive import metadata  # noqa: E402

FACE, WHOLE_FACE = 1, 4
PICTURE_WARPED, PICTURE, FACE_MASK, EYES_MOUTH_MASK = range(4)


# --- loading ---------------------------------------------------------------------------------

def load(folder):
    """The faces of a folder, by name: [dict of its path, size and metadata]."""
    faces = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        shape, data = metadata.read_metadata(path)
        if data:
            faces.append(dict(data, path=path, shape=shape))
    return faces


def described(face):
    """What a trainer knows of a face: {name: value}."""
    mask = face.get('xseg_mask')
    return {'sample_type': FACE, 'filename': face['path'], 'face_type': WHOLE_FACE, 'shape': list(face['shape']),
            'landmarks': [[float(x), float(y)] for x, y in face['landmarks']],
            'xseg_mask': mask is not None and [int(v) for v in np.ravel(mask)],
            'eyebrows_expand_mod': float(face.get('eyebrows_expand_mod', 1.0)),
            'source_filename': face['source_filename']}


# --- one face --------------------------------------------------------------------------------

def limited_normal(random):
    """A normal number within 2.5, then a share of 2.5: float32."""
    while True:
        number = random.normal()
        if abs(number) <= 2.5:
            return np.float32(number / 2.5)


class Warp(object):
    """How a face is warped, turned, scaled, moved and mirrored: from the random numbers of a seed."""

    def __init__(self, side, flip, scale_range, seed):
        random = np.random.RandomState(seed)
        turn = random.uniform(-10, 10)
        scale = random.uniform(1 / (1 - scale_range[0]), 1 + scale_range[1])
        shift = [random.uniform(-0.05, 0.05) * side for _ in range(2)]
        self.mirrored = flip and random.randint(10) < 4
        self.matrix = cv2.getRotationMatrix2D((side // 2, side // 2), turn, scale)
        self.matrix[0, 2] += shift[0]
        self.matrix[1, 2] += shift[1]
        self.side = side
        self.columns, self.rows = self.grid(side, np.random.RandomState(seed))

    @staticmethod
    def grid(side, random):
        """Where the pixels come from: a grid of moved points, made fine. Both moves change both directions."""
        cell = [side // 2, side // 4, side // 8][random.randint(3)]
        count = side // cell + 1
        points = np.array([np.linspace(0, side, count)] * count)
        strength = np.float32(cell * 0.24)
        for turned in (points, points.T):
            for row in range(1, count - 1):
                for column in range(1, count - 1):
                    turned[row, column] += limited_normal(random) * strength
        half = cell // 2
        return [cv2.resize(np.array(one), (side + cell, side + cell))[half:-half, half:-half].astype(np.float32)
                for one in (points, points.T)]

    def picture(self, picture, warped):
        if warped:
            picture = cv2.remap(picture, self.columns, self.rows, cv2.INTER_CUBIC)
        moved = cv2.warpAffine(picture, self.matrix, (self.side, self.side), flags=cv2.INTER_CUBIC,
                               borderMode=cv2.BORDER_REPLICATE)
        return np.clip(self.mirror(moved), 0, 1)

    def mask(self, mask):
        return self.mirror(cv2.warpAffine(mask, self.matrix, (self.side, self.side), flags=cv2.INTER_LINEAR))

    def mirror(self, image):
        return image[:, ::-1] if self.mirrored else image


def face_mask(face):
    """Where the face is: float32 (h, w), 0..1; its XSeg mask if it has one, else the hull of its landmarks."""
    height, width = face['shape'][:2]
    if face.get('xseg_mask') is None:
        hull = naive_landmarks.hull_mask(face['shape'], face['landmarks'], face.get('eyebrows_expand_mod', 1.0))
        return np.array(hull, np.float32)
    mask = cv2.imdecode(np.array(face['xseg_mask'], np.uint8), cv2.IMREAD_UNCHANGED).astype(np.float32) / 255.0
    if mask.shape != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(mask, 0, 1)


def soft_parts(face, parts):
    """The polygons of some landmarks, grown and blurred: float32 (h, w)."""
    height, width = face['shape'][:2]
    mask = np.zeros((height, width), np.float32)
    points = np.array(face['landmarks']).astype(int).astype(np.int32)
    for part in parts:
        cv2.fillConvexPoly(mask, cv2.convexHull(points[part]), 1)
    grown, blur = height // 32, height // 16
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grown, grown)))
    blur += 1 - blur % 2
    return cv2.GaussianBlur(mask, (blur, blur), 0)


def eyes_mouth_mask(face):
    """Eyes and mouth, where the face is: float32 (h, w), 0..1."""
    eyes, mouth = soft_parts(face, [slice(36, 42), slice(42, 48)]), soft_parts(face, [slice(60, 68)])
    return np.clip(eyes + mouth, 0, 1) * (face_mask(face) != 0)


def output(face, kind, side, flip, scale_range, seed):
    """One output of a face: float32 (channels, side, side), 0..1."""
    warp = Warp(side, flip, scale_range, seed)
    if kind in (PICTURE_WARPED, PICTURE):
        picture = cv2.imread(face['path']).astype(np.float32) / 255.0
        if picture.shape[1] != side:
            picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        return warp.picture(picture, kind == PICTURE_WARPED).transpose(2, 0, 1)
    mask = face_mask(face) if kind == FACE_MASK else eyes_mouth_mask(face)
    if mask.shape[1] != side:
        mask = cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR)
    mask = warp.mask(mask)
    if kind == EYES_MOUTH_MASK and mask.max() != 0:
        mask = mask / mask.max()
    return mask.astype(np.float32)[None]


# --- batches ---------------------------------------------------------------------------------

def batches(faces, batch, side, flip, seed):
    """Yield batches of four outputs, as SAEHD asks for them: lists of arrays."""
    random, choice, left = np.random.RandomState(seed), np.random.RandomState(seed), []
    while True:
        made = []
        for _ in range(batch):
            if not left:
                left = list(range(len(faces)))
                choice.shuffle(left)
            face, face_seed = faces[left.pop()], random.randint(0x80000000)
            made.append([output(face, kind, side, flip, (-0.15, 0.15), face_seed) for kind in range(4)])
        yield [np.array([outputs[kind] for outputs in made]) for kind in range(4)]


def take(workspace, stage, settings):
    """Take batches of both folders in turn: what the report says (dict)."""
    made = [batches(load(train_settings.faces_folder(workspace, name)), settings.batch, settings.resolution,
                    name == 'data_dst', seed) for seed, name in enumerate(train_settings.FOLDERS, 1)]
    arrays = [array for one in made for array in next(one)]
    report = {'ready': time.time(), 'arrays': [train_settings.digest_of(array) for array in arrays]}
    np.savez(os.path.join(stage, train_settings.FIRST), *[array[:train_settings.KEPT] for array in arrays])
    waited, began = 0.0, time.perf_counter()
    for _ in range(settings.rounds):
        asked = time.perf_counter()
        for one in made:
            next(one)
        waited += time.perf_counter() - asked
        time.sleep(settings.network or 0)
    return dict(report, seconds=time.perf_counter() - began, waited=waited, faces=train_settings.faces(settings))


def main(kind, workspace, stage, settings=None):
    if kind == 'load':
        began = time.perf_counter()
        faces = load(train_settings.faces_folder(workspace, 'data_src'))
        report = {'ended': time.time(), 'seconds': time.perf_counter() - began, 'faces': len(faces),
                  'fields': train_settings.digests(described(face) for face in faces)}
    else:
        report = take(workspace, stage, train_settings.Settings(**json.loads(settings)))
    train_settings.write_report(stage, report)


if __name__ == '__main__':
    main(*sys.argv[1:])
