"""Objects in pickle streams: those of allowed classes are read as inert records, everything else is refused."""
import enum
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tracemalloc
import types

import numpy as np
import pickle_attacks
import pytest
import record_attacks
from plain_data import same
from record_attacks import INFO, RECORDS

from accel import safe_pickle

TESTS = os.path.dirname(os.path.abspath(__file__))
ENUMS = [('facelib.FaceType', 'FaceType')]
PROTOCOLS = range(3, pickle.HIGHEST_PROTOCOL + 1)


class FaceType(enum.IntEnum):
    WHOLE_FACE = 4


class FrameInfo:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class InteractiveMergerSubprocessor:
    class Frame(FrameInfo):
        pass


InteractiveMergerSubprocessor.Frame.__qualname__ = 'InteractiveMergerSubprocessor.Frame'


@pytest.fixture
def stock_names(monkeypatch):
    """Let the classes above be pickled by the names that stock's have."""
    for home, kind in ((ENUMS[0][0], FaceType), (RECORDS[1][0], FrameInfo),
                       (RECORDS[0][0], InteractiveMergerSubprocessor)):
        module = types.ModuleType(home)
        setattr(module, kind.__name__, kind)
        monkeypatch.setattr(kind, '__module__', home)
        monkeypatch.setitem(sys.modules, home.split('.')[0], types.ModuleType('package'))
        monkeypatch.setitem(sys.modules, home, module)
    monkeypatch.setattr(InteractiveMergerSubprocessor.Frame, '__module__', RECORDS[0][0])


def session(count):
    """Frames as in stock's session: objects in objects, paths, arrays, enums, parts that are used twice."""
    frames, shared = [], {0: 'None', 1: 'box'}
    for number in range(count):
        info = FrameInfo(filepath=pathlib.PurePosixPath('/home/user/{:05d}.png'.format(number)), motion_power=0,
                         landmarks_list=[np.arange(136.0).reshape(68, 2) + number] if number % 3 else [])
        frame = InteractiveMergerSubprocessor.Frame(frame_info=info, idx=number, cfg=FrameInfo(
            face_type=FaceType.WHOLE_FACE, sharpen_dict=shared, erode=np.int64(number), mode='overlay'))
        frames.append(frame)
    return {'frames': frames, 'frames_idxs': list(range(count)), 'model_iter': 7}


def load(stream, records=RECORDS + (('pathlib', 'PurePosixPath'), ('pathlib._local', 'PurePosixPath'))):
    return safe_pickle.loads(stream, 'session.dat', ENUMS, records)


def plain(value):
    """The objects and records in a value as tuples of their class's name and attributes."""
    if isinstance(value, safe_pickle.Record):
        if value.name == 'PurePosixPath':
            return 'PurePosixPath', str(pathlib.PurePosixPath(*value.arguments))
        assert value.arguments == ()
        return value.module, value.name, plain(value.state)
    if isinstance(value, pathlib.PurePath):
        return 'PurePosixPath', str(value)
    if isinstance(value, FrameInfo):
        return type(value).__module__, type(value).__qualname__, plain(value.__dict__)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, FaceType) else value


# --- reading what is in order ---

@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_objects_of_every_protocol(protocol, stock_names):
    for count in (0, 1, 2, 40, 300):
        value = session(count)
        assert same(plain(load(pickle.dumps(value, protocol))), plain(value)), count


def test_protocol_2_without_arrays(stock_names):
    value = InteractiveMergerSubprocessor.Frame(idx=3, cfg=FrameInfo(mode='overlay'))
    stream = pickle.dumps(value, 2)
    assert b'__builtin__' in stream
    assert plain(load(stream)) == plain(value)


def test_objects_without_attributes_and_with_none(stock_names):
    assert load(pickle.dumps(FrameInfo(), 3)).state == {}
    record = load(b'\x80\x03' + INFO + b')\x81}b.')
    assert (record.module, record.name, record.arguments, record.state) == RECORDS[1] + ((), {})


def test_arguments_are_kept():
    record = load(b'\x80\x03' + INFO + b'K\x05K\x06\x86R.')
    assert record.arguments == (5, 6) and record.state == {}


