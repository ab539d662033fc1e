"""The table of how seconds and memory grow with the number of faces: what scale.py measures.

A row is a dict: case, title, side, faces, seconds, start (seconds of the same on hardly any faces), megabytes,
exponent (from the size before; None for the first), equal, exceeds (what is more than allowed, "" for nothing),
left_out (why it was not run, or absent), and ours_failed or baseline_failed.
"""
COLUMNS = ("case", "who", "faces", "seconds", "us a face", "exponent", "MB", "equal", "")
NOTE = """\
us a face: microseconds, without the start of the program; exponent: 1.0 is time in proportion to the faces. Allowed
are an exponent of {growth} (hist, hist-dissim and absdiff: 2) and 600 MB + 3 KB a face (absdiff: more)."""
GROWTH = 1.15                  # times on a machine that does other things, too, vary by some percent


def microseconds(row):
    """Time a face without the start (float)."""
    return max(0.0, row["seconds"] - row["start"]) / row["faces"] * 1e6


def is_bad(row):
    """Whether a row shows that something is wrong (bool)."""
    return bool("ours_failed" in row or "baseline_failed" in row or row["equal"] == "NO" or row["exceeds"])


def cells(row):
    """The cells of a line (list of str, one for each of COLUMNS)."""
    who = "DeepFaceLab" if row["side"] == "baseline" else "ours"
    failed = row.get(row["side"] + "_failed")
    if failed or row.get("left_out"):
        return [row["case"], who, "{:,}".format(row["faces"]), "failed" if failed else "-", "", "", "", "",
                row.get("left_out") or ""]
    exponent, megabytes = row["exponent"], row["megabytes"]
    return [row["case"], who, "{:,}".format(row["faces"]), "{:.2f}".format(row["seconds"]),
            "{:.1f}".format(microseconds(row)), "" if exponent is None else "{:.2f}".format(exponent),
            "" if megabytes is None else "{:.0f}".format(megabytes), row["equal"] or "", row["exceeds"]]


def table(rows):
    """All lines of the table, and how to read it (str)."""
    lines = [list(COLUMNS)] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    lines.insert(1, ["-" * width for width in widths])
    text = ["  ".join([line[0].ljust(widths[0]), line[1].ljust(widths[1])]
                      + [cell.rjust(width) for cell, width in zip(line[2:-1], widths[2:-1])] + [line[-1]]).rstrip()
            for line in lines]
    return "\n".join(text + ["", NOTE.format(growth=GROWTH)])


def markdown(rows):
    """The same as a Markdown table (str)."""
    lines = [list(COLUMNS), ["---"] * len(COLUMNS)] + [cells(row) for row in rows]
    return "\n".join("| {} |".format(" | ".join(line)) for line in lines)
