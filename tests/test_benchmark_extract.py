"""The benchmark of extraction: frames whose faces are known, trees alike for both, results held to files and pixels."""
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import extract_workspace as ew
import numpy as np
import pytest
from benchmark_command import no_first_start, of_size, run_here, start

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from benchmarks import cases, extract_limit, extract_trees, files, table_networks  # noqa: E402
from benchmarks.cases import extract as extract_cases  # noqa: E402
from extract_workspace import Shot, contents  # noqa: E402
from naive import cut as naive_cut  # noqa: E402
from naive import dfl_jpeg as naive_jpeg  # noqa: E402
from naive import extract as naive_extract  # noqa: E402

pytestmark = pytest.mark.shared_out(tests=True)

TABLE, MARKERS, OWN = extract_trees.TABLE, extract_trees.MARKERS, extract_trees.OWN


# --- frames and trees -------------------------------------------------------------------------

def test_many_frames_of_few_pictures_with_one_face_each(tmp_path):
    extract_trees.make_stamped(str(tmp_path), 7, (160, 90), 3)
    names = ["{:05d}.png".format(number) for number in range(1, 8)]
    folder = tmp_path / "data_src"
    assert files.image_names(str(folder)) == names == sorted(os.listdir(str(folder)))
    assert len({(folder / name).read_bytes() for name in names}) == 3
    rects = {tuple(table_networks.rects_in(cv2.imread(str(folder / name)))) for name in names}
    assert len(rects) == 3 and all(len(found) == 1 for found in rects)


def test_every_other_frame_has_a_face(tmp_path):
    extract_trees.make_markers(str(tmp_path), 3, (320, 280))
    spread = [np.ptp(cv2.imread(str(path)).astype(int), axis=2).max()
              for path in sorted((tmp_path / "data_src").iterdir())]
    assert spread[0] > 150 and spread[1] < 60 and spread[2] > 150


def test_own_frames_are_copied_in_their_order(tmp_path):
    assert extract_trees.find_own(str(tmp_path)) is None
    frames = tmp_path / "data_dst"
    (frames / "aligned").mkdir(parents=True)
    assert extract_trees.find_own(str(tmp_path)) is None
    for name in ("2.jpg", "1.PNG", "notes.txt"):
        (frames / name).write_text(name)
    found = extract_trees.find_own(str(tmp_path))
    assert found == (str(frames), ["1.PNG", "2.jpg"])
    extract_trees.copy_own(found, str(tmp_path / "copy"), 1)
    assert contents(tmp_path / "copy") == {os.path.join("data_src", "1.PNG"): b"1.PNG"}


