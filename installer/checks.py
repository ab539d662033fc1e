"""What --verify says: is the overlay in a tree whole, changed by hand, half installed, or not there?"""
import os

from accel import host
from installer import overlay, packages, plan
from installer import record as records
from installer.overlay import sha256

HALF = {
    records.INSTALLING: "An installation was cut short: {} of {} files are in place. Start install again to complete "
                        "it, or with --uninstall to go back.",
    records.UNINSTALLING: "An uninstallation was cut short: {} of {} files are still in place. Start install again "
                          "with --uninstall to complete it, or without to have the overlay back.",
    records.TESTING: "All files are in place ({} of {}), but the self-test has not passed. Start install again."}


def verify(build, record, found, new):
    """Show what there is. Return whether the overlay is whole and ready.

    found: packages.Found; new: {path: content} of the overlay in this copy.
    """
    if record.state is None:
        return _without_record(build, new)
    problems = _file_problems(build, record)
    if record.state in HALF:
        placed = sum(plan.read(build.tree, path) is not None and sha256(plan.read(build.tree, path)) in entry.ours
                     for path, entry in record.files.items())
        problems.insert(0, HALF[record.state].format(placed, len(record.files)))
    if record.pending is not None:
        problems.append("pip was cut short while it added packages. Start install again to complete it, or with "
                        "--uninstall to go back.")
    problems += _package_problems(build, found)
    for problem in problems:
        host.log_err(problem)
    if not problems:
        host.log_info("Complete: version {}, {} files, each as it was installed; the {} replaced ones are kept in {}."
                      .format(record.version, len(record.files), len(_replaced(record)), build.kept))
    for path, reason in sorted(record.theirs.items()):
        host.log_info("Left as it is: {} ({}).".format(path, reason))
    if record.version != overlay.version():
        host.log_info("This copy of the overlay is version {}; start install to put it there."
                      .format(overlay.version()))
    return not problems


def _without_record(build, new):
    there = [path for path in new if plan.read(build.tree, path) == new[path]]
    if not os.path.isfile(os.path.join(build.tree, "accel", "host.py")):
        host.log_info("The overlay is not installed in {}.".format(build.tree))
    elif len(there) == len(new):
        host.log_info("The overlay was copied by hand into {}: all {} files are there, but the files that it replaced "
                      "were not kept. Start install to have it tested.".format(build.tree, len(new)))
        return True
    else:
        host.log_err("The overlay was copied by hand into {}: {} of the {} files of this version are there. Start "
                     "install to complete it.".format(build.tree, len(there), len(new)))
    return False


def _replaced(record):
    return [path for path, entry in record.files.items() if entry.original is not None]


def _file_problems(build, record):
    changed, missing, damaged = [], [], []
    for path in overlay.in_order(record.files):
        entry, there = record.files[path], plan.read(build.tree, path)
        if record.state in (records.INSTALLED, records.TESTING):
            if there is None:
                missing.append(path)
            elif sha256(there) != entry.ours[-1]:
                changed.append(path)
        if entry.original is not None and not (there is not None and sha256(there) == entry.original.sha256):
            kept = plan.read(build.kept, entry.original.kept)
            if kept is None or sha256(kept) != entry.original.sha256:
                damaged.append(path)
    problems = []
    if missing:
        problems.append("Missing: {}. Start install again to put them there.".format(_some(missing)))
    if changed:
        problems.append("Changed since the installation: {}. Start install again to have the overlay's files; what is "
                        "there now is kept.".format(_some(changed)))
    if damaged:
        problems.append("The kept originals are damaged or gone: {}. Uninstalling will not work; copy these files from "
                        "a DeepFaceLab of the same version into {}.".format(
                            _some(damaged), os.path.join(build.kept, "files")))
    return problems


def _package_problems(build, found):
    wrong = [(package, found.imports[module][1]) for module, package in packages.NEEDED.items()
             if found.imports[module][0] is None]
    return ["The Python package {} {} in {}. Start install again to mend it.".format(
        package, "does not work ({})".format(reason) if reason else "is missing", build.python)
        for package, reason in wrong]


def _some(paths, most=6):
    more = "" if len(paths) <= most else " and {} more".format(len(paths) - most)
    return ", ".join(paths[:most]) + more
