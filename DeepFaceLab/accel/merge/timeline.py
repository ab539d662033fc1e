"""The interactive merger without its window: where the user is, every frame's settings, and what to merge next.

A user stands at one frame and changes its settings until he likes it; going on hands them to the next frames, the
first few of which are merged ahead. Answers to stock's InteractiveMergerSubprocessor: on_tick, get_data, on_result.
"""


class Timeline:
    """The frames of a merge in their order, and the user's place among them.

    frames: objects as stock's Frame: cfg (anything with copy() and ==, None where it is to be that of the frame
    before), is_done, is_processing, is_shown, image (the result, while it is kept), error (str, why it failed).
    position: of the current frame; those before it are behind the user, and at the end there is none.
    runs_to_end: whether the frames go by on their own, as far as they are done.
    """

    def __init__(self, frames, ahead, setting_keys, position=0):
        """ahead: how many frames from the current one on are merged. setting_keys: {key: function(cfg, shift)}."""
        self.frames, self.ahead, self.position = frames, ahead, position
        self.runs_to_end = False
        self._setting_keys = setting_keys
        current = self.current
        if current is not None:
            current.is_shown = False

    @property
    def current(self):
        """The frame at which the user is, None behind the last."""
        return self.frames[self.position] if self.position < len(self.frames) else None

    @property
    def frames_idxs(self):
        """The frames that are still to do, the current one first: list of int, stock's name for it."""
        return list(range(self.position, len(self.frames)))

    @property
    def frames_done_idxs(self):
        """The frames behind the user, the latest last: list of int, stock's name for it."""
        return list(range(self.position))

    def to_show(self):
        """Return the current frame if it is ready and was not shown since; whoever shows it sets is_shown."""
        frame = self.current
        if self.runs_to_end or frame is None or frame.is_shown or not is_settled(frame):
            return None
        return frame

    # --- keys --------------------------------------------------------------------------------

    def tick(self, key=None, shift=False):
        """Do what a key asks for; without one, or after another key, go on by a frame if the frames go by.

        Return whether the settings of the frame that was current were changed. Keys: those of the settings; `,` and
        `m` back, `.` and `/` on, with Shift to the first or last frame; m and / hand the settings over. `.` with
        Shift lets the frames go by; any of these keys stops that.
        """
        goes_on, changed = self.runs_to_end, False
        if key in self._setting_keys:
            self.runs_to_end = False
            changed = self._change(self._setting_keys[key], shift)
        elif key in (",", "m"):
            self.runs_to_end = False
            self._go_back(to_first=shift, hands_over=key == "m")
            return False
        elif key in (".", "/"):
            goes_on, self.runs_to_end = True, key == "." and shift
            if self.runs_to_end:
                self._try_again()
        if goes_on:
            self._go_on(hands_over=key == "/", to_last=shift)
        return changed

    def _change(self, action, shift):
        frame = self.current
        if frame is None:
            return False
        before = frame.cfg.copy()
        action(frame.cfg, shift)
        if before == frame.cfg:
            return False
        _undo(frame)
        return True

    def _go_back(self, to_first, hands_over):
        frame, earlier = self.current, self.position
        if frame is not None and not is_settled(frame):
            return
        if frame is not None:
            frame.image = None
        while self.position > 0:
            self.position -= 1
            previous = self.frames[self.position]
            previous.is_shown, previous.error = False, None
            if hands_over and frame is not None and previous.cfg != frame.cfg:
                previous.cfg = frame.cfg.copy()
                previous.is_done = False
            frame = previous
            if not to_first:
                break
        self._forget_pictures(earlier)

    def _go_on(self, hands_over, to_last):
        frame = self.current
        if frame is not None and is_settled(frame):
            frame.image, frame.is_shown = None, True
            self.position += 1
            following = self.current
            if following is not None:
                following.is_shown = False
                if hands_over:
                    self._take_settings_away(to_last)
                if not self.runs_to_end:
                    following.error = None     # whoever comes here wants to see it tried
                self._hand_settings_on()
        if self.current is None:
            self.runs_to_end = False

    def _take_settings_away(self, to_last):
        """Let the current frame, or all from it on, have the settings of the frame before."""
        for frame in self.frames[self.position:None if to_last else self.position + 1]:
            frame.cfg, frame.is_done = None, False

    def _hand_settings_on(self):
        """Give the frames that are merged ahead the settings of the frame before, where they have none."""
        before = self.frames[self.position - 1]
        for frame in self._window():
            if frame.cfg is None:
                frame.cfg = before.cfg.copy()
                _undo(frame)
            before = frame

    def _try_again(self):
        for frame in self._window():
            if frame.error is not None:
                frame.error, frame.is_shown = None, False

    def _forget_pictures(self, earlier):
        """Keep no pictures of frames that were near the `earlier` position only; each is as large as a frame."""
        for frame in self.frames[max(earlier, self.position + self.ahead):earlier + self.ahead]:
            frame.image = None

    # --- work --------------------------------------------------------------------------------

    def _window(self):
        return self.frames[self.position:self.position + self.ahead]

    def next_job(self):
        """Return (index, settings) of the next frame to merge, None if there is none now; it counts as in work."""
        for index, frame in enumerate(self._window(), self.position):
            if not frame.is_done and not frame.is_processing and frame.cfg is not None and frame.error is None:
                frame.is_processing = True
                return index, frame.cfg.copy()
        return None

    def finished(self, index, cfg, picture=None, error=None):
        """Take the result of a job. cfg: as next_job gave it. picture: to show, may be None. error: str if it failed.

        Return whether it counts: a frame that has got other settings meanwhile is merged once more.
        """
        frame = self.frames[index]
        frame.is_processing = False
        if frame.cfg is None or frame.cfg != cfg:
            return False
        frame.is_done, frame.error = error is None, error
        frame.image = picture if self.position <= index < self.position + self.ahead else None
        return True

    def put_back(self, index):
        """Take a job back that was not done, to be given out again."""
        self.frames[index].is_processing = False


def is_settled(frame):
    """Tell whether nothing more is to be waited for: a frame is done, or failed (bool)."""
    return frame.is_done or frame.error is not None


def _undo(frame):
    frame.is_done, frame.is_shown, frame.error = False, False, None


def restore(frames, position, is_newer, has_output, default):
    """Return the position (int) at which a saved session goes on; what has to be merged again is not done any more.

    position: where the user was. is_newer: whether the model was trained further since. has_output: function of an
    index that tells whether the merged frame and its mask are there. default: settings for a first frame without any.
    """
    if is_newer or position == len(frames):
        position = 0
    for index, frame in enumerate(frames):
        frame.is_done = frame.is_done and not is_newer and has_output(index)
        if not frame.is_done:
            position = min(position, index)
    if frames[position].cfg is None:
        before = [frame.cfg for frame in frames[:position] if frame.cfg is not None]
        frames[position].cfg = (before[-1] if before else default).copy()
    return position
