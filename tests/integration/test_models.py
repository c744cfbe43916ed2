"""Models and their versions, through the official client."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Model, ModelVersion, OutputConfig, OutputInfo
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.struct_pb2 import Struct

from labelwright.ids import new_id
from labelwright.protocol import text_filters
from labelwright.store import users

ABSENT = status_code_pb2.MODEL_DOES_NOT_EXIST
ARGUMENT = status_code_pb2.MODEL_INVALID_ARGUMENT
REQUEST = status_code_pb2.MODEL_INVALID_REQUEST
APP_ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONN_INVALID_REQUEST
TRAINED = status_code_pb2.MODEL_TRAINED

PUBLIC = resources_pb2.UserAppIDSet(user_id="clarifai", app_id="main")
RECOGNITION = "aaa03c23b3724a16a56b629203edc62c"
RECOGNITION_VERSION = "aa7f35c01e0642fda5cf400f543e7c40"
MAPPER = "concept-synonym-mapper"
THRESHOLD = "concept-threshold"
WRITER = "annotation-writer"


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def info(*thresholds: tuple[str, float], **params: Any) -> OutputInfo:
    made = OutputInfo(data=Data(concepts=[Concept(id=i, value=v) for i, v in thresholds]))
    made.params.CopyFrom(struct(**params))
    return made


def post(client: Any, *given: Model, expect: int = 10000) -> Any:
    return client.call("PostModels", service_pb2.PostModelsRequest(models=given), expect=expect)


def threshold(model_id: str = "over", *values: tuple[str, float], kind: Any = 1.0, **fields: Any) -> Model:
    given = values or (("cat", 0.5),)
    return Model(id=model_id, model_type_id=THRESHOLD, output_info=info(*given, concept_threshold_type=kind), **fields)


def get(client: Any, model_id: str, expect: int = 10000, **asked: Any) -> Any:
    return client.call("GetModel", service_pb2.GetModelRequest(model_id=model_id, **asked), expect=expect)


def listed(client: Any, expect: int = 10000, **asked: Any) -> list[str]:
    reply = client.call("ListModels", service_pb2.ListModelsRequest(**asked), expect=expect)
    return [m.id for m in reply.models]


def patch(client: Any, *given: Model, action: str = "merge", expect: int = 10000) -> Any:
    request = service_pb2.PatchModelsRequest(models=given, action=action)
    return client.call("PatchModels", request, expect=expect)


def versions(client: Any, model_id: str, **asked: Any) -> list[ModelVersion]:
    request = service_pb2.ListModelVersionsRequest(model_id=model_id, **asked)
    return list(client.call("ListModelVersions", request).model_versions)


def scores(model: Model) -> dict[str, float]:
    return {c.id: round(c.value, 4) for c in model.model_version.output_info.data.concepts}


def stranger(client: Any) -> Any:
    """Another user's client, on the same server."""
    user_id, token = f"user-{new_id()[-8:]}", new_id()
    with client.server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    named = resources_pb2.UserAppIDSet(user_id=user_id, app_id="app")
    made = dataclasses.replace(client, user_id=user_id, token=token, user_app_id=named)
    made.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="app")]))
    return made


# --- adding ---------------------------------------------------------------------------------------


def test_the_tutorials_models(client: Any) -> None:
    concepts = [Concept(id="peopleID", value=0.5), Concept(id="manID", value=0.5), Concept(id="adultID", value=0.95)]
    given = [
        Model(
            id="synonym-model-id",
            model_type_id=MAPPER,
            output_info=OutputInfo(params=struct(knowledge_graph_id="")),
        ),
        Model(
            id="greater-than-model-id",
            model_type_id=THRESHOLD,
            output_info=OutputInfo(
                data=Data(concepts=concepts), params=struct(concept_threshold_type=resources_pb2.GREATER_THAN)
            ),
        ),
        Model(
            id="less-than-model-id",
            model_type_id=THRESHOLD,
            output_info=OutputInfo(
                data=Data(concepts=concepts), params=struct(concept_threshold_type=resources_pb2.LESS_THAN)
            ),
        ),
        Model(
            id="write-success-model-id",
            model_type_id=WRITER,
            output_info=OutputInfo(
                params=struct(annotation_status=status_code_pb2.ANNOTATION_SUCCESS, annotation_user_id=client.user_id)
            ),
        ),
        Model(
            id="write-pending-model-id",
            model_type_id=WRITER,
            output_info=OutputInfo(
                params=struct(annotation_status=status_code_pb2.ANNOTATION_PENDING, annotation_user_id=client.user_id)
            ),
        ),
    ]
    for model in given:
        made = post(client, model).model
        assert (made.id, made.name) == (model.id, model.id)
        assert (made.app_id, made.user_id) == ("app", client.user_id)
        assert made.model_type_id == model.model_type_id
        version = made.model_version
        assert len(version.id) == 32
        assert version.status.code == TRAINED
        assert version.status.description == "Model is trained and ready"
        assert version.created_at.seconds > 0
        assert version.active_concept_count == len(model.output_info.data.concepts)
        assert made.output_info == version.output_info
        assert list(version.output_info.data.concepts) == list(model.output_info.data.concepts)
        assert made.visibility.gettable == resources_pb2.Visibility.PRIVATE
        assert get(client, model.id).model == made
    greater = get(client, "greater-than-model-id").model.output_info.params
    assert dict(greater) == {"concept_threshold_type": 1.0, "filter_other_concepts": True}


