"""accel.extract.cut and debug_image against stock's steps done on whole frames, one by one."""
import math
from pathlib import Path

import cv2
import kernel_images
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from accel.extract import cut, debug_image
from naive import cut as naive
from naive import dfl_jpeg as naive_jpeg
from naive import landmarks as naive_landmarks
from naive import metadata as naive_metadata

GOLDEN = Path(__file__).parent / 'data' / 'sort' / 'aligned'
HEIGHT, WIDTH = 150, 230
FRAME = kernel_images.textured(HEIGHT, WIDTH, 3, 3)
ALIGNED = [kind for kind in cut.FACE_TYPES if kind != cut.MARK_ONLY]
HALF, WHOLE, HEAD = 0, 4, 10
NAN, INFINITE = float('nan'), float('inf')


def read_faces():
    found = [naive_metadata.read_metadata(path)[1] for path in sorted(GOLDEN.glob('*.jpg'))[::4]]
    return [(np.array(data['landmarks']) - 128) / 128 for data in found if data]


POINTS = read_faces()       # around (0, 0), about 1 to each side


def face_at(x, y, radius, number=0, turn=0.0):
    """Landmarks of a golden face, moved into FRAME, and a rectangle around them."""
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    points = POINTS[number].dot(rotation.T) * radius + (x, y)
    return points, tuple(int(side) for side in [*points.min(axis=0), *points.max(axis=0)])


@st.composite
def faces(draw):
    """A golden face of any size and turn, in the frame, across its border or out of it: (landmarks, rectangle)."""
    number, radius = draw(st.integers(0, len(POINTS) - 1)), draw(st.sampled_from([3.0, 30.0, 60.0, 400.0]))
    x, y = draw(st.floats(-150, 400)), draw(st.floats(-150, 300))
    return face_at(x, y, radius, number, draw(st.floats(-3.2, 3.2)))


# --- frames ---

@pytest.mark.parametrize('depth', [np.uint8, np.uint16])
@pytest.mark.parametrize('shape', [(6, 8), (7, 9), (6, 9, 1), (7, 8, 2), (6, 8, 3), (7, 9, 3), (7, 9, 4), (2, 3, 5)])
def test_prepared_frames_equal_the_oracle(shape, depth):
    image = np.random.RandomState(1).randint(0, np.iinfo(depth).max + 1, shape).astype(depth)
    comp = cut.prepare(image)
    assert comp.dtype == np.uint8 and comp.flags.c_contiguous
    np.testing.assert_array_equal(comp, naive.prepare(image))


def test_every_value_of_16_bits_is_rounded():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert (cut.prepare(values)[..., 1] == np.floor(values / 257 + 0.5)).all()


def test_an_ordinary_frame_is_not_copied():
    assert np.shares_memory(cut.prepare(FRAME), FRAME) and cut.rotate(FRAME, 0) is FRAME


@pytest.mark.parametrize('image, words', [
    (None, 'cannot be read'), (np.zeros((4, 4, 3), np.float32), 'float32'), (np.zeros((4, 4), np.int16), 'int16'),
    (np.zeros((1, 4, 4, 3), np.uint8), '8 or 16 bits'), (np.zeros((9, 1, 3), np.uint8), '1 x 9'),
    (np.zeros((0, 4), np.uint8), '4 x 0')])
def test_what_is_no_frame_is_refused(image, words):
    with pytest.raises(ValueError, match=words):
        cut.prepare(image)


@pytest.mark.parametrize('angle', [0, 90, 180, 270])
def test_turned_frames_equal_the_oracle(angle):
    comp = cut.rotate(FRAME, angle)
    assert comp.flags.c_contiguous
    np.testing.assert_array_equal(comp, naive.rotate(FRAME, angle))


