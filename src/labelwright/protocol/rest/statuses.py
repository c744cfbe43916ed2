"""Which HTTP status a reply has."""

from __future__ import annotations

from functools import cache
from typing import Any

from labelwright import errors

WELL = {10000: 200, 10010: 200, 10070: 202}
"""Success, mixed success, accepted. Mixed is 200: the items' own statuses say which went well, and clients that take
200 alone for a reply that is worth reading would miss them."""

FAILED = 10020
"""None of the items went well; the same code stands for an error within the server, which says 500 of itself."""


def http_status(state: Any) -> int:
    """The HTTP status of a reply with this Status: the one it names, else that of the errors with its code."""
    return int(state.http_status_code) or _table().get(state.code, 400)


@cache
def _table() -> dict[int, int]:
    table: dict[int, int] = {}
    for error in _below(errors.LabelwrightError):
        # Several errors may share a code; where nothing says which it was, the plainest is meant.
        table[error.code] = min(table.get(error.code, error.http_status), error.http_status)
    return table | {FAILED: 400} | WELL


def _below(kind: type[errors.LabelwrightError]) -> list[type[errors.LabelwrightError]]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]
