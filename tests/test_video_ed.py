"""The commands of steps 2, 3 and 8 as they are typed: questions, options, words, and what comes out."""
import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import clips
import pytest
from accel import compat, host
from accel.video import encoders, probe, tools, trial
from mainscripts import VideoEd
from program import PROGRAM

pytestmark = pytest.mark.shared_out

PROMPT_BITRATE = "[16] Bitrate of output file in MB/s : "
PROMPT_ENCODER = "[0] Encoder ( ?:help ) : "
PROMPT_MODE = "[bitrate] Bitrate or quality ( bitrate/quality ?:help ) : "


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """What is remembered of the encoders, for all tests here: they are tried once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def quiet(cache, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(cache))
    yield
    host.set_unattended(False)


@pytest.fixture
def workspace(tmp_path):
    """A workspace with frames, masks and a reference of 29.97 frames a second with sound, in a Cyrillic folder."""
    folder = tmp_path / "рабочая папка"
    found = clips.bundled()
    clips.write_frames(folder / "data_dst" / "merged")
    clips.write_frames(folder / "data_dst" / "merged_mask")
    clips.encode(found, folder / "data_dst.mp4", clips.frames(),
                 rate=clips.NTSC, sounds=["aac"])
    return folder


def line_8(workspace, output, merged="merged"):
    return ["--input-dir", str(workspace / "data_dst" / merged), "--output-file", str(workspace / output),
            "--reference-file", str(workspace / "data_dst.*"), "--include-audio"]


def run(command, *words, typed=b"", **variables):
    """Run main.py videoed. Return (exit code, stdout, stderr)."""
    process = subprocess.Popen([sys.executable, "-W", "ignore", os.path.join(PROGRAM, "main.py"), "videoed", command]
                               + list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=dict(os.environ, PYTHONIOENCODING="utf-8", **variables))
    out, err = process.communicate(typed, timeout=120)
    return process.returncode, out.decode("utf-8"), err.decode("utf-8", "replace")


def asked(monkeypatch, typed, function, *arguments, **options):
    """Call a function with typed answers. Return what it printed."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        function(*arguments, **options)
    return shown.getvalue()


