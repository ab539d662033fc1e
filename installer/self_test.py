"""Does an installed DeepFaceLab sort as it should?  python installer/self_test.py TREE [--kernels-only]

To be run by the Python that runs DeepFaceLab. TREE is the installed folder (the one of main.py), whose own modules
are used; this release lends its faces (benchmarks) and its oracles (tests/naive). Compiles all kernels, sorts
faces in a temporary folder by every method, and compares. Nothing of the user is touched.

Exit code: 0 all is well, 1 something is wrong, 2 wrong words, 3 numba cannot be imported, 130 Ctrl-C.
"""
import argparse
import errno
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
if __name__ == "__main__":
    sys.path[:] = [ROOT] + [folder for folder in sys.path if os.path.abspath(folder or os.curdir) != HERE]

from installer import self_test_report  # noqa: E402

WELL, WRONG, NO_NUMBA, INTERRUPTED = 0, 1, 3, 130
PARTS = ("sort", "merge", "training")       # kernels that have nothing in common
# Names of temporary folders: DeepFaceLab's users have such, and a system without these letters takes the second.
PLACES = ("проверка лиц ", "self test ")


def main(words=None):
    """Run the test of one tree. Return the exit code."""
    arguments = parse(words)
    report = self_test_report.Report(arguments.details)
    os.environ.pop("NUMBA_DISABLE_JIT", None)     # would turn the kernels into slow loops
    place = None
    try:
        sys.path[:0] = [arguments.tree, ROOT, os.path.join(ROOT, "tests")]
        if arguments.place is not None:
            return compile_kernels(arguments, report, arguments.place)
        place = make_place()
        if arguments.kernels_only:
            return compile_kernels(arguments, report, place)
        return test_tree(arguments, report, place)
    except KeyboardInterrupt:
        report.say("Stopped by Ctrl-C.")
        return INTERRUPTED
    except OSError as error:
        advice = "The disk is full: make room" if error.errno == errno.ENOSPC else "Make it writable"
        report.fail("The test cannot work in {}: {}. {}, or name another folder in the environment variable TEMP "
                    "(Linux: TMPDIR).".format(tempfile.gettempdir(), error.strerror or error, advice))
        return WRONG
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)


def parse(words):
    parser = argparse.ArgumentParser(description="Test an installed tree: kernels, sorts, faces, command line.")
    parser.add_argument("tree", metavar="TREE", help="the installed DeepFaceLab folder (the one of main.py)")
    parser.add_argument("--kernels-only", action="store_true", help="only compile the kernels")
    parser.add_argument("--details", metavar="FILE", help="add tracebacks and outputs of failures to this file")
    parser.add_argument("--place", metavar="FOLDER", help=argparse.SUPPRESS)     # with --kernels-only: work there
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)         # and compile only this
    arguments = parser.parse_args(words)
    arguments.tree = os.path.abspath(arguments.tree)
    if not os.path.isfile(os.path.join(arguments.tree, "mainscripts", "Sorter.py")):
        parser.error("{} is no DeepFaceLab folder: it holds no mainscripts/Sorter.py".format(arguments.tree))
    if arguments.details is not None:
        arguments.details = os.path.abspath(arguments.details)
    return arguments


def make_place():
    """Return the path of a new temporary folder with a space and, if the system can, other letters in its name."""
    for prefix in PLACES[:-1]:
        try:
            return tempfile.mkdtemp(prefix=prefix)
        except (UnicodeError, OSError):
            pass
    return tempfile.mkdtemp(prefix=PLACES[-1])


# --- what can be tested ----------------------------------------------------------------------

def sorter_is_ours(tree):
    """Tell whether the tree's Sorter is the overlay's (or made from it): a fork's own knows no accel."""
    with open(os.path.join(tree, "mainscripts", "Sorter.py"), encoding="utf-8", errors="replace") as file:
        return re.search(r"^\s*(from|import) accel\b", file.read(), re.MULTILINE) is not None


def missing_package():
    """Return (name, error) of a package that the sorts need and that cannot be imported, or None."""
    for name in ("numpy", "cv2", "tqdm", "numba"):
        try:
            importlib.import_module(name)
        except Exception as error:     # a numba that does not fit to numpy fails in many ways
            return name, error
    return None


def tell_missing(report, name, error):
    """Say which package is missing and what cannot run. Return the exit code."""
    from installer import self_test_kernels as kernels
    told = "The Python package {} cannot be imported ({})".format(name, self_test_report.in_one_line(error))
    if name != "numba":
        report.fail("{}: no sort can run. Is {} the Python that runs DeepFaceLab?".format(told, sys.executable))
        return WRONG
    report.fail("{}: sorting by {} cannot run, nor can {} on many faces. Install again: the installation adds "
                "the numba that fits.".format(told, ", ".join(kernels.NEED_NUMBA),
                                              ", ".join(kernels.NEED_NUMBA_FOR_MANY)))
    return NO_NUMBA


