"""Painted heads for test and benchmark input: no photograph, natural statistics, known landmarks.

A head is an ellipsoid with a little relief (nose, lips, chin), seen orthographically. Skin, hair and
features are painted once on a stereographic map of the sphere, one map an expression; a picture is one
ray per pixel to the surface, one lookup in the map, light from one side, a blurred ground behind and
clothes in front. Landmarks lie on the same surface, so they sit on the painted features in any pose.

Model space: units of about a millimetre, x to the right of the picture, y down, z away from the viewer.
"""
import cv2
import numpy as np

AXES = np.array([76.0, 150.0, 93.0], np.float32)     # the ellipsoid goes on below the chin: that is the neck
CENTRE = np.array([0.0, -30.0, 78.0], np.float32)
MAP_RADIUS = 1.5                                     # stereographic: 1 is the silhouette of a frontal head
EXPRESSIONS = ((0.0, 1.0), (0.35, 1.0), (0.9, 1.0), (0.0, 0.15))     # (mouth opening, eyelid opening)


def natural_noise(random, height, width, octaves, decay=0.5):
    """Noise whose octaves fall off as in natural pictures (about 1/f).

    Returns float32 (height, width), mean about 0, standard deviation 1.
    """
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for octave in range(octaves, 0, -1):
        step = 2 ** (octave - 1)
        small = random.standard_normal((height // step + 2, width // step + 2)).astype(np.float32)
        total += weight * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        weight *= decay
    return total / max(float(total.std()), 1e-6)


def _mirrored(points):
    return [(-x, y) for x, y in points]


def flat_landmarks(mouth=0.0, lids=1.0):
    """The 68 landmarks of the frontal face (iBUG order): float32 (68, 2), model units."""
    turn = np.linspace(0, np.pi / 2, 9)
    jaw = [(-73 * max(np.cos(a), 0) ** 0.75, -30 + (107 + 9 * mouth * np.sin(a)) * np.sin(a)) for a in turn]
    brow = [(-61 + 12.2 * i, -50 - 12 * np.sin(np.pi * (i + 0.6) / 5.2)) for i in range(5)]
    up, low = 4.6 * lids, 3.4 * lids
    eye = [(-46.5, -38), (-38, -38.5 - up), (-28, -38.5 - up),
           (-19.5, -37.5), (-28, -38 + low), (-38, -38 + low)]
    nose = [(0, -42), (0, -31), (0, -20), (0, -8), (-15, 3), (-7, 5), (0, 7), (7, 5), (15, 3)]
    upper = [(-29, 28.5 + mouth), (-17.5, 22), (-6.5, 19), (0, 21)]
    lower = [(-18.5, 36.5 + 12 * mouth), (-8.5, 39.7 + 14 * mouth), (0, 40.5 + 14 * mouth)]
    inner_upper = [(-24.5, 28.6 + mouth), (-7, 25.6), (0, 26)]
    inner_lower = [(-8, 30.8 + 12 * mouth), (0, 31.4 + 12 * mouth)]
    points = jaw + _mirrored(jaw[-2::-1]) + brow + _mirrored(brow[::-1]) + nose + eye
    points += _mirrored([eye[3], eye[2], eye[1], eye[0], eye[5], eye[4]])
    points += upper + _mirrored(upper[-2::-1]) + _mirrored(lower[:2]) + lower[::-1]
    points += inner_upper + _mirrored(inner_upper[-2::-1]) + _mirrored(inner_lower[:1]) + inner_lower[::-1]
    return np.array(points, np.float32)


def _bump(x, y, at_x, at_y, wide, high):
    return np.exp(-((x - at_x) / wide) ** 2 - ((y - at_y) / high) ** 2)


def relief(x, y):
    """How far the surface stands out of the ellipsoid, as a share of its radius; same shape as x."""
    bridge = _bump(x, y, 0, -22, 9, 17) * 0.13
    tip = _bump(x, y, 0, -4, 12, 13) * 0.24
    lips = _bump(x, y, 0, 30, 22, 14) * 0.12
    chin = _bump(x, y, 0, 70, 26, 20) * 0.12
    sockets = (_bump(x, y, -33, -38, 16, 9) + _bump(x, y, 33, -38, 16, 9)) * 0.05
    return (bridge + tip + lips + chin - sockets).astype(np.float32)


def solid_landmarks(mouth=0.0, lids=1.0):
    """The 68 landmarks on the surface of the head: float32 (68, 3), model units."""
    flat = flat_landmarks(mouth, lids)
    side = (flat - CENTRE[:2]) / AXES[:2]
    depth = -np.sqrt(np.maximum(1 - (side ** 2).sum(axis=1), 0))
    sphere = np.concatenate([side, depth[:, None]], axis=1)
    return CENTRE + AXES * sphere * (1 + relief(flat[:, 0], flat[:, 1]))[:, None]


class Actor(object):
    """One person: painted maps for every expression, and clothes.

    texture_side: side of the square maps in px. maps: list of uint8 (side, side, 3) BGR, one for each of
    EXPRESSIONS. relief: float32 (side, side). landmarks: list of float32 (68, 3).
    """

    def __init__(self, random, texture_side):
        self.side = texture_side
        line = (np.arange(texture_side, dtype=np.float32) + 0.5) / texture_side
        line = (2 * line - 1) * MAP_RADIUS
        p, q = line[None, :], line[:, None]
        scale = 2 / (1 + p * p + q * q)
        self._front = (p * p + q * q < 1)
        self._x, self._y = AXES[0] * p * scale, CENTRE[1] + AXES[1] * q * scale
        self.relief = np.where(self._front, relief(self._x, self._y), 0).astype(np.float32)
        self._tone = np.float32([random.uniform(95, 140), random.uniform(125, 165), random.uniform(175, 215)])
        self._hair_tone = np.float32([1.0, 1.3, 1.6]) * random.uniform(18, 60)
        self._iris = tuple(int(c) for c in random.uniform(30, 130, 3))
        skin = self._paint_skin(random)
        hair, hair_mask = self._paint_hair(random)
        self.maps, self.landmarks = [], []
        for mouth, lids in EXPRESSIONS:
            face = self._paint_features(skin.copy(), random, mouth, lids)
            face += hair_mask[..., None] * (hair - face)
            self.maps.append(np.clip(face, 0, 255).astype(np.uint8))
            self.landmarks.append(solid_landmarks(mouth, lids))
        self.cloth = self._paint_cloth(random)

    def _to_map(self, flat):
        """Map pixels of points of the frontal face: float32 (n, 2) model units -> float32 (n, 2) px."""
        side = (np.float32(flat) - CENTRE[:2]) / AXES[:2]
        depth = np.sqrt(np.maximum(1 - (side ** 2).sum(axis=1, keepdims=True), 0))
        return (side / (1 + depth) + MAP_RADIUS) * (self.side / (2 * MAP_RADIUS))

    def _soft_polygon(self, flat, blur):
        """A filled polygon with soft edges: (rows, columns, mask 0..1) of its box; blur in model units."""
        sigma = max(blur * self.side / 512.0, 0.3)
        at = self._to_map(flat)
        margin = int(3 * sigma) + 2
        low = np.maximum(np.floor(at.min(axis=0)).astype(int) - margin, 0)
        high = np.minimum(np.ceil(at.max(axis=0)).astype(int) + margin, self.side)
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillPoly(mask, [np.int32(np.round((at - low) * 16))], 255, cv2.LINE_AA, 4)
        mask = cv2.GaussianBlur(mask, (0, 0), sigma).astype(np.float32) / 255
        return slice(low[1], high[1]), slice(low[0], high[0]), mask

    def _blend(self, face, flat, colour, blur, strength=1.0, within=None):
        """Lay a colour over a soft polygon of face, in place; within: a polygon that cuts it."""
        rows, columns, mask = self._soft_polygon(flat, blur)
        if within is not None:
            whole = np.zeros((self.side, self.side), np.float32)
            inner = self._soft_polygon(within, 0.4)
            whole[inner[0], inner[1]] = inner[2]
            mask = mask * whole[rows, columns]
        part = face[rows, columns]
        part += (mask * strength)[..., None] * (np.float32(colour) - part)

    def _paint_skin(self, random):
        side, x, y = self.side, self._x, self._y
        octaves = max(3, int(np.log2(side)) - 2)
        skin = np.empty((side, side, 3), np.float32)
        skin[:] = self._tone
        skin *= (1 + 0.035 * natural_noise(random, side, side, octaves, 0.85))[..., None]
        skin *= (1 + 0.02 * natural_noise(random, side, side, 2, 1.4))[..., None]
        flush = _bump(x, y, -42, 5, 26, 22) + _bump(x, y, 42, 5, 26, 22) + 0.7 * _bump(x, y, 0, -2, 12, 9)
        skin *= 1 - flush[..., None] * np.float32([0.16, 0.14, 0.02])
        shade = _bump(x, y, -33, -42, 19, 9) + _bump(x, y, 33, -42, 19, 9)                 # eye sockets
        shade = 0.34 * shade + 0.3 * (_bump(x, y, -11, -20, 6, 22) + _bump(x, y, 12, -20, 6, 22))
        shade += 0.3 * _bump(x, y, 0, 10, 20, 5) + 0.22 * _bump(x, y, 0, 49, 20, 6)        # nose, chin
        shade -= 0.16 * _bump(x, y, 0, -16, 4, 22) + 0.14 * _bump(x, y, 0, -85, 40, 25)    # ridge, forehead
        jaw = flat_landmarks()[:17]
        rows, columns, face = self._soft_polygon(np.concatenate([jaw, [(76, -120), (-76, -120)]]), 4)
        below = np.where(y > -25, np.float32(0.45), np.float32(0))
        below[rows, columns] *= 1 - face
        shade += below                                                                   # the neck in shadow
        spots = (random.random_sample((side, side)) > 0.9985).astype(np.float32)
        shade += cv2.GaussianBlur(spots, (0, 0), max(side / 700.0, 0.4)) * 1.2           # freckles
        return skin * (1 - shade)[..., None]

    def _paint_hair(self, random):
        side = self.side
        strands = random.standard_normal((side, side)).astype(np.float32)
        strands = cv2.blur(strands, (1, max(3, side // 14)))
        strands = cv2.GaussianBlur(strands, (0, 0), 0.6) + 0.25 * cv2.blur(strands, (max(3, side // 60), 1))
        bend = natural_noise(random, side, side, max(3, int(np.log2(side)) - 1)) * (side / 90.0)
        grid_y, grid_x = np.mgrid[0:side, 0:side].astype(np.float32)
        strands = cv2.remap(strands, grid_x + bend, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        strands = np.clip(strands / strands.std(), -2.5, 3.5)
        hair = self._hair_tone * (1 + 0.42 * strands)[..., None]
        line = [(-75, 8), (-71, -30), (-66, -70), (-48, -98), (-20, -108), (8, -111), (44, -102), (66, -72),
                (71, -30), (75, 8)]
        ragged = np.float32(line) + random.uniform(-2, 2, (len(line), 2))
        rows, columns, bare = self._soft_polygon(np.concatenate([ragged, [(60, 118), (-60, 118)]]), 1.6)
        covered = np.ones((side, side), np.float32)
        covered[rows, columns] -= bare
        covered[self._y > 30] = 0                                                        # the neck
        return hair, covered

    def _paint_features(self, face, random, mouth, lids):
        marks = flat_landmarks(mouth, lids)
        for eye in (marks[36:42], marks[42:48]):
            centre = eye.mean(axis=0)
            self._blend(face, (eye - centre) * [1.15, 1.7] + centre, self._tone * 0.45, 2.2, 0.55)
            self._blend(face, eye, (205, 208, 214), 0.5)
            self._paint_iris(face, eye, centre, lids)
            lid = np.concatenate([eye[:4], eye[3::-1] - [0, 2.2]])
            self._blend(face, lid, (22, 26, 34), 0.7, 0.9)
        for brow in (marks[17:22], marks[22:27]):
            self._paint_brow(face, brow, random)
        self._blend(face, marks[48:60], self._tone * np.float32([0.62, 0.55, 0.82]), 1.0, 0.85)
        self._blend(face, marks[60:68], (24, 18, 44), 0.8, 0.95)
        if mouth > 0.2:
            row = marks[61:64] + [[-7, 1.5], [0, 0], [7, 1.5]]
            teeth = np.concatenate([row, row[::-1] + [0, 5]])
            self._blend(face, teeth, (198, 212, 220), 0.8, 0.9)
        for x in (-8.5, 8.5):
            self._blend(face, [(x - 4, 3), (x, 0.5), (x + 4, 3), (x, 5.5)], (30, 32, 55), 0.9, 0.85)
        return face

    def _paint_iris(self, face, eye, centre, lids):
        around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        disc = np.stack([np.cos(around), np.sin(around)], axis=1)
        self._blend(face, centre + disc * 5.6, self._iris, 0.3, within=eye)
        self._blend(face, centre + disc * 2.4, (8, 8, 8), 0.3, within=eye)
        if lids > 0.5:
            self._blend(face, centre + [1.6, -1.7] + disc * 1.2, (245, 245, 245), 0.3)

    def _paint_brow(self, face, brow, random):
        rows, columns, mask = self._soft_polygon(np.concatenate([brow - [0, 9], brow[::-1] + [0, 9]]), 2)
        strokes = np.zeros(mask.shape, np.uint8)
        for t in random.uniform(0, 4, 130):
            at = brow[int(t)] + (brow[int(t) + 1] - brow[int(t)]) * (t % 1)
            at = at + [0, random.uniform(-0.5, 4.2)]
            hair = np.stack([at, at + [random.uniform(1, 5) * np.sign(at[0]), random.uniform(-4.5, 0)]])
            ends = np.round((self._to_map(hair) - [columns.start, rows.start]) * 16).astype(int).tolist()
            cv2.line(strokes, tuple(ends[0]), tuple(ends[1]), 150, max(1, self.side // 500), cv2.LINE_AA, 4)
        mask = cv2.GaussianBlur(strokes, (0, 0), max(self.side / 800.0, 0.3)).astype(np.float32) / 255
        part = face[rows, columns]
        part += mask[..., None] * (self._hair_tone * 0.8 - part)

    def _paint_cloth(self, random):
        """Shoulders and collar: (uint8 (side, side, 3), uint8 (side, side) mask); 320 model units wide."""
        side = max(96, self.side // 2)
        weave = natural_noise(random, side, side, 6, 0.6) * 0.12 + natural_noise(random, side, side, 1) * 0.1
        cloth = random.uniform(25, 190, 3).astype(np.float32) * (1 + weave)[..., None]
        mask = np.zeros((side, side), np.uint8)
        outline = np.float32([(0, .95), (.12, .91), (.29, .85), (.36, .80), (.5, .95), (.64, .80), (.71, .85),
                              (.88, .91), (1, .95), (1, 1.1), (0, 1.1)])
        cv2.fillPoly(mask, [np.int32(np.round(outline * side * 16))], 255, cv2.LINE_AA, 4)
        return np.clip(cloth, 0, 255).astype(np.uint8), mask


def _surface(to_view, rotation, relief_map, side, size):
    """For each pixel the point of the head that it sees.

    to_view: (2, 3) picture px -> view plane; rotation: (3, 3) model -> view. Returns the point of the unit
    sphere (three float32 (size, size) planes), the map coordinates in px, and the mask (uint8) of the head.
    """
    pixels = np.arange(size, dtype=np.float32)
    inverse = (rotation.T / AXES[:, None]).astype(np.float32)
    planes = []
    centre = CENTRE / AXES
    for row in range(3):
        across = inverse[row, :2] @ to_view
        planes.append((across[0] * pixels)[None, :] + (across[1] * pixels + across[2] - centre[row])[:, None])
    direction = inverse[:, 2]
    square = float(direction @ direction)
    half = planes[0] * direction[0] + planes[1] * direction[1] + planes[2] * direction[2]
    rest = planes[0] * planes[0] + planes[1] * planes[1] + planes[2] * planes[2]
    base = half * half - square * rest
    mask = cv2.compare(base + square, 0, cv2.CMP_GT)
    zoom = np.float32(side / (2 * MAP_RADIUS))
    radius2 = np.float32(1)
    for turn in range(3):
        depth = (half + np.sqrt(np.maximum(base + square * radius2, 0))) * np.float32(-1 / square)
        point = [planes[row] + direction[row] * depth for row in range(3)]
        if turn:
            radius = np.sqrt(radius2)
            point = [plane / radius for plane in point]
        stretch = zoom / np.maximum(1 - point[2], np.float32(0.05))
        map_x, map_y = point[0] * stretch + side * 0.5 - 0.5, point[1] * stretch + side * 0.5 - 0.5
        if turn < 2:
            height = cv2.remap(relief_map, map_x, map_y, cv2.INTER_LINEAR)
            radius2 = (1 + height) ** 2
    return point, map_x, map_y, mask


def render(actor, expression, rotation, to_view, size, light, ground, ambient=0.45):
    """Draw a head over its ground.

    actor: Actor; expression: index of EXPRESSIONS; rotation: float (3, 3) model -> view; to_view: float32
    (2, 3) picture px -> view plane; light: unit vector (3,) towards the light, view space; ground: uint8
    (size, size, 3) BGR, drawn over and returned.
    """
    point, map_x, map_y, mask = _surface(to_view, rotation, actor.relief, actor.side, size)
    head = cv2.remap(actor.maps[expression], map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    towards = (rotation.T @ light) * (AXES.min() / AXES)
    lit = sum(plane * np.float32(share) for plane, share in zip(point, towards))
    shade = ambient + (1.25 - ambient) * np.maximum(lit + np.float32(0.15), 0)
    head = cv2.multiply(head, cv2.merge([shade, shade, shade]), dtype=cv2.CV_8U)
    cv2.copyTo(head, mask, ground)
    cloth, cloth_mask = actor.cloth
    unit = len(cloth) / 320.0
    to_cloth = to_view * unit
    to_cloth[:, 2] += [160 * unit, 175 * unit]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpAffine(cloth, to_cloth, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)
    covered = cv2.warpAffine(cloth_mask, to_cloth, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    cv2.copyTo(drawn, cv2.compare(covered, 127, cv2.CMP_GT), ground)
    return ground
