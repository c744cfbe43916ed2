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
from labelwright.operators import registry
from labelwright.operators.registry import ModelType
from labelwright.operators.values import Output
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


# --- what a client gets to see ----------------------------------------------------------------------


def everything(client: Any, id: str = "all", **config: Any) -> None:
    """A model that hands on all concepts, and says itself what a reply shows of them."""
    model = resources_pb2.Model(id=id, model_type_id="concept-threshold")
    model.output_info.params.update({"concept_threshold_type": "GREATER_THAN", "filter_other_concepts": False})
    model.output_info.output_config.CopyFrom(resources_pb2.OutputConfig(**config))
    client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))


def shown(client: Any, *inputs: resources_pb2.Input, model: str = "all", expect: int = SUCCESS, **config: Any) -> Any:
    asked = resources_pb2.Model()
    asked.model_version.output_info.output_config.CopyFrom(resources_pb2.OutputConfig(**config))
    request = service_pb2.PostModelOutputsRequest(model_id=model, inputs=inputs, model=asked)
    return client.call("PostModelOutputs", request, expect=expect)


def ids(data: resources_pb2.Data) -> list[str]:
    return [c.id for c in data.concepts]


ANIMALS = says(("cat", 0.75), ("dog", 0.5), ("bird", 0.25))


ZOO = ModelType(
    id="zoo",
    title="",
    description="Sees three animals in any text.",
    inputs=("text",),
    outputs=("concepts",),
    make=lambda _params, _data, _snapshot: lambda batch: Output([ANIMALS.data for _ in batch.rows]),
)


def test_the_versions_own_limits_count_until_the_request_sets_others(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(client, max_concepts=2)
    assert ids(shown(client, ANIMALS).outputs[0].data) == ["cat", "dog"]
    assert ids(shown(client, ANIMALS, max_concepts=1).outputs[0].data) == ["cat"]
    assert ids(shown(client, ANIMALS, max_concepts=3, min_value=0.5).outputs[0].data) == ["cat", "dog"]
    monkeypatch.setitem(registry._types, ZOO.id, ZOO)
    zoo = resources_pb2.Model(id="zoo", model_type_id=ZOO.id)
    client.call("PostModels", service_pb2.PostModelsRequest(models=[zoo]))
    first = resources_pb2.WorkflowNode(id="first", model=zoo, suppress_output=True)
    node = resources_pb2.WorkflowNode(
        id="n", model=resources_pb2.Model(id="all"), node_inputs=[resources_pb2.NodeInput(node_id="first")]
    )
    behind = resources_pb2.WorkflowNode(
        id="m", model=resources_pb2.Model(id="more"), node_inputs=[resources_pb2.NodeInput(node_id="n")]
    )
    everything(client, "more")
    workflow = resources_pb2.Workflow(id="w", nodes=[first, node, behind])
    client.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))

    text = resources_pb2.Input(data=resources_pb2.Data(text=resources_pb2.Text(raw="anything")))

    def of_nodes(**config: Any) -> list[list[str]]:
        request = service_pb2.PostWorkflowResultsRequest(
            workflow_id="w", inputs=[text], output_config=resources_pb2.OutputConfig(**config)
        )
        (result,) = client.call("PostWorkflowResults", request).results
        return [ids(output.data) for output in result.outputs]

    assert of_nodes() == [["cat", "dog"], ["cat", "dog", "bird"]], "a reply is cut down, not what flows"
    assert of_nodes(max_concepts=1) == [["cat"], ["cat"]]
    assert of_nodes(min_value=0.75) == [["cat"], ["cat"]]
    assert of_nodes(select_concepts=[resources_pb2.Concept(id="bird")]) == [["bird"], ["bird"]]


def test_regions_and_frames_are_cut_down_too(client: Any) -> None:
    everything(client)
    regions = [resources_pb2.Region(data=ANIMALS.data), resources_pb2.Region(data=says(("fly", 0.25)).data)]
    frames = [resources_pb2.Frame(data=says(("cat", 0.25), ("ant", 0.75)).data)]
    given = resources_pb2.Input(data=resources_pb2.Data(regions=regions, frames=frames))
    (output,) = shown(client, given, min_value=0.5, max_concepts=1).outputs
    assert [ids(r.data) for r in output.data.regions] == [["cat"]]
    assert [ids(f.data) for f in output.data.frames] == [["ant"]]


