"""accel.nets.weights: files of weights that are good, missing, cut short, of another network, or made to do harm."""
import gc
import os
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pickle_attacks
import pytest
from program import PROGRAM

from accel import host
from accel.nets import devices, loading, weights


def table():
    """Arrays as a file of DeepFaceLab has them."""
    random = np.random.RandomState(0)
    return {'conv1_1/weight:0': random.randn(3, 3, 4, 5).astype(np.float32),
            'conv1_1/bias:0': random.randn(5).astype(np.float32),
            'm_0/b2_plus/bn1/running_var:0': np.ones(7, np.float32)}


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, 4))
    return path


@pytest.fixture
def path(tmp_path):
    (tmp_path / 'моя facelib').mkdir()
    return tmp_path / 'моя facelib' / 'S3FD.npy'


def refused(path, *words):
    """Hold an error to what a user needs: one line with the file's name and what to do."""
    with pytest.raises(host.UserError) as caught:
        weights.read(path)
    text = str(caught.value)
    assert str(path) in text and '\n' not in text and all(word in text for word in words), text
    return caught.value


# --- good ones ---

@pytest.mark.parametrize('protocol', range(3, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('of_path', [str, lambda path: path])
def test_arrays_are_read_as_they_are(path, protocol, of_path):
    write(path, pickle.dumps(table(), protocol))
    found = weights.read(of_path(path))
    assert found.where == str(path)
    for name, array in table().items():
        name = name[:-2]
        assert name in found and name + ':0' not in found
        comp = found.take(name, *array.shape)
        assert comp.dtype == np.float32 and comp.flags.c_contiguous
        np.testing.assert_array_equal(comp, array)
        np.testing.assert_array_equal(found.take(name, *[None] * array.ndim), array)
    assert 'conv1_1' not in found


@pytest.mark.parametrize('kind', ['f2', 'f8', '>f4', '>f8'])
@pytest.mark.parametrize('order', ['C', 'F'])
def test_other_floats_become_float32(path, kind, order):
    array = np.array(np.arange(24).reshape(2, 3, 4) / 8.0, kind, order=order)
    comp = weights.read(write(path, {'a/weight': array})).take('a/weight', 2, 3, 4)
    assert comp.dtype == np.dtype(np.float32) and comp.dtype.isnative and comp.flags.c_contiguous
    np.testing.assert_array_equal(comp, array.astype(np.float32))


def test_bytes_after_the_end_are_ignored(path):
    assert 'conv1_1/bias' in weights.read(write(path, pickle.dumps(table(), 4) + b'more'))


def test_reading_takes_three_times_the_file_at_most(path):
    write(path, {'{}/weight:0'.format(number): np.full((1 << 18,), number, np.float32) for number in range(24)})
    gc.collect()
    tracemalloc.start()
    found = weights.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.1 * path.stat().st_size and (found.take('23/weight', None) == 23).all()


# --- missing ones ---

def test_a_missing_file(path):
    error = refused(path, 'is missing', 'copy it from another build', str(path.parent))
    assert isinstance(error.__cause__, FileNotFoundError)
    refused(path.parent / 'none' / 'S3FD.npy', 'is missing')


def test_a_folder_in_its_place(path):
    path.mkdir()
    assert isinstance(refused(path, 'cannot be read: ').__cause__, OSError)


@pytest.mark.parametrize('three_d, name', [(False, '2DFAN.npy'), (True, '3DFAN.npy')])
def test_networks_without_their_files(tmp_path, three_d, name):
    for missing in ('S3FD.npy', name):
        with pytest.raises(host.UserError, match='{} is missing'.format(missing)):
            loading.load(str(tmp_path), [devices.CPU], three_d)
        write(tmp_path / missing, table())


def test_a_missing_file_is_told_before_tensorflow_is_loaded(tmp_path):
    script = ('import sys; sys.path.insert(0, sys.argv[1])\n'
              'from accel import host\nfrom accel.nets import devices, loading\n'
              'try:\n    loading.load(sys.argv[2], [devices.CPU])\n'
              'except host.UserError:\n    assert "tensorflow" not in sys.modules\nelse:\n    sys.exit(3)\n')
    subprocess.check_call([sys.executable, '-c', script, PROGRAM, str(tmp_path)])


# --- damaged ones and others ---

def test_a_file_cut_short(path):
    content = pickle.dumps(table(), 4)
    for length in list(range(0, 200)) + list(range(200, len(content), 41)) + [len(content) - 1]:
        refused(write(path, content[:length]), 'is damaged', 'Copy it again from a build')


def test_a_file_with_faults_is_read_or_refused(path):
    content, random = pickle.dumps(table(), 4), np.random.RandomState(1)
    heads = np.flatnonzero(np.frombuffer(content, np.uint8) >= 0)[:260]
    read = 0
    for _ in range(400):
        data = bytearray(content)
        for _ in range(random.randint(1, 4)):
            data[random.choice(heads)] = random.randint(256)
        try:
            found = weights.read(write(path, bytes(data)))
            found.take('conv1_1/bias', 5)
            read += 1
        except host.UserError as error:
            assert 'is damaged' in str(error) and '\n' not in str(error)
    assert 0 < read < 200


def npy_file():
    import io
    stream = io.BytesIO()
    np.save(stream, np.ones(5, np.float32))
    return stream.getvalue()


@pytest.mark.parametrize('content', [
    b'', b'\0' * 5000, b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 134217728\n', b'<html>',
    b'PK\x03\x04', npy_file()], ids=['empty', 'zeros', 'pointer', 'page', 'zip', 'npy'])
def test_another_file_of_this_name(path, content):
    refused(write(path, content), 'is damaged or of another network')


@pytest.mark.parametrize('value', [[1.5], 7, None, 'text', (np.ones(3),), np.ones(3), {5: np.ones(3)},
                                   {'a': np.ones(3), None: 1}, {('a', 'b'): np.ones(2)}], ids=str)
def test_a_pickle_of_something_else(path, value):
    refused(write(path, value), 'it holds no table of arrays')


WRONG = {'another shape': np.zeros((3, 3, 5, 4), np.float32), 'fewer dimensions': np.zeros(180, np.float32),
         'more dimensions': np.zeros((1, 3, 3, 4, 5), np.float32), 'no dimension': np.float32(1),
         'whole numbers': np.zeros((3, 3, 4, 5), np.int32), 'truths': np.zeros((3, 3, 4, 5), bool),
         'a list': [[1.0]], 'a text': 'abc', 'nothing': None}


@pytest.mark.parametrize('name', sorted(WRONG))
def test_an_array_of_another_kind(path, name):
    found = weights.read(write(path, dict(table(), **{'conv1_1/weight:0': WRONG[name]})))
    with pytest.raises(host.UserError, match='conv1_1/weight is missing or of another shape') as caught:
        found.take('conv1_1/weight', 3, 3, 4, 5)
    assert str(path) in str(caught.value) and 'Copy it again' in str(caught.value)
    assert found.take('conv1_1/bias', 5).shape == (5,)


def test_an_array_that_is_not_there(path):
    found = weights.read(write(path, {}))
    assert 'conv1_1/weight' not in found
    with pytest.raises(host.UserError, match='conv1_1/weight is missing'):
        found.take('conv1_1/weight', None)


# --- made to do harm ---

def test_nothing_that_a_file_names_is_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir('.'))
    for title, stream in sorted(pickle_attacks.ATTACKS.items()):
        if not title.endswith('million empty lists') and not title.endswith('million empty dicts'):
            refused(write(path, stream), 'is damaged or of another network')
    assert sorted(os.listdir('.')) == before


class Harm:
    def __reduce__(self):
        return os.mkdir, ('harm was done',)


def test_harm_among_good_arrays(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(write(path, dict(table(), harm=Harm())), 'is damaged')
    assert not os.path.exists('harm was done')
    pickle.loads(path.read_bytes())
    assert os.path.exists('harm was done')      # it would have been


def test_arrays_that_claim_gigabytes(path):
    head = pickle_attacks.PROTO3 + b'}' + pickle_attacks.text('conv1_1/weight:0')
    huge = pickle_attacks.array(shape=b'J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86') + b's.'
    tracemalloc.start()
    refused(write(path, head + huge), 'is damaged')
    refused(write(path, head + b'B\xff\xff\xff\xffabcs.'), 'is damaged')
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
