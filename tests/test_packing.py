"""Packing the faces of a folder and unpacking them: what is written, asked, deleted, and what is refused."""
import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import packed_workspace as pw
import pytest
from accel import compat, dfl_jpeg, faceset, file_lock, host
from accel.training import loading, pack_marks, packed_files, packing, unpacking
from hypothesis import given
from hypothesis import strategies as st
from naive import faceset as naive_faceset
from naive import metadata as naive_metadata
from naive import packing as naive_packing
from plain_data import same
from program import PROGRAM
from samplelib.PackedFaceset import PackedFaceset, packed_faceset_filename
from test_faceset import pak as made_up_pak

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data', 'sort', 'aligned')
OVERWRITE, DELETE = 'Press enter to continue and overwrite.', 'Delete original files?'


@pytest.fixture
def asked(monkeypatch):
    """What is asked, and the answers: asked.answers[text] = False."""
    class Asked(list):
        answers = {}

    log = Asked()
    log.answers = {}

    def ask_bool(text, default, help_message=None):
        assert default is True
        log.append(text)
        return log.answers.get(text, default)
    monkeypatch.setattr(host, 'ask_bool', ask_bool)
    monkeypatch.setattr(host, 'wait_for_enter', lambda text: log.append(text) or True)
    return log


def packed_data(folder):
    return naive_faceset.read(folder / 'faceset.pak')


# --- packing ----------------------------------------------------------------------------------

def test_golden_faces(tmp_path, asked, capsys):
    folder = tmp_path / 'мои лица %d'
    shutil.copytree(GOLDEN, str(folder))
    (folder / 'note.txt').write_bytes(b'mine')
    (folder / 'picture.png').write_bytes(b'\x89PNG')
    before = pw.tree(folder)
    PackedFaceset.pack(folder)
    assert asked == [DELETE]
    known = {}
    for path in sorted(glob.glob(os.path.join(GOLDEN, '*.jpg'))):
        shape, data = naive_metadata.read_metadata(path)
        if data:
            name = os.path.basename(path)
            known[name] = naive_packing.config_of(shape, data, name, None)
    found = packed_data(folder)
    assert len(known) == 42 and same([config for config, _ in found], list(known.values()))
    assert all(raw == before[config['filename']] for config, raw in found)
    left = pw.tree(folder)
    assert sorted(left) == sorted(set(before) - set(known) | {'faceset.pak'})     # only what was packed is deleted
    out = capsys.readouterr().out
    for name in ('00006_0.jpg', '00018_0.jpg', 'picture.png'):
        assert '/!\\ FaceSamplesLoader: {} is not a dfl image file.'.format(folder / name) in out
    PackedFaceset.unpack(folder)
    assert pw.tree(folder) == before


def test_the_file_byte_by_byte(tmp_path, asked):
    asked.answers[DELETE] = False
    written = pw.fill(tmp_path / 'a', 7)
    PackedFaceset.pack(tmp_path / 'a')
    data = (tmp_path / 'a' / 'faceset.pak').read_bytes()
    length = int.from_bytes(data[8:16], 'little')
    assert data[:8] == b'\1' + bytes(7) and data[16:18] == b'\x80\x04' and data[15 + length:16 + length] == b'.'
    assert data[16 + length:] == naive_packing.tail(length, [written[name] for name in sorted(written)])
    for config, raw in packed_data(tmp_path / 'a'):
        shape, known = naive_metadata.read_metadata(tmp_path / 'a' / config['filename'])
        assert same(config, naive_packing.config_of(shape, known, config['filename'], None))
    assert sum(bool(config['seg_ie_polys']['polys']) for config, _ in packed_data(tmp_path / 'a')) == 3
    assert sum(config['xseg_mask_compressed'] is not None for config, _ in packed_data(tmp_path / 'a')) == 2
    assert len(pw.tree(tmp_path / 'a')) == 8       # nothing was deleted, nothing is left over


