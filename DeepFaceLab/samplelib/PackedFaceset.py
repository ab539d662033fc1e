"""faceset.pak: all faces of a folder in one file. Stock's class, over `accel.training`.

Used by `main.py util --pack-faceset` and `--unpack-faceset`, and by whatever loads samples.
"""
import os
from pathlib import Path

from accel import faceset, host
from accel.training import packed_files, packing, unpacking

packed_faceset_filename = faceset.PAK_NAME


class PackedFaceset():
    VERSION = faceset.VERSION

    @staticmethod
    def pack(samples_path, as_persons=None, delete_originals=None):
        """Pack the faces of a folder; ask first whether its folders are persons, last whether to delete the files.

        samples_path: pathlib path. as_persons, delete_originals: the answers (bool), None to ask. Raises
        host.UserError for what the user can mend.
        """
        folder = _existing(samples_path)
        with packing.workplace(folder) as place:
            if packed_files.is_cut_short(place):
                host.log_info("An earlier packing was cut short while it deleted the files that are in {}: they are "
                              "deleted now.".format(folder / packed_faceset_filename))
                packed_files.end_deletion(place, folder)
                host.log_info("The earlier packing is complete. Start again to pack other files.")
                return
            if unpacking.is_cut_short(place):
                host.log_info("{} was not unpacked to the end: this is done first.".format(
                    folder / packed_faceset_filename))
                unpacking.unpack(place, folder)
            if _is_all_packed(folder):
                return
            _ask_to_overwrite(folder)
            persons = _persons(folder, as_persons)
            packed = packing.pack(place, folder, packing.images_of(folder, persons))
            if delete_originals is None:
                delete_originals = host.ask_bool("Delete original files?", True)
            if delete_originals:
                packed_files.delete_originals(place, folder, packed)

    @staticmethod
    def unpack(samples_path):
        """Make files of a faceset.pak again and delete it. Raises host.UserError for what the user can mend."""
        if not PackedFaceset.path_contains(samples_path):
            host.log_info("{} : file not found.".format(Path(samples_path) / packed_faceset_filename))
            _tidy(Path(samples_path))
            return
        with packing.workplace(samples_path) as place:
            unpacking.unpack(place, samples_path)

    @staticmethod
    def path_contains(samples_path):
        """Tell whether a folder has a faceset.pak."""
        return (Path(samples_path) / packed_faceset_filename).exists()

    @staticmethod
    def load(samples_path):
        """Return the faces (list of Sample) in the faceset.pak of a folder, None without one.

        Raises faceset.FacesetError for one that is damaged or refused.
        """
        if not PackedFaceset.path_contains(samples_path):
            return None
        from samplelib.Sample import Sample
        index = faceset.read_index(Path(samples_path) / packed_faceset_filename)
        samples = []
        for config, (begin, end) in zip(index.configs, index.spans):
            sample = Sample(**config)
            sample.set_filename_offset_size(index.path, begin, end - begin)
            samples.append(sample)
        return samples


def _existing(samples_path):
    folder = Path(samples_path)
    if not folder.is_dir():
        raise host.UserError("Input directory not found. Please ensure it exists: {} (option --input-dir).".format(
            folder))
    return folder


def _tidy(folder):
    """Remove what a run that was cut short has left in a folder without a faceset.pak; a large part of one, maybe."""
    if folder.is_dir():
        try:
            with packing.workplace(folder) as place:
                packed_files.forget(place)
                unpacking.forget(place)
        except host.UserError:
            pass   # another packing is at work there, or nobody may write


def _is_all_packed(folder):
    """Tell, also the user, whether a folder has a good faceset.pak and no image beside it."""
    if not PackedFaceset.path_contains(folder) or packing.images_of(folder) or packing.images_of(
            folder, _subfolders(folder)):
        return False
    try:
        faces = len(faceset.read_index(folder / packed_faceset_filename).configs)
    except (host.UserError, OSError):
        return False    # what then is asked says why
    host.log_info("{} is packed already: its faceset.pak has {:,} faces, and there is no image beside it.".format(
        folder, faces))
    return True


def _ask_to_overwrite(folder):
    """Wait for Enter if there is a faceset.pak; say how many of its faces are nowhere else in the folder.

    Raises host.UserError where nobody can be asked and some would be lost.
    """
    if not PackedFaceset.path_contains(folder):
        return
    host.log_info("{} : file already exists !".format(folder / packed_faceset_filename))
    warning, refusal = _what_would_be_lost(folder)
    if refusal and host.is_unattended():
        raise host.UserError(refusal)
    if warning:
        host.log_info(warning)
    answered = host.wait_for_enter("Press enter to continue and overwrite.")
    if refusal and not answered:
        raise host.UserError(refusal)


def _what_would_be_lost(folder):
    """Return what to say of a faceset.pak to whoever is asked, and where nobody is; None, None if nothing is lost."""
    pak = folder / packed_faceset_filename
    found = packing.images_of(folder) + packing.images_of(folder, _subfolders(folder))
    try:
        missing, faces = packing.missing_from(folder, found)
    except (host.UserError, OSError) as error:
        return ("It cannot be read, and what is in it is lost if you go on: move it away first to keep it. ({})".format(
            error), "{} cannot be read, and what is in it would be lost. Move it away, then start again.".format(pak))
    if not missing:
        return None, None
    return ("{:,} of its {:,} faces are not among the images of this folder: they are lost if you go on. Unpack it "
            "first to keep them.".format(missing, faces),
            "{:,} of its {:,} faces are not among the images of {}, and would be lost. Unpack it first, or move it "
            "away, then start again.".format(missing, faces, folder))


def _persons(folder, answer):
    """Return the names of the subfolders if they are persons, else None. answer: bool, None to ask."""
    names = _subfolders(folder)
    if names and answer is None:
        answer = host.ask_bool("{} subdirectories found, process as person faceset?".format(len(names)), True)
    return names if names and answer else None


def _subfolders(folder):
    with os.scandir(str(folder)) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())
