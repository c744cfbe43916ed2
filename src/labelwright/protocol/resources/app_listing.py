"""Which of a user's apps a listing means, and in which order.

It reads all of the user's apps, since the texts that are searched lie in their messages; a plain listing
goes without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Row

from labelwright.protocol.wire import parse


def matching(rows: Sequence[Row[Any]], request: service_pb2.ListAppsRequest) -> list[Row[Any]]:
    """The apps among ``rows`` (oldest first) that the request's filters let through, in its order."""
    if request.starred_only or request.featured_only:
        # Nobody stars or picks apps here.
        return []
    parsed = [(row, parse(resources_pb2.App, row.wire)) for row in rows]
    kept = [(row, app) for row, app in parsed if _wanted(row, app, request)]
    key = _order(request)
    if key is not None:
        kept.sort(key=key, reverse=not request.sort_ascending)
    return [row for row, _ in kept]


def _order(
    request: service_pb2.ListAppsRequest,
) -> Callable[[tuple[Row[Any], resources_pb2.App]], Any] | None:
    if request.sort_by_name:
        return lambda pair: ((pair[1].name or pair[0].id).casefold(), pair[0].pk)
    if request.sort_by_id:
        return lambda pair: pair[0].id
    if request.sort_by_modified_at:
        return lambda pair: (pair[0].modified_at, pair[0].pk)
    if request.sort_by_created_at:
        return lambda pair: pair[0].pk
    return None


def _wanted(row: Row[Any], app: resources_pb2.App, request: service_pb2.ListAppsRequest) -> bool:
    name = app.name or row.id
    if request.id and not _like(row.id, request.id):
        return False
    if request.name and not any(_like(text, request.name) for text in (row.id, name, app.notes)):
        return False
    if request.template_only and not app.is_template.value:
        return False
    asked = request.visibility.gettable
    if asked and asked != (app.visibility.gettable or resources_pb2.Visibility.PRIVATE):
        return False
    text = " ".join((row.id, name, app.description, app.notes)).casefold()
    if any(word not in text for word in request.query.casefold().split()):
        return False
    words = [text, *re.findall(r"\w+", text.replace("_", " "))]
    return all(any(w.startswith(k) for w in [*words, *text.split()]) for k in request.search.casefold().split())


def _like(text: str, pattern: str) -> bool:
    """Whether a text is the pattern, where ``*`` stands for any characters; case does not count."""
    # A bracket is no wild card here.
    return fnmatchcase(text.casefold(), pattern.casefold().replace("[", "[[]"))
