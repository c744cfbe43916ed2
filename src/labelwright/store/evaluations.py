"""Evaluations of model versions: what was asked for, how far it is, and what came out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from labelwright.store import tables as t
from labelwright.store.engine import now

_e = t.evaluations.c

# Without the result, which may have megabytes; what a listing shows of it stands in the params.
_LIGHT = select(*(column for column in _e if column is not _e.result))


def add(
    conn: Connection, app: int, *, id: str, model_version: int, job: str, status_code: int, params: Mapping[str, Any]
) -> int:
    """Insert an evaluation; returns its key. One of the same id is replaced."""
    at = now()
    conn.execute(delete(t.evaluations).where(_e.app == app, _e.id == id))
    result = conn.execute(
        insert(t.evaluations).values(
            app=app,
            id=id,
            model_version=model_version,
            job=job,
            status_code=status_code,
            params=dict(params),
            created_at=at,
            modified_at=at,
        )
    )
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    return pk


def change(conn: Connection, pk: int, **values: Any) -> bool:
    """Set columns; False where it is gone."""
    query = update(t.evaluations).where(_e.pk == pk)
    return conn.execute(query.values(modified_at=now(), **values)).rowcount > 0


def get(conn: Connection, app: int, id: str) -> Row[Any] | None:
    """One of an app's evaluations, whole."""
    return conn.execute(select(t.evaluations).where(_e.app == app, _e.id == id)).first()


def of_job(conn: Connection, job: str) -> Row[Any] | None:
    """The evaluation that a job is to make, without a result."""
    return conn.execute(_LIGHT.where(_e.job == job)).first()


def newest(conn: Connection, app: int, model_version: int) -> Row[Any] | None:
    """The evaluation of a version in an app that was asked for last, whole."""
    query = select(t.evaluations).where(_e.app == app, _e.model_version == model_version)
    return conn.execute(query.order_by(_e.pk.desc()).limit(1)).first()


def listing(conn: Connection, apps: Collection[int], *, model_version: int | None = None) -> list[Row[Any]]:
    """The evaluations of some apps, newest first, without results; of one version alone where it is given."""
    query = _LIGHT.where(_e.app.in_(list(apps)))
    if model_version is not None:
        query = query.where(_e.model_version == model_version)
    return list(conn.execute(query.order_by(_e.pk.desc())))


def of_model(conn: Connection, app: int, model: int) -> list[Row[Any]]:
    """The evaluations in an app of all versions of a model, newest first, without results."""
    versions = select(t.model_versions.c.pk).where(t.model_versions.c.model == model)
    query = _LIGHT.where(_e.app == app, _e.model_version.in_(versions))
    return list(conn.execute(query.order_by(_e.pk.desc())))
