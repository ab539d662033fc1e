"""Hand-written pickle streams that ask for more than plain data, by name; and streams that are in order.

The streams are put together from single opcodes, so that each shows exactly one way to abuse the format.
"""
import struct

PROTO2, PROTO3, PROTO4, PROTO5 = (b'\x80' + bytes([number]) for number in (2, 3, 4, 5))
SHELL = b'touch pickle_was_here'


def text(value):
    """Opcode BINUNICODE."""
    raw = value.encode('utf-8') if isinstance(value, str) else value
    return b'X' + struct.pack('<I', len(raw)) + raw


def short_text(value):
    """Opcode SHORT_BINUNICODE."""
    return b'\x8c' + bytes([len(value)]) + value.encode('ascii')


def name(module, attribute):
    """Opcode GLOBAL."""
    return 'c{}\n{}\n'.format(module, attribute).encode('ascii')


def stack_name(module, attribute):
    """The same with opcode STACK_GLOBAL."""
    return short_text(module) + short_text(attribute) + b'\x93'


def call(module, attribute, *arguments):
    """A call with the opcodes of protocol 2: GLOBAL, arguments, REDUCE."""
    return name(module, attribute) + b'(' + b''.join(arguments) + b't' + b'R'


ND_RECONSTRUCT = name('numpy.core.multiarray', '_reconstruct')
ND_ARRAY = name('numpy', 'ndarray')
ND_SCALAR = name('numpy.core.multiarray', 'scalar')
ND_FROMBUFFER = name('numpy.core.numeric', '_frombuffer')


