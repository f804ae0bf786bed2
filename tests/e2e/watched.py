"""GPU nodes and the example's pods, as the real kubectl shows them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.local.life.home import Home

#: The autoscaler waits 30 s before it looks at GPU pods and caches groups for 60 s; the rest is start-up, here quickened.
GROWS_WITHIN_S = 300.0
#: The GPU groups' unneeded time is two minutes, by their tags.
SHRINKS_WITHIN_S = 480.0


@dataclass
class Watched:
    """The GPU nodes and the example's pods, as kubectl shows them, and what was seen of them."""

    home: Home
    sizes: list[int] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)

    def kubectl(self, *arguments: str) -> str:
        ran = self.home.shell("kubectl", *arguments)
        assert ran.returncode == 0, f"{ran.stderr}\n{self.story()}"
        return ran.stdout

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *arguments, "-o", "json"))[
            "items"
        ]
        return found

    def nodes(self) -> list[dict[str, Any]]:
        """Return the GPU nodes, and note how many there are."""
        found = self.items("nodes", "-l", "k8s.amazonaws.com/accelerator")
        if not self.sizes or self.sizes[-1] != len(found):
            self.sizes.append(len(found))
            print(f"{time.monotonic() - self.started_s:6.0f} s  {len(found)} GPU nodes")
        return found

    def running(self) -> int:
        pods = self.items("pods", "-l", "app=cudaexample")
        return sum(pod["status"]["phase"] == "Running" for pod in pods)

    def until(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {within_s:.0f} s; {self.story()}"
            time.sleep(2)

    def story(self) -> str:
        """Return what there is to see when the walk stops."""
        events = self.home.shell("kubectl", "get", "events", "-A", "--sort-by=.lastTimestamp")
        status = self.home.run("local", "status")
        box = self.home.run("local", "logs", "-n", "30").stdout
        scaler = self.home.run("local", "logs", "cluster-autoscaler", "-n", "30").stdout
        return "\n".join((str(self.sizes), events.stdout[-4000:], status.stdout, box, scaler))
