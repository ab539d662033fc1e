"""What the installer remembers of pip's work, and how it guards against another one of itself."""
import os

import pytest
from accel import host
from installer import build as builds
from installer import changes, command, packages
from installer import record as records
from made_up_build import make_tree

BEFORE = {"numpy": "1.19.3", "tqdm": "4.64.1"}
NUMBA = {"numba": "0.53.1", "llvmlite": "0.36.0"}


def found(names, numba=None):
    imports = {module: (names.get(package), None) for module, package in packages.NEEDED.items()}
    return packages.Found((3, 6, 8), 64, dict(names), imports)


@pytest.fixture
def site(tmp_path):
    """A Site whose Python lacks numba; install_packages may be run on it with a pretended pip."""
    tree = make_tree(str(tmp_path / "DeepFaceLab"))
    build = builds.Build(tree, tree + "_original", str(tmp_path / "python-3.6.8" / "python.exe"), "", None)
    os.mkdir(build.kept)
    record = records.Record()
    return command.Site(build, record, found(BEFORE), {}, None, record.text())


def other_python(site):
    return site._replace(build=site.build._replace(python="/usr/bin/other"), found=found({"torch": "1.8"}))


def test_what_pip_adds_is_remembered_for_its_python(site, monkeypatch):
    monkeypatch.setattr(packages, "install", lambda python, before, wheels: found(dict(BEFORE, **NUMBA)))
    command.install_packages(site, None)
    saved = records.Record.load(site.build.kept)
    assert saved.pending is None and saved.packages == {os.path.join("python-3.6.8", "python.exe"): NUMBA}
    second = other_python(site)
    monkeypatch.setattr(packages, "install", lambda *_: found(dict(NUMBA, torch="1.8", **BEFORE)))
    command.install_packages(second, None)
    assert site.record.packages == {os.path.join("python-3.6.8", "python.exe"): NUMBA,
                                    "/usr/bin/other": dict(NUMBA, **BEFORE)}


def interrupt(*_):
    raise KeyboardInterrupt


def test_after_an_interrupted_pip_only_what_it_brought_counts(site, monkeypatch):
    monkeypatch.setattr(packages, "install", interrupt)
    with pytest.raises(KeyboardInterrupt):
        command.install_packages(site, None)
    saved = records.Record.load(site.build.kept)
    assert saved.state == records.INSTALLING and saved.pending[1] == sorted(BEFORE)
    # since then it was completed by hand, and the user has installed packages of his own
    probed = []
    monkeypatch.setattr(packages, "probe", lambda python: probed.append(python) or found(
        dict(BEFORE, pandas="1.1", torch="1.8", **NUMBA)))
    command.settle_packages(site.build, saved)
    assert saved.pending is None and saved.packages == {os.path.join("python-3.6.8", "python.exe"): NUMBA}
    assert probed == [site.build.python]


def test_an_interrupted_pip_of_another_python_says_nothing_about_this_one(site, monkeypatch):
    monkeypatch.setattr(packages, "install", interrupt)
    with pytest.raises(KeyboardInterrupt):
        command.install_packages(other_python(site), None)
    monkeypatch.setattr(packages, "probe", lambda python: found({"torch": "1.8"}))
    command.settle_packages(site.build, site.record)
    monkeypatch.setattr(packages, "install", lambda *_: found(dict(BEFORE, **NUMBA)))
    command.install_packages(site, None)
    assert site.record.packages == {os.path.join("python-3.6.8", "python.exe"): NUMBA}


def test_an_interrupted_pip_of_a_python_that_is_gone_is_forgotten(site):
    site.record.pending = "gone/python.exe", ["numpy"]
    command.settle_packages(site.build, site.record)
    assert site.record.pending is None and site.record.packages == {}


def test_a_failed_pip_leaves_nothing(site, monkeypatch):
    def fail(*_):
        raise host.UserError("no network")
    monkeypatch.setattr(packages, "install", fail)
    with pytest.raises(host.UserError, match="no network"):
        command.install_packages(site, None)
    assert os.listdir(site.build.kept) == []


def test_two_windows_that_both_wait_for_an_answer(site):
    with changes.locked(site.build):
        command.refuse_other_state(site)
        site.record.state = records.INSTALLED                  # the other one has finished
        site.record.save(site.build.kept)
        with pytest.raises(host.UserError, match="Another installation has just changed"):
            command.refuse_other_state(site)
