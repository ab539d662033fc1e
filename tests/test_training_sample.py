"""Sample and SampleLoader by stock's names: what a trainer gets of a face, and of a folder."""
import multiprocessing
import os
import pickle
import shutil
import struct

import cv2
import numpy as np
import pytest
import training_faces as make
from naive import landmarks as naive_landmarks
from naive import loading as naive

from accel import faceset, host
from samplelib.Sample import Sample, SampleType
from samplelib.SampleLoader import SampleLoader

TESTS = os.path.dirname(os.path.abspath(__file__))
STOCK_PAK = os.path.join(TESTS, 'data', 'faceset_stock.pak')


@pytest.fixture(autouse=True)
def nothing_is_loaded_yet():
    SampleLoader.samples_cache.clear()
    yield
    SampleLoader.samples_cache.clear()


def same_pictures(a, b):
    return a.dtype == b.dtype == np.float32 and a.shape == b.shape and a.tobytes() == b.tobytes()


# --- Sample ----------------------------------------------------------------------------------

def test_types_are_stocks():
    assert [(member.name, int(member)) for member in SampleType] == [
        ('IMAGE', 0), ('FACE_BEGIN', 1), ('FACE_PERSON', 2), ('FACE_TEMPORAL_SORTED', 3), ('QTY', 4)]
    assert SampleType.FACE == 1 and SampleType.FACE_END == 3


def test_a_sample_of_nothing():
    sample = Sample()
    assert sample.sample_type is SampleType.IMAGE and sample.eyebrows_expand_mod == 1.0
    for name in ('filename', 'face_type', 'shape', 'landmarks', 'xseg_mask', 'xseg_mask_compressed', 'source_filename',
                 'person_name', 'pitch_yaw_roll'):
        assert getattr(sample, name) is None
    assert not sample.has_xseg_mask() and sample.get_xseg_mask() is None


@pytest.mark.parametrize('image, extension', [
    (make.picture(1), '.jpg'), (make.picture(2), '.png'), (make.picture(3)[..., 0], '.jpg'),
    (np.dstack([make.picture(4), make.picture(5)[..., :1]]), '.png'),
    (make.picture(6).astype(np.uint16) * 257 + 3, '.png'), (np.arange(768, dtype=np.uint16).reshape(16, 48), '.png')])
def test_pictures_are_equal_to_the_bit(tmp_path, image, extension):
    path = str(tmp_path / ('лицо' + extension))
    cv2.imencode(extension, image)[1].tofile(path)
    assert same_pictures(Sample(filename=path).load_bgr(), naive.load_bgr(path))


def test_all_levels_are_equal_to_the_bit(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = str(tmp_path / 'levels.png')
    cv2.imwrite(path, levels)
    assert same_pictures(Sample(filename=path).load_bgr(), levels.astype(np.float32) / 255.0)


def test_a_packed_picture(tmp_path):
    pak, data = tmp_path / 'faceset.pak', make.face(make.metadata())
    pak.write_bytes(b'before' + data + b'behind')
    sample = Sample(filename='a.jpg')
    sample.set_filename_offset_size(str(pak), 6, len(data))
    assert sample.read_raw_file() == sample.read_raw_file('other') == data
    (tmp_path / 'a.jpg').write_bytes(data)
    assert same_pictures(sample.load_bgr(), naive.load_bgr(tmp_path / 'a.jpg'))
    pak.write_bytes(b'before' + data[:-1])
    with pytest.raises(host.UserError, match='a.jpg'):
        sample.load_bgr()


def test_what_cannot_be_read_is_an_error_with_its_name(tmp_path):
    for name, data in (('damaged.jpg', b'\xff\xd8 no picture'), ('empty.jpg', b''), ('missing.jpg', None)):
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(host.UserError, match=name):
            Sample(filename=str(path)).load_bgr()
    with pytest.raises(host.UserError, match='f.jpg'):
        Sample(filename='f.jpg', xseg_mask_compressed=np.zeros(30, np.uint8)).get_xseg_mask()


def test_masks():
    encoded = make.mask(1)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)[..., None].astype(np.float32) / 255.0
    for mask in (encoded, encoded.reshape(-1)):
        sample = Sample(xseg_mask_compressed=mask)
        assert sample.has_xseg_mask() and same_pictures(sample.get_xseg_mask(), decoded)
        sample.get_xseg_mask()[:] = 0    # stock's generators change it
        assert same_pictures(sample.get_xseg_mask(), decoded)
    colour = Sample(xseg_mask_compressed=cv2.imencode('.png', make.picture())[1])
    assert colour.get_xseg_mask().shape == (64, 64, 3)


