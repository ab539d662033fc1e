"""The encoders that join offers, and how each is told bitrate, quality, lossless, preset and tag.

Pure functions from a wish to ffmpeg's arguments. A new encoder is a line in ENCODERS and, where it speaks
as no other does, a function of three lines.
"""
import collections

from .. import host

Encoder = collections.namedtuple("Encoder", "name title suffixes pixel_format bitrate quality lossless "
                                            "qualities preset")
Encoder.__doc__ = """name: as ffmpeg has it; title: for people; suffixes: of the files it is offered for;
pixel_format: its usual one. bitrate(mbit, old), quality(number, old), lossless(old): functions that return
(arguments, pixel format or None for the usual one), each None where the encoder cannot; old: whether ffmpeg is
older than 4.4. qualities: (best, worst, default). preset: name of the option for the speed, or None."""

Wish = collections.namedtuple("Wish", "mode value preset pixel_format")
Wish.__doc__ = """What a user wants of an encoder. mode: "bitrate", "quality" or "lossless"; value: Mbit/s or the
quality number; preset, pixel_format: of the encoder, None for its usual one."""

DEFAULT = "libx264"
BITRATE, QUALITY, LOSSLESS = "bitrate", "quality", "lossless"
_ISO = (".mp4", ".m4v", ".mov")
_USUAL = _ISO + (".mkv", ".avi")
_NO_AVI = _ISO + (".mkv",)
_AV1 = (".mp4", ".mkv", ".webm")
_OLD = (4, 4)  # the version of ffmpeg before which nvenc has no -tune and no p1 to p7


# --- how each speaks -------------------------------------------------------------------------

def _plain_bitrate(mbit, old):
    return ["-b:v", "{}M".format(mbit)], None


def _crf(number, old):
    return ["-crf", str(number)], None


def _x264_lossless(old):
    return ["-qp", "0"], "bgr24"  # of libx264rgb


def _x265_lossless(old):
    return ["-x265-params", "lossless=1:log-level=error"], "gbrp"


def _av1_crf(number, old):
    return ["-crf", str(number), "-b:v", "0"], None


def _aom_lossless(old):
    return ["-crf", "0", "-b:v", "0", "-aom-params", "lossless=1"], "gbrp"


def _nvenc_bitrate(mbit, old):
    return ["-rc", "vbr", "-b:v", "{}M".format(mbit), "-maxrate", "{}M".format(2 * mbit)], None


def _nvenc_quality(number, old):
    return ["-rc", "vbr", "-cq", str(number), "-b:v", "0"], None


def _nvenc_lossless(old):
    return (["-preset", "lossless"] if old else ["-tune", "lossless"]), "yuv444p"


def _amf_bitrate(mbit, old):
    return ["-rc", "vbr_peak", "-b:v", "{}M".format(mbit), "-maxrate", "{}M".format(2 * mbit)], None


def _amf_h264_quality(number, old):
    return ["-rc", "cqp", "-qp_i", str(number), "-qp_p", str(number), "-qp_b", str(number)], None


def _amf_hevc_quality(number, old):
    return ["-rc", "cqp", "-qp_i", str(number), "-qp_p", str(number)], None


def _qsv_quality(number, old):
    return ["-global_quality", str(number)], None


def _apple_quality(number, old):
    return ["-q:v", str(number)], None


def _prores_bitrate(mbit, old):
    return ["-profile:v", "3", "-vendor", "apl0"], None  # the profile says it all


def _ffv1_lossless(old):
    return ["-level", "3", "-g", "1", "-slicecrc", "1"], "bgr0"


