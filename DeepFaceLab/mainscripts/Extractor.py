"""Steps 4 and 5, extract: finds the faces in frames and saves them upright, with what was found in their metadata.

`main` has stock's name, arguments and questions. It asks, then hands all to accel.extract.extraction. Earlier faces
are deleted, as in stock, but only once the work can start, and an extraction that was cut short is gone on with.
"""
import os
from pathlib import Path

from accel import dfl_jpeg, files, host
from accel.extract import cut, pipeline
from accel.extract.extraction import Extraction, Options, Plan, face_type_of
from accel.extract.record import Record
from accel.nets.devices import CPU, Device, graphics_cards
from accel.output_folder import OutputFolder
from accel.os_errors import advice, reason

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "facelib"

_MANY = 128    # images in the output folder from which stock asks whether to continue, and how far it steps back

FACE_HELP = ("Full face / whole face / head. 'Whole face' covers full area of face include forehead. 'head' covers "
             "full head, but requires XSeg for src and dst faceset.")
MOST_HELP = ("If you extract a src faceset that has frames with a large number of faces, it is advisable to set max "
             "faces to 3 to speed up extraction. 0 - unlimited")
SIZE_HELP = ("Output image size. The higher image size, the worse face-enhancer works. Use higher than 512 value only "
             "if the source image is sharp enough and the face does not need to be enhanced.")
QUALITY_HELP = "Jpeg quality. The higher jpeg quality the larger the output file size."
CONTINUE_HELP = "Extraction can be continued, but you must specify the same options again."


def main(detector=None, input_path=None, output_path=None, output_debug=None, manual_fix=False,
         manual_output_debug_fix=False, manual_window_size=1368, face_type="full_face", max_faces_from_image=None,
         image_size=None, jpeg_quality=None, cpu_only=False, force_gpu_idxs=None, continue_extraction=None):
    """Extract the faces of a folder of frames. The paths are pathlib paths; None for an option: it is asked for.

    After stock's arguments: continue_extraction answers the question of this name (True, False).
    Raises host.UserError for what the user can mend.
    """
    folders = _Folders(input_path, output_path)
    face_type = face_type_of(face_type)
    if face_type is None and manual_output_debug_fix:
        face_type = _face_type_of_earlier(output_path)
    frames = folders.frames()
    if manual_output_debug_fix:
        plan = None
    else:
        plan = _ask_about_earlier(folders, frames, continue_extraction, manual_fix)

    devices = _ask_devices(cpu_only, force_gpu_idxs, detector == "manual")
    faces, most_faces = _ask_options(face_type, max_faces_from_image, image_size, jpeg_quality)
    if detector is None:
        host.log_info("Choose detector type.")
        host.log_info("[0] S3FD")
        host.log_info("[1] manual")
        detector = {0: "s3fd", 1: "manual"}[host.ask_int("", 0, valid_range=[0, 1])]
    if output_debug is None:
        output_debug = host.ask_bool("Write debug images to {}?".format(folders.debug.name), False)
    if manual_output_debug_fix:
        detector = "manual"
        plan = Plan(folders.without_debug_image(frames), keep=True)

    described = {"face_type": cut.FACE_TYPES[faces.face_type], "image_size": faces.image_size,
                 "jpeg_quality": faces.jpeg_quality, "max_faces_from_image": most_faces}
    extraction = Extraction(Options(faces, most_faces, manual_window_size), devices, str(WEIGHTS_FOLDER),
                            str(output_path), str(folders.debug_made()) if output_debug else None)
    if plan.frames or plan.missed:
        with extraction:
            _extract(extraction, plan, described, detector, manual_fix)
    host.log_info("-------------------------")
    host.log_info("Images found:        {}".format(len(plan.frames)))
    host.log_info("Faces detected:      {}".format(extraction.tally.faces))
    host.log_info("-------------------------")
    extraction.tally.end(plan.done + len(plan.frames))


def _extract(extraction, plan, described, detector, manual_fix):
    extraction.prepare()
    extraction.begin(described, plan)
    items = [pipeline.FrameData(Path(path)) for path in plan.frames]
    if detector == "manual":
        host.log_info("Performing manual extract...")
        done = _mark_and_write(extraction, items)
    else:
        host.log_info("Extracting faces...")
        done = extraction.find(items) if items else []
    if manual_fix:
        missed = sorted([Path(path) for path in plan.missed] + [data.filepath for data in done
                                                                if not data.faces_detected])
        if not missed:
            host.log_info("All faces are detected, manual fix not needed.")
        else:
            host.log_info("Performing manual fix for {} images...".format(len(missed)))
            _mark_and_write(extraction, [pipeline.FrameData(path) for path in missed])


