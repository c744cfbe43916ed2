"""Listing annotations: which of an app's, a page of them, at a price that does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from labelwright.store import annotations as stored
from labelwright.store import inputs
from labelwright.store import tables as t


@dataclass(frozen=True, slots=True)
class Filter:
    """Which annotations. What is empty does not narrow; user, model and workflow versions are a union."""

    ids: Sequence[str] = ()
    input_ids: Sequence[str] = ()
    """With ``ids`` their inputs, one for one; alone, every annotation of these inputs."""
    user_ids: Sequence[str] = ()
    model_version_ids: Sequence[str] = ()
    workflow_version_ids: Sequence[str] = ()
    status_codes: Sequence[int] = ()
    task_id: str = ""
    all: bool = False
    """False: only trusted ones."""


def page(conn: Connection, app: int, which: Filter, *, offset: int, limit: int) -> list[Row[Any]]:
    """One page of an app's annotations, newest first; rows as in `annotations.by_pks`."""
    query = _keys(conn, app, which)
    if query is None:
        return []
    # The keys first: ix_annotations_list holds all that is asked of, so that a far page reads no row.
    query = query.order_by(t.annotations.c.pk.desc()).offset(offset).limit(limit)
    return stored.by_pks(conn, list(conn.execute(query).scalars()))


def following(conn: Connection, app: int, which: Filter, *, after: int, limit: int) -> list[int]:
    """The keys of the next annotations behind key ``after``, oldest first."""
    query = _keys(conn, app, which)
    if query is None:
        return []
    pk = t.annotations.c.pk
    return list(conn.execute(query.where(pk > after).order_by(pk).limit(limit)).scalars())


def _keys(conn: Connection, app: int, which: Filter) -> Select[Any] | None:
    """The query for the keys; None where it can't find any."""
    a = t.annotations.c
    where: list[ColumnElement[bool]] = [a.listed]
    if which.input_ids:
        inputs_ = inputs.keys(conn, app, set(which.input_ids))
        if which.ids:
            pairs = [(i, inputs_[n]) for i, n in zip(which.ids, which.input_ids, strict=True) if n in inputs_]
            if not pairs:
                return None
            pk_of = _keys_of_pairs(conn, app, pairs)
            if not pk_of:
                return None
            where.append(a.pk.in_(pk_of))
        else:
            if not inputs_:
                return None
            # The inputs are this app's: naming the app too would make SQLite walk the whole app's index.
            where.append(a.input.in_(list(inputs_.values())))
    else:
        where.append(a.app == app)
        if which.ids:
            where.append(a.id.in_(list(which.ids)))
    if not which.all:
        where.append(a.trusted)
    if which.status_codes:
        where.append(a.status_code.in_(list(which.status_codes)))
    if which.task_id:
        where.append(a.task_id == which.task_id)
    workers = [
        column.in_(list(values))
        for column, values in (
            (a.user_id, which.user_ids),
            (a.model_version_id, which.model_version_ids),
            (a.workflow_version_id, which.workflow_version_ids),
        )
        if values
    ]
    if workers:
        where.append(or_(*workers))
    return select(a.pk).where(and_(*where))


def _keys_of_pairs(conn: Connection, app: int, pairs: Sequence[tuple[str, int]]) -> list[int]:
    a = t.annotations.c
    query = select(a.id, a.input, a.pk).where(a.app == app, a.id.in_([id_ for id_, _ in pairs]))
    wanted = set(pairs)
    return [row.pk for row in conn.execute(query) if (row.id, row.input) in wanted]
