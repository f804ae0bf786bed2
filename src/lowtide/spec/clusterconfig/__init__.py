"""eksctl's ClusterConfig v1alpha5 as frozen models: the keys, their types, their defaults, and the rules between them.

Why it exists: people keep the cluster file they have, and eksctl accepts ours. So names, defaults and traps are
eksctl's own (facts from eksctl-io/eksctl at 99984adb, 2026-08-21); hardening happens later and visibly, in ``resolve``.

What it must not know: files and lines (``spec.clusterfile``), instance types, prices, and what lowtide would rather have.
"""

from __future__ import annotations
