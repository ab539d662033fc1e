"""Quick reading of a faceset.pak: equal to careful reading, or left to it."""
import enum
import io
import os
import pickle
import pickletools
import random
import struct
import sys
import tracemalloc
import types

import numpy as np
import pytest
import training_faces as make
from test_training_loading import plain

from accel import faceset
from accel.pickle_reader import Reader
from accel.pickle_writer import EnumMember, ListWriter, Points
from accel.training import loading, quick_packed

TESTS = os.path.dirname(os.path.abspath(__file__))
SAMPLE_TYPE = enum.IntEnum('SampleType', 'FACE', module='samplelib.Sample')
FACE_TYPE = enum.IntEnum('FaceType', [('FULL', 2), ('WHOLE_FACE', 4), ('HEAD', 10)], module='facelib.FaceType')
MEMBERS = {member: EnumMember(*names, member.value)
           for kind, names in ((SAMPLE_TYPE, faceset.SAMPLE_TYPE), (FACE_TYPE, faceset.FACE_TYPE)) for member in kind}


@pytest.fixture(autouse=True)
def enums(monkeypatch):
    """The enums where a pickle names them."""
    for kind in (SAMPLE_TYPE, FACE_TYPE):
        module = types.ModuleType(kind.__module__)
        setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, kind.__module__, module)
        monkeypatch.setitem(sys.modules, kind.__module__.split('.')[0], types.ModuleType('package'))


POINTS = [(np.random.RandomState(number).rand(68, 2) * 64).tolist() for number in range(60)]


def config(number, **changes):
    """What a pak of stock's says of a face, changed."""
    told = {'sample_type': SAMPLE_TYPE.FACE, 'filename': '{:05}_0.jpg'.format(number),
            'face_type': list(FACE_TYPE)[number % 3], 'shape': (64, 64 + number, 3),
            'landmarks': POINTS[number % 60], 'seg_ie_polys': {'polys': []}, 'xseg_mask': None,
            'xseg_mask_compressed': None, 'eyebrows_expand_mod': 1.0,
            'source_filename': '{:05}.png'.format(number), 'person_name': None}
    return dict(told, **changes)


def several(**changes):
    return [config(number, **changes) for number in range(5)]


def mixed(count=12):
    """Faces with all that there is, in all combinations."""
    persons = ['Боб', 'anna b']
    return [config(number, xseg_mask_compressed=make.mask(number, 8 + number % 5) if number % 3 == 1 else None,
                   seg_ie_polys=make.polygons(number % 4, number) if number % 2 else {'polys': []},
                   person_name=persons[number % 2] if number % 5 else None) for number in range(count)]


SHAPE = (256, 256, 3)
NAME = 'one name.jpg'
KINDS = {
    'ordinary': several(), 'none': [], 'one': several()[:1], 'two': several()[:2], 'mixed': mixed(),
    'masks': [config(number, xseg_mask_compressed=make.mask(number, 40)) for number in range(9)],
    'flat masks': [config(number, xseg_mask_compressed=make.mask(number).reshape(-1)) for number in range(3)],
    'small masks': [config(number, xseg_mask_compressed=np.arange(number + 1, dtype=np.uint8)) for number in range(3)],
    'polygons': [config(number, seg_ie_polys=make.polygons(number, number)) for number in range(9)],
    'polygons without points': [config(number, seg_ie_polys={'polys': [
        {'type': kind, 'pts': np.zeros((0, 2), np.float32)} for kind in (0, 1)]}) for number in range(4)],
    'persons': [config(0, person_name=name) for name in ('Боб', 'anna b', 'Боб', None, 'a' * 255, 'é' * 128)],
    'one name': several(filename=NAME, source_filename=NAME, person_name=NAME), 'one shape': several(shape=SHAPE),
    'names': [config(0, filename=name, source_filename=name) for name in (
        'кадр 1.jpg', '面.jpg', '😀.jpg', '\udce9.jpg', 'a' * 255, 'a' * 256, 'ж' * 700)],
    'nothing': several(shape=None, eyebrows_expand_mod=None, source_filename=None, seg_ie_polys=None),
    'eyebrows': several(eyebrows_expand_mod=1.75), 'whole eyebrows': several(eyebrows_expand_mod=2),
    'sizes': [config(0, shape=shape) for shape in ((1, 2, 3), (256, 255, 1), (65535, 65536, 4))],
    'no numbers': several(landmarks=[[float('nan'), float('-inf')]] * 34 + [[5e-324, -0.0], [0.0, 1.7e308]] * 17),
    'folders': several(filename='aligned/деep/1.jpg', person_name='a/b'),
    'other order': [dict(reversed(list(config(number).items()))) for number in range(3)],
    'fewer keys': [{key: config(0)[key] for key in ('filename', 'face_type', 'landmarks')}],
    'many': [config(number, filename=str(number)) for number in range(1001)],
}


