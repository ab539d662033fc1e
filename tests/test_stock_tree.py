"""The baseline of the benchmark: an untouched tree, or an installed one put back as it was, in another place."""
import hashlib
import json
import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from benchmarks import run, stock_tree  # noqa: E402

STOCK = {"main.py": "old main", "mainscripts/Sorter.py": "old sorter", "mainscripts/Util.py": "util",
         "DFLIMG/__init__.py": "old faces", "facelib/big.npy": "w" * (stock_tree.LINKED_BYTES + 1),
         "facelib/small.npy": "weights"}
OVERLAY = {"main.py": "new main", "command_line.py": "words", "mainscripts/Sorter.py": "new sorter",
           "DFLIMG/__init__.py": "new faces", "accel/__init__.py": "engine", "accel/ranking/hue.py": "hue"}


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def read(folder):
    return {str(path.relative_to(str(folder))).replace(os.sep, "/"): path.read_bytes().decode()
            for path in folder.rglob("*") if path.is_file()}


def install(tree, stock, overlay, **changes):
    """Make an installed tree and what the installation keeps beside it."""
    write(tree, dict(stock, **overlay))
    kept = tree.parent / (tree.name + "_original")
    files = {}
    for name in overlay:
        original = None
        if name in stock:
            write(kept, {"files/" + name: stock[name]})
            original = {"sha256": hashlib.sha256(stock[name].encode()).hexdigest(), "size": len(stock[name]),
                        "mtime_ns": 1, "mode": 33188, "kept": "files/" + name}
        files[name] = {"ours": ["0" * 64], "original": original}
    manifest = {"format": 1, "state": "installed", "version": "0.2.0", "files": files, "theirs": {}, "found": "",
                "packages": {}, "pending": None}
    manifest.update(changes)
    kept.mkdir(exist_ok=True)
    (kept / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return tree


@pytest.fixture
def build(tmp_path):
    return tmp_path / "Мой DeepFaceLab"


@pytest.fixture
def tree(build):
    return install(build / "_internal" / "DeepFaceLab", STOCK, OVERLAY)


def find(path):
    return stock_tree.find(str(path), sys.executable)


def test_the_tree_of_before(tree, tmp_path):
    write(tree, {"main.pyc": "", "__pycache__/main.cpython-36.pyc": "", "accel/__pycache__/hue.nbc": "",
                 "mainscripts/__pycache__/Util.nbi": "", ".git/config": ""})
    before = read(tree), read(tree.parent / "DeepFaceLab_original")
    place = tmp_path / "new" / "DeepFaceLab"
    assert find(tree).unchanged(str(place)) == str(place)
    assert read(place) == dict(STOCK, **{"main.pyc": ""})
    assert not (place / "accel").exists()
    assert before == (read(tree), read(tree.parent / "DeepFaceLab_original"))


def test_only_large_files_are_links(tree, tmp_path):
    place = tmp_path / "new"
    find(tree).unchanged(str(place))
    linked = [name for name in STOCK if os.stat(str(place / name)).st_nlink > 1]
    assert linked == ["facelib/big.npy"]


@pytest.mark.parametrize("reason", ["no links", "write-protected"])
def test_large_files_are_copied_where_links_do_not_do(tree, tmp_path, monkeypatch, reason):
    def refuse(*_):
        raise OSError("no links here")
    if reason == "no links":
        monkeypatch.setattr(os, "link", refuse)
    else:
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    find(tree).unchanged(str(tmp_path / "new"))
    assert read(tmp_path / "new") == STOCK
    assert os.stat(str(tmp_path / "new" / "facelib" / "big.npy")).st_nlink == 1


@pytest.mark.parametrize("below", ["", "_internal", "_internal/DeepFaceLab"])
def test_what_may_be_named(tree, build, below):
    assert os.path.samefile(find(build / below).tree, str(tree))


def test_an_untouched_tree_is_taken_as_it_is(tmp_path):
    write(tmp_path / "stock", STOCK)
    found = find(tmp_path / "stock")
    assert found.unchanged("nowhere") == found.tree == str(found) == str(tmp_path / "stock")


def test_a_forks_file_that_was_kept_stays(build, tmp_path):
    overlay = {name: text for name, text in OVERLAY.items() if name != "main.py"}
    tree = install(build / "DeepFaceLab", STOCK, overlay, theirs={"main.py": "it has more commands"})
    find(build).unchanged(str(tmp_path / "new"))
    assert read(tmp_path / "new") == STOCK
    assert find(tree).originals["accel/__init__.py"] is None


def refused(path):
    with pytest.raises(stock_tree.Unusable) as caught:
        find(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_an_overlay_without_originals(tmp_path):
    write(tmp_path / "tree", dict(STOCK, **OVERLAY))
    assert "already holds this overlay" in refused(tmp_path / "tree")


@pytest.mark.parametrize("state", ["installing", "testing", "uninstalling"])
def test_an_installation_that_was_cut_short(build, state):
    install(build / "DeepFaceLab", STOCK, OVERLAY, state=state)
    told = refused(build)
    assert state in told and "run install again" in told


@pytest.mark.parametrize("changes", [
    {"format": 2}, {"files": None}, {"files": {"a.py": {}}}, {"files": {"../a.py": {"original": None}}},
    {"files": {"/a.py": {"original": None}}},
    {"files": {"a.py": {"original": {"kept": "../../a.py", "sha256": ""}}}}], ids=str)
def test_a_manifest_of_another_kind(build, changes):
    install(build / "DeepFaceLab", STOCK, OVERLAY, **changes)
    assert "manifest.json cannot be used" in refused(build)


def test_a_manifest_that_is_torn(tree):
    path = tree.parent / "DeepFaceLab_original" / "manifest.json"
    path.write_text(path.read_text()[:50])
    assert "manifest.json cannot be used" in refused(tree)


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text("other")])
def test_a_kept_original_that_was_changed(tree, change):
    change(tree.parent / "DeepFaceLab_original" / "files" / "mainscripts" / "Sorter.py")
    assert "mainscripts/Sorter.py" in refused(tree)


