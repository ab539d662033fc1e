"""Join: what every encoder writes is read back, and counted, measured and compared with the frames."""
import os
from fractions import Fraction

import clips
import cv2
import numpy as np
import pytest
from accel import host
from accel.video import colour, encoders, frames, join, probe, tools, trial

pytestmark = pytest.mark.shared_out

SOFTWARE = ("libx264", "libx265", "libsvtav1", "libaom-av1", "prores_ks", "ffv1")
MODES = (encoders.BITRATE, encoders.QUALITY, encoders.LOSSLESS)
COUNT = 9
# One level from the 8 bits of YCbCr, one for what the encoder loses in flat areas.
SAME_COLOUR = 2.0
# A tag that a container does not hold is no fault: avi has none, and a bitstream may carry them instead.
TAGLESS = (".avi",)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))


found = clips.found
kept_clips = clips.kept_clips


def decode(path):
    """What is in a video, by the ffmpeg that starts fastest, whichever wrote it."""
    return clips.decode(clips.bundled(), path)


def bar(total):
    return host.progress(total=total, leave=False)


def wish_of(name, mode, preset=None, pixel_format=None):
    best, worst, _ = encoders.ENCODERS[name].qualities or (None, None, None)
    value = {encoders.BITRATE: 20, encoders.QUALITY: 10 if best == 0 else best, encoders.LOSSLESS: None}[mode]
    return encoders.Wish(mode, value, preset, pixel_format)


def joined(found, folder, output, name="libx264", mode=encoders.BITRATE, rate=clips.NTSC, reference=None, sound=False,
           **wish):
    """Join the frames of a folder; return (Result, Video of what came out)."""
    paths = frames.listing(str(folder)).paths
    source = probe.probe(found, reference) if reference else None
    job, _ = join.make_job(found, paths, frames.check(paths).size, str(output), reference, source and source.video,
                           source.sounds[0] if sound else None, rate)
    result = join.run(found, job, encoders.ENCODERS[name], wish_of(name, mode, **wish), bar)
    return result, probe.probe(found, str(output)).video


def ways():
    """Every encoder with each mode that it knows, in each kind of file; by a second ffmpeg in the first kind alone."""
    for number, tool in enumerate(clips.ffmpegs()):
        for name in SOFTWARE:
            for mode in MODES:
                fitting = [suffix for suffix in encoders.ENCODERS[name].suffixes if suffix != ".m4v" and
                           encoders.refusal(encoders.ENCODERS[name], wish_of(name, mode), suffix) is None]
                for suffix in fitting[:1 if number else None]:
                    yield pytest.param(tool, name, mode, suffix, id="-".join([clips.called(tool), name, mode, suffix]))


@pytest.mark.parametrize("found, name, mode, suffix", list(ways()), indirect=["found"])
def test_what_an_encoder_writes_is_right(found, tmp_path, name, mode, suffix):
    wish = wish_of(name, mode)
    if name not in tools.encoders(found.ffmpeg):
        assert not trial.trial(found, name, wish, suffix, (96, 64), clips.NTSC).works
        return
    if not trial.trial(found, name, wish, suffix, (96, 64), clips.NTSC).works:
        # libaom learned to be told "lossless" in ffmpeg 4.4; every other one must work
        assert (name, mode) == ("libaom-av1", encoders.LOSSLESS) and tools.version(found.ffmpeg) < (4, 4)
        return
    clips.write_frames(tmp_path / "frames", COUNT)
    output = tmp_path / ("out" + suffix)
    result, video = joined(found, tmp_path / "frames", output, name, mode)
    assert result.encoder == name and result.size == os.path.getsize(str(output))
    assert (video.width, video.height) == (96, 64)
    assert video.average_rate == clips.NTSC or suffix == ".webm"      # which rounds times to 1/1000 s
    assert probe.count_frames(found, str(output)) == COUNT
    if suffix not in TAGLESS:
        tags = colour.RGB._replace(matrix="gbr") if colour.is_rgb(result.pixel_format) else colour.BT601
        assert (video.colour.matrix, video.colour.primaries) == (tags.matrix, tags.primaries)
        assert video.colour.range == ("pc" if colour.is_rgb(result.pixel_format) else "tv")
    back = clips.decode(found, str(output))      # an old ffmpeg does not know all that a new one writes
    assert len(back) == COUNT
    for picture, original in zip(back, clips.frames(COUNT)):
        if colour.is_rgb(result.pixel_format):
            assert np.array_equal(picture, original)
        means = clips.means(picture)
        for patch in clips.PATCHES:
            assert np.abs(np.subtract(means[patch], clips.PATCHES[patch][1])).max() <= SAME_COLOUR, patch
    assert sorted(os.listdir(str(tmp_path))) == ["cache", "frames", output.name]


