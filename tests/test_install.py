"""install.py as a user starts it, on a made-up Windows build, with a Python that really sorts."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import installed_tree
import pytest
from benchmarks import stock_tree
from installer import build as builds
from installer import record as records
from made_up_build import MODULES, make_windows_build, snapshot, write
from program import PROGRAM

pytestmark = pytest.mark.shared_out

ROOT = os.path.dirname(PROGRAM)
INSTALL = os.path.join(ROOT, "install.py")
GOLDEN = os.path.join(ROOT, "tests", "data", "sort")
NAME = "DeepFaceLab (Сборка) & more!"

METHODS = ("blur", "motion-blur", "face-yaw", "face-pitch", "face-source-rect-size", "hist", "hist-dissim",
           "brightness", "hue", "black", "origname", "oneface", "absdiff", "final", "final-fast")
# Of each kind of method one: (its case of the golden orders, what one types behind its number).
TYPED = {"face-yaw": ("face-yaw", ""), "hist": ("hist", ""), "hue": ("hue", ""),
         "absdiff": ("absdiff-similar", "y\n"), "final": ("final-target-128", "128\n")}


def install(*words, program=INSTALL, typed=b"", python=sys.executable, **environment):
    """Run install.py. Return (exit code, everything it printed)."""
    run = subprocess.run([python, program] + list(words), input=typed, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env=variables(**environment), timeout=300)
    return run.returncode, run.stdout.decode("utf-8", "replace")


def variables(**more):
    """The environment, without what would make tests compile elsewhere or not at all."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT", "DFL_ACCEL_CALLER")}
    return dict(kept, PYTHONIOENCODING="utf-8", **more)


def same_tree(tree, before):
    return snapshot(tree) == before and not os.path.exists(os.path.join(tree, "accel"))


@pytest.fixture
def build(tmp_path):
    """(root, tree, snapshot of the tree) of a fresh build."""
    root = str(tmp_path / NAME)
    tree = make_windows_build(root)
    return root, tree, snapshot(tree)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """An installed_tree.Installed, whose kernels can be given to other trees: compiling all takes a minute."""
    return installed_tree.compiled(tmp_path_factory)


