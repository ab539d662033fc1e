"""The sort command as users run it: files, prompts, undo, names in every language, two sorts at once."""
import hashlib
import os
import shutil
import subprocess
import sys
import time

import pytest

from benchmarks.workspace import make_faceset
from accel import host
from mainscripts import Sorter

pytestmark = pytest.mark.shared_out

MAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'DeepFaceLab', 'main.py')
KEYS = ['blur', 'motion-blur', 'face-yaw', 'face-pitch', 'face-source-rect-size', 'hist', 'hist-dissim',
        'brightness', 'hue', 'black', 'origname', 'oneface', 'absdiff', 'final', 'final-fast']
JOURNALS = ('.sort_journal_away', '.sort_journal_final')


def start(folder, *words, **options):
    """Start `main.py sort` with the answers (str) on its stdin."""
    environment = dict(os.environ, PYTHONIOENCODING='utf-8')
    return subprocess.Popen([sys.executable, MAIN, 'sort', '--input-dir', str(folder)] + list(words),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            universal_newlines=True, encoding='utf-8', env=environment, **options)


def sort(folder, *words, answers=''):
    """Run `main.py sort`: (exit code, stdout, stderr)."""
    process = start(folder, *words)
    out, err = process.communicate(answers)
    return process.returncode, out, err


def contents(folder):
    """Content hash of every file below a folder's parent: {relative path: hash}."""
    top = os.path.dirname(str(folder))
    result = {}
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.join(where, name)
            if not name.startswith('.'):
                with open(path, 'rb') as stream:
                    result[os.path.relpath(path, top)] = hashlib.md5(stream.read()).hexdigest()
    return result


@pytest.fixture(scope='module')
def faceset(tmp_path_factory):
    folder = tmp_path_factory.mktemp('faceset') / 'aligned'
    make_faceset(str(folder), 24, seed=3, size=80, ties=True, non_dfl=2)
    return folder


@pytest.fixture
def aligned(faceset, tmp_path):
    return copy_to(faceset, tmp_path / 'data_src' / 'aligned')


