"""Concept relations, through the official client."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, Concept, ConceptRelation, KnowledgeGraph, UserAppIDSet, Visibility
from clarifai_grpc.grpc.api.status import status_code_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from labelwright.store import apps, relations
from tests.integration.some_people import another, place, share

ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONCEPTS_INVALID_REQUEST
PEOPLE = Concept(id="ai_l8TKp2h5", app_id="main")


@pytest.fixture
def app(client: Any) -> Any:
    """The client, its app with the concepts honey, food, sweet and people, and the graph kitchen."""
    concepts = [Concept(id=i, name=i.title()) for i in ("honey", "food", "sweet", "people")]
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts))
    graphs = [KnowledgeGraph(id="kitchen")]
    client.call("PostKnowledgeGraphs", service_pb2.PostKnowledgeGraphsRequest(knowledge_graphs=graphs))
    return client


def relation(predicate: str, other: str | Concept, graph: str = "") -> ConceptRelation:
    concept = Concept(id=other) if isinstance(other, str) else other
    return ConceptRelation(object_concept=concept, predicate=predicate, knowledge_graph_id=graph)


def post(client: Any, subject: str, *given: ConceptRelation, expect: int = 10000) -> Any:
    request = service_pb2.PostConceptRelationsRequest(concept_id=subject, concept_relations=given)
    return client.call("PostConceptRelations", request, expect=expect)


def listing(client: Any, concept_id: str = "", expect: int = 10000, **more: Any) -> Any:
    request = service_pb2.ListConceptRelationsRequest(concept_id=concept_id, **more)
    return client.call("ListConceptRelations", request, expect=expect)


def told(reply: Any) -> list[tuple[str, str, str]]:
    return [(r.subject_concept.id, r.predicate, r.object_concept.id) for r in reply.concept_relations]


def delete(client: Any, concept_id: str, *ids: str, expect: int = 10000) -> Any:
    request = service_pb2.DeleteConceptRelationsRequest(concept_id=concept_id, ids=ids)
    return client.call("DeleteConceptRelations", request, expect=expect)


def revision(client: Any) -> int:
    with client.server.store.read() as conn:
        row = apps.get(conn, client.user_id, "app")
        assert row is not None
        number: int = row.revision
        return number


# --- posting --------------------------------------------------------------------------------------


def test_a_posted_relation_comes_back_with_full_concepts(app: Any) -> None:
    (made,) = post(app, "honey", relation("hyponym", "food")).concept_relations
    assert len(made.id) == 32
    assert set(made.id) <= set("0123456789abcdef")
    for concept, name in ((made.subject_concept, "Honey"), (made.object_concept, "Food")):
        assert (concept.name, concept.value, concept.language) == (name, 1.0, "en")
        assert (concept.app_id, concept.user_id) == ("app", app.user_id)
        assert concept.visibility.gettable == Visibility.PRIVATE
        assert concept.created_at.ToMicroseconds() > 0
    assert (made.predicate, made.knowledge_graph_id) == ("hyponym", "")
    assert made.visibility.gettable == Visibility.PRIVATE
    assert list(listing(app).concept_relations) == [made]


@pytest.mark.parametrize(
    "concept",
    [
        PEOPLE,
        Concept(id="ai_l8TKp2h5", app_id="main", user_id="clarifai"),
    ],
)
def test_main_without_a_user_is_the_public_app(app: Any, concept: Concept) -> None:
    (made,) = post(app, "people", relation("synonym", concept)).concept_relations
    assert made.object_concept.name == "people"
    assert (made.object_concept.app_id, made.object_concept.user_id) == ("main", "clarifai")


def test_the_object_may_live_in_another_app_of_the_caller(app: Any) -> None:
    app.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="other")]))
    there = UserAppIDSet(user_id="me", app_id="other")
    app.call("PostConcepts", service_pb2.PostConceptsRequest(user_app_id=there, concepts=[Concept(id="honey")]))
    (made,) = post(app, "honey", relation("synonym", Concept(id="honey", app_id="other"))).concept_relations
    assert (made.subject_concept.app_id, made.object_concept.app_id) == ("app", "other")
    assert told(listing(app, "honey")) == [("honey", "synonym", "honey")]
    reply = app.call("ListConceptRelations", service_pb2.ListConceptRelationsRequest(user_app_id=there))
    assert not reply.concept_relations


def test_the_reply_is_in_the_order_of_the_request(app: Any) -> None:
    reply = post(app, "honey", relation("synonym", "sweet"), relation("hyponym", "food"))
    assert told(reply) == [("honey", "synonym", "sweet"), ("honey", "hyponym", "food")]


def test_the_subject_may_stand_in_the_relation(app: Any) -> None:
    given = relation("hyponym", "food")
    given.subject_concept.id = "honey"
    assert told(post(app, "", given)) == [("honey", "hyponym", "food")]
    assert "sweet" in post(app, "sweet", given, expect=INVALID).status.details
    assert "subject" in post(app, "", relation("hyponym", "food"), expect=INVALID).status.details


@pytest.mark.parametrize(
    ("subject", "other", "where"),
    [
        ("nope", Concept(id="food"), "'nope' in {user}/app"),
        ("honey", Concept(id="nope"), "'nope' in {user}/app"),
        ("honey", Concept(id="honey", app_id="main"), "'honey' in clarifai/main"),
        ("honey", Concept(id="food", app_id="nowhere"), "'food' in {user}/nowhere"),
        ("honey", Concept(id="food", user_id="stranger"), "'food' in stranger/app"),
        ("honey", Concept(id="food", app_id="secret", user_id="clarifai"), "'food' in clarifai/secret"),
    ],
)
def test_an_unknown_concept_is_named_with_the_place(app: Any, subject: str, other: Concept, where: str) -> None:
    reply = post(app, subject, relation("synonym", "sweet"), relation("hypernym", other), expect=ABSENT)
    assert where.format(user=app.user_id) in reply.status.details
    assert told(listing(app)) == []


@pytest.mark.parametrize(
    ("stored", "again"),
    [
        (("honey", "hyponym", "food"), ("honey", "hyponym", "food")),
        (("honey", "hyponym", "food"), ("food", "hypernym", "honey")),
        (("honey", "hypernym", "food"), ("food", "hyponym", "honey")),
        (("honey", "synonym", "sweet"), ("sweet", "synonym", "honey")),
    ],
)
def test_a_duplicate_is_refused_in_either_form(
    app: Any, stored: tuple[str, str, str], again: tuple[str, str, str]
) -> None:
    post(app, stored[0], relation(stored[1], stored[2]))
    reply = post(app, again[0], relation("synonym", "people"), relation(again[1], again[2]), expect=INVALID)
    assert "duplicate" in reply.status.details
    assert f"{again[0]} {again[1]}" in reply.status.details
    assert told(listing(app)) == [stored]


def test_a_duplicate_within_one_call_is_refused(app: Any) -> None:
    turned = relation("synonym", "honey")
    turned.subject_concept.id = "sweet"
    given = relation("synonym", "sweet")
    given.subject_concept.id = "honey"
    assert "duplicate" in post(app, "", given, turned, expect=INVALID).status.details
    assert "duplicate" in post(app, "honey", given, given, expect=INVALID).status.details
    assert told(listing(app)) == []


def test_the_same_relation_may_stand_in_two_graphs(app: Any) -> None:
    post(app, "honey", relation("hyponym", "food"), relation("hyponym", "food", "kitchen"))
    reply = post(app, "food", relation("hypernym", "honey", "kitchen"), expect=INVALID)
    assert "duplicate" in reply.status.details


def test_opposite_relations_of_two_concepts_are_two_relations(app: Any) -> None:
    post(app, "honey", relation("hyponym", "food"), relation("hypernym", "food"))
    assert told(listing(app, "food")) == [("food", "hypernym", "honey"), ("food", "hyponym", "honey")]


def test_a_concept_is_not_related_to_itself(app: Any) -> None:
    assert "itself" in post(app, "honey", relation("synonym", "honey"), expect=INVALID).status.details


@pytest.mark.parametrize("predicate", ["", "Synonym", "antonym"])
def test_a_predicate_that_is_not_legal_is_refused(app: Any, predicate: str) -> None:
    details = post(app, "honey", relation(predicate, "food"), expect=INVALID).status.details
    assert all(p in details for p in ("synonym", "hypernym", "hyponym"))


def test_an_unknown_graph_is_named(app: Any) -> None:
    assert "'cellar'" in post(app, "honey", relation("hyponym", "food", "cellar"), expect=ABSENT).status.details


def test_one_to_128_relations_a_call(app: Any) -> None:
    post(app, "honey", expect=INVALID)
    concepts = [Concept(id=f"c{i}") for i in range(128)]
    app.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts))
    given = [relation("synonym", c.id) for c in concepts]
    post(app, "honey", *given, relation("hyponym", "food"), expect=INVALID)
    assert len(post(app, "honey", *given).concept_relations) == 128


def test_a_relation_without_an_object_is_refused(app: Any) -> None:
    post(app, "honey", ConceptRelation(predicate="synonym"), expect=INVALID)


def test_a_call_is_a_handful_of_statements_however_many_relations_it_has(app: Any) -> None:
    concepts = [Concept(id=f"c{i}") for i in range(128)]
    app.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts))
    statements: list[str] = []

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(app.server.store.engine, "before_cursor_execute", count)
    post(app, "honey", *[relation("synonym", c.id) for c in concepts])
    posted = len(statements)
    listing(app, "honey")
    assert posted <= 14
    assert len(statements) - posted <= 8


def test_of_two_callers_who_post_the_same_one_is_told_so(app: Any) -> None:
    codes: list[int] = []
    start = threading.Barrier(4)

    def run(subject: str, other: str) -> None:
        request = service_pb2.PostConceptRelationsRequest(
            concept_id=subject, concept_relations=[relation("synonym", other)]
        )
        start.wait()
        codes.append(app.call("PostConceptRelations", request, expect=None).status.code)

    pairs = [("honey", "sweet"), ("sweet", "honey")] * 2
    threads = [threading.Thread(target=run, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [10000, INVALID, INVALID, INVALID]


# --- listing --------------------------------------------------------------------------------------


def test_a_concept_is_found_from_both_ends(app: Any) -> None:
    post(app, "honey", relation("hyponym", "food"), relation("synonym", "sweet"))
    assert told(listing(app, "honey")) == [("honey", "hyponym", "food"), ("honey", "synonym", "sweet")]
    assert told(listing(app, "food")) == [("food", "hypernym", "honey")]
    assert told(listing(app, "sweet")) == [("sweet", "synonym", "honey")]
    assert told(listing(app, "people")) == []
    assert listing(app, "food").concept_relations[0].id == listing(app, "honey").concept_relations[0].id


def test_without_a_concept_every_relation_is_told_once_as_stored(app: Any) -> None:
    post(app, "food", relation("hypernym", "honey"))
    post(app, "honey", relation("synonym", "sweet"))
    assert told(listing(app)) == [("food", "hypernym", "honey"), ("honey", "synonym", "sweet")]


def test_a_predicate_without_a_concept_turns_its_opposites(app: Any) -> None:
    post(app, "honey", relation("hyponym", "food"), relation("synonym", "sweet"))
    post(app, "food", relation("hypernym", "sweet"))
    assert told(listing(app, predicate="hypernym")) == [("food", "hypernym", "honey"), ("food", "hypernym", "sweet")]
    assert told(listing(app, predicate="hyponym")) == [("honey", "hyponym", "food"), ("sweet", "hyponym", "food")]
    assert told(listing(app, predicate="synonym")) == [("honey", "synonym", "sweet")]


def test_a_predicate_with_a_concept_is_meant_of_that_concept(app: Any) -> None:
    post(app, "honey", relation("hyponym", "food"), relation("hypernym", "sweet"))
    assert told(listing(app, "honey", predicate="hyponym")) == [("honey", "hyponym", "food")]
    assert told(listing(app, "food", predicate="hyponym")) == []
    assert told(listing(app, "food", predicate="hypernym")) == [("food", "hypernym", "honey")]
    assert told(listing(app, "sweet", predicate="hyponym")) == [("sweet", "hyponym", "honey")]
    assert "legal are" in listing(app, "honey", predicate="kind", expect=INVALID).status.details


def test_a_graph_narrows_and_no_graph_means_all(app: Any) -> None:
    post(app, "honey", relation("hyponym", "food"), relation("synonym", "sweet", "kitchen"))
    assert len(listing(app).concept_relations) == 2
    (found,) = listing(app, knowledge_graph_id="kitchen").concept_relations
    assert (found.predicate, found.knowledge_graph_id) == ("synonym", "kitchen")
    assert told(listing(app, "sweet", knowledge_graph_id="kitchen")) == [("sweet", "synonym", "honey")]
    assert told(listing(app, "food", knowledge_graph_id="kitchen")) == []


def test_a_public_concept_is_found_by_its_id(app: Any) -> None:
    post(app, "people", relation("hypernym", PEOPLE))
    (found,) = listing(app, PEOPLE.id).concept_relations
    assert (found.subject_concept.app_id, found.predicate, found.object_concept.id) == ("main", "hyponym", "people")


def test_an_unknown_concept_does_not_exist(app: Any) -> None:
    assert "'nope'" in listing(app, "nope", expect=ABSENT).status.details
    assert PEOPLE.id in listing(app, PEOPLE.id, expect=ABSENT).status.details


def test_pages_have_the_size_that_was_asked_for(app: Any) -> None:
    post(app, "honey", relation("hyponym", "food"), relation("synonym", "sweet"), relation("hypernym", "people"))
    post(app, "food", relation("synonym", "sweet"))
    assert len(listing(app, per_page=3).concept_relations) == 3
    assert len(listing(app, per_page=3, page=2).concept_relations) == 1
    assert told(listing(app, "food", per_page=1, page=2)) == [("food", "synonym", "sweet")]
    assert told(listing(app, per_page=500, page=1000)) == []


# --- deleting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("concept_id", ["honey", "food", ""])
def test_a_relation_is_deleted_from_either_end(app: Any, concept_id: str) -> None:
    first, second = post(app, "honey", relation("hyponym", "food"), relation("synonym", "sweet")).concept_relations
    delete(app, concept_id, first.id, first.id)
    assert [r.id for r in listing(app).concept_relations] == [second.id]


def test_what_the_sdk_lists_by_a_public_concept_it_can_delete(app: Any) -> None:
    post(app, "people", relation("synonym", PEOPLE))
    (found,) = listing(app, PEOPLE.id).concept_relations
    delete(app, PEOPLE.id, found.id)
    assert told(listing(app)) == []


def test_ids_that_are_not_the_concepts_delete_nothing(app: Any) -> None:
    first, second = post(app, "honey", relation("hyponym", "food"), relation("synonym", "sweet")).concept_relations
    assert second.id in delete(app, "food", first.id, second.id, expect=ABSENT).status.details
    assert "nope" in delete(app, "honey", first.id, "nope", expect=ABSENT).status.details
    assert "'nope'" in delete(app, "nope", first.id, expect=ABSENT).status.details
    assert "ListConceptRelations" in delete(app, "honey", expect=INVALID).status.details
    assert len(listing(app).concept_relations) == 2


def test_every_change_makes_a_new_revision_and_a_refusal_none(app: Any) -> None:
    before = revision(app)
    (made,) = post(app, "honey", relation("hyponym", "food")).concept_relations
    assert revision(app) == before + 1
    post(app, "honey", relation("hyponym", "food"), expect=INVALID)
    listing(app)
    assert revision(app) == before + 1
    delete(app, "honey", made.id)
    assert revision(app) == before + 2


def test_the_public_apps_relations_can_not_be_changed(app: Any) -> None:
    public = UserAppIDSet(user_id="clarifai", app_id="main")
    request = service_pb2.PostConceptRelationsRequest(
        user_app_id=public, concept_id="ai_l8TKp2h5", concept_relations=[relation("synonym", "ai_dxSG2s86")]
    )
    app.call("PostConceptRelations", request, expect=ABSENT)
    gone = service_pb2.DeleteConceptRelationsRequest(user_app_id=public, concept_id="ai_l8TKp2h5", ids=["x"])
    app.call("DeleteConceptRelations", gone, expect=ABSENT)
    assert told(app.call("ListConceptRelations", service_pb2.ListConceptRelationsRequest(user_app_id=public))) == []


# --- the operators' snapshot, and the algebra -----------------------------------------------------


def test_the_snapshot_holds_all_that_operators_need(app: Any) -> None:
    post(app, "people", relation("synonym", PEOPLE, "kitchen"))
    post(app, "honey", relation("hyponym", "food"))
    with app.server.store.read() as conn:
        row = apps.get(conn, app.user_id, "app")
        assert row is not None
        first, second = relations.snapshot(conn, row.pk)
    assert (first.subject_user_id, first.subject_app_id, first.subject_id) == (app.user_id, "app", "people")
    assert (first.object_user_id, first.object_app_id, first.object_id) == ("clarifai", "main", "ai_l8TKp2h5")
    assert (first.subject_name, first.object_name) == ("People", "people")
    assert (first.predicate, first.knowledge_graph_id) == ("synonym", "kitchen")
    assert (second.subject_id, second.predicate, second.object_id) == ("honey", "hyponym", "food")


IDS = ("honey", "food", "sweet", "people")
TRIPLES = st.tuples(st.sampled_from(IDS), st.sampled_from(tuple(relations.INVERSE)), st.sampled_from(IDS)).filter(
    lambda t: t[0] != t[2]
)


@given(st.lists(TRIPLES, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_listed_is_what_was_said(app: Any, triples: list[tuple[str, str, str]]) -> None:
    """Whatever is posted: one of two forms is stored, each concept sees its side, and predicates agree."""

    def turned(t: tuple[str, str, str]) -> tuple[str, str, str]:
        return t[2], relations.INVERSE[t[1]], t[0]

    stored: list[tuple[str, str, str]] = []
    ids = []
    for t in triples:
        known = t in stored or turned(t) in stored
        reply = post(app, t[0], relation(t[1], t[2]), expect=INVALID if known else 10000)
        if not known:
            stored.append(t)
            ids += [r.id for r in reply.concept_relations]
    assert told(listing(app)) == stored
    for concept_id in IDS:
        seen = [t if t[0] == concept_id else turned(t) for t in stored if concept_id in (t[0], t[2])]
        assert told(listing(app, concept_id)) == seen
        for predicate in relations.INVERSE:
            expected = [t for t in seen if t[1] == predicate]
            assert told(listing(app, concept_id, predicate=predicate)) == expected
    if ids:
        delete(app, "", *ids)
    assert told(listing(app)) == []


# --- who may relate what --------------------------------------------------------------------------


def test_a_collaborator_relates_the_apps_concepts(app: Any) -> None:
    guest = another(app)
    share(app, guest, "All")
    for one in (relation("hyponym", "food"), relation("synonym", Concept(id="sweet", app_id="app"))):
        request = service_pb2.PostConceptRelationsRequest(
            user_app_id=place(app), concept_id="honey", concept_relations=[one]
        )
        (made,) = guest.call("PostConceptRelations", request).concept_relations
        assert made.object_concept.user_id == app.user_id
    foreign = ConceptRelation(object_concept=Concept(id="food", app_id="app", user_id="me"), predicate="synonym")
    request = service_pb2.PostConceptRelationsRequest(
        user_app_id=place(app), concept_id="people", concept_relations=[foreign]
    )
    assert "can't see" in guest.call("PostConceptRelations", request, expect=ABSENT).status.details


def test_another_app_is_seen_by_those_alone_who_may_read_it(app: Any) -> None:
    """A concept of an app that is shared may be related to; so it was of one's own app alone."""
    guest = another(app)
    share(app, guest, "All")
    named = UserAppIDSet(user_id=guest.user_id, app_id="theirs")
    guest.call("PostApps", service_pb2.PostAppsRequest(user_app_id=named, apps=[App(id="theirs")]))
    concepts = [Concept(id="miel")]
    guest.call("PostConcepts", service_pb2.PostConceptsRequest(user_app_id=named, concepts=concepts))
    given = relation("synonym", Concept(id="honey", app_id="app", user_id=app.user_id))
    request = service_pb2.PostConceptRelationsRequest(user_app_id=named, concept_id="miel", concept_relations=[given])
    (made,) = guest.call("PostConceptRelations", request).concept_relations
    assert (made.object_concept.id, made.object_concept.user_id) == ("honey", app.user_id)
    stranger = another(app)
    mine = UserAppIDSet(user_id=stranger.user_id, app_id="mine")
    stranger.call("PostApps", service_pb2.PostAppsRequest(user_app_id=mine, apps=[App(id="mine")]))
    stranger.call("PostConcepts", service_pb2.PostConceptsRequest(user_app_id=mine, concepts=concepts))
    request.user_app_id.CopyFrom(mine)
    assert "can't see" in stranger.call("PostConceptRelations", request, expect=ABSENT).status.details
