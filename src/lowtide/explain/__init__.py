"""Reasons and costs: pure functions over records, prices and facts.

Why it exists: what a run cost and why a pod waited are computed once, for every report.

What it must not know: I/O, the clock, and file formats.
"""
