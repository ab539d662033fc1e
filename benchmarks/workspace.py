"""Facesets for benchmarks and tests: made from a seed, as an extraction of a video would have left them.

A faceset is a run of video shots. In a shot one head, or two, turn, move and change expression smoothly
before a still ground; light, exposure, colour, grain, distance, focus and the place in the frame differ from
shot to shot. Every face is cut out by the alignment that extraction uses and carries the same metadata.
The same arguments give the same bytes on the same machine and OpenCV.
"""
import collections
import concurrent.futures
import os
import pickle
import shutil
import struct

import cv2
import numpy as np

from benchmarks import portraits

FRAME_SIZE = (1920, 1080)
CROP_UNITS = 258.0             # a whole_face crop shows about this many model units
SECOND_PERSON = 0.15           # share of the shots that show two heads
JITTER = 0.35                  # a landmark detector's noise, px of the face

Face = collections.namedtuple("Face", "name shot step person size frame dfl png same_as twin")
Face.__doc__ = """One file to make. frame: number of the video frame; dfl: with metadata; same_as: name of the
file that it is a copy of, or None; twin: it repeats the metadata of the face before it."""


def make_faceset(folder, count, seed=0, size=320, sizes=None, quality=100, ties=False, non_dfl=0, png=0,
                 xseg_every=0, polys_every=0, face_type="whole_face", workers=None, progress=None):
    """Write `count` faces into `folder` (made if missing) and return their names, sorted (list of str).

    size: side in px; sizes: several sides, taken in turn instead. quality: of the JPGs. ties: every fifth
    face is a byte-for-byte copy of another one or repeats the metadata of the face before. non_dfl: so many
    JPGs have no metadata; png: so many faces are PNGs (which carry none). xseg_every, polys_every: every
    n-th face has an XSeg mask, XSeg polygons. face_type: see accel.landmarks. progress: called with the
    number of faces done. Raises OSError, for instance when the disk is full.
    """
    os.makedirs(folder, exist_ok=True)
    plan = _plan(count, seed, list(sizes or [size]), ties, non_dfl, png)
    settings = _Settings(seed, quality, xseg_every, polys_every, face_type, _paint_cast(seed, plan))
    shots = collections.OrderedDict()
    for index, face in enumerate(plan):
        shots.setdefault(face.shot, []).append((index, face))
    from accel import compat
    threads_before = cv2.getNumThreads()
    cv2.setNumThreads(1)           # the shots run side by side
    try:
        with concurrent.futures.ThreadPoolExecutor(workers or compat.cpu_count()) as pool:
            jobs = [pool.submit(_make_shot, folder, shot, faces, settings) for shot, faces in shots.items()]
            try:
                for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
                    job.result()
                    if progress is not None:
                        progress(count * done // len(jobs))
            finally:
                for job in jobs:
                    job.cancel()
    finally:
        cv2.setNumThreads(threads_before)
    for face in plan:
        if face.same_as is not None:
            shutil.copyfile(os.path.join(folder, face.same_as), os.path.join(folder, face.name))
    return sorted(face.name for face in plan)


def copy_faceset(source, target, names=None):
    """Give every file of `source` (or the `names` of it) a second name in the new folder `target`.

    Hard links where the file system has them, so only for work that renames and never writes into a
    file; else copies. Raises OSError.
    """
    os.makedirs(target)
    place = os.link
    for name in os.listdir(source) if names is None else names:
        pair = os.path.join(source, name), os.path.join(target, name)
        try:
            place(*pair)
        except OSError:
            if place is shutil.copyfile:
                raise
            place = shutil.copyfile
            place(*pair)


# --- what to make ----------------------------------------------------------------------------

def _plan(count, seed, sizes, ties, non_dfl, png):
    """The files of a faceset: list of Face, in the order of the frames."""
    random = np.random.RandomState([seed, 1])
    typical = min(max(count / 12.0, 4.0), 60.0)
    faces, shot, frame = [], 0, 0
    while len(faces) < count:
        people = 2 if random.random_sample() < SECOND_PERSON else 1
        for step in range(max(2, int(typical * random.uniform(0.5, 1.5) / people))):
            for person in range(people):
                name = "{:05d}_{}".format(frame, person)
                size = sizes[len(faces) % len(sizes)]
                faces.append(Face(name, shot, step, person, size, frame, True, False, None, False))
            frame += 1
        shot += 1
        frame += random.randint(0, 12)               # frames without a face
    return _with_exceptions(faces[:count], random, ties, non_dfl, png)


def _with_exceptions(faces, random, ties, non_dfl, png):
    """Turn some of the faces into copies, twins, pictures without metadata, and PNGs; name them all."""
    order = [int(i) for i in random.permutation(len(faces))]
    for kind, wanted in (("png", png), ("non_dfl", non_dfl)):
        for _ in range(min(wanted, len(order))):
            index = order.pop()
            faces[index] = faces[index]._replace(dfl=False, png=kind == "png")
    faces = [face._replace(name=face.name + (".png" if face.png else ".jpg")) for face in faces]
    if ties:
        for turn in range(min(len(faces) // 5, len(order) // 2)):
            index, source = order.pop(), order[0]
            if turn % 2:
                faces[index] = faces[index]._replace(twin=True)
            else:
                faces[index] = faces[index]._replace(same_as=faces[source].name)
                order.remove(source)                     # a source stays a plain face
    return faces


class _Settings(object):
    """What all shots share."""

    def __init__(self, seed, quality, xseg_every, polys_every, face_type, cast):
        self.seed, self.quality, self.face_type, self.cast = seed, quality, face_type, cast
        self.xseg_every, self.polys_every = xseg_every, polys_every
        random = np.random.RandomState([seed, 2])
        largest = max(cast)
        fine = random.standard_normal((largest + 64, largest + 64, 3)).astype(np.float32) * 0.45
        fine += random.standard_normal((largest + 64, largest + 64, 1)).astype(np.float32)
        grain = cv2.GaussianBlur(fine, (0, 0), 0.45)
        self.grains = [np.round(grain * level).astype(np.int16) for level in (0.8, 1.5, 2.4, 3.6)]


def _paint_cast(seed, plan):
    """Two actors for every size in the plan: {size: [Actor, Actor]}."""
    return {size: [portraits.Actor(np.random.RandomState([seed, 3, person]), min(1024, int(3.2 * size) + 32))
                   for person in range(2)]
            for size in sorted({face.size for face in plan})}


# --- a shot ----------------------------------------------------------------------------------

def _smooth(random, steps, amount):
    """A slow course around 0: float64 (steps,), typical deviation `amount`."""
    time = np.arange(steps) / 25.0                   # seconds
    course = random.normal(0, 0.04, steps)
    for _ in range(4):
        course += random.normal(0, 0.7) * np.sin(time * random.uniform(0.3, 4) + random.uniform(0, 6.3))
    return amount * course


def _rotations(pitch, yaw, roll):
    """Model to view, turned by pitch, then yaw, then roll (radians, (n,) each): float64 (n, 3, 3)."""
    def about(axis, angle):
        turned = np.zeros((len(angle), 3, 3))
        turned[:, axis, axis] = 1
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turned[:, first, first] = turned[:, second, second] = np.cos(angle)
        turned[:, second, first] = np.sin(angle)
        turned[:, first, second] = -np.sin(angle)
        return turned
    return about(2, roll) @ about(1, yaw) @ about(0, pitch)


class _Course(object):
    """How one head moves through a shot: all arrays have one row a step."""

    def __init__(self, random, steps, person):
        yaw = np.clip(random.normal(0, 0.4), -0.9, 0.9) + _smooth(random, steps, 0.16)
        pitch = np.clip(random.normal(0, 0.15), -0.4, 0.4) + _smooth(random, steps, 0.07)
        roll = random.normal(0, 0.08) + _smooth(random, steps, 0.05)
        self.rotations = _rotations(np.clip(pitch, -0.6, 0.6), np.clip(yaw, -1.05, 1.05), roll)
        # px a unit
        self.scale = np.exp(random.uniform(np.log(0.7), np.log(3.2)) + _smooth(random, steps, 0.03))
        frame = np.array(FRAME_SIZE)
        reach = 0.62 if random.random_sample() < 0.2 else 0.28            # some heads touch the border
        start = frame / 2 + frame * random.uniform(-reach, reach, 2) * [1, 0.6]
        start[0] += (person * 2 - 1) * 60
        margin = 75 * self.scale.max()                                    # a detector wants most of the face
        start = np.minimum(np.maximum(start, margin), np.maximum(frame - margin, margin))
        sway = np.stack([_smooth(random, steps, 22), _smooth(random, steps, 9)], axis=1)
        self.centres = start + self.scale[:, None] * sway
        self.expressions = np.clip(np.floor(1 + _smooth(random, steps, 1.2)), 0, 2).astype(int)
        self.expressions[random.random_sample(steps) < 0.05] = 3          # a blink
        self.defocus = np.maximum(_smooth(random, steps, 1.6) + random.uniform(-2.5, 1.2), 0)
        path = self.centres / self.scale[:, None] + 75 * np.stack([yaw, pitch], axis=1)
        # of the face between two frames, in sides of the picture
        self.motion = np.gradient(path, axis=0) / CROP_UNITS if steps > 1 else np.zeros((1, 2))
        light = np.array([random.uniform(-0.8, 0.8), random.uniform(-0.7, 0.1), -0.8])
        self.light = light / np.linalg.norm(light)
        self.ambient = random.uniform(0.3, 0.75)


def _muted(random, low, high):
    """A colour as rooms have them, nearer to grey than to a pure one: float64 (3,) BGR."""
    return random.uniform(low, high) * 0.65 + random.uniform(low, high, 3) * 0.35


class _Look(object):
    """Camera, colours and ground of a shot."""

    def __init__(self, random, steps, size):
        self.gain = np.exp(np.clip(random.normal(0, 0.32), -1.1, 0.45) + _smooth(random, steps, 0.04))
        self.gamma = random.uniform(0.8, 1.25)
        self.cast = np.exp(random.normal(0, 0.1, 3))
        self.grain = random.randint(0, 4)
        side = max(96, 2 * size)
        octaves = max(4, int(np.log2(side)) - 1)
        ground = np.empty((side, side, 3), np.float32)
        ground[:] = _muted(random, 35, 190)
        ground *= (1 + 0.25 * portraits.natural_noise(random, side, side, octaves, 0.7))[..., None]
        for _ in range(14):
            x, y, wide, high = random.uniform(0, side, 4)
            colour = tuple(float(c) for c in _muted(random, 10, 235))
            corner = (int(x + wide * 0.4), int(y + high * 0.4))
            cv2.rectangle(ground, (int(x), int(y)), corner, colour, -1 if random.random_sample() < 0.7 else 2)
        fine = portraits.natural_noise(random, side, side, 5, 0.9)
        ground = cv2.GaussianBlur(ground, (0, 0), side / 640.0 * random.uniform(0.5, 7))
        self.ground = np.clip(ground * (1 + 0.04 * fine)[..., None], 0, 255).astype(np.uint8)

    def curve(self, step):
        """The camera's response: uint8 (1, 256, 3)."""
        line = np.linspace(0, 1, 256)[:, None] ** self.gamma * self.gain[step] * self.cast
        soft = np.where(line > 0.8, 1 - 0.2 * np.exp(-(line - 0.8) / 0.2), line)        # highlights roll off
        return np.clip(soft * 255, 0, 255).astype(np.uint8)[None]


def _make_shot(folder, shot, faces, settings):
    """Draw and write all faces of a shot."""
    from accel import landmarks as alignment
    random = np.random.RandomState([settings.seed, 4, shot])
    steps = max(face.step for _, face in faces) + 1
    look = _Look(random, steps, max(face.size for _, face in faces))
    courses = [_Course(random, steps, person) for person in range(2)]
    previous, previous_size = None, None
    for index, face in faces:
        if face.same_as is not None:
            continue
        random = np.random.RandomState([settings.seed, 5, index])
        course, actor = courses[face.person], settings.cast[face.size][face.person]
        in_frame = _landmarks_in_frame(course, actor, face.step, face.size, random)
        matrix = alignment.alignment_matrix(in_frame, face.size, settings.face_type)
        picture = _take_picture(course, look, actor, face, matrix, settings, random)
        data = _encode(picture, face.png, settings.quality)
        if face.dfl:
            if not (face.twin and previous_size == face.size):
                previous = _metadata(face, index, in_frame, matrix, settings)
            previous_size = face.size
            data = with_metadata(data, previous)
        with open(os.path.join(folder, face.name), "wb") as stream:
            stream.write(data)


def _landmarks_in_frame(course, actor, step, size, random):
    """Where a detector would see the 68 landmarks: float64 (68, 2), px of the frame."""
    solid = actor.landmarks[course.expressions[step]]
    seen = (solid @ course.rotations[step].T)[:, :2] * course.scale[step] + course.centres[step]
    return seen + random.normal(0, JITTER, (68, 2)) * CROP_UNITS * course.scale[step] / max(size, 128)


# --- a picture -------------------------------------------------------------------------------

def _take_picture(course, look, actor, face, matrix, settings, random):
    """Draw the aligned face: uint8 (size, size, 3) BGR."""
    size, step = face.size, face.step
    back = cv2.invertAffineTransform(matrix)                             # px of the face -> px of the frame
    scale, centre = course.scale[step], course.centres[step]
    to_view = (back - np.array([[0, 0, centre[0]], [0, 0, centre[1]]])) / scale
    side = len(look.ground)
    to_ground = back - np.array([[0, 0, course.centres[0][0]], [0, 0, course.centres[0][1]]])
    to_ground *= side / (2 * CROP_UNITS * course.scale[0])
    to_ground[:, 2] += side / 2.0
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(look.ground, to_ground, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)
    expression = course.expressions[step]
    portraits.render(actor, expression, course.rotations[step].astype(np.float32), to_view.astype(np.float32),
                     size, course.light, picture, course.ambient)
    picture = _blurred(picture, course, step, size)
    picture = cv2.LUT(picture, look.curve(step))
    at_y, at_x = random.randint(0, 64, 2)
    grain = settings.grains[look.grain][at_y:at_y + size, at_x:at_x + size]
    picture = cv2.add(picture, grain, dtype=cv2.CV_8U)
    _blacken_outside(picture, matrix, back)
    return picture


def _blurred(picture, course, step, size):
    """Lens, focus, a small source, and motion."""
    source_pixel = size / (CROP_UNITS * course.scale[step])              # of the frame, in px of the face
    sigma = np.hypot(max(0.4, 0.6 * source_pixel), course.defocus[step] * size / 320.0)
    picture = cv2.GaussianBlur(picture, (0, 0), float(sigma))
    motion = course.motion[step] * size * 0.7                            # the shutter is open 0.7 of the time
    length = float(np.hypot(*motion))
    if length > 1.5:
        reach = min(int(np.ceil(length / 2)), 16)
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        end = np.clip(motion / 2, -reach, reach)
        ends = [tuple(int(round(16 * (reach + sign * v))) for v in end) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, 4)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    return picture


def _blacken_outside(picture, matrix, back):
    """What lies outside the video frame is black, as a warp leaves it."""
    size = len(picture)
    corners = np.array([(0, 0, 1), (size, 0, 1), (size, size, 1), (0, size, 1)]) @ back.T
    if (corners >= 0).all() and (corners <= FRAME_SIZE).all():
        return
    wide, high = FRAME_SIZE
    frame = np.array([(0, 0, 1), (wide, 0, 1), (wide, high, 1), (0, high, 1)]) @ matrix.T
    inside = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(inside, np.int32(np.clip(np.round(frame), -30000, 30000)), 1)
    picture[inside == 0] = 0


def _encode(picture, png, quality):
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if png else [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".png" if png else ".jpg", picture, options)[1].tobytes()


# --- metadata --------------------------------------------------------------------------------

def _metadata(face, index, in_frame, matrix, settings):
    """What an extraction stores with a face, and what XSeg adds (dict)."""
    aligned = cv2.transform(in_frame[:, None], matrix)[:, 0]
    low, high = in_frame.min(axis=0), in_frame.max(axis=0)
    margin = (high - low) * 0.06
    rect = [int(v) for v in np.concatenate([low - margin, high + margin])]
    metadata = {
        "face_type": settings.face_type,
        "landmarks": aligned.tolist(),
        "source_filename": "{:05d}.png".format(face.frame),
        "source_rect": np.array(rect, np.int64),
        "source_landmarks": in_frame.tolist(),
        "image_to_face_mat": matrix,
    }
    if settings.xseg_every and index % settings.xseg_every == 0:
        metadata["eyebrows_expand_mod"] = 1.0
        metadata["xseg_mask"] = _xseg_mask(aligned * (256.0 / face.size))
    if settings.polys_every and index % settings.polys_every == 0:
        outline = cv2.convexHull(aligned[:27].astype(np.float32))[:, 0]
        patch = aligned[36:42].astype(np.float32)
        metadata["seg_ie_polys"] = {"polys": [{"type": 1, "pts": outline}, {"type": 0, "pts": patch}]}
    return metadata


def _xseg_mask(landmarks):
    """A trained mask as it is stored: the bytes of a grey 256 px PNG, uint8 (n, 1)."""
    mask = np.zeros((256, 256), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.int32(np.round(landmarks))), 255)
    mask = cv2.GaussianBlur(mask, (0, 0), 2.5)
    return cv2.imencode(".png", mask)[1].reshape(-1, 1)


def with_metadata(jpeg, metadata):
    """Put a metadata dict into a JPG that OpenCV encoded (bytes -> bytes); the engine has no hand in it."""
    content = pickle.dumps(metadata, 3).replace(b"cnumpy._core.", b"cnumpy.core.")
    head = 4 + struct.unpack(">H", jpeg[4:6])[0]                         # SOI, then the JFIF segment
    return jpeg[:head] + b"\xff\xef" + struct.pack(">H", len(content) + 2) + content + jpeg[head:]
