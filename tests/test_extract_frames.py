"""From frames of all kinds to the files of their faces, over networks that answer at once; marking by hand up to the
window."""
import os
from pathlib import Path

import cv2
import extract_workspace as ew
import numpy as np
import pytest
from accel import files, host
from accel.extract import cut, debug_image, manual
from extract_workspace import Shot

SIZE, TURNED = (240, 180), (180, 240)


def faces_in(space, name):
    """[(rectangle, landmarks)] that the files of a frame's faces tell."""
    found = []
    for path in sorted(space.aligned.glob(Path(name).stem + "_*.jpg")):
        about = ew.about(path)
        assert about["source_filename"] == name
        found.append((tuple(int(side) for side in about["source_rect"]), np.array(about["source_landmarks"])))
    return found


def check_known(space, name, **options):
    """The faces of a frame that stands upright are those of the table."""
    found, known = faces_in(space, name), ew.expected(space.shots[name], **options)
    assert [rect for rect, _ in found] == [rect for rect, _ in known]
    for (_, points), (_, others) in zip(found, known):
        np.testing.assert_array_equal(points, others)


# --- faces ------------------------------------------------------------------------------------

@pytest.mark.parametrize("face_type", ["half_face", "full_face", "whole_face", "head", "mark_only"])
def test_a_face_is_what_is_cut_out_of_its_frame(tmp_path, face_type):
    space = ew.build_workspace(tmp_path, [Shot(faces=2), Shot((301, 203), 3)])
    shown = ew.extract(space, face_type=face_type, image_size=80, jpeg_quality=77)
    assert "Images found:        2" in shown and "Faces detected:      5" in shown
    numbers = {name: number for number, name in cut.FACE_TYPES.items()}
    settings = cut.FaceSettings(numbers[face_type], 80, 77)
    for name, shot in space.shots.items():
        image = cut.prepare(files.read_image(str(space.frames / name)))
        known = ew.expected(shot._replace(size=image.shape[1::-1]), three_d=numbers[face_type] >= 10)
        cut_out = cut.cut_faces(image, [rect for rect, _ in known], [points for _, points in known], settings)
        for index, face in enumerate(cut_out):
            path = space.aligned / "{}_{}.jpg".format(name[:5], index)
            assert path.read_bytes() == cut.encode(face, settings, name)
            assert ew.about(path)["face_type"] == face_type
    assert ew.names(space.aligned) == ew.faces_of(space)


def found_upright(points, turn, size):
    """Points of a frame where they lie once it is turned upright; to within a pixel."""
    width, height = size
    x, y = points[..., 0], points[..., 1]
    return {0: np.stack([x, y], -1), 90: np.stack([y, width - x], -1), 180: np.stack([width - x, height - y], -1),
            270: np.stack([height - y, x], -1)}[turn]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_frames(tmp_path, turn):
    space = ew.build_workspace(tmp_path, [Shot(faces=2, turn=turn), Shot(TURNED, 1, turn=turn)])
    ew.extract(space)
    for name, shot in space.shots.items():
        size = shot.size if turn == 180 else shot.size[::-1]
        found = faces_in(space, name)
        rects = ew.table_networks.rects_of(shot.number, shot.faces, size)
        assert len(found) == shot.faces
        for (rect, points), known in zip(found, rects):
            stamp = 4 * shot.number + (-turn % 360) // 90
            landmarks = ew.table_networks.landmarks_in(known, stamp)
            assert np.abs(found_upright(points, turn, shot.size) - landmarks).max() <= 1
            corners = found_upright(np.array(rect, float).reshape(2, 2), turn, shot.size)
            assert np.abs(np.sort(corners, axis=0) - np.array(known).reshape(2, 2)).max() <= 1


def test_only_the_largest_faces(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot((480, 180), 4), Shot(faces=1), Shot(faces=0)])
    ew.extract(space)
    everything = ew.files(space.aligned)
    ew.extract(space, "\n", max_faces_from_image=2)
    assert ew.names(space.aligned) == ["00001_0.jpg", "00001_1.jpg", "00002_0.jpg"]
    assert all(everything[name] == content for name, content in ew.files(space.aligned).items())


