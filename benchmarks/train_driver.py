"""What a trainer does with its faces, without a network: run by the Python of either side, on the tree of either side.

    python train_driver.py TREE load WORKSPACE STAGE              load the faces of data_src
    python train_driver.py TREE take WORKSPACE STAGE SETTINGS     take batches of faces as SAEHD asks for them

TREE: the folder of a main.py, whose samplelib is measured. SETTINGS: a train_settings.Settings as JSON. What was
measured goes to STAGE/report.json, the first faces of the first batches to STAGE/first.npz. With DeepFaceLab in the
tree its own SampleGeneratorFace makes the batches, else train_generator.FaceGenerator. All random numbers come from
seeds, so that the batches of two sides can be compared.
"""
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __name__ == "__main__":
    sys.path[:1] = [sys.argv[1], ROOT]

from benchmarks import train_settings  # noqa: E402

WARM = 4                           # batches of each process that are not timed: more than are made in advance


def has_deepfacelab():
    """Whether the tree is more than this project alone (bool)."""
    return os.path.exists(os.path.join(sys.path[0], "samplelib", "SampleGeneratorFace.py"))


# --- loading ---------------------------------------------------------------------------------

def load(workspace):
    """Load the faces of data_src: what report.json says (dict)."""
    from samplelib.Sample import SampleType
    from samplelib.SampleLoader import SampleLoader
    began = time.perf_counter()
    faces = SampleLoader.load(SampleType.FACE, Path(train_settings.faces_folder(workspace, "data_src")))
    report = {"ended": time.time(), "seconds": time.perf_counter() - began}      # the rest is not timed
    report["fields"] = train_settings.digests(described(face, has_deepfacelab()) for face in faces)
    report["faces"] = len(faces)
    return report


def described(face, whole):
    """The fields of a Sample: {name: value}. whole: those, too, that need DeepFaceLab's own classes."""
    mask = face.xseg_mask_compressed
    fields = {"sample_type": int(face.sample_type), "filename": str(face.filename), "face_type": int(face.face_type),
              "shape": [int(number) for number in face.shape], "landmarks": np.asarray(face.landmarks, float).tolist(),
              "xseg_mask": mask is not None and np.asarray(bytearray(mask)).tolist(),
              "eyebrows_expand_mod": float(face.eyebrows_expand_mod), "source_filename": face.source_filename}
    if whole:
        fields.update(
            person_name=face.person_name, landmarks_type=str(face.landmarks.dtype),
            pitch_yaw_roll=[float(angle) for angle in face.get_pitch_yaw_roll()],
            seg_ie_polys=[(int(poly.type), str(poly.pts.dtype), poly.get_pts().tolist()) for poly in face.seg_ie_polys])
    return fields


# --- batches ---------------------------------------------------------------------------------

def seed_hosts(host_class):
    """Let DeepFaceLab's IndexHost tell the same order of faces in every run, and seed what is done with them."""
    real_init, real_client, seeds = host_class.__init__, host_class.create_cli, iter(range(1, 100))

    def init(self, count):
        self.seed = next(seeds)
        real_init(self, count, rnd_seed=self.seed)
    host_class.__init__ = init
    host_class.create_cli = lambda self: SeededClient(real_client(self), self.seed)


class SeededClient(object):
    """Tells a process of a generator which faces it shall take; with the first it seeds numpy there."""

    def __init__(self, client, seed):
        self.client, self.seed = client, seed

    def multi_get(self, count):
        if self.seed is not None:
            np.random.seed(self.seed)
            self.seed = None
        return self.client.multi_get(count)


def open_generators(workspace, settings):
    """The generators for data_src and data_dst: two iterators of batches, which are lists of arrays."""
    if has_deepfacelab():
        from core import mplib
        from samplelib import SampleGeneratorFace as generator_class
        seed_hosts(mplib.IndexHost)
    else:
        from benchmarks.train_generator import FaceGenerator as generator_class
    from samplelib.SampleProcessor import SampleProcessor
    return [generator_class(Path(train_settings.faces_folder(workspace, name)),
                            **train_settings.generator_options(SampleProcessor, settings, name == "data_src"))
            for name in train_settings.FOLDERS]


class Trainer(object):
    """Takes batches in turn and keeps, as DeepFaceLab's does, the first and the newest."""

    def __init__(self, generators, network):
        self.generators, self.network = generators, network
        self.first = self.newest = [next(generator) for generator in generators]
        self.fed = [[np.empty(array.shape, array.dtype) for array in batch] for batch in self.first]
        self.waited = 0.0

    def turn(self):
        """One iteration: wait for samples; the stand-in of the network reads them and takes its time."""
        began = time.perf_counter()
        self.newest = [next(generator) for generator in self.generators]
        ready = time.perf_counter()
        self.waited += ready - began
        for fed, batch in zip(self.fed, self.newest):
            for target, array in zip(fed, batch):
                np.copyto(target, array)          # as TensorFlow does when it is fed
        if self.network:
            time.sleep(max(0.0, ready + self.network - time.perf_counter()))


def take(workspace, stage, settings):
    """Take batches: what report.json says (dict)."""
    trainer = Trainer(open_generators(workspace, settings), settings.network)
    report = {"ready": time.time()}
    arrays = [array for batch in trainer.first for array in batch]
    np.savez(os.path.join(stage, train_settings.FIRST), *[array[:train_settings.KEPT] for array in arrays])
    report["arrays"] = [train_settings.digest_of(array) for array in arrays]
    for _ in range(WARM * settings.processes):
        trainer.turn()
    trainer.waited, began = 0.0, time.perf_counter()
    for _ in range(settings.rounds):
        trainer.turn()
    report.update(seconds=time.perf_counter() - began, waited=trainer.waited, faces=train_settings.faces(settings))
    return report


def main(kind, workspace, stage, settings=None):
    multiprocessing.set_start_method("spawn")          # as DeepFaceLab does
    if kind == "load":
        report = load(workspace)
    else:
        report = take(workspace, stage, train_settings.Settings(**json.loads(settings)))
    train_settings.write_report(stage, report)


if __name__ == "__main__":
    main(*sys.argv[2:])
