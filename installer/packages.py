"""What a Python has, and how it gets what the overlay needs without losing anything that it has."""
import collections
import json
import operator
import os
import re
import subprocess
import tempfile

from accel import host
from installer.overlay import ROOT

# Import name -> package name of what the overlay needs; each must import.
NEEDED = collections.OrderedDict([
    ("numpy", "numpy"), ("cv2", "opencv-python"), ("tqdm", "tqdm"), ("numba", "numba")])
# What JPGs and single settings of a merge are better with; pip is asked for it, and all goes on without it.
WISHED = collections.OrderedDict([("PIL", "pillow"), ("simplejpeg", "simplejpeg")])
# Those, and what they need on one Python or another.
BROUGHT = set(NEEDED.values()) | set(WISHED.values()) | {
    "llvmlite", "colorama", "setuptools", "importlib-metadata", "importlib-resources", "typing-extensions", "zipp"}
LAST_NUMPY_OF_PINNED_NUMBA = (1, 20)
NETWORK_WORDS = r"connect|timed? ?out|retries|proxy|ssl|resolve host|no matching distribution|could not find a version"

# Run by the other Python, 3.6 or newer: prints one line of JSON.
PROBE = r"""
import json, os, re, struct, sys
packages = {}
for folder in sys.path:
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        # what begins with "~" is left from a removal that was cut short
        match = re.match(r"([A-Za-z0-9][^-]*(?:-[^-\d][^-]*)*)-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info$", name)
        if match:
            packages.setdefault(re.sub(r"[-_.]+", "-", match.group(1)).lower(), match.group(2))
imports = {}
for name in sys.argv[1:]:
    try:
        module = __import__(name)
        if not hasattr(module, "__version__"):
            raise ImportError("it is not whole")
        imports[name] = [module.__version__, None]
    except Exception as error:
        missing = isinstance(error, ImportError) and getattr(error, "name", None) == name
        imports[name] = [None, None if missing else "{}: {}".format(type(error).__name__, error)[:300]]
print("\nPROBED " + json.dumps([list(sys.version_info[:3]), 8 * struct.calcsize("P"), packages, imports]))
"""

Found = collections.namedtuple("Found", "version bits packages imports")
Found.__doc__ = """What a Python has. version: (3, 6, 8); bits: 32 or 64; packages: {name in lower case, with
hyphens: version}; imports: {import name: (version or None, what is wrong with it or None)}."""


PATIENCE_SECONDS = 300     # it imports OpenCV and numba, from a slow disk perhaps


