"""Feeds attacks on records and mutants of sessions to safe_pickle in a process of its own, and prints what happened.

    python tests/record_storm.py COUNT SEED

As pickle_storm.py, with records allowed; what is read is not given to pickle, whose classes are not there.
"""
import json
import os
import random
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(TESTS), 'DeepFaceLab'), TESTS]

import pickle_storm  # noqa: E402 - what it imports shall not count
import plain_data  # noqa: E402
import record_attacks  # noqa: E402
from accel import safe_pickle  # noqa: E402
from accel.merge import session  # noqa: E402

RECORDS = record_attacks.RECORDS + (('merger.MergerConfig', 'MergerConfigMasked'),)


def is_inert(value):
    """Tell whether a value is plain data or a record of such."""
    if isinstance(value, safe_pickle.Record):
        parts = list(value)
        return (value.module, value.name) in RECORDS and all(type(key) is str for key in value.state) \
            and all(map(is_inert, parts))
    if type(value) in (list, tuple):
        return all(map(is_inert, value))
    if type(value) is dict:
        return all(map(plain_data.is_plain, value)) and all(map(is_inert, value.values()))
    return plain_data.is_plain(value)


def main(count, seed):
    limit = pickle_storm.limit_memory()
    path = os.path.join(TESTS, 'data', 'merge_session_stock.dat')
    with open(path, 'rb') as file:
        real = file.read()
    assert len(session.load_stock(path).frames) == 5
    choice = random.Random(seed)
    jobs = sorted(record_attacks.ATTACKS.items())
    jobs += [('mutant', pickle_storm.mutant(real, choice)) for _ in range(count)]
    events, watching = [], [True]
    add_hook = getattr(sys, 'addaudithook', None)
    result = {'limit': limit, 'audited': add_hook is not None, 'read': 0, 'refused': 0}
    if add_hook is not None:
        add_hook(lambda event, arguments: events.append(event)
                 if watching[0] and event.startswith(pickle_storm.FORBIDDEN) else None)
    for title, stream in jobs:
        try:
            value = safe_pickle.loads(stream, title, [('facelib.FaceType', 'FaceType')], RECORDS)
        except safe_pickle.UnsafePickleError:
            result['refused'] += 1
        else:
            assert title == 'mutant' and is_inert(value), (title, stream)
            result['read'] += 1
    watching[0] = False
    result['events'] = sorted(set(events))
    print(json.dumps(result))


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]))
