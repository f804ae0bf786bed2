"""Whatever goes wrong, the person at the terminal reads four lines and gets the right exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide.cli.failure import report_failure
from lowtide.cli.main import VERBS, run
from lowtide.cli.main import lowtide as root
from lowtide.cli.settings import Settings
from lowtide.model.errors import AwsError, ChecksFailed, InputError, KubernetesError, LowtideError

Lowtide = Callable[..., Any]


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make the verb `version` raise an error."""

    def arrange(error: BaseException) -> None:
        def fail() -> None:
            raise error

        command = root.get_command(None, "version")  # type: ignore[arg-type] # the context is not looked at
        assert command is not None
        monkeypatch.setattr(command, "callback", fail)

    return arrange


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LowtideError("it failed"), 1),
        (InputError("bad input"), 2),
        (ChecksFailed("a check failed"), 3),
        (AwsError("AWS said no"), 4),
        (KubernetesError("Kubernetes said no"), 5),
        (KeyError("surprise"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(
    lowtide: Lowtide, failing: Callable[[BaseException], None], error: BaseException, code: int
) -> None:
    failing(error)
    assert lowtide("version").code == code


def test_an_error_answers_what_where_why_and_next_in_four_lines(
    lowtide: Lowtide, failing: Callable[[BaseException], None]
) -> None:
    failing(
        InputError(
            "The cluster is blue", where="cluster.yaml:3:1", why="it should be red", fix="paint it"
        )
    )
    ran = lowtide("version")
    lines = lines_of(ran.err)
    assert len(lines) == 4
    for line, word in zip(
        lines,
        ["The cluster is blue", "cluster.yaml:3:1", "it should be red", "paint it"],
        strict=True,
    ):
        assert word in line
    assert ran.out == ""


def test_a_bug_of_ours_shows_no_traceback_and_says_how_to_report_it(
    lowtide: Lowtide, failing: Callable[[BaseException], None]
) -> None:
    failing(ZeroDivisionError("division by zero"))
    ran = lowtide("version")
    assert "Traceback" not in ran.err
    assert "ZeroDivisionError: division by zero" in ran.err
    assert "--debug" in ran.err


def test_debug_shows_the_traceback(
    lowtide: Lowtide, failing: Callable[[BaseException], None]
) -> None:
    failing(ZeroDivisionError("division by zero"))
    assert "Traceback (most recent call last)" in lowtide("version", "--debug").err


def test_with_json_an_error_is_one_document_with_schema_and_findings(
    lowtide: Lowtide, failing: Callable[[BaseException], None]
) -> None:
    failing(InputError("The cluster is blue", where="here", why="because", fix="paint it"))
    document = lowtide("version", "-o", "json").document
    assert document == {
        "schema": "lowtide.error/v1",
        "exit_code": 2,
        "what": "The cluster is blue",
        "where": "here",
        "why": "because",
        "fix": "paint it",
        "findings": [],
    }


def test_an_unknown_verb_is_met_with_the_nearest_one(lowtide: Lowtide) -> None:
    ran = lowtide("simulat")
    assert ran.code == 2
    assert len(lines_of(ran.err)) == 4
    assert "did you mean: lowtide simulate" in ran.err


def test_a_verb_like_no_other_lists_the_verbs(lowtide: Lowtide) -> None:
    ran = lowtide("xyzzy")
    assert ran.code == 2
    assert ", ".join(VERBS) in ran.err
    assert "lowtide --help" in ran.err


def test_an_unknown_option_is_met_with_the_nearest_one(lowtide: Lowtide) -> None:
    ran = lowtide("simulate", "--sed", "4")
    assert ran.code == 2
    assert len(lines_of(ran.err)) == 4
    assert "did you mean: lowtide simulate --seed" in ran.err


def test_an_option_that_was_typed_half_is_the_one_that_begins_so(lowtide: Lowtide) -> None:
    assert "did you mean: lowtide local up --keep\n" in lowtide("local", "up", "--kep").err
    assert "did you mean: lowtide local up --no-keep\n" in lowtide("local", "up", "--no-k").err


def test_a_wrong_value_of_an_option_names_the_option(lowtide: Lowtide) -> None:
    ran = lowtide("simulate", "--seed", "many")
    assert ran.code == 2
    assert "'--seed'" in ran.err
    assert "many" in ran.err


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("simulate job.yaml", "lowtide simulate -w job.yaml"),
        ("simulate mine.yaml", "lowtide simulate -f mine.yaml"),
        ("check cluster.yaml", "lowtide check -f cluster.yaml"),
        ("check job.yaml more.yaml", "lowtide check -w job.yaml"),
        ("version cluster.yaml", "lowtide version --help"),
    ],
)
def test_a_file_without_its_option_is_met_with_the_option(
    lowtide: Lowtide, line: str, following: str
) -> None:
    Path("mine.yaml").write_text("apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n")
    Path("job.yaml").write_text("apiVersion: batch/v1\nkind: Job\n")
    ran = lowtide(*line.split())
    assert ran.code == 2
    assert ran.err.rstrip().endswith(f"next:  {following}")