# --- the test --------------------------------------------------------------------------------

def compile_kernels(arguments, report, place):
    """Compile all kernels in this process, or those of one part. Return the exit code."""
    if not sorter_is_ours(arguments.tree):
        report.say("The tree keeps a Sorter of its own, which needs no kernels: nothing to compile.")
        return WELL
    missing = missing_package()
    if missing is not None:
        return tell_missing(report, *missing)
    from installer import self_test_kernels, self_test_merge, self_test_training
    started = time.time()
    if arguments.part in (None, "sort"):
        self_test_kernels.compile_all(report, place)
    if arguments.part in (None, "merge"):
        self_test_merge.compile_merge(report)
    if arguments.part in (None, "training"):
        self_test_training.compile_training(report)
    if report.failures:
        return WRONG
    if arguments.part is None:
        report.say("Compiled ({:.0f} s).".format(time.time() - started))
    return WELL


def test_tree(arguments, report, place):
    """Run everything. Return the exit code."""
    from installer import self_test_checks as checks, self_test_merge
    started = time.time()
    ours = sorter_is_ours(arguments.tree)
    missing = missing_package()
    if missing is not None and (ours or missing[0] != "numba"):
        return tell_missing(report, *missing)
    if ours and not compile_in_children(arguments, report, place):
        return WRONG
    if not report.check("Making faces", checks.make_facesets, place):
        return WRONG
    number, wanted = 5, None
    if ours:
        number, wanted = test_sorts(report, place)
    else:
        report.say("The tree keeps a Sorter of its own: the orders that it gives are not checked.")
    mixed = os.path.join(place, "mixed")
    report.check("Reading and saving a face", checks.check_face, mixed, os.path.join(place, "face"))
    report.check("Starting main.py as the .bat files do, method {}".format(number), checks.check_command,
                 arguments.tree, mixed, os.path.join(place, "command"), number, wanted)
    if ours:
        report.check("Merging a frame", self_test_merge.check_merge, os.path.join(place, "merged"))
    if ours:
        tell_uncached(report, arguments.tree)
    if report.failures:
        report.say("Checks that failed: {}.".format(report.failures))
        return WRONG
    report.say("All is well ({:.0f} s).".format(time.time() - started))
    return WELL


def compile_in_children(arguments, report, place):
    """Compile all kernels, the parts side by side, in processes of their own: this one then finds what a sort finds.

    Return whether it went well; the children have said what went wrong.
    """
    started, children = time.time(), []
    parts = [None] if has_kernels(arguments.tree) else PARTS    # what is compiled is found by one start
    try:
        for part in parts:
            folder = os.path.join(place, "kernels of {}".format(part))    # in ours: it goes even if the child is killed
            os.mkdir(folder)
            command = [sys.executable, os.path.abspath(__file__), arguments.tree, "--kernels-only", "--place", folder]
            if part is not None:
                command += ["--part", part]
            if arguments.details is not None:
                command += ["--details", arguments.details]
            children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        codes = [child.wait() for child in children]
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
    for code in codes:
        if code not in (WELL, WRONG):
            report.fail("Compiling: FAILED (it ended with code {})".format(code))
    if not any(codes) and parts is PARTS:
        report.say("Compiled ({:.0f} s).".format(time.time() - started))
    return not any(codes)


def has_kernels(tree):
    """Tell whether kernels have been compiled before, beside a tree's modules or where NUMBA_CACHE_DIR says (bool)."""
    return any(name.endswith(".nbc") for top in (os.path.join(tree, "accel"), os.environ.get("NUMBA_CACHE_DIR")) if top
               for _, _, names in os.walk(top) for name in names)


def test_sorts(report, place):
    """Check the sorts by every method. Return the number of the method to type, and what the oracle makes of it."""
    from installer import self_test_checks as checks
    from mainscripts import Sorter
    methods = list(Sorter.sort_func_methods)
    for index, check in enumerate(checks.sort_checks(methods)):
        title = "Sorting by {}{}".format(Sorter.sort_func_methods[check.method][0], check.like)
        report.check(title, checks.check_sort, check, os.path.join(place, check.folder),
                     os.path.join(place, "sort {}".format(index)))
    typed, = checks.sort_checks([checks.TYPED_METHOD])
    return methods.index(checks.TYPED_METHOD), checks.expected(typed, os.path.join(place, typed.folder))


def tell_uncached(report, tree):
    """Say it if the sorts of this process had to compile what had been compiled before."""
    from installer import self_test_kernels as kernels
    names = kernels.compiled_here()
    if names:
        report.say("Note: compiled kernels cannot be kept on this disk, so each sort compiles for some seconds. "
                   "Make the folder {} writable and install again.".format(tree))
        report.add_details("Compiled again: " + ", ".join(names))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)     # so that the temporary folder goes
    sys.exit(main())
