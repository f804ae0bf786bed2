from __future__ import annotations

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.eks.eks_box import Aws


def _update(aws: Aws, update_id: str) -> dict[str, object]:
    found: dict[str, object] = aws("DescribeUpdate", name="tide", updateId=update_id)["update"]
    return found


def test_an_upgrade_goes_one_minor_up_and_starts_the_plane_anew(aws: Aws) -> None:
    aws.active(version="1.34")

    update = aws("UpdateClusterVersion", name="tide", version="1.35")["update"]
    assert aws.cluster()["status"] == "UPDATING"
    aws.wait(aws.box.settings.delays.cluster_update_s + 1)
    assert aws.planes.asked[-1].minor == "1.35"
    assert aws.cluster()["version"] == "1.34"
    aws.planes.succeed()
    aws.wait(1)

    assert aws.cluster()["version"] == "1.35"
    assert aws.cluster()["status"] == "ACTIVE"
    assert _update(aws, update["id"])["status"] == "Successful"


def test_an_upgrade_whose_programs_cannot_be_had_fails_and_the_old_plane_goes_on(aws: Aws) -> None:
    aws.active(version="1.34")

    update = aws("UpdateClusterVersion", name="tide", version="1.35")["update"]
    aws.wait(aws.box.settings.delays.cluster_update_s + 1)
    aws.planes.fail("no binaries of 1.35", "lowtide local build")
    aws.wait(1)

    found = _update(aws, update["id"])
    assert found["status"] == "Failed"
    assert "no binaries of 1.35" in str(found["errors"])
    assert aws.cluster()["version"] == "1.34"
    assert aws.cluster()["status"] == "ACTIVE"
    assert aws.planes.asked[-1].minor == "1.34"


@pytest.mark.parametrize("version", ["1.36", "1.34", "1.33"])
def test_an_upgrade_that_is_not_one_minor_up_is_refused(aws: Aws, version: str) -> None:
    aws.active(version="1.34")

    words = f"Unsupported Kubernetes minor version update from 1.34 to {version}"
    with pytest.raises(AwsError, match=words):
        aws("UpdateClusterVersion", name="tide", version=version)


def test_a_second_update_waits_for_the_first_in_ekss_words(aws: Aws) -> None:
    aws.active()
    first = aws("UpdateClusterConfig", name="tide", upgradePolicy={"supportType": "STANDARD"})

    words = f"Cannot DeletionProtectionUpdate because cluster tide currently has update {first['update']['id']} in progress"
    with pytest.raises(AwsError, match=words):
        aws("UpdateClusterConfig", name="tide", deletionProtection=True)
    with pytest.raises(AwsError, match="currently has an update in progress"):
        aws("DeleteCluster", name="tide")


def test_a_change_shows_when_its_update_has_ended(aws: Aws) -> None:
    aws.active()
    types = [{"types": ["audit"], "enabled": True}]

    update = aws("UpdateClusterConfig", name="tide", logging={"clusterLogging": types})["update"]
    assert update["type"] == "LoggingUpdate"
    assert len(aws.cluster()["logging"]["clusterLogging"]) == 1
    aws.wait(aws.box.settings.delays.cluster_update_s + 1)

    assert aws.cluster()["logging"]["clusterLogging"][0] == {"types": ["audit"], "enabled": True}
    assert aws("ListUpdates", name="tide")["updateIds"] == [update["id"]]


def test_one_kind_of_change_at_a_time_and_none_that_changes_nothing(aws: Aws) -> None:
    aws.active()

    with pytest.raises(AwsError, match="Only one type of update can be allowed"):
        aws("UpdateClusterConfig", name="tide", deletionProtection=True, upgradePolicy={})
    with pytest.raises(AwsError, match="No changes needed"):
        aws("UpdateClusterConfig", name="tide", deletionProtection=False)


def test_the_authentication_mode_never_goes_back(aws: Aws) -> None:
    aws.active()

    words = "Unsupported authentication mode update from API to CONFIG_MAP"
    with pytest.raises(AwsError, match=words):
        aws("UpdateClusterConfig", name="tide", accessConfig={"authenticationMode": "CONFIG_MAP"})


def test_encryption_is_associated_once(aws: Aws) -> None:
    aws.active()
    key = [{"resources": ["secrets"], "provider": {"keyArn": "arn:aws:kms:us-east-1:1:key/k"}}]

    aws("AssociateEncryptionConfig", clusterName="tide", encryptionConfig=key)
    aws.wait(aws.box.settings.delays.cluster_update_s + 1)

    assert aws.cluster()["encryptionConfig"] == key
    with pytest.raises(AwsError, match="already associated"):
        aws("AssociateEncryptionConfig", clusterName="tide", encryptionConfig=key)


def test_an_update_is_known_only_where_it_happened(aws: Aws) -> None:
    aws.active()
    aws("CreateAddon", clusterName="tide", addonName="vpc-cni")
    update = aws("UpdateAddon", clusterName="tide", addonName="vpc-cni")["update"]

    asked = {"name": "tide", "updateId": update["id"]}
    assert aws("DescribeUpdate", addonName="vpc-cni", **asked)["update"]["type"] == "AddonUpdate"
    with pytest.raises(AwsError, match="No update found"):
        aws("DescribeUpdate", **asked)
