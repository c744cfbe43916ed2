"""Knowledge graphs: named subsets of an app's relations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from labelwright.store.engine import now
from labelwright.store.tables import knowledge_graphs


def add(conn: Connection, app: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert graphs given as id and wire. The caller has looked that the ids are free."""
    at = now()
    conn.execute(insert(knowledge_graphs), [{"app": app, "created_at": at, **r} for r in rows])


def existing(conn: Connection, app: int, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` that the app has a graph for."""
    query = select(knowledge_graphs.c.id).where(knowledge_graphs.c.app == app)
    return {row.id for row in conn.execute(query.where(knowledge_graphs.c.id.in_(list(ids))))}


def all_of(conn: Connection, app: int) -> list[Row[Any]]:
    """An app's graphs, oldest first."""
    query = select(knowledge_graphs).where(knowledge_graphs.c.app == app)
    return list(conn.execute(query.order_by(knowledge_graphs.c.pk)))