def test_the_deprecated_singular_model_is_read(client: Any) -> None:
    made = client.call("PostModels", service_pb2.PostModelsRequest(model=threshold())).model
    assert get(client, "over").model == made
    both = service_pb2.PostModelsRequest(model=threshold("a"), models=[threshold("b")])
    assert "both" in client.call("PostModels", both, expect=REQUEST).status.details


def test_settings_are_read_from_the_new_place_and_both_are_filled_in(client: Any) -> None:
    new = Model(id="new", model_type_id=THRESHOLD)
    new.model_version.output_info.CopyFrom(info(("cat", 0.5), concept_threshold_type="LESS_THAN"))
    new.model_version.description = "the first"
    made = post(client, new).model
    assert made.model_version.description == "the first"
    assert scores(made) == {"cat": 0.5}
    # A name stays a name: a client that compares what it sent with what is there finds it the same.
    assert made.output_info.params["concept_threshold_type"] == "LESS_THAN"
    split = threshold("split", ("cat", 0.25))
    split.model_version.output_info.output_config.CopyFrom(OutputConfig(min_value=0.5))
    made = post(client, split).model
    assert (scores(made), made.output_info.output_config.min_value) == ({"cat": 0.25}, 0.5)


def test_what_else_is_posted_comes_back(client: Any) -> None:
    given = threshold(
        "kept",
        name="Kept",
        description="keeps things",
        notes="long",
        metadata=struct(a=1),
        toolkits=["t"],
        visibility=resources_pb2.Visibility(gettable=resources_pb2.Visibility.PUBLIC),
    )
    made = post(client, given).model
    assert (made.name, made.description, made.notes, list(made.toolkits)) == ("Kept", "keeps things", "long", ["t"])
    assert made.metadata["a"] == 1
    assert made.visibility.gettable == resources_pb2.Visibility.PUBLIC


def test_an_id_is_made_where_none_is_given(client: Any) -> None:
    made = post(client, threshold("")).model
    assert len(made.id) == 32
    assert get(client, made.id).model.name == made.id


def test_many_models_are_added_together_or_not_at_all(client: Any) -> None:
    assert post(client, threshold("a"), threshold("b")).model.id == "a"
    reply = post(client, threshold("c"), threshold("d", kind=99), expect=ARGUMENT)
    assert "model 'd'" in reply.status.details
    assert "GREATER_THAN (1)" in reply.status.details
    assert sorted(listed(client)) == ["a", "b"]


