"""accel.nets.points, peaks of accel.nets.fan and faces.align against stock's steps, crop by crop, point by point."""
import zlib

import kernel_images
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from accel import landmarks as geometry
from accel.nets import devices, faces, fan, points
from naive import points as naive

WIDTH, HEIGHT = 60, 40
PICTURE = kernel_images.textured(HEIGHT, WIDTH, 2, 3) | 1      # no pixel of it is black
FULL_FACE = 2


def peaks_of(crop):
    """Made-up peaks, float32 (68, 2), that hang on every pixel of a crop; on whole places and quarters of them."""
    random = np.random.RandomState(zlib.crc32(np.ascontiguousarray(crop)))
    return (random.randint(0, 64, (68, 2)) + random.randint(-1, 2, (68, 2)) * 0.25).astype(np.float32)


def ask(crops):
    """As a network of an aligner answers."""
    return [[peaks_of(crop)] for crop in crops]


def one(crop):
    return peaks_of(crop).tolist()


def same(ref, comp):
    """Hold results, arrays or None, to those of the oracle, bit by bit."""
    assert len(ref) == len(comp)
    for wanted, found in zip(ref, comp):
        assert (wanted is None) == (found is None)
        if wanted is not None:
            assert found.dtype == wanted.dtype and found.shape == wanted.shape
            np.testing.assert_array_equal(found, wanted)


def check_crops(picture, rect, several=True):
    """Hold the samples of a face to the oracle. Return whether there is something to see."""
    ref = [naive.crop(picture, middle, scale) for middle, scale in naive.looks(rect, several)]
    comp = [sample.crop(picture) for sample in points.samples(rect, several)]
    same(ref, comp)
    assert all(crop is None or crop.shape == (256, 256, 3) for crop in comp)
    return all(crop is not None for crop in comp)


# --- crops ---

near, sides = st.integers(-80, 120), st.integers(-30, 90)


@settings(max_examples=120)
@given(near, near, sides, sides)
@example(10, 10, 0, 0)          # no size at all
@example(10, 10, -20, 20)
@example(10, 10, 1, 0)          # a square of less than two px
@example(0, 0, 60, 40)
@example(-50, -50, 50, 50)
@example(60, 10, 30, 30)        # from the right edge on
def test_crops_in_and_around_the_picture(left, top, width, height):
    check_crops(PICTURE, (left, top, left + width, top + height))


@pytest.mark.parametrize('picture', [PICTURE, PICTURE[:1], PICTURE[:, :1], PICTURE[:1, :1], PICTURE[:2, :3]])
@pytest.mark.parametrize('axis', [0, 1])
def test_crops_beside_the_picture(picture, axis):
    """Along one axis from far to the one side to far to the other, with every distance where what is seen changes."""
    seen = set()
    for start in list(range(-200, -20, 7)) + list(range(-20, 8)) + list(range(8, 180, 7)):
        rect = [5, 5, 24, 24]
        rect[axis], rect[axis + 2] = start, start + 19
        seen.add(check_crops(picture, rect, several=False))
    assert seen == {True, False} if picture is PICTURE else True in seen


@pytest.mark.parametrize('x, y', [(-10 ** 6, 10), (10 ** 6, 10), (20, -10 ** 9), (10 ** 9, 10 ** 9), (-400, -400)])
def test_a_face_far_away_is_black(x, y):
    assert check_crops(PICTURE, (x, y, x + 40, y + 40))
    assert not any(sample.crop(PICTURE).any() for sample in points.samples((x, y, x + 40, y + 40), True))


def test_a_face_of_which_one_sample_is_beside_the_picture():
    rect = (-31, 0, -11, 20)
    assert check_crops(PICTURE, rect, several=False) and not check_crops(PICTURE, rect)
    assert [faces.align(PICTURE, [rect], ask, None, several)[0] is None for several in (False, True)] == [False, True]


@pytest.mark.parametrize('side', [10 ** 7, 10 ** 9, 2 * 10 ** 9, 10 ** 13, 10 ** 17, 10 ** 30, float('inf'),
                                  float('nan')])
@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_a_face_that_no_memory_can_hold(side):
    assert not check_crops(PICTURE, (-side, -side, side, side), several=False)


def test_a_face_much_larger_than_the_picture():
    assert check_crops(PICTURE, (-900, -800, 900, 1000), several=False)


def test_a_picture_seen_in_part_is_not_written_to():
    picture = PICTURE.copy()
    points.samples((10, 10, 30, 30))[0].crop(picture)[:] = 7
    assert (picture == PICTURE).all()
    picture.flags.writeable = False
    assert points.samples((10, 10, 30, 30))[0].crop(picture) is not None


# --- peaks to landmarks ---

@settings(max_examples=60)
@given(st.integers(-3000, 5000), st.integers(-3000, 5000), st.integers(1, 4000), st.integers(1, 4000),
       st.integers(0, 2 ** 31))
def test_landmarks(left, top, width, height, seed):
    rect = left, top, left + width, top + height
    peaks = peaks_of(np.array([seed]))
    same([naive.landmarks(peaks.tolist(), *look) for look in naive.looks(rect, True)],
         [sample.landmarks(peaks) for sample in points.samples(rect, True)])


