"""Faces of a folder or of a faceset.pak: heads only, and nothing believed."""
import glob
import os
import random
import shutil
import struct
import tracemalloc

import pickle_attacks
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import faceset as naive_faceset
from naive import metadata as naive_metadata
from plain_data import same

from accel import dfl_jpeg, faceset, host, safe_pickle

TESTS = os.path.dirname(os.path.abspath(__file__))
STOCK_PAK = os.path.join(TESTS, 'data', 'faceset_stock.pak')
GOLDEN = sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg')))


def content(path):
    with open(path, 'rb') as file:
        return file.read()


def pak(files, configs=None, quirk=True, change=lambda offsets: offsets, version=1):
    """A faceset.pak (bytes) of (name, bytes) pairs, as stock writes it; quirk: its wrong last offset."""
    configs = [{'filename': name, 'sample_type': 1} for name, _ in files] if configs is None else configs
    listed = configs if isinstance(configs, bytes) else safe_pickle.dumps(configs)
    start = 16 + len(listed) + 8 * (len(files) + 1)
    offsets, data = [], b''
    for _, raw in files:
        offsets.append(len(data))
        data += raw
    offsets = change(offsets + [len(data) + (start if quirk else 0)])
    return struct.pack('<QQ', version, len(listed)) + listed + struct.pack('<{}Q'.format(len(offsets)), *offsets) + data


@pytest.fixture
def packed(tmp_path):
    """A function that writes a pak into a folder of its own and returns the folder."""
    def write(*arguments, **options):
        (tmp_path / faceset.PAK_NAME).write_bytes(pak(*arguments, **options))
        return str(tmp_path)
    return write


def some_files(count=4):
    return [(os.path.basename(path), content(path)) for path in GOLDEN[:count]]


# --- a folder --------------------------------------------------------------------------------

def test_a_folder_of_faces(tmp_path):
    for path in GOLDEN:
        shutil.copy(path, str(tmp_path))
    (tmp_path / 'note.txt').write_text('no image')
    (tmp_path / 'picture.png').write_bytes(b'\x89PNG')
    (tmp_path / 'cut.jpg').write_bytes(content(GOLDEN[0])[:900])
    (tmp_path / 'empty.jpg').write_bytes(b'')
    found = list(faceset.faces(tmp_path))
    assert [face.name for face in found] == sorted([os.path.basename(path) for path in GOLDEN]
                                                   + ['picture.png', 'cut.jpg', 'empty.jpg'])
    for face in found:
        assert face.path == str(tmp_path / face.name)
        known = naive_metadata.read_metadata(face.path)[1] if face.name[0] == '0' else {}
        assert (face.problem is None) == bool(known) == (face.metadata is not None)
        if known:
            assert same(face.metadata, known)
        elif face.name != 'cut.jpg':
            assert face.problem == face.name + ' is not a dfl image file'
    assert sum(face.problem is None for face in found) == 42
    assert 'was refused' in [face for face in found if face.name == 'cut.jpg'][0].problem


def test_an_empty_and_a_missing_folder(tmp_path):
    assert list(faceset.faces(tmp_path)) == list(faceset.faces(tmp_path / 'none')) == []


def test_unsafe_metadata_is_a_problem_of_its_file(tmp_path):
    attack = pickle_attacks.ATTACKS['code_by_name: posix.system, protocol 2']
    raw = content(GOLDEN[0])
    (tmp_path / 'a.jpg').write_bytes(raw[:2] + b'\xff\xef' + struct.pack('>H', len(attack) + 2) + attack
                                     + dfl_jpeg.replace_metadata(raw, {})[2:])
    (tmp_path / 'b.jpg').write_bytes(raw)
    bad, good = faceset.faces(tmp_path)
    assert bad.metadata is None and 'posix.system' in bad.problem and bad.problem.startswith('a.jpg is not a dfl')
    assert good.problem is None


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / 'a.jpg').write_bytes(b'')

    def fail(path):
        raise OSError(5, 'Input/output error')
    monkeypatch.setattr(dfl_jpeg, 'read_metadata', fail)
    assert [face.problem for face in faceset.faces(tmp_path)] == ['a.jpg cannot be read: Input/output error']