BAD: dict[str, tuple[Model, int, list[str]]] = {
    "an id that isn't legal": (threshold("a b"), REQUEST, ["'a b'", "letters"]),
    "an id that is too long": (threshold("a" * 65), REQUEST, ["65 characters", "64"]),
    "an unknown type": (Model(id="m", model_type_id="magic"), ARGUMENT, ["'magic'", THRESHOLD]),
    "a type with weights": (
        Model(id="m", model_type_id="visual-classifier"),
        ARGUMENT,
        ["visual-classifier", "weights", WRITER],
    ),
    "an unknown parameter": (
        Model(id="m", model_type_id=MAPPER, output_info=info(graph="x")),
        ARGUMENT,
        ["'graph'", "knowledge_graph_id"],
    ),
    "a parameter that is missing": (
        Model(id="m", model_type_id=WRITER, output_info=info()),
        ARGUMENT,
        ["annotation_status"],
    ),
    "a parameter out of its range": (
        Model(id="m", model_type_id=WRITER, output_info=info(annotation_status=1)),
        ARGUMENT,
        ["annotation_status", "ANNOTATION_SUCCESS (24150)"],
    ),
    "someone who doesn't belong to the app": (
        Model(id="m", model_type_id=WRITER, output_info=info(annotation_status=24150, annotation_user_id="nobody")),
        ARGUMENT,
        ["'nobody'", "legal are"],
    ),
    "two thresholds for a concept": (threshold("m", ("cat", 0.1), ("cat", 0.2)), ARGUMENT, ["'cat'", "two"]),
    "a threshold that isn't a number": (threshold("m", ("cat", float("nan"))), ARGUMENT, ["'cat'", "finite"]),
    "a parameter that isn't a number": (
        threshold("m", kind=float("inf")),
        ARGUMENT,
        ["output_info.params"],
    ),
    "a knowledge graph that isn't there": (
        Model(id="m", model_type_id=MAPPER, output_info=info(knowledge_graph_id="zoo")),
        ARGUMENT,
        ["'zoo'", "none"],
    ),
    "a floor above every score": (
        Model(
            id="m",
            model_type_id=MAPPER,
            output_info=OutputInfo(output_config=OutputConfig(min_value=2)),
        ),
        ARGUMENT,
        ["min_value", "0 to 1"],
    ),
    "a name that can't be shown": (threshold("m", name="a\0b"), REQUEST, ["name", "printed"]),
    "metadata that JSON can't hold": (threshold("m", metadata=struct(a=float("nan"))), INVALID, ["'m'", "JSON"]),
    "notes without end": (threshold("m", notes="n" * 65537), REQUEST, ["65537", "65536"]),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(client: Any, case: str) -> None:
    model, code, says = BAD[case]
    reply = post(client, model, expect=code)
    for part in says:
        assert part in reply.status.details
    assert not reply.HasField("model")
    assert listed(client) == []


def test_no_models_and_too_many_are_refused(client: Any) -> None:
    assert "1 to 128" in post(client, expect=REQUEST).status.details
    assert "129" in post(client, *(threshold(f"m{i}") for i in range(129)), expect=REQUEST).status.details


def test_duplicates_are_refused_against_the_app_and_within_the_call(client: Any) -> None:
    post(client, threshold("a"))
    for given in ((threshold("a"),), (threshold("b"), threshold("b"))):
        reply = post(client, *given, expect=REQUEST)
        assert f"duplicate model id: {given[0].id}" in reply.status.details
    assert listed(client) == ["a"]


def test_a_mapper_may_name_a_graph_of_its_app(client: Any) -> None:
    graphs = service_pb2.PostKnowledgeGraphsRequest(knowledge_graphs=[resources_pb2.KnowledgeGraph(id="zoo")])
    client.call("PostKnowledgeGraphs", graphs)
    made = post(client, Model(id="m", model_type_id=MAPPER, output_info=info(knowledge_graph_id="zoo"))).model
    assert made.output_info.params["knowledge_graph_id"] == "zoo"
    reply = patch(
        client, Model(id="m", output_info=info(knowledge_graph_id="park")), action="overwrite", expect=ARGUMENT
    )
    assert "'park'; there are: 'zoo'" in reply.status.details.replace("knowledge graph ", "")
    other = stranger(client)
    post(other, Model(id="m", model_type_id=MAPPER, output_info=info(knowledge_graph_id="zoo")), expect=ARGUMENT)


def test_a_bare_model_of_a_type_that_needs_parameters_gets_its_version_later(client: Any) -> None:
    made = post(client, Model(id="bare", model_type_id=THRESHOLD)).model
    assert not made.HasField("model_version")
    assert listed(client) == ["bare"]
    assert listed(client, trained_only=True) == []
    request = service_pb2.PostModelVersionsRequest(
        model_id="bare", model_versions=[ModelVersion(output_info=info(("cat", 0.5), concept_threshold_type=1))]
    )
    made = client.call("PostModelVersions", request).model
    assert made.model_version.status.code == TRAINED
    assert get(client, "bare").model == made
    assert listed(client, trained_only=True) == ["bare"]
    # A mapper can do without: it has a version at once.
    assert post(client, Model(id="mapper", model_type_id=MAPPER)).model.HasField("model_version")


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_id", [RECOGNITION, "general-image-recognition"])
@pytest.mark.parametrize("public", [True, False])
def test_a_public_model_is_found_under_both_ids_and_from_any_app(client: Any, model_id: str, public: bool) -> None:
    made = get(client, model_id, user_app_id=PUBLIC if public else None).model
    assert (made.id, made.app_id, made.user_id) == (model_id, "main", "clarifai")
    assert made.name == "general-image-recognition"
    assert made.model_version.id == RECOGNITION_VERSION
    assert made.model_version.status.code == TRAINED
    assert made.visibility.gettable == resources_pb2.Visibility.PUBLIC
    assert "ai_l8TKp2h5" in [c.id for c in made.output_info.data.concepts]
    asked = get(client, model_id, version_id=RECOGNITION_VERSION).model
    assert asked.model_version.id == RECOGNITION_VERSION
    info_reply = client.call("GetModelOutputInfo", service_pb2.GetModelRequest(model_id=model_id)).model
    assert info_reply.output_info == made.output_info
    version = client.call(
        "GetModelVersion", service_pb2.GetModelVersionRequest(model_id=model_id, version_id=RECOGNITION_VERSION)
    ).model_version
    assert version == made.model_version
    assert [v.id for v in versions(client, model_id)] == [RECOGNITION_VERSION]


def test_an_own_model_comes_before_a_public_one_of_that_id(client: Any) -> None:
    post(client, threshold("general-image-recognition"))
    assert get(client, "general-image-recognition").model.app_id == "app"
    assert get(client, "general-image-recognition", user_app_id=PUBLIC).model.app_id == "main"


def test_missing_models_and_versions(client: Any) -> None:
    post(client, threshold("a"))
    newest = get(client, "a").model.model_version.id
    status = get(client, "nothing", expect=ABSENT).status
    assert status.description == "Model does not exist"
    assert "'nothing'" in status.details
    assert "'app'" in status.details
    for model_id, known in (("a", newest), (RECOGNITION, RECOGNITION_VERSION)):
        details = get(client, model_id, version_id="gone", expect=ABSENT).status.details
        assert "'gone'" in details
        assert known in details
        request = service_pb2.GetModelVersionRequest(model_id=model_id, version_id="gone")
        client.call("GetModelVersion", request, expect=ABSENT)
    client.call("ListModelVersions", service_pb2.ListModelVersionsRequest(model_id="nothing"), expect=ABSENT)


def test_the_public_app_is_readable_by_every_key_and_changed_by_none(client: Any) -> None:
    assert len(listed(client, user_app_id=PUBLIC)) >= 4
    changes: dict[str, Any] = {
        "PostModels": service_pb2.PostModelsRequest(models=[threshold()]),
        "PatchModels": service_pb2.PatchModelsRequest(models=[Model(id=RECOGNITION, name="x")], action="overwrite"),
        "PatchModelIds": service_pb2.PatchModelIdsRequest(
            ids=[service_pb2.IdUpdateSource(id=RECOGNITION, new_id="x")], action="overwrite"
        ),
        "DeleteModel": service_pb2.DeleteModelRequest(model_id=RECOGNITION),
        "DeleteModels": service_pb2.DeleteModelsRequest(delete_all=True),
        "PostModelVersions": service_pb2.PostModelVersionsRequest(
            model_id=RECOGNITION, model_versions=[ModelVersion()]
        ),
        "DeleteModelVersion": service_pb2.DeleteModelVersionRequest(
            model_id=RECOGNITION, version_id=RECOGNITION_VERSION
        ),
    }
    for rpc, request in changes.items():
        request.user_app_id.CopyFrom(PUBLIC)
        client.call(rpc, request, expect=APP_ABSENT)
    # Nor through the fall back that reading has.
    patch(client, Model(id=RECOGNITION, name="x"), expect=ABSENT)
    client.call("DeleteModel", service_pb2.DeleteModelRequest(model_id=RECOGNITION), expect=ABSENT)
    assert get(client, RECOGNITION).model.name == "general-image-recognition"


def test_another_users_models_are_as_good_as_absent(client: Any) -> None:
    post(client, threshold("mine"))
    other = stranger(client)
    get(other, "mine", expect=ABSENT)
    assert listed(other) == []
    theirs: dict[str, Any] = {
        "GetModel": service_pb2.GetModelRequest(model_id="mine"),
        "ListModels": service_pb2.ListModelsRequest(),
        "PostModels": service_pb2.PostModelsRequest(models=[threshold("theirs")]),
        "PatchModels": service_pb2.PatchModelsRequest(models=[Model(id="mine", name="x")], action="merge"),
        "DeleteModels": service_pb2.DeleteModelsRequest(ids=["mine"]),
        "ListModelVersions": service_pb2.ListModelVersionsRequest(model_id="mine"),
    }
    for rpc, request in theirs.items():
        request.user_app_id.CopyFrom(client.user_app_id)
        other.call(rpc, request, expect=APP_ABSENT)
    assert get(client, "mine").model.name == "mine"


def test_apps_of_one_user_do_not_share_models(client: Any) -> None:
    post(client, threshold("here"))
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="second")]))
    second = resources_pb2.UserAppIDSet(user_id="me", app_id="second")
    get(client, "here", expect=ABSENT, user_app_id=second)
    post_there = service_pb2.PostModelsRequest(user_app_id=second, models=[threshold("here")])
    client.call("PostModels", post_there)
    client.call("DeleteModels", service_pb2.DeleteModelsRequest(user_app_id=second, delete_all=True))
    assert listed(client) == ["here"]


