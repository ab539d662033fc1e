"""Finds ffmpeg and ffprobe: DeepFaceLab's own, those of the PATH, the one of imageio-ffmpeg."""
import collections
import functools
import os
import re
import shutil
import subprocess
import sys

from .. import compat, host

# _internal/ffmpeg of a DeepFaceLab build: beside the folder that holds this package.
BUILD_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "ffmpeg")
_PATIENCE_SECONDS = 60.0

Tools = collections.namedtuple("Tools", "ffmpeg ffprobe")
Tools.__doc__ = """Full paths of the programs; ffprobe may be None, since `ffmpeg -i` tells the same."""


def find():
    """Return the Tools of this machine. Raises host.UserError when there is no ffmpeg."""
    ffmpeg = _which("ffmpeg") or compat.bundled_ffmpeg()
    if ffmpeg is None:
        raise host.UserError("ffmpeg is missing: it is neither in {} nor in the PATH. Put it there, or install one "
                             "with: \"{}\" -m pip install {}".format(os.path.normpath(BUILD_FOLDER), sys.executable,
                                                               compat.ffmpeg_package))
    return Tools(ffmpeg, _which("ffprobe", os.path.dirname(ffmpeg)))


def _which(name, *folders):
    for folder in folders + (os.path.normpath(BUILD_FOLDER), None):
        found = shutil.which(name, path=folder)
        if found is not None:
            return os.path.abspath(found)  # the PATH may hold "." and commands run in other folders
    return None


@functools.lru_cache(maxsize=None)
def version(ffmpeg):
    """Return the version of an ffmpeg as (major, minor), or None for a build without a number."""
    match = re.match(r"ffmpeg version n?(\d+)\.(\d+)", ask([ffmpeg, "-version"]))
    return (int(match.group(1)), int(match.group(2))) if match else None


@functools.lru_cache(maxsize=None)
def encoders(ffmpeg):
    """Return the names of the video encoders that an ffmpeg was built with (frozenset of str).

    Without the experimental ones: libaom-av1 of ffmpeg 4.2 writes files that lose frames when decoded.
    """
    listed = ask([ffmpeg, "-hide_banner", "-encoders"])
    return frozenset(re.findall(r"^ V[^X ]{5} (\S+)", listed, re.MULTILINE)) - {"="}


@functools.lru_cache(maxsize=None)
def hardware_decoders(ffmpeg):
    """Return the names that -hwaccel of an ffmpeg takes (frozenset of str)."""
    lines = ask([ffmpeg, "-hide_banner", "-hwaccels"]).splitlines()
    return frozenset(line.strip() for line in lines[1:] if re.match(r"\s*\w+\s*$", line))


def ask(command):
    """Run a short command of ffmpeg or ffprobe and return what it prints on stdout (str).

    Raises host.UserError when the program does not start, or gives no answer in a minute.
    """
    return ask_both(command)[0]


def ask_both(command):
    """As `ask`, but return (stdout, stderr, exit code)."""
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=_PATIENCE_SECONDS)
    except OSError as error:
        raise host.UserError("{} does not start: {}. Put a working ffmpeg there.".format(
            command[0], error.strerror or error)) from error
    except subprocess.TimeoutExpired as error:
        raise host.UserError("{} gives no answer. Start again; if that does not help, put another ffmpeg there."
                             .format(command[0])) from error
    return run.stdout.decode("utf-8", "replace"), run.stderr.decode("utf-8", "replace"), run.returncode
