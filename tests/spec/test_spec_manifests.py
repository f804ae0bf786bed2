from __future__ import annotations

import importlib.util
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.model.errors import InputError
from lowtide.model.findings import Finding
from lowtide.model.kube import (
    Container,
    LabelSelector,
    LocalVolume,
    NodeSelectorTerm,
    PodAffinityTerm,
    PodSpec,
    PreferredTerm,
    Requirement,
    Toleration,
    TopologySpread,
)
from lowtide.model.workload import (
    BarePod,
    Budget,
    ConfigMap,
    DaemonSet,
    Job,
    KubeObject,
    Meta,
    OtherObject,
    PriorityClass,
    Replicated,
)
from lowtide.spec.manifests import (
    load_manifest_sets,
    load_manifests,
    objects_from,
    read_manifests,
)

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "noble-gpu"
MIB = 1024**2

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: a, tier: web}}
spec:
  containers: [{name: c, image: i}]
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers: [{name: c, image: i}]
"""


def pod_with(spec: str = "") -> PodSpec:
    """The PodSpec of POD with more keys in its spec."""
    (found,) = read_manifests(POD + textwrap.indent(textwrap.dedent(spec), "  "), "pod.yaml")
    assert isinstance(found, BarePod)
    return found.template


def one(text: str) -> KubeObject:
    (found,) = read_manifests(text, "one.yaml")
    return found


def findings_of(text: str) -> tuple[Finding, ...]:
    with pytest.raises(InputError) as caught:
        read_manifests(text, "m.yaml")
    assert caught.value.exit_code == 2
    assert caught.value.where.startswith("m.yaml:")
    return caught.value.findings


def assert_refused(marked: str, names: str) -> None:
    """The text is refused right behind every § in it, with findings of these names, in the order of the file."""
    expected = [
        (line, column)
        for line, text in enumerate(marked.split("\n"), start=1)
        for column in (
            sum(len(part) for part in text.split("§")[:count]) + 1
            for count in range(1, text.count("§") + 1)
        )
    ]
    found = findings_of(marked.replace("§", ""))
    assert [(one.mark.line, one.mark.column) for one in found] == expected
    assert " ".join(one.name for one in found) == names


def message_of(text: str) -> str:
    (found,) = findings_of(text)
    return f"{found.message} | {found.fix}"


# What good manifests become.


def test_a_deployment_becomes_its_replicas_and_their_pods() -> None:
    found = one(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: cuda, namespace: ml}
        spec:
          replicas: 10
          selector: {matchLabels: {app: cuda}}
          template:
            metadata:
              labels: {app: cuda}
              annotations: {lowtide.dev/run-seconds: "90.5"}
            spec:
              nodeSelector: {k8s.amazonaws.com/accelerator: nvidia-tesla-t4}
              tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
              schedulerName: other
              terminationGracePeriodSeconds: 5
              containers:
                - name: main
                  image: nvidia/cuda
                  command: [bash, -c]
                  args: [sleep 60]
                  env: [{name: A, value: b}]
                  livenessProbe: {exec: {command: [true-ish]}, periodSeconds: 3}
                  resources: {requests: {cpu: 500m}, limits: {memory: 1Gi, nvidia.com/gpu: 1}}
        """
    )
    assert found == Replicated(
        meta=Meta(kind="Deployment", name="cuda", namespace="ml"),
        replicas=10,
        template=PodSpec(
            labels={"app": "cuda"},
            annotations={"lowtide.dev/run-seconds": "90.5"},
            requests={"cpu": 500, "memory": 1024 * MIB, "nvidia.com/gpu": 1},
            tolerations=(Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"),),
            node_selector={"k8s.amazonaws.com/accelerator": "nvidia-tesla-t4"},
            containers=(
                Container(
                    name="main", image="nvidia/cuda", command=("bash", "-c"), args=("sleep 60",)
                ),
            ),
            run_seconds=90.5,
            scheduler_name="other",
            grace_seconds=5,
        ),
    )


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet"])
def test_replicas_that_are_not_given_are_one(kind: str) -> None:
    found = one(DEPLOYMENT.replace("Deployment", kind))
    assert isinstance(found, Replicated)
    assert (found.meta.kind, found.replicas) == (kind, 1)


def test_a_replication_controller_needs_no_selector() -> None:
    found = one(
        """
        apiVersion: v1
        kind: ReplicationController
        metadata: {name: rc}
        spec:
          replicas: 0
          template:
            metadata: {labels: {app: a}}
            spec: {containers: [{name: c, image: i}]}
        """
    )
    assert isinstance(found, Replicated)
    assert found.replicas == 0


BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: a}
spec: {}
"""
CLASS = """\
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: a}
value: 1
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: j}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}
"""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", (1, 1, 6)),
        ("  parallelism: 4\n", (4, None, 6)),
        ("  completions: 8\n", (1, 8, 6)),
        ("  {parallelism: 2, completions: 3, backoffLimit: 0}\n", (2, 3, 0)),
        ("  parallelism: 4\n  suspend: true\n", (0, None, 6)),
        ("  completionMode: Indexed\n  completions: 2\n", (1, 2, 6)),
    ],
)
def test_a_job_has_the_defaults_of_the_api_server(
    spec: str, expected: tuple[int, int | None, int]
) -> None:
    if "{" in spec:
        more = "".join(f"  {key}: {value}\n" for key, value in yaml.safe_load(spec).items())
    else:
        more = spec
    found = one(JOB + more)
    assert isinstance(found, Job)
    assert (found.parallelism, found.completions, found.backoff_limit) == expected
    assert found.template.restart_policy == "Never"


def test_the_other_kinds_that_the_twin_acts_on_are_read() -> None:
    found = read_manifests(
        """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: plugin, namespace: kube-system}