def as_stock(configs):
    return pickle.dumps([dict(told, landmarks=[list(point) for point in told['landmarks']]) for told in configs], 4)


def as_ours(configs):
    writer = ListWriter()
    listed = [{key: MEMBERS[value] if isinstance(value, enum.IntEnum) else
               Points(np.array(value)) if key == 'landmarks' else value for key, value in told.items()}
              for told in configs]
    return b''.join([writer.add(told) for told in listed] + [writer.end()])


def content(listed, count, quirk=True, after=b''):
    """A faceset.pak (bytes) with this list. quirk: the last offset is from the start of the file."""
    start = 16 + len(listed) + 8 * (count + 1)
    offsets = [number * (number + 1) for number in range(count + 1)]
    data = bytes(offsets[-1])
    offsets[-1] += start * quirk
    return (struct.pack('<QQ', 1, len(listed)) + listed + struct.pack('<{}Q'.format(len(offsets)), *offsets) + data
            + after)


def write(folder, data):
    path = str(folder / 'faceset.pak')
    with open(path, 'wb') as file:
        file.write(data)
    return path


def faces(builder):
    return [plain(face) for face in builder.table()]


def kept(builder):
    """All that a Builder of a small pak has."""
    assert not builder._blocks
    return builder._count, bytes(builder._records), bytes(builder._heap)


def check(path, count, is_quick=True):
    """Read a pak both ways; return the faces."""
    read = quick_packed.read(path)
    assert (read is not None) == is_quick
    expected = faces(loading._read_packed_carefully(path))
    assert len(expected) == count
    assert read is None or faces(read) == expected
    assert [plain(face) for face in loading.load_packed(path)] == expected
    return expected


@pytest.mark.parametrize('written', [as_stock, as_ours])
@pytest.mark.parametrize('kind', sorted(KINDS))
def test_paks_of_each_kind(tmp_path, kind, written):
    configs = KINDS[kind]
    listed = written(configs)
    for quirk in (True, False) if len(configs) < 20 else (True,):
        found = check(write(tmp_path, content(listed, len(configs), quirk)), len(configs))
    for told, face in zip(configs, found):
        assert face[0] == told['filename'].split('/')[-1] and face[1] == told['face_type'].value
        assert face[3] == plain(np.array(told['landmarks']))


def test_the_pak_of_stocks():
    check(os.path.join(TESTS, 'data', 'faceset_stock.pak'), 3)


@pytest.mark.parametrize('written', [as_stock, as_ours])
def test_what_comes_late_has_long_memo_indexes(tmp_path, written):
    """Names and types of arrays are first written behind index 65,535, and fetched from there."""
    late = [dict(told, filename='late{}'.format(number), person_name='late')
            for number, told in enumerate(mixed())]
    listed = written([config(number % 7) for number in range(1000)] + late)
    assert listed.count(b'_reconstruct') == 1 and listed.index(b'_reconstruct') > 980 * 1496
    check(write(tmp_path, content(listed, 1012)), 1012)


def test_pieces_of_all_sizes(tmp_path, monkeypatch):
    path = write(tmp_path, content(as_stock(KINDS['masks'] + mixed(40)), 49))
    expected = check(path, 49)
    monkeypatch.setattr(quick_packed, '_AHEAD', 6000)    # the largest face has fewer
    for piece in (6000, 6001, 7777):
        monkeypatch.setattr(quick_packed, '_PIECE', piece)
        assert faces(quick_packed.read(path)) == expected
    monkeypatch.setattr(quick_packed, '_AHEAD', 1000)
    monkeypatch.setattr(quick_packed, '_PIECE', 1000)
    check(path, 49, is_quick=False)


# --- frames ----------------------------------------------------------------------------------

