"""Take the pictures of a terminal that the READMEs show: docs/*.svg.

    python -m pip install pexpect==4.9.0 pyte==0.8.2 rich==15.0.0
    python tools/terminal_pictures.py [--only NAME ...] [--build FOLDER] [--python EXE]

Nothing is drawn by hand. Every picture is what the real program writes to a real terminal (pexpect) that answers are
typed into; the only thing added is the line with the command. What was typed is green. The workspace is made; where
DeepFaceLab's networks would answer, the stand-ins of the benchmarks and tests do.

--python: what runs the programs; one like DeepFaceLab's own (3.6) shows what users see. --build: a DeepFaceLab without
the overlay, for the picture of the installer, which puts it there and takes it off again; its path is in the picture,
and pip is told to be quiet. For maintainers: Linux, Python 3.11 or newer, a machine that does nothing else meanwhile.
"""
import argparse
import collections
import io
import itertools
import os
import shlex
import shutil
import sys
import tempfile

import pexpect
import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, "DeepFaceLab"), os.path.join(ROOT, "tests")]
import extract_workspace  # noqa: E402
import merge_workspace  # noqa: E402
from accel.video import tools as video_tools  # noqa: E402
from benchmarks import frames, workspace  # noqa: E402

COLUMNS, ROWS = 100, 90
PATIENCE = 900                      # seconds that a program may be silent
CTRL_C = object()                   # pressed in the place of an answer
TYPED = "\x1b[1;32m"
PLAIN = "\x1b[0m"
STYLES = {"default": Style(), "green": Style(color="green", bold=True)}
THEME = TerminalTheme((24, 26, 31), (214, 218, 224), [(40, 44, 52)] * 2 + [(126, 211, 134)] + [(160, 166, 176)] * 5)
# Fonts are those of the machine that shows the picture; every line is set to its width, whatever they are.
FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Consolas, Menlo, "DejaVu Sans Mono", monospace; font-size: {char_height}px; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 16px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""

Scene = collections.namedtuple("Scene", "title play")
Scene.__doc__ = """A picture. title: of its window; play: called with a Terminal in an empty folder."""


class Terminal(object):
    """A terminal of COLUMNS whose programs run in one folder; what they have shown is kept."""

    def __init__(self, folder, python, build=None):
        """folder: where the programs run (str). python: what runs them. build: a DeepFaceLab, or None."""
        self.folder, self.python, self.build = folder, python, build
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.Stream(self.screen)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run(self, words, *dialog, name="python"):
        """Run a program with these words (list of str) to its end.

        dialog: (regular expression to wait for, answer to type or CTRL_C) in their order. name: "python", or that of a
        shell script of this project.
        """
        if self.screen.cursor.y:
            self.stream.feed("\r\n")
        called = ["python"] if name == "python" else ["sh", name]
        self.stream.feed("$ {}{}{}\r\n".format(TYPED, " ".join(map(shlex.quote, called + words)), PLAIN))
        command = [self.python, "-W", "ignore"] if name == "python" else ["sh", os.path.join(ROOT, name)]
        program = pexpect.spawn(
            command[0], command[1:] + words, cwd=self.folder, dimensions=(ROWS, COLUMNS),
            encoding="utf-8", timeout=PATIENCE, env=dict(
                os.environ, LC_ALL="C.UTF-8", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", TMPDIR=self.folder,
                DFL_PYTHON=self.python, PIP_QUIET="1", PIP_CONFIG_FILE=os.devnull))
        for text, answer in dialog:
            program.expect(text)
            self.stream.feed(program.before + program.after)
            if answer is CTRL_C:
                program.sendintr()
                continue
            program.expect_exact(" : ")
            self.stream.feed(program.before + program.after + TYPED)
            program.sendline(answer)
            program.expect_exact("\r\n")
            self.stream.feed(program.before + PLAIN + program.after)
        program.expect(pexpect.EOF)
        self.stream.feed(program.before)
        program.close()
        assert self.screen.cursor.y < ROWS - 1, "more than {} lines: the first ones are lost".format(ROWS)

    def picture(self, name, title):
        """Return what is on the screen as the text of an SVG file."""
        console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True)
        last = max(number for number, line in enumerate(self.screen.display) if line.strip())
        for number in range(last + 1):
            cells = [self.screen.buffer[number][column] for column in range(COLUMNS)]
            line = Text()
            for colour, run in itertools.groupby(cells, lambda cell: cell.fg):
                line.append("".join(cell.data for cell in run), STYLES[colour])
            line.rstrip()
            console.print(line, soft_wrap=True)
        return console.export_svg(title=title, theme=THEME, code_format=FORMAT, unique_id=name)


# --- the pictures ------------------------------------------------------------------------------

def sort(terminal):
    """Step 5.2: the questions of always, and an order."""
    lay_out(terminal)
    faces = terminal.path("workspace", "data_dst", "aligned")
    workspace.make_faceset(faces, 600, size=128)
    terminal.run(["DeepFaceLab/main.py", "sort", "--input-dir", "workspace/data_dst/aligned"], (r"\[5\]", ""))


def undo(terminal):
    """A sort that is looked at first, done, and taken back."""
    lay_out(terminal)
    workspace.make_faceset(terminal.path("workspace", "data_dst", "aligned"), 6, size=128)
    words = ["DeepFaceLab/main.py", "sort", "--input-dir", "workspace/data_dst/aligned"]
    terminal.run(words + ["--by", "face-yaw", "--dry-run"])
    terminal.run(words + ["--by", "face-yaw"])
    terminal.run(words + ["--undo"])


