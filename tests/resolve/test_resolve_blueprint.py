"""What a file asks of AWS, section by section, and what cannot be rendered, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowtide.model.blueprint import (
    AccessEntry,
    AccessPolicy,
    BlockDevice,
    Blueprint,
    Identity,
    Launch,
    NodeRole,
    Permissions,
    Subnet,
)
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.errors import InputError
from lowtide.model.policy import Policy
from lowtide.resolve import resolve_cluster
from lowtide.resolve.blueprint import resolve_blueprint
from lowtide.spec.clusterfile import read_cluster

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu" / "cluster.yaml"
HEAD = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: tide, region: us-east-1, version: "1.36", tags: {bill: "7", team: all}}
"""
ZONES = "availabilityZones: [us-east-1a, us-east-1b]\n"
GENERAL = "nodeGroups:\n- {name: general, instanceType: m5.large, minSize: 1, maxSize: 3}\n"
SPOT = (
    "- {name: spot, instancesDistribution: {instanceTypes: [g4dn.xlarge],"
    " onDemandPercentageAboveBaseCapacity: 0}, minSize: 0, maxSize: 2}\n"
)
EXISTING = """\
vpc:
  id: vpc-1
  subnets:
    public:
      us-east-1a: {id: subnet-pub-a}
      us-east-1b: {id: subnet-pub-b}
    private:
      one: {id: subnet-a1, az: us-east-1a}
      two: {id: subnet-a2, az: us-east-1a}
      us-east-1b: {id: subnet-b}
"""
CNI_ASSOCIATION = (
    "{namespace: kube-system, serviceAccountName: aws-node, permissionPolicyARNs: [a]}"
)
AUTOSCALER = Identity(
    kind="pod-identity",
    namespace="kube-system",
    name="cluster-autoscaler",
    permissions=Permissions(well_known=("autoScaler",)),
    create_account=False,
)
HANDLER = Identity(
    kind="pod-identity",
    namespace="kube-system",
    name="aws-node-termination-handler",
    permissions=Permissions(well_known=("nodeTerminationHandler",)),
    create_account=False,
)


def _both(text: str) -> tuple[ResolvedCluster, Blueprint]:
    file = read_cluster(HEAD + text, "cluster.yaml")
    cluster = resolve_cluster(file, Policy())
    return cluster, resolve_blueprint(file, cluster)


def _blueprint(text: str = ZONES + GENERAL) -> Blueprint:
    return _both(text)[1]


def _group(keys: str, kind: str = "nodeGroups") -> Launch:
    text = f"{ZONES}{kind}:\n- name: one\n  minSize: 1\n"
    return _blueprint(text + "".join(f"  {line}\n" for line in keys.splitlines())).launch("one")


def _findings(text: str) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        _blueprint(text)
    assert all(one.mark.line and one.fix for one in caught.value.findings)
    return [(one.name, one.path) for one in caught.value.findings]


def _addon_names(blueprint: Blueprint) -> list[tuple[str, bool]]:
    return [(one.name, one.needs_nodes) for one in blueprint.addons]


# The whole


def test_the_example_asks_for_what_it_says() -> None:
    file = read_cluster(EXAMPLE.read_text("utf-8"), str(EXAMPLE))
    cluster = resolve_cluster(file, Policy())
    found = resolve_blueprint(file, cluster)
    assert [one.group for one in found.launches] == [one.name for one in cluster.node_groups]
    assert found.network.nat_zones == ("us-east-1a",)
    assert [one.cidr for one in found.network.subnets] == [
        f"192.168.{third}.0/19" for third in (0, 32, 64, 96, 128, 160)
    ]
    assert found.identities == (AUTOSCALER, HANDLER)
    assert _addon_names(found) == [
        ("vpc-cni", False),
        ("kube-proxy", False),
        ("eks-pod-identity-agent", False),
        ("coredns", True),
        ("metrics-server", True),
    ]
    plane = found.control_plane
    assert (plane.support_type, plane.authentication_mode) == ("STANDARD", "API")
    assert (plane.public_access, plane.private_access, plane.with_oidc) == (True, True, True)
    assert {one.imds_hops for one in found.launches} == {2}
    assert len({one.role.role_name for one in found.launches}) == 1


def test_the_same_file_gives_the_same_blueprint() -> None:
    assert _blueprint(ZONES + GENERAL + SPOT) == _blueprint(ZONES + GENERAL + SPOT)


