"""The whole embedded AWS without its door, whose time is made to pass, and short ways to ask CloudFormation."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.local.aws import credentials, faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import open_box

REGION = "us-east-1"


@dataclass
class Aws:
    """A box and what a test wants of it."""

    box: Box
    caller: Any
    now: float = field(default_factory=time.time)

    def __call__(
        self,
        operation: str,
        *,
        service: str = "cloudformation",
        region: str = REGION,
        **params: Any,
    ) -> dict[str, Any]:
        return dict(self.box.call(service, operation, params, region=region, caller=self.caller))

    def wait(self, seconds: float | None = None) -> None:
        """Let that many seconds of AWS's time pass, or as many as CloudFormation needs for what is under way."""
        if seconds is not None:
            self.now = max(self.now, time.time()) + seconds / self.box.settings.speed
            self.box.run_due(self.now)
            return
        while any(one.service == "cloudformation" for one in self.box.due):
            self.now = max(self.now, self.box.due[0].at)
            self.box.run_due(self.now)

    def create(self, name: str, template: Any, **params: Any) -> str:
        """Create a stack, wait until that is over, and return its status."""
        self("CreateStack", StackName=name, TemplateBody=text(template), **params)
        self.wait()
        return self.status(name)

    def update(self, name: str, template: Any, **params: Any) -> str:
        self("UpdateStack", StackName=name, TemplateBody=text(template), **params)
        self.wait()
        return self.status(name)

    def delete(self, name: str, **params: Any) -> str:
        stack_id = self.stack(name)["StackId"]
        self("DeleteStack", StackName=name, **params)
        self.wait()
        return self.status(stack_id)

    def stack(self, name: str, region: str = REGION) -> dict[str, Any]:
        found: dict[str, Any] = self("DescribeStacks", StackName=name, region=region)["Stacks"][0]
        return found

    def status(self, name: str) -> str:
        return str(self.stack(name)["StackStatus"])

    def reason(self, name: str) -> str:
        return str(self.stack(name).get("StackStatusReason", ""))

    def outputs(self, name: str) -> dict[str, str]:
        return {one["OutputKey"]: one["OutputValue"] for one in self.stack(name)["Outputs"]}

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Return (logical id, status, reason) of every event, the oldest first."""
        found: list[tuple[str, str, str]] = []
        params: dict[str, str] = {"StackName": name}
        while True:
            answer = self("DescribeStackEvents", **params)
            found += [
                (
                    one["LogicalResourceId"],
                    one["ResourceStatus"],
                    one.get("ResourceStatusReason", ""),
                )
                for one in answer["StackEvents"]
            ]
            if "NextToken" not in answer:
                return found[::-1]
            params["NextToken"] = answer["NextToken"]

    def resource(self, name: str, logical_id: str) -> dict[str, Any]:
        answer = self("DescribeStackResource", StackName=name, LogicalResourceId=logical_id)
        found: dict[str, Any] = answer["StackResourceDetail"]
        return found

    def statuses(self, name: str) -> dict[str, str]:
        those = self("DescribeStackResources", StackName=name)["StackResources"]
        return {one["LogicalResourceId"]: one["ResourceStatus"] for one in those}

    def fail(self, resource: str, message: str = "", times: int | None = None) -> str:
        """Let a resource fail, by type or logical id, and return the fault's id."""
        fault = {"kind": "fail-resource", "resource": resource, "message": message}
        return faults.add(self.box, fault if times is None else {**fault, "times": times}).id

    def heal(self) -> None:
        faults.remove(self.box)


def text(template: Any) -> str:
    return template if isinstance(template, str) else json.dumps(template)


def template(resources: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    return {"Resources": dict(resources), **sections}


def parameter(value: Any = "x", **more: Any) -> dict[str, Any]:
    """Return a resource that is quickly made: an entry of the Parameter Store."""
    properties = {"Type": "String", "Value": value}
    properties.update(
        {key: one for key, one in more.items() if key in ("Name", "Tags", "Description")}
    )
    rest = {key: one for key, one in more.items() if key not in properties}
    return {"Type": "AWS::SSM::Parameter", "Properties": properties, **rest}


def open_aws(folder: Path, **changed: Any) -> Aws:
    # So slow that what really passes is nothing beside what `wait` lets pass.
    box = open_box(Settings(folder=folder, speed=0.01, **changed))
    return Aws(box=box, caller=credentials.admin(box).caller)
