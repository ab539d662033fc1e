"""The choice of the best faces against an oracle of plain loops."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.ranking import best
from naive import best as naive

pytestmark = pytest.mark.kernel


def random_faces(count, seed, spread=0.5, ties=False):
    random = np.random.RandomState(seed)
    values = [2, 5, 9] if ties else None
    faces = []
    for i in range(count):
        histogram = random.multinomial(600, random.dirichlet(np.ones(256))).astype(np.float32)
        if ties and i % 3 == 1:
            histogram = faces[-1].histogram
        faces.append(best.Face(str(i), float(random.choice(values)) if ties else random.random_sample(), histogram,
                               float(np.clip(random.normal(0, spread), -1.57, 1.57)),
                               float(np.clip(random.normal(0, spread), -1.57, 1.57))))
    return faces


def assert_same_choice(faces, target):
    chosen, rejected = best.choose_best(faces, target)
    as_dicts = [{'sharpness': face.sharpness, 'hist': [int(v) for v in face.histogram], 'yaw': face.yaw,
                 'pitch': face.pitch} for face in faces]
    ref_chosen, ref_rejected = naive.select(as_dicts, target)
    assert [int(face.path) for face in chosen] == ref_chosen
    assert sorted(int(face.path) for face in rejected) == sorted(ref_rejected)
    return chosen


@pytest.mark.parametrize('target', [1, 10, 63, 64, 65, 128, 256, 2000])
@pytest.mark.parametrize('spread', [0.02, 0.6, 3.0])
def test_choose_best(target, spread):
    chosen = assert_same_choice(random_faces(90, 1, spread), target)
    if target <= 64:
        assert len(chosen) == min(target, 90)


@settings(max_examples=15)
@given(seed=st.integers(0, 10 ** 6), count=st.integers(0, 60), target=st.sampled_from([5, 70, 130, 300]),
       spread=st.sampled_from([0.0, 0.05, 0.7]))
def test_choose_best_of_random_faces_with_ties(seed, count, target, spread):
    assert_same_choice(random_faces(count, seed, spread, ties=True), target)


def test_many_faces_in_one_bin():
    faces = [face._replace(yaw=0.1, pitch=0.2) for face in random_faces(120, 4)]
    assert_same_choice(faces, 1300)


def test_edges_belong_to_the_bin_that_they_begin():
    faces = [face._replace(yaw=float(yaw), pitch=float(pitch))
             for face in random_faces(1, 1)
             for yaw in list(-np.linspace(-1.2, 1.2, 128)[[0, 1, 64, 126, 127]]) + [-1.5, 1.5]
             for pitch in [-np.pi / 2, 0.0, np.pi / 2]]
    faces = [face._replace(path=str(i)) for i, face in enumerate(faces)]
    for target in (128, 256, 400):
        assert_same_choice(faces, target)
