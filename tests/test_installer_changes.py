"""Putting the overlay onto a tree and taking it off, in peace, after edits, and cut at every operation."""
import os
import shutil
import stat

import crash_shim
import pytest
from accel import host
from crash_shim import BROKEN, DONE, KILLED, REFUSED
from installer import build as builds
from installer import changes, plan
from installer import record as records
from made_up_build import MODULES, known_of, make_tree, snapshot, write

pytestmark = pytest.mark.light

# An overlay small enough for every operation of it to be cut.
NEW = {
    "accel/host.py": b"TEXT = 'accel'\n",
    "accel/kernel_cache.py": b"# accel\n" * 200,
    "mainscripts/Sorter.py": b"from accel import host\n\n\ndef main(input_path, sort_by_method=None):\n    pass\n",
    "command_line.py": b"from accel import host  # words\n",
    "main.py": b"import command_line\nfrom accel import host\n",
}
REFUSALS = (host.UserError, OSError)       # the command line has words for both
REPLACED = [path for path in NEW if path in MODULES]


class Workshop:
    """A made-up build in which things are installed."""

    def __init__(self, folder):
        self.root = str(folder / "build")
        self.template = str(folder / "template")
        make_tree(os.path.join(self.template, "DeepFaceLab"))
        os.chmod(os.path.join(self.template, "DeepFaceLab", "main.py"), 0o755)
        os.utime(os.path.join(self.template, "DeepFaceLab", "main.py"), ns=(10 ** 18, 10 ** 18 + 123456700))
        self.tree = os.path.join(self.root, "DeepFaceLab")
        self.build = builds.Build(self.tree, self.tree + "_original", "python", "made up", None)
        self.fresh()
        self.before = snapshot(self.tree)
        self.times = True

    def fresh(self):
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.template, self.root)

    def record(self):
        return records.Record.load(self.build.kept)

    def plan(self, new=NEW, force=False, known=None):
        return plan.make(self.build, new, self.record(), known or known_of(), force)

    def install(self, new=NEW, **options):
        record = self.record()
        record.version = "1"
        with changes.locked(self.build):
            aside = changes.install(self.build, record, self.plan(new, **options), new)
            changes.finish(self.build, record)
        return aside

    def uninstall(self):
        with changes.locked(self.build):
            aside = changes.uninstall(self.build, self.record())
            left = changes.discard(self.build)
        return aside, left

    def read(self, path):
        return plan.read(self.tree, path)

    def expect_installed(self, new=NEW):
        there = snapshot(self.tree)
        assert {path: there[path][0] for path in new} == new
        assert {path: there[path] for path in there if path not in new} == {
            path: self.before[path] for path in self.before if path not in new}
        assert self.record().state == records.INSTALLED

    def expect_original(self):
        there, before = snapshot(self.tree), self.before
        if not self.times:
            there, before = [{path: state[0] for path, state in found.items()} for found in (there, before)]
        assert there == before
        assert not os.path.exists(os.path.join(self.tree, "accel"))


@pytest.fixture
def shop(tmp_path):
    return Workshop(tmp_path)


# --- in peace --------------------------------------------------------------------------------

def test_install_and_uninstall_restore_every_byte_mode_and_time(shop):
    assert shop.install() == []
    shop.expect_installed()
    assert os.stat(os.path.join(shop.tree, "main.py")).st_mode & stat.S_IXUSR
    assert shop.uninstall() == ([], [])
    shop.expect_original()
    assert os.listdir(shop.root) == ["DeepFaceLab"]


def test_a_second_install_keeps_the_first_originals(shop):
    shop.install()
    newer = dict(NEW, **{"mainscripts/Sorter.py": b"from accel import host  # 2\n", "accel/more.py": b"# accel\n"})
    del newer["accel/kernel_cache.py"]
    shop.install(newer)
    shop.expect_installed(newer)
    assert shop.read("accel/kernel_cache.py") is None          # no longer part of the overlay
    kept = os.path.join(shop.build.kept, "files", "mainscripts", "Sorter.py")
    with open(kept, "rb") as stream:
        assert stream.read() == MODULES["mainscripts/Sorter.py"].encode()
    assert shop.uninstall() == ([], [])
    shop.expect_original()


