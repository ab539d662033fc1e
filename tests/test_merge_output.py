"""What a merge writes: pixels as they are, whole files, no twins, and never among what it reads."""
import os
import shutil

import crash_shim
import numpy as np
import pytest
from accel import compat, files, host
from accel.merge import encoding, output
from crash_shim import BROKEN, DONE, KILLED
from kernel_images import psnr, textured

STEM = "кадр 0001 %d"
UNSYNCED = ("enospc", "eio", "kill", "power", "power-names", "power-order")


def frame(height=48, width=65, seed=1):
    return textured(height, width, seed=seed, channels=3)


def mask(height=48, width=65):
    image = np.zeros((height, width, 1), np.uint8)
    image[10:30, 20:40] = 255
    return image


@pytest.fixture
def place(tmp_path):
    """An Output in two empty folders."""
    for name in ("merged", "merged_mask"):
        (tmp_path / name).mkdir()
    return output.Output(str(tmp_path / "merged"), str(tmp_path / "merged_mask"))


@pytest.mark.parametrize("kind", encoding.FORMATS)
def test_write(place, kind):
    place.format = kind
    assert not place.is_done(STEM) and place.earlier_images() == []
    place.write(STEM, frame(), mask())
    names = [STEM + "." + kind], [STEM + ".png"]
    assert (os.listdir(place.folder), os.listdir(place.mask_folder)) == names
    comp = files.read_image(place.image_path(STEM))
    assert np.array_equal(comp, frame()) if kind == "png" else psnr(comp, frame()) > 40
    assert np.array_equal(files.read_image(place.mask_path(STEM)), mask()[..., 0])
    assert place.is_done(STEM)
    assert place.earlier_images() == [place.image_path(STEM), place.mask_path(STEM)]


def test_the_other_format_leaves_no_twin(place):
    others = [STEM + ".jpeg", STEM + ".tif", STEM + "0.png", STEM + "0.jpg", STEM, STEM + ".txt"]
    for name in others:
        with open(os.path.join(place.folder, name), "wb") as stream:
            stream.write(b"kept")
    with open(os.path.join(place.mask_folder, STEM + ".jpg"), "wb") as stream:
        stream.write(b"kept")
    for kind in ("png", "jpg", "png"):
        place.format = kind
        place.write(STEM, frame(), mask())
        assert sorted(os.listdir(place.folder)) == sorted(others + [STEM + "." + kind])
        assert sorted(os.listdir(place.mask_folder)) == [STEM + ".jpg", STEM + ".png"]
        place.format = "jpg" if kind == "png" else "png"
        assert not place.is_done(STEM)


def test_a_folder_of_the_twins_name_stays(place):
    os.mkdir(os.path.join(place.folder, STEM + ".jpg"))
    place.write(STEM, frame(), mask())
    assert place.is_done(STEM) and os.path.isdir(os.path.join(place.folder, STEM + ".jpg"))


@pytest.mark.parametrize("kind", encoding.FORMATS)
@pytest.mark.parametrize("which", ["image_path", "mask_path"])
def test_what_is_not_whole_is_not_done(place, kind, which):
    place.format = kind
    place.write(STEM, frame(), mask())
    path = getattr(place, which)(STEM)
    whole = files.read_bytes(path)
    for broken in (b"", whole[:1], whole[:10], whole[:len(whole) // 2], whole[:-1], bytes(len(whole)),
                   whole[:40] + bytes(len(whole) - 40), b"\0" + whole[1:]):
        with open(path, "wb") as stream:
            stream.write(broken)
        assert not place.is_done(STEM), len(broken)
    with open(path, "wb") as stream:
        stream.write(whole)
    assert place.is_done(STEM)
    os.remove(path)
    assert not place.is_done(STEM)


def test_a_twin_beside_a_whole_frame_is_not_done(place):
    place.write(STEM, frame(), mask())
    shutil.copy(place.image_path(STEM), os.path.join(place.folder, STEM + ".jpg"))
    assert not place.is_done(STEM)
    place.write(STEM, frame(), mask())
    assert place.is_done(STEM) and len(os.listdir(place.folder)) == 1


def test_a_frame_that_cannot_be_encoded_leaves_the_old_files(place):
    place.write(STEM, frame(), mask())
    before = snapshot(place)
    place.format = "jpg"
    with pytest.raises(host.UserError):
        place.write(STEM, np.zeros((1, 70000, 3), np.uint8), np.zeros((1, 70000, 1), np.uint8))
    assert snapshot(place) == before


def test_write_waits_for_a_file_in_use(place, monkeypatch):
    replace, refused = os.replace, []

    def replace_later(source, target):
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(13, "in use")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_later)
    place.write(STEM, frame(), mask())
    assert place.is_done(STEM) and len(refused) == 2


