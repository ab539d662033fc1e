"""The predictor of a model, asked for several faces at once where the model allows it.

Stock's models answer for one face (`predictor_func`); the graph behind it (`AE_merge`) takes a batch. Whether
the two agree is tried on the first faces that wait together, and a model that does not, or has no such graph, is
asked face by face.
"""
import numpy as np

from .. import host

TOLERANCE = 1e-3        # 0..1: a batch may differ so much; a quarter of a level of 255


class Predictor:
    """A function of a list of faces, for workers.Workers.network."""

    def __init__(self, predict_one, predict_batch=None):
        """predict_one: function of a float32 (s, s, 3) face: (face, mask, mask of the target). predict_batch:
        function of float32 (n, s, s, 3) that yields three arrays (n, s, s, ...), masks in either order; or None."""
        self._one, self._batch = predict_one, predict_batch
        self._order = None      # of the three arrays of predict_batch, once it is known

    def __call__(self, faces):
        if len(faces) == 1 or self._batch is None:
            return [self._one(face) for face in faces]
        if self._order is None:
            return self._try(faces)
        try:
            return self._together(faces, self._order)
        except Exception as error:  # a GPU without memory for so many, most of all
            self._give_up(error)
            return [self._one(face) for face in faces]

    def _try(self, faces):
        """Ask in both ways; keep the batch only if it gives what the single faces gave."""
        single = [self._one(face) for face in faces]
        try:
            for order in ((0, 2, 1), (0, 1, 2)):  # stock's graphs give the target's mask first
                if _alike(single, self._together(faces, order)):
                    self._order = order
                    return single
            self._give_up("its answers differ")
        except Exception as error:  # whatever a model raises for a batch that it was not made for
            self._give_up(error)
        return single

    def _give_up(self, reason):
        host.log_details("The model is asked face by face; a batch was tried: {!r}".format(reason))
        self._batch = None

    def _together(self, faces, order):
        arrays = [np.asarray(array, np.float32) for array in self._batch(np.stack(faces))]
        face, mask, target_mask = (arrays[index] for index in order)
        masks = [array[..., 0] if array.ndim == 4 else array for array in (mask, target_mask)]
        return list(zip(face, *masks))


def _alike(first, second):
    return all(np.shape(a) == np.shape(b) and np.abs(np.asarray(a) - b).max() <= TOLERANCE
               for one, other in zip(first, second) for a, b in zip(one, other))
