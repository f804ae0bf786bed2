"""The whole file becomes the resolved cluster, or one error with every finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lowtide import catalog
from lowtide.model.catalog import FreshPrices
from lowtide.model.cluster import AddonVersions, NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.model.policy import Policy
from lowtide.resolve.accelerators import warn_of_accelerator
from lowtide.resolve.addon_roles import unknown_permissions
from lowtide.resolve.context import (
    UNKNOWN_PERMISSIONS,
    UNKNOWN_TYPE,
    UNSUPPORTED_VERSION,
    WRONG_ZONE,
    Context,
)
from lowtide.resolve.flags import autoscaler_flags
from lowtide.resolve.groups import resolve_group
from lowtide.resolve.hardening import hardening_rows
from lowtide.resolve.network import network_prices
from lowtide.resolve.ready_policies import UNAVAILABLE_POLICY, unavailable_policies
from lowtide.resolve.support import support_notices, support_type
from lowtide.resolve.tagging import with_tags
from lowtide.spec.clusterconfig.cluster import ClusterConfig
from lowtide.spec.clusterfile import ClusterFile
from lowtide.spec.document import Problems


def resolve_cluster(
    file: ClusterFile, policy: Policy, fresh: FreshPrices = catalog.NO_FRESH
) -> ResolvedCluster:
    """Return the resolved cluster: eksctl's values, then the visible hardening, then prices, ``fresh`` ones first.

    Raises:
        InputError: with every finding of the file at once: types, images, prices, zones or versions that cannot be.
    """
    config = file.config
    problems = Problems(file.document)
    context = Context(
        config=config,
        document=file.document,
        policy=policy,
        problems=problems,
        version=_version(config, problems),
        zones=config.zones or catalog.chosen_zones(config.region),
        fresh=fresh,
    )
    _refuse_foreign_zones(config, problems)
    _warn_of_permissions(context)
    problems.extend(_strangers(policy))
    found = [(at, resolve_group(context, at)) for at in config.all_groups]
    problems.raise_if_any(f"{file.document.file} cannot be resolved")
    resolved = [(at, group) for at, group in found if group is not None]
    for at, group in resolved:
        warn_of_accelerator(context, at, group)
    groups = with_tags(context, resolved)
    problems.raise_if_any(f"{file.document.file} cannot be resolved")
    return _resolved(context, groups)


def _resolved(context: Context, groups: tuple[NodeGroup, ...]) -> ResolvedCluster:
    config, policy = context.config, context.policy
    version = catalog.kubernetes_version(context.version)
    offerings = catalog.offerings(
        config.region, spot_discount=policy.spot_discount, fresh=context.fresh
    )
    return ResolvedCluster(
        name=config.name,
        region=config.region,
        version=context.version,
        zones=context.zones,
        node_groups=groups,
        hardening=hardening_rows(context, groups),
        control_plane_usd_per_hour=catalog.control_plane_usd_per_hour(
            version, support_type(config)
        ),
        network=network_prices(config, context.zones),
        autoscaler_tags=policy.autoscaler.tags,
        autoscaler_flags=autoscaler_flags(
            config.name, tuned=context.full, given=policy.autoscaler.flags
        ),
        addons=AddonVersions(
            autoscaler_image=policy.autoscaler.image or version.autoscaler_image,
            device_plugin_image=policy.device_plugin_image or catalog.DEVICE_PLUGIN_IMAGE,
            termination_handler_image=catalog.TERMINATION_HANDLER_IMAGE,
        ),
        regional_offerings=tuple(one for one in offerings if one.instance_type.nvidia_gpus),
        notices=_notices(context, groups, version),
        warnings=context.problems.findings,
        price_dates=catalog.price_dates(config.region, context.fresh),
    )


def _version(config: ClusterConfig, problems: Problems) -> str:
    """Return the minor; where the file leaves it open, the newest that an autoscaler serves."""
    given = config.metadata.version
    if given in {"", "auto", "latest"}:
        return catalog.default_version().minor
    try:
        return catalog.kubernetes_version(given).minor
    except InputError as error:
        message = f"{error.what}: {error.why}"
        problems.add(*UNSUPPORTED_VERSION, message, ("metadata", "version"), error.fix)
        return catalog.default_version().minor


def _refuse_foreign_zones(config: ClusterConfig, problems: Problems) -> None:
    for index, zone in enumerate(config.availability_zones):
        if not catalog.is_zone_of(zone, config.region):
            message = f"{zone} is no availability zone of {config.region}"
            fix = f"write for instance {config.region}a"
            problems.add(*WRONG_ZONE, message, ("availabilityZones", index), fix)


def _warn_of_permissions(context: Context) -> None:
    """Warn of what a simulation does not need, and what renders cannot give."""
    for path, message, fix in unavailable_policies(context.config):
        context.warn(UNAVAILABLE_POLICY, message, path, fix)
    for index, name in unknown_permissions(context.config):
        message = f"{name} gets no role: only EKS knows which permissions it recommends for it"
        fix = (
            f"aws eks describe-addon-configuration --addon-name {name} --query podIdentityConfiguration"
            " --addon-version VERSION tells accounts and policies: write them as podIdentityAssociations"
        )
        context.warn(UNKNOWN_PERMISSIONS, message, ("addons", index), fix)


def _strangers(policy: Policy) -> Iterator[Finding]:
    """Yield a finding for every instance type that lowtide.yaml names and the catalog does not know."""
    code, name = UNKNOWN_TYPE
    for key, types in (
        ("spot.discount", policy.spot_discount),
        ("nodes.measuredAllocatableMiB", policy.measured_allocatable_mib),
    ):
        for one in types:
            try:
                catalog.instance_type(one)
            except InputError as error:
                yield Finding(
                    code=code,
                    name=name,
                    severity=Severity.ERROR,
                    message=f"{error.what}: {error.why}",
                    mark=Mark(file="lowtide.yaml"),
                    path=f"{key}.{one}",
                    fix=error.fix,
                )


def _notices(
    context: Context, groups: Sequence[NodeGroup], version: catalog.KubernetesVersion
) -> tuple[str, ...]:
    config = context.config
    notices = []
    if config.region != catalog.PRICED_REGION:
        notices.append(_price_notice(config.region, groups))
    return (*notices, *support_notices(config, version))


def _price_notice(region: str, groups: Sequence[NodeGroup]) -> str:
    """Return which figures are not the region's own; volumes, NAT and the control plane never are."""
    foreign = sorted(
        {
            one.offering.instance_type.name
            for group in groups
            for one in group.candidates
            if one.offering.priced_as != region
        }
    )
    others = f"those of {catalog.PRICED_REGION}, not of {region}"
    if foreign:
        return f"prices are {others}: `lowtide prices refresh --region {region}` asks AWS for those of instances"
    return f"prices of volumes, NAT and the control plane are {others}: no others are bundled"
