"""Where a DeepFaceLab is found, and the Python that runs it."""
import os
import sys

import pytest
from accel import host
from installer import build as builds
from made_up_build import make_tree, make_windows_build, write


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in ("DFL_ROOT", "PYTHON_EXECUTABLE", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_EXE"):
        monkeypatch.delenv(name, raising=False)


def program(path):
    """Write a file that can be started."""
    write(os.path.dirname(path), os.path.basename(path), "#!/bin/sh\n")
    os.chmod(path, 0o755)
    return path


@pytest.mark.parametrize("name", ["build", "My build (1) & more!", "100% 'Сборка' ^x", "-dash"])
@pytest.mark.parametrize("below", [".", "_internal", "_internal/DeepFaceLab", "_internal/DeepFaceLab/mainscripts",
                                   "workspace", "_internal/setenv.bat", "4.2) data_src sort.bat"])
def test_windows_build_is_found_from_anywhere_in_it(tmp_path, name, below):
    tree = make_windows_build(str(tmp_path / name))
    write(str(tmp_path / name), "4.2) data_src sort.bat", "@echo off")
    assert builds.find_tree(str(tmp_path / name / below)) == tree


def test_clone_is_found_and_its_kept_files_lie_beside_it(tmp_path):
    tree = make_tree(str(tmp_path / "DeepFaceLab_Linux" / "DeepFaceLab"))
    for path in (tree, os.path.dirname(tree)):
        build = builds.find(path)
        assert (build.tree, build.kept) == (tree, tree + "_original")


def test_a_linked_tree_is_found_where_it_really_lies(tmp_path):
    tree = make_tree(str(tmp_path / "real" / "DeepFaceLab"))
    (tmp_path / "link").symlink_to(tree)
    assert builds.find(str(tmp_path / "link")).tree == tree


@pytest.mark.parametrize("what, words", [
    ("missing", "There is no folder"), ("empty", "is no DeepFaceLab"), ("overlay", "is this overlay itself")])
def test_what_is_no_deepfacelab_is_refused(tmp_path, what, words):
    (tmp_path / "a" / "b" / "empty").mkdir(parents=True)
    write(str(tmp_path / "a" / "b" / "overlay"), "main.py", "")
    write(str(tmp_path / "a" / "b" / "overlay"), "accel/host.py", "")
    with pytest.raises(host.UserError, match=words):
        builds.find_tree(str(tmp_path / "a" / "b" / what))


# --- Python ----------------------------------------------------------------------------------

def test_python_of_a_windows_build(tmp_path):
    tree = make_windows_build(str(tmp_path / "build [1]"))
    inside = program(os.path.join(os.path.dirname(tree), "python-3.6.8", "python.exe"))
    assert builds.find_python(tree) == (inside, "in the build")


def test_python_that_setenv_bat_of_this_build_named_comes_first(tmp_path, monkeypatch):
    tree = make_windows_build(str(tmp_path / "build"))
    program(os.path.join(os.path.dirname(tree), "python-3.6.8", "python.exe"))
    named = program(str(tmp_path / "elsewhere" / "python.exe"))
    monkeypatch.setenv("PYTHON_EXECUTABLE", named)
    assert builds.find_python(tree)[0] != named                # of another build, perhaps
    monkeypatch.setenv("DFL_ROOT", tree)
    assert builds.find_python(tree) == (named, "from setenv.bat")


@pytest.mark.parametrize("folder", ["DeepFaceLab/.venv", "DeepFaceLab/venv", "venv", "env"])
def test_environment_inside_a_build(tmp_path, folder, monkeypatch):
    tree = make_tree(str(tmp_path / "clone" / "DeepFaceLab"))
    write(str(tmp_path / "clone"), "env.sh", "")               # the Linux scripts: all of it is one build
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    program(builds.environment_python(str(tmp_path / "active")))
    inside = program(builds.environment_python(str(tmp_path / "clone" / folder)))
    assert builds.find_python(tree) == (inside, "in the build")


def test_what_lies_beside_a_clone_comes_after_the_active_environment(tmp_path, monkeypatch):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    program(str(tmp_path / "python39" / "python.exe"))         # in C:\\, say
    assert builds.find_python(tree)[0] == sys.executable
    beside = program(builds.environment_python(str(tmp_path / "venv")))
    assert builds.find_python(tree) == (beside, "beside it")
    active = program(builds.environment_python(str(tmp_path / "active")))
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "active"))
    assert builds.find_python(tree) == (active, "the active environment")


