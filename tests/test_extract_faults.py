"""An extraction whose disk, networks or user break it off; whole processes of main.py among them."""
import errno
import os
import signal
import subprocess
import sys
import time

import extract_workspace as ew
import pytest
from accel import host, output_folder
from accel.extract import extraction
from extract_workspace import Shot


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return ew.build_table_tree(tmp_path_factory.mktemp("trees") / "tree")


def fails_for(monkeypatch, error, *names):
    """Let the faces of these frames not be written."""
    real = output_folder.write_together

    def write(contents):
        if any(name.rpartition("_")[0] in names for _, name, _ in contents):
            raise error
        real(contents)
    monkeypatch.setattr(output_folder, "write_together", write)


# --- the disk ---------------------------------------------------------------------------------

def test_faces_that_cannot_be_written(tmp_path):
    """Counted, named, and the run fails at its end; what goes on does only those."""
    space = ew.build_workspace(tmp_path, [Shot(), Shot(faces=3), Shot(), Shot()])
    (space.aligned / "00002_1.jpg").mkdir(parents=True)
    with pytest.raises(host.UserError) as caught:
        ew.extract(space)
    words = str(caught.value)
    assert words.startswith("1 of 4 frames could not be extracted, the others are done:\n    the faces of 00002.png "
                            "could not be written: ")
    assert "answer y" in words and "Images found:        4" in caught.value.shown
    assert not [name for name in os.listdir(str(space.aligned)) if name.endswith((".part", "_lock"))]
    assert set(ew.names(space.aligned)) >= {"00001_0.jpg", "00003_0.jpg", "00004_0.jpg"}
    (space.aligned / "00002_1.jpg").rmdir()
    assert "3 of 4 frames are done." in ew.extract(space, "y\n")
    assert ew.names(space.aligned) == ew.faces_of(space)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_ends_it(tmp_path, monkeypatch, code):
    space = ew.build_workspace(tmp_path, 30)
    with monkeypatch.context() as patch:
        fails_for(patch, OSError(code, os.strerror(code)), "00005")
        with pytest.raises(host.UserError, match="The disk is full: the faces of 00005.png could not be written"):
            ew.extract(space)
    assert len(ew.names(space.aligned)) < 30 and not (space.aligned / ew.LOCK).exists()
    shown = ew.extract(space, "y\n")
    assert " of 30 frames are done." in shown and ew.names(space.aligned) == ew.faces_of(space)


def test_when_nothing_can_be_written_it_ends_soon(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, 40)
    fails_for(monkeypatch, PermissionError(errno.EACCES, "Permission denied"), *[name[:5] for name in space.shots])
    with pytest.raises(host.UserError, match="(?s)The first 12 frames all failed.*Permission denied"):
        ew.extract(space)


def test_errors_that_nobody_foresaw_are_told_of_their_frame(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, 3)
    fails_for(monkeypatch, KeyError("nobody"), "00002")
    told = r"1 of 3 frames.*\n    00002.png could not be extracted \(KeyError: 'nobody'"
    with pytest.raises(host.UserError, match=told):
        ew.extract(space)
    assert ew.names(space.aligned) == ["00001_0.jpg", "00003_0.jpg"]


def test_a_record_that_cannot_be_written(tmp_path, monkeypatch):
    space = ew.build_workspace(tmp_path, 3)
    ew.extract(space, output_debug=True)
    before = {place: ew.files(place) for place in (space.aligned, space.debug)}

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(extraction.Record, "open", fail)
        with pytest.raises(host.UserError, match="The extraction cannot begin: .*No space left"):
            ew.extract(space, "\n")
    with monkeypatch.context() as patch:
        patch.setattr(extraction.Record, "flush", fail)
        with pytest.raises(host.UserError, match="The record of the extraction cannot be written: .*No space left"):
            ew.extract(space, "\n", output_debug=True)
    ew.extract(space, "\n\n", output_debug=True)
    assert {place: ew.files(place) for place in (space.aligned, space.debug)} == before


# --- the networks -----------------------------------------------------------------------------

def test_networks_that_fail_end_it(tmp_path, monkeypatch):
    """What is done until then stays, and is gone on with."""
    space = ew.build_workspace(tmp_path, 30)

    class Networks(ew.table_networks.Networks):
        def faces_in(self, pictures):
            found = ew.table_networks.read_stamp(pictures[0])[0]
            if found.number == 20:
                raise host.UserError("The network cannot look at a picture.")
            return super(Networks, self).faces_in(pictures)
    with monkeypatch.context() as patch:
        patch.setattr(ew.table_networks, "load", lambda *arguments: Networks())
        with pytest.raises(host.UserError, match="cannot look at a picture"):
            ew.extract(space)
    left = ew.names(space.aligned)
    assert left == [name for name in left if name in ew.faces_of(space)] and 10 < len(left) < 30
    assert " of 30 frames are done." in ew.extract(space, "y\n")
    assert ew.names(space.aligned) == ew.faces_of(space)


