"""Which colours a video says it has, and the arguments that make it so.

Frames are RGB in full range. A video in YCbCr is converted by a matrix that players must know to show
the same colours again; stock neither chooses it nor writes it down.
"""
import collections
import re

Tags = collections.namedtuple("Tags", "matrix primaries transfer")
Tags.__doc__ = """Names as ffprobe tells them; matrix "rgb" for what ffprobe calls "gbr"."""

BT709 = Tags("bt709", "bt709", "bt709")
BT601 = Tags("smpte170m", "smpte170m", "smpte170m")
RGB = Tags("rgb", "bt709", "bt709")

# Of a reference only such tags are taken as every ffmpeg from 4.0 can write.
_PRIMARIES = ("bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "bt2020", "smpte428", "smpte431",
              "smpte432")
_TRANSFERS = ("bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "linear", "iec61966-2-1", "iec61966-2-4",
              "bt1361e", "bt2020-10", "bt2020-12", "smpte2084", "smpte428", "arib-std-b67")
_OPTION_NAMES = {"bt470m": "gamma22", "bt470bg": "gamma28"}  # what -color_trc calls them up to ffmpeg 5

# How many pixels across and down share their colour.
_HALVED = ((r"420|nv12|nv21|p01\d", (2, 2)), (r"422|nv16|nv20|p21\d", (2, 1)), (r"410", (4, 4)), (r"411", (4, 1)),
           (r"440", (1, 2)))

HD_LINES = 720
_SD_MATRICES = ("bt709", "smpte170m", "bt470bg")
_WIDE_MATRIX = "bt2020nc"
# The scale filter has names of its own for the matrices.
_FRAME_TAGS = (4, 2)  # the first ffmpeg whose frames can be tagged by a filter
_FRAME_NAMES = {"rgb": "gbr"}
_SCALE_NAMES = {"bt709": "bt709", "smpte170m": "bt601", "bt470bg": "bt601", "bt2020nc": "bt2020"}


def choose(height, reference=None):
    """Return the Tags for frames of so many lines. reference: a probe.Colour of the video they came from.

    BT.709; below 720 lines what the reference says, else BT.601. Of a reference in BT.2020 the tags stay:
    its frames hold such colours.
    """
    matrix = reference.matrix if reference is not None else None
    if matrix == _WIDE_MATRIX:
        return _tags(reference, Tags(matrix, "bt2020", "bt2020-10"))
    if height >= HD_LINES:
        return BT709
    if matrix in _SD_MATRICES:
        return _tags(reference, BT709 if matrix == "bt709" else BT601)
    return BT601


def _tags(reference, usual):
    return Tags(reference.matrix, reference.primaries if reference.primaries in _PRIMARIES else usual.primaries,
                reference.transfer if reference.transfer in _TRANSFERS else usual.transfer)


def is_rgb(pixel_format):
    """Tell whether a pixel format of ffmpeg holds RGB, which needs no matrix."""
    return pixel_format.startswith(("rgb", "bgr", "gbr", "0rgb", "0bgr"))


def arguments(tags, pixel_format, version=None):
    """Return the options that convert RGB frames to a pixel format and tag them (list of str).

    version: (major, minor) of ffmpeg, None for a build of today.
    """
    if is_rgb(pixel_format):
        tags, bounds = RGB, "pc"
        filters = "format={}".format(pixel_format)
    else:
        bounds = "pc" if pixel_format.startswith("yuvj") else "tv"
        # the usual rounding of the scaler is off by 3 levels in some colours
        filters = "scale=out_color_matrix={}:out_range={}:flags=bicubic+accurate_rnd+full_chroma_int,format={}".format(
            _SCALE_NAMES[tags.matrix], bounds, pixel_format)
    if version is None or version >= _FRAME_TAGS:
        # ffmpeg 7 believes the frames more than the options below; ProRes always does
        filters += ",setparams=range={}:colorspace={}:color_primaries={}:color_trc={}".format(
            bounds, _FRAME_NAMES.get(tags.matrix, tags.matrix), tags.primaries, tags.transfer)
    return ["-vf", filters, "-pix_fmt", pixel_format, "-color_range", bounds, "-colorspace", tags.matrix,
            "-color_primaries", tags.primaries, "-color_trc", _OPTION_NAMES.get(tags.transfer, tags.transfer)]


def padded(size, pixel_format):
    """Return the size (width, height) that a pixel format can hold: rounded up to what it halves."""
    return tuple(length + -length % factor for length, factor in zip(size, halves(pixel_format)))


def halves(pixel_format):
    """Return by what width and height of a pixel format must be divisible: (2, 2) for yuv420p."""
    for pattern, factors in _HALVED:
        if re.search(pattern, pixel_format):
            return factors
    return 1, 1