def test_an_object_that_is_used_twice_is_one():
    first, second = load(b'\x80\x03](' + INFO + b')\x81q\x00h\x00e.')
    assert first is second


def test_a_state_is_a_new_dict_each_time(stock_names):
    record = load(pickle.dumps(FrameInfo(a=1), 3))
    record.state['b'] = 2
    assert record.state == {'a': 1}


def test_32_levels_are_read_and_33_are_not(stock_names):
    value = FrameInfo(a=1)
    for _ in range(31):
        value = FrameInfo(a=value)
    stream = pickle.dumps(value, 3)
    assert plain(load(stream)) == plain(value)
    with pytest.raises(safe_pickle.UnsafePickleError, match='deep'):
        load(pickle.dumps([value], 3))


@pytest.mark.parametrize('protocol, share', [(3, 0), (4, 0), (3, 1), (4, 1)])
def test_a_film_in_which_hardly_anybody_is_seen_is_not_too_large(protocol, share, stock_names):
    # stock's attributes; `share` of the frames have settings, one in 20 has a face
    erode, count = np.int64(5), 6000
    frames = []
    for number in range(count):
        info = FrameInfo(filepath=pathlib.PurePosixPath('/home/user/video/data_dst/{:05d}.png'.format(number)),
                         landmarks_list=[np.random.rand(68, 2)] if number % 20 == 0 else [], motion_deg=0,
                         motion_power=0)
        settings = dict.fromkeys('type blursharpen_amount hist_match_threshold mask_mode blur_mask_modifier '
                                 'motion_blur_power output_face_scale super_resolution_power color_transfer_mode '
                                 'image_denoise_power bicubic_degrade_power color_degrade_power'.split(), 5)
        settings.update(sharpen_dict={0: 'None', 1: 'box', 2: 'gaussian'}, face_type=FaceType.WHOLE_FACE,
                        default_mode='overlay', mode='overlay', masked_hist_match=True, erode_mask_modifier=erode)
        frames.append(InteractiveMergerSubprocessor.Frame(
            prev_temporal_frame_infos=None, frame_info=info, next_temporal_frame_infos=None, output_filepath=None,
            output_mask_filepath=None, idx=number, cfg=FrameInfo(**settings) if number < count * share else None,
            is_done=True, is_processing=False, is_shown=True, image=None))
    stream = pickle.dumps({'frames': frames, 'frames_idxs': list(range(count))}, protocol)
    assert len(load(stream)['frames']) == count


def test_without_records_no_object_is_read(stock_names):
    for stream in (pickle.dumps(session(1), 3), b'\x80\x03' + INFO + b')\x81.'):
        with pytest.raises(safe_pickle.UnsafePickleError):
            safe_pickle.loads(stream, 'x', ENUMS)


# --- refusing the rest ---

