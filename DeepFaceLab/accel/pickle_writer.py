"""Writes plain data as a pickle that Python 3.6 with numpy 1.19 reads, whatever Python and numpy run it.

A pickle module of today's Python writes newer protocols, and numpy 2 writes names (`numpy._core…`)
that numpy 1 does not have. Byte for byte what pickle.dumps gives under Python 3.6 and numpy 1.19.
"""
import struct
import sys

from .pickle_values import DTYPE, MAX_DEPTH, MAX_INT_BYTES, NDARRAY, RECONSTRUCT, SCALAR, is_key

_BATCH = 1000  # items between one MARK and its APPENDS or SETITEMS


def dumps(obj):
    """Return a pickle (bytes, protocol 3) of plain data, for `safe_pickle.loads` and stock's pickle.loads.

    Plain data is what `safe_pickle.loads` returns. Raises ValueError, which names the place, for all else.
    """
    writer = _Writer()
    writer.write(obj, 0)
    return bytes(writer.out + b'.')


class _Writer:
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
        self.out += b'X' + struct.pack('<I', len(raw)) + raw
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
