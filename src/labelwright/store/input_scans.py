"""Going over an app's inputs, newest first, by what they are labelled with: each step at a bounded price."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Row, bindparam, literal_column, select

from labelwright.store import tables as t
from labelwright.store.overview import SUCCESS, WAITING

END = 2**63 - 1
"""A key behind which all others are."""

_i, _a, _c, _r = t.inputs.c, t.annotations.c, t.annotation_concepts.c, t.review_items.c
_PKS: BindParameter[Any] = bindparam("pks", expanding=True)


def codes(conn: Connection, app: int) -> list[int]:
    """The statuses that an app's inputs have, by one look into the index for each."""
    found: list[int] = []
    query = select(_i.status_code).where(_i.app == app, _i.status_code > bindparam("over"))
    query = query.order_by(_i.status_code).limit(1)
    while (code := conn.execute(query, {"over": found[-1] if found else -1}).scalar()) is not None:
        found.append(code)
    return found


def newest(conn: Connection, app: int, *, before: int, status_codes: Collection[int] | None, limit: int) -> list[int]:
    """The keys of the next inputs before key ``before``, newest first; None of ``status_codes``: all."""
    query = select(_i.pk).where(_i.app == app, _i.pk < before).order_by(_i.pk.desc()).limit(limit)
    if status_codes is None:
        return list(conn.execute(query).scalars())
    # One after the other: the index has them in order for one status at a time.
    each = [conn.execute(query.where(_i.status_code == code)).scalars().all() for code in status_codes]
    return list(islice(merge(*each, reverse=True), limit))


def labelled_with(conn: Connection, concepts: Sequence[int], *, most: int) -> list[int] | None:
    """The keys of all inputs that have a label of one of these concepts, newest first; None for more than ``most``."""
    some = select(_c.annotation).where(_c.concept.in_(list(concepts))).limit(most + 1)
    found = list(conn.execute(some).scalars())
    if len(found) > most:
        return None
    inputs = select(_a.input).where(_a.pk.in_(_PKS), _a.listed).distinct()
    return sorted(conn.execute(inputs, {"pks": found}).scalars(), reverse=True)


def waiting(conn: Connection, app: int, *, most: int) -> list[int] | None:
    """The keys of all inputs of which something waits for a person, newest first; None for more than ``most`` items."""
    some = select(_r.input).where(_r.app == app, _r.status_code.in_(WAITING)).limit(most + 1)
    found = list(conn.execute(some).scalars())
    return None if len(found) > most else sorted(set(found), reverse=True)


def with_status(conn: Connection, pks: Sequence[int], status_codes: Collection[int]) -> set[int]:
    """Those of these inputs that have one of these statuses."""
    query = select(_i.pk).where(_i.pk.in_(_PKS), _i.status_code.in_(list(status_codes)))
    return set(conn.execute(query, {"pks": list(pks)}).scalars())


# With a sign before it no index is taken for it: SQLite went over all labels of the concept for each 500 inputs.
_CONCEPT: ColumnElement[int] = literal_column("+annotation_concepts.concept")


def having(conn: Connection, pks: Sequence[int], *, concepts: Sequence[int] | None, state: str) -> set[int]:
    """Those of these inputs that have a label.

    Args:
        concepts: of one of these; None: of any.
        state: "success", "pending" (or flagged), or "" for all of these.
    """
    where: list[ColumnElement[bool]] = [_a.input.in_(_PKS), _a.listed]
    of = {"success": (SUCCESS,), "pending": WAITING}.get(state, (SUCCESS, *WAITING))
    where.append(_a.status_code.in_(of))
    if concepts is not None:
        where.append(_CONCEPT.in_(list(concepts)))
    query = select(_a.input).join_from(t.annotations, t.annotation_concepts).where(*where).distinct()
    return set(conn.execute(query, {"pks": list(pks)}).scalars())


_LEVEL = t.annotations.alias("level")
_TEXTS = (
    select(_i.pk, _i.id, _i.wire, _LEVEL.c.wire.label("said"))
    .outerjoin(_LEVEL, (_LEVEL.c.input == _i.pk) & _LEVEL.c.input_level)
    .where(_i.pk.in_(_PKS))
)


def texts(conn: Connection, pks: Sequence[int]) -> list[Any]:
    """What can be searched in these inputs: pk, id, wire, and said (the input-level annotation's wire, or None)."""
    return list(conn.execute(_TEXTS, {"pks": list(pks)}))


_ROWS = select(t.inputs).where(_i.pk.in_(_PKS)).order_by(_i.pk.desc())


def rows(conn: Connection, pks: Sequence[int]) -> list[Row[Any]]:
    """The rows with these keys, newest first."""
    return list(conn.execute(_ROWS, {"pks": list(pks)})) if pks else []


_LABELS = (
    select(
        _a.input, _a.status_code, _a.origin, _c.value, _c.score, t.concepts.c.id, t.concepts.c.name, _a.pk.label("of")
    )
    .join_from(t.annotations, t.annotation_concepts)
    .join(t.concepts, t.concepts.c.pk == _c.concept)
    .where(_a.input.in_(_PKS), _a.listed)
    .order_by(_a.input, _a.pk, _c.position)
)


def labels(conn: Connection, pks: Sequence[int]) -> list[Any]:
    """The labels of these inputs in order: input, status_code, origin, value, score, id and name of the concept."""
    return list(conn.execute(_LABELS, {"pks": list(pks)})) if pks else []
