"""The command line of install.py: what is found, what will be done, and the phases in their order."""
import argparse
import collections
import os
import subprocess
import sys
import traceback

from accel import compat, host
from installer import build as builds
from installer import changes, checks, overlay, packages, plan, versions
from installer import record as records
from installer.overlay import ROOT

SELF_TEST = os.path.join(ROOT, "installer", "self_test.py")
PACKAGES_MISSING = 3           # the self-test's exit code when a package is not there
INTERRUPTED = 130
SHOWN = 6                      # names in a list before "and N more"

Site = collections.namedtuple("Site", "build record found new plan manifest")
Site.__doc__ = """All that is known before anything is done: Build, Record, packages.Found, {path: content} of the
overlay, Plan, and the text of the manifest at that time."""


def main(words=None):
    """Run one command line. Return the exit code: 0 fine, 1 failed, 2 wrong words, 130 interrupted."""
    compat.make_console_safe()
    arguments = parse(words)
    host.set_unattended(arguments.yes)
    try:
        return tell_errors(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)        # nobody reads any more (`| head`)
        return 1


def tell_errors(arguments):
    """Do what was asked; of what goes wrong show one sentence. Return the exit code."""
    try:
        return run(arguments)
    except host.UserError as error:
        host.log_err(str(error))
    except KeyboardInterrupt:
        host.log_info("\nStopped by Ctrl-C. Start the same command again to go on.")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        host.log_err("{}. {}".format(changes.reason(error), changes.advice(error)))
        if os.environ.get("DFL_DEBUG") == "1":
            traceback.print_exc()
    return 1


def parse(words):
    parser = argparse.ArgumentParser(
        prog="install", description="Put the accelerating overlay onto a DeepFaceLab, check it, or take it off.")
    parser.add_argument("path", nargs="?", metavar="PATH",
                        help="DeepFaceLab's folder: its root, _internal, or the folder of main.py")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done and change nothing")
    parser.add_argument("--no-pip", action="store_true", help="neither install nor remove Python packages")
    parser.add_argument("--force", action="store_true", help="replace a fork's own files, too")
    parser.add_argument("--wheels", metavar="DIR", help="take packages from this folder, not from the network")
    parser.add_argument("--python", metavar="EXE", help="the Python that runs DeepFaceLab, if another than found")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--verify", action="store_true", help="say whether the overlay is complete")
    what.add_argument("--uninstall", action="store_true", help="put every replaced file back")
    return parser.parse_args(words)


def run(arguments):
    """Do what was asked. Return the exit code."""
    site = survey(arguments)
    if arguments.verify:
        return 0 if checks.verify(site.build, site.record, site.found, site.new) else 1
    if arguments.uninstall:
        return uninstall(site, arguments)
    if site.record.state == records.INSTALLED and not arguments.dry_run:
        answer = _ask_what_now()
        if answer == 1:
            return 0 if checks.verify(site.build, site.record, site.found, site.new) else 1
        if answer == 2:
            return uninstall(site, arguments)
    return install(site, arguments)


def _ask_what_now():
    host.log_info("The overlay is installed here.\n[0] install it again\n[1] verify it\n[2] uninstall it\n")
    return host.ask_int("", 0, valid_list=[0, 1, 2])


# --- looking ---------------------------------------------------------------------------------

def survey(arguments):
    """Find everything out and show it. Return the Site."""
    new = overlay.load()
    build = builds.find(_given_path(arguments), _named_by_caller(arguments.python))
    record = records.Record.load(build.kept)
    found = probed(build, arguments.uninstall)
    steps = plan.make(build, new, record, versions.Known.load(), arguments.force or arguments.uninstall)
    names = {"numpy": "numpy", "cv2": "OpenCV", "numba": "numba"}
    have = ["{} {}".format(names[module], found.imports[module][0] or "missing") for module in sorted(
        names, key=list(packages.NEEDED).index)]
    have.insert(2, "TensorFlow {}".format(packages.tensorflow(found) or "missing"))
    ffmpeg = build.ffmpeg and builds.ffmpeg_version(build.ffmpeg)
    host.log_info("DeepFaceLab  {}".format(build.tree))
    host.log_info("             {}".format(steps.version.text))
    host.log_info("Python       {} ({}.{}.{}, {})".format(build.python, *found.version + (build.python_from,)))
    host.log_info("Packages     {}".format(", ".join(have)))
    host.log_info("ffmpeg       {}".format("{} ({})".format(build.ffmpeg, ffmpeg) if ffmpeg else (
        'not found; the video steps need one: "{}" -m pip install imageio-ffmpeg{}'.format(
            build.python, "" if found.version >= (3, 7) else "==0.4.9"))))
    host.log_info("Overlay      {}\n".format(_state_words(record)))
    return Site(build, record, found, new, steps, record.text())


