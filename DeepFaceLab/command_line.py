"""The commands of DeepFaceLab's command line: what each one takes and what it runs.

Options have stock's names, destinations, defaults and choices; sort has a few more. A command
imports its module when it runs, under the module's stock name from the folder of this file: ours
where the overlay has one, else DeepFaceLab's own.
"""
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from accel import command_options, compat, host, preconditions
from accel.command_options import DEFAULT_FRAMES
from accel.command_parser import CommandParser, positive

SORT_METHODS = ("blur", "motion-blur", "face-yaw", "face-pitch", "face-source-rect-size", "hist",
                "hist-dissim", "brightness", "hue", "black", "origname", "oneface", "absdiff", "final",
                "final-fast")
# Two names that stock's command line offers for methods it knows under others.
SORT_ALIASES = {"final-by-blur": "final", "final-by-size": "final-fast"}
# Options of `extract` that stock's module takes, too, and under the same names.
EXTRACT_OPTIONS = ("detector", "output_debug", "face_type", "max_faces_from_image", "image_size", "jpeg_quality",
                   "cpu_only", "manual_fix", "manual_output_debug_fix", "manual_window_size")


# --- what the commands do --------------------------------------------------------------------

def run_sort(arguments):
    begin(arguments)
    preconditions.folder_of_faces(arguments.input_dir)
    method = SORT_ALIASES.get(arguments.sort_by_method, arguments.sort_by_method)
    script("Sorter").main(input_path=Path(arguments.input_dir), sort_by_method=method,
                          target_count=arguments.target_count, similar=arguments.similar,
                          undo=arguments.undo, dry_run=arguments.dry_run)


def run_extract(arguments):
    begin(arguments)
    if arguments.yes:
        compat.detach_stdin()
    start_stock(devices=not arguments.cpu_only)
    options = {name: getattr(arguments, name) for name in EXTRACT_OPTIONS}
    options.update(given(arguments, "continue_extraction"), force_gpu_idxs=numbers(arguments.force_gpu_idxs))
    script("Extractor").main(input_path=Path(arguments.input_dir), output_path=Path(arguments.output_dir), **options)


def run_util(arguments):
    begin(arguments)
    if arguments.yes:
        compat.detach_stdin()
    folder = preconditions.folder_of_faces(arguments.input_dir)
    if arguments.restore_faceset_metadata and not arguments.save_faceset_metadata:
        preconditions.saved_metadata(folder)
    start_stock()
    if arguments.add_landmarks_debug_images:
        script("Util").add_landmarks_debug_images(input_path=folder)
    if arguments.recover_original_aligned_filename:
        script("Util").recover_original_aligned_filename(input_path=folder)
    if arguments.save_faceset_metadata:
        script("Util").save_faceset_metadata_folder(input_path=folder)
    if arguments.restore_faceset_metadata:
        script("Util").restore_faceset_metadata_folder(input_path=folder)
    if arguments.pack_faceset:
        host.log_info("Performing faceset packing...\r\n")
        packed_faceset().pack(Path(folder), **given(arguments, "as_persons", "delete_originals"))
    if arguments.unpack_faceset:
        host.log_info("Performing faceset unpacking...\r\n")
        packed_faceset().unpack(Path(folder))
    if arguments.export_faceset_mask:
        host.log_info("Exporting faceset mask..\r\n")
        script("Util").export_faceset_mask(Path(folder))


def run_train(arguments):
    gpus = numbers(arguments.force_gpu_idxs)
    programs = programs_of(arguments.execute_program)
    make = importlib.import_module("accel.output_folder").make
    for option in ("training_data_src_dir", "training_data_dst_dir", "model_dir"):   # DeepFaceLab makes them later
        make(getattr(arguments, option), "--" + option.replace("_", "-"))
    start_stock(devices=True)
    trainer = script("Trainer")
    ending = importlib.import_module("accel.training.ending").Ending(trainer)
    trainer.main(model_class_name=arguments.model_name,
                 saved_models_path=Path(arguments.model_dir),
                 training_data_src_path=Path(arguments.training_data_src_dir),
                 training_data_dst_path=Path(arguments.training_data_dst_dir),
                 pretraining_data_path=path_or_none(arguments.pretraining_data_dir),
                 pretrained_model_path=path_or_none(arguments.pretrained_model_dir),
                 no_preview=arguments.no_preview,
                 force_model_name=arguments.force_model_name,
                 force_gpu_idxs=gpus,
                 cpu_only=arguments.cpu_only,
                 silent_start=arguments.silent_start,
                 execute_programs=programs,
                 debug=arguments.debug)
    return ending.exit_code(arguments.training_data_src_dir, arguments.training_data_dst_dir)


