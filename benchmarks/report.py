"""The table of a run: in plain ASCII, in Markdown, and what any of its cells says.

A row is the dict of a case in the JSON, content all that is in it; see results.py.
"""
import itertools
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
SIDES = ("baseline", "ours", "limit")
COLUMNS = ("case", "/".join(UNITS), "baseline s", "MB", "ours s", "MB", "ratio", "equal", "goal", "limit s", "first s",
           "what")
MARKDOWN_COLUMNS = ("DeepFaceLab", "memory", "here", "memory", "ratio", "equal", "limit", "first start")


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


def limit_ratio(row):
    """How many times faster than the baseline the limit is (float), None where there is no such comparison."""
    if ratio(row) is None or not row.get("limit"):
        return None
    return timing.median(row["baseline"]["seconds"]) / timing.median(row["limit"]["seconds"])


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


def memory(result):
    """Peak memory as the tables show it, in MB (str)."""
    megabytes = (result or {}).get("megabytes")
    return "-" if megabytes is None else "{:.0f}".format(megabytes)


def times(number):
    """A ratio as tables and picture show it: "42x", below 10 with a decimal (str)."""
    return "{:.{}f}x".format(number, 1 if number < 9.95 else 0)


def title(row):
    """What a case measures, in a few words (str)."""
    return row.get("title") or row["case"]


def step_of(row):
    """The step that a case belongs to (str)."""
    return row.get("step") or row["case"].partition(".")[0]


def by_step(rows):
    """The rows of each step: list of (step, list of rows), in the order of the rows."""
    return [(step, list(group)) for step, group in itertools.groupby(rows, step_of)]


def failures(row):
    """Who failed in a row, and the last lines of it: list of (str, str)."""
    return [(side, row[side + "_failed"]) for side in SIDES if side + "_failed" in row]


def is_good(row):
    """Whether nobody failed in a case, and the results were equal or not compared (bool)."""
    return row["equal"] in ("yes", "ties", None) and not failures(row)


def failure_texts(content):
    """A text for everything that failed or differs (list of str)."""
    texts = []
    for row in content["cases"] + content.get("scale", []):
        for who, text in failures(row):
            texts.append("{}: {} failed. Its last lines:\n{}".format(row["case"], who, text))
        if row["equal"] == "NO":
            texts.append("{}: the results DIFFER, so no ratio is shown.".format(row["case"]))
    return texts


# --- as text ---------------------------------------------------------------------------------

def cells(row):
    """The cells of one line of the table (list of str, one for each of COLUMNS)."""
    faster = ratio(row)
    first = row.get("first_seconds")
    sides = []
    for side in ("baseline", "ours"):
        sides += ["failed" if row.get(side + "_failed") else seconds(row.get(side)), memory(row.get(side))]
    return [row["case"], str(row[row["unit"]])] + sides + [
        "-" if faster is None else "{:.1f}x".format(faster), row["equal"] or "-", goal_mark(row),
        seconds(row.get("limit")), "-" if first is None else "{:.2f}".format(first), title(row)]


def table(rows):
    """All lines of the table (str); an empty one between two steps."""
    units = [unit for unit in UNITS if any(row["unit"] == unit for row in rows)]
    head = [COLUMNS[0], "/".join(units)] + list(COLUMNS[2:])
    groups = [[cells(row) for row in group] for _, group in by_step(rows)]
    lines = [head] + [line for group in groups for line in group]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = [_padded(head, widths), _padded(["-" * width for width in widths], widths)]
    for number, group in enumerate(groups):
        text += [""] * (number > 0) + [_padded(line, widths) for line in group]
    return "\n".join(text)


def _padded(line, widths):
    """A line of the table; the first and the last column begin at the left."""
    middle = [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1])]
    return "  ".join([line[0].ljust(widths[0])] + middle + [line[-1]]).rstrip()


# --- as Markdown -----------------------------------------------------------------------------

def plain_seconds(number):
    """A time with about three digits, without a unit (str)."""
    return "{:.{}f}".format(number, 1 if number >= 9.95 else 2 if number >= 0.095 else 3)


def _told(result, failed):
    if failed:
        return "failed"
    return plain_seconds(timing.median(result["seconds"])) + " s" if result else ""


def _megabytes(result):
    megabytes = (result or {}).get("megabytes")
    if megabytes is None:
        return ""
    return "{:.1f} GB".format(megabytes / 1000) if megabytes >= 1000 else "{:.0f} MB".format(megabytes)


def short_cells(row):
    """The cells of a line for readers, not for those who measure: title, count, then MARKDOWN_COLUMNS (list of str)."""
    faster, first = ratio(row), row.get("first_seconds")
    sides = []
    for side in ("baseline", "ours"):
        sides += [_told(row.get(side), row.get(side + "_failed")), _megabytes(row.get(side))]
    return [title(row), "{:,}".format(row[row["unit"]])] + sides + [
        "" if faster is None else times(faster), row["equal"] or "", _told(row.get("limit"), row.get("limit_failed")),
        "" if first is None else plain_seconds(first) + " s"]


def heads(step, rows):
    """The heads above the short_cells of a step (list of str)."""
    baseline = "DeepFaceLab" if all(row["baseline_kind"] == "DeepFaceLab" for row in rows) else "naive oracle"
    return [step, rows[0]["unit"], baseline] + list(MARKDOWN_COLUMNS[1:])


def markdown(rows):
    """A Markdown table for each step, for a README (str)."""
    tables = []
    for step, group in by_step(rows):
        lines = [heads(step, group), ["---"] * (2 + len(MARKDOWN_COLUMNS))] + [short_cells(row) for row in group]
        tables.append("\n".join("| {} |".format(" | ".join(cell.replace("|", "\\|") for cell in line))
                                for line in lines))
    return "\n\n".join(tables)


# --- below the table -------------------------------------------------------------------------

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


def environment(content):
    """What everything ran on, a line each (str)."""
    lines = ["{processor}, {cores} cores, {system}".format(**content["machine"])]
    for who, has in sorted(content["versions"].items()):
        named = ["{} {}".format(name, has[name]) for name in SHOWN_PACKAGES if has.get(name)]
        lines.append("{}: {}".format(who, ", ".join(named) or "unknown versions"))
    return "\n".join(lines)


def notes(content):
    """How to read the table, and what the steps add (str)."""
    rows = content["cases"]
    results = [row[side] for row in rows for side in ("baseline", "ours") if row.get(side)]
    once = any(len(result["seconds"]) == 1 for result in results)
    wanted = [(NOTES, bool(rows)), (NAIVE_NOTE, any(row["baseline_kind"] != "DeepFaceLab" for row in rows)),
              (TIES_NOTE, any(row["equal"] == "ties" for row in rows)),
              (ONCE_NOTE, once), (MEMORY_NOTE, timing.psutil is None)]
    return "\n".join([note for note, applies in wanted if applies] + list(content.get("notes", ())))

