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
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from lowtide.app.design import design
from lowtide.app.files import Inputs
from lowtide.cli.main import run
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import Serving

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "src" / "lowtide" / "aws" / "actions.json"
PAGE = ROOT / "docs" / "iam.md"
EXAMPLE = ROOT / "examples" / "noble-gpu" / "cluster.yaml"
REGION = "us-east-1"

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

#: The verbs in the order of a cluster's life: its name, and the command lines that show all of it.
FLOWS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("check --live", (("check", "--live"),)),
    ("prices refresh", (("prices", "refresh"),)),
    ("up", (("up", "--yes"), ("up", "--yes"))),
    ("kubeconfig", (("kubeconfig", "--name", "noble-gpu-example"),)),
    ("status", (("status",),)),
    ("scale", (("scale", "gpu-spot-a", "--max", "2", "--yes"),)),
    ("upgrade", (("upgrade",),)),
    ("down", (("down", "--yes", "--sweep"),)),
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
    found = set()
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
    """Return the resource types of the example's templates."""
    stacks = design(Inputs(cluster=str(EXAMPLE))).stacks
    return sorted({one["Type"] for stack in stacks for one in stack.template["Resources"].values()})


def record() -> dict[str, list[str]]:
    """Run every verb in a box and return its actions."""
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="lowtide-iam-") as made, _box(Path(made)) as calls:
        (Path(made) / "work").mkdir()
        os.chdir(Path(made) / "work")
        Path("cluster.yaml").write_text(EXAMPLE.read_text("utf-8"), "utf-8")
        for verb, lines in FLOWS:
            calls.clear()
            for line in lines:
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                    code = run(line)
                print(f"lowtide {' '.join(line)}: exit code {code}, {len(calls)} calls")
                if code not in {0, 3}:  # findings of check are no failure here
                    sys.stderr.write(printed.getvalue())
                    raise SystemExit(1)
            found[verb] = actions_of(calls)
    os.chdir(ROOT)
    found["up"] = sorted({*found["up"], *implicit_actions(resource_types())})
    return found


@contextlib.contextmanager
def _box(folder: Path) -> Iterator[set[tuple[str, str]]]:
    """Serve a box with real control planes, and yield the calls of its user as they come."""
    calls: set[tuple[str, str]] = set()

    def note(box: Any, call: Any) -> None:
        if call.caller.arn != box.itself.arn:
            calls.add((call.service, call.operation))

    with Serving(Settings(folder=folder / "box", speed=60.0), planes="real") as served:
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
simulator about these names, too.

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
