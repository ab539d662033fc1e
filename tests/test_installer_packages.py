"""What a Python has, and a real pip that adds to it, in a virtual environment with made-up packages."""
import json
import os
import subprocess
import sys
import venv

import pytest
from accel import host
from installer import build as builds
from installer import packages
from made_up_wheels import make_wheel

pytestmark = pytest.mark.shared_out


def found(version=(3, 6, 8), numba=None, numpy="1.19.3", have=None):
    imports = {"numpy": (numpy, None), "cv2": ("4.1.0", None), "tqdm": ("4.64.1", None), "numba": (numba, None)}
    return packages.Found(version, 64, have or {}, imports)


# --- what there is ---------------------------------------------------------------------------

def test_probe_of_the_running_python():
    import cv2
    import numba
    import numpy
    there = packages.probe(sys.executable)
    assert there.version == sys.version_info[:3] and there.bits == 64
    assert there.imports["numpy"] == (numpy.__version__, None)
    assert there.imports["cv2"] == (cv2.__version__, None)
    assert there.packages["numba"] == numba.__version__
    assert packages.tensorflow(there) is not None
    assert {"opencv-python", "llvmlite", "pytest", "pip"} <= set(there.packages)


def test_probe_does_not_take_over_our_own_libraries(monkeypatch, tmp_path):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('of another Python')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    assert packages.probe(sys.executable).imports["numpy"][0] is not None


@pytest.mark.parametrize("script, words", [
    ("exit 1", "is no Python 3.6"), ("echo crashed >&2; exit 1", "crashed"), ("echo hello", "is no Python")])
def test_what_is_no_python_is_refused(tmp_path, script, words):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\n{}\n".format(script))
    fake.chmod(0o755)
    with pytest.raises(host.UserError, match=words):
        packages.probe(str(fake))
    with pytest.raises(host.UserError, match="does not start"):
        packages.probe(str(tmp_path))


