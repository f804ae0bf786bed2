"""Writes src/lowtide/aws/actions.json and docs/iam.md: the IAM actions that lowtide's verbs use, recorded by running them.

The embedded AWS sees every call: those of the verbs themselves, and those that CloudFormation makes with the caller's permissions. Some
permissions show up in no call: AWS asks for iam:PassRole where a role is handed over and for the right to tag where something is made with
tags. Those are taken from CloudFormation's published resource schemas (handlers.create.permissions, as cfn-lint carries them) of
the resource types that the templates have.

    python scripts/iam.py            run the verbs, write both files
    python scripts/iam.py --check    run the verbs; an action that is not in the record is an error
    python scripts/iam.py --page     write docs/iam.md from the record alone
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from lowtide.app.design import design
from lowtide.app.files import Inputs
from lowtide.aws.live.account import Account
from lowtide.aws.live.node_groups import node_groups
from lowtide.cli.main import run
from lowtide.local.aws import credentials
from lowtide.local.aws.settings import Settings
from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.releases import DEFAULT_MINOR
from lowtide.local.serve import Serving

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "src" / "lowtide" / "aws" / "actions.json"
PAGE = ROOT / "docs" / "iam.md"
EXAMPLE = ROOT / "examples" / "noble-gpu" / "cluster.yaml"
REGION = "us-east-1"
#: What the example lacks: a managed group, and enough types for a placement score.
MANAGED_GROUP = """
managedNodeGroups:
  - name: gpu-managed
    instanceTypes: [g4dn.xlarge, g5.xlarge, g6.xlarge]
    spot: true
    minSize: 0
    desiredCapacity: 0
    maxSize: 1
"""

#: The prefix of an action where it is not botocore's name of the service (Service Authorization Reference).
PREFIXES = {
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}
#: Operations whose action has another name (Service Authorization Reference); None needs no permission.
RENAMED: Mapping[tuple[str, str], str | None] = {
    ("sts", "GetCallerIdentity"): None,
}
#: Permissions that belong to another call: handing a role over, tagging at creation, launching for the first time.
IMPLICIT = re.compile(
    r"iam:PassRole|iam:CreateServiceLinkedRole|ec2:RunInstances|(\w[\w-]*):(Tag\w+|CreateTags|AddTagsToResource)"
)
#: Services whose handlers name rights to tag things that the templates have not.
_NOT_OURS = ("firehose:",)

Step = tuple[str, ...] | Callable[[], None]


def edit_file() -> None:
    """Change the cluster file, so that the next `up` changes a stack."""
    file = Path("cluster.yaml")
    text = file.read_text("utf-8")
    file.write_text(text.replace("maxSize: 10", "maxSize: 9", 1), "utf-8")


def wait_for_spot() -> None:
    """Wait until a spot instance runs, whose price `status` asks for."""
    account = Account(REGION)
    end = time.monotonic() + 60
    while not any(
        each.spot for one in node_groups(account, "noble-gpu-example") for each in one.instances
    ):
        if time.monotonic() > end:
            raise SystemExit("no spot instance came up")
        time.sleep(1)


def leave_things() -> None:
    """Make one of each kind of thing that controllers or people leave behind."""
    sys.path.insert(0, str(ROOT))
    importlib.import_module("tests.life.leftovers").everything("noble-gpu-example")


#: The verbs in the order of a cluster's life: its name, and the steps that show all of it: command lines, or what happens between them.
FLOWS: tuple[tuple[str, tuple[Step, ...]], ...] = (
    ("check --live", (("check", "--live"),)),
    ("prices refresh", (("prices", "refresh"),)),
    ("up", (("up", "--yes"), edit_file, ("up", "--yes"))),
    ("plan --live", (("plan", "--live"),)),
    ("kubeconfig", (("kubeconfig",),)),
    (
        "scale",
        (
            ("scale", "gpu-spot-a", "--min", "1", "--max", "2", "--yes"),
            ("scale", "gpu-managed", "--max", "2", "--yes"),
        ),
    ),
    ("status", (wait_for_spot, ("status",))),
    ("upgrade", (("upgrade",),)),
    ("down", (("down", "--yes", "--drain-timeout", "0"),)),
    (
        "down --sweep",
        (
            leave_things,
            (
                *("down", "--yes", "--sweep", "--delete-volumes"),
                *("--confirm-name", "noble-gpu-example", "--name", "noble-gpu-example"),
            ),
        ),
    ),
)


def action_of(service: str, operation: str) -> str | None:
    """Return the IAM action of a call, None where it needs none."""
    if (service, operation) in RENAMED:
        return RENAMED[service, operation]
    return f"{PREFIXES.get(service, service)}:{operation}"


def actions_of(calls: Iterable[tuple[str, str]]) -> list[str]:
    """Return the actions of calls, sorted."""
    return sorted({action for call in calls if (action := action_of(*call)) is not None})


def implicit_actions(resource_types: Iterable[str]) -> list[str]:
    """Return the permissions of other calls' making, by the schemas of the resource types."""
    providers = _schema("providers", f"{REGION}.json")
    found: set[str] = set()
    for one in resource_types:
        handlers = _schema("resources", providers[one] + ".json").get("handlers", {})
        found.update(
            action
            for action in handlers.get("create", {}).get("permissions", ())
            if IMPLICIT.fullmatch(action) and not action.startswith(_NOT_OURS)
        )
    return sorted(found)


