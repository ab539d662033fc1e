"""What a pickle of DeepFaceLab's files may hold, for the module that reads and the one that writes them.

Names in a pickle stream are looked up here and become markers; arrays are built here, from bytes and
numbers alone. Nothing is imported by a name from a file, and none of numpy's own loading code runs.
"""
import re
import struct

MAX_DEPTH = 32        # levels of list, tuple and dict
MAX_INT_BYTES = 255   # an int of more bytes is no metadata
_MAX_DIMENSIONS = 8

_U2 = struct.Struct('<H').unpack_from
_U4 = struct.Struct('<I').unpack_from
_BYTE_VALUES = bytes(range(256))


class Refused(Exception):
    """A stream asks for what is not plain data; the text says what."""


class Record:
    """What a stream says of one object: the name of its class, the arguments of its call (tuple), its state.

    Nothing of the class itself is used, or even there. `state` is a new dict of the object's attributes.
    """

    __slots__ = ('kind', 'arguments', 'names', 'values')

    def __init__(self, kind, arguments):
        self.kind = kind            # RecordClass
        self.arguments = arguments
        self.names = None           # tuple of str, one for all objects with the same attributes
        self.values = ()

    def __iter__(self):
        """All values in it."""
        yield from self.arguments
        yield from self.values

    @property
    def module(self):
        return self.kind.module

    @property
    def name(self):
        return self.kind.name

    @property
    def state(self):
        return dict(zip(self.names or (), self.values))


# --- what is on the stack while a stream is read, but never part of a result ---

class Marker:
    """Stands for an allowed name."""

    def __init__(self, module, name):
        self.module = module
        self.name = name


class Unfinished:
    """An array (or a part of one) between its REDUCE and its BUILD; then `value` is the array."""

    def __init__(self):
        self.value = None


class Dtype(Unfinished):
    """A numpy type; `value` is the numpy.dtype once its BUILD has come."""

    def __init__(self, code, value=None):
        self.code = code
        self.value = value


class RecordClass(Marker):
    """Stands for the name of a class whose objects are read as Records."""


NOT_DATA = (Marker, Unfinished, bytearray)  # a bytearray only holds what an array is made of

RECONSTRUCT = Marker('numpy.core.multiarray', '_reconstruct')
SCALAR = Marker('numpy.core.multiarray', 'scalar')
FROMBUFFER = Marker('numpy.core.numeric', '_frombuffer')
NDARRAY = Marker('numpy', 'ndarray')
DTYPE = Marker('numpy', 'dtype')
INT_ENUM = Marker('enum', 'IntEnum')

# numpy 1 and numpy 2 call one module by two names, and each knows only its own.
MARKERS = {(marker.module.replace('core', core), marker.name): marker
           for marker in (RECONSTRUCT, SCALAR, FROMBUFFER, NDARRAY, DTYPE) for core in ('core', '_core')}

_KEY_TYPES = frozenset([str, int, bytes, float, bool, type(None)])
_DTYPE_CODES = frozenset('b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 f12 f16'.split())
_dtypes = {}      # (byte order, code) -> numpy.dtype
_ndarray = None   # numpy.ndarray, from the first numpy.dtype on: importing numpy takes long


def is_key(value):
    """Tell whether a dict may have this key: a plain value or a flat tuple of them, none with a slow hash."""
    if type(value) is str:
        return True
    return all(type(part) in _KEY_TYPES and (type(part) is not int or part.bit_length() <= 64)
               for part in (value if type(value) is tuple else (value,)))


# --- calls (REDUCE) and changes (BUILD) that a stream may ask for ---

def call(function, arguments):
    """Return what a known function gives for a tuple of arguments off the stack; raises Refused."""
    if function is RECONSTRUCT:
        if len(arguments) == 3 and arguments[0] is NDARRAY and arguments[1:] == ((0,), b'b'):
            return Unfinished()
    elif function is DTYPE:
        if len(arguments) == 3 and type(arguments[0]) is str and arguments[0] in _DTYPE_CODES \
                and arguments[1:] in ((False, True), (False, False)):
            return Dtype(arguments[0])
    elif function is SCALAR:
        if len(arguments) == 2:
            return new_array(arguments[1], arguments[0], (), 'C')[()]
    elif function is FROMBUFFER:
        return _from_buffer(*arguments)
    elif function is INT_ENUM:
        if len(arguments) == 1 and type(arguments[0]) is int:
            return arguments[0]
    raise Refused('a call of {}.{} for what is not plain'.format(function.module, function.name))


def build(target, state):
    """Give a Dtype or an Unfinished array its value, by the state that a stream has; raises Refused."""
    if not isinstance(target, Unfinished) or target.value is not None or type(state) is not tuple:
        raise Refused('a change of what is no new array')
    if type(target) is Dtype:
        target.value = _dtype_of_state(target.code, state)
        return
    if len(state) != 5 or type(state[0]) is not int or state[0] != 1 or type(state[3]) is not bool:
        raise Refused('an array of an unknown kind')
    target.value = _native(new_array(state[4], state[2], state[1], 'F' if state[3] else 'C'))


def new_array(raw, dtype, shape, order):
    """Return a writable array with a copy of `raw` (bytes) as its memory; refuse what does not fit."""
    if type(dtype) is not Dtype or dtype.value is None:
        raise Refused('an array of an unknown type')
    if type(raw) is not bytes and type(raw) is not bytearray:
        raise Refused('an array of other than bytes')
    if type(shape) is not tuple or len(shape) > _MAX_DIMENSIONS:
        raise Refused('an array of an unknown shape')
    size = dtype.value.itemsize
    for length in shape:
        if type(length) is not int or not 0 <= length < 1 << 31:
            raise Refused('an array of an unknown shape')
        size *= length
    if size != len(raw):
        raise Refused('an array of {} bytes with a shape for {}'.format(len(raw), size))
    return _ndarray(shape, dtype.value, bytearray(raw), order=order)


