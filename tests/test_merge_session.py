"""The session of a merge on disk: what was saved is read again, damage is refused, a kill loses nothing."""
import io
import json
import os
import pickle
import random
import subprocess
import sys
import time

import numpy as np
import pickle_attacks
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel import files
from accel.merge import session as sessions
from accel.merge.session import FrameState, Session, SessionError
from accel.merge.settings import MODES, Settings

TESTS = os.path.dirname(os.path.abspath(__file__))
STOCK = os.path.join(TESTS, 'data', 'merge_session_stock.dat')

BASE = Settings(face_type=4, mode='overlay', masked_hist_match=True, hist_match_threshold=238, mask_mode=4,
                erode_mask_modifier=0, blur_mask_modifier=0, motion_blur_power=0, output_face_scale=0,
                super_resolution_power=0, color_transfer_mode=1, image_denoise_power=0, bicubic_degrade_power=0,
                color_degrade_power=0, sharpen_mode=0, blursharpen_amount=0)


def some_session(count=6, position=2):
    """A session of frames of which the first `position` + 1 have settings and the first `position` are done."""
    frames = [FrameState('{:05d}.png'.format(number), number < position,
                         BASE._replace(erode_mask_modifier=5 * number) if number <= position else None)
              for number in range(count)]
    return Session(1234, 'png', 'abc', frames, list(range(position, count)), list(range(position)))


def saved(path, session):
    sessions.save(str(path), session).close()
    return str(path)


settings_strategy = st.builds(
    Settings, face_type=st.sampled_from([0, 1, 2, 4, 10]), mode=st.sampled_from(MODES), masked_hist_match=st.booleans(),
    hist_match_threshold=st.integers(0, 255), mask_mode=st.integers(0, 9), erode_mask_modifier=st.integers(-400, 400),
    blur_mask_modifier=st.integers(0, 400), motion_blur_power=st.integers(0, 100),
    output_face_scale=st.integers(-50, 50), super_resolution_power=st.integers(0, 100),
    color_transfer_mode=st.integers(0, 8), image_denoise_power=st.integers(0, 500),
    bicubic_degrade_power=st.integers(0, 100), color_degrade_power=st.integers(0, 100),
    sharpen_mode=st.integers(0, 2), blursharpen_amount=st.integers(-100, 100))
names_strategy = st.text(st.characters(blacklist_characters='/\\:\0'), min_size=1, max_size=9).filter(
    lambda name: name not in ('.', '..'))


@st.composite
def session_strategy(draw):
    choice = draw(st.lists(settings_strategy, min_size=1, max_size=4))
    frames = []
    for name in draw(st.lists(names_strategy | st.just('\udc80.png'), max_size=12)):
        settings = draw(st.sampled_from([None] + choice))
        frames.append(FrameState(name, settings is not None and draw(st.booleans()), settings))
    order = draw(st.permutations(range(len(frames)))) if draw(st.booleans()) else list(range(len(frames)))
    cut = draw(st.integers(0, len(frames)))
    return Session(draw(st.integers(0, 1 << 40)), draw(st.sampled_from(['png', 'jpg'])), draw(st.text(max_size=20)),
                   frames, list(order[cut:]), list(order[:cut]))


# --- our own -----------------------------------------------------------------------------------

@settings(max_examples=60)
@given(session=session_strategy())
def test_what_was_saved_is_read_again(tmp_path_factory, session):
    path = tmp_path_factory.getbasetemp() / 'session.json'
    assert sessions.load(saved(path, session)) == session
    assert all(type(value) in (int, bool, str) for frame in sessions.load(str(path)).frames if frame.settings
               for value in frame.settings)


def test_numbers_of_numpy_are_saved_as_plain_ones(tmp_path):
    settings = BASE._replace(erode_mask_modifier=np.int64(5), masked_hist_match=np.bool_(True))
    frames = [FrameState('a.png', True, settings)]
    read = sessions.load(saved(tmp_path / 's', Session(np.int64(7), 'jpg', '', frames, [], [0])))
    assert read.frames[0].settings == BASE._replace(erode_mask_modifier=5)
    assert type(read.frames[0].settings.erode_mask_modifier) is int and type(read.model_iter) is int


def test_a_frame_that_is_done_without_settings_is_saved_as_not_done(tmp_path):
    read = sessions.load(saved(tmp_path / 's', Session(1, 'png', '', [FrameState('a.png', True, None)], [0], [])))
    assert read.frames == [FrameState('a.png', False, None)]


