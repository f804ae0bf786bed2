"""Types are found by their attributes, with EC2's defaults for what is not said."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import Aws, open_aws

ANY = {"VCpuCount": {"Min": 0}, "MemoryMiB": {"Min": 0}}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Aws:
    """One box for all: nothing here changes it, and its first list of all types takes seconds."""
    return open_aws(tmp_path_factory.mktemp("box"))


def types(aws: Aws, arch: str = "x86_64", **needs: Any) -> list[str]:
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = aws(
            "GetInstanceTypesFromInstanceRequirements",
            ArchitectureTypes=[arch],
            VirtualizationTypes=["hvm"],
            InstanceRequirements={**ANY, **needs},
            MaxResults=400,
            **token,
        )
        found += [one["InstanceType"] for one in answer["InstanceTypes"]]
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


@pytest.mark.parametrize(
    ("needs", "there", "away"),
    [
        ({"AcceleratorCount": {"Min": 1}, "AcceleratorManufacturers": ["nvidia"]}, {"g4dn.xlarge", "p5.48xlarge", "g7.2xlarge"}, {"g4ad.xlarge", "m5.large", "inf2.xlarge"}),
        ({"AcceleratorCount": {"Max": 0}}, {"m5.large", "c5.large"}, {"g4dn.xlarge", "inf2.xlarge", "trn1.2xlarge"}),
        ({"AcceleratorNames": ["t4", "a10g"]}, {"g4dn.xlarge", "g5.xlarge"}, {"g6.xlarge", "g5g.xlarge", "m5.large"}),
        ({"AcceleratorTypes": ["inference"]}, {"inf2.xlarge", "trn1.2xlarge"}, {"g4dn.xlarge"}),
        ({"AcceleratorTypes": ["gpu"], "AcceleratorManufacturers": ["amd"]}, {"g4ad.xlarge"}, {"g4dn.xlarge", "m5a.large"}),
        ({"AcceleratorTotalMemoryMiB": {"Min": 300_000}}, {"p5.48xlarge"}, {"g4dn.xlarge", "m5.large"}),
        ({"VCpuCount": {"Min": 4, "Max": 4}, "AcceleratorTypes": ["gpu"]}, {"g4dn.xlarge", "g5.xlarge"}, {"g4dn.2xlarge"}),
        ({"MemoryMiB": {"Min": 16384, "Max": 16384}}, {"g4dn.xlarge", "m5.xlarge"}, {"m5.large"}),
        ({"MemoryGiBPerVCpu": {"Min": 8.0}}, {"r5.large"}, {"m5.large"}),
        ({"CpuManufacturers": ["amd"]}, {"m5a.large", "g5.xlarge"}, {"m5.large"}),
        ({"InstanceGenerations": ["previous"]}, {"m3.medium"}, {"m7i.large"}),
        ({}, {"m5.large", "m3.medium", "g4dn.xlarge"}, {"t3.micro", "m5.metal", "m7g.medium"}),
        ({"BareMetal": "required"}, {"m5.metal"}, {"m5.large"}),
        ({"BurstablePerformance": "included"}, {"t3.micro", "m5.large"}, set()),
        ({"AllowedInstanceTypes": ["g4dn.*"]}, {"g4dn.xlarge"}, {"g5.xlarge"}),
        ({"ExcludedInstanceTypes": ["g4*"]}, {"g5.xlarge"}, {"g4dn.xlarge", "g4ad.xlarge"}),
        ({"LocalStorage": "required", "TotalLocalStorageGB": {"Max": 200}}, {"g4dn.xlarge"}, {"m5.large", "i3.16xlarge"}),
        ({"LocalStorage": "excluded"}, {"m5.large"}, {"g4dn.xlarge"}),
    ],
)  # fmt: skip
def test_types_are_found_by_what_they_have(
    aws: Aws, needs: dict[str, Any], there: set[str], away: set[str]
) -> None:
    found = types(aws, **needs)
    assert there <= set(found)
    assert not away & set(found)
    assert len(found) == len(set(found))


def test_types_of_the_other_architecture_are_asked_for_by_name(aws: Aws) -> None:
    assert "g5g.xlarge" in types(aws, "arm64", AcceleratorNames=["t4g"])
    assert "g4dn.xlarge" not in types(aws, "arm64", AcceleratorTypes=["gpu"])


@pytest.mark.parametrize(
    ("needs", "more", "code"),
    [
        ({"AcceleratorTypes": ["tpu"]}, {}, "InvalidParameterValue"),
        ({"BareMetal": "maybe"}, {}, "InvalidParameterValue"),
        ({"VCpuCount": {"Min": 5, "Max": 4}}, {}, "InvalidParameterValue"),
        ({"AllowedInstanceTypes": ["a"], "ExcludedInstanceTypes": ["b"]}, {}, "InvalidParameterCombination"),
        ({"BaselinePerformanceFactors": {"Cpu": {"References": [{"InstanceFamily": "m6i"}]}}}, {}, "InvalidParameterValue"),
        ({}, {"ArchitectureTypes": ["z80"]}, "InvalidParameterValue"),
        ({}, {"NextToken": "x"}, "InvalidNextToken"),
        ({}, {"MaxResults": -1}, "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_requirements_that_mean_nothing_are_refused(
    aws: Aws, needs: dict[str, Any], more: dict[str, Any], code: str
) -> None:
    params = {"ArchitectureTypes": ["x86_64"], "VirtualizationTypes": ["hvm"], **more}
    with pytest.raises(AwsError) as refused:
        aws(
            "GetInstanceTypesFromInstanceRequirements",
            InstanceRequirements={**ANY, **needs},
            **params,
        )
    assert refused.value.code == code
