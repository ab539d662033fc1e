"""Lets a tree's samplelib.SampleProcessor and core.imagelib work through cases, and notes all that comes of them.

    python samples_session.py TREE CASES RESULT

TREE: a DeepFaceLab, stock's or one with the overlay. CASES: a pickle of {'faces': [arguments of Sample, face types as
numbers], 'cases': {name: one of `samples_cases.cases()`}, 'warps': [...]}. RESULT: a pickle of a dict.
"""
import inspect
import pickle
import sys

import numpy as np


def drawn_since(seed):
    """What tells how much has been drawn from numpy's global generator."""
    return np.random.randint(2 ** 31, size=3).tolist()


def attempt(function):
    try:
        return function()
    except Exception as error:
        return 'error', type(error).__name__, str(error)


def make_samples(faces):
    from facelib import FaceType
    from samplelib import Sample
    return [Sample(**dict(face, face_type=None if face['face_type'] is None else FaceType(face['face_type'])))
            for face in faces]


def process(samples, case):
    from facelib import FaceType
    from samplelib import SampleProcessor
    np.random.seed(case['seed'])
    wanted = [dict(asked) for asked in case['wanted']]
    for asked in wanted:
        for name, members in (('sample_type', SampleProcessor.SampleType),
                              ('channel_type', SampleProcessor.ChannelType),
                              ('face_mask_type', SampleProcessor.FaceMaskType), ('face_type', FaceType)):
            if asked.get(name) is not None:
                asked[name] = members(asked[name])
    reference = None if case['ct'] is None else samples[case['ct']]
    made = attempt(lambda: SampleProcessor.process([samples[index] for index in case['samples']],
                                                   SampleProcessor.Options(**case['options']), wanted, case['debug'],
                                                   ct_sample=reference))
    return made, drawn_since(case['seed'])


def warp(case):
    """Parameters and pictures of stock's two functions on their own, drawn from numpy's global generator."""
    from core.imagelib import gen_warp_params, warp_by_params
    np.random.seed(case['seed'])
    params = gen_warp_params(case['side'], case['flip'], **case['ranges'])
    picture = np.random.rand(params['w'], params['w'], 3).astype(np.float32)
    return params, [warp_by_params(params, picture, *flags) for flags in case['flags']], drawn_since(case['seed'])


def signatures():
    from core import imagelib
    from samplelib import SampleProcessor
    enums = (SampleProcessor.SampleType, SampleProcessor.ChannelType, SampleProcessor.FaceMaskType)
    functions = (imagelib.gen_warp_params, imagelib.warp_by_params, SampleProcessor.process,
                 SampleProcessor.Options.__init__)
    return ([str(inspect.signature(function)) for function in functions],
            [{name: int(member) for name, member in enum.__members__.items()} for enum in enums])


def main(tree, cases_file, result):
    sys.path.insert(0, tree)
    import cv2
    cv2.setNumThreads(1)
    with open(cases_file, 'rb') as stream:
        given = pickle.load(stream)
    samples = make_samples(given['faces'])
    told = {'processed': {name: process(samples, case) for name, case in given['cases'].items()},
            'warped': [warp(case) for case in given['warps']], 'signatures': signatures()}
    with open(result, 'wb') as stream:
        pickle.dump(told, stream, 4)


if __name__ == '__main__':
    main(*sys.argv[1:])
