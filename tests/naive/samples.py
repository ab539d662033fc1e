"""One output of one sample after the other, each from the file on, whole masks, numbers drawn one by one.

OpenCV's functions are taken as given. Colour transfers and shifts are not done here.
"""
import math

import cv2
import numpy as np

from . import landmarks as naive_landmarks

IMAGE, FACE_IMAGE, FACE_MASK, LANDMARKS_ARRAY, PITCH_YAW_ROLL, PITCH_YAW_ROLL_SIGMOID = range(1, 7)
FACE_TYPES = {0: 'half_face', 1: 'midfull_face', 2: 'full_face', 3: 'full_face_no_align', 4: 'whole_face', 10: 'head',
              20: 'head_no_align'}


def normal(shape, random):
    """Normal numbers, those beyond 2.5 thrown away, as shares of 2.5: float32."""
    numbers = np.zeros(shape, np.float32)
    for place in np.ndindex(*shape):
        number = random.normal()
        while abs(number) > 2.5:
            number = random.normal()
        numbers[place] = number / 2.5
    return numbers


def warp(side, flip, ranges, random, warp_random):
    """Parameters of a random warp. ranges: (low, high) of turn, scale, shift in x, shift in y."""
    turn, scale, x, y = ranges
    w = 64 if side < 64 else side
    angle = random.uniform(*turn)
    factor = random.uniform(1 / (1 - scale[0]), 1 + scale[1])
    right, down = random.uniform(*x), random.uniform(*y)
    mirrored = flip and random.randint(10) in (0, 1, 2, 3)
    matrix = cv2.getRotationMatrix2D((w // 2, w // 2), angle, factor)
    matrix[0, 2] += right * w
    matrix[1, 2] += down * w

    cell = {0: w // 2, 1: w // 4, 2: w // 8}[warp_random.randint(3)]
    count = w // cell + 1
    corners = np.zeros((count, count))
    for row in range(count):
        corners[row] = np.linspace(0, w, count)
    strength = np.float32(cell * 0.24)
    for turned in (False, True):   # the second time the rows of the numbers are columns
        moves = normal((count - 2, count - 2), warp_random)
        for row in range(count - 2):
            for column in range(count - 2):
                place = (column + 1, row + 1) if turned else (row + 1, column + 1)
                corners[place] += moves[row, column] * strength
    half = cell // 2
    maps = [cv2.resize(one, (w + cell, w + cell))[half:-half, half:-half].astype(np.float32)
            for one in (corners, corners.T.copy())]
    return {'rmat': matrix, 'w': w, 'rw': side if side < 64 else None, 'flip': mirrored, 'mapx': maps[0],
            'mapy': maps[1]}


def apply(params, image, asked, border, interpolation):
    """Warp, transform, mirror."""
    warped, moved = asked.get('warp', False), asked.get('transform', False)
    small = params['rw'] is not None and (warped or moved)
    if small:
        image = cv2.resize(image, (64, 64), interpolation=interpolation)
    if warped:
        image = cv2.remap(image, params['mapx'], params['mapy'], interpolation)
    if moved:
        image = cv2.warpAffine(image, params['rmat'], (params['w'],) * 2, borderMode=border, flags=interpolation)
    if small:
        image = cv2.resize(image, (params['rw'],) * 2, interpolation=interpolation)
    image = with_channels(image)
    return np.ascontiguousarray(image[:, ::-1]) if params['flip'] else image


def with_channels(image):
    return image[:, :, None] if image.ndim == 2 else image


def face_mask(face, shape):
    mask = face.get('xseg_mask_compressed')
    if mask is None:
        hull = naive_landmarks.hull_mask(shape, face['landmarks'], face['eyebrows_expand_mod'])
        return np.array(hull, np.float32)[:, :, None]
    mask = cv2.imdecode(mask, cv2.IMREAD_UNCHANGED).astype(np.float32) / 255.0
    if mask.shape != shape[:2]:
        mask = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(mask, 0, 1)[:, :, None]


def soft(landmarks, shape, parts):
    """Polygons of landmarks, widened and blurred, the whole picture worked on."""
    mask = np.zeros(shape[:2], np.float32)
    points = np.array(landmarks).astype(int).astype(np.int32)
    for first, last in parts:
        cv2.fillConvexPoly(mask, cv2.convexHull(points[first:last]), 1)
    brush, blur = shape[0] // 32, shape[0] // 16
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (brush, brush)))
    blur = blur if blur % 2 else blur + 1
    return cv2.GaussianBlur(mask, (blur, blur), 0)[:, :, None]


def mask_of(face, shape, kind):
    if kind == 1:
        return face_mask(face, shape)
    if kind == 2:
        return np.clip(soft(face['landmarks'], shape, [(36, 42), (42, 48)]), 0, 1)
    if kind == 3:
        both = (soft(face['landmarks'], shape, [(36, 42), (42, 48)]) + soft(face['landmarks'], shape, [(60, 68)]))
        return np.where(face_mask(face, shape) != 0, np.clip(both, 0, 1), np.float32(0))
    return np.zeros(shape[:2] + (1,), np.float32)


def fitted(face, image, picture_width, asked, border, interpolation):
    side = asked['resolution']
    if asked['face_type'] != face['face_type']:
        matrix = naive_landmarks.alignment_matrix(face['landmarks'], side, FACE_TYPES[asked['face_type']])
        return cv2.warpAffine(image, np.array(matrix), (side, side), borderMode=border, flags=interpolation)
    return cv2.resize(image, (side, side), interpolation=interpolation) if picture_width != side else image


def output(face, asked, seed, flip, ranges):
    """One output. face: arguments of a Sample. asked: stock's options. ranges: see `warp`."""
    kind, side = asked['sample_type'], asked.get('resolution', 0)
    picture = cv2.imread(face['filename']).astype(np.float32) / 255.0
    shift = asked.get('rnd_seed_shift', 0)
    params = warp(side, flip, ranges, np.random.RandomState(seed + shift),
                  np.random.RandomState(seed + asked.get('warp_rnd_seed_shift', shift)))
    if kind == LANDMARKS_ARRAY:
        return np.clip([[x / picture.shape[1], y / picture.shape[0]] for x, y in face['landmarks']], 0.0, 1.0)
    if kind in (PITCH_YAW_ROLL, PITCH_YAW_ROLL_SIGMOID):
        pitch, yaw, _ = naive_landmarks.estimate_pitch_yaw_roll(face['landmarks'], picture.shape[1])
        angles = pitch, -yaw if params['flip'] else yaw
        return angles if kind == PITCH_YAW_ROLL else tuple(angle / math.pi / 2.0 + 0.5 for angle in angles)
    is_mask = kind == FACE_MASK
    replicate = asked.get('border_replicate', not is_mask) or kind == IMAGE
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    interpolation = cv2.INTER_LINEAR if is_mask else cv2.INTER_CUBIC
    if kind == IMAGE:
        image = apply(params, picture, asked, border, interpolation)
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    else:
        image = mask_of(face, picture.shape, asked.get('face_mask_type', 0)) if is_mask else picture
        image = fitted(face, image, picture.shape[1], asked, border, interpolation)
        image = finished(apply(params, image, asked, border, interpolation), asked)
    return image.transpose(2, 0, 1) if asked.get('data_format') == 'NCHW' else image


def finished(image, asked):
    """Range, channels, side."""
    if asked['sample_type'] == FACE_MASK:
        if asked.get('face_mask_type') == 3 and image.max() != 0:
            image = image / image.max()
    else:
        image = np.clip(image, 0, 1)
        if asked['channel_type'] > 1:
            image = np.repeat(with_channels(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)),
                              1 if asked['channel_type'] == 2 else 3, axis=2)
    if asked.get('nearest_resize_to'):
        image = with_channels(cv2.resize(image, (asked['nearest_resize_to'],) * 2, interpolation=cv2.INTER_NEAREST))
    return np.clip(image * 2.0 - 1.0, -1.0, 1.0) if asked.get('normalize_tanh') else image
