"""``check`` shows everything at once, with the exit code that a pipeline needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide.model.rules import Scope, count_of

Lowtide = Callable[..., Any]


@pytest.fixture
def cluster(lowtide: Lowtide) -> Path:
    """A good cluster.yaml in the current folder."""
    assert lowtide("init").code == 0
    return Path("cluster.yaml")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_good_file_has_no_findings_and_names_the_next_command(
    lowtide: Lowtide, cluster: Path
) -> None:
    assert cluster.exists()
    ran = lowtide("check")
    of_files = count_of(Scope.FILES)
    assert (ran.code, ran.out) == (0, f"no findings: {of_files} checks of cluster.yaml\n")
    assert "lowtide simulate" in ran.err


@pytest.mark.parametrize(
    ("name", "text", "scope"),
    [
        ("job.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", Scope.WORKLOAD),
        ("jobs.csv", "submit_s,run_s,gpus,cpu,memory_mib\n0,60,1,1,1024\n", Scope.TRACE),
    ],
)
def test_no_findings_are_those_of_all_files_that_were_read(
    lowtide: Lowtide, cluster: Path, name: str, text: str, scope: Scope
) -> None:
    assert cluster.exists()
    Path("lowtide.yaml").write_text("apiVersion: lowtide.dev/v1alpha1\nkind: Policy\n")
    Path(name).write_text(text)
    ran = lowtide("check", "-w", name)
    count = count_of(Scope.FILES, scope)
    assert ran.out == f"no findings: {count} checks of cluster.yaml, lowtide.yaml, {name}\n"


def test_every_error_of_a_file_is_shown_at_once_with_its_place(
    lowtide: Lowtide, cluster: Path
) -> None:
    change(cluster, "minSize: 0", "minSiez: 0")
    change(cluster, "supportType: STANDARD", "supportType: FOREVER")
    ran = lowtide("check", "-o", "json")
    assert ran.code == 2
    assert ran.document["schema"] == "lowtide.check/v1"
    findings = ran.document["findings"]
    lines = cluster.read_text().splitlines()
    assert len(findings) == 2
    for finding, word in zip(findings, ["FOREVER", "minSiez"], strict=True):
        assert finding["file"] == "cluster.yaml"
        assert word in lines[finding["line"] - 1]
        assert finding["severity"] == "error"
    assert "minSize" in findings[1]["fix"]


def test_errors_of_all_files_are_shown_in_one_run(lowtide: Lowtide, cluster: Path) -> None:
    change(cluster, "minSize: 0", "minSiez: 0")
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\ncolour: blue\n"
    )
    Path("job.yaml").write_text("apiVersion: batch/v1\nkind: Job\nmetadata: 7\n")
    ran = lowtide("check", "-w", "job.yaml", "-o", "json")
    assert ran.code == 2
    files = {finding["file"] for finding in ran.document["findings"]}
    assert files == {"cluster.yaml", "lowtide.yaml", "job.yaml"}


def test_an_unknown_instance_type_is_an_error_of_the_check_not_of_the_file(
    lowtide: Lowtide, cluster: Path
) -> None:
    change(cluster, "[g4dn.xlarge]", "[g4dn.xlrge]")
    ran = lowtide("check", "-o", "json")
    assert ran.code == 3
    (finding,) = ran.document["findings"]
    assert "g4dn.xlrge" in finding["message"]
    assert "g4dn.xlrge" in cluster.read_text().splitlines()[finding["line"] - 1]


def test_another_gpu_type_under_the_old_label_is_found_with_the_value_to_write(
    lowtide: Lowtide, cluster: Path
) -> None:
    cluster.write_text(cluster.read_text().replace("[g4dn.xlarge]", "[g5.xlarge]"))
    ran = lowtide("check", "-o", "json")
    lines = cluster.read_text().splitlines()
    groups = sum("[g5.xlarge]" in line for line in lines)
    assert [one["code"] for one in ran.document["findings"]] == ["LT256"] * groups
    for finding in ran.document["findings"]:
        assert "nvidia-tesla-t4" in lines[finding["line"] - 1]
        assert "nvidia-a10g" in finding["fix"]


def test_warnings_pass_unless_strict(lowtide: Lowtide, cluster: Path) -> None:
    """The autoscaler ignores a taint tag without an effect, so the tag is not what its author meant."""
    change(cluster, '"true:NoSchedule"', '"true"')
    ran = lowtide("check", "-o", "json")
    assert ran.code == 0
    assert [finding["severity"] for finding in ran.document["findings"]] == ["warning"]
    assert lowtide("check", "--strict", "-o", "json").code == 3


def test_a_missing_cluster_file_says_how_to_get_one(lowtide: Lowtide) -> None:
    ran = lowtide("check")
    assert ran.code == 2
    assert "lowtide init" in ran.out
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty"),
        (b"nodeGroups: [", "syntax"),
        (b"a: &a [*a, *a]", "an alias of itself"),
        (b"\x00\x01\x02\xff\xfe", "binary"),
        (b"- just\n- a list\n", "list"),
        (b"apiVersion: v1\nkind: Pod\n", "another kind"),
    ],
)
def test_a_file_that_is_no_cluster_config_is_exit_code_two_and_never_a_traceback(
    lowtide: Lowtide, content: bytes, name: str
) -> None:
    Path("cluster.yaml").write_bytes(content)
    ran = lowtide("check", "-o", "json")
    assert (ran.code, ran.err) == (2, ""), name
    assert ran.document["findings"]
    people = lowtide("check")
    assert people.code == 2
    assert "Traceback" not in people.out + people.err


def test_a_directory_as_file_is_exit_code_two(lowtide: Lowtide) -> None:
    Path("cluster.yaml").mkdir()
    ran = lowtide("check", "-o", "json")
    assert ran.code == 2
    assert ran.document["findings"][0]["file"] == "cluster.yaml"


def test_findings_can_be_had_as_yaml(lowtide: Lowtide) -> None:
    import yaml

    ran = lowtide("check", "-o", "yaml")
    assert ran.code == 2
    assert yaml.safe_load(ran.out)["schema"] == "lowtide.check/v1"


def test_flags_with_which_the_autoscaler_would_not_run_are_errors_at_their_place(
    lowtide: Lowtide, cluster: Path
) -> None:
    assert cluster.exists()
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\n"
        "kind: Policy\n"
        "autoscaler:\n"
        "  flags:\n"
        "    expander: price\n"
        "    scale-down-unneded-time: 3m\n"
        "    scale-down-delay-after-add: soon\n"
        "    max-nodes-total: 40\n"
    )
    ran = lowtide("check", "-o", "json")
    assert ran.code == 3
    found = ran.document["findings"]
    assert [(one["file"], one["line"], one["code"]) for one in found] == [
        ("lowtide.yaml", line, "LT501") for line in (5, 6, 7)
    ]
    assert "price" in found[0]["message"]
    assert found[1]["fix"] == "did you mean scale-down-unneeded-time?"
    assert "soon" in found[2]["message"]
    assert lowtide("simulate").code == 2


def test_flags_that_exclude_each_other_are_an_error_of_the_section(
    lowtide: Lowtide, cluster: Path
) -> None:
    assert cluster.exists()
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\n"
        "kind: Policy\n"
        "autoscaler:\n"
        "  flags: {drain-priority-config: '0:60', max-graceful-termination-sec: 60}\n"
    )
    ran = lowtide("check", "-o", "json")
    assert ran.code == 3
    assert [one["line"] for one in ran.document["findings"]] == [4]


def test_good_flags_are_no_finding(lowtide: Lowtide, cluster: Path) -> None:
    assert cluster.exists()
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\n"
        "kind: Policy\n"
        "autoscaler: {flags: {expander: most-pods, balancing-label: [a, b], v: 4}}\n"
    )
    assert lowtide("check", "--strict").code == 0
