"""The lines of 4) and 5) on the overlay alone, with real networks whose weights are made by hand: known faces are found
where they are."""
import os
from pathlib import Path

import extract_workspace as ew
import numpy as np
import pytest
from benchmarks import marker_frames
from benchmarks.marker_frames import Shots

SHOTS = (Shots((320, 280), (1, 0)), Shots((640, 280), (2,)), Shots((320, 280), (1,), 180), Shots((281, 321), (1,), 270))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trees")
    return ew.build_tree(folder / "tree", ew.weights(folder / "weights"))


def build(folder, shots, suffix=".png", seed=0):
    """(Workspace, {name of a frame: its Markers})."""
    markers = marker_frames.build_workspace(str(folder), shots, suffix, seed)
    frames = Path(str(folder)) / "data_src"
    return ew.Workspace(folder, frames, frames / "aligned", frames / "aligned_debug", None), markers


def check_faces(space, markers, face_type, side, three_d=False):
    """Every marker has its one face, about where it is, and nothing else has."""
    names = []
    for name, known in markers.items():
        paths = sorted(space.aligned.glob(Path(name).stem + "_*.jpg"))
        names += [path.name for path in paths]
        told = [ew.about(path) for path in paths]
        found = [np.array(about["source_landmarks"]) for about in told]
        size = ew.picture_at(space.frames / name).shape[1::-1]
        for number, error in marker_frames.match(found, known, three_d):
            assert error <= marker_frames.TOLERANCE * marker_frames.unit(size)
            assert told[number]["face_type"] == face_type and told[number]["source_filename"] == name
        for about, path in zip(told, paths):
            assert ew.picture_at(path).shape == (side, side, 3)
            inside = np.array(about["landmarks"])
            assert 0 < inside.min() and inside.max() < side
            left, top, right, bottom = np.sort(np.array(about["source_rect"]).reshape(2, 2), axis=0).ravel()
            middle = np.array(about["source_landmarks"]).mean(axis=0)
            assert left < middle[0] < right and top < middle[1] < bottom
    assert ew.names(space.aligned) == sorted(names)


def test_the_line_of_5_and_what_goes_on(tree, tmp_path):
    space, markers = build(tmp_path, SHOTS)
    code, shown = ew.run(tree, ew.words(space, line="5"), "\n256\n\n", timeout=120)
    assert code == 0 and "Images found:        5" in shown and "Faces detected:      5" in shown, shown
    assert "[512] Image size ( 256-2048 ?:help ) : 256" in shown and "Running on CPU" in shown
    check_faces(space, markers, "whole_face", 256)
    assert ew.names(space.debug) == [name.replace("png", "jpg") for name in sorted(markers)]
    for name, known in markers.items():
        frame, drawn = ew.picture_at(space.frames / name), ew.picture_at(space.debug / name.replace("png", "jpg"))
        even = frame[:frame.shape[0] // 2 * 2, :frame.shape[1] // 2 * 2]
        assert drawn.shape == even.shape
        assert (np.abs(even.astype(int) - drawn).mean() > 3) == bool(known)


def test_heads_of_the_line_of_4(tree, tmp_path):
    space, markers = build(tmp_path, (Shots((320, 280), (1,)), Shots((300, 320), (1,), 90)), ".jpg", seed=5)
    code, shown = ew.run(tree, ew.words(space, "--cpu-only", "--max-faces-from-image", "0", "--image-size", "256"),
                         "head\n80\n\n", timeout=120)
    assert code == 0 and "Faces detected:      2" in shown, shown
    check_faces(space, markers, "head", 256, three_d=True)
    assert not os.path.exists(str(space.debug))
