"""Processes, their record, ports, keys and command lines, without a control plane."""

from __future__ import annotations

import csv
import json
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from lowtide.local.controlplane.binaries import Binaries
from lowtide.local.controlplane.certificates import make_certificates
from lowtide.local.controlplane.commands import Setup, command_lines
from lowtide.local.controlplane.kubeconfigs import CLIENTS, make_access, token_of
from lowtide.local.controlplane.ownership import (
    RECORD,
    is_alive,
    kill,
    process,
    read_record,
    write_record,
)
from lowtide.local.controlplane.planes import Planes, PlaneSpec
from lowtide.local.controlplane.ports import choose_ports
from lowtide.local.controlplane.processes import Command, Starter
from lowtide.local.controlplane.supervision import ChildEnded, Supervisor
from lowtide.model.errors import LowtideError


def wait_for(condition: Callable[[], bool], within_s: float = 180.0) -> None:
    """Wait until the condition holds, or fail."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that does nothing for long."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as popen:
        yield popen
        popen.kill()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor that hardly pauses before it starts a program again."""
    starter = Starter()
    one = Supervisor(tmp_path, starter, threading.Event(), first_pause_s=0.001)
    yield one
    one.stop()
    starter.close()


def shell(name: str, script: str) -> Command:
    """Return a command that runs a script."""
    return Command(name=name, program=Path("/bin/sh"), arguments=("-c", script))


def test_a_process_is_killed_only_with_its_own_start_time(
    sleeper: subprocess.Popen[bytes],
) -> None:
    ours = process("sleeper", sleeper.pid)
    other = replace(ours, started=ours.started + "0")
    assert not kill(other)
    assert sleeper.poll() is None
    assert kill(ours)
    assert not is_alive(ours)
    assert not kill(ours)


def test_a_zombie_is_not_alive() -> None:
    popen = subprocess.Popen(["/bin/sh", "-c", "exit 0"])
    wait_for(lambda: not is_alive(replace(process("x", popen.pid), name="x")))
    popen.wait()


def test_sweeping_kills_the_children_of_a_dead_box_and_forgets_the_record(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    planes = Planes(tmp_path / "box")
    try:
        folder = planes.folder / "us-east-1.gone"
        folder.mkdir()
        write_record(folder, [process("etcd", sleeper.pid)])
        assert planes.sweep() == []  # its box is this process
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        record["owner"]["started"] += "0"  # the pid was given to somebody else since
        (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
        assert planes.sweep() == [f"etcd of us-east-1.gone (pid {sleeper.pid})"]
        sleeper.wait(30)
        assert planes.sweep() == []
    finally:
        planes.stop_all()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"owner": 1}', "\x00", '{"children": []}'])
def test_a_record_that_was_spoilt_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD).write_text(content, encoding="utf-8")
    assert read_record(tmp_path) is None


