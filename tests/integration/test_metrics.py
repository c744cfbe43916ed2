"""GET /metrics over HTTP, read by Prometheus' own parsers, on both kinds of store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

import labelwright
from labelwright.protocol import metrics_page
from labelwright.protocol.dispatch import Server
from labelwright.protocol.http import build_app
from labelwright.protocol.loop import EdgeLoop
from labelwright.store import queue
from labelwright.store.engine import Store
from tests.conftest import Client

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass
class Page:
    """A server's page of metrics."""

    url: str

    def get(self, accept: str = "") -> httpx.Response:
        # trust_env: a proxy of whoever runs the tests is none of ours.
        return httpx.get(self.url, headers={"accept": accept} if accept else {}, timeout=30, trust_env=False)

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        reply = self.get()
        assert reply.status_code == 200
        return {(s.name, frozenset(s.labels.items())): s.value for f in parse_text(reply.text) for s in f.samples}

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, frozenset(labels.items())))


@contextmanager
def opened(server: Server) -> Iterator[Page]:
    edge = EdgeLoop(build_app(lambda: True, metrics_page.routes(server)))
    edge.start(None, ("127.0.0.1", 0), None)
    yield Page(f"http://127.0.0.1:{edge.http_port}/metrics")
    assert edge.stop()


