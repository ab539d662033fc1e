"""Reading and writing pickles as plain data: legitimate ones like pickle itself, all others refused."""
import glob
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pickle_attacks
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_data import same

from accel import pickle_reader, safe_pickle

TESTS = os.path.dirname(os.path.abspath(__file__))
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
CODES = ['b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8']

texts = st.text(max_size=8) | st.just('\ud800') | st.just('x' * 300)
scalars = st.none() | st.booleans() | st.integers() | st.integers(-300, 70000) | st.floats() | texts
keys = texts | st.integers(-1 << 63, 1 << 63) | st.none() | st.tuples(texts, st.booleans())


def nested(leaves):
    """Strategy for these leaves, and lists, tuples and dicts of them."""
    return st.recursive(leaves, lambda parts: st.lists(parts, max_size=5)
                        | st.lists(parts, max_size=4).map(tuple)
                        | st.dictionaries(keys, parts, max_size=4), max_leaves=20)


@st.composite
def arrays(draw):
    """Small numpy arrays of every kind, byte order and layout that a file may hold, and scalars."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    count = int(np.prod(shape, dtype=int))
    # numpy 1 keeps the byte order of an array without items, numpy 2 does not.
    dtype = np.dtype(draw(st.sampled_from('<>' if count else '<')) + draw(st.sampled_from(CODES)))
    raw = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    if dtype.kind == 'b':
        raw = bytes(value & 1 for value in raw)
    array = np.frombuffer(raw, dtype).reshape(shape).copy(order=draw(st.sampled_from('CF')))
    return draw(st.sampled_from([array, array.T, array[::-1]] if shape else [array, array[()]]))


def golden_streams():
    """The pickle of every golden face: what stock itself wrote under Python 3.6 and numpy 1.19."""
    for path in sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg'))):
        with open(path, 'rb') as file:
            head = file.read(8192)
        begin = head.find(b'\xff\xef')
        if begin > 0:
            yield head[begin + 4:begin + 2 + int.from_bytes(head[begin + 2:begin + 4], 'big')]


def face():
    """The metadata of a face with everything in it that stock can store."""
    return {
        'face_type': 'whole_face',
        'landmarks': [[float(i) / 7, i * 1.5] for i in range(68)],
        'source_filename': 'кадр 00001 \U0001f600.png',
        'source_rect': [10, 20, 300, 70000],
        'source_landmarks': np.arange(136, dtype=np.float64).reshape(68, 2),
        'image_to_face_mat': np.array([[1.5, 0, -3], [0, 1.5, 4]]),
        'eyebrows_expand_mod': np.float64(1.25),
        'seg_ie_polys': {'polys': [{'type': 1, 'pts': np.array([[1, 2], [3, 4.5]], np.float32)},
                                   {'type': 0, 'pts': np.empty((0, 2), np.float32)}]},
        'ie_polys': [(1, [[1, 2], (3, 4)])],
        'xseg_mask': np.arange(1000, dtype=np.int64).astype(np.uint8).reshape(-1, 1),
        'relighted': True,
        'rect': np.array([1, 2, 3, 4]),
    }


# --- reading what is in order ---

def test_golden_faces():
    streams = list(golden_streams())
    assert len(streams) == 42
    for stream in streams:
        ref = pickle.loads(stream)
        comp = safe_pickle.loads(stream, 'face')
        assert same(ref, comp)
        assert safe_pickle.dumps(comp) == stream


@pytest.mark.parametrize('protocol', [protocol for protocol in PROTOCOLS if protocol >= 3])
def test_everything_that_stock_stores(protocol):
    stream = pickle.dumps(face(), protocol)
    assert same(pickle.loads(stream), safe_pickle.loads(stream, 'face'))


@given(nested(scalars), st.sampled_from(PROTOCOLS))
def test_plain_values_of_every_protocol(value, protocol):
    stream = pickle.dumps(value, protocol)
    assert same(pickle.loads(stream), safe_pickle.loads(stream, 'x'))


@given(nested(scalars | st.binary(max_size=300) | arrays()), st.sampled_from(PROTOCOLS[3:]))
def test_values_with_bytes_and_arrays(value, protocol):
    stream = pickle.dumps(value, protocol)
    assert same(pickle.loads(stream), safe_pickle.loads(stream, 'x'))


def test_python_written_streams():
    # The pickler in Python puts its opcodes into other frames than the one in C.
    for protocol in PROTOCOLS[3:]:
        file = io.BytesIO()
        pickle._Pickler(file, protocol).dump(face())
        assert same(pickle.loads(file.getvalue()), safe_pickle.loads(file.getvalue(), 'x'))


@pytest.mark.parametrize('core', [b'core', b'_core'])
def test_names_of_numpy_1_and_2(core):
    head = b'cnumpy.' + core + b'.multiarray\n'
    for value in (np.array([[1, 2, 3]], '>i2'), np.float32(1.5)):
        stream = pickle.dumps(value, 3)
        stream = stream.replace(b'cnumpy._core.multiarray\n', head).replace(b'cnumpy.core.multiarray\n', head)
        assert head in stream
        comp = safe_pickle.loads(stream, 'x')
        assert comp.dtype.isnative and comp.tolist() == value.tolist()


@pytest.mark.parametrize('core', ['core', '_core'])
@pytest.mark.parametrize('order, axes, result', [
    ('C', b'', [[0, 1, 2], [3, 4, 5]]), ('F', b'', [[0, 2, 4], [1, 3, 5]]),
    ('K', b'K\x01K\x00\x86', [[0, 3], [1, 4], [2, 5]])])
@pytest.mark.parametrize('writable', [True, False])
def test_arrays_of_protocol_5(core, order, axes, result, writable):
    raw = bytes(range(6))
    data = b'\x96' + struct.pack('<Q', 6) + raw if writable else b'C\x06' + raw
    name = pickle_attacks.stack_name('numpy.{}.numeric'.format(core), '_frombuffer')
    stream = (pickle_attacks.PROTO5 + name + b'(' + data + pickle_attacks.dtype('u1', '|') + b'K\x02K\x03\x86'
              + pickle_attacks.short_text(order) + axes + b'tR.')
    array = safe_pickle.loads(stream, 'x')
    assert array.dtype == np.uint8 and array.tolist() == result and array.flags.writeable == writable


def test_lists_of_points_of_any_length_and_place_in_the_memo():
    for count in (1, 2, 67, 68, 69, 255, 256, 257, 700, 2500):
        for before in (0, 1, 250, 254, 300):
            points = [[i + 0.5, -i - 0.25] for i in range(count)]
            value = [['text {}'.format(i) for i in range(before)], points]
            for protocol in PROTOCOLS[1:]:
                stream = pickle.dumps(value, protocol)
                assert same(safe_pickle.loads(stream, 'x'), value), (count, before, protocol)


def test_points_that_are_referred_to_again():
    point = [1.5, 2.5]
    value = [[point, [3.5, 4.5], point], point]
    comp = safe_pickle.loads(pickle.dumps(value, 3), 'x')
    assert same(comp, value) and comp[0][0] is comp[0][2] is comp[1]


def test_memo_indexes_out_of_order_are_kept_apart():
    point = b'](G' + struct.pack('>d', 1.5) + b'G' + struct.pack('>d', 2.5) + b'e'
    stored = point[:1] + b'q\x00' + point[1:]
    stream = b'\x80\x03]q\x00(' + b'](' + stored + stored + b'e' + b'h\x00e.'  # index 0 three times
    assert same(safe_pickle.loads(stream, 'x'), pickle.loads(stream))


def test_shared_arrays_are_shared():
    array = np.arange(3)
    for protocol in PROTOCOLS[3:]:
        comp = safe_pickle.loads(pickle.dumps([array, array], protocol), 'x')
        assert comp[0] is comp[1] and same(comp[0], array)


def test_arrays_can_be_changed():
    comp = safe_pickle.loads(pickle.dumps(face(), 3), 'x')
    comp['image_to_face_mat'] *= 2
    comp['xseg_mask'][0] = 7
    assert comp['image_to_face_mat'][0, 0] == 3 and comp['xseg_mask'][0, 0] == 7


def test_bytes_after_the_end_are_ignored():
    assert safe_pickle.loads(pickle.dumps([1], 3) + b'cos\nsystem\n', 'x') == [1]


def test_32_levels_are_read_and_33_are_not():
    for make in (lambda value: [value], lambda value: [value, 1], lambda value: (value,),
                 lambda value: {'a': value}, lambda value: {'a': value, 'b': 1},
                 lambda value: (value, 1, 2, 3)):
        value = []
        for _ in range(31):
            value = make(value)
        assert same(safe_pickle.loads(pickle.dumps(value, 3), 'x'), value)
        assert same(safe_pickle.loads(safe_pickle.dumps(value), 'x'), value)
        with pytest.raises(safe_pickle.UnsafePickleError, match='deep'):
            safe_pickle.loads(pickle.dumps(make(value), 3), 'x')


@given(st.lists(st.sampled_from(['one by one', 'mark', 'beside', 'tuple', 'in a longer list']), max_size=40))
def test_levels_of_every_kind_are_counted(steps):
    check_levels(steps)


@pytest.mark.parametrize('middle', ['mark', 'beside', 'in a longer list'])
def test_levels_within_marks_are_counted(middle):
    for inside in (0, 5, 14, 15, 16, 17, 31):
        for marks in (1, 2, 14, 15, 16):
            for outside in (0, 1, 14, 15, 16):
                check_levels(['one by one'] * inside + [middle] * marks + ['one by one'] * outside)


def check_levels(steps):
    """A list is built up from within, its levels with marks and without; beside it are others."""
    begin, end = b'', b''
    for step in steps:
        opened, closed = {'one by one': (b']', b'a'), 'mark': (b'](', b'e'), 'beside': (b'](](]]ae', b'e'),
                          'tuple': (b'', b'\x85'), 'in a longer list': (b'(]K\x01', b'l')}[step]
        begin, end = opened + begin, end + closed
    stream = b'\x80\x02' + begin + b']' + end + b'.'
    value = pickle.loads(stream)
    assert levels_of(value) > len(steps)
    if levels_of(value) <= 32:
        assert same(safe_pickle.loads(stream, 'x'), value)
    else:
        with pytest.raises(safe_pickle.UnsafePickleError, match='deep'):
            safe_pickle.loads(stream, 'x')


def levels_of(value):
    return 1 + max(map(levels_of, value), default=0) if isinstance(value, (list, tuple)) else 0


def test_many_small_containers_side_by_side_need_no_second_look(monkeypatch):
    """Each face in a faceset.pak has a list in a dict of one item."""
    monkeypatch.setattr(pickle_reader._Check, 'weigh', None)
    for protocol in (2, 3, 4):
        listed = [{'polys': {'polys': []}, 'more': (1, [])} for _ in range(100)]
        assert same(safe_pickle.loads(pickle.dumps(listed, protocol), 'x'), listed)


def test_an_array_on_the_32nd_level():
    value = np.arange(3)
    for _ in range(32):
        value = [value, 1]
    assert same(safe_pickle.loads(pickle.dumps(value, 4), 'x'), value)


def test_int_enums_of_stock_as_ints():
    name = pickle_attacks.stack_name('facelib.FaceType', 'FaceType')
    stream = b'\x80\x04](' + name + b'K\x04\x85Rq\x00h\x00e.'
    names = [('facelib.FaceType', 'FaceType')]
    assert safe_pickle.loads(stream, 'x', names) == [4, 4]
    for bad in (stream.replace(b'K\x04', b'C\x00'), stream.replace(b'K\x04\x85', b'K\x04K\x04\x86'),
                stream.replace(b'K\x04\x85R', b''), stream.replace(b'FaceType', b'FaceTypo')):
        with pytest.raises(safe_pickle.UnsafePickleError):
            safe_pickle.loads(bad, 'x', names)


def test_a_large_stream():
    # As in a packed faceset, which is not refused for its sheer size.
    value = [{'landmarks': np.full((68, 2), i, np.float64), 'filename': '{:05d}_0.jpg'.format(i),
              'shape': (256, 256, 3), 'person_name': None, 'xseg_mask': None} for i in range(5000)]
    stream = pickle.dumps(value, 4)
    assert same(safe_pickle.loads(stream, 'x'), value)


# --- refusing the rest ---

@pytest.mark.parametrize('title', sorted(pickle_attacks.ATTACKS))
def test_attack(title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(safe_pickle.UnsafePickleError) as caught:
        safe_pickle.loads(pickle_attacks.ATTACKS[title], 'folder/лицо.jpg')
    assert caught.value.source == 'folder/лицо.jpg' and caught.value.reason
    assert str(caught.value).startswith('folder/лицо.jpg: ') and len(str(caught.value)) < 250
    assert list(tmp_path.iterdir()) == []


def test_there_are_attacks_of_every_protocol():
    assert len(pickle_attacks.ATTACKS) >= 60
    begins = {stream[:2] for stream in pickle_attacks.ATTACKS.values()}
    assert begins >= {b'\x80\x02', b'\x80\x03', b'\x80\x04', b'\x80\x05', b'co', b'(V'}


def test_the_refused_thing_is_named():
    for title, part in (('os.system, protocol 0', 'os.system'), ('NEWOBJ of an allowed name', 'NEWOBJ'),
                        ('INST', 'INST')):
        with pytest.raises(safe_pickle.UnsafePickleError, match=part):
            safe_pickle.loads(pickle_attacks.ATTACKS['code_by_name: ' + title], 'x')


def test_error_survives_a_process_border():
    error = pickle.loads(pickle.dumps(safe_pickle.UnsafePickleError('a.jpg', 'the name os.system')))
    assert (error.source, error.reason) == ('a.jpg', 'the name os.system') and isinstance(error, ValueError)


@pytest.mark.parametrize('protocol', PROTOCOLS[3:])
def test_every_cut_is_refused(protocol):
    value = {'points': [[1.5, 2.5]] * 3, 'mat': np.eye(2), 'mod': np.float32(1), 'n': ['x', -1, 1 << 40]}
    stream = pickle.dumps(value, protocol)
    for end in range(len(stream)):
        with pytest.raises(safe_pickle.UnsafePickleError):
            safe_pickle.loads(stream[:end], 'x')


def test_storm_of_mutants():
    environment = dict(os.environ, OPENBLAS_NUM_THREADS='1')  # its threads reserve address space
    words = [sys.executable, os.path.join(TESTS, 'pickle_storm.py'), '20000', '20211120']
    out = subprocess.check_output(words, env=environment)
    result = json.loads(out.decode())
    assert result['events'] == []
    assert result['read'] > 2000 and result['read'] + result['refused'] == 20000 + len(pickle_attacks.ATTACKS)


POINT = b'(G' + struct.pack('>d', 1.5) + b'G' + struct.pack('>d', 2.5) + b'e'
SWELLING = {  # about 300 KB each, of what takes much memory for its bytes
    'lists': b'(' + b']' * 300000,
    'lists of one': b'(' + b']Na' * 100000 + b't',
    'dicts': b'(' + b'}' * 300000,
    'dicts of one': b'(' + b'}NNs' * 75000 + b't',
    'dict items': b'}(' + b''.join(b'J' + struct.pack('<i', i) + b'N' for i in range(50000)) + b'u',
    'single dict items': b'}' + b''.join(b'J' + struct.pack('<i', i) + b'Ns' for i in range(43000)),
    'tuples': b')' + b'\x85' * 300000,
    'pairs': b'(' + b'NN\x86' * 100000 + b't',
    'nones': b'(' + b'N' * 300000 + b't',
    'more nones': b'(' + b'N' * 445000 + b't',
    'empty tuples': b'(' + b')' * 300000 + b'l',
    'single items': b']' + b'Na' * 150000,
    'memo': b'N' + b'\x94' * 300000,
    'small ints': b'](' + b'K\x05' * 150000 + b'e',
    'ints': b'](' + b'M\x05\x05' * 100000 + b'e',
    'long ints': b'](' + b'\x8a\x03abc' * 60000 + b'e',
    'ints as text': b'(' + b'I999\n' * 60000 + b't',
    'floats': b'](' + (b'G?' + bytes(7)) * 33000 + b'e',
    'texts': b'(' + b'\x8c\x02ab' * 75000 + b't',
    'wide text': b'X' + struct.pack('<I', 300000) + '\U0001f600'.encode('utf-8') + b'a' * 299996,
    'escaped text': b'V' + b'\\U0001f600' + b'a' * 300000 + b'\n',
    'bytes': b'(' + b'C\x02ab' * 75000 + b't',
    'buffers': b'(' + (b'\x96' + bytes(8)) * 33000 + b't',
    'names': b'(' + b'cnumpy\ndtype\n' * 23000 + b't',
    'points': b'](' + (b']' + POINT) * 14000 + b'e',
    'stored points': b'](' + (b']\x94' + POINT) * 14000 + b'e',
    'int points': b'](' + b'](K\x05K\x06e' * 33000 + b'e',
    'shared lists': b']\x94(' + b']\x94' * 40000 + b''.join(
        b'j' + struct.pack('<I', i) for i in range(40000)) + b'e',
    'arrays': b'(' + pickle_attacks.dtype('u1', '|') + b'\x94' + pickle_attacks.ND_RECONSTRUCT + b'\x94'
              + pickle_attacks.ND_ARRAY + b'\x94K\x00\x85C\x01b\x87\x94R' + (
                  b'h\x01h\x03R(K\x01K\x01\x85h\x00\x89C\x01atb') * 15000 + b't',
    'array': pickle_attacks.array(b'J' + struct.pack('<i', 300000) + b'\x85', pickle_attacks.dtype('u1', '|'),
                                  bytes(300000)),
}


@pytest.mark.shared_out
@pytest.mark.parametrize('title', sorted(SWELLING))
def test_memory_stays_below_16_times_the_stream_and_a_megabyte(title):
    stream = SWELLING[title] + b'.'
    tracemalloc.start()
    try:
        safe_pickle.loads(stream, 'x')
    except safe_pickle.UnsafePickleError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= 16 * len(stream) + (1 << 20)


# --- writing ---

@given(nested(scalars | st.binary(max_size=300)))
def test_written_as_pickle_writes_it(value):
    assert safe_pickle.dumps(value) == pickle.dumps(value, 3)


@given(nested(scalars | st.binary(max_size=300) | arrays()))
def test_written_arrays(value):
    ref = pickle.dumps(value, 3).replace(b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n')
    assert safe_pickle.dumps(value) == ref
    assert same(safe_pickle.loads(ref, 'x'), pickle.loads(ref))


def test_written_faces():
    many = {'face {}'.format(i): face() for i in range(30)}  # memo indexes beyond 256
    for value in (face(), many, list(range(2500)), {str(i): i for i in range(2500)}, [[]] * 1001):
        ref = pickle.dumps(value, 3).replace(b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n')
        assert safe_pickle.dumps(value) == ref


def test_shared_parts_are_written_once():
    points, array = [[1.5, 2.5]], np.arange(4.0)
    value = {'landmarks': points, 'source_landmarks': points, 'a': array, 'b': array, 'key': 'key'}
    assert safe_pickle.dumps(value) == pickle.dumps(value, 3).replace(b'numpy._core', b'numpy.core')


def infinite():
    value = []
    value.append({'a': value})
    return value


@pytest.mark.parametrize('value, part', [
    ({'a': {1, 2}}, r"\['a'\]"), ({'a': [1, os.path]}, r"\['a'\]\[1\]"), ({'a': object()}, 'object'),
    ([np.array(['text'])], 'U4'), (np.array([None]), 'object'), (np.array([1j]), 'complex128'),
    (np.str_('x'), 'U1'), (bytearray(b'x'), 'bytearray'), (1 << 3000, 'int'), ({(1, (2, 3)): 1}, 'key'),
    ({1 << 70: 1}, 'key'), (infinite(), 'contains itself'), (np.zeros(3, 'i4,i4'), 'cannot be stored'),
    (np.ma.zeros(3), 'Masked'), (OSError, 'type')])
def test_what_is_not_plain_is_not_written(value, part):
    with pytest.raises(ValueError, match=part):
        safe_pickle.dumps(value)


def test_too_many_levels_are_not_written():
    value = 1
    for _ in range(33):
        value = [value]
    with pytest.raises(ValueError, match='32 levels'):
        safe_pickle.dumps(value)
    assert safe_pickle.loads(safe_pickle.dumps(value[0]), 'x') == value[0]
