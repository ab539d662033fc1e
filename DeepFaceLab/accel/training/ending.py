"""How a training ends when something fails before or in it.

DeepFaceLab's trainer has two threads. The working one prints an error and ends; the other waits for the first preview,
for ever if there was an error before it, and then ends the program as if all had been well.
"""
import os
import sys
import traceback

from .. import host


class Ending:
    """Lets the program end, and keeps what the training failed by: `error` (an exception, or None).

    trainer: the module mainscripts.Trainer, whose `trainerThread(s2c, c2s, event, ...)` works. One without it stays as
    it is.
    """

    def __init__(self, trainer):
        self.error = None
        work = getattr(trainer, "trainerThread", None)
        if work is None:
            return

        def always_telling(s2c, c2s, event, *arguments, **options):
            try:
                return work(s2c, c2s, event, *arguments, **options)
            finally:
                event.set()

        trainer.trainerThread = always_telling
        trainer.traceback = self     # the thread prints errors by it, and nothing else

    def exit_code(self, *folders):
        """Return the program's exit code: 0, or 1 after a UserError, whose words the trainer has printed.

        folders: those of the faces, of which DeepFaceLab does not say where there are none. Raises what else failed.
        """
        if self.error is None:
            return 0
        if isinstance(self.error, host.UserError):
            return 1
        if "No training data provided" in str(self.error):
            raise host.UserError("There are no faces to train with in one of these folders: {}. Extract them first "
                                 "(steps 4 and 5).".format(" and ".join(folders))) from self.error
        raise self.error

    def print_exc(self, *arguments, **options):
        """Remember the error that is being handled, whose words the trainer has printed; with DFL_DEBUG=1 print all."""
        self.error = sys.exc_info()[1]
        if os.environ.get("DFL_DEBUG") == "1":
            traceback.print_exc(*arguments, **options)

    def __getattr__(self, name):
        return getattr(traceback, name)