def test_a_long_session_is_small_and_quick(tmp_path):
    session = some_session(60000, 40000)
    session = session._replace(frames=[
        frame._replace(settings=frame.settings and BASE._replace(motion_blur_power=number // 500))
        for number, frame in enumerate(session.frames)])
    begin = time.perf_counter()
    path = saved(tmp_path / 's', session)
    assert time.perf_counter() - begin < 2  # about 0.04 s
    assert os.path.getsize(path) < 16 * 60000
    assert sessions.load(path) == session


def test_a_save_that_fails_leaves_the_old_session_and_its_journal(tmp_path, monkeypatch):
    path = str(tmp_path / 's')
    journal = sessions.save(path, some_session())
    journal.done(2, BASE)
    journal.close()

    def full(*arguments):
        raise OSError(28, 'No space left on device')
    with monkeypatch.context() as patch:
        patch.setattr(files, 'write_atomic', full)
        with pytest.raises(OSError):
            sessions.save(path, some_session(3))
    assert sessions.load(path).frames[2] == FrameState('00002.png', True, BASE)


def test_remove(tmp_path):
    path = str(tmp_path / 's')
    journal = sessions.save(path, some_session())
    journal.begun(0)
    journal.close()
    assert len(os.listdir(str(tmp_path))) == 2
    sessions.remove(path)
    sessions.remove(path)
    assert os.listdir(str(tmp_path)) == []
    with pytest.raises(FileNotFoundError):
        sessions.load(path)


# --- the journal -------------------------------------------------------------------------------

def test_the_journal_goes_on_from_the_save(tmp_path):
    path, session, other = str(tmp_path / 's'), some_session(), BASE._replace(mode='seamless')
    journal = sessions.save(path, session)
    journal.begun(0)
    journal.done(2, BASE)
    journal.done(3, other)
    journal.done(4, BASE)
    journal.begun(4)
    journal.close()
    read = sessions.load(path)
    assert [frame.done for frame in read.frames] == [False, True, True, True, False, False]
    assert [frame.settings for frame in read.frames] == [session.frames[0].settings, session.frames[1].settings,
                                                         BASE, other, BASE, None]
    assert read._replace(frames=session.frames) == session
    # what has been read can be saved, and the next journal begins from there
    again = sessions.save(path, read)
    assert not os.path.exists(sessions.journal_path(path))
    again.done(5, other)
    again.close()
    assert sessions.load(path).frames == read.frames[:5] + [FrameState('00005.png', True, other)]


def test_a_line_of_the_journal_is_on_its_way_at_once(tmp_path):
    path = str(tmp_path / 's')
    journal = sessions.save(path, some_session())
    for index in range(6):
        journal.done(index, BASE)
        assert sessions.load(path).frames[index].done
    journal.close()


def test_a_line_that_the_disk_does_not_take_is_an_error_once(tmp_path, monkeypatch):
    path, session = str(tmp_path / 's'), some_session()

    class Full(io.BytesIO):
        def flush(self):
            raise OSError(28, 'No space left on device')

        def close(self):
            self.flush()

    journal = sessions.save(path, session)
    with monkeypatch.context() as patch:
        patch.setattr(sessions, 'open', lambda *arguments: Full(), raising=False)
        with pytest.raises(OSError):
            journal.done(2, BASE)
        journal.close()
    assert sessions.load(path) == session


def test_a_journal_of_another_save_counts_for_nothing(tmp_path):
    path, session = str(tmp_path / 's'), some_session()
    journal = sessions.save(path, session)
    journal.done(5, BASE)
    journal.close()
    old = files.read_bytes(sessions.journal_path(path))
    saved(path, session)
    for lines in (old, b'', b'\n', b'"x"\n[5, 0]\n', b'\x00' * 50, b'null\n[0, null]\n'):
        files.write_atomic(sessions.journal_path(path), lines)
        assert sessions.load(path) == session


def test_a_torn_journal_counts_up_to_the_tear(tmp_path):
    path, session = str(tmp_path / 's'), some_session(12, 2)
    journal = sessions.save(path, session)
    for index in range(3, 12):
        journal.begun(index)
        journal.done(index, BASE._replace(blur_mask_modifier=index % 3))
    journal.close()
    whole = files.read_bytes(sessions.journal_path(path))
    done = 0
    for end in list(range(0, len(whole), 3)) + [len(whole)]:
        with open(sessions.journal_path(path), 'wb') as file:
            file.write(whole[:end] + b'\x00' * 9)
        read = sessions.load(path)
        flags = [frame.done for frame in read.frames]
        assert flags[:3] == [True, True, False] and sorted(flags[3:], reverse=True) == flags[3:]
        assert all(frame.settings == BASE._replace(blur_mask_modifier=index % 3)
                   for index, frame in enumerate(read.frames) if index > 2 and frame.done)
        assert sum(flags) >= done
        done = sum(flags)
    assert done == 11


@pytest.mark.parametrize('line', ['[0]', '[9, null]', '[-1, null]', '[true, null]', '[0, 5]', '[0, -1]', '{"a": 1}',
                                  '7', '{"mode": "none"}', '[0, 0, 0]', '[[0], null]', '"x"',
                                  '[1e3, null]', '', '[' * 9999])
def test_what_follows_a_bad_line_is_not_believed(tmp_path, line):
    path, session = str(tmp_path / 's'), some_session()
    journal = sessions.save(path, session)
    journal.begun(0)
    journal.close()
    with open(sessions.journal_path(path), 'ab') as file:
        file.write(line.encode() + b'\n[1, null]\n')
    assert [frame.done for frame in sessions.load(path).frames] == [False, True] + [False] * 4


def test_killed_at_any_moment(tmp_path):
    random_moments = random.Random(6)
    path = saved(tmp_path / 's', some_session(8, 7))
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, os.path.join(TESTS, 'session_writer.py'), path],
                                  stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b'running\n' or writer.wait()
        time.sleep(random_moments.random() * 0.2)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        read = sessions.load(path)
        in_work = [index for index, frame in enumerate(read.frames) if not frame.done]
        assert len(in_work) <= 1
        for index, frame in enumerate(read.frames):
            if frame.done:
                output = files.read_bytes('{}.{}.out'.format(path, index))
                assert int(output) == frame.settings.erode_mask_modifier


# --- damage ------------------------------------------------------------------------------------

def refused(path, load=sessions.load):
    with pytest.raises(SessionError) as caught:
        load(path)
    assert isinstance(caught.value, ValueError)
    assert caught.value.path == path and caught.value.reason and str(caught.value).startswith(path + ': ')
    assert len(str(caught.value)) < len(path) + 200
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    return caught.value.reason


DAMAGES = {
    'version': [None, 0, 2, '1', True, 1.0], 'model_iter': [None, -1, 1.5, '7', True, [1]],
    'output_format': [None, 'bmp', 7, ['png'], 'PNG'], 'fingerprint': [None, 7, 'x' * 1001, ['x']],
    'settings': [None, {}, [1], [None], [[]], [{'mode': 'none'}], [{'unknown': 1}], [{'mask_mode': 10}],
                 [{'mask_mode': '4'}], [{'mask_mode': True}], [{'mask_mode': 4.0}], [{'masked_hist_match': 1}],
                 [{'erode_mask_modifier': -401}], [{'face_type': 3}], [{'face_type': 7}], [{'face_type': None}],
                 [{'mode': 7}], [{'mode': None}], [{'mode': ['overlay']}], [{'blursharpen_amount': 10 ** 15}]],
    'settings_of_frames': [None, [], [[0, 5]], [[0, 7]], [[0, 6], [0, 1]], [[3, 6]], [[-1, 6]], [[True, 6]],
                           [[None, 10 ** 12]], [[0, -6], [0, 12]], [[0]], [0], [[0, 6, 0]], [[0, '6']], 'text'],
    'done': [None, [[0, 6]], [[-1, 0]], [[2, 1]], [[0, 1], [0, 10 ** 10]], [[0, 5], [0, 5]], [[0]], [0], [[0, 1.0]],
             [[3, 3]]],
    'frames_idxs': [None, [], [[2, 4]], [[2, 6]], [[1, 5]], [[2, 5], [2, 5]], [['2', 5]], [[0, 10 ** 17]]],
    'frames_done_idxs': [None, [], [[0, 0]], [[0, 2]], [[0, 1], [0, 1]], {'0': 1}],
    'frames': [None, {}, [], ['a.png'] * 5, ['a.png'] * 7, ['a.png'] * 5 + [''], ['a.png'] * 5 + ['../a.png'],
               ['a.png'] * 5 + ['..'], ['a.png'] * 5 + [None], ['a.png'] * 5 + [7], ['a.png'] * 5 + ['/a'],
               ['a.png'] * 5 + ['a' * 1001], ['a.png'] * 5 + ['a\0.png'], 'a.png']}


@pytest.mark.parametrize('key', sorted(DAMAGES))
def test_damaged_values(tmp_path, key):
    path = saved(tmp_path / 's', some_session())
    good = json.loads(files.read_bytes(path).decode('ascii'))
    assert set(good) == set(DAMAGES) | {'id'}
    for value in DAMAGES[key]:
        files.write_atomic(path, json.dumps(dict(good, **{key: value})).encode('ascii'))
        refused(path)
    files.write_atomic(path, json.dumps({name: value for name, value in good.items() if name != key}).encode('ascii'))
    refused(path)
    files.write_atomic(path, json.dumps(good).encode('ascii'))
    assert sessions.load(path) == some_session()


def test_a_setting_of_a_later_version_has_its_usual_value(tmp_path):
    path = saved(tmp_path / 's', Session(1, 'png', '', [FrameState('a.png', True, BASE)], [], [0]))
    document = json.loads(files.read_bytes(path).decode('ascii'))
    del document['settings'][0]['mask_mode']
    files.write_atomic(path, json.dumps(document).encode('ascii'))
    assert sessions.load(path).frames[0].settings == BASE


@pytest.mark.parametrize('raw', [b'', b'{', b'null', b'[]', b'7', b'"x"', b'\xff\xfe', b'[' * 100000, b'{"a":' * 100000,
                                 b'{"version": 1e5}', b'{"version": NaN}',
                                 b'{"version": 1, "model_iter": ' + b'9' * 10 ** 6 + b'}', b'\x80\x03}q\x00.',
                                 '{"version": 1, "я": 1}'.encode('utf-8')])
def test_what_is_no_session(tmp_path, raw):
    path = tmp_path / 's'
    path.write_bytes(raw)
    refused(str(path))


def test_every_cut_is_refused(tmp_path):
    path = saved(tmp_path / 's', some_session())
    whole = files.read_bytes(path)
    for end in range(0, len(whole), 2):
        with open(path, 'wb') as file:
            file.write(whole[:end])
        refused(path)


def test_a_session_that_is_far_too_large(tmp_path):
    path = str(tmp_path / 's')
    with open(path, 'wb') as file:
        file.truncate(1 << 29)
    assert 'too large' in refused(path)
    with open(path, 'wb') as file:
        file.truncate(1 << 32)
    assert 'too large' in refused(path, sessions.load_stock)


# --- stock's -----------------------------------------------------------------------------------

def test_a_session_of_stock():
    session = sessions.load_stock(STOCK)
    first = BASE._replace(mode='seamless', erode_mask_modifier=15, blur_mask_modifier=5, mask_mode=5, sharpen_mode=1,
                          blursharpen_amount=-5)
    third = first._replace(color_transfer_mode=2, mode='hist-match', masked_hist_match=False, hist_match_threshold=243)
    assert session == Session(54321, 'png', '', [
        FrameState('00001.png', True, first), FrameState('00002.png', True, first),
        FrameState('00003.png', False, third), FrameState('00004.png', False, None),
        FrameState('00005.png', False, None)], [2, 3, 4], [0, 1])
    assert all(type(value) in (int, bool, str) for frame in session.frames[:3] for value in frame.settings)


def test_a_session_of_stock_can_be_gone_on_with_as_ours(tmp_path):
    session = sessions.load_stock(STOCK)
    assert sessions.load(saved(tmp_path / 's', session)) == session


def changed(tmp_path, *changes):
    """The path of stock's session with parts of the stream replaced."""
    data = files.read_bytes(STOCK)
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    (tmp_path / 'merger_session.dat').write_bytes(data)
    return str(tmp_path / 'merger_session.dat')


def test_a_session_of_stock_from_windows(tmp_path):
    path = changed(tmp_path, (b'cpathlib\nPosixPath\n', b'cpathlib\nWindowsPath\n'),
                   (b'X\x01\x00\x00\x00/', b'X\x03\x00\x00\x00C:\\'))
    assert sessions.load_stock(path) == sessions.load_stock(STOCK)


def test_a_path_in_one_piece(tmp_path):
    # as Python 3.14 pickles them, from another module in 3.13
    whole = b'X\x12\x00\x00\x00data_dst/00003.png'
    path = changed(tmp_path, (b'cpathlib\n', b'cpathlib._local\n'), (b'X\x09\x00\x00\x0000003.png', whole))
    assert sessions.load_stock(path) == sessions.load_stock(STOCK)


@pytest.mark.parametrize('old, new', [
    (b'cmerger.FrameInfo\nFrameInfo\n', b'cos\nsystem\n'), (b'cbuiltins\ngetattr\n', b'cbuiltins\nsetattr\n'),
    (b'X\x05\x00\x00\x00Frame', b'X\x05\x00\x00\x00Frane'), (b'MergerConfigMasked\n', b'MergerConfigFaceAvatar\n'),
    (b'cpathlib\nPosixPath\n', b'cmerger.FrameInfo\nFrameInfo\n'), (b'cpathlib\nPosixPath\n', b'cpathlib\nPath\n'),
    (b'00003.png', b'000003/..'), (b'X\x09\x00\x00\x0000003.png', b'K\x05'),
    (b'00003.png', b'0000\x003png'), (b'X\x06\x00\x00\x00frames', b'X\x06\x00\x00\x00franes'),
    (b'model_iter', b'model_iten'), (b'frames_idxs', b'frames_idxt'), (b'is_done', b'is_donf'),
    (b'frame_info', b'frame_inf_'), (b'filepath', b'filepati'), (b'cfacelib.FaceType\n', b'cfacelib.FaceTypo\n'),
    (b'face_typeq', b'face_typfq\x00.'), (b'X\x08\x00\x00\x00seamless', b'X\x08\x00\x00\x00seamlesz')])
def test_a_session_of_stock_that_was_tampered_with(tmp_path, old, new):
    refused(changed(tmp_path, (old, new)), sessions.load_stock)


@pytest.mark.parametrize('change', [
    lambda data: data[:-300], lambda data: b'', lambda data: data[:50], lambda data: pickle_attacks.PROTO3 + b'].',
    lambda data: pickle_attacks.PROTO3 + b'}.',
    lambda data: pickle_attacks.ATTACKS['code_by_name: os.system, protocol 4'],
    lambda data: pickle.dumps({'frames': [1], 'frames_idxs': [0], 'frames_done_idxs': [], 'model_iter': 1}, 3),
    lambda data: pickle.dumps({'frames': [], 'frames_idxs': [0], 'frames_done_idxs': [], 'model_iter': 1}, 3),
    lambda data: pickle.dumps({'frames': [], 'frames_idxs': [], 'frames_done_idxs': [], 'model_iter': 1.5}, 3),
    lambda data: pickle.dumps({'frames': {}, 'frames_idxs': [], 'frames_done_idxs': [], 'model_iter': 1}, 3)])
def test_what_is_no_session_of_stock(tmp_path, change):
    path = tmp_path / 'merger_session.dat'
    path.write_bytes(change(files.read_bytes(STOCK)))
    refused(str(path), sessions.load_stock)


@pytest.mark.parametrize('name, value', [
    ('mask_mode', b'K\x0a'), ('blursharpen_amount', b'J\x00\xff\xff\xff'), ('color_transfer_mode', b'K\x09'),
    ('mode', b'N'), ('face_type', b'K\x03'), ('masked_hist_match', b'K\x01'), ('sharpen_mode', b'G' + bytes(8))])
def test_settings_of_stock_that_cannot_be(tmp_path, name, value):
    # the attribute comes once more at the end of the first configuration, with another value
    data = files.read_bytes(STOCK)
    at = data.index(b'ub', data.index(b'color_degrade_power'))
    path = tmp_path / 'merger_session.dat'
    path.write_bytes(data[:at] + pickle_attacks.text(name) + value + data[at:])
    assert refused(str(path), sessions.load_stock) == name + ' has a value that it cannot have'


def test_an_older_session_of_stock_lacks_the_newer_settings(tmp_path):
    path = changed(tmp_path, (b'super_resolution_power', b'super_resolution_powe_'), (b'mask_mode', b'mask_mod_'))
    first = sessions.load_stock(path).frames[0].settings
    assert first == sessions.load_stock(STOCK).frames[0].settings._replace(mask_mode=4)


def test_mutants_of_a_session_of_stock_end_cleanly(tmp_path):
    whole, choice = files.read_bytes(STOCK), random.Random(8)
    path = tmp_path / 'merger_session.dat'
    ended = {'read': 0, 'refused': 0}
    for _ in range(300):
        data = bytearray(whole)
        data[choice.randrange(len(data))] = choice.randrange(256)
        path.write_bytes(bytes(data))
        try:
            assert len(sessions.load_stock(str(path)).frames) == 5
            ended['read'] += 1
        except SessionError:
            ended['refused'] += 1
    assert min(ended.values()) > 20
