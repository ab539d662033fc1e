"""One workspace through every step, on the overlay alone: clips with sound, frames, faces, sorted, merged, joined.

The networks are benchmarks/table_networks.py and tests/stand_in's; training needs DeepFaceLab. Both real in
tests/parity/test_e2e_stock.py.
"""
import sys

import extract_workspace as ew
import numpy as np
import pytest
import walk as steps


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("e2e") / "Моя папка (1)"
    tree = steps.table_tree(folder / "tree")
    return steps.Walk(tree, sys.executable, steps.build(folder / "workspace", steps.STAMPS), folder)


def test_clips_become_faces_and_videos_again(walk):
    frames_and_faces(walk, "2", "4", "data_src", ".jpg")
    sorted_faces(walk, "data_src", ["4.2 hist", "4.2 final"])
    frames_and_faces(walk, "3", "5", "data_dst", ".png")
    sorted_and_packed(walk)
    merged_and_joined(walk)
    merged_to_jpg(walk)


def frames_and_faces(walk, taken, extracted, name, suffix):
    walk.step(taken)
    steps.check_frames(walk.space, name, suffix)
    run = walk.step(extracted)
    steps.check_faces(walk.space, name, suffix)
    assert "Images found:        {}".format(steps.COUNTS[name]) in run.shown


def sorted_faces(walk, name, keys):
    """The same faces under new names, after each of some sorts."""
    folder = walk.space.folder / name / "aligned"
    for key in keys:
        before = steps.contents(folder)
        walk.step(key)
        after = steps.contents(folder)
        assert sorted(after) == steps.numbered(len(before), ".jpg", 0)
        assert sorted(after.values()) == sorted(before.values())
    return after


def sorted_and_packed(walk):
    folder = walk.space.folder / "data_dst" / "aligned"
    extracted = steps.contents(folder)
    sorted_ = sorted_faces(walk, "data_dst", ["5.2 absdiff"])
    walk.step("5.2 pack")
    assert steps.names(folder) == ["faceset.pak"]
    walk.step("5.2 unpack")
    assert steps.contents(folder) == sorted_
    sorted_faces(walk, "data_dst", ["5.2 origname"])
    assert list(steps.contents(folder).values()) == list(extracted.values())
    frames = list(steps.sources(folder).values())
    assert frames == sorted(frames) and len(frames) == steps.COUNTS["data_dst"] - 1


def merged_frames(walk, suffix):
    """Masked pixels are merged, all others are the frame's."""
    place, pictures = walk.space.folder / "data_dst", {}
    frames = steps.numbered(steps.COUNTS["data_dst"], ".png")
    assert steps.names(place / "merged") == [name.replace(".png", suffix) for name in frames]
    assert steps.names(place / "merged_mask") == frames
    for number, name in enumerate(frames, 1):
        frame, mask = ew.picture_at(place / name), ew.picture_at(place / "merged_mask" / name)
        pictures[name] = ew.picture_at(place / "merged" / name.replace(".png", suffix))
        assert pictures[name].shape == frame.shape and mask.shape == frame.shape[:2]
        assert mask.any() == (number != steps.FACELESS)
        off = np.abs(pictures[name].astype(int) - frame)
        assert off[mask == 0].max() <= (0 if suffix == ".png" else 60)
        assert number == steps.FACELESS or off[mask > 200].mean() > 5
    return pictures


def merged_and_joined(walk):
    old = walk.space.folder / "result.mp4"
    old.write_bytes(b"an old video")
    assert "no faces found for 00005.png" in walk.step("7").shown
    merged_frames(walk, ".png")
    assert "libx264" in walk.step("8 mp4").shown
    steps.check_video(walk.space, "result.mp4", "merged", 3)
    walk.step("8 mask")
    steps.check_video(walk.space, "result_mask.mp4", "merged_mask", 0)
    assert steps.names(walk.space.folder) == ["data_dst.mp4", "data_src.mp4", "result.mp4", "result_mask.mp4"]


def merged_to_jpg(walk):
    """Quality 100 with full colour resolution is near to what png has; then the join takes jpg."""
    pngs = merged_frames(walk, ".png")
    walk.step("7 jpg")
    for name, picture in merged_frames(walk, ".jpg").items():
        assert np.abs(picture.astype(int) - pngs[name]).mean() < 0.6
    assert "The frames are jpg files" in walk.step("8 mov").shown
    steps.check_video(walk.space, "result.mov", "merged", 0)
