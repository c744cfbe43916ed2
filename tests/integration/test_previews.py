"""Predictions that a call waits for: what each input and node gets, and that nothing is written."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from PIL import Image

from labelwright.annotator.predict import Forecaster
from labelwright.models import catalogue
from labelwright.models.builtin import descriptor
from labelwright.protocol.dispatch import Server

SUCCESS, MIXED, FAILURE = 10000, 10010, 10020
INVALID_URL, UNSUPPORTED_FORMAT, INVALID_ARGUMENT = 30106, 30101, 30104


@pytest.fixture
def server(server: Server) -> Server:
    """A server that predicts in its own process."""
    return replace(server, predictor=Forecaster(server.settings, server.store, server.blobs))


def picture(seed: int) -> resources_pb2.Input:
    """Noise, in which nobody is."""
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)).save(out, "PNG")
    return resources_pb2.Input(
        id=f"picture-{seed}", data=resources_pb2.Data(image=resources_pb2.Image(base64=out.getvalue()))
    )


def by_url(url: str) -> resources_pb2.Input:
    return resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(url=url)))


def says(*concepts: tuple[str, float]) -> resources_pb2.Input:
    return resources_pb2.Input(
        data=resources_pb2.Data(concepts=[resources_pb2.Concept(id=i, value=v) for i, v in concepts])
    )


def through_general(client: Any, *inputs: resources_pb2.Input, expect: int = SUCCESS) -> Any:
    request = service_pb2.PostWorkflowResultsRequest(workflow_id="General", inputs=inputs)
    return client.call("PostWorkflowResults", request, expect=expect)


def test_a_workflow_shows_what_each_of_its_nodes_made_of_each_input(client: Any) -> None:
    reply = through_general(client, picture(1), picture(2))
    assert reply.workflow.id == "General"
    assert [r.input.id for r in reply.results] == ["picture-1", "picture-2"]
    for result in reply.results:
        assert result.status.code == SUCCESS
        concepts, embedding, cluster = result.outputs
        assert [o.model.id for o in result.outputs] == [
            catalogue.RECOGNITION.id,
            catalogue.EMBEDDING.id,
            catalogue.CLUSTERING.id,
        ]
        assert not concepts.data.concepts
        assert embedding.data.embeddings[0].num_dimensions == descriptor.DIMENSIONS
        assert len(embedding.data.embeddings[0].vector) == descriptor.DIMENSIONS
        assert cluster.data.clusters[0].id
        assert result.input.data.image.base64 == b"", "the client has the bytes"


def test_a_bad_input_costs_its_neighbours_nothing(client: Any) -> None:
    page = resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(base64=b"<html>")))
    reply = through_general(client, resources_pb2.Input(), picture(1), page, expect=MIXED)
    assert [r.status.code for r in reply.results] == [INVALID_ARGUMENT, SUCCESS, UNSUPPORTED_FORMAT]
    assert [len(r.outputs) for r in reply.results] == [0, 3, 0]
    assert "2 of 3 inputs failed" in reply.status.details


def test_one_input_that_fails_gives_the_whole_reply_its_code(client: Any) -> None:
    through_general(client, by_url("http://127.0.0.1:9/a.jpg"), expect=INVALID_URL)
    through_general(client, resources_pb2.Input(), resources_pb2.Input(), expect=FAILURE)


def test_one_model_alone(client: Any) -> None:
    reply = client.call(
        "PostModelOutputs",
        service_pb2.PostModelOutputsRequest(model_id=catalogue.EMBEDDING.id, inputs=[picture(1), picture(1)]),
    )
    first, second = (list(o.data.embeddings[0].vector) for o in reply.outputs)
    assert first == second
    assert [o.model.model_version.id for o in reply.outputs] == [catalogue.EMBEDDING.version_id] * 2


def post_model(client: Any, id: str, type_id: str, *concepts: tuple[str, float], **params: Any) -> None:
    model = resources_pb2.Model(id=id, model_type_id=type_id)
    model.output_info.params.update(params)
    model.output_info.data.concepts.extend(says(*concepts).data.concepts)
    client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))


def test_an_operator_may_be_tried_on_concepts_alone(client: Any) -> None:
    post_model(client, "high", "concept-threshold", ("cat", 0.5), concept_threshold_type="GREATER_THAN")
    request = service_pb2.PostModelOutputsRequest(model_id="high", inputs=[says(("cat", 0.9), ("dog", 0.9))])
    (output,) = client.call("PostModelOutputs", request).outputs
    assert [c.id for c in output.data.concepts] == ["cat"]


def test_a_preview_writes_nothing_even_through_a_writer(client: Any) -> None:
    post_model(client, "writer", "annotation-writer", annotation_status="ANNOTATION_SUCCESS")
    node = resources_pb2.WorkflowNode(id="write", model=resources_pb2.Model(id="writer"))
    node.model.user_id, node.model.app_id = client.user_app_id.user_id, client.user_app_id.app_id
    workflow = resources_pb2.Workflow(id="writes", nodes=[node])
    client.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
    request = service_pb2.PostWorkflowResultsRequest(workflow_id="writes", inputs=[says(("cat", 0.9))])
    (result,) = client.call("PostWorkflowResults", request).results
    assert [c.id for c in result.outputs[0].data.concepts] == ["cat"]
    listed = client.call("ListAnnotations", service_pb2.ListAnnotationsRequest(list_all_annotations=True))
    assert not listed.annotations
    assert not client.call("ListInputs", service_pb2.ListInputsRequest()).inputs
    assert not client.call("ListConcepts", service_pb2.ListConceptsRequest()).concepts
