"""A program to interrupt: it runs ffmpeg as join does (feed), or waits for one that never ends (hang, ask)."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "DeepFaceLab"))

from accel.video import process, tools  # noqa: E402


def endless():
    frame = bytes(96 * 64 * 3)
    yield frame
    print("working", flush=True)
    while True:
        yield frame


def main():
    way, ffmpeg = sys.argv[1:3]
    command = [ffmpeg] + list(process.OPENING)
    raw = ["-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", "96x64", "-i", "pipe:0", "-f", "null", "-"]
    if way == "feed":
        process.run(command + raw, endless())
    elif way == "hang":
        process.run(command + raw, on_progress=lambda progress: print("working", flush=True))
    elif way == "ask":
        print("working", flush=True)
        tools.ask(command + raw)
    elif way == "thread":  # as a trial in a pool that is not waited for
        thread = threading.Thread(target=process.run, args=(command + raw,), daemon=True,
                                  kwargs={"on_progress": lambda progress: started.set()})
        started = threading.Event()
        thread.start()
        started.wait(10)
        print("working", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
