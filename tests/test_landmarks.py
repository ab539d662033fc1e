"""accel.landmarks against plain loops, on real and on degenerate landmarks."""
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from accel import landmarks
from accel.landmark_tables import ALIGN_INDEXES, ALIGN_MODEL, FACE_TYPE_NUMBERS, FACE_TYPES
from naive import landmarks as naive
from naive import metadata as naive_metadata

FACES = sorted((Path(__file__).parent / 'data' / 'sort' / 'aligned').glob('*.jpg'))


def read_points(path):
    data = naive_metadata.read_metadata(path)[1]
    return np.array(data['landmarks']) if data else None


POINTS = [points for points in map(read_points, FACES) if points is not None]


@st.composite
def faces(draw):
    """A face of the golden data, moved, turned, stretched, with noise; also far out of the image."""
    points = POINTS[draw(st.integers(0, len(POINTS) - 1))]
    random = np.random.RandomState(draw(st.integers(0, 2 ** 31)))
    zoom = draw(st.sampled_from([0.05, 0.5, 1.0, 3.0, 12.0]))
    turn = draw(st.sampled_from([0.0, 0.4, -1.6, 3.1]))
    noise = draw(st.sampled_from([0.0, 0.5, 8.0]))
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    moved = (points - 128).dot(rotation.T) * zoom + random.uniform(-200, 400, 2)
    return moved + random.randn(68, 2) * noise * zoom


# --- pose ---

@settings(max_examples=60)
@given(points=faces(), size=st.sampled_from([64, 256, 511]), dtype=st.sampled_from([np.float32, np.float64]))
def test_pose_equals_the_oracle_bit_for_bit(points, size, dtype):
    points = points.astype(dtype)
    ref = naive.estimate_pitch_yaw_roll(points, size)
    comp = landmarks.estimate_pitch_yaw_roll(points, size)
    assert comp == ref
    assert all(type(angle) is float for angle in comp)


def test_pose_of_lists_equals_that_of_arrays():
    for points in POINTS:
        assert (landmarks.estimate_pitch_yaw_roll(points.tolist(), 256) ==
                landmarks.estimate_pitch_yaw_roll(points, 256))


def test_pose_of_a_head_turned_by_known_angles():
    """Yaw, pitch and roll come back from the model itself, seen through the same camera."""
    model = np.array(landmarks.tables.POSE_MODEL)
    camera = np.array([[256, 0, 128], [0, 256, 128], [0, 0, 1]], np.float64)
    for pitch, yaw, roll in [(0, 0, 0), (0.3, 0, 0), (0, -0.5, 0), (0, 0, 0.4), (0.2, 0.6, -0.3)]:
        about_x, about_y, about_z = [cv2.Rodrigues(np.eye(3)[axis] * angle)[0]
                                     for axis, angle in enumerate((pitch, yaw, roll))]
        vector = cv2.Rodrigues(about_z.dot(about_y).dot(about_x))[0]
        seen = cv2.projectPoints(model, vector, np.array([[0.], [0], [400]]), camera, None)[0][:, 0]
        points = np.zeros((68, 2))
        points[list(landmarks.tables.POSE_INDEXES)] = seen
        comp = landmarks.estimate_pitch_yaw_roll(points, 256)
        np.testing.assert_allclose(comp, (-pitch, yaw, roll), atol=1e-3)


@pytest.mark.parametrize('vector', [(0, math.pi / 2, 0), (0, -math.pi / 2, 0), (3, 0, 0), (0, 0, -3),
                                    (2.2, 2.2, 0)])
def test_pose_at_and_beyond_a_quarter_turn(monkeypatch, vector):
    solved = np.array(vector, np.float64).reshape(3, 1)
    monkeypatch.setattr(cv2, 'solvePnP', lambda *_: (True, solved, solved))
    ref = naive.estimate_pitch_yaw_roll(POINTS[0], 256)
    comp = landmarks.estimate_pitch_yaw_roll(POINTS[0], 256)
    assert comp == ref
    assert all(abs(angle) <= math.pi / 2 for angle in comp)


def test_pose_of_landmarks_that_are_not_numbers_is_an_error():
    with pytest.raises(cv2.error):
        landmarks.estimate_pitch_yaw_roll(np.full((68, 2), np.nan), 256)


# --- hull ---

@settings(max_examples=60)
@given(points=faces(), shape=st.sampled_from([(256, 256, 3), (61, 200), (300, 97, 1), (1, 1, 3)]),
       expand=st.sampled_from([1.0, 0.0, 0.5, 2.5]))
def test_hull_mask_equals_the_oracle(points, shape, expand):
    ref = naive.hull_mask(shape, points, expand)
    comp = landmarks.hull_mask(shape, points, expand)
    assert comp.dtype == np.uint8
    assert comp.shape == shape[:2]
    assert comp.tolist() == ref


def test_hull_mask_of_lists_and_whole_numbers():
    points = POINTS[0].astype(int)
    ref = landmarks.hull_mask((256, 256), points)
    assert ref.any() and not ref.all()
    assert np.array_equal(landmarks.hull_mask([256, 256, 3], points.tolist()), ref)


def test_hull_mask_leaves_the_landmarks_as_they_are():
    points = POINTS[0].astype(np.int64)
    before = points.copy()
    landmarks.hull_mask((256, 256), points)
    assert np.array_equal(points, before)


def test_hull_mask_needs_68_landmarks():
    with pytest.raises(ValueError, match='68'):
        landmarks.hull_mask((256, 256), POINTS[0][:67])


# --- alignment ---

# Stock's corners are float32: 2**-24 of the coordinates, multiplied by the zoom of the matrix and its shift
MATRIX_TOLERANCE = 2e-6


