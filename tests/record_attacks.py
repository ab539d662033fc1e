"""Hand-written pickle streams that abuse what is read as records, by name; each is refused with RECORDS allowed."""
from pickle_attacks import PROTO2, PROTO3, PROTO4, array, call, dtype, name, short_text, stack_name, text

HOME, OUTER = 'merger.InteractiveMergerSubprocessor', 'InteractiveMergerSubprocessor'
FRAME = HOME, OUTER + '.Frame'
FRAME_INFO = 'merger.FrameInfo', 'FrameInfo'
RECORDS = (FRAME, FRAME_INFO, ('pathlib', 'PosixPath'))

INFO = name(*FRAME_INFO)
OWNER = name(HOME, OUTER)
GETATTR = name('builtins', 'getattr')
NEW = INFO + b')\x81'                                        # an object without attributes


def nested(attribute, owner=OWNER):
    """A nested class, as protocol 3 names it."""
    return GETATTR + owner + text(attribute) + b'\x86R'


def built(state):
    """An object with what the opcodes of `state` push as its state."""
    return NEW + state + b'b'


def attribute(value):
    """A dict with one attribute."""
    return b'}' + text('a') + value + b's'


def names():
    """Streams that want another name, or do with an allowed one what it is not for."""
    for attribute_name in ('__class__', '__init__', '__subclasses__', 'Cli', 'ProcessingFrame', 'Frame.__init__',
                           'frame', ''):
        yield 'getattr ' + attribute_name, PROTO3 + nested(attribute_name) + b')\x81.'
        dotted = stack_name(HOME, OUTER + '.' + attribute_name)
        yield 'a dotted name ' + attribute_name, PROTO4 + dotted + b')\x81.'
    yield 'getattr of an inner class', PROTO3 + nested('__init__', nested('Frame')) + b')R.'
    yield 'getattr of a class without inner ones', PROTO3 + nested('__init__', INFO) + b')R.'
    yield 'getattr of an object', PROTO3 + nested('Frame', NEW) + b')\x81.'
    yield 'getattr of a module name', PROTO3 + nested('system', text('os')) + text('x') + b'\x85R.'
    yield 'getattr of numpy', PROTO3 + nested('Frame', name('numpy', 'ndarray')) + b')\x81.'
    yield 'getattr of getattr', PROTO3 + nested('Frame', GETATTR) + b')\x81.'
    yield 'getattr with a default', PROTO3 + GETATTR + OWNER + text('Frame') + b'N\x87R)\x81.'
    yield 'getattr with bytes', PROTO3 + GETATTR + OWNER + b'C\x05Frame\x86R)\x81.'
    yield 'getattr with a list', PROTO3 + GETATTR + b'](' + OWNER + text('Frame') + b'eR)\x81.'
    yield 'getattr as the value', PROTO3 + GETATTR + b'.'
    yield 'getattr in a list', PROTO3 + b']' + GETATTR + b'a.'
    yield 'getattr as an argument', PROTO3 + INFO + GETATTR + b'\x85R.'
    yield 'getattr as a class', PROTO3 + GETATTR + OWNER + text('Frame') + b'\x86\x81)\x81.'
    yield 'setattr', PROTO3 + call('builtins', 'setattr', INFO, text('a'), b'N') + b'.'
    yield 'the outer class', PROTO3 + OWNER + b')\x81.'
    yield 'a call of the outer class', PROTO3 + OWNER + b')R.'
    yield 'the outer class as the value', PROTO3 + OWNER + b'.'
    yield 'another class of the module', PROTO3 + name('merger.FrameInfo', 'Path') + b')\x81.'
    yield 'another module', PROTO3 + name('merger.FrameInf', 'FrameInfo') + b')\x81.'
    yield 'a class as the value', PROTO3 + INFO + b'.'
    yield 'a nested class as the value', PROTO3 + nested('Frame') + b'.'
    yield 'a class in a list', PROTO3 + b']' + INFO + b'a.'
    yield 'a class as a dict key', PROTO3 + b'}' + INFO + b'K\x01s.'
    yield 'a class as an argument', PROTO3 + INFO + INFO + b'\x85\x81.'
    yield 'a class as an attribute', PROTO3 + built(attribute(INFO)) + b'.'
    yield 'a class out of the memo', PROTO3 + b'](' + INFO + b'q\x00)\x81h\x00e.'
    yield 'os.system', PROTO3 + call('os', 'system', text('x')) + b'.'
    yield 'os.system as an attribute', PROTO3 + built(attribute(call('os', 'system', text('x')))) + b'.'
    yield 'pathlib.Path', PROTO3 + call('pathlib', 'Path', text('x')) + b'.'
    yield 'copyreg._reconstructor', PROTO2 + call('copyreg', '_reconstructor', INFO, name('builtins', 'object'),
                                                  b'N') + b'.'
    yield 'copyreg.__newobj__', PROTO2 + call('copyreg', '__newobj__', INFO) + b'.'


