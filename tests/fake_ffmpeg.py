"""An executable stand-in for ffmpeg that misbehaves as it is told to, or does as a real one and writes it down.

    path = fake_ffmpeg.make(folder, "dies reading", real=clips.bundled().ffmpeg)
    ... let the code under test use `path` ...
    fake_ffmpeg.commands(path)       what it was called with, one list of words a call

Only calls that contain the words of `when` misbehave; all others, such as -version, -encoders or `-i FILE`, are
handed to the real ffmpeg. `when` is by default "-progress", which every work of accel.video.process has; a test of
an encoder's failure takes when=("libx265",), one of the count afterwards when=("null",).

The ways to behave:

    real                does as the real one
    dies at once        says `words` and exits with `code`, nothing read or written
    dies reading        the same after `after` bytes of stdin
    hangs               takes `after` bytes of stdin, reports no frame, and does not end by itself (60 s); with
                        `speaks` it keeps on reporting that it has none, with `works` it keeps the processor busy
    starts another      has a child that takes all of stdin, thinks for 3 s and exits with `code`
    copies              writes 2 MB ten times a second for 3 s, reports no frame, and exits with `code`
    hangs once          hangs at its first call that misbehaves, then does as the real one
    fails at the end    does as the real one, says `words`, and exits with `code` all the same
    fails encoders      says `words` and exits with `code` if one of the encoders `failing` is asked for (-c:v NAME),
                        else does as the real one
    writes garbage      takes all of stdin, writes some bytes that are no video, reports `frames`, exits with 0
    writes nothing      takes all of stdin, leaves an empty file, reports `frames`, exits with 0
    reports fewer       does as the real one, but reports `fewer` frames less
    chatters            says `words` `times` times, takes all of stdin, exits with `code`
    leaves a child      starts a program that keeps its pipes open for 20 s (see child_of), and exits with `code`

POSIX only: Windows starts no script by its first line.
"""
import json
import os
import stat
import sys

WAYS = ("real", "dies at once", "dies reading", "hangs", "hangs once", "fails at the end", "fails encoders",
        "writes garbage", "writes nothing", "reports fewer", "chatters", "leaves a child", "starts another",
        "copies")

