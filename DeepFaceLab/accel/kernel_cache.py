"""A cache on disk for compiled kernels: one file for each kernel, types and version of the sources.

numba's own cache keeps an index beside its data. Two processes that compile at once, a full disk or
a power cut can leave an index that points at another kernel's code, or one that cannot be read and
then stops every later run; and it does not see that a kernel called from another module has changed.
Here every file names by hash all that it depends on, is replaced whole, and carries a checksum:
a file that is missing, torn or unwritable costs a compilation, never a run.

Imports numba: only compat.jit should import this module.
"""
import functools
import hashlib
import os

from numba.core import caching

_DIGEST_BYTES = hashlib.sha256().digest_size


class _KernelFiles(caching.IndexDataCacheFile):
    """Stores compiled overloads without an index. Takes numba's place for one kernel."""

    def __init__(self, folder, kernel_name, source_stamp):
        super().__init__(folder, kernel_name, source_stamp)
        self._kernel_name = kernel_name

    def load(self, key):
        """Return what was saved for this key, or None."""
        try:
            with open(self._path_of(key), "rb") as file:
                content = file.read()
        except OSError:
            return None
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            return None
        return caching.pickle.loads(data)

    def save(self, key, data):
        """Keep data for this key. Raises OSError when the disk does not take it."""
        data = self._dump(data)
        with self._open_for_write(self._path_of(key)) as file:
            file.write(hashlib.sha256(data).digest())
            file.write(data)

    def flush(self):
        """Nothing to empty: a file of other sources is never read."""

    def _path_of(self, key):
        described = repr((key, self._version, self._source_stamp)).encode("utf-8", "backslashreplace")
        digest = hashlib.sha256(described).hexdigest()[:24]
        return self._data_path("{}.{}.nbc".format(self._kernel_name, digest))


class KernelCache(caching.FunctionCache):
    """numba's cache of one function over _KernelFiles.

    Raises RuntimeError when numba finds no folder that can be written.
    """

    def __init__(self, function):
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), _package_digest())
        self._cache_file = _KernelFiles(self._cache_path, self._impl.filename_base, stamp)

    def save_overload(self, sig, data):
        """Keep a compiled overload, or go on without where the disk is full or not ours."""
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()


@functools.lru_cache(maxsize=None)
def _package_digest():
    """Return a hash of all sources of the engine, since kernels call kernels of other modules."""
    digest = hashlib.sha256()
    root = os.path.dirname(os.path.abspath(__file__))
    for folder, subfolders, names in sorted(os.walk(root)):
        for name in sorted(names):
            if name.endswith(".py"):
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                digest.update("{} {}\n".format(name, len(content)).encode("utf-8", "backslashreplace"))
                digest.update(content)
    return digest.hexdigest()