def extract(terminal):
    """Step 5, ended by Ctrl-C and gone on with."""
    shutil.rmtree(terminal.path("DeepFaceLab"), ignore_errors=True)
    extract_workspace.build_table_tree(terminal.path("DeepFaceLab"))
    extract_workspace.build_workspace(terminal.path("workspace"), [extract_workspace.Shot(size=(640, 360))] * 400,
                                      dst=True)
    words = ["DeepFaceLab/main.py", "extract", "--input-dir", "workspace/data_dst", "--output-dir",
             "workspace/data_dst/aligned"] + list(extract_workspace.LINES["5"])
    questions = [("Face type", ""), ("Image size", ""), ("Jpeg quality", "")]
    terminal.run(words, *questions + [(r" [3-6]\d%\|", CTRL_C)])
    terminal.run(words, (r"Continue extraction\?", "y"), *questions)


def merge(terminal):
    """Step 7 without its window, over the frames of an earlier merge."""
    merge_workspace.build_tree(terminal.path("DeepFaceLab"))
    space = merge_workspace.build_workspace(terminal.path("workspace"), 48, (640, 360))
    for folder in (space.merged, space.masks):
        shutil.copytree(str(space.frames), str(folder), ignore=shutil.ignore_patterns("aligned"))
    place = "workspace/data_dst"
    terminal.run(["DeepFaceLab/main.py", "merge", "--input-dir", place, "--output-dir", place + "/merged",
                  "--output-mask-dir", place + "/merged_mask", "--aligned-dir", place + "/aligned", "--model-dir",
                  "workspace/model", "--model", "Tiny",
                  "--set", "mode=seamless"],
                 (r"Use interactive merger\?", "n"), (r"Number of workers\?", ""), ("Output image format", "jpg"),
                 (r"Go on\?", "y"))


def join(terminal):
    """Step 8: the encoder is asked for."""
    lay_out(terminal)
    merged_video(terminal, 100)
    terminal.run(JOIN, ("Bitrate of output file", ""), ("Encoder", ""), ("Bitrate or quality", ""))


def errors(terminal):
    """What goes wrong ends in one sentence."""
    lay_out(terminal)
    merged_video(terminal, 30)
    for number in (7, 19):
        with open(terminal.path("workspace", "data_dst", "merged", "{:05d}.png".format(number)), "r+b") as file:
            file.truncate(4000)
    terminal.run(["DeepFaceLab/main.py", "sort", "--input-dir", "workspace/data_dst/alinged"])
    terminal.run(JOIN + ["--yes"])
    os.remove(terminal.path("workspace", "data_dst.mp4"))
    terminal.run(["DeepFaceLab/main.py", "videoed", "extract-video", "--input-file", "workspace/data_dst.*",
                  "--output-dir", "workspace/data_dst", "--yes"])


def install(terminal):
    """The dialog of the installer."""
    terminal.folder = os.path.dirname(terminal.build)
    name = os.path.basename(terminal.build)
    terminal.run([name], (r"Install the overlay\?", "y"), name="install.sh")
    pexpect.run(" ".join(map(shlex.quote, [
        terminal.python, os.path.join(ROOT, "install.py"), terminal.build, "--uninstall", "--yes"])), timeout=PATIENCE)


JOIN = ["DeepFaceLab/main.py", "videoed", "video-from-sequence", "--input-dir", "workspace/data_dst/merged",
        "--output-file", "workspace/result.mp4", "--reference-file", "workspace/data_dst.*", "--include-audio"]

SCENES = collections.OrderedDict([
    ("install", Scene("install.sh", install)),
    ("extract", Scene("5) data_dst faceset extract", extract)),
    ("sort", Scene("5.2) data_dst sort", sort)),
    ("undo", Scene("sort --dry-run, --undo", undo)),
    ("merge", Scene("7) merge", merge)),
    ("join", Scene("8) merged to mp4", join)),
    ("errors", Scene("errors", errors)),
])


def lay_out(terminal):
    """Put the overlay into the folder of a terminal."""
    extract_workspace.build_tree(terminal.path("DeepFaceLab"))


def merged_video(terminal, count):
    """Make merged frames, and the video that they came from."""
    frames.make_frames(terminal.path("workspace", "data_dst", "merged"), count, (1280, 720), ".png")
    frames.make_reference(video_tools.find().ffmpeg, terminal.path("workspace", "data_dst.mp4"), count)


def main(words=None):
    parser = argparse.ArgumentParser(description="Take the pictures of a terminal for the READMEs.")
    parser.add_argument("--only", nargs="+", choices=list(SCENES), metavar="NAME", help=", ".join(SCENES))
    parser.add_argument("--build", metavar="FOLDER", help="a DeepFaceLab, for the picture of the installer")
    parser.add_argument("--python", metavar="EXE", default=sys.executable,
                        help="runs the programs (the one that runs this)")
    parser.add_argument("--to", metavar="DIR", default=os.path.join(ROOT, "docs"), help="where to write them (docs)")
    arguments = parser.parse_args(words)
    os.makedirs(arguments.to, exist_ok=True)
    for name in arguments.only or SCENES:
        if name == "install" and arguments.build is None:
            print("install: left out, it needs --build")
            continue
        folder = os.path.join(tempfile.gettempdir(), "DFL")    # its name is in the pictures
        os.mkdir(folder)
        try:
            terminal = Terminal(folder, arguments.python, arguments.build and os.path.abspath(arguments.build))
            SCENES[name].play(terminal)
            text = terminal.picture(name, SCENES[name].title)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        with open(os.path.join(arguments.to, name + ".svg"), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        print("{}.svg: {:,} bytes".format(name, len(text)))


if __name__ == "__main__":
    main()
