"""Extract the faces of a folder in the obvious way: one frame after the other, whole frames of floats, one process.

    python tests/naive/extract.py FRAMES ALIGNED DEBUG [--face-type TYPE] [--image-size N] [--jpeg-quality N]

Detector and aligner are the table of benchmarks/table_networks.py. Everything that follows them is done here and in
cut.py: turned frames, faces cut out, metadata, debug images.
"""
import argparse
import os
import pickle
import sys

import cv2
import numpy as np

if __package__ in (None, ''):                    # run as a script
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(1, os.path.dirname(sys.path[0]))

from benchmarks import table_networks  # noqa: E402
from naive import cut, dfl_jpeg  # noqa: E402
from naive import landmarks as naive_landmarks  # noqa: E402

TURNS = (0, 90, 270, 180)
EXTENSIONS = ('.jpg', '.jpeg', '.png', '.tif', '.tiff')
DEBUG_QUALITY = 50
WHOLE_FACE = 4              # larger ones are kept however small their rectangle is


def find(image):
    """Rectangles and landmarks of a frame, in its own pixels: list of (rect, (68, 2))."""
    for angle in TURNS:
        turned = np.ascontiguousarray(cut.rotate(image, angle)[..., ::-1])
        rects = table_networks.rects_in(turned)
        if rects:
            found = table_networks.landmarks_of(turned, rects)
            return [cut.rotate_back(rect, points, angle, image.shape[:2]) for rect, points in zip(rects, found)]
    return []


def extract_frame(image, name, face_type='whole_face', image_size=512, jpeg_quality=90):
    """Extract a frame, 8-bit BGR: (list of the faces' files, debug image)."""
    number, = [number for number, text in cut.NAMES.items() if text == face_type]
    debug, files = image, []
    for rect, points in find(image):
        points = np.array(points)
        matrix = np.array(naive_landmarks.alignment_matrix(points, image_size, face_type))
        if number < WHOLE_FACE and cut.oversize(matrix, image_size, rect) > 4:
            continue
        debug = cut.draw_face(debug, rect, points, matrix, image_size, darken_hull=True)
        jpg = encode(cut.picture(image, matrix, image_size), jpeg_quality)
        files.append(dfl_jpeg.replace(jpg, pickle.dumps({
            'face_type': face_type, 'landmarks': cut.move(points, matrix), 'source_filename': name,
            'source_rect': np.array(rect), 'source_landmarks': points.tolist(), 'image_to_face_mat': matrix}, 4)))
    return files, debug


def encode(picture, quality):
    """A picture as the bytes of a JPG."""
    return cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def extract_folder(frames, aligned, debug, **settings):
    """Extract all frames of a folder into two others, which exist."""
    for name in sorted(os.listdir(frames)):
        stem, extension = os.path.splitext(name)
        if extension.lower() not in EXTENSIONS:
            continue
        files, drawn = extract_frame(cv2.imread(os.path.join(frames, name)), name, **settings)
        for index, content in enumerate(files):
            write(os.path.join(aligned, '{}_{}.jpg'.format(stem, index)), content)
        write(os.path.join(debug, stem + '.jpg'), encode(drawn, DEBUG_QUALITY))


def write(path, content):
    with open(path, 'wb') as stream:
        stream.write(content)


def main(words=None):
    parser = argparse.ArgumentParser()
    for name in ('frames', 'aligned', 'debug'):
        parser.add_argument(name)
    parser.add_argument('--face-type', choices=sorted(naive_landmarks.PADDING), default='whole_face')
    parser.add_argument('--image-size', type=int, default=512)
    parser.add_argument('--jpeg-quality', type=int, default=90)
    extract_folder(**vars(parser.parse_args(words)))


if __name__ == '__main__':
    main()
