from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.app.render import README, Choice, render, render_design
from lowtide.app.rendered_diff import diff
from lowtide.app.rendered_folder import LISTING, write
from lowtide.aws.replacement import replaces
from lowtide.kube.objects import key
from lowtide.model.errors import InputError, LowtideError
from lowtide.model.plan import PropertyChange, RenderedDiff

EXAMPLE = Path(__file__).parents[2] / "examples" / "noble-gpu" / "cluster.yaml"
ACCOUNT = "111122223333"


@pytest.fixture(scope="module")
def designed() -> Design:
    """The example, designed."""
    return design(Inputs(cluster=str(EXAMPLE)))


@pytest.fixture(scope="module")
def files(designed: Design) -> dict[str, str]:
    """The example, rendered."""
    return render_design(designed, Choice())


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """A function that renders the example with some words replaced by others."""

    def render_changed(*pairs: tuple[str, str]) -> dict[str, str]:
        text = EXAMPLE.read_text("utf-8")
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "changed.yaml"
        path.write_text(text, "utf-8")
        return render(Inputs(cluster=str(path)))

    return render_changed


def documents(files: Mapping[str, str], folder: str) -> list[dict[str, Any]]:
    return [
        one
        for path, text in files.items()
        if path.startswith(folder)
        for one in yaml.safe_load_all(text)
    ]


def changes(found: RenderedDiff, path: str) -> dict[str, PropertyChange]:
    return {one.where: one for file in found.files if file.path == path for one in file.changes}


