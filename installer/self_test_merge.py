"""The merge of an installed tree: its kernels compiled, and a frame merged as the oracle merges it.

A made-up network stands for the model, so that neither DeepFaceLab nor TensorFlow is needed.
"""
import os

from installer.self_test_report import Wrong

SIDE = 64                    # of the made-up network's input, px: that of the oracle
FRAME = (160, 120)           # (width, height), px
MODES_ONCE = ("original", "hist-match", "seamless", "seamless-hist-match", "raw-rgb", "raw-predict")
TRANSFERS = 9
TRANSPORTS = (7, 8)          # of the colour transfers, compiled by self_test_training
CLONED_WIDTHS = (61, 64)     # px: one suits the Fourier transform, the other has to be widened
# Of 255: the contract for merged pixels; and what the oracle's own warps, OpenCV's, are away from those of 4.1.
SAME_LEVELS, OTHER_OPENCV_LEVELS = 1, 10

# Settings of the oracle's own words for what is compared: (its arguments, ours).
COMPARED = (({"mode": "overlay", "erode": 5, "blur": 9, "transfer": "rct"},
             {"mode": "overlay", "erode_mask_modifier": 5, "blur_mask_modifier": 9, "color_transfer_mode": 1}),)


def make_frame():
    """Return (frame, landmarks): uint8 (H, W, 3) of a painted head and float64 (68, 2), px of it."""
    import cv2
    import numpy as np
    from benchmarks import portraits
    random = np.random.RandomState(7)
    width, height = FRAME
    frame = np.clip(128 + 40 * portraits.natural_noise(random, height, width, 5), 0, 255).astype(np.uint8)
    frame = np.ascontiguousarray(np.stack([frame, frame // 2 + 60, 255 - frame // 2], axis=2))
    flat = portraits.flat_landmarks()
    points = (flat * 0.3 + [width / 2, height / 2]).astype(np.float64)
    cv2.fillConvexPoly(frame, cv2.convexHull(points.astype(np.int32)), (120, 150, 200))
    return frame, points


def compile_merge(report):
    """Merge a small frame by every mode and colour transfer but TRANSPORTS and encode it, so that no merge compiles."""
    title = "Compiling: merge"
    report.say(title + " ...")
    report.check(title, _compile)


def _compile():
    import numpy as np
    from accel import files
    from accel.merge import encoding, poisson
    frame, points = make_frame()
    variants = [{"mode": mode} for mode in MODES_ONCE]
    variants += [{"mode": "overlay", "color_transfer_mode": number}
                 for number in range(TRANSFERS) if number not in TRANSPORTS]
    variants += [{"mode": "overlay", name: value} for name, value in (
        ("image_denoise_power", 150), ("bicubic_degrade_power", 30), ("color_degrade_power", 50),
        ("motion_blur_power", 50), ("blursharpen_amount", -15), ("super_resolution_power", 50))]
    for changes in variants:
        picture, mask = _merge(frame, [points, points + 3], changes)
    for width in CLONED_WIDTHS:
        poisson.seamless_clone(frame, frame[:40, :width].copy(), np.full((40, width), 255, np.uint8), 5, 5)
    for kind in encoding.FORMATS:
        encoding.encode(picture, kind)
    encoding.encode_png(mask)
    files.decode_image(encoding.encode_png(picture))         # as the frames of an extraction and a merge are read


def check_merge(place):
    """Merge a frame and compare with the oracle. place: new folder (str), removed by the caller."""
    import cv2
    import numpy as np
    from accel.merge import output
    from naive import merge as naive_merge
    os.mkdir(place)
    frame, points = make_frame()
    for theirs, ours in COMPARED:
        wanted, wanted_mask = naive_merge.merge_frame(frame.copy(), [points], **theirs)
        with output.Output(place, _made(os.path.join(place, "masks"))) as written:
            written.write("00001", *_merge(frame, [points], ours))
        merged = _read(cv2, np, os.path.join(place, "00001.png"))
        mask = _read(cv2, np, os.path.join(place, "masks", "00001.png"))
        apart = max(np.abs(merged.astype(int) - wanted).max(), np.abs(mask.astype(int) - wanted_mask).max())
        if apart > (SAME_LEVELS if cv2.__version__.startswith("4.1.") else OTHER_OPENCV_LEVELS):
            raise Wrong("a merged frame is up to {} levels of 255 away from the one it should be".format(apart))
    return "equal"


def _made(folder):
    os.mkdir(folder)
    return folder


def _read(cv2, np, path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def _merge(frame, points, changes):
    from accel.merge import faces, frames, settings
    config = dict(settings.ENTER, face_type=4, mask_mode=4, mode="overlay", sharpen_mode=1)
    config.update(changes)
    return frames.merge_frame(frame.copy(), points, faces.Motion(60.0, 30.0), settings.Settings(**config), _networks())


def _networks():
    import cv2
    import numpy as np
    from accel.merge import faces
    from naive import merge as naive_merge

    def enlarge(face):
        return cv2.resize(face, (4 * face.shape[1], 4 * face.shape[0]), interpolation=cv2.INTER_CUBIC)
    return faces.Networks(SIDE, naive_merge.predict, lambda face: np.ones(face.shape[:2] + (1,), np.float32), enlarge)
