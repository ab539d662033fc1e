"""What a video holds: by ffprobe, or without one from what `ffmpeg -i` says of it."""
import collections
import json
import re
from fractions import Fraction

from .. import host
from . import process, tools

Video = collections.namedtuple("Video", "index width height rotation pixel_format nominal_rate average_rate "
                                        "frames seconds colour")
Video.__doc__ = """The first moving picture of a file. width, height: as stored; rotation: degrees clockwise to
turn it for showing (0, 90, 180, 270); nominal_rate: Fraction (ffmpeg's r_frame_rate or tbr), average_rate:
Fraction; frames: int; seconds: float; each of the four is None when the file does not tell. colour: a Colour."""

Colour = collections.namedtuple("Colour", "range matrix primaries transfer")
Colour.__doc__ = """Tags as ffmpeg names them ("tv", "bt709", "smpte170m" ...), each None when the file has none."""

Sound = collections.namedtuple("Sound", "index codec")
Sound.__doc__ = """One sound track. index: of the stream in the file; codec: as ffmpeg names it ("aac")."""

Source = collections.namedtuple("Source", "video sounds")
Source.__doc__ = """What a file holds. video: a Video, or None; sounds: list of Sound in the file's order."""

# A rate that `ffmpeg -i` rounded to two digits: these are what 23.98, 29.97 ... stand for.
_NTSC_RATES = [Fraction(base * 1000, 1001) for base in (12, 15, 24, 30, 48, 60, 90, 120, 240)]


def probe(found, path):
    """Return what a file holds (Source). found: Tools. Raises host.UserError if it is no video or unreadable."""
    source = by_ffprobe(found.ffprobe, path) if found.ffprobe is not None else by_ffmpeg(found.ffmpeg, path)
    if source.video is None:
        raise host.UserError("{} holds no picture. Choose a video.".format(path))
    return source


# --- ffprobe ---------------------------------------------------------------------------------

def by_ffprobe(ffprobe, path):
    """Ask ffprobe. Arguments and errors as `probe`; the Source's video may be None."""
    command = [ffprobe, "-v", "error"] + list(process.GUARDED) + [
        "-print_format", "json", "-show_streams", "-show_format", "file:" + path]
    out, words, code = tools.ask_both(command)
    try:
        told = json.loads(out) if code == 0 else {}
    except ValueError:
        told = {}
    if "streams" not in told:
        raise _unreadable(path, words)
    video, sounds = None, []
    for stream in told["streams"]:
        kind = stream.get("codec_type")
        if kind == "video" and video is None and not stream.get("disposition", {}).get("attached_pic"):
            video = _video_of_json(stream, told.get("format", {}))
        elif kind == "audio":
            sounds.append(Sound(stream["index"], stream.get("codec_name", "unknown")))
    return Source(video, sounds)


def _video_of_json(stream, container):
    def tag(name):
        return _known(stream.get(name))
    seconds = _number(stream.get("duration")) or _number(container.get("duration"))
    frames = _number(stream.get("nb_frames"))
    return Video(index=stream["index"], width=stream.get("width", 0), height=stream.get("height", 0),
                 rotation=_rotation_of_json(stream), pixel_format=_known(stream.get("pix_fmt")),
                 nominal_rate=_rate(stream.get("r_frame_rate")), average_rate=_rate(stream.get("avg_frame_rate")),
                 frames=int(frames) if frames else None, seconds=seconds,
                 colour=Colour(tag("color_range"), tag("color_space"), tag("color_primaries"), tag("color_transfer")))


def _rotation_of_json(stream):
    # Only the display matrix counts: ffmpeg 4.0 and later do not turn by a tag alone.
    turns = [entry["rotation"] for entry in stream.get("side_data_list", []) if "rotation" in entry]
    return _clockwise(turns[0]) if turns else 0


# --- ffmpeg -i -------------------------------------------------------------------------------

_STREAM = re.compile(r"^ +Stream #0:(\d+)(?:\[\w+\])?(?:\([^()]*\))?: (Video|Audio): (.*)$")


def by_ffmpeg(ffmpeg, path):
    """Ask `ffmpeg -i`, whose words have no frame count. Arguments and errors as by_ffprobe."""
    command = [ffmpeg, "-hide_banner", "-nostdin"] + list(process.GUARDED) + ["-i", "file:" + path]
    _, words, _ = tools.ask_both(command)
    source = read_words(words)
    if source is None:
        raise _unreadable(path, words)
    return source


