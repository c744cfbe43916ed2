"""Searching concepts by name: the app's own, the public ones, and those of a model or workflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.operators import registry
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources import concepts as concept_handlers
from labelwright.protocol.resources.model_concepts import of_version
from labelwright.protocol.resources.model_wire import find, find_version, public_app
from labelwright.protocol.resources.workflow_wire import find as find_workflow
from labelwright.protocol.text_filters import every, like, sliced
from labelwright.protocol.wire import offset_limit
from labelwright.store import apps, concept_languages, concept_searches, models, workflows
from labelwright.store.concept_searches import Wanted

MAX_PATTERN = 256
"""Characters of the name that is searched for: as many as a name has."""

_OUTPUTS = {
    resources_pb2.CLASSIFICATION: "concepts",
    resources_pb2.DETECTION: "regions[...].data.concepts",
}
"""A use case to the field that a model for it fills."""

Version = tuple[Row[Any], Row[Any]]
"""A model's app, and its version."""


@serves("PostConceptsSearches")
def post_concepts_searches(
    call: Call, request: service_pb2.PostConceptsSearchesRequest
) -> service_pb2.MultiConceptResponse:
    """Concepts by name and language.

    Without a model, workflow or use case the app's own and the public ones. With one, the app's own and then those
    of that source; the source's alone where ``ignore_app_concepts`` or a use case is given.
    """
    query = request.concept_query
    offset, limit = offset_limit(request.pagination)
    _check(request)
    sourced = bool(query.model.id or query.workflow.id or query.workflow_id or query.use_cases)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        public = public_app(conn)
        places = {} if query.ignore_app_concepts or query.use_cases else {app.pk: app}
        if not sourced and public is not None:
            places.setdefault(public.pk, public)
        wanted = Wanted(
            tuple(places),
            query.name,
            query.language,
            tuple(pk for pk, place in places.items() if concept_handlers.language_of(place) == query.language),
        )
        rows = concept_searches.page(conn, wanted, offset=offset, limit=limit)
        made = _told(conn, rows, places, query.language)
        if sourced and len(made) < limit:
            before = concept_searches.count(conn, wanted)
            more = _of_source(conn, call, request, app, own=bool(places))
            made += sliced(more, max(0, offset - before), limit - len(made))
    return service_pb2.MultiConceptResponse(concepts=made)


def _check(request: service_pb2.PostConceptsSearchesRequest) -> None:
    query = request.concept_query
    if request.extra_info.HasField("rankable_model"):
        raise InvalidRequest("extra_info.rankable_model can't be answered: nothing is ranked by concepts here")
    if query.model.id and (query.workflow.id or query.workflow_id):
        raise InvalidRequest("concept_query names a model and a workflow; legal is one of them")
    if len(query.name) > MAX_PATTERN:
        raise InvalidRequest(f"concept_query.name has {len(query.name)} characters; {MAX_PATTERN} at most are legal")
    if unknown := [u for u in query.use_cases if u not in _OUTPUTS]:
        legal = ", ".join(resources_pb2.WorkflowModelUseCase.Name(u) for u in _OUTPUTS)
        raise InvalidRequest(f"concept_query.use_cases holds {unknown[0]}; legal are {legal}")


def _told(
    conn: Connection, rows: list[Row[Any]], places: dict[int, Row[Any]], language: str
) -> list[resources_pb2.Concept]:
    names = concept_languages.of_concepts(conn, [r.pk for r in rows], language) if language else {}
    made = []
    for row in rows:
        concept = concept_handlers.to_wire(row, places[row.app])
        if row.pk in names and concept.language != language:
            _say(concept, names[row.pk])
        made.append(concept)
    return made


def _say(concept: resources_pb2.Concept, named: Row[Any]) -> None:
    concept.name, concept.language = named.name, named.language
    concept.definition = named.definition or concept.definition


