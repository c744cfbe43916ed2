"""Who and what has annotated an app's inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from labelwright.store import tables as t


def authors(conn: Connection, app: int, *, trusted_only: bool) -> list[tuple[str, str, str]]:
    """Every user, model version and workflow version (ids, "" for none) that stand together in an annotation."""
    a = t.annotations.c
    # ix_annotations_list holds all of these columns: no row is read.
    query = select(a.user_id, a.model_version_id, a.workflow_version_id).where(a.app == app, a.listed).distinct()
    if trusted_only:
        query = query.where(a.trusted)
    return [tuple(row) for row in conn.execute(query)]


def models(conn: Connection, version_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Model version id to the model's id and name, and its app's id and owner; those that are gone are left out."""
    query: Select[Any] = (
        select(
            t.model_versions.c.id.label("version_id"),
            t.models.c.id,
            t.models.c.name,
            t.apps.c.id.label("app_id"),
            t.apps.c.user_id,
        )
        .join_from(t.model_versions, t.models)
        .join(t.apps, t.apps.c.pk == t.models.c.app)
        .where(t.model_versions.c.id.in_(bindparam("ids", expanding=True)))
    )
    return {row.version_id: row for row in conn.execute(query, {"ids": list(version_ids)})}


def workflows(conn: Connection, version_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Workflow version id to the workflow's id, and its app's id and owner; as `models`."""
    query: Select[Any] = (
        select(
            t.workflow_versions.c.id.label("version_id"),
            t.workflows.c.id,
            t.apps.c.id.label("app_id"),
            t.apps.c.user_id,
        )
        .join_from(t.workflow_versions, t.workflows)
        .join(t.apps, t.apps.c.pk == t.workflows.c.app)
        .where(t.workflow_versions.c.id.in_(bindparam("ids", expanding=True)))
    )
    return {row.version_id: row for row in conn.execute(query, {"ids": list(version_ids)})}


def users(conn: Connection, ids: Iterable[str]) -> dict[str, bytes]:
    """User id to what else is kept of the user, for those of ``ids`` that there are."""
    query = select(t.users.c.id, t.users.c.wire).where(t.users.c.id.in_(bindparam("ids", expanding=True)))
    return {row.id: row.wire for row in conn.execute(query, {"ids": list(ids)})}
