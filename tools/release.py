"""Make the archive that users unpack into the folder of their DeepFaceLab.

    python tools/release.py [--commit HEAD] [--to dist]

Writes deepfacelab-accel-VERSION.zip and prints its SHA-256. The same commit gives the same bytes on every machine:
contents, line ends, permissions and the time are those of the commit, the order is that of the names, and nothing
is compressed (compressors differ between versions). Inside is one folder, so unpacking it over a build replaces
nothing; its SHA256SUMS lets the installer see whether it arrived whole.
"""
import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
from installer import sums  # noqa: E402

LEFT_OUT = (".ci/", ".git")              # what only developers need


def contents(commit):
    """Return ({name: (content, executable)}, time of the commit) of the tracked files, with their line ends."""
    tar = subprocess.check_output(["git", "-C", ROOT, "archive", "--format=tar", commit])
    when = int(subprocess.check_output(["git", "-C", ROOT, "log", "-1", "--format=%ct", commit]))
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            if member.isfile() and not member.name.startswith(LEFT_OUT):
                found[member.name] = archive.extractfile(member).read(), bool(member.mode & 0o100)
    return found, when


def list_of_hashes(found):
    """Return the text of SHA256SUMS (bytes), as sha256sum writes and checks it."""
    lines = ["{}  {}\n".format(hashlib.sha256(found[name][0]).hexdigest(), name) for name in sorted(found)]
    return "".join(lines).encode("utf-8")


def build(commit):
    """Return (name of the archive without suffix, its bytes)."""
    found, when = contents(commit)
    version = re.search(rb'^version = "(.+)"$', found["pyproject.toml"][0], re.MULTILINE).group(1).decode()
    name = "deepfacelab-accel-" + version
    found[sums.NAME] = list_of_hashes(found), False
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(found):
            content, executable = found[path]
            entry = zipfile.ZipInfo("{}/{}".format(name, path), time.gmtime(when)[:6])
            entry.create_system = 3      # so that Linux sees the permissions, whatever system this is made on
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            archive.writestr(entry, content)
    return name, stream.getvalue()


def main(words=None):
    parser = argparse.ArgumentParser(description="Make the release archive.")
    parser.add_argument("--commit", default="HEAD", help="what to release (HEAD)")
    parser.add_argument("--to", default=os.path.join(ROOT, "dist"), metavar="DIR", help="where to write it (dist)")
    arguments = parser.parse_args(words)
    name, data = build(arguments.commit)
    os.makedirs(arguments.to, exist_ok=True)
    path = os.path.join(arguments.to, name + ".zip")
    with open(path, "wb") as stream:
        stream.write(data)
    print("{}  {}".format(hashlib.sha256(data).hexdigest(), path))


if __name__ == "__main__":
    sys.exit(main())