def test_persons(tmp_path, asked):
    for person, first in (('Боб', 0), ('anna b', 10)):
        pw.fill(tmp_path / person, 3, first)
    pw.fill(tmp_path, 2, 20)
    (tmp_path / 'anna b' / 'mine.txt').write_bytes(b'mine')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'Боб' / 'deeper').mkdir()
    pw.fill(tmp_path / 'Боб' / 'deeper', 1, 30)
    before = pw.tree(tmp_path)
    PackedFaceset.pack(tmp_path)
    assert asked == ['3 subdirectories found, process as person faceset?', DELETE]
    assert [(config['person_name'], config['filename']) for config, _ in packed_data(tmp_path)] == [
        (person, '{:05}_0.jpg'.format(number)) for person, numbers in (('anna b', (10, 11, 12)), ('Боб', (0, 1, 2)))
        for number in numbers]
    # what was not packed is there, and so are the folders in which something is
    assert sorted(pw.tree(tmp_path)) == ['00020_0.jpg', '00021_0.jpg', 'anna b/mine.txt', 'faceset.pak',
                                         'Боб/deeper/00030_0.jpg']
    PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == before


def test_folders_of_persons_that_are_empty_go(tmp_path, asked):
    pw.fill(tmp_path / 'a', 2)
    pw.fill(tmp_path / 'b', 2, 5)
    before = pw.tree(tmp_path)
    PackedFaceset.pack(tmp_path)
    assert os.listdir(str(tmp_path)) == ['faceset.pak']
    PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == before


def test_folders_that_are_no_persons(tmp_path, asked):
    asked.answers['1 subdirectories found, process as person faceset?'] = False
    pw.fill(tmp_path / 'other', 2)
    pw.fill(tmp_path, 2, 5)
    PackedFaceset.pack(tmp_path)
    assert [config['person_name'] for config, _ in packed_data(tmp_path)] == [None, None]
    assert sorted(pw.tree(tmp_path)) == ['faceset.pak', 'other/00000_0.jpg', 'other/00001_0.jpg']


def test_an_old_pak_is_replaced_after_a_question(tmp_path, asked, capsys):
    pw.fill(tmp_path, 3)
    PackedFaceset.pack(tmp_path)
    pw.fill(tmp_path, 2, 2)
    asked.clear()
    PackedFaceset.pack(tmp_path)
    assert asked == [OVERWRITE, DELETE]
    out = capsys.readouterr().out
    assert '{} : file already exists !\n2 of its 3 faces are not among'.format(tmp_path / 'faceset.pak') in out
    assert [config['filename'] for config, _ in packed_data(tmp_path)] == ['00002_0.jpg', '00003_0.jpg']


@pytest.mark.parametrize('old', [b'', b'damaged', None])
def test_without_a_face_nothing_is_written(tmp_path, asked, old):
    (tmp_path / 'a.jpg').write_bytes(pw.picture(1))
    (tmp_path / 'b.txt').write_bytes(b'mine')
    if old is None:
        old = made_up_pak([('x.jpg', pw.face(3))])
    (tmp_path / 'faceset.pak').write_bytes(old)
    before = pw.tree(tmp_path)
    with pytest.raises(host.UserError, match='no DFL image to pack'):
        PackedFaceset.pack(tmp_path)
    assert pw.tree(tmp_path) == before and asked == [OVERWRITE]


def test_a_folder_that_is_not_there(tmp_path, asked):
    with pytest.raises(host.UserError, match='Input directory not found'):
        PackedFaceset.pack(tmp_path / 'none')
    PackedFaceset.unpack(tmp_path / 'none')
    assert not PackedFaceset.path_contains(tmp_path / 'none') and PackedFaceset.load(tmp_path / 'none') is None


@pytest.mark.parametrize('change', ['content', 'head', 'size', 'gone', 'other'])
def test_a_file_that_changes_meanwhile(tmp_path, asked, monkeypatch, change):
    """Between the two looks at it: an error, and all is as it was."""
    written = pw.fill(tmp_path, 4)
    victim = tmp_path / '00002_0.jpg'
    (tmp_path / 'faceset.pak').write_bytes(b'of before')
    content = written[victim.name] = written[victim.name] + bytes(20000)     # not all of it is read at the first look
    victim.write_bytes(content)
    times = os.stat(str(victim)).st_atime_ns, os.stat(str(victim)).st_mtime_ns
    second_look = packing._second_look
    monkeypatch.setattr(packing, 'missing_from', lambda *arguments: (0, 0))

    def changing(face):
        if face.path.endswith('00000_0.jpg'):
            if change == 'gone':
                victim.unlink()
            elif change == 'other':
                victim.write_bytes(pw.face(9))
            elif change == 'size':
                victim.write_bytes(content + b'\0')
                os.utime(str(victim), ns=times)
            elif change == 'content':
                victim.write_bytes(content[:-5] + b'zzzzz')
            else:       # of the same size and time, but with other metadata
                victim.write_bytes(content.replace(b'00002.png', b'00007.png'))
                os.utime(str(victim), ns=times)
        return second_look(face)
    monkeypatch.setattr(packing, '_second_look', changing)
    with pytest.raises(host.UserError, match='00002_0.jpg'):
        PackedFaceset.pack(tmp_path)
    left = pw.tree(tmp_path)
    assert left.pop('faceset.pak') == b'of before'
    assert left.pop(victim.name, None) != content
    assert left == {name: raw for name, raw in written.items() if name != victim.name}


