"""Oracle for a packed faceset: the whole file is read and unpickled, enums as ints. For files of the tests alone."""
import io
import pickle
import struct
from pathlib import Path


class _WithoutStock(pickle.Unpickler):
    def find_class(self, module, name):
        return int if name in ('SampleType', 'FaceType') else super().find_class(module, name)


def read(path):
    """List of (config, bytes of the packed file)."""
    data = Path(str(path)).read_bytes()
    version, length = struct.unpack('<QQ', data[:16])
    assert version == 1
    configs = _WithoutStock(io.BytesIO(data[16:16 + length])).load()
    table = 16 + length
    offsets = struct.unpack('<{}Q'.format(len(configs) + 1), data[table:table + 8 * len(configs) + 8])
    start = table + 8 * len(configs) + 8
    return [(config, data[start + offsets[i]:start + offsets[i + 1]]) for i, config in enumerate(configs)]
