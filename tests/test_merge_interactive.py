"""The interactive merger with a scripted window: keys, files, sessions, and what goes wrong."""
import errno
import importlib.util
import json
import os
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from accel import files, host
from accel.merge import interactive, pipeline, run, session, session_keeper
from accel.merge.encoding import encode_png
from accel.merge.output import Output
from accel.merge.settings import Settings
from merger import InteractiveMergerSubprocessor as module
from program import TESTS

STAND_IN = os.path.join(TESTS, "stand_in")
ESC, TAB = "\x1b", "\t"
RUN = ">"            # Shift+.
SIZE = (4, 6)


def config_class():
    """Return the stand-in of stock's MergerConfigMasked."""
    path = os.path.join(STAND_IN, "merger", "MergerConfig.py")
    spec = importlib.util.spec_from_file_location("stand_in_config", path)
    loaded = importlib.util.module_from_spec(spec)
    sys.path.append(STAND_IN)
    try:
        spec.loader.exec_module(loaded)
    finally:
        sys.path.remove(STAND_IN)
        for name in [name for name in sys.modules if name.split(".")[0] == "facelib"]:
            del sys.modules[name]
    return loaded.MergerConfigMasked


Config = config_class()


# --- a merge without networks and without a window --------------------------------------------

class Screen:
    def __init__(self, initial_scale_to_width=0, initial_scale_to_height=0, image=None, waiting_icon=False):
        self.fit = initial_scale_to_width, initial_scale_to_height
        self.image, self.waiting_icon, self.scale, self.checker_board = image, waiting_icon, 1.0, False

    def set_waiting_icon(self, waiting):
        self.waiting_icon = waiting

    def get_image(self):
        return self.image

    def set_image(self, image):
        self.image = image

    def diff_scale(self, difference):
        self.scale += difference

    def toggle_show_checker_board(self):
        self.checker_board = not self.checker_board


