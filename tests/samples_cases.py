"""Faces and orders for SampleProcessor: every option, alone and mixed, at ordinary and odd sizes."""
import itertools
import os

import cv2
import numpy as np

from accel import landmark_tables

NONE, IMAGE, FACE_IMAGE, FACE_MASK, LANDMARKS_ARRAY, PITCH_YAW_ROLL, PITCH_YAW_ROLL_SIGMOID = range(7)
BGR, G, GGG = 1, 2, 3
FULL_FACE, EYES, EYES_MOUTH = 1, 2, 3
HALF, MID_FULL, FULL, FULL_NO_ALIGN, WHOLE_FACE, HEAD, HEAD_NO_ALIGN, MARK_ONLY = 0, 1, 2, 3, 4, 10, 20, 100

#: (width, height, face type, how it is masked: None, or the side of its segmentation), one a face
FACES = [(512, 512, WHOLE_FACE, None), (512, 512, WHOLE_FACE, 512), (320, 320, FULL, 256), (256, 256, WHOLE_FACE, 256),
         (201, 201, HEAD, 127), (144, 144, HALF, None), (300, 200, WHOLE_FACE, 300), (96, 96, MARK_ONLY, None),
         (64, 64, FULL, None), (130, 130, None, None), (40, 30, FULL, 40), (640, 640, HEAD, None)]


def points_of(width, height, random, off=0.0):
    """68 landmarks as they lie in an aligned face, a little moved; off: how far all of them, in sides."""
    mean = np.zeros((68, 2))
    mean[list(landmark_tables.ALIGN_INDEXES)] = landmark_tables.ALIGN_MODEL
    mean[:17] = np.column_stack([np.linspace(-0.1, 1.1, 17), 0.2 + 0.9 * np.sin(np.linspace(0, np.pi, 17))])
    mean[48:60] = 0.49 + 0.24 * np.column_stack([np.cos(np.linspace(np.pi, -np.pi, 13)[:12]),
                                                 1.4 + 0.4 * np.sin(np.linspace(np.pi, 3 * np.pi, 13)[:12])])
    mean[60:] = mean[48:60].mean(axis=0) + 0.5 * (mean[48:60][[0, 2, 3, 4, 6, 8, 9, 10]] - mean[48:60].mean(axis=0))
    points = (0.25 + off + 0.5 * (mean + random.normal(0, 0.01, mean.shape))) * (width, height)
    return np.round(points, 3)


