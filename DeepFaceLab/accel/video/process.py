"""The one place that starts an ffmpeg which works for long: feeds it, follows it, and ends it."""
import atexit
import collections
import errno
import functools
import io
import re
import subprocess
import threading
import time
import weakref

from .. import compat, compat_processes, compat_signals, host, os_errors

# Without a frame for so long ffmpeg hangs. The slowest encoders look ahead for minutes in 3840x2160.
STALL_SECONDS = 900.0
# Nor does one work that leaves processor and files alone for so long. The libx265 of 2019, in ffmpeg 4.2, locks up once
# in thousands of times when it is to hand out its last frames: https://github.com/Multicorewareinc/x265/issues/540.
IDLE_SECONDS = 120.0
# What counts as leaving alone: a new ffmpeg reports even then, which takes 0.02 s and 40 KB in that time.
_IDLE_WORK = compat_processes.Work(0.1, 1 << 20)
_LOOK_UP_SECONDS = 0.25
_KEPT_LINES = 30
_KEPT_LETTERS = 300
_LONGEST_LINE = 65536
_READERS_SECONDS = 1.0

# What every command begins with: no questions, only warnings, figures on stdout.
OPENING = ("-hide_banner", "-nostdin", "-loglevel", "warning", "-nostats", "-progress", "pipe:1", "-y")
# What goes before the path of a user's file: no other file or server is read on its behalf.
GUARDED = ("-protocol_whitelist", "file,pipe")

Progress = collections.namedtuple("Progress", "frames seconds speed")
Progress.__doc__ = """How far ffmpeg is. frames: written so far; seconds: of the result; speed: times real time, or
None."""

Ending = collections.namedtuple("Ending", "exit_code frames lines stalled")
Ending.__doc__ = """How ffmpeg ended. frames: as it counted them; lines: the last of its stderr (list of str);
stalled: True when it was killed because it no longer moved."""


def run(command, feed=None, on_progress=None, stall_seconds=None, idle_seconds=None, cwd=None, held=None):
    """Run an ffmpeg command (list of str, with OPENING) to its end and return an Ending.

    feed: iterable of buffers for its stdin, taken one at a time; when ffmpeg ends early the rest is not
    taken, and what the iterable raises is raised here. on_progress(Progress) is called from another
    thread, about twice a second; what it raises is raised here, too. An ffmpeg that takes no input, ends no
    frame and moves no data is killed after stall_seconds (STALL_SECONDS), or, if it does not use the processor
    either, after idle_seconds (IDLE_SECONDS). held: a locked file (file_lock.take) that stays locked as long as
    ffmpeg lives. Whatever ends this call ends the process. Raises host.UserError when it does not start.
    """
    host.log_details("$ " + subprocess.list2cmdline(command))
    process = None
    try:
        with compat_signals.deferred():   # half way, ffmpeg would be there and nobody would know
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, cwd=cwd,
                                       **compat.kept_open(held))
    except compat_signals.Ended:
        if process is not None:
            process.kill()
        raise
    except OSError as error:
        raise host.UserError("{} does not start: {}. Put a working ffmpeg there.".format(
            command[0], error.strerror or error)) from error
    _started.add(process)
    ending = _Run(process, on_progress, STALL_SECONDS if stall_seconds is None else stall_seconds,
                  IDLE_SECONDS if idle_seconds is None else idle_seconds).to_end(feed)
    host.log_details("ffmpeg ended: code {}, {} frames{}{}".format(
        ending.exit_code, ending.frames, ", stalled" if ending.stalled else "",
        "".join("\n    " + line for line in ending.lines)))
    return ending


_started = weakref.WeakSet()


@atexit.register
def _end_all():
    """Leave no process when the program ends while other threads still wait for one."""
    for process in list(_started):
        if process.returncode is None:
            process.kill()


