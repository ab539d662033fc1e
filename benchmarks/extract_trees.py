"""Trees in which an extraction can be started, and its frames.

The networks are either a table that answers at once (table_networks.py, for both sides), or the program's own with
weights made by hand (marker_networks.py), or the user's. With DeepFaceLab, both candidates get the same tree, of
which one has the overlay laid over it; without one, the overlay stands on its own.
"""
import os
import shutil

from benchmarks import files, marker_frames, marker_networks, merge_trees, portrait_frames, stock_tree, table_networks

TABLE, MARKERS, OWN = "table", "markers", "own"       # whose answers the networks give
WEIGHTS = ("S3FD.npy", "2DFAN.npy")                   # what faces up to whole_face need


# --- trees -----------------------------------------------------------------------------------

def build(folder, networks, stock=None, overlay=True, weights=None):
    """Make a tree in a new folder. Return it. Raises OSError.

    networks: TABLE, MARKERS or OWN. stock: a DeepFaceLab tree, None for the overlay alone. overlay: lay this project
    over it. weights: for MARKERS the folder with the files that write_weights made.
    """
    if stock is None:
        merge_trees.lay_over(merge_trees.PROGRAM, folder)
    else:
        merge_trees.copy_tree(stock, folder, overlay)
    if networks == TABLE:
        lay_table(folder, overlay)
    elif networks == MARKERS:
        for name in WEIGHTS:
            target = os.path.join(folder, "facelib", name)
            if os.path.exists(target):     # perhaps a link of the user's own: not to be written into
                os.remove(target)
            stock_tree.place(os.path.join(weights, name), target)
    return folder


def lay_table(tree, overlay):
    """Put the table into a tree, in the place of the networks of the overlay or of DeepFaceLab."""
    targets = [("accel", "nets", "loading.py")] if overlay else [
        ("facelib", name) for name in ("S3FDExtractor.py", "FANExtractor.py")]
    for target in targets:
        shutil.copyfile(table_networks.__file__, os.path.join(tree, *target))


def write_weights(folder):
    """Write the weights that know the frames of make_markers (190 MB) into a new folder. Raises OSError."""
    os.makedirs(folder)
    for name, make in zip(WEIGHTS, (marker_networks.detector_weights, marker_networks.aligner_weights)):
        marker_networks.save(os.path.join(folder, name), make())


def has_weights(tree):
    """Whether a DeepFaceLab tree has its networks' weights (bool)."""
    return not missing_weights(tree)


def missing_weights(tree):
    """The names of the weights that a DeepFaceLab tree lacks (list of str)."""
    return [name for name in WEIGHTS if not os.path.isfile(os.path.join(tree, "facelib", name))]


# --- frames ----------------------------------------------------------------------------------

def frames_folder(folder):
    return os.path.join(folder, "data_src")


def make_stamped(folder, count, size, distinct):
    """Make `count` frames (PNG) of one shot with a stamp that tells the table of one face. Raises OSError.

    size: (width, height), px. distinct: so many are different, the others further names or copies of them.
    """
    shot = portrait_frames.Shot(size)
    above = frames_folder(folder)
    for number in range(count):
        path = os.path.join(above, "{:05d}.png".format(number + 1))
        if number < distinct:
            picture = shot.frame(number)[0]
            table_networks.stamp(picture, number)
            portrait_frames.write(path, portrait_frames.encode(picture, ".png"))
        else:
            stock_tree.place(os.path.join(above, "{:05d}.png".format(number % distinct + 1)), path)


def make_markers(folder, count, size):
    """Make frames (PNG), every other one with a face, that the weights of write_weights know. Raises OSError."""
    faces = [1 - number % 2 for number in range(count)]
    marker_frames.build_workspace(folder, [marker_frames.Shots(size, faces)])


def find_own(path):
    """The user's frames: (folder, sorted names), None where there are none."""
    folder = os.path.join(path, "data_dst")
    names = files.image_names(folder)
    return (folder, names) if names else None


def copy_own(own, folder, count):
    """Copy the user's first frames. Raises OSError."""
    above, names = own
    os.makedirs(frames_folder(folder))
    for name in names[:count]:
        shutil.copyfile(os.path.join(above, name), os.path.join(frames_folder(folder), name))
