"""A merge that is killed, fails, runs out of disk or of power at each of its operations on files.

Whatever happens: frames, faces and the model are as they were, every merged frame and mask is whole, the old one
or the new one, and starting again gives what an undisturbed merge gives.
"""
import compileall
import os
import shutil
import sys
from pathlib import Path

import crash_shim
import cv2
import merge_workspace as mw
import numpy as np
import pytest
from accel import host
from accel.merge import alignments, encoding, interactive, output, prediction, session_keeper, workers

pytestmark = pytest.mark.light

LOADED = (alignments, interactive, output, prediction, session_keeper, workers)          # so that no fork has to
SETTINGS = {"mode": "overlay", "mask_mode": 2, "color_transfer_mode": 0}
FOREIGN = ("merger", "models", "facelib", "mainscripts")
EVERY = {"kill": 1, "power": 7, "power-names": 5, "power-order": 6, "eio": 6, "eio-on": 8, "enospc": 6,
         "enospc-on": 8}       # see crash_shim.points


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    assert LOADED
    for channels in (1, 3):
        encoding.encode_png(np.zeros((48, 64, channels), np.uint8))            # loads the compiled encoder
    path = mw.build_tree(tmp_path_factory.mktemp("trees") / "tree")
    compileall.compile_dir(path, quiet=1)                                    # so that no fork does
    return path


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A workspace of two frames, one without a face, with the result of an earlier merge of other frames."""
    space = mw.build_workspace(tmp_path_factory.mktemp("before") / "space", 2, (64, 48), without_face=(1,))
    for place in (space.merged, space.masks):
        place.mkdir()
        for name in ("00001.png", "00007.png"):
            shutil.copy(str(space.frames / "00001.png"), str(place / name))
    return space


def merge(tree, space):
    """Return a function that merges in this process, a forked one."""
    def work():
        cv2.setNumThreads(0)           # a fork has none of OpenCV's threads
        for name in [name for name in sys.modules if name.split(".")[0] in FOREIGN]:
            del sys.modules[name]
        sys.path.insert(0, tree)
        sys.stdout = sys.stderr = open(os.devnull, "w")
        host.set_unattended(True)
        from mainscripts import Merger
        Merger.main("Tiny", space.model, input_path=space.frames, output_path=space.merged,
                    output_mask_path=space.masks, aligned_path=space.aligned, cpu_only=True, interactive=False,
                    workers=1, output_format="png", settings=SETTINGS)
    return work


def fresh(before, folder):
    """A copy of the workspace at a path that is the same in every run."""
    if folder.exists():
        shutil.rmtree(str(folder))
    shutil.copytree(str(before.folder), str(folder))
    moved = {name: folder / getattr(before, name).relative_to(str(before.folder))
             for name in ("frames", "aligned", "merged", "masks", "model")}
    return before._replace(folder=folder, **moved)


def outputs(space):
    return {place.name: mw.contents(place) for place in (space.merged, space.masks)}


def images(found):
    return {name: content for name, content in found.items() if not name.startswith(".")}


def inputs(space):
    """The files that a merge only reads: {path: bytes}."""
    return {path: content for path, content in mw.contents(space.frames).items()
            if Path(path).parts[0] not in ("merged", "merged_mask")}


@pytest.fixture(scope="module")
def after(tree, before, tmp_path_factory):
    """(outputs of an undisturbed merge, its operations)."""
    space = fresh(before, tmp_path_factory.mktemp("after") / "space")
    operations = crash_shim.trace(merge(tree, space), space.folder)
    assert os.listdir(str(space.model)) == []
    return outputs(space), operations


@pytest.fixture(scope="module")
def known_states():
    """crash_shim.state of what was merged again, whatever has made it."""
    return set()


def check_whole(space, before, after):
    for place, found in outputs(space).items():
        for name, content in images(found).items():
            known = [outputs(before)[place].get(name), after[place].get(name)]
            assert content in known, (place, name, len(content))


@pytest.mark.parametrize("mode", crash_shim.MODES)
def test_cut_at_every_operation(tree, before, after, known_states, tmp_path, mode):
    expected, operations = after
    ended = set()
    for at in crash_shim.points(operations, mode, EVERY[mode]):
        space = fresh(before, tmp_path / "space")
        how, _, words = crash_shim.run(merge(tree, space), space.folder, mode, at, (host.UserError, OSError))
        ended.add(how)
        assert how != crash_shim.BROKEN, (at, words)
        assert inputs(space) == inputs(before)
        check_whole(space, before, expected)
        if how == crash_shim.DONE:     # at most a lock file could not be removed
            assert {place: images(found) for place, found in outputs(space).items()} == expected, at
        if crash_shim.state(space.folder) in known_states:
            continue
        known_states.add(crash_shim.state(space.folder))
        how, _, words = crash_shim.run(merge(tree, space), space.folder, refusals=(host.UserError, OSError))
        assert how == crash_shim.DONE, (at, words)
        assert outputs(space) == expected and inputs(space) == inputs(before), at
        assert os.listdir(str(space.model)) == []
    assert ended & {crash_shim.KILLED, crash_shim.REFUSED}
