"""The compiled kernels that turn rows of a PNG into pixels, against the standard by the letter."""
import numpy as np
import pytest
from accel import png_rows
from hypothesis import given
from hypothesis import strategies as st
from naive import png as naive

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def wrap_around():
    with np.errstate(over="ignore"):               # plain numpy numbers warn when a sum wraps round
        yield


def by_the_letter(rows, width):
    """Return the pixels (list of int, BGR) of rows (bytes): each a filter and 3 * width differences, RGB."""
    above, pixels = [0] * (3 * width), []
    for start in range(0, len(rows), 3 * width + 1):
        above = naive.unfilter(rows[start], list(rows[start + 1:start + 1 + 3 * width]), above, 3)
        for x in range(width):
            pixels += above[3 * x:3 * x + 3][::-1]
    return pixels


def unfilter(rows, width):
    """Return (what the kernel says, the pixels)."""
    picture = np.full(len(rows) // (3 * width + 1) * 3 * width, 77, np.uint8)
    return png_rows.unfilter(np.frombuffer(rows, np.uint8), width, picture), picture.tolist()


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("then", range(5))
@pytest.mark.parametrize("width", [1, 2, 23])
def test_every_filter_below_every_other(first, then, width):
    random = np.random.RandomState(10 * first + then)
    rows = b"".join(bytes([kind]) + random.randint(0, 256, 3 * width).astype(np.uint8).tobytes()
                    for kind in (first, then, then, first))
    assert unfilter(rows, width) == (True, by_the_letter(rows, width))


@given(st.integers(1, 6).flatmap(lambda width: st.tuples(st.just(width), st.lists(st.tuples(
    st.integers(0, 4), st.lists(st.sampled_from([0, 1, 2, 127, 128, 254, 255]), min_size=3 * width,
                                max_size=3 * width)), min_size=1, max_size=6))))
def test_any_rows(case):
    width, lines = case
    rows = b"".join(bytes([kind] + differences) for kind, differences in lines)
    assert unfilter(rows, width) == (True, by_the_letter(rows, width))


@pytest.mark.parametrize("values", [range(0, 256, 51), (0, 1, 2, 3), (126, 127, 128, 129), (252, 253, 254, 255)])
def test_the_nearest_of_three(values):
    """All ways in which two and three of them can be as near as each other."""
    for left in values:
        for above in values:
            for corner in values:
                wanted = min((left, above, corner), key=lambda value: abs(left + above - corner - value))
                assert png_rows._nearest(left, above, corner) == wanted


@pytest.mark.parametrize("kind", [5, 6, 255])
def test_a_filter_that_does_not_exist(kind):
    assert not unfilter(bytes([1] + [9] * 6 + [kind] + [9] * 6), 2)[0]
