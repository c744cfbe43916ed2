"""Evaluations of model versions: what was asked for, how far it is, and what came out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from labelwright.store import tables as t
from labelwright.store.engine import now

_e = t.evaluations.c

# Without the result, which may have megabytes; what a listing shows of it stands in the params.
_LIGHT = select(*(column for column in _e if column is not _e.result))


def add(
    conn: Connection, app: int, *, id: str, model_version: int, job: str, status_code: int, params: Mapping[str, Any]
) -> int:
    """Insert an evaluation; returns its key. One of the same id is replaced, and its job goes with it."""
    at = now()
    conn.execute(delete(t.jobs).where(t.jobs.c.id.in_(select(_e.job).where(_e.app == app, _e.id == id))))
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


def newest_of_model(conn: Connection, app: int, model: int) -> Row[Any] | None:
    """The evaluation in an app that was asked for last of any version of a model, without a result."""
    versions = select(t.model_versions.c.pk).where(t.model_versions.c.model == model)
    query = _LIGHT.where(_e.app == app, _e.model_version.in_(versions))
    return conn.execute(query.order_by(_e.pk.desc()).limit(1)).first()


def _figure(name: str) -> ColumnElement[float]:
    # One that can't be told stands with the zeros.
    return func.coalesce(_e.params["summary", name].as_float(), 0.0)


ORDERS: Mapping[str, ColumnElement[Any]] = {
    "created_at": _e.pk,
    "app_id": t.apps.c.id,
    "model_id": t.models.c.id,
    "roc_auc": _figure("macro_roc_auc"),
    "f1": _figure("macro_f1"),
    "precision": _figure("macro_precision"),
    "recall": _figure("macro_recall"),
}
"""What a listing can be sorted by."""


def listing(
    conn: Connection,
    apps: Collection[int],
    *,
    versions: Collection[int] | None = None,
    model_type_id: str = "",
    below: int | None = None,
    order: str = "created_at",
    ascending: bool = False,
    offset: int = 0,
    limit: int | None = None,
) -> list[Row[Any]]:
    """A page of the evaluations of some apps, without results; newest first where no order is named.

    Args:
        versions: the keys of the versions that they may be of.
        model_type_id: the type of the models that they may be of.
        below: those whose status code is smaller alone.
        order: of `ORDERS`.
    """
    query = (
        _LIGHT.join(t.apps, t.apps.c.pk == _e.app)
        .join(t.model_versions, t.model_versions.c.pk == _e.model_version)
        .join(t.models, t.models.c.pk == t.model_versions.c.model)
        .where(*_among(apps, model_type_id, below))
    )
    if versions is not None:
        # Written out: SQLite takes 32,766 values in one statement.
        keys: Any = bindparam("versions", list(versions), expanding=True, literal_execute=True)
        query = query.where(_e.model_version.in_(keys))
    query = query.order_by(*(key.asc() if ascending else key.desc() for key in (ORDERS[order], _e.pk)))
    return list(conn.execute(query.offset(offset).limit(limit)))


def versions_evaluated(
    conn: Connection, apps: Collection[int], *, model_type_id: str = "", below: int | None = None
) -> list[int]:
    """The keys of the versions that a listing is of; arguments as of `listing`."""
    query = (
        select(_e.model_version)
        .join(t.model_versions, t.model_versions.c.pk == _e.model_version)
        .join(t.models, t.models.c.pk == t.model_versions.c.model)
        .where(*_among(apps, model_type_id, below))
    )
    return list(conn.execute(query.distinct()).scalars())


def _among(apps: Collection[int], model_type_id: str, below: int | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [_e.app.in_(list(apps))]
    if model_type_id:
        found.append(t.models.c.model_type_id == model_type_id)
    if below is not None:
        found.append(_e.status_code < below)
    return found
