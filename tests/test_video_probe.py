"""What a video holds: ffprobe and the words of `ffmpeg -i` tell the same, and it is the truth."""
import os
import shutil
import subprocess
from fractions import Fraction

import clips
import fake_ffmpeg
import pytest
from accel import host
from accel.video import probe, tools
from accel.video.probe import Colour, Sound
from accel.video.tools import Tools
from hypothesis import example, given
from hypothesis import strategies as st

pytestmark = pytest.mark.shared_out

NTSC = clips.NTSC
FFPROBE = [found.ffprobe for found in clips.ffmpegs() if found.ffprobe]


found = clips.found


def rounded(rate):
    """A rate as `ffmpeg -i` tells it."""
    return probe._spoken_rate("{:.2f}".format(float(rate)).rstrip("0").rstrip("."), "")


# --- real clips -----------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", sorted(clips.KINDS))
def test_both_ways_tell_the_truth_and_all_frames_are_counted(found, tmp_path, kind):
    about = clips.KINDS[kind]
    path = clips.make(found, tmp_path / "видео 脸", kind, "клип %05d 'x'")
    spoken = probe.by_ffmpeg(found.ffmpeg, path)
    sources = [spoken] + [probe.by_ffprobe(ffprobe, path) for ffprobe in FFPROBE]
    for source in sources:
        video = source.video
        assert (video.width, video.height) == about.size
        assert (video.rotation, video.pixel_format) == (about.rotation, about.pixel_format)
        assert video.nominal_rate == about.nominal
        assert [sound.codec for sound in source.sounds] == list(about.sounds)
        if about.colour is not None:
            assert video.colour == Colour("tv", *about.colour)
        if kind != "mpeg-ps":  # its head tells less
            longest = float(about.count / about.average)
            assert longest - 0.01 <= video.seconds <= longest + (0.1 if about.sounds else 0.011)
    assert spoken.video.average_rate == rounded(about.average) and spoken.video.frames is None
    for source in sources[1:]:
        assert source.video.average_rate == about.average
        assert source.video.frames in (about.count, None) or about.sounds  # avi counts a gap of the picture, too
        assert source.sounds == spoken.sounds
        told = spoken.video._replace(average_rate=about.average, seconds=source.video.seconds,
                                     frames=source.video.frames)
        assert told == source.video
    assert probe.count_frames(found, path) == about.count


def test_rates_are_exact(found, tmp_path):
    for kind, rate in (("ntsc", Fraction(30000, 1001)), ("film", Fraction(24000, 1001)), ("plain", Fraction(25))):
        video = probe.probe(found, clips.make(found, tmp_path, kind)).video
        assert (video.nominal_rate, video.average_rate) == (rate, rate)


def test_sound_before_the_picture_and_a_cover(found, tmp_path):
    source = clips.make(found, tmp_path, "two tracks", "source")
    picture, = clips.write_frames(tmp_path, 1, suffix=".jpg", name="cover")
    path = str(tmp_path / "mixed.mkv")
    clips.run([found.ffmpeg, "-v", "error", "-i", source, "-attach", picture, "-metadata:s:t", "mimetype=image/jpeg",
               "-map", "0:1", "-map", "0:0", "-map", "0:2", "-c", "copy", path])
    sources = [probe.by_ffmpeg(found.ffmpeg, path)] + [probe.by_ffprobe(ffprobe, path) for ffprobe in FFPROBE]
    for told in sources:
        assert (told.video.index, told.video.width) == (1, 96)
        assert told.sounds == [Sound(0, "aac"), Sound(2, "mp3")]


