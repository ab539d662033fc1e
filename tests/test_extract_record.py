"""The record of an extraction: what it tells of a frame, and what is left of it after a kill or a power cut."""
import json
import os

import crash_shim
import pytest
from accel import output_folder
from accel.extract import record as record_module
from accel.extract.record import UNKNOWN, Record
from accel.output_folder import OutputFolder
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.light

OPTIONS = {"face_type": "whole_face", "image_size": 512, "jpeg_quality": 90, "max_faces_from_image": 0}
NAMES = ["00001.png", "плёнка 2.jpg", "影片 三.png", "\U0001f600.JPG", "a b%20d.tif", "-rf.png", "x" * 200 + ".png"]


class Place:
    """Frames and an output folder."""

    def __init__(self, folder):
        self.frames, self.output = folder / "frames", folder / "aligned"
        self.frames.mkdir()
        self.output.mkdir()
        self.path = self.output / record_module.NAME

    def frame(self, name="00001.png", content=b"frame"):
        path = self.frames / name
        path.write_bytes(content)
        return str(path)

    def record(self):
        return Record(OutputFolder(self.output, "extraction"))

    def written(self, paths, faces=1):
        """A closed record of these frames."""
        record = self.record()
        record.open(OPTIONS, keep=False)
        for path in paths:
            record.note(path, faces)
        record.close()
        return record


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def done(place, paths):
    """Which of the paths a new reader takes for done."""
    record = place.record()
    return [path for path in paths if record.is_done(path)]


def test_nothing_is_done_without_a_record(place):
    record = place.record()
    assert record.options is None and record.frames == {} and not record.is_done(place.frame())
    assert os.listdir(str(place.output)) == []            # reading changes nothing


def test_what_was_noted_is_read_again(place):
    paths = [place.frame(name, name.encode()) for name in NAMES]
    place.written(paths, faces=3)
    record = place.record()
    assert record.options == OPTIONS and sorted(record.frames) == sorted(NAMES)
    assert all(record.is_done(path) for path in paths)
    assert {frame.faces for frame in record.frames.values()} == {3}
    assert not record.is_done(place.frame("other.png"))
    assert sorted(os.listdir(str(place.output))) == [record_module.NAME]
    place.path.read_bytes().decode("ascii")               # whatever encoding a system has


def test_a_frame_that_was_changed_is_not_done(place):
    paths = [place.frame(name) for name in ("1.png", "2.png", "3.png", "4.png")]
    place.written(paths)
    place.frame("1.png", b"longer than it was")
    about = os.stat(paths[1])
    os.utime(paths[1], ns=(about.st_atime_ns, about.st_mtime_ns + 1000))
    os.remove(paths[2])
    assert done(place, paths) == paths[3:]


def test_frames_of_another_folder_with_the_same_facts_are_done(place):
    """The folder of the frames may have been moved; names, sizes and times tell whether it is the same."""
    path = place.frame()
    place.written([path])
    moved = place.frames.parent / "moved"
    place.frames.rename(moved)
    assert done(place, [str(moved / "00001.png")])


def test_keeping_and_beginning_again(place):
    paths = [place.frame(name) for name in ("1.png", "2.png", "3.png")]
    place.written(paths[:2])
    record = place.record()
    record.open(dict(OPTIONS, image_size=256), keep=True)
    record.note(paths[2], 0)
    record.close()
    assert done(place, paths) == paths and place.record().options["image_size"] == 256
    assert place.record().frames["3.png"].faces == 0
    record = place.record()
    record.open(OPTIONS, keep=False)
    record.note(paths[1], UNKNOWN)
    record.close()
    assert done(place, paths) == [paths[1]] and place.record().frames["2.png"].faces == UNKNOWN


