"""Write tests/data/training/samples.json from what stock makes of tests/samples_cases.py.

    python tests/freeze_samples.py RESULT

RESULT: what tests/parity/samples_session.py has written for a stock tree. Of each output there are a hash, its shape,
and the means of 4 x 4 blocks, for versions of OpenCV that round otherwise.
"""
import hashlib
import json
import os
import pickle
import sys

import numpy as np

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'training', 'samples.json')
MIXED_KEPT = 60


def summary(output):
    """[hash, shape, block means] of an array or a tuple of numbers."""
    array = np.ascontiguousarray(output) + 0.0       # -0.0 is 0.0
    flat = array.reshape(-1)
    blocks = [float('{:.4f}'.format(part.mean())) for part in _blocks(array)] if flat.size else []
    return [hashlib.sha256(array.tobytes()).hexdigest()[:16], list(array.shape), blocks]


def _blocks(array):
    if array.ndim < 3:
        return np.array_split(array.reshape(-1), min(4, array.size))
    planes = array if array.shape[0] in (1, 3) else array.transpose(2, 0, 1)
    return [block for rows in np.array_split(planes, 4, axis=1) for block in np.array_split(rows, 4, axis=2)]


def main(result):
    with open(result, 'rb') as stream:
        told = pickle.load(stream)['processed']
    kept = {}
    for name, (made, drawn) in sorted(told.items()):
        if name.startswith(('ct', 'debug')) or name.startswith('mixed') and int(name.split()[1]) >= MIXED_KEPT:
            continue
        is_error = isinstance(made, tuple)
        kept[name] = {'error': list(made[1:])} if is_error else {
            'outputs': [[summary(output) for output in outputs] for outputs in made], 'drawn': drawn}
    os.makedirs(os.path.dirname(FILE), exist_ok=True)
    with open(FILE, 'w') as stream:
        stream.write('{\n' + ',\n'.join('{}: {}'.format(json.dumps(name), json.dumps(one, separators=(',', ':')))
                                        for name, one in kept.items()) + '\n}\n')


if __name__ == '__main__':
    main(sys.argv[1])