def test_a_cover_is_no_video(found, tmp_path):
    picture, = clips.write_frames(tmp_path, 1, suffix=".png")
    sound, cover, both = [str(tmp_path / name) for name in ("sound.mp4", "cover.mp4", "both.mp4")]
    clips.run([found.ffmpeg, "-v", "error", "-f", "lavfi", "-i", "sine=duration=0.5", sound])
    clips.run([found.ffmpeg, "-v", "error", "-i", sound, "-i", picture, "-map", "0", "-map", "1", "-c", "copy",
               "-disposition:v:0", "attached_pic", cover])
    clips.run([found.ffmpeg, "-v", "error", "-i", cover, "-i", clips.make(found, tmp_path), "-map", "0", "-map", "1",
               "-c", "copy", both])
    for told in [probe.by_ffmpeg(found.ffmpeg, cover)] + [probe.by_ffprobe(ffprobe, cover) for ffprobe in FFPROBE]:
        assert told.video is None and [track.codec for track in told.sounds] == ["aac"]
    for path in (sound, cover):
        with pytest.raises(host.UserError, match="holds no picture. Choose a video"):
            probe.probe(found, path)
        assert not probe.count_frames(found, path)
    assert probe.probe(found, both).video.pixel_format == "yuv420p"
    assert probe.count_frames(found, both) == clips.COUNT


def test_a_codec_that_nobody_knows(found, tmp_path):
    path = clips.make(found, tmp_path, "with pcm")
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(data.replace(b"avc1", b"zzz1").replace(b"sowt", b"zzz2"))
    for told in [probe.by_ffmpeg(found.ffmpeg, path)] + [probe.by_ffprobe(ffprobe, path) for ffprobe in FFPROBE]:
        assert (told.video.width, told.video.pixel_format, told.video.average_rate) == (96, None, 25)
        assert [track.codec for track in told.sounds] == ["unknown"]


def test_a_tag_alone_does_not_turn(found, tmp_path):
    path = str(tmp_path / "tagged.mkv")
    clips.run([found.ffmpeg, "-v", "error", "-i", clips.make(found, tmp_path), "-c", "copy", "-metadata:s:v:0",
               "rotate=90", path])
    for told in [probe.by_ffmpeg(found.ffmpeg, path)] + [probe.by_ffprobe(ffprobe, path) for ffprobe in FFPROBE]:
        assert told.video.rotation == 0
    assert clips.decode(found, path, turned=True).shape[1:3] == (64, 96)


@pytest.mark.parametrize("kind, shape", [("turned right", (96, 64)), ("upside down", (64, 96)),
                                         ("turned left", (96, 64))])
def test_rotation_is_the_one_that_ffmpeg_makes(found, tmp_path, kind, shape):
    path = clips.make(found, tmp_path, kind)
    turned, stored = clips.decode(found, path, turned=True), clips.decode(found, path)
    assert turned.shape[1:3] == shape
    quarters = probe.probe(found, path).video.rotation // 90
    for shown, picture in zip(turned, stored):
        by_hand = picture
        for _ in range(quarters):
            by_hand = by_hand[::-1].swapaxes(0, 1)  # a quarter clockwise
        assert abs(shown.astype(int) - by_hand.astype(int)).mean() < 1


# --- what is no video -----------------------------------------------------------------------------

@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"\0" * 5000, None, "folder"])
def test_what_is_no_video(found, tmp_path, content):
    path = str(tmp_path / "фильм.mp4")
    if content == "folder":
        os.mkdir(path)
    elif content is not None:
        with open(path, "wb") as file:
            file.write(content)
    with pytest.raises(host.UserError) as caught:
        probe.probe(found, path)
    assert path in str(caught.value) and "is no video that ffmpeg can read: " in str(caught.value)
    assert probe.count_frames(found, path) is None


def test_half_a_video(found, tmp_path):
    path = clips.make(found, tmp_path)
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)
    with pytest.raises(host.UserError, match="no video that ffmpeg can read"):
        probe.probe(found, path)


def test_a_list_of_other_files_is_not_followed_to_a_server(found, tmp_path):
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(host.UserError):
        probe.probe(found, str(path))


def test_programs_that_answer_nonsense(tmp_path):
    for name, words in (("ffprobe", "no json"), ("ffmpeg", "nothing")):
        path = fake_ffmpeg.make(tmp_path, "dies at once", words=words, code=0, when=(), name=name)
        with pytest.raises(host.UserError, match=words):
            probe.probe(Tools(path, path if name == "ffprobe" else None), str(tmp_path / "a.mp4"))
    with pytest.raises(host.UserError, match="does not start"):
        probe.probe(Tools(str(tmp_path / "missing"), None), "a.mp4")


