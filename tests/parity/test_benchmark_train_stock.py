"""The oracle of the benchmark of training against DeepFaceLab's own SampleLoader and SampleGeneratorFace.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] python -m pytest tests/parity/test_benchmark_train_stock.py

Both load the same faces and make batches of them from the same seeds. Where both have the same OpenCV, batches are
equal to the bit.
"""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from benchmarks import train_input, train_settings
from benchmarks.cases import train as train_cases

STOCK = os.environ['DFL_STOCK']
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
PRINT_OPENCV = 'import cv2; print(cv2.__version__)'
SAME_OPENCV = len({subprocess.check_output([python, '-c', PRINT_OPENCV])
                   for python in (STOCK_PYTHON, sys.executable)}) == 1
ALONE = ('person_name', 'landmarks_type', 'pitch_yaw_roll', 'seg_ie_polys')      # the oracle knows none of these
LOAD, SAMPLES = train_cases.CASES[:2]


@pytest.fixture(scope='module')
def space(tmp_path_factory):
    """A workspace with faces of two sizes, of which some have XSeg masks."""
    folder = tmp_path_factory.mktemp('space')
    paths = [path for size in (192, 320)
             for path in train_input.make_pool(str(folder / str(size)), 5, size, polygons=True)]
    train_input.lay_out(str(folder / 'workspace'), paths[::2], paths[1::2])
    return str(folder / 'workspace')


def both(space, folder, case, settings=None):
    """The reports of DeepFaceLab and of the oracle, and the folders that they are in."""
    stages = [str(folder / name) for name in ('stock', 'naive')]
    commands = [train_cases.driver_command(STOCK_PYTHON, STOCK, case, space, stages[0], settings),
                train_cases.naive_command(case, space, stages[1], settings)]
    for stage, command in zip(stages, commands):
        os.mkdir(stage)
        subprocess.run(command, check=True, timeout=120, env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1'),
                       stdout=subprocess.DEVNULL)
    return [train_settings.read_report(stage) for stage in stages], stages


def test_the_same_faces(space, tmp_path):
    (theirs, ours), _ = both(space, tmp_path, LOAD)
    assert theirs['faces'] == ours['faces'] == 5
    assert {name: value for name, value in theirs['fields'].items() if name not in ALONE} == ours['fields']
    assert set(ALONE) < set(theirs['fields'])


@pytest.mark.parametrize('side', [64, 192])
def test_the_same_batches(space, tmp_path, side):
    settings = train_settings.Settings(batch=4, resolution=side, processes=1, rounds=1, network=None)
    reports, stages = both(space, tmp_path, SAMPLES, settings)
    outcomes = []
    for report, stage in zip(reports, stages):
        with np.load(os.path.join(stage, train_settings.FIRST)) as kept:
            outcomes.append(train_cases.Outcome(report['arrays'], [kept[name] for name in kept.files]))
    assert len(outcomes[0].hashes) == 8
    assert train_cases.same_batches(*outcomes, strict=SAME_OPENCV), json.dumps(reports, indent=1)
