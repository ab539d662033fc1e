"""No face is lost to a question that nobody answers, a mark of another pak, names that agree, or a power cut."""
import os
import subprocess
import sys

import packed_workspace as pw
import pytest
from accel import faceset, host
from accel.training import pack_marks, packed_files, packing, unpacking
from naive import faceset as naive_faceset
from program import PROGRAM
from samplelib.PackedFaceset import PackedFaceset
from test_faceset import pak as made_up_pak

PAK = 'faceset.pak'


@pytest.fixture
def answers(monkeypatch):
    """Somebody who presses Enter, or is not there (enter: False), and wants files kept, or not (delete: True)."""
    class Answers:
        enter, delete, asked = True, False, 0

    def wait_for_enter(text):
        Answers.asked += 1
        return Answers.enter
    monkeypatch.setattr(host, 'ask_bool', lambda text, default: Answers.delete if 'Delete' in text else default)
    monkeypatch.setattr(host, 'wait_for_enter', wait_for_enter)
    return Answers


def mark(folder, name):
    with packing.workplace(folder) as place:
        pack_marks.put(place, name, str(folder / PAK))


def packed(folder):
    return {config['filename']: raw for config, raw in naive_faceset.read(folder / PAK)}


# --- nobody to answer -------------------------------------------------------------------------

def pack_command(folder, stdin):
    words = [sys.executable, os.path.join(PROGRAM, 'main.py'), 'util', '--input-dir', str(folder), '--pack-faceset']
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return process.communicate(stdin)[0].decode('utf-8', 'replace'), process.returncode


def test_a_closed_stdin_is_no_enter(tmp_path):
    (tmp_path / PAK).write_bytes(made_up_pak([('x.jpg', pw.face(3))]))
    pw.fill(tmp_path, 1)
    before = pw.tree(tmp_path)
    out, code = pack_command(tmp_path, b'')
    assert code and '1 of its 1 faces are not among' in out and 'Unpack it first, or move it away' in out
    assert pw.tree(tmp_path) == before
    out, code = pack_command(tmp_path, b'\nn\n')
    assert code == 0 and list(packed(tmp_path)) == ['00000_0.jpg'], out


@pytest.mark.parametrize('attended', [True, False])
def test_nobody_answers_for_a_pak_of_which_nothing_is_lost(tmp_path, answers, attended):
    pw.fill(tmp_path, 3)
    PackedFaceset.pack(tmp_path)
    answers.enter = attended
    PackedFaceset.pack(tmp_path)
    assert len(packed(tmp_path)) == 3 and answers.asked == 1


@pytest.mark.parametrize('unattended', [True, False])
def test_a_damaged_pak_is_not_replaced_unasked(tmp_path, answers, unattended, capsys):
    pw.fill(tmp_path, 2)
    (tmp_path / PAK).write_bytes(b'damaged')
    before = pw.tree(tmp_path)
    answers.enter = False
    host.set_unattended(unattended)
    try:
        with pytest.raises(host.UserError, match='cannot be read.*Move it away, then start again'):
            PackedFaceset.pack(tmp_path)
    finally:
        host.set_unattended(False)
    assert pw.tree(tmp_path) == before and answers.asked == (not unattended)
    answers.enter = True
    PackedFaceset.pack(tmp_path)
    assert 'It cannot be read, and what is in it is lost if you go on' in capsys.readouterr().out
    assert len(packed(tmp_path)) == 2


@pytest.mark.parametrize('change, missing', [
    ('none', 0), ('person', 2), ('content', 1), ('size', 1), ('gone', 1), ('no persons', 4)])
