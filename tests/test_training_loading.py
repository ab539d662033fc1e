"""Loading of faces: heads only, stock's order, nothing believed, and quick reading equals careful reading."""
import glob
import hashlib
import os
import pickle
import random
import struct

import numpy as np
import pickle_attacks
import pytest
import training_faces as make
from hypothesis import given
from hypothesis import strategies as st
from naive import loading as naive
from plain_data import same

from accel import dfl_jpeg, faceset, quick_metadata, safe_pickle
from accel.training import loading

TESTS = os.path.dirname(os.path.abspath(__file__))
GOLDEN = sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg')))
STOCK_PAK = os.path.join(TESTS, 'data', 'faceset_stock.pak')
KINDS = {
    'ordinary': {}, 'mask': {'xseg_mask': make.mask()}, 'flat mask': {'xseg_mask': make.mask().reshape(-1)},
    'polygons': {'seg_ie_polys': make.polygons(4)},
    'all': {'seg_ie_polys': make.polygons(3), 'xseg_mask': make.mask()},
    'older polygons': {'seg_ie_polys': [(0, [[1, 2], [3, 4], [5, 6]]), (1, [[7, 8]])]},
    'no polygons': {'seg_ie_polys': {'polys': []}},
    'eyebrows': {'eyebrows_expand_mod': 1.75}, 'whole eyebrows': {'eyebrows_expand_mod': 2},
    'no source': {'source_filename': None}, 'no type': {'face_type': None},
    'capitals': {'face_type': 'Whole_Face'}, 'mark only': {'face_type': 'mark_only'},
    'name': {'source_filename': 'кадр'},
    'whole landmarks': {'landmarks': [[number, 2 * number] for number in range(68)]},
    'array landmarks': {'landmarks': np.random.RandomState(0).rand(68, 2).astype(np.float32)},
    'mixed landmarks': {'landmarks': [[number, number + .5] for number in range(68)]},
    'rectangle': {'source_rect': [1, 300, 70000, 4.5]}, 'older keys': {'ie_polys': [], 'relighted': True},
}


def plain(value):
    """A value with its arrays as (type, shape, hash): long lists that differ take pytest minutes to show."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, hashlib.sha1(value.tobytes()).hexdigest()
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def assert_equal(face, expected):
    """face: a Face; expected: the oracle's dict."""
    expected = dict(expected, polygons=[(kind, np.float32(points)) for kind, points in expected['polygons']])
    assert {name: plain(getattr(face, name)) for name in expected} == {
        name: plain(value) for name, value in expected.items()}


def assert_loaded(table, paths):
    assert len(table) == len(paths)
    for face, path in zip(table, paths):
        assert_equal(face, naive.load(path))


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_a_face_of_each_kind(tmp_path, kind):
    paths = make.write(tmp_path, 3, **KINDS[kind])
    assert_loaded(loading.load_faces(paths), paths)


def test_golden_faces():
    faces = [path for path in GOLDEN if naive.load(path)]
    assert len(faces) > 40
    assert_loaded(loading.load_faces(GOLDEN), faces)


def test_what_is_no_face_is_told_and_left_out(tmp_path, capsys):
    paths = make.write(tmp_path, 2)
    good = make.metadata()
    wrong = {'empty.jpg': b'', 'text.jpg': b'hello', 'a picture.png': make.face(good, extension='.jpg'),
             'no metadata.jpg': make.face({}), 'cut.jpg': make.face(good)[:1000],
             'attack.jpg': make.face(pickle.dumps(Attack())),
             'no landmarks.jpg': make.face(make.metadata(landmarks=None)),
             'five points.jpg': make.face(make.metadata(landmarks=[[1., 2.]] * 5)),
             'new type.jpg': make.face(make.metadata(face_type='new_face')),
             'polygon.jpg': make.face(make.metadata(seg_ie_polys={'polys': [{'type': 7, 'pts': [[1, 2]]}]})),
             'polygon of words.jpg': make.face(make.metadata(seg_ie_polys={'polys': ['x']})),
             'mask.jpg': make.face(make.metadata(xseg_mask=np.zeros((4, 4))))}
    for name, data in wrong.items():
        (tmp_path / name).write_bytes(data)
    table = loading.load_faces(loading.image_paths(tmp_path) + [str(tmp_path / 'gone.jpg')])
    assert [face.filename for face in table] == paths
    said = capsys.readouterr().out
    for name in list(wrong) + ['gone.jpg']:
        assert 'FaceSamplesLoader: {} is not a dfl image file'.format(tmp_path / name) in said
    assert said.count('is not a dfl image file') == len(wrong) + 1
    assert 'no metadata.jpg is not a dfl image file.\n' in said


