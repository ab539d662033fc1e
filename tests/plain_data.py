"""Comparing plain data exactly, and telling what is plain, with no code of the engine."""
import numpy as np


def same(a, b):
    """Tell whether two values are equal in type, value, order of keys and every bit of their numbers."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return (a.dtype == b.dtype and a.shape == b.shape and a.flags.writeable == b.flags.writeable
                and a.flags.fnc == b.flags.fnc and a.tobytes() == b.tobytes())
    if isinstance(a, float):
        return a.hex() == b.hex()
    return a == b


def is_plain(value, depth=0):
    """Tell whether a value is plain data of at most 32 levels."""
    if isinstance(value, (np.ndarray, np.generic)):
        return type(value).__module__ == 'numpy' and value.dtype.kind in 'biuf'
    if type(value) in (list, tuple, dict):
        parts = list(value) + (list(value.values()) if type(value) is dict else [])
        return depth < 32 and all(is_plain(part, depth + 1) for part in parts)
    return type(value) in (type(None), bool, int, float, str, bytes)
