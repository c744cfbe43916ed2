"""Apps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, tuple_, update

from labelwright.store.engine import now
from labelwright.store.prepared import Prepared
from labelwright.store.tables import (
    apps,
    concepts,
    model_versions,
    models,
    relations,
    users,
    workflow_nodes,
    workflow_versions,
    workflows,
)


def add(conn: Connection, *, user_id: str, id: str, wire: bytes, default_workflow: int | None) -> int:
    """Insert an app; returns its key. The caller has looked that the id is free."""
    at = now()
    result = conn.execute(
        insert(apps).values(
            user_id=user_id,
            id=id,
            wire=wire,
            default_workflow=default_workflow,
            created_at=at,
            modified_at=at,
        )
    )
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    return pk


def add_all(conn: Connection, user_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert apps given as id, wire and default_workflow. The caller has looked that the ids are free."""
    at = now()
    conn.execute(insert(apps), [{"user_id": user_id, "created_at": at, "modified_at": at, **r} for r in rows])


def lock_owner(conn: Connection, user_id: str) -> None:
    """Until the transaction ends nobody else adds apps for this user: an id that is free stays free."""
    conn.execute(select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True))


_ONE = select(apps).where(apps.c.user_id == bindparam("of_user"), apps.c.id == bindparam("app_id"))
_GET = Prepared(_ONE)
# key_share: inserts of rows that point at the app need not wait.
_GET_LOCKED = Prepared(_ONE.with_for_update(key_share=True))


def get(conn: Connection, user_id: str, app_id: str, *, lock: bool = False) -> Row[Any] | None:
    """One app by its owner and id. ``lock``: nobody may change or delete it until the transaction ends."""
    return (_GET_LOCKED if lock else _GET).first(conn, of_user=user_id, app_id=app_id)


def by_ids(conn: Connection, user_id: str, ids: Iterable[str], *, lock: bool = False) -> dict[str, Row[Any]]:
    """App id to row, for those of ``ids`` that the user has; locked in the order of their keys if wished."""
    query = select(apps).where(apps.c.user_id == user_id, apps.c.id.in_(list(ids))).order_by(apps.c.pk)
    return {row.id: row for row in conn.execute(query.with_for_update(key_share=True) if lock else query)}


def by_pks(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Key to row."""
    return {row.pk: row for row in conn.execute(select(apps).where(apps.c.pk.in_(list(pks))))}


def by_names(conn: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row[Any]]:
    """(owner, app id) to row, for those that there are."""
    query = select(apps).where(tuple_(apps.c.user_id, apps.c.id).in_(list(names)))
    return {(row.user_id, row.id): row for row in conn.execute(query)}


def workflow_keys(conn: Connection, names: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    """(owner, app id, workflow id) to the workflow's key, for those that there are."""
    query = select(apps.c.user_id, apps.c.id, workflows.c.id, workflows.c.pk).join(
        workflows, workflows.c.app == apps.c.pk
    )
    found = conn.execute(query.where(tuple_(apps.c.user_id, apps.c.id, workflows.c.id).in_(list(names))))
    return {(user_id, app_id, workflow_id): pk for user_id, app_id, workflow_id, pk in found}


def hold(conn: Connection, pk: int) -> Row[Any] | None:
    """One app by its key, which can't be deleted until the transaction ends; others may change and hold it too."""
    return conn.execute(select(apps).where(apps.c.pk == pk).with_for_update(read=True, key_share=True)).first()


def by_pk(conn: Connection, pk: int) -> Row[Any] | None:
    """One app by its key."""
    return conn.execute(select(apps).where(apps.c.pk == pk)).first()


def page(conn: Connection, user_id: str, *, offset: int, limit: int) -> list[Row[Any]]:
    """A user's apps, oldest first."""
    query = select(apps).where(apps.c.user_id == user_id).order_by(apps.c.pk).offset(offset).limit(limit)
    return list(conn.execute(query))


def in_order(conn: Connection, pks: Sequence[int]) -> list[Row[Any]]:
    """The apps with these keys that there are, in the order given."""
    found = by_pks(conn, pks) if pks else {}
    return [found[pk] for pk in pks if pk in found]


def change(conn: Connection, pk: int, **values: Any) -> None:
    """Set columns of an app."""
    conn.execute(update(apps).where(apps.c.pk == pk).values(modified_at=now(), **values))


def change_all(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set wire and default workflow of apps given as pk, wire, default_workflow and moved.

    Where ``moved`` is true the default workflow is a new one: workers take a new snapshot.
    """
    query = (
        update(apps)
        .where(apps.c.pk == bindparam("key"))
        .values(
            modified_at=now(),
            wire=bindparam("new_wire"),
            default_workflow=bindparam("base"),
            revision=apps.c.revision + bindparam("step"),
        )
    )
    conn.execute(
        query,
        [
            {
                "key": r["pk"],
                "new_wire": r["wire"],
                "base": r["default_workflow"],
                "step": int(r["moved"]),
            }
            for r in rows
        ],
    )


def bump(conn: Connection, pk: int) -> None:
    """Say that the app's concepts or relations changed: workers take a new snapshot."""
    conn.execute(update(apps).where(apps.c.pk == pk).values(revision=apps.c.revision + 1))


def rename(conn: Connection, pk: int, app_id: str) -> None:
    """Give an app another id. The caller has locked its owner and looked that the id is free."""
    change(conn, pk, id=app_id, revision=apps.c.revision + 1)
    _bump_others(conn, pk)


def remove(conn: Connection, pk: int) -> None:
    """Delete an app with all that is in it; what other apps have of it, they lose."""
    ours = select(workflows.c.pk).where(workflows.c.app == pk)
    conn.execute(
        update(apps)
        .where(apps.c.default_workflow.in_(ours), apps.c.pk != pk)
        .values(default_workflow=None, revision=apps.c.revision + 1)
    )
    _bump_others(conn, pk)
    conn.execute(delete(apps).where(apps.c.pk == pk))


def _bump_others(conn: Connection, pk: int) -> None:
    """Say that something changed for the other apps whose workflows or relations name what is in this one."""
    used = (
        select(apps.c.pk)
        .join(workflows, workflows.c.pk == apps.c.default_workflow)
        .join(workflow_versions, workflow_versions.c.workflow == workflows.c.pk)
        .join(workflow_nodes, workflow_nodes.c.workflow_version == workflow_versions.c.pk)
        .join(model_versions, model_versions.c.pk == workflow_nodes.c.model_version)
        .join(models, models.c.pk == model_versions.c.model)
        .where(models.c.app == pk)
    )
    conn.execute(update(apps).where(apps.c.pk.in_(used), apps.c.pk != pk).values(revision=apps.c.revision + 1))
    related = select(relations.c.app).join(concepts, concepts.c.pk == relations.c.object)
    conn.execute(
        update(apps)
        .where(apps.c.pk.in_(related.where(concepts.c.app == pk)), apps.c.pk != pk)
        .values(revision=apps.c.revision + 1)
    )