def probe(python):
    """Return what a Python has (Found). Raises host.UserError if it does not run or is too old."""
    try:
        run = subprocess.run([python, "-c", PROBE] + list(NEEDED) + list(WISHED), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                             timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise host.UserError("{} gives no answer. Give --python the Python that runs DeepFaceLab.".format(
            python)) from error
    except OSError as error:
        raise host.UserError("{} does not start: {}. Give --python the Python that runs DeepFaceLab.".format(
            python, error.strerror)) from error
    match = re.search(r"^PROBED (.*)$", run.stdout.decode("utf-8", "replace"), re.MULTILINE)
    if match is None:
        raise host.UserError("{} is no Python 3.6 or newer that works: {} Give --python the one that runs DeepFaceLab."
                             .format(python, last_words(run.stderr)))
    version, bits, packages, imports = json.loads(match.group(1))
    if tuple(version) < (3, 6):
        raise host.UserError("{} is Python {}.{}.{}; DeepFaceLab and this overlay need 3.6 or newer.".format(
            python, *version))
    return Found(tuple(version), bits, packages, {name: tuple(pair) for name, pair in imports.items()})


def environment():
    """Return the variables for another Python: none that would make it use the libraries of this one."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}


def last_words(output):
    """Return the last line of a program's error output (bytes -> str)."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else "it printed nothing."


def tensorflow(found):
    """Return the version of whichever TensorFlow package there is (str), or None."""
    names = [name for name in ("tensorflow", "tensorflow-gpu", "tensorflow-cpu", "tensorflow-directml")
             if name in found.packages]
    return found.packages[names[0]] if names else None


def missing(found):
    """Return the names of the packages that are needed and do not import (list of str)."""
    return [package for module, package in NEEDED.items() if found.imports[module][0] is None]


def missing_wishes(found, path=os.path.join(ROOT, "requirements.txt")):
    """Return the names of the packages that are wished for on this Python and do not import (list of str)."""
    lines = _lines(path)
    return [package for module, package in WISHED.items()
            if found.imports.get(module, (None, None))[0] is None
            and any(is_for(line, found.version) for line in _of_package(lines, package))]


# --- what to ask pip for ---------------------------------------------------------------------

def requirements(found, path=os.path.join(ROOT, "requirements.txt")):
    """Return what pip has to install (list of str), from requirements.txt; empty when all is there.

    Lines for other Pythons are handed on with their markers: pip knows which to take.
    """
    lines = _lines(path)
    wanted = []
    for package in missing(found):
        wanted += _of_package(lines, package)
    numpy = found.imports["numpy"][0]
    if numpy and (found.version >= (3, 10) or numbers(numpy) > LAST_NUMPY_OF_PINNED_NUMBA):
        # The numpy that is there stays. The pinned numba refuses it; later ones say which numpy they take, so
        # that pip finds the newest that fits.
        wanted = ["numba>=0.54" if line.startswith("numba") else line for line in wanted]
    return sorted(set(wanted), key=wanted.index)


def wishes(package, path=os.path.join(ROOT, "requirements.txt")):
    """Return the lines of requirements.txt (list of str) for a package that is wished for."""
    return _of_package(_lines(path), package)


def is_for(line, version):
    """Tell whether a line of requirements.txt is for a Python, e.g. (3, 6, 8): its marker asks for nothing else."""
    signs = {"<": operator.lt, ">=": operator.ge}
    return all(signs[sign](tuple(version[:2]), (int(major), int(minor)))
               for sign, major, minor in re.findall(r'python_version (<|>=) "(\d+)\.(\d+)"', line))


def _lines(path):
    with open(path, encoding="utf-8") as stream:
        return [line.strip() for line in stream if line.strip() and not line.startswith("#")]


def _of_package(lines, package):
    return [line for line in lines if re.match(r"[\w.-]+", line).group(0) == package]


def numbers(version):
    """Return the first two numbers of a version: "1.19.3" -> (1, 19)."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def constraints(found):
    """Return lines that pin everything a Python has at the version it has (list of str).

    Left out are versions that are none by PEP 440 (a distribution's own packages): pip refuses such lines.
    """
    return ["{}=={}".format(name, version) for name, version in sorted(found.packages.items())
            if re.match(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[A-Za-z0-9.]+)?$", version)]


def pip_words(python, wanted, constraints_path, wheels=None):
    """Return pip's command line (list of str)."""
    source = ["--no-index", "--find-links", wheels] if wheels else []
    return [python, "-m", "pip", "install", "--disable-pip-version-check", "-c", constraints_path] + source + wanted


# --- pip -------------------------------------------------------------------------------------

def install(python, found, wheels=None):
    """Let pip add what is missing. Return Found afterwards; `added` tells what that is.

    wheels: a folder that holds all packages, for machines without a network. Raises host.UserError, and takes
    back what was added, when pip fails, when a package still does not import, or when one that was there changed.
    For what is only wished for, it takes that back, says so, and goes on.
    """
    if missing(found):
        after, problem = _try(python, found, requirements(found), missing(found), wheels)
        if problem:
            raise host.UserError(problem + " " + _what_now(problem, wheels))
        found = after
    for package in missing_wishes(found):
        found, problem = _try(python, found, wishes(package), [package], wheels)
        if problem:
            host.log_info("{} All else works without it.".format(problem))
    return found


def _try(python, found, wanted, names, wheels):
    """Let pip install lines of requirements.txt for packages of these names, and take all back if that goes wrong.

    Return Found afterwards, and what went wrong (str) or None.
    """
    folder = tempfile.mkdtemp(prefix="dfl-accel-pip-")
    pins = os.path.join(folder, "constraints.txt")
    try:
        with open(pins, "w", encoding="utf-8") as stream:
            stream.write("".join(line + "\n" for line in constraints(found)))
        code, words = _run(pip_words(python, wanted, pins, wheels))
    finally:
        os.remove(pins)
        os.rmdir(folder)
    after = probe(python)
    if code:
        problem = "pip could not install {}: {}.".format(", ".join(names), words.rstrip("."))
    else:
        problem = _problem(found, after, names)
    if problem and added(found.packages, after):
        remove(python, added(found.packages, after))
        after = probe(python)
    return after, problem


def added(before, after):
    """Return {name: version} of the packages in `after` (Found) that are not among the names `before`."""
    return {name: version for name, version in after.packages.items() if name not in before}


def brought_by_us(before, after):
    """Return what of `added` our own call of pip may have brought: others may have come since from elsewhere."""
    return {name: version for name, version in added(before, after).items() if name in BROUGHT}


def _problem(before, after, names=()):
    """What is wrong after pip has run for packages of these names (str), or None."""
    changed = ["{} {} -> {}".format(name, version, after.packages.get(name, "gone"))
               for name, version in sorted(before.packages.items()) if after.packages.get(name) != version]
    if changed:
        return "pip has changed packages that were there before ({}).".format(", ".join(changed))
    for module, package in list(NEEDED.items()) + list(WISHED.items()):
        version, wrong = after.imports.get(module, (None, None))
        if version is None and (package in names or package in NEEDED.values()):
            return "The package {} does not work: {}.".format(package, wrong or "it was not installed")
    return None


def _what_now(problem, wheels):
    if wheels:
        advice = ("The folder {} must hold wheels of all packages for this Python; on a machine with a network, \"pip "
                  "download\" fills it.".format(wheels))
    elif re.search("externally.managed", problem, re.IGNORECASE):
        advice = ("This Python belongs to the system. Make a virtual environment for DeepFaceLab and name its Python "
                  "with --python.")
    elif re.search(NETWORK_WORDS, problem, re.IGNORECASE):
        advice = ("See that this machine reaches the internet, then start again; without a network, give --wheels a "
                  "folder with the packages.")
    else:
        advice = "Mend that, then start again; the Python may also be named with --python."
    return advice + " The DeepFaceLab folder was not changed."


def _run(words):
    """Run pip with its output on the screen. Return (exit code, its last error line)."""
    variables = dict(environment(), PIP_NO_INPUT="1", PYTHONIOENCODING="utf-8:replace")
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=variables)
    except OSError as error:
        return 1, error.strerror
    last = "it printed nothing."
    with process:
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            if not text.startswith("Ignoring "):         # lines of requirements.txt for other Pythons
                host.log_info("    " + text)
            if re.match(r"error|.*No module named pip", text, re.IGNORECASE):
                last = text
    return process.returncode, last


def remove(python, added):
    """Let pip remove packages ({name: version}), but for those that have got another version since.

    Return the names of those that are still there at this version (sorted list). Raises host.UserError if the
    Python does not run.
    """
    names = _still_there(python, added)
    if names:
        _run([python, "-m", "pip", "uninstall", "--disable-pip-version-check", "--yes"] + names)
        names = _still_there(python, added)
    return names


def _still_there(python, added):
    there = probe(python).packages if added else {}
    return sorted(name for name, version in added.items() if there.get(name) == version)