def test_listing_shows_the_own_app_alone_and_public_models_by_their_first_id(client: Any) -> None:
    post(client, threshold("a"))
    assert listed(client) == ["a"]
    public = client.call("ListModels", service_pb2.ListModelsRequest(user_app_id=PUBLIC)).models
    assert {m.id: m.name for m in public}[RECOGNITION] == "general-image-recognition"


def test_listing_filters_sorts_and_pages(client: Any) -> None:
    post(client, threshold("zebra", name="Alpha", description="stripes"))
    post(client, Model(id="mapper", model_type_id=MAPPER, name="Beta"))
    post(client, threshold("over_all", name="Gamma"))
    patch(client, Model(id="zebra", notes="changed last"))
    assert listed(client) == ["zebra", "mapper", "over_all"], "oldest first"
    assert listed(client, sort_by_created_at=True) == ["over_all", "mapper", "zebra"]
    assert listed(client, sort_by_modified_at=True) == ["zebra", "over_all", "mapper"]
    assert listed(client, sort_by_modified_at=True, sort_ascending=True) == ["mapper", "over_all", "zebra"]
    assert listed(client, sort_by_name=True, sort_ascending=True) == ["zebra", "mapper", "over_all"]
    assert listed(client, page=2, per_page=1) == ["mapper"]
    assert listed(client, page=9, per_page=500) == []
    assert listed(client, model_type_id=MAPPER) == ["mapper"]
    assert listed(client, model_type_id="unheard-of") == []
    assert listed(client, trained_only=True, model_type_id=THRESHOLD) == ["zebra", "over_all"]
    version = get(client, "mapper").model.model_version.id
    assert listed(client, model_version_ids=[version, "gone"]) == ["mapper"]
    assert listed(client, input_fields=["image"]) == []
    assert sorted(listed(client, input_fields=["image"], user_app_id=PUBLIC))[0] == RECOGNITION
    assert listed(client, output_fields=["embeddings"], user_app_id=PUBLIC) == ["bbb5f41425b8468d9b7a554ff10f8581"]
    assert listed(client, name="Ga*") == ["over_all"]
    assert listed(client, name="*E*a") == ["zebra", "mapper"]
    assert listed(client, search="strip") == ["zebra"]
    assert listed(client, search="all") == ["over_all"]
    assert listed(client, search="all zebra") == []
    assert listed(client, name="*", page=2, per_page=2) == ["over_all"]
    assert listed(client, starred_only=True) == []
    private = resources_pb2.Visibility(gettable=resources_pb2.Visibility.PRIVATE)
    assert len(listed(client, visibility=private)) == 3


