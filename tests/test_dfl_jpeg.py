"""Metadata of JPEG files: any valid file is read and rewritten, any other one refused at once."""
import glob
import os
import pickle
import random
import time

import cv2
import numpy as np
import pickle_attacks
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import dfl_jpeg as naive
from plain_data import same

from accel import dfl_jpeg, safe_pickle

TESTS = os.path.dirname(os.path.abspath(__file__))
GOLDEN = sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg')))
FACE = {'face_type': 'whole_face', 'landmarks': [[1.5, 2.5]] * 68, 'source_filename': 'кадр.png',
        'image_to_face_mat': np.eye(2, 3)}
PROGRESSIVE = [int(cv2.IMWRITE_JPEG_PROGRESSIVE), 1]
RESTARTS = [int(cv2.IMWRITE_JPEG_RST_INTERVAL), 1]


def encoded(height=48, width=40, params=(), channels=3):
    """A JPEG file (bytes) as OpenCV writes it."""
    shape = (height, width, channels)[:2 if channels == 1 else 3]
    image = np.random.RandomState(0).randint(0, 255, shape).astype(np.uint8)
    return cv2.imencode('.jpg', image, list(params))[1].tobytes()


def segment(marker, content, fill=0):
    """A JPEG segment (bytes)."""
    return b'\xff' * (fill + 1) + bytes([marker]) + (len(content) + 2).to_bytes(2, 'big') + content


def with_segments(data, *added):
    """The file with these segments behind SOI."""
    return data[:2] + b''.join(added) + data[2:]


def without_app0(data):
    """The file without its JFIF segment."""
    found, rest = naive.segments(data)
    return naive.join([one for one in found if one[1] != 0xE0], rest)


PLAIN = encoded()
DFL = segment(0xEF, pickle.dumps(FACE, 3))
EXIF = segment(0xE1, b'Exif\x00\x00MM\x00*' + bytes(40))
VALID = {
    'ordinary': with_segments(PLAIN, DFL),
    'without metadata': PLAIN,
    'progressive': with_segments(encoded(params=PROGRESSIVE), DFL),
    'restart intervals': with_segments(encoded(params=RESTARTS), DFL),
    'grey': with_segments(encoded(channels=1), DFL),
    'EXIF and no JFIF': with_segments(without_app0(PLAIN), EXIF, DFL),
    'no other APPn': with_segments(without_app0(PLAIN), DFL),
    'APP0 of another kind': with_segments(without_app0(PLAIN), segment(0xE0, b'AVI1' + bytes(10)), DFL),
    'EXIF behind the metadata': with_segments(PLAIN, DFL, EXIF),
    'fill bytes': with_segments(PLAIN, b'\xff' * 5 + EXIF, b'\xff\xff' + DFL, b'\xff\xff\xff'),
    'comment and TEM': with_segments(PLAIN, segment(0xFE, b'a comment'), b'\xff\x01', DFL),
    'bytes after the end': with_segments(PLAIN, DFL) + b'more \xff\xd8\xff\xef\x00\x04\x80\x03 bytes',
    'two DFL segments': with_segments(PLAIN, segment(0xEF, pickle.dumps({'old': 1}, 3)), EXIF, DFL),
    'segments of others': with_segments(PLAIN, segment(0xEF, b'Q 100'), DFL, segment(0xEF, b'')),
    'a text that ends with a point': with_segments(PLAIN, segment(0xEF, b'Made by hand.'), DFL),
    'a large head': with_segments(PLAIN, *[segment(0xE2, bytes(65533))] * 5 + [DFL]),
    'metadata of the longest size': with_segments(PLAIN, segment(0xEF, pickle.dumps({'a': bytes(65510)}, 3))),
    'metadata across the first read': with_segments(PLAIN, segment(0xE2, bytes(6000)), DFL),
    'no picture': b'\xff\xd8' + DFL + b'\xff\xd9',
}


@pytest.mark.parametrize('path', GOLDEN, ids=os.path.basename)
def test_golden_faces(path, tmp_path):
    with open(path, 'rb') as file:
        data = file.read()
    ref = naive.metadata(data)
    comp = dfl_jpeg.read_metadata(path)
    assert comp.shape == ref[0] == cv2.imread(path).shape and same(comp.data, ref[1])
    assert same(tuple(dfl_jpeg.parse(data, path)), tuple(comp))
    if comp.data:
        assert dfl_jpeg.replace_metadata(data, comp.data) == data


