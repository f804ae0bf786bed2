"""The use cases: check, simulate, compare, init, prices.

Why it exists: it is the only place where parts are wired together, so every other room stays a plain function.

What it must not know: how arguments are parsed and how results are printed.
"""