# In the order in which they are offered; the first is stock's.
ENCODERS = collections.OrderedDict((encoder.name, encoder) for encoder in [
    Encoder("libx264", "H.264, plays everywhere", _USUAL, "yuv420p",
            _plain_bitrate, _crf, _x264_lossless, (0, 51, 18), "-preset"),
    Encoder("libx265", "HEVC, smaller files, slower", _NO_AVI, "yuv420p",
            _plain_bitrate, _crf, _x265_lossless, (0, 51, 20), "-preset"),
    Encoder("libsvtav1", "AV1, smallest files, needs a new player", _AV1, "yuv420p",
            _plain_bitrate, _crf, None, (1, 63, 25), "-preset"),
    Encoder("libaom-av1", "AV1, smallest files, very slow", _AV1, "yuv420p",
            _plain_bitrate, _av1_crf, _aom_lossless, (0, 63, 23), "-cpu-used"),
    Encoder("h264_nvenc", "H.264 by an NVIDIA card, fast", _USUAL, "yuv420p",
            _nvenc_bitrate, _nvenc_quality, _nvenc_lossless, (1, 51, 19), "-preset"),
    Encoder("hevc_nvenc", "HEVC by an NVIDIA card, fast", _NO_AVI, "yuv420p",
            _nvenc_bitrate, _nvenc_quality, _nvenc_lossless, (1, 51, 21), "-preset"),
    Encoder("av1_nvenc", "AV1 by an NVIDIA card (from RTX 40), fast", _AV1, "yuv420p",
            _nvenc_bitrate, _nvenc_quality, None, (1, 63, 28), "-preset"),
    Encoder("h264_amf", "H.264 by an AMD card, fast", _USUAL, "yuv420p",
            _amf_bitrate, _amf_h264_quality, None, (0, 51, 18), "-quality"),
    Encoder("hevc_amf", "HEVC by an AMD card, fast", _NO_AVI, "yuv420p",
            _amf_bitrate, _amf_hevc_quality, None, (0, 51, 20), "-quality"),
    Encoder("h264_qsv", "H.264 by an Intel processor, fast", _USUAL, "nv12",
            _plain_bitrate, _qsv_quality, None, (1, 51, 18), "-preset"),
    Encoder("hevc_qsv", "HEVC by an Intel processor, fast", _NO_AVI, "nv12",
            _plain_bitrate, _qsv_quality, None, (1, 51, 20), "-preset"),
    Encoder("h264_videotoolbox", "H.264 by a Mac, fast", _USUAL, "yuv420p",
            _plain_bitrate, _apple_quality, None, (100, 1, 75), None),
    Encoder("hevc_videotoolbox", "HEVC by a Mac, fast", _NO_AVI, "yuv420p",
            _plain_bitrate, _apple_quality, None, (100, 1, 70), None),
    Encoder("prores_ks", "ProRes 422 HQ, for editing, large files", (".mov",), "yuv422p10le",
            _prores_bitrate, None, None, None, None),
    Encoder("ffv1", "FFV1, lossless, for archives, large files", (".mkv", ".avi"), "bgr0",
            None, None, _ffv1_lossless, None, None),
])
# The encoder of ffmpeg that does the work when nothing may be lost.
RGB_TWIN = {"libx264": "libx264rgb"}
_HEVC = ("libx265", "hevc_nvenc", "hevc_amf", "hevc_qsv", "hevc_videotoolbox")
_EXTRA = {
    "libx265": ["-x265-params", "log-level=error"],  # else it tells its settings as warnings
    "libaom-av1": ["-row-mt", "1"],
}
_USUAL_PRESET = {"libsvtav1": "8", "libaom-av1": "6"}  # their own are for patient people


# --- from a wish to arguments ----------------------------------------------------------------

def named(name):
    """Return the Encoder of a name. Raises host.UserError, with the names there are."""
    if name not in ENCODERS:
        raise host.UserError("There is no encoder {}. Choose one of: {}.".format(name, ", ".join(ENCODERS)))
    return ENCODERS[name]


def can(encoder, mode):
    """Tell whether an encoder knows a mode. One that is always lossless takes a bitrate and leaves it unused."""
    if mode == LOSSLESS:
        return encoder.lossless is not None
    return mode == BITRATE or encoder.quality is not None


def uses_bitrate(encoder):
    """Tell whether a bitrate changes what an encoder does."""
    return encoder.bitrate not in (None, _prores_bitrate)