def heat_maps():
    """float32 (n, 68, 64, 64) in which ties, edges and flat parts decide."""
    random = np.random.RandomState(0)
    maps = random.randint(0, 40, (4, 68, 64, 64)).astype(np.float32)      # each highest value many times
    maps[1] = random.normal(0, 1, maps.shape[1:])
    maps[2] = -1e30
    for number in range(64):                                             # a peak on every line, at and near edges
        maps[2, number, number, (number * 5) % 64] = 3
    maps[2, 64, 63, 63] = maps[2, 65, 0, 0] = maps[2, 66, 62, 62] = 1
    maps[3, :20] = 5                                                     # flat
    maps[3, 20:40] = random.normal(0, 1e-3, (20, 64, 64)).astype(np.float16)
    for number, (step, value) in enumerate([((0, 1), 8), ((1, 0), 8), ((0, -1), 8), ((-1, 0), 8), ((0, 1), 9),
                                            ((1, 0), 9), ((1, 1), 8), ((0, 0), 9)]):
        row = maps[3, 40 + number]
        row[:], row[31, 30], row[31 + step[0], 30 + step[1]] = 0, 9, value
    return maps


def test_peaks_of_heat_maps():
    def build(tf, constant):
        graph = fan._Graph(None)
        graph._tf = tf
        maps = tf.placeholder(tf.float32, (None, 68, 64, 64))
        return maps, [graph._peaks(maps)]

    maps = heat_maps()
    session = devices.Session(build, devices.CPU)
    try:
        comp, = session.run(maps)
    finally:
        session.close()
    assert comp.dtype == np.float32
    np.testing.assert_array_equal(comp, [[naive.peak(one_map) for one_map in face] for face in maps])


# --- faces ---

RECTS = [(5, 5, 30, 30), (20, 8, 58, 39), (0, 0, 60, 40), (-10, -10, 20, 25), (900, 5, 930, 30), (-40, 0, -20, 20),
         (9, 9, 9, 9), (30, 30, 20, 20), (5, 5, 25, 30)]


@pytest.mark.parametrize('several', [False, True])
def test_all_faces_of_a_picture(several):
    asked = []

    def note(crops):
        asked.append(len(crops))
        return ask(crops)

    ref = naive.align(PICTURE, RECTS, one, several=several)
    comp = faces.align(PICTURE, RECTS, note, several=several)
    same(ref, comp)
    missing = [marks is None for marks in comp]
    assert missing == [False, False, False, False, False, True, True, True, False]
    assert asked == [missing.count(False) * (5 if several else 1)]       # all of them together


def matrix_of(marks):
    return geometry.alignment_matrix(marks, 256, FULL_FACE)


def detector(counts):
    """A detector that finds some of `counts` faces in an upright face, at places that hang on its pixels."""
    def detect(picture):
        random = np.random.RandomState(zlib.crc32(np.ascontiguousarray(picture)))
        count = counts[random.randint(len(counts))]
        return [tuple(int(edge) for edge in np.append(corner, corner + random.randint(-2, 150, 2)))
                for corner in random.randint(-60, 200, (count, 2))]
    return detect


@pytest.mark.parametrize('counts', [(1,), (0,), (2,), (0, 1, 2, 3)])
@pytest.mark.parametrize('several', [False, True])
def test_a_second_look(counts, several):
    rects = [(x, y, x + 20 + x, y + 20 + y) for x in range(0, 40, 10) for y in range(0, 30, 10)] + RECTS
    detect, batches = detector(counts), []

    def detect_again(pictures):
        batches.append(len(pictures))
        return [detect(picture) for picture in pictures]

    ref = naive.align(PICTURE, rects, one, detect, several, matrix_of)
    comp = faces.align(PICTURE, rects, ask, detect_again, several)
    same(ref, comp)
    assert batches == [sum(marks is not None for marks in ref)]
    changed = [(now != before).any() for now, before in zip(comp, faces.align(PICTURE, rects, ask, None, several))
               if now is not None]
    assert any(changed) == (1 in counts)


def test_a_second_look_at_nothing_keeps_the_first():
    """The detector's rectangle in the upright face may have no size, or lie beside it."""
    for rect in [(5, 5, 5, 5), (50, 50, 10, 10), (-60, 10, -40, 30), (290, 10, 330, 50)]:
        first = faces.align(PICTURE, RECTS[:1], ask)
        same(first, faces.align(PICTURE, RECTS[:1], ask, lambda pictures: [[rect] for _ in pictures]))


def test_landmarks_that_are_one_point_stay():
    """They have no upright face in which something could be seen; the other faces have theirs."""
    def flat(crops):
        return [[np.zeros((68, 2), np.float32) if number == 0 else peaks_of(crop)]
                for number, crop in enumerate(crops)]

    first, other = faces.align(PICTURE, RECTS[:2], flat, lambda pictures: [[] for _ in pictures])
    assert np.isfinite(first).all() and (first == first[0]).all()
    assert (other == naive.align(PICTURE, RECTS[1:2], one)[0]).all()


def test_no_face():
    def never(pictures):
        raise AssertionError('nothing to ask')

    assert faces.align(PICTURE, [], never, never) == []
    assert faces.align(PICTURE, [(9, 9, 9, 9), (30, 30, 20, 20)], never, never) == [None, None]
