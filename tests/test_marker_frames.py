"""Marker networks and frames without a network: names and shapes, where faces are found, how clearly."""
import json
import os
import pickle

import cv2
import numpy as np
import pytest

from accel import landmarks as alignment
from benchmarks import marker_frames, marker_networks
from benchmarks.marker_frames import Marker, Shots

NETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "nets")
ROTATIONS = {0: lambda picture: picture, 90: lambda picture: picture.swapaxes(0, 1)[:, ::-1],
             180: lambda picture: picture[::-1, ::-1], 270: lambda picture: picture.swapaxes(0, 1)[::-1]}


def detected(picture):
    """[(x, y, score, how much better than its best rival)] in a BGR picture: middles of boxes in px."""
    height, width = picture.shape[:2]
    scale = max(2.0, max(width, height) / 640.0)
    small = cv2.resize(np.ascontiguousarray(picture[..., ::-1]), (int(width / scale), int(height / scale)))
    scores, found = marker_networks.detector_scores(small), []
    while scores.max() > 0.5:
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        around = scores[max(row - 8, 0):row + 9, max(column - 8, 0):column + 9]
        first, second = np.sort(around, axis=None)[:-3:-1]
        found.append(((4 * column + 2) * scale, (4 * row + 2) * scale, first, first - second))
        around[:] = 0
    return found


def crop_of(picture, middle, scale):
    """What the aligner gets: uint8 (256, 256, 3) RGB; and the matrix from the frame to it."""
    zoom = 256 / (2.1 * 2 * marker_networks.BOX * scale * 200 / 195)
    matrix = np.array([[zoom, 0, 128 - zoom * middle[0]], [0, zoom, 128 - zoom * middle[1]]])
    return cv2.warpAffine(picture, matrix, (256, 256))[..., ::-1], matrix


def peaks(maps, matrix):
    """Middles of the best cells of heat maps, in px of the frame: float64 (68, 2)."""
    best = maps.reshape(68, -1).argmax(axis=1)
    points = np.stack([best % 64, best // 64], axis=1) * 4 + 1.5
    return cv2.transform(points[:, None], cv2.invertAffineTransform(matrix))[:, 0]


@pytest.mark.parametrize("name, layout", [("S3FD.npy", marker_networks.detector_layout),
                                          ("2DFAN.npy", marker_networks.aligner_layout)])
def test_layouts_are_those_of_the_real_files(name, layout):
    with open(os.path.join(NETS, "layouts.json")) as stream:
        real = json.load(stream)[name]
    assert {name: list(shape) for name, shape in layout().items()} == real


@pytest.mark.parametrize("weights, layout", [(marker_networks.detector_weights, marker_networks.detector_layout),
                                             (marker_networks.aligner_weights, marker_networks.aligner_layout)])
def test_weights_fill_the_layout(weights, layout):
    made = weights()
    assert {name: array.shape for name, array in made.items()} == dict(layout())
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in made.values())
    variances = [array for name, array in made.items() if "running_var" in name]
    assert all((np.sqrt(array + np.float32(1e-5)) == 1).all() for array in variances)


def test_seeded_weights():
    shapes = {"conv/weight:0": (3, 3, 40, 50), "conv/bias:0": (900,), "bn1/weight:0": (4,), "bn1/bias:0": (900,),
              "bn1/running_mean:0": (4,), "bn1/running_var:0": (4,), "norm/weight:0": (1, 1, 1, 6)}
    weights = marker_networks.seeded_weights(shapes)
    assert {name: array.shape for name, array in weights.items()} == shapes
    assert all(array.dtype == np.float32 for array in weights.values())
    flat = {"bn1/weight:0": 1, "bn1/running_mean:0": 0, "bn1/running_var:0": 1, "norm/weight:0": 10}
    for name, value in flat.items():
        assert (weights[name] == value).all()
    assert weights["conv/weight:0"].std() == pytest.approx(np.sqrt(2 / 360.0), rel=0.02)
    assert weights["conv/bias:0"].std() == pytest.approx(0.1, rel=0.1)
    assert not np.array_equal(weights["conv/bias:0"], weights["bn1/bias:0"])


def _small_aligner(three_d=False):
    return {"which:0": np.float32([3 if three_d else 2])}


def test_files(tmp_path, monkeypatch):
    monkeypatch.setattr(marker_networks, "detector_weights", lambda: {"which:0": np.float32([1])})
    monkeypatch.setattr(marker_networks, "aligner_weights", _small_aligner)
    marker_networks.write(str(tmp_path / "facelib"))
    found = {path.name: pickle.loads(path.read_bytes()) for path in (tmp_path / "facelib").iterdir()}
    assert {name: weights["which:0"][0] for name, weights in found.items()} == {"S3FD.npy": 1, "2DFAN.npy": 2,
                                                                               "3DFAN.npy": 3}
    assert all(path.read_bytes()[:2] == b"\x80\x04" for path in (tmp_path / "facelib").iterdir())


def test_colours_lie_apart():
    colours = marker_networks.colours()
    taken = np.array([marker_networks.UPPER, marker_networks.LOWER, (0, 0, 0)]) - 127.5
    taken /= np.linalg.norm(taken, axis=1)[:, None]
    assert np.linalg.norm(colours, axis=1) == pytest.approx(1)
    between = colours @ colours.T - 2 * np.eye(68)
    assert colours.shape == (68, 3) and between.max() < np.cos(np.radians(20))
    assert (colours @ taken.T).max() < np.cos(np.radians(22))


def test_an_upright_face_is_cut_out_upright_and_whole():
    matrix = alignment.alignment_matrix(marker_frames.LAYOUT, 256, "full_face")
    assert abs(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))) < 1
    assert 0.85 < np.sqrt(np.linalg.det(matrix[:, :2])) < 0.95     # the detector knows it again
    inside = cv2.transform(marker_frames.LAYOUT[:, None], matrix)[:, 0]
    assert inside.min() > 30 and inside.max() < 226


