"""What test_generator_stock plays in a tree: stock's sample generators, seeded, and what comes out of them.

    python generator_session.py TREE FACES NOTE      prints a line "BATCHES <json>"
"""
import hashlib
import json
import multiprocessing
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, sys.argv[1])

from core import mplib  # noqa: E402
from samplelib import SampleGeneratorFace, SampleGeneratorImage, SampleProcessor  # noqa: E402

FACE, MASK = SampleProcessor.SampleType.FACE_IMAGE, SampleProcessor.SampleType.FACE_MASK
BGR, G = SampleProcessor.ChannelType.BGR, SampleProcessor.ChannelType.G


class IndexHost(mplib.IndexHost):
    """Draws from a generator of its own: two of them would take turns at numpy's as it happens."""

    def __init__(self, count):
        super().__init__(count, rnd_seed=4)


mplib.IndexHost = IndexHost


class Faces(SampleGeneratorFace):
    def batch_func(self, param):
        np.random.seed(5)
        for batch in super().batch_func(param):
            Path(sys.argv[3]).write_text(json.dumps(sorted(name for name in sys.modules if "." not in name)))
            yield batch


class Images(SampleGeneratorImage):
    def batch_func(self, samples):
        np.random.seed(6)
        yield from super().batch_func(samples)


def asked_for(data_format):
    from facelib import FaceType
    common = {"face_type": FaceType.WHOLE_FACE, "data_format": data_format, "resolution": 96}
    return [dict(common, sample_type=FACE, channel_type=BGR, warp=True, transform=True, ct_mode="lct"),
            dict(common, sample_type=FACE, channel_type=BGR, warp=False, transform=True),
            dict(common, sample_type=MASK, channel_type=G, warp=False, transform=True,
                 face_mask_type=SampleProcessor.FaceMaskType.FULL_FACE)]


def told(batch):
    return [[array.dtype.str, array.shape, array.strides, hashlib.sha256(array.tobytes()).hexdigest()]
            for array in batch]


def generators(faces):
    options = SampleProcessor.Options(scale_range=[-0.15, 0.15], random_flip=True)
    for data_format in ("NHWC", "NCHW"):
        yield Faces(faces, random_ct_samples_path=faces, batch_size=3, sample_process_options=options,
                    output_sample_types=asked_for(data_format), generators_count=1)
    yield Images(faces, False, 2, output_sample_types=[
        {"sample_type": SampleProcessor.SampleType.IMAGE, "channel_type": BGR, "warp": False, "transform": False,
         "resolution": 64, "data_format": "NHWC"}])


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    batches = []
    for generator in generators(Path(sys.argv[2])):
        batches += [told(generator.generate_next()) for _ in range(5)]
    print("BATCHES", json.dumps([batches, "accel" in sys.modules]))