@pytest.mark.parametrize("name, suffix", [("libx264", ".mp4"), ("libx265", ".mp4"), ("prores_ks", ".mov")])
@pytest.mark.parametrize("lines, tags", [(718, colour.BT601), (720, colour.BT709)])
def test_colours_of_high_definition_are_bt709(found, tmp_path, name, suffix, lines, tags):
    clips.write_frames(tmp_path / "frames", 3, 64, lines)
    output = tmp_path / ("out" + suffix)
    _, video = joined(found, tmp_path / "frames", output, name)
    assert tuple(video.colour)[1:] == tuple(tags)
    for picture in decode(str(output)):
        means = clips.means(picture)
        for patch in clips.PATCHES:
            assert np.abs(np.subtract(means[patch], clips.PATCHES[patch][1])).max() <= SAME_COLOUR, patch


def test_small_frames_of_a_tagged_reference_get_its_tags(found, tmp_path, kept_clips):
    clips.write_frames(tmp_path / "frames", clips.COUNT)
    reference = kept_clips("bt709")
    _, video = joined(found, tmp_path / "frames", tmp_path / "out.mp4", reference=reference)
    assert tuple(video.colour)[1:] == tuple(colour.BT709)


@pytest.mark.parametrize("size", [(97, 64), (96, 65), (97, 65), (65, 97)])
@pytest.mark.parametrize("name, suffix", [("libx264", ".mp4"), ("prores_ks", ".mov"), ("ffv1", ".mkv")])
def test_odd_sizes_are_padded_where_the_format_needs_it(found, tmp_path, name, suffix, size):
    clips.write_frames(tmp_path / "frames", 3, *size)
    output = tmp_path / ("out" + suffix)
    result, video = joined(found, tmp_path / "frames", output, name)
    assert (video.width, video.height) == colour.padded(size, result.pixel_format)
    across, down = colour.halves(result.pixel_format)
    assert (video.width, video.height) == (size[0] + size[0] % across, size[1] + size[1] % down)
    last = decode(str(output))[-1].astype(int)
    assert np.abs(last[:, -1] - last[:, size[0] - 1]).max() < 40      # the edge goes on, no black line
    means = clips.means(last[:size[1], :size[0]])
    for patch in clips.PATCHES:
        assert np.abs(np.subtract(means[patch], clips.PATCHES[patch][1])).max() <= SAME_COLOUR


def test_files_for_apple_and_the_web(found, tmp_path):
    clips.write_frames(tmp_path / "frames", 3)
    for name, mark in (("libx264", b"avc1"), ("libx265", b"hvc1")):
        for suffix in (".mp4", ".mov"):
            output = tmp_path / (name + suffix)
            joined(found, tmp_path / "frames", output, name)
            content = output.read_bytes()
            assert mark in content and b"hev1" not in content
            assert content.index(b"moov") < content.index(b"mdat")
            assert b"colr" in content


@pytest.mark.parametrize("kind, suffix, codec, copied", [
    ("with aac", ".mp4", "aac", True), ("with aac", ".mkv", "aac", True), ("with aac", ".avi", "aac", False),
    ("with pcm", ".mp4", "aac", False), ("with pcm", ".mov", "pcm_s16le", True), ("with mp3", ".avi", "mp3", True),
    ("with mp3", ".mp4", "mp3", True), ("two tracks", ".mp4", "aac", True)])