def test_progress(tmp_path, capfd):
    for path in GOLDEN[:3]:
        shutil.copy(path, str(tmp_path))
    assert len(list(faceset.faces(tmp_path, 'Collecting alignments'))) == 3
    shown = capfd.readouterr().err
    assert 'Collecting alignments' in shown and '3/3' in shown
    list(faceset.faces(tmp_path))
    assert capfd.readouterr().err == ''


# --- faceset.pak ------------------------------------------------------------------------------

def test_a_pak_of_stock(tmp_path):
    shutil.copy(STOCK_PAK, str(tmp_path / faceset.PAK_NAME))
    shutil.copy(GOLDEN[0], str(tmp_path))  # a pak goes before the images beside it
    known = naive_faceset.read(STOCK_PAK)
    index = faceset.read_index(tmp_path / faceset.PAK_NAME)
    assert same(index.configs, [config for config, _ in known])
    assert {(type(config['sample_type']), config['face_type']) for config in index.configs} == {(int, 4)}
    found = list(faceset.faces(tmp_path))
    assert len(found) == len(known) == 3
    for number, (face, (config, raw)) in enumerate(zip(found, known)):
        assert faceset.read_item(index, number) == raw and raw[-2:] == b'\xff\xd9'
        assert face.name == config['filename'] and face.problem is None
        assert face.path == str(tmp_path / faceset.PAK_NAME)
        assert same(face.metadata, dfl_jpeg.parse(raw, 'x').data)
        assert face.metadata['source_filename'] == config['source_filename']
        assert face.metadata['landmarks'] == config['landmarks']


def test_metadata_is_that_of_the_packed_file(packed):
    files = some_files(2)
    face = next(faceset.faces(packed(files, [{'filename': name, 'source_filename': 'x.png'} for name, _ in files])))
    assert face.metadata['source_filename'] == dfl_jpeg.parse(files[0][1], 'x').data['source_filename'] != 'x.png'


@pytest.mark.parametrize('quirk', [True, False])
def test_both_last_offsets(packed, quirk):
    files = some_files()
    folder = packed(files, quirk=quirk)
    index = faceset.read_index(os.path.join(folder, faceset.PAK_NAME))
    assert [faceset.read_item(index, number) for number in range(4)] == [raw for _, raw in files]


def test_an_empty_pak(packed):
    assert list(faceset.faces(packed([]))) == []


def test_a_head_that_is_longer_than_usual(packed):
    raw = content(GOLDEN[0])
    data = dfl_jpeg.parse(raw, 'x').data
    for size in (7000, 30000, 60000):
        large = dfl_jpeg.replace_metadata(raw, dict(data, extra=b'x' * size))
        comment = b'\xff\xfe' + struct.pack('>H', 65535) + bytes(65533)
        for picture in (large, large[:2] + comment * 5 + large[2:]):
            first, second = faceset.faces(packed([('a.jpg', picture), ('b.jpg', raw)]))
            assert same(first.metadata, dict(data, extra=b'x' * size)) and same(second.metadata, data)


def test_a_damaged_face_in_a_pak_is_its_own_problem(packed):
    (name, raw), (other, good) = some_files(2)
    for bad in (b'', b'\xff', raw[:300], raw[100:], b'\x00' * 90000, raw[:2] + b'\xff\xfe\x00\x00' + raw[2:]):
        first, second = faceset.faces(packed([(name, bad), (other, good)]))
        assert first.metadata is None and first.problem.startswith(name + ' is not a dfl image file')
        assert second.problem is None


def test_a_file_of_another_kind_in_a_pak(packed):
    face, = faceset.faces(packed([('a.png', content(GOLDEN[0]))]))
    assert face.problem == 'a.png is not a dfl image file'


def test_of_large_files_only_the_head_is_read(packed):
    raw = content(GOLDEN[0])
    folder = packed([('{}.jpg'.format(number), raw + bytes(8 << 20)) for number in range(3)])
    tracemalloc.start()
    assert all(face.problem is None for face in faceset.faces(folder))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


# --- what is refused ---------------------------------------------------------------------------

def refused(folder, part):
    with pytest.raises(faceset.FacesetError, match=part) as caught:
        list(faceset.faces(folder))
    assert isinstance(caught.value, host.UserError)
    assert str(caught.value).startswith(os.path.join(folder, faceset.PAK_NAME)) and len(str(caught.value)) < 600


def test_another_version(packed):
    refused(packed(some_files(), version=2), 'version 2')
    refused(packed(some_files(), version=1 << 63), 'version')


