"""Compares core.imagelib.color_transfer of a DeepFaceLab with ours, both in this process.

    python colours_session.py TREE TESTS PROGRAM

Prints a line for everything that differs (results and how many random numbers were drawn), then how many pairs of
pictures were compared. Values that are not finite crash stock's rct and sot, and stop its idt in other words.
"""
import sys

import numpy as np

sys.path[:0] = sys.argv[1:3]
MODES = ('lct', 'rct', 'mkl', 'idt', 'sot')
SHAPES = ((1, 1), (2, 2), (3, 5), (16, 16), (37, 41), (64, 64), (96, 100), (181, 181))
SORTED_UP_TO = 16 * 16          # pixels: idt and sot are slow in stock, larger pictures are few
FEW = ('plain', 'levels')


def attempt(function, mode, image, target):
    np.random.seed(5)
    try:
        made = function(mode, image.copy(), target.copy())
    except Exception as error:      # of numpy, in its words
        return 'error', type(error).__name__, str(error)
    return made, np.random.randint(2 ** 31, size=3).tolist()


def equal(ref, comp):
    if isinstance(ref[0], str) or isinstance(comp[0], str):
        return isinstance(ref[0], str) and isinstance(comp[0], str) and ref == comp
    same = (ref[0] == comp[0]) | (np.isnan(ref[0]) & np.isnan(comp[0]))
    return ref[0].dtype == comp[0].dtype and ref[0].shape == comp[0].shape and same.all() and ref[1] == comp[1]


def main():
    import colour_cases
    from core.imagelib import color_transfer
    sys.path.insert(0, sys.argv[3])
    from accel.training import colours
    count = 0
    for height, width in SHAPES:
        finite = colour_cases.pairs(height, width)
        given = dict(finite, **colour_cases.broken_pairs(height, width))
        for name, (image, target) in sorted(given.items()):
            for mode in MODES:
                slow = mode in ('idt', 'sot') and image.size > 3 * SORTED_UP_TO and name not in FEW
                if slow or (name not in finite and mode in ('rct', 'idt', 'sot')):
                    continue
                ref, comp = (attempt(function, mode, image, target) for function in (color_transfer, colours.transfer))
                count += 1
                if not equal(ref, comp):
                    print('{} {}x{} {}: {} / {}'.format(mode, height, width, name, ref, comp))
    print('compared', count)


main()
