"""The frame rate of a result: the one that fits the frames to their reference."""
import collections
import math

Choice = collections.namedtuple("Choice", "rate missing warning")
Choice.__doc__ = """rate: Fraction; missing: how many frames there are fewer than the reference has at that rate
(negative: more), None when nobody knows; warning: a sentence for the user, or None."""

# A duration is rounded and may begin late by a frame or two; 30 and 29.97 lie 0.1 % apart.
_FEW_FRAMES = 2
_SMALL_SHARE = 0.0005
_FASTEST = 1000  # a second; what is more is the clock of the file, not a rate of frames


def choose(frame_count, video):
    """Choose the frame rate for `frame_count` frames taken from `video` (a probe.Video): a Choice.

    Stock takes r_frame_rate, which for some sources is twice the number of frames in a second. It is taken
    here, too, when it agrees with frames and duration; else the average rate, when that agrees; else
    stock's, with a warning. None of both in the file: ValueError.
    """
    nominal, average = video.nominal_rate or video.average_rate, video.average_rate
    if nominal is None:
        raise ValueError("the reference tells no frame rate")
    if nominal > _FASTEST and average is not None:
        nominal = average
    if not video.seconds:
        missing = None if video.frames is None else video.frames - frame_count
        return Choice(nominal, missing, None)
    if agrees(frame_count, nominal, video.seconds):
        return Choice(nominal, 0, None)
    if average is not None and average != nominal and agrees(frame_count, average, video.seconds):
        return Choice(average, 0, None)
    expected = int(round(float(nominal) * video.seconds))
    if average in (None, nominal) and video.frames is not None:
        expected = video.frames
    missing = expected - frame_count
    if missing == 0:
        return Choice(nominal, 0, None)
    return Choice(nominal, missing, "The reference has {} frames, the folder {}: at {} frames a second the result "
                                    "lasts {} instead of {}, and sound and picture may drift apart.".format(
                                        expected, frame_count, spoken(nominal), clock(frame_count / float(nominal)),
                                        clock(video.seconds)))


def agrees(frame_count, rate, seconds):
    """Tell whether so many frames at a rate last so long."""
    return abs(frame_count - float(rate) * seconds) <= max(_FEW_FRAMES, _SMALL_SHARE * frame_count)


def spoken(rate):
    """Return a rate as people write it: "25", "29.97"."""
    return "{:.3f}".format(float(rate)).rstrip("0").rstrip(".")


def clock(seconds):
    """Return a duration as "1:02:03.4" or "0:10.0"."""
    tenths = int(math.floor(seconds * 10 + 0.5))
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = "{:04.1f}".format(rest / 10)
    return "{}:{:02d}:{}".format(hours, minutes, text) if hours else "{}:{}".format(minutes, text)
