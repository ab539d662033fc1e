"""Plays scripts in the manual pass of a stock tree, and saves what it marked and showed.

    python marking_session.py STOCK JOBS.json

Each job: {script, frames (paths), window_size, face_type, image_size, folder}. folder gets marked.json and the
pictures that were shown, 000.npy and so on; of equal ones that follow each other only the first. Nothing of stock is
changed but for its console, from which the events come, and the network.
"""
import json
import os
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [sys.argv[1], os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import marking_script  # noqa: E402


class Console:
    EVENT_LBUTTONDOWN, EVENT_RBUTTONDOWN, EVENT_MOUSEWHEEL = 1, 2, 10

    def __init__(self, script):
        self.script, self.mouse, self.keys, self.progress, self.shown = script, [], [], [], []

    def process_messages(self, seconds):
        self.take(self.script.idle())

    def take(self, batch):
        mouse, keys = batch
        self.mouse += [tuple(event) for event in mouse]
        self.keys += [(ord(key), key, False, False, False) for key in keys]

    def get_mouse_events(self, name):
        events, self.mouse = self.mouse, []
        return events

    def get_key_events(self, name):
        events, self.keys = self.keys, []
        return events

    def show_image(self, name, image):
        if not self.shown or not np.array_equal(self.shown[-1], image):
            self.shown.append(image.copy())

    def progress_bar(self, words, total):
        self.progress.append(total)

    def progress_bar_inc(self, step):
        self.progress.append(step)

    def ignore(self, *arguments):
        pass

    named_window = capture_mouse = capture_keys = destroy_all_windows = progress_bar_close = ignore


class Extractor:
    """Stands for the network of landmarks."""

    def __init__(self, landmarks):
        self.landmarks = landmarks

    def extract(self, image, rects, rects_extractor, is_bgr):
        return [self.landmarks.find(image, rect, rects_extractor is not None) for rect in rects]


class NoDevices:
    devices = []


def play(module, job):
    script, landmarks = marking_script.Script(job["script"]), marking_script.Landmarks()
    console = module.io = Console(script)
    stock = module.ExtractSubprocessor
    items = [stock.Data(Path(path)) for path in job["frames"]]
    manual = stock(items, "landmarks-manual", job["image_size"], 90, module.FaceType(job["face_type"]),
                   manual_window_size=job["window_size"], device_config=NoDevices())
    worker = stock.Cli.__new__(stock.Cli)
    worker.type, worker.cached_image = "landmarks-manual", (None, None)
    worker.rects_extractor, worker.landmarks_extractor = object(), Extractor(landmarks)
    manual.on_clients_initialized()
    for data in iter(lambda: manual.get_data({}), None):
        found = worker.process_data(data)
        for batch in iter(script.busy, None):
            console.take(batch)
        manual.on_result({}, data, found)
    manual.on_clients_finalized()
    os.makedirs(job["folder"])
    marked = [[item.filepath.name, [list(rect) for rect in item.rects], [points.tolist() for points in item.landmarks],
               [str(points.dtype) for points in item.landmarks]] for item in manual.get_result()]
    with open(os.path.join(job["folder"], "marked.json"), "w") as file:
        json.dump({"marked": marked, "calls": landmarks.calls, "progress": console.progress}, file)
    for number, picture in enumerate(console.shown):
        np.save(os.path.join(job["folder"], "{:03}.npy".format(number)), picture)


if __name__ == "__main__":
    from mainscripts import Extractor as stock_module
    with open(sys.argv[2]) as file:
        jobs = json.load(file)
    for one in jobs:
        play(stock_module, one)