# --- whole processes --------------------------------------------------------------------------

def test_a_run_without_a_person(tree, tmp_path):
    """The line of 5), then what came since; every default, though stdin would wait for ever."""
    shots = [Shot(faces=2), Shot(turn=90), Shot(kind=ew.TEXT), Shot()]
    space = ew.build_workspace(tmp_path / "Работа 工作 %d", shots, dst=True)
    log = tmp_path / "log.txt"
    spoken = ew.words(space, "--yes", "--cpu-only", "--log", str(log), line="5")
    for more in (0, 1):
        ew.build_workspace(space.folder, more, first=9, dst=True)
        with ew.start(tree, spoken) as process:
            shown = process.stdout.read().decode("utf-8")
            process.stdin.close()
        assert process.returncode == 0, shown
        assert "/!\\ 1 of {} frames could not be extracted".format(4 + more) in shown and shown.endswith("Done.\n")
        assert ("3 of 5 frames are done." in shown) == bool(more)
    assert ew.names(space.aligned) == ["00001_0.jpg", "00001_1.jpg", "00002_0.jpg", "00004_0.jpg", "00009_0.jpg"]
    assert ew.names(space.debug) == ["00001.jpg", "00002.jpg", "00004.jpg", "00009.jpg"]
    assert "detector: " in log.read_text(encoding="utf-8")


def test_a_closed_stdin_and_failure_in_the_exit_code(tree, tmp_path):
    space = ew.build_workspace(tmp_path, [Shot(kind=ew.EMPTY)])
    with ew.start(tree, ew.words(space, "--cpu-only"), stdin=subprocess.DEVNULL) as process:
        shown = process.stdout.read().decode("utf-8")
    assert process.returncode == 1 and "1 of 1 frames could not be extracted:" in shown and "Traceback" not in shown


def test_ctrl_c_while_another_one_waits(tree, tmp_path):
    """A second extraction is refused and deletes nothing; Ctrl-C ends the first soon."""
    space = ew.build_workspace(tmp_path, 40)
    with ew.start(tree, ew.words(space, "--yes", "--cpu-only", "--image-size", "64"), TABLE_SECONDS="0.2") as process:
        deadline = time.time() + 30
        # the last one there may not be recorded yet
        while len(list(space.aligned.glob("*_0.jpg"))) < 3 and time.time() < deadline:
            time.sleep(0.02)
        begun = {name for name in ew.names(space.aligned) if not name.endswith(".part")}     # of a file being written
        with pytest.raises(host.UserError, match="Another extraction is writing to"):
            ew.extract(space, "\n")
        assert begun <= set(ew.names(space.aligned))
        stopped = time.time()
        process.send_signal(signal.SIGINT)
        shown = process.communicate(timeout=30)[0].decode("utf-8")
        assert time.time() - stopped < 6       # two seconds, where nothing else runs
    assert process.returncode == 130 and "Stopped by Ctrl-C" in shown and "Traceback" not in shown
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)                           # nobody is left of its session
    left = ew.names(space.aligned)
    assert 0 < len(left) < 40 and all(name in ew.faces_of(space) for name in left), left
    assert "of 40 frames are done." in ew.extract(space, "y\n")
    assert ew.names(space.aligned) == ew.faces_of(space)


PEAK = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as error:
    assert error.code == 0
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(tree, space):
    """Memory (MiB) that an extraction of a workspace needs at most."""
    spoken = [os.path.join(tree, "main.py")] + ew.words(space, "--yes", "--cpu-only", "--image-size", "64")
    out = subprocess.check_output([sys.executable, "-c", PEAK] + spoken, stderr=subprocess.DEVNULL)
    return int(out.rpartition(b"PEAK")[2]) / 1024.0


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
def test_memory_does_not_grow_with_the_frames(tree, tmp_path):
    """Of frames that take 2.7 MiB each only those are in memory that are worked on."""
    few, many = (ew.build_workspace(tmp_path / name, [Shot((1280, 720))], ".tif") for name in ("few", "many"))
    for space, count in ((few, 12), (many, 110)):
        for number in range(2, count + 1):
            os.link(str(space.frames / "00001.tif"), str(space.frames / "{:05}.tif".format(number)))
    assert peak(tree, many) < peak(tree, few) + 40         # all together: 300
    assert len(ew.names(many.aligned)) == 110
