"""Test material for the video commands: frames, and clips of every kind, made by a real ffmpeg.

    ffmpegs()                        which to test with (Tools)
    frame(n), frames(count)          pictures: a grey field, four flat patches and a square that moves
    write_frames(folder, count)      the same as files
    make(found, folder, "vfr")       a clip of KINDS; encode(...) for any other
    decode(found, path)              the frames of a video as BGR, by the tags that it carries

Nothing here is larger than 128 x 96 or longer than two seconds.
"""
import collections
import os
import shutil
import struct
import subprocess
from fractions import Fraction

import cv2
import numpy as np
import pytest
from accel import compat
from accel.video import tools
from accel.video.tools import Tools

WIDTH, HEIGHT, COUNT = 96, 64, 24
RATE = Fraction(25)
NTSC = Fraction(30000, 1001)

# Where a picture is flat in all frames: name -> ((left, top, right, bottom) as shares of it, BGR).
PATCHES = collections.OrderedDict([
    ("blue", ((0.0, 0.0, 0.25, 0.375), (200, 40, 30))),
    ("green", ((0.25, 0.0, 0.5, 0.375), (60, 180, 50))),
    ("red", ((0.5, 0.0, 0.75, 0.375), (40, 50, 210))),
    ("skin", ((0.75, 0.0, 1.0, 0.375), (140, 170, 225))),
])
FIELD = (128, 128, 128)  # all else, below the patches; the square moves in its lower half

Kind = collections.namedtuple("Kind", "suffix size count rate words sounds rotation nominal average pixel_format "
                                      "colour")
Kind.__doc__ = """A clip that can be made, and what is true of it. suffix: of the file; size: (width, height) as stored;
count: frames; rate: Fraction, of the frames as they go in; words: options of its encoding; sounds: codec names;
rotation: degrees clockwise; nominal, average: Fraction, the rates that come out; pixel_format: str; colour:
(matrix, primaries, transfer) or None where it carries no tags."""


# --- which ffmpeg ---------------------------------------------------------------------------------

def bundled():
    """Return the Tools of the package imageio-ffmpeg, which has no ffprobe. It must be there."""
    path = compat.bundled_ffmpeg()
    assert path is not None, "imageio-ffmpeg is missing: python -m pip install imageio-ffmpeg"
    return Tools(path, None)


def ffmpegs():
    """Return the Tools to test with: imageio-ffmpeg's, then those of the PATH if it has both programs."""
    found = [bundled()]
    if shutil.which("ffmpeg") and shutil.which("ffprobe"):
        found.append(Tools(shutil.which("ffmpeg"), shutil.which("ffprobe")))
    return found


def called(found):
    """Return a short name of Tools for the name of a test."""
    return "bundled" if found.ffprobe is None else "path"


@pytest.fixture(params=ffmpegs(), ids=called)
def found(request):
    """Each of the ffmpegs in turn; a module of tests says `found = clips.found`."""
    return request.param


@pytest.fixture(scope="module")
def kept_clips(tmp_path_factory):
    """A function that makes a clip once a module, each in a folder of its own; as `found`."""
    folder, made = tmp_path_factory.mktemp("clips"), {}

    def make_once(kind, found=bundled()):
        if (kind, found) not in made:
            made[kind, found] = make(found, folder / str(len(made)), kind)
        return made[kind, found]
    return make_once


class Bar:
    """A progress bar that shows nothing; `totals` are those it was opened with."""

    n = 0
    totals = []

    def __init__(self, total=None, title=None):
        self.totals.append(total)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def update(self, *arguments):
        pass

    def set_postfix_str(self, *arguments, **options):
        pass


# --- pictures -------------------------------------------------------------------------------------

