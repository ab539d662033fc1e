"""The console: texts and answers as stock's, the log, progress."""
import io
import re
import sys
import types

import prompt_cases
import pytest
from accel import host

ASK = {"int": host.ask_int, "bool": host.ask_bool, "str": host.ask_str}
ANSWERS = [(kind, arguments, options) + answer
           for kind, arguments, options, answers in prompt_cases.QUESTIONS for answer in answers]
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "


@pytest.fixture(autouse=True)
def plain_console():
    yield
    host.set_unattended(False)
    host.set_log_file(None)


def lines_of(path):
    """Return the lines of a log without their times, each of which must be there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(re.match(STAMP, line + " ") for line in lines)
    return [line[len("2026-01-01 00:00:00 "):] for line in lines]


@pytest.mark.parametrize("kind, arguments, options, typed, printed, result", ANSWERS)
def test_answer(kind, arguments, options, typed, printed, result):
    comp = prompt_cases.play(ASK[kind], arguments, options, typed)
    assert comp == (printed, result)
    assert type(comp[1]) is type(result)


@pytest.mark.parametrize("kind, arguments, options", [asked[:3] for asked in prompt_cases.QUESTIONS])
def test_unattended_takes_the_default_and_reads_nothing(kind, arguments, options):
    closed = prompt_cases.play(ASK[kind], arguments, options, "")
    host.set_unattended(True)
    assert prompt_cases.play(ASK[kind], arguments, options, "y\n3\npng\n") == closed


def test_no_stdin_at_all(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert host.ask_int("Size", 7) == 7
    assert capsys.readouterr().out == "7\n"


def test_ctrl_c_at_a_prompt_is_not_an_answer(monkeypatch):
    class Interrupted:
        def readline(self):
            raise KeyboardInterrupt
    monkeypatch.setattr(sys, "stdin", Interrupted())
    for ask, default in ((host.ask_int, 1), (host.ask_bool, True), (host.ask_str, "a")):
        with pytest.raises(KeyboardInterrupt):
            ask("Go", default)


def test_messages(capsys):
    host.log_info("Running sort tool.\r\n")
    host.log_info(f"one {2}", end="")
    host.log_err("Файл")
    assert capsys.readouterr() == ("Running sort tool.\r\n\none 2/!\\ Файл\n", "")


def test_a_loaded_stock_console_speaks(monkeypatch):
    heard = []

    class Console:
        def log_info(self, message, end="\n"):
            heard.append(("log_info", message, end))

        def __getattr__(self, name):
            def answer(*arguments, **options):
                heard.append((name, arguments, options))
                return name
            return answer

    package = types.ModuleType("core.interact")
    package.interact = Console()
    monkeypatch.setitem(sys.modules, "core.interact", package)
    host.log_info("a")
    host.log_err("b", end="")
    assert host.ask_int("p", 1, valid_list=[1], add_info="i", help_message="h") == "input_int"
    assert host.ask_bool("p", True) == "input_bool"
    assert host.ask_str("p", "d", valid_list=["d"]) == "input_str"
    assert heard == [
        ("log_info", "a", "\n"), ("log_info", "/!\\ b", ""),
        # only what is used: an older console has no valid_range, for instance
        ("input_int", ("p", 1), {"valid_list": [1], "add_info": "i", "help_message": "h"}),
        ("input_bool", ("p", True), {}),
        ("input_str", ("p", "d"), {"valid_list": ["d"]})]
    host.set_unattended(True)
    assert prompt_cases.play(host.ask_int, ("p", 1), {}, "3\n") == ("[1] p : 1\n", 1)


def test_progress_counts_and_closes(capsys):
    assert list(host.progress([3, 1, 2], "Loading")) == [3, 1, 2]
    with host.progress(None, "Renaming", total=4) as bar:
        bar.update(3)
        host.log_info("between")
        bar.update(1)
    out, err = capsys.readouterr()
    assert out == "between\n"
    assert "Loading: 100%|##########| 3/3 [" in err and "Renaming: 100%|##########| 4/4 [" in err
    assert not [line for line in err.splitlines() if line.count("%|") > 1 and "\r" not in err]


def test_a_bar_that_leaves_nothing(capsys):
    for _ in host.progress(range(3), "Checking", leave=False):
        pass
    assert capsys.readouterr().err.split("\r")[-2].strip() == ""


def test_log_file(tmp_path, monkeypatch):
    path = tmp_path / "журнал.txt"
    console = io.StringIO()
    monkeypatch.setattr(sys, "stdout", console)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys, "stdin", io.StringIO("?\nn\n7\n"))
    host.set_log_file(path)
    host.log_info("Running sort tool.\r\n")
    assert host.ask_bool("Go?", True, help_message="Or not.") is False
    assert host.ask_int("", 5) == 7
    for _ in host.progress(range(50), "Loading"):
        pass
    host.log_info("имя \udcff 漢")
    assert host.log_details("Traceback\n  line") is True
    host.log_info("no line end", end="")
    host.set_log_file(None)
    host.log_info("after")
    lines = lines_of(path)
    assert re.match(r"Loading: 100%\|##########\| 50/50 \[", lines.pop(7))
    assert lines == ["Running sort tool.", "", "[y] Go? ( y/n ?:help ) : ?", "Or not.",
                     "[y] Go? ( y/n ?:help ) : n", "[5] : 7", "7",
                     "имя \\udcff 漢", "Traceback", "  line", "no line end"]
    assert console.getvalue() == ("Running sort tool.\r\n\n[y] Go? ( y/n ?:help ) : Or not.\n"
                                  "[y] Go? ( y/n ?:help ) : [5] : 7\nимя \udcff 漢\nno line endafter\n")
    assert sys.stdout is console


def test_log_file_is_continued(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("mine\n")
    host.set_log_file(path)
    host.log_info("more")
    host.set_log_file(None)
    assert path.read_text().startswith("mine\n2") and path.read_text().endswith(" more\n")


def test_log_file_that_cannot_be_written(tmp_path):
    before = sys.stdout
    for path in (tmp_path, tmp_path / "missing" / "log.txt"):
        with pytest.raises(host.UserError, match="--log"):
            host.set_log_file(path)
    assert sys.stdout is before
    assert host.log_details("nowhere") is False


def test_a_full_disk_ends_the_log_and_not_the_work(tmp_path, capsys, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")
    host.set_log_file(tmp_path / "log.txt")
    host._log.file.close()
    host._log.file = Full()
    host.log_info("one")
    host.log_info("two")
    assert host.log_details("three") is False
    host.set_log_file(None)
    out, err = capsys.readouterr()
    assert out == "one\ntwo\n"
    assert err.count("The log ends here") == 1 and "No space left" in err
