"""Give every image of a folder its place in an order, so that nothing is lost whatever happens.

A plan (which file goes where) is written to a journal and synced before the first file moves. Then
each file goes to a temporary name of its own, and, once all are there, to its final one; no rename
ever replaces a file. The journal's own name says which of the two walks is under way:

    .sort_journal_away    files are at their old or at their temporary names
    .sort_journal_final   files are at their temporary or at their final names
    .sort_undo            the last finished sort, kept to undo it

So each file's place follows, at any moment, from the journal's name and from what the folder holds,
and a sort that was cut short is walked back by `recover`. Folders are synced between the walks.
Trash needs one walk only: in its new folder every name is free.

Answers to stock's mainscripts.Sorter.final_process, with the differences the contract lists.
"""
import collections
import contextlib
import os
import uuid
from pathlib import Path

from . import compat, file_lock, files, rename_journal, rename_walk
from .os_errors import advice, reason
from .rename_journal import SORT_KIND, UNDO, UNDO_KIND, Journal
from .rename_walk import RenameError

__all__ = ["RenameError", "Result", "apply_order", "locked", "plan_lines", "recover", "refuse_unfinished",
           "undo"]

Result = collections.namedtuple("Result", "renamed trashed trash_folder missing")
Result.__doc__ = """What was done.

renamed: number of files that got another name in the folder; trashed: number of files moved to
trash (by undo: back from there); trash_folder: its path (str) or None; missing: number of files that
undo looked for and that are gone.
"""

_LOCK = ".sort_lock"
_HELD = set()  # folders that this process has locked


# --- what the user's commands call --------------------------------------------------------------

@contextlib.contextmanager
def locked(folder):
    """Keep other sorts out of a folder while the body runs; the same process may nest it.

    Raises RenameError if another process is sorting there or if the folder cannot be written to.
    """
    folder = os.path.realpath(os.fspath(folder))
    if folder in _HELD:
        yield
        return
    path = os.path.join(folder, _LOCK)
    handle = _take_lock(folder, path)
    _HELD.add(folder)
    try:
        yield
    finally:
        _HELD.discard(folder)
        compat.close_and_remove(handle, path)


def _take_lock(folder, path):
    try:
        return file_lock.take(path)
    except BlockingIOError as error:
        raise RenameError("Another sort is at work in {}. Wait until it has ended, "
                          "then start again.".format(folder)) from error
    except OSError as error:
        raise RenameError("Files in {} cannot be renamed: {}. {}".format(
            folder, reason(error), advice(error))) from error


def apply_order(folder, ordered, trashed, progress=None):
    """Name the images of a folder by their place in `ordered` and move `trashed` to a trash folder.

    ordered, trashed: lists of paths (str) directly in `folder`, together all of its images, each
    once. ordered[i] becomes i with at least five digits and the old suffix. Trash goes, under its own
    names, to the first of <stem>_trash, <stem>_trash_2, ... beside the folder that is new or empty.
    progress: called as progress(label, total) before each walk ("Moving trash", "Renaming"); what it
    returns has update(number of files done since) and close().

    Returns Result. Raises RenameError: before anything has moved if the lists do not fit the folder,
    or after everything is back in place. What remains of a crash is put right by `recover`.
    """
    folder = _absolute(folder)
    with locked(folder):
        with _before_anything_moves(folder):
            journal = _plan_sort(folder, ordered, trashed)
        rename_walk.carry_out(folder, journal, progress)
    return _result(folder, journal, 0)


def plan_lines(folder, ordered, trashed):
    """Return what apply_order would do as a list of (old name, new name), fixed names included.

    Trash is shown with its folder. Changes nothing; raises RenameError where apply_order would.
    """
    folder = _absolute(folder)
    with _before_anything_moves(folder):
        journal = _plan_sort(folder, ordered, trashed)
    lines = [(os.path.basename(path), _final_name(index, len(ordered), path))
             for index, path in enumerate(ordered)]
    return lines + [(name, os.path.join(journal.trash, name)) for name, _ in journal.trashed]


def undo(folder, progress=None):
    """Give the files the names and places that they had before the last finished sort.

    Files that were removed since are counted as missing, files that were added stay. progress as in
    apply_order. Returns Result. Raises RenameError before anything moves if there is nothing to undo,
    if the record is damaged or if an added file has a name that is needed; else as apply_order.
    """
    folder = _absolute(folder)
    with locked(folder):
        with _before_anything_moves(folder):
            journal, missing = _plan_undo(folder)
        rename_walk.carry_out(folder, journal, progress)
    return _result(folder, journal, missing)


def recover(folder):
    """Put right what a sort or an undo that was cut short has left. Call before every sort.

    Names and places become those from before it; if all files had arrived, it counts as finished.
    Can itself be cut short and called again. Returns a sentence for the user, None if all was well.
    Raises RenameError: damaged journal (nothing is touched), or files that cannot be renamed now.
    """
    folder = _absolute(folder)
    if rename_walk.unfinished(folder) is None:
        return None
    with locked(folder):
        try:
            settled = rename_walk.settle(folder)
        except OSError as error:
            raise RenameError("A sort of {} was cut short, and its files cannot get their names back now: "
                              "{}. Nothing is lost. {}".format(folder, reason(error), advice(error))
                              ) from error
    return None if settled is None else _tell(settled, folder)


def refuse_unfinished(folder):
    """Raise RenameError if a sort or an undo of the folder was cut short and `recover` was not called."""
    if rename_walk.unfinished(_absolute(folder)) is not None:
        raise RenameError("An earlier sort of {} was cut short and has to be put right first. "
                          "Start a sort of it, or --undo.".format(folder))


