"""The smallest sort that there is: by content; and folders for it."""
import os

from accel import files, renames


def make_faces(folder, count):
    """Fill a new folder with `count` files of different contents, some under names that a sort gives."""
    os.mkdir(folder)
    suffixes = (".jpg", ".JPG", ".png", ".jpeg")
    for number in range(count):
        stem = "{:05d}".format(number * 7 % count) if number % 2 else "frame {}_0".format(number)
        with open(os.path.join(folder, stem + suffixes[number % 4]), "wb") as stream:
            stream.write(b"face %d " % number * (number % 5 + 1))


def rank(folder, method):
    """Return (ordered, trashed) paths of the images of a folder; what decides is their contents alone."""
    ranked = sorted(files.image_paths(folder), key=files.read_bytes, reverse=method == "down")
    if method == "middle":
        ranked = ranked[len(ranked) // 2:] + ranked[:len(ranked) // 2]
    trashed = {"up": ranked[-2:], "down": [], "middle": ranked[:1]}[method]
    return [path for path in ranked if path not in trashed], trashed


def sort(folder, method):
    """Put an earlier sort right, then sort by a method."""
    renames.recover(folder)
    renames.apply_order(folder, *rank(folder, method))


def snapshot(parent):
    """Return {path below parent: content}, and {path: None} for empty folders; journals left out."""
    found = {}
    for folder, folders, names in os.walk(str(parent)):
        if not folders and not names and folder != str(parent):
            found[os.path.relpath(folder, str(parent))] = None
        for name in names:
            if not name.startswith(".sort_"):
                path = os.path.join(folder, name)
                found[os.path.relpath(path, str(parent))] = files.read_bytes(path)
    return found


def contents(found):
    """Return the contents of a snapshot, sorted: what a sort may never change."""
    return sorted(content for content in found.values() if content is not None)
