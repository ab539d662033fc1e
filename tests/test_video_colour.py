"""Colour: which matrix and tags a result gets, and that its pixels come back as they went in."""
import itertools
import subprocess

import clips
import numpy as np
import pytest
from accel.video import colour, probe, process, tools, trial
from accel.video.colour import BT601, BT709, Tags
from accel.video.probe import Colour

SAME_COLOUR = 2  # levels of 255: the rounding of 8 bits of YCbCr


found = clips.found


# --- which tags -----------------------------------------------------------------------------------

NOTHING = Colour(None, None, None, None)
BT470 = Colour("tv", "bt470bg", "bt470bg", "bt470bg")


@pytest.mark.parametrize("height, reference, tags", [
    (1080, None, BT709), (720, None, BT709), (719, None, BT601), (480, None, BT601), (1, None, BT601),
    (1080, NOTHING, BT709), (480, NOTHING, BT601),
    # high definition is BT.709 whatever the reference says, since the frames were shown by it or not tagged at all
    (1080, Colour("tv", "smpte170m", "smpte170m", "smpte170m"), BT709),
    (2160, Colour("tv", "bt709", "bt709", "bt709"), BT709),
    # below that what the reference says
    (480, Colour("tv", "bt709", "bt709", "bt709"), BT709), (480, Colour("tv", "smpte170m", None, None), BT601),
    (480, Colour("tv", "bt709", None, None), BT709), (576, BT470, Tags("bt470bg", "bt470bg", "bt470bg")),
    (576, Colour("pc", "bt470bg", None, "iec61966-2-1"), Tags("bt470bg", "smpte170m", "iec61966-2-1")),
    (480, Colour("tv", "smpte240m", "bt709", "bt709"), BT601), (480, Colour("pc", "gbr", "bt709", "bt709"), BT601),
    (480, Colour("tv", None, "bt470bg", "bt709"), BT601),
    # wide colours stay
    (2160, Colour("tv", "bt2020nc", "bt2020", "smpte2084"), Tags("bt2020nc", "bt2020", "smpte2084")),
    (480, Colour("tv", "bt2020nc", None, None), Tags("bt2020nc", "bt2020", "bt2020-10")),
    (2160, Colour("tv", "bt2020nc", "bt2020", "arib-std-b67"), Tags("bt2020nc", "bt2020", "arib-std-b67")),
    # names that some ffmpeg cannot write
    (480, Colour("tv", "bt709", "ebu3213", "log316"), BT709), (480, Colour("tv", "smpte170m", "x; y", "-f"), BT601)])
def test_tags(height, reference, tags):
    assert colour.choose(height, reference) == tags


# --- words ----------------------------------------------------------------------------------------

SCALE = "scale=out_color_matrix={}:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format={}"
SET = ",setparams=range={}:colorspace={}:color_primaries={}:color_trc={}"


def words(filters, pixel_format, bounds, matrix, primaries, transfer):
    return ["-vf", filters, "-pix_fmt", pixel_format, "-color_range", bounds, "-colorspace", matrix,
            "-color_primaries", primaries, "-color_trc", transfer]


@pytest.mark.parametrize("tags, pixel_format, version, expected", [
    (BT709, "yuv420p", (4, 1), words(SCALE.format("bt709", "yuv420p"), "yuv420p", "tv", "bt709", "bt709", "bt709")),
    (BT709, "yuv420p", None, words(SCALE.format("bt709", "yuv420p") + SET.format("tv", "bt709", "bt709", "bt709"),
                                   "yuv420p", "tv", "bt709", "bt709", "bt709")),
    (BT601, "nv12", (4, 2), words(SCALE.format("bt601", "nv12") + SET.format("tv", "smpte170m", "smpte170m",
                                                                             "smpte170m"),
                                  "nv12", "tv", "smpte170m", "smpte170m", "smpte170m")),
    # one name for the filter, another for the option
    (Tags("bt470bg", "bt470bg", "bt470bg"), "yuv444p", (5, 1),
     words(SCALE.format("bt601", "yuv444p") + SET.format("tv", "bt470bg", "bt470bg", "bt470bg"), "yuv444p", "tv",
           "bt470bg", "bt470bg", "gamma28")),
    (Tags("bt2020nc", "bt2020", "smpte2084"), "yuv420p10le", (9, 0),
     words(SCALE.format("bt2020", "yuv420p10le") + SET.format("tv", "bt2020nc", "bt2020", "smpte2084"), "yuv420p10le",
           "tv", "bt2020nc", "bt2020", "smpte2084")),
    (BT601, "bgr24", (4, 0), words("format=bgr24", "bgr24", "pc", "rgb", "bt709", "bt709")),
    (BT601, "gbrp", (9, 0), words("format=gbrp" + SET.format("pc", "gbr", "bt709", "bt709"), "gbrp", "pc", "rgb",
                                  "bt709", "bt709"))])
def test_words(tags, pixel_format, version, expected):
    assert colour.arguments(tags, pixel_format, version) == expected


