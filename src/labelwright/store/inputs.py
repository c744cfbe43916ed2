"""Inputs of an app."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, update

from labelwright.store import tables as t
from labelwright.store.engine import insert_many, next_keys, now
from labelwright.store.prepared import Prepared


class NewInput(NamedTuple):
    """An input to be written; it begins in the queue."""

    id: str
    wire: bytes
    """Its Data: the media's URL or raw text, no bytes, nothing that is said of it."""
    media: str | None = None
    """Where its bytes lie in the media store; None while there are none."""
    url_hash: bytes | None = None
    """Where a second input with its URL is to be refused."""


def url_hash(url: str) -> bytes:
    """What stands for a URL in `inputs.url_hash`: 16 bytes."""
    return hashlib.sha256(url.encode()).digest()[:16]


def add(
    conn: Connection, app: int, rows: Sequence[NewInput], *, add_job: int | None = None
) -> tuple[Sequence[int], int]:
    """Insert inputs; returns their keys, in the order given, and the time at which they were added.

    The caller has looked that the ids are free.

    Args:
        add_job: the key of the job in whose name they are added.
    """
    at = now()
    if not rows:
        return (), at
    pks = next_keys(conn, t.inputs, len(rows))
    insert_many(
        conn,
        t.inputs,
        ("pk", "app", "id", "status_code", "wire", "media", "url_hash", "add_job", "created_at", "modified_at"),
        [
            (pk, app, row.id, t.PENDING, row.wire, row.media, row.url_hash, add_job, at, at)
            for pk, row in zip(pks, rows, strict=True)
        ],
    )
    return pks, at


_LEVEL = t.annotations.alias("level")
_ONE = Prepared(
    select(
        t.apps.c.pk.label("app_pk"),
        t.apps.c.user_id.label("app_user_id"),
        t.apps.c.id.label("app_id"),
        t.inputs,
        _LEVEL.c.pk.label("level"),
        _LEVEL.c.wire.label("level_wire"),
    )
    .select_from(t.apps)
    .outerjoin(t.inputs, (t.inputs.c.app == t.apps.c.pk) & (t.inputs.c.id == bindparam("input_id")))
    .outerjoin(_LEVEL, (_LEVEL.c.input == t.inputs.c.pk) & _LEVEL.c.input_level)
    .where(t.apps.c.user_id == bindparam("of_user"), t.apps.c.id == bindparam("app_id"))
)


class AppKey(NamedTuple):
    """As much of an app's row as tells it from others, under the columns' names."""

    pk: int
    user_id: str
    id: str


def with_app(conn: Connection, user_id: str, app_id: str, input_id: str) -> tuple[AppKey, Row[Any] | None] | None:
    """An app by its owner and id, and one of its inputs; None where there is no such app.

    Beside the columns of the input its input-level annotation: `level` (its key) and `level_wire`.
    """
    row = _ONE.first(conn, of_user=user_id, app_id=app_id, input_id=input_id)
    if row is None:
        return None
    return AppKey(row.app_pk, row.app_user_id, row.app_id), None if row.pk is None else row


# Built once, for the calls that are made most.
_BY_IDS = select(t.inputs).where(
    t.inputs.c.app == bindparam("of_app"), t.inputs.c.id.in_(bindparam("ids", expanding=True))
)


