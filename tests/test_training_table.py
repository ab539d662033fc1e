"""The table of faces: what goes in comes out, in every process, and nothing else is in it."""
import multiprocessing
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel import host
from accel.training import face_table
from accel.training.face_table import Builder, Face, FaceTable

LETTERS = st.text(st.characters(), max_size=12)   # half letters (surrogates) as well
POINTS = st.integers(0, 2 ** 32 - 1)


def made(seed, name='a.jpg', source='f.png', person=None, mask_size=None, columns=1, counts=(), dtype=np.float64,
         packed=None, shape=(9, 8, 3)):
    """A Face of these sizes."""
    state = np.random.RandomState(seed)
    landmarks = (state.rand(68, 2) * 500).astype(dtype)
    polygons = [(number % 2, state.rand(count, 2).astype(np.float32)) for number, count in enumerate(counts)]
    mask = None
    if mask_size is not None:
        mask = state.randint(0, 256, mask_size).astype(np.uint8).reshape((-1, 1)[:columns])
    return Face(name, int(state.randint(0, 101)), shape, landmarks, polygons, mask, float(state.rand()), source, person,
                packed)


def same(a, b):
    """Whether two Faces are equal to the bit, types and all."""
    plain = [(one.filename, one.face_type, one.shape, one.eyebrows_expand_mod, one.source_filename, one.person_name,
              one.packed, [kind for kind, _ in one.polygons]) for one in (a, b)]
    arrays = [[one.landmarks] + [points for _, points in one.polygons] + ([] if one.mask is None else [one.mask])
              for one in (a, b)]
    return (plain[0] == plain[1] and (a.mask is None) == (b.mask is None) and len(arrays[0]) == len(arrays[1])
            and all(x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes() and x.flags.writeable
                    for x, y in zip(*arrays)))


def table_of(faces, *arguments):
    builder = Builder(*arguments)
    for face in faces:
        builder.append(face)
    return builder.table()


FACES = st.lists(st.builds(
    made, POINTS, LETTERS, st.none() | LETTERS, st.none() | LETTERS, st.none() | st.integers(1, 40),
    st.sampled_from([1, 2]), st.lists(st.integers(0, 6), max_size=3),
    st.sampled_from([np.float64, np.float32, np.int64, np.int32]),
    st.none(), st.sampled_from([None, (1, 2, 3), (70000, 3, 1)])), max_size=6)


@given(FACES, st.integers(1, 6000))
def test_what_goes_in_comes_out(faces, block_bytes):
    before = face_table._BLOCK_BYTES
    face_table._BLOCK_BYTES = block_bytes
    try:
        table = table_of(faces)
    finally:
        face_table._BLOCK_BYTES = before
    assert len(table) == len(faces)
    assert all(same(a, b) for a, b in zip(table, faces))
    assert all(table.source_filename(index) == face.source_filename for index, face in enumerate(faces))
    assert all(same(table[index - len(faces)], face) for index, face in enumerate(faces))


def test_indexes_outside_are_value_errors_as_in_stock():
    table = table_of([made(0), made(1)])
    for index in (2, -3, 99):
        with pytest.raises(ValueError):
            table[index]
    with pytest.raises(ValueError):
        table_of([])[0]
    assert len(table_of([])) == 0 and list(table_of([])) == []


def test_common_folder_and_pak_are_kept_once():
    folder = '/a long folder/' * 10
    pak = folder + 'x.pak'
    faces = [made(number, folder + str(number), packed=(pak, number << 33, number)) for number in range(100)]
    table = table_of(faces, folder, pak)
    assert all(same(a, b) for a, b in zip(table, faces))
    assert table.nbytes < 100 * 1250
    with pytest.raises(ValueError, match='folder'):
        table_of([made(0, 'b/0')], 'a/')


@pytest.mark.parametrize('wrong', [
    dict(landmarks=np.zeros((5, 2))), dict(landmarks=np.zeros((68, 2), np.complex128)), dict(landmarks=None),
    dict(mask=np.zeros(4, np.float32)), dict(mask=np.zeros((2, 2), np.uint8)), dict(mask=np.zeros(0, np.uint8)),
    dict(shape=(-1, 2, 3)), dict(shape=('a', 2, 3)), dict(face_type=1 << 40), dict(eyebrows_expand_mod='much')])
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(wrong):
    builder = Builder()
    builder.append(made(0))
    with pytest.raises(ValueError):
        builder.append(made(1)._replace(**wrong))
    builder.append(made(2))
    table = builder.table()
    assert len(table) == 2 and same(table[0], made(0)) and same(table[1], made(2))


