"""Merges the frames of a folder, with a window to try settings in or without one: stock's class, over accel.merge.

The main thread has the window and answers the workers' questions to the network; what the user's keys mean is in
accel.merge.timeline, how a frame is merged in accel.merge.pipeline.
"""
import uuid
from pathlib import Path

import cv2
import numpy as np

from accel import files, host, pools
from accel.merge import faces, interactive, pipeline, run, session_keeper, text_picture, timeline
from accel.merge.output import Output
from accel.merge.prediction import Predictor
from accel.merge.workers import Workers, one_by_one

TAB, ESC = 9, 27

# Keys of the settings: one that adds, one that takes away, from what; and those that go on to the next choice.
AMOUNTS = (("q", "a", "hist_match_threshold"), ("w", "s", "erode_mask_modifier"), ("e", "d", "blur_mask_modifier"),
           ("r", "f", "motion_blur_power"), ("t", "g", "super_resolution_power"), ("y", "h", "blursharpen_amount"),
           ("u", "j", "output_face_scale"), ("i", "k", "image_denoise_power"), ("o", "l", "bicubic_degrade_power"),
           ("p", ";", "color_degrade_power"))
TOGGLES = (("z", "masked_hist_match"), ("x", "mask_mode"), ("c", "color_transfer_mode"), ("n", "sharpen_mode"))

HELP = ["Tab : this help, or the frame", "Esc : save the session and quit", "",
        ", or . : the frame before, or the next; with Shift: the first, or merge all frames to the end",
        "m or / : the same, and settings are taken along; with Shift: to the first, or for all to the last",
        "- or = : size of the picture", "v : checker board where the mask is empty", "",
        "` 1 2 3 4 5 6 : original, overlay, hist-match, seamless, seamless-hist-match, raw-rgb, raw-predict"]
HELP += ["{} or {} : {} up, or down".format(more, less, name.replace("_", " ")) for more, less, name in AMOUNTS]
HELP[-len(AMOUNTS)] += "; with Shift by 5"
HELP += ["{} : next {}".format(key, name.replace("_", " ")) for key, name in TOGGLES]


