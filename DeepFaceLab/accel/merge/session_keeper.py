"""When the interactive merger's session is read and written (session.py tells how)."""
import os
import time

from .. import files, host
from . import session as sessions
from .settings import TYPES, Settings

SHORTEST_WAIT = 0.3      # s from one save to the next while keys are pressed,
LONGEST_WAIT = 5.0       # s and while nothing but the place changes;
WAIT_PER_SAVE = 20       # saving takes at most this part of the time, be there ever so many frames
UNUSABLE = ".unusable"


# --- reading ---------------------------------------------------------------------------------

def newest(path, stock_path):
    """Return the path of the saved session: ours or stock's, whichever was written last; None without one."""
    found = [(max(map(_modified, parts)), parts[0])
             for parts in ((stock_path,), (path, sessions.journal_path(path))) if os.path.isfile(parts[0])]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _modified(path):
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0


def load(path, stock_path, names):
    """Return the Session of a path if it belongs to these frames, else None; then a line says why.

    names: of the frames (list of str). A session of ours that cannot be read gets another name, so that the next one
    does not replace it.
    """
    try:
        session = sessions.load_stock(path) if path == stock_path else sessions.load(path)
    except (sessions.SessionError, OSError) as error:
        host.log_err(str(error))
        if path != stock_path:
            _put_aside(path)
        return None
    if [frame.name for frame in session.frames] != names:
        host.log_info("The saved session belongs to other frames and is not used.")
        return None
    return session


def _put_aside(path):
    try:
        for part in (path, sessions.journal_path(path)):
            if os.path.isfile(part):
                files.retry_busy(os.replace, part, part + UNUSABLE)
    except OSError as error:
        raise host.UserError("The saved session {} cannot be used and not be renamed either: {}. Move it to another "
                             "folder, then start again.".format(path, error)) from error


# --- writing ---------------------------------------------------------------------------------

class SessionKeeper:
    """Saves a Timeline's session so often that a program that is killed loses hardly more than the frames in work."""

    def __init__(self, path, timeline, names, model_iter, output_format, stamp=""):
        """path: of the session. names: of the frames (list of str). model_iter, output_format: as in Session. stamp:
        what the output folder says of its frames as long as they are this session's (str)."""
        self.path, self._timeline, self._names = path, timeline, names
        self._model_iter, self._output_format, self._stamp = model_iter, output_format, stamp
        self._journal = None
        self._saved_position = None
        self._due = 0.0          # when the next save may be made at the earliest
        self._place_due = 0.0    # and if nothing but the place has changed
        self._changed = False
        self._complaint = None

    def changed(self):
        """Note that there is something to save beside the place."""
        self._changed = True

    def begun(self, index):
        """Note that a frame is about to be merged."""
        self._note(lambda journal: journal.begun(index))

    def done(self, index, settings):
        """Note that a frame is merged, with these Settings."""
        self._note(lambda journal: journal.done(index, settings))

    def _note(self, write):
        if self._journal is None:
            return
        try:
            write(self._journal)
        except OSError as error:
            self._complain(error)
            self._close_journal()  # only a whole session makes up for what it lacks
            self._changed = True

    def save_if_due(self):
        """Save if something has changed and the last save is not too near."""
        now = time.monotonic()
        if self._changed and now >= self._due or now >= self._place_due and self._is_elsewhere():
            self.save()

    def _is_elsewhere(self):
        return self._timeline.position != self._saved_position

    def save(self):
        """Save now. Return whether it was possible; if not, a line says why, once."""
        start = time.monotonic()
        self._close_journal()
        try:
            self._journal = sessions.save(self.path, self._session())
        except OSError as error:
            self._complain(error)
        else:
            self._changed, self._complaint = False, None
            self._saved_position = self._timeline.position
        now = time.monotonic()
        self._due = now + max(SHORTEST_WAIT, WAIT_PER_SAVE * (now - start))
        self._place_due = now + max(LONGEST_WAIT, WAIT_PER_SAVE * (now - start))
        return self._journal is not None

    def close(self):
        """Save for the last time. Return whether it was possible."""
        saved = self.save()
        self._close_journal()
        return saved

    def _close_journal(self):
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _complain(self, error):
        text = "The session cannot be saved: {}".format(error.strerror or error)
        if text != self._complaint:
            host.log_err(text)
            self._complaint = text

    def _session(self):
        line, settings_of = self._timeline, _Reader()
        states = [sessions.FrameState(name, frame.is_done, settings_of(frame.cfg))
                  for name, frame in zip(self._names, line.frames)]
        return sessions.Session(self._model_iter, self._output_format, self._stamp, states, line.frames_idxs,
                                line.frames_done_idxs)


class _Reader:
    """A function that returns the Settings of a configuration; those that are equal are made once."""

    def __init__(self):
        self._known = {}

    def __call__(self, config):
        if config is None:
            return None
        raw = tuple([getattr(config, name) for name in TYPES])
        settings = self._known.get(raw)
        if settings is None:
            settings = self._known[raw] = Settings.of(config)
        return settings
