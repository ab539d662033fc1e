"""The results of runs: shown, written beside each other as JSON, picture and HTML, and drawn again from saved JSON.

Content is what the JSON holds: the rows of all cases (each a dict; the keys of a run are those of run.py), and what is
true for the whole run: machine, versions, baseline, notes, command, seconds; and what single steps add.
"""
import collections
import datetime
import json
import os

from benchmarks import cases, page, picture, report, scale_report
from benchmarks.cases.step import say
from benchmarks.stock_tree import Unusable

OTHER_MACHINE = ("Not all cases were measured on this machine with these versions: ratios hold, but times of "
                 "different parts do not compare.")


def collect(rows, about):
    """Make the content of a run. about: dict of what is true for the whole run, with versions and notes."""
    content = {"format": 1, "finished": datetime.datetime.now().isoformat(timespec="seconds"),
               "machine": report.machine(), "cases": [dict(row, ratio=report.ratio(row)) for row in rows]}
    content.update(about)
    return content


def is_good(content):
    """Whether no case failed or differed (bool)."""
    return all(report.is_good(row) for row in content["cases"]) and not any(
        scale_report.is_bad(row) for row in content.get("scale", ()))


# --- shown and written -----------------------------------------------------------------------

def show(content, as_markdown=False):
    """Print tables, notes and failures."""
    if content["cases"]:
        print(report.markdown(content["cases"]) if as_markdown else report.table(content["cases"]))
        print()
    if content.get("scale"):
        print(scale_report.markdown(content["scale"]) if as_markdown else scale_report.table(content["scale"]))
        print()
    if as_markdown:
        return
    print(report.environment(content))
    print(report.notes(content))
    for text in report.failure_texts(content):
        print("\n" + text)


def beside(path, suffix):
    """The path of the picture or the report that belongs to a JSON."""
    stem, end = os.path.splitext(path)
    return (stem if end.lower() == ".json" else path) + suffix


def write(path, content, scrub, with_picture=True):
    """Write JSON, picture and report; say where they are, or in a line each why not. scrub: privacy.Scrubber."""
    content = scrubbed(content, scrub)
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    written = _write(path, text.encode())
    draw_beside(path, content, with_picture)
    if written:
        say("Samples: {} ({:.0f} s in all)".format(path, content["seconds"]))


def draw_beside(path, content, with_picture=True):
    """Write picture and report beside a JSON."""
    drawn = None
    if with_picture:
        try:
            drawn = picture.png(content)
        except picture.NoMatplotlib as error:
            say(str(error))
    if drawn is not None and _write(beside(path, ".png"), drawn):
        say("Picture: {}".format(beside(path, ".png")))
    if _write(beside(path, ".html"), page.html(content, drawn).encode("utf-8")):
        say("Report, without names and folders of yours, for a bug report: {}".format(beside(path, ".html")))


def _write(path, data):
    try:
        with open(path, "wb") as stream:
            stream.write(data)
    except OSError as error:
        say("{} was not written: {}".format(path, error.strerror))
        return False
    return True


def scrubbed(content, scrub):
    """The content without names and folders of the user's, in what programs and commands said."""
    result = dict(content, command=scrub(content.get("command", "")),
                  notes=[scrub(line) for line in content.get("notes", ())])
    for key in ("cases", "scale"):
        if key in content:
            result[key] = [{name: scrub(value) if name.endswith("failed") else value for name, value in row.items()}
                           for row in content[key]]
    return result


# --- saved -----------------------------------------------------------------------------------

def load(path):
    """Read the content of a JSON. Raises Unusable."""
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
        for row in content["cases"]:
            row.setdefault("title", {case.name: case.title for case in cases.ALL}.get(row["case"], row["case"]))
        report.table(content["cases"]), report.markdown(content["cases"]), report.environment(content)
        scale_report.table(content.get("scale", [])), report.notes(content), is_good(content)
    except OSError as error:
        raise Unusable("{} cannot be read: {}.".format(path, error.strerror))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        raise Unusable("{} holds no samples of this benchmark.".format(path))
    return content


def merge(contents):
    """One content of several: cases of later ones take the place of those with the same names."""
    merged, rows, scale = {}, collections.OrderedDict(), collections.OrderedDict()
    places = set()
    for content in contents:
        names = [row["case"] for row in content["cases"]]
        kept = [line for line in merged.get("notes", ()) if line.partition(":")[0] not in names]
        notes = kept + [line for line in content.get("notes", ()) if line not in kept]
        seconds = merged.get("seconds", 0) + content.get("seconds", 0)
        for key, value in content.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in ("machine", "versions")
            merged[key] = dict(merged[key], **value) if both else value
        merged.update(notes=notes, seconds=round(seconds, 1))
        rows.update((row["case"], row) for row in content["cases"])
        scale.update(((row["case"], row["side"], row["faces"]), row) for row in content.get("scale", ()))
        places.add(report.environment(content))
    if len(places) > 1 and OTHER_MACHINE not in merged["notes"]:
        merged["notes"].append(OTHER_MACHINE)
    order = {case.name: number for number, case in enumerate(cases.ALL)}
    merged["cases"] = sorted(rows.values(), key=lambda row: order.get(row["case"], len(order)))
    if scale:
        merged["scale"] = sorted(scale.values(), key=lambda row: (
            order.get(row["case"], len(order)), row["side"] == "baseline", row["faces"]))
    return merged


def render(paths, target, as_markdown, scrub, with_picture=True):
    """Show and draw saved samples again. Return the exit code. Raises Unusable.

    target: JSON to write all of several to, and to draw beside; None: beside the only one, which stays as it is.
    """
    if target is None and len(paths) > 1:
        raise Unusable("--render of several files wants --json FILE, for all of them in one.")
    content = merge([load(path) for path in paths])
    show(content, as_markdown)
    if target is None:
        draw_beside(paths[0], scrubbed(content, scrub), with_picture)
    else:
        write(target, content, scrub, with_picture)
    return 0 if is_good(content) else 1
