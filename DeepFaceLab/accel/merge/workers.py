"""Threads that merge frames, and the one thread that owns the networks and answers them.

A model's session belongs to the thread that made it, the main one, which also holds the window of the interactive
merger. So workers ask, and the main thread answers whenever it looks at its inbox (`poll`); what has gathered
there meanwhile is answered together. Answers to stock's MPFunc and to its processes of workers, each of which
imports TensorFlow once more.
"""
import collections
import queue
import threading
import time

from ..pools import Outcome

MAX_BATCH = 8              # faces: a large model's batch has to fit into a GPU's memory
_STOP_SECONDS = 1.5        # Ctrl-C has to end everything within two
_LOOK_UP_SECONDS = 0.25    # Windows does not wake a waiting main thread for Ctrl-C


class Stopped(Exception):
    """The merge ends: the frame in work is given up."""


class _Question:
    __slots__ = ("function", "picture", "answer", "error", "answered")

    def __init__(self, function, picture):
        self.function, self.picture = function, picture
        self.answer, self.error = None, Stopped()   # what is not answered is given up
        self.answered = threading.Event()


class Workers:
    """A fixed number of threads; jobs go in by `submit`, come out of `poll` as pools.Outcome in any order."""

    def __init__(self, work, count):
        """work: function of a job, called in a worker. count: threads. Nothing starts before the first job."""
        self.count = count
        self.busy = 0              # jobs submitted and not yet handed out by poll
        self._work = work
        self._jobs = queue.Queue()
        self._inbox = queue.Queue()
        self._threads = []
        self._stopped = False

    def network(self, function):
        """Return a function for workers that asks the main thread's `function`.

        function: of a list of pictures; returns or yields an answer for each. It is called in the thread that
        polls, with all pictures that wait for it (at most MAX_BATCH).
        """
        def ask(picture):
            question = _Question(function, picture)
            self._inbox.put(question)
            while not question.answered.wait(_LOOK_UP_SECONDS):
                if self._stopped:
                    raise Stopped()
            if question.error is not None:
                raise question.error
            return question.answer
        return ask

    def submit(self, job):
        """Give a job to the threads."""
        if len(self._threads) < self.count:
            thread = threading.Thread(target=self._run, daemon=True)
            self._threads.append(thread)
            thread.start()
        self.busy += 1
        self._jobs.put(job)

    def poll(self, seconds=_LOOK_UP_SECONDS):
        """Answer the workers' questions and return the Outcomes (list) of finished jobs.

        Waits up to `seconds` for the first of either. Raises what stops the main thread, such as Ctrl-C.
        """
        outcomes, questions = [], []
        deadline = time.monotonic() + seconds
        wait = seconds
        while True:
            try:
                message = self._inbox.get(timeout=min(wait, _LOOK_UP_SECONDS)) if wait > 0 else self._inbox.get_nowait()
            except queue.Empty:
                wait = deadline - time.monotonic()
                if outcomes or questions or wait <= 0:
                    break
                continue
            (questions if isinstance(message, _Question) else outcomes).append(message)
            wait = 0
        _answer(questions)
        self.busy -= len(outcomes)
        return outcomes

    def close(self):
        """Give up what is in work and wait for the threads, at most 1.5 s."""
        self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self):
        while True:
            job = self._jobs.get()
            if job is None or self._stopped:
                return
            value = error = None
            try:
                value = self._work(job)
            except Stopped:
                return
            except BaseException as caught:  # a library's SystemExit must not end a thread unseen either
                error = caught
            self._inbox.put(Outcome(None, job, value, error))
            del job, value, error


def _answer(questions):
    """Answer questions, those for one function together."""
    waiting = collections.OrderedDict()
    for question in questions:
        waiting.setdefault(question.function, []).append(question)
    for function, group in waiting.items():
        for begin in range(0, len(group), MAX_BATCH):
            _answer_together(function, group[begin:begin + MAX_BATCH])


def _answer_together(function, group):
    try:
        answers = list(function([question.picture for question in group]))
        if len(answers) != len(group):
            raise ValueError("{} answers to {} pictures".format(len(answers), len(group)))
        for question, answer in zip(group, answers):
            question.answer, question.error = answer, None
    except Exception as error:
        for question in group:
            question.error = error
    finally:  # after Ctrl-C, too, nobody may wait for an answer that does not come
        for question in group:
            question.answered.set()


def one_by_one(function):
    """Return a function of a list for one that takes a single picture."""
    return lambda pictures: [function(picture) for picture in pictures]
