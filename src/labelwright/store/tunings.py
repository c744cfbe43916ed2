"""Thresholds that were chosen, by data or by hand: what came of each choice, and what there was before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from labelwright.ids import new_id
from labelwright.store import tables as t
from labelwright.store.engine import now

_T = t.tunings.c


def add(
    conn: Connection,
    app: int,
    *,
    model_version_id: str,
    params: Mapping[str, Any],
    result: Mapping[str, Any],
    made: Mapping[str, Any] | None,
    user_id: str,
) -> Row[Any]:
    """Keep a tuning; returns its row.

    Args:
        params, result: plain JSON.
        made: the versions that it made and which were the newest before; None: it was a look, and nothing was made.
    """
    values = {"model_version_id": model_version_id, "params": dict(params), "result": dict(result), "user_id": user_id}
    result_row = conn.execute(
        insert(t.tunings).values(
            app=app, id=new_id(), made=None if made is None else dict(made), created_at=now(), **values
        )
    )
    pk: int = result_row.inserted_primary_key[0]  # type: ignore[index]
    return conn.execute(select(t.tunings).where(_T.pk == pk)).one()


def of_version(conn: Connection, app: int, model_version_id: str) -> list[Row[Any]]:
    """All that was chosen for a model version, oldest first: looks, undone ones and those by hand too."""
    query = select(t.tunings).where(_T.app == app, _T.model_version_id == model_version_id)
    return list(conn.execute(query.order_by(_T.pk)))


def listing(conn: Connection, app: int, *, limit: int) -> list[Row[Any]]:
    """An app's tunings, newest first."""
    return list(conn.execute(select(t.tunings).where(_T.app == app).order_by(_T.pk.desc()).limit(limit)))


def get(conn: Connection, app: int, tuning_id: str) -> Row[Any] | None:
    """One tuning of an app by its id, the whole of it."""
    return conn.execute(select(t.tunings).where(_T.app == app, _T.id == tuning_id)).first()


def beginning_with(conn: Connection, beginning: str, *, app: int | None = None) -> list[Row[Any]]:
    """Tunings whose id begins so, two at most, each with its app's id and owner.

    Args:
        app: only this app's; None: of all apps.
    """
    query = select(t.tunings, t.apps.c.id.label("app_id"), t.apps.c.user_id.label("owner")).join(
        t.apps, t.apps.c.pk == _T.app
    )
    query = query.where(_T.id.startswith(beginning, autoescape=True)).order_by(_T.pk).limit(2)
    return list(conn.execute(query if app is None else query.where(_T.app == app)))


def mark_undone(conn: Connection, pk: int) -> bool:
    """Note that a tuning has been undone; False where it had been before."""
    query = update(t.tunings).where(_T.pk == pk, _T.undone_at.is_(None))
    return conn.execute(query.values(undone_at=now())).rowcount > 0
