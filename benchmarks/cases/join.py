"""Join: frames to a video, as a user starts it, and what no join can beat: the encoder alone.

- join.720p-png and so on: generated frames, a reference clip with sound, libx264 at 16 Mbit/s. The limit is an
  ffmpeg that encodes the same frames, decoded before the clock starts, and writes no file.
- join.start-20000: a folder of 20,000 tiny frames, timed from the start of the process until ffmpeg has written
  the head of the video, which it does when its encoder has got a first frame; then both are killed. It is the
  time in which a user sees nothing move: imports, listing and checking of the folder; and an ffmpeg that gets
  files, not pixels, takes the first hundred of such small ones before it encodes one. Equal means here that both
  came so far. The limit is the start of Python.
- join.2160p-png, -jpg: only with --stock.
- join.own: the first frames of the user's data_dst/merged, copied, with his data_dst.* cut to as many frames.

All sides use one ffmpeg: that of the DeepFaceLab compared with, else the one that ours finds. Ours tries no
encoder first, since --codec names libx264; those that pass their trial on this machine are in the report.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys
from fractions import Fraction

import numpy as np

from accel import host
from accel.video import probe, tools
from benchmarks import files, frames, stock_tree, timing
from benchmarks.cases import step
from benchmarks.stock_tree import Unusable

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "DeepFaceLab")
SIZE_FOR_ORACLE = (1280, 720)
BITRATE = 16                   # Mbit/s, what DeepFaceLab proposes
SEEN = (64, 36)                # results are compared at this size, px
CELLS = 4                      # in a grid of so many by so many cells
SAME_LEVELS = 3.0              # of 255: as far apart the mean colours of a cell may be
TINY_FILES = 64                # different ones behind the 20,000 names: NTFS has 1,023 names for one

Case = collections.namedtuple("Case", step.FIELDS + ("size", "suffix", "kind"))
Case.__doc__ = """A step.Case. size: (width, height) in px and suffix: of the frames, both None where they are the
user's. kind: "whole": to the end, with sound; "start": to the first frame; "own": whole, of the user's frames."""

Input = collections.namedtuple("Input", "folder names rate sound size raw")
Input.__doc__ = """What a case joins. folder: with frames/, which has the names, and data_dst.*, but for "start".
rate: Fraction; sound: whether the reference has it; size: (width, height) and raw: path, of the frames decoded
for the limit."""

Outcome = collections.namedtuple("Outcome", "size rate sound cells")
Outcome.__doc__ = """What a video holds. size: (width, height); rate: as ffmpeg says it (str); sound: bool; cells:
mean colours, float (frames, CELLS, CELLS, 3)."""

CASES = [
    Case("join.720p-png", "1280x720, png", 250, 24, None, 8, 1.0, "encoder", None, (1280, 720), ".png", "whole"),
    Case("join.720p-jpg", "1280x720, jpg", 250, 24, None, 8, 1.0, "encoder", None, (1280, 720), ".jpg", "whole"),
    Case("join.2160p-png", "3840x2160, png", 40, 4, None, 2, 1.0, "encoder", None, (3840, 2160), ".png", "whole"),
    Case("join.2160p-jpg", "3840x2160, jpg", 40, 4, None, 2, 1.0, "encoder", None, (3840, 2160), ".jpg", "whole"),
    Case("join.own", "your frames", 250, 24, None, None, 1.0, "encoder", None, None, None, "own"),
    Case("join.start-20000", "many frames, to the first encoded one", 20000, 500, None, None, 1.0, "start", None,
         (64, 64), ".png", "start"),
]


# --- the commands ----------------------------------------------------------------------------

def words(given, stage):
    """What comes after main.py, for DeepFaceLab and for ours (list of str). given: the Input."""
    spoken = ["videoed", "video-from-sequence", "--input-dir", os.path.join(given.folder, "frames"),
              "--output-file", result_path(stage), "--bitrate", str(BITRATE)]
    if reference_name(given.folder) is None:
        return spoken + ["--fps", str(given.rate)]
    return spoken + ["--reference-file", os.path.join(given.folder, "data_dst.*"), "--include-audio"]


def our_command(given, stage):
    """The command line of this project (list of str)."""
    return [sys.executable, os.path.join(PROGRAM, "main.py")] + words(given, stage) + ["--codec", "libx264", "--yes"]


def stock_command(given, stage, tree, python):
    """The command line of a DeepFaceLab tree (list of str)."""
    return [python, os.path.join(tree, "main.py")] + words(given, stage)


def naive_command(given, stage, ffmpeg):
    """The command line of the naive oracle (list of str)."""
    command = [sys.executable, os.path.join(ROOT, "tests", "naive", "join.py"), ffmpeg,
               os.path.join(given.folder, "frames"), result_path(stage), str(given.rate), "--bitrate", str(BITRATE)]
    return command + (["--sound", os.path.join(given.folder, reference_name(given.folder))] if given.sound else [])


def limit_command(case, given, ffmpeg):
    """The command line of what the case cannot beat (list of str)."""
    if case.limit == "start":
        return step.start_of_python()
    return [ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "warning", "-f", "rawvideo", "-pix_fmt", "yuv420p",
            "-s", "{}x{}".format(*given.size), "-r", str(given.rate), "-i", given.raw,
            "-c:v", "libx264", "-b:v", "{}M".format(BITRATE), "-f", "null", "-"]


def result_path(stage):
    return os.path.join(stage, "video", "result.mp4")


def reference_name(folder):
    """The name of the data_dst.* in a folder (str), None if there is none."""
    names = sorted(os.listdir(folder))
    return next((name for name in names if re.match(r"data_dst\.[^.]+$", name)
                 and os.path.isfile(os.path.join(folder, name))), None)


# --- what came out ---------------------------------------------------------------------------

def look_at(ffmpeg, path):
    """Decode a video as its tags say: an Outcome, None if it is no video."""
    # No frame is doubled or left out for the sake of its time; the option's name has changed with ffmpeg 5.1.
    version = tools.version(ffmpeg)
    every = ["-vsync", "0"] if version is not None and version < (5, 1) else ["-fps_mode", "passthrough"]
    run = subprocess.run([ffmpeg, "-hide_banner", "-nostdin", "-i", "file:" + path, "-map", "0:v:0"] + every +
                         ["-vf", "scale={}:{}:flags=area,format=rgb24".format(*SEEN), "-f", "rawvideo", "pipe:1"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    told = run.stderr.decode("utf-8", "replace").partition("\nOutput #0")[0]
    picture = re.search(r"Stream #0:\d+.*?: Video: .*?, (\d+)x(\d+)[ ,].*?([\d.]+) fps", told)
    if run.returncode or picture is None:
        return None
    pixels = np.frombuffer(run.stdout, np.uint8).reshape(-1, CELLS, SEEN[1] // CELLS, CELLS, SEEN[0] // CELLS, 3)
    return Outcome((int(picture.group(1)), int(picture.group(2))), picture.group(3),
                   re.search(r"Stream #0:\d+.*?: Audio: ", told) is not None, pixels.mean(axis=(2, 4)))


def compare(theirs, ours, count):
    """Whether two Outcomes are equal and have so many frames: "yes" or "NO".

    No two ways to encode give the same pixels; see SAME_LEVELS.
    """
    if theirs[:3] != ours[:3] or not len(theirs.cells) == len(ours.cells) == count > 0:
        return "NO"
    return "yes" if np.abs(theirs.cells - ours.cells).max() <= SAME_LEVELS else "NO"


def has_begun(folder):
    """Whether the head of an mp4 is in a file of a folder (bool)."""
    for name in os.listdir(folder):
        try:
            with open(os.path.join(folder, name), "rb", 0) as stream:
                if stream.read(8)[4:] == b"ftyp":
                    return True
        except OSError:            # it has gone, or is not to be opened yet
            pass
    return False


PRINT_ENCODERS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from fractions import Fraction
from accel.video import encoders, tools, trial
found = tools.Tools(sys.argv[2], None)
results = trial.offered(found, encoders.Wish(encoders.BITRATE, int(sys.argv[3]), None, None), ".mp4", (1280, 720),
                        Fraction(25))
print(json.dumps([name for name, result in results.items() if result.works]))
"""