class Setting:
    """Frames, folders, what happens to frames (fail: {name: exceptions that are raised, one a try}), what is asked.

    script: what is done to the window, each when its picture stands still: a character (pressed, capitals and > with
    Shift), or a function.
    """

    def __init__(self, tmp_path, monkeypatch, count=5):
        self.folder, self.count, self.model_iter = tmp_path, count, 1000
        for name in ("merged", "masks", "model"):
            (tmp_path / name).mkdir()
        self.stock_session = tmp_path / "model" / "new_SAEHD_merger_session.dat"
        self.session = tmp_path / "model" / "new_SAEHD_merger_session.json"
        self.fail, self.merged, self.asked, self.answers = {}, [], [], {}
        self.faceless = ()
        self.script, self.screens, self.on_open, self.turns, self.finalized = [], None, None, 0, 0
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(host, "ask_bool", self.ask)
        monkeypatch.setattr(pipeline, "Merging", lambda output, networks: lambda job: self.work(output, job))
        monkeypatch.setattr(cv2, "getWindowProperty", lambda name, what: 1.0)
        screens = types.ModuleType("merger.MergerScreen")
        screens.Screen, screens.ScreenManager = Screen, self.open
        monkeypatch.setitem(sys.modules, "merger.MergerScreen", screens)

    def ask(self, question, default):
        assert default is True
        self.asked.append(question)
        return self.answers.get(question.split()[0], default)

    def work(self, output, job):
        name = os.path.basename(job.path)
        self.merged.append(name)
        errors = self.fail.get(name)
        if errors:
            raise errors.pop(0)
        picture = np.full(SIZE + (3,), 10 * job.index + job.settings.erode_mask_modifier, np.uint8)
        mask = np.full(SIZE + (1,), job.settings.blur_mask_modifier, np.uint8)
        output.write(name[:-4], picture, mask)
        return np.dstack([picture, mask]) if job.wants_picture else None

    # --- the window

    def open(self, name, screens, capture_keys):
        assert name == self.wnd_name and capture_keys
        if self.on_open:
            self.on_open()
        self.screens, self.at = screens, 0
        assert [screen.fit for screen in screens] == [(1368, 0), (0, 768)]
        return self

    wnd_name = "Merger"

    @property
    def main(self):
        return self.screens[0]

    def set_current(self, screen):
        self.at = self.screens.index(screen)

    def get_current(self):
        return self.screens[self.at]

    def switch_screens(self):
        self.at = 1 - self.at

    def show_current(self):
        pass

    def finalize(self):
        self.finalized += 1

    def get_key_events(self):
        self.turns += 1
        assert self.turns < 3000, "nothing happens any more"
        if not self.script or self.get_current().waiting_icon:
            return []
        step = self.script.pop(0)
        if not isinstance(step, str):
            step()
            return []
        character = {">": ".", "<": ",", "?": "/"}.get(step, step.lower())
        return [(ord(character), character, False, False, character != step)]

    # --- the merge

    def run(self, *script, interactive_one=True, **options):
        """Merge with this script, Esc at its end. Return the frames."""
        self.script, self.turns, self.merged, self.asked = list(script) + [ESC], 0, [], []
        frames = [module.InteractiveMergerSubprocessor.Frame(frame_info=types.SimpleNamespace(
            filepath=Path("/frames/{:05}.jpg".format(number)), motion_power=0, motion_deg=0,
            landmarks_list=[] if number in self.faceless else [np.zeros((68, 2))])) for number in range(self.count)]
        self.output = Output(str(self.folder / "merged"), str(self.folder / "masks"), options.pop("format", "png"))
        merger = module.InteractiveMergerSubprocessor(
            interactive_one, str(self.stock_session), None, (64, 64, 3), None, None,
            Config(face_type=4, default_mode="overlay"), frames, self.folder / "frames", self.folder / "merged",
            self.folder / "masks", self.model_iter, options.pop("workers", 2), output=self.output)
        merger.run()
        return frames

    def shows(self, number, erode=0, blur=0):
        """Return a step of a script: look whether the window shows this frame merged with these settings."""
        def look():
            assert self.main.image is not None
            assert self.main.image[0, 0].tolist() == [10 * number + erode] * 3 + [blur]
        return look

    def shows_words(self):
        assert self.main.image.shape[0] >= 480 and self.main.image.max() > 100

    def shows_nothing(self):
        assert self.main.image is None

    def pictures(self):
        """Return {stem: level} of what is in merged."""
        return {path.stem: int(cv2.imread(str(path))[0, 0, 0]) for path in sorted((self.folder / "merged").glob("0*"))}


@pytest.fixture
def setting(tmp_path, monkeypatch):
    return Setting(tmp_path, monkeypatch)


def names(*numbers):
    return ["{:05}.jpg".format(number) for number in numbers]


def stems(*numbers):
    return ["{:05}".format(number) for number in numbers]


# --- keys ------------------------------------------------------------------------------------

# Key: the attribute that it changes, its value without Shift and with it. All begin at 10; the first frame of stock's
# help has the same keys.
NUMBERS = {"q": ("hist_match_threshold", 11, 15), "a": ("hist_match_threshold", 9, 5),
           "w": ("erode_mask_modifier", 11, 15), "s": ("erode_mask_modifier", 9, 5),
           "e": ("blur_mask_modifier", 11, 15), "d": ("blur_mask_modifier", 9, 5),
           "r": ("motion_blur_power", 11, 15), "f": ("motion_blur_power", 9, 5),
           "t": ("super_resolution_power", 11, 15), "g": ("super_resolution_power", 9, 5),
           "y": ("blursharpen_amount", 11, 15), "h": ("blursharpen_amount", 9, 5),
           "u": ("output_face_scale", 11, 15), "j": ("output_face_scale", 9, 5),
           "i": ("image_denoise_power", 11, 15), "k": ("image_denoise_power", 9, 5),
           "o": ("bicubic_degrade_power", 11, 15), "l": ("bicubic_degrade_power", 9, 5),
           "p": ("color_degrade_power", 11, 15), ";": ("color_degrade_power", 9, 9),
           ":": ("color_degrade_power", 5, 5)}