def copy_to(faceset, folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(str(faceset), str(folder))
    return folder


def test_the_registry_has_stocks_keys_in_stocks_order():
    assert list(Sorter.sort_func_methods) == KEYS
    assert [number for number, key in enumerate(KEYS) if key == 'hist'] == [Sorter.DEFAULT_METHOD]


@pytest.mark.parametrize('number, key', list(enumerate(KEYS)))
def test_a_typed_number_and_its_key_do_the_same(aligned, tmp_path, number, key):
    twin = copy_to(aligned, tmp_path / 'twin' / 'aligned')
    before = sorted(contents(aligned).values())
    code, out, err = sort(aligned, answers='{}\n'.format(number))
    assert code == 0, err
    assert '[{}] {}'.format(number, Sorter.sort_func_methods[key][0]) in out
    assert out.endswith('Done.\n')
    host.set_unattended(True)
    Sorter.main(twin, sort_by_method=key)
    host.set_unattended(False)
    left, right = contents(aligned), contents(twin)
    assert sorted(left.values()) == before
    assert left == right
    names = sorted(os.listdir(str(aligned)))
    if key != 'oneface':
        images = [name for name in names if name.endswith('.jpg')]
        assert images == ['{:05d}.jpg'.format(i) for i in range(len(images))]


def test_the_menu_and_its_default(aligned):
    code, out, err = sort(aligned, answers='\n')
    assert code == 0, err
    lines = out.splitlines()
    first = lines.index('Choose sorting method:') + 1
    assert lines[first:first + 15] == ['[{}] {}'.format(i, Sorter.sort_func_methods[key][0])
                                       for i, key in enumerate(KEYS)]
    assert '[5] : 5' in out
    assert 'Sorting by histogram similarity...' in out


def test_a_closed_stdin_takes_the_defaults(aligned):
    process = start(aligned, '--by', 'absdiff')
    process.stdin.close()
    process.stdin = None
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert '[y] Sort by similar? ( y/n ?:help ) : y' in out


def test_typed_answers_of_absdiff_and_final(aligned, tmp_path):
    twin = copy_to(aligned, tmp_path / 'twin' / 'aligned')
    assert sort(aligned, answers='12\nn\n')[0] == 0
    assert sort(twin, '--by', 'absdiff', '--dissimilar')[0] == 0
    assert contents(aligned) == contents(twin)
    assert sort(aligned, answers='13\n7\n')[0] == 0
    assert len([name for name in os.listdir(str(aligned)) if name.endswith('.jpg')]) == 7


def test_undo_brings_back_names_and_trash(aligned):
    before = contents(aligned)
    code, out, err = sort(aligned, '--by', 'final', '--target-count', '5', '--yes')
    assert code == 0, err
    assert len(os.listdir(str(aligned.parent / 'aligned_trash'))) > 5
    code, out, err = sort(aligned, '--undo')
    assert code == 0, err
    assert 'earlier names' in out
    assert contents(aligned) == before
    code, out, err = sort(aligned, '--undo')
    assert code == 1 and 'no sort to undo' in err


def test_dry_run_changes_nothing_and_says_what_would(aligned, tmp_path):
    before = contents(aligned)
    code, out, err = sort(aligned, '--by', 'face-yaw', '--dry-run')
    assert code == 0, err
    assert contents(aligned) == before
    assert 'nothing was changed' in out
    plan = dict(line.split(' -> ') for line in out.splitlines() if ' -> ' in line)
    assert sort(aligned, '--by', 'face-yaw')[0] == 0
    after = contents(aligned)
    for old, new in plan.items():
        relative = os.path.relpath(new, str(tmp_path / 'data_src')) if os.path.isabs(new) else new
        candidates = [after.get(os.path.join('aligned', relative)), after.get(relative)]
        assert before[os.path.join('aligned', old)] in candidates


def test_old_trash_is_kept(aligned):
    trash = aligned.parent / 'aligned_trash'
    trash.mkdir()
    (trash / 'old.jpg').write_bytes(b'kept')
    code, out, err = sort(aligned, '--by', 'face-yaw')
    assert code == 0, err
    assert (trash / 'old.jpg').read_bytes() == b'kept'
    assert len(os.listdir(str(aligned.parent / 'aligned_trash_2'))) == 2


@pytest.mark.parametrize('name', ['Лица фильма', '人脸', '\U0001f600 faces', '100% [a] & (b)!', '-dash', 'x' * 200])
def test_folders_of_any_name(faceset, tmp_path, name):
    folder = copy_to(faceset, tmp_path / name / name)
    before = sorted(contents(folder).values())
    code, out, err = sort(folder, '--by', 'brightness', '--yes')
    assert code == 0, err
    assert sorted(contents(folder).values()) == before


NAMES = ['Иван Петров.jpg', '脸.JPG', '\U0001f600.jpeg', '-rf.jpg', '%05d.jpg', 'a b.JPEG', 'ы' * 120 + '.jpg',
         'y' * 200 + '.jpg', '00000.jpg.jpg']


def test_files_of_any_name(aligned):
    for old, new in zip(sorted(os.listdir(str(aligned)))[3:], NAMES):
        os.rename(str(aligned / old), str(aligned / new))
    assert set(NAMES) <= set(os.listdir(str(aligned)))
    before = sorted(contents(aligned).values())
    for key in ('origname', 'blur'):
        code, out, err = sort(aligned, '--by', key, '--yes')
        assert code == 0, err
        assert sorted(contents(aligned).values()) == before


def test_read_only_files_are_sorted(aligned):
    for name in os.listdir(str(aligned)):
        os.chmod(str(aligned / name), 0o444)
    before = sorted(contents(aligned).values())
    code, out, err = sort(aligned, '--by', 'hue', '--yes')
    assert code == 0, err
    assert sorted(contents(aligned).values()) == before


def test_a_folder_without_images(tmp_path):
    (tmp_path / 'note.txt').write_text('hello')
    code, out, err = sort(tmp_path, '--by', 'blur')
    assert code == 0 and 'There are no images' in out
    assert os.listdir(str(tmp_path)) == ['note.txt']


def test_several_sizes_stop_absdiff_before_anything_moves(aligned, tmp_path):
    make_faceset(str(tmp_path / 'more'), 1, seed=9, size=64)
    face = os.listdir(str(tmp_path / 'more'))[0]
    shutil.copy(str(tmp_path / 'more' / face), str(aligned / 'zz.jpg'))
    before = contents(aligned)
    code, out, err = sort(aligned, '--by', 'absdiff', '--yes')
    assert code == 1
    assert 'needs faces of one size' in err and 'Traceback' not in err
    assert contents(aligned) == before


def test_a_target_of_nothing_is_refused(aligned):
    before = contents(aligned)
    code, out, err = sort(aligned, '--by', 'final-fast', answers='0\n')
    assert code == 1 and 'Ask for at least 1' in err
    assert contents(aligned) == before


def test_two_sorts_of_two_folders_at_once(faceset, tmp_path):
    folders = [copy_to(faceset, tmp_path / str(i) / 'aligned') for i in range(2)]
    before = sorted(contents(folders[0]).values())
    processes = [start(folder, '--by', 'blur', '--yes') for folder in folders]
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, err
    assert contents(folders[0]) == contents(folders[1])
    assert sorted(contents(folders[0]).values()) == before


def test_two_sorts_of_one_folder_at_once(aligned):
    before = sorted(contents(aligned).values())
    processes = [start(aligned, '--by', key, '--yes') for key in ('brightness', 'black')]
    codes = []
    for process in processes:
        out, err = process.communicate()
        codes.append(process.returncode)
        assert process.returncode == 0 or 'Another sort is at work' in err
    assert 0 in codes
    assert sorted(contents(aligned).values()) == before
    assert sort(aligned, '--by', 'hue', '--yes')[0] == 0
    assert sorted(contents(aligned).values()) == before


def test_killed_sorts_leave_what_the_next_sort_alone_would(tmp_path):
    """Real kills at moments spread over the renaming of 600 files; then a sort by another method."""
    source = tmp_path / 'source' / 'aligned'
    make_faceset(str(source), 600, seed=5, size=32, ties=True, non_dfl=3)
    first, second = ('--by', 'face-source-rect-size', '--yes'), ('--by', 'origname', '--yes')
    alone = copy_to(source, tmp_path / 'alone' / 'aligned')
    assert sort(alone, *second)[0] == 0
    both = copy_to(source, tmp_path / 'both' / 'aligned')
    assert sort(both, *first)[0] == 0
    assert sort(both, *second)[0] == 0
    put_right = 0
    for turn in range(6):
        folder = copy_to(source, tmp_path / str(turn) / 'aligned')
        process = start(folder, *first)
        # the renaming takes some hundredths of a second: watch for its beginning, but leave it the processor
        while process.poll() is None and not any(os.path.exists(str(folder / name)) for name in JOURNALS):
            time.sleep(0.0002)
        time.sleep(0.004 * turn)
        process.kill()
        process.communicate()
        code, out, err = sort(folder, *second)
        assert code == 0, err
        # 'both' where the first sort had ended before it was killed
        assert contents(folder) in (contents(alone), contents(both))
        put_right += 'was cut short' in out
    assert put_right > 0


CUT_SHORT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from accel import files, renames

class Bar:
    def update(self, count):
        os._exit(9)

paths = files.image_paths(sys.argv[2])
renames.apply_order(sys.argv[2], paths[::-1], [], lambda label, total: Bar())
"""


@pytest.mark.parametrize('words', [('--undo',), ('--by', 'hue', '--dry-run')])
def test_a_sort_cut_short_is_put_right_first_but_not_by_a_dry_run(aligned, words):
    before = contents(aligned)
    assert subprocess.call([sys.executable, '-c', CUT_SHORT, os.path.dirname(MAIN), str(aligned)]) == 9
    half = contents(aligned)
    assert half != before
    code, out, err = sort(aligned, *words)
    assert code == 1
    if '--dry-run' in words:
        assert 'was cut short' in err and contents(aligned) == half
    else:
        assert 'earlier names again' in out and 'no sort to undo' in err
        assert contents(aligned) == before
