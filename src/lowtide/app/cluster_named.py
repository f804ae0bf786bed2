"""Which cluster a verb of daily work speaks of: the one named, the one of the file, or the one that kubectl talks to.

Why it exists: the file may be lost, or lie on another machine, while the cluster runs and costs money.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lowtide.app.files import DEFAULT_CLUSTER, Inputs
from lowtide.app.kubeconfigs import current_cluster
from lowtide.app.regions import checked_region
from lowtide.model.errors import InputError
from lowtide.spec.cluster_documents import load_documents
from lowtide.spec.clusterfile import cluster_of

_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
#: EKS API reference, CreateCluster, ``name``. EC2's filters take ``*`` and ``?`` in what looks like a name for any letters.
_NAME = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", re.ASCII)
_SHOWN = 101
_WITHOUT_FILE = "or give --name NAME --region REGION and no -f, which works without the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCluster:
    """A cluster by name and region. ``inputs`` is its file, None without one; ``source`` says where the name comes from."""

    name: str
    region: str
    source: str
    inputs: Inputs | None = None

    @property
    def options(self) -> str:
        """The command line's options that name it, ready for a shell."""
        if self.inputs is not None:
            return self.inputs.options
        return f"--name {self.name} --region {self.region}"


def cluster_named(
    *, file: str | None = None, name: str | None = None, region: str | None = None
) -> NamedCluster:
    """Return the cluster that is meant: flags go before the file, the file before kubectl's context.

    Args:
        file: the file that was given, None for cluster.yaml if there is one.
        name: ``--name``; its region is ``--region``, else the file's if it is of the same name, else the environment's.
        region: ``--region``; contradicting the file is an error.

    Raises:
        InputError: nothing names a cluster, or its region; no cluster can have that name; or the file cannot be read.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise _no_name(name)
    if region is not None:
        checked_region(region, where="--region", command="--region")
    in_file = _in_file(file, must_be_read=name is None)
    if in_file is not None and name in {None, in_file.name}:
        if region not in {None, in_file.region}:
            raise _two_regions(in_file.source, str(region), in_file.region)
        return in_file
    if name is not None:
        return NamedCluster(name=name, region=region or _region_of_environment(), source="--name")
    found = current_cluster()
    if found is None:
        raise InputError(
            "Which cluster?",
            where="cluster.yaml",
            why="there is no such file here, and kubectl's current context is no EKS cluster",
            fix="name it: --name NAME --region REGION, or -f FILE",
        )
    context_name, context_region, path = found
    if region not in {None, context_region}:
        raise _two_regions_of_context(path, str(region), context_region)
    return NamedCluster(
        name=context_name, region=context_region, source=f"the current context of {path}"
    )


def _in_file(file: str | None, *, must_be_read: bool) -> NamedCluster | None:
    """Return the cluster of the file; a cluster.yaml that nobody named need not be readable where the name is given."""
    path = file or DEFAULT_CLUSTER
    if file is None and not Path(path).is_file():
        return None
    try:
        config = cluster_of(load_documents(path).cluster).config
    except InputError as error:
        if must_be_read or file is not None:
            error.fix = f"{error.fix}; {_WITHOUT_FILE}" if error.fix else _WITHOUT_FILE
            raise
        return None
    return NamedCluster(
        name=config.name, region=config.region, source=path, inputs=Inputs(cluster=path)
    )


def _region_of_environment() -> str:
    for variable in _REGION_VARIABLES:
        region = os.environ.get(variable)
        if region:
            return checked_region(region, where=variable, command="--region")
    raise InputError(
        "In which region?",
        where="--name",
        why="a cluster is known by its name and its region, and nothing says the region",
        fix="add --region REGION",
    )


def _no_name(name: str) -> InputError:
    return InputError(
        f"No cluster can be called {name!r}"
        if len(name) < _SHOWN
        else "No cluster has so long a name",
        where="--name",
        why="EKS takes up to 100 letters, digits, dashes and underscores, and a letter or digit first",
        fix="aws eks list-clusters tells the names that there are",
    )


def _two_regions(file: str, given: str, written: str) -> InputError:
    return InputError(
        f"--region {given} is not the region of the cluster",
        where=file,
        why=f"its metadata.region is {written}",
        fix="leave --region out, or name another cluster with --name",
    )


def _two_regions_of_context(path: Path, given: str, written: str) -> InputError:
    return InputError(
        f"--region {given} is not the region of the cluster",
        where=str(path),
        why=f"kubectl's current context is in {written}",
        fix="leave --region out, or add --name NAME",
    )