def dtype(code='f8', order='<', state=None):
    """A numpy.dtype, built."""
    return (name('numpy', 'dtype') + text(code) + b'\x89\x88\x87R'
            + (state or b'(K\x03' + text(order) + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t') + b'b')


def array(shape=b'K\x02\x85', kind=None, raw=bytes(16), fortran=b'\x89', head=None, version=b'K\x01'):
    """A numpy array, float64 (2,) by default."""
    kind = dtype() if kind is None else kind
    head = head or ND_RECONSTRUCT + ND_ARRAY + b'K\x00\x85C\x01b\x87R'
    return head + b'(' + version + shape + kind + fortran + b'B' + struct.pack('<I', len(raw)) + raw + b'tb'


def laughs(make, levels=40):
    """A tuple of values, each with several of the one before it, by the opcodes make(its memo index)."""
    stream = b'(](K\x01K\x02eq\x00'
    for level in range(levels):
        stream += make(bytes([level])) + b'q' + bytes([level + 1])
    return stream + b't'


def code_by_name():
    """Streams that want code to run."""
    yield 'os.system, protocol 0', b'cos\nsystem\n(V' + SHELL + b'\ntR.'
    yield 'posix.system, protocol 2', PROTO2 + call('posix', 'system', text(SHELL)) + b'.'
    yield 'nt.system', PROTO3 + call('nt', 'system', text(SHELL)) + b'.'
    yield 'os.system, protocol 4', PROTO4 + stack_name('os', 'system') + short_text('x') + b'\x85R.'
    yield 'subprocess.Popen', PROTO3 + call('subprocess', 'Popen', text(SHELL)) + b'.'
    yield 'subprocess.run', PROTO5 + stack_name('subprocess', 'run') + text(SHELL) + b'\x85R.'
    for attribute in ('eval', 'exec', 'compile', 'open', '__import__', 'getattr', 'setattr', 'breakpoint',
                      'map', 'type', 'object', 'super', 'bytearray', 'memoryview', 'range', 'set', 'complex',
                      'print', 'input', 'globals', 'help'):
        yield 'builtins.' + attribute, PROTO3 + call('builtins', attribute, text('1+1')) + b'.'
    yield '__builtin__.eval, protocol 0', b'c__builtin__\neval\n(V1+1\ntR.'
    yield 'operator.attrgetter', PROTO3 + call('operator', 'attrgetter', text('system')) + b'.'
    yield 'operator.methodcaller', PROTO3 + call('operator', 'methodcaller', text('x')) + b'.'
    yield 'functools.partial', PROTO3 + call('functools', 'partial', name('os', 'system')) + b'.'
    yield 'functools.reduce', PROTO3 + call('functools', 'reduce', name('os', 'system'), b'(', b'l') + b'.'
    yield 'getattr of a module', PROTO3 + call(
        'builtins', 'getattr', call('importlib', 'import_module', text('os')), text('system')) + b'.'
    yield 'nested calls', PROTO3 + call('builtins', 'eval', call('codecs', 'decode', text('x'))) + b'.'
    yield 'pickle.loads', PROTO3 + call('pickle', 'loads', b'C\x02N.') + b'.'
    yield 'marshal.loads', PROTO3 + call('marshal', 'loads', b'C\x01N') + b'.'
    yield 'numpy.load', PROTO3 + call('numpy', 'load', text('x.npy')) + b'.'
    yield 'numpy.fromfile', PROTO3 + call('numpy', 'fromfile', text('x')) + b'.'
    yield 'numpy.testing', PROTO3 + call('numpy.testing._private.utils', 'runstring', text('1')) + b'.'
    yield 'codecs.encode', PROTO2 + call('_codecs', 'encode', text('x'), text('latin1')) + b'.'
    yield 'ctypes.CDLL', PROTO3 + call('ctypes', 'CDLL', text('x')) + b'.'
    yield 'shutil.rmtree', PROTO3 + call('shutil', 'rmtree', text('x')) + b'.'
    yield 'pathlib.Path', PROTO3 + call('pathlib', 'PosixPath', text('x')) + b'.'
    yield 'collections.OrderedDict', PROTO3 + call('collections', 'OrderedDict') + b'.'
    yield 'copyreg', PROTO2 + call('copyreg', '_reconstructor', name('builtins', 'object')) + b'.'
    yield 'dotted name', PROTO4 + stack_name('numpy', 'core.multiarray._reconstruct') + b'.'
    yield 'dotted path to os', PROTO4 + stack_name('numpy', 'os.system') + text(SHELL) + b'\x85R.'
    yield 'a module of the file itself', PROTO3 + call('samplelib.Sample', 'SampleType', b'K\x01') + b'.'
    yield 'INST', b'(V' + SHELL + b'\nios\nsystem\n.'
    yield 'OBJ', b'(cos\nsystem\nV' + SHELL + b'\no.'
    yield 'INST of an allowed name', b'(Vf8\nI0\nI1\ninumpy\ndtype\n.'
    yield 'OBJ of an allowed name', b'(' + name('numpy', 'dtype') + b'Vf8\nI0\nI1\no.'
    yield 'NEWOBJ', PROTO2 + name('subprocess', 'Popen') + text(SHELL) + b'\x85\x81.'
    yield 'NEWOBJ of an allowed name', PROTO2 + ND_ARRAY + b'(K\x02\x85t\x81.'
    yield 'NEWOBJ_EX', PROTO4 + stack_name('subprocess', 'Popen') + b')}\x92.'
    yield 'NEWOBJ_EX of an allowed name', PROTO4 + ND_ARRAY + b'K\x02\x85\x85}\x92.'
    yield 'EXT1', PROTO2 + b'\x82\x01.'
    yield 'EXT2', PROTO2 + b'\x83\x01\x00.'
    yield 'EXT4', PROTO2 + b'\x84\x01\x00\x00\x00.'
    yield 'PERSID', b'Pos.system\n.'
    yield 'BINPERSID', PROTO3 + text('os') + b'Q.'
    yield 'out-of-band buffer', PROTO5 + b'\x97.'
    yield 'read-only buffer', PROTO5 + b'C\x01a\x98.'


def names_misused():
    """Streams that take allowed names, or what they make, for other than they are for."""
    yield 'a name as the value', PROTO3 + ND_ARRAY + b'.'
    yield 'a name in a list', PROTO3 + b']' + ND_ARRAY + b'a.'
    yield 'a name as a dict key', PROTO3 + b'}' + ND_ARRAY + b'K\x01s.'
    yield 'a name as a dict value', PROTO3 + b'}K\x01' + ND_ARRAY + b's.'
    yield 'a dtype as the value', PROTO3 + dtype() + b'.'
    yield 'a dtype out of the memo', PROTO3 + b'](' + array(kind=dtype() + b'q\x00') + b'h\x00e.'
    yield 'arguments used twice for a smuggled name', (
        PROTO3 + b'](' + array(head=ND_RECONSTRUCT + ND_ARRAY + b'K\x00\x85C\x01b\x87q\x00R')
        + array(head=ND_RECONSTRUCT + b'h\x00R') + ND_ARRAY + b'e.')
    yield 'a bytearray as the value', PROTO5 + b'\x96' + struct.pack('<Q', 3) + b'abc.'
    yield 'a call of ndarray', PROTO3 + ND_ARRAY + b'K\x02\x85\x85R.'
    yield 'a call of a string', PROTO3 + text('os.system') + text(SHELL) + b'\x85R.'
    yield 'a call with a list', PROTO3 + ND_RECONSTRUCT + b']R.'
    yield 'a name from two parts of other kinds', PROTO4 + b'C\x02os' + short_text('system') + b'\x93.'
    yield 'a name out of the memo', PROTO4 + short_text('os') + b'\x94' + short_text('system') + b'\x93)R.'
    yield 'BUILD on a dict', PROTO3 + b'}}' + text('__class__') + b'K\x01sb.'
    yield 'BUILD on a list', PROTO3 + b']](K\x01eb.'
    yield 'BUILD on a name', PROTO3 + ND_ARRAY + b'}' + text('__setstate__') + text('x') + b'sb.'
    yield 'BUILD with slots', PROTO3 + ND_ARRAY + b'N}' + text('__dict__') + b'}s\x86b.'
    yield 'BUILD twice', PROTO3 + array()[:-1] + b'b(K\x01K\x00\x85' + dtype() + b'\x89C\x00tb.'
    yield 'an array before its BUILD', PROTO3 + b'](' + ND_RECONSTRUCT + ND_ARRAY + b'K\x00\x85C\x01b\x87Re.'
    yield 'an array that holds itself', (PROTO3 + ND_RECONSTRUCT + ND_ARRAY + b'K\x00\x85C\x01b\x87Rq\x00'
                                         + b'(K\x01K\x02\x85' + dtype() + b'\x89h\x00tb.')


def numpy_misused():
    """Arrays and scalars that are no plain numbers, or whose shape and bytes differ."""
    def built(**options):
        return PROTO3 + array(**options) + b'.'
    huge = b'J\xff\xff\xff\x7f'
    yield 'objects', built(kind=dtype('O8', '|'))
    yield 'objects without a size', built(kind=dtype('O', '|'))
    yield 'structured type', built(kind=dtype('V8', '|'))
    yield 'text type', built(kind=dtype('U2'))
    yield 'byte strings', built(kind=dtype('S8', '|'))
    yield 'dates', built(kind=dtype('M8'))
    yield 'complex numbers', built(kind=dtype('c8'))
    yield 'unknown size', built(kind=dtype('f7'))
    yield 'a type by a long text', built(kind=dtype('f8,O'))
    yield 'unknown byte order', built(kind=dtype('f8', 'x'))
    yield 'a type with fields', built(kind=dtype(state=(
        b'(K\x03' + text('|') + b'N(' + text('a') + b't}J\x08\x00\x00\x00J\x01\x00\x00\x00K\x1bt')))
    yield 'a type with a subtype', built(kind=dtype(state=(
        b'(K\x03' + text('|') + dtype() + b'K\x02\x85\x86NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t')))
    yield 'a type with metadata', built(kind=dtype(state=(
        b'(K\x04' + text('<') + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00}t')))
    yield 'a type without its BUILD', built(kind=name('numpy', 'dtype') + text('f8') + b'\x89\x88\x87R')
    yield 'too few bytes', built(raw=bytes(15))
    yield 'too many bytes', built(raw=bytes(24))
    yield 'gigabytes', built(shape=huge + huge + b'\x86')
    yield 'a negative length', built(shape=b'J\xfe\xff\xff\xff\x85')
    yield 'two negative lengths', built(shape=b'J\xfe\xff\xff\xffJ\xff\xff\xff\xff\x86')
    yield 'a length of 2 ** 64', built(shape=b'\x8a\x09' + bytes(8) + b'\x01' + b'K\x00\x86', raw=b'')
    yield 'a length that is no int', built(shape=b'G@\x00\x00\x00\x00\x00\x00\x00\x85')
    yield 'many dimensions', built(shape=b'(' + b'K\x01' * 40 + b'K\x02t')
    yield 'a list as shape', built(shape=b']K\x02a')
    yield 'an unknown version', built(version=b'K\x02')
    yield 'a list instead of bytes', PROTO3 + (
        ND_RECONSTRUCT + ND_ARRAY + b'K\x00\x85C\x01b\x87R(K\x01K\x01\x85' + dtype() + b'\x89](K\x01etb.')
    yield 'another class of array', built(
        head=ND_RECONSTRUCT + name('numpy', 'matrix') + b'K\x00\x85C\x01b\x87R')
    yield '_reconstruct of gigabytes', built(head=ND_RECONSTRUCT + ND_ARRAY + huge + b'\x85C\x01b\x87R')
    yield '_reconstruct of another type', built(head=ND_RECONSTRUCT + ND_ARRAY + b'K\x00\x85C\x01O\x87R')
    yield 'scalar of objects', PROTO3 + ND_SCALAR + dtype('O8', '|') + b'C\x08' + bytes(8) + b'\x86R.'
    yield 'scalar of any object', PROTO3 + ND_SCALAR + dtype('O8', '|') + name('os', 'system') + b'\x86R.'
    yield 'scalar of too few bytes', PROTO3 + ND_SCALAR + dtype() + b'C\x04' + bytes(4) + b'\x86R.'
    yield 'scalar without bytes', PROTO3 + ND_SCALAR + dtype() + b'\x85R.'
    yield '_frombuffer of objects', PROTO4 + ND_FROMBUFFER + (
        b'(C\x08' + bytes(8) + dtype('O8', '|') + b'K\x01\x85' + text('C') + b'tR.')
    yield '_frombuffer with gigabytes as shape', PROTO4 + ND_FROMBUFFER + (
        b'(C\x08' + bytes(8) + dtype() + huge + b'\x85' + text('C') + b'tR.')
    yield '_frombuffer with other axes', PROTO4 + ND_FROMBUFFER + (
        b'(C\x08' + bytes(8) + dtype() + b'K\x01\x85' + text('K') + b'K\x07\x85tR.')


def memory():
    """Streams that ask for far more memory or time than their size."""
    yield 'BINBYTES of 4 GB', PROTO3 + b'B\xff\xff\xff\xffabc.'
    yield 'BINUNICODE of 4 GB', PROTO3 + b'X\xff\xff\xff\xffabc.'
    yield 'SHORT_BINBYTES beyond the end', PROTO3 + b'C\xffabc.'
    yield 'BINBYTES8', PROTO4 + b'\x8e' + struct.pack('<Q', 1 << 62) + b'abc.'
    yield 'BINUNICODE8', PROTO4 + b'\x8d' + struct.pack('<Q', 1 << 62) + b'abc.'
    yield 'BYTEARRAY8', PROTO5 + b'\x96' + struct.pack('<Q', 1 << 62) + b'abc.'
    yield 'FRAME', PROTO4 + b'\x95' + struct.pack('<Q', 1 << 62) + b'N.'
    yield 'LONG1 beyond the end', PROTO2 + b'\x8a\xff\x01.'
    yield 'LONG4 of 2 GB', PROTO2 + b'\x8b\xff\xff\xff\x7f\x01.'
    yield 'LONG4 with its bytes', PROTO2 + b'\x8b\x00\x01\x00\x00' + b'\x01' * 256 + b'.'
    yield 'INT of a million digits', b'I' + b'9' * 10 ** 6 + b'\n.'
    yield 'LONG of a million digits', b'L' + b'9' * 10 ** 6 + b'L\n.'
    yield 'FLOAT of a million digits', b'F' + b'9' * 10 ** 6 + b'\n.'
    yield 'INT of another base', b'I0x7fffffff\n.'
    yield 'INT in octal', b'I0777\n.'
    yield 'FLOAT as in source code', b'F1_0.5\n.'
    yield 'FLOAT after a space', b'F 0.5\n.'
    yield 'LONG_BINPUT far away', PROTO3 + b'Nr\xff\xff\xff\x7f.'
    yield 'LONG_BINGET far away', PROTO3 + b'j\xff\xff\xff\xff.'
    yield 'BINPUT that skips some', PROTO3 + b'Nq\x09.'
    yield 'PUT of a huge index', b'Np' + b'9' * 11 + b'\n.'
    yield 'PUT of a negative index', b'Np-1\n.'
    yield 'GET of a text', b'Ngabc\n.'
    yield 'a million empty lists', PROTO3 + b'(' + b']' * 10 ** 6 + b't.'
    yield 'a million empty dicts', PROTO3 + b'(' + b'}' * 10 ** 6 + b't.'
    yield 'billion laughs of lists', PROTO3 + laughs(
        lambda index: b'](h' + index + b'h' + index + b'e') + b'.'
    yield 'billion laughs of tuples', PROTO3 + laughs(
        lambda index: b'h' + index + b'h' + index + b'\x86') + b'.'
    yield 'billion laughs of dicts', PROTO3 + laughs(
        lambda index: b'}(K\x01h' + index + b'K\x02h' + index + b'u') + b'.'
    yield 'billion laughs within the depth', PROTO3 + laughs(
        lambda index: b'](' + (b'h' + index) * 9 + b'e', 20) + b'.'
    yield 'one long text many times', PROTO3 + b'](' + text('x' * 20000) + b'q\x00' + b'h\x00' * 20000 + b'e.'
    yield 'one array many times', PROTO3 + b'](' + (
        array(shape=b'M\x00\x20\x85', raw=bytes(65536)) + b'q\x00' + b'h\x00' * 20000 + b'e.')
    yield 'DUP bomb', PROTO3 + b']' + b'2\x86' * 60 + b'.'


def structure():
    """Streams that are broken, nested too deeply or contain themselves."""
    yield 'nothing', b''
    yield 'no STOP', PROTO3 + b'}q\x00'
    yield 'only STOP', b'.'
    yield 'only PROTO', PROTO3
    yield 'an unknown protocol', b'\x80\x06N.'
    yield 'an unknown opcode', PROTO3 + b'\xff.'
    yield 'two values', PROTO3 + b'NN.'
    yield 'an open mark', PROTO3 + b'N(.'
    yield 'STOP below a mark', PROTO3 + b'(N.'
    yield 'APPENDS without a mark', PROTO3 + b']NNe.'
    yield 'TUPLE without a mark', PROTO3 + b'Nt.'
    yield 'SETITEMS without a mark', PROTO3 + b'}NNu.'
    yield 'APPEND to nothing', PROTO3 + b'Na.'
    yield 'APPEND across a mark', PROTO3 + b'](Na.'
    yield 'APPEND to a tuple', PROTO3 + b')Na.'
    yield 'APPENDS to a dict', PROTO3 + b'}(Ne.'
    yield 'SETITEM in a list', PROTO3 + b']K\x00K\x01s.'
    yield 'SETITEMS of a key alone', PROTO3 + b'}(K\x00u.'
    yield 'DICT of a key alone', b'(Nd.'
    yield 'TUPLE3 of two', PROTO3 + b'NN\x87.'
    yield 'TUPLE2 across a mark', PROTO3 + b'N(N\x86t.'
    yield 'REDUCE of nothing', PROTO3 + b'R.'
    yield 'BUILD of nothing', PROTO3 + b'b.'
    yield 'STACK_GLOBAL of nothing', PROTO4 + b'\x93.'
    yield 'BINPUT of nothing', PROTO3 + b'q\x00.'
    yield 'BINPUT of a mark', PROTO3 + b'(q\x00t.'
    yield 'MEMOIZE of nothing', PROTO4 + b'\x94.'
    yield 'BINGET of nothing', PROTO3 + b'h\x00.'
    yield 'POP', PROTO3 + b'NN0.'
    yield 'POP_MARK', PROTO3 + b'N(N1.'
    yield 'a list as a key', PROTO3 + b'}]K\x01s.'
    yield 'a dict as a key', PROTO3 + b'}}K\x01s.'
    yield 'a nested tuple as a key', PROTO3 + b'}))\x86K\x01s.'
    yield 'an array as a key', PROTO3 + b'}' + array() + b'K\x01s.'
    yield 'a key of many bits', PROTO3 + b'}\x8a\x20' + b'\x01' * 32 + b'K\x01s.'
    yield 'lists in lists', PROTO3 + b']' * 40 + b'a' * 39 + b'.'
    yield 'marks in marks', PROTO3 + b'](' * 33 + b'e' * 33 + b'.'
    yield 'many marks', PROTO3 + b'(' * 10 ** 5 + b't' * 10 ** 5 + b'.'
    yield 'tuples in tuples', PROTO3 + b')' + b'\x85' * 5000 + b'.'
    yield 'dicts in dicts', PROTO3 + b'}K\x01' * 40 + b'}' + b's' * 40 + b'.'
    yield 'a list in itself', PROTO3 + b']q\x00h\x00a.'
    yield 'a list in itself, deeper', PROTO3 + b']q\x00(](h\x00ee.'
    yield 'a dict in itself', PROTO3 + b'}q\x00K\x01h\x00s.'
    yield 'a tuple in its list', PROTO3 + b']q\x00h\x00\x85a.'
    yield 'text that is no UTF-8', PROTO3 + text(b'\xff\xfe') + b'.'
    yield 'a name that is no UTF-8', PROTO3 + b'c\xff\n\xfe\n.'
    yield 'a name without an end', PROTO3 + b'c' + b'a' * 2000
    yield 'a broken escape', b'V\\u12\n.'
    yield 'an escape beyond Unicode', b'V\\Uffffffff\n.'
    yield 'a float that is none', b'Fabc\n.'
    yield 'an int that is none', b'Iabc\n.'
    yield 'STRING', b"S'abc'\n."
    yield 'BINSTRING', PROTO2 + b'T\x03\x00\x00\x00abc.'
    yield 'SHORT_BINSTRING', PROTO2 + b'U\x03abc.'
    yield 'a set', PROTO4 + b'\x8f(K\x01\x90.'
    yield 'a frozenset', PROTO4 + b'(K\x01\x91.'


GROUPS = (code_by_name, names_misused, numpy_misused, memory, structure)
ATTACKS = {'{}: {}'.format(group.__name__, title): stream for group in GROUPS for title, stream in group()}
