"""The loop of the interactive merger: keys in, frames out to the workers, results into the window and the session."""
import errno
import os
import textwrap
import time

import numpy as np

from .. import files, host
from . import run, text_picture
from .frames import as_bgr8
from .settings import RAW_PREDICT, Settings
from .timeline import is_settled

SHOWN = 10               # failed frames named at the end
_TURN = 0.008            # s between two looks at the window: of two keys in this time OpenCV may lose one,
_LONG_TURN = 0.025       # s and while frames go by, as it interrupts the networks
_BAR_REFRESH = 0.1       # s
_LETTERS = 60            # in a line of a failed frame's picture
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class InteractiveMerge:
    """A merge whose settings the user tries in a window.

    line: timeline.Timeline. workers: workers.Workers for pipeline.FrameJob. output: output.Output. keeper:
    session_keeper.SessionKeeper. window: an object with `is_left` (whether the user wants to end), `picture` (what
    show was given last), show(picture, waits) and keys(), which returns [(character, shift)].
    """

    def __init__(self, line, workers, output, keeper, window):
        self._line, self._workers, self._output, self._keeper = line, workers, output, keeper
        self._window = window
        self._at_once = workers.count
        self._in_work = {}       # index of a frame: its settings when it was given to a worker
        self._told = set()       # what was said of failed frames
        self._bar, self._bar_time = None, 0.0

    def run(self):
        """Work until the user leaves, and finish what is in work then."""
        self._keeper.save()
        with host.progress(desc="Merging", total=len(self._line.frames)) as self._bar:
            self._bar.initial = self._line.position
            self._show_progress()
            while not self._window.is_left or self._workers.busy:
                self._work()
                host.process_messages()
                self._show()
                self._obey()
                self._show_progress()
                self._keeper.save_if_due()
            self._bar_time = 0.0
            self._show_progress()

    def failures(self):
        """Return why frames could not be merged (list of str)."""
        return [frame.error for frame in self._line.frames if frame.error is not None]

    # --- frames ------------------------------------------------------------------------------

    def _work(self):
        """Give out and take back frames until it is time to look at the window again."""
        left = _LONG_TURN if self._line.runs_to_end else _TURN
        deadline = time.monotonic() + left
        while left > 0:
            if not self._window.is_left:
                self._let_frames_go_by()
                self._submit()
            for outcome in self._workers.poll(left):
                self._take(outcome)
            left = deadline - time.monotonic()

    def _let_frames_go_by(self):
        while self._line.runs_to_end and is_settled(self._line.current):
            self._line.tick()

    def _submit(self):
        while self._workers.busy < self._at_once:
            job = self._line.next_job()
            if job is None:
                return
            index, cfg = job
            info = self._line.frames[index].frame_info
            if len(info.landmarks_list) == 0 and cfg.mode != RAW_PREDICT:
                host.log_info("no faces found for {}, copying without faces".format(info.filepath.name))
            self._in_work[index] = cfg
            self._keeper.begun(index)
            self._workers.submit(run.job_of(index, info, Settings.of(cfg), not self._line.runs_to_end))

    def _take(self, outcome):
        job, error = outcome.item, outcome.error
        cfg = self._in_work.pop(job.index)
        if error is not None and not isinstance(error, Exception):
            raise error
        if isinstance(error, MemoryError) and self._at_once > 1:
            self._at_once -= 1
            self._line.put_back(job.index)
            host.log_err("There is not enough memory: {} frames are merged at once from now on.".format(self._at_once))
            return
        words = None
        if error is not None:
            is_told = isinstance(error, host.UserError)
            words = str(error) if is_told else run.failure_in_words(os.path.basename(job.path), error)
        if not self._line.finished(job.index, cfg, outcome.value, words):
            return
        if error is None:
            self._keeper.done(job.index, job.settings)
        else:
            self._tell(words, error)

    def _tell(self, words, error):
        """Say why a frame failed, once; where no other can succeed either, the frames do not go by any more."""
        if words not in self._told:
            self._told.add(words)
            host.log_err(words)
            host.log_details("{!r}".format(error))
        if getattr(error, "errno", None) in _NO_ROOM and self._line.runs_to_end:
            self._line.runs_to_end = False
            host.log_err("The disk is full: the merge waits. Make room, then press Shift+. to go on.")

    # --- window ------------------------------------------------------------------------------

    def _show(self):
        if self._line.runs_to_end:
            return               # black since it was asked for
        picture = self._window.picture
        frame = self._line.to_show()
        if frame is not None and not self._window.is_left:
            picture = self._picture_of(frame, picture)
        current = self._line.current
        self._window.show(picture, self._window.is_left or current is not None and not is_settled(current))

    def _picture_of(self, frame, otherwise):
        """Return the picture of a frame that is ready; one whose files are unreadable has to be merged again."""
        if frame.error is not None:
            frame.is_shown = True
            return text_picture.draw(["This frame could not be merged:", ""] + textwrap.wrap(frame.error, _LETTERS) + [
                "", "It is tried again when you change its settings or come back to it.", "Key . goes on without it."])
        picture = frame.image if frame.image is not None else self._read(frame)
        if picture is None:
            frame.is_done = False
            return otherwise
        host.log_info(frame.cfg.to_string(frame.frame_info.filepath.name))
        frame.image, frame.is_shown = picture, True
        return picture

    def _read(self, frame):
        """Return a merged frame and its mask from their files, uint8 (H, W, 4), None if that is not possible."""
        stem = frame.frame_info.filepath.stem
        try:
            picture = files.read_image(self._output.image_path(stem))
            mask = files.read_image(self._output.mask_path(stem))
        except OSError:
            return None
        if picture is None or mask is None or picture.shape[:2] != mask.shape[:2]:
            return None
        return np.concatenate([as_bgr8(picture), as_bgr8(mask)[..., :1]], axis=2)

    def _obey(self):
        for character, shift in self._window.keys():
            if self._window.is_left:
                return
            frame, position = self._line.current, self._line.position
            changed = self._line.tick(character, shift)
            if self._line.runs_to_end:
                self._window.show(None, True)
            if changed:
                host.log_info(frame.cfg.to_string(frame.frame_info.filepath.name))
            if changed or self._line.position != position:
                self._keeper.changed()

    def _show_progress(self):
        now = time.monotonic()
        if self._bar.n != self._line.position and now >= self._bar_time:
            self._bar.n = self._line.position
            self._bar.refresh()
            self._bar_time = now + _BAR_REFRESH


def summary(failures, total):
    """Return what the user reads at the end (str) of frames that could not be merged. failures: list of str."""
    shown = failures[:SHOWN] + (["... and {:,} more".format(len(failures) - SHOWN)] if failures[SHOWN:] else [])
    return "{:,} of {:,} frames could not be merged:\n{}\nMend or replace these frames, then start the same step " \
           "again with the saved session.".format(len(failures), total, "\n".join("    " + line for line in shown))