MODES = {"`": "original", "1": "overlay", "2": "hist-match", "3": "seamless", "4": "seamless-hist-match",
         "5": "raw-rgb", "6": "raw-predict"}
OTHERS = {"z": ("masked_hist_match", False), "x": ("mask_mode", 5), "c": ("color_transfer_mode", 2),
          "n": ("sharpen_mode", 1)}


def config_of_tens():
    return Config(mode="hist-match", **{name: 10 for name, _, _ in NUMBERS.values()})


def changes(config):
    before = vars(config_of_tens())
    return {name: value for name, value in vars(config).items() if value != before[name]}


@pytest.mark.parametrize("key", sorted(NUMBERS))
def test_key_of_a_number(key):
    name, small, large = NUMBERS[key]
    for shift, value in ((False, small), (True, large)):
        config = config_of_tens()
        module.setting_keys()[key](config, shift)
        assert changes(config) == {name: value}


def test_keys_of_modes_and_choices():
    keys = module.setting_keys()
    for key, mode in MODES.items():
        config = config_of_tens()
        keys[key](config, False)
        assert config.mode == mode
    for key, (name, value) in OTHERS.items():
        config = config_of_tens()
        keys[key](config, False)
        assert changes(config) == {name: value}
    assert set(keys) == set(NUMBERS) | set(MODES) | set(OTHERS)


def test_keys_of_the_window(setting):
    steps = []

    def note():
        steps.append((setting.at, setting.main.scale, setting.main.checker_board))
    setting.run(note, "=", ".", note, TAB, note, "=", note, "-", note, "v", note, TAB, note, "v", "w", TAB)
    # it begins with the help, where only Tab and Esc count
    assert steps == [(1, 1.0, False), (1, 1.0, False), (0, 1.0, False), (0, 1.1, False), (0, 1.0, False),
                     (0, 1.0, True), (1, 1.0, True)]
    assert setting.pictures() == {"00000": 0} and setting.finalized == 1


def test_the_help_is_stocks_picture_or_drawn(setting, tmp_path, monkeypatch):
    shown = []
    setting.run(lambda: shown.append(setting.screens[1].image))
    folder = tmp_path / "program"
    (folder / "gfx").mkdir(parents=True)
    cv2.imwrite(str(folder / "gfx" / "help_merger_masked.jpg"), np.full((30, 40, 3), 77, np.uint8))
    monkeypatch.setattr(module, "__file__", str(folder / "InteractiveMergerSubprocessor.py"))
    setting.run(lambda: shown.append(setting.screens[1].image))
    assert shown[0].shape[0] > 480 and shown[0].shape[2] == 3 and shown[1].shape == (30, 40, 3)
    assert len(module.HELP) > 20 and all(len(line) < 110 for line in module.HELP)


# --- merging and sessions --------------------------------------------------------------------

def test_settings_go_along_and_the_rest_goes_by(setting, capsys):
    seen = setting.shows
    setting.run(TAB, seen(0), "w", seen(0, 1), ".", seen(1, 1), "E", seen(1, 1, 5), ",", seen(0, 1), "/", seen(1, 1),
                RUN, setting.shows_nothing)
    assert setting.pictures() == {"00000": 1, "00001": 11, "00002": 21, "00003": 31, "00004": 41}
    out = capsys.readouterr().out
    assert out.endswith("Session is saved to model/new_SAEHD_merger_session.json\n")
    assert "MergerConfig 00001.jpg:" in out and "erode_mask_modifier: 1" in out
    saved = session.load(str(setting.session))
    assert (saved.model_iter, saved.output_format, saved.frames_idxs) == (1000, "png", [])
    assert saved.frames_done_idxs == [0, 1, 2, 3, 4] and all(frame.done for frame in saved.frames)
    assert [frame.name for frame in saved.frames] == names(0, 1, 2, 3, 4)
    assert saved.frames[4].settings._asdict() == dict(Settings.of(Config(face_type=4))._asdict(), erode_mask_modifier=1)
    assert not os.path.exists(session.journal_path(setting.session))


