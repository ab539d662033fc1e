"""The interpreter of pickle streams behind `safe_pickle.loads`.

Memory. What an opcode leaves on the stack or in the memo, at most 9 times its own bytes, is free. The
objects that it makes are charged for by their size, and together they may not exceed 6 times the
stream plus 900,000 bytes. So a stream takes at most 16 times its size plus 1 MiB.

Depth and cycles. A stream that only nests value in value builds a tree. A value in it is no deeper
than the marks that were open at once in it, and the containers that were put into others one by one,
of which those between two marks add up, but of several such stretches only the longest counts. Only a
stream that fetches a container from its memo, or has many of those, needs the walk of `_Check` at the end.
"""
import re
import struct
from sys import getsizeof

from .pickle_scalars import DECODERS, take, take_index, take_line
from .pickle_values import (INT_ENUM, MARKERS, MAX_DEPTH, NOT_DATA, RECONSTRUCT, Marker, Record, Refused,
                            Unfinished, build, call, is_key, read_whole_array)

_FREE_CHARGE = 900000
_MAX_MARKS = 2 * MAX_DEPTH  # an array takes two more than the level that it is on

_U4 = struct.Struct('<I').unpack_from
_U8 = struct.Struct('<Q').unpack_from

# Landmarks are long runs of [x, y], each stored in the memo by BINPUT (protocols up to 3) or MEMOIZE.
_POINTS_BINPUT = re.compile(rb'(?s)(?:\]q.\(G.{8}G.{8}e){1,256}')
_POINTS_MEMOIZE = re.compile(rb'(?s)(?:\]\x94\(G.{8}G.{8}e){1,256}')
_XY_BINPUT = struct.Struct('>5xdxdx')
_XY_MEMOIZE = struct.Struct('>4xdxdx')
_BYTE_VALUES = bytes(range(256))

_CONTAINERS = frozenset([list, tuple, dict, Record])  # records only in `pickle_records`
_PLAIN = frozenset([int, float, bool, type(None)])

_REFUSED_OPCODES = {
    'i': 'INST', 'o': 'OBJ', '\x81': 'NEWOBJ', '\x92': 'NEWOBJ_EX', '\x82': 'EXT1', '\x83': 'EXT2',
    '\x84': 'EXT4', 'P': 'PERSID', 'Q': 'BINPERSID', '0': 'POP', '1': 'POP_MARK', '2': 'DUP', 'S': 'STRING',
    'T': 'BINSTRING', 'U': 'SHORT_BINSTRING', '\x8b': 'LONG4', '\x8d': 'BINUNICODE8', '\x8e': 'BINBYTES8',
    '\x8f': 'EMPTY_SET', '\x90': 'ADDITEMS', '\x91': 'FROZENSET', '\x97': 'NEXT_BUFFER',
    '\x98': 'READONLY_BUFFER'}


