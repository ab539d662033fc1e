"""Pictures that kernels are tried on: noise, ramps, steps, faces cut by the border, odd and tiny sizes."""
import numpy as np


def textured(height, width, seed=0, channels=0):
    """Smooth noise with a few hard edges: uint8 (height, width[, channels])."""
    random = np.random.RandomState(seed)
    shape = (height, width) if channels == 0 else (height, width, channels)
    image = random.normal(0, 60, shape)
    for axis in (0, 1):
        for _ in range(2):
            image = (image + np.roll(image, 1, axis)) / 1.6
    image += 127
    image[:, width // 3:] += 40
    image[height // 2:] -= 30
    return np.clip(image, 0, 255).astype(np.uint8)


def masked_disc(image, centre=(0.5, 0.5), radius=0.4):
    """The image with zeros outside of a disc (fractions of its sides), as a hull leaves it."""
    height, width = image.shape[:2]
    y, x = np.ogrid[:height, :width]
    inside = ((y - centre[0] * height) / (radius * height)) ** 2 + ((x - centre[1] * width) / (radius * width)) ** 2
    return (image.T * (inside <= 1).T).T.astype(np.uint8)


def adversarial(height, width):
    """Named grey images in which ties, flat parts and borders decide: dict of uint8 (height, width)."""
    ramp = np.arange(width) * 255 // max(width - 1, 1)
    falling = np.repeat(ramp[None, ::-1], height, axis=0)
    board = (np.indices((height, width)) // 7).sum(axis=0) % 2 * 200
    lonely = np.zeros((height, width))
    lonely[height // 2, width // 2] = 255
    steps = np.repeat((ramp // 32 * 32)[None], height, axis=0)
    images = {
        'black': np.zeros((height, width)),
        'white': np.full((height, width), 255),
        'rising': falling[:, ::-1],
        'falling': falling,
        'downwards': np.repeat((np.arange(height) * 255 // max(height - 1, 1))[:, None], width, axis=1),
        'board': board,
        'steps': steps,
        'lonely': lonely,
        'noise': np.random.RandomState(5).randint(0, 256, (height, width)),
        'faint': np.random.RandomState(6).randint(100, 102, (height, width)),
        'cut': masked_disc(textured(height, width, 7), (0.1, 0.95), 0.6),
        'disc': masked_disc(textured(height, width, 8)),
    }
    return {name: image.astype(np.uint8) for name, image in images.items()}


def psnr(one, other):
    """Return how near two uint8 pictures of one shape are to each other, in dB (float)."""
    return 10 * np.log10(255.0 ** 2 / np.mean((one.astype(np.float64) - other) ** 2))
