"""Resource types: how each is created, changed, waited for and deleted, by calls of the service that holds it.

What it must not know: stacks, events, or in which order anything happens.
"""
