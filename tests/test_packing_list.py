"""The list of a faceset.pak, written face by face: a pickle of protocol 4 that any Python reads."""
import io
import pickle
import pickletools
import tracemalloc

import numpy as np
import pytest
from accel import faceset, safe_pickle
from accel.pickle_writer import EnumMember, ListWriter, Points
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_data import same

FACE = EnumMember('samplelib.Sample', 'SampleType', 1)
HEAD, WHOLE = (EnumMember('facelib.FaceType', 'FaceType', number) for number in (10, 4))


class _EnumsAsInts(pickle.Unpickler):
    def find_class(self, module, name):
        return int if name in ('SampleType', 'FaceType') else super().find_class(module, name)


def written(items):
    writer = ListWriter()
    return b''.join([writer.add(item) for item in items] + [writer.end()])


def check(items, expected):
    stream = written(items)
    assert stream[:2] == b'\x80\x04' and stream[-1:] == b'.'
    assert same(_EnumsAsInts(io.BytesIO(stream)).load(), expected)
    assert same(safe_pickle.loads(stream, 'x', faceset.ENUMS), expected)
    return stream


def a_face(number, points, **changes):
    mask = np.arange(number % 7 * 50, dtype=np.uint8)
    return dict({'sample_type': FACE, 'filename': '{}.jpg'.format(number), 'face_type': (HEAD, WHOLE)[number % 2],
                 'shape': (256, 300, 3), 'landmarks': Points(points), 'xseg_mask': None,
                 'xseg_mask_compressed': mask[:, None] if number % 3 == 0 else None,
                 'seg_ie_polys': {'polys': [{'type': 1, 'pts': np.ones((number % 4, 2), np.float32)}]},
                 'source_filename': 'кадр 1.png' if number % 2 else '\udce9' + 'x' * number}, **changes)


def plain(item):
    return {key: value.number if isinstance(value, EnumMember) else value.array.tolist() if isinstance(value, Points)
            else value for key, value in item.items()}


@pytest.mark.parametrize('count', [0, 1, 2, 1000, 1001])
def test_lists_of_every_length(count):
    points = np.random.RandomState(1).rand(68, 2)
    items = [a_face(number, points + number) for number in range(count)]
    check(items, [plain(item) for item in items])


@pytest.mark.parametrize('count', [0, 1, 2, 3, 68, 999, 1000, 1001, 1500])
def test_points_of_every_number(count):
    points = np.random.RandomState(2).randn(count, 2) * 1e3
    check([[Points(points), 'x', Points(points)], 'x'], [[points.tolist(), 'x', points.tolist()], 'x'])


def test_points_that_are_no_numbers():
    points = np.array([[np.nan, np.inf], [-0.0, -np.inf], [5e-324, 1.7e308]])
    check([Points(points)], [points.tolist()])


def test_the_opcodes_are_those_of_pickle():
    """But for frames; what is in a list twice is one object in both."""
    items = [{'filename': 'a' * 255, 'shape': (1, 256, 70000), 'x': [1.5, {'type': -1}], 'y': None, 'z': True},
             {'filename': 'a' * 256, 'shape': (), 'x': b'raw', 'landmarks': [[1.0, 2.0], [3.0, 4.0]]}]
    other = [dict(items[0]), dict(items[1], landmarks=Points(np.array([[1.0, 2.0], [3.0, 4.0]])))]
    ref, begin = b'', None
    stream = pickle.dumps(items, 4)
    for opcode, _, position in list(pickletools.genops(stream)) + [(None, None, len(stream))]:
        ref += stream[begin:position] if begin is not None else b''
        begin = None if opcode is None or opcode.name == 'FRAME' else position
    assert written(other) == ref


def test_names_are_written_once():
    points = np.zeros((68, 2))
    stream = written([a_face(number, points) for number in range(50)])
    for name in (b'SampleType', b'FaceType', b'sample_type', b'xseg_mask_compressed', b'_reconstruct', b'pts'):
        assert stream.count(name) == {b'FaceType': 2}.get(name, 1), name   # facelib.FaceType and its FaceType
    assert b'numpy._core' not in stream


VALUES = st.recursive(st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats(allow_nan=False) | st.text()
                      | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)
                      | st.tuples(inner, inner), max_leaves=12)


@settings(max_examples=40)
@given(st.lists(VALUES, max_size=6))
def test_any_plain_data(items):
    check(items, items)


def test_objects_of_equal_addresses_are_not_mistaken():
    """Nothing of an item lives on: the next one often lies at its addresses."""
    writer, pieces = ListWriter(), []
    for number in range(500):
        pieces.append(writer.add({'filename': 'n{}'.format(number), 'shape': (number, number + 1, 3),
                                  'mask': np.full(3, number % 256, np.uint8)}))
    stream = b''.join(pieces) + writer.end()
    for number, item in enumerate(pickle.loads(stream)):
        assert item['filename'] == 'n{}'.format(number) and item['shape'] == (number, number + 1, 3)
        assert (item['mask'] == number % 256).all()


def test_memory_does_not_grow():
    writer, points = ListWriter(), np.random.RandomState(0).rand(68, 2)
    tracemalloc.start()
    for number in range(300):
        writer.add(a_face(number, points))
    early = tracemalloc.get_traced_memory()[0]
    for number in range(1000):
        writer.add(a_face(number % 300, points))
    late = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert late - early < 20000


def test_what_is_no_plain_data_is_refused():
    for bad in (object(), {1, 2}, {'a': object()}, np.array(['x'])):
        with pytest.raises(ValueError):
            ListWriter().add(bad)
