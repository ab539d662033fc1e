"""Our main.py against that of a DeepFaceLab tree: DFL_STOCK=<its path>. Without it there is nothing here.

Both run among the same stand-ins: what they call, with which arguments, must be the same.
"""
import json
import os

import program

STOCK = os.environ.get("DFL_STOCK")
DEVICES = "core.leras.nn.initialize_main_env"


def stock_program(folder):
    """Return stock's main.py among the stand-ins, with the two small modules of its own it needs."""
    result = program.Program(folder, files=("main.py",), source=STOCK)
    result.add_deepfacelab()
    for name in ("pathex", "osex"):
        with open(os.path.join(STOCK, "core", name + ".py"), encoding="utf-8") as file:
            result.write("core/{}.py".format(name), file.read())
    result.write("core/interact.py", "class interact:\n    log_info = print\n")
    return result


def calls_of(which):
    """Return what a program called, its folder taken out of the paths, without the list of devices."""
    calls = json.loads(json.dumps(which.calls()).replace(str(which.folder), ""))
    return [call for call in calls if call[0] != DEVICES]


if STOCK:
    def test_commands_call_the_same(tmp_path):
        with open(os.path.join(program.TESTS, "data", "command_calls.json")) as file:
            lines = [line for line, calls in json.load(file)]
        stock = stock_program(tmp_path / "same" / "stock")
        ours = program.Program(tmp_path / "ours" / "stock")
        ours.add_deepfacelab()
        for folder in (which.folder / name for which in (stock, ours) for name in "ab"):
            folder.mkdir()                # ours asks for folders of faces to be there
        for line in lines:
            ref, comp = (which.run(*line.split(), HOME="/home/user") for which in (stock, ours))
            assert (ref[0], comp[0]) == (0, 0), line
            ref, comp = (calls_of(which) for which in (stock, ours))
            assert comp == ref, line
