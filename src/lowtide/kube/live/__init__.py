"""The live Kubernetes API: the only place that holds a Kubernetes client.

What it must not know: what the objects mean to the engine, or who asks.
"""