class Reader:
    """Runs one stream (bytes). Raises Refused, and IndexError, struct.error or ValueError for damaged ones.

    Each `op_` method runs one opcode: it takes the stack and the position of the opcode's argument and
    returns the position of the next opcode. Each `close_` method takes what stood above the last mark.
    """

    def __init__(self, data, int_names):
        self.data = data
        self.int_names = int_names
        self.memo = []
        self.charged = 0
        self.limit = 6 * len(data) + _FREE_CHARGE
        self.not_data = 0    # how many of NOT_DATA are on the stack, or in something on it; 0 in the end
        self.nested = 0      # levels since the last open mark that came of putting containers into others one by one
        self.shared = set()  # ids of containers that were fetched from the memo
        self.must_check = False

    def read(self):
        """Run the stream and return its value."""
        data, memo, decoders = self.data, self.memo, DECODERS
        constants, closers, handlers = _CONSTANTS, _CLOSERS, self.handlers
        stack, outer = [], []
        nested_outside = []
        pos = 0
        while True:
            op = data[pos]
            if op == 0x71:  # BINPUT
                if data[pos + 1] == len(memo):
                    memo.append(stack[-1])
                else:
                    self.put(stack, data[pos + 1])
                pos += 2
            elif op == 0x58:  # BINUNICODE, as in DECODERS but without the calls
                begin = pos + 5
                pos = begin + _U4(data, pos + 1)[0]
                if pos > len(data):
                    raise Refused('a length beyond its end')
                value = str(data[begin:pos], 'utf-8', 'surrogatepass')
                self.charge(getsizeof(value))
                stack.append(value)
            elif op == 0x94:  # MEMOIZE
                memo.append(stack[-1])
                pos += 1
            elif op == 0x4b:  # BININT1
                stack.append(data[pos + 1])
                pos += 2
            elif op == 0x28:  # MARK
                outer.append(stack)
                nested_outside.append(self.nested)
                stack, self.nested = [], 0
                pos += 1
                if data[pos] == 0x5d:
                    pos = self.points(stack, pos)
                if len(outer) >= MAX_DEPTH // 2:
                    self.check_marks(len(outer))
            elif op in decoders:
                value, pos = decoders[op](data, pos + 1)
                self.charge(getsizeof(value))
                stack.append(value)
            elif op in closers:
                items = stack
                stack = outer.pop()
                self.nested = max(self.nested, nested_outside.pop())
                closers[op](self, stack, items)
                pos += 1
            elif op in handlers:
                pos = handlers[op](self, stack, pos + 1)
            elif op in constants:
                stack.append(constants[op])
                pos += 1
            elif op == 0x2e:  # STOP
                break
            else:
                raise Refused('opcode {} (0x{:02x})'.format(_REFUSED_OPCODES.get(chr(op), 'unknown'), op))
        if len(stack) != 1 or outer:
            raise Refused('it ends in the middle of a value')
        if self.not_data:
            raise Refused('a class or function as a value')
        if self.shared or self.must_check or self.nested >= MAX_DEPTH // 2:
            _Check(self).weigh(stack[0], 0)
        return stack[0]

    def check_marks(self, count):
        self.must_check = True
        if count > _MAX_MARKS:
            raise Refused('nested too deeply')

    def charge(self, size):
        """Account for memory (bytes); refuse the stream when it asks for too much."""
        self.charged += size
        if self.charged > self.limit:
            raise Refused('it would take far more memory than its size')

    def points(self, stack, pos):
        """Push the [x, y] lists of floats that start here, if any; return the position after them."""
        counted = self.data[pos + 1] == 0x71
        pattern, layout = (_POINTS_BINPUT, _XY_BINPUT) if counted else (_POINTS_MEMOIZE, _XY_MEMOIZE)
        match = pattern.match(self.data, pos)
        while match is not None:
            run = match.group()
            points = [[x, y] for x, y in layout.iter_unpack(run)]
            first = len(self.memo)
            if counted and run[2::23] != _BYTE_VALUES[first:first + len(points)]:
                break  # memo indexes that do not just count up are read one by one
            self.memo += points
            stack += points
            pos = match.end()
            match = pattern.match(self.data, pos)
        return pos

    # --- memo and framing ---

    def put(self, stack, index):
        """Store the top of the stack; streams number what they store 0, 1, 2, and so on."""
        memo = self.memo
        if index > len(memo):
            raise Refused('a memo index that skips some')
        memo[index:index + 1] = stack[-1:]

    def op_long_binput(self, stack, pos):
        self.put(stack, _U4(self.data, pos)[0])
        return pos + 4

    def op_put_line(self, stack, pos):
        index, pos = take_index(self.data, pos)
        self.put(stack, index)
        return pos

    def get(self, stack, index):
        """Push what was stored under a memo index."""
        value = self.memo[index]
        if type(value) is Unfinished:
            value = value.value
            if value is None:
                raise Refused('a part of an array as a value')
        kind = type(value)
        if kind is str or kind is bytes:
            self.charge(8 + len(value))
        elif kind in _CONTAINERS:
            if id(value) not in self.shared:
                self.charge(400)  # here and in _Check
                self.shared.add(id(value))
        elif isinstance(value, NOT_DATA):
            self.charge(8)
            self.not_data += 1
        elif kind not in _PLAIN:
            self.charge(8 + value.nbytes)  # an array or a numpy scalar
        stack.append(value)

    def op_binget(self, stack, pos):
        self.get(stack, self.data[pos])
        return self.array(stack, pos + 1) if stack[-1] is RECONSTRUCT else pos + 1

    def op_long_binget(self, stack, pos):
        self.get(stack, _U4(self.data, pos)[0])
        return pos + 4

    def op_get_line(self, stack, pos):
        index, pos = take_index(self.data, pos)
        self.get(stack, index)
        return pos

    def op_frame(self, stack, pos):
        if _U8(self.data, pos)[0] > len(self.data) - pos - 8:
            raise Refused('a frame beyond its end')
        return pos + 8

    def op_proto(self, stack, pos):
        if self.data[pos] > 5:
            raise Refused('pickle protocol {}'.format(self.data[pos]))
        return pos + 1

    # --- containers ---

    def note_nesting(self, item):
        if type(item) in _CONTAINERS:
            self.nested += 1

    def op_empty_list(self, stack, pos):
        self.charge(128)
        stack.append([])
        return pos

    def op_empty_dict(self, stack, pos):
        self.charge(300)
        stack.append({})
        return pos

    def op_tuple1(self, stack, pos):
        return self.short_tuple(stack, pos, 1)

    def op_tuple2(self, stack, pos):
        return self.short_tuple(stack, pos, 2)

    def op_tuple3(self, stack, pos):
        return self.short_tuple(stack, pos, 3)

    def short_tuple(self, stack, pos, size):
        self.charge(112)
        items = tuple(stack[-size:])
        if len(items) != size:
            raise Refused('it takes more values than it has')
        del stack[-size:]
        if type(items[0]) is not Marker:  # else it can only be the arguments of a call
            for item in items:
                self.note_nesting(item)
        stack.append(items)
        return pos

    def op_append(self, stack, pos):
        item = stack.pop()
        self.note_nesting(item)
        self.close_list_items(stack, [item])
        return pos

    def op_setitem(self, stack, pos):
        value = stack.pop()
        key = stack.pop()
        self.note_nesting(value)
        self.close_dict_items(stack, [key, value])
        return pos

    def close_list_items(self, stack, items):
        target = stack[-1]
        if type(target) is not list:
            raise Refused('items for what is not a list')
        self.charge(9 * len(items))
        target += items

    def close_dict_items(self, stack, items):
        target = stack[-1]
        if type(target) is not dict:
            raise Refused('items for what is not a dict')
        if len(items) % 2:
            raise Refused('a key without a value')
        self.charge(56 * len(items))
        keys = items[::2]
        for key in keys:
            if not is_key(key):
                raise Refused('a dict key that is not a plain value')
        target.update(zip(keys, items[1::2]))

    def close_list(self, stack, items):
        self.charge(128)
        stack.append(items)

    def close_tuple(self, stack, items):
        self.charge(88 + 8 * len(items))
        stack.append(tuple(items))

    def close_dict(self, stack, items):
        self.charge(300)
        stack.append({})
        self.close_dict_items(stack, items)

    # --- names, and what may be done with them ---

    def name(self, stack, module, name):
        marker = MARKERS.get((module, name))
        if marker is None:
            if (module, name) not in self.int_names:
                raise Refused('the name {}'.format(ascii('{}.{}'.format(module, name))[:120]))
            marker = INT_ENUM
        self.not_data += 1
        stack.append(marker)

    def op_global(self, stack, pos):
        module, pos = take_line(self.data, pos)
        name, pos = take_line(self.data, pos)
        self.name(stack, str(module, 'utf-8'), str(name, 'utf-8'))
        return self.array(stack, pos) if stack[-1] is RECONSTRUCT else pos

    def op_stack_global(self, stack, pos):
        name = stack.pop()
        module = stack.pop()
        if type(name) is not str or type(module) is not str:
            raise Refused('a computed name')
        self.name(stack, module, name)
        return pos

    def array(self, stack, pos):
        """Read the array whose first opcode has pushed RECONSTRUCT, if it is an ordinary one."""
        self.charge(1000)
        whole = read_whole_array(self.data, pos, self.memo)
        if whole is None:
            return pos
        stack[-1], pos = whole
        self.not_data -= 1
        return pos

    def op_bytearray8(self, stack, pos):
        size = _U8(self.data, pos)[0]
        raw, pos = take(self.data, pos + 8, size)
        stack.append(bytearray(raw))
        self.not_data += 1
        return pos

    def op_reduce(self, stack, pos):
        self.charge(300)
        arguments = stack.pop()
        function = stack.pop()
        if type(function) is not Marker or type(arguments) is not tuple:
            raise Refused('a call of what is not a known function')
        result = call(function, arguments)
        self.not_data -= 1 + sum(isinstance(value, NOT_DATA) for value in arguments)
        self.not_data += isinstance(result, NOT_DATA)
        stack.append(result)
        return pos

    def op_build(self, stack, pos):
        state = stack.pop()
        target = stack[-1]
        build(target, state)
        if type(target) is Unfinished:
            stack[-1] = target.value
            self.not_data -= 2  # it, and the dtype in its state
        return pos