def test_the_users_path_is_guarded(found, tmp_path):
    ffmpeg = fake_ffmpeg.make(tmp_path, real=found.ffmpeg)
    path = clips.make(found, tmp_path, name="-x")
    probe.by_ffmpeg(ffmpeg, path)
    probe.count_frames(Tools(ffmpeg, None), path)
    for call in fake_ffmpeg.commands(ffmpeg):
        place = call.index("-i")
        assert call[place - 2:place + 2] == ["-protocol_whitelist", "file,pipe", "-i", "file:" + path]
        assert "-nostdin" in call
    for ffprobe in FFPROBE:
        probe.by_ffprobe(fake_ffmpeg.make(tmp_path, real=ffprobe, name="ffprobe"), path)
        call, = fake_ffmpeg.commands(str(tmp_path / "ffprobe"))
        assert call[-1] == "file:" + path and "-protocol_whitelist" in call


# --- frozen words ---------------------------------------------------------------------------------

TURNED_42 = """\
Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:turned.mov':
  Metadata:
    major_brand     : qt
  Duration: 00:00:01.00, start: 0.000000, bitrate: 732 kb/s
    Stream #0:0: Video: h264 (Constrained Baseline) (avc1 / 0x31637661), yuv420p(tv, smpte170m/bt470bg/bt709), 96x64, \
11 kb/s, 29.97 fps, 29.97 tbr, 30k tbn, 59.94 tbc (default)
    Metadata:
      rotate          : 90
      handler_name    : VideoHandler
    Side data:
      displaymatrix: rotation of -90.00 degrees
    Stream #0:1: Audio: pcm_s16le (sowt / 0x74776F73), 44100 Hz, mono, s16, 705 kb/s (default)
At least one output file must be specified
"""
TURNED_51 = """\
Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:turned.mov':
  Duration: 00:00:01.00, start: 0.000000, bitrate: 732 kb/s
  Stream #0:0[0x1]: Video: h264 (Constrained Baseline) (avc1 / 0x31637661), yuv420p(tv, smpte170m/bt470bg/bt709, \
progressive), 96x64, 11 kb/s, 29.97 fps, 29.97 tbr, 30k tbn (default)
    Metadata:
      handler_name    : VideoHandler
      vendor_id       : FFMP
    Side data:
      displaymatrix: rotation of -90.00 degrees
  Stream #0:1[0x2]: Audio: pcm_s16le (sowt / 0x74776F73), 44100 Hz, mono, s16, 705 kb/s (default)
At least one output file must be specified
"""
TURNED_90 = TURNED_51.replace("displaymatrix", "Display Matrix")

# Written to mislead: titles that look like the words of ffmpeg itself.
HOSTILE_42 = """\
Input #0, matroska,webm, from 'file:two.mkv':
  Metadata:
    COMMENT         : Input #0
                    : Duration: 99:00:00.0
  Duration: 00:00:01.05, start: 0.000000, bitrate: 159 kb/s
    Stream #0:0(rus): Audio: aac (LC), 44100 Hz, mono, fltp (default)
    Metadata:
      title           : rotation of 90 degrees
    Stream #0:1: Video: h264 (Constrained Baseline), yuv420p(tv, bt709, progressive), 96x64, 29.97 fps, 29.97 tbr, \
1k tbn, 59.94 tbc (default)
    Metadata:
      title           : Stream #0:9: Video: h264, yuv420p, 1x1, 1 fps
      displaymatrix   : rotation of 90 degrees
    Stream #0:2: Audio: mp3, 44100 Hz, mono, fltp, 64 kb/s (default)
At least one output file must be specified
"""
HOSTILE_90 = HOSTILE_42.replace("    Stream", "  Stream").replace(", 59.94 tbc", ", start 0.025000").replace(
    "mp3,", "mp3 (mp3float),")

