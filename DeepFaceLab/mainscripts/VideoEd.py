"""The commands on videos: frames of a video, a part of a video, frames without noise, a video of frames.

The functions have stock's names, arguments and questions; what is new comes after. Each asks, looks at what
it was given, and calls one module of accel.video.
"""
import os
import re
from fractions import Fraction
from pathlib import Path

from accel import files, host, output_folder
from accel.video import colour, cut, denoise, encoders, extract, frames, join, probe, rate, tools, trial, whole_file

FPS_HELP = "How many frames of every second of the video will be extracted. 0 - full fps"
FORMAT_HELP = "png is lossless, but extraction is x10 slower for HDD, requires x10 more disk space than jpg."
ENCODER_HELP = "Only those are listed that have just encoded a few frames on this machine."
MODE_HELP = ("bitrate: the file gets about the size that you have asked for. quality: every scene gets what it needs, "
             "the size is whatever comes of it.")
DEFAULT_KIND = "png"
SHOWN = 10


# --- extract-video ---------------------------------------------------------------------------

def extract_video(input_file, output_dir, output_ext=None, fps=None, hwaccel=None):
    """Save the frames of a video as pictures. hwaccel: how to decode by hardware ("auto"), None: not at all."""
    source = _given_file(input_file)
    if source is None:
        raise host.UserError("input_file not found. There is no {}: put the video there, or check its name.".format(
            input_file))
    found = tools.find()
    if fps is None:
        fps = host.ask_int("Enter FPS", 0, help_message=FPS_HELP)
    if fps < 0:
        raise host.UserError("{} frames a second cannot be. Give a number from 1, or 0 for all frames.".format(fps))
    if output_ext is None:
        output_ext = host.ask_str("Output image format", "png", ["png", "jpg"], help_message=FORMAT_HELP)
    if not re.match(r"[A-Za-z0-9]+$", output_ext):
        raise host.UserError("{} is no image format. Take png or jpg.".format(output_ext))

    extract.begin(found, source, output_ext, fps, hwaccel)
    folder = os.path.abspath(str(output_dir))
    output_folder.make(folder, "--output-dir")
    with extract.locked(folder) as lock:
        _clear_old_frames(folder, output_ext, source)
        count = extract.run(found, source, folder, output_ext, fps, _bar("Extracting"), hwaccel, lock)
    host.log_info("{:,} frames are in {}.".format(count, folder))


def _clear_old_frames(folder, extension, source):
    old = extract.old_frames(folder, extension)
    if not old:
        return
    if any(os.path.samefile(path, source) for path in old):
        raise host.UserError("{} lies among the earlier frames, which are deleted. Move it to another folder, then "
                             "start again.".format(source))
    if not host.ask_bool("{} holds {:,} earlier {} files. Delete them?".format(folder, len(old), extension), True):
        raise host.UserError("Nothing was changed. Move the earlier files to another folder, then start again.")
    for path in old:
        os.remove(path)


# --- cut-video -------------------------------------------------------------------------------

def cut_video(input_file, from_time=None, to_time=None, audio_track_id=None, bitrate=None):
    """Cut a part out of a video, to NAME_cut beside it."""
    source = _given_file(input_file)
    if source is None:
        raise host.UserError("input_file not found. There is no {}: check the name of the video.".format(input_file))
    found = tools.find()
    start = _answer(from_time, host.ask_str, "From time", "00:00:00.000")
    end = _answer(to_time, host.ask_str, "To time", "00:00:00.000")
    sound = _answer(audio_track_id, host.ask_int, "Specify audio track id.", 0)
    mbit = _answer(bitrate, host.ask_int, "Bitrate of output file in MB/s", 25)
    output = cut.run(found, source, start, end, max(0, sound), max(1, mbit), _bar("Cutting"))
    host.log_info("The cut is {}.".format(output))


# --- denoise-image-sequence ------------------------------------------------------------------

def denoise_image_sequence(input_dir, ext=None, factor=None):
    """Denoise the frames of a folder. ext: not used, as in stock; its main.py gives the factor there."""
    folder = os.path.abspath(str(input_dir))
    if not os.path.isdir(folder):
        raise host.UserError("input_dir not found. There is no folder {}: check its name.".format(input_dir))
    if factor is None and isinstance(ext, int):
        factor = ext
    found = tools.find()
    with denoise.locked(folder):
        if denoise.unfinished(folder):
            done, changed = denoise.finish(folder, _bar("Replacing"))
            host.log_info("The last denoising was cut short when all frames were ready: it is finished now, the last "
                          "{:,} frames are in place. Start again to denoise once more.".format(done))
            _tell_changed(changed)
            return
        paths = _frames_to_denoise(folder)
        if factor is None:
            factor = host.ask_int("Denoise factor?", 7, add_info="1-20")
        done, changed = denoise.run(found, folder, paths, min(max(factor, 1), 20), _titled_bar)
    _tell_changed(changed)
    host.log_info("{:,} frames are denoised.".format(done))


