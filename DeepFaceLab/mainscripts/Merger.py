"""Step 7, merge: puts the trained face into the frames.

`main` has stock's name, arguments and questions; what is new comes after them. It loads the model, asks, finds
the faces of every frame (accel.merge.alignments) and hands all to the InteractiveMergerSubprocessor, as stock does.
"""
import collections
import importlib
import os
import shutil
import traceback

from accel import compat, files, host, output_folder
from accel.merge import model_files
from accel.merge import settings as merge_settings

WORKERS_HELP = ("Specify the number of threads to process. A low value may affect performance. A high value may result "
                "in memory error. The value may not be greater than CPU cores.")
FORMAT_HELP = ("png loses nothing. jpg of quality 100 takes about two thirds of the room; hardly anybody sees the "
               "difference. Masks are png always.")
FORMATS = ("png", "jpg")

# Of memory: what TensorFlow and the system keep; and what a worker takes at most, with every degradation, for a pixel
# of the frame and, with super resolution, of the enlarged face (measured: 69 to 91, and 75 to 125).
_KEPT_FREE = 2 ** 30
_BYTES_PER_PIXEL = 90
_BYTES_PER_FACE_PIXEL = 100


def main(model_class_name=None, saved_models_path=None, training_data_src_path=None, force_model_name=None,
         input_path=None, output_path=None, output_mask_path=None, aligned_path=None, force_gpu_idxs=None,
         cpu_only=None, interactive=None, workers=None, output_format=None, settings=None):
    """Merge the faces of a model into the frames of a folder. The paths are pathlib paths.

    After stock's arguments: interactive, workers, output_format ("png", "jpg") answer the questions of these names;
    settings: dict of stock's settings by name, which are then not asked for. None: the question is asked.
    Raises host.UserError for what the user can mend.
    """
    host.log_info("Running merger.\r\n")
    output = _check_folders(saved_models_path, input_path, output_path, output_mask_path, aligned_path)
    if isinstance(force_gpu_idxs, str):  # stock hands the text on, which its own models take for one card only
        force_gpu_idxs = [int(number) for number in force_gpu_idxs.split(",")]
    model_files.check_trained(saved_models_path, model_class_name, force_model_name)
    model_class = importlib.import_module("models").import_model(model_class_name)
    model = model_files.load(lambda: model_class(
        is_training=False, saved_models_path=saved_models_path, force_gpu_idxs=force_gpu_idxs,
        force_model_name=force_model_name, cpu_only=cpu_only), saved_models_path)
    try:
        model_files.check_complete(model)
        predict, input_shape, config = model.get_MergerConfig()
        frame_paths = _one_a_name(files.image_paths(input_path))
        if interactive is None:
            interactive = not host.is_unattended() and not host.is_colab() and host.ask_bool(
                "Use interactive merger?", True)
        if interactive:
            _check_display()
        config = _configured(config, interactive, settings)
        first_shape = _shape(frame_paths)
        workers = _worker_count(workers, first_shape, input_shape[0])
        output.format = _format(output_format)
        if not frame_paths:
            host.log_info("No frames to merge in input_dir.")
            return
        _warn(output, frame_paths, first_shape)
        frames = _prepare(frame_paths, aligned_path)
        host.log_details("{} workers, {}, {}".format(workers, output.format, config.to_string("")))
        subprocessor = importlib.import_module("merger.InteractiveMergerSubprocessor").InteractiveMergerSubprocessor
        with output:  # no other merge may write there meanwhile
            subprocessor(is_interactive=interactive,
                         merger_session_filepath=model.get_strpath_storage_for_file("merger_session.dat"),
                         predictor_func=predict, predictor_input_shape=input_shape,
                         face_enhancer_func=_on_demand(_enhancer), merger_config=config, frames=frames,
                         xseg_256_extract_func=_on_demand(lambda: _segmenter(saved_models_path)),
                         frames_root_path=input_path, output_path=output_path, output_mask_path=output_mask_path,
                         model_iter=model.get_iter(), subprocess_count=workers,
                         output=output, predict_batch=_batch_of(model)).run()
    finally:
        model.finalize()


# --- folders and questions -------------------------------------------------------------------

def _check_folders(models, frames, merged, masks, aligned):
    """Return the Output of folders in which a merge can work; they are made if needed. Raises host.UserError."""
    for folder, what, option in ((frames, "Input", "--input-dir"), (models, "Model", "--model-dir"),
                                 (aligned, "Aligned", "--aligned-dir")):
        if folder is None or not folder.is_dir():
            raise host.UserError("{} directory not found. Please ensure it exists: {} (option {}).".format(
                what, folder, option))
    from accel.merge import output
    output.check_folders(str(frames), str(merged), str(masks), str(aligned), str(models))
    for folder, option in ((merged, "--output-dir"), (masks, "--output-mask-dir")):
        output_folder.make(folder, option)
    return output.Output(str(merged), str(masks), "png")


def _check_display():
    """Raise host.UserError where the merger's window cannot be opened: OpenCV would end the whole program."""
    screens = importlib.import_module("merger.MergerScreen").ScreenManager
    if getattr(screens, "needs_display", True) and not host.is_colab() and not compat.has_display():
        raise host.UserError("The interactive merger needs a window, and there is no display (DISPLAY is {}). Start "
                             "this step on a desktop, log in with `ssh -X`, or answer n to \"Use interactive merger?\"."
                             .format(os.environ.get("DISPLAY") or "not set"))


