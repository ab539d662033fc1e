"""accel.nets.boxes and faces.detect against stock's steps, place by place."""
import math

import kernel_images
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from accel.nets import boxes, faces
from naive import boxes as naive

pytestmark = pytest.mark.filterwarnings('ignore:.*encountered:RuntimeWarning')    # infinite sizes, as in stock

STRIDES = (4, 8, 16, 32, 64, 128)
NAN, INFINITE = float('nan'), float('inf')
JUST_BELOW, JUST_ABOVE = (float(np.nextafter(np.float32(0.5), np.float32(side))) for side in (0, 1))


def heads(width=64, height=48):
    """Outputs without a candidate, for a picture of this size: what a test writes faces into."""
    outputs = []
    for stride in STRIDES:
        shape = max(height // stride, 1), max(width // stride, 1)
        outputs += [np.zeros(shape, np.float32), np.zeros(shape + (4,), np.float32)]
    return outputs


def with_places(outputs, places):
    """Write (head, row, column, score, four numbers) into outputs; rows and columns wrap."""
    for head, row, column, score, numbers in places:
        scores = outputs[2 * head]
        row, column = row % scores.shape[0], column % scores.shape[1]
        scores[row, column] = score
        outputs[2 * head + 1][row, column] = numbers
    return outputs


def noisy(seed, share, size=(120, 100), spread=1.0, levels=None):
    """Outputs in which this share of places takes part. levels: scores are rounded to so many."""
    random = np.random.RandomState(seed)
    outputs = heads(*size)
    for scores, places in zip(outputs[::2], outputs[1::2]):
        drawn = random.uniform(0.05, 1, scores.shape)
        drawn = drawn if levels is None else np.ceil(drawn * levels) / levels
        scores[:] = np.where(random.uniform(size=scores.shape) < share, drawn, 0.01)
        places[:] = random.normal(0, spread, places.shape)
    return outputs


def check(outputs, scale):
    """Hold every step to the oracle: boxes as float64 bit by bit, then rectangles. Return the rectangles."""
    ref = naive.candidates(outputs)
    comp = np.concatenate([boxes._candidates(scores, places, stride)
                           for scores, places, stride in zip(outputs[::2], outputs[1::2], STRIDES)])
    assert comp.dtype == np.float64 and comp.shape == (len(ref), 5)
    np.testing.assert_array_equal(comp, np.array(ref).reshape(-1, 5))
    found = boxes.rectangles(outputs, scale)
    assert found == naive.rectangles(outputs, scale, ref)
    assert all(type(edge) is int for face in found for edge in face)
    return found


numbers = st.floats(-12, 12, width=32)
odd_numbers = numbers | st.sampled_from([0.0, NAN, INFINITE, -INFINITE, 437.5, 444.0, -600.0, 90.0, 1e30])
sure = st.floats(0, 1, width=32) | st.sampled_from([0.5, 0.75, JUST_BELOW, JUST_ABOVE, float(np.float32(0.05)), 1.0])


def places(of_numbers):
    return st.lists(st.tuples(st.integers(0, 5), st.integers(0, 29), st.integers(0, 39), sure,
                              st.tuples(*[of_numbers] * 4)), max_size=12)


# --- what the detector sees ---

@given(st.integers(1, 9000), st.integers(1, 9000))
@example(1279, 720)
@example(1280, 720)
@example(127, 127)
@example(128, 90)
@example(1281, 1)
def test_size_of_what_the_detector_sees(width, height):
    ref = naive.input_size(width, height)
    image = np.broadcast_to(np.uint8(7), (height, width, 3))      # no memory
    seen = {}

    def resize(picture, size, interpolation):
        seen['size'] = size
        return picture

    real, boxes.cv2 = boxes.cv2, type('cv2', (), {'resize': staticmethod(resize), 'INTER_LINEAR': 1})
    try:
        _, scale = boxes.detector_input(image)
    finally:
        boxes.cv2 = real
    assert seen['size'] + (scale,) == ref and type(scale) is float


@pytest.mark.parametrize('size', [(320, 240), (1400, 801), (90, 130), (128, 128)])
def test_the_picture_is_made_smaller_as_in_stock(size):
    image = kernel_images.textured(size[1], size[0], 1, 3)
    ref, comp = naive.detector_input(image), boxes.detector_input(image)
    np.testing.assert_array_equal(comp[0], ref[0])
    assert comp[0].dtype == np.uint8 and comp[1] == ref[1]


# --- boxes ---

@settings(max_examples=80)
@given(places(numbers), st.sampled_from([1.0, 2.0, 3.0, 1.0671875, 0.703125]))
def test_a_few_candidates(written, scale):
    check(with_places(heads(160, 120), written), scale)


@settings(max_examples=60)
@given(places(odd_numbers), st.sampled_from([1.0, 2.0, 1.0671875]))
def test_sizes_and_offsets_that_are_no_numbers(written, scale):
    check(with_places(heads(160, 120), written), scale)


@pytest.mark.parametrize('seed, share, spread', [(0, 0.3, 1), (1, 0.8, 0.3), (2, 0.6, 4), (3, 0.5, 0)])
@pytest.mark.parametrize('levels', [None, 16, 1])
def test_hundreds_of_candidates_with_ties(seed, share, spread, levels):
    assert len(check(noisy(seed, share, spread=spread, levels=levels), 2.0)) > 3


def test_thousands_of_candidates():
    outputs = noisy(4, 0.6, (240, 180), 1.5, levels=50)
    assert len(outputs[0].ravel()) > 2000 and len(check(outputs, 3.0)) > 20


@pytest.mark.parametrize('size', [(64, 48), (640, 360), (1, 1)])
def test_no_candidate(size):
    assert check(heads(*size), 2.0) == []
    assert check(with_places(heads(*size), [(0, 0, 0, 0.05, (0, 0, 0, 0)), (5, 0, 0, NAN, (0, 0, 0, 0))]), 2.0) == []


def test_heads_without_places():
    outputs = heads()
    outputs[6:] = [array[:0] for array in outputs[6:]]
    assert check(with_places(outputs, [(2, 1, 1, 0.9, (0, 0, 0, 0))]), 2.0) != []


@pytest.mark.parametrize('score, count', [(0.5, 1), (JUST_BELOW, 0), (JUST_ABOVE, 1), (1.0, 1), (0.051, 0)])
def test_score_of_a_face(score, count):
    assert len(check(with_places(heads(160, 120), [(3, 1, 2, score, (0, 0, 0, 0))]), 1.0)) == count


@pytest.mark.parametrize('strides', [1, 2, 3, 4])
def test_two_boxes_one_of_them_weaker(strides):
    """Boxes of 64 px, 16 px apart: a share of 0.6, 0.34, 0.15 and none."""
    outputs = heads(320, 64)
    found = check(with_places(outputs, [(2, 2, 5, 0.9, (0, 0, 0, 0)), (2, 2, 5 + strides, 0.8, (0, 0, 0, 0))]), 1.0)
    assert len(found) == (1 if strides <= 2 else 2)


@pytest.mark.parametrize('offset, count', [(0.46875, 2), (0.4, 1)])
def test_two_boxes_that_share_as_much_as_they_may(offset, count):
    """30 of 65 columns in common: 0.3 of both together, to the last bit."""
    written = [(2, 2, 5, 0.9, (0, 0, 0, 0)), (2, 2, 7, 0.8, (offset, 0, 0, 0))]
    assert len(check(with_places(heads(320, 64), written), 1.0)) == count


def test_what_is_no_face_takes_no_other_away():
    """A weak box would cover two others; of a chain of three the middle one goes, and the last stays."""
    same = (0, 0, 0, 0)
    outputs = with_places(heads(320, 64), [(2, 2, 5, 0.9, same), (2, 2, 7, 0.45, same), (2, 2, 9, 0.6, same)])
    assert len(check(outputs, 1.0)) == 2
    outputs = with_places(heads(320, 64), [(2, 2, 5, 0.9, same), (2, 2, 7, 0.8, same), (2, 2, 9, 0.6, same)])
    assert len(check(outputs, 1.0)) == 2


@pytest.mark.parametrize('smaller', [1.0, 1.3, 1.7, 2.0])
@pytest.mark.parametrize('side', [39, 40, 41])
def test_smallest_face(side, smaller):
    """Boxes of a side around 40 px, after their fractions were cut off and they were enlarged."""
    for place in range(8):
        length = math.log(side / smaller / 16.0) / 0.2
        outputs = with_places(heads(160, 120), [(0, 5 + place, 7 + place, 0.9, (0.3 * place, 0, length, length))])
        check(outputs, smaller)
    wide = with_places(heads(160, 120), [(2, 2, 2, 0.9, (0, 0, 3, -6)), (2, 2, 8, 0.9, (0, 0, -6, 3))])
    assert check(wide, 1.0) == []


def test_equal_sizes_keep_the_order_of_their_scores():
    same = (0, 0, 0, 0)
    outputs = with_places(heads(640, 320), [(3, 1, 2, 0.7, same), (3, 1, 9, 0.9, same), (3, 7, 2, 0.8, same),
                                            (4, 3, 3, 0.6, same)])
    found = check(outputs, 1.0)
    assert [face[:2] for face in found] == [[96, 96], [240, -16], [16, 176], [16, -16]]


@pytest.mark.parametrize('score, count', [(0.96, 0), (0.9, 2)])
def test_a_box_without_a_size(score, count):
    """What it shares with others cannot be told: it covers all that are less sure, or is covered by a surer one."""
    written = [(0, 3, 3, score, (0, 0, INFINITE, 0)), (3, 0, 0, 0.8, (0, 0, 0, 0)), (4, 0, 1, 0.95, (0, 0, 0, 0))]
    assert len(check(with_places(heads(160, 120), written), 1.0)) == count


# --- one next to the other ---

edges = st.integers(-30, 60)


@given(st.lists(st.tuples(edges, edges, edges, edges), max_size=7))
def test_without_those_that_touch(rects):
    given_rects = list(rects)
    assert boxes.without_intersecting(rects) == naive.without_intersecting(given_rects)
    assert rects == given_rects


@pytest.mark.parametrize('other, is_kept', [((10, 0, 20, 10), False), ((11, 0, 20, 10), True), ((0, 10, 5, 20), False),
                                            ((0, 11, 5, 20), True), ((2, 2, 3, 3), False), ((10, 10, 11, 11), False)])
def test_an_edge_in_common_is_touching(other, is_kept):
    assert boxes.without_intersecting([(0, 0, 10, 10), other]) == [(0, 0, 10, 10), other][:1 + is_kept]


# --- pictures ---

def test_every_picture_gets_its_own_rectangles():
    """Pictures of several sizes are asked for at once, as the detector gets them."""
    sizes = [(320, 240), (1300, 700), (128, 150), (320, 240)]
    pictures = [kernel_images.textured(height, width, number, 3) for number, (width, height) in enumerate(sizes)]
    asked = []

    def ask(inputs):
        asked.extend(inputs)
        return [noisy(int(picture[0, 0, 0]), 0.02, picture.shape[1::-1]) for picture in inputs]

    comp = faces.detect(pictures, ask)
    assert len(asked) == 4
    for picture, seen, found in zip(pictures, asked, comp):
        small, scale = naive.detector_input(picture)
        np.testing.assert_array_equal(seen, small)
        assert found == naive.rectangles(noisy(int(small[0, 0, 0]), 0.02, small.shape[1::-1]), scale)
    assert sum(map(len, comp)) > 10


def test_no_picture():
    assert faces.detect([], lambda pictures: []) == []
