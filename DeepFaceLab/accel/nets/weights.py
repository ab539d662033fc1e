"""Reads the weights that come with DeepFaceLab: S3FD.npy, 2DFAN.npy, 3DFAN.npy.

Such a file is a pickled dict of float32 arrays, not one of numpy's; stock unpickles it as it stands.
"""
import os

import numpy as np

from .. import files, host, safe_pickle


class Weights:
    """The arrays of one network by their names, such as "conv1/bias"; `where` is the file."""

    def __init__(self, arrays, where):
        """arrays: {variable's name, ":0" at its end or not: float array}."""
        self.where = where
        self._arrays = {name.partition(":")[0]: array for name, array in arrays.items()}

    def __contains__(self, name):
        return name in self._arrays

    def take(self, name, *dimensions):
        """Return an array as float32 with this number of dimensions in this order (a size of None is free).

        Raises host.UserError when the file does not have it.
        """
        array = self._arrays.get(name)
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or len(array.shape) != len(dimensions) or any(
                wanted not in (None, size) for wanted, size in zip(dimensions, array.shape)):
            raise damaged(self.where, "{} is missing or of another shape".format(name))
        return np.ascontiguousarray(array, np.float32)


def read(path):
    """Return the Weights of a file. Raises host.UserError, with what to do, for one that is missing or damaged."""
    path = os.fspath(path)
    try:
        arrays = safe_pickle.loads(files.read_bytes(path), path)
    except FileNotFoundError as error:
        raise host.UserError(
            "{} is missing. It comes with DeepFaceLab: copy it from another build, or unpack DeepFaceLab again, into "
            "the folder {}.".format(path, os.path.dirname(path))) from error
    except OSError as error:
        raise host.UserError("{} cannot be read: {}. Free it, or copy it again from a build of DeepFaceLab.".format(
            path, error.strerror or error)) from error
    except safe_pickle.UnsafePickleError as error:
        raise damaged(path, error.reason) from error
    if not isinstance(arrays, dict) or not all(isinstance(name, str) for name in arrays):
        raise damaged(path, "it holds no table of arrays")
    return Weights(arrays, path)


def damaged(path, reason):
    """Return the host.UserError for a file that holds something else."""
    return host.UserError("{} is damaged or of another network ({}). Copy it again from a build of DeepFaceLab."
                          .format(path, reason))
