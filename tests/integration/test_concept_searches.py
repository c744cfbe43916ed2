"""Searching concepts by name, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    CLASSIFICATION,
    DETECTION,
    Concept,
    ConceptLanguage,
    ConceptQuery,
    Model,
    Workflow,
)
from clarifai_grpc.grpc.api.status import status_code_pb2

INVALID = status_code_pb2.CONN_INVALID_REQUEST
RECOGNITION = Model(id="general-image-recognition")


@pytest.fixture
def zoo(client: Any) -> Any:
    """A client whose app has five concepts, one of them with a German name."""
    names = {"1": "dog", "2": "Dogfish", "3": "hot dog", "4": "100%", "5": "people"}
    given = [Concept(id=i, name=name) for i, name in names.items()]
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=given))
    german = ConceptLanguage(id="de", name="Hund")
    request = service_pb2.PostConceptLanguagesRequest(concept_id="1", concept_languages=[german])
    client.call("PostConceptLanguages", request)
    return client


def search(client: Any, expect: int = 10000, page: int = 0, per_page: int = 0, **asked: Any) -> Any:
    request = service_pb2.PostConceptsSearchesRequest(
        concept_query=ConceptQuery(**asked), pagination=service_pb2.Pagination(page=page, per_page=per_page)
    )
    return client.call("PostConceptsSearches", request, expect=expect)


def ids(client: Any, **asked: Any) -> list[str]:
    return [c.id for c in search(client, **asked).concepts]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("dog", ["1"]),
        ("dog*", ["1", "2"]),
        ("*DOG*", ["1", "2", "3"]),
        ("*%", ["4"]),
        ("1_0%", []),
        ("do?", []),
        ("peop*", ["5", "ai_l8TKp2h5"]),
    ],
)
def test_names_with_wild_cards_in_the_app_and_then_the_public_one(zoo: Any, name: str, found: list[str]) -> None:
    assert ids(zoo, name=name) == found


def test_every_concept_by_pages(zoo: Any) -> None:
    public = ["ai_VPmHr5bm", "ai_dxSG2s86", "ai_face", "ai_l8TKp2h5"]
    everything = ["1", "2", "3", "4", "5", *public]
    assert ids(zoo) == everything
    assert ids(zoo, page=2, per_page=4) == everything[4:8]
    assert ids(zoo, ignore_app_concepts=True) == public
    person = search(zoo, name="people", page=2, per_page=1).concepts[0]
    assert (person.user_id, person.app_id, person.value, person.language) == ("clarifai", "main", 1.0, "en")
    search(zoo, per_page=1001, expect=INVALID)


def test_names_in_a_language(zoo: Any) -> None:
    (dog,) = search(zoo, name="hu*", language="de").concepts
    assert (dog.id, dog.name, dog.language) == ("1", "Hund", "de")
    assert ids(zoo, name="dog", language="de") == []
    assert ids(zoo, name="dog", language="en") == ["1"]
    assert ids(zoo, language="de") == ["1"]
    assert ids(zoo, language="xx") == []


def test_the_concepts_of_a_model_come_after_the_apps_own(zoo: Any) -> None:
    assert ids(zoo, model=RECOGNITION) == ["1", "2", "3", "4", "5", "ai_l8TKp2h5"]
    assert ids(zoo, model=RECOGNITION, name="*peo*") == ["5", "ai_l8TKp2h5"]
    assert ids(zoo, model=RECOGNITION, name="peo*", page=2, per_page=1) == ["ai_l8TKp2h5"]
    assert ids(zoo, model=RECOGNITION, name="peo*", page=3, per_page=1) == []
    assert ids(zoo, model=RECOGNITION, ignore_app_concepts=True) == ["ai_l8TKp2h5"]
    named = Model(id=RECOGNITION.id, app_id="main")
    assert ids(zoo, model=named, ignore_app_concepts=True, name="dog") == []
    search(zoo, model=Model(id="nope"), expect=status_code_pb2.MODEL_DOES_NOT_EXIST)


def test_the_concepts_of_a_workflow(zoo: Any) -> None:
    general = Workflow(id="General")
    assert ids(zoo, workflow=general, ignore_app_concepts=True) == ["ai_l8TKp2h5"]
    assert ids(zoo, workflow_id="General", ignore_app_concepts=True) == ["ai_l8TKp2h5"]
    assert ids(zoo, workflow=Workflow(id="Universal"), ignore_app_concepts=True) == []
    search(zoo, workflow=Workflow(id="nope"), expect=status_code_pb2.CONN_DOES_NOT_EXIST)
    search(zoo, workflow_id="General", model=RECOGNITION, expect=INVALID)


def test_use_cases_look_at_models_alone(zoo: Any) -> None:
    assert ids(zoo, use_cases=[CLASSIFICATION]) == ["ai_l8TKp2h5"]
    assert ids(zoo, use_cases=[DETECTION]) == ["ai_face"]
    assert ids(zoo, use_cases=[DETECTION, CLASSIFICATION]) == ["ai_l8TKp2h5", "ai_face"]
    assert ids(zoo, use_cases=[DETECTION], model=RECOGNITION) == []
    search(zoo, use_cases=[0], expect=INVALID)


def test_what_can_not_be_answered_is_refused(zoo: Any) -> None:
    search(zoo, name="x" * 257, expect=INVALID)
    rankable = service_pb2.ConceptExtraInfoRequest(rankable_model=RECOGNITION)
    request = service_pb2.PostConceptsSearchesRequest(extra_info=rankable)
    assert "rankable_model" in zoo.call("PostConceptsSearches", request, expect=INVALID).status.details


def test_another_users_model_is_no_source(zoo: Any) -> None:
    other = Model(id="m", user_id="somebody", app_id="else")
    search(zoo, model=other, expect=status_code_pb2.CONN_DOES_NOT_EXIST)
    request = service_pb2.PostConceptsSearchesRequest(
        user_app_id=resources_pb2.UserAppIDSet(user_id="somebody", app_id="else")
    )
    zoo.call("PostConceptsSearches", request, expect=status_code_pb2.CONN_DOES_NOT_EXIST)
