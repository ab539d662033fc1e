"""Makes files of the faces in a faceset.pak again.

Each is written beside its place and takes a name that nothing has; when all are there they are brought to the disk,
and then the pak is deleted. Started again, it goes on: a file that has the content of the face already is done. A mark
in the folder tells of an unpacking that was cut short: the next packing ends it first, and what a power cut has left
of a file is written again. Answers to stock's samplelib.PackedFaceset.unpack, which replaces files and loses all but
one of the faces of one name.
"""
import collections
import os

from .. import compat, dfl_jpeg, faceset, files, host, pools
from ..os_errors import advice, reason

from . import pack_marks, packed_files, packing

MARK = pack_marks.UNPACKS

_SYNC_THREADS = 8    # a disk orders what it is asked for at once
_BLOCK = 512         # bytes; disks write whole ones

_Target = collections.namedtuple("_Target", "number path size replaces")
_Target.__doc__ = """number: of the face in the pak; path: str; size: bytes; replaces: whether a torn file is there."""


def unpack(place, folder):
    """Unpack the faceset.pak of a folder and delete it.

    place: the entered `packing.workplace`. Raises faceset.FacesetError for a pak that is damaged or refused, and
    host.UserError: names that are taken by other files (then nothing is written), a full disk.
    """
    folder = os.fspath(folder)
    pak = os.path.join(folder, faceset.PAK_NAME)
    index = faceset.read_index(pak)
    _check_names(pak, index)
    ignores_case = os.path.exists(place.path(".{}_LOCK".format(packing.STEP.upper())))
    targets = _targets(folder, index, ignores_case)
    _check_persons(pak, index, targets, ignores_case)
    try:
        missing = _missing(folder, index, targets, is_cut_short(place))
        pack_marks.put(place, MARK, pak)
        packed_files.forget(place)
        _make_folders(missing)
        for target in host.progress(missing, "Unpacking"):
            _write(place, target, faceset.read_item(index, target.number))
        _sync(targets, {target.path for target in missing})
        _finish(place, folder, targets, pak)
        forget(place)
    except OSError as error:
        raise host.UserError("{} could not be unpacked to the end: {}. It is still there, and so are the files that "
                             "are done. {}".format(pak, reason(error), advice(error))) from error


def is_cut_short(place):
    """Tell whether an unpacking of the faceset.pak of this folder was begun and not ended.

    Raises host.UserError if that cannot be told.
    """
    return pack_marks.holds(place, MARK, place.path(faceset.PAK_NAME))


def forget(place):
    """Take the mark away: nothing is left to be unpacked."""
    pack_marks.remove(place, MARK)


def _check_names(pak, index):
    for config in index.configs:
        if not files.is_image_name(config["filename"]):
            raise faceset.FacesetError("{} holds a file {}, which is no image, so nothing was unpacked. Get the "
                                       "faceset from a source that you trust.".format(pak, ascii(config["filename"])))


def _check_persons(pak, index, targets, ignores_case):
    """Refuse persons whose folder cannot be made: what it would be is a file, there or in the pak, or one of ours."""
    def key(path):
        return path.lower() if ignores_case else path

    paths = {key(target.path) for target in targets}
    for person in sorted({config.get("person_name") for config in index.configs} - {None}):
        path = os.path.join(os.path.dirname(pak), person)
        if key(path) in paths or person.lower() == faceset.PAK_NAME or person.lower().startswith(".packing"):
            raise faceset.FacesetError("{} holds a person {}, which is the name of a file as well, so nothing was "
                                       "unpacked. Get the faceset from a source that you trust.".format(
                                           pak, ascii(person)))
        if os.path.lexists(path) and not os.path.isdir(path):
            raise host.UserError("{} is a file, and the folder of a person in {} has to be there, so nothing was "
                                 "unpacked. Move it to another folder, then start again.".format(path, pak))


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
        targets.append(_Target(number, os.path.join(folder, person or "", chosen), end - begin, False))
    if renamed:
        host.log_info("{:,} faces have the names of others and get new ones, the first: {} -> {}".format(
            len(renamed), *renamed[0]))
    return targets


def _missing(folder, index, targets, goes_on):
    """Return those targets that are not there, and with goes_on (bool) those that a power cut has torn.

    Raises host.UserError if others have another content than the face.
    """
    missing, strange = [], []
    for target in targets:
        if not os.path.lexists(target.path):
            missing.append(target)
        elif not os.path.isfile(target.path):
            strange.append(target.path)
        else:
            content, face = files.read_bytes(target.path), faceset.read_item(index, target.number)
            if content != face and goes_on and not os.path.islink(target.path) and _is_torn(content, face, target.path):
                missing.append(target._replace(replaces=True))
            elif content != face:
                strange.append(target.path)
    if strange:
        raise host.UserError("{:,} files in {} have the names of packed faces and another content, the first is {}, so "
                             "nothing was unpacked. Move them to another folder, then start again.".format(
                                 len(strange), folder, strange[0]))
    return missing


def _is_torn(content, face, path):
    """Tell whether a file is what a power cut left of a face, and not a face that somebody has changed since then.

    Torn are the blocks of the face of which some are zeros or lacking, and whatever is no DFL image.
    """
    for begin in range(0, len(content), _BLOCK):
        block = content[begin:begin + _BLOCK]
        if block != face[begin:begin + len(block)] and block.count(0) != len(block):
            break
    else:
        return True
    try:
        return not dfl_jpeg.parse(content, path).data
    except ValueError:    # no JPEG, or no plain metadata
        return True


def _make_folders(targets):
    for path in sorted({os.path.dirname(target.path) for target in targets}):
        if not os.path.isdir(path):
            os.mkdir(path)


def _write(place, target, data):
    part = place.part_path()
    try:
        _write_new(part, data)
        files.retry_busy(os.replace if target.replaces else compat.rename_no_replace, part, target.path)
    except BaseException:
        files.remove_if_there(part)
        raise


def _write_new(path, data):
    """Write a new file, which reaches the disk when it likes."""
    with open(path, "xb") as stream:
        stream.write(data)


def _sync(targets, written):
    """Bring the content of all files to the disk. written: paths of those that this run has made.

    One by one while they are written it takes half a minute for 1,000 files on a hard disk. Files that are found
    there are brought there as well: a run that was killed may have made them.
    """
    failure = None
    with host.progress(targets, "Syncing", delay=2) as bar:
        for outcome in pools.map_threads(_sync_file, bar, _SYNC_THREADS):
            if outcome.error is not None:
                failure = failure or outcome.error
                if outcome.item.path in written:    # what it reads like now need not be what the disk has
                    files.remove_if_there(outcome.item.path)
    if failure is not None:
        raise failure


def _sync_file(target):
    # Windows syncs only what may be written to. What is write-protected is none of ours, and was there before.
    writable = os.access(target.path, os.W_OK)
    with files.retry_busy(open, target.path, "r+b" if writable else "rb", 0) as stream:
        try:
            os.fsync(stream.fileno())
        except OSError:
            if writable:
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