def framed(listed, cuts):
    """A list without frames in frames: they begin at these positions."""
    edges = [2] + sorted(cuts) + [len(listed)]
    return listed[:2] + b''.join(b'\x95' + struct.pack('<Q', end - begin) + listed[begin:end]
                                 for begin, end in zip(edges, edges[1:]))


def test_frames_begin_between_opcodes_or_are_left_to_careful_reading(tmp_path):
    configs = [config(0), config(1, xseg_mask_compressed=make.mask(0, 4), seg_ie_polys=make.polygons(1))]
    listed = as_ours(configs)
    edges = {position for _, _, position in pickletools.genops(listed)}
    for cut in list(range(3, 1700, 5)) + list(range(1700, len(listed))):
        path = write(tmp_path, content(framed(listed, [cut]), 2))
        read = quick_packed.read(path)
        assert (read is not None) == (cut in edges), cut
        assert read is None or kept(read) == kept(loading._read_packed_carefully(path))
    assert len(edges & set(range(1700, len(listed)))) > 300


def test_many_frames(tmp_path):
    listed = as_ours(mixed())
    edges = [position for _, _, position in pickletools.genops(listed)][2:]
    check(write(tmp_path, content(framed(listed, edges), 12)), 12)
    check(write(tmp_path, content(framed(listed, random.Random(0).sample(edges, 30)), 12)), 12)
    stock = as_stock([config(number, filename=str(number)) for number in range(500)])
    assert stock.count(b'\x95') > 5    # Python's own frames
    check(write(tmp_path, content(stock, 500)), 500)


def test_frames_that_are_no_chain(tmp_path):
    listed = as_ours(mixed())
    good = framed(listed, [1000])
    for bad in (good[:3] + b'\xff' + good[4:], good[:10] + b'\1' + good[11:],
                framed(listed, [1000, 1000]), good[:-1] + b'\x95' + bytes(8) + b'.',
                good + b'\x95' + bytes(8), good + b'N'):
        path = write(tmp_path, content(bad, 12))
        assert quick_packed.read(path) is None
        try:
            loading.load_packed(path)
        except faceset.FacesetError:
            pass


def test_a_frame_beyond_the_end(tmp_path, monkeypatch):
    listed = as_ours(mixed())
    monkeypatch.setattr(quick_packed, '_PIECE', len(listed) - 2)
    good = framed(listed, [])
    check(write(tmp_path, content(good, 12)), 12)
    path = write(tmp_path, content(good[:3] + struct.pack('<Q', len(listed) - 1) + good[11:], 12))
    assert quick_packed.read(path) is None
    with pytest.raises(faceset.FacesetError, match='frame'):
        loading.load_packed(path)


# --- what is unusual or refused ---------------------------------------------------------------

@pytest.mark.parametrize('changes', [
    {'xseg_mask': np.zeros((4, 4))}, {'xseg_mask_compressed': np.zeros((4, 4), np.uint8)}, {'extra': 1},
    {'xseg_mask_compressed': np.zeros(4, np.float32)}, {'xseg_mask_compressed': np.zeros(0, np.uint8)},
    {'seg_ie_polys': [(1, [[1, 2], [3, 4]])]}, {'seg_ie_polys': {'polys': [{'type': 1, 'pts': [[1, 2]]}]}},
    {'seg_ie_polys': {'polys': [{'type': 7, 'pts': np.zeros((2, 2), np.float32)}]}}, {'landmarks': [[1, 2]] * 68},
    {'seg_ie_polys': {'polys': [{'type': 1, 'pts': np.zeros((2, 2))}]}}, {'landmarks': [[1.5, 2.5]] * 5},
    {'seg_ie_polys': {'polys': [{'type': 1, 'pts': np.zeros((1, 1, 2), np.float32)}]}}, {'shape': (1, 2)},
    {'shape': [1, 2, 3]}, {'shape': (-1, 2, 3)}, {'face_type': 4}, {'face_type': 'full'}, {'source_filename': 5},
    {'eyebrows_expand_mod': True}, {'eyebrows_expand_mod': 1 << 40}, {'sample_type': 1}])
def test_unusual_faces_are_left_to_careful_reading(tmp_path, changes):
    configs = [config(0), config(1, **changes), config(2)]
    path = write(tmp_path, content(as_stock(configs), 3))
    assert quick_packed.read(path) is None
    expected = faces(loading._read_packed_carefully(path))
    assert 2 <= len(expected) <= 3 and [plain(face) for face in loading.load_packed(path)] == expected


