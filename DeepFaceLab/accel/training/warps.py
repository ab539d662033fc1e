"""Random warps of training faces: a bent grid of cells, and a turn, scale and shift of the whole square.

Every function answers to one of stock's `core.imagelib.warp`: it draws the same numbers from the same generators in
the same order, and its results are equal to the bit for equal OpenCV.
"""
import cv2
import numpy as np

SMALLEST_SIDE = 64          # px; a smaller picture is warped at this side
_TRUNCATED_AT = 2.5         # standard deviations; what lies beyond is drawn again
_FLIPS_OF_TEN = 4


def parameters(side, flip, rotation_range, scale_range, tx_range, ty_range, random, warp_random):
    """Draw one random warp.

    side: of the square picture, px. flip: whether it may be mirrored. rotation_range: (low, high), degrees.
    scale_range: (low, high), 0 leaves the size. tx_range, ty_range: (low, high), parts of the side. random,
    warp_random: what the transform and the grid are drawn from, RandomState or numpy.random.
    Returns a dict: rmat, float64 (2, 3), px of a square of side w; umat, the same for shifts in sides; w, int, at
    least 64; rw, the side asked for where it is below 64, else None; flip; mapx, mapy, float32 (w, w), where the
    pixels of a warped picture come from, px (as in stock 1 px more where the cells' side is odd).
    Answers to `gen_warp_params`.
    """
    params = transform_parameters(side, flip, rotation_range, scale_range, tx_range, ty_range, random)
    params['mapx'], params['mapy'] = draw_maps(params['w'], warp_random)
    return params


def transform_parameters(side, flip, rotation_range, scale_range, tx_range, ty_range, random):
    """The part of `parameters` that is drawn from `random`: all but the maps."""
    small = side if side < SMALLEST_SIDE else None
    side = max(side, SMALLEST_SIDE)
    rotation = random.uniform(rotation_range[0], rotation_range[1])
    scale = random.uniform(1 / (1 - scale_range[0]), 1 + scale_range[1])
    shift_x = random.uniform(tx_range[0], tx_range[1])
    shift_y = random.uniform(ty_range[0], ty_range[1])
    flipped = flip and random.randint(10) < _FLIPS_OF_TEN
    matrix = cv2.getRotationMatrix2D((side // 2, side // 2), rotation, scale)
    matrix[:, 2] += (shift_x * side, shift_y * side)
    unit = matrix.copy()
    unit[:, 2] /= side
    return {'rmat': matrix, 'umat': unit, 'w': side, 'rw': small, 'flip': flipped}


def draw_maps(side, random):
    """Draw a grid of 2, 4 or 8 cells a side whose inner corners are moved, and spread it over the pixels.

    Returns two float32 (side, side): the x and the y of where each pixel comes from. Both are 1 px larger where the
    side of a cell is odd.
    """
    cell = side // 2 ** (1 + random.randint(3))
    count = side // cell + 1
    moved = np.empty((count, count))
    moved[:] = np.linspace(0, side, count)
    inner = moved[1:-1, 1:-1]
    reach = np.float32(cell * 0.24)
    inner += truncated_normal(inner.shape, random) * reach
    # stock's map of y is a view of its map of x: both get the moves of both, mirrored at the diagonal
    inner += (truncated_normal(inner.shape, random) * reach).T
    return _spread(moved, side, cell), _spread(moved.T, side, cell)


def truncated_normal(shape, random):
    """Draw from a normal distribution cut at 2.5 standard deviations, which is 1 here: float32 of that shape.

    Answers to `core.randomex.random_normal`; as many numbers are taken from `random` as there.
    """
    wanted = int(np.prod(shape))
    drawn = np.empty(0)
    while len(drawn) < wanted:
        more = random.normal(size=wanted - len(drawn))
        drawn = np.append(drawn, more[np.abs(more) <= _TRUNCATED_AT])
    return (drawn / _TRUNCATED_AT).astype(np.float32).reshape(shape)


def _spread(corners, side, cell):
    """Corners of the cells to pixels, half a cell beyond each border cut off: float32 (side, side)."""
    margin = cell // 2
    spread = cv2.resize(corners, (side + cell, side + cell))
    return spread[margin:-margin, margin:-margin].astype(np.float32)


def apply(params, image, can_warp, can_transform, can_flip, replicate, interpolation=cv2.INTER_CUBIC):
    """Warp, transform and mirror a picture.

    params: see `parameters`; the maps are needed only to warp. image: float32 (H, W) or (H, W, C), sides of
    params['w'] if it is only transformed. replicate: whether the border's pixels go on outside (else black).
    Returns float32 (w or rw, same, C), a view of the picture if nothing is done to it. Answers to `warp_by_params`.
    """
    small = params['rw'] if can_warp or can_transform else None
    if small is not None:
        image = cv2.resize(image, (SMALLEST_SIDE, SMALLEST_SIDE), interpolation=interpolation)
    if can_warp:
        image = cv2.remap(image, params['mapx'], params['mapy'], interpolation)
    if can_transform:
        border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
        image = cv2.warpAffine(image, params['rmat'], (params['w'], params['w']), borderMode=border,
                               flags=interpolation)
    if small is not None:
        image = cv2.resize(image, (small, small), interpolation=interpolation)
    if image.ndim == 2:
        image = image[..., None]
    return image[:, ::-1] if can_flip and params['flip'] else image
