"""What no training can beat, timed by itself.

    python train_limit.py decode WORKSPACE STAGE SETTINGS       only read and decode as many faces, on two threads
    python train_limit.py network WORKSPACE STAGE SETTINGS      only the time of the network
"""
import concurrent.futures
import json
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __name__ == "__main__":
    sys.path[0] = ROOT

from benchmarks import limits, train_settings  # noqa: E402


def decode_all(folder, count):
    """Read and decode `count` faces of a folder, in turn."""
    paths = sorted(entry.path for entry in os.scandir(folder))
    for number in range(count):
        limits.decode(paths[number % len(paths)])


def decode(workspace, settings):
    """Seconds for the faces of all rounds, a thread for each generator."""
    import cv2
    cv2.setNumThreads(1)
    folders = [train_settings.faces_folder(workspace, name) for name in train_settings.FOLDERS]
    with concurrent.futures.ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(decode_all, folders, [1] * len(folders)))         # imports, and the first of everything
        began = time.perf_counter()
        list(pool.map(decode_all, folders, [settings.rounds * settings.batch] * len(folders)))
        return time.perf_counter() - began


def network(workspace, settings):
    """Seconds that the stand-in of the network takes for all rounds."""
    began = time.perf_counter()
    for _ in range(settings.rounds):
        time.sleep(settings.network)
    return time.perf_counter() - began


def main(kind, workspace, stage, settings):
    settings = train_settings.Settings(**json.loads(settings))
    seconds = {"decode": decode, "network": network}[kind](workspace, settings)
    train_settings.write_report(stage, {"seconds": seconds})


if __name__ == "__main__":
    main(*sys.argv[1:])
