"""Similarity chain and dissimilarity of histograms against oracles of plain loops and OpenCV."""
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.ranking import dissimilarity, histogram
from naive import histogram as naive

pytestmark = pytest.mark.kernel


def random_histograms(count, channels, seed, pixels=4000, twins=0):
    """Histograms that drift like those of a video, some of them equal: float32 (count, channels, 256)."""
    random = np.random.RandomState(seed)
    x = np.arange(256)
    result = np.zeros((count, channels, 256), np.float32)
    for i in range(count):
        for c in range(channels):
            share = np.exp(-((x - 90 - 60 * np.sin(i / 9.0 + c)) / 25.0) ** 2) + 0.1 * random.random_sample()
            result[i, c] = random.multinomial(pixels, share / share.sum())
    for _ in range(twins):
        a, b = random.randint(0, count, 2)
        result[a] = result[b]
    return result


def as_lists(histograms):
    return [[[int(v) for v in channel] for channel in item] for item in histograms]


@settings(max_examples=60)
@given(seed=st.integers(0, 10 ** 6), highest=st.sampled_from([1, 3, 1000, 60000]),
       empty=st.sampled_from([0, 0, 0.5, 1]))
def test_bhattacharyya_is_opencvs_to_the_last_bit(seed, highest, empty):
    random = np.random.RandomState(seed)
    p, q = random.randint(0, highest + 1, (2, 256)).astype(np.float32)
    p[random.random_sample(256) < empty] = 0
    comp = histogram.bhattacharyya(p, q)
    assert comp == cv2.compareHist(p[:, None], q[:, None], cv2.HISTCMP_BHATTACHARYYA)
    assert comp == pytest.approx(naive.bhattacharyya(p.tolist(), q.tolist()), abs=1e-7)


@pytest.mark.parametrize('count, twins', [(0, 0), (1, 0), (2, 0), (3, 0), (17, 0), (24, 8)])
def test_greedy_chain(count, twins):
    items = random_histograms(count, 3, count, twins=twins)
    assert histogram.greedy_chain(items).tolist() == naive.similarity_chain(as_lists(items))


def test_greedy_chain_of_equal_faces_keeps_what_swapping_leaves():
    items = np.repeat(random_histograms(2, 3, 1), 5, axis=0)
    assert histogram.greedy_chain(items).tolist() == naive.similarity_chain(as_lists(items))


def test_greedy_chain_of_black_images():
    items = np.zeros((6, 3, 256), np.float32)
    items[:, :, 0] = 100
    items[2, :, 0], items[2, :, 1] = 0, 100
    assert histogram.greedy_chain(items).tolist() == naive.similarity_chain(as_lists(items))


def test_bounds_never_exceed_the_distance():
    items = random_histograms(40, 3, 2, twins=4)
    roots = histogram.merged_roots(items, 256)
    medium = histogram.merged_roots(items, histogram.MEDIUM)
    coarse = np.ascontiguousarray(histogram.merged_roots(items, histogram.COARSE).reshape(len(items), -1).T)
    bounds = np.empty(len(items), np.float32)
    for i in range(len(items)):
        histogram._scan_coarse(coarse, 3, i, 0, bounds)
        for j in range(len(items)):
            distance = sum(histogram.bhattacharyya(items[i, c], items[j, c]) for c in range(3))
            assert bounds[j] <= distance
            assert histogram._lower_bound(medium[i], medium[j]) <= distance
            assert histogram._lower_bound(roots[i], roots[j]) <= distance


@pytest.mark.parametrize('count', [0, 1, 19999, 20000, 20001, 45000, 259999, 260000, 300001])
def test_chunk_bounds(count):
    assert histogram.chunk_bounds(count) == [part for part in naive.chunks(count) if part[0] < part[1]]


@pytest.mark.parametrize('count, twins', [(0, 0), (1, 0), (2, 0), (25, 0), (25, 10)])
def test_dissimilarity_is_summed_as_stock_does_where_it_matters(count, twins):
    items = random_histograms(count, 1, count + 1, twins=twins)[:, 0]
    comp = dissimilarity.dissimilarity(items)
    exact = histogram.exact_dissimilarity_numba(items, np.arange(count))
    np.testing.assert_allclose(comp, exact, rtol=1e-6)
    assert sorted(range(count), key=lambda i: comp[i]) == sorted(range(count), key=lambda i: exact[i])
    ref = naive.dissimilarities([[int(v) for v in item] for item in items])
    np.testing.assert_allclose(exact, ref, rtol=1e-6)


def test_dissimilarity_spans_several_blocks(monkeypatch):
    monkeypatch.setattr(dissimilarity, 'BLOCK', 7)
    items = random_histograms(30, 1, 3)[:, 0]
    np.testing.assert_allclose(dissimilarity.dissimilarity(items),
                               histogram.exact_dissimilarity_numba(items, np.arange(30)), rtol=1e-9)


@pytest.mark.parametrize('kind', ['of a few values', 'of faces', 'twins', 'nearly twins', 'empty'])
def test_sums_are_no_further_off_than_said(kind, monkeypatch):
    monkeypatch.setattr(dissimilarity, 'BLOCK', 7)
    items = random_histograms(40, 1, 8, twins=20 if kind == 'twins' else 0)[:, 0]
    if kind == 'of a few values':
        items[:, 3:] = 0
    elif kind == 'nearly twins':             # one pixel of 100,000 in another place
        items[:] = items[0] * 400
        items[np.arange(40), np.arange(40)] += 1
    elif kind == 'empty':
        items[::3] = 0
    totals, errors = dissimilarity._approximate_dissimilarity(items, None)
    exact = histogram.exact_dissimilarity_numba(items, np.arange(40))
    assert (abs(totals - exact) <= errors).all()
    assert (errors < (1e-9 if kind in ('of faces', 'empty') else 2e-5)).all()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=8))
def test_which_intervals_meet_another_one(intervals):
    lows = np.array([low for low, _ in intervals], np.float64)
    highs = lows + [size for _, size in intervals]
    meeting = {i for i in range(len(lows)) for j in range(len(lows))
               if i != j and lows[i] <= highs[j] and lows[j] <= highs[i]}
    assert set(dissimilarity._overlapping(lows, highs)) == meeting


def test_progress_counts_every_face_once():
    items = random_histograms(30, 3, 4)
    done = []
    histogram.greedy_chain(items, done.append)
    assert sum(done) == len(items) - 1  # the first one is given
    done = []
    dissimilarity.dissimilarity(items[:, 0], done.append)
    assert sum(done) == len(items)


@pytest.mark.parametrize('few', [0, 10 ** 9])
def test_both_exact_sums_are_the_same_to_the_last_bit(few, monkeypatch):
    monkeypatch.setattr(dissimilarity, 'FEW_PAIRS', few)
    items = random_histograms(20, 1, 6, twins=5)[:, 0]
    exact = dissimilarity.choose_exact(400)
    assert exact.__name__ == ('exact_dissimilarity_cv2' if few else 'exact_dissimilarity_numba')
    ref = dissimilarity.exact_dissimilarity_cv2(items, np.arange(20))
    assert exact(items, np.arange(20)).tolist() == ref.tolist()