@pytest.mark.parametrize('changes', [
    {'filename': '../a.jpg'}, {'filename': 'C:a.jpg'}, {'filename': '/a.jpg'}, {'filename': ''}, {'filename': None},
    {'filename': 'a\0.jpg'}, {'person_name': '..'}, {'person_name': ''}, {'person_name': 'a/..'}, {'person_name': 5},
    {'source_filename': os.getpid}, {'face_type': os.getpid}])
def test_what_is_refused(tmp_path, changes):
    path = write(tmp_path, content(as_stock([config(0), config(1, **changes)]), 2))
    assert quick_packed.read(path) is None
    with pytest.raises(faceset.FacesetError):
        loading.load_packed(path)


def test_other_names_for_the_enums(tmp_path):
    listed = as_ours(several())
    for found, put in ((b'facelib.FaceType', b'facelib.FaceTypo'), (b'SampleType', b'SampleTyqe')):
        path = write(tmp_path, content(listed.replace(found, put), 5))
        assert quick_packed.read(path) is None
        with pytest.raises(faceset.FacesetError, match='name'):
            loading.load_packed(path)


@pytest.mark.parametrize('found, put', [
    (b'\x8c\x10facelib.FaceType\x94\x8c\x08FaceType', b'\x8c\x05numpy\x94\x8c\x05dtype'), (b'C\1b', b'C\1c'),
    (b'\x8c\2u1', b'\x8c\2O8'), (b'\x8c\1|', b'\x8c\1|' + b'\x94\x8c\1|'), (b'K\3\x8c\1|', b'K\2\x8c\1|'),
    (b'\x89\x88\x87', b'\x88\x88\x87'), (b'K\x09K\1\x86', b'J\xf7\xff\xff\xffJ\xff\xff\xff\xff\x86'),
    (b'K\x09K\1\x86', b'K\x08K\1\x86'), (b'NNNJ', b'NNNNJ'), (b'(K\1K\x09', b'(K\2K\x09')])
def test_arrays_and_names_that_are_not_as_they_should_be(tmp_path, found, put):
    listed = as_ours([config(0, xseg_mask_compressed=np.arange(9, dtype=np.uint8)[:, None])])
    assert listed.count(found) == 1
    path = write(tmp_path, content(listed.replace(found, put), 1))
    assert quick_packed.read(path) is None
    with pytest.raises(faceset.FacesetError):
        loading.load_packed(path)


def test_a_key_that_comes_twice(tmp_path):
    """The last one counts, and each takes memory: left to careful reading."""
    listed = as_ours(several()[:1])
    twice = listed[:-3] + b'\x8c\x0bperson_name\x94\x8c\x01x\x94' + listed[-3:]
    found, = check(write(tmp_path, content(twice, 1)), 1, is_quick=False)
    assert found[8] == 'x'


def test_damaged_files(tmp_path):
    good = content(as_ours(mixed()), 12)
    length = struct.unpack_from('<Q', good, 8)[0]
    table = 16 + length
    for bad in (b'', good[:7], good[:16], good[:table], good[:table + 50], good[:-1], b'\2' + good[1:],
                good[:8] + struct.pack('<Q', 1 << 62) + good[16:], good[:8] + bytes(8) + good[16:],
                good[:table + 8] + b'\xff' * 8 + good[table + 16:], good[:table + 16] + bytes(8) + good[table + 24:]):
        assert quick_packed.read(write(tmp_path, bad)) is None
    assert quick_packed.read(write(tmp_path, good)) is not None
    path = write(tmp_path, content(as_ours(mixed()), 12, False, b'something'))
    check(path, 12, is_quick=False)
    assert quick_packed.read(str(tmp_path / 'nowhere')) is None


