from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.model.errors import InputError
from lowtide.model.findings import Finding, Mark
from lowtide.model.scenario import TraceJob
from lowtide.spec import trace_table
from lowtide.spec.document import in_order
from lowtide.spec.traces import read_openb, read_philly, read_trace
from lowtide.spec.workloads import load_workload

MIB = 1024**2
HEAD = "submit_s,run_s,gpus,cpu,memory_mib\n"
PHILLY = "timestamp,duration,num_gpus,gpu_time,cluster\n"
OPENB = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,"
    "creation_time,deletion_time,scheduled_time\n"
)

Reader = Callable[[Path], tuple[TraceJob, ...]]


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    """A function that writes a table and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "t.csv"
        path.write_text(text)
        return path

    return write


def refused(path: Path, read: Reader = read_trace) -> list[tuple[str, int, int, str]]:
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.exit_code == 2
    return [
        (one.name, one.mark.line, one.mark.column, one.message) for one in caught.value.findings
    ]


def test_a_row_is_a_job_in_our_units(table: Callable[[str], Path]) -> None:
    path = table(
        "name,submit_s,run_s,gpus,cpu,memory_mib,group,zone,gang\n"
        "train,100.5,3600,4,7.5,1024,gpu-a,us-east-1a,2\n"
        "infer,100.25,60.001,0,0.1,0.5,,,\n"
    )
    assert read_trace(path) == (
        TraceJob(
            name="infer", submit_ms=0, run_ms=60_001, gpus=0, cpu_milli=100, memory_bytes=MIB // 2
        ),
        TraceJob(
            name="train",
            submit_ms=250,
            run_ms=3_600_000,
            gpus=4,
            cpu_milli=7500,
            memory_bytes=1024 * MIB,
            group="gpu-a",
            zone="us-east-1a",
            gang=2,
        ),
    )


def test_jobs_of_one_moment_keep_the_order_of_the_table(table: Callable[[str], Path]) -> None:
    found = read_trace(table(HEAD + "9,1,1,1,1\n-3,1,1,1,1\n9,2,1,1,1\n"))
    assert [(job.name, job.submit_ms) for job in found] == [
        ("job-3", 0),
        ("job-2", 12_000),
        ("job-4", 12_000),
    ]


def test_a_compressed_table_reads_like_a_plain_one(tmp_path: Path) -> None:
    text = HEAD + "0,1,1,1,1\r\n5,1,1,1,1\r\n\r\n"
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    plain.write_text("\ufeff" + text, newline="")
    packed.write_bytes(gzip.compress(text.encode(), mtime=0))
    assert len(read_trace(plain)) == 2
    assert read_trace(packed) == read_trace(plain)


BAD_TABLES = {
    "unknown column": (
        "submit_s,run_s,gpu,cpu,memory_mib,gpus\n",
        [("unknown-column", 1, 16, "unknown column 'gpu'")],
    ),
    "column given twice": (
        "submit_s,run_s,gpus,cpu,memory_mib,run_s\n",
        [("unknown-column", 1, 36, "the column 'run_s' is there twice")],
    ),
    "missing columns": (
        "submit_s,run_s,gpus\n",
        [
            ("missing-column", 1, 1, "the column cpu is missing"),
            ("missing-column", 1, 1, "the column memory_mib is missing"),
        ],
    ),
    "no job": (HEAD, [("empty-trace", 1, 1, "there is a header and no job below it")]),
    "text for a number": (
        HEAD + "0,1,1,1,1\n0,x,1,1,1\n",
        [("bad-value", 3, 3, "run_s: 'x' is not a number")],
    ),
    "no value": (HEAD + "0,1,,1,1\n", [("bad-value", 2, 5, "gpus: '' is not a number")]),
    "not a number": (
        HEAD + "nan,1,1,1,1\n",
        [("bad-value", 2, 1, "submit_s: 'nan' is not a number")],
    ),
    "for ever": (
        HEAD + "0,inf,1,1,1\n",
        [("bad-value", 2, 3, "run_s: 'inf' seconds are more than 366 days")],
    ),
    "negative": (HEAD + "0,1,1,-2,1\n", [("bad-value", 2, 7, "cpu: '-2' is below 0")]),
    "half a GPU": (
        HEAD + "0,1,0.5,1,1\n",
        [("bad-value", 2, 5, "gpus: 0.5 is not a whole number")],
    ),
    "short and long rows": (
        HEAD + "0,1,1,1\n0,1,1,1,1,1\n",
        [
            ("row-length", 2, 1, "4 cells under 5 columns"),
            ("row-length", 3, 1, "6 cells under 5 columns"),
        ],
    ),
    "gang of none": (
        "submit_s,run_s,gpus,cpu,memory_mib,gang\n0,1,1,1,1,0\n",
        [("bad-value", 2, 11, "gang: '0' is below 1")],
    ),
    "name given twice": (
        "name,submit_s,run_s,gpus,cpu,memory_mib\na,0,1,1,1,1\na,0,1,1,1,1\n",
        [("duplicate-name", 3, 1, "name: 'a' is an earlier job's name too")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_a_bad_table_is_refused_at_every_bad_row(
    text: str, expected: list[tuple[str, int, int, str]], table: Callable[[str], Path]
) -> None:
    assert refused(table(text)) == expected


def test_a_name_that_cannot_name_pods_is_refused(table: Callable[[str], Path]) -> None:
    ((name, line, column, message),) = refused(
        table("name,submit_s,run_s,gpus,cpu,memory_mib\nJob 1,0,1,1,1,1\n")
    )
    assert (name, line, column) == ("bad-value", 2, 1)
    assert "'Job 1' cannot name pods" in message


def test_of_many_bad_rows_twenty_are_shown_and_the_rest_is_counted(
    table: Callable[[str], Path],
) -> None:
    found = refused(table(HEAD + "0,x,1,1,1\n" * 25))
    assert [line for _, line, _, _ in found[:20]] == list(range(2, 22))
    assert found[20:] == [("bad-value", 26, 1, "5 more rows are wrong, the last of them here")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("binary.csv", bytes(range(128, 256))),
        ("nul.csv", HEAD.encode() + b"\0,1,1,1,1\n"),
        ("quote.csv", HEAD.encode() + b'"0,1,1,1,1\n'),
        ("plain.csv.gz", HEAD.encode()),
        ("cut.csv.gz", gzip.compress(HEAD.encode() * 50, mtime=0)[:-20]),
        (
            "broken.csv.gz",
            gzip.compress(HEAD.encode(), mtime=0)[:12] + b"\xff\xff\xff\xff\xff\xff\xff",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    ((found, *_),) = refused(path)
    assert found in {"unreadable-trace", "bad-value"}


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.csv", tmp_path):
        ((found, *_),) = refused(path)
        assert found == "unreadable-trace"


def test_without_pyarrow_parquet_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError) as caught:
        read_trace(tmp_path / "t.parquet")
    assert "lowtide[parquet]" in caught.value.fix


def test_a_parquet_table_reads_like_csv(tmp_path: Path, table: Callable[[str], Path]) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"submit_s": [5, 3], "run_s": [1.5, 2], "gpus": [1, 2], "cpu": [0.5, 1]}
    columns |= {"memory_mib": [1, 2], "name": ["a", "b"], "zone": [None, "us-east-1a"]}
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(columns), path)
    text = (
        "submit_s,run_s,gpus,cpu,memory_mib,name,zone\n5,1.5,1,0.5,1,a,\n3,2,2,1,2,b,us-east-1a\n"
    )
    assert read_trace(path) == read_trace(table(text))
    path.write_bytes(b"no parquet")
    ((found, *_),) = refused(path)
    assert found == "unreadable-trace"


# The Philly and openb formats.


@pytest.mark.parametrize(
    ("gpus", "pods", "each"),
    [(1, 1, 1), (8, 1, 8), (12, 2, 6), (16, 2, 8), (24, 3, 8), (13, 13, 1)],
)
def test_a_philly_job_larger_than_a_node_is_a_gang_of_equal_pods(
    gpus: int, pods: int, each: int, table: Callable[[str], Path]
) -> None:
    (job,) = read_philly(table(f"{PHILLY}2017-10-09 07:01:55,66.0,{gpus},66.0,11cb48\n"))
    assert (job.gang, job.gpus, job.run_ms, job.submit_ms) == (pods, each, 66_000, 0)


def test_philly_stamps_become_milliseconds_from_the_first(table: Callable[[str], Path]) -> None:
    rows = "2017-10-09 07:01:55,1,1,1,a\n2017-10-08 07:01:54,1,1,1,a\n"
    assert [job.submit_ms for job in read_philly(table(PHILLY + rows))] == [0, 86_401_000]


def test_bad_philly_rows_are_refused(table: Callable[[str], Path]) -> None:
    rows = "yesterday,1,1,1,a\n2017-10-09 07:01:55,1,0,1,a\n2017-10-09 07:01:55,1,99999999977,1,a\n"
    assert [found[:3] for found in refused(table(PHILLY + rows), read_philly)] == [
        ("bad-value", 2, 1),
        ("bad-value", 3, 23),
        ("bad-value", 4, 23),
    ]


def test_an_openb_pod_runs_from_being_scheduled_or_from_its_creation(
    table: Callable[[str], Path],
) -> None:
    rows = "a,500,1024,1,460,,LS,Running,100,400,150\nb,0,0,2,1000,A|B,LS,Pending,100,400,\n"
    shared, pending = read_openb(table(OPENB + rows))
    assert shared == TraceJob(
        name="a", submit_ms=0, run_ms=250_000, gpus=1, cpu_milli=500, memory_bytes=1024 * MIB
    )
    assert (pending.run_ms, pending.gpus) == (300_000, 2)


def test_an_openb_pod_that_ends_before_its_start_is_refused(table: Callable[[str], Path]) -> None:
    path = table(OPENB + "a,500,1024,1,460,,LS,Running,100,120,150\n")
    assert refused(path, read_openb) == [
        ("bad-value", 2, 34, "deletion_time: 120 is before the pod's start at 150")
    ]


def test_the_philly_trace_is_read_whole(shared_data: Callable[[str], Path]) -> None:
    jobs = read_philly(shared_data("philly/philly_to_2017-10-31.csv.gz"))
    assert len(jobs) == 52_849
    assert (jobs[0].submit_ms, jobs[-1].submit_ms) == (0, 4_972_890_000)
    assert max(job.gpus for job in jobs) == 8
    assert sum(job.gpus * job.gang == 32 for job in jobs) == 23


@pytest.mark.parametrize(
    ("name", "pods", "gpus"), [("default", 8152, 7433), ("cpu050", 7439, 7433)]
)
def test_the_openb_traces_are_read_whole(
    name: str, pods: int, gpus: int, shared_data: Callable[[str], Path]
) -> None:
    jobs = read_openb(shared_data(f"openb/openb_pod_list_{name}.csv.gz"))
    assert (len(jobs), sum(job.gpus for job in jobs)) == (pods, gpus)


CELLS = st.one_of(
    st.integers(-5, 10**17).map(str),
    st.floats().map(str),
    st.text(max_size=5),
    st.sampled_from(["0", "1", "2.5", "", '"', "2017-10-09 07:01:55", "2017-10-09T07:01:55+23:59"]),
)


@settings(max_examples=150)
@given(
    form=st.sampled_from([(HEAD, read_trace), (PHILLY, read_philly), (OPENB, read_openb)]),
    rows=st.lists(st.lists(CELLS, max_size=11), max_size=4),
)
def test_a_broken_table_is_read_or_refused_and_nothing_else(
    form: tuple[str, Reader], rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    head, read = form
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_text(head + "\n".join(",".join(row) for row in rows), "utf-8", "surrogateescape")
    assert _reads_or_refuses(path, read)


def _reads_or_refuses(path: Path, read: Reader) -> bool:
    try:
        return read(path)[0].submit_ms == 0
    except InputError as error:
        return bool(error.findings)


def test_what_is_no_regular_file_is_no_trace(tmp_path: Path) -> None:
    link, pipe = tmp_path / "zero.csv", tmp_path / "pipe.csv"
    link.symlink_to("/dev/zero")
    os.mkfifo(pipe)
    for path, why in (
        (Path("/dev/zero"), "it is a device or socket, no regular file"),
        (link, "it is a device or socket, no regular file"),
        (pipe, "it is a pipe, no regular file"),
        (tmp_path, "it is a directory"),
    ):
        for read in (read_trace, read_philly, read_openb):
            assert refused(path, read) == [("unreadable-trace", 0, 0, why)]


def test_an_endless_line_is_given_up_before_it_is_read(tmp_path: Path) -> None:
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(HEAD.encode() + b"0" * 50_000_000))
    tracemalloc.start()
    try:
        ((_, _, _, why),) = refused(packed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert why == "a row has more than 64 KiB; this is no trace"
    assert peak < 10_000_000


def test_a_row_of_endless_quoted_lines_is_too_long_too(table: Callable[[str], Path]) -> None:
    ((_, _, _, why),) = refused(table(HEAD + '"a\n",' * 20_000))
    assert why == "a row has more than 64 KiB; this is no trace"


def test_rows_of_any_number_have_the_limit_each(table: Callable[[str], Path]) -> None:
    assert len(read_trace(table(HEAD + "0,1,1,1,1\n" * 8_000))) == 8_000


def test_only_the_shown_unknown_columns_get_a_suggestion(
    table: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def suggest(name: str, _: object) -> str:
        asked.append(name)
        return ""

    monkeypatch.setattr(trace_table, "did_you_mean", suggest)
    found = refused(table(",".join(f"x{index}" for index in range(5000)) + "\n"))
    assert len(asked) == 20
    assert found[0][:3] == ("unknown-column", 1, 1)
    assert found[1][:3] == ("unknown-column", 1, 4)
    assert found[-1][3] == "4985 more columns are wrong, the last of them here"


def test_after_the_shown_rows_no_detail_is_gathered(
    table: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    real = trace_table._finding

    def finding(rule: tuple[str, str], message: str, mark: Mark, **more: str) -> Finding:
        made.append(message)
        return real(rule, message, mark, **more)

    monkeypatch.setattr(trace_table, "_finding", finding)
    found = refused(table(HEAD + "0,x,1,1,1\n" * 1000))
    assert len(made) == len(found) == 21


def test_the_reason_is_the_first_bad_row_and_the_count_is_last(
    table: Callable[[str], Path],
) -> None:
    with pytest.raises(InputError) as caught:
        read_trace(table(HEAD + "0,x,1,1,1\n" * 25))
    assert caught.value.why == "run_s: 'x' is not a number"
    assert in_order(caught.value.findings) == caught.value.findings


def test_a_long_cell_is_not_quoted_whole(table: Callable[[str], Path]) -> None:
    ((_, _, _, message),) = refused(table(HEAD + f"0,{'x' * 50_000},1,1,1\n"))
    assert message == f"run_s: '{'x' * 56}... is not a number"


def test_a_suffix_counts_in_any_case(tmp_path: Path) -> None:
    plain, packed = tmp_path / "T.CSV", tmp_path / "T.CSV.GZ"
    plain.write_text(HEAD + "0,1,1,1,1\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert load_workload(str(plain)).trace == load_workload(str(packed)).trace != ()


def test_submit_times_of_two_clocks_are_refused_at_the_later_row(
    table: Callable[[str], Path],
) -> None:
    text = HEAD + "1700000000,1,1,1,1\n0,1,1,1,1\n1700000001,1,1,1,1\n"
    message = (
        "submit_s: this is 19,676 days after the job on line 3; a trace spans at most 366 days"
    )
    assert refused(table(text)) == [("bad-value", 4, 1, message)]


def test_a_trace_may_span_a_leap_year_and_no_more(table: Callable[[str], Path]) -> None:
    year_s = 366 * 24 * 3600
    assert len(read_trace(table(HEAD + f"0,1,1,1,1\n{year_s},1,1,1,1\n"))) == 2
    assert refused(table(HEAD + f"0,1,1,1,1\n{year_s + 1},1,1,1,1\n"))[0][1] == 3


def test_philly_stamps_of_distant_years_are_refused(table: Callable[[str], Path]) -> None:
    text = PHILLY + "0001-01-01 00:00:00,1,1,1,a\n9999-01-01 00:00:00,1,1,1,a\n"
    ((_, line, _, message),) = refused(table(text), read_philly)
    assert (line, message.partition(":")[0]) == (3, "timestamp")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (HEAD + "0,1e9,1,1,1\n", read_trace),
        (PHILLY + "2017-10-09 07:01:55,1e9,1,1,a\n", read_philly),
        (OPENB + "a,1,1,1,1,,,,0,1e12,0\n", read_openb),
    ],
)
def test_a_run_of_more_than_a_year_is_refused_at_its_row(
    text: str, read: Reader, table: Callable[[str], Path]
) -> None:
    ((name, line, _, message),) = refused(table(text), read)
    assert (name, line) == ("bad-value", 2)
    assert "more than 366 days" in message


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (HEAD.strip() + ",gang\n0,1,1,1,1,10001\n", read_trace),
        (PHILLY + "2017-10-09 07:01:55,1,10001,1,a\n", read_philly),
    ],
)
def test_a_job_of_more_pieces_than_any_cluster_has_is_refused(
    text: str, read: Reader, table: Callable[[str], Path]
) -> None:
    ((_, line, _, message),) = refused(table(text), read)
    assert line == 2
    assert message.endswith("'10001' is above 10000")
