"""Benchmarks: run.py is the command, cases/ says what is measured, the rest makes input or shows results.

Input: workspace.py (faces) and frames.py, and what is called after a step. Results: results.py has them written by
report.py (tables), picture.py and page.py (HTML). scale.py is another kind of run: many sizes of few cases.
"""
