"""Orders of float32 values: sorted, by a stable radix sort, and as numpy's own quicksort leaves them.

Colour transfers sort a face hundreds of times, and the order among equal values (a masked face holds thousands of
black pixels) shows in what stock makes of it: its np.argsort of numpy 1.19 is no stable sort. `quicksort` gives the
same order (the algorithm of Hoare with the median of three, insertion sort below 16 values), by finding what has to
change sides in blocks, without a branch for each value (Edelkamp and Weiss 2016, "BlockQuicksort").

A pair is an uint64: the key of a value above, its index below. All functions are kernels.
"""
import numpy as np

from .. import compat

DIGITS, BUCKETS = 3, 2048           # 11 bits a pass: three passes for the 32 bits of a key
_INSERTION_SPAN = 15                # from the first to the last of what numpy leaves to insertion sort
_BLOCK = 32                         # values looked at before any of them is moved
_DEEPEST = 160                      # parts that wait: at most one for each halving, some more for unequal halves

_SIGN = np.uint32(0x80000000)
_BITS = np.uint32(11)
_MASK = np.uint32(BUCKETS - 1)
_HALF = np.uint64(32)
_LOW = np.uint64(0xffffffff)
_SECOND, _THIRD = np.uint64(43), np.uint64(54)      # where the digits of a pair's key begin
_DIGIT = np.uint64(BUCKETS - 1)
_ZERO = np.float32(0)


@compat.jit()
def to_keys(values, keys):
    """Write an uint32 (N,) key for each of the float32 (N,) values: as large as they are, equal where they are.

    The values are changed where they are -0.0: to 0.0.
    """
    for i in range(len(values)):
        values[i] += _ZERO
    bits = values.view(np.uint32)
    for i in range(len(keys)):
        bit = bits[i]
        keys[i] = ~bit if bit & _SIGN else bit | _SIGN


@compat.jit()
def _count(keys, begins):
    """Write where each digit's bucket begins: int64 (DIGITS, BUCKETS)."""
    begins[:] = 0
    for i in range(len(keys)):
        key = keys[i]
        begins[0, key & _MASK] += 1
        begins[1, (key >> _BITS) & _MASK] += 1
        begins[2, key >> (_BITS + _BITS)] += 1
    for digit in range(DIGITS):
        total = 0
        for i in range(BUCKETS):
            count = begins[digit, i]
            begins[digit, i] = total
            total += count


@compat.jit()
def sort_values(keys, spare, begins, result):
    """Write the values of keys in rising order: float32 (N,).

    keys, spare: uint32 (N,), changed. begins: int64 (DIGITS, BUCKETS), changed.
    """
    _count(keys, begins)
    for i in range(len(keys)):
        key = keys[i]
        digit = key & _MASK
        place = begins[0, digit]
        begins[0, digit] = place + 1
        spare[place] = key
    for i in range(len(keys)):
        key = spare[i]
        digit = (key >> _BITS) & _MASK
        place = begins[1, digit]
        begins[1, digit] = place + 1
        keys[place] = key
    bits = result.view(np.uint32)
    for i in range(len(keys)):
        key = keys[i]
        digit = key >> (_BITS + _BITS)
        place = begins[2, digit]
        begins[2, digit] = place + 1
        bits[place] = key ^ _SIGN if key & _SIGN else ~key


@compat.jit()
def stable_sort(keys, spare, begins, pairs):
    """Write the pairs of keys in rising order, equal ones in the order of their indexes: uint64 (N,).

    keys: uint32 (N,). spare: uint64 (N,), changed. begins: int64 (DIGITS, BUCKETS), changed.
    """
    _count(keys, begins)
    for i in range(len(keys)):
        key = keys[i]
        digit = key & _MASK
        place = begins[0, digit]
        begins[0, digit] = place + 1
        pairs[place] = (np.uint64(key) << _HALF) | np.uint64(i)
    for i in range(len(keys)):
        pair = pairs[i]
        digit = (pair >> _SECOND) & _DIGIT
        place = begins[1, digit]
        begins[1, digit] = place + 1
        spare[place] = pair
    for i in range(len(keys)):
        pair = spare[i]
        digit = pair >> _THIRD
        place = begins[2, digit]
        begins[2, digit] = place + 1
        pairs[place] = pair