@pytest.mark.parametrize('title', sorted(VALID))
def test_any_valid_file(title, tmp_path):
    data = VALID[title]
    ref = naive.metadata(data.replace(b'\xff\xef\x00\x0fMade by hand.', b''))
    path = tmp_path / 'лицо 1.jpg'
    path.write_bytes(data)
    for comp in (dfl_jpeg.read_metadata(str(path)), dfl_jpeg.read_metadata(path), dfl_jpeg.parse(data, 'x')):
        assert comp.shape == ref[0] and same(comp.data, ref[1])


@pytest.mark.parametrize('title', sorted(VALID))
@pytest.mark.parametrize('metadata', [FACE, {}, {'a': None, 'b': 2.5}, {'mask': bytes(65000)}])
def test_only_the_metadata_is_replaced(title, metadata):
    data = VALID[title]
    kept = {key: value for key, value in metadata.items() if value is not None}
    comp = dfl_jpeg.replace_metadata(data, metadata)
    assert comp == naive.replace(data, pickle.dumps(kept, 3).replace(b'numpy._core', b'numpy.core'))
    assert same(dfl_jpeg.parse(comp, 'x').data, kept)
    if title != 'no picture':
        assert np.array_equal(decoded(comp), decoded(data))


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize('marker', [
    0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_shape_of_every_kind_of_frame(marker):
    frame = segment(marker, b'\x08\x01\x02\x03\x04\x03' + bytes(9))
    tables = segment(0xC4, bytes(30)) + segment(0xC8, bytes(30)) + segment(0xCC, bytes(30))
    data = b'\xff\xd8' + tables + frame + tables + segment(0xDA, bytes(10)) + b'\x00\xff\xd9'
    assert dfl_jpeg.parse(data, 'x') == ((0x102, 0x304, 3), {})


def test_only_the_head_is_read(tmp_path):
    # What follows the first scan is never looked at: here it would be refused.
    path = tmp_path / 'a.jpg'
    path.write_bytes(VALID['ordinary'] + segment(0xEF, b'\x80\x03cos\nsystem\n)R.') * 1000)
    assert same(dfl_jpeg.read_metadata(str(path)).data, FACE)


def test_cut_files_give_what_is_there(tmp_path):
    data = VALID['EXIF behind the metadata']
    scan = len(data) - len(naive.segments(data)[1])
    metadata_end = data.index(DFL) + len(DFL)
    for end in list(range(2, 60)) + list(range(metadata_end - 5, len(data), 7)):
        path = tmp_path / 'a.jpg'
        path.write_bytes(data[:end])
        if data.index(DFL) + 6 <= end < metadata_end:
            with pytest.raises(safe_pickle.UnsafePickleError):
                dfl_jpeg.read_metadata(str(path))
            continue
        comp = dfl_jpeg.read_metadata(str(path))
        assert same(comp.data, FACE if end >= metadata_end else {})
        if end < scan:
            with pytest.raises(dfl_jpeg.NotJpegError):
                dfl_jpeg.replace_metadata(data[:end], FACE)
        else:
            assert comp.shape == (48, 40, 3)


NOT_JPEG = {
    'empty': b'', 'one byte': b'\xff', 'png': b'\x89PNG\r\n\x1a\n' + bytes(100), 'text': b'hello',
    'no marker': PLAIN[:2] + b'\x00' + PLAIN[2:], 'marker 00': PLAIN[:2] + b'\xff\x00' + PLAIN[2:],
    'SOI twice': PLAIN[:2] + PLAIN, 'length 0': PLAIN[:2] + b'\xff\xe1\x00\x00' + PLAIN[2:],
    'length 1': PLAIN[:2] + b'\xff\xe1\x00\x01' + PLAIN[2:], 'only fill bytes': b'\xff\xd8' + b'\xff' * 20000,
    'too many segments': b'\xff\xd8' + b'\xff\xe1\x00\x02' * 20000 + PLAIN[2:],
    'too large a head': b'\xff\xd8' + segment(0xE1, bytes(65533)) * 300 + PLAIN[2:],
}


@pytest.mark.parametrize('title', sorted(NOT_JPEG))
def test_what_is_no_jpeg(title, tmp_path):
    path = tmp_path / 'лицо.jpg'
    path.write_bytes(NOT_JPEG[title])
    with pytest.raises(dfl_jpeg.NotJpegError, match='лицо.jpg: this is not a valid JPG'):
        dfl_jpeg.read_metadata(str(path))
    with pytest.raises(dfl_jpeg.NotJpegError, match='^x: '):
        dfl_jpeg.replace_metadata(NOT_JPEG[title], FACE, 'x')


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(OSError):
        dfl_jpeg.read_metadata(str(tmp_path / 'missing.jpg'))
    with pytest.raises(OSError):
        dfl_jpeg.read_metadata(str(tmp_path))


@pytest.mark.parametrize('title', [
    'code_by_name: os.system, protocol 0', 'code_by_name: builtins.eval', 'code_by_name: NEWOBJ',
    'code_by_name: os.system, protocol 4', 'memory: billion laughs of lists', 'numpy_misused: gigabytes'])
def test_unsafe_metadata_is_refused_by_name(title, tmp_path):
    path = tmp_path / 'face.jpg'
    path.write_bytes(with_segments(PLAIN, segment(0xEF, pickle_attacks.ATTACKS[title])))
    with pytest.raises(safe_pickle.UnsafePickleError, match='face.jpg'):
        dfl_jpeg.read_metadata(str(path))


def test_unsafe_metadata_is_refused_beside_good_one():
    bad = segment(0xEF, pickle_attacks.ATTACKS['code_by_name: builtins.eval'])
    for data in (with_segments(PLAIN, bad, DFL), with_segments(PLAIN, DFL, bad)):
        with pytest.raises(safe_pickle.UnsafePickleError):
            dfl_jpeg.parse(data, 'x')


def test_unsafe_metadata_can_be_replaced():
    bad = segment(0xEF, pickle_attacks.ATTACKS['code_by_name: builtins.eval'])
    comp = dfl_jpeg.replace_metadata(with_segments(PLAIN, bad), FACE)
    assert comp == dfl_jpeg.replace_metadata(PLAIN, FACE)


def test_a_pickle_that_is_no_dict_is_not_ours():
    assert dfl_jpeg.parse(with_segments(PLAIN, segment(0xEF, pickle.dumps([1], 3))), 'x').data == {}


def test_too_long_metadata():
    fits = {'a': bytes(65533 - len(safe_pickle.dumps({'a': bytes(300)})) + 300)}
    assert dfl_jpeg.parse(dfl_jpeg.replace_metadata(PLAIN, fits), 'x').data == fits
    with pytest.raises(dfl_jpeg.MetadataTooLongError, match=r'^лицо.jpg: .*65,534.*65,533.*Remove'):
        dfl_jpeg.replace_metadata(PLAIN, {'a': fits['a'] + b'x'}, 'лицо.jpg')


def test_metadata_that_is_not_plain():
    with pytest.raises(ValueError, match='face_type'):
        dfl_jpeg.replace_metadata(PLAIN, {'face_type': object()})


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0xE0, 0xE1, 0xEE, 0xEF, 0xFE, 0xDB, 0xDD]),
                          st.binary(max_size=20) | st.just(pickle.dumps({'old': 1.5}, 3))), max_size=6))
