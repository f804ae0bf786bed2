from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from lowtide.model.run import DecisionRow
from lowtide.model.simulation import Simulation
from lowtide.report.drawing import axis, bars
from lowtide.report.terminal import Column, comparison_text, simulation_text, table_text


def lines_of(simulation: Simulation, width: int = 100) -> list[str]:
    return simulation_text(simulation, width=width, color=False).splitlines()


def test_the_first_lines_say_what_happened_in_plain_words(tide: Simulation) -> None:
    assert lines_of(tide)[:4] == [
        "noble-gpu-example  us-east-1, seed 0: 2h22m simulated, ended when the scenario's end condition held",
        "20 pods ran, the first after 3m41s.",
        "0 -> 10 -> 0 -> 10 -> 0 GPU nodes in 3 zones.",
        "$3.53 in all; the GPU nodes cost $2.54, 80 % below always-on on-demand.",
    ]


def test_cost_and_baselines_stand_beside_each_other_where_there_is_room(tide: Simulation) -> None:
    text = "\n".join(lines_of(tide))
    assert "GPU nodes, spot       $2.54     always-on on-demand  $12.45   80 % below" in text
    assert "GPU nodes, on-demand  $0.00     cheapest possible     $2.08   22 % above" in text
    narrow = lines_of(tide, width=60)
    assert "always-on on-demand  $12.45   80 % below" in narrow
    assert "GPU nodes, spot       $2.54" in narrow


def test_waiting_gpu_hours_pods_and_nodes_are_told(tide: Simulation) -> None:
    text = "\n".join(lines_of(tide))
    assert "waiting    mean 3m54s, p50 3m54s, p95 4m08s, p99 4m08s, longest 4m08s" in text
    assert "9.93 held by pods, 12.08 paid: 82 % utilisation; 0.00 unmet" in text
    assert "20 in all: 0 finished, 20 stopped, 0 running, 0 pending" in text
    assert "GPU: 10 at peak, 20 launched, 0 at the end; general: 1 at peak" in text


def test_the_timeline_has_a_row_for_each_zone_and_for_pods_on_one_time_axis(
    tide: Simulation,
) -> None:
    lines = lines_of(tide)
    end = lines.index(next(line for line in lines if "└" in line))
    start, width = lines[end].index("└"), len(lines[end].strip())
    rows = [line for line in lines[:end] if "  max " in line]
    assert [row[:start].strip() for row in rows] == [
        "GPU nodes us-east-1a",
        "GPU nodes us-east-1b",
        "GPU nodes us-east-1c",
        "pods running",
        "pods pending",
    ]
    drawn = [row[start : start + width] for row in rows]
    assert set(drawn[0]) == {"█", " "}
    assert set(drawn[1]) == set(drawn[2]) == {"▆", " "}
    assert [row[start + width :].strip() for row in rows] == [
        "max 4",
        "max 3",
        "max 3",
        "max 10",
        "max 10",
    ]
    assert lines[end + 1].index("0") == start


