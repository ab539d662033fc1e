"""Benchmarks: run.py is the command, workspace.py makes the input, cases/ says what is measured."""
