"""Our engine as the Cluster Autoscaler of a real API server, where the upstream binary is not to be had.

Why it exists: nobody may build the upstream autoscaler here, and without one a local cluster would not scale. The loop is the twin's, the
decisions are the engine's; this package adds a clock, a cluster, an account, and the upstream's events and status.

What it must not know: that AWS is an embedded one.
"""
