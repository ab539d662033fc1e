"""install.py on a copy of a real stock tree with its own Python: installed, killed in every phase, taken off.

    DFL_STOCK=path/of/DeepFaceLab DFL_STOCK_PYTHON=python python -m pytest tests/parity/test_install_stock.py

DFL_STOCK_PYTHON gets numba and loses it again; it must not have it before. The packages come from the network.
"""
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from installer import packages, versions
from made_up_build import snapshot

STOCK = os.environ['DFL_STOCK']
PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
INSTALL = str(Path(__file__).resolve().parent.parent.parent / 'install.py')


@pytest.fixture(scope='module')
def packages_before():
    found = packages.probe(PYTHON)
    assert found.imports['numba'][0] is None, 'DFL_STOCK_PYTHON must not have numba yet'
    return found


@pytest.fixture
def tree(tmp_path, packages_before):
    """A copy of the stock tree in a build folder; afterwards the Python has what it had."""
    copy = str(tmp_path / 'a build & more' / '_internal' / 'DeepFaceLab')
    shutil.copytree(STOCK, copy, symlinks=True)
    yield copy
    packages.remove(PYTHON, packages.added(packages_before.packages, packages.probe(PYTHON)))


def install(tree, *words):
    run = subprocess.run([PYTHON, INSTALL, tree, '--yes'] + list(words), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.returncode, run.stdout.decode('utf-8', 'replace')


def snapshot_of(tree):
    """All files but git's own, whose index `git status` rewrites."""
    return {path: state for path, state in snapshot(tree).items() if not path.startswith('.git/')}


def test_stock_is_known(tree):
    def read(path):
        return Path(tree, path).read_bytes() if Path(tree, path).exists() else None
    assert versions.Known.load().identify(read).kind == 'stock'


def test_installed_verified_and_taken_off(tree, packages_before):
    before = snapshot_of(tree)
    code, said = install(tree)
    assert code == 0 and 'stock DeepFaceLab, 46fc239' in said and 'Installed and tested.' in said, said
    code, said = install(tree, '--verify')
    assert code == 0 and 'Complete' in said, said
    code, said = install(tree)
    assert code == 0 and 'files are in place already' in said, said
    code, said = install(tree, '--uninstall')
    assert code == 0, said
    assert_as_before(tree, before, packages_before)


def assert_as_before(tree, before, packages_before):
    assert snapshot_of(tree) == before
    assert os.listdir(os.path.dirname(tree)) == ['DeepFaceLab']
    assert not os.path.exists(os.path.join(tree, 'accel'))
    if os.path.isdir(os.path.join(tree, '.git')):
        status = subprocess.check_output(['git', '-C', tree, 'status', '--porcelain', '--ignored']).decode()
        assert [line for line in status.splitlines() if '__pycache__' not in line] == []
    assert packages.probe(PYTHON) == packages_before


PHASES = ['[1/3]', '    Collecting', '    Installing collected', '    Successfully installed', '[2/3]', '[3/3]',
          'Compiling (4', 'Sorting by hist', 'Starting main.py']


@pytest.mark.parametrize('line', PHASES)
@pytest.mark.parametrize('then', ['taken back', 'completed'])
def test_killed_in_a_phase(tree, packages_before, line, then):
    before = snapshot_of(tree)
    kill_at([tree, '--yes'], line)
    assert install(tree, '--verify')[0] == 1
    if then == 'completed':
        code, said = install(tree)
        assert code == 0 and 'Installed and tested.' in said, said
        assert install(tree, '--verify')[0] == 0
    code, said = install(tree, '--uninstall')
    assert code == 0, said
    assert_as_before(tree, before, packages_before)


@pytest.mark.parametrize('line', ['To do: put', '[y] Uninstall', '    Found existing', '    Uninstalling llvm'])
def test_killed_while_it_uninstalls(tree, packages_before, line):
    before = snapshot_of(tree)
    code, said = install(tree)
    assert code == 0, said
    kill_at([tree, '--yes', '--uninstall'], line)
    code, said = install(tree, '--uninstall')
    assert code == 0 or 'No overlay' in said, said
    assert_as_before(tree, before, packages_before)


def kill_at(words, line):
    process = subprocess.Popen([PYTHON, '-u', INSTALL] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    with process:
        for printed in process.stdout:
            if printed.decode('utf-8', 'replace').startswith(line):
                break
        else:
            raise AssertionError('it never printed ' + line)
        os.killpg(process.pid, signal.SIGKILL)
