from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)

    assert links
    assert [one for one in links if "://" not in one and not (EXAMPLE / one).exists()] == []


def test_every_file_of_the_example_is_introduced() -> None:
    files = {one.relative_to(EXAMPLE).as_posix() for one in EXAMPLE.rglob("*.yaml")}

    assert {one for one in files if f"({one})" not in README} == set()


def test_commands_name_files_that_exist() -> None:
    named = re.findall(r"-[fw] (\S+)", "".join(snippets("sh")))

    assert named
    assert [one for one in named if not (EXAMPLE / one).exists()] == []


@pytest.mark.parametrize("name", ["cudaexample.yaml", "gpu-pod.yaml", "training-job.yaml"])
def test_the_taught_toleration_and_selector_are_those_of_the_workloads(name: str) -> None:
    taught = [yaml.safe_load(one) for one in snippets("yaml")]
    specs = [
        one["spec"].get("template", one)["spec"]
        for one in yaml.safe_load_all((EXAMPLE / name).read_text(encoding="utf-8"))
        if one["kind"] in {"Pod", "Deployment", "Job"}
    ]

    assert [set(one) for one in taught] == [{"tolerations"}, {"nodeSelector"}]
    assert [all(one.items() <= spec.items() for one in taught) for spec in specs] == [True]


def test_every_flag_of_the_autoscaler_is_explained() -> None:
    (deployment, *_) = yaml.safe_load_all(
        (EXAMPLE / "autoscaler" / "2-deployment.yaml").read_text(encoding="utf-8")
    )
    flags = deployment["spec"]["template"]["spec"]["containers"][0]["args"]

    explained = re.findall(r"`(--[a-z-]+)", README)

    assert {one.partition("=")[0] for one in flags} <= set(explained)
