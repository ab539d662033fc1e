"""Did a release arrive whole? Imports nothing of the project, whose other files may be the damaged ones."""
import hashlib
import os

NAME = "SHA256SUMS"            # one line a file, as sha256sum writes them; tools/release.py makes it


def damaged(root):
    """Return the names of files that are not as the list of hashes has them; a checkout has no list and none."""
    try:
        with open(os.path.join(root, NAME), encoding="utf-8") as stream:
            lines = [line.rstrip("\n").partition("  ") for line in stream]
    except OSError:
        return []
    return [name for digest, _, name in lines if _sha256(os.path.join(root, *name.split("/"))) != digest]


def _sha256(path):
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return None
