"""What the self-test says: short lines on stdout; tracebacks and the like only into a file of details."""
import contextlib
import io
import os
import sys
import traceback


class Wrong(Exception):
    """A result that is not as it should be; the message says in one line what is wrong with it."""


class Report(object):
    """Says how the checks go and counts those that failed.

    details_path: file (str) that gets what programmers want to know of a failure, or None.
    """

    def __init__(self, details_path=None):
        self.failures = 0
        self._details_path = details_path

    def say(self, text):
        """Show a line at once, whatever letters the console lacks."""
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        try:
            print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
        except OSError:     # nobody reads any more: the test goes on, its exit code tells
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def fail(self, text):
        """Show a line about something that is wrong, and count it."""
        self.failures += 1
        self.say(text)
        self.add_details(text)

    def add_details(self, text):
        """Write text to the file of details, if there is one and it can be written."""
        if self._details_path is None:
            return
        try:
            with open(self._details_path, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text.rstrip("\n") + "\n")
        except OSError as error:
            self._details_path = None
            self.say("The details cannot be written: {}".format(error))

    def check(self, title, function, *arguments):
        """Run function(*arguments), which prints nothing, and say what it returns (str; None: nothing).

        Return whether all was well. What the function raises is a failure; Ctrl-C goes through.
        """
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                told = function(*arguments)
        except Wrong as error:
            self.fail("{}: WRONG: {}".format(title, error))
        except (Exception, SystemExit) as error:
            self.fail("{}: FAILED ({})".format(title, in_one_line(error)))
            self.add_details(traceback.format_exc())
        else:
            if told is not None:
                self.say("{}: {}".format(title, told))
            return True
        self.add_details("What it printed:\n" + printed.getvalue())
        return False


def in_one_line(error):
    """Return an exception as one line (str): its kind, and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return "{}: {}".format(type(error).__name__, lines[0]) if lines else type(error).__name__
