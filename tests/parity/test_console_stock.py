"""Stock's console against the frozen answers of prompt_cases: DFL_STOCK=<a DeepFaceLab tree>.

DFL_STOCK_PYTHON names an interpreter with stock's packages, if this one lacks them.
"""
import os
import subprocess
import sys

import program

PLAY = """
import sys
sys.path[:0] = sys.argv[1:]
import prompt_cases
from core.interact import interact as console
for kind, arguments, options, answers in prompt_cases.QUESTIONS:
    for typed, printed, result in answers:
        ref = prompt_cases.play(getattr(console, "input_" + kind), arguments, options, typed)
        assert ref == (printed, result), (kind, arguments, options, typed, ref)
print("all as frozen")
"""

if os.environ.get("DFL_STOCK"):
    def test_frozen_answers_are_those_of_stock():
        python = os.environ.get("DFL_STOCK_PYTHON", sys.executable)
        out = subprocess.check_output([python, "-c", PLAY, os.environ["DFL_STOCK"], program.TESTS])
        assert out.strip().endswith(b"all as frozen")
