"""Encoders: what each is told, word for word, for every wish; what is refused, and what could be chosen instead."""
import itertools
import re

import pytest
from accel import host
from accel.video import encoders
from accel.video.encoders import BITRATE, ENCODERS, LOSSLESS, QUALITY, Wish

TODAY, OLD = (9, 0), (4, 3)
ALL = frozenset(ENCODERS) | {"libx264rgb"}
MODES = [BITRATE, QUALITY, LOSSLESS]

# (encoder, mode): (words after -c:v NAME, pixel format) for 16 Mbit/s or the usual quality, into a .mkv.
TABLE = {
    ("libx264", BITRATE): ("-b:v 16M", "yuv420p"),
    ("libx264", QUALITY): ("-crf 18", "yuv420p"),
    ("libx264", LOSSLESS): ("-qp 0", "bgr24"),
    ("libx265", BITRATE): ("-b:v 16M -x265-params log-level=error", "yuv420p"),
    ("libx265", QUALITY): ("-crf 20 -x265-params log-level=error", "yuv420p"),
    ("libx265", LOSSLESS): ("-x265-params lossless=1:log-level=error", "gbrp"),
    ("libsvtav1", BITRATE): ("-b:v 16M -preset 8", "yuv420p"),
    ("libsvtav1", QUALITY): ("-crf 25 -preset 8", "yuv420p"),
    ("libaom-av1", BITRATE): ("-b:v 16M -row-mt 1 -cpu-used 6", "yuv420p"),
    ("libaom-av1", QUALITY): ("-crf 23 -b:v 0 -row-mt 1 -cpu-used 6", "yuv420p"),
    ("libaom-av1", LOSSLESS): ("-crf 0 -b:v 0 -aom-params lossless=1 -row-mt 1 -cpu-used 6", "gbrp"),
    ("h264_nvenc", BITRATE): ("-rc vbr -b:v 16M -maxrate 32M", "yuv420p"),
    ("h264_nvenc", QUALITY): ("-rc vbr -cq 19 -b:v 0", "yuv420p"),
    ("h264_nvenc", LOSSLESS): ("-tune lossless", "yuv444p"),
    ("hevc_nvenc", BITRATE): ("-rc vbr -b:v 16M -maxrate 32M", "yuv420p"),
    ("hevc_nvenc", QUALITY): ("-rc vbr -cq 21 -b:v 0", "yuv420p"),
    ("hevc_nvenc", LOSSLESS): ("-tune lossless", "yuv444p"),
    ("av1_nvenc", BITRATE): ("-rc vbr -b:v 16M -maxrate 32M", "yuv420p"),
    ("av1_nvenc", QUALITY): ("-rc vbr -cq 28 -b:v 0", "yuv420p"),
    ("h264_amf", BITRATE): ("-rc vbr_peak -b:v 16M -maxrate 32M", "yuv420p"),
    ("h264_amf", QUALITY): ("-rc cqp -qp_i 18 -qp_p 18 -qp_b 18", "yuv420p"),
    ("hevc_amf", BITRATE): ("-rc vbr_peak -b:v 16M -maxrate 32M", "yuv420p"),
    ("hevc_amf", QUALITY): ("-rc cqp -qp_i 20 -qp_p 20", "yuv420p"),
    ("h264_qsv", BITRATE): ("-b:v 16M", "nv12"),
    ("h264_qsv", QUALITY): ("-global_quality 18", "nv12"),
    ("hevc_qsv", BITRATE): ("-b:v 16M", "nv12"),
    ("hevc_qsv", QUALITY): ("-global_quality 20", "nv12"),
    ("h264_videotoolbox", BITRATE): ("-b:v 16M", "yuv420p"),
    ("h264_videotoolbox", QUALITY): ("-q:v 75", "yuv420p"),
    ("hevc_videotoolbox", BITRATE): ("-b:v 16M", "yuv420p"),
    ("hevc_videotoolbox", QUALITY): ("-q:v 70", "yuv420p"),
    ("prores_ks", BITRATE): ("-profile:v 3 -vendor apl0", "yuv422p10le"),
    ("ffv1", BITRATE): ("-level 3 -g 1 -slicecrc 1", "bgr0"),
    ("ffv1", LOSSLESS): ("-level 3 -g 1 -slicecrc 1", "bgr0"),
}
OF_OLD = {("h264_nvenc", LOSSLESS): "-preset lossless", ("hevc_nvenc", LOSSLESS): "-preset lossless"}
HEVC = ["libx265", "hevc_nvenc", "hevc_amf", "hevc_qsv", "hevc_videotoolbox"]


