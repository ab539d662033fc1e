"""The checks of an installed tree: every sort, undo, a face read and saved, and the command of the .bat files.

Each check returns what to say when all is well, or raises Wrong. They work on copies of faces that they made.
"""
import collections
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from installer.self_test_report import Wrong

COMMAND_SECONDS = 300     # a fork's start may load TensorFlow first
TYPED_METHOD = "hist"     # number 5, which Enter alone gives too
TARGET = 12               # fewer than there are faces, so that some go to trash

Check = collections.namedtuple("Check", "method like folder answers")
Check.__doc__ = """A sort to check. method: key of the Sorter's registry; like: what to add to its name; folder: of
faces to sort; answers: to the method's questions (dict)."""

_SPECIAL = {
    "absdiff": [Check("absdiff", ", similar", "one size", {"similar": True}),
                Check("absdiff", ", dissimilar", "one size", {"similar": False})],
    "final": [Check("final", "", "mixed", {"target_count": TARGET})],
    "final-fast": [Check("final-fast", "", "mixed", {"target_count": TARGET})],
}


def make_facesets(place):
    """Make the faces that are sorted: the folders `mixed` and `one size` (str: place) below a new folder."""
    from benchmarks import workspace
    # seed 5 has frames with two faces, which "one face in image" needs
    workspace.make_faceset(os.path.join(place, "mixed"), 24, seed=5, sizes=[96, 128], ties=True, png=1, non_dfl=1)
    workspace.make_faceset(os.path.join(place, "one size"), 12, seed=6, size=96, ties=True, png=1)


def sort_checks(methods):
    """Return the Checks (list) of all methods (keys of the Sorter's registry)."""
    checks = []
    for method in methods:
        checks += _SPECIAL.get(method, [Check(method, "", "mixed", {})])
    return checks


# --- sorts -----------------------------------------------------------------------------------

def check_sort(check, pristine, place):
    """Sort a copy of a folder with the installed Sorter and compare with the oracle; then undo it if it trashes.

    pristine: folder (str) of the faces; place: new folder for the copy, removed at the end.
    """
    from mainscripts import Sorter
    folder = copy_faces(pristine, place)
    Sorter.main(Path(folder), sort_by_method=check.method, **check.answers)
    refuse_loss(pristine, place)
    refuse_other_order(pristine, place, expected(check, pristine))
    if check.method == "final":
        Sorter.main(Path(folder), undo=True)
        refuse_loss(pristine, place)
        if hashes(folder) != hashes(pristine):
            raise Wrong("undo does not give the files their names back")
    shutil.rmtree(place)
    return "equal, and undone" if check.method == "final" else "equal"


def copy_faces(pristine, place):
    """Return the path of a copy (of hard links) of a folder, in a new folder that gets the trash too."""
    from benchmarks import workspace
    folder = os.path.join(place, "aligned")
    os.mkdir(place)
    workspace.copy_faceset(pristine, folder)
    return folder


def expected(check, pristine):
    """Return what the oracle makes of a folder: ({new name: hash}, hashes of the trash in any order, sorted)."""
    from naive import sort as naive_sort
    by_name = hashes(pristine)
    ordered, trashed = naive_sort.rank(check.method, pristine, target=check.answers.get("target_count", 2000),
                                       similar=check.answers.get("similar", True))
    if not ordered and not trashed:
        return by_name, []
    kept = {"{:05d}{}".format(place, os.path.splitext(name)[1]): by_name[name]
            for place, name in enumerate(ordered)}
    return kept, sorted(by_name[name] for name in trashed)


def refuse_loss(pristine, place):
    """Raise Wrong unless all faces are somewhere below a folder, each with its content."""
    before = collections.Counter(hashes(pristine).values())
    after = collections.Counter()
    for folder, _, _ in os.walk(place):
        after.update(hashes(folder).values())
    lost, new = sum((before - after).values()), sum((after - before).values())
    if lost or new:
        raise Wrong("{} of {} files are LOST OR CHANGED, {} are new".format(lost, sum(before.values()), new))


