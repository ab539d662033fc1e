"""Write installer/known_versions.json from a clone of DeepFaceLab: which file looked how at which commit.

    python tools/known_versions.py CLONE

CLONE: a folder of git (bare or not) with the whole history of github.com/iperov/DeepFaceLab. Only hashes,
dates and commit names are taken from it.
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
from installer import versions  # noqa: E402

# The files that this overlay replaces, or may come to replace.
PATHS = (
    "main.py", "DFLIMG/__init__.py", "DFLIMG/DFLIMG.py", "DFLIMG/DFLJPG.py", "core/imagelib/warp.py",
    "core/joblib/SubprocessGenerator.py", "facelib/FANExtractor.py", "facelib/S3FDExtractor.py",
    "mainscripts/Extractor.py", "mainscripts/Merger.py", "mainscripts/Sorter.py", "mainscripts/VideoEd.py",
    "merger/InteractiveMergerSubprocessor.py", "merger/MergeMasked.py", "samplelib/PackedFaceset.py",
    "samplelib/Sample.py", "samplelib/SampleLoader.py", "samplelib/SampleProcessor.py")
# Since then models are built on its own "leras"; older trees are not told apart.
FIRST_DAY = "2020-01-21"


def git(clone, *words):
    """Return what git prints (bytes)."""
    return subprocess.check_output(["git", "-C", clone] + list(words))


def history(clone):
    """Return the commits that changed one of PATHS, oldest first: list of [short name, date]."""
    lines = git(clone, "log", "--first-parent", "--reverse", "--abbrev=7", "--format=%h %cs", "HEAD", "--", *PATHS)
    commits = [line.split() for line in lines.decode().splitlines()]
    return [commit for commit in commits if commit[1] >= FIRST_DAY]


def content(clone, commit, path):
    """Return a file's content at a commit (bytes), or None where it was not there."""
    try:
        return subprocess.check_output(["git", "-C", clone, "show", "{}:{}".format(commit, path)],
                                       stderr=subprocess.DEVNULL)
    except subprocess.CalledProcessError:
        return None


def table(clone):
    """Return what known_versions.json holds (see installer.versions)."""
    commits = history(clone)
    files = {}
    for path in PATHS:
        states = []
        for number, (commit, _) in enumerate(commits):
            data = content(clone, commit, path)
            print_ = None if data is None else versions.fingerprint(data)
            if not states or states[-1][1] != print_:
                states.append([number, print_])
        files[path] = states
    last = git(clone, "log", "-1", "--abbrev=7", "--format=%h %cs", "HEAD").decode().split()
    return {"commits": commits, "last": last, "files": files}


if __name__ == "__main__":
    found = table(sys.argv[1])
    with open(versions.TABLE, "w", newline="\n") as file:
        lines = ['"{}": {}'.format(path, json.dumps(states)) for path, states in sorted(found["files"].items())]
        file.write('{{"commits": {},\n"last": {},\n"files": {{\n{}}}}}\n'.format(
            json.dumps(found["commits"]), json.dumps(found["last"]), ",\n".join(lines)))
    print("{} commits, {} states of {} files".format(
        len(found["commits"]), sum(map(len, found["files"].values())), len(PATHS)))