def run_exportdfm(arguments):
    preconditions.trained_model(arguments.model_dir, arguments.model_name)
    start_stock(devices=True)
    script("ExportDFM").main(model_class_name=arguments.model_name,
                             saved_models_path=Path(arguments.model_dir))


def run_merge(arguments):
    begin(arguments)
    if arguments.yes:
        compat.detach_stdin()   # DeepFaceLab's own questions then get their defaults, too
    start_stock(devices=not arguments.cpu_only)
    numbers(arguments.force_gpu_idxs)   # the text is what goes on
    words = given(arguments, "interactive", "workers", "output_format")
    if arguments.set:
        words["settings"] = dict(arguments.set)
    script("Merger").main(model_class_name=arguments.model_name,
                          saved_models_path=Path(arguments.model_dir),
                          force_model_name=arguments.force_model_name,
                          input_path=Path(arguments.input_dir),
                          output_path=Path(arguments.output_dir),
                          output_mask_path=Path(arguments.output_mask_dir),
                          aligned_path=path_or_none(arguments.aligned_dir),
                          force_gpu_idxs=arguments.force_gpu_idxs, cpu_only=arguments.cpu_only, **words)


def run_extract_video(arguments):
    begin(arguments)
    script("VideoEd").extract_video(arguments.input_file, arguments.output_dir, arguments.output_ext,
                                    arguments.fps, **given(arguments, "hwaccel"))


def run_cut_video(arguments):
    begin(arguments)
    script("VideoEd").cut_video(arguments.input_file, arguments.from_time, arguments.to_time,
                                arguments.audio_track_id, arguments.bitrate)


def run_denoise(arguments):
    begin(arguments)
    script("VideoEd").denoise_image_sequence(arguments.input_dir, arguments.factor)


def run_video_from_sequence(arguments):
    begin(arguments)
    if arguments.list_codecs:
        script("VideoEd").list_codecs(arguments.output_file)
        return
    arguments.ext_asked = True if arguments.ext == DEFAULT_FRAMES and arguments.ext is not DEFAULT_FRAMES else None
    script("VideoEd").video_from_sequence(input_dir=arguments.input_dir, output_file=arguments.output_file,
                                          reference_file=arguments.reference_file, ext=arguments.ext, fps=arguments.fps,
                                          bitrate=arguments.bitrate, include_audio=arguments.include_audio,
                                          lossless=arguments.lossless,
                                          **given(arguments, "codec", "crf", "preset", "pix_fmt", "ext_asked"))


def run_enhance(arguments):
    preconditions.folder_of_faces(arguments.input_dir)
    preconditions.enhancer_weights(str(Path(__file__).parent / "facelib"))
    start_stock(devices=True)
    script("FacesetEnhancer").process_folder(Path(arguments.input_dir), cpu_only=arguments.cpu_only,
                                             force_gpu_idxs=arguments.force_gpu_idxs)


def run_resize(arguments):
    preconditions.folder_of_faces(arguments.input_dir)
    start_stock()
    script("FacesetResizer").process_folder(Path(arguments.input_dir))


def run_dev_test(arguments):
    start_stock(devices=True)
    script("dev_misc").dev_gen_mask_files(arguments.input_dir)


def run_xseg_editor(arguments):
    preconditions.folder_of_faces(arguments.input_dir)
    start_stock()
    return importlib.import_module("XSegEditor.XSegEditor").start(Path(arguments.input_dir))


def run_xseg_apply(arguments):
    preconditions.folder_of_faces(arguments.input_dir)
    preconditions.trained_xseg(arguments.model_dir)
    start_stock(devices=True)
    script("XSegUtil").apply_xseg(Path(arguments.input_dir), Path(arguments.model_dir))


def run_xseg_remove(arguments):
    preconditions.folder_of_faces(arguments.input_dir)
    start_stock()
    script("XSegUtil").remove_xseg(Path(arguments.input_dir))


def run_xseg_remove_labels(arguments):
    preconditions.folder_of_faces(arguments.input_dir)
    start_stock()
    script("XSegUtil").remove_xseg_labels(Path(arguments.input_dir))