def test_listing_by_what_models_are_filed_under(client: Any) -> None:
    mit = ModelVersion(license="MIT")
    post(
        client,
        threshold("one", toolkits=["tk"], use_cases=["sorting", "review"], languages=["de"], model_version=mit),
        threshold("two", creator="me", license_type=resources_pb2.OPEN_SOURCE, source=Model.HOSTED),
        threshold("three", use_cases=["review"]),
    )
    assert listed(client, license="MIT") == ["one"]
    assert listed(client, toolkits=["tk", "other"]) == ["one"]
    assert listed(client, use_cases=["review"]) == ["one", "three"]
    assert listed(client, use_cases=["review"], page=2, per_page=1) == ["three"]
    assert listed(client, languages=["fr"]) == []
    assert listed(client, creator="me") == ["two"]
    assert listed(client, license_type=resources_pb2.OPEN_SOURCE, source=Model.HOSTED) == ["two"]
    assert listed(client, license_type=resources_pb2.CLOSED_SOURCE) == []
    assert listed(client, min_replicas=1) == []
    (full,) = get(client, "one").model.languages_full
    assert (full.id, full.name) == ("de", "de")


def test_listing_by_words_their_alternatives_and_the_owner(client: Any) -> None:
    post(client, threshold("red-cat"), threshold("blue-cat", description="a bird too"), threshold("dog", notes="cat"))
    assert listed(client, query="cat") == ["red-cat", "blue-cat"], "not the notes"
    assert listed(client, query="ca") == []
    assert listed(client, query="cat -blue") == ["red-cat"]
    assert listed(client, query="dog OR bird cat") == ["blue-cat", "dog"]
    assert listed(client, search="ca") == ["red-cat", "blue-cat", "dog"]
    assert listed(client, name=client.user_id) == []
    assert listed(client, name=client.user_id, filter_by_user_id=True) == ["red-cat", "blue-cat", "dog"]
    assert listed(client, search=client.user_id) == []


def test_relevance_puts_those_first_whose_name_holds_what_is_searched_for(client: Any) -> None:
    post(client, threshold("a", description="about cats"), threshold("cats"), threshold("b", notes="cats"))
    assert listed(client, search="cat", sort_by_relevance=True) == ["cats", "a", "b"]
    assert listed(client, search="cat", sort_by_relevance=True, page=2, per_page=2) == ["b"]
    listed(client, sort_by_relevance=True, expect=INVALID)


def test_versions_are_counted_where_that_is_asked_for(client: Any) -> None:
    post(client, threshold("a"), threshold("b"))
    patch(client, threshold("a", ("cat", 0.75)))
    for asked, counts in (([], [0, 0]), (["counts"], [2, 1]), (["all"], [2, 1])):
        reply = client.call("ListModels", service_pb2.ListModelsRequest(additional_fields=asked))
        assert [m.version_count for m in reply.models] == counts


def test_a_listing_with_filters_reads_past_one_batch(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_filters, "BATCH", 2)
    post(client, *[threshold(f"m-{i}", description="odd" if i % 2 else "even") for i in range(7)])
    assert listed(client, search="odd") == ["m-1", "m-3", "m-5"]
    assert listed(client, search="even", page=2, per_page=3) == ["m-6"]
    assert len(listed(client, name="m-*")) == 7


# --- searching ------------------------------------------------------------------------------------