_SCRIPT = '''#!{python} -IS
import json, os, subprocess, sys, time
S = json.loads({settings!r})
ARGS = sys.argv[1:]
with open(S["log"], "ab", 0) as log:
    log.write(json.dumps(sys.argv).encode("ascii") + b"\\n")

def delegate():
    sys.stdout.flush()
    os.execv(S["real"], [S["real"]] + ARGS)

def say():
    os.write(2, (S["words"] + "\\n").encode("utf-8"))

def take(limit):
    taken = 0
    while limit is None or taken < limit:
        block = os.read(0, 65536 if limit is None else min(65536, limit - taken))
        if not block:
            break
        taken += len(block)
    return taken

def frames_in(size):
    if S["frames"] is not None:
        return S["frames"]
    if "-video_size" in ARGS:
        width, height = ARGS[ARGS.index("-video_size") + 1].split("x")
        return size // (int(width) * int(height) * 3)
    return 0

def target():
    return ARGS[-1][5:] if ARGS[-1].startswith("file:") else ARGS[-1]

def report(frames, progress="end", speed=1):
    os.write(1, "frame={{}}\\nfps=0.0\\nout_time_us=0\\nspeed={{:.3g}}x\\nprogress={{}}\\n".format(
        frames, speed, progress).encode("ascii"))

if not all(word in ARGS for word in S["when"]):
    delegate()
way = S["way"]
if way == "fails encoders":
    asked = {{after for before, after in zip(ARGS, ARGS[1:]) if before in ("-c:v", "-codec:v", "-vcodec")}}
    way = "dies at once" if asked & set(S["failing"]) else "real"
if way == "hangs once":
    try:
        os.close(os.open(S["log"] + ".hung", os.O_CREAT | os.O_EXCL))
        way = "hangs"
    except FileExistsError:
        way = "real"
if way == "real":
    delegate()
elif way == "dies at once":
    say()
elif way == "dies reading":
    take(S["after"])
    say()
elif way == "hangs":
    take(S["after"])
    report(0, "continue")
    for second in range(600):
        begin = time.monotonic()
        while S["works"] and time.monotonic() < begin + 0.1:
            pass
        time.sleep(0.0 if S["works"] else 0.1)
        if S["speaks"]:  # as ffmpeg 7 and later do while an encoder hangs
            report(0, "continue", 1 / (1 + second))
elif way == "fails at the end":
    subprocess.call([S["real"]] + ARGS)
    say()
elif way in ("writes garbage", "writes nothing"):
    size = take(None)
    if target() not in ("-", "pipe:1"):
        with open(target(), "wb") as file:
            file.write(b"" if way == "writes nothing" else b"no video at all " * 64)
    report(frames_in(size))
    sys.exit(0)
elif way == "reports fewer":
    process = subprocess.Popen([S["real"]] + ARGS, stdout=subprocess.PIPE)
    for line in process.stdout:
        if line.startswith(b"frame="):
            line = "frame={{}}\\n".format(max(0, int(line[6:]) - S["fewer"])).encode("ascii")
        os.write(1, line)
    sys.exit(process.wait())
elif way == "chatters":
    for number in range(S["times"]):
        say()
    take(None)
elif way == "starts another":
    code = "import sys, time; sys.stdin.buffer.read(); time.sleep(3); sys.exit({{}})".format(S["code"])
    sys.exit(subprocess.call([sys.executable, "-ISc", code]))
elif way == "copies":
    with open(S["log"] + ".copy", "wb", 0) as file:
        for _ in range(30):
            file.seek(0)
            file.write(bytes(2 << 20))
            time.sleep(0.1)
elif way == "leaves a child":
    child = subprocess.Popen([sys.executable, "-ISc", "import time; time.sleep(20)"], stdin=subprocess.DEVNULL)
    with open(S["log"] + ".child", "w") as file:
        file.write(str(child.pid))
sys.exit(S["code"])
'''


def make(folder, way="real", real=None, code=1, words="it broke", when=("-progress",), failing=(), after=0,
         fewer=1, frames=None, times=1, speaks=False, works=False, name="ffmpeg"):
    """Write the stand-in into a folder (made if needed) and return its path (str).

    way: one of WAYS; real: path of the ffmpeg that does the rest; code: what it exits with where it fails; words:
    what it says on stderr then; when: the words that a call must contain to be treated so; failing: names of
    encoders; after: bytes; fewer, frames, times: see above. frames None: as many as stdin held.
    """
    if way not in WAYS:
        raise ValueError(way)
    os.makedirs(str(folder), exist_ok=True)
    path = os.path.join(str(folder), name)
    settings = {"way": way, "real": real, "code": code, "words": words, "when": list(when), "failing": list(failing),
                "after": after, "fewer": fewer, "frames": frames, "times": times, "speaks": speaks,
                "works": works, "log": path + ".commands"}
    script = _SCRIPT.format(python=sys.executable, settings=json.dumps(settings))
    beside = path + ".new"  # a stand-in that just ran may still count as busy
    with open(beside, "wb") as file:
        file.write(script.encode("utf-8"))
    os.chmod(beside, stat.S_IRWXU)
    os.replace(beside, path)
    return path


def commands(path, containing=()):
    """Return the calls of a stand-in so far: a list of lists of words, the program's path first.

    containing: only those that have all of these words.
    """
    try:
        with open(path + ".commands", encoding="ascii") as file:
            calls = [json.loads(line) for line in file]
    except FileNotFoundError:
        return []
    return [call for call in calls if all(word in call for word in containing)]


def child_of(path):
    """Return the process id of the program that a stand-in has left behind."""
    with open(path + ".commands.child") as file:
        return int(file.read())


def forget(path):
    """Forget the calls so far."""
    if os.path.exists(path + ".commands"):
        os.remove(path + ".commands")
