"""The vCPU quotas of EC2: what they allow, and what is in use.

Why it exists: a launch beyond a quota fails in the background, as a scaling activity that nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable

from lowtide.aws.live.account import Account
from lowtide.aws.live.paging import pages
from lowtide.aws.live.session import ask
from lowtide.model.errors import AwsError
from lowtide.model.names import CLUSTER_TAG

#: States in which an instance counts (EC2 user guide, "On-Demand Instance quotas").
_COUNTED = ("pending", "running")
_PAGE = 1000


def allowed_vcpus(account: Account, code: str) -> float:
    """Return the value of a quota of EC2: the account's own, or AWS's default where the account never had another.

    Raises:
        AwsError: there is no such quota, AWS refused, or could not be reached.
    """
    quotas = account.client("service-quotas")
    asked = {"ServiceCode": "ec2", "QuotaCode": code}
    try:
        answer = ask(quotas.get_service_quota, **asked)
    except AwsError as error:
        if error.code != "NoSuchResourceException":
            raise
        answer = ask(quotas.get_aws_default_service_quota, **asked)
    return float(answer["Quota"]["Value"])


def used_vcpus(
    account: Account, cluster: str, quota_of: Callable[[str, bool], str]
) -> dict[str, int]:
    """Return the vCPUs in use by the code of their quota.

    Args:
        account: where to ask.
        cluster: its own nodes are left out, because what it may launch counts them already.
        quota_of: from a type and whether it is spot to the code of the quota.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    used: dict[str, int] = {}
    running = {"Name": "instance-state-name", "Values": list(_COUNTED)}
    ec2 = account.client("ec2")
    for page in pages(ec2.describe_instances, Filters=[running], MaxResults=_PAGE):
        for one in (one for each in page["Reservations"] for one in each["Instances"]):
            tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
            if tags.get(CLUSTER_TAG) == cluster:
                continue
            code = quota_of(one["InstanceType"], one.get("InstanceLifecycle") == "spot")
            cpu = one.get("CpuOptions", {})
            vcpus = cpu.get("CoreCount", 0) * cpu.get("ThreadsPerCore", 1)
            used[code] = used.get(code, 0) + vcpus
    return used