spec:
  selector: {matchExpressions: [{key: name, operator: In, values: [plugin]}]}
  template:
    metadata: {labels: {name: plugin}}
    spec:
      priorityClassName: system-node-critical
      containers: [{name: c, image: i}]
      volumes: [{name: sock, hostPath: {path: /var/lib/kubelet}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: pdb}
spec: {minAvailable: 50%, selector: {matchLabels: {app: a}}}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
preemptionPolicy: Never
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {priorities: "10: [.*]"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:reader"}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: volcano, namespace: ml}
spec: {anything: [1, 2]}
""",
        "all.yaml",
    )
    plugin, budget, priority, config_map, role, custom = found
    assert isinstance(plugin, DaemonSet)
    assert plugin.template.priority == 2_000_001_000
    assert plugin.template.local_volumes == (("sock", LocalVolume.HOST_PATH),)
    assert budget == Budget(
        meta=Meta(kind="PodDisruptionBudget", name="pdb"),
        selector=LabelSelector(
            requirements=(Requirement(key="app", operator="In", values=("a",)),)
        ),
        min_available="50%",
    )
    assert priority == PriorityClass(
        meta=Meta(kind="PriorityClass", name="high"), value=1000, preemption_policy="Never"
    )
    assert config_map == ConfigMap(
        meta=Meta(kind="ConfigMap", name="cm"), data={"priorities": "10: [.*]"}
    )
    assert role == OtherObject(meta=Meta(kind="ClusterRole", name="system:reader"))
    assert custom == OtherObject(meta=Meta(kind="Job", name="volcano", namespace="ml"))


def test_lists_hold_objects_at_any_depth_in_order() -> None:
    inner = yaml.safe_load(POD)
    nested = {"apiVersion": "v1", "kind": "List", "items": [inner]}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [namespace, nested]})
    assert [str(found.meta) for found in read_manifests(text, "l.json")] == [
        "Namespace/default/n",
        "Pod/default/p",
    ]


def test_a_pod_without_the_annotation_runs_until_it_is_deleted() -> None:
    assert pod_with().run_seconds is None


# Requests.


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            """
            containers:
              - {name: a, image: i, resources: {requests: {cpu: 100m, memory: 1Mi}}}
              - {name: b, image: i, resources: {requests: {cpu: 0.25}}}
            """,
            {"cpu": 350, "memory": MIB},
            id="containers are summed",
        ),
        pytest.param(
            """
            containers: [{name: a, image: i, resources: {limits: {cpu: 2, memory: 1Mi}, requests: {cpu: 1}}}]
            """,
            {"cpu": 1000, "memory": MIB},
            id="a limit is the request where that is missing, each resource by itself",
        ),
        pytest.param(
            """
            initContainers: [{name: i, image: i, resources: {requests: {cpu: 3, memory: 1Mi}}}]
            containers: [{name: a, image: i, resources: {requests: {cpu: 1, memory: 2Mi}}}]
            """,
            {"cpu": 3000, "memory": 2 * MIB},
            id="init containers count by their maximum",
        ),
        pytest.param(
            """
            initContainers:
              - {name: s, image: i, restartPolicy: Always, resources: {requests: {cpu: 1}}}
              - {name: i, image: i, resources: {requests: {cpu: 3}}}
            containers: [{name: a, image: i, resources: {requests: {cpu: 2}}}]
            """,
            {"cpu": 4000},
            id="a sidecar runs beside later init containers",
        ),
        pytest.param(
            """
            initContainers:
              - {name: i, image: i, resources: {requests: {cpu: 3}}}
              - {name: s, image: i, restartPolicy: Always, resources: {requests: {cpu: 1}}}
            containers: [{name: a, image: i, resources: {requests: {cpu: 2500m}}}]
            """,
            {"cpu": 3500},
            id="a sidecar runs beside the containers, not beside earlier init containers",
        ),
        pytest.param(
            """
            containers: [{name: a, image: i, resources: {limits: {nvidia.com/gpu: "2"}}}]
            overhead: {cpu: 250m, memory: 120Mi}
            """,
            {"nvidia.com/gpu": 2, "cpu": 250, "memory": 120 * MIB},
            id="overhead is added",
        ),
        pytest.param(
            """
            resources: {requests: {cpu: 4}, limits: {cpu: 8, memory: 1Mi}}
            containers: [{name: a, image: i, resources: {requests: {cpu: 1}}}]
            """,
            {"cpu": 4000, "memory": MIB},
            id="requests of the whole pod win",
        ),
    ],
)
def test_requests_are_counted_as_the_scheduler_counts_them(
    spec: str, expected: dict[str, int]
) -> None:
    text = POD.replace("  containers: [{name: c, image: i}]\n", "")
    (found,) = read_manifests(text + textwrap.indent(textwrap.dedent(spec), "  "), "p.yaml")
    assert isinstance(found, BarePod)
    assert found.template.requests == expected


# Where a pod may run.


def test_node_and_pod_affinity_keep_every_term() -> None:
    found = pod_with(
        """
        affinity:
          nodeAffinity:
            requiredDuringSchedulingIgnoredDuringExecution:
              nodeSelectorTerms:
                - matchExpressions:
                    - {key: k8s.amazonaws.com/accelerator, operator: Exists}
                    - {key: cores, operator: Gt, values: ["4"]}
                - matchFields: [{key: metadata.name, operator: In, values: [node-1]}]
            preferredDuringSchedulingIgnoredDuringExecution:
              - weight: 7
                preference: {matchExpressions: [{key: zone, operator: NotIn, values: [a, b]}]}
          podAffinity:
            requiredDuringSchedulingIgnoredDuringExecution:
              - topologyKey: topology.kubernetes.io/zone
                labelSelector: {matchLabels: {app: db}}
                namespaces: [data]
                matchLabelKeys: [tier, pod-template-hash]
          podAntiAffinity:
            preferredDuringSchedulingIgnoredDuringExecution:
              - weight: 100
                podAffinityTerm:
                  topologyKey: kubernetes.io/hostname
                  labelSelector: {}
                  mismatchLabelKeys: [app]
        """
    ).affinity
    assert found.node_required == (
        NodeSelectorTerm(
            expressions=(
                Requirement(key="k8s.amazonaws.com/accelerator", operator="Exists"),
                Requirement(key="cores", operator="Gt", values=("4",)),
            )
        ),
        NodeSelectorTerm(
            fields=(Requirement(key="metadata.name", operator="In", values=("node-1",)),)
        ),
    )
    zone = Requirement(key="zone", operator="NotIn", values=("a", "b"))
    assert found.node_preferred == (
        PreferredTerm(weight=7, term=NodeSelectorTerm(expressions=(zone,))),
    )
    assert found.pod_required == (
        PodAffinityTerm(
            selector=LabelSelector(
                requirements=(
                    Requirement(key="app", operator="In", values=("db",)),
                    Requirement(key="tier", operator="In", values=("web",)),
                )
            ),
            topology_key="topology.kubernetes.io/zone",
            namespaces=("data",),
        ),
    )
    assert found.anti_preferred == (
        PodAffinityTerm(
            selector=LabelSelector(
                requirements=(Requirement(key="app", operator="NotIn", values=("a",)),)
            ),
            topology_key="kubernetes.io/hostname",
            weight=100,
        ),
    )
    assert (found.pod_preferred, found.anti_required) == ((), ())


def test_a_selector_that_is_not_given_matches_nothing_and_an_empty_one_everything() -> None:
    found = pod_with(
        """
        affinity:
          podAntiAffinity:
            requiredDuringSchedulingIgnoredDuringExecution:
              - {topologyKey: zone}
              - {topologyKey: zone, labelSelector: {}}
        """
    ).affinity
    nothing, everything = (term.selector for term in found.anti_required)
    assert not nothing.matches({"app": "a"})
    assert not nothing.matches({})
    assert everything.matches({"app": "a"})


def test_topology_spread_has_the_defaults_of_the_api_server() -> None:
    found = pod_with(
        """
        topologySpreadConstraints:
          - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: a}}}
          - maxSkew: 2
            topologyKey: host
            whenUnsatisfiable: DoNotSchedule
            minDomains: 3
            nodeAffinityPolicy: Ignore
            nodeTaintsPolicy: Honor
            labelSelector: {}
        """
    ).spread
    app = Requirement(key="app", operator="In", values=("a",))
    assert found == (
        TopologySpread(
            max_skew=1,
            topology_key="zone",
            selector=LabelSelector(requirements=(app,)),
            when_unsatisfiable="ScheduleAnyway",
            min_domains=1,
            node_affinity_policy="Honor",
            node_taints_policy="Ignore",
        ),
        TopologySpread(
            max_skew=2,
            topology_key="host",
            selector=LabelSelector(),
            min_domains=3,
            node_affinity_policy="Ignore",
            node_taints_policy="Honor",
        ),
    )


def test_ports_of_the_node_are_those_of_containers_and_sidecars() -> None:
    found = pod_with(
        """
        initContainers:
          - {name: side, image: i, restartPolicy: Always, ports: [{containerPort: 1, hostPort: 11}]}
          - {name: init, image: i, ports: [{containerPort: 2, hostPort: 12}]}
        """
    )
    assert found.host_ports == (("TCP", 11),)
    text = POD.replace("image: i}", "image: i, ports: [{containerPort: 53, protocol: UDP}]}")
    (host,) = read_manifests(text + "  hostNetwork: true\n", "p.yaml")
    (own,) = read_manifests(text, "p.yaml")
    assert isinstance(host, BarePod)
    assert isinstance(own, BarePod)
    assert host.template.host_ports == (("UDP", 53),)
    assert own.template.host_ports == ()


def test_volumes_on_the_node_are_named_with_their_kind() -> None:
    found = pod_with(
        """
        volumes:
          - {name: scratch, emptyDir: {}}
          - {name: shm, emptyDir: {medium: Memory, sizeLimit: 1Gi}}
          - {name: dev, hostPath: {path: /dev}}
          - {name: data, persistentVolumeClaim: {claimName: c}}
          - {name: code, configMap: {name: m}}
        """
    )
    assert found.local_volumes == (
        ("scratch", LocalVolume.EMPTY_DIR),
        ("shm", LocalVolume.EMPTY_DIR_MEMORY),
        ("dev", LocalVolume.HOST_PATH),
    )


# Priorities.

CLASSES = """
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
preemptionPolicy: Never
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: usual}
value: -5
globalDefault: true
"""


def test_a_priority_class_is_found_wherever_it_stands_in_the_set() -> None:
    found = read_manifests(POD + "  priorityClassName: high\n" + CLASSES, "p.yaml")[0]
    assert isinstance(found, BarePod)
    assert (found.template.priority, found.template.preemption_policy) == (1000, "Never")
    assert found.template.priority_class == "high"


def test_pods_that_name_no_class_get_the_global_default() -> None:
    found = read_manifests(POD + CLASSES, "p.yaml")[0]
    assert isinstance(found, BarePod)
    assert (found.template.priority, found.template.priority_class) == (-5, "usual")


def test_a_priority_class_of_one_set_counts_for_the_pods_of_all(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD + "  priorityClassName: high\n")
    (tmp_path / "classes.yaml").write_text(CLASSES)
    pods, classes = load_manifest_sets([tmp_path / "pod.yaml", tmp_path / "classes.yaml"])
    (found,) = pods
    assert isinstance(found, BarePod)
    assert found.template.priority == 1000
    assert len(classes) == 2
    with pytest.raises(InputError, match="cannot use the manifests"):
        load_manifests(tmp_path / "pod.yaml")


# What the API server refuses, with its place.

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
BAD_PODS = {
    "operator of another place": (
        (
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, "
            "labelSelector: {matchExpressions: [{key: a, operator: §Gt, values: ['1']}]}}]"
        ),
        "wrong-value",
    ),
    "Exists with values": (
        (
            f"affinity: {{nodeAffinity: {{{REQUIRED}: {{nodeSelectorTerms: "
            "[{matchExpressions: [{key: a, operator: Exists, values: §[b]}]}]}}}"
        ),
        "conflict",
    ),
    "Gt of a word": (
        (
            f"affinity: {{nodeAffinity: {{{REQUIRED}: {{nodeSelectorTerms: "
            "[{matchExpressions: [{key: a, operator: Gt, values: §[many]}]}]}}}"
        ),
        "conflict",
    ),
    "field that nodes are not selected by": (
        (
            f"affinity: {{nodeAffinity: {{{REQUIRED}: {{nodeSelectorTerms: "
            "[{matchFields: [{key: §spec.name, operator: In, values: [b]}]}]}}}"
        ),
        "wrong-value",
    ),
    "two names in one field": (
        (
            f"affinity: {{nodeAffinity: {{{REQUIRED}: {{nodeSelectorTerms: "
            "[{matchFields: [{key: metadata.name, operator: In, values: §[a, b]}]}]}}}"
        ),
        "wrong-value",
    ),
    "no node selector term": (
        f"affinity: {{nodeAffinity: {{{REQUIRED}: {{nodeSelectorTerms: §[]}}}}}}",
        "wrong-value",
    ),
    "domains of a soft spread": (
        (
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, "
            "whenUnsatisfiable: ScheduleAnyway, minDomains: §2}]"
        ),
        "conflict",
    ),
    "priority beside the class's": ("priority: §5", "conflict"),
    "negative grace": ("terminationGracePeriodSeconds: §-1", "wrong-value"),
    "port above the last": (
        "initContainers: [{name: d, image: i, ports: [{containerPort: §65536}]}]",
        "wrong-value",
    ),
    "unknown field of a container": (
        "initContainers: [{name: d, image: i, §imagePulPolicy: Always}]",
        "unknown-key",
    ),
    "unknown field far inside": ("volumes: [{name: v, configMap: {§nam: x}}]", "unknown-key"),
    "text where a number belongs": ("terminationGracePeriodSeconds: §ten", "wrong-type"),
    "boolean where text belongs": (
        "tolerations: [{key: a, value: §true, effect: NoSchedule}]",
        "wrong-type",
    ),
    "list where a mapping belongs": ("nodeSelector: §[a]", "wrong-type"),
    "mapping where a list belongs": ("tolerations: §{key: a}", "wrong-type"),
    "number as a label": ("nodeSelector: {a: §1}", "wrong-type"),
    "label value with a space": ("nodeSelector: {a: §b c}", "bad-name"),
    "label key with two slashes": ("nodeSelector: {a/b/c: §x}", "bad-name"),
    "number too large": ("activeDeadlineSeconds: §99999999999999999999", "wrong-value"),
    "Exists with a value": ("tolerations: [{key: a, operator: Exists, value: §b}]", "conflict"),
    "toleration without a key": ("tolerations: [§{effect: NoSchedule}]", "conflict"),
    "toleration with a misspelt operator": (
        "tolerations: [{key: a, operator: §exists}]",
        "wrong-value",
    ),
    "toleration with an unknown effect": ("tolerations: [{key: a, effect: §Never}]", "wrong-value"),
    "toleration seconds without NoExecute": (
        "tolerations: [{key: a, effect: §NoSchedule, tolerationSeconds: 3}]",
        "conflict",
    ),
    "In without values": (
        "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [§{key: a, operator: In}]}]}}}",
        "conflict",
    ),
    "weight above 100": (
        "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: §101, preference: {}}]}}",
        "wrong-value",
    ),
    "anti-affinity without a topology key": (
        "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [§{labelSelector: {}}]}}",
        "missing",
    ),
    "namespaces by selector": (
        "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaceSelector: §{}}]}}",
        "not-supported",
    ),
    "skew of zero": (
        "topologySpreadConstraints: [{maxSkew: §0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]",
        "wrong-value",
    ),
    "unknown priority class": ("priorityClassName: §hihg", "unknown-priority-class"),
    "volume without a source": ("volumes: [§{name: v}]", "missing"),
    "volume with two sources": (
        "volumes: [{name: v, emptyDir: {}, hostPath: §{path: /}}]",
        "conflict",
    ),
    "volume name given twice": (
        "volumes: [{name: v, emptyDir: {}}, {name: §v, emptyDir: {}}]",
        "conflict",
    ),
    "container name given twice": (
        "initContainers: [{name: d, image: i}, {name: §d, image: i}]",
        "conflict",
    ),
    "container name in capitals": ("initContainers: [{name: §C, image: i}]", "bad-name"),
    "container without an image": ("initContainers: [§{name: d}]", "missing"),
    "mount of a volume that is not there": (
        "initContainers: [{name: d, image: i, volumeMounts: [{name: §v, mountPath: /v}]}]",
        "conflict",
    ),
    "restart policy of another system": ("restartPolicy: §always", "wrong-value"),
    "host port beside the container's": (
        "hostNetwork: true\n  initContainers: [{name: d, image: i, ports: [{containerPort: 1, hostPort: §2}]}]",
        "conflict",
    ),
    "bound by hand": ("nodeName: §node-1", "not-supported"),
    "scheduling gates": ("schedulingGates: §[{name: a}]", "not-supported"),
    "Windows": ("os: {name: §windows}", "not-supported"),
}


@pytest.mark.parametrize(("spec", "names"), BAD_PODS.values(), ids=BAD_PODS.keys())
def test_a_pod_that_the_api_server_refuses_is_refused_at_its_place(spec: str, names: str) -> None:
    assert_refused(f"{POD}  {spec}\n", names)


BAD_RESOURCES = {
    "request of a GPU that is not its limit": (
        "{limits: {nvidia.com/gpu: 1}, requests: {nvidia.com/gpu: 2}}",
        'resources.requests["nvidia.com/gpu"]: 2 must be equal to nvidia.com/gpu limit of 1',
    ),
    "request of a GPU without a limit": (
        "{requests: {nvidia.com/gpu: 1}}",
        "Limit must be set for non overcommitable resources",
    ),
    "half a GPU": ("{limits: {nvidia.com/gpu: 500m}}", "500m must be an integer"),
    "GPU without its domain": ("{limits: {gpu: 1}}", "| write nvidia.com/gpu"),
    "request above the limit": (
        "{limits: {memory: 1Gi}, requests: {memory: 1025Mi}}",
        "1025Mi must be less than or equal to memory limit of 1Gi",
    ),
    "negative": ("{requests: {cpu: -1}}", "-1 must be greater than or equal to 0"),
    "no quantity": ("{requests: {memory: 4GB}}", "'4GB' is not a quantity"),
    "boolean": ("{requests: {memory: true}}", "must be a quantity"),
    "unknown key": ("{request: {cpu: 1}}", "| did you mean requests?"),
}


@pytest.mark.parametrize(
    ("resources", "expected"), BAD_RESOURCES.values(), ids=BAD_RESOURCES.keys()
)
def test_resources_that_the_api_server_refuses_are_refused_in_its_words(
    resources: str, expected: str
) -> None:
    text = POD.replace("image: i}", f"image: i, resources: {resources}}}")
    assert expected in message_of(text)


BAD_OBJECTS = {
    "text instead of an object": ("§hello", "wrong-type"),
    "no kind": ("§apiVersion: v1\nmetadata: {name: a}", "missing"),
    "kind that is no text": ("apiVersion: v1\nkind: §3", "wrong-type"),
    "no name": ("§apiVersion: v1\nkind: Secret", "missing"),
    "generated name": (POD.replace("name: p", "generateName: §p-"), "missing"),
    "name in capitals": (POD.replace("name: p", "name: §P"), "bad-name"),
    "namespace with a dot": (POD.replace("name: p", "name: p, namespace: §a.b"), "bad-name"),
    "kind in another version": (
        DEPLOYMENT.replace("apps/v1", "extensions/v1beta1").replace("kind: ", "kind: §"),
        "no-such-kind",
    ),
    "kind in lower case": (DEPLOYMENT.replace("Deployment", "§deployment"), "no-such-kind"),
    "misspelt kind": (DEPLOYMENT.replace("Deployment", "§Deploymnt"), "no-such-kind"),
    "cluster file": (
        "apiVersion: eksctl.io/v1alpha5\nkind: §ClusterConfig\nmetadata: {name: a}",
        "wrong-kind",
    ),
    "selector of other labels": (
        DEPLOYMENT.replace("labels: {app: a}", "labels: §{app: b}"),
        "selector-mismatch",
    ),
    "template without labels": (
        DEPLOYMENT.replace("metadata: {labels: {app: a}}\n    spec", "§spec"),
        "selector-mismatch",
    ),
    "no selector": (
        DEPLOYMENT.replace("selector: {matchLabels: {app: a}}\n  template", "§template"),
        "missing",
    ),
    "empty selector": (DEPLOYMENT.replace("{matchLabels: {app: a}}", "§{}"), "wrong-value"),
    "no template": (
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec: §{selector: {matchLabels: {a: b}}}",
        "missing",
    ),
    "negative replicas": (
        DEPLOYMENT.replace("  selector", "  replicas: §-1\n  selector"),
        "wrong-value",
    ),
    "Deployment that ends": (DEPLOYMENT + "      restartPolicy: §Never", "restart-policy"),
    "Job that restarts for ever": (JOB.replace("Never", "§Always"), "restart-policy"),
    "Job without a restart policy": (
        JOB.replace("{restartPolicy: Never, ", "§{"),
        "restart-policy",
    ),
    "Indexed Job without completions": (
        JOB.replace("template", "§template") + "  completionMode: Indexed",
        "missing",
    ),
    "pod of a CronJob": (
        """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: a}
