"""The file becomes what AWS is asked for beyond the nodes of a simulation: network, control plane, roles, launch details.

Why it exists: templates and ``plan`` read values and decide nothing. eksctl's value stands for every omitted key; where lowtide's
differs, ``resolve.hardening`` has a row that says so.

What it must not know: CloudFormation, and anything that only an account can tell. What cannot be said without one is a finding.
"""

from __future__ import annotations

from lowtide.resolve.blueprint.whole import resolve_blueprint

__all__ = ["resolve_blueprint"]
