"""The test of an installed tree: what it says of a good one and of bad ones, and that no compilation is left."""
import ast
import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from command_line import SORT_METHODS
from program import PROGRAM

ROOT = os.path.dirname(PROGRAM)
if ROOT not in sys.path:
    sys.path.append(ROOT)

import installed_tree  # noqa: E402
import merge_workspace  # noqa: E402
from benchmarks import merge_trees, workspace  # noqa: E402
from installer import self_test, self_test_checks, self_test_kernels, self_test_report  # noqa: E402
from mainscripts import Sorter  # noqa: E402

ENOUGH = 1250       # faces, above all thresholds: of hue 1,200, of dissimilarity 388
# the best faces compare so many with each other only if as many are wanted
WORDS = {"absdiff": [["--similar"], ["--dissimilar"]], "final": [["--target-count", "4000"]],
         "final-fast": [["--target-count", "4000"]]}
FORKS_SORTER = """
import os
def main(input_path, sort_by_method=None):
    number = int(input("which? "))
    for name in sorted(os.listdir(str(input_path)), reverse=True):
        os.rename(str(input_path / name), str(input_path / ("{}_".format(number) + name)))
"""
FORKS_MAIN = """
import sys
from pathlib import Path
from mainscripts import Sorter
Sorter.main(Path(sys.argv[3]))
"""
MANY_FAULTS = """

_right = sort_func_methods['brightness'][1]
sort_func_methods['brightness'] = ('brightness', lambda path: [part[::-1] for part in _right(path)])

_whole_process = final_process
def final_process(input_path, img_list, trash_img_list, dry_run=False):
    _whole_process(input_path, img_list, trash_img_list, dry_run)
    path = os.path.join(str(input_path), '00000.jpg')
    if len(trash_img_list) == 4:      # one face in image
        os.remove(path)
    elif len(img_list) == 12 and not trash_img_list:
        os.remove(path)
        with open(path, 'wb') as file:
            file.write(b'nothing')

def _undo(input_path):
    raise KeyError('no journal')
"""
NO_NUMBA = "raise ImportError('Numba needs NumPy 1.20 or less')\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An installed tree after a self-test; its output is `first`."""
    return installed_tree.compiled(tmp_path_factory)


@contextlib.contextmanager
def changes(installed):
    """Change files of the installed tree: change(path, text, at_end=False); they are put back afterwards."""
    before = {}

    def change(path, text, at_end=False):
        file = installed.tree / path
        before.setdefault(file, file.read_bytes())
        file.write_bytes((before[file] if at_end else b"") + text.encode())
    try:
        yield change
    finally:
        for file, content in before.items():
            file.write_bytes(content)


@pytest.fixture
def changed(installed):
    with changes(installed) as change:
        yield change


def failures(output):
    return [line for line in output.splitlines() if "WRONG" in line or "FAILED" in line]


# --- a good tree -----------------------------------------------------------------------------

def test_a_good_tree(installed):
    code, output, details = installed.first
    assert code == 0, output + details
    lines = output.splitlines()
    assert details == "" and failures(output) == []
    compiling = [line for line in lines if line.startswith("Compiling")]
    others = ["Compiling: merge ...", "Compiling: colours of training ..."]
    assert [line for line in compiling if line not in others] == [
        "Compiling ({} of {}): {} ...".format(number, len(self_test_kernels.STEPS), name)
        for number, name in enumerate([Sorter.sort_func_methods[step.method][0] + step.like
                                       for step in self_test_kernels.STEPS], 1)]
    assert set(others) < set(compiling)
    equal = [line for line in lines if line.startswith("Sorting by") and ": equal" in line]
    assert len(equal) == len(SORT_METHODS) + 1       # absdiff has two orders
    for method in SORT_METHODS:
        name = Sorter.sort_func_methods[method][0]
        assert any(re.match(r"Sorting by {}(, (dis)?similar)?: equal".format(re.escape(name)), line)
                   for line in equal), method
    assert "Reading and saving a face: equal" in lines and "Merging a frame: equal" in lines
    assert "Starting main.py as the .bat files do, method 5: equal" in lines
    assert lines[-1].startswith("All is well") and "Note" not in output


