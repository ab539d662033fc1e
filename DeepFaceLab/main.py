"""DeepFaceLab's start: runs one command and ends with words and a code that say how it went.

Start-up imports nothing heavy; the commands are in command_line.py.
"""
import errno
import os
import sys
import traceback
from pathlib import Path

import command_line
from accel import compat, host

DEEPFACELAB_PACKAGES = ("core", "facelib", "mainscripts", "merger", "models", "samplelib", "DFLIMG",
                        "XSegEditor")
# Import names of libraries whose package has another name.
PACKAGE_NAMES = {"cv2": "opencv-python", "ffmpeg": "ffmpeg-python", "skimage": "scikit-image"}
INTERRUPTED = 130


def main(words=None):
    """Run one command line. Return the exit code: 0 fine, 1 failed, 2 wrong words, 130 interrupted."""
    compat.make_console_safe()
    parser = command_line.build_parser()
    arguments = parser.parse_args(words)
    if arguments.func is None:
        parser.print_help()
        return 0
    try:
        exit_code = arguments.func(arguments) or 0
        if exit_code == 0:
            host.log_info("Done.")
        sys.stdout.flush()
        return exit_code
    except KeyboardInterrupt:
        report("\nStopped by Ctrl-C. Start the same step again to go on.")
        if arguments.func in command_line.OURS:
            leave_soon()
        return INTERRUPTED
    except host.UserError as error:
        report(host.ERROR_PREFIX + str(error))
        return 1
    except ModuleNotFoundError as error:
        report(host.ERROR_PREFIX + missing_module(error, arguments.command))
        return 1
    except Exception as error:
        if arguments.func not in command_line.OURS:
            raise  # DeepFaceLab's own modules: users know and post their tracebacks
        if isinstance(error, BrokenPipeError) and output_is_gone():
            return 1
        report(host.ERROR_PREFIX + unexpected(error, arguments.log))
        return 1
    finally:
        host.set_log_file(None)


def report(message):
    """Show how a run failed; the traceback goes to the log, and to the screen with DFL_DEBUG=1."""
    print(message, file=sys.stderr)
    details = traceback.format_exc()
    host.log_details(details)
    if os.environ.get("DFL_DEBUG") == "1":
        print(details, file=sys.stderr)


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
    """Return one line about an error that nobody foresaw, and where its traceback is."""
    advice = {errno.ENOSPC: "The disk is full: make room and start again.",
              errno.EROFS: "The disk is read-only: choose another folder or unlock the disk.",
              errno.EACCES: "A file or folder is protected or open in another program: free it, start again."}
    told = advice.get(getattr(error, "errno", None), "The work stopped at an error nobody foresaw.")
    if log_path is None:
        log_path = save_details()
    return "{} ({}: {}) Details: {}".format(told, type(error).__name__, error, log_path)


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


def leave_soon(seconds=1.5):
    """End the process even if a thread of a library does not return from its work."""
    import threading
    sys.stdout.flush()
    timer = threading.Timer(seconds, os._exit, (INTERRUPTED,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main())