def wish(mode, encoder=None, **more):
    value = {BITRATE: 16, QUALITY: encoder.qualities[2] if encoder and encoder.qualities else 20, LOSSLESS: None}[mode]
    return Wish(mode, value, more.get("preset"), more.get("pixel_format"))


def told(name, mode, suffix=".mkv", version=TODAY, has=ALL, **more):
    encoder = ENCODERS[name]
    words, pixel_format = encoders.arguments(encoder, wish(mode, encoder, **more), suffix, version, has)
    return " ".join(words), pixel_format


# --- what each is told ----------------------------------------------------------------------------

def test_the_table_has_every_encoder_with_all_that_it_can():
    able = {(name, mode) for name, mode in itertools.product(ENCODERS, MODES) if encoders.can(ENCODERS[name], mode)}
    assert set(TABLE) == able


@pytest.mark.parametrize("version", [TODAY, None, (4, 4), OLD, (4, 0)])
@pytest.mark.parametrize("name, mode", sorted(TABLE))
def test_words_of_every_encoder(name, mode, version):
    words, pixel_format = TABLE[name, mode]
    if version in (OLD, (4, 0)):
        words = OF_OLD.get((name, mode), words)
    called = "libx264rgb" if (name, mode) == ("libx264", LOSSLESS) else name
    assert told(name, mode, version=version) == ("-c:v {} {}".format(called, words), pixel_format)


def test_the_order_is_that_of_the_offer():
    assert list(ENCODERS) == ["libx264", "libx265", "libsvtav1", "libaom-av1", "h264_nvenc", "hevc_nvenc", "av1_nvenc",
                              "h264_amf", "hevc_amf", "h264_qsv", "hevc_qsv", "h264_videotoolbox", "hevc_videotoolbox",
                              "prores_ks", "ffv1"]
    assert encoders.DEFAULT == "libx264"


@pytest.mark.parametrize("name", sorted(ENCODERS))
@pytest.mark.parametrize("mbit", [1, 0.5, 300])
def test_the_bitrate_is_the_one_wished(name, mbit):
    words, _ = encoders.arguments(ENCODERS[name], Wish(BITRATE, mbit, None, None), ".mkv", TODAY, ALL)
    if encoders.uses_bitrate(ENCODERS[name]):
        assert words[words.index("-b:v") + 1] == "{}M".format(mbit)
    else:
        assert "-b:v" not in words and name in ("prores_ks", "ffv1")


@pytest.mark.parametrize("name, mode", sorted(key for key in TABLE if key[1] != BITRATE))
def test_nothing_limits_the_bitrate_of_a_quality(name, mode):
    words = told(name, mode)[0]
    assert "-b:v" not in words or "-b:v 0" in words


# --- lossless -------------------------------------------------------------------------------------

def test_without_libx264rgb_lossless_keeps_all_colour_it_can():
    assert told("libx264", LOSSLESS, has={"libx264"}) == ("-c:v libx264 -qp 0", "yuv444p")


def test_lossless_of_a_wished_format_stays_in_it():
    assert told("libx264", LOSSLESS, pixel_format="yuv420p") == ("-c:v libx264 -qp 0", "yuv420p")


@pytest.mark.parametrize("name", ["h264_nvenc", "hevc_nvenc"])
@pytest.mark.parametrize("version", [OLD, TODAY])
def test_a_preset_does_not_undo_lossless(name, version):
    words = told(name, LOSSLESS, version=version, preset="slow")[0].split()
    if version == OLD:
        assert words[words.index("-preset"):] == ["-preset", "lossless"]
    else:
        assert words[-4:] == ["-tune", "lossless", "-preset", "slow"]


# --- presets, formats, containers -----------------------------------------------------------------

@pytest.mark.parametrize("name, mode", sorted(TABLE))
def test_a_preset_is_said_once_in_the_encoders_words(name, mode):
    words = told(name, mode, preset="x")[0].split()
    option = ENCODERS[name].preset
    if option is None:
        assert "x" not in words
    else:
        assert [words[place + 1] for place, word in enumerate(words) if word == option] == ["x"]


@pytest.mark.parametrize("name, mode", sorted(TABLE))
def test_a_wished_pixel_format_is_taken(name, mode):
    assert told(name, mode, pixel_format="yuv444p10le")[1] == "yuv444p10le"


@pytest.mark.parametrize("pixel_format, profile", [
    ("yuv422p10le", "3"), ("yuv444p10le", "4"), ("yuva444p10le", "4"), (None, "3")])