@pytest.mark.parametrize("width", [10, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(tide: Simulation, width: int) -> None:
    assert max(map(len, lines_of(tide, width))) <= max(40, width)


def test_colour_is_used_only_when_asked_for(
    tide: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = simulation_text(tide, width=100, color=False)
    assert "\x1b" not in plain
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "20")
    coloured = simulation_text(tide, width=100, color=True)
    assert "\x1b[" in coloured
    uncoloured = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert [line.rstrip() for line in uncoloured.splitlines()] == plain.splitlines()


def test_the_first_decisions_are_shown_and_the_others_counted(tide: Simulation) -> None:
    text = simulation_text(tide, width=120, color=False, decisions=3)
    assert "0:00:12  autoscaler  desired 0 -> 4 gpu-spot-a" in text
    assert text.endswith("... and 47 more (-o json)")
    assert "0:02:30" not in text


def test_times_and_actors_stay_whole_where_reasons_are_cut(tide: Simulation) -> None:
    row = DecisionRow(
        at_ms=3_600_000 * 30, actor="autoscaler", action="no", subject="x" * 300, why="y" * 300
    )
    line = simulation_text(replace(tide, decisions=(row,)), width=80, color=False).splitlines()[-1]
    assert line.startswith("1d 6:00:00  autoscaler  no xxx")
    assert line.count("…") == 2
    assert len(line) <= 80


def test_refused_pods_are_said_loudly_with_cause_and_reasons(refused: Simulation) -> None:
    lines = lines_of(refused)
    assert "None of 4 pods ran; 4 pods were refused." in lines
    assert "4 pods refused: no group tolerates the pod" in lines
    assert "  default/cuda-1, default/cuda-2, default/cuda-3 and 1 more" in lines
    assert "  node/ip-10-0-0-10: Insufficient nvidia.com/gpu" in lines
    text = " ".join(lines)
    assert "group/gpu-spot-a, group/gpu-spot-b, group/gpu-spot-c: untolerated taint; [bold]" in text
    assert "NOTICE: prices of us-east-1 stand in for" in text
    assert "waiting    no pod ran" in text


def test_names_cannot_write_to_the_terminal(refused: Simulation) -> None:
    assert "\x1b" not in simulation_text(refused, width=100, color=False)
    coloured = simulation_text(refused, width=100, color=True)
    assert "\\x1b[31m" in coloured
    assert "\x1b[31m{{" not in coloured
    assert "{{style}}\x1b[31m" not in coloured


def test_a_run_in_which_nothing_happened_says_so(quiet: Simulation) -> None:
    lines = lines_of(quiet)
    assert lines[1:4] == ["No pod was asked for.", "No GPU node was launched.", "$0.24 in all."]
    assert not any("max" in line for line in lines)


def test_lost_and_cancelled_pods_are_told_apart_from_those_that_ran(tide: Simulation) -> None:
    pods = list(tide.pod_usages)
    pods[0] = replace(pods[0], outcome="lost")
    pods[1] = replace(pods[1], outcome="cancelled", running_ms=None)
    changed = replace(
        tide, pod_usages=tuple(pods), pods=replace(tide.pods, stopped=18), interruptions=1
    )
    lines = lines_of(changed, width=200)
    assert lines[1] == (
        "18 pods ran, the first after 3m41s; 1 pod lost with a node and started again; "
        "1 pod was deleted before running."
    )
    assert lines[2].endswith("GPU nodes in 3 zones; 1 spot interruption.")


def test_many_waves_are_told_as_a_range(tide: Simulation) -> None:
    states = tuple(
        replace(row, at_ms=round_ * 10_000_000 + row.at_ms)
        for round_ in range(6)
        for row in tide.states
    )
    lines = lines_of(replace(tide, states=states, simulated_seconds=60_000.0))
    assert lines[2] == "Between 0 and 10 GPU nodes in 3 zones."


def test_a_comparison_has_a_column_for_each_run_and_marks_the_cheapest_that_served(
    tide: Simulation, refused: Simulation
) -> None:
    dearer = replace(tide, cost_usd=replace(tide.cost_usd, total=9.99))
    text = comparison_text(
        [("a.yaml", dearer), ("b.yaml", tide), ("c.yaml", refused)], width=100, color=False
    )
    head, total, *_ = text.splitlines()
    assert head.split() == ["a.yaml", "b.yaml*", "c.yaml"]
    assert total.split() == ["total", "$9.99", "$3.53", "$0.24"]
    assert re.search(r"^pods refused +0 +0 +4$", text, re.MULTILINE)
    assert re.search(
        r"^against always-on on-demand +80 % below +80 % below +-$", text, re.MULTILINE
    )
    assert "NOTICE: c.yaml: prices of us-east-1" in text


def test_runs_that_do_not_fit_beside_each_other_go_below(tide: Simulation) -> None:
    compared = [(f"cluster-number-{n}.yaml", tide) for n in range(5)]
    text = comparison_text(compared, width=80, color=False)
    assert [text.count(label) for label, _ in compared] == [1] * 5
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("waiting, mean") > 1


def test_a_comparison_of_nothing_is_empty() -> None:
    assert comparison_text([], width=80, color=False) == ""


def test_a_table_aligns_numbers_right_and_is_not_cut_in_a_pipe() -> None:
    text = table_text(
        ["type", Column(title="$/h", right=True), Column(title="source", cut=True)],
        [["g4dn.xlarge", 0.526, "s" * 300], ["p5.48xlarge", 55.04, ""]],
    )
    assert text.splitlines() == [
        "type           $/h  source",
        "g4dn.xlarge  0.526  " + "s" * 300,
        "p5.48xlarge  55.04",
    ]


def test_a_cut_column_of_more_weight_gets_more_room() -> None:
    columns = [Column(title="a", cut=True, weight=3), Column(title="b", cut=True)]
    line = table_text(columns, [["a" * 99, "b" * 99]], width=42).splitlines()[1]
    assert (line.count("a"), line.count("b"), line.count("…"), len(line)) == (29, 9, 2, 42)


def test_the_axis_labels_stand_at_their_ticks() -> None:
    ticks, labels = axis(7200, 60)
    assert labels.split() == ["0", "30m", "1h", "1h30m"]
    assert [labels.index("30m"), labels.index("1h ")] == [
        place for place, char in enumerate(ticks) if char == "┴"
    ][:2]
    assert axis(0, 20)[1] == "0"


def test_a_bar_that_is_not_zero_is_always_seen() -> None:
    assert bars([0, 0.001, 4, 8], 8) == " ▁▄█"
    assert bars([0, 0], 0) == "  "


def test_importing_the_reports_does_not_load_rich_or_the_plot_library() -> None:
    code = (
        "import sys, lowtide.report.terminal, lowtide.report.machine, lowtide.report.html; "
        "print(sorted({'rich', 'vl_convert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_baselines_are_explained_and_the_cheapest_type_of_the_region_is_named(
    tide: Simulation,
) -> None:
    baseline = replace(tide.baseline_usd, cheapest_in_region_types=("g5g.xlarge",))
    words = " ".join(
        simulation_text(replace(tide, baseline_usd=baseline), width=100, color=False).split()
    )
    assert "always-on: the peak's nodes on demand for the whole run" in words
    assert "cheapest in region: of any type there (g5g.xlarge)" in words


def test_a_run_without_pods_that_ran_has_no_waiting_times_and_is_no_bargain(
    tide: Simulation, refused: Simulation
) -> None:
    text = comparison_text([("a", tide), ("b", refused)], width=100, color=False)
    assert re.search(r"^waiting, p95 +\S+ +no pod ran$", text, re.MULTILINE)
    (group,) = refused.pods.refused
    assert f"b: {len(group.pods)} pods refused: {group.cause}" in " ".join(text.split())
    assert "a: " not in text
    nobody = comparison_text([("b", refused), ("c", refused)], width=100, color=False)
    assert "*" not in nobody


def test_a_notice_of_all_runs_is_said_once(tide: Simulation) -> None:
    first = replace(tide, notices=("Both.", "Mine."))
    second = replace(tide, notices=("Both.",))
    text = comparison_text([("a", first), ("b", second)], width=100, color=False)
    assert [line for line in text.splitlines() if line.startswith("NOTICE")] == [
        "NOTICE: Both.",
        "NOTICE: a: Mine.",
    ]
