"""The embedded AWS: wire formats and services on one loopback port, over ``cloud`` and moto.

What it must not know: how a user's files are read, or what our own commands decide. It answers AWS calls.
"""
