"""Which DeepFaceLab a tree is said to be, and which of a fork's files stay."""
import json
import os
import re

import pytest
from installer import build as builds
from installer import interface, overlay, plan, sums, versions
from installer import record as records
from made_up_build import known_of, make_tree, write
from program import PROGRAM

STATES = {"commits": [["aaaaaaa", "2020-02-02"], ["63c794b", "2021-06-28"], ["bbbbbbb", "2021-10-13"]],
          "last": ["46fc239", "2023-04-27"],
          "files": {"main.py": [[0, versions.fingerprint(b"main 1\n")], [1, versions.fingerprint(b"main 2\n")]],
                    "a.py": [[0, None], [1, versions.fingerprint(b"a 1\n")], [2, versions.fingerprint(b"a 2\n")]],
                    "b.py": [[0, versions.fingerprint(b"b\n")]]}}


def identified(**contents):
    return versions.Known(STATES).identify(lambda path: contents.get(path[:-len(".py")]))


@pytest.mark.parametrize("contents, kind, words, differs", [
    (dict(main=b"main 2\n", a=b"a 2\n", b=b"b\n"), "stock", "46fc239 of 2023-04-27", []),
    (dict(main=b"main 2\r\n", a=b"a 2\r\n", b=b"b\r\n"), "stock", "46fc239", []),
    (dict(main=b"main 2\n", a=b"a 1\n", b=b"b\n"), "older", "63c794b of 2021-06-28", []),
    (dict(main=b"main 1\n", b=b"b\n"), "older", "aaaaaaa", []),
    (dict(main=b"main 2\n", a=b"a 3\n", b=b"b\n"), "changed", "46fc239", ["a.py"]),
    (dict(main=b"main 2\n", a=b"a 1\n", b=b"x\n"), "changed", "63c794b", ["b.py"]),
    (dict(main=b"fork\n", a=b"a 2\n"), "changed", "46fc239", ["b.py", "main.py"])])
def test_identify(contents, kind, words, differs):
    version = identified(**contents)
    assert (version.kind, version.differs) == (kind, differs)
    assert words in version.text


def test_a_main_of_before_the_command_line_settled_stays():
    known = versions.Known(STATES)
    assert known.main_fits(b"main 2\r\n") and not known.main_fits(b"main 1\n") and not known.main_fits(b"fork\n")


def test_is_stock():
    known = versions.Known(STATES)
    assert known.is_stock("a.py", b"a 1\n") and known.is_stock("a.py", b"a 2\r\n")
    assert not known.is_stock("a.py", b"a 3\n") and not known.is_stock("other.py", b"a 1\n")


def test_the_table_of_known_versions_is_whole():
    with open(versions.TABLE, encoding="ascii") as stream:
        table = json.load(stream)
    known = versions.Known.load()
    assert known.last == ["46fc239", "2023-04-27"]
    assert versions.MAIN_SINCE in [name for name, _ in known.commits]
    assert [date for _, date in known.commits] == sorted(date for _, date in known.commits)
    for path, states in table["files"].items():
        assert states[0][0] == 0 and [since for since, _ in states] == sorted({since for since, _ in states})
        assert all(print_ is None or re.match("[0-9a-f]{16}$", print_) for _, print_ in states), path


def test_every_file_that_replaces_one_of_stock_is_in_the_table():
    added = {"command_line.py"}
    ours = {path for path in overlay.load() if not path.startswith("accel/")}
    assert ours - added <= set(versions.Known.load().files)


# --- the overlay's files ---------------------------------------------------------------------

def test_overlay_is_whole_and_in_order():
    new = overlay.load()
    there = {os.path.relpath(os.path.join(folder, name), PROGRAM).replace(os.sep, "/")
             for folder, _, names in os.walk(PROGRAM) for name in names if name.endswith(".py")}
    assert set(new) == there
    order = list(new)
    assert order[-2:] == ["command_line.py", "main.py"]
    assert max(order.index(path) for path in order if path.startswith("accel/")) < min(
        order.index(path) for path in order if not path.startswith("accel/"))


def test_damaged_files_of_a_release(tmp_path):
    write(str(tmp_path), "DeepFaceLab/main.py", "one")
    assert sums.damaged(str(tmp_path)) == []                   # a checkout has no list
    write(str(tmp_path), sums.NAME, "{}  DeepFaceLab/main.py\n".format(overlay.sha256(b"one")))
    assert sums.damaged(str(tmp_path)) == []
    write(str(tmp_path), "DeepFaceLab/main.py", "two")
    assert sums.damaged(str(tmp_path)) == ["DeepFaceLab/main.py"]
    (tmp_path / "DeepFaceLab" / "main.py").unlink()
    assert sums.damaged(str(tmp_path)) == ["DeepFaceLab/main.py"]