@pytest.mark.parametrize("option", ["-w", "-f", "--policy"])
def test_an_option_given_twice_is_refused_not_half_ignored(lowtide: Lowtide, option: str) -> None:
    ran = lowtide("simulate", option, "a.yaml", option, "b.yaml")
    assert ran.code == 2
    assert len(lines_of(ran.err)) == 4
    assert "a.yaml, b.yaml" in ran.err


def test_an_interrupt_inside_another_error_is_an_interrupt(
    lowtide: Lowtide, failing: Callable[[BaseException], None]
) -> None:
    wrapped = RuntimeError("Error calling __set_name__ on 'a' instance")
    wrapped.__cause__ = KeyboardInterrupt()
    failing(wrapped)
    ran = lowtide("version")
    assert (ran.code, ran.err.strip()) == (130, "Interrupted.")


def test_an_error_after_another_one_is_no_interrupt(
    lowtide: Lowtide, failing: Callable[[BaseException], None]
) -> None:
    error = KeyError("second")
    error.__context__ = ValueError("first")
    failing(error)
    assert lowtide("version").code == 70


def test_a_usage_error_is_a_document_too_where_json_is_wanted(lowtide: Lowtide) -> None:
    ran = lowtide("simulate", "--sed", "4", "-o", "json")
    assert ran.code == 2
    assert ran.document["schema"] == "lowtide.error/v1"


def test_run_returns_zero_when_all_is_well() -> None:
    assert run(["version"]) == 0


@pytest.mark.parametrize(("command", "says"), [("lowtide down", True), ("lowtide check", False)])
def test_a_bug_never_claims_that_nothing_changed_and_a_verb_that_changes_says_so(
    capsys: pytest.CaptureFixture[str], command: str, says: bool
) -> None:
    settings = Settings(command=command)
    assert report_failure(KeyError("surprise"), settings) == 70
    said = capsys.readouterr().err
    assert "nothing was changed" not in said
    assert ("goes on from there" in said) is says


@pytest.mark.parametrize(
    ("number", "path"),
    [(errno.ENOSPC, None), (errno.EROFS, "/state"), (errno.ENOTDIR, "/a/b"), (errno.EACCES, "/a")],
)
def test_a_disk_that_is_full_or_not_ours_is_no_bug_of_lowtide(
    failing: Callable[[BaseException], None],
    lowtide: Lowtide,
    number: int,
    path: str | None,
) -> None:
    failing(OSError(number, os.strerror(number), path))
    ran = lowtide("version")
    assert ran.code == 1
    said = lines_of(ran.err)
    assert len(said) == 4
    assert said[1].strip() == f"where: {path or 'lowtide version'}"
    assert os.strerror(number) in said[2]


def test_any_other_error_of_the_system_stays_a_bug(
    failing: Callable[[BaseException], None], lowtide: Lowtide
) -> None:
    failing(OSError(errno.EBADF, "Bad file descriptor"))
    assert lowtide("version").code == 70
