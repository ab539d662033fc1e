"""Sort the faces of a folder: stock's fifteen methods, keys, texts and results.

Each method is a function sort_by_X(input_path) -> (img_list, trash_img_list), lists of
[path, value] and [path, reason], as stock's have them; the work is done by
accel.ranking (the kernel of a method is three jumps away: `sort_func_methods`, its
function here, the rank function that it calls), and the files are moved by
accel.renames. Kernels are imported by the method that needs them.
"""
import os

from accel import files, host, renames

DEFAULT_METHOD = 5
DEFAULT_TARGET = 2000

sort_func_methods = {}     # {option of --by: (title in the list, function)}, in the order of their numbers


def method(option, title):
    """Give a function the next number in the list of methods."""
    def register(function):
        sort_func_methods[option] = title, function
        return function
    return register


@method("blur", "blur")
def sort_by_blur(input_path):
    from accel.ranking import sharpness
    return _sorted_lists(input_path, "Sorting by blur...", sharpness.rank_blur)


@method("motion-blur", "motion_blur")
def sort_by_motion_blur(input_path):
    from accel.ranking import sharpness
    return _sorted_lists(input_path, "Sorting by motion blur...", sharpness.rank_motion_blur)


@method("face-yaw", "face yaw direction")
def sort_by_face_yaw(input_path):
    from accel.ranking import metadata
    return _sorted_lists(input_path, "Sorting by face yaw...", metadata.rank_face_yaw)


@method("face-pitch", "face pitch direction")
def sort_by_face_pitch(input_path):
    from accel.ranking import metadata
    return _sorted_lists(input_path, "Sorting by face pitch...", metadata.rank_face_pitch)


@method("face-source-rect-size", "face rect size in source image")
def sort_by_face_source_rect_size(input_path):
    from accel.ranking import metadata
    return _sorted_lists(input_path, "Sorting by face rect size...", metadata.rank_source_rect_size)


@method("hist", "histogram similarity")
def sort_by_hist(input_path):
    from accel.ranking import histogram
    return _lists(input_path, "Sorting by histogram similarity...", histogram.rank_hist)


@method("hist-dissim", "histogram dissimilarity")
def sort_by_hist_dissim(input_path):
    from accel.ranking import dissimilarity
    return _sorted_lists(input_path, "Sorting by histogram dissimilarity...", dissimilarity.rank_hist_dissim)


@method("brightness", "brightness")
def sort_by_brightness(input_path):
    from accel.ranking import pixels
    return _sorted_lists(input_path, "Sorting by brightness...", pixels.rank_brightness)


@method("hue", "hue")
def sort_by_hue(input_path):
    from accel.ranking import pixels
    return _sorted_lists(input_path, "Sorting by hue...", pixels.rank_hue)


@method("black", "amount of black pixels")
def sort_by_black(input_path):
    from accel.ranking import pixels
    return _sorted_lists(input_path, "Sorting by amount of black pixels...", pixels.rank_black)


@method("origname", "original filename")
def sort_by_origname(input_path):
    from accel.ranking import metadata
    return _sorted_lists(input_path, "Sort by original filename...", metadata.rank_origname)


@method("oneface", "one face in image")
def sort_by_oneface_in_image(input_path):
    from accel.ranking import metadata
    img_list, trash_img_list = _lists(input_path, "Sort by one face in images...", metadata.rank_oneface)
    if trash_img_list:
        host.log_info("Found {} images.".format(len(trash_img_list)))
    else:
        host.log_info("Nothing found. Possible recover original filenames first.")
    return img_list, trash_img_list


@method("absdiff", "absolute pixel difference")
def sort_by_absdiff(input_path, similar=None):
    """``similar``: None asks, True or False answers the question beforehand."""
    from accel.ranking import absdiff
    host.log_info("Sorting by absolute difference...")
    if similar is None:
        similar = host.ask_bool("Sort by similar?", True, help_message="Otherwise sort by dissimilar.")
    return _as_lists(absdiff.rank_absdiff(files.image_paths(input_path), similar))


@method("final", "best faces")
def sort_best(input_path, faster=False, target_count=None):
    """``target_count``: None asks, a number answers the question beforehand."""
    from accel.ranking import best
    if target_count is None:
        target_count = host.ask_int("Target number of faces?", DEFAULT_TARGET)
    if target_count < 1:
        raise host.UserError("The target number of faces is {}, which would trash every face. Nothing was changed. "
                             "Ask for at least 1.".format(target_count))
    host.log_info("Performing sort by best faces.")
    if faster:
        host.log_info("Using faster algorithm. Faces will be sorted by source-rect-area instead of blur.")
    return _as_lists(best.rank_best(files.image_paths(input_path), target_count, by_size=faster))


