"""One small workspace and all steps over it, by the command lines of the numbered .bat files.

    tree = table_tree(folder)                      the overlay with networks that answer at once
    space = build(folder / "workspace", STAMPS)    two clips with sound, of frames with faces that they know;
                                                   MARKERS: for real networks with marker_networks' weights
    walk = Walk(tree, sys.executable, space, folder)
    run = walk.step("5")                           a typist.Run; raises AssertionError unless the step went well
    check_faces(space, "data_dst"), ...            what must be there then

The steps are STEPS, in their order; what a user types at their questions stands there, too.
"""
import collections
import os
import shutil
from fractions import Fraction
from pathlib import Path

import clips
import cv2
import extract_workspace as ew
import numpy as np
from benchmarks import marker_frames, merge_trees
from naive import metadata
from typist import converse

RATE = Fraction(25)
COUNTS = {"data_src": 8, "data_dst": 12}       # frames of the clips, unless others are wished
FACELESS = 5                                   # the number of the frame of data_dst that shows nobody
FACE_SIZE = 256                                # px, the least that the question takes
RECORDS = (".extraction", ".sort_undo")        # what steps keep beside pictures for a next start
_NEARLY_LOSSLESS = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "4")

Space = collections.namedtuple("Space", "folder kind counts marks")
Space.__doc__ = """A workspace as DeepFaceLab's "1) clear workspace" lays it out, with data_src.mp4 and data_dst.mp4.
folder: pathlib path; kind: STAMPS or MARKERS; by the clip's name: counts: how many frames it has; marks: for each frame
the landmarks of its faces, list of float64 (68, 2)."""

Step = collections.namedtuple("Step", "words answers asked variables")
Step.__doc__ = """words: of the command line; "{}" is the workspace. answers: {part of a question: what is typed}.
asked: parts of the questions, in their order. variables: of the environment."""
Step.__new__.__defaults__ = ({}, (), {})


# --- trees ------------------------------------------------------------------------------------

_TABLE_HOOK = """

import table_networks
from accel.nets import loading
loading.load = table_networks.load
graphics_cards = lambda numbers, only_one: []      # TensorFlow would look for them, for seconds
"""


def table_tree(folder):
    """Make a tree of the overlay, with the model Tiny, whose detector and aligner are a table. Return its path (str).

    Its engine is this project's own, so that kernels are compiled once for all trees.
    """
    tree = merge_trees.build_tree(str(folder))
    shutil.copyfile(ew.TABLE, os.path.join(tree, "table_networks.py"))
    with open(os.path.join(tree, "mainscripts", "Extractor.py"), "a", encoding="utf-8") as stream:
        stream.write(_TABLE_HOOK)
    return tree


# --- workspaces -------------------------------------------------------------------------------

Kind = collections.namedtuple("Kind", "draw tolerance")
Kind.__doc__ = """What frames show. draw(name, number): (uint8 (height, width, 3) BGR, landmarks of its faces);
tolerance: how far off those may be found, px in x or y."""


def _draw_markers(name, number):
    size, seed = (320, 280), 100 * sorted(COUNTS).index(name) + number
    shown = marker_frames.place(size, _faces_of(name, number), seed)
    return marker_frames.draw_frame(size, shown, seed), [marker.landmarks for marker in shown]


def _draw_stamps(name, number):
    shot = ew.Shot((160, 130), _faces_of(name, number), number=100 * sorted(COUNTS).index(name) + number)
    return ew.draw(shot), [marks for _, marks in ew.expected(shot)]


def _faces_of(name, number):
    return 0 if (name, number) == ("data_dst", FACELESS) else 1


MARKERS, STAMPS = Kind(_draw_markers, marker_frames.TOLERANCE), Kind(_draw_stamps, 1e-6)


def build(folder, kind, counts=COUNTS):
    """Make a workspace with both clips of a Kind. Return its Space."""
    folder, marks = Path(str(folder)), {}
    for name, count in counts.items():
        (folder / name / "aligned").mkdir(parents=True)
        drawn = [kind.draw(name, number) for number in range(1, count + 1)]
        marks[name] = [shown for _, shown in drawn]
        clips.encode(tools(), folder / (name + ".mp4"), [picture for picture, _ in drawn], RATE, _NEARLY_LOSSLESS,
                     ["aac"])
    (folder / "model").mkdir()
    return Space(folder, kind, counts, marks)


def tools():
    """The Tools to look at videos with: those of the PATH if they are there."""
    return clips.ffmpegs()[-1]


# --- steps ------------------------------------------------------------------------------------

