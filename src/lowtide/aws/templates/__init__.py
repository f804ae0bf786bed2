"""CloudFormation templates of a cluster, as plain dicts made by small functions.

Why it exists: every stack of a cluster is a value that people can read, diff and apply without lowtide; the same
values are what ``up`` creates.

What it must not know: AWS itself (no client, no network, no account), the file's syntax, Kubernetes objects.
"""
