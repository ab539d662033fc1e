"""The benchmark of training: faces as many as wished, samples from seeds, results held to the bit."""
import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from benchmark_command import run_here, start

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from benchmarks import cases, timing, train_driver, train_generator, train_input, train_limit  # noqa: E402
from benchmarks import train_settings  # noqa: E402
from benchmarks.cases import train as train_cases  # noqa: E402
from benchmarks.stock_tree import Unusable  # noqa: E402
from naive import metadata as naive_metadata  # noqa: E402
from naive import train as naive_train  # noqa: E402
from samplelib.SampleProcessor import SampleProcessor  # noqa: E402

pytestmark = pytest.mark.shared_out(tests=True)

LOAD, SAMPLES, WAIT = cases.choose(["train.*"])
SETTINGS = train_settings.Settings(batch=2, resolution=64, processes=1, rounds=2, network=None)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Paths of ten faces of 96 px."""
    return train_input.make_pool(str(tmp_path_factory.mktemp("pool") / "faces"), 10, 96, True)


@pytest.fixture(scope="module")
def space(tmp_path_factory, pool):
    """A workspace with six faces for data_src and four for data_dst."""
    folder = str(tmp_path_factory.mktemp("space") / "workspace")
    train_input.lay_out(folder, pool[:6], pool[6:])
    return folder


def names_in(folder, name):
    return sorted(os.listdir(train_settings.faces_folder(str(folder), name)))


# --- input ------------------------------------------------------------------------------------

def test_faces_have_all_that_training_uses(pool):
    found = [naive_metadata.read_metadata(path)[1] for path in pool]
    assert [path for path in pool] == sorted(pool) and len(pool) == 10
    assert sum("xseg_mask" in data for data in found) == 5 and sum("seg_ie_polys" in data for data in found) == 2
    assert all(data["face_type"] == "whole_face" for data in found)


def test_many_names_of_few_faces(tmp_path, pool, monkeypatch):
    paths = train_input.repeated(pool[:3], 7)
    train_input.lay_out(str(tmp_path / "links"), paths, [])
    real, made = os.link, []

    def limited(source, target):
        if len(made) >= 2:
            raise OSError(errno.EMLINK, "Too many links")
        made.append(target)
        real(source, target)
    monkeypatch.setattr(os, "link", limited)
    train_input.lay_out(str(tmp_path / "copies"), paths, [])
    assert len(made) == 2
    for place in ("links", "copies"):
        names = names_in(tmp_path / place, "data_src")
        assert names == ["{:05d}_0.jpg".format(number) for number in range(7)]
        assert names_in(tmp_path / place, "data_dst") == []
        for name, path in zip(names, paths):
            above = train_settings.faces_folder(str(tmp_path / place), "data_src")
            assert Path(above, name).read_bytes() == Path(path).read_bytes()


def test_own_faces(tmp_path):
    assert train_input.find_own(str(tmp_path)) is None
    source, destination = (Path(train_settings.faces_folder(str(tmp_path), name)) for name in train_settings.FOLDERS)
    destination.mkdir(parents=True)
    (destination / "b.jpg").write_bytes(b"")
    (destination / "a.PNG").write_bytes(b"")
    (destination / "notes.txt").write_text("mine")
    only = [str(destination / name) for name in ("a.PNG", "b.jpg")]
    assert train_input.find_own(str(tmp_path)) == [only, only]
    source.mkdir(parents=True)
    assert train_input.find_own(str(tmp_path)) == [only, only]
    (source / "c.jpeg").write_bytes(b"")
    assert train_input.find_own(str(tmp_path)) == [[str(source / "c.jpeg")], only]
    assert train_input.find_own(str(destination)) == [only, only]
    assert train_input.spread(list("abcdef"), 3) == ["a", "c", "e"]


# --- samples from seeds -----------------------------------------------------------------------

def test_every_face_comes_once_before_one_comes_again():
    taken = train_generator.shuffled(5, 3)
    rounds = [[next(taken) for _ in range(5)] for _ in range(3)]
    assert all(sorted(one) == list(range(5)) for one in rounds) and len({tuple(one) for one in rounds}) > 1
    again, other = train_generator.shuffled(5, 3), train_generator.shuffled(5, 4)
    assert [next(again) for _ in range(15)] == sum(rounds, [])
    assert [next(other) for _ in range(15)] != sum(rounds, [])


def test_seeds_of_deepfacelabs_hosts():
    class Host(object):
        def __init__(self, count, rnd_seed=None):
            self.told = count, rnd_seed

        def create_cli(self):
            return SimpleNamespace(multi_get=lambda count: [self.told] * count)
    train_driver.seed_hosts(Host)
    first, second = Host(7), Host(8)
    state = np.random.get_state()
    try:
        np.random.seed(99)
        client = second.create_cli()
        assert client.multi_get(2) == [(8, 2), (8, 2)] and first.create_cli().client.multi_get(1) == [(7, 1)]
        drawn = np.random.randint(0x80000000)
        client.multi_get(1)                                # does not begin again
        ref = np.random.RandomState(2)
        assert [drawn, np.random.randint(0x80000000)] == [ref.randint(0x80000000) for _ in range(2)]
    finally:
        np.random.set_state(state)


def test_what_saehd_asks_for():
    source, destination = (train_settings.generator_options(SampleProcessor, SETTINGS, kind) for kind in (True, False))
    assert (source["batch_size"], source["generators_count"]) == (2, 1)
    assert not source["sample_process_options"].random_flip and destination["sample_process_options"].random_flip
    assert [one["warp"] for one in source["output_sample_types"]] == [True, False, False, False]
    assert [one.get("face_mask_type") for one in source["output_sample_types"][2:]] == [1, 3]
    assert "ct_mode" not in destination["output_sample_types"][0]


class Sample(object):
    """What SampleProcessor asks a sample, for a face of the oracle's."""

    def __init__(self, face):
        self.face, self.filename = face, face["path"]
        self.face_type, self.shape = train_settings.WHOLE_FACE, face["shape"]
        self.landmarks = np.array(face["landmarks"])
        self.eyebrows_expand_mod = face.get("eyebrows_expand_mod", 1.0)

    def load_bgr(self):
        return cv2.imread(self.filename).astype(np.float32) / 255.0

    def get_xseg_mask(self):
        if "xseg_mask" not in self.face:
            return None
        return cv2.imdecode(self.face["xseg_mask"], cv2.IMREAD_UNCHANGED)[..., None].astype(np.float32) / 255.0