def test_every_finding_comes_at_once_each_at_its_place() -> None:
    text = ZONES + GENERAL + "- {name: two, ssh: {publicKeyPath: ~/.ssh/a.pub}}\n"
    text += "- {name: three, additionalVolumes: [{volumeSize: 10}]}\n"
    text += "accessConfig: {authenticationMode: CONFIG_MAP}\n"
    assert _findings(text) == [
        ("needs-an-account", "nodeGroups[1].ssh.publicKeyPath"),
        ("missing-device-name", "nodeGroups[2].additionalVolumes[0]"),
        ("no-access-entries", "accessConfig.authenticationMode"),
    ]


# Network


def test_public_subnets_come_first_then_private_ones_as_in_eksctl() -> None:
    text = "vpc: {cidr: 10.7.0.0/16}\navailabilityZones: [us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e]\n"
    subnets = _blueprint(text + GENERAL).network.subnets
    assert subnets[:2] == (
        Subnet(zone="us-east-1a", public=True, cidr="10.7.0.0/20"),
        Subnet(zone="us-east-1b", public=True, cidr="10.7.16.0/20"),
    )
    assert subnets[5] == Subnet(zone="us-east-1a", public=False, cidr="10.7.80.0/20")


@pytest.mark.parametrize(
    ("mode", "private", "zones"),
    [
        ("Single", "true", ("us-east-1a",)),
        ("HighlyAvailable", "true", ("us-east-1a", "us-east-1b")),
        ("Disable", "true", ()),
        ("Single", "false", ()),
        ("HighlyAvailable", "false", ()),
    ],
)
def test_nat_gateways_stand_where_the_file_says_and_something_needs_them(
    mode: str, private: str, zones: tuple[str, ...]
) -> None:
    group = GENERAL.replace("maxSize: 3", f"maxSize: 3, privateNetworking: {private}")
    cluster, found = _both(f"vpc: {{nat: {{gateway: {mode}}}}}\n{ZONES}{group}")
    assert found.network.nat_zones == zones
    assert cluster.network.nat_gateways == len(zones)


def test_an_existing_vpc_is_used_as_it_is() -> None:
    group = GENERAL.replace("maxSize: 3", "maxSize: 3, privateNetworking: true")
    plan = _blueprint(EXISTING + group).network
    assert (plan.vpc_id, plan.cidr, plan.nat_zones) == ("vpc-1", "", ())
    assert plan.subnets == (
        Subnet(zone="us-east-1a", public=True, id="subnet-pub-a"),
        Subnet(zone="us-east-1b", public=True, id="subnet-pub-b"),
        Subnet(zone="us-east-1a", public=False, id="subnet-a1"),
        Subnet(zone="us-east-1a", public=False, id="subnet-a2"),
        Subnet(zone="us-east-1b", public=False, id="subnet-b"),
    )


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("", ("subnet-pub-a", "subnet-pub-b")),
        ("privateNetworking: true", ("subnet-a1", "subnet-a2", "subnet-b")),
        ("privateNetworking: true, availabilityZones: [us-east-1b]", ("subnet-b",)),
        ("privateNetworking: true, subnets: [two, us-east-1b]", ("subnet-a2", "subnet-b")),
        ("subnets: [us-east-1b]", ("subnet-pub-b",)),
        ("subnets: [subnet-a1]", ("subnet-a1",)),
    ],
)
def test_a_group_in_an_existing_vpc_is_in_its_subnets(where: str, ids: tuple[str, ...]) -> None:
    group = GENERAL.replace("maxSize: 3", f"maxSize: 3, {where}".rstrip(", "))
    assert _blueprint(EXISTING + group).launch("general").subnet_ids == ids


def test_a_group_in_a_new_vpc_names_no_subnet() -> None:
    assert _blueprint().launch("general").subnet_ids == ()


