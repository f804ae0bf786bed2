"""``status`` tells what AWS knows also where Kubernetes does not answer, and what it costs now."""

from __future__ import annotations

import json
from pathlib import Path

from tests.account.conftest import Cloud, Lowtide
from tests.account.test_account_node_groups import FILE, NAMED, group, only, until


def test_where_the_api_server_does_not_answer_the_rest_is_told(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud, DesiredCapacity=2)
    until(lambda: only(cloud), lambda one: len(one.instances) == 2)
    ran = lowtide("status", *NAMED, "-o", "json")
    assert ran.code == 5
    document = json.loads(ran.out)
    assert document["schema"] == "lowtide.status/v1"
    assert document["kubernetes_error"]
    (row,) = document["groups"]
    assert (row["min"], row["max"], row["desired"], row["bought"]) == (0, 4, 2, "on-demand")
    assert document["usd_per_hour"]["nodes"] == 2 * 0.526
    assert document["usd_per_hour"]["without"] == ["NAT gateways", "volumes", "public addresses"]
    words = lowtide("status", *NAMED)
    assert words.code == 5
    assert "Kubernetes could not be asked" in words.out
    assert "g4dn.xlarge on-demand" in words.out
    assert "$1.15 an hour now: nodes $1.05, control plane $0.10" in words.out


def test_with_the_file_volumes_and_addresses_are_priced_too(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    Path("cluster.yaml").write_text(FILE)
    group(cloud, DesiredCapacity=1)
    until(lambda: only(cloud), lambda one: len(one.instances) == 1)
    usd = json.loads(lowtide("status", "-o", "json").out)["usd_per_hour"]
    assert usd["without"] == []
    assert usd["volumes_and_addresses"] > 0
    assert usd["fixed"] == 0.1  # nodes of this file are public, so there is no gateway


def test_a_cluster_of_others_is_shown_as_such(cloud: Cloud, vision: str, lowtide: Lowtide) -> None:
    assert "lowtide did not make this cluster" in lowtide("status", *NAMED).out


def test_a_cluster_that_is_not_there_is_an_error_in_words(cloud: Cloud, lowtide: Lowtide) -> None:
    ran = lowtide("status", *NAMED)
    assert ran.code == 2
    assert "There is no cluster vision in us-east-1" in ran.err


def test_where_aws_denies_it_the_action_is_named(
    cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    cloud.fault(kind="access-denied", service="autoscaling")
    ran = lowtide("status", *NAMED)
    assert ran.code == 4
    assert "autoscaling:DescribeAutoScalingGroups" in ran.err
