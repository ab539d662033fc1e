"""What stock's extract-video, cut-video and denoise-image-sequence leave behind, by the shortest way.

The command lines are built with the package ffmpeg-python, as stock builds its own. Only for test material:
frames are deleted, renamed and overwritten in place.
"""
import os
import subprocess

import ffmpeg

IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def names(folder, suffixes=IMAGES):
    """Names of the images in the folder, by name."""
    return sorted(name for name in os.listdir(folder) if name.lower().endswith(suffixes))


def run(stream, program):
    """Run a stream of ffmpeg-python; its exit code, whatever it is."""
    return subprocess.call(stream.compile(cmd=program), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)


def extract(program, source, folder, extension, fps):
    """The frames of a video as 00001.png ..., in the place of all files of that extension."""
    if not os.path.isdir(folder):
        os.mkdir(folder)
    for name in names(folder, ("." + extension,)):
        os.remove(os.path.join(folder, name))
    options = {"pix_fmt": "rgb24"}
    if fps:
        options["r"] = str(fps)
    if extension == "jpg":
        options["q:v"] = "2"
    return run(ffmpeg.input(source).output(os.path.join(folder, "%5d." + extension), **options), program)


def cut(program, source, start, end, sound, bitrate):
    """A part of a video as NAME_cut beside it, H.264. Its path."""
    stem, suffix = os.path.splitext(source)
    whole = ffmpeg.input(source, ss=start, to=end)
    output = ffmpeg.output(whole["v:0"], whole["a:{}?".format(sound)], stem + "_cut" + suffix,
                           **{"c:v": "libx264", "b:v": "{}M".format(bitrate), "pix_fmt": "yuv420p"})
    run(output.overwrite_output(), program)
    return stem + "_cut" + suffix


def denoise(program, folder, factor):
    """The images of a folder denoised in place: numbered for ffmpeg, overwritten by it, named as before."""
    before = names(folder)
    suffix = os.path.splitext(before[0])[1]
    numbered = ["{:06d}{}".format(number, suffix) for number in range(1, len(before) + 1)]
    between = ["between " + name for name in before]  # a name that is wanted may still be another's
    rename(folder, before, between)
    rename(folder, between, numbered)
    pattern = os.path.join(folder, "%6d" + suffix)
    options = {"q:v": "2"} if suffix == ".jpg" else {}
    code = run(ffmpeg.input(pattern).filter("hqdn3d", factor, factor, 5, 5).output(pattern, **options), program)
    rename(folder, numbered, between)
    rename(folder, between, before)
    return code


def rename(folder, old, new):
    for source, target in zip(old, new):
        os.rename(os.path.join(folder, source), os.path.join(folder, target))
