"""Real control planes: what kubectl sees, who gets in, and what is left of them afterwards."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import random
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lowtide.local.controlplane.certificates import Pair
from lowtide.local.controlplane.health import Probe
from lowtide.local.controlplane.kubeconfigs import token_of
from lowtide.local.controlplane.ownership import Process, is_alive, process, read_record
from lowtide.local.controlplane.planes import Plane, Planes, PlaneSpec

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl on PATH")

MakePlanes = Callable[..., Planes]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]

SPEC = PlaneSpec(name="one", region="us-east-1", minor="1.36")
GPU_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "gpu"},
    "spec": {
        "containers": [
            {"name": "c", "image": "cuda", "resources": {"limits": {"nvidia.com/gpu": 1}}}
        ]
    },
}


def wait_for(condition: Callable[[], bool], within_s: float = 180.0) -> None:
    """Wait until the condition holds, or fail."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def status_of(plane: Plane, path: str, bearer: str = "") -> int:
    """Return the HTTP status of a GET at the API server."""
    port = int(plane.endpoint.rsplit(":", 1)[1])
    context = ssl.create_default_context(cadata=plane.ca_pem.decode())
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    try:
        connection.request(
            "GET", path, headers={"Authorization": f"Bearer {bearer}"} if bearer else {}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Return the addresses (as in /proc/net, hexadecimal) and ports on which processes listen."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = str(link.readlink())
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text(encoding="utf-8").splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[9] in inodes:  # 0A: LISTEN
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


def test_kubectl_creates_a_pod_that_runs_on_a_kwok_node_and_deletes_it(
    make_planes: MakePlanes, kubectl: Kubectl
) -> None:
    plane = make_planes().start(SPEC)
    namespaces = kubectl(plane, "get", "ns", "-o", "name").stdout.split()
    assert {"namespace/default", "namespace/kube-system"} <= set(namespaces)
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n", "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {
            "capacity": {"cpu": "4", "memory": "16Gi", "pods": "20"},
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "20"},
        },
    }
    assert kubectl(plane, "create", "-f", "-", stdin=json.dumps(node)).returncode == 0
    assert kubectl(plane, "create", "deployment", "web", "--image=web").returncode == 0
    ready = kubectl(plane, "wait", "node/n", "--for=condition=Ready", "--timeout=180s")
    assert ready.returncode == 0, ready.stderr
    wait_for(
        lambda: (
            kubectl(plane, "get", "pods", "-o", "jsonpath={.items[*].status.phase}").stdout
            == "Running"
        )
    )
    assert kubectl(plane, "delete", "deployment", "web").returncode == 0
    wait_for(lambda: kubectl(plane, "get", "pods", "-o", "name").stdout == "")


@pytest.mark.slow
@pytest.mark.parametrize(("on", "keys"), [(True, ["nvidia.com/gpu"]), (False, [])])
def test_a_pod_that_asks_for_a_gpu_gets_the_toleration_only_with_the_admission_plugin(
    make_planes: MakePlanes, kubectl: Kubectl, on: bool, keys: list[str]
) -> None:
    plane = make_planes(ExtendedResourceToleration=on).start(SPEC)
    made = kubectl(plane, "create", "-o", "json", "-f", "-", stdin=json.dumps(GPU_POD))
    assert made.returncode == 0, made.stderr
    tolerations = json.loads(made.stdout)["spec"]["tolerations"]
    assert [one["key"] for one in tolerations if one["key"].startswith("nvidia")] == keys


@pytest.mark.slow
def test_an_unknown_admission_plugin_is_an_error_in_the_words_of_the_api_server(
    make_planes: MakePlanes,
) -> None:
    from lowtide.model.errors import LowtideError

    planes = make_planes(NoSuchPlugin=True)
    with pytest.raises(LowtideError, match="did not start") as caught:
        planes.start(SPEC)
    assert "NoSuchPlugin" in caught.value.why
    assert planes.plane(SPEC.key) is None


def test_nobody_gets_in_without_a_token_and_health_is_open(make_planes: MakePlanes) -> None:
    plane = make_planes().start(SPEC)
    admin = token_of(plane.admin_kubeconfig)
    assert status_of(plane, "/readyz") == 200
    assert status_of(plane, "/livez") == 200
    assert status_of(plane, "/version") == 401
    assert status_of(plane, "/api/v1/namespaces") == 401
    assert status_of(plane, "/api/v1/namespaces", bearer="wrong") == 401
    assert status_of(plane, "/api/v1/namespaces", bearer=admin) == 200
    scheduler = token_of(plane.folder / "access" / "kube-scheduler.kubeconfig")
    assert status_of(plane, "/api/v1/secrets", bearer=scheduler) == 403


