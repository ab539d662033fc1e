"""Merges without merging: notes frames in a session's journal as fast as it can, until it is killed.

    python tests/session_writer.py SESSION

For every frame: begun, its output written, done. Prints a line when the first frames are through.
"""
import os
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(TESTS), 'DeepFaceLab'), TESTS]

from accel import files  # noqa: E402
from accel.merge import session  # noqa: E402


def main(path):
    now = session.load(path)
    settings = now.frames[0].settings
    journal = session.save(path, now)
    for turn in range(1000):
        settings = settings._replace(erode_mask_modifier=turn % 400)
        for index in range(len(now.frames)):
            journal.begun(index)
            files.write_atomic('{}.{}.out'.format(path, index), str(settings.erode_mask_modifier).encode())
            journal.done(index, settings)
        if turn == 0:
            print('running', flush=True)
        if turn % 7 == 6:
            now = session.load(path)
            journal.close()
            journal = session.save(path, now)


if __name__ == '__main__':
    main(sys.argv[1])
