"""The README.md beside rendered files: in which order to apply them with ``aws`` and ``kubectl`` alone.

Why it exists: rendered files must work without lowtide ever after, also for somebody who does not know it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from lowtide.app.design import Design
from lowtide.aws.templates.cfn import BODY_LIMIT_BYTES, Stack, stack_name
from lowtide.aws.templates.identity import account, identity_names
from lowtide.kube.addons import cluster_autoscaler, nvidia_plugin, termination_handler
from lowtide.kube.addons.accounts import waiting_for_role
from lowtide.kube.addons.helm import Chart
from lowtide.model import names

STACKS = "cloudformation"
OBJECTS = "kubernetes"
_SYSTEM = names.SYSTEM_NAMESPACE


def guide(
    designed: Design, files: Mapping[str, str], *, charts: tuple[Chart, ...], queue_url: str
) -> str:
    """Return the README of rendered files.

    Args:
        designed: the cluster.
        files: text by path, as they are written.
        charts: the Helm charts that stand in place of the add-ons' manifests, none with manifests.
        queue_url: the interruption queue's URL where the account is known.
    """
    steps = (
        _stacks(designed, files),
        _cluster_access(designed),
        _late_stacks(designed, files),
        _objects(designed, files, queue_url=queue_url, charts=charts),
        _charts(charts, designed, queue_url=queue_url),
    )
    written = [lines for lines in map(list, steps) if lines]
    numbered = (
        [f"## {number}. {title}", *rest] for number, (title, *rest) in enumerate(written, start=1)
    )
    parts = (_head(designed, charts), *numbered, _changes(), _end(designed))
    return "\n".join(line for part in parts for line in part)


def _head(designed: Design, charts: tuple[Chart, ...]) -> Iterator[str]:
    cluster = designed.cluster
    tools = "`aws`, `kubectl` and `helm`" if charts else "`aws` and `kubectl`"
    yield f"# {cluster.name}"
    yield ""
    yield f"An EKS cluster of Kubernetes {cluster.version} in {cluster.region}, as CloudFormation templates and Kubernetes"
    yield f"objects. Rendered by lowtide; applying them takes {tools} alone."
    yield ""
    yield "| stack | file | resources | what for |"
    yield "|---|---|---|---|"
    for stack in designed.stacks:
        count = len(stack.template["Resources"])
        yield f"| {stack.name} | {STACKS}/{stack.file} | {count} | {stack.why} |"
    yield ""


def _stacks(designed: Design, files: Mapping[str, str]) -> Iterator[str]:
    yield "Cluster and nodes"
    yield ""
    yield "Each command waits until its stack is there. Node groups may be created at the same time as each other."
    yield ""
    early = [one for one in designed.stacks if one not in _after_nodes(designed)]
    yield from _deployed(early, designed, files)


def _after_nodes(designed: Design) -> tuple[Stack, ...]:
    name = designed.cluster.name
    late = {stack_name(name, part) for part in ("addons", "interruption")}
    return tuple(one for one in designed.stacks if one.name in late)


def _deployed(stacks: list[Stack], designed: Design, files: Mapping[str, str]) -> Iterator[str]:
    large = False
    yield "```sh"
    for stack in stacks:
        path = f"{STACKS}/{stack.file}"
        is_large = len(files.get(path, "").encode()) > BODY_LIMIT_BYTES
        large = large or is_large
        yield _deploy(stack, path, designed, large=is_large)
        yield from stack.after
    yield "```"
    if large:
        yield ""
        yield f"A template above {BODY_LIMIT_BYTES:,} bytes goes through an S3 bucket of yours: put its name for BUCKET."
    yield ""


def _deploy(stack: Stack, path: str, designed: Design, *, large: bool) -> str:
    """Return the command for a stack; its tag is what ``lowtide up`` and ``down`` know a stack of theirs by."""
    cluster = designed.cluster
    words = [
        f"aws cloudformation deploy --region {cluster.region} --stack-name {stack.name}",
        f"--template-file {shlex.quote(path)} --no-fail-on-empty-changeset",
        f"--tags {names.CLUSTER_TAG}={cluster.name}",
    ]
    if large:
        words.append("--s3-bucket BUCKET")
    if stack.capabilities:
        words.append(f"--capabilities {' '.join(stack.capabilities)}")
    # The values are words of a shell: a search that only the account can answer.
    given = " ".join(f'"{name}={value}"' for name, value in stack.parameters.items())
    if given:
        words.append(f"--parameter-overrides {given}")
    return " \\\n  ".join(words)


def _cluster_access(designed: Design) -> Iterator[str]:
    cluster = designed.cluster
    yield "Access"
    yield ""
    yield "Whoever created the cluster may use it; the file's access entries name the others."
    yield ""
    yield "```sh"
    yield f"aws eks update-kubeconfig --region {cluster.region} --name {cluster.name}"
    if any(group.min_size for group in cluster.node_groups):
        # A group's stack is complete before its nodes have joined, and waiting for no node at all is an error.
        yield "until kubectl get nodes --no-headers 2>/dev/null | grep -q .; do sleep 10; done"
        yield "kubectl wait node --all --for condition=Ready --timeout 10m"
        yield "```"
    else:
        yield "```"
        yield ""
        yield "No group has a node at its minimum, and what comes next needs one, the autoscaler too: give a group"
        yield "without a taint a minSize of 1, or raise one's desired capacity before you go on."
    yield ""


def _late_stacks(designed: Design, files: Mapping[str, str]) -> Iterator[str]:
    late = _after_nodes(designed)
    if not late:
        return
    yield "What needs nodes, and the queue of interruptions"
    yield ""
    yield from _deployed(list(late), designed, files)


def _objects(
    designed: Design, files: Mapping[str, str], *, queue_url: str, charts: tuple[Chart, ...]
) -> Iterator[str]:
    """Applied before charts: accounts first, then what uses them."""
    if not any(path.startswith(f"{OBJECTS}/") for path in files):
        return
    yield "Kubernetes objects"
    yield ""
    yield "```sh"
    if designed.interruptions is not None and not queue_url and not charts:
        yield from _queue_config(designed, designed.interruptions)
    yield f"kubectl apply --recursive -f {OBJECTS}/"
    if not charts:
        yield from _settled(designed)
    yield "```"
    yield ""


def _settled(designed: Design) -> Iterator[str]:
    """Give accounts their roles and wait for the add-ons, which the charts name as our manifests do."""
    yield from _annotations(designed)
    waiting = {account(one) for one in waiting_for_role(designed.blueprint.identities)}
    for kind, name in _workloads(designed):
        if f"{_SYSTEM}/{name}" in waiting:  # a pod gets its role at its start
            yield f"kubectl -n {_SYSTEM} rollout restart {kind}/{name}"
    for kind, name in _workloads(designed):
        yield f"kubectl -n {_SYSTEM} rollout status {kind}/{name} --timeout 5m"


def _workloads(designed: Design) -> Iterator[tuple[str, str]]:
    yield "deployment", cluster_autoscaler.NAME
    if designed.interruptions is not None:
        yield "deployment", termination_handler.NAME
    if designed.needs_device_plugin:
        yield "daemonset", nvidia_plugin.NAME


def _queue_config(designed: Design, stack: Stack) -> Iterator[str]:
    """The URL holds the number of the account, which the files do not know."""
    literal = f"--from-literal={termination_handler.QUEUE_KEY}={_queue_words(designed, stack)}"
    yield f"kubectl -n {_SYSTEM} create configmap {termination_handler.NAME} \\"
    yield f"  {literal} \\"
    yield "  --dry-run=client -o yaml | kubectl apply -f -"


def _queue_words(designed: Design, stack: Stack) -> str:
    return _output_words(designed, stack.name, "QueueUrl")


def _output_words(designed: Design, stack: str, output: str) -> str:
    """Return the words of a shell that print an output of a stack."""
    query = f"Stacks[0].Outputs[?OutputKey==`{output}`].OutputValue"
    return (
        f'"$(aws cloudformation describe-stacks --region {designed.cluster.region} --stack-name {stack}'
        f" --query '{query}' --output text)\""
    )


def _annotations(designed: Design) -> Iterator[str]:
    """Give accounts that use IRSA the role that the cluster's stack made for them."""
    identities = designed.blueprint.identities
    logical = identity_names(identities)
    stack = stack_name(designed.cluster.name, "cluster")
    for one in waiting_for_role(identities):
        if one.create_account:
            role = _output_words(designed, stack, f"Role{logical[account(one)]}Arn")
            yield f"kubectl -n {one.namespace} annotate serviceaccount {one.name} --overwrite \\"
            yield f"  eks.amazonaws.com/role-arn={role}"


