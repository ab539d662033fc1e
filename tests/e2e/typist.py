"""A person at the keyboard: starts a program, answers each question when it is asked, and may end it by force.

    run = converse(words, {"Image size": "256"}, folder)      a Run; every other question gets Enter
    run = converse(words, {}, folder, Kill(0, 0.3, True))     killed 0.3 s after the first thing it shows

A question is what a program shows last on a line that ends with " : ", or one that wants Enter. POSIX only.
"""
import codecs
import collections
import os
import re
import select
import signal
import subprocess
import time

import train_workspace as tw

ENTER = "Press enter to continue"
_QUESTION = re.compile(r"[^\r\n]* : \Z|{}[^\r\n]*\s*\Z".format(ENTER), re.IGNORECASE)

Run = collections.namedtuple("Run", "code shown asked seconds changes")
Run.__doc__ = """How a program ended. code: exit code, negative for a signal; shown: str; asked: list of the questions
(str), each with what was shown since the one before; seconds: from the first thing it showed until its end; changes:
how often other files were seen in the folder that was watched."""

Kill = collections.namedtuple("Kill", "changes seconds whole")
Kill.__doc__ = """SIGKILL. changes: how many must have been seen in the folder that is watched, and the program must
have shown something; seconds: from then on; whole: to all processes, as when the power goes, or to the first alone."""

_GLANCE = 0.001                # seconds between two looks at the folder that is watched


def converse(words, answers, temp, kill=None, watched=None, thinking=0.0, timeout=120, **variables):
    """Run a program to its end. Return a Run; raises AssertionError when a process of it is left.

    words: the command line (list of str). answers: {part of a question: what is typed}. temp: the folder for its
    temporary files. watched: a folder in which files come and go, or None. thinking: seconds before an answer is typed.
    variables: of the program's environment.
    """
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True, env=dict(os.environ, **dict(variables, TMPDIR=str(temp))))
    talk = _Talk(process, answers, kill, watched, thinking, time.time() + timeout)
    try:
        talk.to_end()
        code = process.wait()
    finally:
        process.stdin.close()
        process.stdout.close()
        left = tw.end_session(process)
    assert left == [], left
    return Run(code, talk.shown, talk.asked, time.time() - (talk.begun or time.time()), talk.changes)


class _Talk(object):
    """What a program shows and what it is told."""

    def __init__(self, process, answers, kill, watched, thinking, until):
        self.shown, self.asked, self.begun, self.changes = "", [], None, 0
        self._process, self._answers, self._kill, self._watched = process, answers, kill, watched
        self._thinking, self._until = thinking, until
        self._answer = None            # (when it is typed, what) of the last question
        self._due = None               # when it is killed
        self._seen = None if watched is None else _names(watched)
        self._answered = 0             # letters shown when the last answer was typed
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def to_end(self):
        """Read and answer until nobody writes any more. Raises AssertionError after too long."""
        while True:
            if self._kill is not None and self._due is None and self.begun and self.changes >= self._kill.changes:
                self._due = time.time() + self._kill.seconds
            ready = select.select([self._process.stdout], [], [], self._patience())[0]
            now = time.time()
            assert now < self._until, self.shown
            if self._watched is not None:
                self._look()
            if self._due is not None and now >= self._due:
                self._end_it()
            if self._answer is not None and now >= self._answer[0]:
                self._type_it()
            if ready:
                piece = os.read(self._process.stdout.fileno(), 1 << 16)
                if not piece:
                    return
                self.begun = self.begun or now
                self._take(piece)

    def _patience(self):
        """Return for how long to wait (seconds) for what the program shows next."""
        moments = [self._until, self._due or self._until] + ([self._answer[0]] if self._answer else [])
        wait = max(0.0, min(moments) - time.time())
        return wait if self._watched is None else min(wait, _GLANCE)

    def _look(self):
        found = _names(self._watched)
        self.changes += found != self._seen
        self._seen = found

    def _end_it(self):
        if self._kill.whole:
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._kill = self._due = None

    def _take(self, piece):
        self.shown += self._decoder.decode(piece)
        if not _QUESTION.search(self.shown, max(self._answered, len(self.shown) - 2000)):
            return
        self.asked.append(self.shown[self._answered:].strip())
        self._answered = len(self.shown)
        answer = next((typed for part, typed in self._answers.items() if part in self.asked[-1]), "")
        self._answer = time.time() + self._thinking, answer

    def _type_it(self):
        try:
            os.write(self._process.stdin.fileno(), (self._answer[1] + "\n").encode("utf-8"))
        except BrokenPipeError:
            pass                       # it was killed at its question
        self._answer = None


def _names(folder):
    """The files below a folder: set of paths."""
    return {os.path.join(above, name) for above, _, names in os.walk(str(folder)) for name in names}