def by_ids(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Input id to row, for those of ``ids`` that the app has."""
    return {row.id: row for row in conn.execute(_BY_IDS, {"of_app": app, "ids": list(ids)})}


def keys(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, int]:
    """Input id to key, for those of ``ids`` that the app has."""
    query = select(t.inputs.c.id, t.inputs.c.pk).where(
        t.inputs.c.app == app, t.inputs.c.id.in_(bindparam("ids", expanding=True))
    )
    return {row.id: row.pk for row in conn.execute(query, {"ids": list(ids)})}


def taken_urls(conn: Connection, app: int, hashes: Iterable[bytes]) -> set[bytes]:
    """Those of these URL hashes that an input of the app has."""
    query = select(t.inputs.c.url_hash).where(
        t.inputs.c.app == app, t.inputs.c.url_hash.in_(bindparam("hashes", expanding=True))
    )
    return set(conn.execute(query, {"hashes": list(hashes)}).scalars())


def by_pk(conn: Connection, pk: int) -> Row[Any] | None:
    """One input by its key, of whatever app."""
    return conn.execute(select(t.inputs).where(t.inputs.c.pk == pk)).first()


_BY_PKS = select(t.inputs).where(t.inputs.c.pk.in_(bindparam("pks", expanding=True)))


def by_pks(conn: Connection, pks: Iterable[int]) -> list[Row[Any]]:
    """The inputs with these keys that there are."""
    wanted = list(pks)
    return list(conn.execute(_BY_PKS, {"pks": wanted})) if wanted else []


def page(
    conn: Connection,
    app: int,
    *,
    status_code: int = 0,
    ids: Sequence[str] = (),
    offset: int,
    limit: int,
) -> list[Row[Any]]:
    """An app's inputs, newest first; with one status only, and of these ids only, where given."""
    wanted = select(t.inputs.c.pk).where(t.inputs.c.app == app)
    if status_code:
        wanted = wanted.where(t.inputs.c.status_code == status_code)
    if ids:
        wanted = wanted.where(t.inputs.c.id.in_(list(ids)))
    # The keys first: an index holds them, so that skipping to a far page reads no row.
    found = list(conn.execute(wanted.order_by(t.inputs.c.pk.desc()).offset(offset).limit(limit)).scalars())
    if not found:
        return []
    query = select(t.inputs).where(t.inputs.c.pk.in_(bindparam("pks", expanding=True)))
    return list(conn.execute(query.order_by(t.inputs.c.pk.desc()), {"pks": found}))


def following(conn: Connection, app: int, *, after: int | None, descending: bool, limit: int) -> list[Row[Any]]:
    """The app's inputs in the order in which they were added, or the other way, behind the one with key ``after``."""
    pk = t.inputs.c.pk
    query = select(t.inputs).where(t.inputs.c.app == app)
    if after is not None:
        query = query.where(pk < after if descending else pk > after)
    return list(conn.execute(query.order_by(pk.desc() if descending else pk).limit(limit)))


def following_by_id(conn: Connection, app: int, *, after: str, descending: bool, limit: int) -> list[Row[Any]]:
    """The app's inputs in the order of their ids, or the other way, behind ``after``; "" begins at the end."""
    id_ = t.inputs.c.id
    query = select(t.inputs).where(t.inputs.c.app == app)
    if after:
        query = query.where(id_ < after if descending else id_ > after)
    return list(conn.execute(query.order_by(id_.desc() if descending else id_).limit(limit)))


def counts(conn: Connection, app: int) -> dict[int, int]:
    """Status code to the number of the app's inputs that have it."""
    query = (
        select(t.inputs.c.status_code, func.count().label("n"))
        .where(t.inputs.c.app == app)
        .group_by(t.inputs.c.status_code)
    )
    return {row.status_code: row.n for row in conn.execute(query)}


def remove(conn: Connection, app: int, ids: Iterable[str]) -> list[Row[Any]]:
    """Delete inputs with all that is said of them.

    Returns:
        id and media of those that were there: the caller deletes their media once this is committed.
    """
    query: Select[Any] = select(t.inputs.c.pk, t.inputs.c.id, t.inputs.c.media).where(
        t.inputs.c.app == app, t.inputs.c.id.in_(bindparam("ids", expanding=True))
    )
    found = list(conn.execute(query.order_by(t.inputs.c.pk).with_for_update(), {"ids": list(ids)}))
    if found:
        conn.execute(
            delete(t.inputs).where(t.inputs.c.pk.in_(bindparam("pks", expanding=True))),
            {"pks": [row.pk for row in found]},
        )
    return found


def touch(conn: Connection, pks: Iterable[int]) -> None:
    """Say that what is said of these inputs changed now."""
    query = update(t.inputs).where(t.inputs.c.pk.in_(bindparam("pks", expanding=True)))
    conn.execute(query.values(modified_at=now()), {"pks": list(pks)})
