"""The whole way through cmd.exe: install.bat, a numbered .bat file that sorts, and back. Started by run.py."""
import json
import os
import shutil
import sys

from wine_build import BAT, Build, windows

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.dirname(TESTS), TESTS, os.path.join(os.path.dirname(TESTS), "DeepFaceLab")]

from made_up_build import MODULES, make_tree, snapshot  # noqa: E402

GOLDEN = os.path.join(TESTS, "data", "sort")
ORIGNAME = 10                  # its number in the menu of sort


def read(*names):
    with open(os.path.join(*names), "rb") as stream:
        return stream.read()


def test_install_sort_and_uninstall(wine, tmp_path):
    build = Build(wine, tmp_path / "Моя сборка (1)")
    tree = make_tree(build.path("_internal", "DeepFaceLab"), MODULES)
    before = snapshot(tree)
    python = wine.bridge()

    def install(words):
        line = '"{}" "{}" --yes --no-pip --force --python "{}" {}'
        return wine.cmd(line.format(windows(BAT), build.windows(), windows(sys.executable), words), **python)

    ending = install("")
    assert ending.code == 0 and "Installed and tested." in ending.text, ending
    ending = install("--verify")
    assert ending.code == 0 and "Complete: version" in ending.text, ending

    with open(os.path.join(GOLDEN, "expected.json")) as stream:
        order = json.load(stream)["orders"]["origname"]
    faces = build.path("workspace", "data_src", "aligned")
    for name in order["sorted"] + order["trash"]:
        shutil.copy(os.path.join(GOLDEN, "aligned", name), faces)
    # once for the question of sort, once for "pause"
    ending = wine.explorer(build.windows("4.2) data_src sort.bat"), answers="{}\n\n".format(ORIGNAME),
                           folder=build.root, **python)
    assert "Choose sorting method" in ending.text and "Done." in ending.text, ending
    assert [read(faces, name) for name in sorted(os.listdir(faces)) if not name.startswith(".")] == [
        read(GOLDEN, "aligned", name) for name in order["sorted"]]

    ending = install("--uninstall")
    assert ending.code == 0 and "Uninstalled" in ending.text, ending
    assert snapshot(tree) == before and not os.path.exists(tree + "_original")