@pytest.mark.parametrize("line", ["source {}/bin/activate", ". '{}/bin/activate'"])
@pytest.mark.parametrize("start", ["", "scripts"])
def test_environment_that_the_linux_scripts_activate(tmp_path, line, start):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    write(str(tmp_path), "scripts/env.sh", "# source old/bin/activate\n" + line.format(".dfl/env") + "\n")
    inside = program(builds.environment_python(str(tmp_path / start / ".dfl" / "env")))
    assert builds.find_python(tree) == (inside, "from env.sh")


def test_windows_environments_of_both_kinds(tmp_path, monkeypatch):
    monkeypatch.setattr(builds.compat, "pythons_of_environment", ("Scripts/python.exe", "python.exe"))
    conda = program(str(tmp_path / "conda" / "python.exe"))
    virtual = program(str(tmp_path / "virtual" / "Scripts" / "python.exe"))
    assert builds.environment_python(str(tmp_path / "conda")) == conda
    assert builds.environment_python(str(tmp_path / "virtual")) == virtual


def test_conda_environment_that_the_linux_scripts_name(tmp_path, monkeypatch):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    write(str(tmp_path), "scripts/env.sh", "# conda activate old\nsource x\nconda activate deepfacelab\n"
                                           "export DFL_PYTHON=\"python3\"\n")
    monkeypatch.setenv("CONDA_EXE", str(tmp_path / "conda" / "bin" / "conda"))
    program(builds.environment_python(str(tmp_path / "conda" / "envs" / "old")))
    inside = program(builds.environment_python(str(tmp_path / "conda" / "envs" / "deepfacelab")))
    assert builds.find_python(tree) == (inside, "from env.sh")


def test_python_that_the_linux_scripts_name(tmp_path, monkeypatch):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    write(str(tmp_path), "scripts/env.sh", "export DFL_PYTHON='python3.98'\n")
    named = program(str(tmp_path / "bin" / "python3.98"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin") + os.pathsep + os.environ["PATH"])
    assert builds.find_python(tree) == (named, "from env.sh")


def test_active_environment_then_the_running_python(tmp_path, monkeypatch):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    assert builds.find_python(tree)[0] == sys.executable
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "active"))
    assert builds.find_python(tree)[0] == sys.executable       # there is no Python in it
    active = program(builds.environment_python(str(tmp_path / "active")))
    assert builds.find_python(tree) == (active, "the active environment")


def test_named_python(tmp_path):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    named = program(str(tmp_path / "my python"))
    assert builds.find(tree, named)[2:4] == (named, "as asked")
    with pytest.raises(host.UserError, match="There is no Python"):
        builds.find(tree, str(tmp_path / "none"))


# --- ffmpeg ----------------------------------------------------------------------------------

def test_ffmpeg_of_the_build_comes_before_that_of_the_path(tmp_path, monkeypatch):
    tree = make_windows_build(str(tmp_path / "build"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert builds.find_ffmpeg(tree) is None
    outside = program(str(tmp_path / "ffmpeg"))
    assert builds.find_ffmpeg(tree) == outside
    inside = program(os.path.join(os.path.dirname(tree), "ffmpeg", "ffmpeg"))
    assert builds.find_ffmpeg(tree) == inside


def test_ffmpeg_version(tmp_path):
    fake = program(str(tmp_path / "ffmpeg"))
    write(str(tmp_path), "ffmpeg", "#!/bin/sh\necho ffmpeg version 4.2.1-essentials Copyright\n")
    assert builds.ffmpeg_version(fake) == "4.2.1-essentials"
    write(str(tmp_path), "ffmpeg", "#!/bin/sh\nexit 1\n")
    assert builds.ffmpeg_version(fake) is None
    assert builds.ffmpeg_version(str(tmp_path / "none")) is None