def test_the_saved_session_is_gone_on_with(setting, capsys):
    seen = setting.shows
    setting.run(TAB, "W", seen(0, 5), ".", seen(1, 5), ".", seen(2, 5), "d", "e", seen(2, 5, 1))
    capsys.readouterr()
    frames = setting.run(TAB, seen(2, 5, 1), ",", seen(1, 5), ",", seen(0, 5), "<", ".", ".", ".", seen(3, 5))
    assert setting.asked == ["Use saved session?"]
    assert setting.merged == names(4)     # the others are there, also that which was merged ahead
    assert "Using saved session from model/new_SAEHD_merger_session.json\n" in capsys.readouterr().out
    assert frames[2].cfg.blur_mask_modifier == 1 and type(frames[2].cfg) is Config
    assert frames[2].cfg.default_mode == "overlay"


def test_a_model_that_was_trained_further_merges_all_again(setting, capsys):
    setting.run(TAB, "w", ".", ".", setting.shows(2, 1))
    setting.model_iter += 1
    setting.run(TAB, setting.shows(0, 1), ".", setting.shows(1, 1))
    assert setting.merged[0] == "00000.jpg" and set(setting.merged) == set(names(0, 1, 2))
    assert "trained further" in capsys.readouterr().out
    assert session.load(str(setting.session)).model_iter == 1001


@pytest.mark.parametrize("damage", [os.remove, lambda path: files.write_atomic(path, files.read_bytes(path)[:-1])])
def test_what_is_missing_or_cut_off_is_merged_again(setting, capsys, damage):
    setting.run(TAB, RUN)
    damage(setting.output.mask_path("00001"))
    damage(setting.output.image_path("00003"))
    setting.run(TAB, setting.shows(0), RUN)   # all were done: it begins at the first
    assert sorted(setting.merged) == names(1, 3)
    assert "2 frames that were done are not there as png any more" in capsys.readouterr().out


def test_a_session_goes_back_to_what_is_missing(setting):
    setting.run(TAB, ".", ".", ".", setting.shows(3))
    os.remove(setting.output.image_path("00001"))
    setting.run(TAB, setting.shows(1))
    assert setting.merged == names(1)


def test_another_format_merges_all_again_and_leaves_no_twins(setting):
    setting.run(TAB, "W", ".", setting.shows(1, 5))
    setting.run(TAB, RUN, format="jpg")
    there = sorted(path.name for path in (setting.folder / "merged").glob("0*"))
    assert there == ["{}.jpg".format(stem) for stem in stems(0, 1, 2, 3, 4)]
    assert sorted(setting.merged) == names(0, 1, 2, 3, 4)


def test_images_of_another_merge_do_not_count_as_the_sessions(setting, capsys):
    setting.run(TAB, "w", ".", setting.shows(1, 1))
    setting.output.set_stamp("another")    # such as a merge without a window since then
    setting.run(TAB, setting.shows(0, 1), ".", setting.shows(1, 1))
    assert set(setting.merged) == set(names(0, 1, 2))
    assert "are not of this session: all frames are merged again" in capsys.readouterr().out
    setting.run(TAB, setting.shows(1, 1))
    assert setting.merged == []


def spoil_picture(output):
    path = output.image_path("00000")
    files.write_atomic(path, files.read_bytes(path)[:8] + bytes(20))


def spoil_mask(output):
    files.write_atomic(output.mask_path("00000"), encode_png(np.zeros((2, 3, 1), np.uint8)))


