"""Values to terminal text, JSON and HTML.

Why it exists: one simulation is read by people, programs and browsers; the three views of it live here.

What it must not know: every room but model; a report never computes a decision or a cost.
"""