def _configured(config, interactive, given):
    """Return the model's configuration with the user's settings; asked for if it cannot be changed later on."""
    if given is not None:
        values = dict(merge_settings.ENTER, mode=config.default_mode)
        values.update(given)
        for name, value in values.items():
            setattr(config, name, value)
        host.log_info(config.to_string("for all frames"))
    elif not interactive:
        config.ask_settings()
    return config


def _one_a_name(frame_paths):
    """Return the frames of which each can have a result of its own: 0001.png and 0001.jpg cannot both."""
    taken, kept = {}, []
    for path in frame_paths:
        name = os.path.basename(path)
        first = taken.setdefault(os.path.splitext(name)[0], name)
        if first == name:
            kept.append(path)
        else:
            host.log_err("Duplicate filenames are not allowed, skipping: {} ({} is merged)".format(name, first))
    return kept


def _shape(frame_paths):
    """Return the shape of the first frame, None if it cannot be read or there is none."""
    try:
        frame = files.read_image(frame_paths[0]) if frame_paths else None
    except OSError:
        frame = None
    return None if frame is None else frame.shape


def _worker_count(given, first_shape, input_size):
    """Ask for the number of threads; proposed is one a core, fewer if the memory is short."""
    cores = compat.cpu_count()
    if given is not None:
        return given
    free = compat.free_memory()
    fitting = cores
    if free is not None and first_shape is not None:
        need = first_shape[0] * first_shape[1] * _BYTES_PER_PIXEL + (4 * input_size) ** 2 * _BYTES_PER_FACE_PIXEL
        fitting = max(1, int((free - _KEPT_FREE) // need))
    return host.ask_int("Number of workers?", min(cores, fitting), valid_range=[1, cores], help_message=WORKERS_HELP)


def _warn(output, frame_paths, first_shape):
    """Say what the user should know of the chosen format and of the disk before hours of work begin."""
    if output.format == "jpg":
        from accel.merge.encoding import jpeg_note
        note = jpeg_note()
        if note is not None:
            host.log_info(note)
    try:  # enough for frames that cannot be compressed: no need to try any
        roomy = shutil.disk_usage(output.folder).free > 4 * first_shape[0] * first_shape[1] * len(frame_paths)
    except (OSError, TypeError):
        roomy = False
    warning = None if roomy else output.space_warning(frame_paths)
    if warning is not None:
        host.log_err(warning)


def _format(given):
    return given if given is not None else host.ask_str("Output image format", FORMATS[0], list(FORMATS), FORMAT_HELP)


# --- frames and their faces ------------------------------------------------------------------

FrameInfo = collections.namedtuple("FrameInfo", "filepath landmarks_list motion_deg motion_power")
FrameInfo.__doc__ = """A frame and its faces: the attributes of stock's class of this name. filepath: Path."""


def _prepare(frame_paths, aligned_path):
    """Return a Frame, as InteractiveMergerSubprocessor takes them, for every frame in order."""
    from pathlib import Path

    from accel.merge import alignments
    frame_class = importlib.import_module("merger.InteractiveMergerSubprocessor").InteractiveMergerSubprocessor.Frame
    frames = []
    for path, facts in zip(frame_paths, alignments.prepare(frame_paths, str(aligned_path))[0]):
        frames.append(frame_class(frame_info=FrameInfo(Path(path), *facts)))
    return frames


# --- networks --------------------------------------------------------------------------------

def _on_demand(make):
    """Return a function that makes its network when it is first called, in the thread that calls it.

    It tries once: what fails will fail for the next frame, too, and takes seconds each time.
    """
    made, failed = [], []

    def ask(*pictures, **options):
        if failed:
            raise failed[0]
        if not made:
            try:
                made.append(make())
            except Exception as error:
                host.log_details(traceback.format_exc())
                failed.append(host.UserError("A network that these settings need cannot be loaded ({}: {}). See that "
                                             "its files are there, or choose other settings.".format(
                                                 type(error).__name__, error)))
                raise failed[0]
        return made[0](*pictures, **options)
    return ask


def _segmenter(models):
    facelib = importlib.import_module("facelib")
    return facelib.XSegNet(name="XSeg", resolution=256, weights_file_root=models, place_model_on_cpu=True,
                           run_on_cpu=_runs_on_cpu()).extract


def _enhancer():
    facelib = importlib.import_module("facelib")
    return facelib.FaceEnhancer(place_model_on_cpu=True, run_on_cpu=_runs_on_cpu()).enhance


def _runs_on_cpu():
    """Whether the model found no graphics card to run on, or was not to use one."""
    try:
        leras = importlib.import_module("core.leras")
    except ImportError:
        return True
    return len(leras.nn.getCurrentDeviceConfig().devices) == 0


def _batch_of(model):
    """Return a function of a batch of faces, float32 (n, s, s, 3), for models with stock's graph; else None.

    It returns the graph's arrays, channels last.
    """
    graph = getattr(model, "AE_merge", None)
    if graph is None:
        return None
    channels_first = getattr(model, "model_data_format", "NHWC") == "NCHW"

    def ask(faces):
        if not channels_first:
            return graph(faces)
        return [array.transpose(0, 2, 3, 1) for array in graph(faces.transpose(0, 3, 1, 2))]
    return ask