def everything_in(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_there_is_one_file_for_each_stack_and_it_is_that_stack(
    designed: Design, files: dict[str, str]
) -> None:
    for stack in designed.stacks:
        assert yaml.safe_load(files[f"cloudformation/{stack.file}"]) == stack.template


def test_the_manifests_are_every_object_of_the_plan(
    designed: Design, files: dict[str, str]
) -> None:
    written = [key(one) for one in documents(files, "kubernetes/")]

    assert sorted(map(str, written)) == sorted(map(str, designed.objects))


def test_the_readme_names_every_stack_with_its_file_and_its_capabilities(
    designed: Design, files: dict[str, str]
) -> None:
    text = files[README]

    places = [text.index(f"--stack-name {one.name} \\\n") for one in designed.stacks]
    assert places == sorted(places)
    for stack in designed.stacks:
        command = text[text.index(f"--stack-name {stack.name} \\\n") :].split("aws ", 1)[0]
        assert f"--template-file cloudformation/{stack.file}" in command
        assert all(one in command for one in stack.capabilities)
        assert all(line in text for line in stack.after)


def test_the_readme_applies_addons_after_the_first_node(files: dict[str, str]) -> None:
    text = files[README]

    assert text.index("kubectl wait node") < text.index("cloudformation/3-addons.yaml --")
    assert text.index("4-interruption.yaml --") < text.index("create configmap")
    assert text.index("create configmap") < text.index("kubectl apply --recursive")


def test_the_readme_needs_no_lowtide_but_for_changes(files: dict[str, str]) -> None:
    before, _ = files[README].split("## Changes")

    assert "lowtide render" not in before
    assert "lowtide up" not in files[README]


def test_the_readme_ends_the_autoscaler_before_it_deletes_a_stack(
    designed: Design, files: dict[str, str]
) -> None:
    _, end = files[README].split("## Taking it down")

    places = [
        end.index(f"delete-stack --region us-east-1 --stack-name {one.name}\n")
        for one in designed.stacks
    ]
    assert places == sorted(places, reverse=True)
    assert end.index("--replicas 0") < min(places)


def test_the_readme_says_so_when_no_node_is_there_for_what_comes_next(
    changed: Callable[..., dict[str, str]], files: dict[str, str]
) -> None:
    found = changed(("minSize: 1", "minSize: 0"), ("desiredCapacity: 1", "desiredCapacity: 0"))

    assert "kubectl wait node" in files[README]
    assert "kubectl wait node" not in found[README]
    assert "No group has a node at its minimum" in found[README]


IRSA = """\
iam:
  serviceAccounts:
    - metadata: {name: trainer, namespace: jobs, labels: {team: ml}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
"""


def test_an_account_by_irsa_gets_the_role_that_its_stack_puts_out(
    tmp_path: Path, changed: Callable[..., dict[str, str]]
) -> None:
    found = changed(("iam:\n", IRSA))

    outputs = yaml.safe_load(found["cloudformation/1-cluster.yaml"])["Outputs"]
    (output,) = [name for name, one in outputs.items() if "jobs/trainer" in one["Description"]]
    assert f"OutputKey==`{output}`" in found[README]
    assert "kubectl -n jobs annotate serviceaccount trainer --overwrite" in found[README]
    accounts = list(yaml.safe_load_all(found["kubernetes/1-accounts.yaml"]))
    assert [one["kind"] for one in accounts] == ["Namespace", "ServiceAccount"]


AUTOSCALER_BY_IRSA = """\
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: cluster-autoscaler, namespace: kube-system}
      wellKnownPolicies: {autoScaler: true}
"""


@pytest.mark.parametrize("helm", [False, True])
def test_an_autoscaler_by_irsa_starts_again_once_its_account_has_the_role(
    changed: Callable[..., dict[str, str]], tmp_path: Path, helm: bool
) -> None:
    text = EXAMPLE.read_text("utf-8")
    iam = text[text.index("iam:\n") : text.index("addons:\n")]
    changed((iam, AUTOSCALER_BY_IRSA))
    found = render(Inputs(cluster=str(tmp_path / "changed.yaml")), Choice(helm=helm))

    script = commands(found[README])

    annotated = script.index("annotate serviceaccount cluster-autoscaler")
    restarted = script.index("rollout restart deployment/cluster-autoscaler")
    assert annotated < restarted < script.index("rollout status deployment/cluster-autoscaler")


def commands(readme: str) -> str:
    blocks = readme.split("```sh\n")[1:]
    return "".join(block.split("```")[0] for block in blocks)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("helm", [False, True])
def test_the_readmes_commands_are_a_script_that_a_shell_can_read(
    changed: Callable[..., dict[str, str]], tmp_path: Path, helm: bool
) -> None:
    changed(
        ("iam:\n", IRSA),
        ("amiFamily: AmazonLinux2023", "amiFamily: AmazonLinux2023\n    ami: auto"),
    )
    found = render(Inputs(cluster=str(tmp_path / "changed.yaml")), Choice(helm=helm))

    script = commands(found[README])
    ran = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert script.count("describe-images") == 4


def test_no_account_number_is_in_the_files_unless_it_is_given(designed: Design) -> None:
    known = render_design(designed, Choice(account_id=ACCOUNT))
    queue = "kubernetes/termination-handler/0-queue.yaml"

    (config,) = yaml.safe_load_all(known[queue])

    assert config["data"]["queue-url"] == (
        f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/lowtide-noble-gpu-example-interruption"
    )
    assert "create configmap" not in known[README]


def test_helm_values_stand_in_place_of_the_manifests(designed: Design) -> None:
    found = render_design(designed, Choice(helm=True))

    assert not [path for path in found if path.startswith("kubernetes/")]
    assert sorted(path for path in found if path.startswith("helm/")) == [
        "helm/aws-node-termination-handler.yaml",
        "helm/cluster-autoscaler.yaml",
        "helm/nvidia-device-plugin.yaml",
    ]
    assert "helm upgrade --install cluster-autoscaler" in found[README]
    assert "kubectl apply" not in found[README]


@pytest.mark.parametrize(
    ("only", "paths"),
    [
        (("cluster",), {"cloudformation/1-cluster.yaml"}),
        (
            ("nodegroups",),
            {
                "cloudformation/2-nodegroup-general.yaml",
                "cloudformation/2-nodegroup-gpu-spot-a.yaml",
                "cloudformation/2-nodegroup-gpu-spot-b.yaml",
                "cloudformation/2-nodegroup-gpu-spot-c.yaml",
            },
        ),
        (("nodegroup/general",), {"cloudformation/2-nodegroup-general.yaml"}),
        (
            ("nodegroup/*-[bc]", "addons"),
            {
                "cloudformation/2-nodegroup-gpu-spot-b.yaml",
                "cloudformation/2-nodegroup-gpu-spot-c.yaml",
                "cloudformation/3-addons.yaml",
            },
        ),
        (("interruption",), {"cloudformation/4-interruption.yaml"}),
        (
            ("kubernetes",),
            {
                "kubernetes/autoscaler/1-access.yaml",
                "kubernetes/autoscaler/2-deployment.yaml",
                "kubernetes/nvidiplugin.yaml",
                "kubernetes/termination-handler/1-access.yaml",
                "kubernetes/termination-handler/2-deployment.yaml",
            },
        ),
    ],
)
def test_a_selector_chooses_its_part(
    designed: Design, only: tuple[str, ...], paths: set[str]
) -> None:
    assert set(render_design(designed, Choice(only=only))) == paths


def test_a_selector_that_matches_nothing_is_told_what_there_is(designed: Design) -> None:
    with pytest.raises(InputError) as caught:
        render_design(designed, Choice(only=("nodegroup/gpu-spot-x",)))

    assert "nodegroup/gpu-spot-a" in caught.value.why


def test_what_is_written_is_what_was_rendered(tmp_path: Path, files: dict[str, str]) -> None:
    done = write(tmp_path / "new" / "folder", files)

    found = everything_in(tmp_path / "new" / "folder")
    found.pop(LISTING)
    assert found == files
    assert set(done.written) == set(files)


def test_the_second_time_nothing_is_written(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)

    done = write(tmp_path, files)

    assert done.written == ()
    assert set(done.unchanged) == set(files)


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / README).write_text("mine\n", "utf-8")

    with pytest.raises(InputError) as caught:
        write(tmp_path, files)

    assert README in caught.value.what
    assert everything_in(tmp_path) == {README: "mine\n"}