def test_a_copy_without_the_overlay_is_refused(tmp_path):
    with pytest.raises(overlay.host.UserError, match="Unpack the whole archive"):
        overlay.load(str(tmp_path))


# --- a fork's names --------------------------------------------------------------------------

OURS = b"class Face:\n    def load(path):\n        pass\n\n\ndef main(folder, by=None):\n    pass\n\n\nLIMIT = 3\n"
THEIRS = OURS.replace(b"by=None", b"by=None, speed=1") + (
    b"\n\nclass Extra:\n    def run(self):\n        pass\n\n\ndef more():\n    pass\n\n\nTABLE = {}\n")
THEIRS = THEIRS.replace(b"    def load(path):", b"    def size(self):\n        pass\n\n    def load(path):")


@pytest.mark.parametrize("other, used", [
    (b"from scripts import Tool\nTool.main(1, by=2)\nTool.Face.load(3)", []),
    (b"from scripts import Tool\nTool.more()", ["more"]),
    (b"from scripts.Tool import more as m", ["more"]),
    (b"from .Tool import Extra", ["Extra"]),
    (b"from scripts.Tool import *\nprint(TABLE)", ["TABLE"]),
    (b"import scripts.Tool\nface.size()", ["Face.size"]),
    (b"from scripts import Tool\nTool.main(1, speed=2)", ["main(speed=)"]),
    (b"def more():\n    pass\nmore()\nx.run()", []),               # names of its own
    (b"# Tool.more()\n", []), (b"this is no Python: more(", []), (b"", [])])
def test_names_of_a_fork_that_others_use(other, used):
    assert interface.used_additions("scripts/Tool.py", THEIRS, OURS, {"other.py": other}) == used


def test_nothing_is_lost_where_ours_has_more():
    assert interface.used_additions("scripts/Tool.py", OURS, THEIRS, {"o.py": b"from .Tool import more"}) == []
    assert interface.used_additions("Tool.py", b"no (Python", OURS, {"o.py": b"import Tool"}) == []


def test_a_package_is_known_by_its_folder():
    used = interface.used_additions("tools/__init__.py", b"extra = 1", b"", {"o.py": b"from tools import extra"})
    assert used == ["extra"]


def test_a_fork_keeps_a_file_whose_additions_are_used(tmp_path):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    build = builds.Build(tree, tree + "_original", "python", "", None)
    new = {"accel/host.py": b"", "accel/kernel_cache.py": b"", "DFLIMG/DFLJPG.py": b"class DFLJPG:\n    pass\n",
           "mainscripts/Sorter.py": b"def main(input_path, sort_by_method=None):\n    pass\n"}

    def actions():
        made = plan.make(build, new, records.Record(), known_of())
        return {step.path: step.action for step in made.steps}, made
    write(tree, "DFLIMG/DFLJPG.py", "class DFLJPG:\n    def age(self):\n        pass\n")
    write(tree, "mainscripts/Sorter.py", "def main(input_path, sort_by_method=None):\n    own()\n\n\ndef own():\n"
                                         "    pass\n")
    found, made = actions()
    assert found["DFLIMG/DFLJPG.py"] == found["mainscripts/Sorter.py"] == plan.REPLACE
    assert made.foreign == ["DFLIMG/DFLJPG.py", "mainscripts/Sorter.py"]
    write(tree, "mainscripts/Util.py", "from DFLIMG import DFLJPG\nDFLJPG.load(1).age()\n")
    found, made = actions()
    assert found["DFLIMG/DFLJPG.py"] == plan.THEIRS
    assert "DFLJPG.age" in [step.reason for step in made.steps if step.path == "DFLIMG/DFLJPG.py"][0]


def test_our_main_does_not_come_to_a_sorter_of_a_fork(tmp_path):
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    build = builds.Build(tree, tree + "_original", "python", "", None)
    write(tree, "mainscripts/Sorter.py", "def main(input_path):\n    pass\n\n\ndef own():\n    pass\n")
    write(tree, "mainscripts/Util.py", "from mainscripts import Sorter\nSorter.own()\n")
    new = {"accel/host.py": b"", "mainscripts/Sorter.py": b"def main(input_path):\n    pass\n",
           "command_line.py": b"", "main.py": b"import command_line\n"}
    made = plan.make(build, new, records.Record(), known_of())
    assert {step.path: step.action for step in made.steps} == {
        "accel/host.py": plan.ADD, "mainscripts/Sorter.py": plan.THEIRS, "command_line.py": plan.NOT_NEEDED,
        "main.py": plan.THEIRS}
