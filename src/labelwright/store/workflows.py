"""Workflows and their versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update

from labelwright.ids import new_id
from labelwright.store.engine import now
from labelwright.store.tables import apps, model_versions, workflow_nodes, workflow_versions, workflows


def add(
    conn: Connection,
    app: int,
    *,
    id: str,
    wire: bytes,
    version_wire: bytes,
    nodes: Sequence[tuple[str, int]],
) -> int:
    """Insert a workflow with its first version; returns the workflow's key.

    Args:
        nodes: node id and model version key, in the order of the graph.
    """
    at = now()
    result = conn.execute(insert(workflows).values(app=app, id=id, wire=wire, created_at=at, modified_at=at))
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    add_version(conn, pk, wire=version_wire, nodes=nodes)
    return pk


def add_version(conn: Connection, workflow: int, *, wire: bytes, nodes: Sequence[tuple[str, int]]) -> int:
    """Insert a version of a workflow; returns its key."""
    at = now()
    row = {"workflow": workflow, "id": new_id(), "wire": wire}
    result = conn.execute(insert(workflow_versions).values(created_at=at, modified_at=at, **row))
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    if nodes:
        conn.execute(
            insert(workflow_nodes),
            [
                {"workflow_version": pk, "position": position, "node_id": node, "model_version": model_version}
                for position, (node, model_version) in enumerate(nodes)
            ],
        )
    conn.execute(update(workflows).where(workflows.c.pk == workflow).values(modified_at=at))
    return pk


def get(conn: Connection, app: int, workflow_id: str) -> Row[Any] | None:
    """One workflow by its id."""
    return conn.execute(select(workflows).where(workflows.c.app == app, workflows.c.id == workflow_id)).first()


def by_pk(conn: Connection, pk: int) -> Row[Any] | None:
    """One workflow by its key, with its app's id and owner beside it."""
    query = select(workflows, apps.c.id.label("app_id"), apps.c.user_id).join(apps, apps.c.pk == workflows.c.app)
    return conn.execute(query.where(workflows.c.pk == pk)).first()