@pytest.mark.parametrize('angle', [0, 90, 180, 270])
def test_what_was_found_in_a_turned_frame_is_turned_back(angle):
    points, rect = face_at(70, 100, 40)
    kept = points.copy()
    ref_rect, ref_points = naive.rotate_back(rect, points, angle, (HEIGHT, WIDTH))
    comp_rect, comp_points = cut.rotate_back(rect, points, angle, (HEIGHT, WIDTH))
    assert comp_rect == ref_rect and comp_points.tolist() == np.array(ref_points).tolist()
    assert (points == kept).all()
    assert cut.rotate_back(rect, None, angle, (HEIGHT, WIDTH)) == \
        naive.rotate_back(rect, None, angle, (HEIGHT, WIDTH))


@pytest.mark.parametrize('angle', [90, 180, 270])
def test_turning_back_meets_the_pixel_that_was_seen(angle):
    seen = cut.rotate(np.pad(np.full((2, 2, 3), 255, np.uint8), ((20, 40), (90, 10), (0, 0)), 'constant'), angle)
    y, x = np.argwhere(seen[..., 0]).mean(axis=0) + 0.5
    _, points = cut.rotate_back((0, 0, 1, 1), np.array([[x, y]] * 68), angle, (62, 102))
    assert points[0].tolist() == [91, 21]


# --- faces ---

@settings(max_examples=60)
@given(face=faces(), kind=st.sampled_from(ALIGNED), size=st.sampled_from([16, 64, 256]),
       zoom=st.sampled_from([0.3, 1.0, 5.0]), manual=st.booleans())
def test_cut_faces_equal_the_oracle(face, kind, size, zoom, manual):
    points, (left, top, right, bottom) = face
    rect = left, top, left + max(int((right - left) * zoom), 1), top + max(int((bottom - top) * zoom), 1)
    matrix = cut.face_matrix(points, size, kind)
    times = naive.oversize(matrix, size, rect)
    assume(abs(times - 4) > 0.01)      # stock's areas are float32
    found = cut.cut_faces(FRAME, [rect], [points], cut.FaceSettings(kind, size, 90), manual)
    if times > 4 and kind <= cut.FULL_NO_ALIGN and not manual:
        assert found == []
        return
    comp, = found
    corners = [np.linalg.inv(np.vstack([np.array(one), [0, 0, 1]]))[:2].dot(corner).tolist()
               for one in (matrix, naive_landmarks.alignment_matrix(points, size, naive.NAMES[kind]))
               for corner in ([0, 0, 1], [size, size, 1])]
    np.testing.assert_allclose(corners[:2], corners[2:], rtol=1e-5, atol=1e-3)
    assert (comp.matrix == matrix).all() and comp.matrix.dtype == np.float64
    np.testing.assert_array_equal(comp.picture, naive.picture(FRAME, matrix, size))
    np.testing.assert_allclose(comp.landmarks, naive.move(points, matrix), rtol=0, atol=1e-9 * size)
    assert comp.landmarks.dtype == np.float64 and (comp.source_landmarks == points).all()
    assert comp.rect.tolist() == list(rect)


@pytest.mark.parametrize('kind, kept', [(0, 2), (1, 2), (2, 2), (3, 2), (4, 3), (10, 3), (20, 3), (100, 3)])
def test_faces_come_in_order_without_the_missing_and_the_oversized(kind, kept):
    first, second, third = face_at(60, 60, 30), face_at(160, 80, 50, 1), face_at(120, 70, 40, 2)
    rects = [first[1], (0, 0, 9, 9), second[1], (150, 70, 155, 75)]
    marks = [first[0], None, second[0], third[0]]
    found = cut.cut_faces(FRAME, rects, marks, cut.FaceSettings(kind, 64, 90))
    assert [face.rect.tolist() for face in found] == [list(rects[place]) for place in (0, 2, 3)[:kept]]
    assert len(cut.cut_faces(FRAME, rects, marks, cut.FaceSettings(kind, 64, 90), manual=True)) == 3
    assert cut.cut_faces(FRAME, [], [], cut.FaceSettings(kind, 64, 90)) == []


