"""A batch in a block of memory: a list of arrays, one after the other, each on a boundary of 64 bytes."""
import collections
import ctypes

import numpy as np

ALIGNMENT = 64   # bytes: what vector units and TensorFlow like to have

Layout = collections.namedtuple("Layout", "size arrays")
Layout.__doc__ = """size: bytes; arrays: list of (dtype as str, shape, order "C" or "F", offset in bytes)."""


def layout_of(batch):
    """Return the Layout of a batch, or None when it is no list of plain numpy arrays.

    Plain: of type ndarray itself, with items that are neither objects nor records.
    """
    if type(batch) is not list or not batch:
        return None
    arrays, size = [], 0
    for array in batch:
        if type(array) is not np.ndarray or array.dtype.hasobject or array.dtype.kind == "V":
            return None
        # What pickle does, too: items in the processor's order of bytes; of other orders of items, only this is kept.
        kind = array.dtype.newbyteorder("=").str
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        arrays.append((kind, array.shape, order, size))
        size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return Layout(size, arrays)


def write(batch, layout, memory, start):
    """Copy a batch into a writable buffer, from byte `start` on. layout: layout_of(batch)."""
    for array, copy in zip(batch, _arrays(layout, memory, start)):
        copy[...] = array


def lend(layout, memory, start):
    """Return (batch, owner): arrays that look into the buffer, and the object that lives as long as any view of them.

    Views of views need not keep the array that they were made of: only the owner is sure to be there till the end.
    """
    owner = (ctypes.c_char * len(memory)).from_buffer(memory)
    return _arrays(layout, owner, start), owner


def copy(layout, memory, start):
    """Return the batch in arrays of its own."""
    return [array.copy(order="K") for array in _arrays(layout, memory, start)]


def _arrays(layout, memory, start):
    arrays = []
    for kind, shape, order, offset in layout.arrays:
        kind = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        if count and kind.itemsize:
            flat = np.frombuffer(memory, kind, count, start + offset)
        else:
            flat = np.empty(count, kind)   # frombuffer refuses to see nothing
        arrays.append(flat.reshape(shape, order=order))
    return arrays
