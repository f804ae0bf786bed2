"""Plans an upgrade of a live cluster to the next Kubernetes minor; changes nothing.

Why it exists: an upgrade has parts in five places (control plane, add-ons, autoscaler, images, kubelets), each with its own rule.
"""

from __future__ import annotations

import datetime as dt

from lowtide import catalog
from lowtide.app.cluster_named import NamedCluster
from lowtide.app.files import load
from lowtide.app.inside import connected_to
from lowtide.app.kubeconfig import no_such_cluster
from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import LiveCluster, find_cluster
from lowtide.aws.live.images import current_images
from lowtide.aws.live.node_groups import node_groups
from lowtide.aws.live.upgrades import addon_facts, failing_insights, offered_minors
from lowtide.explain.upgrade import UpgradeFacts, next_minor, upgrade_plan
from lowtide.kube.autoscaler_words import DEPLOYMENT
from lowtide.kube.live import kinds
from lowtide.model.catalog import Ami
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.errors import AwsError, InputError, KubernetesError
from lowtide.model.names import SYSTEM_NAMESPACE
from lowtide.model.node_groups import SeenGroup
from lowtide.model.upgrade import NodeImage, UpgradePlan
from lowtide.resolve.support import support_type
from lowtide.spec.cluster_documents import load_documents
from lowtide.spec.clusterfile import cluster_of

#: From node group to the kubelets of its nodes; the autoscaler's image; why there are none.
_Inside = tuple[dict[str, set[str]], str, str]


def plan_upgrade(cluster: NamedCluster, *, profile: str | None = None) -> UpgradePlan:
    """Return what going to the next minor would involve.

    Raises:
        InputError: there is no such cluster.
        AwsError: AWS refused, or could not be reached.
    """
    account = Account(cluster.region, profile)
    found = find_cluster(account, cluster.name)
    if found is None:
        raise no_such_cluster(cluster)
    offered = offered_minors(account)
    target = next_minor(found.version)
    is_offered = target in offered
    groups = node_groups(account, cluster.name)
    kubelets, autoscaler_image, refused = _look_inside(account, found, groups)
    facts = UpgradeFacts(
        name=found.name,
        region=cluster.region,
        version=found.version,
        offered=offered,
        addons=addon_facts(account, found.name, target) if is_offered else (),
        insights=failing_insights(account, found.name, target) if is_offered else (),
        images=_images(account, cluster, groups, kubelets, target),
        autoscaler_image=autoscaler_image,
        support_type=_support_type(cluster),
        file="" if cluster.inputs is None else cluster.inputs.cluster,
        kubernetes=refused,
    )
    return upgrade_plan(facts, today=dt.datetime.now(tz=dt.UTC).date())


def _look_inside(account: Account, found: LiveCluster, groups: tuple[SeenGroup, ...]) -> _Inside:
    """Ask the API server for kubelets and the autoscaler; without an answer the rest is told all the same."""
    kubelets: dict[str, set[str]] = {one.name: set() for one in groups}
    if not found.endpoint:
        return kubelets, "", f"the cluster is {found.status}"
    group_of = {each.id: one.name for one in groups for each in one.instances}
    try:
        with connected_to(account, found) as inside:
            for node in inside.list(kinds.NODE).items:
                instance = str(node["spec"].get("providerID", "")).rpartition("/")[2]
                name = group_of.get(instance, "")
                kubelets.setdefault(name, set()).add(node["status"]["nodeInfo"]["kubeletVersion"])
            deployment = inside.get(kinds.DEPLOYMENT, DEPLOYMENT, SYSTEM_NAMESPACE)
    except KubernetesError as error:
        return kubelets, "", error.why or error.what
    if deployment is None:
        return kubelets, "", ""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return kubelets, str(containers[0]["image"]), ""


def _images(
    account: Account,
    cluster: NamedCluster,
    groups: tuple[SeenGroup, ...],
    kubelets: dict[str, set[str]],
    target: str,
) -> tuple[NodeImage, ...]:
    """Return the groups with the images that their resolvers give for both minors, as far as the file tells them."""
    resolved = None if cluster.inputs is None else load(cluster.inputs).cluster
    now = _resolved_images(account, resolved, None)
    then = _resolved_images(account, resolved, target)
    return tuple(
        NodeImage(
            group=one.name,
            kubelets=tuple(sorted(kubelets.get(one.name, ()))),
            now=now.get(one.name, ""),
            target=then.get(one.name, ""),
        )
        for one in groups
    )


def _resolved_images(
    account: Account, resolved: ResolvedCluster | None, minor: str | None
) -> dict[str, str]:
    if resolved is None:
        return {}
    found = {}
    for group in resolved.node_groups:
        try:
            ami = group.ami if minor is None else _for_minor(resolved, group.name, minor)
            found[group.name] = current_images(account, [ami])[ami].image_id
        except (
            AwsError,
            InputError,
        ):  # a family without an image for that minor, or nobody may ask
            continue
    return found


def _for_minor(resolved: ResolvedCluster, group: str, minor: str) -> Ami:
    one = resolved.group(group)
    types = [candidate.offering.instance_type for candidate in one.candidates]
    resolver = one.ami.image_id or one.ami.resolver
    return catalog.resolve_ami(
        resolver, one.ami.family, version=minor, instance_types=types, region=resolved.region
    )


def _support_type(cluster: NamedCluster) -> str:
    if cluster.inputs is None:
        return "STANDARD"
    return support_type(cluster_of(load_documents(cluster.inputs.cluster).cluster).config)
