"""A generator of batches over this project's own modules, for where there is no DeepFaceLab to bring one."""
import itertools

import numpy as np

from core.joblib.SubprocessGenerator import SubprocessGenerator
from samplelib.Sample import SampleType
from samplelib.SampleLoader import SampleLoader
from samplelib.SampleProcessor import SampleProcessor

_seeds = itertools.count(1)


class FaceGenerator(object):
    """Batches of randomly chosen faces of a folder; an iterator. The keywords are those of SampleGeneratorFace.

    The n-th generator of a process draws its random numbers, and the order of its faces, from seed n.
    """

    def __init__(self, samples_path, batch_size, sample_process_options, output_sample_types, generators_count):
        faces = SampleLoader.load(SampleType.FACE, samples_path)
        maker = _Maker(next(_seeds), batch_size, sample_process_options, output_sample_types)
        self._generators = [SubprocessGenerator(maker.batches, faces, start_now=False)
                            for _ in range(generators_count)]
        SubprocessGenerator.start_in_parallel(self._generators)
        self._turns = itertools.cycle(self._generators)

    def __iter__(self):
        return self

    def __next__(self):
        return next(next(self._turns))


class _Maker(object):
    """What a process has to know to make batches."""

    def __init__(self, seed, batch_size, options, outputs):
        self.seed, self.batch_size, self.options, self.outputs = seed, batch_size, options, outputs

    def batches(self, faces):
        """Yield lists of arrays, one an output, of a batch of faces each. faces: sequence of Sample."""
        np.random.seed(self.seed)
        order = shuffled(len(faces), self.seed)
        while True:
            made = [SampleProcessor.process([faces[next(order)]], self.options, self.outputs, False)[0]
                    for _ in range(self.batch_size)]
            yield [np.array(output) for output in zip(*made)]


def shuffled(count, seed):
    """Yield the numbers below count in random order, again and again: as DeepFaceLab's IndexHost of that seed."""
    random, left = np.random.RandomState(seed), []
    while True:
        if not left:
            left = list(range(count))
            random.shuffle(left)
        yield left.pop()
