"""The digital twin: event kernel, virtual clock, kubelet and controllers. Its front door is ``twin.run.run``.

Why it exists: it drives engine and cloud through hours of cluster life in a second of real time.

What it must not know: real time, the network, and how a report looks.
"""
