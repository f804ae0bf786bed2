"""Kubernetes manifests, objects and flags, pure; the live client gets its own module later.

Why it exists: what lowtide installs into a cluster is rendered here once, for users, twin and tests alike.

What it must not know: the twin, AWS, and the command line.
"""
