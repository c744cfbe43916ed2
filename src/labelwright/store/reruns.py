"""Which inputs a re-run goes over, and what it leaves them as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, or_, select, update

from labelwright.store.engine import now
from labelwright.store.tables import DONE, IN_PROGRESS, PENDING, inputs

# Whatever waits or is being worked on gets the newest workflow anyway; an input may have failed with any other code.
_UNSETTLED = (PENDING, IN_PROGRESS)


def _wanted(app: int, upto: int, without_version: str | None) -> ColumnElement[bool]:
    wanted = and_(inputs.c.app == app, inputs.c.pk <= upto, inputs.c.status_code.not_in(_UNSETTLED))
    if without_version is None:
        return wanted
    version = inputs.c.workflow_version_id
    return and_(wanted, or_(version.is_(None), version != without_version))


def newest(conn: Connection, app: int) -> int:
    """The key of the app's newest input; 0 where it has none."""
    found: int | None = conn.execute(select(func.max(inputs.c.pk)).where(inputs.c.app == app)).scalar()
    return found or 0


def count(conn: Connection, app: int, *, upto: int, without_version: str | None) -> int:
    """How many inputs a re-run goes over.

    Args:
        upto: the newest input that it takes.
        without_version: only inputs that this workflow version has not labelled; None: all.
    """
    query = select(func.count()).select_from(inputs).where(_wanted(app, upto, without_version))
    found: int = conn.execute(query).scalar_one()
    return found


def count_all(conn: Connection, app: int) -> int:
    """How many inputs a re-run over all of them that begins now goes over."""
    return count(conn, app, upto=newest(conn, app), without_version=None)


def following(
    conn: Connection, app: int, *, after: int, upto: int, without_version: str | None, limit: int
) -> list[Row[Any]]:
    """The next inputs of a re-run: pk, id, wire, media."""
    query = select(inputs.c.pk, inputs.c.id, inputs.c.wire, inputs.c.media)
    query = query.where(_wanted(app, upto, without_version), inputs.c.pk > after)
    return list(conn.execute(query.order_by(inputs.c.pk).limit(limit)))


def still_settled(conn: Connection, pks: Iterable[int]) -> set[int]:
    """Those of these inputs that are there and settled, locked until the transaction ends."""
    query = select(inputs.c.pk).where(inputs.c.pk.in_(list(pks)), inputs.c.status_code.not_in(_UNSETTLED))
    return {row.pk for row in conn.execute(query.order_by(inputs.c.pk).with_for_update())}


def finish(conn: Connection, done: Mapping[int, str | None], workflow_version_id: str) -> None:
    """Note that a version labelled these inputs; input key to the key of media fetched now (None: none)."""
    if not done:
        return
    conn.execute(
        update(inputs)
        .where(inputs.c.pk == bindparam("key"))
        .values(
            status_code=DONE,
            status_details="",
            workflow_version_id=workflow_version_id,
            media=func.coalesce(bindparam("new_media"), inputs.c.media),
            modified_at=now(),
        ),
        [{"key": pk, "new_media": media} for pk, media in done.items()],
    )


def unlabelled(conn: Connection, pks: Iterable[int]) -> None:
    """Note that no workflow version's labels stand on these inputs: `rerun --missing` will take them."""
    conn.execute(update(inputs).where(inputs.c.pk.in_(list(pks))).values(workflow_version_id=None, modified_at=now()))
