"""install.bat, run by wine's cmd.exe. Started by run.py, not part of the other tests."""
import json
import os
import shutil

import pytest
from wine_build import SETENV, SORT, Build, Release, windows

# No "%": wine drops a lone one from %~dp0 and %~1, the cmd.exe of Windows keeps it. See test_percent_sign.
FOLDERS = ["two words", "x (86)", "a&b", "wow! no!", "a^b", "it's", "Мои видео", "a,b;c=d", "[a] {b} +@~#$",
           "Всё & more! (it's ^ all)", "a&b!c(1)^'Я"]
KINDS = ["cmd", "explorer"]


def started(wine, kind, release, words, *rest, **variables):
    """Start the install.bat of this release from a console or from Explorer."""
    if kind == "cmd":
        return wine.cmd('"{}" {}'.format(release.bat, words), *rest, **variables)
    return wine.explorer(release.bat, words, *rest, **variables)


def only_call(ending, release, build, words=(), code=0):
    """Check that install.py was started once, inside the build, by the Python of the build. Return the call."""
    assert ending.code == code, ending
    assert len(ending.calls) == 1, ending
    call = ending.calls[0]
    assert call.words == [release.script, "."] + list(words)
    assert call.folder.rstrip("\\") == windows(build.root) and call.program.startswith(windows(build.root) + "\\")
    assert "PYTHONHOME" not in call.variables and "PYTHONPATH" not in call.variables
    return call


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FOLDERS)
def test_name_of_the_build(wine, release, tmp_path, name, kind):
    build = Build(wine, tmp_path / name)
    call = only_call(started(wine, kind, release, '"{}" --yes'.format(build.windows())), release, build, ["--yes"])
    if "&" not in name and "^" not in name:  # there the build's own setenv.bat fails
        assert call.variables["DFL_ROOT"] == build.windows("_internal", "DeepFaceLab")
        assert call.variables["USERPROFILE"] == build.windows("_internal", "_e", "u")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FOLDERS)
def test_name_of_the_release(wine, tmp_path, name, kind):
    release, build = Release(tmp_path / name), Build(wine, tmp_path / "build")
    only_call(started(wine, kind, release, '"{}" --yes'.format(build.windows())), release, build, ["--yes"])


@pytest.mark.parametrize("name", FOLDERS)
def test_release_inside_the_build(wine, tmp_path, name):
    build = Build(wine, tmp_path / name)
    release = Release(tmp_path / name / name)
    only_call(wine.explorer(release.bat), release, build)


def test_percent_sign(wine, release, tmp_path):
    build = Build(wine, tmp_path / "100% & 50% off!")
    ending = wine.cmd('"{}" . --dry-run'.format(release.bat), folder=build.root)
    only_call(ending, release, build, ["--dry-run"])


@pytest.mark.parametrize("below", [(), ("sub",), ("sub", "two words")])
def test_folder_above_is_found(wine, tmp_path, below):
    build = Build(wine, tmp_path / "build (1)")
    release = Release(build.path(*below))
    for kind in KINDS:
        only_call(started(wine, kind, release, "", folder=str(tmp_path)), release, build)
    only_call(wine.cmd('"{}" --verify --yes'.format(release.bat)), release, build, ["--verify", "--yes"])


def test_folder_too_far_above_is_not_taken(wine, tmp_path):
    release = Release(Build(wine, tmp_path / "build").path("1", "2", "3"))
    assert wine.explorer(release.bat).calls == []


@pytest.mark.parametrize("below", [("_internal",), ("_internal", "DeepFaceLab")])
@pytest.mark.parametrize("end", ["", "\\"])
def test_folder_inside_the_build(wine, release, tmp_path, below, end):
    build = Build(wine, tmp_path / "build (1)")
    ending = wine.cmd('"{}" "{}"'.format(release.bat, build.windows(*below) + end))
    assert ending.code == 0 and [call.words for call in ending.calls] == [[release.script, "."]]
    assert ending.calls[0].folder == build.windows(*below)
    assert ending.calls[0].program == build.windows("_internal", "python-3.6.8", "python.exe")
    assert ending.calls[0].variables["DFL_ROOT"] == build.windows("_internal", "DeepFaceLab")


@pytest.mark.parametrize("name", ["two words", "a & b (1)"])
def test_dropped_with_spaces(wine, release, tmp_path, name):
    build = Build(wine, tmp_path / name)
    only_call(wine.explorer(release.bat, '"{}"'.format(build.windows())), release, build)
    ending = wine.explorer(release.bat, '"{}"'.format(build.windows("4.2) data_src sort.bat")))
    only_call(ending, release, build)


