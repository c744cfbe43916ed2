"""What a real server with its processes shows at /metrics while it labels."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.acceptance.conftest import Running, Start

pytestmark = pytest.mark.timeout(300)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(server: Running) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=30) as reply:
        families = text_string_to_metric_families(reply.read().decode())
        return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"labelwright_{name}", frozenset(labels.items())), 0.0)


def once(server: Running, true: Callable[[Samples], bool]) -> Samples:
    """The first scrape of which this is true: figures of other processes come within a second or so."""
    until = time.monotonic() + 60
    while not true(samples := scrape(server)):
        assert time.monotonic() < until, sorted((n, dict(ls), v) for (n, ls), v in samples.items() if "bucket" not in n)
        time.sleep(0.1)
    return samples


def labels(samples: Samples, name: str, label: str, **others: str) -> set[str]:
    found: list[dict[str, Any]] = [dict(ls) for n, ls in samples if n == f"labelwright_{name}"]
    return {ls[label] for ls in found if others.items() <= ls.items()}


def test_a_server_that_labels(running: Start) -> None:
    server = running(env={"LABELWRIGHT_WORKERS": "1"}).start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    session.add_texts([f"text {i}" for i in range(200)] + ["broken"])
    session.settle()

    def labelled(samples: Samples, process: str = "annotator") -> float:
        return value(samples, "inputs_total", process=process, outcome="labelled")

    # Exactly: what came too much would stay too much.
    samples = once(server, lambda s: labelled(s) == 200 and value(s, "batch_inputs_sum", process="annotator") == 201)
    assert value(samples, "inputs_total", process="annotator", outcome="failed") == 1
    assert value(samples, "annotations_total", process="annotator") == len(session.annotations())
    # Less where a minute has passed since the first of them.
    assert 0 < value(samples, "inputs_per_second", process="annotator") <= 201 / 60 + 1e-9
    assert labels(samples, "stage_seconds_count", "stage", process="annotator") == {
        *("claim", "plan", "fetch", "keep", "decode", "workflow", "prepare", "commit")
    }
    kinds = {"odd-classifier", "concept-threshold", "annotation-writer"}
    assert labels(samples, "node_seconds_count", "model_type", process="annotator") == kinds
    batches = value(samples, "batch_inputs_count", process="annotator")
    assert value(samples, "stage_seconds_count", process="annotator", stage="commit") == batches > 0
    assert value(samples, "queue_inputs", state="waiting") == 0
    assert value(samples, "connections") >= 2, "this test's own, and that of the scrape"
    assert {k: value(samples, "processes", process=k) for k in ("annotator", "jobs", "predictor")} == dict.fromkeys(
        ("annotator", "jobs", "predictor"), 1
    )

    # 201 inputs went in two calls, and everything else that was called is there too.
    assert value(samples, "calls_total", rpc="PostInputs", code="10000") == 2
    assert value(samples, "call_seconds_count", rpc="PostInputs") == 2
    assert value(samples, "calls_total", rpc="PostModels", code="10000") == 5

    # Another process, the jobs' lane: a re-run.
    patch = resources_pb2.App(id=session.app, default_workflow_id="odd")
    session.odd_workflow(threshold=0.6, suffix="-2")
    session.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[patch], reindex=True))
    samples = once(server, lambda s: labelled(s, "jobs") == 200)
    assert value(samples, "annotations_total", process="jobs") == 200
    assert labelled(samples) == 200, "the annotator's figure is not moved by the jobs'"
    assert "workflow" in labels(samples, "stage_seconds_count", "stage", process="jobs")
    # And the predictor.
    text = resources_pb2.Input(data=resources_pb2.Data(text=resources_pb2.Text(raw="a text")))
    session.call("PostWorkflowResults", service_pb2.PostWorkflowResultsRequest(workflow_id="odd", inputs=[text]))
    once(server, lambda s: value(s, "node_seconds_count", process="predictor", model_type="odd-classifier") == 1)
    assert value(scrape(server), "predictions_in_flight") == 0


def test_counters_outlive_who_they_count_for(running: Start) -> None:
    server = running(env={"LABELWRIGHT_WORKERS": "1"}).start()
    session = server.client()
    session.make_app()
    session.odd_workflow()

    def labelled(samples: Samples) -> float:
        return value(samples, "inputs_total", process="annotator", outcome="labelled")

    session.add_texts([f"text {i}" for i in range(30)])
    once(server, lambda s: labelled(s) == 30)
    for child in server.children():
        psutil.Process(child.pid).kill()
    # Back to three, each started once more.
    once(
        server,
        lambda s: all(
            value(s, "process_restarts_total", process=k) == 1 and value(s, "processes", process=k) == 1
            for k in ("annotator", "jobs", "predictor")
        ),
    )
    assert labelled(scrape(server)) == 30
    session.add_texts([f"text {i}" for i in range(5)])
    once(server, lambda s: labelled(s) == 35)
    assert server.terminate() == 0
