"""The face class that stock's modules use, on its own and with a stand-in for stock's polygon class."""
import errno
import glob
import os
import shutil
import subprocess
import sys
import types

import cv2
import numpy as np
import pickle_attacks
import pytest
from plain_data import same

from accel import dfl_jpeg, files, host
from DFLIMG import DFLIMG, DFLJPG

TESTS = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(os.path.dirname(TESTS), 'DeepFaceLab')
GOLDEN = sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg')))
WITH_MASK = os.path.join(TESTS, 'data', 'sort', 'aligned', '00000_0.jpg')
EVAL = pickle_attacks.ATTACKS['code_by_name: builtins.eval']
WITHOUT_DATA = os.path.join(TESTS, 'data', 'sort', 'aligned', '00006_0.jpg')


@pytest.fixture
def face(tmp_path):
    """A golden face, loaded from a file that may be changed."""
    path = tmp_path / 'лицо.jpg'
    shutil.copyfile(WITH_MASK, str(path))
    return DFLIMG.load(path)


def reloaded(face):
    """What another program sees after a save."""
    return DFLJPG.load(face.filename)


@pytest.mark.parametrize('path', GOLDEN, ids=os.path.basename)
def test_golden_faces(path):
    with open(path, 'rb') as file:
        data = file.read()
    ref = dfl_jpeg.parse(data, path)
    face = DFLJPG.load(path)
    assert face.get_shape() == face.shape == ref.shape and face.get_height() == ref.shape[0]
    assert same(face.get_dict(), ref.data) and face.has_data() == bool(ref.data)
    assert (face.data, face.length) == (data, len(data))
    assert np.array_equal(face.get_img(), cv2.imread(path))
    if face.has_data():
        assert face.dump() == data
        assert face.get_landmarks().shape == face.get_source_landmarks().shape == (68, 2)


@pytest.mark.parametrize('suffix', ['.jpg', '.JPG', '.jpeg', '.JPEG', '.Jpg'])
def test_suffixes_of_jpegs(tmp_path, suffix):
    path = tmp_path / ('a' + suffix)
    shutil.copyfile(WITH_MASK, str(path))
    for name in (path, str(path)):
        assert DFLIMG.load(name).has_data()


@pytest.mark.parametrize('name', ['a.png', 'a', 'jpg', 'a.jpg.txt', 'a.tif'])
def test_other_suffixes(tmp_path, name):
    shutil.copyfile(WITH_MASK, str(tmp_path / name))
    assert DFLIMG.load(tmp_path / name) is None


def test_a_file_without_metadata():
    face = DFLJPG.load(WITHOUT_DATA)
    assert face.get_dict() == {} and not face.has_data() and face.shape is not None
    assert face.get_source_filename() is None and face.get_source_rect() is None
    assert face.get_face_type() == 'full_face' and face.get_eyebrows_expand_mod() == 1.0
    assert face.get_image_to_face_mat() is None and face.get_xseg_mask() is None
    assert not face.has_xseg_mask() and not face.has_seg_ie_polys()


@pytest.mark.parametrize('content, reason', [
    (b'', 'not a valid JPG'), (b'\x89PNG', 'not a valid JPG'), (None, 'cannot be read'),
    (b'\xff\xd8\xff\xef' + (len(EVAL) + 2).to_bytes(2, 'big') + EVAL + b'\xff\xd9', 'builtins.eval')],
    ids=['empty', 'png', 'missing', 'unsafe'])
def test_what_cannot_be_used_is_none_and_one_line(tmp_path, capsys, content, reason):
    path = tmp_path / 'лицо.jpg'
    if content is not None:
        path.write_bytes(content)
    assert DFLIMG.load(path) is None
    out = capsys.readouterr().out
    assert out.startswith(host.ERROR_PREFIX + str(path)) and reason in out and out.count('\n') == 1


def test_bytes_from_a_function(capsys):
    with open(WITH_MASK, 'rb') as file:
        data = file.read()
    asked = []
    face = DFLIMG.load('in a pak.jpg', loader_func=lambda name: asked.append(name) or bytearray(data))
    assert asked == ['in a pak.jpg'] and face.has_data() and face.dump() == data

    def broken(name):
        raise KeyError('nothing here')
    assert DFLIMG.load('in a pak.jpg', loader_func=broken) is None
    assert 'nothing here' in capsys.readouterr().out


def test_load_raw(tmp_path):
    face = DFLJPG.load_raw(WITH_MASK)
    assert face.length == os.path.getsize(WITH_MASK) and face.dfl_dict is None and face.shape is None
    with pytest.raises(FileNotFoundError, match='missing'):
        DFLJPG.load_raw(str(tmp_path / 'missing.jpg'))


def test_every_value_survives_a_save(face):
    landmarks = np.arange(136.0).reshape(68, 2)
    face.set_face_type('head')
    face.set_landmarks(landmarks)
    face.set_eyebrows_expand_mod(1.5)
    face.set_source_filename('кадр.png')
    face.set_source_rect([1, 2, 3, 4])
    face.set_source_landmarks((landmarks + 0.5).tolist())
    face.set_image_to_face_mat(np.eye(2, 3))
    face.save()
    comp = reloaded(face)
    assert same(comp.get_dict(), face.get_dict())
    assert comp.get_face_type() == 'head' and comp.get_eyebrows_expand_mod() == 1.5
    assert np.array_equal(comp.get_landmarks(), landmarks)
    assert np.array_equal(comp.get_source_landmarks(), landmarks + 0.5)
    assert comp.get_source_filename() == 'кадр.png' and comp.get_source_rect() == [1, 2, 3, 4]
    assert np.array_equal(comp.get_image_to_face_mat(), np.eye(2, 3))
    assert np.array_equal(comp.get_img(), cv2.imread(WITH_MASK))


