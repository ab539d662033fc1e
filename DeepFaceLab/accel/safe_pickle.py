"""Reads and writes the pickles of DeepFaceLab's files as plain data, and runs nothing that they name.

Stock reads them with pickle.loads, which runs whatever a file asks for; faces and models are passed
around on forums. Here an interpreter of its own (`pickle_reader`) knows only the opcodes that plain
data needs, and a fixed table of names (`pickle_values`); all else is refused before it has any effect.
"""
import struct

from .pickle_reader import Reader
from .pickle_records import RecordReader
from .pickle_values import Record, Refused
from .pickle_writer import dumps

__all__ = ['Record', 'UnsafePickleError', 'dumps', 'loads']


class UnsafePickleError(ValueError):
    """A pickle that is damaged or asks for more than plain data. Has `source` and `reason` (str)."""

    def __init__(self, source, reason):
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self):
        return '{}: its metadata is damaged or unsafe and was refused ({})'.format(self.source, self.reason)


def loads(data, source, int_names=(), records=()):
    """Return the plain data of a pickle stream (bytes) of protocol 0 to 5; bytes after its end are ignored.

    Plain data: None, bool, int, float, str, bytes, list, tuple, dict (its keys plain values or flat tuples
    of them), and numpy arrays and scalars of kinds b, i, u and f in any byte order; at most 32 levels.
    It equals what pickle.loads returns. int_names: (module, name) pairs of int enums, whose members are
    read as ints. records: (module, name) pairs of classes, a nested one by its dotted name, whose objects are
    read as Records. source names the stream in errors. Raises UnsafePickleError for all else, and takes at
    most 16 times the stream's size plus 1 MiB of memory.
    """
    try:
        reader = RecordReader(bytes(data), int_names, records) if records else Reader(bytes(data), int_names)
        return reader.read()
    except Refused as error:
        reason = str(error)
    except (IndexError, struct.error):
        reason = 'it is cut short or damaged'
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        reason = str(error)[:120]
    raise UnsafePickleError(str(source), reason)
