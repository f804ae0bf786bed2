"""``lowtide down`` where a cluster has left things behind: found, priced, kept or removed, and nothing of anybody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.app import sweep
from lowtide.aws.live.remains.removing import KINDS
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.model import names
from tests.life import leftovers
from tests.life.leftovers import client, tags
from tests.terminal import Terminal

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

NAME = "demo"
BY_NAME = ("--name", NAME, "--region", "us-east-1")
Down = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def down(
    served: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Down:
    """Run ``down`` by name and return its exit code and document."""
    monkeypatch.setattr(sweep, "ROUNDS", 3)

    def run_down(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run(["down", *BY_NAME, "--yes", "-o", "json", *arguments])
        return code, json.loads(capsys.readouterr().out)

    return run_down


def test_what_was_never_there_is_proved_to_be_gone(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["down", *BY_NAME]) == 0, "there is nothing to ask about"
    said = capsys.readouterr()
    assert f"There is no cluster {NAME} in us-east-1" in said.err
    last = said.out.splitlines()[-1]
    assert last.startswith(
        f"Nothing of {NAME} is left in us-east-1: looked for {len(KINDS)} kinds of things in "
    )
    assert len(last) <= 80
    assert ", ".join(KINDS) in " ".join(said.out.split())


def test_a_context_of_the_cluster_that_is_gone_is_named_before_the_proof_and_left(
    served: Serving,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = client("sts").get_caller_identity()["Account"]
    arn, other = (f"arn:aws:eks:us-east-1:{account}:cluster/{name}" for name in (NAME, "my-demo"))
    text = json.dumps(
        {"contexts": [{"name": one[-9:], "context": {"cluster": one}} for one in (other, arn)]}
    )
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert run(["down", *BY_NAME]) == 0
    lines = capsys.readouterr().out.splitlines()
    (told,) = (one for one in lines[:-1] if "kubectl" in one)
    assert told.endswith(f"kubectl config delete-context {arn[-9:]}")
    assert lines[-1].startswith(f"Nothing of {NAME} is left")
    assert file.read_text() == text
    monkeypatch.setenv("KUBECONFIG", f"/nowhere:{file}")
    assert run(["down", *BY_NAME]) == 0
    assert f"delete-context {arn[-9:]} --kubeconfig {file}" in capsys.readouterr().out


@pytest.mark.slow
def test_every_kind_is_found_with_its_price_and_the_command_that_removes_it(down: Down) -> None:
    leftovers.everything(NAME)
    code, found = down()
    assert code == 1
    assert leftovers.kinds(found["left"]) == leftovers.MADE
    assert not found["nothing_left"]
    assert all(
        one["command"].startswith("aws ") and one["id"] in one["command"] for one in found["left"]
    )
    usd = {one["kind"]: one["usd_per_month"] for one in found["left"] if one["usd_per_month"]}
    assert usd == {
        "instance": pytest.approx(0.096 * 730),
        "load balancer": pytest.approx(16.425),
        "classic load balancer": pytest.approx(18.25),
        "NAT gateway": pytest.approx(32.85),
        "elastic IP": pytest.approx(3.65),
        "volume": pytest.approx(8.0) if usd["volume"] > 1 else pytest.approx(0.08),
        "snapshot": pytest.approx(0.05),
    }
    again, same = down()
    assert (again, same["left"]) == (1, found["left"]), "looking takes nothing away"


@pytest.mark.slow
def test_a_sweep_removes_all_but_data_and_data_goes_with_its_own_word(down: Down) -> None:
    leftovers.everything(NAME)
    code, swept = down("--sweep")
    assert code == 1
    assert leftovers.kinds(swept["left"]) == {"volume", "snapshot"}
    assert leftovers.kinds(swept["removed"]) == leftovers.MADE - {"volume", "snapshot"}
    code, swept = down("--sweep", "--delete-volumes", "--confirm-name", NAME)
    assert (code, swept["left"], swept["nothing_left"]) == (0, [], True)
    assert leftovers.kinds(swept["removed"]) == {"volume", "snapshot"}


def test_data_is_not_deleted_without_the_cluster_s_name(
    down: Down, capsys: pytest.CaptureFixture[str]
) -> None:
    leftovers.volume(tags({names.CLUSTER_TAG: NAME}))
    flags = ["down", *BY_NAME, "--yes", "--sweep", "--delete-volumes"]
    assert run(flags) == 2
    assert "--confirm-name demo says it beforehand" in capsys.readouterr().err
    assert run([*flags, "--confirm-name", "dome"]) == 2
    assert "'dome' is not the cluster's name" in capsys.readouterr().err
    assert run(["down", *BY_NAME, "--yes", "--delete-volumes"]) == 2
    assert "--delete-volumes is a part of --sweep" in capsys.readouterr().err
    assert leftovers.kinds(down()[1]["left"]) == {"volume"}


@pytest.mark.parametrize(("typed", "code"), [("demo", 0), ("yes", 2)])
def test_at_a_terminal_the_name_is_typed(
    typed: str, code: int, served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftovers.volume(tags({names.CLUSTER_TAG: NAME}))
    monkeypatch.setattr("sys.stdin", Terminal("y", typed))
    assert run(["down", *BY_NAME, "--sweep", "--delete-volumes"]) == code
    assert len(client("ec2").describe_volumes()["Volumes"]) == (0 if code == 0 else 1)


def test_what_is_kept_on_purpose_is_no_failure(
    down: Down, capsys: pytest.CaptureFixture[str]
) -> None:
    leftovers.volume(tags({names.CLUSTER_TAG: NAME}))
    code, found = down("--keep", "Volume", "--sweep", "--delete-volumes", "--confirm-name", NAME)
    assert (code, [one["kept"] for one in found["left"]]) == (0, [True])
    assert run(["down", *BY_NAME, "--keep", "volume"]) == 0
    assert "$8.00 a month (kept)" in capsys.readouterr().out
    assert run(["down", *BY_NAME, "--keep", "disks"]) == 2
    assert "There is no kind 'disks'" in capsys.readouterr().err


def test_things_that_cost_nothing_are_listed_and_are_no_failure(down: Down) -> None:
    client("ssm").put_parameter(Name=f"/lowtide/{NAME}/cluster-ca", Value="v", Type="String")
    code, found = down()
    assert (code, found["nothing_left"]) == (0, False)
    assert [one["id"] for one in found["left"]] == [f"/lowtide/{NAME}/cluster-ca"]


def test_people_are_told_what_is_left_what_it_costs_and_what_to_do(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = leftovers.volume(tags({names.CLUSTER_TAG: NAME}))
    assert run(["down", *BY_NAME]) == 1
    said = capsys.readouterr()
    assert f"volume {volume}, gp3, 100 GiB: $8.00 a month, by lowtide.dev/cluster=demo" in said.out
    assert f"aws ec2 delete-volume --volume-id {volume} --region us-east-1" in said.out
    assert "1 volume of demo cost money and are left" in said.err
    assert "lowtide down --name demo --region us-east-1 --sweep removes them" in said.err


# What is not the cluster's


def test_what_is_shared_or_another_cluster_s_or_eksctl_s_is_no_leftover(down: Down) -> None:
    leftovers.network(tags({f"kubernetes.io/cluster/{NAME}": "shared"}))
    for wanted in (
        {names.CLUSTER_TAG: "demo-2"},
        {"kubernetes.io/cluster/demo-2": "owned"},
        {names.EKSCTL_CLUSTER: NAME, f"kubernetes.io/cluster/{NAME}": "owned"},
        {"Name": NAME},
    ):
        leftovers.volume(tags(wanted))
    client("logs").create_log_group(logGroupName="/aws/eks/demo-2/cluster")
    client("iam").create_role(
        RoleName="lowtide-demo-2-cluster-R",
        AssumeRolePolicyDocument=json.dumps(leftovers.TRUST),
        Tags=tags({names.CLUSTER_TAG: "demo-2"}),
    )
    code, found = down("--sweep", "--delete-volumes", "--confirm-name", NAME)
    assert (code, found["left"], found["removed"]) == (0, [], [])
    assert len(client("ec2").describe_volumes()["Volumes"]) == 4


def test_a_network_is_the_cluster_s_by_lowtide_s_tag_alone(down: Down) -> None:
    owned = tags({f"kubernetes.io/cluster/{NAME}": "owned"})
    subnet = leftovers.network([], owned)[1]
    client("ec2").create_key_pair(KeyName="theirs", **leftovers.said("key-pair", owned))
    client("ec2").allocate_address(Domain="vpc", **leftovers.said("elastic-ip", owned))
    client("ssm").put_parameter(Name=f"/lowtide/{NAME}/cluster-ca", Value="v", Type="String")
    code, found = down("--sweep")
    assert (code, found["left"]) == (0, [])
    assert leftovers.kinds(found["removed"]) == {"parameter"}
    assert client("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"]


def test_what_kubernetes_tagged_in_another_network_is_listed_and_stays(down: Down) -> None:
    owned = tags({f"kubernetes.io/cluster/{NAME}": "owned"})
    vpc, subnet, group = leftovers.network(owned, [])
    client("elbv2").create_load_balancer(
        Name="theirs", Subnets=[subnet], Type="network", Tags=owned
    )
    own = leftovers.network(owned, tags({names.CLUSTER_TAG: NAME}))
    code, found = down("--sweep")
    assert {
        (one["id"], one["elsewhere"]) for one in found["left"] if one["kind"] != "load balancer"
    } == {(group, vpc)}
    assert [one["elsewhere"] for one in found["left"] if one["kind"] == "load balancer"] == [vpc]
    assert code == 1, "the balancer costs money, and whose it is has to be said"
    assert {own[0], own[2]} <= {one["id"] for one in found["removed"]}


def test_a_cluster_of_the_same_name_that_cluster_api_made_is_left_alone(down: Down) -> None:
    others = tags(
        {
            f"kubernetes.io/cluster/{NAME}": "owned",
            f"sigs.k8s.io/cluster-api-provider-aws/cluster/{NAME}": "owned",
        }
    )
    leftovers.volume(others)
    leftovers.network(others)
    client("elb").create_load_balancer(
        LoadBalancerName="apiserver",
        Listeners=[{"Protocol": "tcp", "LoadBalancerPort": 6443, "InstancePort": 6443}],
        AvailabilityZones=["us-east-1a"],
        Tags=others,
    )
    client("ssm").put_parameter(Name=f"/lowtide/{NAME}/cluster-ca", Value="v", Type="String")
    code, found = down("--sweep", "--delete-volumes", "--confirm-name", NAME)
    assert (code, found["left"]) == (0, [])
    assert leftovers.kinds(found["removed"]) == {"parameter"}


def test_a_cluster_of_another_tool_is_refused_although_it_has_kubernetes_tags(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    leftovers.volume(tags({f"kubernetes.io/cluster/{NAME}": "owned"}))
    flags = ["down", *BY_NAME, "--yes", "--sweep", "--delete-volumes", "--confirm-name", NAME]
    assert run(flags) == 2
    words = capsys.readouterr().err
    assert "Nothing shows that lowtide made a cluster demo in us-east-1" in words
    assert len(client("ec2").describe_volumes()["Volumes"]) == 1


@pytest.mark.slow
def test_a_stack_of_ours_that_is_gone_is_proof_enough(down: Down) -> None:
    volume = leftovers.volume(tags({f"kubernetes.io/cluster/{NAME}": "owned"}))
    queue: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    leftovers.stack(f"lowtide-{NAME}-cluster", NAME, queue)
    assert [one["id"] for one in down()[1]["left"]] == [volume]
    assert down("--sweep", "--delete-volumes", "--confirm-name", NAME)[0] == 0


def test_what_a_sweep_would_remove_beside_the_stacks_is_shown_before_the_question(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    owned, ours = ({f"kubernetes.io/cluster/{NAME}": "owned"}, {names.CLUSTER_TAG: NAME})
    group = leftovers.network(tags(owned), tags(ours))[2]
    queue: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    leftovers.stack(f"lowtide-{NAME}-cluster", NAME, queue)
    assert run(["down", *BY_NAME, "--sweep"]) == 2
    assert f"- security group {group}" in capsys.readouterr().err
    assert run(["down", *BY_NAME]) == 2
    assert group not in capsys.readouterr().err


@pytest.mark.slow
def test_roles_stay_where_another_region_has_a_cluster_of_that_name(down: Down) -> None:
    ours = tags({names.CLUSTER_TAG: NAME})
    client("iam").create_role(
        RoleName=f"lowtide-{NAME}-cluster-R",
        AssumeRolePolicyDocument=json.dumps(leftovers.TRUST),
        Tags=ours,
    )
    leftovers.eks_cluster(NAME, {names.CLUSTER_TAG: NAME}, region="eu-west-1")
    code, found = down("--sweep")
    assert code == 0
    assert [(one["kind"], one["elsewhere"]) for one in found["left"]] == [("role", "eu-west-1")]


def test_roles_stay_where_nobody_may_ask_for_the_regions(down: Down, served: Serving) -> None:
    client("iam").create_role(
        RoleName=f"lowtide-{NAME}-cluster-R",
        AssumeRolePolicyDocument=json.dumps(leftovers.TRUST),
        Tags=tags({names.CLUSTER_TAG: NAME}),
    )
    denied = {"kind": "access-denied", "service": "ec2", "operation": "DescribeRegions"}
    faults.add(served.box, denied)
    code, found = down("--sweep")
    assert (code, [one["elsewhere"] for one in found["left"]]) == (0, ["another region"])


@pytest.mark.slow
def test_a_cluster_without_its_stack_goes_by_the_sweep(down: Down) -> None:
    leftovers.eks_cluster(NAME, {names.CLUSTER_TAG: NAME})
    code, found = down()
    usd = {one["kind"]: one["usd_per_month"] for one in found["left"]}
    assert (code, usd) == (1, {"EKS cluster": pytest.approx(73.0), "security group": 0.0})
    code, found = down("--sweep")
    assert (code, found["nothing_left"]) == (0, True)
    assert "EKS cluster" in leftovers.kinds(found["removed"])


@pytest.mark.slow
def test_a_managed_node_group_without_its_stack_goes_by_the_sweep_before_its_cluster(
    down: Down,
) -> None:
    leftovers.eks_cluster(NAME, {names.CLUSTER_TAG: NAME})
    leftovers.node_group(NAME, {names.CLUSTER_TAG: NAME})
    code, found = down()
    assert code == 1
    (group,) = (one for one in found["left"] if one["kind"] == "EKS node group")
    assert (group["id"], group["usd_per_month"]) == ("gpu", 0.0)
    assert group["command"] == (
        f"aws eks delete-nodegroup --cluster-name {NAME} --nodegroup-name gpu --region us-east-1"
    )
    code, found = down("--sweep")
    assert (code, found["nothing_left"]) == (0, True)
    removed = [one["kind"] for one in found["removed"]]
    assert removed.index("EKS node group") < removed.index("EKS cluster")


# What goes wrong


def test_what_cannot_be_looked_for_is_no_proof(down: Down, served: Serving) -> None:
    faults.add(
        served.box, {"kind": "access-denied", "service": "logs", "operation": "DescribeLogGroups"}
    )
    code, found = down()
    assert (code, found["nothing_left"]) == (4, False)
    assert [one["what"] for one in found["not_verified"]] == ["log groups"]


@pytest.mark.slow
def test_what_cannot_be_removed_is_named_with_the_reason_and_the_rest_goes(
    down: Down, served: Serving
) -> None:
    ours = tags({names.CLUSTER_TAG: NAME})
    client("ec2").allocate_address(Domain="vpc", **leftovers.said("elastic-ip", ours))
    client("ssm").put_parameter(Name=f"/lowtide/{NAME}/cluster-ca", Value="v", Type="String")
    faults.add(
        served.box, {"kind": "access-denied", "service": "ec2", "operation": "ReleaseAddress"}
    )
    code, found = down("--sweep")
    assert code == 1
    assert leftovers.kinds(found["removed"]) == {"parameter"}
    assert leftovers.kinds(found["left"]) == {"elastic IP"}
    assert "UnauthorizedOperation" in found["left"][0]["why"]


def test_a_cluster_of_kubectl_s_context_alone_is_not_deleted_with_yes(
    served: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = f"arn:aws:eks:us-east-1:123456789012:cluster/{NAME}"
    context = {"name": arn, "context": {"cluster": arn, "user": arn}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": arn,
        "contexts": [context],
        "clusters": [{"name": arn, "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": arn, "user": {}}],
    }
    Path("cluster.yaml").unlink()
    Path("kubeconfig").write_text(json.dumps(document), "utf-8")
    monkeypatch.setenv("KUBECONFIG", str(Path("kubeconfig").resolve()))
    assert run(["down", "--yes"]) == 2
    assert f"lowtide down --name {NAME} --region us-east-1 --yes" in capsys.readouterr().err
    assert run(["down"]) == 0, "there is nothing, so nothing is asked"
