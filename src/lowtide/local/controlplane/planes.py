"""The control planes of a box: start, look, stop, and clean up after a box that was killed.

Why it exists: whoever plays EKS wants an endpoint and an authority, and need not know of processes. Several planes
run side by side; each has a folder of its own with its data, keys and logs.
"""

from __future__ import annotations

import ipaddress
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lowtide.local.controlplane.binaries import Binaries, find_binaries
from lowtide.local.controlplane.certificates import make_certificates
from lowtide.local.controlplane.commands import Setup, command_lines
from lowtide.local.controlplane.health import Probe
from lowtide.local.controlplane.kubeconfigs import Access, make_access, token_of, write_webhook
from lowtide.local.controlplane.ownership import kill_orphans
from lowtide.local.controlplane.ports import choose_ports
from lowtide.local.controlplane.private_files import private_folder
from lowtide.local.controlplane.processes import Starter
from lowtide.local.controlplane.supervision import ChildEnded, Supervisor
from lowtide.model.errors import LowtideError

#: What the nodes and pods of kwok do.
STAGES = Path(__file__).parent.parent / "nodes" / "stages.yaml"
_PORT_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSpec:
    """A control plane that is wanted.

    ``webhook_url`` answers TokenReviews for tokens of AWS users and holds its own secret in its path (client-go sends
    no token over plain HTTP); empty means that only the plane's own clients get in.
    """

    name: str
    region: str
    minor: str
    webhook_url: str = ""
    service_cidr: str = "10.100.0.0/16"
    issuer: str = "https://kubernetes.default.svc"

    @property
    def key(self) -> str:
        """The plane's name among all: clusters of two regions may share a name, and neither part has a dot."""
        return f"{self.region}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A control plane as it is now. ``failure`` says why a part could not be kept running; empty is well."""

    name: str
    region: str
    minor: str
    endpoint: str
    ca_pem: bytes
    admin_kubeconfig: Path
    bridge_kubeconfig: Path
    folder: Path
    pids: Mapping[str, int] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class _Started:
    spec: PlaneSpec
    endpoint: str
    access: Access
    ca_pem: bytes
    supervisor: Supervisor


