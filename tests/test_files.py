"""Files of any name: found, read and written whole."""
import os
import stat
import time

import cv2
import numpy as np
import pytest
from accel import compat, files
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["a.jpg", "B.JPG", "c.Jpeg", "d.png", "e.tif", "f.TIFF", "лицо.jpg", "脸 😀.png", "%s.jpg", "-x.jpg",
         "ы" * 100 + ".png", ".jpg", "x.jpg.png"]
NO_IMAGES = ["a.txt", "jpg", "a.jpg.tmp", "b.bmp", "c.jpg2", ".sort_undo"]


def picture(dtype=np.uint8, shape=(6, 5, 3)):
    return np.random.RandomState(3).randint(0, np.iinfo(dtype).max, shape).astype(dtype)


# --- images of a folder ---------------------------------------------------------------------------

def test_image_paths(tmp_path):
    for name in NAMES + NO_IMAGES:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.jpg" / "inside.jpg").write_bytes(b"")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.txt")
    (tmp_path / "broken link.jpg").symlink_to(tmp_path / "nothing")
    ref = sorted(str(tmp_path) + os.sep + name for name in NAMES + ["link.jpg"])
    assert files.image_paths(tmp_path) == ref
    assert files.image_paths(str(tmp_path)) == ref


def test_image_paths_of_no_folder(tmp_path):
    assert files.image_paths(tmp_path / "missing") == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        files.image_paths(tmp_path / "file")


# --- atomic write ---------------------------------------------------------------------------------

@given(old=st.one_of(st.none(), st.binary()), new=st.binary(), name=st.sampled_from(NAMES + ["n" * 255]))
def test_write_atomic(tmp_path_factory, old, new, name):
    folder = tmp_path_factory.mktemp("folder")
    if old is not None:
        (folder / name).write_bytes(old)
    files.write_atomic(folder / name, new)
    assert files.read_bytes(folder / name) == new
    assert os.listdir(str(folder)) == [name]


def test_write_atomic_keeps_permissions_and_follows_links(tmp_path):
    target, link = tmp_path / "face.jpg", tmp_path / "link.jpg"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    files.write_atomic(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_write_atomic_beside_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_atomic("face.jpg", b"new")
    assert (tmp_path / "face.jpg").read_bytes() == b"new"


@pytest.mark.parametrize("broken, error", [("fsync", OSError(28, "full")), ("replace", KeyboardInterrupt())])
def test_write_atomic_that_fails_leaves_the_old_file(tmp_path, monkeypatch, broken, error):
    (tmp_path / "face.jpg").write_bytes(b"old")

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(type(error)):
        files.write_atomic(tmp_path / "face.jpg", b"new")
    assert (tmp_path / "face.jpg").read_bytes() == b"old"
    assert os.listdir(str(tmp_path)) == ["face.jpg"]


def test_write_atomic_where_nothing_can_be_written(tmp_path):
    with pytest.raises(OSError):
        files.write_atomic(tmp_path / "missing" / "face.jpg", b"new")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(OSError):
        files.write_atomic(tmp_path / "folder.jpg", b"new")
    assert os.listdir(str(tmp_path)) == ["folder.jpg"]


def test_write_atomic_waits_for_a_file_in_use(tmp_path, monkeypatch):
    replace, refused = os.replace, []

    def replace_later(source, target):
        if len(refused) < 3:
            refused.append(target)
            raise PermissionError(13, "in use")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_later)
    files.write_atomic(tmp_path / "face.jpg", b"new")
    assert (tmp_path / "face.jpg").read_bytes() == b"new" and len(refused) == 3


def test_retry_busy_gives_up_after_about_a_second():
    tries = []

    def busy():
        tries.append(time.monotonic())
        raise PermissionError(13, "in use")

    with pytest.raises(PermissionError):
        files.retry_busy(busy)
    assert len(tries) > 3 and 0.8 < tries[-1] - tries[0] < 5


def test_write_atomic_syncs_the_file_before_it_gets_its_name_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    fsync, replace, fsync_directory = os.fsync, os.replace, compat.fsync_directory
    monkeypatch.setattr(compat, "fsync_directory",
                        lambda path: calls.append("folder") or fsync_directory(path))
    monkeypatch.setattr(os, "replace", lambda old, new: (calls.append("replace"), replace(old, new)))
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), fsync(handle)))
    files.write_atomic(tmp_path / "face.jpg", b"new")
    assert calls[:3] == ["sync", "replace", "folder"]


# --- images ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["a.png", "лицо.png", "脸 😀.PNG", "%d.tif", "ы" * 100 + ".png"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(6, 5, 3), (6, 5), (7, 3, 4), (1, 1, 3)])
def test_images_are_read_as_they_are(tmp_path, name, dtype, shape):
    ref = picture(dtype, shape)
    (tmp_path / name).write_bytes(cv2.imencode(os.path.splitext(name)[1], ref)[1].tobytes())
    comp = files.read_image(tmp_path / name)
    assert comp.dtype == ref.dtype and np.array_equal(comp, ref)


def test_image_flags(tmp_path):
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".jpg", picture(shape=(64, 64, 3)))[1].tobytes())
    grey = files.read_image(tmp_path / "a.jpg", cv2.IMREAD_GRAYSCALE)
    ref = cv2.imdecode(np.frombuffer((tmp_path / "a.jpg").read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey.shape == (64, 64) and np.array_equal(grey, ref)


@pytest.mark.parametrize("data", [
    b"", b"x", b"no image at all" * 50, b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_image_is_none(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    assert files.read_image(tmp_path / "a.jpg") is None
    assert files.decode_image(data) is None


def test_a_missing_image_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.read_image(tmp_path / "missing.jpg")
