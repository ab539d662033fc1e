"""Rank a folder of faces with the oracles, moving nothing.

    python tests/naive/sort.py METHOD FOLDER [--target N] [--dissimilar]

prints {"sorted": [names], "trash": [names]} as JSON. Methods are those of `main.py sort`. Files that cannot
be decoded go to trash where the method needs pixels; equal values are in the order of file names. Metadata is
unpickled as it comes, so only for folders whose origin is known.
"""
import argparse
import hashlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np

if __package__ in (None, ''):  # run as a script: this folder's modules must not hide others of the same name
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from naive import absdiff, best, histogram, metadata, pixels, sharpness  # noqa: E402

_SHARPNESS = {}    # of what has been measured
EXTENSIONS = ('.jpg', '.jpeg', '.png', '.tif', '.tiff')


def image_names(folder):
    """Names of the image files in the folder, sorted."""
    return sorted(path.name for path in Path(str(folder)).iterdir()
                  if path.is_file() and path.suffix.lower() in EXTENSIONS)


def read_image(path):
    """The image with the channels and depth that it has, or None."""
    data = np.frombuffer(Path(str(path)).read_bytes(), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None


def rank_by_value(folder, value, descending=True):
    """(sorted, trash) by value(path); files whose value is None go to trash."""
    values = {name: value(Path(str(folder)) / name) for name in image_names(folder)}
    ranked = sorted([n for n in values if values[n] is not None], key=lambda n: values[n], reverse=descending)
    return ranked, [n for n in values if values[n] is None]


def blur_value(path):
    return _face_value(path, masked_sharpness)


def masked_sharpness(image, landmarks):
    """As sharpness.masked_sharpness, which takes a tenth of a second: once for all the methods that ask for it."""
    key = hashlib.sha1(image.tobytes() + repr((image.shape, landmarks)).encode('utf-8')).digest()
    if key not in _SHARPNESS:
        _SHARPNESS[key] = sharpness.masked_sharpness(image, landmarks)
    return _SHARPNESS[key]


def motion_blur_value(path):
    return _face_value(path, sharpness.motion_blur)


def _face_value(path, measure):
    """The measure of a DFL face, or None when there is no face or nothing to measure (0)."""
    data = metadata.read_metadata(path)[1]
    image = read_image(path) if data else None
    if image is None:
        return None
    return measure(image, data['landmarks']) or None


def _pixel_value(measure):
    def value(path):
        image = read_image(path)
        return None if image is None else measure(image)
    return value


def _pose_value(number):
    def value(path):
        angles = metadata.pose(path)
        return None if angles is None else angles[number]
    return value


def rank_by_histograms(folder, histograms, order):
    """(sorted, trash) by order([histograms(path, image), ...]); undecodable files go to trash."""
    names, found, trash = [], [], []
    for name in image_names(folder):
        path = Path(str(folder)) / name
        image = read_image(path)
        if image is None:
            trash.append(name)
        else:
            names.append(name)
            found.append(histograms(path, image))
    return [names[i] for i in order(found)], trash


def colour_histograms(_path, image):
    """Histograms of B, G, R; of 16-bit colour only values below 256, as in stock; grey counts three times."""
    if image.ndim == 2:
        image = pixels.as_bgr8(image)
    return [histogram.histogram(image[..., channel]) for channel in range(3)]


def masked_grey_histogram(path, image):
    """Histogram of the grey image, zero outside of the hull when the file holds a face."""
    if image.ndim == 2:
        image = pixels.as_bgr8(image)
    data = metadata.read_metadata(path)[1]
    if data:
        image = sharpness.masked(image, data['landmarks'])
    return histogram.histogram(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def rank_absdiff(folder, similar):
    """(sorted, trash) by absolute differences; grey counts as three equal channels."""
    names, images, trash = [], [], []
    for name in image_names(folder):
        image = read_image(Path(str(folder)) / name)
        if image is None:
            trash.append(name)
        else:
            names.append(name)
            images.append(np.dstack([image] * 3) if image.ndim == 2 else image)
    return [names[i] for i in absdiff.chain(images, similar)], trash


def rank_best(folder, target, by_area):
    """(sorted, trash) of best faces; sharpness is the source rectangle's area when `by_area`."""
    names, faces, trash = [], [], []
    for name in image_names(folder):
        path = Path(str(folder)) / name
        data = metadata.read_metadata(path)[1]
        image = read_image(path) if data else None
        if image is None or image.ndim == 2:  # stock's loader fails on a grey file and trashes it
            trash.append(name)
            continue
        pitch, yaw, _ = metadata.pose(path)
        area = metadata.source_area(path) if by_area else None
        names.append(name)
        faces.append({'sharpness': area if by_area else masked_sharpness(image, data['landmarks']),
                      'hist': histogram.histogram(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)),
                      'yaw': yaw, 'pitch': pitch})
    chosen, rest = best.select(faces, target)
    return [names[i] for i in chosen], trash + [names[i] for i in rest]


def rank_one_face(folder):
    kept, trashed = metadata.one_face(image_names(folder))
    return kept or [], trashed or []


METHODS = {
    'blur': lambda folder, _: rank_by_value(folder, blur_value),
    'motion-blur': lambda folder, _: rank_by_value(folder, motion_blur_value),
    'face-yaw': lambda folder, _: rank_by_value(folder, _pose_value(1)),
    'face-pitch': lambda folder, _: rank_by_value(folder, _pose_value(0)),
    'face-source-rect-size': lambda folder, _: rank_by_value(folder, metadata.source_area),
    'hist': lambda folder, _: rank_by_histograms(folder, colour_histograms, histogram.similarity_order),
    'hist-dissim': lambda folder, _: rank_by_histograms(folder, masked_grey_histogram,
                                                        histogram.dissimilarity_order),
    'brightness': lambda folder, _: rank_by_value(folder, _pixel_value(pixels.brightness)),
    'hue': lambda folder, _: rank_by_value(folder, _pixel_value(pixels.hue)),
    'black': lambda folder, _: rank_by_value(folder, _pixel_value(pixels.black), descending=False),
    'origname': lambda folder, _: rank_by_value(folder, metadata.source_filename, descending=False),
    'oneface': lambda folder, _: rank_one_face(folder),
    'absdiff': lambda folder, options: rank_absdiff(folder, not options.dissimilar),
    'final': lambda folder, options: rank_best(folder, options.target, False),
    'final-fast': lambda folder, options: rank_best(folder, options.target, True),
}


def rank(method, folder, target=2000, similar=True):
    """(sorted, trash): names as `main.py sort --by METHOD` would order and trash them."""
    return METHODS[method](folder, argparse.Namespace(target=target, dissimilar=not similar))


def main(arguments=None):
    parser = argparse.ArgumentParser(description='Rank a folder of faces by the oracles, moving nothing.')
    parser.add_argument('method', choices=list(METHODS))
    parser.add_argument('folder')
    parser.add_argument('--target', type=int, default=2000, help='number of faces for final and final-fast')
    parser.add_argument('--dissimilar', action='store_true', help='absdiff: most different next')
    options = parser.parse_args(arguments)
    ranked, trash = rank(options.method, options.folder, options.target, not options.dissimilar)
    print(json.dumps({'sorted': ranked, 'trash': trash}))


if __name__ == '__main__':
    main()