def read_words(words):
    """Return the Source that ffmpeg's description of an input (str) tells, or None if it is none."""
    if not re.search(r"^Input #0", words, re.MULTILINE):
        return None
    duration = re.search(r"^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", words, re.MULTILINE)
    seconds = None
    if duration:
        seconds = int(duration.group(1)) * 3600 + int(duration.group(2)) * 60 + float(duration.group(3))
    videos, sounds, index = {}, {}, None
    for line in words.splitlines():
        match = _STREAM.match(line)
        turned = re.match(r" +display ?matrix: rotation of (\S+) degrees", line, re.IGNORECASE)
        if match:
            index, kind, text = int(match.group(1)), match.group(2), match.group(3)
            if kind == "Audio":
                sounds[index] = Sound(index, _first_word(text))
            elif "(attached pic)" not in text:
                videos[index] = _video_of_words(index, text, seconds)
        elif turned and index in videos:
            videos[index] = videos[index]._replace(rotation=_clockwise(turned.group(1)))
    # A transport stream tells of them program by program, and of some more than once.
    return Source(videos[min(videos)] if videos else None, [sounds[number] for number in sorted(sounds)])


def _first_word(text):
    match = re.match(r"\w+", text)
    return match.group(0) if match and match.group(0) != "none" else "unknown"


def _video_of_words(index, text, seconds):
    parts = _split(text)
    size = re.search(r"\b(\d{1,5})x(\d{1,5})\b", ", ".join(parts[1:]))
    pixel_format = _first_word(parts[1]) if len(parts) > 1 else None
    about = re.search(r"\((.*)\)", parts[1]) if len(parts) > 1 else None

    def rate(unit):
        match = re.search(r"\b(\d+(?:\.\d+)?)(k?) {}\b".format(unit), text)
        return _spoken_rate(match.group(1), match.group(2)) if match else None
    average = rate("fps")
    width, height = (int(size.group(1)), int(size.group(2))) if size else (0, 0)
    return Video(index=index, width=width, height=height, rotation=0, pixel_format=_known(pixel_format),
                 nominal_rate=rate("tbr") or average, average_rate=average, frames=None, seconds=seconds,
                 colour=_spoken_colour(about.group(1) if about else ""))


def _split(text):
    """Split at the commas that stand in no brackets."""
    return re.split(r", (?![^(]*\))", text)


def _spoken_colour(text):
    """Read "tv, bt709, progressive" or "tv, bt470bg/bt470bg/smpte170m" (matrix/primaries/transfer)."""
    words = [word.strip() for word in text.split(",")]
    bounds = next((word for word in words if word in ("tv", "pc")), None)
    names = next((word for word in words if "/" in word), None)
    if names is None:
        names = next((word for word in words if re.match(r"(bt|smpte|gbr|fcc|ycgco)\w*$", word)), None)
        names = "/".join([names] * 3) if names is not None else "//"
    matrix, primaries, transfer = (names.split("/") + ["", ""])[:3]
    return Colour(bounds, _known(matrix), _known(primaries), _known(transfer))


def _spoken_rate(text, thousand):
    rate = Fraction(text) * (1000 if thousand else 1)
    if rate.denominator == 1 and rate > 0:
        return rate
    close = [ntsc for ntsc in _NTSC_RATES if abs(ntsc - rate) <= Fraction(1, 200)]
    return close[0] if close else (rate or None)


# --- both ------------------------------------------------------------------------------------

def count_frames(found, path):
    """Return how many frames a video has (int), counted without decoding; None if it cannot be read."""
    command = [found.ffmpeg] + list(process.OPENING) + list(process.GUARDED) + [
        "-i", "file:" + path, "-map", "0:V:0", "-c", "copy", "-f", "null", "-"]
    ending = process.run(command)
    return ending.frames if ending.exit_code == 0 else None


def counted(found, path, video):
    """Return a Video with its frames counted and the time that they take, which is not that of the whole file."""
    frames = count_frames(found, path)
    if not frames:
        return video
    rate = video.average_rate or video.nominal_rate
    return video._replace(frames=frames, seconds=float(frames / rate) if rate else video.seconds)


def _known(text):
    return None if text in (None, "", "unknown", "unspecified", "reserved") else text


def _clockwise(degrees):
    """Return the clockwise quarter turns (0, 90, 180, 270) of a counter-clockwise rotation in degrees."""
    turn = _number(degrees)
    return int(round(-turn / 90)) * 90 % 360 if turn is not None and abs(turn) <= 360 else 0


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _rate(text):
    try:
        rate = Fraction(text)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def _unreadable(path, words):
    last = words.strip().splitlines()
    return host.UserError("{} is no video that ffmpeg can read{} Try to play it; if it plays, convert it to mp4 first."
                          .format(path, ": " + last[-1].strip() + "." if last else "."))
