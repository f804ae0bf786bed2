"""What a box leaves behind in the process that had it: nothing."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.aws.box import Box
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import Serving, open_box


def _use(box: Box) -> None:
    box.call("iam", "CreateRole", {"RoleName": "one", "AssumeRolePolicyDocument": "{}"})
    box.call("ec2", "DescribeVpcs", {})
    box.call("ssm", "PutParameter", {"Name": "/one", "Value": "1", "Type": "String"})


def _moto_objects() -> int:
    gc.collect()
    return sum(str(type(one).__module__).startswith("moto.") for one in gc.get_objects())


def test_a_box_that_is_no_longer_used_is_freed_with_all_that_moto_kept_for_it(
    tmp_path: Path,
) -> None:
    kept = []
    for number in range(3):
        box = open_box(Settings(folder=tmp_path / str(number)))
        _use(box)
        freed = weakref.ref(box)
        del box
        kept.append(_moto_objects())
        assert freed() is None

    assert kept[0] > 1000  # moto's own policies and images: the count sees them
    assert kept[2] < kept[1] + 100


def test_a_box_that_has_served_and_stopped_is_freed(tmp_path: Path) -> None:
    serving = Serving(Settings(folder=tmp_path))
    with serving:
        _use(serving.box)
    freed = weakref.ref(serving.box)
    del serving
    gc.collect()

    assert freed() is None
