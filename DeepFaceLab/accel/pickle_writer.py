"""Writes plain data as a pickle that Python 3.6 with numpy 1.19 reads, whatever Python and numpy run it.

A pickle module of today's Python writes newer protocols, and numpy 2 writes names (`numpy._core…`)
that numpy 1 does not have. Byte for byte what pickle.dumps gives under Python 3.6 and numpy 1.19.
"""
import functools
import struct
import sys

from .pickle_values import DTYPE, MAX_DEPTH, MAX_INT_BYTES, NDARRAY, RECONSTRUCT, SCALAR, Marker, is_key

_BATCH = 1000  # items between one MARK and its APPENDS or SETITEMS
_POINT = struct.Struct('>4sdcdc').pack  # a list of two floats


def dumps(obj):
    """Return a pickle (bytes, protocol 3) of plain data, for `safe_pickle.loads` and stock's pickle.loads.

    Plain data is what `safe_pickle.loads` returns. Raises ValueError, which names the place, for all else.
    """
    writer = _Writer()
    writer.write(obj, 0)
    return bytes(writer.out + b'.')


class _Writer:
    short_text = 0  # bytes; a shorter text has a length of one byte, which protocol 3 does not know

    def __init__(self):
        self.out = bytearray(b'\x80\x03')
        self.memo = {}  # id -> (memo index, the object: so that no other object gets its id)
        self.path = []  # keys and indexes that lead to the value being written
        self.open = set()  # ids of the containers that it is in

    def write(self, obj, depth):
        """Append the opcodes that push `obj`."""
        kind = type(obj)
        if kind in _ATOMS:
            _ATOMS[kind](self, obj)
            return
        if id(obj) in self.open:
            self.refuse('what contains itself cannot be stored')
        if id(obj) in self.memo:
            self.write_get(self.memo[id(obj)][0])
            return
        if kind in _STRINGS:
            _STRINGS[kind](self, obj)
            return
        if kind in _CONTAINERS:
            if depth >= MAX_DEPTH:
                self.refuse('it is nested more than {} levels deep'.format(MAX_DEPTH))
            self.open.add(id(obj))
            _CONTAINERS[kind](self, obj, depth + 1)
            self.open.remove(id(obj))
            return
        # numpy is there if a value of it is; nothing else needs it.
        numpy = sys.modules.get('numpy')
        if numpy is not None and (kind is numpy.ndarray or isinstance(obj, numpy.generic)):
            if obj.dtype.kind not in 'biuf':
                self.refuse('numpy data of type {} cannot be stored'.format(obj.dtype))
            (self.write_array if kind is numpy.ndarray else self.write_scalar)(obj)
            return
        self.refuse('a {} cannot be stored'.format(kind.__name__))

    def refuse(self, reason):
        place = ''.join('[{!r}]'.format(step) for step in self.path)
        raise ValueError('metadata{}: {}; only plain values and arrays of numbers can'.format(place, reason))

    def write_get(self, index):
        self.out += b'h' + bytes([index]) if index < 256 else b'j' + struct.pack('<I', index)

    def put(self, obj):
        index = len(self.memo)
        self.memo[id(obj)] = index, obj
        self.out += b'q' + bytes([index]) if index < 256 else b'r' + struct.pack('<I', index)

    # --- values without a memo entry ---

    def write_none(self, obj):
        self.out += b'N'

    def write_bool(self, obj):
        self.out += b'\x88' if obj else b'\x89'

    def write_float(self, obj):
        self.out += struct.pack('>cd', b'G', obj)

    def write_int(self, obj):
        if 0 <= obj < 1 << 8:
            self.out += struct.pack('<cB', b'K', obj)
        elif 0 <= obj < 1 << 16:
            self.out += struct.pack('<cH', b'M', obj)
        elif -1 << 31 <= obj < 1 << 31:
            self.out += struct.pack('<ci', b'J', obj)
        else:
            magnitude = obj if obj >= 0 else ~obj
            size = magnitude.bit_length() // 8 + 1  # one bit is the sign
            if size > MAX_INT_BYTES:
                self.refuse('so large an int cannot be stored')
            self.out += b'\x8a' + bytes([size]) + obj.to_bytes(size, 'little', signed=True)

    # --- values that are referred to when they come again ---

    def write_str(self, obj):
        raw = obj.encode('utf-8', 'surrogatepass')
        if len(raw) < self.short_text:
            self.out += b'\x8c' + bytes([len(raw)])
        else:
            self.out += b'X' + struct.pack('<I', len(raw))
        self.out += raw
        self.put(obj)

    def write_bytes(self, obj):
        self.out += b'C' + bytes([len(obj)]) if len(obj) < 256 else b'B' + struct.pack('<I', len(obj))
        self.out += obj
        self.put(obj)

    def write_tuple(self, obj, depth):
        if not obj:
            self.out += b')'
            return
        if len(obj) > 3:
            self.out += b'('
        for index, item in enumerate(obj):
            self.write_item(index, item, depth)
        self.out += b't\x85\x86\x87'[len(obj):len(obj) + 1] if len(obj) <= 3 else b't'
        self.put(obj)

    def write_list(self, obj, depth):
        self.out += b']'
        self.put(obj)
        if len(obj) == 1:
            self.write_item(0, obj[0], depth)
            self.out += b'a'
            return
        for start in range(0, len(obj), _BATCH):
            self.out += b'('
            for index, item in enumerate(obj[start:start + _BATCH], start):
                self.write_item(index, item, depth)
            self.out += b'e'

    def write_dict(self, obj, depth):
        self.out += b'}'
        self.put(obj)
        items = list(obj.items())
        if len(items) == 1:
            self.write_pair(items[0], depth)
            self.out += b's'
            return
        for start in range(0, len(items), _BATCH):
            self.out += b'('
            for pair in items[start:start + _BATCH]:
                self.write_pair(pair, depth)
            self.out += b'u'

    def write_pair(self, pair, depth):
        key, value = pair
        if not is_key(key):
            self.refuse('the key {!r} cannot be stored'.format(key))
        self.write_item(key, key, depth)
        self.write_item(key, value, depth)

    def write_item(self, step, item, depth):
        self.path.append(step)
        self.write(item, depth)
        self.path.pop()

    # --- numpy ---

    def write_name(self, name):
        if id(name) in self.memo:
            self.write_get(self.memo[id(name)][0])
        else:
            self.out += 'c{}\n{}\n'.format(name.module, name.name).encode('ascii')
            self.put(name)

    def write_dtype(self, dtype):
        if id(dtype) in self.memo:
            self.write_get(self.memo[id(dtype)][0])
            return
        order, code = dtype.str[0], dtype.str[1:]
        self.write_name(DTYPE)
        self.write_str(code)
        self.out += b'\x89\x88\x87'
        self.put(object())  # the tuple of arguments
        self.out += b'R'
        self.put(dtype)
        self.out += b'(K\x03'
        self.write(order, 0)
        self.out += b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t'
        self.put(object())  # the tuple of its state
        self.out += b'b'

    def write_array(self, obj):
        self.write_name(RECONSTRUCT)
        self.write_name(NDARRAY)
        self.out += b'K\x00\x85'  # the shape (0,), a new tuple each time
        self.put(object())
        self.write(b'b', 0)
        self.out += b'\x87'
        self.put(object())
        self.out += b'R'
        self.put(obj)
        self.out += b'(K\x01'
        self.write(tuple(obj.shape), 0)
        self.write_dtype(obj.dtype)
        self.write_bool(obj.flags.fnc)
        self.write(obj.tobytes('A'), 0)  # 'A': in Fortran's order where the array is in it
        self.out += b't'
        self.put(object())
        self.out += b'b'

    def write_scalar(self, obj):
        self.write_name(SCALAR)
        self.write_dtype(obj.dtype)
        self.write(obj.tobytes(), 0)
        self.out += b'\x86'
        self.put(object())
        self.out += b'R'
        self.put(obj)


