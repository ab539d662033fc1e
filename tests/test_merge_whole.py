"""`main.py merge` as it is started: what it asks, says and leaves, and what it must not touch.

The network is tests/stand_in's; the frames it should give are those of naive.merge.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import cv2
import merge_workspace as mw
import numpy as np
import psutil
import pytest
from naive import merge as naive

pytestmark = pytest.mark.shared_out(tests=True)

LIKE = {"mode": "overlay", "mask_mode": 4, "erode": 5, "blur": 21, "transfer": "rct"}
SET = ["--set", "mode=overlay", "--set", "mask_mode=4", "--set", "erode_mask_modifier=5", "--set",
       "blur_mask_modifier=21", "--set", "color_transfer_mode=rct"]
TYPED = "n\n1\n4\n5\n21\n0\n0\nrct\n0\n0\n0\n0\n0\n2\n"      # the same settings, and two workers
UNATTENDED = SET + ["--yes", "--workers", "2"]
# OpenCV 5 turns pictures in finer steps than 4.1 and the engine do, and tests/naive takes it as it is
OFF, OFF_MEAN = 12, 0.8
WITHOUT_FACE, GREY, ALPHA = 2, 1, 4


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return mw.build_tree(tmp_path_factory.mktemp("trees") / "tree")


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """Seven frames: one shows nobody, one is grey, one has an alpha channel. Nobody writes into them."""
    return mw.build_workspace(tmp_path_factory.mktemp("space") / "проект 1", 7, without_face=(WITHOUT_FACE,),
                              kinds={GREY: mw.GREY, ALPHA: mw.ALPHA})


@pytest.fixture(scope="module")
def merged(tree, space):
    """(the workspace, what was shown) of an undisturbed merge to png."""
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 0, shown
    return space, shown


def into(space, folder):
    """The workspace with outputs and model in a folder of their own."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    return space._replace(merged=folder / "merged", masks=folder / "merged_mask", model=folder / "model")


def outputs(space):
    """All that a merge has left: {folder: {path: bytes}}."""
    return {place.name: mw.contents(place) for place in (space.merged, space.masks)}


