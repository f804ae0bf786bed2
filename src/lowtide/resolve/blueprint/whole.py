"""The parts of a blueprint, put together, or one error with every finding."""

from __future__ import annotations

from lowtide.model.blueprint import Blueprint
from lowtide.model.cluster import ResolvedCluster
from lowtide.resolve.blueprint.addons import addons
from lowtide.resolve.blueprint.control_plane import control_plane
from lowtide.resolve.blueprint.identities import identities
from lowtide.resolve.blueprint.launches import launches
from lowtide.resolve.blueprint.network import network
from lowtide.resolve.blueprint.notes import notes
from lowtide.resolve.blueprint.scope import Scope
from lowtide.resolve.ready_policies import UNAVAILABLE_POLICY, unavailable_policies
from lowtide.spec.clusterfile import ClusterFile
from lowtide.spec.document import Problems


def resolve_blueprint(file: ClusterFile, cluster: ResolvedCluster) -> Blueprint:
    """Return what the file asks of AWS, beside the resolved cluster of the same file.

    Raises:
        InputError: with every finding at once: what cannot be rendered without an account, or what AWS would refuse.
    """
    problems = Problems(file.document)
    scope = Scope(config=file.config, cluster=cluster, problems=problems)
    for path, message, fix in unavailable_policies(file.config):
        scope.refuse(UNAVAILABLE_POLICY, message, path, fix)
    plan = network(scope)
    nodes = launches(scope, plan)
    blueprint = Blueprint(
        control_plane=control_plane(scope),
        network=plan,
        addons=addons(scope),
        identities=identities(scope),
        launches=nodes,
        notes=notes(scope, nodes),
    )
    problems.raise_if_any(f"{file.document.file} cannot be rendered")
    return blueprint
