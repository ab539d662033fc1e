"""Benchmarks: run.py is the command, workspace.py and frames.py make the input, cases/ says what is measured."""
