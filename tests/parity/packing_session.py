"""Packs, unpacks or loads a folder with stock's PackedFaceset, or with ours, and prints what it loads, as JSON.

    python packing_session.py pack|unpack|load FOLDER IMPORTED_FROM...

IMPORTED_FROM: folders for sys.path, of which the first that has samplelib gives the class.
"""
import hashlib
import json
import sys
from pathlib import Path

import numpy as np


def shown(value):
    """A value as JSON, exact."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), hashlib.sha1(value.tobytes()).hexdigest()]
    if isinstance(value, dict):
        return [[key, shown(one)] for key, one in value.items()]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__] + [shown(one) for one in value]
    return [type(value).__name__, repr(value)]


def main(action, folder, imported_from):
    sys.path[:0] = imported_from
    from samplelib import PackedFaceset
    result = getattr(PackedFaceset, action)(Path(folder))
    if action == 'load':
        print('LOADED ' + json.dumps([[shown(sample.get_config()), hashlib.sha1(sample.read_raw_file()).hexdigest()]
                                      for sample in result]))


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
