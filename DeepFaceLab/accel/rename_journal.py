"""The journal of a sort: which file has which name before and after, on disk before anything moves.

A line with a checksum, then JSON in ASCII (names that are not valid Unicode survive in it). Whoever
passes a faceset on passes its journals on too, so nothing in one is trusted: names are single
components of image files, and they are looked for in the folder and in its trash folder only.
"""
import collections
import hashlib
import json
import os
import re

from . import compat, files

AWAY = ".sort_journal_away"
FINAL = ".sort_journal_final"
UNDO = ".sort_undo"
_UNFINISHED = ".sort_journal.tmp"

SORT_KIND, UNDO_KIND = "sort", "undo"

_MAGIC = b"sort journal 1 "
_ID = re.compile(r"[0-9a-f]{8}\Z")
_TRASH = re.compile(r".*_trash(_[0-9]+)?\Z", re.DOTALL)

Journal = collections.namedtuple("Journal", "kind id trash trash_is_new renames trashed")
Journal.__doc__ = """A plan of renames in one folder.

kind: "sort", or "undo" (which brings files back from trash); id: 8 hex digits, part of every
temporary name; trash: name of the trash folder beside the folder, or None; trash_is_new: it did not
exist before the sort; renames: list of (name before, name after, size in bytes); trashed: list of
(name, size in bytes) of files that go to trash, or back from there, under their own names.
"""

Route = collections.namedtuple("Route", "start middle end")
Route.__doc__ = """Three paths (str) of one file: before, between the two walks, and after them."""


class JournalError(ValueError):
    """A journal that is damaged, of another program, or made to do harm."""


def write(folder, journal):
    """Put the journal of a plan into the folder, synced, as one that is under way. Raises OSError."""
    body = json.dumps(journal._asdict(), ensure_ascii=True, separators=(",", ":")).encode("ascii")
    head = _MAGIC + hashlib.sha256(body).hexdigest().encode("ascii") + b"\n"
    files.write_atomic(os.path.join(folder, AWAY), head + body, os.path.join(folder, _UNFINISHED))


def read(path):
    """Return the Journal in a file. Raises JournalError, FileNotFoundError or another OSError."""
    with open(path, "rb") as stream:
        head = stream.readline(len(_MAGIC) + 65)
        body = stream.read() if head.startswith(_MAGIC) else b""
    if head != _MAGIC + hashlib.sha256(body).hexdigest().encode("ascii") + b"\n":
        raise JournalError("it is not a sort's journal, or it is damaged")
    try:
        fields = json.loads(body.decode("ascii"))
        journal = Journal(**fields)
        journal = journal._replace(renames=[tuple(move) for move in journal.renames],
                                   trashed=[tuple(move) for move in journal.trashed])
        _check(journal)
    except JournalError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise JournalError("it is not a sort's journal") from error
    return journal


def _check(journal):
    if journal.kind not in (SORT_KIND, UNDO_KIND) or not isinstance(journal.trash_is_new, bool):
        raise JournalError("it is not a sort's journal")
    if not isinstance(journal.id, str) or not _ID.match(journal.id):
        raise JournalError("its id is not one")
    if journal.trash is None:
        if journal.trashed:
            raise JournalError("it names no trash folder")
    elif not _is_plain(journal.trash) or not _TRASH.match(journal.trash):
        raise JournalError("its trash folder is not one")
    for moves, length in ((journal.renames, 3), (journal.trashed, 2)):
        for move in moves:
            if len(move) != length or not isinstance(move[-1], int):
                raise JournalError("it is not a sort's journal")
            if not all(_is_plain(name) and files.is_image_name(name) for name in move[:-1]):
                raise JournalError("it names a file that is not an image of this folder")
    before = [move[0] for move in journal.renames]
    after = [move[1] for move in journal.renames]
    trashed = [move[0] for move in journal.trashed]
    beside_trash = before if journal.kind == SORT_KIND else after
    if any(len(set(names)) != len(names) for names in (before, after, beside_trash + trashed)):
        raise JournalError("it names a file twice")


def _is_plain(name):
    if not isinstance(name, str) or any(character in name for character in compat.not_in_names):
        return False
    os.fsencode(name)  # a ValueError for text that no file can have as its name
    return True


def routes(folder, trash, journal):
    """Return (renamed, trashed), two lists of Route, for a journal of `folder`.

    trash: path of the trash folder or None. A file on its way to trash needs no temporary name.
    """
    renamed = [Route(os.path.join(folder, before), os.path.join(folder, _temporary(journal, index, before)),
                     os.path.join(folder, after))
               for index, (before, after, _) in enumerate(journal.renames)]
    trashed = []
    for index, (name, _) in enumerate(journal.trashed, len(renamed)):
        here, there = os.path.join(folder, name), os.path.join(trash, name)
        if journal.kind == SORT_KIND:
            trashed.append(Route(here, there, there))
        else:
            trashed.append(Route(there, os.path.join(folder, _temporary(journal, index, name)), here))
    return renamed, trashed


def temporary_prefix(journal_id):
    """Return how all temporary names of one sort begin: short, and an image to every program."""
    return "sorting_{}_".format(journal_id)


def _temporary(journal, index, name):
    return "{}{:05d}{}".format(temporary_prefix(journal.id), index, name[name.rindex("."):])
