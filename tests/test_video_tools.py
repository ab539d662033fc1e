"""Which ffmpeg is taken, and what it says of itself."""
import os
import stat
import sys

import clips
import fake_ffmpeg
import pytest
from accel import compat, host
from accel.video import encoders, process, tools


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty build folder, an empty PATH and no imageio-ffmpeg; return a function that puts programs there."""
    build, path, bundled = tmp_path / "build" / "_internal" / "ffmpeg", tmp_path / "bin", tmp_path / "binaries"
    monkeypatch.setattr(tools, "BUILD_FOLDER", str(build))
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(compat, "bundled_ffmpeg", lambda: None)
    folders = {"build": build, "path": path, "bundled": bundled}

    def put(place, *names):
        folder = folders[place]
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_bytes(b"#!/bin/sh\n")
            (folder / name).chmod(stat.S_IRWXU)
        if place == "bundled":
            monkeypatch.setattr(compat, "bundled_ffmpeg", lambda: str(folder / names[0]))
    put.at = lambda place, name: str(folders[place] / name)
    return put


# --- find -----------------------------------------------------------------------------------------

def test_the_order_is_build_path_package(places):
    places("bundled", "ffmpeg-linux64-v4.2.2")
    assert tools.find() == (places.at("bundled", "ffmpeg-linux64-v4.2.2"), None)
    places("path", "ffmpeg")
    assert tools.find() == (places.at("path", "ffmpeg"), None)
    places("build", "ffmpeg")
    assert tools.find() == (places.at("build", "ffmpeg"), None)


@pytest.mark.parametrize("ffmpegs, ffprobes, expected", [
    (["build", "path"], ["build", "path"], ("build", "build")), (["build"], ["path"], ("build", "path")),
    (["path"], ["path"], ("path", "path")), (["bundled"], ["path"], ("bundled", "path")),
    (["path"], ["build", "path"], ("path", "path")), (["path"], ["build"], ("path", "build"))])
def test_ffprobe_is_the_one_beside(places, ffmpegs, ffprobes, expected):
    for place in ffmpegs:
        places(place, "ffmpeg")
    for place in ffprobes:
        places(place, "ffprobe") if place != "bundled" else None
    assert tools.find() == (places.at(expected[0], "ffmpeg"), places.at(expected[1], "ffprobe"))


def test_nothing_at_all(places):
    with pytest.raises(host.UserError) as caught:
        tools.find()
    assert str(caught.value) == (
        "ffmpeg is missing: it is neither in {} nor in the PATH. Put it there, or install one with: "
        "\"{}\" -m pip install imageio-ffmpeg{}".format(os.path.dirname(places.at("build", "x")), sys.executable,
                                                      "" if sys.version_info >= (3, 7) else "==0.4.9"))


def test_what_cannot_run_is_not_taken(places):
    places("path", "ffmpeg")
    os.chmod(places.at("path", "ffmpeg"), 0o600)
    with pytest.raises(host.UserError):
        tools.find()
    os.remove(places.at("path", "ffmpeg"))
    os.mkdir(places.at("path", "ffmpeg"))
    with pytest.raises(host.UserError):
        tools.find()


def test_a_relative_path_does_not_depend_on_the_working_folder(places, monkeypatch, tmp_path):
    places("path", "ffmpeg", "ffprobe")
    monkeypatch.chdir(tmp_path / "bin")
    monkeypatch.setenv("PATH", ".")
    assert tools.find() == (places.at("path", "ffmpeg"), places.at("path", "ffprobe"))


def test_the_build_folder_is_that_of_the_windows_build():
    here = os.path.dirname(os.path.abspath(tools.__file__))
    overlay = os.path.dirname(os.path.dirname(here))  # _internal/DeepFaceLab
    assert os.path.normpath(tools.BUILD_FOLDER) == os.path.join(os.path.dirname(overlay), "ffmpeg")


def test_the_package_brings_one_that_works():
    ffmpeg = compat.bundled_ffmpeg()
    assert os.path.isabs(ffmpeg) and tools.version(ffmpeg) >= (4, 0)


# --- what it says of itself -----------------------------------------------------------------------

@pytest.mark.parametrize("words, version", [
    ("ffmpeg version 4.2.2-static https://johnvansickle.com/ffmpeg/", (4, 2)),
    ("ffmpeg version 5.1.9-0+deb12u1 Copyright", (5, 1)), ("ffmpeg version n9.0.2-17-g2a571b6068-20260930", (9, 0)),
    ("ffmpeg version 7.1-full_build-www.gyan.dev", (7, 1)), ("ffmpeg version 10.0 Copyright", (10, 0)),
    ("ffmpeg version 2021-10-01-git-2f1d1eb7c7-full_build", None), ("ffmpeg version N-109542-g90d6aa2e1b", None),
    ("ffmpeg version git-2020-05-23-26b4509", None), ("", None), ("ffprobe version 4.2", None)])
def test_versions(tmp_path, monkeypatch, words, version):
    monkeypatch.setattr(tools, "ask", lambda command: words)
    assert tools.version(str(tmp_path / "ffmpeg")) == version


LISTED = """\
Encoders:
 V..... = Video
 A..... = Audio
 .F.... = Frame-level multithreading
 ...X.. = Codec is experimental
 ------
 V..... a64multi             Multicolor charset for Commodore 64 (codec a64_multi)
 V..X.. libaom-av1           libaom AV1 (codec av1)
 VFS... prores_ks            Apple ProRes (iCodec Pro) (codec prores)
 V....D libx264              libx264 H.264 / AVC (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
 S..... ass                  ASS (Advanced SubStation Alpha) subtitle
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encoders_are_the_working_ones_for_video(tmp_path, monkeypatch, end):
    monkeypatch.setattr(tools, "ask", lambda command: LISTED.replace("\n", end))
    assert tools.encoders(str(tmp_path / "ffmpeg")) == {"a64multi", "prores_ks", "libx264"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_hardware_decoders(tmp_path, monkeypatch, end):
    monkeypatch.setattr(tools, "ask", lambda command: "Hardware acceleration methods:\ncuda\nd3d11va\n\n".replace(
        "\n", end))
    assert tools.hardware_decoders(str(tmp_path / "ffmpeg")) == {"cuda", "d3d11va"}


@pytest.mark.parametrize("found", clips.ffmpegs(), ids=clips.called)
def test_real_ones(found):
    assert tools.version(found.ffmpeg) >= (4, 0)
    assert {"libx264", "libx264rgb", "libx265", "prores_ks", "ffv1"} <= tools.encoders(found.ffmpeg)
    assert not {"aac", "=", "libmp3lame"} & tools.encoders(found.ffmpeg)
    assert all(name.islower() for name in tools.hardware_decoders(found.ffmpeg))
    known = {"libx264rgb"} | set(encoders.ENCODERS)
    assert tools.encoders(found.ffmpeg) & known


def test_a_program_is_asked_once(tmp_path):
    path = fake_ffmpeg.make(tmp_path, real=clips.bundled().ffmpeg)
    for _ in range(3):
        tools.version(path), tools.encoders(path), tools.hardware_decoders(path)
    assert len(fake_ffmpeg.commands(path)) == 3


# --- asking ---------------------------------------------------------------------------------------

def test_both_streams_and_the_code(tmp_path):
    path = fake_ffmpeg.make(tmp_path, "dies at once", words="слово", code=7, when=())
    assert tools.ask_both([path, "-version"]) == ("", "слово\n", 7)
    assert tools.ask([clips.bundled().ffmpeg, "-version"]).startswith("ffmpeg version")


@pytest.mark.parametrize("content", [None, b"", b"no program"])
def test_a_program_that_does_not_start(tmp_path, content):
    path = tmp_path / "ffmpeg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(host.UserError, match="does not start: .*. Put a working ffmpeg there."):
        tools.ask([str(path), "-version"])


def test_a_program_that_gives_no_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "_PATIENCE_SECONDS", 0.3)
    path = fake_ffmpeg.make(tmp_path, "hangs", when=())
    with pytest.raises(host.UserError, match="gives no answer. Start again"):
        tools.ask([path, "-version"])


def test_the_opening_asks_no_questions():
    assert "-nostdin" in process.OPENING and "-y" in process.OPENING
    assert process.GUARDED == ("-protocol_whitelist", "file,pipe")
