"""Workspaces for the cases of training: faces in data_src/aligned and data_dst/aligned, generated or the user's own.

Training only reads them, so many names may be links to one file.
"""
import os

from benchmarks import files, train_settings, workspace


def make_pool(folder, count, size, polygons, progress=None):
    """Make faces of which every other one has an XSeg mask: their paths (sorted list). Raises OSError.

    polygons: every fifth face has polygons of XSeg, too.
    """
    names = workspace.make_faceset(folder, count, size=size, xseg_every=2, polys_every=5 if polygons else 0,
                                   progress=progress)
    return [os.path.join(folder, name) for name in names]


def lay_out(folder, sources, destinations):
    """Make a workspace in a new folder, of so many faces: lists of paths, of which some may be the same."""
    for name, paths in zip(train_settings.FOLDERS, (sources, destinations)):
        above = train_settings.faces_folder(folder, name)
        os.makedirs(above)
        for number, path in enumerate(paths):
            suffix = os.path.splitext(path)[1]
            files.give_second_name(path, os.path.join(above, "{:05d}_0{}".format(number, suffix)))


def spread(paths, count):
    """So many of the paths, evenly over all of them (list)."""
    return [paths[index * len(paths) // count] for index in range(count)]


def repeated(paths, count):
    """As many paths as wished, from the first again after the last (list)."""
    return [paths[index % len(paths)] for index in range(count)]


def find_own(path):
    """The user's faces: two lists of paths, of data_src and data_dst, or twice of one of them or of the folder itself.

    None where there are no faces.
    """
    found = [image_paths(train_settings.faces_folder(path, name)) for name in train_settings.FOLDERS]
    found = [paths for paths in found + [image_paths(path)] if paths]
    return (found[:1] * 2 if len(found) == 1 else found[:2]) or None


def image_paths(folder):
    """The images of a folder (sorted list of paths), none if it is not there."""
    return [os.path.join(folder, name) for name in files.image_names(folder)]
