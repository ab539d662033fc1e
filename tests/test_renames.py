"""Renaming a folder by an order, in peace: against the oracle, with every refusal, undo and damage."""
import errno
import hashlib
import json
import os
import subprocess
import sys
import time

import naive.renames as naive_renames
import pytest
from accel import compat, files, rename_journal, renames
from hypothesis import given
from hypothesis import strategies as st
from program import PROGRAM

NAMES = [
    "00000.jpg", "00001.jpg", "00002.JPG", "00001.png", "frame_0001_0.jpg", "-rf.jpg", "%s%d.png",
    "a b  c.jpeg", "лицо Ёж.jpg", "脸.tiff", "😀.tif", "'quote\".jpg", "x" * 251 + ".jpg",
    "я" * 125 + ".JPEG", "dots...jpg",
    ".jpg", "new\nline.jpg", "back\\slash.jpg", "12:30.jpg", os.fsdecode(b"\xff\xfe.jpg"),
]


def fill(folder, names):
    """Make a folder whose files hold their own names."""
    os.makedirs(str(folder), exist_ok=True)
    for name in names:
        with open(os.path.join(str(folder), name), "wb") as stream:
            stream.write(os.fsencode(name))
    return str(folder)


def read(folder):
    """Return {name: content} of the files of a folder, journals left out; {} without the folder."""
    folder = str(folder)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return {name: files.read_bytes(os.path.join(folder, name)) for name in names
            if not name.startswith(".sort_") and os.path.isfile(os.path.join(folder, name))}


def paths(folder, names):
    return [os.path.join(str(folder), name) for name in names]


def refuse(folder, *lists):
    """Expect apply_order to refuse and to change nothing at all. Return its words."""
    parent = os.path.dirname(str(folder))
    before = read(folder), sorted(os.listdir(folder)), sorted(os.listdir(parent))
    with pytest.raises(renames.RenameError) as caught:
        renames.apply_order(folder, *lists)
    assert (read(folder), sorted(os.listdir(folder)), sorted(os.listdir(parent))) == before
    return str(caught.value)


# --- orders ---------------------------------------------------------------------------------------

@given(order=st.permutations(NAMES), kept=st.integers(0, len(NAMES)))
def test_order_and_undo_equal_the_oracle(tmp_path_factory, order, kept):
    folder = fill(tmp_path_factory.mktemp("w") / "aligned", NAMES)
    before = read(folder)
    ordered, trashed = order[:kept], order[kept:]
    ref = naive_renames.apply_order(before, ordered, trashed)

    lines = renames.plan_lines(folder, paths(folder, ordered), paths(folder, trashed))
    assert read(folder) == before
    result = renames.apply_order(folder, paths(folder, ordered), paths(folder, trashed))
    comp = read(folder), read(folder + "_trash")

    assert comp == ref
    assert result.trashed == len(trashed) and result.missing == 0
    assert result.trash_folder == (folder + "_trash" if trashed else None)
    both = {os.path.join(os.path.basename(folder) + "_trash", name): data for name, data in comp[1].items()}
    both.update(comp[0])
    assert {new: both[new] for _, new in lines} == both
    assert [old for old, _ in lines] == list(ordered) + list(trashed)

    undone = renames.undo(folder)
    assert read(folder) == before
    assert undone == renames.Result(result.renamed, result.trashed, result.trash_folder, 0)
    assert os.listdir(os.path.dirname(folder)) == ["aligned"]
    assert sorted(os.listdir(folder)) == sorted(NAMES)


def test_digits_grow_with_the_number_of_files():
    assert renames._final_name(7, 100000, "a.jpg") == "00007.jpg"
    assert renames._final_name(7, 100001, "a.JPG") == "000007.JPG"
    assert renames._final_name(0, 1, "b.c.tiff") == "00000.tiff"


def test_sorting_in_the_same_order_renames_nothing(tmp_path):
    folder = fill(tmp_path / "aligned", NAMES)
    assert renames.apply_order(folder, files.image_paths(folder), []).renamed > 0
    assert renames.apply_order(folder, files.image_paths(folder), []).renamed == 0
    assert renames.undo(folder).renamed == 0


def test_empty_folder(tmp_path):
    folder = fill(tmp_path / "aligned", [])
    assert renames.apply_order(folder, [], []) == renames.Result(0, 0, None, 0)
    assert renames.plan_lines(folder, [], []) == []
    assert renames.recover(folder) is None


