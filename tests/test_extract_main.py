"""Steps 4 and 5 over networks that answer at once: questions, earlier faces, folders, what goes wrong."""
import os
import shutil

import extract_workspace as ew
import pytest
from accel import host
from accel.extract import extraction
from accel.output_folder import OutputFolder
from extract_workspace import Shot
from mainscripts import Extractor

ASKED = {"detector": None, "output_debug": None, "face_type": None, "max_faces_from_image": None, "image_size": None,
         "jpeg_quality": None}
HELP = [Extractor.FACE_HELP, Extractor.MOST_HELP, Extractor.SIZE_HELP, Extractor.QUALITY_HELP]
FACE = "[wf] Face type ( f/wf/head ?:help ) : "
MOST = "[0] Max number of faces from image ( ?:help ) : "
SIZE = "[512] Image size ( 256-2048 ?:help ) : "
QUALITY = "[90] Jpeg quality ( 1-100 ?:help ) : "
DETECTOR = ["Choose detector type.", "[0] S3FD", "[1] manual"]
DEBUG = "[n] Write debug images to aligned_debug? ( y/n ) : "
CONTINUE = "[y] Continue extraction? ( y/n ?:help ) : "
WARNING = "contains files!"


def lines(shown):
    """What was asked and offered, up to the first thing that was done."""
    return shown.split("Running on")[0].splitlines()


def facts(path):
    """(face type, size, rectangle) of a face."""
    about = ew.about(path)
    return about["face_type"], ew.picture_at(path).shape[0], tuple(int(side) for side in about["source_rect"])


# --- questions --------------------------------------------------------------------------------

def test_the_questions_in_their_order_with_their_defaults(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(faces=2)])
    shown = ew.extract(space, **ASKED)                      # stdin is closed
    assert lines(shown) == [FACE + "wf", MOST + "0", SIZE + "512", QUALITY + "90"] + DETECTOR + [
        "[0] ( 0-1 ) : 0", DEBUG + "n"]
    assert facts(space.aligned / "00001_0.jpg")[:2] == ("whole_face", 512)
    assert ew.names(space.aligned) == ew.faces_of(space) and not space.debug.exists()
    assert "Images found:        1\n" in shown and "Faces detected:      2\n" in shown


def test_typed_answers(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(faces=2)])
    shown = ew.extract(space, "f\n1\n300\n40\n0\ny\n", **ASKED)
    assert lines(shown)[:5] == [FACE + "f", MOST + "1", SIZE + "300", QUALITY + "40", DETECTOR[0]]
    assert facts(space.aligned / "00001_0.jpg") == ("full_face", 300, ew.expected(space.shots["00001.png"])[0][0])
    assert ew.names(space.aligned) == ["00001_0.jpg"] and ew.names(space.debug) == ["00001.jpg"]


def test_heads_are_larger_and_help_is_shown(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot()])
    shown = ew.extract(space, "?\nhead\n?\n\n?\n\n?\n\n\n\n", **ASKED)
    assert all(help_message in shown for help_message in HELP)
    assert "[768] Image size ( 256-2048 ?:help ) : 768\n" in shown
    path = space.aligned / "00001_0.jpg"
    assert facts(path)[:2] == ("head", 768)
    points = ew.expected(space.shots["00001.png"], three_d=True)[0][1]
    assert abs(points - ew.about(path)["source_landmarks"]).max() < 1e-9


@pytest.mark.parametrize("typed, size, quality", [("100\n0\n", 256, 1), ("9999\n101\n", 2048, 100),
                                                  ("x\ny\n", 512, 90)])
def test_sizes_and_qualities_are_kept_in_their_ranges(tmp_path, monkeypatch, typed, size, quality):
    space, seen = ew.build_workspace(tmp_path, 1), []

    def begin(self, described, plan):
        seen.append(described)
        raise host.UserError("enough")
    monkeypatch.setattr(extraction.Extraction, "begin", begin)
    with pytest.raises(host.UserError, match="enough"):
        ew.extract(space, typed, image_size=None, jpeg_quality=None)
    assert (seen[0]["image_size"], seen[0]["jpeg_quality"]) == (size, quality)