@pytest.mark.slow
def test_etcd_answers_nobody_without_its_client_certificate(make_planes: MakePlanes) -> None:
    plane = make_planes().start(SPEC)
    port = json.loads((plane.folder / "ports.json").read_text(encoding="utf-8"))["etcd"]
    pki = plane.folder / "pki"

    def is_let_in(client: str) -> bool:
        pair = (
            Pair(certificate=pki / f"{client}.crt", key=pki / f"{client}.key") if client else None
        )
        authority = pki / "etcd-ca.crt"
        return Probe(port=port, path="/version", authority=authority, client=pair).passes()

    assert is_let_in("etcd-client")
    assert not is_let_in("")
    # What the cluster's own authority signs, users may obtain: it must not open etcd.
    assert not is_let_in("server")
    assert not is_let_in("ca")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_port_is_on_loopback_and_every_file_is_the_owners_alone(
    make_planes: MakePlanes, kubectl: Kubectl
) -> None:
    plane = make_planes().start(SPEC)
    assert kubectl(plane, "create", "ns", "x").returncode == 0
    found = listening(set(plane.pids.values()))
    assert len(found) == 5
    assert {address for address, _ in found} == {"0100007F"}  # 127.0.0.1
    loose = [
        str(path)
        for path in [plane.folder, *plane.folder.rglob("*")]
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    assert loose == []


@pytest.mark.slow
def test_two_clusters_of_one_name_in_two_regions_run_side_by_side_and_know_nothing_of_each_other(
    make_planes: MakePlanes, kubectl: Kubectl
) -> None:
    planes = make_planes()
    specs = [SPEC, PlaneSpec(name="one", region="eu-west-1", minor="1.36")]
    started: dict[str, Plane] = {}

    def start(spec: PlaneSpec) -> None:
        started[spec.region] = planes.start(spec)

    threads = [threading.Thread(target=start, args=(spec,)) for spec in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = started["us-east-1"], started["eu-west-1"]
    assert kubectl(first, "create", "ns", "only-here").returncode == 0
    assert kubectl(second, "get", "ns", "only-here").returncode != 0
    assert status_of(second, "/api/v1/namespaces", bearer=token_of(first.admin_kubeconfig)) == 401
    planes.stop(specs[1].key, delete=True)
    assert not second.folder.exists()
    assert kubectl(first, "get", "ns", "only-here").returncode == 0


@pytest.mark.slow
def test_a_plane_that_is_started_again_keeps_its_data_its_authority_and_its_address(
    make_planes: MakePlanes, kubectl: Kubectl
) -> None:
    planes = make_planes()
    before = planes.start(SPEC)
    assert kubectl(before, "create", "ns", "kept").returncode == 0
    assert planes.start(SPEC) == before
    planes.stop(SPEC.key)
    after = make_planes().start(SPEC)
    assert (after.endpoint, after.ca_pem) == (before.endpoint, before.ca_pem)
    assert set(after.pids.values()).isdisjoint(before.pids.values())
    assert kubectl(before, "get", "ns", "kept").returncode == 0


@pytest.mark.slow
def test_a_port_that_another_program_took_meanwhile_is_replaced(
    make_planes: MakePlanes, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lowtide.local.controlplane import planes as module
    from lowtide.local.controlplane.ports import Ports, choose_ports

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        def choose(file: Path, *, fresh: bool = False) -> Ports:
            ports = choose_ports(file, fresh=fresh)
            if fresh:
                return ports
            return Ports(
                etcd=ports.etcd,
                etcd_peer=ports.etcd_peer,
                api_server=taken,
                controller_manager=ports.controller_manager,
                scheduler=ports.scheduler,
            )

        monkeypatch.setattr(module, "choose_ports", choose)
        plane = make_planes().start(SPEC)
        assert not plane.endpoint.endswith(f":{taken}")
        assert kubectl(plane, "get", "ns").returncode == 0


@pytest.mark.slow
def test_a_part_that_ends_is_started_again(make_planes: MakePlanes, kubectl: Kubectl) -> None:
    planes = make_planes()
    plane = planes.start(SPEC)
    os.kill(plane.pids["kube-scheduler"], signal.SIGKILL)

    def is_replaced() -> bool:
        now = planes.plane(SPEC.key)
        assert now is not None
        return now.pids["kube-scheduler"] != plane.pids["kube-scheduler"]

    wait_for(is_replaced)
    record = read_record(plane.folder)
    now = planes.plane(SPEC.key)
    assert record is not None
    assert now is not None
    assert {child.name: child.pid for child in record.children} == now.pids
    assert now.failure == ""
    assert kubectl(now, "get", "ns").returncode == 0


@pytest.mark.slow
def test_stopping_all_leaves_no_process_and_no_port_and_no_record(make_planes: MakePlanes) -> None:
    planes = make_planes()
    plane = planes.start(SPEC)
    children = [process(name, pid) for name, pid in plane.pids.items()]
    assert all(is_alive(child) for child in children)
    planes.stop_all()
    assert not any(is_alive(child) for child in children)
    assert read_record(plane.folder) is None
    assert_nothing_listens(plane.folder)


@pytest.mark.slow
def test_a_start_that_is_under_way_ends_when_the_box_stops(make_planes: MakePlanes) -> None:
    from lowtide.model.errors import LowtideError

    planes = make_planes()
    caught: list[LowtideError] = []

    def start() -> None:
        try:
            planes.start(SPEC)
        except LowtideError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    folder = planes.folder / SPEC.key
    wait_for(lambda: read_record(folder) is not None)
    record = read_record(folder)
    assert record is not None
    planes.stop_all()
    thread.join(30)
    assert ["stopping" in error.what or "stopping" in error.why for error in caught] == [True]
    assert not any(is_alive(child) for child in record.children)


OWNER = """
import sys, threading
from pathlib import Path
from lowtide.local.controlplane.planes import Planes, PlaneSpec

planes = Planes(Path(sys.argv[1]), stages=Path(sys.argv[2]))
print("open", flush=True)
planes.start(PlaneSpec(name="one", region="us-east-1", minor="1.36"))
print("up", flush=True)
threading.Event().wait()
"""


@contextmanager
def box_of_its_own(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that starts a plane and waits."""
    stages = Path(__file__).parent / "stages.yaml"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), str(stages)], stdout=subprocess.PIPE, text=True
    ) as owner:
        try:
            yield owner
        finally:
            owner.kill()


def recorded(folder: Path) -> tuple[Process, ...]:
    """Return the recorded children of the box in a folder."""
    record = read_record(folder / SPEC.key)
    return () if record is None else record.children


def assert_nothing_listens(folder: Path) -> None:
    """Assert that every port of a plane can be bound."""
    for port in json.loads((folder / "ports.json").read_text(encoding="utf-8")).values():
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))


# The moments: after so many processes are recorded, once all is up, and any (seeded by pytest-randomly).
@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 3, 5, "up", "any"])
def test_of_a_box_that_was_killed_the_next_start_finds_no_process_no_port_and_whole_data(
    make_planes: MakePlanes, kubectl: Kubectl, moment: int | str
) -> None:
    planes = make_planes()
    with box_of_its_own(planes.folder) as owner:
        assert owner.stdout is not None
        if moment == "up":
            assert [owner.stdout.readline() for _ in range(2)] == ["open\n", "up\n"]
        elif moment == "any":
            assert owner.stdout.readline() == "open\n"
            wait_for(lambda: recorded(planes.folder) != ())
            time.sleep(random.uniform(0, 5))  # noqa: S311 - a moment, not a secret
        else:
            wait_for(lambda: len(recorded(planes.folder)) >= int(moment))
        children = recorded(planes.folder)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    planes.sweep()
    assert not any(is_alive(child) for child in children)
    assert recorded(planes.folder) == ()
    assert_nothing_listens(planes.folder / SPEC.key)
    plane = planes.start(SPEC)
    assert kubectl(plane, "get", "ns").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
def test_the_kernel_takes_the_children_of_a_killed_box_along(make_planes: MakePlanes) -> None:
    planes = make_planes()
    with box_of_its_own(planes.folder) as owner:
        assert owner.stdout is not None
        assert [owner.stdout.readline() for _ in range(2)] == ["open\n", "up\n"]
        children = recorded(planes.folder)
        assert len(children) == 5
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    wait_for(lambda: not any(is_alive(child) for child in children))


@pytest.mark.slow
def test_sweeping_leaves_the_planes_of_a_living_box_alone(
    make_planes: MakePlanes, kubectl: Kubectl
) -> None:
    plane = make_planes().start(SPEC)
    assert make_planes().sweep() == []
    assert kubectl(plane, "get", "ns").returncode == 0


class _Reviews(http.server.BaseHTTPRequestHandler):
    """Knows one token, at a path with a secret."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.path.startswith("/review/secret") and body["spec"]["token"] == "k8s-aws-v1.x"
        user = {"username": "arn:aws:iam::1:user/ana", "groups": ["system:masters"]}
        status: dict[str, Any] = {"authenticated": known} | ({"user": user} if known else {})
        answer = {"apiVersion": body["apiVersion"], "kind": "TokenReview", "status": status}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@pytest.mark.slow
def test_a_token_of_aws_is_checked_by_asking_the_webhook(make_planes: MakePlanes) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Reviews)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/review/secret"
        spec = PlaneSpec(name="one", region="us-east-1", minor="1.36", webhook_url=url)
        plane = make_planes().start(spec)
        assert status_of(plane, "/api/v1/namespaces", bearer="k8s-aws-v1.x") == 200
        assert status_of(plane, "/api/v1/namespaces", bearer="k8s-aws-v1.other") == 401
    finally:
        server.shutdown()
        server.server_close()