def test_given_security_groups_and_addresses_reach_the_network() -> None:
    text = """\
vpc:
  cidr: 10.0.1.0/16
  extraCIDRs: [100.64.0.0/16]
  securityGroup: sg-1
  sharedNodeSecurityGroup: sg-2
  manageSharedNodeSecurityGroupRules: false
  controlPlaneOnPrivateSubnets: true
"""
    plan = _blueprint(text + ZONES + GENERAL).network
    assert (plan.cidr, plan.extra_cidrs) == ("10.0.0.0/16", ("100.64.0.0/16",))
    assert (plan.security_group, plan.shared_node_security_group) == ("sg-1", "sg-2")
    assert plan.control_plane_on_private_subnets
    assert not plan.manage_shared_rules


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("vpc: {id: vpc-1}\n" + ZONES + GENERAL, ("needs-an-account", "vpc.id")),
        (EXISTING.replace("  id: vpc-1\n", "") + GENERAL, ("needs-an-account", "vpc")),
        (
            EXISTING.replace("id: subnet-a1", "cidr: 10.0.0.0/24") + GENERAL,
            ("needs-an-account", "vpc.subnets.private.one"),
        ),
        (
            EXISTING.replace(", az: us-east-1a}\n      two", "}\n      two") + GENERAL,
            ("needs-an-account", "vpc.subnets.private.one"),
        ),
        (
            EXISTING + GENERAL.replace("maxSize: 3", "maxSize: 3, subnets: [nowhere]"),
            ("missing-subnet", "nodeGroups[0].subnets[0]"),
        ),
        (
            GENERAL.replace("maxSize: 3", "maxSize: 3, availabilityZones: [us-east-1f]"),
            ("missing-subnet", "nodeGroups[0].availabilityZones[0]"),
        ),
        (
            f"availabilityZones: [{', '.join('us-east-1' + letter for letter in 'abcdefghi')}]\n"
            + GENERAL,
            ("wrong-network", "availabilityZones"),
        ),
        ("vpc: {cidr: 'fd00::/16'}\n" + ZONES + GENERAL, ("wrong-network", "vpc.cidr")),
        (
            "kubernetesNetworkConfig: {serviceIPv4CIDR: 8.0.0.0/16}\n" + ZONES + GENERAL,
            ("wrong-network", "kubernetesNetworkConfig.serviceIPv4CIDR"),
        ),
        (
            "kubernetesNetworkConfig: {serviceIPv4CIDR: 192.168.0.0/20}\n" + ZONES + GENERAL,
            ("wrong-network", "kubernetesNetworkConfig.serviceIPv4CIDR"),
        ),
    ],
)
def test_a_network_that_cannot_be_rendered_is_refused(text: str, finding: tuple[str, str]) -> None:
    assert _findings(text) == [finding]


def test_a_private_group_without_a_private_subnet_is_refused() -> None:
    public_only = EXISTING[: EXISTING.index("    private:")]
    group = GENERAL.replace("maxSize: 3", "maxSize: 3, privateNetworking: true")
    assert _findings(public_only + group) == [("missing-subnet", "nodeGroups[0]")]


# Control plane


def test_the_control_plane_is_as_the_file_says() -> None:
    plane = _blueprint(
        ZONES
        + GENERAL
        + """\
upgradePolicy: {supportType: EXTENDED}
accessConfig:
  authenticationMode: API_AND_CONFIG_MAP
  bootstrapClusterCreatorAdminPermissions: false
  accessEntries:
  - principalARN: arn:aws:iam::111122223333:role/dev
    kubernetesGroups: [viewers]
    kubernetesUsername: dev
    accessPolicies:
    - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy
      accessScope: {type: namespace, namespaces: [jobs]}
vpc:
  clusterEndpoints: {publicAccess: true, privateAccess: true}
  publicAccessCIDRs: [1.2.3.0/24]
cloudWatch: {clusterLogging: {enableTypes: ["*"], logRetentionInDays: 30}}
secretsEncryption: {keyARN: "arn:aws:kms:us-east-1:111122223333:key/k"}
kubernetesNetworkConfig: {serviceIPv4CIDR: 172.20.0.0/16}
iam:
  withOIDC: true
  vpcResourceControllerPolicy: false
  serviceRolePermissionsBoundary: arn:aws:iam::111122223333:policy/edge
"""
    ).control_plane
    assert (plane.support_type, plane.authentication_mode) == ("EXTENDED", "API_AND_CONFIG_MAP")
    assert (plane.creator_is_admin, plane.with_oidc) == (False, True)
    assert (plane.public_access, plane.private_access) == (True, True)
    assert plane.public_cidrs == ("1.2.3.0/24",)
    assert plane.log_types == ("api", "audit", "authenticator", "controllerManager", "scheduler")
    assert plane.log_retention_days == 30
    assert plane.secrets_key_arn == "arn:aws:kms:us-east-1:111122223333:key/k"
    assert plane.service_cidr == "172.20.0.0/16"
    assert plane.role_boundary_arn == "arn:aws:iam::111122223333:policy/edge"
    assert not plane.vpc_resource_controller
    assert plane.tags == {"bill": "7", "team": "all"}
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    assert plane.access_entries == (
        AccessEntry(
            principal_arn="arn:aws:iam::111122223333:role/dev",
            groups=("viewers",),
            username="dev",
            policies=(AccessPolicy(arn=policy, namespaces=("jobs",)),),
        ),
    )


