"""``lowtide local up``, ``status``, ``logs`` and ``down``, as somebody types them."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.controlplane.ownership import is_alive, process
from tests.local.life.eks_parts import create_cluster, wait_for
from tests.local.life.home import PYTHON, Home


def _port(up: dict[str, str]) -> int:
    port = urlsplit(up["url"]).port
    assert port
    return port


@contextmanager
def _listening(port: int) -> Iterator[None]:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", port))
        one.listen()
        yield


def _processes(home: Home) -> dict[str, int]:
    (cluster,) = home.document("local", "status")["clusters"]
    found: dict[str, int] = cluster["processes"]
    return found


def test_the_printed_lines_reach_the_box_and_nothing_is_left_after_down(home: Home) -> None:
    ran = home.run("local", "up")
    assert ran.returncode == 0, ran.stderr
    assert all(line.startswith("export AWS_") for line in ran.stdout.splitlines())
    pasted = home.shell("bash", "-c", f"{ran.stdout}\naws sts get-caller-identity --output text")
    assert "123456789012" in pasted.stdout, pasted.stderr
    again = home.run("local", "up")
    assert again.stdout == ran.stdout
    assert "runs already" in again.stderr
    status = home.document("local", "status")
    assert (status["state"], status["clusters"]) == ("running", [])
    box = process("box", status["pid"])
    down = home.run("local", "down")
    assert (down.returncode, down.stderr) == (0, "Stopped; what was in it is gone.\n")
    assert not is_alive(box)
    assert not home.folder.exists()
    with _listening(_port(status)):
        pass
    assert home.document("local", "status")["state"] == "absent"
    assert home.run("local", "down").stderr == "No box was running.\n"


@pytest.mark.slow
def test_what_was_in_the_box_and_the_lines_to_paste_survive_down_with_keep(home: Home) -> None:
    before = home.up()
    home.aws("sqs").create_queue(QueueName="kept")
    assert "kept" in home.run("local", "down", "--keep").stderr
    assert home.document("local", "status")["state"] == "stopped"
    after = home.up()
    assert after["environment"] == before["environment"]
    assert "goes on with what was in it" in after["notes"][0]
    assert len(home.aws("sqs").list_queues()["QueueUrls"]) == 1
    assert home.document("local", "down")["forgot"] is True


@pytest.mark.slow
def test_up_with_keep_makes_down_keep_until_it_is_told_otherwise(home: Home) -> None:
    home.up("--keep")
    assert home.document("local", "down")["kept"] is True
    assert home.document("local", "down", "--no-keep")["forgot"] is True
    assert not home.folder.exists()


def test_a_killed_box_is_said_to_be_killed_and_the_next_one_goes_on_with_its_state(
    home: Home,
) -> None:
    before = home.up()
    home.aws("sqs").create_queue(QueueName="kept")
    os.kill(before["pid"], signal.SIGKILL)
    assert home.document("local", "status")["state"] == "killed"
    after = home.up()
    assert "was killed" in after["notes"][0]
    assert after["environment"] == before["environment"]
    assert len(home.aws("sqs").list_queues()["QueueUrls"]) == 1


@pytest.mark.slow
def test_a_port_that_another_program_took_is_named_and_another_is_chosen(home: Home) -> None:
    before = home.up()
    home.run("local", "down", "--keep")
    with _listening(_port(before)):
        after = home.up()
        assert _port(after) != _port(before)
        assert f"Port {_port(before)}, on which it served before, is used by " in after["notes"][1]
        assert f"process {os.getpid()}" in after["notes"][1]
        home.run("local", "down")
        asked = home.run("local", "up", "--port", str(_port(before)))
    assert asked.returncode == 1
    assert f"Port {_port(before)} cannot be used" in asked.stderr
    assert f"process {os.getpid()}" in asked.stderr
    assert home.document("local", "status")["state"] != "running"


def test_a_box_that_runs_otherwise_than_asked_is_left_alone_and_the_way_is_named(
    home: Home,
) -> None:
    up = home.up("--speed", "50", "--admission", "ExtendedResourceToleration=off")
    asked = home.run("local", "up", "--speed", "20")
    assert asked.returncode == 2
    assert "it was started with --speed 50" in asked.stderr
    assert "lowtide local down --keep" in asked.stderr
    assert home.up()["pid"] == up["pid"]
    home.run("local", "down", "--keep")
    home.up()
    assert home.document("local", "status")["speed"] == 50.0


@pytest.mark.slow
def test_admission_plug_ins_that_are_typed_are_those_of_the_clusters_api_server(home: Home) -> None:
    typed = ("ExtendedResourceToleration=off", "AlwaysPullImages=on", "LimitRanger=off")
    home.up("--speed", "100", *(word for one in typed for word in ("--admission", one)))
    create_cluster(home, "tide")
    wait_for(lambda: bool(_processes(home).get("kube-apiserver")))
    text = Path(f"/proc/{_processes(home)['kube-apiserver']}/cmdline").read_text("utf-8")
    flags = dict(one.partition("=")[::2] for one in text.split("\0"))
    assert flags["--enable-admission-plugins"].split(",") == ["NodeRestriction", "AlwaysPullImages"]
    assert flags["--disable-admission-plugins"] == "LimitRanger"


@pytest.mark.slow
def test_a_box_that_hangs_is_named_and_ended(home: Home) -> None:
    up = home.up()
    hanging = process("box", up["pid"])
    os.kill(up["pid"], signal.SIGSTOP)
    try:
        assert home.document("local", "status")["state"] == "hanging"
        asked = home.run("local", "up")
        assert asked.returncode == 1
        assert "does not answer" in asked.stderr
        assert str(up["pid"]) in asked.stderr
        down = home.run("local", "down", "--keep")
        assert f"(pid {up['pid']})" in down.stderr
        assert not is_alive(hanging)
    finally:
        if is_alive(hanging):
            os.kill(up["pid"], signal.SIGKILL)
    assert home.up()["ran_already"] is False


@pytest.mark.slow
def test_a_box_that_ends_while_up_asks_it_is_started_again(home: Home) -> None:
    before = home.up()["pid"]
    os.kill(before, signal.SIGSTOP)
    with subprocess.Popen(
        [*PYTHON, "local", "up"], env=home.environment, stdout=subprocess.DEVNULL
    ) as asking:
        time.sleep(2)  # it waits five seconds for an answer
        os.kill(before, signal.SIGKILL)
        assert asking.wait(60) == 0
    after = home.document("local", "status")
    assert after["state"] == "running"
    assert after["pid"] != before


@pytest.mark.slow
def test_of_two_starts_at_once_one_starts_the_box_and_both_print_its_lines(home: Home) -> None:
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(lambda _: home.document("local", "up"), range(2))
    assert first["environment"] == second["environment"]
    assert {first["ran_already"], second["ran_already"]} == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_start_that_is_broken_off_leaves_no_box(
    home: Home, how: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        [*PYTHON, "local", "up"], env=home.environment, stderr=subprocess.DEVNULL
    ) as starting:
        while not (home.folder / "box.log").exists():
            assert starting.poll() is None
        starting.send_signal(how)
        assert starting.wait(60) == code
    assert home.document("local", "status")["state"] in {"absent", "stopped", "killed"}
    assert home.up()["ran_already"] is False


def test_missing_programs_are_named_with_the_four_ways_to_get_them(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    home.environment |= {"XDG_CACHE_HOME": str(tmp_path / "empty"), "PATH": str(tmp_path / "empty")}
    ran = home.run("local", "up")
    assert ran.returncode == 1
    ways = ("--binaries DIR", "on PATH", "lowtide local build --download", "lowtide local build (")
    assert [way for way in ways if way not in ran.stderr] == []
    assert home.document("local", "status")["state"] == "absent"


@pytest.mark.parametrize(
    ("option", "said"), [("--binaries", "is no folder"), ("--autoscaler", "is no program")]
)
def test_a_path_that_is_not_there_is_refused_before_anything_starts(
    home: Home, option: str, said: str
) -> None:
    ran = home.run("local", "up", option, "/nowhere")
    assert ran.returncode == 2
    assert f"/nowhere {said}" in ran.stderr
    assert home.document("local", "status")["state"] == "absent"


@pytest.mark.slow
def test_logs_of_the_box_are_printed_and_followed_and_an_unknown_part_is_met_with_the_known(
    home: Home,
) -> None:
    home.up()
    assert "serving at http://127.0.0.1:" in home.run("local", "logs").stdout
    unknown = home.run("local", "logs", "nothing")
    assert unknown.returncode == 2
    assert "logs are there of box" in unknown.stderr
    command = [*PYTHON, "local", "logs", "-f", "-n", "1"]
    with subprocess.Popen(
        command, env=home.environment, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        try:
            assert "serving at" in following.stdout.readline()
            with (home.folder / "box.log").open("a") as log:
                log.write("a further line\nhalf a line")
            assert following.stdout.readline() == "a further line\n"
        finally:
            following.kill()
    assert home.run("local", "logs", "-n", "0").stdout == ""
    assert home.run("local", "logs", "-n", "2").stdout == "a further line\nhalf a line\n"


def test_the_files_of_a_box_are_for_its_user_alone(home: Home) -> None:
    home.up()
    open_to_others = [
        path
        for path in (home.folder, *home.folder.rglob("*"))
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    assert open_to_others == []
