"""Takes out of a text what tells who somebody is: for samples and reports that users hand on."""
import getpass
import os
import platform
import re
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Scrubber(object):
    """Replaces folders by names of what they are, and the names of the user and of the computer.

    places: {path: name}, beside the project's own folder, the one for temporary files and the user's home.
    """

    def __init__(self, places=()):
        known = {tempfile.gettempdir(): "temp", os.path.expanduser("~"): "home", ROOT: "project"}
        known.update(places or {})
        names = {}
        for path, name in known.items():
            for spelled in _spellings(path):
                names[spelled] = "<{}>".format(name)
        self._names = {_folded(spelled): name for spelled, name in names.items()}
        longest_first = sorted(names, key=len, reverse=True)
        self._places = re.compile("|".join("{}(?![\\w.-])".format(re.escape(path)) for path in longest_first),
                                  re.IGNORECASE if os.name == "nt" else 0)
        words = [(word, name) for word, name in _words() if word and len(word) > 1]
        self._words = [(re.compile(r"(?<!\w){}(?!\w)".format(re.escape(word)), re.IGNORECASE), "<{}>".format(name))
                       for word, name in words]

    def __call__(self, text):
        """Return a text without them (str)."""
        text = self._places.sub(lambda found: self._names[_folded(found.group())], text)
        for pattern, name in self._words:
            text = pattern.sub(name, text)
        return text


def _spellings(path):
    """All ways in which a path may be written (set of str), none for the root of a disk."""
    found = set()
    for one in (os.path.abspath(path), os.path.realpath(path)):
        if os.path.dirname(one) != one:
            found |= {one, one.replace("\\", "/"), one.replace("\\", "\\\\")}
    return found


def _folded(path):
    return path.lower() if os.name == "nt" else path


def _words():
    """Names that tell a person: (word, what it is)."""
    try:
        user = getpass.getuser()
    except Exception:                # no such name: KeyError, OSError or ImportError, by the version of Python
        user = None
    found = {user, os.path.basename(os.path.expanduser("~"))}
    return [(word, "user") for word in sorted(filter(None, found))] + [(platform.node(), "computer")]
