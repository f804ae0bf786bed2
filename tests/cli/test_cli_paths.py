"""No option makes lowtide write over a file that is somebody's, or wait for a run before it says that it cannot write."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide.app.html import can_write_html

Lowtide = Callable[..., Any]
EXAMPLE = Path(__file__).parents[2] / "examples" / "noble-gpu" / "cluster.yaml"
NEEDS_REPORT = pytest.mark.skipif(not can_write_html(), reason="needs lowtide[report]")
POLICY = "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\n"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: one, annotations: {lowtide.dev/run-seconds: "60"}}
spec: {containers: [{name: one, image: busybox}]}
"""


@pytest.fixture
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a run an error: what is refused must be refused before it."""

    def fail(*_: object, **__: object) -> None:
        message = "it ran"
        raise AssertionError(message)

    monkeypatch.setattr("lowtide.app.simulate.simulate", fail)


def here(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own, after a line of shell."""
    return subprocess.run(
        ["sh", "-c", f'{before}\nexec "$0" -m lowtide "$@"', sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


@NEEDS_REPORT
@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize("html", ["cluster.yaml", "lowtide.yaml", "pods/pod.yaml", "link.html"])
def test_a_report_never_replaces_what_the_run_reads(lowtide: Lowtide, html: str) -> None:
    Path("pods").mkdir()
    texts = {
        "cluster.yaml": EXAMPLE.read_text(encoding="utf-8"),
        "lowtide.yaml": POLICY,
        "pods/pod.yaml": POD,
    }
    for name, text in texts.items():
        Path(name).write_text(text, encoding="utf-8")
    Path("link.html").symlink_to("cluster.yaml")
    ran = lowtide("simulate", "-w", "pods", "--html", html)
    assert ran.code == 2
    assert f"{html} exists and is left as it is" in ran.err
    assert {name: Path(name).read_text(encoding="utf-8") for name in texts} == texts


@NEEDS_REPORT
@pytest.mark.usefixtures("no_run")
def test_the_demo_leaves_a_file_of_its_name_that_is_not_its_own(lowtide: Lowtide) -> None:
    Path("lowtide-demo.html").write_text("<html>mine</html>")
    ran = lowtide("demo")
    assert ran.code == 2
    assert "--html another-name.html" in ran.err
    assert Path("lowtide-demo.html").read_text() == "<html>mine</html>"


@NEEDS_REPORT
def test_an_earlier_report_is_replaced_through_its_link_and_keeps_its_permissions(
    lowtide: Lowtide, tmp_path: Path
) -> None:
    shutil.copy(EXAMPLE, "cluster.yaml")
    Path("pod.yaml").write_text(POD)
    Path("link.html").symlink_to("report.html")
    for seed in ("1", "2"):
        assert (
            lowtide("simulate", "-w", "pod.yaml", "--seed", seed, "--html", "link.html").code == 0
        )
        Path("report.html").chmod(0o640)
    assert "seed 2" in Path("report.html").read_text(encoding="utf-8")
    assert Path("link.html").is_symlink()
    assert Path("report.html").stat().st_mode & 0o777 == 0o640
    names = {"cluster.yaml", "pod.yaml", "link.html", "report.html"}
    assert {one.name for one in tmp_path.iterdir()} == names


@NEEDS_REPORT
@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize(
    ("html", "why"),
    [
        ("", "the name is empty"),
        ("-", "standard output has the figures"),
        ("folder", "it is a folder"),
        ("pipe", "it is no regular file"),
        ("loop", "Too many levels of symbolic links"),
        ("no/report.html", "there is no folder"),
        ("x" * 300, "File name too long"),
        (os.devnull, "it is no regular file"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_the_run(
    lowtide: Lowtide, html: str, why: str
) -> None:
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    ran = lowtide("simulate", "-f", str(EXAMPLE), "--html", html)
    assert ran.code == 2
    assert why in ran.err


@NEEDS_REPORT
@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_report_in_a_forbidden_folder_is_refused_before_the_run(
    lowtide: Lowtide, tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=mode)
    ran = lowtide("simulate", "-f", str(EXAMPLE), "--html", "closed/report.html")
    folder.chmod(0o700)
    assert ran.code == 2
    assert "closed/report.html cannot be written" in ran.err


@NEEDS_REPORT
@pytest.mark.parametrize("line", ["demo", f"simulate -f {EXAMPLE} --html x.html", "init"])
def test_a_removed_current_folder_is_an_error_in_words(tmp_path: Path, line: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ran = here(*line.split(), before=f"cd {gone}; rmdir {gone}")
    assert ran.returncode == 2
    assert "the current folder does not exist any more" in ran.stderr


def test_init_on_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    """A limit of one block per file stands for a disk without room."""
    old = tmp_path / "cluster.yaml"
    old.write_text("mine")
    ran = here("init", "--force", "-f", str(old), before="ulimit -f 1")
    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert old.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [old]


def test_init_on_a_full_disk_leaves_nothing_of_a_new_file(tmp_path: Path) -> None:
    ran = here("init", "-f", str(tmp_path / "cluster.yaml"), before="ulimit -f 1")
    assert ran.returncode == 1
    assert list(tmp_path.iterdir()) == []


@NEEDS_REPORT
def test_a_report_on_a_full_disk_leaves_the_old_report_whole(tmp_path: Path) -> None:
    old = tmp_path / "report.html"
    old.write_text('<meta name="generator" content="lowtide">old')
    ran = here("simulate", "-f", str(EXAMPLE), "--html", str(old), before="ulimit -f 100")
    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr
    assert old.read_text().endswith("old")
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize("kind", ["dangling", "folder"])
def test_a_lowtide_yaml_that_cannot_be_read_is_no_missing_one(lowtide: Lowtide, kind: str) -> None:
    shutil.copy(EXAMPLE, "cluster.yaml")
    if kind == "folder":
        Path("lowtide.yaml").mkdir()
    else:
        Path("lowtide.yaml").symlink_to("nowhere")
    ran = lowtide("check")
    assert ran.code == 2
    assert "lowtide.yaml" in ran.out


def test_a_lowtide_yaml_that_is_a_pipe_is_read(lowtide: Lowtide) -> None:
    shutil.copy(EXAMPLE, "cluster.yaml")
    os.mkfifo("lowtide.yaml")
    writer = threading.Thread(target=Path("lowtide.yaml").write_text, args=(POLICY + "sed: 1\n",))
    writer.start()
    ran = lowtide("check")
    # Whatever was asserted or not read: the writer must not wait for a reader for ever.
    os.close(os.open("lowtide.yaml", os.O_RDONLY | os.O_NONBLOCK))
    writer.join()
    assert ran.code == 2
    assert "LT003" in ran.out


@pytest.mark.parametrize("option", ["-f", "-w", "--policy"])
def test_an_empty_path_is_not_the_current_folder(lowtide: Lowtide, option: str) -> None:
    ran = lowtide("check", option, "")
    assert ran.code == 2
    assert f"{option} names no file" in ran.err


def test_init_with_an_empty_path_writes_nothing(lowtide: Lowtide, tmp_path: Path) -> None:
    assert lowtide("init", "-f", "").code == 2
    assert list(tmp_path.iterdir()) == []