class InteractiveMergerSubprocessor(object):
    """One merge of all frames."""

    class Frame(object):
        """A frame to merge and what has become of it; frame_info has filepath, landmarks_list and the motion."""

        output_filepath = output_mask_filepath = None
        idx = cfg = image = error = None
        is_done = is_processing = is_shown = False

        def __init__(self, prev_temporal_frame_infos=None, frame_info=None, next_temporal_frame_infos=None):
            self.frame_info = frame_info
            # neighbours that no model of stock's asks for
            self.prev_temporal_frame_infos, self.next_temporal_frame_infos = (prev_temporal_frame_infos,
                                                                              next_temporal_frame_infos)

    def __init__(self, is_interactive, merger_session_filepath, predictor_func, predictor_input_shape,
                 face_enhancer_func, xseg_256_extract_func, merger_config, frames, frames_root_path, output_path,
                 output_mask_path, model_iter, subprocess_count=4, output=None, predict_batch=None):
        """The arguments are stock's, and two more.

        subprocess_count: threads. output: accel.merge.output.Output, without one png files in the folders.
        predict_batch: function of several faces, as accel.merge.prediction.Predictor takes it.
        """
        if len(frames) == 0:
            raise ValueError("there are no frames to merge")
        # attributes of stock's names are for forks
        self.is_interactive, self.merger_session_filepath = is_interactive, Path(merger_session_filepath)
        self.merger_config, self.model_iter, self.process_count = merger_config, model_iter, subprocess_count
        self.predictor_func, self.predictor_input_shape = predictor_func, predictor_input_shape
        self.face_enhancer_func, self.xseg_256_extract_func = face_enhancer_func, xseg_256_extract_func
        self.frames, self.frames_root_path = frames, frames_root_path
        self.output_path, self.output_mask_path = output_path, output_mask_path
        self.output = output if output is not None else Output(str(output_path), str(output_mask_path))
        self.predict_batch = predict_batch
        self._stamp = None       # of the session whose frames are in the output folder
        for index, frame in enumerate(frames):
            stem = frame.frame_info.filepath.stem
            frame.idx = index
            frame.output_filepath = Path(self.output.image_path(stem))
            frame.output_mask_filepath = Path(self.output.mask_path(stem))

    def run(self):
        """Merge. Raises host.UserError if frames could not be merged, or if the user does not want to begin."""
        workers = self._workers()
        try:
            if self.is_interactive:
                self._run_interactive(workers)
            else:
                run.merge_all(self.frames, self.merger_config, workers, self.output, self._beside_session("run"),
                              self._answer)
        finally:
            workers.close()

    def _workers(self):
        workers = Workers(lambda job: merging(job), self.process_count)
        merging = pipeline.Merging(self.output, faces.Networks(
            self.predictor_input_shape[0],
            workers.network(Predictor(self.predictor_func, self.predict_batch)),
            workers.network(one_by_one(self.xseg_256_extract_func)),
            workers.network(one_by_one(
                lambda face: self.face_enhancer_func(face, is_tanh=True, preserve_size=False)))))
        return workers

    def _answer(self):
        """What the model makes of a ramp: means (list of float), by which another model is told from this one."""
        size = self.predictor_input_shape[0]
        ramp = np.linspace(0, 1, size * size * 3, dtype=np.float32).reshape(size, size, 3)
        face, mask, target_mask = self.predictor_func(ramp)
        return [float(np.mean(part)) for part in (face[..., 0], face[..., 1], face[..., 2], mask, target_mask)]

    def _beside_session(self, word):
        """Return the path (str) of a JSON file beside stock's session, with another word in the place of `session`."""
        before, _, after = self.merger_session_filepath.stem.rpartition("session")
        return str(self.merger_session_filepath.with_name(before + word + after + ".json"))

    # --- interactive -------------------------------------------------------------------------

    def _run_interactive(self, workers):
        position = self._restored_position()
        may_delete = position is None and run.asked_to_delete(self.output)
        window = _Window()  # before anything is deleted: without a display some systems end the program here
        try:
            if may_delete:
                self.output.delete_earlier()
            if position is None:
                position, self._stamp = 0, uuid.uuid4().hex
                self.frames[0].cfg = self.merger_config.copy()
            self.output.set_stamp(self._stamp)
            line = timeline.Timeline(self.frames, self.process_count, setting_keys(), position)
            keeper = session_keeper.SessionKeeper(self._beside_session("session"), line, self._names(),
                                                  self.model_iter, self.output.format, self._stamp)
            merge = interactive.InteractiveMerge(line, workers, self.output, keeper, window)
            try:
                merge.run()
            finally:
                if keeper.close():
                    host.log_info("Session is saved to {}/{}".format(*Path(keeper.path).parts[-2:]))
        finally:
            window.close()
        failures = merge.failures()
        if failures:
            raise host.UserError(interactive.summary(failures, len(self.frames)))

    def _names(self):
        return [frame.frame_info.filepath.name for frame in self.frames]

    def _restored_position(self):
        """Ask for the saved session, if there is one, and give the frames what is in it.

        Return the position (int) at which it goes on, None for a new session.
        """
        stock_path = str(self.merger_session_filepath)
        path = session_keeper.newest(self._beside_session("session"), stock_path)
        if path is None or not host.ask_bool("Use saved session?", True):
            return None
        session = session_keeper.load(path, stock_path, self._names())
        if session is None:
            return None
        host.log_info("Using saved session from {}/{}".format(*Path(path).parts[-2:]))
        known = self.merger_config.get_config()
        for frame, state in zip(self.frames, session.frames):
            frame.is_done = state.done
            if state.settings is not None:
                # the face type is the model's, and no setting of a user
                values = dict(known, **dict(state.settings._asdict(), face_type=self.merger_config.face_type))
                frame.cfg = self.merger_config.__class__(**values)
        is_newer = session.model_iter != self.model_iter
        if is_newer:
            host.log_info("The model was trained further since then: all frames are merged again.")
        self._stamp = session.fingerprint or uuid.uuid4().hex
        is_foreign = bool(session.fingerprint) and session.fingerprint != self.output.stamp()
        if is_foreign:
            host.log_info("The images in {} are not of this session: all frames are merged again.".format(
                self.output.folder))
        there = {} if is_newer or is_foreign else self._outputs_there()
        return timeline.restore(self.frames, min(session.frames_idxs, default=len(self.frames)), is_newer,
                                lambda index: there.get(index, False), self.merger_config)

    def _outputs_there(self):
        """Look whether the frames that are done are there: {index: bool}."""
        done = [frame for frame in self.frames if frame.is_done]
        there = {}
        with host.progress(desc="Checking merged frames", total=len(done), leave=False, delay=1) as bar:
            for outcome in pools.map_threads(lambda frame: self.output.is_done(frame.frame_info.filepath.stem), done):
                there[outcome.item.idx] = outcome.error is None and outcome.value
                bar.update(1)
        missing = len(there) - sum(there.values())
        if missing:
            host.log_info("{:,} frames that were done are not there as {} any more and are merged again.".format(
                missing, self.output.format))
        return there