def install_with(kernels, tree, *words, program=INSTALL, but=(), until=None):
    """Run install.py --yes and give the tree compiled kernels before its test. Return (exit code, what was printed).

    but: modules whose kernels are not given. until: at a line that begins so (bytes) it is killed.
    """
    process = subprocess.Popen([sys.executable, "-u", program] + list(words) + ["--yes"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables(),
                               start_new_session=True)
    said = b""
    with process:
        for line in process.stdout:
            said += line
            if line.startswith(b"[3/3]"):
                os.killpg(process.pid, signal.SIGSTOP)
                kernels.give_kernels(tree, but)
                os.killpg(process.pid, signal.SIGCONT)
            if until is not None and line.startswith(until):
                os.killpg(process.pid, signal.SIGKILL)
                break
    return process.returncode, said.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def installed(kernels, tmp_path_factory):
    """(root, tree, snapshot before, what the installation printed) of a build with the whole overlay.

    It compiles the kernels of histograms; the others it finds compiled.
    """
    root = str(tmp_path_factory.mktemp("installed") / NAME)
    tree = make_windows_build(root)
    before = snapshot(tree)
    code, said = install_with(kernels, tree, root, "--force", but=("histogram",))
    assert code == 0, said
    return root, tree, before, said


# --- the whole way ---------------------------------------------------------------------------

def test_installation_says_what_it_found_did_and_tested(installed):
    root, tree, before, said = installed
    for words in ("DeepFaceLab  " + tree, "a fork, or a newer", "Python       " + sys.executable, "numpy ", "OpenCV ",
                  "TensorFlow 2", "numba 0.", "ffmpeg       ", "Overlay      not installed", "To do: add ",
                  "[2/3] Copying", "[3/3] Compiling", "Sorting by blur: equal", "All is well",
                  "Installed and tested."):
        assert words in said, said
    assert "/!\\" not in said
    assert sorted(os.listdir(os.path.join(root, "_internal"))) == [
        "DeepFaceLab", "DeepFaceLab_original", "ffmpeg", "setenv.bat"]


def test_the_kernels_that_it_compiled_are_beside_the_modules(installed, kernels):
    def names(folder, pattern):
        return sorted(path.name.split("-")[0] for path in folder.glob(pattern))
    wanted = names(kernels.pristine, "ranking_*/histogram.*.nbc")
    assert names(Path(installed[1], "accel", "ranking", "__pycache__"), "histogram.*.nbc") == wanted
    assert len(wanted) > 5


def test_verify_says_complete(installed):
    code, said = install(installed[0], "--verify")
    assert code == 0 and "Complete: version" in said


def test_the_benchmark_finds_the_originals(installed, tmp_path):
    unchanged = stock_tree.find(installed[0], sys.executable).unchanged(str(tmp_path / "before"))
    assert {path: state[0] for path, state in snapshot(unchanged).items()} == {
        path: text.encode() for path, text in MODULES.items()}


@pytest.mark.parametrize("method", sorted(TYPED))
def test_sort_by_the_line_of_the_bat_file(installed, tmp_path, method):
    """4.2) data_src sort.bat, its answers typed, on faces whose order by stock is known."""
    tree = installed[1]
    case, answers = TYPED[method]
    with open(os.path.join(GOLDEN, "expected.json")) as stream:
        order = json.load(stream)["orders"][case]
    workspace = str(tmp_path / "workspace")
    faces = os.path.join(workspace, "data_src", "aligned")
    os.makedirs(faces)
    for name in order["sorted"] + order["trash"]:
        shutil.copyfile(os.path.join(GOLDEN, "aligned", name), os.path.join(faces, name))
    line = ('"$PYTHON_EXECUTABLE" "$DFL_ROOT/main.py" sort \\\n'
            '    --input-dir "$WORKSPACE/data_src/aligned"\n')
    run = subprocess.run(["sh", "-c", line], input="{}\n{}".format(METHODS.index(method), answers).encode(),
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=variables(PYTHON_EXECUTABLE=sys.executable, DFL_ROOT=tree, WORKSPACE=workspace))
    assert run.returncode == 0, run.stdout.decode("utf-8", "replace")
    assert run.stdout.endswith(b"Done.\n")
    trash = faces + "_trash"
    assert [content(faces, name) for name in sorted(os.listdir(faces)) if not name.startswith(".")] == [
        content(os.path.join(GOLDEN, "aligned"), name) for name in order["sorted"]]
    assert sorted(os.listdir(trash) if os.path.isdir(trash) else []) == sorted(order["trash"])


def content(folder, name):
    with open(os.path.join(folder, name), "rb") as stream:
        return stream.read()


def test_the_menu_of_an_installed_tree(installed):
    code, said = install(installed[0], typed=b"1\n")
    assert code == 0 and "[1] verify it" in said and "Complete: version" in said
    code, said = install(installed[0], typed=b"0\nn\n")
    assert code == 1 and "files are in place already" in said and "To do: add" not in said
    assert said.endswith("Nothing was changed.\n")
    code, said = install(installed[0], typed=b"2\nn\n")
    assert code == 1 and "Uninstall the overlay?" in said and said.endswith("Nothing was changed.\n")
    code, said = install(installed[0], "--verify")
    assert code == 0


def test_verify_names_what_is_wrong_and_installing_mends_it(installed, kernels, tmp_path):
    root = str(tmp_path / "copy")
    shutil.copytree(installed[0], root)
    tree = os.path.join(root, "_internal", "DeepFaceLab")
    write(tree, "mainscripts/Sorter.py", "from accel import host  # edited\n")
    os.remove(os.path.join(tree, "accel", "host.py"))
    os.remove(os.path.join(tree + "_original", "files", "main.py"))
    code, said = install(root, "--verify")
    assert code == 1
    assert "Missing: accel/host.py." in said and "Changed since the installation: mainscripts/Sorter.py." in said
    assert "kept originals are damaged or gone: main.py" in said
    write(tree + "_original", "files/main.py", MODULES["main.py"])
    code, said = install_with(kernels, tree, root, "--force", "--no-pip")
    assert code == 0 and "edited by hand is kept as" in said, said
    code, said = install(root, "--verify")
    assert code == 0, said
    code, said = install(root, "--uninstall", "--yes")
    assert code == 0, said
    assert {path: state[0] for path, state in snapshot(tree).items()} == {
        path: text.encode() for path, text in MODULES.items()}


# --- what is not done ------------------------------------------------------------------------

def test_dry_run_and_no_change_nothing(build):
    root, tree, before = build
    code, said = install(root, "--dry-run")
    assert code == 0 and "Dry run: nothing was changed." in said
    assert "main.py stays as it is" in said and "To do: add" in said
    code, said = install(root, typed=b"n\n")
    assert code == 1 and said.endswith("Nothing was changed.\n")
    code, said = install(root, "--verify")
    assert code == 1 and "The overlay is not installed" in said
    code, said = install(root, "--uninstall", "--yes")
    assert code == 1 and "No overlay that install has put there" in said
    assert same_tree(tree, before) and not os.path.exists(tree + "_original")


@pytest.mark.parametrize("words, code, said", [
    (["/no/such/folder"], 1, "There is no folder /no/such/folder"), ([os.path.dirname(PROGRAM)], 1, "is no DeepFace"),
    ([PROGRAM], 1, "is this overlay itself"), (["--nonsense"], 2, "usage"),
    (["x", "--verify", "--uninstall"], 2, "not allowed"), (["--help"], 0, "PATH")])
def test_wrong_words(words, code, said):
    ended, printed = install(*words)
    assert ended == code and said in printed and "Traceback" not in printed


def test_without_a_path_it_asks(build):
    root, tree, before = build
    code, said = install(typed="'{}'\nn\n".format(root).encode())
    assert code == 1 and "Folder of your DeepFaceLab" in said and "DeepFaceLab  " + tree in said
    code, said = install()
    assert code == 1 and "Say which DeepFaceLab" in said


def test_relative_paths_are_those_of_the_caller(build, tmp_path):
    root, tree, before = build
    code, said = install(root, "--yes", "--wheels", "none", "--python", "bin/python", DFL_ACCEL_CALLER=str(tmp_path))
    assert code == 1 and "There is no Python {}".format(tmp_path / "bin" / "python") in said
    assert same_tree(tree, before)


# --- other copies of the project -------------------------------------------------------------

@pytest.fixture
def release(tmp_path):
    """A copy of the project that can be changed. Return the path of its install.py."""
    folder = str(tmp_path / "release")
    for name in ("DeepFaceLab", "installer", "benchmarks", "tests/naive"):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(folder, name),
                        ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("install.py", "pyproject.toml", "requirements.txt", "tests/data/face_model.json"):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), os.path.join(folder, name))
    return os.path.join(folder, "install.py")


