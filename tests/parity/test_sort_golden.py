"""Stock's answers for 44 faces (numpy 1.19.3, OpenCV 4.1.0): the engine's and the oracles' orders and values.

All orders are compared exactly, whatever the versions. That is possible because OpenCV 4.1 and 5.0 decode
these JPGs to the same pixels and all else is integers or double precision, but for three values with a
tolerance:

- pose: the solver of OpenCV 5 stops up to 5e-5 rad elsewhere, which swaps no two of these faces; OpenCV 4.1
  is exact.
- motion blur: a squared mean is taken from a mean of squares; 1e-9 of the value is far above its rounding.
- alignment matrices: float32 dot products, whose order of sums depends on the BLAS and the processor.
"""
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from accel import landmarks
from mainscripts import Sorter
from naive import best as naive_best
from naive import histogram as naive_histogram
from naive import landmarks as naive_landmarks
from naive import metadata as naive_metadata
from naive import pixels as naive_pixels
from naive import sharpness as naive_sharpness
from naive import sort as naive_sort

GOLDEN = Path(__file__).resolve().parent.parent / 'data' / 'sort'
EXPECTED = json.loads((GOLDEN / 'expected.json').read_text())
ORDERS, VALUES = EXPECTED['orders'], EXPECTED['values']
FACES = sorted(name for name in VALUES if 'pitch' in VALUES[name])

POSE_TOLERANCE = 0 if cv2.__version__.startswith('4.1.') else 1e-4
MATRIX_TOLERANCE = 1e-4    # px: 2**-24 of some hundred px, times the matrix' zoom

# Pure loops take 0.1 s a face: the oracles are held to stock's value on one face in four
SOME_FACES = FACES[::4]
# and these methods of theirs are run as a whole
QUICK_CASES = ['face-yaw', 'face-pitch', 'face-source-rect-size', 'hist', 'hist-dissim', 'brightness',
               'black', 'origname', 'oneface', 'absdiff-similar', 'absdiff-dissimilar',
               'final-fast-target-128']


def parts_of(case):
    """'final-target-128' is ('final', {'target': 128}), 'absdiff-similar' ('absdiff', {'similar': True})."""
    if case.startswith('absdiff-'):
        return 'absdiff', {'similar': case.endswith('-similar')}
    method, _, target = case.partition('-target-')
    return method, {'target': int(target)} if target else {}


@pytest.fixture
def folder_of(tmp_path):
    def folder(case):
        if not ORDERS[case].get('only_256px'):
            return GOLDEN / 'aligned'
        for name in ORDERS[case]['sorted']:
            shutil.copyfile(str(GOLDEN / 'aligned' / name), str(tmp_path / name))
        return tmp_path
    return folder


@pytest.mark.parametrize('case', sorted(ORDERS))
def test_order_of_the_engine(case, folder_of):
    method, options = parts_of(case)
    if 'target' in options:
        options = {'target_count': options['target']}
    kept, trashed = Sorter.sort_func_methods[method][1](folder_of(case), **options)
    assert [Path(item[0]).name for item in kept] == ORDERS[case]['sorted']
    assert sorted(Path(item[0]).name for item in trashed) == sorted(ORDERS[case]['trash'])


@pytest.mark.parametrize('method, value, tolerance', [
    ('blur', 'sharpness', 0), ('motion-blur', 'motion_blur', 1e-9), ('face-yaw', 'yaw', POSE_TOLERANCE),
    ('face-pitch', 'pitch', POSE_TOLERANCE), ('face-source-rect-size', 'rect_area', 0),
    ('brightness', 'brightness', 0), ('hue', 'hue', 0), ('black', 'black', 0)])
def test_values_of_the_engine(method, value, tolerance):
    kept, _ = Sorter.sort_func_methods[method][1](GOLDEN / 'aligned')
    for path, comp in kept:
        ref = VALUES[Path(path).name][value]
        assert abs(comp - ref) <= tolerance * max(1, abs(ref))


@pytest.mark.parametrize('case', QUICK_CASES)
def test_order_of_the_oracles(case, folder_of):
    method, options = parts_of(case)
    kept, trashed = naive_sort.rank(method, folder_of(case), **options)
    assert kept == ORDERS[case]['sorted']
    assert sorted(trashed) == sorted(ORDERS[case]['trash'])


@pytest.mark.parametrize('method', ['blur', 'motion-blur'])
def test_order_of_the_slow_oracles(method, tmp_path):
    not_faces = sorted(set(VALUES) - set(FACES))
    for name in SOME_FACES + not_faces:
        shutil.copyfile(str(GOLDEN / 'aligned' / name), str(tmp_path / name))
    kept, trashed = naive_sort.rank(method, tmp_path)
    assert kept == [name for name in ORDERS[method]['sorted'] if name in SOME_FACES]
    assert trashed == not_faces


@pytest.mark.parametrize('case', [case for case in sorted(ORDERS) if case.startswith('final')])
def test_selection_of_the_oracle_on_stocks_values(case):
    measure = 'rect_area' if case.startswith('final-fast') else 'sharpness_final'
    faces = [{'sharpness': VALUES[name][measure], 'yaw': VALUES[name]['yaw'], 'pitch': VALUES[name]['pitch'],
              'hist': naive_histogram.histogram(cv2.cvtColor(read(name), cv2.COLOR_BGR2GRAY))}
             for name in FACES]
    chosen, trashed = naive_best.select(faces, parts_of(case)[1]['target'])
    assert [FACES[i] for i in chosen] == ORDERS[case]['sorted']
    not_faces = set(VALUES) - set(FACES)
    assert sorted([FACES[i] for i in trashed] + list(not_faces)) == sorted(ORDERS[case]['trash'])


def read(name):
    return naive_sort.read_image(GOLDEN / 'aligned' / name)


def metadata(name):
    return naive_metadata.read_metadata(GOLDEN / 'aligned' / name)[1]


@pytest.mark.parametrize('name', SOME_FACES)
def test_sharpness_of_the_oracles(name):
    image, points = read(name), metadata(name)['landmarks']
    assert naive_sharpness.masked_sharpness(image, points) == VALUES[name]['sharpness']
    assert naive_sharpness.motion_blur(image, points) == pytest.approx(VALUES[name]['motion_blur'], rel=1e-12)


@pytest.mark.parametrize('name', sorted(VALUES))
def test_pixel_values_of_the_oracles(name):
    image = read(name)
    assert list(image.shape) == VALUES[name]['shape']
    assert naive_pixels.brightness(image) == VALUES[name]['brightness']
    assert naive_pixels.hue(image) == VALUES[name]['hue']
    assert naive_pixels.black(image) == VALUES[name]['black']


@pytest.mark.parametrize('module', [landmarks, naive_landmarks], ids=['engine', 'oracle'])
@pytest.mark.parametrize('name', FACES)
def test_geometry_of_both(name, module):
    expected, data = VALUES[name], metadata(name)
    points = np.array(data['landmarks'])
    pose = module.estimate_pitch_yaw_roll(points, expected['shape'][1])
    np.testing.assert_allclose(pose, (expected['pitch'], expected['yaw'], expected['roll']), rtol=0,
                               atol=POSE_TOLERANCE)
    assert np.sum(module.hull_mask(expected['shape'], points)) == expected['hull_mask_pixels']
    assert module.rect_area(data['source_rect']) == expected['rect_area']
    assert data['source_filename'] == expected['source_filename']
    for face_type, matrix in expected['transform_mat'].items():
        np.testing.assert_allclose(module.alignment_matrix(points, 256, face_type), matrix, rtol=0,
                                   atol=MATRIX_TOLERANCE)