def probed(build, may_fail):
    """Return packages.Found of a Build's Python. may_fail: nothing is known of one that does not run."""
    try:
        return packages.probe(build.python)
    except host.UserError as error:
        if not may_fail:
            raise
        host.log_err(str(error))
        return packages.Found((0, 0, 0), 0, {}, {module: (None, None) for module in packages.NEEDED})


def _given_path(arguments):
    """The path to look at: the word given, else this copy's own place, else what is typed."""
    if arguments.path is not None:
        return arguments.path
    try:
        return builds.find_tree(os.path.dirname(ROOT))       # unpacked into the folder of a build
    except host.UserError:
        answer = host.ask_str("Folder of your DeepFaceLab", None)
    if not answer:
        raise host.UserError("Say which DeepFaceLab: give its folder after install.py, or unpack this folder into it.")
    return answer.strip().strip("\"'")


def _from_caller(path):
    """A path as the user meant it: install.bat changes the folder, and tells in which it was called."""
    return path and os.path.abspath(os.path.join(os.environ.get("DFL_ACCEL_CALLER", ""), path))


def _named_by_caller(program):
    """A program as the user meant it: a plain name is looked for in PATH."""
    return _from_caller(program) if program and os.path.dirname(program) else program


def _state_words(record):
    return {None: "not installed", records.INSTALLED: "version {} is installed", records.TESTING:
            "version {} is in place, its self-test has not passed", records.INSTALLING:
            "version {} is half installed", records.UNINSTALLING: "version {} is half uninstalled"}[
                record.state].format(record.version)


# --- installing ------------------------------------------------------------------------------

def install(site, arguments):
    """Show the plan, ask, and carry it out. Return the exit code."""
    wanted = [] if arguments.no_pip else packages.missing(site.found) + packages.missing_wishes(site.found)
    show_plan(site, wanted)
    code = declined(arguments, "Install the overlay?")
    if code is not None:
        return code
    build, record = site.build, site.record
    with changes.locked(build):
        refuse_other_state(site)
        settle_packages(build, record)
        found = install_packages(site, _from_caller(arguments.wheels)) if wanted else site.found
        worked_before = record.state == records.INSTALLED
        record.version, record.found = overlay.version(), site.plan.version.text
        say_phase(2, "Copying files")
        show_aside(changes.install(build, record, site.plan, site.new))
        say_phase(3, "Compiling and testing with DeepFaceLab's own Python (about a minute)")
        code = self_test(build)
        if code not in (0, PACKAGES_MISSING):
            undo_failed(build, record, worked_before, arguments.no_pip)
        changes.finish(build, record)
    show_end(site, found, code)
    return 0


def refuse_other_state(site):
    """Raise host.UserError if another installer has been at work since the plan was made and shown."""
    if records.Record.load(site.build.kept).text() != site.manifest:
        raise host.UserError("Another installation has just changed {}. Start again to see how it is now."
                             .format(site.build.tree))


def undo_failed(build, record, worked_before, no_pip):
    """Take off what has failed its test, unless it was installed and well before. Raises host.UserError."""
    if worked_before:
        raise host.UserError("The self-test has not passed; what failed stands above. The files are in place: start "
                             "install again, or give it the word --uninstall to go back to DeepFaceLab's own.")
    host.log_err("The self-test failed, so the overlay is taken off again.")
    take_off(build, record, no_pip)
    raise host.UserError("The overlay does not work with this DeepFaceLab and Python: what failed stands above. "
                         "Everything is as it was before.")


def show_plan(site, wanted):
    """Say in few lines what will be done. wanted: names of packages that pip is to add."""
    steps = site.plan
    add, replace = steps.paths(plan.ADD), steps.paths(plan.REPLACE)
    same = steps.paths(plan.SAME)
    if add or replace:
        host.log_info("To do: add {} files, replace {}{}; the replaced ones are kept in {}.".format(
            len(add), len(replace), " ({})".format(_some(replace)) if replace else "", site.build.kept))
    if same:
        host.log_info("{} files are in place already.".format(len(same)))
    if wanted:
        host.log_info("To do: install {} into that Python; nothing that it has is changed.".format(", ".join(wanted)))
    if site.plan.foreign:
        host.log_info("This DeepFaceLab is not stock; of the files that the overlay has, these are its own: {}.".format(
            ", ".join(steps.foreign)))
    for step in steps.steps:
        if step.action == plan.THEIRS:
            host.log_info("{} stays as it is: {}. (--force replaces it, too.)".format(step.path, step.reason))
    if site.record.state is None and same and not add:
        host.log_info("The overlay was copied into this tree by hand: what it replaced is not known, and uninstalling "
                      "can only give back what is there now.")