@pytest.mark.parametrize("spoil", [spoil_picture, spoil_mask])
def test_a_picture_that_cannot_be_read_when_it_is_shown_is_merged_again(setting, spoil):
    setting.run(TAB, ".", setting.shows(1), lambda: spoil(setting.output), ",", setting.shows(0))
    assert setting.merged.count("00000.jpg") == 2


def test_a_new_session_asks_before_it_deletes(setting):
    setting.run(TAB, "w", ".", setting.shows(1, 1))
    setting.answers = {"Use": False}
    setting.run(TAB, setting.shows(0))
    assert [question.split(" will")[0] for question in setting.asked] == [
        "Use saved session?", "6 images of an earlier merge in {} and {}".format(
            setting.folder / "masks", setting.folder / "merged")]
    assert setting.pictures() == {"00000": 0}


def test_earlier_images_stay_if_the_user_wants_them(setting):
    setting.run(TAB, "w", ".", setting.shows(1, 1))
    before, saved = setting.pictures(), setting.session.read_bytes()
    setting.answers = {"Use": False, "6": False}
    with pytest.raises(host.UserError, match="Nothing was changed"):
        setting.run(TAB)
    assert (setting.pictures(), setting.session.read_bytes()) == (before, saved)
    assert setting.finalized == 1    # no second window was opened


def test_nothing_is_deleted_where_no_window_can_be_opened(setting):
    setting.run(TAB, "w", ".", setting.shows(1, 1))
    before = setting.pictures()

    def fail():
        raise RuntimeError("no display")
    setting.on_open, setting.answers = fail, {"Use": False}
    with pytest.raises(RuntimeError, match="no display"):
        setting.run(TAB)
    assert setting.pictures() == before


def test_an_unusable_session_is_told_of_and_kept(setting, capsys):
    setting.run(TAB, "w", ".", setting.shows(1, 1))
    setting.session.write_bytes(b"{}")
    setting.run(TAB, setting.shows(0))
    assert "damaged and cannot be used" in capsys.readouterr().out
    assert [question.split()[0] for question in setting.asked] == ["Use", "6"]
    assert Path(str(setting.session) + ".unusable").read_bytes() == b"{}"
    assert session.load(str(setting.session)).frames_idxs == [0, 1, 2, 3, 4]


def test_a_session_of_stock_that_is_unusable_stays(setting, capsys):
    setting.stock_session.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    setting.run(TAB)
    assert "damaged and cannot be used" in capsys.readouterr().out
    assert setting.stock_session.read_bytes().startswith(b"cos") and setting.asked == ["Use saved session?"]


def test_a_session_of_other_frames_is_not_used(setting, capsys):
    setting.run(TAB, "w", ".", setting.shows(1, 1))
    setting.count += 1
    setting.run(TAB, setting.shows(0))
    assert "belongs to other frames" in capsys.readouterr().out


def test_a_session_of_stock_is_gone_on_with(setting, monkeypatch, capsys):
    state = session.FrameState("00000.jpg", True, Settings.of(Config(erode_mask_modifier=3)))
    states = [state, state._replace(name="00001.jpg", done=False)] + [
        session.FrameState(name, False, None) for name in names(2, 3, 4)]
    monkeypatch.setattr(session, "load_stock", lambda path: session.Session(1000, "png", "", states, [1, 2, 3, 4], [0]))
    setting.stock_session.write_bytes(b"stock's")
    Output(str(setting.folder / "merged"), str(setting.folder / "masks"), "png").write(
        "00000", np.full(SIZE + (3,), 3, np.uint8), np.zeros(SIZE + (1,), np.uint8))
    frames = setting.run(TAB, setting.shows(1, 3), ",", setting.shows(0, 3))
    assert setting.merged == names(1) and frames[1].cfg.face_type == 4   # the model's, not the session's
    assert "Using saved session from model/new_SAEHD_merger_session.dat" in capsys.readouterr().out
    assert setting.stock_session.read_bytes() == b"stock's" and setting.session.exists()