@pytest.mark.parametrize("size, count, turn", [
    ((640, 480), 1, 0), ((960, 540), 3, 0), ((721, 405), 2, 0), ((1280, 720), 3, 180), ((1920, 1080), 3, 90),
    ((1366, 768), 2, 270), ((3840, 2160), 2, 0)])
def test_faces_are_detected_once_and_upright_only(size, count, turn):
    markers = marker_frames.place(size, count, 5, turn)
    picture = marker_frames.draw_frame(size, markers, 5)
    assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.uint8
    for rotation, rotate in ROTATIONS.items():
        found = detected(rotate(picture))
        if (rotation + turn) % 360:
            assert found == []
            continue
        assert len(found) == count
        for x, y, score, gap in found:
            assert 0.6 < score < 0.97 and gap > 0.003
            seen = {0: (x, y), 90: (y, size[1] - x), 180: (size[0] - x, size[1] - y), 270: (size[0] - y, x)}[rotation]
            off = min(np.abs(np.array(seen) - marker.square).max() for marker in markers)
            assert off < 6 * marker_frames.unit(size)


@pytest.mark.parametrize("scale, angle, suffix", [(1.0, 0, ".png"), (0.85, 25, ".png"), (1.15, -25, ".jpg")])
def test_landmarks_are_found_and_clear(scale, angle, suffix):
    marker = Marker(161.3, 158.9, angle, scale)
    picture = marker_frames.draw_frame((320, 320), [marker], 2)
    picture = cv2.imdecode(np.frombuffer(marker_frames.encode(picture, suffix), np.uint8), cv2.IMREAD_COLOR)
    crop, matrix = crop_of(picture, (165, 154), 1)
    assert (crop[:4] == 0).all()                                   # black, outside of the frame
    maps = marker_networks.heat_maps(crop)
    assert np.abs(peaks(maps, matrix) - marker.landmarks).max() < 4       # half a cell and the grain
    three_d = marker_networks.heat_maps(crop, three_d=True)
    assert np.abs(peaks(three_d, matrix) - marker.landmarks_3d).max() < 4
    assert np.abs(peaks(maps, matrix) - marker.landmarks_3d).max() > 20
    cells = cv2.transform(marker.landmarks[:, None], matrix)[:, 0] / 4
    rows, columns = np.mgrid[:64, :64]
    for answer, (x, y) in zip(maps, cells):
        elsewhere = (np.abs(columns + 0.5 - x) > 2.5) | (np.abs(rows + 0.5 - y) > 2.5)
        assert answer.max() > 0.4 and answer[elsewhere].max() < answer.max() - 0.05