def test_every_kernel_of_the_engine_is_compiled(installed):
    from accel import compat_images
    wanted = set()
    for folder, _, names in os.walk(os.path.join(PROGRAM, "accel")):
        for name in names:
            if name.endswith(".py"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    for node in ast.walk(ast.parse(file.read())):
                        if isinstance(node, ast.FunctionDef) and any("jit" in ast.dump(mark)
                                                                     for mark in node.decorator_list):
                            wanted.add("{}.{}".format(name[:-3], node.name))
    if not compat_images.opencv_converts_hsv_slowly():
        wanted.remove("hue._sum_hues")               # never used with this OpenCV
    found = {os.path.basename(path).split("-")[0] for path in installed.kernels()
             if path.startswith(str(installed.cache))}
    assert found == wanted and len(found) > 20


def picture_folder(folder, change):
    """A folder of six small pictures made from faces."""
    workspace.make_faceset(str(folder), 6, seed=8, size=80)
    for path in folder.iterdir():
        picture = change(cv2.imread(str(path)))
        assert cv2.imwrite(str(path.with_suffix(".png")), picture)
        path.unlink()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of every kind that the types of a kernel may depend on."""
    top = tmp_path_factory.mktemp("folders")
    workspace.make_faceset(str(top / "one size"), 14, seed=21, size=144, ties=True, png=2)
    workspace.make_faceset(str(top / "mixed"), 14, seed=22, sizes=[64, 97, 200], ties=True, non_dfl=1, png=2)
    workspace.make_faceset(str(top / "few"), 2, seed=23, size=64)
    picture_folder(top / "grey", lambda picture: picture[..., 1])
    picture_folder(top / "alpha", lambda picture: np.dstack([picture, picture[..., 0]]))
    picture_folder(top / "deep", lambda picture: picture.astype(np.uint16) * 200)
    picture_folder(top / "deep grey", lambda picture: picture[..., 0].astype(np.uint16) * 200)
    name, = workspace.make_faceset(str(top / "many"), 1, seed=24, size=64)
    for number in range(ENOUGH - 1):
        os.link(str(top / "many" / name), str(top / "many" / "copy_{}.jpg".format(number)))
    return top


SORTS = ([(method, folder) for method in ("blur", "motion-blur", "final", "final-fast")
          for folder in ("one size", "mixed", "few")]
         + [("absdiff", folder) for folder in ("one size", "few", "grey", "alpha", "deep", "deep grey")]
         + [(method, folder) for method in ("hist", "hist-dissim", "hue")
            for folder in ("one size", "mixed", "few", "grey", "alpha", "deep", "deep grey")]
         + [(method, "many") for method in ("hist-dissim", "hue", "final", "final-fast")])


# Starts main.py with one list of words after another, and says after each which kernels are new.
ALL_IN_ONE = """
import json, os, runpy, sys

def kernels():
    return {name for _, _, names in os.walk(sys.argv[1]) for name in names if name.endswith((".nbc", ".nbi"))}

place, main, jobs = sys.argv[1:4]
sys.path.insert(0, os.path.dirname(main))
for words in json.loads(jobs):
    before, given, code = kernels(), sys.argv, 0
    sys.argv = [main] + words
    try:
        runpy.run_path(main, run_name="__main__")
    except SystemExit as ending:
        code = ending.code
    sys.argv = given
    print("ENDED " + json.dumps([code, sorted(kernels() - before)]), flush=True)
"""


def ended(output):
    """What ALL_IN_ONE tells of each of its jobs: list of (what main.py has said, [exit code, names of new kernels])."""
    found = re.findall(r"(.*?)^ENDED ([^\n]*)\n", output, re.DOTALL | re.MULTILINE)
    return [(said, json.loads(ending)) for said, ending in found]


@pytest.fixture(scope="module")
def sorted_folders(installed, folders, tmp_path_factory):
    """{(method, folder): what each of the sorts has said, its exit code, the kernels that it compiled}.

    One process sorts all: a kernel that is not on the disk is compiled and put there all the same.
    """
    top = tmp_path_factory.mktemp("copies")
    asked, jobs = [], []
    for number, (method, folder) in enumerate(SORTS):
        for more in WORDS.get(method, [[]]):
            copy = top / "{} {}".format(number, len(jobs)) / "aligned"
            copy.parent.mkdir()
            workspace.copy_faceset(str(folders / folder), str(copy))
            asked.append((method, folder))
            jobs.append(["sort", "--input-dir", str(copy), "--by", method, "--yes"] + more)
    code, output = installed.run("-c", ALL_IN_ONE, str(installed.place), str(installed.tree / "main.py"),
                                 json.dumps(jobs))
    assert code == 0, output
    found = {key: [] for key in asked}
    for key, (said, ending) in zip(asked, ended(output)):
        found[key].append([said] + ending)
    return found


@pytest.mark.parametrize("method, folder", SORTS)
def test_no_later_sort_compiles(sorted_folders, method, folder):
    sorts = sorted_folders[method, folder]
    assert len(sorts) == len(WORDS.get(method, [[]]))
    for said, code, new in sorts:
        assert code == 0 and said.rstrip().endswith("Done."), said
        assert "cannot be measured" not in said
        assert new == []


@pytest.mark.parametrize("further", [
    ["--set", "mode=seamless", "--set", "color_transfer_mode=rct", "--output-format", "jpg"],
    ["--set", "mode=hist-match", "--set", "color_transfer_mode=sot-m", "--set", "motion_blur_power=100", "--set",
     "color_degrade_power=30", "--set", "blursharpen_amount=-15", "--set", "sharpen_mode=1"]], ids=" ".join)
def test_no_later_merge_compiles(installed, tmp_path, further):
    merge_trees.lay_over(merge_trees.STAND_IN, str(installed.tree))    # what a merge needs of DeepFaceLab
    space = merge_workspace.build_workspace(tmp_path / "workspace", count=3, size=(200, 161))
    before = installed.kernels()
    code, output = installed.run(str(installed.tree / "main.py"), *merge_workspace.words(space, "--yes", *further))
    assert code == 0, output
    assert len(list(space.merged.iterdir())) == 3
    assert installed.kernels() == before


def test_kernels_only(installed):
    before = installed.kernels()
    code, output, _ = installed.self_test("--kernels-only")
    assert code == 0
    assert output.splitlines()[-1].startswith("Compiled (") and "Sorting" not in output
    assert installed.kernels() == before


# --- bad trees -------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def bad(installed):
    """(exit code, output, details) of a test that meets many faults at once, each in a part of its own."""
    with changes(installed) as change:
        change("mainscripts/Sorter.py", MANY_FAULTS, at_end=True)
        change("DFLIMG/DFLJPG.py", "import nothing_of_this_name\n")
        change("main.py", "import sys\nprint('/!\\\\ No sort today.')\nprint('more')\nsys.exit(4)\n")
        return installed.self_test()


def test_a_wrong_order_is_found(bad):
    code, output, details = bad
    line, = [line for line in failures(output) if line.startswith("Sorting by brightness")]
    assert line.startswith("Sorting by brightness: WRONG: another order: ") and line in details
    assert code == 1 and output.splitlines()[-1] == "Checks that failed: {}.".format(len(failures(output)))


def test_a_lost_and_a_changed_file_are_found(bad):
    lost = [line for line in failures(bad[1]) if line.startswith("Sorting by one face in image")]
    assert lost == ["Sorting by one face in image: WRONG: 1 of 24 files are LOST OR CHANGED, 0 are new"]
    overwritten = [line for line in failures(bad[1]) if line.startswith("Sorting by absolute")]
    assert len(overwritten) == 2 and all("1 are new" in line for line in overwritten)


def test_a_crash_is_one_line_and_a_traceback_for_programmers(bad):
    _, output, details = bad
    found = [line for line in failures(output) if "FAILED" in line]
    assert "Sorting by best faces: FAILED (KeyError: 'no journal')" in found
    face, = [line for line in found if line.startswith("Reading and saving a face: ")]
    assert face.startswith("Reading and saving a face: FAILED (ModuleNotFoundError: ")
    assert "Traceback" in details and "in _undo" in details


def test_a_command_line_that_fails_is_found(bad):
    _, output, details = bad
    line, = [line for line in failures(output) if line.startswith("Starting")]
    assert line == ("Starting main.py as the .bat files do, method 5: WRONG: the command ended with "
                    "code 4: /!\\ No sort today.")
    assert "more" in details


def test_nothing_else_is_told_of_a_bad_tree(bad):
    assert len(failures(bad[1])) == 7       # brightness, one face, absolute twice, best, the face, the command


def test_a_kernel_that_does_not_compile_is_found(installed, changed):
    changed("mainscripts/Sorter.py", """

_measured = sort_func_methods['motion-blur'][1]
def _sort_without_compiler(path):
    from accel.ranking import sharpness
    def broken(planes):
        raise TypeError('no compiler')
    sharpness._laplacian_sums = broken
    return _measured(path)
sort_func_methods['motion-blur'] = ('motion_blur', _sort_without_compiler)
""", at_end=True)
    code, output, _ = installed.self_test()
    assert code == 1
    line, = failures(output)
    assert line.startswith("Compiling (2 of 9): motion_blur: WRONG: ") and line.endswith(": no compiler")
    assert "Sorting" not in output


def test_a_missing_numba(installed, tmp_path):
    (tmp_path / "numba.py").write_text(NO_NUMBA)
    for words in ([], ["--kernels-only"]):
        code, output, _ = installed.self_test(*words, PYTHONPATH=str(tmp_path))
        assert code == 3
        line, = output.splitlines()
        assert "numba cannot be imported (ImportError: Numba needs NumPy 1.20 or less)" in line
        assert "blur, motion-blur, hist, absdiff, final cannot run" in line


def test_which_methods_need_numba(installed, folders, tmp_path):
    (tmp_path / "numba.py").write_text(NO_NUMBA)
    asked = [(method, folder) for folder in ("few", "many") for method in SORT_METHODS]
    jobs = [["sort", "--input-dir", str(folders / folder), "--by", method, "--dry-run", "--yes"]
            + WORDS.get(method, [[]])[0] for method, folder in asked]
    code, output = installed.run("-c", ALL_IN_ONE, str(installed.place), str(installed.tree / "main.py"),
                                 json.dumps(jobs), PYTHONPATH=str(tmp_path))
    assert code == 0, output
    failed = {"few": [], "many": []}
    for (method, folder), (said, ending) in zip(asked, ended(output)):
        if (ending[0] or "cannot be measured" in said) and method not in failed["few"]:
            failed[folder].append(method)
    for path in installed.temp.iterdir():            # what main.py keeps of each error
        path.unlink()
    from accel import compat_images
    for_many = [method for method in self_test_kernels.NEED_NUMBA_FOR_MANY
                if method != "hue" or compat_images.opencv_converts_hsv_slowly()]
    assert failed == {"few": list(self_test_kernels.NEED_NUMBA), "many": for_many}


# --- forks -----------------------------------------------------------------------------------

def test_a_sorter_of_a_fork(installed, changed, tmp_path):
    changed("mainscripts/Sorter.py", FORKS_SORTER)
    changed("main.py", FORKS_MAIN)
    (tmp_path / "numba.py").write_text(NO_NUMBA)
    code, output, details = installed.self_test(PYTHONPATH=str(tmp_path))
    assert code == 0, output + details
    lines = output.splitlines()
    assert lines[:-1] == ["The tree keeps a Sorter of its own: the orders that it gives are not checked.",
                          "Reading and saving a face: equal",
                          "Starting main.py as the .bat files do, method 5: no file is lost"]
    code, output, _ = installed.self_test("--kernels-only")
    assert code == 0 and "nothing to compile" in output


def test_a_sorter_of_a_fork_that_does_not_fit_to_our_command_line(installed, changed):
    changed("mainscripts/Sorter.py", FORKS_SORTER)
    code, output, details = installed.self_test()
    assert code == 1
    line, = failures(output)
    assert "Starting main.py" in line and "unexpected keyword argument" in line
    assert "TypeError" in details


# --- words, and what is around ---------------------------------------------------------------

def test_wrong_words(installed, tmp_path):
    code, output = installed.run(installed_tree.SELF_TEST, str(tmp_path))
    assert code == 2 and "is no DeepFaceLab folder" in output


@pytest.mark.shared_out
@pytest.mark.parametrize("number, first_word", [(signal.SIGINT, "Compiling"), (signal.SIGTERM, "Compiling"),
                                                (signal.SIGTERM, "Sorting")])
def test_an_interrupt_leaves_nothing(installed, number, first_word):
    process = subprocess.Popen([sys.executable, installed_tree.SELF_TEST, str(installed.tree)], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, universal_newlines=True, env=installed.environment)
    try:
        for line in process.stdout:
            if line.startswith(first_word):
                break
        process.send_signal(number)
        told = process.stdout.read()
        assert process.wait() == 130
    finally:
        process.kill()
        process.stdout.close()
    assert told.splitlines()[-1] == "Stopped by Ctrl-C." and "Traceback" not in told
    assert list(installed.temp.iterdir()) == []


def test_a_system_without_these_letters(installed, monkeypatch):
    real = self_test.tempfile.mkdtemp
    asked = []

    def mkdtemp(prefix):
        asked.append(prefix)
        prefix.encode("ascii")
        return real(prefix=prefix, dir=str(installed.temp))
    monkeypatch.setattr(self_test.tempfile, "mkdtemp", mkdtemp)
    place = self_test.make_place()
    os.rmdir(place)
    assert asked == list(self_test.PLACES) and " " in os.path.basename(place)


def test_kernels_that_cannot_be_kept_are_told(monkeypatch, capsys):
    report = self_test_report.Report()
    monkeypatch.setattr(self_test_kernels, "compiled_here", lambda: ["_blur"])
    self_test.tell_uncached(report, "tree")
    assert "cannot be kept" in capsys.readouterr().out and report.failures == 0


def test_same_metadata():
    def metadata(**changes):
        return dict({"a": [1.0, 2.0], "b": np.arange(4), "c": "name", "d": None}, **changes)
    assert self_test_checks.same(metadata(), metadata())
    for changes in ({"a": [1.0]}, {"a": [1.0, 2]}, {"b": np.arange(4.0)}, {"b": np.arange(1, 5)}, {"c": "Name"},
                    {"e": 1}, {"b": np.arange(4).reshape(2, 2)}, {"d": 0}):
        assert not self_test_checks.same(metadata(**changes), metadata())


def test_the_report(tmp_path, capsys):
    def noisy():
        print("inside")
        raise ValueError("first\nsecond")
    report = self_test_report.Report(str(tmp_path / "details.txt"))
    assert report.check("One", lambda: "equal") and report.check("Two", lambda: None)
    assert not report.check("Three", noisy) and report.failures == 1
    assert capsys.readouterr().out == "One: equal\nThree: FAILED (ValueError: first)\n"
    details = (tmp_path / "details.txt").read_text()
    assert "second" in details and "inside" in details
    report = self_test_report.Report(str(tmp_path / "no folder" / "details.txt"))
    report.fail("Four")
    report.fail("Five")
    assert capsys.readouterr().out.count("cannot be written") == 1