# --- the step --------------------------------------------------------------------------------

class Join(step.Step):
    """Joins of generated frames, or of copies of the user's."""

    UNIT = "frames"
    CASES = CASES

    def __init__(self, bench):
        step.Step.__init__(self, bench)
        self.own = None            # the user's frames: (workspace, names)
        self.given = {}            # {name of a case: Input}
        self.encoders = None
        self._tools = None

    def check(self):
        path = self.workspace()
        if path is None:
            return
        self.own = find_frames(path)
        if self.own is None:
            step.say("{} has no frames in data_dst/merged, or no data_dst.*: frames are generated.".format(path))

    def applies(self, case):
        if case.kind == "whole" and not self.bench.stock and case.size != SIZE_FOR_ORACLE:
            return False               # against the naive oracle large frames say nothing new
        return case.kind == "start" or (case.kind == "own") == (self.own is not None)

    def own_items(self, case):
        return len(self.own[1]) if case.kind == "own" else None

    def tools(self):
        """The ffmpeg and ffprobe of all sides (tools.Tools). Raises Unusable."""
        if self._tools is None:
            self._tools = find_tools(self.bench.stock, self.bench.path("ffmpeg"))
        return self._tools

    def prepare(self, case, count):
        ffmpeg, folder = self.tools().ffmpeg, self.bench.path("frames", case.name)
        place = os.path.join(folder, "frames")
        step.say("{} {} frames".format("copying" if case.kind == "own" else "making", count))
        if case.kind == "start":
            names = make_tiny(place, count, case)
            self.given[case.name] = Input(folder, names, Fraction(frames.RATE), False, case.size, None)
            return folder
        if case.kind == "own":
            given = copy_own(self.tools(), self.own, folder, count)
        else:
            names = frames.make_frames(place, count, case.size, case.suffix, progress=step.Progress(count))
            frames.make_reference(ffmpeg, os.path.join(folder, "data_dst.mp4"), count)
            given = Input(folder, names, Fraction(frames.RATE), True, case.size, None)
        raw = os.path.join(folder, "decoded.yuv")
        frames.make_raw(ffmpeg, place, given.names, given.size, raw)
        self.given[case.name] = given._replace(raw=raw)
        return folder

    def sides(self, case):
        return ["baseline", "ours", "limit"]

    def lay_out(self, case, source, stage):
        os.mkdir(os.path.dirname(result_path(stage)))      # a join only reads its frames: all use the same

    def command(self, case, side, source, stage):
        given = self.given[case.name]
        if side == "ours":
            return our_command(given, stage)
        if side == "limit":
            return limit_command(case, given, self.tools().ffmpeg)
        if not self.bench.stock:
            return naive_command(given, stage, self.tools().ffmpeg)
        if case.kind != "start" and self.tools().ffprobe is None:
            raise Unusable("DeepFaceLab needs ffprobe beside ffmpeg, and there is none: put the folder of both, such "
                           "as _internal/ffmpeg, into the PATH.")
        return stock_command(given, stage, self.bench.stock_path, self.bench.arguments.stock_python)

    def environment(self, case, side):
        """One ffmpeg for all; what is known of encoders begins empty in each case, as numba's cache does."""
        folders = [os.path.dirname(program) for program in self.tools() if program is not None]
        variables = {"PATH": os.pathsep.join(folders + [os.environ.get("PATH", os.defpath)])}
        if side == "ours":
            variables.update(dict.fromkeys(("XDG_CACHE_HOME", "LOCALAPPDATA"), self.bench.path("cache", case.name)))
        return variables

    def until(self, case, side, stage):
        if case.kind != "start" or side == "limit":
            return None
        return lambda: has_begun(os.path.dirname(result_path(stage)))

    def outcome(self, case, side, stage, log_path):
        if case.kind == "start":
            made = has_begun(os.path.dirname(result_path(stage))) or None
        else:
            made = look_at(self.tools().ffmpeg, result_path(stage))
        if made is None:           # DeepFaceLab ends with 0 when its ffmpeg has failed
            raise Unusable("No video came out.\n{}".format(timing.last_text(log_path)))
        return made

    def compare(self, case, theirs, ours, source):
        return "yes" if case.kind == "start" else compare(theirs, ours, len(self.given[case.name].names))

    def repeats(self, first, again):
        return first is again or compare(first, again, len(first.cells)) == "yes"

    def finish(self, case):
        shutil.rmtree(self.bench.path("frames", case.name), ignore_errors=True)

    def about(self):
        self._try_encoders()
        generated = "generated; png, or jpg of quality 100"
        return {"frames_from": "user" if self.own else generated, "ffmpeg": self._version(),
                "encoders": self.encoders}

    def notes(self):
        return ["ffmpeg: {}".format(self._version() or "unknown version"),
                "Encoders that work here: {}".format(", ".join(self.encoders or ()) or "none")]

    def _version(self):
        try:
            words = tools.ask([self.tools().ffmpeg, "-version"]).split()
        except (Unusable, host.UserError):
            return None
        return words[2] if words[:2] == ["ffmpeg", "version"] else None

    def _try_encoders(self):
        try:
            ffmpeg = self.tools().ffmpeg
        except Unusable:
            return                 # every case has said so
        step.say("trying the encoders")
        environment = self.bench.environment(CASES[0], "ours")
        line = step.run_script(PRINT_ENCODERS, [PROGRAM, ffmpeg, str(BITRATE)], self.bench.path("log"), environment)
        self.encoders = None if line is None else json.loads(line)


