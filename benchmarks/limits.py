"""What no sort can beat: `python limits.py heads|decode FOLDER` does only that, as a whole process.

heads: list the folder and read the first bytes of every file. decode: read and decode every file, on all
cores.
"""
import concurrent.futures
import os
import sys

HEAD_BYTES = 8192


def read_head(path):
    with open(path, "rb", 0) as stream:
        stream.read(HEAD_BYTES)


def decode(path):
    import cv2
    import numpy
    with open(path, "rb", 0) as stream:
        cv2.imdecode(numpy.frombuffer(stream.read(), numpy.uint8), cv2.IMREAD_UNCHANGED)


def main(kind, folder):
    paths = sorted(entry.path for entry in os.scandir(folder))
    if kind == "heads":
        for path in paths:
            read_head(path)
        return
    import cv2
    from accel import compat
    cv2.setNumThreads(1)
    cores = compat.cpu_count()
    shares = [paths[first::cores] for first in range(cores)]
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda share: [decode(path) for path in share] and None, shares))


if __name__ == "__main__":
    sys.path[0] = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "DeepFaceLab")
    main(*sys.argv[1:])
