"""Concept relations: posted in one direction, found from both ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import ConceptsInvalidRequest, DoesNotExist
from labelwright.ids import new_id
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources import concepts as concept_handlers
from labelwright.protocol.wire import SUCCESS, offset_limit, status
from labelwright.store import apps, concepts, knowledge_graphs, relations
from labelwright.store.relations import INVERSE, Edge

MAX_RELATIONS = 128
MAX_DELETED = 10_000
"""Ids in one deletion: clients list all of a concept's relations and send their ids back at once."""

Name = tuple[str, str, str]
"""Owner, app id and concept id."""


@serves("PostConceptRelations")
def post_concept_relations(
    call: Call, request: service_pb2.PostConceptRelationsRequest
) -> service_pb2.MultiConceptRelationResponse:
    """Add relations of one subject: all of them or, where one can't be added, none."""
    given = list(request.concept_relations)
    if not 1 <= len(given) <= MAX_RELATIONS:
        raise ConceptsInvalidRequest(f"{len(given)} relations given; 1 to {MAX_RELATIONS} a call are legal")
    for relation in given:
        _check_predicate(relation.predicate)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        # The new revision comes first: it locks the app's row, so that nobody adds the same meanwhile.
        apps.bump(conn, app.pk)
        _check_graphs(conn, app, {r.knowledge_graph_id for r in given} - {""})
        ends = [(_subject(app, request.concept_id, r), _object(app, r)) for r in given]
        pks = _find(conn, call, app, {name for pair in ends for name in pair})
        edges = [
            Edge(pks[subject], r.predicate, pks[object_], r.knowledge_graph_id)
            for (subject, object_), r in zip(ends, given, strict=True)
        ]
        _check_new(conn, app, edges, given, ends)
        added = {new_id(): edge for edge in edges}
        relations.add(conn, app.pk, added)
        made = _to_wire(conn, list(added.items()))
    return service_pb2.MultiConceptRelationResponse(concept_relations=made)


@serves("ListConceptRelations")
def list_concept_relations(
    call: Call, request: service_pb2.ListConceptRelationsRequest
) -> service_pb2.MultiConceptRelationResponse:
    """Relations, oldest first.

    With a concept: those with it at either end, told so that it is the subject. Without: every relation
    once, as it was posted, or told the other way round where that is what ``predicate`` asks for.
    """
    offset, limit = offset_limit(request)
    if request.predicate:
        _check_predicate(request.predicate)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        ends = _ends(conn, app, request.concept_id) if request.concept_id else None
        rows = relations.page(
            conn,
            app.pk,
            ends=ends,
            predicate=request.predicate,
            knowledge_graph_id=request.knowledge_graph_id,
            offset=offset,
            limit=limit,
        )
        made = _to_wire(conn, [(row.id, _told(row, ends, request.predicate)) for row in rows])
    return service_pb2.MultiConceptRelationResponse(concept_relations=made)


@serves("DeleteConceptRelations")
def delete_concept_relations(call: Call, request: service_pb2.DeleteConceptRelationsRequest) -> status_pb2.BaseResponse:
    """Delete relations that have the concept at either end: all that are named or none."""
    ids = set(request.ids)
    if not 1 <= len(ids) <= MAX_DELETED:
        raise ConceptsInvalidRequest(
            f"{len(ids)} relation ids given; 1 to {MAX_DELETED} a call are legal. An empty list deletes nothing: "
            "ListConceptRelations tells the ids"
        )
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        apps.bump(conn, app.pk)
        found = relations.by_ids(conn, app.pk, ids)
        if request.concept_id:
            ends = set(_ends(conn, app, request.concept_id))
            found = {i: row for i, row in found.items() if ends & {row.subject, row.object}}
        if missing := sorted(ids - set(found)):
            of = f" of concept {request.concept_id!r}" if request.concept_id else ""
            raise DoesNotExist(f"app {app.id!r} has no relation {', '.join(map(repr, missing))}{of}")
        relations.remove(conn, [row.pk for row in found.values()])
    return status_pb2.BaseResponse(status=status(SUCCESS))


def _told(row: Row[Any], ends: Sequence[int] | None, predicate: str) -> Edge:
    """A stored relation in the direction that a listing asks for."""
    edge = Edge(row.subject, row.predicate, row.object, row.knowledge_graph_id)
    asked = edge.subject in ends if ends is not None else predicate in ("", edge.predicate)
    return edge if asked else edge.turned()


def _check_predicate(predicate: str) -> None:
    if predicate not in INVERSE:
        raise ConceptsInvalidRequest(f"predicate is {predicate!r}; legal are {', '.join(INVERSE)}")


