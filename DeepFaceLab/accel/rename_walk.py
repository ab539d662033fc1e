"""Carry out a plan of renames step by step, and put it right wherever it was cut short."""
import collections
import contextlib
import errno
import filecmp
import os
import shutil

from . import compat, files, rename_journal
from .os_errors import advice, reason
from .rename_journal import AWAY, FINAL, SORT_KIND, UNDO, UNDO_KIND, JournalError

_BAR_STEP = 200  # files between two updates of a progress bar
_FAILURES_BEFORE_GIVING_UP = 3  # each may have waited a second for the file to be free


class RenameError(Exception):
    """What stopped the renaming, where the files are now, and what to do next, in words for the user."""


def carry_out(folder, journal, progress):
    """Do what a Journal says, from its writing to its end; on failure put everything back.

    folder: absolute path, locked; progress: as in renames.apply_order. Raises RenameError for what
    the system refuses, and whatever else (Ctrl-C) stopped it, after the names are as they were.
    """
    trash = trash_path(folder, journal)
    renamed, trashed = rename_journal.routes(folder, trash, journal)
    try:
        rename_journal.write(folder, journal)
        if journal.kind == SORT_KIND and journal.trash_is_new:
            os.mkdir(trash)
            compat.fsync_directory(os.path.dirname(folder))
        scratch = _scratch_name(journal)
        _walk([route[:2] for route in trashed], scratch, "Moving trash", progress)
        _walk([route[:2] for route in renamed], scratch, "Renaming", progress)
        _sync(folder, trash)
        _rename_journal(folder, AWAY, FINAL)
        _walk([route[1:] for route in _with_two_walks(renamed + trashed)], scratch, "Renaming", progress)
        _finish(folder, journal)
    except OSError as stop:
        if not _put_right(folder, stop):
            raise RenameError("The files could not be renamed: {}. Nothing is lost, and every file has the "
                              "name it had before. {}".format(reason(stop), advice(stop))) from stop
    except BaseException as stop:
        _put_right(folder, stop)
        raise


def _walk(pairs, scratch, label, progress):
    if not pairs:
        return
    bar = None if progress is None else progress(label, len(pairs))
    try:
        for start in range(0, len(pairs), _BAR_STEP):
            batch = pairs[start:start + _BAR_STEP]
            for source, target in batch:
                _move(source, target, scratch)
            if bar is not None:
                bar.update(len(batch))
    finally:
        if bar is not None:
            bar.close()