def frame(number, width=WIDTH, height=HEIGHT):
    """Return a picture: uint8 (height, width, 3) BGR. Its flat areas are those of PATCHES and FIELD."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = FIELD
    for name in PATCHES:
        left, top, right, bottom = area(name, width, height)
        picture[top:bottom, left:right] = PATCHES[name][1]
    side = max(2, height // 5)
    left = number * max(1, side // 3) % max(1, width - side)
    picture[height - side:, left:left + side] = (10, 250, 240)
    return picture


def area(name, width=WIDTH, height=HEIGHT):
    """Return (left, top, right, bottom) of a patch in pixels."""
    left, top, right, bottom = PATCHES[name][0]
    return int(left * width), int(top * height), int(right * width), int(bottom * height)


def means(picture):
    """Return what the middle of each patch looks like: {name: [blue, green, red]}, free of its blurred edges."""
    height, width = picture.shape[:2]
    result = {}
    for name in PATCHES:
        left, top, right, bottom = area(name, width, height)
        across, down = (right - left) // 4, (bottom - top) // 4
        inner = picture[top + down:bottom - down, left + across:right - across]
        result[name] = inner.reshape(-1, 3).mean(axis=0).tolist()
    return result


def frames(count=COUNT, width=WIDTH, height=HEIGHT):
    """Return `count` pictures (list of uint8 (height, width, 3) BGR)."""
    return [frame(number, width, height) for number in range(count)]


def write_frames(folder, count=COUNT, width=WIDTH, height=HEIGHT, suffix=".png", first=1, name="{:05d}"):
    """Write pictures into a folder, made if needed. Return their paths (list of str).

    suffix: ".png" or ".jpg" (quality 100); name: a format for the number, which begins with `first`.
    """
    folder = str(folder)
    os.makedirs(folder, exist_ok=True)
    paths = []
    for number, picture in enumerate(frames(count, width, height)):
        options = [cv2.IMWRITE_JPEG_QUALITY, 100] if suffix.lower() in (".jpg", ".jpeg") else []
        path = os.path.join(folder, name.format(first + number) + suffix)
        with open(path, "wb") as file:  # cv2.imwrite knows no Cyrillic paths on Windows
            file.write(cv2.imencode(suffix.lower(), picture, options)[1].tobytes())
        paths.append(path)
    return paths


# --- clips ----------------------------------------------------------------------------------------

_X264 = ("-c:v", "libx264", "-preset", "ultrafast")
# The scale filter's names of the matrices.
_MATRICES = {"bt709": "bt709", "smpte170m": "bt601", "bt470bg": "bt601", "bt2020nc": "bt2020"}


def _kind(suffix=".mp4", size=(WIDTH, HEIGHT), count=COUNT, rate=RATE, words=_X264, sounds=(), rotation=0,
          nominal=None, average=None, pixel_format="yuv420p", colour=None):
    return Kind(suffix, size, count, rate, tuple(words), tuple(sounds), rotation, nominal or rate, average or rate,
                pixel_format, colour)


# Frames that come at uneven times.
_SLOWER = _X264 + ("-vf", "setpts=(N+gt(N\\,11)*(N-11)+0.1)/25/TB")  # 25 frames a second, then 12.5
_UNEVEN = _X264 + ("-vf", "setpts=(2*N+gt(N\\,11)+0.1)/50/TB")  # 25 a second, once a wait of 3/50 s

KINDS = collections.OrderedDict([
    ("plain", _kind()),
    ("ntsc", _kind(rate=NTSC)),
    ("film", _kind(rate=Fraction(24000, 1001), suffix=".mkv")),
    ("fast", _kind(rate=Fraction(60), count=60)),
    ("slow", _kind(rate=Fraction(25, 2), count=12)),
    ("b-frames", _kind(words=("-c:v", "libx264", "-preset", "veryfast", "-bf", "2"))),
    ("vfr", _kind(words=_SLOWER, average=Fraction(25 * 24, 36))),
    ("doubled", _kind(words=_UNEVEN, rate=Fraction(50), nominal=Fraction(50), average=Fraction(25))),
    ("odd size", _kind(size=(97, 63), words=_X264 + ("-pix_fmt", "yuv444p"), pixel_format="yuv444p")),
    ("yuv444p", _kind(words=_X264 + ("-pix_fmt", "yuv444p"), pixel_format="yuv444p")),
    ("10 bit", _kind(words=("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-pix_fmt",
                            "yuv420p10le"), pixel_format="yuv420p10le", count=12)),
    ("mpeg-4", _kind(suffix=".avi", words=("-c:v", "mpeg4", "-q:v", "3"))),
    ("ffv1", _kind(suffix=".mkv", words=("-c:v", "ffv1", "-pix_fmt", "bgr0"), pixel_format="bgr0")),
    ("prores", _kind(suffix=".mov", words=("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"), count=12,
                     pixel_format="yuv422p10le")),
    ("vp9", _kind(suffix=".webm", words=("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"), count=12)),
    ("mpeg-ps", _kind(suffix=".mpg", words=("-c:v", "mpeg2video", "-q:v", "3"))),
    ("with aac", _kind(sounds=["aac"])),
    ("with pcm", _kind(suffix=".mov", sounds=["pcm_s16le"])),
    ("with mp3", _kind(suffix=".avi", sounds=["mp3"], words=("-c:v", "mpeg4", "-q:v", "3"))),
    ("two tracks", _kind(suffix=".mkv", sounds=["aac", "mp3"])),
    ("turned right", _kind(rotation=90)),
    ("upside down", _kind(rotation=180)),
    ("turned left", _kind(rotation=270)),
    ("bt709", _kind(colour=("bt709", "bt709", "bt709"))),
    ("smpte170m", _kind(colour=("smpte170m", "smpte170m", "smpte170m"))),
    ("bt470bg", _kind(colour=("bt470bg", "bt470bg", "bt470bg"), suffix=".mkv")),
    ("bt2020", _kind(colour=("bt2020nc", "bt2020", "smpte2084"), words=_X264 + ("-pix_fmt", "yuv444p10le"),
                     pixel_format="yuv444p10le")),
    ("mixed tags", _kind(colour=("bt709", "bt470bg", "smpte170m"))),
])


def make(found, folder, kind="plain", name="clip"):
    """Make a clip of KINDS in a folder (made if needed) and return its path (str). name: without suffix."""
    about = KINDS[kind]
    os.makedirs(str(folder), exist_ok=True)
    path = os.path.join(str(folder), name + about.suffix)
    pictures = frames(about.count, *about.size)
    encode(found, path, pictures, about.rate, about.words, about.sounds, about.colour)
    if about.rotation:
        turn(path, about.rotation)
    return path


def encode(found, path, pictures, rate=RATE, words=_X264, sounds=(), colour=None):
    """Encode pictures (list of uint8 (height, width, 3) BGR) to a video, with a tone for each codec of `sounds`.

    words: options of the encoder; colour: (matrix, primaries, transfer) to convert to and tag. Return the path.
    """
    height, width = pictures[0].shape[:2]
    command = [found.ffmpeg, "-v", "error", "-y", "-f", "rawvideo", "-pixel_format", "bgr24", "-video_size",
               "{}x{}".format(width, height), "-framerate", "{}/{}".format(rate.numerator, rate.denominator),
               "-i", "pipe:0"]
    seconds = float(len(pictures) / rate)
    for number in range(len(sounds)):
        command += ["-f", "lavfi", "-i", "sine=frequency={}:duration={:.4f}".format(440 + 220 * number, seconds)]
    for number in range(len(sounds) + 1):
        command += ["-map", str(number)]
    command += pace(found, "passthrough") + list(words)
    if "-pix_fmt" not in words:
        command += ["-pix_fmt", "yuv420p"]
    if colour is not None:
        # an old ffmpeg believes the options, a new one what the frames say
        tagged = "setparams=range=tv:colorspace={}:color_primaries={}:color_trc={}".format(*colour)
        command += ["-vf", "scale=out_color_matrix={}:out_range=tv,format={},{}".format(
                        _MATRICES[colour[0]], words[words.index("-pix_fmt") + 1] if "-pix_fmt" in words else "yuv420p",
                        tagged),
                    "-color_range", "tv", "-colorspace", colour[0], "-color_primaries", colour[1],
                    "-color_trc", {"bt470bg": "gamma28"}.get(colour[2], colour[2])]
    for number, codec in enumerate(sounds):
        command += ["-c:a:{}".format(number), {"mp3": "libmp3lame"}.get(codec, codec)]
    run(command + ["file:" + str(path)], b"".join(picture.tobytes() for picture in pictures))
    return str(path)


def turn(path, degrees):
    """Let an mp4 or mov be shown turned clockwise: write the matrix into the head of its video track.

    What ffmpeg writes for it goes by other options from version to version.
    """
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    with open(path, "rb") as file:
        data = bytearray(file.read())
    head = data.index(b"tkhd") + 4
    assert data[head] == 0, "the short kind of head"
    matrix = [cosine, sine, 0, -sine, cosine, 0, 0, 0, 0x4000]
    data[head + 40:head + 76] = struct.pack(">9i", *[value if value == 0x4000 else value * 0x10000 for value in
                                                     matrix[:8]] + [0x40000000])
    with open(path, "wb") as file:
        file.write(data)


def pace(found, mode):
    """Return the options that keep frames at their times ("vfr") or all of them, whatever their times."""
    old = (tools.version(found.ffmpeg) or (9, 0)) < (5, 1)
    return ["-vsync" if old else "-fps_mode", mode]


# --- and back -------------------------------------------------------------------------------------

def decode(found, path, turned=False):
    """Return all frames of a video as uint8 (N, height, width, 3) BGR, converted as its tags say.

    turned: as shown, not as stored. Every frame counts once, however long it is shown.
    """
    command = [found.ffmpeg, "-v", "error"] + ([] if turned else ["-noautorotate"]) + [
        "-i", "file:" + str(path), "-map", "0:v:0", "-vf",
        "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,format=rgb24"]
    command += pace(found, "passthrough") + ["-c:v", "ppm", "-f", "image2pipe", "pipe:1"]
    data = run(command)
    pictures, place = [], 0
    while place < len(data):
        magic, size, levels, _ = data[place:place + 40].split(b"\n", 3)
        assert (magic, levels) == (b"P6", b"255")
        width, height = [int(number) for number in size.split()]
        place += len(magic) + len(size) + len(levels) + 3
        pictures.append(np.frombuffer(data, np.uint8, width * height * 3, place).reshape(height, width, 3)[..., ::-1])
        place += width * height * 3
    return np.stack(pictures) if pictures else np.empty((0, 0, 0, 3), np.uint8)


def sound_length(found, path, track=0):
    """Return how many seconds a sound track lasts (float), by decoding it."""
    data = run([found.ffmpeg, "-v", "error", "-i", "file:" + str(path), "-map", "0:a:{}".format(track), "-ac", "1",
                "-ar", "8000", "-f", "s16le", "pipe:1"])
    return len(data) / 2 / 8000


def run(command, typed=None):
    """Run a command that must succeed and say nothing wrong; return its stdout (bytes)."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL if typed is None else subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(typed, timeout=60)
    assert process.returncode == 0, "{}\n{}".format(" ".join(command), err.decode("utf-8", "replace"))
    return out