class _Check:
    """Walks a value, and refuses what is nested too deeply or in itself, and what is small only because
    its parts are used many times over: each use counts here, since each may be copied later."""

    def __init__(self, reader):
        self.limit = reader.limit
        self.shared = reader.shared
        self.known = {}  # id of a shared container -> (weight, height)

    def weigh(self, value, depth):
        """Return (bytes that a full copy takes at least, levels)."""
        kind = type(value)
        if kind not in _CONTAINERS:
            if isinstance(value, NOT_DATA):
                raise Refused('a class or function as a value')
            return 8 + (0 if kind in _PLAIN else len(value) if kind in (str, bytes) else value.nbytes), 0
        result = self.known.get(id(value))
        if result is None:
            if depth >= MAX_DEPTH:
                raise Refused('nested too deeply')
            weight, height = 8, 0
            for item in value.values() if kind is dict else value:
                if type(item) is float:  # most of what there is
                    weight += 8
                    continue
                item_weight, item_height = self.weigh(item, depth + 1)
                weight += item_weight
                height = max(height, item_height)
            result = weight, height + 1
            if id(value) in self.shared:
                self.known[id(value)] = result
        if result[0] > self.limit:
            raise Refused('it would take far more memory than its size')
        if depth + result[1] > MAX_DEPTH:
            raise Refused('nested too deeply')
        return result


_CONSTANTS = {ord('N'): None, 0x88: True, 0x89: False, ord(')'): ()}

_CLOSERS = {ord('e'): Reader.close_list_items, ord('u'): Reader.close_dict_items,
            ord('t'): Reader.close_tuple, ord('l'): Reader.close_list, ord('d'): Reader.close_dict}

Reader.handlers = {
    ord('r'): Reader.op_long_binput, ord('p'): Reader.op_put_line,
    ord('h'): Reader.op_binget, ord('j'): Reader.op_long_binget, ord('g'): Reader.op_get_line,
    0x95: Reader.op_frame, 0x80: Reader.op_proto,
    ord(']'): Reader.op_empty_list, ord('}'): Reader.op_empty_dict,
    0x85: Reader.op_tuple1, 0x86: Reader.op_tuple2, 0x87: Reader.op_tuple3,
    ord('a'): Reader.op_append, ord('s'): Reader.op_setitem,
    ord('c'): Reader.op_global, 0x93: Reader.op_stack_global,
    0x96: Reader.op_bytearray8, ord('R'): Reader.op_reduce, ord('b'): Reader.op_build,
}
