"""Pickle streams with objects in them: those of allowed classes become inert Records, all others are refused.

A class is only a name here. Its object comes of NEWOBJ, or of a call (REDUCE), with its arguments kept as they
are; BUILD gives it attributes, once, from a dict with text keys. A nested class is named by protocol 4 with a
dotted name, and by protocols 2 and 3 with a call of getattr, which is known for nothing else.

Memory. A session of a merge has three or four small objects for each frame, whose dicts would take more than the
limit of `pickle_reader`. So attributes are kept as a tuple, their names once for all objects alike, and the dict is
emptied. Its items have left the stack: what the opcodes that pushed them might have left there, free of charge, is
added to the limit.
"""
from .pickle_reader import Reader
from .pickle_values import Marker, Record, RecordClass, Refused

_GETATTR = Marker('builtins', 'getattr')
_RECORD_SIZE = 112   # bytes, with what lies around it in memory
_EMPTIED_DICT = 80
_ITEM_OPCODES = 3    # bytes at least: BINGET for the name, one for the value; 9 times as much is free
_SHORT_TEXT = 40     # letters; a text up to this is not charged for when it is fetched again

_FILLED_DICT = 300   # as Reader charges: for a dict, and for each item in it
_DICT_ITEM = 112


class RecordReader(Reader):
    """As Reader; records: (module, name) pairs of the allowed classes."""

    def __init__(self, data, int_names, records):
        super().__init__(data, int_names)
        self.known = {pair: RecordClass(*pair) for pair in records}
        self.names_together = {}
        for module, name in records:
            if '.' in name:
                owner = module, name.rpartition('.')[0]
                self.known.setdefault(owner, Marker(*owner))
                self.known['builtins', 'getattr'] = self.known['__builtin__', 'getattr'] = _GETATTR
        self.must_check = True  # a record's level is in no mark

    def name(self, stack, module, name):
        marker = self.known.get((module, name))
        if marker is None:
            super().name(stack, module, name)
        else:
            self.not_data += 1
            stack.append(marker)

    def get(self, stack, index):
        value = self.memo[index]
        if type(value) is str and len(value) <= _SHORT_TEXT:
            stack.append(value)
        else:
            super().get(stack, index)

    def op_newobj(self, stack, pos):
        arguments = stack.pop()
        self.push_record(stack, stack.pop(), arguments)
        return pos

    def op_reduce(self, stack, pos):
        function, arguments = stack[-2], stack[-1]
        if type(function) is RecordClass:
            del stack[-2:]
            self.push_record(stack, function, arguments)
            return pos
        if function is _GETATTR:
            del stack[-2:]
            stack.append(self.nested_class(arguments))
            self.not_data -= 1  # getattr and the outer class, for the inner one
            return pos
        return super().op_reduce(stack, pos)

    def push_record(self, stack, kind, arguments):
        if type(kind) is not RecordClass or type(arguments) is not tuple:
            raise Refused('an object of what is not a known class')
        self.charge(_RECORD_SIZE)
        self.not_data -= 1
        stack.append(Record(kind, arguments))

    def nested_class(self, arguments):
        if type(arguments) is tuple and len(arguments) == 2:
            owner, name = arguments
            if type(owner) is Marker and type(name) is str:
                kind = self.known.get((owner.module, '{}.{}'.format(owner.name, name)))
                if type(kind) is RecordClass:
                    return kind
        raise Refused('a call of getattr for what is not a known class')

    def op_build(self, stack, pos):
        target, state = stack[-2], stack[-1]
        if type(target) is not Record:
            return super().op_build(stack, pos)
        del stack[-1]
        if target.names is not None or type(state) is not dict or id(state) in self.shared:
            raise Refused('attributes that are not those of a new object')
        if not all(type(name) is str for name in state):
            raise Refused('an attribute whose name is not a text')
        names = tuple(state)
        if names not in self.names_together:
            self.charge(400 + 8 * len(names))
            self.names_together[names] = names
        target.names = self.names_together[names]
        self.charge(88 + 8 * len(names))
        target.values = tuple(state.values())
        state.clear()  # the memo may still hold it
        self.charged += _EMPTIED_DICT - _FILLED_DICT - _DICT_ITEM * len(names)
        self.limit += 9 * _ITEM_OPCODES * len(names)
        return pos


RecordReader.handlers = dict(Reader.handlers)
RecordReader.handlers.update({0x81: RecordReader.op_newobj, ord('R'): RecordReader.op_reduce,
                              ord('b'): RecordReader.op_build})