def edit(program, path, old, new):
    target = os.path.join(os.path.dirname(program), *path.split("/"))
    with open(target, encoding="utf-8") as stream:
        text = stream.read()
    assert old in text
    write(os.path.dirname(program), path, text.replace(old, new))


# One method's wrong order, in a module without kernels: those of a changed engine would all be compiled.
WRONG = "DeepFaceLab/mainscripts/Sorter.py", "pixels.rank_brightness", "pixels.rank_black"


def failures(said):
    """What failed in a self-test, without how much of it (list of str)."""
    lines = [line for line in said.splitlines() if ": WRONG" in line or "FAILED" in line]
    return [":".join(line.split(":")[:3]) for line in lines]


def test_an_overlay_that_fails_its_test_is_taken_off_again(build, release, kernels):
    root, tree, before = build
    edit(release, *WRONG)
    code, said = install_with(kernels, tree, root, "--no-pip", program=release)
    assert failures(said) == ["Sorting by brightness: WRONG: another order"], said
    assert code == 1 and "The self-test failed" in said and "Everything is as it was before." in said
    assert same_tree(tree, before) and not os.path.exists(tree + "_original")


def test_an_installation_that_worked_is_not_taken_off_by_a_failing_test(installed, release, kernels, tmp_path):
    root = str(tmp_path / "copy")
    shutil.copytree(installed[0], root)
    tree = os.path.join(root, "_internal", "DeepFaceLab")
    edit(release, *WRONG)
    code, said = install_with(kernels, tree, root, "--no-pip", "--force", program=release)
    assert failures(said) == ["Sorting by brightness: WRONG: another order"], said
    assert code == 1 and "The self-test has not passed" in said and "--uninstall to go back" in said
    assert os.path.isfile(os.path.join(tree, "accel", "host.py"))
    code, said = install(root, "--verify")
    assert code == 1 and "its self-test has not passed" in said