def test_margins_of_heat_maps():
    rows, columns = np.mgrid[:64, :64].astype(float)
    hill = 1 - 0.01 * ((columns - 20.1) ** 2 + (rows - 30.2) ** 2)
    maps = np.stack([hill] * 67 + [np.roll(hill, -30, axis=0)])    # the last one's peak is at the edge
    best, step = marker_networks.heat_margins(maps)
    assert best == pytest.approx(0.01 * (1 - 2 * 0.2)) and step == pytest.approx(0.01 * 4 * 0.1)


def test_faces_are_found_at_any_place_and_none_without():
    for seed in range(6):
        assert detected(marker_frames.draw_frame((640, 480), [], seed)) == []
        marker = Marker(160 + 1.3 * seed, 150 + 2.1 * seed, 8 * seed - 20, 0.9 + 0.05 * seed)
        assert len(detected(marker_frames.draw_frame((320, 300), [marker], seed))) == 1
    assert len(detected(marker_frames.draw_frame((640, 480), [Marker(-90, 240, 0, 1)]))) == 0       # cut off


def test_place_keeps_faces_apart_and_inside():
    markers = marker_frames.place((1280, 720), 8, 3)
    points = np.array([marker.landmarks for marker in markers])
    assert points.min() > 8 and points[..., 0].max() < 1272 and points[..., 1].max() < 712
    for first in range(8):
        for second in range(first):
            assert np.abs(markers[first].square - markers[second].square).max() > 200
    assert marker_frames.place((1280, 720), 8, 3) == markers != marker_frames.place((1280, 720), 8, 4)
    with pytest.raises(ValueError, match="4 faces do not fit into 640x480"):
        marker_frames.place((640, 480), 4)


def test_workspace(tmp_path):
    shots = (Shots((320, 280), (1, 0)), Shots((300, 320), (1,), 90))
    markers = marker_frames.build_workspace(tmp_path, shots, ".jpg", seed=1)
    assert sorted(markers) == ["00001.jpg", "00002.jpg", "00003.jpg"] == sorted(os.listdir(str(tmp_path / "data_src")))
    assert [len(markers[name]) for name in sorted(markers)] == [1, 0, 1]
    picture = cv2.imread(str(tmp_path / "data_src" / "00003.jpg"))
    assert picture.shape == (320, 300, 3) and len(detected(ROTATIONS[270](picture))) == 1
    again = marker_frames.draw_frame((300, 320), markers["00003.jpg"], 4)
    assert np.abs(cv2.absdiff(picture, again)).mean() < 3


def test_match():
    markers = marker_frames.place((960, 540), 3)
    found = [marker.landmarks + 0.5 for marker in markers[::-1]]
    assert [pair[0] for pair in marker_frames.match(found, markers)] == [2, 1, 0]
    assert marker_frames.match(found, markers)[0][1] == pytest.approx(0.5)
    assert marker_frames.match([marker.landmarks_3d for marker in markers], markers, three_d=True)[1] == (1, 0)
    for wrong in (found[:2], found + found[:1], []):
        with pytest.raises(ValueError, match="3 known"):
            marker_frames.match(wrong, markers)
    assert marker_frames.match([], []) == []
