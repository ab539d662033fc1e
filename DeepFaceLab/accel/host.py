"""The one seam to DeepFaceLab: console, prompts, progress, log.

Texts, prompt formats and the meaning of answers are those of stock's core.interact, so that users
and scripts which feed answers through a pipe see no difference; one is wanted: Ctrl-C at a prompt
stops the program (stock takes the default and starts to work).

Which console speaks: stock's own object as soon as something has imported core.interact (its
progress bar's state and its Colab variant then stay right); until then this module, character for
character the same. It never imports core.interact by itself: that loads cv2, numpy, tqdm and, where
IPython exists, matplotlib, and takes longer than the whole start of the sort tool.
"""
import functools
import importlib
import sys
import threading
import time
import weakref

from . import compat_signals

ERROR_PREFIX = "/!\\ "
_YES_NO = {True: "y", False: "n"}

_unattended = False
_bars = weakref.WeakSet()
_log = None


class UserError(Exception):
    """An end that the user can do something about: one clear sentence and the next thing to do."""


# --- messages --------------------------------------------------------------------------------

def log_info(message, end="\n"):
    """Show a line; an open progress bar moves below it."""
    if any(not bar.disable for bar in _bars):
        _tqdm().write(str(message), file=sys.stdout, end=end)
        return
    console = _stock_console()
    if console is not None:
        console.log_info(message, end=end)
    else:
        print(message, end=end)


def log_err(message, end="\n"):
    """Show a line with stock's mark for errors."""
    log_info("{}{}".format(ERROR_PREFIX, message), end=end)


def _stock_console():
    return getattr(sys.modules.get("core.interact"), "interact", None)


def stock_networks():
    """Return DeepFaceLab's own core.leras.nn, which knows the devices and sets TensorFlow up for them; None without."""
    try:
        return importlib.import_module("core.leras").nn
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("core"):
            raise
        return None


def is_colab():
    """Tell whether stock's console speaks to a notebook, which has no windows."""
    console = _stock_console()
    return console is not None and console.is_colab()


def process_messages(seconds=0):
    """Let stock's console serve its windows (keys come, pictures are drawn), which may take `seconds` and some ms."""
    console = _stock_console()
    if console is not None:
        console.process_messages(seconds)


def progress(iterable=None, desc="", total=None, leave=True, delay=0):
    """Return an open progress bar (a tqdm: iterate over it, or call update(n); close it or use `with`).

    One line of ASCII on stderr with rate and time left, as stock's; leave=False wipes it at the end. delay: seconds
    in which nothing is shown yet.
    """
    bar = _tqdm()(iterable, desc=desc, total=total, leave=leave, ascii=True, **({"delay": delay} if delay else {}))
    _bars.add(bar)
    return bar


@functools.lru_cache(maxsize=None)
def _tqdm():
    from tqdm import tqdm
    # Its usual lock holds between processes too and loads multiprocessing; our workers show no bars.
    tqdm.set_lock(threading.RLock())
    return tqdm


# --- questions -------------------------------------------------------------------------------

def set_unattended(enabled):
    """With True every question is shown and answered with its default at once."""
    global _unattended
    _unattended = bool(enabled)


def is_unattended():
    """Tell whether every question gets its default."""
    return _unattended


def ask_int(prompt, default, valid_list=None, valid_range=None, add_info=None, help_message=None):
    """Ask for an int; what is no number, or not in valid_list, counts as the default.

    valid_range: (lowest, highest), a number outside is moved to the nearer end.
    Answers to stock's input_int.
    """
    console = _asking_console()
    if console is not None:
        return _ask_stock(console.input_int, prompt, default, valid_range=valid_range, valid_list=valid_list,
                          add_info=add_info, help_message=help_message)
    hints = []
    if valid_range is not None:
        hints.append("{}-{}".format(valid_range[0], valid_range[1]))
    if add_info is not None:
        hints.append(str(add_info))
    question = "[{}] {}".format(default, prompt) if prompt else "[{}]".format(default)

    def parse(answer):
        number = int(answer)
        if valid_range is not None:
            number = int(min(max(number, valid_range[0]), valid_range[1]))
        return number if valid_list is None or number in valid_list else default

    return _ask(_with_hints(question, hints, help_message), default, parse, help_message)


def ask_bool(prompt, default, help_message=None):
    """Ask for y or n; any other answer counts as the default. Answers to stock's input_bool."""
    console = _asking_console()
    if console is not None:
        return _ask_stock(console.input_bool, prompt, default, help_message=help_message)
    question = _with_hints("[{}] {}".format(_YES_NO[default], prompt), ["y/n"], help_message)
    answer = _read_answer(question, help_message)
    if not answer:
        print(_YES_NO[default])
        return default
    return {"y": True, "n": False}.get(answer.lower(), default)


