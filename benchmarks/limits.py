"""What no sort can beat: `python limits.py heads|decode FOLDER` does only that, as a whole process.

heads: list the folder and read the first bytes of every file. decode: read and decode every file, on all
cores, by the fastest decoder that is there.
"""
import concurrent.futures
import functools
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
        data = stream.read()
    fast = fast_decoder()
    if fast is not None:
        try:
            fast(data, "BGR")
            return
        except ValueError:      # no JPEG
            pass
    cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_UNCHANGED)


@functools.lru_cache(maxsize=None)
def fast_decoder():
    """Return simplejpeg.decode_jpeg where it is there and OpenCV's own decoder is slow (4.1), else None."""
    import cv2
    try:
        from simplejpeg import decode_jpeg
    except (ImportError, OSError, ValueError):
        return None
    return decode_jpeg if cv2.__version__.startswith("4.1.") else None


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
