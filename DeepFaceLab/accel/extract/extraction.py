"""An extraction whose options are known: networks when they are needed, folders locked, frames worked on.

    with Extraction(...) as extraction:
        extraction.prepare()                  networks loaded: from here on the work can start
        extraction.begin(...)                 earlier faces deleted or gone on with
        extraction.find(items)                frames whose faces the networks find
        extraction.mark(items)                frames whose faces the user marks
"""
import collections
import contextlib
import os

import cv2

from .. import files, host
from ..nets import loading
from ..os_errors import advice, reason
from ..output_folder import OutputFolder
from . import cut, pipeline, run
from .record import UNKNOWN, Record

_HEAD = 10   # stock's FaceType.HEAD; from there on landmarks are those of the 3D network


Options = collections.namedtuple("Options", "faces most_faces window_size")
Options.__doc__ = """faces: cut.FaceSettings; most_faces: of one frame, 0: all; window_size: of the manual pass, px."""


class Plan:
    """What is to be done. frames: paths to work on; keep: go on with an earlier extraction; doomed: paths of its
    images to delete before; assumed: frames that were done before there was a record; recorded: whether to write one;
    missed: frames that are done, but for marking by hand; done: how many frames are not to be worked on again.
    """

    def __init__(self, frames, keep, doomed=(), assumed=(), recorded=True, missed=(), done=0):
        self.frames, self.keep, self.doomed, self.assumed = frames, keep, doomed, assumed
        self.recorded, self.missed, self.done = recorded, missed, done


class Extraction:
    """The networks, folders and counts of one extraction. Use as a context manager."""

    def __init__(self, options, devices, weights_folder, output_folder, debug_folder=None):
        """devices: function that readies the devices for use and returns them (list of nets.devices.Device).
        output_folder, debug_folder: paths that exist, None for none. Entering raises host.UserError when a folder is
        in use or cannot be written to."""
        self.options = options
        self.tally = run.Tally()
        self._ready_devices, self._weights_folder = devices, weights_folder
        self._devices = []
        self._output, self._debug = (None if folder is None else OutputFolder(folder, "extraction")
                                     for folder in (output_folder, debug_folder))
        self._record = None
        self._networks = None
        self._closing = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            for folder in (self._output, self._debug):
                if folder is not None:
                    undo.enter_context(folder)
            self._closing = undo.pop_all()
        return self

    def __exit__(self, *error):
        self._closing.close()

    def prepare(self):
        """Load the networks. Raises host.UserError."""
        self._devices = self._ready_devices()
        for device in self._devices:
            host.log_info("Running on {}".format(device.name))
        three_d = self.options.faces.face_type >= _HEAD
        self._networks = self._closing.enter_context(loading.load(self._weights_folder, self._devices, three_d))

    def begin(self, described, plan):
        """Delete what has to go, and begin the record. described: dict of the options, plain values; plan: Plan.

        Raises host.UserError.
        """
        try:
            record = Record(self._output, self._debug)
            if not plan.keep:
                record.remove()   # first: what is left half-way belongs to nobody
            for path in plan.doomed:
                files.make_writable(path)
                files.retry_busy(os.remove, path)
            # A record that knew some frames only would take the others for not done.
            if plan.recorded and (not plan.keep or record.options is not None or plan.assumed):
                record.open(described, plan.keep)
                self._closing.callback(_close, record)
                self._record = record
                for path in plan.assumed:
                    record.note(path, UNKNOWN)
        except OSError as error:
            raise host.UserError("The extraction cannot begin: {}. {}".format(reason(error), advice(error))) from error

    def find(self, items):
        """Let the networks find the faces of frames, and write them. items: list of pipeline.FrameData.

        Returns those that are done, in their order; the others are in `tally`. Raises host.UserError.
        """
        return self.work(items, pipeline.ALL)

    def mark(self, items):
        """Let the user mark the faces of frames. Returns the items as stock orders them; nothing is written yet."""
        from . import manual
        for item in items:
            item.manual = True
        return manual.mark(items, self._landmarks, self.options.faces.face_type, self.options.faces.image_size,
                           self.options.window_size)

    def write(self, items):
        """Write the faces of frames whose landmarks are known. Returns those that are done, in their order."""
        return self.work(items, (pipeline.FINAL,))

    def work(self, items, stages):
        """Put frames through some of pipeline.ALL. Returns those that are done, in their order."""
        needs = pipeline.RECTS in stages or pipeline.LANDMARKS in stages
        devices = self._devices if needs else ()
        plan = pipeline.Plan(stages, self.options.faces, self.options.most_faces,
                             turns_together=not any(device.is_cpu for device in devices))
        work = pipeline.FrameWork(plan, self._networks, self._output, self._debug)
        known = len(self.tally.done)
        run.extract_all(items, work, run.threads_for(devices, _pixels(items)), self._record, self.tally)
        if needs and self._networks is not None:
            self._log_networks()
        return self.tally.done[known:]

    def _landmarks(self, image, rect, accurate):
        return self._networks.landmarks_of(pipeline.as_rgb(image), [rect], accurate)[0]

    def _log_networks(self):
        networks = self._networks
        host.log_details("; ".join(["{}: {:,} pictures in {:,} batches".format(
            name, count, networks.batches[name]) for name, count in sorted(networks.pictures.items())] + [
                "devices busy {:.1%} of {:.1f} s".format(networks.busy_share(), networks.seconds())]))


def _close(record):
    try:
        record.close()
    except OSError as error:
        raise host.UserError("The record of the extraction cannot be written: {}. {}".format(
            reason(error), advice(error))) from error


def _pixels(items):
    """Return the pixels of the first frame that can be read, 0 if none can."""
    for item in items[:1]:
        try:
            image = files.read_image(str(item.filepath), cv2.IMREAD_COLOR)
        except OSError:
            image = None
        if image is not None:
            return image.shape[0] * image.shape[1]
    return 0


def face_type_of(name):
    """Return the number of a face type by its name, None for None. Raises host.UserError."""
    numbers = {text: number for number, text in cut.FACE_TYPES.items()}
    if name is None:
        return None
    if name.lower() not in numbers:
        raise host.UserError("There is no face type {}; there are: {}.".format(name, ", ".join(sorted(numbers))))
    return numbers[name.lower()]
