"""The release archive: one folder, whole, the same bytes each time, and ready to install from."""
import hashlib
import io
import os
import subprocess
import sys
import zipfile

import pytest
from installer import overlay, sums
from made_up_build import make_windows_build, write
from program import PROGRAM

ROOT = os.path.dirname(PROGRAM)
RELEASE = os.path.join(ROOT, "tools", "release.py")


def make(folder):
    out = subprocess.check_output([sys.executable, RELEASE, "--to", str(folder)]).decode()
    digest, path = out.rstrip("\n").split("  ", 1)
    with open(path, "rb") as stream:
        data = stream.read()
    assert hashlib.sha256(data).hexdigest() == digest
    return data


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    if not os.path.exists(os.path.join(ROOT, ".git")):
        return None                      # in a release itself there is no history to make one from
    return make(tmp_path_factory.mktemp("release"))


def unpack(data, folder):
    """Unpack as a user does, permissions included. Return the one folder that was in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as stream:
        for entry in stream.infolist():
            path = stream.extract(entry, str(folder))
            os.chmod(path, entry.external_attr >> 16)
        names = {entry.filename.split("/")[0] for entry in stream.infolist()}
    assert len(names) == 1
    return os.path.join(str(folder), names.pop())


def test_archive(archive, tmp_path):
    if archive is None:
        assert sums.damaged(ROOT) == []  # then this is one, and must be whole
        return
    assert make(tmp_path / "again") == archive
    build = str(tmp_path / "build")
    tree = make_windows_build(build)
    before = sorted(os.listdir(build))
    folder = unpack(archive, build)
    assert sorted(os.listdir(build)) == sorted(before + [os.path.basename(folder)])
    assert os.path.basename(folder) == "deepfacelab-accel-" + overlay.version()
    assert {"DeepFaceLab", "README.md", "README_RU.md", "LICENSE", "benchmarks", "install.bat", "install.py",
            "install.sh", "installer", "requirements.txt", "tests", sums.NAME} <= set(os.listdir(folder))
    assert not {".ci", ".git", ".gitignore", ".gitattributes"} & set(os.listdir(folder))
    assert sums.damaged(folder) == []
    with open(os.path.join(folder, "install.bat"), "rb") as stream:
        text = stream.read()
    assert text.count(b"\r\n") == text.count(b"\n") > 10
    assert os.access(os.path.join(folder, "install.sh"), os.X_OK)
    words = [sys.executable, os.path.join(folder, "install.py"), "--dry-run"]
    said = subprocess.check_output(words, stdin=subprocess.DEVNULL).decode()
    assert "DeepFaceLab  " + tree in said
    write(folder, "DeepFaceLab/accel/host.py", "damaged")
    run = subprocess.run(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert run.returncode == 1 and b"This copy is damaged (DeepFaceLab/accel/host.py)" in run.stderr
