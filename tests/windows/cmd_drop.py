"""install.bat with a folder dropped on it that Explorer does not quote. Needs a cmd.exe that expands late."""
import os

import pytest
from cmd_install import only_call
from wine_build import Build, Release, windows, write

CUT = ["a&b", "a^b", "a,b;c=d", "100%off&on", "a&b!c(1)^'Я", "a&&b", "x(a)&y(b)"]


@pytest.mark.parametrize("name", CUT)
def test_dropped_folder(wine, release, tmp_path, name):
    build = Build(wine, tmp_path / name)
    only_call(wine.explorer(release.bat, build.windows()), release, build)
    only_call(wine.explorer(release.bat, build.windows("_internal", "setenv.bat")), release,
              Inside(build, "_internal"))


class Inside:
    """A folder below a build, in the place of the build."""

    def __init__(self, build, name):
        self.root = build.path(name)


@pytest.mark.parametrize("name", ["Всё & more! (it's ^ all)", "a&b"])
def test_name_of_the_release(wine, tmp_path, name):
    release, build = Release(tmp_path / name), Build(wine, tmp_path / "x&y")
    only_call(wine.explorer(release.bat, build.windows()), release, build)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_rest_of_the_line_is_not_run(wine, release, tmp_path, code):
    build = Build(wine, tmp_path / "a&b")
    write(tmp_path / "b.bat", "@echo RUN BY MISTAKE\n")
    ending = wine.explorer(release.bat, build.windows(), folder=str(tmp_path), STAND_IN_EXIT=str(code))
    only_call(ending, release, build, code=code)
    assert "BY MISTAKE" not in ending.text


def test_options_after_the_folder(wine, release, tmp_path):
    build = Build(wine, tmp_path / "a&b")
    ending = wine.explorer(release.bat, build.windows() + r' --dry-run --wheels "C:\my wheels"')
    only_call(ending, release, build, ["--dry-run", "--wheels", r"C:\my wheels"])


def test_two_folders(wine, release, tmp_path):
    build, other = Build(wine, tmp_path / "a&b"), Build(wine, tmp_path / "c&d")
    write(tmp_path / "a&b" / "d.bat", "@echo RUN BY MISTAKE\n")
    ending = wine.explorer(release.bat, "{} {}".format(build.windows(), other.windows()))
    only_call(ending, release, build, [other.windows()])
    assert "BY MISTAKE" not in ending.text


def test_line_of_a_script(wine, release, tmp_path):
    """A line that goes on after the folder is no dropped folder."""
    build, log = Build(wine, tmp_path / "build"), tmp_path / "log.txt"
    ending = wine.explorer(release.bat, "{} --yes&echo and on".format(build.windows()))
    only_call(ending, release, build, ["--yes"])
    assert "and on" in ending.text
    ending = wine.explorer(release.bat, "{}&echo and on".format(build.windows()))
    only_call(ending, release, build)
    assert "and on" in ending.text
    only_call(wine.explorer(release.bat, "{} --yes > {}".format(build.windows(), windows(log))), release, build,
              ["--yes"])
    assert log.exists()


def test_called_by_another_file(wine, release, tmp_path):
    build, other = Build(wine, tmp_path / "build"), Build(wine, tmp_path / "x&y")
    write(tmp_path / "all.bat", '@call "{}" "{}" --yes\n'.format(release.bat, build.windows()))
    ending = wine.explorer(windows(tmp_path / "all.bat"), other.windows())
    assert [call.words for call in ending.calls] == [[release.script, ".", "--yes"]]
    assert ending.calls[0].folder == build.windows() and os.path.isdir(other.root)