def refused(monkeypatch, function, *arguments, **options):
    """Call a function that must refuse. Return its words."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with contextlib.redirect_stdout(io.StringIO()):
        with pytest.raises(host.UserError) as error:
            function(*arguments, **options)
    return str(error.value)


def working(suffix, mode):
    """Return the names of the encoders that this machine offers."""
    results = trial.offered(tools.find(), encoders.Wish(mode, 16, None, None), suffix, (96, 64), clips.NTSC)
    return [name for name, result in results.items() if result.works]


def check_video(path, codec, sound="aac"):
    found = clips.bundled()
    source = probe.probe(found, str(path))
    assert source.video.average_rate == clips.NTSC
    assert [track.codec for track in source.sounds] == ([sound] if sound else [])
    back = clips.decode(found, str(path))
    assert back.shape == (clips.COUNT, clips.HEIGHT, clips.WIDTH, 3)
    words = tools.ask_both([found.ffmpeg, "-hide_banner", "-i", str(path)])[1]
    assert re.search(r"Video: {}\b".format(codec), words)
    return back


# --- the lines of "8) merged to ..." ---------------------------------------------------------

@pytest.mark.parametrize("way", ["--yes", "typed", "closed stdin"])
def test_merged_to_mp4(workspace, way):
    """Both lines of the .bat file: the video asks for the bitrate, the mask is lossless."""
    words, typed = ([], b"8\n0\nbitrate\n") if way == "typed" else (["--yes"] if way == "--yes" else [], b"")
    code, out, err = run("video-from-sequence", *(line_8(workspace, "result.mp4") + words), typed=typed)
    assert code == 0, err
    assert out.startswith(PROMPT_BITRATE + ("8\n" if way == "typed" else "16\n"))
    assert (PROMPT_ENCODER in out) == (way != "--yes")
    assert "Frame rate of the reference: 29.97.\n" in out
    assert "result.mp4: 24 frames, 96x64, 29.97 frames a second, libx264, 0." in out
    assert out.endswith("Done.\n")
    check_video(workspace / "result.mp4", "h264")

    code, out, err = run("video-from-sequence", *(line_8(workspace, "result_mask.mp4", "merged_mask") + ["--lossless"]
                                                  + words), typed=b"\n" if way == "typed" else b"")
    assert code == 0, err
    assert "Bitrate" not in out
    check_video(workspace / "result_mask.mp4", "h264")
    assert sorted(os.listdir(str(workspace))) == ["data_dst", "data_dst.mp4", "result.mp4", "result_mask.mp4"]


@pytest.mark.parametrize("suffix, codec", [(".mp4", "h264"), (".mov", "h264"), (".avi", "h264")])
def test_merged_lossless(workspace, suffix, codec):
    code, out, err = run("video-from-sequence", *(line_8(workspace, "result" + suffix) + ["--lossless", "--yes"]))
    assert code == 0, err
    back = check_video(workspace / ("result" + suffix), codec)
    for picture, original in zip(back, clips.frames()):
        assert (picture == original).all()


def test_the_other_encoders_by_typed_number(workspace, monkeypatch):
    names = working(".mp4", encoders.BITRATE)
    assert names[:2] == ["libx264", "libx265"]
    for number, codec in ((0, "h264"), (1, "hevc")):
        out = asked(monkeypatch, "5\n{}\nquality\n?\n12\n".format(number), VideoEd.video_from_sequence,
                    str(workspace / "data_dst" / "merged"), str(workspace / "result.mp4"),
                    str(workspace / "data_dst.*"), ext="png", include_audio=True, lossless=False)
        best, worst, usual = encoders.ENCODERS[names[number]].qualities
        question = "[{}] Quality ( {}-{} ?:help ) : ".format(usual, best, worst)
        assert out.startswith(PROMPT_BITRATE + "5\nChoose the video encoder:\n[0] libx264: ")
        assert PROMPT_ENCODER + "{}\n".format(number) + PROMPT_MODE + "quality\n" in out
        assert question + "0 is the best, 51 the worst.\n" + question + "12\n" in out
        check_video(workspace / "result.mp4", codec)


def test_questions_of_stock_come_first(workspace, monkeypatch):
    out = asked(monkeypatch, "\n\n\n\n\n\n", VideoEd.video_from_sequence, str(workspace / "data_dst" / "merged"),
                str(workspace / "result.mp4"))
    places = [out.index(text) for text in (
        "[png] Input image format (extension) : png\n", "[n] Use lossless codec ( y/n ) : n\n", "[25] Enter FPS : 25\n",
        PROMPT_BITRATE + "16\n", "Choose the video encoder:\n", PROMPT_ENCODER + "0\n", PROMPT_MODE + "bitrate\n")]
    assert places == sorted(places)


def test_lossless_asks_for_the_encoder_alone(workspace, monkeypatch):
    out = asked(monkeypatch, "", VideoEd.video_from_sequence, str(workspace / "data_dst" / "merged"),
                str(workspace / "result.mkv"), str(workspace / "data_dst.mp4"), ext="png", lossless=True)
    assert PROMPT_ENCODER + "0\n" in out and PROMPT_BITRATE not in out and PROMPT_MODE not in out
    assert "ffv1: FFV1, lossless" in out and "prores" not in out and "svtav1" not in out


@pytest.mark.parametrize("options, codec, suffix", [
    ({"codec": "libx265", "bitrate": 3}, "hevc", ".mkv"), ({"codec": "libx264", "crf": 30}, "h264", ".mp4"),
    ({"codec": "prores_ks", "bitrate": 16}, "prores", ".mov"), ({"codec": "ffv1", "bitrate": 16}, "ffv1", ".avi"),
    ({"codec": "libx264", "crf": 20, "preset": "ultrafast", "pix_fmt": "yuv444p"}, "h264", ".mov")])
def test_with_a_codec_nothing_new_is_asked(workspace, monkeypatch, options, codec, suffix):
    output = workspace / ("result" + suffix)
    out = asked(monkeypatch, "", VideoEd.video_from_sequence, str(workspace / "data_dst" / "merged"), str(output),
                str(workspace / "data_dst.*"), ext="png", lossless=False, **options)
    assert " : " not in out
    check_video(output, codec, sound=None)


def test_list_codecs_needs_nothing_else():
    code, out, err = run("video-from-sequence", "--list-codecs")
    assert code == 0, err
    assert re.search(r"^libx264 +works: H.264", out, re.MULTILINE)
    assert re.search(r"^h264_nvenc +(works|does not work here: \w)", out, re.MULTILINE)
    assert all(re.search(r"^{} ".format(re.escape(name)), out, re.MULTILINE) for name in encoders.ENCODERS)


def test_a_missing_output_folder_is_made(workspace, monkeypatch):
    output = workspace / "new" / "folder" / "result.mp4"
    asked(monkeypatch, "", VideoEd.video_from_sequence, str(workspace / "data_dst" / "merged"), str(output),
          str(workspace / "data_dst.*"), ext="png", include_audio=True, lossless=False, codec="libx264")
    check_video(output, "h264")


# --- what is said of the frames --------------------------------------------------------------

def join(monkeypatch, workspace, output="result.mp4", reference=None, **options):
    return asked(monkeypatch, "", VideoEd.video_from_sequence, str(workspace / "data_dst" / "merged"),
                 str(workspace / output), reference, **dict(dict(ext="png", lossless=False, codec="libx264", bitrate=4,
                                                                  fps=25), **options))


def test_a_mixed_folder_takes_the_kind_of_most_files(workspace, monkeypatch):
    folder = workspace / "data_dst" / "merged"
    clips.write_frames(folder, 30, suffix=".jpg")
    out = join(monkeypatch, workspace)
    assert "images of several kinds. The 30 jpg are joined; left out: 24 png." in out and ": 30 frames" in out
    clips.write_frames(folder, 5, suffix=".jpeg", first=40)
    assert "The 35 jpg are joined" in join(monkeypatch, workspace)
    clips.write_frames(folder, 40)
    assert "The 40 png are joined; left out: 35 jpg." in join(monkeypatch, workspace)
    assert "The 35 jpg are joined" in join(monkeypatch, workspace, ext="jpg")


def test_jpg_frames_need_no_option(workspace, monkeypatch):
    folder = workspace / "data_dst" / "merged"
    for path in folder.iterdir():
        path.unlink()
    clips.write_frames(folder, 5, suffix=".jpg")
    out = join(monkeypatch, workspace)
    assert out.startswith("The frames are jpg files.\n") and ": 5 frames" in out


def test_gaps_are_named(workspace, monkeypatch):
    folder = workspace / "data_dst" / "merged"
    for number in (3, 10, 11, 12):
        (folder / "{:05d}.png".format(number)).unlink()
    out = join(monkeypatch, workspace, reference=str(workspace / "data_dst.mp4"))
    assert "/!\\ Numbers are missing between the frames: 3, 10 to 12.\n" in out
    assert "/!\\ The reference has 24 frames, the folder 20: at 29.97 frames a second the result lasts 0:00.7 " \
           "instead of 0:00.8" in out


def test_broken_frames_are_named_before_anything_is_encoded(workspace, monkeypatch):
    folder = workspace / "data_dst" / "merged"
    (folder / "00002.png").write_bytes(b"")
    (folder / "00005.png").write_bytes((folder / "00005.png").read_bytes()[:-20])
    (folder / "00006.png").write_bytes(b"no picture")
    (workspace / "result.mp4").write_bytes(b"old")
    words = refused(monkeypatch, VideoEd.video_from_sequence, str(folder), str(workspace / "result.mp4"), ext="png",
                    lossless=False, codec="libx264", bitrate=4, fps=25)
    assert words == ("These frames cannot be read: 00002.png (0 bytes), 00005.png (cut short), 00006.png (neither PNG "
                     "nor JPG). Nothing was changed. Make them again or delete them, then start again.")
    assert (workspace / "result.mp4").read_bytes() == b"old"


def test_frames_of_other_sizes_are_named(workspace, monkeypatch):
    clips.write_frames(workspace / "data_dst" / "merged", 2, 48, 48, first=7)
    out = join(monkeypatch, workspace)
    assert "These frames are not 96x64 as the others, and are scaled to it: 00007.png (48x48), 00008.png (48x48)." \
        in out


def test_a_typed_png_is_taken_from_a_mixed_folder(workspace):
    """The .bat files name no extension, and then most files decide; who names one is heard."""
    clips.write_frames(workspace / "data_dst" / "merged", 30, suffix=".jpg")
    words = line_8(workspace, "result.mp4") + ["--yes"]
    assert "The 30 jpg are joined" in run("video-from-sequence", *words)[1]
    assert "The 24 png are joined" in run("video-from-sequence", *(words + ["--ext", "png"]))[1]


def test_tif_frames(workspace, monkeypatch):
    folder = workspace / "data_dst" / "merged"
    for path in folder.iterdir():
        path.unlink()
    clips.write_frames(folder, 4, suffix=".tif")
    assert ": 4 frames, 96x64" in join(monkeypatch, workspace)


def test_lossless_says_what_is_lost(workspace, monkeypatch):
    assert "Nothing is lost; some players" in join(monkeypatch, workspace, lossless=True, bitrate=None)
    assert "The encoder loses nothing, but yuv420p holds less colour than the frames;" in join(
        monkeypatch, workspace, lossless=True, bitrate=None, pix_fmt="yuv420p")
    assert "prores_ks has no preset: --preset is not used." in join(
        monkeypatch, workspace, output="result.mov", codec="prores_ks", preset="slow")


def test_many_names_are_not_all_told(workspace, monkeypatch):
    for path in (workspace / "data_dst" / "merged").iterdir():
        path.write_bytes(b"")
    words = refused(monkeypatch, VideoEd.video_from_sequence, str(workspace / "data_dst" / "merged"),
                    str(workspace / "result.mp4"), ext="png", lossless=False, codec="libx264", bitrate=4, fps=25)
    assert words.count("0 bytes") == VideoEd.SHOWN and "and 14 more" in words


def test_a_full_disk_is_told_before(workspace, monkeypatch):
    monkeypatch.setattr(VideoEd.join, "free_bytes", lambda output: 10 ** 5)
    assert "/!\\ The video may need 1 MB, and 0 MB are free. If the disk fills up, the old video stays.\n" in join(
        monkeypatch, workspace)


def test_odd_sizes_are_told(workspace, monkeypatch):
    for path in (workspace / "data_dst" / "merged").iterdir():
        path.unlink()
    clips.write_frames(workspace / "data_dst" / "merged", 3, 97, 63)
    out = join(monkeypatch, workspace)
    assert "97x63 becomes 98x64: yuv420p needs even numbers.\n" in out and ": 3 frames, 98x64, 25 frames" in out


def test_a_reference_without_sound_is_told(workspace, monkeypatch):
    reference = clips.make(clips.bundled(), workspace, name="silent")
    out = join(monkeypatch, workspace, reference=reference, include_audio=True)
    assert out.startswith("silent.mp4 has no sound.\n")


# --- what is refused -------------------------------------------------------------------------

@pytest.mark.parametrize("change, words", [
    ({"input_dir": "none"}, "There is no folder none: merge first"),
    ({"input_dir": "."}, "There are no images in"),
    ({"reference_file": "none.*"}, "reference_file not found. There is no"),
    ({"reference_file": "no video.mp4"}, "is no video that ffmpeg can read"),
    ({"output_file": "result"}, "has no extension"),
    ({"output_file": "data_dst"}, "has no extension"),
    ({"codec": "x264"}, "There is no encoder x264. Choose one of: libx264, libx265"),
    ({"codec": "prores_ks"}, "prores_ks does not go into .mp4 files, but into .mov."),
    ({"codec": "libsvtav1", "lossless": True}, "libsvtav1 cannot work without loss. Those that can: libx264"),
    ({"crf": 20}, "--crf, --bitrate and --lossless exclude each other."),
    ({"crf": 20, "bitrate": None, "lossless": True}, "--crf, --bitrate and --lossless exclude each other."),
    ({"output_file": "data_dst.mp4", "reference_file": "data_dst.*"}, "is the file that is read; the new video would"),
    ({"output_file": "link.mp4", "reference_file": "data_dst.*"}, "is the file that is read; the new video would"),
    ({"output_file": "data_dst/merged/00001.png"}, "is the name of a picture. Name the video like result.mp4."),
    ({"output_file": "result.webm", "codec": None}, "Name another with --codec; --list-codecs shows them all."),
    ({"output_file": "result.xyz"}, "This kind of file cannot hold it: take .mp4, .mov or .mkv."),
    ({"bitrate": None, "crf": 77}, "The quality of libx264 goes from 0 to 51, and 0 is the best; 77 is outside."),
    ({"fps": 0}, "0 frames a second cannot be."),
    ({"preset": "warp"}, "libx264 works here, but not with the --preset or --pix-fmt given"),
    ({"codec": "libx265", "pix_fmt": "warp"}, "libx265 works here, but not with the --preset or --pix-fmt given")])
def test_what_cannot_be_is_refused_with_what_to_do(workspace, monkeypatch, change, words):
    monkeypatch.chdir(str(workspace))
    (workspace / "no video.mp4").write_text("words")
    os.symlink("data_dst.mp4", "link.mp4")
    before = (workspace / "data_dst.mp4").read_bytes()
    host.set_unattended(change.get("codec", "") is None)
    options = dict(input_dir="data_dst/merged", output_file="result.mp4", ext="png", lossless=False, codec="libx264",
                   bitrate=4, fps=25)
    options.update(change)
    assert words in refused(monkeypatch, VideoEd.video_from_sequence, **options)
    assert not (workspace / "result.mp4").exists()
    assert (workspace / "data_dst.mp4").read_bytes() == before
    assert [name for name in os.listdir(str(workspace)) if name.startswith(".")] == []


def test_errors_are_a_sentence_and_a_code(workspace):
    code, out, err = run("video-from-sequence", *(line_8(workspace, "result.mp4", "nothing") + ["--yes"]))
    assert (code, out) == (1, "") and err.startswith("/!\\ input_dir not found. There is no folder ")
    assert "Traceback" not in err


def test_no_ffmpeg_at_all(workspace, monkeypatch):
    monkeypatch.setattr(compat, "bundled_ffmpeg", lambda: None)
    monkeypatch.setenv("PATH", str(workspace))
    words = refused(monkeypatch, VideoEd.video_from_sequence, str(workspace / "data_dst" / "merged"),
                    str(workspace / "result.mp4"), ext="png", lossless=False)
    assert words.startswith("ffmpeg is missing") and "pip install imageio-ffmpeg" in words


def test_a_log_has_all_that_was_shown(workspace):
    log = workspace / "join.log"
    code, out, _ = run("video-from-sequence", *(line_8(workspace, "result.mp4") + ["--yes", "--log", str(log)]))
    assert code == 0
    text = log.read_text(encoding="utf-8")
    assert "libx264, 0." in text and "Encoding: 100%" in text and " -c:v libx264 -b:v 16M " in text and "Done." in text


# --- the other commands ----------------------------------------------------------------------

def test_extract_cut_and_denoise_by_typed_answers(workspace):
    """The lines of 2), 3) and of the tools for data_dst."""
    out = workspace / "data_src"
    code, text, err = run("extract-video", "--input-file", str(workspace / "data_dst.*"), "--output-dir", str(out),
                          typed=b"?\n0\nPNG\n")
    assert code == 0, err
    assert text.startswith("[0] Enter FPS ( ?:help ) : " + VideoEd.FPS_HELP)
    assert "[png] Output image format ( png/jpg ?:help ) : png\n" in text
    assert sorted(os.listdir(str(out))) == ["{:05d}.png".format(number) for number in range(1, clips.COUNT + 1)]
    assert "24 frames are in" in text and "Extracting: 100%" in err

    code, text, err = run("denoise-image-sequence", "--input-dir", str(out), typed=b"40\n")
    assert code == 0, err
    assert text.startswith("[7] Denoise factor? ( 1-20 ) : 40\n") and "24 frames are denoised." in text

    code, text, err = run("cut-video", "--input-file", str(workspace / "data_dst.mp4"),
                          typed=b"00:00:00.2\n00:00:00.6\n0\n5\n")
    assert code == 0, err
    assert text.startswith("[00:00:00.000] From time : 00:00:00.2\n[00:00:00.000] To time : 00:00:00.6\n"
                           "[0] Specify audio track id. : 0\n[25] Bitrate of output file in MB/s : 5\n")
    source = probe.probe(clips.bundled(), str(workspace / "data_dst_cut.mp4"))
    assert 0.35 < source.video.seconds < 0.5 and len(source.sounds) == 1


def test_old_frames_are_asked_for(workspace, monkeypatch):
    out = workspace / "data_src"
    clips.write_frames(out, 40)
    (out / "aligned").mkdir()
    words = refused(monkeypatch, lambda: asked(monkeypatch, "n\n", VideoEd.extract_video,
                                               str(workspace / "data_dst.mp4"), str(out), "png", 0))
    assert words.startswith("Nothing was changed.") and len(os.listdir(str(out))) == 41
    text = asked(monkeypatch, "", VideoEd.extract_video, str(workspace / "data_dst.mp4"), str(out), "png", 0)
    assert re.search(r"\[y\] .*data_src holds 40 earlier png files. Delete them\? \( y/n \) : y\n", text)
    assert len(os.listdir(str(out))) == clips.COUNT + 1


def test_a_picture_that_is_the_video_is_not_deleted(workspace, monkeypatch):
    out = workspace / "data_src"
    clips.write_frames(out, 3)
    clips.run([clips.bundled().ffmpeg, "-v", "error", "-i", str(workspace / "data_dst.mp4"), "-f", "apng",
               str(out / "data_src.png")])
    words = refused(monkeypatch, VideoEd.extract_video, str(out / "data_src.*"), str(out), "png", 0)
    assert "data_src.png lies among the earlier frames, which are deleted." in words
    assert len(os.listdir(str(out))) == 4


def test_two_extractions_do_not_mix(workspace, monkeypatch):
    out = workspace / "data_src"
    out.mkdir()
    with VideoEd.extract.locked(str(out)):
        code, _, err = run("extract-video", "--input-file", str(workspace / "data_dst.mp4"), "--output-dir", str(out),
                           "--fps", "0", "--output-ext", "png")
    assert code == 1 and "Frames are still being written into" in err
    assert os.listdir(str(out)) == []


def test_the_factor_of_stocks_own_main_is_taken(workspace, monkeypatch):
    """Stock's main.py hands --factor over as the extension, and then asks for it all the same."""
    folder = workspace / "data_dst" / "merged"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    text = asked(monkeypatch, "", VideoEd.denoise_image_sequence, str(folder), 20)
    assert "Denoise factor?" not in text
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == set(after) and before != after


def test_first_file_of_a_name(tmp_path):
    for name in ("data_dst.txt", "DATA_DST.mp4", "data_dst_cut.mp4", "other.mp4"):
        (tmp_path / name).write_text("")
    (tmp_path / "data_dst").mkdir()
    assert Path(VideoEd._given_file(str(tmp_path / "data_dst.*"))).name == "DATA_DST.mp4"
    assert VideoEd._given_file(str(tmp_path / "data_dst.mov")) is None
    assert VideoEd._given_file(str(tmp_path / "none" / "data_dst.*")) is None
    assert VideoEd._given_file(str(tmp_path / "other.mp4")) == str(tmp_path / "other.mp4")
