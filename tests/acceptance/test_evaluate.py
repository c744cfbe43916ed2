"""`labelwright evaluate`, on a store as servers leave it: a table, JSON, a report."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2

from tests.acceptance.conftest import Running, Session

pytestmark = pytest.mark.timeout(180)

Command = Callable[..., "subprocess.CompletedProcess[str]"]
HOSTILE = "</script><script>document.title='broken'</script><!--"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = Running(tmp_path_factory.mktemp("evaluate") / "home").start()
    yield started
    assert started.terminate() == 0
    assert "Traceback" not in started.log.read_text()
    started.close()


def judged(session: Session, scores_and_labels: list[tuple[float, int]]) -> None:
    """Texts that the odd classifier scores so, and that a person labels so."""
    session.make_app()
    session.call(
        "PostModels",
        service_pb2.PostModelsRequest(models=[resources_pb2.Model(id="odd", model_type_id="odd-classifier")]),
    )
    concept = resources_pb2.Concept(id="thing", name=HOSTILE)
    session.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[concept]))
    ids = session.add_texts([f"no. {i} score={score}" for i, (score, _) in enumerate(scores_and_labels)])
    session.settle()
    given = [
        resources_pb2.Annotation(
            input_id=i,
            data=resources_pb2.Data(concepts=[resources_pb2.Concept(id="thing", value=value)]),
            status=status_pb2.Status(code=24150),
        )
        for i, (_, value) in zip(ids, scores_and_labels, strict=True)
    ]
    session.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=given))


def test_a_classifier_is_measured_and_reported(server: Running, labelwright: Command, tmp_path: Path) -> None:
    session = server.client("judged")
    # Two hits, one miss, one false alarm, two rightly silent.
    judged(session, [(0.9, 1), (0.8, 1), (0.3, 1), (0.95, 0), (0.1, 0), (0.2, 0)])
    report = tmp_path / "report.html"
    done = labelwright("evaluate", "--app", "judged", "--model", "odd", "--html", str(report), home=server.home)
    assert done.returncode == 0, done.stderr
    row = re.search(r"script.*0\.667.*0\.667.*0\.667.*0\.667.*0\.342.*3\s*│\s*3", done.stdout)
    assert row, done.stdout
    assert "6 labelled inputs, run as it is now, on labels by people: 0.667" in done.stdout
    html = report.read_text()
    # The name is data, and none of it is the page's own text.
    assert HOSTILE not in html
    assert html.count("<script") == 2
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html

    asked = labelwright("evaluate", "--app", "judged", "--model", "odd", "--json", home=server.home)
    assert asked.returncode == 0, asked.stderr
    said: dict[str, Any] = json.loads(asked.stdout)
    assert said["summary"]["micro_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert said["concepts"][0]["name"] == HOSTILE
    assert said["mistakes"][0]["score"] == pytest.approx(0.95)
    listed = session.call("ListEvaluations", service_pb2.ListEvaluationsRequest()).eval_metrics
    assert {e.id for e in listed} >= {said["evaluation"]}
    assert len(listed) == 2


def test_a_server_carries_what_calls_ask_for(server: Running) -> None:
    session = server.client("asked")
    judged(session, [(0.9, 1), (0.1, 0)])
    version = session.call("GetModel", service_pb2.GetModelRequest(model_id="odd")).model.model_version.id
    at: Any = {"model_id": "odd", "version_id": version}
    session.call("PostModelVersionMetrics", service_pb2.PostModelVersionMetricsRequest(**at))
    while True:
        reply = session.call("GetModelVersionMetrics", service_pb2.GetModelVersionMetricsRequest(**at))
        code = reply.model_version.metrics.status.code
        if code not in (21301, 21303):
            break
    assert code == 21300
    assert reply.model_version.metrics.summary.macro_avg_f1_score == 1


def test_what_can_not_be_done_is_one_clear_line(server: Running, labelwright: Command, tmp_path: Path) -> None:
    session = server.client("unlabelled")
    session.make_app()
    session.odd_workflow(suffix="-u")
    for args, part in (
        (("--app", "nope", "--model", "odd"), "no app 'nope'"),
        (("--app", "unlabelled", "--model", "nosuch"), "has a model 'nosuch'"),
        (("--app", "unlabelled", "--model", "odd-u", "--version", "x"), "no version 'x'"),
        (("--app", "unlabelled", "--model", "above-u"), "can be evaluated"),
        (("--app", "unlabelled", "--model", "odd-u"), "label some first"),
        (("--app", "unlabelled", "--model", "odd-u", "--html", str(tmp_path / "no" / "x.html")), "no folder"),
    ):
        done = labelwright("evaluate", *args, home=server.home)
        assert done.returncode == 1, (args, done.stdout)
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("labelwright: "), done.stderr
        assert part in last
        assert "Traceback" not in done.stderr
