"""A made-up DeepFaceLab: stock's layout and names, with small modules of our own in the places of stock's."""
import os

from installer import versions

# A command line as a fork may have it: few options, and the modules reached through stock's names.
MAIN = '''"""A made-up DeepFaceLab."""
import argparse
from pathlib import Path

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command")
    sort = commands.add_parser("sort")
    sort.add_argument("--input-dir", required=True)
    sort.add_argument("--by", default=None)
    words = parser.parse_args()
    from mainscripts import Sorter
    Sorter.main(input_path=Path(words.input_dir), sort_by_method=words.by)
    print("Done.")
'''

# By the first byte of the content: no real method, but it renames as a sort does.
SORTER = '''"""Made-up sorting."""


def main(input_path, sort_by_method=None):
    ranked = sorted(input_path.glob("*.*"), key=lambda path: path.read_bytes())
    for number, path in enumerate(ranked):
        path.rename(path.with_name("{:05d}_{}".format(number, path.suffix)))
'''

MODULES = {
    "main.py": MAIN,
    "mainscripts/Sorter.py": SORTER,
    "mainscripts/Util.py": '"""Made-up tools."""\nfrom DFLIMG import DFLIMG\n',
    "DFLIMG/__init__.py": "from .DFLIMG import DFLIMG\nfrom .DFLJPG import DFLJPG\n",
    "DFLIMG/DFLIMG.py": "class DFLIMG:\n    def load(path):\n        return None\n",
    "DFLIMG/DFLJPG.py": "class DFLJPG:\n    def load(path):\n        return None\n",
    "core/pathex.py": "def get_image_paths(folder):\n    return []\n",
    "facelib/__init__.py": "",
    "models/__init__.py": "",
}


def make_tree(folder, modules=MODULES):
    """Write the modules below a new folder (str): a DeepFaceLab. Return the folder."""
    for path, text in modules.items():
        write(folder, path, text)
    return folder


def make_windows_build(root):
    """Make what a Windows build has below a new folder (str). Return the path of its DeepFaceLab."""
    for name in ("_internal/ffmpeg", "workspace/data_src/aligned", "workspace/model"):
        os.makedirs(os.path.join(root, *name.split("/")))
    write(root, "_internal/setenv.bat", "@echo off\r\n")
    return make_tree(os.path.join(root, "_internal", "DeepFaceLab"))


def write(folder, path, text):
    """Write a text (str) or content (bytes) to a path below a folder."""
    target = os.path.join(folder, *path.split("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as stream:
        stream.write(text if isinstance(text, bytes) else text.encode("utf-8"))


def known_of(modules=MODULES):
    """Return a versions.Known to which these modules are stock."""
    prints = {path: [[0, versions.fingerprint(text.encode("utf-8"))]] for path, text in modules.items()}
    return versions.Known({"commits": [["0000001", "2020-02-02"]], "last": ["0000002", "2020-02-03"],
                           "files": prints})


def snapshot(folder):
    """Return {path below a folder: (content, permissions, time of change)} of all its files but caches."""
    found = {}
    for below, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = os.path.join(below, name)
            with open(path, "rb") as stream:
                status = os.stat(path)
                found[os.path.relpath(path, folder).replace(os.sep, "/")] = (
                    stream.read(), status.st_mode, status.st_mtime_ns)
    return found