def _extract(name, *further):
    return ("extract", "--input-dir", "{}/" + name, "--output-dir", "{}/" + name + "/aligned",
            "--detector", "s3fd") + further


def _sort(name, method, *asked):
    return Step(("sort", "--input-dir", "{}/" + name + "/aligned"), {"sorting method": str(method)},
                ("sorting method",) + asked)


def _merge(model, *further):
    return ("merge", "--input-dir", "{}/data_dst", "--output-dir", "{}/data_dst/merged", "--output-mask-dir",
            "{}/data_dst/merged_mask", "--aligned-dir", "{}/data_dst/aligned", "--model-dir", "{}/model", "--model",
            model) + further


def _join(folder, name, *further):
    return ("videoed", "video-from-sequence", "--input-dir", "{}/data_dst/" + folder, "--output-file", "{}/" + name,
            "--reference-file", "{}/data_dst.*", "--include-audio") + further


SLOWLY = {"TABLE_SECONDS": "0.03", "TINY_SLEEP": "0.03"}       # so that there is something to interrupt
_FACES = {"Image size": str(FACE_SIZE), "Max number": "3"}
_MASKED = {"interactive": "n", "Choose mode": "1", "Choose mask mode": "4", "erode mask": "5", "blur mask": "21",
           "Color transfer": "rct", "Number of workers": "2"}
_MERGING = ("interactive", "Choose mode", "Choose mask mode", "erode mask", "blur mask", "motion blur",
            "output face scale", "Color transfer", "Choose sharpen mode", "super resolution", "degrade by denoise",
            "degrade by bicubic", "Degrade color power", "Number of workers", "Output image format")

STEPS = collections.OrderedDict([
    ("2", Step(("videoed", "extract-video", "--input-file", "{}/data_src.*", "--output-dir", "{}/data_src"),
               {"image format": "jpg"}, ("Enter FPS", "Output image format"))),
    ("3", Step(("videoed", "extract-video", "--input-file", "{}/data_dst.*", "--output-dir", "{}/data_dst",
                "--fps", "0"), {}, ("Output image format",))),
    ("4", Step(_extract("data_src"), _FACES, ("Face type", "Max number", "Image size", "Jpeg quality",
                                              "Write debug images"), SLOWLY)),
    ("4.2 hist", _sort("data_src", 5)),
    ("4.2 final", _sort("data_src", 13, "Target number")),
    ("5", Step(_extract("data_dst", "--max-faces-from-image", "0", "--output-debug"), _FACES,
               ("Face type", "Image size", "Jpeg quality"), SLOWLY)),
    ("5.2 absdiff", _sort("data_dst", 12, "Sort by similar")),
    ("5.2 pack", Step(("util", "--input-dir", "{}/data_dst/aligned", "--pack-faceset"), {}, ("Delete original",))),
    ("5.2 unpack", Step(("util", "--input-dir", "{}/data_dst/aligned", "--unpack-faceset"))),
    ("5.2 origname", _sort("data_dst", 10)),
    ("7", Step(_merge("Tiny"), _MASKED, _MERGING, SLOWLY)),
    ("8 mp4", Step(_join("merged", "result.mp4"), {}, ("Bitrate of output", "Encoder", "Bitrate or quality"))),
    ("8 mask", Step(_join("merged_mask", "result_mask.mp4", "--lossless"), {}, ("Encoder",))),
    ("7 jpg", Step(_merge("Tiny"), dict(_MASKED, **{"image format": "jpg"}),
                   _MERGING + ("will be deleted",))),
    ("8 mov", Step(_join("merged", "result.mov", "--lossless"), {}, ("Encoder",))),
])


class Walk(object):
    """The steps of one tree over one workspace."""

    def __init__(self, tree, python, space, folder):
        """folder: for what programs keep beside the workspace: temporary files, which encoders work."""
        self.launcher = [python, "-u", "-W", "ignore", os.path.join(str(tree), "main.py")]
        self.space = space
        self.temp, self.cache = Path(str(folder)) / "temp", Path(str(folder)) / "cache"
        self.temp.mkdir(parents=True)

    def start(self, key, steps=STEPS, **options):
        """Run a step however it ends. Return a Run; options: as for typist.converse."""
        step = steps[key]
        words = [word.replace("{}", str(self.space.folder)) for word in step.words]
        variables = dict(step.variables, PYTHONIOENCODING="utf-8", CUDA_VISIBLE_DEVICES="-1",
                         TF_CPP_MIN_LOG_LEVEL="3", XDG_CACHE_HOME=str(self.cache))
        return converse(self.launcher + words, step.answers, self.temp, **dict(variables, **options))

    def step(self, key, steps=STEPS, **options):
        """Run a step to its end, and see that it went well and nothing is left. Return a Run; options: as for start."""
        run = self.start(key, steps, **options)
        assert run.code == 0 and "Traceback" not in run.shown and "/!\\" not in run.shown, run.shown
        asked, expected = run.asked, steps[key].asked
        assert len(asked) == len(expected) and all(part in one for part, one in zip(expected, asked)), (key, asked)
        assert leftovers(self.space) == [] and os.listdir(str(self.temp)) == [], (key, leftovers(self.space))
        return run


