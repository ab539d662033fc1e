"""install.bat and install.sh: they find the folder and a Python, and hand everything else to install.py.

What install.bat does in a cmd.exe is tested by tests/windows/run.py.
"""
import json
import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.shared_out

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BAT = os.path.join(ROOT, "install.bat")
SH = os.path.join(ROOT, "install.sh")
STAND_IN = """
import json, os, sys
print("RAN " + json.dumps([sys.argv[1:], os.getcwd(), sys.executable, os.path.dirname(os.path.abspath(__file__))]))
sys.exit(int(os.environ.get("ENDING", "0")))
"""
NAMES = ["two words", "x (86)", "a&b;c|d", "wow! no!", "100% %PATH%", "it's", 'a "quoted" one', "Мои видео",
         "$(exit 9)", "`exit 9` $HOME", "back\\slash*?", "-n"]

needs_sh = pytest.mark.skipif(os.name == "nt", reason="install.sh is for systems with sh")


def test_bat_is_plain_text_with_ends_of_windows():
    with open(BAT, "rb") as file:
        content = file.read()
    assert set(content) <= set(range(32, 127)) | {10, 13}
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
    assert max(len(line) for line in content.split(b"\r\n")) <= 120


def test_bat_jumps_to_labels_that_it_has():
    with open(BAT, encoding="ascii") as file:
        lines = [line.strip() for line in file]
    labels = [line[1:] for line in lines if line.startswith(":")]
    jumps = {line.rpartition("goto ")[2] for line in lines if "goto " in line and not line.startswith("rem ")}
    assert len(labels) == len(set(labels)) and jumps <= set(labels)


def test_sh_has_ends_of_unix():
    with open(SH, "rb") as file:
        content = file.read()
    assert content.startswith(b"#!/bin/sh\n") and b"\r" not in content
    content.decode("ascii")


@needs_sh
def test_sh_can_be_read_and_started():
    assert subprocess.call(["sh", "-n", SH]) == 0
    assert os.access(SH, os.X_OK)


class Release:
    """install.sh in a folder of its own, with an install.py that tells how it was started."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder)
        shutil.copy(SH, self.folder)
        with open(os.path.join(self.folder, "install.py"), "w") as file:
            file.write(STAND_IN)

    def run(self, words=(), typed="", folder=None, **variables):
        """Start install.sh. Return its exit code, what install.py told, and all text."""
        known = {name: value for name, value in os.environ.items() if name != "DFL_PYTHON"}
        process = subprocess.Popen(
            ["sh", os.path.join(self.folder, "install.sh")] + list(words), cwd=str(folder or self.folder),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(known, PYTHONIOENCODING="utf-8", **variables))
        text = process.communicate(typed.encode("utf-8"), timeout=60)[0].decode("utf-8")
        told = text.rpartition("RAN ")[2]
        return process.returncode, json.loads(told) if "RAN " in text else None, text


@pytest.fixture
def release(tmp_path):
    return Release(tmp_path / "release")


def build(folder):
    """Make a folder look like a DeepFaceLab build. Return its path."""
    (folder / "_internal" / "DeepFaceLab").mkdir(parents=True)
    (folder / "_internal" / "DeepFaceLab" / "main.py").write_text("")
    return str(folder)


def clone(folder, models=True):
    """Make a DeepFaceLab folder as in a clone, or one like this project's. Return its path."""
    (folder / "DeepFaceLab" / ("models" if models else "accel")).mkdir(parents=True)
    (folder / "DeepFaceLab" / "main.py").write_text("")
    return str(folder / "DeepFaceLab")


def links(folder, **programs):
    """Make a folder with dirname and sed, and these programs. Return the PATH."""
    folder.mkdir()
    for name, path in dict({name: shutil.which(name) for name in ("sh", "dirname", "sed")}, **programs).items():
        os.symlink(path, str(folder / name))
    return str(folder)


def shell_program(path, text):
    """Write an executable shell script. Return its path."""
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


@needs_sh
@pytest.mark.parametrize("name", NAMES)
def test_words_are_handed_on(release, tmp_path, name):
    (tmp_path / name).mkdir()
    words = [name, "--yes", "--wheels", "my wheels/" + name, ""]
    code, told, _ = release.run(words, folder=tmp_path / name)
    assert code == 0 and told[0] == words
    assert told[1] == str(tmp_path / name) and told[3] == release.folder