def assert_aligned_alike(comp, ref, points, size):
    """The matrices put the landmarks' surroundings at the same places, within float32 of the coordinates."""
    reach = np.abs(points).max() + np.ptp(points, axis=0).max()
    zoom = math.hypot(ref[0][0], ref[1][0])
    allowed = MATRIX_TOLERANCE * (reach * zoom + size)
    for corner in (points.min(axis=0), points.max(axis=0), points.mean(axis=0)):
        where = np.append(corner, 1.0)
        assert np.abs(np.dot(comp, where) - np.dot(ref, where)).max() <= allowed


@settings(max_examples=80)
@given(points=faces(), face_type=st.sampled_from(sorted(FACE_TYPES)), size=st.sampled_from([64, 256, 1024]),
       scale=st.sampled_from([1.0, 0.8, 1.3]))
def test_alignment_matrix_equals_the_oracle(points, face_type, size, scale):
    ref = np.array(naive.alignment_matrix(points.tolist(), size, face_type, scale))
    comp = landmarks.alignment_matrix(points, size, face_type, scale)
    assert comp.dtype == np.float64 and comp.shape == (2, 3)
    assert_aligned_alike(comp, ref, points, size)


@settings(max_examples=20)
@given(points=faces())
def test_alignment_matrix_never_mirrors(points):
    points[:, 0] *= -1
    ref = np.array(naive.alignment_matrix(points.tolist(), 256, 'full_face'))
    comp = landmarks.alignment_matrix(points, 256, 'full_face')
    assert np.linalg.det(comp[:, :2]) > 0
    # a mirrored face fits badly, so the fit's own conditioning is added to float32's
    np.testing.assert_allclose(comp, ref, rtol=1e-3, atol=1e-3 * np.abs(ref).max())


@pytest.mark.parametrize('direction', [(1.0, 0.5), (-2.0, 0.1), (0.0, 3.0), (-1.0, -1.0)])
def test_alignment_of_landmarks_on_one_line(direction):
    points = 40 + np.outer(np.arange(68.0), direction)
    ref = np.array(naive.alignment_matrix(points.tolist(), 256, 'full_face'))
    comp = landmarks.alignment_matrix(points, 256, 'full_face')
    assert_aligned_alike(comp, ref, points, 256)


def test_alignment_of_one_point_is_not_a_number():
    assert np.isnan(landmarks.alignment_matrix(np.full((68, 2), 7.0), 256, 'full_face')).all()


def test_alignment_puts_the_mean_face_where_it_belongs():
    """A face that is the model itself, 100 px wide: the middle of its square is the middle of the output."""
    points = np.zeros((68, 2))
    points[list(ALIGN_INDEXES)] = np.array(ALIGN_MODEL) * 100 + (30, 40)
    for face_type in ('half_face', 'midfull_face', 'full_face', 'full_face_no_align'):
        comp = landmarks.alignment_matrix(points, 256, face_type)
        np.testing.assert_allclose(comp.dot([80, 90, 1]), (128, 128), atol=1e-3)
        side = 100 * (1 + 2 * FACE_TYPES[face_type][0] * math.sqrt(2))
        np.testing.assert_allclose(comp[:, :2], np.eye(2) * 256 / side, atol=1e-4)


def test_face_types_by_number_and_in_any_case():
    for number, name in FACE_TYPE_NUMBERS.items():
        ref = landmarks.alignment_matrix(POINTS[0], 256, name)
        assert np.array_equal(landmarks.alignment_matrix(POINTS[0], 256, number), ref)
        assert np.array_equal(landmarks.alignment_matrix(POINTS[0], 256, name.upper()), ref)
    assert set(FACE_TYPE_NUMBERS.values()) == set(FACE_TYPES)


@pytest.mark.parametrize('face_type', ['mark_only', 100, 'face', 5, None])
def test_face_types_without_an_alignment_are_refused(face_type):
    with pytest.raises(ValueError, match='face type'):
        landmarks.alignment_matrix(POINTS[0], 256, face_type)


def test_alignment_of_lists_equals_that_of_arrays():
    for face_type in FACE_TYPES:
        assert np.array_equal(landmarks.alignment_matrix(POINTS[1].tolist(), 256, face_type),
                              landmarks.alignment_matrix(POINTS[1], 256, face_type))


# --- areas ---

@given(corners=st.lists(st.tuples(st.integers(-900, 900), st.integers(-900, 900)), min_size=3, max_size=12))
def test_polygon_area_equals_the_oracle(corners):
    x, y = zip(*corners)
    ref = naive.polygon_area(x, y)
    comp = landmarks.polygon_area(np.array(x, np.float64), np.array(y, np.float64))
    assert comp == ref


@given(rect=st.tuples(*[st.integers(-1000, 1400)] * 4))
def test_rect_area_is_exact_for_frames_up_to_full_hd(rect):
    ref = naive.rect_area(rect)
    for given_as in (rect, list(rect), np.array(rect)):
        assert landmarks.rect_area(given_as) == ref


@given(rect=st.tuples(*[st.integers(0, 16000)] * 4))
def test_rect_area_of_huge_frames_is_that_of_float32(rect):
    left, top, right, bottom = rect
    x = np.array([left, right, right, left], np.float32)
    y = np.array([top, top, bottom, bottom], np.float32)
    assert landmarks.rect_area(rect) == landmarks.polygon_area(x, y)
    assert landmarks.rect_area(rect) == pytest.approx(naive.rect_area(rect), abs=16000 ** 2 * 2 ** -21)


def test_rect_area_needs_four_numbers():
    with pytest.raises((TypeError, ValueError)):
        landmarks.rect_area(None)
    with pytest.raises(ValueError):
        landmarks.rect_area((1, 2, 3))