def test_options_that_nothing_can_be_done_with(tmp_path):
    space = ew.build_workspace(tmp_path, 1)
    for options, told in (({"image_size": 0}, "0 pixels"), ({"face_type": "nose"}, "no face type nose")):
        with pytest.raises(host.UserError, match=told):
            ew.extract(space, **options)
    assert ew.names(space.aligned) == []


# --- earlier faces ----------------------------------------------------------------------------

OLD = b"a face of before"


def by_stock(space, per_frame=3, suffix=".jpg"):
    """Faces of every frame, as stock leaves them. Return how many."""
    space.aligned.mkdir(parents=True, exist_ok=True)
    for name in space.shots:
        for face in range(per_frame):
            (space.aligned / "{}_{}{}".format(name[:-4], face, suffix)).write_bytes(OLD)
    return per_frame * len(space.shots)


def new(space):
    return sorted(name for name, content in ew.files(space.aligned).items() if content != OLD)


def test_no_earlier_faces_nothing_is_asked(tmp_path):
    space = ew.build_workspace(tmp_path, 2)
    space.aligned.mkdir()
    (space.aligned / "notes.txt").write_text("mine")
    (space.aligned / "folder.jpg").mkdir()
    shown = ew.extract(space)
    assert lines(shown) == [] and (space.aligned / "notes.txt").read_text() == "mine"
    assert new(space) == ew.faces_of(space) + ["notes.txt"]


def test_up_to_128_faces_of_stock_are_deleted(tmp_path):
    space = ew.build_workspace(tmp_path, 32)
    assert by_stock(space, 4) == 128
    shown = ew.extract(space, "\n")
    assert shown.count(WARNING) == 1 and "Continue" not in shown
    assert "{} contains files! \n They will be deleted. (128 images) \n".format(space.aligned) in shown
    assert sorted(ew.files(space.aligned)) == new(space) == ew.faces_of(space)


def test_from_129_on_it_goes_on_128_faces_back(tmp_path):
    space = ew.build_workspace(tmp_path, 50)
    assert by_stock(space) == 150                           # the 128th from the end is 00008_1
    shown = ew.extract(space, "\n")
    assert lines(shown) == [CONTINUE + "y"] and WARNING not in shown
    assert new(space) == ew.faces_of(space)[7:] and len(ew.files(space.aligned)) == 150
    # from now on there is a record: all frames are done, and one that comes is the only one that is not
    ew.write_frame(space.frames / "00051.png", Shot(number=51))
    assert "50 of 51 frames are done." in ew.extract(space, "y\n")
    assert new(space) == ew.faces_of(space)[7:] + ["00051_0.jpg"]


def test_answering_no_deletes_after_another_question(tmp_path):
    space = ew.build_workspace(tmp_path, 43)
    by_stock(space)
    shown = ew.extract(space, "n\n\n")
    assert "Continue extraction?" in lines(shown)[0] and "(129 images)" in shown
    assert sorted(ew.files(space.aligned)) == new(space) == ew.faces_of(space)


@pytest.mark.parametrize("given, asked", [(True, False), (False, True)])
def test_the_answer_as_an_option(tmp_path, given, asked):
    space = ew.build_workspace(tmp_path, 50)
    by_stock(space)
    shown = ew.extract(space, continue_extraction=given)
    assert "Continue" not in shown and (WARNING in shown) == asked
    assert len(new(space)) == (50 if asked else 43)


def test_faces_whose_frame_is_not_there(tmp_path):
    space = ew.build_workspace(tmp_path, 43)
    by_stock(space)
    os.remove(str(space.frames / "00001.png"))
    with pytest.raises(host.UserError, match="(?s)Extraction cannot be continued.*no frame 00001 for the face 00001_1"):
        ew.extract(space, "y\n")
    assert new(space) == []