@pytest.mark.parametrize('shape', [(9, 7), (9, 7, 1), (9, 7, 3)])
def test_a_mask_as_it_is_becomes_a_compressed_one(shape):
    mask = (np.random.RandomState(0).rand(*shape) * 1.4 - .2).astype(np.float32)
    sample = Sample(xseg_mask=mask)
    assert sample.xseg_mask is None and sample.has_xseg_mask()
    one = mask.reshape(9, 7, -1)[..., :1]
    assert np.array_equal(sample.get_xseg_mask() * 255, np.clip(one * 255, 0, 255).astype(np.uint8))
    both = Sample(xseg_mask=mask, xseg_mask_compressed=make.mask())
    assert both.xseg_mask is mask and np.array_equal(both.xseg_mask_compressed, make.mask())


def test_pose_is_estimated_once():
    landmarks = make.metadata()['landmarks']
    sample = Sample(landmarks=landmarks, shape=(80, 64, 3))
    pose = sample.get_pitch_yaw_roll()
    assert np.allclose(pose, naive_landmarks.estimate_pitch_yaw_roll(landmarks, 64), atol=1e-6)
    assert sample.get_pitch_yaw_roll() is pose
    assert Sample(pitch_yaw_roll=(1, 2, 3)).get_pitch_yaw_roll() == (1, 2, 3)


def test_config_and_back():
    given = dict(sample_type=SampleType.FACE, filename='a.jpg', face_type=4, shape=(64, 64, 3),
                 landmarks=make.metadata()['landmarks'], seg_ie_polys=make.polygons(3),
                 xseg_mask_compressed=make.mask(), eyebrows_expand_mod=1.5, source_filename='f.png', person_name='p')
    config = Sample(**given).get_config()
    assert list(config) == ['sample_type', 'filename', 'face_type', 'shape', 'landmarks', 'seg_ie_polys', 'xseg_mask',
                            'xseg_mask_compressed', 'eyebrows_expand_mod', 'source_filename', 'person_name']
    for name, value in config.items():
        if name not in ('seg_ie_polys', 'xseg_mask', 'xseg_mask_compressed'):
            assert value == given[name] and type(value) is type(given[name])
    polygons = [(one['type'], one['pts'].tolist(), one['pts'].dtype) for one in config['seg_ie_polys']['polys']]
    assert polygons == [(kind, points.tolist(), np.float32) for kind, points in naive.sorted_polygons(make.polygons(3))]
    again = Sample(**dict(config, unknown=1)).get_config()
    assert repr(again) == repr(config)
    assert Sample(landmarks=[[1, 2]]).get_config()['seg_ie_polys'] == {'polys': []}


def test_samples_can_be_pickled():
    sample = Sample(sample_type=1, filename='a', landmarks=[[1, 2]], seg_ie_polys=make.polygons(),
                    xseg_mask_compressed=make.mask())
    sample.set_filename_offset_size('p', 3, 4)
    for protocol in (2, 3, 4):
        copy = pickle.loads(pickle.dumps(sample, protocol))
        assert repr(copy.get_config()) == repr(sample.get_config()) and copy._filename_offset_size == ('p', 3, 4)


# --- SampleLoader ----------------------------------------------------------------------------

def test_faces_of_a_folder(tmp_path):
    paths = make.write(tmp_path, 4, xseg_mask=make.mask(), eyebrows_expand_mod=1.25)
    samples = SampleLoader.load(SampleType.FACE, tmp_path)
    assert SampleLoader.load(SampleType.FACE, tmp_path) is samples and len(samples) == 4
    assert list(SampleLoader.samples_cache) == [str(tmp_path)]
    assert SampleLoader.samples_cache[str(tmp_path)][SampleType.FACE] is samples
    for sample, path in zip(samples, paths):
        expected = naive.load(path)
        assert type(sample) is Sample and sample.sample_type is SampleType.FACE and sample.person_name is None
        for name in ('filename', 'face_type', 'shape', 'eyebrows_expand_mod', 'source_filename'):
            assert getattr(sample, name) == expected[name]
        assert np.array_equal(sample.landmarks, expected['landmarks'])
        assert np.array_equal(sample.xseg_mask_compressed, expected['mask'])
        assert same_pictures(sample.load_bgr(), naive.load_bgr(path))