def run_xseg_fetch(arguments):
    preconditions.folder_of_faces(arguments.input_dir)
    start_stock()
    script("XSegUtil").fetch_xseg(Path(arguments.input_dir))


def begin(arguments):
    """Prepare a command that is ours alone: log, answers, and every other program goes first."""
    if arguments.log is not None:
        host.set_log_file(arguments.log)
    host.log_details("{}\nPython {} on {}".format(subprocess.list2cmdline(sys.argv), sys.version, compat.system()))
    host.set_unattended(arguments.yes)
    compat.set_lowest_priority()


def given(arguments, *names):
    """Return those of our own options that were given: stock's module, should it stand there, knows none."""
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def script(name):
    """Import mainscripts.<name>: ours or DeepFaceLab's, whichever lies beside this file."""
    return importlib.import_module("mainscripts." + name)


def packed_faceset():
    """Return samplelib's PackedFaceset: the package lends it its name where DeepFaceLab is, else its module does."""
    package = importlib.import_module("samplelib")
    if not hasattr(package, "PackedFaceset"):
        package = importlib.import_module("samplelib.PackedFaceset")
    return package.PackedFaceset


def has_module(name):
    """Tell whether a module can be imported; what lies above it is imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def start_stock(devices=False):
    """Prepare the process as DeepFaceLab's own modules expect it. Without DeepFaceLab there are no devices to list.

    devices: list the GPUs into environment variables, in a process of its own that imports TensorFlow for seconds;
    only commands that run networks read them.
    """
    import multiprocessing
    multiprocessing.set_start_method("spawn")
    if devices and has_module("core.leras"):
        importlib.import_module("core.leras").nn.initialize_main_env()
    compat.set_lowest_priority()


def numbers(text):
    """Return the ints of a comma-separated list, or None."""
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError:
        raise host.UserError("{} is no list of graphics cards. Give --force-gpu-idxs numbers with commas between them, "
                             "such as 0,1.".format(text))


def programs_of(given):
    """Return [[seconds, code], ...] of what --execute-program was given. Raises host.UserError."""
    try:
        return [[int(when), code] for when, code, *_ in given]
    except ValueError:
        raise host.UserError("--execute-program takes two words: a number of seconds, and Python code.")


def path_or_none(text):
    return None if text is None else Path(text)


# The commands that are ours from end to end, whoever's networks they run.
OURS = (run_sort, run_extract, run_merge, run_extract_video, run_cut_video, run_denoise, run_video_from_sequence)


# --- what the commands take ------------------------------------------------------------------

def model_names():
    """Return the names of the models beside this file, or None where there is no such folder."""
    folder = Path(__file__).parent / "models"
    if not folder.is_dir():
        return None
    prefix = "model_"
    return sorted(name[len(prefix):] for name in os.listdir(str(folder)) if name.lower().startswith(prefix))


def build_parser():
    """Return the parser of the whole command line; a parsed command has its function in `func`."""
    parser = CommandParser()
    parser.set_defaults(func=None, command=None)
    commands = parser.add_subparsers()

    def command(name, func, help, group=None):
        result = (group or commands).add_parser(name, help=help)
        result.set_defaults(func=func, command=result.prog.split(" ", 1)[1])
        return result

    def group(name, help):
        return commands.add_parser(name, help=help).add_subparsers()

    command_options.extract(command("extract", run_extract, help="Find the faces in pictures and save them aligned."))
    add_sort(command)
    add_util(command)
    add_train(command)
    add_export_and_merge(command)
    add_videoed(command, group("videoed", help="Work on videos."))
    add_faceset_tools(command, group("facesettool", help="Work on facesets."))
    p = command("dev_test", run_dev_test, help="For developers.")
    p.path("--input-dir")
    add_xseg(command, group("xseg", help="Work on XSeg masks."))
    return parser


def add_sort(command):
    p = command("sort", run_sort, help="Put the faces of a folder in order.")
    p.path("--input-dir", help="Folder of the faces.")
    p.add_argument("--by", dest="sort_by_method", default=None, metavar="METHOD",
                   choices=SORT_METHODS + tuple(SORT_ALIASES),
                   help="What to sort by: {}. Asked for if left out.".format(", ".join(SORT_METHODS)))
    p.add_argument("--target-count", type=positive, metavar="N", default=None,
                   help="For final and final-fast: how many faces to keep.")
    likeness = p.add_mutually_exclusive_group()
    likeness.add_argument("--similar", dest="similar", action="store_true", default=None,
                          help="For absdiff: each face is followed by the most similar one.")
    likeness.add_argument("--dissimilar", dest="similar", action="store_false", default=None,
                          help="For absdiff: each face is followed by the least similar one.")
    p.flag("--undo", help="Give the files the names and places they had before the last sort.")
    p.flag("--dry-run", help="Show the new names and change nothing.")
    p.unattended()


def add_util(command):
    p = command("util", run_util, help="Small tools for facesets.")
    p.path("--input-dir", help="Folder of the faces.")
    p.flag("--add-landmarks-debug-images", help="Save each face with its landmarks drawn in, too.")
    p.flag("--recover-original-aligned-filename", help="Name the faces after their frames again.")
    p.flag("--save-faceset-metadata", help="Save what DeepFaceLab knows about the faces to a file.")
    p.flag("--restore-faceset-metadata", help="Put the saved data back into faces of the same names.")
    p.flag("--pack-faceset", help="Put all faces into one faceset.pak.")
    p.choice("--as-persons", "--no-persons", help="With --pack-faceset: whether the subfolders are persons.")
    p.choice("--delete-originals", "--keep-originals",
             help="With --pack-faceset: whether the files are deleted that have been packed.")
    p.flag("--unpack-faceset", help="Take the faces out of faceset.pak.")
    p.flag("--export-faceset-mask", help="Save the masks of the faces as pictures.")
    p.unattended()


def add_train(command):
    p = command("train", run_train, help="Train a model.")
    p.path("--training-data-src-dir", help="Folder of the src faces.")
    p.path("--training-data-dst-dir", help="Folder of the dst faces.")
    p.path("--pretraining-data-dir", required=False, help="Folder of the faces for pretraining.")
    p.path("--pretrained-model-dir", required=False, help="Folder of a pretrained model (Quick96 only).")
    p.path("--model-dir", help="Folder of the model's files.")
    p.model(model_names())
    p.flag("--debug", help="Show the samples instead of training.")
    p.flag("--no-preview", help="Open no preview window.")
    p.text("--force-model-name", help="Name of the saved model, which is then not asked for.")
    p.devices()
    p.flag("--silent-start", help="Ask nothing: best graphics card, model used last.")
    p.add_argument("--execute-program", default=[], action="append", nargs="+", metavar="WORD",
                   help="Seconds and Python code to run then; may be given several times.")


def add_export_and_merge(command):
    p = command("exportdfm", run_exportdfm, help="Export a model for DeepFaceLive.")
    p.path("--model-dir", help="Folder of the model's files.")
    p.model(model_names())

    p = command("merge", run_merge, help="Put the trained face into the frames.")
    command_options.merge(p, model_names())


def add_videoed(command, group):
    for name, func, add_options, text in (
            ("extract-video", run_extract_video, command_options.extract_video, "Save a video's frames as pictures."),
            ("cut-video", run_cut_video, command_options.cut_video, "Cut a part out of a video."),
            ("denoise-image-sequence", run_denoise, command_options.denoise,
             "Take noise and shaking pixels out of frames, keeping edges sharp."),
            ("video-from-sequence", run_video_from_sequence, command_options.video_from_sequence,
             "Make a video of frames.")):
        add_options(command(name, func, group=group, help=text))


def add_faceset_tools(command, group):
    p = command("enhance", run_enhance, group=group, help="Add detail to the faces by a network.")
    p.path("--input-dir", help="Folder of the faces.")
    p.devices()
    p = command("resize", run_resize, group=group, help="Change the size or type of the faces.")
    p.path("--input-dir", help="Folder of the faces.")


def add_xseg(command, group):
    for name, func, text in (("editor", run_xseg_editor, "Draw masks by hand."),
                             ("apply", run_xseg_apply, "Let the trained XSeg model mask the faces."),
                             ("remove", run_xseg_remove, "Take the masks that XSeg applied off the faces."),
                             ("remove_labels", run_xseg_remove_labels, "Take the drawn masks off the faces."),
                             ("fetch", run_xseg_fetch, "Copy faces with drawn masks to <input-dir>_xseg.")):
        p = command(name, func, group=group, help=text)
        p.path("--input-dir", help="Folder of the faces.")
        if name == "apply":
            p.path("--model-dir", help="Folder of the XSeg model.")
