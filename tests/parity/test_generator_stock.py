"""Stock's sample generators with our generator processes under them: DFL_STOCK=<a DeepFaceLab tree>.

Equal seeds, equal batches. Both run in the interpreter DFL_STOCK_PYTHON (by default this one).
"""
import glob
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
PROGRAM = os.path.join(os.path.dirname(TESTS), 'DeepFaceLab')
MODULE = os.path.join('core', 'joblib', 'SubprocessGenerator.py')


def play(tree, faces, note):
    """Return what the session printed, and the modules of its generator process."""
    python = os.environ.get('DFL_STOCK_PYTHON', sys.executable)
    words = [python, os.path.join(HERE, 'generator_session.py'), str(tree), str(faces), str(note)]
    batches, ours = json.loads(subprocess.check_output(words).decode().rpartition('BATCHES ')[2])
    return batches, ours, json.loads(note.read_text())


if os.environ.get('DFL_STOCK'):
    def test_batches_of_stocks_sample_generators(tmp_path):
        stock, tree, faces = os.environ['DFL_STOCK'], tmp_path / 'tree', tmp_path / 'faces'
        faces.mkdir()
        for path in sorted(glob.glob(os.path.join(TESTS, 'data', 'sort', 'aligned', '*.jpg')))[:8]:
            shutil.copy(path, str(faces))
        shutil.copytree(stock, str(tree), ignore=shutil.ignore_patterns('.git', '*.npy', '__pycache__', 'doc'))
        shutil.copytree(os.path.join(PROGRAM, 'accel'), str(tree / 'accel'))
        shutil.copy(os.path.join(PROGRAM, MODULE), str(tree / MODULE))
        ref, ours, _ = play(stock, faces, tmp_path / 'stock.json')
        comp, also_ours, modules = play(tree, faces, tmp_path / 'ours.json')
        assert (ours, also_ours) == (False, True)
        assert len(ref) == 15 and len(ref[0]) == 3
        assert comp == ref
        assert 'cv2' in modules and 'accel' in modules and 'tensorflow' not in modules
