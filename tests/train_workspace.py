"""Trees and workspaces in which `main.py train` can be run on a processor, on faces that are no photographs.

    tree = lay_probe(merge_trees.copy_tree(...))       a DeepFaceLab whose random draws are the same in every run
    space = build_workspace(folder)                    faces in data_src/aligned and data_dst/aligned, no model yet
    ended = train(tree, python, space, SAEHD, 4)       an Ended; raises what a run that is no training shows
    saved(space, SAEHD)                                what the model's file holds

The program is stopped by DeepFaceLab's own --execute-program, at a number of iterations.
"""
import collections
import contextlib
import glob
import json
import os
import pickle
import shutil
import signal
import subprocess
import time
from pathlib import Path

from benchmarks import workspace

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parity", "train_probe.py")
HOOKS = {"core/mplib/__init__.py": "seed_hosts(globals())",
         "samplelib/SampleGeneratorFace.py": "seed_batches(SampleGeneratorFace)",
         "samplelib/SampleGeneratorFaceXSeg.py": "seed_masks(globals())",
         "samplelib/SampleGeneratorImage.py": "seed_batches(SampleGeneratorImage)",
         "models/ModelBase.py": "note_batches(ModelBase)"}
FACE_SIZE = 160                # px
_FRAME_HEAD = b"\xff\xc0\x00\x11\x08"     # SOF0, its length, bits of a sample

Workspace = collections.namedtuple("Workspace", "folder src dst model notes")
Workspace.__doc__ = """folder, and in it src and dst (faces), model, and notes (a file: see
tests/parity/train_probe.py), are pathlib paths."""

Model = collections.namedtuple("Model", "name typed files")
Model.__doc__ = """name: of the class; typed: answers at the questions of its first run; files: how many it saves."""

# hours between backups, history, iterations, flips of src and dst, batch; resolution, face type, kind; dimensions
_FIRST = ["", "", "", "", "", "2", "64", "wf", "liae-ud", "32", "16", "16", "16"]
# masked, eyes and mouth, uniform yaw, blur; on GPU, AdaBelief, dropout, warp, hue, GAN, styles, transfer, clip,
# pretraining
_SECOND = ["y", "y", "n", "n", "", "", "n", "y", "0.05", "0", "0", "0", "rct", "n", "n"]
SAEHD = Model("SAEHD", _FIRST + _SECOND, 5)
QUICK96 = Model("Quick96", [], 5)
XSEG = Model("XSeg", ["wf", "2", "n"], 2)

Ended = collections.namedtuple("Ended", "code shown batches children")
Ended.__doc__ = """A run: exit code, what was shown (str), what the trainer took and what the processes of generators
noted (see tests/parity/train_probe.py)."""


# --- trees ------------------------------------------------------------------------------------

def lay_probe(tree):
    """Put tests/parity/train_probe.py into a DeepFaceLab tree, its calls into stock's modules. Return the tree."""
    shutil.copyfile(PROBE, os.path.join(str(tree), "train_probe.py"))
    for name, call in HOOKS.items():
        path = os.path.join(str(tree), *name.split("/"))
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        os.unlink(path)                                   # it may be a hard link
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("{}\n\n\nimport train_probe\ntrain_probe.{}\n".format(text, call))
    return tree


# --- workspaces -------------------------------------------------------------------------------

def build_workspace(folder, src=9, dst=7, seed=0):
    """Make faces: some with XSeg masks, some with polygons. Return a Workspace."""
    folder = Path(str(folder))
    space = Workspace(folder, folder / "data_src" / "aligned", folder / "data_dst" / "aligned", folder / "model",
                      folder / "notes.txt")
    space.model.mkdir(parents=True)
    for number, (place, count) in enumerate(((space.src, src), (space.dst, dst))):
        workspace.make_faceset(str(place), count, seed + number, size=FACE_SIZE, quality=95, xseg_every=3,
                               polys_every=2)
    return space


def copy(space, folder):
    """The same faces and model in another folder, without notes."""
    shutil.copytree(str(space.folder), str(folder))
    own = Workspace(*[Path(str(folder)) / place.relative_to(str(space.folder)) for place in space])
    for notes in glob.glob(str(own.notes) + "*"):
        os.unlink(notes)
    return own


def without_picture(content):
    """A face's JPEG (bytes) whose head can be read and whose picture cannot be decoded: it claims to have 12 bits."""
    assert content.count(_FRAME_HEAD) == 1
    return content.replace(_FRAME_HEAD, _FRAME_HEAD[:-1] + b"\x0c")