def test_what_the_file_leaves_out_is_hardened_or_eksctls() -> None:
    plane = _blueprint().control_plane
    assert (plane.support_type, plane.authentication_mode) == ("STANDARD", "API")
    assert (plane.public_access, plane.private_access) == (True, False)
    assert (plane.service_cidr, plane.secrets_key_arn, plane.log_types) == ("", "", ())


# Add-ons


def test_eksctls_default_addons_are_added_and_the_agent_because_it_is_needed() -> None:
    assert _addon_names(_blueprint()) == [
        ("vpc-cni", False),
        ("kube-proxy", False),
        ("eks-pod-identity-agent", False),
        ("coredns", True),
        ("metrics-server", True),
    ]


def test_without_default_addons_only_the_files_are_left_and_the_agent() -> None:
    text = "addonsConfig: {disableDefaultAddons: true}\naddons: [{name: Snapshot-Controller}]\n"
    assert _addon_names(_blueprint(text + ZONES + GENERAL)) == [
        ("eks-pod-identity-agent", False),
        ("snapshot-controller", True),
    ]


def test_regions_without_metrics_server_get_none() -> None:
    text = (ZONES + GENERAL).replace("us-east-1", "us-gov-west-1")
    file = read_cluster(HEAD.replace("us-east-1", "us-gov-west-1") + text, "cluster.yaml")
    found = resolve_blueprint(file, resolve_cluster(file, Policy()))
    assert "metrics-server" not in {one.name for one in found.addons}


def test_an_addon_keeps_what_the_file_says_of_it() -> None:
    text = """\
addons:
- name: vpc-cni
  version: v1.20.0-eksbuild.1
  configurationValues: '{"env": {"ENABLE_PREFIX_DELEGATION": "true"}}'
  resolveConflicts: overwrite
  serviceAccountRoleARN: arn:aws:iam::111122223333:role/cni
  tags: {a: b}
- {name: coredns, version: latest, namespaceConfig: {namespace: dns}}
"""
    cni, *_, dns, _ = _blueprint(text + ZONES + GENERAL).addons
    assert (cni.version, cni.resolve_conflicts) == ("v1.20.0-eksbuild.1", "OVERWRITE")
    assert cni.configuration == '{"env": {"ENABLE_PREFIX_DELEGATION": "true"}}'
    assert (cni.role_arn, cni.identities) == ("arn:aws:iam::111122223333:role/cni", ())
    assert cni.tags == {"a": "b"}
    assert (dns.name, dns.version, dns.namespace) == ("coredns", "", "dns")


@pytest.mark.parametrize(
    ("text", "kind", "permissions"),
    [
        ("", "pod-identity", Permissions(well_known=("vpcCNI",))),
        ("iam: {withOIDC: true}\n", "irsa", Permissions(well_known=("vpcCNI",))),
        (
            "iam: {withOIDC: true}\naddonsConfig: {autoApplyPodIdentityAssociations: true}\n",
            "pod-identity",
            Permissions(well_known=("vpcCNI",)),
        ),
        (
            "iam: {withOIDC: true}\naddons: [{name: vpc-cni, useDefaultPodIdentityAssociations: true}]\n",
            "pod-identity",
            Permissions(well_known=("vpcCNI",)),
        ),
        (
            "iam: {withOIDC: true}\naddons: [{name: vpc-cni, attachPolicyARNs: [a], permissionsBoundary: b}]\n",
            "irsa",
            Permissions(policy_arns=("a",), boundary_arn="b"),
        ),
        (
            f"addons: [{{name: vpc-cni, podIdentityAssociations: [{CNI_ASSOCIATION}]}}]\n",
            "pod-identity",
            Permissions(policy_arns=("a",)),
        ),
    ],
)
def test_the_cni_has_a_role_of_its_own(text: str, kind: str, permissions: Permissions) -> None:
    found = _blueprint(text + ZONES + GENERAL)
    (cni,) = [one for one in found.addons if one.name == "vpc-cni"]
    assert cni.identities == (
        Identity(
            kind=kind,
            namespace="kube-system",
            name="aws-node",
            permissions=permissions,
            create_account=False,
        ),
    )


def test_a_cni_role_among_the_files_service_accounts_is_not_made_twice() -> None:
    text = """\
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {name: aws-node, namespace: kube-system}
    attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]
    roleOnly: true
"""
    found = _blueprint(text + ZONES + GENERAL)
    assert [one.identities for one in found.addons if one.name == "vpc-cni"] == [()]


