"""The manual pass turn by turn, without a window: what is searched and what is marked.

Frames are dicts with the keys name, rects, landmarks. A script hands out batches of (x, y, kind, flags) and keys by
`idle` and `busy`, as in marking_script.
"""
import numpy as np

MOUTH = [(0.340985, 0.745405), (0.428858, 0.727388), (0.490127, 0.742578), (0.551395, 0.727388), (0.639268, 0.745405),
         (0.726104, 0.780233), (0.642159, 0.864805), (0.556721, 0.902192), (0.490127, 0.909281), (0.423532, 0.902192),
         (0.338094, 0.864805), (0.290379, 0.784792), (0.428096, 0.778746), (0.490127, 0.785343), (0.552157, 0.778746),
         (0.689874, 0.784792), (0.553364, 0.824182), (0.490127, 0.831803), (0.42689, 0.824182)]


def mark(frames, script, find, size, scale, mean_face):
    """Play a script. Return the frames in the order in which the pass ends with them.

    find: function of a frame, its rectangle and whether to be accurate. size: (width, height) of the window's picture,
    px; scale: how much larger than the frame it is. mean_face: points 17 to 48 of it, in the unit square.
    """
    todo, done = list(frames), []
    user = {"x": 0, "y": 0, "radius": 100, "rect": None, "points": None, "locked": False, "forced": False,
            "accurate": True, "search": True, "mouse": (0, 0)}
    waiting, keys, returned = [], [], False
    while todo:
        frame = todo[0]
        if frame["rects"] and not returned:
            done.append(todo.pop(0))
            user.update(search=True, locked=False)
            continue
        if frame["rects"]:
            left, top, right, bottom = rect = frame["rects"][-1]
            user.update(rect=rect, points=frame["landmarks"][-1], locked=True, search=False,
                        radius=(right - left) / 2, x=(left + right) / 2, y=(top + bottom) / 2)
            frame["rects"], frame["landmarks"] = [], []
        returned = False
        batch = script.idle()
        waiting, keys = waiting + batch[0], keys + batch[1]
        if not user["forced"]:
            user["mouse"] = user["x"], user["y"]
        radius = follow(user, waiting, size, scale)
        key = keys[-1] if keys else ""
        waiting, keys = [], []
        if key and key in ",.q" and (key != "," or done) and user["locked"]:
            frame["rects"].append(user["rect"])
            frame["landmarks"].append(user["points"])
            user["locked"] = False
        if key and key in "\r\n":
            frame["rects"].append(user["rect"])
            frame["landmarks"].append(user["points"])
        if key and key in "\r\n .":
            done.append(todo.pop(0))
            user.update(search=True, locked=False)
            returned = key == "."
        elif key == "," and done:
            todo.insert(0, done.pop())
            returned = True
        elif key == "q":
            done, todo = done + todo, []
        elif key == "a":
            user["accurate"] = not user["accurate"]
        elif key == "h":
            pass
        elif user["forced"]:
            force(user, mean_face)
        elif user["search"] or (user["x"], user["y"]) != user["mouse"] or user["radius"] != radius:
            user["x"], user["y"] = user["mouse"]
            user["radius"], user["search"] = radius, False
            user["rect"] = around(user)
            found = find(frame, user["rect"], user["accurate"])
            user["points"] = user["points"] if found is None else found
            for batch in iter(script.busy, None):
                waiting, keys = waiting + batch[0], keys + batch[1]
    return done


def follow(user, events, size, scale):
    radius = user["radius"]
    for x, y, kind, flags in events:
        if kind == 10 and not user["locked"]:
            change = 1 if radius <= 40 else 10 if radius >= 100 else max(radius / 10, 1)
            radius = max(5, radius + change if flags > 0 else radius - change)
        elif kind == 1 and user["forced"]:
            user["x"], user["y"] = user["mouse"]
            user.update(forced=False, locked=True, search=False)
        elif kind == 1:
            user.update(locked=not user["locked"], search=True)
        elif kind == 2:
            user["forced"] = not user["forced"]
            if user["forced"]:
                user["locked"] = False
        elif not user["locked"]:
            user["mouse"] = (min(max(x, 0), size[0] - 1) / scale, min(max(y, 0), size[1] - 1) / scale)
    return radius


def around(user):
    return tuple(int(value) for value in (user["x"] - user["radius"], user["y"] - user["radius"],
                                          user["x"] + user["radius"], user["y"] + user["radius"]))


def force(user, mean_face):
    dx, dy = user["mouse"][0] - user["x"], user["mouse"][1] - user["y"]
    # OpenCV's matrix and the way of the mouse are of single precision
    user["radius"] = float(np.linalg.norm(np.float32(user["mouse"]) - np.float32([user["x"], user["y"]])))
    user["rect"], user["search"] = around(user), False
    if user["radius"] == 0:
        return
    tip_x, tip_y = mean_face[13]
    points = []
    for x, y in [(0, 0)] * 17 + list(mean_face[:32]) + MOUTH:
        x, y = x - tip_x, y - tip_y
        points.append((user["x"] + dx * x - dy * y, user["y"] + dy * x + dx * y))
    user["points"] = np.array(points)
