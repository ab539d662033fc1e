"""Merges the faces of one frame: stock's functions, over `accel.merge`."""
import numpy as np

from accel.merge import faces, frames, pipeline, settings, warps


def MergeMasked(predictor_func, predictor_input_shape, face_enhancer_func, xseg_256_extract_func, cfg, frame_info):
    """Return a frame with all its faces merged and, as fourth channel, the mask: uint8 (H, W, 4) BGR.

    frame_info: with filepath and landmarks_list, (68, 2) px of each face, at least one; motion_power, motion_deg.
    cfg: stock's MergerConfigMasked. The functions are those of faces.Networks, face_enhancer_func with stock's
    keywords. Raises pipeline.FrameError for a frame that cannot be read.
    """
    frame = frames.as_bgr8(pipeline.read_frame(str(frame_info.filepath)))
    networks = _networks(predictor_func, predictor_input_shape, face_enhancer_func, xseg_256_extract_func)
    picture, mask = frames.merge_frame(frame, frame_info.landmarks_list, _motion(frame_info),
                                       settings.Settings.of(cfg), networks)
    return np.concatenate([picture, mask], axis=-1)


def MergeMaskedFace(predictor_func, predictor_input_shape, face_enhancer_func, xseg_256_extract_func, cfg, frame_info,
                    img_bgr_uint8, img_bgr, img_face_landmarks):
    """Return one merged face in its frame, float32 (H, W, 3) 0..1, and its mask, float32 (H, W, 1).

    img_bgr_uint8: uint8 (H, W, 3); img_bgr: the same, float32 0..1. The rest is as in MergeMasked.
    """
    networks = _networks(predictor_func, predictor_input_shape, face_enhancer_func, xseg_256_extract_func)
    values = settings.Settings.of(cfg)
    patch = faces.merge_face(faces.Background(img_bgr_uint8), img_face_landmarks, _motion(frame_info), values, networks)
    if values.mode == settings.RAW_PREDICT:
        return patch.picture, patch.mask[..., None]
    picture, mask = img_bgr.copy(), np.zeros(img_bgr.shape[:2] + (1,), np.float32)
    if patch.window is not None:
        warps.part(picture, patch.window)[:] = patch.picture
        warps.part(mask, patch.window)[..., 0] = patch.mask
    return picture, mask


def _networks(predict, input_shape, enhance, segment):
    return faces.Networks(input_shape[0], predict, segment,
                          lambda face: enhance(face, is_tanh=True, preserve_size=False))


def _motion(frame_info):
    return faces.Motion(float(frame_info.motion_power), float(frame_info.motion_deg))
