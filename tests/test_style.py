"""Rules of the code that a linter does not know."""
import ast
import json
import os
import re
import subprocess
import sys

import pytest
from command_line import SORT_METHODS
from program import PROGRAM

ROOT = os.path.dirname(PROGRAM)
HEAVY = ("tensorflow", "matplotlib", "numba", "cv2", "scipy", "skimage")
LONGEST_FILE = 420
LONGEST_FUNCTION = 65


def files_below(*folders):
    """Return the paths of all Python files below these folders of the project."""
    found = []
    for top in folders:
        for folder, subfolders, names in os.walk(os.path.join(ROOT, top)):
            subfolders[:] = [name for name in subfolders if name != "__pycache__"]
            found += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".py")]
    return found


def parsed(path):
    with open(path, encoding="utf-8") as file:
        return ast.parse(file.read(), path)


def stray_branches(tree):
    """Yield the line of everything that asks for the system, the version or an optional import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in (("sys", "platform"), ("sys", "version_info"), ("os", "name")):
                yield node.lineno
        elif isinstance(node, ast.Import) and any(name.name == "platform" for name in node.names):
            yield node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hasattr":
            if getattr(node.args[0], "id", "") in ("os", "sys", "signal", "time", "cv2", "numpy", "np"):
                yield node.lineno
        elif isinstance(node, ast.Try):
            imports = any(isinstance(step, (ast.Import, ast.ImportFrom)) for step in node.body)
            for handler in node.handlers if imports else ():
                caught = "ImportError" if handler.type is None else ast.dump(handler.type)
                if "ImportError" in caught or "ModuleNotFoundError" in caught:
                    yield handler.lineno


LOADED = """
import json, runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
ending = 0
try:
    if sys.argv[0].endswith(".py"):
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        __import__(sys.argv[0])
except SystemExit as error:
    ending = error.code
print("LOADED", json.dumps([ending, sorted(sys.modules)]))
"""


def heavy_modules(words):
    """Return which of HEAVY a module (by name) or a script (with its words) loads."""
    out = subprocess.check_output([sys.executable, "-c", LOADED, PROGRAM] + words, stdin=subprocess.DEVNULL)
    ending, modules = json.loads(out.decode().rpartition("LOADED ")[2])
    assert ending == 0, out
    return sorted(set(HEAVY) & set(modules))


@pytest.mark.parametrize("module", [
    "accel", "accel.host", "accel.compat", "accel.pools", "accel.files", "accel.renames", "accel.dfl_jpeg",
    "accel.safe_pickle", "command_line", "mainscripts.Sorter", "DFLIMG.DFLJPG"])
def test_import_is_light(module):
    assert heavy_modules([module]) == []


@pytest.mark.parametrize("method", SORT_METHODS)
def test_sort_of_an_empty_folder_is_light(tmp_path, method):
    assert heavy_modules([os.path.join(PROGRAM, "main.py"), "sort", "--input-dir", str(tmp_path),
                          "--by", method]) == []


@pytest.mark.parametrize("text, lines", [
    ("import sys\nif sys.platform == 'win32': pass", [2]), ("import os\nos.name", [2]),
    ("import platform", [1]),
    ("hasattr(os, 'fork')", [1]), ("hasattr(image, 'shape')", []),
    ("try:\n    import a\nexcept ImportError:\n    a = None", [3]),
    ("try:\n    a()\nexcept ModuleNotFoundError:\n    pass", []), ("sys.version_info >= (3, 7)", [1])])
def test_stray_branches_are_found(text, lines):
    assert list(stray_branches(ast.parse(text))) == lines


def test_branches_on_system_and_version_are_in_compat():
    stray = ["{}:{}".format(path, line) for path in files_below("DeepFaceLab")
             if not re.search(r"accel.compat(_\w+)?\.py$", path)
             for line in stray_branches(parsed(path))]
    assert stray == []


def test_engine_knows_nothing_of_deepfacelab():
    strange = []
    for path in files_below("DeepFaceLab/accel"):
        for node in ast.walk(parsed(path)):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            strange += [(path, name) for name in names if name.split(".")[0] in (
                "core", "facelib", "mainscripts", "merger", "models", "samplelib", "DFLIMG", "XSegEditor")]
    assert strange == []


def test_length_of_files_and_functions():
    long = []
    for path in files_below("DeepFaceLab", "benchmarks", "installer", "tools"):
        tree = parsed(path)
        with open(path, encoding="utf-8") as file:
            if len(file.readlines()) > LONGEST_FILE:
                long.append(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                last = max(getattr(below, "lineno", node.lineno) for below in ast.walk(node))
                if last - node.lineno + 1 > LONGEST_FUNCTION:
                    long.append("{}: {}".format(path, node.name))
    assert long == []


def test_every_module_of_the_engine_says_what_it_is():
    dumb = [path for path in files_below("DeepFaceLab", "installer", "tools") if not ast.get_docstring(parsed(path))]
    assert dumb == []


WITHOUT_PACKAGES = """
import sys
sys.path[:0] = sys.argv[1:3]
sys.argv = ["install.py", "--help"]
import runpy
runpy.run_path(sys.path[0] + "/install.py", run_name="__main__")
"""


def test_the_installer_starts_without_any_package():
    words = [sys.executable, "-I", "-S", "-c", WITHOUT_PACKAGES, ROOT, PROGRAM]     # -S: no site-packages
    assert b"--uninstall" in subprocess.check_output(words)


def test_no_left_over_marks():
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b|/(work|ro" r"ot)/")
    found = []
    for path in files_below("DeepFaceLab", "benchmarks", "installer", "tests", "tools"):
        with open(path, encoding="utf-8") as file:
            found += ["{}:{}".format(path, number) for number, line in enumerate(file, 1)
                      if marks.search(line)]
    assert found == []
