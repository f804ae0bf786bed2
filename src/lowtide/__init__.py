"""GPU workloads on Amazon EKS at the lowest cost.

lowtide reads one cluster file, checks it, simulates it and prices it before any money is spent.
The rooms below this package are ordered by floors; see docs/architecture.md.
"""

__version__ = "0.1.0"