def test_the_newer_session_counts(tmp_path):
    ours, journal, stocks = (str(tmp_path / name) for name in ("s.json", "s.json.journal", "s.dat"))
    assert session_keeper.newest(ours, stocks) is None
    for path, modified in ((stocks, 200), (ours, 100)):
        files.write_atomic(path, b"")
        os.utime(path, (modified, modified))
    assert session_keeper.newest(ours, stocks) == stocks
    os.utime(ours, (300, 300))
    assert session_keeper.newest(ours, stocks) == ours
    os.utime(ours, (100, 100))
    files.write_atomic(journal, b"")          # the last run was killed
    assert session_keeper.newest(ours, stocks) == ours


# --- ends ------------------------------------------------------------------------------------

def test_a_window_that_is_closed_ends_it_like_esc(setting, monkeypatch):
    for visible in (0.0, cv2.error("no window")):
        state = {"now": 1.0}

        def look(name, what):
            if isinstance(state["now"], Exception):
                raise state["now"]
            return state["now"]

        monkeypatch.setattr(cv2, "getWindowProperty", look)
        setting.run(TAB, "w", setting.shows(0, 1), lambda: state.update(now=visible), RUN)
        assert setting.pictures() == {"00000": 1}
        assert session.load(str(setting.session)).frames[0].settings.erode_mask_modifier == 1
        setting.answers = {"Use": False}


def test_a_window_of_which_the_system_cannot_tell_is_not_closed(setting, monkeypatch):
    monkeypatch.setattr(cv2, "getWindowProperty", lambda name, what: -1.0)
    setting.run(TAB, "w", setting.shows(0, 1))
    assert setting.script == []


def test_ctrl_c_saves_the_session(setting, capsys):
    def interrupt():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        setting.run(TAB, "w", ".", setting.shows(1, 1), interrupt)
    assert setting.finalized == 1 and "Session is saved" in capsys.readouterr().out
    saved = session.load(str(setting.session))
    assert saved.frames_idxs[0] == 1 and saved.frames[1].done


def test_a_session_is_there_from_the_start(setting):
    seen = []
    setting.run(lambda: seen.append(session.load(str(setting.session)).frames_idxs))
    assert seen == [[0, 1, 2, 3, 4]]


def test_what_a_killed_program_leaves(setting):
    kept = {}

    def look():
        for path in (setting.session, Path(session.journal_path(setting.session))):
            kept[path] = path.read_bytes()
    setting.monkeypatch.setattr(session_keeper, "SHORTEST_WAIT", 0)
    setting.monkeypatch.setattr(session_keeper, "WAIT_PER_SAVE", 0)
    setting.run(TAB, "w", setting.shows(0, 1), ".", setting.shows(1, 1), "w", setting.shows(1, 2), look)
    for path, content in kept.items():
        path.write_bytes(content)
    saved = session.load(str(setting.session))
    assert saved.frames_idxs[0] == 1 and [frame.done for frame in saved.frames][:2] == [True, True]
    assert saved.frames[1].settings.erode_mask_modifier == 2
    setting.run(TAB, setting.shows(1, 2))
    assert set(setting.merged) <= set(names(2))     # at most what was in work


def test_a_session_that_cannot_be_saved_stops_nothing(setting, monkeypatch, capsys):
    save = session.save
    room = []

    def full(path, content):
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return save(path, content)
    monkeypatch.setattr(session, "save", full)
    monkeypatch.setattr(session_keeper, "SHORTEST_WAIT", 0)
    monkeypatch.setattr(session_keeper, "WAIT_PER_SAVE", 0)
    setting.run(TAB, "w", setting.shows(0, 1), ".", setting.shows(1, 1))
    out = capsys.readouterr().out
    assert out.count("The session cannot be saved: No space left on device") == 1
    assert "Session is saved" not in out
    room.append(True)
    setting.run(TAB, "w", setting.shows(0, 1))
    assert "Session is saved" in capsys.readouterr().out


