"""Everything that a cluster file leads to, as values: resolved cluster, blueprint, stacks and manifests.

Why it exists: ``plan`` shows what ``render`` writes, so both take it from one place.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.app.files import Inputs, load, refusal
from lowtide.aws.templates.cfn import Stack, stack_name
from lowtide.aws.templates.stacks import stacks
from lowtide.kube.addons import default_addons
from lowtide.kube.addons.accounts import account_manifests, with_identities
from lowtide.kube.objects import Manifest, key
from lowtide.model.blueprint import Blueprint
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.meta import Meta
from lowtide.model.policy import Policy
from lowtide.resolve.blueprint import resolve_blueprint
from lowtide.spec.clusterfile import ClusterFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A cluster to be made. ``stacks`` are in the order in which they can be created."""

    inputs: Inputs
    file: ClusterFile
    policy: Policy
    cluster: ResolvedCluster
    blueprint: Blueprint
    stacks: tuple[Stack, ...]

    @property
    def interruptions(self) -> Stack | None:
        """The stack of the queue of spot interruptions, None where nothing is bought on spot."""
        return self.stack(stack_name(self.cluster.name, "interruption"))

    def stack(self, name: str) -> Stack | None:
        """Return the stack of a name, None where there is none."""
        return next((one for one in self.stacks if one.name == name), None)

    @property
    def needs_device_plugin(self) -> bool:
        """Whether a group has GPUs that its image does not offer by itself."""
        return self.cluster.needs_device_plugin

    @property
    def accounts(self) -> list[Manifest]:
        """Namespaces and service accounts of the file, but for those that come with an add-on of ours."""
        ours = [key(one) for one in default_addons(self.cluster)]
        return account_manifests(self.blueprint.identities, besides=ours)

    @property
    def manifests(self) -> list[Manifest]:
        """Every Kubernetes object, in the order in which they can be applied."""
        addons = with_identities(default_addons(self.cluster), self.blueprint.identities)
        return [*self.accounts, *addons]

    @property
    def objects(self) -> tuple[Meta, ...]:
        """The identity of every Kubernetes object."""
        return tuple(key(one) for one in self.manifests)


def design(inputs: Inputs) -> Design:
    """Read and resolve everything, and form every stack.

    Raises:
        InputError: a file cannot be read or resolved, with every finding of all of them.
    """
    loaded = load(inputs)
    if loaded.file is None or loaded.policy is None or loaded.cluster is None:
        raise refusal(loaded, "can be planned")
    blueprint = resolve_blueprint(loaded.file, loaded.cluster)
    return Design(
        inputs=inputs,
        file=loaded.file,
        policy=loaded.policy,
        cluster=loaded.cluster,
        blueprint=blueprint,
        stacks=stacks(loaded.cluster, blueprint),
    )