# --- what came of it --------------------------------------------------------------------------

def contents(folder):
    """The files below a folder, but for the records of steps: {path below it (str): bytes}."""
    return {str(path.relative_to(str(folder))): path.read_bytes() for path in sorted(Path(str(folder)).rglob("*"))
            if path.is_file() and path.name not in RECORDS}


def leftovers(space):
    """Files in the workspace that no user has ever asked for: locks, parts, journals."""
    return [name for name in contents(space.folder) if os.path.basename(name).startswith(".")
            or name.endswith((".tmp", ".part", ".lock", "_merger_run.json"))]


def names(folder):
    """Names of the files directly in a folder, but for records."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name not in RECORDS)


def numbered(count, suffix, first=1):
    """The names that frames have."""
    return ["{:05d}{}".format(number, suffix) for number in range(first, first + count)]


def check_frames(space, name, suffix):
    """The frames of a clip are there, in their order, as they were drawn."""
    folder, count = space.folder / name, space.counts[name]
    assert names(folder) == numbered(count, suffix)
    for number, frame in enumerate(numbered(count, suffix), 1):
        shown, drawn = ew.picture_at(folder / frame), space.kind.draw(name, number)[0]
        assert shown.shape == drawn.shape and apart(shown, drawn) < 2


def check_faces(space, name, suffix):
    """Every face of a folder of frames was found, where it is, and no other."""
    frames = numbered(space.counts[name], suffix)
    known = {frame.replace(suffix, "_{}.jpg".format(face)): (frame, marks)
             for frame, faces in zip(frames, space.marks[name]) for face, marks in enumerate(faces)}
    folder = space.folder / name / "aligned"
    assert sources(folder) == {face: frame for face, (frame, _) in known.items()}
    for face, (_, marks) in known.items():
        found = np.array(metadata.read_metadata(folder / face)[1]["source_landmarks"])
        assert np.abs(found - marks).max() <= space.kind.tolerance, face
    debug = space.folder / name / "aligned_debug"
    assert debug.exists() == (name == "data_dst")
    assert not debug.exists() or names(debug) == numbered(len(frames), ".jpg")


def sources(folder):
    """{name of a face: name of its frame} of a folder of faces, whose metadata is whole and fits the picture."""
    found = {}
    for name in names(folder):
        about = metadata.read_metadata(folder / name)[1]
        assert ew.picture_at(folder / name).shape == (FACE_SIZE, FACE_SIZE, 3)
        marks, frame_marks = np.array(about["landmarks"]), np.array(about["source_landmarks"])
        assert about["face_type"] == "whole_face" and marks.shape == frame_marks.shape == (68, 2)
        moved = cv2.transform(frame_marks[:, None], np.array(about["image_to_face_mat"]))[:, 0]
        assert np.abs(moved - marks).max() < 0.01
        found[name] = about["source_filename"]
    return found


def apart(one, other):
    """How far two pictures of one size are apart in brightness: the mean, in levels. A clip halves their colours."""
    greys = [picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (one, other)]
    return cv2.absdiff(*greys).mean()


def check_video(space, name, folder, tolerance):
    """A video has the frames of a folder in their order, as fast as its reference and as long as that has sound.

    tolerance: of `apart`.
    """
    path = space.folder / name
    pictures = [ew.picture_at(space.folder / "data_dst" / folder / frame)
                for frame in names(space.folder / "data_dst" / folder)]
    back = clips.decode(tools(), path)
    assert len(back) == len(pictures) == space.counts["data_dst"]
    for shown, picture in zip(back, pictures):
        assert apart(shown, picture) <= tolerance
    sounds = [clips.sound_length(tools(), place) for place in (path, space.folder / "data_dst.mp4")]
    assert abs(sounds[0] - sounds[1]) < 0.1 and abs(sounds[0] - len(pictures) / float(RATE)) < 0.15