def _native(array):
    """Return the array in this machine's byte order, as numpy makes it from a state."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder('='))


def _from_buffer(raw, dtype=None, shape=None, order=None, axes=None):
    """The form that protocol 5 gives to arrays: read-only ones are made of bytes, others of a bytearray."""
    if axes is None:
        if type(order) is not str or order not in ('C', 'F'):
            raise Refused('an array of an unknown kind')
        array = new_array(raw, dtype, shape, order)
    else:
        if type(axes) is not tuple or type(shape) is not tuple \
                or [type(axis) for axis in axes] != [int] * len(shape):
            raise Refused('an array of an unknown kind')
        array = new_array(raw, dtype, shape, 'C').transpose(axes)
    array.flags.writeable = type(raw) is bytearray
    return array


def _dtype_of_state(code, state):
    plain = len(state) == 8 and state[0] == 3 and state[2:] == (None, None, None, -1, -1, 0)
    if not plain or type(state[1]) is not str or state[1] not in ('<', '>', '|', '='):
        raise Refused('a numpy type other than plain numbers')
    dtype = _dtypes.get((state[1], code))
    if dtype is None:
        import numpy
        global _ndarray
        _ndarray = numpy.ndarray
        try:
            dtype = _dtypes[state[1], code] = numpy.dtype(state[1] + code)
        except TypeError:
            raise Refused('a numpy type that this machine does not have')
    return dtype


# --- arrays as a whole ---

# An array as protocol 3 writes it, from behind the name of `_reconstruct` up to its bytes. In groups:
# indexes that are put into the memo (q) or fetched from it (h), and what differs from array to array.
_ARRAY = re.compile(rb'''(?xs)
    (?: q(.) cnumpy\nndarray\n q(.) | h(.) )
    K\x00\x85q(.)  (?: C\x01bq(.) | h(.) )  \x87q(.) Rq(.)
    \( K\x01  ((?: K.|M.. ){1,3} [\x85-\x87]) q(.)
    (?: (?: cnumpy\ndtype\n q(.) | h(.) )  X\x02\x00\x00\x00(..)q(.)  \x89\x88\x87q(.) Rq(.)
        \( K\x03  (?: X\x01\x00\x00\x00(.)q(.) | h(.) )  NNNJ\xff{4}J\xff{4}K\x00tq(.) b
      | h(.) )
    ([\x88\x89]) (?: C(.) | B(....) )''')


def read_whole_array(data, pos, memo):
    """Return (array, position after it) for the protocol 3 array whose opcodes start at `pos`, or None.

    pos: behind the opcode that pushed RECONSTRUCT. Extends the memo as the single opcodes would. A
    shortcut for ordinary arrays, ten times as fast: what it does not know takes the way of single opcodes.
    """
    match = _ARRAY.match(data, pos)
    if match is None:
        return None
    (name_put, class_put, class_get, zero_put, b_put, b_get, call_put, array_put, lengths, shape_put,
     dtype_name_put, dtype_name_get, code, code_put, dtype_call_put, dtype_put, order, order_put, order_get,
     dtype_state_put, dtype_get, fortran, short_size, size) = match.groups()
    begin = match.end()
    end = begin + (short_size[0] if short_size else _U4(size)[0])
    tail = data[end:end + 6]
    indexes = b''.join(filter(None, (
        name_put, class_put, zero_put, b_put, call_put, array_put, shape_put, dtype_name_put, code_put,
        dtype_call_put, dtype_put, order_put, dtype_state_put, tail[1:2], tail[4:5])))
    first = len(memo)
    if tail[:1] + tail[2:4] + tail[5:] != b'qtqb' or indexes != _BYTE_VALUES[first:first + len(indexes)]:
        return None

    def stored(index):
        return memo[index[0]] if index[0] < first else None

    if class_get and stored(class_get) is not NDARRAY or b_get and stored(b_get) != b'b' \
            or dtype_name_get and stored(dtype_name_get) is not DTYPE:
        return None
    if dtype_get:
        dtype = stored(dtype_get)
    else:
        code = str(code, 'latin-1')
        order = str(order, 'latin-1') if order else stored(order_get)
        dtype = Dtype(code, _dtypes.get((order, code)) if type(order) is str else None)
    if type(dtype) is not Dtype or dtype.value is None:
        return None
    raw = data[begin:end]
    shape = _read_lengths(lengths)
    array = _native(new_array(raw, dtype, shape, 'F' if fortran == b'\x88' else 'C'))

    part = Unfinished()  # tuples that only served as arguments
    values = [RECONSTRUCT, NDARRAY, part] if name_put else [part]
    if b_put:
        values.append(b'b')
    values += (part, array, shape)
    if dtype_name_put:
        values.append(DTYPE)
    if dtype_put:
        values += (code, part, dtype, order, part) if order_put else (code, part, dtype, part)
    values += (raw, part)
    memo += values
    return array, end + 6


def _read_lengths(opcodes):
    """Return the tuple (of int) that BININT1 and BININT2 opcodes with a TUPLE opcode at their end make."""
    lengths, pos = [], 0
    while pos < len(opcodes) - 1:
        if opcodes[pos] == 0x4b:
            lengths.append(opcodes[pos + 1])
            pos += 2
        else:
            lengths.append(_U2(opcodes, pos + 1)[0])
            pos += 3
    if len(lengths) != opcodes[-1] - 0x84:
        raise Refused('it takes more values than it has')
    return tuple(lengths)
