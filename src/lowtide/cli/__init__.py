"""The command line: parses, calls app, prints.

Why it exists: users meet lowtide here, so words, exit codes and hints are decided here and nowhere else.

What it must not know: AWS, Kubernetes, and how any decision is made.
"""
