"""Frame rates: the one that fits frames and duration; a warning exactly where none does."""
from fractions import Fraction

import clips
import pytest
from accel.video import probe, rate
from accel.video.probe import Video
from hypothesis import given
from hypothesis import strategies as st

from naive import rate as naive

NTSC, FILM = clips.NTSC, Fraction(24000, 1001)
RATES = [Fraction(10), Fraction(15), FILM, Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50),
         Fraction(60000, 1001), Fraction(60), Fraction(120)]


def video(nominal=None, average=None, seconds=None, frames=None):
    return Video(0, 96, 64, 0, "yuv420p", nominal, average, frames, seconds, probe.Colour(None, None, None, None))


# --- a table --------------------------------------------------------------------------------------

@pytest.mark.parametrize("count, source, chosen, missing", [
    # frame for frame
    (250, video(25, 25, 10.0, 250), 25, 0), (240, video(FILM, FILM, 10.01, 240), FILM, 0),
    (2997, video(NTSC, NTSC, 100.0, 2997), NTSC, 0), (1, video(25, 25, 0.04, 1), 25, 0),
    # r_frame_rate twice the frames, as of interlaced or field-counted sources
    (250, video(50, 25, 10.0, 250), 25, 0), (250, video(50, 25, 10.0), 25, 0),
    (2997, video(Fraction(60000, 1001), NTSC, 100.0, 2997), NTSC, 0),
    # and frames extracted at that rate
    (500, video(50, 25, 10.0, 250), 50, 0),
    # the clock of the file in the place of a rate
    (290, video(90000, Fraction(2985, 100), 10.0), Fraction(2985, 100), 8),
    (900000, video(90000, None, 10.0), 90000, 0),
    # a phone's variable rate
    (2893, video(30, Fraction(2893, 97), 97.0, 2893), Fraction(2893, 97), 0),
    (2000, video(90000, 20, 100.0, 2000), 20, 0),
    # 30 and 29.97 of an hour
    (107892, video(NTSC, NTSC, 3600.0), NTSC, 0), (108000, video(NTSC, 30, 3600.0), 30, 0),
    (107892, video(30, NTSC, 3600.0), NTSC, 0),
    # rounded durations, a late begin
    (250, video(25, 25, 10.03), 25, 0), (248, video(25, 25, 10.0, 250), 25, 0),
    # missing ones, and too many
    (200, video(25, 25, 10.0, 250), 25, 50), (300, video(25, 25, 10.0, 250), 25, -50),
    (1, video(25, 25, 10.0, 250), 25, 249), (200, video(50, 25, 10.0, 250), 50, 300),
    (200, video(25, None, 10.0), 25, 50), (200, video(None, 25, 10.0), 25, 50),
    # the head counts the frames: better than the duration
    (200, video(25, 25, 9.0, 200), 25, 0), (200, video(25, None, 9.0, 210), 25, 10),
    # no duration
    (200, video(25, 25), 25, None), (200, video(50, 25, None, 200), 50, 0), (199, video(25, 25, 0.0, 200), 25, 1)])
def test_choice(count, source, chosen, missing):
    choice = rate.choose(count, source)
    assert (choice.rate, choice.missing) == (chosen, missing)
    assert (choice.warning is not None) == (missing not in (0, None) and bool(source.seconds))


def test_the_warning_says_what_will_happen():
    assert rate.choose(200, video(25, 25, 10.0, 250)).warning == (
        "The reference has 250 frames, the folder 200: at 25 frames a second the result lasts 0:08.0 instead of "
        "0:10.0, and sound and picture may drift apart.")


def test_no_rate_at_all():
    with pytest.raises(ValueError, match="no frame rate"):
        rate.choose(3, video(seconds=4.0))


# --- properties -----------------------------------------------------------------------------------

seconds_of_clips = st.floats(0.2, 3 * 3600)
some_rates = st.sampled_from(RATES)


