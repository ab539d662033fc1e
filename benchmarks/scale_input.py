"""Very many small faces, quickly: those of workspace.py, each again and again with other light, place and landmarks.

No two are the same, neither in their pictures nor in their metadata, and neighbours are alike, as in a video. The same
arguments give the same bytes on the same machine and OpenCV.
"""
import concurrent.futures
import os

import cv2
import numpy as np

from accel import compat, dfl_jpeg
from benchmarks import workspace

SIDE = 64                          # px
DISTINCT = 400                     # faces that are drawn
SHOT = 25                          # neighbours of the same drawing
JITTER = 0.6                       # of landmarks: standard deviation, px
MOST = 6                           # px that a drawing is moved by
POINTS = ("landmarks", "source_landmarks")


def make(folder, count, drawn_folder, progress=None):
    """Write `count` faces into a new folder, named in the order of frames. Raises OSError.

    drawn_folder: new, for the faces that they are made of. progress: called with the number of faces done.
    """
    os.makedirs(folder)
    drawn = []
    for name in workspace.make_faceset(drawn_folder, min(count, DISTINCT), seed=11, size=SIDE):
        path = os.path.join(drawn_folder, name)
        metadata = dfl_jpeg.read_metadata(path).data
        points = [np.array(metadata[key]) for key in POINTS]
        drawn.append((cv2.imread(path), metadata, points, np.array(metadata["source_rect"])))
    blocks = [range(first, min(first + 1000, count)) for first in range(0, count, 1000)]
    threads_before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with concurrent.futures.ThreadPoolExecutor(compat.cpu_count()) as pool:
            for done, _ in enumerate(pool.map(lambda block: _write_block(folder, block, drawn), blocks), 1):
                if progress is not None:
                    progress(min(1000 * done, count))
    finally:
        cv2.setNumThreads(threads_before)


def _write_block(folder, block, drawn):
    random = np.random.RandomState([12, block[0]])
    count = len(block)
    gains = np.exp(random.normal(0, 0.25, (count, 1)) + random.normal(0, 0.06, (count, 3)))
    places, rects = random.randint(0, 2 * MOST, (count, 2)), random.randint(-20, 21, (count, 4))
    shifts = random.normal(0, JITTER, (count, 68, 2))
    shifts[:, 27:36] += random.normal(0, 4, (count, 1, 2))           # the nose: the head turns
    for row, number in enumerate(block):
        picture, metadata, points, rect = drawn[number // SHOT % len(drawn)]
        down, right = places[row]
        wide = cv2.copyMakeBorder(picture, MOST, MOST, MOST, MOST, cv2.BORDER_REFLECT)
        picture = cv2.multiply(wide[down:down + SIDE, right:right + SIDE], tuple(gains[row]) + (0,))
        content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
        described = dict(metadata, source_filename="{:06d}.png".format(number), source_rect=rect + rects[row])
        for key, found in zip(POINTS, points):
            described[key] = (found + shifts[row]).tolist()
        with open(os.path.join(folder, "{:06d}_0.jpg".format(number)), "wb") as stream:
            stream.write(workspace.with_metadata(content, described))