def picture_of(width, height, random):
    """A picture of coloured waves with some noise and a disc with a hard edge: uint8 (height, width, 3).

    Whole numbers alone, so that it is the same everywhere.
    """
    x, y = np.arange(width)[None, :, None], np.arange(height)[:, None, None]
    across, down = random.randint(1, 9, (2, 3))
    wave = ((across * x * 512 // width + down * y * 512 // height) % 512) // 2
    picture = np.where(wave < 128, 2 * wave, 510 - 2 * wave)
    inside = (2 * x - width) ** 2 + (2 * y - height) ** 2 < min(width, height) ** 2 // 2
    picture = np.where(inside, (picture + random.randint(0, 256, 3)) // 2, picture)
    return np.clip(picture + random.randint(-9, 10, picture.shape), 0, 255).astype(np.uint8)


def segmentation_of(width, height):
    """An ellipse with a soft edge: uint8 (height, width)."""
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    distance = ((2 * x - width) ** 2 * 2000 // width ** 2) + ((2 * y - height) ** 2 * 1100 // height ** 2)
    return np.clip(1100 - distance, 0, 255).astype(np.uint8)


def make_faces(folder):
    """Write pictures. Return arguments of Sample, face types as numbers."""
    random, made = np.random.RandomState(11), []
    for index, (width, height, face_type, segmented) in enumerate(FACES):
        path = os.path.join(str(folder), '{:02}.png'.format(index))
        with open(path, 'wb') as stream:
            stream.write(cv2.imencode('.png', picture_of(width, height, random))[1].tobytes())
        face = {'filename': path, 'face_type': face_type, 'shape': (height, width, 3),
                'landmarks': None if face_type is None else points_of(width, height, random, 0.3 * (index == 6)),
                'eyebrows_expand_mod': 1.0 + 0.5 * (index % 3)}
        if segmented:
            mask = segmentation_of(segmented, height if segmented == width else segmented)
            face['xseg_mask_compressed'] = cv2.imencode('.png', mask)[1]
        made.append(face)
    return made


def saehd(side, face_type=WHOLE_FACE, **first):
    """What SAEHD asks for."""
    common = {'transform': True, 'face_type': face_type, 'data_format': 'NCHW', 'resolution': side}
    return [dict(common, sample_type=FACE_IMAGE, warp=True, channel_type=BGR, **first),
            dict(common, sample_type=FACE_IMAGE, warp=False, channel_type=BGR, ct_mode=first.get('ct_mode')),
            dict(common, sample_type=FACE_MASK, warp=False, channel_type=G, face_mask_type=FULL_FACE),
            dict(common, sample_type=FACE_MASK, warp=False, channel_type=G, face_mask_type=EYES_MOUTH)]


def case(seed, samples, wanted, ct=None, debug=False, **options):
    return {'seed': seed, 'samples': samples, 'wanted': wanted, 'ct': ct, 'debug': debug, 'options': options}


ASKS = {'sample_type': [FACE_IMAGE, FACE_MASK], 'channel_type': [BGR, G, GGG], 'face_mask_type': [0, 1, 2, 3],
        'face_type': [HALF, MID_FULL, FULL, FULL_NO_ALIGN, WHOLE_FACE, HEAD, HEAD_NO_ALIGN],
        'resolution': [16, 32, 64, 80, 96, 144, 160, 201, 256, 512], 'warp': [True, False], 'transform': [True, False],
        'border_replicate': [None, True, False], 'nearest_resize_to': [None, None, 33, 128],
        'normalize_tanh': [False, True], 'data_format': ['NHWC', 'NCHW'], 'rnd_seed_shift': [None, 0, 5],
        'warp_rnd_seed_shift': [None, 0, 5, 77], 'random_hsv_shift_amount': [0, 0, 0.05, 0.5]}


def mixed(random):
    """One order with each option drawn on its own; masks get the only channel that they can have."""
    asked = {name: values[random.randint(len(values))] for name, values in ASKS.items()}
    if asked['sample_type'] == FACE_MASK:
        asked['channel_type'] = G
    return {name: value for name, value in asked.items() if value is not None}


def with_colours():
    """Orders with every colour transfer and shift."""
    named = {}
    for mode, (index, model) in itertools.product(['lct', 'rct', 'mkl', 'idt', 'sot'], [(0, 2), (3, 1)]):
        named['ct {} {}'.format(mode, index)] = case(index + 9, [index], saehd(96, ct_mode=mode), ct=model)
        named['ct {} hsv {}'.format(mode, index)] = case(
            index + 5, [index], saehd(64, ct_mode=mode, random_hsv_shift_amount=0.1), ct=model)
    for amount in (0.001, 0.05, 0.4, 1.0):
        named['hsv {}'.format(amount)] = case(4, [1, 3], saehd(128, random_hsv_shift_amount=amount))
    named['ct without a model'] = case(4, [1], saehd(64, ct_mode='rct'))
    named['an unknown ct'] = case(4, [1], saehd(64, ct_mode='none of these'), ct=2)
    return named


def wrong():
    """Orders that cannot be met."""
    ask = {'sample_type': FACE_IMAGE, 'channel_type': BGR, 'face_type': FULL, 'resolution': 64}
    mask = dict(ask, sample_type=FACE_MASK, channel_type=G, face_mask_type=FULL_FACE)
    return {'no face': case(1, [9], [ask]), 'no face for a mask': case(1, [9], [mask]),
            'no face type': case(1, [0], [dict(ask, face_type=None)]),
            'colours for a mask': case(1, [0], [dict(mask, channel_type=BGR)]),
            'mask of a face without alignment': case(1, [7], [mask]),
            'picture in a side of nothing': case(1, [0], [{'sample_type': IMAGE}]),
            'eyes of a face too small for a brush': case(1, [10], [dict(mask, face_mask_type=EYES)])}


def cases():
    """All orders by name."""
    named = {}
    for index in range(len(FACES)):
        if FACES[index][2] is not None and FACES[index][2] != MARK_ONLY:
            named['saehd {}'.format(index)] = case(index, [index], saehd(128), scale_range=[-0.15, 0.15])
            named['own type {}'.format(index)] = case(index, [index], saehd(FACES[index][0], FACES[index][2]))
    for side in (16, 63, 64, 65, 100, 224, 256, 320):
        named['side {}'.format(side)] = case(side, [0, 1, 2], saehd(side, FULL), random_flip=False)
    for number in range(120):
        random = np.random.RandomState(number)
        samples = random.choice([0, 1, 2, 3, 4, 5, 6, 8, 11], 2).tolist()
        named['mixed {}'.format(number)] = case(number, samples, [mixed(random) for _ in range(4)],
                                                rotation_range=[-40, 40], tx_range=[-0.3, 0.3])
    for index, replicate in itertools.product((0, 7, 9), ([], [('border_replicate', True)])):
        raw = [dict([('sample_type', IMAGE), ('resolution', side), ('warp', warp), ('transform', not warp),
                     ('data_format', layout)] + replicate)
               for side, warp, layout in ((64, False, 'NHWC'), (96, True, 'NCHW'), (130, True, 'NHWC'),
                                          (20, True, 'NCHW'))]
        named['raw {} {}'.format(index, len(replicate))] = case(index, [index], raw)
    after = [{'sample_type': FACE_MASK, 'channel_type': G, 'face_type': FULL, 'resolution': 64}]
    named['numbers'] = case(3, [0, 1, 2, 5], after + [{'sample_type': kind} for kind in (4, 5, 6)])
    named['numbers 2'] = case(5, [0, 1, 2, 5], after + [{'sample_type': kind, 'resolution': 96} for kind in (4, 5, 6)])
    named['mark only'] = case(2, [7], [{'sample_type': FACE_IMAGE, 'channel_type': BGR, 'face_type': kind,
                                        'resolution': 96} for kind in (FULL, MARK_ONLY)])
    named['debug'] = case(2, [0, 2], saehd(128) + [{'sample_type': FACE_IMAGE, 'channel_type': BGR, 'face_type': FULL,
                                                     'resolution': 100, 'normalize_tanh': True}], debug=True)
    named['debug without a face'] = case(2, [9], [{'sample_type': IMAGE, 'resolution': 80}], debug=True)
    named.update(with_colours())
    named.update(wrong())
    return named


WIDE = {'rotation_range': [-180, 180], 'scale_range': [-0.1, 0.1], 'tx_range': [0.1, 0.2], 'ty_range': [-0.3, 0]}


def warp_cases():
    """Calls of gen_warp_params and warp_by_params."""
    flags = [(warp, transform, flip, replicate) for warp in (True, False) for transform in (True, False)
             for flip, replicate in ((True, True), (False, False))]
    flags += [(True, True, True, True, cv2.INTER_LINEAR), (True, True, True, False, cv2.INTER_LANCZOS4)]
    made = []
    for seed, side in enumerate((16, 40, 64, 66, 71, 96, 128, 129, 160, 192, 224, 255, 256, 320, 416, 512)):
        for more in range(3):
            made.append({'seed': 100 * seed + more, 'side': side, 'flip': more != 1,
                         'flags': [] if more else flags, 'ranges': WIDE if more else {}})
    return made
