"""What the benchmark leaves: samples that can be drawn again, a picture, a report that tells nobody's names."""
import html.parser
import json
import os
import sys

import cv2
import numpy as np
import pytest
from benchmark_command import content, row

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if ROOT not in sys.path:
    sys.path.append(ROOT)

from benchmarks import page, picture, privacy, report, results, run  # noqa: E402
from benchmarks.stock_tree import Unusable  # noqa: E402


def save(path, *rows, **changes):
    path.write_text(json.dumps(content(*rows, **changes)))
    return str(path)


SCALED = {"case": "sort.hue", "title": "hue", "side": "ours", "faces": 1000, "seconds": 0.4, "start": 0.3,
          "megabytes": 60.0, "exponent": None, "equal": None, "exceeds": ""}


# --- privacy ---------------------------------------------------------------------------------

@pytest.fixture
def somebody(monkeypatch):
    """A user with a home and a computer of her own."""
    monkeypatch.setattr(privacy.getpass, "getuser", lambda: "anna")
    monkeypatch.setattr(privacy.platform, "node", lambda: "annas-pc")
    monkeypatch.setattr(privacy.os.path, "expanduser", lambda path: "/home/anna")
    monkeypatch.setattr(privacy.tempfile, "gettempdir", lambda: "/var/tmp/x")


@pytest.mark.parametrize("text, left", [
    ("open '/home/anna/Видео/a b.png'", "open '<home>/Видео/a b.png'"),
    ("/home/annabel and /var/tmp/xy stay", "/home/annabel and /var/tmp/xy stay"),
    ("in /var/tmp/x/benchmark-1/stage", "in <temp>/benchmark-1/stage"),
    (os.path.join(privacy.ROOT, "DeepFaceLab", "main.py"), os.path.join("<project>", "DeepFaceLab", "main.py")),
    ("/mnt/stock/main.py of Anna on ANNAS-PC", "<DeepFaceLab>/main.py of <user> on <computer>"),
    ("/media/anna/disk; hanna; anna_2", "/media/<user>/disk; hanna; anna_2")])
def test_names_and_folders_go(somebody, text, left):
    assert privacy.Scrubber({"/mnt/stock": "DeepFaceLab"})(text) == left


def test_the_innermost_folder_is_named(somebody):
    scrub = privacy.Scrubber({"/home/anna/dfl": "DeepFaceLab", "/": "never"})
    assert scrub("/home/anna/dfl/x /home/anna/y /z") == "<DeepFaceLab>/x <home>/y /z"


def test_paths_of_windows_in_every_spelling(somebody, monkeypatch):
    import ntpath
    monkeypatch.setattr(privacy.os, "name", "nt")
    monkeypatch.setattr(privacy.os.path, "abspath", ntpath.normpath)
    monkeypatch.setattr(privacy.os.path, "realpath", ntpath.normpath)
    monkeypatch.setattr(privacy.os.path, "dirname", ntpath.dirname)
    scrub = privacy.Scrubber({"D:\\DFL": "DeepFaceLab", "C:\\": "never"})
    assert scrub("d:\\dfl\\main.py D:/DFL/main.py 'D:\\\\DFL\\\\main.py' C:\\x") == (
        "<DeepFaceLab>\\main.py <DeepFaceLab>/main.py '<DeepFaceLab>\\\\main.py' C:\\x")


def test_a_user_without_a_name(monkeypatch):
    def nobody():
        raise KeyError("uid not found")
    monkeypatch.setattr(privacy.getpass, "getuser", nobody)
    assert privacy.Scrubber()("text") == "text"


def test_what_programs_said_is_scrubbed_and_all_else_is_left():
    before = content(row(ours_failed="in secret"), scale=[dict(SCALED, ours_failed="secret")], notes=["a secret"],
                     command="run secret")
    after = results.scrubbed(before, lambda text: text.replace("secret", "<x>"))
    assert "secret" not in json.dumps(after) and json.dumps(before).count("secret") == 4
    assert after["cases"][0] == dict(before["cases"][0], ours_failed="in <x>")


# --- the picture -----------------------------------------------------------------------------