@compat.jit()
def quicksort(keys, pairs):
    """Write the pairs of keys in rising order, equal ones as np.argsort of numpy 1.19 orders them: uint64 (N,).

    keys: uint32 (N,).
    """
    for i in range(len(keys)):
        pairs[i] = (np.uint64(keys[i]) << _HALF) | np.uint64(i)
    waiting = np.empty((_DEEPEST, 3), np.int64)
    offsets = np.empty((2, _BLOCK + 1), np.int64)
    count = 0
    first, last = np.int64(0), len(keys) - 1        # of a plain 0 numba would compile what is called with it twice
    depth = 0                       # halvings left before a part is given to heapsort
    while len(keys) >> (depth + 1):
        depth += 1
    depth *= 2
    while True:
        if depth < 0:
            _heap_sort(pairs, first, last)
        else:
            while last - first > _INSERTION_SPAN:
                middle = _split(pairs, first, last, offsets)
                depth -= 1
                if middle - first < last - middle:
                    waiting[count, 0], waiting[count, 1] = middle + 1, last
                    last = middle - 1
                else:
                    waiting[count, 0], waiting[count, 1] = first, middle - 1
                    first = middle + 1
                waiting[count, 2] = depth
                count += 1
            _insertion_sort(pairs, first, last)
        if count == 0:
            return
        count -= 1
        first, last, depth = waiting[count, 0], waiting[count, 1], waiting[count, 2]


@compat.jit()
def _swap(pairs, i, j):
    pair = pairs[i]
    pairs[i] = pairs[j]
    pairs[j] = pair


@compat.jit()
def _is_less(pair, other):
    return pair >> _HALF < other >> _HALF


@compat.jit()
def _split(pairs, first, last, offsets):
    """Put what is less than a pivot before it and what is greater behind it; return the pivot's place."""
    middle = first + ((last - first) >> 1)
    if _is_less(pairs[middle], pairs[first]):
        _swap(pairs, middle, first)
    if _is_less(pairs[last], pairs[middle]):
        _swap(pairs, last, middle)
    if _is_less(pairs[middle], pairs[first]):
        _swap(pairs, middle, first)
    lowest = (pairs[middle] >> _HALF) << _HALF      # the lowest and the highest pair with the pivot's key
    highest = lowest | _LOW
    _swap(pairs, middle, last - 1)
    left, right = _change_sides(pairs, first, last - 1, lowest, highest, offsets)
    while True:
        left += 1
        while pairs[left] < lowest:
            left += 1
        right -= 1
        while pairs[right] > highest:
            right -= 1
        if left >= right:
            break
        _swap(pairs, left, right)
    _swap(pairs, left, last - 1)
    return left


@compat.jit()
def _change_sides(pairs, left, right, lowest, highest, offsets):
    """Do the swaps of the pairs between left and right, as long as there are whole blocks between them.

    The n-th from the left that is not less changes places with the n-th from the right that is not greater.
    Returns between which two places nothing has been done yet.
    """
    read_left, read_right = left + 1, right - 1     # the next to be looked at
    block_left, block_right = read_left, read_right
    begin_left = end_left = begin_right = end_right = 0
    while read_right - read_left >= 2 * _BLOCK:
        if begin_left == end_left:
            block_left, begin_left, end_left = read_left, 0, 0
            for i in range(_BLOCK):
                offsets[0, end_left] = i
                end_left += pairs[block_left + i] >= lowest
            read_left += _BLOCK
        if begin_right == end_right:
            block_right, begin_right, end_right = read_right, 0, 0
            for i in range(_BLOCK):
                offsets[1, end_right] = i
                end_right += pairs[block_right - i] <= highest
            read_right -= _BLOCK
        count = min(end_left - begin_left, end_right - begin_right)
        for i in range(count):
            _swap(pairs, block_left + offsets[0, begin_left + i], block_right - offsets[1, begin_right + i])
        begin_left += count
        begin_right += count
    left = read_left - 1 if begin_left == end_left else block_left + offsets[0, begin_left] - 1
    right = read_right + 1 if begin_right == end_right else block_right - offsets[1, begin_right] + 1
    return left, right


@compat.jit()
def _insertion_sort(pairs, first, last):
    for i in range(first + 1, last + 1):
        pair = pairs[i]
        place = i
        while place > first and _is_less(pair, pairs[place - 1]):
            pairs[place] = pairs[place - 1]
            place -= 1
        pairs[place] = pair


@compat.jit()
def _heap_sort(pairs, first, last):
    """Sort a part whose splits were too unequal, as numpy does."""
    count = last - first + 1
    for top in range(count // 2, 0, -1):
        _sift(pairs, first - 1, top, count, pairs[first - 1 + top])
    while count > 1:
        pair = pairs[first - 1 + count]
        pairs[first - 1 + count] = pairs[first]
        count -= 1
        _sift(pairs, first - 1, 1, count, pair)


@compat.jit()
def _sift(pairs, before, place, count, pair):
    """Let a pair sink into the heap that begins behind `before`; places count from 1."""
    child = 2 * place
    while child <= count:
        if child < count and _is_less(pairs[before + child], pairs[before + child + 1]):
            child += 1
        if not _is_less(pair, pairs[before + child]):
            break
        pairs[before + place] = pairs[before + child]
        place, child = child, 2 * child
    pairs[before + place] = pair