@pytest.mark.parametrize(
    ("addons", "finding"),
    [
        ("{name: x, attachPolicyARNs: [a]}", ("unknown-account", "addons[0]")),
        (
            "{name: x, useDefaultPodIdentityAssociations: true}",
            ("unknown-account", "addons[0].useDefaultPodIdentityAssociations"),
        ),
        ("{name: coredns}, {name: CoreDNS}", ("same-name-twice", "addons[1]")),
        (
            "{name: x, podIdentityAssociations: [{namespace: jobs, serviceAccountName: s, roleARN: r, targetRoleARN: t}]}",
            ("not-in-an-add-on", "addons[0].podIdentityAssociations[0].targetRoleARN"),
        ),
        (
            "{name: x, podIdentityAssociations: [{serviceAccountName: s, roleARN: r}]}",
            ("unknown-account", "addons[0].podIdentityAssociations[0]"),
        ),
    ],
)
def test_an_addon_that_cannot_be_rendered_is_refused(addons: str, finding: tuple[str, str]) -> None:
    assert _findings(f"addons: [{addons}]\n" + ZONES + GENERAL) == [finding]


@pytest.mark.parametrize(
    ("addon", "namespaces"),
    [
        ("name: vpc-cni", ["kube-system"]),
        ("name: x, namespaceConfig: {namespace: theirs}", ["theirs"]),
    ],
)
def test_an_association_without_a_namespace_is_in_that_of_its_addon(
    addon: str, namespaces: list[str]
) -> None:
    one = "{serviceAccountName: s, permissionPolicyARNs: [a]}"
    text = f"addons: [{{{addon}, podIdentityAssociations: [{one}]}}]\n"
    found = _blueprint(text + ZONES + GENERAL).addons
    assert [each.namespace for one in found for each in one.identities if each.name == "s"] == (
        namespaces
    )


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("aws-ebs-csi-driver", ("kube-system", "ebs-csi-controller-sa", "ebsCSIController")),
        ("aws-efs-csi-driver", ("kube-system", "efs-csi-controller-sa", "efsCSIController")),
        ("aws-fsx-csi-driver", ("kube-system", "fsx-csi-controller-sa", "fsxCSIController")),
        (
            "amazon-cloudwatch-observability",
            ("amazon-cloudwatch", "cloudwatch-agent", "cloudWatchAgent"),
        ),
    ],
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_an_addon_that_asks_for_recommended_permissions_gets_its_role(
    name: str, role: tuple[str, str, str], everywhere: bool
) -> None:
    asked = "addonsConfig: {autoApplyPodIdentityAssociations: true}\n" if everywhere else ""
    own = "" if everywhere else ", useDefaultPodIdentityAssociations: true"
    text = f"iam: {{withOIDC: true}}\n{asked}addons: [{{name: {name}{own}}}]\n"
    (addon,) = [one for one in _blueprint(text + ZONES + GENERAL).addons if one.name == name]
    (one,) = addon.identities
    assert (one.namespace, one.name, *one.permissions.well_known) == role
    assert (one.kind, one.create_account) == ("pod-identity", False)


def test_an_addon_that_calls_nothing_may_ask_for_recommended_permissions() -> None:
    text = "addons: [{name: coredns, useDefaultPodIdentityAssociations: true}]\n"
    found = _blueprint(text + ZONES + GENERAL).addons
    assert [one.identities for one in found if one.name == "coredns"] == [()]


@pytest.mark.parametrize("name", ["aws-fsx-csi-driver", "amazon-cloudwatch-observability"])
def test_an_addon_with_wide_recommended_permissions_gets_none_unasked(name: str) -> None:
    (addon,) = [
        one
        for one in _blueprint(f"addons: [{{name: {name}}}]\n" + ZONES + GENERAL).addons
        if one.name == name
    ]
    assert addon.identities == ()


