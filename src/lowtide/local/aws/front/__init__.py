"""The door of the embedded AWS: HTTP in, a ``Call`` to the box, HTTP out.

What it must not know: what any service does with a call.
"""
