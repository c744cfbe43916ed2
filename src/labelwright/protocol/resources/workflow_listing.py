"""Listing workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.app_listing import meant
from labelwright.protocol.resources.workflow_wire import to_wire
from labelwright.protocol.text_filters import check_lengths, every, like, order_of, queried, searched, sliced
from labelwright.protocol.wire import offset_limit, parse
from labelwright.store import workflows


@serves("ListWorkflows")
def list_workflows(call: Call, request: service_pb2.ListWorkflowsRequest) -> service_pb2.MultiWorkflowResponse:
    """The workflows of the app named, or of all the user's apps; oldest first where no order is asked for."""
    offset, limit = offset_limit(request)
    check_lengths(request, "search", "search_term", "query", "id")
    texts = f"{request.search} {request.search_term}".strip()
    if request.sort_by_relevance and not texts:
        raise InvalidRequest("sort_by_relevance is set and search is empty; say what is to be relevant to")
    with call.store.read() as conn:
        homes = meant(conn, call, request.user_app_id)
        if request.starred_only or request.featured_only or request.bookmark:
            # Nobody stars, picks or bookmarks workflows here.
            return service_pb2.MultiWorkflowResponse()

        def fetch(skip: int, most: int) -> list[Row[Any]]:
            order, ascending = order_of(request, "id", "modified_at", "created_at")
            return workflows.listing(conn, homes, order=order, ascending=ascending, offset=skip, limit=most)

        def relevant() -> Iterator[Row[Any]]:
            # Two readings, since a sort would need all of them in memory: first those whose ids hold the words.
            for first in (True, False):
                yield from (row for row in every(fetch) if searched((row.id,), texts) == first)

        if texts or request.query.strip() or request.id or request.visibility.gettable:
            source = relevant() if request.sort_by_relevance else every(fetch)
            rows = sliced((row for row in source if _wanted(row, homes[row.app], request, texts)), offset, limit)
        else:
            rows = fetch(offset, limit)
        made = _shown(conn, rows, homes)
    return service_pb2.MultiWorkflowResponse(workflows=made)


def _shown(conn: Connection, rows: Sequence[Row[Any]], homes: Mapping[int, Row[Any]]) -> list[resources_pb2.Workflow]:
    """Workflows as clients see them, in the order of ``rows``, whatever app each is of."""
    made: dict[int, resources_pb2.Workflow] = {}
    for key in {row.app for row in rows}:
        those = [row for row in rows if row.app == key]
        made.update(zip((row.pk for row in those), to_wire(conn, those, homes[key]), strict=True))
    return [made[row.pk] for row in rows]


def _wanted(row: Row[Any], app: Row[Any], request: service_pb2.ListWorkflowsRequest, texts: str) -> bool:
    workflow = parse(resources_pb2.Workflow, row.wire)
    asked = request.visibility.gettable
    if asked and asked != (workflow.visibility.gettable or resources_pb2.Visibility.PRIVATE):
        return False
    if request.id and not like(row.id, request.id):
        return False
    said = (row.id, workflow.description, workflow.notes)
    # Where the owner is named already, all that is listed is theirs.
    searchable = said if request.user_app_id.user_id else (*said, app.user_id)
    return searched(searchable, texts) and queried(said, request.query)
