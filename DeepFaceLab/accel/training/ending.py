"""How a training ends when something fails before or in it.

DeepFaceLab's trainer has two threads. The working one prints an error and ends; the other waits for the first preview,
for ever if there was an error before it, and then ends the program as if all had been well.
"""
import traceback


class Ending:
    """Lets the program end, and tells whether the training failed: `failed` (bool).

    trainer: the module mainscripts.Trainer, whose `trainerThread(s2c, c2s, event, ...)` works. One without it stays as
    it is.
    """

    def __init__(self, trainer):
        self.failed = False
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

    def print_exc(self, *arguments, **options):
        """Print the error that is being handled, as the module traceback does, and remember it."""
        self.failed = True
        traceback.print_exc(*arguments, **options)

    def __getattr__(self, name):
        return getattr(traceback, name)
