"""Trees and workspaces in which `main.py merge` can be run without DeepFaceLab, its models or a photograph.

    tree = build_tree(folder)                            the overlay, with tests/stand_in laid over it
    space = build_workspace(folder, 6, (320, 180))       frames of data_dst and their faces in data_dst/aligned
    run(tree, words(space, "--yes"))                     (exit code, everything that was shown)
    pack(space)                                          the faces in a faceset.pak instead

The network is the stand-in models.Model_Tiny; its file says which environment variables change it.
"""
import collections
import os
import pickle
import shutil
import struct
import subprocess
import sys
import types
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np

from benchmarks import merge_trees, portrait_frames, workspace
from benchmarks.portrait_frames import Head
from naive import metadata

WINDOW = ("merger/MergerScreen/MergerScreen.py",)
FACE_SIZE = 96                 # of the aligned faces, px: nothing but their metadata is read
TWO_HEADS = (Head(0.3, 0.45, 0.35, 0.04), Head(0.72, 0.5, 0.3, 0.04))

# What may be wrong or unusual about a frame of a workspace.
GREY, ALPHA, DEEP, CORRUPT, EMPTY, MISSING = "grey", "alpha", "16 bit", "corrupt", "empty", "missing"

Workspace = collections.namedtuple("Workspace", "folder frames aligned merged masks model marks")
Workspace.__doc__ = """A workspace: folder, and in it frames, aligned, merged, masks (the last two need not be there)
and model are pathlib paths; marks: {file name of a frame: [landmarks of each face, float64 (68, 2), px]}."""


# --- trees ------------------------------------------------------------------------------------

STAMP = ".merge_run"     # beside merged frames, until their run has ended


def build_tree(folder):
    """Make a tree of the overlay and of stand-ins for what it needs of DeepFaceLab. Return its path (str)."""
    return merge_trees.build_tree(str(folder))


def lay_over_deepfacelab(tree, window=False):
    """Put the stand-ins for networks into a DeepFaceLab tree with the model Tiny; window: that one, too."""
    for name in ("facelib/XSegNet.py", "facelib/FaceEnhancer.py") + (WINDOW if window else ()):
        shutil.copy(os.path.join(merge_trees.STAND_IN, name), os.path.join(str(tree), name))


# --- workspaces -------------------------------------------------------------------------------

def build_workspace(folder, count=6, size=(320, 180), suffix=".png", heads=(Head(),), without_face=(), kinds=None,
                    seed=0, first=1):
    """Make frames 00001.png and so on in data_dst, and what an extraction finds in them. Return a Workspace.

    In a folder that is there these are added, from number `first` on. heads: who is in the frames. without_face:
    numbers (from 0) of frames that show nobody, so that no face refers to them. kinds: {number: GREY, ALPHA, ...}; of
    the last three there are faces all the same.
    """
    folder = Path(str(folder))
    space = Workspace(folder, folder / "data_dst", folder / "data_dst" / "aligned", folder / "data_dst" / "merged",
                      folder / "data_dst" / "merged_mask", folder / "model", collections.OrderedDict())
    for place in (space.aligned, space.model):
        place.mkdir(parents=True, exist_ok=True)
    shot = portrait_frames.Shot(size, heads, seed)
    for number in range(count):
        picture, marks = shot.frame(number, () if number in without_face else None)
        name = "{:05d}{}".format(first + number, suffix)
        _write_frame(space.frames / name, picture, (kinds or {}).get(number))
        for face, points in enumerate(marks):
            write_face(space.aligned / "{}_{}.jpg".format(name[:5], face), picture, points, name)
        space.marks[name] = marks
    return space


def _write_frame(path, picture, kind):
    suffix = path.suffix
    if kind == MISSING:
        return
    if kind == GREY:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    elif kind == ALPHA:
        alpha = np.tile(np.linspace(0, 255, picture.shape[1]).astype(np.uint8), (picture.shape[0], 1))
        picture = np.dstack([picture, alpha])
    elif kind == DEEP:
        picture = picture.astype(np.uint16) * 257 + 40
    content = portrait_frames.encode(picture, suffix)
    if kind == CORRUPT:
        content = content[:40] + b"not a picture" * 20
    portrait_frames.write(str(path), b"" if kind == EMPTY else content)