@contextlib.contextmanager
def _before_anything_moves(folder):
    refuse_unfinished(folder)
    try:
        yield
    except OSError as error:
        raise RenameError("Nothing was renamed: {} cannot be read: {}. {}".format(
            folder, reason(error), advice(error))) from error


def _result(folder, journal, missing):
    trash = rename_walk.trash_path(folder, journal)
    return Result(len(journal.renames), len(journal.trashed), trash, missing)


def _absolute(folder):
    return os.path.abspath(os.fspath(folder))


# --- plans --------------------------------------------------------------------------------------

def _plan_sort(folder, ordered, trashed):
    names, sizes = _list_folder(folder)
    _check_lists(folder, ordered, trashed, names, sizes)
    finals = [_final_name(index, len(ordered), path) for index, path in enumerate(ordered)]
    olds = [os.path.basename(path) for path in ordered]
    trash_names = [os.path.basename(path) for path in trashed]
    staying = {name.lower(): name for name in names.difference(olds, trash_names)}
    blocked = [staying[final.lower()] for final in finals if final.lower() in staying]
    if blocked:
        raise RenameError("Nothing was renamed: {} has {} where a face needs that name. Move it out of the "
                          "folder, then sort again.".format(folder, _some(blocked)))
    trash, trash_is_new = _choose_trash(folder) if trashed else (None, False)
    return Journal(SORT_KIND, _new_id(names), trash, trash_is_new,
                   [(old, final, sizes[old]) for old, final in zip(olds, finals) if old != final],
                   [(name, sizes[name]) for name in trash_names])


def _check_lists(folder, ordered, trashed, names, sizes):
    wanted = set()
    known_parents = {}
    for path in list(ordered) + list(trashed):
        parent, name = os.path.split(path)
        if parent not in known_parents:
            known_parents[parent] = _absolute(parent) == folder
        if not known_parents[parent]:
            raise RenameError("Nothing was renamed: {} is not in {}.".format(path, folder))
        if name in wanted:
            raise RenameError("Nothing was renamed: {} has two places in the new order.".format(path))
        if name not in sizes:
            raise RenameError("Nothing was renamed: {} {}. Sort again.".format(
                path, "is not an image file" if name in names else "was removed while the sort ran"))
        wanted.add(name)
    left_out = set(sizes) - wanted
    if left_out:
        raise RenameError("Nothing was renamed: {} came into {} while the sort ran, or the sort has no place "
                          "for it. Sort again.".format(_some(sorted(left_out)), folder))


def _plan_undo(folder):
    path = os.path.join(folder, UNDO)
    journal = rename_walk.read_journal(path)
    if journal is None or journal.kind == UNDO_KIND:
        raise RenameError("There is no sort to undo in {}.".format(folder))
    names, sizes = _list_folder(folder)
    renames = [(after, before, size) for before, after, size in journal.renames if after in sizes]
    trash = rename_walk.trash_path(folder, journal)
    in_trash = _list_folder(trash)[1] if trash is not None and os.path.isdir(trash) else {}
    trashed = [(name, size) for name, size in journal.trashed if in_trash.get(name) == size]
    targets = [move[1] for move in renames] + [move[0] for move in trashed]
    staying = names.difference(move[0] for move in renames)
    blocked = [target for target in targets if target in staying]
    if blocked:
        raise RenameError("Nothing was undone: {} was added to {} since the sort and has a name that is "
                          "needed. Move it out of the folder, then undo again."
                          .format(_some(blocked), folder))
    missing = len(journal.renames) + len(journal.trashed) - len(renames) - len(trashed)
    return Journal(UNDO_KIND, _new_id(names), journal.trash, journal.trash_is_new, renames, trashed), missing


def _list_folder(folder):
    """Return (set of all names, dict of image file name -> size in bytes) of a folder."""
    names, sizes = set(), {}
    with os.scandir(folder) as entries:
        for entry in entries:
            names.add(entry.name)
            if files.is_image_name(entry.name) and entry.is_file():
                sizes[entry.name] = entry.stat().st_size
    return names, sizes


def _final_name(index, count, path):
    digits = max(5, len(str(count - 1)))
    name = os.path.basename(path)
    return "{:0{}d}{}".format(index, digits, name[name.rindex("."):])


def _choose_trash(folder):
    """Return (name, whether it is new) of the first trash folder that holds nothing."""
    folder = Path(folder)
    number = 1
    while True:
        name = folder.stem + "_trash" + ("" if number == 1 else "_{}".format(number))
        path = str(folder.parent / name)
        if not os.path.lexists(path):
            return name, True
        if os.path.isdir(path) and not os.listdir(path):
            return name, False
        number += 1


def _new_id(names):
    while True:
        new_id = uuid.uuid4().hex[:8]
        prefix = rename_journal.temporary_prefix(new_id)
        if not any(name.startswith(prefix) for name in names):
            return new_id


# --- words --------------------------------------------------------------------------------------

def _tell(settled, folder):
    if settled.finished:
        return "The last {} of {} had renamed every file before it was cut short: it is complete.".format(
            settled.kind, folder)
    text = "The last {} of {} was cut short: its files have their earlier names again.".format(
        settled.kind, folder)
    if settled.left:
        text += (" {} of them could not, because other files have taken their names since; look for names "
                 "that begin with sorting_, and in the trash folder.".format(settled.left))
    return text


def _some(names):
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else "{} and {} more".format(shown, len(names) - 3)
