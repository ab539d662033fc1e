"""Loads folders with the SampleLoader of a tree and prints all that its samples say, as JSON.

    python loading_session.py FOLDER TREE

FOLDER has the folders to load. The same session with stock's tree and with the overlay over it shall print the same.
"""
import hashlib
import json
import multiprocessing
import os
import sys

import numpy as np

FOLDER, TREE = sys.argv[1:] if len(sys.argv) == 3 else (None, None)
if TREE:
    sys.path.insert(0, TREE)    # processes that are spawned get this path with the rest


def shown(value):
    """A value as JSON, exact."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), hashlib.sha1(value.tobytes()).hexdigest()]
    if isinstance(value, dict):
        return [[key, shown(one)] for key, one in value.items()]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__] + [shown(one) for one in value]
    return repr(value)


def story(sample):
    """All that a sample says about itself."""
    told = [shown(sample.get_config()) if sample.landmarks is not None else [repr(sample.sample_type), sample.filename],
            shown(sample.landmarks), sample.has_xseg_mask(), shown(sample.get_xseg_mask()), shown(sample.load_bgr()),
            shown(sample._filename_offset_size and sample._filename_offset_size[:2]),    # stock's last size is wrong
            hashlib.sha1(sample.read_raw_file(sample.filename)).hexdigest()]
    told += [shown(sample.seg_ie_polys.dump()), sample.seg_ie_polys.get_pts_count(),
             [type(sample.seg_ie_polys).__name__, type(sample.face_type).__name__, type(sample.sample_type).__name__]]
    if sample.landmarks is not None:
        told.append(shown(sample.get_pitch_yaw_roll()))
    return told


def tell(samples, pipe):
    pipe.send([story(sample) for sample in samples])


def tell_from_another_process(samples):
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=tell, args=(samples, there))
    process.start()
    there.close()
    told = here.recv()
    process.join()
    return told


def refused(action, *arguments):
    try:
        return shown(action(*arguments))
    except Exception as error:
        return type(error).__name__


def play():
    from pathlib import Path

    from samplelib import SampleLoader, SampleType
    stories = {}
    loaded = {}
    for name in sorted(os.listdir(FOLDER)):
        folder = Path(FOLDER) / name
        faces = loaded[name] = SampleLoader.load(SampleType.FACE, folder)
        stories[name] = [story(sample) for sample in faces]
        stories[name + ', other process'] = tell_from_another_process(faces)
        stories[name + ', pictures'] = [one.filename for one in SampleLoader.load(SampleType.IMAGE, folder)]
        by_frame = SampleLoader.load(SampleType.FACE_TEMPORAL_SORTED, folder)
        stories[name + ', frames'] = [one.filename for one in by_frame]
        stories[name + ', again'] = SampleLoader.load(SampleType.FACE, folder) is faces
        stories[name + ', persons'] = refused(SampleLoader.get_person_id_max_count, folder)
        stories[name + ', outside'] = [refused(faces.__getitem__, index) for index in (len(faces), -len(faces) - 1)]
        stories[name + ', last'] = story(faces[-1]) if len(faces) else None
    SampleLoader.samples_cache.clear()
    below = SampleLoader.load(SampleType.FACE, Path(FOLDER), subdirs=True)
    stories['below'] = [one.filename for one in below]
    total = sum(loaded[name] for name in sorted(loaded))
    stories['sum'] = [len(total), [one.filename for one in total], refused(lambda: total + [1])]
    stories['sum, other process'] = tell_from_another_process(total)
    stories['by files'] = [story(one) for one in SampleLoader.load_face_samples(
        [str(path) for path in sorted(Path(FOLDER).glob('*/*.jpg'))])]
    stories['missing'] = len(SampleLoader.load(SampleType.FACE, Path(FOLDER) / 'missing'))
    return stories


if __name__ == '__main__':
    print('STORIES ' + json.dumps(play()))
