"""Trees and workspaces in which `main.py extract` can be run without DeepFaceLab, its weights or a photograph.

    tree = build_table_tree(folder)            the overlay; its networks are benchmarks/table_networks.py
    space = build_workspace(folder, [Shot(), Shot(faces=3), Shot(turn=90)])     stamped frames in data_src
    run(tree, words(space, "--yes"))           (exit code, everything that was shown)
    extract(space, face_type="head")           the same in this process, the questions answered; what was shown

    tree = build_tree(folder, weights(folder))        the overlay with the networks of benchmarks/marker_networks.py;
                                                      frames for it: benchmarks/marker_frames.py
"""
import collections
import contextlib
import functools
import io
import os
import shutil
import sys
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from accel.extract import extraction
from benchmarks import marker_networks, merge_trees, portrait_frames, table_networks
from mainscripts import Extractor
from merge_workspace import contents, picture_at, run, start
from naive import metadata

__all__ = ["contents", "picture_at", "run", "start"]

PROGRAM = merge_trees.PROGRAM
TABLE = table_networks.__file__
RECORD, LOCK = ".extraction", ".extraction_lock"
FACE_SIZE = 96                 # of the faces that `extract` makes, px

# The words of the .bat files behind the folders, by their numbers.
LINES = {"4": ("--detector", "s3fd"), "4 MANUAL": ("--detector", "manual"),
         "5": ("--detector", "s3fd", "--max-faces-from-image", "0", "--output-debug"),
         "5 + manual fix": ("--detector", "s3fd", "--max-faces-from-image", "0", "--output-debug", "--manual-fix"),
         "5 MANUAL": ("--detector", "manual", "--max-faces-from-image", "0", "--output-debug"),
         "5 MANUAL RE-EXTRACT": ("--detector", "manual", "--max-faces-from-image", "0", "--output-debug",
                                 "--manual-output-debug-fix")}
ANSWERED = {"detector": "s3fd", "output_debug": False, "face_type": "whole_face", "max_faces_from_image": 0,
            "image_size": FACE_SIZE, "jpeg_quality": 90, "cpu_only": True}

# What may be wrong or unusual about a frame.
GREY, ALPHA, DEEP = "grey", "alpha", "16 bit"
EMPTY, TEXT, TRUNCATED = "empty", "text", "truncated"

Shot = collections.namedtuple("Shot", "size faces turn kind number")
Shot.__doc__ = """A stamped frame. size: (width, height), px; faces: how many; turn: the side on which they stand,
degrees clockwise; kind: None or GREY, ALPHA, ...; number: of the stamp, None for that of its file."""
Shot.__new__.__defaults__ = ((240, 180), 1, 0, None, None)

Workspace = collections.namedtuple("Workspace", "folder frames aligned debug shots")
Workspace.__doc__ = """folder, and in it frames, aligned and debug (the last two need not be there) are pathlib paths;
shots: {file name of a frame: Shot}."""


# --- trees ------------------------------------------------------------------------------------

def weights(folder):
    """Write the marker networks' weights (270 MB) to a new folder. Return it."""
    marker_networks.write(str(folder))
    return folder


def link_weights(weights_folder, tree):
    """Let a tree have weights without copying them, where the file system can."""
    for path in Path(str(weights_folder)).glob("*.npy"):
        target = os.path.join(str(tree), "facelib", path.name)
        with contextlib.suppress(FileNotFoundError):
            os.remove(target)
        try:
            os.link(str(path), target)
        except OSError:
            shutil.copyfile(str(path), target)


def build_tree(folder, weights_folder=None):
    """Make a tree of the overlay alone. Return its path (str)."""
    tree = merge_trees.lay_over(PROGRAM, str(folder)) or str(folder)
    if weights_folder is not None:
        link_weights(weights_folder, tree)
    return tree


def build_table_tree(folder):
    """Make a tree of the overlay whose networks are the table. Return its path (str)."""
    tree = build_tree(folder)
    shutil.copyfile(TABLE, os.path.join(tree, "accel", "nets", "loading.py"))
    return tree


def lay_table_over_stock(tree):
    """Put the table into a tree of stock, in the place of its networks."""
    for name in ("S3FDExtractor.py", "FANExtractor.py"):
        shutil.copyfile(TABLE, os.path.join(str(tree), "facelib", name))