def _frames_to_denoise(folder):
    listed = frames.image_paths(folder)
    if not listed:
        raise host.UserError("There are no images in {}. Extract the frames of a video first.".format(folder))
    if len({os.path.splitext(path)[1] for path in listed}) > 1:
        raise host.UserError("All images in {} should be with the same extension. Move the others to another folder."
                             .format(os.path.basename(folder)))
    about = frames.check(listed, _checking_bar)
    _refuse_broken(about)
    if about.resized:
        raise host.UserError("All frames must have one size, and most are {}x{}, but not: {}. Nothing was changed. "
                             "Move these to another folder.".format(*about.size, _some(
                                 "{} ({}x{})".format(name, *size) for name, size in about.resized)))
    return listed


def _tell_changed(names):
    if names:
        host.log_err("These frames were changed in the meantime and are left as they are: {}.".format(_some(names)))


# --- video-from-sequence ---------------------------------------------------------------------

def video_from_sequence(input_dir, output_file, reference_file=None, ext=None, fps=None, bitrate=None,
                        include_audio=False, lossless=None, codec=None, crf=None, preset=None, pix_fmt=None,
                        ext_asked=False):
    """Join the frames of a folder to a video.

    codec: name of the encoder, None asks; crf: quality number of the encoder in the place of a bitrate; preset,
    pix_fmt: as the encoder has them; ext_asked: True when `ext` is more than the default of a command line.
    """
    folder = os.path.abspath(str(input_dir))
    if not os.path.isdir(folder):
        raise host.UserError("input_dir not found. There is no folder {}: merge first (step 7), or check its name."
                             .format(input_dir))
    output = os.path.abspath(str(output_file))
    suffix = os.path.splitext(output)[1]
    if not suffix:
        raise host.UserError("{} has no extension. Name the video like result.mp4.".format(output))
    if files.is_image_name(output):
        raise host.UserError("{} is the name of a picture. Name the video like result.mp4.".format(output))
    if crf is not None and (lossless or bitrate is not None):
        raise host.UserError("--crf, --bitrate and --lossless exclude each other. Give one of them.")
    found = tools.find()
    if codec is not None:
        encoders.named(codec)
    if ext is None:
        ext, ext_asked = host.ask_str("Input image format (extension)", DEFAULT_KIND), True
    if lossless is None:
        lossless = host.ask_bool("Use lossless codec", False)

    reference, video, sound = _reference(found, reference_file, include_audio)
    if video is not None and video.nominal_rate:
        fps = None
    elif fps is None:
        fps = max(1, host.ask_int("Enter FPS", 25))
    elif fps < 1:
        raise host.UserError("{} frames a second cannot be. Give --fps a number from 1.".format(fps))
    if reference is not None:
        whole_file.refuse_input(output, [reference])
    listed = _listing(folder, ext, ext_asked)
    wish = _wish(lossless, crf, bitrate, preset, pix_fmt)
    about = frames.check(listed.paths, _checking_bar)
    _report(about)
    job, choice = join.make_job(found, listed.paths, about.size, output, reference, video, sound,
                                Fraction(fps) if fps else None)
    encoder, wish = _encoder(found, job, wish, codec, suffix)
    _tell_plan(found, job, choice, encoder, wish)
    result = join.run(found, job, encoder, wish, _bar("Encoding"))
    host.log_info("{}: {:,} frames, {}x{}, {} frames a second, {}, {:.1f} MB.".format(
        output, len(job.paths), *colour.padded(job.size, result.pixel_format), rate.spoken(job.rate), result.encoder,
        result.size / 1e6))


def list_codecs(output_file=None):
    """Try every encoder anew and show which work on this machine."""
    found = tools.find()
    suffixes = (os.path.splitext(output_file)[1].lower(),) if output_file else (".mp4", ".mov", ".mkv", ".avi")
    host.log_info("Trying the encoders of {} ...".format(found.ffmpeg))
    for name, encoder in encoders.ENCODERS.items():
        suffix = next((one for one in suffixes if one in encoder.suffixes), None)
        if suffix is None:
            continue
        mode = encoders.BITRATE if encoder.bitrate is not None else encoders.LOSSLESS
        result = trial.trial(found, name, encoders.Wish(mode, 16, None, None), suffix, (1280, 720), Fraction(25),
                             fresh=True)
        host.log_info("{:<18} {}".format(name, "works: {} ({})".format(encoder.title, " ".join(encoder.suffixes))
                                         if result.works else "does not work here: " + result.reason))


