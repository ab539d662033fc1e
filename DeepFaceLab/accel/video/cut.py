"""A part of a video to a new file beside it."""
import os
import re
from fractions import Fraction

from .. import host
from . import probe, process, whole_file

# As ffmpeg takes them: [hours:]minutes:seconds, or a number with a unit.
_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:\.\d*)?)$", re.ASCII)
_COUNT = re.compile(r"(\d+(?:\.\d*)?)(s|ms|us)?$", re.ASCII)
_UNITS = {None: 1, "s": 1, "ms": Fraction(1, 1000), "us": Fraction(1, 1000000)}


def command(found, source, start, end, sound, bitrate, part):
    """Return the command line (list of str): stock's, for a file that gets its name later.

    start, end: as typed ("00:01:02.500"); sound: number of the sound track; bitrate: Mbit/s.
    """
    return ([found.ffmpeg] + list(process.OPENING) + ["-ss", start, "-to", end] + list(process.GUARDED)
            + ["-i", "file:" + source, "-map", "0:v:0", "-map", "0:a:{}?".format(sound), "-c:v", "libx264",
               "-b:v", "{}M".format(bitrate), "-pix_fmt", "yuv420p", "file:" + part])


def seconds_of(text):
    """Return a time as Fraction of seconds: "1:02:03.5", "02:03", "12.25", "500ms". Raises host.UserError."""
    clock, count = _CLOCK.match(text.strip()), _COUNT.match(text.strip())
    if clock:
        hours, minutes, seconds = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + Fraction(seconds.rstrip("."))
    if count:
        return Fraction(count.group(1).rstrip(".")) * _UNITS[count.group(2)]
    raise host.UserError("{} is no time. Write hours:minutes:seconds, like 00:01:30.500.".format(text))


def output_of(source):
    """Return the path of the cut beside its source: "name_cut.mp4"."""
    stem, suffix = os.path.splitext(source)
    return stem + "_cut" + suffix


def run(found, source, start, end, sound, bitrate, open_bar):
    """Cut a video; return the path of the new one. Arguments as `command`; open_bar(total): a progress bar.

    Raises host.UserError; the last cut is then as it was.
    """
    length = seconds_of(end) - seconds_of(start)
    if length <= 0:
        raise host.UserError("The end {} is not after the start {}. Give an end that lies behind.".format(end, start))
    about = probe.probe(found, source)
    video = about.video
    if video.seconds and seconds_of(start) >= video.seconds:
        raise host.UserError("The video ends before {}: it is {:.1f} seconds long.".format(start, video.seconds))
    if sound and sound >= len(about.sounds):
        host.log_err("{} has no sound track {}; the first is 0. The cut has no sound.".format(
            os.path.basename(source), sound))
    total = None
    if video.nominal_rate:  # ffmpeg fills what goes slower
        rest = video.seconds - float(seconds_of(start)) if video.seconds else float(length)
        total = int(round(min(float(length), rest) * float(video.nominal_rate)))
    output = output_of(source)
    whole_file.refuse_input(output, [source])
    with whole_file.WholeFile(output) as place:
        with open_bar(total) as bar:
            ending = process.run(command(found, source, start.strip(), end.strip(), sound, bitrate, place.part),
                                 on_progress=process.bar_updater(bar))
            if ending.exit_code == 0:
                process.fill_bar(bar, ending.frames)
        kept = "{} is as it was.".format(os.path.basename(output)) if os.path.exists(output) else "Nothing was written."
        if ending.exit_code != 0 or ending.stalled:
            raise process.failure(ending, kept)
        if not ending.frames or probe.count_frames(found, place.part) != ending.frames:
            raise host.UserError("The cut video is not right: frames are missing in it. {} Start again.".format(kept))
        place.keep()
    return output