@pytest.mark.parametrize('times', [3.8, 3.95, 4.05, 4.2])
def test_a_face_may_be_four_times_its_rectangle(times):
    points, _ = face_at(6000, 5000, 3000)
    options = cut.FaceSettings(HALF, 256, 90)
    area = naive.oversize(cut.face_matrix(points, 256, HALF), 256, (0, 0, 1, 1))
    rect = 5000, 5000, 6000, 5000 + int(area / times / 1000)
    assert len(cut.cut_faces(FRAME, [rect], [points], options)) == (times < 4)


def test_marking_only_takes_the_frame_as_it_is():
    points, rect = face_at(100, 70, 40)
    face, = cut.cut_faces(FRAME, [rect], [points], cut.FaceSettings(cut.MARK_ONLY, 64, 90))
    assert face.picture is FRAME and face.matrix is None and face.landmarks is face.source_landmarks


def test_landmarks_stay_float32():
    points, rect = face_at(100, 70, 40)
    face, = cut.cut_faces(FRAME, [rect], [points.astype(np.float32)], cut.FaceSettings(HALF, 64, 90), manual=True)
    assert face.landmarks.dtype == np.float32


def spoilt(place, value):
    points = face_at(100, 70, 40)[0]
    points[place] = value
    return points


UNUSABLE = [spoilt((40, 1), NAN), spoilt((3, 0), NAN), spoilt((50, 0), INFINITE), spoilt((50, 0), -INFINITE),
            spoilt((3, 1), 1e12), np.zeros((67, 2)), np.zeros((68, 3)), np.zeros((0, 2))]


@pytest.mark.parametrize('points', UNUSABLE)
@pytest.mark.parametrize('kind', [HALF, HEAD, cut.MARK_ONLY])
def test_unusable_landmarks_are_named(points, kind):
    with pytest.raises(ValueError, match='not 68 points'):
        cut.cut_faces(FRAME, [(0, 0, 9, 9)], [points], cut.FaceSettings(kind, 64, 90))


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('points', [np.full((68, 2), 40.), face_at(1e9, -1e9, 4)[0]])   # the latter in float32
@pytest.mark.parametrize('kind', ALIGNED)
def test_landmarks_that_are_one_point_are_named(kind, points):
    with pytest.raises(ValueError, match='one point'):
        cut.cut_faces(FRAME, [(0, 0, 9, 9)], [points], cut.FaceSettings(kind, 64, 90))


# --- files ---

@pytest.mark.parametrize('kind', sorted(cut.FACE_TYPES))
def test_metadata_is_stocks_in_its_order(kind):
    points, rect = face_at(100, 70, 40)
    options = cut.FaceSettings(kind, 64, 90)
    face, = cut.cut_faces(FRAME, [rect], [points], options)
    shape, data = naive_jpeg.metadata(cut.encode(face, options, 'кадр 1.png'))
    keys = ['face_type', 'landmarks', 'source_filename', 'source_rect', 'source_landmarks', 'image_to_face_mat']
    assert shape == face.picture.shape and list(data) == (keys[:5] if kind == cut.MARK_ONLY else keys)
    assert data['face_type'] == naive.NAMES[kind] and data['source_filename'] == 'кадр 1.png'
    assert data['landmarks'] == face.landmarks.tolist() and data['source_landmarks'] == points.tolist()
    assert data['source_rect'].tolist() == list(rect) and data['source_rect'].dtype.kind == 'i'
    if kind != cut.MARK_ONLY:
        assert (data['image_to_face_mat'] == face.matrix).all()


@pytest.mark.parametrize('quality', [1, 50, 100])
@pytest.mark.parametrize('size', [256, 2048])
def test_the_picture_is_encoded_as_opencv_does(size, quality):
    options = cut.FaceSettings(WHOLE, size, quality)
    points, rect = face_at(100, 70, 40)
    face, = cut.cut_faces(FRAME, [rect], [points], options)
    segments, rest = naive_jpeg.segments(cut.encode(face, options, 'a.png'))
    assert [marker for _, marker, _ in segments].count(0xEF) == 1
    bare = naive_jpeg.join([one for one in segments if one[1] != 0xEF], rest)
    assert bare == cv2.imencode('.jpg', face.picture, [int(cv2.IMWRITE_JPEG_QUALITY), quality])[1].tobytes()


