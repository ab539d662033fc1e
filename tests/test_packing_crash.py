"""Packing, deleting what is packed, and unpacking that are killed, fail, run out of disk or of power at each operation.

Whatever happens: each face is a file or in the faceset.pak, each file and the pak are whole, of before or of now, and
starting again, with the same or with the other of the two, ends where an undisturbed run ends.
"""
import os
import random
import shutil
import signal
import time

import crash_shim
import packed_workspace as pw
import pytest
from accel import host
from accel.training import unpacking
from naive import faceset as naive_faceset
from samplelib.PackedFaceset import PackedFaceset

pytestmark = pytest.mark.light

DELETE = 'Delete original files?'
EVERY = {'kill': 1, 'power': 19, 'power-names': 15, 'power-order': 13, 'eio': 13, 'eio-on': 21, 'enospc': 17,
         'enospc-on': 23}      # see crash_shim.points


def job(name, folder, delete=True):
    """Return a function that packs or unpacks in this process, a forked one."""
    def work():
        host.ask_bool = lambda text, default: delete if text == DELETE else default
        host.wait_for_enter = lambda text: True
        unpacking._SYNC_THREADS = 1     # so that operations have an order
        getattr(PackedFaceset, name)(folder)
    return work


def build(folder):
    """Eight faces of two persons, and files that are none."""
    pw.fill(folder / 'bob', 5)
    pw.fill(folder / 'anna', 3, 10)
    (folder / 'anna' / 'mine.txt').write_bytes(b'mine')
    (folder / 'plain.jpg').write_bytes(pw.picture(3))


@pytest.fixture(scope='module')
def before(tmp_path_factory):
    """{name of a job: the folder before it}; the old pak of 'replace' has other faces."""
    folder = tmp_path_factory.mktemp('before')
    for name in ('pack', 'replace', 'unpack'):
        build(folder / name)
    pw.fill(folder / 'old', 2, 20)
    assert crash_shim.count(job('pack', folder / 'old'), folder) > 20
    shutil.copy(str(folder / 'old' / 'faceset.pak'), str(folder / 'replace'))
    crash_shim.count(job('pack', folder / 'unpack'), folder)
    return folder


def fresh(before, name, tmp_path):
    """A copy at a path that is the same in every run; files have other times in each."""
    folder = tmp_path / 'space'
    if folder.exists():
        shutil.rmtree(str(folder))
    shutil.copytree(str(before / name), str(folder))
    return folder


def loose(folder):
    return {name: raw for name, raw in pw.tree(folder).items() if name != 'faceset.pak' and '.pack' not in name}


def packed(folder):
    return {config['filename']: raw for config, raw in naive_faceset.read(folder / 'faceset.pak')}


def check_nothing_lost(folder, whole):
    """Each file of `whole` is there as it was, or its face is in the pak; nothing else has a name."""
    found = loose(folder)
    in_pak = packed(folder) if (folder / 'faceset.pak').exists() else {}
    for name, raw in whole.items():
        assert found.pop(name, None) == raw or in_pak.get(os.path.basename(name)) == raw, name
    assert found == {}


def ending(folder):
    """What is in the folder at last; nothing may be left over."""
    assert not [name for name in pw.tree(folder) if os.path.basename(name).startswith('.')]
    return loose(folder), packed(folder) if (folder / 'faceset.pak').exists() else None


@pytest.fixture(scope='module')
def known_states():
    """(job, crash_shim.state) of what was gone on with, whatever has made it."""
    return set()


JOBS = {'pack and delete': ('pack', 'pack', True), 'replace': ('replace', 'pack', False),
        'unpack': ('unpack', 'unpack', True)}


