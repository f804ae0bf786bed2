"""One file per check, and their runner.

Why it exists: a cluster file can be wrong in many ways that no schema sees; each way gets one small function.

What it must not know: I/O, printing, and any client.
"""