@pytest.mark.parametrize('title', sorted(record_attacks.ATTACKS))
def test_attack(title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(safe_pickle.UnsafePickleError) as caught:
        load(record_attacks.ATTACKS[title])
    assert caught.value.reason and len(str(caught.value)) < 250
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('title', sorted(set(pickle_attacks.ATTACKS) - {'code_by_name: pathlib.Path'}))
def test_attacks_without_objects(title):
    with pytest.raises(safe_pickle.UnsafePickleError):
        load(pickle_attacks.ATTACKS[title])


def test_streams_of_attacks_are_refused_for_what_they_show():
    # The opcodes that the attacks are made of are in order by themselves.
    record = load(b'\x80\x03' + record_attacks.nested('Frame') + b')\x81' + record_attacks.attribute(b'K\x05') + b'b.')
    assert (record.name, record.state) == ('InteractiveMergerSubprocessor.Frame', {'a': 5})
    record = load(b'\x80\x04' + pickle_attacks.stack_name(*record_attacks.FRAME) + b')\x81.')
    assert record.name == 'InteractiveMergerSubprocessor.Frame'


def test_every_cut_is_refused(stock_names):
    for protocol in PROTOCOLS:
        stream = pickle.dumps(session(2), protocol)
        for end in range(0, len(stream), 3):
            with pytest.raises(safe_pickle.UnsafePickleError):
                load(stream[:end])


def test_storm_of_mutants():
    environment = dict(os.environ, OPENBLAS_NUM_THREADS='1')  # its threads reserve address space
    words = [sys.executable, os.path.join(TESTS, 'record_storm.py'), '4000', '20220301']
    result = json.loads(subprocess.check_output(words, env=environment).decode())
    assert result['events'] == []
    assert result['read'] > 400 and result['read'] + result['refused'] == 4000 + len(record_attacks.ATTACKS)


LONG = 'n' * 37
NAMES = b''.join(pickle_attacks.short_text('{:02d}'.format(i)) + b'\x94' for i in range(22))
ATTRIBUTES = b''.join(b'h' + bytes([i]) + b'N' for i in range(22))
SWELLING = {  # about 300 KB each, of what takes much memory for its bytes; index 100 is a class
    'objects': b')\x81h\x64' * 75000 + b')\x81',
    'called objects': b')Rh\x64' * 75000 + b')R',
    'objects with no attributes': b')\x81}bh\x64' * 50000 + b')\x81',
    'objects with one attribute': b')\x81}h\x00Nsbh\x64' * 30000 + b')\x81',
    'objects with 22 attributes': (b')\x81}(' + ATTRIBUTES + b'ubh\x64') * 4000 + b')\x81',
    'dicts in the memo': (b')\x81}\x94(' + ATTRIBUTES + b'ubh\x64') * 4000 + b')\x81',
    'dicts that are filled and not used': b')\x81' + (b'}(' + ATTRIBUTES + b'u') * 4000,
    'objects with arguments': b'N\x85\x81h\x64' * 60000 + b')\x81',
    'objects with new names': b''.join(b')\x81}' + pickle_attacks.short_text('{:05d}'.format(i)) + b'Nsbh\x64'
                                       for i in range(18000)) + b')\x81',
    'objects with long new names': b''.join(b')\x81}' + pickle_attacks.short_text(LONG + '{:05d}'.format(i))
                                            + b'Nsbh\x64' for i in range(5500)) + b')\x81',
    'texts again and again': b')\x81' + b'h\x00' * 150000,
    'objects in the memo': b')\x81\x94h\x64' * 60000 + b')\x81',
    'lists as attributes': b')\x81}h\x00]sbh\x64' * 30000 + b')\x81',
    'objects, then lists': (b')\x81}(' + ATTRIBUTES + b'ubh\x64') * 2000 + b')\x81' + b']' * 150000,
    'objects, then the memo': (b')\x81}(' + ATTRIBUTES + b'ubh\x64') * 2000 + b')\x81' + b'\x94' * 150000,
}


@pytest.mark.shared_out
@pytest.mark.parametrize('title', sorted(SWELLING))
def test_memory_stays_below_16_times_the_stream_and_a_megabyte(title):
    stream = (b'\x80\x04(' + NAMES + b'N\x94' * 78 + INFO + b'\x94' + SWELLING[title] + b't.')
    tracemalloc.start()
    try:
        load(stream)
    except safe_pickle.UnsafePickleError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= 16 * len(stream) + (1 << 20)


def test_what_swells_is_in_order_while_it_is_small():
    for title, part in SWELLING.items():
        begin = b'\x80\x04(' + NAMES + b'N\x94' * 78 + INFO + b'\x94'
        unit = part[:part.index(b'h\x64') + 2] if b'h\x64' in part else part[:200]
        if not title.startswith(('dicts that', 'texts')):
            assert load(begin + unit + b')\x81t.')[-1].name == 'FrameInfo', title


def test_records_cannot_be_written(stock_names):
    with pytest.raises(ValueError, match='Record'):
        safe_pickle.dumps([load(pickle.dumps(FrameInfo(), 3))])


def test_length_of_numbers_in_a_stream_is_checked_first():
    with pytest.raises(safe_pickle.UnsafePickleError, match='beyond its end'):
        load(b'\x80\x03' + INFO + b')\x81}X' + struct.pack('<I', 1 << 31) + b'a')
