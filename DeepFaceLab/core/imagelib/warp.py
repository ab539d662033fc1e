"""Stock's random warps by their names, over accel.training.warps."""
import cv2
import numpy as np

from accel.training import warps


def gen_warp_params(w, flip=False, rotation_range=[-10, 10], scale_range=[-0.5, 0.5], tx_range=[-0.05, 0.05],
                    ty_range=[-0.05, 0.05], rnd_state=None, warp_rnd_state=None):
    """Draw one random warp of a square of w px: a dict, see accel.training.warps.parameters.

    rnd_state, warp_rnd_state: RandomState; None takes numpy's global one.
    """
    return warps.parameters(w, flip, rotation_range, scale_range, tx_range, ty_range,
                            np.random if rnd_state is None else rnd_state,
                            np.random if warp_rnd_state is None else warp_rnd_state)


def warp_by_params(params, img, can_warp, can_transform, can_flip, border_replicate, cv2_inter=cv2.INTER_CUBIC):
    """Warp, transform and mirror a float32 picture, (w, w, C), as drawn: see accel.training.warps.apply."""
    return warps.apply(params, img, can_warp, can_transform, can_flip, border_replicate, cv2_inter)