def _mark_and_write(extraction, items):
    items = extraction.mark(items)
    host.log_info("Performing 3rd pass...")
    return extraction.write(items)


# --- folders and earlier faces ---------------------------------------------------------------

class _Folders:
    """The folders of an extraction, looked at before anything happens in them."""

    def __init__(self, input_path, output_path):
        """Raises host.UserError where there is nothing to read, or faces would be written over what is read."""
        self.input, self.output = input_path, output_path
        self.debug = output_path.parent / (output_path.name + "_debug")
        if not input_path.is_dir():
            raise host.UserError("Input directory not found. Please ensure it exists: {} (option --input-dir).".format(
                input_path))
        for folder in (output_path, self.debug):
            if os.path.exists(str(folder)) and not os.path.isdir(str(folder)):
                raise host.UserError("{} is a file; faces need a folder of this name. Give another --output-dir."
                                     .format(folder))
        if os.path.isdir(str(self.debug)) and os.path.samefile(str(self.debug), str(input_path)):
            raise host.UserError("The frames lie in {}, where debug images go and earlier ones are deleted, so nothing "
                                 "was started. Give another folder with --output-dir.".format(input_path))
        try:
            output_path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise host.UserError("{} cannot be made: {}. Give another folder with --output-dir.".format(
                output_path, error.strerror or error)) from error
        self.is_one = os.path.samefile(str(input_path), str(output_path))

    def frames(self):
        """Return the paths (list of str) of the frames, of which only the first of each stem counts."""
        taken, kept = set(), []
        for path in files.image_paths(self.input):
            stem = Path(path).stem
            if stem in taken:
                host.log_info("Duplicate filenames are not allowed, skipping: {}".format(os.path.basename(path)))
            else:
                taken.add(stem)
                kept.append(path)
        if self.is_one:
            self._refuse_overwriting(taken)
        return kept

    def _refuse_overwriting(self, stems):
        for stem in sorted(stems):
            above, _, number = stem.rpartition("_")
            if above in stems and number.isdigit():
                raise host.UserError(
                    "Frames and faces share the folder {}, and a face of {} would be written over {}, so nothing was "
                    "started. Give another folder with --output-dir.".format(self.input, above, stem))

    def earlier(self):
        """Return the paths (list of str) of the images in the output folder."""
        return files.image_paths(self.output)

    def earlier_debug(self):
        """Return the paths (list of str) of the debug images."""
        return files.image_paths(self.debug)

    def record(self):
        """Return the Record of an earlier extraction. Raises host.UserError for one that cannot be read."""
        try:
            return Record(OutputFolder(self.output, "extraction"))
        except OSError as error:
            raise host.UserError("The record of the extraction in {} cannot be read: {}. {}".format(
                self.output, reason(error), advice(error))) from error

    def debug_made(self):
        """Return the folder for debug images, which is made if needed."""
        self.debug.mkdir(parents=True, exist_ok=True)
        return self.debug

    def without_debug_image(self, frames):
        """Return those frames whose debug image was deleted. Raises host.UserError if there never were any."""
        if not self.debug.is_dir():
            raise host.UserError("{} not found. Re-extract faces with \"Write debug images\" option.".format(
                self.debug))
        host.log_info("Performing re-extract frames which were deleted from _debug directory.")
        there = {Path(path).stem for path in self.earlier_debug()}
        found = sorted(path for path in frames if Path(path).stem not in there)
        host.log_info("Found {} images.".format(len(found)))
        return found


def _ask_about_earlier(folders, frames, continue_extraction, manual_fix):
    """Ask whether to go on with an earlier extraction, or to delete its images. Return a Plan."""
    earlier = folders.earlier()
    record = folders.record()
    recorded = bool(record.frames) and not folders.is_one
    left = [path for path in frames if not record.is_done(path)]
    # What the networks found no face in is still to be marked, if a run was cut short before or while it was.
    missed = record.without_face(frames) if recorded and manual_fix else []
    if earlier and (len(earlier) > _MANY or recorded and (left or missed)):
        if continue_extraction is None:
            continue_extraction = host.ask_bool("Continue extraction?", True, help_message=CONTINUE_HELP)
        if continue_extraction and recorded:
            host.log_info("{:,} of {:,} frames are done.".format(len(frames) - len(left), len(frames)))
            return Plan(left, keep=True, missed=missed, done=len(frames) - len(left))
        if continue_extraction:
            first = _stepped_back(frames, earlier)
            return Plan(frames[first:], keep=True, assumed=[] if folders.is_one else frames[:first], done=first)
    doomed = ([] if folders.is_one else earlier) + folders.earlier_debug()
    if doomed:
        what = " and ".join(str(folder) for folder in sorted({Path(path).parent for path in doomed}))
        host.wait_for_enter("\n WARNING !!! \n {} contains files! \n They will be deleted. ({:,} images) \n "
                            "Press enter to continue.\n".format(what, len(doomed)))
    return Plan(frames, keep=False, doomed=doomed, recorded=not folders.is_one)


