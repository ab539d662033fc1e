"""Requests to end this program that come as signals: Ctrl-C, and what another program or the system sends."""
import contextlib
import os
import signal
import threading

# An end asked for by another program or a shutdown; a terminal that was closed; Ctrl-Break. Windows has the first and
# the last alone.
_NAMES = ("SIGTERM", "SIGHUP", "SIGBREAK")
# Somebody's `except:` may swallow the exception. What is tidied up in this time is safe to be cut short.
_PATIENCE_SECONDS = 10.0
_ended = []      # the request that came
_deferring = []  # not empty while it has to wait


class Ended(KeyboardInterrupt):
    """Somebody asked this program to end. exit_code (int): as a shell tells it, 128 and the signal's number."""

    def __init__(self, number):
        super().__init__("signal {}".format(number))
        self.exit_code = 128 + number


def raise_ended():
    """From now on the requests raise Ended in the main thread, so that all is tidied up as after Ctrl-C.

    Only of this process, not of those that it forks; a second request ends it at once. What is ignored stays ignored
    (nohup). A no-op in another thread than the main one.
    """
    owner = os.getpid()

    def end(number, frame):
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != owner:
            os.kill(os.getpid(), number)
            return
        _ended.append(number)
        end_soon(_PATIENCE_SECONDS, 128 + number)
        if not _deferring:
            raise Ended(number)

    if threading.current_thread() is not threading.main_thread():
        return
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


@contextlib.contextmanager
def deferred():
    """Let a request wait for the end of the body, which then raises Ended: for what must not be cut in the middle."""
    _deferring.append(True)
    try:
        yield
    finally:
        _deferring.pop()
    if _ended and not _deferring:
        raise Ended(_ended[0])


def end_soon(seconds, exit_code):
    """End this process after some seconds, even if a thread of a library does not return from its work."""
    timer = threading.Timer(seconds, os._exit, (exit_code,))
    timer.daemon = True
    timer.start()


@contextlib.contextmanager
def noticed():
    """Raise what a signal asked for at the end of the body, if the body has swallowed it: Ctrl-C, or Ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []

    def note(number, frame):
        pressed.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
    if _ended:
        raise Ended(_ended[0])
    if pressed:
        raise KeyboardInterrupt