def test_faces_are_told_apart_by_person_and_content(tmp_path, answers, change, missing):
    for person in 'ab':
        pw.fill(tmp_path / person, 2)
    PackedFaceset.pack(tmp_path)
    face = tmp_path / 'a' / '00001_0.jpg'
    if change == 'person':
        (tmp_path / 'b').rename(tmp_path / 'c')
    elif change == 'content':
        face.write_bytes(face.read_bytes()[:-5] + b'other')
    elif change == 'size':
        face.write_bytes(pw.face(8) + b'0')
    elif change == 'gone':
        face.unlink()
    elif change == 'no persons':
        for number in range(2):
            for person in 'ab':
                (tmp_path / person / '{:05}_0.jpg'.format(number)).unlink()
        pw.fill(tmp_path, 2)
    images = packing.images_of(tmp_path) + packing.images_of(tmp_path, ['a', 'b', 'c'])
    assert packing.missing_from(tmp_path, images) == (missing, 4)


# --- marks of another pak ---------------------------------------------------------------------

@pytest.mark.parametrize('name', [packed_files.MARK, unpacking.MARK])
def test_a_mark_holds_for_its_pak_only(tmp_path, answers, name):
    """The pak of the mark is moved away, and other faces are packed by a program that knows no marks."""
    pw.fill(tmp_path, 3)
    PackedFaceset.pack(tmp_path)
    mark(tmp_path, name)
    with packing.workplace(tmp_path) as place:
        assert pack_marks.holds(place, name, str(tmp_path / PAK))
    written = pw.fill(tmp_path, 4)
    (tmp_path / PAK).write_bytes(made_up_pak(sorted(written.items())))
    PackedFaceset.pack(tmp_path)
    assert answers.asked == 1 and sorted(pw.tree(tmp_path)) == sorted(written) + [PAK]


@pytest.mark.parametrize('name', [packed_files.MARK, unpacking.MARK])
def test_a_new_pak_ends_old_marks(tmp_path, answers, name):
    """Even if it is equal to that of the mark."""
    pw.fill(tmp_path, 3)
    PackedFaceset.pack(tmp_path)
    mark(tmp_path, name)
    (tmp_path / PAK).unlink()
    PackedFaceset.pack(tmp_path)
    assert not (tmp_path / name).exists()
    PackedFaceset.pack(tmp_path)
    assert answers.asked == 1 and len(pw.tree(tmp_path)) == 4


def test_a_mark_that_cannot_be_read(tmp_path, answers):
    written = pw.fill(tmp_path, 2)
    PackedFaceset.pack(tmp_path)
    (tmp_path / unpacking.MARK).mkdir()
    with pytest.raises(host.UserError, match='cannot be read'):
        PackedFaceset.pack(tmp_path)
    assert set(packed(tmp_path)) == set(written)


# --- unpacking --------------------------------------------------------------------------------

@pytest.mark.parametrize('person, taken', [
    ('.packing_lock', None), ('.Packing_unpacks', None), ('.packing_deletes', None), ('faceset.PAK', None),
    ('x.jpg', None), ('bob', 'bob')])
def test_persons_whose_names_are_files(tmp_path, person, taken):
    entries = [('y.jpg', b'1'), ('x.jpg', b'2')]
    (tmp_path / PAK).write_bytes(made_up_pak(entries, [{'filename': 'x.jpg'},
                                                       {'filename': 'a.jpg', 'person_name': person}]))
    if taken:
        (tmp_path / taken).write_bytes(b'mine')
    before = pw.tree(tmp_path)
    with pytest.raises(host.UserError, match='nothing was unpacked'):
        PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == before


def torn(face, how):
    """What a power cut may leave of a face (bytes)."""
    half = len(face) // 1024 * 512
    return {'empty': b'', 'short': face[:half], 'zeros': bytes(len(face)), 'end': face[:half] + bytes(len(face) - half),
            'middle': face[:512] + bytes(512) + face[1024:], 'garbage': b'\x01' * len(face)}[how]