# --- input -----------------------------------------------------------------------------------

def find_tools(stock, folder):
    """The Tools that all sides shall use. stock: a Stock or None; folder: new, for a copy. Raises Unusable."""
    build = os.path.join(os.path.dirname(stock.tree), "ffmpeg") if stock else None
    ffmpeg = shutil.which("ffmpeg", path=build) if build else None
    if ffmpeg is not None:
        return tools.Tools(ffmpeg, shutil.which("ffprobe", path=build))
    try:
        found = tools.find()
    except host.UserError as error:
        raise Unusable(str(error))
    if os.path.splitext(os.path.basename(found.ffmpeg))[0].lower() == "ffmpeg":
        return found
    # imageio-ffmpeg calls it by its version, so that nobody would find it in the PATH
    ffmpeg = os.path.join(folder, "ffmpeg.exe" if found.ffmpeg.lower().endswith(".exe") else "ffmpeg")
    stock_tree.place(found.ffmpeg, ffmpeg)
    shutil.copymode(found.ffmpeg, ffmpeg)
    return found._replace(ffmpeg=ffmpeg)


def make_tiny(folder, count, case):
    """Make many names of few tiny frames: the sorted names."""
    few = frames.make_frames(folder, min(count, TINY_FILES), case.size, case.suffix)
    names = ["{:05d}{}".format(number, case.suffix) for number in range(1, count + 1)]
    for number, name in enumerate(names[len(few):]):
        files.give_second_name(os.path.join(folder, few[number % len(few)]), os.path.join(folder, name))
    return names