@pytest.mark.parametrize("side, source", [(64, True), (96, False), (72, False)])
def test_the_oracle_and_the_engine_agree(space, side, source):
    settings = SETTINGS._replace(resolution=side)
    options = train_settings.generator_options(SampleProcessor, settings, source)
    outputs, process = options["output_sample_types"], options["sample_process_options"]
    faces = naive_train.load(train_settings.faces_folder(space, "data_src"))
    made = naive_train.batches(faces, 3, side, not source, 5)
    state, order = np.random.get_state(), train_generator.shuffled(len(faces), 5)
    try:
        np.random.seed(5)
        for _ in range(2):
            comp = [SampleProcessor.process([Sample(faces[next(order)])], process, outputs, False)[0] for _ in range(3)]
            for ref, one in zip(next(made), [np.array(output) for output in zip(*comp)]):
                assert ref.dtype == one.dtype and ref.std() > 0.01
                np.testing.assert_array_equal(ref, one)
    finally:
        np.random.set_state(state)


# --- equality ---------------------------------------------------------------------------------

def outcome(*arrays):
    return train_cases.Outcome([train_settings.digest_of(array) for array in arrays], list(arrays))


def test_how_near_batches_must_be():
    picture = np.random.RandomState(0).random_sample((2, 3, 8, 8)).astype(np.float32)
    near, far = picture + np.float32(0.003), picture + np.float32(0.005)
    theirs = outcome(picture)
    assert train_cases.same_batches(theirs, outcome(picture.copy()), True)
    assert train_cases.same_batches(theirs, outcome(near), False)
    assert not train_cases.same_batches(theirs, outcome(near), True)
    for other in ([far], [picture.astype(float)], [picture[:1]], [picture, picture], [picture * np.nan]):
        assert not train_cases.same_batches(theirs, outcome(*other), False)


def test_shapes_of_batches():
    ones = outcome(np.ones((2, 3), np.float32))
    assert train_cases.same_shapes(ones, outcome(np.zeros((2, 3), np.float32)))
    for other in ([np.ones((3, 2), np.float32)], [np.ones((2, 3))], []):
        assert not train_cases.same_shapes(ones, outcome(*other))