def test_without_anything_left_a_recorded_folder_is_begun_again(tmp_path):
    space = ew.build_workspace(tmp_path, 3)
    ew.extract(space)
    shown = ew.extract(space, "\n", image_size=64)
    assert "(3 images)" in shown and "Continue" not in shown
    assert facts(space.aligned / "00002_0.jpg")[1] == 64


def test_frames_that_were_added_are_all_that_is_done(tmp_path):
    """Faces that the user took out stay out; the options of then are not asked back."""
    space = ew.build_workspace(tmp_path, [Shot(faces=2), Shot(faces=0), Shot(), Shot()])
    ew.extract(space)
    before = {name: os.stat(str(space.aligned / name)).st_mtime_ns for name in ew.names(space.aligned)}
    os.remove(str(space.aligned / "00001_1.jpg"))
    os.remove(str(space.aligned / "00004_0.jpg"))
    more = ew.build_workspace(tmp_path, [Shot(), Shot(faces=2)], first=7)
    shown = ew.extract(space, "\n", image_size=64)
    assert lines(shown) == [CONTINUE + "y", "4 of 6 frames are done."] and "Images found:        2" in shown
    assert ew.names(space.aligned) == ["00001_0.jpg", "00003_0.jpg"] + ew.faces_of(more)
    for name in ("00001_0.jpg", "00003_0.jpg"):
        assert os.stat(str(space.aligned / name)).st_mtime_ns == before[name]
    assert [facts(space.aligned / name)[1] for name in ("00003_0.jpg", "00007_0.jpg")] == [ew.FACE_SIZE, 64]


def test_a_frame_that_was_changed_is_done_again(tmp_path):
    space = ew.build_workspace(tmp_path, 3)
    ew.extract(space)
    ew.write_frame(space.frames / "00002.png", Shot((300, 200), 2, number=9))
    assert "2 of 3 frames are done." in ew.extract(space, "y\n")
    assert "00002_1.jpg" in ew.names(space.aligned)


def test_nothing_left_of_more_than_128(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(faces=10)] * 13)
    ew.extract(space)
    before = ew.files(space.aligned)
    shown = ew.extract(space, "\n")
    assert "13 of 13 frames are done." in shown and "Images found:        0" in shown and "Running on" not in shown
    assert ew.files(space.aligned) == before


def test_debug_images_go_with_the_faces(tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(), Shot(faces=0)], dst=True)
    shown = ew.extract(space, output_debug=True)
    assert WARNING not in shown and ew.names(space.debug) == ["00001.jpg", "00002.jpg"]
    (space.debug / "old.jpg").write_bytes(OLD)
    (space.debug / "notes.txt").write_bytes(OLD)
    shown = ew.extract(space, "\n", output_debug=True)
    assert "(4 images)" in shown and str(space.debug) in shown
    assert ew.names(space.debug) == ["00001.jpg", "00002.jpg", "notes.txt"]
    ew.build_workspace(tmp_path, 1, first=3, dst=True)
    ew.extract(space, "y\n", output_debug=True)                  # goes on: all stay
    assert ew.names(space.debug) == ["00001.jpg", "00002.jpg", "00003.jpg", "notes.txt"]


# --- nothing is deleted unless the work can start ---------------------------------------------

def test_without_weights_nothing_is_deleted(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path / "space", 2)
    ew.extract(space, output_debug=True)
    before = ew.contents(space.folder)
    monkeypatch.setattr(ew.table_networks, "load", extraction.loading.load)
    monkeypatch.setattr(Extractor, "WEIGHTS_FOLDER", tmp_path / "facelib")
    with pytest.raises(host.UserError, match="S3FD.npy is missing"):
        ew.extract(space, "\n")
    (tmp_path / "facelib").mkdir()
    (tmp_path / "facelib" / "S3FD.npy").write_bytes(b"\x80\x04}.")
    with pytest.raises(host.UserError, match="3DFAN.npy is missing"):
        ew.extract(space, "\n", face_type="head")
    (tmp_path / "facelib" / "2DFAN.npy").write_bytes(b"not weights")
    with pytest.raises(host.UserError, match="2DFAN.npy is damaged"):
        ew.extract(space, "\n")
    assert ew.contents(space.folder) == before


