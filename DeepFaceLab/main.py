"""DeepFaceLab's start: runs one command and ends with words and a code that say how it went.

Start-up imports nothing heavy; the commands are in command_line.py.
"""
import contextlib
import os
import sys
import traceback
from pathlib import Path

import command_line
from accel import compat, compat_signals, host, os_errors

DEEPFACELAB_PACKAGES = ("core", "facelib", "mainscripts", "merger", "models", "samplelib", "DFLIMG",
                        "XSegEditor")
# Import names of libraries whose package has another name.
PACKAGE_NAMES = {"cv2": "opencv-python", "ffmpeg": "ffmpeg-python", "skimage": "scikit-image"}
INTERRUPTED = 130
LEAVE_SECONDS = 1.5   # a thread of a library may not return from its work


def main(words=None):
    """Run one command line. Return the exit code: 0 fine, 1 failed, 2 wrong words, 130 interrupted."""
    compat.make_console_safe()
    if sys.stdin is None:
        compat.detach_stdin()   # or the next file that is opened has its number, and DeepFaceLab takes it for granted
    parser = command_line.build_parser()
    arguments = parser.parse_args(words)
    if arguments.func is None:
        parser.print_help()
        return 0
    if arguments.func in command_line.OURS or arguments.func is command_line.run_util:
        compat_signals.raise_ended()   # DeepFaceLab's own commands have threads that would go on
    try:
        exit_code = arguments.func(arguments) or 0
        if exit_code == 0:
            host.log_info("Done.")
        sys.stdout.flush()
        return exit_code
    except KeyboardInterrupt as error:
        return interrupted(error)
    except host.UserError as error:
        report(host.ERROR_PREFIX + str(error))
        return 1
    except ModuleNotFoundError as error:
        report(host.ERROR_PREFIX + missing_module(error, arguments.command))
        return 1
    except Exception as error:
        if isinstance(error, BrokenPipeError) and output_is_gone():
            return 1
        report(host.ERROR_PREFIX + unexpected(error, getattr(arguments, "log", None)))
        return 1
    finally:
        host.set_log_file(None)


def interrupted(error):
    """Say that the run was stopped, by Ctrl-C or by a signal. Return the exit code."""
    ended = isinstance(error, compat_signals.Ended)
    exit_code = error.exit_code if ended else INTERRUPTED
    report("\nStopped by {}. Start the same step again to go on.".format("the system" if ended else "Ctrl-C"))
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    compat_signals.end_soon(LEAVE_SECONDS, exit_code)
    return exit_code


def report(message):
    """Show how a run failed; the traceback goes to the log, and to the screen with DFL_DEBUG=1."""
    details = traceback.format_exc()
    with contextlib.suppress(OSError):   # the terminal may be closed
        print(message, file=sys.stderr)
        if os.environ.get("DFL_DEBUG") == "1":
            print(details, file=sys.stderr)
    host.log_details(details)


def output_is_gone():
    """Tell whether nobody reads stdout any more (`| head`); if so, let the rest of it go nowhere."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return True
    return False


def missing_module(error, command):
    """Return what to do about a module that cannot be found."""
    package = (error.name or "").split(".")[0]
    if package in DEEPFACELAB_PACKAGES:
        return ("The command {} needs DeepFaceLab, and its module {} is not beside {}. Copy this folder over "
                "the DeepFaceLab folder of your installation and start the command there."
                .format(command, error.name, os.path.abspath(__file__)))
    wishes = Path(__file__).resolve().parent.parent / "requirements.txt"
    what = '-r "{}"'.format(wishes) if wishes.is_file() else PACKAGE_NAMES.get(package, package)
    return 'The Python package {} is missing. Install it with: "{}" -m pip install {}'.format(
        PACKAGE_NAMES.get(package, package), sys.executable, what)


def unexpected(error, log_path):
    """Return one line about an error that is no UserError: what to do, and where its traceback is.

    What lies at the machine needs no traceback.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code in os_errors.OF_THE_MACHINE:
        parts = [str(part) for part in (error.strerror, error.filename) if part]
        return "{} ({})".format(os_errors.explained(code), ": ".join(parts))
    kind, words = type(error).__name__, str(error).strip().partition("\n")[0]   # TensorFlow's go on for pages
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        told = "The memory is used up: close other programs, or choose a smaller batch size or fewer workers."
    elif kind in ("UnpicklingError", "EOFError"):
        told = ("A file is damaged or cut short: copy it again, or take an earlier one from a backup (of models: from "
                "the folder of its name with _autobackups).")
    elif isinstance(error, ImportError):
        told = "A Python package cannot be loaded: start the installer again, or install the package anew."
    else:
        told = os_errors.explained(code) or getattr(error, "told", "The work stopped at an error nobody foresaw.")
    if log_path is None:
        log_path = save_details()
    return "{} ({}: {}) Details: {}".format(told, kind, words, log_path)


def save_details():
    """Write the current traceback to a new file in the temp folder. Return its path."""
    import tempfile
    details = traceback.format_exc()
    try:
        with tempfile.NamedTemporaryFile(prefix="deepfacelab-error-", suffix=".log", delete=False) as file:
            text = "{}\n{}\n{}".format(sys.argv, sys.version, details)
            file.write(text.encode("utf-8", "backslashreplace"))
            return file.name
    except OSError:
        return "\n" + details


if __name__ == "__main__":
    sys.exit(main())