def test_a_polygon_whose_type_is_a_float(tmp_path):
    make.write(tmp_path, 1, seg_ie_polys={'polys': [{'type': 1.0, 'pts': [[1, 2]]}]})
    face, = loading.load_faces(loading.image_paths(tmp_path))
    assert [(kind, points.tolist()) for kind, points in face.polygons] == [(1, [[1.0, 2.0]])]


class Attack:
    def __reduce__(self):
        return os.mkdir, ('attacked',)


def test_only_heads_are_read(tmp_path):
    paths = make.write(tmp_path, 2, xseg_mask=make.mask())
    expected = [naive.load(path) for path in paths]
    for path in paths:
        with open(path, 'r+b') as file:
            scan = file.read().rindex(b'\xff\xda')
            file.truncate(scan + 20)
    for face, told in zip(loading.load_faces(paths), expected):
        assert_equal(face, told)


# --- order -----------------------------------------------------------------------------------

def test_subfolders(tmp_path):
    for name in ('b', 'b.c', 'a/deep/er', 'Z', 'b/x.jpg'):
        (tmp_path / name).mkdir(parents=True)
    for name in ('b/1.jpg', 'b.c/1.JPG', 'a/2.png', 'a/deep/3.tif', 'a/deep/er/0.jpeg', 'Z/9.jpg', '5.tiff',
                 'b/note.txt', 'b/x.jpg/inside.jpg'):
        (tmp_path / name).write_bytes(b'')
    for subdirs in (False, True):
        found = loading.image_paths(tmp_path, subdirs)
        assert found == naive.image_paths(tmp_path, subdirs)
        assert len(found) == (8 if subdirs else 1)
    assert loading.image_paths(str(tmp_path) + os.sep, True) == found
    assert loading.image_paths(tmp_path / 'nowhere', True) == loading.image_paths(tmp_path / 'nowhere') == []


# --- quick reading ---------------------------------------------------------------------------

def as_read(data):
    """Metadata as quick reading gives it: without other lists, landmarks as an array."""
    found = {key: value for key, value in data.items()
             if type(value) is not list or key in ('landmarks', 'source_rect')}
    if type(found.get('landmarks')) is list:
        found['landmarks'] = np.array(found['landmarks'], np.float64)
    return found


@pytest.fixture(autouse=True, scope='module')
def numpy_types_are_known():
    """Quick reading leaves the first array of each type to careful reading."""
    safe_pickle.loads(pickle.dumps([np.zeros(1), np.zeros(1, np.uint8), np.zeros(1, np.int64)], 3), 'test')


QUICK = ['ordinary', 'mask', 'flat mask', 'eyebrows', 'no source', 'no type', 'capitals', 'mark only', 'name',
         'rectangle', 'array landmarks']


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_quick_reading_knows_what_is_usual(kind):
    pickled = safe_pickle.dumps(make.metadata(**KINDS[kind]))    # as stock's Python writes it, whatever runs us
    read = quick_metadata.plain_data(pickled)
    assert (read is not None) == (kind in QUICK)
    assert read is None or same(read, as_read(safe_pickle.loads(pickled, 'test')))


def test_quick_reading_knows_stocks_faces():
    for path in filter(naive.load, GOLDEN):
        with open(path, 'rb') as file:
            head = file.read()
        found = quick_metadata._walk(head)
        assert found is not None
        shape, begin, end, _ = found
        expected = dfl_jpeg.read_metadata(path)
        assert shape == expected.shape
        assert same(quick_metadata.plain_data(head[begin:end]), as_read(expected.data))