def source_of(space, name):
    """A frame as 8-bit BGR."""
    picture = mw.picture_at(space.frames / name)
    if picture.dtype == np.uint16:
        picture = ((picture.astype(int) + 128) // 257).astype(np.uint8)
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture[..., :3]


def check_frame(space, name, **settings):
    """Hold a merged frame and its mask to the oracle, and its background to the frame itself."""
    source = source_of(space, name)
    picture, mask = [mw.pictures(place)[name[:-4] + ".png"] for place in (space.merged, space.masks)]
    ref, ref_mask = naive.merge_frame(source, space.marks[name], **dict(LIKE, **settings))
    assert picture.dtype == mask.dtype == np.uint8
    assert picture.shape == source.shape and mask.shape == source.shape[:2]
    inside, outside = (mask > 0) & (ref_mask > 0), (mask == 0) & (ref_mask == 0)
    for one, other in ((picture, ref), (mask, ref_mask)):
        apart = cv2.absdiff(one, other)
        assert apart.max() <= OFF and apart[inside].sum() <= OFF_MEAN * apart[inside].size
    assert (picture[outside] == source[outside]).all()
    return inside.mean()


def stems(folder, suffix=".png"):
    names = sorted(set(os.listdir(str(folder))) - {mw.STAMP})
    assert all(name.endswith(suffix) for name in names), names
    return [name[:-len(suffix)] for name in names]


# --- what comes out ---------------------------------------------------------------------------

def test_every_frame_and_its_mask(merged):
    space, shown = merged
    expected = [name[:-4] for name in space.marks]
    assert stems(space.merged) == stems(space.masks) == expected
    assert "no faces found for 00003.png, copying without faces" in shown and shown.rstrip().endswith("Done.")
    for number, name in enumerate(space.marks):
        if number != WITHOUT_FACE:
            assert check_frame(space, name) > 0.05
    assert os.listdir(str(space.model)) == []


def test_a_frame_without_a_face_is_only_copied(merged):
    space, _ = merged
    name = "{:05d}.png".format(WITHOUT_FACE + 1)
    assert (mw.pictures(space.merged)[name] == mw.picture_at(space.frames / name)).all()
    mask = mw.pictures(space.masks)[name]
    assert mask.shape == (180, 320) and not mask.any()


def test_typed_answers_do_what_options_do(tree, merged, tmp_path):
    space = into(merged[0], tmp_path)
    code, shown = mw.run(tree, mw.words(space), TYPED + "png\n")
    assert code == 0 and outputs(space) == outputs(merged[0]), shown
    asked = re.findall(r"Use interactive merger\?|Choose mode:|Choose mask mode:|Choose erode|Color transfer|"
                       r"Choose sharpen mode|super resolution|Degrade color|Number of workers\?|Output image format",
                       shown)
    assert asked == ["Use interactive merger?", "Choose mode:", "Choose mask mode:", "Choose erode", "Color transfer",
                     "Choose sharpen mode", "super resolution", "Degrade color", "Number of workers?",
                     "Output image format"]


def test_closed_stdin_takes_the_defaults(tree, space, tmp_path):
    space = into(space, tmp_path)
    with mw.start(tree, mw.words(space, "--no-interactive"), stdin=subprocess.DEVNULL) as process:
        shown = process.communicate(timeout=100)[0].decode("utf-8")
    assert process.returncode == 0, shown
    assert stems(space.merged) == [name[:-4] for name in space.marks]
    check_frame(space, "00001.png", mask_mode=1, erode=0, blur=0, transfer="none")


@pytest.mark.parametrize("options, size", [
    (["--set", "mode=raw-predict"], (64, 64)),
    (["--set", "mask_mode=9", "--set", "super_resolution_power=50", "--set", "motion_blur_power=80"], (180, 320)),
    (["--set", "mode=seamless-hist-match", "--set", "mask_mode=8", "--set", "sharpen_mode=1", "--set",
      "blursharpen_amount=50"], (180, 320))], ids=str)
def test_settings_that_need_more_networks(tree, space, tmp_path, options, size):
    space = into(space, tmp_path)
    code, shown = mw.run(tree, mw.words(space, "--yes", *options))
    assert code == 0, shown
    for place in (space.merged, space.masks):
        found = mw.pictures(place)
        assert len(found) == 7 and {picture.shape[:2] for picture in found.values()} == {size}
        assert found["00001.png"].any()


def test_a_packed_faceset(tree, merged, tmp_path):
    space = mw.build_workspace(tmp_path / "packed", 7, without_face=(WITHOUT_FACE,),
                               kinds={GREY: mw.GREY, ALPHA: mw.ALPHA})
    mw.pack(space)
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 0 and "Using packed faceset." in shown, shown
    assert outputs(space) == outputs(merged[0])


SCENES = {
    "two heads, jpg, odd size": dict(size=(319, 177), heads=mw.TWO_HEADS, suffix=".jpg"),
    "heads that overlap": dict(heads=(mw.Head(0.4, 0.45, 0.4, 0.02), mw.Head(0.55, 0.5, 0.4, 0.02))),
    "cut by the border, 16 bit": dict(heads=(mw.Head(0.02, 0.8, 0.5, 0.01),), kinds={0: mw.DEEP, 1: mw.DEEP}),
    "larger than the frame": dict(size=(90, 130), heads=(mw.Head(0.5, 0.5, 1.7),)),
    "beside the frame": dict(heads=(mw.Head(2.5, 0.5, 0.3, 0.0),)),
}


def test_faces_of_all_kinds(tree, merged, tmp_path):
    spaces = {scene: mw.build_workspace(tmp_path / "космос", 2, seed=3, first=2 * number + 1, **SCENES[scene])
              for number, scene in enumerate(SCENES)}
    space = spaces["beside the frame"]
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 0 and stems(space.merged) == stems(space.masks) == [
        "{:05d}".format(number) for number in range(1, 2 * len(SCENES) + 1)], shown
    assert "Warning: multiple faces detected" in shown and "Warning: multiple faces detected" not in merged[1]
    for scene, space in spaces.items():
        for name in space.marks:
            covered = check_frame(space, name)
            assert covered == 0 if scene == "beside the frame" else covered > 0.03, scene


def test_a_model_that_takes_one_face_at_a_time(tree, merged, tmp_path):
    space = into(merged[0], tmp_path)
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED), TINY_BATCH="1", TINY_SLEEP="0.03")
    assert code == 0 and outputs(space) == outputs(merged[0]), shown


def test_faces_that_wait_are_answered_together(tree, space, tmp_path):
    space = into(space, tmp_path)
    code, shown = mw.run(tree, mw.words(space, *SET, "--yes", "--workers", "4"), TINY_SLEEP="0.05",
                         TINY_LOG=str(tmp_path / "log"))
    assert code == 0, shown
    calls = [int(line.split()[0]) for line in (tmp_path / "log").read_text().splitlines()[1:]]
    assert max(calls) > 1 and sum(calls) >= 6


# --- formats, and what was there before -------------------------------------------------------