def test_digests_tell_fields_and_their_order():
    def told(*values):
        return train_settings.digests({"name": value, "shape": [1, 2]} for value in values)
    assert told("a", "b") == told("a", "b") and told("a", "b")["shape"] == told("b", "a")["shape"]
    assert len({told(*values)["name"] for values in (("a", "b"), ("b", "a"), ("ab",), ("a", "b", "b"))}) == 4


# --- figures ----------------------------------------------------------------------------------

def figures(seconds, **changes):
    made = train_cases.Figures(seconds, 3.0, 0.1, 100, 200.0, 300.0)
    return made._replace(**changes)


def test_lines_below_the_table():
    theirs, ours = figures(10.0, waited=5.0, start=9.0), figures(2.0, waited=0.02)
    load, samples, wait = (train_cases.told_of(case, theirs, ours) for case in (LOAD, SAMPLES, WAIT))
    assert "10.00 s, ours 2.000 s: 5.0x" in load
    assert "10.0, ours 50.0: 5.0x" in samples and "9.0 s, ours 3.0 s" in samples
    assert "50.00 %, ours 1.00 %" in wait
    told = train_cases.memory_of(LOAD, theirs._replace(alone=700.0), ours)
    assert "700 MB, ours 200 MB" in told and "300, 300" in told
    assert train_cases.memory_of(LOAD, theirs, ours._replace(child=None)) == ""


def test_the_run_in_the_middle_is_none_that_compiled():
    assert train_cases.middle([]) is None and train_cases.middle([figures(9.0)]).seconds == 9.0
    assert train_cases.middle([figures(1.0), figures(2.0)]).seconds == 2.0
    assert train_cases.middle([figures(0.5), figures(3.0), figures(1.0), figures(2.0)]).seconds == 2.0


def test_what_a_report_tells():
    process = timing.Run(20.0, 900.0, 0, "", 1000.0, 400.0, 100.0)
    report = {"seconds": 2.0, "ready": 1003.5, "waited": 0.5, "faces": 32}
    assert train_cases.figures(report, process) == (2.0, 3.5, 0.5, 32, 400.0, 100.0)
    assert train_cases.figures({"seconds": 2.0, "ended": 1004.0, "faces": 9}, process)[:3] == (2.0, 4.0, None)


def test_the_memory_of_a_process_and_of_its_largest_child(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "FAMILY_SHARE", 1.0)       # however slow the machine, children are looked for
    child = "block = bytearray(60000000); import time; time.sleep(1.5)"
    code = "import subprocess, sys; block = bytearray(120000000); subprocess.call([sys.executable, '-c', {!r}])"
    found = timing.run_process([sys.executable, "-c", code.format(child)], str(tmp_path / "log"))
    if timing.psutil is None:
        assert found.alone is found.child is found.megabytes is None
    else:
        assert 60 < found.child < 110 < 120 < found.alone < 170 and found.megabytes > 180


# --- the step ---------------------------------------------------------------------------------

def bench(stock=None, own=None, **arguments):
    words = dict(dict(faces=None, quick=False, workspace=None, stock_python=sys.executable), **arguments)
    made = train_cases.Train(SimpleNamespace(stock=stock, arguments=SimpleNamespace(**words)))
    made.own = own
    return made


def test_counts_are_whole_rounds(monkeypatch):
    monkeypatch.setattr(train_cases.compat, "cpu_count", lambda: 8)
    with_stock, alone, wished = bench(stock=True), bench(), bench(stock=True, faces=17)
    assert [with_stock.count(case) for case in (LOAD, SAMPLES, WAIT)] == [10000, 960, 640]
    assert [alone.count(case) for case in (LOAD, SAMPLES, WAIT)] == [24, 8, 8]
    assert [wished.count(case) for case in (LOAD, SAMPLES, WAIT)] == [17, 32, 32]
    assert with_stock.settings(SAMPLES) == (8, 256, 1, 60, None)
    assert with_stock.settings(WAIT) == (8, 256, 4, 40, train_cases.NETWORK)
    assert alone.settings(WAIT) == (2, 128, 1, 2, train_cases.NAIVE_NETWORK)
    own = bench(stock=True, own=[["a"] * 5, ["b"]])
    assert own.count(LOAD) == 5 and own.count(SAMPLES) == 960
    assert all(train_settings.faces(one.settings(case)) == one.count(case)
               for one in (with_stock, alone, wished) for case in (SAMPLES, WAIT))