@pytest.mark.parametrize('image', [np.zeros((0, 0, 3), np.uint8), np.zeros((1, 65600, 3), np.uint8)])
def test_a_picture_that_no_jpg_can_hold_is_an_error(image):
    with pytest.raises(ValueError, match='JPG'):
        cut.encode_jpg(image, 90)


# --- debug images ---

@settings(max_examples=60)
@given(face=faces(), kind=st.sampled_from(sorted(cut.FACE_TYPES)), size=st.sampled_from([16, 256]),
       darken=st.booleans(), colour=st.sampled_from([(0, 255, 0), (255, 255, 0)]),
       form=st.sampled_from([np.asarray, np.float32, lambda points: points.astype(int).tolist()]))
def test_drawn_faces_equal_the_oracle(face, kind, size, darken, colour, form):
    points, rect = form(face[0]), face[1]
    numbers = np.array(points) if np.array(points).dtype.kind == 'f' else np.array(points, np.int32)
    matrix = None if kind == cut.MARK_ONLY else cut.face_matrix(numbers, size, kind)
    comp = FRAME.copy()
    debug_image.draw_face(comp, rect, points, kind, size, colour, darken)
    np.testing.assert_array_equal(comp, naive.draw_face(FRAME, rect, points, matrix, size, colour, darken))


@pytest.mark.parametrize('radius, x, y', [(40, 1e6, 70), (40, -1e9, -1e9), (1e5, 100, 70), (1e9, 100, 70)])
def test_landmarks_far_out_leave_the_frame_alone(radius, x, y):
    points, _ = face_at(x, y, radius, 1)
    comp = FRAME.copy()
    debug_image.draw_face(comp, (0, 0, 60, 60), points, HEAD, 256)
    ref = FRAME.copy()
    cv2.rectangle(ref, (0, 0), (60, 60), (255, 0, 0), 2)
    seen = (comp != ref).any(axis=2)
    assert seen.mean() < 0.1        # a stroke of a huge face may cross the frame


def test_faces_are_drawn_one_above_the_other():
    options = cut.FaceSettings(WHOLE, 64, 90)
    places = [face_at(90, 60, 40), face_at(120, 80, 50, 1, 0.4)]
    found = cut.cut_faces(FRAME, [rect for _, rect in places], [points for points, _ in places], options)
    ref, comp = FRAME, FRAME.copy()
    debug_image.draw_faces(comp, found, options)
    for face in found:
        ref = naive.draw_face(ref, face.rect, face.source_landmarks, face.matrix, 64, darken_hull=True)
    np.testing.assert_array_equal(comp, ref)


def test_nothing_is_drawn_for_marking_only():
    options = cut.FaceSettings(cut.MARK_ONLY, 64, 90)
    points, rect = face_at(90, 60, 40)
    comp = FRAME.copy()
    debug_image.draw_faces(comp, cut.cut_faces(FRAME, [rect], [points], options), options)
    assert (comp == FRAME).all()


@pytest.mark.parametrize('points', UNUSABLE)
def test_nothing_is_drawn_of_unusable_landmarks(points):
    comp = FRAME.copy()
    with pytest.raises(ValueError, match='not 68 points'):
        debug_image.draw_face(comp, (5, 5, 50, 50), points, WHOLE, 64, darken_hull=True)
    assert (comp == FRAME).all()


@pytest.mark.filterwarnings('error')
def test_landmarks_that_are_one_point_have_no_square():
    comp, points = FRAME.copy(), np.full((68, 2), 40.)
    debug_image.draw_face(comp, (5, 5, 50, 50), points, WHOLE, 64, darken_hull=True)
    np.testing.assert_array_equal(comp, naive.draw_face(FRAME, (5, 5, 50, 50), points, None, 64, darken_hull=True))


def test_debug_images_have_stocks_quality():
    assert debug_image.encode(FRAME) == cv2.imencode('.jpg', FRAME, [int(cv2.IMWRITE_JPEG_QUALITY), 50])[1].tobytes()