def test_faces_of_a_pak(tmp_path, capsys):
    shutil.copyfile(STOCK_PAK, str(tmp_path / 'faceset.pak'))
    index = faceset.read_index(STOCK_PAK)
    samples = SampleLoader.load(SampleType.FACE, tmp_path)
    assert 'Loaded {} packed faces from'.format(len(index.configs)) in capsys.readouterr().out
    assert len(samples) == len(index.configs)
    for number, sample in enumerate(samples):
        data = faceset.read_item(index, number)
        assert sample.filename == index.configs[number]['filename'] and sample.read_raw_file() == data
        assert np.array_equal(sample.landmarks, index.configs[number]['landmarks'])
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).astype(np.float32) / 255.0
        assert same_pictures(sample.load_bgr(), expected)


def test_a_damaged_pak_stops_the_training(tmp_path):
    make.write(tmp_path)
    (tmp_path / 'faceset.pak').write_bytes(b'damaged')
    with pytest.raises(host.UserError, match='faceset.pak'):
        SampleLoader.load(SampleType.FACE, tmp_path)


def test_nothing_there(tmp_path):
    for place in (tmp_path, tmp_path / 'missing'):
        assert len(SampleLoader.load(SampleType.FACE, place)) == 0
        assert SampleLoader.load(SampleType.IMAGE, place) == []
        assert len(SampleLoader.load(SampleType.FACE_TEMPORAL_SORTED, place)) == 0
        assert SampleLoader.load(SampleType.FACE_PERSON, place) is None


def test_pictures_of_a_folder(tmp_path):
    (tmp_path / 'below').mkdir()
    for name in ('b.png', 'a.jpg', 'c.txt', 'below/d.tif'):
        (tmp_path / name).write_bytes(b'')
    images = SampleLoader.load(SampleType.IMAGE, tmp_path, subdirs=True)
    assert type(images) is list
    assert [(one.filename, one.sample_type) for one in images] == [
        (path, SampleType.IMAGE) for path in naive.image_paths(tmp_path, True)]
    assert len(images) == 3 and SampleLoader.load(SampleType.IMAGE, tmp_path) is images


def test_frames_in_their_order(tmp_path):
    tmp_path.joinpath('faces').mkdir()
    sources = ['c.png', 'a.png', None, 'b.png', 'a.png']
    for number, source in enumerate(sources):
        path = tmp_path / 'faces' / '{}.jpg'.format(number)
        path.write_bytes(make.face(make.metadata(number, source_filename=source)))
    samples = SampleLoader.load(SampleType.FACE_TEMPORAL_SORTED, tmp_path / 'faces')
    order = [2, 1, 4, 3, 0]
    assert [os.path.basename(sample.filename) for sample in samples] == ['{}.jpg'.format(number) for number in order]
    by_name = list(SampleLoader.load(SampleType.FACE, tmp_path / 'faces'))
    as_list = SampleLoader.upgradeToFaceTemporalSortedSamples(by_name)
    assert [sample.filename for sample in as_list] == [sample.filename for sample in samples]


def test_samples_of_some_files(tmp_path):
    paths = make.write(tmp_path, 3)
    samples = SampleLoader.load_face_samples(paths[::-1])
    assert type(samples) is list and [sample.filename for sample in samples] == paths[::-1]
    samples[0].filename, samples[0].person_name = 'other', 'p'    # stock's packer does so
    assert samples[0].get_config()['filename'] == 'other'


def test_how_many_persons(tmp_path):
    with pytest.raises(ValueError):
        SampleLoader.get_person_id_max_count(tmp_path)
    for persons in (['a', 'b', 'a'], [None, None], [None, 'a'], []):
        listed = pickle.dumps([{'filename': 'f', 'person_name': person} for person in persons], 4)
        head = struct.pack('<QQ', 1, len(listed))
        (tmp_path / 'faceset.pak').write_bytes(head + listed + bytes(8 * len(persons) + 8))
        assert SampleLoader.get_person_id_max_count(tmp_path) == len(set(persons))


def tell(samples, pipe):
    pipe.send([(sample.filename, sample.load_bgr().sum(), sample.get_xseg_mask().sum()) for sample in samples])


def test_another_process_loads_them(tmp_path):
    for name in ('a', 'b'):
        make.write(tmp_path / name, 2, xseg_mask=make.mask())
    samples = sum([SampleLoader.load(SampleType.FACE, tmp_path / name) for name in ('a', 'b', 'a')])
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=tell, args=(samples, there))
    process.start()
    there.close()
    assert here.poll(60)
    told = here.recv()
    process.join(60)
    assert told == [(sample.filename, sample.load_bgr().sum(), sample.get_xseg_mask().sum()) for sample in samples]
    assert len(told) == 6
