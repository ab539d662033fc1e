"""Frames to a video: decoded by threads, handed to ffmpeg as pixels, counted, and then given its name."""
import collections
import os
import shutil

from .. import host
from . import colour, encoders, frames, probe, process, rate, tools, trial, whole_file

Job = collections.namedtuple("Job", "paths size rate tags reference sound output")
Job.__doc__ = """What is joined. paths: the frames; size: (width, height); rate: Fraction; tags: colour.Tags;
reference: path of the video with the sound, or None; sound: its probe.Sound, or None; output: path."""

Attempt = collections.namedtuple("Attempt", "encoder wish copied")
Attempt.__doc__ = "One way to do a Job. encoder: an Encoder; wish: a Wish; copied: whether sound is copied as it is."

Result = collections.namedtuple("Result", "encoder pixel_format copied size")
Result.__doc__ = "How it went. encoder: name of the one that did it; pixel_format, copied; size: of the file in bytes."

_NEVER_AGAIN = "No space left"  # another encoder does not help then


def command(found, job, attempt, part):
    """Return the command line of an attempt (list of str); frames come from stdin (see trial.raw_input)."""
    spoken, pixel_format = arguments(found, attempt, job.output)
    size = colour.padded(job.size, pixel_format)
    suffix = os.path.splitext(job.output)[1]
    result = [found.ffmpeg] + list(process.OPENING) + trial.raw_input(size, job.rate)
    if job.sound is not None:
        result += list(process.GUARDED) + ["-i", "file:" + job.reference,
                                           "-map", "0:v:0", "-map", "1:{}".format(job.sound.index)]
        result += encoders.sound_arguments(attempt.copied, suffix)
        result += ["-max_muxing_queue_size", "9999"]  # slow encoders let sound pile up before the first picture
    tagged = colour.arguments(job.tags, pixel_format, tools.version(found.ffmpeg))
    return (result + spoken + tagged + encoders.container_arguments(suffix)
            + ["file:" + part])


def arguments(found, attempt, output):
    """Return (encoder's arguments, pixel format) of an attempt with this machine's ffmpeg."""
    return encoders.arguments(attempt.encoder, attempt.wish, os.path.splitext(output)[1],
                              tools.version(found.ffmpeg), tools.encoders(found.ffmpeg))


def attempts(found, job, encoder, wish, copied):
    """Return the Attempts to make in turn: as wished, then by libx264 if the file can hold what it makes."""
    ways = [Attempt(encoder, wish, copied)]
    other, suffix = encoders.ENCODERS[encoders.DEFAULT], os.path.splitext(job.output)[1]
    if (encoder is not other and encoders.DEFAULT in tools.encoders(found.ffmpeg)
            and encoders.refusal(other, instead(encoder, wish), suffix) is None):
        ways.append(Attempt(other, instead(encoder, wish), copied))
    return ways


def instead(encoder, wish):
    """Return the Wish for libx264 when another encoder has failed: the same mode, its own usual numbers."""
    if wish.mode == encoders.QUALITY:
        return encoders.Wish(wish.mode, encoders.ENCODERS[encoders.DEFAULT].qualities[2], None, None)
    mode = encoders.LOSSLESS if encoder.bitrate is None else wish.mode  # who takes FFV1 wants to lose nothing
    return encoders.Wish(mode, wish.value, None, None)


def run(found, job, encoder, wish, open_bar):
    """Join the frames and return a Result; the old file of that name stays until the new one is good.

    encoder, wish: what to try first; when it fails, the next of `attempts`, and the reason is shown.
    open_bar(total): a progress bar. Raises host.UserError when nothing works, a frame cannot be decoded, or
    the file cannot be written.
    """
    with whole_file.WholeFile(job.output) as place:
        ways = attempts(found, job, encoder, wish, _can_copy(found, job, place.part))
        for number, attempt in enumerate(ways):
            ending, why = _encode(found, job, attempt, place.part, open_bar)
            if ending.stalled:   # an encoder that locks up now and then hardly does so twice
                host.log_err("{} stood still and is started once more.".format(attempt.encoder.name))
                ending, why = _encode(found, job, attempt, place.part, open_bar)
            if why is None:
                size = os.path.getsize(place.part)
                place.keep()
                return Result(attempt.encoder.name, arguments(found, attempt, job.output)[1], attempt.copied, size)
            if number + 1 == len(ways) or any(_NEVER_AGAIN in line for line in ending.lines):
                raise _failure(job, ending, why)
            host.log_err("{} failed here: {}. {} is used instead.".format(
                attempt.encoder.name, why, ways[number + 1].encoder.name))


