"""Concepts, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, ConceptExtraInfo, UserAppIDSet, Visibility
from clarifai_grpc.grpc.api.status import status_code_pb2

ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONCEPTS_INVALID_REQUEST
PUBLIC = UserAppIDSet(user_id="clarifai", app_id="main")


def post(client: Any, *concepts: Concept, expect: int = 10000) -> Any:
    return client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts), expect=expect)


def get(client: Any, concept_id: str, *, expect: int = 10000, **more: Any) -> Any:
    request = service_pb2.GetConceptRequest(concept_id=concept_id, **more)
    return client.call("GetConcept", request, expect=expect)


def listed(client: Any, **asked: Any) -> list[str]:
    reply = client.call("ListConcepts", service_pb2.ListConceptsRequest(**asked))
    return [c.id for c in reply.concepts]


def patch(client: Any, *concepts: Concept, action: str = "overwrite", expect: int = 10000, **more: Any) -> Any:
    request = service_pb2.PatchConceptsRequest(concepts=concepts, action=action, **more)
    return client.call("PatchConcepts", request, expect=expect)


def test_a_posted_concept_comes_back_as_clients_know_it(client: Any) -> None:
    (concept,) = post(client, Concept(id="people", name="People", definition="more than one person")).concepts
    assert concept == get(client, "people").concept
    assert (concept.id, concept.name, concept.value, concept.language) == ("people", "People", 1.0, "en")
    assert (concept.app_id, concept.user_id) == ("app", client.user_id)
    assert concept.definition == "more than one person"
    assert concept.visibility.gettable == Visibility.PRIVATE
    assert concept.created_at.ToMicroseconds() > 0


def test_the_name_defaults_to_the_id_and_the_language_given_is_ignored(client: Any) -> None:
    (concept,) = post(client, Concept(id="château d'eau", language="fr", value=0.3)).concepts
    assert (concept.name, concept.language, concept.value) == ("château d'eau", "en", 1.0)


def test_the_reply_is_in_the_order_of_the_request(client: Any) -> None:
    assert [c.id for c in post(client, Concept(id="b"), Concept(id="a"), Concept(id="c")).concepts] == ["b", "a", "c"]
    assert listed(client) == ["b", "a", "c"]


def test_a_duplicate_is_refused_and_nothing_is_added(client: Any) -> None:
    post(client, Concept(id="a"))
    for given in ([Concept(id="new"), Concept(id="a")], [Concept(id="new"), Concept(id="new")]):
        reply = post(client, *given, expect=INVALID)
        assert reply.status.description == "Invalid request"
        assert "duplicate" in reply.status.details
    assert listed(client) == ["a"]


@pytest.mark.parametrize("concept_id", ["", " a", "a ", "a\nb", "x" * 257])
def test_an_id_that_is_not_legal_is_refused(client: Any, concept_id: str) -> None:
    assert "concept id" in post(client, Concept(id=concept_id), expect=INVALID).status.details


def test_one_to_128_concepts_a_call(client: Any) -> None:
    post(client, expect=INVALID)
    post(client, *[Concept(id=f"c{i}") for i in range(129)], expect=INVALID)
    assert len(post(client, *[Concept(id=f"c{i}") for i in range(128)]).concepts) == 128


def test_concepts_are_listed_by_pages(client: Any) -> None:
    post(client, *[Concept(id=f"c{i}") for i in range(5)])
    assert listed(client, page=1, per_page=2) == ["c0", "c1"]
    assert listed(client, page=3, per_page=2) == ["c4"]
    assert listed(client, page=1000, per_page=500) == []
    assert listed(client, id="c3") == ["c3"]
    assert listed(client, id="c3", page=2) == []
    assert listed(client, id="nope") == []


def test_public_concepts_are_read_by_all_and_changed_by_none(client: Any) -> None:
    assert get(client, "ai_l8TKp2h5", user_app_id=PUBLIC).concept.name == "people"
    assert "ai_VPmHr5bm" in listed(client, user_app_id=PUBLIC)
    reply = patch(client, Concept(id="ai_l8TKp2h5", name="folk"), expect=ABSENT)
    assert reply.status.description == "Resource does not exist"
    patch(client, Concept(id="ai_l8TKp2h5", name="folk"), expect=ABSENT, user_app_id=PUBLIC)
    request = service_pb2.PostConceptsRequest(user_app_id=PUBLIC, concepts=[Concept(id="mine")])
    client.call("PostConcepts", request, expect=ABSENT)
    assert get(client, "ai_l8TKp2h5", user_app_id=PUBLIC).concept.name == "people"


def test_a_concept_that_is_not_there_does_not_exist(client: Any) -> None:
    assert "'nope'" in get(client, "nope", expect=ABSENT).status.details


def test_patch_replaces_what_is_set_and_leaves_the_rest(client: Any) -> None:
    (before,) = post(client, Concept(id="a", name="A", definition="first letter")).concepts
    (after,) = patch(client, Concept(id="a", name="Alpha")).concepts
    assert (after.name, after.definition, after.created_at) == ("Alpha", "first letter", before.created_at)
    assert get(client, "a").concept == after


def test_several_concepts_change_at_once_or_not_at_all(client: Any) -> None:
    post(client, Concept(id="a"), Concept(id="b"))
    assert [c.name for c in patch(client, Concept(id="b", name="B"), Concept(id="a", name="A")).concepts] == ["B", "A"]
    reply = patch(client, Concept(id="a", name="lost"), Concept(id="nope", name="lost"), expect=ABSENT)
    assert "'nope'" in reply.status.details
    assert get(client, "a").concept.name == "A"


@pytest.mark.parametrize("action", ["", "merge", "remove"])
def test_only_overwrite_is_an_action(client: Any, action: str) -> None:
    post(client, Concept(id="a"))
    request = patch(client, Concept(id="a", name="x"), action=action, expect=status_code_pb2.CONN_INVALID_REQUEST)
    assert "overwrite" in request.status.details


@pytest.mark.parametrize(
    "bad", [{"name": "x" * 257}, {"name": "a\x00b"}, {"definition": "x" * 65_537}], ids=["long", "NUL", "definition"]
)
def test_texts_that_are_no_name_or_too_long_are_refused(client: Any, bad: dict[str, Any]) -> None:
    post(client, Concept(id="good"))
    post(client, Concept(id="c", **bad), expect=INVALID)
    reply = patch(client, Concept(id="good", **bad), expect=INVALID)
    assert "concept 'good'" in reply.status.details
    assert get(client, "good").concept.name == "good"


def test_an_id_is_looked_for_by_a_part_of_it_or_with_a_wild_card(client: Any) -> None:
    post(client, *[Concept(id=i) for i in ("Red cat", "cat", "caterpillar", "dog", "100%", "1_0")])
    assert listed(client, id="CAT") == ["Red cat", "cat", "caterpillar"]
    assert listed(client, id="c*p") == ["caterpillar"]
    assert listed(client, id="cat", page=2, per_page=2) == ["caterpillar"]
    assert listed(client, id="%") == ["100%"]
    assert listed(client, id="_") == ["1_0"]


def test_overwrite_replaces_metadata_as_a_whole(client: Any) -> None:
    def with_metadata(**values: Any) -> Concept:
        concept = Concept(id="a")
        concept.metadata.update(values)
        return concept

    post(client, with_metadata(colour="red", size=1))
    (after,) = patch(client, with_metadata(size=2)).concepts
    assert dict(after.metadata) == {"size": 2.0}
    (after,) = patch(client, Concept(id="a", name="A")).concepts
    assert dict(after.metadata) == {"size": 2.0}
    patch(client, with_metadata(size=float("inf")), expect=status_code_pb2.CONN_INVALID_REQUEST)
    post(client, Concept(id="b", metadata=with_metadata(size=float("nan")).metadata), expect=11102)


def test_a_concept_changes_once_a_call(client: Any) -> None:
    post(client, Concept(id="a"))
    reply = patch(client, Concept(id="a", name="first"), Concept(id="a", name="second"), expect=INVALID)
    assert "duplicate" in reply.status.details
    assert get(client, "a").concept.name == "a"


def test_what_only_a_search_can_say_is_not_kept(client: Any) -> None:
    extra = ConceptExtraInfo(is_rankable=True)
    (concept,) = post(client, Concept(id="a", extra_info=extra)).concepts
    assert not concept.HasField("extra_info")