def test_caches_of_our_files_go_and_others_stay(shop):
    shop.install()
    ours = ["accel/__pycache__/host.cpython-36.pyc", "accel/__pycache__/host.f-1.py36.nbc",
            "mainscripts/__pycache__/Sorter.cpython-36.pyc", "__pycache__/command_line.cpython-36.pyc"]
    stock = "mainscripts/__pycache__/Util.cpython-36.pyc"
    for path in ours + [stock]:
        write(shop.tree, path, "cache")
    shop.uninstall()
    assert [path for path in ours + [stock] if shop.read(path)] == [stock]
    assert not os.path.exists(os.path.join(shop.tree, "accel"))
    assert not os.path.exists(os.path.join(shop.tree, "__pycache__"))


def test_foreign_files_in_our_folders_stay(shop):
    shop.install()
    write(shop.tree, "accel/notes.txt", "mine")
    shop.uninstall()
    assert shop.read("accel/notes.txt") == b"mine" and shop.read("accel/host.py") is None


def test_a_fork_keeps_its_main_and_gets_the_rest(shop):
    write(shop.tree, "main.py", MODULES["main.py"] + "# a fork\n")
    shop.before = snapshot(shop.tree)
    shop.install()
    assert shop.read("main.py").endswith(b"# a fork\n") and shop.read("command_line.py") is None
    assert shop.read("mainscripts/Sorter.py") == NEW["mainscripts/Sorter.py"]
    assert list(shop.record().theirs) == ["main.py"]
    shop.install(force=True)
    shop.expect_installed()
    shop.install()                                             # without force: the fork's is back
    assert shop.read("main.py").endswith(b"# a fork\n") and shop.read("command_line.py") is None
    shop.uninstall()
    shop.expect_original()


def test_a_package_accel_of_a_fork_is_not_touched(shop):
    write(shop.tree, "accel/__init__.py", "own = 1\n")
    with pytest.raises(host.UserError, match="accel of its own"):
        shop.plan()
    shop.before = snapshot(shop.tree)
    shop.install(force=True)
    shop.uninstall()
    assert snapshot(shop.tree) == shop.before


def test_a_copy_made_by_hand_is_taken_over(shop):
    for path, content in NEW.items():
        write(shop.tree, path, content)
    shop.before = snapshot(shop.tree)
    shop.install()
    shop.expect_installed()
    assert shop.uninstall() == ([], [])
    assert snapshot(shop.tree) == shop.before


@pytest.mark.parametrize("then", ["install", "uninstall"])
def test_what_was_edited_by_hand_is_kept(shop, then):
    shop.install()
    write(shop.tree, "mainscripts/Sorter.py", NEW["mainscripts/Sorter.py"] + b"# my accel\n")
    write(shop.tree, "accel/host.py", b"# mine\n")
    aside = shop.install() if then == "install" else shop.uninstall()[0]
    assert len(aside) == 2
    contents = sorted(open(path, "rb").read()[-11:] for path in aside)
    assert contents == [b"# mine\n", b"# my accel\n"]
    if then == "install":
        shop.expect_installed()
        shop.uninstall()
    shop.expect_original()
    assert all(os.path.exists(path) for path in aside)


def test_a_newer_deepfacelab_copied_over_it_is_what_comes_back(shop):
    shop.install()
    newer = "# a newer sorter\n"
    write(shop.tree, "mainscripts/Sorter.py", newer)
    shop.install()
    assert shop.read("mainscripts/Sorter.py") == NEW["mainscripts/Sorter.py"]
    _, left = shop.uninstall()
    assert shop.read("mainscripts/Sorter.py") == newer.encode()
    with open(left[0], "rb") as stream:                        # and the older one is not lost either
        assert stream.read() == MODULES["mainscripts/Sorter.py"].encode()


def test_write_protected_files_are_replaced_and_protected_again(shop):
    os.chmod(os.path.join(shop.tree, "mainscripts", "Sorter.py"), 0o444)
    shop.before = snapshot(shop.tree)
    shop.install()
    shop.expect_installed()
    assert shop.uninstall() == ([], [])
    shop.expect_original()