def test_uninstall_without_a_manifest_says_what_it_cannot_do(installed, tmp_path):
    root = str(tmp_path / "copy")
    shutil.copytree(installed[0], root)
    kept = os.path.join(root, "_internal", "DeepFaceLab_original")
    os.remove(os.path.join(kept, records.NAME))
    code, said = install(root, "--uninstall", "--yes")
    assert code == 1 and "nothing was put back" in said and os.path.join(kept, "files", "main.py") in said
    assert content(os.path.join(kept, "files"), "main.py") == MODULES["main.py"].encode()


def test_uninstall_works_where_the_python_is_gone(installed, tmp_path):
    root = str(tmp_path / "moved")
    shutil.copytree(installed[0], root)
    tree = os.path.join(root, "_internal", "DeepFaceLab")
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    code, said = install(root, "--uninstall", "--yes", "--python", str(broken))
    assert code == 0 and "is no Python 3.6" in said and "Uninstalled" in said, said
    assert {path: state[0] for path, state in snapshot(tree).items()} == {
        path: text.encode() for path, text in MODULES.items()}


def test_unpacked_into_a_build_it_finds_it(build, release):
    root, tree, before = build
    shutil.move(os.path.dirname(release), os.path.join(root, "accelerated"))
    code, said = install("--dry-run", program=os.path.join(root, "accelerated", "install.py"))
    assert code == 0 and "DeepFaceLab  " + tree in said


def test_installing_leaves_the_copy_as_it_was(build, release):
    before = snapshot(os.path.dirname(release))
    assert install(build[0], "--dry-run", program=release)[0] == 0
    assert snapshot(os.path.dirname(release)) == before
    assert not [folder for folder, _, _ in os.walk(os.path.dirname(release)) if folder.endswith("__pycache__")]


# --- packages --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def without_numba(tmp_path_factory):
    """A Python that has everything but numba."""
    import venv
    import numpy
    folder = str(tmp_path_factory.mktemp("without numba") / "venv")
    venv.create(folder, with_pip=True)
    python = builds.environment_python(folder)
    where = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    site = where.decode().strip()
    write(site, "numba.py", "raise ModuleNotFoundError('No module named numba', name='numba')\n")
    write(site, "other.pth", os.path.dirname(os.path.dirname(numpy.__file__)) + "\n")
    return python