def _move(source, target, scratch):
    try:
        files.retry_busy(compat.rename_no_replace, source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across_volumes(source, target, os.path.join(os.path.dirname(target), scratch))


def _move_across_volumes(source, target, scratch):
    # A scratch file that an error leaves is removed with all the rest that is put right then.
    with open(source, "rb") as reader, open(scratch, "wb") as writer:
        shutil.copyfileobj(reader, writer)
        writer.flush()
        os.fsync(writer.fileno())
    with contextlib.suppress(OSError):
        shutil.copystat(source, scratch)  # some file systems keep no times: the content is what counts
    compat.rename_no_replace(scratch, target)
    compat.fsync_directory(os.path.dirname(target))
    files.retry_busy(os.remove, source)


def _sync(folder, trash=None):
    for path in (folder, trash):
        if path is not None and os.path.isdir(path):
            compat.fsync_directory(path)


def _rename_journal(folder, old, new):
    files.retry_busy(compat.rename_no_replace, os.path.join(folder, old), os.path.join(folder, new))
    compat.fsync_directory(folder)


def _finish(folder, journal):
    """All files have arrived: keep the journal of a sort to undo it, forget that of an undo."""
    _sync(folder)
    if journal.kind == UNDO_KIND:
        _remove_trash_if_ours(folder, journal)
    undo_path = os.path.join(folder, UNDO)
    files.retry_busy(os.replace, os.path.join(folder, FINAL), undo_path)
    if journal.kind == UNDO_KIND:
        files.remove_if_there(undo_path)
    with contextlib.suppress(OSError):
        # The faces' names are on disk; were this one lost, the journal would only be finished again.
        compat.fsync_directory(folder)


def _remove_trash_if_ours(folder, journal):
    if journal.trash is not None and journal.trash_is_new:
        with contextlib.suppress(OSError):
            os.rmdir(trash_path(folder, journal))  # refused unless empty


def _with_two_walks(routes):
    return [route for route in routes if route.middle != route.end]


def _scratch_name(journal):
    return rename_journal.temporary_prefix(journal.id) + "copy.tmp"


def _put_right(folder, stop):
    """Settle a sort that has just failed. Return whether it is finished after all."""
    try:
        settled = settle(folder)
    except OSError as error:
        raise RenameError(
            "The files could not be renamed: {}. Not all of them could get their old names back ({}). "
            "Nothing is lost: their names begin with sorting_ for now, or they are in the trash folder. {} "
            "The next sort puts them right first.".format(
                reason(stop), reason(error), advice(error))) from stop
    return settled is not None and settled.finished


Settled = collections.namedtuple("Settled", "kind finished left")


def settle(folder):
    """Finish or walk back what the journal tells of; Settled, or None without a journal.

    May be cut short anywhere and repeated. left: files that could not go back because another file
    has taken their name; they keep the temporary one. Raises RenameError (damaged journal), OSError.
    """
    name = unfinished(folder)
    if name is None:
        return None
    journal = read_journal(os.path.join(folder, name))
    if name == AWAY:
        # FAT can keep both names of a file over a power cut. All files then have temporary names.
        files.remove_if_there(os.path.join(folder, FINAL))
    trash = trash_path(folder, journal)
    renamed, trashed = rename_journal.routes(folder, trash, journal)
    routes = renamed + trashed
    scratch = _scratch_name(journal)
    for place in filter(None, (folder, trash)):
        files.remove_if_there(os.path.join(place, scratch))
    present = _paths_in(folder, trash)
    if name == FINAL:
        arriving = _with_two_walks(routes)
        if not any(route.middle in present for route in arriving):
            _finish(folder, journal)
            return Settled(journal.kind, True, 0)
        _walk_back([(route.end, route.middle) for route in arriving
                    if route.end in present and route.middle not in present], scratch)
        _sync(folder)
        _rename_journal(folder, FINAL, AWAY)
        present = _paths_in(folder, trash)
    gone = [route for route in routes if route.middle in present]
    twice = [route for route in gone if route.start in present]
    _walk_back([(route.middle, route.start) for route in gone if route.start not in present], scratch)
    left = sum(not _removed_as_copy(route) for route in twice)
    _sync(folder, trash)
    if journal.kind == SORT_KIND:
        _remove_trash_if_ours(folder, journal)
    files.retry_busy(os.remove, os.path.join(folder, AWAY))
    compat.fsync_directory(folder)
    return Settled(journal.kind, False, left)


def _walk_back(pairs, scratch):
    failures = []
    for source, target in pairs:
        try:
            _move(source, target, scratch)
        except OSError as error:
            failures.append(error)
            if len(failures) == _FAILURES_BEFORE_GIVING_UP:
                break
    if failures:
        raise failures[0]


def _removed_as_copy(route):
    """A move to another volume copies first: a cut between leaves the file twice. Keep the original."""
    if not filecmp.cmp(route.middle, route.start, shallow=False):
        return False
    os.remove(route.middle)
    return True


def unfinished(folder):
    """Return the name of the journal under way in a folder, or None."""
    for name in (AWAY, FINAL):
        if os.path.lexists(os.path.join(folder, name)):
            return name
    return None


def read_journal(path):
    """Return the Journal in a file, None if there is none. Raises RenameError (damaged), OSError."""
    try:
        return rename_journal.read(path)
    except FileNotFoundError:
        return None
    except JournalError as error:
        raise RenameError(
            "The record of an earlier sort, {}, cannot be used: {}. Nothing was touched. Delete that file to "
            "go on; no face depends on it (faces named sorting_... are whole, and sorted like any other)."
            .format(path, error)) from error


def _paths_in(folder, trash):
    return {os.path.join(place, name) for place in (folder, trash)
            if place is not None and os.path.isdir(place) for name in os.listdir(place)}


def trash_path(folder, journal):
    """Return the path of a journal's trash folder, beside `folder`, or None."""
    return None if journal.trash is None else os.path.join(os.path.dirname(folder), journal.trash)
