"""Puts the accelerating overlay onto a DeepFaceLab, verifies it, or takes it off again.

    python install.py PATH [--yes] [--dry-run] [--no-pip] [--force] [--wheels DIR] [--python EXE]
    python install.py PATH --verify | --uninstall

PATH: the folder of a DeepFaceLab. Any Python from 3.6 on will do; the one that runs DeepFaceLab is found.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

if sys.version_info < (3, 6):
    sys.exit("This needs Python 3.6 or newer; this one is {}.{}.".format(*sys.version_info[:2]))
sys.dont_write_bytecode = True                    # the copy that is installed from stays as it was unpacked
sys.path[:0] = [HERE, os.path.join(HERE, "DeepFaceLab")]

if __name__ == "__main__":
    from installer import sums
    damaged = sums.damaged(HERE)
    if damaged:
        sys.exit("This copy is damaged ({}{}). Unpack the archive again, or download it again. Nothing was changed."
                 .format(", ".join(damaged[:5]), " ..." * (len(damaged) > 5)))
    from installer import command
    sys.exit(command.main())