def test_debug_images(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(faces=2), Shot(faces=0), Shot(kind=ew.GREY)])
    ew.extract(space, output_debug=True)
    assert ew.names(space.debug) == ["00001.jpg", "00002.jpg", "00003.jpg"]
    settings = cut.FaceSettings(4, ew.FACE_SIZE, 90)
    for name, shot in space.shots.items():
        image = cut.prepare(files.read_image(str(space.frames / name)))
        known = ew.expected(shot)
        found = cut.cut_faces(image, [rect for rect, _ in known], [points for _, points in known], settings)
        plain = debug_image.encode(image)
        debug_image.draw_faces(image, found, settings)
        content = (space.debug / (name[:5] + ".jpg")).read_bytes()
        assert content == debug_image.encode(image) and (content == plain) == (shot.faces == 0)


# --- frames -----------------------------------------------------------------------------------

def test_frames_of_all_kinds(tmp_path):
    shots = [Shot(kind=ew.GREY), Shot(kind=ew.ALPHA, faces=2), Shot(kind=ew.DEEP), Shot((130, 129)), Shot((129, 130)),
             Shot((1000, 200), 5), Shot((160, 500)), Shot((127, 400)), Shot((400, 127)), Shot(faces=0)]
    space = ew.build_workspace(tmp_path, shots)
    assert files.read_image(str(space.frames / "00003.png")).dtype == np.uint16
    shown = ew.extract(space)
    assert "/!\\" not in shown
    for name, shot in list(space.shots.items())[:7]:
        odd = shot._replace(size=tuple(side - side % 2 for side in shot.size))
        known = ew.expected(odd)
        assert [rect for rect, _ in faces_in(space, name)] == [rect for rect, _ in known]
    assert len(ew.names(space.aligned)) == 1 + 2 + 1 + 1 + 1 + 5 + 1          # none smaller than 128 px


def test_sixteen_bits_look_as_eight(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(number=3), Shot(number=3, kind=ew.DEEP)])
    ew.extract(space)
    one, other = (ew.picture_at(space.aligned / name) for name in ("00001_0.jpg", "00002_0.jpg"))
    assert (one == other).all()


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG", ".png", ".PNG", ".tif", ".tiff"])
def test_suffixes(tmp_path, suffix):
    space = ew.build_workspace(tmp_path, [Shot(faces=2)], suffix)
    ew.extract(space)
    check_known(space, "00001" + suffix)


NAMES = ["плёнка 01.png", "影片 三.png", "\U0001f600\U0001f3ac.png", "a%05d.png", " x.png", "-rf.png", "a.b.c.png",
         "%.png", "q" * 200 + ".png", "under_score_7.png", "$(id).png", "'\".png"]


def test_names(tmp_path):
    space = ew.build_workspace(tmp_path / "Папка % 夹", len(NAMES), names=NAMES)
    ew.extract(space, output_debug=True)
    assert ew.names(space.aligned) == ew.faces_of(space) and len(ew.names(space.debug)) == len(NAMES)
    for name in NAMES:
        check_known(space, name)
    # and the record knows them
    assert "12 of 13 frames" in ew.extract(ew.build_workspace(tmp_path / "Папка % 夹", 1), "y\n")


@pytest.mark.parametrize("kind", [ew.EMPTY, ew.TEXT, "half a head"])
def test_frames_that_cannot_be_read_are_named_and_passed_over(tmp_path, kind):
    space = ew.build_workspace(tmp_path, [Shot(), Shot(kind=kind), Shot(), Shot(kind=kind)])
    if kind == "half a head":
        for name in ("00002.png", "00004.png"):
            (space.frames / name).write_bytes((space.frames / name).read_bytes()[:20])
    (space.frames / "folder.png").mkdir()
    shown = ew.extract(space, output_debug=True)
    assert shown.count("/!\\ 00002.png: it cannot be read as an image") == 1
    last = shown[shown.index("Faces detected:      2"):]
    assert "2 of 4 frames could not be extracted, the others are done:\n    00002.png" in last and "00004.png" in last
    assert ew.names(space.aligned) == ["00001_0.jpg", "00003_0.jpg"]
    assert ew.names(space.debug) == ["00001.jpg", "00003.jpg"]


