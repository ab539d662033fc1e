"""faceset.pak of stock and of ours, read and written by both: DFL_STOCK=<a DeepFaceLab tree>.

Stock runs in the interpreter DFL_STOCK_PYTHON (by default this one), ours in this one and without DeepFaceLab.
"""
import json
import os
import pickletools
import shutil
import subprocess
import sys
from pathlib import Path

import packed_workspace as pw
import pytest
from naive import faceset as naive_faceset
from plain_data import same
from samplelib.PackedFaceset import PackedFaceset

HERE = Path(os.path.abspath(__file__)).parent
GOLDEN = HERE.parent / 'data' / 'sort' / 'aligned'
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)


def stock(action, folder, answers=''):
    """Let stock do something with a folder. Return its output (str)."""
    words = [STOCK_PYTHON, str(HERE / 'packing_session.py'), action, str(folder), os.environ['DFL_STOCK']]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out = process.communicate(answers.encode())[0].decode('utf-8', 'replace')
    assert process.returncode == 0, out
    return out


def ours(action, folder, answers):
    """As `stock`: ours in a process of its own, which has no DeepFaceLab."""
    words = [sys.executable, '-c', 'import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; '
             'from samplelib.PackedFaceset import PackedFaceset as P; getattr(P, sys.argv[2])(Path(sys.argv[3]))',
             str(HERE.parent.parent / 'DeepFaceLab'), action, str(folder)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out = process.communicate(answers.encode())[0].decode('utf-8', 'replace')
    assert process.returncode == 0, out
    return out


def halves(folder):
    """(list, what follows it) of a faceset.pak."""
    data = (folder / 'faceset.pak').read_bytes()
    length = int.from_bytes(data[8:16], 'little')
    assert data[:8] == b'\1' + bytes(7)
    return data[16:16 + length], data[16 + length:]


def without_frames(stream):
    starts = [(opcode.name, position) for opcode, _, position in pickletools.genops(stream)]
    return b''.join(stream[begin:end] for (name, begin), (_, end) in zip(starts, starts[1:] + [('', len(stream))])
                    if name != 'FRAME')


@pytest.fixture(params=['folder', 'persons'])
def workspace(request, tmp_path):
    """(folder, answers to the questions before the last one)."""
    folder = tmp_path / 'faces'
    if request.param == 'folder':
        shutil.copytree(str(GOLDEN), str(folder))
        pw.fill(folder, 13, 500)
        return folder, ''
    pw.fill(folder / 'Боб', 7)
    pw.fill(folder / 'anna b', 7, 20)
    pw.fill(folder, 1, 40)
    return folder, 'y\n'


if os.environ.get('DFL_STOCK'):
    def test_both_packs_are_one(workspace, tmp_path):
        folder, answers = workspace
        shutil.copytree(str(folder), str(tmp_path / 'stock'))
        questions = [out.splitlines()[-1] for out in (stock('pack', tmp_path / 'stock', answers + 'n\n'),
                                                      ours('pack', folder, answers + 'n\n'))]
        assert questions[0] == questions[1] and 'Delete original files?' in questions[0]
        (ref_list, ref), (comp_list, comp) = halves(tmp_path / 'stock'), halves(folder)
        count = len(naive_faceset.read(folder / 'faceset.pak'))
        assert count >= 14
        # Stock's last offset is measured from the start of the file, and its list has frames.
        last = slice(8 * count, 8 * count + 8)
        offsets = [int.from_bytes(tail[last], 'little') - len(listed)
                   for listed, tail in ((ref_list, ref), (comp_list, comp))]
        assert offsets[0] == offsets[1] and ref[:last.start] == comp[:last.start]
        assert ref[last.stop:] == comp[last.stop:]
        pairs = list(zip(naive_faceset.read(tmp_path / 'stock' / 'faceset.pak'),
                         naive_faceset.read(folder / 'faceset.pak')))
        assert all(same(ref, comp) for ref, comp in pairs)
        assert stock('load', folder) == stock('load', tmp_path / 'stock')

    def test_lists_without_arrays_are_equal_byte_by_byte(tmp_path):
        for name in ('ref', 'comp'):
            for number in range(1, 9):
                if number % 3 and number % 4:
                    (tmp_path / name).mkdir(exist_ok=True)
                    (tmp_path / name / '{}.jpg'.format(number)).write_bytes(pw.face(number))
        stock('pack', tmp_path / 'ref', 'n\n')
        ours('pack', tmp_path / 'comp', 'n\n')
        ref, comp = halves(tmp_path / 'ref')[0], halves(tmp_path / 'comp')[0]
        assert without_frames(ref) == comp and len(comp) > 5000

    def test_each_unpacks_what_the_other_packed(workspace, tmp_path):
        folder, answers = workspace
        shutil.copytree(str(folder), str(tmp_path / 'ours'))
        before = pw.tree(folder)
        stock('pack', folder, answers + 'n\n')
        PackedFaceset.unpack(folder)        # equal files are there: only the pak goes
        assert pw.tree(folder) == before
        stock('pack', folder, answers + 'n\n')
        ours('pack', tmp_path / 'ours', answers + 'y\n')
        for name, raw in before.items():
            if not (tmp_path / 'ours' / name).exists():
                (folder / name).unlink()
        assert len(pw.tree(folder)) < len(before) - 10
        PackedFaceset.unpack(folder)
        stock('unpack', tmp_path / 'ours')
        assert pw.tree(folder) == pw.tree(tmp_path / 'ours') == before

    def test_ours_loads_what_stock_loads(workspace):
        folder, answers = workspace
        stock('pack', folder, answers + 'n\n')
        known = json.loads(stock('load', folder).rpartition('LOADED ')[2])
        samples = PackedFaceset.load(folder)
        assert len(samples) == len(known) >= 14
        for sample, (config, _) in zip(samples, known):
            told = dict(config)
            assert told['filename'] == ['str', repr(sample.filename)] and len(told['landmarks']) == 69
            assert told['landmarks'][1:] == [['list'] + [['float', repr(float(number))] for number in point]
                                             for point in sample.landmarks]
            assert told['eyebrows_expand_mod'] == ['float', repr(sample.eyebrows_expand_mod)]
            assert told['person_name'][1] == repr(sample.person_name)
            assert ('{:d}>'.format(sample.face_type)) in told['face_type'][1]
