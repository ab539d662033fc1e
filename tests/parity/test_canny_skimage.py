"""scikit-image as the judge of the Canny edges that the sharpness metric counts.

Stock uses release 0.14.2, which is what Python 3.6 gets from requirements-dev.txt. Later releases take the
magnitude as a plain root of squares and suppress non-maxima in compiled code: a pixel that is exactly as
strong as a neighbour may then change sides in the last bit. On these images none does up to 0.26, so the
comparison is exact for all.
"""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.feature import canny

from accel.ranking import canny as accel_canny
from naive import metadata as naive_metadata
from naive import sharpness as naive_sharpness
from naive import sort as naive_sort

GOLDEN = Path(__file__).resolve().parent.parent / 'data' / 'sort'
VALUES = json.loads((GOLDEN / 'expected.json').read_text())['values']
FACES = sorted(name for name in VALUES if 'pitch' in VALUES[name])[::5]


def masked_face(name):
    path = GOLDEN / 'aligned' / name
    points = naive_metadata.read_metadata(path)[1]['landmarks']
    return cv2.cvtColor(naive_sharpness.masked(naive_sort.read_image(path), points), cv2.COLOR_BGR2GRAY)


def square():
    image = np.zeros((70, 80), np.uint8)
    image[20:60, 10:50] = 200
    return image


IMAGES = {
    'square': square(),
    'ramp': np.tile(np.arange(80, dtype=np.uint8), (66, 1)),
    'stairs': np.tile((np.arange(80) // 8 * 20).astype(np.uint8), (66, 1)).T.copy(),
    'two grey levels': np.random.RandomState(0).randint(0, 2, (70, 67)).astype(np.uint8),
    'black and white': np.random.RandomState(1).randint(0, 2, (70, 67)).astype(np.uint8) * 255,
    'noise': np.random.RandomState(2).randint(0, 256, (67, 90)).astype(np.uint8),
    'faint noise': np.random.RandomState(3).randint(99, 102, (67, 90)).astype(np.uint8),
    'flat': np.full((70, 70), 7, np.uint8),
}


@pytest.mark.parametrize('edges_of', [naive_sharpness.canny, accel_canny.canny_edges],
                         ids=['oracle', 'engine'])
@pytest.mark.parametrize('name', sorted(IMAGES) + FACES)
def test_edges_are_those_of_skimage(name, edges_of):
    image = IMAGES[name] if name in IMAGES else masked_face(name)
    ref = canny(image.astype(np.float64))
    comp = edges_of(image)
    assert np.array_equal(comp, ref)