def test_dropped_without_spaces(wine, release, tmp_path):
    build = Build(wine, tmp_path / "build")
    only_call(wine.explorer(release.bat, build.windows()), release, build)


@pytest.mark.parametrize("answer", ['"{}"', "{}"])
@pytest.mark.parametrize("name", ["two words", "a & b (1)^", "a!b"])
def test_folder_is_asked(wine, release, tmp_path, name, answer):
    build = Build(wine, tmp_path / name)
    ending = wine.explorer(release.bat, "", answer.format(build.windows()) + "\n")
    only_call(ending, release, build)
    assert "Drag the DeepFaceLab folder" in ending.text
    only_call(wine.cmd('"{}" --dry-run'.format(release.bat), answer.format(build.windows()) + "\n"),
              release, build, ["--dry-run"])


@pytest.mark.parametrize("answer", ["", "\n", '""\n'])
def test_no_answer(wine, release, answer):
    ending = wine.explorer(release.bat, "", answer)
    assert ending.code == 1 and ending.calls == []
    assert "No folder was given. Nothing was changed." in ending.text


def test_unknown_folder(wine, release, tmp_path):
    Build(wine, tmp_path / "build")
    ending = wine.cmd('"{}" "{}"'.format(release.bat, windows(tmp_path / "build" / "no & such")))
    assert ending.code == 1 and ending.calls == []
    assert 'There is no folder "{}"'.format(windows(tmp_path / "build" / "no & such")) in ending.text


def test_folder_of_the_caller(wine, release, tmp_path):
    build = Build(wine, tmp_path / "two words")
    ending = wine.cmd('"{}" "two words" --wheels wheels'.format(release.bat), folder=str(tmp_path))
    call = only_call(ending, release, build, ["--wheels", "wheels"])
    assert call.variables["DFL_ACCEL_CALLER"] == windows(tmp_path)


def test_caller_stays_where_it_was(wine, release, tmp_path):
    build = Build(wine, tmp_path / "build")
    ending = wine.cmd('call "{}" "{}" & cd & set DFL_'.format(release.bat, build.windows()), folder=str(tmp_path))
    shown = ending.text.splitlines()
    assert windows(tmp_path) in shown and "DFL_ACCEL_NO_PAUSE=1" in shown
    assert not [line for line in shown if line.startswith("DFL_ACCEL_TARGET")]


def test_words_with_quotes(wine, release, tmp_path):
    build = Build(wine, tmp_path / "build")
    words = r'--yes --wheels "C:\my wheels & more (1)!^" --python "C:\P F\python.exe" --verify'
    for kind in KINDS:
        ending = started(wine, kind, release, '"{}" {}'.format(build.windows(), words))
        only_call(ending, release, build, ["--yes", "--wheels", r"C:\my wheels & more (1)!^",
                                           "--python", r"C:\P F\python.exe", "--verify"])


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_exit_code(wine, release, tmp_path, code):
    build = Build(wine, tmp_path / "build")
    for kind in KINDS:
        ending = started(wine, kind, release, '"{}"'.format(build.windows()), STAND_IN_EXIT=str(code))
        only_call(ending, release, build, code=code)


def test_no_setenv(wine, release, tmp_path):
    build = Build(wine, tmp_path / "build", setenv="")
    ending = wine.cmd('"{}" "{}"'.format(release.bat, build.windows()), PYTHONHOME="C:\\", PYTHONPATH="C:\\")
    only_call(ending, release, build)


@pytest.mark.parametrize("python", ["python-3.10.11", "python"])
def test_setenv_without_its_python(wine, release, tmp_path, python):
    build = Build(wine, tmp_path / "build", python=python)
    call = only_call(wine.cmd('"{}" "{}"'.format(release.bat, build.windows())), release, build)
    assert call.program == build.windows("_internal", python, "python.exe")
    assert "DFL_ROOT" not in call.variables  # half of a broken setenv.bat is worse than none


def test_setenv_is_not_run_in_a_folder_that_breaks_it(wine, release, tmp_path):
    build = Build(wine, tmp_path / "a&b", setenv=SETENV + 'echo > "%~dp0ran.txt"\n')
    only_call(wine.cmd('"{}" "{}"'.format(release.bat, build.windows())), release, build)
    assert not os.path.exists(build.path("_internal", "ran.txt"))