STREAM_51 = """\
Input #0, mpegts, from 'file:b.ts':
  Duration: 01:02:03.45, start: 1.440000, bitrate: 169 kb/s
  Program 2
    Metadata:
      service_name    : Service02
  Stream #0:3[0x103]: Video: h264 (High) ([27][0][0][0] / 0x001B), yuv420p(progressive), 64x32, 50 fps, 50 tbr, 90k tbn
  Stream #0:1[0x101](en-us): Audio: mp2 ([3][0][0][0] / 0x0003), 48000 Hz, stereo, s16p, 192 kb/s
  Program 1
  Stream #0:0[0x100]: Video: mpeg2video (Main) ([2][0][0][0] / 0x0002), yuv420p(tv, bt470bg, top first), 720x576 \
[SAR 64:45 DAR 16:9], 25 fps, 50 tbr, 90k tbn
    Side data:
      cpb: bitrate max/min/avg: 0/0/0 buffer size: 49152 vbv_delay: N/A
  Stream #0:1[0x101](en-us): Audio: mp2 ([3][0][0][0] / 0x0003), 48000 Hz, stereo, s16p, 192 kb/s
  Stream #0:2[0x102](rus): Audio: ac3 (AC-3 / 0x332D4341), 48000 Hz, 5.1(side), fltp, 448 kb/s
At least one output file must be specified
"""


@pytest.mark.parametrize("words", [TURNED_42, TURNED_51, TURNED_90], ids=["4.2", "5.1", "9.0"])
def test_words_of_a_turned_video(words):
    source = probe.read_words(words)
    assert source == probe.Source(
        probe.Video(0, 96, 64, 90, "yuv420p", NTSC, NTSC, None, 1.0, Colour("tv", "smpte170m", "bt470bg", "bt709")),
        [Sound(1, "pcm_s16le")])


@pytest.mark.parametrize("words", [HOSTILE_42, HOSTILE_90], ids=["4.2", "9.0"])
def test_words_that_mislead(words):
    source = probe.read_words(words)
    assert source == probe.Source(
        probe.Video(1, 96, 64, 0, "yuv420p", NTSC, NTSC, None, 1.05, Colour("tv", "bt709", "bt709", "bt709")),
        [Sound(0, "aac"), Sound(2, "mp3")])


def test_words_of_a_stream_with_programs():
    source = probe.read_words(STREAM_51)
    assert source == probe.Source(
        probe.Video(0, 720, 576, 0, "yuv420p", 50, 25, None, 3723.45, Colour("tv", "bt470bg", "bt470bg", "bt470bg")),
        [Sound(1, "mp2"), Sound(2, "ac3")])


def described(stream, duration="00:00:01.00"):
    source = probe.read_words("Input #0, x, from 'y':\n  Duration: {}, start: 0\n  Stream #0:0: Video: {}\n".format(
        duration, stream))
    return source.video


@pytest.mark.parametrize("stream, size, pixel_format, nominal, average, colour", [
    ("h264, yuvj420p(pc, bt470bg/unknown/unknown), 1920x1080, 24 fps, 24 tbr", (1920, 1080), "yuvj420p", 24, 24,
     ("pc", "bt470bg", None, None)),
    ("hevc (Main 10) (hvc1 / 0x31637668), yuv420p10le(tv, bt2020nc/bt2020/smpte2084), 3840x2160, 23.98 fps, 23.98 tbr, "
     "24k tbn", (3840, 2160), "yuv420p10le", Fraction(24000, 1001), Fraction(24000, 1001),
     ("tv", "bt2020nc", "bt2020", "smpte2084")),
    ("ffv1 (FFV1 / 0x31564646), bgr0(pc, gbr/bt709/bt709, progressive), 96x64, 25 fps, 25 tbr", (96, 64), "bgr0", 25,
     25, ("pc", "gbr", "bt709", "bt709")),
    ("h264, yuv420p(left), 640x480, 59.94 fps, 59.94 tbr", (640, 480), "yuv420p", Fraction(60000, 1001),
     Fraction(60000, 1001), (None,) * 4),
    ("h264, yuv420p, 640x480, 14.99 fps, 90k tbr, 90k tbn", (640, 480), "yuv420p", 90000, Fraction(15000, 1001),
     (None,) * 4),
    ("mjpeg, yuvj422p(pc, center), 8x8, 1k fps, 1k tbr", (8, 8), "yuvj422p", 1000, 1000, ("pc", None, None, None)),
    ("h264, yuv420p, 640x480, 23.87 fps", (640, 480), "yuv420p", Fraction(2387, 100), Fraction(2387, 100), (None,) * 4),
    ("h264, yuv420p, 640x480, 30 tbr", (640, 480), "yuv420p", 30, None, (None,) * 4),
    ("h264, none, q=2-31", (0, 0), None, None, None, (None,) * 4), ("h264", (0, 0), None, None, None, (None,) * 4),
    ("rawvideo (0x0 / 0x0), bgr24, 5x7, 0.0001 fps", (5, 7), "bgr24", Fraction(1, 10000), Fraction(1, 10000),
     (None,) * 4)])