def test_an_edited_file_is_not_overwritten_and_nothing_else_is_written(
    tmp_path: Path, files: dict[str, str]
) -> None:
    write(tmp_path, files)
    edited = tmp_path / "cloudformation" / "1-cluster.yaml"
    edited.write_text("edited\n", "utf-8")
    before = everything_in(tmp_path)

    with pytest.raises(InputError):
        write(tmp_path, {path: f"{text}# more\n" for path, text in files.items()})

    assert everything_in(tmp_path) == before


def test_force_overwrites_what_was_edited(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)
    edited = tmp_path / "cloudformation" / "1-cluster.yaml"
    edited.write_text("edited\n", "utf-8")

    done = write(tmp_path, files, force=True)

    assert done.written == ("cloudformation/1-cluster.yaml",)
    assert edited.read_text("utf-8") == files["cloudformation/1-cluster.yaml"]


def test_a_file_that_is_no_longer_made_goes_unless_it_was_edited(
    tmp_path: Path, files: dict[str, str]
) -> None:
    extra = {"old/one.yaml": "a: 1\n", "old/two.yaml": "a: 2\n", "gone/three.yaml": "a: 3\n"}
    write(tmp_path, {**files, **extra})
    (tmp_path / "old" / "two.yaml").write_text("a: mine\n", "utf-8")

    done = write(tmp_path, files)

    assert set(done.removed) == {"old/one.yaml", "gone/three.yaml"}
    assert done.edited == ("old/two.yaml",)
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "old" / "two.yaml").read_text("utf-8") == "a: mine\n"


def test_a_part_leaves_the_other_files_alone(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)

    done = write(tmp_path, {"cloudformation/1-cluster.yaml": "new: 1\n"}, partial=True)

    assert done.removed == ()
    assert (tmp_path / "cloudformation" / "3-addons.yaml").exists()
    again = write(tmp_path, files)
    assert again.written == ("cloudformation/1-cluster.yaml",)


def test_a_list_that_names_files_outside_the_folder_removes_none_of_them(
    tmp_path: Path, files: dict[str, str]
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("a: 1\n", "utf-8")
    folder = tmp_path / "folder"
    write(folder, {"outside.yaml": "a: 1\n"})
    listing = json.loads((folder / LISTING).read_text("utf-8"))
    listing["files"] = {f"../{path}": digest for path, digest in listing["files"].items()}
    (folder / LISTING).write_text(json.dumps(listing), "utf-8")

    write(folder, files)

    assert outside.read_text("utf-8") == "a: 1\n"


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, files: dict[str, str]) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "cloudformation").symlink_to(elsewhere)

    with pytest.raises(InputError):
        write(folder, files)

    assert list(elsewhere.iterdir()) == []


def test_a_broken_list_is_an_error_with_a_way_out(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / LISTING).write_text("[]", "utf-8")

    with pytest.raises(InputError) as caught:
        write(tmp_path, files)

    assert LISTING in caught.value.where


def test_a_folder_that_is_a_file_is_an_error_with_a_way_out(
    tmp_path: Path, files: dict[str, str]
) -> None:
    (tmp_path / "taken").write_text("", "utf-8")

    with pytest.raises(LowtideError) as caught:
        write(tmp_path / "taken", files)

    assert caught.value.fix


def test_nothing_differs_from_what_was_just_written(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)

    assert diff(tmp_path, files).files == ()


def test_a_size_is_one_property_that_replaces_nothing(
    tmp_path: Path, files: dict[str, str], changed: Callable[..., dict[str, str]]
) -> None:
    write(tmp_path, files)

    found = diff(tmp_path, changed(("maxSize: 3", "maxSize: 5")))

    assert [file.path for file in found.files] == ["cloudformation/2-nodegroup-general.yaml"]
    moved = changes(found, "cloudformation/2-nodegroup-general.yaml")
    one = moved["AutoScalingGroup.Properties.MaxSize"]
    assert (one.before, one.after, one.replaces) == ("3", "5", "never")
    assert found.replaced() == ()


