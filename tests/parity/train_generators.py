"""Lets a tree's generators make samples with all that DeepFaceLab's models ask for, and notes every array.

    python train_generators.py TREE SRC DST RESULT

TREE: a DeepFaceLab with the probe in it (train_workspace.lay_probe), stock's or one with the overlay. SRC, DST:
folders of faces. RESULT: a JSON file of {case: batches as train_probe.describe gives them, or the error in words}.
"""
import json
import multiprocessing
import sys
from pathlib import Path

BATCHES, BATCH_SIZE, RESOLUTION = 3, 3, 64
IN_PROCESSES = ('saehd WHOLE_FACE', 'transfer idt', 'uniform yaw', 'xseg', 'training of masks', 'images')
FLIPPED = {'scale_range': [-0.15, 0.15], 'random_flip': True}


class Outputs(object):
    """What models ask a generator of faces for."""

    def __init__(self, samplelib, facelib):
        self.types, self.channels = samplelib.SampleProcessor.SampleType, samplelib.SampleProcessor.ChannelType
        self.masks, self.faces = samplelib.SampleProcessor.FaceMaskType, facelib.FaceType

    def image(self, **options):
        given = {'sample_type': self.types.FACE_IMAGE, 'warp': False, 'transform': True,
                 'channel_type': self.channels.BGR, 'face_type': self.faces.WHOLE_FACE, 'data_format': 'NHWC',
                 'resolution': RESOLUTION}
        return dict(given, **options)

    def mask(self, kind, **options):
        return self.image(sample_type=self.types.FACE_MASK, channel_type=self.channels.G, face_mask_type=kind,
                          **options)

    def saehd(self, face='WHOLE_FACE', transfer=None, hsv=0.0, warp=True, src=True, **options):
        """The four outputs of SAEHD, AMP and, but for the last, Quick96."""
        same = dict(options, face_type=self.faces[face])
        colours = {'ct_mode': transfer} if src else {}
        strength = {'random_hsv_shift_amount': hsv} if src else {}
        return [self.image(warp=warp, **dict(same, **dict(colours, **strength))), self.image(**dict(same, **colours)),
                self.mask(self.masks.FULL_FACE, **same), self.mask(self.masks.EYES_MOUTH, **same)]

    def xseg(self, **options):
        return [self.image(transform=False, border_replicate=False, **options)]

    def xseg_pretraining(self, **options):
        return [self.image(warp=True, **options), self.image(warp=True, channel_type=self.channels.G, **options)]

    def further(self):
        """What no model of DeepFaceLab asks for, but its processor knows."""
        numbers = [{'sample_type': kind} for kind in (self.types.LANDMARKS_ARRAY, self.types.PITCH_YAW_ROLL,
                                                      self.types.PITCH_YAW_ROLL_SIGMOID)]
        return [self.image(channel_type=self.channels.GGG, nearest_resize_to=24, warp=True),
                self.image(rnd_seed_shift=3, warp_rnd_seed_shift=5, warp=True, normalize_tanh=True),
                self.mask(self.masks.EYES, data_format='NCHW')] + numbers


def cases(samplelib, facelib, src, dst):
    """{name: function that makes a generator; its argument: whether landmarks are drawn into the samples}."""
    outputs = Outputs(samplelib, facelib)

    def faces(wanted, folder=src, options=FLIPPED, **further):
        options = samplelib.SampleProcessor.Options(**options)
        return lambda debug: samplelib.SampleGeneratorFace(
            folder, batch_size=BATCH_SIZE, sample_process_options=options, output_sample_types=wanted,
            generators_count=1, debug=debug, **further)

    made = {'saehd ' + face: faces(outputs.saehd(face), options=dict(FLIPPED, random_flip=False))
            for face in ('HALF', 'MID_FULL', 'FULL', 'WHOLE_FACE', 'HEAD')}
    for transfer in ('rct', 'lct', 'mkl', 'idt', 'sot'):
        made['transfer ' + transfer] = faces(outputs.saehd(transfer=transfer, hsv=0.05, data_format='NCHW'),
                                             random_ct_samples_path=dst)
    made['dst'] = faces(outputs.saehd(src=False, data_format='NCHW'), dst)
    made['uniform yaw'] = faces(outputs.saehd('FULL'), uniform_yaw_distribution=True)
    made['hsv, no warp, 224 px'] = faces(outputs.saehd(hsv=0.3, warp=False, resolution=224))
    made['quick96'] = faces(outputs.saehd('FULL', src=False, resolution=96)[:3], options={'random_flip': False})
    made['xseg'] = faces(outputs.xseg(resolution=256), options={'random_flip': False})
    made['xseg pretraining'] = faces(outputs.xseg_pretraining(), options={'random_flip': True})
    made['further'] = faces(outputs.further())
    made['training of masks'] = lambda debug: samplelib.SampleGeneratorFaceXSeg(
        [src, dst], debug=debug, batch_size=BATCH_SIZE, resolution=128, face_type=facelib.FaceType.WHOLE_FACE,
        generators_count=1, data_format='NCHW')
    made['one folder twice'] = lambda debug: samplelib.SampleGeneratorFaceXSeg(
        [src, src], debug=debug, batch_size=BATCH_SIZE, resolution=64, face_type=facelib.FaceType.FULL,
        generators_count=1)
    plain = {'sample_type': outputs.types.IMAGE, 'channel_type': outputs.channels.BGR, 'resolution': RESOLUTION,
             'warp': True, 'transform': True}
    made['images'] = lambda debug: samplelib.SampleGeneratorImage(src, debug, BATCH_SIZE, output_sample_types=[plain])
    return made


def take(make, debug, describe):
    """Batches of a generator, described; or what it raised."""
    try:
        generator = make(debug)
        return [describe(next(generator)) for _ in range(BATCHES)]
    except Exception as error:
        return '{}: {}'.format(type(error).__name__, error)


def stay_here(samplelib, joblib):
    """Let generators work in this process, though they are not told to. Return a function that takes that back."""
    class Here(joblib.ThisThreadGenerator):
        def __init__(self, generator_func, user_param=None, prefetch=2, start_now=True):
            super().__init__(generator_func, user_param)

        @staticmethod
        def start_in_parallel(generators):
            pass

    modules = [sys.modules[kind.__module__] for kind in (samplelib.SampleGeneratorFace, samplelib.SampleGeneratorImage,
                                                         samplelib.SampleGeneratorFaceXSeg)]

    def set_all(kind):
        for module in modules:
            module.SubprocessGenerator = kind
    set_all(Here)
    return lambda: set_all(joblib.SubprocessGenerator)


def work(tree, src, dst, result):
    sys.path.insert(0, tree)
    import facelib
    import samplelib
    import train_probe
    from core import joblib

    made, told = cases(samplelib, facelib, Path(src), Path(dst)), {}
    go_out = stay_here(samplelib, joblib)
    for name, make in made.items():
        told[name + ', drawn into'] = take(make, True, train_probe.describe)
        told[name] = take(make, False, train_probe.describe)
    go_out()
    for name in IN_PROCESSES:
        told[name + ', in a process'] = take(made[name], False, train_probe.describe)
    with open(result, 'w') as stream:
        json.dump(told, stream)


if __name__ == '__main__':
    multiprocessing.set_start_method('spawn')
    work(*sys.argv[1:])
else:
    sys.path.insert(0, sys.argv[1])     # a process of a generator
