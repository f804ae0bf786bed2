"""Kubernetes decides: kube-scheduler and Cluster Autoscaler as pure functions.

Why it exists: placing pods, scaling up, scaling down and what-if are the same functions, whoever asks.

What it must not know: the clock, I/O, logging, random streams, and every room but model.
"""