def test_no_tree_and_no_python(tree, tmp_path):
    assert "main.py" in refused(tmp_path)
    with pytest.raises(stock_tree.Unusable, match="--stock-python"):
        stock_tree.find(str(tree), "no-such-python")


# A DeepFaceLab that knows one order: by file name.
BY_NAME = {"main.py": "from mainscripts import Sorter\nSorter.main()\n", "mainscripts/Sorter.py": """
import os, sys
def main():
    folder = sys.argv[sys.argv.index("--input-dir") + 1]
    for number, name in enumerate(sorted(os.listdir(folder))):
        os.rename(os.path.join(folder, name), os.path.join(folder, "{:05d}.jpg".format(number)))
"""}
BROKEN = {"main.py": "raise SystemExit('the overlay')", "mainscripts/Sorter.py": "", "accel/__init__.py": ""}


def test_the_benchmark_starts_the_original(build, tmp_path, monkeypatch, capsys):
    tree = install(build / "_internal" / "DeepFaceLab", BY_NAME, BROKEN)
    before = read(tree)
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temp))
    samples = tmp_path / "results.json"
    # generated faces are in the order of their frames
    words = ["--quick", "--no-picture", "--faces", "6", "--cases", "sort.origname", "--json", str(samples)]
    assert run.main(words + ["--stock", str(build)]) == 0
    assert "as it was before the installation" in capsys.readouterr().err
    saved = json.loads(samples.read_text())
    assert saved["baseline"] == "DeepFaceLab" and saved["cases"][0]["equal"] == "yes"
    assert list(temp.iterdir()) == [] and read(tree) == before


def test_the_benchmark_says_what_is_wrong_and_leaves_nothing(tree, tmp_path, monkeypatch, capsys):
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temp))
    manifest = tree.parent / "DeepFaceLab_original" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["files"]["main.py"]["original"] = None
    manifest.write_text(json.dumps(content))
    assert run.main(["--stock", str(tree), "--cases", "sort.origname"]) == 2
    assert "run install again" in capsys.readouterr().err.splitlines()[-1]
    assert list(temp.iterdir()) == []
