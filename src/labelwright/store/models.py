"""Models and their versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from labelwright.ids import new_id
from labelwright.store.engine import now
from labelwright.store.tables import apps, model_versions, models

TRAINED = 21100
"""The status of a version that can be used: the API's MODEL_TRAINED."""


def add(
    conn: Connection,
    app: int,
    *,
    id: str,
    name: str,
    model_type_id: str,
    wire: bytes,
    alias: str | None = None,
) -> int:
    """Insert a model; returns its key. The caller has looked that the id is free."""
    at = now()
    row = {"app": app, "id": id, "alias": alias, "name": name, "model_type_id": model_type_id, "wire": wire}
    result = conn.execute(insert(models).values(created_at=at, modified_at=at, **row))
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    return pk


def add_version(conn: Connection, model: int, *, status_code: int, wire: bytes, id: str = "") -> int:
    """Insert a version of a model; returns its key."""
    at = now()
    row = {"model": model, "id": id or new_id(), "status_code": status_code, "wire": wire}
    result = conn.execute(insert(model_versions).values(created_at=at, modified_at=at, **row))
    conn.execute(update(models).where(models.c.pk == model).values(modified_at=at))
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    return pk


def put(
    conn: Connection,
    app: int,
    *,
    id: str,
    alias: str | None,
    name: str,
    model_type_id: str,
    wire: bytes,
    version_id: str,
    status_code: int,
    version_wire: bytes,
) -> int:
    """Insert or bring up to date a model with one fixed version; returns the version's key."""
    at = now()
    row = get(conn, app, id)
    if row is None:
        pk = add(conn, app, id=id, alias=alias, name=name, model_type_id=model_type_id, wire=wire)
    else:
        pk = row.pk
        if (row.alias, row.name, row.model_type_id, row.wire) != (alias, name, model_type_id, wire):
            values = {"alias": alias, "name": name, "model_type_id": model_type_id, "wire": wire}
            conn.execute(update(models).where(models.c.pk == pk).values(modified_at=at, **values))
    found = version(conn, pk, version_id)
    if found is None:
        return add_version(conn, pk, status_code=status_code, wire=version_wire, id=version_id)
    if found.wire != version_wire:
        query = update(model_versions).where(model_versions.c.pk == found.pk)
        conn.execute(query.values(wire=version_wire, modified_at=at))
    key: int = found.pk
    return key


def get(conn: Connection, app: int, model_id: str) -> Row[Any] | None:
    """One model by its id or its alias."""
    query = select(models).where(models.c.app == app, or_(models.c.id == model_id, models.c.alias == model_id))
    return conn.execute(query).first()


def version(conn: Connection, model: int, version_id: str = "") -> Row[Any] | None:
    """One version of a model; "" means the newest."""
    query = select(model_versions).where(model_versions.c.model == model)
    if version_id:
        return conn.execute(query.where(model_versions.c.id == version_id)).first()
    return conn.execute(query.order_by(model_versions.c.pk.desc()).limit(1)).first()


_JOINED = (
    select(
        model_versions,
        models.c.id.label("model_id"),
        models.c.alias.label("model_alias"),
        models.c.name.label("model_name"),
        models.c.model_type_id,
        models.c.app,
        apps.c.id.label("app_id"),
        apps.c.user_id,
    )
    .join(models, models.c.pk == model_versions.c.model)
    .join(apps, apps.c.pk == models.c.app)
)


