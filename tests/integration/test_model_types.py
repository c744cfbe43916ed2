"""Model types, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import ModelType, ModelTypeField
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.struct_pb2 import Value

from labelwright.operators import registry


def get(client: Any, type_id: str, expect: int = 10000) -> Any:
    request = service_pb2.GetModelTypeRequest(model_type_id=type_id)
    return client.call("GetModelType", request, expect=expect)


def fields(model_type: ModelType) -> dict[str, ModelTypeField]:
    return {f.path: f for f in model_type.model_type_fields}


def test_the_list_has_every_registered_type(client: Any) -> None:
    reply = client.call("ListModelTypes", service_pb2.ListModelTypesRequest())
    assert [t.id for t in reply.model_types] == [t.id for t in registry.all_types()]
    for model_type in reply.model_types:
        assert model_type == get(client, model_type.id).model_type
        assert model_type.title
        assert model_type.description
        assert model_type.input_fields
        assert model_type.output_fields


def test_the_list_has_pages(client: Any) -> None:
    first = client.call("ListModelTypes", service_pb2.ListModelTypesRequest(page=1, per_page=2))
    second = client.call("ListModelTypes", service_pb2.ListModelTypesRequest(page=2, per_page=2))
    assert [t.id for t in (*first.model_types, *second.model_types)] == [t.id for t in registry.all_types()[:4]]


def test_a_thresholder_tells_how_it_is_set(client: Any) -> None:
    model_type = get(client, "concept-threshold").model_type
    assert model_type.creatable
    assert not model_type.trainable
    assert "concepts" in model_type.input_fields
    found = fields(model_type)
    assert found["output_info.data.concepts"].field_type == ModelTypeField.ARRAY_OF_CONCEPTS_WITH_THRESHOLD
    kind = found["output_info.params.concept_threshold_type"]
    assert kind.field_type == ModelTypeField.ENUM
    assert kind.required
    assert not kind.HasField("default_value")
    aliases = {
        o.id: ([a.id_int for a in o.aliases if a.id_int], [a.wildcard_string for a in o.aliases if a.wildcard_string])
        for o in kind.model_type_enum_options
    }
    assert aliases["GREATER_THAN"] == ([1], ["GREATER_THAN"])
    assert aliases["LESS_THAN"] == ([3], ["LESS_THAN"])
    others = found["output_info.params.filter_other_concepts"]
    assert (others.field_type, others.required) == (ModelTypeField.BOOLEAN, False)
    assert others.default_value == Value(bool_value=True)


def test_a_writer_and_a_mapper_tell_how_they_are_set(client: Any) -> None:
    writer = fields(get(client, "annotation-writer").model_type)
    assert writer["output_info.params.annotation_status"].field_type == ModelTypeField.ENUM
    assert writer["output_info.params.annotation_user_id"].field_type == ModelTypeField.COLLABORATORS
    assert writer["output_info.params.annotation_info"].field_type == ModelTypeField.JSON
    mapper = fields(get(client, "concept-synonym-mapper").model_type)
    graph = mapper["output_info.params.knowledge_graph_id"]
    assert graph.field_type == ModelTypeField.STRING
    assert graph.default_value == Value(string_value="")


def test_types_that_need_weights_are_not_creatable(client: Any) -> None:
    assert not get(client, "visual-detector").model_type.creatable


@pytest.mark.parametrize("type_id", ["", "concept-thresholder-9"])
def test_an_unknown_type_does_not_exist(client: Any, type_id: str) -> None:
    reply = get(client, type_id, expect=status_code_pb2.CONN_DOES_NOT_EXIST)
    assert "concept-threshold" in reply.status.details
