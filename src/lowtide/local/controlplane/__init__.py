"""Real Kubernetes control planes on loopback: their binaries, secrets, processes and life.

Why it exists: what kubectl and controllers see must be Kubernetes itself, so upstream's own programs run here as plain
processes, without containers and without root.

What it must not know: AWS. A cluster here is a name, a minor and a webhook that checks tokens.
"""