def search(client: Any, name: str = "", kind: str = "", expect: int = 10000, **asked: Any) -> list[str]:
    page = service_pb2.Pagination(page=asked.pop("page", 0), per_page=asked.pop("per_page", 0))
    query = resources_pb2.ModelQuery(name=name, model_type_id=kind)
    request = service_pb2.PostModelsSearchesRequest(model_query=query, pagination=page, **asked)
    return [m.id for m in client.call("PostModelsSearches", request, expect=expect).models]


def test_models_are_searched_by_name_and_type(client: Any) -> None:
    post(client, threshold("over-cat"), threshold("under-cat", name="Below"), Model(id="mapper", model_type_id=MAPPER))
    assert search(client) == ["over-cat", "under-cat", "mapper"]
    assert search(client, "*CAT") == ["over-cat", "under-cat"]
    assert search(client, "below") == ["under-cat"]
    assert search(client, "cat") == []
    assert search(client, "*", kind=THRESHOLD, page=2, per_page=1) == ["under-cat"]
    assert search(client, kind=MAPPER) == ["mapper"]
    assert search(client, page=2, per_page=2) == ["mapper"]
    assert search(client, "gen*", user_app_id=PUBLIC)[0] == RECOGNITION
    search(client, per_page=1001, expect=INVALID)


def test_a_listing_by_version_shows_that_version(client: Any) -> None:
    first = post(client, threshold("a", ("cat", 0.5))).model.model_version.id
    patch(client, threshold("a", ("cat", 0.75)))
    request = service_pb2.ListModelsRequest(model_version_ids=[first])
    assert [m.model_version.id for m in client.call("ListModels", request).models] == [first]


def test_a_listing_by_more_versions_than_a_query_holds_is_refused(client: Any) -> None:
    request = service_pb2.ListModelsRequest(model_version_ids=["v"] * 1001)
    reply = client.call("ListModels", request, expect=INVALID)
    assert "1001 model_version_ids" in reply.status.details


# --- changing -------------------------------------------------------------------------------------


def test_changed_settings_make_a_version_and_other_changes_do_not(client: Any) -> None:
    first = post(client, threshold("a", ("cat", 0.5), ("dog", 0.5))).model
    renamed = patch(client, Model(id="a", name="A", description="d", metadata=struct(k=1))).models[0]
    assert (renamed.name, renamed.description) == ("A", "d")
    assert renamed.model_version == first.model_version
    same = patch(client, threshold("a", ("cat", 0.5), ("dog", 0.5))).models[0]
    assert same.model_version.id == first.model_version.id
    changed = patch(client, threshold("a", ("cat", 0.75))).models[0]
    assert changed.model_version.id != first.model_version.id
    assert changed.model_version.status.code == TRAINED
    assert scores(changed) == {"cat": 0.75, "dog": 0.5}
    assert [v.id for v in versions(client, "a")] == [changed.model_version.id, first.model_version.id]
    assert scores(get(client, "a", version_id=first.model_version.id).model) == {"cat": 0.5, "dog": 0.5}
    assert get(client, "a").model == changed
    assert (changed.name, changed.description) == ("A", "d")


def test_the_three_actions(client: Any) -> None:
    post(client, threshold("a", ("cat", 0.5), ("dog", 0.5), metadata=struct(x=1, y=2), toolkits=["t"]))
    merged = patch(
        client,
        Model(id="a", output_info=info(("owl", 0.25)), metadata=struct(y=3), toolkits=["t", "u"], notes="n"),
    ).models[0]
    assert scores(merged) == {"cat": 0.5, "dog": 0.5, "owl": 0.25}
    assert (dict(merged.metadata), list(merged.toolkits), merged.notes) == ({"x": 1, "y": 3}, ["t", "u"], "n")
    removed = patch(
        client,
        Model(id="a", output_info=info(("dog", 0)), metadata=struct(x=0), toolkits=["t"]),
        action="remove",
    ).models[0]
    assert scores(removed) == {"cat": 0.5, "owl": 0.25}
    assert (dict(removed.metadata), list(removed.toolkits), removed.notes) == ({"y": 3}, ["u"], "n")
    over = Model(id="a", metadata=struct(z=1), toolkits=["v"], name="new")
    over.output_info.data.concepts.add(id="emu", value=0.125)
    overwritten = patch(client, over, action="overwrite").models[0]
    assert scores(overwritten) == {"emu": 0.125}
    assert overwritten.output_info.params["concept_threshold_type"] == 1, "params weren't given, so they stay"
    assert (dict(overwritten.metadata), list(overwritten.toolkits)) == ({"z": 1}, ["v"])
    assert len(versions(client, "a")) == 4
    reply = patch(client, Model(id="a", notes="n"), action="remove", expect=INVALID)
    assert "notes" in reply.status.details
    reply = patch(client, Model(id="a"), action="replace", expect=INVALID)
    assert "merge, overwrite, remove" in reply.status.details