def write_face(path, picture, marks, frame_name, size=FACE_SIZE):
    """Write an aligned face with the metadata of an extraction."""
    content = portrait_frames.aligned_face(picture, marks, size)[0]
    metadata = portrait_frames.describe(frame_name, marks, size)
    portrait_frames.write(str(path), workspace.with_metadata(content, metadata))


def pack(space):
    """Put all faces of a workspace into aligned/faceset.pak, as DeepFaceLab packs them, and remove their files."""
    paths = sorted(space.aligned.glob("*.jpg"))
    with _Enumerations() as enums:
        configs = []
        for path in paths:
            about = metadata.read_metadata(path)[1]
            configs.append({
                "sample_type": enums.sample_type(1), "filename": path.name, "face_type": enums.face_type(4),
                "shape": (FACE_SIZE, FACE_SIZE, 3), "landmarks": about["landmarks"], "seg_ie_polys": {"polys": []},
                "xseg_mask": None, "xseg_mask_compressed": None, "eyebrows_expand_mod": 1.0,
                "source_filename": about["source_filename"], "person_name": None})
        described = pickle.dumps(configs, 4)
    contents = [path.read_bytes() for path in paths]
    offsets = [sum(len(content) for content in contents[:number]) for number in range(len(contents))]
    start = 16 + len(described) + 8 * (len(contents) + 1)
    # the last entry is the file's size there, not the end of the last face from the first
    offsets.append(start + sum(len(content) for content in contents))
    (space.aligned / "faceset.pak").write_bytes(
        struct.pack("QQ", 1, len(described)) + described + struct.pack("{}Q".format(len(offsets)), *offsets) +
        b"".join(contents))
    for path in paths:
        path.unlink()


class _Enumerations(object):
    """The two enumerations that a faceset.pak names, importable for as long as one is written."""

    MODULES = ("samplelib", "samplelib.Sample", "facelib", "facelib.FaceType")

    def __enter__(self):
        self._before = {name: sys.modules.get(name) for name in self.MODULES}
        for name in self.MODULES:
            sys.modules[name] = types.ModuleType(name)
        self.sample_type = self._enum("samplelib.Sample", "SampleType", {"FACE": 1})
        self.face_type = self._enum("facelib.FaceType", "FaceType", {"WHOLE_FACE": 4})
        return self

    @staticmethod
    def _enum(module, name, members):
        kind = IntEnum(name, members, module=module)
        setattr(sys.modules[module], name, kind)
        return kind

    def __exit__(self, *error):
        for name, module in self._before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


# --- runs -------------------------------------------------------------------------------------

def words(space, *further):
    """The words of step 7's .bat file for a workspace (list of str), with further ones behind."""
    return ["merge", "--input-dir", str(space.frames), "--output-dir", str(space.merged), "--output-mask-dir",
            str(space.masks), "--aligned-dir", str(space.aligned), "--model-dir", str(space.model), "--model",
            "Tiny"] + list(further)


def start(tree, spoken, python=sys.executable, stdin=subprocess.PIPE, **variables):
    """Start main.py of a tree with these words, in a session of its own. Return the Popen; it shows all on stdout."""
    return subprocess.Popen([python, "-W", "ignore", os.path.join(str(tree), "main.py")] + list(spoken), stdin=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                            env=dict(os.environ, PYTHONIOENCODING="utf-8", CUDA_VISIBLE_DEVICES="-1",
                                     TF_CPP_MIN_LOG_LEVEL="3", **variables))


def run(tree, spoken, typed="", python=sys.executable, timeout=60, **variables):
    """Run main.py of a tree with these words and typed answers. Return (exit code, what was shown)."""
    with start(tree, spoken, python, **variables) as process:
        try:
            shown = process.communicate(typed.encode(), timeout=timeout)[0]
        except BaseException:
            process.kill()
            raise
    return process.returncode, shown.decode("utf-8", "replace")


def picture_at(path):
    """An image as it is stored, of a path in any language."""
    return cv2.imdecode(np.fromfile(str(path), np.uint8), cv2.IMREAD_UNCHANGED)


def pictures(folder):
    """The images of a folder: {file name: array as it is stored}."""
    return {path.name: picture_at(path) for path in sorted(Path(str(folder)).iterdir())
            if path.is_file() and path.name != STAMP}


def contents(folder):
    """The files below a folder, but for the note of whose frames they are: {path below it: bytes}."""
    folder = Path(str(folder))
    return {str(path.relative_to(str(folder))): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != STAMP}