def _charts(charts: tuple[Chart, ...], designed: Design, *, queue_url: str) -> Iterator[str]:
    if not charts:
        return
    yield "Add-ons by Helm"
    yield ""
    yield "```sh"
    for chart in charts:
        source = f"{chart.chart} --repo {chart.repository}" if chart.repository else chart.chart
        yield f"helm upgrade --install {chart.release} {source} --version {chart.version} \\"
        words = f"  --namespace {_SYSTEM} --values {chart.file}"
        stack = designed.interruptions
        if chart.release == termination_handler.NAME and stack is not None and not queue_url:
            yield f"{words} \\"
            words = f"  --set queueURL={_queue_words(designed, stack)}"
        yield words
    yield from _settled(designed)
    yield "```"
    yield ""


def _changes() -> Iterator[str]:
    yield "## Changes"
    yield ""
    yield "Change the cluster file, look at what that does to this folder, render it again, and run the commands above: they"
    yield "change what differs. The stack of a template that is no longer here stays until `aws cloudformation delete-stack`,"
    yield "and one whose very first creation failed (`ROLLBACK_COMPLETE`) must be deleted before."
    yield ""
    yield "```sh"
    yield "lowtide render --diff FOLDER"
    yield "lowtide render FOLDER"
    yield "```"
    yield ""


def _end(designed: Design) -> Iterator[str]:
    region = designed.cluster.region
    yield "## Taking it down"
    yield ""
    yield "First delete your Services of type LoadBalancer and your PersistentVolumeClaims: what they made in AWS belongs to no"
    yield "stack. The autoscaler goes next, because it would replace nodes that are being deleted."
    yield ""
    yield "```sh"
    yield f"kubectl -n {_SYSTEM} scale deployment {cluster_autoscaler.NAME} --replicas 0"
    for stack in reversed(designed.stacks):
        yield f"aws cloudformation delete-stack --region {region} --stack-name {stack.name}"
        yield f"aws cloudformation wait stack-delete-complete --region {region} --stack-name {stack.name}"
    yield "```"
    yield ""