def objects():
    """Streams that make or change what is no object of an allowed class."""
    yield 'NEWOBJ of an array class', PROTO3 + name('numpy', 'ndarray') + b')\x81.'
    yield 'NEWOBJ of _reconstruct', PROTO3 + name('numpy.core.multiarray', '_reconstruct') + b')\x81.'
    yield 'NEWOBJ of an enum', PROTO3 + name('facelib.FaceType', 'FaceType') + b'K\x04\x85\x81.'
    yield 'NEWOBJ of a text', PROTO3 + text('FrameInfo') + b')\x81.'
    yield 'NEWOBJ of an object', PROTO3 + NEW + b')\x81.'
    yield 'NEWOBJ of None', PROTO3 + b'N)\x81.'
    yield 'NEWOBJ with a list', PROTO3 + INFO + b']\x81.'
    yield 'NEWOBJ with None', PROTO3 + INFO + b'N\x81.'
    yield 'NEWOBJ of nothing', PROTO3 + b')\x81.'
    yield 'NEWOBJ across a mark', PROTO3 + INFO + b'()\x81t.'
    yield 'NEWOBJ_EX', PROTO4 + INFO + b')}\x92.'
    yield 'OBJ', PROTO2 + b'(' + INFO + b'o.'
    yield 'INST', PROTO2 + b'(i' + INFO[1:] + b'.'
    yield 'a call with a list', PROTO3 + INFO + b']R.'
    yield 'a call of an object', PROTO3 + NEW + b')R.'
    yield 'BUILD with slots', PROTO3 + built(b'N' + attribute(b'N') + b'\x86') + b'.'
    yield 'BUILD with a dict and slots', PROTO3 + built(attribute(b'N') + attribute(b'N') + b'\x86') + b'.'
    yield 'BUILD with None', PROTO3 + built(b'N') + b'.'
    yield 'BUILD with a list', PROTO3 + built(b']') + b'.'
    yield 'BUILD with an object', PROTO3 + built(NEW) + b'.'
    yield 'BUILD twice', PROTO3 + built(attribute(b'N')) + b'}b.'
    yield 'BUILD twice with nothing', PROTO3 + built(b'}') + b'}b.'
    yield 'BUILD on a class', PROTO3 + INFO + attribute(b'N') + b'b.'
    yield 'BUILD on getattr', PROTO3 + GETATTR + attribute(b'N') + b'b.'
    yield 'BUILD on the outer class', PROTO3 + OWNER + attribute(b'N') + b'b.'
    yield 'BUILD on a dict', PROTO3 + b'}' + attribute(b'N') + b'b.'
    yield 'BUILD of nothing', PROTO3 + b'}b.'
    yield 'BUILD with a number as a name', PROTO3 + built(b'}K\x01Ns') + b'.'
    yield 'BUILD with bytes as a name', PROTO3 + built(b'}C\x01aNs') + b'.'
    yield 'BUILD with None as a name', PROTO3 + built(b'}NNs') + b'.'
    yield 'one dict for two objects', PROTO3 + b'](' + built(b'}q\x00') + built(b'h\x00') + b'e.'
    yield 'a dict that is also elsewhere', PROTO3 + b'](' + attribute(b'N') + b'q\x00' + built(b'h\x00') + b'e.'
    yield 'attributes by SETITEM', PROTO3 + NEW + text('a') + b'Ns.'
    yield 'attributes by SETITEMS', PROTO3 + NEW + b'(' + text('a') + b'Nu.'
    yield 'an object as a list', PROTO3 + NEW + b'Na.'
    yield 'an object as a long list', PROTO3 + NEW + b'(NNe.'
    yield 'an object as a dict key', PROTO3 + b'}' + NEW + b'Ns.'
    yield 'an object in a tuple as a dict key', PROTO3 + b'}' + NEW + b'\x85Ns.'
    yield 'an object as an array', PROTO3 + array(raw=bytes(16))[:-2] + NEW + b'tb.'
    yield 'an object as a shape', PROTO3 + array(shape=NEW) + b'.'
    yield 'an object as a type', PROTO3 + array(kind=NEW) + b'.'
    yield 'an object as a module', PROTO4 + NEW + short_text('system') + b'\x93.'
    yield 'a dtype as an attribute', PROTO3 + built(attribute(dtype())) + b'.'
    yield 'a dtype as an argument', PROTO3 + INFO + dtype() + b'\x85\x81.'
    yield 'an array before its BUILD as an attribute', PROTO3 + built(attribute(
        name('numpy.core.multiarray', '_reconstruct') + name('numpy', 'ndarray') + b'K\x00\x85C\x01b\x87R')) + b'.'
    yield 'a bytearray as an attribute', b'\x80\x05' + built(attribute(b'\x96' + bytes(8))) + b'.'


def structure():
    """Objects nested too deeply, in themselves, or far larger than their stream."""
    yield 'objects in objects', PROTO3 + (NEW + b'}' + text('a')) * 40 + b'N' + b'sb' * 40 + b'.'
    yield 'objects in arguments', PROTO3 + INFO * 40 + b')' + b'\x81\x85' * 39 + b'\x81.'
    yield 'an object in itself', PROTO3 + NEW + b'q\x00}' + text('a') + b'h\x00sb.'
    yield 'an object in its list', PROTO3 + b']q\x00' + built(attribute(b'h\x00')) + b'a.'
    yield 'an object in its arguments', PROTO3 + b']q\x00' + INFO + b'h\x00\x85\x81a.'
    yield 'a million objects', PROTO3 + b'(' + INFO + b'q\x00' + b')\x81h\x00' * 10 ** 6 + b')\x81t.'
    stream = PROTO3 + b'(' + NEW + b'q\x00'
    for level in range(30):
        index = bytes([level])
        stream += INFO + b')\x81' + b'}(' + b''.join(
            text(letter) + b'h' + index for letter in 'abcdefgh') + b'ub' + b'q' + bytes([level + 1])
    yield 'billion laughs of attributes', stream + b't.'
    yield 'one long text in many objects', PROTO3 + b'](' + text('x' * 20000) + b'q\x00' + INFO + b'q\x01)\x81' + (
        b'h\x01)\x81' + attribute(b'h\x00') + b'b') * 20000 + b'e.'
    yield 'cut in an object', PROTO3 + NEW
    yield 'a mark in an object', PROTO3 + NEW + b'(b.'


ATTACKS = {'{}: {}'.format(group.__name__, title): stream
           for group in (names, objects, structure) for title, stream in group()}