@pytest.mark.parametrize('how', ['empty', 'short', 'zeros', 'end', 'middle', 'garbage'])
def test_what_a_power_cut_has_torn_is_written_again(tmp_path, answers, how):
    written = pw.fill(tmp_path, 3)
    PackedFaceset.pack(tmp_path)
    (tmp_path / '00000_0.jpg').unlink()
    (tmp_path / '00001_0.jpg').write_bytes(torn(written['00001_0.jpg'], how))
    before = pw.tree(tmp_path)
    with pytest.raises(host.UserError, match='another content'):    # nothing was cut: it is a file of the user
        PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == before
    mark(tmp_path, unpacking.MARK)
    PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == written


def test_a_face_that_was_changed_after_the_cut_is_kept(tmp_path, answers):
    pw.fill(tmp_path, 3)
    PackedFaceset.pack(tmp_path)
    mark(tmp_path, unpacking.MARK)
    (tmp_path / '00001_0.jpg').write_bytes(pw.face(1, source_filename='other'))
    before = pw.tree(tmp_path)
    with pytest.raises(host.UserError, match='1 files in .* another content'):
        PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == before


def test_all_files_are_on_the_disk_before_the_pak_goes(tmp_path, monkeypatch):
    """Those that were there already as well; none while others are still to be written."""
    faces = [('{}.jpg'.format(number), b'%d' % number) for number in range(20)]
    (tmp_path / PAK).write_bytes(made_up_pak(faces))
    (tmp_path / '7.jpg').write_bytes(b'7')
    os.chmod(str(tmp_path / '7.jpg'), 0o444)
    synced, fsync, remove = {}, os.fsync, os.remove

    def noting(handle):
        synced[os.fstat(handle).st_ino] = len([name for name in os.listdir(str(tmp_path)) if name.endswith('.jpg')])
        fsync(handle)

    def removing(path, *arguments):
        if os.path.basename(str(path)) == PAK:
            assert all(synced[os.stat(str(tmp_path / name)).st_ino] == 20 for name, _ in faces)
            synced['pak'] = True
        remove(path, *arguments)
    monkeypatch.setattr(os, 'fsync', noting)
    monkeypatch.setattr(os, 'remove', removing)
    PackedFaceset.unpack(tmp_path)
    assert synced.pop('pak') and not (tmp_path / PAK).exists()


def test_a_file_that_cannot_be_synced_is_written_again(tmp_path, monkeypatch):
    faces = [('{}.jpg'.format(number), b'%d' % number * (number + 3)) for number in range(4)]
    (tmp_path / PAK).write_bytes(made_up_pak(faces))
    fsync = os.fsync

    def failing(handle):
        if os.fstat(handle).st_size == 5:
            raise OSError(5, 'Input/output error')
        fsync(handle)
    monkeypatch.setattr(os, 'fsync', failing)
    with pytest.raises(host.UserError, match='could not be unpacked to the end'):
        PackedFaceset.unpack(tmp_path)
    assert (tmp_path / PAK).exists() and not (tmp_path / '2.jpg').exists() and (tmp_path / '3.jpg').exists()
    monkeypatch.undo()
    PackedFaceset.unpack(tmp_path)
    assert pw.tree(tmp_path) == dict(faces)


# --- names that other systems do not have -----------------------------------------------------

@pytest.mark.parametrize('person', ['bob.', 'bob ', 'NUL', 'a"b', 'aux.old', 'a\tb'])
def test_persons_whose_names_other_systems_do_not_have(tmp_path, answers, person):
    pw.fill(tmp_path / 'anna', 1)
    pw.fill(tmp_path / person, 1)
    before = pw.tree(tmp_path)
    with pytest.raises(host.UserError, match='Rename it'):
        PackedFaceset.pack(tmp_path)
    assert pw.tree(tmp_path) == before


@pytest.mark.parametrize('name', ['a b.c.jpg', 'CONTROL.jpg', 'com.jpg', 'Боб.jpeg', 'nullable (2).jpg', '.jpg'])
def test_names_that_all_systems_have(name):
    assert packing._is_name_everywhere(name) and faceset.last_component(name) == name
