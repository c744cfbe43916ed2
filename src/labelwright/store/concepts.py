"""Concepts of an app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update

from labelwright.store.concept_searches import is_like
from labelwright.store.engine import insert_or_ignore, now
from labelwright.store.tables import concepts


def add(conn: Connection, app: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert concepts given as id, name and wire. The caller has looked that the ids are free."""
    at = now()
    conn.execute(insert(concepts), [{"app": app, "created_at": at, "modified_at": at, **r} for r in rows])


def ensure(conn: Connection, app: int, names: Mapping[str, str]) -> dict[str, int]:
    """The keys of the concepts with these ids; those that are missing are made with the name given.

    Args:
        names: concept id to the name it gets if it is new ("" means its id).
    """
    found = keys(conn, app, names)
    missing = sorted(set(names) - set(found))
    if missing:
        at = now()
        conn.execute(
            insert_or_ignore(conn, concepts),
            [
                {
                    "app": app,
                    "id": i,
                    "name": names[i] or i,
                    "wire": b"",
                    "created_at": at,
                    "modified_at": at,
                }
                for i in missing
            ],
        )
        found |= keys(conn, app, missing)
    return found


# Built once, since every batch asks it.
_KEYS = select(concepts.c.id, concepts.c.pk).where(
    concepts.c.app == bindparam("of_app"), concepts.c.id.in_(bindparam("ids", expanding=True))
)


def keys(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, int]:
    """Concept id to key, for those of ``ids`` that the app has."""
    return {row.id: row.pk for row in conn.execute(_KEYS, {"of_app": app, "ids": list(ids)})}


def called(conn: Connection, app: int, name: str) -> str | None:
    """The id of the concept that has this id or name, in whatever case where none has it exactly."""
    query = select(concepts.c.id, concepts.c.name).where(
        concepts.c.app == app,
        or_(concepts.c.id == name, concepts.c.name == name, func.lower(concepts.c.name) == name.lower()),
    )
    rows = list(conn.execute(query.order_by(concepts.c.pk)))
    exact = [row.id for row in rows if row.id == name] + [row.id for row in rows if row.name == name]
    return next(iter([*exact, *(row.id for row in rows)]), None)


def by_ids(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Concept id to row, for those of ``ids`` that the app has."""
    query = select(concepts).where(concepts.c.app == app, concepts.c.id.in_(list(ids)))
    return {row.id: row for row in conn.execute(query)}


def by_pks(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Key to row."""
    return {row.pk: row for row in conn.execute(select(concepts).where(concepts.c.pk.in_(list(pks))))}


def page(conn: Connection, app: int, *, like: str = "", offset: int, limit: int) -> list[Row[Any]]:
    """An app's concepts, oldest first; ``like``: those alone whose id is so, with ``*`` as the wild card."""
    query = select(concepts).where(concepts.c.app == app)
    if like:
        query = query.where(is_like(concepts.c.id, like))
    return list(conn.execute(query.order_by(concepts.c.pk).offset(offset).limit(limit)))


def change(conn: Connection, pk: int, **values: Any) -> None:
    """Set columns of a concept."""
    conn.execute(update(concepts).where(concepts.c.pk == pk).values(modified_at=now(), **values))