def refuse_other_order(pristine, place, wanted):
    """Raise Wrong unless a sorted folder and its trash are as the oracle wants them.

    Copies of one face may be in each other's place: rounding decides between them.
    """
    kept, trashed = wanted
    found = hashes(os.path.join(place, "aligned"))
    others = [folder for folder in sorted(os.listdir(place)) if folder != "aligned"]
    found_trash = sorted(value for folder in others for value in hashes(os.path.join(place, folder)).values())
    if found_trash != trashed:
        raise Wrong("{} faces are in trash, and not the {} that should be".format(len(found_trash), len(trashed)))
    order, wanted_order = [[names[name] for name in sorted(names)] for names in (found, kept)]
    different = [place for place, pair in enumerate(zip(order, wanted_order)) if pair[0] != pair[1]]
    if different or len(order) != len(wanted_order):
        raise Wrong("another order: {} of {} faces are in another place".format(len(different), len(wanted_order)))
    if found != kept:
        raise Wrong("the files have other names than they should")


def hashes(folder):
    """Return {name: SHA-256 (str)} of the files directly in a folder; the sort's own hidden ones left out."""
    found = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not name.startswith("."):
            with open(path, "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


# --- one face --------------------------------------------------------------------------------

def check_face(pristine, place):
    """Read a face with the installed DFLIMG, save it with other metadata, and read it again."""
    from DFLIMG import DFLIMG
    from naive import metadata as naive_metadata
    os.mkdir(place)
    name = next(name for name in sorted(os.listdir(pristine))
                if naive_metadata.read_metadata(os.path.join(pristine, name))[1])
    path = os.path.join(place, name)
    shutil.copyfile(os.path.join(pristine, name), path)
    wanted = naive_metadata.read_metadata(path)[1]
    face, picture = _load(DFLIMG, path), _picture(path)
    if not same(face.get_dict(), wanted):
        raise Wrong("a face is read with other metadata than it has")
    face.set_source_filename("saved again.png")
    face.save()
    wanted["source_filename"] = "saved again.png"
    if not same(_load(DFLIMG, path).get_dict(), wanted):
        raise Wrong("a face that was saved and read again has other metadata")
    if not (_picture(path) == picture).all():
        raise Wrong("a face that was saved has another picture")
    shutil.rmtree(place)
    return "equal"


def _load(dflimg, path):
    face = dflimg.load(Path(path))
    if face is None or not face.has_data():
        raise Wrong("a face is not recognised as one")
    return face


def _picture(path):
    import cv2
    import numpy as np
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def same(metadata, wanted):
    """Tell whether two pieces of metadata hold the same keys, values and kinds of values."""
    if type(metadata) is not type(wanted):
        return False
    if isinstance(wanted, dict):
        return sorted(metadata) == sorted(wanted) and all(same(metadata[key], wanted[key]) for key in wanted)
    if isinstance(wanted, (list, tuple)):
        return len(metadata) == len(wanted) and all(map(same, metadata, wanted))
    if hasattr(wanted, "tobytes"):     # arrays and numbers of numpy
        return (metadata.dtype, metadata.shape, metadata.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
    return metadata == wanted


# --- the command of the .bat files -----------------------------------------------------------

def check_command(tree, pristine, place, number, wanted):
    """Start main.py as the .bat files do and type a method's number.

    wanted: what `expected` returns, or None where only the files themselves are checked.
    """
    folder = copy_faces(pristine, place)
    temp = place + " temp"
    os.mkdir(temp)
    output = run_command([sys.executable, os.path.join(tree, "main.py"), "sort", "--input-dir", folder],
                         "{}\n".format(number), os.path.dirname(place), temp)
    print(output)
    refuse_loss(pristine, place)
    if wanted is not None:
        refuse_other_order(pristine, place, wanted)
    shutil.rmtree(place)
    return "no file is lost" if wanted is None else "equal"


def run_command(command, typed, folder, temp):
    """Run a command (list of str) in a folder with what is typed (str). Return its output (str); raises Wrong.

    temp: folder for its temporary files.
    """
    # DFL_DEBUG: the overlay's main.py then shows the traceback of what nobody foresaw
    environment = dict(os.environ, DFL_DEBUG="1", **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temp))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               cwd=folder, env=environment)
    try:
        output = process.communicate(typed.encode(), timeout=COMMAND_SECONDS)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        raise Wrong("the command has not ended after {} seconds".format(COMMAND_SECONDS))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode:
        print(output)
        lines = [line for line in output.splitlines() if line.startswith("/!\\")] or output.splitlines() or [""]
        # the log that the line names goes with the folder; the traceback is in our details
        raise Wrong("the command ended with code {}: {}".format(
            process.returncode, lines[-1].split(" Details: ")[0].strip()))
    return output