@pytest.fixture
def page(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page that asks the store each time."""
    monkeypatch.setattr(metrics_page, "FRESH", 0.0)
    monkeypatch.setattr(metrics_page, "SHARE", 0)
    with opened(server) as page:
        yield page


def test_calls_are_counted_exactly(client: Client, page: Page) -> None:
    def seen() -> dict[tuple[str, str], float]:
        return {
            (dict(labels)["rpc"], dict(labels)["code"]): value
            for (name, labels), value in page.samples().items()
            if name == "labelwright_calls_total"
        }

    def timed(rpc: str) -> float:
        return page.value("labelwright_call_seconds_count", rpc=rpc) or 0.0

    # As a series begins, the first call of an RPC in this process may be this test's own.
    before, concepts_before = seen(), timed("ListConcepts")
    for _ in range(3):
        client.call("ListConcepts", service_pb2.ListConceptsRequest())
    client.call("GetConcept", service_pb2.GetConceptRequest(concept_id="none"), expect=11101)
    request = service_pb2.ListConceptsRequest(user_app_id=client.user_app_id)
    refused = client.stub.ListConcepts(request, metadata=(("authorization", "Key nonsense"),), timeout=30)
    assert refused.status.code == 11008
    risen = {key: value - before.get(key, 0) for key, value in seen().items() if value != before.get(key, 0)}
    assert risen == {("ListConcepts", "10000"): 3, ("GetConcept", "11101"): 1, ("ListConcepts", "11008"): 1}
    assert timed("ListConcepts") - concepts_before == 4


def test_the_format_is_what_was_asked_for(page: Page) -> None:
    plain, modern = page.get(), page.get(OPENMETRICS)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.text.endswith("# EOF\n")
    families = {f.name: f for f in parse_openmetrics(modern.text)}  # type: ignore[no-untyped-call]
    assert {f.name for f in parse_text(plain.text)} >= {"labelwright_calls", "labelwright_store_up", "python_info"}
    assert families["labelwright_calls"].type == "counter"
    assert families["labelwright_call_seconds"].type == "histogram"
    (build,) = families["labelwright_build"].samples
    assert build.labels == {"version": labelwright.__version__}
    # A browser's header, and Prometheus' own with several choices.
    assert page.get("text/html,*/*;q=0.8").headers["content-type"].startswith("text/plain")
    several = f"{OPENMETRICS};q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    assert page.get(several).headers["content-type"].startswith("application/openmetrics-text")


def test_the_process_shows_what_it_uses(page: Page) -> None:
    samples = {name: value for (name, _), value in page.samples().items()}
    assert samples["process_resident_memory_bytes"] > 0
    assert samples["process_open_fds"] > 0
    assert not [name for name in samples if name.endswith("_created")]


def test_the_depth_of_the_queues(client: Client, page: Page) -> None:
    texts = [resources_pb2.Input(data=resources_pb2.Data(text=resources_pb2.Text(raw=t))) for t in "abcde"]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=texts))
    store = client.server.store
    assert page.value("labelwright_queue_inputs", state="waiting") == 5
    assert page.value("labelwright_queue_inputs", state="in_progress") == 0
    with store.read() as conn:
        app = queue.waiting_app(conn, 0)
    assert app is not None
    with store.write() as conn:
        claim = queue.claim(conn, queue.this_process(), app, limit=2, seconds=30)
    assert claim is not None
    patch = resources_pb2.App(id="app", default_workflow_id="Universal")
    client.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[patch], reindex=True))
    samples = page.samples()
    found = {(name, dict(labels)["state"]): v for (name, labels), v in samples.items() if "_queue_" in name}
    assert found == {
        ("labelwright_queue_inputs", "waiting"): 3,
        ("labelwright_queue_inputs", "in_progress"): 2,
        ("labelwright_queue_jobs", "queued"): 1,
        ("labelwright_queue_jobs", "running"): 0,
    }
    assert samples["labelwright_store_up", frozenset()] == 1


def test_the_depth_is_read_from_indexes_alone(store: Store) -> None:
    sent: list[tuple[str, Any]] = []

    def note_sql(_conn: Any, _cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
        sent.append((sql, parameters))

    event.listen(store.engine, "before_cursor_execute", note_sql)
    with store.read() as conn:
        assert queue.depth(conn) == queue.Depth(0, 0, 0, 0)
    ((sql, parameters),) = [s for s in sent if "waiting" in s[0]]
    with store.engine.connect() as conn:
        if store.engine.dialect.name == "sqlite":
            steps = [row[-1] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
            (waiting,) = [s for s in steps if "ix_inputs_app_status_pk" in s]
            assert "(app=? AND status_code=?)" in waiting
            assert all("COVERING INDEX" in s for s in steps if "inputs" in s or "jobs" in s)
        else:
            # An empty table is read as a whole, whatever indexes it has.
            conn.execute(text("SET enable_seqscan = off"))
            conn.execute(text("SET enable_bitmapscan = off"))
            steps = [row[0] for row in conn.exec_driver_sql(f"EXPLAIN {sql}", parameters)]
            (waiting,) = [s for s in steps if "Index Only Scan using ix_inputs_queue" in s]
            assert not [
                s for s in steps if "Seq Scan on inputs" in s or ("Index Scan using" in s and " on inputs" in s)
            ]


def test_the_store_is_asked_once_a_second(server: Server) -> None:
    asked: list[str] = []
    event.listen(server.store.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    with opened(server) as page:
        for _ in range(3):
            assert page.value("labelwright_store_up") == 1
    assert len([sql for sql in asked if "waiting" in sql]) <= 2


def test_a_store_that_fails_leaves_the_other_figures(
    server: Server, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise OperationalError("SELECT", {}, ConnectionRefusedError("nobody there"))

    assert page.value("labelwright_store_up") == 1
    with monkeypatch.context() as patched:
        patched.setattr(server.store, "read", away)
        samples = page.samples()
        assert samples["labelwright_store_up", frozenset()] == 0
        assert not [name for name, _ in samples if "_queue_" in name]
        assert samples["labelwright_build_info", frozenset({("version", labelwright.__version__)})] == 1
    assert page.value("labelwright_store_up") == 1


def test_a_store_that_hangs_is_asked_no_second_time_and_blocks_nobody(
    server: Server, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Semaphore(0), threading.Event()
    depth = queue.depth

    def hangs(conn: Any) -> queue.Depth:
        asked.release()
        go_on.wait(60)
        return depth(conn)

    monkeypatch.setattr(queue, "depth", hangs)
    monkeypatch.setattr(metrics_page, "PATIENCE", 0.05)
    for _ in range(3):
        assert page.value("labelwright_store_up") == 0
    assert asked.acquire(timeout=30)
    assert not asked.acquire(blocking=False)
    monkeypatch.setattr(metrics_page, "PATIENCE", 30.0)
    # The loop is free while a scrape waits.
    waiting = threading.Thread(target=page.samples)
    waiting.start()
    health = httpx.get(page.url.replace("/metrics", "/healthz"), timeout=30, trust_env=False)
    assert health.status_code == 200
    assert waiting.is_alive()
    go_on.set()
    waiting.join(30)
    assert page.value("labelwright_store_up") == 1


def test_it_is_only_read(page: Page) -> None:
    assert httpx.post(page.url, timeout=30, trust_env=False).status_code == 404
    assert httpx.head(page.url, timeout=30, trust_env=False).status_code == 200