def test_prores_profile_fits_its_format(pixel_format, profile):
    assert "-profile:v " + profile in told("prores_ks", BITRATE, pixel_format=pixel_format)[0]


@pytest.mark.parametrize("suffix", [".mp4", ".MP4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ""])
@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_hevc_is_tagged_for_apple_only_where_apple_reads_it(name, suffix):
    words = told(name, BITRATE, suffix)[0]
    assert ("-tag:v hvc1" in words) == (name in HEVC and suffix.lower() in (".mp4", ".m4v", ".mov"))


@pytest.mark.parametrize("suffix, words", [
    (".mp4", ["-movflags", "+faststart+write_colr"]), (".MOV", ["-movflags", "+faststart+write_colr"]),
    (".m4v", ["-movflags", "+faststart+write_colr"]), (".mkv", []), (".avi", []), (".webm", []), ("", [])])
def test_container_words(suffix, words):
    assert encoders.container_arguments(suffix) == words


# --- refusals -------------------------------------------------------------------------------------

@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".MP4", ".ts", ".wmv", ""])
@pytest.mark.parametrize("name, mode", list(itertools.product(sorted(ENCODERS), MODES)))
def test_refusals_name_what_can_be_chosen_instead(name, mode, suffix):
    encoder = ENCODERS[name]
    why = encoders.refusal(encoder, wish(mode, encoder), suffix)
    known = suffix.lower() in (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm")
    if known and suffix.lower() not in encoder.suffixes:
        assert why == "{} does not go into {} files, but into {}.".format(name, suffix, ", ".join(encoder.suffixes))
    elif (name, mode) not in TABLE:
        others = re.match(name + " (?:cannot work without loss|takes no quality number)[.] Those that can: (.*)[.]$",
                          why).group(1)
        for other in others.split(", "):
            assert encoders.refusal(ENCODERS[other], wish(mode, ENCODERS[other]), suffix) is None
    else:
        assert why is None


@pytest.mark.parametrize("name, suffix", [("ffv1", ".mp4"), ("prores_ks", ".mp4"), ("libx265", ".avi"),
                                          ("libx264", ".webm"), ("libsvtav1", ".mov")])
def test_some_refusals_spelled_out(name, suffix):
    assert encoders.refusal(ENCODERS[name], wish(BITRATE), suffix) is not None


def test_an_unknown_name_is_answered_with_those_there_are():
    assert encoders.named("libx264") is ENCODERS["libx264"]
    with pytest.raises(host.UserError, match="no encoder h265.*libx264, libx265.*ffv1"):
        encoders.named("h265")


@pytest.mark.parametrize("name", sorted(name for name in ENCODERS if ENCODERS[name].qualities))
def test_quality_numbers_outside_are_refused(name):
    encoder = ENCODERS[name]
    best, worst, usual = encoder.qualities
    for number in (best, worst, usual):
        encoders.check_quality(encoder, number)
    for number in (min(best, worst) - 1, max(best, worst) + 1):
        with pytest.raises(host.UserError, match="from {} to {}, and {} is the best; {} is".format(
                min(best, worst), max(best, worst), best, number)):
            encoders.check_quality(encoder, number)


# --- sound ----------------------------------------------------------------------------------------

COPIED = {
    ".mp4": "aac mp3 ac3 eac3 alac", ".m4v": "aac alac ac3",
    ".mov": "aac mp3 ac3 eac3 alac pcm_s16le pcm_s24le pcm_s16be pcm_s24be", ".avi": "mp3 ac3 pcm_s16le",
    ".mkv": "aac mp3 ac3 eac3 alac flac opus vorbis dts truehd pcm_s16le pcm_s24le", ".webm": "opus vorbis"}
CODECS = sorted(set(" ".join(COPIED.values()).split()) | {"wmav2", "unknown", "", "amr_nb"})


@pytest.mark.parametrize("suffix", sorted(COPIED) + [".ts", "", ".MP4"])
def test_sound_that_is_copied(suffix):
    able = [codec for codec in CODECS if encoders.can_copy_sound(codec, suffix)]
    assert able == sorted(COPIED.get(suffix.lower(), "").split())


@pytest.mark.parametrize("copied, suffix, words", [
    (True, ".mp4", "-c:a copy"), (True, ".webm", "-c:a copy"), (False, ".mp4", "-c:a aac -b:a 192k -ar 48000"),
    (False, ".mkv", "-c:a aac -b:a 192k -ar 48000"), (False, ".WebM", "-c:a libopus -b:a 192k")])
def test_sound_words(copied, suffix, words):
    assert " ".join(encoders.sound_arguments(copied, suffix)) == words
