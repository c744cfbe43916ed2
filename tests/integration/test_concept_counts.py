"""How many inputs are labelled with a concept, and which: through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data, Input, Model, OutputInfo, Text
from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2
from sqlalchemy import update

from labelwright.store import tables as t

SUCCESS, PENDING = status_code_pb2.ANNOTATION_SUCCESS, status_code_pb2.ANNOTATION_PENDING


def add_inputs(client: Any, **concepts: dict[str, float]) -> None:
    """Inputs by their id, each with its concepts' values."""
    given = [
        Input(
            id=input_id,
            data=Data(text=Text(raw=input_id), concepts=[Concept(id=i, value=v) for i, v in values.items()]),
        )
        for input_id, values in concepts.items()
    ]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))


def annotate(client: Any, input_id: str, status: int = SUCCESS, **values: float) -> None:
    data = Data(concepts=[Concept(id=i, value=v) for i, v in values.items()])
    annotation = Annotation(input_id=input_id, data=data, status=status_pb2.Status(code=status))
    client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[annotation]))


def set_status(client: Any, input_id: str, code: int) -> None:
    with client.server.store.write() as conn:
        conn.execute(update(t.inputs).where(t.inputs.c.id == input_id).values(status_code=code))


def counts(client: Any, **asked: Any) -> dict[str, resources_pb2.ConceptCount]:
    reply = client.call("GetConceptCounts", service_pb2.GetConceptCountsRequest(**asked))
    return {c.id: c for c in reply.concept_counts}


def total(count: resources_pb2.ConceptCount) -> tuple[int, int]:
    return count.concept_type_count.positive, count.concept_type_count.negative


def test_inputs_are_counted_once_for_each_sign_and_by_their_status(client: Any) -> None:
    add_inputs(client, a={"cat": 1}, b={"cat": 1, "dog": 0}, c={"cat": 0}, d={"dog": 1})
    annotate(client, "a", cat=1)
    annotate(client, "b", cat=0)
    for input_id, code in {"a": 30000, "b": 30003, "c": 30106}.items():
        set_status(client, input_id, code)
    counted = counts(client)
    assert {i: total(c) for i, c in counted.items()} == {"cat": (2, 2), "dog": (1, 1)}
    detail = counted["cat"].detail_concept_count
    assert (detail.processed.positive, detail.processed.negative) == (1, 0)
    assert (detail.processing.positive, detail.processing.negative) == (1, 1)
    assert (detail.errors.positive, detail.errors.negative) == (0, 1)
    assert counted["dog"].detail_concept_count.to_process.positive == 1
    assert (counted["cat"].name, counted["cat"].id) == ("cat", "cat")


def test_what_waits_for_a_person_is_no_label_yet(client: Any) -> None:
    add_inputs(client, a={})
    annotate(client, "a", status=PENDING, cat=0.5)
    assert total(counts(client)["cat"]) == (0, 0)
    annotate(client, "a", cat=0.5)
    assert total(counts(client)["cat"]) == (1, 0)


def test_every_concept_is_listed_by_pages_with_those_that_nobody_used(client: Any) -> None:
    ids = [f"c{i}" for i in range(5)]
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[Concept(id=i) for i in ids]))
    add_inputs(client, a={"c3": 1})
    assert list(counts(client)) == ids
    assert {i: total(c) for i, c in counts(client, page=2, per_page=2).items()} == {"c2": (0, 0), "c3": (1, 0)}
    assert counts(client, page=9, per_page=2) == {}


def test_the_search_for_labels_goes_by_the_index_of_concepts(client: Any) -> None:
    store = client.server.store
    if store.engine.dialect.name != "sqlite":
        pytest.skip("SQLite's own way to say how it goes about a query")
    from labelwright.store import concept_counts

    statement = str(
        concept_counts._COUNTS.params(concepts=[1]).compile(store.engine, compile_kwargs={"render_postcompile": True})
    )
    with store.read() as conn:
        plan = [row[3] for row in conn.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, (1, SUCCESS))]
    assert not [step for step in plan if step.startswith("SCAN")], plan
    assert any("ix_annotation_concepts_concept" in step for step in plan), plan


# --- a model's concepts and inputs ----------------------------------------------------------------


def post_thresholds(client: Any, *ids: str, **more: Any) -> None:
    info = OutputInfo(data=Data(concepts=[Concept(id=i, value=0.5) for i in ids]))
    info.params.update({"concept_threshold_type": "GREATER_THAN"})
    model = Model(id="over", model_type_id="concept-threshold", output_info=info)
    client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))


def model_concepts(client: Any, model_id: str = "over", expect: int = 10000, **asked: Any) -> list[Concept]:
    request = service_pb2.ListModelConceptsRequest(model_id=model_id, **asked)
    return list(client.call("ListModelConcepts", request, expect=expect).concepts)


def test_a_models_concepts_as_the_app_knows_them(client: Any) -> None:
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[Concept(id="cat", name="Clarified cat")]))
    post_thresholds(client, "cat", "dog", "bird")
    cat, dog, _ = model_concepts(client)
    assert (cat.id, cat.name, cat.value, cat.app_id, cat.user_id) == (
        "cat",
        "Clarified cat",
        0.5,
        "app",
        client.user_id,
    )
    assert (dog.name, dog.app_id, dog.language) == ("dog", "app", "en")
    assert [c.id for c in model_concepts(client, page=2, per_page=2)] == ["bird"]
    assert [c.id for c in model_concepts(client, search="LARIF")] == ["cat"]
    assert [c.id for c in model_concepts(client, search="b d")] == ["bird"]
    assert model_concepts(client, search="nothing") == []


def test_a_public_models_concepts_and_versions_that_are_not_there(client: Any) -> None:
    (people,) = model_concepts(client, "general-image-recognition")
    assert (people.id, people.name, people.app_id) == ("ai_l8TKp2h5", "people", "main")
    absent = status_code_pb2.MODEL_DOES_NOT_EXIST
    model_concepts(client, "nope", expect=absent)
    model_concepts(client, "general-image-recognition", version_id="nope", expect=absent)


def test_a_model_without_a_version_has_no_concepts(client: Any) -> None:
    model = Model(id="bare", model_type_id="concept-threshold")
    client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
    assert model_concepts(client, "bare") == []
    assert model_inputs(client, "bare") == []


def model_inputs(client: Any, model_id: str = "over", expect: int = 10000, **asked: Any) -> list[str]:
    request = service_pb2.ListModelInputsRequest(model_id=model_id, **asked)
    return [i.id for i in client.call("ListModelInputs", request, expect=expect).inputs]


def test_the_inputs_that_are_labelled_with_a_models_concepts(client: Any) -> None:
    post_thresholds(client, "cat", "dog")
    assert model_inputs(client) == []
    add_inputs(client, a={"cat": 1}, b={"bird": 1}, c={"dog": 0, "cat": 1}, d={})
    annotate(client, "d", status=PENDING, cat=1)
    assert model_inputs(client) == ["c", "a"]
    assert model_inputs(client, page=2, per_page=1) == ["a"]
    assert model_inputs(client, page=3, per_page=1) == []
    assert model_inputs(client, "general-image-recognition") == []
    model_inputs(client, "nope", expect=status_code_pb2.MODEL_DOES_NOT_EXIST)
