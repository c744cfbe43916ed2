"""Predictions that a call waits for: what comes back, that nothing is written, and what happens when it goes wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Concept,
    Data,
    Image,
    Input,
    Model,
    NodeInput,
    OutputConfig,
    OutputInfo,
    Text,
    WorkflowNode,
)
from google.protobuf.struct_pb2 import Struct

from labelwright.models import catalogue
from tests.acceptance.conftest import Running, Session

pytestmark = pytest.mark.timeout(120)

OK, MIXED, TRY_AGAIN, FAILED, EMPTY = 10000, 10010, 10030, 30002, 30104

PLUGIN = """
import os
import time
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data
from labelwright.operators.registry import ModelType, register
from labelwright.operators.values import Output

def one(text):
    time.sleep(float(text.partition("sleep=")[2] or 0))
    if text == "pid":
        return Data(concepts=[Concept(id=str(os.getpid()), value=1)])
    return Data(concepts=[Concept(id=f"c{i}", name=f"number {i}", value=(i + 1) / 32) for i in range(30)])

def make(params, data, snapshot):
    return lambda batch: Output([one(d.text.raw) for d in batch.data])

register(ModelType(id="many", title="Many", description="Says a lot.", inputs=("text",), outputs=("concepts",),
                   make=make, predicts=True))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("predict")
    (folder / "many.py").write_text(PLUGIN)
    started = Running(
        folder / "home",
        env={
            "PYTHONPATH": str(folder),
            "LABELWRIGHT_PLUGINS": '["many"]',
            "LABELWRIGHT_PREDICT_TIMEOUT": "10",
            "LABELWRIGHT_PREDICT_IN_FLIGHT": "2",
            "LABELWRIGHT_ALLOW_PRIVATE_URLS": "true",
        },
    ).start()
    yield started
    assert started.terminate() == 0
    assert "Traceback" not in started.log.read_text()
    started.close()


@pytest.fixture(scope="module")
def session(server: Running) -> Session:
    """An app with a model that says a lot, a threshold, a mapper, and a workflow of them."""
    made = server.client("predict")
    made.make_app()
    params = Struct()
    params.update({"concept_threshold_type": 2})
    for model in (
        Model(id="many", model_type_id="many"),
        Model(
            id="above",
            model_type_id="concept-threshold",
            output_info=OutputInfo(params=params, data=Data(concepts=[Concept(id="c9", value=0.25)])),
        ),
        Model(id="mapper", model_type_id="concept-synonym-mapper"),
    ):
        made.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
    nodes = [
        WorkflowNode(id="z-first", model=Model(id="many")),
        WorkflowNode(id="hidden", model=Model(id="mapper"), node_inputs=[NodeInput(node_id="z-first")]),
        WorkflowNode(id="a-last", model=Model(id="above"), node_inputs=[NodeInput(node_id="z-first")]),
    ]
    nodes[1].suppress_output = True
    workflow = resources_pb2.Workflow(id="flow", nodes=nodes)
    made.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
    return made


def text(raw: str) -> Input:
    return Input(data=Data(text=Text(raw=raw)))


def outputs(session: Session, model: str, *inputs: Input, expect: int | None = OK, **config: Any) -> Any:
    request = service_pb2.PostModelOutputsRequest(model_id=model, inputs=inputs)
    if config:
        request.model.model_version.output_info.output_config.CopyFrom(OutputConfig(**config))
    return session.call("PostModelOutputs", request, expect=expect)


def ids(data: Data) -> list[str]:
    return [c.id for c in data.concepts]


