"""Loads detector and aligner onto the devices.

    with loading.load(folder, devices, three_d) as networks:
        rects = networks.faces_in(pictures)
        marks = networks.landmarks_of(pictures[0], rects[0])
"""
import os

from .. import compat
from . import faces, questions, weights

DETECTOR, ALIGNER = "detector", "aligner"

_CPU_LANES = 8     # stock's most processes on a CPU
_CARD_LANES = 2    # while a card works on one batch, the next one is on its way to it
# Pictures at a time on a graphics card: what keeps it busy, and fits into its memory twice (a picture of 640x640 takes
# the detector about 0.3 GB, a face the aligner about 0.1 GB).
_CARD_BATCH = {DETECTOR: 4, ALIGNER: 8}
_SMALL_CARD_BATCH = {DETECTOR: 1, ALIGNER: 2}
_ONE = {DETECTOR: 1, ALIGNER: 1}   # a processor gains nothing from more


class Networks(questions.Questions):
    """Detector and aligner, as faces.detect and faces.align ask them."""

    def faces_in(self, pictures):
        """Return the faces' rectangles of each picture (list of uint8 (H, W, 3) RGB)."""
        return faces.detect(pictures, self.detector)

    def landmarks_of(self, picture, rects, accurate=True):
        """Return the landmarks of each rectangle of a picture, as faces.align does. accurate: look at each twice."""
        return faces.align(picture, rects, self.aligner, self.faces_in if accurate else None)

    def detector(self, pictures):
        """Return the answers of S3FD to pictures, as `ask`; what they are: s3fd.S3FD.run."""
        return self.ask(DETECTOR, pictures)

    def aligner(self, crops):
        """Return the answers of FAN to crops, as `ask`; what they are: fan.FAN.run."""
        return self.ask(ALIGNER, crops)


def load(folder, devices, three_d=False):
    """Return the Networks of the weights in a folder, on all these devices. three_d: heads get other landmarks.

    Takes some seconds. Raises host.UserError for weights that are missing or damaged.
    """
    detector = weights.read(os.path.join(folder, "S3FD.npy"))
    aligner = weights.read(os.path.join(folder, "3DFAN.npy" if three_d else "2DFAN.npy"))
    from . import fan, s3fd
    if any(device.is_cpu for device in devices):
        compat.keep_freed_memory()
    lanes, numbers, largest = [], [], _ONE
    for number, device in enumerate(devices):
        count, threads = cpu_lanes() if device.is_cpu else (_CARD_LANES, 0)
        networks = {DETECTOR: s3fd.S3FD(detector, device, devices, threads),
                    ALIGNER: fan.FAN(aligner, device, devices, threads)}
        lanes += [networks] * count
        numbers += range(count) if device.is_cpu else [number] * count
    if not devices[0].is_cpu:
        largest = _SMALL_CARD_BATCH if any(device.is_small for device in devices) else _CARD_BATCH
    return Networks(lanes, largest, numbers)


def cpu_lanes():
    """Return how many pictures a processor works on at a time, and the threads of each.

    One core a picture beats all cores on one, which wait for each other after every layer.
    """
    cores = compat.cpu_count()
    lanes = min(cores, _CPU_LANES)
    return lanes, cores // lanes