def test_another_network_replaces_the_vpc_and_the_diff_says_so(
    tmp_path: Path, files: dict[str, str], changed: Callable[..., dict[str, str]]
) -> None:
    write(tmp_path, files)

    found = diff(tmp_path, changed(("vpc:\n", "vpc:\n  cidr: 10.1.0.0/16\n")))

    moved = changes(found, "cloudformation/1-cluster.yaml")
    vpc = moved["Vpc.Properties.CidrBlock"]
    assert (vpc.before, vpc.after, vpc.replaces) == ("192.168.0.0/16", "10.1.0.0/16", "always")
    assert "cloudformation/1-cluster.yaml: Vpc" in found.replaced()


def test_a_group_that_goes_is_a_file_that_goes(
    tmp_path: Path, files: dict[str, str], changed: Callable[..., dict[str, str]]
) -> None:
    write(tmp_path, files)

    found = diff(tmp_path, changed(("name: gpu-spot-c", "name: gpu-spot-d")))

    kinds = {file.path: file.kind for file in found.files}
    assert kinds == {
        "cloudformation/2-nodegroup-gpu-spot-c.yaml": "removed",
        "cloudformation/2-nodegroup-gpu-spot-d.yaml": "added",
    }


def test_tags_are_compared_by_their_key(
    tmp_path: Path, files: dict[str, str], changed: Callable[..., dict[str, str]]
) -> None:
    write(tmp_path, files)

    found = diff(
        tmp_path, changed(("    volumeSize: 40\n", "    volumeSize: 40\n    labels: {a: b}\n"))
    )

    moved = changes(found, "cloudformation/2-nodegroup-general.yaml")
    tag = "k8s.io/cluster-autoscaler/node-template/label/a"
    added = [
        one
        for where, one in moved.items()
        if where.startswith(f"AutoScalingGroup.Properties.Tags[{tag}]")
    ]
    assert [(one.before, one.replaces) for one in added] == [(None, "never")]


def test_a_change_of_a_manifest_names_the_object(
    tmp_path: Path, files: dict[str, str], changed: Callable[..., dict[str, str]]
) -> None:
    write(tmp_path, files)

    found = diff(tmp_path, changed(("us-east-1", "us-east-2")))

    moved = changes(found, "kubernetes/termination-handler/2-deployment.yaml")
    (where,) = moved
    assert where == (
        "Deployment aws-node-termination-handler.spec.template.spec"
        ".containers[aws-node-termination-handler].env[AWS_REGION].value"
    )
    assert (moved[where].before, moved[where].after) == ("us-east-1", "us-east-2")


def test_a_folder_without_rendered_files_has_no_difference_to_show(
    tmp_path: Path, files: dict[str, str]
) -> None:
    with pytest.raises(InputError) as caught:
        diff(tmp_path, files)

    assert "lowtide render" in caught.value.fix


@pytest.mark.parametrize(
    ("resource", "path", "answer"),
    [
        ("AWS::EC2::VPC", ["CidrBlock"], "always"),
        ("AWS::EC2::VPC", ["Tags"], "never"),
        ("AWS::EKS::Cluster", ["KubernetesNetworkConfig", "ServiceIpv4Cidr"], "always"),
        ("AWS::EKS::Cluster", ["KubernetesNetworkConfig"], "always"),
        ("AWS::EKS::Cluster", ["Version"], "never"),
        ("AWS::AutoScaling::AutoScalingGroup", ["MixedInstancesPolicy", "X"], "sometimes"),
        ("AWS::Nobody::Knows", ["Anything"], "sometimes"),
    ],
)
def test_replacements_are_those_of_the_public_schemas(
    resource: str, path: list[str], answer: str
) -> None:
    assert replaces(resource, path) == answer


def test_the_table_of_replacements_knows_every_type_that_is_rendered(designed: Design) -> None:
    from importlib.resources import files as package_files

    table = json.loads(package_files("lowtide.aws").joinpath("create_only.json").read_text("utf-8"))
    rendered = {
        one["Type"] for stack in designed.stacks for one in stack.template["Resources"].values()
    }

    assert rendered <= set(table["types"])


def test_the_table_of_replacements_is_that_of_the_schemas_it_names() -> None:
    from importlib.metadata import version
    from importlib.resources import files as package_files

    from scripts.create_only import table_of

    table = json.loads(package_files("lowtide.aws").joinpath("create_only.json").read_text("utf-8"))
    if not table["source"].endswith(version("cfn-lint")):
        pytest.skip("another cfn-lint than the table was made from")

    assert table_of(list(table["types"])) == table
