"""What a user does in the window of the manual pass, as scripts, and landmarks that need no network.

Imports numpy alone: stock's Python plays the same scripts (parity/marking_session.py).

A script is a list of batches (is_busy, mouse, keys): what the window tells when it is looked at once. mouse: list of
(x, y, kind, flags), kinds as OpenCV numbers them; keys: list of characters. A busy batch comes while landmarks are
searched; one that comes when nothing is searched is told as any other. Behind the end of a script `q` is pressed.
"""
import zlib

import numpy as np

MOVE, LEFT, RIGHT, LEFT_UP, WHEEL = 0, 1, 2, 4, 10
AWAY, TOWARDS = 120 << 16, -120 << 16
QUIT = (False, [], ["q"])


def do(*mouse, keys="", busy=False):
    return busy, list(mouse), list(keys)


def move(x, y):
    return x, y, MOVE, 0


def click(x, y, kind=LEFT):
    return x, y, kind, 0


def wheel(flags=AWAY):
    return 0, 0, WHEEL, flags


class Landmarks:
    """Finds a face in every rectangle but some (after the first), another one in every image; notes the calls."""

    def __init__(self, misses=True):
        random = np.random.RandomState(3)
        self.face = random.uniform(-0.8, 0.8, (68, 2))
        self.misses, self.calls = misses, []

    def find(self, image, rect, accurate):
        left, top, right, bottom = rect
        image_sum = zlib.crc32(np.ascontiguousarray(image).tobytes())
        self.calls.append([list(image.shape), image_sum, [int(side) for side in rect], bool(accurate)])
        if self.misses and len(self.calls) > 1 and (left + 2 * top) % 5 == 0:
            return None
        middle = np.array([(left + right) / 2.0, (top + bottom) / 2.0])
        found = middle + self.face * (right - left) / 2.0 + image_sum % 7 / 3.0
        return found + 1.25 if accurate else found


class Script:
    """Hands out the batches of a script; at first nothing, as the window is opened by the first search."""

    def __init__(self, batches):
        self.left = [(False, [], [])] + list(batches)

    def idle(self):
        return self.left.pop(0)[1:] if self.left else QUIT[1:]

    def busy(self):
        """Return the next batch if it is one of those that come while landmarks are searched, else None."""
        return self.left.pop(0)[1:] if self.left and self.left[0][0] else None


def random_script(seed, size, length=60):
    """Return a script of somebody who does all sorts of things. size: (width, height) of the window's picture, px."""
    random = np.random.RandomState([seed, 21])
    script = []
    for _ in range(length):
        mouse = [_random_event(random, size) for _ in range(random.choice([0, 1, 1, 2, 4]))]
        keys = ["\r", "\n", " ", ",", ".", "h", "a", "x"]
        keys = [keys[number] for number in random.choice(8, random.choice([0, 0, 0, 0, 0, 1, 2]),
                                                         p=[.15, .05, .05, .35, .2, .07, .08, .05])]
        script.append((bool(random.rand() < 0.3), mouse, keys))
    return script


def _random_event(random, size):
    x, y = (int(value) for value in random.uniform(-9, np.array(size) + 9))
    kind = random.choice([MOVE, MOVE, MOVE, LEFT, LEFT_UP, RIGHT, WHEEL, WHEEL])
    if kind == WHEEL:
        return wheel(AWAY if random.rand() < 0.4 else TOWARDS)
    return x, y, int(kind), 1


# By name: what single habits of the pass are seen in, for frames of 320 x 180 shown as large as they are.
SCRIPTS = {
    "confirm all": [do(move(100, 80)), do(keys="\r"), do(keys="\n"), do(move(90, 70)), do(keys="\r"), do(keys="\r")],
    "skip and go back": [do(keys="\r"), do(keys=" "), do(keys=","), do(move(40, 50)), do(keys="\r"), do(keys=","),
                         do(keys=","), do(keys=" "), do(move(60, 60)), do(keys="\r")],
    "lock": [do(move(100, 80)), do(click(100, 80), click(100, 80, LEFT_UP)), do(move(10, 10)), do(wheel()),
             do(click(10, 10)), do(click(12, 10, LEFT_UP)), do(click(12, 10)), do(keys="."), do(keys=","),
             do(keys="."), do(click(150, 90)), do(keys="."), do(keys=","), do(keys=","), do(keys="\r")],
    "wheel": [do(*[wheel(TOWARDS)] * 3), do(*[wheel(TOWARDS)] * 7), do(move(70, 70), *[wheel(TOWARDS)] * 9),
              do(wheel(), wheel()), do(*[wheel(TOWARDS)] * 50), do(*[wheel()] * 60), do(keys="\r")],
    "forced": [do(move(90, 90)), do(click(90, 90, RIGHT)), do(move(120, 95)), do(move(90, 140)), do(wheel()),
               do(keys="h"), do(keys="\r"), do(move(70, 60)), do(click(70, 60)), do(move(20, 20)), do(keys="."),
               do(keys=","), do(click(70, 61)), do(click(70, 61, RIGHT)), do(click(80, 61, RIGHT)), do(keys="\r")],
    "help and accuracy": [do(move(50, 50), keys="h"), do(move(55, 50)), do(keys="a"), do(move(60, 50)), do(keys="\r"),
                          do(keys="h"), do(keys="a"), do(wheel()), do(keys="q")],
    "while searching": [do(move(100, 80)), do(move(50, 60), keys=" ", busy=True), do(keys="\r", busy=True),
                        do(move(80, 80)), do(click(1, 1), busy=True), do(wheel(), busy=True), do(keys="."),
                        do(keys=".,", busy=True), do(keys=",\r", busy=True), do(keys="."), do(keys="q", busy=True)],
    "locked to the end": [do(keys=" "), do(click(30, 30)), do(keys="q")],
    "forced when taken up": [do(click(1, 1)), do(keys="."), do(click(60, 60, RIGHT)), do(move(90, 60)), do(keys=","),
                             do(click(60, 60, RIGHT), click(60, 60, RIGHT)), do(), do(keys="\r"), do(keys="q")],
    "passed over": [do(click(1, 1)), do(keys="."), do(click(90, 90)), do(keys=","), do(keys=","), do(keys=","),
                    do(keys="\r"), do(move(9, 9)), do(keys="x"), do(keys="q")],
}
