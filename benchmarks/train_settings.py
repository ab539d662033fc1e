"""What both sides, the naive oracle and the limits of the cases of training share: only the standard library."""
import collections
import hashlib
import json
import os

FOLDERS = ("data_src", "data_dst")
REPORT, FIRST = "report.json", "first.npz"
WHOLE_FACE = 4                     # DeepFaceLab's number
KEPT = 2                           # faces of a first batch that are kept as they are, not only as a digest

Settings = collections.namedtuple("Settings", "batch resolution processes rounds network")
Settings.__doc__ = """How batches are taken. batch: faces in one. resolution: px. processes: of each of the two
generators. rounds: so many timed batches of each. network: seconds from the moment that a round is there to the
question for the next, None for none."""


def faces_folder(workspace, name):
    """The folder of the faces of data_src or data_dst."""
    return os.path.join(str(workspace), name, "aligned")


def faces(settings):
    """How many faces the timed batches hold (int)."""
    return settings.rounds * settings.batch * len(FOLDERS)


def generator_options(processor, settings, source):
    """What SAEHD asks a generator for with its default options, on a graphics card: keywords of SampleGeneratorFace.

    processor: the class SampleProcessor. source: whether the faces are those of data_src.
    """
    common = {"transform": True, "face_type": WHOLE_FACE, "data_format": "NCHW", "resolution": settings.resolution}
    picture = dict(common, sample_type=processor.SampleType.FACE_IMAGE, channel_type=processor.ChannelType.BGR)
    mask = dict(common, sample_type=processor.SampleType.FACE_MASK, channel_type=processor.ChannelType.G, warp=False)
    outputs = [dict(picture, warp=True), dict(picture, warp=False),
               dict(mask, face_mask_type=processor.FaceMaskType.FULL_FACE),
               dict(mask, face_mask_type=processor.FaceMaskType.EYES_MOUTH)]
    if source:
        outputs[0].update(ct_mode=None, random_hsv_shift_amount=0.0)
        outputs[1].update(ct_mode=None)
    return {"batch_size": settings.batch, "output_sample_types": outputs, "generators_count": settings.processes,
            "sample_process_options": processor.Options(scale_range=[-0.15, 0.15], random_flip=not source)}


# --- what was measured -----------------------------------------------------------------------

def write_report(stage, report):
    """Write report.json (from a dict)."""
    with open(os.path.join(stage, REPORT), "w") as stream:
        json.dump(report, stream)


def read_report(stage):
    """What report.json says (dict)."""
    with open(os.path.join(stage, REPORT)) as stream:
        return json.load(stream)


def digests(faces):
    """Digests of faces, each a dict {name of a field: value}, in their order: {name of a field: str}."""
    found = {}
    for fields in faces:
        for name, value in fields.items():
            found.setdefault(name, hashlib.sha256()).update(repr(value).encode() + b"\n")
    return {name: digest.hexdigest() for name, digest in found.items()}


def digest_of(array):
    """Type, shape and content of an array (str)."""
    return "{} {} {}".format(array.dtype, array.shape, hashlib.sha256(array.tobytes()).hexdigest())
