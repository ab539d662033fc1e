"""Pairs of pictures for the tests of the colours of samples: common ones, and those that are hard to compute with."""
import numpy as np


def picture(seed, height, width):
    """Smooth parts and noise, a little beyond 0..1 as a resized picture is: float32 (h, w, 3)."""
    random = np.random.RandomState(seed)
    ramps = np.indices((height, width)).transpose(1, 2, 0) / float(max(height, width))
    smooth = ramps.dot(random.uniform(-1, 1, (2, 3))) * 0.6 + 0.4
    return np.clip(smooth + random.normal(0, 0.08, smooth.shape), -0.02, 1.02).astype(np.float32)


def pairs(height, width):
    """Return {what it is: (image, target)}."""
    image, target = picture(1, height, width), picture(2, height, width)
    black = np.zeros_like(image)
    given = {'plain': (image, target), 'levels': tuple(_levels(part) for part in (image, target)),
             'same': (image, image.copy()), 'black image': (black, target), 'black target': (image, black),
             'both black': (black, black.copy()), 'both flat': (black + np.float32(0.4), black + np.float32(0.3))}
    for colour in ((0.4, 0.4, 0.4), (0.2, 0.5, 0.7), (1, 1, 1), (0.1, 0.1, 0.9)):
        flat = black + np.array(colour, np.float32)
        given['flat image {}'.format(colour)] = flat, target
        given['flat target {}'.format(colour)] = image, flat
    grey, plane, half, other_half = (np.array(part) for part in (image, image, image, target))
    grey[:] = image[..., :1]
    plane[..., 1] = plane[..., 0]
    half[height // 2:] = 0
    other_half[:, width // 3:] = 0
    bright = (target > 0.5).astype(np.float32)
    dull = np.full_like(image, 0.5)
    dull[::2, ::2] += (image[::2, ::2] - np.float32(0.5)) / 16
    dull[-1, -1], dull[0, -1] = (1, 0, 0), (0, 0, 1)            # far from all others
    given.update({'beyond the bounds of Lab': (dull, bright), 'grey image': (grey, target),
                  'grey target': (target, grey), 'plane': (plane, target),
                  'half black': (half, target), 'both half black': (half, other_half),
                  'two levels': tuple((part > 0.5).astype(np.float32) for part in (image, target))})
    return given


def _levels(part):
    return np.clip(part * 255, 0, 255).astype(np.uint8).astype(np.float32) / np.float32(255)


def broken_pairs(height, width):
    """Pairs with one value that is infinite or not a number: {what it is: (image, target)}."""
    image, target = picture(1, height, width), picture(2, height, width)
    given = {}
    for value in (np.nan, np.inf, -np.inf):
        broken = image.copy()
        broken[height // 2, width // 2, 1] = value
        given['{} in the image'.format(value)] = broken, target
        given['{} in the target'.format(value)] = target, broken
    return given