ROWS = (row(), row(case="sort.hue", title="hue", ours={"seconds": [120.0]}), row(case="sort.final", equal="NO"),
        row(case="join.own", step="join", title="your frames", limit=None))


def test_the_picture_is_the_same_again_and_wide_enough_to_read():
    drawn = picture.png(content(*ROWS))
    assert drawn == picture.png(content(*ROWS)) != picture.png(content(row()))
    pixels = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape[1] == 1800 and 500 < pixels.shape[0] < 1200
    assert (pixels[:5] == 255).all() and (pixels[:, -5:] == 255).all()            # a light ground, nothing cut off
    for colour in (picture.FASTER, picture.SLOWER, picture.PALE):
        blue, green, red = (int(colour[at:at + 2], 16) for at in (5, 3, 1))
        assert (pixels == (blue, green, red)).all(axis=2).sum() > 300
    assert b"oftware" not in drawn[:300]


def test_what_is_drawn():
    rows = [one for one in ROWS if report.ratio(one) is not None]
    assert picture.bars(rows) == ["sort", ROWS[0], ROWS[1], "join", ROWS[3]]
    assert picture.png(content(row(equal="NO"))) is None and picture.png(content()) is None
    assert "not DeepFaceLab" in picture.title(content(row(baseline_kind="naive oracle")))
    assert "not DeepFaceLab" not in picture.title(content(row(), row(baseline_kind="naive oracle", ours=None)))


def test_longer_bars_are_faster(monkeypatch):
    drawn = []
    for times in (1.5, 40):
        pixels = cv2.imdecode(np.frombuffer(picture.png(content(
            row(ours={"seconds": [98.7 / times]}, limit=None), row(ours={"seconds": [0.5]}, limit=None))), np.uint8), 1)
        blue = (pixels == (0xB2, 0x72, 0x00)).all(axis=2)
        drawn.append(blue.sum(axis=1)[blue.any(axis=1)][2])            # of the upper bar
    assert 0 < drawn[0] < 0.3 * drawn[1]


def test_without_matplotlib_one_line_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.setitem(sys.modules, name, None)
    results.write(str(tmp_path / "r.json"), content(row()), str)
    err = capsys.readouterr().err
    assert [line for line in err.splitlines() if "pip install matplotlib" in line] == [picture.HINT]
    assert sorted(os.listdir(str(tmp_path))) == ["r.html", "r.json"] and "<img" not in (tmp_path / "r.html").read_text()


# --- the page --------------------------------------------------------------------------------

class Reader(html.parser.HTMLParser):
    """Collects the cells of tables and all text; tags must close."""

    def __init__(self, text):
        html.parser.HTMLParser.__init__(self)
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_holds_everything_and_is_escaped():
    nasty = "<script>alert('x')</script> & \"y\""
    text = page.html(content(row(title=nasty), row(case="sort.final", ours_failed="last " + nasty, ours=None),
                             row(case="sort.hue", equal="NO"), scale=[SCALED], notes=["note " + nasty],
                             command="python " + nasty), b"\x89PNG")
    found = Reader(text)
    assert not [tag for tag, _ in found.tags if tag in ("script", "link", "iframe")]
    image, = [about for tag, about in found.tags if tag == "img"]
    assert image["src"] == "data:image/png;base64,iVBORw==" or image["src"].startswith("data:image/png;base64,")
    words = "\n".join(found.words)
    assert words.count(nasty) == 4 and text.count("&lt;script&gt;") == 4
    for told in ("sort.final: ours failed. Its last lines:", "sort.hue: the results DIFFER", "Some CPU, 2 cores", "66x",
                 "60x +", "DeepFaceLab: unknown versions", "Finished 2021-03-04T05:06:07, after 12.0 s", "Scaling",
                 "first start", "1,000"):
        assert told in words
    assert len([about for tag, about in found.tags if tag == "tr" and about.get("class") == "bad"]) == 2


def test_the_page_of_nothing():
    found = Reader(page.html({"cases": [], "machine": content()["machine"], "versions": {}}))
    assert "0 cases" in "".join(found.words)


