"""Whether the accelerator label of a group names a GPU that its types have.

Why it exists: a file is changed to another instance type in one place, and the label and its tag go on naming the old GPU. The Cluster
Autoscaler's AWS provider knows a GPU node by the presence of ``k8s.amazonaws.com/accelerator`` (cloudprovider/aws/aws_cloud_provider.go,
``GPULabel``) and takes its value for the GPU's type in metrics and in ``--gpu-total``; pods select by the value.

A value that names no GPU model, like ``"true"`` or a word of one's own, contradicts nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

from lowtide import catalog
from lowtide.model.catalog import InstanceType
from lowtide.model.cluster import NodeGroup
from lowtide.model.names import ACCELERATOR, TAG_LABEL_PREFIX
from lowtide.resolve.context import WRONG_ACCELERATOR, Context
from lowtide.spec.clusterconfig.cluster import GroupAt

_TAG = TAG_LABEL_PREFIX + ACCELERATOR
#: Maker, architecture, form and memory stand beside a model's name: nvidia-tesla-t4, nvidia-ampere-a100, NVIDIA-A100-SXM4-40GB.
_BESIDE_THE_MODEL = re.compile(
    r"nvidia|tesla|geforce|server|kepler|maxwell|pascal|volta|turing|ampere|ada|lovelace|hopper|blackwell|sxm\d?|pcie|nvl|\d+gb"
)
#: Models that no type of the catalog has, or that have a second name: AWS's A10G is an A10 to many.
_OTHER_NAMES = {"a10": "a10g", "p100": "p100", "p40": "p40", "p4": "p4"}


def warn_of_accelerator(context: Context, at: GroupAt, group: NodeGroup) -> None:
    """Warn where the label, or else the tag that stands for it at size zero, names a GPU that none of the group's types has."""
    given = {
        ("labels", ACCELERATOR): at.group.labels.get(ACCELERATOR, ""),
        ("tags", _TAG): at.group.tags.get(_TAG, ""),
    }
    types = [one.offering.instance_type for one in group.candidates]
    wrong = [key for key, value in given.items() if _contradicts(value, types)]
    if not wrong:
        return
    first, *others = wrong
    # A tag of the right name beside a wrong label, or the other way round, is left as it is.
    where = "".join(f", also at {section}[{key!r}]" for section, key in others)
    right = next((one.accelerator for one in types if one.accelerator), "")
    fix = f"write {right}{where}" if right else f"remove it{where}"
    context.warn(WRONG_ACCELERATOR, _message(given[first], types), (*at.path, *first), fix)


def _contradicts(value: str, types: Iterable[InstanceType]) -> bool:
    model = _model(value)
    return model in _known_models() and model not in {
        name for one in types for name in _models_of(one)
    }


def _message(value: str, types: list[InstanceType]) -> str:
    gpus = sorted(
        {f"{one.gpu.manufacturer} {one.gpu.model}" for one in types if one.gpu is not None}
    )
    names = ", ".join(one.name for one in types)
    has = "have" if len(types) > 1 else "has"
    if not gpus:
        return (
            f"the label says {value}, but {names} {has} no GPU: the autoscaler waits for one on every node of the group, "
            "and takes the node for unready until then"
        )
    return (
        f"the label says {value}, but {names} {has} {', '.join(gpus)}: pods that select this label get another GPU than they ask for, "
        "and the autoscaler's --gpu-total and metrics count the wrong one"
    )


@functools.cache
def _known_models() -> frozenset[str]:
    listed = (name for one in catalog.instance_types() for name in _models_of(one))
    return frozenset(listed) | frozenset(_OTHER_NAMES.values())


def _models_of(one: InstanceType) -> Iterator[str]:
    """Yield how a type's GPU is called once everything beside the model is left out."""
    if one.gpu is not None and one.gpu.manufacturer == "NVIDIA":
        yield _model(one.gpu.model)
        if one.accelerator:
            yield _model(one.accelerator)


def _model(value: str) -> str:
    words = re.split(r"[^a-z0-9]+", value.lower())
    model = "-".join(one for one in words if one and not _BESIDE_THE_MODEL.fullmatch(one))
    return _OTHER_NAMES.get(model, model)
