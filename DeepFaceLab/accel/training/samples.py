"""From one sample to the arrays that a model asks for: pictures, masks, landmarks, poses, randomly warped.

What several outputs share is made once: the picture, its masks, what is scaled or aligned to one side, the warp of one
seed. Results, and what is drawn from numpy's global generator, are stock's.
"""
import math
import threading

import cv2
import numpy as np

from .. import landmarks as geometry
from . import masks, warps

IMAGE, FACE_IMAGE, FACE_MASK, LANDMARKS_ARRAY, PITCH_YAW_ROLL, PITCH_YAW_ROLL_SIGMOID = range(1, 7)
BGR, G, GGG = 1, 2, 3
FULL_FACE, EYES, EYES_MOUTH = 1, 2, 3
MARK_ONLY = 100                            # a face type without an alignment
_DRAWN_ANEW = ('idt', 'sot')               # colour transfers that draw from numpy's global generator
_generators = threading.local()


def make(samples, options, wanted, debug=False, draw=None, ct_sample=None):
    """Return what `wanted` asks of each sample: a list a sample of an array (or tuple) an output.

    samples: of stock's Sample. options: of stock's SampleProcessor.Options: random_flip and the ranges of
    `warps.parameters`. wanted: dicts of stock's options of an output. debug: values are not scaled to -1..1.
    draw: called with (picture, landmarks, colour) before anything is made of it, or None. ct_sample: the sample whose
    colours are taken on.
    Raises ValueError for options that make no sense. Answers to `SampleProcessor.process`.
    """
    results = []
    for sample in samples:
        seed = np.random.randint(0x80000000)
        face = _Face(sample, options, seed, ct_sample)
        if draw is not None and sample.landmarks is not None:
            draw(face.picture, sample.landmarks, (0, 1, 0))
        results.append([_output(face, asked, debug) for asked in wanted])
    return results


def _output(face, asked, debug):
    kind = asked.get('sample_type', 0)
    if kind == FACE_IMAGE or kind == FACE_MASK:
        return _finished(*_face_output(face, asked, kind) + (asked, debug))
    if kind == IMAGE:
        return _raw_picture(face, asked)
    if kind == LANDMARKS_ARRAY:
        height, width = face.picture.shape[:2]
        return np.clip(face.sample.landmarks / (width, height), 0.0, 1.0)
    if kind == PITCH_YAW_ROLL or kind == PITCH_YAW_ROLL_SIGMOID:
        return _pose(face, asked, kind)
    raise ValueError('expected sample_type')


def _face_output(face, asked, kind):
    """Return (a warped mask or picture, whether it still has to be mirrored)."""
    if face.sample.landmarks is None:
        raise ValueError('face_samples should be provided for sample_type FACE_*')
    if asked.get('face_type', None) is None:
        raise ValueError('face_type must be defined for face samples')
    return _mask(face, asked) if kind == FACE_MASK else _picture(face, asked)


def _mask(face, asked):
    """A warped mask: float32 (side, side, 1)."""
    kind = asked.get('face_mask_type', 0)
    face.mask(kind)   # is made first: what is wrong with landmarks is told before what is wrong with options
    if face.sample.face_type == MARK_ONLY:
        raise NotImplementedError('faces without an alignment have no masks')
    replicate = asked.get('border_replicate', False)
    mask = face.fitted(('mask', kind), asked.get('resolution', 0), asked['face_type'], replicate, cv2.INTER_LINEAR)
    mask = face.warped(mask, asked, replicate, cv2.INTER_LINEAR)
    if kind == EYES_MOUTH:
        highest = mask.max()
        if highest != 0.0:
            mask = mask / highest
    if asked.get('channel_type', 0) != G:
        raise ValueError('only channel_type.G supported for the mask')
    return mask.astype(np.float32, copy=False), face.warp(asked)['flip']


def _picture(face, asked):
    """A warped picture, its colours changed as asked: float32 (side, side, 3), or 1 channel."""
    replicate = asked.get('border_replicate', True)
    image = face.warped(face.coloured(asked, replicate), asked, replicate, cv2.INTER_CUBIC)
    if asked.get('ct_mode', None) is None:
        image = masks.clipped(image)
    else:   # a transfer of colours may give NaN, which np.clip keeps
        image = np.clip(image, 0, 1)
    channels, flipped = asked.get('channel_type', 0), face.warp(asked)['flip']
    if channels == BGR:
        return image, flipped
    if channels == G or channels == GGG:
        # cv2 rounds otherwise at the end of a line: it is the mirrored line that has to end there
        grey = cv2.cvtColor(image[:, ::-1] if flipped else image, cv2.COLOR_BGR2GRAY)[..., None]
        return grey if channels == G else np.repeat(grey, 3, -1), False
    raise ValueError('channel_type must be defined for face images')


def _finished(array, flipped, asked, debug):
    """Mirror an output, scale it to the side and the range asked for, and lay it out."""
    side = asked.get('nearest_resize_to', None)
    if side is not None:
        array = array[:, ::-1] if flipped else array
        array = cv2.resize(array, (side, side), interpolation=cv2.INTER_NEAREST).reshape(side, side, array.shape[2])
        flipped = False
    if asked.get('normalize_tanh', False) and not debug:
        array = np.clip(array * 2.0 - 1.0, -1.0, 1.0)
    return _laid_out(array, flipped, asked)