def test_sound_of_the_reference(found, tmp_path, kept_clips, kind, suffix, codec, copied):
    about = clips.KINDS[kind]
    clips.write_frames(tmp_path / "frames", about.count)
    reference = kept_clips(kind)
    output = tmp_path / ("out" + suffix)
    result, _ = joined(found, tmp_path / "frames", output, reference=reference, sound=True)
    assert result.copied == copied
    assert [sound.codec for sound in probe.probe(found, str(output)).sounds] == [codec]
    heard = clips.sound_length(found, str(output))
    assert abs(heard - clips.sound_length(found, reference)) < 0.1
    assert len(decode(str(output))) == about.count


@pytest.mark.parametrize("kind", ["plain", "ntsc", "film", "vfr", "doubled", "fast"])
def test_frames_taken_from_a_video_last_as_long_as_it(found, tmp_path, kept_clips, kind):
    """What extract-video gives of a clip, joined again, lasts as the clip did."""
    reference = kept_clips(kind)
    source = probe.probe(found, reference).video
    os.mkdir(str(tmp_path / "frames"))
    clips.run([found.ffmpeg, "-v", "error", "-i", reference, str(tmp_path / "frames" / "%05d.png")])
    output = tmp_path / "out.mp4"
    _, video = joined(found, tmp_path / "frames", output, reference=reference)
    assert abs(video.seconds - source.seconds) <= 2.0 / float(video.average_rate) + 0.02
    assert probe.count_frames(found, str(output)) == len(os.listdir(str(tmp_path / "frames")))


@pytest.mark.parametrize("kind, rate", [("plain", 25), ("doubled", 25), ("ntsc", clips.NTSC)])
@pytest.mark.parametrize("seconds", [0.3, 3.1])
def test_sound_of_another_length_does_not_change_the_rate(found, tmp_path, kept_clips, kind, rate, seconds):
    """mkv, and every file without ffprobe, tells only how long the longest track is."""
    about = clips.KINDS[kind]
    picture = kept_clips(kind)
    reference = str(tmp_path / "reference.mkv")
    clips.run([found.ffmpeg, "-v", "error", "-i", picture, "-f", "lavfi", "-i", "sine=d={}".format(seconds),
               "-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac", reference])
    paths = clips.write_frames(tmp_path / "frames", about.count)
    source = probe.probe(found, reference)
    job, choice = join.make_job(found, paths, (96, 64), "out.mp4", reference, source.video, None, None)
    assert abs(float(job.rate) - float(rate)) < 0.02
    assert choice.warning is None and abs(choice.missing) <= 1


def test_frames_of_all_kinds_have_the_colours_they_are_seen_in(found, tmp_path):
    picture = clips.frame(0)
    folder = tmp_path / "frames"
    folder.mkdir()
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    kinds = [picture, grey, np.dstack([picture, np.full(grey.shape, 7, np.uint8)]),
             picture.astype(np.uint16) * 257, grey.astype(np.uint16) * 257]
    for number, image in enumerate(kinds, 1):
        cv2.imwrite(str(folder / "{}.png".format(number)), image)
    joined(found, folder, tmp_path / "out.mkv", "ffv1")
    back = decode(str(tmp_path / "out.mkv"))
    seen = [picture, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), picture, picture, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)]
    for ours, wanted in zip(back, seen):
        assert np.array_equal(ours, wanted)


def test_order_is_that_of_numbers(found, tmp_path):
    pictures = clips.frames(11)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, picture in enumerate(pictures, 1):
        cv2.imwrite(str(folder / "frame {}.png".format(number)), picture)
    joined(found, folder, tmp_path / "out.mkv", "ffv1")
    for ours, wanted in zip(decode(str(tmp_path / "out.mkv")), pictures):
        assert np.array_equal(ours, wanted)


@pytest.mark.parametrize("place", ["кадры и видео", "100%5d done", "-leading", "a & b 'c' (d)", "漢字 \U0001F600"])
def test_names_in_any_language(found, tmp_path, place):
    folder = tmp_path / place
    clips.write_frames(folder / "merged", 3)
    reference = clips.make(clips.bundled(), folder, "with aac", name=place)
    output = folder / (place + " result.mp4")
    joined(found, folder / "merged", output, reference=reference, sound=True)
    assert len(decode(str(output))) == 3


