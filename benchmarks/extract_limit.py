"""What no extraction can beat, and what it is made of.

    python extract_limit.py FRAMES ALIGNED DEBUG       read and decode every stamped frame, cut its face out, encode and
                                                       write that and the frame (JPG), on all cores
    python extract_limit.py --parts FRAMES FOLDER      print how long each part of the step itself takes: milliseconds
                                                       a frame, one thread (JSON)
"""
import concurrent.futures
import json
import os
import sys
import time

import cv2

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WHOLE_FACE, SIZE, QUALITY, DEBUG_QUALITY = 4, 512, 100, 50
PARTS_FRAMES = 12
PARTS = ("read and decode", "cut the face out", "face to JPG", "metadata", "draw", "debug image to JPG", "write")


def pass_on(path, aligned, debug):
    from accel import files
    from accel.extract import cut
    from benchmarks import table_networks
    picture = files.read_image(path)       # the fastest way there is
    stem = os.path.splitext(os.path.basename(path))[0]
    write(os.path.join(debug, stem + ".jpg"), picture, DEBUG_QUALITY)
    for number, points in enumerate(table_networks.landmarks_of(picture, table_networks.rects_in(picture))):
        face = cv2.warpAffine(picture, cut.face_matrix(points, SIZE, WHOLE_FACE), (SIZE, SIZE))
        write(os.path.join(aligned, "{}_{}.jpg".format(stem, number)), face, QUALITY)


def write(path, picture, quality):
    with open(path, "wb", 0) as stream:
        stream.write(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def frames_in(folder):
    return sorted(entry.path for entry in os.scandir(folder) if entry.is_file())


def main(frames, aligned, debug):
    from accel import compat
    cv2.setNumThreads(1)
    with concurrent.futures.ThreadPoolExecutor(compat.cpu_count()) as pool:
        list(pool.map(lambda path: pass_on(path, aligned, debug), frames_in(frames)))


class Stopwatch(object):
    """Adds up how long the parts of some work take."""

    def __init__(self):
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def time(self, part, function, *words):
        began = time.perf_counter()
        result = function(*words)
        self.seconds[part] += time.perf_counter() - began
        return result


def parts(frames, folder):
    """Print the parts of the step for the first frames; their faces go to a new folder."""
    cv2.setNumThreads(1)
    import numba  # noqa: F401 - as behind the first frames of an extraction, which OpenCV decodes
    os.makedirs(folder)
    paths = frames_in(frames)[:PARTS_FRAMES]
    watch = Stopwatch()
    for path in paths[:2]:                 # warm
        take_apart(Stopwatch(), path, folder)
    for path in paths:
        take_apart(watch, path, folder)
    watch.seconds["metadata"] -= watch.seconds["face to JPG"]
    print(json.dumps({part: round(1000 * watch.seconds[part] / len(paths), 3) for part in PARTS}))


def take_apart(watch, path, folder):
    """Do with a stamped frame what accel.extract.pipeline does, part by part."""
    from accel import output_folder
    from accel.extract import cut, debug_image, pipeline
    from benchmarks import table_networks
    settings, name = cut.FaceSettings(WHOLE_FACE, SIZE, QUALITY), os.path.basename(path)
    output = output_folder.OutputFolder(folder, "extraction")
    image = watch.time("read and decode", pipeline.read_frame, path)
    rects = table_networks.rects_in(image)
    landmarks = table_networks.landmarks_of(image, rects)
    faces = watch.time("cut the face out", cut.cut_faces, image, rects, landmarks, settings)
    contents = []
    for number, face in enumerate(faces):
        watch.time("face to JPG", cut.encode_jpg, face.picture, QUALITY)
        content = watch.time("metadata", cut.encode, face, settings, name)     # encodes once more
        contents.append((output, "{}_{}".format(name, number), content))
    watch.time("draw", debug_image.draw_faces, image, faces, settings)
    contents.append((output, name, watch.time("debug image to JPG", debug_image.encode, image)))
    watch.time("write", output_folder.write_together, contents)


if __name__ == "__main__":
    sys.path[:1] = [ROOT, os.path.join(ROOT, "DeepFaceLab")]
    if sys.argv[1] == "--parts":
        parts(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
