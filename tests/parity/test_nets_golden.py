"""Stock's answers (TensorFlow 2.4) to a frame, for seeded weights: both networks, rectangles, landmarks.

The seeded detector has seen no face: it says what it makes of noise, with numbers of hundreds and boxes of 1e12 px.
What is large is compared by its size; TensorFlow sums in another order on other processors and in other versions.
"""
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from program import PROGRAM

from accel import host
from accel.nets import boxes, devices, faces, fan, s3fd, weights
from benchmarks import marker_networks

GOLDEN = Path(__file__).resolve().parent.parent / 'data' / 'nets'
EXPECTED = {name: array for name, array in np.load(str(GOLDEN / 'expected.npz')).items()}
LAYOUTS = json.loads((GOLDEN / 'layouts.json').read_text())
FRAME = cv2.imread(str(GOLDEN / 'frame.png'))
RGB = np.ascontiguousarray(FRAME[..., ::-1])
TOLERANCE = 1e-4          # of the contract; px for landmarks: a tenth of it would be another place


class Taken(weights.Weights):
    """Weights that note which of them were asked for."""

    def __init__(self, name, changed=None):
        super().__init__(dict(marker_networks.seeded_weights(LAYOUTS[name]), **changed or {}), 'facelib/' + name)
        self.taken = set()

    def take(self, name, *dimensions):
        self.taken.add(name + ':0')
        return super().take(name, *dimensions)


class Remembering:
    """A network that runs once for pictures that it has seen; they are asked for again and again here."""

    def __init__(self, network):
        self._network, self._known, self.batches = network, {}, []

    def run(self, images):
        keys = [image.tobytes() for image in images]
        new = {key: image for key, image in zip(keys, images) if key not in self._known}
        if new:
            self.batches.append(len(new))
            outputs = self._network.run(np.stack(list(new.values())))
            self._known.update((key, [output[number] for output in outputs]) for number, key in enumerate(new))
        return [np.stack(answers) for answers in zip(*[self._known[key] for key in keys])]

    def ask(self, pictures):
        return [[output[0] for output in self.run(picture[None])] for picture in pictures]

    def ask_together(self, pictures):
        return list(zip(*self.run(np.stack(pictures))))


@pytest.fixture(scope='module')
def detector_weights():
    return Taken('S3FD.npy')


@pytest.fixture(scope='module')
def aligner_weights():
    return Taken('2DFAN.npy')


@pytest.fixture(scope='module')
def detector(detector_weights):
    network = s3fd.S3FD(detector_weights, devices.CPU)
    yield network
    network.close()


@pytest.fixture(scope='module')
def aligner(aligner_weights):
    network = fan.FAN(aligner_weights, devices.CPU)
    yield network
    network.close()


@pytest.fixture(scope='module')
def known_detector(detector):
    return Remembering(detector)


@pytest.fixture(scope='module')
def known_aligner(aligner):
    return Remembering(aligner)


def is_near(comp, ref):
    """Whether outputs differ by 1e-4, of the largest one where that is above 1."""
    return comp.shape == ref.shape and comp.dtype == ref.dtype == np.float32 and \
        np.abs(comp - ref).max() <= TOLERANCE * max(1.0, np.abs(ref).max())


# --- the detector ---

def test_all_twelve_outputs_of_the_detector(known_detector, detector_weights):
    outputs = known_detector.run(cv2.resize(RGB, (160, 120))[None])
    assert len(outputs) == 12
    for number, comp in enumerate(outputs):
        ref = EXPECTED['s3fd_{:02d}'.format(number)]
        assert is_near(comp, ref if number % 2 else ref[..., 1]), number
    assert detector_weights.taken == set(LAYOUTS['S3FD.npy'])


def test_rectangles(known_detector):
    found, = faces.detect([RGB], known_detector.ask)
    assert len(found) > 40
    np.testing.assert_allclose(np.array(found[:40], np.float64), EXPECTED['rects'], rtol=TOLERANCE, atol=2)
    assert known_detector.batches == [1]       # the picture of the test above


def test_pictures_of_a_batch_do_not_change_each_other(detector):
    pictures = np.stack([cv2.resize(RGB, (72, 64)), cv2.resize(RGB[::-1], (72, 64)), np.zeros((64, 72, 3), np.uint8)])
    together = detector.run(pictures)
    for number in range(3):
        assert all(is_near(comp[number], ref[0]) for comp, ref in zip(together, detector.run(pictures[number:][:1])))