def _of_source(
    conn: Connection, call: Call, request: service_pb2.PostConceptsSearchesRequest, app: Row[Any], *, own: bool
) -> Iterator[resources_pb2.Concept]:
    """The concepts of the model, the workflow or the models of a use case, each once.

    Args:
        own: whether all of the app's own concepts have been looked at already.
    """
    query = request.concept_query
    seen: set[tuple[str, str, str]] = set()
    for home, version in _versions(conn, call, request, app):
        for concept in of_version(conn, home, version):
            name = (concept.user_id, concept.app_id, concept.id)
            # What the app doesn't have itself has no time at which it was made.
            if name in seen or (own and home.pk == app.pk and concept.HasField("created_at")):
                continue
            seen.add(name)
            concept.value = 1
            if query.language and concept.language != query.language:
                found = concept_languages.of_names(conn, [name], query.language)
                if name not in found:
                    continue
                _say(concept, found[name])
            if not query.name or like(concept.name, query.name):
                yield concept


def _versions(
    conn: Connection, call: Call, request: service_pb2.PostConceptsSearchesRequest, app: Row[Any]
) -> Iterator[Version]:
    query = request.concept_query
    if query.model.id:
        found: Iterator[Version] = _of_model(conn, call, request)
    elif query.workflow.id or query.workflow_id:
        found = _of_workflow(conn, call, request)
    else:
        found = _all(conn, app)
    for home, version in found:
        kind = registry.get(version.model_type_id)
        if kind.predicts and (not query.use_cases or any(_OUTPUTS[u] in kind.outputs for u in query.use_cases)):
            yield home, version


def _of_model(conn: Connection, call: Call, request: service_pb2.PostConceptsSearchesRequest) -> Iterator[Version]:
    asked = request.concept_query.model
    home, model = find(conn, call, _place(request.user_app_id, asked), asked.id)
    version_id = asked.model_version.id
    version = find_version(conn, model, version_id) if version_id else models.version(conn, model.pk)
    if version is not None:
        yield home, models.versions_by_pk(conn, [version.pk])[version.pk]


def _of_workflow(conn: Connection, call: Call, request: service_pb2.PostConceptsSearchesRequest) -> Iterator[Version]:
    asked = request.concept_query.workflow
    workflow_id = asked.id or request.concept_query.workflow_id
    _, workflow = find_workflow(conn, call, _place(request.user_app_id, asked), workflow_id)
    version = workflows.version(conn, workflow.pk, asked.version.id)
    if version is None:
        raise DoesNotExist(f"workflow {workflow.id!r} has no version {asked.version.id!r}")
    keys = [node.model_version for node in workflows.nodes(conn, version.pk)]
    rows = models.versions_by_pk(conn, set(keys))
    homes = apps.by_pks(conn, {row.app for row in rows.values()})
    for key in dict.fromkeys(keys):
        if key in rows:
            yield homes[rows[key].app], rows[key]


def _all(conn: Connection, app: Row[Any]) -> Iterator[Version]:
    """The newest versions of the predicting models of the app, then of the public one."""
    types = [t.id for t in registry.all_types() if t.predicts]
    public = public_app(conn)
    homes = {app.pk: app} | ({public.pk: public} if public is not None else {})
    for home in homes.values():

        def fetch(offset: int, limit: int, home: Row[Any] = home) -> list[tuple[Row[Any], Row[Any] | None]]:
            return models.listing(conn, [home.pk], model_type_ids=types, offset=offset, limit=limit)

        for _, version in every(fetch):
            if version is not None:
                yield home, models.versions_by_pk(conn, [version.pk])[version.pk]


def _place(user_app_id: resources_pb2.UserAppIDSet, named: Any) -> resources_pb2.UserAppIDSet:
    """Where a model or workflow is looked for: the app that it names, else the request's."""
    if not named.app_id:
        return user_app_id
    if named.app_id == PUBLIC_APP and not named.user_id:
        return resources_pb2.UserAppIDSet(user_id=PUBLIC_USER, app_id=PUBLIC_APP)
    return resources_pb2.UserAppIDSet(user_id=named.user_id or user_app_id.user_id, app_id=named.app_id)