def test_a_record_that_cannot_be_read_is_not_taken_for_none(place, monkeypatch):
    """Else a passing fault of the disk would have all faces made again, after deleting them."""
    place.written([place.frame()])

    def fail(path):
        raise OSError(5, "Input/output error", path)
    with monkeypatch.context() as patch:
        patch.setattr(record_module.files, "read_bytes", fail)
        with pytest.raises(OSError):
            place.record()
    assert sorted(place.record().frames) == ["00001.png"]


def test_removing(place):
    path = place.frame()
    record = place.written([path])
    (place.output / (record_module.NAME + ".part")).write_bytes(b"left by a kill")
    record.remove()
    assert os.listdir(str(place.output)) == [] and not record.is_done(path) and record.options is None
    record.remove()                                      # nothing there: nothing happens


def test_a_frame_that_vanishes_is_not_noted(place):
    path = place.frame()
    record = place.record()
    record.open(OPTIONS, keep=False)
    os.remove(path)
    record.note(path, 1)
    record.close()
    assert place.record().frames == {}


def test_a_frame_that_is_noted_twice_counts_once_the_last_time(place):
    path = place.frame()
    record = place.record()
    record.open(OPTIONS, keep=False)
    record.note(path, 0)
    record.flush()
    record.note(path, 2)
    record.close()
    assert place.record().frames["00001.png"].faces == 2 and place.record().is_done(path)


# --- what is no record, or a torn one ---------------------------------------------------------

@pytest.mark.parametrize("content", [
    b"", b"\n", b"[]\n", b"{}\n", b"1\n", b"null\n", b"[2, {}]\n", b"[1, []]\n", b"[1]\n", b"[1, {}, 2]\n",
    b"\xff\xfe\n", b"[1, {}", b"\x00" * 4096, "[1, {\"ä\": 1}]\n".encode("utf-8"), b"[" * 100000 + b"\n"],
    ids=lambda content: repr(content[:9]))
def test_other_files_and_versions_are_no_record(place, content):
    path = place.frame()
    place.path.write_bytes(content)
    record = place.record()
    assert record.options is None and record.frames == {} and not record.is_done(path)
    record.open(OPTIONS, keep=True)
    record.note(path, 1)
    record.close()
    assert done(place, [path]) == [path]


def test_a_folder_in_the_place_of_the_record(place):
    place.path.mkdir()
    with pytest.raises(OSError):
        place.record()


@pytest.mark.parametrize("line", [
    b'["2.png", 5', b'["2.png"]', b'["2.png", 5, 6]', b'["2.png", 5, 6, 7, 8]', b'[2, 5, 6, 7]',
    b'["2.png", 5, 6.5, 7]', b'["2.png", 5, true, 7]', b'["2.png", null, 6, 7]', b'"2.png"', b"7", b"{}", b"",
    b"\x00\x00", b'["2.png", 1e999, 6, 7]', b"[" * 100000], ids=lambda line: repr(line[:30]))
def test_broken_lines_are_passed_over(place, line):
    paths = [place.frame(name) for name in ("1.png", "3.png")]
    place.written(paths)
    first, *rest = place.path.read_bytes().splitlines(keepends=True)
    place.path.write_bytes(b"".join([first, rest[0], line + b"\n"] + rest[1:]))
    assert sorted(place.record().frames) == ["1.png", "3.png"] and done(place, paths) == paths


@settings(max_examples=25)
@given(st.integers(0, 10 ** 6), st.text(max_size=20))
def test_any_torn_end_leaves_the_lines_before_it(tmp_path_factory, at, garbage):
    place = Place(tmp_path_factory.mktemp("torn"))
    paths = [place.frame("{}.png".format(number)) for number in range(5)]
    place.written(paths)
    content = place.path.read_bytes()
    at %= len(content) + 1
    place.path.write_bytes(content[:at] + garbage.encode("ascii", "ignore"))
    whole = paths[:max(0, content[:at].count(b"\n") - 1)]
    found = done(place, paths)
    assert found[:len(whole)] == whole
    assert len(found) <= len(whole) + 1                  # a line that lacks nothing but its end may count