def test_without_numba_and_pip_it_says_what_will_not_run(build, without_numba):
    root, tree, before = build
    code, said = install(root, "--yes", "--no-pip", "--force", python=without_numba)
    assert code == 0 and "numba missing" in said and "/!\\ Installed, but numba is missing" in said, said
    code, said = install(root, "--verify", python=without_numba)
    assert code == 1 and "The Python package numba is missing" in said
    faces = os.path.join(root, "workspace", "data_src", "aligned")
    for name in os.listdir(os.path.join(GOLDEN, "aligned"))[:5]:
        shutil.copy(os.path.join(GOLDEN, "aligned", name), faces)
    before_sort = snapshot(faces)
    run = subprocess.run([without_numba, os.path.join(tree, "main.py"), "sort", "--input-dir", faces, "--by", "final"],
                         input=b"\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables())
    assert run.returncode == 1 and b"The Python package numba is missing" in run.stdout
    assert snapshot(faces) == before_sort
    code, said = install(root, "--uninstall", "--yes", python=without_numba)
    assert code == 0 and same_tree(tree, before)


def test_a_failed_pip_leaves_the_tree_untouched(build, without_numba, tmp_path):
    root, tree, before = build
    (tmp_path / "wheels").mkdir()
    code, said = install(root, "--yes", "--wheels", str(tmp_path / "wheels"), python=without_numba)
    assert code == 1 and "The package numba does not work" in said and "was not changed" in said
    assert same_tree(tree, before) and not os.path.exists(tree + "_original")


# --- killed ----------------------------------------------------------------------------------

@pytest.mark.parametrize("line", [b"[2/3]", b"[3/3]", b"Compiling", b"Sorting by"])
def test_killed_in_a_phase_it_can_be_taken_back(build, kernels, line):
    root, tree, before = build
    but = ("sharpness",) if line == b"Compiling" else ()        # the first that it compiles
    code, said = install_with(kernels, tree, root, "--force", but=but, until=line)
    assert code == -signal.SIGKILL, said
    code, said = install(root, "--verify")
    assert code == 1
    if line != b"[2/3]":
        assert "its self-test has not passed" in said
    code, said = install(root, "--uninstall", "--yes")
    assert code == 0 or "No overlay" in said
    assert same_tree(tree, before) and not os.path.exists(tree + "_original")


def test_killed_while_it_uninstalls_it_goes_on(installed, tmp_path):
    root = str(tmp_path / "copy")
    shutil.copytree(installed[0], root)
    tree = os.path.join(root, "_internal", "DeepFaceLab")
    process = subprocess.Popen([sys.executable, INSTALL, root, "--uninstall", "--yes"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables())
    with process:
        manifest = os.path.join(tree + "_original", records.NAME)
        while process.poll() is None and b'"uninstalling"' not in content(*os.path.split(manifest)):
            time.sleep(0.0005)
        process.kill()
    code, said = install(root, "--uninstall", "--yes")
    assert code == 0 or "No overlay" in said, said
    assert {path: state[0] for path, state in snapshot(tree).items()} == {
        path: text.encode() for path, text in MODULES.items()}
    assert not os.path.exists(os.path.join(tree, "accel")) and not os.path.exists(tree + "_original")


def test_when_nobody_reads_it_ends_without_a_traceback(build):
    root, tree, before = build
    process = subprocess.Popen([sys.executable, "-u", INSTALL, root, "--yes", "--force", "--no-pip"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=variables())
    process.stdout.readline()
    process.stdout.close()
    with process:
        said = process.stderr.read()
    assert process.returncode == 1 and said == b""
    code, said = install(root, "--uninstall", "--yes")
    assert code == 0 or "No overlay" in said
    assert same_tree(tree, before)


def test_ctrl_c_ends_with_a_word(build):
    root, tree, before = build
    process = subprocess.Popen([sys.executable, INSTALL, root, "--force"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables())
    with process:
        said = b""
        while b"Install the overlay?" not in said:
            piece = process.stdout.read1(1000)
            assert piece, said
            said += piece
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)     # one that comes just before it waits for the answer is not seen
            time.sleep(0.1)
        process.kill()
        said += process.stdout.read()
    assert process.returncode == 130 and b"Stopped by Ctrl-C." in said and b"Traceback" not in said
    assert same_tree(tree, before)
