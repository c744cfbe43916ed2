"""What models are filed under, refer to and are licensed by: through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Model, UserAppIDSet
from clarifai_grpc.grpc.api.status import status_code_pb2

ABSENT = status_code_pb2.MODEL_DOES_NOT_EXIST
NOWHERE = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONN_INVALID_REQUEST
REQUEST = status_code_pb2.MODEL_INVALID_REQUEST
PUBLIC = UserAppIDSet(user_id="clarifai", app_id="main")
RECOGNITION, RECOGNITION_VERSION = "general-image-recognition", "aa7f35c01e0642fda5cf400f543e7c40"

TAGS: list[tuple[str, Any, str, str]] = [
    ("PatchModelToolkits", service_pb2.PatchModelToolkitsRequest, "toolkits", "toolkits"),
    ("PatchModelUseCases", service_pb2.PatchModelUseCasesRequest, "usecases", "use_cases"),
    ("PatchModelLanguages", service_pb2.PatchModelLanguagesRequest, "languages", "languages"),
    ("PatchModelCheckConsents", service_pb2.PatchModelCheckConsentsRequest, "check_consents", "check_consents"),
]


@pytest.fixture
def mapper(client: Any) -> Any:
    """A client whose app has a model."""
    model = Model(id="mapper", model_type_id="concept-synonym-mapper", description="as it was")
    client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
    return client


@pytest.mark.parametrize(("rpc", "request_type", "field", "shown"), TAGS, ids=[t[0] for t in TAGS])
def test_tags_are_replaced_as_a_whole(mapper: Any, rpc: str, request_type: Any, field: str, shown: str) -> None:
    def patch(*tags: str, expect: int = 10000, action: str = "overwrite", model: str = "mapper", **more: Any) -> Any:
        request = request_type(model_id=model, action=action, **{field: tags}, **more)
        return mapper.call(rpc, request, expect=expect)

    def now() -> list[str]:
        model = mapper.call("GetModel", service_pb2.GetModelRequest(model_id="mapper")).model
        assert model.description == "as it was"
        return list(getattr(model, shown))

    assert list(getattr(patch("b", "a", "b"), field)) == ["b", "a"]
    assert now() == ["b", "a"]
    patch("c")
    for wrong in ({"action": "merge"}, {"action": ""}):
        patch("lost", expect=INVALID, **wrong)
    patch(*map(str, range(129)), expect=REQUEST)
    patch(" x", expect=REQUEST)
    patch("lost", model="nope", expect=ABSENT)
    patch("lost", model=RECOGNITION, expect=ABSENT)
    patch("lost", model=RECOGNITION, user_app_id=PUBLIC, expect=NOWHERE)
    assert now() == ["c"]
    patch()
    assert now() == []


def test_no_model_has_references_or_examples_and_those_that_are_not_there_are_told_apart(mapper: Any) -> None:
    def references(model: str, expect: int = 10000) -> Any:
        return mapper.call("ListModelReferences", service_pb2.ListModelReferencesRequest(model_id=model), expect=expect)

    def examples(model: str, version: str, expect: int = 10000) -> Any:
        request = service_pb2.ListModelVersionInputExamplesRequest(model_id=model, model_version_id=version)
        return mapper.call("ListModelVersionInputExamples", request, expect=expect)

    def example(model: str, version: str, expect: int) -> Any:
        request = service_pb2.GetModelVersionInputExampleRequest(
            model_id=model, model_version_id=version, example_id="first"
        )
        return mapper.call("GetModelVersionInputExample", request, expect=expect)

    assert not references("mapper").model_references
    references("nope", expect=ABSENT)
    assert not examples(RECOGNITION, RECOGNITION_VERSION).model_version_input_examples
    examples(RECOGNITION, "nope", expect=ABSENT)
    examples("nope", RECOGNITION_VERSION, expect=ABSENT)
    assert "'first'" in example(RECOGNITION, RECOGNITION_VERSION, NOWHERE).status.details
    example(RECOGNITION, "nope", ABSENT)


def test_licences_are_told_to_anybody(client: Any) -> None:
    reply = client.stub.ListOpenSourceLicenses(service_pb2.ListOpenSourceLicensesRequest(), timeout=60)
    assert reply.status.code == 10000
    assert {"MIT", "Apache-2.0"} < set(reply.licenses)
    assert list(reply.licenses) == sorted(reply.licenses, key=str.casefold)
