"""All frames of an extraction: progress, failures, the record of what is done."""
import errno
import os

from .. import compat, host, pools
from ..os_errors import advice, reason
from .pipeline import FrameError

SHOWN = 10              # failed frames named at the end
ALL_FAIL = 12           # if so many fail, and none has not, it is no frame's fault
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

# Of memory: what TensorFlow and the system keep; and what a frame in work takes at most for a pixel: as it is read,
# as RGB, turned three ways, drawn on.
_KEPT_FREE = 2 ** 30
_BYTES_PER_PIXEL = 18
_CARD_THREADS = 16      # frames in work for a graphics card: two batches of the detector


def threads_for(devices, pixels):
    """Return how many frames are worked on at once. devices: list of nets.devices.Device, empty without networks;
    pixels: of a frame."""
    cores = compat.cpu_count()
    wanted = cores + sum(cores if device.is_cpu else _CARD_THREADS for device in devices)
    free = compat.free_memory()
    if free is not None and pixels:
        wanted = min(wanted, max(1, int((free - _KEPT_FREE) // (pixels * _BYTES_PER_PIXEL))))
    return wanted


class Tally:
    """What came of the frames: `done` in their order, and those that failed."""

    def __init__(self):
        self.done = []
        self.faces = 0
        self.unreadable = []   # lines for the user
        self.unwritten = []

    @property
    def failed(self):
        """How many frames failed (int)."""
        return len(self.unreadable) + len(self.unwritten)

    def end(self, frames):
        """Name the failed frames. Raises host.UserError where a run must not pass for a success."""
        told = self.unreadable + self.unwritten
        if not told:
            return
        more = ["... and {:,} more".format(len(told) - SHOWN)] if len(told) > SHOWN else []
        message = "{:,} of {:,} frames could not be extracted, the others are done:\n{}".format(
            len(told), frames, "\n".join("    " + line for line in told[:SHOWN] + more))
        if len(told) == frames:
            message = message.replace(", the others are done", "")
        if self.unwritten or len(told) == frames:
            raise host.UserError(message + "\nMend what is wrong, then start the same step again and answer y to "
                                           "\"Continue extraction?\": it does only what is missing.")
        host.log_err(message)


def extract_all(items, work, threads, record, tally):
    """Work on all frames, in threads, and take them in in their order.

    items: list of pipeline.FrameData. work: pipeline.FrameWork. record: record.Record, open, or None. tally: Tally,
    filled in. Raises host.UserError when nothing more can succeed.
    """
    outcomes = pools.map_threads(work, items, workers=threads, ahead=2 * threads)
    try:
        with host.progress(total=len(items)) as bar:
            for outcome in outcomes:
                if outcome.error is not None:
                    _fail(outcome, tally)
                else:
                    tally.done.append(outcome.value)
                    tally.faces += outcome.value.faces_detected
                    _note(record, outcome.value)
                bar.update(1)
    except BaseException:
        work.stop()   # the pool waits for its threads, which must not wait for the networks
        raise
    finally:
        outcomes.close()


def _note(record, data):
    # What was marked by hand and has no face was perhaps not looked at: it is shown again.
    if record is None or data.manual and not data.faces_detected:
        return
    try:
        record.note(str(data.filepath), data.faces_detected)
    except OSError as error:
        raise host.UserError("The record of the extraction cannot be written: {}. {}".format(
            reason(error), advice(error))) from error


def _fail(outcome, tally):
    """Note a failed frame. Raises where no other can succeed, and what is no frame's fault."""
    error, name = outcome.error, os.path.basename(str(outcome.item.filepath))
    if not isinstance(error, Exception) or isinstance(error, host.UserError):
        raise error
    if getattr(error, "errno", None) in _NO_ROOM:
        raise host.UserError("The disk is full: the faces of {} could not be written. Make room, then start the same "
                             "step again and answer y to \"Continue extraction?\".".format(name)) from error
    if not os.path.isdir(os.path.dirname(str(outcome.item.filepath))):
        raise host.UserError("The folder of the frames, {}, is no longer there. Start the same step again where it is "
                             "now.".format(os.path.dirname(str(outcome.item.filepath)))) from error
    told = str(error) if isinstance(error, FrameError) else _in_words(name, error)
    (tally.unreadable if isinstance(error, FrameError) else tally.unwritten).append(told)
    host.log_err(told)
    host.log_details("{}: {!r}".format(name, error))
    if not tally.done and len(tally.unwritten) == ALL_FAIL:
        raise host.UserError("The first {} frames all failed, so the extraction was ended: the reason is not in the "
                             "frames. The last one: {}".format(ALL_FAIL, told)) from error


def _in_words(name, error):
    if isinstance(error, MemoryError) or "Insufficient memory" in str(error):   # OpenCV's words
        return "{}: there is not enough memory. Close other programs.".format(name)
    if isinstance(error, OSError):
        return "the faces of {} could not be written: {}".format(name, error.strerror or error)
    return "{} could not be extracted ({}: {})".format(name, type(error).__name__, str(error).partition("\n")[0])