def find_frames(path):
    """The user's frames: (workspace, sorted names of one extension), None without frames or reference."""
    folder = os.path.join(path, "data_dst", "merged")
    if not os.path.isdir(folder) or reference_name(path) is None:
        return None
    kinds = collections.defaultdict(list)
    for name in files.image_names(folder):
        kinds[os.path.splitext(name)[1].lower()].append(name)
    return (path, max(kinds.values(), key=len)) if kinds else None


def copy_own(found, own, folder, count):
    """Copy the user's first frames, and as much of his reference: an Input. Raises Unusable."""
    import cv2
    above, names = own
    os.makedirs(os.path.join(folder, "frames"))
    for name in names[:count]:
        shutil.copyfile(os.path.join(above, "data_dst", "merged", name), os.path.join(folder, "frames", name))
    name = reference_name(above)
    source, reference = os.path.join(above, name), os.path.join(folder, name)
    try:
        about = probe.probe(found, source)
    except host.UserError as error:
        raise Unusable(str(error))
    rate = about.video.average_rate or about.video.nominal_rate or Fraction(frames.RATE)
    if count < len(names):
        frames.cut_reference(found.ffmpeg, source, reference, count / float(rate))
    else:
        shutil.copyfile(source, reference)
    picture = cv2.imdecode(np.fromfile(os.path.join(folder, "frames", names[0]), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise Unusable("{} cannot be decoded.".format(names[0]))
    # yuv420p, the limit's format, halves both
    size = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2
    return Input(folder, names[:count], rate, bool(about.sounds), size, None)