def test_the_new_name_is_on_the_disk_before_the_last_question(tmp_path, monkeypatch):
    log = []
    replace, sync = os.replace, compat.fsync_directory
    monkeypatch.setattr(os, 'replace', lambda source, target: (replace(source, target), log.append('replace')))
    monkeypatch.setattr(compat, 'fsync_directory', lambda path: (sync(path), log.append('sync')))
    monkeypatch.setattr(host, 'ask_bool', lambda text, *others: log.append(text))
    pw.fill(tmp_path, 2)
    PackedFaceset.pack(tmp_path)
    assert log == ['replace', 'sync', DELETE]


@pytest.mark.parametrize('place', ['header', 'list', 'offsets', 'faces', 'end', 'longer'])
def test_a_disk_that_lies(tmp_path, asked, monkeypatch, place):
    """What was written is read back before anything is replaced or deleted."""
    pw.fill(tmp_path, 3)
    before = pw.tree(tmp_path)
    read_back = packing._read_back

    def damaging(path, sizes, digests):
        data = bytearray(Path(path).read_bytes())
        length = int.from_bytes(data[8:16], 'little')
        at = {'header': 0, 'list': 20 + length // 2, 'offsets': 16 + length + 8, 'faces': len(data) - 2000}.get(place)
        if at is not None:
            data[at] ^= 1
        Path(path).write_bytes({'end': data[:-1], 'longer': data + b'x'}.get(place, data))
        read_back(path, sizes, digests)
    monkeypatch.setattr(packing, '_read_back', damaging)
    with pytest.raises(host.UserError, match='reads back differently'):
        PackedFaceset.pack(tmp_path)
    assert pw.tree(tmp_path) == before


@pytest.mark.parametrize('name', ['a\\b.jpg', 'c:d.jpg', '\\x.jpg', 'what?.jpg', 'a\n.jpg', 'con.jpg',
                                  'Lpt1 .b.jpg', 'a|b.jpg', 'COM\xb9.jpeg', '<.jpg', '\x7f*.jpg'])
def test_names_that_other_systems_do_not_have(tmp_path, asked, monkeypatch, name):
    folder = str(tmp_path)
    written = pw.fill(tmp_path, 2)
    image = packing.Image(os.path.join(folder, '00001_0.jpg'), None)
    monkeypatch.setattr(packing.os.path, 'basename', lambda path: name)
    with packing.workplace(folder) as place:
        with pytest.raises(host.UserError, match='Rename it'):
            packing.pack(place, folder, [image])
    monkeypatch.undo()
    assert pw.tree(tmp_path) == written


def test_without_a_person_no_face_is_lost(tmp_path, asked):
    """Whoever is asked may overwrite a pak whose faces are nowhere else; nobody may not."""
    pw.fill(tmp_path, 3)
    PackedFaceset.pack(tmp_path)
    pw.fill(tmp_path, 1, 8)
    before = pw.tree(tmp_path)
    host.set_unattended(True)
    try:
        with pytest.raises(host.UserError, match='3 of its 3 faces are not among the images'):
            PackedFaceset.pack(tmp_path)
    finally:
        host.set_unattended(False)
    assert pw.tree(tmp_path) == before


def test_files_changed_before_the_deletion_are_kept(tmp_path, monkeypatch, capsys):
    written = pw.fill(tmp_path, 4)

    def ask_bool(text, default, help_message=None):
        (tmp_path / '00001_0.jpg').write_bytes(b'new')
        (tmp_path / '00002_0.jpg').unlink()
        pw.fill(tmp_path, 1, 8)
        return True
    monkeypatch.setattr(host, 'ask_bool', ask_bool)
    PackedFaceset.pack(tmp_path)
    assert sorted(pw.tree(tmp_path)) == ['00001_0.jpg', '00008_0.jpg', 'faceset.pak']
    assert '1 of the packed files were changed meanwhile and are kept' in capsys.readouterr().out
    assert {config['filename']: raw for config, raw in packed_data(tmp_path)} == written


def test_files_that_cannot_be_deleted(tmp_path, asked, monkeypatch):
    written = pw.fill(tmp_path, 3)
    remove = os.remove

    def failing(path, *arguments):
        if str(path).endswith('00001_0.jpg'):
            raise OSError(30, 'Read-only file system', path)
        return remove(path, *arguments)
    monkeypatch.setattr(os, 'remove', failing)
    with pytest.raises(host.UserError, match='1 of the packed files could not be deleted, the first is .*00001_0.jpg'):
        PackedFaceset.pack(tmp_path)
    monkeypatch.undo()
    assert sorted(name for name in pw.tree(tmp_path) if name[0] != '.') == ['00001_0.jpg', 'faceset.pak']
    # packing again would leave one face of three: the deletion is ended instead
    PackedFaceset.pack(tmp_path)
    assert sorted(pw.tree(tmp_path)) == ['faceset.pak'] and asked == [DELETE]
    PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == written


def test_a_deletion_is_ended_only_for_what_is_packed(tmp_path, asked):
    pw.fill(tmp_path / 'bob', 3)
    PackedFaceset.pack(tmp_path)
    with packing.workplace(tmp_path) as place:
        pack_marks.put(place, packed_files.MARK, str(tmp_path / 'faceset.pak'))
    pw.fill(tmp_path / 'bob', 2)
    (tmp_path / 'bob' / '00001_0.jpg').write_bytes(b'x' * len(pw.face(1)))
    (tmp_path / 'new.jpg').write_bytes(pw.face(7))
    PackedFaceset.pack(tmp_path)
    assert sorted(pw.tree(tmp_path)) == ['bob/00001_0.jpg', 'faceset.pak', 'new.jpg']


def test_a_mark_without_a_pak_is_of_no_use(tmp_path, asked):
    (tmp_path / packed_files.MARK).write_bytes(b'')
    (tmp_path / unpacking.MARK).write_bytes(b'')
    pw.fill(tmp_path, 2)
    asked.answers[DELETE] = False
    PackedFaceset.pack(tmp_path)
    assert len(packed_data(tmp_path)) == 2


@pytest.mark.parametrize('data', [
    {'landmarks': None}, {'landmarks': [[1, 2], [3]]}, {'landmarks': 'x'}, {'face_type': 'elephant'},
    {'face_type': 7}, {'landmarks': [1.0, 2.0]}, {'landmarks': [[1.0, 2.0]] * 67},
    {'landmarks': [[1.0, 2.0, 3.0]] * 68},
    {'xseg_mask': np.zeros((4, 1), np.float32)}, {'xseg_mask': np.zeros((0, 1), np.uint8)}, {'xseg_mask': 'x'},
    {'seg_ie_polys': {'polys': [{'type': 9, 'pts': []}]}}, {'eyebrows_expand_mod': 'x'}])
def test_metadata_of_no_face(tmp_path, asked, data, capsys):
    """What the loader of training leaves out stays a file, and is told in the same words."""
    pw.fill(tmp_path, 1)
    bad = tmp_path / 'bad.jpg'
    bad.write_bytes(pw.face(5, **data))
    assert len(loading.load_faces([str(bad)])) == 0
    words = [line for line in capsys.readouterr().out.splitlines() if line.startswith('/!\\ FaceSamplesLoader: ')]
    PackedFaceset.pack(tmp_path)
    assert len(words) == 1 and words[0] in capsys.readouterr().out
    assert sorted(pw.tree(tmp_path)) == ['bad.jpg', 'faceset.pak']


@pytest.mark.parametrize('data, key, expected', [
    ({'face_type': None}, 'face_type', 2), ({'eyebrows_expand_mod': None}, 'eyebrows_expand_mod', 1.0),
    ({'source_filename': None}, 'source_filename', None), ({'source_filename': 7}, 'source_filename', None),
    ({'face_type': 'HEAD'}, 'face_type', 10),
    ({'face_type': 'mark_only'}, 'face_type', 100), ({'seg_ie_polys': None}, 'seg_ie_polys', {'polys': []}),
    ({'seg_ie_polys': 'x'}, 'seg_ie_polys', {'polys': []})])
def test_metadata_that_lacks_something(tmp_path, asked, data, key, expected):
    (tmp_path / 'a.jpg').write_bytes(pw.face(0, **data))
    PackedFaceset.pack(tmp_path)
    assert packed_data(tmp_path)[0][0][key] == expected


def test_polygons_of_an_older_form(tmp_path, asked):
    points = [[1.5, 2.5], [3.0, 4.0], [5.0, 6.0]]
    (tmp_path / 'a.jpg').write_bytes(pw.face(0, seg_ie_polys=[(0, points), (1, points[:2])]))
    PackedFaceset.pack(tmp_path)
    polygons = packed_data(tmp_path)[0][0]['seg_ie_polys']['polys']
    assert same(polygons, [{'type': 1, 'pts': np.float32(points[:2])}, {'type': 0, 'pts': np.float32(points)}])


# --- loading ----------------------------------------------------------------------------------

def test_load(tmp_path, asked):
    written = pw.fill(tmp_path / 'bob', 5)
    PackedFaceset.pack(tmp_path)
    assert PackedFaceset.path_contains(tmp_path) and PackedFaceset.VERSION == 1
    assert packed_faceset_filename == 'faceset.pak'
    samples = PackedFaceset.load(tmp_path)
    assert [sample.filename for sample in samples] == sorted(written)
    for sample, (config, raw) in zip(samples, packed_data(tmp_path)):
        assert sample.read_raw_file() == raw == written[sample.filename] and sample.person_name == 'bob'
        assert sample.sample_type == 1 and sample.face_type == config['face_type']
        assert sample.landmarks.tolist() == config['landmarks'] and sample.shape == config['shape']
        assert sample.has_xseg_mask() == (config['xseg_mask_compressed'] is not None)
        assert same(sample.get_config()['seg_ie_polys'], config['seg_ie_polys'])


def test_load_of_a_damaged_pak(tmp_path):
    (tmp_path / 'faceset.pak').write_bytes(b'\1' + bytes(30))
    with pytest.raises(faceset.FacesetError):
        PackedFaceset.load(tmp_path)


def test_a_folder_that_is_packed_already(tmp_path, asked, capsys):
    pw.fill(tmp_path, 2)
    PackedFaceset.pack(tmp_path)
    before = pw.tree(tmp_path)
    assert list(before) == ['faceset.pak']
    del asked[:]
    capsys.readouterr()
    PackedFaceset.pack(tmp_path)
    assert asked == [] and pw.tree(tmp_path) == before
    assert capsys.readouterr().out == ('{} is packed already: its faceset.pak has 2 faces, and there is no image '
                                       'beside it.\n'.format(tmp_path))


# --- unpacking --------------------------------------------------------------------------------

def unpacked(tmp_path, entries, configs=None):
    """Unpack a made-up pak. Return what is in the folder then."""
    (tmp_path / 'faceset.pak').write_bytes(made_up_pak(entries, configs))
    PackedFaceset.unpack(tmp_path)
    return pw.tree(tmp_path)


def test_without_a_pak(tmp_path, capsys):
    PackedFaceset.unpack(tmp_path)
    assert capsys.readouterr().out == '{} : file not found.\n'.format(tmp_path / 'faceset.pak')


def test_an_empty_pak(tmp_path):
    assert unpacked(tmp_path, []) == {}


def test_files_that_are_there_already(tmp_path):
    (tmp_path / 'b.jpg').write_bytes(b'2')
    inode = os.stat(str(tmp_path / 'b.jpg')).st_ino
    assert unpacked(tmp_path, [('a.jpg', b'1'), ('b.jpg', b'2'), ('c.jpg', b'')]) == {
        'a.jpg': b'1', 'b.jpg': b'2', 'c.jpg': b''}
    assert os.stat(str(tmp_path / 'b.jpg')).st_ino == inode


@pytest.mark.parametrize('other', [b'3', b'', b'22'])
def test_files_of_another_content_are_not_replaced(tmp_path, other):
    (tmp_path / 'b.jpg').write_bytes(other)
    (tmp_path / 'c.jpg').mkdir()
    with pytest.raises(host.UserError, match='2 files in .* another content, the first is .*b.jpg'):
        unpacked(tmp_path, [('a.jpg', b'1'), ('b.jpg', b'2'), ('c.jpg', b'4')])
    assert sorted(os.listdir(str(tmp_path))) == ['b.jpg', 'c.jpg', 'faceset.pak']
    assert (tmp_path / 'b.jpg').read_bytes() == other


def test_faces_of_one_name(tmp_path, capsys):
    names = [('a.jpg', None), ('a.jpg', None), ('a (2).jpg', None), ('a.jpg', 'bob'), ('a.jpg', None)]
    entries = [(name, b'%d' % number) for number, (name, _) in enumerate(names)]
    configs = [{'filename': name, 'person_name': person} for name, person in names]
    known = {'a.jpg': b'0', 'a (3).jpg': b'1', 'a (2).jpg': b'2', 'bob/a.jpg': b'3', 'a (4).jpg': b'4'}
    assert unpacked(tmp_path, entries, configs) == known
    assert '2 faces have the names of others and get new ones, the first: a.jpg -> a (3).jpg' in capsys.readouterr().out
    assert unpacked(tmp_path, entries, configs) == known       # started again it finds them all


def test_faces_whose_names_differ_in_case(tmp_path):
    entries = [('a.jpg', b'1'), ('A.JPG', b'2'), ('A.jpg', b'2')]
    index = faceset.Index('x', [{'filename': name} for name, _ in entries], [(0, 1)] * 3)
    assert [os.path.basename(target.path) for target in unpacking._targets('f', index, True)] == [
        'a.jpg', 'A (2).JPG', 'A (3).jpg']
    assert [os.path.basename(target.path) for target in unpacking._targets('f', index, False)] == [
        'a.jpg', 'A.JPG', 'A.jpg']
    assert sorted(unpacked(tmp_path, entries).values()) == [b'1', b'2', b'2']


NAMES = st.text('aAbB(2) ', min_size=1, max_size=5).map('{}.jpg'.format)


@given(st.lists(st.tuples(st.none() | st.sampled_from(['p', 'P', 'q']), NAMES), max_size=12), st.booleans())
def test_no_face_is_lost_to_another(pairs, ignores_case):
    index = faceset.Index('x', [{'filename': name, 'person_name': person} for person, name in pairs],
                          [(0, 1)] * len(pairs))
    paths = [target.path for target in unpacking._targets('f', index, ignores_case)]
    assert len({path.lower() if ignores_case else path for path in paths}) == len(pairs)
    for number, (path, (person, name)) in enumerate(zip(paths, pairs)):
        if pairs.index((person, name)) == number and not ignores_case:
            assert path == os.path.join('f', person or '', name)


@pytest.mark.parametrize('name', ['a.exe', 'a.jpg.bat', 'faceset.pak', '.packing_lock', 'a', '.packing_unpacks'])
def test_names_of_no_images(tmp_path, name):
    with pytest.raises(faceset.FacesetError, match='no image'):
        unpacked(tmp_path, [('b.jpg', b'1'), (name, b'2')])
    assert os.listdir(str(tmp_path)) == ['faceset.pak']


@pytest.mark.parametrize('name', ['../a.jpg', '/etc/a.jpg', 'C:\\a.jpg', 'c:a.jpg', '..\\a.jpg', 'a/../b.jpg', ''])
@pytest.mark.parametrize('key', ['filename', 'person_name'])
def test_names_that_lead_elsewhere(tmp_path, name, key):
    folder = tmp_path / 'in'
    folder.mkdir()
    with pytest.raises(faceset.FacesetError, match='the name'):
        unpacked(folder, [('a.jpg', b'1')], [dict({'filename': 'a.jpg'}, **{key: name})])
    assert sorted(pw.tree(tmp_path)) == ['in/faceset.pak']


def test_a_person_whose_name_is_a_file(tmp_path):
    (tmp_path / 'bob').write_bytes(b'mine')
    with pytest.raises(host.UserError, match='bob'):
        unpacked(tmp_path, [('a.jpg', b'1')], [{'filename': 'a.jpg', 'person_name': 'bob'}])
    assert (tmp_path / 'bob').read_bytes() == b'mine' and (tmp_path / 'faceset.pak').exists()


def test_a_name_that_is_taken_meanwhile(tmp_path, monkeypatch):
    write_new = unpacking._write_new

    def racing(path, content):
        write_new(path, content)
        if content == b'2':
            (tmp_path / 'b.jpg').write_bytes(b'of another program')
    monkeypatch.setattr(unpacking, '_write_new', racing)
    with pytest.raises(host.UserError, match='could not be unpacked to the end'):
        unpacked(tmp_path, [('a.jpg', b'1'), ('b.jpg', b'2')])
    assert (tmp_path / 'b.jpg').read_bytes() == b'of another program' and (tmp_path / 'faceset.pak').exists()


def test_a_file_that_vanishes_meanwhile(tmp_path, monkeypatch):
    write_new = unpacking._write_new

    def vanishing(path, content):
        write_new(path, content)
        if content == b'2':
            (tmp_path / 'a.jpg').unlink()
    monkeypatch.setattr(unpacking, '_write_new', vanishing)
    with pytest.raises(host.UserError):
        unpacked(tmp_path, [('a.jpg', b'1'), ('b.jpg', b'2')])
    assert (tmp_path / 'faceset.pak').exists()


def test_packing_ends_an_unpacking_first(tmp_path, asked, capsys):
    """Else the pak would be replaced by one of the few faces that are files already."""
    written = pw.fill(tmp_path, 4)
    PackedFaceset.pack(tmp_path)
    with packing.workplace(tmp_path) as place:
        pack_marks.put(place, unpacking.MARK, str(tmp_path / 'faceset.pak'))
    (tmp_path / '00001_0.jpg').write_bytes(written['00001_0.jpg'])
    asked.clear()
    PackedFaceset.pack(tmp_path)
    assert asked == [DELETE] and 'this is done first' in capsys.readouterr().out
    assert {config['filename']: raw for config, raw in packed_data(tmp_path)} == written


# --- both -------------------------------------------------------------------------------------

def test_one_at_a_time_in_a_folder(tmp_path, asked):
    pw.fill(tmp_path, 2)
    handle = file_lock.take(str(tmp_path / '.packing_lock'))
    try:
        with pytest.raises(host.UserError, match='Another packing'):
            PackedFaceset.pack(tmp_path)
        (tmp_path / 'faceset.pak').write_bytes(made_up_pak([]))
        with pytest.raises(host.UserError, match='Another packing'):
            PackedFaceset.unpack(tmp_path)
    finally:
        handle.close()


def test_a_pak_that_is_a_link(tmp_path, asked):
    folder, elsewhere = tmp_path / 'faces', tmp_path / 'large disk'
    elsewhere.mkdir()
    written = pw.fill(folder, 3)
    os.symlink(str(elsewhere / 'bob.pak'), str(folder / 'faceset.pak'))
    PackedFaceset.pack(folder)
    assert os.path.islink(str(folder / 'faceset.pak')) and os.listdir(str(folder)) == ['faceset.pak']
    assert os.listdir(str(elsewhere)) == ['bob.pak']
    PackedFaceset.unpack(folder)
    assert pw.tree(folder) == written and os.listdir(str(elsewhere)) == ['bob.pak']     # as in stock


ALONE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from samplelib.PackedFaceset import PackedFaceset
getattr(PackedFaceset, sys.argv[2])(Path(sys.argv[3]))
strange = {'tensorflow', 'numba', 'core', 'facelib', 'DFLIMG'} & set(sys.modules)
assert not strange, strange
"""


def test_from_the_repository_alone(tmp_path):
    written = pw.fill(tmp_path, 3)
    for name, answers in (('pack', b'\n'), ('unpack', b'')):
        process = subprocess.Popen([sys.executable, '-c', ALONE, PROGRAM, name, str(tmp_path)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = process.communicate(answers)[0].decode()
        assert process.returncode == 0, out
        if name == 'pack':
            assert '[y] Delete original files? ( y/n ) : ' in out and 'Loading samples: 100%' in out
            assert os.listdir(str(tmp_path)) == ['faceset.pak']
    assert pw.tree(tmp_path) == written


def test_dfl_jpeg_agrees(tmp_path, asked):
    """The metadata of a packed face is read from the pak as it was from the file."""
    written = pw.fill(tmp_path, 5)
    PackedFaceset.pack(tmp_path)
    for face in faceset.faces(tmp_path):
        assert same(face.metadata, dfl_jpeg.parse(written[face.name], 'x').data)
