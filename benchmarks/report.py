"""The table of a run, in plain ASCII, and the same with every sample as JSON."""
import datetime
import json
import os
import platform
import subprocess

from benchmarks import timing

PACKAGES = ("numpy", "opencv-python", "numba", "tensorflow", "scikit-image", "scipy", "h5py", "tqdm")
SHOWN_PACKAGES = ("python", "numpy", "opencv-python", "numba", "tensorflow")
PRINT_VERSIONS = """
import json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        try:
            from importlib.metadata import version
        except ImportError:
            from pkg_resources import get_distribution
            version = lambda name: get_distribution(name).version
        found[name] = version(name)
    except Exception:
        found[name] = None
print(json.dumps(found))
"""
UNITS = ("faces", "frames")
COLUMNS = ("case", "/".join(UNITS), "baseline s", "ours s", "ratio", "equal", "goal", "limit s", "first s",
           "MB base/ours")


def versions(python):
    """Which Python and which packages an interpreter has: {name: version or None}."""
    try:
        text = subprocess.check_output([python, "-c", PRINT_VERSIONS] + list(PACKAGES),
                                       stderr=subprocess.DEVNULL)
        return json.loads(text.decode())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}


def machine():
    """The computer: processor, cores, memory, system (dict)."""
    memory = timing.psutil and round(timing.psutil.virtual_memory().total / 1e9, 1)
    return {"processor": _processor(), "cores": os.cpu_count(), "memory_gb": memory,
            "system": platform.platform()}


def _processor():
    try:
        with open("/proc/cpuinfo") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return os.environ.get("PROCESSOR_IDENTIFIER") or platform.processor() or platform.machine()


def ratio(row):
    """How many times faster than the baseline (float), or None where one of them is missing or unequal."""
    if not row.get("baseline") or not row.get("ours") or row["equal"] not in ("yes", "ties"):
        return None
    return timing.median(row["baseline"]["seconds"]) / timing.median(row["ours"]["seconds"])


def limit_share(row):
    """How many times the limit's time ours takes (float), or None."""
    if not row.get("limit") or not row.get("ours"):
        return None
    return timing.median(row["ours"]["seconds"]) / timing.median(row["limit"]["seconds"])


def goal_mark(row):
    """"60x +" where a goal is met, "60x -" where not, "60x (2000)" if it is meant for more faces or frames.

    Goals are ratios to DeepFaceLab; against another baseline there is none.
    """
    goal, meant, share = row["goal"]["ratio"], row["goal"][row["unit"]], row["goal"]["limit_share"]
    if goal is None or row["baseline_kind"] != "DeepFaceLab":
        return ""
    text = "{}x".format(goal) + (", {}lim".format(share) if share else "")
    if row[row["unit"]] < meant:
        return "{} ({})".format(text, meant)
    reached = ratio(row) is not None and ratio(row) >= goal
    if share:
        reached = reached and limit_share(row) is not None and limit_share(row) <= share
    return text + (" +" if reached else " -")


def seconds(result):
    """A time as the table shows it: median, then the spread or the number of runs if there was only one."""
    if not result:
        return "-"
    samples = result["seconds"]
    note = " n=1" if len(samples) == 1 else " {:3.0f}%".format(100 * timing.spread(samples))
    return "{:.{}f}{}".format(timing.median(samples), 1 if timing.median(samples) >= 20 else 2, note)


def _memory(row):
    both = [(row.get(side) or {}).get("megabytes") for side in ("baseline", "ours")]
    return "/".join("-" if one is None else "{:.0f}".format(one) for one in both)


def cells(row):
    """The cells of one line of the table (list of str, one for each of COLUMNS)."""
    times = ratio(row)
    first = row.get("first_seconds")
    sides = ("baseline", "ours")
    both = ["failed" if row.get(side + "_failed") else seconds(row.get(side)) for side in sides]
    return [row["case"], str(row[row["unit"]])] + both + [
        "-" if times is None else "{:.1f}x".format(times), row["equal"] or "-", goal_mark(row),
        seconds(row.get("limit")), "-" if first is None else "{:.2f}".format(first), _memory(row)]


def table(rows):
    """All lines of the table (str)."""
    units = [unit for unit in UNITS if any(row["unit"] == unit for row in rows)]
    lines = [[COLUMNS[0], "/".join(units)] + list(COLUMNS[2:])] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    lines.insert(1, ["-" * width for width in widths])
    padded = [[line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
              for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)


NOTES = """\
Times: median of whole processes, Python start included; then (largest - smallest) / median.
first s: the first start, when numba compiles. limit s: a process that does only what must be done: start
Python, read the heads, decode on all cores, read frames and write them, or encode frames that are
decoded already."""
NAIVE_NOTE = """\
The baseline is NOT DeepFaceLab but this repository's naive oracle (plain loops, little input): it checks
that results are equal, its ratios say little. To compare with DeepFaceLab give --stock PATH."""
TIES_NOTE = "ties: equal but for the order of faces with the same value, which is random in DeepFaceLab."
ONCE_NOTE = "n=1: run once only."
MEMORY_NOTE = "No memory is shown without psutil: python -m pip install psutil"


def environment(found):
    """What everything ran on, a line each (str). found: {who: versions}."""
    lines = ["{processor}, {cores} cores, {system}".format(**machine())]
    for who, has in found.items():
        named = ["{} {}".format(name, has[name]) for name in SHOWN_PACKAGES if has.get(name)]
        lines.append("{}: {}".format(who, ", ".join(named) or "unknown versions"))
    return "\n".join(lines)


def notes(rows, baseline_kind, further=()):
    """How to read the table (str). further: lines that the steps add."""
    results = [row[side] for row in rows for side in ("baseline", "ours") if row.get(side)]
    once = any(len(result["seconds"]) == 1 for result in results)
    wanted = [(NOTES, True), (NAIVE_NOTE, baseline_kind == "naive oracle"),
              (TIES_NOTE, any(row["equal"] == "ties" for row in rows)),
              (ONCE_NOTE, once), (MEMORY_NOTE, timing.psutil is None)]
    return "\n".join([note for note, applies in wanted if applies] + list(further))


def write_json(path, rows, about):
    """Write everything that was measured. about: dict of what is true for the whole run. Raises OSError."""
    content = {"format": 1, "finished": datetime.datetime.now().isoformat(timespec="seconds"),
               "machine": machine(), "cases": [dict(row, ratio=ratio(row)) for row in rows]}
    content.update(about)
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1, sort_keys=True)
        stream.write("\n")
