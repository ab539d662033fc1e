"""The compiled PNG encoder against a decoder by the letter, and against OpenCV's."""
import cv2
import numpy as np
import pytest
from accel.merge import png
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from kernel_images import adversarial, textured
from naive import png as naive

SHAPES = [(1, 1, 1), (1, 1, 3), (1, 40, 3), (40, 1, 1), (7, 5, 3), (16, 9, 1), (3, 300, 1), (2, 131, 3)]

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def wrap_around():
    with np.errstate(over="ignore"):               # plain numpy numbers warn when a difference wraps round
        yield


def noise(shape, seed=0, levels=256):
    return np.random.RandomState(seed).randint(0, levels, shape).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [1, 2, 256])
def test_exact(shape, levels):
    ref = noise(shape, levels=levels)
    comp = naive.decode(png.encode(ref))
    assert comp.shape == shape and np.array_equal(comp, ref)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3])),
                     elements=st.integers(0, 255)))
def test_exact_for_any_image(image):
    assert np.array_equal(naive.decode(png.encode(image)), image)


@pytest.mark.parametrize("name, image", sorted(adversarial(21, 30).items()))
def test_exact_where_much_is_flat(name, image):
    image = image.astype(np.uint8)
    assert np.array_equal(naive.decode(png.encode(image[..., None])), image[..., None])


@pytest.mark.parametrize("run", [1, 2, 3, 4, 5, 10, 11, 12, 18, 19, 34, 35, 66, 67, 129, 130, 131, 132, 257, 258, 259,
                                 388, 389, 516, 517, 600])
def test_runs_of_every_kind(run):
    ref = np.concatenate([noise(9, 1), np.full(run, 7), noise(9, 2)]).astype(np.uint8)
    ref = np.cumsum(ref).astype(np.uint8)[None, :, None]          # the filter Sub turns it round
    assert np.array_equal(naive.decode(png.encode(ref)), ref)


def test_strips(monkeypatch):
    """Several strips, the last one shorter; rows longer than a strip."""
    for size in (1, 200, 1000):
        monkeypatch.setattr(png, "STRIP_BYTES", size)
        ref = textured(23, 31, seed=size, channels=3)
        assert np.array_equal(naive.decode(png.encode(ref)), ref)


def test_the_filter_is_chosen_by_strip(monkeypatch):
    import zlib
    rows = np.repeat(noise((12, 1, 1)), 50, axis=1)
    columns = np.repeat(noise((1, 50, 1)), 12, axis=0)
    monkeypatch.setattr(png, "STRIP_BYTES", 51 * 12)
    data = png.encode(np.concatenate([rows, columns]))
    size = int.from_bytes(data[33:37], "big")
    filters = zlib.decompress(data[41:41 + size])[::51]
    assert list(filters) == [png.SUB] * 12 + [png.UP] * 12


def test_other_memory_layouts():
    four = textured(20, 17, seed=3, channels=4)
    for ref in (four[..., :3], four[::2, 1:, :3], four[..., 3:4], np.asfortranarray(four[..., :3])):
        assert np.array_equal(naive.decode(png.encode(ref)), ref)


def test_opencv_reads_it():
    for channels in (1, 3):
        ref = textured(64, 50, seed=4, channels=channels)
        comp = cv2.imdecode(np.frombuffer(png.encode(ref), np.uint8), cv2.IMREAD_UNCHANGED).reshape(ref.shape)
        assert comp.dtype == np.uint8 and np.array_equal(comp, ref)


def test_no_larger_than_opencv_by_more_than_a_twentieth():
    face = cv2.GaussianBlur(np.full((60, 60), 255, np.uint8), (0, 0), 8)
    mask = np.zeros((120, 120, 1), np.uint8)
    mask[30:90, 30:90, 0] = face
    frame = cv2.GaussianBlur(noise((120, 160, 3), 5), (0, 0), 3)
    frame = np.clip(4.0 * (frame - 127.0) + 127 + np.random.RandomState(6).normal(0, 1.5, frame.shape), 0, 255)
    for image in (mask, frame.astype(np.uint8)):
        assert len(png.encode(image)) < 1.05 * len(cv2.imencode(".png", image)[1])


@pytest.mark.parametrize("image", [
    np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint16), np.zeros((4, 4, 4), np.uint8),
    np.zeros((0, 4, 3), np.uint8), np.zeros((4, 0, 1), np.uint8)])
def test_what_it_does_not_take(image):
    with pytest.raises(ValueError, match="one or three channels"):
        png.encode(image)


# --- Huffman codes ---------------------------------------------------------------------------

@given(st.lists(st.integers(0, 10 ** 6), min_size=2, max_size=40), st.integers(0, 200))
def test_code_lengths_are_the_best_of_limited_length(frequencies, extra):
    frequencies = np.array(frequencies + [1, 2] + [0] * extra, np.int64)
    best = naive.huffman_cost(frequencies.tolist())
    free, limited = png._code_lengths(frequencies, 60), png._code_lengths(frequencies, 7)
    assert (free * frequencies).sum() == best
    for lengths in (free, limited):
        assert ((lengths > 0) == (frequencies > 0)).all()
        assert sum(2 ** -float(length) for length in lengths if length) == 1
    assert limited.max() <= 7
    if free.max() <= 7:
        assert np.array_equal(limited, free)


def test_code_lengths_of_a_steep_slope():
    """Fibonacci numbers give the deepest tree."""
    slope = [1, 1]
    while len(slope) < 40:
        slope.append(slope[-1] + slope[-2])
    lengths = png._code_lengths(np.array(slope, np.int64), 11)
    assert lengths.max() == 11 and sum(2.0 ** -length for length in lengths.tolist()) == 1


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=40))
def test_codes(frequencies):
    lengths = png._code_lengths(np.array(frequencies, np.int64), 11)
    comp = {symbol: format(int(code), "0{}b".format(lengths[symbol]))[::-1]
            for symbol, code in enumerate(png._codes(lengths))}
    assert comp == naive.codes(lengths.tolist())
