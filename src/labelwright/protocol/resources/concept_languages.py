"""What concepts are called in other languages. In the app's own language it is the concept's own name."""

from __future__ import annotations

import re
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import ConceptsInvalidRequest, DoesNotExist, InvalidRequest
from labelwright.ids import free_id_problem
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.concepts import MAX_DEFINITION, language_of, to_bytes
from labelwright.protocol.wire import offset_limit, parse
from labelwright.store import apps, concept_languages, concepts

MAX_LANGUAGES = 128

_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")
MAX_TAG = 35
"""Characters of a language's tag: the length that RFC 5646 asks software to have room for."""

Languages = list[resources_pb2.ConceptLanguage]


@serves("PostConceptLanguages")
def post_concept_languages(
    call: Call, request: service_pb2.PostConceptLanguagesRequest
) -> service_pb2.MultiConceptLanguageResponse:
    """Add names in other languages: all of them or, where one can't be added, none."""
    given = _given(request.concept_languages)
    for one in given:
        if not one.name:
            raise ConceptsInvalidRequest(f"language {one.id!r}: the name is empty")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        concept = _concept(conn, app, request.concept_id)
        taken = set(concept_languages.by_languages(conn, concept.pk, [g.id for g in given]))
        taken |= {g.id for g in given} & {language_of(app)}
        if taken:
            raise ConceptsInvalidRequest(
                f"duplicate language: concept {concept.id!r} has a name in {', '.join(sorted(taken))}; "
                "PatchConceptLanguages changes it"
            )
        rows = [{"language": g.id, "name": g.name, "definition": g.definition} for g in given]
        concept_languages.add(conn, concept.pk, rows)
    return service_pb2.MultiConceptLanguageResponse(concept_languages=given)


@serves("PatchConceptLanguages")
def patch_concept_languages(
    call: Call, request: service_pb2.PatchConceptLanguagesRequest
) -> service_pb2.MultiConceptLanguageResponse:
    """Change names and definitions: what is set replaces what is there. All that are given change, or none."""
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    given = _given(request.concept_languages)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        concept = _concept(conn, app, request.concept_id)
        rows = concept_languages.by_languages(conn, concept.pk, [g.id for g in given])
        own = language_of(app)
        if missing := sorted({g.id for g in given} - set(rows) - {own}):
            raise DoesNotExist(
                f"concept {concept.id!r} has no name in {', '.join(missing)}; PostConceptLanguages adds one"
            )
        for change in given:
            if change.id == own:
                _rename(conn, app, concept, change)
            else:
                said = {"name": change.name, "definition": change.definition}
                concept_languages.change(conn, concept.pk, change.id, **{k: v for k, v in said.items() if v})
        concept = _concept(conn, app, request.concept_id)
        after = concept_languages.by_languages(conn, concept.pk, [g.id for g in given])
    made = [_own(concept, app) if g.id == own else _to_wire(after[g.id]) for g in given]
    return service_pb2.MultiConceptLanguageResponse(concept_languages=made)


def _rename(conn: Connection, app: Row[Any], concept: Row[Any], change: resources_pb2.ConceptLanguage) -> None:
    wire = parse(resources_pb2.Concept, concept.wire)
    wire.id, wire.name = concept.id, change.name or concept.name
    wire.definition = change.definition or wire.definition
    concepts.change(conn, concept.pk, name=wire.name, wire=to_bytes(wire))
    apps.bump(conn, app.pk)


@serves("GetConceptLanguage")
def get_concept_language(
    call: Call, request: service_pb2.GetConceptLanguageRequest
) -> service_pb2.SingleConceptLanguageResponse:
    """What a concept is called in one language."""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        concept = _concept(conn, app, request.concept_id)
        rows = concept_languages.by_languages(conn, concept.pk, [request.language])
    if request.language == language_of(app):
        return service_pb2.SingleConceptLanguageResponse(concept_language=_own(concept, app))
    if request.language not in rows:
        raise DoesNotExist(f"concept {concept.id!r} has no name in {request.language!r}")
    return service_pb2.SingleConceptLanguageResponse(concept_language=_to_wire(rows[request.language]))


@serves("ListConceptLanguages")
def list_concept_languages(
    call: Call, request: service_pb2.ListConceptLanguagesRequest
) -> service_pb2.MultiConceptLanguageResponse:
    """What a concept is called: in the app's own language first, then in the others by their tags."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        concept = _concept(conn, app, request.concept_id)
        own = [_own(concept, app)] if offset == 0 else []
        # The own name is the first entry of the list and no row of the table.
        rows = concept_languages.page(
            conn, concept.pk, apart=language_of(app), offset=max(0, offset - 1), limit=limit - len(own)
        )
    return service_pb2.MultiConceptLanguageResponse(concept_languages=[*own, *(_to_wire(r) for r in rows)])


def _given(languages: Any) -> Languages:
    given: Languages = list(languages)
    if not 1 <= len(given) <= MAX_LANGUAGES:
        raise ConceptsInvalidRequest(f"{len(given)} languages given; 1 to {MAX_LANGUAGES} a call are legal")
    ids = [g.id for g in given]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ConceptsInvalidRequest(f"duplicate language: {', '.join(twice)} is given twice; say each once")
    for one in given:
        if len(one.id) > MAX_TAG or not _TAG.match(one.id):
            raise ConceptsInvalidRequest(f"language id {one.id!r} is not legal: a tag such as 'en' or 'pt-BR' is")
        if one.name and (problem := free_id_problem(one.name)):
            raise ConceptsInvalidRequest(f"name in language {one.id!r}: {problem}")
        if (size := len(one.definition.encode())) > MAX_DEFINITION:
            raise ConceptsInvalidRequest(
                f"definition in language {one.id!r} has {size} bytes; {MAX_DEFINITION} at most are legal"
            )
    return given


def _concept(conn: Connection, app: Row[Any], concept_id: str) -> Row[Any]:
    row = concepts.by_ids(conn, app.pk, [concept_id]).get(concept_id)
    if row is None:
        raise DoesNotExist(f"app {app.id!r} has no concept {concept_id!r}")
    return row


def _to_wire(row: Row[Any]) -> resources_pb2.ConceptLanguage:
    return resources_pb2.ConceptLanguage(id=row.language, name=row.name, definition=row.definition)


def _own(concept: Row[Any], app: Row[Any]) -> resources_pb2.ConceptLanguage:
    definition = parse(resources_pb2.Concept, concept.wire).definition
    return resources_pb2.ConceptLanguage(id=language_of(app), name=concept.name, definition=definition)