def test_values_of_none_are_dropped(face):
    face.set_source_filename(None)
    face.set_xseg_mask(None)
    face.set_seg_ie_polys(None)
    face.save()
    assert not {'source_filename', 'xseg_mask', 'seg_ie_polys'} & set(face.get_dict())
    assert same(reloaded(face).get_dict(), face.get_dict())


def test_another_dict(face):
    face.set_dict({'face_type': 'half_face'})
    face.save()
    assert reloaded(face).get_dict() == {'face_type': 'half_face'}


def test_saving_twice_changes_nothing_more(face):
    first = face.dump()
    assert face.dump() == first and face.length == len(first)


def test_a_small_mask_is_a_png(face):
    mask = np.zeros((64, 64), np.float32)
    mask[10:50, 20:40] = 0.5
    for given in (mask, mask[..., None], np.dstack([mask, mask * 0, mask * 0])):
        face.set_xseg_mask(given)
        assert face.get_xseg_mask_compressed().tobytes().startswith(b'\x89PNG')
        comp = face.get_xseg_mask()
        assert comp.dtype == np.float32 and comp.shape == (64, 64, 1)
        assert np.array_equal(comp[..., 0], np.where(mask > 0, np.float32(127 / 255.0), np.float32(0)))
    assert face.has_xseg_mask()


def test_a_large_mask_is_the_best_jpg_that_fits(face):
    mask = np.random.RandomState(1).rand(256, 256).astype(np.float32)
    face.set_xseg_mask(mask * 3 - 1)
    buffer = face.get_xseg_mask_compressed()
    assert buffer.tobytes().startswith(b'\xff\xd8') and 40000 < len(buffer) <= 50000
    pixels = np.clip((mask * 3 - 1)[..., None] * 255, 0, 255).astype(np.uint8)
    sizes = [len(cv2.imencode('.jpg', pixels, [int(cv2.IMWRITE_JPEG_QUALITY), quality])[1])
             for quality in range(101)]
    assert len(buffer) == max(size for size in sizes if size <= 50000)
    face.save()
    assert reloaded(face).get_xseg_mask().shape == (256, 256, 1)


def test_a_mask_of_wrong_dimensions(face):
    with pytest.raises(ValueError, match='dimensions'):
        face.set_xseg_mask(np.zeros((1, 2, 3, 4), np.float32))


@pytest.mark.parametrize('broken', [np.zeros(20, np.uint8), np.zeros(0, np.uint8)])
def test_a_damaged_mask_is_named(face, broken):
    face.get_dict()['xseg_mask'] = broken
    with pytest.raises(ValueError, match='лицо.jpg.*mask'):
        face.get_xseg_mask()


class Polys:
    """Stands in for stock's SegIEPolys."""

    def __init__(self, polys=()):
        self.polys = list(polys)

    def has_polys(self):
        return bool(self.polys)

    def dump(self):
        return {'polys': self.polys}

    @staticmethod
    def load(data):
        return Polys(data['polys'])


def test_polygons(face, monkeypatch):
    imagelib = types.ModuleType('core.imagelib')
    imagelib.SegIEPolys = Polys
    monkeypatch.setitem(sys.modules, 'core', types.ModuleType('core'))
    monkeypatch.setitem(sys.modules, 'core.imagelib', imagelib)
    assert face.get_seg_ie_polys().polys == []
    polys = [{'type': 1, 'pts': np.float32([[1, 2], [3, 4]])}]
    face.set_seg_ie_polys(Polys(polys))
    face.save()
    comp = reloaded(face)
    assert comp.has_seg_ie_polys() and same(comp.get_seg_ie_polys().polys, polys)
    with pytest.raises(ValueError, match='SegIEPolys'):
        face.set_seg_ie_polys(polys)
    face.set_seg_ie_polys(Polys())
    assert not face.has_seg_ie_polys()


def test_a_failed_save_leaves_the_file(face, monkeypatch):
    with open(face.filename, 'rb') as file:
        old = file.read()

    def full_disk(path, data, **options):
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(files, 'write_atomic', full_disk)
    face.set_face_type('head')
    with pytest.raises(host.UserError, match='лицо.jpg cannot be saved .No space left.*free space'):
        face.save()
    with open(face.filename, 'rb') as file:
        assert file.read() == old


@pytest.mark.parametrize('value, error', [
    (bytes(70000), 'Remove its XSeg mask'), (object(), 'cannot be stored')])
def test_what_cannot_be_stored_leaves_the_file(face, value, error):
    with open(face.filename, 'rb') as file:
        old = file.read()
    face.get_dict()['value'] = value
    with pytest.raises(ValueError, match=error):
        face.save()
    with open(face.filename, 'rb') as file:
        assert file.read() == old


def test_shape_of_a_picture_that_has_none_in_its_head(face, capsys):
    face.shape = None
    assert face.get_height() == 0
    assert face.get_shape() == (192, 192, 3)
    os.remove(face.filename)
    face.shape = face.img = None
    assert face.get_shape() is None and 'cannot be read' in capsys.readouterr().out


def test_loading_needs_neither_cv2_nor_stock():
    code = ('import sys; sys.path.insert(0, {!r}); from DFLIMG import *; face = DFLJPG.load({!r}); '
            'face.dump(); print(face.has_data(), sorted({{"cv2", "core", "facelib"}} & set(sys.modules)))'
            ).format(PROGRAM, WITH_MASK)
    assert subprocess.check_output([sys.executable, '-c', code]).decode().strip() == 'True []'
