"""Batches in memory that two processes see."""
import gc
import mmap
import os
import pickle
import resource
import tempfile
import weakref

import generator_jobs
import numpy as np
import pytest
from accel import compat, compat_shared_memory
from accel.training import batches
from hypothesis import given
from hypothesis import strategies as st

KINDS = ["f4", "f8", "u1", "i8", "?", ">f4", ">i2", "f2", "c8", "S3", "U2", "M8[s]"]


@st.composite
def arrays(draw):
    """Arrays of many kinds and orders, with holes and turned axes."""
    shape = draw(st.lists(st.integers(0, 5), max_size=4))
    kind = np.dtype(draw(st.sampled_from(KINDS)))
    items = int(np.prod(shape, dtype=int))
    data = draw(st.binary(min_size=items, max_size=items))
    array = np.frombuffer(data, np.uint8).reshape(shape)
    array = np.asarray(array % 2 == 0) if kind.kind == "b" else array.astype(kind)
    if array.ndim and draw(st.booleans()):
        array = array[::-1]
    return array.T if draw(st.booleans()) else array


@given(st.lists(arrays(), min_size=1, max_size=5), st.sampled_from([0, 64, 128]))
def test_what_is_written_is_read(batch, start):
    layout = batches.layout_of(batch)
    memory = mmap.mmap(-1, start + layout.size + 64)
    batches.write(batch, layout, memory, start)
    comp, owner = batches.lend(layout, memory, start)
    ref = pickle.loads(pickle.dumps(batch, 4))            # how stock's batches travel
    assert generator_jobs.same(comp, ref)
    assert generator_jobs.same(batches.copy(layout, memory, start), ref)
    assert all(array.ctypes.data % 64 == 0 for array in comp if array.size)
    assert memory[start + layout.size:] == bytes(64)      # nothing is written behind it


@pytest.mark.parametrize("batch", [
    [], (np.zeros(3),), np.zeros(3), "text", None, [np.zeros(3), 1.0], [np.array([None])],
    [np.zeros(3, [("x", "f4")])], [np.ma.masked_array([1, 2], [True, False])], [np.zeros(2, "V8")]])
def test_what_is_no_list_of_plain_arrays_has_no_layout(batch):
    assert batches.layout_of(batch) is None


def test_the_owner_lives_as_long_as_any_view():
    batch = generator_jobs.batch_of(3)
    layout = batches.layout_of(batch)
    memory = mmap.mmap(-1, layout.size)
    batches.write(batch, layout, memory, 0)
    comp, owner = batches.lend(layout, memory, 0)
    watch, view = weakref.ref(owner), comp[0][1:, ::2].transpose(3, 0, 1, 2)[0].T[:9, 3, 0].view(np.int32)
    ref = view.copy()
    del comp, owner
    gc.collect()
    assert watch() is not None and (view == ref).all()
    copies = batches.copy(layout, memory, 0)
    del view
    gc.collect()
    assert watch() is None
    memory.close()                                        # nobody looks into it: copies have their own memory
    assert generator_jobs.same(copies, batch)


# --- memory ---------------------------------------------------------------------------------------

OPENED = [compat_shared_memory._anonymous_memory, compat_shared_memory._file_in_memory]


@pytest.mark.parametrize("opened", OPENED)
def test_blocks_are_found_with_what_was_written_into_them(opened):
    place, size = compat_shared_memory._FilePlace(opened()), compat_shared_memory.whole_blocks(100000)
    assert size >= 100000 + compat_shared_memory.HEAD and size % mmap.ALLOCATIONGRANULARITY == 0
    blocks = [place.make(index, size) for index in range(3)]
    assert os.fstat(place._file.fileno()).st_blocks * 512 >= 3 * size      # the room is there before it is needed
    for index, block in enumerate(blocks):
        block[compat_shared_memory.HEAD:] = bytes([index + 1]) * (size - compat_shared_memory.HEAD)
    for index in (2, 0, 1):
        found = place.find(index, size)
        assert set(found[compat_shared_memory.HEAD:]) == {index + 1}
        found[size - 1] = 9
        assert blocks[index][size - 1] == 9
    place.close()
    assert blocks[2][size - 2] == 3                       # blocks in use stay


@pytest.mark.parametrize("opened", OPENED)
def test_a_place_without_room_says_so_at_once(opened):
    place, size = compat_shared_memory._FilePlace(opened()), compat_shared_memory.whole_blocks(100000)
    place.make(0, size)[size - 1] = 7
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(OSError):
            place.make(1, size)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert place.find(0, size)[size - 1] == 7 and place.make(1, size)[size - 1] == 0
    place.close()


def test_files_have_no_names():
    place, size = compat_shared_memory._FilePlace(compat_shared_memory._file_in_memory()), 4096
    place.make(0, size)
    assert not [name for name in os.listdir("/dev/shm") if name.startswith("dfl-accel-")]
    place.close()


def fails():
    raise OSError("not here")


def some_file():
    return tempfile.TemporaryFile(buffering=0)


def test_the_best_place_there_is(monkeypatch):
    opened = []
    for name in ("_file_in_memory", "_anonymous_memory"):
        monkeypatch.setattr(compat_shared_memory, name, lambda name=name: opened.append(name) or some_file())
    for room, name in ((1 << 30, "_file_in_memory"), ((1 << 30) - 4096, "_anonymous_memory")):
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result([4096, 4096, room // 4096] + [0] * 7))
        compat_shared_memory.open_place().close()
        assert opened.pop() == name
    for name in ("_file_in_memory", "_anonymous_memory"):
        assert compat_shared_memory.open_place() is not None
        monkeypatch.setattr(compat_shared_memory, name, fails)
    assert compat_shared_memory.open_place() is None


class Mappings:
    """Windows' mappings by name, told with a dict: mmap.mmap of that system, as far as it is needed."""

    def __init__(self):
        self.by_name = {}

    def __call__(self, descriptor, size, tagname):
        assert descriptor == -1
        return self.by_name.setdefault(tagname, bytearray(size))


def test_named_blocks_are_found_and_lost_ones_are_missed(monkeypatch):
    mappings = Mappings()
    monkeypatch.setattr(mmap, "mmap", mappings)
    monkeypatch.setattr(compat, "is_windows", True)
    place, other = compat_shared_memory.open_place(), compat_shared_memory.open_place()
    first, second = place.make(0, 4096), place.make(1, 4096)
    first[4095], second[4095] = 1, 2
    assert (place.find(0, 4096)[4095], place.find(1, 4096)[4095]) == (1, 2)
    assert len(mappings.by_name) == 2
    with pytest.raises(OSError, match="gone"):
        other.find(0, 4096)
    mappings.by_name.clear()                              # the process that made them has ended
    with pytest.raises(OSError, match="gone"):
        place.find(0, 4096)
