"""A training that fails ends, tells so, and has an exit code; at whatever time it fails."""
import pytest
from program import Program

# Works as DeepFaceLab's: one thread trains and prints errors, the other waits for the first preview, then for the end.
TRAINER = """
import os
import queue
import threading
import traceback


def trainerThread(s2c, c2s, e, model_class_name=None, debug=False, **options):
    try:
        if os.environ["FAILS"] == "at once":
            raise ValueError("no faces")
        e.set()
        if os.environ["FAILS"] == "later":
            raise ValueError("a damaged face")
    except Exception as error:
        print("Error: %s" % error)
        traceback.print_exc()
    c2s.put("close")


def main(**options):
    s2c, c2s, e = queue.Queue(), queue.Queue(), threading.Event()
    threading.Thread(target=trainerThread, args=(s2c, c2s, e), kwargs=options).start()
    e.wait()
    c2s.get()
"""
WORDS = ("train --training-data-src-dir a --training-data-dst-dir b --model-dir c --model SAEHD").split()


@pytest.mark.parametrize("fails, code, words", [("at once", 1, "no faces"), ("later", 1, "a damaged face"),
                                                ("never", 0, "Done.")])
def test_training_ends(tmp_path, fails, code, words):
    program = Program(tmp_path)
    program.add_deepfacelab()
    program.write("mainscripts/Trainer.py", TRAINER)
    ended, out, err = program.run(*WORDS, FAILS=fails)
    assert ended == code and words in out and "Traceback" not in err
    assert err == "" if code == 0 else words in err and "ValueError" in err and "Details: " in err
    ended, out, err = program.run(*WORDS, FAILS=fails, DFL_DEBUG="1")
    assert ended == code and ("Traceback" in err) == (code == 1)
    assert ("Done." in out) == (code == 0)


def test_a_trainer_of_another_kind(tmp_path):
    program = Program(tmp_path)
    program.add_deepfacelab()
    program.write("mainscripts/Trainer.py", "def main(**options):\n    print(sorted(options)[0])\n")
    code, out, err = program.run(*WORDS)
    assert (code, err) == (0, "") and out.endswith("cpu_only\nDone.\n")
