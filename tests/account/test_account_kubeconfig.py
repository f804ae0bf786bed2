"""``kubeconfig`` writes what ``aws eks update-kubeconfig`` writes, into the file that it would choose."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lowtide.app.cluster_named import cluster_named
from lowtide.app.kubeconfigs import current_cluster, write_entry
from lowtide.app.whole_file import put
from lowtide.kube.kubeconfig import EksEntry, read, text_of, with_entry
from lowtide.model.errors import InputError
from tests.account.conftest import Cloud, Lowtide

ARN = "arn:aws:eks:us-east-1:123456789012:cluster/vision"
ENTRY = EksEntry(arn=ARN, name="vision", endpoint="https://127.0.0.1:6443", ca="Q0E=")
OTHERS = """
apiVersion: v1
kind: Config
preferences: {colors: true}
clusters:
- cluster: {server: https://other, insecure-skip-tls-verify: true}
  name: other
contexts:
- {name: other, context: {cluster: other, user: me, namespace: ml}}
users:
- {name: me, user: {token: abc}}
current-context: other
extensions: []
"""
MINE = text_of(
    with_entry(read("", "x"), EksEntry(arn=ARN, name="vision", endpoint="https://old", ca=""))
)


Places = tuple[Path, pytest.MonkeyPatch]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return tmp_path, monkeypatch


def aws(*arguments: str) -> None:
    if shutil.which("aws") is None:
        pytest.skip("needs the AWS CLI")
    ran = subprocess.run(
        ["aws", "eks", "update-kubeconfig", *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("before", "alias", "profile"),
    [
        (None, "", ""),
        pytest.param("", "short", "work", marks=pytest.mark.slow),
        pytest.param(OTHERS, "", "", marks=pytest.mark.slow),
        (MINE, "", "work"),
        pytest.param("apiVersion: v1\nclusters: null\n", "short", "", marks=pytest.mark.slow),
    ],
)
def test_it_writes_the_same_file_as_the_aws_cli(
    vision: str,
    lowtide: Lowtide,
    places: Places,
    before: str | None,
    alias: str,
    profile: str,
) -> None:
    tmp_path, monkeypatch = places
    (tmp_path / "config").write_text(f"[profile {profile or 'other'}]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for one in (theirs, ours):
        if before is not None:
            one.write_text(before)
    named = ["--alias", alias] if alias else []
    aws("--name", vision, "--region", "us-east-1", "--kubeconfig", str(theirs), *named)
    ran = lowtide(
        "kubeconfig", "--name", vision, "--region", "us-east-1", "--kubeconfig", str(ours), *named
    )
    assert ran.code == 0, ran.err
    assert ours.read_text() == theirs.read_text()
    assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(theirs.stat().st_mode)
    how = "Updated" if before == MINE else "Added new"
    assert ran.out == f"{how} context {alias or ARN} {'in' if how == 'Updated' else 'to'} {ours}\n"


def test_the_file_that_has_the_cluster_already_is_written_to(
    vision: str, lowtide: Lowtide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(OTHERS)
    second.write_text(MINE)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), "", str(second)]))
    document = json.loads(
        lowtide("kubeconfig", "--name", vision, "--region", "us-east-1", "-o", "json").out
    )
    assert (document["file"], document["updated"]) == (str(second), True)
    assert first.read_text() == OTHERS
    assert "https://old" not in second.read_text()


def test_a_dry_run_prints_the_file_and_writes_nothing(
    vision: str, lowtide: Lowtide, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    ran = lowtide(
        "kubeconfig",
        "--name",
        vision,
        "--region",
        "us-east-1",
        "--kubeconfig",
        str(path),
        "--dry-run",
    )
    assert yaml.safe_load(ran.out)["current-context"] == ARN
    assert not path.exists()


def test_a_file_that_is_no_kubeconfig_is_left_alone(
    vision: str, lowtide: Lowtide, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    for text in ("[]", "clusters: {}", "users: [1]", "a: [", "current-context: [x]", "\x00"):
        path.write_text(text)
        ran = lowtide(
            "kubeconfig", "--name", vision, "--region", "us-east-1", "--kubeconfig", str(path)
        )
        assert ran.code == 2
        assert str(path) in ran.err
        assert path.read_text() == text


def test_what_is_no_file_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="cannot be read") as raised:
        write_entry(ENTRY, given=str(pipe))
    assert "no regular file" in raised.value.why
    assert pipe.is_fifo()
    with pytest.raises(OSError, match="no regular file"):
        put(pipe, "x")
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_a_new_file_behind_a_link_is_for_its_owner_alone(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder" / "file")
    write_entry(ENTRY, given=str(link))
    assert link.is_symlink()
    assert stat.S_IMODE((tmp_path / "folder" / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name", ["", "d*", "dem?", "../x", "-demo", "dé", "a b", "demo\n", "a" * 101]
)
def test_a_name_that_no_cluster_can_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="No cluster") as raised:
        cluster_named(name=name, region="us-west-2")
    assert raised.value.where == "--name"
    assert len(raised.value.what) < 120


def test_a_cluster_that_is_not_there_is_said_to_be_so(cloud: Cloud, lowtide: Lowtide) -> None:
    ran = lowtide("kubeconfig", "--name", "lost", "--region", "us-east-1")
    assert ran.code == 2
    assert "There is no cluster lost in us-east-1" in ran.err


def test_entries_of_other_clusters_stay_as_they_are() -> None:
    merged = yaml.safe_load(text_of(with_entry(read(OTHERS, "x"), ENTRY)))
    before: dict[str, Any] = yaml.safe_load(OTHERS)
    assert merged["current-context"] == ARN
    for key in ("clusters", "contexts", "users"):
        assert merged[key][0] == before[key][0]
        assert [one["name"] for one in merged[key][1:]] == [ARN]
    assert merged["preferences"] == {"colors": True}


FILE = """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: filed, region: eu-west-1, version: "1.36"}
nodeGroups: [{name: general, instanceType: m5.large, minSize: 1, maxSize: 2}]
"""


def test_flags_go_before_the_file_and_the_file_before_the_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    for one in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(one, raising=False)
    with pytest.raises(InputError, match="Which cluster"):
        cluster_named()
    (tmp_path / "kubeconfig").write_text(text_of(with_entry(read("", "x"), ENTRY)))
    assert current_cluster() == ("vision", "us-east-1", tmp_path / "kubeconfig")
    found = cluster_named()
    assert (found.name, found.region, found.inputs) == ("vision", "us-east-1", None)
    Path("cluster.yaml").write_text(FILE)
    found = cluster_named()
    assert (found.name, found.region) == ("filed", "eu-west-1")
    assert found.inputs is not None
    found = cluster_named(name="other", region="us-west-2")
    assert (found.name, found.region, found.inputs) == ("other", "us-west-2", None)
    assert found.options == "--name other --region us-west-2"


def test_a_region_that_contradicts_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cluster.yaml").write_text(FILE)
    with pytest.raises(InputError, match="--region us-east-1 is not the region"):
        cluster_named(region="us-east-1")
    with pytest.raises(InputError, match="is not a region"):
        cluster_named(name="x", region="eu-wst-1")
    for one in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(one, raising=False)
    with pytest.raises(InputError, match="In which region"):
        cluster_named(name="x")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert cluster_named(name="x").region == "us-west-2"


def test_a_broken_file_that_nobody_named_does_not_hide_a_named_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cluster.yaml").write_text("kind: [")
    assert cluster_named(name="x", region="us-west-2").name == "x"
    for ways in ({}, {"name": "x", "region": "us-west-2", "file": "cluster.yaml"}):
        with pytest.raises(InputError) as raised:
            cluster_named(**ways)
        assert raised.value.where.startswith("cluster.yaml")
        assert "--name NAME --region REGION and no -f" in raised.value.fix
    Path("cluster.yaml").write_text(FILE.replace("metadata:", "metdata:"))
    with pytest.raises(InputError) as raised:
        cluster_named()
    assert raised.value.fix.count("; or give --name NAME --region REGION") == 1