# --- window ----------------------------------------------------------------------------------

def setting_keys():
    """Return what the keys of the settings do to a configuration: {character: function(cfg, shift)}."""
    def mode(number):
        return lambda cfg, shift: cfg.set_mode(number)

    def add(name, step, shifted):
        return lambda cfg, shift: getattr(cfg, "add_" + name)(shifted if shift else step)

    def toggle(name):
        return lambda cfg, shift: getattr(cfg, "toggle_" + name)()

    keys = {character: mode(number) for number, character in enumerate("`123456")}
    for more, less, name in AMOUNTS:
        keys[more], keys[less] = add(name, 1, 5), add(name, -1, -5)
    # the console tells no Shift for this pair, but another character
    keys[";"], keys[":"] = add("color_degrade_power", -1, -1), add("color_degrade_power", -5, -5)
    keys.update({character: toggle(name) for character, name in TOGGLES})
    return keys


class _Window:
    """Stock's window: the merged frame and, behind Tab, the help, with which it begins."""

    def __init__(self):
        from .MergerScreen import Screen, ScreenManager
        self.is_left = False     # whether the user pressed Esc or closed the window
        self._was_open = False
        self._main = Screen(initial_scale_to_width=1368, image=None, waiting_icon=True)
        self._help = Screen(initial_scale_to_height=768, image=_help_picture(), waiting_icon=False)
        self._screens = ScreenManager("Merger", [self._main, self._help], capture_keys=True)
        self._screens.set_current(self._help)
        self._screens.show_current()

    @property
    def picture(self):
        """What is shown of the merge, None for nothing."""
        return self._main.get_image()

    def show(self, picture, waits):
        """Show a picture, uint8 (H, W, 3 or 4) BGR and mask, None for a black one. waits: with an hourglass.

        A window that was closed is not opened again.
        """
        if self._is_closed():
            self.is_left = True
            return
        self._main.set_waiting_icon(waits)
        self._main.set_image(picture)
        self._screens.show_current()

    def keys(self):
        """Return what was pressed for the merge, [(character, shift)]; keys for the window itself are obeyed here."""
        pressed = []
        for key, character, _, _, shift in self._screens.get_key_events():
            if key == TAB:
                self._screens.switch_screens()
            elif key == ESC:
                self.is_left = True
            elif self._screens.get_current() is not self._main:
                continue
            elif character in ("-", "="):
                self._main.diff_scale(0.1 if character == "=" else -0.1)
            elif character == "v":
                self._main.toggle_show_checker_board()
            else:
                pressed.append((character, shift))
        return pressed

    def _is_closed(self):
        """Whether the window was there and is not any more. Some systems cannot tell: then it is not closed."""
        try:
            visible = cv2.getWindowProperty(self._screens.wnd_name, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:        # there is no window at all
            visible = False
        self._was_open = self._was_open or visible
        return self._was_open and not visible

    def close(self):
        self._screens.finalize()


def _help_picture():
    """Return stock's picture of the keys, or one with the same words where it is missing."""
    try:
        picture = files.read_image(str(Path(__file__).parent / "gfx" / "help_merger_masked.jpg"))
    except OSError:
        picture = None
    return picture if picture is not None else text_picture.draw(HELP)
