"""Marks faces by hand with a table in the place of the network: python extract_driver.py FRAMES MARKED.json [SECONDS]

FRAMES: a folder with frames and marks.json, {name: landmarks}. MARKED.json: [[name, rects, landmarks]] in the order
of the pass. SECONDS: how long every search but the first takes. The exit code is 130 after Ctrl-C.
"""
import json
import os
import sys
import time
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "DeepFaceLab"), os.path.dirname(HERE)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from accel import host  # noqa: E402
from accel.extract import manual  # noqa: E402
from marking_player import Item  # noqa: E402

FACE_TYPE, IMAGE_SIZE, WINDOW_SIZE = 4, 256, 1000


def main(folder, target, seconds="0"):
    """Mark. Return the exit code."""
    paths = sorted(Path(folder).glob("*.png"))
    with open(os.path.join(folder, "marks.json")) as file:
        marks = json.load(file)
    table = [(cv2.imread(str(path)), np.array(marks[path.name])) for path in paths]

    searches = []

    def find(image, rect, accurate):
        print("searching", flush=True)
        time.sleep(float(seconds) if searches else 0)
        searches.append(rect)
        return next(points for picture, points in table if np.array_equal(picture, image))

    items = [Item(path) for path in paths]
    try:
        marked = manual.mark(items, find, FACE_TYPE, IMAGE_SIZE, WINDOW_SIZE)
    except host.UserError as error:
        print(error)
        return 1
    except KeyboardInterrupt:
        return 130
    with open(target, "w") as file:
        json.dump([[item.filepath.name, item.rects, [points.tolist() for points in item.landmarks]]
                   for item in marked], file)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