def test_those_are_tried_again_and_the_rest_counts_as_done(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(), Shot(kind=ew.TEXT), Shot()])
    ew.extract(space)
    shown = ew.extract(space, "y\n")
    assert "2 of 3 frames are done." in shown and "1 of 3 frames could not be extracted, the others are done" in shown
    ew.write_frame(space.frames / "00002.png", Shot(number=2))
    assert "/!\\" not in ew.extract(space, "y\n")
    assert len(ew.names(space.aligned)) == 3


def test_truncated_frames(tmp_path):
    """What is left of them is shown where OpenCV shows it; never an error of ours."""
    space = ew.build_workspace(tmp_path, [Shot(kind=ew.TRUNCATED, faces=0), Shot()])
    ew.write_frame(space.frames / "00003.jpg", Shot(kind=ew.TRUNCATED, number=3, faces=0))
    ew.extract(space)
    assert ew.names(space.aligned) == ["00002_0.jpg"]


def test_only_frames_that_cannot_be_read(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(kind=ew.EMPTY)] * 14)
    with pytest.raises(host.UserError) as caught:
        ew.extract(space)
    words = str(caught.value)
    assert "14 of 14 frames could not be extracted:" in words and "... and 4 more" in words and "others" not in words


# --- by hand ----------------------------------------------------------------------------------

class Hand:
    """In the place of manual.mark: marks frames by a rule, and notes what it was asked."""

    def __init__(self, monkeypatch, rect=(20, 20, 120, 120), skips=()):
        self.rect, self.skips, self.asked, self.options = rect, skips, [], None
        monkeypatch.setattr(manual, "mark", self.mark)

    def mark(self, items, find_landmarks, face_type, image_size, window_size):
        self.options = face_type, image_size, window_size
        for item in items:
            name = item.filepath.name
            self.asked.append(name)
            assert item.manual and item.rects == [] and item.landmarks == [] and item.landmarks_accurate
            if name not in self.skips:
                image = cut.prepare(files.read_image(str(item.filepath)))
                item.rects.append(self.rect)
                item.landmarks.append(find_landmarks(image, self.rect, len(self.asked) % 2 == 0))
        return items


def test_manual_fix(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, [Shot(), Shot(faces=0), Shot(), Shot(faces=0), Shot(kind=ew.TEXT)], dst=True)
    hand = Hand(monkeypatch, skips=["00004.png"])
    shown = ew.extract(space, manual_fix=True, output_debug=True, manual_window_size=700)
    assert hand.asked == ["00002.png", "00004.png"] and hand.options == (4, ew.FACE_SIZE, 700)
    assert "Performing manual fix for 2 images..." in shown and "Performing 3rd pass..." in shown
    assert "Images found:        5" in shown and "Faces detected:      3" in shown
    assert ew.names(space.aligned) == ["00001_0.jpg", "00002_0.jpg", "00003_0.jpg"]
    (rect, points), = faces_in(space, "00002.png")
    assert rect == hand.rect
    np.testing.assert_array_equal(points, ew.table_networks.landmarks_in(rect, 4 * 2, accurate=False))


def test_manual_fix_that_is_not_needed(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, 2)
    hand = Hand(monkeypatch)
    assert "All faces are detected, manual fix not needed." in ew.extract(space, manual_fix=True)
    assert hand.asked == []