def test_selected_concepts_that_a_model_does_not_know(client: Any) -> None:
    people, unheard = resources_pb2.Concept(name="people"), resources_pb2.Concept(id="unheard-of")
    shown(client, picture(1), model=catalogue.RECOGNITION.id, select_concepts=[people])
    mixed = shown(client, picture(1), model=catalogue.RECOGNITION.id, select_concepts=[people, unheard], expect=MIXED)
    assert "'unheard-of'" in mixed.status.details
    assert mixed.outputs[0].status.code == SUCCESS
    refused = shown(client, picture(1), model=catalogue.RECOGNITION.id, select_concepts=[unheard], expect=21202)
    assert "ListModelConcepts" in refused.status.details
    everything(client)
    assert not shown(client, ANIMALS, select_concepts=[unheard]).outputs[0].data.concepts, "it can't tell what comes"


def test_names_in_the_language_that_is_asked_for(client: Any) -> None:
    everything(client)
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[resources_pb2.Concept(id="cat")]))
    name = resources_pb2.ConceptLanguage(id="de", name="Katze")
    request = service_pb2.PostConceptLanguagesRequest(concept_id="cat", concept_languages=[name])
    client.call("PostConceptLanguages", request)
    concepts = shown(client, ANIMALS, language="de").outputs[0].data.concepts
    assert [(c.id, c.name, c.language) for c in concepts][:2] == [("cat", "Katze", "de"), ("dog", "", "")]
    assert shown(client, ANIMALS, language="xx").outputs[0].data.concepts[0].name == ""
    assert shown(client, ANIMALS).outputs[0].data.concepts[0].name == ""


@pytest.mark.parametrize("bad", [{"max_concepts": 201}, {"min_value": 1.5}, {"min_value": -0.5}, {"min_value": np.nan}])
def test_limits_that_mean_nothing_are_refused(client: Any, bad: dict[str, Any]) -> None:
    everything(client)
    shown(client, ANIMALS, expect=11102, **bad)


def test_a_parameter_that_the_model_does_not_have_is_refused(client: Any) -> None:
    model = resources_pb2.Model()
    model.model_version.output_info.params.update({"temperature": 1})
    request = service_pb2.PostModelOutputsRequest(model_id=catalogue.FACES.id, inputs=[picture(1)], model=model)
    assert "'temperature'" in client.call("PostModelOutputs", request, expect=21202).status.details


def test_settings_at_both_places_of_a_request_are_not_added_up(client: Any) -> None:
    post_model(client, "high", "concept-threshold", ("cat", 0.5), concept_threshold_type="GREATER_THAN")
    model = client.call("GetModel", service_pb2.GetModelRequest(model_id="high")).model
    request = service_pb2.PostModelOutputsRequest(model_id="high", inputs=[ANIMALS], model=model)
    assert ids(client.call("PostModelOutputs", request).outputs[0].data) == ["cat"]


def test_a_stream_of_outputs_is_one_reply(client: Any) -> None:
    everything(client)

    def stream(*inputs: resources_pb2.Input, model: str = "all") -> list[Any]:
        request = service_pb2.PostModelOutputsRequest(user_app_id=client.user_app_id, model_id=model, inputs=inputs)
        return list(client.stub.GenerateModelOutputs(request, metadata=client.metadata, timeout=60))

    (reply,) = stream(ANIMALS, says(("ant", 0.5)))
    assert reply.status.code == SUCCESS
    assert [ids(o.data) for o in reply.outputs] == [["cat", "dog", "bird"], ["ant"]]
    (reply,) = stream(ANIMALS, resources_pb2.Input())
    assert [reply.status.code, *(o.status.code for o in reply.outputs)] == [MIXED, SUCCESS, INVALID_ARGUMENT]
    (reply,) = stream(ANIMALS, model="nope")
    assert reply.status.code == 21200


def test_public_workflows_come_first_where_that_is_asked_for(client: Any) -> None:
    post_model(client, "writer", "annotation-writer", annotation_status="ANNOTATION_SUCCESS")
    node = resources_pb2.WorkflowNode(id="mine", model=resources_pb2.Model(id="writer"))
    workflow = resources_pb2.Workflow(id="Empty", nodes=[node])
    client.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
    for public_first, app_id in ((False, "app"), (True, "main")):
        request = service_pb2.PostWorkflowResultsRequest(
            workflow_id="Empty", inputs=[ANIMALS], favor_clarifai_workflows=public_first
        )
        assert client.call("PostWorkflowResults", request).workflow.app_id == app_id