def install_packages(site, wheels):
    """Let pip add the packages; what it adds is recorded, also if this is killed. Return Found afterwards."""
    build, record = site.build, site.record
    say_phase(1, "Installing {}".format(", ".join(packages.missing(site.found) + packages.missing_wishes(site.found))))
    record.pending = records.python_key(build), sorted(site.found.packages)
    if record.state is None:
        record.state, record.version = records.INSTALLING, overlay.version()
    record.save(build.kept)
    try:
        found = packages.install(build.python, site.found, wheels)
    except host.UserError:
        record.pending = None
        if record.files or record.packages:
            record.save(build.kept)
        else:
            changes.discard(build)
        raise
    remember_packages(record, packages.added(record.pending[1], found))
    record.save(build.kept)
    return found


def remember_packages(record, added):
    """Write down what pip has added to the Python that it was at work on."""
    python, _ = record.pending
    if added:
        record.packages.setdefault(python, {}).update(added)
    record.pending = None


def settle_packages(build, record):
    """If pip was cut short at its work, find out what it has added."""
    if record.pending is None:
        return
    python, names = record.pending
    try:
        found = packages.probe(records.python_path(build, python))
    except host.UserError:
        record.pending = None            # that Python is gone, and all that was added to it
        return
    remember_packages(record, packages.brought_by_us(names, found))


def self_test(build):
    """Run the self-test on the tree; its words go to the screen. Return its exit code."""
    sys.stdout.flush()
    return subprocess.call([build.python, SELF_TEST, build.tree], stdin=subprocess.DEVNULL,
                           env=packages.environment())


def show_end(site, found, code):
    if code == PACKAGES_MISSING:
        host.log_err("Installed, but {} is missing in {}: some steps will not run. Start install again without "
                     "--no-pip.".format(", ".join(packages.missing(found)), site.build.python))
    else:
        host.log_info("Installed and tested. Start the numbered .bat or .sh files as always.")
    host.log_info("To go back, start install again and choose \"uninstall\", or give it the word --uninstall.")


# --- uninstalling ----------------------------------------------------------------------------

def uninstall(site, arguments):
    """Ask, then put everything back. Return the exit code."""
    build, record = site.build, site.record
    if record.state is None and not os.path.isdir(build.kept):
        raise host.UserError("No overlay that install has put there was found in {}.".format(build.tree))
    replaced = [path for path, entry in record.files.items() if entry.original is not None]
    host.log_info("To do: put {} files back, remove {} that were added.".format(
        len(replaced), len(record.files) - len(replaced)))
    settle_packages(build, record)
    if record.packages and not arguments.no_pip:
        host.log_info("To do: remove the packages that were installed with it: {}.".format(
            ", ".join(sorted({name for added in record.packages.values() for name in added}))))
    code = declined(arguments, "Uninstall the overlay?")
    if code is not None:
        return code
    with changes.locked(build):
        refuse_other_state(site)
        left = take_off(build, record, arguments.no_pip)
    if record.state is None:
        host.log_info("There is no record of an installation, so nothing was put back.")
        return 1 if left else 0
    host.log_info("Uninstalled. The files named above are not those from before; these are kept." if left else
                  "Uninstalled: DeepFaceLab's own files are in place, as they were.")
    return 0


def take_off(build, record, no_pip):
    """Put the files back, remove the packages that came with them, then what was kept.

    Returns the kept files that are not in the tree, for instance as a newer DeepFaceLab was copied over it.
    """
    show_aside(changes.uninstall(build, record))
    for python, added in sorted(record.packages.items()) if not no_pip else ():
        try:
            left = packages.remove(records.python_path(build, python), added)
        except host.UserError as error:
            host.log_err("The packages that came with the overlay stay, and do no harm. {}".format(error))
            continue
        if left:
            host.log_err("These packages could not be removed, and do no harm: {}.".format(", ".join(left)))
    kept = changes.discard(build)
    for path in kept:
        host.log_info("Not in the tree, so still kept: {}".format(path))
    return kept


# --- words -----------------------------------------------------------------------------------

def declined(arguments, question):
    """Return the exit code if nothing shall be done (a dry run, or the answer is no), else None."""
    if arguments.dry_run:
        host.log_info("Dry run: nothing was changed.")
        return 0
    if not host.ask_bool(question, True):
        host.log_info("Nothing was changed.")
        return 1
    return None


def say_phase(number, text):
    host.log_info("[{}/3] {}".format(number, text))
    sys.stdout.flush()


def show_aside(paths):
    for path in paths:
        host.log_info("A file that was edited by hand is kept as {}".format(path))


def _some(paths):
    return ", ".join(paths[:SHOWN]) + (" and {} more".format(len(paths) - SHOWN) if len(paths) > SHOWN else "")