def test_an_old_python_is_refused(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'PROBED [[3, 5, 2], 64, {}, {}]'\n")
    fake.chmod(0o755)
    with pytest.raises(host.UserError, match="is Python 3.5.2"):
        packages.probe(str(fake))


# --- what pip is asked for -------------------------------------------------------------------

def test_nothing_is_asked_for_where_all_is_there():
    assert packages.requirements(found(numba="0.53.1")) == []


@pytest.mark.parametrize("version, numpy, wanted", [
    ((3, 6, 8), "1.19.3", "numba==0.53.1"), ((3, 9, 1), "1.20.3", "numba==0.53.1"),
    ((3, 9, 1), "1.21.0", "numba>=0.54"), ((3, 8, 1), "1.24.4", "numba>=0.54"),
    ((3, 11, 7), "2.4.0", "numba>=0.54"), ((3, 10, 1), "1.21.6", "numba>=0.54"),
    ((3, 11, 7), None, "numba>=0.60"), ((3, 6, 8), None, "numba==0.53.1")])
def test_which_numba(version, numpy, wanted):
    lines = packages.requirements(found(version, numpy=numpy))
    python = "{}.{}".format(*version)
    fitting = [line for line in lines if marker_holds(line.partition(";")[2], python) and line.startswith("numba")]
    assert [line.partition(";")[0].strip() for line in fitting] == [wanted]


ALL_WISHES = {"PIL": ("8.4.0", None), "simplejpeg": ("1.6.5", None)}


@pytest.mark.parametrize("version, there, wanted", [
    ((3, 6, 8), (), ["pillow", "simplejpeg"]), ((3, 6, 8), ("PIL",), ["simplejpeg"]),
    ((3, 6, 8), ("PIL", "simplejpeg"), []), ((3, 7, 0), (), ["pillow"]), ((3, 11, 7), ("PIL",), [])])
def test_what_is_wished_for(version, there, wanted):
    """simplejpeg only for the OpenCV of Python 3.6; nothing of it is needed."""
    python = found(version, numba="0.53.1")
    for name in there:
        python.imports[name] = ALL_WISHES[name]
    assert packages.missing_wishes(python) == wanted
    assert packages.missing(python) == packages.requirements(python) == []


@pytest.mark.parametrize("version", [(3, 6, 8), (3, 7, 1), (3, 9, 0), (3, 10, 2), (3, 11, 7)])
def test_markers_are_read_as_pip_reads_them(version):
    with open(os.path.join(packages.ROOT, "requirements.txt")) as stream:
        lines = [line.strip() for line in stream if line.strip() and not line.startswith("#")]
    assert len(lines) > 10
    for line in lines:
        assert packages.is_for(line, version) == marker_holds(line.partition(";")[2], "{}.{}".format(*version)), line


def test_the_simplejpeg_of_python_36():
    assert packages.wishes("simplejpeg") == ['simplejpeg==1.6.5; python_version < "3.7"']
    assert {"pillow", "simplejpeg"} <= packages.BROUGHT


def marker_holds(marker, python):
    from pip._vendor.packaging.markers import Marker           # as pip itself evaluates them
    return not marker.strip() or Marker(marker.strip()).evaluate({"python_version": python})


def test_constraints_pin_everything_that_there_is():
    have = {"numpy": "1.19.3", "torch": "1.8.0+cu111", "odd": "unknown", "pip": "18.1", "rc": "1.0rc1",
            "apt": "1.1build1", "dirty": "2.0.dirty"}
    assert packages.constraints(found(have=have)) == [
        "numpy==1.19.3", "pip==18.1", "rc==1.0rc1", "torch==1.8.0+cu111"]


def test_pip_words():
    assert packages.pip_words("py", ["a", "b"], "c.txt") == [
        "py", "-m", "pip", "install", "--disable-pip-version-check", "-c", "c.txt", "a", "b"]
    assert packages.pip_words("py", ["a"], "c.txt", "my wheels")[-4:] == [
        "--no-index", "--find-links", "my wheels", "a"]


@pytest.mark.parametrize("problem, words", [
    ("ERROR: Could not find a version that satisfies numba", "reaches the internet"),
    ("connection timed out", "reaches the internet"), ("error: externally-managed-environment", "virtual environment"),
    ("ERROR: Could not install packages due to an EnvironmentError: [WinError 5] Access is denied", "Mend that"),
    ("No module named pip", "Mend that")])
def test_advice_fits_the_problem(problem, words):
    assert words in packages._what_now(problem, None)
    assert "must hold wheels" in packages._what_now(problem, "wheels")


def test_leftovers_of_a_removal_are_no_packages(tmp_path):
    for name in ("~umpy-1.19.3.dist-info", "real-1.0.dist-info", "old_one-2.0-py3.6.egg-info", "no.dist-info"):
        (tmp_path / name).mkdir()
    out = subprocess.check_output([sys.executable, "-c", "import sys; sys.path[:] = [sys.argv.pop(1)] + sys.path\n"
                                   + packages.PROBE, str(tmp_path)]).decode()
    there = json.loads(out.partition("PROBED ")[2])[2]
    assert there["real"] == "1.0" and there["old-one"] == "2.0"
    assert not [name for name in there if "umpy" in name and name != "numpy"] and "no" not in there


# --- a real pip ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A virtual environment with the pip that comes with Python (18.1 for 3.6), and made-up numpy, cv2, tqdm."""
    folder = str(tmp_path_factory.mktemp("environment") / "venv with spaces")
    venv.create(folder, with_pip=True)
    python = builds.environment_python(folder)
    wheels = str(tmp_path_factory.mktemp("first"))
    names = [make_wheel(wheels, *pair) for pair in (
        ("numpy", "1.19.3"), ("opencv_python", "4.1.0.25"), ("tqdm", "4.64.1"))]
    subprocess.check_call([python, "-m", "pip", "install", "-q", "--no-index"] + names)
    return python


@pytest.fixture
def python(pristine):
    """The same environment, as it was before every test."""
    before = packages.probe(pristine)
    yield pristine
    after = packages.probe(pristine)
    packages.remove(pristine, packages.added(before.packages, after))
    assert packages.probe(pristine).packages == before.packages


def numba_version():
    return "0.53.1" if sys.version_info < (3, 10) else "0.61.0"


def test_packages_come_from_a_folder_and_go_again(python, tmp_path):
    wheels = str(tmp_path / "my wheels")
    make_wheel(wheels, "numba", numba_version(), requires=["llvmlite>=0.3", "numpy>=1.15"])
    make_wheel(wheels, "llvmlite", "0.36.0")
    make_wheel(wheels, "numpy", "1.26.0")                      # newer than what is there: not taken
    before = packages.probe(python)
    assert before.imports["numba"] == (None, None)
    after = packages.install(python, before, wheels)
    assert after.imports["numba"] == (numba_version(), None) and after.imports["numpy"] == ("1.19.3", None)
    added = packages.added(before.packages, after)
    assert added == {"numba": numba_version(), "llvmlite": "0.36.0"}
    packages.remove(python, {"llvmlite": "0.35.0"})            # somebody has upgraded it since: it stays
    assert packages.probe(python) == after
    assert packages.remove(python, added) == []
    assert packages.probe(python) == before


@pytest.mark.parametrize("there", ["nothing", "a broken one", "all"])
def test_without_what_is_wished_for_all_goes_on(python, tmp_path, capsys, there):
    wheels = str(tmp_path / "wheels")
    make_wheel(wheels, "numba", numba_version())
    if there == "a broken one":
        make_wheel(wheels, "pillow", "8.4.0", "raise ValueError('numpy.ndarray size changed')\n", module="PIL")
    elif there == "all":
        make_wheel(wheels, "pillow", "8.4.0", module="PIL")
        make_wheel(wheels, "simplejpeg", "1.6.5")
    before = packages.probe(python)
    wished = packages.missing_wishes(before)
    after = packages.install(python, before, wheels)
    assert after == packages.probe(python)
    added = packages.added(before.packages, after)
    said = capsys.readouterr().out
    assert "pillow" in wished and after.imports["numba"] == (numba_version(), None)
    if there == "all":
        assert sorted(added) == sorted(["numba"] + wished) and packages.missing_wishes(after) == []
        assert "without it" not in said
        assert packages.remove(python, added) == []
    else:
        assert list(added) == ["numba"] and packages.missing_wishes(after) == wished
        assert said.count("All else works without it.") == len(wished)
        assert ("does not work: ValueError" in said) == (there == "a broken one")
        second = packages.install(python, after, wheels)                # what is needed is there
        assert second == after


@pytest.mark.parametrize("case, words", [
    ("empty folder", "pip could not install numba.*must hold wheels"),
    ("needs another numpy", "pip could not install|does not work"),
    ("broken", "The package numba does not work: OSError: no library")])
def test_a_failed_pip_leaves_the_environment_as_it_was(python, tmp_path, case, words):
    wheels = str(tmp_path / "wheels")
    os.mkdir(wheels)
    if case == "needs another numpy":
        make_wheel(wheels, "numba", numba_version(), "import numpy\nassert numpy.__version__ > '1.2'\n"
                   "__version__ = '1'\n", requires=["numpy>=1.26"])
        make_wheel(wheels, "numpy", "1.26.0")
    elif case == "broken":
        make_wheel(wheels, "numba", numba_version(), "raise OSError('no library')\n")
    before = packages.probe(python)
    with pytest.raises(host.UserError, match=words) as refusal:
        packages.install(python, before, wheels)
    assert "was not changed" in str(refusal.value)
    assert packages.probe(python) == before


def test_a_python_without_pip(tmp_path):
    folder = str(tmp_path / "bare")
    venv.create(folder, with_pip=False)
    python = builds.environment_python(folder)
    with pytest.raises(host.UserError, match="No module named pip"):
        packages.install(python, packages.probe(python))


def test_changed_packages_are_noticed():
    before = found(have={"numpy": "1.19.3", "tqdm": "4.64.1"})
    after = found(numba="0.53.1", have={"numpy": "1.20.0", "numba": "0.53.1"})
    assert "numpy 1.19.3 -> 1.20.0, tqdm 4.64.1 -> gone" in packages._problem(before, after)
