"""What is left in EC2: found by tags in one call, then looked at kind by kind.

Why it exists: DescribeTags knows every kind at once, but also things that are going or gone, so those it names are described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.aws.live.remains.asking import Asking, plain
from lowtide.model.names import CLUSTER_TAG
from lowtide.model.remains import SNAPSHOT, VOLUME, Remain

Raw = Mapping[str, Any]
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Kind:
    """One kind: how its ids begin, how it is described, and how it is removed.

    ``key`` is the field of its id, ``takes`` the field of what removes it. ``filters`` is how the call names its filters, ``gone`` are
    states in which it costs nothing and needs nobody. ``facts`` returns more of ``Remain``'s fields. ``by_stack``: Kubernetes makes none,
    and its tags only let it find those of others (EKS user guide, "View Amazon EKS networking requirements": subnets carry
    ``kubernetes.io/cluster/NAME``, also ``owned``, by the hand of their owner), so nothing but lowtide's tag makes it the cluster's.
    """

    name: str
    prefix: str
    operation: str
    answer: str
    key: str
    command: str
    takes: str = ""
    state: tuple[str, ...] = ("State",)
    gone: frozenset[str] = frozenset()
    filters: str = "Filters"
    by_stack: bool = False
    facts: Callable[[Raw], Mapping[str, Any]] = lambda _: _NOTHING

    def remain(self, asking: Asking, raw: Raw, found_by: str) -> Remain | None:
        """Return it as what is left, None where it is gone as good as."""
        state = _at(raw, *self.state)
        if state in self.gone:
            return None
        taken = str(raw[self.takes or self.key])
        return Remain(
            kind=self.name,
            id=taken,
            found_by=found_by,
            name=plain(raw.get("Tags", ())).get("Name", ""),
            command=asking.command(f"ec2 {self.command} {taken}"),
            is_going=state in {"deleting", "shutting-down"},
            network=raw.get("VpcId", ""),
            **self.facts(raw),
        )


def _at(raw: Raw, *path: str) -> str:
    found: Any = raw
    for key in path:
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, str) else ""


def _instance(raw: Raw) -> Mapping[str, Any]:
    return {"type": raw["InstanceType"], "spot": raw.get("InstanceLifecycle") == "spot"}


def _volume(raw: Raw) -> Mapping[str, Any]:
    return {
        "type": raw["VolumeType"],
        "gib": float(raw["Size"]),
        "iops": raw.get("Iops") or 0,
        "throughput_mib": raw.get("Throughput") or 0,
    }


#: Instances that are shutting down are not billed any more (EC2 user guide, "Instance state changes").
_ENDED = frozenset({"shutting-down", "terminated"})
_DELETED = frozenset({"deleted"})

#: In the order in which they are removed: what others hang on comes later.
EC2_KINDS: tuple[Ec2Kind, ...] = (
    Ec2Kind(
        name="instance",
        prefix="i",
        operation="describe_instances",
        answer="Reservations",
        key="InstanceId",
        command="terminate-instances --instance-ids",
        state=("State", "Name"),
        gone=_ENDED,
        facts=_instance,
    ),
    Ec2Kind(
        name="NAT gateway",
        by_stack=True,
        prefix="nat",
        operation="describe_nat_gateways",
        answer="NatGateways",
        key="NatGatewayId",
        command="delete-nat-gateway --nat-gateway-id",
        gone=_DELETED,
        filters="Filter",
    ),
    Ec2Kind(
        name="elastic IP",
        by_stack=True,
        prefix="eipalloc",
        operation="describe_addresses",
        answer="Addresses",
        key="AllocationId",
        command="release-address --allocation-id",
    ),
    Ec2Kind(
        name="VPC endpoint",
        by_stack=True,
        prefix="vpce",
        operation="describe_vpc_endpoints",
        answer="VpcEndpoints",
        key="VpcEndpointId",
        command="delete-vpc-endpoints --vpc-endpoint-ids",
        gone=_DELETED,
        facts=lambda raw: {"type": raw.get("VpcEndpointType") or "Gateway"},
    ),
    Ec2Kind(
        name="network interface",
        prefix="eni",
        operation="describe_network_interfaces",
        answer="NetworkInterfaces",
        key="NetworkInterfaceId",
        command="delete-network-interface --network-interface-id",
        state=("Status",),
        facts=lambda raw: {"type": raw.get("Status", "")},
    ),
    Ec2Kind(
        name="security group",
        prefix="sg",
        operation="describe_security_groups",
        answer="SecurityGroups",
        key="GroupId",
        command="delete-security-group --group-id",
    ),
    Ec2Kind(
        name="launch template",
        prefix="lt",
        operation="describe_launch_templates",
        answer="LaunchTemplates",
        key="LaunchTemplateId",
        command="delete-launch-template --launch-template-id",
    ),
    Ec2Kind(
        name="placement group",
        by_stack=True,
        prefix="pg",
        operation="describe_placement_groups",
        answer="PlacementGroups",
        key="GroupId",
        takes="GroupName",
        command="delete-placement-group --group-name",
        gone=_DELETED,
    ),
    Ec2Kind(
        name="key pair",
        by_stack=True,
        prefix="key",
        operation="describe_key_pairs",
        answer="KeyPairs",
        key="KeyPairId",
        takes="KeyName",
        command="delete-key-pair --key-name",
    ),
    Ec2Kind(
        name="subnet",
        by_stack=True,
        prefix="subnet",
        operation="describe_subnets",
        answer="Subnets",
        key="SubnetId",
        command="delete-subnet --subnet-id",
    ),
    Ec2Kind(
        name="route table",
        by_stack=True,
        prefix="rtb",
        operation="describe_route_tables",
        answer="RouteTables",
        key="RouteTableId",
        command="delete-route-table --route-table-id",
    ),
    Ec2Kind(
        name="internet gateway",
        by_stack=True,
        prefix="igw",
        operation="describe_internet_gateways",
        answer="InternetGateways",
        key="InternetGatewayId",
        command="delete-internet-gateway --internet-gateway-id",
    ),
    Ec2Kind(
        name="VPC",
        by_stack=True,
        prefix="vpc",
        operation="describe_vpcs",
        answer="Vpcs",
        key="VpcId",
        command="delete-vpc --vpc-id",
    ),
    Ec2Kind(
        name=VOLUME,
        prefix="vol",
        operation="describe_volumes",
        answer="Volumes",
        key="VolumeId",
        command="delete-volume --volume-id",
        gone=_DELETED,
        facts=_volume,
    ),
    Ec2Kind(
        name=SNAPSHOT,
        prefix="snap",
        operation="describe_snapshots",
        answer="Snapshots",
        key="SnapshotId",
        command="delete-snapshot --snapshot-id",
        facts=lambda raw: {"gib": float(raw.get("VolumeSize", 0))},
    ),
)
_BY_PREFIX = {one.prefix: one for one in EC2_KINDS}


def find_in_ec2(asking: Asking) -> Iterator[Remain]:
    """Yield what carries a tag of the cluster, and the interfaces that EKS makes for a control plane, which carry none."""
    tagged: dict[str, dict[str, str]] = {}
    keys = {"Name": "key", "Values": [*asking.tags, *asking.keys_of_others]}
    for one in asking.every("ec2", "describe_tags", "Tags", Filters=[keys]):
        tagged.setdefault(one["ResourceId"], {})[one["Key"]] = one.get("Value", "")
    owned = {resource: tag for resource, tags in tagged.items() if (tag := asking.owner_tag(tags))}
    prefixes = {resource.partition("-")[0] for resource in owned}
    for kind in EC2_KINDS:
        if kind.prefix in prefixes:
            yield from _described(asking, kind, owned)
    yield from _of_control_plane(asking, owned)


def _described(asking: Asking, kind: Ec2Kind, owned: Mapping[str, str]) -> Iterator[Remain]:
    by_tag = {"Name": "tag-key", "Values": list(asking.tags)}
    own = f"{CLUSTER_TAG}={asking.cluster}"
    for raw in _flat(
        asking.every("ec2", kind.operation, kind.answer, **{kind.filters: [by_tag]}), kind
    ):
        found_by = owned.get(raw[kind.key])
        if found_by is not None and (found_by == own or not kind.by_stack):
            found = kind.remain(asking, raw, found_by)
            if found is not None:
                yield found


def _flat(items: Iterator[Raw], kind: Ec2Kind) -> Iterator[Raw]:
    if kind.answer != "Reservations":
        yield from items
        return
    for one in items:
        yield from one["Instances"]


def _of_control_plane(asking: Asking, owned: Mapping[str, str]) -> Iterator[Remain]:
    """Yield them by their description (EKS user guide, "Amazon EKS cluster networking")."""
    words = f"Amazon EKS {asking.cluster}"
    kind = _BY_PREFIX["eni"]
    by_words = {"Name": "description", "Values": [words]}
    for raw in asking.every("ec2", kind.operation, kind.answer, Filters=[by_words]):
        found = kind.remain(asking, raw, f"description {words}")
        if found is not None and found.id not in owned:
            yield found


def tag_volumes(asking: Asking, volumes: tuple[str, ...]) -> None:
    """Put the cluster's tag on volumes, so that they are found when the cluster is gone.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    tag = {"Key": CLUSTER_TAG, "Value": asking.cluster}
    asking.ask("ec2", "create_tags", Resources=list(volumes), Tags=[tag])
