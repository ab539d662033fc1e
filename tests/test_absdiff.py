"""The chain of absolute differences and its bounds against oracles of plain loops."""
import os

import cv2
import numpy as np
import pytest

from accel.ranking import absdiff
from kernel_images import textured
from naive import absdiff as naive

pytestmark = pytest.mark.kernel


def images_like(count, shape, seed, dtype=np.uint8):
    """Images in groups that resemble each other, a few of them equal."""
    random = np.random.RandomState(seed)
    images = []
    for i in range(count):
        base = textured(shape[0], shape[1], seed + i // 4, shape[2] if len(shape) == 3 else 0)
        image = np.clip(base.astype(int) + random.randint(-6, 7, shape) + 9 * (i % 4), 0, 255)
        images.append(image.astype(dtype) * (257 if dtype == np.uint16 else 1))
    images[count // 2] = images[1].copy()
    return images


def tables_of(images, similar):
    tables = absdiff.BlockTables(lambda row: images[row], range(len(images)), images[0], similar)
    for row, image in enumerate(images):
        tables.fill(row, image)
    return tables


@pytest.mark.parametrize('similar', [True, False])
@pytest.mark.parametrize('shape, dtype', [((40, 40, 3), np.uint8), ((37, 66, 3), np.uint8), ((20, 9), np.uint8),
                                          ((24, 24, 4), np.uint8), ((24, 33, 3), np.uint16)])
def test_absdiff_chain(shape, dtype, similar):
    images = images_like(14, shape, 3, dtype)
    assert absdiff.absdiff_chain(tables_of(images, similar), similar) == naive.chain(images, similar)


@pytest.mark.parametrize('similar', [True, False])
def test_absdiff_chain_of_equal_images(similar):
    images = [textured(16, 16, 1)] * 5
    assert absdiff.absdiff_chain(tables_of(images, similar), similar) == naive.chain(images, similar)


@pytest.mark.parametrize('similar', [True, False])
def test_absdiff_chain_decodes_again_what_the_cache_has_dropped(similar, monkeypatch):
    monkeypatch.setattr(absdiff, 'CACHE_BYTES', 0)
    monkeypatch.setattr(absdiff, 'cpu_count', lambda: 1)
    images = images_like(16, (24, 24, 3), 8)
    assert absdiff.absdiff_chain(tables_of(images, similar), similar) == naive.chain(images, similar)


def test_bounds_enclose_the_distance():
    images = images_like(12, (37, 66, 3), 5)
    tables = tables_of(images, False)
    for a in range(len(images)):
        for b in range(len(images)):
            distance = naive.difference(images[a], images[b])
            for level, sums in enumerate(tables.sums):
                lower = absdiff._distance(sums[a], sums[b])
                assert lower <= distance
                assert distance <= lower + tables.deviations[a, level] + tables.deviations[b, level]
            upper = absdiff._distance_by_ranges(
                tables.sums[-1][a], tables.sums[-1][b], tables.spreads[a], tables.spreads[b], tables.lows[a],
                tables.lows[b], tables.highs[a], tables.highs[b], absdiff.LEVELS[-1] ** 2)
            assert distance <= upper


def save(folder, images, suffix='.png'):
    paths = []
    for i, image in enumerate(images):
        paths.append(os.path.join(str(folder), '{:02d}{}'.format(i, suffix)))
        assert cv2.imwrite(paths[-1], image)
    return paths


def test_rank_absdiff_trashes_what_cannot_be_read(tmp_path):
    images = images_like(6, (16, 16, 3), 1)
    paths = save(tmp_path, images)
    (tmp_path / '00.png').write_bytes(b'no image')
    ranking = absdiff.rank_absdiff(paths)
    assert [path for path, _ in ranking.trashed] == paths[:1]
    assert [path for path, _ in ranking.ordered] == [paths[1 + i] for i in naive.chain(images[1:])]


def test_rank_absdiff_refuses_several_sizes(tmp_path):
    images = images_like(5, (16, 16, 3), 1)
    images[3] = images[3][:8]
    paths = save(tmp_path, images)
    with pytest.raises(absdiff.DifferentSizes) as refused:
        absdiff.rank_absdiff(paths)
    for word in ('00.png is 16x16', '03.png is 16x8', 'Nothing was changed', 'one size'):
        assert word in str(refused.value)


def test_rank_absdiff_of_nothing(tmp_path):
    (tmp_path / '00.png').write_bytes(b'')
    assert absdiff.rank_absdiff([]).ordered == []
    assert absdiff.rank_absdiff([str(tmp_path / '00.png')]).ordered == []
