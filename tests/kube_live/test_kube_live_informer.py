"""The informer: against a real API server, and against a scripted one for what a real one seldom does."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, Unreachable
from lowtide.kube.live.informer import Informer, key_of

if TYPE_CHECKING:
    from lowtide.local.controlplane.planes import Plane

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


def config_map(name: str, version: str = "", **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    if version:
        metadata["resourceVersion"] = version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class Seen:
    """What a listener was told."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str]] = []

    def __call__(self, change: str, obj: dict[str, Any]) -> None:
        self.changes.append((change, obj["metadata"]["name"]))

    def of(self, name: str) -> list[str]:
        return [change for change, told in self.changes if told == name]


def test_changes_are_told_in_their_order_and_the_copy_follows(cluster: Cluster) -> None:
    seen = Seen()
    informer = Informer(cluster, kinds.CONFIG_MAP, seen, namespace="default")
    informer.start()
    assert informer.wait(30)
    cluster.create(config_map("followed", a="1"))
    cluster.patch(kinds.CONFIG_MAP, "followed", {"data": {"a": "2"}}, namespace="default")
    wait_for(lambda: seen.of("followed") == ["ADDED", "MODIFIED"])
    found = informer.get("default/followed")
    assert found is not None
    assert found["data"] == {"a": "2"}
    cluster.delete(kinds.CONFIG_MAP, "followed", namespace="default")
    wait_for(lambda: seen.of("followed") == ["ADDED", "MODIFIED", "DELETED"])
    assert informer.get("default/followed") is None
    informer.stop()


def test_an_informer_of_one_namespace_sees_no_other(cluster: Cluster) -> None:
    informer = Informer(cluster, kinds.CONFIG_MAP, namespace="default")
    informer.start()
    assert informer.wait(30)
    assert {one["metadata"]["namespace"] for one in informer.objects()} == {"default"}
    informer.stop()


def test_a_listener_that_fails_does_not_end_the_copy(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(change: str, obj: dict[str, Any]) -> None:
        raise ValueError(change)

    informer = Informer(cluster, kinds.CONFIG_MAP, fail, namespace="default")
    informer.start()
    assert informer.wait(30)
    cluster.create(config_map("told-to-a-broken-one"))
    wait_for(lambda: informer.get("default/told-to-a-broken-one") is not None)
    informer.stop()
    assert "a listener of configmaps failed" in caplog.text


@contextmanager
def scripted(tmp_path: Path, lists: list[Answer], watches: list[Answer]) -> Iterator[Cluster]:
    """An API server that answers lists and watches with these, in their order; the last is used again."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = watches if "watch=true" in self.path else lists
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            answer(self)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(json.dumps(config), encoding="utf-8")
    try:
        with Cluster.connect(tmp_path / "config") as cluster:
            yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listing(version: str, *items: dict[str, Any]) -> Answer:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMapList",
        "metadata": {"resourceVersion": version},
        "items": list(items),
    }
    return lambda handler: say(handler, 200, json.dumps(body))


def watching(*lines: tuple[str, dict[str, Any]]) -> Answer:
    """A watch that says these lines and ends."""
    text = "".join(json.dumps({"type": kind, "object": obj}) + "\n" for kind, obj in lines)
    return lambda handler: say(handler, 200, text)


def silent(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A watch in which nothing happens for a moment."""
    time.sleep(0.2)
    say(handler, 200, "")


def broken(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A watch whose connection breaks in the middle of a line."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"type": "ADD')
    handler.wfile.flush()
    handler.close_connection = True


def say(handler: http.server.BaseHTTPRequestHandler, status: int, text: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text.encode())


GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "too old resource version: 1 (7)",
    "reason": "Expired",
    "code": 410,
}


@pytest.mark.parametrize(
    "expiry",
    [
        watching(("ERROR", GONE)),
        lambda handler: say(handler, 410, json.dumps(GONE)),
        broken,
        lambda handler: say(handler, 503, "the server is not ready"),
    ],
    ids=["a watch that grew too old", "a version that is too old", "a broken line", "no server"],
)
def test_after_a_lost_watch_it_lists_again_and_tells_what_was_missed(
    tmp_path: Path, expiry: Answer
) -> None:
    first = listing(
        "1", config_map("stays", "1"), config_map("goes", "1"), config_map("moves", "1")
    )
    second = listing(
        "9", config_map("stays", "1"), config_map("moves", "8"), config_map("new", "9")
    )
    seen = Seen()
    with scripted(tmp_path, [first, second], [expiry, silent]) as cluster:
        informer = Informer(cluster, kinds.CONFIG_MAP, seen)
        informer.start()
        wait_for(lambda: "new" in {name for _, name in seen.changes})
        informer.stop()
    assert seen.of("goes") == ["ADDED", "DELETED"]
    assert seen.of("moves") == ["ADDED", "MODIFIED"]
    assert seen.of("stays") == ["ADDED"]
    assert {key_of(one) for one in informer.objects()} == {
        "default/stays",
        "default/moves",
        "default/new",
    }


def test_a_watch_that_ended_goes_on_from_the_last_version_without_a_new_list(
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    def note(handler: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        silent(handler)

    first = watching(("ADDED", config_map("late", "5")))
    seen = Seen()
    with scripted(tmp_path, [listing("1")], [first, note]) as cluster:
        informer = Informer(cluster, kinds.CONFIG_MAP, seen)
        informer.start()
        wait_for(lambda: bool(asked))
        informer.stop()
    assert "resourceVersion=5" in asked[0]
    assert seen.of("late") == ["ADDED"]


def test_bookmarks_are_no_objects(tmp_path: Path) -> None:
    mark = watching(("BOOKMARK", config_map("", "7")), ("ADDED", config_map("after-the-mark", "8")))
    seen = Seen()
    with scripted(tmp_path, [listing("1")], [mark, silent]) as cluster:
        informer = Informer(cluster, kinds.CONFIG_MAP, seen)
        informer.start()
        wait_for(lambda: bool(seen.changes))
        informer.stop()
    assert seen.changes == [("ADDED", "after-the-mark")]


def test_the_thread_of_a_stopped_informer_ends_when_its_cluster_is_closed(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with scripted(tmp_path, [listing("1")], [silent]) as cluster:
        informer = Informer(cluster, kinds.SECRET)
        informer.start()
        assert informer.wait(30)
        (thread,) = (one for one in set(threading.enumerate()) - before if "secrets" in one.name)
        informer.stop()
        cluster.close()
        thread.join(30)
        assert not thread.is_alive()


def test_closing_clusters_under_watches_and_requests_harms_no_other_connection(
    plane: Plane,
) -> None:
    harm: list[str] = []

    def come_and_go() -> None:
        for _ in range(12):
            cluster = Cluster.connect(plane.admin_kubeconfig)
            informers = [Informer(cluster, kind) for kind in (kinds.NODE, kinds.POD)]
            for one in informers:
                one.start()
            asking = threading.Thread(target=ask, args=(cluster,))
            asking.start()
            for one in informers:
                one.wait(30)
                one.stop()
            cluster.close()
            asking.join()

    def ask(cluster: Cluster) -> None:
        for _ in range(10):
            try:
                cluster.get(kinds.NAMESPACE, "default")
            except Unreachable as error:
                if "closed" not in error.why:
                    harm.append(error.why)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert harm == []
