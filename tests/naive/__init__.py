"""Slow, obvious oracles: what each result means, in plain loops over small inputs.

One module for each module of the engine. They import nothing from `accel`; tests compare the two as
`ref = naive_module.f(...)`, `comp = f(...)`. `python tests/naive/sort.py METHOD FOLDER` ranks a folder with
them.
"""