# --- runs -------------------------------------------------------------------------------------

def words(space, model, *further):
    """The words of a training's .bat file for a workspace (list of str), without a window, with further ones."""
    return ["train", "--training-data-src-dir", str(space.src), "--training-data-dst-dir", str(space.dst),
            "--model-dir", str(space.model), "--model", model.name, "--no-preview", "--cpu-only",
            "--force-model-name", "new"] + list(further)


def until(iteration):
    """Words that let a training stop at an iteration (counted from the first run), and the program end."""
    return ["--execute-program", "1", "model.target_iter = {}".format(iteration),
            "--execute-program", "-1", "if is_reached_goal: s2c.put({'op': 'close'})"]


def start(tree, python, space, spoken, **variables):
    """Start main.py of a tree in a session of its own. Return the Popen; it shows all on stdout."""
    return _start(python, [os.path.join(str(tree), "main.py")] + list(spoken), TRAIN_NOTES=str(space.notes),
                  **variables)


def _start(python, spoken, **variables):
    return subprocess.Popen([python, "-W", "ignore", "-u"] + list(spoken), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                            env=dict(os.environ, PYTHONIOENCODING="utf-8", CUDA_VISIBLE_DEVICES="-1",
                                     TF_CPP_MIN_LOG_LEVEL="3", **variables))


def run(tree, python, space, spoken, typed=(), timeout=900, **variables):
    """Run main.py of a tree. Return an Ended; every process of it is gone, or this raises AssertionError."""
    code, shown = _finish(start(tree, python, space, spoken, **variables), typed, timeout)
    return Ended(code, shown, notes_of(space), notes_of(space, ".children"))


def run_script(python, spoken, timeout=900):
    """Run a script with its words. Return an Ended, without notes; raises AssertionError as run does."""
    code, shown = _finish(_start(python, spoken), (), timeout)
    return Ended(code, shown, [], [])


def _finish(process, typed, timeout):
    try:
        shown = process.communicate("".join(line + "\n" for line in typed).encode(), timeout=timeout)[0]
    finally:
        left = end_session(process)
    assert left == [], left
    return process.returncode, shown.decode("utf-8", "replace")


def train(tree, python, space, model, iteration, *further, **options):
    """Train until an iteration, and check that it was one. Return an Ended. Options: as for run."""
    typed = model.typed if not is_begun(space, model) else ()
    ended = run(tree, python, space, words(space, model, *(until(iteration) + list(further))), typed, **options)
    assert ended.code == 0 and "Traceback" not in ended.shown and "Reached target" in ended.shown, ended.shown
    return ended


def end_session(process, patience=5.0):
    """Wait for the other processes of a session to end; kill the rest. Return their command lines."""
    until_then = time.time() + patience
    while process.poll() is not None and processes_of(process.pid) and time.time() < until_then:
        time.sleep(0.05)
    left = [command_line(pid) for pid in processes_of(process.pid)]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return left


def processes_of(session):
    """The living processes of a session: list of pid. Linux only."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open("/proc/{}/stat".format(name)) as stream:
                state = stream.read().rpartition(")")[2].split()
                if int(state[3]) == session and state[0] != "Z":
                    found.append(int(name))
    return found


def command_line(pid):
    with contextlib.suppress(OSError), open("/proc/{}/cmdline".format(pid), "rb") as stream:
        return stream.read().replace(b"\0", b" ").decode("utf-8", "replace")
    return str(pid)


# --- what came of it --------------------------------------------------------------------------

def notes_of(space, suffix=""):
    """The lines of the notes: list; none if there are no notes."""
    path = str(space.notes) + suffix
    if not os.path.exists(path):
        return []
    with open(path) as stream:
        return [json.loads(line) for line in stream]


def _data_file(space, model):
    name = "XSeg" if model.name == "XSeg" else "new_" + model.name
    return space.model / (name + "_data.dat")


def is_begun(space, model):
    return _data_file(space, model).exists()


def saved(space, model):
    """What a model's file holds: dict of iter, options, loss_history, sample_for_preview, ..."""
    return pickle.loads(_data_file(space, model).read_bytes())


def weights(space, model):
    """The files with a model's networks: {name: bytes}."""
    return {path.name: path.read_bytes() for path in space.model.glob("*.npy")}