def test_a_journal_that_cannot_be_written_is_made_up_for(setting, monkeypatch, capsys):
    def full(self, index):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(session.Journal, "begun", full)
    setting.run(TAB, "w", setting.shows(0, 1))
    out = capsys.readouterr().out
    assert "The session cannot be saved: No space" in out and "Session is saved" in out
    assert session.load(str(setting.session)).frames[0].settings.erode_mask_modifier == 1


# --- frames that fail ------------------------------------------------------------------------

def unreadable(number):
    return pipeline.FrameError("{:05}.jpg is damaged or no image".format(number))


def test_a_frame_that_fails_is_shown_and_gone_past(setting, capsys):
    setting.fail = {"00001.jpg": [unreadable(1) for _ in range(9)]}
    with pytest.raises(host.UserError) as caught:
        setting.run(TAB, ".", setting.shows_words, "w", setting.shows_words, ".", setting.shows(2), RUN)
    assert "1 of 5 frames could not be merged:\n    00001.jpg is damaged or no image\n" in str(caught.value)
    out = capsys.readouterr().out
    assert out.count("00001.jpg is damaged") == 1 and "Session is saved" in out
    assert sorted(setting.pictures()) == stems(0, 2, 3, 4)
    saved = session.load(str(setting.session))
    assert [frame.done for frame in saved.frames] == [True, False, True, True, True]
    setting.fail = {}
    setting.run(TAB, setting.shows(0), ".", setting.shows(1, 1))   # mended meanwhile
    assert setting.merged == names(1)


def test_frames_go_by_past_one_that_fails(setting):
    setting.fail = {"00002.jpg": [ValueError("a bug") for _ in range(9)]}
    with pytest.raises(host.UserError, match=r"00002.jpg could not be merged \(ValueError: a bug\)"):
        setting.run(TAB, RUN)
    assert sorted(setting.pictures()) == stems(0, 1, 3, 4)
    assert setting.merged.count("00002.jpg") == 1


def test_what_the_user_has_to_know_of_a_frame_is_shown(setting, capsys):
    setting.fail = {"00001.jpg": [host.UserError("It is too large for a JPG.") for _ in range(9)]}
    with pytest.raises(host.UserError, match=r"\n    It is too large for a JPG.\n"):
        setting.run(TAB, ".", setting.shows_words, ".", setting.shows(2))
    assert "It is too large for a JPG.\n" in capsys.readouterr().out


def test_a_full_disk_lets_frames_wait(setting, capsys):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    setting.fail = {"00002.jpg": [full]}
    setting.run(TAB, RUN, setting.shows(1), RUN)   # frame 2 was merged ahead
    out = capsys.readouterr().out
    assert "00002.jpg could not be written: No space left on device" in out
    assert out.count("Make room, then press Shift+. to go on.") == 1
    assert sorted(setting.pictures()) == stems(0, 1, 2, 3, 4)


def test_little_memory_means_fewer_frames_at_once(setting, capsys):
    setting.fail = {"00001.jpg": [MemoryError(), MemoryError()]}
    setting.run(TAB, RUN, workers=3)
    assert sorted(setting.pictures()) == stems(0, 1, 2, 3, 4)
    out = capsys.readouterr().out
    assert "2 frames are merged at once from now on" in out and "1 frames are merged at once from now on" in out
    setting.answers = {"Use": False}
    setting.fail = {"00000.jpg": [MemoryError()]}
    with pytest.raises(host.UserError, match="not enough memory"):
        setting.run(TAB, setting.shows_words, workers=1)


def test_what_is_no_frames_fault_ends_the_merge(setting):
    setting.fail = {"00000.jpg": [SystemExit("the driver is gone")]}
    with pytest.raises(SystemExit, match="driver"):
        setting.run(TAB)
    assert setting.finalized == 1 and setting.session.exists()