def test_who_takes_part():
    own = [["a"], ["b"]]
    assert bench().sides(LOAD) == bench(stock=True, own=own).sides(LOAD) == ["baseline", "ours", "limit"]
    assert bench(own=own).sides(LOAD) == ["ours", "limit"]              # the oracle unpickles what it is given
    assert bench().is_strict() and bench(stock=True).is_strict()
    assert not bench(stock=True, stock_python="other").is_strict()


def test_fields_that_differ_are_told(capsys):
    theirs = train_cases.Outcome({"shape": "1", "name": "2", "faces": 3}, None)
    assert bench().compare(LOAD, theirs, theirs, "") == "yes" and bench().repeats(theirs, theirs)
    ours = train_cases.Outcome({"shape": "1", "name": "3"}, None)
    assert bench().compare(LOAD, theirs, ours, "") == "NO" and not bench().repeats(theirs, ours)
    assert "differ: faces, name" in capsys.readouterr().err


def test_batches_of_several_processes_are_compared_by_shape(monkeypatch):
    step = bench(stock=True)
    theirs, ours = outcome(np.ones((2, 2))), outcome(np.zeros((2, 2)))
    monkeypatch.setattr(train_cases.compat, "cpu_count", lambda: 2)
    assert step.compare(WAIT, theirs, ours, "") == "NO" and step.repeats(theirs, ours)
    monkeypatch.setattr(train_cases.compat, "cpu_count", lambda: 4)
    assert step.compare(WAIT, theirs, ours, "") == "yes" and step.compare(SAMPLES, theirs, ours, "") == "NO"


def test_a_driver_that_says_nothing_has_failed(tmp_path):
    process = timing.Run(2.0, None, 0, "Killed", 0.0, None, None)
    with pytest.raises(Unusable, match="No samples came out.\nKilled"):
        bench().taken(SAMPLES, "ours", process, str(tmp_path))
    assert bench().taken(LOAD, "limit", process, str(tmp_path)) == 2.0


def test_the_limits(space, monkeypatch):
    read = []
    monkeypatch.setattr(train_limit.limits, "decode", read.append)
    assert train_limit.decode(space, SETTINGS) >= 0
    assert len(read) == 2 + 2 * SETTINGS.rounds * SETTINGS.batch and {os.path.dirname(path) for path in read} == {
        train_settings.faces_folder(space, name) for name in train_settings.FOLDERS}
    assert 0.04 <= train_limit.network(space, SETTINGS._replace(network=0.02)) < 2


# --- the command ------------------------------------------------------------------------------

def test_quick_run_against_the_oracle(tmp_path):
    code, out, err, saved = start(tmp_path, "--no-picture", "--cases", "train.*")
    assert code == 0, out + err
    assert [case["case"] for case in saved["cases"]] == ["train.load", "train.samples", "train.wait"]
    assert [case["equal"] for case in saved["cases"]] == ["yes"] * 3
    assert all(case[side]["seconds"] for case in saved["cases"] for side in ("ours", "limit"))
    told = saved["train"]["train.wait of ours"][-1]        # the first of two may have compiled
    assert told["faces"] == 8 and 0 <= told["waited"] < told["seconds"] and told["start"] > 0.1
    assert told["seconds"] == pytest.approx(saved["cases"][2]["ours"]["seconds"][0], abs=1e-3)
    for words in ("train.load: loading alone", "train.samples: samples a second", "train.wait: of the time"):
        assert words in out


def test_a_difference_is_shown_and_fails(tmp_path, monkeypatch, capsys):
    def other_size(python, tree, case, source, stage, settings):
        return train_cases.naive_command(case, source, stage, settings._replace(resolution=64))
    monkeypatch.setattr(train_cases, "driver_command", other_size)
    code, saved = run_here(tmp_path, monkeypatch, "--faces", "4", "--cases", "train.samples")
    assert code == 1 and "DIFFER" in capsys.readouterr().out and saved["cases"][0]["equal"] == "NO"