PICKLES = [safe_pickle.dumps(make.metadata(seed, **KINDS[kind])) for seed, kind in enumerate(QUICK)]


@given(st.integers(0, 2 ** 32 - 1))
def test_quick_reading_refuses_or_equals_careful_reading(seed):
    """Bytes changed, removed, doubled, moved: what quick reading takes, careful reading takes, with the same result."""
    state = random.Random(seed)
    data = bytearray(state.choice(PICKLES))
    for _ in range(state.randint(1, 3)):
        at = state.choice([state.randrange(len(data)), state.randrange(min(70, len(data)))])
        size = state.choice([1, 1, 2, 23, 46])
        action = state.randrange(4)
        if action == 0:
            data[at:at + 1] = bytes([state.choice([state.randrange(256), 0x71, 0x68, 0x58, 0x5d, 0x28, 0x65, 0x75])])
        elif action == 1:
            del data[at:at + size]
        elif action == 2:
            data[at:at] = data[at:at + size]
        else:
            other = state.randrange(len(data))
            data[at:at + size] = data[other:other + size]
    read = quick_metadata.plain_data(bytes(data))
    if read is not None:
        assert same(read, as_read(safe_pickle.loads(bytes(data), 'test')))


@pytest.mark.parametrize('found, put', [
    (b'landmarksq\x03]q\x04(', b'landmarksq\x03]q\xf0('), (b'q\x03]q\x04(]q\x05(', b'q\x03]q\x04(]q\xf0('),
    (b'source_rectqK]qL(', b'source_rectqK]q\xf0('), (b'source_rectqK', b'source_rectq\xf0'), (b'u.', b'uN.'),
    (b'\x80\x03}q\0(', b'\x80\x03}q\1(')])
def test_wrong_memo_indexes_and_ends_are_refused(found, put):
    pickled = safe_pickle.dumps(make.metadata(source_rect=[1, 2, 3, 4], image_to_face_mat=None))
    changed = put.join(pickled.rsplit(found, 1))
    assert quick_metadata.plain_data(pickled) is not None and changed != pickled
    assert quick_metadata.plain_data(changed) is None
    with pytest.raises(safe_pickle.UnsafePickleError):
        safe_pickle.loads(changed, 'test')


def test_heads_that_are_left_to_careful_reading(tmp_path):
    attack = pickle.dumps(Attack(), 3)
    before = b'\xff\xef' + struct.pack('>H', len(attack) + 2) + attack
    face = make.face(make.metadata())
    for data, error in ((make.face(make.metadata(), before=before), safe_pickle.UnsafePickleError),
                        (face.replace(b'\xff\xdb', b'\xfe\xdb', 1), dfl_jpeg.NotJpegError)):
        path = str(tmp_path / 'a.jpg')
        with open(path, 'wb') as file:
            file.write(data)
        with pytest.raises(error):
            quick_metadata.Reader().read(path)


def test_quick_reading_takes_no_attack():
    for attack in pickle_attacks.ATTACKS.values():
        assert quick_metadata.plain_data(attack) is None


@given(st.integers(0, 2 ** 32 - 1))
def test_changed_heads_are_read_as_dfl_jpeg_reads_them(tmp_path_factory, seed):
    state = random.Random(seed)
    before = state.choice([b'', b'\xff\xfe\x00\x04hi', b'\xff\xef\x00\x04hi', b'\xff\xe1\x00\x02', b'\xff'])
    data = bytearray(make.face(PICKLES[0], before=before))
    for _ in range(state.randint(0, 2)):
        at = state.choice([state.randrange(40), state.randrange(len(data))])
        if state.random() < .5:
            data[at] = state.choice([0xff, 0xda, 0xef, 0xc0, 0xc2, 0, state.randrange(256)])
        else:
            del data[at:at + state.randint(1, 4)]
    path = str(tmp_path_factory.getbasetemp() / 'changed.jpg')
    with open(path, 'wb') as file:
        file.write(data)

    def told(read):
        try:
            shape, found = read(path)
            return shape, as_read(found)
        except (dfl_jpeg.NotJpegError, safe_pickle.UnsafePickleError) as error:
            return str(error)

    ours, careful = told(quick_metadata.Reader().read), told(dfl_jpeg.read_metadata)
    assert type(ours) is type(careful) and (same(ours[1], careful[1]) and ours[0] == careful[0] if type(ours) is tuple
                                            else ours == careful)