def test_a_child_sees_nothing_of_the_users_environment(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    supervisor.launch(shell("one", "env; exec sleep 600"))
    log = tmp_path / "logs" / "one.log"
    wait_for(lambda: "HOME=" in log.read_text(encoding="utf-8"))
    written = log.read_text(encoding="utf-8")
    assert f"HOME={tmp_path}" in written
    assert "AWS_" not in written
    assert "PROXY" not in written
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_waiting_ends_with_the_last_words_of_a_child_that_ends(supervisor: Supervisor) -> None:
    supervisor.launch(shell("one", "echo listen: address already in use; exit 3"))
    with pytest.raises(ChildEnded) as caught:
        supervisor.wait_until(lambda: False, "one")
    assert caught.value.child.exit_code == 3
    assert caught.value.port_was_taken


def test_words_of_an_earlier_start_do_not_count(tmp_path: Path, supervisor: Supervisor) -> None:
    log = tmp_path / "logs" / "one.log"
    log.write_text("address already in use\n", encoding="utf-8")
    supervisor.launch(shell("one", "echo new words; exit 1"))
    with pytest.raises(ChildEnded) as caught:
        supervisor.wait_until(lambda: False, "one")
    assert caught.value.child.said() == "new words"
    assert not caught.value.port_was_taken


@pytest.mark.slow
def test_a_child_that_keeps_ending_makes_the_plane_failed_with_its_last_words(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    supervisor.launch(shell("one", "echo broken for good; exit 7"))
    supervisor.launch(shell("two", "exec sleep 600"))
    supervisor.watch()
    wait_for(lambda: supervisor.failure != "")
    assert supervisor.failure == "one ended 6 times, last with 7: broken for good"
    log = (tmp_path / "logs" / "one.log").read_text(encoding="utf-8")
    assert log.count("broken for good") == 6


def test_a_child_that_ignores_the_request_to_end_is_killed(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowtide.local.controlplane.supervision._STOP_WITHIN_S", 0.2)
    supervisor.launch(shell("etcd", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"))
    wait_for(lambda: "deaf" in (tmp_path / "logs" / "etcd.log").read_text(encoding="utf-8"))
    child = process("etcd", supervisor.pids["etcd"])
    supervisor.stop()
    assert not is_alive(child)
    assert supervisor.pids == {}


def test_a_missing_program_is_an_error_and_nothing_is_left(tmp_path: Path) -> None:
    def missing(minor: str) -> Binaries:
        raise LowtideError(f"Kubernetes {minor} is missing", fix="lowtide local build")

    planes = Planes(tmp_path, binaries=missing)
    try:
        with pytest.raises(LowtideError, match="is missing"):
            planes.start(PlaneSpec(name="a", region="us-east-1", minor="1.36"))
        assert planes.plane("us-east-1.a") is None
        assert list(tmp_path.iterdir()) == []
    finally:
        planes.stop_all()


def test_nothing_starts_once_the_box_stops(tmp_path: Path) -> None:
    binaries = Binaries(
        minor="1.36",
        etcd=tmp_path,
        kube_apiserver=tmp_path,
        kube_controller_manager=tmp_path,
        kube_scheduler=tmp_path,
        kwok=tmp_path,
    )
    planes = Planes(tmp_path, binaries=lambda _: binaries)
    planes.stop_all()
    with pytest.raises(LowtideError, match="did not start") as caught:
        planes.start(PlaneSpec(name="a", region="us-east-1", minor="1.36"))
    assert caught.value.why == "the box is stopping"


def test_ports_are_kept_while_they_are_free(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    ports = choose_ports(file)
    assert len(set(asdict(ports).values())) == 5
    assert choose_ports(file) == ports
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports.scheduler))
        other.listen()
        assert choose_ports(file).scheduler != ports.scheduler


def test_three_authorities_sign_and_none_signs_for_another(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "pki", service_ip="10.100.0.1")

    def read(file: Path) -> x509.Certificate:
        return x509.load_pem_x509_certificate(file.read_bytes())

    pairs = {
        made.server: made.ca,
        made.etcd_server: made.etcd_ca,
        made.etcd_client: made.etcd_ca,
        made.proxy_client: made.proxy_ca,
    }
    authorities = [made.ca, made.etcd_ca, made.proxy_ca]
    for pair, authority in pairs.items():
        certificate = read(pair.certificate)
        certificate.verify_directly_issued_by(read(authority.certificate))
        assert certificate.subject != certificate.issuer
        for other in authorities:
            if other is not authority:
                with pytest.raises((ValueError, InvalidSignature)):
                    certificate.verify_directly_issued_by(read(other.certificate))
        key = read(pair.certificate).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
    names = read(made.server.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    addresses = [str(one) for one in names.value.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "10.100.0.1"]
    before = {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()}
    make_certificates(tmp_path / "pki", service_ip="10.100.0.1")
    assert {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()} == before


def test_every_client_has_a_token_of_its_own_that_outlives_a_restart(tmp_path: Path) -> None:
    def make(endpoint: str) -> list[str]:
        access = make_access(tmp_path, endpoint=endpoint, ca_pem=b"ca", cluster="one")
        return [token_of(access.kubeconfig(client)) for client in CLIENTS]

    tokens = make("https://127.0.0.1:1")
    assert len(set(tokens)) == len(CLIENTS)
    assert make("https://127.0.0.1:2") == tokens
    with (tmp_path / "tokens.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert [row[0] for row in rows] == tokens
    assert {row[1]: row[3] for row in rows} == dict(CLIENTS.values())
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def setup(tmp_path: Path, **admission: bool) -> Setup:
    """Return a setup without programs."""
    certificates = make_certificates(tmp_path / "pki", service_ip="10.100.0.1")
    access = make_access(
        tmp_path / "access", endpoint="https://127.0.0.1:1", ca_pem=b"ca", cluster="one"
    )
    return Setup(
        folder=tmp_path,
        binaries=Binaries(
            minor="1.36",
            etcd=tmp_path / "etcd",
            kube_apiserver=tmp_path / "a",
            kube_controller_manager=tmp_path / "c",
            kube_scheduler=tmp_path / "s",
            kwok=tmp_path / "k",
        ),
        certificates=certificates,
        access=access,
        ports=choose_ports(tmp_path / "ports.json"),
        stages=tmp_path / "stages.yaml",
        service_cidr="10.100.0.0/16",
        issuer="https://kubernetes.default.svc",
        admission=admission,
        webhook=None,
    )


@pytest.mark.parametrize(
    ("admission", "enabled", "disabled"),
    [
        ({}, "NodeRestriction,ExtendedResourceToleration", None),
        ({"ExtendedResourceToleration": False}, "NodeRestriction", None),
        (
            {"AlwaysPullImages": True, "LimitRanger": False},
            "NodeRestriction,ExtendedResourceToleration,AlwaysPullImages",
            "LimitRanger",
        ),
        ({"NodeRestriction": False, "ExtendedResourceToleration": False}, None, None),
    ],
)
def test_admission_is_that_of_eks_with_what_was_turned_on_and_off(
    tmp_path: Path, admission: dict[str, bool], enabled: str | None, disabled: str | None
) -> None:
    given = command_lines(setup(tmp_path, **admission))["kube-apiserver"].arguments
    flags = dict(one.split("=", 1) for one in given)
    assert flags.get("--enable-admission-plugins") == enabled
    assert flags.get("--disable-admission-plugins") == disabled


def test_no_secret_is_in_a_command_line_and_every_address_is_loopback(tmp_path: Path) -> None:
    made = setup(tmp_path)
    secrets = [token_of(made.access.kubeconfig(client)) for client in CLIENTS]
    for command in command_lines(made).values():
        text = " ".join(command.arguments)
        assert not any(secret in text for secret in secrets)
        assert "0.0.0.0" not in text  # noqa: S104 - looked for, not bound
    flags = dict(one.split("=", 1) for one in command_lines(made)["kwok"].arguments)
    assert flags["--node-port"] == "0"


def test_the_log_of_a_long_life_is_set_aside(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowtide.local.controlplane.processes._LOG_LIMIT_BYTES", 10)
    log = tmp_path / "logs" / "one.log"
    log.write_text("words of an earlier life\n", encoding="utf-8")
    supervisor.launch(shell("one", "echo new; exec sleep 600"))
    wait_for(lambda: log.read_text(encoding="utf-8") == "new\n")
    assert "earlier" in (tmp_path / "logs" / "one.log.1").read_text(encoding="utf-8")