def test_manual_fix_that_was_cut_short_is_gone_on_with(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, [Shot(), Shot(faces=0), Shot(faces=0)])
    monkeypatch.setattr(manual, "mark", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        ew.extract(space, manual_fix=True)
    hand = Hand(monkeypatch, skips=["00003.png"])
    shown = ew.extract(space, "y\n", manual_fix=True)
    assert "3 of 3 frames are done." in shown and "Performing manual fix for 2 images..." in shown
    assert hand.asked == ["00002.png", "00003.png"] and "Faces detected:      1" in shown
    assert ew.names(space.aligned) == ["00001_0.jpg", "00002_0.jpg"]
    again = Hand(monkeypatch)
    more = ew.build_workspace(tmp_path, [Shot(faces=0)], first=4)
    ew.extract(space, "y\n", manual_fix=True)
    assert again.asked == ["00003.png", "00004.png"]            # those that were passed over, too
    assert ew.names(space.aligned) == ["0000{}_0.jpg".format(number) for number in (1, 2, 3, 4)] and more


def test_manual_detector(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, [Shot(faces=3), Shot(kind=ew.ALPHA), Shot(kind=ew.GREY), Shot()])
    hand = Hand(monkeypatch, rect=(-30, 10, 90, 130), skips=["00004.png"])
    shown = ew.extract(space, "1\n", detector=None, output_debug=True)
    assert "Performing manual extract..." in shown and "Faces detected:      3" in shown
    assert hand.asked == sorted(space.shots)
    assert ew.names(space.aligned) == ["00001_0.jpg", "00002_0.jpg", "00003_0.jpg"]
    assert ew.names(space.debug) == ["00001.jpg", "00002.jpg", "00003.jpg", "00004.jpg"]
    assert [rect for rect, _ in faces_in(space, "00001.png")] == [(-30, 10, 90, 130)]
    # only what was passed over is asked for again
    hand.asked = []
    assert "3 of 4 frames are done." in ew.extract(space, "y\n", detector="manual")
    assert hand.asked == ["00004.png"]


def test_deleted_debug_images_are_marked_again(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, [Shot(faces=2), Shot(), Shot(faces=0)], dst=True)
    ew.extract(space, output_debug=True, face_type="full_face", image_size=64)
    before = ew.files(space.aligned)
    os.remove(str(space.debug / "00001.jpg"))
    os.remove(str(space.debug / "00003.jpg"))
    hand = Hand(monkeypatch)
    shown = ew.extract(space, detector="manual", output_debug=True, manual_output_debug_fix=True, face_type=None)
    assert "Performing re-extract frames which were deleted from _debug directory." in shown
    assert "Found 2 images." in shown and "Face type" not in shown and "contains files" not in shown
    assert hand.asked == ["00001.png", "00003.png"] and hand.options[0] == 2        # full_face, as the first face says
    found = ew.files(space.aligned)
    assert sorted(found) == ["00001_0.jpg", "00001_1.jpg", "00002_0.jpg", "00003_0.jpg"]
    assert [name for name in before if found[name] != before[name]] == ["00001_0.jpg"]
    assert ew.names(space.debug) == ["00001.jpg", "00002.jpg", "00003.jpg"]
    shown = ew.extract(space, detector="manual", output_debug=True, manual_output_debug_fix=True)
    assert "Found 0 images." in shown and hand.asked == ["00001.png", "00003.png"]


def test_debug_images_that_there_never_were(tmp_path):
    space = ew.build_workspace(tmp_path, 2, dst=True)
    ew.extract(space)
    with pytest.raises(host.UserError, match="aligned_debug not found. Re-extract faces with \"Write debug images\""):
        ew.extract(space, manual_output_debug_fix=True)


@pytest.mark.parametrize("content", [b"no picture", cv2.imencode(".jpg", np.zeros((9, 9, 3), np.uint8))[1].tobytes()],
                         ids=["no picture", "no face"])
def test_a_first_face_that_tells_no_type(tmp_path, monkeypatch, content):
    space = ew.build_workspace(tmp_path, 2, dst=True)
    ew.extract(space, output_debug=True)
    (space.aligned / "00000.jpg").write_bytes(content)
    os.remove(str(space.debug / "00002.jpg"))
    Hand(monkeypatch)
    shown = ew.extract(space, "f\n", output_debug=True, manual_output_debug_fix=True, face_type=None)
    assert "[wf] Face type" in shown and ew.about(space.aligned / "00002_0.jpg")["face_type"] == "full_face"