_ATOMS = {type(None): _Writer.write_none, bool: _Writer.write_bool, float: _Writer.write_float,
          int: _Writer.write_int}
_STRINGS = {str: _Writer.write_str, bytes: _Writer.write_bytes}
_CONTAINERS = {tuple: _Writer.write_tuple, list: _Writer.write_list, dict: _Writer.write_dict}


class EnumMember:
    """A member of an int enum, by the names that whoever unpickles it has to know."""

    def __init__(self, module, name, number):
        self.kind = _named(module, name)
        self.number = number


@functools.lru_cache(maxsize=None)
def _named(module, name):
    return Marker(module, name)   # one object for a name: then it is written once


class Points:
    """A float64 array (N, 2) that is to be written as a list of N lists [x, y]."""

    def __init__(self, array):
        self.array = array


class ListWriter(_Writer):
    """Writes a long list as one pickle of protocol 4, item by item; of an item only what comes again stays in memory.

    Items are plain data (see `dumps`) in which EnumMember and Points may stand; an EnumMember that comes again has to
    be the same object. The stream begins with the first `add`, or with `end`. But for its frames and for what is the
    same in several numpy arrays it is what pickle.dumps(items, 4) gives under Python 3.6.
    """
    short_text = 256

    def __init__(self):
        super().__init__()
        self.out = bytearray(b'\x80\x04]\x94')
        self.stored = 1    # values in the memo of whoever reads
        self.items = 0
        self.kept = set()  # ids of what comes again: keys, names, members of enums, numpy types

    def add(self, item):
        """Return the next bytes, with one more item. Raises ValueError as `dumps`; then the stream is spoilt."""
        if self.items % _BATCH == 0:
            self.out += b'e(' if self.items else b'('
        self.write_item(self.items, item, 1)
        self.items += 1
        self.memo = {number: self.memo[number] for number in self.kept}
        return self._taken()

    def end(self):
        """Return the last bytes."""
        self.out += b'e.' if self.items else b'.'
        return self._taken()

    def _taken(self):
        piece, self.out = bytes(self.out), bytearray()
        return piece

    def put(self, obj):
        self.memo[id(obj)] = self.stored, obj
        self.stored += 1
        self.out += b'\x94'

    def write(self, obj, depth):
        if type(obj) is EnumMember:
            self.write_member(obj)
        elif type(obj) is Points:
            self.write_points(obj.array, depth)
        else:
            super().write(obj, depth)

    def write_pair(self, pair, depth):
        super().write_pair(pair, depth)
        if type(pair[0]) is str:
            self.kept.add(id(pair[0]))

    def write_name(self, name):
        if id(name) in self.memo:
            self.write_get(self.memo[id(name)][0])
            return
        for part in (name.module, name.name):
            self.write(part, 0)
            self.kept.add(id(part))
        self.out += b'\x93'
        self.put(name)
        self.kept.add(id(name))

    def write_dtype(self, dtype):
        super().write_dtype(dtype)
        self.kept.add(id(dtype))

    def write_member(self, member):
        if id(member) in self.memo:
            self.write_get(self.memo[id(member)][0])
            return
        self.write_name(member.kind)
        self.write_int(member.number)
        self.out += b'\x85'
        self.put(object())
        self.out += b'R'
        self.put(member)
        self.kept.add(id(member))

    def write_points(self, points, depth):
        if not 1 < len(points) <= _BATCH:
            self.write(points.tolist(), depth)
            return
        self.out += b']\x94('
        self.out += b''.join(_POINT(b']\x94(G', x, b'G', y, b'e') for x, y in points.tolist())
        self.out += b'e'
        self.stored += 1 + len(points)
