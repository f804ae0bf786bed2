"""Auto Scaling of our own: what a group asks, decided by the functions of `cloud/` that the twin uses.

Why it exists: moto's groups ignore spot, overrides and capacity. Only its records and requests are here yet, so no
service of this name is served.
"""