@given(nominal=some_rates, count=st.integers(1, 10 ** 6), late=st.floats(-0.9, 0.9))
def test_a_constant_rate_is_kept(nominal, count, late):
    source = video(nominal, nominal, (count + late) / float(nominal), count)
    assert rate.choose(count, source) == rate.Choice(nominal, 0, None)


@given(real=some_rates, count=st.integers(5, 10 ** 6))
def test_a_doubled_rate_is_halved(real, count):
    source = video(2 * real, real, float(count / real), count)
    assert rate.choose(count, source) == rate.Choice(real, 0, None)


@given(nominal=some_rates, count=st.integers(100, 10 ** 6), share=st.floats(0.2, 0.95))
def test_a_variable_rate_keeps_the_length(nominal, count, share):
    seconds = count / (float(nominal) * share)
    average = Fraction(count / seconds).limit_denominator(10 ** 6)
    choice = rate.choose(count, video(nominal, average, seconds, count))
    assert (choice.rate, choice.warning) == (average, None)
    assert abs(count / float(choice.rate) - seconds) < 0.01


@given(nominal=some_rates, count=st.integers(1, 10 ** 5), gap=st.integers(1, 1000))
def test_missing_frames_are_counted(nominal, count, gap):
    source = video(nominal, nominal, float((count + gap) / nominal), count + gap)
    choice = rate.choose(count, source)
    assert choice.rate == nominal
    few = gap <= max(2, 0.0005 * count)
    assert choice.missing == (0 if few else gap) and (choice.warning is None) == few


@given(count=st.integers(1, 10 ** 6), nominal=some_rates, average=st.one_of(st.none(), some_rates),
       seconds=st.one_of(st.none(), seconds_of_clips), frames=st.one_of(st.none(), st.integers(1, 10 ** 6)),
       fitting=st.booleans())
def test_equal_to_the_rule_of_the_contract(count, nominal, average, seconds, frames, fitting):
    if fitting and seconds is not None:
        seconds = count / float(average or nominal)
    choice = rate.choose(count, video(nominal, average, seconds, frames))
    assert choice.rate == naive.choose(count, nominal, average, seconds)


# --- of real clips, frame for frame ---------------------------------------------------------------

@pytest.mark.parametrize("found", clips.ffmpegs(), ids=clips.called)
@pytest.mark.parametrize("kind", [
    "plain", "ntsc", "film", "slow", "fast", "vfr", "doubled", "mpeg-4", "with aac", "with mp3", "two tracks", "vp9"])
def test_frames_taken_from_a_clip_get_its_length(found, tmp_path, kind):
    path = clips.make(found, tmp_path, kind)
    source = probe.probe(found, path).video
    about = clips.KINDS[kind]
    choice = rate.choose(about.count, source)
    assert (choice.missing, choice.warning) == (0, None)
    assert abs(about.count / float(choice.rate) - about.count / float(about.average)) < 0.05
    if kind != "vfr" or found.ffprobe is not None:  # of an uneven rate `ffmpeg -i` tells two digits
        assert choice.rate == about.average


@pytest.mark.parametrize("found", clips.ffmpegs(), ids=clips.called)
def test_a_program_stream_tells_of_the_time_up_to_its_last_stamp(found, tmp_path):
    choice = rate.choose(24, probe.probe(found, clips.make(found, tmp_path, "mpeg-ps")).video)
    assert (choice.rate, choice.missing) == (25, -8) and "has 16 frames, the folder 24" in choice.warning


# --- words ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("value, text", [(25, "25"), (NTSC, "29.97"), (FILM, "23.976"), (Fraction(25, 2), "12.5"),
                                         (Fraction(60000, 1001), "59.94"), (100, "100"), (Fraction(1, 2), "0.5")])
def test_spoken(value, text):
    assert rate.spoken(value) == text


@pytest.mark.parametrize("seconds, text", [(0, "0:00.0"), (9.96, "0:10.0"), (59.96, "1:00.0"), (61.25, "1:01.3"),
                                           (3599.96, "1:00:00.0"), (3723.4, "1:02:03.4"), (360000, "100:00:00.0")])
def test_clock(seconds, text):
    assert rate.clock(seconds) == text