def test_many_threads_write_at_once(place):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: place.write(str(k), frame(seed=k), mask()), range(24)))
    for k in range(24):
        assert place.is_done(str(k)) and np.array_equal(files.read_image(place.image_path(str(k))), frame(seed=k))
    assert len(os.listdir(place.folder)) == len(os.listdir(place.mask_folder)) == 24


# --- cut short -------------------------------------------------------------------------------

def snapshot(place):
    """Return {path: content} of both folders."""
    return {os.path.join(folder, name): files.read_bytes(os.path.join(folder, name))
            for folder in (place.folder, place.mask_folder) for name in os.listdir(folder)}


@pytest.mark.parametrize("mode", UNSYNCED)
def test_a_fault_at_every_operation(tmp_path, monkeypatch, mode):
    """Over old files, changing the format: every name is the old or the new file, and the next run completes it."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)         # the shim notes syncs; nobody cuts our own power
    root = tmp_path / "workspace"
    places = {kind: output.Output(str(root / "merged"), str(root / "merged_mask"), kind) for kind in encoding.FORMATS}

    def prepare():
        shutil.rmtree(str(root), ignore_errors=True)
        for folder in (places["png"].folder, places["png"].mask_folder):
            os.makedirs(folder)
        places["jpg"].write("1", frame(seed=7), mask())
        return snapshot(places["jpg"])

    def work():
        with places["png"] as place:
            place.write("1", frame(), mask()[::-1])

    old = prepare()
    operations = crash_shim.count(work, root)
    new = snapshot(places["png"])
    assert operations > 12 and len(new) == 2
    for at in range(operations):
        prepare()
        how, _, words = crash_shim.run(work, root, mode, at)
        assert how in (KILLED, BROKEN, DONE) and ("OSError" in words or how != BROKEN), words
        now = {path: content for path, content in snapshot(places["png"]).items()
               if not os.path.basename(path).startswith(".")}
        assert all(content in (old.get(path), new.get(path)) for path, content in now.items()), (mode, at)
        assert os.path.join(places["png"].mask_folder, "1.png") in now
        assert places["jpg"].image_path("1") in now or places["png"].is_done("1")
        work()
        assert places["png"].is_done("1") and snapshot(places["png"]) == new, (mode, at)


def test_left_over_parts_go_and_nothing_else(place):
    others = [".merge-1.part", ".0123.tmp", ".merge-" + "0" * 32 + ".part.png", "merge-" + "0" * 32 + ".part"]
    parts = [".merge-{}.part".format(digit * 32) for digit in "0f"]
    for name in others + parts:
        with open(os.path.join(place.folder, name), "wb"), open(os.path.join(place.mask_folder, name), "wb"):
            pass
    with place:
        assert sorted(name for name in os.listdir(place.folder) if "lock" not in name) == sorted(others)
    assert sorted(os.listdir(place.folder)) == sorted(os.listdir(place.mask_folder)) == sorted(others)


def test_one_merge_at_a_time(place, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with place:
        for second in (output.Output(place.folder, str(tmp_path / "elsewhere")),
                       output.Output(str(tmp_path / "elsewhere"), place.mask_folder)):
            with pytest.raises(host.UserError, match="Another merge"):
                second.__enter__()
        assert os.listdir(str(tmp_path / "elsewhere")) == []
    with output.Output(place.folder, place.mask_folder):
        pass
    with pytest.raises(host.UserError, match="cannot be written to"):
        output.Output(str(tmp_path / "missing"), place.mask_folder).__enter__()
    assert os.listdir(place.folder) == os.listdir(place.mask_folder) == []


# --- earlier images --------------------------------------------------------------------------

def test_delete_earlier(place, monkeypatch):
    images = ["1.png", "2.JPG", "3.jpeg", "4.tiff"]
    for folder in (place.folder, place.mask_folder):
        for name in images + ["note.txt", "video.mp4"]:
            with open(os.path.join(folder, name), "wb"):
                pass
    os.chmod(os.path.join(place.folder, "1.png"), 0o400)
    synced = []
    monkeypatch.setattr(compat, "fsync_directory", synced.append)
    assert len(place.earlier_images()) == 8
    place.delete_earlier()
    for folder in (place.folder, place.mask_folder):
        assert sorted(os.listdir(folder)) == ["note.txt", "video.mp4"]
    assert synced == [place.folder, place.mask_folder]
    monkeypatch.setattr(output.Output, "earlier_images", lambda self: [os.path.join(self.folder, "gone.png")])
    with pytest.raises(host.UserError, match="gone.png.*Start again"):
        place.delete_earlier()


# --- folders ---------------------------------------------------------------------------------

@pytest.fixture
def folders(tmp_path):
    made = {}
    for name in ("frames", "merged", "masks", "aligned", "models"):
        (tmp_path / name).mkdir()
        made[name] = str(tmp_path / name)
    return made


def test_folders_that_are_apart(folders):
    output.check_folders(**folders)
    output.check_folders(**dict(folders, merged=os.path.join(folders["frames"], "merged"),
                                masks=os.path.join(folders["frames"], "merged_mask")))      # not there yet
    output.check_folders(folders["frames"], folders["merged"], folders["masks"], folders["aligned"])


@pytest.mark.parametrize("spelling", ["plain", "slash", "around", "link", "link above"])
@pytest.mark.parametrize("one, other, words", [
    ("merged", "frames", "output folder and the input folder.*--output-dir"),
    ("merged", "aligned", "output folder and the aligned folder"),
    ("merged", "models", "output folder and the model folder"),
    ("masks", "frames", "mask folder and the input folder.*--output-mask-dir"),
    ("masks", "aligned", "mask folder and the aligned folder"),
    ("masks", "merged", "cannot go to one folder.*--output-mask-dir")])
def test_folders_that_are_the_same(folders, tmp_path, one, other, words, spelling):
    path = folders[other]
    if spelling == "link":
        path = str(tmp_path / "link")
        os.symlink(folders[other], path)
    elif spelling == "link above":
        os.symlink(str(tmp_path), str(tmp_path / "above"))
        path = str(tmp_path / "above" / other)
    elif spelling != "plain":
        path = {"slash": path + os.sep, "around": os.path.join(folders["frames"], "..", other)}[spelling]
    with pytest.raises(host.UserError, match=words):
        output.check_folders(**dict(folders, **{one: path}))


def test_one_folder_that_is_not_there_yet(folders, tmp_path):
    new = str(tmp_path / "new")
    with pytest.raises(host.UserError, match="cannot go to one folder"):
        output.check_folders(**dict(folders, merged=new, masks=os.path.join(new, ".")))
    (tmp_path / "file").write_text("")
    with pytest.raises(host.UserError, match="is a file"):
        output.check_folders(**dict(folders, masks=str(tmp_path / "file")))
    with pytest.raises(host.UserError, match="cannot go to one folder"):
        output.Output(folders["merged"], folders["merged"]).__enter__()


# --- free space ------------------------------------------------------------------------------

class Usage:
    def __init__(self, free):
        self.free = free


def test_space_warning(place, tmp_path, monkeypatch):
    paths = []
    for k in range(3):
        paths.append(str(tmp_path / "{}.png".format(k)))
        files.write_atomic(paths[k], encoding.encode_png(frame(seed=k)))
    one = len(encoding.encode_png(frame())) + 48 * 65 // 60
    free = [0]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free[0]))
    many = [paths[0]] + paths[1:2] * 998 + [paths[2]]
    free[0] = int(one * 1000 * 1.1)
    assert place.space_warning(many) is None
    free[0] = int(one * 1000 * 0.9)
    said = place.space_warning(many)
    assert "about {:,} MB".format(one * 1000 // 10 ** 6 + 1) in said and "jpg" in said and place.folder in said
    place.format = "jpg"
    free[0] = 1000
    assert "jpg" not in place.space_warning(many)
    with open(os.path.join(place.mask_folder, "old.png"), "wb") as stream:
        stream.truncate(one * 5000)
    assert place.space_warning(many) is None                 # an earlier image goes first


def test_space_warning_of_what_cannot_be_told(place, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    for paths in ([], [str(tmp_path / "broken.png")], [str(tmp_path / "missing.png")]):
        assert place.space_warning(paths) is None