AGENT = "addons: [{name: eks-pod-identity-agent}]\n"
LOAD_BALANCER = "wellKnownPolicies: {awsLoadBalancerController: true}"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (
            f"iam: {{withOIDC: true, serviceAccounts: [{{metadata: {{name: lb}}, {LOAD_BALANCER}}}]}}\n",
            "iam.serviceAccounts[0].wellKnownPolicies.awsLoadBalancerController",
        ),
        (
            f"{AGENT}iam: {{podIdentityAssociations: [{{namespace: a, serviceAccountName: lb, {LOAD_BALANCER}}}]}}\n",
            "iam.podIdentityAssociations[0].wellKnownPolicies.awsLoadBalancerController",
        ),
        (
            f"addons: [{{name: vpc-cni, {LOAD_BALANCER}}}]\n",
            "addons[0].wellKnownPolicies.awsLoadBalancerController",
        ),
        *(
            (
                f"managedNodeGroups: [{{name: m, iam: {{withAddonPolicies: {{{key}: true}}}}}}]\n",
                f"managedNodeGroups[0].iam.withAddonPolicies.{key}",
            )
            for key in ("awsLoadBalancerController", "albIngress", "appMesh", "appMeshPreview")
        ),
    ],
)
def test_a_policy_that_nothing_is_rendered_for_warns_in_check_and_is_refused_by_plan(
    text: str, path: str
) -> None:
    whole = text + ZONES + GENERAL
    (warning,) = resolve_cluster(read_cluster(HEAD + whole, "cluster.yaml"), Policy()).warnings
    assert (warning.severity, warning.name, warning.path) == ("warning", "unavailable-policy", path)
    assert warning.mark.line
    assert warning.fix
    assert _findings(whole) == [("unavailable-policy", path)]


# Identities


def test_the_autoscaler_always_has_a_role_and_the_handler_where_spot_is_used() -> None:
    assert _blueprint().identities == (AUTOSCALER,)
    assert _blueprint(ZONES + GENERAL + SPOT).identities == (AUTOSCALER, HANDLER)


def test_a_role_that_the_file_gives_the_autoscaler_stands() -> None:
    text = """\
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {name: cluster-autoscaler, namespace: kube-system, labels: {a: b}, annotations: {c: d}}
    wellKnownPolicies: {autoScaler: true, ebsCSIController: true}
    roleName: mine
    subjectPattern: system:serviceaccount:kube-system:*
    permissionsBoundary: edge
    tags: {t: u}
"""
    found = _blueprint(text + ZONES + GENERAL)
    assert found.identities == (
        Identity(
            kind="irsa",
            namespace="kube-system",
            name="cluster-autoscaler",
            permissions=Permissions(
                well_known=("autoScaler", "ebsCSIController"), boundary_arn="edge"
            ),
            role_name="mine",
            labels={"a": "b"},
            annotations={"c": "d"},
            tags={"t": "u"},
            subject_pattern="system:serviceaccount:kube-system:*",
        ),
    )
    assert "eks-pod-identity-agent" not in {one.name for one in found.addons}


def test_pod_identities_of_the_file_come_whole() -> None:
    text = """\
addons: [{name: eks-pod-identity-agent}]
iam:
  podIdentityAssociations:
  - namespace: jobs
    serviceAccountName: train
    createServiceAccount: true
    permissionPolicy: {Version: "2012-10-17", Statement: []}
    permissionPolicyName: read-data
    permissionsBoundaryARN: edge
    roleName: train
    targetRoleARN: other
    disableSessionTags: true
    policy: "{}"
    tags: {t: u}
"""
    found = _blueprint(text + ZONES + GENERAL)
    assert found.identities == (
        Identity(
            kind="pod-identity",
            namespace="jobs",
            name="train",
            permissions=Permissions(
                document={"Version": "2012-10-17", "Statement": []},
                document_name="read-data",
                boundary_arn="edge",
            ),
            role_name="train",
            tags={"t": "u"},
            target_role_arn="other",
            disable_session_tags=True,
            session_policy="{}",
        ),
        AUTOSCALER,
    )


def test_two_associations_of_one_account_are_refused() -> None:
    one = "{namespace: jobs, serviceAccountName: s, roleARN: r}"
    text = f"addons: [{{name: eks-pod-identity-agent}}]\niam: {{podIdentityAssociations: [{one}, {one}]}}\n"
    assert _findings(text + ZONES + GENERAL) == [
        ("same-name-twice", "iam.podIdentityAssociations[1]")
    ]


# Launches


def test_a_group_that_says_nothing_is_launched_as_eksctl_would() -> None:
    assert _group("instanceType: m5.large") == Launch(
        group="one", instance_name="tide-one-Node", tags={"bill": "7", "team": "all"}
    )


