"""A cmd.exe (wine's) with folders of its own, and a made-up DeepFaceLab build to run it on.

    with Wine(folder) as wine:
        build = Build(wine, os.path.join(folder, "DeepFaceLab build"))
        ending = wine.cmd('"{}" --yes'.format(build.windows("install.bat")))
        print(ending.code, ending.text, ending.calls)
"""
import os
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BAT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "install.bat")
COMPILER = "x86_64-w64-mingw32-gcc"
LONGEST = 120

# What the builds' own file does, in the manner that matters: nothing is quoted, so a "&" breaks it.
SETENV = r"""@echo off
set HERE=%~dp0
set PYTHONHOME=
set PYTHONPATH=
set PYTHON_EXECUTABLE=%HERE%python-3.6.8\python.exe
set DFL_ROOT=%HERE%DeepFaceLab
set WORKSPACE=%HERE%..\workspace
set USERPROFILE=%HERE%_e\u
set TMP=%HERE%_e\t
set TEMP=%HERE%_e\t
"""
SORT = r"""@echo off
call _internal\setenv.bat

"%PYTHON_EXECUTABLE%" "%DFL_ROOT%\main.py" sort ^
    --input-dir "%WORKSPACE%\data_src\aligned"

pause
"""
# Runs the words of the stand-in with a Python of this system; paths of Windows become paths of this system.
BRIDGE = r"""
import os, subprocess, sys

def here(text):
    return text[2:].replace("\\", "/") if text[:3].lower() in ("z:\\", "z:/") else text

words = [here(word) for word in sys.argv[2:]]
variables = {name: here(value) for name, value in os.environ.items()}
code = 119
try:
    code = subprocess.call([sys.argv[1]] + words, env=variables, stderr=subprocess.STDOUT)
finally:
    result = variables["STAND_IN_RESULT"]
    with open(result + ".part", "w") as file:
        file.write(str(code))
    os.replace(result + ".part", result)
"""
PROBE = """@echo off
setlocal EnableDelayedExpansion
set "A=one two"
set "A=!A:*one =!"
if "!A!"=="two" exit 3
exit 4
"""


def windows(path):
    """Return the path that this file or folder has for a program of Windows."""
    return "Z:" + os.path.abspath(str(path)).replace("/", "\\")


