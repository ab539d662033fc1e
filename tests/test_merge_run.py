"""A merge without a window: done, failed, cut short and gone on with."""
import errno
import os

import numpy as np
import pytest

from accel import host
from accel.merge import pipeline, run, settings
from accel.merge.workers import Workers


class Frame:
    def __init__(self, path, faces=1):
        self.frame_info = self
        self.filepath, self.motion_power, self.motion_deg = path, 0, 0
        self.landmarks_list = [np.arange(136.0).reshape(68, 2) + number for number in range(faces)]


class Output:
    """An output folder of which only the names count; folder: where (Path)."""

    def __init__(self, folder):
        self.folder, self.mask_folder, self.format, self._stamp = folder, folder, "png", None

    def stamp(self):
        return self._stamp

    def set_stamp(self, name):
        self._stamp = name

    def path(self, stem):
        return str(self.folder / (stem + ".png"))

    def is_done(self, stem):
        return os.path.exists(self.path(stem))

    def earlier_images(self):
        return [str(path) for path in self.folder.glob("*.png")]

    def delete_earlier(self):
        self._stamp = None
        for path in self.earlier_images():
            os.remove(path)


CONFIG = type("Config", (), dict(settings.ENTER, mode="overlay", face_type=4))


class Setting:
    """Twelve frames, an output folder and a state file; fail: {name: error}; asked: the questions."""

    def __init__(self, tmp_path, monkeypatch):
        self.frames_folder, self.merged = tmp_path / "frames", tmp_path / "merged"
        self.frames_folder.mkdir()
        self.merged.mkdir()
        self.state = str(tmp_path / "new_Tiny_merger_run.json")
        self.frames = []
        for number in range(12):
            path = self.frames_folder / "{:05}.png".format(number)
            path.write_bytes(b"frame")
            self.frames.append(Frame(path))
        self.output, self.fail, self.merged_now, self.asked, self.answer = Output(self.merged), {}, [], [], True
        self.config, self.answer_of_model = CONFIG, [0.5, 0.25]

        def ask(question, default):
            assert default is True
            self.asked.append(question)
            return self.answer
        monkeypatch.setattr(host, "ask_bool", ask)

    def work(self, job):
        name = os.path.basename(job.path)
        if name in self.fail:
            raise self.fail[name]
        self.merged_now.append(name)
        with open(self.output.path(name[:-4]), "w") as file:
            file.write(repr(job.settings))

    def merge(self):
        self.merged_now, self.asked = [], []
        workers = Workers(self.work, 3)
        try:
            run.merge_all(self.frames, self.config, workers, self.output, self.state, lambda: self.answer_of_model)
        finally:
            workers.close()

    def names(self):
        return sorted(path.name for path in self.merged.iterdir())


@pytest.fixture
def setting(tmp_path, monkeypatch):
    return Setting(tmp_path, monkeypatch)


def test_every_frame_is_merged_and_nothing_asked(setting):
    setting.merge()
    assert setting.names() == sorted(setting.merged_now) == [frame.filepath.name for frame in setting.frames]
    assert setting.asked == [] and not os.path.exists(setting.state)


def test_failed_frames_are_named_and_the_rest_is_done(setting, capsys):
    setting.fail = {"00003.png": pipeline.FrameError("00003.png is damaged"), "00007.png": KeyError("x"),
                    "00008.png": PermissionError(errno.EACCES, "Permission denied"), "00009.png": MemoryError()}
    with pytest.raises(host.UserError) as caught:
        setting.merge()
    words = str(caught.value)
    assert words.startswith("4 of 12 frames could not be merged")
    for part in ("00003.png is damaged", "00007.png could not be merged (KeyError", "Permission denied",
                 "fewer workers"):
        assert part in words and part in capsys.readouterr().out + words
    assert len(setting.names()) == 8

    setting.fail = {}
    setting.merge()                            # does only what is missing
    assert len(setting.asked) == 1 and "8 of 12" in setting.asked[0]
    assert sorted(setting.merged_now) == ["00003.png", "00007.png", "00008.png", "00009.png"]
    assert len(setting.names()) == 12 and not os.path.exists(setting.state)


def test_a_full_disk_ends_the_run(setting):
    setting.fail = {"00005.png": OSError(errno.ENOSPC, "No space left on device")}
    with pytest.raises(host.UserError) as caught:
        setting.merge()
    assert "disk is full" in str(caught.value) and "00005.png" in str(caught.value)
    setting.fail = {}
    setting.merge()
    assert len(setting.names()) == 12


