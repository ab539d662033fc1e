"""Lets a tree's facelib.S3FDExtractor and FANExtractor look at pictures, and notes all that they say.

    python nets_session.py TREE PICTURES RESULT

TREE: a DeepFaceLab with weights in facelib, stock's or one with the overlay. PICTURES: a pickle of {'frames': {name:
uint8 (H, W, 3) BGR}, 'seen': {name: as the detector gets it, RGB}, 'crops': uint8 (n, 256, 256, 3) RGB, 'rects':
{frame's name: rectangles}, 'three_d': whether 3DFAN.npy is used}. RESULT: a pickle of a dict. Stock can make one
aligner in a process.
"""
import inspect
import pickle
import sys


class Found(object):
    """A detector that finds the same in every picture."""

    def __init__(self, rects):
        self.rects, self.asked = rects, []

    def extract(self, input_image, is_bgr=True, is_remove_intersects=False):
        self.asked.append((input_image, is_bgr, is_remove_intersects))
        return list(self.rects)


def outputs_of(detector, seen):
    """The twelve outputs for one picture; the scores of faces alone."""
    if hasattr(detector.model, 'build_for_run'):
        outputs = detector.model.run([seen[None]])
        return [output if number % 2 else output[..., 1] for number, output in enumerate(outputs)]
    return detector.model.run(seen[None])


def maps_of(aligner, crop):
    if hasattr(aligner.model, 'build_for_run'):
        return aligner.model.run([crop[None].astype('float32') / 255.0])[0]
    return aligner.model.heat_maps(crop[None])[0]


def signatures(*classes):
    return {'{}.{}'.format(one.__name__, method): str(inspect.signature(getattr(one, method)))
            for one in classes for method in ('__init__', '__enter__', '__exit__', 'extract') if hasattr(one, method)}


def look(pictures, detector, aligner):
    """Everything that both classes are asked by the program, and at the edge of that."""
    frames, told = pictures['frames'], {}
    told['outputs'] = {name: outputs_of(detector, seen) for name, seen in pictures['seen'].items()}
    told['maps'] = [maps_of(aligner, crop) for crop in pictures['crops']]
    rects = {name: detector.extract(frame) for name, frame in frames.items()}
    told['rects'] = rects
    told['rects of RGB'] = {name: detector.extract(frame, is_bgr=False) for name, frame in frames.items()}
    told['apart'] = {name: detector.extract(frame, is_remove_intersects=True) for name, frame in frames.items()}
    marks, asked = {}, {}
    for name, frame in frames.items():
        marks[name, 'found'] = aligner.extract(frame, rects[name][:4])
        marks[name, 'found, looked at twice'] = aligner.extract(frame, rects[name][:4], detector)
    for name, given in pictures['rects'].items():
        frame = frames[name]
        marks[name, 'given'] = aligner.extract(frame, given)
        marks[name, 'five times'] = aligner.extract(frame, given, multi_sample=True)
        marks[name, 'RGB'] = aligner.extract(frame, given[:2], None, False)
        for title, again in (('one', [(60, 50, 200, 190)]), ('two', [(60, 50, 200, 190), (0, 0, 90, 90)]),
                             ('none', []), ('no size', [(9, 9, 9, 9)])):
            found = Found(again)
            marks[name, 'again: ' + title] = aligner.extract(frame, given[:4], found, True, title == 'two')
            asked[name, title] = found.asked
    marks['nothing'] = [aligner.extract(frame, []), aligner.extract(frame, [], detector)]
    told['marks'], told['asked'] = marks, asked
    return told


def main(tree, pictures, result):
    sys.path.insert(0, tree)
    from core.leras import nn
    nn.setCurrentDeviceConfig(nn.DeviceConfig.CPU())
    from facelib import FANExtractor, S3FDExtractor
    with open(pictures, 'rb') as stream:
        pictures = pickle.load(stream)
    with S3FDExtractor(place_model_on_cpu=True) as detector:
        told = look(pictures, detector, FANExtractor(pictures['three_d'], place_model_on_cpu=True))
    told['signatures'] = signatures(S3FDExtractor, FANExtractor)
    with open(result, 'wb') as stream:
        pickle.dump(told, stream, 4)


if __name__ == '__main__':
    main(*sys.argv[1:])