def _stepped_back(frames, earlier):
    """Return the index of the frame of the 128th last face, from where stock goes on, as do we without a record."""
    stem = Path(earlier[-_MANY]).stem.split("_")[0]
    stems = [Path(path).stem for path in frames]
    if stem not in stems:
        raise host.UserError("Error in fetching the last index. Extraction cannot be continued: there is no frame {} "
                             "for the face {}.".format(stem, Path(earlier[-_MANY]).name))
    return stems.index(stem)


def _face_type_of_earlier(output_path):
    """Return the face type (int) of the first face in a folder, None if it has none."""
    for path in files.image_paths(output_path)[:1]:
        try:
            return face_type_of(dfl_jpeg.read_metadata(path).data.get("face_type"))
        except (OSError, ValueError) as error:
            host.log_err(str(error))
    return None


# --- questions and devices -------------------------------------------------------------------

def _ask_options(face_type, most_faces, image_size, jpeg_quality):
    """Return (cut.FaceSettings, most faces of a frame)."""
    if face_type is None:
        answer = host.ask_str("Face type", "wf", ["f", "wf", "head"], help_message=FACE_HELP).lower()
        face_type = face_type_of({"f": "full_face", "wf": "whole_face", "head": "head"}[answer])
    if most_faces is None:
        most_faces = host.ask_int("Max number of faces from image", 0, help_message=MOST_HELP)
    if image_size is None:
        usual = 512 if face_type < face_type_of("head") else 768
        image_size = host.ask_int("Image size", usual, valid_range=[256, 2048], help_message=SIZE_HELP)
    if jpeg_quality is None:
        jpeg_quality = host.ask_int("Jpeg quality", 90, valid_range=[1, 100], help_message=QUALITY_HELP)
    if not 1 <= image_size <= 65500:   # the longest side of a JPG
        raise host.UserError("Faces of {} pixels cannot be saved. Give another --image-size.".format(image_size))
    return cut.FaceSettings(face_type, image_size, jpeg_quality), most_faces


def _ask_devices(cpu_only, numbers, only_one):
    """Return a function that readies the devices and returns them (list of Device), when all questions are answered.

    numbers: those of graphics cards; None: ask where there are any.
    """
    if cpu_only:
        return lambda: [CPU]
    nn = host.stock_networks()
    if nn is None:
        return lambda: graphics_cards(numbers, only_one) or [CPU]
    numbers = numbers or nn.ask_choose_device_idxs(choose_only_one=only_one, suggest_all_gpu=True)
    return lambda: _started(nn, nn.DeviceConfig.GPUIndexes(numbers))


def _started(nn, config):
    """Let DeepFaceLab ready TensorFlow for its cards (caches of compiled kernels among it). Return our Devices."""
    if len(config.devices) == 0:
        return [CPU]
    nn.initialize(config)
    return [Device(device.tf_dev_type, device.index, device.name, device.total_mem_gb) for device in config.devices]


# --- stock's class ---------------------------------------------------------------------------

class ExtractSubprocessor:
    """One pass over frames, with stock's arguments: what other modules of DeepFaceLab ask this one for."""

    Data = pipeline.FrameData

    STAGES = {"all": pipeline.ALL, "rects-s3fd": (pipeline.RECTS,), "rects": (pipeline.RECTS,),
              "landmarks": (pipeline.LANDMARKS,), "landmarks-manual": (pipeline.LANDMARKS,), "final": (pipeline.FINAL,)}

    def __init__(self, input_data, type, image_size=None, jpeg_quality=None, face_type=None, output_debug_path=None,
                 manual_window_size=0, max_faces_from_image=0, final_output_path=None, device_config=None):
        """input_data: list of Data. type: one of STAGES. final_output_path: folder for the faces."""
        self.input_data, self.type = input_data, type
        self._extraction = Extraction(
            Options(cut.FaceSettings(face_type, image_size, jpeg_quality), max_faces_from_image, manual_window_size),
            lambda: [CPU] if device_config is None else _started(host.stock_networks(), device_config),
            str(WEIGHTS_FOLDER), final_output_path, output_debug_path)

    def run(self):
        """Return the Data (list) of all frames. Raises host.UserError."""
        with self._extraction as extraction:
            if self.type != "final":
                extraction.prepare()
            if self.type == "landmarks-manual":
                return extraction.mark(self.input_data)
            done = extraction.work(self.input_data, self.STAGES[self.type])
        extraction.tally.end(len(self.input_data))
        return done