class Planes:
    """The control planes in a folder (0700). Thread-safe; ``start`` blocks its caller alone."""

    def __init__(
        self,
        folder: Path,
        *,
        admission: Mapping[str, bool] | None = None,
        binaries: Callable[[str], Binaries] = find_binaries,
        stages: Path = STAGES,
    ) -> None:
        self.folder = private_folder(folder.resolve())
        self._admission = dict(admission or {})
        self._binaries = binaries
        self._stages = stages
        self._starter = Starter()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._key_locks: dict[str, threading.Lock] = {}
        self._started: dict[str, _Started] = {}

    def start(self, spec: PlaneSpec) -> Plane:
        """Start a control plane and return when it serves.

        One that runs as wanted already is returned as it is; one that runs otherwise (an older minor) is stopped first.
        Data, keys, tokens and, where they are free, ports of an earlier run are used again.

        Raises:
            LowtideError: programs are missing, a part does not start, or the box is stopping.
        """
        with self._key_lock(spec.key):
            started = self._started.get(spec.key)
            if started is not None and started.spec != spec:
                del self._started[spec.key]
                started.supervisor.stop()
                started = None
            if started is None:
                started = self._started[spec.key] = self._start(spec)
            return self._plane(started)

    def plane(self, key: str) -> Plane | None:
        """Return a running plane by its spec's key, as it is now."""
        started = self._started.get(key)
        return None if started is None else self._plane(started)

    def stop(self, key: str, *, delete: bool = False) -> None:
        """Stop a plane; with ``delete`` its data, keys and logs go too. One that does not run is no error."""
        with self._key_lock(key):
            started = self._started.pop(key, None)
            if started is not None:
                started.supervisor.stop()
            if delete:
                shutil.rmtree(self.folder / key, ignore_errors=True)

    def stop_all(self) -> None:
        """Stop every plane, those that are being started too; nothing starts afterwards."""
        self._stopping.set()
        with self._lock:
            keys = list(self._key_locks)
        threads = [threading.Thread(target=self.stop, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._starter.close()

    def sweep(self) -> list[str]:
        """Kill what a killed box left running in this folder, and return what was killed, in words.

        Processes whose box still lives are left alone.
        """
        return [
            words
            for folder in sorted(self.folder.iterdir())
            for words in kill_orphans(folder, folder.name)
        ]

    def _key_lock(self, key: str) -> threading.Lock:
        with self._lock:
            return self._key_locks.setdefault(key, threading.Lock())

    def _start(self, spec: PlaneSpec) -> _Started:
        binaries = self._binaries(spec.minor)
        for attempt in range(_PORT_ATTEMPTS):
            if self._stopping.is_set():
                break
            try:
                return self._start_once(spec, binaries, fresh_ports=attempt > 0)
            except ChildEnded as ended:
                if not ended.port_was_taken:
                    raise _did_not_start(spec, ended) from ended
        raise LowtideError(
            f"The control plane of {spec.name} did not start",
            where=str(self.folder / spec.key),
            why="the box is stopping"
            if self._stopping.is_set()
            else f"other programs took its ports {_PORT_ATTEMPTS} times",
            fix="start it again",
        )

    def _start_once(self, spec: PlaneSpec, binaries: Binaries, *, fresh_ports: bool) -> _Started:
        folder = private_folder(self.folder / spec.key)
        ports = choose_ports(folder / "ports.json", fresh=fresh_ports)
        service_ip = str(ipaddress.ip_network(spec.service_cidr)[1])
        certificates = make_certificates(folder / "pki", service_ip=service_ip)
        endpoint = f"https://127.0.0.1:{ports.api_server}"
        ca_pem = certificates.ca.certificate.read_bytes()
        access = make_access(folder / "access", endpoint=endpoint, ca_pem=ca_pem, cluster=spec.name)
        webhook = (
            write_webhook(folder / "access" / "webhook.json", spec.webhook_url)
            if spec.webhook_url
            else None
        )
        setup = Setup(
            folder=folder,
            binaries=binaries,
            certificates=certificates,
            access=access,
            ports=ports,
            stages=self._stages,
            service_cidr=spec.service_cidr,
            issuer=spec.issuer,
            admission=self._admission,
            webhook=webhook,
        )
        supervisor = Supervisor(folder, self._starter, self._stopping)
        try:
            _bring_up(setup, supervisor)
        except BaseException:
            supervisor.stop()
            raise
        supervisor.watch()
        return _Started(spec, endpoint, access, ca_pem, supervisor)

    def _plane(self, started: _Started) -> Plane:
        spec = started.spec
        return Plane(
            name=spec.name,
            region=spec.region,
            minor=spec.minor,
            endpoint=started.endpoint,
            ca_pem=started.ca_pem,
            admin_kubeconfig=started.access.kubeconfig("admin"),
            bridge_kubeconfig=started.access.kubeconfig("bridge"),
            folder=self.folder / spec.key,
            pids=started.supervisor.pids,
            failure=started.supervisor.failure,
        )


def _bring_up(setup: Setup, supervisor: Supervisor) -> None:
    """Start the programs in order and wait until a pod could be made and scheduled."""
    certificates, ports = setup.certificates, setup.ports
    commands = command_lines(setup)
    authority = certificates.ca.certificate
    for name in ("etcd", "kube-apiserver"):  # the API server waits for etcd by itself
        supervisor.launch(commands[name])
    ready = Probe(port=ports.api_server, path="/readyz", authority=authority)
    supervisor.wait_until(ready.passes, "kube-apiserver")
    for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
        supervisor.launch(commands[name])
    # Pods are refused until the controller manager has made their ServiceAccount.
    account = Probe(
        port=ports.api_server,
        path="/api/v1/namespaces/default/serviceaccounts/default",
        authority=authority,
        token=token_of(setup.access.kubeconfig("admin")),
    )
    supervisor.wait_until(account.passes, "kube-controller-manager")
    scheduler = Probe(port=ports.scheduler, path="/readyz", authority=authority)
    supervisor.wait_until(scheduler.passes, "kube-scheduler")


def _did_not_start(spec: PlaneSpec, ended: ChildEnded) -> LowtideError:
    child = ended.child
    return LowtideError(
        f"The control plane of {spec.name} did not start",
        where=str(child.log),
        why=f"{child.command.name} ended with {child.exit_code}: {child.said()}",
        fix="read its log; --binaries names other programs",
    )