def test_jpg_and_back_to_png(tree, merged, tmp_path):
    space = into(merged[0], tmp_path)
    code, shown = mw.run(tree, mw.words(space, "--output-format", "jpg", *UNATTENDED))
    assert code == 0 and stems(space.merged, ".jpg") == stems(space.masks), shown
    assert mw.contents(space.masks) == mw.contents(merged[0].masks)
    for name, picture in mw.pictures(space.merged).items():
        png = mw.pictures(merged[0].merged)[name[:-4] + ".png"]
        assert cv2.absdiff(picture, np.dstack([png] * 3) if png.ndim == 2 else png[..., :3]).mean() < 2
    before = outputs(space)
    (space.merged / "notes.txt").write_text("mine")
    code, shown = mw.run(tree, mw.words(space), TYPED + "png\nn\n")
    assert code == 1 and "14 images" in shown, shown
    (space.merged / "notes.txt").unlink()
    assert outputs(space) == before
    code, shown = mw.run(tree, mw.words(space), TYPED + "png\n\n")
    assert code == 0 and outputs(space) == outputs(merged[0]), shown


@pytest.mark.parametrize("same", ["link to frames", "aligned"])
def test_folders_that_would_be_eaten_are_refused(tree, tmp_path, same):
    """Which ones are: test_merge_output."""
    space = mw.build_workspace(tmp_path / "space", 2, (64, 48))
    (tmp_path / "link").symlink_to(space.frames, target_is_directory=True)
    place = tmp_path / "link" if same == "link to frames" else space.aligned
    before = mw.contents(space.folder)
    code, shown = mw.run(tree, mw.words(space._replace(merged=place), *UNATTENDED))
    assert code == 1 and "/!\\ " in shown and "Traceback" not in shown, shown
    assert mw.contents(space.folder) == before


@pytest.mark.parametrize("gone", ["frames", "aligned", "model"])
def test_a_folder_that_is_not_there(tree, space, tmp_path, gone):
    space = into(space, tmp_path)._replace(**{gone: tmp_path / "nowhere"})
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 1 and "directory not found" in shown and "nowhere" in shown, shown
    assert not (tmp_path / "nowhere").exists() and not space.merged.exists()


def test_wrong_words(tree, space):
    for wrong in (["--set", "mask_mode=12"], ["--set", "colour=red"], ["--workers", "0"], ["--output-format", "bmp"]):
        code, shown = mw.run(tree, mw.words(space, "--yes", *wrong))
        assert code == 2 and "Traceback" not in shown, shown


# --- frames that fail -------------------------------------------------------------------------

def test_damaged_frames_are_named_and_the_others_done(tree, tmp_path):
    space = mw.build_workspace(tmp_path / "space", 6, kinds={1: mw.CORRUPT, 3: mw.EMPTY, 4: mw.MISSING})
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 1 and "2 of 5 frames" in shown, shown
    assert "00002.png" in shown and "00004.png" in shown and "Traceback" not in shown
    done = ["00001", "00003", "00006"]
    assert stems(space.merged) == stems(space.masks) == done
    for stem in done:
        check_frame(space, stem + ".png")
    whole = outputs(space)
    for name in ("00002.png", "00004.png"):
        (space.frames / name).write_bytes((space.frames / "00001.png").read_bytes())
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 0 and len(stems(space.merged)) == 5, shown
    assert all(outputs(space)[place][name] == content for place in whole for name, content in whole[place].items())


def test_an_error_of_the_network_fails_its_frame_alone(tree, merged, tmp_path):
    space = into(merged[0], tmp_path)
    code, shown = mw.run(tree, mw.words(space, *SET, "--yes", "--workers", "1"), TINY_FAIL="3", TINY_BATCH="1")
    assert code == 1 and "1 of 7 frames" in shown and "call 3 fails" in shown, shown
    assert len(stems(space.merged)) == 6
    calls = tmp_path / "log"
    code, shown = mw.run(tree, mw.words(space, *SET, "--yes", "--workers", "1"), TINY_LOG=str(calls))
    assert code == 0 and outputs(space) == outputs(merged[0]), shown
    assert len(calls.read_text().splitlines()) == 3      # loaded, the ramp that tells models apart, and one face