def _check_graphs(conn: Connection, app: Row[Any], ids: set[str]) -> None:
    missing = sorted(ids - knowledge_graphs.existing(conn, app.pk, ids)) if ids else []
    if missing:
        raise DoesNotExist(
            f"app {app.id!r} has no knowledge graph {', '.join(map(repr, missing))}; PostKnowledgeGraphs adds "
            "one, and an empty knowledge_graph_id means the app's global one"
        )


def _subject(app: Row[Any], concept_id: str, relation: resources_pb2.ConceptRelation) -> Name:
    named = relation.subject_concept.id
    if concept_id and named and named != concept_id:
        raise ConceptsInvalidRequest(
            f"a relation's subject is {named!r}, but concept_id is {concept_id!r}; leave one out"
        )
    if not concept_id and not named:
        raise ConceptsInvalidRequest("concept_id is empty: say which concept is the subject")
    return app.user_id, app.id, concept_id or named


def _object(app: Row[Any], relation: resources_pb2.ConceptRelation) -> Name:
    concept = relation.object_concept
    if not concept.id:
        raise ConceptsInvalidRequest("a relation's object_concept has no id")
    if concept.app_id == PUBLIC_APP and concept.user_id in ("", PUBLIC_USER):
        return PUBLIC_USER, PUBLIC_APP, concept.id
    if concept.app_id in ("", app.id) and concept.user_id in ("", app.user_id):
        return app.user_id, app.id, concept.id
    return concept.user_id, concept.app_id or app.id, concept.id


def _find(conn: Connection, call: Call, app: Row[Any], names: set[Name]) -> dict[Name, int]:
    """Concept keys by name; apps that the caller can't see are as good as absent."""
    rows: dict[tuple[str, str], Row[Any]] = {}
    for user, app_id in {name[:2] for name in names}:
        own = (user, app_id) == (app.user_id, app.id)
        try:
            place = resources_pb2.UserAppIDSet(user_id=user, app_id=app_id)
            rows[user, app_id] = app if own else call.app(conn, place)
        except DoesNotExist:
            continue
    ids: dict[int, set[str]] = {}
    for user, app_id, concept_id in names:
        if (user, app_id) in rows:
            ids.setdefault(rows[user, app_id].pk, set()).add(concept_id)
    found = {pk: concepts.keys(conn, pk, wanted) for pk, wanted in ids.items()}
    pks = {}
    for name in sorted(names):
        user, app_id, concept_id = name
        row = rows.get((user, app_id))
        pk = found[row.pk].get(concept_id) if row is not None else None
        if pk is None:
            why = "the app has no such concept" if row is not None else "this key can't see such an app"
            place_ = f"{user or call.user_id}/{app_id}"
            raise DoesNotExist(f"there is no concept {concept_id!r} in {place_}: {why}")
        pks[name] = pk
    return pks


def _check_new(
    conn: Connection,
    app: Row[Any],
    edges: Sequence[Edge],
    given: Sequence[resources_pb2.ConceptRelation],
    ends: Sequence[tuple[Name, Name]],
) -> None:
    present = relations.present(conn, app.pk, edges)
    seen: set[Edge] = set()
    for edge, relation, (subject, object_) in zip(edges, given, ends, strict=True):
        told = f"{'/'.join(subject)} {relation.predicate} {'/'.join(object_)}"
        if edge.subject == edge.object:
            raise ConceptsInvalidRequest(f"{told}: a concept can't be related to itself")
        if edge in present or edge in seen:
            how = "it is there already" if edge in present else "it is given twice"
            raise ConceptsInvalidRequest(f"duplicate relation: {told}; {how}, in this form or turned round")
        seen |= {edge, edge.turned()}


def _ends(conn: Connection, app: Row[Any], concept_id: str) -> list[int]:
    """The concepts that an id means: the app's own or, without one, those that its relations point at."""
    own = concepts.keys(conn, app.pk, [concept_id])
    found = list(own.values()) or relations.foreign_ends(conn, app.pk, concept_id)
    if not found:
        raise DoesNotExist(
            f"app {app.id!r} has no concept {concept_id!r}, nor a relation to another app's concept of that id"
        )
    return found


def _to_wire(conn: Connection, told: Iterable[tuple[str, Edge]]) -> list[resources_pb2.ConceptRelation]:
    edges = list(told)
    rows = concepts.by_pks(conn, {pk for _, e in edges for pk in (e.subject, e.object)}) if edges else {}
    owners = apps.by_pks(conn, {row.app for row in rows.values()}) if rows else {}
    wire = {pk: concept_handlers.to_wire(row, owners[row.app]) for pk, row in rows.items()}
    return [
        resources_pb2.ConceptRelation(
            id=relation_id,
            subject_concept=wire[edge.subject],
            object_concept=wire[edge.object],
            predicate=edge.predicate,
            knowledge_graph_id=edge.knowledge_graph_id,
            visibility=resources_pb2.Visibility(gettable=resources_pb2.Visibility.PRIVATE),
        )
        for relation_id, edge in edges
    ]