def test_words_of_a_stream(stream, size, pixel_format, nominal, average, colour):
    video = described(stream)
    assert (video.width, video.height, video.pixel_format) == size + (pixel_format,)
    assert (video.nominal_rate, video.average_rate, video.colour) == (nominal, average, Colour(*colour))


@pytest.mark.parametrize("duration, seconds", [("N/A", None), ("10:59:59.99", 39599.99), ("100:00:00", 360000.0)])
def test_words_of_a_duration(duration, seconds):
    assert described("h264, yuv420p, 8x8", duration).seconds == seconds


@pytest.mark.parametrize("degrees, rotation", [
    ("-90.00", 90), ("90.00", 270), ("-180.00", 180), ("180.00", 180), ("-0.00", 0), ("nan", 0), ("inf", 0),
    ("-270", 270), ("-89.9", 90), ("1e300", 0), ("-2147483648", 0), ("45", 0), ("x", 0)])
def test_rotations(degrees, rotation):
    words = TURNED_90.replace("-90.00", degrees)
    assert probe.read_words(words).video.rotation == rotation
    assert probe._rotation_of_json({"side_data_list": [{}, {"rotation": degrees}]}) == rotation


@given(words=st.text(alphabet=" \n#0:1,()[]/.xkStreamVidoAfpsbrIntyu42", max_size=200))
@example(words="h264, yuv(, 1x1, . fps, 1.2.3 tbr")
@example(words=", , (), ()x()")
def test_any_words_are_read_or_not(words):
    probe.read_words(words)
    described(words.replace("\n", " "))
    source = probe.read_words("Input #0\n" + TURNED_42 + words)
    assert source.video is not None


@given(text=st.text(alphabet="0123456789./-+eEnaif _", max_size=12))
def test_rates_of_any_text(text):
    assert probe._rate(text) is None or probe._rate(text) > 0


@pytest.mark.parametrize("text, rate", [("30000/1001", NTSC), ("25/1", 25), ("0/0", None), ("0/1", None), ("", None),
                                        (None, None), ("-25/1", None), ("x", None), ("1/0", None)])
def test_rates_of_ffprobe(text, rate):
    assert probe._rate(text) == rate


def test_without_ffprobe_ffmpeg_is_asked(tmp_path, monkeypatch):
    found = clips.bundled()
    path = clips.make(found, tmp_path)
    asked = []
    ask_both = tools.ask_both
    monkeypatch.setattr(tools, "ask_both", lambda command: asked.append(command[0]) or ask_both(command))
    probe.probe(found, path)
    for ffprobe in FFPROBE:
        probe.probe(Tools(found.ffmpeg, ffprobe), path)
    assert asked == [found.ffmpeg] + FFPROBE


def test_a_file_in_a_folder_of_odd_names(found, tmp_path):
    folder = tmp_path / "100% [1] 'a' \U0001f600"
    path = clips.make(found, folder)
    other = str(folder / "-i ;&|.mp4")
    shutil.copy(path, other)
    assert probe.probe(found, other) == probe.probe(found, path)
    assert subprocess.call([found.ffmpeg, "-v", "quiet", "-i", "file:" + other, "-f", "null", "-"]) == 0