def test_many_failures_are_not_all_listed(setting):
    setting.fail = {frame.filepath.name: pipeline.FrameError(frame.filepath.name) for frame in setting.frames}
    with pytest.raises(host.UserError) as caught:
        setting.merge()
    assert "12 of 12" in str(caught.value) and "... and 2 more" in str(caught.value)


def cut_short(setting):
    setting.fail = {"00006.png": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        setting.merge()
    setting.fail = {}
    assert os.path.exists(setting.state)


def test_what_was_cut_short_goes_on(setting):
    cut_short(setting)
    done = setting.names()
    setting.merge()
    assert setting.asked and "Go on with it?" in setting.asked[0]
    assert sorted(done + setting.merged_now) == setting.names() and len(setting.names()) == 12


def test_the_same_model_answers_a_little_differently(setting):
    cut_short(setting)
    setting.answer_of_model = [0.501, 0.249]
    setting.merge()
    assert "Go on with it?" in setting.asked[0]


def test_a_state_that_cannot_be_written_deletes_nothing(setting):
    (setting.merged / "mine.png").write_bytes(b"mine")
    os.mkdir(setting.state)
    with pytest.raises(host.UserError) as caught:
        setting.merge()
    assert "cannot begin" in str(caught.value) and setting.names() == ["mine.png"]


def test_what_fails_for_all_ends_the_run(setting):
    setting.frames *= 3
    setting.fail = {frame.filepath.name: KeyError("x") for frame in setting.frames}
    with pytest.raises(host.UserError) as caught:
        setting.merge()
    assert str(caught.value).startswith("The first 12 frames all failed")
    setting.fail = {frame.filepath.name: host.UserError("no network") for frame in setting.frames}
    with pytest.raises(host.UserError, match="no network"):
        setting.merge()


def test_anew_if_the_user_wants(setting, monkeypatch):
    cut_short(setting)
    answers = iter([False, True])
    monkeypatch.setattr(host, "ask_bool", lambda question, default: next(answers))
    setting.merge()
    assert len(setting.merged_now) == 12


@pytest.mark.parametrize("change", [
    lambda setting: setattr(setting, "config", type("Other", (CONFIG,), {"erode_mask_modifier": 1})),
    lambda setting: setattr(setting.output, "format", "jpg"),
    lambda setting: setting.frames.pop(),
    lambda setting: setting.frames[4].landmarks_list.append(np.zeros((68, 2))),
    lambda setting: setattr(setting.frames[4], "motion_power", 3.0),
    lambda setting: (setting.frames_folder / "00002.png").write_bytes(b"another"),
    lambda setting: open(os.path.join(os.path.dirname(setting.state), "new_Tiny_decoder.npy"), "w").close(),
    lambda setting: open(os.path.join(os.path.dirname(setting.state), "XSeg_256.npy"), "w").close(),
    lambda setting: setattr(setting, "answer_of_model", [0.5, 0.3]),
    lambda setting: setting.output.set_stamp("of another run")])
def test_anything_else_begins_anew(setting, change):
    cut_short(setting)
    assert 0 < len(setting.names()) < 12
    change(setting)
    setting.merge()
    assert len(setting.asked) == 1 and "will be deleted" in setting.asked[0]
    assert len(setting.merged_now) == len(setting.frames)


def test_earlier_images_are_kept_if_the_user_wants(setting):
    (setting.merged / "mine.png").write_bytes(b"mine")
    setting.answer = False
    with pytest.raises(host.UserError) as caught:
        setting.merge()
    assert "Nothing was changed" in str(caught.value)
    assert setting.asked[0].startswith("1 images") and str(setting.merged) in setting.asked[0]
    assert setting.names() == ["mine.png"] and setting.merged_now == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"version": 9, "fingerprint": "x"}', b"\xff\xfe"])
def test_a_damaged_state_counts_as_none(setting, content):
    with open(setting.state, "wb") as file:
        file.write(content)
    setting.merge()
    assert len(setting.names()) == 12


def test_frames_without_faces_are_told(setting, capsys):
    setting.frames[2].landmarks_list = []
    setting.merge()
    assert "no faces found for 00002.png, copying without faces" in capsys.readouterr().out