@pytest.mark.parametrize("pixel_format, rgb, halves", [
    ("yuv420p", False, (2, 2)), ("yuv420p10le", False, (2, 2)), ("yuvj420p", False, (2, 2)), ("nv12", False, (2, 2)),
    ("p010le", False, (2, 2)), ("yuv422p", False, (2, 1)), ("yuv422p10le", False, (2, 1)), ("yuvj422p", False, (2, 1)),
    ("yuv444p", False, (1, 1)), ("yuv444p10le", False, (1, 1)), ("gbrp", True, (1, 1)), ("bgr24", True, (1, 1)),
    ("bgr0", True, (1, 1)), ("rgb24", True, (1, 1)), ("0rgb", True, (1, 1)),
    ("yuva420p", False, (2, 2)), ("yuva422p10le", False, (2, 1)), ("yuva444p10le", False, (1, 1)),
    ("nv21", False, (2, 2)),
    ("nv16", False, (2, 1)), ("p210le", False, (2, 1)), ("yuv411p", False, (4, 1)), ("yuv410p", False, (4, 4)),
    ("yuv440p", False, (1, 2)), ("gray", False, (1, 1)), ("gbrap10le", True, (1, 1))])
def test_pixel_formats(pixel_format, rgb, halves):
    assert (colour.is_rgb(pixel_format), colour.halves(pixel_format)) == (rgb, halves)
    for size in itertools.product((95, 96), (63, 64)):
        width, height = colour.padded(size, pixel_format)
        assert width % halves[0] == height % halves[1] == 0
        assert 0 <= width - size[0] < halves[0] and 0 <= height - size[1] < halves[1]


# --- with a real ffmpeg ---------------------------------------------------------------------------

WAYS = {
    "yuv420p": ["-c:v", "libx264", "-qp", "1"], "yuv444p": ["-c:v", "libx264", "-qp", "1"],
    "yuv420p10le": ["-c:v", "libx265", "-x265-params", "log-level=error:qp=4"],
    "bgr0": ["-c:v", "ffv1"],
}


def encoded(found, path, tags, pixel_format):
    command = [found.ffmpeg] + list(process.OPENING) + trial.raw_input((96, 64), clips.RATE) + WAYS[pixel_format]
    command += colour.arguments(tags, pixel_format, tools.version(found.ffmpeg)) + ["file:" + path]
    ending = process.run(command, clips.frames(3))
    assert (ending.exit_code, ending.frames) == (0, 3), ending
    return path


@pytest.mark.parametrize("pixel_format", sorted(WAYS))
@pytest.mark.parametrize("tags", [BT709, BT601, Tags("bt470bg", "bt470bg", "bt470bg"),
                                  Tags("bt2020nc", "bt2020", "smpte2084")])
def test_colours_come_back_by_their_tags(found, tmp_path, tags, pixel_format):
    path = encoded(found, str(tmp_path / "video.mkv"), tags, pixel_format)
    told = probe.probe(found, path).video.colour
    if pixel_format == "bgr0":
        assert told.matrix in ("gbr", None)  # ffv1 says RGB by itself
    else:
        assert told == Colour("tv", tags.matrix, tags.primaries, tags.transfer)
    for picture, original in zip(clips.decode(found, path), clips.frames(3)):
        for name, mean in clips.means(picture).items():
            assert np.abs(np.subtract(mean, clips.means(original)[name])).max() <= SAME_COLOUR, name


def test_every_tag_that_is_taken_can_be_written(found, tmp_path):
    for number, transfer in enumerate(colour._TRANSFERS):
        primaries = colour._PRIMARIES[number % len(colour._PRIMARIES)]
        reference = Colour("tv", "smpte170m", primaries, transfer)
        path = encoded(found, str(tmp_path / "video.mkv"), colour.choose(480, reference), "yuv444p")
        assert probe.probe(found, path).video.colour == reference


def test_tags_of_a_pal_video_are_taken_over(found, tmp_path):
    source = clips.make(found, tmp_path, "bt470bg", "pal")
    reference = probe.probe(found, source).video.colour
    assert reference == BT470
    path = encoded(found, str(tmp_path / "again.mkv"), colour.choose(576, reference), "yuv420p")
    assert probe.probe(found, path).video.colour == BT470


def test_the_decoder_of_these_tests_minds_the_tags(found, tmp_path):
    path, wrong = str(tmp_path / "video.mkv"), str(tmp_path / "wrong.mkv")
    encoded(found, path, BT709, "yuv444p")
    subprocess.check_call([found.ffmpeg, "-v", "error", "-i", path, "-c", "copy", "-bsf:v",
                           "h264_metadata=matrix_coefficients=6", wrong])
    right, other = clips.means(clips.decode(found, path)[0]), clips.means(clips.decode(found, wrong)[0])
    assert np.abs(np.subtract(right["green"], other["green"])).max() > 10


def test_full_range_where_the_format_says_so(found, tmp_path):
    """yuvj420p holds black as 0 and white as 255, and players take it so."""
    pictures = clips.frames(3)
    path = str(tmp_path / "out.mp4")
    command = [found.ffmpeg] + list(process.OPENING) + trial.raw_input((96, 64), clips.RATE) + [
        "-c:v", "libx264", "-crf", "1"] + colour.arguments(BT601, "yuvj420p", tools.version(found.ffmpeg)) + [path]
    assert process.run(command, pictures).exit_code == 0
    assert probe.probe(found, path).video.colour.range == "pc"
    means = clips.means(clips.decode(found, path)[-1])
    for patch in clips.PATCHES:
        assert np.abs(np.subtract(means[patch], clips.PATCHES[patch][1])).max() <= SAME_COLOUR