def test_links_are_refused(shop):
    os.rename(os.path.join(shop.tree, "main.py"), os.path.join(shop.root, "elsewhere.py"))
    os.symlink(os.path.join(shop.root, "elsewhere.py"), os.path.join(shop.tree, "main.py"))
    with pytest.raises(host.UserError, match="is a link"):
        shop.install()
    assert shop.read("accel/host.py") is None and shop.record().state is None


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_uninstall_needs_the_kept_files_whole(shop, harm):
    shop.install()
    kept = os.path.join(shop.build.kept, "files", "main.py")
    os.remove(kept)
    if harm == "damaged":
        write(shop.build.kept, "files/main.py", "broken")
    with pytest.raises(host.UserError, match="main.py.*Nothing was changed"):
        shop.uninstall()
    shop.expect_installed()
    write(shop.tree, "main.py", MODULES["main.py"])            # what the message advises
    shop.uninstall()
    assert shop.read("accel/host.py") is None


def test_originals_survive_a_lost_manifest(shop):
    shop.install()
    os.remove(os.path.join(shop.build.kept, records.NAME))
    assert len(shop.uninstall()[1]) == len(REPLACED)           # nothing is restored, and nothing removed
    shop.install()
    assert len(shop.uninstall()[1]) == len(REPLACED)


MANIFEST = ('{"format": 1, "state": "installed", "version": "1", "found": "", "theirs": {}, "packages": {}, '
            '"pending": null, "files": {"PATH": {"ours": ["0"], "original": null}}}')


def test_a_manifest_like_that_is_read(shop):
    write(shop.build.kept, records.NAME, MANIFEST)
    assert list(shop.record().files) == ["PATH"]


@pytest.mark.parametrize("text", [
    "", "{}", "[]", '{"format": 2}', "\udcff",
    MANIFEST.replace("PATH", "../../evil.py"), MANIFEST.replace("PATH", "C:/evil.py"),
    MANIFEST.replace("PATH", "a\\\\b.py"), MANIFEST.replace('["0"]', "[]"), MANIFEST.replace("installed", "odd"),
    MANIFEST.replace("null", '["python"]', 1)])
def test_a_manifest_that_is_none_stops_everything(shop, text):
    shop.install()
    write(shop.build.kept, records.NAME, text.encode("utf-8", "surrogateescape"))
    for action in (shop.install, shop.uninstall):
        with pytest.raises(host.UserError, match="cannot be used"):
            action()
    assert shop.read("main.py") == NEW["main.py"]


def test_two_installers_exclude_each_other(shop):
    with changes.locked(shop.build):
        with pytest.raises(host.UserError, match="Another installation"):
            shop.install()
    shop.expect_original()
    assert not os.path.exists(shop.build.kept)


def test_python_is_remembered_by_its_place_in_the_build(shop, tmp_path):
    inside = os.path.join(shop.root, "python-3.6.8", "python.exe")
    key = records.python_key(shop.build._replace(python=inside))
    assert key == os.path.join("python-3.6.8", "python.exe")
    copy = shop.build._replace(tree=str(tmp_path / "moved" / "DeepFaceLab"))
    assert records.python_path(copy, key) == str(tmp_path / "moved" / "python-3.6.8" / "python.exe")
    outside = records.python_key(shop.build._replace(python="/usr/bin/python3"))
    assert records.python_path(copy, outside) == outside == "/usr/bin/python3"


def test_a_fork_copied_over_the_overlay_stays(shop):
    shop.install()
    fork = {"main.py": MODULES["main.py"] + "# a fork\n", "mainscripts/Sorter.py": "# its own sorter\n"}
    for path, text in fork.items():
        write(shop.tree, path, text)
    shop.install()                                             # its main.py is kept, its Sorter replaced
    assert shop.read("main.py") == fork["main.py"].encode()
    assert shop.read("mainscripts/Sorter.py") == NEW["mainscripts/Sorter.py"]
    shop.uninstall()
    assert {path: shop.read(path) for path in fork} == {path: text.encode() for path, text in fork.items()}
    assert shop.read("accel/host.py") is None


def test_a_newer_deepfacelab_copied_over_the_overlay_stays_when_it_is_taken_off(shop):
    shop.install()
    newer = {"main.py": "# newer\n", "mainscripts/Sorter.py": "# newer sorter\n"}
    for path, text in newer.items():
        write(shop.tree, path, text)
    aside, left = shop.uninstall()
    assert aside == [] and len(left) == 2
    assert {path: shop.read(path) for path in newer} == {path: text.encode() for path, text in newer.items()}
    assert shop.read("accel/host.py") is None and shop.read("command_line.py") is None