def by_pks(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Workflow key to row, with its app's id and owner beside it."""
    query = select(workflows, apps.c.id.label("app_id"), apps.c.user_id).join(apps, apps.c.pk == workflows.c.app)
    return {row.pk: row for row in conn.execute(query.where(workflows.c.pk.in_(list(pks))))}


# Built once, since every batch asks it twice.
_NEWEST = (
    select(workflow_versions)
    .where(workflow_versions.c.workflow == bindparam("of"))
    .order_by(workflow_versions.c.pk.desc())
    .limit(1)
)


def version(conn: Connection, workflow: int, version_id: str = "") -> Row[Any] | None:
    """One version of a workflow; "" means the newest."""
    if version_id:
        query = select(workflow_versions).where(workflow_versions.c.workflow == workflow)
        return conn.execute(query.where(workflow_versions.c.id == version_id)).first()
    return conn.execute(_NEWEST, {"of": workflow}).first()


def nodes(conn: Connection, version: int) -> list[Row[Any]]:
    """The nodes of a version, in the order of the graph: node_id and model_version."""
    query = select(workflow_nodes).where(workflow_nodes.c.workflow_version == version)
    return list(conn.execute(query.order_by(workflow_nodes.c.position)))


def newest_versions(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Workflow key to the row of its newest version."""
    newest = (
        select(func.max(workflow_versions.c.pk))
        .where(workflow_versions.c.workflow.in_(list(pks)))
        .group_by(workflow_versions.c.workflow)
    )
    query = select(workflow_versions).where(workflow_versions.c.pk.in_(newest))
    return {row.workflow: row for row in conn.execute(query)}


def by_ids(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Id to workflow, for those that there are."""
    query = select(workflows).where(workflows.c.app == app, workflows.c.id.in_(set(ids)))
    return {row.id: row for row in conn.execute(query)}


ORDERS = {"id": workflows.c.id, "created_at": workflows.c.pk, "modified_at": workflows.c.modified_at}
"""What a listing can be sorted by."""


def listing(
    conn: Connection,
    homes: Collection[int],
    *,
    order: str = "created_at",
    ascending: bool = True,
    offset: int = 0,
    limit: int | None = None,
) -> list[Row[Any]]:
    """The workflows of the apps ``homes``; ``order`` is a key of `ORDERS`."""
    keys = (ORDERS[order], workflows.c.pk)
    query = select(workflows).where(workflows.c.app.in_(list(homes)))
    query = query.order_by(*(k.asc() if ascending else k.desc() for k in keys)).offset(offset)
    return list(conn.execute(query if limit is None else query.limit(limit)))


def all_keys(conn: Connection, app: int) -> list[int]:
    """The keys of all workflows of an app."""
    return list(conn.execute(select(workflows.c.pk).where(workflows.c.app == app)).scalars())


def versions_by_id(conn: Connection, workflow: int, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Version id to version of a workflow, for those that there are."""
    query = select(workflow_versions).where(
        workflow_versions.c.workflow == workflow, workflow_versions.c.id.in_(set(ids))
    )
    return {row.id: row for row in conn.execute(query)}


def count_versions(conn: Connection, workflow: int) -> int:
    """How many versions a workflow has."""
    query = select(func.count()).where(workflow_versions.c.workflow == workflow)
    return int(conn.execute(query).scalar_one())


def nodes_of(conn: Connection, versions: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """Version key to its nodes, in the order of the graph: node_id and model_version."""
    query = select(workflow_nodes).where(workflow_nodes.c.workflow_version.in_(list(versions)))
    found: dict[int, list[Row[Any]]] = {}
    for row in conn.execute(query.order_by(workflow_nodes.c.workflow_version, workflow_nodes.c.position)):
        found.setdefault(row.workflow_version, []).append(row)
    return found


def bump_users_of(conn: Connection, *, models: Iterable[int] = (), versions: Iterable[int] = ()) -> None:
    """Make workers look again at the apps that may run a workflow with one of these models or model versions.

    These are the apps that the workflows are in, and those that have one of them as their default. To be
    called before the models are deleted.
    """
    pinned = select(model_versions.c.pk).where(
        or_(model_versions.c.model.in_(list(models)), model_versions.c.pk.in_(list(versions)))
    )
    using = (
        select(workflow_versions.c.workflow)
        .join(workflow_nodes, workflow_nodes.c.workflow_version == workflow_versions.c.pk)
        .where(workflow_nodes.c.model_version.in_(pinned))
    )
    inside = select(workflows.c.app).where(workflows.c.pk.in_(using))
    query = update(apps).where(or_(apps.c.pk.in_(inside), apps.c.default_workflow.in_(using)))
    conn.execute(query.values(revision=apps.c.revision + 1))


def version_page(conn: Connection, workflow: int, *, offset: int, limit: int) -> list[Row[Any]]:
    """A workflow's versions, newest first."""
    query = select(workflow_versions).where(workflow_versions.c.workflow == workflow)
    return list(conn.execute(query.order_by(workflow_versions.c.pk.desc()).offset(offset).limit(limit)))


def deprecated(conn: Connection, versions: Iterable[int]) -> set[int]:
    """Those of these version keys that name a model version which has been deleted since."""
    query = (
        select(workflow_nodes.c.workflow_version)
        .outerjoin(model_versions, model_versions.c.pk == workflow_nodes.c.model_version)
        .where(workflow_nodes.c.workflow_version.in_(list(versions)), model_versions.c.pk.is_(None))
    )
    return {row.workflow_version for row in conn.execute(query)}


def change(conn: Connection, pk: int, **values: Any) -> None:
    """Set columns of a workflow."""
    conn.execute(update(workflows).where(workflows.c.pk == pk).values(modified_at=now(), **values))


def change_version(conn: Connection, pk: int, **values: Any) -> None:
    """Set columns of a version."""
    conn.execute(update(workflow_versions).where(workflow_versions.c.pk == pk).values(modified_at=now(), **values))


def remove(conn: Connection, pks: Iterable[int]) -> None:
    """Delete workflows with their versions; apps that had one as default are left without."""
    gone = list(pks)
    conn.execute(update(apps).where(apps.c.default_workflow.in_(gone)).values(default_workflow=None))
    conn.execute(delete(workflows).where(workflows.c.pk.in_(gone)))


def remove_version(conn: Connection, pk: int) -> None:
    """Delete one version."""
    conn.execute(delete(workflow_versions).where(workflow_versions.c.pk == pk))
