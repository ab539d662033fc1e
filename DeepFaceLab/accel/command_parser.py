"""What the options of a command line are made of: kinds of values, and a parser that knows them."""
import argparse
import os


def full_path(text):
    """Return a typed path (str) as an absolute one."""
    return os.path.abspath(os.path.expanduser(text))


def positive(text):
    """Return a typed number (int) of at least 1. Raises ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def setting(text):
    """Return (name, value) of a merge setting."""
    from .merge import settings
    try:
        return settings.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))


class FlagInsteadOf(argparse.Action):
    """A flag with which some required options need not be given. others: list of their actions."""

    def __init__(self, others, **options):
        super().__init__(nargs=0, default=False, **options)
        self._others = others

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, True)
        for action in self._others:
            action.required = False


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser with the few kinds of options that DeepFaceLab's commands are made of."""

    def path(self, option, help=None, required=True):
        """An option with a path. Return its action."""
        return self.add_argument(option, required=required, type=full_path, metavar="PATH", help=help)

    def flag(self, option, help=""):
        """An option without a value: False or True."""
        self.add_argument(option, action="store_true", default=False, help=help)

    def choice(self, yes, no, help):
        """Two options for one question, which is asked (None) if neither is given."""
        either = self.add_mutually_exclusive_group()
        name = yes.lstrip("-").replace("-", "_")
        either.add_argument(yes, dest=name, action="store_true", default=None, help=help)
        either.add_argument(no, dest=name, action="store_false", default=None, help=argparse.SUPPRESS)

    def number(self, option, help, default=None):
        """An option with an int."""
        self.add_argument(option, type=int, metavar="N", default=default, help=help)

    def text(self, option, help, default=None):
        """An option with a text."""
        self.add_argument(option, default=default, metavar="TEXT", help=help)

    def model(self, names):
        """The kind of a model. names: of those that there are."""
        self.add_argument("--model", dest="model_name", required=True, choices=names, help="Kind of model.")

    def devices(self):
        """What the networks work on."""
        self.flag("--cpu-only", help="Use the processor, no graphics card.")
        self.text("--force-gpu-idxs", help="Numbers of the graphics cards to use, with commas between them.")

    def unattended(self):
        """What a run without a person needs."""
        self.flag("--yes", help="Take the default of every question.")
        self.add_argument("--log", type=full_path, metavar="FILE", default=None,
                          help="Add everything shown, with times, to this text file.")