@pytest.mark.parametrize('change', [
    lambda offsets: offsets[:1] + [offsets[2], offsets[1]] + offsets[3:],
    lambda offsets: [1 << 63] + offsets[1:],
    lambda offsets: offsets[:-1] + [1 << 40],
    lambda offsets: offsets[:-1] + [3],
    lambda offsets: offsets[:-2] + [1 << 30, offsets[-1]],
    lambda offsets: offsets[:-2] + [(1 << 64) - 1, offsets[-1]]])
def test_offsets_that_lead_astray(packed, change):
    refused(packed(some_files(), change=change), 'outside the file or in no order')


def test_every_cut_is_refused(tmp_path):
    whole = pak([('a.jpg', content(GOLDEN[0])[:400]), ('b.jpg', b'abc')])
    path = tmp_path / faceset.PAK_NAME
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(faceset.FacesetError):
            faceset.read_index(path)
    path.write_bytes(whole)
    assert len(faceset.read_index(path).spans) == 2


def test_a_list_that_is_none(packed):
    for listed in ({'filename': 'a.jpg'}, [1], [['a.jpg']], [{}], [{'filename': None}], [{'filename': b'a.jpg'}]):
        refused(packed(some_files(1), listed), 'list|name')
    refused(packed([], b'no pickle at all'), 'damaged')


@pytest.mark.parametrize('title', ['code_by_name: os.system, protocol 4', 'memory: BINBYTES8', 'structure: nothing'])
def test_a_list_that_is_an_attack(packed, title):
    refused(packed([], pickle_attacks.ATTACKS[title]), 'damaged')


@pytest.mark.parametrize('name', ['../a.jpg', 'a/../../b.jpg', '/etc/passwd', '\\\\server\\a.jpg', 'C:\\a.jpg',
                                  'c:a.jpg', '..', '.', '', 'a/', 'a\\..\\b.jpg', 'a\0.jpg', 7, None, ['a.jpg']])
def test_names_that_lead_elsewhere(packed, name):
    assert faceset.last_component(name) is None
    refused(packed(some_files(1), [{'filename': name}]), 'name')
    if name is not None:
        refused(packed(some_files(1), [{'filename': 'a.jpg', 'person_name': name}]), 'name')


@pytest.mark.parametrize('name, last', [('a.jpg', 'a.jpg'), ('person/a.jpg', 'a.jpg'), ('a\\b\\c.jpg', 'c.jpg'),
                                        ('кадр 1.png', 'кадр 1.png'), ('..a.jpg', '..a.jpg'),
                                        ('-x %d.jpg', '-x %d.jpg')])
def test_names_count_by_their_last_component(packed, name, last):
    folder = packed(some_files(1), [{'filename': name, 'person_name': name}])
    config, = faceset.read_index(os.path.join(folder, faceset.PAK_NAME)).configs
    assert config['filename'] == config['person_name'] == last


@given(st.text() | st.text('./\\:aC', max_size=8))
def test_a_last_component_is_a_plain_name(name):
    last = faceset.last_component(name)
    if last is not None:
        assert last and name.endswith(last) and not set(last) & set('/\\\0') and last not in ('.', '..')


def test_mutants_end_cleanly(tmp_path):
    whole = bytearray(content(STOCK_PAK))
    path = tmp_path / faceset.PAK_NAME
    choice = random.Random(4)
    ended = {'read': 0, 'refused': 0}
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(choice.randrange(1, 4)):
            data[choice.choice((choice.randrange(16), choice.randrange(6000), choice.randrange(len(data))))] = \
                choice.randrange(256)
        path.write_bytes(bytes(data))
        try:
            for face in faceset.faces(tmp_path):
                assert (face.metadata is None) != (face.problem is None)
            ended['read'] += 1
        except faceset.FacesetError:
            ended['refused'] += 1
    assert min(ended.values()) > 30


def test_a_pak_that_cannot_be_opened(tmp_path):
    os.mkdir(str(tmp_path / faceset.PAK_NAME))
    refused(str(tmp_path), 'cannot be read')


def test_a_pak_that_shrinks_meanwhile(tmp_path):
    path = tmp_path / faceset.PAK_NAME
    path.write_bytes(pak(some_files(2)))
    index = faceset.read_index(path)
    path.write_bytes(pak(some_files(2))[:5000])
    with pytest.raises(faceset.FacesetError, match='cut short'):
        faceset.read_item(index, 1)