def test_no_python(wine, release, tmp_path):
    build = Build(wine, tmp_path / "build", python="")
    ending = wine.cmd('"{}" "{}"'.format(release.bat, build.windows()))
    assert ending.code == 1 and ending.calls == []
    assert "No Python was found." in ending.text and "python.org" in ending.text


@pytest.mark.parametrize("name", ["py.exe", "python.exe", "python3.exe"])
def test_python_of_the_path(wine, release, tmp_path, name):
    build, programs = Build(wine, tmp_path / "build", python=""), tmp_path / "programs"
    programs.mkdir()
    shutil.copy(wine.python, str(programs / name))
    ending = wine.cmd('"{}" "{}" --yes'.format(release.bat, build.windows()), WINEPATH=windows(programs))
    check, call = ending.calls
    launcher = ["-3"] if name == "py.exe" else []
    assert ending.code == 0 and check.words[:-1] == launcher + ["-c"]
    assert call.words == launcher + [release.script, ".", "--yes"] and call.folder == build.windows()


def test_python_that_does_not_run(wine, release, tmp_path):
    build, programs = Build(wine, tmp_path / "build", python=""), tmp_path / "programs"
    programs.mkdir()
    shutil.copy(wine.python, str(programs / "python.exe"))
    for code in ("1", "9009"):  # too old; only opens the Store
        ending = wine.cmd('"{}" "{}"'.format(release.bat, build.windows()), WINEPATH=windows(programs),
                          STAND_IN_CHECK=code)
        assert ending.code == 1 and len(ending.calls) == 1 and "No Python was found." in ending.text


def test_pause(wine, release, tmp_path):
    build = Build(wine, tmp_path / "build")
    words = '"{}" "{}"'.format(release.bat, build.windows())
    assert "Press any key" not in wine.cmd(words).text
    ending = wine.cmd(words, "\n", DFL_ACCEL_NO_PAUSE=None, STAND_IN_EXIT="2")
    assert "Press any key" in ending.text
    only_call(ending, release, build, code=2)
    ending = wine.explorer(release.bat, "", "\n\n", DFL_ACCEL_NO_PAUSE=None)
    assert ending.code == 1 and "Press any key" in ending.text


def test_install_py_is_not_there(wine, release):
    os.remove(os.path.join(os.path.dirname(release.script[2:].replace("\\", "/")), "install.py"))
    ending = wine.explorer(release.bat)
    assert ending.code == 1 and "Unpack the whole archive" in ending.text


def test_help_needs_no_build(wine, release, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    shutil.copy(wine.python, str(programs / "python.exe"))
    ending = wine.cmd('"{}" --help'.format(release.bat), WINEPATH=windows(programs))
    assert ending.calls[-1].words == [release.script, ".", "--help"]


MAIN = """
import json, os, sys
print("MAIN", json.dumps([sys.argv[1:], input("method: "), os.getcwd()]))
sys.exit(5)
"""


@pytest.mark.parametrize("name", ["build", "two words (1)", "Мои видео"])
def test_step_of_the_build(wine, tmp_path, name):
    build = Build(wine, tmp_path / name)
    ending = wine.explorer(build.windows("4.2) data_src sort.bat"), answers="\n", folder=build.root)
    call = ending.calls[0]
    assert call.program == build.windows("_internal", "python-3.6.8", "python.exe")
    assert call.words == [build.windows("_internal", "DeepFaceLab", "main.py"), "sort", "--input-dir",
                          build.windows("_internal") + r"\..\workspace\data_src\aligned"]
    assert "Press any key" in ending.text


@pytest.mark.parametrize("name", ["build", "Мои (1) видео"])
def test_step_with_a_real_python(wine, tmp_path, name):
    build = Build(wine, tmp_path / name)
    build.write("_internal/DeepFaceLab/main.py", MAIN)
    build.write("4.2) data_src sort.bat", SORT.replace("pause", "exit /b %ERRORLEVEL%"))
    ending = wine.explorer(build.windows("4.2) data_src sort.bat"), "", "7\n", folder=build.root, **wine.bridge())
    words, typed, folder = json.loads(ending.text.partition("MAIN ")[2])
    assert ending.code == 5 and typed == "7" and folder == build.root
    assert words == ["sort", "--input-dir", build.path("_internal", "..", "workspace", "data_src", "aligned")]