def test_a_frame_without_a_face_is_told_of(setting, capsys):
    setting.faceless = (1, 2)
    setting.run(TAB, ".", setting.shows(1), "6", setting.shows(1), ".", setting.shows(2))
    out = capsys.readouterr().out
    assert out.count("no faces found for 00001.jpg, copying without faces") == 1


def test_the_summary_of_many_failures_is_short():
    text = interactive.summary(["{}.jpg: no".format(number) for number in range(30)], 1000)
    assert "30 of 1,000 frames" in text and "9.jpg" in text and "10.jpg" not in text and "... and 20 more" in text


# --- without a window, and the rest ----------------------------------------------------------

def test_without_a_window_all_is_left_to_merge_all(setting, monkeypatch):
    calls = []
    monkeypatch.setattr(run, "merge_all", lambda *arguments: calls.append(arguments))
    frames = setting.run(interactive_one=False)
    (given, config, workers, output, state_path, _), = calls
    assert given == frames and type(config) is Config and workers.count == 2 and output is setting.output
    assert state_path == str(setting.folder / "model" / "new_SAEHD_merger_run.json")
    assert setting.screens is None and setting.asked == []


def test_the_networks_are_asked_as_stock_asks_them(setting, monkeypatch):
    asked = []

    def merge_all(frames, config, workers, output, state_path, probe):
        workers.submit("job")
        while workers.busy:
            outcomes = workers.poll()
        assert outcomes[0].error is None and outcomes[0].value == ["predicted", "mask", "enhanced"]

    def work(networks):
        face = np.zeros((64, 64, 3), np.float32)
        assert networks.input_size == 64
        return [networks.predict(face), networks.segment(face), networks.enhance(face)]

    monkeypatch.setattr(run, "merge_all", merge_all)
    monkeypatch.setattr(pipeline, "Merging", lambda output, networks: lambda job: work(networks))
    frame = module.InteractiveMergerSubprocessor.Frame(frame_info=types.SimpleNamespace(filepath=Path("/f/1.jpg")))
    module.InteractiveMergerSubprocessor(
        is_interactive=False, merger_session_filepath="s.dat", predictor_func=lambda face: "predicted",
        predictor_input_shape=(64, 64, 3), merger_config=None, frames=[frame], frames_root_path=None,
        face_enhancer_func=lambda face, is_tanh, preserve_size: asked.append((is_tanh, preserve_size)) or "enhanced",
        xseg_256_extract_func=lambda face: "mask", output_path=setting.folder / "merged",
        output_mask_path=setting.folder / "masks", model_iter=1).run()
    assert asked == [(True, False)]
    assert frame.output_filepath == setting.folder / "merged" / "1.png"
    assert frame.output_mask_filepath == setting.folder / "masks" / "1.png" and frame.idx == 0


def test_windows_are_served_by_stocks_console(monkeypatch):
    served = []
    console = types.SimpleNamespace(interact=types.SimpleNamespace(process_messages=served.append))
    host.process_messages(60)          # without that console there is nothing to do
    monkeypatch.setitem(sys.modules, "core.interact", console)
    host.process_messages()
    host.process_messages(0.5)
    assert served == [0, 0.5]


def test_stocks_classes_and_arguments():
    merger = module.InteractiveMergerSubprocessor
    with pytest.raises(ValueError):
        merger(True, "s.dat", None, (1, 1, 3), None, None, None, [], None, None, None, 0)
    frame = merger.Frame("before", "info", "after")
    assert (frame.prev_temporal_frame_infos, frame.frame_info, frame.next_temporal_frame_infos) == (
        "before", "info", "after")
    assert (frame.idx, frame.cfg, frame.is_done, frame.is_processing, frame.is_shown, frame.image) == (
        None, None, False, False, False, None)


def test_a_session_is_plain_json(setting):
    setting.run(TAB, "w", "W", setting.shows(0, 6))   # numpy integers in the configuration
    assert json.loads(setting.session.read_text())["settings"][0]["erode_mask_modifier"] == 6
