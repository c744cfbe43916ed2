"""Concepts."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Row

from labelwright.errors import ConceptsInvalidRequest, DoesNotExist, InvalidRequest
from labelwright.ids import MAX_FREE_ID, free_id_problem
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.protocol import patches
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.model_settings import check_json
from labelwright.protocol.wire import offset_limit, parse, set_time, without
from labelwright.store import apps, concepts

MAX_CONCEPTS = 128
MAX_DEFINITION = 64 * 1024
"""Bytes of a concept's definition: as an app's or a model's notes."""


COMPUTED = ("id", "name", "value", "created_at", "app_id", "user_id", "language", "extra_info")
"""Fields of a concept that are columns, or nobody's to set."""


def language_of(app: Row[Any]) -> str:
    """The language that an app's concepts are named in."""
    return parse(resources_pb2.App, app.wire).default_language or "en"


def to_wire(row: Row[Any], app: Row[Any], value: float = 1.0) -> resources_pb2.Concept:
    """A concept as clients see it. The value of a concept by itself is 1."""
    concept = parse(resources_pb2.Concept, row.wire)
    concept.id, concept.name, concept.value = row.id, row.name, value
    concept.app_id, concept.user_id = app.id, app.user_id
    concept.language = language_of(app)
    public = (app.user_id, app.id) == (PUBLIC_USER, PUBLIC_APP)
    default = resources_pb2.Visibility.PUBLIC if public else resources_pb2.Visibility.PRIVATE
    concept.visibility.gettable = concept.visibility.gettable or default
    set_time(concept.created_at, row.created_at)
    return concept


def to_bytes(concept: resources_pb2.Concept) -> bytes:
    """What the store keeps of a concept beside its columns.

    Raises:
        ConceptsInvalidRequest, InvalidRequest: a text is too long, or metadata can't be written as JSON.
    """
    if concept.name and (problem := free_id_problem(concept.name)):
        raise ConceptsInvalidRequest(f"name of concept {concept.id!r}: {problem}")
    if (size := len(concept.definition.encode())) > MAX_DEFINITION:
        raise ConceptsInvalidRequest(
            f"definition of concept {concept.id!r} has {size} bytes; {MAX_DEFINITION} at most are legal"
        )
    check_json(concept)
    return without(concept, *COMPUTED)


@serves("PostConcepts")
def post_concepts(call: Call, request: service_pb2.PostConceptsRequest) -> service_pb2.MultiConceptResponse:
    """Add concepts: all of them or, where one can't be added, none."""
    given = list(request.concepts)
    if not 1 <= len(given) <= MAX_CONCEPTS:
        raise ConceptsInvalidRequest(f"{len(given)} concepts given; 1 to {MAX_CONCEPTS} a call are legal")
    for concept in given:
        if problem := free_id_problem(concept.id):
            raise ConceptsInvalidRequest(f"concept id: {problem}")
    ids = [c.id for c in given]
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        twice = sorted({i for i in ids if ids.count(i) > 1} | set(concepts.keys(conn, app.pk, ids)))
        if twice:
            raise ConceptsInvalidRequest(f"duplicate concept id: {', '.join(twice)}; PatchConcepts changes one")
        concepts.add(conn, app.pk, [{"id": c.id, "name": c.name or c.id, "wire": to_bytes(c)} for c in given])
        apps.bump(conn, app.pk)
        rows = concepts.by_ids(conn, app.pk, ids)
    return service_pb2.MultiConceptResponse(concepts=[to_wire(rows[i], app) for i in ids])


@serves("GetConcept")
def get_concept(call: Call, request: service_pb2.GetConceptRequest) -> service_pb2.SingleConceptResponse:
    """One concept."""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        row = concepts.by_ids(conn, app.pk, [request.concept_id]).get(request.concept_id)
    if row is None:
        raise DoesNotExist(f"app {app.id!r} has no concept {request.concept_id!r}")
    return service_pb2.SingleConceptResponse(concept=to_wire(row, app))


@serves("ListConcepts")
def list_concepts(call: Call, request: service_pb2.ListConceptsRequest) -> service_pb2.MultiConceptResponse:
    """The app's concepts, oldest first; ``id``: those whose id has this in it, with ``*`` as the wild card."""
    offset, limit = offset_limit(request)
    if len(request.id) > MAX_FREE_ID:
        raise InvalidRequest(
            f"id has {len(request.id)} characters; {MAX_FREE_ID} at most are legal, as many as ids have"
        )
    like = f"*{request.id}*" if request.id else ""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        rows = concepts.page(conn, app.pk, like=like, offset=offset, limit=limit)
    return service_pb2.MultiConceptResponse(concepts=[to_wire(r, app) for r in rows])


@serves("PatchConcepts")
def patch_concepts(call: Call, request: service_pb2.PatchConceptsRequest) -> service_pb2.MultiConceptResponse:
    """Change names and descriptions: what is set in the request replaces what is there."""
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    if not 1 <= len(request.concepts) <= MAX_CONCEPTS:
        raise ConceptsInvalidRequest(f"{len(request.concepts)} concepts given; 1 to {MAX_CONCEPTS} a call are legal")
    ids = [c.id for c in request.concepts]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ConceptsInvalidRequest(f"duplicate concept id: {', '.join(twice)} is given twice; say each once")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        rows = concepts.by_ids(conn, app.pk, ids)
        if missing := sorted(set(ids) - set(rows)):
            raise DoesNotExist(f"app {app.id!r} has no concept {', '.join(map(repr, missing))}")
        for change in request.concepts:
            after = parse(resources_pb2.Concept, rows[change.id].wire)
            patches.apply(after, change, request.action, apart=COMPUTED)
            # For the messages of what is refused.
            after.id, after.name = change.id, change.name or rows[change.id].name
            concepts.change(conn, rows[change.id].pk, name=after.name, wire=to_bytes(after))
        apps.bump(conn, app.pk)
        rows = concepts.by_ids(conn, app.pk, ids)
    return service_pb2.MultiConceptResponse(concepts=[to_wire(rows[i], app) for i in ids])
