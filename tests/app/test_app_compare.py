"""Runs that stand beside each other have labels that tell them apart."""

from __future__ import annotations

from lowtide.app.compare import labels_of


def test_a_run_is_labelled_with_its_files_name() -> None:
    assert labels_of(["a/spot.yaml", "b/on-demand.yaml"]) == ("spot", "on-demand")


def test_files_of_one_name_are_labelled_with_their_paths() -> None:
    assert labels_of(["a/cluster.yaml", "b/cluster.yaml", "c.yaml"]) == (
        "a/cluster.yaml",
        "b/cluster.yaml",
        "c",
    )