def _schema(*path: str) -> Any:
    return json.loads(files("cfnlint").joinpath("data", "schemas", *path).read_text("utf-8"))


def resource_types() -> list[str]:
    """Return the resource types of the templates of the file in this folder."""
    stacks = design(Inputs(cluster="cluster.yaml")).stacks
    return sorted({one["Type"] for stack in stacks for one in stack.template["Resources"].values()})


def record() -> dict[str, list[str]]:
    """Run every verb in a box and return its actions."""
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="lowtide-iam-") as made, _box(Path(made)) as calls:
        (Path(made) / "work").mkdir()
        os.chdir(Path(made) / "work")
        Path("cluster.yaml").write_text(EXAMPLE.read_text("utf-8") + MANAGED_GROUP, "utf-8")
        for verb, steps in FLOWS:
            seen: set[tuple[str, str]] = set()
            for step in steps:
                calls.clear()
                _take(step)
                if not callable(step):
                    seen |= calls
            found[verb] = actions_of(seen)
        found["up"] = sorted({*found["up"], *implicit_actions(resource_types())})
    os.chdir(ROOT)
    return found


def _take(step: Step) -> None:
    if callable(step):
        step()
        return
    printed = io.StringIO()
    began_s = time.monotonic()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = run(step)
    print(
        f"lowtide {' '.join(step)}: exit code {code}, {time.monotonic() - began_s:.0f} s",
        flush=True,
    )
    if code not in {0, 1, 3}:  # findings of check and things that are left are no failure here
        sys.stderr.write(printed.getvalue())
        raise SystemExit(1)


@contextlib.contextmanager
def _box(folder: Path) -> Iterator[set[tuple[str, str]]]:
    """Serve a box with real control planes, and yield the calls of its user as they come."""
    calls: set[tuple[str, str]] = set()

    # Looked for before the cache is another one.
    programs = find_binaries(DEFAULT_MINOR)
    settings = Settings(folder=folder / "box", speed=60.0, binaries=programs.etcd.parent)

    def note(box: Any, call: Any) -> None:
        # The user's own calls, not those of the services, of nodes and of the autoscaler, which have roles of their own.
        if call.caller.arn == credentials.admin(box).caller.arn:
            calls.add((call.service, call.operation))

    with Serving(settings, planes="real") as served:
        served.box.faults.insert(0, note)
        os.environ.update(served.environment())
        os.environ.update(XDG_CACHE_HOME=str(folder / "cache"), HOME=str(folder))
        os.environ["KUBECONFIG"] = str(folder / "kubeconfig")
        yield calls


def page_of(verbs: Mapping[str, Iterable[str]]) -> str:
    """Return docs/iam.md."""
    every = sorted({action for actions in verbs.values() for action in actions})
    used_by = {one: [verb for verb, actions in verbs.items() if one in actions] for one in every}
    rows = "\n".join(f"| `{one}` | {', '.join(used_by[one])} |" for one in every)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": service.replace("-", "").capitalize(),
                "Effect": "Allow",
                "Action": actions,
                "Resource": "*",
            }
            for service, actions in _by_service(every).items()
        ],
    }
    return f"""# What lowtide may do on AWS

Written by `scripts/iam.py`, which runs the verbs on the embedded AWS and notes every call: those of lowtide itself, and those that
CloudFormation makes with your permissions. A few permissions belong to no call of their own (handing over a role, tagging at creation); they
come from CloudFormation's published resource schemas. A test runs the verbs again and fails when an action appears that is not here.

The embedded AWS is not AWS: it shows which calls are made, not everything that AWS asks of whoever makes them. `lowtide check --live` asks
IAM's own simulator about the actions of `up`.

## The policy

Where you want less, narrow `Resource` to names that begin with `lowtide-CLUSTER-` and to the cluster itself: `check --live` asks the
simulator about these names, too. `eks:ListClusters` and `eks:DescribeCluster` stay at `*`: before `down` takes a VPC away, it asks of every
cluster of the region in which VPC it lives.

```json
{json.dumps(policy, indent=2)}
```

## Which verb needs what

| action | verbs |
|---|---|
{rows}
"""


def _by_service(actions: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in actions:
        found.setdefault(one.partition(":")[0], []).append(one)
    return found


def main(arguments: list[str]) -> int:
    """Do what the module's docstring says."""
    known = json.loads(RECORD.read_text("utf-8"))["verbs"] if RECORD.exists() else {}
    if "--page" in arguments:
        PAGE.write_text(page_of(known), "utf-8")
        return 0
    verbs = record()
    if "--check" in arguments:
        new = {
            verb: sorted(set(actions) - set(known.get(verb, ()))) for verb, actions in verbs.items()
        }
        for verb, actions in new.items():
            for action in actions:
                print(f"{verb}: {action} is not in the record: run python scripts/iam.py")
        return 1 if any(new.values()) else 0
    RECORD.write_text(json.dumps({"verbs": verbs}, indent=1) + "\n", "utf-8")
    PAGE.write_text(page_of(verbs), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