def rows(server: Running) -> dict[str, int]:
    conn = sqlite3.connect(server.home / "labelwright.db")
    try:
        names = [n for (n,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {n: conn.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names}
    finally:
        conn.close()


def test_a_workflow_gives_an_output_a_node_in_order_and_writes_nothing(server: Running, session: Session) -> None:
    before = rows(server)
    request = service_pb2.PostWorkflowResultsRequest(workflow_id="flow", inputs=[text("a"), text("b")])
    reply = session.call("PostWorkflowResults", request)
    assert (reply.workflow.id, reply.workflow.app_id) == ("flow", "predict")
    assert len(reply.results) == 2
    for result, given in zip(reply.results, request.inputs, strict=True):
        assert result.status.code == OK
        assert result.input.data.text.raw == given.data.text.raw
        assert [o.model.id for o in result.outputs] == ["many", "above"]
        assert [o.model.model_type_id for o in result.outputs] == ["many", "concept-threshold"]
        assert all(o.status.code == OK and o.model.model_version.id for o in result.outputs)
        # 20 of the 30 reach a client that says nothing else; all 30 reached the next node.
        assert ids(result.outputs[0].data) == [f"c{i}" for i in range(29, 9, -1)]
        assert ids(result.outputs[1].data) == ["c9"]
    assert rows(server) == before
    assert before["inputs"] == before["annotations"] == 0


def test_what_a_client_gets_to_see_of_the_concepts(session: Session) -> None:
    def shown(**config: Any) -> list[str]:
        return ids(outputs(session, "many", text("a"), **config).outputs[0].data)

    assert shown(max_concepts=3) == ["c29", "c28", "c27"]
    assert shown(max_concepts=200) == [f"c{i}" for i in range(29, 0, -1)]
    assert shown(min_value=0.875) == ["c29", "c28", "c27"]
    wanted = [Concept(id="c3"), Concept(name="number 5"), Concept(id="none")]
    assert shown(select_concepts=wanted) == ["c5", "c3"]
    assert outputs(session, "many", text("a"), expect=None, max_concepts=201).status.code == 11102


def test_operators_are_tried_on_their_own_with_concepts_alone(session: Session) -> None:
    given = Input(data=Data(concepts=[Concept(id="c9", value=0.5), Concept(id="other", value=0.75)]))
    assert ids(outputs(session, "above", given).outputs[0].data) == ["c9"]
    # No relation leads anywhere: nothing is mapped.
    assert ids(outputs(session, "mapper", given).outputs[0].data) == []


def test_public_models_are_found_by_id_and_by_alias(session: Session) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    given = Input(data=Data(image=Image(base64=cv2.imencode(".png", noise)[1].tobytes())))
    embedding = catalogue.EMBEDDING
    assert embedding.alias is not None
    replies = [outputs(session, name, given).outputs[0] for name in (embedding.id, embedding.alias)]
    assert replies[0].data == replies[1].data
    (vector,) = replies[0].data.embeddings
    assert len(vector.vector) == vector.num_dimensions > 0
    assert replies[0].model.id == embedding.id
    assert (replies[0].model.app_id, replies[0].model.user_id) == ("main", "clarifai")
    assert not replies[0].input.data.image.base64
    assert outputs(session, catalogue.RECOGNITION.id, given).outputs[0].data.concepts == []
    request = service_pb2.PostWorkflowResultsRequest(workflow_id="General", inputs=[given])
    shown = session.call("PostWorkflowResults", request).results[0].outputs
    assert [o.model.model_type_id for o in shown] == ["visual-classifier", "visual-embedder", "clusterer"]
    assert outputs(session, "no-such-model", given, expect=None).status.code == 21200


def test_one_bad_input_does_not_spoil_the_others(session: Session) -> None:
    reply = outputs(session, "many", text("a"), Input(), expect=MIXED)
    assert [o.status.code for o in reply.outputs] == [OK, EMPTY]
    assert ids(reply.outputs[0].data)
    assert not reply.outputs[1].data.ByteSize()
    request = service_pb2.PostWorkflowResultsRequest(workflow_id="flow", inputs=[Input(), text("a")])
    reply = session.call("PostWorkflowResults", request, expect=MIXED)
    assert [r.status.code for r in reply.results] == [EMPTY, OK]
    assert [len(r.outputs) for r in reply.results] == [0, 2]


def test_a_bad_url_is_the_status_of_the_whole_call_when_it_is_alone(session: Session) -> None:
    gone = Input(data=Data(image=Image(url="http://127.0.0.1:1/gone.jpg")))
    for model in (catalogue.RECOGNITION.id, "many"):
        reply = outputs(session, model, gone, expect=FAILED)
        assert reply.outputs[0].status.code == FAILED
        assert reply.outputs[0].input.data.image.url == gone.data.image.url
    assert outputs(session, "many", gone, gone, expect=None).status.code == 10020


def in_threads(session: Session, *raw: str) -> tuple[list[threading.Thread], list[int]]:
    codes: list[int] = []

    def ask(one: str) -> None:
        codes.append(outputs(session, "many", text(one), expect=None).status.code)

    threads = [threading.Thread(target=ask, args=(one,)) for one in raw]
    for thread in threads:
        thread.start()
    return threads, codes


def test_the_predictor_is_killed_at_its_work(session: Session) -> None:
    pid = int(ids(outputs(session, "many", text("pid")).outputs[0].data)[0])
    (thread,), codes = in_threads(session, "sleep=3")
    # So that it is at it.
    thread.join(1)
    os.kill(pid, signal.SIGKILL)
    thread.join()
    assert codes == [TRY_AGAIN]
    assert int(ids(outputs(session, "many", text("pid")).outputs[0].data)[0]) != pid


def test_more_than_may_wait_are_told_to_try_again(session: Session) -> None:
    threads, codes = in_threads(session, "sleep=1", "sleep=1", "sleep=1")
    for thread in threads:
        thread.join()
    assert sorted(codes) == [OK, OK, TRY_AGAIN]


def test_a_prediction_that_does_not_end_is_given_up_and_others_go_on(session: Session) -> None:
    pid = int(ids(outputs(session, "many", text("pid")).outputs[0].data)[0])
    reply = outputs(session, "many", text("sleep=1000"), expect=TRY_AGAIN)
    assert "predict_timeout" in reply.status.details or "started again" in reply.status.details
    assert int(ids(outputs(session, "many", text("pid")).outputs[0].data)[0]) != pid
