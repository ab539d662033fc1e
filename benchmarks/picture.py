"""A picture of a run: for every case how many times faster ours is, as a bar. It needs matplotlib."""
import io

from benchmarks import report, timing

WIDTH, DOTS = 9.0, 200             # inches, dots an inch: twice the 900 px at which a README shows it
LINE = 0.27                        # inches of height a bar or heading
ABOUT_LINE = 0.19                  # inches of height a line about machine and versions
FASTER, SLOWER, PALE = "#0072B2", "#D55E00", "#CFE3F1"     # told apart by all eyes, and in grey
DARK, GREY = "#222222", "#666666"
LEGEND = "How many times as fast as {}; pale: no program could be faster. At the right: seconds of whole processes."
HINT = "No picture was drawn: it needs matplotlib (python -m pip install matplotlib)."


class NoMatplotlib(Exception):
    """matplotlib is not there, or does not work; the message is one line that says what to do."""


def png(content):
    """The picture of a run as the bytes of a PNG, None where no case has a ratio. Raises NoMatplotlib.

    content: what results.py collects or loads. The same content gives the same bytes with the same matplotlib.
    """
    rows = [row for row in content["cases"] if report.ratio(row) is not None]
    if not rows:
        return None
    try:
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except Exception as error:       # broken installations raise all kinds
        missing = isinstance(error, ImportError) and (getattr(error, "name", None) or "").startswith("matplotlib")
        raise NoMatplotlib(HINT if missing else "{} Python says: {}".format(HINT, error))
    with style.context("default"):   # whatever the user has set for his own pictures
        lines = bars(rows)
        figure = Figure(figsize=(WIDTH, LINE * len(lines) + 1.2 + ABOUT_LINE * (1 + len(content["versions"]))))
        FigureCanvasAgg(figure)
        _draw(figure, lines, content)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=DOTS, facecolor="white", metadata={"Software": None})
    return stream.getvalue()


def bars(rows):
    """What is drawn, from above: a str is the heading of a step, a dict the row of a case (list)."""
    lines = []
    for step, group in report.by_step(rows):
        lines.append(step)
        lines += group
    return lines


def _draw(figure, lines, content):
    about = report.environment(content).splitlines()
    height, top = figure.get_figheight(), 0.62 + ABOUT_LINE * len(about)
    axes = figure.add_axes([0.31, 0.58 / height, 0.53, 1 - (0.58 + top) / height])
    rows = [line for line in lines if not isinstance(line, str)]
    reached = [report.ratio(row) for row in rows]
    reached += [limit for limit in map(report.limit_ratio, rows) if limit is not None]
    axes.set_xscale("log")
    axes.set_xlim(0.9 * min(reached + [1]), 1.6 * max(reached + [2]))
    axes.set_ylim(len(lines) - 0.4, -0.6)
    for place, line in enumerate(lines):
        if isinstance(line, str):
            _write(axes, -0.02, place + 0.12, line, ha="right", fontsize=11, fontweight="bold")
        else:
            _draw_bar(axes, place, line)
    baseline = "DeepFaceLab" if _against_stock(content) else "naive oracle"
    for across, who in ((1.15, baseline), (1.28, "ours")):
        _write(axes, across, -0.4, who, ha="right", fontsize=8.5, color=GREY)
    _dress(axes)
    figure.text(0.02, 1 - 0.16 / height, title(content), fontsize=12, fontweight="bold", va="top", color=DARK)
    for number, line in enumerate(about):
        figure.text(0.02, 1 - (0.46 + ABOUT_LINE * number) / height, line, fontsize=8.5, va="top", color=GREY)
    figure.text(0.02, 0.10 / height, LEGEND.format(baseline), fontsize=8.5,
                va="bottom", color=GREY)


def _draw_bar(axes, place, row):
    ratio, limit = report.ratio(row), report.limit_ratio(row)
    if limit is not None and limit > max(ratio, 1):
        axes.barh(place, limit - 1, left=1, height=0.66, color=PALE)
    axes.barh(place, ratio - 1, left=1, height=0.66, color=FASTER if ratio >= 1 else SLOWER)
    axes.annotate(report.times(ratio), (max(ratio, 1), place), xytext=(4, 0), textcoords="offset points", va="center",
                  fontsize=9.5, fontweight="bold", color=DARK)
    _write(axes, -0.02, place, report.title(row), ha="right", fontsize=9.5)
    both = [report.plain_seconds(timing.median(row[side]["seconds"])) for side in ("baseline", "ours")]
    _write(axes, 1.15, place, "{} s".format(both[0]), ha="right", fontsize=8.5, color=GREY)
    _write(axes, 1.28, place, "{} s".format(both[1]), ha="right", fontsize=8.5)


def _write(axes, across, place, text, color=DARK, **how):
    """Write beside the bars: across in widths of the axes, place in bars."""
    axes.text(across, place, text, transform=axes.get_yaxis_transform(), va="center", color=color, **how)


def _dress(axes):
    axes.axvline(1, color=DARK, linewidth=0.8)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(lambda value, _: "{:g}x".format(value))
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.tick_params(axis="x", labelsize=9, colors=DARK)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _against_stock(content):
    return all(row["baseline_kind"] == "DeepFaceLab" for row in content["cases"] if report.ratio(row) is not None)


def title(content):
    """What the picture shows (str)."""
    if _against_stock(content):
        return "Speed with equal results, compared with DeepFaceLab"
    return "Speed with equal results, compared with naive oracles (not DeepFaceLab)"

