"""What concepts are called in other languages, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, ConceptLanguage
from clarifai_grpc.grpc.api.status import status_code_pb2

ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONCEPTS_INVALID_REQUEST


@pytest.fixture
def dog(client: Any) -> Any:
    """A client whose app has the concept dog."""
    concept = Concept(id="dog", name="dog", definition="a barking animal")
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[concept]))
    return client


def post(client: Any, *given: ConceptLanguage, concept: str = "dog", expect: int = 10000) -> Any:
    request = service_pb2.PostConceptLanguagesRequest(concept_id=concept, concept_languages=given)
    return client.call("PostConceptLanguages", request, expect=expect)


def patch(client: Any, *given: ConceptLanguage, action: str = "overwrite", expect: int = 10000) -> Any:
    request = service_pb2.PatchConceptLanguagesRequest(concept_id="dog", concept_languages=given, action=action)
    return client.call("PatchConceptLanguages", request, expect=expect)


def get(client: Any, language: str, concept: str = "dog", expect: int = 10000) -> Any:
    request = service_pb2.GetConceptLanguageRequest(concept_id=concept, language=language)
    return client.call("GetConceptLanguage", request, expect=expect)


def listed(client: Any, **asked: Any) -> list[tuple[str, str]]:
    request = service_pb2.ListConceptLanguagesRequest(concept_id="dog", **asked)
    return [(c.id, c.name) for c in client.call("ListConceptLanguages", request).concept_languages]


def test_names_are_added_read_and_listed(dog: Any) -> None:
    german = ConceptLanguage(id="de", name="Hund", definition="ein Haustier")
    assert post(dog, german, ConceptLanguage(id="pt-BR", name="cachorro")).concept_languages[0] == german
    assert get(dog, "de").concept_language == german
    assert listed(dog) == [("en", "dog"), ("de", "Hund"), ("pt-BR", "cachorro")]
    assert listed(dog, page=1, per_page=2) == [("en", "dog"), ("de", "Hund")]
    assert listed(dog, page=2, per_page=2) == [("pt-BR", "cachorro")]
    assert listed(dog, page=3, per_page=2) == []
    assert "'fr'" in get(dog, "fr", expect=ABSENT).status.details
    get(dog, "de", concept="cat", expect=ABSENT)


def test_the_apps_own_language_is_the_concept_itself(dog: Any) -> None:
    own = get(dog, "en").concept_language
    assert (own.id, own.name, own.definition) == ("en", "dog", "a barking animal")
    assert "duplicate" in post(dog, ConceptLanguage(id="en", name="hound"), expect=INVALID).status.details
    (changed,) = patch(dog, ConceptLanguage(id="en", name="hound")).concept_languages
    assert (changed.name, changed.definition) == ("hound", "a barking animal")
    concept = dog.call("GetConcept", service_pb2.GetConceptRequest(concept_id="dog")).concept
    assert (concept.name, concept.language, concept.definition) == ("hound", "en", "a barking animal")


def test_an_app_may_have_another_language_of_its_own(dog: Any) -> None:
    change = service_pb2.PatchAppRequest(app=resources_pb2.App(id="app", default_language="de"), action="overwrite")
    dog.call("PatchApp", change)
    assert dog.call("GetConcept", service_pb2.GetConceptRequest(concept_id="dog")).concept.language == "de"
    post(dog, ConceptLanguage(id="en", name="hound"))
    assert listed(dog) == [("de", "dog"), ("en", "hound")]


def test_what_is_set_in_a_patch_replaces_what_is_there(dog: Any) -> None:
    post(dog, ConceptLanguage(id="de", name="Hund", definition="ein Haustier"), ConceptLanguage(id="fr", name="chien"))
    changed = patch(dog, ConceptLanguage(id="fr", definition="un animal"), ConceptLanguage(id="de", name="Köter"))
    assert [(c.id, c.name, c.definition) for c in changed.concept_languages] == [
        ("fr", "chien", "un animal"),
        ("de", "Köter", "ein Haustier"),
    ]
    reply = patch(dog, ConceptLanguage(id="de", name="lost"), ConceptLanguage(id="it", name="cane"), expect=ABSENT)
    assert "it" in reply.status.details
    assert get(dog, "de").concept_language.name == "Köter"
    patch(dog, ConceptLanguage(id="de", name="x"), action="merge", expect=status_code_pb2.CONN_INVALID_REQUEST)


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [ConceptLanguage(id="", name="x")],
        [ConceptLanguage(id="no tag", name="x")],
        [ConceptLanguage(id="de")],
        [ConceptLanguage(id="de", name="x" * 257)],
        [ConceptLanguage(id="de", name="x", definition="x" * 65_537)],
        [ConceptLanguage(id="de", name="x"), ConceptLanguage(id="de", name="y")],
        [ConceptLanguage(id="it", name="cane"), ConceptLanguage(id="fr", name="chien")],
        [ConceptLanguage(id=f"l-{i}", name="x") for i in range(129)],
    ],
    ids=["none", "no id", "no tag", "no name", "long name", "long definition", "twice", "taken", "many"],
)
def test_all_names_are_added_or_none(dog: Any, bad: list[ConceptLanguage]) -> None:
    post(dog, ConceptLanguage(id="fr", name="chien"))
    post(dog, *bad, expect=INVALID)
    assert listed(dog) == [("en", "dog"), ("fr", "chien")]


def test_names_of_a_concept_that_is_not_the_apps_are_nobodys_to_add(dog: Any) -> None:
    name = ConceptLanguage(id="de", name="Leute")
    post(dog, name, concept="ai_l8TKp2h5", expect=ABSENT)
    request = service_pb2.PostConceptLanguagesRequest(concept_id="ai_l8TKp2h5", concept_languages=[name])
    request.user_app_id.user_id, request.user_app_id.app_id = "clarifai", "main"
    dog.call("PostConceptLanguages", request, expect=ABSENT)