def _can_copy(found, job, part):
    """Tell whether the sound can be copied as it is; the first seconds are, to see it."""
    if job.sound is None or not encoders.can_copy_sound(job.sound.codec, os.path.splitext(job.output)[1]):
        return False
    ending = process.run([found.ffmpeg] + list(process.OPENING) + list(process.GUARDED) + [
        "-t", "5", "-i", "file:" + job.reference, "-map", "0:{}".format(job.sound.index)]
        + encoders.sound_arguments(True, "") + ["file:" + part])
    if ending.exit_code == 0 and not ending.stalled:
        return True
    host.log_info("The sound cannot be copied ({}) and is encoded as AAC.".format(process.reason(ending)))
    return False


def _encode(found, job, attempt, part, open_bar):
    """Make one attempt. Return (Ending, why it failed or None)."""
    _, pixel_format = arguments(found, attempt, job.output)
    size = colour.padded(job.size, pixel_format)
    padding = (size[0] - job.size[0], size[1] - job.size[1])
    with open_bar(len(job.paths)) as bar:
        try:
            ending = process.run(command(found, job, attempt, part), frames.pixels(job.paths, job.size, padding),
                                 process.bar_updater(bar))
        except frames.FrameError as error:
            raise host.UserError("{}. Nothing was written, and the old video is as it was. Make this frame again "
                                 "(step 7), or delete it, then start again.".format(error)) from error
        if ending.exit_code == 0 and not ending.stalled:
            process.fill_bar(bar, len(job.paths))
    if ending.exit_code != 0 or ending.stalled:
        return ending, process.reason(ending)
    return ending, _wrong_count(found, job, ending, part)


def _wrong_count(found, job, ending, part):
    """Return what is wrong with a video that ffmpeg calls finished (str), None if all frames are in it."""
    wanted = len(job.paths)
    if ending.frames != wanted:
        return "{} of {} frames were written".format(ending.frames, wanted)
    try:
        video = probe.probe(found, part).video
    except host.UserError:
        return "what it wrote cannot be read"
    # the head of an avi counts gaps, too, and mkv has no count: then it is counted
    counted = wanted if video.frames == wanted else probe.count_frames(found, part)
    if counted != wanted:
        return "the new file holds {} of {} frames".format(counted, wanted)
    return None


def _failure(job, ending, why):
    kept = "{} is as it was.".format(os.path.basename(job.output)) if os.path.exists(job.output) else \
        "No video was written."
    if ending.exit_code == 0 and not ending.stalled:
        return host.UserError("The new video is not right: {}. {} Start again; if that does not help, choose another "
                              "encoder with --codec.".format(why, kept))
    return process.failure(ending, kept)


# --- before the start ------------------------------------------------------------------------

def needed_bytes(job, wish):
    """Return about how large the result will be (int), None when nobody can tell."""
    if wish.mode == encoders.BITRATE:
        return int(len(job.paths) / float(job.rate) * (wish.value * 1e6 + 200e3) / 8)
    if wish.mode == encoders.LOSSLESS:
        some = job.paths[::max(1, len(job.paths) // 50)]
        return int(sum(os.path.getsize(path) for path in some) / len(some) * len(job.paths))
    return None


def free_bytes(output):
    """Return how many bytes are free where a file is to be (int)."""
    folder = os.path.dirname(os.path.abspath(output))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return shutil.disk_usage(folder).free


def make_job(found, paths, size, output, reference, video, sound, fps):
    """Return (Job, rate.Choice or None). reference, video, sound: of the reference file, or None; fps: without it."""
    choice = None
    if video is not None and video.nominal_rate:
        choice = rate.choose(len(paths), video)
        if choice.warning is not None or video.nominal_rate != video.average_rate:
            # the time of a file is that of its longest track
            choice = rate.choose(len(paths), probe.counted(found, reference, video))
    tags = colour.choose(size[1], video.colour if video is not None else None)
    return Job(paths, size, choice.rate if choice else fps, tags, reference, sound, output), choice