def write(path, text):
    """Write a text file with the line ends of Windows, and the folders above it."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with open(str(path), "w", encoding="utf-8", newline="\r\n") as file:
        file.write(text)


class Call:
    """One start of the stand-in: its path, folder, words and variables."""

    def __init__(self, lines):
        self.words, self.variables = [], {}
        for line in lines:
            kind, text = line.split(" ", 1)
            if kind == "word":
                self.words.append(text)
            elif kind == "variable":
                name, _, value = text.partition("=")
                self.variables[name.upper()] = value
            else:
                setattr(self, kind, text)


class Ending:
    """What became of a command line: exit code, all that was shown, and the calls of the stand-in."""

    def __init__(self, code, text, calls):
        self.code, self.text, self.calls = code, text, calls

    def __repr__(self):
        return "Ending({}, {!r}, {})".format(self.code, self.text, [(call.folder, call.words) for call in self.calls])


class Wine:
    """A private prefix of wine below this folder. Used in a with statement it is started and ended."""

    def __init__(self, folder):
        self.folder = os.path.abspath(str(folder))
        self.python = os.path.join(self.folder, "stand_in.exe")
        self.record = os.path.join(self.folder, "record.txt")
        self.keeper = None
        self.tells_line = False
        kept = {name: value for name, value in os.environ.items()
                if name not in ("DISPLAY", "WAYLAND_DISPLAY", "WINEPATH") and not name.startswith(("DFL_", "PYTHON"))}
        self.variables = dict(
            kept, WINEPREFIX=os.path.join(self.folder, "prefix"), WINEDEBUG="-all", LC_ALL="C.UTF-8",
            WINEDLLOVERRIDES="mscoree,mshtml=", STAND_IN_RECORD=windows(self.record),
            STAND_IN_LINE=windows(os.path.join(self.folder, "line.bin")),
            STAND_IN_RESULT=windows(os.path.join(self.folder, "result.txt")), DFL_ACCEL_NO_PAUSE="1")

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        subprocess.check_call([COMPILER, "-O1", "-Wall", "-s", "-static", "-o", self.python,
                               os.path.join(HERE, "stand_in.c"), "-lshell32"])
        shutil.copy(self.python, os.path.join(self.folder, "start.exe"))
        with open(os.path.join(self.folder, "start.log"), "wb") as log:
            subprocess.check_call(["wineboot", "-i"], env=self.variables, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, timeout=LONGEST)
        # A cmd.exe that waits for input: as long as it is there, wine need not start its services anew.
        self.keeper = subprocess.Popen(["wine", "cmd.exe"], env=self.variables, stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *error):
        self.keeper.stdin.close()
        subprocess.call(["wineserver", "-k"], env=self.variables)
        self.keeper.wait()

    def expands_late(self):
        """Tell whether this cmd.exe knows !NAME:text=text!, as that of Windows does (wine 8 does not)."""
        probe = os.path.join(self.folder, "probe.bat")
        write(probe, PROBE)
        return self.line('cmd.exe /c "{}"'.format(windows(probe))).code == 3

    def line(self, text, answers="", folder=None, **variables):
        """Start the program of this command line, to the letter, with typed answers. Return its Ending.

        A variable of value None is one that is not set.
        """
        with open(os.path.join(self.folder, "line.bin"), "wb") as file:
            file.write((text + "\0").encode("utf-16-le"))
        if os.path.exists(self.record):
            os.remove(self.record)
        paths = [os.path.join(self.folder, name) for name in ("typed.txt", "shown.txt")]
        ends = "\n" if "STAND_IN_BRIDGE" in variables else "\r\n"  # as the program that reads them is used to
        with open(paths[0], "wb") as file:
            file.write(answers.replace("\n", ends).encode("utf-8"))
        known = dict(self.variables, **variables)
        if self.tells_line:
            known["STAND_IN_TELLS_LINE"] = "1"
        # Into a file: a pipe would stay open as long as any program of wine runs.
        with open(paths[0], "rb") as typed, open(paths[1], "wb") as shown:
            code = subprocess.call(["wine", os.path.join(self.folder, "start.exe")], stdin=typed, stdout=shown,
                                   stderr=subprocess.STDOUT, cwd=str(folder or self.folder), timeout=LONGEST,
                                   env={name: value for name, value in known.items() if value is not None})
        with open(paths[1], "rb") as shown:
            return Ending(code, shown.read().decode("utf-8", "replace"), self.calls())

    def cmd(self, text, answers="", folder=None, **variables):
        """Run this command line as if it were typed in a console: cmd.exe was started for something else."""
        return self.line('cmd.exe /d /s /c "cd . & {}"'.format(text), answers, folder, **variables)

    def explorer(self, program, words="", answers="", folder=None, **variables):
        """Start a .bat file as Explorer does, with the words that it puts behind it."""
        return self.line('cmd.exe /c ""{}" {}"'.format(program, words), answers, folder, **variables)

    def calls(self):
        """Return the calls of the stand-in in the last command line."""
        if not os.path.exists(self.record):
            return []
        with open(self.record, encoding="utf-8", newline="\n") as file:
            blocks = file.read().split("end\n")[:-1]
        return [Call(block.splitlines()) for block in blocks]

    def bridge(self, python=sys.executable):
        """Return the variables with which the stand-in runs its words with this Python."""
        script = os.path.join(self.folder, "bridge.py")
        starter = os.path.join(self.folder, "bridge")
        with open(script, "w", encoding="utf-8") as file:
            file.write(BRIDGE)
        with open(starter, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nexec {} {} {} "$@"\n'.format(
                *[shlex.quote(word) for word in (sys.executable, script, python)]))
        os.chmod(starter, 0o755)
        return {"STAND_IN_BRIDGE": windows(starter)}


class Build:
    """A folder laid out as a DeepFaceLab build, with the stand-in as its Python."""

    def __init__(self, wine, root, python="python-3.6.8", setenv=SETENV):
        self.root = str(root)
        for name in ("workspace/data_src/aligned", "_internal/DeepFaceLab/models", "_internal/_e/t", "_internal/_e/u",
                     "_internal/ffmpeg"):
            os.makedirs(self.path(*name.split("/")))
        self.write("_internal/DeepFaceLab/main.py", "")
        self.write("4.2) data_src sort.bat", SORT)
        if setenv:
            self.write("_internal/setenv.bat", setenv)
        if python:
            os.makedirs(self.path("_internal", python))
            shutil.copy(wine.python, self.path("_internal", python, "python.exe"))

    def path(self, *names):
        """Return a path below the build."""
        return os.path.join(self.root, *names)

    def windows(self, *names):
        """Return a path below the build, as Windows has it."""
        return windows(self.path(*names))

    def write(self, name, text):
        """Write a text file below the build."""
        write(self.path(*name.split("/")), text)


class Release:
    """install.bat, with an install.py that does nothing beside it, unpacked into this folder."""

    def __init__(self, folder):
        os.makedirs(str(folder), exist_ok=True)
        shutil.copy(BAT, str(folder))
        with open(os.path.join(str(folder), "install.py"), "w"):
            pass
        self.bat = windows(os.path.join(str(folder), "install.bat"))
        self.script = windows(os.path.join(str(folder), "install.py"))
