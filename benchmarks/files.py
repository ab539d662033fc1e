"""What all inputs of benchmarks do with files: list pictures, give a file a second name."""
import os
import shutil

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


def image_names(folder):
    """The names of the pictures in a folder (sorted list of str), none if it is not there."""
    if not os.path.isdir(folder):
        return []
    return sorted(entry.name for entry in os.scandir(folder)
                  if entry.is_file() and entry.name.lower().endswith(IMAGE_SUFFIXES))


def give_second_name(path, target):
    """Link a file, or copy it where that is impossible or it has too many names already. Raises OSError."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
