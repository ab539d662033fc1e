"""The command line: stock's words, what they call, and how a run ends."""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import command_line
import pytest
from accel import command_parser
from program import TESTS, Program


def load(name):
    with open(os.path.join(TESTS, "data", name)) as file:
        return json.load(file)


STOCK_OPTIONS = load("command_line.json")
STOCK_CALLS = load("command_calls.json")
RUNS_NETWORKS = ("extract", "train", "exportdfm", "merge", "facesettool enhance", "dev_test", "xseg apply")
DEVICES = ["core.leras.nn.initialize_main_env", [], {}]


@pytest.fixture
def alone(tmp_path):
    """Our files alone, with a Sorter that shows what it was given."""
    program = Program(tmp_path / "Программа")
    program.sorter("print({key: str(value) for key, value in sorted(options.items())})")
    (program.folder / "faces").mkdir()
    return program


def options_of(parser, command=()):
    """Yield (command, option, action) of a parser and of those below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from options_of(below, command + (name,))
        for option in action.option_strings:
            yield " ".join(command), option, action


# --- words -----------------------------------------------------------------------------------

@pytest.mark.parametrize("command, option, dest, default, required, choices, kind", STOCK_OPTIONS)
def test_option_of_stock(command, option, dest, default, required, choices, kind):
    actions = {(name, text): found for name, text, found in options_of(command_line.build_parser())}
    action = actions[command, option]
    assert (action.dest, action.default, action.required) == (dest, default, required)
    assert choices is None or set(choices) <= set(action.choices)
    assert choices is None or command == "sort" or set(choices) == set(action.choices)
    if kind in ("true", "false"):
        assert (action.nargs, action.const) == (0, kind == "true")
    elif kind == "append":
        assert action.nargs == "+" and type(action).__name__ == "_AppendAction"
    else:
        assert action.type == {"int": int, "text": None, "path": command_parser.full_path}[kind]


def test_commands_are_those_of_stock():
    ours = {command for command, option, action in options_of(command_line.build_parser())}
    assert ours - {"", "videoed", "facesettool", "xseg"} == {row[0] for row in STOCK_OPTIONS}


@pytest.mark.parametrize("line, calls", STOCK_CALLS, ids=str)
def test_command_calls_what_stock_calls(tmp_path, line, calls):
    program = Program(tmp_path)
    program.add_deepfacelab()
    program.add_what_commands_ask_for()
    code, out, err = program.run(*line.split(), HOME="/home/user")
    assert (code, err) == (0, "")
    assert out.endswith("Done.\n")
    func = command_line.build_parser().parse_args(line.split()).func
    networks = (command_line.run_extract, command_line.run_merge)   # may run on DeepFaceLab's devices
    own_start = func in command_line.OURS and func not in networks
    assert "method" not in out or ("method None" if own_start else "method spawn") in out
    no_card_wanted = line.startswith(("extract", "merge")) and "--cpu-only" in line   # nothing to look for
    expected = [DEVICES] if line.startswith(RUNS_NETWORKS) and not no_card_wanted else []
    assert json.loads(json.dumps(program.calls()).replace(str(program.folder), "")) == expected + calls


def test_exit_code_of_the_editor(tmp_path):
    program = Program(tmp_path)
    program.add_deepfacelab()
    (tmp_path / "a").mkdir()
    code, out, err = program.run("xseg", "editor", "--input-dir", "a", ANSWER="3")
    assert (code, err) == (3, "") and "Done." not in out


def test_model_names_are_those_of_the_folder(tmp_path):
    program = Program(tmp_path)
    program.add_deepfacelab()
    code, out, err = program.run("exportdfm", "--model-dir", "a", "--model", "Other")
    assert code == 2 and "Quick96" in err and "SAEHD" in err and program.calls() == []


@pytest.mark.parametrize("words", [[], ["videoed"], ["facesettool"], ["xseg"]])
def test_too_few_words_show_the_help(alone, words):
    code, out, err = alone.run(*words)
    assert (code, err) == (0, "")
    assert out.startswith("usage: main.py [-h]") and "sort" in out and "Done." not in out


@pytest.mark.parametrize("words", [["--by", "colour"], ["--target-count", "0"], ["--target-count", "x"],
                                   ["--similar", "--dissimilar"], ["--nonsense"]])
def test_wrong_words(alone, words):
    code, out, err = alone.run("sort", "--input-dir", "faces", *words)
    assert (code, out) == (2, "") and err.startswith("usage: main.py ") and ": error: " in err


@pytest.mark.parametrize("words, given", [
    ([], {}),
    (["--by", "final-by-blur"], {"sort_by_method": "final"}),
    (["--by", "final-by-size"], {"sort_by_method": "final-fast"}),
    (["--target-count", "12"], {"target_count": "12"}),
    (["--similar"], {"similar": "True"}),
    (["--dissimilar"], {"similar": "False"}),
    (["--undo"], {"undo": "True"}),
    (["--dry-run"], {"dry_run": "True"}),
] + [(["--by", method], {"sort_by_method": method}) for method in command_line.SORT_METHODS])
def test_what_sort_is_given(alone, words, given):
    usual = {"input_path": str(alone.folder / "faces"), "sort_by_method": "None", "target_count": "None",
             "similar": "None", "undo": "False", "dry_run": "False"}
    code, out, err = alone.run("sort", "--input-dir", "faces", *words)
    assert (code, err) == (0, "")
    assert out == "{}\nDone.\n".format({key: dict(usual, **given)[key] for key in sorted(usual)})


@pytest.mark.parametrize("words, given", [
    ([], {}), (["--keep-originals"], {"delete_originals": False}), (["--delete-originals"], {"delete_originals": True}),
    (["--no-persons", "--keep-originals"], {"as_persons": False, "delete_originals": False}),
    (["--as-persons", "--yes"], {"as_persons": True})])
def test_what_packing_is_given(tmp_path, words, given):
    program = Program(tmp_path)
    program.add_deepfacelab()
    (tmp_path / "faces").mkdir()
    code, out, err = program.run("util", "--input-dir", "faces", "--pack-faceset", *words)
    assert (code, err) == (0, "")
    assert program.calls() == [["samplelib.PackedFaceset.pack", ["Path " + str(tmp_path / "faces")], given]]


def test_packing_without_deepfacelab(tmp_path):
    program = Program(tmp_path / "Программа", files=("main.py", "command_line.py", "accel", "samplelib"))
    (program.folder / "faces").mkdir()
    code, out, err = program.run("util", "--input-dir", "faces", "--pack-faceset")
    assert code == 1 and "There is no DFL image to pack" in err and "Traceback" not in err
    code, out, err = program.run("util", "--input-dir", "faces", "--unpack-faceset")
    assert (code, err) == (0, "") and "file not found" in out


# --- answers ---------------------------------------------------------------------------------

ASKING = "print(host.ask_int('', 5), host.ask_bool('Go?', True), host.ask_str('Name', 'a'))"


@pytest.mark.parametrize("words, typed, shown", [
    ([], b"", "5 True a"), (["--yes"], b"3\nn\nb\n", "5 True a"), ([], b"3\nn\nb\n", "3 False b")])
def test_answers(alone, words, typed, shown):
    alone.sorter(ASKING)
    code, out, err = alone.run("sort", "--input-dir", "faces", *words, typed=typed)
    assert (code, err) == (0, "") and out.endswith(shown + "\nDone.\n")


def test_no_stdin_at_all(alone):
    alone.sorter(ASKING)
    out = subprocess.check_output("exec {} {} sort --input-dir faces <&-".format(
        sys.executable, "'{}'".format(alone.folder / "main.py")), shell=True, cwd=str(alone.folder))
    assert out.endswith(b"5 True a\nDone.\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp866", "cp1251"])
def test_console_that_lacks_letters(alone, encoding):
    alone.sorter("host.log_info('Папка 漢 \\udcff')\nraise host.UserError('Ошибка 漢')")
    code, out, err = alone.run("sort", "--input-dir", "faces", PYTHONIOENCODING=encoding)
    assert code == 1 and "\\u6f22 \\udcff" in out and "\\u6f22" in err and "Traceback" not in err


# --- how a run ends --------------------------------------------------------------------------

def test_missing_folder(alone):
    code, out, err = alone.run("sort", "--input-dir", "nowhere", "--by", "blur")
    assert (code, out) == (1, "")
    assert err == "/!\\ There is no folder {}. Give the folder that holds the faces as --input-dir.\n".format(
        alone.folder / "nowhere")


DOES_NOTHING = "util --input-dir a"


@pytest.mark.parametrize("line", [row[0] for row in STOCK_CALLS
                                  if "--execute-program" not in row[0] and row[0] != DOES_NOTHING])
def test_without_deepfacelab(tmp_path, line):
    program = Program(tmp_path)
    program.add_what_commands_ask_for()
    code, out, err = program.run(*line.split())
    command = re.match(r"(videoed |xseg |facesettool )?\S+", line).group()
    assert code == 1 and "Done." not in out
    assert err.startswith("/!\\ The command {} needs DeepFaceLab".format(command)) and err.count("\n") == 1


def test_user_error(alone):
    alone.sorter("raise host.UserError('The disk is full. Make room.')")
    assert alone.run("sort", "--input-dir", "faces") == (1, "", "/!\\ The disk is full. Make room.\n")
    code, out, err = alone.run("sort", "--input-dir", "faces", DFL_DEBUG="1")
    assert code == 1 and "Traceback" in err and "Sorter.py" in err


def test_missing_library(alone):
    alone.sorter("import library_of_nobody")
    code, out, err = alone.run("sort", "--input-dir", "faces")
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert "library_of_nobody is missing" in err and "-m pip install" in err


@pytest.mark.parametrize("raised, told", [
    ("KeyError('x')", "nobody foresaw. (KeyError: 'x')"),
    ("ValueError('one\\ntwo')", "nobody foresaw. (ValueError: one)"),
    ("FileNotFoundError(2, 'No such file', 'a.jpg')", "not where it should be: check the names"),
    ("NotADirectoryError(20, 'Not a directory', 'a.jpg')", "a file where a folder should be"),
    ("MemoryError()", "The memory is used up: close other programs"),
    ("BrokenPipeError(32, 'Broken pipe')", "BrokenPipeError")])
def test_unexpected_error(alone, raised, told):
    alone.sorter("raise " + raised)
    code, out, err = alone.run("sort", "--input-dir", "faces")
    assert (code, out.strip()) == (1, "") and err.count("\n") == 1 and told in err
    details, = (alone.folder / "temp").iterdir()
    assert err.endswith("Details: {}\n".format(details))
    assert "Traceback" in details.read_text(encoding="utf-8")


@pytest.mark.parametrize("raised, words", [
    ("OSError(28, 'No space left on device')", "The disk is full: make room, then start again. "
                                               "(No space left on device)"),
    ("OSError(30, 'Read-only file system', 'b')", "The disk is read-only: choose another folder or unlock the disk, "
                                                 "then start again. (Read-only file system: b)"),
    ("PermissionError(13, 'Permission denied', 'a.jpg')", "A file or folder is protected or open in another program: "
                                                         "close programs that show it, see that the folder may be "
                                                         "written to, then start again. (Permission denied: a.jpg)")])
def test_what_lies_at_the_machine_needs_no_report(alone, raised, words):
    alone.sorter("raise " + raised)
    assert alone.run("sort", "--input-dir", "faces") == (1, "", "/!\\ {}\n".format(words))
    assert list((alone.folder / "temp").iterdir()) == []


def test_unexpected_error_without_a_temp_folder(alone):
    alone.sorter("import tempfile\ntempfile.tempdir = '/nowhere'\nraise KeyError('x')")
    code, out, err = alone.run("sort", "--input-dir", "faces")
    assert code == 1 and "KeyError" in err and "Traceback" in err


def test_log(alone):
    alone.sorter("host.log_info('Loading 漢')\nhost.ask_int('', 5)\nraise host.UserError('Stop.')")
    log = alone.folder / "журнал.txt"
    code, out, err = alone.run("sort", "--input-dir", "faces", "--log", str(log))
    assert (code, err) == (1, "/!\\ Stop.\n")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    texts = [line[20:] for line in lines]
    begun = texts.index("Loading 漢")
    assert texts[begun + 1] == "[5] : 5" and "/!\\ Stop." in texts
    assert "--input-dir faces" in texts[0] and any(text.startswith("Python 3.") for text in texts[:begun])
    assert "Traceback (most recent call last):" in texts and "Stop." in texts[-2] + texts[-1]


def test_log_holds_the_details_of_an_unexpected_error(alone):
    alone.sorter("raise KeyError('x')")
    code, out, err = alone.run("sort", "--input-dir", "faces", "--log", "log.txt")
    assert code == 1 and err.endswith("Details: {}\n".format(alone.folder / "log.txt"))
    assert "Traceback" in (alone.folder / "log.txt").read_text()
    assert not list((alone.folder / "temp").iterdir())


def test_log_that_cannot_be_written_stops_before_the_work(alone):
    code, out, err = alone.run("sort", "--input-dir", "faces", "--log", "faces")
    assert (code, out) == (1, "") and "--log" in err and err.count("\n") == 1


def test_errors_of_deepfacelab_are_told_like_ours(tmp_path):
    program = Program(tmp_path)
    (tmp_path / "a").mkdir()
    program.write("mainscripts/Util.py",
                  "def save_faceset_metadata_folder(input_path):\n    raise KeyError('x')\n")
    code, out, err = program.run("util", "--input-dir", "a", "--save-faceset-metadata")
    assert code == 1 and "nobody foresaw. (KeyError: 'x') Details: " in err and err.count("\n") == 1
    assert "Util.py" in Path(err.strip().rpartition("Details: ")[2]).read_text()


def test_output_that_nobody_reads(alone):
    alone.sorter("for number in range(100000): host.log_info(number)")
    process = alone.start("sort", "--input-dir", "faces")
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()
    process.stdin.close()


WORKING = """
import threading
def work():
    while True: time.sleep(1)
for number in range(THREADS): threading.Thread(target=work).start()
host.log_info("started")
sys.stdout.flush()
time.sleep(60)
"""


@pytest.mark.parametrize("threads", [0, 2])
def test_ctrl_c(alone, threads):
    alone.sorter(WORKING.strip().replace("THREADS", str(threads)))
    process = alone.start("sort", "--input-dir", "faces", "--log", "log.txt")
    assert process.stdout.readline() == b"started\n"
    before = time.time()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.time() - before < 2
    assert (process.returncode, out) == (130, b"")
    assert err == b"\nStopped by Ctrl-C. Start the same step again to go on.\n"
    assert "KeyboardInterrupt" in (alone.folder / "log.txt").read_text()