def test_sums():
    a, b, empty = table_of([made(0), made(1)]), table_of([made(2)]), table_of([])
    for both, seeds in ((a + b, [0, 1, 2]), (b + a, [2, 0, 1]), (a + a, [0, 1, 0, 1]),
                        (sum([a, b, a]), [0, 1, 2, 0, 1]), (sum([a]), [0, 1]), (empty + b, [2]),
                        (a + empty + b, [0, 1, 2]), (0 + a, [0, 1])):
        assert len(both) == len(seeds)
        assert all(same(both[index], made(seed)) for index, seed in enumerate(seeds))
        assert all(same(both[index - len(seeds)], made(seed)) for index, seed in enumerate(seeds))
    assert (a + a).nbytes == a.nbytes
    with pytest.raises(ValueError):
        a + [made(0)]


def test_other_orders_and_their_sums():
    a, b = table_of([made(0), made(1), made(2)]), table_of([made(3), made(4)])
    turned = a.reordered([2, 0, 1])
    twice = turned.reordered([1, 1, 0])
    for table, seeds in ((turned, [2, 0, 1]), (twice, [0, 0, 2]), (b + turned, [3, 4, 2, 0, 1]),
                         (turned + b, [2, 0, 1, 3, 4]), (turned + twice, [2, 0, 1, 0, 0, 2]), (a.reordered([]), [])):
        assert len(table) == len(seeds) == len(list(table))
        assert all(same(table[index], made(seed)) for index, seed in enumerate(seeds))


# --- other processes -------------------------------------------------------------------------

def tell(tables, pipe):
    faces = [face for table in tables for face in table]
    pipe.send((os.getpid(), [len(table) for table in tables], pickle.dumps(faces, 2), [one.nbytes for one in tables]))


# Without that of a server, which stays: its processes are started as those of spawn.
@pytest.mark.parametrize('method', [name for name in multiprocessing.get_all_start_methods() if name != 'forkserver'])
def test_another_process_sees_the_same(method, monkeypatch):
    monkeypatch.setattr(face_table, '_BLOCK_BYTES', 3000)
    faces = [made(number, mask_size=100 * number or None, counts=(4, 5)) for number in range(9)]
    table = table_of(faces)
    tables = [table, table.reordered([3, 1]), table + table, table_of([])]
    context = multiprocessing.get_context(method)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=tell, args=(tables, there))
    process.start()
    there.close()
    assert here.poll(60)
    pid, lengths, seen, sizes = here.recv()
    process.join(60)
    assert process.exitcode == 0 and pid != os.getpid()
    assert lengths == [9, 2, 18, 0]
    expected = faces + [faces[3], faces[1]] + faces + faces
    assert all(same(a, b) for a, b in zip(pickle.loads(seen), expected))
    assert sizes == [table.nbytes] * 3 + [0]


def test_memory_is_shared_and_not_copied():
    """A change of the memory in one process shows in the other: the test's own doing, tables have no way to change."""
    table = table_of([made(0, 'first.jpg')])
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe()
    process = context.Process(target=tell_twice, args=(table, there))
    process.start()
    assert here.poll(60) and here.recv() == 'first.jpg'
    memory = table._blocks[0].memory.buffer
    memory[memory.find(b'first'):memory.find(b'first') + 5] = b'other'
    here.send('again')
    assert here.poll(60) and here.recv() == 'other.jpg'
    process.join(60)


def tell_twice(table, pipe):
    pipe.send(table[0].filename)
    pipe.recv()
    pipe.send(table[0].filename)


def test_no_room_is_an_error_in_words(monkeypatch):
    def full(size):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(face_table.heap, 'Arena', full)
    with pytest.raises(host.UserError, match='room'):
        table_of([made(0)])


def test_a_class_of_the_table_stays_one():
    class Names(FaceTable):
        def made(self, face):
            return face.filename
    builder = Builder()
    builder.append(made(0, 'a'))
    builder.append(made(1, 'b'))
    names = builder.table(Names)
    assert list(names) == ['a', 'b'] and list(names + names) == ['a', 'b', 'a', 'b']
    assert list(names.reordered([1])) == ['b'] and list(sum([names])) == ['a', 'b']