def test_what_takes_much_memory_for_its_size_is_left_to_careful_reading(tmp_path):
    name = 'x' * 60000
    listed = as_ours([config(number % 9, filename=name) for number in range(2)])
    for count in (2, 600):
        told = [config(number % 9) for number in range(count)]
        told = [dict(one, source_filename=name) for one in told]
        listed = as_stock(told)
        assert len(listed) < 60000 + 1700 * count
        path = write(tmp_path, content(listed, count))
        tracemalloc.start()
        read = quick_packed.read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (read is None) == (count == 600)
        assert peak < 16 * len(listed) + (1 << 20)
    with pytest.raises(faceset.FacesetError, match='memory'):
        loading.load_packed(path)


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_no_less_is_charged_than_by_careful_reading(kind):
    for listed in (as_stock(KINDS[kind]), as_ours(KINDS[kind])):
        careful = Reader(listed, faceset.ENUMS)
        careful.read()
        quick = quick_faces(listed)
        for _ in KINDS[kind]:
            quick.next(('x', 0, 0))
        quick.end()
        assert careful.charged <= quick.charged and quick.limit == careful.limit
        assert quick.charged <= 1.3 * careful.charged + 4000


def quick_faces(listed):
    return quick_packed._Faces(quick_packed._List(io.BytesIO(listed), len(listed)), len(listed))


def test_memory_is_that_of_the_table(tmp_path):
    count = 2000
    path = write(tmp_path, content(as_stock([config(number, filename=str(number)) for number in range(count)]), count))
    tracemalloc.start()
    builder = quick_packed.read(path)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept(builder)[0] == count
    assert peak < 1.3 * now + (3 << 20) < 9 << 20


# --- mutants ---------------------------------------------------------------------------------

PIECES = [bytes([code]) for code in b'}](N\x88\x89\x85\x86\x87teusaRb\x93\x94.\x95KMJGXCBhj\x8c\0\1\2'] + [
    b'h\0', b'h\2', b'j\0\0\0\0', b']\x94', b'}\x94', b'K\x00', b'K\x04', b'M\0\1', b'\xff\xff\xff\x7f', b'N' * 4,
    b'\x8c\x01a\x94', b'C\0\x94', b'\x8c\x02..\x94', b'\x8c\x05numpy\x94', b'\x95\0\0\0\0\0\0\0\0']


def mutant(data, choice):
    """A copy of a list with one to three faults, most of them outside of the points."""
    data = bytearray(data)
    outside = [at for at in range(len(data)) if not 180 < at < 1600]
    for _ in range(choice.choice((1, 1, 1, 2, 3))):
        at = choice.choice(outside if choice.random() < .9 else range(len(data))) % len(data)
        kind = choice.randrange(7)
        if kind == 0:
            data[at] = choice.randrange(256)
        elif kind == 1:
            data[at:at + choice.randrange(3)] = choice.choice(PIECES)
        elif kind == 2:
            del data[at:at + choice.choice((1, 1, 2, 3, 22))]
        elif kind == 3:
            begin = choice.randrange(len(data))
            data[at:at] = data[begin:begin + choice.choice((1, 2, 3, 22, 60))]
        elif kind == 4:    # another memo index, or another small number
            places = [place for place in range(len(data) - 1) if data[place] in b'hK']
            data[choice.choice(places) + 1] = choice.randrange(256)
        elif kind == 5:    # two pieces of the list change places
            end = at + choice.randrange(1, 40)
            data[at:end + 20] = data[end:end + 20] + data[at:end]
        else:
            data[at] ^= 1 << choice.randrange(8)
    return bytes(data)


@pytest.mark.parametrize('seed', range(3))
def test_mutants_are_read_as_by_careful_reading_or_left_to_it(tmp_path, capsys, seed):
    choice = random.Random(seed)
    configs = [config(0, filename='a.jpg'), config(1, xseg_mask_compressed=np.arange(9, dtype=np.uint8)[:, None],
                                                   seg_ie_polys=make.polygons(2), person_name='b'),
               config(2, seg_ie_polys=make.polygons(1), xseg_mask_compressed=np.arange(5, dtype=np.uint8))]
    plain_list, stock_list = as_ours(configs), as_stock(configs)
    stock_list = stock_list if sys.version_info[:2] == (3, 6) else framed(plain_list, [700, 2400])
    read = 0
    for _ in range(1000):
        listed = mutant(choice.choice((plain_list, stock_list)), choice)
        data = content(listed, 3)
        if choice.random() < .1:
            at = choice.choice([choice.randrange(16), len(listed) + 16 + choice.randrange(32)])
            data = data[:at] + bytes([choice.randrange(256)]) + data[at + 1:]
        path = write(tmp_path, data)
        quick = quick_packed.read(path)
        if quick is not None:
            read += 1
            assert kept(quick) == kept(loading._read_packed_carefully(path)), listed
    assert read > 30 and capsys.readouterr().out == ''
