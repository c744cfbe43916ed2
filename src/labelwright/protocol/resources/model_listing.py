"""Listing models, and searching them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest
from labelwright.operators import registry
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.app_listing import meant
from labelwright.protocol.resources.model_wire import to_wire
from labelwright.protocol.text_filters import check_lengths, every, like, order_of, queried, searched, sliced
from labelwright.protocol.wire import MAX_PER_PAGE, offset_limit
from labelwright.store import models

Shown = tuple[Row[Any], resources_pb2.Model]
Homes = Mapping[int, Row[Any]]
"""The apps of a listing, by their keys."""

_LICENSE = ("license",)
_TAGS = ("toolkits", "use_cases", "languages")
_EQUAL = ("license_type", "source", "creator")
_TEXTS = ("name", "search", "query")


@serves("ListModels")
def list_models(call: Call, request: service_pb2.ListModelsRequest) -> service_pb2.MultiModelResponse:
    """The models of the app named, or of all the user's apps; oldest first where no order is asked for."""
    offset, limit = offset_limit(request)
    check_lengths(request, *_TEXTS)
    if (count := len(request.model_version_ids)) > MAX_PER_PAGE:
        raise InvalidRequest(f"{count} model_version_ids given; {MAX_PER_PAGE} at most are legal")
    if request.sort_by_relevance and not request.search.strip():
        raise InvalidRequest("sort_by_relevance is set and search is empty; say what is to be relevant to")
    with call.store.read() as conn:
        homes = meant(conn, call, request.user_app_id)
        if request.starred_only or request.featured_only or request.bookmark or request.min_replicas:
            # Nobody stars, picks, bookmarks or deploys models here.
            return service_pb2.MultiModelResponse()

        def fetch(skip: int, most: int) -> list[tuple[Row[Any], Row[Any] | None]]:
            order, ascending = order_of(request, "name", "modified_at", "created_at")
            return models.listing(
                conn,
                homes,
                order=order,
                ascending=ascending,
                offset=skip,
                limit=most,
                model_type_ids=_types(request),
                status_code=status_code_pb2.MODEL_TRAINED if request.trained_only else None,
                version_ids=list(request.model_version_ids) or None,
            )

        if any(getattr(request, f) for f in (*_TEXTS, *_TAGS, *_EQUAL, *_LICENSE)) or request.visibility.gettable:
            found = sliced(_ranked(lambda: _shown(every(fetch), homes), homes, request), offset, limit)
        else:
            found = list(_shown(iter(fetch(offset, limit)), homes))
        made = [model for _, model in found]
        if {"counts", "all"} & set(request.additional_fields):
            _count(conn, found)
    return service_pb2.MultiModelResponse(models=made)


@serves("PostModelsSearches")
def post_models_searches(call: Call, request: service_pb2.PostModelsSearchesRequest) -> service_pb2.MultiModelResponse:
    """The models of the app named whose id or name is the one given, with ``*`` as the wild card; oldest first."""
    offset, limit = offset_limit(request.pagination)
    check_lengths(request.model_query, "name")
    name, kind = request.model_query.name, request.model_query.model_type_id
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)

        def fetch(skip: int, most: int) -> list[tuple[Row[Any], Row[Any] | None]]:
            return models.listing(conn, [app.pk], offset=skip, limit=most, model_type_ids=[kind] if kind else None)

        rows = every(fetch) if name else iter(fetch(offset, limit))
        found = ((row, version) for row, version in rows if not name or any(like(t, name) for t in _names(row)))
        page = sliced(found, offset if name else 0, limit)
        made = [to_wire(row, app, version) for row, version in page]
    return service_pb2.MultiModelResponse(models=made)


def _shown(rows: Iterator[tuple[Row[Any], Row[Any] | None]], homes: Homes) -> Iterator[Shown]:
    return ((row, to_wire(row, homes[row.app], version)) for row, version in rows)


def _ranked(
    rows: Callable[[], Iterator[Shown]], homes: Homes, request: service_pb2.ListModelsRequest
) -> Iterator[Shown]:
    """Those that the filters let through; by relevance, those first whose names hold what is searched for."""
    if not request.sort_by_relevance:
        yield from (pair for pair in rows() if _wanted(*pair, homes[pair[0].app], request))
        return
    # Two readings, since a sort would need all of them in memory.
    for first in (True, False):
        yield from (
            pair
            for pair in rows()
            if searched(_names(pair[0]), request.search) == first and _wanted(*pair, homes[pair[0].app], request)
        )


def _names(row: Row[Any]) -> tuple[str, ...]:
    return (row.id, row.name, row.alias or "")


def _wanted(row: Row[Any], model: resources_pb2.Model, app: Row[Any], request: service_pb2.ListModelsRequest) -> bool:
    asked = request.visibility.gettable
    if asked and asked != model.visibility.gettable:
        return False
    if request.license and request.license != model.model_version.license:
        return False
    if any(getattr(request, f) not in (0, "", getattr(model, f)) for f in _EQUAL):
        return False
    if any(getattr(request, f) and not set(getattr(request, f)) & set(getattr(model, f)) for f in _TAGS):
        return False
    names = _names(row)
    owner = (app.user_id,) if request.filter_by_user_id else ()
    if request.name and not any(like(text, request.name) for text in (*names, model.description, *owner)):
        return False
    texts = (*names, model.description, model.notes)
    # Where the owner is named already, all that is listed is theirs.
    searchable = texts if request.user_app_id.user_id else (*texts, app.user_id)
    return searched(searchable, request.search) and queried((*names, model.description), request.query)


def _types(request: service_pb2.ListModelsRequest) -> list[str] | None:
    """The types that the request's filters leave; None for all."""
    if not (request.model_type_id or request.input_fields or request.output_fields):
        return None
    return [
        t.id
        for t in registry.all_types()
        if request.model_type_id in ("", t.id)
        and (not request.input_fields or set(request.input_fields) & set(t.inputs))
        and (not request.output_fields or set(request.output_fields) & set(t.outputs))
    ]


def _count(conn: Connection, found: list[Shown]) -> None:
    counts = models.count_versions(conn, [row.pk for row, _ in found])
    for row, model in found:
        model.version_count = counts.get(row.pk, 0)