def refusal(encoder, wish, suffix):
    """Return why an encoder cannot do what is wished, with what could (str), or None if it can."""
    if encoder.suffixes and suffix.lower() in _known_suffixes() and suffix.lower() not in encoder.suffixes:
        return "{} does not go into {} files, but into {}.".format(encoder.name, suffix, ", ".join(encoder.suffixes))
    if not can(encoder, wish.mode):
        able = [name for name, other in ENCODERS.items() if can(other, wish.mode)
                and (suffix.lower() in other.suffixes or suffix.lower() not in _known_suffixes())]
        what = "cannot work without loss" if wish.mode == LOSSLESS else "takes no quality number"
        return "{} {}. Those that can: {}.".format(encoder.name, what, ", ".join(able))
    return None


def check_quality(encoder, number):
    """Raise host.UserError for a quality number outside the encoder's range."""
    low, high = sorted(encoder.qualities[:2])
    if not low <= number <= high:
        raise host.UserError("The quality of {} goes from {} to {}, and {} is the best; {} is outside.".format(
            encoder.name, low, high, encoder.qualities[0], number))


def _known_suffixes():
    return {suffix for encoder in ENCODERS.values() for suffix in encoder.suffixes}


def arguments(encoder, wish, suffix, version=None, has=frozenset()):
    """Return (arguments, pixel format): what tells ffmpeg to use an encoder as wished.

    wish: a Wish that `refusal` lets pass; suffix: of the result (".mp4"); version: (major, minor) of ffmpeg,
    None for a build of today; has: the encoders of this ffmpeg. No arguments for colour: see colour.arguments.
    """
    old = version is not None and version < _OLD
    name = encoder.name
    if wish.mode == LOSSLESS or encoder.bitrate is None:
        spoken, pixel_format = encoder.lossless(old)
    elif wish.mode == QUALITY:
        spoken, pixel_format = encoder.quality(wish.value, old)
    else:
        spoken, pixel_format = encoder.bitrate(wish.value, old)
    pixel_format = wish.pixel_format or pixel_format or encoder.pixel_format
    if name in RGB_TWIN and pixel_format == "bgr24":
        if RGB_TWIN[name] in has:
            name = RGB_TWIN[name]
        else:
            pixel_format = "yuv444p"
    result = ["-c:v", name] + spoken
    if "-x265-params" not in spoken:
        result += _EXTRA.get(encoder.name, [])
    preset = wish.preset or _USUAL_PRESET.get(encoder.name)
    if preset is not None and encoder.preset is not None and encoder.preset not in spoken:
        result += [encoder.preset, preset]
    if name == "prores_ks" and pixel_format.startswith(("yuv444", "yuva444")):
        result[result.index("-profile:v") + 1] = "4"  # ProRes 4444
    if encoder.name in _HEVC and suffix.lower() in _ISO:
        result += ["-tag:v", "hvc1"]  # players of Apple know no other
    return result, pixel_format


def container_arguments(suffix):
    """Return the arguments for a file that begins to play before it is loaded, and keeps its colour tags."""
    return ["-movflags", "+faststart+write_colr"] if suffix.lower() in _ISO else []


# --- sound -----------------------------------------------------------------------------------

_COPIED_SOUND = {
    ".mp4": ("aac", "mp3", "ac3", "eac3", "alac"), ".m4v": ("aac", "alac", "ac3"),
    ".mov": ("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_s24be"),
    ".avi": ("mp3", "ac3", "pcm_s16le"),
    ".mkv": ("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus", "vorbis", "dts", "truehd", "pcm_s16le",
             "pcm_s24le"),
    ".webm": ("opus", "vorbis"),
}


def can_copy_sound(codec, suffix):
    """Tell whether a file of this suffix takes a sound track as it is, and common players play it."""
    return codec in _COPIED_SOUND.get(suffix.lower(), ())


def sound_arguments(copied, suffix):
    """Return the arguments for sound that is copied, or encoded as stock does (AAC, 192 kbit/s, 48 kHz)."""
    if copied:
        return ["-c:a", "copy"]
    if suffix.lower() == ".webm":
        return ["-c:a", "libopus", "-b:a", "192k"]
    return ["-c:a", "aac", "-b:a", "192k", "-ar", "48000"]