def _reference(found, reference_file, include_audio):
    """Return (path, probe.Video, probe.Sound) of the reference; None for what there is not."""
    if reference_file is None:
        return None, None, None
    path = _given_file(reference_file)
    if path is None:
        raise host.UserError("reference_file not found. There is no {}: put the video of the frames there.".format(
            reference_file))
    source = probe.probe(found, path)
    sound = source.sounds[0] if include_audio and source.sounds else None
    if include_audio and sound is None:
        host.log_info("{} has no sound.".format(os.path.basename(path)))
    return path, source.video, sound


def _listing(folder, ext, asked):
    kind = frames.kind_of(ext)
    listed = frames.listing(folder)
    if kind in listed.others and (asked or kind != DEFAULT_KIND):
        listed = frames.listing(folder, kind)
    if not listed.paths:
        raise host.UserError("There are no images in {}. Merge first (step 7).".format(folder))
    if listed.others:
        host.log_err("{} holds images of several kinds. The {:,} {} are joined; left out: {}.".format(
            folder, len(listed.paths), listed.kind, ", ".join(
                "{:,} {}".format(number, other) for other, number in listed.others.items())))
    elif listed.kind != kind:
        host.log_info("The frames are {} files.".format(listed.kind))
    return listed


def _wish(lossless, crf, bitrate, preset, pix_fmt):
    if lossless:
        return encoders.Wish(encoders.LOSSLESS, None, preset, pix_fmt)
    if crf is not None:
        return encoders.Wish(encoders.QUALITY, crf, preset, pix_fmt)
    if bitrate is None:
        bitrate = host.ask_int("Bitrate of output file in MB/s", 16)
    return encoders.Wish(encoders.BITRATE, max(1, bitrate), preset, pix_fmt)


def _encoder(found, job, wish, codec, suffix):
    """Return (Encoder, Wish) as chosen by option or by answer, and found to work."""
    if codec is None and not host.is_unattended():
        encoder = _ask_encoder(found, job, wish, suffix)
        return encoder, _ask_mode(encoder, wish)
    encoder = encoders.named(codec or encoders.DEFAULT)
    refusal = encoders.refusal(encoder, wish, suffix)
    if refusal is not None:
        raise host.UserError(refusal + ("" if codec else " Name another with --codec; --list-codecs shows them all."))
    if wish.mode == encoders.QUALITY:
        encoders.check_quality(encoder, wish.value)
    plain = wish._replace(preset=None, pixel_format=None)
    if encoder.name == encoders.DEFAULT and wish == plain and encoder.name in tools.encoders(found.ffmpeg):
        return encoder, wish
    result = trial.trial(found, encoder.name, wish, suffix, job.size, job.rate, believe_failure=False)
    if result.works:
        return encoder, wish
    if wish != plain and trial.trial(found, encoder.name, plain, suffix, job.size, job.rate).works:
        raise host.UserError("{} works here, but not with the --preset or --pix-fmt given ({}). Give another, or leave "
                             "it out.".format(encoder.name, result.reason.rstrip(".")))
    instead = _first_that_works(found, job, join.instead(encoder, wish), suffix)
    host.log_err("{} does not work here: {}. {} is used instead.".format(
        encoder.name, result.reason.rstrip("."), instead.name))
    return instead, join.instead(encoder, wish)


def _first_that_works(found, job, wish, suffix):
    default = encoders.named(encoders.DEFAULT)
    if default.name in tools.encoders(found.ffmpeg) and encoders.refusal(default, wish, suffix) is None:
        return default
    for name, result in trial.offered(found, wish, suffix, job.size, job.rate).items():
        if result.works:
            return encoders.named(name)
    raise host.UserError("No encoder of {} works for {} files. Put another ffmpeg there; --list-codecs tells why."
                         .format(found.ffmpeg, suffix))