@pytest.fixture
def stock(tmp_path):
    """A made-up DeepFaceLab with weights, whose extraction says why it fails."""
    files = {"main.py": "print('No TensorFlow here')", "facelib/S3FDExtractor.py": "old",
             "facelib/FANExtractor.py": "old", "facelib/S3FD.npy": "mine", "facelib/2DFAN.npy": "mine"}
    for path, content in files.items():
        (tmp_path / "stock" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stock" / path).write_text(content)
    return tmp_path / "stock"


def test_the_table_takes_the_place_of_the_networks(stock, tmp_path):
    table, before = Path(table_networks.__file__).read_bytes(), contents(stock)
    theirs = contents(extract_trees.build(str(tmp_path / "theirs"), TABLE, str(stock), overlay=False))
    ours = contents(extract_trees.build(str(tmp_path / "ours"), TABLE, str(stock)))
    alone = contents(extract_trees.build(str(tmp_path / "alone"), TABLE))
    place = os.path.join("accel", "nets", "loading.py")
    assert contents(stock) == before
    assert [path for path, content in theirs.items() if content == table] == [
        os.path.join("facelib", name) for name in ("FANExtractor.py", "S3FDExtractor.py")]
    for tree in (ours, alone):
        assert [path for path, content in tree.items() if content == table] == [place]
        assert b"command_line" in tree["main.py"] and os.path.join("accel", "extract", "run.py") in tree
    assert theirs["main.py"] == before["main.py"]


def test_made_up_weights_leave_those_of_the_user_alone(stock, tmp_path):
    large = bytes(2 ** 20 + 1)                       # such files are links in a copied tree
    (stock / "facelib" / "S3FD.npy").write_bytes(large)
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in extract_trees.WEIGHTS:
        (weights / name).write_text("made up")
    for overlay in (True, False):
        tree = extract_trees.build(str(tmp_path / str(overlay)), MARKERS, str(stock), overlay, str(weights))
        assert (Path(tree) / "facelib" / "S3FD.npy").read_text() == "made up"
    assert (stock / "facelib" / "S3FD.npy").read_bytes() == large and extract_trees.has_weights(str(stock))
    own = extract_trees.build(str(tmp_path / "own"), OWN, str(stock))
    assert (Path(own) / "facelib" / "S3FD.npy").read_bytes() == large
    (stock / "facelib" / "2DFAN.npy").unlink()
    assert not extract_trees.has_weights(str(stock))


# --- the oracle and equality ------------------------------------------------------------------

SIZE = 96


def naive(folder, space, **settings):
    """Extract a workspace's frames with the oracle into a stage. Return it."""
    stage = str(folder)
    for place in (extract_cases.aligned(stage), extract_cases.debug(stage)):
        os.makedirs(place)
    naive_extract.extract_folder(str(space.frames), extract_cases.aligned(stage), extract_cases.debug(stage),
                                 **dict({"image_size": SIZE, "jpeg_quality": 100}, **settings))
    return stage


def outcome(stage):
    return extract_cases.take_in(stage, stage + " kept", "", False)


def is_same(theirs, ours, space, networks=TABLE, strict=False):
    stems = [Path(name).stem for name in space.shots]
    return extract_cases.same(theirs, ours, stems, extract_cases.TOLERANCES[networks], strict)


@pytest.mark.parametrize("face_type", ["whole_face", "full_face"])
def test_the_oracle_and_the_engine_agree(tmp_path, face_type):
    shots = [Shot(), Shot(faces=3), Shot(faces=0), Shot(turn=90), Shot(turn=180), Shot(turn=270, size=(180, 240))]
    space = ew.build_workspace(tmp_path, shots)
    ew.extract(space, output_debug=True, face_type=face_type, jpeg_quality=100)
    theirs = outcome(naive(tmp_path / "naive", space, face_type=face_type))
    assert len(theirs.metadata) == 7 and is_same(theirs, outcome(str(space.frames)), space)


@pytest.fixture
def space(tmp_path):
    return ew.build_workspace(tmp_path, [Shot((320, 240)), Shot((320, 240), faces=0)])


@pytest.fixture
def stages(tmp_path, space):
    """The same frames extracted twice: two stages, equal to the byte."""
    return [naive(tmp_path / name, space) for name in ("theirs", "ours")]


FACE, DRAWN, EMPTY = (os.path.join(*path) for path in (
    ("aligned", "00001_0.jpg"), ("aligned_debug", "00001.jpg"), ("aligned_debug", "00002.jpg")))


def test_equal_results(stages, space):
    theirs, ours = (outcome(stage) for stage in stages)
    assert sorted(ours.hashes) == [FACE, DRAWN, EMPTY] and list(ours.metadata) == [FACE]
    assert is_same(theirs, ours, space, strict=True)
    assert extract_cases.files_below(ours.folder) == [FACE, DRAWN, EMPTY]


def rewritten(stage, name, change=lambda picture: None, **values):
    """Change picture and metadata of a face, or the picture of a debug image."""
    path = os.path.join(stage, name)
    with open(path, "rb") as stream:
        shape, about = naive_jpeg.metadata(stream.read())
    picture = cv2.imread(path)
    changed = change(picture)
    content = naive_extract.encode(picture if changed is None else changed, 100)
    about.update(values)
    if about:
        content = naive_jpeg.replace(content, naive_extract.pickle.dumps(about, 4))
    with open(path, "wb") as stream:
        stream.write(content)
    return about


def test_the_same_picture_in_other_bytes_is_equal_but_not_to_the_byte(stages, space):
    with open(os.path.join(stages[1], FACE), "ab") as stream:
        stream.write(b"\0")           # after the picture's end
    theirs, ours = (outcome(stage) for stage in stages)
    assert is_same(theirs, ours, space) and not is_same(theirs, ours, space, strict=True)


@pytest.mark.parametrize("name, change", [
    (FACE, lambda picture: np.roll(picture, 1, axis=1)), (FACE, lambda picture: picture[:-1, :-1]),
    (FACE, lambda picture: cv2.add(picture, 2)), (DRAWN, lambda picture: cv2.flip(picture, 1))])
def test_other_pictures_differ(stages, space, name, change):
    rewritten(stages[1], name, change)
    assert not is_same(*[outcome(stage) for stage in stages], space=space)


def test_a_debug_image_without_the_darkening_differs(stages, space):
    about = rewritten(stages[1], FACE)
    frame = cv2.imread(str(space.frames / "00001.png"))
    drawn = naive_cut.draw_face(frame, about["source_rect"], np.array(about["source_landmarks"]),
                                np.array(about["image_to_face_mat"]), SIZE)
    rewritten(stages[1], DRAWN, lambda picture: drawn)
    assert not is_same(*[outcome(stage) for stage in stages], space=space)


def moved(key, pixels):
    return lambda about: {key: (np.array(about[key]) + [pixels, 0]).tolist()}


def turned(about):
    matrix = np.array(about["image_to_face_mat"])
    matrix[0, 1] += 0.02
    return {"image_to_face_mat": matrix}


@pytest.mark.parametrize("change, differs", [
    (moved("landmarks", 1e-3), ()), (moved("landmarks", 0.1), (TABLE,)), (moved("landmarks", 4), (TABLE, MARKERS, OWN)),
    (moved("source_landmarks", 4), (TABLE, MARKERS, OWN)), (turned, (TABLE, MARKERS, OWN)),
    (lambda about: {"source_rect": np.array(about["source_rect"]) + [1, 0, 0, 0]}, (TABLE,)),
    (lambda about: {"source_rect": np.array(about["source_rect"]) + [0, 0, 0, 3]}, (TABLE, MARKERS, OWN)),
    (lambda about: {"source_filename": "00002.png"}, (TABLE, MARKERS, OWN)),
    (lambda about: {"face_type": "head"}, (TABLE, MARKERS, OWN)),
    (lambda about: {"xseg_mask": 1}, (TABLE, MARKERS, OWN))])
def test_how_near_metadata_must_be(stages, space, change, differs):
    about = rewritten(stages[0], FACE)
    rewritten(stages[1], FACE, **change(about))
    theirs, ours = (outcome(stage) for stage in stages)
    assert [kind for kind in (TABLE, MARKERS, OWN) if not is_same(theirs, ours, space, kind)] == list(differs)


@pytest.mark.parametrize("name", [FACE, EMPTY])
def test_a_file_that_is_missing_differs(stages, space, name):
    os.remove(os.path.join(stages[1], name))
    theirs, ours = (outcome(stage) for stage in stages)
    assert not is_same(theirs, ours, space)
    assert is_same(ours, ours, space) == (name == FACE)        # both lack a frame: that is no success


# --- figures ----------------------------------------------------------------------------------

def test_frames_a_second_without_those_begun_together(tmp_path, monkeypatch):
    monkeypatch.setattr(extract_cases.compat, "cpu_count", lambda: 3)
    paths = [str(tmp_path / str(number)) for number in range(12)]
    for path, moment in zip(paths, [0, 0, 0] + [0.5 * number for number in range(1, 10)]):
        Path(path).write_bytes(b"")
        os.utime(path, (100, 100 + moment))
    assert extract_cases.rate(paths) == pytest.approx(2.0)
    assert extract_cases.rate(paths[:10]) is None and extract_cases.rate([]) is None


def test_the_share_of_the_devices_is_told_by_the_log(tmp_path):
    log = tmp_path / "log"
    assert extract_cases.busy_share(str(log)) is None
    log.write_text("aligner: 3 pictures in 2 batches\n")
    assert extract_cases.busy_share(str(log)) is None
    log.write_text("detector: 1,003 pictures in 9 batches; devices busy 97.5% of 12.0 s\n", encoding="utf-8")
    assert extract_cases.busy_share(str(log)) == 97.5


def test_the_step_itself_says_so(tmp_path, monkeypatch):
    from accel.extract import extraction
    shown = []
    busy = SimpleNamespace(pictures={"detector": 1003}, batches={"detector": 9}, busy_share=lambda: 0.975,
                           seconds=lambda: 12.0)
    monkeypatch.setattr(extraction.host, "log_details", shown.append)
    extraction.Extraction._log_networks(SimpleNamespace(_networks=busy))
    (tmp_path / "log").write_text("\n".join(shown))
    assert extract_cases.busy_share(str(tmp_path / "log")) == 97.5


# --- the command ------------------------------------------------------------------------------

def applying(**given):
    """Names of the cases that are measured in such a run."""
    given = dict({"stock": None, "own": None}, **given)
    extract = extract_cases.Extract(SimpleNamespace(stock=given["stock"] and SimpleNamespace(tree=str(given["stock"]))))
    extract.own = given["own"]
    return [case.name for case in extract_cases.CASES if extract.applies(case)]


def test_which_cases_are_measured(stock):
    assert applying() == applying(own=("folder", ["1.png"])) == ["extract.pipeline"]
    assert applying(stock=stock) == ["extract.pipeline", "extract.cpu"]
    assert applying(stock=stock, own=("folder", ["1.png"])) == ["extract.pipeline", "extract.own"]
    (stock / "facelib" / "S3FD.npy").unlink()
    assert applying(stock=stock, own=("folder", ["1.png"])) == ["extract.pipeline", "extract.cpu"]


def test_the_words(tmp_path):
    pipeline, own = cases.choose(["extract.pipeline", "extract.own"])
    spoken = extract_cases.our_command(pipeline, "in", "stage", "tree", "file")
    common = extract_cases.words(pipeline, "in", "stage")
    assert spoken[1:] == [os.path.join("tree", "main.py")] + common + ["--yes", "--log", "file"]
    assert extract_cases.stock_command(pipeline, "in", "stage", "tree", "py") == (
        ["py", os.path.join("tree", "main.py")] + common)
    assert "--cpu-only" in common and "--cpu-only" not in extract_cases.words(own, "in", "stage")
    assert (extract_limit.SIZE, extract_limit.QUALITY) == (extract_cases.SIZE, extract_cases.QUALITY)


def test_quick_run_against_the_oracle(tmp_path):
    code, out, err, saved = start(tmp_path, "--frames", "2", "--no-picture", "--cases", "extract.*")
    assert code == 0, out + err
    case, = saved["cases"]
    assert (case["case"], case["equal"], case["frames"]) == ("extract.pipeline", "yes", 2)
    assert case["limit"]["seconds"] and case["ours"]["seconds"]
    parts = saved["extract_milliseconds_a_frame_in_one_thread"]
    assert sorted(parts) == sorted(extract_limit.PARTS)
    # a part is what remains of two times: on a busy machine it may come out a little below nothing
    assert "draw {:.1f}".format(parts["draw"]) in out and sum(parts.values()) > 0


@pytest.fixture
def small(monkeypatch):
    """Small frames, and no parts measured."""
    of_size(monkeypatch, extract_cases.Extract, size=(320, 180))
    monkeypatch.setattr(extract_cases.Extract, "measure_parts", lambda *given: None)


QUICK = ("--frames", "2", "--cases", "extract.pipeline")


def test_a_difference_is_shown_and_fails(tmp_path, monkeypatch, capsys, small):
    real = extract_cases.naive_command
    monkeypatch.setattr(extract_cases, "naive_command", lambda *given: real(*given) + ["--image-size", "256"])
    code, saved = run_here(tmp_path, monkeypatch, *QUICK)
    assert code == 1 and "DIFFER" in capsys.readouterr().out and saved["cases"][0]["equal"] == "NO"


def test_a_baseline_that_makes_no_frame_has_failed(tmp_path, stock, monkeypatch, capsys, small):
    no_first_start(monkeypatch)
    code, saved = run_here(tmp_path, monkeypatch, "--stock", str(stock), *QUICK)
    out = capsys.readouterr().out
    assert code == 1 and "No frame came out.\nNo TensorFlow here" in out and "DIFFER" not in out
    assert saved["cases"][0]["ours"]["seconds"]


@pytest.mark.parametrize("own, weights, told", [
    (False, True, "no frames in data_dst"), (True, None, "only with --stock"),
    (True, False, "lacks S3FD.npy in facelib"), (True, True, None)])
def test_why_own_frames_are_not_extracted_is_one_line(tmp_path, stock, capsys, own, weights, told):
    if own:
        (tmp_path / "data_dst").mkdir()
        (tmp_path / "data_dst" / "1.png").write_bytes(b"")
    if not weights:
        (stock / "facelib" / "S3FD.npy").unlink()
    bench = SimpleNamespace(stock=None if weights is None else SimpleNamespace(tree=str(stock)),
                            arguments=SimpleNamespace(workspace=str(tmp_path)))
    extract_cases.Extract(bench).check()
    err = capsys.readouterr().err
    assert len(err.splitlines()) == (told is not None) and (told or "") in err