@method("final-fast", "best faces faster")
def sort_best_faster(input_path, target_count=None):
    return sort_best(input_path, faster=True, target_count=target_count)


def main(input_path, sort_by_method=None, target_count=None, similar=None, undo=False, dry_run=False):
    """Sort a folder, undo the last sort of it, or show what a sort would do.

    input_path: Path of the folder. sort_by_method: a key of `sort_func_methods`; None asks.
    target_count, similar: answers to the questions of the best-faces and absdiff methods.
    Raises host.UserError for everything that the user can do something about; nothing has
    changed then.
    """
    host.log_info("Running sort tool.\r\n")
    if not os.path.isdir(str(input_path)):
        raise host.UserError("The folder {} does not exist. Extract faces into it first, or check its name."
                             .format(input_path))
    try:
        if dry_run:
            renames.refuse_unfinished(input_path)
            _sort(input_path, sort_by_method, target_count, similar, dry_run)
            return
        with renames.locked(input_path):
            message = renames.recover(input_path)
            if message is not None:
                host.log_info(message)
            if undo:
                _undo(input_path)
            else:
                _sort(input_path, sort_by_method, target_count, similar, dry_run)
    except renames.RenameError as error:
        raise host.UserError(str(error)) from error


def _sort(input_path, sort_by_method, target_count, similar, dry_run):
    if sort_by_method is None:
        sort_by_method = _ask_method()
    func = sort_func_methods[sort_by_method.lower()][1]
    if not files.image_paths(input_path):
        host.log_info("There are no images in {}.".format(input_path))
        return
    answers = {sort_by_absdiff: {'similar': similar}, sort_best: {'target_count': target_count},
               sort_best_faster: {'target_count': target_count}}
    img_list, trash_img_list = func(input_path, **answers.get(func, {}))
    if not os.path.isdir(str(input_path)):
        raise host.UserError("{} is no longer there. Sort it again where it is now.".format(input_path))
    final_process(input_path, img_list, trash_img_list, dry_run)


def _ask_method():
    host.log_info("Choose sorting method:")
    keys = list(sort_func_methods)
    for number, key in enumerate(keys):
        host.log_info("[{}] {}".format(number, sort_func_methods[key][0]))
    host.log_info("")
    return keys[host.ask_int("", DEFAULT_METHOD, valid_list=list(range(len(keys))))]


def final_process(input_path, img_list, trash_img_list, dry_run=False):
    """Give the files their names in the new order and move the trash away; nothing is deleted."""
    ordered = [entry[0] for entry in img_list]
    trashed = [entry[0] for entry in trash_img_list]
    if not ordered and not trashed:
        return
    if dry_run:
        for old, new in renames.plan_lines(input_path, ordered, trashed):
            host.log_info("{} -> {}".format(old, new))
        host.log_info("Dry run: nothing was changed.")
        return
    result = renames.apply_order(input_path, ordered, trashed, _renaming_bars())
    if result.trashed:
        host.log_info("Trashed {} items to {}".format(result.trashed, result.trash_folder))
    if not ordered:
        host.log_err("No image could be sorted. If this is not the folder of the aligned faces, start sort again with "
                     "--undo: it brings all back.")


def _undo(input_path):
    result = renames.undo(input_path, _renaming_bars())
    host.log_info("Undone: {} files have their earlier names again, {} came back from trash."
                  .format(result.renamed, result.trashed))
    if result.missing:
        host.log_info("{} files of that sort are no longer there.".format(result.missing))


def _renaming_bars():
    """Progress bars for the walks of a renaming; as stock's, only the last one stays on the screen."""
    shown = []

    def open_bar(label, total):
        shown.append(label)
        return host.progress(total=total, desc=label, leave=shown.count("Renaming") == 2)
    return open_bar


def _sorted_lists(input_path, title, rank):
    lists = _lists(input_path, title, rank)
    host.log_info("Sorting...")
    return lists


def _lists(input_path, title, rank):
    host.log_info(title)
    return _as_lists(rank(files.image_paths(input_path)))


def _as_lists(ranking):
    return [list(pair) for pair in ranking.ordered], [list(pair) for pair in ranking.trashed]