@pytest.mark.parametrize('width, height', [(64, 36), (330, 32), (33, 65), (127, 63)])
def test_the_detector_looks_at_any_size(detector, width, height):
    outputs = detector.run(cv2.resize(RGB, (width, height))[None])
    assert len(outputs) == 12 and outputs[0].shape == (1, height // 4, width // 4)
    assert all(np.isfinite(output).all() for output in outputs)
    assert all(places.shape == scores.shape + (4,) for scores, places in zip(outputs[::2], outputs[1::2]))
    assert all(len(face) == 4 for face in boxes.rectangles([output[0] for output in outputs], 2.0))


# --- the aligner ---

def test_heat_maps(aligner, aligner_weights):
    maps = aligner.heat_maps(cv2.resize(RGB, (256, 256))[None])
    assert maps.shape == (1, 68, 64, 64) and is_near(maps[0, :5], EXPECTED['fan_heat_0_5'])
    assert maps[0].reshape(68, -1).argmax(axis=1).tolist() == EXPECTED['fan_argmax'].tolist()
    assert aligner_weights.taken == set(LAYOUTS['2DFAN.npy'])


@pytest.mark.parametrize('several, name', [(True, 'multi_sample'), (False, 'given_rects')])
def test_landmarks(known_aligner, several, name):
    """The one sample is the first of the five, which make one batch with those of the other face."""
    found = faces.align(RGB, EXPECTED['given_rects'].tolist(), known_aligner.ask_together, None, several)
    np.testing.assert_allclose(found, EXPECTED['landmarks_' + name], rtol=0, atol=1e-3)
    assert known_aligner.batches == [10]


# --- stock's classes ---

@pytest.fixture
def classes(monkeypatch, known_detector, known_aligner):
    """(S3FDExtractor, FANExtractor, which files were read) of DeepFaceLab/facelib, over the networks above."""
    read, made = [], []
    for name in ('S3FDExtractor', 'FANExtractor'):
        spec = importlib.util.spec_from_file_location(name, str(Path(PROGRAM) / 'facelib' / (name + '.py')))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made.append(getattr(module, name))
    monkeypatch.setattr(weights, 'read', lambda path: read.append(Path(str(path))))
    monkeypatch.setattr(devices, 'current', lambda weights_on_cpu=False: devices.CPU)
    monkeypatch.setattr(s3fd, 'S3FD', lambda arrays, device: known_detector)
    monkeypatch.setattr(fan, 'FAN', lambda arrays, device: known_aligner)
    return made + [read]


def test_the_detectors_class(classes):
    make, _, read = classes
    with make(place_model_on_cpu=True) as detector:
        found = detector.extract(FRAME)
    assert read == [Path(PROGRAM) / 'facelib' / 'S3FD.npy']
    np.testing.assert_allclose(np.array(found[:40], np.float64), EXPECTED['rects'], rtol=TOLERANCE, atol=2)
    assert {type(face) for face in found} == {tuple} and {type(edge) for face in found for edge in face} == {int}
    assert make().extract(RGB, is_bgr=False) == found
    assert make().extract(FRAME, True, True) == boxes.without_intersecting(found) != found


def test_the_aligners_class(classes):
    _, make, read = classes
    rects = EXPECTED['given_rects'].tolist()
    assert make(True).extract(FRAME, []) == []
    assert make(landmarks_3D=False, place_model_on_cpu=True).extract(FRAME, ()) == []
    assert [path.name for path in read] == ['3DFAN.npy', '2DFAN.npy'] and read[0].parent == Path(PROGRAM) / 'facelib'
    for several, name in [(True, 'multi_sample'), (False, 'given_rects')]:
        for picture, is_bgr in ((FRAME, True), (RGB, False)):
            found = make().extract(picture, rects, is_bgr=is_bgr, multi_sample=several)
            np.testing.assert_allclose(found, EXPECTED['landmarks_' + name], rtol=0, atol=1e-3)
            assert {(points.dtype, points.shape) for points in found} == {(np.dtype(np.float64), (68, 2))}


def test_the_aligners_class_asks_a_detector_again(classes):
    _, make, _ = classes
    seen = []

    class Detector:
        def extract(self, input_image, is_bgr=True, is_remove_intersects=False):
            seen.append((input_image.shape, is_bgr, is_remove_intersects))
            return [(9, 9, 9, 9)] if len(seen) == 1 else []

    found = make().extract(FRAME, EXPECTED['given_rects'].tolist(), Detector())
    assert seen == [((256, 256, 3), False, False)] * 2
    np.testing.assert_allclose(found, EXPECTED['landmarks_given_rects'], rtol=0, atol=1e-3)


# --- weights that do not fit ---

@pytest.mark.parametrize('make, name, array', [
    (s3fd.S3FD, 'S3FD.npy', 'conv1_1/weight'), (s3fd.S3FD, 'S3FD.npy', 'conv7_2_mbox_loc/bias'),
    (fan.FAN, '2DFAN.npy', 'conv1/bias'), (fan.FAN, '2DFAN.npy', 'm_0/b2_plus/b3/conv2/weight')])
def test_weights_of_another_network_are_an_error(monkeypatch, make, name, array, detector_weights, aligner_weights):
    given = detector_weights if name == 'S3FD.npy' else aligner_weights
    monkeypatch.setitem(given._arrays, array, np.zeros((2, 2), np.float32))
    with pytest.raises(host.UserError, match='facelib/{} is damaged or of another network.*{}'.format(name, array)):
        make(given, devices.CPU)
