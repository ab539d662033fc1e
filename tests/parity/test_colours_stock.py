"""Stock's own core.imagelib.color_transfer and ours, to the last bit, on pictures of all kinds.

    DFL_STOCK=path/of/DeepFaceLab [DFL_STOCK_PYTHON=python] python -m pytest tests/parity/test_colours_stock.py

DFL_STOCK_PYTHON (default: the running Python) runs both; it needs stock's packages and numba.
"""
import os
import subprocess
import sys

from program import PROGRAM

HERE = os.path.dirname(os.path.abspath(__file__))
STOCK = os.environ['DFL_STOCK']
STOCK_PYTHON = os.environ.get('DFL_STOCK_PYTHON', sys.executable)


def test_colours_are_equal_to_the_bit():
    out = subprocess.check_output([STOCK_PYTHON, '-W', 'ignore', os.path.join(HERE, 'colours_session.py'), STOCK,
                                   os.path.dirname(HERE), PROGRAM], stdin=subprocess.DEVNULL)
    lines = out.decode().splitlines()
    assert lines[:-1] == []
    assert int(lines[-1].split()[1]) > 500