def limited(tree, space, kilobytes):
    """A merge whose files may not be larger. Return (exit code, what was shown)."""
    command = 'ulimit -f {} && exec "$@"'.format(2 * kilobytes)
    with subprocess.Popen(["sh", "-c", command, "sh", sys.executable, "-W", "ignore", os.path.join(tree, "main.py")]
                          + mw.words(space, *UNATTENDED), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        shown = process.communicate(timeout=100)[0].decode("utf-8", "replace")
    return process.returncode, shown


def test_writes_that_fail_are_errors_and_leave_no_half_file(tree, merged, tmp_path):
    space = into(merged[0], tmp_path)
    code, shown = limited(tree, space, 64)            # masks fit, frames do not
    assert code == 1 and "could not be" in shown and "Traceback" not in shown, shown
    assert mw.contents(space.merged) == {} or all(len(content) < 65536 for content in
                                                  mw.contents(space.merged).values())
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 0 and outputs(space) == outputs(merged[0]), shown


# --- cut short --------------------------------------------------------------------------------

def check_whole(space, merged):
    """Whatever is there under a frame's name is that frame, finished."""
    finished = outputs(merged)
    for place, found in outputs(space).items():
        for name, content in found.items():
            assert name.startswith(".") or content == finished[place][name], name


def test_killed_at_any_moment_and_gone_on_with(tree, merged, tmp_path):
    space, calls = into(merged[0], tmp_path), tmp_path / "log"
    chance = random.Random(5)
    for there in (0, 5):                    # files: the lock, the stamp, parts and frames
        with mw.start(tree, mw.words(space, *UNATTENDED), TINY_SLEEP="0.1") as process:
            wait_until(lambda: space.merged.exists() and len(mw.contents(space.merged)) > there, process)
            time.sleep(chance.uniform(0, 0.05))
            family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert not psutil.wait_procs(family, timeout=2)[1]
        check_whole(space, merged[0])
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED), TINY_LOG=str(calls))
    assert code == 0 and outputs(space) == outputs(merged[0]), shown
    assert "An earlier merge" in shown and len(calls.read_text().splitlines()) < 7
    assert os.listdir(str(space.model)) == []


def test_ctrl_c_ends_soon_and_leaves_nothing_half(tree, merged, tmp_path):
    space, calls = into(merged[0], tmp_path), tmp_path / "log"
    calls.write_text("")
    with mw.start(tree, mw.words(space, *UNATTENDED), TINY_SLEEP="0.2", TINY_LOG=str(calls)) as process:
        wait_until(lambda: len(calls.read_text().splitlines()) > 2, process)
        process.send_signal(signal.SIGINT)
        begun = time.time()
        shown = process.communicate(timeout=20)[0].decode("utf-8")
        assert time.time() - begun < 2
    assert process.returncode == 130 and "Stopped by Ctrl-C" in shown and "Traceback" not in shown, shown
    check_whole(space, merged[0])
    assert not [name for place in outputs(space).values() for name in place if name.startswith(".")]
    code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
    assert code == 0 and outputs(space) == outputs(merged[0]), shown


def wait_until(reached, process):
    deadline = time.time() + 30
    while not reached():
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.005)


def test_two_merges_do_not_write_into_one_folder(tree, space, tmp_path):
    space, calls = into(space, tmp_path), tmp_path / "log"
    calls.write_text("")
    with mw.start(tree, mw.words(space, *UNATTENDED), TINY_SLEEP="0.5", TINY_LOG=str(calls)) as process:
        wait_until(lambda: len(calls.read_text().splitlines()) > 1, process)
        code, shown = mw.run(tree, mw.words(space, *UNATTENDED))
        assert code == 1 and "Another merge" in shown, shown
        assert process.communicate(timeout=60) and process.returncode == 0


# --- the window -------------------------------------------------------------------------------

def press(tree, space, keys, typed, **variables):
    """Merge in a window whose keys are pressed by a script; Esc at the end. Return what was shown."""
    code, shown = mw.run(tree, mw.words(space), typed, TINY_KEYS=keys, **variables)
    assert code == 0, shown
    return shown


# from the constructor's settings to those of `merged`: erode to 5, blur to 21
LIKE_MERGED = "\t" + 5 * "w" + 4 * "E" + "e"


def test_a_session_in_the_window(tree, merged, tmp_path):
    space = into(merged[0], tmp_path)
    shown = press(tree, space, LIKE_MERGED + "..", "y\n2\npng\n")
    assert "erode_mask_modifier: 5" in shown and "Session is saved" in shown
    check_whole(space, merged[0])
    assert json.loads((space.model / "tiny_Tiny_merger_session.json").read_text())
    shown = press(tree, space, "\t>", "y\n2\npng\ny\n")
    assert "Using saved session" in shown and "will be deleted" not in shown, shown
    assert outputs(space) == outputs(merged[0])


def test_a_session_of_a_model_that_was_trained_on(tree, merged, tmp_path):
    space, calls = into(merged[0], tmp_path), tmp_path / "log"
    press(tree, space, LIKE_MERGED + "/>", "y\n2\npng\n")
    assert outputs(space) == outputs(merged[0])
    press(tree, space, "\t>", "y\n2\npng\ny\n", TINY_ITER="2000", TINY_LOG=str(calls))
    assert outputs(space) == outputs(merged[0])
    assert sum(int(line.split()[0]) for line in calls.read_text().splitlines()[1:]) >= 6


def test_no_session_wanted_asks_before_it_deletes(tree, space, tmp_path):
    space = into(space, tmp_path)
    press(tree, space, "\t..", "y\n2\njpg\n")
    before = outputs(space)
    code, shown = mw.run(tree, mw.words(space), "y\n2\npng\nn\nn\n", TINY_KEYS="\t")
    assert code == 1 and "will be deleted" in shown and outputs(space) == before, shown