def ask_str(prompt, default=None, valid_list=None, help_message=None):
    """Ask for a text; with valid_list, ask until the answer is in it (lower case tried first).

    A default of None is not shown, and is what an empty answer gives. Answers to stock's input_str.
    """
    console = _asking_console()
    if console is not None:
        return _ask_stock(console.input_str, prompt, default, valid_list=valid_list, help_message=help_message)
    hints = [] if valid_list is None else ["/".join(valid_list)]
    question = prompt if default is None else "[{}] {}".format(default, prompt)
    question = _with_hints(question, hints, help_message)
    while True:
        answer = _read_answer(question, help_message)
        if not answer:
            print("" if default is None and answer == "" else default)
            return default
        if valid_list is None:
            break
        if answer.lower() in valid_list:
            answer = answer.lower()
            break
        if answer in valid_list:
            break
    print(answer)
    return answer


def wait_for_enter(text):
    """Show a text and wait until somebody presses Enter; Ctrl-C stops the program. Answers to stock's input.

    Returns whether somebody did: False when nobody is there to be asked (stock raises EOFError for a closed stdin).
    """
    answered = _read_answer(text, None) is not None
    if not answered:
        print()
    return answered


def _asking_console():
    return None if _unattended else _stock_console()


def _ask_stock(ask, prompt, default, **options):
    """Ask by stock's console. It takes Ctrl-C for Enter, which for some questions deletes files: here it stops.

    Only options that are used go there: the console of an older DeepFaceLab does not know all of them.
    """
    with compat_signals.noticed():
        return ask(prompt, default, **{name: value for name, value in options.items() if value is not None})


def _ask(question, default, parse, help_message):
    answer = _read_answer(question, help_message)
    try:
        result = parse(answer) if answer else default
    except (ValueError, OverflowError):
        result = default
    print(result)
    return result


def _with_hints(question, hints, help_message):
    if help_message is not None:
        hints = hints + ["?:help"]
    return question + (" ( {} ) : ".format(" ".join(hints)) if hints else " : ")


def _read_answer(question, help_message):
    """Return the typed line ("" for Enter), or None when nobody can answer."""
    while True:
        if _unattended:
            print(question, end="")
            return None
        try:
            answer = input(question)
        except (EOFError, OSError, ValueError, RuntimeError):
            # stdin is closed, missing or not text in its encoding.
            return None
        if _log is not None:
            _log.feed("stdout", answer + "\n")
        if help_message is None or answer != "?":
            return answer
        print(help_message)


# --- log file --------------------------------------------------------------------------------

def set_log_file(path):
    """Copy everything printed from now on, each line with its time, to the end of a text file.

    Raises UserError when the file cannot be written. None closes the log.
    """
    global _log
    if _log is not None:
        sys.stdout, sys.stderr = _log.consoles
        _log.close()
        _log = None
    if path is None:
        return
    try:
        file = open(str(path), "a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError("The log file cannot be written: {}. Give --log another place, or leave it out."
                        .format(error))
    _log = _Log(file, (sys.stdout, sys.stderr))
    sys.stdout = _Tee(sys.stdout, "stdout", _log)
    sys.stderr = _Tee(sys.stderr, "stderr", _log)


def log_details(text):
    """Write text to the log file alone. Return whether there is one."""
    if _log is None:
        return False
    _log.feed("details", text.rstrip("\n") + "\n")
    return _log.file is not None


class _Log:
    """A text file of finished lines: of a progress bar only its last state is kept."""

    def __init__(self, file, consoles):
        self.file = file
        self.consoles = consoles
        self._unfinished = {}
        self._lock = threading.Lock()

    def feed(self, source, text):
        """Take a piece of what one source prints; write its finished lines."""
        with self._lock:
            *finished, rest = (self._unfinished.get(source, "") + text).split("\n")
            for line in finished:
                self._write(_last_state(line).rstrip())
            self._unfinished[source] = _last_state(rest)

    def close(self):
        """Write what has no line end yet, and close the file."""
        for source, line in sorted(self._unfinished.items()):
            if line.strip():
                self.feed(source, "\n")
        if self.file is not None:
            self.file.close()

    def _write(self, line):
        if self.file is None:
            return
        try:
            self.file.write("{} {}\n".format(time.strftime("%Y-%m-%d %H:%M:%S"), line))
            self.file.flush()
        except (OSError, ValueError) as error:
            self.file = None
            self.consoles[1].write("{}The log ends here: {}\n".format(ERROR_PREFIX, error))


def _last_state(line):
    """Return what a terminal shows of a line in which carriage returns start again at the left."""
    shown, _, newest = line.rpartition("\r")
    if newest or not shown:
        return newest
    return shown.rstrip("\r").rpartition("\r")[2] + "\r"


class _Tee:
    """A text stream that also feeds the log."""

    def __init__(self, stream, source, log):
        self._stream = stream
        self._source = source
        self._log = log

    def write(self, text):
        self._log.feed(self._source, text)
        return self._stream.write(text)

    def __getattr__(self, name):
        # input() asks the terminal itself, past this stream, when stdout tells its file number.
        if name == "fileno" and self._source == "stdout":
            raise AttributeError(name)
        return getattr(self._stream, name)
