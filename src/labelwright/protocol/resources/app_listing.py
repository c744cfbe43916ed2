"""Which of a user's apps a listing means, and in which order.

The texts that are searched lie in the apps' messages, so that all of them are read, some at a time; a plain
listing goes without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest
from labelwright.models.catalogue import PUBLIC_USER
from labelwright.protocol.auth import Rights
from labelwright.protocol.dispatch import Call
from labelwright.protocol.text_filters import check_lengths, every, like, searched
from labelwright.protocol.wire import parse
from labelwright.store import apps, collaborators

Order = Callable[[Row[Any], resources_pb2.App], Any]


def seen(conn: Connection, call: Call, owner: str) -> Iterable[Row[Any]]:
    """A user's apps as far as the caller sees them, oldest first: of another user, those shared with the caller."""
    if owner in (call.user_id, PUBLIC_USER):
        return every(lambda offset, limit: apps.page(conn, owner, offset=offset, limit=limit))
    shared = collaborators.of_user(conn, call.user_id, owner)
    let_in = [app for guest, app in shared if not Rights.of(guest.scopes, guest.endpoints).missing(call.method)]
    return sorted(let_in, key=lambda app: app.pk)


def meant(conn: Connection, call: Call, user_app_id: resources_pb2.UserAppIDSet) -> dict[int, Row[Any]]:
    """Key to app of those that a listing is of: the one named or, where none is, all of the user's that are seen.

    Raises:
        LabelwrightError: as `Call.app`.
    """
    one = user_app_id.app_id or call.caller.app is not None
    found = [call.app(conn, user_app_id)] if one else seen(conn, call, call.owner(user_app_id))
    return {app.pk: app for app in found}


def matching(rows: Iterable[Row[Any]], request: service_pb2.ListAppsRequest) -> list[int]:
    """The keys of the apps among ``rows`` (oldest first) that the request's filters let through, in its order.

    Raises:
        InvalidRequest: the order is by relevance to a search, and there is none.
    """
    check_lengths(request, "search", "query", "name", "id")
    order = _order(request)
    if request.starred_only or request.featured_only:
        # Nobody stars or picks apps here.
        return []
    kept = []
    for row in rows:
        app = parse(resources_pb2.App, row.wire)
        if _wanted(row, app, request):
            kept.append((order(row, app) if order else row.pk, row.pk))
    if order is not None:
        kept.sort(reverse=not request.sort_ascending)
    return [pk for _, pk in kept]


def named(rows: Iterable[Row[Any]], name: str) -> list[int]:
    """The keys of the apps whose name, or id, is like ``name``; "" finds all."""
    return [
        row.pk
        for row in rows
        if not name or any(like(text, name) for text in (row.id, parse(resources_pb2.App, row.wire).name))
    ]


def _order(request: service_pb2.ListAppsRequest) -> Order | None:
    if request.sort_by_name:
        return lambda row, app: (app.name or row.id).casefold()
    if request.sort_by_id:
        return lambda row, _: row.id
    if request.sort_by_modified_at:
        return lambda row, _: row.modified_at
    if request.sort_by_created_at:
        return lambda row, _: row.pk
    if request.sort_by_relevance:
        keywords = request.search.casefold().split()
        if not keywords:
            raise InvalidRequest("sort_by_relevance is set and search is empty: say what the apps shall be relevant to")
        return lambda row, app: _relevance(row, app, keywords)
    return None


def _relevance(row: Row[Any], app: resources_pb2.App, keywords: list[str]) -> int:
    """How well an app answers keywords: the id or name itself, a word of it, a beginning of one, other texts."""
    short = f"{row.id} {app.name}".casefold()
    words = short.replace("-", " ").replace("_", " ").split()
    return sum(
        8 * (k in (row.id.casefold(), app.name.casefold()))
        + 4 * (k in words)
        + 2 * any(w.startswith(k) for w in words)
        + (k in app.description.casefold())
        for k in keywords
    )


def _wanted(row: Row[Any], app: resources_pb2.App, request: service_pb2.ListAppsRequest) -> bool:
    name = app.name or row.id
    if request.id and not like(row.id, request.id):
        return False
    if request.name and not any(like(text, request.name) for text in (row.id, name, app.notes)):
        return False
    if request.template_only and not app.is_template.value:
        return False
    asked = request.visibility.gettable
    if asked and asked != (app.visibility.gettable or resources_pb2.Visibility.PRIVATE):
        return False
    texts = (row.id, name, app.description, app.notes)
    # The deprecated query looks within words too, as search does not.
    text = " ".join(texts).casefold()
    return all(word in text for word in request.query.casefold().split()) and searched(texts, request.search)
