"""Trees in which a merge can be started: with the model Tiny of tests/stand_in in the place of a trained one.

Without DeepFaceLab the overlay stands on its own, with tests/stand_in laid over it. With one, both candidates get
the same tree, of which one has the overlay laid over it, so that both load the same libraries.
"""
import os
import shutil

from benchmarks import stock_tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(ROOT, "DeepFaceLab")
STAND_IN = os.path.join(ROOT, "tests", "stand_in")
MODEL = ("models", "Model_Tiny")
NOT_COPIED = ("__pycache__", ".git")


def build_tree(folder):
    """Make a tree of the overlay and of stand-ins for what it needs of DeepFaceLab, in a new folder. Return it.

    The engine in it is this project's own folder, so that its kernels are compiled once for all trees.
    """
    os.makedirs(folder)
    for name in sorted(os.listdir(PROGRAM)):
        if name == "accel":
            try:
                os.symlink(os.path.join(PROGRAM, name), os.path.join(folder, name), target_is_directory=True)
                continue
            except OSError:        # Windows lets not everyone make links
                pass
        if os.path.isdir(os.path.join(PROGRAM, name)):
            lay_over(os.path.join(PROGRAM, name), os.path.join(folder, name))
        elif name.endswith(".py"):
            shutil.copyfile(os.path.join(PROGRAM, name), os.path.join(folder, name))
    lay_over(STAND_IN, folder)
    return folder


def copy_tree(tree, folder, overlay=False):
    """Give a DeepFaceLab tree a second one in a new folder, with the model Tiny. Return it. Raises OSError.

    Large files are hard links, as in stock_tree. overlay: lay this project over it, too.
    """
    for above, subfolders, names in os.walk(tree):
        subfolders[:] = [name for name in subfolders if name not in NOT_COPIED]
        for name in names:
            source = os.path.join(above, name)
            stock_tree.place(source, os.path.join(folder, os.path.relpath(source, tree)))
    if overlay:
        lay_over(PROGRAM, folder)
    lay_over(os.path.join(STAND_IN, *MODEL), os.path.join(folder, *MODEL))
    return folder


def build_both(folder, stock):
    """Make the trees of both sides in a new folder: {side: folder of main.py}. Raises OSError.

    stock: a DeepFaceLab tree; None for the overlay alone, of which ours is the only one.
    """
    if stock is None:
        return {"ours": build_tree(os.path.join(folder, "ours"))}
    return {side: copy_tree(stock, os.path.join(folder, side), overlay=side == "ours") for side in ("baseline", "ours")}


def lay_over(source, folder):
    """Copy the Python files below a folder over another one."""
    for above, subfolders, names in os.walk(source):
        subfolders[:] = [name for name in subfolders if name not in NOT_COPIED]
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(above, name)
                target = os.path.join(folder, os.path.relpath(path, source))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(path, target)