def test_the_image_is_removed_by_its_url(client: Any) -> None:
    image = resources_pb2.Image(url="https://example.com/a.png")
    post(client, threshold("a", image=image))
    wrong = Model(id="a", image=resources_pb2.Image(url="https://example.com/b.png"))
    assert image.url in patch(client, wrong, action="remove", expect=INVALID).status.details
    assert not patch(client, Model(id="a", image=image), action="remove").models[0].HasField("image")


@pytest.mark.parametrize("action", ["merge", "overwrite"])
@pytest.mark.parametrize("place", ["old", "new"])
def test_what_was_read_can_be_changed_at_either_place_and_sent_back(client: Any, action: str, place: str) -> None:
    post(client, threshold("a", ("cat", 0.5), ("dog", 0.5)))
    model = get(client, "a").model
    holder = model if place == "old" else model.model_version
    holder.output_info.data.concepts[0].value = 0.875
    assert scores(patch(client, model, action=action).models[0]) == {"cat": 0.875, "dog": 0.5}
    assert len(versions(client, "a")) == 2
    again = get(client, "a").model
    assert patch(client, again, action=action).models[0].model_version.id == again.model_version.id


def test_an_old_version_can_be_brought_back(client: Any) -> None:
    first = post(client, threshold("a", ("cat", 0.5))).model.model_version.id
    patch(client, threshold("a", ("cat", 0.75)))
    back = patch(client, Model(id="a", model_version=ModelVersion(id=first))).models[0]
    assert scores(back) == {"cat": 0.5}
    assert back.model_version.id != first
    assert len(versions(client, "a")) == 3
    patch(client, Model(id="a", model_version=ModelVersion(id="gone")), expect=ABSENT)


def test_patches_that_are_refused_change_nothing(client: Any) -> None:
    post(client, threshold("a"), threshold("b"))
    before = [get(client, i).model for i in "ab"]
    cases: list[tuple[list[Model], int, list[str]]] = [
        ([], REQUEST, ["0 models"]),
        ([Model(id="a", name="x"), Model(id="a")], REQUEST, ["'a'", "twice"]),
        ([Model(id="a", name="x"), Model(id="c")], ABSENT, ["'c'"]),
        ([Model(id="a", name="x"), Model(id="b", model_type_id=MAPPER)], ARGUMENT, [THRESHOLD, MAPPER, "'b'"]),
        ([Model(id="a", name="x"), threshold("b", kind=7)], ARGUMENT, ["'b'", "GREATER_THAN (1)"]),
        ([Model(id="a", name="x"), threshold("b", ("cat", float("inf")))], ARGUMENT, ["'b'", "'cat'"]),
    ]
    for given, code, says in cases:
        reply = patch(client, *given, expect=code)
        assert all(part in reply.status.details for part in says), reply.status
        assert [get(client, i).model for i in "ab"] == before


def test_versions_can_be_added_described_and_deleted(client: Any) -> None:
    first = post(client, threshold("a", ("cat", 0.5))).model.model_version
    request = service_pb2.PostModelVersionsRequest(
        model_id="a", model_versions=[ModelVersion(output_info=info(("cat", 0.75), concept_threshold_type=3))]
    )
    second = client.call("PostModelVersions", request).model.model_version
    assert [v.id for v in versions(client, "a", sort_ascending=True)] == [first.id, second.id]
    assert [v.id for v in versions(client, "a", page=2, per_page=1, trained_only=True)] == [first.id]
    described = service_pb2.PatchModelVersionsRequest(
        model_id="a", action="merge", model_versions=[ModelVersion(id=first.id, description="the first")]
    )
    made = client.call("PatchModelVersions", described).model_versions[0]
    assert (made.description, made.output_info) == ("the first", first.output_info)
    described.model_versions[0].output_info.CopyFrom(second.output_info)
    assert "fixed" in client.call("PatchModelVersions", described, expect=REQUEST).status.details
    delete = service_pb2.DeleteModelVersionRequest(model_id="a", version_id=second.id)
    client.call("DeleteModelVersion", delete)
    client.call("DeleteModelVersion", delete, expect=ABSENT)
    assert get(client, "a").model.model_version.id == first.id


def test_bad_versions_are_refused(client: Any) -> None:
    post(client, threshold("a"))
    for given, code in (
        ([], REQUEST),
        ([ModelVersion(), ModelVersion()], REQUEST),
        ([ModelVersion()], ARGUMENT),
        ([ModelVersion(output_info=info(concept_threshold_type=1))], ARGUMENT),
    ):
        request = service_pb2.PostModelVersionsRequest(model_id="a", model_versions=given)
        client.call("PostModelVersions", request, expect=code)
    missing = service_pb2.PostModelVersionsRequest(model_id="b", model_versions=[ModelVersion()])
    client.call("PostModelVersions", missing, expect=ABSENT)
    assert len(versions(client, "a")) == 1


