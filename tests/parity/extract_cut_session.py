"""Cuts generated faces out of generated frames, by stock's stages or by ours, into a folder.

    python extract_cut_session.py stock|ours OUTPUT_FOLDER IMPORTED_FROM

IMPORTED_FROM: a stock tree, or our DeepFaceLab. Each case is a folder with the faces, debug.jpg and stages.json;
the same session with stock's and with ours shall leave the same bytes. The same random numbers come out of every numpy.
"""
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np

NAMES = ('плёнка 01.png', 'a.b.jpg')
CASES = 40
ANGLES = (0, 90, 270, 180)      # in the order in which stock turns a frame


def landmarks(random):
    """A made-up face around (0, 0), about 1 to each side: brows, eyes, nose and mouth in their places, with noise."""
    arcs = [((-1, 0), (1, 0), 17, 1.2), ((-.8, -.5), (-.2, -.5), 5, -.15), ((.2, -.5), (.8, -.5), 5, -.15),
            ((0, -.3), (0, .2), 4, 0), ((-.2, .3), (.2, .3), 5, .05), ((-.6, -.3), (-.3, -.3), 6, -.1),
            ((.3, -.3), (.6, -.3), 6, -.1), ((-.4, .6), (.4, .6), 20, .2)]
    points = []
    for start, end, count, sag in arcs:
        share = np.linspace(0, 1, count)[:, None]
        points.append(np.array(start) * (1 - share) + np.array(end) * share + sag * 4 * share * (1 - share) * [0, 1])
    return np.concatenate(points) + random.normal(0, 0.03, (68, 2))


def frame(random, number):
    """A frame of noise and gradients: colour, or now and then grey or with alpha; odd sizes too."""
    height, width = random.randint(128, 300, 2)
    shape = (height, width, (3, 3, 4, 1)[number % 4])
    image = random.randint(0, 80, shape) + np.linspace(0, 170, width)[:, None]
    return image.astype(np.uint8)[..., 0] if shape[2] == 1 else image.astype(np.uint8)


def case(number):
    """(frame, [rectangle], [landmarks or None], face type, size, quality, manual, angle at which it is found)."""
    random = np.random.RandomState(number)
    image = frame(random, number)
    rects, marks = [], []
    for face in range(random.randint(1, 4)):
        radius = random.choice([4, 30, 60, 500])
        turn = random.uniform(-3.2, 3.2)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        points = landmarks(random).dot(rotation) * radius + random.uniform(-60, 360, 2)
        centre, side = points.mean(axis=0), radius * random.choice([0.2, 0.5, 1, 1])
        rects.append(tuple(int(one) for one in [*(centre - side), *(centre + side * 1.1)]))
        marks.append(None if random.randint(6) == 0 else points)
    kind = (0, 1, 2, 3, 4, 10, 20, 100)[number % 8]
    return (image, rects, marks, kind, int(random.choice([64, 256, 513])), int(random.choice([1, 75, 90, 100])),
            number % 3 == 0, ANGLES[number % 4])


def digest(array):
    return [str(array.dtype), list(array.shape), hashlib.sha1(np.ascontiguousarray(array).tobytes()).hexdigest()]


def report(folder, prepared, seen, rects, marks):
    """Note what a frame was made to, how it was shown to the detector, and what was found in the end."""
    told = {'prepared': digest(prepared), 'seen': [digest(one) for one in seen], 'rects': [list(one) for one in rects],
            'marks': [None if one is None else one.tolist() for one in marks]}
    (folder / 'stages.json').write_text(json.dumps(told, indent=1))


def play_stock(folder, number):
    from core import imagelib
    from facelib import FaceType
    from mainscripts.Extractor import ExtractSubprocessor
    image, rects, marks, kind, size, quality, manual, angle = case(number)
    image = imagelib.cut_odd_image(imagelib.normalize_channels(image, 3))
    seen = []

    class Detector(object):
        def extract(self, turned, is_bgr):
            seen.append(turned)
            return list(rects) if len(seen) > ANGLES.index(angle) else []

    class Aligner(object):
        def extract(self, turned, found, detector, is_bgr):
            seen.append(turned)
            return list(marks)

    data = ExtractSubprocessor.Data(Path(NAMES[number % 2]), manual=manual)
    stages = ExtractSubprocessor.Cli
    stages.rects_stage(data, image, 0, Detector())
    stages.landmarks_stage(data, image, Aligner(), None)
    report(folder, image, seen, data.rects, data.landmarks)
    (folder / 'debug').mkdir()
    stages.final_stage(data, image, FaceType(kind), size, quality, folder / 'debug', folder)


def play_ours(folder, number):
    from accel.extract import cut, debug_image
    image, rects, marks, kind, size, quality, manual, angle = case(number)
    image = cut.prepare(image)
    seen = [cut.rotate(image, turn) for turn in ANGLES[:ANGLES.index(angle) + 1] + (angle,)]
    back = [cut.rotate_back(rect, points, angle, image.shape[:2]) for rect, points in zip(rects, marks)]
    rects, marks = [rect for rect, _ in back], [points for _, points in back]
    report(folder, image, seen, rects, marks)
    options = cut.FaceSettings(kind, size, quality)
    faces = cut.cut_faces(image, rects, marks, options, manual)
    name = Path(NAMES[number % 2])
    for index, face in enumerate(faces):
        (folder / '{}_{}.jpg'.format(name.stem, index)).write_bytes(cut.encode(face, options, name.name))
    debug_image.draw_faces(image, faces, options)
    (folder / 'debug').mkdir()
    (folder / 'debug' / (name.stem + '.jpg')).write_bytes(debug_image.encode(image))


def main(side, folder, imported_from):
    sys.path.insert(0, imported_from)
    for number in range(CASES):
        place = Path(folder) / str(number)
        os.makedirs(str(place))
        {'stock': play_stock, 'ours': play_ours}[side](place, number)


if __name__ == '__main__':
    main(*sys.argv[1:])
