from __future__ import annotations

import yaml

from lowtide.kube.objects import key, manifest, to_yaml
from lowtide.model.workload import Meta


def test_a_manifest_holds_identity_first_and_leaves_out_what_is_empty() -> None:
    pod = manifest("v1", "Pod", "a", namespace="n", labels={}, spec={"containers": []})

    assert list(pod) == ["apiVersion", "kind", "metadata", "spec"]
    assert pod["metadata"] == {"name": "a", "namespace": "n"}


def test_an_object_is_known_by_kind_namespace_and_name() -> None:
    assert key(manifest("v1", "Pod", "a")) == Meta(kind="Pod", name="a", namespace="default")
    assert str(key(manifest("v1", "Pod", "a", namespace="n"))) == "Pod/n/a"


def test_yaml_reads_back_as_the_same_objects() -> None:
    shared = {"drop": ["ALL"]}
    objects = [
        manifest(
            "v1",
            "ConfigMap",
            "texts",
            data={
                "true": "true",
                "number": "1.30",
                "empty": "",
                "script": "line 1\nline 2 # no comment\n",
                "colon": "a: b",
                "null": "null",
            },
        ),
        manifest("v1", "Pod", "p", spec={"one": shared, "two": shared, "args": ["--a=b", "-v"]}),
    ]

    assert list(yaml.safe_load_all(to_yaml(objects))) == objects


def test_yaml_is_written_for_people() -> None:
    pod = manifest("v1", "Pod", "p", spec={"verbs": ["get", "list"], "args": ["--a"], "on": "true"})

    assert to_yaml([pod], notes={key(pod): "Why it is here.\n\nAnd more."}) == (
        "# Why it is here.\n"
        "#\n"
        "# And more.\n"
        "apiVersion: v1\n"
        "kind: Pod\n"
        "metadata:\n"
        "  name: p\n"
        "spec:\n"
        "  verbs: [get, list]\n"
        "  args:\n"
        "    - --a\n"
        '  "on": "true"\n'
    )


def test_documents_are_parted_by_dashes() -> None:
    text = to_yaml([manifest("v1", "Pod", "a"), manifest("v1", "Pod", "b")])

    assert text.count("\n---\n") == 1
    assert not text.startswith("---")