def versions_by_pk(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Version key to the version's row, with its model's id, name, type, app and owner beside it."""
    return {row.pk: row for row in conn.execute(_JOINED.where(model_versions.c.pk.in_(list(pks))))}


def by_ids(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Id asked for to the model that has it as its id or its alias; where both do, the id wins."""
    wanted = set(ids)
    query = select(models).where(models.c.app == app, or_(models.c.id.in_(wanted), models.c.alias.in_(wanted)))
    rows = list(conn.execute(query))
    found = {row.alias: row for row in rows if row.alias in wanted}
    return found | {row.id: row for row in rows if row.id in wanted}


ORDERS = {"name": models.c.name, "created_at": models.c.pk, "modified_at": models.c.modified_at}
"""What a listing can be sorted by. A model's time of change is that of its newest version, or later."""


def listing(
    conn: Connection,
    homes: Collection[int],
    *,
    order: str = "created_at",
    ascending: bool = True,
    offset: int = 0,
    limit: int | None = None,
    model_type_ids: Collection[str] | None = None,
    status_code: int | None = None,
    version_ids: Collection[str] | None = None,
) -> list[tuple[Row[Any], Row[Any] | None]]:
    """The models of the apps ``homes``, each with its newest version.

    Args:
        order: a key of `ORDERS`.
        model_type_ids: only models of these types.
        status_code, version_ids: only models that have such a version; the newest such is the one given.
    """
    newest = (
        select(model_versions.c.model, func.max(model_versions.c.pk).label("version"))
        .join(models, models.c.pk == model_versions.c.model)
        .where(models.c.app.in_(list(homes)))
        .group_by(model_versions.c.model)
    )
    if status_code is not None:
        newest = newest.where(model_versions.c.status_code == status_code)
    if version_ids is not None:
        newest = newest.where(model_versions.c.id.in_(version_ids))
    shown = newest.subquery()
    filtered = status_code is not None or version_ids is not None
    query = (
        select(models, shown.c.version)
        .join(shown, shown.c.model == models.c.pk, isouter=not filtered)
        .where(models.c.app.in_(list(homes)))
    )
    if model_type_ids is not None:
        query = query.where(models.c.model_type_id.in_(model_type_ids))
    keys = (ORDERS[order], models.c.pk)
    query = query.order_by(*(k.asc() if ascending else k.desc() for k in keys)).offset(offset)
    rows = list(conn.execute(query if limit is None else query.limit(limit)))
    wanted = [row.version for row in rows if row.version is not None]
    versions = {v.pk: v for v in conn.execute(select(model_versions).where(model_versions.c.pk.in_(wanted)))}
    return [(row, versions.get(row.version)) for row in rows]


def newest_versions(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Model key to the row of its newest version."""
    newest = (
        select(func.max(model_versions.c.pk))
        .where(model_versions.c.model.in_(list(pks)))
        .group_by(model_versions.c.model)
    )
    query = select(model_versions).where(model_versions.c.pk.in_(newest))
    return {row.model: row for row in conn.execute(query)}


def newest_usable(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Model key to the row of its newest trained version; the newest one where none is trained."""
    wanted = list(pks)
    trained = (
        select(func.max(model_versions.c.pk))
        .where(model_versions.c.model.in_(wanted), model_versions.c.status_code == TRAINED)
        .group_by(model_versions.c.model)
    )
    found = {row.model: row for row in conn.execute(select(model_versions).where(model_versions.c.pk.in_(trained)))}
    missing = [pk for pk in wanted if pk not in found]
    return found | newest_versions(conn, missing) if missing else found


def versions_named(conn: Connection, named: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Row[Any]]:
    """Model key and version id to the version, for those that there are."""
    wanted = set(named)
    query = select(model_versions).where(
        model_versions.c.model.in_({model for model, _ in wanted}),
        model_versions.c.id.in_({version_id for _, version_id in wanted}),
    )
    found = {(row.model, row.id): row for row in conn.execute(query)}
    return {key: row for key, row in found.items() if key in wanted}


def version_page(
    conn: Connection,
    model: int,
    *,
    offset: int,
    limit: int,
    status_code: int | None = None,
    by_status: bool = False,
    ascending: bool = False,
) -> list[Row[Any]]:
    """A model's versions, newest first; ``by_status``: by their status codes before; ``ascending``: turned round."""
    query = select(model_versions).where(model_versions.c.model == model)
    if status_code is not None:
        query = query.where(model_versions.c.status_code == status_code)
    keys = (model_versions.c.status_code, model_versions.c.pk) if by_status else (model_versions.c.pk,)
    query = query.order_by(*(k.asc() if ascending else k.desc() for k in keys))
    return list(conn.execute(query.offset(offset).limit(limit)))


def versions_of(conn: Connection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Version key to the version's row."""
    return {row.pk: row for row in conn.execute(select(model_versions).where(model_versions.c.pk.in_(list(pks))))}


def count_versions(conn: Connection, pks: Iterable[int]) -> dict[int, int]:
    """Model key to the number of its versions, for those that have any."""
    query = select(model_versions.c.model, func.count().label("n")).where(model_versions.c.model.in_(list(pks)))
    return {row.model: row.n for row in conn.execute(query.group_by(model_versions.c.model))}


def all_keys(conn: Connection, app: int) -> list[int]:
    """The keys of all models of an app."""
    return list(conn.execute(select(models.c.pk).where(models.c.app == app)).scalars())


def change_version(conn: Connection, pk: int, **values: Any) -> None:
    """Set columns of a version."""
    conn.execute(update(model_versions).where(model_versions.c.pk == pk).values(modified_at=now(), **values))


def change(conn: Connection, pk: int, **values: Any) -> None:
    """Set columns of a model."""
    conn.execute(update(models).where(models.c.pk == pk).values(modified_at=now(), **values))


def remove(conn: Connection, pks: Iterable[int]) -> None:
    """Delete models with their versions."""
    conn.execute(delete(models).where(models.c.pk.in_(list(pks))))


def remove_version(conn: Connection, pk: int) -> None:
    """Delete one version."""
    conn.execute(delete(model_versions).where(model_versions.c.pk == pk))