class _Run:
    """One process with the threads that read what it says and notice when it no longer moves."""

    def __init__(self, process, on_progress, stall_seconds, idle_seconds):
        self._process = process
        self._on_progress = on_progress
        self._stall_seconds = stall_seconds
        self._idle_seconds = idle_seconds
        self._moves = 0
        self._fed = 0  # bytes that it took
        self._ours = False  # it is we who take time, not ffmpeg
        self._stalled = False
        self._showing = False  # on_progress is at work; a console may keep it waiting for long
        self._fault = None  # what on_progress raised
        self._over = threading.Event()
        self._frames = 0
        self._lines = collections.deque(maxlen=_KEPT_LINES)

    def to_end(self, feed):
        readers = [threading.Thread(target=work, daemon=True) for work in (self._read_figures, self._read_words)]
        watcher = threading.Thread(target=self._watch, daemon=True)
        code = None
        try:
            for thread in readers + [watcher]:
                thread.start()
            if feed is not None:
                self._feed(feed)
            while self._fault is None:  # Windows does not wake a waiting main thread for Ctrl-C: look up now and then
                try:
                    code = self._process.wait(_LOOK_UP_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    pass
        finally:
            self._over.set()
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._wait_for(readers, patient=code is not None)
        if self._fault is not None:
            raise self._fault
        return Ending(code, self._frames, list(self._lines), self._stalled)

    def _wait_for(self, readers, patient):
        """Wait till all is read. A grandchild may hold the pipes open: then not for long."""
        deadline = time.monotonic() + _READERS_SECONDS
        while any(thread.is_alive() for thread in readers) and time.monotonic() < deadline:
            for thread in readers:
                if thread.is_alive():
                    thread.join(0.02)
            if patient and self._showing:
                deadline = time.monotonic() + _READERS_SECONDS
        if not any(thread.is_alive() for thread in readers):
            self._process.stdout.close()
            self._process.stderr.close()

    def _feed(self, feed):
        blocks = iter(feed)
        try:
            while True:
                self._ours = True
                block = next(blocks, None)
                self._moves, self._ours = self._moves + 1, False
                if block is None or self._fault is not None or not self._hand_over(block):
                    break
                self._moves += 1
        finally:
            if hasattr(blocks, "close"):
                blocks.close()
            try:
                self._process.stdin.close()
            except OSError:
                pass

    def _hand_over(self, block):
        """Write a buffer to ffmpeg's stdin. Return False when ffmpeg no longer reads."""
        view = memoryview(block).cast("B")
        try:
            while view:  # an unbuffered pipe may take a part of it
                taken = self._process.stdin.write(view)
                view, self._fed = view[taken:], self._fed + taken
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EINVAL):  # Windows says EINVAL when the reader is gone
                raise
            return False
        return True

    def _watch(self):
        """End an ffmpeg that does not move. Only time that is seen passing counts: a machine may sleep."""
        pause = min(1.0, self._stall_seconds / 4, self._idle_seconds / 4)
        still, idle, moves, moved, worked = 0.0, 0.0, -1, None, None
        while not self._over.wait(pause):
            work = compat_processes.work_of(self._process.pid)
            known = None not in (work, moved, worked)
            if (self._ours or self._showing or moves != self._moves     # or at the end, when it puts the head first
                    or known and work.bytes - moved.bytes > _IDLE_WORK.bytes):
                still, idle, moves, moved, worked = 0.0, 0.0, self._moves, work, work
                continue
            still, idle = still + pause, idle + pause
            # a small program that starts the real ffmpeg and waits for it reads nothing of what that one takes; and
            # some of what was handed over lies in the pipe
            itself = known and work.bytes >= (self._fed // 2 or _IDLE_WORK.bytes)
            if not itself or work.seconds - worked.seconds > _IDLE_WORK.seconds:
                idle, worked = 0.0, work
            if still > self._stall_seconds or idle > self._idle_seconds:
                self._stalled = True
                self._process.kill()
                return

    def _read_figures(self):
        figures, last = {}, None
        for line in _lines_of(self._process.stdout):
            key, _, value = line.decode("ascii", "replace").strip().partition("=")
            figures[key] = value.strip()
            if key != "progress":
                continue
            progress = _progress(figures)
            if progress[:2] != last:  # the speed alone moves even while ffmpeg hangs
                last, self._moves = progress[:2], self._moves + 1
            self._frames = progress.frames
            if self._on_progress is not None and self._fault is None:
                self._show(progress)

    def _show(self, progress):
        self._showing = True
        try:
            self._on_progress(progress)
        except BaseException as error:  # to_end raises it; ffmpeg must not wait for a reader that is gone
            self._fault = error
        finally:
            self._showing = False

    def _read_words(self):
        for line in _lines_of(self._process.stderr):
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._lines.append(text[:_KEPT_LETTERS])


def _lines_of(pipe):
    """Yield the lines of an unbuffered pipe (bytes); a line without an end comes in pieces."""
    return iter(functools.partial(io.BufferedReader(pipe).readline, _LONGEST_LINE), b"")


def _progress(figures):
    def number(text, kind):
        try:
            return kind(text)
        except (TypeError, ValueError):
            return None
    microseconds = number(figures.get("out_time_us") or figures.get("out_time_ms"), int)  # both are us
    return Progress(number(figures.get("frame"), int) or 0, max(microseconds or 0, 0) / 1e6,
                    number((figures.get("speed") or "").rstrip("x"), float))


# --- words for the user ----------------------------------------------------------------------

_ADVICE = (
    (r"No space left", os_errors.explained(errno.ENOSPC)),
    (r"Permission denied", os_errors.explained(errno.EACCES)),
    (r"Read-only file system", os_errors.explained(errno.EROFS)),
    (r"Input/output error", os_errors.explained(errno.EIO)),
    (r"Cannot allocate memory|Out of memory|std::bad_alloc", "There is not enough memory: close other programs, then "
                                                             "start again."),
    (r"setting preset|Possible presets|Unknown pixel format", "Leave --preset and --pix-fmt out, or give others."),
    (r"Invalid framerate", "Give another number of frames a second."),
    (r"bit_rate and rc_max_rate|bitrate not specified", "Give a smaller bitrate."),
    (r"does not contain any stream", "There is no picture in it: choose a video."),
    (r"suitable output format|choose an output format|incorrect codec parameters|Only VP8",
     "This kind of file cannot hold it: take .mp4, .mov or .mkv."),
    (r"Unknown encoder|Encoder not found|Unknown decoder", "This ffmpeg lacks it: choose another encoder."),
    (r"Invalid data found|moov atom not found|could not find codec",
     "The video is damaged or is none: try to play it."),
    (r"not divisible by 2", "Its width or height is an odd number, which H.264 cannot hold: extract the frames and "
                            "join them, which adds the missing line."),
    (r"No such file", "See that the file is still there, then start again."),
)
_HOLLOW = re.compile(r"^(Conversion failed!|Error (initializing|while opening|opening|sending|submitting|while "
                     r"processing|encoding|marking)\b.*|Task finished with error.*|Terminating thread.*"
                     r"|Nothing was written.*|Could not open encoder before EOF|Last message repeated.*"
                     r"|Exiting normally.*|Qavg:.*)$")
_SPEAKER = re.compile(r"^(\[[^\]]* @ (0x)?[0-9a-fA-F]+\] )+")  # Windows shows addresses without 0x
_WRONG = re.compile(r"(?i)error|cannot|could not|fail|unknown|unrecognized|invalid|missing|unable|\bnot\b|\bno\b")


def reason(ending):
    """Return in one line why ffmpeg failed: its first telling line (str)."""
    if ending.stalled:
        return "it no longer moved"
    told = [_SPEAKER.sub("", line) for line in ending.lines]
    telling = [line for line in told if not _HOLLOW.match(line)]
    # The cause comes first, but behind mere warnings.
    wrong = [line for line in telling if _WRONG.search(line)]
    return (wrong or telling or told or ["it ended with code {}".format(ending.exit_code)])[0]


def failure(ending, kept):
    """Return an error (host.UserError) about a failed ffmpeg: what happened, what is left, what to do.

    kept: a sentence that says what became of the user's files.
    """
    telling = [line for line in ending.lines if not _HOLLOW.match(_SPEAKER.sub("", line))]
    words = "\n".join("    " + line for line in (telling or ending.lines)[-6:])
    if ending.stalled:
        what = "ffmpeg no longer moved and was stopped."
    else:
        what = "ffmpeg failed (code {}).".format(ending.exit_code)
    everything = "\n".join(ending.lines)
    advice = next((text for pattern, text in _ADVICE if re.search(pattern, everything, re.IGNORECASE)),
                  "Start again; if it fails again, add --log FILE and attach that file to your report.")
    return host.UserError("{} {} {}{}".format(what, kept, advice, "\nIts last words:\n" + words if words else ""))


def bar_updater(bar):
    """Return an on_progress that moves a progress bar to the frames written and shows the speed."""
    def update(progress):
        if progress.speed is not None:
            bar.set_postfix_str("{:.2f}x".format(progress.speed), refresh=False)
        bar.update(progress.frames - bar.n)
    return update


def fill_bar(bar, frames):
    """Show a progress bar as full: how many frames there would be was a guess."""
    bar.total = frames
    bar.update(frames - bar.n)