def _ask_encoder(found, job, wish, suffix):
    results = trial.offered(found, wish, suffix, job.size, job.rate)
    working = [name for name, result in results.items() if result.works]
    if not working:
        return _first_that_works(found, job, wish, suffix)
    host.log_info("Choose the video encoder:")
    for number, name in enumerate(working):
        host.log_info("[{}] {}: {}".format(number, name, encoders.ENCODERS[name].title))
    broken = ["{} ({})".format(name, result.reason) for name, result in results.items()
              if not result.works and name in tools.encoders(found.ffmpeg)]
    if broken:
        host.log_info("Not working here: {}".format("; ".join(broken)))
    number = host.ask_int("Encoder", 0, valid_list=list(range(len(working))), help_message=ENCODER_HELP)
    return encoders.named(working[number])


def _ask_mode(encoder, wish):
    if wish.mode == encoders.QUALITY:
        encoders.check_quality(encoder, wish.value)
    if wish.mode != encoders.BITRATE:
        return wish
    if not encoders.uses_bitrate(encoder):
        host.log_info("{} knows no bitrate.".format(encoder.name))
        return wish
    if encoder.quality is None:
        return wish
    mode = host.ask_str("Bitrate or quality", encoders.BITRATE, [encoders.BITRATE, encoders.QUALITY],
                        help_message=MODE_HELP)
    if mode == encoders.BITRATE:
        return wish
    best, worst, usual = encoder.qualities
    number = host.ask_int("Quality", usual, valid_range=[min(best, worst), max(best, worst)],
                          help_message="{} is the best, {} the worst.".format(best, worst))
    return wish._replace(mode=encoders.QUALITY, value=number)


# --- what is said before the encoding --------------------------------------------------------

def _report(about):
    _refuse_broken(about)
    if about.resized:
        host.log_err("These frames are not {}x{} as the others, and are scaled to it: {}.".format(
            *about.size, _some("{} ({}x{})".format(name, *size) for name, size in about.resized)))
    if about.gaps:
        host.log_err("Numbers are missing between the frames: {}.".format(_some(
            "{}".format(first) if first == last else "{} to {}".format(first, last) for first, last in about.gaps)))


def _refuse_broken(about):
    if about.broken:
        raise host.UserError("These frames cannot be read: {}. Nothing was changed. Make them again or delete them, "
                             "then start again.".format(_some("{} ({})".format(*entry) for entry in about.broken)))


def _tell_plan(found, job, choice, encoder, wish):
    if choice is not None:
        host.log_info("Frame rate of the reference: {}.".format(rate.spoken(choice.rate)))
        if choice.warning is not None:
            host.log_err(choice.warning)
        elif choice.missing:
            host.log_err("The folder has {:,} frames, the reference {:,}.".format(
                len(job.paths), len(job.paths) + choice.missing))
    _, pixel_format = join.arguments(found, join.Attempt(encoder, wish, False), job.output)
    size = colour.padded(job.size, pixel_format)
    if size != job.size:
        host.log_info("{}x{} becomes {}x{}: {} needs even numbers.".format(*job.size + size, pixel_format))
    if wish.mode == encoders.LOSSLESS:
        kept = "Nothing is lost" if colour.is_rgb(pixel_format) else \
            "The encoder loses nothing, but {} holds less colour than the frames".format(pixel_format)
        host.log_info("{}; some players refuse such files, VLC and mpv show them.".format(kept))
    if wish.preset is not None and encoder.preset is None:
        host.log_info("{} has no preset: --preset is not used.".format(encoder.name))
    needed, free = join.needed_bytes(job, wish), join.free_bytes(job.output)
    if needed is not None and needed > free:
        host.log_err("The video may need {:,} MB, and {:,} MB are free. If the disk fills up, the old video stays."
                     .format(needed // 10 ** 6 + 1, free // 10 ** 6))


# --- shared ----------------------------------------------------------------------------------

def _answer(given, ask, prompt, default):
    """Return what was given beforehand, else the answer to the question."""
    return ask(prompt, default) if given is None else given


def _given_file(path):
    """Return the full path of a given file, of NAME.* the first of that name; None if there is none."""
    path = Path(os.path.abspath(str(path)))
    if path.suffix != ".*":
        return str(path) if path.is_file() else None
    if not path.parent.is_dir():
        return None
    names = sorted(name for name in os.listdir(str(path.parent)) if (path.parent / name).is_file())
    return next((str(path.parent / name) for name in names if Path(name).stem.lower() == path.stem.lower()), None)


def _some(texts):
    texts = list(texts)
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (" and {:,} more".format(more) if more > 0 else "")


def _bar(title):
    return lambda total: host.progress(total=total, desc=title)


def _checking_bar(total):
    """A bar for the look at the frames, which goes again; few are looked at too quickly to see one."""
    return host.progress(total=total, desc="Checking", leave=False, delay=1)


def _titled_bar(total, title):
    return host.progress(total=total, desc=title)