# --- workspaces -------------------------------------------------------------------------------

def build_workspace(folder, shots=(Shot(),), suffix=".png", names=None, first=1, dst=False):
    """Write frames 00001.png and on, or of these names, into data_src or data_dst. Return a Workspace.

    shots: a Shot for each, or how many of the usual ones.
    """
    shots = [Shot()] * shots if isinstance(shots, int) else shots
    frames = Path(str(folder)) / ("data_dst" if dst else "data_src")
    frames.mkdir(parents=True, exist_ok=True)
    space = Workspace(Path(str(folder)), frames, frames / "aligned", frames / "aligned_debug",
                      collections.OrderedDict())
    for index, shot in enumerate(shots, first):
        name = "{:05d}{}".format(index, suffix) if names is None else names[index - first]
        space.shots[name] = shot._replace(number=index) if shot.number is None else shot
        write_frame(frames / name, space.shots[name])
    return space


def write_frame(path, shot):
    """Write a stamped frame, or what is wrong with it."""
    path = Path(str(path))
    if shot.kind == EMPTY:
        content = b""
    elif shot.kind == TEXT:
        content = b"This is no picture.\n" * 40
    else:
        content = portrait_frames.encode(draw(shot), path.suffix.lower())
    portrait_frames.write(str(path), content[:len(content) // 3] if shot.kind == TRUNCATED else content)


def draw(shot):
    """Draw a stamped frame, as its file holds it."""
    picture = _ground(shot.size).copy()
    if shot.kind == GREY:
        picture = picture[..., 1].copy()
    elif shot.kind == ALPHA:
        picture = np.dstack([picture, picture[..., 0]])
    elif shot.kind == DEEP:
        picture = picture.astype(np.uint16) * 257
    table_networks.stamp(picture, shot.number or 0, shot.faces, shot.turn)
    return picture


@functools.lru_cache(maxsize=16)
def _ground(size):
    width, height = size
    noise = np.random.RandomState(7).randint(0, 256, (height // 12 + 2, width // 12 + 2, 3)).astype(np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def expected(shot, accurate=True, three_d=False):
    """What the table finds in a frame whose faces stand upright: [(rectangle, landmarks)]."""
    return [(rect, table_networks.landmarks_in(rect, 4 * shot.number, accurate, three_d))
            for rect in table_networks.rects_of(shot.number, shot.faces, shot.size)]


# --- what came of it --------------------------------------------------------------------------

def files(folder):
    """The pictures in a folder: {file name: bytes}; none if it is not there."""
    folder = Path(str(folder))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())
            if path.is_file() and not path.name.startswith(".")} if folder.is_dir() else {}


def names(folder):
    """Names of all that a folder holds, but for the record and folders."""
    return sorted(path.name for path in Path(str(folder)).iterdir() if path.is_file() and path.name != RECORD)


def faces_of(space):
    """Which faces the frames of a workspace have: their file names, sorted."""
    return sorted("{}_{}.jpg".format(Path(name).stem, face) for name, shot in space.shots.items()
                  if shot.kind not in (EMPTY, TEXT, TRUNCATED) for face in range(shot.faces))


def about(path):
    """The metadata of a face: dict."""
    return metadata.read_metadata(path)[1]


# --- runs -------------------------------------------------------------------------------------

def words(space, *further, line="4"):
    """The words of a .bat file for a workspace (list of str), with further ones behind."""
    return ["extract", "--input-dir", str(space.frames), "--output-dir", str(space.aligned)] + list(
        LINES[line]) + list(further)


def extract(space, typed="", **options):
    """Extract in this process, with the table. Return what was shown; options: as Extractor.main takes them.

    What is not given has been answered (ANSWERED); None for an option lets it be asked for, and the typed text answer.
    """
    given = dict(ANSWERED, input_path=space.frames, output_path=space.aligned)
    given.update(options)
    shown = io.StringIO()
    with mock.patch.object(extraction.loading, "load", table_networks.load), \
            mock.patch.object(sys, "stdin", io.StringIO(typed)), \
            contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            Extractor.main(**given)
        except Exception as error:
            error.shown = shown.getvalue()
            raise
    return shown.getvalue()