def test_other_pixel_formats_and_presets(found, tmp_path):
    clips.write_frames(tmp_path / "frames", 3)
    for name, suffix, pixel_format in (("libx264", ".mp4", "yuv444p"), ("libx265", ".mkv", "yuv420p10le"),
                                       ("prores_ks", ".mov", "yuva444p10le"), ("ffv1", ".mkv", "yuv444p")):
        output = tmp_path / ("out" + suffix)
        _, video = joined(found, tmp_path / "frames", output, name, pixel_format=pixel_format,
                          preset="fast" if name.startswith("libx26") else None)
        assert video.pixel_format in (pixel_format, "yuva444p12le")    # what ffmpeg 5 decodes ProRes 4444 to
        means = clips.means(decode(str(output))[-1])
        for patch in clips.PATCHES:
            assert np.abs(np.subtract(means[patch], clips.PATCHES[patch][1])).max() <= SAME_COLOUR


# --- how much is read ahead ------------------------------------------------------------------

def test_frames_wait_in_bounded_number(tmp_path, monkeypatch):
    paths = clips.write_frames(tmp_path / "frames", 200, 16, 16)
    opened = []
    real = frames.files.read_image
    monkeypatch.setattr(frames.files, "read_image", lambda path, flags: opened.append(path) or real(path, flags))
    monkeypatch.setattr(frames, "_AHEAD_BYTES", 10 * 16 * 16 * 3)
    for number, image in enumerate(frames.pixels(paths, (16, 16)), 1):
        assert len(opened) <= number + 10
        assert image.shape == (16, 16, 3) and image.flags["C_CONTIGUOUS"]
    assert len(opened) == 200


def test_a_frame_that_cannot_be_decoded_stops_and_is_named(found, tmp_path):
    paths = clips.write_frames(tmp_path / "frames", 30)
    with open(paths[20], "r+b") as file:
        file.seek(60)
        file.write(b"\0" * 60)
    (tmp_path / "out.mp4").write_bytes(b"the old video")
    with pytest.raises(host.UserError, match="00021.png cannot be decoded"):
        joined(found, tmp_path / "frames", tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"the old video"
    assert sorted(os.listdir(str(tmp_path))) == ["frames", "out.mp4"]


def test_frames_of_another_size_are_scaled(found, tmp_path):
    clips.write_frames(tmp_path / "frames", 5)
    clips.write_frames(tmp_path / "frames", 1, 192, 128, first=6)
    joined(found, tmp_path / "frames", tmp_path / "out.mkv", "ffv1")
    back = decode(str(tmp_path / "out.mkv"))
    assert back.shape == (6, 64, 96, 3)
    means = clips.means(back[-1])
    for patch in clips.PATCHES:
        assert np.abs(np.subtract(means[patch], clips.PATCHES[patch][1])).max() <= SAME_COLOUR


# --- what is known before --------------------------------------------------------------------

def test_needed_bytes_of_a_bitrate():
    job = join.Job(["x"] * 250, (1280, 720), Fraction(25), colour.BT709, None, None, "out.mp4")
    assert join.needed_bytes(job, encoders.Wish(encoders.BITRATE, 16, None, None)) == 10 * 16200000 // 8
    assert join.needed_bytes(job, encoders.Wish(encoders.QUALITY, 18, None, None)) is None


def test_needed_bytes_without_loss_are_those_of_the_frames(tmp_path):
    paths = clips.write_frames(tmp_path, 120)
    job = join.Job(paths, (96, 64), Fraction(25), colour.BT601, None, None, "out.mp4")
    needed = join.needed_bytes(job, encoders.Wish(encoders.LOSSLESS, None, None, None))
    assert needed == pytest.approx(sum(os.path.getsize(path) for path in paths), rel=0.05)


def test_free_bytes_of_a_folder_that_is_yet_to_be_made(tmp_path):
    assert join.free_bytes(str(tmp_path / "a" / "b" / "out.mp4")) > 0
