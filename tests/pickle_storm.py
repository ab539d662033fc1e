"""Feeds attacks and mutants of real streams to safe_pickle in a process of its own, and prints what happened.

    python tests/pickle_storm.py COUNT SEED

The process has 1 GiB of address space where the system can say so. Where Python has audit hooks, one
writes down every import, open, exec and the like from the first stream on. Prints a line of JSON.
"""
import glob
import json
import os
import pickle
import random
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(TESTS), 'DeepFaceLab'), TESTS]

import numpy as np  # noqa: E402 - what it imports shall not count

import pickle_attacks  # noqa: E402
import plain_data  # noqa: E402
from accel import safe_pickle  # noqa: E402

# Pieces that turn one value into another when they land in a stream: opcodes, lengths, names.
PIECES = [bytes([code]) for code in range(256)] + [
    b'cos\nsystem\n', b'cnumpy\ndtype\n', b'cnumpy\nndarray\n', b'\xff' * 4, b'\xff\xff\xff\x7f', b'h\x00',
    b'j\x00\x00\x00\x00', b'r\xff\xff\xff\x7f', b'](' * 9, b'\x87R', b'X\xff\xff\x00\x00', b'\x00' * 8]
FORBIDDEN = ('import', 'open', 'exec', 'compile', 'os.', 'subprocess.', 'ctypes.', 'socket.', 'pickle.',
             'shutil.')


def limit_memory():
    """Return the limit in bytes, 0 where the system has none for address space."""
    try:
        import resource
    except ImportError:
        return 0
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    return resource.getrlimit(resource.RLIMIT_AS)[0]


def real_streams():
    """The pickles of the golden faces, and of what else DeepFaceLab stores, in all protocols that it fits."""
    streams = []
    for path in sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg'))):
        with open(path, 'rb') as file:
            head = file.read(8192)
        begin = head.find(b'\xff\xef')
        if begin > 0:
            streams.append(head[begin + 4:begin + 2 + int.from_bytes(head[begin + 2:begin + 4], 'big')])
    points = np.array([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5]], np.float32)
    face = {'seg_ie_polys': {'polys': [{'type': 1, 'pts': points}, {'type': 0, 'pts': points[:2]}]},
            'xseg_mask': np.full(300, 7, np.uint8), 'source_rect': (1, 2, 300, 70000), 'mod': np.float64(1.0),
            'ie_polys': [(1, [[1, 2], [3, 4]])], 'flags': [True, None, -5, 1 << 40], 'name': 'кадр 1.png'}
    streams += [pickle.dumps(face, protocol) for protocol in range(3, pickle.HIGHEST_PROTOCOL + 1)]
    plain = {'a': [1, 2.5, True, None, 'x'], 'b': {'c': (1, 2, 3, 4)}}
    streams += [pickle.dumps(plain, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    return streams


def mutant(stream, choice):
    """A copy of a stream with one to four faults."""
    data = bytearray(stream)
    for _ in range(choice.choice((1, 1, 1, 2, 4))):
        at = choice.randrange(len(data) + 1)
        kind = choice.choice((0, 0, 0, 0, 0, 1, 2, 3, 4, 5))
        if kind == 0:
            data[at:at + 1] = bytes([choice.randrange(256)])
        elif kind == 1:
            data[at:at] = choice.choice(PIECES)
        elif kind == 2:
            del data[at:at + choice.randrange(1, 9)]
        elif kind == 3:
            data[at:at + choice.randrange(9)] = choice.choice(PIECES)
        elif kind == 4:
            begin = choice.randrange(len(data) + 1)
            data[at:at] = data[begin:begin + choice.randrange(60)]
        else:
            del data[max(at, 1):]
        if not data:
            break
    return bytes(data)


def main(count, seed):
    limit = limit_memory()
    streams = real_streams()
    for stream in streams:
        assert plain_data.same(safe_pickle.loads(stream, 'real'), pickle.loads(stream))
    choice = random.Random(seed)
    mutants = [mutant(choice.choice(streams), choice) for _ in range(count)]
    add_hook = getattr(sys, 'addaudithook', None)
    result = {'limit': limit, 'audited': add_hook is not None, 'read': 0, 'refused': 0}
    read, events, watching = [], [], [True]
    if add_hook is not None:
        add_hook(lambda event, arguments: events.append(event)
                 if watching[0] and event.startswith(FORBIDDEN) else None)
    for title, stream in sorted(pickle_attacks.ATTACKS.items()) + [('mutant', stream) for stream in mutants]:
        try:
            value = safe_pickle.loads(stream, title)
        except safe_pickle.UnsafePickleError:
            result['refused'] += 1
        else:
            assert title == 'mutant' and plain_data.is_plain(value), (title, stream)
            result['read'] += 1
            read.append((stream, value))
    watching[0] = False
    for stream, value in read:
        assert plain_data.same(value, pickle.loads(stream)), stream  # harmless, as has been found
    result['events'] = sorted(set(events))
    print(json.dumps(result))


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]))