def test_any_row_of_segments(rows):
    rows = [(fill, marker, content) for fill, marker, content in rows
            if marker != 0xEF or naive.is_pickle(content + b'  ') == (len(content) > 20)]
    data = with_segments(PLAIN, *[segment(marker, content, fill) for fill, marker, content in rows])
    comp = dfl_jpeg.replace_metadata(data, FACE)
    assert comp == naive.replace(data, safe_pickle.dumps(FACE))
    assert same(tuple(dfl_jpeg.parse(comp, 'x')), naive_result(comp))


def naive_result(data):
    shape, found = naive.metadata(data)
    return shape, found


def test_100_000_mutants_of_heads():
    choice = random.Random(7)
    small = with_segments(PLAIN, EXIF, segment(0xEF, pickle.dumps({'a': [[1.5, 2.5]], 'b': 'x'}, 3)))
    heads = [small[:700], VALID['fill bytes'][:60], VALID['segments of others'][:200], PLAIN[:160]]
    tally = {}
    start = time.time()
    for _ in range(100000):
        data = bytearray(choice.choice(heads))
        for _ in range(choice.choice((1, 1, 2, 5))):
            at = choice.randrange(len(data) + 1)
            kind = choice.randrange(4)
            if kind == 0:
                data[at:at + 1] = bytes([choice.randrange(256)])
            elif kind == 1:
                data[at:at + choice.randrange(5)] = b''
            elif kind == 2:
                data[at:at] = choice.choice((b'\xff', b'\xff\xef', b'\xff\xc0', b'\xff\xd9', b'\x00\x02'))
            else:
                del data[max(at, 2):]
        try:
            shape, found = dfl_jpeg.parse(bytes(data), 'mutant')
        except (dfl_jpeg.NotJpegError, safe_pickle.UnsafePickleError) as error:
            ending = type(error).__name__
        else:
            assert type(found) is dict and (shape is None or len(shape) == 3)
            ending = 'shape' if shape else 'no shape'
        tally[ending] = tally.get(ending, 0) + 1
    assert min(tally.values()) > 500 and len(tally) == 4, tally
    assert time.time() - start < 60