@pytest.mark.parametrize('mode', crash_shim.MODES)
@pytest.mark.parametrize('title', sorted(JOBS))
def test_cut_at_every_operation(before, tmp_path, known_states, title, mode):
    place, name, delete = JOBS[title]
    old = packed(before / 'old')
    whole = loose(before / 'pack')
    undisturbed = fresh(before, place, tmp_path)
    operations = crash_shim.trace(job(name, undisturbed, delete), undisturbed)
    expected, unpacked = ending(undisturbed), (whole, None)
    ended = set()
    for at in crash_shim.points(operations, mode, EVERY[mode] * (4 if place == 'replace' else 1)):
        folder = fresh(before, place, tmp_path)
        how, _, words = crash_shim.run(job(name, folder, delete), folder, mode, at, (host.UserError, OSError))
        ended.add(how)
        assert how != crash_shim.BROKEN, (at, words)
        check_nothing_lost(folder, whole)
        if place == 'replace':
            assert packed(folder) in (old, expected[1]), at
        if how == crash_shim.DONE:
            assert (loose(folder), packed(folder) if name == 'pack' else None) == expected, at
        other = 'unpack' if at % 3 == 1 and place != 'replace' else name
        if (other, crash_shim.state(folder)) in known_states:
            continue
        known_states.add((other, crash_shim.state(folder)))
        how, _, words = crash_shim.run(job(other, folder, delete), folder, refusals=(host.UserError, OSError))
        assert how == crash_shim.DONE or 'no DFL image to pack' in words, (at, words)
        if how == crash_shim.DONE:
            assert ending(folder) == (expected if other == name else unpacked), at
        check_nothing_lost(folder, whole)
    assert ended & {crash_shim.KILLED, crash_shim.REFUSED}


@pytest.mark.parametrize('mode', ['kill', 'power-order'])
def test_packing_after_an_unpacking_that_was_cut(before, tmp_path, mode):
    whole = loose(before / 'pack')
    undisturbed = fresh(before, 'unpack', tmp_path)
    operations = crash_shim.count(job('unpack', undisturbed), undisturbed)
    for at in range(mode == 'kill', operations, 5):
        folder = fresh(before, 'unpack', tmp_path)
        how, _, words = crash_shim.run(job('unpack', folder), folder, mode, at)
        assert how == crash_shim.KILLED, words
        how, _, words = crash_shim.run(job('pack', folder), folder, refusals=(host.UserError,))
        # nothing was unpacked yet: there is nothing to pack but what is in the pak, which stays
        assert how == crash_shim.DONE or 'no DFL image to pack' in words, words
        check_nothing_lost(folder, whole)
        assert set(packed(folder).values()) == set(packed(before / 'unpack').values()), at


@pytest.mark.parametrize('mode', ['kill', 'power-order'])
def test_a_second_cut_while_the_first_is_mended(before, tmp_path, mode):
    whole = loose(before / 'pack')
    half = tmp_path / 'half'
    shutil.copytree(str(before / 'pack'), str(half))
    operations = crash_shim.trace(job('pack', fresh(before, 'pack', tmp_path)), tmp_path / 'space')
    deletions = [at for at, operation in enumerate(operations) if operation == ('remove', '#_#.jpg')]
    how, _, _ = crash_shim.run(job('pack', half), half, 'kill', deletions[6])
    assert how == crash_shim.KILLED and 0 < len(loose(half)) - 2 < 8
    at, how = 0, None
    while how != crash_shim.DONE:
        shutil.rmtree(str(tmp_path / 'space'))
        shutil.copytree(str(half), str(tmp_path / 'space'))
        folder = tmp_path / 'space'
        how, _, words = crash_shim.run(job('pack', folder), folder, mode, at)
        assert how in (crash_shim.KILLED, crash_shim.DONE), words
        check_nothing_lost(folder, whole)
        done, _, words = crash_shim.run(job('unpack', folder), folder)
        assert done == crash_shim.DONE, words
        assert ending(folder) == (whole, None)
        at += 2
    assert at > 10


def test_what_is_deleted_is_deleted_for_good_before_the_mark_goes(before, tmp_path):
    """Else a power cut could leave some files and no mark, and packing again would replace the pak by those few."""
    folder = fresh(before, 'pack', tmp_path)
    operations = crash_shim.trace(job('pack', folder), folder)
    first, last = operations.index(('rmdir', 'bob')), operations.index(('remove', '.packing_deletes'))
    assert {('fsync', 'anna'), ('fsync', 'space')} <= set(operations[first:last])     # bob is empty, and gone


def test_killed_at_random_moments(before, tmp_path):
    """Real kills, packing and unpacking in turn."""
    chance, killed, turn, longest = random.Random(5), 0, 0, 0.03
    whole = loose(before / 'pack')
    folder = fresh(before, 'pack', tmp_path)
    while killed < 16:
        assert turn < 500
        pid = os.fork()
        if pid == 0:
            try:
                job(('pack', 'unpack')[turn // 3 % 2], folder)()
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        in_time = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        killed, turn = killed + in_time, turn + 1
        longest *= 1.1 if in_time else 0.9           # about half of them are in time, however fast the machine is
        check_nothing_lost(folder, whole)
    assert crash_shim.run(job('unpack', folder), folder)[0] == crash_shim.DONE
    assert ending(folder) == (whole, None)
