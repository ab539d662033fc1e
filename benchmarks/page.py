"""The report of a run as one HTML file that needs no other: to look at, or to attach to a bug report."""
import base64
import html as escaping

from benchmarks import report, scale_report

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; max-width: 1000px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 1.8em; }
table { border-collapse: collapse; margin: 0.6em 0 1.4em; font-size: 0.93em; }
th, td { padding: 0.25em 0.7em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; min-width: 17em; }
tr.bad td { background: #fbe3d6; }
pre { background: #f5f5f5; padding: 0.8em; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.87em; }
img { max-width: 100%; height: auto; }
""".strip()
SHELL = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Benchmark</title><style>
{style}
</style></head>
<body>
{body}
</body>
</html>
"""


def html(content, picture=None):
    """The whole file (str). content: without names and folders of the user's; picture: bytes of a PNG, or None."""
    parts = ["<h1>Benchmark</h1>", _paragraph(_summary(content)), _block(report.environment(content)),
             "<h2>How it was run</h2>", _block(content.get("command") or "not known"),
             _paragraph("Finished {}, after {} s.".format(content.get("finished", "?"), content.get("seconds", "?")))]
    if picture is not None:
        parts.append('<h2>Picture</h2>\n<img alt="How many times faster each case is" src="data:image/png;base64,{}">'
                     .format(base64.b64encode(picture).decode("ascii")))
    if content["cases"]:
        parts.append("<h2>Cases</h2>")
    for step, rows in report.by_step(content["cases"]):
        parts.append(_table(report.heads(step, rows) + ["goal", "case"],
                            [(report.short_cells(row) + [report.goal_mark(row), row["case"]], report.is_good(row))
                             for row in rows]))
    if content.get("scale"):
        parts += ["<h2>Scaling</h2>", _table(scale_report.COLUMNS, [
            (scale_report.cells(row), not scale_report.is_bad(row)) for row in content["scale"]])]
    failed = report.failure_texts(content)
    if failed:
        parts += ["<h2>Failures</h2>"] + [_block(text) for text in failed]
    parts += ["<h2>How to read it</h2>", _block(report.notes(content))]
    return SHELL.format(style=STYLE, body="\n".join(parts))


def _summary(content):
    rows = content["cases"]
    equal = sum(row["equal"] in ("yes", "ties") for row in rows)
    compared = sum(row["equal"] is not None for row in rows)
    failed = sum(bool(report.failures(row)) for row in rows)
    return "{} cases; {} of {} compared results are equal; in {} cases something failed.".format(
        len(rows), equal, compared, failed or "no")


def _escaped(text):
    return escaping.escape(str(text), quote=True)


def _paragraph(text):
    return "<p>{}</p>".format(_escaped(text))


def _block(text):
    return "<pre>{}</pre>".format(_escaped(text))


def _table(heads, lines):
    """A table of cells (str); a line is (cells, whether it is good)."""
    rows = ["<tr>{}</tr>".format("".join("<th>{}</th>".format(_escaped(cell)) for cell in heads))]
    for cells, good in lines:
        rows.append("<tr{}>{}</tr>".format("" if good else ' class="bad"', "".join(
            "<td>{}</td>".format(_escaped(cell)) for cell in cells)))
    return "<table>\n{}\n</table>".format("\n".join(rows))