spec:
  schedule: "0 * * * *"
  jobTemplate: {spec: {template: {spec: {containers: [{name: §A, image: i}]}}}}
""",
        "bad-name",
    ),
    "operator with a typo": (
        DEPLOYMENT + "      tolerations: [{key: a, operator: §Exist}]\n",
        "wrong-value",
    ),
    "Job with a selector": (JOB + "  selector: §{matchLabels: {a: b}}\n", "not-supported"),
    "ReplicationController of other labels": (
        """\
apiVersion: v1
kind: ReplicationController
metadata: {name: a}
spec:
  selector: §{a: b}
  template: {metadata: {labels: {a: c}}, spec: {containers: [{name: a, image: i}]}}
""",
        "selector-mismatch",
    ),
    "template without a spec": (
        DEPLOYMENT.partition("    spec:")[0].replace("metadata: {labels", "§metadata: {labels"),
        "missing",
    ),
    "two bounds of a budget": (
        BUDGET.replace("{}", "{minAvailable: 1, maxUnavailable: §1}"),
        "conflict",
    ),
    "budget of half a pod": (BUDGET.replace("{}", "{minAvailable: §half}"), "wrong-value"),
    "priority class of the system's": (CLASS.replace("name: a", "name: §system-a"), "wrong-value"),
    "priority above the highest": (
        CLASS.replace("value: 1", "value: §1000000001"),
        "wrong-value",
    ),
    "items of a List": (
        "apiVersion: v1\nkind: List\nitems:\n  - §{apiVersion: v1, kind: Secret}\n  - §3",
        "missing wrong-type",
    ),
    "key given twice": (POD + "  hostIPC: true\n  §hostIPC: true", "duplicate-key"),
    "two mistakes": (POD.replace("app: a", "app: §1") + "  hostIPC: §2", "wrong-type wrong-type"),
}


@pytest.mark.parametrize(("text", "names"), BAD_OBJECTS.values(), ids=BAD_OBJECTS.keys())
def test_an_object_that_the_api_server_refuses_is_refused_at_its_place(
    text: str, names: str
) -> None:
    assert_refused(text, names)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"-1"', "bad-run-seconds"),
        ('"nan"', "bad-run-seconds"),
        ('"inf"', "bad-run-seconds"),
        ('"30m"', "bad-run-seconds"),
        ("1800", "wrong-type"),
    ],
)
def test_run_seconds_must_be_a_number_in_quotes_and_not_negative(written: str, name: str) -> None:
    text = POD.replace(
        "name: p,", f"name: p, annotations: {{lowtide.dev/run-seconds: §{written}}},"
    )
    assert_refused(text, name)


def test_run_seconds_on_a_controller_or_misspelt_is_refused() -> None:
    where = DEPLOYMENT.replace("name: d", 'name: d, annotations: {lowtide.dev/run-seconds: "5"}')
    assert "move it to spec.template.metadata.annotations" in message_of(where)
    misspelt = POD.replace("name: p,", 'name: p, annotations: {lowtide.dev/run-second: "5"},')
    assert "did you mean lowtide.dev/run-seconds?" in message_of(misspelt)


def test_a_field_that_kubernetes_does_not_have_is_named_with_the_nearest_one() -> None:
    expected = "unknown field 'replica' in spec | did you mean replicas?"
    assert message_of(DEPLOYMENT.replace("  selector", "  replica: 3\n  selector", 1)) == expected


def test_an_unquoted_value_is_shown_quoted() -> None:
    assert message_of(POD + "  nodeSelector: {gpu: yes}").endswith('| quote it: "yes"')


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(POD.replace("name: p", "name: P"))
    (tmp_path / "a.yaml").write_text(POD + "  hostname: 3\n  subdomain: 4\n")
    (tmp_path / "c.json").write_text("{]")
    with pytest.raises(InputError) as caught:
        load_manifests(tmp_path)
    places = [str(found.mark).removeprefix(f"{tmp_path}/") for found in caught.value.findings]
    assert places == ["a.yaml:6:13", "a.yaml:7:14", "b.yml:3:18", "c.json:1:2"]


# Files and directories.


def test_a_directory_is_read_by_name_and_not_deeper(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    for name in ("b.yaml", "a.yml", "c.json", "notes.txt", "deeper/d.yaml"):
        (tmp_path / name).write_text(POD.replace("name: p", f"name: {Path(name).stem}"))
    (tmp_path / "0.yaml").write_text("# kubectl skips a file of comments\n")
    assert [found.meta.name for found in load_manifests(tmp_path)] == ["a", "b", "c"]


def test_a_directory_without_manifests_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read") as caught:
        load_manifests(tmp_path)
    assert caught.value.why == "the directory holds no manifest"
    with pytest.raises(InputError) as caught:
        load_manifests(tmp_path / "missing.yaml")
    assert caught.value.why == "No such file or directory"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(InputError) as caught:
        load_manifests(tmp_path / "empty.yaml")
    assert [found.name for found in caught.value.findings] == ["empty"]


def test_rendered_objects_are_read_like_files() -> None:
    assert objects_from(list(yaml.safe_load_all(DEPLOYMENT))) == (one(DEPLOYMENT),)
    broken = yaml.safe_load(DEPLOYMENT)
    del broken["spec"]["selector"]
    with pytest.raises(InputError) as caught:
        objects_from([broken])
    assert [found.path for found in caught.value.findings] == ["spec.selector"]


@pytest.mark.parametrize(
    "name",
    ["autoscaler", "nvidiplugin.yaml", "cudaexample.yaml", "gpu-pod.yaml", "training-job.yaml"],
)
def test_the_example_manifests_are_read(name: str) -> None:
    found = load_manifests(EXAMPLES / name)
    assert any(not isinstance(thing, OtherObject) for thing in found)


# The tables of fields.


def test_the_field_tables_are_those_of_the_published_schema() -> None:
    pytest.importorskip("kubernetes_validate")
    place = ROOT / "scripts" / "kubernetes_fields.py"
    loaded = importlib.util.spec_from_file_location("kubernetes_fields", place)
    assert loaded is not None
    assert loaded.loader is not None
    script = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(script)
    assert json.loads(script.TARGET.read_text()) == script.build()


# Nothing but InputError, whatever stands in the file.

RICH = """
---
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {a: b}, annotations: {lowtide.dev/run-seconds: "5"}}
spec:
  priorityClassName: high
  nodeSelector: {a: b}
  tolerations: [{key: a, operator: Exists, effect: NoSchedule}]
  topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - {topologyKey: z, matchLabelKeys: [a], labelSelector: {}}
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt, values: ["1"]}]}]
  volumes: [{name: v, emptyDir: {medium: Memory}}]
  initContainers: [{name: i, image: i, restartPolicy: Always}]
  containers:
    - name: c
      image: i
      ports: [{containerPort: 80, hostPort: 80}]
      volumeMounts: [{name: v, mountPath: /v}]
      resources: {limits: {nvidia.com/gpu: 1}, requests: {cpu: "1"}}
