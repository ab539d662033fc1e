"""Random warps: as many numbers drawn as one by one, the same maps and pictures."""
import cv2
import numpy as np
import pytest
from accel.training import warps
from core.imagelib.warp import gen_warp_params, warp_by_params
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import samples as naive

RANGES = (-10, 10), (-0.2, 0.1), (-0.05, 0.05), (0.1, 0.2)
seeds = st.integers(0, 2 ** 31)


def same_state(first, second):
    first, second = first.get_state(), second.get_state()
    return all(np.array_equal(one, other) for one, other in zip(first, second))


@given(seeds, st.integers(0, 6), st.integers(1, 9))
def test_truncated_normal_draws_what_one_by_one_draws(seed, rows, columns):
    ref, comp = np.random.RandomState(seed), np.random.RandomState(seed)
    wanted, numbers = naive.normal((rows, columns), ref), warps.truncated_normal((rows, columns), comp)
    assert numbers.dtype == np.float32 and numbers.shape == (rows, columns)
    assert (numbers == wanted).all()
    assert same_state(ref, comp)
    assert ref.normal() == comp.normal()        # the second of a pair that is drawn together is kept


def test_numbers_are_rejected():
    """With so many, some lie beyond 2.5 standard deviations, and some of those drawn instead, too."""
    ref, comp = np.random.RandomState(3), np.random.RandomState(3)
    numbers = warps.truncated_normal((50, 400), comp)
    assert (numbers == naive.normal((50, 400), ref)).all() and same_state(ref, comp)
    assert 0.99 < np.abs(numbers).max() <= 1


@settings(max_examples=60)
@given(seeds, st.sampled_from([0, 5, 40, 63, 64, 65, 71, 96, 128, 130, 200]), st.booleans())
def test_parameters_against_the_oracle(seed, side, flip):
    ref, ref_warp, comp, comp_warp = (np.random.RandomState(seed + more) for more in (0, 1, 0, 1))
    wanted = naive.warp(side, flip, RANGES, ref, ref_warp)
    params = warps.parameters(side, flip, *RANGES, random=comp, warp_random=comp_warp)
    for key, value in wanted.items():
        assert np.array_equal(params[key], value), key
    assert params['mapx'].dtype == params['mapy'].dtype == np.float32
    assert params['mapx'].shape == params['mapy'].shape
    odd = any(params['w'] // cells % 2 for cells in (2, 4, 8))   # a cell of an odd side makes them 1 px larger
    assert params['mapx'].shape[0] - params['w'] in ((0, 1) if odd else (0,))
    assert (params['umat'][:, :2] == params['rmat'][:, :2]).all()
    assert (params['umat'][:, 2] == params['rmat'][:, 2] / params['w']).all()
    assert same_state(ref, comp) and same_state(ref_warp, comp_warp)


def test_maps_mirror_each_other():
    """Both get the moves of both: stock's second map is a view of its first."""
    for seed in range(6):
        x, y = warps.draw_maps(128, np.random.RandomState(seed))
        np.testing.assert_allclose(x, y.T, atol=1e-4)
        assert np.abs(x - np.arange(128)).max() > 1


def test_one_generator_gives_both_parts_in_turn():
    np.random.seed(8)
    params = gen_warp_params(96, True)
    after = np.random.randint(2 ** 31)
    random = np.random.RandomState(8)
    wanted = naive.warp(96, True, ((-10, 10), (-0.5, 0.5), (-0.05, 0.05), (-0.05, 0.05)), random, random)
    assert all(np.array_equal(params[key], value) for key, value in wanted.items())
    assert after == random.randint(2 ** 31)


@pytest.mark.parametrize('side', [40, 80])
@pytest.mark.parametrize('channels', [1, 3])
def test_pictures_against_the_oracle(side, channels):
    flips = set()
    for seed in range(8):
        random = np.random.RandomState(seed)
        params = gen_warp_params(side, True, rnd_state=random, warp_rnd_state=random)
        flips.add(bool(params['flip']))
        picture = random.rand(params['w'], params['w'], channels).astype(np.float32)
        for asked in ({}, {'warp': True}, {'transform': True}, {'warp': True, 'transform': True}):
            for replicate in (True, False):
                border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
                wanted = naive.apply(params, picture, asked, border, cv2.INTER_CUBIC)
                made = warp_by_params(params, picture, asked.get('warp', False), asked.get('transform', False), True,
                                      replicate)
                assert made.shape == wanted.shape == (side if asked else params['w'],) * 2 + (channels,)
                assert (made == wanted).all()
                unflipped = warp_by_params(params, picture, asked.get('warp', False), asked.get('transform', False),
                                           False, replicate)
                assert (unflipped == (made[:, ::-1] if params['flip'] else made)).all()
    assert flips == {True, False}
