"""What is to be done with each file, decided before anything is changed."""
import collections
import os

from accel import files, host
from installer import interface
from installer.overlay import sha256

Step = collections.namedtuple("Step", "path action reason")
Step.__doc__ = """What happens to one file. path: below the tree, with forward slashes; action: ADD, REPLACE, SAME
(it is ours already), THEIRS (the fork's file stays) or NOT_NEEDED; reason: for the last two, a few words."""

ADD, REPLACE, SAME, THEIRS, NOT_NEEDED = "add", "replace", "same", "theirs", "not needed"


class Plan:
    """All Steps, and the Version that the tree is without the overlay."""

    def __init__(self, steps, version, foreign):
        self.steps, self.version, self.foreign = steps, version, foreign

    def paths(self, *actions):
        """Return the paths whose step is one of these actions, in the order of putting files there."""
        return [step.path for step in self.steps if step.action in actions]


def make(build, new, record, known, force=False):
    """Return the Plan for a Build.

    new: {path: content} of the overlay; record: the Record of an earlier installation or an empty one; known:
    versions.Known; force: replace a fork's files too. Raises host.UserError where a fork has its own `accel`.
    """
    bare = BareTree(build, record)
    if not force and bare.has_own_accel():
        raise host.UserError("This DeepFaceLab has a package accel of its own, which the overlay would replace. "
                             "Nothing was changed. With --force it is kept aside and replaced.")
    version = known.identify(bare.read)
    foreign = [path for path in new if not path.startswith("accel/") and bare.read(path) is not None
               and not known.is_stock(path, bare.read(path))]
    reasons = {} if force else _theirs(build, new, bare, known, foreign)
    steps = []
    for path in new:
        there = read(build.tree, path)
        if path in reasons:
            action = THEIRS if bare.read(path) is not None else NOT_NEEDED
        elif there is None:
            action = ADD
        else:
            action = SAME if there == new[path] else REPLACE
        steps.append(Step(path, action, reasons.get(path)))
    return Plan(steps, version, foreign)


def _theirs(build, new, bare, known, foreign):
    """{path: reason} of the files that stay, or stay away."""
    reasons = {}
    main = bare.read("main.py")
    if main is not None and not known.main_fits(main):
        reasons["main.py"] = "it is not the one this overlay was made for"
        reasons["command_line.py"] = "it belongs to our main.py"
    others = None
    for path in foreign:
        if path in reasons or path == "command_line.py":
            continue
        if others is None:
            replaced = [path for path in new if path not in foreign and path not in reasons]
            others = interface.sources(build.tree, replaced)
        used = interface.used_additions(path, bare.read(path), new[path],
                                        {name: others[name] for name in others if name != path})
        if used:
            reasons[path] = "other modules use what only it has: {}".format(", ".join(used[:4]))
    if "mainscripts/Sorter.py" in reasons and "main.py" not in reasons:
        reasons["main.py"] = "it belongs to this DeepFaceLab's own Sorter"
        reasons["command_line.py"] = "it belongs to our main.py"
    return reasons


def read(folder, path):
    """Return the content of a file below a folder (bytes), or None where there is none."""
    try:
        return files.read_bytes(os.path.join(folder, *path.split("/")))
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_edited(path, content):
    """Tell whether a file that is neither ours nor the kept original is ours with changes by hand.

    Ours belong to the engine or import it; the files of a newer DeepFaceLab copied over the tree do not.
    """
    return path.startswith("accel/") or b"accel" in content


class BareTree:
    """A tree as it would be without the overlay: kept originals in the places of our files."""

    def __init__(self, build, record):
        self._build, self._record = build, record
        self._read = {}

    def read(self, path):
        """Return a file's content (bytes), None where there would be none."""
        if path not in self._read:
            self._read[path] = self._find(path)
        return self._read[path]

    def _find(self, path):
        there = read(self._build.tree, path)
        entry = self._record.files.get(path)
        if entry is None or there is not None and sha256(there) not in entry.ours and not is_edited(path, there):
            return there
        return entry.original and read(self._build.kept, entry.original.kept)

    def has_own_accel(self):
        """Tell whether there is a package `accel` that is not the overlay's."""
        return (self.read("accel/__init__.py") is not None
                and read(self._build.tree, "accel/kernel_cache.py") is None)