# --- saved samples ---------------------------------------------------------------------------

def test_several_runs_become_one():
    first = content(row(), row(case="join.own"), notes=["sort.blur: old", "join.own: old", "ffmpeg: 4"],
                    frames_from="user", train={"a": 1, "b": 1})
    second = content(row(faces=9), row(case="sort.start"), notes=["sort.blur: new", "ffmpeg: 4"], train={"b": 2})
    merged = results.merge([first, second])
    assert [(one["case"], one["faces"]) for one in merged["cases"]] == [
        ("sort.start", 500), ("sort.blur", 9), ("join.own", 500)]                # the order of the table
    assert merged["notes"] == ["join.own: old", "ffmpeg: 4", "sort.blur: new"]
    assert merged["train"] == {"a": 1, "b": 2} and merged["frames_from"] == "user" and merged["seconds"] == 24.0
    third = content(machine=dict(first["machine"], cores=4))
    assert results.merge([first, third])["notes"][-1] == results.OTHER_MACHINE
    assert results.merge([results.merge([first, third]), first])["notes"].count(results.OTHER_MACHINE) == 1


def test_rows_of_scaling_become_one():
    faster = dict(SCALED, seconds=0.35)
    merged = results.merge([content(scale=[SCALED, dict(SCALED, faces=10)]), content(), content(scale=[faster])])
    assert merged["scale"] == [dict(SCALED, faces=10), faster]


def test_render_draws_again_beside_the_file(tmp_path, capsys):
    path = save(tmp_path / "a.json", row())
    before = (tmp_path / "a.json").read_bytes()
    assert run.main(["--render", path]) == 0
    assert "sort.blur" in capsys.readouterr().out and (tmp_path / "a.json").read_bytes() == before
    assert (tmp_path / "a.png").read_bytes() == picture.png(results.load(path))
    assert (tmp_path / "a.html").exists()


def test_render_of_several_files_and_as_markdown(tmp_path, capsys):
    paths = [save(tmp_path / "a.json", row()), save(tmp_path / "b.json", row(equal="NO"), row(case="sort.hue"))]
    assert run.main(["--render"] + paths) == 2
    assert "wants --json FILE" in capsys.readouterr().err
    code = run.main(["--render"] + paths + ["--json", str(tmp_path / "c.json"), "--markdown", "--no-picture"])
    out = capsys.readouterr().out
    assert code == 1 and out.startswith("| sort | faces |") and "Some CPU" not in out
    saved = json.loads((tmp_path / "c.json").read_text())
    assert [one["equal"] for one in saved["cases"]] == ["NO", "yes"]
    assert sorted(os.listdir(str(tmp_path))) == ["a.json", "b.json", "c.html", "c.json"]


def test_samples_of_an_older_benchmark_get_their_titles(tmp_path):
    older = row(case="sort.hist")
    del older["title"], older["step"]
    loaded, = results.load(save(tmp_path / "a.json", older))["cases"]
    assert loaded["title"] == "histogram similarity" and report.step_of(loaded) == "sort"


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1", '{"cases": [1]}', '{"cases": [{"case": "a"}]}', "\x00",
                                  json.dumps(content(row(ours={"seconds": []}))),
                                  json.dumps(content(row(unit="stones"))), json.dumps(content(scale=[{}]))])
def test_other_files_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(Unusable, match="holds no samples of this benchmark"):
        results.load(str(tmp_path / "a.json"))
    with pytest.raises(Unusable, match="cannot be read"):
        results.load(str(tmp_path / "b.json"))


def test_a_folder_that_cannot_be_written_is_a_line_each(tmp_path, capsys):
    results.write(str(tmp_path / "none" / "r.json"), content(row()), str, with_picture=False)
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2 and all("was not written: No such file" in line for line in err)


@pytest.mark.parametrize("path, there", [("a/r.json", "a/r.png"), ("a.b/r", "a.b/r.png"), ("r.JSON", "r.png"),
                                         ("r.txt", "r.txt.png")])
def test_where_the_picture_lies(path, there):
    assert results.beside(path, ".png") == there
