"""EKS in a box: the embedded AWS and the control plane's processes; opened by its own issue.

Why it exists: it is named now so that its floor is fixed.

What it must not know: the command line.
"""
