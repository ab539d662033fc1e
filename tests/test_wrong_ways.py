"""What a user does wrong (wrong_ways.py) ends in one sentence, an exit code, and files that are as they were."""
import contextlib
import hashlib
import io
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from unittest import mock

import clips
import main
import psutil
import pytest
import wrong_ways
from accel import compat, compat_signals, host
from accel.merge import model_files
from program import PROGRAM, TESTS, Program

pytestmark = pytest.mark.shared_out

FACES = os.path.join(TESTS, "data", "sort", "aligned")
PAK = os.path.join(TESTS, "data", "faceset_stock.pak")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """The workspace of wrong_ways.py; its path (str)."""
    folder = tmp_path_factory.mktemp("wrong") / "рабочая папка"
    for name in ("faces", "nobody", "model", "broken", "kinds", "texts", "bad_pak", "short_pak", "folder.mp4"):
        (folder / name).mkdir(parents=True)
    for name in sorted(os.listdir(FACES))[:3]:
        shutil.copy(os.path.join(FACES, name), str(folder / "faces"))
    clips.write_frames(folder / "frames", 3)
    clips.write_frames(folder / "sizes", 2, name="{}")
    clips.write_frames(folder / "sizes", 1, 48, 32, first=3, name="{}")
    clips.encode(clips.bundled(), folder / "video.mp4", clips.frames())
    frame, video = [path.read_bytes() for path in (folder / "frames" / "00001.png", folder / "video.mp4")]
    for name, content in {
            "text.mp4": b"a line of text\n", "texts/text.png": b"a line of text\n", "empty.mp4": b"",
            "short.mp4": video[:len(video) // 2], "broken/1.png": frame, "broken/2.png": b"a line of text\n",
            "broken/3.png": b"", "broken/4.png": frame[:len(frame) // 2], "kinds/1.png": frame, "kinds/2.jpg": frame,
            "bad_pak/faceset.pak": b"a line of text\n",
            "short_pak/faceset.pak": open(PAK, "rb").read()[:300]}.items():
        (folder / name).write_bytes(content)
    return str(folder)


@pytest.fixture
def here(workspace, tmp_path, monkeypatch):
    """The workspace, with main.main made fit to be called in it; nothing in it, nor in the temp folder, may change."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(compat, "set_lowest_priority", lambda: None)
    monkeypatch.setattr(compat, "detach_stdin", lambda: None)
    monkeypatch.setattr(compat_signals, "raise_ended", lambda: None)
    monkeypatch.setattr(compat_signals, "end_soon", lambda seconds, code: None)
    monkeypatch.setattr(multiprocessing, "set_start_method", lambda name: None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "samplelib"]:
        monkeypatch.delitem(sys.modules, name)   # imported once more, it has another name in its package
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    before = contents(workspace)
    yield workspace
    host.set_unattended(False)
    assert contents(workspace) == before
    assert os.listdir(str(tmp_path)) in ([], ["cache"])


def contents(folder):
    """{path: hash of the file, None for a folder} of all that a folder holds."""
    found = {}
    for above, folders, names in os.walk(folder):
        found.update({os.path.join(above, name): None for name in folders})
        for name in names:
            with open(os.path.join(above, name), "rb") as stream:
                found[os.path.join(above, name)] = hashlib.sha1(stream.read()).hexdigest()
    return found


class Interrupted(io.StringIO):
    def readline(self, *size):
        raise KeyboardInterrupt


def run(words, stdin):
    """Run main.main in this process. Return (exit code, stdout, stderr)."""
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "stdin", stdin), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main.main(words.split())
        except SystemExit as error:
            code = error.code
    return code, out.getvalue(), err.getvalue()


def check(here, words, code, told, typed=""):
    """Run a command that goes wrong, and compare its code and the end of what it shows."""
    ended, out, err = run(words, io.StringIO(typed))
    assert "Traceback" not in out + err and "Done." not in out
    last = err[err.rfind(": error: " if code == 2 else host.ERROR_PREFIX):]
    wanted = (": error: " if code == 2 else host.ERROR_PREFIX) + told.replace("{w}", here).replace(
        "{f}", os.path.join(PROGRAM, "facelib"))
    pattern = ".*".join(re.escape(part) for part in wanted.split("..."))
    assert re.match("(?s)" + pattern + "\n\\Z", last), out + err
    assert ended == code


@pytest.mark.parametrize("step, wrong, words, told", [
    (step,) + row for step, rows in sorted(wrong_ways.STEPS.items()) for row in rows])
def test_it_ends_in_a_sentence(here, step, wrong, words, told):
    check(here, words, 1, told)


@pytest.mark.parametrize("wrong, words, told", wrong_ways.WORDS)
def test_wrong_words(here, wrong, words, told):
    check(here, words, 2, told)


@pytest.mark.parametrize("wrong, words, typed, code, told", wrong_ways.TYPED)
def test_wrong_answers(here, wrong, words, typed, code, told):
    check(here, words, code, told, typed)


@pytest.mark.parametrize("question, words", wrong_ways.STOPPED)
def test_ctrl_c_at_a_question(here, question, words):
    code, out, err = run(words, Interrupted())
    assert code == 130 and out.endswith(" : ") and "Done." not in out
    assert err == "\nStopped by Ctrl-C. Start the same step again to go on.\n"


@pytest.mark.parametrize("words", [row[1] for row in wrong_ways.STEPS["3 cut-video"][1:2]] + [
    wrong_ways.VIDEO + "--input-file video.mp4 --output-dir new", wrong_ways.DENOISE + "--input-dir frames",
    wrong_ways.JOIN_HERE])
def test_without_ffmpeg(here, monkeypatch, words):
    monkeypatch.setenv("PATH", here)
    monkeypatch.setattr(compat, "bundled_ffmpeg", lambda: None)
    check(here, words, 1, "ffmpeg is missing: it is neither in ... nor in the PATH. Put it there, or install one with: "
                          "\"" + sys.executable + "\" -m pip install imageio-ffmpeg...")


@pytest.mark.parametrize("script, told", [
    ("#!/bin/sh\necho boom >&2\nexit 1\n",
     "ffmpeg failed (code 1). Nothing was changed. Start again; if it fails again, add --log FILE and attach that file "
     "to your report.\nIts last words:\n    boom"),
    ("no program", "... does not start: Exec format error. Put a working ffmpeg there.")])
def test_a_broken_ffmpeg(here, tmp_path_factory, monkeypatch, script, told):
    folder = tmp_path_factory.mktemp("bin")
    for name in ("ffmpeg", "ffprobe"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    check(here, wrong_ways.VIDEO + "--input-file video.mp4 --output-dir nobody", 1, told)


def test_a_sort_whose_folder_goes_away(tmp_path, monkeypatch):
    from accel.ranking import metadata
    from mainscripts import Sorter
    nothing = metadata.Ranking([], [])
    monkeypatch.setattr(metadata, "rank_origname", lambda paths: shutil.rmtree(str(tmp_path)) or nothing)
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(host.UserError, match="is no longer there. Sort it again where it is now"):
        Sorter.main(tmp_path, "origname")


# --- models -----------------------------------------------------------------------------------

class Model:
    """As much of a model as check_complete looks at."""

    def __init__(self, folder, iterations):
        self.folder, self.iterations = folder, iterations

    def get_model_filename_list(self):
        return [[None, "encoder.npy"], [None, "decoder.npy"]]

    def get_strpath_storage_for_file(self, name):
        return str(self.folder / ("new_SAEHD_" + name))

    def get_iter(self):
        return self.iterations


@pytest.mark.parametrize("files, kind, name, words", [
    ([], "SAEHD", None, "There is no trained SAEHD model in .*. Train one .step 6., or give another --model-dir."),
    (["new_SAEHD_data.dat"], "AMP", None, "There is no trained AMP model in"),
    (["new_SAEHD_data.dat"], "SAEHD", "old", "There is no trained SAEHD model old in"),
    (["new_SAEHD_data.dat"], "SAEHD", "new", None), (["new_SAEHD_data.dat"], "SAEHD", None, None),
    ([], "Fork", None, None)])
def test_a_model_that_was_never_trained(tmp_path, files, kind, name, words):
    for file in files:
        (tmp_path / file).write_bytes(b"")
    if words is None:
        return model_files.check_trained(tmp_path, kind, name)
    with pytest.raises(host.UserError, match=words):
        model_files.check_trained(tmp_path, kind, name)


def test_a_model_of_which_a_file_is_missing(tmp_path):
    (tmp_path / "new_SAEHD_encoder.npy").write_bytes(b"")
    with pytest.raises(host.UserError, match="The model is not complete: .*new_SAEHD_decoder.npy is missing. Copy all"):
        model_files.check_complete(Model(tmp_path, 5))
    (tmp_path / "new_SAEHD_decoder.npy").write_bytes(b"")
    model_files.check_complete(Model(tmp_path, 5))
    with pytest.raises(host.UserError, match="has not been trained yet. Train it first"):
        model_files.check_complete(Model(tmp_path, 0))


@pytest.mark.parametrize("error", [EOFError("Ran out of input"), ValueError("one\ntwo"), KeyError("options")])
def test_a_damaged_model(tmp_path, error):
    with pytest.raises(host.UserError) as caught:
        model_files.load(mock.Mock(side_effect=error), tmp_path)
    words = str(caught.value)
    assert words.startswith("The model in {} cannot be loaded ({}: ".format(tmp_path, type(error).__name__))
    assert "_autobackups" in words and "\n" not in words and caught.value.__cause__ is error


# --- whole processes --------------------------------------------------------------------------

# DeepFaceLab's console: it takes Ctrl-C for Enter.
CONSOLE = """
class Console:
    def log_info(self, text, end="\\n"):
        print(text, end=end)

    def input_bool(self, text, default):
        try:
            return input(text) == "y"
        except:
            return default

interact = Console()
"""
ASKING = """from core import interact
sys.stdout.flush()
print(host.ask_bool("Delete?", True), "deleted")
"""
WAITING = """open("lock", "w").close()
try:
    print("started", flush=True)
    time.sleep(60)
finally:
    os.remove("lock")
"""


@pytest.fixture
def program(tmp_path):
    made = Program(tmp_path / "Программа")
    (made.folder / "faces").mkdir()
    return made


@pytest.mark.parametrize("number, code, words", [
    (signal.SIGTERM, 143, "the system"), (signal.SIGHUP, 129, "the system"), (signal.SIGINT, 130, "Ctrl-C")])
def test_a_signal_in_the_work(program, number, code, words):
    """All is tidied up, and said."""
    program.sorter(WAITING)
    process = program.start("sort", "--input-dir", "faces")
    assert process.stdout.readline() == b"started\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code and not (program.folder / "lock").exists()
    assert err.decode() == "\nStopped by {}. Start the same step again to go on.\n".format(words)


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_at_a_question_of_deepfacelabs_console(program, number, code):
    """It is no answer: "Delete original files?" would get a yes."""
    program.write("core/interact.py", CONSOLE)
    program.sorter(ASKING)
    process = program.start("sort", "--input-dir", "faces")
    assert process.stdout.read(7) == b"Delete?"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code and out == b"" and b"Stopped by" in err


def test_a_signal_while_ffmpeg_is_being_started(program):
    """No ffmpeg is left of which nobody knows."""
    program.sorter("""
        import signal, subprocess
        from accel.video import process
        real = subprocess.Popen
        def start(*words, **options):
            child = real([sys.executable, "-c", "import time; time.sleep(60)"], **options)
            print(child.pid, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            return child
        subprocess.Popen = start
        process.run(["ffmpeg"])""".replace("\n        ", "\n").strip())
    code, out, err = program.run("sort", "--input-dir", "faces")
    assert code == 143 and "Stopped by the system" in err
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(out)).wait(10)     # killed, but maybe still in the list of the system


def test_what_is_ignored_stays_ignored(program):
    """A terminal that is closed does not end what nohup has started."""
    program.sorter("import signal\nos.kill(os.getpid(), signal.SIGHUP)\nprint('goes on')")
    process = subprocess.Popen(["/bin/sh", "-c", "trap '' HUP; exec \"$0\" main.py sort --input-dir faces",
                                sys.executable], cwd=str(program.folder), stdout=subprocess.PIPE)
    assert process.communicate(timeout=30)[0] == b"goes on\nDone.\n" and process.returncode == 0


def test_no_stdin_for_deepfacelabs_own(tmp_path):
    program = Program(tmp_path)
    program.add_deepfacelab()
    (tmp_path / "a").mkdir()
    program.write("mainscripts/Util.py", "import sys\ndef save_faceset_metadata_folder(input_path):\n"
                                         "    print(sys.stdin.fileno() >= 0)\n")
    out = subprocess.check_output("exec '{}' main.py util --input-dir a --save-faceset-metadata <&-".format(
        sys.executable), shell=True, cwd=str(tmp_path))
    assert out == b"True\nDone.\n"


def test_output_of_deepfacelabs_own_that_nobody_reads(tmp_path):
    program = Program(tmp_path)
    (tmp_path / "a").mkdir()
    program.write("mainscripts/Util.py", "def save_faceset_metadata_folder(input_path):\n    print('x' * 1000000)\n")
    process = program.start("util", "--input-dir", "a", "--save-faceset-metadata")
    process.stdout.close()
    assert process.wait(30) == 1 and process.stderr.read() == b""
    process.stderr.close()
    process.stdin.close()


@pytest.mark.parametrize("package, words", [
    ("numba", "sort --by blur --input-dir faces"), ("cv2", "sort --by hue --input-dir faces"),
    ("tqdm", "sort --by origname --input-dir faces")])
def test_a_missing_package(workspace, tmp_path, package, words):
    (tmp_path / (package + ".py")).write_text("raise ModuleNotFoundError('no', name={!r})\n".format(package))
    process = subprocess.run([sys.executable, "-W", "ignore", os.path.join(PROGRAM, "main.py")] + words.split(),
                             cwd=workspace, env=dict(os.environ, PYTHONPATH=str(tmp_path), LC_ALL="C", LANG="C"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    name = main.PACKAGE_NAMES.get(package, package)
    told = "/!\\ The Python package {} is missing. Install it with: \"{}\" -m pip install ".format(name, sys.executable)
    assert process.returncode == 1 and process.stderr.decode().startswith(told)
    assert process.stderr.count(b"\n") == 1


def test_the_merger_without_a_display(monkeypatch):
    from mainscripts import Merger
    monkeypatch.setitem(sys.modules, "merger.MergerScreen", mock.Mock(ScreenManager=type("ScreenManager", (), {})))
    monkeypatch.setattr(compat, "has_display", lambda: False)
    with pytest.raises(host.UserError, match="needs a window, and there is no display .* answer n to"):
        Merger._check_display()
    monkeypatch.setattr(compat, "has_display", lambda: True)
    Merger._check_display()