@pytest.mark.parametrize(
    ("keys", "field", "value"),
    [
        ("disablePodIMDS: true", "imds_hops", 1),
        ("disableIMDSv1: false", "imds_v1", True),
        ("maxPodsPerNode: 20", "max_pods", 20),
        ("kubeletExtraConfig: {maxPods: 5}", "kubelet", {"maxPods": 5}),
        ("clusterDNS: 169.254.20.10", "cluster_dns", "169.254.20.10"),
        ("preBootstrapCommands: [a, b]", "pre_bootstrap", ("a", "b")),
        ("overrideBootstrapCommand: 'x: y'", "override_bootstrap", "x: y"),
        ("securityGroups: {attachIDs: [sg-1]}", "security_groups", ("sg-1",)),
        ("securityGroups: {withShared: false}", "with_shared_group", False),
        ("securityGroups: {withLocal: false}", "with_local_group", False),
        ("ebsOptimized: false", "ebs_optimized", False),
        ("enableDetailedMonitoring: true", "detailed_monitoring", True),
        ("efaEnabled: true\navailabilityZones: [us-east-1a]", "efa", True),
        ("placement: {groupName: near}", "placement_group", "near"),
        ("instanceType: t3.large\ncpuCredits: Unlimited", "cpu_credits", "unlimited"),
        ("maxInstanceLifetime: 86400", "max_lifetime_s", 86400),
        (
            "asgMetricsCollection: [{granularity: 1Minute, metrics: [GroupMinSize]}]",
            "metrics",
            (("1Minute", ("GroupMinSize",)),),
        ),
        ("volumeSize: 10\nvolumeName: /dev/xvdz", "root_device", "/dev/xvdz"),
        (
            "volumeSize: 10\nvolumeEncrypted: true\nvolumeKmsKeyID: key-1",
            "kms_key_id",
            "key-1",
        ),
        (
            "capacityReservation: {capacityReservationTarget: {capacityReservationID: cr-1}}",
            "reservation",
            {"capacityReservationTarget": {"capacityReservationID": "cr-1"}},
        ),
        (
            "capacityReservation: {capacityReservationPreference: none}\ninstanceMarketOptions: {marketType: capacity-block}",
            "market_type",
            "capacity-block",
        ),
        ("instanceName: box", "instance_name", "box"),
        ("instancePrefix: x", "instance_name", "x-tide-one-Node"),
        ("tags: {Name: mine}", "instance_name", "mine"),
        ("tags: {team: own}", "tags", {"bill": "7", "team": "own"}),
        (
            "instancesDistribution: {instanceTypes: [g4dn.xlarge], spotInstancePools: 3}",
            "spot_pools",
            3,
        ),
        ("ssh: {publicKeyName: mine}", "key_name", "mine"),
        ("ssh: {publicKey: ssh-ed25519 AAAA}", "public_key", "ssh-ed25519 AAAA"),
        ("ssh: {publicKeyName: mine}", "ssh_allowed", True),
        ("ssh: {allow: false, publicKeyName: mine}", "ssh_allowed", False),
        ("ssh: {allow: false, publicKeyName: mine}", "key_name", ""),
        ("ssh: {publicKeyName: k, sourceSecurityGroupIds: [sg-9]}", "ssh_sources", ("sg-9",)),
        (
            "amiFamily: Bottlerocket\nbottlerocket: {settings: {motd: hi}}",
            "bottlerocket",
            {"settings": {"motd": "hi"}},
        ),
        (
            "amiFamily: Bottlerocket\nssh: {publicKeyName: k}",
            "bottlerocket",
            {"enableAdminContainer": True},
        ),
        (
            "amiFamily: Bottlerocket\nssh: {publicKeyName: k}\nbottlerocket: {enableAdminContainer: false}",
            "bottlerocket",
            {"enableAdminContainer": False},
        ),
    ],
)
def test_a_key_of_a_group_reaches_its_launch(keys: str, field: str, value: object) -> None:
    assert getattr(_group(keys), field) == value


def test_further_volumes_are_encrypted_unless_the_file_says_otherwise() -> None:
    keys = """\
additionalVolumes:
- {volumeName: /dev/sdf, volumeSize: 100, volumeType: io2}
- {volumeName: /dev/sdg, volumeEncrypted: false, volumeThroughput: 200, snapshotID: snap-1}
- {volumeName: /dev/sdh, volumeEncrypted: true, volumeKmsKeyID: key-1, volumeIOPS: 4000}
"""
    assert _group(keys).volumes == (
        BlockDevice(device="/dev/sdf", gib=100, type="io2", encrypted=True, iops=100),
        BlockDevice(
            device="/dev/sdg",
            gib=80,
            type="gp3",
            encrypted=False,
            throughput_mib=200,
            snapshot_id="snap-1",
        ),
        BlockDevice(
            device="/dev/sdh", gib=80, type="gp3", encrypted=True, kms_key_id="key-1", iops=4000
        ),
    )


