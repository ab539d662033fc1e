"""Which DeepFaceLab a tree is: told by fingerprints of the files that the overlay replaces.

known_versions.json (made by tools/known_versions.py from DeepFaceLab's history) holds
    commits: [[name, date], ...]  those that changed one of the files, oldest first
    last:    [name, date]         the newest commit of all
    files:   {path: [[i, fingerprint or null], ...]}  from commit i on the file looked so; null: not there
"""
import collections
import hashlib
import json
import os

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "known_versions.json")

# From this commit on main.py calls its modules as the last one does, so that ours can take its place; the
# Windows builds of 11_20_2021 are later. An older main.py belongs to older modules.
MAIN_SINCE = "63c794b"

Version = collections.namedtuple("Version", "kind text differs")
Version.__doc__ = """What a tree was found to be. kind: "stock", "older" (a known state before the last one) or
"changed" (a fork, a newer one, or edited by hand); text: a few words about it; differs: paths of the files
that are not as in the known state nearest to the tree, sorted."""


def fingerprint(content):
    """Return 16 hex digits for a source file (bytes); the kind of line ends does not count.

    Windows builds and clones hold the same sources with either kind.
    """
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()[:16]


class Known:
    """The table of known states."""

    def __init__(self, table):
        self.commits, self.last, self.files = table["commits"], table["last"], table["files"]

    @classmethod
    def load(cls, path=TABLE):
        with open(path, encoding="ascii") as stream:
            return cls(json.load(stream))

    def state(self, path, number):
        """Return a file's fingerprint at commit `number`, None where it was not there."""
        found = None
        for since, print_ in self.files[path]:
            if since <= number:
                found = print_
        return found

    def identify(self, read):
        """Tell which DeepFaceLab it is. read: function(path) -> content (bytes) or None. Return a Version.

        Of all known states the one with the fewest differing files is taken, of equal ones the newest.
        """
        prints = {path: read(path) for path in self.files}
        prints = {path: None if content is None else fingerprint(content) for path, content in prints.items()}
        differing = [[path for path in sorted(prints) if prints[path] != self.state(path, number)]
                     for number in range(len(self.commits))]
        fewest = min(map(len, differing))
        number = max(i for i, paths in enumerate(differing) if len(paths) == fewest)
        newest = number == len(self.commits) - 1
        name, date = self.last if newest else self.commits[number]
        if not fewest:
            kind = "stock" if newest else "older"
            text = "{} DeepFaceLab, {} of {}".format("stock" if newest else "an older stock", name, date)
            return Version(kind, text + (" (the last one)" if newest else ""), [])
        text = "a fork, or a newer or edited DeepFaceLab; nearest to {} of {}".format(name, date)
        return Version("changed", text, differing[number])

    def is_stock(self, path, content):
        """Tell whether a file (bytes) is as stock had it at some commit; False for files stock never had."""
        return fingerprint(content) in [print_ for _, print_ in self.files.get(path, [])]

    def main_fits(self, content):
        """Tell whether a main.py (bytes) is one whose place ours can take."""
        names = [name for name, _ in self.commits]
        since = names.index(MAIN_SINCE) if MAIN_SINCE in names else 0
        good = {self.state("main.py", number) for number in range(since, len(names))}
        return fingerprint(content) in good
