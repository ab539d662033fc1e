"""Deletes the files that are in a faceset.pak.

Only those that are what was packed, then the folders of persons that are empty; stock deletes all images, packed or
not, and whole folders of persons. While it goes on a mark lies in the folder: a deletion that was cut short is ended by
the next packing, which would else replace the pak by one of the few files that are left.
"""
import collections
import os

from .. import compat, faceset, files, host
from ..os_errors import advice, reason

from . import pack_marks
from .packing import pak_path

MARK = pack_marks.DELETES


def delete_originals(place, folder, packed):
    """Delete the files that `packing.pack` has packed (list of Packed), but for those that were changed since.

    place: the entered `packing.workplace`. Raises host.UserError with the number of files that had to stay.
    """
    def is_packed(number):
        about = os.stat(packed[number].path)
        return (about.st_size, about.st_mtime_ns) == (packed[number].size, packed[number].changed)

    persons = collections.OrderedDict.fromkeys(face.person for face in packed if face.person is not None)
    _delete(place, folder, [face.path for face in packed], persons, is_packed)


def is_cut_short(place):
    """Tell whether a deletion of what is in the faceset.pak of this folder was begun and not ended.

    Raises host.UserError if that cannot be told.
    """
    return pack_marks.holds(place, MARK, place.path(faceset.PAK_NAME))


def end_deletion(place, folder):
    """End a deletion that was cut short: delete what is in the faceset.pak with the same name and content.

    Raises host.UserError as `delete_originals`, and faceset.FacesetError.
    """
    index = faceset.read_index(pak_path(folder))

    def is_packed(number):
        begin, end = index.spans[number]
        return os.path.getsize(paths[number]) == end - begin \
            and files.read_bytes(paths[number]) == faceset.read_item(index, number)

    persons = [config.get("person_name") for config in index.configs]
    paths = [os.path.join(os.fspath(folder), person or "", config["filename"])
             for person, config in zip(persons, index.configs)]
    _delete(place, folder, paths, sorted(set(persons) - {None}), is_packed)


def forget(place):
    """Take the mark away: the faces shall be files again."""
    pack_marks.remove(place, MARK)


def _delete(place, folder, paths, persons, is_packed):
    """Delete paths (list of str) for whose numbers is_packed is true, then the empty folders of persons."""
    changed, failed = [], []
    try:
        pack_marks.put(place, MARK, place.path(faceset.PAK_NAME))
    except OSError as error:
        raise host.UserError("The packed files in {} could not be deleted: {}. faceset.pak is good; delete them "
                             "yourself.".format(folder, reason(error))) from error
    for number, path in enumerate(host.progress(paths, "Deleting files")):
        try:
            if is_packed(number):
                files.make_writable(path)
                files.retry_busy(os.remove, path)
            else:
                changed.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            failed.append((path, error))
    for person in host.progress(persons, "Deleting dirs") if persons else ():
        path = os.path.join(os.fspath(folder), person)
        try:
            if os.path.isdir(path):
                os.rmdir(path)
        except OSError:
            host.log_info("unable to remove: {} ".format(path))
    if changed:
        host.log_info("{:,} of the packed files were changed meanwhile and are kept, the first is {}.".format(
            len(changed), changed[0]))
    if failed:
        path, error = failed[0]
        raise host.UserError("{:,} of the packed files could not be deleted, the first is {}: {}. faceset.pak is good. "
                             "{}".format(len(failed), path, error.strerror or error, advice(error)))
    try:
        for above in sorted(set(map(os.path.dirname, paths)) - {place.folder}):
            if os.path.isdir(above):
                compat.fsync_directory(above)
        place.sync()    # a power cut must not bring files back and leave the mark away
    except OSError as error:
        raise host.UserError("The packed files in {} are deleted, but the disk does not confirm it: {}. faceset.pak is "
                             "good; start again.".format(folder, reason(error))) from error
    forget(place)