def test_other_files_and_folders_stay(tmp_path):
    folder = fill(tmp_path / "aligned", ["b.jpg", "a.jpg", "notes.txt", "00000.txt"])
    os.mkdir(os.path.join(folder, "looks.jpg"))
    renames.apply_order(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
    assert read(folder) == {"00000.jpg": b"b.jpg", "00001.jpg": b"a.jpg", "notes.txt": b"notes.txt",
                            "00000.txt": b"00000.txt"}
    assert os.path.isdir(os.path.join(folder, "looks.jpg"))


def test_relative_and_linked_folders(tmp_path, monkeypatch):
    folder = fill(tmp_path / "aligned", ["b.jpg", "a.jpg", "c.jpg"])
    monkeypatch.chdir(tmp_path)
    renames.apply_order("aligned", paths("aligned", ["b.jpg", "a.jpg"]), paths("aligned", ["c.jpg"]))
    assert read(folder) == {"00000.jpg": b"b.jpg", "00001.jpg": b"a.jpg"}
    assert read(tmp_path / "aligned_trash") == {"c.jpg": b"c.jpg"}
    os.mkdir("elsewhere")
    os.symlink(folder, os.path.join("elsewhere", "faces"))
    linked = os.path.join("elsewhere", "faces")
    renames.apply_order(linked, [os.path.join(linked, "00001.jpg")], [os.path.join(linked, "00000.jpg")])
    assert read(os.path.join("elsewhere", "faces_trash")) == {"00000.jpg": b"b.jpg"}
    assert read(folder) == {"00000.jpg": b"a.jpg"}


def test_bars_count_every_file(tmp_path):
    folder = fill(tmp_path / "aligned", ["{}.jpg".format(number) for number in range(503)])
    bars = []

    class Bar:
        def __init__(self, label, total):
            self.label, self.total, self.done, self.closed = label, total, 0, False
            bars.append(self)

        def update(self, number):
            self.done += number

        def close(self):
            self.closed = True

    images = files.image_paths(folder)
    renames.apply_order(folder, images[3:], images[:3], Bar)
    assert [(bar.label, bar.total, bar.done, bar.closed) for bar in bars] == [
        ("Moving trash", 3, 3, True), ("Renaming", 500, 500, True), ("Renaming", 500, 500, True)]


def test_a_bar_that_fails_or_ctrl_c_brings_everything_back(tmp_path):
    folder = fill(tmp_path / "aligned", NAMES)
    before = read(folder)
    images = files.image_paths(folder)
    for stop in (KeyboardInterrupt, ZeroDivisionError):
        for bar_number in (1, 2, 3):
            opened = []

            def progress(label, total, stop=stop, bar_number=bar_number, opened=opened):
                opened.append(label)
                if len(opened) == bar_number:
                    raise stop

            with pytest.raises(stop):
                renames.apply_order(folder, images[3:], images[:3], progress)
            assert read(folder) == before
            assert os.listdir(str(tmp_path)) == ["aligned"]
            assert renames.recover(folder) is None


# --- refusals -------------------------------------------------------------------------------------

def test_lists_that_do_not_fit_the_folder_are_refused(tmp_path):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg", "c.png", "notes.txt"])
    fill(tmp_path / "other", ["d.jpg"])
    os.mkdir(os.path.join(folder, "e.jpg"))
    a, b, c = paths(folder, ["a.jpg", "b.jpg", "c.png"])
    assert "c.png came into" in refuse(folder, [a, b], [])
    assert "a.jpg has two places" in refuse(folder, [a, b, a], [c])
    assert "a.jpg has two places" in refuse(folder, [a, b], [c, a])
    assert "gone.jpg was removed while" in refuse(folder, [a, b, c] + paths(folder, ["gone.jpg"]), [])
    assert "notes.txt is not an image" in refuse(folder, [a, b, c] + paths(folder, ["notes.txt"]), [])
    assert "e.jpg is not an image" in refuse(folder, [a, b, c] + paths(folder, ["e.jpg"]), [])
    assert "d.jpg is not in" in refuse(folder, [a, b, c, str(tmp_path / "other" / "d.jpg")], [])
    assert "is not in" in refuse(folder, [a, b, c, os.path.join(folder, "sub", "a.jpg")], [])
    fill(folder, ["{}.jpg".format(number) for number in range(100, 200)])
    assert "and 98 more came into" in refuse(folder, [a, b], [])


@pytest.mark.parametrize("name", ["00001.jpg", "00001.JPG"])
def test_a_folder_in_the_way_is_refused(tmp_path, name):
    """The second spelling is in the way where file names ignore case."""
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    os.mkdir(os.path.join(folder, name))
    assert name + " where a face needs that name" in refuse(folder, paths(folder, ["a.jpg", "b.jpg"]), [])


def test_a_file_that_appears_in_the_way_is_not_replaced(tmp_path, monkeypatch):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg", "c.jpg"])
    rename = compat.rename_no_replace

    def rename_after_another_program(source, target):
        if os.path.basename(target) == "00001.jpg":
            fill(folder, ["00001.jpg"])
        rename(source, target)

    monkeypatch.setattr(compat, "rename_no_replace", rename_after_another_program)
    with pytest.raises(renames.RenameError, match="every file has the name it had before"):
        renames.apply_order(folder, paths(folder, ["c.jpg", "a.jpg"]), paths(folder, ["b.jpg"]))
    assert read(folder) == {name: name.encode() for name in ("a.jpg", "b.jpg", "c.jpg", "00001.jpg")}


def test_a_link_under_the_name_of_a_file_of_ours_leads_nowhere(tmp_path):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    fill(tmp_path, ["precious"])
    for name in (".sort_journal.tmp", ".sort_lock", ".sort_undo"):
        os.symlink(str(tmp_path / "precious"), os.path.join(folder, name))
    renames.apply_order(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
    assert read(tmp_path) == {"precious": b"precious"}
    assert read(folder) == {"00000.jpg": b"b.jpg", "00001.jpg": b"a.jpg"}


# --- trash ----------------------------------------------------------------------------------------

def test_trash_takes_the_first_new_or_empty_folder(tmp_path):
    folder = fill(tmp_path / "aligned.v2", ["{}.jpg".format(number) for number in range(4)])
    fill(tmp_path / "aligned_trash", ["old.jpg"])
    fill(tmp_path, ["aligned_trash_2"])
    os.mkdir(str(tmp_path / "aligned_trash_3"))
    for number in (3, 4):
        images = files.image_paths(folder)
        result = renames.apply_order(folder, images[1:], images[:1])
        assert result.trash_folder == str(tmp_path / "aligned_trash_{}".format(number))
    assert read(tmp_path / "aligned_trash") == {"old.jpg": b"old.jpg"}
    assert read(tmp_path / "aligned_trash_3") == {"0.jpg": b"0.jpg"}
    assert read(tmp_path / "aligned_trash_4") == {"00000.jpg": b"1.jpg"}


def test_an_empty_trash_folder_of_the_user_outlives_undo(tmp_path):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    os.mkdir(folder + "_trash")
    renames.apply_order(folder, paths(folder, ["b.jpg"]), paths(folder, ["a.jpg"]))
    assert read(folder + "_trash") == {"a.jpg": b"a.jpg"}
    renames.undo(folder)
    assert os.listdir(folder + "_trash") == []


def test_trash_that_cannot_be_made_changes_nothing(tmp_path):
    folder = fill(tmp_path / ("x" * 250), ["a.jpg", "b.jpg"])
    words = refuse(folder, paths(folder, ["b.jpg"]), paths(folder, ["a.jpg"]))
    assert "Use shorter names" in words


# --- undo -----------------------------------------------------------------------------------------

def sorted_folder(tmp_path):
    """A folder of a, b, c, d.jpg sorted as d, c, b, with a in trash."""
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    renames.apply_order(folder, paths(folder, ["d.jpg", "c.jpg", "b.jpg"]), paths(folder, ["a.jpg"]))
    return folder


def test_undo_is_for_one_sort_and_once(tmp_path):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    with pytest.raises(renames.RenameError, match="no sort to undo"):
        renames.undo(folder)
    renames.apply_order(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
    renames.apply_order(folder, paths(folder, ["00001.jpg", "00000.jpg"]), [])
    renames.undo(folder)
    assert read(folder) == {"00000.jpg": b"b.jpg", "00001.jpg": b"a.jpg"}
    with pytest.raises(renames.RenameError, match="no sort to undo"):
        renames.undo(folder)


def test_undo_respects_what_the_user_has_removed_and_added(tmp_path):
    folder = sorted_folder(tmp_path)
    os.remove(os.path.join(folder, "00001.jpg"))
    fill(folder, ["new.jpg"])
    assert renames.undo(folder) == renames.Result(2, 1, folder + "_trash", 1)
    assert read(folder) == {"d.jpg": b"d.jpg", "b.jpg": b"b.jpg", "a.jpg": b"a.jpg", "new.jpg": b"new.jpg"}


@pytest.mark.parametrize("blocker", ["c.jpg", "a.jpg"])
def test_undo_refuses_when_an_added_file_has_a_name_that_is_needed(tmp_path, blocker):
    folder = sorted_folder(tmp_path)
    with open(os.path.join(folder, blocker), "wb") as stream:
        stream.write(b"added")
    before = read(folder)
    with pytest.raises(renames.RenameError, match=blocker + " was added"):
        renames.undo(folder)
    assert read(folder) == before
    os.remove(os.path.join(folder, blocker))
    assert renames.undo(folder).missing == 0


def test_undo_without_trash_folder_and_with_another_file_in_it(tmp_path):
    folder = sorted_folder(tmp_path)
    os.rename(folder + "_trash", folder + "_gone")
    assert renames.undo(folder) == renames.Result(3, 0, folder + "_trash", 1)
    folder = sorted_folder(tmp_path / "second")
    with open(os.path.join(folder + "_trash", "a.jpg"), "wb") as stream:
        stream.write(b"a file of another size")
    assert renames.undo(folder).missing == 1
    assert "a.jpg" not in read(folder) and "a.jpg" in read(folder + "_trash")


def test_undo_leaves_a_trash_folder_that_holds_something_else(tmp_path):
    folder = sorted_folder(tmp_path)
    fill(folder + "_trash", ["user.jpg"])
    renames.undo(folder)
    assert read(folder + "_trash") == {"user.jpg": b"user.jpg"}
    assert sorted(os.listdir(folder)) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


# --- failures -------------------------------------------------------------------------------------

def failing_renames(monkeypatch, code, times, basename):
    """Let renames to or from a file name fail `times` times. Return the list of failures."""
    rename, failures = compat.rename_no_replace, []

    def rename_or_fail(source, target):
        if basename in (os.path.basename(source), os.path.basename(target)) and len(failures) < times:
            failures.append(time.monotonic())
            raise OSError(code, os.strerror(code), source, None, target)
        rename(source, target)

    monkeypatch.setattr(compat, "rename_no_replace", rename_or_fail)
    return failures


def test_a_file_in_use_is_tried_again_for_about_a_second(tmp_path, monkeypatch):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    failures = failing_renames(monkeypatch, errno.EACCES, 4, "b.jpg")
    renames.apply_order(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
    assert len(failures) == 4
    assert read(folder) == {"00000.jpg": b"b.jpg", "00001.jpg": b"a.jpg"}


@pytest.mark.parametrize("code, advice", [
    (errno.EACCES, "Close programs"), (errno.ENOSPC, "Make room"), (errno.EIO, "another disk")])
def test_a_file_that_cannot_be_renamed_brings_everything_back(tmp_path, monkeypatch, code, advice):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg", "c.jpg"])
    before = read(folder)
    failures = failing_renames(monkeypatch, code, 100, "b.jpg")
    with pytest.raises(renames.RenameError) as caught:
        renames.apply_order(folder, paths(folder, ["c.jpg", "b.jpg"]), paths(folder, ["a.jpg"]))
    assert read(folder) == before and os.listdir(str(tmp_path)) == ["aligned"]
    for words in ("b.jpg", advice, os.strerror(code), "Nothing is lost"):
        assert words in str(caught.value)
    if code == errno.EACCES:
        assert 0.8 < failures[-1] - failures[0] < 5
    else:
        assert len(failures) == 1


def test_what_cannot_be_brought_back_now_is_brought_back_by_the_next_sort(tmp_path, monkeypatch):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg", "c.jpg"])
    before = read(folder)
    with monkeypatch.context() as patches:
        failing_renames(patches, errno.EIO, 100, "00001.jpg")
        rename = compat.rename_no_replace

        def no_way_back(source, target):
            if os.path.basename(target) == "b.jpg":
                raise OSError(errno.EIO, os.strerror(errno.EIO), source, None, target)
            rename(source, target)

        patches.setattr(compat, "rename_no_replace", no_way_back)
        with pytest.raises(renames.RenameError, match="sorting_"):
            renames.apply_order(folder, paths(folder, ["c.jpg", "b.jpg", "a.jpg"]), [])
        with pytest.raises(renames.RenameError, match="Nothing is lost"):
            renames.recover(folder)
    assert sorted(read(folder).values()) == sorted(before.values())
    words = refuse(folder, files.image_paths(folder), [])
    assert "cut short" in words
    assert "earlier names again" in renames.recover(folder)
    assert read(folder) == before


def test_without_a_refusing_rename_the_target_is_looked_for_first(tmp_path, monkeypatch):
    monkeypatch.setattr(compat, "_RENAMEAT2", [None])
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    renames.apply_order(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
    assert read(folder) == {"00000.jpg": b"b.jpg", "00001.jpg": b"a.jpg"}
    one, two = paths(folder, ["00000.jpg", "00001.jpg"])
    with pytest.raises(FileExistsError):
        compat.rename_no_replace(one, two)
    assert files.read_bytes(two) == b"a.jpg"


# --- what a crash leaves --------------------------------------------------------------------------

def cut_short(folder, name, trash=None, moves=(), trashed=()):
    """Leave the journal of a sort under way. Return its temporary names."""
    journal = rename_journal.Journal("sort", "0123abcd", trash, True, list(moves), list(trashed))
    rename_journal.write(folder, journal)
    os.rename(os.path.join(folder, rename_journal.AWAY), os.path.join(folder, name))
    renamed, _ = rename_journal.routes(folder, folder + "_trash", journal)
    return [os.path.basename(route.middle) for route in renamed]


TWO_MOVES = [("a.jpg", "00000.jpg", 1), ("b.jpg", "00001.jpg", 1)]


def test_recovery_leaves_files_that_took_a_name_meanwhile(tmp_path):
    folder = fill(tmp_path / "aligned", [])
    temporary = cut_short(folder, rename_journal.AWAY, moves=TWO_MOVES)
    fill(folder, temporary + ["a.jpg"])
    assert "1 of them could not" in renames.recover(folder)
    first, second = temporary
    assert read(folder) == {"a.jpg": b"a.jpg", first: first.encode(), "b.jpg": second.encode()}
    assert renames.recover(folder) is None


def test_recovery_leaves_files_that_took_a_final_name_meanwhile(tmp_path):
    folder = fill(tmp_path / "aligned", [])
    temporary = cut_short(folder, rename_journal.FINAL, moves=TWO_MOVES)
    fill(folder, temporary + ["00000.jpg"])
    assert "earlier names again" in renames.recover(folder)
    first, second = temporary
    assert read(folder) == {"00000.jpg": b"00000.jpg", "a.jpg": first.encode(), "b.jpg": second.encode()}


def test_recovery_without_the_files_ends(tmp_path):
    for name in (rename_journal.AWAY, rename_journal.FINAL):
        folder = fill(tmp_path / name, [])
        cut_short(folder, name, "x_trash", [("a.jpg", "00000.jpg", 1)], [("b.jpg", 1)])
        assert renames.recover(folder) is not None
        assert renames.recover(folder) is None


def test_both_names_of_a_journal_mean_that_all_files_are_on_their_way(tmp_path):
    """What FAT can leave of a rename after a power cut."""
    folder = fill(tmp_path / "aligned", [])
    temporary = cut_short(folder, rename_journal.AWAY, moves=[("a.jpg", "00000.jpg", 1)])
    fill(folder, temporary)
    data = files.read_bytes(os.path.join(folder, rename_journal.AWAY))
    files.write_atomic(os.path.join(folder, rename_journal.FINAL), data)
    assert renames.recover(folder) is not None
    assert os.listdir(folder) == ["a.jpg"]


ABSENT = object()


def signed(body):
    return b"sort journal 1 " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def journal_text(**changes):
    """Return the bytes of a journal with some fields changed and a right checksum."""
    fields = {"kind": "sort", "id": "0123abcd", "trash": "aligned_trash", "trash_is_new": True,
              "renames": [["a.jpg", "00000.jpg", 5]], "trashed": [["b.jpg", 5]]}
    fields.update(changes)
    return signed(json.dumps({name: value for name, value in fields.items() if value is not ABSENT}).encode())


DAMAGED = {
    "empty": b"",
    "foreign": b"{\"files\": []}",
    "torn": journal_text()[:-9],
    "bit flipped": journal_text().replace(b"a.jpg", b"c.jpg"),
    "zeros": bytes(3000),
    "head alone": journal_text()[:80],
    "up": journal_text(renames=[["../a.jpg", "00000.jpg", 5]]),
    "below": journal_text(renames=[["a.jpg", "sub/00000.jpg", 5]]),
    "absolute": journal_text(trashed=[["/etc/b.jpg", 5]]),
    "no image": journal_text(renames=[["a.jpg", ".bashrc", 5]]),
    "trash up": journal_text(trash="../aligned_trash"),
    "trash is no trash": journal_text(trash="data_src"),
    "trash missing": journal_text(trash=None),
    "nul": journal_text(renames=[["a\0.jpg", "b.jpg", 5]]),
    "no text": journal_text(renames=[["\ud800.jpg", "b.jpg", 5]]),
    "number": journal_text(renames=[[5, "b.jpg", 5]]),
    "size": journal_text(renames=[["a.jpg", "00000.jpg", "5"]]),
    "short": journal_text(renames=[["a.jpg", 5]]),
    "flat": journal_text(renames=5),
    "two to one": journal_text(renames=[["a.jpg", "c.jpg", 5], ["b.jpg", "c.jpg", 5]], trashed=[]),
    "one to two": journal_text(renames=[["a.jpg", "c.jpg", 5], ["a.jpg", "d.jpg", 5]], trashed=[]),
    "here and in trash": journal_text(renames=[["a.jpg", "c.jpg", 5]], trashed=[["a.jpg", 5]]),
    "kind": journal_text(kind="delete"),
    "id": journal_text(id="../../xx"),
    "field missing": journal_text(kind=ABSENT),
    "more fields": journal_text(command="rm"),
    "no object": signed(b"[]"),
    "no json": signed(b"renames"),
    "deep": signed(b"[" * 200000),
}


@pytest.mark.parametrize("name", [rename_journal.AWAY, rename_journal.FINAL, rename_journal.UNDO])
@pytest.mark.parametrize("damage", sorted(DAMAGED))
def test_damaged_and_malicious_journals_are_refused(tmp_path, damage, name):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg", "00000.jpg"])
    path = os.path.join(folder, name)
    with open(path, "wb") as stream:
        stream.write(DAMAGED[damage])
    before = read(folder)
    with pytest.raises(renames.RenameError) as caught:
        renames.undo(folder) if name == rename_journal.UNDO else renames.recover(folder)
    assert path in str(caught.value) and "Delete that file" in str(caught.value)
    assert read(folder) == before and os.listdir(str(tmp_path)) == ["aligned"]
    os.remove(path)
    assert renames.recover(folder) is None
    renames.apply_order(folder, files.image_paths(folder), [])


# --- the lock -------------------------------------------------------------------------------------

HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from accel import renames
with renames.locked(sys.argv[2]):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_only_one_process_sorts_a_folder(tmp_path):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, PROGRAM, folder], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"locked\n"
        assert "Another sort is at work" in refuse(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    renames.apply_order(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
    assert sorted(os.listdir(folder)) == [".sort_undo", "00000.jpg", "00001.jpg"]


def test_a_process_may_hold_the_lock_around_its_own_sort(tmp_path):
    folder = fill(tmp_path / "aligned", ["a.jpg", "b.jpg"])
    with renames.locked(folder):
        renames.apply_order(folder, paths(folder, ["b.jpg", "a.jpg"]), [])
        with renames.locked(folder):
            assert ".sort_lock" in os.listdir(folder)
        assert ".sort_lock" in os.listdir(folder)
    assert ".sort_lock" not in os.listdir(folder)


def test_a_missing_folder_is_told(tmp_path):
    missing = str(tmp_path / "missing")
    assert renames.recover(missing) is None
    for call in (lambda: renames.apply_order(missing, [], []), lambda: renames.undo(missing),
                 lambda: renames.plan_lines(missing, [], [])):
        with pytest.raises(renames.RenameError, match="missing"):
            call()