def test_going_on_after_a_torn_line_keeps_both_sides_of_it(place):
    """What is appended must not run into the torn line."""
    paths = [place.frame(name) for name in ("1.png", "2.png", "3.png")]
    place.written(paths[:2])
    place.path.write_bytes(place.path.read_bytes()[:-9])
    assert done(place, paths) == paths[:1]
    record = place.record()
    record.open(OPTIONS, keep=True)
    record.note(paths[2], 1)
    record.close()
    assert done(place, paths) == [paths[0], paths[2]]
    for line in place.path.read_text().splitlines():
        json.loads(line)


# --- what is on the disk when -----------------------------------------------------------------

def test_a_note_comes_to_the_disk_after_what_it_is_about(place, monkeypatch):
    """The names of the faces first (the folder is synced), then the line, which is synced, too."""
    path, happened = place.frame(), []
    monkeypatch.setattr(output_folder.compat, "fsync_directory", lambda folder: happened.append("folder"))
    monkeypatch.setattr(record_module.os, "fsync", lambda handle: happened.append(
        "record" if b"00001.png" in place.path.read_bytes() else "something else"))
    record = place.record()
    place.path.touch()
    record.open(OPTIONS, keep=False)
    del happened[:]
    record.note(path, 1)
    assert happened == [] and b"00001.png" not in place.path.read_bytes()
    record.flush()
    assert happened == ["folder", "record"]
    record.flush()
    assert happened == ["folder", "record"]               # nothing new, nothing synced
    record.close()


def test_notes_wait_a_second_at_most(place, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(record_module.time, "monotonic", lambda: clock[0])
    paths = [place.frame("{}.png".format(number)) for number in range(4)]
    record = place.record()
    record.open(OPTIONS, keep=False)
    for path, moment, on_disk in zip(paths, (100.5, 101.0, 101.5, 102.5), (0, 2, 2, 4)):
        clock[0] = moment
        record.note(path, 1)
        assert len(place.record().frames) == on_disk
    record.close()


def test_an_error_while_closing_still_closes(place, monkeypatch):
    record = place.record()
    record.open(OPTIONS, keep=False)
    record.note(place.frame(), 1)

    def fail(path):
        raise OSError(5, "Input/output error")
    monkeypatch.setattr(output_folder.compat, "fsync_directory", fail)
    with pytest.raises(OSError):
        record.close()
    record.note(place.frame(), 1)                         # closed: nothing happens
    record.close()


@pytest.mark.parametrize("mode", crash_shim.MODES)
def test_no_note_outlives_its_faces(place, mode):
    """At every operation: who is noted has its face on the disk; and the record before is whole or the new one is."""
    paths = [place.frame("{}.png".format(number)) for number in range(3)]
    place.written(paths[:1], faces=0)
    before = place.path.read_bytes()

    def extract():
        folder = OutputFolder(place.output, "extraction")
        record = place.record()
        record_module._SECONDS = 0.0                      # every note is brought to the disk
        record.open(OPTIONS, keep=True)
        for number, path in enumerate(paths[1:], 1):
            output_folder.write_together([(folder, "{}_0.jpg".format(number), b"face" * 50)])
            record.note(path, 1)
        record.close()

    at, how = 0, None
    while how != crash_shim.DONE or at < 10:
        for leftover in place.output.iterdir():
            leftover.unlink()
        place.path.write_bytes(before)
        how, _, words = crash_shim.run(extract, place.output, mode, at, (OSError,))
        assert how != crash_shim.BROKEN, words
        record = place.record()
        assert record.options == OPTIONS and record.is_done(paths[0]), at
        for number, path in enumerate(paths[1:], 1):
            face = place.output / "{}_0.jpg".format(number)
            if record.is_done(path):
                assert face.read_bytes() == b"face" * 50, (mode, at)
            assert not face.exists() or face.read_bytes() == b"face" * 50
        at += 1
    assert at > 10
