"""The real ``aws`` against a served box: what it writes is what kubectl uses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.local.clients.conftest import NAME, Served, needs, serving, until
from tests.local.eks.eks_box import EC2_TRUST

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries
    from lowtide.local.serve import ControlPlaneKind


class EksServed(Served):
    """A served box that also runs single commands."""

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write_kubeconfig(self) -> Mapping[str, Any]:
        self.run("aws", "eks", "update-kubeconfig", "--name", NAME)
        document: Mapping[str, Any] = yaml.safe_load(
            Path(self.environment["KUBECONFIG"]).read_text(encoding="utf-8")
        )
        return document


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., EksServed]]:
    with ExitStack() as running:

        def opened(planes: ControlPlaneKind = "none") -> EksServed:
            one = running.enter_context(serving(tmp_path, planes))
            return EksServed(one.serving, one.folder, one.environment)

        yield opened


def test_update_kubeconfig_writes_the_clusters_address_and_the_command_for_tokens(
    serve: Callable[..., EksServed],
) -> None:
    needs("aws")
    served = serve()
    served.create_cluster()

    document = served.write_kubeconfig()

    cluster = served.client("eks").describe_cluster(name=NAME)["cluster"]
    written = document["clusters"][0]
    assert written["name"] == cluster["arn"]
    assert written["cluster"]["server"] == cluster["endpoint"]
    assert (
        written["cluster"]["certificate-authority-data"] == cluster["certificateAuthority"]["data"]
    )
    assert "get-token" in document["users"][0]["user"]["exec"]["args"]


def test_the_token_of_the_aws_client_is_taken_and_that_of_another_cluster_is_not(
    serve: Callable[..., EksServed],
) -> None:
    needs("aws")
    served = serve()
    served.create_cluster()
    box = served.serving.box
    cluster = box.state("eks").clusters["us-east-1", NAME]

    def review(cluster_name: str) -> bool:
        credential = json.loads(
            served.run("aws", "eks", "get-token", "--cluster-name", cluster_name)
        )
        status, answer = _post(
            served,
            f"/_lowtide/token-review/us-east-1/{NAME}/{cluster.secret}",
            {"spec": {"token": credential["status"]["token"]}},
        )
        assert status == 200
        found: bool = answer["status"]["authenticated"]
        return found

    assert review(NAME) is True
    assert review("another") is False


def test_the_aws_client_names_the_boxs_user(serve: Callable[..., EksServed]) -> None:
    needs("aws")

    identity = json.loads(serve().run("aws", "sts", "get-caller-identity", "--output", "json"))

    assert identity["Arn"] == "arn:aws:iam::123456789012:user/lowtide"


def test_the_aws_client_drives_the_parts_of_a_cluster(serve: Callable[..., EksServed]) -> None:
    needs("aws")
    served = serve()
    served.create_cluster()

    def eks(*words: str) -> Any:
        return json.loads(served.run("aws", "eks", *words, "--output", "json") or "{}")

    eks("create-addon", "--cluster-name", NAME, "--addon-name", "vpc-cni")
    assert eks("list-addons", "--cluster-name", NAME)["addons"] == ["vpc-cni"]
    served.run(
        "aws", "eks", "wait", "addon-active", "--cluster-name", NAME, "--addon-name", "vpc-cni"
    )
    versions = eks("describe-cluster-versions")["clusterVersions"]
    assert [one["clusterVersion"] for one in versions if one["defaultVersion"]] == ["1.36"]
    refused = subprocess.run(
        ["aws", "eks", "describe-cluster", "--name", "nothing"],
        env=dict(served.environment),
        check=False,
        capture_output=True,
        text=True,
    )
    assert "ResourceNotFoundException" in refused.stderr
    assert "No cluster found for name: nothing." in refused.stderr


def test_kubectl_uses_the_kubeconfig_that_the_aws_client_wrote(
    serve: Callable[..., EksServed], binaries: Binaries
) -> None:
    needs("aws", "kubectl")
    served = serve("real")
    served.create_cluster()
    served.write_kubeconfig()

    who = json.loads(served.run("kubectl", "auth", "whoami", "-o", "json"))
    served.run("kubectl", "get", "nodes")

    assert who["status"]["userInfo"]["username"] == "arn:aws:iam::123456789012:user/lowtide"
    assert "system:masters" in who["status"]["userInfo"]["groups"]
    until(
        lambda: (
            "coredns" in served.run("kubectl", "get", "deployments", "-A", "-o", "name")
            and "aws-node" in served.run("kubectl", "get", "daemonsets", "-A", "-o", "name")
        )
    )


@pytest.mark.slow
def test_a_viewer_by_access_policy_reads_and_does_not_write(
    serve: Callable[..., EksServed], binaries: Binaries
) -> None:
    needs("aws", "kubectl")
    served = serve("real")
    served.create_cluster()
    eks, iam = served.client("eks"), served.client("iam")
    role = iam.create_role(RoleName="viewer", AssumeRolePolicyDocument=EC2_TRUST)["Role"]["Arn"]
    entry = {"clusterName": NAME, "principalArn": role}
    eks.create_access_entry(**entry)
    eks.associate_access_policy(
        **entry,
        policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
        accessScope={"type": "cluster"},
    )
    served.run("aws", "eks", "update-kubeconfig", "--name", NAME, "--role-arn", role)

    until(lambda: _may(served, "list", "pods") == "yes")
    assert _may(served, "delete", "pods") == "no"


@pytest.mark.slow
def test_a_deleted_cluster_leaves_no_process(
    serve: Callable[..., EksServed], binaries: Binaries
) -> None:
    served = serve("real")
    served.create_cluster()
    planes = served.serving._planes
    assert planes is not None
    plane = planes.plane(f"us-east-1.{NAME}")
    assert plane is not None

    eks = served.client("eks")
    eks.delete_cluster(name=NAME)

    until(lambda: not plane.folder.exists())
    until(lambda: eks.list_clusters()["clusters"] == [])
    assert not any(Path(f"/proc/{pid}").exists() for pid in plane.pids.values())


def _may(served: EksServed, verb: str, what: str) -> str:
    done = subprocess.run(
        ["kubectl", "auth", "can-i", verb, what],
        env=dict(served.environment),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def _post(served: EksServed, path: str, body: Any) -> tuple[int, Any]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", served.serving.port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
