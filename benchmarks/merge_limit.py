"""What no merge can beat: `python merge_limit.py FRAMES OUTPUT MASKS` only reads frames and writes them as JPG.

Every frame is read and decoded, and encoded and written as a JPG of quality 100, its empty mask as a PNG, on all
cores, by the fastest decoder that is there and OpenCV's encoders.
"""
import concurrent.futures
import os
import sys

import cv2
import numpy as np


def pass_on(path, output, masks):
    from accel import files
    picture = files.read_image(path)
    stem = os.path.splitext(os.path.basename(path))[0]
    options = [cv2.IMWRITE_JPEG_QUALITY, 100]
    for folder, suffix, image in ((output, ".jpg", picture), (masks, ".png", np.zeros(picture.shape[:2], np.uint8))):
        with open(os.path.join(folder, stem + suffix), "wb", 0) as stream:
            stream.write(cv2.imencode(suffix, image, options if suffix == ".jpg" else [])[1])


def main(frames, output, masks):
    from accel import compat
    cv2.setNumThreads(1)
    paths = sorted(entry.path for entry in os.scandir(frames) if entry.is_file())
    with concurrent.futures.ThreadPoolExecutor(compat.cpu_count()) as pool:
        list(pool.map(lambda path: pass_on(path, output, masks), paths))


if __name__ == "__main__":
    sys.path[0] = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "DeepFaceLab")
    main(*sys.argv[1:])
