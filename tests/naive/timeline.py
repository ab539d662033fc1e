"""The interactive merger turn by turn: two lists of frames, a state for each, and one key a turn.

Frames are dicts with the keys cfg, done, working, shown. `ahead` is how many frames are merged from the current one.
"""


class Timeline:
    def __init__(self, configs, ahead, keys):
        self.frames = [{"cfg": cfg, "done": False, "working": False, "shown": False} for cfg in configs]
        self.todo = list(range(len(configs)))
        self.behind = []
        self.ahead, self.keys = ahead, keys
        self.running = False

    def restore(self, todo, behind, retrained, missing):
        """Go on from a saved session."""
        self.todo, self.behind = list(todo), list(behind)
        back_to = None
        if retrained:
            back_to = -1
            for frame in self.frames:
                frame["done"] = False
        elif not self.todo:
            back_to = -1
        for number, frame in enumerate(self.frames):
            if number in missing:
                frame["done"] = frame["shown"] = False
                back_to = number - 1 if back_to is None else min(back_to, number - 1)
        if back_to is not None:
            while self.behind and self.behind[-1] > back_to:
                self.todo.insert(0, self.behind.pop())
        if self.todo:
            self.frames[self.todo[0]]["shown"] = False

    # --- one turn ----------------------------------------------------------------------------

    def turn(self, key, shift):
        """Return the number of the frame that is shown anew, or None."""
        forward = self.running
        backward = False
        current = self.frames[self.todo[0]] if self.todo else None
        shown = None
        if current is not None and not self.running and current["done"] and not current["shown"]:
            current["shown"] = True
            shown = self.todo[0]
        if key in self.keys:
            self.running = False
            if current is not None:
                old = current["cfg"].copy()
                self.keys[key](current["cfg"], shift)
                if old != current["cfg"]:
                    current["done"] = current["shown"] = False
        elif key == "," or key == "m":
            self.running = False
            backward = True
        elif key == "." or key == "/":
            self.running = False
            forward = True
            if key == "." and shift:
                self.running = True
        if backward:
            self.backward(current, key, shift)
        elif forward:
            self.forward(current, key, shift)
        return shown

    def backward(self, current, key, shift):
        if current is not None and not current["done"]:
            return
        while self.behind:
            number = self.behind.pop()
            self.todo.insert(0, number)
            frame = self.frames[number]
            frame["shown"] = False
            if key == "m" and current is not None and frame["cfg"] != current["cfg"]:
                frame["cfg"] = current["cfg"].copy()
                frame["done"] = False
            current = frame
            if not shift:
                break

    def forward(self, current, key, shift):
        if current is not None and current["done"]:
            current["shown"] = True
            self.behind.append(self.todo.pop(0))
            if self.todo:
                first = self.todo[0]
                self.frames[first]["shown"] = False
                if key == "/":
                    last = len(self.frames) if shift else first + 1
                    for number in range(first, last):
                        self.frames[number]["cfg"] = None
                self.fill(current)
        if not self.todo:
            self.running = False

    def fill(self, current):
        for place in range(min(len(self.todo), self.ahead)):
            frame = self.frames[self.todo[place]]
            if frame["cfg"] is None:
                model = current if place == 0 else self.frames[self.todo[place - 1]]
                frame["cfg"] = model["cfg"].copy()
                frame["done"] = frame["shown"] = False

    # --- work --------------------------------------------------------------------------------

    def take(self):
        """Return (number, settings) of a frame for a worker, or None."""
        for place in range(min(len(self.todo), self.ahead)):
            frame = self.frames[self.todo[place]]
            if not frame["done"] and not frame["working"] and frame["cfg"] is not None:
                frame["working"] = True
                return self.todo[place], frame["cfg"].copy()
        return None

    def give(self, number, cfg):
        """A worker has merged a frame with these settings."""
        frame = self.frames[number]
        frame["working"] = False
        if frame["cfg"] == cfg:
            frame["done"] = True
