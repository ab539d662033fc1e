"""The training of an installed tree: the kernels of its samples' colours compiled, so that no later training has to.

Two colour transfers of the merge share their largest kernel with a training's, so they are compiled here, too.
"""

from installer import self_test_merge

SIDE = 32       # px


def compile_training(report):
    """Change the colours of a small picture in every way that a training may ask for, and say so."""
    title = "Compiling: colours of training"
    report.say(title + " ...")
    report.check(title, _compile)
    report.check(title, _compile_transports)


def _compile():
    import numpy as np
    from accel.training import colours
    random = np.random.RandomState(9)
    image, target = random.random_sample((2, SIDE, SIDE, 3)).astype(np.float32)
    before = np.random.get_state()
    try:
        for mode in colours.MODES:
            colours.transfer(mode, image, target)
    finally:
        np.random.set_state(before)
    colours.shift_hsv(image, 0.1, random)


def _compile_transports():
    import numpy as np
    from accel.merge import colour_transfer
    random = np.random.RandomState(9)
    face, target = random.random_sample((2, SIDE, SIDE, 3)).astype(np.float32)
    for method in self_test_merge.TRANSPORTS:
        colour_transfer.transfer(method, face, target, np.ones((SIDE, SIDE, 1), np.float32), random)
