"""Frames of a video for benchmarks and tests: made from a seed, no photograph; and the clip they came from.

Something large moves before a ground that pans; both have the detail of natural pictures, and every frame has
the noise of a camera, so that an encoder has work and a PNG is not small. The same arguments give the same
bytes on the same machine and OpenCV.
"""
import os
import shutil
import subprocess

import cv2
import numpy as np

from accel import pools
from benchmarks import portraits
from benchmarks.stock_tree import Unusable

RATE = 25
NOISE = 1.4                    # of brightness, standard deviation in levels; of each colour half of it
SKY, GRASS, SKIN = (190, 140, 80), (50, 130, 70), (70, 110, 190)     # BGR; strong, so that a wrong matrix shows
_PAN = 0.06                    # how far the ground pans, a share of the width
_TILE = 509                    # side of the noise that is repeated


def make_frames(folder, count, size, suffix, seed=0, progress=None):
    """Write `count` frames into `folder` (made if missing): 00001.png and so on. Return their names (list of str).

    size: (width, height) in px. suffix: ".png", or ".jpg" for quality 100. progress: called with the number of
    frames done. Raises OSError, for instance when the disk is full.
    """
    os.makedirs(folder, exist_ok=True)
    scene = _Scene(np.random.RandomState([seed, 7]), size, count)
    names = ["{:05d}{}".format(number, suffix) for number in range(1, count + 1)]
    options = [cv2.IMWRITE_JPEG_QUALITY, 100] if suffix == ".jpg" else []

    def make(job):
        index, name = job
        content = cv2.imencode(suffix, scene.frame(index), options)[1]
        with open(os.path.join(folder, name), "wb") as stream:
            stream.write(content.tobytes())
    threads_before = cv2.getNumThreads()
    cv2.setNumThreads(1)           # the frames are made side by side
    try:
        for outcome in pools.map_threads(make, list(enumerate(names))):
            if outcome.error is not None:
                raise outcome.error
            if progress is not None:
                progress(outcome.index + 1)
    finally:
        cv2.setNumThreads(threads_before)
    return names


class _Scene(object):
    """What all frames show: a ground, a disc before it, noise."""

    def __init__(self, random, size, count):
        self.width, self.height = size
        self.count = count
        self.pan = int(self.width * _PAN) + 1
        self.ground = _texture(random, self.width + self.pan, self.height, SKY, GRASS, 30)
        self.side = max(8, int(self.height * 0.55))
        mask = _soft_disc(self.side)
        disc = _texture(random, self.side, self.side, SKIN, SKIN, 36)
        self.disc = cv2.multiply(disc, mask, scale=1 / 255.0)
        self.around = 255 - mask
        tile = random.standard_normal((_TILE, _TILE, 1)) + 0.5 * random.standard_normal((_TILE, _TILE, 3))
        tile = np.round(NOISE * tile).astype(np.int16)
        self.noise = cv2.copyMakeBorder(tile, 0, self.height + 64, 0, self.width + 64, cv2.BORDER_WRAP)
        self.places = random.randint(0, 64, (count, 2))

    def frame(self, index):
        """One frame: uint8 (height, width, 3), BGR."""
        time = index / float(max(self.count - 1, 1))
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * time)
        left = int(round(swing * (self.pan - 1)))
        picture = self.ground[:, left:left + self.width].copy()
        x = int(round((self.width - self.side) * (0.15 + 0.7 * time)))
        y = int(round((self.height - self.side) * (0.5 + 0.3 * np.sin(6 * time))))
        part = picture[y:y + self.side, x:x + self.side]
        part[:] = cv2.add(cv2.multiply(part, self.around, scale=1 / 255.0), self.disc)
        down, right = self.places[index]
        return cv2.add(picture, self.noise[down:down + self.height, right:right + self.width], dtype=cv2.CV_8U)


def _texture(random, width, height, upper, lower, contrast):
    """Detail as in natural pictures over a ramp of two colours (BGR): uint8 (height, width, 3)."""
    octaves = int(np.log2(max(width, height))) - 1
    light = contrast * portraits.natural_noise(random, height, width, octaves, 0.62)
    small = [portraits.natural_noise(random, height // 8 + 1, width // 8 + 1, max(1, octaves - 4), 0.6)
             for _ in range(2)]
    tint = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) * (0.4 * contrast) for one in small]
    tints = [tint[0], -0.4 * (tint[0] + tint[1]), tint[1]]
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    channels = [light + tints[k] + upper[k] + (lower[k] - upper[k]) * ramp for k in range(3)]
    return cv2.merge([np.clip(channel, 0, 255).astype(np.uint8) for channel in channels])


def _soft_disc(side):
    """How much of a disc is seen: uint8 (side, side, 3), three times the same."""
    line = (np.arange(side, dtype=np.float32) + 0.5) * 2 / side - 1
    distance = np.sqrt(line[None, :] ** 2 + line[:, None] ** 2)
    mask = (np.clip((0.95 - distance) * 12, 0, 1) * 255).astype(np.uint8)
    return cv2.merge([mask, mask, mask])


# --- by ffmpeg -------------------------------------------------------------------------------

def make_reference(ffmpeg, path, count):
    """Make a clip of `count` small frames at RATE, with sound as long. Raises Unusable."""
    seconds = "{:.3f}".format(count / float(RATE))
    run_ffmpeg([ffmpeg, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate={}".format(RATE), "-f", "lavfi",
                "-i", "sine=frequency=440:sample_rate=48000", "-t", seconds, "-frames:v", str(count),
                "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", path])


def cut_reference(ffmpeg, source, path, seconds):
    """Copy the first seconds (float) of a video, picture and sound as they are. Raises Unusable."""
    run_ffmpeg([ffmpeg, "-i", "file:" + source, "-t", "{:.3f}".format(seconds), "-map", "0:v:0", "-map", "0:a:0?",
                "-c", "copy", "file:" + path])


def make_raw(ffmpeg, folder, names, size, path):
    """Decode frames of one size, in order, to a file of raw yuv420p pictures. Raises Unusable and OSError."""
    command = _command([ffmpeg, "-f", "image2pipe", "-framerate", str(RATE), "-i", "pipe:0", "-vf",
                        "scale={}:{}".format(*size), "-pix_fmt", "yuv420p", "-f", "rawvideo", path])
    log = path + ".log"
    with open(log, "wb") as words:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=words, stderr=subprocess.STDOUT)
        try:
            for name in names:
                with open(os.path.join(folder, name), "rb") as stream:
                    shutil.copyfileobj(stream, process.stdin)
            process.stdin.close()
        except BrokenPipeError:
            pass                   # what it says is in the log
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
    if code:
        with open(log, encoding="utf-8", errors="replace") as words:
            raise _failed(words.read())


def run_ffmpeg(words):
    """Run ffmpeg, the first of the words, to its end. Raises Unusable."""
    run = subprocess.run(_command(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
    if run.returncode:
        raise _failed(run.stderr.decode("utf-8", "replace"))


def _command(words):
    return [words[0], "-hide_banner", "-nostdin", "-loglevel", "error", "-y"] + words[1:]


def _failed(words):
    return Unusable("ffmpeg could not prepare the input of this case: {}".format(
        " / ".join(words.strip().splitlines()[-3:]) or "it said nothing"))