---
apiVersion: v1
kind: List
items: [{apiVersion: v1, kind: Secret, metadata: {name: s}}]
"""
SAMPLES = list(yaml.safe_load_all(f"{DEPLOYMENT}---\n{JOB}---\n{BUDGET}{CLASSES}{RICH}"))

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["Exists", "In", "1Gi", "nvidia.com/gpu", "Always", "-1", "50%", "Memory"]),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, inner in steps for place in _places(inner, (*path, key)))]


def _put(value: Any, path: tuple[Any, ...], replacement: Any) -> Any:
    if not path:
        return replacement
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _put(value[path[0]], path[1:], replacement)
    return copied


@st.composite
def broken_objects(draw: st.DrawFn) -> Any:
    """A good object with one to three of its values replaced by anything."""
    found = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(_places(found)))
        found = _put(found, place, draw(JUNK))
    return found


@settings(max_examples=150)
@given(st.lists(broken_objects(), min_size=1, max_size=3))
def test_a_broken_manifest_is_read_or_refused_and_nothing_else(objects: list[Any]) -> None:
    assert _reads_or_refuses(objects)


@pytest.mark.slow
@settings(max_examples=2000)
@given(st.lists(broken_objects() | JUNK, min_size=1, max_size=3))
def test_many_broken_manifests_are_read_or_refused_and_nothing_else(objects: list[Any]) -> None:
    assert _reads_or_refuses(objects)


def _reads_or_refuses(objects: list[Any]) -> bool:
    text = yaml.safe_dump_all(objects, allow_unicode=True)
    try:
        found: Any = read_manifests(text, "m.yaml")
    except InputError as error:
        return bool(error.findings) and all(one.mark.line for one in error.findings)
    return all(thing.meta.name for thing in found)


def test_the_operator_that_was_meant_is_named() -> None:
    with pytest.raises(InputError) as caught:
        read_manifests(DEPLOYMENT + "      tolerations: [{key: a, operator: Exist}]\n", "w.yaml")
    assert [one.fix for one in caught.value.findings] == ["write Exists"]


def test_a_cron_job_is_accepted_as_an_object_without_pods() -> None:
    text = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: i}]}}}}
"""
    assert read_manifests(text, "w.yaml") == (
        OtherObject(meta=Meta(kind="CronJob", name="nightly")),
    )


def test_the_volumes_of_a_stateful_set_are_named() -> None:
    text = DEPLOYMENT.replace("Deployment", "StatefulSet")
    text += "  volumeClaimTemplates: [{metadata: {name: data}}]\n"
    (one,) = read_manifests(text, "w.yaml")
    assert isinstance(one, Replicated)
    assert one.volume_claims == ("data",)