@needs_sh
@pytest.mark.parametrize("name", NAMES)
def test_name_of_the_release(tmp_path, name):
    code, told, _ = Release(tmp_path / name).run(["--dry-run"], folder=tmp_path)
    assert code == 0 and told[0] == ["--dry-run"] and told[1] == str(tmp_path) and told[3] == str(tmp_path / name)


@needs_sh
@pytest.mark.parametrize("make", [build, clone])
@pytest.mark.parametrize("below", [(), ("sub",), ("sub", "two words")])
def test_folder_above_is_found(tmp_path, make, below):
    top = tmp_path / "it's $(a) build"
    wanted = make(top)
    release = Release(top.joinpath("release", *below) if not below else top.joinpath(*below))
    code, told, text = release.run(folder=tmp_path)
    assert code == 0 and told[0] == [wanted] and "Drag" not in text


@needs_sh
def test_nearest_folder_is_taken(tmp_path):
    build(tmp_path)
    wanted = clone(tmp_path / "sub")
    assert Release(tmp_path / "sub" / "release").run()[1][0] == [wanted]


@needs_sh
def test_own_program_folder_is_not_deepfacelab(tmp_path):
    clone(tmp_path, models=False)
    code, told, text = Release(tmp_path / "release").run()
    assert code == 1 and told is None and "No folder was given" in text


@needs_sh
@pytest.mark.parametrize("typed", ["{}\n", "{}", "  {} \n", "'{}'\n", "'{}' \n", '"{}"\n'])
@pytest.mark.parametrize("name", ["two words", "a & b (1)!", "$(exit 9)", "Мои видео", "back\\slash"])
def test_folder_is_asked(release, tmp_path, name, typed):
    code, told, text = release.run(typed=typed.format(tmp_path / name), ENDING="0")
    assert code == 0 and told[0] == [str(tmp_path / name)]
    assert text.startswith("Drag the DeepFaceLab folder") and "Press Enter to end" not in text


@needs_sh
@pytest.mark.parametrize("typed, folder", [
    ("'/a/it'\\''s'\n", "/a/it's"), ("/a/it's\n", "/a/it's"), ("-n\n", "./-n"), ('"/a/it\'s"\n', "/a/it's")])
def test_quotes_and_dashes_in_the_answer(release, typed, folder):
    assert release.run(typed=typed)[1][0] == [folder]


@needs_sh
@pytest.mark.parametrize("typed", ["", "\n", "''\n", '""\n'])
def test_no_answer(release, typed):
    code, told, text = release.run(typed=typed)
    assert code == 1 and told is None and "No folder was given. Nothing was changed." in text


@needs_sh
@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_exit_code(release, code):
    assert release.run(["x"], ENDING=str(code))[0] == code
    assert release.run(typed="x\n", ENDING=str(code))[0] == code


@needs_sh
def test_no_python(release, tmp_path):
    code, told, text = release.run(["x"], PATH=links(tmp_path / "programs"))
    assert code == 1 and told is None and "Python 3.6 or newer is needed" in text


@needs_sh
def test_old_python_is_passed_over(release, tmp_path):
    old = shell_program(tmp_path / "old", "exit 1\n")
    code, told, text = release.run(["x"], PATH=links(tmp_path / "both", python3=old, python=sys.executable))
    assert code == 0 and told[0] == ["x"]
    code, told, text = release.run(["x"], PATH=links(tmp_path / "only", python=old))
    assert code == 1 and told is None and "Python 3.6 or newer is needed" in text


@needs_sh
def test_python_that_is_asked_for(release, tmp_path):
    mine = shell_program(tmp_path / "my python", 'exec "{}" "$@"\n'.format(sys.executable))
    code, told, _ = release.run(["x"], PATH=links(tmp_path / "programs"), DFL_PYTHON=mine)
    assert code == 0 and told[0] == ["x"]
    for wrong in (str(tmp_path / "none"), shell_program(tmp_path / "old", "exit 1\n")):
        code, told, text = release.run(["x"], DFL_PYTHON=wrong)
        assert code == 1 and told is None and wrong in text


@needs_sh
def test_waits_at_the_end_of_a_window(release, tmp_path):
    """Started without words on a terminal, it stays until Enter is pressed."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(["sh", os.path.join(release.folder, "install.sh")], stdin=theirs, stdout=theirs,
                               stderr=theirs, env=dict(os.environ, ENDING="2"))
    os.close(theirs)
    text = b""
    os.write(ours, str(tmp_path).encode() + b"\n")
    while b"Press Enter to end" not in text:
        text += os.read(ours, 1024)
    assert process.poll() is None
    os.write(ours, b"\n")
    assert process.wait(timeout=60) == 2
    os.close(ours)
