"""Makes files of the faces in a faceset.pak again.

Each is written beside its place, brought to the disk, and takes a name that nothing has; the pak is deleted when all
are there. Started again, it goes on: a file that has the content of the face already is done. A mark in the folder
tells the next packing of an unpacking that was cut short. Answers to stock's samplelib.PackedFaceset.unpack, which
replaces files and loses all but one of the faces of one name.
"""
import collections
import os

from accel import compat, faceset, files, host
from accel.output_folder import write_synced
from accel.rename_errors import advice, reason

from . import packed_files, packing

MARK = ".packing_unpacks"

_Target = collections.namedtuple("_Target", "number path size")   # number: of the face in the pak; path: str


def unpack(place, folder):
    """Unpack the faceset.pak of a folder and delete it.

    place: the entered `packing.workplace`. Raises faceset.FacesetError for a pak that is damaged or refused, and
    host.UserError: names that are taken by files of another content (then nothing is written), a full disk.
    """
    folder = os.fspath(folder)
    pak = os.path.join(folder, faceset.PAK_NAME)
    index = faceset.read_index(pak)
    _check_names(pak, index)
    ignores_case = os.path.exists(place.path(".{}_LOCK".format(packing.STEP.upper())))
    targets = _targets(folder, index, ignores_case)
    try:
        missing = _missing(folder, index, targets)
        files.write_atomic(place.path(MARK), b"faceset.pak is being unpacked.\n", place.part_path())
        packed_files.forget(place)
        _make_folders(missing)
        for target in host.progress(missing, "Unpacking"):
            _write(place, target, faceset.read_item(index, target.number))
        _finish(place, folder, targets, pak)
        forget(place)
    except OSError as error:
        raise host.UserError("{} could not be unpacked to the end: {}. It is still there, and so are the files that "
                             "are done. {}".format(pak, reason(error), advice(error))) from error


def is_cut_short(place):
    """Tell whether an unpacking in this folder was begun and not ended, and the faceset.pak is there."""
    return os.path.exists(place.path(MARK)) and os.path.exists(place.path(faceset.PAK_NAME))


def forget(place):
    """Take the mark away: nothing is left to be unpacked."""
    files.remove_if_there(place.path(MARK))


def _check_names(pak, index):
    for config in index.configs:
        if not files.is_image_name(config["filename"]):
            raise faceset.FacesetError("{} holds a file {}, which is no image, so nothing was unpacked. Get the "
                                       "faceset from a source that you trust.".format(pak, ascii(config["filename"])))


def _targets(folder, index, ignores_case):
    """Return a _Target for each face, no two of one path: of faces of one name the later ones get a number."""
    def key(person, name):
        return (person, name) if not ignores_case else (person and person.lower(), name.lower())

    names = [(config.get("person_name"), config["filename"]) for config in index.configs]
    all_keys, taken, renamed, targets = {key(*pair) for pair in names}, set(), [], []
    for number, (person, name) in enumerate(names):
        chosen, count = name, 1
        while key(person, chosen) in taken or count > 1 and key(person, chosen) in all_keys:
            count += 1
            stem, suffix = os.path.splitext(name)
            chosen = "{} ({}){}".format(stem, count, suffix)
        if chosen != name:
            renamed.append((name, chosen))
        taken.add(key(person, chosen))
        begin, end = index.spans[number]
        targets.append(_Target(number, os.path.join(folder, person or "", chosen), end - begin))
    if renamed:
        host.log_info("{:,} faces have the names of others and get new ones, the first: {} -> {}".format(
            len(renamed), *renamed[0]))
    return targets


def _missing(folder, index, targets):
    """Return those targets that are not there. Raises host.UserError if others have another content than the face."""
    missing, strange = [], []
    for target in targets:
        if not os.path.lexists(target.path):
            missing.append(target)
        elif not (os.path.isfile(target.path) and os.path.getsize(target.path) == target.size
                  and files.read_bytes(target.path) == faceset.read_item(index, target.number)):
            strange.append(target.path)
    if strange:
        raise host.UserError("{:,} files in {} have the names of packed faces and another content, the first is {}, so "
                             "nothing was unpacked. Move them to another folder, then start again.".format(
                                 len(strange), folder, strange[0]))
    return missing


def _make_folders(targets):
    for path in sorted({os.path.dirname(target.path) for target in targets}):
        if not os.path.isdir(path):
            os.mkdir(path)


def _write(place, target, data):
    part = place.part_path()
    try:
        write_synced(part, data)
        files.retry_busy(compat.rename_no_replace, part, target.path)
    except BaseException:
        files.remove_if_there(part)
        raise


def _finish(place, folder, targets, pak):
    """See all files on the disk, then delete the pak (or the link to it)."""
    for target in targets:
        if os.path.getsize(target.path) != target.size:
            raise host.UserError("{} has been changed meanwhile, so {} is kept. Start again when nothing else works in "
                                 "this folder.".format(target.path, pak))
    for path in sorted({os.path.dirname(target.path) for target in targets} | {folder}):
        compat.fsync_directory(path)
    files.make_writable(pak)
    files.retry_busy(os.remove, pak)
    place.sync()
