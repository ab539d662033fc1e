"""Oracles for the colours of samples: the formulas of the published methods by numpy's own sums, one after the other.

Pictures are float32 (h, w, 3) BGR. OpenCV's colour spaces, its bilateral filter and numpy's linear algebra are taken
as given. With numpy 1.19 each result is that of DeepFaceLab to the last bit, but for the order of equal values.
"""
import cv2
import numpy as np

EPS = float(np.finfo(float).eps)


def pairwise_sum(values):
    """The float32 sum of a list of float32 in the order of numpy 1.19."""
    total = np.float32(0)
    for first in range(0, len(values), 8192):
        total += _sum_part(values[first:first + 8192])
    return total


def _sum_part(values):
    if len(values) > 128:
        half = len(values) // 2 // 8 * 8
        return _sum_part(values[:half]) + _sum_part(values[half:])
    eights = len(values) // 8 * 8
    sums = [np.float32(0)] * 8
    for i in range(eights):
        sums[i % 8] = sums[i % 8] + values[i]
    total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
    for value in values[eights:]:
        total = total + value
    return total


def rct(image, target):
    """Means and deviations of Lab."""
    lab, wanted = (cv2.cvtColor(picture, cv2.COLOR_BGR2LAB) for picture in (image, target))
    for channel, (low, high) in enumerate([(0, 100), (-127, 127), (-127, 127)]):
        own, other = lab[..., channel].copy(), wanted[..., channel]
        moved = own - own.mean()
        moved = moved * other.std()
        moved = moved / own.std()
        lab[..., channel] = np.clip(moved + other.mean(), low, high)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)


def lct(image, target):
    """From the principal axes of the image to those of the target."""
    means, planes, roots = [], [], []
    for picture in (image, target):
        means.append(picture.mean(0).mean(0))
        planes.append(np.array([(picture[..., channel] - means[-1][channel]).ravel() for channel in range(3)]))
        variances, axes = np.linalg.eigh(planes[-1].dot(planes[-1].T) / planes[-1].shape[1] + 1e-5 * np.eye(3))
        roots.append(axes.dot(np.sqrt(np.diag(variances))).dot(axes.T))
    moved = roots[1].dot(np.linalg.inv(roots[0])).dot(planes[0]) + means[1].astype(np.float64)[:, None]
    return np.clip(moved.T.reshape(image.shape).astype(np.float32), 0, 1)


def mkl(image, target):
    """The linear map that moves the least."""
    own, wanted = image.reshape(-1, 3), target.reshape(-1, 3)
    variances, axes = np.linalg.eig(np.cov(own.T))
    grow = np.diag(np.sqrt(variances.clip(EPS, None)))
    shrink = np.diag(1 / np.sqrt(variances.clip(EPS, None)))
    inner, turn = np.linalg.eig(grow.dot(axes.T).dot(np.cov(wanted.T)).dot(axes).dot(grow))
    root = np.diag(np.sqrt(inner.clip(EPS, None)))
    matrix = axes.dot(shrink).dot(turn).dot(root).dot(turn.T).dot(shrink).dot(axes.T)
    moved = np.dot(own - own.mean(axis=0), matrix) + wanted.mean(axis=0)
    return np.clip(moved.real.astype(np.float32).reshape(image.shape), 0, 1)


def rotation(random):
    """A random rotation by two reflections, of 3 and of 2 normal numbers."""
    turn, signs = np.eye(3), []
    for first in (0, 1):
        mirror = random.normal(size=3 - first)
        length, begin = np.dot(mirror, mirror), mirror[0].item()
        signs.append(-1.0 if begin < 0 else 1.0)
        mirror[0] += signs[-1] * np.sqrt(length)
        mirror /= np.sqrt((length - begin ** 2 + mirror[0] ** 2) / 2.0)
        turn[:, first:] -= np.outer(np.dot(turn[:, first:], mirror), mirror)
    return (np.array(signs + [signs[0] * signs[1]]) * turn.T).T


def idt(image, target, random):
    """20 times: rotate, match the three histograms of 256 bins, go a 20th of the way."""
    own, wanted = image.reshape(-1, 3).T, target.reshape(-1, 3).T
    for _ in range(20):
        turn = rotation(random).astype(np.float32)
        turned, goals = np.dot(turn, own), np.dot(turn, wanted)
        moved = np.array([_match_bins(*rows) for rows in zip(turned, goals)], np.float32)
        own = np.float32(0.05) * np.linalg.solve(turn, moved - turned) + own
    return np.clip(own.T.reshape(image.shape), 0, 1)


def _match_bins(values, goals):
    low, high = float(min(values.min(), goals.min())), float(max(values.max(), goals.max()))
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.array([low + i * ((high - low) / 256) for i in range(256)] + [high]).astype(np.float32)
    shares = []
    for part in (values, goals):
        bins = np.clip(np.searchsorted(edges, part, side='right') - 1, 0, 255)
        shares.append(np.cumsum(np.bincount(bins, minlength=256)).astype(np.float32))
        shares[-1] /= shares[-1][-1]
    return np.interp(values, edges[1:], np.interp(shares[0], shares[1], edges[1:]), left=0)


def sot(image, target, random, order):
    """10 times the mean of what ranks along 5 directions ask for; then smoothed. order: np.argsort of numpy 1.19."""
    own, wanted = image.reshape(-1, 3).copy(), target.reshape(-1, 3)
    for _ in range(10):
        moves = np.zeros_like(own)
        for _ in range(5):
            direction = random.normal(size=3).astype(np.float32)
            direction /= np.linalg.norm(direction)
            along, goals = ((pixels[:, 0] * direction[0] + pixels[:, 1] * direction[1]) + pixels[:, 2] * direction[2]
                            for pixels in (own, wanted))
            places = order(along)
            moves[places] += (np.sort(goals) - along[places])[:, None] * direction
        own += moves / np.float32(5)
    smooth = cv2.bilateralFilter(own.reshape(image.shape) - image, 0, 5.0, 16.0)
    return np.clip(image + smooth, 0, 1)


def shift_hsv(image, amount, random):
    """Hue, saturation and value shifted by random parts of an amount, half of it up or down."""
    degrees = max(1, int(360 * amount * 0.5))
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0] + random.randint(-degrees, degrees + 1)) % 360
    for channel in (1, 2):
        hsv[..., channel] = np.clip(hsv[..., channel] + (random.random_sample() - 0.5) * amount, 0, 1)
    return np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), 0, 1)
