"""Laid into a DeepFaceLab tree by tests: random draws that are the same in every run, and notes of what is trained on.

Stock's own modules call functions of this one at their ends (train_workspace.HOOKS).
Environment variables:

TRAIN_NOTES   a file that gets a JSON line for each time the trainer takes batches: for every generator the batch's
              arrays as [dtype, shape, SHA-1 of the bytes]
TRAIN_NOTES + '.children'   gets a JSON line from every generator process, once it has made a batch
TRAIN_DIES    'raise 5' or 'kill 5': a generator process fails, or is killed, instead of giving its 5th batch
"""
import functools
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import threading

import numpy

SEED = 20


class Draws(numpy.random.RandomState):
    """numpy.random, with numbers of its own."""

    RandomState = numpy.random.RandomState


class SeededNumpy(object):
    """Stands for numpy in core.mplib, of which that takes `random` alone: every thread there has draws of its own."""

    def __init__(self):
        self._own = threading.local()

    @property
    def random(self):
        if not hasattr(self._own, 'random'):
            self._own.random = Draws(SEED)
        return self._own.random


def seed_hosts(mplib):
    """Let the hosts of indexes draw the same ones every time. mplib: the names of core.mplib (dict)."""
    mplib['np'] = SeededNumpy()
    multiprocessing.cpu_count = lambda: 2     # one generator process for each side: two would race for indexes


def seed_batches(generator):
    """Let a class of generators draw the same numbers in every process of its own."""
    made = generator.batch_func

    @functools.wraps(made)
    def batch_func(self, param):
        numpy.random.seed(SEED)
        how, last = (os.environ.get('TRAIN_DIES') or 'never 0').split()
        for number, batch in enumerate(made(self, param), 1):
            if number == 1:
                _note_process()
            if number == int(last):
                _die(how)
            yield batch
    generator.batch_func = batch_func


def seed_masks(module):
    """The same for the generator of masks, whose faces are listed in the order in which processes answer."""
    seed_batches(module['SampleGeneratorFaceXSeg'])
    found = module['SegmentedSampleFilterSubprocessor']
    get_result = found.get_result
    found.get_result = lambda self: sorted(get_result(self))


def _die(how):
    if how == 'kill':
        os.kill(os.getpid(), signal.SIGKILL)
    raise ValueError('this face cannot be processed')


def _note_process():
    if multiprocessing.current_process().name != 'MainProcess':
        import cv2
        _note('.children', {'pid': os.getpid(), 'threads': cv2.getNumThreads(),
                            'tensorflow': 'tensorflow' in sys.modules})


def note_batches(model):
    """Note every batch that a class of models takes."""
    take = model.generate_next_samples

    @functools.wraps(take)
    def generate_next_samples(self):
        sample = take(self)
        _note('', [describe(batch) for batch in sample])
        return sample
    model.generate_next_samples = generate_next_samples


def describe(batch):
    """The arrays of a batch: list of [dtype, shape, SHA-1 of the bytes]."""
    return [[array.dtype.str, list(array.shape), hashlib.sha1(numpy.ascontiguousarray(array).tobytes()).hexdigest()]
            for array in batch]


def _note(suffix, content):
    if 'TRAIN_NOTES' in os.environ:
        with open(os.environ['TRAIN_NOTES'] + suffix, 'a') as notes:
            notes.write(json.dumps(content) + '\n')