def test_a_tree_that_is_another_disk_is_refused(shop, monkeypatch):
    monkeypatch.setattr(changes.compat, "same_device", lambda a, b: False)
    with pytest.raises(host.UserError, match="another disk.*Nothing was changed"):
        shop.install()
    shop.expect_original()
    assert not os.path.exists(shop.build.kept)


def test_where_nobody_may_set_permissions_it_works_all_the_same(shop, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")
    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(os, "utime", refuse)
    shop.install()
    assert shop.read("main.py") == NEW["main.py"]
    shop.uninstall()
    assert shop.read("main.py") == MODULES["main.py"].encode()


# --- cut at every operation ------------------------------------------------------------------

@pytest.fixture
def no_real_sync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)          # the shim notes syncs; nobody cuts our own power


def expect_nothing_lost(shop):
    """Every file of the tree is a whole old or new one, and every original is somewhere."""
    there = {path: state[0] for path, state in snapshot(shop.tree).items()}
    kept = [state[0] for state in snapshot(shop.build.kept).values()] if os.path.isdir(shop.build.kept) else []
    for path, (content, _, _) in shop.before.items():
        assert there.get(path) == content or path in NEW and content in kept, path
        assert there[path] in (content, NEW.get(path)), path
    assert all(content == NEW[path] for path, content in there.items() if path not in shop.before)


def expect_imports_present(shop):
    """Whatever is in place finds what it imports: the engine before its users, main.py last."""
    placed = {path for path in NEW if shop.read(path) == NEW[path]}
    engine = {path for path in NEW if path.startswith("accel/")}
    assert placed <= engine or engine <= placed
    assert "main.py" not in placed or placed == set(NEW)


def cut(shop, before, work, then, every):
    """Cut work() in all modes; afterwards `then` must succeed from where it stopped.

    every: of the operations of a sort, every so many are cut; with "kill" all are that change something.
    """
    before()
    operations = crash_shim.trace(work, shop.root)
    assert len(operations) > 40
    ends = set()
    for mode in crash_shim.MODES:
        for at in crash_shim.points(operations, mode, 1 if mode == "kill" else every):
            shop.fresh()
            before()
            how, _, words = crash_shim.run(work, shop.root, mode, at, REFUSALS)
            assert how != BROKEN, (mode, at, words)
            expect_nothing_lost(shop)
            if not mode.startswith("power"):
                expect_imports_present(shop)
            shop.times = not mode.startswith("power")        # a taken back removal has another time
            then(how)
            ends.add(how)
    assert ends == {KILLED, DONE, REFUSED}


def test_install_cut_at_every_operation_and_done_again(shop, no_real_sync):
    def then(how):
        assert how != DONE or shop.record().state == records.INSTALLED
        shop.install()
        shop.expect_installed()
    cut(shop, lambda: None, shop.install, then, 5)
    shop.uninstall()
    shop.expect_original()


def test_install_cut_at_every_operation_and_taken_back(shop, no_real_sync):
    def then(how):
        assert shop.uninstall() == ([], [])
        shop.expect_original()
        assert os.listdir(shop.root) == ["DeepFaceLab"]
    cut(shop, lambda: None, shop.install, then, 11)


def test_uninstall_cut_at_every_operation_and_done_again(shop, no_real_sync):
    def then(how):
        assert shop.uninstall() == ([], [])
        shop.expect_original()
        assert os.listdir(shop.root) == ["DeepFaceLab"]
    cut(shop, shop.install, shop.uninstall, then, 5)


def test_uninstall_cut_at_every_operation_and_installed_again(shop, no_real_sync):
    def then(how):
        shop.install()
        shop.expect_installed()
        assert shop.uninstall() == ([], [])
        shop.expect_original()
    cut(shop, shop.install, shop.uninstall, then, 11)


def test_a_full_disk_changes_nothing_before_all_is_staged(shop, no_real_sync):
    operations = crash_shim.count(shop.install, shop.root)
    untouched = 0
    for at in range(operations):
        shop.fresh()
        how, _, words = crash_shim.run(shop.install, shop.root, "enospc-on", at, REFUSALS)
        if how == REFUSED:
            assert "room" in words
            placed = [path for path in NEW if shop.read(path) == NEW[path]]
            untouched += not placed
    assert untouched > operations / 2