def test_the_role_of_the_nodes_is_as_the_file_says() -> None:
    keys = """\
iam:
  withAddonPolicies: {autoScaler: true, ebs: true}
  attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
  attachPolicy: {Version: "2012-10-17", Statement: []}
  instanceRoleName: nodes
  instanceRolePermissionsBoundary: edge
"""
    assert _group(keys).role == NodeRole(
        role_name="nodes",
        addon_policies=("autoScaler", "ebs"),
        permissions=Permissions(
            policy_arns=("arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",),
            document={"Version": "2012-10-17", "Statement": []},
            boundary_arn="edge",
        ),
        replaces_defaults=True,
    )


def test_groups_that_say_the_same_of_their_role_share_it() -> None:
    more = "- {name: two, iam: {withAddonPolicies: {ebs: true}}}\n"
    found = _blueprint(ZONES + GENERAL + SPOT + more)
    assert found.launch("general").role == found.launch("spot").role
    assert found.launch("two").role != found.launch("general").role


def test_a_managed_group_has_neither_of_our_security_groups_and_its_update_settings() -> None:
    found = _group("updateConfig: {maxUnavailablePercentage: 40}", "managedNodeGroups")
    assert (found.with_shared_group, found.with_local_group) == (False, False)
    assert (found.max_unavailable, found.max_unavailable_percent) == (0, 40)


@pytest.mark.parametrize(
    ("keys", "finding"),
    [
        ("ssh: {allow: true}", ("needs-an-account", "nodeGroups[1].ssh.allow")),
        (
            "iam: {instanceProfileARN: 'arn:aws:iam::111122223333:instance-profile/p'}",
            ("needs-an-account", "nodeGroups[1].iam.instanceProfileARN"),
        ),
        (
            "iam: {instanceRoleName: nodes, withAddonPolicies: {ebs: true}}",
            ("same-name-twice", "nodeGroups[1].iam.instanceRoleName"),
        ),
    ],
)
def test_a_launch_that_cannot_be_rendered_is_refused(keys: str, finding: tuple[str, str]) -> None:
    first = GENERAL.replace("maxSize: 3", "maxSize: 3, iam: {instanceRoleName: nodes}")
    assert _findings(f"{ZONES}{first}- {{name: two, {keys}}}\n") == [finding]


def test_a_key_file_that_ssh_never_uses_is_no_finding() -> None:
    assert _group("ssh: {allow: false, publicKeyPath: ~/.ssh/a.pub}").public_key == ""


def test_an_unknown_group_has_no_launch() -> None:
    with pytest.raises(KeyError):
        _blueprint().launch("nobody")


# Notes


def test_a_cluster_in_a_network_of_its_own_leaves_nothing_to_say() -> None:
    assert _blueprint(ZONES + GENERAL + SPOT).notes == ()


def test_an_existing_vpc_gets_no_s3_endpoint_and_that_is_said() -> None:
    cluster, found = _both(EXISTING + GENERAL)
    (note,) = found.notes
    assert "no S3 gateway endpoint is made in vpc-1" in note
    assert "$0.045 a GB" in note
    assert not cluster.network.s3_gateway_endpoint
    assert "vpc S3 gateway endpoint" not in {row.key for row in cluster.hardening}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("volumeSize: 9, volumeEncrypted: true, volumeKmsKeyID: key-1", True),
        (
            "additionalVolumes: [{volumeName: /dev/sdf, volumeEncrypted: true, volumeKmsKeyID: key-1}]",
            True,
        ),
        ("volumeSize: 9, volumeEncrypted: true, volumeKmsKeyID: alias/aws/ebs", False),
        ("volumeSize: 9, volumeEncrypted: true", False),
    ],
)
def test_a_key_of_ones_own_must_allow_auto_scaling_and_that_is_said(keys: str, said: bool) -> None:
    found = _blueprint(ZONES + GENERAL + f"- {{name: data, {keys}}}\n").notes
    assert [one for one in found if "AWSServiceRoleForAutoScaling" in one and "data" in one] == (
        list(found)
    )
    assert bool(found) is said


def test_what_nobody_has_verified_of_ubuntu_is_said() -> None:
    more = "- {name: two, amiFamily: Ubuntu2404}\n"
    (note,) = _blueprint(ZONES + GENERAL + more).notes
    assert note.startswith("the start of two is not verified")