def test_heads_of_all_sizes_one_after_the_other(tmp_path):
    paths = []
    for number, side in enumerate([8, 230, 16, 200, 0, 150, 0]):
        changes = {'xseg_mask': make.mask(number, side)} if side else {}
        path = tmp_path / '{}.jpg'.format(number)
        comment = b'\xff\xfe' + struct.pack('>H', 60002) + bytes(60000)
        path.write_bytes(make.face(make.metadata(number, **changes), before=comment * (number % 4)))
        paths.append(str(path))
    assert_loaded(loading.load_faces(paths), paths)


# --- faceset.pak -----------------------------------------------------------------------------

def test_a_pak_of_stocks():
    table = loading.load_packed(STOCK_PAK)
    index = faceset.read_index(STOCK_PAK)
    assert len(table) == len(index.configs) > 0
    for face, config, (begin, end) in zip(table, index.configs, index.spans):
        assert face.packed == (STOCK_PAK, begin, end - begin)
        assert (face.filename, face.face_type, face.shape) == (config['filename'], config['face_type'], config['shape'])
        assert face.landmarks.tolist() == config['landmarks']
        assert face.eyebrows_expand_mod == config['eyebrows_expand_mod']
        assert face.source_filename == config['source_filename']


def write_pak(folder, configs):
    listed = pickle.dumps(configs, 4)
    offsets = list(range(len(configs) + 1))
    path = str(folder / 'faceset.pak')
    with open(path, 'wb') as file:
        file.write(struct.pack('<QQ', 1, len(listed)) + listed + struct.pack('<{}Q'.format(len(offsets)), *offsets)
                   + bytes(len(configs)))
    return path


def config(seed, **changes):
    data = make.metadata(seed, face_type=4, shape=(64, 64, 3), sample_type=1, filename='{}.jpg'.format(seed),
                         seg_ie_polys=make.polygons(seed % 3, seed), eyebrows_expand_mod=1.0)
    data.update(xseg_mask_compressed=make.mask(seed) if seed % 2 else None, person_name='p' if seed % 3 else None)
    data.update(changes)
    return data


def test_a_pak_of_masks_polygons_and_persons(tmp_path):
    configs = [config(seed) for seed in range(9)]
    table = loading.load_packed(write_pak(tmp_path, configs))
    for seed, (face, given_config) in enumerate(zip(table, configs)):
        mask = given_config['xseg_mask_compressed']
        assert face.landmarks.tolist() == given_config['landmarks']
        assert (face.mask is None) == (mask is None) and (mask is None or np.array_equal(face.mask, mask))
        expected = naive.sorted_polygons(given_config['seg_ie_polys'])
        assert [kind for kind, _ in face.polygons] == [kind for kind, _ in expected]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(face.polygons, expected))
        assert face.person_name == given_config['person_name']


@pytest.mark.parametrize('changes', [{'shape': 5}, {'shape': (1, 2)}, {'face_type': 'full'}, {'landmarks': 'none'},
                                     {'landmarks': None}, {'seg_ie_polys': {'polys': 4}}])
def test_a_damaged_entry_of_a_pak_is_told_and_left_out(tmp_path, capsys, changes):
    path = write_pak(tmp_path, [config(0), config(1, **changes), config(2)])
    table = loading.load_packed(path)
    assert [face.filename for face in table] == ['0.jpg', '2.jpg']
    assert '1.jpg in {} is not a dfl image file: '.format(path) in capsys.readouterr().out