def _laid_out(array, flipped, asked):
    """A new array without holes: views of stock's kind cost the batch that they are put into more than they spare."""
    if flipped:
        array = array[:, ::-1]
    if asked.get('data_format', 'NHWC') == 'NCHW':
        array = array.transpose(2, 0, 1)
    return np.array(array, order='C')


def _raw_picture(face, asked):
    image = face.warped(face.picture, asked, True, cv2.INTER_CUBIC)
    side = asked.get('resolution', 0)
    if face.warp(asked)['flip']:   # first: it scales otherwise from right to left
        image = image[:, ::-1]
    return _laid_out(cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC), False, asked)


def _pose(face, asked, kind):
    """Pitch and yaw, radians or, as sigmoid, 0..1 for a whole turn."""
    pitch, yaw, _ = face.sample.get_pitch_yaw_roll()
    if face.warp(asked)['flip']:
        yaw = -yaw
    if kind == PITCH_YAW_ROLL_SIGMOID:
        pitch, yaw = (np.clip((angle / math.pi) / 2.0 + 0.5, 0, 1) for angle in (pitch, yaw))
    return pitch, yaw


class _Face:
    """A sample and all that has been made of it so far."""

    def __init__(self, sample, options, seed, ct_sample):
        self.sample, self._options, self._seed, self._ct_sample = sample, options, seed, ct_sample
        self.picture = sample.load_bgr()
        height, width, channels = self.picture.shape
        self._made = {}

    def _once(self, key, make):
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def mask(self, kind):
        """The mask of that kind in the sample's own picture, float32 (H, W, 1)."""
        return self._once(('mask', kind), lambda: self._make_mask(kind))

    def _make_mask(self, kind):
        shape, landmarks = self.picture.shape, self.sample.landmarks
        if kind == FULL_FACE:
            return masks.whole_face(self.sample, shape)
        if kind == EYES:
            return masks.eyes(landmarks, shape)
        if kind == EYES_MOUTH:
            return masks.eyes_and_mouth(landmarks, shape, self.mask(FULL_FACE))
        return np.zeros(shape[:2] + (1,), np.float32)

    def fitted(self, name, side, face_type, replicate, interpolation):
        """The picture (name 'picture') or a mask (name ('mask', kind)) in a square of the face type asked for."""
        def fit():
            image = self.picture if name == 'picture' else self.mask(name[1])
            if face_type != self.sample.face_type:
                border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
                matrix = geometry.alignment_matrix(self.sample.landmarks, side, face_type)
                return cv2.warpAffine(image, matrix, (side, side), borderMode=border, flags=interpolation)
            if self.picture.shape[1] != side:
                return cv2.resize(image, (side, side), interpolation=interpolation)
            return image
        return self._once(('fitted', name, side, int(face_type), bool(replicate)), fit)

    def coloured(self, asked, replicate):
        """The fitted picture with the colours of another sample, and randomly shifted."""
        side, face_type = asked.get('resolution', 0), asked['face_type']
        mode, shift = asked.get('ct_mode', None), asked.get('random_hsv_shift_amount', 0)
        image = self.fitted('picture', side, face_type, replicate, cv2.INTER_CUBIC)
        if mode is not None and self._ct_sample is not None:
            image = self._transferred(image, mode, (side, int(face_type), bool(replicate)))
        if shift != 0:
            from . import colours
            image = colours.shift_hsv(image, shift, self._after_transform(asked))
        return image

    def _transferred(self, image, mode, fit):
        from . import colours

        def transfer():
            return colours.transfer(mode, image, self._colour_model(fit[0]))
        return transfer() if mode in _DRAWN_ANEW else self._once(('coloured', mode) + fit, transfer)

    def _colour_model(self, side):
        picture = self._once('ct', self._ct_sample.load_bgr)
        return self._once(('ct', side), lambda: cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR))

    def warped(self, image, asked, replicate, interpolation):
        """An image warped and transformed, not yet mirrored; the image itself if neither is asked for."""
        can_warp = asked.get('warp', False)
        return warps.apply(self.warp(asked, can_warp), image, can_warp, asked.get('transform', False), False, replicate,
                           interpolation)

    def warp(self, asked, with_maps=False):
        """The parameters of the warp of an output's seeds; the maps only if they are needed."""
        shift = asked.get('rnd_seed_shift', 0)
        warp_shift = asked.get('warp_rnd_seed_shift', shift)
        side = asked.get('resolution', 0)
        params = self._once(('warp', side, shift, warp_shift), lambda: self._draw_transform(side, shift)[0])
        if with_maps and 'mapx' not in params:
            params['mapx'], params['mapy'] = warps.draw_maps(params['w'], _seeded('warp', self._seed + warp_shift))
        return params

    def _draw_transform(self, side, shift):
        random, options = _seeded('transform', self._seed + shift), self._options
        return warps.transform_parameters(side, options.random_flip, options.rotation_range, options.scale_range,
                                          options.tx_range, options.ty_range, random), random

    def _after_transform(self, asked):
        """The generator of an output's seed as it is when its transform has been drawn."""
        return self._draw_transform(asked.get('resolution', 0), asked.get('rnd_seed_shift', 0))[1]


def _seeded(name, seed):
    """A generator of this thread with that seed: to seed one takes 2 µs, to make one 100."""
    random = getattr(_generators, name, None)
    if random is None:
        random = np.random.RandomState(0)
        setattr(_generators, name, random)
    random.seed(seed)
    return random
