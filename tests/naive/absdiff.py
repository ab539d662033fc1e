"""Oracle for sorting by absolute pixel difference."""
import numpy as np


def difference(a, b):
    """Sum of absolute differences of two images of one shape, exact."""
    return int(np.abs(a.astype(np.int64) - b.astype(np.int64)).sum())


def chain(images, similar=True):
    """Greedy chain from image 0: each next one is the most similar (or most different) of those left.

    Of several equals the first is taken when similar, the last when different. Returns the images' indexes.
    Raises ValueError unless all images have one shape.
    """
    if len({image.shape for image in images}) > 1:
        raise ValueError('images of different shapes have no difference')
    order, left = [], list(range(len(images)))
    while left:
        chosen = left[0]
        if order:
            best = None
            for i in left:
                d = difference(images[order[-1]], images[i])
                if best is None or (d < best if similar else d >= best):
                    best, chosen = d, i
        order.append(chosen)
        left.remove(chosen)
    return order
