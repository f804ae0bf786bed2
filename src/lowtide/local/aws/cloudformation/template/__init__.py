"""Templates: read, checked, and evaluated.

What it must not know: stacks as they run, and any service but the Parameter Store that a parameter may name.
"""