def test_while_another_extraction_writes_nothing_is_deleted(tmp_path):
    space = ew.build_workspace(tmp_path, 2)
    ew.extract(space, output_debug=True)
    before = ew.contents(space.folder)
    for folder in (space.aligned, space.debug):
        with OutputFolder(folder, "extraction"):
            with pytest.raises(host.UserError, match="Another extraction is writing to"):
                ew.extract(space, "\n", output_debug=True)
        assert ew.contents(space.folder) == before
    ew.extract(space, "\n", output_debug=True)


def test_a_record_that_cannot_be_read_ends_it(tmp_path):
    space = ew.build_workspace(tmp_path, 2)
    ew.extract(space)
    os.remove(str(space.aligned / ew.RECORD))
    (space.aligned / ew.RECORD).mkdir()
    with pytest.raises(host.UserError, match="record"):
        ew.extract(space, "\n")
    assert sorted(ew.files(space.aligned)) == ew.faces_of(space)


# --- folders ----------------------------------------------------------------------------------

def test_no_input_folder(tmp_path):
    space = ew.build_workspace(tmp_path, 1)
    shutil.rmtree(str(space.frames))
    with pytest.raises(host.UserError, match="Input directory not found"):
        ew.extract(space)
    assert not space.aligned.exists()


def test_an_empty_input_folder(tmp_path):
    space = ew.build_workspace(tmp_path, 0)
    assert "Images found:        0" in ew.extract(space)


@pytest.mark.parametrize("name", ["aligned", "aligned_debug"])
def test_a_file_in_the_place_of_a_folder(tmp_path, name):
    space = ew.build_workspace(tmp_path, 1)
    (space.frames / name).write_text("mine")
    with pytest.raises(host.UserError, match="is a file"):
        ew.extract(space, output_debug=True)
    assert (space.frames / name).read_text() == "mine"


@pytest.mark.parametrize("linked", [False, True])
def test_frames_and_faces_in_one_folder(tmp_path, linked):
    space = ew.build_workspace(tmp_path / "space", 3)
    frames = ew.files(space.frames)
    output = tmp_path / "link" if linked else space.frames
    if linked:
        output.symlink_to(str(space.frames), target_is_directory=True)
    shown = ew.extract(space, output_path=output)
    assert WARNING not in shown and "Faces detected:      3" in shown
    found = ew.files(space.frames)
    assert sorted(set(found) - set(frames)) == ew.faces_of(space)
    assert {name: found[name] for name in frames} == frames
    with pytest.raises(host.UserError, match="a face of 00001 would be written over 00001_0, so nothing was started"):
        ew.extract(space, "\n", output_path=output)
    assert ew.files(space.frames) == found


@pytest.mark.parametrize("linked", [False, True])
def test_frames_where_debug_images_go(tmp_path, linked):
    space = ew.build_workspace(tmp_path / "space", 2)
    place = tmp_path / "faces_debug"
    if linked:
        place.symlink_to(str(space.frames), target_is_directory=True)
    else:
        shutil.copytree(str(space.frames), str(place))
    before = ew.files(place)
    for output_debug in (True, False):
        with pytest.raises(host.UserError, match="debug images go"):
            ew.extract(space, "\n", input_path=place, output_path=tmp_path / "faces", output_debug=output_debug)
    assert ew.files(place) == before


def test_names_that_differ_in_their_suffix_only(tmp_path):
    names = ["a.jpg", "a.png", "A.png", "b.c.png", "b.d.png"]
    space = ew.build_workspace(tmp_path, [Shot(faces=number) for number in range(1, 6)], names=names)
    shown = ew.extract(space)
    assert shown.count("Duplicate filenames are not allowed, skipping: ") == 1 and "skipping: a.png" in shown
    assert ew.names(space.aligned) == sorted("{}_{}.jpg".format(stem, face) for stem, faces in (
        ("a", 1), ("A", 3), ("b.c", 4), ("b.d", 5)) for face in range(faces))