def test_renaming(client: Any) -> None:
    post(client, threshold("a"), threshold("b"))

    def rename(old: str, new: str, expect: int = 10000) -> Any:
        request = service_pb2.PatchModelIdsRequest(
            ids=[service_pb2.IdUpdateSource(id=old, new_id=new)], action="overwrite"
        )
        return client.call("PatchModelIds", request, expect=expect)

    assert "duplicate" in rename("a", "b", REQUEST).status.details
    rename("a", "no good", REQUEST)
    rename("c", "d", ABSENT)
    version = get(client, "a").model.model_version.id
    assert rename("a", "c").models[0].model_version.id == version
    get(client, "a", expect=ABSENT)
    assert sorted(listed(client)) == ["b", "c"]


# --- deleting -------------------------------------------------------------------------------------


def test_deleting(client: Any) -> None:
    post(client, *(threshold(i) for i in "abcde"))
    client.call("DeleteModel", service_pb2.DeleteModelRequest(model_id="a"))
    status = client.call("DeleteModel", service_pb2.DeleteModelRequest(model_id="a"), expect=ABSENT).status
    assert status.description == "Model does not exist"
    client.call("DeleteModels", service_pb2.DeleteModelsRequest(ids=["b", "b"]))
    reply = client.call("DeleteModels", service_pb2.DeleteModelsRequest(ids=["c", "gone"]), expect=ABSENT)
    assert "'gone'" in reply.status.details
    assert sorted(listed(client)) == ["c", "d", "e"]
    for wrong in (service_pb2.DeleteModelsRequest(), service_pb2.DeleteModelsRequest(ids=["c"], delete_all=True)):
        client.call("DeleteModels", wrong, expect=REQUEST)
    client.call("DeleteModels", service_pb2.DeleteModelsRequest(delete_all=True))
    assert listed(client) == []
    client.call("DeleteModels", service_pb2.DeleteModelsRequest(delete_all=True))
    assert post(client, threshold("a")).model.id == "a"


def test_versions_are_listed_by_concepts_status_and_description(client: Any) -> None:
    post(client, threshold("a", ("cat", 0.5)))
    for said, concepts in (("zoo", ["cat", "dog"]), ("farm", ["dog"])):
        version = ModelVersion(
            description=said, output_info=info(*((c, 0.5) for c in concepts), concept_threshold_type="GREATER_THAN")
        )
        request = service_pb2.PostModelVersionsRequest(model_id="a", model_versions=[version])
        client.call("PostModelVersions", request)

    def said_in(**asked: Any) -> list[str]:
        return [v.description for v in versions(client, "a", **asked)]

    assert said_in() == ["farm", "zoo", ""]
    assert said_in(concept_ids=["dog"]) == ["farm", "zoo"]
    assert said_in(concept_ids=["dog", "cat"]) == ["zoo"]
    assert said_in(concept_ids=["bird"]) == []
    assert said_in(concept_ids=["dog"], page=2, per_page=1) == ["zoo"]
    assert said_in(sort_by_description=True) == ["zoo", "farm", ""]
    assert said_in(sort_by_description=True, sort_ascending=True, page=2, per_page=1) == ["farm"]
    assert said_in(sort_by_status_code=True, sort_ascending=True) == ["", "zoo", "farm"]
    assert said_in(min_replicas=1) == []


def test_a_training_runs_description_is_that_of_its_version(client: Any) -> None:
    post(client, threshold("a"))
    request = service_pb2.PostModelVersionsRequest(
        model_id="a",
        description="second",
        model_versions=[ModelVersion(output_info=info(("cat", 0.75), concept_threshold_type=1))],
    )
    assert client.call("PostModelVersions", request).model.model_version.description == "second"


# --- thresholds as a YAML file of the SDK has them --------------------------------------------------


def test_thresholds_among_the_parameters_move_to_their_place(client: Any) -> None:
    post(client, Model(id="bare", model_type_id=THRESHOLD))
    listed_: list[Any] = [{"id": "cat", "value": 0.75}, {"id": "dog", "name": "Dog", "value": 0.5}]
    params = OutputInfo(params=struct(concept_threshold_type="GREATER_THAN", concepts=listed_))
    request = service_pb2.PostModelVersionsRequest(model_id="bare", model_versions=[ModelVersion(output_info=params)])
    model = client.call("PostModelVersions", request).model
    assert scores(model) == {"cat": 0.75, "dog": 0.5}
    assert "concepts" not in model.model_version.output_info.params.fields
    both = threshold("both", ("cat", 0.5))
    both.output_info.params.update({"concepts": listed_})
    assert "one place" in post(client, both, expect=ARGUMENT).status.details
    for wrong in ("cat", [{"nothing": 1}], [3]):
        bad = Model(id="bad", model_type_id=THRESHOLD)
        bad.output_info.params.update({"concept_threshold_type": 1, "concepts": wrong})
        assert "no list of concepts" in post(client, bad, expect=ARGUMENT).status.details


def test_a_version_can_not_ask_for_more_concepts_than_a_reply_shows(client: Any) -> None:
    model = threshold()
    model.output_info.output_config.max_concepts = 201
    assert "max_concepts" in post(client, model, expect=ARGUMENT).status.details
