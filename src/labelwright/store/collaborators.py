"""Collaborators: people whom an app's owner lets in, and what they may do there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from labelwright.ids import new_ids
from labelwright.store.engine import now
from labelwright.store.tables import apps, collaborators


def of(conn: Connection, app: int, user_id: str) -> Row[Any] | None:
    """A user's row as a collaborator of an app; None for who is none."""
    query = select(collaborators).where(collaborators.c.app == app, collaborators.c.user_id == user_id)
    return conn.execute(query).first()


def people(conn: Connection, app: int) -> frozenset[str]:
    """The ids of all the users who are collaborators of an app."""
    return frozenset(conn.execute(select(collaborators.c.user_id).where(collaborators.c.app == app)).scalars())


def add(conn: Connection, app: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let people in, given as user_id, scopes and endpoints. The caller has looked that none is in already."""
    at = now()
    more = [{"app": app, "id": id_, "created_at": at, "modified_at": at} for id_ in new_ids(len(rows))]
    conn.execute(insert(collaborators), [{**m, **r} for m, r in zip(more, rows, strict=True)])


def page(conn: Connection, app: int, *, offset: int, limit: int) -> list[Row[Any]]:
    """An app's collaborators, oldest first."""
    query = select(collaborators).where(collaborators.c.app == app).order_by(collaborators.c.pk)
    return list(conn.execute(query.offset(offset).limit(limit)))


def by_ids(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """An app's collaborators by their ids as such, which are not those of the users."""
    query = select(collaborators).where(collaborators.c.app == app, collaborators.c.id.in_(list(ids)))
    return {row.id: row for row in conn.execute(query)}


def by_users(conn: Connection, app: int, user_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """An app's collaborators by the ids of the users."""
    query = select(collaborators).where(collaborators.c.app == app, collaborators.c.user_id.in_(list(user_ids)))
    return {row.user_id: row for row in conn.execute(query)}


def change(conn: Connection, pk: int, **values: Any) -> None:
    """Set what a collaborator may do: scopes, endpoints."""
    conn.execute(update(collaborators).where(collaborators.c.pk == pk).values(modified_at=now(), **values))


def remove(conn: Connection, pks: Iterable[int]) -> None:
    """Show people out."""
    conn.execute(delete(collaborators).where(collaborators.c.pk.in_(list(pks))))


def of_user(conn: Connection, user_id: str, owner: str | None = None) -> list[tuple[Row[Any], Row[Any]]]:
    """The apps of others that a user is let into, first come first: the collaborator's row and the app's.

    Args:
        owner: only apps of this user.
    """
    rows = list(
        conn.execute(select(collaborators).where(collaborators.c.user_id == user_id).order_by(collaborators.c.pk))
    )
    query = select(apps).where(apps.c.pk.in_([row.app for row in rows]))
    found = {row.pk: row for row in conn.execute(query if owner is None else query.where(apps.c.user_id == owner))}
    return [(row, found[row.app]) for row in rows if row.app in found]
