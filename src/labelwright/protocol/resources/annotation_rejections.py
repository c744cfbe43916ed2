"""What a person says no to when changing or deleting what a model made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from labelwright.store import annotations as stored
from labelwright.store import tables as t
from labelwright.store.annotations import Rejection


def model_made(row: Row[Any]) -> bool:
    """Whether an annotation goes back to a model, even if a person confirmed it since."""
    if row.origin == t.CONFIRMED:
        return bool(row.model_version_id) or row.run is not None
    return bool(row.origin == t.MODEL)


def rejections(row: Row[Any], concepts: Iterable[Row[Any]], user_id: str) -> list[Rejection]:
    """The rejections of some of an annotation's concepts; none where no model made it.

    What a person added to a confirmed annotation has no score: taking that back rejects nothing.

    Args:
        row: the annotation before the change.
        concepts: those that are rejected, as from `annotations.concepts_of`.
    """
    if not model_made(row):
        return []
    return [
        Rejection(row.input, c.concept, row.wire, c.slot, user_id)
        for c in concepts
        if c.score is not None or row.origin == t.MODEL
    ]


def write_rejections(conn: Connection, of: Mapping[int, Sequence[Rejection]]) -> dict[int, dict[str, Any]]:
    """Remember rejections, given by the key of their annotation; returns what undoing asks for, by it too."""
    pks = iter(stored.reject(conn, [r for some in of.values() for r in some]))
    return {pk: {"rejections": [next(pks) for _ in some]} if some else {} for pk, some in of.items()}
